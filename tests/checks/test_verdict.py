"""Verdicts: what fails, what passes, what cannot be told; and what a person reads."""

import dataclasses
import math

import numpy as np
import pytest

from refsm.checks.verdict import combined, judge

VALUE = np.array([3.0, -2.0, 6.0])  # length 7


def report(
    claimed, error=7e-9 * VALUE / 7, slope=7.0, size=1.0, accuracy=1e-6, value=VALUE, **facts
):
    return judge(
        "gradient",
        np.asarray(claimed, dtype=float),
        np.asarray(value, dtype=float),
        np.asarray(error),
        slope,
        size,
        accuracy,
        **{"method": "differences", "step": 0.25, **facts},
    )


def test_a_right_claim_passes_and_says_what_would_have_been_seen():
    found = report(VALUE)
    assert found.verdict == "PASS"
    assert found.holds
    assert found.error == 0
    assert np.isclose(found.visible, 1e-9)
    assert found.accuracy == 1e-6
    assert found.scalar == pytest.approx(1)


def test_the_error_is_relative_to_the_length_of_the_derivative():
    found = report(VALUE + [0.7, 0, 0])
    assert found.verdict == "FAIL"
    assert not found.holds
    assert np.isclose(found.error, 0.1)


@pytest.mark.parametrize("scale", [1e-250, 1e-9, 1e250])
def test_a_verdict_does_not_depend_on_the_units(scale):
    right, wrong = (
        report(c * scale * VALUE, error=1e-9 * scale * VALUE, value=scale * VALUE)
        for c in (1, 1 + 2e-6)
    )
    assert (right.verdict, wrong.verdict) == ("PASS", "FAIL")


@pytest.mark.parametrize("scalar", [0.5, 2.0, 0.0, -1.0, 1 + 1.1e-6])
def test_a_multiple_of_the_derivative_is_named(scalar):
    found = report(scalar * VALUE)
    assert found.verdict == "FAIL"
    assert np.isclose(found.scalar, scalar, rtol=1e-12)
    assert found.rest < 1e-12
    shown = "(1 + 1.1e-06)" if scalar > 1 and scalar < 1.1 else f"{scalar:#.5g}"
    assert f"you return {shown} times the derivative" in str(found)
    assert np.isclose(found.error, abs(scalar - 1), rtol=1e-6)


def test_what_is_no_multiple_is_called_so():
    found = report([-2.0, 3.0, 6.0])  # scalar 24/49
    assert np.isclose(found.scalar, 24 / 49)
    assert np.isclose(found.rest, math.sqrt(1 - (24 / 49) ** 2))
    assert "no multiple of the derivative: the nearest, 0.48980 times, leaves 87%" in str(found)


def test_errors_between_what_is_visible_and_what_is_asked_pass():
    assert report(VALUE * (1 + 0.5e-6)).verdict == "PASS"
    assert report(VALUE * (1 + 1.01e-6)).verdict == "FAIL"


def test_an_error_as_large_as_the_accuracy_is_not_decided():
    """There the planted mistake, (1 - accuracy) times the claim, is no mistake."""
    assert report(VALUE * (1 + 1e-6 - 1e-12)).verdict == "INCONCLUSIVE"
    assert report(VALUE * (1 - 1e-6 + 1e-12)).verdict == "INCONCLUSIVE"


def test_a_planted_mistake_that_is_just_not_visible_is_not_caught():
    """(1 - 1/4) 4.5 = 3.375 misses 4 by 5/32."""
    assert (
        report([4.5, 0, 0], value=[4.0, 0, 0], error=np.array([0.625, 0, 0]), accuracy=0.25).verdict
        == "INCONCLUSIVE"
    )
    assert (
        report([4.5, 0, 0], value=[4.0, 0, 0], error=np.array([0.624, 0, 0]), accuracy=0.25).verdict
        == "PASS"
    )


def test_the_rest_of_a_small_claim():
    assert report(
        np.array([-2.0, 3.0, 6.0]) / 64, value=VALUE / 64, error=1e-9 * VALUE
    ).rest == pytest.approx(math.sqrt(1 - (24 / 49) ** 2))


def test_what_could_not_have_been_seen_is_not_passed():
    found = report(VALUE, error=2e-6 * VALUE)
    assert found.verdict == "INCONCLUSIVE"
    assert np.isclose(found.visible, 2e-6)
    beside = np.array([2.0, 3.0, 0.0])  # orthogonal to the derivative
    planted = report(
        VALUE + 1.3e-6 * 7 / math.sqrt(13) * beside, error=1.2e-6 * VALUE, accuracy=1.1e-6
    )
    assert planted.verdict == "FAIL"
    seen_but_unsure = report(
        VALUE + 1.1e-6 * 7 / math.sqrt(13) * beside, error=1.2e-6 * VALUE, accuracy=1.1e-6
    )
    assert seen_but_unsure.verdict == "INCONCLUSIVE"


