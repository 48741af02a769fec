"""Mistakes in a squared residual: explicit, Parzen and denoising score matching, the autoencoder.

The residual is psi(point) - g or y(point) - g.  What may be wrong is the point, what it is compared
with, which of its dimensions are read, and the square.

Symbols
    n points, i dimensions (d).
    point   the name of where the model is read, such as x + k sigma e with the noise e
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
from refsm.verify.cases.quantities import CLIPPED, POINTS
from refsm.verify.mistakes.mistake import (AT_CLEAN, ROBUST, SQUARES, Formula, Mistake, dimensions,
                                           every_pair, of_cosine, of_noise, of_residual, rows,
                                           squared, with_variate)
from refsm.verify.mistakes.targets import clipped_or_spread, targets
from refsm.verify.objectives import OBJECTIVES, Term, dot

__all__ = ["residual"]

OTHER_POINTS = [point for point in POINTS if point != "x_noisy"]
HARMLESS = "harmless where the noise is symmetric: the same loss in expectation"
STEP = ("the mean step from the clipped point to the clean one, over sigma^2, is learned, which is "
        "no score")
SCORE_AT = "the score of the data with noise of standard deviation"
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
    if objective == "parzen_esm":
        return ("what is learned at a point is the mean of the Parzen score over the noisy points "
                "that belong to it")
    if point == "x":
        return AT_CLEAN
    if point == "noise":
        return "minus the point over sigma is learned, whatever the data"
    k, width, _ = SMOOTHED[point]
    upside = ": the energy is learned upside down" if k == "minus" else ""
    return f"{k} {SCORE_AT} {width} is learned{upside}"


def _outputs(objective: str, model: str | None) -> Iterator[Mistake]:
    """The score, or the reconstruction, and what may stand in its place."""
    if OBJECTIVES[objective].learned == "reconstruction":
        yield from _reconstructions(model)
        return
    yield Mistake("", "", "psi", lambda q: q.psi())
    for point in OTHER_POINTS if model is not None and objective != "esm" else ():
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
    effects = {point: f"noise of standard deviation {width} is removed"
               for point, (_, width, _) in SMOOTHED.items()}
    effects.update({"x": "the clean point is reconstructed from itself: the identity is learned",
                    "noise": "the mean of the data is learned, whatever the noisy point",
                    "x - sigma noise": HARMLESS})
    for point in OTHER_POINTS:
        yield Mistake(f"point.{point}", f"the input of the encoder is {point}", f"y({point})",
                      lambda q, point=point: q.reconstruction(point), effects[point],
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


SCALES: tuple[tuple[str, str, Callable[[Any], float]], ...] = (
    ("minus", "-1", lambda q: -1.0), ("zero", "0", lambda q: 0.0),
    ("sigma", "sigma", lambda q: q.sigma), ("over-sigma", "1 / sigma", lambda q: 1 / q.sigma),
    ("variance", "sigma^2", lambda q: q.sigma**2), ("double", "2", lambda q: 2.0),
    ("half", "1 / 2", lambda q: 0.5))


def residual(objective: str, model: str | None) -> Iterator[Formula]:
    """Every formula with at most two mistakes."""
    outputs, compared = list(_outputs(objective, model)), list(targets(objective))
    squares = list(rows("square", (row[:5] for row in SQUARES)))
    no_sigma = OBJECTIVES[objective].random != "noise" and model != "autoencoder"
    scales = [row for row in SCALES if not (no_sigma and "sigma" in row[1])]
    for out, to in product(outputs, compared):
        wrong = tuple(row for row in (out, to) if row.id)
        yield squared(objective, wrong, out, to)
        for row, suffix, chosen in dimensions() if len(wrong) < 2 else ():
            yield squared(objective, (*wrong, row), out, to, suffix, chosen)
        for row in squares if len(wrong) < 2 else ():
            yield of_residual((*wrong, row), row, out, to)
            for name, words, scale in scales if not wrong else ():
                scaled = Mistake(f"target.{name}", f"the target is multiplied by {words}",
                                 f"{to.name} x {words}", lambda q, to=to, scale=scale: (
                                     scale(q) * to.formula(q)),
                                 "what is learned is multiplied as well")
                yield of_residual((row, scaled), row, out, scaled)
    for row in rows("square", ROBUST):
        yield of_residual((row,), row, outputs[0], compared[0])
    if objective == "dsm":
        yield from of_noise(outputs[0], compared[0])
    yield from clipped_or_spread(objective, outputs[0], compared[0])
    y = OBJECTIVES[objective].learned == "reconstruction"
    read, mean = ("input of the encoder is", "clean point") if y else ("score is read at", "score")
    for ends, point, _ in CLIPPED[OBJECTIVES[objective].at] if model is not None else ():
        row = Mistake(f"clipped.{ends}", f"the {read} {point}", f"{outputs[0].name}({point})",
                      lambda q, point=point: (q.reconstruction if y else q.psi)(point),
                      f"the mean of the {mean} given the clipped point is learned")
        yield squared(objective, (row,), row, compared[0])
    yield every_pair(objective, outputs[0], compared[0])
    yield of_cosine(outputs[0], compared[0])
    if objective == "dsm" and model is not None:
        yield from _made_apart(objective)
        yield with_variate(objective, outputs[0], compared[0], lambda q: q.psi("x"))
    if y:
        yield from _cross_entropies(outputs)


def _made_apart(objective: str) -> Iterator[Formula]:
    """Another noisy point, with the target that belongs to it."""
    effects = [(point, f"{times} {SCORE_AT} {width} is learned" if times else HARMLESS)
               for point, (_, width, times) in SMOOTHED.items()]
    for point, effect in (*effects, *((words, STEP) for _, words, _ in CLIPPED["x_noisy"])):
        row = Mistake(f"noisy.{point}", f"the noisy point is made as {point}", f"psi({point})",
                      lambda q, point=point: q.psi(point), effect, same=effect == HARMLESS)
        own = Mistake("", "", f"(x - ({point})) / sigma^2",
                      lambda q, point=point: (q.case.x - q.point(point)) / q.case.sigma**2)
        yield squared(objective, (row,), row, own)


def _cross_entropies(outputs: list[Mistake]) -> Iterator[Formula]:
    """Cross-entropy with the logits y in the place of the square, at the noisy point or at x."""
    for out in outputs:
        if out.id not in ("", "point.x"):
            continue
        row = Mistake("square.cross-entropy", "cross-entropy in place of the squared error",
                      f"sum softplus({out.name})",
                      lambda q, out=out: softplus(out.formula(q)).sum(axis=1),
                      "sigmoid(y) learns the mean of the clean point, where the data lie in "
                      "(0, 1)",
                      "DeepLearningTutorials' dA: masking noise with cross-entropy, which is "
                      "not Vincent's autoencoder")
        yield Formula((row, out) if out.id else (row,), (
            Term("output", row.name, row.formula),
            Term("product", f"-x.{out.name}",
                 lambda q, out=out: -dot(out.formula(q), q.case.x))))
