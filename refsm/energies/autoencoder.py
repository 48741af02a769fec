"""The energy whose score is an autoencoder's reconstruction minus its input, over sigma^2.

A first reading may leave out what stands under "Pullback" in each section: `refsm.energies.energy`
says what a cotangent and a pullback are.

Symbols
    n points, i and k visible dimensions (d), j hidden units (m), r directions (M);
    ' is the transpose.
    W         (m, d)      weights, one row per hidden unit, shared by encoder and decoder
    b         (m,)        hidden offsets
    c         (d,)        visible offsets
    sigma     number      standard deviation of the noise: a constant of the energy, not a parameter
    x         (n, d)      points
    a         (n, m)      activations
    f         function    softplus, or the function that takes its place
    s, s1     (n, m)      df/da, the hidden code, and ds/da; for softplus s is the sigmoid of a
    psi       (n, d)      score
    J         (n, d, d)   score Jacobian
    q         (m,)        squared lengths of the rows of W
    v         (n, M, d)   directions
    u         (n, M, m)   their projections on the rows of W
    s1_u      (n, M, m)   s1_j u_rj
    Pullback
    e, p, t, g, w         cotangents on energy (n,), score (n, d), divergence (n,),
                          diagonal (n, d), curvature (n, M)
    rho       (n, m)      half the rate at which s1 decays
    A         (n, m)      sigma^2 times the cotangent on a
    B         (n, m)      2 sigma^2 times the cotangent on s1 from the second derivatives

Equations
    (1)  E(x)   = -( c.x - |x|^2 / 2 + sum_j f(a_j) ) / sigma^2
    (2)  a_j    = b_j + sum_i W_ji x_i
    (3)  s_j    = df(a_j)/da_j,  s1_j = ds_j/da_j
    (4)  psi_i  = ( sum_j s_j W_ji + c_i - x_i ) / sigma^2
    (5)  J_ik   = ( sum_j s1_j W_ji W_jk - delta_ik ) / sigma^2
    (6)  tr J   = ( sum_j s1_j q_j - d ) / sigma^2
    (7)  q_j    = sum_i W_ji^2
    (8)  J_ii   = ( sum_j s1_j W_ji^2 - 1 ) / sigma^2
    (9)  v_r'J v_r = ( sum_j s1_j u_rj^2 - |v_r|^2 ) / sigma^2
    (10) u_rj   = sum_i W_ji v_ri
    Pullback of  L = sum_n ( e E + p.psi + t tr J + sum_i g_i J_ii + sum_r w_r v_r'J v_r ):
    (11) B_j    = 2 ( t q_j + sum_i g_i W_ji^2 + sum_r w_r u_rj^2 )
    (12) rho_j  = -(1/2) d log(s1_j)/da_j
    (13) A_j    = s1_j ( sum_i W_ji p_i - B_j rho_j ) - e s_j
    (14) dL/dW_ji = sum_n ( A_j x_i + s_j p_i + 2 s1_j (t + g_i) W_ji
                            + 2 sum_r w_r s1_j u_rj v_ri ) / sigma^2
    (15) dL/db_j  = sum_n A_j / sigma^2
    (16) dL/dc_i  = sum_n ( p_i - e x_i ) / sigma^2

Derivation
    (1) -> (4)   psi = -grad E;  d(c.x)/dx_i = c_i,  d(|x|^2 / 2)/dx_i = x_i,
                 df(a_j)/dx_i = s_j W_ji by (2) and (3).  sum_j s_j W_ji + c_i is the decoder
                 applied to the hidden code:  psi = (reconstruction - x) / sigma^2.
    (4) -> (5)   ds_j/dx_k = s1_j W_jk by (2) and (3), and dx_i/dx_k = delta_ik.
    (5) -> (6)   set k = i and sum over i; sum_i W_ji^2 is (7), sum_i delta_ii is d.
    (5) -> (8)   set k = i.
    (5) -> (9)   sum_ik v_ri W_ji W_jk v_rk = u_rj^2 by (10).
    Pullback
    -> (11)      s1_j stands in t tr J with the factor t q_j, in sum_i g_i J_ii with
                 sum_i g_i W_ji^2, in sum_r w_r v_r'J v_r with sum_r w_r u_rj^2, each over sigma^2.
                 B_j / (2 sigma^2) is their sum.
    -> (13)      what L gains when a alone moves by da, W and x fixed where they stand outside a:
                 energy:    e dE = -e sum_j s_j da_j / sigma^2
                 score:     ds_j = s1_j da_j, so p.dpsi = sum_ij p_i W_ji s1_j da_j / sigma^2
                 the rest:  ds1_j = -2 s1_j rho_j da_j by (12), times B_j / (2 sigma^2)
                 A_j collects the factors of da_j / sigma^2.
    -> (14)      W enters through a, where da_j/dW_ji = x_i:  A_j x_i.  It enters explicitly
                 in psi:     s_j p_i
                 in tr J, through dq_j/dW_ji = 2 W_ji:  2 s1_j t W_ji
                 in J_ii:    2 s1_j g_i W_ji
                 in v_r'J v_r, through du_rj/dW_ji = v_ri:  2 w_r s1_j u_rj v_ri
    -> (15)      da_j/db_j = 1, and b stands nowhere else.
    -> (16)      c stands in E as -c.x / sigma^2 and in psi as c / sigma^2.

Conventions
    What f has to be: differentiable for the score, twice for J, three times for the pullback of the
    divergence, diagonal and curvature.  The rational stand-in of `refsm.activations` has no third
    derivative at a = 0.
    sigma^2 is a temperature: E = U / sigma^2, where U and its slope, input minus reconstruction, do
    not contain sigma; exp(-U / T) with T = sigma^2 is Boltzmann's form.  The reason is Tweedie's
    formula (`refsm.denoiser`): given the noisy point x, the mean of the clean one is x plus sigma^2
    times the score of the noisy density.  A reconstruction that is this mean has
    sigma^2 psi = reconstruction - x.
    Tied weights: with a free decoder V in the place of W in sum_j s_j W_ji, the first sum of (5) is
    sum_j s1_j V_ji W_jk.  It is symmetric for all x exactly if each V_j is a multiple lambda_j W_j,
    provided that no W_j is 0 and the functions s1_j of x are linearly independent.  Then the field
    is the score of -( c.x - |x|^2 / 2 + sum_j lambda_j f(a_j) ) / sigma^2; tied is lambda_j = 1.
    With any other decoder there is no energy, but J_DSM = J_DAE / (2 sigma^4) still holds
    (statement 22).
    sigma inside the sigmoid, s_j = sigmoid(a_j / sigma^2), is another model:
    `refsm.GaussianBernoulliRBM` with the weights W and the hidden offsets b / sigma^2.  If
    1 / sigma^2 is a whole number K, our energy is such a machine with K copies of each hidden unit,
    weights W / K and offsets b.  With sigma = 1 the two are the same up to the constant |c|^2 / 2.
    Parameters with the same score: hidden units may change places; and because s(-a) = 1 - s(a),
    (W_j, b_j, c) may become (-W_j, -b_j, c + W_j), which adds b_j / sigma^2 to E.  These
    moves give 2^m m! parameters with one score, all different if no two hidden units are equal or
    opposite and no W_j is 0.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23
    (2011): the energy (1) and its score (4), section "An energy function that yields the denoising
    autoencoder objective".  (5)-(16) are derived here.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from refsm import immutable, validation
from refsm.activations import SOFTPLUS, Activation
from refsm.energies.energy import Energy, EnergyAt
from refsm.immutable import cached_property
from refsm.sums import (column, outer_sum, project, row_dot, scaled, sum_directions, sum_rows,
                        weighted_sum)
from refsm.typing import Array, Given
from refsm.zero import ZERO

__all__ = ["AutoencoderEnergy", "AutoencoderTheta"]


class AutoencoderTheta(NamedTuple):
    """The learnable arrays of `AutoencoderEnergy`."""

    W: Array      # (m, d)
    b: Array      # (m,)
    c: Array      # (d,)


@dataclass(frozen=True, eq=False, repr=False)
class AutoencoderEnergy(Energy):
    """E(x) = -( c.x - |x|^2 / 2 + sum_j softplus(W_j.x + b_j) ) / sigma^2, equation (1).

    W (m, d), b (m,), c (d,) are learnable; sigma > 0 is a constant, in the units of x.
    `activation` replaces the softplus (for arithmetic in exact rationals).  ValueError where shapes
    disagree, an entry is not finite, or sigma <= 0.  Source: Vincent (2011).

    With W = 0 and c = 0 the energy is |x|^2 / (2 sigma^2) + constant, so the score is -x / sigma^2:

    >>> import numpy as np
    >>> model = AutoencoderEnergy(W=np.zeros((3, 2)), b=np.zeros(3), c=np.zeros(2), sigma=0.5)
    >>> model.score([[1.0, 2.0]])
    array([[-4., -8.]])
    """

    W: Given
    b: Given
    c: Given
    sigma: Any = field(kw_only=True)
    activation: Activation = field(default=SOFTPLUS, kw_only=True)

    def __post_init__(self) -> None:
        W = validation.array(self.W, "W", ("m", "d"))
        m, d = W.shape
        b = validation.array(self.b, "b", (m,))
        c = validation.array(self.c, "c", (d,))
        sigma = validation.scale(self.sigma, "sigma")
        self._set(**immutable.common_dtype(W=W, b=b, c=c), sigma=sigma)

    @property
    def theta(self) -> AutoencoderTheta:
        """The learnable arrays (W, b, c)."""
        return AutoencoderTheta(self.W, self.b, self.c)

    def with_theta(self, theta: AutoencoderTheta) -> AutoencoderEnergy:
        """The same energy with other parameters."""
        return AutoencoderEnergy(*self._leaves(theta), sigma=self.sigma, activation=self.activation)

    @property
    def d(self) -> int:
        """The number of visible dimensions."""
        return self.W.shape[1]

    @property
    def width(self) -> int:
        """The wider of the two layers."""
        return max(self.W.shape)

    def at(self, x: Array, v: Array = ZERO) -> AutoencoderEnergyAt:
        """The energy at a block of points x (n, d), along directions v (n, M, d)."""
        return AutoencoderEnergyAt(self, x, v)


class AutoencoderEnergyAt(EnergyAt):
    """The energy at a block of points: the activations, the local quantities, their pullbacks."""

    def __init__(self, model: AutoencoderEnergy, x: Array, v: Array) -> None:
        self.x, self.v, self.d = x, v, model.d
        self.W, self.b, self.c, self.sigma = model.W, model.b, model.c, model.sigma
        self.activation = model.activation

    def energy(self) -> Array:
        x, a, c, f, sigma = self.x, self.a, self.c, self.activation.f, self.sigma
        E = -(x @ c - row_dot(x, x) / 2 + f(a).sum(axis=1)) / sigma**2   # (n,)    (1)
        return E

    @cached_property
    def a(self) -> Array:
        a = project(self.x, self.W)
        a += self.b                                                      # (n, m)  (2), in place
        return a

    @cached_property
    def s_and_s1(self) -> tuple[Array, Array]:
        return self.activation.first_two(self.a)                         # (n, m), (n, m)  (3)

    def score(self) -> Array:
        (s, _), W, c, x, sigma = self.s_and_s1, self.W, self.c, self.x, self.sigma
        psi = (s @ W + (c - x)) / sigma**2                               # (n, d)  (4)
        return psi

    def jacobian(self) -> Array:
        (_, s1), W, I, sigma = self.s_and_s1, self.W, np.eye(self.d, dtype=int), self.sigma
        J = ((s1[:, None, :] * W.T) @ W - I) / sigma**2                  # (n, d, d)  (5)
        return J

    def divergence(self) -> Array:
        (_, s1), q, d, sigma = self.s_and_s1, self.q, self.d, self.sigma
        return (s1 @ q - d) / sigma**2                                   # (n,)    (6)

    @cached_property
    def q(self) -> Array:
        return row_dot(self.W, self.W)                                   # (m,)    (7)

    def diagonal(self) -> Array:
        (_, s1), W, sigma = self.s_and_s1, self.W, self.sigma
        return (s1 @ W**2 - 1) / sigma**2                                # (n, d)  (8)

    def curvature(self) -> Array:
        s1_u, u, v, sigma = self.s1_u, self.u, self.v, self.sigma
        return (row_dot(s1_u, u) - row_dot(v, v)) / sigma**2             # (n, M)  (9)

    @cached_property
    def u(self) -> Array:
        return project(self.v, self.W)                                   # (n, M, m)  (10)

    @cached_property
    def s1_u(self) -> Array:
        _, s1 = self.s_and_s1
        return s1[:, None, :] * self.u                                   # (n, M, m)

    # -- pullback -----------------------------------------------------------------------------

    def pullback(self, energy: Array = ZERO, score: Array = ZERO, divergence: Array = ZERO,
                 diagonal: Array = ZERO, curvature: Array = ZERO) -> AutoencoderTheta:
        e, p, t, g, w = energy, score, divergence, diagonal, curvature
        (s, s1), s1_u, u, q = self.s_and_s1, self.s1_u, self.u, self.q
        W, x, v, sigma = self.W, self.x, self.v, self.sigma
        B = 2 * (column(t) * q + g @ (W**2).T + sum_directions(w, u**2))         # (n, m)  (11)
        rho = self.activation.half_decay(self.a, s) if B is not ZERO else ZERO   # (n, m)  (12)
        B_rho = scaled(rho, B)
        A = s1 * (project(p, W) - B_rho) - column(e) * s                 # (n, m)  (13)
        dW = (outer_sum(A, x) + outer_sum(s, p)
              + 2 * (column(weighted_sum(t, s1)) + outer_sum(s1, g)) * W
              + 2 * outer_sum(s1_u, w[:, :, None] * v)) / sigma**2       # (m, d)  (14)
        db = sum_rows(A) / sigma**2                                      # (m,)    (15)
        dc = (sum_rows(p) - weighted_sum(e, x)) / sigma**2               # (d,)    (16)
        return AutoencoderTheta(dW, db, dc)
