"""A loss of some of the points says which, and what that does to training."""
from types import SimpleNamespace

import numpy as np
import pytest

from refsm.verify import cases, verify
from refsm.verify.cases import per_sample
from refsm.verify.diagnosis.diagnose import diagnose
from refsm.verify.diagnosis.point_masks import (EDGE, INDICES, NO_GRADIENT, OTHER_DATA, WITHIN,
                                                is_mask)


def length(a):
    return np.sqrt((a * a).sum(axis=1))


MASKS = {
    "the first half of the points": lambda c: np.arange(c.n) < c.n // 2,
    "the first half of the points and the one in the middle":
        lambda c: np.arange(c.n) <= (c.n - 1) / 2,
    "the second half of the points": lambda c: np.arange(c.n) > (c.n - 1) / 2,
    "the second half of the points and the one in the middle":
        lambda c: np.arange(c.n) >= (c.n - 1) / 2,
    "every second point (the 1st, 3rd, ...)": lambda c: np.arange(c.n) % 2 == 0,
    "every second point (the 2nd, 4th, ...)": lambda c: np.arange(c.n) % 2 == 1,
    "the last point": lambda c: np.arange(c.n) == c.n - 1,
    "all but the last two points": lambda c: np.arange(c.n) < c.n - 2,
    "all but the last point": lambda c: np.arange(c.n) < c.n - 1,
    "all but the first point": lambda c: np.arange(c.n) > 0,
    "the first point": lambda c: np.arange(c.n) == 0,
    "the first two points": lambda c: np.arange(c.n) < 2,
    "the points in whole batches of four": lambda c: np.arange(c.n) < c.n - c.n % 4,
    "the points in whole batches of five": lambda c: np.arange(c.n) < c.n - c.n % 5}


@pytest.mark.parametrize("words", INDICES)
def test_indices_are_those_of_the_words_for_any_number_of_points(words):
    for n in range(2, 15):
        chosen = np.zeros(n, bool)
        chosen[INDICES[words](n)] = True
        assert (chosen == MASKS[words](SimpleNamespace(n=n))).all()


@pytest.mark.parametrize("objective", [                       # binary points are equal to others
    "ism", pytest.param("ratio", marks=pytest.mark.slow)])
@pytest.mark.parametrize("words", MASKS)
def test_points_are_named_by_their_indices(objective, words):
    (e, over_n) = (explained(objective, lambda c: per_sample(c)[MASKS[words](c)].mean()),
                   explained(objective, lambda c: per_sample(c) @ MASKS[words](c) / c.n))
    said = {"the loss is taken over " + words + " alone"}
    assert {e.mistakes[0].words, over_n.mistakes[0].words.replace(
        "summed", "taken").replace(", and divided by n", "")} == said
    assert ", and divided by n" in over_n.mistakes[0].words
    assert (e.factor.is_one, over_n.factor.is_one, e.mistakes[0].effect) == (True, True,
                                                                            NO_GRADIENT)
    assert [is_mask(each.mistakes[0].id) for each in (e, over_n)] == [True, True]


def explained(objective, loss):
    asked = cases(objective, "prime")
    rows = [f"points.{name}" for name in ("first", "not-first", "not-last", "not-last-of-n")]
    return diagnose(asked, [loss(case) for case in asked], left_out=rows).explanation


@pytest.mark.parametrize("objective, words, measure, effect", [
    ("dsm", "|x| < 2", lambda c: length(c.x) / 2, OTHER_DATA),
    ("dsm", "|x_noisy| < 2", lambda c: length(c.x_noisy) / 2, WITHIN),
    ("ism", "max |x_i| < 1.26", lambda c: abs(c.x).max(axis=1) / 1.26, EDGE),   # one has 1.25
    ("esm", "|x| < 2", lambda c: length(c.x) / 2, WITHIN),
    *(pytest.param(*slower, marks=pytest.mark.slow) for slower in (
        ("dae", "max |x_noisy_i| < 2", lambda c: abs(c.x_noisy).max(axis=1) / 2, WITHIN),
        ("parzen_esm", "|x| < 2", lambda c: length(c.x) / 2, NO_GRADIENT),
        ("multi_level", "|x| < 2", lambda c: length(c.x) / 2, OTHER_DATA)))])
