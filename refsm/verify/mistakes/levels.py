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
    Hang et al., Efficient diffusion training via min-SNR weighting strategy, ICCV 2023; Choi et
    al., Perception prioritized training of diffusion models, CVPR 2022 (P2); Karras et al.,
    Elucidating the design space of diffusion-based generative models, NeurIPS 2022; Song et al.,
    Maximum likelihood training of score-based diffusion models, NeurIPS 2021; Crowson et al.,
    Scalable high-resolution pixel-space image synthesis with hourglass diffusion transformers,
    ICML 2024 (soft min-SNR).
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

from itertools import product
from typing import Any, Callable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.denoisers import level, output, target_of, total
from refsm.verify.mistakes.mistake import (DIMENSIONS, SQUARES, Formula, Mistake,
                                           names_of_square, not_constrained)
from refsm.verify.mistakes.targets import AVERAGES_OUT, OTHER_POINTS
from refsm.verify.objectives import OBJECTIVES, Term, dot

__all__ = ["WEIGHTS", "levels"]

Weight = Callable[[Array, Array, float], Array]

# (name, words, w(alpha, sigma, data_sd)), as factors of the loss with |psi - g|^2 / 2
WEIGHTS: tuple[tuple[str, str, Weight], ...] = (
    ("variance", "sigma^2", lambda a, s, t: s**2),
    ("fourth-power", "sigma^4", lambda a, s, t: s**4),
    ("sigma", "sigma", lambda a, s, t: s),
    ("inverse-variance", "1 / sigma^2", lambda a, s, t: 1 / s**2),
    ("inverse-sigma", "1 / sigma", lambda a, s, t: 1 / s),
    ("clean", "sigma^4 / alpha^2", lambda a, s, t: s**4 / a**2),
    ("snr", "snr = alpha^2 / sigma^2", lambda a, s, t: a**2 / s**2),
    ("inverse-snr", "1 / snr", lambda a, s, t: s**2 / a**2),
    ("truncated-snr", "max(snr, 1)", lambda a, s, t: np.maximum(a**2 / s**2, 1)),
    ("snr-plus-one", "snr + 1", lambda a, s, t: a**2 / s**2 + 1),
    ("alpha", "alpha", lambda a, s, t: a),
    ("alpha-squared", "alpha^2", lambda a, s, t: a**2),
    ("inverse-alpha-squared", "1 / alpha^2", lambda a, s, t: 1 / a**2),
    *((f"min-snr-{k}", f"min(snr, {k}): min-SNR with gamma = {k}",
       lambda a, s, t, k=k: np.minimum(a**2 / s**2, k)) for k in (1, 5, 20)),
    *((f"min-snr-noise-{k}", f"min(snr, {k}) / snr: min-SNR with gamma = {k} on the noise",
       lambda a, s, t, k=k: np.minimum(k * s**2 / a**2, 1)) for k in (1, 5, 20)),
    *((f"min-snr-velocity-{k}",
       f"min(snr, {k}) / (snr + 1): min-SNR with gamma = {k} on the velocity",
       lambda a, s, t, k=k: np.minimum(a**2 / s**2, k) / (a**2 / s**2 + 1)) for k in (1, 5, 20)),
    *((f"soft-min-snr-{k}", f"1 / (1 / snr + 1 / {k}): soft min-SNR with gamma = {k}",
       lambda a, s, t, k=k: 1 / (s**2 / a**2 + 1 / k)) for k in (1, 4, 5)),
    ("p2-1", "1 / (1 + snr): P2 with k = 1, gamma = 1", lambda a, s, t: 1 / (1 + a**2 / s**2)),
    ("p2-half", "1 / sqrt(1 + snr): P2 with k = 1, gamma = 1 / 2",
     lambda a, s, t: 1 / np.sqrt(1 + a**2 / s**2)),
    ("edm", "(sigma^2 + data_sd^2) / (sigma data_sd)^2: EDM's weight",
     lambda a, s, t: (s**2 + t**2) / (s * t)**2),
    ("edm-noise", "(sigma^2 + data_sd^2) / data_sd^2: EDM's weight on the noise",
     lambda a, s, t: (s**2 + t**2) / t**2),
    ("edm-clean", "sigma^2 (sigma^2 + data_sd^2) / data_sd^2: EDM's weight on the score",
     lambda a, s, t: s**2 * (s**2 + t**2) / t**2),
    ("edm-snr", "data_sd^2 / (sigma^2 + data_sd^2)", lambda a, s, t: t**2 / (s**2 + t**2)),
    ("edm-soft-min-snr", "(sigma data_sd)^2 / (sigma^2 + data_sd^2)^2: soft min-SNR of EDM's form",
     lambda a, s, t: (s * t)**2 / (s**2 + t**2)**2),
    ("c-out", "c_out^2 = (sigma data_sd)^2 / (sigma^2 + data_sd^2): EDM's loss without its weight",
     lambda a, s, t: (s * t)**2 / (s**2 + t**2)))

