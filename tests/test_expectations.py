"""Exact expectations: rules against closed forms and each other, levels that agree, pairs."""
import numpy as np
import pytest
from oracles import relative_gap
from scipy import integrate
from scipy.stats import multivariate_normal

from refsm import expectations
from refsm.corruption import CovarianceCorruption, GaussianCorruption, ScaledCorruption
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian import Gaussian
from refsm.energies.mixture import GaussianMixture
from refsm.energies.parzen import Parzen
from refsm.expectations import (box, expectation, gauss_hermite, noisy_density, noisy_pairs,
                                trapezoid)
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching

MEAN, S = np.array([0.7, -0.4]), np.array([[0.5, 0.2], [0.2, 0.9]])
MIXTURE = GaussianMixture([0.35, 0.65], [[-1.0, 0.5], [0.8, -0.4]],
                          [[[0.6, 0.2], [0.2, 0.5]], [[0.5, -0.3], [-0.3, 0.7]]])
STANDARD = (np.zeros(1), np.eye(1))
C = np.array([[0.3, 0.1], [0.1, 0.2]])
CORRUPTIONS = {
    "isotropic": GaussianCorruption(0.61),
    "a number": 0.61,
    "covariance": CovarianceCorruption(C),
    "scaled": ScaledCorruption(0.8, 0.61)
}


def moments(rule):
    mean = rule.weights @ rule.nodes
    centred = rule.nodes - mean
    return mean, (centred * rule.weights[:, None]).T @ centred


def mixture_moments(weights, means, covariances):
    mean = weights @ means
    centred = means - mean
    between = (centred * weights[:, None]).T @ centred
    return mean, np.tensordot(weights, covariances, axes=1) + between


@pytest.mark.parametrize("rule", [lambda density: trapezoid(density),
                                  lambda density: trapezoid(density, 33),
                                  lambda density: gauss_hermite(density, 3)],
                         ids=["trapezoid", "trapezoid 33", "gauss_hermite"])
@pytest.mark.parametrize("density, mean, covariance", [
    ((MEAN, S), MEAN, S),
    (Gaussian(MEAN, np.linalg.inv(S)), MEAN, S),
    (MIXTURE, *mixture_moments(MIXTURE.weights, MIXTURE.means, MIXTURE.covariances)),
    (Parzen([[0.5, 1.5], [-1.0, 0.3], [2.0, 0.1]], 0.3),
     *mixture_moments(np.full(3, 1 / 3), np.array([[0.5, 1.5], [-1.0, 0.3], [2.0, 0.1]]),
                      np.broadcast_to(0.09 * np.eye(2), (3, 2, 2)))),
], ids=["pair", "Gaussian", "mixture", "Parzen"])
def test_every_rule_has_the_mass_mean_and_covariance_of_every_density(rule, density, mean,
                                                                      covariance):
    made = rule(density)
    assert abs(made.weights.sum() - 1) < 1e-13
    found_mean, found_covariance = moments(made)
    assert relative_gap(found_mean, mean) < 1e-13
    assert relative_gap(found_covariance, covariance) < 1e-13


def test_gauss_hermite_is_exact_for_polynomials_up_to_its_degree_and_not_beyond():
    nodes, weights = gauss_hermite(STANDARD, 3)
    x = nodes[:, 0]
    for power, moment in [(0, 1), (1, 0), (2, 1), (3, 0), (4, 3), (5, 0)]:
        assert abs(weights @ x**power - moment) < 1e-14
    assert abs(weights @ x**6 - 15) > 1


def test_the_trapezoid_rule_beats_gauss_hermite_for_the_slopes_of_a_sigmoid():
    exact = integrate.quad(lambda z: np.tanh(z)**2 * np.exp(-z * z / 2) / np.sqrt(2 * np.pi),
                           -12, 12, epsabs=1e-14, epsrel=1e-13, limit=200)[0]

    def error(rule, size):
        nodes, weights = rule(STANDARD, size)
        return abs(weights @ np.tanh(nodes[:, 0]) ** 2 - exact)

    assert error(trapezoid, 81) < 1e-14
    assert 1e-11 < error(gauss_hermite, 81) < 1e-9
    assert 1e-8 < error(gauss_hermite, 40) < 1e-6


