"""The recorder: what a tagged line computes is what is handed over."""
import importlib.util
import sys

import numpy as np
import pytest

from refsm.study.recorder import Recorder, Tag, agrees, arrays_of, fits, length, tags

SOURCE = '''
import numpy as np

def f(x):
    a = 2 * x                                # (n, d)  (1)
    b = a.sum(axis=1)                        # (n,)  (2)
    if b[0] > 0:
        return b + 1                         # (n,)  (3)
    return b                                 # (5)
'''


def written(path, source):
    """The module of this source, in this file."""
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recorded(tmp_path, x, every=False):
    path = tmp_path / "room.py"
    module, seen = written(path, SOURCE), {}
    with Recorder([path], lambda file, tag, value: seen.update({tag.numbers[0]: value}), every):
        module.f(x)
    return seen


def test_each_line_that_runs_hands_over_its_value(tmp_path):
    seen = recorded(tmp_path, np.array([[3.0, 5.0], [7.0, 9.0]]))
    assert set(seen) == {1, 2, 3}
    np.testing.assert_array_equal(seen[1], [[6, 10], [14, 18]])
    np.testing.assert_array_equal(seen[2], [16, 32])
    np.testing.assert_array_equal(seen[3], [17, 33])


def test_a_line_without_a_shape_is_recorded_on_request(tmp_path):
    x = -np.array([[3.0, 5.0], [7.0, 9.0]])
    assert set(recorded(tmp_path, x)) == {1, 2}
    np.testing.assert_array_equal(recorded(tmp_path, x, every=True)[5], [-16, -32])


def test_a_tag_is_a_comment_behind_code():
    found = tags("x = 1   # (n, d)  (7)\n# (n, d)  (8)\ny = 2   # why\n")
    assert [(tag.line, tag.numbers) for tag in found.values()] == [(1, [7])]


def test_a_comment_without_a_space_is_a_tag_too():
    assert tags("x = 1   #(n, d)  (7)\n")[1].shapes == [("n", "d")]


@pytest.mark.parametrize("word, size", [("d", 3), ("5", 5), ("2d", 6), ("2^d", 8), ("3d", 9),
                                        ("K", None), ("2K", None)])
def test_a_letter_of_a_shape_stands_for_a_length(word, size):
    assert length(word, {"d": 3}) == size


@pytest.mark.parametrize("shape, words, fit", [
    ((5, 3), ("n", "d"), True), ((5, 7), ("n", "d"), False), ((3,), ("n", "d"), False),
    ((9, 5, 3), ("...", "n", "d"), True), ((5, 3), ("...", "n", "d"), True),
    ((9, 6, 3), ("...", "n", "d"), False), ((7, 7), ("K", "K"), True), ((7, 9), ("K", "K"), False),
])
def test_a_shape_fits_its_letters(shape, words, fit):
    assert fits(shape, words, {"n": 5, "d": 3}) is fit


def test_with_each_the_last_two_arrays_have_the_shape():
    tag = Tag(1, [("n",)], [2], True)
    n, other = np.zeros(5), np.zeros(3)
    assert agrees(tag, (other, n, n), {"n": 5})
    assert agrees(tag, (n, n), {"n": 5})
    assert not agrees(tag, (n, other, n), {"n": 5})
    assert not agrees(tag, (n,), {"n": 5})


def test_the_shapes_of_a_tag_are_those_of_some_arrays_in_order():
    tag = Tag(1, [("n",), ("d",)], [], False)
    n, d = np.zeros(5), np.zeros(3)
    assert agrees(tag, {"a": n, "b": 2.0, "c": d}, {"n": 5, "d": 3})
    assert not agrees(tag, (d, n), {"n": 5, "d": 3})


KEYWORDS = '''
from typing import NamedTuple

class Sides(NamedTuple):
    left: float
    right: float

def f(x):
    return Sides(left=x + 1.0,               # ()  (1)
                 right=x + 2.0)              # ()  (2)

def g(x):
    return Sides(left=x + 1.0, right=x + 2.0)    # (), ()  (3)

def h(x):
    found = []
    found.append(x + 3.0)                    # ()  (4)
    found.append(x + 4.0)                    # ()  (5)
    return found
'''


def test_a_field_a_whole_tuple_and_what_is_appended_are_values(tmp_path):
    path = tmp_path / "keywords.py"
    module, seen = written(path, KEYWORDS), {}
    with Recorder([path], lambda file, tag, value: seen.update({tag.numbers[0]: value})):
        module.f(10.0), module.g(20.0), module.h(30.0)
    assert seen == {1: 11.0, 2: 12.0, 3: (21.0, 22.0), 4: 33.0, 5: 34.0}


def test_the_tracer_that_was_there_before_comes_back(tmp_path):
    path = tmp_path / "empty.py"
    path.write_text("")
    before = sys.gettrace()
    with Recorder([path], lambda *given: None):
        assert sys.gettrace() is not before
    assert sys.gettrace() is before


def test_the_arrays_of_a_value_are_in_its_order():
    assert arrays_of({"a": 1.0, "b": (2.0, [3.0]), "c": "no", "d": 4}) == [1.0, 2.0, 3.0]
