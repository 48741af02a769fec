"""The polynomial energy: a Gaussian written as one, sums term by term, complex steps, rationals."""
import pickle
from fractions import Fraction
from functools import partial

import numpy as np
import oracles
import pytest
from oracles import derivative_gaps, pullback_gap, relative_gap

from refsm.energies.gaussian import Gaussian
from refsm.energies.polynomial import PolynomialEnergy, PolynomialTheta
from refsm.rows import row_blocks
from refsm.saving import load

n, d, K, M = 7, 3, 6, 5
EXPONENTS = np.array([[1, 0, 0], [2, 0, 3], [0, 1, 0], [4, 0, 0], [1, 2, 1], [0, 0, 2]])


def polynomial(seed=0):
    return PolynomialEnergy(np.random.default_rng(seed).normal(size=K), EXPONENTS)


def data(seed=1):
    return np.random.default_rng(seed).normal(size=(n, d))


cotangents = partial(oracles.cotangents, n, d, M)


def test_energy_is_minus_the_polynomial_written_out():
    x, theta = data(), polynomial().theta.coefficients
    x_1, x_2, x_3 = x.T
    terms = [x_1, x_1**2 * x_3**3, x_2, x_1**4, x_1 * x_2**2 * x_3, x_3**2]
    assert relative_gap(polynomial().energy(x), -sum(t * F for t, F in zip(theta, terms))) < 1e-14


def test_score_written_out():
    x, theta = data(), polynomial().theta.coefficients
    x_1, x_2, x_3 = x.T
    psi = [theta[0] + 2 * theta[1] * x_1 * x_3**3 + 4 * theta[3] * x_1**3 + theta[4] * x_2**2 * x_3,
           theta[2] + 2 * theta[4] * x_1 * x_2 * x_3,
           3 * theta[1] * x_1**2 * x_3**2 + theta[4] * x_1 * x_2**2 + 2 * theta[5] * x_3]
    assert relative_gap(polynomial().score(x), np.stack(psi, axis=1)) < 1e-14


def test_a_gaussian_is_a_polynomial():
    rng = np.random.default_rng(3)
    A, mean = rng.normal(size=(d, d)), rng.normal(size=d)
    P, i, l = A @ A.T + np.eye(d), *np.triu_indices(d, k=1)
    unit = np.eye(d, dtype=int)
    model = PolynomialEnergy([*(P @ mean), *(-np.diag(P) / 2), *-P[i, l]],
                             [*unit, *(2 * unit), *(unit[i] + unit[l])])
    gaussian, x = Gaussian(mean, P), data()
    v, _ = cotangents()["curvature"]
    assert relative_gap(model.energy(x) + mean @ P @ mean / 2, gaussian.energy(x)) < 1e-14
    for quantity in ("score", "score_jacobian", "score_divergence", "score_jacobian_diagonal"):
        assert relative_gap(getattr(model, quantity)(x), getattr(gaussian, quantity)(x)) < 1e-14
    assert relative_gap(model.score_curvature(x, v), gaussian.score_curvature(x, v)) < 1e-14


def test_every_local_quantity_is_that_of_complex_steps():
    v, _ = cotangents()["curvature"]
    gaps = derivative_gaps(polynomial(), data(), v)
    assert {name: gap for name, gap in gaps.items() if not gap < 1e-14} == {}


@pytest.mark.parametrize("names", [[name] for name in cotangents()] + [list(cotangents())],
                         ids="+".join)
def test_each_pullback_is_a_complex_step(names):
    chosen = {name: cotangents()[name] for name in names}
    assert pullback_gap(polynomial(), data(), chosen) < 1e-14


def test_a_pullback_without_cotangents_is_zero():
    pulled = polynomial().pullback(data())
    assert isinstance(pulled, PolynomialTheta)
    assert pulled.coefficients.tolist() == [0.0] * K


def test_every_quantity_is_linear_in_theta():
    one, two, x = polynomial(4), polynomial(5), data()
    both = one.unravel(2 * one.ravel() - 3 * two.ravel())
    for quantity in ("energy", "score", "score_jacobian", "score_divergence"):
        left, right = (getattr(model, quantity)(x) for model in (one, two))
        assert relative_gap(getattr(both, quantity)(x), 2 * left - 3 * right) < 1e-13


@pytest.mark.parametrize("name", ["energy", "score", "divergence", "diagonal", "curvature"])
def test_the_basis_holds_the_quantity_of_each_term_alone(name):
    x, (v, _) = data(), cotangents()["curvature"]
    basis = polynomial().at(x, v).basis(name)
    assert len(basis) == K
    for k, unit in enumerate(np.eye(K)):
        alone = getattr(polynomial().unravel(unit).at(x, v), name)()
        assert basis[k].shape == alone.shape
        # the same products, of six factors at most, in another order
        assert np.max(np.abs(basis[k] - alone)) < 6 * 2.0**-52 * max(1, np.max(np.abs(alone)))


def test_a_term_without_x_is_seen_by_the_energy_alone():
    model, x = PolynomialEnergy([0.7, 5.0], [[1, 2, 0], [0, 0, 0]]), data()
    plain = PolynomialEnergy([0.7], [[1, 2, 0]])
    assert relative_gap(model.energy(x), plain.energy(x) - 5) < 1e-14
    assert np.array_equal(model.score(x), plain.score(x))
    assert model.pullback(x, score=np.ones((n, d))).coefficients[1] == 0


