"""From a diagnosis to a report: the verdict, its name, the table of terms, and what follows from it."""
from __future__ import annotations

import fnmatch
from typing import Mapping, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify import knowledge
from refsm.verify.cases import Case
from refsm.verify.diagnosis import Diagnosis
from refsm.verify.gradients import Finding
from refsm.verify.laws import Law
from refsm.verify.precision import COARSE, MIXED
from refsm.verify.reading import Reading
from refsm.verify.report import Report, Row
from refsm.verify.terms import CONSTANT, TERMS, value

__all__ = ["written"]

SLICED = "J and its transpose in v' J v: both have the same value"
FEW = 0.1                  # so few wrong answers are listed one by one
CLOSE = 1e-3               # closer than this, and not to rounding: the formula is right and something in it is approximate
VALUES_ONLY = "values cannot show a detached term or a frozen parameter: ask for gradients too (gradient=True, with a dict of value and gradient)"


def written(cases: Sequence[Case], values: Sequence[float], found: Diagnosis, findings: Sequence[Finding], per_sample: Sequence[str],
            declared: str | None, known: Sequence[str], notes: tuple[str, ...], reproduce: str, gradient: bool) -> Report:
    """The report on one objective."""
    objective, reading = cases[0].objective, found.reading
    verdict, name, convention, law = _verdict(objective, found)
    wrong = [*per_sample, *(finding.text for finding in findings)]
    meant = declared is not None and declared == convention
    if wrong:
        name = wrong[0] if verdict == "PASS" else f"{name}; and {wrong[0]}"
        verdict = "MISMATCH"
    elif declared not in (None, "1") and not meant and verdict == "PASS":
        verdict, name = "MISMATCH", f"it is the reference itself, not the declared {declared}"
    elif meant and verdict == "MISMATCH":
        verdict = "CONVENTION"
    failing = [] if verdict == "PASS" or (meant and not wrong) else _failing(cases, values, found, bool(wrong))
    excused = bool(failing) and all(any(fnmatch.fnmatchcase(case.id, pattern) for pattern in known) for case in failing)
    notes = (*notes, *_notes(found, known, failing, excused, cases))
    equals = [f"equally simple and equally good: {e.convention}" for e in found.equals]
    cannot = [*equals, *([SLICED] if objective in ("ssm", "ssm_vr") else []), *([VALUES_ONLY] if not gradient and cases[0].theta and verdict == "PASS" else [])]
    runner_up = f"no other known mistake comes nearer than {100 * found.nearest[0].distance:.1g} %" if reading is not None and found.nearest else ""
    changes, slips = (reading.changes, reading.slips) if reading is not None else ((), ())
    factor = reading.factor if reading is not None else Law(1.0)
    smallest = min(failing, key=lambda case: (case.n * case.d, case.id)) if failing and not found.matches else None
    reproduce = reproduce.replace(f" {cases[0].id} ", f" {smallest.id} ") if smallest is not None else reproduce
    return Report(
        verdict, objective, name, law, convention, declared, (meant and not wrong) or excused,
        rows=_rows(smallest, cases, values, found) if smallest is not None else (),
        consequences=knowledge.consequences(objective, factor, changes, slips, reading.constant) if reading is not None else (),
        seen=knowledge.seen(objective, factor, changes, slips), not_the_problem=_not_the_problem(reading, cases[0]) if verdict == "MISMATCH" else (),
        cannot_tell=tuple(cannot), gradient=tuple(finding.text for finding in findings), failing=tuple(case.id for case in failing),
        case=_smallest(smallest, cases, values) if smallest is not None else {}, cases=len(cases), model=cases[0].model, precision=_precision(found),
        resolution=found.resolution if reading is not None or found.nearest else None, runner_up=runner_up, notes=notes, reproduce=reproduce)


