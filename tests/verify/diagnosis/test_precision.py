"""The precision of answers is read off their digits."""
import numpy as np
import pytest

from refsm.verify.diagnosis.precision import (COARSE, FLOAT32, FLOAT64, MIXED, half_inside,
                                              tolerances)

V = np.random.default_rng(0).standard_normal(30) * 10.0**np.arange(-15, 15)[::-1].clip(-2, 2)


def test_float64_is_tried_before_float32_inside():
    assert tolerances(V) == [FLOAT64, MIXED]
    assert FLOAT64(3.0) == 3 * 50 * 2.0**-53
    assert MIXED.relative == FLOAT32.relative


def test_numbers_that_float32_holds_are_float32():
    assert tolerances(V.astype(np.float32)) == [FLOAT32]
    assert tolerances(V, ["float32"]) == [FLOAT32]
    assert tolerances(V, ["float32", "float64"]) == [FLOAT64, MIXED]


def test_half_precision_is_recognised_or_declared():
    assert tolerances(V.astype(np.float16))[0].name == "float16"
    assert tolerances(V, ["bfloat16", "float32"])[0].name == "bfloat16"
    assert tolerances(V, ["float16"])[0].name == "float16"
    assert tolerances(V, ["float16"])[0].relative == 50 * 2.0**-11
    assert tolerances(V, ["bfloat16"])[0].relative == 50 * 2.0**-8
    truncated = ((1e30 * V).astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)
    assert tolerances(truncated)[0].name == "bfloat16"


@pytest.mark.parametrize("form, name", [("{:.6g}", "6 printed digits"),
                                        ("{:.9g}", "9 printed digits"),
                                        ("{:.6f}", "6 printed decimals"),
                                        ("{:.10g}", "10 printed digits")])
def test_printed_digits_are_counted(form, name):
    tolerance, in_float32 = tolerances([float(form.format(v)) for v in V])
    assert tolerance.name == name
    assert in_float32.relative > FLOAT32.relative
    printed = np.array([float(form.format(v)) for v in V])
    assert (np.abs(printed - V) <= tolerance(np.abs(V))).all()
    assert (np.abs(printed - V) > tolerance(np.abs(V)) / 100).any()
    count = int(name.split()[0])
    relative, absolute = (0, count) if "decimals" in name else (count - 1, np.inf)
    assert tolerance.relative == FLOAT64.relative + (0.51 * 10.0**-relative if relative else 0)
    assert tolerance.absolute == 0.51 * 10.0**-absolute


@pytest.mark.parametrize("form", ["{:.11g}", "{:.11f}"])
def test_more_than_ten_digits_are_not_taken_for_printed(form):
    assert tolerances([float(form.format(v)) for v in V]) == [FLOAT64, MIXED]


def test_a_few_answers_or_the_same_ones_say_nothing():
    assert tolerances([1.5, 2.5, 0.5]) == [FLOAT64, MIXED] == tolerances([0.5] * 30) == tolerances(
        [0.0] * 30)
    assert tolerances([0.0, 0.5, 1.5, 2.5]) == [FLOAT64, MIXED]
    assert tolerances([0.5, 1.5, 2.5, 3.5])[0].name == "bfloat16"
    assert tolerances(np.array([0.1, 0.2, 0.7, 1 / 3], dtype=np.float32)) == [FLOAT32]


def test_large_numbers_do_not_warn():
    assert tolerances(np.array([1e300, 2e200, 3.3e100, 1.1])) != []


SIZES = [{"d": d, "sigma": s} for d, s in ((3, 0.37), (5, 0.61), (3, 1.3), (5, 0.37))]
R = np.random.default_rng(1).uniform(1, 5, (4, 5))
ROUNDED = R * (1 + 2.0**-9 * np.random.default_rng(2).uniform(-1, 1, R.shape))


@pytest.mark.parametrize("text, f", [("1", lambda g: 1.0), ("2 / d", lambda g: 2 / g["d"]),
                                     ("3.7 sigma^2", lambda g: 3.7 * g["sigma"]**2),
                                     ("-1", lambda g: -1.0)])
def test_a_multiple_is_found_under_the_rounding_of_bfloat16(text, f):
    Y = ROUNDED * np.array([[f(group)] for group in SIZES])
    factor, off = half_inside(Y, R, R, SIZES, True)
    assert str(factor) == text
    assert 2.0**-11 < off < 2.0**-8


