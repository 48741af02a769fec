"""The noise levels of the cases: one level, one for each point, or several at once.

In the family prime, alpha and sigma of a level are independent of each other, so that one in place
of the other is seen.  On a schedule they are not: variance preserving (vp) and exploding (ve), of
less variance (subvp, Song et al. 2021), or on the straight line from a point to its noise (flow).
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from refsm.typing import Array
from refsm.verify.description import Description

__all__ = ["COMPUTED", "SCHEDULES", "at_levels", "levels_of_family", "paper_levels"]

# (alpha, sigma): from little noise to mostly noise; a case of several levels has the first L
LEVELS = np.array([(252, 16), (204, 156), (80, 332), (240, 64), (140, 220)]) / 256
ALPHAS = np.array([240, 176, 80, 208, 128]) / 256        # of the levels on a schedule
CLEAN = np.array([255, 176, 80, 208, 128]) / 256         # of vp: an snr above the usual limits
OF_POINTS = (0, 1, 2, 1, 0, 2, 2, 0, 1, 2, 1, 0, 0)      # which of the first three a point has
Schedule = Callable[[Any, Any], tuple[Any, Any]]         # of alpha and sigma
COMPUTED: dict[str, Schedule] = {                        # one of them computed from the other
    "sqrt(1 - alpha^2) for sigma": lambda a, s: (a, np.sqrt(1 - a**2)),
    "1 - sigma for alpha": lambda a, s: (1 - s, s), "1 - alpha for sigma": lambda a, s: (a, 1 - a)}
SCHEDULES: dict[str, tuple[str, Schedule]] = {
    "vp": ("alpha^2 + sigma^2 = 1", COMPUTED["sqrt(1 - alpha^2) for sigma"]),
    "flow": ("alpha + sigma = 1", COMPUTED["1 - alpha for sigma"]),
    "ve": ("alpha = 1", lambda a, s: (0 * a + 1, s)),
    "subvp": ("alpha^2 + sigma = 1", lambda a, s: (a, 1 - a**2))}


def levels_of_family(family: str, alpha: Array | None = None, otherwise: Array = LEVELS) -> Array:
    """(alpha, sigma) of each level, (L, 2): these alpha on the schedule of the family, if it has
    one."""
    if family not in SCHEDULES:
        return otherwise
    if alpha is None:
        alpha = CLEAN if family == "vp" else ALPHAS
    return np.stack(SCHEDULES[family][1](alpha, otherwise[:, 1]), axis=1)


def at_levels(about: Description, x: Array, noise: Array, group: Any, levels: Array,
              rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, float]]:
    """The arrays and hyper-parameters of points (n, d) with noise (n, d), or (L, n, d) at several
    levels."""
    if about.levels == "scaled":
        x_noisy = group.alpha * x + group.sigma * noise
        return ({"x": x, "noise": noise, "x_noisy": x_noisy},
                {"sigma": group.sigma, "alpha": group.alpha})
    several = about.levels == "several"
    alpha, sigma = levels[list(range(len(noise)) if several else OF_POINTS[:len(x)])].T
    if about.predicts == "edm":
        data_sd = 0.5 if group.M == 11 else 0.75
        return _noisy(about, x, noise, np.ones(len(x)), sigma), {"data_sd": data_sd}
    arrays = _noisy(about, x, noise, alpha, sigma)
    if not several:
        return arrays, {}
    level_weights = (64 + np.floor(rng.random(group.L) * 320)) / 256
    return {**arrays, "level_weights": level_weights}, {"L": group.L}


def paper_levels(about: Description, x: Array,
                 noise: Array) -> tuple[dict[str, Array], dict[str, float]]:
    """Dyadic levels: one, one for each point, or two at once."""
    if about.levels == "scaled":
        return {"x": x, "noise": noise, "x_noisy": x / 2 + noise / 4}, {"alpha": 0.5, "sigma": 0.25}
    alpha, sigma = np.array([[0.5, 1.0, 0.25, 0.5], [0.5, 0.25, 1.0, 0.25]])
    if about.levels == "several":
        arrays = _noisy(about, x, np.array([noise, 2 * noise[::-1]]), alpha[:2], sigma[:2])
        return {**arrays, "level_weights": np.array([0.25, 2.0])}, {}
    if about.predicts == "edm":                # sqrt(sigma^2 + data_sd^2) is 1.25 and 0.9375
        sigma = np.array([1.0, 0.5625, 1.0, 0.5625])
        return _noisy(about, x, noise, np.ones(4), sigma), {"data_sd": 0.75}
    return _noisy(about, x, noise, alpha, sigma), {}


def _noisy(about: Description, x: Array, noise: Array, alpha: Array,
           sigma: Array) -> dict[str, Array]:
    """Points at a level for each point, or at each of several levels."""
    shape = (len(alpha), *(1,) * (noise.ndim - 1))
    x_noisy = alpha.reshape(shape) * x + sigma.reshape(shape) * noise
    given = {"alpha": alpha} if "alpha" in about.given else {}
    return {"x": x, "noise": noise, "x_noisy": x_noisy, **given, "sigma": sigma}
