"""A statement holds when its gap respects its bound, and only then."""
from fractions import Fraction

import numpy as np
import pytest

from refsm.theorems.statement import (FAR, QUADRATURE, ROUNDINGS, UNIT, Statement, differs, equal,
                                      relative_bound, rounding_bound)


def test_the_worst_entry_is_the_largest_gap_in_units_of_its_bound():
    s = equal(1, "name", "where", [[1.0, 2.0], [3.0, 7.0]], [[1.5, 2.0], [3.0, 6.0]],
              [[1.0, 1.0], [1.0, 4.0]], "rounding")
    assert (s.left, s.right, s.gap, s.bound, s.holds) == (1.0, 1.5, 0.5, 1.0, True)
    s = equal(1, "name", "where", [[1.0, 2.0], [3.0, 7.0]], [[1.5, 2.0], [3.0, 6.0]], 1.0,
              "rounding")
    assert (s.left, s.right, s.gap, s.bound, s.holds) == (7.0, 6.0, 1.0, 1.0, True)


@pytest.mark.parametrize(("gap", "holds"), [(0.0, True), (0.5, True), (0.51, False),
                                            (np.nan, False), (np.inf, False)])
def test_a_gap_beyond_the_bound_or_not_a_number_fails(gap, holds):
    assert equal(2, "name", "where", 1.0 + gap, 1.0, 0.5, "rounding").holds is holds


def test_a_bound_of_zero_holds_only_for_a_gap_of_zero():
    assert equal(2, "name", "where", [0.0, 1.0], [0.0, 1.0], 0.0, "exact").holds
    assert not equal(2, "name", "where", [0.0, 1e-300], [0.0, 0.0], 0.0, "exact").holds
    assert not equal(2, "name", "where", [0.0, 48.0], [0.0, 8.0], 0.0, "enumeration").holds


def test_rationals_stay_exact():
    third = np.array([Fraction(1, 3), Fraction(2, 3)], dtype=object)
    s = equal(1, "name", "where", third, third, 0, "exact")
    assert isinstance(s.gap, Fraction)
    assert s.gap == 0
    assert s.holds
    s = equal(1, "name", "where", third, third + np.array([0, Fraction(1, 10**30)]), 0, "exact")
    assert s.gap == Fraction(1, 10**30)
    assert not s.holds
    assert isinstance(equal(1, "n", "w", Fraction(1), Fraction(1), 0, "exact").gap, Fraction)


def test_two_sides_differ_when_the_gap_is_far_above_the_bound():
    assert differs(1, "name", "where", 3.0, 1.0, 2.0 / FAR * 0.99).holds
    assert not differs(1, "name", "where", 3.0, 1.0, 2.0 / FAR).holds
    assert differs(1, "name", "where", 1.0, 3.0, 1e-3).gap == 2.0


def test_a_statement_is_data_with_a_readable_line():
    s = Statement(3, "a = b", "here", Fraction(1, 2), 0.5, Fraction(0), 0.0, "exact")
    assert s.as_dict() == {
        "number": 3,
        "name": "a = b",
        "where": "here",
        "left": 0.5,
        "right": 0.5,
        "gap": 0.0,
        "bound": 0.0,
        "how": "exact",
        "holds": True
    }
    assert str(s) == " 3  a = b  [here]: 0.5 = 0.5, gap 0.0e+00, bound 0.0e+00 (exact): holds"
    assert str(
        differs(12, "a, b", "there", 1.0, 1.0,
                1.0)) == "12  a, b  [there]: 1 != 1, gap 0.0e+00, bound 1.0e+00 (differs): FAILS"


def test_the_units():
    assert UNIT == np.finfo(float).eps / 2
    assert QUADRATURE == 1e-12
    assert FAR == 100
    assert ROUNDINGS == 64
    np.testing.assert_allclose(rounding_bound([1.0, -2.0], 3),
                               64 * UNIT * np.array([4.0, 5.0]),
                               rtol=1e-15)
    assert rounding_bound(1.0, roundings=256.0) == 256 * UNIT
    assert relative_bound(np.array([1.0, -2.0]), -3.0) == pytest.approx(6e-12)
