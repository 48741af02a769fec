"""Mistakes of a loss at many levels: the weight, the level, and the kind of what is compared.

Symbols
    n points, l levels (L), i dimensions (d).
    output  psi or the prediction;  g its target;  r = output - g
    alpha, sigma   of the case, of each point or of each level
    w       a function of alpha and sigma
    snr     alpha^2 / sigma^2

Equations
    (1)  weighted term = w term
    (2)  mean over all pairs of w_n and term_k = mean w mean term, (n, n) in place of n

Derivation
    (1)  E[w |output - g|^2 at x_noisy and its level] is least for output = E[g], for any w > 0: a
         weight is a convention.
    (2)  the mean of w_n term_k over n and k is a product of two means.

Conventions
    A weight multiplies the canonical loss.  Weights of one level in each case are scalings of
    sigma and alpha, and need no row.

Sources
    Ours; those of the weights are in `level_weights`.
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any, Callable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.denoisers import level, linear_maps, output, target_of, total
from refsm.verify.mistakes.level_weights import OWN_WEIGHTS, Weight, distinct
from refsm.verify.mistakes.mistake import (DIMENSIONS, SQUARES, Formula, Mistake,
                                           names_of_square, not_constrained)
from refsm.verify.mistakes.targets import AVERAGES_OUT, OTHER_POINTS
from refsm.verify.objectives import OBJECTIVES, Term, dot

__all__ = ["levels"]

# whose level is taken; {} is "point", or "level" where there are several
LEVELS: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("next", "the next {}", lambda a: np.roll(a, -1, axis=0)),
    ("before", "the {} before", lambda a: np.roll(a, 1, axis=0)),
    ("reversed", "the {}s in reverse order", lambda a: a[::-1]),
    ("first", "the first {}, for all", lambda a: a[:1] + 0 * a),
    ("last", "the last {}, for all", lambda a: a[-1:] + 0 * a))
# what a target takes from it
TAKEN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("level", ("alpha", "sigma")), ("sigma", ("sigma",)), ("alpha", ("alpha",)))
# in what form a network is given sigma
FORMS: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("variance", "sigma^2", lambda s: s**2), ("log", "log sigma", np.log),
    ("inverse", "1 / sigma", lambda s: 1 / s))
KEPT: tuple[tuple[str, str, slice], ...] = (
    ("first", "only the first level", slice(0, 1)),
    ("last", "only the last level", slice(-1, None)),
    ("not-first", "the first level is left out", slice(1, None)),
    ("not-last", "the last level is left out", slice(0, -1)))
KINDS = {"clean": "clean point", "edm": "output of EDM's network"}
WEIGHTED = "the minimiser is the same at each level; the levels weigh differently"
GIVEN_ANOTHER = ("the level that the network is given is not that of its noise: it cannot learn an "
                 "output for each level")
GIVEN_AS = "the right output is learned, for a level that is given in this form"
OTHER_LEVEL = "wherever the other level differs from the right one, another output is learned"
SCALE = "the target is off by a factor that depends on the level: so is what is learned"

# targets of a score that are off by a function of the level: (name, words, of alpha, sigma, q)
SCORES: tuple[tuple[str, str, Callable[[Any, Array, Array], Array], str], ...] = (
    ("unscaled", "(x - x_noisy) / sigma^2, without alpha",
     lambda q, a, s: (q.case.x - q.case.x_noisy) / s**2,
     "the target of noise without scaling: the score is off where alpha is not 1"),
    ("over-sigma", "(alpha x - x_noisy) / sigma, for sigma^2",
     lambda q, a, s: (a * q.case.x - q.case.x_noisy) / s, SCALE),
    ("difference", "alpha x - x_noisy, without 1 / sigma^2",
     lambda q, a, s: a * q.case.x - q.case.x_noisy, SCALE),
    ("minus", "-(alpha x - x_noisy) / sigma^2, of the wrong sign",
     lambda q, a, s: -(a * q.case.x - q.case.x_noisy) / s**2,
     "the energy is learned upside down: the score points away from the data"))


def levels(objective: str, model: str | None) -> Iterator[Formula]:
    """Every formula with one mistake."""
    about = OBJECTIVES[objective]
    kind = about.predicts
    for name, words, w in distinct(kind) if about.levels != "scaled" else ():
        yield _weighted(objective, name, words, w)
    noun = "level" if about.levels == "several" else "point"
    for (name, words, f), (what, taken) in product(LEVELS, TAKEN):
        if about.levels == "scaled" or kind in ("noise", "clean", "flow"):
            continue                                            # their targets have no level
        whose = words.format(noun)
        if what == "level" or not kind:
            has = "the target is that of" if what == noun else f"the target has the {what} of"
            one = name if what == "level" else f"{what}-{name}"
            row = Mistake(f"level.{one}", f"{has} {whose}", f"g, {what} of {whose}", f,
                          OTHER_LEVEL)
            yield _formula(objective, row, lambda q, f=f, taken=taken: target_of(
                kind, _exchanged(q, **{a: f(q.case.arrays[a]) for a in taken
                                       if a in q.case.arrays})))
        if what == "sigma" and not kind:
            row = Mistake(f"sigma.{name}", f"the noise is divided by the sigma of {whose}",
                          f"-noise / sigma of {whose}", f, OTHER_LEVEL)
            yield _formula(objective, row, lambda q, f=f: -q.case.noise / f(level(q.case, "sigma")))
    yield from _of_several(objective) if about.levels == "several" else ()
    yield from _of_network(objective) if model == "network" and about.levels == "points" else ()
    for name, words, short, f in OTHER_POINTS:
        row = Mistake(f"target.{name}", f"compared with {words}", f"g({short})", f, AVERAGES_OUT)
        yield _formula(objective, row, lambda q, f=f: np.moveaxis(
            f(np.moveaxis(target_of(kind, q), -2, 0)), 0, -2))
    yield from _kinds(objective)
    for name, words, suffix, chosen, left in DIMENSIONS:
        row = Mistake(f"dimensions.{name}", words, "g", lambda a: a, not_constrained(left))
        yield _formula(objective, row, lambda q: target_of(kind, q), chosen, suffix)
    for name, words, symbols, f, effect, _ in SQUARES:
        row = Mistake(f"square.{name}", words, symbols, f, effect)

        def whole(q: Any, f: Callable[[Array], Array] = f) -> Array:
            r = output(q) - target_of(kind, q)
            return f(r) if r.ndim == 2 else total(q, np.array([f(r_l) for r_l in r]))
        name = f"{symbols}, r = {'f' if kind else 'psi'} - g"
        yield Formula((row,), (Term("whole", name, whole),))
    if about.levels == "points":
        yield from _pairs(objective)


def _kinds(objective: str) -> Iterator[Formula]:
    """The target of another kind of output."""
    about = OBJECTIVES[objective]
    kind = about.predicts
    if not kind:
        for name, words, f, effect in SCORES:
            row = Mistake(f"target.{name}", f"target: {words}", words.partition(", ")[0], f, effect)
            yield _formula(objective, row, lambda q, f=f: f(
                q, level(q.case, "alpha"), level(q.case, "sigma")))
    others = [other for other in ("score", "noise", "clean", "velocity", "flow")
              if other != (kind or "score")]
    for other in others:
        for sign, minus in ((1, ""), (-1, "minus ")):
            row = Mistake(f"kind.{minus.strip()}{other}", f"compared with {minus}the target of a "
                          f"predicted {other}", f"{minus}g of {other}", lambda a: a,
                          f"what is learned is {minus}the {KINDS.get(other, other)}, and it is "
                          f"read as the {KINDS.get(kind, kind) or 'score'}")
            yield _formula(objective, row,
                           lambda q, other=other, sign=sign: sign * target_of(other, q))


def _pairs(objective: str) -> Iterator[Formula]:
    """(n, 1) times (n,) is (n, n): every weight with the loss of every point."""
    reference, half = OBJECTIVES[objective], 1.0 if OBJECTIVES[objective].predicts else 0.5
    every = Mistake("pairs.all", "every output is compared with every target: (n, n) in place of n",
                    "output.mean target", target_of,
                    "1 / n of the right output is learned; the rest is the mean of all targets")
    first, second = reference.terms
    yield Formula((every,), (first, Term(second.role, every.name, lambda q: -2 * half * dot(
        output(q), target_of(reference.predicts, q).mean(axis=0)))), reference.constant)
    weights = distinct(reference.predicts)
    for (name, words, w), (step, other) in product(weights, ((-1, "next point"),
                                                             (1, "point before"))):
        yield _weighted(objective, f"{name}-{step}", f"{words} of the {other}",
                        lambda a, s, t, w=w, k=step: np.roll(w(a, s, t), k, axis=0), "shifted",
                        "the weight does not depend on the level of its point: where levels are "
                        "drawn independently, it is the same loss in expectation, without weights")
    for name, words, w in weights:
        row = Mistake(f"pairs.{name}", f"the weight {words} of every point multiplies the loss of "
                      "every point: (n, n) in place of n", f"mean {words}", w,
                      "levels are not weighted against each other, as they were meant to be", "",
                      True)

        def of(term: Any, w: Weight = w, words: str = words) -> Term:
            def mean_times(q: Any) -> Array:
                return _of_level(q, w).mean() * term.per_sample(q)            # (n,)  (2)
            return Term(term.role, f"{term.name}, mean of {words}", mean_times)

        yield Formula((row,), tuple(map(of, reference.terms)), of(reference.constant))


def _weighted(objective: str, name: str, words: str, w: Weight, role: str = "weight",
              effect: str = WEIGHTED) -> Formula:
    about = OBJECTIVES[objective]
    row = Mistake(f"{role}.{name}", f"each level is weighted by {words}", words, w, effect, "",
                  True)

    def of(term: Any) -> Term:
        return Term(term.role, f"{term.name} x {words}", lambda q: _times(q, term, w))

    return Formula((row,), tuple(map(of, about.terms)), of(about.constant))


def _of_level(q: Any, w: Weight) -> Array:
    alpha, sigma = np.broadcast_arrays(level(q.case, "alpha"), level(q.case, "sigma"))
    return w(alpha, sigma, q.case.hyper.get("data_sd", 0.5))


def _times(q: Any, term: Term, w: Weight) -> Array:
    """w times a term, level by level."""
    weight = _of_level(q, w).reshape(-1)
    if q.about.levels != "several":
        return weight * term.per_sample(q)                                    # (n,)  (1)
    return term.per_sample(_exchanged(q, level_weights=q.case.level_weights * weight))


def _of_several(objective: str) -> Iterator[Formula]:
    """Other weights of the levels, levels that are left out, and a score of another level."""
    for name, words, w in OWN_WEIGHTS:
        row = Mistake(f"weight.{name}", f"each level is weighted by {words}", words, w, WEIGHTED,
                      "", True)
        yield _changed(objective, row, lambda q, w=w: _exchanged(
            q, level_weights=w(q.case.level_weights, q.case.sigma)))
    for name, words, kept in KEPT:
        def some(q: Any, kept: slice = kept) -> Any:
            chosen = np.zeros(len(q.case.sigma))
            chosen[kept] = 1
            return _exchanged(q, level_weights=q.case.level_weights * chosen)
        row = Mistake(f"levels.{name}", words, words, some,
                      "nothing is learned from the levels that are left out")
        yield _changed(objective, row, some)
    for name, words, f in LEVELS:
        whose = words.format("level")
        row = Mistake(f"model.{name}", f"the score is that of {whose}", f"psi of {whose}", f,
                      "where two levels differ, the score of one learns the targets of another")
        yield _changed(objective, row, lambda q, f=f: _exchanged(q, lambda: q.psi_of_levels(f)))


def _of_network(objective: str) -> Iterator[Formula]:
    """A network of the user's own that is given another level."""
    rows = [(name, "the sigma of " + words.format("point"), f, GIVEN_ANOTHER, False)
            for name, words, f in LEVELS]
    rows += [(name, f"{words} in place of sigma", f, GIVEN_AS, True) for name, words, f in FORMS]
    for name, words, f, effect, same in rows:
        row = Mistake(f"network.{name}", f"the network is given {words}", f"f({words})", f, effect,
                      "", same)
        yield _changed(objective, row, lambda q, f=f: _exchanged(q, lambda: q.of_network(None, f)))


