"""`verify` and `assert_conforms`: ask an implementation for its answers, diagnose them, and report.

    import refsm

    def dsm(case):                                       # an implementation is a function of a case
        r = case.score(case.x_noisy) - (case.x - case.x_noisy) / case.sigma**2
        return (r * r).sum(axis=1).mean()

    print(refsm.verify(dsm, "dsm"))                      # CONVENTION  dsm: a factor 2
    refsm.assert_conforms(dsm, "dsm", convention="2")    # in a test: raises with the report's text
"""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Iterable, Sequence

import numpy as np

from refsm import validation
from refsm.verify.adapters.ask import TIME_LIMIT, AdapterError, ask, load
from refsm.verify.cases import Answer, Case
from refsm.verify.cases import cases as cases_of
from refsm.verify.cases.families import network_cases
from refsm.verify.convention import normal
from refsm.verify.diagnosis.diagnose import Diagnosis, diagnose
from refsm.verify.diagnosis.findings import Finding
from refsm.verify.diagnosis.gradients import diagnose_in_both, not_compared
from refsm.verify.diagnosis.per_point import of_points
from refsm.verify.diagnosis.precision import FLOAT64
from refsm.verify.few_cases import enough, few_cases
from refsm.verify.objectives import objective_name, predicting
from refsm.verify.on_a_schedule import on_a_schedule
from refsm.verify.own_gradient import against_own_loss
from refsm.verify.own_noise.hypotheses import DRAWING
from refsm.verify.own_noise.replicates import verify_own_noise
from refsm.verify.report.compose import report_on
from refsm.verify.report.report import Report
from refsm.verify.reproduce import command_of, named

__all__ = ["ask_and_judge", "assert_conforms", "verify"]

OWN_NOISE = ("own_noise takes no gradient, cases, model or known_failures: it has cases of its own")
FEW = ("gradient, convention and known_failures are for more cases than these: the family prime "
       "has them")
NETWORK = ("network and parameters belong together, and take no gradient, own_noise, cases or "
           "model: they have cases of their own, and the network's derivatives are not known")
SINGLE = ("the gradients agree to single precision only: something inside is float32, or they are "
          "finite differences")
VALUES_ONLY = ("gradients were asked for, but the answers hold values only, as those of the numpy, "
               "cpp and julia templates do: return value and gradient")


def verify(implementation: Callable[[Case], Any] | str, objective: str, *, gradient: bool = False,
           convention: str | None = None, cases: Sequence[Case] | None = None,
           family: str | None = None, seed: int = 0, model: str | None = None,
           predicts: str | None = None, network: Callable[..., Any] | None = None,
           parameters: Callable[..., Any] | None = None,
           known_failures: str | Path | Iterable[str] | None = None,
           time_limit: float = TIME_LIMIT, own_noise: bool = False,
           replicates: int | None = None) -> Report:
    """Compare an implementation with the reference on the cases of an objective.

    `implementation` is a function of a `Case` that returns the loss (a number, an array (n,), or a
    dict with value, per_sample and gradient), or "package.module:function".  The cases are the
    family prime (or another: vp, subvp and flow for code that computes sigma from alpha, ve for
    code without alpha), for the autoencoder (or another model), unless `cases` are given.
    `predicts` says what a denoising network returns: "score", "noise", "clean", "velocity", "flow"
    or "edm"; then every point has a level of its own, `case.alpha` and `case.sigma` are (n,), and
    `case.prediction(case.x_noisy)` is the network's output (for "score", `case.score`).
    `network` puts a network of your own in the place of the model: a function (x, theta), or
    (x, theta, sigma) where it is conditional on the level, of points (n, d), parameters and a
    number or an array (n,), that returns the score, the prediction or the reconstruction (n, d) as
    a NumPy array; `parameters` is a function (d, rng) that returns new ones, a dict of arrays.
    Then `case.params` are such parameters, and `case.prediction(x, sigma)` is the network.
    With `gradient` its gradients by block are compared too.  `convention` declares a difference
    that is meant, in the words of a report; what differs from the declaration is a mismatch then.
    `known_failures` are identifiers of cases (with * and ?), or a file of them.  `time_limit` is in
    seconds per call.  `own_noise` is for an implementation that draws its noise itself: its
    expectation is estimated from `replicates` calls (200) of each case, and compared, on
    cases of its own; an argument called rng or seed is handed new randomness at every call.
    TypeError or ValueError for a wrong argument; an implementation that fails is a report, not an
    exception.

    >>> from refsm.verify.cases import value
    >>> report = verify(lambda case: 2 * value(case), "dsm")
    >>> report.verdict, report.factor
    ('CONVENTION', '2')

    A network that is conditional on sigma, and its loss:

    >>> import numpy as np
    >>> def network(x, theta, sigma):
    ...     return np.tanh(x @ theta["B"] + np.log(sigma)[:, None] * theta["t"]) @ theta["A"]
    >>> def parameters(d, rng):
    ...     shapes = {"A": (6, d), "B": (d, 6), "t": (6,)}
    ...     return {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    >>> def loss(case):
    ...     output = case.prediction(case.x_noisy, case.sigma)
    ...     return ((output - case.noise)**2).sum(axis=1)
    >>> verify(loss, "dsm", predicts="noise", network=network, parameters=parameters).verdict
    'PASS'
    """
    if not callable(implementation) and not isinstance(implementation, str):
        raise TypeError("implementation must be a function of a case, or package.module:function, "
                        f"but it is {validation.brief(implementation)}")
    if network is not None or parameters is not None:
        if gradient or own_noise or (cases, model) != (None, None):
            raise ValueError(NETWORK)
        cases = network_cases(predicting(objective_name(objective), predicts), network, parameters,
                              seed, family or "prime")
    elif own_noise:
        if gradient or (cases, model, known_failures) != (None, None, None):
            raise ValueError(OWN_NOISE)
        return verify_own_noise(implementation, objective, replicates, seed, convention, time_limit,
                                predicts, family or "prime")
    if replicates is not None:
        raise ValueError("replicates are for own_noise")
    return ask_and_judge(implementation, objective, gradient=gradient, convention=convention,
                         cases=cases, family=family, seed=seed, model=model, predicts=predicts,
                         known_failures=known_failures, time_limit=time_limit)


