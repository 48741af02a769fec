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
    sigma and alpha, and need no row.  "weight" is the role of a convention, and "own-weight" that
    of what replaces the weights that a case gives, which is none.

Sources
    Ours; those of the weights are in `level_weights`.
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import Any, Callable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.cases import models
from refsm.verify.denoisers import KINDS, level, linear_maps, output, target_of
from refsm.verify.mistakes.level_weights import OWN_WEIGHTS, Weight, distinct
from refsm.verify.mistakes.mistake import (AT_CLEAN, OF_RESIDUAL, WEIGHTED, Formula, Mistake,
                                           dimensions, every_pair, of_cosine, of_noise, of_residual,
                                           reference, rows, squared, with_terms, with_variate)
from refsm.verify.mistakes.targets import clipped_or_spread, of_other_points
from refsm.verify.objectives import OBJECTIVES, Term, target

__all__ = ["GIVEN_ANOTHER", "LEVELS", "OTHER_LEVEL", "TAKEN", "exchanged", "levels", "with_pairs"]

# whose level is taken; {} is "point", or "level" where there are several
LEVELS: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("next", "the next {}", lambda a: np.roll(a, -1, axis=0)),
    ("before", "the {} before", lambda a: np.roll(a, 1, axis=0)),
    ("reversed", "the {}s in reverse order", lambda a: a[::-1]),
    ("first", "the first {}, for all", lambda a: np.full_like(a, a[0])),
    ("last", "the last {}, for all", lambda a: np.full_like(a, a[-1])))
# an index that is one off, and clipped
CLIPPED_LEVELS: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("next-clipped", "the next {} (the last keeps its own)", lambda a: np.r_[a[1:], a[-1:]]),
    ("before-clipped", "the {} before (the first keeps its own)", lambda a: np.r_[a[:1], a[:-1]]))
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
# the squared error of the clean point, in terms of that of the output
OF_CLEAN: dict[str, Weight] = {
    "score": lambda a, s, t: 2 * s**4 / a**2, "noise": lambda a, s, t: s**2 / a**2,
    "velocity": lambda a, s, t: s**2 / (a**2 + s**2)**2, "flow": lambda a, s, t: s**2 / (a + s)**2,
    "edm": lambda a, s, t: (s * t)**2 / (s**2 + t**2)}
GIVEN_ANOTHER = ("the level that the network is given is not that of its noise: it cannot learn an "
                 "output for each level")
GIVEN_AS = "the right output is learned, for a level that is given in this form"
OTHER_LEVEL = "wherever the other level differs from the right one, another output is learned"
OTHER_NOISE = ("where the noise is that of another level, the best score is 0: nothing is learned "
               "there")
SCALE = "the target is off by a factor that depends on the level: so is what is learned"


# targets of a score that are off by a function of the level
SCORES: tuple[tuple[str, str, str, Callable[[Any], Array], str], ...] = (
    ("unscaled", "(x - x_noisy) / sigma^2, without alpha", "(x - x_noisy) / sigma^2",
     lambda q: (q.case.x - q.case.x_noisy) / level(q.case, "sigma")**2,
     "the target is that of noise without scaling: the score is off where alpha is not 1"),
    ("over-sigma", "(alpha x - x_noisy) / sigma, for sigma^2", "(alpha x - x_noisy) / sigma",
     lambda q: target_of("score", q) * level(q.case, "sigma"), SCALE),
    ("over-cube", "(alpha x - x_noisy) / sigma^3, for sigma^2", "(alpha x - x_noisy) / sigma^3",
     lambda q: target_of("score", q) / level(q.case, "sigma"), SCALE),
    ("difference", "alpha x - x_noisy, without 1 / sigma^2", "alpha x - x_noisy",
     lambda q: target_of("score", q) * level(q.case, "sigma")**2, SCALE),
    ("minus", "-(alpha x - x_noisy) / sigma^2, of the wrong sign", "-(alpha x - x_noisy) / sigma^2",
     lambda q: -target_of("score", q),
     "the energy is learned upside down: the score points away from the data"))


def levels(objective: str, model: str | None) -> Iterator[Formula]:
    """Every formula with one mistake."""
    about = OBJECTIVES[objective]
    kind = about.predicts
    out = Mistake("", "", "f" if kind else "psi", output)
    right = Mistake("", "", "g", target)
    weights = distinct(kind) if about.levels != "scaled" else []
    for name, words, w in weights:
        yield _weighted(objective, name, words, w)
    for row in (*_of_other_levels(objective), *of_other_points(right), *_kinds(objective)):
        yield squared(objective, (row,), out, row)
    for row, suffix, chosen in dimensions():
        yield squared(objective, (row,), out, right, suffix, chosen)
    for row in rows("square", OF_RESIDUAL):
        yield of_residual((row,), row, out, right)
    if not kind:
        yield from of_noise(out, right)
        if about.levels != "several" and model not in (None, "network"):
            def clean(q: Any) -> Array:
                own = models.local_quantities(model, q.theta, q.sigma)
                return own["score"](level(q.case, "alpha") * q.case.x)

            yield with_variate(objective, out, right, clean)
            if about.levels == "points":
                yield with_variate(objective, out, right, lambda q: clean(q) * (
                    level(q.case, "sigma") < 0.3), " where sigma < 0.3")
    yield from clipped_or_spread(objective, out, right)
    if about.levels == "several":
        yield from _of_several(objective, right)
    else:
        yield of_cosine(out, right)
    if about.levels == "points":
        yield every_pair(objective, out, right)
        yield from _of_pairs(objective, weights)
        yield from _of_network(objective) if model == "network" else ()


