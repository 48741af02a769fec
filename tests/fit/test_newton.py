"""Newton steps against linear algebra."""
import numpy as np
import pytest
from bowls import Bowl, float_bowl, state_of

from refsm.fit import newton
from refsm.fit.newton import NEWTON_STEPS, finish, leaf_by_leaf, newton_step

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


@pytest.mark.parametrize("gradient", [lambda theta: -theta, np.ones_like])
def test_a_direction_of_negative_or_of_no_curvature_ends_the_search(gradient):
    _, there = step(gradient)
    assert np.array_equal(there, np.zeros(3))


@pytest.mark.parametrize("residual, products", [(7e-6, 1), (1.4e-5, 2)])
def test_a_step_is_solved_to_a_hundred_thousandth_of_the_gradient(residual, products):
    """The first of conjugate gradients with H = diag(1 + r, 1 - r) leaves the residual r."""
    seen, curvature = [], np.array([1 + residual, 1 - residual])
    newton_step(lambda theta: seen.append(theta) or curvature * theta, np.zeros(2),
                np.full(2, 300.0), np.ones(2), size=1.0)
    assert len(seen) == 2 * products


@pytest.mark.parametrize("limit, products", [(2000, 6), (5, 5)])
def test_a_step_takes_two_products_per_parameter_or_the_limit(monkeypatch, limit, products):
    assert newton.PRODUCTS == 2000
    seen, rng = [], np.random.default_rng(4)
    monkeypatch.setattr(newton, "PRODUCTS", limit)
    monkeypatch.setattr(newton, "hessian_along",                          # of no one matrix
                        lambda g, theta, p, length: seen.append(p) or rng.uniform(1, 9, 3) * p)
    newton_step(gradient, np.zeros(3), np.ones(3), np.ones(3), size=1.0)
    assert len(seen) == products


def test_at_a_minimum_there_is_no_step():
    _, there = step(lambda theta: 0 * theta)
    assert np.array_equal(there, np.zeros(3))


def test_the_residual_is_measured_in_scaled_parameters_and_differences_in_sizes():
    """A cubic of derivative theta + theta^3 / size^2: t^2 of its differences is no error at all."""
    for size in (1e-3, 1e4):
        theta = np.array([0.7, -0.2, 0.4]) * size
        there = newton_step(lambda v: v + v**3 / size**2, theta, theta + theta**3 / size**2,
                            np.full(3, 5.0), size)
        exact = -(theta + theta**3 / size**2) / (1 + 3 * theta**2 / size**2)
        np.testing.assert_allclose(there, exact, rtol=3e-5)               # FORCING


def test_each_leaf_takes_its_step_and_the_fall_is_that_of_all():
    fit = state_of(*float_bowl())
    value, fit.reach = fit.here.value, 0.7
    assert leaf_by_leaf(fit) == value - fit.here.value
    assert fit.here.value < 1e-9 * value
    assert fit.record.length == 2                                         # p, then q
    np.testing.assert_allclose(fit.here.theta, CENTRE, rtol=1e-5)
    assert fit.reach == 0


def test_a_leaf_at_its_minimum_takes_no_step():
    fit = state_of(*float_bowl(), box=(np.array([-2.0, -9.0, 5.0]), np.array([-2.0, 9.0, 5.0])))
    value = fit.here.value
    assert leaf_by_leaf(fit) == value - fit.here.value
    assert fit.record.length == 1                                         # p alone
    assert leaf_by_leaf(fit) == 0
    assert fit.record.length == 1


def test_a_step_stays_within_the_bounds_and_its_reach_is_in_sizes():
    J, start = float_bowl()
    fit = state_of(J, start, box=(np.full(3, -2.0), np.array([9.0, 9.0, 3.0])))
    fit.scaling.D = np.array([2.0, 0.5, 0.3])
    point = newton._after(fit, np.ones(3))
    np.testing.assert_allclose(point.theta, [1.0, -2.0, 3.0], rtol=1e-5)
    step = CENTRE - start.ravel()
    assert fit.reach == pytest.approx(np.linalg.norm(step / fit.scaling.D) / fit.scaling.size,
                                      rel=1e-5)
    fit.box = np.array([-2.0, -9.0, -9.0]), np.array([-2.0, 9.0, 9.0])     # p[0] is held
    np.testing.assert_allclose(newton._after(fit, np.ones(3)).theta, [-2.0, -2.0, 5.0], rtol=1e-5)
    assert fit.reach == pytest.approx(np.linalg.norm((step / fit.scaling.D)[1:]) / fit.scaling.size,
                                      rel=1e-5)


@pytest.mark.parametrize("falls, tried, steps", [
    ([101, 101, 101, 1, 1], "WWWWN", 3), ([99, 2.1, 1.9, 1.9], "WNWN", 1),
    ([1.5, 2.1, 3, 1, 1.9, 1.9], "WNWNWN", 2), ([101] * 6, "WWWWWW", 6), ([2, 1, 1, 1], "WNWN", 1),
])
def test_steps_in_narrower_scales_are_tried_where_those_in_wide_ones_lead_to_little(
        monkeypatch, falls, tried, steps):
    fit, left, scales = state_of(*float_bowl()), iter(falls), []
    fit.scaling.D_wide = 2 * fit.scaling.D
    monkeypatch.setattr(fit, "rescale", lambda: None)

    def after(fit, D):
        scales.append("W" if D is fit.scaling.D_wide else "N")
        return fit.here._replace(g=fit.here.g / next(left))

    monkeypatch.setattr(newton, "_after", after)
    finish(fit, goal=1e-20)
    assert "".join(scales) == tried
    assert fit.record.length == steps
    finish(fit, goal=fit.size())                                          # it is reached
    assert "".join(scales) == tried


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