def test_at_zero_the_powers_are_those_of_the_definition():
    """0^0 = 1, and the derivatives of x_i^0 and x_i^1 there are 0 and 1."""
    model, origin = PolynomialEnergy([2.0, 3.0, 5.0], [[1, 0, 0], [0, 2, 0], [1, 0, 1]]), [[0] * 3]
    assert model.energy(origin).tolist() == [0]
    assert model.score(origin).tolist() == [[2, 0, 0]]
    assert model.score_jacobian(origin).tolist() == [[[0, 0, 5], [0, 6, 0], [5, 0, 0]]]


def test_everything_is_exact_in_rationals():
    """One point, by hand: F = (x_1^2 x_2, x_2^3), x = (2/3, -1/2)."""
    a, b = Fraction(2, 3), Fraction(-1, 2)
    s, t = Fraction(3, 5), Fraction(-7, 2)
    model = PolynomialEnergy([s, t], [[2, 1], [0, 3]])
    x, v, p = [[a, b]], [[Fraction(1, 3), Fraction(5, 7)]], [[Fraction(4), Fraction(1, 9)]]
    assert model.energy(x).tolist() == [-(s * a**2 * b + t * b**3)]
    assert model.score(x).tolist() == [[2 * s * a * b, s * a**2 + 3 * t * b**2]]
    J = [[2 * s * b, 2 * s * a], [2 * s * a, 6 * t * b]]
    assert model.score_jacobian(x).tolist() == [J]
    assert model.score_divergence(x).tolist() == [J[0][0] + J[1][1]]
    u, w = v[0]
    along = u**2 * J[0][0] + 2 * u * w * J[0][1] + w**2 * J[1][1]
    assert model.score_curvature(x, v).tolist() == [along]
    c, e, g, k = Fraction(2, 5), Fraction(1, 4), [[Fraction(3), Fraction(-2)]], Fraction(8, 3)
    pulled = model.pullback(x, energy=[e], score=p, divergence=[c], diagonal=g, curvature=(v, [k]))
    (p_1, p_2), (g_1, g_2) = p[0], g[0]
    assert pulled.coefficients.tolist() == [
        -e * a**2 * b + 2 * p_1 * a * b + p_2 * a**2 + (c + g_1) * 2 * b
        + k * (u**2 * 2 * b + 4 * u * w * a),
        -e * b**3 + 3 * p_2 * b**2 + (c + g_2) * 6 * b + k * w**2 * 6 * b]
    assert all(isinstance(entry, Fraction) for entry in pulled.coefficients)


def test_sizes_theta_and_pickles():
    model = polynomial()
    again = pickle.loads(pickle.dumps(model))
    assert (model.d, model.width) == (d, K)
    assert repr(model) == "PolynomialEnergy(theta: (6,), exponents: (6, 3))"
    assert PolynomialEnergy([1.0], [[1, 0, 2]]).width == 3
    assert np.array_equal(again.ravel(), model.ravel())
    assert np.array_equal(model.with_theta(model.theta).energy(data()), model.energy(data()))
    assert model.theta._fields == ("coefficients",)
    with pytest.raises(ValueError, match="read-only"):
        model.exponents[0, 0] = 3


@pytest.mark.parametrize("theta", [[0.7, -1.5], [Fraction(2, 3), Fraction(-1, 7)]])
def test_a_file_keeps_the_terms(tmp_path, theta):
    model = PolynomialEnergy(theta, [[1, 2], [0, 3]])
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert isinstance(again, PolynomialEnergy)
    assert again.theta.coefficients.tolist() == theta
    assert again.exponents.tolist() == [[1, 2], [0, 3]]


def test_many_points_are_taken_in_blocks():
    x = np.random.default_rng(6).normal(size=(70001, d))
    score = polynomial().score(x)
    *_, last = row_blocks(len(x), polynomial().width)
    assert 0 < last.start
    assert np.array_equal(score[last], polynomial().score(x[last]))


@pytest.mark.parametrize(("theta", "exponents", "sentence"), [
    ([1.0, 2.0], [[1, 0]], r"exponents must have shape \(2, d\), but its shape is \(1, 2\)"),
    ([[1.0]], [[1, 0]], r"theta must have shape \(K,\), but its shape is \(1, 1\)"),
    ([], [], r"theta must have shape \(K,\), but its shape is \(0,\) \(empty\)"),
    ([np.nan], [[1, 0]], r"theta must be finite, but it has nan at \(0,\)"),
    ([1.0], [[1, -1]], r"whole numbers from 0 to 1000000, but entry \(0, 1\) is -1"),
    ([1.0], [[0.5, 1]], r"whole numbers from 0 to 1000000, but entry \(0, 0\) is 0.5"),
    ([1.0], [[1, 1j]], r"whole numbers from 0 to 1000000, but entry \(0, 1\) is 1j"),
    ([1.0], [[1000001, 2]], r"from 0 to 1000000, but entry \(0, 0\) is 1000001"),
    ([1.0], [[1, np.inf]], r"exponents must be finite, but it has inf at \(0, 1\)"),
])
def test_wrong_parameters_are_refused_by_name(theta, exponents, sentence):
    with pytest.raises(ValueError, match=sentence):
        PolynomialEnergy(theta, exponents)


def test_theta_of_another_kind_is_refused():
    sentence = "theta must be a tuple of coefficients, but it is 2 of them"
    with pytest.raises(ValueError, match=sentence):
        polynomial().with_theta((np.ones(K), np.ones(K)))


def test_the_greatest_exponent_is_taken():
    model = PolynomialEnergy([3.0], [[10**6, 1]])
    assert model.score([[1.0, 1.0]]).tolist() == [[3e6, 3.0]]


def test_only_pairs_of_dimensions_with_a_term_in_common_are_differentiated():
    model = PolynomialEnergy(np.ones(3), [[1, 2, 0], [0, 0, 3], [1, 0, 0]])
    assert model.at(np.ones((5, 3))).pairs.tolist() == [[0, 1]]
