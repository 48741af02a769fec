"""A product of experts: heavy-tailed functions of projections; independent components.

Symbols
    n points, i and k visible dimensions (d), j experts (m), r directions (M).
    W         (m, d)      filters, one row per expert; m may exceed d (overcomplete)
    log_alpha (m,)        logarithms of the experts' weights
    x         (n, d)      points
    a         (n, m)      projections
    alpha     (m,)        weights of the experts
    f                     log cosh, or the Student expert's log(1 + a^2 / 2)
    s, s1     (n, m)      df/da and ds/da
    psi       (n, d)      score
    J         (n, d, d)   score Jacobian
    q         (m,)        squared lengths of the rows of W
    v         (n, M, d)   directions
    u         (n, M, m)   their projections on the rows of W
    s1_u      (n, M, m)   s1_j u_rj
    Pullback
    e, p, t, g, w         cotangents on energy (n,), score (n, d), divergence (n,),
                          diagonal (n, d), curvature (n, M)
    B         (n, m)      what multiplies -alpha s1 in the terms after p.psi
    s2        (n, m)      ds1/da
    A         (n, m)      minus the cotangent on a, without alpha
    S, T      (m, d)      sums over n: from p.psi, and from the terms after it

Equations
    (1)  E(x)    = sum_j alpha_j f(a_j)
    (2)  a_j     = sum_i W_ji x_i
    (3)  alpha_j = exp(log_alpha_j)
    (4)  s_j     = df(a_j)/da_j,  s1_j = ds_j/da_j
    (5)  psi_i   = -sum_j alpha_j s_j W_ji
    (6)  J_ik    = -sum_j alpha_j s1_j W_ji W_jk
    (7)  tr J    = -sum_j alpha_j s1_j q_j
    (8)  q_j     = sum_i W_ji^2
    (9)  J_ii    = -sum_j alpha_j s1_j W_ji^2
    (10) v_r'J v_r = -sum_j alpha_j s1_j u_rj^2
    (11) u_rj    = sum_i W_ji v_ri
    Pullback of  L = sum_n ( e E + p.psi + t tr J + sum_i g_i J_ii + sum_r w_r v_r'J v_r ):
    (12) B_j     = t q_j + sum_i g_i W_ji^2 + sum_r w_r u_rj^2
    (13) s2_j    = ds1_j/da_j
    (14) A_j     = s1_j sum_i W_ji p_i + s2_j B_j - e s_j
    (15) S_ji    = sum_n s_j p_i
    (16) T_ji    = sum_n ( s1_j (t + g_i) W_ji + sum_r w_r s1_j u_rj v_ri )
    (17) dL/dW_ji = -alpha_j ( sum_n A_j x_i + S_ji + 2 T_ji )
    (18) dL/dlog_alpha_j = alpha_j ( sum_n e f(a_j) - sum_i (S_ji + T_ji) W_ji )
    the expert "logcosh"
    (19) f = log cosh a,           s = tanh a,     s1 = 1 / cosh(a)^2
    (20) s1 = 1 - s^2
    (21) s2 = -2 s s1
    the expert "student"
    (22) f = log(1 + a^2 / 2),     s = a h,        s1 = h - s^2,   h = 2 / (2 + a^2)
    (23) s2 = -s (3 s1 + s^2)

Derivation
    (1) -> (5)    psi = -grad E, and df(a_j)/dx_i = s_j W_ji by (2) and (4).
    (5) -> (6)    ds_j/dx_k = s1_j W_jk by (2) and (4).
    (6) -> (7)    set k = i and sum over i; sum_i W_ji^2 is (8).
    (6) -> (9)    set k = i.
    (6) -> (10)   sum_ik v_ri W_ji W_jk v_rk = u_rj^2 by (11).
    Pullback
    -> (12)       what multiplies -alpha_j s1_j in t tr J, sum_i g_i J_ii and sum_r w_r v_r'J v_r.
    -> (14)       what L gains when a_j alone moves by da_j, W and x fixed where they stand outside
                  a:  alpha_j e s_j da_j from the energy, -alpha_j s1_j sum_i W_ji p_i da_j from
                  the score, -alpha_j s2_j B_j da_j from the rest.  Their sum is -alpha_j A_j da_j.
    -> (17)       W enters through a, where da_j/dW_ji = x_i:  -alpha_j A_j x_i.  It enters
                  explicitly
                  in psi:   -alpha_j s_j p_i
                  in tr J, through dq_j/dW_ji = 2 W_ji:  -2 alpha_j s1_j t W_ji
                  in J_ii:  -2 alpha_j s1_j g_i W_ji
                  in v_r'J v_r, through du_rj/dW_ji = v_ri:  -2 alpha_j w_r s1_j u_rj v_ri
                  The first is -alpha_j S_ji, the others are -2 alpha_j T_ji.
    -> (18)       every quantity is linear in alpha:
                  dL/dalpha_j = sum_n ( e f(a_j) - s_j sum_i W_ji p_i - s1_j B_j ), and
                  dalpha_j/dlog_alpha_j = alpha_j.  By (15) the second sum is sum_i S_ji W_ji; by
                  (12), (8), (11) and (16) the third is sum_i T_ji W_ji.
    the experts
    (19) -> (20)  cosh^2 - sinh^2 = 1.
    (19) -> (21)  d(cosh^-2)/da = -2 cosh^-3 sinh.
    (22)          df/da = a / (1 + a^2 / 2) = a h.  dh/da = -4 a / (2 + a^2)^2 = -a h^2, so that
                  d(a h)/da = h - a^2 h^2.
    (22) -> (23)  dh/da = -s h, so that d(h - s^2)/da = -s h - 2 s s1, where h = s1 + s^2.

Conventions
    With m = d and W invertible, p(x) = |det W| prod_j p_j(W_j.x): the components W x are
    independent, and W is the unmixing matrix of independent component analysis.  p_j is then
    proportional to cosh^-alpha_j, or is Student's t with 2 alpha_j - 1 degrees of freedom, scaled,
    if that is > 0.
    The length of a row of W is the inverse scale of its component: it is not fixed here, and
    neither are the order and the signs of the rows, which E does not show.  Hyvarinen (2005) uses
    f = 2 log cosh(pi a / (2 sqrt 3)), the logistic density of variance 1; others fix |W_j| = 1 and
    learn alpha.  The Student expert's f'' is negative for a^2 > 2: E is not convex.
    On a finite sample with d > 1 the implicit loss of these energies is unbounded below over W and
    alpha together: with W_j orthogonal to one data point and alpha_j = 1 / |W_j| the term of that
    point falls like -|W_j| and the others stay bounded.  Fit W with log_alpha fixed, to many more
    points than dimensions, or penalise J.
    (20) has the error of a rounding of 1: where |a| > 19 it is 0, and (19) is about 4 exp(-2 |a|).
    The divergence, the diagonal and the curvature are sums of s1 and keep the digits of (19).
    Where the score alone is pulled back, (17) adds terms with s1_j to terms with s_j, which is near
    1 where s1_j is small, and (20) serves: value and gradient of denoising score matching take some
    5 % less with n, d, m = 20000, 64, 64.

Sources
    Hyvarinen, Estimation of non-normalized statistical models by score matching, JMLR 6 (2005), the
    section on independent component analysis.  Koster & Hyvarinen, A two-layer model of natural
    stimuli estimated with score matching, Neural Computation 22 (2010).  Welling, Hinton &
    Osindero, Learning sparse topographic representations with products of Student-t distributions,
    NIPS 2002: (1) with (22).  The pullbacks are derived here.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from refsm import immutable, stable, validation
from refsm.energies.energy import Energy, EnergyAt
from refsm.immutable import cached_property
from refsm.sums import column, outer_sum, project, row_dot, scaled, sum_directions, weighted_sum
from refsm.typing import Array, Given
from refsm.zero import ZERO

__all__ = ["ProductOfExperts", "ExpertsTheta", "EXPERTS"]


class ExpertsTheta(NamedTuple):
    """The learnable arrays of `ProductOfExperts`."""

    W: Array              # (m, d)
    log_alpha: Array      # (m,)


class LogCosh:
    """The expert "logcosh" at projections a (n, m): f and its derivatives, each (n, m)."""

    def __init__(self, a: Array) -> None:
        self.a = a

    def f(self) -> Array:
        return stable.log_cosh(self.a)                                   # (19)

    @cached_property
    def s(self) -> Array:
        return np.tanh(self.a)                                           # (19)

    @cached_property
    def s1(self) -> Array:
        return stable.tanh_slope(self.a)                                 # (19)

    def s1_from_s(self) -> Array:
        """s1 up to a rounding of 1, faster."""
        s_s = self.s * self.s
        return np.subtract(1, s_s, out=s_s)                              # (20), in place

    def s2(self) -> Array:
        return -2 * self.s * self.s1                                     # (21)


class Student:
    """The expert "student" at projections a (n, m), with the same methods."""

    def __init__(self, a: Array) -> None:
        self.a = a
        self.s, self.s1 = stable.student_and_slope(a)                    # (22)

    def f(self) -> Array:
        return stable.log1p_half_square(self.a)                          # (22)

    def s1_from_s(self) -> Array:
        return self.s1

    def s2(self) -> Array:
        return (-3 * self.s1 - self.s * self.s) * self.s                 # (23)


EXPERTS: dict[str, type[LogCosh] | type[Student]] = {"logcosh": LogCosh, "student": Student}


@dataclass(frozen=True, eq=False, repr=False)
class ProductOfExperts(Energy):
    """E(x) = sum_j exp(log_alpha_j) f(W_j.x), equation (1).

    W (m, d) in the units of 1 / x and log_alpha (m,) are learnable; `expert` is "logcosh" or
    "student" (f = log(1 + a^2 / 2)).  ValueError where shapes disagree, an entry is not finite, or
    the expert is another.  Source: Hyvarinen (2005).

    One Student expert of weight 1: psi = -x / (1 + x^2 / 2).

    >>> ProductOfExperts(W=[[1.0]], log_alpha=[0.0], expert="student").score([[1.0]])
    array([[-0.66666667]])
    """

    W: Given
    log_alpha: Given
    expert: str = "logcosh"

    def __post_init__(self) -> None:
        W = validation.array(self.W, "W", ("m", "d"))
        log_alpha = validation.array(self.log_alpha, "log_alpha", (len(W),))
        if not isinstance(self.expert, str) or self.expert not in EXPERTS:
            raise ValueError(f"expert must be one of {', '.join(EXPERTS)}, "
                             f"but it is {validation.brief(self.expert)}")
        self._set(**immutable.common_dtype(W=W, log_alpha=log_alpha))

    @property
    def theta(self) -> ExpertsTheta:
        """The learnable arrays (W, log_alpha)."""
        return ExpertsTheta(self.W, self.log_alpha)

    def with_theta(self, theta: ExpertsTheta) -> ProductOfExperts:
        """The same energy with other parameters."""
        W, log_alpha = self._leaves(theta)
        return ProductOfExperts(W, log_alpha, self.expert)

    @property
    def d(self) -> int:
        """The number of visible dimensions."""
        return self.W.shape[1]

    @property
    def width(self) -> int:
        """The number of experts or of dimensions, whichever is larger."""
        return max(self.W.shape)

    def at(self, x: Array, v: Array = ZERO) -> ProductOfExpertsAt:
        """The energy at a block of points x (n, d), along directions v (n, M, d)."""
        return ProductOfExpertsAt(self, x, v)


class ProductOfExpertsAt(EnergyAt):
    """The energy at a block of points: the projections, the local quantities, their pullbacks."""

    def __init__(self, model: ProductOfExperts, x: Array, v: Array) -> None:
        self.x, self.v = x, v
        self.W, self.log_alpha = model.W, model.log_alpha
        self.kind = EXPERTS[model.expert]

    def energy(self) -> Array:
        f, alpha = self.expert.f(), self.alpha
        return f @ alpha                                                 # (n,)    (1)

    @cached_property
    def a(self) -> Array:
        return project(self.x, self.W)                                   # (n, m)  (2)

    @cached_property
    def alpha(self) -> Array:
        return stable.exp(self.log_alpha)                                # (m,)    (3)

    @cached_property
    def expert(self) -> LogCosh | Student:
        return self.kind(self.a)

    @property
    def s(self) -> Array:
        return self.expert.s                                             # (n, m)  (4)

    @property
    def s1(self) -> Array:
        return self.expert.s1                                            # (n, m)  (4)

    def score(self) -> Array:
        s, W, alpha = self.s, self.W, self.alpha[:, None]
        psi = s @ (-alpha * W)                                           # (n, d)  (5)
        return psi

    def jacobian(self) -> Array:
        s1, W, alpha = self.s1, self.W, self.alpha
        J = ((-alpha * s1)[:, None, :] * W.T) @ W                        # (n, d, d)  (6)
        return J

    def divergence(self) -> Array:
        s1, q, alpha = self.s1, self.q, self.alpha
        return s1 @ (-alpha * q)                                         # (n,)    (7)

    @cached_property
    def q(self) -> Array:
        return row_dot(self.W, self.W)                                   # (m,)    (8)

    def diagonal(self) -> Array:
        s1, W, alpha = self.s1, self.W, self.alpha[:, None]
        return s1 @ (-alpha * W**2)                                      # (n, d)  (9)

    def curvature(self) -> Array:
        s1_u, u, alpha = self.s1_u, self.u, self.alpha
        return (s1_u * u) @ -alpha                                       # (n, M)  (10)

    @cached_property
    def u(self) -> Array:
        return project(self.v, self.W)                                   # (n, M, m)  (11)

    @cached_property
    def s1_u(self) -> Array:
        return self.s1[:, None, :] * self.u                                   # (n, M, m)

    # -- pullback -----------------------------------------------------------------------------

    def pullback(self, energy: Array = ZERO, score: Array = ZERO, divergence: Array = ZERO,
                 diagonal: Array = ZERO, curvature: Array = ZERO) -> ExpertsTheta:
        e, p, t, g, w = energy, score, divergence, diagonal, curvature
        s, u, q, alpha, W, x, v = self.s, self.u, self.q, self.alpha, self.W, self.x, self.v
        f = ZERO if e is ZERO else self.expert.f()
        B = column(t) * q + g @ (W**2).T + sum_directions(w, u**2)       # (n, m)  (12)
        if B is ZERO:
            s1, s1_u, s2 = self.expert.s1_from_s(), ZERO, ZERO
        else:
            s1, s1_u, s2 = self.s1, self.s1_u, self.expert.s2()          # (n, m)  (13)
        s2_B = scaled(s2, B)
        A = s1 * project(p, W) + s2_B - column(e) * s                     # (n, m)  (14)
        S = outer_sum(s, p)                                              # (m, d)  (15)
        T = ((weighted_sum(t, s1)[:, None] + outer_sum(s1, g)) * W
             + outer_sum(s1_u, w[:, :, None] * v))                       # (m, d)  (16)
        dW = -alpha[:, None] * (outer_sum(A, x) + S + 2 * T)             # (m, d)  (17)
        dlog_alpha = alpha * (weighted_sum(e, f) - row_dot(S + T, W))    # (m,)    (18)
        return ExpertsTheta(dW, dlog_alpha)
