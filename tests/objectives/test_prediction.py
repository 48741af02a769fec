"""The loss of a prediction: definition, factor, its own backward pass, rationals, refusals."""

from fractions import Fraction

import numpy as np
import pytest
from oracles import complex_gradient, relative_gap

import refsm
from refsm.predictions import KINDS, convert, factor

n, d, m = 7, 3, 5
SCALED, PLAIN = refsm.ScaledCorruption(0.8, 0.37), refsm.GaussianCorruption(0.37)
SD = 0.61


def process(kind):
    return PLAIN if kind == "edm" else SCALED


def data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((n, d)), rng.uniform(0.5, 1.5, n)


def objective(kind):
    x, x_noisy, weights = data()
    return refsm.PredictionLoss(
        x, x_noisy, process(kind), predict=kind, data_sd=SD, weights=weights
    )


def models():
    rng = np.random.default_rng(1)
    W, b, c = rng.standard_normal((m, d)), rng.standard_normal(m), rng.standard_normal(d)
    mixture = refsm.GaussianMixture(
        [0.3, 0.7], rng.standard_normal((2, d)), np.stack([np.eye(d), np.diag([0.5, 0.7, 1.9])])
    )
    return [
        refsm.AutoencoderEnergy(W, b, c, sigma=0.61),
        refsm.Gaussian(c, np.diag([0.5, 1.5, 2.5])),
        mixture,
    ]


def target(kind):
    """The targets written out, without a line of the room."""
    (x, x_noisy, _), alpha, s = data(), process(kind).alpha, 0.37
    eps = (x_noisy - alpha * x) / s
    v = s**2 + SD**2
    return {
        "score": -eps / s,
        "noise": eps,
        "clean": x,
        "velocity": alpha * eps - s * x,
        "flow": eps - x,
        "edm": (x - SD**2 / v * x_noisy) * np.sqrt(v) / (s * SD),
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_the_term_is_the_squared_distance_of_the_prediction_to_its_target(kind):
    J, (_, x_noisy, weights) = objective(kind), data()
    for model in models():
        prediction = convert(
            model.score(x_noisy), x_noisy, process(kind), source="score", target=kind, data_sd=SD
        )
        expected = ((prediction - target(kind)) ** 2).sum(axis=1)
        assert relative_gap(J.per_sample(model), expected) < 1e-12
        assert J.value(model) == pytest.approx(weights @ expected, rel=1e-12)
        assert relative_gap(J.evaluate(prediction=prediction)[0], expected) < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_its_factor_times_denoising_score_matching_with_its_gradient(kind):
    x, x_noisy, weights = data()
    J, DSM = objective(kind), refsm.DenoisingScoreMatching(
        x, x_noisy, process(kind), weights=weights
    )
    for model in models():
        times = factor(kind, process(kind), SD)
        assert relative_gap(J.per_sample(model), times * DSM.per_sample(model)) < 1e-12
        assert (
            relative_gap(model.ravel(J.gradient(model)), times * model.ravel(DSM.gradient(model)))
            < 1e-12
        )


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_and_the_cotangent_are_complex_steps(kind):
    J, (_, _, weights) = objective(kind), data()
    for model in models():
        expected = complex_gradient(lambda v, model=model: J.value(model.unravel(v)), model.ravel())
        assert relative_gap(model.ravel(J.gradient(model)), expected) < 1e-12
    prediction = np.random.default_rng(2).standard_normal((n, d))
    _, cotangents = J.evaluate(prediction=prediction)
    assert (
        relative_gap(
            cotangents["prediction"],
            complex_gradient(lambda moved: weights @ J.evaluate(prediction=moved)[0], prediction),
        )
        < 1e-13
    )


@pytest.mark.parametrize("kind", KINDS)
def test_in_exact_rationals_the_factor_is_exact(kind):
    alpha, sigma, sd = (
        (Fraction(1) if kind == "edm" else Fraction(5, 7)),
        Fraction(3, 5),
        Fraction(4, 5),
    )
    corruption = (
        refsm.GaussianCorruption(sigma) if kind == "edm" else refsm.ScaledCorruption(alpha, sigma)
    )
    x, x_noisy = np.array([[Fraction(1, 3), Fraction(2)]]), np.array(
        [[Fraction(-1, 2), Fraction(9, 4)]]
    )
    model = refsm.Gaussian(
        np.array([Fraction(1, 9), Fraction(0)]),
        np.array([[Fraction(2), Fraction(1, 3)], [Fraction(1, 3), Fraction(5)]]),
    )
    J = refsm.PredictionLoss(x, x_noisy, corruption, predict=kind, data_sd=sd)
    DSM = refsm.DenoisingScoreMatching(x, x_noisy, corruption)
    times = factor(kind, corruption, sd)
    assert J.value(model) == times * DSM.value(model)
    for left, right in zip(J.gradient(model), DSM.gradient(model)):
        assert (left == times * right).all()


def test_a_number_stands_for_noise_of_that_standard_deviation():
    J = refsm.PredictionLoss(*data()[:2], 0.37, predict="noise")
    assert J.corruption == PLAIN


def test_a_part_keeps_its_weights_and_the_checker_passes():
    J, model = objective("velocity"), models()[0]
    assert J.take([1, 5]).value(model) + J.take([0, 2, 3, 4, 6]).value(model) == pytest.approx(
        J.value(model), rel=1e-13
    )
    assert refsm.check_objective(J, model).verdict == "PASS"
    assert repr(J) == "PredictionLoss(n=7, d=3)"


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        (
            dict(predict="epsilon"),
            ValueError,
            "^a prediction must be one of score, noise, .*, edm, but it is 'epsilon'$",
        ),
        (
            dict(predict="edm", data_sd=SD),
            ValueError,
            "^corruption must not scale the points for edm",
        ),
        (dict(predict="edm", corruption=0.3), TypeError, "^data_sd must be given for edm"),
        (
            dict(corruption=refsm.CovarianceCorruption(np.eye(d))),
            TypeError,
            "^corruption must be isotropic for a prediction",
        ),
        (dict(x_noisy=np.zeros((n, 2))), ValueError, r"^x_noisy must have shape \(7, 3\)"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_sentence(change, error, sentence):
    x, x_noisy, _ = data()
    good = dict(x=x, x_noisy=x_noisy, corruption=SCALED, predict="noise")
    with pytest.raises(error, match=sentence):
        refsm.PredictionLoss(**{**good, **change})


def test_a_model_without_a_score_is_refused_in_one_sentence():
    J = objective("noise")
    with pytest.raises(TypeError, match="score"):
        J.value(refsm.BernoulliRBM(np.ones((m, d)), np.ones(m), np.ones(d)))
    with pytest.raises(TypeError, match="^model must be an energy"):
        J.value("model")
    with pytest.raises(
        ValueError, match="^model must have d = 3 as the data of PredictionLoss, but it has d = 5$"
    ):
        J.value(refsm.Gaussian(np.zeros(5), np.eye(5)))
    with pytest.raises(TypeError, match="evaluate takes prediction"):
        J.evaluate(score=np.zeros((n, d)))
