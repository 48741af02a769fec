"""The product of experts: densities of components, complex steps, longdouble, exact rationals."""
import pickle
from fractions import Fraction

import numpy as np
import pytest
from oracles import complex_jacobian, pullback_gap, relative_gap
from scipy import stats

from refsm.energies.experts import EXPERTS, ProductOfExperts
from refsm.objectives.score_matching import ImplicitScoreMatching

n, d, m, M = 7, 3, 5, 6
KINDS = ["logcosh", "student"]


def parameters(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, d)), rng.normal(size=m) / 2


def experts(kind, seed=0):
    return ProductOfExperts(*parameters(seed), expert=kind)


def data(seed=1):
    return 1.7 * np.random.default_rng(seed).normal(size=(n, d))


def cotangents(seed=2):
    rng = np.random.default_rng(seed)
    return {"energy": rng.normal(size=n), "score": rng.normal(size=(n, d)),
            "divergence": rng.normal(size=n), "diagonal": rng.normal(size=(n, d)),
            "curvature": (rng.normal(size=(n, M, d)), rng.normal(size=(n, M)))}


def plain(kind, a):
    return np.log(np.cosh(a)) if kind == "logcosh" else np.log(1 + a**2 / 2)


@pytest.mark.parametrize("kind", KINDS)
def test_energy_is_a_weighted_sum_of_functions_of_projections(kind):
    W, log_alpha = parameters()
    terms = [np.exp(log_alpha[j]) * plain(kind, data() @ W[j]) for j in range(m)]
    assert relative_gap(experts(kind).energy(data()), sum(terms)) < 1e-14


def test_student_experts_are_the_densities_of_student_variables():
    """alpha = (nu + 1) / 2 and a = s sqrt(2 / nu) make exp(-E) the product of t densities of s."""
    nu = np.array([3.0, 5.0, 7.0])
    mixing = np.random.default_rng(3).normal(size=(d, d))
    W = np.sqrt(2 / nu)[:, None] * np.linalg.inv(mixing)
    model = ProductOfExperts(W, np.log((nu + 1) / 2), expert="student")
    x = data()
    sources = x @ np.linalg.inv(mixing).T
    log_p = stats.t.logpdf(sources, nu).sum(axis=1)
    left = model.energy(x) + log_p
    assert relative_gap(left, np.full(n, left[0])) < 1e-13


def test_the_logcosh_expert_of_weight_two_is_a_logistic_density():
    """1 / (4 cosh(s / 2)^2) is the logistic density: alpha = 2, a = s / 2."""
    model, s = ProductOfExperts([[0.5]], [np.log(2)]), np.linspace(-50, 50, 37)
    log_p = stats.logistic.logpdf(s) + np.log(4)
    assert relative_gap(-model.energy(s[:, None]), log_p) < 1e-14


@pytest.mark.parametrize("kind", KINDS)
def test_score_is_minus_the_energy_gradient(kind):
    model = experts(kind)
    assert relative_gap(model.score(data()), -complex_jacobian(model.energy, data())) < 1e-14


@pytest.mark.parametrize("kind", KINDS)
def test_jacobian_is_the_derivative_of_the_score_and_symmetric(kind):
    J = experts(kind).score_jacobian(data())
    assert relative_gap(J, complex_jacobian(experts(kind).score, data())) < 1e-14
    assert relative_gap(J, J.swapaxes(1, 2)) < 1e-14


@pytest.mark.parametrize("kind", KINDS)
def test_divergence_diagonal_and_curvature_are_read_off_the_jacobian(kind):
    model, x = experts(kind), data()
    J = complex_jacobian(model.score, x)
    v, _ = cotangents()["curvature"]
    assert relative_gap(model.score_divergence(x), np.trace(J, axis1=1, axis2=2)) < 1e-14
    assert relative_gap(model.score_jacobian_diagonal(x), np.diagonal(J, axis1=1, axis2=2)) < 1e-14
    assert relative_gap(model.score_curvature(x, v), np.einsum("nri,nik,nrk->nr", v, J, v)) < 1e-14


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [[name] for name in cotangents()] + [list(cotangents())],
                         ids="+".join)
def test_each_pullback_on_each_parameter_is_a_complex_step(kind, names):
    chosen = {name: cotangents()[name] for name in names}
    assert pullback_gap(experts(kind), data(), chosen) < 1e-13


@pytest.mark.parametrize("kind", KINDS)
def test_third_derivatives_are_right_where_the_second_one_is_zero(kind):
    """f'' of the Student expert is 0 at a^2 = 2, f''' = -sqrt(2) / 4 there."""
    model, x = ProductOfExperts([[1.0]], [0.0], expert=kind), np.array([[np.sqrt(2)], [0.0], [3.0]])
    pulled = model.pullback(x, divergence=[1.0, 0.0, 0.0])
    if kind == "student":
        assert abs(model.score_divergence(x)[0]) < 1e-15
        assert pulled.W[0, 0] == pytest.approx(np.sqrt(2) * np.sqrt(2) / 4, rel=1e-14)
    assert pullback_gap(model, x, {"divergence": np.array([1.0, 2.0, 3.0])}) < 1e-14


@pytest.mark.parametrize("kind", KINDS)
def test_a_pullback_without_cotangents_is_zero(kind):
    for part, block in zip(experts(kind).pullback(data()), experts(kind).theta):
        assert part.shape == block.shape
        assert not part.any()


