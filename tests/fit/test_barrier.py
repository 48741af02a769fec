"""The barrier is a convex function with its gradient, higher than all that was accepted."""
import numpy as np
from bowls import float_bowl

from refsm.fit.barrier import Barrier


def made():
    J, start = float_bowl(edge=1.5)
    value, gradient = J.value_and_gradient(start)
    return J, start, value, start.ravel(gradient), Barrier(J, start, value, gradient)


def test_beyond_the_edge_it_rises_from_the_last_good_point():
    _, start, value, g, barrier = made()
    for step in (np.array([5.0, 0.3, -0.2]), np.array([5.0, 100.0, 0.0])):    # g.step < 0, then > 0
        f, slope = barrier(start.ravel() + step)
        assert np.isclose(f, value + abs(g @ step), rtol=1e-14)
        np.testing.assert_allclose(slope, np.sign(g @ step) * g, rtol=1e-14)


def test_it_starts_at_the_highest_value_so_far():
    J, start, value, _, barrier = made()
    theta = start.ravel()
    lower, lower_gradient = J.value_and_gradient(start.unravel(theta + [1, 0, 0]))
    assert barrier(theta + [1, 0, 0])[0] == lower
    assert lower < value
    f, _ = barrier(theta + [5.0, 0, 0])
    assert np.isclose(f, value + abs(lower_gradient.p[0] * 4), rtol=1e-14)
    higher = barrier(theta - [1, 0, 0])[0]
    assert higher > value
    assert barrier(theta + [5.0, 0, 0])[0] > higher


def test_the_last_point_is_not_evaluated_again():
    J, start, value, g, barrier = made()
    calls = J.calls
    assert barrier(start.ravel())[0] == value
    assert np.array_equal(barrier.gradient(start.ravel()), g)
    assert J.calls == calls
    barrier(start.ravel() + 0.1)
    barrier.at(start.ravel() + 0.1)
    assert J.calls == calls + 1


def test_a_look_at_a_gradient_is_not_the_last_point():
    _, start, _, _, barrier = made()
    barrier.gradient(start.ravel() - 1)
    assert barrier.last.model is start
