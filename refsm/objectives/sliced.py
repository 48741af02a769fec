"""Sliced score matching (Song, Garg, Shi & Ermon 2019): scores along directions, no divergence.

Symbols
    n points, i and k dimensions (d), r directions (M).
    x             (n, d)      points, drawn from a density q
    directions    (n, M, d)   vectors v, with E[v v'] = I
    psi           (n, d)      the model's score at x, `score` where it is an argument;
                              J (n, d, d) is its Jacobian
    data_score    (n, d)      grad log q(x)
    curvature     (n, M)      v'Jv, one number per direction
    along         (n, M)      v.psi, the score along each direction; v.(psi - data_score) in the
                              explicit form
    weights       (n,)        1/n unless given
    term          (n,)        the loss at one point; value = sum_n weights_n term_n

Equations
    sliced
    (1)  term = 1/M sum_r ( v_r' J v_r + 1/2 (v_r.psi)^2 )
    (2)  along_r = v_r.psi
    (3)  d value / d psi = weights / M sum_r along_r v_r
    (4)  d value / d curvature_r = weights / M
    variance-reduced
    (5)  term = 1/M sum_r v_r' J v_r + 1/2 |psi|^2
    (6)  d value / d psi = weights psi
    explicit: the sliced Fisher divergence
    (7)  term = 1/M sum_r 1/2 (v_r.(psi - data_score))^2
    (8)  along_r = v_r.(psi - data_score)
    (9)  d value / d psi = weights / M sum_r along_r v_r
    in expectation
    (10) E_v v'Jv = tr J,  E_v (v.psi)^2 = |psi|^2:
         E_v (1) = E_v (5) = implicit score matching                                 [statement 7]
    (11) E_q (7) = E_q (1) + 1/(2 M) sum_r E_q (v_r.grad log q)^2                    [statement 8]
    (12) for N(0, I) and its own score, M = 1 and Gaussian v: the mean over q of the variance over v
         is d (d + 2) / 2 for (1) and 2 d for (5)                                   [statement 29]

Derivation
    (1) -> (10)  Hutchinson's estimate:
                 E_v v'Jv = E_v sum_ik v_i J_ik v_k = sum_ik J_ik E_v[v_i v_k] = sum_i J_ii = tr J.
                 With psi psi' in the place of J, E_v (v.psi)^2 = tr psi psi' = |psi|^2.  Only the
                 second moment of v is used: a finite set with 1/M sum_r v_r v_r' = I gives both
                 sums exactly.  Two such sets: all 2^d vectors of signs, and an orthonormal frame
                 times sqrt(d).
    (7) -> (11)  Expand the square:
                 1/2 (v.psi)^2 - (v.psi)(v.grad log q) + 1/2 (v.grad log q)^2.
                 For v that does not depend on x
                 E_q (v.psi)(v.grad log q) = integral (v.psi)(v.grad q) dx
                   = -integral q v.grad(v.psi) dx = -E_q v'Jv,
                 by parts along v, under the conditions of `refsm.objectives.score_matching` along
                 lines parallel to v.  The last square has no theta.
    (1) -> (3)   the gradient of 1/2 (v.psi)^2 in psi is (v.psi) v, by (2).
    (1) -> (4)   each v_r' J v_r stands in the value with the factor weights / M; so it does in (5).
    (5) -> (6)   elementwise;   (7) -> (9) as (1) -> (3).
    -> (12)      Given x, (1) is v'Av with A = J + 1/2 psi psi', and (5) is v'Jv + a constant.  For
                 Gaussian v and symmetric A the variance of v'Av is 2 |A|^2, the sum of all squared
                 entries (`refsm.directions`, (7)).  So
                 Var (1) - Var (5) = 2 ( psi'J psi + |psi|^4 / 4 ).
                 For psi = -x, J = -I:  psi'J psi = -|x|^2, with E |x|^2 = d and
                 E |x|^4 = d (d + 2).  Hence 2 ( d - d + d (d + 2) / 4 ) and 2 d.
    For Gaussian v, which of the two has the smaller variance depends on the sign of
    psi'J psi + |psi|^4 / 4.  Near a mode, where J < 0 and psi is small, it is (1): its two parts
    partly cancel.  In (12) it is (1) for d = 1, neither for d = 2, and (5) from d = 3 on.

Conventions
    "Variance-reduced" is the name of (5) in the literature; by (12) it is not true of every model.
    E[v v'] = I is a normalisation.  In general, with E[v v'] = S, E_v (1) = tr(S J) +
    1/2 psi'S psi, and E_q of it is E_q 1/2 (psi - grad log q)'S (psi - grad log q) + a constant:
    the dimensions have other weights, and the minimiser is the same if S > 0 and the model contains
    q.  Isotropic directions of UNIT length have S = I/d, and (1) and (7) come out, in expectation,
    as 1/d of ours; but (5) then mixes tr J / d with the whole |psi|^2, and has another minimiser.
    The mean over directions, not the sum.  Gaussian vectors, signs (Rademacher), the sphere of
    radius sqrt(d): all give (10); `refsm.directions` has the variances.
    v'Jv does not distinguish J from its transpose.  Fresh directions for every point, as here;
    code that draws one set for the whole batch has the same expectation, and a larger variance
    wherever the Jacobians of the points resemble each other.

Sources
    Song, Garg, Shi & Ermon, Sliced score matching: a scalable approach to density and score
    estimation, UAI 2019: (1), (5), (7), (11).
    Hutchinson, A stochastic estimator of the trace of the influence matrix for Laplacian smoothing
    splines, Communications in Statistics: Simulation and Computation 19 (1990): (10).
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refsm.objectives.objective import LocalLoss, Objective
from refsm.sums import column, row_dot
from refsm.typing import Array, Given

__all__ = ["ExplicitSlicedScoreMatching", "SlicedScoreMatching"]


@dataclass(frozen=True, eq=False, repr=False)
class SlicedScoreMatching(Objective):
    """sum_n weights_n mean_r ( v_r' J v_r + 1/2 (v_r.psi)^2 ), equation (1).

    Variance-reduced: sum_n weights_n ( mean_r v_r' J v_r + 1/2 |psi|^2 ), equation (5).

    x (n, d); directions (n, M, d) with E[v v'] = I, from `refsm.directions`, without units: the
    value is in the units of 1 / x^2.  ValueError for shapes that disagree, TypeError if
    variance_reduced is not a bool.  Source: Song et al. (2019).

    For N(0, I), psi = -x and v'Jv = -|v|^2: at x = (3, 1) along v = (1, 1) the term is
    -2 + 1/2 (-4)^2.

    >>> J = SlicedScoreMatching([[3.0, 1.0]], [[[1.0, 1.0]]])
    >>> J.evaluate(score=[[-3.0, -1.0]], curvature=[[-2.0]])[0]
    array([6.])
    """

    x: Given
    directions: Given
    variance_reduced: bool = False
    weights: Given = field(default=None, kw_only=True)

    reads = ("score", "curvature")
    per_point = ("x", "directions", "weights")

    def __post_init__(self) -> None:
        if not isinstance(self.variance_reduced, bool):
            raise TypeError("variance_reduced must be True or False, "
                            f"but it is of type {type(self.variance_reduced).__name__}")
        super().__post_init__()

    def local_loss(self, score: Array, curvature: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d) and the curvature (n, M)."""
        psi, weights = score, column(self.weights)
        directions, M = self.directions, self.directions.shape[1]
        if self.variance_reduced:
            term = curvature.sum(axis=1) / M + row_dot(psi, psi) / 2       # (n,)  (5)
            to_psi = weights * psi                                         # (n, d)  (6)
        else:
            along = row_dot(directions, psi[:, None, :])                   # (n, M)  (2)
            term = (curvature.sum(axis=1) + row_dot(along, along) / 2) / M    # (n,)  (1)
            to_psi = _sum_along(weights / M * along, directions)           # (n, d)  (3)
        to_curvature = np.broadcast_to(weights / M, curvature.shape)       # (n, M)  (4)
        return term, {"score": to_psi, "curvature": to_curvature}


@dataclass(frozen=True, eq=False, repr=False)
class ExplicitSlicedScoreMatching(Objective):
    """sum_n weights_n mean_r 1/2 (v_r.(psi - grad log q))^2, the sliced Fisher divergence (7).

    x (n, d); data_score is grad log q at x as an (n, d) array, or a density with a `score`;
    directions (n, M, d) with E[v v'] = I.  ValueError for shapes that disagree.
    Source: Song et al. (2019).

    psi - grad log q = (2, 0); along both directions it is 2, and half its square is 2.

    >>> v = [[[1.0, 1.0], [1.0, -1.0]]]
    >>> ExplicitSlicedScoreMatching([[0.0, 0.0]], [[1.0, 1.0]], v).evaluate(score=[[3.0, 1.0]])[0]
    array([2.])
    """

    x: Given
    data_score: Any
    directions: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("score",)
    per_point = ("x", "data_score", "directions", "weights")

    def __post_init__(self) -> None:
        if hasattr(self.data_score, "score"):
            self._set(data_score=self.data_score.score(self.x))
        super().__post_init__()

    def local_loss(self, score: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d)."""
        psi, weights = score, column(self.weights)
        directions, M = self.directions, self.directions.shape[1]
        along = row_dot(directions, (psi - self.data_score)[:, None, :])   # (n, M)  (8)
        term = row_dot(along, along) / 2 / M                               # (n,)  (7)
        to_psi = _sum_along(weights / M * along, directions)               # (n, d)  (9)
        return term, {"score": to_psi}


def _sum_along(factors: Array, directions: Array) -> Array:
    """sum_r factors_r v_r: (n, M), (n, M, d) -> (n, d)."""
    return (factors[:, None, :] @ directions)[:, 0]
