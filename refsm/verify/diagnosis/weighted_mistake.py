"""A mistake under a weight of its level: any row of the list, times a positive number per level.

Symbols
    n points, k terms of a row (m), l levels of a group.
    term    (n,)     one of the terms of a row
    chosen  (n,)     1 for the points of level l, 0 for the others
    w       (C, l)   weight

Equations
    (1)  loss of a point = sum_l chosen_l w_l sum_k term_k                        [definition]
    (2)  value = sum_l sum_k c_kl mean chosen_l term_k + a constant,   c_kl = w_l

Derivation
    (2)  the mean of (1); the coefficients are free in the regression, and (1) holds where they
         do not depend on k.

Conventions
    Rows of weights, of points that are left out and of additional terms are not tried, nor those
    whose terms belong to the points together.  A positive weight of each level leaves the minimiser
    at each level what it is: the effect on training is that of the row alone.

Sources
    Ours.
"""
from __future__ import annotations

from typing import Any, Iterator, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.quantities import Unavailable
from refsm.verify.denoisers import per_point
from refsm.verify.diagnosis.precision import Tolerance
from refsm.verify.diagnosis.quadratic_form import (CLEAR, QuadraticForm, as_rounded,
                                                    levels_of_groups, of_level)
from refsm.verify.diagnosis.regression import Table, fit
from refsm.verify.diagnosis.weight_names import weight_of_levels
from refsm.verify.mistakes import Formula
from refsm.verify.objectives import Term

__all__ = ["weighted_mistake"]

APART = {"weight", "shifted", "pairs", "points", "extra"}          # roles
OTHER = "the loss has other minimisers at each level"


def weighted_mistake(table: Table, known: Sequence[Formula], Y: Array,
                     tolerance: Tolerance) -> QuadraticForm | None:
    """The row and the weight of the answers Y (C, T), if they are such a loss."""
    first = table.groups[0]
    if table.about.levels != "points":
        return None
    L = len(set(per_point(first)))
    rows = [Formula(formula.mistakes, tuple(_at_levels(formula, L))) for formula in known
            if len(formula.mistakes) == 1 and formula.mistakes[0].role not in APART]
    for found in sorted(fit(table, rows, Y, tolerance), key=lambda f: len(f.formula.terms)):
        if found.fits:
            found = as_rounded(found, tolerance)
            c, error = (part[:, :-1].reshape(len(part), -1, L)
                        for part in (found.coefficients, found.coefficient_error))  # (C, k, l)
            w = c.mean(axis=1)                                                      # (C, l)  (2)
            off = error.max(axis=1)
            if (np.abs(c - w[:, None]) <= error).all() and (off <= CLEAR * w).all():
                weight = weight_of_levels(w, off, levels_of_groups(table.groups), table.groups)
                if weight is not None:
                    (mistake,) = found.formula.mistakes
                    return QuadraticForm("", "", mistake.words, mistake.effect or OTHER, *weight)
    return None


def _at_levels(formula: Formula, L: int) -> Iterator[Term]:
    """The columns of (2): each term at each level."""
    for term in formula.terms:
        for l in range(L):
            def chosen(q: Any, term: Term = term, l: int = l) -> Array:
                values = q.once(("term", term.name), lambda: np.asarray(term.per_sample(q)))
                if values.shape != (q.case.n,):                      # it is of the points together
                    raise Unavailable
                return of_level(q, l) * values                                      # (n,)  (2)
            yield Term(term.role, f"level {l}: {term.name}", chosen)
