"""The autoencoder's loss by itself, and as denoising score matching: statements 1 and 22."""
from fractions import Fraction

import numpy as np
import pytest
from oracles import complex_gradient, relative_gap

from refsm.activations import RATIONAL, SOFTPLUS
from refsm.checks import check_objective
from refsm.corruption import CovarianceCorruption, GaussianCorruption, ScaledCorruption
from refsm.denoiser import tweedie, tweedie_covariance
from refsm.directions import rational
from refsm.energies.autoencoder import AutoencoderEnergy, AutoencoderTheta
from refsm.energies.gaussian_bernoulli_rbm import GaussianBernoulliRBM
from refsm.energies.mixture import GaussianMixture
from refsm.expectations import noisy_density
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.denoising_autoencoder import DenoisingAutoencoderLoss
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.rows import row_blocks

N, D, M = 7, 3, 5


def setting(seed=0, n=N):
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal(shape) for shape in ((n, D), (n, D), (M, D), M, D))


def test_the_term_is_the_squared_error_of_the_reconstruction():
    x, x_noisy, W, b, c = setting()
    reconstruction = [[
        sum(W[j, i] / (1 + np.exp(-(W[j] @ x_noisy[n] + b[j]))) for j in range(M)) + c[i]
        for i in range(D)
    ] for n in range(N)]
    expected = ((np.array(reconstruction) - x) ** 2).sum(axis=1)
    J = DenoisingAutoencoderLoss(x, x_noisy)
    assert relative_gap(J.per_sample(AutoencoderEnergy(W, b, c, sigma=0.37)), expected) < 1e-14
    assert relative_gap(J.evaluate(reconstruction=reconstruction)[0], expected) < 1e-14


def test_sigma_is_no_part_of_this_loss():
    x, x_noisy, W, b, c = setting()
    J = DenoisingAutoencoderLoss(x, x_noisy)
    narrow, wide = (AutoencoderEnergy(W, b, c, sigma=sigma) for sigma in (0.37, 1.7))
    assert J.value(narrow) == J.value(wide)


def test_backpropagation_is_the_complex_step_of_the_value():
    x, x_noisy, W, b, c = setting()
    J = DenoisingAutoencoderLoss(x, x_noisy, weights=np.random.default_rng(1).uniform(size=N))
    model = AutoencoderEnergy(W, b, c, sigma=0.37)
    expected = complex_gradient(lambda vector: J.value(model.unravel(vector)), model.ravel())
    gradient = J.gradient(model)
    assert isinstance(gradient, AutoencoderTheta)
    assert relative_gap(model.ravel(gradient), expected) < 1e-13


def test_the_cotangent_on_the_reconstruction_is_the_derivative_of_the_value():
    x, x_noisy, *_ = setting()
    weights = np.random.default_rng(2).uniform(size=N)
    J = DenoisingAutoencoderLoss(x, x_noisy, weights=weights)
    reconstruction = np.random.default_rng(3).standard_normal((N, D))
    _, cotangents = J.evaluate(reconstruction=reconstruction)
    expected = complex_gradient(lambda moved: weights @ J.evaluate(reconstruction=moved)[0],
                                reconstruction)
    assert relative_gap(cotangents["reconstruction"], expected) < 1e-14


@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_denoising_score_matching_is_a_denoising_autoencoder(sigma, weighted):
    x, eps, W, b, c = setting(4, n=257)
    x_noisy = x + sigma * eps
    weights = {"weights": np.random.default_rng(5).uniform(size=len(x))} if weighted else {}
    model = AutoencoderEnergy(W, b, c, sigma=sigma)
    dsm = DenoisingScoreMatching(x, x_noisy, GaussianCorruption(sigma), **weights)
    dae = DenoisingAutoencoderLoss(x, x_noisy, **weights)
    scale = 2 * sigma**4
    # psi and its target are each of the size of sigma^-2 times a point: x_noisy cancels to rounding
    assert abs(scale * dsm.value(model) / dae.value(model) - 1) < 1e-14
    assert relative_gap(scale * dsm.per_sample(model), dae.per_sample(model)) < 1e-14
    for left, right in zip(dsm.gradient(model), dae.gradient(model)):
        assert relative_gap(scale * left, right) < 1e-13


