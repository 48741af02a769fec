"""Pseudo-likelihood: exact conditionals by enumeration, its minimum, its gradient."""
import bits
import numpy as np
import pytest
from bits import ROUNDED, data, each_machine
from oracles import complex_gradient, relative_gap

from refsm.energies.bernoulli_rbm import BernoulliRBM
from refsm.energies.gaussian import Gaussian
from refsm.enumeration import binary_points, log_likelihood, probabilities
from refsm.objectives.pseudo_likelihood import PseudoLikelihood

n, d, m = bits.N, bits.D, bits.M
ALL = binary_points(d)


def conditionals(p):
    """p(x_i | x_rest) at all points, (2^d, d), by summing the joint distribution over bit i."""
    joint = p.reshape((2,) * d)
    return np.stack([(joint / joint.sum(axis=i, keepdims=True)).ravel() for i in range(d)], axis=1)


@each_machine
def test_a_term_is_minus_the_sum_of_the_log_conditionals(model):
    plain = -np.log(conditionals(probabilities(model))).sum(axis=1)
    assert relative_gap(PseudoLikelihood(ALL).per_sample(model), plain) < 1e-13


@each_machine
def test_expected_loss_is_divergences_plus_entropies_of_the_conditionals(model):
    q = np.random.default_rng(2).dirichlet(np.ones(2**d))
    of_q, of_p = conditionals(q), conditionals(probabilities(model))
    divergences, entropies = q @ np.log(of_q / of_p), -(q @ np.log(of_q))
    assert relative_gap(
        PseudoLikelihood(ALL, weights=q).value(model), sum(divergences + entropies)) < 1e-13


@each_machine
def test_the_gradient_vanishes_where_the_model_is_the_data(model):
    gradient = PseudoLikelihood(ALL, weights=probabilities(model)).gradient(model)
    assert all(abs(block).max() < ROUNDED for block in gradient)


def test_with_independent_units_it_is_minus_the_log_likelihood():
    model = BernoulliRBM(np.zeros((m, d)), np.ones(m), np.random.default_rng(3).normal(size=d))
    assert relative_gap(PseudoLikelihood(data()).per_sample(model),
                        -log_likelihood(model, data())) < 1e-14


@each_machine
@pytest.mark.parametrize("weights", [None, np.random.default_rng(3).normal(size=n)],
                         ids=["uniform", "given"])
def test_gradient_by_complex_steps(model, weights):
    J = PseudoLikelihood(data(), weights=weights)
    stepped = complex_gradient(lambda vector: J.value(model.unravel(vector)), model.ravel())
    assert relative_gap(model.ravel(J.gradient(model)), stepped) < 1e-13


def test_cotangents_are_the_slopes_of_the_value_by_the_gaps():
    gap = np.random.default_rng(4).normal(size=(n, d))
    J = PseudoLikelihood(data(), weights=np.arange(1.0, n + 1))
    stepped = complex_gradient(lambda moved: np.sum(J.weights * J.evaluate(gap=moved)[0]), gap)
    assert relative_gap(J.evaluate(gap=gap)[1]["gap"], stepped) < 1e-14


def test_extreme_gaps_keep_their_digits():
    J = PseudoLikelihood(data()[:1, :3], weights=[3.0])
    term, cotangents = J.evaluate(gap=[[40.0, 500.0, 50.0]])
    assert relative_gap(term, [np.exp(-40.0) + np.exp(-50.0)]) < 1e-15
    assert relative_gap(cotangents["gap"], -3 * np.exp([[-40.0, -500.0, -50.0]])) < 1e-15
    assert J.evaluate(gap=[[-1e4, 1e4, 0.0]])[0] == 1e4 + np.log(2)


def test_wrong_data_and_models_are_refused_by_a_sentence():
    x = data()
    x[3, 4] = 0.5
    with pytest.raises(ValueError, match=r"x must contain only 0 and 1, but entry \(3, 4\) is 0.5"):
        PseudoLikelihood(x)
    with pytest.raises(ValueError,
                       match=r"weights must have shape \(7,\), but its shape is \(5,\)"):
        PseudoLikelihood(data(), weights=np.ones(d))
    with pytest.raises(
            TypeError,
            match="PseudoLikelihood reads the gap of the energy, which Gaussian does not have"):
        PseudoLikelihood(data()).value(Gaussian(np.zeros(d), np.eye(d)))
    assert PseudoLikelihood(data()).points.tolist() == data().tolist()