def test_in_two_dimensions_too():
    def f(x):
        return np.tanh(x[:, 0] + x[:, 1] / 2) ** 2 * np.tanh(x[:, 1]) ** 2

    density = np.zeros(2), np.eye(2)
    fine = trapezoid(density, 201)
    exact = fine.weights @ f(fine.nodes)
    for rule, size, least, most in [(trapezoid, 81, 0, 1e-14), (gauss_hermite, 40, 1e-9, 1e-6)]:
        nodes, weights = rule(density, size)
        assert least <= abs(weights @ f(nodes) - exact) < most


def test_a_box_integrates_what_it_covers():
    nodes, weights = box([0.0, -1.0], [1.0, 2.0], 5)
    assert nodes.shape == (25, 2)
    assert nodes.min(axis=0).tolist() == [0.0, -1.0]
    assert nodes.max(axis=0).tolist() == [1.0, 2.0]
    assert abs(weights.sum() - 3) < 1e-15
    # the rule is exact for what is linear in each
    assert abs(weights @ (nodes[:, 0] * nodes[:, 1]) - 0.5 * 1.5) < 1e-15
    # a corner is an end twice
    assert abs(weights[0] - 0.25 * 0.75 / 4) < 1e-16
    assert box([0.0], [1.0], 2).weights.tolist() == [0.5, 0.5]


def test_a_box_finds_the_partition_function_of_an_energy():
    precision = np.linalg.inv(S)
    nodes, weights = box(MEAN - 8, MEAN + 8, 161)
    Z = weights @ np.exp(-Gaussian(MEAN, precision).energy(nodes))
    assert abs(Z / (2 * np.pi * np.sqrt(np.linalg.det(S))) - 1) < 1e-13


def test_nodes_are_a_tensor_in_three_dimensions():
    mean, covariance = np.array([1.0, 2.0, 3.0]), np.diag([0.25, 1.0, 4.0])
    made = gauss_hermite((mean, covariance), 5)
    assert made.nodes.shape == (125, 3)
    found_mean, found_covariance = moments(made)
    assert relative_gap(found_mean, mean) < 1e-14
    assert relative_gap(found_covariance, covariance) < 1e-13


def test_the_trapezoid_weights_are_the_density():
    nodes, weights = trapezoid((MEAN, S), 5)
    h = 2 * 9.0 / (5 - 1)
    inner = np.abs(np.linalg.solve(np.linalg.cholesky(S), (nodes - MEAN).T).T).max(axis=1) < 8
    density = multivariate_normal(MEAN, S).pdf(nodes) * np.sqrt(np.linalg.det(S))
    assert relative_gap(weights[inner], density[inner] * h**2) < 1e-13
    assert abs(np.abs(nodes - MEAN).max() -
               9 * max(np.abs(np.linalg.cholesky(S)).sum(axis=1))) < 1e-13


