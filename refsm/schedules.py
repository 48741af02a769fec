"""Noise schedules: the corruptions of a diffusion, indexed by level, from least noise to most.

Symbols
    levels      int      how many levels (L), at least 2 except in (4);  l = 0, ..., L - 1
    t           (L,)     time of each level, in (0, 1]
    alpha       (L,)     what a clean point is scaled by
    sigma       (L,)     standard deviation of the noise
    sigma_min, sigma_max, beta_min, beta_max, rho   numbers   constants of a schedule

Equations
    (1)  variance exploding:   alpha = 1,  sigma_l = sigma_min (sigma_max / sigma_min)^(l / (L - 1))
    (2)  variance preserving:  alpha = exp(-b(t) / 2),  sigma = sqrt(1 - exp(-b(t)))
    (3)  b(t) = beta_min t + (beta_max - beta_min) t^2 / 2,  t = (l + 1) / L
    (4)  linear flow:          alpha = 1 - t,  sigma = t,  0 < t < 1
    (5)  EDM:  alpha = 1,  sigma_l^(1/rho) from sigma_min^(1/rho) to sigma_max^(1/rho), evenly

Derivation
    (1)          levels of a constant ratio.
    (3) -> (2)   dx = -(beta / 2) x dt + sqrt(beta) dB with
                 beta(t) = beta_min + (beta_max - beta_min) t and b its integral:
                 E[x | x_0] = exp(-b / 2) x_0, and the variance v has v' = -beta v + beta,
                 v(0) = 0, so v = 1 - exp(-b): alpha^2 + sigma^2 = 1.
    (4)          x_noisy = (1 - t) x + t eps: the straight line from a point to its noise.

Conventions
    Level 0 has the least noise.  Song & Ermon (2019) count the other way, and so do Lipman et al.
    (2023) with t and Karras et al. (2022).  Up to the scaling x_noisy / alpha, the schedules differ
    only in the values of sigma / alpha that they have; so a model of the clean points gives every
    level of each (`model.corrupted`).  At t = 1 of the linear flow alpha is 0, and the noisy point
    is noise alone.

Sources
    Song et al., Score-based generative modeling through stochastic differential equations, ICLR
    2021: (1), (2), (3), with beta from 0.1 to 20.  Lipman et al., Flow matching, ICLR 2023: (4).
    Karras et al., Elucidating the design space of diffusion-based generative models, NeurIPS 2022:
    (5), with rho = 7.
"""
from __future__ import annotations

import numpy as np

from refsm import validation
from refsm.corruption import GaussianCorruption, ScaledCorruption
from refsm.typing import ArrayLike

__all__ = ["edm", "linear_flow", "variance_exploding", "variance_preserving"]


def variance_exploding(sigma_min: float, sigma_max: float, levels: int
                       ) -> tuple[GaussianCorruption, ...]:
    """Levels x + sigma_l eps whose sigma_l have a constant ratio, equation (1).

    0 < sigma_min < sigma_max in the units of x, levels >= 2; ValueError otherwise.

    >>> [round(level.sigma, 12) for level in variance_exploding(0.5, 8.0, 3)]
    [0.5, 2.0, 8.0]
    """
    low, high, L = _range(sigma_min, sigma_max, "sigma", levels)
    sigma = low * (high / low) ** (np.arange(L) / (L - 1))               # (L,)  (1)
    return tuple(GaussianCorruption(s) for s in sigma.tolist())


def variance_preserving(levels: int, beta_min: float = 0.1, beta_max: float = 20.0
                        ) -> tuple[ScaledCorruption, ...]:
    """Levels alpha_l x + sigma_l eps with alpha_l^2 + sigma_l^2 = 1, equations (2) and (3).

    0 < beta_min < beta_max, numbers without units.  For data of standard deviation 1.

    >>> first, *_, last = variance_preserving(1000)
    >>> round(first.alpha, 6), round(last.alpha, 6)
    (0.999945, 0.006572)
    """
    low, high, L = _range(beta_min, beta_max, "beta", levels)
    t = np.arange(1, L + 1) / L
    b = low * t + (high - low) * t**2 / 2                                # (L,)  (3)
    alpha, sigma = np.exp(-b / 2), np.sqrt(-np.expm1(-b))                # (L,)  (2)
    return tuple(map(ScaledCorruption, alpha.tolist(), sigma.tolist()))


def linear_flow(t: ArrayLike) -> tuple[ScaledCorruption, ...]:
    """Levels (1 - t) x + t eps for times 0 < t < 1, equation (4); exact for exact rationals.

    >>> linear_flow([0.25])
    (ScaledCorruption(alpha=0.75, sigma=0.25),)
    """
    t = validation.array(t, "t", ("L",))
    if not all(0 < time < 1 for time in t):
        raise ValueError(f"t must be between 0 and 1, both excluded, but it is {t.tolist()}")
    return tuple(ScaledCorruption(1 - time, time) for time in t.tolist())        # (4)


def edm(sigma_min: float = 0.002, sigma_max: float = 80.0, levels: int = 18, rho: float = 7.0
        ) -> tuple[GaussianCorruption, ...]:
    """Levels x + sigma_l eps, dense where sigma is small, equation (5).

    0 < sigma_min < sigma_max in the units of x, levels >= 2, rho > 0.

    >>> [round(level.sigma, 12) for level in edm(1.0, 9.0, 3, rho=2.0)]      # square roots 1, 2, 3
    [1.0, 4.0, 9.0]
    """
    low, high, L = _range(sigma_min, sigma_max, "sigma", levels)
    rho = validation.positive(rho, "rho")
    sigma = np.linspace(low**(1 / rho), high**(1 / rho), L) ** rho       # (L,)  (5)
    return tuple(GaussianCorruption(s) for s in sigma.tolist())


def _range(low: float, high: float, name: str, levels: int) -> tuple[float, float, int]:
    """The ends and the number of levels, checked."""
    low, high = validation.positive(low, f"{name}_min"), validation.positive(high, f"{name}_max")
    if not low < high:
        raise ValueError(f"{name}_max must exceed {name}_min, but they are {high} and {low}")
    if validation.count(levels, "levels") < 2:
        raise ValueError("levels must be at least 2, but it is 1")
    return float(low), float(high), int(levels)
