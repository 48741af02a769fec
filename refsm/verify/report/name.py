"""The verdict, and its name: what differs, in one line."""
from __future__ import annotations

from typing import Iterable

import numpy as np

from refsm.typing import Array
from refsm.verify.diagnosis.diagnose import Diagnosis
from refsm.verify.diagnosis.explanation import Explanation
from refsm.verify.diagnosis.precision import COARSE, FLOAT64, MIXED, half_inside
from refsm.verify.diagnosis.regression import Table
from refsm.verify.diagnosis.scaling import scaling_in_words
from refsm.verify.diagnosis.weight_names import joined, weight_of_groups
from refsm.verify.report.effects import another_function
from refsm.verify.report.known import change_in_words, factor_in_words, listed
from refsm.verify.report.where import deciding, multiples

__all__ = ["explained", "verdict_of"]

FEW = 0.1                  # so few wrong answers are listed one by one
CLOSE = 1e-3               # closer, and not to rounding: right, with something approximate in it
NO_POWER = "no product of powers of the sizes"


def verdict_of(objective: str, found: Diagnosis) -> tuple[str, str, str, str]:
    """Verdict, name, convention line and factor."""
    e = found.explanation
    if e is not None and e.is_reference:
        precision = "single precision" if found.tolerance.name == MIXED.name else "rounding"
        return "PASS", f"every answer is the reference's, to {precision}", "1", "1"
    if e is not None:
        verdict = "CONVENTION" if e.is_convention else "MISMATCH"
        return verdict, explained(objective, e), e.convention, str(e.factor)
    if found.form is not None:
        return ("CONVENTION" if found.form.right else "MISMATCH", found.form.words,
                found.form.convention, str(found.form.factor))
    if found.weights is not None:
        return _weighted(found)
    if found.coefficients is not None:
        return "MISMATCH", _no_scaling(found), "", "none"
    but = _but_for_factors(found) if found.tolerance.relative > COARSE else None
    if but is not None:
        return "INCONCLUSIVE", (f"{but}the answers agree as far as {found.tolerance.name} can "
                                "tell, which is not far: return more digits"), "", "none"
    half = None if found.right.mean() > FEW else half_inside(
        found.answers, found.table.reference, found.table.scale, found.table.sizes,
        found.tolerance.relative == FLOAT64.relative)
    if half is not None:
        factor, off = half
        times = "right" if factor.is_one else f"{factor} times the reference"
        return ("INCONCLUSIVE" if factor.prefactor > 0 else "MISMATCH"), (
            f"{times} to the rounding of bfloat16: no answer is off by more than {off:.1g} of its "
            "terms. Computed under autocast, or in half precision? In float32 or float64 it can "
            "be verified; if it is in one of these, something small in it is wrong, or is added to "
            "a level, as sigma_min is"
        ), "", str(factor)
    return "UNEXPLAINED", _unexplained(found), "", "none"


def _but_for_factors(found: Diagnosis) -> str | None:
    """The words of a positive factor in each group, "" for none; None where that is not all."""
    if found.right.all():
        return ""
    factor = multiples(found)
    off = np.abs(found.answers - factor * found.table.reference)
    near = (factor > 0).all() and (off <= factor * found.tolerance(found.table.scale)).all()
    return "but for a positive factor in each group of cases, " if near else None


def explained(objective: str, e: Explanation) -> str:
    """Mistakes, changes, factor and constant, one phrase each: an extra term with its weight."""
    head, weight = "an extra term: ", ""
    extra = next((change.scaling for change in e.changes if change.what == "extra"), None)
    if extra is not None:
        weight = scaling_in_words(extra) if extra.powers else f"{extra.prefactor:.6g}"
        weight = f"({weight}) " if " " in weight else f"{weight} "
    words = [mistake.words.replace(head, head + weight) for mistake in e.mistakes]
    minus, replaced = another_function(e.mistakes), {mistake.role for mistake in e.mistakes}
    words += ["the sign of the whole" if minus and change.what == "loss"
              else f"this {change.what} is multiplied by {scaling_in_words(change.scaling)}"
              if change.what in replaced else change_in_words(objective, change)
              for change in e.changes if change.what != "extra"]
    if not e.factor.is_one:
        factor, said = scaling_in_words(e.factor), factor_in_words(objective, e.factor)
        more = "" if said == f"multiplied by {factor}" else f" ({said})"
        words.append(f"{'and a common factor' if words else 'a factor'} {factor}{more}")
    constant = {"dropped": "the constant that does not depend on theta is dropped",
                "added": f"a constant {e.added} is added",
                "other": "a constant that does not depend on theta is added"}.get(e.constant)
    if constant and (e.constant != "dropped" or not e.mistakes):
        words.append(constant)
    return "; ".join(words)


