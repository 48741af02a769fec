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

    def values(self, table: Table) -> Array:
        """Its answers, (C, T)."""
        terms, scalings = self.formula.terms, self.scalings
        if self.formula.constant is not None:
            terms, scalings = (*terms, self.formula.constant), (*scalings, self.constant)
        return table.combined(terms, scalings)[0]

    def answers(self, table: Table) -> Array:
        """Its answers to all cases, in their order."""
        out = np.zeros(len(table.cases))
        out[table.index] = self.values(table)
        return out

    def __str__(self) -> str:
        scaled = [f"{term.name} x {scaling}"
                  for term, scaling in zip(self.formula.terms, self.scalings) if not scaling.is_one]
        kept = self.constant.is_one or self.formula.constant is None
        constant = [] if kept else [f"constant x {self.constant}"]
        words = [mistake.words for mistake in self.formula.mistakes]
        return "; ".join([*words, *scaled, *constant]) or "the reference"


def no_mistake(objective: str) -> WrongLoss:
    """No mistake at all."""
    reference = formulas(objective, model_names(objective)[0])[0]
    return WrongLoss(reference, (ONE,) * len(reference.terms))


def single_mistakes(objective: str) -> Iterator[WrongLoss]:
    """Every formula with one mistake, and every scaling of one term, of the target, and of all."""
    reference, *others = formulas(objective, model_names(objective)[0])
    for formula in others:
        if len(formula.mistakes) == 1:
            yield WrongLoss(formula, tuple(Scaling(0.1) if term.role == "extra" else ONE
                                           for term in formula.terms))
    k = len(reference.terms)
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


def double_mistake(objective: str, rng: np.random.Generator) -> WrongLoss:
    """Two random mistakes at once: two rows, a row and a scaling, or scalings of all terms."""
    count = int(rng.integers(3))                     # of rows
    known = formulas(objective, model_names(objective)[0])
    several = [f for f in known if [m.role != "extra" for m in f.mistakes] == [True] * count]
    if not several:
        count, several = 0, [known[0]]
    formula = several[int(rng.integers(len(several)))]
    k, texts = len(formula.terms), _scalings(objective)
    scaled = {0: list(range(k)), 1: [int(rng.integers(k))], 2: []}[count]
    return WrongLoss(formula, tuple(parse_scaling(texts[int(rng.integers(len(texts)))])
                                    if i in scaled else ONE for i in range(k)))


def _scalings(objective: str) -> list[str]:
    """The scalings whose sizes an objective has."""
    about = OBJECTIVES[objective]
    absent = {"sigma"} if about.is_binary or about.levels in ("points", "several") else set()
    absent |= {"M"} if about.random != "directions" else set()
    absent |= {"strength"} if "strength" not in about.given else set()
    return [text for text in SCALINGS if not absent & set(text.replace("^", " ").split())]
