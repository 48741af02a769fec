"""What may stand where half the squared norm of the score should."""
# mypy: disable-error-code="misc"
from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.mistakes.directions import SAME, along, curvature, of_directions, with_given
from refsm.verify.mistakes.mistake import (DIMENSIONS, LONG, SQUARES, UNBOUNDED, Mistake, absolute,
                                           rows)
from refsm.verify.objectives import OBJECTIVES, dot

__all__ = ["norms"]


def norms(objective: str) -> Iterator[Mistake]:
    """What may stand where half the squared norm of the score should."""
    plain = Mistake("", "", "|psi|^2 / 2", lambda q: dot(q.psi(), q.psi()) / 2)
    sliced = objective == "ssm"
    yield with_given("norm") if sliced else plain
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
    ("not-squared-along", "v.psi is not squared", "v.psi", lambda q: along(q).mean(axis=1),
     "over directions it averages to 0, so " + UNBOUNDED),
    ("absolute-along", "|v.psi| is not squared", "|v.psi|",
     lambda q: absolute(along(q)).mean(axis=1), LONG),
    ("mean-along", "the directions are averaged before the square", "(mean v.psi)^2 / 2",
     lambda q: along(q).mean(axis=1)**2 / 2,
     "in expectation the squared norm weighs 1 / M: M times the score is learned"),
    ("curvature", "v' J v in place of v.psi", "(v' J v)^2 / 2",
     lambda q: (curvature(q, q.v())**2).mean(axis=1) / 2, ""),
    ("lengths", "|v|^2 |psi|^2 in place of (v.psi)^2", "|v|^2 |psi|^2 / 2",
     lambda q: dot(q.v(), q.v()).mean(axis=1) * dot(q.psi(), q.psi()) / 2,
     "in expectation the squared norm weighs d: 1 / d times the score is learned"))
