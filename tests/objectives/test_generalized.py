"""Generalised score matching: its statement on the half line, the implicit loss at h = 1."""
import pickle

import numpy as np
import pytest
from oracles import complex_gradient, relative_gap
from scipy.special import roots_legendre

from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.bernoulli_rbm import BernoulliRBM
from refsm.energies.polynomial import PolynomialEnergy
from refsm.objectives import generalized
from refsm.objectives.generalized import GeneralizedScoreMatching
from refsm.objectives.score_matching import ImplicitScoreMatching

n, d, m = 7, 3, 5
RATE = 1.7                                         # of the exponential density on x > 0


def data(seed=0):
    return np.random.default_rng(seed).exponential(size=(n, d))


def weighting(x):
    """An h of all coordinates, and its derivative along each."""
    total = x.sum(axis=1, keepdims=True)
    return x**2 * total, 2 * x * total + x**2


def autoencoder(seed=1):
    rng = np.random.default_rng(seed)
    W, b, c = rng.normal(size=(m, d)), rng.normal(size=m), rng.normal(size=d)
    return AutoencoderEnergy(W, b, c, sigma=0.61)


def half_line():
    """Nodes and weights for E f under the exponential density: Gauss-Legendre, up to exp(-60)."""
    z, w = roots_legendre(40)
    ends = np.array([0.0, 2, 6, 14, 30, 60]) / RATE
    half = np.diff(ends) / 2
    x = (ends[:-1] + half)[:, None] + half[:, None] * z
    volumes = half[:, None] * w
    return x.ravel()[:, None], (volumes * RATE * np.exp(-RATE * x)).ravel()


WEIGHTINGS = {"x": (lambda x: x, np.ones_like), "x^2": (lambda x: x**2, lambda x: 2 * x),
              "log(1 + x)": (np.log1p, lambda x: 1 / (1 + x))}
MODELS = [PolynomialEnergy([-0.9], [[1]]), PolynomialEnergy([-1.1, 0.3, -0.2], [[1], [2], [3]])]


@pytest.mark.parametrize("model", MODELS, ids=["exponential", "cubic"])
@pytest.mark.parametrize("name", WEIGHTINGS)
def test_expected_loss_is_the_weighted_distance_of_the_scores(name, model):
    x, weights = half_line()
    h, h_slope = (f(x) for f in WEIGHTINGS[name])
    distance = weights @ (h * (model.score(x) + RATE)**2)[:, 0] / 2
    constant = weights @ (h * RATE**2)[:, 0] / 2
    value = GeneralizedScoreMatching(x, h, h_slope, weights=weights).value(model)
    assert abs(distance - constant - value) < 1e-13 * (distance + constant)


@pytest.mark.parametrize("theta", [0.9, 2.3])
def test_without_h_the_boundary_term_is_left(theta):
    """h = 1, exponential density: the loss is theta^2 / 2, the distance (theta - RATE)^2 / 2."""
    x, weights = half_line()
    model = PolynomialEnergy([-theta], [[1]])
    value = GeneralizedScoreMatching(x, np.ones_like(x), 0 * x, weights=weights).value(model)
    assert value == pytest.approx(theta**2 / 2, rel=1e-11)
    left = (theta - RATE)**2 / 2 - RATE**2 / 2 - value
    assert left == pytest.approx(-RATE * theta, rel=1e-10)


def test_with_h_1_it_is_implicit_score_matching():
    x, weights = data(), np.arange(1.0, n + 1)
    J, implicit = (GeneralizedScoreMatching(x, np.ones((n, d)), np.zeros((n, d)), weights=weights),
                   ImplicitScoreMatching(x, weights=weights))
    assert relative_gap(J.per_sample(autoencoder()), implicit.per_sample(autoencoder())) < 1e-14
    for left, right in zip(J.gradient(autoencoder()), implicit.gradient(autoencoder())):
        assert relative_gap(left, right) < 1e-13


