"""Effects over many batches, of all n that independent points can be, beside those of one batch."""
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from verify.mistakes.test_effects_established import (MEAN, SIGNS3, Affine, L, S, alone, case,
                                                      effect, is_least, minimiser)

from refsm.verify.cases.case import Case
from refsm.verify.mistakes.mistake import SQUARES

POINT = np.array([0, 0, 0, 1, 1])              # of five targets, which are equally probable
TARGET = np.random.default_rng(5).normal(size=(5, 3))
BEST = np.stack([TARGET[POINT == 0].mean(axis=0), TARGET[POINT == 1].mean(axis=0)])
FOUR = SIGNS3[SIGNS3.prod(axis=1) > 0]         # their covariance is the identity
SQUARE = {name: f for name, _, _, f, _, _ in SQUARES}
MANY = "over many batches of n independent points"


def sq(a):
    return (a * a).sum(axis=-1)


def over_batches(name, r, n):
    """The mean of a row over all batches of n residuals."""
    return np.mean([SQUARE[name](r[list(some)]).mean()
                    for some in itertools.product(range(len(r)), repeat=n)])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_squared_mean_has_the_same_minimiser_over_many_batches(n):
    """E |mean r|^2 = E |r|^2 / n + (1 - 1 / n) |E r|^2."""
    r = BEST[POINT] + [0.3, -0.7, 1.9] - TARGET
    mean = r.mean(axis=0)
    expected = sq(r).mean() / n + (1 - 1 / n) * sq(mean)
    assert over_batches("of-mean", r, n) == pytest.approx(expected, rel=1e-12)
    is_least(lambda u: over_batches("of-mean", u.reshape(2, 3)[POINT] - TARGET, n), BEST.ravel())
    assert minimiser(alone("esm", "square.of-mean"), case("esm")) == "free"    # on one batch
    assert effect("esm", "square.of-mean") == (
        f"on one batch only the mean is constrained, not its points; {MANY} the minimiser is the "
        "same, with a weight in proportion to 1 / n")


class Batches(Affine):
    """A score at all batches of n points, (n, batches, d)."""

    n = 1

    def psi(self, point=None):
        each = super().psi(point)
        return np.stack([*itertools.product(each, repeat=self.n)], axis=1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_norm_of_the_mean_learns_n_times_a_score_over_many_batches(n, monkeypatch):
    """E |mean psi|^2 + E tr J is least for n / 2 times the score."""
    monkeypatch.setattr("verify.mistakes.test_effects_established.Affine",
                        type("OfN", (Batches,), {"n": n}))
    given = Case("own/0", "own", "ism", "gaussian", {}, {"x": MEAN + FOUR @ L.T}, {})
    A, b = minimiser(alone("ism", "norm.of-mean"), given)
    assert np.allclose(A, -n / 2 * S, atol=1e-8)
    assert np.allclose(b, n / 2 * S @ MEAN, atol=1e-8)
    assert effect("ism", "norm.of-mean") == (
        f"on one batch alone the loss is unbounded below; {MANY} a multiple of the score is "
        "learned, in proportion to n")
    assert effect("regularized", "norm.of-mean").startswith("on one batch only the penalty holds")


def test_an_increasing_function_of_the_mean_square_can_have_another_minimiser_over_small_batches():
    """Targets 0, 0, 1 have the mean 1 / 3; the targets -1 and 1 are symmetric about 0."""
    def over_pairs(name, v, targets):
        return over_batches(name, v - np.array(targets)[:, None], 2)

    u = np.linspace(-1.5, 1.5, 3001)
    for name in ("root-mean", "log-mean"):
        one = [SQUARE[name](v - np.array([[0], [0], [1]]))[0] for v in u]
        assert u[np.argmin(one)] == pytest.approx(1 / 3, abs=1e-3)
        assert over_pairs(name, 1e-9, [0, 0, 1]) < over_pairs(name, 1 / 3, [0, 0, 1])
        assert effect("esm", f"square.{name}") == (
            "on one batch the minimiser is the same; over many small batches it can be another")
    at_0, *others = (over_pairs("root-mean", v, [-1, 1]) for v in (0, -0.3, 0.3))
    assert at_0 < min(others)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_mean_of_the_points_of_a_batch_has_an_nth_of_each(n):
    (row,) = alone("dae", "target.mean").mistakes
    batches = [list(some) for some in itertools.product(range(5), repeat=n)]

    def loss(u):
        return np.mean([sq(u.reshape(2, 3)[POINT[some]] - row.formula(SimpleNamespace(
            case=SimpleNamespace(x=TARGET[some])))).mean() for some in batches])

    is_least(loss, (BEST / n + (1 - 1 / n) * TARGET.mean(axis=0)).ravel())
    assert row.effect == (
        "1 / n of the right reconstruction is learned; the rest is the mean of the data")


@pytest.mark.parametrize("n", [2, 3])
def test_of_a_mean_that_is_subtracted_only_the_offset_is_free_over_many_batches(n):
    for name, offset in (("variance", [0.3, -0.7, 1.9]), ("of-all", [0.4, 0.4, 0.4])):
        least = over_batches(name, BEST[POINT] - TARGET, n)
        assert over_batches(name, BEST[POINT] + offset - TARGET, n) == pytest.approx(least)
        for e in 0.1 * np.eye(6).reshape(6, 2, 3):
            assert over_batches(name, (BEST + e)[POINT] - TARGET, n) > least


def test_a_root_of_the_mean_square_beside_a_divergence_is_least_at_0_or_nowhere():
    """E |psi|_batch - E psi.s, with s in 20 equally probable points; k s is a score too."""
    for longest, n, falls in ((9.0, 1, True), (9.0, 2, True), (3.0, 1, True), (0.9, 2, False)):
        s = np.full((20, 1), 0.1)
        s[0] = longest                                         # in root mean square 2, 0.7 and 0.2
        alone = np.where(s == longest, s, 0)                   # 0 but at that point
        values = [over_batches("root-mean", psi, n) - (psi * s).sum(axis=1).mean()
                  for psi in (s, 2 * s, alone, 2 * alone)]
        assert values[1::2] == pytest.approx([2 * values[0], 2 * values[2]], rel=1e-12)
        assert (values[2] < 0) == falls
        if (s * s).mean() > 1:
            assert values[0] < 0
    assert effect("ism", "norm.root-mean") == (
        "the best score is 0 everywhere, or it grows without end, as it does where the data's "
        "score is long in root mean square")
