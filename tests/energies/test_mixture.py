"""The mixture of Gaussians against scipy.stats, quadrature, one Gaussian in closed form, and complex steps."""
import pickle
from fractions import Fraction

import numpy as np
import pytest
from oracles import complex_gradient, complex_jacobian, relative_gap
from scipy import stats

from refsm.energies.mixture import WEIGHT_GAP, GaussianMixture, MixtureTheta

N, D, K, M = 7, 3, 5, 6
TIGHT = 2e-14        # some hundred roundings, for sums of a few dozen terms
QUANTITIES = ["energy", "score", "divergence", "diagonal", "curvature"]


def covariances(rng, k, d):
    L = rng.standard_normal((k, d, d))
    return L @ L.transpose(0, 2, 1) + 0.3 * np.eye(d)


@pytest.fixture
def case():
    rng = np.random.default_rng(11)
    model = GaussianMixture(rng.dirichlet(np.ones(K)), rng.standard_normal((K, D)), covariances(rng, K, D))
    x, v = 1.5 * rng.standard_normal((N, D)), rng.standard_normal((N, M, D))
    cotangents = {"energy": rng.standard_normal(N), "score": rng.standard_normal((N, D)), "divergence": rng.standard_normal(N),
                  "diagonal": rng.standard_normal((N, D)), "curvature": (v, rng.standard_normal((N, M)))}
    return model, x, cotangents


def local(model, x, v):
    return {"energy": model.energy(x), "score": model.score(x), "divergence": model.score_divergence(x),
            "diagonal": model.score_jacobian_diagonal(x), "curvature": model.score_curvature(x, v)}


def paired(model, x, cotangents):
    """sum over points of <cotangent, quantity>, for the given cotangents."""
    v = cotangents["curvature"][0] if "curvature" in cotangents else np.ones_like(x)
    values = local(model, x, v)
    return sum((values[name] * (c[1] if name == "curvature" else c)).sum() for name, c in cotangents.items())


def test_log_density_is_the_weighted_sum_of_scipys_normal_densities(case):
    model, x, _ = case
    p = sum(w * stats.multivariate_normal(mean, covariance).pdf(x) for w, mean, covariance in zip(model.weights, model.means, model.covariances))
    assert relative_gap(model.log_density(x), np.log(p)) < TIGHT
    assert np.array_equal(model.energy(x), -model.log_density(x))


def test_the_density_integrates_to_one_and_has_its_mean_and_covariance():
    rng = np.random.default_rng(2)
    model = GaussianMixture([0.2, 0.5, 0.3], rng.standard_normal((3, 2)), covariances(rng, 3, 2) / 3)
    line = np.linspace(-14, 14, 401)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    mass = np.exp(model.log_density(grid)) * (line[1] - line[0]) ** 2
    assert abs(mass.sum() - 1) < 1e-13
    assert relative_gap(model.mean, mass @ grid) < 1e-12
    apart = grid - model.mean
    assert relative_gap(model.covariance, mass * apart.T @ apart) < 1e-12


def test_score_is_minus_the_energy_gradient(case):
    model, x, _ = case
    assert relative_gap(model.score(x), -complex_jacobian(model.energy, x)) < TIGHT


def test_jacobian_is_the_derivative_of_the_score(case):
    model, x, _ = case
    J = model.score_jacobian(x)
    assert relative_gap(J, complex_jacobian(model.score, x)) < TIGHT


def test_divergence_diagonal_and_curvature_are_parts_of_the_jacobian(case):
    model, x, cotangents = case
    J, v = model.score_jacobian(x), cotangents["curvature"][0]
    assert relative_gap(model.score_divergence(x), np.trace(J, axis1=1, axis2=2)) < TIGHT
    assert relative_gap(model.score_jacobian_diagonal(x), np.diagonal(J, axis1=1, axis2=2)) < TIGHT
    assert relative_gap(model.score_curvature(x, v), np.einsum("nmi,nij,nmj->nm", v, J, v)) < TIGHT


