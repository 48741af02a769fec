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
    s, s1     (n, m)      f'(a), f''(a); for softplus s is the sigmoid of a
    kappa     (n, m)      f'''(a) = -2 kappa f''(a)
    psi       (n, d)      score
    v         (n, M, d)   directions;  u (n, M, m) their projections
    q         (m,)        squared lengths of the rows of W
    e, p, t, g, w         cotangents on energy (n,), score (n, d), divergence (n,),
                          diagonal (n, d), curvature (n, M)
    A         (n, m)      sigma^2 times the cotangent on a;  B (n, m) -2 sigma^2 times that on s1

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
    (10) A_j    = -e s_j + s1_j ( sum_i W_ji p_i + kappa_j B_j )
    (11) B_j    = -2 ( t q_j + sum_i g_i W_ji^2 + sum_r w_r u_rj^2 )
    (12) dL/db_j  = sum_n A_j / sigma^2
    (13) dL/dc_i  = sum_n ( p_i - e x_i ) / sigma^2
    (14) dL/dW_ji = sum_n ( A_j x_i + s_j p_i + 2 s1_j t W_ji + 2 s1_j g_i W_ji
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
                 the rest:  ds1_j = f'''(a_j) da_j = -2 kappa_j s1_j da_j, times what multiplies s1_j
                            in (5), (7), (8)
                 A_j collects the factors of da_j / sigma^2.
    -> (11)      -2 times what multiplies s1_j in t (5), sum_i g_i (7) and sum_r w_r (8), without sigma.
    -> (12)      da_j/db_j = 1, and b stands nowhere else.
    -> (13)      c stands in (1) as -c.x / sigma^2 and in (3) as c / sigma^2.
    -> (14)      W enters through a, where da_j/dW_ji = x_i:  A_j x_i.  It enters explicitly
                 in (3):  s_j p_i
                 in (5), through dq_j/dW_ji = 2 W_ji:  2 s1_j t W_ji
                 in (7):  2 s1_j g_i W_ji
                 in (8), through du_j/dW_ji = v_i:  2 w s1_j u_j v_i

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

from refsm import arrays
from refsm.activations import SOFTPLUS, Activation
from refsm.arrays import once, row_dot, sum_rows, total, weighted_sum
from refsm.energies.energy import Energy, EnergyAt
from refsm.typing import Array, Given

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
        W = arrays.array(self.W, "W", ("m", "d"))
        m, d = W.shape
        b = arrays.array(self.b, "b", (m,))
        c = arrays.array(self.c, "c", (d,))
        self._hold(**arrays.together(W=W, b=b, c=c), sigma=arrays.scale(self.sigma, "sigma"))

    @property
    def theta(self) -> AutoencoderTheta:
        """The learnable arrays (W, b, c)."""
        return AutoencoderTheta(self.W, self.b, self.c)

    def with_theta(self, theta: AutoencoderTheta) -> AutoencoderEnergy:
        """The same energy with other parameters."""
        return AutoencoderEnergy(*self._blocks(theta), sigma=self.sigma, activation=self.activation)

    @property
    def d(self) -> int:
        """The number of visible dimensions."""
        return self.W.shape[1]

    @property
    def width(self) -> int:
        """The wider of the two layers."""
        return max(self.W.shape)

    def at(self, x: Array) -> AutoencoderEnergyAt:
        """The energy at a block of points (n, d)."""
        return AutoencoderEnergyAt(self, x)