LEVELS: tuple[tuple[str, str, str, Callable[[Array], Array]], ...] = (
    ("next", "the level of the next point", "next", lambda a: np.roll(a, -1, axis=0)),
    ("before", "the level of the point before", "before", lambda a: np.roll(a, 1, axis=0)),
    ("reversed", "the levels in reverse order", "reversed", lambda a: a[::-1]),
    ("first", "the first level for all", "first", lambda a: a[:1] + 0 * a))
KINDS = {"clean": "clean point", "edm": "output of EDM's network"}
WEIGHTED = "the minimiser is the same at each level; the levels weigh differently"
OTHER_LEVEL = "the target is that of another level: at no level the right output is learned"
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
    for name, words, w in _weights(kind) if about.levels != "scaled" else ():
        yield _weighted(objective, name, words, w)
    for name, words, short, f in LEVELS if about.levels != "scaled" else ():
        row = Mistake(f"level.{name}", f"the target has {words}", f"g(level {short})", f,
                      OTHER_LEVEL)
        if kind not in ("noise", "clean", "flow"):              # their targets have no level
            yield _formula(objective, row, lambda q, f=f: target_of(kind, _At(q, f)))
        if not kind:
            row = Mistake(f"sigma.{name}", "the noise is divided by the sigma of "
                          + words.replace("the level of ", ""),
                          f"-noise / sigma({short})", f, OTHER_LEVEL)
            yield _formula(objective, row, lambda q, f=f: -q.case.noise / f(level(q.case, "sigma")))
    for name, words, short, f in OTHER_POINTS:
        row = Mistake(f"target.{name}", f"compared with {words}", f"g({short})", f, AVERAGES_OUT)
        yield _formula(objective, row, lambda q, f=f: np.moveaxis(
            f(np.moveaxis(target_of(kind, q), -2, 0)), 0, -2))
    yield from _kinds(objective)
    for name, words, suffix, chosen, left in DIMENSIONS:
        row = Mistake(f"dimensions.{name}", words, "g", lambda a: a, not_constrained(left))
        yield _formula(objective, row, lambda q: target_of(kind, q), chosen, suffix)
    for name, words, symbols, f, effect, _ in SQUARES if about.levels != "several" else ():
        row = Mistake(f"square.{name}", words, symbols, f, effect)
        yield Formula((row,), (Term("whole", f"{symbols}, r = {'f' if kind else 'psi'} - g",
                                    lambda q, f=f: f(output(q) - target_of(kind, q))),))
    if about.levels == "points":
        yield from _pairs(objective)


def _weights(kind: str) -> list[tuple[str, str, Weight]]:
    """The weights that differ; with alpha = 1, as "edm" has it, some are one function."""
    seen: set[tuple[float, ...]] = {(1.0, 1.0, 1.0)}
    out = []
    for row in WEIGHTS:
        if kind == "clean" and row[0].startswith("min-snr-noise"):
            continue            # 1 but where sigma is small; the clean loss is negligible there
        alpha, sigma = np.ones(3) if kind == "edm" else np.array([0.9, 0.7, 0.3]), [0.1, 0.6, 1.7]
        values = tuple(float(f"{value:.9g}") for value in row[2](alpha, np.array(sigma), 0.5))
        if values not in seen:
            out.append(row)
        seen.add(values)
    return out


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
    weights = _weights(reference.predicts)
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
            return Term(term.role, f"{term.name}, mean of {words}",
                        lambda q: _of_level(q, w).mean() * term.per_sample(q))         # (n,)  (2)

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
    weight = _of_level(q, w)
    if q.about.levels != "several":
        return weight.reshape(-1) * term.per_sample(q)                        # (n,)  (1)
    return term.per_sample(_Reweighted(q, weight.reshape(-1)))


class _At:
    """The quantities of a case with its levels exchanged."""

    def __init__(self, q: Any, f: Callable[[Array], Array]) -> None:
        moved = {name: f(a) for name, a in q.case.arrays.items() if name in ("alpha", "sigma")}
        self.case, self.about = _Case(q.case, moved), q.about


class _Reweighted:
    """The quantities of a case with other weights of its levels."""

    def __init__(self, q: Any, weight: Array) -> None:
        self.case, self.about = _Case(q.case, {"level_weights": q.case.level_weights * weight}), \
            q.about
        self.psi = q.psi


class _Case:
    """A case with some arrays exchanged."""

    def __init__(self, case: Any, arrays: dict[str, Array]) -> None:
        self.hyper, self.arrays = case.hyper, {**case.arrays, **arrays}

    def __getattr__(self, name: str) -> Any:
        return self.arrays[name] if name in self.arrays else self.hyper[name]


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
