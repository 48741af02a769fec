"""The result of a run: history, exceptions that carry it, and the line of progress."""
import importlib.util
import io
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from refsm.fit import run_record
from refsm.fit.run_record import (Descent, DescentError, DescentInterrupted, Ended, History,
                                  Progress, RunRecord)


@pytest.fixture
def screen(monkeypatch):
    """What stderr shows, and a clock on which each look takes 0.15 s."""
    now = iter(range(10**6))
    monkeypatch.setattr(run_record.time, "monotonic", lambda: 100 + 0.15 * next(now))
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(run_record, "sys", SimpleNamespace(stderr=screen))
    return screen


def shown(screen, on, steps=7):
    line = Progress(steps, on)
    for k in range(8):
        line.show(k, k / 8, "a note")
    line.close()
    return screen.getvalue()


def test_the_line_is_written_now_and_then(screen):
    """Looks at 0.15, 0.30, ... s: the first line after 0.5 s, then each at least 0.2 s later."""
    assert shown(screen, True).split("\r") == [
        "", "step 3 of 7, value 0.375, 1 s left \x1b[K",
        "step 5 of 7, value 0.625, 0 s left \x1b[K",
        "step 7 of 7, value 0.875, 0 s left \x1b[K", "\x1b[K"]


def test_without_a_number_of_steps_the_line_has_a_note(screen):
    assert "step 3, value 0.375, a note" in shown(screen, True, steps=None)


@pytest.mark.parametrize("first", [0, 5000])              # done by an earlier run
def test_the_time_left_is_in_proportion(screen, first):
    line = Progress(first + 1000, True, first)
    for _ in range(3):
        line.show(first + 9, 1.0)
    line.show(first + 9, 1.0)                             # 0.6 s for 10 evaluations, 991 to go
    assert screen.getvalue() == (f"\rstep {first + 9} of {first + 1000}, value 1, "
                                 "59 s left \x1b[K")


def test_a_short_run_shows_nothing(screen, monkeypatch):
    monkeypatch.setattr(run_record.time, "monotonic", lambda: 100)
    assert shown(screen, True) == ""


def test_nothing_is_written_unless_asked(screen):
    assert shown(screen, False) == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_is_asked_where_nothing_is_said(screen, terminal):
    screen.isatty = lambda: terminal
    assert bool(shown(screen, None)) == terminal


def test_the_length_of_a_gradient_neither_overflows_nor_underflows():
    record = RunRecord("model", None)
    for scale in (1.0, 1e200, 1e-200):
        record.add("model", 1.0, (np.array([[2.0, 3.0]]) * scale, np.array([6.0]) * scale))
    np.testing.assert_allclose(record.history.gradient_norm, [7.0, 7e200, 7e-200], rtol=1e-14)


def test_the_callback_gets_the_number_of_steps_that_are_done():
    seen = []
    record = RunRecord("first", lambda *entry: seen.append(entry))
    for k, model in enumerate(("first", "second", "third")):
        record.add(model, 0.5 ** k, (np.array([3.0, 4.0]),))
    assert seen == [(0, "first", 1.0, 5.0), (1, "second", 0.5, 5.0), (2, "third", 0.25, 5.0)]


def test_stop_iteration_of_the_callback_ends_the_run_after_the_entry():
    def stop(*entry):
        raise StopIteration

    record = RunRecord("first", stop)
    with pytest.raises(Ended, match="^the callback ended the run$"):
        record.add("second", 1.0, (np.ones(3),))
    assert record.model == "second"


def test_before_the_first_value_there_is_no_step_and_no_history():
    there = RunRecord("first", None).error("at once").result
    assert there.steps == 0
    assert there.history.value.shape == (0,)
    assert there.history.gradient_norm.shape == (0,)


def test_an_entry_whose_model_did_not_arrive_does_not_count():
    """Ctrl-C between the two."""
    class Interrupted(list):
        def append(self, entry):
            super().append(entry)
            raise KeyboardInterrupt

    record = RunRecord("first", None)
    record.entries = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        record.add("second", 1.0, (np.ones(3),))
    assert record.model == "first"
    assert len(record.history.value) == 0


def three_steps():
    record = RunRecord("first", None)
    for k, model in enumerate(("first", "second", "third")):
        record.add(model, 0.5 ** k, (np.array([3.0, 4.0]),), velocity=k)
    return record


def test_a_result_has_the_value_and_the_gradient_norm_of_its_model():
    record = RunRecord("first", None)
    for k in range(3):
        record.add("model", 7.0 - k, (np.array([3.0, 4.0]) * k,))
    result = record.result("done")
    assert result.value == 5.0
    assert result.gradient_norm == 10.0


def test_a_record_that_continues_a_result_enters_its_last_model_anew():
    record = RunRecord(three_steps().result("done"), None)
    assert record.model == "third"
    assert record.velocity == 2
    assert record.first == 2
    record.add("third", 0.25, (np.array([3.0, 4.0]),))
    record.add("fourth", 0.125, (np.array([3.0, 4.0]),))
    assert np.array_equal(record.history.value, [1.0, 0.5, 0.25, 0.125])


@pytest.mark.parametrize("make, kind, text", [
    (lambda record: record.error("too steep"), DescentError,
     "too steep; the last good model, after 2 steps, is in .result"),
    (lambda record: record.interruption(), DescentInterrupted,
     "interrupted after 2 steps; the last good model is in .result"),
])
def test_an_exception_carries_the_last_good_model_also_when_pickled(make, kind, text):
    made = make(three_steps())
    for error in (made, pickle.loads(pickle.dumps(made))):
        assert type(error) is kind
        assert str(error) == text
        assert error.result.model == "third"
        assert error.result.interrupted == (kind is DescentInterrupted)
        assert np.array_equal(error.result.history.value, [1.0, 0.5, 0.25])


def test_a_result_is_shown_on_one_line():
    assert repr(three_steps().result("all steps are done")) == (
        "Descent(str, 2 steps, value 0.25, not converged: all steps are done)")
    assert "Descent(str, 0 steps, value nan" in repr(Descent("model", History([], [])))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs Matplotlib")
def test_a_history_can_be_drawn():
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    axes = three_steps().result("done", converged=True).plot()
    assert np.array_equal(axes.lines[0].get_ydata(), [1.0, 0.5, 0.25])
    assert axes.get_title() == "Descent(str, 2 steps, value 0.25, converged)"
    assert three_steps().result("done").plot(axes) is axes
    pyplot.close("all")
