"""What a fit says: a common factor, what each term was multiplied by, and what the constant is.

Symbols
    F          scaling   the common factor
    c          (C,)      the coefficient of a term, group by group
    K          (C,)      the formula's own constant;  c_0 the intercept that was found
    t          scaling   what the target was multiplied by

Equations
    (1)  c_k = F                      for every term, and c_0 = F K or 0: a convention
    (2)  c_k = F R_k                  term k alone was multiplied by R_k
    (3)  (F, F t, F t^2)              half a squared residual, its target multiplied by t

Derivation
    (3)  |psi - t g|^2 = |psi|^2 - 2 t psi.g + t^2 |g|^2.  The same numbers are (F' a^2, F' a, F'),
         the score multiplied by a = 1 / t; the simpler of the two is reported.

Conventions
    An explanation is accepted only if its scalings, put back into the formula, predict every answer
    to rounding.  Among explanations the one with the fewest and plainest changes is reported
    (`complexity`); ties are all reported.

Sources
    Ours.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.diagnosis.precision import Tolerance
from refsm.verify.diagnosis.regression import Fit, Table, column
from refsm.verify.diagnosis.scaling import ONE, ZERO, Scaling, Sizes, rounded
from refsm.verify.diagnosis.scaling_fit import fit_scaling
from refsm.verify.mistakes import Mistake

__all__ = ["Change", "Explanation", "explanations", "multiple", "predicted", "the_reference"]

CLEAR = 0.05               # a coefficient that is known to no better than this says nothing
ROUGH = 0.3                # but an extra term, the same in all groups, may be known to this


@dataclass(frozen=True)
class Change:
    """One thing that was multiplied: a term by its role, or "target", "score", "loss"."""

    what: str
    scaling: Scaling

    @property
    def complexity(self) -> float:
        """1 for being a change, and that of its scaling.  A target is likelier than a term."""
        return (0.9 if self.what == "target" else 1.0) + self.scaling.complexity


@dataclass(frozen=True, eq=False)
class Explanation:
    """One explanation of all answers: mistakes, a factor, changes of terms, and the constant.

    `constant` is "kept", "dropped", "added", "other", or "none" where the objective has none.
    """

    fit: Fit
    factor: Scaling
    changes: tuple[Change, ...]
    constant: str
    added: Scaling | None
    scalings: tuple[Scaling, ...]

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The structural mistakes."""
        return self.fit.formula.mistakes

    @property
    def complexity(self) -> float:
        """How much is assumed: the least is reported."""
        constant = {"none": 0.0, "kept": 0.0, "dropped": 0.3, "added": 1.5, "other": 3.0}
        changes = sum(change.complexity for change in self.changes)
        return (2.0 * len(self.mistakes) + self.factor.complexity + changes
                + constant[self.constant])

    @property
    def convention(self) -> str:
        """The explanation in one line, as `convention=` takes it, its pieces after semicolons."""
        pieces = [] if self.factor.is_one else [str(self.factor)]
        pieces += [mistake.id for mistake in self.mistakes]
        pieces += [f"{change.what} x {change.scaling}" for change in self.changes]
        if self.constant in ("dropped", "other"):
            pieces.append(f"constant {self.constant}")
        elif self.constant == "added":
            pieces.append(f"constant + {self.added}")
        return "; ".join(pieces) or "1"

    @property
    def is_reference(self) -> bool:
        """Whether nothing differs."""
        kept = self.constant in ("kept", "none")
        return self.is_convention and not self.mistakes and self.factor.is_one and kept

    @property
    def is_convention(self) -> bool:
        """Whether a positive factor of each group or level and a constant are all."""
        only_weights = all(mistake.role == "weight" for mistake in self.mistakes)
        return only_weights and not self.changes and self.factor.prefactor > 0

    @property
    def of_constant(self) -> Scaling:
        """What the formula's own constant is multiplied by."""
        powers = {"target": 2, "constant": 1, "loss": 1}
        out = self.factor
        for change in self.changes:
            out = out * change.scaling.to_the(powers.get(change.what, 0))
        return out


def explanations(table: Table, found: Fit, Y: Array, tolerance: Tolerance) -> list[Explanation]:
    """Those of a fit that predict every answer to rounding, the simplest first."""
    sizes, formula = table.sizes, found.formula
    scalings = []
    for term, c, error in zip(formula.terms, found.coefficients.T, found.coefficient_error.T):
        unclear = (error > CLEAR * np.abs(c)).any() and (np.abs(c) > error).any()
        as_it_is = formula.mistakes and (np.abs(c - 1) <= error).all()
        scaling = (ONE if as_it_is else None) if unclear else fit_scaling(c, error, sizes)
        if scaling is None and term.role == "extra":
            scaling = _same_in_all(c, error)
        if scaling is None:
            return []
        scalings.append(scaling)
    if all(scaling.is_zero for scaling in scalings) or _idle(table, found, scalings):
        return []
    made = [_with_constant(table, found, factor, changes, tuple(scalings))
            for factor, changes in _factorings(scalings, found)]
    whole = {"target", "score"}                # these hold only where the constant agrees, (3)
    made = [e for e in made
            if (e.constant == "kept" or not whole & {change.what for change in e.changes})
            and not any("data_sd" in dict(change.scaling.powers) for change in e.changes)
            and _predicts(table, e, Y, tolerance)]
    return sorted(made, key=lambda e: e.complexity)


