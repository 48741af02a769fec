"""From a diagnosis to a report: its name, the table of terms, and what follows from it."""
from __future__ import annotations

import fnmatch
from typing import Any, Sequence

import numpy as np

from refsm.verify.cases.case import Case
from refsm.verify.convention import agree
from refsm.verify.diagnosis.diagnose import Diagnosis
from refsm.verify.diagnosis.explanation import Explanation
from refsm.verify.diagnosis.findings import Finding
from refsm.verify.diagnosis.precision import COARSE, MIXED
from refsm.verify.diagnosis.scaling import ONE, scaling_in_words
from refsm.verify.objectives import OBJECTIVES, Term
from refsm.verify.report.effects import consequences
from refsm.verify.report.known import listed, seen
from refsm.verify.report.name import explained, verdict_of
from refsm.verify.report.report import Report, Row
from refsm.verify.report.where import where_right

__all__ = ["report_on"]

SLICED = "J and its transpose in v' J v: both have the same value"
WEIGHED = ("within a group of cases (one sigma, one set of sizes) the minimiser is the same; "
           "where sigma varies its levels weigh differently")
FOLLOWS = "training follows the gradient, which is not that of the value"
UNSEEN = "values cannot show a detached term or a frozen parameter"
VALUES_ONLY = (f"{UNSEEN}: return a dict of value and gradient, and compare both with --gradient "
               "(in Python, gradient=True)")
OF_NETWORK = f"{UNSEEN}, and no gradient is compared for a network of your own"


def report_on(cases: Sequence[Case], found: Diagnosis, findings: Sequence[Finding],
              per_sample: Sequence[str], declared: str | None, known_failures: Sequence[str],
              notes: tuple[str, ...], reproduce: str, gradient: bool) -> Report:
    """The report on one objective."""
    first, e = cases[0], found.explanation
    objective = first.objective
    verdict, name, convention, factor = verdict_of(objective, found)
    if verdict == "INCONCLUSIVE":                    # of a coarse value a gradient proves nothing
        per_sample, findings = (), ()
    wrong = [*per_sample, *(finding.text for finding in findings)]
    meant = declared is not None and not wrong and agree(declared, convention)
    if wrong:
        name = wrong[0] if verdict == "PASS" else f"{name}; and {wrong[0]}"
        verdict = "UNEXPLAINED" if verdict == "UNEXPLAINED" else "MISMATCH"
    elif verdict == "PASS" and declared is not None and not meant:
        verdict, name = "MISMATCH", f"it is the reference itself, not the declared {declared}"
    elif meant and verdict == "MISMATCH":
        verdict = "CONVENTION"
    failing = [] if meant or verdict == "PASS" else _failing(found, bool(wrong))
    known = {case.id for case in cases if _is_known(case.id, known_failures)}
    excused = bool(failing) and known >= {case.id for case in failing}
    small = min(failing, key=lambda c: (c.n, c.d)) if failing and not found.matches else None
    rows, summary = _rows(small, found) if small is not None else ((), {})
    if small is not None:
        reproduce = reproduce.replace(f"show {first.id} ", f"show {small.id} ")
    return Report(
        verdict, objective, name, factor, convention, declared, meant or excused,
        rows=rows, consequences=_consequences(objective, found, verdict, findings),
        seen=seen(objective, e.factor, e.changes, e.mistakes) if e is not None else (),
        not_the_problem=(_not_the_problem(e, first, bool(wrong))
                         if verdict == "MISMATCH" and e else ()),
        cannot_tell=_cannot_tell(found, first, gradient, verdict),
        per_sample=tuple(per_sample), gradient=tuple(finding.text for finding in findings),
        failing=tuple(case.id for case in failing), case=summary, cases=len(cases),
        model=first.model, precision=_precision(found),
        resolution=found.resolution, runner_up=_runner_up(found), reproduce=reproduce,
        notes=(*notes, *_notes(found, known, failing, excused, cases)))