def test_one_component_is_a_gaussian():
    rng = np.random.default_rng(3)
    S, mean, x = covariances(rng, 1, D), rng.standard_normal((1, D)), rng.standard_normal((N, D))
    model = GaussianMixture([1.0], mean, S)
    assert relative_gap(model.R @ S @ model.R.transpose(0, 2, 1), np.eye(D)[None]) < TIGHT
    assert np.array_equal(model.R, np.tril(model.R))
    P = np.linalg.inv(S[0])
    assert relative_gap(model.score(x), (mean - x) @ P) < TIGHT
    assert relative_gap(model.score_jacobian(x), np.broadcast_to(-P, (N, D, D))) < TIGHT
    assert relative_gap(model.covariance, S[0]) < TIGHT


@pytest.mark.parametrize("block", MixtureTheta._fields)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_each_pullback_on_each_parameter_is_the_complex_step(case, quantity, block):
    model, x, cotangents = case
    one = {quantity: cotangents[quantity]}
    expected = complex_gradient(lambda a: paired(model.with_theta(model.theta._replace(**{block: a})), x, one), getattr(model.theta, block))
    assert relative_gap(getattr(model.pullback(x, **one), block), expected) < TIGHT


def test_pullbacks_add_up(case):
    model, x, cotangents = case
    parts = [model.pullback(x, **{name: cotangent}) for name, cotangent in cotangents.items()]
    for whole, *terms in zip(model.pullback(x, **cotangents), *parts):
        assert relative_gap(whole, sum(terms)) < TIGHT
    assert all(not block.any() for block in model.pullback(x))


def test_gradients_are_symmetric_for_covariances_and_sum_to_zero_for_logits(case):
    model, x, cotangents = case
    G = model.pullback(x, **cotangents)
    assert np.array_equal(G.covariances, G.covariances.transpose(0, 2, 1))
    assert abs(G.logits.sum()) < TIGHT * abs(G.logits).sum()


def test_the_ravelled_gradient_is_the_gradient_of_the_ravelled_function(case):
    model, x, cotangents = case
    vector = model.ravel()
    expected = complex_gradient(lambda a: paired(model.unravel(a), x, cotangents), vector)
    assert relative_gap(model.ravel(model.pullback(x, **cotangents)), expected) < TIGHT
    assert relative_gap(model.unravel(vector).ravel(), vector) < TIGHT
    moved = model.unravel(vector + np.arange(len(vector)) / 5000)          # the covariances there are no longer symmetric
    assert np.array_equal(moved.covariances, moved.covariances.transpose(0, 2, 1))


def test_logits_have_the_weights_for_their_softmax(case):
    model, _, _ = case
    other = model.with_theta((np.array([1000.0, 1001.0, 1002.0, -9000.0, 1000.0]), model.means, model.covariances))
    e = np.exp([0.0, 1.0, 2.0, -np.inf, 0.0])
    assert relative_gap(other.weights, e / e.sum()) < TIGHT
    assert relative_gap(model.with_theta(model.theta).weights, model.weights) < TIGHT


def test_a_component_of_weight_zero_is_not_there_and_has_no_gradient(case):
    model, x, cotangents = case
    w = model.weights[:3] / model.weights[:3].sum()
    without = GaussianMixture(w, model.means[:3], model.covariances[:3])
    with_it = GaussianMixture([*w, 0.0], model.means[:4], model.covariances[:4])
    for name, value in local(with_it, x, cotangents["curvature"][0]).items():
        assert relative_gap(value, local(without, x, cotangents["curvature"][0])[name]) < TIGHT
    assert with_it.theta.logits[3] == -np.inf
    assert with_it.with_theta(with_it.theta).weights[3] == 0
    G = with_it.pullback(x, **cotangents)
    assert G.logits[3] == 0 and not G.means[3].any() and not G.covariances[3].any()


