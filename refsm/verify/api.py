"""`verify` and `assert_conforms`: ask an implementation for its answers, find out what they are, and report.

    import refsm

    def dsm(case):                                              # an implementation is a function of a case
        r = case.score(case.x_noisy) - (case.x - case.x_noisy) / case.sigma**2
        return (r * r).sum(axis=1).mean()

    print(refsm.verify(dsm, "dsm"))                             # CONVENTION: 2, without the 1/2
    refsm.assert_conforms(dsm, "dsm", convention="2")           # in a test: raises AssertionError with the report's text
"""
from __future__ import annotations

import fnmatch
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Iterable, Sequence

import numpy as np

from refsm.verify import adapters
from refsm.verify.bank import formulas
from refsm.verify.cases import OBJECTIVES, Answer, Case, model_names, objective_name
from refsm.verify.cases import cases as cases_of
from refsm.verify.diagnosis import Diagnosis, diagnose
from refsm.verify.gradients import Finding, diagnose_gradients, not_compared
from refsm.verify.knowledge import TERM_NAMES
from refsm.verify.laws import parse_law
from refsm.verify.precision import FLOAT32, FLOAT64
from refsm.verify.reading import multiple
from refsm.verify.regression import Table
from refsm.verify.report import Report
from refsm.verify.terms import value
from refsm.verify.writing import written

__all__ = ["verify", "assert_conforms"]

WEIGHT = re.compile(r"weight (w\([-+.e0-9]+\) = [-+.e0-9]+(, )?)+")      # a weight by sigma that is no power, as a report prints it


def verify(implementation: Callable[[Case], Any] | str, objective: str, *, gradient: bool = False, convention: str | None = None,
           cases: Sequence[Case] | None = None, family: str | None = None, seed: int = 0, model: str | None = None,
           known_failures: str | Path | Iterable[str] | None = None, time_limit: float = adapters.TIME_LIMIT) -> Report:
    """Compare an implementation with the reference on the cases of an objective, and say what is different.

    `implementation` is a function of a `Case` that returns the loss (a number, terms (n,), or a dict with value, per_sample and gradient),
    or "package.module:function".  The cases are the family prime (or another), for the autoencoder (or another model), unless `cases` are
    given.  With `gradient` its gradients by block are compared too.  `convention` declares a difference that is meant, in the
    words of a report; what differs from the declaration is a mismatch then.  `known_failures` are identifiers of cases (with * and ?), or a file of them.
    `time_limit` is in seconds a call.  ValueError for a name that is not known; an implementation that fails is a report, not an exception.

    >>> from refsm.verify.terms import value
    >>> report = verify(lambda case: 2 * value(case), "dsm")
    >>> report.verdict, report.law
    ('CONVENTION', '2')
    """
    objective = objective_name(objective)
    declared = None if convention is None else normal(convention)
    known = _known(known_failures)
    asked, table = (list(cases), None) if cases is not None else _pinned(objective, family or "prime", seed, model)
    _check(asked, objective)
    reproduce = _reproduce(implementation, objective, asked[0], gradient, convention)
    try:
        function = adapters.load(implementation) if isinstance(implementation, str) else implementation
    except adapters.AdapterError as error:
        return Report("BROKEN", objective, str(error), reproduce=reproduce, status=error.status)
    answers = []
    for case in asked:
        answer = adapters.ask(function, case, time_limit)
        if isinstance(answer, adapters.Broken):
            hint = "" if case.model is not None else f" (an array case has no model and no functions; its arrays are {', '.join(case.arrays)})"
            return Report("INCONCLUSIVE" if answer.status == 3 else "BROKEN", objective, f"{answer}{hint}", reproduce=reproduce, status=answer.status)
        answers.append(answer)
    if gradient and all(answer.gradient is None for answer in answers) and asked[0].theta:
        none = "gradients were asked for, but the answers hold values only, as those of the numpy, cpp and julia templates do: return value and gradient"
        return Report("INCONCLUSIVE", objective, none, reproduce=reproduce)
    return judge(asked, answers, gradient, declared, known, reproduce, table)


