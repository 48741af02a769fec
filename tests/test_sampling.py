"""Langevin chains and steps along the score: the chain's distribution is computed, not sampled."""
import math

import numpy as np
import pytest

from refsm.energies.bernoulli_rbm import BernoulliRBM
from refsm.energies.gaussian import Gaussian
from refsm.sampling import ascend_score, langevin

PRECISION = np.array([[2.0, 0.3, -0.1], [0.3, 1.2, 0.4], [-0.1, 0.4, 0.9]])
MEAN = np.array([0.7, -1.1, 2.3])
STEP = 0.37


class Dictated(np.random.Generator):
    """A generator that hands out given noise."""

    def __init__(self, noise):
        super().__init__(np.random.PCG64(0))
        self.noise = iter(noise)

    def standard_normal(self, shape):
        xi = next(self.noise)
        assert xi.shape == shape
        return xi


def one_step(x, xi):
    return langevin(Gaussian(MEAN, PRECISION), x, STEP, 1, Dictated([xi]))


def linear_maps():
    """A, B and a of one step x -> A x + B xi + a, read off the chain itself."""
    zero, one = np.zeros((3, 3)), np.eye(3)
    a = one_step(zero, zero)
    return (one_step(one, zero) - a).T, (one_step(zero, one) - a).T, a[0]


def test_the_stationary_covariance_is_that_of_the_exact_recursion():
    A, B, _ = linear_maps()
    V = np.zeros((3, 3))
    for _ in range(400):
        V = A @ V @ A.T + B @ B.T
    p, Q = np.linalg.eigh(PRECISION)
    exact = Q @ np.diag(1 / (p * (1 - STEP * p / 2))) @ Q.T
    assert np.allclose(V, exact, rtol=1e-12, atol=1e-14)


def test_the_stationary_mean_is_the_mean():
    A, _, a = linear_maps()
    assert np.allclose(np.linalg.solve(np.eye(3) - A, a), MEAN, rtol=1e-13)


def test_the_noise_has_variance_two_steps_and_the_drift_one():
    A, B, _ = linear_maps()
    assert np.allclose(A, np.eye(3) - STEP * PRECISION, atol=1e-15)
    assert np.allclose(B @ B.T, 2 * STEP * np.eye(3), atol=1e-15)


def test_a_chain_is_its_steps_one_after_the_other_with_fresh_noise():
    rng = np.random.default_rng(3)
    x, noise = rng.standard_normal((5, 3)), rng.standard_normal((7, 5, 3))
    by_hand = x
    for xi in noise:
        by_hand = by_hand - STEP * (by_hand - MEAN) @ PRECISION + math.sqrt(2 * STEP) * xi
    assert np.allclose(langevin(Gaussian(MEAN, PRECISION), x, STEP, 7, Dictated(noise)),
                       by_hand,
                       rtol=1e-13)


def test_chains_of_a_generator_have_the_stationary_variance():
    x = langevin(Gaussian(MEAN, PRECISION), np.zeros((20000, 3)), STEP, 60,
                 np.random.default_rng(8))
    p, Q = np.linalg.eigh(PRECISION)
    exact = 1 / (p * (1 - STEP * p / 2))
    # five standard deviations of a variance
    assert np.allclose(np.var((x - MEAN) @ Q, axis=0) / exact, 1, atol=5 * math.sqrt(2 / 20000))


def test_the_ascent_is_the_chain_without_noise():
    x = np.random.default_rng(5).standard_normal((5, 3))
    still = langevin(Gaussian(MEAN, PRECISION), x, STEP, 6, Dictated(np.zeros((6, 5, 3))))
    assert np.array_equal(ascend_score(Gaussian(MEAN, PRECISION), x, STEP, 6), still)


def test_one_step_of_the_noise_variance_is_the_posterior_mean():
    """Data N(0, s^2), noisy density N(0, s^2 + sigma^2), posterior mean x s^2 / (s^2 + sigma^2)."""
    s, sigma = 1.7, 0.6
    noisy = Gaussian(np.zeros(3), np.eye(3) / (s**2 + sigma**2))
    x = np.random.default_rng(2).standard_normal((5, 3))
    assert np.allclose(ascend_score(noisy, x, sigma**2, 1),
                       x * s**2 / (s**2 + sigma**2),
                       rtol=1e-14)


def test_the_callback_sees_every_step_and_may_keep_it():
    x = np.ones((5, 3))
    path = []
    end = ascend_score(Gaussian(MEAN, PRECISION),
                       x,
                       STEP,
                       4,
                       callback=lambda k, at: path.append((k, at)))
    assert [k for k, _ in path] == [1, 2, 3, 4]
    assert np.array_equal(path[-1][1], end)
    assert np.array_equal(path[1][1], ascend_score(Gaussian(MEAN, PRECISION), x, STEP, 2))
    assert np.array_equal(x, np.ones((5, 3)))


def test_a_chain_that_leaves_the_finite_numbers_says_so():
    with pytest.raises(FloatingPointError,
                       match="^the chains left the finite numbers at step [0-9]+ of 900; "
                       "with a smaller step than 1000.0 they may not$"):
        ascend_score(Gaussian(MEAN, PRECISION), np.ones((5, 3)), 1000, 900)


class Steep:
    """A density-like thing whose score overflows at once."""

    def score(self, x):
        return 1e200 * x * 1e200 - 1e200 * x * 1e200


def test_overflow_and_nan_are_no_warnings_but_one_error():
    with pytest.raises(FloatingPointError, match="at step 1 of 3"):
        ascend_score(Steep(), np.ones((5, 3)), 0.1, 3)


@pytest.mark.parametrize("step, steps, x, error, message", [
    (0, 3, [[1.0, 2, 3]], ValueError, "step must be finite and > 0, but it is 0.0"),
    (0.1, 0, [[1.0, 2, 3]], ValueError, "steps must be a whole number >= 1, but it is 0"),
    (0.1, 2.5, [[1.0, 2, 3]], ValueError, "steps must be a whole number >= 1, but it is 2.5"),
    (0.1, True, [[1.0, 2, 3]], ValueError, "steps must be a whole number >= 1, but it is True"),
    (0.1, 3, [1.0, 2, 3], ValueError, r"x must have shape \(n, d\), but its shape is \(3,\)"),
])
def test_bad_arguments_are_refused_in_one_sentence(step, steps, x, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        ascend_score(Gaussian(MEAN, PRECISION), x, step, steps)
    with pytest.raises(error, match=f"^{message}$"):
        langevin(Gaussian(MEAN, PRECISION), x, step, steps, np.random.default_rng(0))


def test_what_has_no_score_is_refused():
    with pytest.raises(TypeError, match="^callback must be a function, but it is of type str$"):
        ascend_score(Gaussian(MEAN, PRECISION), np.ones((5, 3)), 0.1, 3, callback="x")
    with pytest.raises(TypeError, match="^model must have a score, but it is of type dict$"):
        ascend_score({}, [[1.0]], 0.1, 3)
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator"):
        langevin(Gaussian(MEAN, PRECISION), np.ones((5, 3)), 0.1, 3, 7)
    with pytest.raises(TypeError, match="binary points"):
        ascend_score(BernoulliRBM(np.ones((5, 3)), np.ones(5), np.ones(3)), np.ones((7, 3)), 0.1, 3)
