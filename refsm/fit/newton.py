"""Newton steps to the bottom of a valley, from gradients alone.

A line search compares values, and near a minimum these differ by less than their rounding errors
while the gradient is still 10^-8 of its terms.  A Newton step reads the gradient only.

Symbols
    g      (N,)    gradient of J at theta;  H (N, N) its Hessian, known by its products with vectors
    D      (N,)    scales of the parameters, 0 for those that stay;  size: `refsm.fit.scaling`
    s      (N,)    the scaled step: theta changes by D s
    r      (N,)    residual;  p (N,) direction of the search
    a, b   numbers of the conjugate gradients

Equations
    (1)  D H D s = -D g
    (2)  a = r.r / p'(D H D)p,   s <- s + a p,   r_new = r - a D H D p
    (3)  b = r_new.r_new / r.r,  p <- r_new + b p

Derivation
    (1)       J(theta + D s) = J + g.(D s) + s'D H D s / 2 + ... is least there.
    (2), (3)  Conjugate gradients from s = 0, r = p = -D g: each p is conjugate to those before.
              They end at a direction of no positive curvature: s, where it is not still 0, is a
              direction in which J falls.

Method
    A fit ends with Newton steps as long as each halves the scaled gradient, in the scales D_wide,
    or in those of the search where these lead further (`refsm.fit.scaling`).
    During the search each leaf may take a Newton step of its own, one after the other: in the bent
    valley of a mean and a precision J is quadratic in either.

Sources
    Hestenes & Stiefel, J. Res. NBS 49 (1952); Dembo, Eisenstat & Steihaug, Inexact Newton methods,
    SIAM J. Numer. Anal. 19 (1982): how exactly (1) need be solved.
"""
from __future__ import annotations

from typing import Callable

import numpy as np

from refsm.fit.barrier import Point
from refsm.fit.descent import REFUSALS, finite
from refsm.fit.scaling import hessian_along, leaves
from refsm.fit.state import FitState
from refsm.typing import Array

__all__ = ["newton_step", "leaf_by_leaf", "finish"]

NEWTON_STEPS = 6
FAST = 100               # a step that divides the scaled gradient by less is not a good one
FORCING = 1e-5           # residual of (1), relative to its right-hand side
PRODUCTS = 2000          # products with H in one step


def newton_step(gradient: Callable[[Array], Array], theta: Array, g: Array, D: Array,
                size: float) -> Array:
    """The change of theta, D s (N,), that solves (1).

    One step solves a quadratic:

    >>> from refsm import Gaussian, ImplicitScoreMatching
    >>> J, model = ImplicitScoreMatching([[1.0], [3.0]]), Gaussian([2.0], [[0.5]])
    >>> gradient = lambda theta: model.ravel(J.gradient(model.unravel(theta)))
    >>> theta = model.ravel()
    >>> (theta + newton_step(gradient, theta, gradient(theta), D=np.ones(2), size=1)).round(8)
    array([2., 1.])
    """
    r = -D * g                                                                        # (N,)  (1)
    s, p = np.zeros_like(r), r
    least = FORCING * np.linalg.norm(r)
    for _ in range(min(PRODUCTS, 2 * len(r))):
        length = float(np.linalg.norm(p))
        if length == 0:
            break
        DHDp = D * hessian_along(gradient, theta, D * p, length / size)
        curvature = p @ DHDp
        if not curvature > 0:
            break
        a = (r @ r) / curvature                                                       # ()  (2)
        s = s + a * p                                                                 # (N,)  (2)
        r_new = r - a * DHDp                                                          # (N,)  (2)
        if np.linalg.norm(r_new) <= least:
            break
        b = (r_new @ r_new) / (r @ r)                                                 # ()  (3)
        p = r_new + b * p                                                             # (N,)  (3)
        r = r_new
    return D * s


def leaf_by_leaf(fit: FitState) -> float:
    """A Newton step for each leaf; by how much the value falls."""
    value = fit.here.value
    for part in leaves(fit.here.model):
        D = np.zeros(fit.here.theta.shape)
        D[part] = fit.scaling.D_wide[part]
        point = _after(fit, D)
        if point is not None and point.value < fit.here.value:
            fit.move(point)
            fit.rescale()
    fit.reach = 0.0
    return value - fit.here.value


def finish(fit: FitState, goal: float) -> None:
    """Newton steps of all parameters, until the scaled gradient is at most the goal."""
    for _ in range(NEWTON_STEPS):
        if fit.size() <= goal:
            return
        point = _after(fit, fit.scaling.D_wide)
        if fit.fall(point) < FAST:
            point = max(point, _after(fit, fit.scaling.D), key=fit.fall)
        if point is None or fit.fall(point) < 2:
            return
        fit.move(point)
        fit.rescale()


def _after(fit: FitState, D: Array) -> Point | None:
    """The point after a step, None where J is not finite there."""
    theta, _, _, g = fit.here
    D = D * fit.free(fit.here)
    try:
        step = newton_step(fit.barrier.gradient, theta, g, D, fit.scaling.size)
        fit.reach = float(np.linalg.norm(step / fit.scaling.D)) / fit.scaling.size
        point = fit.barrier.at(np.clip(theta + step, *fit.box))
    except REFUSALS:
        return None
    return point if finite(point.value, point.g) else None
