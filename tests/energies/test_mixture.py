"""The mixture of Gaussians against 60 digits, scipy.stats, quadrature, and complex steps."""
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from oracles import (PI, complex_gradient, complex_jacobian, decimals, decimals_of, relative_gap,
                     to_60_digits)
from scipy import stats

import refsm
from refsm.energies.mixture import WEIGHT_GAP, GaussianMixture, MixtureTheta

N, D, K, M = 7, 3, 5, 6
EPS = 2.0 ** -52
TIGHT = 2e-14        # 90 units of rounding, for sums of a few dozen terms
QUANTITIES = ["energy", "score", "divergence", "diagonal", "curvature"]


def covariances(rng, k, d):
    L = rng.standard_normal((k, d, d))
    return L @ L.transpose(0, 2, 1) + 0.3 * np.eye(d)


@pytest.fixture
def case():
    rng = np.random.default_rng(11)
    weights, means = rng.dirichlet(np.ones(K)), rng.standard_normal((K, D))
    model = GaussianMixture(weights, means, covariances(rng, K, D))
    x, v = 1.5 * rng.standard_normal((N, D)), rng.standard_normal((N, M, D))
    cotangents = {"energy": rng.standard_normal(N), "score": rng.standard_normal((N, D)),
                  "divergence": rng.standard_normal(N), "diagonal": rng.standard_normal((N, D)),
                  "curvature": (v, rng.standard_normal((N, M)))}
    return model, x, cotangents


def local(model, x, v):
    return {"energy": model.energy(x), "score": model.score(x),
            "divergence": model.score_divergence(x), "diagonal": model.score_jacobian_diagonal(x),
            "curvature": model.score_curvature(x, v)}


def of_inverses(model):
    """The error of inverses of the covariances relative to their size, as in (24)."""
    return 2 * (model.d + 1) ** 2 * EPS * np.linalg.cond(model.covariances).max()


def paired(model, x, cotangents):
    """sum over points of <cotangent, quantity>, for the given cotangents."""
    v = cotangents["curvature"][0] if "curvature" in cotangents else np.ones_like(x)
    values = local(model, x, v)
    return sum((values[name] * (c[1] if name == "curvature" else c)).sum()
               for name, c in cotangents.items())


def in_decimals(model, x):
    """E (n,), psi (n, d) and J (n, d, d) to 60 digits, from the definitions."""
    d = model.d
    with to_60_digits():
        P, S = [], [decimals(S_k) for S_k in model.covariances]
        log_c = []                       # of w_k / sqrt(det 2 pi S_k)
        for w_k, S_k in zip(model.weights, S):
            rows, det = np.concatenate([S_k, decimals(np.eye(d))], axis=1), Decimal(1)
            for i in range(d):           # Gauss and Jordan: [S, I] becomes [I, S^-1]
                det *= rows[i, i]
                rows[i] = rows[i] / rows[i, i]
                for j in set(range(d)) - {i}:
                    rows[j] = rows[j] - rows[j, i] * rows[i]
            P.append(rows[:, d:])
            log_c.append(Decimal(w_k).ln() - ((2 * PI) ** d * det).ln() / 2)
        apart = decimals(model.means) - decimals(x)[:, None, :]
        s = np.stack([apart[:, k] @ P[k] for k in range(len(P))], axis=1)
        exponent = np.array(log_c) - (s * apart).sum(axis=2) / 2
        top = exponent.max(axis=1)
        r = decimals_of(Decimal.exp, exponent - top[:, None])
        Z = r.sum(axis=1)
        r = (r / Z[:, None])[:, :, None]
        psi = (r * s).sum(axis=1)
        delta = s - psi[:, None, :]
        second = delta[:, :, :, None] * delta[:, :, None, :] - np.stack(P)
        J = (r[..., None] * second).sum(axis=1)
        return -top - decimals_of(Decimal.ln, Z), psi, J