def _verdict(objective: str, found: Diagnosis) -> tuple[str, str, str, str]:
    """Verdict, name, convention line and law."""
    reading = found.reading
    if reading is not None:
        law, convention = str(reading.factor), reading.convention
        if reading.is_reference:
            return "PASS", f"every answer is the reference's, to {'single precision' if found.unit.name == MIXED.name else 'rounding'}", "1", "1"
        words = _words(objective, reading)
        if not reading.factor.is_one:
            words.append(f"{'a factor ' if not words else 'and a common factor '}{knowledge.law_in_words(reading.factor)} "
                         f"({knowledge.factor_in_words(objective, reading.factor)})")
        constant = {"dropped": "the constant that does not depend on theta is dropped", "added": f"a constant {reading.added} is added",
                    "other": "a constant that does not depend on theta is added"}.get(reading.constant)
        if constant and (reading.constant != "dropped" or not reading.slips):
            words.append(constant)
        return ("CONVENTION" if reading.is_convention else "MISMATCH"), "; ".join(words), convention, law
    if found.weights is not None:
        return _weighted(found)
    if found.coefficients is not None:
        return "MISMATCH", _lawless(found), "", "none"
    if found.unit.relative > COARSE and _right(found).all():
        return "INCONCLUSIVE", f"the answers agree as far as {found.unit.name} can tell, which is not far: return more digits", "", "none"
    return "UNEXPLAINED", _unexplained(found), "", "none"


def _precision(found: Diagnosis) -> str:
    """What the answers' digits look like, in words."""
    whole = found.unit.relative > COARSE and (found.answers == np.round(found.answers)).all()
    return "whole numbers" if whole and found.reading is None else found.unit.name


def _words(objective: str, reading: Reading) -> list[str]:
    """The slips and the changes, one phrase each: a term too many with its weight."""
    extra = next((change.law for change in reading.changes if change.what == "extra"), None)
    head, weight = "a term too many: ", ""
    if extra is not None:
        weight = f"{extra.kappa:.6g} " if not extra.powers and extra.extra is None else f"({knowledge.law_in_words(extra)}) "
    slips = [head + weight + slip[len(head):] if slip.startswith(head) else slip for slip in reading.slips]
    minus = "the sign of the whole" if knowledge.another_function(reading.slips) else ""
    return [*slips, *(minus if minus and change.what == "loss" else knowledge.change_in_words(objective, change)
                      for change in reading.changes if change.what != "extra")]


def _weighted(found: Diagnosis) -> tuple[str, str, str, str]:
    """A factor that all terms share and that is no product of powers: a weight if sigma alone decides it."""
    sizes, weights = found.table.sizes, found.weights
    by_sigma: dict[float, list[float]] = {}
    for cell, weight in zip(sizes, weights):                                # type: ignore[arg-type]
        by_sigma.setdefault(cell.get("sigma", 0.0), []).append(float(weight))
    shown = ", ".join(f"w({sigma:g}) = {np.mean(w):.6g}" for sigma, w in sorted(by_sigma.items()))
    if len(by_sigma) > 1 and all(max(w) - min(w) <= 1e-3 * abs(max(w)) for w in by_sigma.values()) and min(map(min, by_sigma.values())) > 0:
        return "CONVENTION", f"every term is weighted by a function of sigma that is no power: {shown}", f"weight {shown}", "w(sigma)"
    listed = _by_cell(weights, found.coefficients.slack.max(axis=1), sizes)         # type: ignore[arg-type,union-attr]
    return "UNEXPLAINED", f"every term of a cell has the same factor, and it follows no law over the cells: {listed}", "", "none"


def _by_cell(values: Array, slack: Array, sizes: Sequence[Mapping[str, float]]) -> str:
    """One number a cell in words: by the size that decides it where one does."""
    values = np.where(np.abs(values - np.round(values)) <= slack, np.round(values), values) + 0.0
    for name in sizes[0]:
        groups: dict[float, list[int]] = {}
        for k, cell in enumerate(sizes):
            groups.setdefault(cell[name], []).append(k)
        if 1 < len(groups) < len(sizes) and all(np.ptp(values[rows]) <= 2 * slack[rows].max() for rows in groups.values()):
            return ", ".join(f"{_coefficient(values[rows[0]])} where {name} = {size:g}" for size, rows in sorted(groups.items()))
    return ", ".join(map(_coefficient, values))


def _coefficient(value: float) -> str:
    """Six digits, and more where the number is nearly 1."""
    off = abs(abs(value) - 1)
    digits = 6 if off == 0 or off > 1e-4 else min(2 + int(np.ceil(-np.log10(off))), 15)
    return f"{value:.{digits}g}"


