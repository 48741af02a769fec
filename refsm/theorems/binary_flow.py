"""Minimum probability flow: statement 48, by enumeration.

    48  E_q J_MPF = sum_x sum_i sqrt(q q_i)
                    + 1/2 sum_x sum_i ( sqrt(q) exp(-gap_i/4) - sqrt(q_i) exp(gap_i/4) )^2
        for every q on {0, 1}^d; so its gradient is 0 where the model is q

Derivation: (5) of `refsm.objectives.minimum_probability_flow`.  Here exp(gap_i) is p / p_i of the
normalised, enumerated p, and no energy gap is used on the right-hand side.
"""
from __future__ import annotations

import numpy as np

from refsm.enumeration import binary_points
from refsm.objectives.minimum_probability_flow import MinimumProbabilityFlow
from refsm.theorems.binary import D, ROUNDINGS, flipped, models, normalised
from refsm.theorems.statement import UNIT, Statement, equal

__all__ = ["GROUP", "LETTERS", "MAKERS", "probability_flow"]

GROUP = "Binary data, and the partition function"
LETTERS = "J_MPF: minimum probability flow"


def probability_flow() -> list[Statement]:
    """Statement 48 for a random q on all points and each model; the zero gradient at q = p."""
    x = binary_points(D)
    q = np.random.default_rng(480).dirichlet(np.ones(len(x)))
    out = []
    for model in models():
        energy, p = normalised(model)
        ratio = p[:, None] / flipped(p)
        least = np.sqrt(q[:, None] * flipped(q)).sum()
        squares = (np.sqrt(q[:, None]) * ratio**-0.25 - np.sqrt(flipped(q)) * ratio**0.25)**2
        J = MinimumProbabilityFlow(x, weights=q).value(model)
        where = f"{type(model).__name__}, all {len(x)} points"
        bound = ROUNDINGS * UNIT * J * (1 + np.abs(energy).max())
        out.append(equal(48, "E_q J_MPF = sum sqrt(q q_i) + 1/2 sum of squares",
                         f"{where}, random q", J, least + squares.sum() / 2, bound, "enumeration"))
        gradient = model.ravel(MinimumProbabilityFlow(x, weights=p).gradient(model))
        size = np.sqrt(p[:, None] * flipped(p)).sum() * (1 + np.abs(energy).max())
        out.append(equal(48, "gradient of J_MPF at q = p is 0", f"{where}, q = p", gradient,
                         np.zeros(len(gradient)), ROUNDINGS * UNIT * size, "enumeration"))
    return out


MAKERS = [probability_flow]
