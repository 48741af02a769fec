"""The diagnosis: match, regress on terms, read the coefficients, look through the mistakes.

The answers are compared with every formula at once, the reference among them, in the finest
precision that they can be in.  A formula explains them when every group is met to rounding and
every coefficient follows a scaling.  The simplest explanation is reported, its equals beside it,
and the distance of the next formula says how sure that is.  If nothing fits, the report says so.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.diagnosis.explanation import Explanation, explanations, the_reference
from refsm.verify.diagnosis.other_points import other_points
from refsm.verify.diagnosis.point_masks import point_masks
from refsm.verify.diagnosis.precision import COARSE, FLOAT64, Tolerance, tolerances
from refsm.verify.diagnosis.quadratic_form import QuadraticForm, quadratic_form
from refsm.verify.diagnosis.regression import Fit, Table, fit, fit_known, table_of
from refsm.verify.diagnosis.weighted_mistake import weighted_mistake
from refsm.verify.mistakes import Formula, formulas
from refsm.verify.mistakes.levels import with_pairs

__all__ = ["Diagnosis", "diagnose"]

FARTHER = 10               # a formula is the nearer one if it is so many times nearer per mistake
NEARLY = 1e-3              # coefficients that are 1 but for this say nothing in less than float64


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What the values say.  `explanation` is None where nothing explains them."""

    tolerance: Tolerance
    table: Table
    answers: Array                             # (C, T)
    explanation: Explanation | None
    equals: tuple[Explanation, ...] = ()       # those that fit as well and are as simple
    nearest: Fit | None = None                 # what comes next, or nearest where nothing fits
    weights: Array | None = None               # (C,) what all terms of a group share, if no scaling
    coefficients: Fit | None = None            # the right terms with coefficients of no scaling
    form: QuadraticForm | None = None          # of a loss that is weighted by level

    @property
    def matches(self) -> bool:
        """Whether the reference's own values came back."""
        return self.explanation is not None and self.explanation.is_reference

    @property
    def resolution(self) -> float | None:
        """The smallest relative error of any one coefficient that would have been seen."""
        e = self.explanation
        return None if e is None else float(e.fit.coefficient_error[:, :-1].max())

    @property
    def right(self) -> Array:
        """Which answers are the reference's, (C, T)."""
        off = np.abs(self.answers - self.table.reference)
        return off <= self.tolerance(self.table.scale)


