"""The Gaussian-Bernoulli machine: its hidden states enumerated, complex steps, rationals."""
from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np
import oracles
import pytest
from oracles import derivative_gaps, pullback_gap, relative_gap

from refsm.activations import RATIONAL, SOFTPLUS
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian_bernoulli_rbm import GaussianBernoulliRBM, GaussianBernoulliRBMTheta

n, d, m, M = 7, 5, 6, 3
STATES = np.array(list(product([0.0, 1.0], repeat=m)))       # (2^m, m), every hidden state h


def parameters(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, d)), rng.normal(size=m), rng.normal(size=d), rng.normal(size=d) * 0.4


def machine(seed=0):
    return GaussianBernoulliRBM(*parameters(seed))


def data(seed=1):
    return np.random.default_rng(seed).normal(size=(n, d)) * 1.7


cotangents = partial(oracles.cotangents, n, d, M)


def joint_energy(x, W, b, c, interaction):
    """E(x, h) for every hidden state, (n, 2^m); h_j stands beside b_j and `interaction` (n, m)."""
    quadratic = 0.5 * np.array([sum(((row - c) / np.exp(parameters()[3])) ** 2) for row in x])
    return quadratic[:, None] - STATES @ b - interaction @ STATES.T


def free_energy(joint):
    return -np.log(np.exp(-joint).sum(axis=1))


def test_energy_is_the_free_energy_of_all_hidden_states():
    W, b, c, log_sigma = parameters()
    x = data()
    interaction = np.array([[sum(W[j, i] * row[i] / np.exp(log_sigma[i]) ** 2 for i in range(d))
                             for j in range(m)] for row in x])
    assert relative_gap(machine().energy(x),
                        free_energy(joint_energy(x, W, b, c, interaction))) < 1e-14


def test_score_is_the_posterior_mean_of_the_pull_towards_each_hidden_state():
    """Given h, x is normal with mean c + W'h: its score is (c + W'h - x) / sigma^2."""
    W, b, c, log_sigma = parameters()
    x = data()
    joint = joint_energy(x, W, b, c, x / np.exp(log_sigma) ** 2 @ W.T)
    posterior = np.exp(-joint)
    posterior /= posterior.sum(axis=1, keepdims=True)
    pull = (c + STATES @ W - x[:, None]) / np.exp(log_sigma) ** 2
    assert relative_gap(machine().score(x), np.einsum("ns,nsi->ni", posterior, pull)) < 1e-14


def test_the_interaction_over_sigma_is_another_machine_unless_its_weights_are_ours_over_sigma():
    W, b, c, log_sigma = parameters()
    x, sigma = data(), np.exp(log_sigma)
    other = free_energy(joint_energy(x, W, b, c, x / sigma @ W.T))
    assert relative_gap(machine().energy(x), other) > 0.01
    rescaled = free_energy(joint_energy(x, W, b, c, x / sigma @ (W / sigma).T))
    assert relative_gap(machine().energy(x), rescaled) < 1e-14


def test_a_temperature_of_the_hidden_units_alone_is_another_energy():
    W, b, c, log_sigma = parameters()
    x, temperature = data(), 0.36
    a = b + x / np.exp(log_sigma) ** 2 @ W.T
    units = temperature * np.log1p(np.exp(a / temperature))
    other = (((x - c) / np.exp(log_sigma)) ** 2).sum(axis=1) / 2 - units.sum(axis=1)
    assert relative_gap(machine().energy(x), other) > 0.01


def test_hidden_states_of_minus_1_and_1_give_another_energy():
    W, b, c, log_sigma = parameters()
    x = data()
    a = b + x / np.exp(log_sigma) ** 2 @ W.T
    joint = (((x - c) / np.exp(log_sigma)) ** 2).sum(axis=1)[:, None] / 2 - a @ (2 * STATES - 1).T
    other = free_energy(joint)
    assert relative_gap(other,
                        (((x - c) / np.exp(log_sigma)) ** 2).sum(axis=1) / 2
                        - np.log(2 * np.cosh(a)).sum(axis=1)) < 1e-14
    assert relative_gap(machine().energy(x), other) > 0.01


def test_every_local_quantity_is_that_of_complex_steps():
    v, _ = cotangents()["curvature"]
    gaps = derivative_gaps(machine(), data(), v)
    assert {name: gap for name, gap in gaps.items() if not gap < 1e-14} == {}


@pytest.mark.parametrize("names", [[name] for name in cotangents()] + [list(cotangents())],
                         ids="+".join)
def test_each_pullback_on_each_parameter_is_a_complex_step(names):
    assert pullback_gap(machine(), data(), {name: cotangents()[name] for name in names}) < 1e-13


