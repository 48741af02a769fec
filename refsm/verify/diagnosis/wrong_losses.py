"""Wrong losses of which the truth is known: mistakes and scalings, single and double."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.diagnosis.regression import Table
from refsm.verify.diagnosis.scaling import ONE, ZERO, Scaling, parse_scaling
from refsm.verify.mistakes import Formula, formulas
from refsm.verify.objectives import OBJECTIVES, model_names

__all__ = ["WrongLoss", "double_mistake", "no_mistake", "single_mistakes"]

SCALINGS = ("2", "1 / 2", "-1", "0", "1 / d", "d", "n", "1 / n", "sigma", "sigma^2", "1 / sigma",
            "1 / sigma^2", "sigma^4", "M", "1 / M", "4", "2 sigma^2 / d", "0.9", "strength",
            "1 / strength")


@dataclass(frozen=True)
class WrongLoss:
    """A formula, the scaling of each of its terms, and that of its constant."""

    formula: Formula
    scalings: tuple[Scaling, ...]
    constant: Scaling = ONE

    def values(self, table: Table) -> Array | None:
        """Its answers, (C, T); None where the cases cannot say."""
        terms, scalings = self.formula.terms, self.scalings
        if self.formula.constant is not None:
            terms, scalings = (*terms, self.formula.constant), (*scalings, self.constant)
        both = table.combined(terms, scalings)
        return None if both is None else both[0]

    def answers(self, table: Table) -> Array:
        """Its answers to all cases, in their order."""
        Y, out = self.values(table), np.zeros(len(table.cases))
        assert Y is not None
        out[table.index.ravel()] = Y.ravel()
        return out

    def __str__(self) -> str:
        scaled = [f"{term.name} x {scaling}"
                  for term, scaling in zip(self.formula.terms, self.scalings) if not scaling.is_one]
        constant = [] if self.constant.is_one else [f"constant x {self.constant}"]
        words = [mistake.words for mistake in self.formula.mistakes]
        return "; ".join([*words, *scaled, *constant]) or "the reference"


def no_mistake(objective: str) -> WrongLoss:
    """No mistake at all."""
    reference = formulas(objective, model_names(objective)[0])[0]
    return WrongLoss(reference, (ONE,) * len(reference.terms))


def single_mistakes(objective: str, model: str | None = None) -> Iterator[WrongLoss]:
    """Every formula with one mistake, and every scaling of one term, of the target, and of all."""
    known = formulas(objective, model or model_names(objective)[0])
    reference = known[0]
    k = len(reference.terms)
    for formula in known:
        if len(formula.mistakes) == 1:
            extra = len(formula.terms) > k
            usual = (ONE,) * len(formula.terms)
            yield WrongLoss(formula, (ONE,) * k + (Scaling(0.1),) if extra else usual)
    for text in _scalings(objective):
        scaling = parse_scaling(text)
        if k > 1:
            for j in range(k):
                yield WrongLoss(reference, tuple(scaling if i == j else ONE for i in range(k)))
        squared = scaling * scaling
        if reference.constant is not None and not scaling.is_zero and not squared.is_one:
            yield WrongLoss(reference, (ONE, scaling), squared)
        if not scaling.is_zero:
            yield WrongLoss(reference, (scaling,) * k, scaling)
    if reference.constant is not None:
        yield WrongLoss(reference, (ONE,) * k, ZERO)


def double_mistake(objective: str, rng: np.random.Generator,
                   model: str | None = None) -> WrongLoss:
    """Two random mistakes at once: two rows, a row and a scaling, or two scalings."""
    known = formulas(objective, model or model_names(objective)[0])
    kind = rng.integers(3)
    several = [f for f in known if len(f.mistakes) == (2 if kind == 0 else 1)
               and f.mistakes[0].role != "extra"]
    chosen = kind < 2 and several
    formula = several[int(rng.integers(len(several)))] if chosen else known[0]
    k = len(formula.terms)
    scalings = [ONE] * k
    if kind == 1:
        scalings[int(rng.integers(k))] = _random_scaling(objective, rng)
    if kind == 2 or not several:
        scalings = [_random_scaling(objective, rng) for _ in range(k)]
    return WrongLoss(formula, tuple(scalings))


def _scalings(objective: str) -> list[str]:
    """The scalings whose sizes an objective has."""
    about = OBJECTIVES[objective]
    absent = {"sigma"} if about.is_binary or about.levels in ("points", "several") else set()
    absent |= {"M"} if about.random != "directions" else set()
    absent |= {"strength"} if "strength" not in about.given else set()
    return [text for text in SCALINGS if not absent & set(text.replace("^", " ").split())]


def _random_scaling(objective: str, rng: np.random.Generator) -> Scaling:
    texts = _scalings(objective)
    return parse_scaling(texts[int(rng.integers(len(texts)))])
