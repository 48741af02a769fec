"""The derivative of a function along a direction by differences, with what it can be off by.

Symbols
    f              a function of a vector, with M outputs
    x    (N,)      where it is differentiated
    u    (N,)      a direction, as long as x is large: t = 1 moves x by about its own size
    t    (16,)     steps 1, 1/4, 1/16, ..., 4^-15
    D    (16, M)   central differences
    R    (15, M)   their Richardson extrapolations
    sigma (M,)     noise of f: the standard deviation of its rounding errors
    noise (15, M)  what that noise can do to R
    error (14, M)  what R can be off by

Equations
    (1)  D_k     = ( f(x + t_k u) - f(x - t_k u) ) / (2 t_k)
    (2)  R_k     = ( 16 D_{k+1} - D_k ) / 15
    (3)  sigma^2 = mean over i of (Delta^j f)_i^2 (j!)^2 / (2j)!,  the largest of j = 4, 5, 6
    (4)  noise_k = 30 sigma / t_k
    (5)  error_k = |R_k - R_{k+1}| + noise_{k+1}
                   + max over j > k of ( |R_k - R_j| - noise_j ), where that is positive
    (6)  error_k >= (sigma / |f|)^(4/5) slope_k,
         slope_k = |f(x +- t_k u) - f(x)| / t_k, or |f| where that is 0
    (7)  sigma >= half a unit in the last place of f, and of x times the slope

Derivation
    (1) -> (2)  D(t) = f'u + a t^2 + b t^4 + ...; in 16 D(t/4) - D(t) the t^2 cancels.
    (3)         In a table of differences of a smooth function at points a tiny step apart the rows
                die out; those of independent errors of variance sigma^2 grow, by the sum of the
                squared binomials: var Delta^j = sigma^2 (2j)! / (j!)^2.
    (2) -> (4)  16/15 D(t/4) has the standard deviation 16/15 sigma sqrt(2) / (2 t / 4)
                = 3 sigma / t: ten of these, because (3) is itself an estimate from few values.
    (5)         R_k is off by no more than its distance to R_{k+1} and what that is off by, which is
                noise when truncation still shows in R_k.  The last term guards against a false
                plateau: far outside a narrow kernel all differences agree on a wrong value, but
                smaller steps, as long as they are not lost in noise, disagree.
    (6)         The best step of a method of order 4 leaves an error of sigma^(4/5).  Where
                truncation happens to vanish (quadratic functions) (5) promises more digits than f
                has in general; by (6) single precision is never good for 1e-6.
    (7)         Equal steps may by chance be rounded alike; then a table is quieter than f is
                elsewhere.

Sources
    Hamming, Introduction to Applied Numerical Analysis (1971), on difference tables; More & Wild,
    Estimating computational noise, SIAM J. Sci. Comput. 33 (2011): (3).
"""
from __future__ import annotations

import math
from typing import Callable, NamedTuple

import numpy as np

from refsm.typing import Array

__all__ = ["Function", "Measured", "differences", "noise_level", "norm"]

Function = Callable[[Array], Array]      # a vector (N,) -> a vector (M,), NaN where f refuses

STEPS = 4.0 ** -np.arange(16)
SAFETY = 30                                                     # in (4)
TABLE_STEPS = 4.0 ** np.array([-20, -16, -12, -8, -4])   # a larger one where values are all equal
TABLE_POINTS = 9


class Measured(NamedTuple):
    """The derivative of each of M outputs along a direction, and what is known of it: all (M,)."""

    value: Array
    error: Array        # what the value can be off by
    slope: Array        # how steeply f changes there, one-sided: a value of 0 is compared with it
    size: Array         # |f| at that step
    step: Array         # the step t that was best