def _same_in_all(c: Array, error: Array) -> Scaling | None:
    """The number that a coefficient may be in all groups, where it is known to ROUGH of it."""
    low, high = float((c - error).max()), float((c + error).min())
    middle, off = (low + high) / 2, (high - low) / 2
    return Scaling(rounded(middle, off)) if 0 <= off <= ROUGH * abs(middle) else None


def _idle(table: Table, found: Fit, scalings: list[Scaling]) -> bool:
    """Whether a mistake has no part in the answers: the terms that have it have coefficient 0."""
    own = {term.name for term in table.about.terms}
    zero = [scaling.is_zero for term, scaling in zip(found.formula.terms, scalings)
            if term.name not in own]
    return any(zero) if len(found.formula.mistakes) > 1 else bool(zero) and all(zero)


def the_reference(table: Table, found: Fit, Y: Array, tolerance: Tolerance) -> Explanation | None:
    """The explanation "nothing differs", if every answer is the reference's to rounding."""
    if (np.abs(Y - table.reference) > tolerance(table.scale)).any():
        return None
    constant = "none" if found.formula.constant is None else "kept"
    return Explanation(found, ONE, (), constant, None, (ONE,) * len(found.formula.terms))


def _factorings(scalings: list[Scaling],
                found: Fit) -> Iterator[tuple[Scaling, tuple[Change, ...]]]:
    """Every way to split the scalings into a common factor and changes."""
    roles = [term.role for term in found.formula.terms]
    most = [scaling for scaling in scalings if 2 * scalings.count(scaling) > len(scalings)]
    several = (ONE, *(scaling for scaling in scalings if not scaling.is_zero))
    for factor in dict.fromkeys(several if len(scalings) > 1 else scalings):
        changes = []
        for role, scaling in zip(roles, scalings):
            rest = scaling if scaling.is_zero else scaling * factor.inverse()
            if not (rest.is_zero or factor.is_one or factor in most
                    or rest.complexity < scaling.complexity):
                break
            if not rest.is_one:
                changes.append(Change(role, rest))
        else:
            yield _positive(factor, *changes)                                     # (1)  (2)
    if found.formula.constant is None or len(scalings) != 2 or scalings[0].is_zero:
        return
    if scalings[1].is_zero:
        yield _positive(scalings[0], Change("target", ZERO))
        return
    t = scalings[1] * scalings[0].inverse()
    if not t.is_one:
        yield _positive(scalings[0], Change("target", t))                             # (3)
        yield _positive(scalings[1] * t, Change("score", t.inverse()))


def _positive(factor: Scaling, *changes: Change) -> tuple[Scaling, tuple[Change, ...]]:
    """A factor and changes; the sign of a negative factor is a change of the loss."""
    if factor.prefactor > 0:
        return factor, changes
    minus = Scaling(-1.0)
    return minus * factor, (*changes, Change("loss", minus))


def _with_constant(table: Table, found: Fit, factor: Scaling, changes: tuple[Change, ...],
                   scalings: tuple[Scaling, ...]) -> Explanation:
    """The explanation, with what the constant is."""
    def made(constant: str, added: Scaling | None = None, *more: Change) -> Explanation:
        return Explanation(found, factor, (*changes, *more), constant, added, scalings)

    sizes, c_0 = table.sizes, found.coefficients[:, -1]
    error = found.coefficient_error[:, -1]
    if found.formula.constant is None:
        if (np.abs(c_0) <= error).all():
            return made("none")
        added = fit_scaling(c_0, error, sizes)
        return made("added" if added else "other", added)
    K = table.combined([found.formula.constant], [made("kept").of_constant])[0][:, 0]
    if (np.abs(c_0 - K) <= error).all():
        return made("kept")
    if (np.abs(c_0) <= error).all():
        return made("dropped")
    added = fit_scaling(c_0 - K, error, sizes)
    if added is None and K.all():
        times_constant = fit_scaling(c_0 / K, error / np.abs(K), sizes)
        if times_constant is not None:
            return made("kept", None, Change("constant", times_constant))
    return made("added" if added else "other", added)


def predicted(table: Table, explanation: Explanation) -> tuple[Array, Array]:
    """The answers that an explanation predicts, and the size of their terms, (C, T) each."""
    e, formula = explanation, explanation.fit.formula
    out, size = table.combined(formula.terms, e.scalings)
    if formula.constant is not None and e.constant in ("kept", "added"):
        out = out + table.combined([formula.constant], [e.of_constant])[0]
    if e.constant == "other":
        out = out + e.fit.coefficients[:, -1:]
    return out if e.added is None else out + column(e.added, table.sizes), size


def multiple(yours: Sequence[Array], mine: Sequence[Array], sizes: Sequence[Sizes],
             tolerance: Tolerance) -> Scaling | None:
    """The scaling by which every array is the other's multiple, array by array, if there is one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        c = np.array([(y * m).sum() / (m * m).sum() for y, m in zip(yours, mine)])
    off = np.array([tolerance((1 + abs(r)) * np.abs(m).max() * len(m)) for r, m in zip(c, mine)])
    if not all((np.abs(y - r * m) <= o).all() for y, m, r, o in zip(yours, mine, c, off)):
        return None
    return fit_scaling(c, off / np.array([np.abs(m).max() for m in mine]), sizes)


def _predicts(table: Table, explanation: Explanation, Y: Array, tolerance: Tolerance) -> bool:
    """Whether every answer is met to rounding."""
    out, size = predicted(table, explanation)
    return bool((np.abs(Y - out) <= 3 * tolerance(np.abs(Y) + size)).all())
