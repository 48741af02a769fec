"""The self-test: the diagnosis is tried on wrong losses of which the truth is known; see `KINDS`.

An explanation is right when it predicts the answers of the same wrong loss on OTHER cases, drawn
from another seed.  That is what an explanation is for, and no list of expected texts is needed.
"""
from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Iterator, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases import cases
from refsm.verify.diagnosis.diagnose import diagnose
from refsm.verify.diagnosis.explanation import Explanation, predicted
from refsm.verify.diagnosis.regression import Table, table_of
from refsm.verify.diagnosis.scaling import ONE, parse_scaling
from refsm.verify.diagnosis.wrong_losses import (WrongLoss, double_mistake, no_mistake,
                                                 single_mistakes)
from refsm.verify.objectives import OBJECTIVES

__all__ = ["KINDS", "SelfTest", "false_alarms", "judge", "kill_table", "selftest"]

KINDS = {
    "kill table": "every formula differs widely from the reference in two cases at least",
    "tampering": "one answer changed by a ten thousandth of its terms is noticed",
    "named": "formulas are named, on many sets of cases, in float64",
    "in float32": "the same from float32, where a small coefficient may be lost in rounding",
    "left out": "a formula that the diagnosis must do without is not taken for another one",
    "random": "random numbers are never explained",
    "doubles": "two random mistakes at once are named right or not at all",
    "right": "right answers, in either precision and with every convention, raise no alarm"}

WIDE = 1e-4            # a mistake that changes an answer by this much of its terms is seen


@dataclass(frozen=True)
class SelfTest:
    """Counts by kind of trial, and every outcome that should not be."""

    counts: dict[str, dict[str, int]]
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def __str__(self) -> str:
        result = "passed" if self.passed else f"{len(self.failures)} failures"
        lines = [f"self-test of the diagnosis: {result}", ""]
        for kind, counts in self.counts.items():
            listed = ", ".join(f"{count} {what}" for what, count in counts.items())
            lines.append(f"  {kind:12}{KINDS[kind]}\n{'':14}{listed}")
        return "\n".join([*lines, *(f"  FAILED {failure}" for failure in self.failures[:20])])


def selftest(quick: bool = True, seed: int = 0) -> SelfTest:
    """Run the self-test: a few trials in seconds, or (quick=False) many in some minutes."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    failures: list[str] = []
    rng = np.random.default_rng(seed)
    for objective in ("dsm", "ism", "ratio") if quick else OBJECTIVES:
        for kind, what, bad in _trials(objective, 2 if quick else 50, rng):
            counts[kind][what] += 1
            if bad:
                failures.append(f"{kind}: {bad}")
    return SelfTest({kind: dict(count) for kind, count in counts.items()}, tuple(failures))


def _trials(objective: str, count: int,
            rng: np.random.Generator) -> Iterator[tuple[str, str, str]]:
    """The kind of each trial, its outcome, and what is bad about it, if anything: so many of each
    kind, every kill, and four times as many single mistakes, where there are so many."""
    for name, kills in kill_table(objective).items():
        killed = kills >= 2
        yield ("kill table", "killed by two cases or more" if killed else "not killed",
               "" if killed else f"{objective}: {name}: {kills}")
    first, second, *_ = seeds = rng.permutation(1000)[:count].tolist()
    here, other = (table_of(tuple(cases(objective, "prime", seed))) for seed in (first, second))
    single = [loss for loss in single_mistakes(objective) if _kills(loss, here)]
    for k in rng.permutation(len(single))[:4 * count]:
        for float32 in (False, True):
            outcome, said = judge(single[k], here, other, rng, float32)
            fine = ("right", "unexplained") if float32 else ("right",)
            yield "in float32" if float32 else "named", outcome, "" if outcome in fine else said
        ids = [mistake.id for mistake in single[k].formula.mistakes]
        if ids:
            outcome, said = judge(single[k], here, other, rng, left_out=ids)
            yield "left out", outcome, said if outcome == "wrong" else ""
    for k in range(count):
        outcome, said = judge(double_mistake(objective, rng), here, other, rng, bool(k % 2))
        yield "doubles", outcome, said if outcome == "wrong" else ""
        d = diagnose(here.cases, rng.standard_normal(len(here.cases)))
        explained = d.explanation is not None or d.coefficients is not None
        yield ("random", "explained" if explained else "unexplained",
               f"{objective}: random numbers" if explained else "")
    for alarm in false_alarms(objective, seeds):
        yield "right", "false alarm" if alarm else "no alarm", alarm or ""
    tampered = no_mistake(objective).answers(here)
    changed = here.index == rng.integers(len(tampered))
    tampered[here.index[changed]] += WIDE * here.scale[changed]
    seen = not diagnose(here.cases, tampered).matches
    yield "tampering", "noticed" if seen else "missed", "" if seen else objective


def judge(loss: WrongLoss, here: Table, other: Table, rng: np.random.Generator,
          float32: bool = False, left_out: Sequence[str] = ()) -> tuple[str, str]:
    """How a loss is named from its answers to some cases, "right", "wrong" or "unexplained", and in
    which words; right if that predicts its answers to other cases."""
    values = loss.answers(here)
    if float32:
        rounded = values * (1 + 2.0**-23 * rng.uniform(-1, 1, values.shape))
        values = rounded.astype(np.float32).astype(float)
    e = diagnose(here.cases, values, left_out=left_out).explanation
    if e is None:
        return "unexplained", f"{here.objective}: {loss}: unexplained"
    right = _agrees(e, other, loss.values(other))
    return "right" if right else "wrong", f"{here.objective}: {loss}: {e.convention}"


def _agrees(e: Explanation, other: Table, truth: Array) -> bool:
    """Whether an explanation predicts the answers to other cases, up to a constant of theta where
    that is what it says."""
    off = predicted(other, e)[0] - truth
    if e.constant == "other":
        off = off - off.mean(axis=1, keepdims=True)
    return bool((np.abs(off) <= 1e-3 * np.abs(truth).max(axis=1, keepdims=True)).all())


def kill_table(objective: str) -> dict[str, int]:
    """For every formula with one mistake, how many cases it is killed by."""
    table = table_of(tuple(cases(objective, "prime")))
    return {str(loss): _kills(loss, table) for loss in single_mistakes(objective)}


def _kills(loss: WrongLoss, table: Table) -> int:
    """How many cases differ widely from the reference."""
    return int((np.abs(loss.values(table) - table.reference) > WIDE * table.scale).sum())


def false_alarms(objective: str, seeds: Sequence[int]) -> Iterator[str | None]:
    """For each seed and each right way to answer, what is wrongly said of it; or None."""
    for seed in seeds:
        table = table_of(tuple(cases(objective, "prime", int(seed))))
        for factor in (ONE, parse_scaling("1 / d"), parse_scaling("2")):
            reference = no_mistake(objective)
            right = replace(reference, scalings=(factor,) * len(reference.scalings),
                            constant=factor)
            values = right.answers(table)
            for answers in (values, values.astype(np.float32).astype(float)):
                e = diagnose(table.cases, answers).explanation
                good = (e is not None and e.is_convention and e.factor == factor
                        and e.constant in ("kept", "none"))
                said = e.convention if e else "unexplained"
                yield None if good else f"{objective}, seed {seed}, x {factor}: {said}"
