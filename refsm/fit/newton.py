"""Newton steps to the bottom of a valley, from gradients alone.

A line search compares values, and near a minimum these differ by less than their rounding errors
while the gradient is still 10^-8 of its terms.  A Newton step reads the gradient only.

Symbols
    g      (N,)    gradient of J at theta;  H (N, N) its Hessian, known by its products with vectors
    D      (N,)    scales of the parameters
    s      (N,)    the scaled step: theta changes by D s
    r      (N,)    residual;  p (N,) direction of the search
    a, b   numbers of the conjugate gradients

Equations
    (1)  D H D s = -D g                                       [definition]
    (2)  a = r.r / p'(D H D)p,   s <- s + a p,   r_new = r - a D H D p
    (3)  b = r_new.r_new / r.r,  p <- r_new + b p

Derivation
    (1)       J(theta + D s) = J + g.(D s) + s'D H D s / 2 + ... is least there.
    (2), (3)  Conjugate gradients from s = 0, r = p = -D g: each p is conjugate to those before.
              They end at a direction of no positive curvature: what s is by then goes downhill.

Sources
    Hestenes & Stiefel, J. Res. NBS 49 (1952); Dembo, Eisenstat & Steihaug, Inexact Newton methods,
    SIAM J. Numer. Anal. 19 (1982): how exactly (1) need be solved.
"""
from __future__ import annotations

from typing import Callable

import numpy as np

from refsm.fit.scaling import Scaling, hessian_along
from refsm.typing import Array

__all__ = ["newton_step"]

FORCING = 1e-5           # residual of (1), relative to its right-hand side
PRODUCTS = 500           # products with H in one step


def newton_step(gradient: Callable[[Array], Array], theta: Array, g: Array, scaling: Scaling,
                free: Array) -> Array:
    """The change of theta, D s (N,), that solves (1); entries that are not `free` do not move.

    One step solves a quadratic:

    >>> from refsm import Gaussian, ImplicitScoreMatching
    >>> J, model = ImplicitScoreMatching([[1.0], [3.0]]), Gaussian([2.0], [[0.5]])
    >>> gradient = lambda theta: model.ravel(J.gradient(model.unravel(theta)))
    >>> theta = model.ravel()
    >>> step = newton_step(gradient, theta, gradient(theta), Scaling(J, model, gradient), True)
    >>> (theta + step).round(8)
    array([2., 1.])
    """
    D = scaling.D * free
    r = -D * g
    s, p = np.zeros_like(r), r
    least = FORCING * np.linalg.norm(r)
    for _ in range(min(PRODUCTS, 2 * len(r))):
        length = float(np.linalg.norm(p))
        if length == 0:
            break
        DHDp = D * hessian_along(gradient, theta, D * p, scaling.step(length))
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
