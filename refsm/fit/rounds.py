"""The search of a fit: a method of scipy.optimize in scaled parameters, in rounds.

Symbols
    J                an objective;  theta (N,) the parameters, as one vector
    g      (N,)      its gradient
    D      (N,)      scales of the parameters;  size, h numbers: `refsm.fit.scaling`
    s      (N,)      units of the parameters;  unit (number) that of the value
    f                what SciPy minimises, a function of phi (N,), with its gradient

Equations
    (1)  theta = s phi,   s = size D
    (2)  f = J / unit,    with the gradient s g / unit
    (3)  unit = h size^2

Derivation
    A change of phi by 1 moves the model's score by about its own length, and f has a mean
    curvature of about 1: a tolerance of SciPy's means about the same for every energy and in all
    units, and the gradient of f has about the length of the scaled gradient.  About, because s and
    unit are rounded down to powers of 2, so that (1) and (2) are exact.

Method
    Beyond the parameters that the energy takes a method meets a barrier (`refsm.fit.barrier`).
    L-BFGS-B runs in rounds of ROUND iterations; the scales are measured anew after each, because
    they change with theta (that of a mean is 1 / precision).  After a round that gains little the
    leaves take a Newton step each, one after the other, which goes on as long as these gain more.
    Other methods, and L-BFGS-B with tolerances of the user's, run once.
"""
from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
from scipy import optimize

from refsm.fit.newton import leaf_by_leaf
from refsm.fit.scaling import power_of_2
from refsm.fit.state import LEVEL, FitState
from refsm.fit.unbounded import endless
from refsm.typing import Array

__all__ = ["search"]

ROUND = 200              # iterations of L-BFGS-B between two measurements of the scales
MAXITER = 15000          # of L-BFGS-B, in all rounds
LITTLE = 1e-5            # the fall in a round, relative to the value, after which leaves are tried
LIMITS = {"maxiter", "maxfun", "maxfev"}
L_BFGS_B = {"ftol": 0.0, "maxcor": 20, "maxls": 40}
LIMIT = re.compile(r"limit|maximum|max\. number|exceed", re.IGNORECASE)


class _Reached(Exception):
    """The scaled gradient is at most the tolerance."""


def search(fit: FitState, method: str, options: dict[str, Any], tol: float) -> str:
    """Run the method; in words, the limit that ended it or the fall without end, or nothing."""
    rounds = method == "L-BFGS-B" and not {"ftol", "gtol", "maxfun"} & set(options)
    options = {**L_BFGS_B, **options} if method == "L-BFGS-B" else options
    left, pays = options.get("maxiter", MAXITER), rounds
    while True:
        k, value = fit.record.length, fit.here.value
        said = _run(fit, method, {**options, "maxiter": min(left, ROUND)} if rounds else options,
                    tol)
        fit.rescale()
        left = left - (fit.record.length - k)
        found = endless(fit, edges=False)
        if found or fit.size() <= tol:
            return found
        if not rounds or left <= 0:
            return said if LIMIT.search(said) and LIMITS & set(options) else ""
        fall = value - fit.here.value
        if fall <= LEVEL * abs(value):
            return ""
        if pays and fall <= LITTLE * abs(value):
            pays = leaf_by_leaf(fit) > fall
            if fit.size() <= tol:
                return ""


def _run(fit: FitState, method: str, options: dict[str, Any], tol: float) -> str:
    """One run of SciPy's; what it says."""
    s = power_of_2(fit.scaling.size * fit.scaling.D)                                # (N,)  (1)
    unit = power_of_2(fit.scaling.h * fit.scaling.size ** 2)                        # ()  (3)

    def f(phi: Array) -> tuple[float, Array]:
        value, g = fit.barrier(s * phi)                                             # (N,)  (1)
        return value / unit, s * g / unit                                           # ()  (2)

    def iterate(phi: Array, *_: Any) -> None:
        fit.move(fit.barrier.at(s * phi))
        if fit.size() <= tol:
            raise _Reached

    arguments: dict[str, Any] = {"options": options, "callback": iterate}
    if "gtol" not in options:
        arguments["tol"] = tol
    if any(np.isfinite(edge).any() for edge in fit.box):
        arguments["bounds"] = optimize.Bounds(*(edge / s for edge in fit.box))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = optimize.minimize(f, fit.here.theta / s, jac=True, method=method, **arguments)
        if not np.array_equal(s * found.x, fit.here.theta):
            iterate(found.x)
    except _Reached:
        return ""
    return str(found.message)