def rounding_bounds(model, x):
    """(24)-(26) for each point: the errors of E and, as a vector, of psi."""
    d, K = model.d, len(model.weights)
    z = np.einsum("kij,nkj->nki", model.R, model.means - x[:, None, :])
    s = np.einsum("kji,nkj->nki", model.R, z)
    kappa = np.linalg.cond(model.covariances)
    R = np.linalg.norm(model.R, 2, axis=(1, 2))
    log_R = np.log(np.diagonal(model.R, axis1=1, axis2=2))
    log_w = np.log(model.weights)
    ell = log_w - (z ** 2).sum(axis=2) / 2 + log_R.sum(axis=1)
    r = np.exp(ell - ell.max(axis=1, keepdims=True))
    r /= r.sum(axis=1, keepdims=True)
    tau = (2 * (d + 1) ** 2 * EPS * kappa * ((z ** 2).sum(axis=2) + d)
           + (d + 4) * EPS * (abs(log_w) + abs(log_R).sum(axis=1) + d))
    tau = np.where(r > 1e-44, tau, 0).max(axis=1)
    z = np.sqrt((z ** 2).sum(axis=2))
    delta = s - np.einsum("nk,nki->ni", r, s)[:, None, :]
    delta = np.sqrt((delta ** 2).sum(axis=2))
    factor = EPS * (4 * (d + 1) ** 2 * kappa + K + 8) * R
    return tau + (K + 8) * EPS, (r * (tau[:, None] * delta + factor * z)).sum(axis=1)


@pytest.mark.parametrize("flat", [1.0, 1e-2, 1e-5])
def test_rounding_errors_are_within_the_bounds_of_the_head(case, flat):
    """With 60 digits as the truth; `flat` is the share of one axis in a covariance, nearly singular
    where it is small."""
    model, x, _ = case
    squeeze = np.diag([1.0, flat, 1.0])
    turn = np.linalg.qr(np.random.default_rng(13).standard_normal((D, D)))[0]
    squeeze = turn @ squeeze @ turn.T
    S = squeeze @ model.covariances @ squeeze
    model = GaussianMixture(model.weights, model.means, (S + S.transpose(0, 2, 1)) / 2)
    x = np.concatenate([x, model.means[:3] + 1e-3, 1e3 * x[:2]])
    E, psi, _ = in_decimals(model, x)
    E_bound, psi_bound = rounding_bounds(model, x)
    E_error = abs(decimals(model.energy(x)) - E).astype(float)
    psi_error = np.sqrt(((decimals(model.score(x)) - psi) ** 2).sum(axis=1).astype(float))
    assert (E_error <= E_bound).all(), E_error / E_bound
    assert (psi_error <= psi_bound).all(), psi_error / psi_bound
    assert (E_error / E_bound).max() > 1e-4
    assert (psi_error / psi_bound).max() > 1e-4


def test_the_score_keeps_its_digits_where_the_log_density_is_large():
    """E is 5e11 here, off by its rounding, 3e-5; both responsibilities are 1/2."""
    model = GaussianMixture([0.5, 0.5], [[-0.1, 0.0], [0.1, 0.0]], [np.eye(2)] * 2)
    assert relative_gap(model.score([[0.0, 1e6]]), np.array([[0.0, -1e6]])) < 1e-13


def test_every_quantity_is_that_of_60_digits(case):
    model, x, cotangents = case
    v = cotangents["curvature"][0]
    E, psi, J = (a.astype(float) for a in in_decimals(model, x))
    assert relative_gap(model.energy(x), E) < TIGHT
    assert relative_gap(model.score(x), psi) < TIGHT
    assert relative_gap(model.score_jacobian(x), J) < TIGHT
    assert relative_gap(model.score_divergence(x), np.trace(J, axis1=1, axis2=2)) < TIGHT
    diagonal = np.diagonal(J, axis1=1, axis2=2)
    assert relative_gap(model.score_jacobian_diagonal(x), diagonal) < TIGHT
    curvature = np.einsum("nmi,nij,nmj->nm", v, J, v)
    assert relative_gap(model.score_curvature(x, v), curvature) < TIGHT


def test_log_density_is_the_weighted_sum_of_scipys_normal_densities(case):
    model, x, _ = case
    p = sum(w * stats.multivariate_normal(mean, covariance).pdf(x)
            for w, mean, covariance in zip(model.weights, model.means, model.covariances))
    assert relative_gap(model.log_density(x), np.log(p)) < of_inverses(model)
    assert np.array_equal(model.energy(x), -model.log_density(x))