class AutoencoderEnergyAt(EnergyAt):
    """The energy at a block of points: the activations, the local quantities, and their pullbacks."""

    def __init__(self, model: AutoencoderEnergy, x: Array) -> None:
        self.model, self.x = model, x
        self.W, self.b, self.c, self.sigma = model.W, model.b, model.c, model.sigma
        self._kept: tuple[Array, Array, Array] | None = None             # v, s1 u, u^2 of the last directions

    @cached_property
    def a(self) -> Array:
        a = self.x @ self.W.T
        a += self.b                                                      # (n, m)  (2)
        return a

    @cached_property
    def s_s1(self) -> tuple[Array, Array]:
        return self.model.activation.first_two(self.a)                   # (n, m) each

    @cached_property
    def q(self) -> Array:
        return row_dot(self.W, self.W)                                   # (m,)  (6)

    def energy(self) -> Array:
        x, c, sigma, f = self.x, self.c, self.sigma, self.model.activation.f
        return -(x @ c - row_dot(x, x) / 2 + f(self.a).sum(axis=1)) / sigma**2          # (n,)  (1)

    def score(self) -> Array:
        s, _ = self.s_s1
        psi = s @ self.W
        psi += self.c
        psi -= self.x
        psi /= self.sigma**2                                             # (n, d)  (3)
        return psi

    def jacobian(self) -> Array:
        W, (_, s1) = self.W, self.s_s1
        J = (s1[:, None, :] * W.T) @ W                                   # sum_j W_ji s1_j W_jk
        i = range(self.model.d)
        J[:, i, i] -= 1
        return J / self.sigma**2                                         # (n, d, d)  (4)

    def divergence(self) -> Array:
        _, s1 = self.s_s1
        return (s1 @ self.q - self.model.d) / self.sigma**2              # (n,)  (5)

    def diagonal(self) -> Array:
        _, s1 = self.s_s1
        return (s1 @ self.W**2 - 1) / self.sigma**2                      # (n, d)  (7)

    def _projections(self, v: Array) -> tuple[Array, Array]:
        """s1 u and u^2 for directions v; kept, because a loss reads the curvature and then pulls back to it."""
        if self._kept is None or self._kept[0] is not v:
            _, s1 = self.s_s1
            u = np.tensordot(v, self.W, axes=(2, 1))                     # (n, M, m)  (9)
            self._kept = v, s1[:, None, :] * u, u * u
        return self._kept[1:]

    def curvature(self, v: Array) -> Array:
        _, uu = self._projections(v)
        _, s1 = self.s_s1
        return (row_dot(s1[:, None, :], uu) - row_dot(v, v)) / self.sigma**2        # (n, M)  (8)

    def pullback(self, energy: Array | None = None, score: Array | None = None, divergence: Array | None = None,
                 diagonal: Array | None = None, curvature: tuple[Array, Array] | None = None) -> AutoencoderTheta:
        W, x, sigma, (s, s1) = self.W, self.x, self.sigma, self.s_s1
        A: list[Array] = []                                              # the terms of (10), each where its cotangent is given,
        S: list[Array] = []                                              # of the bracket of (10),
        B: list[Array] = []                                              # of (11),
        dc: list[Array] = []                                             # of (13)
        dW: list[Array] = []                                             # and of (14)
        if (e := energy) is not None:
            A += [-e[:, None] * s]
            dc += [-weighted_sum(e, x)]
        if (p := score) is not None:
            S += [p @ W.T]
            dc += [sum_rows(p)]
            dW += [s.T @ p]                                              # s_j p_i in (14)
        if (t := divergence) is not None:
            B += [-2 * once(t)[:, None] * self.q]
            dW += [2 * weighted_sum(t, s1)[:, None] * W]                 # 2 s1_j t W_ji in (14)
        if (g := diagonal) is not None:
            B += [g @ (-2 * W**2).T]
            dW += [2 * (s1.T @ g) * W]                                   # 2 s1_j g_i W_ji in (14)
        if curvature is not None:
            v, w = curvature
            s1_u, uu = self._projections(v)
            B += [-2 * once(w_r)[:, None] * uu_r for w_r, uu_r in zip(w.T, uu.swapaxes(0, 1))]
            w = once(w)[:, :, None]                                      # (n, M, 1)
            dW += [2 * np.tensordot(s1_u, w * v, axes=([0, 1], [0, 1]))]                         # 2 sum_r w_r s1_j u_rj v_ri in (14)
        if B:
            S += [self.model.activation.kappa(self.a, s) * total(B, s.shape)]                    # (n, m)  (11)
        A += [s1 * total(S, s.shape)]
        A_sum = total(A, s.shape)                                        # (n, m)  (10)
        dW += [A_sum.T @ x]                                              # A_j x_i in (14)
        return AutoencoderTheta(W=total(dW, W.shape) / sigma**2,         # (m, d)  (14)
                                b=sum_rows(A_sum) / sigma**2,            # (m,)    (12)
                                c=total(dc, self.c.shape) / sigma**2)    # (d,)    (13)