def test_visible_equal_to_the_accuracy_is_not_enough():
    assert (
        report([4.0, 0, 0], value=[4.0, 0, 0], error=np.array([1.0, 0, 0]), accuracy=0.25).verdict
        == "INCONCLUSIVE"
    )
    assert (
        report([4.0, 0, 0], value=[4.0, 0, 0], error=np.array([0.9, 0, 0]), accuracy=0.25).verdict
        == "PASS"
    )


def test_visible_equal_to_the_accuracy_is_not_enough_even_if_the_planted_mistake_is_seen():
    assert (
        report([4.0, 0.5, 0], value=[4.0, 0, 0], error=np.array([1.0, 0, 0]), accuracy=0.25).verdict
        == "INCONCLUSIVE"
    )


def test_an_error_equal_to_the_accuracy_or_to_what_is_visible_does_not_fail():
    assert (
        report([5.0, 0, 0], value=[4.0, 0, 0], error=np.array([0.5, 0, 0]), accuracy=0.25).verdict
        == "INCONCLUSIVE"
    )
    assert (
        report([5.0, 0, 0], value=[4.0, 0, 0], error=np.array([1.0, 0, 0]), accuracy=0.125).verdict
        == "INCONCLUSIVE"
    )


def test_a_gross_mistake_fails_even_where_little_can_be_seen():
    assert report(0.5 * VALUE, error=0.1 * VALUE).verdict == "FAIL"
    assert report(0.95 * VALUE, error=0.1 * VALUE).verdict == "INCONCLUSIVE"


# -- zero ------------------------------------------------------------------------------------------


def test_two_zeros_pass_where_little_could_have_hidden():
    found = report([1e-13, 0, 0], value=[0, 1e-13, 0], error=np.array([3e-12, 0, 0]), slope=2.0)
    assert found.verdict == "PASS"
    assert found.zero
    assert found.error == 0
    assert np.isclose(found.visible, 1.5e-12)
    assert "zero, as is the derivative; 2e-12 of the changes of f would have been seen" in str(
        found
    )
    assert (
        report([0, 0, 0], value=[0, 0, 0], error=np.zeros(3), slope=0.0, size=0.0).verdict == "PASS"
    )


def test_two_zeros_of_a_noisy_function_are_not_decided():
    found = report([1e-3, 0, 0], value=[0, 1e-3, 0], error=np.array([2e-3, 0, 0]), slope=2.0)
    assert found.verdict == "INCONCLUSIVE"
    assert found.zero
    assert np.isclose(found.visible, 1e-3)
    assert (
        report(
            [0, 0, 0], value=[0, 0, 0], error=np.array([1.0, 0, 0]), slope=4.0, accuracy=0.25
        ).verdict
        == "INCONCLUSIVE"
    )


def test_where_f_does_not_change_at_all_only_zero_passes():
    flat = dict(value=[0.0, 0, 0], error=np.array([1e-9, 0, 0]), slope=0.0, size=1.0)
    assert report([0, 0, 0], **flat).verdict == "PASS"
    assert report([1e-10, 0, 0], **flat).verdict == "INCONCLUSIVE"
    assert report([0, 0, 0], **{**flat, "size": 1e-3}).visible == pytest.approx(1e-6)
    assert report([0, 0, 0], **{**flat, "size": 0.5e-3}).verdict == "INCONCLUSIVE"


def test_a_claim_against_a_derivative_of_zero_fails():
    found = report([1e-3, 0, 0], value=[0, 0, 0], error=np.array([1e-9, 0, 0]), slope=2.0)
    assert found.verdict == "FAIL"
    assert found.error == math.inf
    assert math.isnan(found.scalar)
    assert not found.zero
    assert "the derivative is 0" in str(found)


def test_zero_against_a_derivative_fails():
    found = report([0, 0, 0])
    assert found.verdict == "FAIL"
    assert found.error == 1
    assert found.scalar == 0
    assert found.rest == 0


def test_a_length_just_at_the_floor_is_zero():
    assert report([1.0, 0, 0], value=[1.0, 0, 0], error=np.array([1.0, 0, 0])).zero
    assert not report([1.0, 0, 0], value=[1.1, 0, 0], error=np.array([1.0, 0, 0])).zero
    assert not report([1.1, 0, 0], value=[1.0, 0, 0], error=np.array([1.0, 0, 0])).zero


# -- reading ---------------------------------------------------------------------------------------


def test_a_report_reads_like_a_sentence():
    assert str(report(VALUE, block="W")) == (
        "PASS: gradient, to 1e-06\n  PASS         gradient W: relative error 0.0e+00, "
        "and 1e-09 would have been seen (differences, steps up to 2e-01)"
    )
    assert str(report(VALUE, step=0.0, method="complex step", note="")).endswith(
        "would have been seen (complex step)"
    )
    assert str(report(2 * VALUE, block="W", entry=(3, 7), note="as asked")).endswith(
        "FAIL         gradient W: relative error 1.0e+00, worst at W[3, 7]; "
        "you return 2.0000 times the derivative (differences, steps up to 2e-01; as asked)"
    )


