"""Newton steps against linear algebra."""
import numpy as np
from bowls import float_bowl

from refsm.fit.newton import newton_step

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
