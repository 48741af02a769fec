"""Ratio matching: statement 9 by enumeration of all points, its minimum, its gradient."""
import pickle

import bits
import numpy as np
import pytest
from bits import ROUNDED, boltzmann, data, each_machine, flipped, rbm
from oracles import complex_gradient, relative_gap

from refsm.energies.gaussian import Gaussian
from refsm.enumeration import binary_points, probabilities
from refsm.objectives.ratio_matching import RatioMatching

n, d = bits.N, bits.D
ALL = binary_points(d)


def squeeze(u):
    """g of Hyvarinen (2007)."""
    return 1 / (1 + u)


@pytest.mark.parametrize("model", [rbm(), rbm(5), boltzmann()],
                         ids=["rbm", "another rbm", "boltzmann"])
def test_expected_loss_is_the_distance_of_ratios_plus_a_constant_of_the_data(model):
    q = np.random.default_rng(2).dirichlet(np.ones(2**d))
    p = probabilities(model)
    left, inverse, constant = 0, 0, 0
    for i in range(d):
        q_i, p_i = flipped(q, i), flipped(p, i)
        a = squeeze(q / q_i)
        left += sum(q * (a - squeeze(p / p_i)) ** 2)
        inverse += sum(q * (squeeze(q_i / q) - squeeze(p_i / p)) ** 2)
        constant += sum(q * a * (1 - a))
    value = RatioMatching(ALL, weights=q).value(model)
    assert abs(left - (value - constant)) < 1e-13 * value
    assert abs(left + inverse - 2 * (value - constant)) < 1e-13 * value


def test_points_without_probability_do_no_harm():
    """Statement 9 where q = 0 at some points and their neighbours: 0/0, with weight 0."""
    q = np.random.default_rng(6).dirichlet(np.ones(2**d))
    q[[0, 1, 3, 17, 30]] = 0                                           # 0 and 1 are neighbours
    q /= q.sum()
    model = rbm()
    p = probabilities(model)
    inside = q > 0
    left, constant = 0, 0
    for i in range(d):
        a = squeeze(q[inside] / np.where(flipped(q, i) > 0, flipped(q, i), 1e-300)[inside])
        left += sum(q[inside] * (a - squeeze(p / flipped(p, i))[inside]) ** 2)
        constant += sum(q[inside] * a * (1 - a))
    value = RatioMatching(ALL, weights=q).value(model)
    assert ((q == 0) & (flipped(q, d - 1) == 0)).any()                 # 0/0 does occur
    assert abs(left - (value - constant)) < 1e-13 * value


@each_machine
def test_the_gradient_vanishes_where_the_model_is_the_data(model):
    gradient = RatioMatching(ALL, weights=probabilities(model)).gradient(model)
    assert all(abs(block).max() < ROUNDED for block in gradient)
    assert any(abs(block).max() > 1e-3 for block in RatioMatching(ALL).gradient(model))


def test_a_term_is_the_sum_of_squared_probabilities_of_the_bits_that_are_not_there():
    p, model = probabilities(rbm()), rbm()
    plain = sum((flipped(p, i) / (p + flipped(p, i))) ** 2 for i in range(d))
    assert relative_gap(RatioMatching(ALL).per_sample(model), plain) < 1e-13


@each_machine
def test_a_model_without_structure_costs_a_quarter_a_bit(model):
    flat = model.unravel(0 * model.ravel())
    assert RatioMatching(data()).per_sample(flat).tolist() == [d / 4] * n


@each_machine
@pytest.mark.parametrize("weights", [None, np.random.default_rng(3).normal(size=n)],
                         ids=["uniform", "given"])
def test_gradient_by_complex_steps(model, weights):
    J = RatioMatching(data(), weights=weights)
    stepped = complex_gradient(lambda vector: J.value(model.unravel(vector)), model.ravel())
    value, gradient = J.value_and_gradient(model)
    assert relative_gap(model.ravel(gradient), stepped) < 1e-13
    assert value == J.value(model)
    terms = J.per_sample(model)
    assert abs(value - J.weights @ terms) < ROUNDED * (abs(J.weights) @ terms)


def test_cotangents_are_the_slopes_of_the_value_by_the_gaps():
    gap = np.random.default_rng(4).normal(size=(n, d))
    J = RatioMatching(data(), weights=np.arange(1.0, n + 1))
    stepped = complex_gradient(lambda moved: np.sum(J.weights * J.evaluate(gap=moved)[0]), gap)
    assert relative_gap(J.evaluate(gap=gap)[1]["gap"], stepped) < 1e-14


def test_extreme_gaps_keep_their_digits():
    J = RatioMatching(data()[:1], weights=[3.0])
    term, cotangents = J.evaluate(gap=[[1e4, -1e4, 40.0, -40.0, 300.0]])
    assert term == 2
    assert relative_gap(cotangents["gap"], -6 * np.array(
        [[0, 0, np.exp(-80.0), np.exp(-40.0), np.exp(-600.0)]])) < 1e-15
    assert abs(cotangents["gap"][0, 2] / (-6 * np.exp(-80.0)) - 1) < 1e-14


def test_other_dtypes_of_data_and_pickles():
    J = RatioMatching(data().astype(bool))
    again = pickle.loads(pickle.dumps(RatioMatching(data(), weights=np.ones(n) / n)))
    assert relative_gap(J.value(rbm()), RatioMatching(data()).value(rbm())) < ROUNDED
    assert relative_gap(again.value(rbm()), J.value(rbm())) < ROUNDED
    assert repr(J) == "RatioMatching(n=7, d=5)"
    assert J.points is J.x


def test_wrong_data_weights_and_models_are_refused_by_a_sentence():
    x = data()
    x[3, 4] = 2.0
    with pytest.raises(ValueError, match=r"x must contain only 0 and 1, but entry \(3, 4\) is 2.0"):
        RatioMatching(x)
    with pytest.raises(ValueError,
                       match=r"weights must have shape \(7,\), but its shape is \(5,\)"):
        RatioMatching(data(), weights=np.ones(d))
    with pytest.raises(
            TypeError,
            match="RatioMatching reads the gap of the energy, which Gaussian does not have"):
        RatioMatching(data()).value(Gaussian(np.zeros(d), np.eye(d)))
    with pytest.raises(
            ValueError,
            match="model must have d = 3 as the data of RatioMatching, but it has d = 5"):
        RatioMatching(data()[:, :3]).value(rbm())
    with pytest.raises(ValueError, match=r"gap must have shape \(7, 5\), but its shape is \(7,\)"):
        RatioMatching(data()).evaluate(gap=np.zeros(n))


def test_a_wrong_entry_far_down_is_named_by_its_place():
    x = np.zeros((200000, 3), dtype=np.int8)
    x[150001, 2] = -1
    with pytest.raises(ValueError, match=r"entry \(150001, 2\) is -1"):
        RatioMatching(x)
