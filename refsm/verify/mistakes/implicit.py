"""Mistakes in a norm, a divergence and a penalty: implicit, regularised and sliced score matching.

A loss takes one row from each table, at most two of them wrong.
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

from itertools import product
from typing import Any, Callable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.quantities import POINTS
from refsm.verify.mistakes.directions import (DIRECTIONS, UNIT_SEEN, along, curvature, dashed,
                                              of_directions)
from refsm.verify.mistakes.divergences import divergences, trace
from refsm.verify.mistakes.mistake import (DIMENSIONS, Formula, Mistake, absolute,
                                           not_constrained, root)
from refsm.verify.mistakes.norms import norms
from refsm.verify.objectives import OBJECTIVES, Term, dot

__all__ = ["implicit"]

PENALTY = "it is another penalty: the estimate is smoothed in another way"
PENALTIES: tuple[tuple[str, str, str, Callable[[Any], Array]], ...] = (
    ("frobenius-squared", "every entry of the Jacobian, not its diagonal", "|J|_F^2",
     lambda q: (q.J()**2).sum(axis=(1, 2))),
    ("off-diagonal", "off-diagonal entries in place of the diagonal", "sum_i!=k J_ik^2",
     lambda q: (q.J()**2).sum(axis=(1, 2)) - dot(q.diagonal(), q.diagonal())),
    ("of-square", "the trace of the squared Jacobian", "tr J^2",
     lambda q: np.einsum("nik,nki->n", q.J(), q.J())),
    ("square", "the square of the trace", "(tr J)^2", lambda q: trace(q)**2),
    ("absolutes", "absolute values of the diagonal", "sum |J_ii|",
     lambda q: absolute(q.diagonal()).sum(axis=1)),
    ("frobenius", "the Frobenius norm of the Jacobian", "|J|_F",
     lambda q: root((q.J()**2).sum(axis=(1, 2)))),
    ("length", "the length of the diagonal, not squared", "sqrt(sum J_ii^2)",
     lambda q: root(dot(q.diagonal(), q.diagonal()))),
    ("square-of-mean", "the square of the mean divergence", "(mean tr J)^2",
     lambda q: trace(q).mean(keepdims=True)**2))


def _penalties() -> Iterator[Mistake]:
    """What may stand where the penalty of the regularised form should."""
    yield Mistake("", "", "strength sum_i J_ii^2",
                  lambda q: q.case.strength * dot(q.diagonal(), q.diagonal()))
    for name, words, suffix, chosen, _ in DIMENSIONS:
        yield Mistake(
            f"penalty.{name}", f"penalty: {words}", f"strength sum J_ii{suffix}^2",
            lambda q, chosen=chosen: q.case.strength * (q.diagonal()[:, chosen]**2).sum(axis=1),
            PENALTY)
    for name, words, symbols, f in PENALTIES:
        yield Mistake(f"penalty.{name}", f"penalty: {words}", f"strength {symbols}",
                      lambda q, f=f: q.case.strength * f(q), PENALTY)


def implicit(objective: str, model: str | None) -> Iterator[Formula]:
    """Norm, divergence and penalty: at most two mistakes, and one where all terms share it."""
    slots = [list(norms(objective)), list(divergences(objective))]
    roles = [term.role for term in OBJECTIVES[objective].terms]
    if "penalty" in roles:                           # no case tells its square from the penalty
        slots[1] = [row for row in slots[1] if row.id != "divergence.squares"]
        slots.append(list(_penalties()))
    points = POINTS if OBJECTIVES[objective].at == "x_noisy" and model is not None else ()
    for point in ("x_noisy", *(p for p in points if p != "x_noisy")):
        moved = () if point == "x_noisy" else (Mistake(
            f"point.{point}", f"the score is read at {point}", point, POINTS[point],
            "the score of the density of those points is learned"),)
        for rows in product(*slots):
            wrong = (*moved, *(row for row in rows if row.id))
            if len(wrong) <= 2:
                yield Formula(wrong, tuple(_term(role, row, point if moved else "")
                                           for role, row in zip(roles, rows)))
    rows_of = {row.id: row for slot in slots for row in slot}
    for name, mistake in _in_all_terms():
        same = [rows_of.get(f"{role}.{name}") for role in roles]
        if all(same):
            yield Formula((mistake,), tuple(_term(role, row) for role, row in zip(roles, same)
                                            if row is not None))
    if objective == "ssm":
        both = zip(of_directions("norm", "(v.psi)^2 / 2", _norm_along), DIRECTIONS)
        for norm, (kind, words, effect, on_norm, _) in both:
            shared = Mistake(f"directions.{dashed(kind)}", words, kind, norm.formula, effect,
                             UNIT_SEEN if kind == "unit" else "", True)
            divergence = Term("divergence", f"v' J v, v {kind}",
                              lambda q, kind=kind: curvature(q, q.v(kind)).mean(axis=1))
            yield Formula((shared,), (_term("norm", norm), divergence))


def _in_all_terms() -> Iterator[tuple[str, Mistake]]:
    """What is one mistake where every term has it: the rows of that name."""
    for name, words, suffix, _, left in DIMENSIONS:
        yield name, Mistake(f"dimensions.{name}", words, suffix, _term, not_constrained(left))
    yield "mean-along", Mistake(
        "directions.mean", "the directions are averaged first", "mean(v)", _term,
        "in expectation it is 1 / M of the loss, with the same minimiser", same=True)


def _norm_along(kind: str) -> Callable:
    return lambda q: (along(q, kind)**2).mean(axis=1) / 2


def _term(role: str, row: Mistake, point: str = "") -> Term:
    """The term of a row, read at another point where one is given."""
    if not point:
        return Term(role, row.name, row.formula)
    return Term(role, f"{row.name} at {point}", lambda q: row.formula(q.read_at(point)))
