"""What a score or a reconstruction is compared with, and what may stand in its place.

Multiples of the target are scalings of terms, not rows.  An effect is E[target | noisy point].
"""
from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Callable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.mistakes.mistake import FREE, Formula, Mistake, clipped, rows, squared
from refsm.verify.objectives import OBJECTIVES, target

__all__ = ["clipped_or_spread", "of_other_points", "targets"]

Vector = Callable[[Any], Array]

AVERAGES_OUT = ("the target belongs to another point: what is learned is the mean of all targets, "
                "whatever the point")
SAME = "the same loss in expectation, up to a constant: the minimiser is the same (Vincent, 2011)"


def targets(objective: str) -> Iterator[Mistake]:
    """What the output is compared with.  Multiples of the target are scalings, not mistakes."""
    reconstructs = OBJECTIVES[objective].learned == "reconstruction"
    right = Mistake("", "", "x" if reconstructs else "g",
                    (lambda q: q.case.x) if reconstructs else target)
    yield right
    yield from of_other_points(right)
    if reconstructs:
        yield from rows("target", CLEAN_TARGETS, "compared with ")
        return
    if objective == "esm":
        words = "compared with the score of a standard normal density"
        yield Mistake("target.normal", words, "-x", lambda q: -q.case.x,
                      "the score of a standard normal density is learned")
        return
    yield from rows("target", NOISY_TARGETS, "target: ")
    if objective == "dsm":
        words = "target: the score of the Parzen density, not of the corruption"
        yield Mistake("target.parzen", words, "parzen", lambda q: q.parzen(), SAME, same=True)
        return
    yield Mistake("target.corruption", "target: the score of the corruption, not of the Parzen "
                  "density", "(x - x_noisy) / sigma^2",
                  lambda q: (q.case.x - q.case.x_noisy) / q.case.sigma**2, SAME, same=True)
    yield from rows("target", PARZEN_TARGETS, "target: ")
    for name, words, bandwidth, effect in EXPONENTS:
        def scaled(q: Any, bandwidth: Any = bandwidth) -> Array:
            b, sigma = bandwidth(q.case.sigma), q.case.sigma
            return q.parzen(bandwidth=b) * (b**2 / sigma**2)
        yield Mistake(f"target.exponent-{name}", f"target: the exponent alone {words}",
                      f"parzen, exponent {words}", scaled, f"{effect} is learned")


def of_other_points(right: Mistake) -> Iterator[Mistake]:
    """The right target, but that of another point."""
    for name, words, f in (
            ("next", "the target of the next point", lambda a: np.roll(a, -1, axis=-2)),
            ("before", "the target of the point before", lambda a: np.roll(a, 1, axis=-2)),
            ("reversed", "the targets in reverse order", lambda a: a[..., ::-1, :])):
        yield Mistake(f"target.{name}", f"compared with {words}", f"{right.name}({name})",
                      lambda q, f=f: f(right.formula(q)), AVERAGES_OUT)


NOISY_TARGETS: tuple[tuple[str, str, str, Vector, str], ...] = (
    ("without-clean", "the clean point is left out of it", "-x_noisy / sigma^2",
     lambda q: -q.case.x_noisy / q.case.sigma**2,
     "minus the point over sigma^2 is learned, whatever the data"),
    ("without-noisy", "the noisy point is left out of it", "x / sigma^2",
     lambda q: q.case.x / q.case.sigma**2,
     "the denoised point over sigma^2 is learned, which is no score"),
    ("sum", "the sum of the two points", "(x + x_noisy) / sigma^2",
     lambda q: (q.case.x + q.case.x_noisy) / q.case.sigma**2,
     "the denoised point plus the point, over sigma^2, is learned, which is no score"))
OTHER_BANDWIDTH = "the score of the Parzen density of that bandwidth is learned"
PARZEN_TARGETS: tuple[tuple[str, str, str, Vector, str], ...] = (
    ("at-clean", "the Parzen density at the clean point", "parzen(x)", lambda q: q.parzen("x"),
     "what is learned is the score at the clean points, averaged given the noisy one"),
    ("without-own", "the Parzen density leaves its own point out", "parzen without own",
     lambda q: q.parzen(without_own=True),
     "what is learned is the score of the other points' Parzen density, averaged over which point "
     "is the own one, given the noisy point"),
    ("bandwidth-variance", "the bandwidth is sigma^2, not sigma", "parzen, sigma^2",
     lambda q: q.parzen(bandwidth=q.case.sigma**2), OTHER_BANDWIDTH),
    ("bandwidth-root", "the bandwidth is sqrt(sigma), not sigma", "parzen, sqrt(sigma)",
     lambda q: q.parzen(bandwidth=q.case.sigma**0.5), OTHER_BANDWIDTH),
    ("no-half", "the exponent lacks its 1/2", "parzen, no half",
     lambda q: q.parzen(bandwidth=q.case.sigma / 2**0.5), OTHER_BANDWIDTH),
    ("bandwidth-one", "the bandwidth is 1", "parzen, 1", lambda q: q.parzen(bandwidth=1.0),
     OTHER_BANDWIDTH),
    ("nearest", "the nearest point alone", "parzen, nearest",
     lambda q: q.parzen(shares="nearest"),
     "the step to the nearest point of the data, over sigma^2, is learned"),
    ("other-axis", "the shares sum to 1 over the noisy points, not over the data",
     "parzen, other axis", lambda q: q.parzen(shares="over the noisy points"),
     "it is the score of no density: its shares depend on the other noisy points"),
    ("equal", "every point weighs the same", "parzen, equal", lambda q: q.parzen(shares="equal"),
     "the step to the mean of the data, over sigma^2, is learned"))