def test_an_expectation_doubles_until_two_levels_agree():
    sizes = []

    def f(x):
        sizes.append(len(x))
        return np.tanh(2 * x[:, 0]) ** 2

    value, error, size = expectation(f, STANDARD)
    assert sizes[:3] == [21, 41, 81]
    assert sizes[-1] == size
    exact = integrate.quad(lambda z: np.tanh(2 * z)**2 * np.exp(-z * z / 2) / np.sqrt(2 * np.pi),
                           -12, 12, epsabs=1e-14, epsrel=1e-13, limit=200)[0]
    assert abs(value - exact) < 1e-14
    assert error < 1e-13
    coarse = trapezoid(STANDARD, size // 2 + 1)
    assert abs(error - abs(value - coarse.weights @ np.tanh(2 * coarse.nodes[:, 0]) ** 2)) < 1e-15


def test_an_expectation_that_is_zero_and_one_of_many_numbers_settle_too():
    value, error, _ = expectation(lambda x: np.tanh(x), (np.zeros(2), S))
    assert value.shape == (2,)
    assert np.abs(value).max() < 1e-14
    assert error < 1e-13
    value, _, size = expectation(lambda x: x[:, :, None] * x[:, None, :], (MEAN, S),
                                 rule=gauss_hermite,
                                 size=3)
    assert relative_gap(value, S + np.outer(MEAN, MEAN)) < 1e-13
    assert size == 5


def test_the_tolerance_is_relative_to_the_size_of_f():
    _, error, size = expectation(lambda x: 1e6 * np.tanh(3 * x[:, 0])**2, STANDARD, tolerance=1e-3)
    _, fine_error, fine_size = expectation(lambda x: 1e6 * np.tanh(3 * x[:, 0])**2,
                                           STANDARD,
                                           tolerance=1e-9)
    assert size < fine_size
    assert fine_error < 1e-3 < error < 1e3


def test_an_expectation_that_never_settles_is_refused(monkeypatch):
    monkeypatch.setattr(expectations, "MOST", 41**2)
    with pytest.raises(RuntimeError, match=r"^two levels must agree to 1e-13 of E\|f\| with at "
                       r"most 1681 nodes, but they still differ by \d.\de-0\d$"):
        expectation(lambda x: (x[:, 0] > 0.3).astype(float), (np.zeros(2), np.eye(2)))
    # the most is allowed
    assert expectation(lambda x: np.ones(len(x)), (np.zeros(2), np.eye(2)),
                       tolerance=1e-6).size == 41


@pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS.keys())
def test_the_pairs_of_a_finite_set_have_the_law_of_the_corruption(corruption):
    clean = np.array([[0.5, 1.0], [-0.3, 0.2], [2.0, -1.0]])
    probability = np.array([0.2, 0.5, 0.3])
    process = GaussianCorruption(corruption) if isinstance(corruption, float) else corruption
    covariance = process.covariance_times(np.eye(2))
    x, x_noisy, weights = noisy_pairs((clean, probability), corruption, 33)
    assert x.shape == x_noisy.shape == (3 * 33**2, 2)
    assert np.array_equal(x[:: 33**2], clean)
    for k in range(3):
        rows = slice(k * 33**2, (k + 1) * 33**2)
        assert abs(weights[rows].sum() - probability[k]) < 1e-14
        mean, found = moments(expectations.Rule(x_noisy[rows], weights[rows] / probability[k]))
        assert relative_gap(mean, process.alpha * clean[k]) < 1e-13
        assert relative_gap(found, covariance) < 1e-13
    weights = noisy_pairs(clean, corruption, 33).weights
    assert relative_gap(weights.reshape(3, -1).sum(axis=1), np.full(3, 1 / 3)) < 1e-14


@pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS.keys())
def test_the_pairs_of_a_density_have_the_joint_moments(corruption):
    process = GaussianCorruption(corruption) if isinstance(corruption, float) else corruption
    alpha, covariance = process.alpha, process.covariance_times(np.eye(2))
    of_mixture = mixture_moments(MIXTURE.weights, MIXTURE.means, MIXTURE.covariances)
    for density, (mean, clean) in (((MEAN, S), (MEAN, S)), (MIXTURE, of_mixture)):
        x, x_noisy, weights = noisy_density(density, corruption, 33)
        assert abs(weights.sum() - 1) < 1e-13
        found_mean, found = moments(expectations.Rule(np.hstack([x, x_noisy]), weights))
        assert relative_gap(found_mean, np.concatenate([mean, alpha * mean])) < 1e-13
        expected = np.block([[clean, alpha * clean],
                             [alpha * clean, alpha**2 * clean + covariance]])
        assert relative_gap(found, expected) < 1e-13


