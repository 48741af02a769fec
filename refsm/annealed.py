"""Annealed Langevin: chains that go from the noisiest level to the least noisy one.

Symbols
    n points, i dimensions (d), l levels (L), from most noise to least.
    models            L energies (or anything with a score), one for each level
    x        (n, d)   the chains, one per row
    step     (L,)     the step of each level, in the units of x squared
    sigma    (L,)     standard deviation of the noise of each level
    smallest number   the step at the last level
    steps    int      how many steps at each level

Equations
    (1)  for l = 0, ..., L - 1:  `steps` Langevin steps of size step_l along the score of model l
    (2)  step_l = smallest (sigma_l / sigma_(L-1))^2

Derivation
    (1)  each level starts where the one before has ended, at points of nearly the right density;
         at the noisy levels modes that are apart at the last one overlap.
    (2)  with a step proportional to sigma_l^2 the noise of a step is the same fraction of sigma_l
         at every level.  So is a bound on its drift: E |psi_l|^2 <= d / sigma_l^2, because the
         score is the conditional mean of targets with the mean square d / sigma_l^2.

Conventions
    A step is x + step psi + sqrt(2 step) xi, as in `refsm.sampling`.  Song & Ermon write
    x + (a / 2) psi + sqrt(a) xi with a_l = 2 step_l.  Nothing is rejected: each level keeps the
    bias of its step (statement 52).  The chains end at the least noisy level, not at the clean
    points: `refsm.tweedie` takes the last noise away.

Sources
    Song & Ermon, Generative modeling by estimating gradients of the data distribution, NeurIPS
    2019.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refsm import validation
from refsm.sampling import langevin
from refsm.typing import Array, ArrayLike

__all__ = ["annealed_langevin", "annealed_steps"]

Callback = Callable[[int, int, Array], Any]      # the level, how many of its steps are done, chains


def annealed_langevin(models: Sequence[Any], x: ArrayLike, step: ArrayLike, steps: int,
                      rng: np.random.Generator, *, callback: Callback | None = None) -> Array:
    """Where chains that start at x (n, d) are after some steps at each level, (n, d), equation (1).

    `models` one per level, from most noise to least, each with a score; `step` (L,), or one number
    for all levels; `callback(level, k, x)` after each step.  ValueError or TypeError for bad
    arguments; FloatingPointError where a chain leaves the finite numbers.  Source: Song & Ermon
    (2019).

    >>> from refsm.energies.gaussian import Gaussian
    >>> models = [Gaussian([2.0], [[1 / (1 + sigma**2)]]) for sigma in (3.0, 1.0)]
    >>> x = annealed_langevin(models, np.zeros((5000, 1)), annealed_steps([3.0, 1.0], 0.1), 40,
    ...                       np.random.default_rng(0))
    >>> round(float(x.mean()), 1), round(float(x.var()))       # N(2, 2), wider by the step's bias
    (2.0, 2)
    """
    if not isinstance(models, (list, tuple)):
        raise TypeError("models must be a list of energies, one per level, "
                        f"but it is of type {type(models).__name__}")
    if not models:
        raise ValueError("models must have an energy for each level, but there is none")
    L = len(models)
    sizes = np.full(L, step) if np.ndim(step) == 0 else step        # type: ignore[arg-type]
    sizes = validation.array(sizes, "step", (L,))
    for level, (model, size) in enumerate(zip(models, sizes.tolist())):
        each = None if callback is None else _at_level(callback, level)
        x = langevin(model, x, size, steps, rng, callback=each)          # (n, d)  (1)
    return np.asarray(x)


def annealed_steps(sigma: ArrayLike, smallest: float) -> Array:
    """Steps (L,) proportional to the variance of the noise, equation (2).

    >>> annealed_steps([4.0, 2.0, 1.0], smallest=0.1)
    array([1.6, 0.4, 0.1])
    """
    sigma = validation.array(sigma, "sigma", ("L",))
    if (sigma <= 0).any():
        raise ValueError(f"sigma must be > 0, but the smallest is {sigma.min()}")
    return validation.positive(smallest, "smallest") * (sigma / sigma[-1]) ** 2      # (L,)  (2)


def _at_level(callback: Callback, level: int) -> Callable[[int, Array], Any]:
    return lambda k, x: callback(level, k, x)
