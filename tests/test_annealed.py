"""Annealed Langevin: moments of Gaussian levels in closed form, the order of levels, refusals."""

import numpy as np
import pytest

import refsm
from refsm.annealed import annealed_langevin, annealed_steps

SIGMA = [3.0, 1.1, 0.4]


def levels(mean=2.0, variance=0.5):
    return [refsm.Gaussian([mean], [[1 / (variance + sigma**2)]]) for sigma in SIGMA]


def test_mean_and_variance_after_all_levels_are_those_of_the_recursion():
    """m <- m + h P (mean - m), V <- (1 - h P)^2 V + 2 h, at each level in turn."""
    step, steps, chains = annealed_steps(SIGMA, 0.05), 7, 60_000
    x = annealed_langevin(levels(), np.zeros((chains, 1)), step, steps, np.random.default_rng(0))
    m, V = 0.0, 0.0
    for model, h in zip(levels(), step):
        P = model.precision[0, 0]
        for _ in range(steps):
            m, V = m + h * P * (2.0 - m), (1 - h * P) ** 2 * V + 2 * h
    assert abs(x.mean() - m) < 5 * np.sqrt(V / chains)  # five standard errors
    assert abs(x.var() - V) < 5 * V * np.sqrt(2 / chains)


def test_it_is_one_chain_of_langevin_after_the_other():
    start, step = np.ones((5, 1)), [0.3, 0.2, 0.1]
    x, rng = start, np.random.default_rng(3)
    for model, h in zip(levels(), step):
        x = refsm.langevin(model, x, h, 4 + 1, rng)
    np.testing.assert_array_equal(
        annealed_langevin(levels(), start, step, 5, np.random.default_rng(3)), x
    )
    np.testing.assert_array_equal(start, np.ones((5, 1)))


def test_one_step_serves_all_levels():
    one = annealed_langevin(levels(), np.ones((5, 1)), 0.2, 3, np.random.default_rng(4))
    np.testing.assert_array_equal(
        one,
        annealed_langevin(levels(), np.ones((5, 1)), [0.2, 0.2, 0.2], 3, np.random.default_rng(4)),
    )


def test_the_callback_sees_every_level_and_step():
    seen = []
    x = annealed_langevin(
        levels(),
        np.ones((5, 1)),
        0.2,
        2 + 1,
        np.random.default_rng(4),
        callback=lambda level, k, x: seen.append((level, k, x)),
    )
    assert [(level, k) for level, k, _ in seen] == [
        (level, k) for level in range(3) for k in (1, 2, 3)
    ]
    np.testing.assert_array_equal(seen[-1][2], x)


def test_steps_are_the_smallest_times_the_ratio_of_variances():
    np.testing.assert_allclose(
        annealed_steps(SIGMA, 0.05), [0.05 * 9 / 0.16, 0.05 * 1.21 / 0.16, 0.05], rtol=1e-14
    )


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: annealed_langevin(
                levels()[0], np.ones((5, 1)), 0.1, 3, np.random.default_rng(0)
            ),
            TypeError,
            "^models must be a list of energies, one per level, but it is of type Gaussian$",
        ),
        (
            lambda: annealed_langevin([], np.ones((5, 1)), 0.1, 3, np.random.default_rng(0)),
            ValueError,
            "^models must have an energy for each level, but there is none$",
        ),
        (
            lambda: annealed_langevin(
                levels(), np.ones((5, 1)), [0.1, 0.2], 3, np.random.default_rng(0)
            ),
            ValueError,
            r"^step must have shape \(3,\)",
        ),
        (
            lambda: annealed_langevin(levels(), np.ones((5, 1)), -0.1, 3, np.random.default_rng(0)),
            ValueError,
            "^step must be finite and > 0",
        ),
        (
            lambda: annealed_langevin(levels(), np.ones((5, 1)), 0.1, 0, np.random.default_rng(0)),
            ValueError,
            "^steps must be a whole number >= 1",
        ),
        (
            lambda: annealed_langevin(levels(), np.ones((5, 1)), 0.1, 3, 0),
            TypeError,
            "^rng must be a numpy.random.Generator",
        ),
        (
            lambda: annealed_langevin([None], np.ones((5, 1)), 0.1, 3, np.random.default_rng(0)),
            TypeError,
            "^model must have a score",
        ),
        (
            lambda: annealed_steps([1.0, 0.0], 0.1),
            ValueError,
            r"^sigma must be > 0, but the smallest is 0\.0$",
        ),
        (lambda: annealed_steps([1.0, 0.5], 0.0), ValueError, "^smallest must be finite and > 0"),
    ],
)
def test_bad_input_is_one_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
