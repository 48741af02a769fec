"""Denoising score matching: the definition, the cotangent, and what its expectation is."""
from fractions import Fraction

import numpy as np
import pytest
from oracles import complex_gradient, relative_gap
from test_score_matching import energies

from refsm.corruption import (CovarianceCorruption, DiagonalCorruption, GaussianCorruption,
                              ScaledCorruption)
from refsm.energies.mixture import GaussianMixture
from refsm.expectations import noisy_density, trapezoid
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching

N, D = 7, 3
A = np.array([[0.5, 0.2, -0.1], [0.2, 0.7, 0.3], [-0.1, 0.3, 0.9]])
CORRUPTIONS = {
    "isotropic": (GaussianCorruption(0.37), 1, 0.37**2 * np.eye(D)),
    "a number": (0.37, 1, 0.37**2 * np.eye(D)),
    "diagonal": (DiagonalCorruption([0.37, 0.61, 1.3]), 1, np.diag(np.square([0.37, 0.61, 1.3]))),
    "covariance": (CovarianceCorruption(A), 1, A),
    "scaled": (ScaledCorruption(0.8, 0.37), 0.8, 0.37**2 * np.eye(D))
}
each_corruption = pytest.mark.parametrize("corruption, alpha, covariance",
                                          CORRUPTIONS.values(),
                                          ids=CORRUPTIONS.keys())


def data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, D)), rng.standard_normal((N, D)), rng.uniform(0.5, 1.5, size=N)


@each_corruption
def test_the_term_is_half_the_squared_distance_to_the_score_of_the_corruption(
        corruption, alpha, covariance):
    x, x_noisy, weights = data()
    target = (alpha * x - x_noisy) @ np.linalg.inv(covariance)
    J = DenoisingScoreMatching(x, x_noisy, corruption, weights=weights)
    for model in energies():
        expected = ((model.score(x_noisy) - target) ** 2).sum(axis=1) / 2
        assert relative_gap(J.per_sample(model), expected) < 1e-13
        assert abs(J.value(model) / (weights @ expected) - 1) < 1e-13


@each_corruption
def test_the_cotangent_is_the_derivative_of_the_value(corruption, alpha, covariance):
    x, x_noisy, weights = data()
    J = DenoisingScoreMatching(x, x_noisy, corruption, weights=weights)
    score = np.random.default_rng(1).standard_normal((N, D))
    _, cotangents = J.evaluate(score=score)
    expected = complex_gradient(lambda moved: weights @ J.evaluate(score=moved)[0], score)
    assert relative_gap(cotangents["score"], expected) < 1e-14


@each_corruption
def test_the_gradient_is_the_complex_step_of_the_value(corruption, alpha, covariance):
    x, x_noisy, weights = data()
    J = DenoisingScoreMatching(x, x_noisy, corruption, weights=weights)
    for model in energies()[:3]:
        expected = complex_gradient(lambda vector, model=model: J.value(model.unravel(vector)),
                                    model.ravel())
        assert relative_gap(model.ravel(J.gradient(model)), expected) < 1e-12


def test_a_score_that_is_the_target_has_no_loss():
    x, x_noisy, _ = data()
    corruption = CORRUPTIONS["covariance"][0]
    J = DenoisingScoreMatching(x, x_noisy, corruption)
    assert not J.evaluate(score=corruption.score(x_noisy, x))[0].any()


def test_the_chain_of_constants():
    """Statements 3, 4, 5 with information = 1/2 E |grad log q_sigma|^2, for eight models."""
    q = GaussianMixture([0.3, 0.7], [[-0.8, 0.5], [0.6, -0.3]],
                        [[[0.6, 0.2], [0.2, 0.5]], [[0.5, -0.1], [-0.1, 0.7]]])
    sigma, d = 0.61, 2
    x, x_noisy, weights = noisy_density(q, sigma, 121)
    q_sigma = GaussianMixture(q.weights, q.means, q.covariances + sigma**2 * np.eye(d))
    y, y_weights = trapezoid(q_sigma, 121)
    information = y_weights @ (q_sigma.score(y) ** 2).sum(axis=1) / 2
    denoising = DenoisingScoreMatching(x, x_noisy, sigma, weights=weights)
    explicit = ExplicitScoreMatching(y, q_sigma, weights=y_weights)
    implicit = ImplicitScoreMatching(y, weights=y_weights)
    for seed in (3, 4):
        for model in energies(d, seed):
            (J_DSM, J_ESM, J_ISM), gradients = zip(*(J.value_and_gradient(model)
                                                     for J in (denoising, explicit, implicit)))
            bound = 1e-12 * (y_weights @ (model.score(y) ** 2).sum(axis=1) + d / sigma**2)
            assert abs(J_ESM - J_ISM - information) < bound                            # 3
            assert abs(J_DSM - J_ESM - (d / (2 * sigma**2) - information)) < bound     # 4
            assert abs(J_DSM - J_ISM - d / (2 * sigma**2)) < bound                     # 5
            ravelled = [model.ravel(gradient) for gradient in gradients]
            size = max(1, np.abs(ravelled[0]).max())
            assert max(np.abs(ravelled[0] - g).max() for g in ravelled[1:]) < 1e-11 * size


def test_one_point_in_tiny_and_in_huge_noise_keeps_its_digits():
    for sigma in (1e-8, 1e8):
        J = DenoisingScoreMatching([[0.0, 0.0]], [[sigma, -sigma]], sigma)
        term = J.evaluate(score=[[0.0, 0.0]])[0]
        assert abs(term[0] * sigma**2 - 1) < 1e-15


def test_exact_rationals():
    J = DenoisingScoreMatching(np.array([[Fraction(1, 3)]]), np.array([[Fraction(1, 2)]]),
                               ScaledCorruption(Fraction(1, 2), Fraction(1, 3)))
    terms, cotangents = J.evaluate(score=np.array([[Fraction(1)]]))
    assert terms[0] == Fraction(8)                 # target (1/6 - 1/2) 9 = -3, and (1 + 3)^2 / 2
    assert cotangents["score"][0, 0] == Fraction(4)


@pytest.mark.parametrize("make, error, sentence", [
    (lambda x: DenoisingScoreMatching(x, x, 0), ValueError,
     "corruption must be finite and > 0, but it is 0.0"),
    (lambda x: DenoisingScoreMatching(x, x, "a"), TypeError,
     "corruption must be a number sigma > 0 or a process such as "
     "GaussianCorruption, but it is a str"),
    (lambda x: DenoisingScoreMatching(x, x[:, :1], 0.5), ValueError,
     "x_noisy must have shape (7, 3), but its shape is (7, 1)"),
    (lambda x: DenoisingScoreMatching(x[:, :1], x[:, :1], CovarianceCorruption(A)), ValueError,
     "corruption must be of points with d = 1 as the data, but it has d = 3"),
])
def test_bad_input_is_one_sentence(make, error, sentence):
    with pytest.raises(error) as caught:
        make(data()[0])
    assert str(caught.value) == sentence