def diagnose(cases: Sequence[Case], values: Sequence[float] | Array, dtypes: Sequence[str] = (),
             left_out: Sequence[str] = (), search: str = "known") -> Diagnosis:
    """The explanation of the values of cases of one objective and one model.

    `left_out` are identities of mistakes that it must do without, for the self-test.  `search` says
    among which formulas: those that are "known", the reference and its "weights" alone, or
    "anywhere", also at points of reading that are on no list, which takes long.

    >>> from refsm.verify.cases import cases, value
    >>> some = cases("ism", "prime")
    >>> str(diagnose(some, [2 * value(case) for case in some]).explanation.factor)
    '2'
    """
    table = table_of(tuple(cases))
    v = np.asarray(values, dtype=float)
    Y = v[table.index]
    known = [formula for formula in formulas(table.objective, table.model)
             if not {mistake.id for mistake in formula.mistakes} & set(left_out)
             and (search != "weights" or all(m.role == "weight" for m in formula.mistakes))]
    kept = set(map(id, known))
    tried = tolerances(v, dtypes)
    fits: list[Fit] = []
    listed: list[tuple[int, Diagnosis]] = []   # of forms in numbers, which single precision names?
    if tried[0].relative > COARSE or _without_theta(Y, tried[0]):
        return Diagnosis(tried[0], table, Y, None)
    for tolerance in tried:
        base = next((f for f in fit(table, [known[0]], Y, tolerance) if f.fits), None)
        if base is not None:
            own = (the_reference(table, base, Y, tolerance)
                   or next(iter(explanations(table, base, Y, tolerance)), None))
            if own is not None and own.is_convention:
                return Diagnosis(tolerance, table, Y, own)
        fits = (fit(table, known, Y, tolerance) if search == "weights" else
                [f for f in fit_known(table, Y, tolerance) if id(f.formula) in kept])
        found = ([e for f in fits if f.fits for e in explanations(table, f, Y, tolerance)]
                 or [e for f in _weighted_twice(table, known, fits, Y, tolerance)
                     for e in explanations(table, f, Y, tolerance)])
        if found:
            return _simplest(tolerance, table, Y, found, fits)
        form = (quadratic_form(table, Y, tolerance, search != "weights")
                or weighted_mistake(table, known, Y, tolerance))
        shared = base is not None and table.objective == "dsm"
        if form is not None and form.words and not shared:
            if not form.numbers or base is not None:
                return Diagnosis(tolerance, table, Y, None, form=form)
            listed.append((form.numbers, Diagnosis(tolerance, table, Y, None, form=form)))
        masks = [] if search == "weights" else point_masks(table, Y, tolerance)
        found = [e for f in fit(table, masks, Y, tolerance)
                 for e in explanations(table, f, Y, tolerance)]
        if found:
            return _simplest(tolerance, table, Y, found, fits)
        if base is not None:
            nearly = (np.abs(base.coefficients[:, :-1] - 1) < NEARLY).all()
            if tolerance is FLOAT64 or not nearly:
                return Diagnosis(tolerance, table, Y, None, weights=_shared(base),
                                 coefficients=base)
    if listed:
        return min(listed, key=lambda of: of[0])[1]
    elsewhere = other_points(table, Y, tried) if search == "anywhere" else None
    if elsewhere is not None:
        form, tolerance = elsewhere
        return Diagnosis(tolerance, table, Y, None, form=form)
    plain = [f for f in fits if not any(m.role == "extra" for m in f.formula.mistakes)]
    return Diagnosis(tried[0], table, Y, None,
                     nearest=min(plain, key=lambda f: f.distance * FARTHER**len(f.formula.mistakes),
                                 default=None))


def _weighted_twice(table: Table, known: Sequence[Formula], fits: Sequence[Fit], Y: Array,
                    tolerance: Tolerance) -> list[Fit]:
    """The weights of levels that fit, if each group has a factor, with the weights of all points:
    the weight that a loss has for its kind of output, and one that is broadcast beside it, which
    is another factor of each group: they fit too."""
    weights = [f.formula for f in fits if f.fits and f.formula.mistakes
               and f.formula.mistakes[0].role == "weight" and _shared(f) is not None]
    pairs = [formula.mistakes[0] for formula in known if formula.mistakes
             and formula.mistakes[0].role == "pairs"]
    return fit(table, [with_pairs(formula, row) for formula in weights for row in pairs
                       if row.id != "pairs.all"], Y, tolerance)


def _simplest(tolerance: Tolerance, table: Table, Y: Array, found: list[Explanation],
              fits: list[Fit]) -> Diagnosis:
    """The simplest explanation, those as simple, and the nearest formula that does not fit."""
    def cost(e: Explanation) -> float:
        return round(e.complexity, 6)

    best, *rest = sorted(found, key=cost)          # of equals the first that is known
    equals = tuple(e for e in rest if cost(e) == cost(best))
    return Diagnosis(tolerance, table, Y, best, equals,
                     min((f for f in fits if not f.fits), key=lambda f: f.distance, default=None))


def _without_theta(Y: Array, tolerance: Tolerance) -> bool:
    """Whether the answers are the same for all thetas of every group."""
    return bool((np.ptp(Y, axis=1) <= 2 * tolerance(np.abs(Y).max(axis=1))).all())


def _shared(found: Fit) -> Array | None:
    """The coefficient that all terms of a group share, (C,), if they do."""
    c, error = (a[:, :-1] for a in (found.coefficients, found.coefficient_error))
    middle = c.mean(axis=1, keepdims=True)
    return middle.ravel() if (np.abs(c - middle) <= error).all() else None