@pytest.mark.parametrize("sigma", [Fraction(1, 20), Fraction(3, 10), Fraction(17, 10)], ids=str)
def test_in_exact_rationals_the_gap_is_the_number_zero(sigma):
    x, eps, W, b, c = (rational(np.round(a * 16) / 16) for a in setting(6, n=3))
    x_noisy = x + sigma * eps
    model = AutoencoderEnergy(W, b, c, sigma=sigma, activation=RATIONAL)
    dsm, dae = DenoisingScoreMatching(x, x_noisy, sigma), DenoisingAutoencoderLoss(x, x_noisy)
    assert 2 * sigma**4 * dsm.value(model) - dae.value(model) == 0
    assert (2 * sigma**4 * dsm.per_sample(model) - dae.per_sample(model) == 0).all()
    for left, right in zip(dsm.gradient(model), dae.gradient(model)):
        assert (2 * sigma**4 * left - right == 0).all()
    assert dae.value(model) != 0


def test_another_noise_level_in_the_energy_breaks_the_identity():
    x, eps, W, b, c = setting()
    x_noisy = x + 0.3 * eps
    model = AutoencoderEnergy(W, b, c, sigma=0.4)
    left = 2 * 0.3**4 * DenoisingScoreMatching(x, x_noisy, 0.3).value(model)
    assert abs(left / DenoisingAutoencoderLoss(x, x_noisy).value(model) - 1) > 0.01


def test_scaled_noise_needs_scaled_clean_points_and_other_covariances_break_the_identity():
    x, eps, W, b, c = setting(8)
    sigma = 0.3
    model = AutoencoderEnergy(W, b, c, sigma=sigma)
    scaled = ScaledCorruption(0.8, sigma)
    x_noisy = scaled.noisy(x, eps)
    left = 2 * sigma**4 * DenoisingScoreMatching(x, x_noisy, scaled).per_sample(model)
    assert relative_gap(left, DenoisingAutoencoderLoss(0.8 * x, x_noisy).per_sample(model)) < 1e-13
    assert relative_gap(left, DenoisingAutoencoderLoss(x, x_noisy).per_sample(model)) > 0.01
    # the mean variance is sigma^2
    other = CovarianceCorruption(np.diag([0.06, 0.09, 0.12]))
    x_noisy = other.noisy(x, eps)
    left = 2 * sigma**4 * DenoisingScoreMatching(x, x_noisy, other).per_sample(model)
    assert relative_gap(left, DenoisingAutoencoderLoss(x, x_noisy).per_sample(model)) > 0.01


def test_the_same_holds_for_any_reconstruction_whatever():
    """Statement 22: no property of the reconstruction is used, not even that it is a function."""
    x, x_noisy, *_ = setting(9)
    sigma = 0.3
    reconstruction = np.random.default_rng(10).standard_normal((N, D))
    score = (reconstruction - x_noisy) / sigma**2
    dsm, dsm_cotangents = DenoisingScoreMatching(x, x_noisy, sigma).evaluate(score=score)
    dae, dae_cotangents = DenoisingAutoencoderLoss(x, x_noisy).evaluate(
        reconstruction=reconstruction)
    assert relative_gap(2 * sigma**4 * dsm, dae) < 1e-14
    # d psi / d reconstruction = 1 / sigma^2
    assert relative_gap(2 * sigma**2 * dsm_cotangents["score"],
                        dae_cotangents["reconstruction"]) < 1e-14


def test_with_a_decoder_of_its_own_psi_is_a_gradient_only_if_its_rows_are_multiples():
    _, x_noisy, W, b, c = setting(11)
    rng = np.random.default_rng(12)
    multiples = rng.standard_normal((M, 1)) * W

    def asymmetry(V):
        s = 1 / (1 + np.exp(-(x_noisy @ W.T + b)))
        J = np.einsum("nj,ji,jk->nik", s * (1 - s), V, W)      # d reconstruction / d x_noisy
        return np.abs(J - J.transpose(0, 2, 1)).max()

    assert asymmetry(W) < 1e-14                                # sums of M terms of order 1
    assert asymmetry(multiples) < 1e-14
    for j in range(M):                                         # one row is enough to break it
        V = multiples.copy()
        V[j] = rng.standard_normal(D)
        assert asymmetry(V) > 0.01


