"""Minimum probability flow: by enumeration, detailed balance, complex steps, extremes."""
import pickle

import bits
import numpy as np
import pytest
from bits import ROUNDED, data, each_machine, flipped, rbm
from oracles import complex_gradient, relative_gap

from refsm.energies.gaussian import Gaussian
from refsm.enumeration import binary_points, probabilities
from refsm.objectives.minimum_probability_flow import MinimumProbabilityFlow

n, d = bits.N, bits.D
ALL = binary_points(d)


def rates(model):
    """The matrix of the process: rate[y, x] from x to y, by probabilities; columns sum to 0."""
    p = probabilities(model)
    rate = np.zeros((2**d, 2**d))
    for x in range(2**d):
        for i in range(d):
            y = x ^ (1 << i)
            rate[y, x] = np.sqrt(p[y] / p[x])
    return rate - np.diag(rate.sum(axis=0))


@each_machine
def test_a_term_is_the_rate_at_which_the_process_leaves_a_point(model):
    leaving = -np.diag(rates(model))
    assert relative_gap(MinimumProbabilityFlow(ALL).per_sample(model), leaving) < 1e-13


@each_machine
def test_the_model_is_stationary_under_its_process(model):
    assert np.abs(rates(model) @ probabilities(model)).max() < ROUNDED


@each_machine
def test_the_expected_loss_is_a_constant_of_the_data_and_a_sum_of_squares(model):
    q = np.random.default_rng(2).dirichlet(np.ones(2**d))
    p = probabilities(model)
    constant, squares = 0, 0
    for i in range(d):
        q_i, p_i = flipped(q, i), flipped(p, i)
        constant += np.sum(np.sqrt(q * q_i))
        squares += np.sum((np.sqrt(q) * (p_i / p)**0.25 - np.sqrt(q_i) * (p / p_i)**0.25) ** 2) / 2
    value = MinimumProbabilityFlow(ALL, weights=q).value(model)
    assert abs(constant + squares - value) < 1e-13 * value


@each_machine
def test_the_gradient_vanishes_where_the_model_is_the_data(model):
    gradient = MinimumProbabilityFlow(ALL, weights=probabilities(model)).gradient(model)
    assert max(abs(block).max() for block in gradient) < ROUNDED
    elsewhere = MinimumProbabilityFlow(ALL).gradient(model)
    assert max(abs(block).max() for block in elsewhere) > 1e-2


@each_machine
def test_a_model_without_structure_costs_one_for_each_bit(model):
    flat = model.unravel(0 * model.ravel())
    assert MinimumProbabilityFlow(data()).per_sample(flat).tolist() == [d] * n


@each_machine
@pytest.mark.parametrize("weights", [None, np.random.default_rng(3).normal(size=n)],
                         ids=["uniform", "given"])
def test_gradient_by_complex_steps(model, weights):
    J = MinimumProbabilityFlow(data(), weights=weights)
    stepped = complex_gradient(lambda vector: J.value(model.unravel(vector)), model.ravel())
    value, gradient = J.value_and_gradient(model)
    assert relative_gap(model.ravel(gradient), stepped) < 1e-13
    assert value == J.value(model)
    terms = J.per_sample(model)
    assert abs(value - J.weights @ terms) < ROUNDED * (abs(J.weights) @ terms)


def test_cotangents_are_the_slopes_of_the_value_by_the_gaps():
    gap = np.random.default_rng(4).normal(size=(n, d))
    J = MinimumProbabilityFlow(data(), weights=np.arange(1.0, n + 1))
    stepped = complex_gradient(lambda moved: np.sum(J.weights * J.evaluate(gap=moved)[0]), gap)
    assert relative_gap(J.evaluate(gap=gap)[1]["gap"], stepped) < 1e-14


def test_large_gaps_keep_their_digits():
    J = MinimumProbabilityFlow(data()[:1], weights=[3.0])
    term, cotangents = J.evaluate(gap=[[1e4, 600.0, 40.0, -40.0, -1400.0]])
    assert term[0] == pytest.approx(np.exp(700), rel=1e-14)
    expected = -1.5 * np.exp([[-5000.0, -300, -20, 20, 700]])
    np.testing.assert_allclose(cotangents["gap"], expected, rtol=1e-15)


def test_a_gap_whose_exponential_overflows_is_refused_by_a_sentence():
    J = MinimumProbabilityFlow(data()[:1])
    sentence = (r"gap must be above -1419.57 for exp\(-gap / 2\) to be finite, "
                "but the smallest is -1420")
    with pytest.raises(OverflowError, match=sentence):
        J.evaluate(gap=[[0.0, 0.0, -1420.0, 0.0, 5.0]])
    with pytest.raises(OverflowError, match="gap must be above"):
        J.evaluate(gap=[[0.0, 0.0, -2 * np.log(np.finfo(float).max), 0.0, 5.0]])


def test_other_dtypes_of_data_and_pickles():
    J = MinimumProbabilityFlow(data().astype(bool))
    again = pickle.loads(pickle.dumps(MinimumProbabilityFlow(data(), weights=np.ones(n) / n)))
    assert relative_gap(J.value(rbm()), MinimumProbabilityFlow(data()).value(rbm())) < ROUNDED
    assert relative_gap(again.value(rbm()), J.value(rbm())) < ROUNDED
    assert repr(J) == "MinimumProbabilityFlow(n=7, d=5)"
    assert J.points is J.x


def test_wrong_data_weights_and_models_are_refused_by_a_sentence():
    x = data()
    x[3, 4] = 2.0
    with pytest.raises(ValueError, match=r"x must contain only 0 and 1, but entry \(3, 4\) is 2.0"):
        MinimumProbabilityFlow(x)
    with pytest.raises(ValueError, match=r"weights must have shape \(7,\), but its shape is"):
        MinimumProbabilityFlow(data(), weights=np.ones(d))
    with pytest.raises(TypeError, match="MinimumProbabilityFlow reads the gap of the energy, "
                                        "which Gaussian does"):
        MinimumProbabilityFlow(data()).value(Gaussian(np.zeros(d), np.eye(d)))