def test_points_are_named_by_a_radius(objective, words, measure, effect):
    e = explained(objective, lambda c: 2 * per_sample(c) @ (measure(c) < 1) / c.n)
    assert e.mistakes[0].words == (f"the loss is summed over the points with {words} alone, and "
                                   "divided by n")
    assert (str(e.factor), e.mistakes[0].effect) == ("2", effect)
    assert is_mask(e.mistakes[0].id)


def test_points_are_listed_where_two_of_one_size_are_not_both_kept():
    """The largest entry of a point is 1.9921875 in c1, which is kept, and in c3, which is not."""
    def loss(c):
        size = abs(c.x).max(axis=1)
        return per_sample(c)[size <= 2 if c.group == "c1" else size < 1.99].mean()

    assert explained("ism", loss).mistakes[0].words.endswith(" of c5 alone")


@pytest.mark.slow
def test_equal_points_have_no_set_where_none_of_the_sets_has_a_name():
    def without_one_of_two(case):
        _, of, count = np.unique(case.x, axis=0, return_inverse=True, return_counts=True)
        return np.delete(per_sample(case), (count[of.ravel()] == 2).argmax()).mean()

    assert verify(without_one_of_two, "pseudo").verdict == "UNEXPLAINED"
    loss = lambda c: per_sample(c)[[0, 2, 3]].mean()                                 # noqa: E731
    assert verify(loss, "ism").convention.startswith("mask.the-points-1-3-4-of-c0")


@pytest.mark.slow
def test_points_of_no_pattern_are_listed_and_weights_of_points_are_not_taken_for_a_set():
    kept = {7: np.isin(range(7), [0, 3, 4]), 13: np.isin(range(13), [1, 2, 5, 11])}
    report = verify(lambda c: per_sample(c)[kept[c.n]].mean(), "dsm")
    assert report.verdict == "MISMATCH"
    assert report.name.startswith("the loss is taken over the points 1 4 5 of c0, 1 4 5 of c1, "
                                  "2 3 6 12 of c2, ")
    assert report.consequences == (NO_GRADIENT,)
    again = verify(lambda c: per_sample(c)[kept[c.n]].mean(), "dsm", convention=report.convention)
    assert (again.verdict, again.exit_status) == ("CONVENTION", 0)
    weighted = verify(lambda c: per_sample(c) @ (1 + (np.arange(c.n) < 2)) / c.n, "dsm")
    assert weighted.verdict == "UNEXPLAINED"
    factors = verify(lambda c: per_sample(c).mean() * (1 + c.x[0, 0]**2), "ism")
    assert (factors.verdict, factors.name[:30]) == ("CONVENTION", "every term of a group has the ")


def test_an_implicit_loss_of_the_points_within_a_radius_is_unbounded_below():
    """N(0, 1) and |x| < 1; the score falls by K, beyond its own, on the last 1 / K at both ends."""
    x = np.linspace(-1, 1, 400001)
    density = np.exp(-x * x / 2)
    values = []
    for K in (10.0, 100.0, 1000.0):
        steep = np.abs(x) > 1 - 1 / K
        psi = -x - np.sign(x) * K * np.where(steep, K * (np.abs(x) - 1 + 1 / K), 0)
        slope = -1 - K * K * steep
        values.append(((psi**2 / 2 + slope) * density).mean())
    assert values[2] < 5 * values[1] < 25 * values[0] < 0


@pytest.mark.parametrize("read, same", [("x", False), ("y", True)])
def test_a_mask_of_the_point_of_reading_keeps_the_minimiser_and_one_of_the_data_does_not(
        read, same):
    """x is 0 or 2, y = x + noise with noise -1, 0 or 1; the mean of x given y, and given x < 1."""
    x, y = (a.ravel() for a in np.broadcast_arrays([[0.0], [2.0]], [[-1.0, 0.0, 1.0], [1, 2, 3]]))
    kept = {"x": x < 1, "y": y < 2}[read]
    means = {at: x[kept & (y == at)].mean() for at in (-1.0, 0.0, 1.0)}
    every = {at: x[y == at].mean() for at in (-1.0, 0.0, 1.0)}
    assert (means == every) == same
