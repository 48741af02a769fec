"""Tweedie's formula against Bayes' rule on finitely many clean points, for every corruption."""
import numpy as np
import pytest
from oracles import relative_gap

from refsm.corruption import (CovarianceCorruption, DiagonalCorruption, GaussianCorruption,
                              ScaledCorruption)
from refsm.denoiser import tweedie, tweedie_covariance
from refsm.energies.bernoulli_rbm import BernoulliRBM
from refsm.energies.gaussian import Gaussian
from refsm.energies.mixture import GaussianMixture

K, N, D = 5, 7, 3
C = np.array([[0.5, 0.2, -0.1], [0.2, 0.7, 0.3], [-0.1, 0.3, 0.9]])
CASES = {
    "isotropic": (GaussianCorruption(0.6), 1, 0.36 * np.eye(D)),
    "a number": (0.6, 1, 0.36 * np.eye(D)),
    "diagonal": (DiagonalCorruption([0.37, 0.61, 1.3]), 1, np.diag(np.square([0.37, 0.61, 1.3]))),
    "covariance": (CovarianceCorruption(C), 1, C),
    "scaled": (ScaledCorruption(0.7, 0.6), 0.7, 0.36 * np.eye(D))
}


def posterior(x, probability, x_noisy, alpha, covariance):
    """Mean and covariance by Bayes' rule, one clean point after the other."""
    r = x_noisy[:, None, :] - alpha * x
    weight = probability * np.exp(-np.einsum("nki,ij,nkj->nk", r, np.linalg.inv(covariance), r) / 2)
    weight /= weight.sum(axis=1, keepdims=True)
    mean = weight @ x
    centred = x - mean[:, None, :]
    return mean, np.einsum("nk,nki,nkj->nij", weight, centred, centred)


@pytest.mark.parametrize("corruption, alpha, covariance", CASES.values(), ids=CASES.keys())
def test_the_posterior_mean_and_covariance_are_those_of_the_posterior_weights(
        corruption, alpha, covariance):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((K, D))
    x_noisy = rng.standard_normal((N, D))
    probability = rng.dirichlet(np.ones(K))
    noisy = GaussianMixture(probability, alpha * x, np.broadcast_to(covariance, (K, D, D)))
    mean, covariance_given = posterior(x, probability, x_noisy, alpha, covariance)
    assert relative_gap(tweedie(noisy, x_noisy, corruption), mean) < 1e-13
    assert relative_gap(tweedie_covariance(noisy, x_noisy, corruption), covariance_given) < 1e-13
    assert relative_gap(tweedie(noisy.score(x_noisy), x_noisy, corruption), mean) < 1e-13
    J = noisy.score_jacobian(x_noisy)
    assert relative_gap(tweedie_covariance(J, x_noisy, corruption), covariance_given) < 1e-13


def test_a_gaussian_prior_has_the_textbook_posterior():
    rng = np.random.default_rng(1)
    mean, x_noisy = rng.standard_normal(D), rng.standard_normal((N, D))
    A = rng.standard_normal((D, D))
    S = A @ A.T + np.eye(D)
    alpha, sigma = 0.7, 0.45
    noisy = Gaussian(alpha * mean, np.linalg.inv(alpha**2 * S + sigma**2 * np.eye(D)))
    precision = np.linalg.inv(S) + alpha**2 / sigma**2 * np.eye(D)
    expected = np.linalg.solve(precision,
                               np.linalg.solve(S, mean)[:, None] + alpha * x_noisy.T / sigma**2).T
    corruption = ScaledCorruption(alpha, sigma)
    assert relative_gap(tweedie(noisy, x_noisy, corruption), expected) < 1e-13
    assert relative_gap(tweedie_covariance(noisy, x_noisy, corruption),
                        np.broadcast_to(np.linalg.inv(precision), (N, D, D))) < 1e-13


def test_the_covariance_passes_the_precision_of_the_jacobian():
    J = -np.eye(D, dtype=np.longdouble)[None] / 3
    assert tweedie_covariance(J, np.zeros((1, D)), 0.6).dtype == np.longdouble


@pytest.mark.parametrize("make, error, sentence", [
    (lambda: tweedie(np.ones((N, 5)), np.ones((N, D)), 0.5), ValueError,
     "density must have shape (7, 3), but its shape is (7, 5)"),
    (lambda: tweedie_covariance(np.ones((N, D)), np.ones((N, D)), 0.5), ValueError,
     "density must have shape (7, 3, 3), but its shape is (7, 3)"),
    (lambda: tweedie(np.ones((N, 5)), np.ones((N, 5)), CovarianceCorruption(C)), ValueError,
     "x_noisy must have shape (n, 3), but its shape is (7, 5)"),
    (lambda: tweedie_covariance(np.ones((N, 5)), np.ones((N, 5)), CovarianceCorruption(C)),
     ValueError, "x_noisy must have shape (n, 3), but its shape is (7, 5)"),
    (lambda: tweedie(np.ones((N, D)), np.ones((N, D)), 0), ValueError,
     "corruption must be finite and > 0, but it is 0.0"),
    (lambda: tweedie("score", np.ones((N, D)), 0.5), TypeError,
     "density must be numbers, but its dtype is <U5"),
    (lambda: tweedie(BernoulliRBM(np.ones((5, D)), np.ones(5), np.ones(D)), np.ones((N, D)), 0.5),
     TypeError, "BernoulliRBM has no score: it is an energy of binary points with energy, gap"),
])
def test_bad_input_is_one_sentence(make, error, sentence):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == sentence
