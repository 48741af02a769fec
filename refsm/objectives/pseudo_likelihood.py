"""Pseudo-likelihood for binary data (Besag 1975): each bit predicted from all the others.

Symbols
    n points, i units (d).
    x         (n, d)   binary points, 0 or 1, drawn from a distribution q
    x_rest             x without bit i
    gap       (n, d)   gap_i = E(flip_i x) - E(x) = log( p(x) / p(flip_i x) )
    weights   (n,)     1/n unless given
    term      (n,)     the loss at one point

Equations
    (1)  term = sum_i softplus(-gap_i)
    (2)  d value / d gap_i = -weights sigmoid(-gap_i)
    (3)  p(x_i | x_rest) = sigmoid(gap_i)                                                 [result]
    (4)  (1) = -sum_i log p(x_i | x_rest)                                                 [result]
    (5)  E_q (1) = E_q sum_i [ KL( q(. | x_rest) || p(. | x_rest) ) + H( q(. | x_rest) ) ] [result]

Derivation
    (3)          given x_rest only x and flip_i x are possible:
                 p(x_i | x_rest) = p(x) / (p(x) + p(flip_i x)) = 1 / (1 + exp(-gap_i)).
                 Z stands in both and cancels.
    (3) -> (4)   -log sigmoid(gap) = log(1 + exp(-gap)) = softplus(-gap), which is (1).
    (4) -> (5)   a cross-entropy is a divergence plus an entropy, for each conditional; the
                 entropies do not depend on theta.  As in ratio matching, the least value is where
                 all conditionals agree.
    (1) -> (2)   d softplus(-gap) / d gap = -sigmoid(-gap), times weights_n.

Conventions
    MINUS the log pseudo-likelihood, to be minimised; natural logarithms; the sum over all d units,
    the mean over points.  Some code estimates the sum from one random unit per point, times d, and
    returns the logarithm itself (the opposite sign), or forgets the factor d.
    Ratio matching is the same comparison of conditionals with a squared error, sigmoid(-gap)^2, in
    the place of the logarithm: on a sample the two estimates differ.

Sources
    Besag, Statistical analysis of non-lattice data, The Statistician 24 (1975): (3) and (4).
    Hyvarinen, Some extensions of score matching, CSDA 51 (2007): ratio matching.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from refsm import validation
from refsm.objectives.objective import LocalLoss, Objective
from refsm.stable import sigmoid, softplus
from refsm.sums import column
from refsm.typing import Array, Given

__all__ = ["PseudoLikelihood"]


@dataclass(frozen=True, eq=False, repr=False)
class PseudoLikelihood(Objective):
    """sum_n weights_n sum_i softplus(-gap_i), equation (1): minus the log pseudo-likelihood.

    x (n, d) of zeros and ones; a term is in nats and not negative.  ValueError for any other entry
    of x, by its place, or for weights of another shape.  Source: Besag (1975).

    Where bit 1 is 0 or 1 with equal probability and bit 2 is certain, only bit 1 costs: log 2.

    >>> PseudoLikelihood([[0, 1]]).evaluate(gap=[[0.0, 1000.0]])[0].round(6)
    array([0.693147])
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
        term = softplus(-gap).sum(axis=1)                                  # (n,)  (1)
        to_gap = -weights * sigmoid(-gap)                                  # (n, d)  (2)
        return term, {"gap": to_gap}
