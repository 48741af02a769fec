"""A model that is its parameters and an objective that is a quadratic, for tests of descents."""
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from refsm.fit.run_record import Progress, RunRecord
from refsm.fit.state import FitState


class Theta(NamedTuple):
    p: np.ndarray
    q: np.ndarray


class Point:
    """A model that is its parameters; it refuses p[0] beyond an edge."""

    def __init__(self, p, q, edge=np.inf):
        self.theta, self.edge = Theta(p, q), edge
        if p[0] > edge:
            raise ValueError(f"p must be below {edge}")

    def with_theta(self, theta):
        return Point(*theta, edge=self.edge)

    def projected(self, theta):
        return theta

    def ravel(self, theta=None):
        return np.concatenate(self.theta if theta is None else theta)

    def unravel(self, vector):
        n = len(self.theta.p)
        return Point(vector[:n], vector[n:], edge=self.edge)


class Bowl:
    """J = 1/2 sum curvature (theta - centre)^2, with a list of where it was evaluated."""

    def __init__(self, curvature, centre):
        self.curvature, self.centre, self.places = curvature, centre, []

    @property
    def calls(self):
        return len(self.places)

    def value_and_gradient(self, model):
        self.places.append(tuple(model.ravel()))
        parts = [(a, x - c) for a, x, c in zip(self.curvature, model.theta, self.centre)]
        return sum((a * r * r).sum() for a, r in parts) / 2, Theta(*(a * r for a, r in parts))


def fractions(*numbers):
    return np.array([Fraction(number) for number in numbers], dtype=object)


def exact_bowl():
    J = Bowl([fractions("1/3", "2"), fractions("3/7")], [fractions("1", "-2"), fractions("5")])
    return J, Point(fractions("2", "3"), fractions("-1"))


def float_bowl(edge=np.inf):
    J = Bowl([np.array([3.0, 0.5]), np.array([0.7])], [np.array([1.0, -2.0]), np.array([5.0])])
    return J, Point(np.array([-2.0, 3.0]), np.array([-1.0]), edge)


def ctrl_c_after_two_steps(models):
    """A callback that keeps the models and interrupts the run after its second step."""
    def callback(k, model, value, norm):
        models.append(model)
        if k == 2:
            raise KeyboardInterrupt

    return callback


def state_of(J, model, box=None, callback=None):
    """A fit at its start."""
    N = model.ravel().size
    box = (np.full(N, -np.inf), np.full(N, np.inf)) if box is None else box
    return FitState(J, RunRecord(model, callback), box, Progress(None, False))
