"""Energies of a user's own: any part of the quantities, and a sentence for each wrong shape."""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import refsm
from refsm.checks.model import check_model
from refsm.zero import ZERO


class Theta(NamedTuple):
    k: np.ndarray


class WellAt(refsm.EnergyAt):
    """E = sum_i k_i x_i^4 / 4."""

    def __init__(self, k, x):
        self.k, self.x = k, x

    def energy(self):
        return self.x**4 @ self.k / 4

    def score(self):
        return -self.k * self.x**3

    def diagonal(self):
        return -3 * self.k * self.x**2

    def divergence(self):
        return self.diagonal().sum(axis=1)

    def pullback(self, energy=ZERO, score=ZERO, divergence=ZERO, diagonal=ZERO):
        t = divergence[:, None] + diagonal
        k = energy[:, None] * self.x**4 / 4 - score * self.x**3 - 3 * t * self.x**2
        return Theta(k.sum(axis=0))


@dataclass(frozen=True, eq=False, repr=False)
class Well(refsm.Energy):
    k: np.ndarray

    theta = property(lambda self: Theta(np.asarray(self.k)))
    d = property(lambda self: len(self.k))
    quantities = frozenset({"energy", "score", "divergence", "diagonal"})
    At = WellAt

    def with_theta(self, theta):
        return type(self)(*theta)

    def at(self, x):
        return self.At(np.asarray(self.k), x)


K = np.array([0.7, 1.3, -0.4])
X = np.random.default_rng(5).standard_normal((7, 3))


@pytest.mark.parametrize("quantities, expected", [
    ({"energy"}, {"pullback of the energy to k"}),
    ({"score"}, {"pullback of the score to k"}),
    ({"energy", "score"}, {"score", "pullback of the energy to k", "pullback of the score to k"}),
    ({"score", "divergence"}, {"divergence", "pullback of the divergence to k",
                               "pullback of the score to k"}),
    ({"score", "diagonal"}, {"diagonal", "pullback of the diagonal to k",
                             "pullback of the score to k"}),
])
def test_the_quantities_that_an_energy_names_are_checked_and_no_others(quantities, expected):
    some = type("Some", (Well,), {"quantities": frozenset(quantities)})
    found = check_model(some(K), X)
    parts = {f"{part.subject} {part.block}".strip() for part in found.parts}
    assert found.verdict == "PASS"
    assert parts == expected | {"pullback of all together"}


def test_a_jacobian_is_checked_where_there_is_one():
    def jacobian(self):
        return self.diagonal()[:, :, None] * np.eye(3)

    for factor, verdict in ((1, "PASS"), (-1, "FAIL")):
        at = type("At", (WellAt,), {"jacobian": lambda self: factor * jacobian(self)})
        found = check_model(type("With", (Well,), {"At": at})(K), X)
        assert "Jacobian" in [part.subject for part in found.parts]
        assert found.verdict == verdict


@pytest.mark.parametrize("name, wrong, shape", [
    ("energy", lambda E: E[:, None], r"\(7,\), but its shape is \(7, 1\)"),
    ("score", lambda psi: psi.T, r"\(7, 3\), but its shape is \(3, 7\)"),
    ("divergence", lambda t: t.sum(), r"\(7,\), but its shape is \(1,\)"),
    ("diagonal", lambda g: g.sum(axis=1), r"\(7, 3\), but its shape is \(7,\)"),
])
def test_a_wrong_shape_names_the_quantity_and_the_shape_that_it_must_have(name, wrong, shape):
    at = type("At", (WellAt,), {name: lambda self: wrong(getattr(WellAt, name)(self))})
    model = type("Wrong", (Well,), {"At": at})(K)
    with pytest.raises(ValueError, match=f"^{name} of Wrong must have shape {shape}$"):
        check_model(model, X)


def test_a_pullback_of_a_wrong_shape_names_the_quantity_and_the_leaf():
    def pullback(self, **cotangents):
        k = WellAt.pullback(self, **cotangents).k
        return Theta(k[:2] if "score" in cotangents else k)

    model = type("Wrong", (Well,), {"At": type("At", (WellAt,), {"pullback": pullback})})(K)
    message = (r"^cotangent on the score: pullback must return k of shape \(3,\), "
               r"but its shape is \(2,\)$")
    with pytest.raises(ValueError, match=message):
        check_model(model, X)


@pytest.mark.parametrize("quantities, message", [
    ({"energy", "laplacian"}, "quantities of Odd must be among curvature, diagonal, divergence, "
                              "energy, gap, score, but one is 'laplacian'"),
    (set(), "model must have quantities that can be compared"),
])
def test_quantities_that_are_none_are_refused(quantities, message):
    members = {"quantities": frozenset(quantities), "theta": ()}
    with pytest.raises(ValueError, match=f"^{message}"):
        check_model(type("Odd", (Well,), members)(K), X)


def test_a_method_that_is_missing_is_named():
    some = type("Some", (Well,), {"quantities": frozenset({"energy", "curvature"})})
    with pytest.raises((NotImplementedError, TypeError), match="curvature|at|argument"):
        check_model(some(K), X)
