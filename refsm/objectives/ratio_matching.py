"""Ratio matching for binary data (Hyvarinen 2007): match ratios of probabilities; Z cancels.

Symbols
    n points, i units (d); flip_i x is x with bit i flipped, q_i(x) = q(flip_i x) and
    p_i(x) = p(flip_i x).
    x         (n, d)   binary points, 0 or 1, drawn from a distribution q
    gap       (n, d)   gap_i = E(flip_i x) - E(x) = log( p(x) / p_i(x) )
    s, s1     (n, d)   sigmoid(-gap_i) and its slope
    weights   (n,)     1/n unless given
    term      (n,)     the loss at one point

Equations
    (1)  term = sum_i s_i^2
    (2)  s_i  = sigmoid(-gap_i),  s1_i = sigmoid(gap_i) sigmoid(-gap_i)
    (3)  d value / d gap_i = -2 weights s_i s1_i
    what it estimates
    (4)  g(u) = 1 / (1 + u)                                                           [definition]
    (5)  a_i  = g(q / q_i) = q_i / (q + q_i),  r_i = g(p / p_i)                       [definition]
    (6)  E_q sum_i (a_i - r_i)^2 = E_q (1) - E_q sum_i a_i (1 - a_i)                 [statement 9]
    (7)  D = E_q sum_i [ (a_i - r_i)^2 + (g(q_i / q) - g(p_i / p))^2 ]
           = 2 E_q sum_i (a_i - r_i)^2                                               [statement 9]

Derivation
    (4)          maps a ratio in [0, inf] to [0, 1]: where q > 0 and q_i = 0, g(inf) = 0.  Where
                 q = q_i = 0 the ratio is 0/0 and a_i has no value; such points have the weight 0 in
                 E_q, and the sums below leave them out.
                 g(u) + g(1/u) = 1:  1 / (1 + u) + u / (1 + u).
    (5) -> (1)   p / p_i = exp(gap_i), so r_i = 1 / (1 + exp(gap_i)) = sigmoid(-gap_i) = s_i: the
                 model's probability that bit i, given the others, is NOT what it is in x.  (1) is
                 therefore sum_i r_i^2.
    (5) -> (6)   Expand the square:
                 E_q (a_i - r_i)^2 = E_q a_i^2 - 2 E_q a_i r_i + E_q r_i^2.
                 The cross term contains the unknown q through a_i.  Pair x with y = flip_i x: the
                 sum over all x runs over all y as well, a_i(y) = 1 - a_i(x), r_i(y) = 1 - r_i(x),
                 and  q(x) a_i(x) = q q_i / (q + q_i)  is the same number at x and at y.  Hence
                 E_q a_i r_i = sum_x q a_i r_i = 1/2 sum_x q a_i [ r_i + (1 - r_i) ] = 1/2 E_q a_i:
                 the cross term does not depend on the model.  And E_q a_i^2 - E_q a_i =
                 -E_q a_i (1 - a_i).  What is left of theta is E_q r_i^2 = E_q s_i^2, a mean over
                 data; no integration by parts, no boundary, any q.
    (7)          Hyvarinen's definition has two squares, for the ratio and for its inverse.  By
                 g(u) + g(1/u) = 1,
                 g(q_i / q) - g(p_i / p) = (1 - a_i) - (1 - r_i) = -(a_i - r_i):
                 the two are equal, and D is twice the left side of (6).
    (6) is 0, its least value, exactly where every conditional of p equals that of q at every x with
    q(x) > 0; if q > 0 everywhere, all ratios of neighbours agree, and p = q.
    (1) -> (3)   d s_i / d gap_i = -s1_i, times 2 s_i, times weights_n.

Conventions
    No 1/2, the sum over units, the mean over points: (1) is Hyvarinen's objective.  A model without
    structure has all gaps 0 and the term d / 4 at every point.  Some code scales it to 1 there
    (times 4/d).  Units -1 and 1 in the place of 0 and 1 change nothing.  A factor 1/2 in front of D
    makes it (6) itself.

Sources
    Hyvarinen, Some extensions of score matching, CSDA 51 (2007), the section on binary variables:
    (1), (7) and the result (6).
"""
from __future__ import annotations

from dataclasses import dataclass, field

from refsm import validation
from refsm.objectives.objective import LocalLoss, Objective
from refsm.stable import sigmoid_and_slope
from refsm.sums import column
from refsm.typing import Array, Given

__all__ = ["RatioMatching"]


@dataclass(frozen=True, eq=False, repr=False)
class RatioMatching(Objective):
    """sum_n weights_n sum_i sigmoid(-gap_i)^2, equation (1).

    x (n, d) of zeros and ones; a term is a pure number between 0 and d.  ValueError for any other
    entry of x, by its place, or for weights of another shape.  Source: Hyvarinen (2007).

    A model without structure has no gaps, and each bit costs 1/4:

    >>> RatioMatching([[0, 1, 1]]).evaluate(gap=[[0, 0, 0]])[0]
    array([0.75])
    """

    x: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("gap",)

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.all_binary(self.x, "x")

    def local_loss(self, gap: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the gaps (n, d)."""
        weights = column(self.weights)
        s, s1 = sigmoid_and_slope(-gap)                                    # (n, d)  (2)
        term = (s * s).sum(axis=1)                                         # (n,)  (1)
        to_gap = -2 * weights * s * s1                                     # (n, d)  (3)
        return term, {"gap": to_gap}
