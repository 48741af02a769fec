"""Vincent's energy: its hidden code enumerated, its reconstruction, complex steps, rationals."""
from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np
import oracles
import pytest
from oracles import complex_jacobian, derivative_gaps, pullback_gap, relative_gap

from refsm.activations import RATIONAL, SOFTPLUS
from refsm.energies.autoencoder import AutoencoderEnergy, AutoencoderTheta
from refsm.energies.gaussian_bernoulli_rbm import GaussianBernoulliRBM

n, d, m, M, SIGMA = 7, 5, 6, 3, 0.61
# (2^m, m), every hidden code of zeros and ones
STATES = np.array(list(product([0.0, 1.0], repeat=m)))


def parameters(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, d)), rng.normal(size=m), rng.normal(size=d)


def autoencoder(sigma=SIGMA):
    return AutoencoderEnergy(*parameters(), sigma=sigma)


def data(seed=1):
    return np.random.default_rng(seed).normal(size=(n, d)) * 1.7


cotangents = partial(oracles.cotangents, n, d, M)


def test_sigma_squared_times_the_energy_is_a_free_energy_of_hidden_codes():
    W, b, c = parameters()
    weights = [sum(np.exp(row @ c - row @ row / 2 + h @ b + h @ W @ row) for h in STATES)
               for row in data()]
    assert relative_gap(SIGMA**2 * autoencoder().energy(data()), -np.log(weights)) < 1e-14


def test_score_is_the_reconstruction_minus_the_input_over_sigma_squared():
    W, b, c = parameters()
    x = data()
    code = 1 / (1 + np.exp(-(x @ W.T + b)))
    assert relative_gap(autoencoder().score(x), (code @ W + c - x) / SIGMA**2) < 1e-14


def test_every_local_quantity_is_that_of_complex_steps():
    v, _ = cotangents()["curvature"]
    gaps = derivative_gaps(autoencoder(), data(), v)
    assert {name: gap for name, gap in gaps.items() if not gap < 1e-14} == {}


@pytest.mark.parametrize("names", [[name] for name in cotangents()] + [list(cotangents())],
                         ids="+".join)
def test_each_pullback_on_each_parameter_is_a_complex_step(names):
    assert pullback_gap(autoencoder(), data(), {name: cotangents()[name] for name in names}) < 1e-13


def test_a_pullback_without_cotangents_is_zero():
    pulled = autoencoder().pullback(data())
    assert isinstance(pulled, AutoencoderTheta)
    for part, block in zip(pulled, autoencoder().theta):
        assert part.shape == block.shape
        assert not part.any()


def test_other_directions_at_the_same_points_give_their_own_curvature():
    model, x = autoencoder(), data()
    v, _ = cotangents()["curvature"]
    assert relative_gap(model.at(x, 2 * v).curvature(), 4 * model.at(x, v).curvature()) < 1e-14


def rationals(shape, seed):
    numerators = np.random.default_rng(seed).integers(-9, 10, size=shape)
    return np.array([Fraction(int(k), 7) for k in numerators.ravel()], dtype=object).reshape(shape)


def test_exact_rationals_stay_exact():
    """One point, in sums: score, divergence and their pullbacks are these very numbers."""
    W, b, c = rationals((3, 2), 0), rationals(3, 1), rationals(2, 2)
    x, p, t, sigma = rationals((1, 2), 3), rationals((1, 2), 4), Fraction(5, 9), Fraction(2, 3)
    rows, columns = range(3), range(2)
    model = AutoencoderEnergy(W, b, c, sigma=sigma, activation=RATIONAL)
    z, y = x[0], p[0]
    a = [b[j] + sum(W[j, i] * z[i] for i in columns) for j in rows]
    u = [1 / (1 + abs(a[j])) for j in rows]
    s, s1 = [(1 + a[j] * u[j]) / 2 for j in rows], [u[j] ** 2 / 2 for j in rows]
    s2 = [(-1 if a[j] > 0 else 1) * u[j] ** 3 for j in rows]
    q = [sum(W[j, i] ** 2 for i in columns) for j in rows]
    reconstruction = [sum(s[j] * W[j, i] for j in rows) + c[i] for i in columns]
    assert model.score(x)[0].tolist() == [(reconstruction[i] - z[i]) / sigma**2 for i in columns]
    assert model.score_divergence(x)[0] == (sum(s1[j] * q[j] for j in rows) - 2) / sigma**2
    pulled = model.pullback(x, score=p, divergence=np.array([t]))
    A = [s1[j] * sum(W[j, i] * y[i] for i in columns) + s2[j] * t * q[j] for j in rows]
    dW = [[A[j] * z[i] + s[j] * y[i] + 2 * s1[j] * t * W[j, i] for i in columns] for j in rows]
    assert pulled.W.tolist() == [[entry / sigma**2 for entry in row] for row in dW]
    assert pulled.b.tolist() == [A[j] / sigma**2 for j in rows]
    assert pulled.c.tolist() == [y[i] / sigma**2 for i in columns]
    assert all(isinstance(entry, Fraction) for part in pulled for entry in part.ravel())