def test_a_pullback_without_cotangents_is_zero():
    pulled = machine().pullback(data())
    assert isinstance(pulled, GaussianBernoulliRBMTheta)
    for part, block in zip(pulled, machine().theta):
        assert part.shape == block.shape
        assert not part.any()


def test_other_directions_at_the_same_points_give_their_own_curvature():
    model, x = machine(), data()
    v, _ = cotangents()["curvature"]
    assert relative_gap(model.at(x, 2 * v).curvature(), 4 * model.at(x, v).curvature()) < 1e-14


def test_with_unit_sigmas_it_is_the_autoencoder_energy_plus_half_the_square_of_c():
    W, b, c, _ = parameters()
    x, given = data(), cotangents()
    model, other = GaussianBernoulliRBM(W, b, c, np.zeros(d)), AutoencoderEnergy(W, b, c, sigma=1)
    v, _ = given["curvature"]
    assert relative_gap(model.energy(x), other.energy(x) + c @ c / 2) < 1e-14
    for quantity in ("score", "score_jacobian", "score_divergence", "score_jacobian_diagonal"):
        assert relative_gap(getattr(model, quantity)(x), getattr(other, quantity)(x)) < 1e-14
    assert relative_gap(model.score_curvature(x, v), other.score_curvature(x, v)) < 1e-14
    left, right = model.pullback(x, **given), other.pullback(x, **given)
    assert relative_gap(left.W, right.W) < 1e-13
    assert relative_gap(left.b, right.b) < 1e-13
    # the constant |c|^2 / 2 depends on c
    assert relative_gap(left.c, right.c + given["energy"].sum() * c) < 1e-13


def rationals(shape, seed):
    numerators = np.random.default_rng(seed).integers(-9, 10, size=shape)
    return np.array([Fraction(int(k), 7) for k in numerators.ravel()], dtype=object).reshape(shape)


@pytest.mark.parametrize("zero", [Fraction(0), 0.0])
def test_exact_rationals_stay_exact_and_equal_the_autoencoder(zero):
    W, b, c, x = rationals((m, d), 0), rationals(m, 1), rationals(d, 2), rationals((n, d), 3)
    p, t, g = rationals((n, d), 4), rationals(n, 5), rationals((n, d), 6)
    v, w = rationals((n, M, d), 7), rationals((n, M), 8)
    model = GaussianBernoulliRBM(W, b, c, np.full(d, zero, dtype=object), activation=RATIONAL)
    other = AutoencoderEnergy(W, b, c, sigma=Fraction(1), activation=RATIONAL)
    for quantity in ("score", "score_jacobian", "score_divergence", "score_jacobian_diagonal"):
        left, right = getattr(model, quantity)(x), getattr(other, quantity)(x)
        assert (left == right).all()
        assert all(isinstance(entry, Fraction) for entry in left.ravel())
    assert (model.score_curvature(x, v) == other.score_curvature(x, v)).all()
    left = model.pullback(x, score=p, divergence=t, diagonal=g, curvature=(v, w))
    right = other.pullback(x, score=p, divergence=t, diagonal=g, curvature=(v, w))
    assert all((getattr(left, name) == getattr(right, name)).all() for name in ("W", "b", "c"))
    assert all(isinstance(entry, Fraction) for part in left for entry in part.ravel())


@pytest.mark.parametrize("size", [1e-8, 1e-6, 1e8])
def test_it_scales_with_the_units_of_x(size):
    """x, W, c and sigma in other units: the score is divided by the unit, J by its square."""
    W, b, c, log_sigma = parameters()
    model, x = machine(), data()
    unit = np.array([size, 3.0, 1 / size, size, 0.7])
    scaled = GaussianBernoulliRBM(W * unit, b, c * unit, log_sigma + np.log(unit))
    assert relative_gap(scaled.energy(x * unit), model.energy(x)) < 1e-12
    assert relative_gap(scaled.score(x * unit) * unit, model.score(x)) < 1e-12
    assert relative_gap(scaled.score_jacobian_diagonal(x * unit) * unit**2,
                        model.score_jacobian_diagonal(x)) < 1e-12
    v, w = cotangents()["curvature"]
    assert relative_gap(scaled.score_curvature(x * unit, v * unit),
                        model.score_curvature(x, v)) < 1e-12
    given = {"energy": cotangents()["energy"], "curvature": (v, w)}
    left, right = scaled.pullback(x * unit, energy=given["energy"],
                                  curvature=(v * unit, w)), model.pullback(x, **given)
    assert relative_gap(left.W * unit, right.W) < 1e-12
    assert relative_gap(left.c * unit, right.c) < 1e-12
    assert relative_gap(left.b, right.b) < 1e-12
    assert relative_gap(left.log_sigma, right.log_sigma) < 1e-12


