"""Explicit, implicit and regularised score matching: terms, cotangents, gradients, statement 2."""
import numpy as np
import pytest
from example_energies import energies
from oracles import complex_gradient, relative_gap

from refsm.energies.gaussian import Gaussian
from refsm.energies.mixture import GaussianMixture
from refsm.energies.parzen import Parzen
from refsm.expectations import box, gauss_hermite, trapezoid
from refsm.objectives.score_matching import (ExplicitScoreMatching, ImplicitScoreMatching,
                                             RegularizedScoreMatching)

N, D = 7, 3
STRENGTH = 0.3


def data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, D)), rng.standard_normal((N, D)), rng.uniform(0.5, 1.5, size=N)


each_energy = pytest.mark.parametrize("model", energies(), ids=lambda model: type(model).__name__)


def objectives():
    x, target, weights = data()
    return {
        "explicit": ExplicitScoreMatching(x, target, weights=weights),
        "implicit": ImplicitScoreMatching(x, weights=weights),
        "regularized": RegularizedScoreMatching(x, STRENGTH, weights=weights)
    }


each_objective = pytest.mark.parametrize("J", objectives().values(), ids=objectives().keys())


@each_energy
def test_the_terms_are_the_definitions_from_the_whole_jacobian(model):
    x, target, _ = data()
    psi, J = model.score(x), model.score_jacobian(x)
    explicit = [sum((psi[n, i] - target[n, i]) ** 2 for i in range(D)) / 2 for n in range(N)]
    implicit = [sum(psi[n, i] ** 2 / 2 + J[n, i, i] for i in range(D)) for n in range(N)]
    penalty = [sum(J[n, i, i] ** 2 for i in range(D)) for n in range(N)]
    assert relative_gap(ExplicitScoreMatching(x, target).per_sample(model), explicit) < 1e-14
    assert relative_gap(ImplicitScoreMatching(x).per_sample(model), implicit) < 1e-13
    assert relative_gap(
        RegularizedScoreMatching(x, STRENGTH).per_sample(model),
        np.add(implicit, STRENGTH * np.array(penalty))) < 1e-13


@each_objective
def test_the_cotangents_are_the_derivatives_of_the_value(J):
    rng = np.random.default_rng(2)
    shapes = {"score": (N, D), "diagonal": (N, D), "divergence": (N,)}
    local = {name: rng.standard_normal(shapes[name]) for name in J.reads}
    _, cotangents = J.evaluate(**local)
    assert set(cotangents) == set(local)
    for name, at in local.items():
        def value(moved, name=name):
            return J.weights @ J.evaluate(**{**local, name: moved})[0]

        expected = complex_gradient(value, at)
        assert relative_gap(cotangents[name], expected) < 1e-14


@each_objective
@pytest.mark.parametrize("model", energies()[:3], ids=lambda model: type(model).__name__)
def test_the_gradient_is_the_complex_step_of_the_value(J, model):
    expected = complex_gradient(lambda vector: J.value(model.unravel(vector)), model.ravel())
    assert relative_gap(model.ravel(J.gradient(model)), expected) < 1e-12


def test_a_density_is_taken_for_its_score():
    x, _, _ = data()
    q, model = energies()[3], energies()[0]
    assert relative_gap(
        ExplicitScoreMatching(x, q).per_sample(model),
        ExplicitScoreMatching(x, q.score(x)).per_sample(model)) == 0
    assert ExplicitScoreMatching(x, q).value(q) == 0


def test_without_a_penalty_it_is_implicit_score_matching():
    x, _, _ = data()
    model = energies()[0]
    assert relative_gap(
        RegularizedScoreMatching(x, 0).per_sample(model),
        ImplicitScoreMatching(x).per_sample(model)) < 1e-14


def test_explicit_is_implicit_plus_one_constant_in_expectation():
    """Statement 2: E_q J_ESM = E_q J_ISM + 1/2 E_q |grad log q|^2, and equal gradients."""
    q = GaussianMixture([0.3, 0.7], [[-0.8, 0.5], [0.6, -0.3]],
                        [[[0.6, 0.2], [0.2, 0.5]], [[0.5, -0.1], [-0.1, 0.7]]])
    x, weights = trapezoid(q, 121)
    score = q.score(x)
    explicit = ExplicitScoreMatching(x, score, weights=weights)
    implicit = ImplicitScoreMatching(x, weights=weights)
    constant = weights @ (score**2).sum(axis=1) / 2
    assert 1 < constant < 3
    for seed in (3, 4):
        for model in energies(2, seed):
            # of the terms that are added
            size = weights @ (model.score(x) ** 2).sum(axis=1) + constant
            left, left_gradient = explicit.value_and_gradient(model)
            right, right_gradient = implicit.value_and_gradient(model)
            assert abs(left - right - constant) < 1e-12 * size
            left, right = model.ravel(left_gradient), model.ravel(right_gradient)
            assert np.abs(left - right).max() < 1e-11 * max(size, np.abs(left).max())


def test_for_gaussians_the_expected_losses_have_closed_forms():
    """q = N(m, S), model N(mean, P^-1), r = m - mean: E J_ISM = 1/2 tr(P P (S + r r')) - tr P,
    and E J_ESM is that plus tr(S^-1) / 2."""
    rng = np.random.default_rng(5)
    A = rng.standard_normal((2, D, D))
    S, P = A @ A.transpose(0, 2, 1) + np.eye(D)
    m, mean = rng.standard_normal((2, D))
    q, model = Gaussian(m, np.linalg.inv(S)), Gaussian(mean, P)
    x, weights = gauss_hermite(q, 2)
    r = m - mean
    implicit = np.trace(P @ P @ (S + np.outer(r, r))) / 2 - np.trace(P)
    assert abs(ImplicitScoreMatching(x, weights=weights).value(model) / implicit - 1) < 1e-13
    explicit = implicit + np.trace(np.linalg.inv(S)) / 2
    assert abs(ExplicitScoreMatching(x, q, weights=weights).value(model) / explicit - 1) < 1e-13
    regularized = implicit + STRENGTH * (np.diag(P) ** 2).sum()
    J = RegularizedScoreMatching(x, STRENGTH, weights=weights)
    assert abs(J.value(model) / regularized - 1) < 1e-13