def test_the_density_integrates_to_one_and_has_its_mean_and_covariance():
    rng = np.random.default_rng(2)
    means, S = rng.standard_normal((3, 2)), covariances(rng, 3, 2) / 3
    model = GaussianMixture([0.2, 0.5, 0.3], means, S)
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


    def f(a):
        return paired(model.with_theta(model.theta._replace(**{block: a})), x, one)

    expected = complex_gradient(f, getattr(model.theta, block))
    assert relative_gap(getattr(model.pullback(x, **one), block), expected) < of_inverses(model)


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
    pulled = model.ravel(model.pullback(x, **cotangents))
    assert relative_gap(pulled, expected) < of_inverses(model)
    assert relative_gap(model.unravel(vector).ravel(), vector) < TIGHT
    moved = model.unravel(vector + np.arange(len(vector)) / 5000)      # asymmetric covariances
    assert np.array_equal(moved.covariances, moved.covariances.transpose(0, 2, 1))


def test_logits_have_the_weights_for_their_softmax(case):
    model, _, _ = case
    logits = np.array([1000.0, 1001.0, 1002.0, -9000.0, 1000.0])
    other = model.with_theta((logits, model.means, model.covariances))
    e = np.exp([0.0, 1.0, 2.0, -np.inf, 0.0])
    assert relative_gap(other.weights, e / e.sum()) < TIGHT
    assert relative_gap(model.with_theta(model.theta).weights, model.weights) < TIGHT


def test_a_component_of_weight_zero_is_not_there_and_has_no_gradient(case):
    model, x, cotangents = case
    w = model.weights[:3] / model.weights[:3].sum()
    without = GaussianMixture(w, model.means[:3], model.covariances[:3])
    with_it = GaussianMixture([*w, 0.0], model.means[:4], model.covariances[:4])
    v = cotangents["curvature"][0]
    for name, value in local(with_it, x, v).items():
        assert relative_gap(value, local(without, x, v)[name]) < TIGHT
    assert with_it.theta.logits[3] == -np.inf
    assert with_it.with_theta(with_it.theta).weights[3] == 0
    G = with_it.pullback(x, **cotangents)
    assert G.logits[3] == 0
    assert not G.means[3].any()
    assert not G.covariances[3].any()


def test_far_away_and_with_tiny_variances_everything_is_finite():
    means = np.array([[0.0, 0, 0], [3.0, 1, 2], [-2.0, 5, 1]])
    model = GaussianMixture([0.2, 0.5, 0.3], means, 1e-12 * np.eye(3) * np.ones((3, 1, 1)))
    x = np.array([[1e6, 0, 0], [3.0, 1, 2.000001], [1.4, 0.6, 1.1]])
    for value in local(model, x, np.ones((3, 5, 3))).values():
        assert np.isfinite(value).all()
    gap = relative_gap(model.score(x)[1], np.array([0, 0, -1e6]))
    assert gap < 2 * np.spacing(2.000001) / 1e-6       # what the rounding of 2.000001 makes of 1e-6
    G = model.pullback(x, score=np.ones((3, 3)), divergence=np.ones(3))
    assert all(np.isfinite(block).all() for block in G)


def test_the_answer_does_not_depend_on_the_blocks(case, monkeypatch):
    model, x, cotangents = case
    v = cotangents["curvature"][0]
    whole, G = local(model, x, v), model.pullback(x, **cotangents)
    monkeypatch.setattr("refsm.rows.FEWEST_ROWS", 3)
    monkeypatch.setattr("refsm.rows.BLOCK", 1)
    for name, value in local(model, x, v).items():
        assert relative_gap(value, whole[name]) < TIGHT
    for a, b in zip(model.pullback(x, **cotangents), G):
        assert relative_gap(a, b) < TIGHT


def test_a_block_of_points_holds_the_vectors_to_all_components_or_a_matrix():
    rng = np.random.default_rng(5)
    five = GaussianMixture(np.full(5, 0.2), np.zeros((5, 3)), covariances(rng, 5, 3))
    assert five.width == 15
    assert GaussianMixture([1.0], np.zeros((1, 3)), covariances(rng, 1, 3)).width == 9


def test_wider_numbers_keep_their_precision(case):
    model, x, _ = case
    wide = GaussianMixture(*(a.astype(np.longdouble)
                             for a in (model.weights, model.means, model.covariances)))
    score = wide.score(x.astype(np.longdouble))
    assert score.dtype == np.longdouble
    assert relative_gap(model.score(x), score) < TIGHT


