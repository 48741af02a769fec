"""Check an objective: its value against its terms, its gradient against its value.

Equations
    (1)  value = sum_n weights_n term_n
    (2)  gradient = d value / d theta
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from refsm.checks.gradient import check_gradient
from refsm.checks.model import EXACT, at_theta, check_finite_theta, same
from refsm.checks.vectors import accuracy_of
from refsm.checks.verdict import Report, combined
from refsm.energies.energy import Energy
from refsm.objectives.objective import Objective

__all__ = ["check_objective"]


def check_objective(J: Objective, model: Energy, *, accuracy: float = 1e-6,
                    rng: np.random.Generator | None = None,
                    complex_step: bool | None = None) -> Report:
    """Whether the value of an objective is the weighted sum of its terms, and its gradient the
    derivative of the value, leaf by leaf: (1) and (2).

    Arguments as in `refsm.check_gradient`; TypeError or ValueError where J does not take the model.

    >>> from refsm.energies.gaussian import Gaussian
    >>> from refsm.objectives.score_matching import ImplicitScoreMatching
    >>> J = ImplicitScoreMatching([[0.5, 0.0, 1.5]])
    >>> check_objective(J, Gaussian([1.0, 2.0, 3.0], np.eye(3))).verdict
    'PASS'
    """
    if not isinstance(J, Objective):
        raise TypeError(f"J must be an objective, but it is of type {type(J).__name__}")
    J.check_model(model)
    check_finite_theta(model)
    accuracy = accuracy_of(accuracy)
    value, gradient = J.value_and_gradient(model)
    terms = J.weights * J.per_sample(model)                                             # (n,)
    off = EXACT * np.full(2, abs(terms).sum())
    values = np.array([J.value(model), value])                                          # (2,)
    parts = [same("value", values, np.full(2, terms.sum()), off, accuracy)]             # (2,)  (1)
    if len(model.theta):
        alone = model.ravel(J.gradient(model))
        parts += [same("value_and_gradient", model.ravel(gradient), alone, EXACT * abs(alone),
                       accuracy)]

        def value_at(theta: Any) -> Any:
            return J.value(at_theta(model, theta))                                      # ()  (2)

        report = check_gradient(value_at, gradient, model.theta, accuracy=accuracy, rng=rng,
                                complex_step=complex_step)
        parts += [replace(part, subject="gradient with respect to") for part in report.parts]
    return combined(repr(J), parts)