@pytest.mark.parametrize("sigma", [1e-8, 1e-6, 1e8])
def test_sigma_is_a_temperature(sigma):
    model, plain, x = autoencoder(sigma), autoencoder(1), data()
    for quantity in ("energy", "score", "score_jacobian", "score_divergence",
                     "score_jacobian_diagonal"):
        assert relative_gap(getattr(model, quantity)(x) * sigma**2,
                            getattr(plain, quantity)(x)) < 1e-14
    for left, right in zip(model.pullback(x, **cotangents()), plain.pullback(x, **cotangents())):
        assert relative_gap(left * sigma**2, right) < 1e-14


def test_saturated_codes_leave_the_quadratic_of_the_chosen_code():
    """|a| = 1e4: each hidden unit is decided, the reconstruction is a constant, no warning."""
    W, _, c = parameters()
    h = np.array([1.0, 0, 1, 1, 0, 0])
    b = 1e4 * (2 * h - 1)
    model, x = AutoencoderEnergy(W, b, c, sigma=SIGMA), data()
    assert relative_gap(model.energy(x),
                        (np.sum(x * x, axis=1) / 2 - x @ c - h @ b - x
                         @ (h @ W)) / SIGMA**2) < 1e-14
    assert relative_gap(model.score(x), (c + h @ W - x) / SIGMA**2) < 1e-14
    assert relative_gap(model.score_divergence(x), np.full(n, -d / SIGMA**2)) < 1e-14
    assert all(np.isfinite(part).all() for part in model.pullback(x, **cotangents()))


def test_the_dimensions_are_those_of_W():
    assert autoencoder().d == d
    assert autoencoder().width == m
    assert AutoencoderEnergy(np.zeros((3, 5)), np.zeros(3), np.zeros(5), sigma=2).width == 5


def test_other_parameters_keep_the_constants():
    model = AutoencoderEnergy(*parameters(), sigma=SIGMA, activation=RATIONAL)
    other = model.with_theta(model.theta)
    assert other.sigma == SIGMA
    assert other.activation is RATIONAL
    assert autoencoder().activation is SOFTPLUS
    assert model.theta._fields == ("W", "b", "c")


def test_wrong_parameters_are_refused_by_name():
    W, b, c = parameters()
    with pytest.raises(ValueError,
                       match=r"W must have shape \(m, d\), but its shape is \(0, 5\) \(empty\)"):
        AutoencoderEnergy(np.zeros((0, 5)), np.zeros(0), c, sigma=SIGMA)
    with pytest.raises(ValueError, match=r"b must have shape \(6,\), but its shape is \(5,\)"):
        AutoencoderEnergy(W, c, c, sigma=SIGMA)
    with pytest.raises(ValueError, match=r"c must have shape \(5,\), but its shape is \(6,\)"):
        AutoencoderEnergy(W, b, b, sigma=SIGMA)
    with pytest.raises(ValueError, match=r"W must be finite, but it has inf at \(0, 0\)"):
        AutoencoderEnergy(np.full((m, d), np.inf), b, c, sigma=SIGMA)
    for sigma in (0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="sigma must be finite and > 0"):
            AutoencoderEnergy(W, b, c, sigma=sigma)
    with pytest.raises(TypeError, match=r"sigma must be a number > 0, but it is None"):
        AutoencoderEnergy(W, b, c, sigma=None)


# -- what the Conventions say ----------------------------------------------------------------------

def decoded(V, sigma=SIGMA):
    """(V's s(Wx + b) + c - x) / sigma^2: the field of a decoder V that is not tied."""
    W, b, c = parameters()
    return lambda x: ((1 / (1 + np.exp(-(x @ W.T + b)))) @ V + c - x) / sigma**2


