"""Every energy with every objective of its kind: value, terms, every leaf of the gradient.

The oracle is a complex step along directions within each leaf.  Left out by name: Parzen as a
model (it has no parameters, so no gradient); the denoising autoencoder's loss on any energy but its
own (it is refused, which is tested here too).
"""
import numpy as np
import pytest
from oracles import complex_step, relative_gap

import refsm
from refsm.activations import RATIONAL

N, D, M, K, S = 7, 3, 5, 8, 6          # points, visible, hidden, directions, mixture components

CONTINUOUS = ["Gaussian", "GaussianBernoulliRBM", "AutoencoderEnergy", "GaussianMixture",
              "CorruptedGaussian", "CorruptedMixture", "PolynomialEnergy", "ProductOfExperts",
              "ProductOfExperts, student"]
BINARY = ["BernoulliRBM", "BoltzmannMachine"]
OBJECTIVES = ["ExplicitScoreMatching", "ExplicitScoreMatching of a density",
              "ImplicitScoreMatching", "RegularizedScoreMatching", "ParzenExplicitScoreMatching",
              "ParzenImplicitScoreMatching", "DenoisingScoreMatching",
              "DenoisingScoreMatching, any covariance", "DenoisingScoreMatching, scaled",
              "SlicedScoreMatching", "SlicedScoreMatching, variance reduced",
              "PredictionLoss, clean", "PredictionLoss, velocity", "PredictionLoss, edm",
              "GeneralizedScoreMatching"]
BINARY_OBJECTIVES = ["RatioMatching", "PseudoLikelihood", "MinimumProbabilityFlow"]
TERMS = [[1, 0, 0], [0, 2, 0], [2, 0, 1], [0, 1, 1], [0, 3, 2], [4, 0, 0]]


def symmetric(rng, d, least):
    A = rng.standard_normal((d, d)) / 2
    return A @ A.T + least * np.eye(d)


def energy(name, seed=0):
    rng = np.random.default_rng(seed)
    W, b, c = rng.standard_normal((M, D)), rng.standard_normal(M), rng.standard_normal(D)
    if name == "Gaussian":
        return refsm.Gaussian(c, symmetric(rng, D, 0.5))
    if name == "GaussianBernoulliRBM":
        return refsm.GaussianBernoulliRBM(W, b, c, rng.standard_normal(D) / 3)
    if name == "AutoencoderEnergy":
        return refsm.AutoencoderEnergy(W, b, c, sigma=0.61)
    if name == "GaussianMixture":
        covariances = np.stack([symmetric(rng, D, 0.5) for _ in range(S)])
        return refsm.GaussianMixture(np.arange(1, 7) / 21, rng.standard_normal((S, D)), covariances)
    if name == "CorruptedGaussian":
        return energy("Gaussian", seed).corrupted(refsm.ScaledCorruption(0.8, 0.61))
    if name == "CorruptedMixture":
        noise = refsm.CovarianceCorruption(symmetric(rng, D, 0.2))
        return energy("GaussianMixture", seed).corrupted(noise)
    if name == "PolynomialEnergy":
        return refsm.PolynomialEnergy(rng.standard_normal(len(TERMS)) / 3, TERMS)
    if name.startswith("ProductOfExperts"):
        expert = "student" if name.endswith("student") else "logcosh"
        return refsm.ProductOfExperts(W, b / 2, expert)
    if name == "BernoulliRBM":
        return refsm.BernoulliRBM(W, b, c)
    W = rng.standard_normal((D, D))
    W = W + W.T
    np.fill_diagonal(W, 0)
    return refsm.BoltzmannMachine(W, c)