def test_the_order_of_the_clean_points_sets_the_degree_in_them():
    sigma = 0.61
    for order, exact in ((2, False), (3, True)):
        x, x_noisy, weights = noisy_density((np.zeros(1), np.eye(1)), sigma, 33, order)
        assert len(x) == 33 * order
        # E of the noise to the fourth
        fourth = weights @ (x - x_noisy)[:, 0] ** 4
        assert bool(abs(fourth / (3 * sigma**4) - 1) < 1e-13) is exact


def test_pairs_keep_their_digits_where_the_noise_is_small():
    x, x_noisy, weights = noisy_density((MEAN, S), 1e-7, 33)
    noise = weights @ ((x_noisy - x) ** 2)
    # x and x_noisy themselves are rounded to 1e-16
    assert relative_gap(noise, np.full(2, 1e-14)) < 1e-7


def test_thin_densities_in_thin_noise_have_a_symmetric_posterior_covariance():
    def thin(angle, *variances):
        Q = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        covariance = Q @ np.diag(variances) @ Q.T
        return (covariance + covariance.T) / 2

    x, x_noisy, weights = noisy_density((MEAN, thin(0.5, 1.0, 1e-7)),
                                        CovarianceCorruption(thin(1.1, 1e-7, 1.0)), 33)
    _, found = moments(expectations.Rule(x_noisy - x, weights))
    # the two covariances have a condition of 1e7
    assert relative_gap(found, thin(1.1, 1e-7, 1.0)) < 1e-8


def test_rows_may_come_as_a_tuple_unless_they_look_like_a_pair():
    assert noisy_pairs(((0.5,), (1.5,), (2.5,)), 0.5, 5).x[::5].tolist() == [[0.5], [1.5], [2.5]]


def test_the_default_sizes():
    assert trapezoid(STANDARD).nodes.shape == (81, 1)
    assert noisy_pairs([[0.5]], 0.5).x.shape == (81, 1)
    assert noisy_density(STANDARD, 0.5).x.shape == (81 * 2, 1)


def test_an_expectation_of_nothing_is_zero():
    assert expectation(lambda x: 0 * x[:, 0], STANDARD) == (0, 0, 41)


@pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS.keys())
def test_the_expected_denoising_loss_is_the_same_from_pairs_and_from_the_noisy_density(corruption):
    """E J_DSM = E J_ISM at the noisy density + 1/2 E |target|^2, for both kinds of pairs."""
    rng = np.random.default_rng(0)
    W, b, c = rng.standard_normal((3, 2)), rng.standard_normal(3), rng.standard_normal(2)
    model = AutoencoderEnergy(W, b, c, sigma=0.8)
    process = GaussianCorruption(corruption) if isinstance(corruption, float) else corruption
    alpha, covariance = process.alpha, process.covariance_times(np.eye(2))
    constant = np.trace(np.linalg.inv(covariance)) / 2
    noisy = GaussianMixture(MIXTURE.weights, alpha * MIXTURE.means,
                            alpha**2 * MIXTURE.covariances + covariance)
    clean = rng.standard_normal((3, 2))
    parzen = GaussianMixture(np.full(3, 1 / 3), alpha * clean,
                             np.broadcast_to(covariance, (3, 2, 2)))
    for pairs, density in ((noisy_density(MIXTURE, corruption), noisy),
                           (noisy_pairs(clean, corruption), parzen)):
        x, x_noisy, weights = pairs
        denoising = DenoisingScoreMatching(x, x_noisy, corruption, weights=weights).value(model)
        nodes, weights = trapezoid(density, 121)
        implicit = ImplicitScoreMatching(nodes, weights=weights).value(model)
        explicit = ExplicitScoreMatching(nodes, density, weights=weights).value(model)
        square = expectation(lambda x, density=density: (density.score(x)**2).sum(axis=1), density,
                             size=61)
        information = square.value / 2
        assert abs(denoising - implicit - constant) < 1e-12 * abs(denoising)
        assert abs(explicit - implicit - information) < 1e-12 * abs(denoising)


