"""The precision of answers is read off their digits."""
import numpy as np
import pytest

from refsm.verify.diagnosis.precision import FLOAT32, FLOAT64, MIXED, tolerances

V = np.random.default_rng(0).standard_normal(30) * 10.0**np.arange(-15, 15)[::-1].clip(-2, 2)


def test_float64_is_tried_before_float32_inside():
    assert tolerances(V) == [FLOAT64, MIXED]
    assert FLOAT64.relative < 1e-13
    assert MIXED.relative == FLOAT32.relative


def test_numbers_that_float32_holds_are_float32():
    assert tolerances(V.astype(np.float32)) == [FLOAT32]
    assert tolerances(V, ["float32"]) == [FLOAT32]
    assert tolerances(V, ["float32", "float64"]) == [FLOAT64, MIXED]


def test_half_precision_is_recognised_or_declared():
    assert tolerances(V.astype(np.float16))[0].name == "float16"
    assert tolerances(V, ["bfloat16", "float32"])[0].name == "bfloat16"
    assert tolerances(V, ["float16"])[0].name == "float16"
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


def test_a_few_answers_or_the_same_ones_say_nothing():
    assert tolerances([1.5, 2.5, 0.5]) == [FLOAT64, MIXED] == tolerances([0.5] * 30) == tolerances(
        [0.0] * 30)
    assert tolerances([0.5, 1.5, 2.5, 3.5])[0].name == "float16"


def test_large_numbers_do_not_warn():
    assert tolerances(np.array([1e300, 2e200, 3.3e100, 1.1])) != []


def test_significant_digits_and_decimals_are_told_apart_by_those_that_are_needed():
    values = np.random.default_rng(7).uniform(1, 90, 31)
    digits = tolerances(np.array([float(f"{v:.10g}") for v in values]))[0]
    assert digits.name == "10 printed digits"
    decimals = tolerances(np.array([float(f"{v:.8f}") for v in values]))[0]
    assert decimals.name == "8 printed decimals"
