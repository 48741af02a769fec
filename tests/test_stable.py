"""Stable functions: units in the last place, beyond the float range, along the complex plane."""
from fractions import Fraction

import numpy as np
import pytest

from refsm import stable

LD = np.longdouble
has_longdouble = pytest.mark.skipif(np.finfo(LD).eps > 1e-18,
                                    reason="longdouble is no wider than float64 here")


def everywhere(seed=0):
    """Numbers of every size up to 1e4, of both signs, and where a branch or the range ends."""
    rng = np.random.default_rng(seed)
    magnitude = 10 ** rng.uniform(-20, 4, 3000)
    ends = np.array([0, 36.7, 37, 350, 699.9, 700, 700.1, 708, 709.78, 709.79, 745, 746, 1e4])
    positive = np.concatenate([magnitude, rng.uniform(0, 40, 6000), rng.uniform(0, 800, 3000),
                               ends])
    return np.concatenate([positive, -positive])


def in_longdouble(name, a):
    """The textbook forms, in a precision and a range where they lose nothing."""
    a = LD(a)
    e = np.exp(-abs(a))
    return {"softplus": lambda: np.log1p(np.exp(a)),
            "sigmoid": lambda: 1 / (1 + np.exp(-a)),
            "sigmoid_slope": lambda: e / (1 + e) ** 2,
            "sigmoid_bend": lambda: np.sign(a) * np.expm1(-abs(a)) * e / (1 + e) ** 3,
            "log_cosh": lambda: np.where(
                abs(a) < 1, np.log1p(2 * np.sinh(np.clip(a / 2, -1, 1)) ** 2),
                abs(a) - np.log(LD(2)) + np.log1p(e * e)),
            "log1p_half_square": lambda: np.log1p(a * a / 2),
            "tanh_slope": lambda: 4 * e * e / (1 + e * e) ** 2}[name]()


def units(got, true):
    return np.max(abs(LD(got) - true) / LD(np.spacing(abs(true).astype(float))))


# more than what was measured: libraries differ
BOUND = {"softplus": 3, "sigmoid": 5, "sigmoid_slope": 8, "sigmoid_bend": 8, "log_cosh": 6,
         "log1p_half_square": 3, "tanh_slope": 9}


@has_longdouble
@pytest.mark.parametrize("name", BOUND)
@pytest.mark.parametrize("largest", [1e4, 700])
def test_every_result_is_right_to_a_few_units_in_the_last_place(name, largest):
    a = everywhere()
    a = a[a <= largest]                      # up to 700 another form is used
    assert units(getattr(stable, name)(a), in_longdouble(name, a)) < BOUND[name]


@pytest.mark.parametrize("name", BOUND)
def test_numbers_without_dimension_and_longdouble_are_taken(name):
    function = getattr(stable, name)
    for a in (-3.7, 0.6, 801.0):
        assert np.ndim(function(np.float64(a))) == 0
        assert float(function(np.float64(a))) == pytest.approx(float(in_longdouble(name, a)),
                                                               rel=1e-14)
        assert function(LD([a])).dtype == LD


