"""The level of another point, in the noisy point, or in the clean point that is computed from it.

Symbols
    n points, i dimensions (d).
    alpha_m, sigma_m  (n, 1)  the level of another point
    x_m               (n, d)  the noisy point of that level
    A, B, C, D        (n, 1)  an output is A x_noisy + B psi, a clean point C x_noisy + D psi

Equations
    (1)  x_m = alpha_m x + sigma_m noise
    (2)  clean = C x_noisy + D (output - A x_noisy) / B, with A to D of the other level

Derivation
    (2)  solves output = A x_noisy + B psi for psi, and puts it into C x_noisy + D psi.

Conventions
    With (1), output and target have the point's own level, and x_m in the place of x_noisy.

Sources
    Ours.
"""
from __future__ import annotations

from itertools import product
from typing import Any, Callable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.cases import models
from refsm.verify.cases.quantities import CLIPPED
from refsm.verify.denoisers import KINDS, level, linear_maps, output, own_target, target_of
from refsm.verify.mistakes.levels import GIVEN_ANOTHER, LEVELS, OTHER_LEVEL, TAKEN, exchanged
from refsm.verify.mistakes.mistake import Formula, Mistake, squared
from refsm.verify.objectives import OBJECTIVES

__all__ = ["moved_levels"]


def moved_levels(objective: str, model: str | None) -> Iterator[Formula]:
    """Every formula with the level of another point."""
    about = OBJECTIVES[objective]
    if about.levels == "points":
        yield from _of_clean(objective) if about.predicts != "clean" else ()
        if model not in (None, "network"):
            yield from _of_noisy(objective)
            yield from _of_clipped(objective)


def _of_clean(objective: str) -> Iterator[Formula]:
    """The clean point, which is compared with x, computed from the output at another level."""
    kind = OBJECTIVES[objective].predicts or "score"
    for name, words, f in LEVELS:
        def clean(q: Any, f: Callable[[Array], Array] = f) -> Array:
            (A, B), (C, D) = (map(f, linear_maps(q.case, of)) for of in (kind, "clean"))
            x_noisy = q.case.x_noisy
            return C * x_noisy + D * (output(q) - A * x_noisy) / B            # (n, d)  (2)

        whose = words.format("point")
        row = Mistake(f"clean.{name}", "the clean point is computed from the "
                      f"{KINDS.get(kind, kind)} with the level of {whose}",
                      f"clean, level of {whose}", clean, OTHER_LEVEL)
        yield squared(objective, (row,), row, Mistake("", "", "x", lambda q: q.case.x))


def _of_noisy(objective: str) -> Iterator[Formula]:
    """The noisy point of another level, and the right target of that point."""
    kind = OBJECTIVES[objective].predicts or "score"
    ways = TAKEN[:2] if "alpha" in OBJECTIVES[objective].given else TAKEN[:1]
    for (name, words, f), (what, taken) in product(LEVELS[:2], ways):
        def x_m(q: Any, f: Callable[[Array], Array] = f, taken: Any = taken) -> Array:
            own = np.broadcast_arrays(level(q.case, "alpha"), level(q.case, "sigma"))
            alpha_m, sigma_m = (f(v) if of in taken else v
                                for of, v in zip(("alpha", "sigma"), own))
            return alpha_m * q.case.x + sigma_m * q.case.noise                # (n, d)  (1)

        def target(q: Any, x_m: Callable[[Any], Array] = x_m) -> Array:
            return target_of(kind, exchanged(q, x_noisy=x_m(q)))

        whose = words.format("point")
        row = Mistake(f"noisy.{what}-{name}", f"the noisy point has the {what} of {whose}",
                      f"f at x_noisy, {what} of {whose}",
                      lambda q, x_m=x_m: _output_at(q, x_m(q), kind), GIVEN_ANOTHER)
        yield squared(objective, (row,), row, Mistake("", "", f"g, {row.name}", target))


def _of_clipped(objective: str) -> Iterator[Formula]:
    """The output at the noisy point, clipped, and the right target."""
    kind = OBJECTIVES[objective].predicts or "score"
    for ends, point, clipped in CLIPPED["x_noisy"][:2]:            # few points are beyond 3
        row = Mistake(f"clipped.{ends}",
                      f"the {'output' if kind != 'score' else kind} is read at {point}",
                      f"f({point})", lambda q, at=clipped: _output_at(q, at(q.case), kind),
                      f"the mean of the {KINDS.get(kind, kind)} given the clipped point is learned")
        yield squared(objective, (row,), row, Mistake("", "", "g", own_target))


def _output_at(q: Any, point: Array, kind: str) -> Array:
    """The output at another point (n, d), with the level of each."""
    A, B = linear_maps(q.case, kind)
    return A * point + B * models.local_quantities(q.case.model, q.theta, q.sigma)["score"](point)