def assert_conforms(implementation: Callable[[Case], Any] | str, objective: str, **settings: Any) -> None:
    """AssertionError, with the report's text, unless the implementation conforms.  Takes what `verify` takes.

    >>> from refsm.verify.terms import value
    >>> assert_conforms(lambda case: value(case) / case.d, "ism", convention="1 / d")
    """
    report = verify(implementation, objective, **settings)
    if report.exit_status:
        raise AssertionError("\n" + str(report))


def judge(cases: Sequence[Case], answers: Sequence[Answer], gradient: bool = False, declared: str | None = None, known: Sequence[str] = (),
          reproduce: str = "", table: Table | None = None) -> Report:
    """The report on answers that were given to cases of one objective on one model."""
    values = [answer.value for answer in answers]
    dtypes = [answer.dtype for answer in answers]
    notes = tuple(dict.fromkeys(note for answer in answers for note in answer.notes))
    if not _enough(cases):
        return _few(cases, values, dtypes, notes, reproduce)
    found = diagnose(cases, values, dtypes, table=table)
    per_sample = _per_sample(cases, answers, found)
    findings: list[Finding] = []
    hidden: tuple[str, ...] = ()
    if gradient and cases[0].theta:
        gradients = [answer.gradient or {} for answer in answers]
        findings, hidden = diagnose_gradients(found.table, cases, gradients, found.reading, found.unit), not_compared(cases, gradients)
    report = written(cases, values, found, findings, per_sample, declared, known, notes, reproduce, gradient)
    return _steady(replace(report, cannot_tell=(*report.cannot_tell, *hidden)), answers, found)


def _steady(report: Report, answers: Sequence[Answer], found: Diagnosis) -> Report:
    """The report, allowing for answers that differed between two equal calls."""
    spread = np.array([answer.spread for answer in answers])
    if not spread.any():
        return report
    values = np.abs([answer.value for answer in answers])
    relative = float((spread / np.maximum(values, np.finfo(float).tiny)).max())
    note = f"two equal calls differ by {relative:.1g}: nothing finer can be said"
    if report.verdict == "PASS" and (spread[found.table.index] > found.unit(found.table.scale() + values[found.table.index])).any():
        name = f"the answers are the reference's, but two equal calls differ by {relative:.1g}, more than the rounding of {found.unit.name}"
        return replace(report, verdict="INCONCLUSIVE", name=name, convention="")
    resolution = None if report.resolution is None else max(report.resolution, relative)
    return replace(report, resolution=resolution, notes=(*report.notes, note))


def normal(convention: str) -> str:
    """A declared convention in the form in which reports print theirs.  ValueError where a factor in it, or a piece of it, is none.

    >>> normal("2*sigma**2/d;  constant dropped")
    '2 sigma^2 / d; constant dropped'
    """
    pieces = [piece.strip() for piece in str(convention).split(";") if piece.strip()]
    out = []
    for piece in pieces:
        what, times, law = piece.partition(" x ")
        plus = piece.startswith("constant + ")
        if times and what in TERM_NAMES:
            out.append(f"{what} x {parse_law(law)}")
        elif plus:
            out.append(f"constant + {parse_law(piece[len('constant + '):])}")
        elif len(piece) and (piece[0] in "0123456789-(" or piece.split("^")[0].split()[0].split("*")[0].split("/")[0] in ("strength", "sigma", "d", "n", "M")):
            out.append(str(parse_law(piece)))
        elif WEIGHT.fullmatch(piece) or piece in ("constant dropped", "constant other") or piece in _slips():
            out.append(piece)
        else:
            raise ValueError(f"{piece!r} is not a convention: one is a factor such as 2 sigma^2 / d, a term with its factor such as target x -1, or a "
                             "difference in the words in which a report prints it as convention=")
    return "; ".join(piece for piece in out if piece != "1") or "1"


@lru_cache(maxsize=None)
def _slips() -> frozenset[str]:
    """Every mistake in the bank."""
    asked = ((objective, model) for objective in OBJECTIVES for model in (None, *model_names(objective)))
    return frozenset(slip for objective, model in asked for formula in formulas(objective, model) for slip in formula.slips)


@lru_cache(maxsize=16)
def _pinned(objective: str, family: str, seed: int, model: str | None) -> tuple[list[Case], Table]:
    """The cases of a name, and what is computed for them, kept for the next implementation."""
    asked = cases_of(objective, family, seed, model)
    if not asked:
        raise ValueError("cases must not be empty")
    return asked, Table(asked)