def _of_other_levels(objective: str) -> Iterator[Mistake]:
    """The target of another level, where it has one."""
    about = OBJECTIVES[objective]
    kind = about.predicts
    if about.levels == "scaled" or kind in ("noise", "clean", "flow"):
        return
    several = about.levels == "several"
    noun, others = ("level", LEVELS + CLIPPED_LEVELS) if several else ("point", LEVELS)
    for (name, words, f), (what, taken) in product(others, TAKEN):
        whose = words.format(noun)
        if what == "level" or not kind:
            has = "the target is that of" if what == noun else f"the target has the {what} of"
            one = name if what == "level" else f"{what}-{name}"
            yield Mistake(f"level.{one}", f"{has} {whose}", f"g, {what} of {whose}",
                          lambda q, f=f, taken=taken: target_of(kind, exchanged(q, **{
                              a: f(q.case.arrays[a]) for a in taken if a in q.case.arrays})),
                          OTHER_LEVEL)
        if what == "sigma" and not kind:
            yield Mistake(f"sigma.{name}", f"the noise is divided by the sigma of {whose}",
                          f"-noise / sigma of {whose}",
                          lambda q, f=f: -q.case.noise / f(level(q.case, "sigma")), OTHER_LEVEL)
        if what == "sigma" and several:
            yield Mistake(f"noise.{name}", f"the target has the noise of {whose}",
                          f"-noise of {whose} / sigma",
                          lambda q, f=f: -f(q.case.noise) / level(q.case, "sigma"), OTHER_NOISE)


def _kinds(objective: str) -> Iterator[Mistake]:
    """The target of another kind of output."""
    kind = OBJECTIVES[objective].predicts
    yield from rows("target", SCORES, "target: ") if not kind else ()
    for other, minus in product(("score", "noise", "clean", "velocity", "flow"), ("", "minus ")):
        if other != (kind or "score"):
            yield Mistake(f"kind.{minus.strip()}{other}", f"compared with {minus}the target of a "
                          f"predicted {KINDS.get(other, other)}", f"{minus}g of {other}",
                          lambda q, other=other, sign=-1 if minus else 1:
                          sign * target_of(other, q),
                          f"what is learned is {minus}the {KINDS.get(other, other)}, and it is "
                          f"read as the {KINDS.get(kind, kind) or 'score'}")


def _of_pairs(objective: str, weights: list[tuple[str, str, Weight]]) -> Iterator[Formula]:
    """The weight of another point, and every weight with the loss of every point."""
    each: list[tuple[str, str, Weight, str, Weight]] = [
        (*row, "loss", lambda a, s, t: np.ones_like(s)) for row in weights]
    of_clean = OF_CLEAN.get(OBJECTIVES[objective].predicts or "score")
    if of_clean is not None:
        each += [(f"clean-{name}", words, w, "squared error of the clean point", of_clean)
                 for name, words, w in weights if name in ("edm", "snr", "inverse-variance")]
    for (name, words, w, what, v), (step, other) in product(each, ((-1, "next point"),
                                                                   (1, "point before"))):
        weight, colon, meaning = words.partition(":")
        on = "" if what == "loss" else f", on the {what}"
        yield _weighted(objective, f"{name}-{step}", f"{weight} of the {other}{on}{colon}{meaning}",
                        lambda a, s, t, w=w, v=v, k=step: np.roll(w(a, s, t), k, axis=0)
                        * v(a, s, t), "shifted",
                        "the weight does not depend on the level of its point: where levels are "
                        "drawn independently, it is in expectation the loss without weights, "
                        "times their mean")
    for name, words, w in weights:
        yield with_pairs(reference(objective), Mistake(
            f"pairs.{name}", f"the weight {words} of every point multiplies the loss of every "
            "point: (n, n) in place of n", f", mean of {words}", w,
            "all points of a batch have its mean weight: of what is meant to tell levels apart, "
            "1 / n is left",
            "bayesflow issue 787; sbi 0.27 with weight_fn=\"variance\", whose weight is (n, 1)",
            True))


