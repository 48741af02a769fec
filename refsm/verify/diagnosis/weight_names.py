"""The name of a weight, from what it is at each level.

Symbols
    C groups, l levels of a group.
    w            (C, l)   the weight
    factor       (C, 1)   a common factor of powers of d, n and data_sd
    u            (C, l)   w / factor
    f            function of the level, alpha and sigma, and of the deviation of the data, data_sd

Equations
    (1)  w = factor f(alpha, sigma, data_sd)                                 [definition]

Conventions
    f is, in this order: a row of `level_weights`; powers of alpha and sigma; a weight of
    `NAMED`, or a square or a root of a row, or a row at other levels; and numbers, by level, by
    group or by both.  `convention=` takes the identity of a row, or numbers.

Sources
    Yu et al., Debias the training of diffusion models, 2023; Esser et al., Scaling rectified flow
    transformers, ICML 2024 (cosmap); Abramson et al., AlphaFold 3, Nature 630 (2024).
"""
from __future__ import annotations

from itertools import product
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.diagnosis.level_formulas import (Levels, common, other_levels,
                                                   power_of_levels)
from refsm.verify.diagnosis.regression import column
from refsm.verify.diagnosis.scaling import ONE, Scaling, scaling_in_words
from refsm.verify.diagnosis.scaling_fit import fit_scaling
from refsm.verify.mistakes.level_weights import WEIGHTS

__all__ = ["Weight", "joined", "weight_of_groups", "weight_of_levels"]

# further weights, which are no rows: (words, w(alpha, sigma, data_sd))
NAMED: tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...] = (
    ("1 / cosh(log(snr) / 2)", lambda a, s, t: 2 / (a / s + s / a)),
    ("1 / (1 - 2 sigma + 2 sigma^2): SD3's cosmap", lambda a, s, t: 1 / (1 - 2 * s + 2 * s * s)),
    ("(sigma^2 + data_sd^2) / (sigma + data_sd)^2: EDM's weight as AlphaFold 3 prints it",
     lambda a, s, t: (s**2 + t**2) / (s + t)**2),
    ("(sigma^2 + data_sd^2) / (sigma data_sd): EDM's weight, not squared below",
     lambda a, s, t: (s**2 + t**2) / (s * t)),
    ("(sigma + data_sd) / (sigma data_sd)^2: EDM's weight, not squared above",
     lambda a, s, t: (s + t) / (s * t)**2),
    *((f"min(snr, {k}) / snr + 1: min-SNR with gamma = {k}, and 1 outside",
       lambda a, s, t, k=k: np.minimum(k * s**2 / a**2, 1) + 1) for k in (1, 5, 20)),
    *((f"min(snr + 1, {k}) / (snr + 1): min-SNR with gamma = {k}, of snr + 1",
       lambda a, s, t, k=k: np.minimum(k / (a**2 / s**2 + 1), 1)) for k in (5, 20)),
    *((f"max(snr, {k}){over}: min-SNR with the larger in place of the smaller",
       lambda a, s, t, k=k, of=of: np.maximum(a**2 / s**2, k) * of(s**2 / a**2))
      for k in (1, 5) for over, of in (("", lambda r: 1.0), (" / snr", lambda r: r),
                                       (" / (snr + 1)", lambda r: r / (1 + r)))),
    *((f"min(snr, {k}) / (min(snr, {k}) + 1): min-SNR with gamma = {k} on the velocity, snr "
       "clipped below too", lambda a, s, t, k=k: 1 / (1 + np.maximum(s**2 / a**2, 1 / k)))
      for k in (1, 5, 20)),
    *((f"min(1 / sigma, {k}), clipped as min-SNR is",
       lambda a, s, t, k=k: np.minimum(1 / s, k)) for k in (1, 5, 20)))
PLAIN = {"d", "n", "data_sd"}                      # sizes of which a common factor has powers
OF_ROWS = (("the square of ", 2.0), ("the square root of ", 0.5), ("the reciprocal of ", -1.0))
SAME = 1e-4                # relative: two coefficients of float32 answers that are one
FACTORS = sorted((Scaling(1.0, tuple(filter(None, powers))) for powers in product(
    *((None, (name, -1.0), (name, 1.0)) for name in "dnM"))), key=lambda s: s.complexity)
C_OUT_SQUARED = next(f for name, _, f in WEIGHTS if name == "c-out")      # of EDM's denoiser


class Weight(NamedTuple):
    """A weight in words and as `convention=` takes it, "" for none; its common factor; and by what
    its numbers are listed: "level", "group", "group and level", or "" where it has a name."""

    words: str
    declared: str
    factor: Scaling
    listed: str = ""


def weight_of_levels(w: Array, error: Array, levels: Levels,
                     groups: Sequence[Case]) -> Weight | None:
    """The weight w (C, l), each known within its error; None where one level alone has no name."""
    sizes = [{name: float(size) for name, size in case.sizes.items() if name in PLAIN}
             for case in groups]
    each = [size for size in sizes for _ in range(w.shape[1])]
    known = [("", "", np.ones(w.shape)),
             *((f"each level is weighted by {words}", f"weight.{name}",
                f(*levels)) for name, words, f in WEIGHTS)]                  # type: ignore
    for words, id, of in known:
        factor = _factor(w, error, of, sizes)
        if factor is not None:
            return Weight(words, id, factor)
    ways = [("each level is weighted by", np.ones(w.shape))]
    if all("data_sd" in size for size in sizes):
        ways.insert(0, ("the squared error of the denoiser is weighted by",
                        C_OUT_SQUARED(*levels)))                             # type: ignore
    for words, v in ways:
        named = _of_levels(w / v, error / v, levels, each, sizes)
        if named is not None:
            said, factor = named
            return Weight(f"{words} {said}", _by_level(w, error, factor, levels, groups)
                          or _by_group_and_level(w, factor, levels, groups), factor)
    for factor in (ONE, Scaling(1.0, (("d", -1.0),)), Scaling(1.0, (("n", 1.0),))):
        listed = _by_level(w, error, factor, levels, groups)
        if listed:
            return Weight(listed, listed, factor, "level")
    if w.shape[1] == 1:
        return None
    for words, id, of in known:
        u = [common(*own) for own in zip(w / of, error / of)]
        if None not in u:
            by_group = _listed(zip((case.group for case in groups), u))
            return Weight(joined(words, by_group), joined(id, by_group), ONE, "group")
    listed = _by_group_and_level(w, ONE, levels, groups)
    return Weight(listed, listed, ONE, "group and level")


