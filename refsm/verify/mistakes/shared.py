"""Mistakes that a loss of any objective may have: points, parameters and terms."""
# mypy: disable-error-code="misc"
from __future__ import annotations

from typing import Any, Callable, Iterator

import numpy as np

from refsm.stable import sigmoid
from refsm.typing import Array
from refsm.verify.cases.models import CONTINUOUS, WITH_ENERGY
from refsm.verify.denoisers import output
from refsm.verify.mistakes.mistake import (ANOTHER_MEAN, AT_CLEAN, FREE, Formula, Mistake,
                                           absolute, cosine, reference, with_terms)
from refsm.verify.objectives import OBJECTIVES, Term, dot, target

__all__ = ["extra_terms", "left_out", "one_term_at_x", "some_points"]

ONE_LESS = "harmless on average: one point in every batch is not used"
FIRST_ALONE = ("one point of every batch is used: the same loss in expectation, with the variance "
               "of a batch of one")
NEGATIVE = "the loss is pushed towards 0, where it should go on to negative values"

# (name, words, from where to where of n sorted losses)
SORTED: tuple[tuple[str, str, Callable[[int], tuple[int, int]]], ...] = (
    ("middle", "the median over points in place of their mean",
     lambda n: ((n - 1) // 2, n // 2 + 1)),
    ("largest", "the largest loss of the points in place of their mean", lambda n: (n - 1, n)),
    ("smallest", "the smallest loss of the points in place of their mean", lambda n: (0, 1)),
    *((f"trimmed-{p}", f"the mean over points is trimmed by {p} % at both ends",
       lambda n, p=p: (p * n // 100, n - p * n // 100)) for p in (10, 20, 25)),
    *((f"kept-{p}", f"the mean over the {p} % of the points with the smallest losses",
       lambda n, p=p: (0, p * n // 100)) for p in (50, 75, 80, 90)))


def left_out(objective: str, model: str | None) -> Iterator[Formula]:
    """A parameter of the model that is not used."""
    about = OBJECTIVES[objective]
    for block in {"autoencoder": "bc", "tanh": "bc", "gaussian": ("mean",)}.get(model or "", ()):
        def without(term: Term, block: str = block) -> Term:
            return Term(term.role, f"{term.name} without {block}",
                        lambda q: term.per_sample(q.without(block)))
        row = Mistake(f"model.without-{block}", f"the model's {block} is left out",
                      f"without {block}", without, f"{block} gets no gradient: it is not trained")
        yield Formula((row,), tuple(map(without, about.terms)), about.constant)


def some_points(objective: str) -> Iterator[Formula]:
    """Points that are forgotten, and absolute values of what may be negative."""
    about, right = OBJECTIVES[objective], reference(objective)
    for name, words, suffix, some, effect in (
            ("not-last", "the last point is left out", "[:-1]", slice(0, -1), ONE_LESS),
            ("not-first", "the first point is left out", "[1:]", slice(1, None), ONE_LESS),
            ("first", "only the first point", "[:1]", slice(0, 1), FIRST_ALONE)):
        row = Mistake(f"points.{name}", words, f", points {suffix}", some_points, effect, same=True)
        yield with_terms(right, row, lambda q, term, some=some: term.per_sample(q)[some])
    row = Mistake("points.not-last-of-n", "the last point is left out of the sum, which is divided "
                  "by n", ", sum of points [:-1] / n", some_points, ONE_LESS, same=True)
    yield with_terms(right, row, lambda q, term: term.per_sample(q) * (
        np.arange(q.case.n) < q.case.n - 1))

    def whole(q: Any) -> Array:
        return sum((term.per_sample(q) for term in about.all_terms), np.zeros(1))

    for name, words, kept in SORTED:
        row = Mistake(f"points.{name}", words, f"losses, {words}", kept,
                      "the points whose losses are left out have no gradient")
        yield Formula((row,), (Term("whole", row.name, lambda q, kept=kept: np.sort(
            whole(q))[slice(*kept(q.case.n))]),))
    if about.constant is not None or about.terms[0].role == "whole":
        return                                       # a loss that cannot be negative

    for name, words, symbols, f in (
            ("absolute", "the absolute value of the loss", "|loss|",
             lambda q: absolute(whole(q).mean(keepdims=True))),
            ("absolutes", "the absolute value of the loss of every point", "mean |loss of a point|",
             lambda q: absolute(whole(q)))):
        yield Formula((Mistake(f"loss.{name}", words, symbols, f, NEGATIVE),),
                      (Term("whole", symbols, f),))


MULTIPLIED = ("what is learned is multiplied by the density of the noisy points over that of the "
              "clean ones" + FREE)
AT_X = {"norm": MULTIPLIED, "output": MULTIPLIED, "cross": AT_CLEAN,
        "divergence": "the score of the clean points is learned, times their density over that of "
                      "the noisy ones" + FREE,
        "product": "the point itself is learned, times the density of the clean points over that "
                   "of the noisy ones" + FREE}


def one_term_at_x(objective: str, model: str | None) -> Iterator[Formula]:
    """One of the terms that are read at the noisy point is read at the clean one."""
    about = OBJECTIVES[objective]
    if about.at == "x_noisy" and not about.levels and model is not None:
        for k, term in enumerate(about.terms):
            row = Mistake(f"{term.role}.at-x", f"{term.name} is read at x, and the rest at x_noisy",
                          f"{term.name} at x", lambda q, f=term.per_sample: f(q.read_at("x")),
                          "" if (objective, k) == ("parzen_esm", 1) else AT_X[term.role])
            moved = Term(term.role, row.name, row.formula)
            yield Formula((row,), (*about.terms[:k], moved, *about.terms[k + 1:]), about.constant)


SMOOTHED = "if labels are smoothed, which adds this, probabilities are drawn towards 1 / 2"
PULLED = {"sum gap": SMOOTHED, "sum sigmoid(-gap)": SMOOTHED, "|output - target|_1": ANOTHER_MEAN,
          "(1 - cos(output, target))": "the output is pulled towards the target's mean direction"}


def extra_terms(objective: str, model: str | None) -> Iterator[Formula]:
    """Penalties that code adds to its loss without saying so."""
    about = OBJECTIVES[objective]
    for name, f in _extras(objective, model):
        row = Mistake(f"extra.{name}", f"an extra term: {name}", name, f,
                      PULLED.get(name, "the minimiser is pulled away by the extra term"))
        yield Formula((row,), (*about.terms, Term("extra", name, f)), about.constant)


def _compared(q: Any) -> tuple[Array, Array]:
    """The output, and what it is compared with."""
    reconstructs = q.about.learned == "reconstruction"
    return (q.reconstruction(), q.case.x) if reconstructs else (output(q), target(q))


def _extras(objective: str, model: str | None) -> Iterator[tuple[str, Callable[[Any], Array]]]:
    if model is None:
        return
    yield "|theta|^2", lambda q: sum((a * a).sum() for a in q.theta.values())
    yield "|theta|_1", lambda q: sum(absolute(a).sum() for a in q.theta.values())
    for block in {"autoencoder": "W", "tanh": "AB", "boltzmann": "W", "rbm": "W"}.get(model, ""):
        yield f"|{block}|^2", lambda q, block=block: (q.theta[block]**2).sum()
        yield f"|{block}|_1", lambda q, block=block: absolute(q.theta[block]).sum()
    if objective == "pseudo":
        yield "sum gap", lambda q: q.gap().sum(axis=1)
    if objective == "ratio":
        yield "sum sigmoid(-gap)", lambda q: sigmoid(-q.gap()).sum(axis=1)
    if OBJECTIVES[objective].levels == "several":    # the density before the noise is not read
        return
    if OBJECTIVES[objective].random == "directions":
        yield "|psi|^2", lambda q: dot(q.psi(), q.psi())
    if OBJECTIVES[objective].at == "x_noisy":
        yield "|psi(x)|^2", lambda q: dot(q.psi("x"), q.psi("x"))
        yield "(|psi(x)|^2 / 2 + tr J(x))", lambda q: (
            dot(q.psi("x"), q.psi("x")) / 2 + np.einsum("nii->n", q.J("x")))
        yield "|J(x)|_F^2", lambda q: (q.J("x")**2).sum(axis=(1, 2))
        if model in WITH_ENERGY:
            yield "energy at x", lambda q: q.energy("x")
    if objective == "dae":
        yield "|y(x) - x|^2", lambda q: (q.sigma**4) * dot(q.psi("x"), q.psi("x"))
    if OBJECTIVES[objective].constant is not None:
        yield "|output - target|_1", lambda q: absolute(np.subtract(*_compared(q))).sum(axis=-1)
        yield "(1 - cos(output, target))", lambda q: cosine(*_compared(q))
    if model in WITH_ENERGY:
        yield "energy", lambda q: q.energy()
        yield "energy^2", lambda q: q.energy()**2
    if model in CONTINUOUS:
        yield "|J|_F^2", lambda q: (q.J()**2).sum(axis=(1, 2))
        if OBJECTIVES[objective].constant is not None:
            yield "tr J", lambda q: q.diagonal().sum(axis=1)
        if objective != "regularized":               # it has this term
            yield "sum_i J_ii^2", lambda q: dot(q.diagonal(), q.diagonal())
