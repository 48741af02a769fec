"""What a fit says in words: a common factor, what each term was multiplied by, and what became of the constant.

Symbols
    F          law       the common factor
    c_k        (C,)      the coefficient of part k, cell by cell;  L_k the law that it follows
    K          (C,)      the formula's own constant;  c_0 the intercept that was found
    t          law       what the target was multiplied by

Equations
    (1)  c_k = F                      for every part, and c_0 = F K or 0: a convention
    (2)  c_k = F R_k                  term k alone was multiplied by R_k
    (3)  (F, F t, F t^2)              for half a squared residual: the target was multiplied by t.  The same numbers are (F' a^2, F' a, F'), the score
                                      multiplied by a = 1 / t;  the simpler of the two is told

Derivation
    (3)  |psi - t g|^2 = |psi|^2 - 2 t psi.g + t^2 |g|^2.

Conventions
    A reading is accepted only if its laws, put back into the formula, predict every answer to rounding.  Among readings the one with
    the fewest and plainest changes is told (`complexity`); ties are all told.

Sources
    Ours.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.laws import ONE, ZERO, Law, Sizes, fit_law
from refsm.verify.precision import Unit
from refsm.verify.regression import Fit, Table
from refsm.verify.terms import TERMS

__all__ = ["Change", "Reading", "readings", "the_reference", "predicted", "multiple"]

CLEAR = 0.05               # a coefficient that is known to no better than this says nothing


@dataclass(frozen=True)
class Change:
    """One thing that was multiplied: a term by its role, or "target", "score", "loss"."""

    what: str
    law: Law

    @property
    def complexity(self) -> float:
        """1 for being a change, and what its law costs.  A target is likelier to be wrong than a term of its square."""
        return (0.9 if self.what == "target" else 1.0) + self.law.complexity


@dataclass(frozen=True, eq=False)
class Reading:
    """One explanation of all answers: `formula.slips`, a factor, changes of terms, and the constant ("kept", "dropped", "added", "other", "none")."""

    fit: Fit
    factor: Law
    changes: tuple[Change, ...]
    constant: str
    added: Law | None
    laws: tuple[Law, ...]

    @property
    def slips(self) -> tuple[str, ...]:
        """The structural slips, in words."""
        return self.fit.formula.slips

    @property
    def complexity(self) -> float:
        """How much there is to believe: the least is told."""
        constant = {"none": 0.0, "kept": 0.0, "dropped": 0.3, "added": 1.5, "other": 3.0}[self.constant]
        return 2.0 * len(self.slips) + self.factor.complexity + sum(change.complexity for change in self.changes) + constant

    @property
    def convention(self) -> str:
        """The reading in one line, as `convention=` takes it: factor, slips, changes and constant, separated by semicolons."""
        pieces = [] if self.factor.is_one else [str(self.factor)]
        pieces += [*self.slips, *(f"{change.what} x {change.law}" for change in self.changes)]
        if self.constant in ("dropped", "other"):
            pieces.append(f"constant {self.constant}")
        elif self.constant == "added":
            pieces.append(f"constant + {self.added}")
        return "; ".join(pieces) or "1"

    @property
    def is_reference(self) -> bool:
        """Whether nothing differs."""
        return self.is_convention and self.factor.is_one and self.constant in ("kept", "none")

    @property
    def is_convention(self) -> bool:
        """Whether it differs by a positive factor and a constant alone: the same minimisers, gradients parallel."""
        return not self.slips and not self.changes and self.factor.kappa > 0


def readings(table: Table, found: Fit, Y: Array, unit: Unit) -> list[Reading]:
    """The readings of a fit that predict every answer to rounding, the simplest first; none where a coefficient follows no law."""
    sizes, c, slack = table.sizes, found.coefficients, found.slack
    k = len(found.formula.parts)
    laws = []
    for column in range(k):
        size = np.abs(c[:, column])
        unclear = (slack[:, column] > CLEAR * np.maximum(size, 1e-3)).any() and (size > slack[:, column]).any()
        as_it_is = bool(found.formula.slips) and bool((np.abs(c[:, column] - 1) <= slack[:, column]).all())
        law = (ONE if as_it_is else None) if unclear else fit_law(c[:, column], slack[:, column], sizes)
        if law is None:
            return []
        laws.append(law)
    if all(law.is_zero for law in laws) or _idle(table, found, laws):
        return []
    made = [_with_constant(table, found, factor, changes, tuple(laws)) for factor, changes in _factorings(laws, found)]
    whole = {"target", "score"}                        # these are told only where the constant agrees, equation (3)
    made = [r for r in made if (r.constant == "kept" or not whole & {change.what for change in r.changes}) and _predicts(table, r, Y, unit)]
    return sorted(made, key=lambda reading: reading.complexity)


def _idle(table: Table, found: Fit, laws: list[Law]) -> bool:
    """Whether a part that is not the reference's own has the coefficient 0: then there was no need for it."""
    own = {part.name for part in TERMS[table.cells[0].objective]}
    return any(law.is_zero and part.name not in own for part, law in zip(found.formula.parts, laws))


def the_reference(table: Table, found: Fit, Y: Array, unit: Unit) -> Reading | None:
    """The reading "nothing differs", if every answer is the reference's to rounding."""
    part = found.formula.constant
    reading = Reading(found, ONE, (), "none" if part is None else "kept", None, (ONE,) * len(found.formula.parts))
    return reading if (np.abs(Y - predicted(table, reading)) <= unit(table.scale())).all() else None


