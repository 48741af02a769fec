"""The Gaussian: closed forms, complex steps, exact rationals, density, the symmetric gradient."""
from fractions import Fraction
from functools import partial

import numpy as np
import oracles
import pytest
from oracles import complex_gradient, complex_jacobian, paired, pullback_gap, relative_gap

from refsm.energies.gaussian import Gaussian, GaussianTheta
from refsm.objectives.score_matching import ImplicitScoreMatching

n, d, M = 7, 5, 3


def parameters(seed=0):
    """An indefinite precision: as an energy that is fine."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(d, d))
    return rng.normal(size=d), A + A.T


def energy():
    return Gaussian(*parameters())


def density(seed=0):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(d, d))
    return Gaussian(rng.normal(size=d), A @ A.T + 0.3 * np.eye(d))


def data(seed=1):
    return np.random.default_rng(seed).normal(size=(n, d)) * 1.7


cotangents = partial(oracles.cotangents, n, d, M)


def test_energy_is_the_sum_over_all_pairs_of_entries():
    mean, P = parameters()
    plain = [sum((row[i] - mean[i]) * P[i, k] * (row[k] - mean[k]) for i in range(d)
                 for k in range(d)) / 2 for row in data()]
    assert relative_gap(energy().energy(data()), plain) < 1e-14


def test_score_is_minus_the_energy_gradient():
    assert relative_gap(energy().score(data()), -complex_jacobian(energy().energy, data())) < 1e-14


def test_all_second_derivatives_are_those_of_minus_the_precision():
    model, x, (_, P) = energy(), data(), parameters()
    v, _ = cotangents()["curvature"]
    assert relative_gap(model.score_jacobian(x), complex_jacobian(model.score, x)) < 1e-14
    assert (model.score_jacobian(x) == -P).all()
    assert (model.score_divergence(x) == -np.trace(P)).all()
    assert model.score_divergence(x).shape == (n,)
    assert (model.score_jacobian_diagonal(x) == -np.diag(P)).all()
    assert model.score_jacobian_diagonal(x).shape == (n, d)
    assert relative_gap(model.score_curvature(x, v), -np.einsum("nri,ik,nrk->nr", v, P, v)) < 1e-14


def test_results_may_be_written_to():
    model, x = energy(), data()
    for quantity in (model.energy, model.score, model.score_jacobian, model.score_divergence,
                     model.score_jacobian_diagonal):
        quantity(x)[...] = 0


@pytest.mark.parametrize("names", [[name] for name in cotangents()] + [list(cotangents())],
                         ids="+".join)
def test_each_pullback_on_each_parameter_is_a_complex_step(names):
    assert pullback_gap(energy(), data(), {name: cotangents()[name] for name in names}) < 1e-13


def test_a_pullback_without_cotangents_is_zero():
    pulled = energy().pullback(data())
    assert isinstance(pulled, GaussianTheta)
    assert pulled.mean.shape == (d,)
    assert pulled.precision.shape == (d, d)
    assert not pulled.mean.any()
    assert not pulled.precision.any()


def test_the_gradient_for_the_precision_is_exactly_symmetric_and_answers_every_symmetric_change():
    x, given = data(), cotangents()
    pulled = energy().pullback(x, **given).precision
    assert (pulled == pulled.T).all()
    mean, P = parameters()
    S = np.random.default_rng(3).normal(size=(d, d))
    S = S + S.T
    along = paired(Gaussian(mean, P + 1e-30j * S), x, given).imag / 1e-30
    assert (pulled * S).sum() == pytest.approx(along, rel=1e-13)


def test_the_ravelled_gradient_is_the_gradient_of_the_unravelled_vector_entry_by_entry():
    model, J = energy(), ImplicitScoreMatching(data())
    stepped = complex_gradient(lambda vector: J.value(model.unravel(vector)), model.ravel())
    assert relative_gap(model.ravel(J.gradient(model)), stepped) < 1e-13


def test_a_step_along_the_gradient_stays_symmetric():
    model, J = energy(), ImplicitScoreMatching(data())
    moved = model.unravel(model.ravel() - 0.37 * model.ravel(J.gradient(model)))
    assert (moved.precision == moved.precision.T).all()


def test_projected_is_the_symmetric_part():
    A = np.random.default_rng(4).normal(size=(d, d))
    mean, precision = energy().projected(GaussianTheta(np.arange(5.0), A))
    assert mean.tolist() == [0, 1, 2, 3, 4]
    assert (precision == (A + A.T) / 2).all()


def test_implicit_score_matching_is_least_at_the_mean_and_inverse_covariance_of_the_data():
    mixing = np.array([[1.3, 0, 0], [0.4, 0.6, 0], [-0.2, 0.5, 2.1]])
    x = np.random.default_rng(5).normal(size=(37, 3)) @ mixing
    model = Gaussian(x.mean(axis=0), np.linalg.inv(np.cov(x.T, bias=True)))
    gradient = ImplicitScoreMatching(x).gradient(model)
    assert abs(gradient.mean).max() < 1e-13
    assert abs(gradient.precision).max() < 1e-13


def test_exact_rationals_stay_exact():
    P = np.array([[Fraction(2, 3), Fraction(1, 7), Fraction(0)],
                  [Fraction(1, 7), Fraction(-5, 3), Fraction(4)],
                  [Fraction(0), Fraction(4), Fraction(1, 9)]])
    mean = np.array([Fraction(1, 3), Fraction(2), Fraction(-1, 5)])
    x = np.array([[Fraction(3), Fraction(1, 2), Fraction(7, 11)]])
    model = Gaussian(mean, P)
    r = x[0] - mean
    assert model.energy(x)[0] == sum(r[i] * P[i, k] * r[k] for i in range(3) for k in range(3)) / 2
    assert model.score(x)[0].tolist() == [-sum(P[i, k] * r[k] for k in range(3)) for i in range(3)]
    assert model.score_divergence(x)[0] == Fraction(8, 9)
    assert (model.score_jacobian(x)[0] == -P).all()
    along = sum(x[0, i] * P[i, k] * x[0, k] for i in range(3) for k in range(3))
    assert model.score_curvature(x, x)[0] == -along
    one = np.array([Fraction(1)])
    pulled = model.pullback(x, energy=one, score=x, divergence=one, diagonal=x, curvature=(x, one))
    y = x[0]
    expected = [[r[i] * r[k] / 2 - (y[i] * r[k] + y[k] * r[i]) / 2 - y[i] * y[k]
                 - (1 + y[i]) * (i == k) for k in range(3)] for i in range(3)]
    assert pulled.precision.tolist() == expected
    assert all(isinstance(entry, Fraction) for part in pulled for entry in part.ravel())


@pytest.mark.parametrize("size", [1e-8, 1e-6, 1e8])
def test_it_scales_with_the_units_of_x(size):
    mean, P = parameters()
    unit = np.array([size, 3.0, 1 / size, size, 0.7])
    model, scaled, x = energy(), Gaussian(mean * unit, P / unit / unit[:, None]), data()
    assert relative_gap(scaled.energy(x * unit), model.energy(x)) < 1e-13
    assert relative_gap(scaled.score(x * unit) * unit, model.score(x)) < 1e-13
    e = cotangents()["energy"]
    pulled = scaled.pullback(x * unit, energy=e).precision / unit / unit[:, None]
    assert relative_gap(pulled, model.pullback(x, energy=e).precision) < 1e-13


# -- the density -----------------------------------------------------------------------------------

def test_log_density_is_the_logarithm_of_the_textbook_formula():
    model, x = density(), data()
    r = x - model.mean
    Z = np.sqrt(np.linalg.det(2 * np.pi * np.linalg.inv(model.precision)))
    textbook = np.exp(-0.5 * np.einsum("ni,ik,nk->n", r, model.precision, r)) / Z
    assert relative_gap(np.exp(model.log_density(x)), textbook) < 1e-12


def test_the_density_integrates_to_one_and_has_the_stated_covariance_in_two_dimensions():
    model = Gaussian([0.3, -0.6], [[1.3, 0.5], [0.5, 0.9]])
    line = np.linspace(-13, 13, 261)
    x = np.array([(first, second) for first in line for second in line]) + model.mean
    weights = np.exp(model.log_density(x)) * 0.01
    assert weights.sum() == pytest.approx(1, rel=1e-13)
    assert relative_gap((weights[:, None] * (x - model.mean)).T @ (x - model.mean),
                        model.covariance) < 1e-12


def test_covariance_is_the_inverse_of_the_precision_and_exactly_symmetric():
    model = density()
    assert relative_gap(model.covariance @ model.precision, np.eye(d)) < 1e-12
    assert (model.covariance == model.covariance.T).all()


def test_samples_have_the_mean_and_covariance_of_the_density():
    model, count = density(), 40000
    x = model.sample(count, np.random.default_rng(6))
    assert x.shape == (count, d)
    white = (x - model.mean) @ np.linalg.cholesky(model.precision)  # its covariance is L'P^-1 L = I
    assert abs(white.mean(axis=0)).max() < 5 / np.sqrt(count)               # five standard errors
    assert abs(np.cov(white.T) - np.eye(d)).max() < 5 * np.sqrt(2 / count)


def test_samples_are_those_of_the_generator():
    model = density()
    x = model.sample(n, np.random.default_rng(7))
    assert (x == model.sample(n, np.random.default_rng(7))).all()
    eps = np.random.default_rng(7).standard_normal((n, d))
    assert relative_gap((x - model.mean) @ np.linalg.cholesky(model.precision), eps) < 1e-13
    with pytest.raises(TypeError, match=r"rng must be a numpy.random.Generator, but it is 7"):
        model.sample(n, 7)
    with pytest.raises(ValueError, match=r"n must be a whole number >= 1, but it is 0"):
        model.sample(0, np.random.default_rng(7))


def test_the_density_of_exact_and_longdouble_parameters_is_that_of_float64():
    mean, P = [0.5, 0.25, -1.0], [[2.0, 0.5, 0.0], [0.5, 1.0, 0.25], [0.0, 0.25, 3.0]]
    exact = Gaussian(np.array([Fraction(z) for z in mean]),
                     np.array([[Fraction(z) for z in row] for row in P]))
    assert (exact.covariance == Gaussian(mean, P).covariance).all()
    x, other = (model.sample(n, np.random.default_rng(8)) for model in (exact, Gaussian(mean, P)))
    assert x.dtype == np.float64
    assert (x == other).all()
    point = np.array([[Fraction(1, 3), Fraction(2), Fraction(-1)]])
    assert exact.log_density(point).dtype == np.float64
    assert relative_gap(exact.log_density(point),
                        Gaussian(mean, P).log_density([[1 / 3, 2, -1]])) < 1e-14
    assert (Gaussian(mean, np.longdouble(P)).covariance == Gaussian(mean, P).covariance).all()


@pytest.mark.parametrize("read",
                         [lambda model: model.log_density(np.zeros((3, 2))),
                          lambda model: model.sample(3, np.random.default_rng(0)),
                          lambda model: model.covariance])
def test_an_energy_without_a_density_says_so(read):
    with pytest.raises(ValueError, match=r"^precision must be positive definite for a density, but "
                                         r"its smallest eigenvalue is -0\.5$"):
        read(Gaussian(np.zeros(2), [[0.5, 1.0], [1.0, 0.5]]))
    with pytest.raises(TypeError, match=r"^precision must be real for a density, but its dtype is "
                                        r"complex128$"):
        read(Gaussian(np.zeros(2), np.eye(2) + 0j))


# -- what is refused -------------------------------------------------------------------------------

def test_an_asymmetric_precision_is_refused_with_its_entries():
    with pytest.raises(ValueError, match=r"^precision must be symmetric, but entry \(0, 2\) is 5.0 "
                                         r"and entry \(2, 0\) is 3.0$"):
        Gaussian(np.zeros(3), [[1.0, 0, 5], [0, 1, 0], [3, 0, 1]])


def test_asymmetry_of_the_size_of_rounding_is_accepted_and_removed():
    P = parameters()[1]
    largest = abs(P).max()
    P[1, 3] = P[3, 1] + 0.9 * 2**-30 * largest
    model = Gaussian(np.zeros(d), P)
    assert model.precision[1, 3] == model.precision[3, 1] == (P[1, 3] + P[3, 1]) / 2
    P[1, 3] = P[3, 1] + 1.1 * 2**-30 * largest
    with pytest.raises(ValueError, match=r"precision must be symmetric, but entry \(1, 3\)"):
        Gaussian(np.zeros(d), P)


def test_the_computed_inverse_of_a_covariance_of_condition_number_a_million_is_accepted():
    rng = np.random.default_rng(9)
    Q, _ = np.linalg.qr(rng.normal(size=(d, d)))
    S = (Q * np.array([1e6, 7.0, 3.0, 2.0, 1.0])) @ Q.T
    P = np.linalg.inv(S)
    assert (P != P.T).any()
    assert relative_gap(Gaussian(np.zeros(d), P).covariance, S) < 1e-9


def test_a_precision_of_zero_is_a_flat_energy():
    model = Gaussian(np.ones(3), np.zeros((3, 3)))
    assert not model.energy(data()[:, :3]).any()
    assert not model.score(data()[:, :3]).any()


def test_wrong_parameters_are_refused_by_name():
    with pytest.raises(ValueError,
                       match=r"precision must have shape \(d, d\), but its shape is \(3, 5\)"):
        Gaussian(np.zeros(3), np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"mean must have shape \(3,\), but its shape is \(5,\)"):
        Gaussian(np.zeros(5), np.eye(3))
    with pytest.raises(ValueError, match=r"precision must be finite, but it has inf at \(1, 1\)"):
        Gaussian(np.zeros(3), np.diag([1.0, np.inf, 1.0]))
    with pytest.raises(ValueError, match=r"mean must be finite, but it has nan at \(0,\)"):
        Gaussian(np.full(3, np.nan), np.eye(3))


def test_theta_is_the_mean_and_the_precision():
    model = energy()
    assert model.theta._fields == ("mean", "precision")
    assert model.d == model.width == d
    other = model.with_theta(GaussianTheta(np.ones(d), np.eye(d)))
    assert isinstance(other, Gaussian)
    assert (other.mean == 1).all()
    assert (other.precision == np.eye(d)).all()
