"""The gradient of a loss that nothing explains, against the differences of that loss itself.

Symbols
    theta  dict     the parameters of a case;  u a direction of one block, h a step
    value  number   the implementation's, at theta;  G its gradient for the block
    slope  number   of the value along u

Equations
    (1)  slope = (value(theta + h u) - value(theta - h u)) / (2 h)
    (2)  sum G u = slope

Derivation
    (1)  is the derivative + c h^2 + O(h^4): off by a third of what it differs from the slope of
         twice the step, which is allowed for.

Conventions
    One case of each of two groups, two directions per block.  Where the loss does not move with
    theta, as answers from a file do not, nothing is said.

Sources
    Ours.
"""
from __future__ import annotations

import dataclasses
from typing import Any, Callable, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.adapters.ask import AdapterError, ask
from refsm.verify.cases.case import Answer, Case
from refsm.verify.cases.derivatives import symmetric
from refsm.verify.diagnosis.findings import Finding

__all__ = ["against_own_loss"]

NOT_JUDGED = "the gradient is not compared with the reference's, which is that of another value"
OWN = ("the gradient is the derivative of your own loss, along random directions to {:.0e}: it is "
       "the value that differs")
STEPS = {True: (5e-4, 1e-4), False: (1.5e-2, 3e-2)}    # (h, relative allowance): float64, or not


def against_own_loss(implementation: Callable[[Case], Any], cases: Sequence[Case],
                     answers: Sequence[Answer], fine: bool,
                     time_limit: float) -> tuple[list[Finding], str]:
    """A finding for each block whose gradient is not the derivative of the implementation's own
    value, and a note.  `fine` says whether the values are those of float64."""
    if any(answer.gradient is None for answer in answers):
        return [], NOT_JUDGED
    h, allowed = STEPS[fine]
    rng, moved = np.random.default_rng(0), False
    findings: dict[str, Finding] = {}
    groups = [case.group for case in cases]
    for k in sorted({groups.index(group) for group in groups})[:2]:
        case, answer = cases[k], answers[k]
        for block in [b for b in case.theta if b not in findings for _ in range(2)]:
            assert answer.gradient is not None
            G = np.asarray(answer.gradient.get(block, np.zeros(case.theta[block].shape)))
            G = symmetric(case, {block: G})[block]
            u = symmetric(case, {block: rng.standard_normal(G.shape)})[block]
            slope, twice = (_slope(implementation, case, block, u, step, time_limit)
                            for step in (h, 2 * h))
            if slope is None or twice is None:
                return [], NOT_JUDGED
            along = float((G * u).sum())                                      # ()  (2)
            moved = moved or slope != 0
            size = abs(slope) + float(np.sqrt((G * G).sum()))
            if abs(along - slope) > allowed * size + abs(slope - twice):
                findings[block] = Finding(
                    block, "own", "the gradient for {} is not the derivative of your own loss: "
                    f"along a random direction it is {along:.4g}, and the loss has the slope "
                    f"{slope:.4g} ({case.id})")
    if not moved:
        return [], NOT_JUDGED
    return list(findings.values()), "" if findings else OWN.format(allowed)


def _slope(implementation: Callable[[Case], Any], case: Case, block: str, u: Array, h: float,
           time_limit: float) -> float | None:
    """(1), or None where the implementation does not answer."""
    values = []
    for sign in (1.0, -1.0):
        theta = {**case.theta, block: case.theta[block] + sign * h * u}
        moved = dataclasses.replace(case, theta=theta)
        try:
            values.append(ask(implementation, moved, time_limit, repeats=False).value)
        except AdapterError:
            return None
    return float(values[0] - values[1]) / (2 * h)                             # ()  (1)