def _lawless(found: Diagnosis) -> str:
    """The terms are right and their coefficients are not: which, and by how much."""
    fit = found.coefficients
    assert fit is not None
    texts = []
    for k, part in enumerate(fit.formula.parts):
        c, slack = fit.coefficients[:, k], fit.slack[:, k]
        if (np.abs(c) <= slack).all():
            texts.append(f"{part.name} is missing")
        elif (np.abs(c - 1) > slack).any():
            texts.append(f"{part.name} ({_by_cell(c, slack, found.table.sizes)})")
    return "the terms are the right ones, but with coefficients that follow no law over the cells: " + ("; ".join(texts) or "the constant")


def _unexplained(found: Diagnosis) -> str:
    """What can be said all the same: where it is right, and what comes nearest."""
    right = _right(found)
    cells = found.table.sizes
    if (np.ptp(found.answers, axis=1) <= 1e-12 * np.abs(found.answers).max(axis=1)).all():
        return "the answers do not depend on the parameters" + (": every one is 0" if not found.answers.any() else "")
    mine = np.array([value(case) for case in found.table.cases])[found.table.index]
    if (found.answers == np.round(found.answers)).all():
        return "every answer is a whole number: it is rounded, or its fraction is cut off"
    off = float((np.abs(found.answers - mine) / (np.abs(mine) + found.table.scale())).max())
    if off < CLOSE and not right.mean() >= 1 - FEW:
        return f"the answers are off by up to {off:.1g} of their terms: a numerical derivative, or a small number under a root or a logarithm?"
    wrong = np.argwhere(~right)
    if len(wrong) <= FEW * right.size:
        return _but_few(found, mine, wrong)
    text = "the answers are no combination of terms that is known"
    if right.all(axis=1).any():
        for name in ("d", "n", "M", "sigma", "strength"):
            good = {cell[name] for cell, r in zip(cells, right) if name in cell and r.all()}
            bad = {cell[name] for cell, r in zip(cells, right) if name in cell and not r.all()}
            if good and bad and not good & bad:
                return f"{text}; they are right where {name} is {_either(good)} and wrong where it is {_either(bad)}"
    if right.any():
        text += f"; {int(right.sum())} of {right.size} are right"
    if found.nearest and found.nearest[0].distance < CLOSE:
        near = found.nearest[0]
        which = "; ".join(near.formula.slips) or "the reference with other coefficients"
        text += f"; the nearest formula ({which}) misses by {near.distance:.1g} of the answers"
    return text


def _but_few(found: Diagnosis, mine: Array, wrong: Array) -> str:
    """All answers are right but these few: which, and by how much they are off."""
    texts = []
    for row, column in wrong:
        reference, yours = mine[row, column], found.answers[row, column]
        how = f"{yours:.7g} for {reference:.7g}" if reference == 0 else f"{_coefficient(yours / reference)} times the reference"
        texts.append(f"{found.table.cases[found.table.index[row, column]].id}: {how}")
    if len(texts) == 1:
        return f"only {texts[0].replace(':', ' differs:', 1)}"
    return f"only {len(texts)} of {found.answers.size} answers differ: {', '.join(texts)}"


def _either(numbers: set[float]) -> str:
    return " or ".join(f"{v:g}" for v in sorted(numbers))


def _right(found: Diagnosis) -> Array:
    """Which answers are the reference's, (C, T)."""
    cases = found.table.cases
    mine = np.array([value(case) for case in cases])[found.table.index]
    scale = np.abs(mine) + found.table.scale()
    return np.abs(found.answers - mine) <= found.unit(scale)


def _failing(cases: Sequence[Case], values: Sequence[float], found: Diagnosis, every: bool) -> list[Case]:
    right = _right(found)
    bad = {int(i) for i, ok in zip(found.table.index.ravel(), right.ravel()) if not ok}
    return [cases[i] for i in sorted(bad)] or (list(cases[:1]) if every else [])


