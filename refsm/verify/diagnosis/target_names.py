"""The name of a target, from what it is of the clean point and the noise at each level.

Symbols
    C groups, l levels of a group.
    alpha, sigma  (C, l)     the levels
    p, r          (C, l)     the target is p x + r noise
    m             (C, l)     the multiple of the right target p0 x + r0 noise that comes nearest

Equations
    (1)  m = (p p0 + r r0) / (p0^2 + r0^2)

Derivation
    (1)  least squares in one unknown.

Conventions
    In this order: a target that has a name, at the right levels or at others; a multiple of the
    right one; for EDM's network, its denoiser; a formula of the level; one of them in float32, or
    but for NEAR of it; and numbers.

Sources
    Ours.
"""
from __future__ import annotations

from itertools import product

import numpy as np

from refsm.typing import Array
from refsm.verify.denoisers import KINDS, TARGETS, target_in_noise
from refsm.verify.diagnosis.edm_constants import denoiser
from refsm.verify.diagnosis.level_formulas import (Levels, Name, common, formula, other_levels,
                                                   within)
from refsm.verify.diagnosis.scaling import scaling_in_words
from refsm.verify.diagnosis.scaling_fit import fit_scaling

__all__ = ["SINGLE", "combinations", "level_in_words", "name_of_target"]

SINGLE = 2.0**-22          # a target that is off by less has constants of float32
SHOWN = 1e-3               # a coefficient that is known to no better than this is not left out
NEAR = 1e-3                # a target that is off by less is said to be nearly another
BUT = (f"but for less than {NEAR:g} of it: a small number in a denominator, or a small penalty on "
       "the output?")


def name_of_target(own: str, pr: Array, bound: Array, levels: Levels,
                   point: tuple[Array, Array]) -> Name:
    """The name of the target pr = (p, r) (2, C, l), each known within its bound, in the place of
    the own kind of target, where the output is read at the `point` (u, v), u x + v noise."""
    with np.errstate(all="ignore"):
        found = (_known(own, pr, bound, levels) or _of_point(own, pr, bound, levels, point)
                 or _multiple(own, pr, bound, levels)
                 or (denoiser(pr, bound, levels) if own == "edm" else None)
                 or formula(pr, bound, levels, point))
        for size, but in ((SINGLE, "to single precision"), (NEAR, BUT)) if found is None else ():
            wide = bound + size * np.abs(pr).max(axis=0)
            near = _known(own, pr, wide, levels) or formula(pr, wide, levels, point)
            if near is not None and (near.words or size == NEAR):
                return Name(f"{near.words or 'compared with the right target'}, {but}")
            if near is not None:
                return near
    return found or Name("compared with another combination of clean point and noise: "
                         f"{combinations(pr, bound, levels)}")


def _known(own: str, pr: Array, bound: Array, levels: Levels) -> Name | None:
    """A target that has a name."""
    alpha, sigma, data_sd = levels
    for (taken, a, s), kind in product(other_levels(alpha, sigma), TARGETS):
        for point in (levels[:2], (a, s)):         # x_noisy as it is, or as that level has it
            p, r = np.broadcast_arrays(*target_in_noise(kind, a, s, data_sd, point), alpha)[:2]
            target = f"the target of a predicted {KINDS.get(kind, kind)}{taken}"
            right = kind == own and not taken
            if within(pr, bound, p, r):
                return Name("" if right else f"compared with {target}")
            if within(pr, bound, -p, -r):
                return Name("the sign of the target" if right else f"compared with minus {target}")
    return None


def _of_point(own: str, pr: Array, bound: Array, levels: Levels,
              point: tuple[Array, Array]) -> Name | None:
    """The right target of the point where the output is read, or of its level."""
    right, data_sd = levels[:2], levels[2]
    for at, words in ((right, "and compared with the target of that point"),
                      (point, "the target is that of these levels")):
        if within(pr, bound, *target_in_noise(own, *at, data_sd, point)):
            return Name(words)
    return None


def _multiple(own: str, pr: Array, bound: Array, levels: Levels) -> Name | None:
    """A multiple of the right target."""
    alpha, sigma, data_sd = levels
    right = np.stack(np.broadcast_arrays(*target_in_noise(own, *levels), alpha)[:2])
    square = (right * right).sum(axis=0)
    m = (pr * right).sum(axis=0) / square                                     # (C, l)  (1)
    if not within(pr, bound, *(m * right)):
        return None
    error = bound.max(axis=0) / np.sqrt(square)
    sizes = [{"alpha": a, "sigma": s} for a, s in zip(alpha.flat, sigma.flat)]
    scaling = fit_scaling(m.ravel(), error.ravel(), sizes)
    if scaling is not None and not scaling.sums:
        return Name(f"the target is multiplied by {scaling_in_words(scaling)}")
    for words, total in (("alpha^2 + sigma^2", alpha**2 + sigma**2),
                         ("alpha + sigma", alpha + sigma)):
        if (np.abs(m - total) <= error).all():
            return Name(f"the target is multiplied by {words}")
    for words, power, more in (("sigma", 1, "(sigma + {:.2g})"),
                               ("sigma^2", 2, "(sigma^2 + {:.2g})"),
                               ("sigma", 2, "sqrt(sigma^2 + {:.2g})")) if (m > error).all() else ():
        root = 2 if more.startswith("sqrt") else 1
        small = common(sigma**power * (m**-root - 1.0), sigma**power * root * error / m**(root + 1))
        if small is not None and small > 0:
            other = more.format(small)
            return Name(f"{other if root == 2 else other[1:-1]} in place of {words} in the target"
                        if own == "score" else f"the target is multiplied by {words} / {other}")
    if scaling is None:
        return None
    return Name(f"the target is multiplied by {scaling_in_words(scaling)}")


def combinations(pr: Array, bound: Array, levels: Levels) -> str:
    """p x + r noise at each level, as one would write it."""
    alpha, sigma, _ = levels
    every: dict[tuple[float, float], Array] = {}
    differ = False
    for of_group in zip(sigma, alpha, *pr, *bound):
        for s, a, *numbers in zip(*of_group):
            first = every.setdefault((s, a), np.array(numbers))
            differ |= bool((np.abs(first - numbers)[:2] > (first + numbers)[2:]).any())
    shown = {(s, a): every[s, a] for s, a in zip(sigma[0], alpha[0])} if differ else every
    listed = ", ".join(f"{_combined(*shown[s, a])} at {level_in_words(a, s)}"
                       for s, a in sorted(shown))
    return f"{listed}{', and others in the other groups of cases' if differ else ''}"


def _combined(p: float, r: float, p_bound: float, r_bound: float) -> str:
    """p x + r noise, as one would write it."""
    parts = [f"{value:.4g} {name}"
             for value, small, name in ((p, p_bound, "x"), (r, r_bound, "noise"))
             if abs(value) > small or small > SHOWN]
    return " + ".join(parts).replace("+ -", "- ") or "0"


def level_in_words(alpha: float, sigma: float) -> str:
    """A level in words."""
    return f"{'' if alpha == 1 else f'alpha = {alpha:.4g}, '}sigma = {sigma:.4g}"