def test_far_away_and_with_tiny_variances_everything_is_finite():
    means = np.array([[0.0, 0, 0], [3.0, 1, 2], [-2.0, 5, 1]])
    model = GaussianMixture([0.2, 0.5, 0.3], means, 1e-12 * np.eye(3) * np.ones((3, 1, 1)))
    x = np.array([[1e6, 0, 0], [3.0, 1, 2.000001], [1.4, 0.6, 1.1]])
    for value in local(model, x, np.ones((3, 5, 3))).values():
        assert np.isfinite(value).all()
    assert relative_gap(model.score(x)[1], np.array([0, 0, -1e6])) < 1e-9          # 2.000001 - 2 has ten digits
    G = model.pullback(x, score=np.ones((3, 3)), divergence=np.ones(3))
    assert all(np.isfinite(block).all() for block in G)


def test_the_answer_does_not_depend_on_the_blocks(case, monkeypatch):
    model, x, cotangents = case
    whole, G = local(model, x, cotangents["curvature"][0]), model.pullback(x, **cotangents)
    monkeypatch.setattr("refsm.rows.FEWEST_ROWS", 3)
    monkeypatch.setattr("refsm.rows.BLOCK", 1)
    for name, value in local(model, x, cotangents["curvature"][0]).items():
        assert relative_gap(value, whole[name]) < TIGHT
    for a, b in zip(model.pullback(x, **cotangents), G):
        assert relative_gap(a, b) < TIGHT


def test_a_block_of_points_holds_the_vectors_to_all_components_or_a_matrix():
    rng = np.random.default_rng(5)
    assert GaussianMixture(np.full(5, 0.2), np.zeros((5, 3)), covariances(rng, 5, 3)).width == 15
    assert GaussianMixture([1.0], np.zeros((1, 3)), covariances(rng, 1, 3)).width == 9


def test_wider_numbers_keep_their_precision(case):
    model, x, _ = case
    wide = GaussianMixture(*(np.asarray(a, np.longdouble) for a in (model.weights, model.means, model.covariances)))
    score = wide.score(x.astype(np.longdouble))
    assert score.dtype == np.longdouble
    assert relative_gap(model.score(x), score) < TIGHT


def test_exact_rationals_are_taken_as_floating_point_numbers():
    half = Fraction(1, 2)
    model = GaussianMixture([half, half], [[half, half]] * 2, [[[half, 0 * half], [0 * half, half]]] * 2)
    score = model.score([[3 * half, half]])
    assert score.dtype == float and relative_gap(score, [[-2.0, 0.0]]) < TIGHT


def test_samples_have_the_mean_covariance_and_shares_of_the_density(case):
    model, _, _ = case
    x = model.sample(20000, np.random.default_rng(8))
    assert x.shape == (20000, D)
    spread = np.sqrt(np.diag(model.covariance))
    assert (abs(x.mean(axis=0) - model.mean) < 5 * spread / np.sqrt(20000)).all()           # five standard errors
    assert relative_gap(np.cov(x.T), model.covariance) < 0.05
    apart = GaussianMixture([0.2, 0.8], [[-50.0, 0, 0], [50.0, 0, 0]], model.covariances[:2])
    assert abs((apart.sample(20000, np.random.default_rng(9))[:, 0] > 0).mean() - 0.8) < 0.02
    one = GaussianMixture([1.0], model.means[:1], model.covariances[:1])
    eps = np.random.default_rng(7).standard_normal((N, D))
    assert relative_gap(one.sample(N, np.random.default_rng(7)), model.means[0] + eps @ np.linalg.cholesky(model.covariances[0]).T) < TIGHT


