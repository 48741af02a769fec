"""What may stand where half the squared norm of the score should."""
from __future__ import annotations

from dataclasses import replace
from typing import Callable, Iterator

import numpy as np

from refsm.verify.mistakes.directions import SAME, along, curvature, of_directions
from refsm.verify.mistakes.mistake import DIMENSIONS, SQUARES, UNBOUNDED, Mistake, absolute
from refsm.verify.objectives import OBJECTIVES, dot

__all__ = ["norms"]


HELD = "only the penalty holds the score back: the minimiser is not the score"
BUT = ", but for the penalty"
FREE = ("first", "first-two", "not-last", "last", "not-first", "of-sum", "of-mean")


def norms(objective: str) -> Iterator[Mistake]:
    """What may stand where half the squared norm of the score should; beside a penalty on the
    Jacobian what a norm leaves free is bounded in another way."""
    if OBJECTIVES[objective].terms[-1].role != "penalty":
        yield from _norms(objective)
        return
    for row in _norms(objective):
        name = row.id.partition(".")[2]
        effect = row.effect and row.effect + BUT
        if name in FREE:
            effect = HELD
        elif name in ("norm", "root-mean", "absolute", "product"):
            effect = ""                              # nothing simple is proved
        elif row.effect == UNBOUNDED:
            effect = UNBOUNDED
        yield replace(row, effect=effect)


def _norms(objective: str) -> Iterator[Mistake]:
    sliced = objective == "ssm"
    if not sliced:
        yield Mistake("", "", "|psi|^2 / 2", lambda q: dot(q.psi(), q.psi()) / 2)
    for name, words, suffix, chosen, left in DIMENSIONS:
        yield Mistake(f"norm.{name}", f"norm: {words}", f"|psi{suffix}|^2 / 2",
                      lambda q, chosen=chosen: (q.psi()[:, chosen]**2).sum(axis=1) / 2,
                      f"no norm holds the score of {left} back: the loss is unbounded below")
    for name, words, symbols, f, _, effect in SQUARES:
        symbols = (symbols.replace("r", "psi", 1) if symbols.startswith("|r")
                   else f"{symbols} of psi")
        yield Mistake(f"norm.{name}", f"norm: {words}", symbols, lambda q, f=f: f(q.psi()), effect)
    yield Mistake("norm.product", "norm: the score's product with the point", "x.psi",
                  lambda q: dot(q.psi(), q.point()), UNBOUNDED)
    if OBJECTIVES[objective].random == "directions":
        yield from _norms_with_directions(sliced)


def _norms_with_directions(sliced: bool) -> Iterator[Mistake]:
    def make(kind: str) -> Callable:
        return lambda q: (along(q, kind)**2).mean(axis=1) / 2

    rows = list(of_directions("norm", "(v.psi)^2 / 2", make))
    if sliced:
        yield Mistake("norm.variance-reduced", "norm: |psi|^2 in place of (v.psi)^2, which is the "
                      "variance-reduced form", "|psi|^2 / 2", lambda q: dot(q.psi(), q.psi()) / 2,
                      "the same loss in expectation, with less variance",
                      "ermongroup/sliced_score_matching sliced_VR_score_matching", True)
        yield Mistake("", "", "(v.psi)^2 / 2", make("given"))
        yield from rows
    else:
        words = "norm: (v.psi)^2 in place of |psi|^2"
        yield Mistake("norm.sliced", words, "(v.psi)^2 / 2", make("given"),
                      "the same loss in expectation, with more variance", "", True)
        for row in rows:
            effect = "the same loss in expectation, with more variance" if row.same else row.effect
            yield replace(row, words=row.words.replace("norm: ", words + ", "), effect=effect)
    yield Mistake("norm.not-squared-along", "norm: v.psi is not squared", "v.psi",
                  lambda q: along(q).mean(axis=1),
                  "over directions it averages to 0, so " + UNBOUNDED)
    yield Mistake("norm.absolute-along", "norm: |v.psi| is not squared", "|v.psi|",
                  lambda q: absolute(along(q)).mean(axis=1), SQUARES[0][5])
    yield Mistake("norm.entries-along", "norm: the squares of v_i psi_i are summed",
                  "sum (v_i psi_i)^2 / 2",
                  lambda q: np.einsum("nri,ni->nr", q.v()**2, q.psi()**2).mean(axis=1) / 2,
                  SAME, "", True)
    yield Mistake("norm.mean-along", "norm: the directions are averaged before the square",
                  "(mean v.psi)^2 / 2", lambda q: along(q).mean(axis=1)**2 / 2,
                  "in expectation the squared norm weighs 1 / M: M times the score is learned")
    yield Mistake("norm.curvature", "norm: v' J v in place of v.psi", "(v' J v)^2 / 2",
                  lambda q: (curvature(q, q.v())**2).mean(axis=1) / 2)
    yield Mistake("norm.lengths", "norm: |v|^2 |psi|^2 in place of (v.psi)^2",
                  "|v|^2 |psi|^2 / 2",
                  lambda q: dot(q.v(), q.v()).mean(axis=1) * dot(q.psi(), q.psi()) / 2,
                  "in expectation the squared norm weighs d: 1 / d times the score is learned")
