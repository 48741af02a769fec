"""Sliced score matching (Song, Garg, Shi & Ermon 2019): compare scores along directions, so that no divergence is needed.

Symbols
    n points, i and k dimensions (d), r directions (M).
    x             (n, d)      points, drawn from a density q
    directions    (n, M, d)   vectors v, with E[v v'] = I
    score         (n, d)      psi at x;  J (n, d, d) is its Jacobian
    data_score    (n, d)      grad log q(x)
    curvature     (n, M)      v' J v, one number a direction
    along         (n, M)      v.psi, the score along each direction; v.(psi - grad log q) in the explicit form
    weights       (n,)        w_n, 1/n unless given
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
    (10) E_v v'Jv = tr J,   E_v (v.psi)^2 = |psi|^2:   E_v (1) = E_v (5) = implicit score matching          [theorem 7]
    (11) E_q (7) = E_q (1) + 1/(2 M) sum_r E_q (v_r.grad log q)^2                                           [theorem 8]

Derivation
    (1) -> (10)  Hutchinson's estimator:  E_v v'Jv = E_v sum_ik v_i J_ik v_k = sum_ik J_ik E_v[v_i v_k] = sum_ik J_ik delta_ik = tr J.
                 With psi psi' in the place of J, E_v (v.psi)^2 = tr psi psi' = |psi|^2.  Only the second moment of v is used: a
                 finite set with 1/M sum_r v_r v_r' = I gives both sums exactly.  Two such sets: all 2^d sign vectors (the mean of
                 v_i v_k over independent fair signs is delta_ik), and an orthonormal frame times sqrt(d)
                 (1/d sum_r sqrt(d) e_r sqrt(d) e_r' = I).
    (7) -> (11)  Expand the square: 1/2 (v.psi)^2 - (v.psi)(v.grad log q) + 1/2 (v.grad log q)^2.  For v that does not depend on x
                 E_q (v.psi)(v.grad log q) = integral (v.psi)(v.grad q) dx = -integral q v.grad(v.psi) dx = -E_q v'Jv,
                 by parts along v; the boundary term vanishes where q psi -> 0 far away, as for implicit score matching.
                 The last square has no theta.
    (1) -> (3)   d (v.psi)^2 / 2 / d psi = (v.psi) v by (2).
    (1) -> (4)   each v_r' J v_r stands in the value with the factor weights / M; so it does in (5).
    (5) -> (6)   elementwise;   (7) -> (9) as (1) -> (3).

Conventions
    E[v v'] = I: Gaussian vectors, sign vectors (Rademacher), the unit sphere times sqrt(d).  Directions of UNIT length have
    E[v v'] = I/d, and every sum over directions comes out as 1/d of ours; with them (5) mixes tr J / d with the whole |psi|^2, which is
    a different objective.  The mean over directions, not the sum.  Gaussian or signs: both give (10); the variance of v'Jv is
    2 |J|_F^2 for Gaussian vectors and 2 (|J|_F^2 - sum_i J_ii^2) for signs, J symmetric, so signs are exact for a diagonal J.
    v'Jv does not tell J from its transpose.  Fresh directions for every point, as here; code that draws one set for the
    whole batch has the same expectation, and a larger variance wherever the Jacobians of the points resemble each other.

Sources
    Song, Garg, Shi & Ermon, Sliced score matching: a scalable approach to density and score estimation, UAI 2019: (1), (5), (7), (11).
    Hutchinson, A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines, Communications in
    Statistics: Simulation and Computation 19 (1990): (10), and the variance for signs.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refsm import validation
from refsm.sums import row_dot
from refsm.objectives.objective import LocalLoss, Objective
from refsm.typing import Array, Given

__all__ = ["ExplicitSlicedScoreMatching", "SlicedScoreMatching"]


class _Sliced(Objective):
    """What the two forms share: points with M directions each."""

    x: Given
    directions: Given

    def _set_directions(self) -> None:
        n, d = self.x.shape
        self._set(directions=validation.readonly_view(self.directions, "directions", (n, "M", d)))

    @property
    def points(self) -> Array:
        """The points x."""
        return self.x


@dataclass(frozen=True, eq=False, repr=False)
class SlicedScoreMatching(_Sliced):
    """sum_n weights_n mean_r ( v_r' J v_r + 1/2 (v_r.psi)^2 ), equation (1); variance-reduced, mean_r v_r' J v_r + 1/2 |psi|^2, (5).

    x (n, d); directions (n, M, d) with E[v v'] = I, from `refsm.directions`, without units: the value is in the units of 1 / x^2.
    ValueError for shapes that disagree, TypeError if variance_reduced is no bool.  Source: Song et al. (2019).

    For N(0, I), psi = -x and v'Jv = -|v|^2: at x = (3, 1) along v = (1, 1) the term is -2 + 1/2 (-4)^2.

    >>> SlicedScoreMatching([[3.0, 1.0]], [[[1.0, 1.0]]]).evaluate(score=[[-3.0, -1.0]], curvature=[[-2.0]])[0]
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
            raise TypeError(f"variance_reduced must be True or False, but it is a {type(self.variance_reduced).__name__}")
        self._set_data(x=self.x)
        self._set_directions()

    def local_loss(self, score: Array, curvature: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d) and the curvature (n, M); the cotangent on the curvature is a pair (directions, w)."""
        directions, M = self.directions, self.directions.shape[1]
        weights = self.weights[:, None]
        if self.variance_reduced:
            term = curvature.sum(axis=1) / M + row_dot(score, score) / 2             # (n,)  (5)
            to_score = weights * score                                               # (n, d)  (6)
        else:
            along = row_dot(directions, score[:, None, :])                           # (n, M)  (2)
            term = (curvature.sum(axis=1) + row_dot(along, along) / 2) / M           # (n,)  (1)
            to_score = _gathered(weights / M * along, directions)                    # (n, d)  (3)
        to_curvature = np.broadcast_to(weights / M, curvature.shape)                 # (n, M)  (4)
        return term, {"score": to_score, "curvature": to_curvature}


@dataclass(frozen=True, eq=False, repr=False)
class ExplicitSlicedScoreMatching(_Sliced):
    """sum_n weights_n mean_r 1/2 (v_r.(psi - grad log q))^2, equation (7): the sliced Fisher divergence.

    x (n, d); data_score is grad log q at x as an (n, d) array, or a density with a `score`; directions (n, M, d) with E[v v'] = I.
    ValueError for shapes that disagree.  Source: Song et al. (2019).

    >>> J = ExplicitSlicedScoreMatching([[0.0, 0.0]], [[1.0, 1.0]], [[[1.0, 1.0], [1.0, -1.0]]])
    >>> J.evaluate(score=[[3.0, 1.0]])[0]               # psi - grad log q = (2, 0): along both directions 2
    array([2.])
    """

    x: Given
    data_score: Any
    directions: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("score",)
    per_point = ("x", "data_score", "directions", "weights")

    def __post_init__(self) -> None:
        given = self.data_score
        self._set_data(x=self.x, data_score=given.score(self.x) if hasattr(given, "score") else given)
        self._set_directions()

    def local_loss(self, score: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d)."""
        directions, M = self.directions, self.directions.shape[1]
        along = row_dot(directions, (score - self.data_score)[:, None, :])           # (n, M)  (8)
        term = row_dot(along, along) / 2 / M                                         # (n,)  (7)
        return term, {"score": _gathered(self.weights[:, None] / M * along, directions)}   # (n, d)  (9)


def _gathered(factors: Array, directions: Array) -> Array:
    """sum_r factors_r v_r: (n, M), (n, M, d) -> (n, d)."""
    return (factors[:, None, :] @ directions)[:, 0]