def _changed(objective: str, row: Mistake, f: Callable[[Any], Any]) -> Formula:
    """The reference with the quantities that its terms read exchanged."""
    reference = OBJECTIVES[objective]

    def of(term: Any) -> Term:
        return Term(term.role, f"{term.name}, {row.name}", lambda q: term.per_sample(f(q)))
    return Formula((row,), tuple(map(of, reference.terms)), of(reference.constant))


def _exchanged(q: Any, psi: Any = None, **arrays: Array) -> Any:
    """The quantities of a case with some of its arrays, or its score, exchanged."""
    def prediction() -> Array:
        A, B = linear_maps(q.case, q.about.predicts)
        return A * q.case.x_noisy + B * psi()

    case = SimpleNamespace(**q.case.hyper, **{**q.case.arrays, **arrays})
    case.arrays, case.hyper = {**q.case.arrays, **arrays}, q.case.hyper
    return SimpleNamespace(case=case, about=q.about, psi=psi or q.psi,
                           prediction=prediction if psi else q.prediction)


def _formula(objective: str, row: Mistake, target: Callable[[Any], Array],
             chosen: slice = slice(None), suffix: str = "") -> Formula:
    """half |output - target|^2 as its three terms."""
    roles = [term.role for term in OBJECTIVES[objective].terms]
    half, symbol = (1.0, "f") if OBJECTIVES[objective].predicts else (0.5, "psi")
    name = row.name
    norm, cross, constant = names_of_square(half, symbol + suffix, name + suffix)

    def a(q: Any) -> Array:
        return output(q)[..., chosen]

    def b(q: Any) -> Array:
        return q.once(("target", name), lambda: target(q))[..., chosen]

    return Formula((row,), (
        Term(roles[0], norm, lambda q: total(q, half * dot(a(q), a(q)))),
        Term(roles[1], cross, lambda q: total(q, -2 * half * dot(a(q), b(q))))),
        Term("constant", constant, lambda q: total(q, half * dot(b(q), b(q)))))