def weight_of_groups(w: Array, groups: Sequence[Case]) -> Weight | None:
    """The weight w (C,) of all terms of a group: a row of `level_weights` at alpha = 1, by itself
    or times sigma^2 or sigma^4, or numbers by sigma, each with a factor of d, n and M; or numbers
    by group.  None where it is not positive."""
    if not (w > 0).all():
        return None
    sizes = [case.sizes for case in groups]
    sigma = np.array([[size.get("sigma")] for size in sizes], float)          # (C, 1)
    one, u = np.ones(sigma.shape), w[:, None]
    for factor in FACTORS if len(np.unique(sigma)) > 1 else ():
        if all(name in size for size in sizes for name, _ in factor.powers):
            listed = _by_level(u, SAME / 2 * u, factor, (one, sigma, one), groups)
            if listed:
                words = _of_sigma(u / column(factor, sizes), sigma)
                return Weight(words or listed, listed, factor, "" if words else "level")
    listed = _listed(zip((case.group for case in groups), w))
    return Weight(listed, listed, ONE, "group")


def _of_sigma(u: Array, sigma: Array) -> str:
    """The row without data_sd that u (C, 1) is a multiple of, in words; "" where there is none."""
    for front, power in (("", 0), ("sigma^2 times ", 2), ("sigma^4 times ", 4)):
        for _, words, f in WEIGHTS:
            of = u / sigma**power / f(np.ones(sigma.shape), sigma, np.nan)    # type: ignore
            if np.isclose(of.min(), of.max(), SAME, 0):
                short = float(f"{of.mean():.2g}")
                multiple = short if np.allclose(of, short, SAME, 0) else of.mean()
                return f"{'' if multiple == 1 else f'{multiple:g} times '}{front}{words}"
    return ""


def _of_levels(w: Array, error: Array, levels: Levels, each: list[dict[str, float]],
               sizes: list[dict[str, float]]) -> tuple[str, Scaling] | None:
    """Powers of alpha and sigma, or a weight that is no row, in words; and its common factor."""
    powers = power_of_levels(w, error, *levels[:2], each)
    if powers is not None:
        of_level = Scaling(1.0, tuple(p for p in powers.powers if p[0] in ("alpha", "sigma")))
        return scaling_in_words(of_level), powers * of_level.inverse()
    with np.errstate(all="ignore"):
        for words, of in _further(levels):
            factor = _factor(w, error, of, sizes)
            if factor is not None:
                return words, factor
    return None


def _further(levels: Levels) -> Iterator[tuple[str, Array]]:
    """Weights that are no rows, in words."""
    yield from ((words, f(*levels)) for words, f in NAMED)
    for front, power in OF_ROWS:
        for _, words, f in WEIGHTS:
            said = f"{front}{words.partition(':')[0]}"
            yield (said.removeprefix("the reciprocal of 1 / "), f(*levels)**power)    # type: ignore
    for taken, a, s in other_levels(*levels[:2]):
        for _, words, f in WEIGHTS if taken else ():
            yield f"{words}{taken}", f(a, s, levels[2])                      # type: ignore


def _factor(w: Array, error: Array, of: Array, sizes: list[dict[str, float]]) -> Scaling | None:
    """The factor of (1), if the weight is `of` times a common factor."""
    u, off = np.broadcast_arrays(w / of, error / of)
    low, high = (u - off).max(axis=1), (u + off).min(axis=1)                  # (C,) each
    return fit_scaling((low + high) / 2, (high - low) / 2, sizes) if (low <= high).all() else None


def _by_level(w: Array, error: Array, factor: Scaling, levels: Levels,
              groups: Sequence[Case]) -> str:
    """A number for each level, the same in all groups; "" where there is none."""
    alpha, sigma, _ = levels
    times = column(factor, [case.sizes for case in groups])
    places = {(s, a): (sigma == s) & (alpha == a) for s, a in zip(sigma.flat, alpha.flat)}
    u = [common((w / times)[here], (error / times)[here]) for here in places.values()]
    if len(u) == w.size or None in u:
        return ""
    return _listed(sorted((s, a, number) for (s, a), number in zip(places, u)))


def _by_group_and_level(w: Array, factor: Scaling, levels: Levels,
                        groups: Sequence[Case]) -> str:
    """A number for each level of each group."""
    u = w / column(factor, [case.sizes for case in groups])
    return _listed((f"{case.group}/{s:g}", number) for case, *of in zip(groups, levels[1], u)
                   for s, number in zip(*of))


def _listed(weights: Iterable[tuple]) -> str:
    """A weight for each level (sigma, alpha, w) or group (name, w), as `convention=` takes it."""
    return "weight " + ", ".join(f"w({of if isinstance(of, str) else f'{of:g}'}) = {w:.6g}"
                                 for of, *_, w in weights)


def joined(*pieces: str) -> str:
    """The pieces that are there, as one line."""
    return "; ".join(filter(None, pieces))