def ask_and_judge(implementation: Callable[[Case], Any] | str, objective: str, command: str = "",
                  waits: float | None = None, search: str = "anywhere", **settings: Any) -> Report:
    """`verify`; `command` is how a shell names the implementation, where that is known, and it is
    waited for so many seconds, where it has a time limit of its own; `search` is that of
    `diagnose`."""
    called = objective_name(objective)
    objective = predicting(called, settings["predicts"])
    time_limit = waits or settings["time_limit"]
    declared = None if settings["convention"] is None else normal(settings["convention"])
    known = _known(settings["known_failures"])
    given = settings["cases"] is not None
    asked = _given(settings["cases"], objective) if given else cases_of(
        objective, settings["family"] or "prime", settings["seed"], settings["model"])
    if not enough(asked) and (settings["gradient"] or declared or known):
        raise ValueError(FEW)
    if settings["gradient"] and not asked[0].theta:
        raise ValueError("gradient is for a model with parameters, but these cases are arrays")
    command = "" if given else command_of(command or named(implementation), called, settings)

    def broken(error: str, status: int, case: Case) -> Report:
        verdict = "INCONCLUSIVE" if status == 3 else "BROKEN"
        return Report(verdict, objective, error, reproduce=_reproduce(command, case))

    try:
        function: Any = load(implementation) if isinstance(implementation, str) else implementation
    except AdapterError as error:
        return broken(str(error), error.status, asked[0])

    def elsewhere(report: Report) -> Report:
        return report if given or settings["family"] is not None else on_a_schedule(
            report, lambda family, search: ask_and_judge(
                function, called, waits=waits, search=search, **{
                    **settings, "family": family,
                    "gradient": settings["gradient"] and search == "known"}))

    answers = []
    for case in asked:
        try:
            answers.append(ask(function, case, time_limit, repeats=search == "anywhere"))
        except AdapterError as error:
            hint = "" if case.model else (" (an array case has no model and no functions; its "
                                          f"arrays are {', '.join(case.arrays)})")
            if error.status == 3 and objective in DRAWING and not given:
                hint += "; or verify it with --own-noise"
            return elsewhere(broken(f"{case.id}: {error}{hint}", error.status, case))
    if settings["gradient"] and all(answer.gradient is None for answer in answers):
        return broken(VALUES_ONLY, 3, asked[0])
    return elsewhere(_judge(asked, answers, settings["gradient"], declared, known,
                            _reproduce(command, asked[0]), function, time_limit, search))


