"""Explicit, implicit and regularised score matching (Hyvarinen 2005; Kingma & LeCun 2010).

Symbols
    n points, i visible dimensions (d).
    x             (n, d)   points, drawn from a density q
    psi           (n, d)   the model's score at x; `score` where it is an argument
    data_score    (n, d)   grad log q(x)
    divergence    (n,)     tr d psi / d x
    diagonal      (n, d)   d psi_i / d x_i
    weights       (n,)     1/n unless given
    strength      number   >= 0, the weight of the penalty, in the units of x squared
    r             (n, d)   psi - data_score
    term          (n,)     the loss at one point; value = sum_n weights_n term_n

Equations
    explicit
    (1)  term = 1/2 |psi - data_score|^2
    (2)  d value / d psi = weights (psi - data_score)
    implicit
    (3)  term = 1/2 |psi|^2 + divergence
    (4)  d value / d psi = weights psi;       d value / d divergence = weights
    regularised
    (5)  term = 1/2 |psi|^2 + sum_i diagonal_i + strength sum_i diagonal_i^2
    (6)  d value / d psi = weights psi;
         d value / d diagonal_i = weights (1 + 2 strength diagonal_i)
    in expectation over q
    (7)  E_q (1) = E_q (3) + 1/2 E_q |grad log q|^2                                  [statement 2]

Derivation
    (1) -> (7)  Expand the square:
                E_q (1) = 1/2 E_q |psi|^2 - E_q psi.grad log q + 1/2 E_q |grad log q|^2.
                The cross term, dimension by dimension, with q grad log q = grad q:
                E_q psi_i d_i log q = integral psi_i(x) d_i q(x) dx.
                Integrate by parts along x_i, the other coordinates fixed:
                integral psi_i d_i q dx_i = [ psi_i q ]  -  integral q d_i psi_i dx_i,
                where [ ] is the difference of the limits at x_i = +inf and -inf.  If both limits
                are 0, as they are under the conditions below,
                E_q psi_i d_i log q = -E_q d_i psi_i,
                and the sum over i is minus the expected divergence.  The last term of the square
                does not depend on theta: (1) and (3) have the same gradients and minimisers.
    -> (2), (4), (6)  elementwise derivatives of the terms, times weights_n.

    Conditions for (7).  For each i:
    (a) along almost every line parallel to axis i, q and q psi_i are absolutely continuous on every
        bounded interval (q being 0 outside its support), so that the step by parts is allowed;
    (b) E_q |psi|^2, E_q |grad log q|^2 and E_q |d_i psi_i| are finite.
    By (b) the derivative of q psi_i is integrable along the line, so that q psi_i has limits at
    both ends; q psi_i is itself integrable, so that the limits are 0.  What (a) excludes:
        an edge.  Where q ends with a positive density (data in [0, 1], waiting times), q psi_i
        jumps at the edge, and (7) is off by the values of q psi_i there;
        a kink.  Where the energy has one (hidden units max(a, 0)), psi jumps.  The divergence that
        is computed point by point omits the jump, and E_q (3) falls short of (7) by q(0) times the
        jump, at 0 say, in one dimension                                             [statement 26].

    Why 1/2.  The square has twice the cross term, so that the divergence gets the factor 1, and the
    cotangent (2) is the weighted residual itself.

    What the minimum says.  If q > 0 everywhere and (1) has the expectation 0, then psi = grad log q
    almost everywhere, so that log p - log q is a constant, and p = q because both integrate to 1.
    If only one theta gives p = q, the minimiser is that one (Hyvarinen 2005, theorem 2).
    What it is blind to.  A constant on each region where q is: if two regions are (nearly)
    separated by a gap without mass, their relative weight is (nearly) invisible.  Two unit normals
    at -8 and 8 with weights 0.9 and 0.1 for data with 0.5 and 0.5 have E_q (1) = 4e-14, at a
    divergence KL(q, p) = 0.51                                                       [statement 27].

    A finite sample.  The step by parts has no counterpart there: the means of (1) and (3) over
    points differ by an amount that depends on theta.  And (3) has no minimum if the model is rich
    enough: a density that peaks at every point has psi = 0 and a divergence that falls without
    bound.  A Parzen density on its own points has the loss -d / h^2 as its bandwidth h falls
    [statement 28].  Three ways out: a model that cannot peak; the penalty of (5), which grows with
    the square of the divergence's terms; noise, as in `refsm.objectives.denoising`, whose loss is a
    square and never negative.

Conventions
    The factor 1/2, the sum over dimensions, the mean over points.  Hyvarinen (2005) states (3) as
    sum_i (d_i psi_i + psi_i^2 / 2), which is this.  Other code has |psi|^2 and twice the divergence
    (a multiple, 2) or the mean over dimensions (a multiple, 1/d).  |psi|^2 + divergence, without
    the 1/2 on the norm alone, is a DIFFERENT objective, not a multiple.  With the Hessian of E in
    place of the Jacobian of psi the divergence has the wrong sign: by the same integration by parts
    the minimiser is then psi = -grad log q, the energy upside down.

Sources
    Hyvarinen, Estimation of non-normalized statistical models by score matching, JMLR 6 (2005),
    theorem 1: (7), and theorem 2: the minimum.
    Kingma & LeCun, Regularized estimation of image statistics by score matching, NIPS 2010: (5).
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from refsm import validation
from refsm.objectives.objective import LocalLoss, Objective
from refsm.sums import column, row_dot
from refsm.typing import Array, Given

__all__ = ["ExplicitScoreMatching", "ImplicitScoreMatching", "RegularizedScoreMatching"]


@dataclass(frozen=True, eq=False, repr=False)
class ExplicitScoreMatching(Objective):
    """sum_n weights_n 1/2 |psi(x_n) - grad log q(x_n)|^2, equation (1).

    x (n, d); data_score is grad log q at x as an (n, d) array, or a density with a `score`.  The
    value is in the units of 1 / x^2.  ValueError for shapes that disagree.
    Source: Hyvarinen (2005).

    The score of N(0, 1/2) is -2 x and that of N(0, 1) is -x: at x = 3 the term is 1/2 (-6 + 3)^2.

    >>> J = ExplicitScoreMatching([[3.0]], data_score=[[-3.0]])
    >>> J.evaluate(score=[[-6.0]])[0]
    array([4.5])
    """

    x: Given
    data_score: Any
    weights: Given = field(default=None, kw_only=True)

    reads = ("score",)
    per_point = ("x", "data_score", "weights")

    def __post_init__(self) -> None:
        if hasattr(self.data_score, "score"):
            self._set(data_score=self.data_score.score(self.x))
        super().__post_init__()

    def local_loss(self, score: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d)."""
        psi, weights = score, column(self.weights)
        r = psi - self.data_score
        term = row_dot(r, r) / 2                                           # (n,)  (1)
        to_psi = weights * r                                               # (n, d)  (2)
        return term, {"score": to_psi}


