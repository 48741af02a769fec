"""The orders at which Taylor remainders vanish: a second look at a gradient, and at a Hessian.

Symbols
    f            the function;  x where it is differentiated
    u            a Gaussian direction
    g            the claimed gradient
    H            the claimed Hessian
    t            steps
    r_1, r_2     Taylor remainders

Equations
    (1)  r_1(t) = f(x + t u) - f(x) - t g.u                        of order t^2
    (2)  r_2(t) = r_1(t) - t^2 u'H u / 2                           of order t^3
    (3)  order  = log( r(t) / r(t/4) ) / log 4

Derivation
    (1), (2)  Taylor's formula.  A wrong gradient leaves t (g' - g).u in (1): order 1.
    (3)       is taken at the smallest steps at which the remainder is above the noise of f.  One
              that never is (a linear f, a quadratic one with its Hessian) has no order; it is
              reported as infinite.
"""
from __future__ import annotations

import math
from typing import Any, Callable, NamedTuple

import numpy as np

from refsm import validation
from refsm.checks.differences import STEPS, noise_level
from refsm.checks.vectors import ParameterVector, numbers, on_vectors, source
from refsm.typing import Array, ArrayLike

__all__ = ["taylor_orders", "TaylorOrders"]

NOISY = 100           # a Taylor remainder counts where it is this many times the noise of f


class TaylorOrders(NamedTuple):
    """The orders of the Taylor remainders; infinite where they vanish.

    2 for a right gradient, 3 with a right Hessian.
    """

    gradient: float
    hessian: float | None


def taylor_orders(f: Callable[[Array], Any], gradient: Any, x: ArrayLike, hessian: Any = None, *,
                  rng: np.random.Generator | None = None,
                  scale: float | None = None) -> TaylorOrders:
    """The orders at which the remainders (1) and (2) vanish along a random direction.

    `gradient` and `hessian` are functions or arrays; the Hessian has the shape x.shape + x.shape.
    A right gradient gives 2 (more where the second derivative vanishes, infinity where f is
    linear), a wrong one 1; a right Hessian 3.

    >>> orders = taylor_orders(lambda x: np.exp(x).sum(), np.exp, np.array([0.1, 0.2, 0.3]),
    ...                        lambda x: np.diag(np.exp(x)))
    >>> round(orders.gradient, 1), round(orders.hessian, 1)
    (2.0, 3.0)
    """
    at = ParameterVector(numbers(x, "x"))
    vector, flat = at.vector, on_vectors(f, at, "a number")
    u = at.scales(scale)[0] * source(rng).standard_normal(vector.shape)
    g = at.ravel(gradient(at.x) if callable(gradient) else gradient, "gradient")
    here = flat(vector)
    sigma = noise_level(flat, vector, u, here)
    t = STEPS
    f_t = np.array([flat(vector + step * u)[0] for step in t])
    eps = np.finfo(here.dtype).eps
    noise = NOISY * np.maximum(sigma[0], eps * np.maximum(abs(f_t), abs(here[0])))
    with np.errstate(all="ignore"):
        r_1 = f_t - here[0] - t * (g @ u)                            # (16,)  (1)
    first = _order(r_1, noise)
    if hessian is None:
        return TaylorOrders(first, None)
    H = hessian(at.x) if callable(hessian) else hessian
    H = validation.array(H, "hessian", at.shapes[0] * 2).reshape(len(vector), len(vector))
    with np.errstate(all="ignore"):
        r_2 = r_1 - t**2 * (u @ H @ u) / 2                           # (16,)  (2)
    return TaylorOrders(first, _order(r_2, noise))


def _order(r: Array, noise: Array) -> float:
    """The order at the smallest steps at which the remainder stands above the noise."""
    seen = np.flatnonzero(np.isfinite(r) & (abs(r) > noise))
    pairs = seen[np.isin(seen - 1, seen)]
    if len(pairs) == 0:
        return math.inf
    k = pairs[-1]
    return float(np.log(abs(r[k - 1] / r[k])) / math.log(4))         # ()  (3)
