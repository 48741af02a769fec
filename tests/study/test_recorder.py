"""The recorder: what a tagged line computes is what is handed over."""
import importlib.util

import numpy as np

from refsm.study.recorder import Recorder, tags

SOURCE = '''
import numpy as np

def f(x):
    a = 2 * x                                # (n, d)  (1)
    b = a.sum(axis=1)                        # (n,)  (2)
    if b[0] > 0:
        return b + 1                         # (n,)  (3)
    return b                                 # (5)
'''


def recorded(tmp_path, x, every=False):
    path = tmp_path / "room.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("room", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    seen = {}
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