def with_pairs(formula: Formula, row: Mistake) -> Formula:
    """A formula of which the loss of every point is multiplied by the weight of every point."""
    def mean_times(q: Any, term: Term) -> Array:
        return _of_level(q, row.formula).mean() * _per_sample(q, term)        # (n,)  (2)

    return with_terms(formula, row, mean_times)


def _weighted(objective: str, name: str, words: str, w: Weight, role: str = "weight",
              effect: str = WEIGHTED) -> Formula:
    row = Mistake(f"{role}.{name}", f"each level is weighted by {words}",
                  f" x {words.partition(':')[0]}", w, effect, "", True)
    return with_terms(reference(objective), row, lambda q, term: _times(q, term, w))


def _of_level(q: Any, w: Weight) -> Array:
    """The weight of each point or level, computed once for all terms."""
    def of_level() -> Array:
        alpha, sigma = np.broadcast_arrays(level(q.case, "alpha"), level(q.case, "sigma"))
        return w(alpha, sigma, q.case.hyper.get("data_sd", 0.5))

    return q.once(("weight", w), of_level)


def _per_sample(q: Any, term: Term) -> Array:
    """A term at each point, (n,), computed once for all its weights."""
    return q.once(("term", term.name), lambda: term.per_sample(q))


def _times(q: Any, term: Term, w: Weight) -> Array:
    """w times a term, level by level."""
    weight = _of_level(q, w).ravel()
    if q.about.levels != "several":
        return weight * _per_sample(q, term)                                  # (n,)  (1)
    return term.per_sample(exchanged(q, level_weights=q.case.level_weights * weight))


def _of_several(objective: str, right: Mistake) -> Iterator[Formula]:
    """Other weights of the levels, levels that are left out, and a score of another level or at
    other points."""
    own = [("weight.normalised", "its own weight over the sum of the weights",
            lambda w, s: w / w.sum())]
    own += [(f"own-weight.{name}", words, w) for name, words, w in OWN_WEIGHTS]
    own += [(f"own-weight.{name}", f"the weight of {words.format('level')}",
             lambda w, s, f=f: f(w)) for name, words, f in CLIPPED_LEVELS]
    for id, words, w in own:
        row = Mistake(id, f"each level is weighted by {words}", f", {words}", w, WEIGHTED, "", True)
        yield with_terms(reference(objective), row, lambda q, term, w=w: term.per_sample(exchanged(
            q, level_weights=w(q.case.level_weights, q.case.sigma))))
    for name, words, kept in KEPT:
        def some(q: Any, term: Term, kept: slice = kept) -> Array:
            chosen = np.zeros(len(q.case.sigma))
            chosen[kept] = q.case.level_weights[kept]
            return term.per_sample(exchanged(q, level_weights=chosen))
        row = Mistake(f"levels.{name}", words, f", {words}", some,
                      "nothing is learned from the levels that are left out")
        yield with_terms(reference(objective), row, some)
    at_x = Mistake("point.x", "the score is read at x", "psi(x)", lambda q: q.psi_of_levels(
        points=np.broadcast_to(q.case.x, q.case.x_noisy.shape)), AT_CLEAN)
    yield squared(objective, (at_x,), at_x, right)
    for name, words, f in LEVELS + CLIPPED_LEVELS:
        whose = words.format("level")
        row = Mistake(f"model.{name}", f"the score is that of {whose}", f", psi of {whose}", f,
                      "where two levels differ, the score of one learns the targets of another")
        yield _of_score(objective, row, lambda q, term, f=f: term.per_sample(
            exchanged(q, lambda: q.psi_of_levels(f))))


def _of_network(objective: str) -> Iterator[Formula]:
    """A network of the user's own that is given another level."""
    given = [(name, "the sigma of " + words.format("point"), f, GIVEN_ANOTHER, False)
             for name, words, f in LEVELS]
    given += [(name, f"{words} in place of sigma", f, GIVEN_AS, True) for name, words, f in FORMS]
    for name, words, f, effect, same in given:
        row = Mistake(f"network.{name}", f"the network is given {words}", f", f({words})", f,
                      effect, "", same)
        yield _of_score(objective, row, lambda q, term, f=f: term.per_sample(
            exchanged(q, lambda: q.of_network(None, f))))


def _of_score(objective: str, row: Mistake, f: Callable[[Any, Term], Array]) -> Formula:
    """Each term with another score; the constant has none."""
    right = reference(objective)
    return replace(with_terms(right, row, f), constant=right.constant)


def exchanged(q: Any, psi: Any = None, **arrays: Array) -> Any:
    """The quantities of a case with some of its arrays, or its score, exchanged."""
    def prediction() -> Array:
        A, B = linear_maps(q.case, q.about.predicts)
        return A * q.case.x_noisy + B * psi()

    given, hyper = {**q.case.arrays, **arrays}, q.case.hyper
    case = SimpleNamespace(**given, **hyper, arrays=given, hyper=hyper)
    return SimpleNamespace(case=case, about=q.about, psi=psi or q.psi,
                           prediction=prediction if psi else q.prediction)