def _check(cases: Sequence[Case], objective: str) -> None:
    if not cases:
        raise ValueError("cases must not be empty")
    for case in cases:
        if not isinstance(case, Case):
            raise TypeError(f"cases must be cases, but one is a {type(case).__name__}")
        if case.objective != objective:
            raise ValueError(f"cases must be of the objective {objective}, but {case.id} is of {case.objective}")


def _known(given: str | Path | Iterable[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    if isinstance(given, (str, Path)):
        try:
            given = Path(given).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise ValueError(f"known_failures must be identifiers of cases or a file of them, but {given} cannot be read: {error.strerror}") from None
    return tuple(text for line in given if (text := line.partition("#")[0].strip()))


def is_known(identifier: str, known: Sequence[str]) -> bool:
    """Whether a case is among the known failures."""
    return any(fnmatch.fnmatchcase(identifier, pattern) for pattern in known)


def _enough(cases: Sequence[Case]) -> bool:
    """Whether one cell at least has more thetas than a loss has terms."""
    cells: dict[str, int] = {}
    for case in cases:
        cells[f"{case.model}/{case.cell}/{case.family}"] = cells.get(f"{case.model}/{case.cell}/{case.family}", 0) + 1
    return max(cells.values()) >= 5 and len({case.model for case in cases}) == 1 and len({case.family for case in cases}) == 1


def _few(cases: Sequence[Case], values: Sequence[float], dtypes: Sequence[str], notes: tuple[str, ...], reproduce: str) -> Report:
    """A comparison of numbers, where the cases are too few for more."""
    unit = FLOAT64 if "float64" in dtypes else FLOAT32
    off = [(case, mine, yours) for case, yours in zip(cases, values) if abs((mine := value(case)) - yours) > unit(np.array(1.0 + abs(mine)))]
    if not off:
        return Report("PASS", cases[0].objective, f"all {len(cases)} answers are the reference's", cases=len(cases), model=cases[0].model, precision=unit.name,
                      notes=("these cases are few: what they cannot tell apart passes; the family prime tells it apart", *notes))
    case, mine, yours = off[0]
    return Report("UNEXPLAINED", cases[0].objective, f"{len(off)} of {len(cases)} answers differ; these cases are too few to say how (the family prime does)",
                  failing=tuple(case.id for case, _, _ in off), cases=len(cases), model=case.model, precision=unit.name, reproduce=reproduce, notes=notes,
                  case={"id": case.id, "sizes": {"d": case.d, "n": case.n, **case.hyper}, "reference": mine, "yours": yours})


def _per_sample(cases: Sequence[Case], answers: Sequence[Answer], found: Diagnosis) -> tuple[str, ...]:
    """What the terms of single points say beyond their mean."""
    from refsm.verify.terms import per_sample as reference

    given = [(case, answer) for case, answer in zip(cases, answers) if answer.per_sample is not None]
    if not given or not found.matches:
        return ()
    law = multiple([np.asarray(answer.per_sample) for _, answer in given], [reference(case) for case, _ in given],
                   [{"d": case.d, "n": case.n, **case.hyper} for case, _ in given], found.unit)
    if law is not None and not law.is_one:
        return (f"the mean over points is right, but the term of every point is {law} times the reference's",)
    for case, answer in given:
        mine, yours = reference(case), np.asarray(answer.per_sample)
        scale = np.abs(mine).max() * case.n
        if (np.abs(np.sort(mine) - np.sort(yours)) > found.unit(scale)).any():
            return (f"the mean over points is right, but their terms are not: {case.id} has {yours[0]:.6g} at the first point, the reference {mine[0]:.6g}",)
        if (np.abs(mine - yours) > found.unit(scale)).any():
            return ("the terms of the points are right, but in another order",)
    return ()


def _reproduce(implementation: Any, objective: str, case: Case, gradient: bool, convention: str | None) -> str:
    """The command that runs this again, where the implementation has a name that can be imported."""
    name = implementation if isinstance(implementation, str) else f"{getattr(implementation, '__module__', '')}:{getattr(implementation, '__qualname__', '<')}"
    show = f"refsm show {case.id} --steps"
    if "<" in name or name.startswith(("__main__", ":")):
        return show
    return f"refsm verify {name} --objective {objective}{' --gradient' if gradient else ''}\n{show}"
