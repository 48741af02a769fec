"""Minimum probability flow for binary data (Sohl-Dickstein, Battaglino & DeWeese 2011).

Symbols
    n points, i units (d); flip_i x is x with bit i flipped, q_i(x) = q(flip_i x), p_i likewise.
    x         (n, d)   binary points, 0 or 1, drawn from a distribution q
    gap       (n, d)   gap_i = E(flip_i x) - E(x) = log( p(x) / p_i(x) )
    flow      (n, d)   the rate at which probability flows from x to flip_i x
    weights   (n,)     w_n, 1/n unless given
    term      (n,)     the loss at one point

Equations
    (1)  term   = sum_i flow_i
    (2)  flow_i = exp(-gap_i / 2)
    (3)  d value / d gap_i = -1/2 weights flow_i
    what it estimates
    (4)  p flow_i = sqrt(p p_i)                                                             [result]
    (5)  E_q (1) = sum_x sum_i sqrt(q q_i)
                   + 1/2 sum_x sum_i ( sqrt(q) exp(-gap_i/4) - sqrt(q_i) exp(gap_i/4) )^2
                                                                                      [statement 48]

Derivation
    (2) -> (4)  exp(-gap_i / 2) = sqrt(p_i / p).  (4) is the same number at x and at flip_i x: in
                the process that leaves x for flip_i x at the rate flow_i, as much probability flows
                from x to flip_i x as back, and p is stationary (detailed balance).
    (2) -> (5)  Pair x with y = flip_i x, where gap_i(y) = -gap_i(x).  Together they contribute
                q exp(-gap_i / 2) + q_i exp(gap_i / 2) to E_q (1): a sum of two squares, which is
                twice the product of the roots, 2 sqrt(q q_i), plus the square of their difference.
                Each pair stands twice in the sum over all x, hence the 1/2; the first sum has
                sqrt(q q_i) once at x and once at y.
    (5)         is least where all squares are 0: exp(gap_i) = q / q_i, all ratios of the model are
                those of the data.  The first sum does not depend on the model.
    (1) -> (3)  d exp(-gap / 2) / d gap = -1/2 exp(-gap / 2), times weights_n.

Conventions
    The sum over all one-bit neighbours, the mean over points; no step size (often called epsilon)
    before the sum.  Sohl-Dickstein et al. leave out the neighbours that are data points themselves:
    (1) is then the rate at which probability leaves the set of data points, d KL(q || q_t) / dt at
    t = 0.  With them the minimiser in expectation is that of (5) for every q > 0, and each term is
    a function of one point.  Ratio matching and pseudo-likelihood measure the same ratios by
    bounded or logarithmic losses; here a gap of -g costs exp(g / 2), so that one point of tiny
    model probability can outweigh all others.

Sources
    Sohl-Dickstein, Battaglino & DeWeese, Minimum probability flow learning, ICML 2011: (1) with
    (2).  (5) is derived here.
"""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from refsm import validation
from refsm.objectives.objective import LocalLoss, Objective
from refsm.sums import column
from refsm.typing import Array, Given

__all__ = ["MinimumProbabilityFlow"]


@dataclass(frozen=True, eq=False, repr=False)
class MinimumProbabilityFlow(Objective):
    """sum_n weights_n sum_i exp(-gap_i / 2), equation (1).

    x (n, d) of zeros and ones; the value is a pure number > 0.  ValueError for any other entry of
    x, by its place, or for weights of another shape; OverflowError where a gap is so negative that
    exp(-gap / 2) is not finite.  Source: Sohl-Dickstein et al. (2011).

    A model without structure has no gaps, and each bit costs 1:

    >>> MinimumProbabilityFlow([[0, 1, 1]]).evaluate(gap=[[0, 0, 0]])[0]
    array([3.])
    """

    x: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("gap",)

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.all_binary(self.x, "x")

    def local_loss(self, gap: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the gaps (n, d)."""
        _check_exp(gap)
        flow = np.exp(-gap / 2)                                          # (n, d)  (2)
        term = flow.sum(axis=1)                                          # (n,)    (1)
        return term, {"gap": -column(self.weights) * flow / 2}           # (n, d)  (3)


def _check_exp(gap: Array) -> None:
    """OverflowError where exp(-gap / 2) is not finite."""
    least = -2 * np.log(np.finfo(gap.dtype).max)
    if gap.real.min() <= least:
        raise OverflowError(f"gap must be above {least:.6g} for exp(-gap / 2) to be finite, "
                            f"but the smallest is {gap.real.min():.6g}")
