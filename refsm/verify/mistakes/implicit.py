"""Mistakes in a norm, a divergence and a penalty: implicit, regularised and sliced score matching.

A loss takes one row from each table, at most two of them wrong.
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import Any, Callable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.quantities import CLIPPED, POINTS
from refsm.verify.mistakes.directions import (DIRECTIONS, SAME, UNIT_SEEN, dashed, of_directions,
                                              with_given)
from refsm.verify.mistakes.divergences import TRACES, divergences, of_slopes
from refsm.verify.mistakes.mistake import (DIMENSIONS, LONG, OFFSET, SQUARES, UNBOUNDED, ZERO,
                                           Formula, Mistake, absolute, clipped, dimensions,
                                           reference, rows, with_terms)
from refsm.verify.objectives import OBJECTIVES, Term, dot

__all__ = ["implicit"]

AT_BOUNDS = f"where clipped points lie, the score can be 0 and ever steeper, so {UNBOUNDED}"
HELD = "only the penalty holds the score back: the minimiser is not the score"
PENALTY = "it is another penalty: the estimate is smoothed in another way"
PENALTIES: tuple[tuple, ...] = (
    *(row for row in TRACES if row[0] in ("absolutes", "square", "frobenius-squared", "frobenius",
                                          "of-square")),
    ("off-diagonal", "off-diagonal entries in place of the diagonal", "sum_i!=k J_ik^2",
     lambda q: (q.J()**2).sum(axis=(1, 2)) - dot(q.diagonal(), q.diagonal())),
    ("length", "the length of the diagonal, not squared", "sqrt(sum J_ii^2)",
     lambda q: np.sqrt(dot(q.diagonal(), q.diagonal()))),
    ("square-of-mean", "the square of the mean divergence", "(mean tr J)^2",
     lambda q: q.diagonal().sum(axis=1).mean(keepdims=True)**2))


def _norms(objective: str) -> Iterator[Mistake]:
    """What may stand where half the squared norm of the score should."""
    plain = Mistake("", "", "|psi|^2 / 2", lambda q: dot(q.psi(), q.psi()) / 2)
    sliced = objective == "ssm"
    yield with_given("norm") if sliced else plain
    for name, words, suffix, chosen, left in DIMENSIONS:
        yield Mistake(f"norm.{name}", f"norm: {words}", f"|psi{suffix}|^2 / 2",
                      lambda q, chosen=chosen: (q.psi()[:, chosen]**2).sum(axis=1) / 2,
                      f"no norm holds the score of {left} back: the loss is unbounded below")
    for name, words, symbols, f, _, effect in SQUARES:
        yield Mistake(f"norm.{name}", f"norm: {words}", re.sub(r"\br(?![a-z])", "psi", symbols),
                      lambda q, f=f: f(q.psi()), effect)
    for t in (1, 3, 5):
        yield Mistake(f"norm.clipped-{t}", f"norm: the score is clipped to (-{t}, {t})",
                      f"|psi clipped to {t}|^2 / 2",
                      lambda q, t=t: dot(clipped(q.psi(), t), clipped(q.psi(), t)) / 2, UNBOUNDED)
    yield Mistake("norm.product", "norm: the score's product with the point", "x.psi",
                  lambda q: dot(q.psi(), q.point()), UNBOUNDED)
    if OBJECTIVES[objective].random != "directions":
        return
    said = "" if sliced else "norm: (v.psi)^2 in place of |psi|^2"
    if sliced:
        yield replace(plain, id="norm.variance-reduced", words="norm: |psi|^2 in place of "
                      "(v.psi)^2, which is the variance-reduced form", effect=SAME,
                      seen="ermongroup/sliced_score_matching sliced_VR_score_matching", same=True)
    else:
        yield with_given("norm", "norm.sliced", said)
    for row in of_directions("norm"):
        yield replace(row, words=row.words.replace("norm: ", f"{said}, ") if said else row.words)
    yield from rows("norm", ALONG, "norm: ")
    yield Mistake("norm.entries-along", "norm: the squares of v_i psi_i are summed",
                  "sum (v_i psi_i)^2 / 2",
                  lambda q: np.einsum("nri,ni->nr", q.v()**2, q.psi()**2).mean(axis=1) / 2,
                  SAME, "", True)


ALONG: tuple[tuple[str, str, str, Callable[[Any], Array], str], ...] = (
    ("not-squared-along", "v.psi is not squared", "v.psi", lambda q: q.along().mean(axis=1),
     "over directions it averages to 0, so " + UNBOUNDED),
    ("absolute-along", "|v.psi| is not squared", "|v.psi|",
     lambda q: absolute(q.along()).mean(axis=1), LONG),
    ("mean-along", "the directions are averaged before the square", "(mean v.psi)^2 / 2",
     lambda q: q.along().mean(axis=1)**2 / 2,
     "in expectation the squared norm weighs 1 / M: M times the score is learned"),
    ("curvature", "v' J v in place of v.psi", "(v' J v)^2 / 2",
     lambda q: (q.curvature()**2).mean(axis=1) / 2, ""),
    ("lengths", "|v|^2 |psi|^2 in place of (v.psi)^2", "|v|^2 |psi|^2 / 2",
     lambda q: dot(q.v(), q.v()).mean(axis=1) * dot(q.psi(), q.psi()) / 2,
     "in expectation the squared norm weighs d: 1 / d times the score is learned"))


def _penalties() -> Iterator[Mistake]:
    """What may stand where the penalty of the regularised form should."""
    yield Mistake("", "", "strength sum_i J_ii^2",
                  lambda q: q.case.strength * dot(q.diagonal(), q.diagonal()))
    some = ((name, words, f"sum J_ii{suffix}^2",
             lambda q, chosen=chosen: (q.diagonal()[:, chosen]**2).sum(axis=1))
            for name, words, suffix, chosen, _ in DIMENSIONS)
    for row in rows("penalty", (*some, *PENALTIES), "penalty: "):
        yield replace(row, name=f"strength {row.name}", effect=PENALTY,
                      formula=lambda q, f=row.formula: q.case.strength * f(q))


def _beside_penalty(row: Mistake) -> Mistake:
    """What a norm leaves free a penalty on the Jacobian bounds in another way."""
    effect, (role, _, name) = row.effect, row.id.partition(".")
    if role == "norm" and name in ("norm", "root-mean", "absolute", "product"):
        effect = ""                                  # nothing simple is proved
    elif role == "norm" and name in ("of-sum", "of-mean", "of-entries", "clipped-1",
                                     "clipped-3", "clipped-5", *(row[0] for row in DIMENSIONS)):
        effect = f"on one batch {HELD}" if name == "of-mean" else HELD
    elif effect and effect != UNBOUNDED and OFFSET not in effect and ZERO not in effect:
        effect += ", but for the penalty"
    return replace(row, effect=effect)


def implicit(objective: str, model: str | None) -> Iterator[Formula]:
    """Norm, divergence and penalty: at most two mistakes, and one where all terms share it."""
    slots = [list(_norms(objective)), list(divergences(objective))]
    slots[1] += of_slopes(objective) if model == "autoencoder" else ()
    roles = [term.role for term in OBJECTIVES[objective].terms]
    if "penalty" in roles:                           # no case tells its square from the penalty
        slots = [[_beside_penalty(row) for row in slot if row.id != "divergence.squares"]
                 for slot in slots]
        slots.append(list(_penalties()))
    at = OBJECTIVES[objective].at
    points = POINTS if at == "x_noisy" and model is not None else ()
    for point in ("x_noisy", *(p for p in points if p != "x_noisy")):
        moved = () if point == "x_noisy" else (Mistake(
            f"point.{point}", f"the score is read at {point}", point, POINTS[point],
            "the score of the density of those points is learned"),)
        for chosen in product(*slots):
            wrong = (*moved, *(row for row in chosen if row.id))
            if len(wrong) <= 2:
                yield Formula(wrong, tuple(_term(role, row, point if moved else "")
                                           for role, row in zip(roles, chosen)))
    for ends, point, _ in CLIPPED[at] if model is not None else ():
        row = Mistake(f"clipped.{ends}", f"the score is read at {point}", f" at {point}",
                      with_terms, AT_BOUNDS if "penalty" not in roles else HELD)
        yield with_terms(reference(objective), row, lambda q, term, point=point: (
            term.per_sample(q.read_at(point))))
    rows_of = {row.id: row for slot in slots for row in slot}
    shared = [(row.id.partition(".")[2], row) for row, *_ in dimensions()]
    if objective == "ssm":
        shared += [("mean-along", Mistake(
            "directions.mean", "the directions are averaged first", "mean(v)", _term,
            "in expectation it is 1 / M of the loss, with the same minimiser", same=True))]
        shared += [(f"directions-{dashed(kind)}", Mistake(
            f"directions.{dashed(kind)}", words, kind, of_directions, effect,
            UNIT_SEEN if kind == "unit" else "", True)) for kind, words, effect, *_ in DIRECTIONS]
    for name, mistake in shared:
        same = [rows_of.get(f"{role}.{name}") for role in roles]
        if all(same):
            yield Formula((mistake,), tuple(_term(role, row) for role, row in zip(roles, same)
                                            if row is not None))


def _term(role: str, row: Mistake, point: str = "") -> Term:
    """The term of a row, read at another point where one is given."""
    if not point:
        return Term(role, row.name, row.formula)
    return Term(role, f"{row.name} at {point}", lambda q: row.formula(q.read_at(point)))