def _consequences(objective: str, found: Diagnosis, verdict: str,
                  findings: Sequence[Finding]) -> tuple[str, ...]:
    """What the differences do to training; with a gradient of its own, training follows that."""
    e = found.explanation
    if found.form is not None:
        return found.form.effects
    if e is None:
        return (WEIGHED,) if verdict == "CONVENTION" else (FOLLOWS,) if findings else ()
    said = consequences(objective, e.factor, e.changes, e.mistakes, e.constant)
    if not findings:
        return said
    if findings[0].kind == "whole" and e.is_convention:              # and there is no other
        assert findings[0].scaling is not None
        times = e.factor * findings[0].scaling
        if times.is_one:
            return ("the gradient is the reference's: training is the same",)
        return ("gradients are minus the reference's: descent increases the loss"
                if str(times) == "-1" else
                f"gradients are {scaling_in_words(times)} times the reference's",)
    return (*(f"where the gradient is that of the value: {text}" for text in said), FOLLOWS)


def _is_known(identifier: str, known_failures: Sequence[str]) -> bool:
    """Whether a case is among the known failures."""
    return any(fnmatch.fnmatchcase(identifier, pattern) for pattern in known_failures)


def _cannot_tell(found: Diagnosis, case: Case, gradient: bool, verdict: str) -> tuple[str, ...]:
    out = [f"equally simple and equally good: {explained(case.objective, e)}" for e in found.equals]
    if found.form is not None and found.form.hidden:
        out.append(f"weight and target at {found.form.hidden}: rounding of the answers hides them")
    if OBJECTIVES[case.objective].random == "directions":
        out.append(SLICED)
    if not gradient and case.theta and verdict == "PASS":
        out.append(VALUES_ONLY if case.network is None else OF_NETWORK)
    return tuple(out)


def _runner_up(found: Diagnosis) -> str:
    if found.explanation is None or found.nearest is None:
        return ""
    return ("of the known formulas that do not fit, the nearest misses the answers by "
            f"{float(f'{100 * found.nearest.distance:.1g}'):g} %")


def _precision(found: Diagnosis) -> str:
    """What the answers' digits look like, in words."""
    coarse = found.tolerance.relative > COARSE
    whole = coarse and (found.answers == np.round(found.answers)).all()
    return "whole numbers" if whole else found.tolerance.name


def _failing(found: Diagnosis, every: bool) -> list[Case]:
    """The cases with a wrong answer; the first, where something else is wrong with every one."""
    table = found.table
    bad = np.sort(table.index[~found.right])
    return [table.cases[i] for i in bad] or [table.cases[table.index[0, 0]]][:every]


def _rows(case: Case, found: Diagnosis) -> tuple[tuple[Row, ...], dict[str, Any]]:
    """The terms of the smallest failing case beside the reference's, and the case in short."""
    table, e, about = found.table, found.explanation, OBJECTIVES[case.objective]
    row, column = np.argwhere(table.index == table.cases.index(case))[0]
    reference, answer = (float(of[row, column]) for of in (table.reference, found.answers))
    fit = e.fit if e is not None else found.coefficients
    yours: dict[str, tuple[str, float | None, str]] = {}             # by role

    def value(term: Term) -> float:
        return float(table.combined([term], [ONE])[0][row, column])

    if fit is not None:
        c, error = fit.coefficients, fit.coefficient_error           # (C, k+1) each
        shown = np.where(np.abs(c) <= error, 0.0, c)[row]            # 0 where it may be 0
        right = (np.abs(c - 1) <= error).all(axis=0)
        for k, term in enumerate(fit.formula.terms):
            factor = (scaling_in_words(e.scalings[k]) if e is not None
                      else "1" if right[k] else f"{shown[k]:.6g} in this case")
            yours[term.role] = term.name, float(shown[k]) * value(term) + 0.0, factor   # and no -0
    rows = []
    for term in about.terms:
        own, number, factor = yours.pop(term.role, (term.name, None, ""))
        rows.append(Row(term.name, value(term), number, _of_another(own, term.name, factor)))
    rows += [Row(f"yours: {own}", None, number, factor) for own, number, factor in yours.values()]
    constant, added = about.constant, e is not None and e.constant in ("added", "other")
    if added or constant is not None and (fit is None or fit.formula.constant is not None):
        rows.append(Row("constant" if constant is None else f"constant: {constant.name}",
                        0.0 if constant is None else value(constant),
                        None if fit is None else float(shown[-1]), _constant_factor(e, constant)))
    rows.append(Row("value", reference, answer, ""))
    return tuple(rows), {"id": case.id, "sizes": case.sizes, "yours": answer,
                         "reference": reference}


