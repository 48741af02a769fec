"""Mistakes of generalised score matching: which weight stands in which term.

Symbols
    n points, i dimensions (d).
    h, h_slope  (n, d)  weights and their derivatives, dh_i/dx_i
    psi         (n, d)  score;  J_ii the diagonal of its Jacobian

Equations
    (1)  term = sum_i ( a_i psi_i^2 / 2 + b_i psi_i + c_i J_ii ),
         right with a = c = h and b = h_slope                        [definition]

Derivation
    (1)  by parts; with other weights the terms belong to no squared distance of scores.

Conventions
    A term that is missing or has another factor is a scaling, and needs no row.

Sources
    `refsm.objectives.generalized`.
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

from typing import Any, Callable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.mistakes.mistake import Formula, Mistake, dimensions
from refsm.verify.objectives import OBJECTIVES, Term, dot

__all__ = ["weighted"]

ANOTHER = "the loss is no squared distance of scores plus a constant: the minimiser is another"
UNWEIGHTED = ("it is implicit score matching: the terms at the boundary are left out, where the "
              "density of the data need not vanish")
WEIGHTS: dict[str, Callable[[Any], Array]] = {
    "h": lambda q: q.case.h, "h'": lambda q: q.case.h_slope,
    "1": lambda q: np.ones(q.case.x.shape), "h^2": lambda q: q.case.h**2,
    "sqrt(h)": lambda q: np.sqrt(q.case.h), "x": lambda q: q.case.x,
    "h of the next point": lambda q: np.roll(q.case.h, -1, axis=0),
    "h of the point before": lambda q: np.roll(q.case.h, 1, axis=0),
    "h'^2": lambda q: q.case.h_slope**2, "h h'": lambda q: q.case.h * q.case.h_slope}
RIGHT = {"norm": "h", "slope": "h'", "divergence": "h"}
MULTIPLES = {"h": {"h'^2"}, "h'": {"sqrt(h)", "x"}}     # with h = x^2 these are multiples of it
OF_ROLE: dict[str, tuple[str, Callable[[Any], Array]]] = {
    "norm": ("psi_i^2 / 2", lambda q: q.psi()**2 / 2), "slope": ("psi_i", lambda q: q.psi()),
    "divergence": ("J_ii", lambda q: q.diagonal())}


def weighted(objective: str, model: str | None) -> Iterator[Formula]:
    """Every formula with one or two wrong weights, and dimensions that are left out."""
    wrong = [{**RIGHT, role: name} for role, right in RIGHT.items() for name in WEIGHTS
             if name not in {right, *MULTIPLES[right]}]
    wrong += [{**RIGHT, "norm": name, "divergence": name} for name in (
        "1", "h^2", "sqrt(h)", "h of the next point", "h of the point before")]
    for names in wrong:
        rows = tuple(Mistake(f"{role}.{name}", f"{name} in place of {RIGHT[role]} in the term of "
                             f"{OF_ROLE[role][0]}", name, lambda a: a, ANOTHER)
                     for role, name in names.items() if name != RIGHT[role])
        yield Formula(rows, tuple(_term(role, name) for role, name in names.items()))
    row = Mistake("weights.none", "no weights at all: h = 1", "h = 1", lambda a: a, UNWEIGHTED)
    yield Formula((row,), (_term("norm", "1"), _term("divergence", "1")))
    for row, suffix, chosen in dimensions():
        yield Formula((row,), tuple(_term(role, right, chosen, suffix)
                                    for role, right in RIGHT.items()))


def _term(role: str, name: str, chosen: slice = slice(None), suffix: str = "") -> Term:
    if name == RIGHT[role] and not suffix:
        return next(term for term in OBJECTIVES["generalized"].terms if term.role == role)
    symbols, f = OF_ROLE[role]

    def weighted_sum(q: Any) -> Array:
        return dot(WEIGHTS[name](q)[:, chosen], f(q)[:, chosen])              # (n,)  (1)

    return Term(role, f"sum {name} {symbols}{suffix}", weighted_sum)
