"""Parzen explicit and implicit score matching: terms, gradients, and statement 3."""
import pickle

import numpy as np
import pytest
from oracles import complex_gradient, relative_gap

from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.mixture import GaussianMixture
from refsm.energies.parzen import Parzen
from refsm.objectives.parzen_score_matching import (ParzenExplicitScoreMatching,
                                                    ParzenImplicitScoreMatching)
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching

K, N, D, HIDDEN, SIGMA = 5, 9, 3, 6, 0.6
TIGHT = 2e-14


@pytest.fixture
def case():
    rng = np.random.default_rng(31)
    x, x_noisy, weights = rng.standard_normal((K, D)), rng.standard_normal((N, D)), rng.random(N)
    model = AutoencoderEnergy(rng.standard_normal((HIDDEN, D)),
                              rng.standard_normal(HIDDEN),
                              rng.standard_normal(D),
                              sigma=0.7)
    return x, x_noisy, weights, model


def objectives(x, x_noisy, weights=None):
    return [
        ParzenExplicitScoreMatching(x, x_noisy, SIGMA, weights=weights),
        ParzenImplicitScoreMatching(x_noisy, weights=weights)
    ]


def test_the_explicit_term_is_half_the_squared_distance_to_the_score_of_the_smoothed_data(case):
    x, x_noisy, weights, model = case
    r = np.exp(-((x_noisy[:, None] - x) ** 2).sum(axis=2) / (2 * SIGMA**2))
    data_score = (r @ x / r.sum(axis=1, keepdims=True) - x_noisy) / SIGMA**2
    J = ParzenExplicitScoreMatching(x, x_noisy, SIGMA, weights=weights)
    term = ((model.score(x_noisy) - data_score) ** 2).sum(axis=1) / 2
    assert relative_gap(J.data_score, data_score) < TIGHT
    assert relative_gap(J.per_sample(model), term) < TIGHT
    assert abs(J.value(model) / (weights @ term) - 1) < TIGHT


def test_the_implicit_term_is_half_the_squared_score_plus_the_divergence(case):
    _, x_noisy, weights, model = case
    J = ParzenImplicitScoreMatching(x_noisy, weights=weights)
    term = (model.score(x_noisy) ** 2).sum(axis=1) / 2 + model.score_divergence(x_noisy)
    assert relative_gap(J.per_sample(model), term) < TIGHT
    assert abs(J.value(model) / (weights @ term) - 1) < TIGHT


def test_they_are_explicit_and_implicit_score_matching_at_the_noisy_points(case):
    x, x_noisy, weights, model = case
    plain = [
        ExplicitScoreMatching(x_noisy, Parzen(x, SIGMA), weights=weights),
        ImplicitScoreMatching(x_noisy, weights=weights)
    ]
    for J, other in zip(objectives(x, x_noisy, weights), plain):
        assert J.value(model) == other.value(model)
        assert all(np.array_equal(a, b) for a, b in zip(J.gradient(model), other.gradient(model)))


def test_the_weights_are_one_over_the_number_of_noisy_points_unless_given(case):
    x, x_noisy, _, model = case
    for J in objectives(x, x_noisy):
        assert abs(J.value(model) / J.per_sample(model).mean() - 1) < TIGHT


def test_the_gradient_is_the_complex_step(case):
    x, x_noisy, weights, model = case
    for J in objectives(x, x_noisy, weights):
        expected = complex_gradient(lambda v, J=J: J.value(model.unravel(v)), model.ravel())
        assert relative_gap(model.ravel(J.gradient(model)), expected) < 1e-12


def test_the_density_itself_has_explicit_loss_zero(case):
    x, x_noisy, _, _ = case
    assert ParzenExplicitScoreMatching(x, x_noisy, SIGMA).value(Parzen(x, SIGMA)) == 0
    assert ParzenExplicitScoreMatching(x, x_noisy, SIGMA).gradient(Parzen(x, SIGMA)) == ()