def test_a_term_written_out():
    x, model = data(), autoencoder()
    h, h_slope = weighting(x)
    psi, J = model.score(x), model.score_jacobian(x)
    terms = [sum(h_slope[k, i] * psi[k, i] + h[k, i] * J[k, i, i] + h[k, i] * psi[k, i]**2 / 2
                 for i in range(d)) for k in range(n)]
    assert relative_gap(GeneralizedScoreMatching(x, h, h_slope).per_sample(model), terms) < 1e-14


def test_gradient_by_complex_steps():
    J = GeneralizedScoreMatching(data(), *weighting(data()), weights=np.arange(1.0, n + 1))
    model = autoencoder()
    stepped = complex_gradient(lambda vector: J.value(model.unravel(vector)), model.ravel())
    value, gradient = J.value_and_gradient(model)
    assert relative_gap(model.ravel(gradient), stepped) < 1e-13
    assert value == J.value(model)


@pytest.mark.parametrize("name", ["score", "diagonal"])
def test_cotangents_are_the_slopes_of_the_value(name):
    J = GeneralizedScoreMatching(data(), *weighting(data()), weights=np.arange(1.0, n + 1))
    rng = np.random.default_rng(2)
    local = {"score": rng.normal(size=(n, d)), "diagonal": rng.normal(size=(n, d))}
    stepped = complex_gradient(
        lambda moved: np.sum(J.weights * J.evaluate(**{**local, name: moved})[0]), local[name])
    assert relative_gap(J.evaluate(**local)[1][name], stepped) < 1e-14


def test_parts_of_the_data_take_their_h_along():
    J, model = GeneralizedScoreMatching(data(), *weighting(data())), autoencoder()
    parts = [J.take(slice(0, 3)), J.take(np.array([5, 3, 4, 6]))]
    assert sum(part.value(model) for part in parts) == pytest.approx(J.value(model), rel=1e-13)


def test_pickles_names_and_data_as_they_are():
    x, (h, h_slope) = data(), weighting(data())
    J = GeneralizedScoreMatching(x, h, h_slope)
    again = pickle.loads(pickle.dumps(J))
    assert again.value(autoencoder()) == J.value(autoencoder())
    assert repr(J) == "GeneralizedScoreMatching(n=7, d=3)"
    assert J.points is J.x
    assert np.shares_memory(J.h, h)


def test_h_is_refused_where_it_is_negative_and_allowed_where_it_is_zero():
    x = np.random.default_rng(3).exponential(size=(200000, d))
    x[5, 1] = 0
    GeneralizedScoreMatching(x, x, np.ones_like(x))
    x[150000, 0], x[150001, 2] = 0, -0.25
    with pytest.raises(ValueError, match=r"h must be >= 0, .* but entry \(150001, 2\) is -0.25"):
        GeneralizedScoreMatching(x, x, np.ones_like(x))


def test_h_is_released_from_memory_after_it_was_checked(monkeypatch):
    released = []
    monkeypatch.setattr(generalized, "release_pages", released.append)
    J = GeneralizedScoreMatching(data(), data(), data())
    assert [a is J.h for a in released] == [True]


@pytest.mark.parametrize(("change", "sentence"), [
    ({"h": np.ones(n)}, r"h must have shape \(7, 3\), but its shape is \(7,\)"),
    ({"h_slope": np.ones((n, m))}, r"h_slope must have shape \(7, 3\), but its shape is \(7, 5\)"),
    ({"h_slope": np.full((n, d), np.nan)}, r"h_slope must be finite, but it has nan at \(0, 0\)"),
    ({"weights": np.ones(d)}, r"weights must have shape \(7,\), but its shape is \(3,\)"),
])
def test_wrong_arrays_are_refused_by_name(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        GeneralizedScoreMatching(**{"x": data(), "h": data(), "h_slope": data(), **change})


def test_a_model_without_a_score_is_refused():
    model = BernoulliRBM(np.ones((m, d)), np.ones(m), np.ones(d))
    with pytest.raises(TypeError, match="GeneralizedScoreMatching reads the score of the energy"):
        GeneralizedScoreMatching(data(), data(), data()).value(model)
