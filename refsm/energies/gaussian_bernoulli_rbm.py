"""The Gaussian-Bernoulli restricted Boltzmann machine, its binary hidden units summed out.

Symbols
    n points, i and k visible dimensions (d), j hidden units (m), r directions (M).
    W         (m, d)      weights, one row per hidden unit
    b         (m,)        hidden offsets
    c         (d,)        visible offsets
    log_sigma (d,)        logarithms of the visible standard deviations
    tau       (d,)        visible precisions, 1 / sigma^2
    V         (m, d)      weights in the units of the visible precisions
    x         (n, d)      points
    y         (n, d)      residuals
    a         (n, m)      activations
    f         function    softplus, or any smooth function that takes its place
    s, s1, s2 (n, m)      f'(a), f''(a), f'''(a); for softplus s is the sigmoid of a
    psi       (n, d)      score
    v         (n, M, d)   directions
    u         (n, M, m)   their projections
    q         (m,)        squared lengths of the rows of V
    e, p, t, g, w         cotangents on energy (n,), score (n, d), divergence (n,), diagonal (n, d), curvature (n, M)
    A         (n, m)      the cotangent on a
    B         (n, m)      the cotangent on s1 from the second derivatives
    H         (m, d)      dL/dV
    T         (d,)        dL/dtau, where tau stands outside V

Equations
    (1)  E(x, h) = sum_i tau_i (x_i - c_i)^2 / 2 - sum_j b_j h_j - sum_ij h_j W_ji x_i tau_i,  h in {0, 1}^m   [definition]
    (2)  E(x)   = -log sum_h exp(-E(x, h)) = sum_i tau_i y_i^2 / 2 - sum_j f(a_j)
    (3)  y_i    = x_i - c_i
    (4)  a_j    = b_j + sum_i V_ji x_i
    (5)  V_ji   = W_ji tau_i
    (6)  tau_i  = exp(-2 log_sigma_i)
    (7)  psi_i  = tau_i ( sum_j s_j W_ji - y_i )
    (8)  J_ik   = sum_j s1_j V_ji V_jk - tau_i delta_ik
    (9)  tr J   = sum_j s1_j q_j - sum_i tau_i
    (10) q_j    = sum_i V_ji^2
    (11) J_ii   = sum_j s1_j V_ji^2 - tau_i
    (12) v'Jv   = sum_j s1_j u_j^2 - sum_i tau_i v_i^2
    (13) u_j    = sum_i V_ji v_i
    Pullback of  L = sum_n ( e E + p.psi + t tr J + sum_i g_i J_ii + sum_r w_r v_r'J v_r ):
    (14) A_j    = s1_j sum_i V_ji p_i + s2_j B_j - e s_j
    (15) B_j    = t q_j + sum_i g_i V_ji^2 + sum_r w_r u_rj^2
    (16) H_ji   = sum_n ( A_j x_i + s_j p_i + 2 s1_j (t + g_i) V_ji + 2 sum_r w_r s1_j u_rj v_ri )
    (17) T_i    = sum_n ( e y_i^2 / 2 - p_i y_i - t - g_i - sum_r w_r v_ri^2 )
    (18) dL/dW_ji = tau_i H_ji
    (19) dL/db_j  = sum_n A_j
    (20) dL/dc_i  = tau_i sum_n ( p_i - e y_i )
    (21) dL/dlog_sigma_i = -2 ( tau_i T_i + sum_j V_ji H_ji )

Derivation
    (1) -> (2)   collect h_j: E(x, h) = sum_i tau_i y_i^2 / 2 - sum_j h_j a_j with (4).  The sum over h in {0, 1}^m of a product is
                 the product of sums, prod_j (1 + exp(a_j)); minus its log is -sum_j softplus(a_j).
    (2) -> (7)   psi = -grad E;  d(tau_i y_i^2 / 2)/dx_i = tau_i y_i,  df(a_j)/dx_i = s_j V_ji = tau_i s_j W_ji by (4), (5).
    (7) -> (8)   write (7) as sum_j s_j V_ji - tau_i y_i;  ds_j/dx_k = s1_j V_jk, dy_i/dx_k = delta_ik.
    (8) -> (9)   set k = i and sum over i; sum_i V_ji^2 is (10).
    (8) -> (11)  set k = i.
    (8) -> (12)  sum_ik v_i V_ji V_jk v_k = u_j^2 by (13).
    For the pullbacks read E as a function of V, tau, b and c, and go back to W and log_sigma at the end.
    -> (14)      what L gains when a alone moves by da:  energy -e s.da;  score ds_j = s1_j da_j,
                 so (V p)_j s1_j da_j;  divergence, diagonal, curvature: ds1_j = s2_j da_j times what
                 multiplies s1_j in (9), (11), (12), which is B_j.
    -> (15)      what multiplies s1_j in t (9), sum_i g_i (11) and sum_r w_r (12).
    -> (16)      V enters through a: da_j/dV_ji = x_i gives A_j x_i.  It enters explicitly in (7) as sum_j s_j V_ji: s_j p_i;  in (9)
                 through dq_j/dV_ji = 2 V_ji;  in (11);  in (12) through du_j/dV_ji = v_i.
    -> (17)      tau_i stands outside V in (2) with y_i^2 / 2, in (7) with -y_i, in (9) and (11) with -1, in (12) with -v_i^2.
    -> (18)      dV_ji/dW_ji = tau_i by (5).
    -> (19)      da_j/db_j = 1, and b stands nowhere else.
    -> (20)      dy_i/dc_i = -1: the energy gives -e tau_i y_i, the score p_i tau_i, the rest nothing.
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

from refsm import immutable, stable, validation
from refsm.activations import SOFTPLUS, Activation
from refsm.sums import column, outer_sum, row_dot, sum_directions, sum_rows, weighted_sum
from refsm.energies.energy import Energy, EnergyAt
from refsm.typing import Array, Given
from refsm.zero import ZERO

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
        W = validation.array(self.W, "W", ("m", "d"))
        m, d = W.shape
        b = validation.array(self.b, "b", (m,))
        c = validation.array(self.c, "c", (d,))
        log_sigma = validation.array(self.log_sigma, "log_sigma", (d,))
        largest = abs(log_sigma.real).max()
        if 2 * largest > stable.LARGE:
            raise ValueError(f"log_sigma must be between -{stable.LARGE / 2:g} and {stable.LARGE / 2:g}, but it has an entry of size {largest}")
        self._set(**immutable.common_dtype(W=W, b=b, c=c, log_sigma=log_sigma))

    @property
    def theta(self) -> GaussianBernoulliRBMTheta:
        """The learnable arrays (W, b, c, log_sigma)."""
        return GaussianBernoulliRBMTheta(self.W, self.b, self.c, self.log_sigma)

    def with_theta(self, theta: GaussianBernoulliRBMTheta) -> GaussianBernoulliRBM:
        """The same energy with other parameters."""
        return GaussianBernoulliRBM(*self._leaves(theta), activation=self.activation)

    @property
    def sigma(self) -> Array:
        """The visible standard deviations exp(log_sigma), shape (d,), in the units of x."""
        return stable.exp(self.log_sigma)

    @cached_property
    def tau(self) -> Array:
        """The visible precisions 1 / sigma^2, shape (d,), equation (6)."""
        return immutable.readonly_copy(stable.exp(-2 * self.log_sigma))            # (d,)  (6)

    @cached_property
    def V(self) -> Array:
        """The weights in the units of the visible precisions, shape (m, d), equation (5)."""
        return immutable.readonly_copy(self.W * self.tau)                          # (m, d)  (5)

    @property
    def d(self) -> int:
        """The number of visible dimensions."""
        return self.W.shape[1]

    @property
    def width(self) -> int:
        """The wider of the two layers."""
        return max(self.W.shape)

    def at(self, x: Array, v: Array = ZERO) -> GaussianBernoulliRBMAt:
        """The energy at a block of points x (n, d), along directions v (n, M, d)."""
        return GaussianBernoulliRBMAt(self, x, v)


class GaussianBernoulliRBMAt(EnergyAt):
    """The energy at a block of points: the activations, the local quantities, their pullbacks."""

    def __init__(self, model: GaussianBernoulliRBM, x: Array, v: Array) -> None:
        self.x, self.v = x, v
        self.W, self.b, self.c, self.V, self.tau = model.W, model.b, model.c, model.V, model.tau
        self.activation = model.activation

    @cached_property
    def y(self) -> Array:
        return self.x - self.c                                           # (n, d)  (3)

    @cached_property
    def a(self) -> Array:
        a = self.x @ self.V.T
        a += self.b                                                      # (n, m)  (4), in place
        return a

    @cached_property
    def s_s1(self) -> tuple[Array, Array]:
        return self.activation.first_two(self.a)                         # (n, m) each

    @cached_property
    def q(self) -> Array:
        return row_dot(self.V, self.V)                                   # (m,)  (10)

    @cached_property
    def u(self) -> Array:
        return ZERO if self.v is ZERO else np.tensordot(self.v, self.V, axes=(2, 1))  # (n, M, m)  (13)

    @cached_property
    def s1_u(self) -> Array:
        _, s1 = self.s_s1
        return s1[:, None, :] * self.u                                   # (n, M, m)

    def energy(self) -> Array:
        y, tau, f = self.y, self.tau, self.activation.f
        return y**2 @ tau / 2 - f(self.a).sum(axis=1)                    # (n,)  (2)

    def score(self) -> Array:
        W, y, tau, (s, _) = self.W, self.y, self.tau, self.s_s1
        psi = tau * (s @ W - y)                                          # (n, d)  (7)
        return psi

    def jacobian(self) -> Array:
        V, tau, (_, s1) = self.V, self.tau, self.s_s1
        J = (s1[:, None, :] * V.T) @ V - np.diag(tau)                    # (n, d, d)  (8)
        return J

    def divergence(self) -> Array:
        q, tau, (_, s1) = self.q, self.tau, self.s_s1
        return s1 @ q - tau.sum()                                        # (n,)  (9)

    def diagonal(self) -> Array:
        V, tau, (_, s1) = self.V, self.tau, self.s_s1
        return s1 @ V**2 - tau                                           # (n, d)  (11)

    def curvature(self) -> Array:
        v, u, s1_u, tau = self.v, self.u, self.s1_u, self.tau
        return row_dot(s1_u, u) - v**2 @ tau                             # (n, M)  (12)

    def pullback(self, energy: Array = ZERO, score: Array = ZERO, divergence: Array = ZERO,
                 diagonal: Array = ZERO, curvature: Array = ZERO) -> GaussianBernoulliRBMTheta:
        e, p, t, g, w = energy, score, divergence, diagonal, curvature
        V, tau, q, x, y, v = self.V, self.tau, self.q, self.x, self.y, self.v
        u, s1_u, (s, s1) = self.u, self.s1_u, self.s_s1
        B = column(t) * q + g @ (V**2).T + sum_directions(w, u**2)       # (n, m)  (15)
        s2 = ZERO if B is ZERO else self.activation.third(self.a, s, s1)
        A = s1 * (p @ V.T) + s2 * B - column(e) * s                      # (n, m)  (14)
        H = (A.T @ x + s.T @ p + 2 * (weighted_sum(t, s1)[:, None] + s1.T @ g) * V
             + 2 * outer_sum(s1_u, w[:, :, None] * v))                   # (m, d)  (16)
        T = (weighted_sum(e, y**2) / 2 - sum_rows(p * y) - t.sum() - sum_rows(g)
             - (w[:, :, None] * v**2).sum(axis=(0, 1)))                  # (d,)    (17)
        dW = tau * H                                                     # (m, d)  (18)
        db = sum_rows(A)                                                 # (m,)    (19)
        dc = tau * (sum_rows(p) - weighted_sum(e, y))                    # (d,)    (20)
        dlog_sigma = -2 * (tau * T + (V * H).sum(axis=0))                # (d,)    (21)
        return GaussianBernoulliRBMTheta(dW, db, dc, dlog_sigma)
