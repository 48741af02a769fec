"""The measurement of which tests see which line: what is planted, and when it is out of date."""
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest

from refsm.study.heads import Room, rooms
from study.sensitivity import Scaled, existing, planted, read, scaled, wrong

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
    (2.0, 2.02), (Fraction(100), Fraction(101)), ("text", "text"), (3, 3), (None, None),
    ([2.0], [2.02]), ({"a": 4.0}, {"a": 4.04}), (Pair(2.0, (4.0, 5)), Pair(2.02, (4.04, 5)))])
def test_floats_are_scaled_wherever_they_stand_and_whole_numbers_stay(value, times):
    assert scaled(value) == times
    assert type(scaled(value)) is type(value)


@pytest.mark.parametrize("value, other", [
    (3, 4), (True, False), ((0, 1), (1, 2)), ((0, 1.0), (0, 1.01)), ("text", "text"),
    ({"a": 3}, {"a": 4}), (Pair(5, (7,)), Pair(6, (8,)))])
def test_where_there_is_no_fraction_a_whole_number_is_one_more(value, other):
    assert wrong(value) == other


def test_whole_numbers_and_truth_values_in_arrays_are_one_more_and_the_opposite():
    np.testing.assert_array_equal(wrong(np.array([3, 5])), [4, 6])
    np.testing.assert_array_equal(wrong(np.array([True, False])), [False, True])


def test_a_function_computes_more():
    assert scaled(abs) is abs                        # a class, or what is no function of a room
    assert Scaled(abs)(-100.0) == 101.0
    assert scaled(lambda a: (a, 3))(100.0) == (101.0, 3)


def test_arrays_are_scaled_exact_ones_exactly():
    np.testing.assert_array_equal(scaled(np.array([100.0])), [101.0])
    assert scaled(np.array([Fraction(100)], dtype=object))[0] == Fraction(101)
    assert scaled(np.array([100]))[0] == 100


@pytest.mark.parametrize("number, value", [(1, 2 * 100.0 * 1.01 + 3), (2, 203.0 * 1.01),
                                           (3, 203.0)])
def test_the_line_of_a_number_computes_more_and_no_other_does(path, number, value):
    names = {"__wrong__": wrong}
    exec(compile(planted(path, number), "room", "exec"), names)
    assert names["f"](100.0) == pytest.approx(value, rel=1e-14)         # three roundings


def test_what_is_appended_and_a_function_of_a_constant_compute_more(tmp_path):
    file = tmp_path / "room.py"
    file.write_text(SOURCE.split("def f")[0] + """
TABLE = {"one": dict(f=lambda x: 2 * x,       # (1)
                     g=lambda x: 3 * x)}


def f(x):
    found = []
    found.append(x)                          # (2)
    return found
""")
    for number, value, appended in ((1, 202.0, 100.0), (2, 200.0, 101.0)):
        names = {"__wrong__": wrong}
        exec(compile(planted(file, number), "room", "exec"), names)
        assert names["TABLE"]["one"]["f"](100.0) == value
        assert names["TABLE"]["one"]["g"](100.0) == 300.0
        assert names["f"](100.0) == [appended]


def test_a_fingerprint_is_that_of_the_lines_of_a_number(path):
    before = Room(path, path.parent)
    path.write_text(SOURCE.replace("y + 3  ", "y + 3.0").replace('"""A room', '"""\\nThe room'))
    after = Room(path, path.parent)
    assert after.fingerprint(1) == before.fingerprint(1)
    assert after.fingerprint(2) != before.fingerprint(2)


def test_every_number_that_a_line_computes_has_a_test_that_fails_without_it():
    known = read()
    assert not {f"{one.name} ({number})" for one in rooms() for line in one.cited
                for number in line.numbers if not existing(known, one.name, number)}


def test_the_file_has_tests_by_room_and_number():
    known = read()
    module, fingerprint, tests = known["energies/gaussian", 4]
    assert module == "energies/test_gaussian.py"
    assert len(fingerprint) == 8
    assert all(name.startswith("test_") for name in tests)
