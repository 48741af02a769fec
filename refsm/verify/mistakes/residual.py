"""Mistakes in a squared residual: explicit, Parzen and denoising score matching, the autoencoder.

The residual is psi(point) - g or y(point) - g.  What may be wrong is the point, what it is compared
with, which of its dimensions are read, and the square.

Symbols
    n points, i dimensions (d).
    half    number   1/2, and 1 for the autoencoder
    e: noise;  x + k sigma e: where the model is read
    s_k: the score of the data smoothed with noise of standard deviation |k| sigma

Equations
    (1)  E[-e / sigma | x + k sigma e] = k s_k(x + k sigma e)     [result]

Derivation
    (1)  Tweedie's formula for noise of standard deviation k sigma: E[e | y] = -k sigma s_k(y).
         So the target -e / sigma at the wrong point has the minimiser k s_k; the point's own
         target, (x - point) / sigma^2 = -k e / sigma, has k^2 s_k.

Conventions
    Effects are those of `refsm.verify.mistakes.mistake`, with psi = E[target | point].

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23
    (2011), for the equal expectations of the Parzen and the denoising target.
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

from itertools import product
from typing import Any, Callable, Iterator

import numpy as np

from refsm.stable import sigmoid, softplus
from refsm.typing import Array
from refsm.verify.cases.quantities import POINTS
from refsm.verify.mistakes.mistake import (DIMENSIONS, SQUARES, Formula, Mistake,
                                           names_of_square, not_constrained)
from refsm.verify.mistakes.targets import MEAN_OF_DATA, targets
from refsm.verify.objectives import OBJECTIVES, Term, dot, target

__all__ = ["residual"]

Vector = Callable[[Any], Array]

SMOOTHED = {          # of the points x + k sigma e: k, |k| sigma and k^2 in words
    "x + sigma^2 noise": ("sigma times", "sigma^2", "sigma^2 times"),
    "x + noise": ("1 / sigma times", "1", "1 / sigma^2 times"),
    "x - sigma noise": ("minus", "sigma", ""),
    "x + sqrt(sigma) noise": ("1 / sqrt(sigma) times", "sqrt(sigma)", "1 / sigma times"),
    "x + 2 sigma noise": ("2 times", "2 sigma", "4 times"),
    "x + sigma noise / 2": ("half", "sigma / 2", "1 / 4 of"),
    "x + noise / sigma": ("1 / sigma^2 times", "1 / sigma", "1 / sigma^4 times")}


def _read_at(objective: str, point: str) -> str:
    """What a score learns whose model is read at another point."""
    k, width, _ = SMOOTHED.get(point, ("", "", ""))
    if objective == "parzen_esm":
        return ("what is learned at a point is the mean of the Parzen score over the noisy points "
                "that belong to it")
    if point == "x":
        return "at the clean point the target averages to 0: nothing is learned from the data"
    if point == "noise":
        return "minus the point over sigma is learned, whatever the data"
    upside = ": the energy is learned upside down" if k == "minus" else ""
    return f"{k} the score of the density smoothed with {width} is learned{upside}"


def _outputs(objective: str, model: str | None) -> Iterator[Mistake]:
    """The score, or the reconstruction, and what may stand in its place."""
    if OBJECTIVES[objective].learned == "reconstruction":
        yield from _reconstructions(model)
        return
    yield Mistake("", "", "psi", lambda q: q.psi())
    for point in _points() if model is not None and objective != "esm" else ():
        yield Mistake(f"point.{point}", f"the score is read at {point}", f"psi({point})",
                      lambda q, point=point: q.psi(point), _read_at(objective, point))


HIDDEN: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("tanh", "tanh", np.tanh), ("relu", "relu", lambda a: np.where(a.real > 0, a, 0)),
    ("linear", "no activation", lambda a: a), ("softplus", "softplus", softplus))


def _reconstructions(model: str | None) -> Iterator[Mistake]:
    yield Mistake("", "", "y", lambda q: q.reconstruction())
    yield Mistake("output.step", "the output is the score's direction y - x_noisy", "y - x_noisy",
                  lambda q: q.reconstruction() - q.case.x_noisy,
                  "y - x_noisy learns the clean point: y is off by the noisy one")
    if model is None:
        return
    for point in _points():
        effect = {"x": "the clean point is reconstructed from itself: the identity is learned",
                  "noise": MEAN_OF_DATA, "x - sigma noise": "harmless where the noise is "
                  "symmetric: the same loss in expectation"}.get(
            point, f"noise of standard deviation {SMOOTHED.get(point, ('', '', ''))[1]} is removed")
        yield Mistake(f"point.{point}", f"the encoder sees {point}", f"y({point})",
                      lambda q, point=point: q.reconstruction(point), effect,
                      same=point == "x - sigma noise")
    for name, words, f in HIDDEN if model == "autoencoder" else ():
        yield Mistake(f"hidden.{name}", f"hidden units: {words} in place of sigmoid",
                      f"y, {words}", lambda q, f=f: _network(q, f),
                      "another network is trained, of another energy: in the place of the softplus "
                      "it has the integral of this activation")
    yield Mistake("output.sigmoid", "the output passes through a sigmoid", "sigmoid(y)",
                  lambda q: sigmoid(q.reconstruction()),
                  "the reconstruction is confined to (0, 1)")


def _network(q: Any, f: Callable[[Array], Array]) -> Array:
    theta = q.theta
    hidden = f(q.case.x_noisy @ theta["W"].T + theta["b"])
    return hidden @ theta.get("decoder", theta["W"]) + theta["c"]


def _points() -> list[str]:
    return [point for point in POINTS if point != "x_noisy"]


SCALES: tuple[tuple[str, str, Callable[[Any], float]], ...] = (
    ("minus", "-1", lambda q: -1.0), ("zero", "0", lambda q: 0.0),
    ("sigma", "sigma", lambda q: q.sigma), ("over-sigma", "1 / sigma", lambda q: 1 / q.sigma),
    ("variance", "sigma^2", lambda q: q.sigma**2), ("double", "2", lambda q: 2.0),
    ("half", "1 / 2", lambda q: 0.5))


def residual(objective: str, model: str | None) -> Iterator[Formula]:
    """Every formula with at most two mistakes."""
    for out, to in product(_outputs(objective, model), targets(objective)):
        wrong = tuple(row for row in (out, to) if row.id)
        yield _expanded(objective, wrong, out, to)
        for name, words, suffix, chosen, left in DIMENSIONS if len(wrong) < 2 else ():
            row = Mistake(f"dimensions.{name}", words, suffix, lambda a: a, not_constrained(left))
            yield _expanded(objective, (*wrong, row), out, to, suffix, chosen)
        for row in _squares() if len(wrong) < 2 else ():
            yield _whole((*wrong, row), row, out, to)
            for name, words, scale in SCALES if not wrong else ():
                times = Mistake(f"target.{name}", f"the target is multiplied by {words}",
                                f" x {words}", scale, "what is learned is multiplied as well")
                yield _whole((row, times), row, out, to, times)
    yield from _shared(objective, model)


def _squares() -> Iterator[Mistake]:
    for name, words, symbols, f, effect, _ in SQUARES:
        yield Mistake(f"square.{name}", words, symbols, f, effect)


def _half(objective: str) -> float:
    return 1.0 if OBJECTIVES[objective].learned == "reconstruction" else 0.5


def _expanded(objective: str, wrong: tuple[Mistake, ...], out: Mistake, to: Mistake,
              suffix: str = "", chosen: slice = slice(None)) -> Formula:
    """half |out - to|^2 as its three terms."""
    half, roles = _half(objective), [term.role for term in OBJECTIVES[objective].terms]
    norm, product, constant = names_of_square(half, out.name + suffix, to.name + suffix)

    def of(row: Mistake) -> Vector:
        return lambda q: q.once(("vector", row.name), lambda: row.formula(q))[:, chosen]

    a, b = of(out), of(to)
    return Formula(wrong, (
        Term(roles[0], norm, lambda q: half * dot(a(q), a(q))),
        Term(roles[1], product, lambda q: -2 * half * dot(a(q), b(q)))),
        Term("constant", constant, lambda q: half * dot(b(q), b(q))))


def _whole(wrong: tuple[Mistake, ...], square: Mistake, out: Mistake, to: Mistake,
           times: Mistake | None = None) -> Formula:
    """A function of the residual that is no square."""
    def loss(q: Any) -> Array:
        t = to.formula(q) * (1.0 if times is None else times.formula(q))
        return square.formula(out.formula(q) - t)

    scaled = "" if times is None else times.name
    own = f"({to.name})" if " " in to.name else to.name
    name = f"{square.name}, r = {out.name} - {own}{scaled}"
    return Formula(wrong, (Term("whole", name, loss),))


def _shared(objective: str, model: str | None) -> Iterator[Formula]:
    """What is wrong with the residual as a whole."""
    about, half = OBJECTIVES[objective], _half(objective)

    def every_pair(q: Any) -> Array:
        out, to = ((q.psi(), target(q)) if about.learned == "score"
                   else (q.reconstruction(), q.case.x))
        return -2 * half * dot(out, to.mean(axis=0))

    pairs = Mistake("pairs.all", "every output is compared with every target: (n, n) in place of n",
                    f"{names_of_square(half, 'mean output', 'mean target')[1]}", every_pair,
                    "1 / n of the right score is learned: the targets of other points average to 0"
                    if about.learned == "score" else
                    "1 / n of the right reconstruction is learned; the rest is the mean of the "
                    "data")
    first, second = about.terms
    yield Formula((pairs,), (first, Term(second.role, pairs.name, every_pair)), about.constant)
    for point, (_, width, times) in SMOOTHED.items() if objective == "dsm" and model else ():
        effect = (f"{times} the score of the density smoothed with {width} is learned" if times
                  else "harmless where the noise is symmetric: the same loss in expectation")
        row = Mistake(f"noisy.{point}", f"the noisy point is made as {point}", f"psi({point})",
                      lambda q, point=point: q.psi(point), effect, same=not times)
        own = Mistake("", "", f"(x - ({point})) / sigma^2",
                      lambda q, point=point: (q.case.x - q.point(point)) / q.case.sigma**2)
        yield _expanded(objective, (row,), row, own)
    for point in ("x_noisy", "x") if about.learned == "reconstruction" else ():
        if point == "x" and model is None:
            continue
        entropy = Mistake("square.cross-entropy", "cross-entropy in place of the squared error",
                          f"sum softplus(y({point}))", softplus,
                          "sigmoid(y) learns the mean of the clean point, where the data lie in "
                          "(0, 1)",
                          "DeepLearningTutorials' dA: masking noise with cross-entropy, which is "
                          "not Vincent's autoencoder")
        clean = [row for row in _reconstructions(model) if row.id == f"point.{point}"]
        yield Formula((entropy, *clean), (
            Term("output", entropy.name,
                 lambda q, point=point: softplus(q.reconstruction(point)).sum(axis=1)),
            Term("product", f"-x.y({point})",
                 lambda q, point=point: -dot(q.reconstruction(point), q.case.x))))