def test_the_model_is_immutable_and_takes_copies():
    weights, means, S = np.array([0.25, 0.75]), np.zeros((2, 3)), np.tile(np.eye(3), (2, 1, 1))
    model = GaussianMixture(weights, means, S)
    means[0], weights[0], S[0] = 7, 0.5, 2
    assert not model.means.any() and model.weights[0] == 0.25 and model.covariances[0, 0, 0] == 1
    for name in ("weights", "means", "covariances", "R", "P"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(model, name)[0] = 1
    with pytest.raises(AttributeError):
        model.means = means


def test_the_model_pickles(case):
    model, x, _ = case
    again = pickle.loads(pickle.dumps(model))
    assert relative_gap(again.score(x), model.score(x)) < TIGHT
    assert repr(again) == "GaussianMixture(weights: (5,), means: (5, 3), covariances: (5, 3, 3))"


I3 = np.eye(3)[None]
BAD = [
    (dict(weights=[0.6, 0.5]), r"weights must have the sum 1, but it is 1\.1"),
    (dict(weights=[1.5, -0.5]), r"weights must be >= 0, but the smallest is -0\.5"),
    (dict(weights=[np.nan, 1]), r"weights must be finite, but it has nan at \(0,\)"),
    (dict(weights=[1.0]), r"weights must have shape \(2,\), but its shape is \(1,\)"),
    (dict(means=np.zeros(3)), r"means must have shape \(K, d\), but its shape is \(3,\)"),
    (dict(covariances=np.eye(3)), r"covariances must have shape \(2, 3, 3\), but its shape is \(3, 3\)"),
    (dict(covariances=np.concatenate([I3, np.triu(np.ones((3, 3)))[None]])), "covariances must be symmetric, but the one at 1 is not"),
    (dict(covariances=np.concatenate([I3, -I3])), "covariances must be positive definite, but the one at 1 is not"),
    (dict(covariances=np.concatenate([0 * I3, I3])), "covariances must be positive definite, but the one at 0 is not"),
    (dict(covariances=np.concatenate([I3, np.ones((1, 3, 3))])), "covariances must be positive definite, but the one at 1 is not"),
    (dict(covariances=np.concatenate([I3, 1e-310 * I3])), "covariances must have finite inverses, but an entry of one of these is not"),
]


@pytest.mark.parametrize("change, sentence", BAD)
def test_a_wrong_argument_is_refused_in_one_sentence(change, sentence):
    good = dict(weights=[0.5, 0.5], means=np.zeros((2, 3)), covariances=np.concatenate([I3, I3]))
    GaussianMixture(**good)
    with pytest.raises(ValueError, match=f"^{sentence}"):
        GaussianMixture(**{**good, **change})


def test_rounding_in_the_weights_and_covariances_is_forgiven_up_to_the_slack():
    assert WEIGHT_GAP == 2.0 ** -30
    for scale in (64, 1 / 64):
        def skew(slack, scale=scale):
            S = np.eye(3)[None] * scale
            S[0, 0, 1] = slack * scale
            return S

        model = GaussianMixture([1 + WEIGHT_GAP], np.zeros((1, 3)), skew(WEIGHT_GAP))
        assert model.weights[0] == 1
        assert model.covariances[0, 0, 1] == model.covariances[0, 1, 0] == WEIGHT_GAP * scale / 2
        with pytest.raises(ValueError, match="sum"):
            GaussianMixture([1 + 1.01 * WEIGHT_GAP], np.zeros((1, 3)), skew(0))
        with pytest.raises(ValueError, match="symmetric"):
            GaussianMixture([1.0], np.zeros((1, 3)), skew(1.01 * WEIGHT_GAP))


@pytest.mark.parametrize("logits", [[np.nan, 0], [np.inf, 0], [-np.inf, -np.inf]])
def test_logits_that_give_no_weights_are_refused(logits):
    model = GaussianMixture([0.5, 0.5], np.zeros((2, 3)), np.concatenate([I3, I3]))
    with pytest.raises(ValueError, match="^logits must be finite or -inf, and not all -inf, but they are"):
        model.with_theta((np.array(logits), model.means, model.covariances))