def test_on_a_finite_sample_they_do_not_differ_by_a_constant():
    x, _, _ = data()
    q = energies()[3]
    gaps = [
        ExplicitScoreMatching(x, q).value(model) - ImplicitScoreMatching(x).value(model)
        for model in energies()
    ]
    assert np.ptp(gaps) > 0.1


# -- where statement 2 ends, and what the loss does not see ------------------------------------


def losses(x, weights, psi, divergence, data_score):
    """E_q (1) and E_q (3) of a score that is given as arrays."""
    explicit, cotangents = ExplicitScoreMatching(x, data_score).evaluate(score=psi)
    implicit, _ = ImplicitScoreMatching(x).evaluate(score=psi, divergence=divergence)
    return weights @ explicit, weights @ implicit


def halves(reach):
    """Nodes and weights on both sides of 0, for functions that jump there."""
    left, right = box([-reach], [-1e-300], 4001), box([1e-300], [reach], 4001)
    return np.concatenate([left.nodes, right.nodes]), np.concatenate([left.weights, right.weights])


def test_a_kink_of_the_energy_is_missed_by_the_density_there_times_the_jump_of_the_score():
    """q = N(0, 1) and psi = jump for x > 0, else 0: its divergence is 0 at every node."""
    x, volume = halves(12.0)
    weights = volume * np.exp(-x[:, 0]**2 / 2) / np.sqrt(2 * np.pi)
    for jump in (0.7, -1.9):
        explicit, implicit = losses(x, weights, jump * (x > 0), np.zeros(len(x)), -x)
        off = implicit + 1 / 2 - explicit                  # by (7) it would be 0; 1/2 = 1/2 E x^2
        assert abs(off / (-jump / np.sqrt(2 * np.pi)) - 1) < 1e-5      # trapezoid rule, step 0.003


def test_an_edge_of_the_density_is_missed_by_the_values_of_the_flux_there():
    """q uniform on [0, 1], psi = m - x: [q psi] = -1, and grad log q = 0 inside."""
    x, weights = box([0.0], [1.0], 4001)
    explicit, implicit = losses(x, weights, 0.3 - x, -np.ones(len(x)), np.zeros_like(x))
    assert abs(implicit - explicit + 1) < 1e-14


def test_on_its_own_points_a_parzen_density_has_no_least_implicit_loss():
    x = np.random.default_rng(6).standard_normal((20, D))
    values = {}
    for bandwidth in (0.5, 0.1, 0.01):
        values[bandwidth] = ImplicitScoreMatching(x).value(Parzen(x, bandwidth))
    assert values[0.5] > values[0.1] > values[0.01]
    assert abs(values[0.01] / (-D / 0.01**2) - 1) < 1e-12


def test_the_penalty_bounds_the_loss_from_below():
    least = -D / (4 * STRENGTH)
    J = RegularizedScoreMatching(data()[0], STRENGTH)
    at_least = {"score": np.zeros((N, D)), "diagonal": np.full((N, D), -1 / (2 * STRENGTH))}
    assert relative_gap(J.evaluate(**at_least)[0], np.full(N, least)) < 1e-15
    rng = np.random.default_rng(7)
    for scale in (0.1, 1.0, 100.0):
        local = {name: scale * rng.standard_normal((N, D)) for name in J.reads}
        assert (J.evaluate(**local)[0] > least).all()
    x = rng.standard_normal((20, D))
    assert RegularizedScoreMatching(x, STRENGTH).value(Parzen(x, 0.01)) > 0


def test_the_weights_of_two_far_modes_are_nearly_invisible():
    q, p = (GaussianMixture(weights, [[-8.0], [8.0]], np.ones((2, 1, 1)))
            for weights in ([0.5, 0.5], [0.9, 0.1]))
    x, weights = trapezoid(q, 401)
    assert ExplicitScoreMatching(x, q, weights=weights).value(p) < 1e-12
    divergence = weights @ (q.log_density(x) - p.log_density(x))
    assert abs(divergence - (np.log(0.5 / 0.9) + np.log(0.5 / 0.1)) / 2) < 1e-12


@pytest.mark.parametrize("make, error, sentence", [
    (lambda x: RegularizedScoreMatching(x, -0.1), ValueError,
     "strength must be finite and >= 0, but it is -0.1"),
    (lambda x: RegularizedScoreMatching(x, "a"), TypeError,
     "strength must be a number >= 0, but it is 'a'"),
    (lambda x: ExplicitScoreMatching(x, x[:5]), ValueError,
     "data_score must have shape (7, 3), but its shape is (5, 3)"),
    (lambda x: ExplicitScoreMatching(x, None), TypeError,
     "data_score must be numbers, but it contains None"),
    (lambda x: ImplicitScoreMatching(x[:, 0]), ValueError,
     "x must have shape (n, d), but its shape is (7,)"),
])
def test_bad_input_is_one_sentence(make, error, sentence):
    with pytest.raises(error) as caught:
        make(data()[0])
    assert str(caught.value) == sentence
