"""The Gaussian-Bernoulli restricted Boltzmann machine, its binary hidden units summed out.

Symbols
    n points, i and k visible dimensions (d), j hidden units (m), r directions (M);
    ' is the transpose.
    W         (m, d)      weights, one row per hidden unit
    b         (m,)        hidden offsets
    c         (d,)        visible offsets
    log_sigma (d,)        logarithms of the visible standard deviations
    tau       (d,)        visible precisions, 1 / sigma^2
    V         (m, d)      weights times the visible precisions
    x         (n, d)      points
    y         (n, d)      residuals
    a         (n, m)      activations
    f         function    softplus, or the function that takes its place
    s, s1     (n, m)      df/da and ds/da; for softplus s is the sigmoid of a
    psi       (n, d)      score
    J         (n, d, d)   score Jacobian
    q         (m,)        squared lengths of the rows of V
    v         (n, M, d)   directions
    u         (n, M, m)   their projections on the rows of V
    s1_u      (n, M, m)   s1_j u_rj
    Pullback
    e, p, t, g, w         cotangents on energy (n,), score (n, d), divergence (n,),
                          diagonal (n, d), curvature (n, M)
    rho       (n, m)      half the rate at which s1 decays
    A         (n, m)      the cotangent on a
    B         (n, m)      twice the cotangent on s1 from the second derivatives
    H         (m, d)      dL/dV
    T         (d,)        dL/dtau, where tau stands outside V

Equations
    (1)  E(x, h) = sum_i tau_i (x_i - c_i)^2 / 2 - sum_j b_j h_j - sum_ij h_j W_ji x_i tau_i,
                   h in {0, 1}^m                                                  [definition]
    (2)  E(x)   = -log sum_h exp(-E(x, h)) = sum_i tau_i y_i^2 / 2 - sum_j f(a_j)
    (3)  y_i    = x_i - c_i
    (4)  tau_i  = exp(-2 log_sigma_i)
    (5)  V_ji   = W_ji tau_i
    (6)  a_j    = b_j + sum_i V_ji x_i
    (7)  s_j    = df(a_j)/da_j,  s1_j = ds_j/da_j
    (8)  psi_i  = tau_i ( sum_j s_j W_ji - y_i )
    (9)  J_ik   = sum_j s1_j V_ji V_jk - tau_i delta_ik
    (10) tr J   = sum_j s1_j q_j - sum_i tau_i
    (11) q_j    = sum_i V_ji^2
    (12) J_ii   = sum_j s1_j V_ji^2 - tau_i
    (13) v_r'J v_r = sum_j s1_j u_rj^2 - sum_i tau_i v_ri^2
    (14) u_rj   = sum_i V_ji v_ri
    Pullback of  L = sum_n ( e E + p.psi + t tr J + sum_i g_i J_ii + sum_r w_r v_r'J v_r ):
    (15) B_j    = 2 ( t q_j + sum_i g_i V_ji^2 + sum_r w_r u_rj^2 )
    (16) rho_j  = -(1/2) d log(s1_j)/da_j
    (17) A_j    = s1_j ( sum_i V_ji p_i - B_j rho_j ) - e s_j
    (18) H_ji   = sum_n ( A_j x_i + s_j p_i + 2 s1_j (t + g_i) V_ji + 2 sum_r w_r s1_j u_rj v_ri )
    (19) T_i    = sum_n ( e y_i^2 / 2 - p_i y_i - t - g_i - sum_r w_r v_ri^2 )
    (20) dL/dW_ji = tau_i H_ji
    (21) dL/db_j  = sum_n A_j
    (22) dL/dc_i  = tau_i sum_n ( p_i - e y_i )
    (23) dL/dlog_sigma_i = -2 ( tau_i T_i + sum_j V_ji H_ji )

Derivation
    (1) -> (2)   collect h_j: E(x, h) = sum_i tau_i y_i^2 / 2 - sum_j h_j a_j with (5), (6).  The
                 sum over h in {0, 1}^m of a product is the product of sums, prod_j (1 + exp(a_j));
                 minus its log is -sum_j softplus(a_j).
    (2) -> (8)   psi = -grad E;  d(tau_i y_i^2 / 2)/dx_i = tau_i y_i, and df(a_j)/dx_i = s_j V_ji
                 = tau_i s_j W_ji by (5), (6), (7).
    (8) -> (9)   psi_i is also sum_j s_j V_ji - tau_i y_i;  ds_j/dx_k = s1_j V_jk and
                 dy_i/dx_k = delta_ik.
    (9) -> (10)  set k = i and sum over i; sum_i V_ji^2 is (11).
    (9) -> (12)  set k = i.
    (9) -> (13)  sum_ik v_ri V_ji V_jk v_rk = u_rj^2 by (14).
    Pullback: read E as a function of V, tau, b and c; go back to W and log_sigma at the end.
    -> (15)      s1_j stands in t tr J with the factor t q_j, in sum_i g_i J_ii with
                 sum_i g_i V_ji^2, in sum_r w_r v_r'J v_r with sum_r w_r u_rj^2.
                 B_j / 2 is their sum.
    -> (17)      what L gains when a alone moves by da, V, tau and x fixed where they stand outside:
                 energy:    e dE = -e sum_j s_j da_j
                 score:     ds_j = s1_j da_j, so p.dpsi = sum_ij p_i V_ji s1_j da_j
                 the rest:  ds1_j = -2 s1_j rho_j da_j by (16), times B_j / 2
    -> (18)      V enters through a, where da_j/dV_ji = x_i:  A_j x_i.  It enters explicitly
                 in psi, as sum_j s_j V_ji:  s_j p_i
                 in tr J, through dq_j/dV_ji = 2 V_ji:  2 s1_j t V_ji
                 in J_ii:    2 s1_j g_i V_ji
                 in v_r'J v_r, through du_rj/dV_ji = v_ri:  2 w_r s1_j u_rj v_ri
    -> (19)      tau_i stands outside V in E with y_i^2 / 2, in psi with -y_i, in tr J and J_ii with
                 -1, in v_r'J v_r with -v_ri^2.
    -> (20)      dV_ji/dW_ji = tau_i by (5).
    -> (21)      da_j/db_j = 1, and b stands nowhere else.
    -> (22)      dy_i/dc_i = -1: the energy gives -e tau_i y_i, the score p_i tau_i, the rest
                 nothing.
    -> (23)      dtau_i/dlog_sigma_i = -2 tau_i by (4), hence dV_ji/dlog_sigma_i = -2 V_ji by (5).

Conventions
    What f has to be: differentiable for the score, twice for J, three times for the pullback of the
    divergence, diagonal and curvature.  (1) -> (2) is about softplus; with another f only E(x) is
    defined.
    Given h, x_i is normal with mean c_i + sum_j h_j W_ji and standard deviation sigma_i: W is in
    the units of x, and psi is the mean reconstruction minus x, over sigma^2.  Others divide the
    interaction by sigma_i instead of sigma_i^2 (their W is ours over sigma, and the mean moves with
    sigma when W is held), or take h in {-1, 1} (f(a) = log(2 cosh a)).
    log_sigma is learnable because it has no boundary; sigma = exp(log_sigma) is derived from it.
    With one sigma, psi = (sum_j s_j W_ji + c_i - x_i) / sigma^2 with s_j the sigmoid of
    b_j + W_j.x / sigma^2: an autoencoder with sigma inside its sigmoid.  The energy of
    `refsm.energies.autoencoder` has no sigma there.  With all sigma_i = 1 the two are the same, up
    to the constant |c|^2 / 2; with 1 / sigma^2 = K, a whole number, that energy is this machine
    with K copies of each hidden unit, weights W / K and offsets b.
    Parameters with the same score: hidden units may change places; and because s(-a) = 1 - s(a),
    (W_j, b_j, c) may become (-W_j, -b_j, c + W_j).  These moves give 2^m m! parameters
    with one score, all different if no two hidden units are equal or opposite and no W_j is 0.

Sources
    Hinton & Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313
    (2006): binary hidden and Gaussian visible units.  Hinton, A practical guide to training
    restricted Boltzmann machines (2010): the energy with x_i / sigma_i.  Cho, Ilin & Raiko,
    Improved learning of Gaussian-Bernoulli restricted Boltzmann machines, ICANN 2011: the energy
    (1) with x_i / sigma_i^2, and the logarithm of the variance as the parameter that is learned.
    Swersky, Ranzato, Buchman, Marlin & de Freitas, On autoencoders and score matching for energy
    based models, ICML 2011: score matching of this machine.  (2)-(23) are derived here.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from refsm import immutable, stable, validation
from refsm.activations import SOFTPLUS, Activation
from refsm.energies.energy import Energy, EnergyAt
from refsm.immutable import cached_property
from refsm.sums import (column, outer_sum, project, row_dot, scaled, sum_directions, sum_rows,
                        weighted_sum)
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
    """sum_i (x_i - c_i)^2 / (2 sigma_i^2) - sum_j softplus(b_j + sum_i W_ji x_i / sigma_i^2), (2).

    W (m, d), b (m,), c (d,) and log_sigma (d,) are learnable; W, c and sigma are in the units of x.
    `activation` replaces the softplus (for arithmetic in exact rationals, together with
    log_sigma = 0).  ValueError where shapes disagree, an entry is not finite, or sigma_i^2 leaves
    the range of the numbers (|log_sigma_i| > 350).  Source: Cho, Ilin & Raiko (2011).

    With W = 0 the score is (c - x) / sigma^2:

    >>> W, b, c, log_sigma = np.zeros((3, 2)), np.zeros(3), [0.0, 1.0], np.log([1.0, 0.5])
    >>> model = GaussianBernoulliRBM(W, b, c, log_sigma)
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
            raise ValueError(f"log_sigma must be between -{stable.LARGE / 2:g} and "
                             f"{stable.LARGE / 2:g}, but it has an entry of size {largest}")
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
        """The visible precisions 1 / sigma^2, shape (d,), equation (4)."""
        return immutable.readonly_copy(stable.exp(-2 * self.log_sigma))  # (d,)    (4)

    @cached_property
    def V(self) -> Array:
        """The weights times the visible precisions, shape (m, d), equation (5)."""
        return immutable.readonly_copy(self.W * self.tau)                # (m, d)  (5)

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

    def energy(self) -> Array:
        y, tau, a, f = self.y, self.tau, self.a, self.activation.f
        E = row_dot(y, tau * y) / 2 - f(a).sum(axis=1)                            # (n,)    (2)
        return E

    @cached_property
    def y(self) -> Array:
        return self.x - self.c                                           # (n, d)  (3)

    @cached_property
    def a(self) -> Array:
        a = project(self.x, self.V)
        a += self.b                                                      # (n, m)  (6), in place
        return a

    @cached_property
    def s_and_s1(self) -> tuple[Array, Array]:
        return self.activation.first_two(self.a)                         # (n, m), (n, m)  (7)

    def score(self) -> Array:
        (s, _), W, y, tau = self.s_and_s1, self.W, self.y, self.tau
        psi = tau * (s @ W - y)                                          # (n, d)  (8)
        return psi

    def jacobian(self) -> Array:
        (_, s1), V, tau = self.s_and_s1, self.V, self.tau
        J = (s1[:, None, :] * V.T) @ V - np.diag(tau)                    # (n, d, d)  (9)
        return J

    def divergence(self) -> Array:
        (_, s1), q, tau = self.s_and_s1, self.q, self.tau
        return s1 @ q - tau.sum()                                        # (n,)    (10)

    @cached_property
    def q(self) -> Array:
        return row_dot(self.V, self.V)                                   # (m,)    (11)

    def diagonal(self) -> Array:
        (_, s1), V, tau = self.s_and_s1, self.V, self.tau
        return s1 @ V**2 - tau                                           # (n, d)  (12)

    def curvature(self) -> Array:
        s1_u, u, v, tau = self.s1_u, self.u, self.v, self.tau
        return row_dot(s1_u, u) - v**2 @ tau                             # (n, M)  (13)

    @cached_property
    def u(self) -> Array:
        return project(self.v, self.V)                                   # (n, M, m)  (14)

    @cached_property
    def s1_u(self) -> Array:
        _, s1 = self.s_and_s1
        return s1[:, None, :] * self.u                                   # (n, M, m)

    # -- pullback -----------------------------------------------------------------------------

    def pullback(self, energy: Array = ZERO, score: Array = ZERO, divergence: Array = ZERO,
                 diagonal: Array = ZERO, curvature: Array = ZERO) -> GaussianBernoulliRBMTheta:
        e, p, t, g, w = energy, score, divergence, diagonal, curvature
        (s, s1), s1_u, u, q = self.s_and_s1, self.s1_u, self.u, self.q
        V, tau, x, y, v = self.V, self.tau, self.x, self.y, self.v
        B = 2 * (column(t) * q + g @ (V**2).T + sum_directions(w, u**2))         # (n, m)  (15)
        rho = self.activation.half_decay(self.a, s) if B is not ZERO else ZERO   # (n, m)  (16)
        B_rho = scaled(rho, B)
        A = s1 * (project(p, V) - B_rho) - column(e) * s                 # (n, m)  (17)
        H = (outer_sum(A, x) + outer_sum(s, p)
             + 2 * (column(weighted_sum(t, s1)) + outer_sum(s1, g)) * V
             + 2 * outer_sum(s1_u, w[:, :, None] * v))                   # (m, d)  (18)
        T = (weighted_sum(e, y**2) / 2 - sum_rows(p * y) - t.sum() - sum_rows(g)
             - (w[:, :, None] * v**2).sum(axis=(0, 1)))                  # (d,)    (19)
        dW = tau * H                                                     # (m, d)  (20)
        db = sum_rows(A)                                                 # (m,)    (21)
        dc = tau * (sum_rows(p) - weighted_sum(e, y))                    # (d,)    (22)
        dlog_sigma = -2 * (tau * T + (V * H).sum(axis=0))                # (d,)    (23)
        return GaussianBernoulliRBMTheta(dW, db, dc, dlog_sigma)