OF_BANDWIDTH = "the score of the Parzen density of bandwidth"
EXPONENTS: tuple[tuple[str, str, Callable[[float], float], str], ...] = (
    ("no-half", "lacks its 1/2", lambda s: s / 2**0.5, f"half {OF_BANDWIDTH} sigma / sqrt(2)"),
    ("sigma", "has sigma for sigma^2", lambda s: s**0.5,
     f"1 / sigma times {OF_BANDWIDTH} sqrt(sigma)"),
    ("sigma-4", "has sigma^4 for sigma^2", lambda s: s**2,
     f"sigma^2 times {OF_BANDWIDTH} sigma^2"),
    ("one", "has 1 for sigma^2", lambda s: 1.0, f"1 / sigma^2 times {OF_BANDWIDTH} 1"),
    ("no-two", "has 4 sigma^2 for 2 sigma^2", lambda s: 2**0.5 * s,
     f"2 times {OF_BANDWIDTH} sqrt(2) sigma"))
CLEAN_TARGETS: tuple[tuple[str, str, str, Vector, str], ...] = (
    ("noisy", "the noisy point, not the clean one", "x_noisy", lambda q: q.case.x_noisy,
     "the identity is learned: nothing is denoised"),
    ("noise", "the noise", "noise", lambda q: q.case.noise,
     "the noise is learned; the noisy point minus sigma times it is the reconstruction"),
    ("minus-step", "x_noisy - x", "x_noisy - x", lambda q: q.case.x_noisy - q.case.x,
     "the noise as it was added is learned; the noisy point minus it is the reconstruction"),
    ("step", "x - x_noisy, the denoising step", "x - x_noisy", lambda q: q.case.x - q.case.x_noisy,
     "the step from the noisy point to the clean one is learned; the noisy point plus it is the "
     "reconstruction"),
    ("halfway", "the point halfway between x and x_noisy", "(x + x_noisy) / 2",
     lambda q: (q.case.x + q.case.x_noisy) / 2,
     "half of the noise stays: the reconstruction goes only half of the way"),
    ("mean", "the mean of the points", "mean x",
     lambda q: np.broadcast_to(q.case.x.mean(axis=0), q.case.x.shape),
     "1 / n of the right reconstruction is learned; the rest is the mean of the data"))


def clipped_or_spread(objective: str, out: Mistake, to: Mistake) -> Iterator[Formula]:
    """Output or target that is clipped, or has one column, (n, 1), which is broadcast."""
    about = OBJECTIVES[objective]
    learned, end = about.learned, FREE if about.learned == "score" else ""
    mean, entry = f"the mean of the clipped target is learned{end}", f"entry of the {learned}{end}"

    def of(row: Mistake, name: str, f: Callable[[Array], Array]) -> Mistake:
        return replace(row, name=f"{name} of {row.name}",
                       formula=lambda q: np.broadcast_to(f(v := row.formula(q)), v.shape))

    some: list[tuple[str, str, Mistake, Mistake, str]] = []
    for t in (1, 3, 5):
        short, none = f"clipped{f'-{t}' * (t > 1)}", f"outside (-{t}, {t}) has no gradient"
        a, b = (of(row, f"clip {t}", partial(clipped, t=t)) for row in (out, to))
        some += [(f"output.{short}", f"the output is clipped to (-{t}, {t})", a, to,
                  f"an entry of the output {none}")]
        if t == 1 or about.random == "noise" and learned == "score":    # others are hardly beyond 3
            some += [(f"target.{short}", f"the target is clipped to (-{t}, {t})", out, b, mean),
                     (f"both.{short}", f"output and target are clipped to (-{t}, {t})", a, b,
                      f"{mean}; an entry of the output {none}")]
    first, middle = (lambda v: v[..., :1]), (lambda v: v.mean(axis=-1)[..., None])
    for row_of, what, a, b, effect in (
            ("output.first", "the first entry of the output is compared with every entry of the "
             "target", of(out, "first entry", first), to, "the first entry learns the mean of all "
             f"entries of the right {learned}; the others have no gradient"),
            ("target.first", "every entry is compared with the first entry of the target", out,
             of(to, "first entry", first), f"every entry learns the first {entry}"),
            ("target.middle", "every entry is compared with the mean of the target's entries", out,
             of(to, "mean entry", middle), f"every entry learns the mean {entry}")):
        some.append((f"{row_of}-entry", f"{what}: (n, 1) in place of (n, d)", a, b, effect))
    for id, words, a, b, effect in some:
        row = Mistake(id, words, f"{a.name}, {b.name}", clipped, effect)
        yield squared(objective, (row,), a, b)
