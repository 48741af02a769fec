"""The bank's formulas that are half a squared residual: explicit, Parzen and denoising score matching, and the autoencoder's loss.

The residual is psi(point) - g or y(point) - g.  What may slip is the point, what it is compared with, which of its dimensions are read, and the square.
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

from itertools import product
from typing import Any, Callable, Iterator

import numpy as np

from refsm.stable import sigmoid, softplus
from refsm.typing import Array
from refsm.verify.bank import COORDINATES, NOT_A_SQUARE, Formula, _left_out
from refsm.verify.quantities import POINTS, Quantities
from refsm.verify.terms import TERMS, Part, dot, target

__all__ = ["residual"]

Vector = Callable[[Quantities], Array]
Choice = tuple[str, str, Vector]          # the slip in words, the vector's name, the vector


def residual(objective: str, model: str | None) -> Iterator[Formula]:
    """Every formula with at most two slips."""
    half = 1.0 if objective == "dae" else 0.5
    for (out_slips, out_name, out), (to_slip, to_name, to) in product(_outputs(objective, model), _targets(objective, model)):
        slips = tuple(s for s in (*out_slips, to_slip) if s)
        out, to = _once(out_name, out), _once(to_name, to)
        for slip, suffix, chosen in COORDINATES if len(slips) < 2 else COORDINATES[:1]:
            yield _expanded(objective, (*slips, *([slip] if slip else [])), out_name + suffix, to_name + suffix, _cut(out, chosen), _cut(to, chosen), half)
        for slip, name, f in NOT_A_SQUARE if len(slips) < 2 else ():
            for words, scale in SCALES:
                if len(slips) == 0 or not words:
                    def loss(q: Quantities, f: Any = f, out: Vector = out, to: Vector = to, scale: Any = scale) -> Array:
                        return f(out(q) - scale(q) * to(q))
                    scaled = (f"the target is multiplied by {words[3:]}",) if words else ()
                    yield Formula((*slips, slip, *scaled), (Part("whole", f"{name}, r = {out_name} - ({to_name}){words}", loss),))
    every = Part(TERMS[objective][1].role, f"{-2 * half:g} mean output.mean target", lambda q: _every_pair(q, half))
    yield Formula(("every output is compared with every target: (n, n) in place of n",), (TERMS[objective][0], every),
                  Part("constant", "", _constant(objective)))
    for point in [p for p in _points(objective) if p not in ("x", "noise")] if objective == "dsm" and model is not None else ():
        def own(q: Quantities, point: str = point) -> Array:
            return (q.case.x - q.point(point)) / q.case.sigma**2

        def there(q: Quantities, point: str = point) -> Array:
            return q.psi(point)
        yield _expanded(objective, (f"the noisy point is made as {point}",), f"psi({point})", f"(x - {point}) / sigma^2", there, own, half)
    for block in _left_out(model):
        parts = tuple(Part(p.role, f"{p.name} without {block}", lambda q, p=p, block=block: p.per_sample(q.changed(block))) for p in TERMS[objective])
        yield Formula((f"the model's {block} is left out",), parts, Part("constant", "", _constant(objective)))
    if objective == "dae":
        yield from _cross_entropies(("x_noisy", "x") if model else ("x_noisy",))


SCALES: tuple[tuple[str, Callable[[Quantities], float]], ...] = (
    ("", lambda q: 1.0), (" x -1", lambda q: -1.0), (" x 0", lambda q: 0.0), (" x sigma", lambda q: q.case.hyper.get("sigma", 1.0)),
    (" x 1 / sigma", lambda q: 1 / q.case.hyper.get("sigma", 1.0)), (" x sigma^2", lambda q: q.case.hyper.get("sigma", 1.0)**2), (" x 2", lambda q: 2.0),
    (" x 1 / 2", lambda q: 0.5))


def _every_pair(q: Quantities, half: float) -> Array:
    out, to = (q.reconstruction(), q.case.x) if q.case.objective == "dae" else (q.psi(), target(q))
    return -2 * half * dot(out, to.mean(axis=0))


def _constant(objective: str) -> Vector:
    return (lambda q: dot(q.case.x, q.case.x)) if objective == "dae" else (lambda q: dot(target(q), target(q)) / 2)


def _once(name: str, f: Vector) -> Vector:
    return lambda q: q.once(("vector", name), lambda: f(q))


def _cut(f: Vector, chosen: slice) -> Vector:
    return lambda q: f(q)[:, chosen]


def _expanded(objective: str, slips: tuple[str, ...], out_name: str, to_name: str, out: Vector, to: Vector, half: float) -> Formula:
    """half |out - to|^2 as its three terms."""
    roles = [part.role for part in TERMS[objective]]
    return Formula(slips, (Part(roles[0], f"{half:g} |{out_name}|^2", lambda q: half * dot(out(q), out(q))),
                           Part(roles[1], f"{-2 * half:g} {out_name}.({to_name})", lambda q: -2 * half * dot(out(q), to(q)))),
                   Part("constant", f"{half:g} |{to_name}|^2", lambda q: half * dot(to(q), to(q))))


def _outputs(objective: str, model: str | None) -> Iterator[tuple[tuple[str, ...], str, Vector]]:
    """The score, or the reconstruction, and what may stand in its place."""
    if objective == "dae":
        yield (), "y", lambda q: q.reconstruction()
        yield ("the output is the score's direction y - x_noisy",), "y - x_noisy", lambda q: q.reconstruction() - q.case.x_noisy
        if model is not None:
            for point in _points(objective):
                yield (f"the encoder sees {point}",), f"y({point})", lambda q, point=point: q.reconstruction(point)
            for name, f in HIDDEN:
                yield (f"hidden units: {name} in place of sigmoid",), f"y, {name}", lambda q, f=f: _network(q, f)
            yield ("the output passes through a sigmoid",), "sigmoid(y)", lambda q: sigmoid(q.reconstruction())
        return
    yield (), "psi", lambda q: q.psi()
    if model is not None and objective != "esm":
        for point in _points(objective):
            yield (f"the score is read at {point}",), f"psi({point})", lambda q, point=point: q.psi(point)


HIDDEN: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("tanh", np.tanh), ("relu", lambda a: np.where(a.real > 0, a, 0)), ("no activation", lambda a: a), ("softplus", softplus))


def _network(q: Quantities, f: Callable[[Array], Array]) -> Array:
    theta = q.theta
    return f(q.case.x_noisy @ theta["W"].T + theta["b"]) @ theta.get("decoder", theta["W"]) + theta["c"]


def _points(objective: str) -> list[str]:
    return [point for point in POINTS if point != "x_noisy"]


def _targets(objective: str, model: str | None) -> Iterator[Choice]:
    """What the output is compared with, and what may stand in its place.  Multiples of one target are laws, not slips."""
    if objective == "dae":
        yield "", "x", lambda q: q.case.x
        yield "compared with the noisy point, not the clean one", "x_noisy", lambda q: q.case.x_noisy
        yield "compared with the noise", "noise", lambda q: q.case.noise
        yield "compared with the next point", "x(next)", lambda q: np.roll(q.case.x, -1, axis=0)
        yield "compared with x_noisy - x", "x_noisy - x", lambda q: q.case.x_noisy - q.case.x
        yield "compared with x - x_noisy, the denoising step", "x - x_noisy", lambda q: q.case.x - q.case.x_noisy
        yield "the target is halfway between x and x_noisy", "(x + x_noisy) / 2", lambda q: (q.case.x + q.case.x_noisy) / 2
        yield "compared with the points in reverse order", "x(reversed)", lambda q: q.case.x[::-1]
        yield "compared with the point before", "x(before)", lambda q: np.roll(q.case.x, 1, axis=0)
        yield "compared with the mean of the points", "mean x", lambda q: np.broadcast_to(q.case.x.mean(axis=0), q.case.x.shape)
        return
    yield "", "g", target
    yield "compared with the target of the next point", "g(next)", lambda q: np.roll(target(q), -1, axis=0)
    yield "compared with the target of the point before", "g(before)", lambda q: np.roll(target(q), 1, axis=0)
    yield "compared with the targets in reverse order", "g(reversed)", lambda q: target(q)[::-1]
    if objective == "esm":
        yield "compared with the score of a standard normal density", "-x", lambda q: -q.case.x
        return
    sigma2 = _variance
    yield "target: the clean point is left out of it", "x_noisy", lambda q: -q.case.x_noisy / sigma2(q)
    yield "target: the noisy point is left out of it", "x", lambda q: q.case.x / sigma2(q)
    yield "target: the sum of the two points", "x + x_noisy", lambda q: (q.case.x + q.case.x_noisy) / sigma2(q)
    if objective == "dsm":
        yield "target: the score of the Parzen density, not of the corruption", "parzen", lambda q: q.parzen()
    else:
        yield "target: the score of the corruption, not of the Parzen density", "dsm", lambda q: (q.case.x - q.case.x_noisy) / sigma2(q)
        yield "target: the Parzen density at the clean point", "parzen(x)", lambda q: q.parzen("x")
        yield "target: the Parzen density leaves its own point out", "parzen without own", lambda q: q.parzen(without_own=True)
        yield "target: the bandwidth is sigma^2, not sigma", "parzen, sigma^2", lambda q: q.parzen(bandwidth=q.case.sigma**2)
        yield "target: the bandwidth is sqrt(sigma), not sigma", "parzen, sqrt(sigma)", lambda q: q.parzen(bandwidth=q.case.sigma**0.5)
        yield "target: the exponent lacks its 1/2", "parzen, no half", lambda q: q.parzen(bandwidth=q.case.sigma / 2**0.5)
        yield "target: the bandwidth is 1", "parzen, 1", lambda q: q.parzen(bandwidth=1.0)
        for words, bandwidth in EXPONENTS:
            yield (f"target: the exponent alone {words}", f"parzen, exponent {words}",
                   lambda q, bandwidth=bandwidth: q.parzen(bandwidth=bandwidth(q.case.sigma)) * (bandwidth(q.case.sigma)**2 / q.case.sigma**2))
        yield "target: the nearest point alone", "parzen, nearest", lambda q: q.parzen(shares="nearest")
        yield "target: the shares sum to 1 over the noisy points, not over the data", "parzen, other axis", lambda q: q.parzen(shares="over the noisy points")
        yield "target: every point weighs the same", "parzen, equal", lambda q: q.parzen(shares="equal")


EXPONENTS: tuple[tuple[str, Callable[[float], float]], ...] = (
    ("lacks its 1/2", lambda s: s / 2**0.5), ("has sigma for sigma^2", lambda s: s**0.5), ("has sigma^4 for sigma^2", lambda s: s**2),
    ("has 1 for sigma^2", lambda s: 1.0), ("has 4 sigma^2 for 2 sigma^2", lambda s: 2**0.5 * s))


def _variance(q: Quantities) -> float:
    return q.case.sigma**2


def _cross_entropies(points: tuple[str, ...]) -> Iterator[Formula]:
    """Bernoulli cross-entropy of sigmoid(y) against x: sum softplus(y) - x.y."""
    for point in points:
        slips = ("cross-entropy in place of the squared error", *([f"the encoder sees {point}"] if point != "x_noisy" else []))
        yield Formula(slips, (Part("output", f"sum softplus(y({point}))", lambda q, point=point: softplus(q.reconstruction(point)).sum(axis=1)),
                              Part("product", f"-x.y({point})", lambda q, point=point: -dot(q.reconstruction(point), q.case.x))))
