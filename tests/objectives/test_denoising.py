"""Denoising score matching: the definition, the cotangent, and what its expectation is."""
from fractions import Fraction

import numpy as np
import pytest
from example_energies import energies
from oracles import complex_gradient, relative_gap

from refsm.corruption import (CovarianceCorruption, DiagonalCorruption, GaussianCorruption,
                              ScaledCorruption)
from refsm.denoiser import tweedie_covariance
from refsm.energies.gaussian import Gaussian
from refsm.energies.mixture import GaussianMixture
from refsm.expectations import gauss_hermite, noisy_density, trapezoid
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


@each_corruption
def test_the_target_is_the_score_of_the_noisy_density_on_average(corruption, alpha, covariance):
    """Statement 16: E[target | x_noisy] = s_sigma, by Bayes' rule over five clean points."""
    rng = np.random.default_rng(5)
    x, probability = rng.standard_normal((5, D)), rng.dirichlet(np.ones(5))
    noisy = GaussianMixture(probability, alpha * x, np.broadcast_to(covariance, (5, D, D)))
    for x_noisy in rng.standard_normal((N, 1, D)):
        repeated = np.repeat(x_noisy, 5, axis=0)
        r = repeated - alpha * x
        posterior = probability * np.exp(-(r @ np.linalg.inv(covariance) * r).sum(axis=1) / 2)
        posterior /= posterior.sum()
        target = DenoisingScoreMatching(x, repeated, corruption).corruption.target(repeated, x)
        assert relative_gap(posterior @ target, noisy.score(x_noisy)[0]) < 1e-13


def test_the_least_value_is_the_variance_of_the_target_and_no_less():
    """Statement 17: d / (2 sigma^2) - 1/2 E |s_sigma|^2 = E tr Cov[x | x_noisy] / (2 sigma^4)."""
    q = GaussianMixture([0.3, 0.7], [[-0.8, 0.5], [0.6, -0.3]],
                        [[[0.6, 0.2], [0.2, 0.5]], [[0.5, -0.1], [-0.1, 0.7]]])
    sigma, d = 0.61, 2
    q_sigma = GaussianMixture(q.weights, q.means, q.covariances + sigma**2 * np.eye(d))
    x, x_noisy, weights = noisy_density(q, sigma, 121)
    J = DenoisingScoreMatching(x, x_noisy, sigma, weights=weights)
    floor = d / (2 * sigma**2) - weights @ (q_sigma.score(x_noisy) ** 2).sum(axis=1) / 2
    variance = np.trace(tweedie_covariance(q_sigma, x_noisy, sigma), axis1=1, axis2=2)
    assert abs(J.value(q_sigma) / floor - 1) < 1e-12
    assert abs(weights @ variance / (2 * sigma**4) / floor - 1) < 1e-12
    for model in energies(d):
        assert J.value(model) > floor


def test_times_sigma_squared_the_floor_falls_from_half_d_to_zero():
    """q = N(0, s^2 I): E |s_sigma|^2 = d / (s^2 + sigma^2), so levels do not weigh the same."""
    floors = {}
    for sigma in (0.01, 0.61, 100.0):
        x, x_noisy, weights = noisy_density((np.zeros(3), 1.7**2 * np.eye(3)), sigma, 25)
        J = DenoisingScoreMatching(x, x_noisy, sigma, weights=weights)
        floors[sigma] = sigma**2 * J.value(Gaussian(np.zeros(3), np.eye(3) / (1.7**2 + sigma**2)))
        assert abs(floors[sigma] / (1.5 * 1.7**2 / (1.7**2 + sigma**2)) - 1) < 1e-7
    assert floors[0.01] > 1.4999
    assert floors[100.0] < 0.001


def test_the_bias_of_the_smoothed_score_is_of_second_order_in_sigma():
    """Statement 19: s_sigma - s - sigma^2/2 grad(div s + |s|^2) falls like sigma^4."""
    q = energies()[3]
    x = data()[0]
    first = complex_gradient(
        lambda y: np.sum(q.score_divergence(y) + (q.score(y) ** 2).sum(axis=1)), x) / 2
    gaps = []
    for sigma in (0.08, 0.04):
        smoothed = GaussianMixture(q.weights, q.means, q.covariances + sigma**2 * np.eye(D))
        bias = smoothed.score(x) - q.score(x)
        gaps.append(np.abs(bias - sigma**2 * first).max())
        assert gaps[-1] < 0.1 * np.abs(bias).max()
    assert abs(gaps[0] / gaps[1] / 16 - 1) < 0.1                       # sigma halved: 2^-4


def test_the_variance_grows_as_the_noise_falls_unless_two_known_means_are_subtracted():
    """Statement 20 at one point, exactly over the noise: the term is a smooth function of it."""
    model = energies()[0]
    x = data()[0][:1]
    eps, weights = gauss_hermite((np.zeros(D), np.eye(D)), 13)
    jacobian = model.score_jacobian(x)[0]
    for sigma, near in ((1e-2, 0.1), (1e-3, 0.01)):
        clean = np.repeat(x, len(eps), axis=0)
        term = DenoisingScoreMatching(clean, x + sigma * eps, sigma).per_sample(model)
        known = (eps**2).sum(axis=1) / (2 * sigma**2) + eps @ model.score(x)[0] / sigma
        rest = term - known

        def variance(f):
            return weights @ (f - weights @ f) ** 2

        assert abs(variance(term) / (D / (2 * sigma**4)) - 1) < near
        assert abs(variance(rest) / (2 * (jacobian**2).sum()) - 1) < near
        assert abs(weights @ term - weights @ rest - D / (2 * sigma**2)) < 1e-12 * D / sigma**2


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
     "GaussianCorruption, but it is of type str"),
    (lambda x: DenoisingScoreMatching(x, x[:, :1], 0.5), ValueError,
     "x_noisy must have shape (7, 3), but its shape is (7, 1)"),
    (lambda x: DenoisingScoreMatching(x[:, :1], x[:, :1], CovarianceCorruption(A)), ValueError,
     "corruption must be of points with d = 1 as the data, but it has d = 3"),
])
def test_bad_input_is_one_sentence(make, error, sentence):
    with pytest.raises(error) as caught:
        make(data()[0])
    assert str(caught.value) == sentence
