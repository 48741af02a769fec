"""The energy whose score is a denoising autoencoder's reconstruction minus its input (Vincent 2011).

Symbols
    n points, i and k visible dimensions (d), j hidden units (m), r directions (M).
    W         (m, d)      weights, one row per hidden unit, shared by encoder and decoder
    b         (m,)        hidden offsets
    c         (d,)        visible offsets
    sigma     number      standard deviation of the noise: a constant of the energy, not a parameter
    x         (n, d)      points
    a         (n, m)      activations
    f                     softplus, or any smooth function that takes its place
    s, s1, s2 (n, m)      f'(a), f''(a), f'''(a); for softplus s is the sigmoid of a
    psi       (n, d)      score
    v         (n, M, d)   directions;  u (n, M, m) their projections
    q         (m,)        squared lengths of the rows of W
    e, p, t, g, w         cotangents on energy (n,), score (n, d), divergence (n,),
                          diagonal (n, d), curvature (n, M)
    A         (n, m)      sigma^2 times the cotangent on a
    B         (n, m)      sigma^2 times the cotangent on s1 from the second derivatives

Equations
    (1)  E(x)   = -( c.x - |x|^2 / 2 + sum_j f(a_j) ) / sigma^2
    (2)  a_j    = b_j + sum_i W_ji x_i
    (3)  psi_i  = ( sum_j s_j W_ji + c_i - x_i ) / sigma^2
    (4)  J_ik   = ( sum_j s1_j W_ji W_jk - delta_ik ) / sigma^2
    (5)  tr J   = ( sum_j s1_j q_j - d ) / sigma^2
    (6)  q_j    = sum_i W_ji^2
    (7)  J_ii   = ( sum_j s1_j W_ji^2 - 1 ) / sigma^2
    (8)  v'Jv   = ( sum_j s1_j u_j^2 - |v|^2 ) / sigma^2
    (9)  u_j    = sum_i W_ji v_i
    Pullback of  L = sum_n ( e E + p.psi + t tr J + sum_i g_i J_ii + sum_r w_r v_r'J v_r ):
    (10) A_j    = s1_j sum_i W_ji p_i + s2_j B_j - e s_j
    (11) B_j    = t q_j + sum_i g_i W_ji^2 + sum_r w_r u_rj^2
    (12) dL/db_j  = sum_n A_j / sigma^2
    (13) dL/dc_i  = sum_n ( p_i - e x_i ) / sigma^2
    (14) dL/dW_ji = sum_n ( A_j x_i + s_j p_i + 2 s1_j (t + g_i) W_ji
                            + 2 sum_r w_r s1_j u_rj v_ri ) / sigma^2

Derivation
    (1) -> (3)   psi = -grad E;  d(c.x)/dx_i = c_i,  d(|x|^2 / 2)/dx_i = x_i,  df(a_j)/dx_i = s_j W_ji by (2).
                 sum_j s_j W_ji + c_i is the decoder applied to the hidden code s:
                 psi = (reconstruction - x) / sigma^2.
    (3) -> (4)   ds_j/dx_k = s1_j W_jk by (2), and dx_i/dx_k = delta_ik.  J is symmetric BECAUSE the
                 decoder's weights are the encoder's.  With a free decoder V the first term is
                 sum_j s1_j V_ji W_jk; where that is not symmetric psi is the score of no energy.
    (4) -> (5)   set k = i and sum over i; sum_i W_ji^2 is (6), sum_i delta_ii is d.
    (4) -> (7)   set k = i.
    (4) -> (8)   sum_ik v_i W_ji W_jk v_k = u_j^2 by (9).
    -> (10)      what L gains when a alone moves by da (W, x fixed where they stand outside a):
                 energy:    e dE = -e s.da / sigma^2
                 score:     ds_j = s1_j da_j, so p.dpsi = sum_j (W p)_j s1_j da_j / sigma^2
                 the rest:  ds1_j = s2_j da_j, times what multiplies s1_j in (5), (7), (8): B_j
                 A_j collects the factors of da_j / sigma^2.
    -> (11)      what multiplies s1_j / sigma^2 in t (5), sum_i g_i (7) and sum_r w_r (8).
    -> (12)      da_j/db_j = 1, and b stands nowhere else.
    -> (13)      c stands in (1) as -c.x / sigma^2 and in (3) as c / sigma^2.
    -> (14)      W enters through a, where da_j/dW_ji = x_i:  A_j x_i.  It enters explicitly
                 in (3):  s_j p_i
                 in (5), through dq_j/dW_ji = 2 W_ji:  2 s1_j t W_ji
                 in (7):  2 s1_j g_i W_ji
                 in (8), through du_rj/dW_ji = v_ri:  2 w_r s1_j u_rj v_ri

Conventions
    E is divided by sigma^2 (a temperature), as in Vincent (2011): psi then estimates grad log q_sigma, the
    score of the data smoothed with noise of standard deviation sigma.  Putting sigma inside the sigmoid
    instead, or untying the decoder, or replacing the squared error by cross-entropy breaks the identity
    with the autoencoder's loss: `refsm.theorems` shows each residual.  With sigma = 1 this is the
    Gaussian-Bernoulli RBM with unit standard deviations, up to the constant |c|^2 / 2.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23 (2011):
    the energy (1) and its score (3), section "An energy function that yields the denoising autoencoder
    objective".  (4)-(14) are derived here.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from refsm import immutable, validation
from refsm.activations import SOFTPLUS, Activation
from refsm.sums import column, outer_sum, row_dot, sum_directions, sum_rows, weighted_sum
from refsm.energies.energy import Energy, EnergyAt
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

    W (m, d), b (m,), c (d,) are learnable; sigma > 0 is a constant, in the units of x.  `activation` replaces the softplus
    (for arithmetic in exact rationals).  ValueError where shapes disagree, an entry is not finite, or sigma <= 0.
    Source: Vincent (2011).

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
        self._set(**immutable.common_dtype(W=W, b=b, c=c), sigma=validation.scale(self.sigma, "sigma"))

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

    @cached_property
    def a(self) -> Array:
        a = self.x @ self.W.T
        a += self.b                                                      # (n, m)  (2), in place
        return a

    @cached_property
    def s_s1(self) -> tuple[Array, Array]:
        return self.activation.first_two(self.a)                         # (n, m) each

    @cached_property
    def q(self) -> Array:
        return row_dot(self.W, self.W)                                   # (m,)  (6)

    @cached_property
    def u(self) -> Array:
        return ZERO if self.v is ZERO else np.tensordot(self.v, self.W, axes=(2, 1))  # (n, M, m)  (9)

    @cached_property
    def s1_u(self) -> Array:
        _, s1 = self.s_s1
        return s1[:, None, :] * self.u                                   # (n, M, m)

    def energy(self) -> Array:
        x, c, sigma, f = self.x, self.c, self.sigma, self.activation.f
        return -(x @ c - row_dot(x, x) / 2 + f(self.a).sum(axis=1)) / sigma**2       # (n,)  (1)

    def score(self) -> Array:
        x, W, c, sigma, (s, _) = self.x, self.W, self.c, self.sigma, self.s_s1
        psi = (s @ W + (c - x)) / sigma**2                               # (n, d)  (3)
        return psi

    def jacobian(self) -> Array:
        W, sigma, (_, s1) = self.W, self.sigma, self.s_s1
        J = ((s1[:, None, :] * W.T) @ W - np.eye(self.d, dtype=int)) / sigma**2      # (n, d, d)  (4)
        return J

    def divergence(self) -> Array:
        q, sigma, (_, s1) = self.q, self.sigma, self.s_s1
        return (s1 @ q - self.d) / sigma**2                              # (n,)  (5)

    def diagonal(self) -> Array:
        W, sigma, (_, s1) = self.W, self.sigma, self.s_s1
        return (s1 @ W**2 - 1) / sigma**2                                # (n, d)  (7)

    def curvature(self) -> Array:
        v, u, s1_u, sigma = self.v, self.u, self.s1_u, self.sigma
        return (row_dot(s1_u, u) - row_dot(v, v)) / sigma**2             # (n, M)  (8)

    def pullback(self, energy: Array = ZERO, score: Array = ZERO, divergence: Array = ZERO,
                 diagonal: Array = ZERO, curvature: Array = ZERO) -> AutoencoderTheta:
        e, p, t, g, w = energy, score, divergence, diagonal, curvature
        W, q, x, v, u, s1_u, sigma = self.W, self.q, self.x, self.v, self.u, self.s1_u, self.sigma
        s, s1 = self.s_s1
        B = column(t) * q + g @ (W**2).T + sum_directions(w, u**2)       # (n, m)  (11)
        s2 = ZERO if B is ZERO else self.activation.third(self.a, s, s1)
        A = s1 * (p @ W.T) + s2 * B - column(e) * s                      # (n, m)  (10)
        db = sum_rows(A) / sigma**2                                      # (m,)    (12)
        dc = (sum_rows(p) - weighted_sum(e, x)) / sigma**2               # (d,)    (13)
        dW = (A.T @ x + s.T @ p + 2 * (weighted_sum(t, s1)[:, None] + s1.T @ g) * W
              + 2 * outer_sum(s1_u, w[:, :, None] * v)) / sigma**2       # (m, d)  (14)
        return AutoencoderTheta(dW, db, dc)
