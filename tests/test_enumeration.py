"""Sums over all binary points: against sums written out, Gibbs' inequality, and complex steps."""
import tracemalloc
from itertools import product

import bits
import numpy as np
import pytest
from bits import ROUNDED, data, each_machine, rbm
from oracles import complex_gradient, relative_gap

from refsm.energies.bernoulli_rbm import BernoulliRBM
from refsm.energies.gaussian import Gaussian
from refsm.enumeration import (_all_points, binary_points, log_likelihood, log_likelihood_gradient,
                               log_partition, probabilities)

n, d = bits.N, bits.D


def test_points_are_all_words_in_order():
    assert binary_points(d).tolist() == [
        list(map(float, word)) for word in product([0, 1], repeat=d)
    ]
    assert binary_points(1).tolist() == [[0], [1]]
    assert binary_points(d).dtype == float


@each_machine
def test_partition_function_is_the_sum_over_all_points(model):
    Z = sum(np.exp(-model.energy([word])[0]) for word in product([0, 1], repeat=d))
    assert relative_gap(log_partition(model), np.log(Z)) < 1e-14
    assert isinstance(log_partition(model), float)


def test_partition_function_of_independent_units_in_closed_form():
    """Z = prod_i (1 + exp(c_i)) prod_j (1 + exp(b_j)); 2^17 points, in more than one block."""
    b, c = np.array([0.3, -2.0, 800.0]), np.linspace(-3, 900, 17)
    exact = np.logaddexp(0, b).sum() + np.logaddexp(0, c).sum()
    assert relative_gap(log_partition(BernoulliRBM(np.zeros((3, 17)), b, c)), exact) < 1e-14


@each_machine
def test_probabilities_are_normalised_and_in_the_order_of_the_points(model):
    p = probabilities(model)
    weights = np.exp(-model.energy(binary_points(d)))
    assert relative_gap(p, weights / weights.sum()) < 1e-14
    assert abs(p.sum() - 1) < 1e-14


@each_machine
def test_log_likelihood_is_the_log_of_the_probability(model):
    rank = data() @ 2 ** np.arange(d)[::-1]
    assert relative_gap(log_likelihood(model, data()),
                        np.log(probabilities(model)[rank.astype(int)])) < 1e-14


@each_machine
@pytest.mark.parametrize("weights", [None, np.random.default_rng(3).normal(size=n)],
                         ids=["uniform", "given"])
def test_likelihood_gradient_by_complex_steps(model, weights):
    w = np.full(n, 1 / n) if weights is None else weights
    stepped = complex_gradient(lambda vector: w @ log_likelihood(model.unravel(vector), data()),
                               model.ravel())
    gradient = log_likelihood_gradient(model, data(), weights)
    assert isinstance(gradient, type(model.theta))
    assert relative_gap(model.ravel(gradient), stepped) < 1e-13


@each_machine
def test_the_likelihood_is_stationary_where_the_model_is_the_data(model):
    gradient = log_likelihood_gradient(model, binary_points(d), probabilities(model))
    assert all(abs(block).max() < ROUNDED for block in gradient)


def test_results_do_not_depend_on_the_blocks(monkeypatch):
    model, x = rbm(d=9), binary_points(9)[::37]
    whole = log_partition(model), probabilities(model), log_likelihood_gradient(model, x)
    monkeypatch.setattr("refsm.rows.BLOCK", 23)
    monkeypatch.setattr("refsm.rows.FEWEST_ROWS", 3)
    assert relative_gap(log_partition(model), whole[0]) < 1e-14
    assert relative_gap(probabilities(model), whole[1]) < 1e-14
    assert all(
        relative_gap(*pair) < 1e-13 for pair in zip(log_likelihood_gradient(model, x), whole[2]))


def test_memory_is_flat_in_the_number_of_points():
    """2^18 points of 18 units are 38 MB."""
    tracemalloc.start()
    assert np.isfinite(log_partition(rbm(d=18)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # of which 34 MB are reserved and freed untouched before the first block
    assert peak < 36e6


def test_24_units_are_not_too_many():
    next(_all_points(rbm(d=24)))


def test_wrong_inputs_are_refused_by_a_sentence():
    for wrong in (0, 2.5, "3"):
        with pytest.raises(ValueError,
                           match=f"^d must be a whole number >= 1, but it is {wrong!r}$"):
            binary_points(wrong)
    for ask in (lambda: binary_points(25), lambda: log_partition(rbm(d=25))):
        with pytest.raises(ValueError,
                           match=r"^d must be at most 24, to go through all 2\^d points, "
                           "but it is 25$"):
            ask()
    with pytest.raises(TypeError,
                       match="model must be an energy of binary points, but it is of "
                             "type Gaussian"):
        log_partition(Gaussian(np.zeros(3), np.eye(3)))
    with pytest.raises(ValueError, match=r"x must contain only 0 and 1, but entry \(0, 0\) is 2.0"):
        log_likelihood(rbm(), 2 * np.ones((n, d)))
    with pytest.raises(ValueError, match=r"x must contain only 0 and 1, but entry \(0, 0\) is 2.0"):
        log_likelihood_gradient(rbm(), 2 * np.ones((n, d)))
    with pytest.raises(ValueError,
                       match=r"weights must have shape \(7,\), but its shape is \(5,\)"):
        log_likelihood_gradient(rbm(), data(), np.ones(d))