@pytest.mark.parametrize("kind", KINDS)
def test_order_and_signs_of_the_filters_do_not_show(kind):
    W, log_alpha = parameters()
    order, signs = np.array([3, 1, 0, 4, 2]), np.array([1, -1, -1, 1, -1])
    other = ProductOfExperts(signs[:, None] * W[order], log_alpha[order], expert=kind)
    for quantity in ("energy", "score", "score_jacobian"):
        left, right = (getattr(model, quantity)(data()) for model in (other, experts(kind)))
        assert relative_gap(left, right) < 1e-14


def test_student_scores_are_exact_in_rationals():
    W = np.array([[Fraction(2, 3), Fraction(-1, 2)], [Fraction(1, 5), Fraction(3)]], dtype=object)
    x = np.array([[Fraction(1, 7), Fraction(-4, 3)]], dtype=object)
    model = ProductOfExperts(W, [Fraction(0), Fraction(0)], expert="student")
    a = [sum(W[j, i] * x[0, i] for i in range(2)) for j in range(2)]
    h = [1 / (1 + a_j**2 / 2) for a_j in a]
    psi = [-sum(a[j] * h[j] * W[j, i] for j in range(2)) for i in range(2)]
    J = [[-sum((1 - a[j]**2 / 2) * h[j]**2 * W[j, i] * W[j, k] for j in range(2)) for k in range(2)]
         for i in range(2)]
    assert model.score(x).tolist() == [psi]
    assert model.score_jacobian(x).tolist() == [J]
    t = Fraction(5, 9)
    s2 = [a[j] * (a[j]**2 / 2 - 3) * h[j]**3 for j in range(2)]
    q = [sum(W[j, i]**2 for i in range(2)) for j in range(2)]
    pulled = model.pullback(x, divergence=[t])
    s1 = [(1 - a[j]**2 / 2) * h[j]**2 for j in range(2)]
    assert pulled.W.tolist() == [[-t * (s2[j] * q[j] * x[0, i] + 2 * s1[j] * W[j, i])
                                  for i in range(2)] for j in range(2)]
    assert pulled.log_alpha.tolist() == [-t * s1[j] * q[j] for j in range(2)]


def test_far_away_the_logcosh_expert_is_the_absolute_value():
    """|a| = 1e4: the score is the sum of signed filters, the energy misses |a| by log 2."""
    W, log_alpha = parameters()
    model, x, alpha = experts("logcosh"), 1e5 * data(), np.exp(log_alpha)
    a = x @ W.T
    assert relative_gap(model.energy(x), (np.abs(a) - np.log(2)) @ alpha) < 1e-15
    assert relative_gap(model.score(x), -(np.sign(a) * alpha) @ W) < 1e-14
    assert all(np.isfinite(part).all() for part in model.pullback(x, **cotangents()))


@pytest.mark.parametrize("kind", KINDS)
def test_the_implicit_loss_of_a_finite_sample_falls_without_bound_as_the_conventions_say(kind):
    """W orthogonal to one of 7 points, alpha = 1 / |W| = 1 / r: -r / 7, up to a bounded rest."""
    x = data()
    across = np.array([x[0, 1], -x[0, 0], 0.0]) / np.hypot(x[0, 0], x[0, 1])
    for r in (1e3, 1e5):
        model = ProductOfExperts([r * across], [-np.log(r)], expert=kind)
        assert abs(ImplicitScoreMatching(x).value(model) + r / n) < 1


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_keep_their_digits_at_both_ends(kind):
    """Against longdouble, sizes from 1e-12 to 1e-250 (the Student's f'' away from its zero)."""
    ends = 300.0 if kind == "logcosh" else 1e70
    a = np.concatenate([np.geomspace(1e-12, 1, 50), np.geomspace(2, ends, 50)])
    expert = EXPERTS[kind](a)
    wide = a.astype(np.longdouble)
    if kind == "logcosh":
        expected = np.sinh(wide) / np.cosh(wide), 1 / np.cosh(wide) ** 2
    else:
        expected = wide / (1 + wide**2 / 2), (1 - wide**2 / 2) / (1 + wide**2 / 2) ** 2
    for left, right in zip((expert.s, expert.s1), expected):
        assert np.max(np.abs(left / right - 1)) < 2e-15


def test_sizes_constants_and_pickles():
    model = experts("student")
    again = pickle.loads(pickle.dumps(model))
    assert (model.d, model.width, again.expert) == (d, m, "student")
    assert ProductOfExperts(np.ones((3, 5)), np.ones(3)).width == 5
    assert np.array_equal(again.ravel(), model.ravel())
    assert model.with_theta(model.theta).expert == "student"
    assert repr(model) == "ProductOfExperts(W: (5, 3), log_alpha: (5,), expert=student)"


@pytest.mark.parametrize(("change", "sentence"), [
    ({"W": np.ones(3)}, r"W must have shape \(m, d\), but its shape is \(3,\)"),
    ({"log_alpha": np.ones(3)}, r"log_alpha must have shape \(5,\), but its shape is \(3,\)"),
    ({"W": np.full((m, d), np.nan)}, r"W must be finite, but it has nan at \(0, 0\)"),
    ({"expert": "gaussian"}, "expert must be one of logcosh, student, but it is 'gaussian'"),
    ({"expert": None}, "expert must be one of logcosh, student, but it is None"),
    ({"expert": []}, r"expert must be one of logcosh, student, but it is \[\]"),
])
def test_wrong_parameters_are_refused_by_name(change, sentence):
    W, log_alpha = parameters()
    with pytest.raises(ValueError, match=sentence):
        ProductOfExperts(**{"W": W, "log_alpha": log_alpha, **change})