def test_saturated_activations_leave_the_pure_quadratic_of_the_chosen_hidden_state():
    """|a| = 1e4: each hidden unit is decided, the energy is that of its state, no warning."""
    W, _, c, log_sigma = parameters()
    h = np.array([1.0, 0, 1, 1, 0, 0])
    b = 1e4 * (2 * h - 1)
    model, x, sigma2 = GaussianBernoulliRBM(W, b, c, log_sigma), data(), np.exp(2 * log_sigma)
    assert relative_gap(model.energy(x),
                        ((x - c) ** 2 / (2 * sigma2)).sum(axis=1)
                        - h @ b - x / sigma2 @ (h @ W)) < 1e-14
    assert relative_gap(model.score(x), (c + h @ W - x) / sigma2) < 1e-14
    assert relative_gap(model.score_divergence(x), np.full(n, -sum(1 / sigma2))) < 1e-14
    assert all(np.isfinite(part).all() for part in model.pullback(x, **cotangents()))


def test_sigma_tau_and_V_are_what_their_equations_say():
    W, _, _, log_sigma = parameters()
    model = machine()
    assert np.allclose(model.sigma, np.exp(log_sigma), rtol=1e-15)
    assert np.allclose(model.tau, 1 / model.sigma**2, rtol=1e-14)
    assert np.allclose(model.V, W / model.sigma**2, rtol=1e-14)
    with pytest.raises(ValueError, match="read-only"):
        model.V[0, 0] = 0.0
    with pytest.raises(ValueError, match="read-only"):
        model.tau[0] = 0.0


def test_the_dimensions_are_those_of_W():
    assert machine().d == d
    assert machine().width == m
    assert GaussianBernoulliRBM(np.zeros((3, 5)), np.zeros(3), np.zeros(5), np.zeros(5)).width == 5


def test_other_parameters_keep_the_activation():
    model = GaussianBernoulliRBM(*parameters(), activation=RATIONAL)
    assert model.with_theta(model.theta).activation is RATIONAL
    assert machine().activation is SOFTPLUS
    assert [name for name in model.theta._fields] == ["W", "b", "c", "log_sigma"]


def test_wrong_parameters_are_refused_by_name():
    W, b, c, log_sigma = parameters()
    with pytest.raises(ValueError, match=r"W must have shape \(m, d\), but its shape is \(6,\)"):
        GaussianBernoulliRBM(b, b, c, log_sigma)
    with pytest.raises(ValueError, match=r"b must have shape \(6,\), but its shape is \(5,\)"):
        GaussianBernoulliRBM(W, c, c, log_sigma)
    with pytest.raises(ValueError, match=r"c must have shape \(5,\), but its shape is \(6,\)"):
        GaussianBernoulliRBM(W, b, b, log_sigma)
    with pytest.raises(ValueError,
                       match=r"log_sigma must have shape \(5,\), but its shape is \(6,\)"):
        GaussianBernoulliRBM(W, b, c, b)
    with pytest.raises(ValueError, match=r"log_sigma must be finite, but it has nan at \(0,\)"):
        GaussianBernoulliRBM(W, b, c, np.full(d, np.nan))


@pytest.mark.parametrize("sign", [-1, 1])
def test_sigma_is_refused_where_its_square_leaves_the_range_of_the_numbers(sign):
    W, b, c, _ = parameters()
    with pytest.raises(ValueError, match="log_sigma must be between -350 and 350, but it has an "
                                         "entry of size 350.1"):
        GaussianBernoulliRBM(W, b, c, [0, 0, sign * 350.1, 0, 0])
    model = GaussianBernoulliRBM(W, b, c, [0, 0, sign * 350.0, 0, 0])
    assert np.isfinite(model.tau).all()
    assert (model.tau > 0).all()


def test_a_hidden_unit_may_change_its_sign_or_its_place():
    W, b, c, log_sigma = parameters()
    order, signs = [3, 0, 5, 1, 2, 4], np.array([1, -1, 1, 1, -1, 1])
    model, x = machine(), data()
    turned = GaussianBernoulliRBM((signs[:, None] * W)[order], (signs * b)[order], c + W[1] + W[4],
                                  log_sigma)
    moved = turned.energy(x) - model.energy(x)
    assert relative_gap(moved, np.full(n, moved[0])) < 1e-12
    assert relative_gap(turned.score(x), model.score(x)) < 1e-13
    assert relative_gap(turned.score_jacobian(x), model.score_jacobian(x)) < 1e-13