def objective(name, seed=1):
    rng = np.random.default_rng(seed)
    x, noise, weights = rng.standard_normal((N, D)), rng.standard_normal((N, D)), rng.random(N)
    x_noisy, v = x + 0.37 * noise, rng.standard_normal((N, K, D))
    w = {"weights": weights}
    of_any_covariance = refsm.CovarianceCorruption(symmetric(np.random.default_rng(3), D, 0.2))
    scaled = refsm.ScaledCorruption(0.8, 0.37)
    return {
        "ExplicitScoreMatching": lambda: refsm.ExplicitScoreMatching(x, noise, **w),
        "ExplicitScoreMatching of a density":
            lambda: refsm.ExplicitScoreMatching(x, energy("GaussianMixture", 5), **w),
        "ImplicitScoreMatching": lambda: refsm.ImplicitScoreMatching(x, **w),
        "RegularizedScoreMatching": lambda: refsm.RegularizedScoreMatching(x, 0.23, **w),
        "ParzenExplicitScoreMatching":
            lambda: refsm.ParzenExplicitScoreMatching(x[:5], x_noisy, 0.37, **w),
        "ParzenImplicitScoreMatching": lambda: refsm.ParzenImplicitScoreMatching(x_noisy, **w),
        "DenoisingScoreMatching": lambda: refsm.DenoisingScoreMatching(x, x_noisy, 0.37, **w),
        "DenoisingScoreMatching, any covariance":
            lambda: refsm.DenoisingScoreMatching(x, x_noisy, of_any_covariance, **w),
        "DenoisingScoreMatching, scaled":
            lambda: refsm.DenoisingScoreMatching(x, x_noisy, scaled, **w),
        "SlicedScoreMatching": lambda: refsm.SlicedScoreMatching(x, v, **w),
        "SlicedScoreMatching, variance reduced":
            lambda: refsm.SlicedScoreMatching(x, v, variance_reduced=True, **w),
        "PredictionLoss, clean":
            lambda: refsm.PredictionLoss(x, x_noisy, scaled, predict="clean", **w),
        "PredictionLoss, velocity":
            lambda: refsm.PredictionLoss(x, x_noisy, scaled, predict="velocity", **w),
        "PredictionLoss, edm":
            lambda: refsm.PredictionLoss(x, x_noisy, 0.37, predict="edm", data_sd=0.61, **w),
        "MultiLevelDenoising": lambda: refsm.MultiLevelDenoising(
            x, np.stack([x_noisy, x + noise]), [0.37, of_any_covariance], [0.3, 1.7], **w),
        "GeneralizedScoreMatching":
            lambda: refsm.GeneralizedScoreMatching(abs(x), x**2, 2 * abs(x), **w),
        "MinimumProbabilityFlow": lambda: refsm.MinimumProbabilityFlow((x > 0) * 1, **w),
        "RatioMatching": lambda: refsm.RatioMatching((x > 0) * 1, **w),
        "PseudoLikelihood": lambda: refsm.PseudoLikelihood((x > 0) * 1, **w),
        "DenoisingAutoencoderLoss": lambda: refsm.DenoisingAutoencoderLoss(x, x_noisy, **w),
    }[name]()


GRID = ([(e, o) for e in CONTINUOUS for o in OBJECTIVES]
        + [(e, o) for e in BINARY for o in BINARY_OBJECTIVES]
        + [("AutoencoderEnergy", "DenoisingAutoencoderLoss")]
        + [("Gaussian", "MultiLevelDenoising"), ("GaussianMixture", "MultiLevelDenoising")])


@pytest.mark.parametrize(("which", "of"), GRID)
def test_value_terms_and_every_gradient_block(which, of):
    model, J = energy(which), objective(of)
    value, gradient = J.value_and_gradient(model)
    assert isinstance(value, float)
    assert isinstance(gradient, type(model.theta))
    assert J.value(model) == pytest.approx(value, rel=1e-14)
    assert float(J.weights @ J.per_sample(model)) == pytest.approx(value, rel=1e-13)
    theta, flat = model.ravel(), model.ravel(gradient)
    rng, ends = np.random.default_rng(9), np.cumsum([np.size(block) for block in gradient])
    for entries in np.split(np.arange(theta.size), ends[:-1]):
        u = np.zeros((3, theta.size))                   # three directions within one block
        u[:, entries] = rng.standard_normal((3, len(entries)))
        slopes = [complex_step(lambda vector: J.value(model.unravel(vector)), theta, one)
                  for one in u]
        assert relative_gap(u @ flat, slopes) < 1e-12, entries
    np.testing.assert_array_equal(model.ravel(J.gradient(model)), model.ravel(gradient))