@pytest.mark.parametrize("make, error, sentence", [
    (lambda: box([0.0], [0.0], 5), ValueError,
     "upper must exceed lower in every dimension, but they are [0.0] and [0.0]"),
    (lambda: box([0.0], [1.0, 2.0], 5), ValueError,
     "upper must have shape (1,), but its shape is (2,)"),
    (lambda: box([0.0], [1.0], 1), ValueError, "size must be at least 2, but it is 1"),
    (lambda: box([0.0], [1.0], 2.5), ValueError, "size must be a whole number >= 1, but it is 2.5"),
    (lambda: gauss_hermite(STANDARD, 0), ValueError,
     "size must be a whole number >= 1, but it is 0"),
    (lambda: trapezoid((np.zeros(3), np.eye(3)), 162), ValueError,
     "size must give at most 4194304 nodes, but "
     "162 along each of 3 dimensions, 1 times, are 4251528"),
    (lambda: gauss_hermite((np.zeros(23), np.eye(23)), 2), ValueError,
     "size must give at most 4194304 nodes, but "
     "2 along each of 23 dimensions, 1 times, are 8388608"),
    (lambda: trapezoid(MIXTURE, 1449), ValueError,
     "size must give at most 4194304 nodes, but "
     "1449 along each of 2 dimensions, 2 times, are 4199202"),
    (lambda: gauss_hermite(MIXTURE, 1449), ValueError,
     "size must give at most 4194304 nodes, but "
     "1449 along each of 2 dimensions, 2 times, are 4199202"),
    (lambda: noisy_pairs(np.ones((1000, 2)), 0.5), ValueError,
     "size must give at most 4194304 nodes, but "
     "81 along each of 2 dimensions, 1000 times, are 6561000"),
    (lambda: noisy_density(MIXTURE, 0.5, order=20), ValueError,
     "size must give at most 4194304 nodes, but "
     "81 along each of 2 dimensions, 800 times, are 5248800"),
    (lambda: trapezoid((np.zeros(3), np.eye(5))), ValueError,
     "covariance must have shape (3, 3), but its shape is (5, 5)"),
    (lambda: trapezoid((np.zeros(2), -np.eye(2))), ValueError,
     "covariance must be positive definite, but its smallest eigenvalue is -1"),
    (lambda: trapezoid(np.zeros(3)), TypeError,
     "density must be a pair (mean, covariance), a Gaussian, a mixture of Gaussians or a Parzen "
     "density, but it is of type ndarray"),
    (lambda: noisy_pairs((np.ones((3, 2)), np.ones(5)), 0.5), ValueError,
     "weights must have shape (3,), but its shape is (5,)"),
    (lambda: noisy_pairs(np.ones(3), 0.5), ValueError,
     "x must have shape (n, d), but its shape is (3,)"),
    (lambda: noisy_pairs(np.ones((3, 5)), CovarianceCorruption(C)), ValueError,
     "x must have shape (n, 2), but its shape is (3, 5)"),
    (lambda: noisy_density(STANDARD, CovarianceCorruption(C)), ValueError,
     "corruption must be of points with d = 1 as the data, but it has d = 2"),
    (lambda: noisy_pairs(np.ones((3, 2)), -0.5), ValueError,
     "corruption must be finite and > 0, but it is -0.5"),
])
def test_bad_input_is_one_sentence(make, error, sentence):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == sentence


def test_the_largest_rule_is_allowed():
    assert gauss_hermite((np.zeros(2), np.eye(2)), 3).weights.shape == (9,)
    expectations._check_size(2, 22, 1)
    expectations._check_size(2, 21, 2)
