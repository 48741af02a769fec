"""Explicit, implicit and regularised score matching (Hyvarinen 2005; Kingma & LeCun 2010).

Symbols
    n points, i visible dimensions (d).
    x             (n, d)   points, drawn from a density q
    psi           (n, d)   the model's score at x; `score` where it is an argument
    data_score    (n, d)   grad log q(x)
    divergence    (n,)     tr d psi / d x
    diagonal      (n, d)   d psi_i / d x_i
    weights       (n,)     w_n, 1/n unless given
    strength      number   lambda >= 0, the weight of the penalty, in the units of x squared
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
    (6)  d value / d psi = weights psi;       d value / d diagonal_i = weights (1 + 2 strength diagonal_i)
    in expectation over q
    (7)  E_q (1) = E_q (3) + 1/2 E_q |grad log q|^2                                   [theorem 2]

Derivation
    (1) -> (7)  Expand the square:  E_q (1) = 1/2 E_q |psi|^2 - E_q psi.grad log q + 1/2 E_q |grad log q|^2.
                The cross term, dimension by dimension, with q grad log q = grad q:
                E_q psi_i d_i log q = integral psi_i(x) d_i q(x) dx.
                Integrate by parts along x_i, the other coordinates x_rest fixed:
                integral psi_i d_i q dx_i = [ psi_i q ] from x_i = -inf to +inf  -  integral q d_i psi_i dx_i.
                The boundary term vanishes where  q(x) psi(x) -> 0 as |x| -> inf, which is Hyvarinen's condition (besides
                differentiable q and psi, and finite expectations); densities with bounded support (pixels in [0, 1], say)
                need not satisfy it, and then (7) is false.  Hence
                E_q psi_i d_i log q = -E_q d_i psi_i, and the sum over i is minus the expected divergence.
                The last term does not depend on theta: (1) and (3) have the same gradients and the same minimisers.
    On a finite sample the step by parts has no counterpart: the means of (1) and (3) over points differ by an amount that depends
    on theta.  `refsm.theorems` shows the gap.
    (1) -> (2), (3) -> (4), (5) -> (6)  elementwise derivatives of the terms, times weights_n.

Conventions
    The factor 1/2, the sum over dimensions, the mean over points.  Hyvarinen (2005) states (3) as sum_i (d_i psi_i + psi_i^2 / 2), which is
    this.  Code in the field writes it without the 1/2 (a factor 2 on |psi|^2 and 1 on the divergence is then a
    DIFFERENT objective, not a multiple), with the mean over dimensions (a multiple, 1/d), or with the Hessian of E in
    place of the Jacobian of psi (the sign of the divergence: by the same integration by parts the minimiser is then
    psi = -grad log q, the energy upside down).

Sources
    Hyvarinen, Estimation of non-normalized statistical models by score matching, JMLR 6 (2005), theorem 1: (7).
    Kingma & LeCun, Regularized estimation of image statistics by score matching, NIPS 2010: (5).
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from refsm import validation
from refsm.sums import row_dot
from refsm.objectives.objective import LocalLoss, Objective
from refsm.typing import Array, Given

__all__ = ["ExplicitScoreMatching", "ImplicitScoreMatching", "RegularizedScoreMatching"]


@dataclass(frozen=True, eq=False, repr=False)
class ExplicitScoreMatching(Objective):
    """sum_n weights_n 1/2 |psi(x_n) - grad log q(x_n)|^2, equation (1).

    x (n, d); data_score is grad log q at x as an (n, d) array, or a density with a `score`.  The value is in the units of 1 / x^2.
    ValueError for shapes that disagree.  Source: Hyvarinen (2005).

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
        given = self.data_score
        self._set_data(x=self.x, data_score=given.score(self.x) if hasattr(given, "score") else given)

    @property
    def points(self) -> Array:
        """The points x."""
        return self.x

    def local_loss(self, score: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d)."""
        r = score - self.data_score
        return row_dot(r, r) / 2, {"score": self.weights[:, None] * r}                  # (n,), (n, d)  (1) (2)


@dataclass(frozen=True, eq=False, repr=False)
class ImplicitScoreMatching(Objective):
    """sum_n weights_n ( 1/2 |psi(x_n)|^2 + div psi(x_n) ), equation (3).

    x (n, d).  The value is in the units of 1 / x^2 and is negative where the model fits.  ValueError for x that is not (n, d) or not
    finite.  Source: Hyvarinen (2005), theorem 1.

    For N(0, 1), psi = -x and div psi = -1: at x = 3 the term is 9/2 - 1.

    >>> ImplicitScoreMatching([[3.0]]).evaluate(score=[[-3.0]], divergence=[-1.0])[0]
    array([3.5])
    """

    x: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("score", "divergence")

    def __post_init__(self) -> None:
        self._set_data(x=self.x)

    @property
    def points(self) -> Array:
        """The points x."""
        return self.x

    def local_loss(self, score: Array, divergence: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d) and its divergence (n,)."""
        psi, weights = score, self.weights
        term = row_dot(psi, psi) / 2 + divergence                                       # (n,)  (3)
        return term, {"score": weights[:, None] * psi, "divergence": weights}           # (n, d), (n,)  (4)


@dataclass(frozen=True, eq=False, repr=False)
class RegularizedScoreMatching(Objective):
    """sum_n weights_n ( 1/2 |psi|^2 + sum_i d_i psi_i + strength sum_i (d_i psi_i)^2 ), equation (5).

    x (n, d); strength >= 0.  The penalty smooths the estimate where data are few; with strength = sigma^2 / 2 it is, under conditions that
    `refsm.theorems` states, the next term of denoising score matching in sigma.  The value is in the units of
    1 / x^2, strength in those of x^2.  ValueError for a negative strength.  Source: Kingma & LeCun (2010).

    For N(0, 1) at x = 3 with strength 0.1: 9/2 - 1 + 0.1.

    >>> RegularizedScoreMatching([[3.0]], strength=0.1).evaluate(score=[[-3.0]], diagonal=[[-1.0]])[0]
    array([3.6])
    """

    x: Given
    strength: float
    weights: Given = field(default=None, kw_only=True)

    reads = ("score", "diagonal")

    def __post_init__(self) -> None:
        self._set(strength=validation.not_negative(self.strength, "strength"))
        self._set_data(x=self.x)

    @property
    def points(self) -> Array:
        """The points x."""
        return self.x

    def local_loss(self, score: Array, diagonal: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d) and the diagonal of its Jacobian (n, d)."""
        psi, weights, strength = score, self.weights[:, None], self.strength
        term = row_dot(psi, psi) / 2 + diagonal.sum(axis=1) + strength * row_dot(diagonal, diagonal)   # (n,)  (5)
        return term, {"score": weights * psi, "diagonal": weights * (1 + 2 * strength * diagonal)}     # (n, d) each  (6)