def test_what_is_finer_or_coarser_or_no_multiple_is_not_taken_for_rounding():
    assert half_inside(R * (1 + 1e-6 * (ROUNDED / R - 1)), R, R, SIZES, True) is None
    assert half_inside(R * (1 + (ROUNDED / R - 1) / 8), R, R, SIZES, True) is not None
    assert half_inside(R * (1 + (ROUNDED / R - 1) / 24), R, R, SIZES, True) is None
    wide = R * (1 + 3.5 * (ROUNDED / R - 1))         # between 1 and 2 roundings
    assert half_inside(wide, R, R, SIZES, True) is None
    for roundings, found in ((3, True), (4.6, False)):
        wider = R * (1 + 2.4 * roundings * (ROUNDED / R - 1))
        assert (half_inside(wider, R, R, SIZES, False) is not None) == found
    assert half_inside(ROUNDED * np.array([[1.0], [2.0], [7.0], [1.0]]), R, R, SIZES, True) is None
    one_off = R.copy()
    one_off[1, 2] *= 1.003                          # one answer alone is no rounding
    assert half_inside(one_off, R, R, SIZES, True) is None


def test_the_factor_is_known_as_well_as_the_share_of_the_answer_in_its_terms_allows():
    shifts = np.array([[1.006], [0.994], [1.006], [0.994]])         # 1.5 roundings
    factor, _ = half_inside(shifts * ROUNDED, R, 2 * R, SIZES, True)
    assert factor.is_one
    assert half_inside(shifts * ROUNDED, R, R, SIZES, True) is None


def test_significant_digits_and_decimals_are_told_apart_by_those_that_are_needed():
    values = np.random.default_rng(7).uniform(1, 90, 31)
    digits = tolerances(np.array([float(f"{v:.10g}") for v in values]))[0]
    assert digits.name == "10 printed digits"
    decimals = tolerances(np.array([float(f"{v:.8f}") for v in values]))[0]
    assert decimals.name == "8 printed decimals"
    assert tolerances(np.array([0.1, 0.2, 0.3, 0.7]))[0].name == "1 printed decimals"
    assert tolerances(np.array([7, 0.2, 3e-8, 5e-13]))[0].name == "1 printed digits"
    wide = np.round(values * 1e11)                   # whole, of more digits than are looked for
    assert tolerances(wide)[0].name == "0 printed decimals"
    assert tolerances(wide)[0].absolute == 0.51


@pytest.mark.parametrize("others, name, relative, absolute", [
    ([], "3 printed digits", True, True), ([12.3, 45.6], "3 printed digits", True, True),
    ([12.3, 45.6, 78.9], "3 printed digits", True, False),
    ([0.12, 0.34], "2 printed decimals", True, True),
    ([0.12, 0.34, 0.56], "2 printed decimals", False, True)])
def test_three_numbers_tell_digits_and_decimals_apart(others, name, relative, absolute):
    """12.3 needs three digits and one decimal, 0.12 two of each, and 1.23 three and two."""
    tolerance = tolerances(np.array([1.23, 4.56, 7.89, 3.17, 2.71, *others]))[0]
    assert tolerance.name == name
    assert tolerance.relative == FLOAT64.relative + relative * 0.51e-2
    assert tolerance.absolute == absolute * 0.51e-2


def test_five_digits_decide_and_four_do_not():
    five, four = (tolerances([float(f"{v:.{digits}g}") for v in V])[0] for digits in (5, 4))
    assert five.relative < COARSE < four.relative


def test_numbers_of_nearly_one_decade_may_have_been_printed_either_way():
    """Of ten digits 89.45513620 needs seven decimals, as 115.3180012 does, and 1775.138030 six."""
    rng = np.random.default_rng(11)
    exact = np.array([89.4551362, 1775.13803, *rng.uniform(100, 999, 58)]) + 3e-10
    printed = np.array([float(f"{v:.10g}") for v in exact])
    (tolerance, _) = tolerances(printed)
    assert tolerance.name == "7 printed decimals"
    assert (np.abs(printed - exact) <= tolerance(exact)).all()
    assert (tolerance.relative, tolerance.absolute) == (FLOAT64.relative + 0.51e-9, 0.51e-7)


def test_errors_of_one_sign_are_no_rounding():
    rng = np.random.default_rng(3)
    reference = rng.uniform(3, 7, (6, 5))
    sizes = [{"d": d, "n": n} for d, n in ((3, 7), (5, 7), (3, 13), (5, 13), (3, 7), (5, 13))]
    off = rng.uniform(0.3e-3, 2e-3, (6, 5))
    both = off * np.where(rng.random((6, 5)) < 0.5, -1, 1)
    rounded = half_inside(reference * (1 + both), reference, reference, sizes, True)
    assert rounded[0].is_one
    assert half_inside(reference * (1 + off), reference, reference, sizes, True) is None
