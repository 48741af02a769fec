"""Structural mistakes: wrong formulas, which no coefficient on the right terms can imitate.

A formula is what a loss computes, written as terms (functions of local quantities) each with a free
coefficient, and the mistakes that lead from the reference to it.  The reference has none.  Each
mistake is one row: `mistake` has the form and the shared tables, `implicit` (with `divergences` and
`directions`), `residual` (with `targets`), `binary`, `levels` (with `level_weights` and
`moved_levels`) and `weighted` the rows, `shared` what any objective may have.

Coefficients are no rows: 1/2 for 1, a sign, sigma for sigma^2 in the target, a dropped term are
scalings of the right terms (`refsm.verify.diagnosis.scaling`).
"""
from __future__ import annotations

from functools import lru_cache

from refsm.verify.mistakes.binary import binary
from refsm.verify.mistakes.implicit import implicit
from refsm.verify.mistakes.levels import levels
from refsm.verify.mistakes.mistake import Formula, Mistake, reference
from refsm.verify.mistakes.moved_levels import moved_levels
from refsm.verify.mistakes.residual import residual
from refsm.verify.mistakes.shared import (extra_terms, left_out, one_term_at_x,
                                          some_points)
from refsm.verify.mistakes.weighted import weighted
from refsm.verify.objectives import OBJECTIVES

__all__ = ["Formula", "Mistake", "formulas"]


@lru_cache(maxsize=None)
def formulas(objective: str, model: str | None) -> tuple[Formula, ...]:
    """Every formula for an objective on a model, the reference first.

    >>> formulas("ism", "tanh")[0].mistakes
    ()
    """
    about = OBJECTIVES[objective]
    kind = (binary if about.is_binary else levels if about.levels
            else weighted if objective == "generalized"
            else implicit if about.constant is None else residual)
    made = (formula for formula in kind(objective, model) if formula.mistakes)
    return (reference(objective), *made, *moved_levels(objective, model),
            *left_out(objective, model), *some_points(objective),
            *one_term_at_x(objective, model), *extra_terms(objective, model))
