"""The measurement of which tests see which line: what is planted, and when it is out of date."""
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest

from refsm.study.heads import Room
from study.sensitivity import planted, read, scaled

SOURCE = '''"""A room.

Symbols
    x  number  a point

Equations
    (1) y = 2 x
    (2) z = y + 3
"""


def f(x):
    y = 2 * x                                # ()  (1)
    return y + 3                             # ()  (2)
'''


class Pair(NamedTuple):
    left: float
    right: tuple


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "room.py"
    file.write_text(SOURCE)
    return file


@pytest.mark.parametrize("value, times", [
    (2.0, 2.02), (Fraction(1), 1), ("text", "text"), (3, 3), (None, None), ([2.0], [2.02]),
    ({"a": 4.0}, {"a": 4.04}), (Pair(2.0, (4.0, 5)), Pair(2.02, (4.04, 5)))])
def test_floats_are_scaled_wherever_they_stand_and_whole_numbers_stay(value, times):
    assert scaled(value) == times
    assert type(scaled(value)) is type(value)


def test_arrays_are_scaled_exact_ones_exactly():
    np.testing.assert_array_equal(scaled(np.array([100.0])), [101.0])
    assert scaled(np.array([Fraction(100)], dtype=object))[0] == Fraction(101)
    assert scaled(np.array([100]))[0] == 100


@pytest.mark.parametrize("number, value", [(1, 2 * 100.0 * 1.01 + 3), (2, 203.0 * 1.01),
                                           (3, 203.0)])
def test_the_line_of_a_number_computes_more_and_no_other_does(path, number, value):
    names = {"__scaled__": scaled}
    exec(compile(planted(path, number), "room", "exec"), names)
    assert names["f"](100.0) == pytest.approx(value, rel=1e-14)         # three roundings


def test_a_fingerprint_is_that_of_the_lines_of_a_number(path):
    before = Room(path, path.parent)
    path.write_text(SOURCE.replace("y + 3  ", "y + 3.0").replace('"""A room', '"""\\nThe room'))
    after = Room(path, path.parent)
    assert after.fingerprint(1) == before.fingerprint(1)
    assert after.fingerprint(2) != before.fingerprint(2)


def test_the_file_has_tests_by_room_and_number():
    known = read()
    module, fingerprint, tests = known["energies/gaussian", 4]
    assert module == "energies/test_gaussian.py"
    assert len(fingerprint) == 8
    assert all(name.startswith("test_") for name in tests)
