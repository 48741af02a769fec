"""Steps along the score: with noise they sample (Langevin), without it they climb the density.

Symbols
    n points, i dimensions (d).
    x          (n, d)   the chains, one per row
    psi        (n, d)   the model's score at x, grad log p
    step       number   the step, in the units of x squared
    steps      number   how many
    rng                 numpy.random.Generator
    xi         (n, d)   standard normal noise, drawn anew at each step
    p          number   the precision of a Gaussian

Equations
    (1)  x <- x + step psi(x) + sqrt(2 step) xi
    (2)  x <- x + step psi(x)
    (3)  for a Gaussian of precision p the stationary variance of (1) is
         1 / ( p (1 - step p / 2) ), for step < 2 / p                                [statement 52]

Derivation
    (1)  one Euler-Maruyama step for dX = grad log p(X) dt + sqrt(2) dB with dt = step.  The density
         rho of X obeys the Fokker-Planck equation
         d rho / dt = -div( rho grad log p ) + div grad rho,
         which is 0 at rho = p because p grad log p = grad p.
    -> (3)  psi = -p x, so x <- (1 - step p) x + sqrt(2 step) xi, whose variance is
            V <- (1 - step p)^2 V + 2 step.  Fixed point:
            V = 2 step / ( 1 - (1 - step p)^2 ) = 2 step / ( 2 step p - step^2 p^2 )
              = 1 / ( p (1 - step p / 2) ).
            It attracts if |1 - step p| < 1.  The variance is that of p times
            1 / (1 - step p / 2), which no number of steps removes.

Conventions
    The factor of the drift is half the square of that of the noise.  Two forms are common and
    equal,
        x + step psi + sqrt(2 step) xi             this one,
        x + (step / 2) psi + sqrt(step) xi         its step is twice ours (Welling & Teh; Song &
                                                   Ermon write alpha / 2).
    Code that mixes them samples another density, in the limit of small steps: step psi with
    sqrt(step) xi samples p^2 / Z (for a Gaussian half the variance), (step / 2) psi with
    sqrt(2 step) xi samples p^(1/2) / Z.  Drift and noise scaled independently sample p^(1 / T) / Z
    for some temperature T.  psi is -grad E: with +grad E the chain climbs the energy.
    Unadjusted: nothing is rejected, hence the bias (3).

Sources
    Roberts & Tweedie, Exponential convergence of Langevin distributions and their discrete
    approximations, Bernoulli 2 (1996).
    Welling & Teh, Bayesian learning via stochastic gradient Langevin dynamics, ICML 2011.
    Alain & Bengio, What regularized auto-encoders learn from the data-generating distribution,
    JMLR 15 (2014), for (2).
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from refsm import validation
from refsm.typing import Array, ArrayLike

__all__ = ["ascend_score", "langevin"]

Callback = Callable[[int, Array], Any]      # how many steps are done, and where the chains are


def langevin(model: Any, x: ArrayLike, step: float, steps: int, rng: np.random.Generator, *,
             callback: Callback | None = None) -> Array:
    """Where unadjusted Langevin chains that start at x (n, d) are after some steps, equation (1).

    `model` has a score; step > 0.  `callback(k, x)` is called after step k = 1, ..., steps with an
    array that nothing changes later: append it to a list to keep the path.  ValueError or TypeError
    for bad arguments; FloatingPointError where a chain leaves the finite numbers.
    Source: Roberts & Tweedie (1996).

    By (3) the variance is 1/4 / (1 - 0.2):

    >>> from refsm.energies.gaussian import Gaussian
    >>> rng = np.random.default_rng(0)
    >>> x = langevin(Gaussian([5.0], [[4.0]]), np.zeros((10000, 1)), step=0.1, steps=50, rng=rng)
    >>> round(float(x.mean()), 1), round(float(x.var()), 1)
    (5.0, 0.3)
    """
    validation.generator(rng)
    scale = math.sqrt(2 * validation.positive(step, "step"))
    return _steps(model, x, step, steps, lambda x: scale * rng.standard_normal(x.shape), callback)


def ascend_score(model: Any, x: ArrayLike, step: float, steps: int, *,
                 callback: Callback | None = None) -> Array:
    """Where points x (n, d) are after some steps along the score without noise, equation (2).

    Arguments and errors as in `langevin`.  With the score of data smoothed by noise of standard
    deviation sigma, one step of size sigma^2 is Tweedie's denoiser.

    Each step halves the distance to the mean:

    >>> from refsm.energies.gaussian import Gaussian
    >>> ascend_score(Gaussian([5.0], [[4.0]]), [[1.0]], step=0.125, steps=2)
    array([[4.]])
    """
    return _steps(model, x, step, steps, lambda x: 0.0, callback)


def _steps(model: Any, start: ArrayLike, step: float, steps: int, noise: Callable[[Array], Any],
           callback: Callback | None) -> Array:
    if not hasattr(model, "score"):
        raise TypeError(f"model must have a score, but it is of type {type(model).__name__}")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function, but it is of type {type(callback).__name__}")
    x = validation.points(start)
    step, steps = validation.positive(step, "step"), validation.count(steps, "steps")
    for k in range(1, steps + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            psi = model.score(x)
            x = x + step * psi + noise(x)                                  # (n, d)  (1) (2)
        if not validation.all_finite(x):
            raise FloatingPointError(f"the chains left the finite numbers at step {k} of {steps}; "
                                     f"with a smaller step than {step} they may not")
        if callback is not None:
            callback(k, x)
    return x