def test_a_small_rest_still_counts_as_a_multiple():
    assert "you return 2.0000 times" in str(report(2 * VALUE + [0, 0, 3e-8]))
    assert "no multiple" in str(report(2 * VALUE + [0, 0, 3e-4]))
    rough = dict(error=1e-3 * VALUE, accuracy=1e-6)
    assert "you return 2.00" in str(report(2 * VALUE + [0, 0, 3e-2], **rough))
    assert "no multiple" in str(report(2 * VALUE + [0, 0, 0.4], **rough))


def test_ten_times_what_is_visible_is_the_rest_of_a_multiple():
    for rest, word in (
        (0.076, "you return 3.0000 times"),
        (0.08, "you return 3.0000 times"),
        (0.084, "no multiple"),
    ):
        claimed = (
            [3.0, 4.0] if rest == 0.08 else [3.0, 3 * 10 * rest / math.sqrt(1 - (10 * rest) ** 2)]
        )
        assert word in str(report(claimed, value=[1.0, 0.0], error=np.array([0.08, 0.0])))


def test_zero_is_compared_with_a_gentle_slope_too():
    found = report(
        [1e-10, 0, 0], value=[0, 0, 0], error=np.array([1e-9, 0, 0]), slope=0.5, size=1e9
    )
    assert found.verdict == "PASS"
    assert found.visible == pytest.approx(2e-9)


def test_a_sure_failure_is_worse_than_an_unsure_large_error_and_that_than_a_pass():
    sure, unsure = report(VALUE * (1 + 2e-6), block="sure"), report(
        0.95 * VALUE, error=0.1 * VALUE, block="unsure"
    )
    assert combined("gradient", [sure, unsure]).block == "sure"
    right, blind = report(VALUE * (1 + 0.5e-6), block="right"), report(
        VALUE, error=1e-3 * VALUE, block="blind"
    )
    assert combined("gradient", [right, blind]).block == "blind"


def test_the_whole_is_as_bad_as_its_worst_part():
    parts = [
        report(VALUE, block="b"),
        report(VALUE * (1 + 2e-6), block="W"),
        report(2 * VALUE, block="c"),
        report(VALUE, error=1e-3 * VALUE, block="a"),
    ]
    whole = combined("gradient", parts)
    assert whole.verdict == "FAIL"
    assert whole.block == "c"
    assert whole.error == 1
    assert whole.parts == tuple(parts)
    assert combined("gradient", [parts[0], parts[3]]).verdict == "INCONCLUSIVE"
    assert combined("gradient", [parts[3], parts[0]]).block == "a"
    assert (
        combined("gradient", [parts[0], report(VALUE, error=1e-8 * VALUE, block="wide")]).block
        == "wide"
    )
    assert str(whole).splitlines()[0] == "FAIL: gradient, to 1e-06"
    assert len(str(whole).splitlines()) == 5


def test_a_report_has_no_truth_value():
    """`assert check_gradient(...)` would always pass."""
    with pytest.raises(TypeError, match="ask for report.holds"):
        bool(report(VALUE))


@pytest.mark.parametrize(
    ("rest", "text"), [(0.3, "30%"), (0.01, "1%"), (0.007, "7.0e-03"), (2e-5, "2.0e-05")]
)
def test_what_a_multiple_leaves_is_said_in_percent_from_one_percent_on(rest, text):
    assert str(dataclasses.replace(report(2 * VALUE), rest=rest)).count(f"leaves {text} (") == 1


@pytest.mark.parametrize(
    ("scalar", "text"),
    [
        (0.5, "0.50000"),
        (1.0, "1.0000"),
        (1 + 1e-5, "(1 + 1.0e-05)"),
        (1 - 2e-6, "(1 - 2.0e-06)"),
        (1.0007, "(1 + 7.0e-04)"),
        (1.002, "1.0020"),
        (0.99, "0.99000"),
    ],
)
def test_a_factor_shows_the_digits_in_which_it_differs_from_one(scalar, text):
    value = np.array([3.0, 4.0])
    report = judge(
        "gradient",
        scalar * value,
        value,
        np.full(2, 1e-13),
        5.0,
        5.0,
        1e-9,
        method="exact",
        step=0.0,
    )
    if scalar == 1.0:
        assert report.holds
    else:
        assert f"you return {text} times the derivative" in str(report)


def test_a_small_rest_is_not_shown_as_nothing():
    value = np.array([3.0, 4.0, 1e-3])
    report = judge(
        "gradient",
        np.array([3.0, 4.0, 2e-3]),
        value,
        np.full(3, 1e-13),
        5.0,
        5.0,
        1e-9,
        method="exact",
        step=0.0,
    )
    assert "leaves 2.0e-04" in str(report)
