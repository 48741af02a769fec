"""The self-test: the diagnosis is tried on wrong losses of which the truth is known.

    kill table      every formula of the bank differs widely from the reference in two cases at least
    tampering       one answer changed by one part in a thousand is noticed
    named           every formula of the bank is told by its name, on many sets of cases, in float64 and float32
    left out        a formula that the bank is made to forget is not taken for another one
    random          random numbers are never explained
    doubles         two random mistakes at once are told right or not at all
    right           right answers, in either precision and with every convention, raise no alarm

An explanation is right when it predicts the answers of the same wrong loss on OTHER cases, drawn from another seed.  That is what an
explanation is for, and no list of expected texts is needed to test it; where a name is expected, the name is compared too.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.bank import Formula, formulas
from refsm.verify.cases import OBJECTIVES, cases, model_names
from refsm.verify.diagnosis import Diagnosis, diagnose
from refsm.verify.laws import ONE, ZERO, Law, parse_law
from refsm.verify.reading import predicted
from refsm.verify.regression import Table

__all__ = ["Mistake", "Outcome", "SelfTest", "selftest", "single_mistakes", "double_mistake", "judge_mistake", "kill_table", "false_alarms"]

WIDE = 1e-4                # a mistake is killed by a case if it changes the answer by this much of the sum of absolute terms
LAWS = ("2", "1 / 2", "-1", "0", "1 / d", "d", "n", "1 / n", "sigma", "sigma^2", "1 / sigma", "1 / sigma^2", "sigma^4", "M", "1 / M", "4", "2 sigma^2 / d",
        "0.9", "strength", "1 / strength")


@dataclass(frozen=True)
class Mistake:
    """A wrong loss: a formula, the law on each of its parts, and the law on its constant."""

    formula: Formula
    laws: tuple[Law, ...]
    constant: Law = ONE

    def values(self, table: Table) -> Array | None:
        """Its answers, (C, T); None where the cases cannot say."""
        out = np.zeros(table.index.shape)
        parts = [*zip(self.formula.parts, self.laws), *([(self.formula.constant, self.constant)] if self.formula.constant else [])]
        for part, law in parts:
            given = table.part(part)
            if given is None:
                return None
            out = out + np.array([law(cell) for cell in table.sizes])[:, None] * given[0]
        return out

    def __str__(self) -> str:
        named = [f"{part.name} x {law}" for part, law in zip(self.formula.parts, self.laws) if not law.is_one]
        return "; ".join([*self.formula.slips, *named, *([] if self.constant.is_one else [f"constant x {self.constant}"])]) or "the reference"


@dataclass(frozen=True)
class Outcome:
    """How one wrong loss was told: "right", "unexplained" or "wrong"."""

    objective: str
    mistake: str
    told: str
    verdict: str


@dataclass(frozen=True)
class SelfTest:
    """Counts by part and objective, and every outcome that should not be."""

    counts: dict[str, dict[str, int]]
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def __str__(self) -> str:
        lines = [f"self-test of the diagnosis: {'passed' if self.passed else f'{len(self.failures)} failures'}", ""]
        lines += [f"  {part:12} {', '.join(f'{count} {what}' for what, count in counts.items())}" for part, counts in self.counts.items()]
        return "\n".join([*lines, *(f"  FAILED {failure}" for failure in self.failures[:20])])


def selftest(quick: bool = True, seed: int = 0) -> SelfTest:
    """Run the self-test: a sample in a few seconds, or (quick=False) all of it in some minutes."""
    counts: dict[str, dict[str, int]] = {}
    failures: list[str] = []
    rng = np.random.default_rng(seed)
    objectives = list(OBJECTIVES) if not quick else ["dsm", "ism", "ratio"]

    def note(part: str, what: str, bad: str | None = None) -> None:
        counts.setdefault(part, {})[what] = counts.setdefault(part, {}).get(what, 0) + 1
        if bad is not None:
            failures.append(f"{part}: {bad}")

    for objective in objectives:
        for name, kills in kill_table(objective).items():
            note("kill table", "killed by two cases or more" if kills >= 2 else "not killed", None if kills >= 2 else f"{objective}: {name}: {kills}")
        seeds = [int(s) for s in rng.integers(1, 10**6, 2 if quick else 8)]
        tables = [(Table(cases(objective, "prime", s)), s) for s in seeds]
        here, other = tables[0][0], tables[1][0]
        singles = list(single_mistakes(objective))
        chosen = singles if not quick else [singles[i] for i in rng.choice(len(singles), 4, replace=False)]
        for mistake in chosen:
            for float32 in (False, True):
                told = judge_mistake(mistake, here, other, rng, float32)
                note("named", told.told, None if told.told == "right" else f"{objective}: {mistake}: {told.verdict}")
            if mistake.formula.slips:
                told = judge_mistake(mistake, here, other, rng, left_out=mistake.formula.slips)
                note("left out", told.told, f"{objective}: {mistake}: {told.verdict}" if told.told == "wrong" else None)
        for k in range(2 if quick else 60):
            told = judge_mistake(double_mistake(objective, rng), here, other, rng, float32=bool(k % 2))
            note("doubles", told.told, f"{objective}: {told.mistake}: {told.verdict}" if told.told == "wrong" else None)
        for _ in range(1 if quick else 40):
            scale = 10.0**rng.uniform(-3, 3)
            found = diagnose(here.cases, scale * rng.standard_normal(len(here.cases)), table=here)
            explained = found.reading is not None or found.coefficients is not None
            note("random", "explained" if explained else "unexplained", f"{objective}: random numbers" if explained else None)
        for alarm in false_alarms(objective, seeds if quick else range(100)):
            note("right", "false alarm" if alarm else "no alarm", alarm)
        tampered = _values(_no_mistake(objective), here)
        tampered[int(rng.integers(len(tampered)))] *= 1.001
        seen = not diagnose(here.cases, tampered, table=here).matches
        note("tampering", "noticed" if seen else "missed", None if seen else objective)
    return SelfTest(counts, tuple(failures))


def _no_mistake(objective: str) -> Mistake:
    """No mistake at all."""
    reference = formulas(objective, model_names(objective)[0])[0]
    return Mistake(reference, (ONE,) * len(reference.parts))


def _values(mistake: Mistake, table: Table) -> Array:
    """The answers of a mistake to all cases, in their order."""
    Y = mistake.values(table)
    assert Y is not None
    out = np.zeros(len(table.cases))
    out[table.index.ravel()] = Y.ravel()
    return out


def single_mistakes(objective: str, model: str | None = None) -> Iterator[Mistake]:
    """Every formula of the bank with one slip, and every law on one term, on the target, and on all."""
    known = formulas(objective, model or model_names(objective)[0])
    reference = known[0]
    k = len(reference.parts)
    for formula in known:
        if len(formula.slips) == 1:
            extra = len(formula.parts) > k
            yield Mistake(formula, (ONE,) * k + (Law(0.1),) if extra else (ONE,) * len(formula.parts))
    for text in _laws(objective):
        law = parse_law(text)
        if k > 1:
            for j in range(k):
                yield Mistake(reference, tuple(law if i == j else ONE for i in range(k)))
        if reference.constant is not None and not law.is_zero and not (law * law).is_one:
            yield Mistake(reference, (ONE, law), law * law)
        if not law.is_zero:
            yield Mistake(reference, (law,) * k, law)
    if reference.constant is not None:
        yield Mistake(reference, (ONE,) * k, ZERO)


def double_mistake(objective: str, rng: np.random.Generator, model: str | None = None) -> Mistake:
    """Two random mistakes at once: two slips, a slip and a law, or two laws."""
    known = formulas(objective, model or model_names(objective)[0])
    kind = rng.integers(3)
    slipped = [f for f in known if len(f.slips) == (2 if kind == 0 else 1) and not f.slips[0].startswith("a term too many")]
    formula = slipped[int(rng.integers(len(slipped)))] if kind < 2 and slipped else known[0]
    k = len(formula.parts)
    laws = [ONE] * k
    if kind == 1:
        laws[int(rng.integers(k))] = _random_law(objective, rng)
    if kind == 2 or not slipped:
        laws = [_random_law(objective, rng) for _ in range(k)]
    return Mistake(formula, tuple(laws))


def judge_mistake(mistake: Mistake, here: Table, other: Table, rng: np.random.Generator, float32: bool = False, left_out: Sequence[str] = ()) -> Outcome:
    """How the diagnosis tells a mistake from its answers to some cases; right if that predicts its answers to other cases."""
    objective = here.cases[0].objective
    Y, truth = mistake.values(here), mistake.values(other)
    if Y is None or truth is None:
        return Outcome(objective, str(mistake), "right", "not to be evaluated")
    values = _values(mistake, here)
    if float32:
        values = (values * (1 + 2.0**-23 * rng.uniform(-1, 1, values.shape))).astype(np.float32).astype(float)
    found = diagnose(here.cases, values, left_out=left_out, table=here)
    if found.reading is None:
        return Outcome(objective, str(mistake), "unexplained", "unexplained")
    told = "right" if _agrees(found, other, truth) else "wrong"
    return Outcome(objective, str(mistake), told, found.reading.convention)


def _agrees(found: Diagnosis, other: Table, truth: Array) -> bool:
    """Whether a diagnosis predicts the answers to other cases, up to a constant of theta where that is what it says."""
    assert found.reading is not None
    off = predicted(other, found.reading) - truth
    if found.reading.constant == "other":
        off = off + found.reading.fit.coefficients[:, -1:] * -1
        off = off - off.mean(axis=1, keepdims=True)
    return bool((np.abs(off) <= 1e-3 * np.abs(truth).max(axis=1, keepdims=True)).all())


def kill_table(objective: str, seed: int = 0) -> dict[str, int]:
    """For every formula of the bank with one slip, how many cases it is killed by."""
    table = Table(cases(objective, "prime", seed))
    right = _no_mistake(objective).values(table)
    out = {}
    for mistake in single_mistakes(objective):
        Y = mistake.values(table)
        if Y is not None and right is not None:
            out[str(mistake)] = int((np.abs(Y - right) > WIDE * (table.scale() + np.abs(Y))).sum())
    return out


def false_alarms(objective: str, seeds: Sequence[int]) -> Iterator[str | None]:
    """For each seed and each right way to answer, what is wrongly said of it; None where nothing is."""
    model = model_names(objective)[0]
    for seed in seeds:
        table = Table(cases(objective, "prime", int(seed)))
        for law in (ONE, parse_law("1 / d"), parse_law("2")):
            reference = formulas(objective, model)[0]
            right = Mistake(reference, (law,) * len(reference.parts), law)
            values = _values(right, table)
            for answers in (values, values.astype(np.float32).astype(float)):
                found = diagnose(table.cases, answers, table=table)
                good = found.reading is not None and found.reading.is_convention and found.reading.factor == law and found.reading.constant in ("kept", "none")
                yield None if good else f"{objective}, seed {seed}, x {law}: {found.reading.convention if found.reading else 'unexplained'}"


def _laws(objective: str) -> list[str]:
    """The laws whose sizes an objective has."""
    sizes = {"sigma"} | ({"M"} if objective in ("ssm", "ssm_vr") else set()) | ({"strength"} if objective == "regularized" else set())
    if objective in ("ratio", "pseudo"):
        sizes = set()
    return [law for law in LAWS if not (({"sigma", "M", "strength"} - sizes) & set(law.replace("^", " ").split()))]


def _random_law(objective: str, rng: np.random.Generator) -> Law:
    laws = _laws(objective)
    return parse_law(laws[int(rng.integers(len(laws)))])