def test_exact_rationals_are_taken_as_floating_point_numbers():
    half = Fraction(1, 2)
    S = [[half, 0 * half], [0 * half, half]]
    score = GaussianMixture([half, half], [[half, half]] * 2, [S, S]).score([[3 * half, half]])
    assert score.dtype == float
    assert relative_gap(score, [[-2.0, 0.0]]) < TIGHT


def test_samples_have_the_mean_covariance_and_shares_of_the_density(case):
    model, _, _ = case
    x = model.sample(20000, np.random.default_rng(8))
    assert x.shape == (20000, D)
    spread = np.sqrt(np.diag(model.covariance))
    standard_error = spread / np.sqrt(20000)
    assert (abs(x.mean(axis=0) - model.mean) < 5 * standard_error).all()
    assert relative_gap(np.cov(x.T), model.covariance) < 0.05
    apart = GaussianMixture([0.2, 0.8], [[-50.0, 0, 0], [50.0, 0, 0]], model.covariances[:2])
    share = (apart.sample(20000, np.random.default_rng(9))[:, 0] > 0).mean()
    assert abs(share - 0.8) < 0.02                     # seven standard errors
    one = GaussianMixture([1.0], model.means[:1], model.covariances[:1])
    eps = np.random.default_rng(7).standard_normal((N, D))
    expected = model.means[0] + eps @ np.linalg.cholesky(model.covariances[0]).T
    assert relative_gap(one.sample(N, np.random.default_rng(7)), expected) < TIGHT


def test_the_model_is_immutable_and_takes_copies():
    weights, means = np.array([0.25, 0.75]), np.zeros((2, 3))
    S = np.tile(np.eye(3), (2, 1, 1))
    model = GaussianMixture(weights, means, S)
    means[0], weights[0], S[0] = 7, 0.5, 2
    assert not model.means.any()
    assert model.weights[0] == 0.25
    assert model.covariances[0, 0, 0] == 1
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
    (dict(covariances=np.eye(3)),
     r"covariances must have shape \(2, 3, 3\), but its shape is \(3, 3\)"),
    (dict(covariances=np.concatenate([I3, np.triu(np.ones((3, 3)))[None]])),
     r"covariances must be symmetric, but in matrix 1 entry \(0, 1\) is 1\.0 "
     r"and entry \(1, 0\) is 0\.0$"),
    (dict(covariances=np.concatenate([I3, -I3])),
     "covariances must be positive definite, but the one at 1 is not"),
    (dict(covariances=np.concatenate([0 * I3, I3])),
     "covariances must be positive definite, but the one at 0 is not"),
    (dict(covariances=np.concatenate([I3, np.ones((1, 3, 3))])),
     "covariances must be positive definite, but the one at 1 is not"),
    (dict(covariances=np.concatenate([I3, 1e-310 * I3])),
     "covariances must have finite inverses, but an entry of one of these is not"),
]


@pytest.mark.parametrize("change, sentence", BAD)
def test_a_wrong_argument_is_refused_in_one_sentence(change, sentence):
    covariances = np.concatenate([I3, I3])
    good = dict(weights=[0.5, 0.5], means=np.zeros((2, 3)), covariances=covariances)
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
    sentence = "^logits must be finite or -inf, and not all -inf, but they are"
    with pytest.raises(ValueError, match=sentence):
        model.with_theta((np.array(logits), model.means, model.covariances))


@pytest.mark.parametrize("length", [1e155, 1e200, 1e300])
def test_points_out_of_range_have_an_infinite_energy_and_no_score(length):
    mixture = refsm.GaussianMixture([0.4, 0.6], [[0.0, 1, 2], [2.0, 1, 0]], [np.eye(3)] * 2)
    x = np.array([[0.3, 0.1, -0.2], [length, -length, length]])
    assert mixture.energy(x)[1] == np.inf
    message = "^x must be within 1e154 standard deviations of a mean, but row 1 of a block is not$"
    for ask in (mixture.score, lambda x: refsm.tweedie(mixture, x, 0.3)):
        with pytest.raises(ValueError, match=message):
            ask(x)