def test_a_decoder_of_multiples_of_the_encoder_rows_has_the_energy_of_weighted_hidden_units():
    W, b, c = parameters()
    lambdas = np.array([0.3, -1.7, 2.2, 0.6, -0.4, 1.1])
    x = data()

    def energy(x):
        units = np.log(1 + np.exp(x @ W.T + b))
        return -(x @ c - np.sum(x * x, axis=1) / 2 + units @ lambdas) / SIGMA**2

    assert relative_gap(decoded(lambdas[:, None] * W)(x), -complex_jacobian(energy, x)) < 1e-14


@pytest.mark.parametrize("j", range(m))
def test_one_decoder_row_that_is_no_multiple_makes_the_jacobian_asymmetric(j):
    """For all x it would have to be symmetric; at seven points it is visibly not."""
    V = np.array(parameters()[0])
    V[j, 0] += 0.1
    J = complex_jacobian(decoded(V), data())
    assert abs(J - J.swapaxes(1, 2)).max() > 1e-3 * abs(J).max()


def test_a_decoder_row_beside_an_encoder_row_of_zeros_is_a_constant():
    """The criterion excludes W_j = 0: there every V_j gives a symmetric Jacobian."""
    W, b, c = parameters()
    V = W.copy()
    W[2], V[2] = 0, 5.0
    J = complex_jacobian(lambda x: (1 / (1 + np.exp(-(x @ W.T + b)))) @ V + c - x, data())
    assert relative_gap(J, J.swapaxes(1, 2)) < 1e-14


@pytest.mark.parametrize("activation", [SOFTPLUS, RATIONAL], ids=str)
def test_a_hidden_unit_may_change_its_sign_or_its_place(activation):
    """Energies move by b_j / sigma^2, every derivative stays."""
    W, b, c = parameters()
    model = AutoencoderEnergy(W, b, c, sigma=SIGMA, activation=activation)
    order = [3, 0, 5, 1, 2, 4]
    signs = np.array([1, -1, 1, 1, -1, 1])
    turned = AutoencoderEnergy((signs[:, None] * W)[order], (signs * b)[order],
                               c + W[1] + W[4], sigma=SIGMA, activation=activation)
    x = data()
    assert relative_gap(turned.energy(x), model.energy(x) + (b[1] + b[4]) / SIGMA**2) < 1e-13
    assert relative_gap(turned.score(x), model.score(x)) < 1e-13
    assert relative_gap(turned.score_jacobian(x), model.score_jacobian(x)) < 1e-13


def test_sigma_inside_the_sigmoid_is_a_gaussian_bernoulli_machine():
    W, b, c = parameters()
    x = data()
    inside = ((1 / (1 + np.exp(-(x @ W.T + b) / SIGMA**2))) @ W + c - x) / SIGMA**2
    machine = GaussianBernoulliRBM(W, b / SIGMA**2, c, np.full(d, np.log(SIGMA)))
    assert relative_gap(machine.score(x), inside) < 1e-13
    assert relative_gap(autoencoder().score(x), inside) > 0.01


@pytest.mark.parametrize("K", [3, 7])
def test_a_whole_number_of_copies_of_each_hidden_unit_is_sigma_outside(K):
    W, b, c = parameters()
    x = data()
    model = AutoencoderEnergy(W, b, c, sigma=1 / np.sqrt(K))
    machine = GaussianBernoulliRBM(np.repeat(W / K, K, axis=0), np.repeat(b, K), c,
                                   np.full(d, -np.log(K) / 2))
    assert relative_gap(machine.energy(x), model.energy(x) + K * c @ c / 2) < 1e-13
    assert relative_gap(machine.score(x), model.score(x)) < 1e-13


def test_energy_times_sigma_squared_does_not_contain_sigma():
    """The name temperature: exp(-E) is exp(-U / sigma^2) with one U for every sigma."""
    x = data()
    U = [sigma**2 * autoencoder(sigma).energy(x) for sigma in (0.3, 0.61, 5.0)]
    assert relative_gap(U[0], U[1]) < 1e-14
    assert relative_gap(U[2], U[1]) < 1e-14


def test_the_pullback_of_a_score_needs_no_third_derivative():
    """An activation of which only two derivatives exist."""
    flat = RATIONAL._replace(half_decay=None)
    W, b, c = parameters()
    model = AutoencoderEnergy(W, b, c, sigma=SIGMA, activation=flat)
    same = AutoencoderEnergy(W, b, c, sigma=SIGMA, activation=RATIONAL)
    given = {"energy": cotangents()["energy"], "score": cotangents()["score"]}
    assert relative_gap(model.ravel(model.pullback(data(), **given)),
                        same.ravel(same.pullback(data(), **given))) == 0
    with pytest.raises(TypeError):
        model.pullback(data(), divergence=cotangents()["divergence"])
