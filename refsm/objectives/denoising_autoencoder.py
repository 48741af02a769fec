"""The denoising autoencoder's reconstruction loss, derived as an autoencoder: encoder, decoder, backpropagation.

Nothing here knows of energies or scores.  That this loss is denoising score matching of an energy (theorem 1) is
then a comparison of two independent computations.

Symbols
    n points, i visible dimensions (d), j hidden units (m).
    x              (n, d)   clean points
    x_noisy        (n, d)   what the encoder sees
    W              (m, d)   weights, shared: the encoder is W, the decoder its transpose
    b              (m,)     hidden offsets
    c              (d,)     visible offsets
    a              (n, m)   activations
    h              (n, m)   hidden code
    h1             (n, m)   its slope
    reconstruction (n, d)   what the decoder makes of the code
    error          (n, d)   reconstruction - x
    weights        (n,)     w_n, 1/n unless given
    delta          (n, d)   d value / d reconstruction
    delta_a        (n, m)   d value / d a

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
    the identity
    (10) J_DSM = J_DAE / (2 sigma^4), for psi = (reconstruction - x_noisy) / sigma^2                       [theorem 1]

Derivation
    (4) -> (5)   d|y - x|^2 / dy = 2 (y - x), times the weight of the point.
    (3) -> (9)   c_i enters (3) with slope 1.
    (5) -> (6)   h_j reaches every output i through W_ji: d value / dh_j = sum_i W_ji delta_i; then the slope of (2).
    (6) -> (8)   b_j enters (1) with slope 1.
    -> (7)       W_ji is used twice: in the encoder (1) with slope x_noisy_i, in the decoder (3) with slope h_j.
                 With untied weights these are two gradients; forgetting one of them is the commonest mistake here.
    -> (10)      psi - target = (reconstruction - x_noisy) / sigma^2 - (x - x_noisy) / sigma^2 = (reconstruction - x) / sigma^2:
                 x_noisy cancels, and half the square of the right side is (4) / (2 sigma^4), point by point.

Conventions
    No 1/2 and no sigma: Vincent's J_DAE is the plain squared error, summed over dimensions, averaged over points.  Others halve it
    or average it over dimensions (multiples of ours), replace it by cross-entropy, corrupt by masking, or untie the decoder; for the last
    three (10) does not hold.  sigma is not part of this loss: it is the noise that made x_noisy.  (10) is about isotropic noise.  For scaled noise
    it holds with alpha x in the place of x (the target is (alpha x - x_noisy) / sigma^2); for noise of another covariance it
    does not hold, because the energy divides by one number sigma^2 and the target by a matrix.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23 (2011), section "Denoising
    autoencoders" for (1)-(4), and its main result for (10).
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from refsm.sums import row_dot
from refsm.energies.autoencoder import AutoencoderEnergy, AutoencoderTheta
from refsm.objectives.objective import LocalLoss, Objective
from refsm.typing import Array, Given

__all__ = ["DenoisingAutoencoderLoss"]


@dataclass(frozen=True, eq=False, repr=False)
class DenoisingAutoencoderLoss(Objective):
    """sum_n weights_n |reconstruction(x_noisy_n) - x_n|^2, equation (4): no 1/2 and no sigma.

    x and x_noisy (n, d), in the units of x; the value is in those units squared.  It reads W, b and c of an
    `AutoencoderEnergy`; TypeError for any other model, ValueError for shapes that disagree.  Source: Vincent (2011).

    The reconstruction (3, 1) misses x = (1, 0) by (2, 1):

    >>> DenoisingAutoencoderLoss([[1.0, 0.0]], [[5.0, 5.0]]).evaluate(reconstruction=[[3.0, 1.0]])[0]
    array([5.])
    """

    x: Given
    x_noisy: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("reconstruction",)
    per_point = ("x", "x_noisy", "weights")

    def __post_init__(self) -> None:
        self._set_data(x=self.x, x_noisy=self.x_noisy)

    @property
    def points(self) -> Array:
        """The corrupted points, which the encoder sees."""
        return self.x_noisy

    def check_model(self, model: Any) -> None:
        """TypeError if the model is no tied autoencoder."""
        if not isinstance(model, AutoencoderEnergy):
            raise TypeError(f"model must be an AutoencoderEnergy, whose W, b and c are a tied autoencoder, but it is a {type(model).__name__}")
        if model.d != self.x.shape[1]:
            raise ValueError(f"model must have d = {self.x.shape[1]} as the data, but it has d = {model.d}")

    def _shape_of(self, name: str) -> tuple[int, ...]:
        return self.x.shape

    def local_loss(self, reconstruction: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the reconstruction (n, d)."""
        error = reconstruction - self.x
        delta = 2 * self.weights[:, None] * error                         # (n, d)  (5)
        return row_dot(error, error), {"reconstruction": delta}           # (n,)  (4)

    def forward(self, model: AutoencoderEnergy) -> tuple[Array, Callable[[], AutoencoderTheta]]:
        """The terms of all points as one block, and the function that backpropagates through the autoencoder."""
        W, b, c, x_noisy = model.W, model.b, model.c, self.x_noisy
        a = x_noisy @ W.T + b                                             # (n, m)  (1)
        h, h1 = model.activation.first_two(a)                             # (n, m)  (2)
        reconstruction = h @ W + c                                        # (n, d)  (3)
        term, cotangents = self.local_loss(reconstruction)

        def backward() -> AutoencoderTheta:
            delta = cotangents["reconstruction"]
            delta_a = h1 * (delta @ W.T)                                  # (n, m)  (6)
            return AutoencoderTheta(W=delta_a.T @ x_noisy + h.T @ delta,  # (m, d)  (7)
                                    b=delta_a.sum(axis=0),                # (m,)    (8)
                                    c=delta.sum(axis=0))                  # (d,)    (9)

        return term, backward
