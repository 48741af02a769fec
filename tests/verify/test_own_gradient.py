"""The gradient of a loss that nothing explains, against closed forms of that loss."""
import numpy as np
import pytest

from refsm.verify import Answer, cases
from refsm.verify.own_gradient import _slope, against_own_loss

CASES = cases("ism", "prime", model="gaussian")[:9]
CASE = CASES[0]
U = 0.7 - np.arange(CASE.d)


def first(f):
    """A loss that is a function of the first component of the mean alone."""
    return lambda case: float(f(case.theta["mean"][0]))


def judged(f, slope, fine=True):
    """With this gradient for the mean, and none for the precision, from every case."""
    answers = [Answer(0.0, gradient={"mean": slope(case.theta["mean"][0]) * np.eye(case.d)[0]})
               for case in CASES]
    return against_own_loss(first(f), CASES, answers, fine, 10.0)


@pytest.mark.parametrize("h", [0.5, 0.125])
def test_the_slope_of_a_cubic_is_its_derivative_and_its_third_order_term(h):
    """(s + h r)^3 - (s - h r)^3 = 6 s^2 h r + 2 h^3 r^3."""
    s, r = CASE.theta["mean"][0], U[0]
    slope = _slope(first(lambda s: s**3), CASE, "mean", U, h, 10.0)
    assert slope == pytest.approx(3 * s**2 * r + h**2 * r**3, rel=1e-12)


def test_the_slope_of_a_loss_that_does_not_answer_is_none():
    assert _slope(lambda case: "no number", CASE, "mean", U, 0.5, 10.0) is None


@pytest.mark.parametrize("fine", [True, False])
def test_a_right_gradient_of_a_cubic_is_found_right_and_one_percent_more_is_not(fine):
    """The slopes are off by what they differ at most: with a step of 1.5e-2 too."""
    findings, note = judged(lambda s: s**3, lambda s: 3 * s**2, fine)
    assert findings == []
    assert note.startswith("the gradient is the derivative of your own loss")
    factor = 1.01 if fine else 1.2
    (wrong,), note = judged(lambda s: s**3, lambda s: 3 * factor * s**2, fine)
    assert (wrong.block, wrong.kind, note) == ("mean", "own", "")


@pytest.mark.parametrize("fine, more", [(True, 1.5e-4), (False, 4.5e-2)])
def test_a_gradient_is_off_by_as_much_as_its_allowance(fine, more):
    """1e-4 or 3e-2 of |D| + |G|: half as much again of a slope alone."""
    assert judged(lambda s: s, lambda s: 1 + more, fine)[0] == []
    assert judged(lambda s: s, lambda s: 1 + 4 * more, fine)[0] != []


@pytest.mark.parametrize("w", [50, 1500])
def test_the_steps_are_small_beside_a_wave_or_their_gap_is_allowed_for(w):
    assert judged(lambda s: np.sin(w * s), lambda s: w * np.cos(w * s))[0] == []


def test_a_loss_that_does_not_move_is_not_judged():
    assert judged(lambda s: 7.0, lambda s: s)[1].startswith("the gradient is not compared")
