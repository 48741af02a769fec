"""Schedules: ends, invariants, the equation behind the one that preserves variance, refusals."""

from fractions import Fraction

import numpy as np
import pytest

import refsm
from refsm import schedules


def test_levels_that_explode_have_a_constant_ratio():
    sigma = [level.sigma for level in schedules.variance_exploding(0.03, 7.0, 11)]
    assert len(sigma) == 11
    assert (sigma[0], sigma[-1]) == (pytest.approx(0.03), pytest.approx(7.0))
    np.testing.assert_allclose(np.diff(np.log(sigma)), np.log(7.0 / 0.03) / 10, rtol=1e-12)


def test_levels_that_preserve_have_squares_that_sum_to_one_and_follow_the_equation():
    L, low, high = 500, 0.1, 20.0
    levels = schedules.variance_preserving(L)
    alpha, sigma = np.array([(level.alpha, level.sigma) for level in levels]).T
    np.testing.assert_allclose(alpha**2 + sigma**2, 1, rtol=1e-14)
    t = np.arange(1, L + 1) / L
    middle = (
        t[1:] + t[:-1]
    ) / 2  # d log alpha / dt = -beta / 2, linear in t: the midpoint is exact
    np.testing.assert_allclose(
        np.diff(np.log(alpha)) * L, -(low + (high - low) * middle) / 2, rtol=1e-10
    )
    assert -2 * np.log(alpha[0]) == pytest.approx(low / L + (high - low) / (2 * L**2), rel=1e-10)
    tiny = schedules.variance_preserving(3, 1e-9, 2e-9)[0]
    b = 1e-9 / 3 + 1e-9 / 18
    assert tiny.sigma == pytest.approx(
        np.sqrt(b - b**2 / 2), rel=1e-14
    )  # 1 - exp(-b) would keep 7 digits


def test_the_constants_of_the_other_are_arguments():
    last = schedules.variance_preserving(7, 0.3, 5.0)[-1]
    assert last.alpha == pytest.approx(np.exp(-(0.3 + 4.7 / 2) / 2), rel=1e-14)


def test_the_linear_flow_is_a_straight_line_also_in_rationals():
    levels = schedules.linear_flow(np.array([Fraction(1, 3), Fraction(3, 4)]))
    assert [(level.alpha, level.sigma) for level in levels] == [
        (Fraction(2, 3), Fraction(1, 3)),
        (Fraction(1, 4), Fraction(3, 4)),
    ]
    x, eps = np.array([[2.0, 3.0, 5.0]]), np.array([[1.0, -1.0, 7.0]])
    for t, level in zip((0.2, 0.9), schedules.linear_flow([0.2, 0.9])):
        np.testing.assert_allclose(level.noisy(x, eps), x + t * (eps - x), rtol=1e-14)


def test_edm_is_even_in_the_power():
    sigma = np.array([level.sigma for level in schedules.edm()])
    assert len(sigma) == 18
    assert (sigma[0], sigma[-1]) == (pytest.approx(0.002), pytest.approx(80.0))
    np.testing.assert_allclose(
        np.diff(sigma ** (1 / 7)), (80 ** (1 / 7) - 0.002 ** (1 / 7)) / 17, rtol=1e-10
    )


def test_each_is_a_tuple_of_corruptions():
    made = [
        schedules.variance_exploding(0.1, 1.0, 2),
        schedules.variance_preserving(1 + 1),
        schedules.linear_flow([0.5]),
        schedules.edm(0.1, 1.0, 2),
    ]
    for levels in made:
        assert isinstance(levels, tuple)
        for level in levels:
            assert isinstance(level, (refsm.GaussianCorruption, refsm.ScaledCorruption))
            assert isinstance(level.sigma, float)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: schedules.variance_exploding(1.0, 0.5, 3),
            "^sigma_max must exceed sigma_min, but they are 0.5 and 1.0$",
        ),
        (lambda: schedules.variance_exploding(0.5, 0.5, 3), "^sigma_max must exceed sigma_min"),
        (lambda: schedules.variance_exploding(0.0, 0.5, 3), "^sigma_min must be finite and > 0"),
        (
            lambda: schedules.variance_exploding(0.1, 0.5, 1),
            "^levels must be at least 2, but it is 1$",
        ),
        (
            lambda: schedules.variance_exploding(0.1, 0.5, 2.5),
            "^levels must be a whole number >= 1",
        ),
        (
            lambda: schedules.variance_preserving(5, 3.0, 2.0),
            "^beta_max must exceed beta_min, but they are 2.0 and 3.0$",
        ),
        (
            lambda: schedules.linear_flow([0.5, 1.0]),
            r"^t must be between 0 and 1, both excluded, but it is \[0.5, 1.0\]$",
        ),
        (lambda: schedules.linear_flow([0.0]), "^t must be between 0 and 1"),
        (lambda: schedules.linear_flow(0.5), r"^t must have shape \(L,\)"),
        (lambda: schedules.edm(rho=0.0), "^rho must be finite and > 0"),
    ],
)
def test_constants_that_make_no_schedule_are_refused_in_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
