"""The denoising autoencoder's loss, derived as an autoencoder: encoder, decoder, backpropagation.

No energy and no score is used here.  That this loss is denoising score matching of an energy
(statement 1) is then a comparison of two computations; what they share is said below.

Symbols
    n points, i visible dimensions (d), j hidden units (m).
    x              (n, d)   clean points
    x_noisy        (n, d)   the input of the encoder
    W              (m, d)   weights, shared: the encoder is W, the decoder its transpose
    b              (m,)     hidden offsets
    c              (d,)     visible offsets
    a              (n, m)   activations
    h              (n, m)   hidden code
    h1             (n, m)   its slope
    reconstruction (n, d)   what the decoder makes of the code
    error          (n, d)   reconstruction - x
    weights        (n,)     1/n unless given
    delta          (n, d)   d value / d reconstruction
    delta_a        (n, m)   d value / d a
    term           (n,)     the loss at one pair (x, x_noisy)

Equations
    forward
    (1)  a_j  = sum_i W_ji x_noisy_i + b_j
    (2)  h_j  = sigmoid(a_j),  h1_j = h_j (1 - h_j)
    (3)  reconstruction_i = sum_j h_j W_ji + c_i
    (4)  term = |reconstruction - x|^2
    backward
    (5)  delta_i  = 2 weights (reconstruction_i - x_i)
    (6)  delta_a_j = h1_j sum_i W_ji delta_i
    (7)  d value / dW_ji = sum_n ( delta_a_j x_noisy_i + h_j delta_i )
    (8)  d value / db_j  = sum_n delta_a_j
    (9)  d value / dc_i  = sum_n delta_i
    as score matching
    (10) J_DSM = J_DAE / (2 sigma^4), for psi = (reconstruction - x_noisy) / sigma^2   [statement 1]
    (11) (10) holds for ANY function reconstruction(x_noisy)                          [statement 22]
    (12) E J_DAE >= E tr Cov[x | x_noisy], reached by reconstruction = E[x | x_noisy]       [result]
    (13) E J_DAE = d sigma^2 + 2 sigma^4 E J_ISM(x_noisy)                             [statement 18]

Derivation
    (4) -> (5)   d|y - x|^2 / dy = 2 (y - x), times the weight of the point.
    (3) -> (9)   c_i enters (3) with slope 1.
    (5) -> (6)   h_j reaches every output i through W_ji: d value / dh_j = sum_i W_ji delta_i; then
                 the slope of (2).
    (6) -> (8)   b_j enters (1) with slope 1.
    -> (7)       W_ji is used twice: in the encoder (1) with slope x_noisy_i, in the decoder (3)
                 with slope h_j.  With untied weights these are two gradients.
    -> (10)      psi - target = (reconstruction - x_noisy) / sigma^2 - (x - x_noisy) / sigma^2
                              = (reconstruction - x) / sigma^2:
                 x_noisy cancels, and half the square of the right side is (4) / (2 sigma^4), point
                 by point.
    (10) -> (11) no property of the reconstruction was used.  An autoencoder with a decoder V of its
                 own keeps (10).  What it loses is that psi is a score: the Jacobian of psi is
                 (V' diag(h1) W - I) / sigma^2, symmetric at every point if every row of V is a
                 multiple of that row of W, V_j = lambda_j W_j, and only then if no W_j is 0 and the
                 slopes h1_j are linearly independent functions of x_noisy.  Without symmetry psi is
                 the gradient of no function, and there is no energy.  Tying is lambda_j = 1.
    -> (12)      the minimiser of a squared error is the conditional mean, and what it leaves is the
                 conditional variance.  Tweedie's formula gives this mean from the score of the
                 noisy density: `refsm.denoiser`, statement 12.
    (10) -> (13) times 2 sigma^4, statement 5 (E J_DSM = E J_ISM(x_noisy) + d / (2 sigma^2)) is
                 Stein's unbiased estimate of the risk: the right side needs no clean points.

    What the two sides of (10) share.  The energy's score and this autoencoder both take h and h1
    from `model.activation.first_two`, besides the sums of `refsm.sums` and the loop over blocks.
    With another function in the place of the sigmoid, or a wrong slope, both sides change together
    and (10) still holds: it tests the algebra of two derivations, not the activation.  A wrong
    sigmoid or slope shows elsewhere: the activations are compared with their formulas, the score
    with the slope of the energy, and the gradient of this loss with its complex step.

Conventions
    No 1/2 and no sigma: Vincent's J_DAE is the plain squared error, summed over dimensions,
    averaged over points.  Others halve it or average it over dimensions (multiples of ours).
    sigma is not part of this loss: it is the noise that made x_noisy.
    Cross-entropy in the place of (4), for x in [0, 1], is another loss with the same minimiser over
    all functions, E[x | x_noisy] (statement 25).  Masking noise has no score, and the best
    reconstruction of masked data gives no psi that is one (statement 33).
    (10) is about isotropic noise.  For scaled noise it holds with alpha x in the place of x (the
    target is (alpha x - x_noisy) / sigma^2).  For one sigma_i per dimension it holds with
    sum_i (reconstruction_i - x_i)^2 / (2 sigma_i^4), if psi too divides by sigma_i^2
    (statement 23); an energy that divides by one number sigma^2 does not match such noise.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23
    (2011), section "Denoising autoencoders" for (1)-(4), and its main result for (10).
    Stein, Estimation of the mean of a multivariate normal distribution, Annals of Statistics 9
    (1981): (13).
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from refsm.energies.autoencoder import AutoencoderEnergy, AutoencoderTheta
from refsm.energies.energy import Energy
from refsm.objectives.objective import LocalLoss, Objective
from refsm.sums import column, outer_sum, project, row_dot, scaled, sum_rows
from refsm.typing import Array, Given

__all__ = ["DenoisingAutoencoderLoss"]


@dataclass(frozen=True, eq=False, repr=False)
class DenoisingAutoencoderLoss(Objective):
    """sum_n weights_n |reconstruction(x_noisy_n) - x_n|^2, equation (4): no 1/2 and no sigma.

    x and x_noisy (n, d), in the units of x; the value is in those units squared.  It reads W, b and
    c of an `AutoencoderEnergy`; TypeError for any other model, ValueError for shapes that disagree.
    Source: Vincent (2011).

    The reconstruction (3, 1) misses x = (1, 0) by (2, 1):

    >>> J = DenoisingAutoencoderLoss([[1.0, 0.0]], [[5.0, 5.0]])
    >>> J.evaluate(reconstruction=[[3.0, 1.0]])[0]
    array([5.])
    """

    x: Given
    x_noisy: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("reconstruction",)
    per_point = ("x", "x_noisy", "weights")

    @property
    def points(self) -> Array:
        """The corrupted points, the input of the encoder."""
        return self.x_noisy

    def _check_quantities(self, model: Energy) -> None:
        if not isinstance(model, AutoencoderEnergy):
            raise TypeError("model must be an AutoencoderEnergy, whose W, b and c are a tied "
                            f"autoencoder, but it is of type {type(model).__name__}")

    def local_loss(self, reconstruction: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the reconstruction (n, d)."""
        error, weights = reconstruction - self.x, column(self.weights)
        term = row_dot(error, error)                                       # (n,)  (4)
        delta = scaled(error, 2 * weights)                                 # (n, d)  (5)
        return term, {"reconstruction": delta}

    def forward(self, model: AutoencoderEnergy) -> tuple[Array, Callable[[], AutoencoderTheta]]:
        """The terms of all points as one block, and the function that backpropagates."""
        W, b, c, x_noisy = model.W, model.b, model.c, self.x_noisy
        a = project(x_noisy, W)
        a += b                                                             # (n, m)  (1), in place
        h, h1 = model.activation.first_two(a)                              # (n, m)  (2)
        reconstruction = h @ W + c                                         # (n, d)  (3)
        term, cotangents = self.local_loss(reconstruction)

        def backward() -> AutoencoderTheta:
            delta = cotangents["reconstruction"]
            delta_a = h1 * project(delta, W)                               # (n, m)  (6)
            dW = outer_sum(delta_a, x_noisy) + outer_sum(h, delta)         # (m, d)  (7)
            db = sum_rows(delta_a)                                         # (m,)  (8)
            dc = sum_rows(delta)                                           # (d,)  (9)
            return AutoencoderTheta(dW, db, dc)

        return term, backward