def _factorings(laws: list[Law], found: Fit) -> Iterator[tuple[Law, tuple[Change, ...]]]:
    """Every way to split the laws into a common factor and changes."""
    roles = [part.role for part in found.formula.parts]
    for factor in dict.fromkeys((ONE, *(law for law in laws if not law.is_zero)) if len(laws) > 1 else laws):
        changes = []
        for role, law in zip(roles, laws):
            rest = law if law.is_zero else _over(law, factor)
            if rest is None or not (rest.is_zero or factor.is_one or rest.complexity < law.complexity):
                break
            if not rest.is_one:
                changes.append(Change(role, rest))
        else:
            if factor.kappa < 0:
                yield Law(-factor.kappa, factor.powers, factor.extra), (*(Change(x.what, x.law) for x in changes), Change("loss", Law(-1.0)))
            else:
                yield factor, tuple(changes)
    if found.formula.constant is not None and len(laws) == 2 and not any(law.is_zero for law in laws):
        t = _over(laws[1], laws[0])
        if t is not None and not t.is_one:
            yield laws[0], (Change("target", t),)
            yield laws[1] * t, (Change("score", t.inverse()),)
    if found.formula.constant is not None and len(laws) == 2 and laws[1].is_zero and not laws[0].is_zero:
        yield laws[0], (Change("target", ZERO),)


def _over(law: Law, factor: Law) -> Law | None:
    try:
        return law * factor.inverse()
    except (ValueError, ZeroDivisionError):
        return None


def _with_constant(table: Table, found: Fit, factor: Law, changes: tuple[Change, ...], laws: tuple[Law, ...]) -> Reading:
    """The reading, with what became of the constant."""
    sizes = table.sizes
    c_0, slack = found.coefficients[:, -1], found.slack[:, -1]
    F = np.array([factor(cell) for cell in sizes])
    sign = -1.0 if any(change.what == "loss" for change in changes) else 1.0
    t = next((change.law for change in changes if change.what == "target"), ONE)
    part = found.formula.constant
    values = table.part(part) if part is not None else None
    if values is None:
        if (np.abs(c_0) <= slack).all():
            return Reading(found, factor, changes, "none", None, laws)
        added = fit_law(c_0, slack, sizes)
        return Reading(found, factor, changes, "added" if added else "other", added, laws)
    K = values[0][:, 0] * F * sign * np.array([t(cell) for cell in sizes])**2
    if (np.abs(c_0 - K) <= slack).all():
        return Reading(found, factor, changes, "kept", None, laws)
    if (np.abs(c_0) <= slack).all():
        return Reading(found, factor, changes, "dropped", None, laws)
    added = fit_law(c_0 - K, slack, sizes)
    if added is None and K.all():
        times = fit_law(c_0 / K, slack / np.abs(K), sizes)
        if times is not None:
            return Reading(found, factor, (*changes, Change("constant", times)), "kept", None, laws)
    return Reading(found, factor, changes, "added" if added else "other", added, laws)


def predicted(table: Table, reading: Reading) -> Array:
    """The answers that a reading predicts, (C, T)."""
    sizes, formula = table.sizes, reading.fit.formula
    out = np.zeros(table.index.shape)
    for part, law in zip(formula.parts, reading.laws):
        values = table.part(part)
        out = out + np.array([law(cell) for cell in sizes])[:, None] * (values[0] if values is not None else 0)
    if reading.constant == "other":
        return out + reading.fit.coefficients[:, -1:]
    if formula.constant is not None and reading.constant in ("kept", "added"):
        sign = -1.0 if any(change.what == "loss" for change in reading.changes) else 1.0
        scale = np.array([sign * reading.factor(cell) for cell in sizes])
        for change in reading.changes:
            power = {"target": 2, "constant": 1}.get(change.what, 0)
            scale = scale * np.array([change.law(cell)**power for cell in sizes])
        values = table.part(formula.constant)
        out = out + scale[:, None] * (values[0] if values is not None else 0)
    if reading.added is not None:
        out = out + np.array([reading.added(cell) for cell in sizes])[:, None]
    return out


def multiple(yours: Sequence[Array], mine: Sequence[Array], sizes: Sequence[Sizes], unit: Unit) -> Law | None:
    """The law by which every array is the other's multiple, array by array, if there is one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        c = np.array([(y * m).sum() / (m * m).sum() for y, m in zip(yours, mine)])
    slack = np.array([unit((1 + abs(r)) * np.abs(m).max() * len(m)) for r, m in zip(c, mine)])
    if not all((np.abs(y - r * m) <= s).all() for y, m, r, s in zip(yours, mine, c, slack)):
        return None
    return fit_law(c, slack / np.array([np.abs(m).max() for m in mine]), sizes)


def _predicts(table: Table, reading: Reading, Y: Array, unit: Unit) -> bool:
    """Whether every answer is met to rounding."""
    scale = np.abs(Y)
    for part, law in zip(reading.fit.formula.parts, reading.laws):
        values = table.part(part)
        if values is not None:
            scale = scale + np.abs([law(cell) for cell in table.sizes])[:, None] * values[1]
    scale = scale + np.abs(reading.fit.coefficients[:, -1:])
    return bool((np.abs(Y - predicted(table, reading)) <= 3 * unit(scale)).all())
