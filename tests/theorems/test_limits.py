"""Limits and slopes of sequences whose limit is known, and derivatives by complex step."""
import numpy as np
import pytest

from refsm.theorems import limits


@pytest.mark.parametrize("f", [np.exp, lambda h: 1 / (1 + h), lambda h: np.cos(h) + h])
def test_the_limit_of_a_smooth_sequence_is_within_its_error(f):
    h = 2.0 ** -np.arange(2, 9)
    value, error = limits.limit(f(h), noise=1e-16)
    assert abs(value - 1) <= error
    assert error < 1e-9


def test_a_polynomial_of_degree_below_the_length_has_its_limit_exactly():
    h = 2.0 ** -np.arange(5)
    value, error = limits.limit(7 - h + 3 * h**2 + h**3)
    assert value == pytest.approx(7, rel=1e-14)
    assert error < 1e-13


def test_a_power_that_is_not_whole_is_told_by_its_exponent():
    h = 2.0 ** -np.arange(6)
    assert limits.exponent(h**0.5)[0] == pytest.approx(0.5, rel=1e-14)
    value, error = limits.limit(1 + h**0.5)
    assert error < 0.05 * abs(value - 1)          # the estimate assumes whole powers


def test_noise_enters_the_error_with_the_weights_of_the_scheme():
    assert limits.limit(np.ones(5), noise=1e-9)[1] == pytest.approx(32e-9, rel=1e-12)


def test_limits_are_taken_along_the_first_axis():
    h = 2.0 ** -np.arange(5)
    value, error = limits.limit(np.stack([1 + h, 3 - h], axis=1))
    np.testing.assert_allclose(value, [1, 3], rtol=1e-15)
    assert error.shape == (2,)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_exponent_of_a_rise(k):
    h = 2.0 ** -np.arange(2, 9)
    value, error = limits.exponent(-5 * h**k * (1 + h))
    assert abs(value - k) <= error + 1e-13
    assert error < 1e-6


def test_the_gradient_along_the_last_axis_for_any_shape():
    x = np.random.default_rng(0).standard_normal((5, 3))
    expected = np.stack([np.cos(x[:, 0]) * x[:, 1], np.sin(x[:, 0]), np.zeros(5)], axis=1)
    np.testing.assert_allclose(limits.gradient(lambda x: np.sin(x[:, 0]) * x[:, 1], x),
                               expected,
                               rtol=1e-14)
    A = np.random.default_rng(1).standard_normal((2, 3))
    J = limits.gradient(lambda x: x @ A.T, x)
    assert J.shape == (5, 2, 3)
    np.testing.assert_allclose(J, np.broadcast_to(A, J.shape), rtol=1e-14)
