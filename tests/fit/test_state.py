"""Where a fit is: bounds, what is shown, which points are better."""
import numpy as np
import pytest
from bowls import float_bowl, state_of

import refsm
from refsm.fit.barrier import Point


def test_a_parameter_that_meets_a_bound_is_free_to_leave_it():
    least = np.array([0.0, 0.0, 0.0, -9.0, -9.0, -9.0, -9.0])
    greatest = np.array([9.0, 9.0, 9.0, 0.0, 0.0, 0.0, 9.0])
    g = np.array([0.3, 0.0, -0.3, 0.3, 0.0, -0.3, 0.3])
    fit = state_of(*float_bowl())
    fit.box = least, greatest
    np.testing.assert_array_equal(fit.free(Point(np.zeros(7), None, 0.0, g)), [0, 1, 1, 1, 1, 0, 1])


def test_the_scaled_gradient_is_that_of_the_free_parameters():
    J, start = float_bowl()                               # g is (-9, 2.5, -4.2) at (-2, 3, -1)
    fit = state_of(J, start, box=(np.array([-9.0, 3.0, -9.0]), np.full(3, 9.0)))
    assert fit.size() == pytest.approx(fit.scaling.gradient_size(np.array([-9.0, 0.0, -4.2])))
    assert fit.reach == 0


def test_each_iteration_is_shown_with_its_number_and_its_scaled_gradient():
    J, start = float_bowl()
    fit, shown = state_of(J, start), []
    fit.line.show = lambda *said: shown.append(said)
    for theta in (start.ravel(), start.ravel() + 0.1):
        fit.move(fit.barrier.at(theta))
    value, g = J.value_and_gradient(start.unravel(start.ravel() + 0.1))
    assert [k for k, *_ in shown] == [0, 1]
    assert shown[1][1] == value
    size = fit.scaling.gradient_size(start.ravel(g))
    assert shown[1][2] == f"scaled gradient {size:.1e}"


def test_a_point_is_better_by_its_scaled_gradient_if_values_agree_to_rounding():
    """Values to 1e-13 of |value| + h size^2, which is there where the value is 0."""
    fit = state_of(*float_bowl())
    value, unit = fit.here.value, fit.scaling.h * fit.scaling.size**2
    rounding = 1e-13 * (value + unit)

    def at(value, factor=1 / 3):
        return fit.here._replace(value=value, g=factor * fit.here.g)

    assert fit.fall(at(value)) == pytest.approx(3)
    assert fit.fall(at(value + 0.99 * rounding)) == pytest.approx(3)
    assert fit.fall(at(value + 1.02 * rounding)) == 0
    assert fit.fall(None) == 0
    assert fit.fall(at(value, 0)) == np.inf


def test_beyond_the_bounds_and_at_refused_parameters_there_is_no_value():
    J, start = float_bowl(edge=1.5)
    fit = state_of(J, start, box=(np.full(3, -5.0), np.full(3, 5.0)))
    assert fit.value_at(start.ravel()) == fit.here.value
    assert np.isnan(fit.value_at(np.array([0.0, 5.1, 0.0])))
    assert np.isnan(fit.value_at(np.array([1.6, 0.0, 0.0])))


def test_a_value_that_is_not_finite_is_no_start():
    J, start = float_bowl()
    J.curvature[0][:] = np.inf
    with pytest.raises(refsm.DescentError, match="the value or its gradient is not finite"):
        state_of(J, start)