def _weighted(found: Diagnosis) -> tuple[str, str, str, str]:
    """A factor that all terms of a group share and that is no scaling: a convention where it is
    positive."""
    fit, shared, table = found.coefficients, found.weights, found.table
    assert shared is not None and fit is not None
    by_group = _by_group(shared, fit.coefficient_error.max(axis=1), table, "1")
    weight = weight_of_groups(shared, table.groups)
    if weight is None:
        return "MISMATCH", (f"every term of a group has the same factor, which is {NO_POWER} and "
                            f"is not positive in all: {by_group}"), "", "none"
    plain = not weight.factor.is_one
    line = joined(str(weight.factor) if plain else "", weight.declared)
    if weight.listed == "group":
        return "CONVENTION", ("every term of a group has the same positive factor, which is "
                              f"{NO_POWER}: {by_group}"), line, "w(group)"
    mean = f", {factor_in_words(table.objective, weight.factor)}" if plain else ""
    if not weight.listed:
        return "CONVENTION", f"every term is weighted by {weight.words}{mean}", line, "w(sigma)"
    return "CONVENTION", ("every term is weighted by a function of sigma that is no power: "
                          f"{weight.words.removeprefix('weight ')}{mean}"), line, "w(sigma)"


def _by_group(values: Array, error: Array, table: Table, one: str = "right") -> str:
    """One number per group in words: by the size that decides it where one does."""
    shown = [one if abs(v - 1) <= e else _coefficient(
        float(np.round(v)) + 0.0 if abs(v - np.round(v)) <= e < 0.1 else float(v))
        for v, e in zip(values, error)]
    for name in table.sizes[0]:
        of_size = sorted({(group[name], text) for group, text in zip(table.sizes, shown)})
        if 1 < len({size for size, _ in of_size}) == len(of_size) < len(shown):
            gathered = _gathered((text, f"{size:g}") for size, text in of_size)
            return ", ".join(f"{text} where {name} = {' or '.join(sizes)}"
                             for text, sizes in gathered.items())
    gathered = _gathered(zip(shown, (case.group for case in table.groups)))
    return ", ".join(f"{text} in {listed(names)}" for text, names in
                     sorted(gathered.items(), key=lambda item: len(item[1])))


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The keys of each text."""
    of: dict[str, list[str]] = {}
    for text, key in pairs:
        of.setdefault(text, []).append(key)
    return of


def _coefficient(value: float) -> str:
    """Six digits, and more where the number is nearly 1."""
    off = abs(abs(value) - 1)
    digits = 6 if off == 0 or off > 1e-4 else min(2 + int(np.ceil(-np.log10(off))), 15)
    return f"{value:.{digits}g}"


def _no_scaling(found: Diagnosis) -> str:
    """The terms are right and their coefficients are not: which, and by how much."""
    fit = found.coefficients
    assert fit is not None
    texts = []
    columns = zip(fit.formula.terms, fit.coefficients.T, fit.coefficient_error.T)
    for term, c, error in columns:
        if (np.abs(c) <= error).all():
            texts.append(f"{term.name} is missing")
        elif (np.abs(c - 1) > error).any():
            texts.append(f"{term.name} ({_by_group(c, error, found.table)})")
    return (f"the terms are the right ones, but with coefficients that are {NO_POWER}: "
            f"{'; '.join(texts) or 'the constant'}")


def _unexplained(found: Diagnosis) -> str:
    """What can be said all the same: where it is right, and what comes nearest."""
    right, answers, table = found.right, found.answers, found.table
    if (np.ptp(answers, axis=1) <= 1e-12 * np.abs(answers).max(axis=1)).all():
        zero = "" if answers.any() else ": every one is 0"
        return f"the answers do not depend on the parameters{zero}"
    if (answers == np.round(answers)).all():
        return "every answer is a whole number: it is rounded, or its fraction is cut off"
    wrong = np.argwhere(~right)
    if len(wrong) <= FEW * right.size:
        return _but_few(found, wrong)
    off = float((np.abs(answers - table.reference) / table.scale).max())
    if off < CLOSE:
        return (f"the answers are off by up to {off:.1g} of their terms: a numerical "
                "derivative, a small number under a root or a logarithm, or bfloat16 inside?")
    text = "the answers are no combination of terms that is known"
    size = deciding(table.sizes, np.all(right, axis=1))
    if size is not None:
        name, good, bad = size
        return f"{text}; they are right where {name} is {good} and wrong where it is {bad}"
    if right.any():
        text += f"; {int(right.sum())} of {right.size} {'are' if right.sum() > 1 else 'is'} right"
    near = found.nearest
    if near is not None and near.distance < CLOSE:
        which = "; ".join(mistake.words for mistake in near.formula.mistakes)
        text += (f"; the nearest formula ({which or 'the reference with other coefficients'}) "
                 f"misses by {near.distance:.1g} of the answers")
    return text


def _but_few(found: Diagnosis, wrong: Array) -> str:
    """All answers are right but these few: which, and by how much they are off."""
    texts = []
    for row, column in wrong:
        mine, yours = found.table.reference[row, column], found.answers[row, column]
        how = (f"{yours:.7g} for {mine:.7g}" if mine == 0
               else f"{_coefficient(yours / mine)} times the reference")
        texts.append(f"{found.table.cases[found.table.index[row, column]].id}: {how}")
    if len(texts) == 1:
        return f"only {texts[0].replace(':', ' differs:', 1)}"
    return f"only {len(texts)} of {found.answers.size} answers differ: {', '.join(texts)}"