def test_in_expectation_they_differ_by_half_the_expected_squared_score_of_the_smoothed_data():
    rng = np.random.default_rng(6)
    x = rng.standard_normal((5, 2)) / 2
    line = np.linspace(-8, 8, 161)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    q_sigma = Parzen(x, SIGMA)
    weights = np.exp(q_sigma.log_density(grid)) * (line[1] - line[0]) ** 2
    half = weights @ (q_sigma.score(grid) ** 2).sum(axis=1) / 2
    explicit, implicit = objectives(x, grid, weights)
    for _ in range(3):
        model = GaussianMixture([0.3, 0.7], rng.standard_normal((2, 2)), [np.eye(2), 2 * np.eye(2)])
        assert abs(explicit.value(model) - implicit.value(model) - half) < 1e-12 * half


def test_some_of_the_points_have_the_terms_that_they_have_here(case):
    x, x_noisy, weights, model = case
    for J in objectives(x, x_noisy, weights):
        part = J.take(np.array([7, 0, 3]))
        assert relative_gap(part.per_sample(model), J.per_sample(model)[[7, 0, 3]]) < TIGHT
        assert np.array_equal(part.weights, weights[[7, 0, 3]])


def test_blocks_of_points_add_up(case, monkeypatch):
    x, x_noisy, weights, model = case
    whole = [J.value_and_gradient(model) for J in objectives(x, x_noisy, weights)]
    monkeypatch.setattr("refsm.rows.FEWEST_ROWS", 3)
    monkeypatch.setattr("refsm.rows.BLOCK", 1)
    for J, (value, gradient) in zip(objectives(x, x_noisy, weights), whole):
        again, G = J.value_and_gradient(model)
        assert abs(again / value - 1) < TIGHT
        assert all(relative_gap(a, b) < TIGHT for a, b in zip(G, gradient))


def test_evaluate_takes_local_quantities_and_gives_terms_and_cotangents(case):
    x, x_noisy, weights, model = case
    psi, divergence = model.score(x_noisy), model.score_divergence(x_noisy)
    explicit, implicit = objectives(x, x_noisy, weights)
    terms, cotangents = explicit.evaluate(score=psi)
    assert relative_gap(terms, explicit.per_sample(model)) < TIGHT
    assert relative_gap(cotangents["score"], weights[:, None] * (psi - explicit.data_score)) < TIGHT
    terms, cotangents = implicit.evaluate(score=psi, divergence=divergence)
    assert relative_gap(terms, implicit.per_sample(model)) < TIGHT
    assert relative_gap(cotangents["score"], weights[:, None] * psi) < TIGHT
    assert np.array_equal(cotangents["divergence"], weights)


def test_the_objectives_are_immutable_pickle_and_say_what_they_are(case):
    x, x_noisy, weights, model = case
    for J in objectives(x, x_noisy, weights):
        again = pickle.loads(pickle.dumps(J))
        assert again.value(model) == J.value(model)
        assert repr(again) == f"{type(J).__name__}(n=9, d=3)"
        with pytest.raises(ValueError, match="read-only"):
            J.x_noisy[0] = 1
        with pytest.raises(AttributeError):
            J.x_noisy = x_noisy


@pytest.mark.parametrize("change, sentence", [
    (dict(x=np.zeros((5, 7))), r"x_noisy must have shape \(n, 7\), but its shape is \(9, 3\)"),
    (dict(x=np.zeros(3)), r"x must have shape \(n, d\), but its shape is \(3,\)"),
    (dict(x_noisy=np.full((9, 3), np.nan)), "x_noisy must be finite, but it has nan"),
    (dict(sigma=-0.5), "sigma must be finite and > 0, but it is -0.5"),
    (dict(weights=np.ones(5)), r"weights must have shape \(9,\), but its shape is \(5,\)"),
])
def test_a_wrong_argument_is_refused_in_one_sentence(change, sentence):
    good = dict(x=np.zeros((5, 3)), x_noisy=np.ones((9, 3)), sigma=0.5, weights=np.ones(9))
    with pytest.raises(ValueError, match=f"^{sentence}"):
        ParzenExplicitScoreMatching(**{**good, **change})


def test_a_model_of_another_dimension_is_refused(case):
    x, x_noisy, _, _ = case
    for J in objectives(x, x_noisy):
        with pytest.raises(
                ValueError,
                match="^model must have d = 3 as the data of Parzen.*, but it has d = 7"):
            J.value(Parzen(np.zeros((5, 7)), SIGMA))