def assert_conforms(implementation: Callable[[Case], Any] | str, objective: str,
                    **settings: Any) -> None:
    """AssertionError, with the report's text, unless it conforms.  Takes what `verify` takes.

    >>> from refsm.verify.cases import value
    >>> assert_conforms(lambda case: value(case) / case.d, "ism", convention="1 / d")
    """
    report = verify(implementation, objective, **settings)
    if report.exit_status:
        raise AssertionError("\n" + str(report))


def _judge(cases: Sequence[Case], answers: Sequence[Answer], gradient: bool, declared: str | None,
           known_failures: Sequence[str], reproduce: str, implementation: Callable[[Case], Any],
           time_limit: float, search: str) -> Report:
    """The report on the answers of an implementation to cases of one objective on one model."""
    values = [answer.value for answer in answers]
    dtypes = [answer.dtype for answer in answers]
    notes = tuple(dict.fromkeys(note for answer in answers for note in answer.notes))
    if not enough(cases):
        return few_cases(cases, values, dtypes, notes, reproduce)
    found = diagnose(cases, values, dtypes, search=search)
    findings: list[Finding] = []
    hidden: tuple[str, ...] = ()
    explained = found.explanation or found.coefficients
    if gradient and explained is not None:
        gradients = [answer.gradient or {} for answer in answers]
        findings, single = diagnose_in_both(found.table, gradients, explained, found.tolerance)
        notes = (*notes, SINGLE) if single else notes
        hidden = not_compared(found.table, gradients)
    elif gradient:
        fine = "float32" not in dtypes and found.tolerance.relative <= FLOAT64.relative
        findings, note = against_own_loss(implementation, cases, answers, fine, time_limit)
        notes = (*notes, note) if note else notes
    report = report_on(cases, found, findings, of_points(cases, answers, found), declared,
                       known_failures, notes, reproduce, gradient)
    return _steady(replace(report, cannot_tell=(*report.cannot_tell, *hidden)), answers, found)


def _steady(report: Report, answers: Sequence[Answer], found: Diagnosis) -> Report:
    """The report, allowing for answers that differed between two equal calls."""
    gap = np.array([answer.repeat_gap for answer in answers])
    if not gap.any():
        return report
    values = np.abs([answer.value for answer in answers])
    relative = float((gap / np.maximum(values, np.finfo(float).tiny)).max())
    allowed = found.tolerance(found.table.scale)
    if report.verdict == "PASS" and (gap[found.table.index] > allowed).any():
        name = (f"the answers are the reference's, but two equal calls differ by {relative:.1g}, "
                f"more than the rounding of {found.tolerance.name}")
        return replace(report, verdict="INCONCLUSIVE", name=name, convention="")
    resolution = None if report.resolution is None else max(report.resolution, relative)
    note = f"two equal calls differ by {relative:.1g}: nothing finer can be said"
    return replace(report, resolution=resolution, notes=(*report.notes, note))


def _given(cases: Any, objective: str) -> list[Case]:
    """The cases that a user gives, which must be of the objective."""
    if not isinstance(cases, Iterable):
        raise TypeError(f"cases must be a list of cases, but it is {validation.brief(cases)}")
    asked = list(cases)
    if not asked:
        raise ValueError("cases must not be empty")
    for case in asked:
        if not isinstance(case, Case):
            raise TypeError("cases must be a list of cases, but one of them is "
                            f"{validation.brief(case)}")
        if case.objective != objective:
            raise ValueError(f"cases must be of the objective {objective}, but {case.id} is of "
                             f"{case.objective}")
    return asked


def _known(given: str | Path | Iterable[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    if isinstance(given, (str, Path)):
        try:
            given = Path(given).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise ValueError("known_failures must be identifiers of cases or a file of them, but "
                             f"{given} cannot be read: {getattr(error, 'strerror', 'no text')}"
                             ) from None
    given = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(line, str) for line in given):
        raise TypeError("known_failures must be identifiers of cases, but one of them is "
                        f"{validation.brief(next(k for k in given if not isinstance(k, str)))}")
    return tuple(text for line in given if (text := line.partition("#")[0].strip()))


def _reproduce(command: str, case: Case) -> str:
    """The command that runs this again, where the implementation has a name, and its case."""
    shown = f"refsm show {case.id} --steps" if case.network is None else ""
    return "\n".join(filter(None, (command, shown)))