def differences(f: Function, x: Array, u: Array) -> Measured:
    """The derivative of f at x along u: at the best step.  ValueError where no step is finite.

    >>> f = lambda x: np.array([x @ x])
    >>> float(differences(f, np.array([1.0, 2.0]), np.array([0.0, 1.0])).value[0])
    4.0
    """
    with np.errstate(all="ignore"):                          # beyond the domain, values are NaN
        best = _best(f, x, u)
    if not np.isfinite(best.error).all():
        raise ValueError("f must be finite in a neighbourhood of x, "
                         "but it is not at any step that was tried")
    return best


def _best(f: Function, x: Array, u: Array) -> Measured:
    t = STEPS[:, None]
    here = f(x)
    up = np.stack([f(x + step * u) for step in STEPS])                       # (16, M)
    down = np.stack([f(x - step * u) for step in STEPS])                     # (16, M)
    sigma = noise_level(f, x, u, here)
    eps = _resolution(np.concatenate([up, down]))
    size = np.maximum(abs(up), abs(down))                                    # (16, M)
    D = (up - down) / (2 * t)                                                # (16, M)  (1)
    R = (16 * D[1:] - D[:-1]) / 15                                           # (15, M)  (2)
    slope = np.maximum(abs(up - here), abs(down - here)) / t                 # (16, M)
    moved = u != 0
    shift = max(eps, np.finfo(x.dtype).eps) / 2 * norm(x[moved]) / norm(u[moved])
    least = np.maximum(eps / 2 * size, shift * slope)[1:]                    # (15, M)
    sigma = np.maximum(sigma, least)                                         # (15, M)  (7)
    noise = SAFETY * sigma / t[:-1]                                          # (15, M)  (4)
    error = _errors(R, noise)                                                # (14, M)  (5)
    relative = sigma / np.where(size[1:] > 0, size[1:], 1)
    order_4 = relative ** 0.8 * np.where(slope > 0, slope, size)[:-1]
    error = np.maximum(error, order_4[:-1])                                  # (14, M)  (6)
    error = np.where(np.isfinite(error), error, np.inf)
    k = error.argmin(axis=0)
    best = k, np.arange(len(k))
    return Measured(R[best], error[best], slope[best], size[best], STEPS[k])


def noise_level(f: Function, x: Array, u: Array, here: Array) -> Array:
    """The noise of f near x, sigma (M,), from its values at points a tiny step apart."""
    sigma, quiet = np.zeros(len(here)), np.ones(len(here), dtype=bool)
    for step in TABLE_STEPS:
        values = np.stack([here] + [f(x + i * step * u) for i in range(1, TABLE_POINTS)])
        ties = (np.diff(values, axis=0) == 0).sum(axis=0)
        level = np.max([_row_level(values, j) for j in (4, 5, 6)], axis=0)
        sigma = np.where(quiet, level, sigma)
        quiet = quiet & (ties > TABLE_POINTS // 2)
        if not quiet.any():
            break
    return sigma                                                             # (M,)


def _row_level(values: Array, j: int) -> Array:
    row = np.diff(values, n=j, axis=0)
    return np.sqrt((row * row).mean(axis=0) / math.comb(2 * j, j))           # (M,)  (3)


def _errors(R: Array, noise: Array) -> Array:
    """What each but the last of the extrapolations can be off by, equation (5)."""
    error = abs(np.diff(R, axis=0)) + noise[1:]
    for k in range(len(error)):
        beyond = abs(R[k] - R[k + 1:]) - noise[k + 1:]
        error[k] += np.maximum(beyond.max(axis=0), 0)
    return error                                                             # (14, M)  (5)


def _resolution(values: Array) -> float:
    """The relative spacing of the values of f: single precision shows also in float64."""
    moving = values[:, (values != values[0]).any(axis=0)]
    with np.errstate(over="ignore"):
        single = bool(moving.size) and (moving == moving.astype(np.float32)).all()
    return float(max(np.finfo(values.dtype).eps, np.finfo(np.float32).eps if single else 0))


def norm(a: Array) -> float:
    """|a| over all entries, without overflow or underflow."""
    return float(np.hypot.reduce(np.ravel(a), initial=0.0))