@dataclass(frozen=True, eq=False, repr=False)
class ImplicitScoreMatching(Objective):
    """sum_n weights_n ( 1/2 |psi(x_n)|^2 + div psi(x_n) ), equation (3).

    x (n, d).  The value is in the units of 1 / x^2, and its expectation is negative where the model
    fits.  ValueError for x that is not (n, d) or not finite.  Source: Hyvarinen (2005), theorem 1.

    For N(0, 1), psi = -x and div psi = -1: at x = 3 the term is 9/2 - 1.

    >>> ImplicitScoreMatching([[3.0]]).evaluate(score=[[-3.0]], divergence=[-1.0])[0]
    array([3.5])
    """

    x: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("score", "divergence")

    def local_loss(self, score: Array, divergence: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d) and its divergence (n,)."""
        psi, weights = score, self.weights
        term = row_dot(psi, psi) / 2 + divergence                          # (n,)  (3)
        to_psi = column(weights) * psi                                     # (n, d)  (4)
        return term, {"score": to_psi, "divergence": weights}


@dataclass(frozen=True, eq=False, repr=False)
class RegularizedScoreMatching(Objective):
    """sum_n weights_n ( 1/2 |psi|^2 + sum_i d_i psi_i + strength sum_i (d_i psi_i)^2 ), (5).

    x (n, d); strength >= 0.  The penalty smooths the estimate where data are few, and bounds every
    term from below, by -d / (4 strength).  With strength = sigma^2 / 2 it is, under conditions that
    statement 14 names, the next term of denoising score matching in sigma.  The value is in the
    units of 1 / x^2, strength in those of x^2.  ValueError for a negative strength.
    Source: Kingma & LeCun (2010).

    For N(0, 1) at x = 3 with strength 0.1: 9/2 - 1 + 0.1.

    >>> J = RegularizedScoreMatching([[3.0]], strength=0.1)
    >>> J.evaluate(score=[[-3.0]], diagonal=[[-1.0]])[0]
    array([3.6])
    """

    x: Given
    strength: float
    weights: Given = field(default=None, kw_only=True)

    reads = ("score", "diagonal")

    def __post_init__(self) -> None:
        self._set(strength=validation.not_negative(self.strength, "strength"))
        super().__post_init__()

    def local_loss(self, score: Array, diagonal: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d) and the diagonal of its Jacobian (n, d)."""
        psi, weights, strength = score, column(self.weights), self.strength
        penalty = strength * row_dot(diagonal, diagonal)
        term = row_dot(psi, psi) / 2 + diagonal.sum(axis=1) + penalty      # (n,)  (5)
        to_psi = weights * psi                                             # (n, d)  (6)
        to_diagonal = weights * (1 + 2 * strength * diagonal)              # (n, d)  (6)
        return term, {"score": to_psi, "diagonal": to_diagonal}