@pytest.mark.parametrize(("which", "of"), GRID)
def test_terms_and_cotangents_from_arrays_alone_give_the_value_and_the_gradient(which, of):
    model, J = energy(which), objective(of)
    if of == "DenoisingAutoencoderLoss":
        local = {"reconstruction": J.points + model.sigma**2 * model.score(J.points)}
    elif of == "MultiLevelDenoising":
        levels = zip(J.models(model), J.x_noisy)
        local = {"score": np.stack([level.score(y) for level, y in levels])}
    elif of.startswith("PredictionLoss"):
        psi = model.score(J.points)
        names = {"source": "score", "target": J.predict, "data_sd": J.data_sd}
        local = {"prediction": refsm.predictions.convert(psi, J.points, J.corruption, **names)}
    else:
        local = J.read(J.at(model))
    terms, cotangents = J.evaluate(**local)
    np.testing.assert_allclose(terms, J.per_sample(model), rtol=1e-12, atol=1e-13)
    if set(J.reads) <= model.quantities and of != "MultiLevelDenoising":
        pulled = model.pullback(J.points, **cotangents)
        assert relative_gap(model.ravel(pulled), model.ravel(J.gradient(model))) < 1e-13


@pytest.mark.parametrize(("which", "of"), GRID)
def test_partial_sums_over_points_add_up_to_the_whole(which, of):
    model, J = energy(which), objective(of)
    parts = [J.take(slice(0, 3)), J.take(np.array([5, 3, 4, 6]))]
    assert sum(part.value(model) for part in parts) == pytest.approx(J.value(model), rel=1e-12)
    total = sum(model.ravel(part.gradient(model)) for part in parts)
    assert relative_gap(total, model.ravel(J.gradient(model))) < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("of",
                         ["DenoisingScoreMatching", "ExplicitScoreMatching",
                          "ImplicitScoreMatching", "SlicedScoreMatching"])
def test_with_the_rational_activation_too_by_differences(of):
    rng = np.random.default_rng(8)
    W, b, c = rng.standard_normal((M, D)), rng.standard_normal(M), rng.standard_normal(D)
    J = objective(of)
    for model in (refsm.AutoencoderEnergy(W, b, c, sigma=0.61, activation=RATIONAL),
                  refsm.GaussianBernoulliRBM(W, b, c, rng.standard_normal(D) / 3,
                                             activation=RATIONAL)):
        report = refsm.check_objective(J, model)
        assert report.verdict == "PASS", str(report)


@pytest.mark.parametrize("which", BINARY)
@pytest.mark.parametrize("of", OBJECTIVES)
def test_objectives_on_scores_refuse_binary_energies(which, of):
    with pytest.raises(TypeError, match=f"which {which} does not have"):
        objective(of).value(energy(which))


@pytest.mark.parametrize("which", CONTINUOUS)
@pytest.mark.parametrize("of", BINARY_OBJECTIVES)
def test_objectives_on_gaps_refuse_continuous_energies(which, of):
    with pytest.raises(TypeError, match="reads the gap of the energy"):
        objective(of).value(energy(which))


@pytest.mark.parametrize("which", ["Gaussian", "GaussianBernoulliRBM", "GaussianMixture", *BINARY])
def test_the_autoencoder_loss_refuses_what_is_no_autoencoder(which):
    with pytest.raises(TypeError, match="model must be an AutoencoderEnergy"):
        objective("DenoisingAutoencoderLoss").value(energy(which))