def _rows(case: Case, cases: Sequence[Case], values: Sequence[float], found: Diagnosis) -> tuple[Row, ...]:
    """The terms of the smallest failing case beside the reference's."""
    place = np.argwhere(found.table.index == [c.id for c in cases].index(case.id))
    if not len(place):
        return ()
    row, column = map(int, place[0])
    reading = found.reading
    fit = reading.fit if reading is not None else found.coefficients
    yours = {part.role: (part, k) for k, part in enumerate(fit.formula.parts)} if fit is not None else {}
    rows, listed = [], set()
    for part in TERMS[case.objective]:
        mine = found.table.part(part)
        reference = float(mine[0][row, column]) if mine is not None else None
        other = yours.get(part.role)
        if other is None or fit is None:
            rows.append(Row(part.name, reference, None, ""))
            continue
        values_of = found.table.part(other[0])
        assert values_of is not None
        listed.add(part.role)
        law = str(reading.laws[other[1]]) if reading is not None else "no law"
        slipped = other[0].name != part.name
        rows.append(Row(part.name, reference, float(fit.coefficients[row, other[1]] * values_of[0][row, column]),
                        (("" if law == "1" else f"{law} times ") + other[0].name) if slipped else law))
    for role, (part, k) in yours.items():
        values_of = found.table.part(part)
        if role not in listed and fit is not None and values_of is not None:
            law = str(reading.laws[k]) if reading is not None else "no law"
            rows.append(Row(f"yours: {part.name}", None, float(fit.coefficients[row, k] * values_of[0][row, column]), law))
    constant = CONSTANT.get(case.objective)
    intercept = float(fit.coefficients[row, -1]) if fit is not None else None
    if intercept is not None and fit is not None and abs(intercept) <= fit.slack[row, -1]:
        intercept = 0.0
    expanded = constant is not None and (fit is None or fit.formula.constant is not None)
    if expanded or (intercept and reading is not None and reading.constant in ("added", "other")):
        mine = found.table.part(constant) if constant is not None else None
        rows.append(Row(f"constant{f': {constant.name}' if constant else ''}", float(mine[0][row, column]) if mine is not None else 0.0, intercept,
                        _constant_law(reading)))
    rows.append(Row("value", value(case), float(values[[c.id for c in cases].index(case.id)]), ""))
    return tuple(rows)


def _constant_law(reading: Reading | None) -> str:
    if reading is None:
        return ""
    if reading.constant == "kept":
        law = reading.factor
        for change in reading.changes:
            for _ in range({"target": 2, "constant": 1, "loss": 1}.get(change.what, 0)):
                law = law * change.law
        return str(law)
    return {"dropped": "0", "added": f"+ {reading.added}", "other": "another constant"}.get(reading.constant, "")


def _smallest(case: Case, cases: Sequence[Case], values: Sequence[float]) -> dict:
    sizes = {"d": case.d, "n": case.n, **({"M": case.M} if "directions" in case.arrays else {}), **case.hyper}
    return {"id": case.id, "sizes": sizes, "reference": value(case), "yours": float(values[[c.id for c in cases].index(case.id)])}


def _not_the_problem(reading: Reading | None, case: Case) -> tuple[str, ...]:
    """What is right, so that nobody looks there."""
    if reading is None:
        return ()
    out = []
    changed = {change.what for change in reading.changes}
    parts = {part.role: (part, law) for part, law in zip(reading.fit.formula.parts, reading.laws)}
    right = [part.name for part in TERMS[case.objective]
             if part.role in parts and parts[part.role][0].name == part.name and parts[part.role][1] == reading.factor]
    if right and "loss" not in changed:
        out.append(f"{' and '.join(right)}: right in every case" + ("" if reading.factor.is_one else ", but for the common factor"))
    if reading.constant == "kept" and not changed & {"target", "constant"}:
        out.append("the constant")
    names = {"d": "dimensions", "n": "points", "M": "directions"}
    off = {name for law in (*reading.laws, reading.factor) for name, _ in law.powers} | ({reading.factor.extra[0][0]} if reading.factor.extra else set())
    sums = [words for name, words in names.items() if name not in off and (name != "M" or "directions" in case.arrays)]
    if sums:
        out.append(f"sums and means over {' and '.join(sums)}")
    if reading.factor.is_one and not any(change.what == "loss" for change in reading.changes):
        out.append("the overall factor")
    return tuple(out)


def _notes(found: Diagnosis, known: Sequence[str], failing: Sequence[Case], excused: bool, cases: Sequence[Case]) -> tuple[str, ...]:
    out = []
    if found.unit is MIXED or found.unit.name == MIXED.name:
        out.append("the answers agree to single precision only: something inside is float32, or a small number is added "
                   "under a root or a logarithm, or there are finite differences, or noise, in it")
    if excused:
        out.append("every failing case is a known failure")
    surprising = [case.id for case in cases if any(fnmatch.fnmatchcase(case.id, p) for p in known) and case not in failing]
    if surprising:
        out.append(f"known failures that do not fail: {', '.join(surprising[:5])}" + (f" and {len(surprising) - 5} more" if len(surprising) > 5 else ""))
    return tuple(out)
