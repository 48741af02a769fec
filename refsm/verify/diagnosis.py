"""From answers to an explanation: match, regress on terms, read the laws, look into the bank; and say so where nothing fits.

The answers are compared with every formula of the bank at once, the reference among them, in the finest precision that they can be in.
A formula explains them when every cell is met to rounding and every coefficient follows a law; the simplest explanation is told, its
equals are told beside it, and the distance of the next one says how sure that is.  An explanation that fits nothing is not stretched.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.bank import formulas
from refsm.verify.cases import Case
from refsm.verify.precision import COARSE, Unit, units
from refsm.verify.reading import Reading, readings, the_reference
from refsm.verify.regression import Fit, Table, fit

__all__ = ["Diagnosis", "diagnose"]


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What the values say.  `reading` is None where nothing explains them; `equals` fit as well and are as simple."""

    unit: Unit
    table: Table
    answers: Array                                   # (C, T)
    reading: Reading | None
    equals: tuple[Reading, ...] = ()
    nearest: tuple[Fit, ...] = ()                    # what comes next, or what comes nearest where nothing fits
    weights: Array | None = None                     # (C,) a factor that every term of a cell shares, where it follows no law
    coefficients: Fit | None = None                  # the right terms with coefficients that follow no law
    notes: tuple[str, ...] = field(default=())

    @property
    def matches(self) -> bool:
        """Whether the reference's own values came back."""
        return self.reading is not None and self.reading.is_reference

    @property
    def resolution(self) -> float:
        """The smallest relative error of any one coefficient that would have been seen."""
        base = self.reading.fit if self.reading is not None else self.nearest[0]      # there is one where this is asked
        return float(base.slack[:, :-1].max())


def diagnose(cases: Sequence[Case], values: Sequence[float] | Array, dtypes: Sequence[str] = (), left_out: Sequence[str] = (),
             table: Table | None = None) -> Diagnosis:
    """The explanation of the values of cases of one objective and one model.

    `left_out` are slips that the bank must do without, for its self-test; `table` holds what is already computed for these cases.

    >>> from refsm.verify.cases import cases
    >>> from refsm.verify.terms import value
    >>> some = cases("ism", "prime")
    >>> diagnose(some, [2 * value(case) for case in some]).reading.factor
    Law(kappa=2.0, powers=(), extra=None)
    """
    table = Table(cases) if table is None else table
    v = np.asarray(values, dtype=float)
    Y = v[table.index]
    known = [f for f in formulas(cases[0].objective, cases[0].model) if not set(f.slips) & set(left_out)]
    tried = units(v, dtypes)
    fits: list[Fit] = []
    if tried[0].relative > COARSE or _without_theta(Y, tried[0]):
        return Diagnosis(tried[0], table, Y, None)
    for unit in tried:
        base = fit(table, known[:1], Y, unit)
        same = the_reference(table, base[0], Y, unit) if base else None
        if same is not None:
            return Diagnosis(unit, table, Y, same)
        found = [r for f in base if f.fits for r in readings(table, f, Y, unit)[:1]]
        if found and found[0].is_convention and found[0].complexity < 2.0:
            return Diagnosis(unit, table, Y, found[0], (), ())
        fits = fit(table, known, Y, unit)
        found = [r for f in fits if f.fits for r in readings(table, f, Y, unit)]
        if found:
            return _told(unit, table, Y, found, fits)
        if base and base[0].fits:
            return Diagnosis(unit, table, Y, None, (), tuple(sorted(fits, key=lambda f: f.misfit)[1:3]), _shared(base[0]), base[0])
    return Diagnosis(tried[0], table, Y, None, (), tuple(sorted(fits, key=lambda f: f.distance)[:3]))


def _told(unit: Unit, table: Table, Y: Array, found: list[Reading], fits: list[Fit]) -> Diagnosis:
    """The simplest reading, those as simple, and the nearest formula that does not fit."""
    order = {id(f.formula): k for k, f in enumerate(fits)}
    found.sort(key=lambda reading: (round(reading.complexity, 6), order[id(reading.fit.formula)]))
    best = found[0]
    equals = [r for r in found[1:] if r.complexity <= best.complexity + 1e-9 and (r.slips, r.changes) != (best.slips, best.changes)]
    others = sorted((f for f in fits if not f.fits), key=lambda f: f.distance)
    return Diagnosis(unit, table, Y, best, tuple(equals), tuple(others[:1]))


def _without_theta(Y: Array, unit: Unit) -> bool:
    """Whether the answers are the same for all thetas of every cell."""
    return bool((np.ptp(Y, axis=1) <= 2 * unit(np.abs(Y).max(axis=1))).all())


def _shared(found: Fit) -> Array | None:
    """The coefficient that all terms of a cell share, (C,), if they do."""
    c, slack = found.coefficients[:, :-1], found.slack[:, :-1]
    middle = c.mean(axis=1, keepdims=True)
    return middle[:, 0] if (np.abs(c - middle) <= slack).all() else None