def test_the_slope_of_tanh_is_zero_beyond_cosh_and_an_empty_array_stays_empty():
    assert stable.tanh_slope(np.array([-801.0, 3e5])).tolist() == [0, 0]
    assert stable.tanh_slope(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(("largest", "h"), [(30, 1e-200), (330, 1e-20)])
def test_a_complex_step_through_tanh_and_its_slope_is_the_next_derivative(largest, h):
    a = np.linspace(-largest, largest, 30)
    s, slope = np.tanh(a + 1j * h), stable.tanh_slope(a + 1j * h)
    expected = stable.tanh_slope(a)
    assert np.allclose(s.imag / h, expected, rtol=1e-13, atol=0 if largest < 100 else 1e-280)
    assert np.allclose(slope.imag / h, -2 * np.tanh(a) * expected, rtol=1e-13, atol=1e-280)


def test_a_complex_step_beyond_cosh_finds_a_slope_of_zero():
    slope = stable.tanh_slope(np.array([801, -3e5, 0.3]) + 1e-20j)
    assert slope[:2].tolist() == [0, 0]
    assert slope[2] == stable.tanh_slope(np.array([0.3 + 1e-20j]))[0]


@has_longdouble
def test_the_student_function_and_its_slope_are_right_to_a_few_units_in_the_last_place():
    a = everywhere()
    h = 2 / (2 + LD(a)**2)
    s, slope = stable.student_and_slope(a)
    assert units(s, a * h) < 5
    assert np.max(abs(slope - (h - (a * h)**2)) / np.spacing(h.astype(float))) < 15


def test_the_student_function_of_whole_numbers_of_any_size_is_exact():
    s, slope = stable.student_and_slope(np.array([3, 10**400], dtype=object))
    assert s[0] == Fraction(6, 11)
    assert slope[0] == Fraction(2, 11) - Fraction(6, 11)**2
    assert s[1] == Fraction(2 * 10**400, 2 + 10**800)


@pytest.mark.parametrize("unit", [1, 1j])
def test_the_student_function_is_right_where_its_squares_overflow(unit):
    """Against exact rationals; log(1 + a^2 / 2) is 2 log|a| - log 2 to rounding at large a."""
    a = np.array([0.0, 1e-170, -0.37, 3.7, -6e153, 7e153, 1e155, -1.7e308])
    s, slope = stable.student_and_slope(a + 1e-300 * (unit - 1))
    for k, exact in enumerate(map(Fraction, a)):
        h = 1 / (1 + exact**2 / 2)
        assert s[k].real == pytest.approx(float(exact * h), rel=1e-15)
        assert slope[k].real == pytest.approx(float(h - (exact * h)**2), rel=1e-15, abs=1e-323)
    f = stable.log1p_half_square(a + 1e-300 * (unit - 1))
    np.testing.assert_allclose(f[4:].real, 2 * np.log(abs(a[4:])) - np.log(2), rtol=1e-15)


def test_a_complex_step_through_the_student_function_is_its_slope():
    a, h = np.concatenate([np.linspace(-9, 9, 31), [3e154, -2e154]]), 1e-200
    s, slope = stable.student_and_slope(a)
    f = stable.log1p_half_square(a + 1j * h)
    assert np.allclose(f[:-2].imag / h, s[:-2], rtol=1e-13, atol=0)
    moved = stable.log1p_half_square(a[-2:] * (1 + 1e-20j))      # a step that does not underflow
    assert np.allclose(moved.imag / 1e-20, a[-2:] * s[-2:], rtol=1e-13, atol=0)
    moved, bent = stable.student_and_slope(a + 1j * h)
    assert np.allclose(moved.imag / h, slope, rtol=1e-13, atol=1e-17)
    assert np.allclose(bent.imag / h, -s * (3 * slope + s * s), rtol=1e-13, atol=1e-17)


@has_longdouble
@pytest.mark.parametrize("name", BOUND)
def test_longdouble_keeps_its_precision(name):
    a = LD([-31.3, -2.7, 0.1, 5.9, 44.4])
    assert np.max(abs(getattr(stable, name)(a) / in_longdouble(name, a)
                      - 1)) < 10 * np.finfo(LD).eps


def test_the_small_values_that_textbook_forms_lose():
    assert stable.softplus(np.array(-40.0)) == pytest.approx(np.exp(-40), rel=1e-15)
    assert stable.sigmoid(np.array(-40.0)) == pytest.approx(np.exp(-40), rel=1e-15)
    assert stable.sigmoid_slope(np.array(40.0)) == pytest.approx(np.exp(-40), rel=1e-15)
    assert stable.sigmoid_bend(np.array(1e-20)) == pytest.approx(-1e-20 / 8, rel=1e-15)


def test_sigmoid_never_leaves_the_interval_from_0_to_1():
    s = stable.sigmoid(np.linspace(30, 60, 5001))
    assert s.max() <= 1
    assert s.min() > 0.999
    assert stable.sigmoid(np.array([-1e4, 1e4])).tolist() == [0.0, 1.0]


def test_sigmoid_and_slope_come_from_one_call_and_bend_takes_the_slope():
    a = everywhere(1)
    s, slope = stable.sigmoid_and_slope(a)
    assert (s == stable.sigmoid(a)).all()
    assert (slope == stable.sigmoid_slope(a)).all()
    assert (stable.sigmoid_bend(a, slope) == stable.sigmoid_bend(a)).all()


def test_empty_arrays_stay_empty():
    s, slope = stable.sigmoid_and_slope(np.zeros((0, 3)))
    assert s.shape == slope.shape == (0, 3)


def test_inputs_are_not_modified():
    a = everywhere(2)
    kept = a.copy()
    for name in BOUND:
        getattr(stable, name)(a)
    stable.sigmoid_bend(a, slope := stable.sigmoid_slope(a))
    stable.log_sum_exp(a)
    stable.exp(a[a < 700])
    assert (a == kept).all()
    assert (slope == stable.sigmoid_slope(a)).all()


@pytest.mark.parametrize("name, derivative",
                         [("softplus", stable.sigmoid), ("log_cosh", np.tanh),
                          ("sigmoid", stable.sigmoid_slope),
                          ("sigmoid_slope", stable.sigmoid_bend),
                          ("log1p_half_square", lambda a: stable.student_and_slope(a)[0])])
@pytest.mark.parametrize("largest, h", [(30, 1e-200), (330, 1e-150), (9e3, 1e-20)])
def test_a_complex_step_through_each_function_is_its_derivative(name, derivative, largest, h):
    a = np.concatenate([np.linspace(-largest, largest, 31)[[*range(15), *range(16, 31)]],
                        [0.03, -0.03]])
    moved = getattr(stable, name)(a + 1j * h)
    assert np.allclose(moved.imag / h, derivative(a), rtol=1e-13,
                       atol=1e-300 / h if largest > 700 else 0)
    assert np.allclose(moved.real, getattr(stable, name)(a), rtol=1e-13, atol=1e-15)


def test_a_complex_step_at_zero_meets_the_two_halves_of_the_line():
    a = np.array([1e-200j])
    assert (stable.softplus(a).imag / 1e-200, stable.sigmoid(a).imag / 1e-200) == (0.5, 0.25)


def test_a_complex_step_through_the_bend_is_its_derivative():
    a, h = np.linspace(-9, 9, 31), 1e-200
    slope = stable.sigmoid_slope(a)
    assert np.allclose(stable.sigmoid_bend(a + 1j * h).imag / h, slope * (1 - 6 * slope),
                       rtol=1e-13, atol=1e-17)


def test_log_sum_exp_of_few_numbers_is_the_logarithm_of_their_sum():
    weights = np.array([[2.0, 3.0, 7.0], [0.5, 11.0, 1.5]])
    assert np.allclose(stable.log_sum_exp(np.log(weights)), np.log([12.0, 13.0]), rtol=1e-15)
    assert np.allclose(stable.log_sum_exp(np.log(weights), axis=0), np.log([2.5, 14.0, 8.5]),
                       rtol=1e-15)


@pytest.mark.parametrize("shift", [-1e8, -750.0, 0.0, 710.0, 1e8])
def test_log_sum_exp_moves_with_its_argument(shift):
    a = np.random.default_rng(3).normal(size=(5, 3, 6))
    moved = stable.log_sum_exp(a + shift, axis=1)
    assert moved.shape == (5, 6)
    assert np.max(abs(moved - shift
                      - stable.log_sum_exp(a, axis=1))) <= 3 * np.spacing(max(abs(shift), 1.0))


def test_log_sum_exp_of_zeros_is_minus_infinity_without_a_warning():
    a = np.full((3, 5), -np.inf)
    a[1, 2] = 4.5
    assert stable.log_sum_exp(a).tolist() == [-np.inf, 4.5, -np.inf]


def test_a_complex_step_through_log_sum_exp_is_the_softmax():
    a = np.array([0.3, -1.2, 2.5])
    for k in range(3):
        moved = a.astype(complex)
        moved[k] += 1e-200j
        softmax = np.exp(a[k]) / np.exp(a).sum()
        assert stable.log_sum_exp(moved).imag / 1e-200 == pytest.approx(softmax, rel=1e-14)


def test_exp_of_exact_zeros_is_an_exact_one():
    for zero in (Fraction(0), 0.0, 0):
        result = stable.exp(np.array([zero, Fraction(0)], dtype=object))
        assert result.tolist() == [1, 1]
        assert all(isinstance(one, Fraction) for one in result)


def test_exp_of_another_rational_is_refused():
    with pytest.raises(ValueError, match="a must be 0 wherever it is an exact rational"):
        stable.exp(np.array([Fraction(0), Fraction(1, 3)]))


def test_exp_of_floats_is_exp():
    assert stable.exp([0.0, 1.0]).tolist() == [1.0, np.e]


@pytest.mark.parametrize("name", BOUND)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint64", "bool", "float16", "float32"])
def test_whole_and_narrow_numbers_are_widened_first(name, dtype):
    """-|a| of an unsigned 3 is 253 before it is widened."""
    a = np.array([0, 1, 3, 100]).astype(dtype)
    result = getattr(stable, name)(a)
    assert result.dtype == np.float64
    assert (result == getattr(stable, name)(a.astype(float))).all()


def test_whole_numbers_have_a_log_sum_exp_and_an_exp():
    a = np.array([200, 3], dtype=np.uint8)
    assert stable.log_sum_exp(a) == stable.log_sum_exp(a.astype(float))
    assert (stable.exp(a) == np.exp(a.astype(float))).all()
