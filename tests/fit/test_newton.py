"""Newton steps against linear algebra."""
import numpy as np
from bowls import Bowl, float_bowl, state_of

from refsm.fit.newton import NEWTON_STEPS, finish, newton_step

RNG = np.random.default_rng(6)
A = RNG.standard_normal((3, 3))
H = A @ A.T + 0.1 * np.eye(3)
CENTRE = np.array([1.0, -2.0, 5.0])


def gradient(theta):
    return H @ (theta - CENTRE)


def step(gradient, free=np.ones(3, dtype=bool)):
    J, model = float_bowl()
    theta = model.ravel()
    D = np.array([0.5, 2.0, 1.0]) * free
    return theta, newton_step(gradient, theta, gradient(theta), D, size=1.0)


def test_one_step_leads_to_the_minimum_of_a_quadratic():
    theta, there = step(gradient)
    np.testing.assert_allclose(theta + there, CENTRE, rtol=1e-5)     # FORCING


def test_a_parameter_that_is_not_free_stays():
    free = np.array([True, False, True])
    theta, there = step(gradient, free)
    assert there[1] == 0
    left = (gradient(theta) + H @ there)[free]
    assert np.linalg.norm(left) < 1e-4 * np.linalg.norm(gradient(theta)[free])


def test_a_direction_of_negative_curvature_ends_the_search():
    theta, there = step(lambda theta: -theta)
    assert np.array_equal(there, np.zeros(3))


def test_at_a_minimum_there_is_no_step():
    _, there = step(lambda theta: 0 * theta)
    assert np.array_equal(there, np.zeros(3))


class Tail(Bowl):
    """J = sum exp(-theta): each Newton step adds 1, and the minimum is at infinity."""

    def value_and_gradient(self, model):
        parts = [np.exp(-leaf) for leaf in model.theta]
        return sum(part.sum() for part in parts), type(model.theta)(*(-part for part in parts))


def test_newton_steps_end_where_the_minimum_is_at_infinity():
    J, start = float_bowl()
    fit = state_of(Tail(J.curvature, J.centre), start)
    finish(fit, goal=1e-13)
    assert fit.record.length == NEWTON_STEPS
    np.testing.assert_allclose(fit.here.theta, start.ravel() + NEWTON_STEPS, rtol=1e-3)
    assert fit.reach > 0.05
