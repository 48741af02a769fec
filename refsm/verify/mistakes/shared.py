"""Mistakes that a loss of any objective may have: points, parameters and terms."""
# mypy: disable-error-code="misc"
from __future__ import annotations

from typing import Any, Callable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.models import CONTINUOUS, WITH_ENERGY
from refsm.verify.mistakes.mistake import Formula, Mistake, absolute
from refsm.verify.objectives import OBJECTIVES, Term, dot

__all__ = ["extra_terms", "left_out", "some_points"]

ONE_LESS = "harmless on average: one point in every batch is not used"
FIRST_ALONE = ("one point of every batch is used: the same loss in expectation, with the variance "
               "of a batch of one")
NEGATIVE = "the loss is driven to 0, where it should go on to negative values"


def _changed(reference: Formula, mistake: Mistake, f: Callable[[Term], Term]) -> Formula:
    """The reference with each term changed in the same way."""
    constant = None if reference.constant is None else f(reference.constant)
    return Formula((mistake,), tuple(f(term) for term in reference.terms), constant)


def left_out(reference: Formula, model: str | None) -> Iterator[Formula]:
    """A parameter of the model that is not used."""
    blocks = {"autoencoder": "bc", "tanh": "bc", "gaussian": ("mean",)}.get(model or "", ())
    for block in blocks:
        def without(term: Term, block: str = block) -> Term:
            return Term(term.role, f"{term.name} without {block}",
                        lambda q: term.per_sample(q.without(block)))
        mistake = Mistake(f"model.without-{block}", f"the model's {block} is left out",
                          f"without {block}", without,
                          f"{block} gets no gradient: it is not trained")
        yield Formula((mistake,), tuple(map(without, reference.terms)), reference.constant)


def some_points(reference: Formula) -> Iterator[Formula]:
    """Points that are forgotten, and absolute values of what may be negative."""
    for name, words, suffix, rows, effect in (
            ("not-last", "the last point is left out", "[:-1]", slice(0, -1), ONE_LESS),
            ("not-first", "the first point is left out", "[1:]", slice(1, None), ONE_LESS),
            ("first", "only the first point", "[:1]", slice(0, 1), FIRST_ALONE)):
        def some(term: Term, suffix: str = suffix, rows: slice = rows) -> Term:
            return Term(term.role, f"{term.name}, points {suffix}",
                        lambda q: term.per_sample(q)[rows])
        yield _changed(reference, Mistake(f"points.{name}", words, suffix, some, effect, same=True),
                       some)

    def summed(term: Term) -> Term:
        return Term(term.role, f"{term.name}, sum of points [:-1] / n",
                    lambda q: term.per_sample(q) * (np.arange(q.case.n) < q.case.n - 1))

    words = "the last point is left out of the sum, which is divided by n"
    yield _changed(reference, Mistake("points.not-last-of-n", words, "sum of points [:-1] / n",
                                      summed, ONE_LESS, same=True), summed)
    if reference.constant is not None or reference.terms[0].role == "whole":
        return                                       # a loss that cannot be negative

    def whole(q: Any) -> Array:
        return sum((term.per_sample(q) for term in reference.terms), np.zeros(1))

    for name, words, symbols, f in (
            ("absolute", "the absolute value of the loss", "|loss|",
             lambda q: absolute(whole(q).mean(keepdims=True))),
            ("absolutes", "the absolute value of the loss of every point", "mean |loss of a point|",
             lambda q: absolute(whole(q)))):
        yield Formula((Mistake(f"loss.{name}", words, symbols, f, NEGATIVE),),
                      (Term("whole", symbols, f),))


def extra_terms(reference: Formula, objective: str, model: str | None) -> Iterator[Formula]:
    """Penalties that code adds to its loss without saying so."""
    for name, f in _extras(objective, model):
        row = Mistake(f"extra.{name}", f"a term too many: {name}", name, f,
                      "the minimiser is pulled away by the extra term")
        yield Formula((row,), (*reference.terms, Term("extra", name, f)), reference.constant)


def _extras(objective: str, model: str | None) -> Iterator[tuple[str, Callable[[Any], Array]]]:
    if model is None:
        return
    yield "|theta|^2", lambda q: sum((a * a).sum() for a in q.theta.values()) * np.ones(1)
    for block in {"autoencoder": "W", "tanh": "AB", "boltzmann": "W", "rbm": "W"}.get(model, ""):
        yield f"|{block}|^2", lambda q, block=block: (q.theta[block]**2).sum() * np.ones(1)
    if model in WITH_ENERGY:
        yield "energy", lambda q: q.energy()
        yield "energy^2", lambda q: q.energy()**2
    if model in CONTINUOUS:
        yield "|J|_F^2", lambda q: (q.J()**2).sum(axis=(1, 2))
        if OBJECTIVES[objective].constant is not None:
            yield "tr J", lambda q: q.diagonal().sum(axis=1)
        if objective != "regularized":               # it has this term
            yield "sum_i J_ii^2", lambda q: dot(q.diagonal(), q.diagonal())
