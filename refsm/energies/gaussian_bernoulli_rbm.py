"""The Gaussian-Bernoulli restricted Boltzmann machine, its binary hidden units summed out.

Symbols
    n points, i and k visible dimensions (d), j hidden units (m), l directions (M).
    W         (m, d)      weights, one row per hidden unit
    b         (m,)        hidden offsets
    c         (d,)        visible offsets
    log_sigma (d,)        logarithms of the visible standard deviations
    tau       (d,)        visible precisions, 1 / sigma^2
    V         (m, d)      weights in the units of the visible precisions
    x         (n, d)      points
    r         (n, d)      residuals
    a         (n, m)      activations
    f         function    softplus, or any smooth function that takes its place
    s, s1     (n, m)      f'(a), f''(a); for softplus s is the sigmoid of a
    kappa     (n, m)      f'''(a) = -2 kappa f''(a)
    psi       (n, d)      score
    v         (n, M, d)   directions
    u         (n, M, m)   their projections
    q         (m,)        squared lengths of the rows of V
    e, p, t, g, w         cotangents on energy (n,), score (n, d), divergence (n,), diagonal (n, d), curvature (n, M)
    A         (n, m)      the cotangent on a;  B (n, m) -2 times that on s1
    H         (m, d)      dL/dV
    T         (d,)        dL/dtau, where tau stands outside V

Equations
    (1)  E(x, h) = sum_i tau_i (x_i - c_i)^2 / 2 - sum_j b_j h_j - sum_ij h_j W_ji x_i tau_i,  h in {0, 1}^m   [definition]
    (2)  E(x)   = -log sum_h exp(-E(x, h)) = sum_i tau_i r_i^2 / 2 - sum_j f(a_j)
    (3)  r_i    = x_i - c_i
    (4)  a_j    = b_j + sum_i V_ji x_i
    (5)  V_ji   = W_ji tau_i
    (6)  tau_i  = exp(-2 log_sigma_i)
    (7)  psi_i  = tau_i ( sum_j s_j W_ji - r_i )
    (8)  J_ik   = sum_j s1_j V_ji V_jk - tau_i delta_ik
    (9)  tr J   = sum_j s1_j q_j - sum_i tau_i
    (10) q_j    = sum_i V_ji^2
    (11) J_ii   = sum_j s1_j V_ji^2 - tau_i
    (12) v'Jv   = sum_j s1_j u_j^2 - sum_i tau_i v_i^2
    (13) u_j    = sum_i V_ji v_i
    Pullback of  L = sum_n ( e E + p.psi + t tr J + sum_i g_i J_ii + sum_l w_l v_l'J v_l ):
    (14) A_j    = -e s_j + s1_j ( sum_i V_ji p_i + kappa_j B_j )
    (15) B_j    = -2 ( t q_j + sum_i g_i V_ji^2 + sum_l w_l u_lj^2 )
    (16) H_ji   = sum_n ( A_j x_i + s_j p_i + 2 s1_j t V_ji + 2 s1_j g_i V_ji + 2 sum_l w_l s1_j u_lj v_li )
    (17) T_i    = sum_n ( e r_i^2 / 2 - p_i r_i - t - g_i - sum_l w_l v_li^2 )
    (18) dL/dW_ji = tau_i H_ji
    (19) dL/db_j  = sum_n A_j
    (20) dL/dc_i  = tau_i sum_n ( p_i - e r_i )
    (21) dL/dlog_sigma_i = -2 ( tau_i T_i + sum_j V_ji H_ji )

Derivation
    (1) -> (2)   collect h_j: E(x, h) = sum_i tau_i r_i^2 / 2 - sum_j h_j a_j with (4).  The sum over h in {0, 1}^m of a product is
                 the product of sums, prod_j (1 + exp(a_j)); minus its log is -sum_j softplus(a_j).
    (2) -> (7)   psi = -grad E;  d(tau_i r_i^2 / 2)/dx_i = tau_i r_i,  df(a_j)/dx_i = s_j V_ji = tau_i s_j W_ji by (4), (5).
    (7) -> (8)   write (7) as sum_j s_j V_ji - tau_i r_i;  ds_j/dx_k = s1_j V_jk, dr_i/dx_k = delta_ik.
    (8) -> (9)   set k = i and sum over i; sum_i V_ji^2 is (10).
    (8) -> (11)  set k = i.
    (8) -> (12)  sum_ik v_i V_ji V_jk v_k = u_j^2 by (13).
    For the pullbacks read E as a function of V, tau, b and c, and go back to W and log_sigma at the end.
    -> (14)      what L gains when a alone moves by da:  energy -e s.da;  score ds_j = s1_j da_j, so (V p)_j s1_j da_j;
                 divergence, diagonal, curvature: ds1_j = f'''(a_j) da_j = -2 kappa_j s1_j da_j times what multiplies s1_j in (9), (11), (12).
    -> (15)      -2 times what multiplies s1_j in t (9), sum_i g_i (11) and sum_l w_l (12).
    -> (16)      V enters through a: da_j/dV_ji = x_i gives A_j x_i.  It enters explicitly in (7) as sum_j s_j V_ji: s_j p_i;  in (9)
                 through dq_j/dV_ji = 2 V_ji;  in (11);  in (12) through du_j/dV_ji = v_i.
    -> (17)      tau_i stands outside V in (2) with r_i^2 / 2, in (7) with -r_i, in (9) and (11) with -1, in (12) with -v_i^2.
    -> (18)      dV_ji/dW_ji = tau_i by (5).
    -> (19)      da_j/db_j = 1, and b stands nowhere else.
    -> (20)      dr_i/dc_i = -1: the energy gives -e tau_i r_i, the score p_i tau_i, the rest nothing.
    -> (21)      dtau_i/dlog_sigma_i = -2 tau_i by (6), hence dV_ji/dlog_sigma_i = -2 V_ji by (5).

Conventions
    Given h, x_i is normal with mean c_i + sum_j h_j W_ji and standard deviation sigma_i: W is in the units of x, and psi is the reconstruction
    minus x, over sigma^2.  Others divide the interaction by sigma_i instead of sigma_i^2 (their W is ours over sigma, and
    the mean moves with sigma when W is held), put a temperature inside the sigmoid (f(a) = T softplus(a / T), which m hidden
    units of 0 and 1 give only for T = 1), or take h in {-1, 1} (f(a) = log(2 cosh a)).  These are different functions of (W, b, c, sigma).
    log_sigma is learnable because it has no boundary; sigma = exp(log_sigma) is derived from it.  With all sigma_i = 1 this is the autoencoder energy
    with sigma = 1 plus the constant |c|^2 / 2.

Sources
    Hinton & Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313 (2006): binary hidden and
    Gaussian visible units.  Hinton, A practical guide to training restricted Boltzmann machines (2010): the energy with x_i / sigma_i.
    Swersky, Ranzato, Buchman, Marlin & de Freitas, On autoencoders and
    score matching for energy based models, ICML 2011: score matching of this machine.  (2)-(21) are derived here.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from refsm import arrays, stable
from refsm.activations import SOFTPLUS, Activation
from refsm.arrays import once, row_dot, sum_rows, total, weighted_sum
from refsm.energies.energy import Energy, EnergyAt
from refsm.typing import Array, Given

__all__ = ["GaussianBernoulliRBM", "GaussianBernoulliRBMTheta"]


class GaussianBernoulliRBMTheta(NamedTuple):
    """The learnable arrays of `GaussianBernoulliRBM`."""

    W: Array              # (m, d)
    b: Array              # (m,)
    c: Array              # (d,)
    log_sigma: Array      # (d,)


@dataclass(frozen=True, eq=False, repr=False)
class GaussianBernoulliRBM(Energy):
    """E(x) = sum_i (x_i - c_i)^2 / (2 sigma_i^2) - sum_j softplus(b_j + sum_i W_ji x_i / sigma_i^2), equation (2).

    W (m, d), b (m,), c (d,) and log_sigma (d,) are learnable; W, c and sigma are in the units of x.  `activation` replaces the
    softplus (for arithmetic in exact rationals, together with log_sigma = 0).  ValueError where shapes disagree, an entry is not
    finite, or sigma_i^2 leaves the range of the numbers (|log_sigma_i| > 350).  Source: Swersky et al. (2011).

    With W = 0 the score is (c - x) / sigma^2:

    >>> model = GaussianBernoulliRBM(W=np.zeros((3, 2)), b=np.zeros(3), c=[0.0, 1.0], log_sigma=np.log([1.0, 0.5]))
    >>> model.score([[1.0, 2.0]])
    array([[-1., -4.]])
    """

    W: Given
    b: Given
    c: Given
    log_sigma: Given
    activation: Activation = field(default=SOFTPLUS, kw_only=True)

    def __post_init__(self) -> None:
        W = arrays.array(self.W, "W", ("m", "d"))
        m, d = W.shape
        b = arrays.array(self.b, "b", (m,))
        c = arrays.array(self.c, "c", (d,))
        log_sigma = arrays.array(self.log_sigma, "log_sigma", (d,))
        largest = abs(log_sigma.real).max()
        if 2 * largest > stable.LARGE:
            raise ValueError(f"log_sigma must be between -{stable.LARGE / 2:g} and {stable.LARGE / 2:g}, but it has an entry of size {largest}")
        self._hold(**arrays.together(W=W, b=b, c=c, log_sigma=log_sigma))

    @property
    def theta(self) -> GaussianBernoulliRBMTheta:
        """The learnable arrays (W, b, c, log_sigma)."""
        return GaussianBernoulliRBMTheta(self.W, self.b, self.c, self.log_sigma)

    def with_theta(self, theta: GaussianBernoulliRBMTheta) -> GaussianBernoulliRBM:
        """The same energy with other parameters."""
        return GaussianBernoulliRBM(*self._blocks(theta), activation=self.activation)

    @property
    def sigma(self) -> Array:
        """The visible standard deviations exp(log_sigma), shape (d,), in the units of x."""
        return stable.exp(self.log_sigma)

    @cached_property
    def tau(self) -> Array:
        """The visible precisions 1 / sigma^2, shape (d,), equation (6)."""
        return arrays.frozen(stable.exp(-2 * self.log_sigma))            # (d,)  (6)

    @cached_property
    def V(self) -> Array:
        """The weights in the units of the visible precisions, shape (m, d), equation (5)."""
        return arrays.frozen(self.W * self.tau)                          # (m, d)  (5)

    @property
    def d(self) -> int:
        """The number of visible dimensions."""
        return self.W.shape[1]

    @property
    def width(self) -> int:
        """The wider of the two layers."""
        return max(self.W.shape)

    def at(self, x: Array) -> GaussianBernoulliRBMAt:
        """The energy at a block of points (n, d)."""
        return GaussianBernoulliRBMAt(self, x)


class GaussianBernoulliRBMAt(EnergyAt):
    """The energy at a block of points: the activations, the local quantities, and their pullbacks."""

    def __init__(self, model: GaussianBernoulliRBM, x: Array) -> None:
        self.model, self.x = model, x
        self.V, self.tau = model.V, model.tau
        self._kept: tuple[Array, Array, Array] | None = None             # v, s1 u, u^2 of the last directions

    @cached_property
    def r(self) -> Array:
        return self.x - self.model.c                                     # (n, d)  (3)

    @cached_property
    def a(self) -> Array:
        a = self.x @ self.V.T
        a += self.model.b                                                # (n, m)  (4)
        return a

    @cached_property
    def s_s1(self) -> tuple[Array, Array]:
        return self.model.activation.first_two(self.a)                   # (n, m) each

    @cached_property
    def q(self) -> Array:
        return row_dot(self.V, self.V)                                   # (m,)  (10)

    def energy(self) -> Array:
        f = self.model.activation.f
        return self.r**2 @ self.tau / 2 - f(self.a).sum(axis=1)          # (n,)  (2)

    def score(self) -> Array:
        s, _ = self.s_s1
        psi = s @ self.model.W
        psi -= self.r
        psi *= self.tau                                                  # (n, d)  (7)
        return psi

    def jacobian(self) -> Array:
        V, (_, s1) = self.V, self.s_s1
        J = (s1[:, None, :] * V.T) @ V                                   # sum_j V_ji s1_j V_jk
        i = range(self.model.d)
        J[:, i, i] -= self.tau                                           # (n, d, d)  (8)
        return J

    def divergence(self) -> Array:
        _, s1 = self.s_s1
        return s1 @ self.q - self.tau.sum()                              # (n,)  (9)

    def diagonal(self) -> Array:
        _, s1 = self.s_s1
        return s1 @ self.V**2 - self.tau                                 # (n, d)  (11)

    def _projections(self, v: Array) -> tuple[Array, Array]:
        """s1 u and u^2 for directions v; kept, because a loss reads the curvature and then pulls back to it."""
        if self._kept is None or self._kept[0] is not v:
            _, s1 = self.s_s1
            u = np.tensordot(v, self.V, axes=(2, 1))                     # (n, M, m)  (13)
            self._kept = v, s1[:, None, :] * u, u * u
        return self._kept[1:]

    def curvature(self, v: Array) -> Array:
        _, uu = self._projections(v)
        _, s1 = self.s_s1
        return row_dot(s1[:, None, :], uu) - v**2 @ self.tau                        # (n, M)  (12)

    def pullback(self, energy: Array | None = None, score: Array | None = None, divergence: Array | None = None,
                 diagonal: Array | None = None, curvature: tuple[Array, Array] | None = None) -> GaussianBernoulliRBMTheta:
        V, tau, x, r, (s, s1) = self.V, self.tau, self.x, self.r, self.s_s1
        A: list[Array] = []                                              # the terms of (14), each where its cotangent is given,
        S: list[Array] = []                                              # of the bracket of (14),
        B: list[Array] = []                                              # of (15),
        H: list[Array] = []                                              # of (16),
        T: list[Array] = []                                              # of (17)
        dc: list[Array] = []                                             # and of (20)
        if (e := energy) is not None:
            A += [-e[:, None] * s]
            T += [weighted_sum(e, r**2) / 2]
            dc += [-weighted_sum(e, r)]
        if (p := score) is not None:
            S += [p @ V.T]
            H += [s.T @ p]                                               # s_j p_i in (16)
            T += [-sum_rows(p * r)]
            dc += [sum_rows(p)]
        if (t := divergence) is not None:
            B += [-2 * once(t)[:, None] * self.q]
            H += [2 * weighted_sum(t, s1)[:, None] * V]                  # 2 s1_j t V_ji in (16)
            T += [np.repeat(-t.sum(), len(tau))]
        if (g := diagonal) is not None:
            B += [g @ (-2 * V**2).T]
            H += [2 * (s1.T @ g) * V]                                    # 2 s1_j g_i V_ji in (16)
            T += [-sum_rows(g)]
        if curvature is not None:
            v, w = curvature
            s1_u, uu = self._projections(v)
            B += [-2 * once(w_l)[:, None] * uu_l for w_l, uu_l in zip(w.T, uu.swapaxes(0, 1))]
            w = once(w)[:, :, None]                                      # (n, M, 1)
            H += [2 * np.tensordot(s1_u, w * v, axes=([0, 1], [0, 1]))]                          # 2 sum_l w_l s1_j u_lj v_li in (16)
            T += [-(w * v * v).sum(axis=(0, 1))]
        if B:
            S += [self.model.activation.kappa(self.a, s) * total(B, s.shape)]                    # (n, m)  (15)
        A += [s1 * total(S, s.shape)]
        A_sum = total(A, s.shape)                                        # (n, m)  (14)
        H_sum = total([*H, A_sum.T @ x], V.shape)                        # (m, d)  (16)
        T_sum = total(T, tau.shape)                                      # (d,)    (17)
        return GaussianBernoulliRBMTheta(W=H_sum * tau,                                          # (m, d)  (18)
                                         b=sum_rows(A_sum),                                      # (m,)    (19)
                                         c=total(dc, tau.shape) * tau,                           # (d,)    (20)
                                         log_sigma=-2 * (T_sum * tau + (V * H_sum).sum(axis=0)))  # (d,)   (21)