def _of_another(own: str, right: str, factor: str) -> str:
    """A factor of another term: of the right one with something more, " x " or ", ", that alone."""
    if own == right or factor == "0":
        return factor
    more = own[len(right):] if own.startswith((f"{right} x ", f"{right}, ")) else ""
    if more:
        return more.removeprefix(" x ").removeprefix(", ") if factor == "1" else factor + more
    return own if factor == "1" else f"{factor} times {own}"


def _constant_factor(e: Explanation | None, constant: Term | None) -> str:
    if e is None:
        return ""
    if e.constant != "kept":
        return {"dropped": "0", "added": f"+ {e.added}".replace("+ -", "- "),
                "other": "another constant"}[e.constant]
    own = e.fit.formula.constant
    assert own is not None and constant is not None                  # what is kept is there
    return _of_another(own.name, constant.name, scaling_in_words(e.of_constant))


def _not_the_problem(e: Explanation, case: Case, gradient_wrong: bool) -> tuple[str, ...]:
    """What the answers prove to be right, so that nobody looks there."""
    about, own = OBJECTIVES[case.objective], e.fit.formula
    of_role = {term.role: (term.name, scaling) for term, scaling in zip(own.terms, e.scalings)}
    changed = {change.what for change in e.changes}
    right = [term.name for term in about.terms
             if of_role.get(term.role) == (term.name, e.factor) and "loss" not in changed]
    but = "" if e.factor.is_one else ", but for the common factor"
    if gradient_wrong:
        return (f"the value of {listed(right)}{but}",) if right else ()
    out = []
    if right:
        out.append(f"{listed(right)}: right in every case{but}")
    if (e.constant == "kept" and own.constant == about.constant
            and not changed & {"target", "constant", "loss"}):
        out.append(f"the constant{but}")
    if e.mistakes or any(scaling.is_zero for scaling in e.scalings):
        return tuple(out)                            # of other functions the sums are not proved
    off = {name[0] for scaling in e.scalings for name, _ in scaling.powers}
    names = {"d": "dimensions", "n": "points", "M": "directions", "L": "levels"}
    sums = [words for name, words in names.items() if name in case.sizes and name not in off]
    if sums:
        out.append(f"sums and means over {listed(sums)}")
    return tuple(out)


def _notes(found: Diagnosis, known: set[str], failing: Sequence[Case],
           excused: bool, cases: Sequence[Case]) -> tuple[str, ...]:
    out = []
    if found.tolerance.name == MIXED.name:
        out.append("the answers agree to single precision only: something inside is float32, or a "
                   "small number is added under a root or a logarithm, or there are finite "
                   "differences, or noise, in it")
    if found.explanation is None and found.coefficients is None and found.form is None:
        out += filter(None, [where_right(found)])
    if excused:
        out.append("every failing case is a known failure")
    bad = {case.id for case in failing}
    surprising = [case.id for case in cases if case.id in known - bad]
    if surprising:
        more = f" and {len(surprising) - 5} more" if len(surprising) > 5 else ""
        out.append(f"known failures that do not fail: {', '.join(surprising[:5])}{more}")
    return tuple(out)
