"""An objective on vectors of parameters, with a barrier beyond those that the energy takes.

Symbols
    J                the objective;  theta (N,) the parameters, as one vector
    g      (N,)      its gradient at theta_last
    theta_last (N,)  the last point with a finite value
    highest number   the largest value so far

Equations
    (1)  rise    = g.(theta - theta_last)
    (2)  barrier = highest + |rise|,   with the gradient sign(rise) g

Derivation
    (2)  A convex function, nowhere below what was accepted, that makes a line search backtrack.
         Infinity would do so too, but line searches interpolate.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from refsm.fit.descent import REFUSALS, evaluated, finite
from refsm.typing import Array

__all__ = ["Barrier", "Point"]


class Point(NamedTuple):
    """A good point: all that is known there."""

    theta: Array
    model: Any
    value: float
    g: Array


class Barrier:
    """J on parameter vectors: value and gradient where these are finite, else the barrier (2)."""

    def __init__(self, J: Any, model: Any, value: float, gradient: Any) -> None:
        self.J, self.highest = J, value
        self.last = Point(model.ravel(), model, value, model.ravel(gradient))

    def __call__(self, theta: Array) -> tuple[float, Array]:
        try:
            point = self.at(theta)
        except REFUSALS:
            return self.beyond(theta)
        if not finite(point.value, point.g):
            return self.beyond(theta)
        self.last, self.highest = point, max(self.highest, point.value)
        return point.value, point.g

    def at(self, theta: Array) -> Point:
        """All at theta; the last point is at hand."""
        if np.array_equal(theta, self.last.theta):
            return self.last
        model = self.last.model.unravel(theta)
        value, gradient = evaluated(self.J, model)
        return Point(theta.copy(), model, value, model.ravel(gradient))

    def gradient(self, theta: Array) -> Array:
        """The gradient alone; not entered as the last point."""
        return self.at(theta).g

    def beyond(self, theta: Array) -> tuple[float, Array]:
        """The barrier (2)."""
        theta_last, _, _, g = self.last
        rise = g @ (theta - theta_last)                                                 # ()  (1)
        return self.highest + abs(rise), np.copysign(1, rise) * g                       # ()  (2)
