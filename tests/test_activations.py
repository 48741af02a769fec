"""Activations: softplus by complex steps, the rational stand-in in exact arithmetic."""
import pickle
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from refsm import stable
from refsm.activations import ACTIVATIONS, RATIONAL, SOFTPLUS

STEP = Fraction(1, 10**40)
PLACES = [Fraction(-31, 7), Fraction(-1), Fraction(-2, 9), Fraction(1, 50), Fraction(5, 3),
          Fraction(23, 2)]


def exactly(function, *numbers):
    return function(*[np.array([number], dtype=object) for number in numbers])


def s(a):
    return exactly(RATIONAL.first_two, a)[0][0]


def s1(a):
    return exactly(RATIONAL.first_two, a)[1][0]


def s2(a):
    return -2 * s1(a) * exactly(RATIONAL.half_decay, a, s(a))[0]


def test_softplus_and_its_derivatives_follow_from_one_another_by_complex_steps():
    a, h = np.linspace(-35, 35, 29), 1e-200
    value, slope = SOFTPLUS.first_two(a)
    assert np.allclose(SOFTPLUS.f(a), np.log1p(np.exp(a)), rtol=1e-14, atol=0)
    assert np.allclose(SOFTPLUS.f(a + 1j * h).imag / h, value, rtol=1e-13, atol=0)
    moved, moved_slope = SOFTPLUS.first_two(a + 1j * h)
    assert np.allclose(moved.imag / h, slope, rtol=1e-13, atol=0)
    assert np.allclose(moved_slope.imag / h, -2 * slope * SOFTPLUS.half_decay(a, value),
                       rtol=1e-13, atol=0)


def test_the_fast_third_derivative_is_the_accurate_one_up_to_roundings_of_the_second():
    a = np.concatenate([np.linspace(-800, 800, 4001), np.linspace(-3, 3, 4001),
                        np.logspace(-300, 0, 301), -np.logspace(-300, 0, 301)])
    value, slope = SOFTPLUS.first_two(a)
    gap = abs(-2 * slope * SOFTPLUS.half_decay(a, value) - stable.sigmoid_bend(a, slope))
    # 2 s - 1 with an s that is right to 2.6 units, and one more product
    assert (gap <= 5 * np.finfo(float).eps * slope).all()


@pytest.mark.parametrize("a", PLACES)
def test_rational_derivatives_are_exact_difference_quotients_up_to_the_step(a):
    assert isinstance(s(a), Fraction)
    assert isinstance(s1(a), Fraction)
    assert isinstance(s2(a), Fraction)
    assert abs((s(a + STEP) - s(a - STEP)) / (2 * STEP) - s1(a)) < STEP
    assert abs((s1(a + STEP) - s1(a - STEP)) / (2 * STEP) - s2(a)) < STEP


@pytest.mark.parametrize("a, b", [(a, b) for a in PLACES for b in PLACES if a < b and a * b > 0])
def test_the_squared_slope_of_a_chord_is_the_product_of_the_slopes_at_its_ends(a, b):
    """s is a hyperbola on either side of 0: this holds for every chord, without a limit."""
    assert ((s(b) - s(a)) / (b - a)) ** 2 == s1(a) * s1(b)


@pytest.mark.parametrize("a", PLACES)
def test_the_rational_function_is_the_integral_of_its_derivative(a):
    with localcontext() as context:
        context.prec = 60
        def f(number):
            z = Decimal(number.numerator) / Decimal(number.denominator)
            return (z + abs(z) - (1 + abs(z)).ln()) / 2
        step = Fraction(1, 10**20)
        slope = (f(a + step) - f(a - step)) / (2 * (Decimal(1) / 10**20))
        assert abs(slope - Decimal(s(a).numerator) / Decimal(s(a).denominator)) < Decimal("1e-35")
        there = float(f(Fraction(float(a))))
        assert RATIONAL.f(np.array([float(a)]))[0] == pytest.approx(there, rel=1e-14)


def test_the_rational_stand_in_rises_from_0_to_1_through_one_half():
    assert s(Fraction(0)) == Fraction(1, 2)
    assert s1(Fraction(0)) == Fraction(1, 2)
    assert s2(Fraction(0)) == 0
    assert RATIONAL.f(np.array([0.0]))[0] == 0
    far = Fraction(10**9)
    assert 0 < s(-far) < Fraction(1, 10**9)
    assert 0 < 1 - s(far) < Fraction(1, 10**9)
    assert s(-far) + s(far) == 1


def test_the_rational_function_keeps_small_numbers():
    a = np.array([-1e-20, 1e-20])
    assert np.allclose(RATIONAL.f(a), [-0.5e-20, 0.5e-20], rtol=1e-15, atol=0)


def test_the_rational_stand_in_agrees_in_floating_point():
    a = np.array([float(place) for place in PLACES])
    value, slope = RATIONAL.first_two(a)
    assert np.allclose(value, [float(s(place)) for place in PLACES], rtol=1e-14)
    assert np.allclose(slope, [float(s1(place)) for place in PLACES], rtol=1e-14)
    assert np.allclose(-2 * slope * RATIONAL.half_decay(a, value),
                       [float(s2(place)) for place in PLACES], rtol=1e-14)


@pytest.mark.parametrize("activation, name", [(SOFTPLUS, "softplus"), (RATIONAL, "rational")])
def test_an_activation_reads_as_its_name_and_pickles_as_itself(activation, name):
    assert str(activation) == activation.name == name
    assert pickle.loads(pickle.dumps(activation)) is activation


@pytest.mark.parametrize("activation", [SOFTPLUS, RATIONAL], ids=str)
def test_f_of_a_minus_f_of_minus_a_is_a_and_the_two_codes_add_up_to_one(activation):
    a = np.array([0.3, 2.7, 11.0])
    assert np.allclose(activation.f(a) - activation.f(-a), a, rtol=1e-13)
    assert np.allclose(activation.first_two(a)[0] + activation.first_two(-a)[0], 1, rtol=1e-14)


def test_the_rational_stand_in_has_a_jump_in_its_third_derivative():
    tiny = Fraction(1, 10**30)
    assert abs(s2(-tiny) - 1) < Fraction(1, 10**29)
    assert abs(s2(tiny) + 1) < Fraction(1, 10**29)
    assert abs(s1(-tiny) - s1(tiny)) < Fraction(1, 10**29)


@pytest.mark.parametrize("activation", [SOFTPLUS, RATIONAL], ids=str)
def test_activations_are_found_by_their_names(activation):
    assert ACTIVATIONS[activation.name] is activation
