"""What a run leaves: history, error, and the line of progress."""
import io
from types import SimpleNamespace

import numpy as np
import pytest

from refsm import run_record
from refsm.run_record import DescentError, Progress, RunRecord


@pytest.fixture
def screen(monkeypatch):
    """What stderr shows, and a clock on which each look takes 0.15 s."""
    now = iter(range(10**6))
    monkeypatch.setattr(run_record.time, "monotonic", lambda: 100 + 0.15 * next(now))
    screen = io.StringIO()
    monkeypatch.setattr(run_record, "sys", SimpleNamespace(stderr=screen))
    return screen


def shown(screen, on):
    line = Progress(7, on)
    for k in range(8):
        line.show(k, k / 8)
    line.close()
    return screen.getvalue()


def test_the_line_is_written_now_and_then(screen):
    """Looks at 0.15, 0.30, ... s; each line at least 0.2 s after the one before: every second look."""
    assert shown(screen, True).split("\r") == [
        "", "step 0 of 7, value 0, 1 s left \x1b[K", "step 2 of 7, value 0.25, 1 s left \x1b[K", "step 4 of 7, value 0.5, 0 s left \x1b[K",
        "step 6 of 7, value 0.75, 0 s left \x1b[K\n"]


def test_the_time_left_is_in_proportion(screen):
    line = Progress(1000, True)
    line.show(9, 1.0)
    assert screen.getvalue() == "\rstep 9 of 1000, value 1, 15 s left \x1b[K"          # 0.15 s for 10 evaluations, 991 to go


def test_the_first_line_does_not_wait(screen, monkeypatch):
    monkeypatch.setattr(run_record.time, "monotonic", lambda: 100)
    assert shown(screen, True).count("step 0 of 7") == 1


def test_nothing_is_written_unless_asked(screen):
    assert shown(screen, False) == ""


def test_the_length_of_a_gradient_neither_overflows_nor_underflows():
    kept = RunRecord("model", None)
    for scale in (1.0, 1e200, 1e-200):
        kept.add("model", 1.0, (np.array([[2.0, 3.0]]) * scale, np.array([6.0]) * scale))
    assert np.allclose(kept.history.gradient_norm, [7.0, 7e200, 7e-200], rtol=1e-14)


def test_the_callback_is_told_how_many_steps_are_done():
    told = []
    kept = RunRecord("first", lambda *entry: told.append(entry))
    for k, model in enumerate(("first", "second", "third")):
        kept.add(model, 0.5 ** k, (np.array([3.0, 4.0]),))
    assert told == [(0, "first", 1.0, 5.0), (1, "second", 0.5, 5.0), (2, "third", 0.25, 5.0)]


def test_before_the_first_value_there_is_no_step_and_no_history():
    there = RunRecord("first", None).error("at once").result
    assert there.steps == 0 and there.history.value.shape == there.history.gradient_norm.shape == (0,)


def test_an_entry_whose_model_did_not_arrive_does_not_count():
    """Ctrl-C between the two."""
    class Interrupted(list):
        def append(self, entry):
            super().append(entry)
            raise KeyboardInterrupt

    kept = RunRecord("first", None)
    kept.entries = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        kept.add("second", 1.0, (np.ones(3),))
    assert kept.model == "first" and len(kept.history.value) == 0


def test_an_error_carries_the_last_good_model():
    kept = RunRecord("first", None)
    kept.add("second", 1.0, (np.ones(3),))
    kept.add("third", 0.5, (np.ones(3),))
    error = kept.error("too steep")
    assert isinstance(error, DescentError) and error.result.model == "third" and error.result.steps == 1
    assert str(error) == "too steep; the last good model, after 1 step, is in .result"
    assert np.array_equal(error.result.history.value, [1.0, 0.5])