def test_both_sides_share_the_activation_and_something_else_sees_a_wrong_one():
    """With s^2 for the sigmoid and 1.1 s1 + 0.3 for its slope statement 1 still holds."""
    def wrong(a):
        s, s1 = SOFTPLUS.first_two(a)
        return s**2, 1.1 * s1 + 0.3

    x, eps, W, b, c = setting(13)
    sigma = 0.3
    x_noisy = x + sigma * eps
    model = AutoencoderEnergy(W, b, c, sigma=sigma, activation=SOFTPLUS._replace(first_two=wrong))
    dsm, dae = DenoisingScoreMatching(x, x_noisy, sigma), DenoisingAutoencoderLoss(x, x_noisy)
    assert abs(2 * sigma**4 * dsm.value(model) / dae.value(model) - 1) < 1e-14
    for left, right in zip(dsm.gradient(model), dae.gradient(model)):
        assert relative_gap(2 * sigma**4 * left, right) < 1e-13
    assert check_objective(dae, model).verdict == "FAIL"       # the slope is not that of s^2
    slope = -complex_gradient(lambda y: model.energy(y).sum(), x_noisy)
    assert relative_gap(model.score(x_noisy), slope) > 0.01    # nor s^2 that of the softplus


def test_the_best_reconstruction_is_the_posterior_mean_and_the_risk_needs_no_clean_points():
    """(12), and statement 18: E J_DAE = d sigma^2 + 2 sigma^4 E J_ISM(x_noisy)."""
    q = GaussianMixture([0.3, 0.7], [[-0.8, 0.5], [0.6, -0.3]],
                        [[[0.6, 0.2], [0.2, 0.5]], [[0.5, -0.1], [-0.1, 0.7]]])
    sigma, d = 0.61, 2
    q_sigma = GaussianMixture(q.weights, q.means, q.covariances + sigma**2 * np.eye(d))
    x, x_noisy, weights = noisy_density(q, sigma, 121)
    dae = DenoisingAutoencoderLoss(x, x_noisy, weights=weights)
    best = weights @ dae.evaluate(reconstruction=tweedie(q_sigma, x_noisy, sigma))[0]
    variance = np.trace(tweedie_covariance(q_sigma, x_noisy, sigma), axis1=1, axis2=2)
    assert abs(best / (weights @ variance) - 1) < 1e-12
    rng = np.random.default_rng(14)
    W, b, c = rng.standard_normal((M, d)), rng.standard_normal(M), rng.standard_normal(d)
    model = AutoencoderEnergy(W, b, c, sigma=sigma)
    implicit = ImplicitScoreMatching(x_noisy, weights=weights).value(model)
    risk = d * sigma**2 + 2 * sigma**4 * implicit
    assert abs(dae.value(model) / risk - 1) < 1e-12
    assert dae.value(model) > best


def test_the_wider_layer_sets_the_blocks():
    x, x_noisy, W, b, c = setting(7, n=600)
    model = AutoencoderEnergy(np.tile(W, (200, 1)) / 20, np.tile(b, 200), c, sigma=0.3)
    assert len(list(row_blocks(600, model.width))) > 1
    J = DenoisingAutoencoderLoss(x, x_noisy)
    term, backward = J.forward(model)                                  # all points as one block
    assert relative_gap(J.per_sample(model), term) < 1e-13
    for left, right in zip(J.gradient(model), backward()):
        assert relative_gap(left, right) < 1e-13


def test_models_that_are_no_tied_autoencoder_are_refused():
    x, x_noisy, W, b, c = setting()
    J = DenoisingAutoencoderLoss(x, x_noisy)
    for model, error, sentence in [
        (GaussianBernoulliRBM(W, b, c, np.zeros(D)), TypeError,
         "model must be an AutoencoderEnergy, whose W, b and c are a tied autoencoder, "
         "but it is of type GaussianBernoulliRBM"),
        (AutoencoderEnergy(np.ones((M, 9)), b, np.ones(9), sigma=0.5), ValueError,
         "model must have d = 3 as the data of DenoisingAutoencoderLoss, but it has d = 9"),
    ]:
        for ask in (J.value, J.gradient, J.per_sample):
            with pytest.raises(error) as caught:
                ask(model)
            assert str(caught.value) == sentence


def test_shapes_that_disagree_are_refused():
    with pytest.raises(ValueError,
                       match=r"^x_noisy must have shape \(7, 3\), but its shape is \(5, 3\)$"):
        DenoisingAutoencoderLoss(np.ones((7, 3)), np.ones((5, 3)))
