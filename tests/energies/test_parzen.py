"""The Parzen density against 60 digits, the mixture with equal weights, scipy and quadrature."""
import pickle
import tracemalloc
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from oracles import complex_jacobian, decimals, decimals_of, PI, relative_gap, to_60_digits
from scipy import stats

from refsm.energies import parzen
from refsm.energies.energy import NoTheta
from refsm.energies.mixture import GaussianMixture
from refsm.energies.parzen import Parzen

N, D, K, M = 9, 3, 21, 5       # points, dimensions, centres, directions
SIGMA = 0.6
EPS = 2.0 ** -52
TIGHT = 2e-14                  # 90 units of rounding, for sums of a few dozen terms


def case(sigma=SIGMA, seed=21, centers=K):
    """Centres, and points near them, between them and far away from all of them."""
    rng = np.random.default_rng(seed)
    c = rng.standard_normal((centers, D)) + [5.0, -3.0, 0.5]
    x = np.concatenate([c[:4] + sigma * rng.standard_normal((4, D)),
                        (c[4:7] + c[7:10]) / 2 + sigma / 3, 1e3 * rng.standard_normal((2, D))])
    return Parzen(c, sigma), x, rng.standard_normal((N, M, D))


def local(model, x, v):
    return {"energy": model.energy(x), "score": model.score(x), "jacobian": model.score_jacobian(x),
            "divergence": model.score_divergence(x), "diagonal": model.score_jacobian_diagonal(x),
            "curvature": model.score_curvature(x, v)}


def as_mixture(model):
    k, d = model.centers.shape
    covariances = np.broadcast_to(model.sigma**2 * np.eye(d), (k, d, d))
    return GaussianMixture(np.full(k, 1 / k), model.centers, covariances)


def per_point_gap(a, b):
    """The largest relative gap of one point's numbers: near and far differ by powers of ten."""
    return max(relative_gap(a_n, b_n) for a_n, b_n in zip(a, b))


def largest(error):
    """The largest absolute error of each point."""
    return abs(error).reshape(len(error), -1).max(axis=1).astype(float)


def test_log_density_is_the_mean_of_scipys_normal_densities():
    model, x, _ = case()
    log_p = np.array([[stats.norm(center, SIGMA).logpdf(point).sum() for center in model.centers]
                      for point in x])
    top = log_p.max(axis=1)
    expected = np.log(np.exp(log_p - top[:, None]).mean(axis=1)) + top
    assert relative_gap(model.log_density(x), expected) < TIGHT
    assert np.array_equal(model.energy(x), -model.log_density(x))


def test_the_density_integrates_to_one():
    model = Parzen(np.random.default_rng(2).standard_normal((7, 2)), 0.3)
    line = np.linspace(-6, 6, 301)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    assert abs(np.exp(model.log_density(grid)).sum() * (line[1] - line[0]) ** 2 - 1) < 1e-13


@pytest.mark.parametrize("sigma", [SIGMA, 1e-5, 1e-6, 1e-9, 1e8])
def test_every_quantity_is_that_of_the_mixture_with_equal_weights(sigma):
    model, x, v = case(sigma)
    mixture = local(as_mixture(model), x, v)
    for name, value in local(model, x, v).items():
        assert per_point_gap(value, mixture[name]) < 1e-13, name


def rounding_bounds(model, x):
    """(16)-(20) for each point: tau, and the errors of E, sigma psi, sigma^2 J."""
    at, sigma, (N, d), eps = model.at(x), model.sigma, model.centers.shape, EPS
    u, y = (x - at.o) / sigma, (model.centers - at.o[:, None, :]) / sigma
    b = -((u[:, None, :] - y) ** 2).sum(axis=2) / 2
    matters = b > b.max(axis=1, keepdims=True) - parzen.NEGLIGIBLE
    R = np.sqrt(((y ** 2).sum(axis=2) * matters).max(axis=1))
    u = np.sqrt((u ** 2).sum(axis=1))
    S = np.sqrt(np.trace(model.posterior_covariance(x), axis1=1, axis2=2)) / sigma
    C = min(N, parzen.CENTERS)
    G = (u + R) ** 2 / 2 + np.log(N) + d * (abs(np.log(sigma)) + 1)
    tau = (d + 8) * eps * R * (u + R) / 2
    gamma = (C + 8 + 8 * N / C) * eps / 2
    return {"tau": tau, "energy": tau + gamma + (d + 10) * eps * G / 2,
            "score": tau * S + 2 * gamma * R + 3 * eps * (u + R),
            "jacobian": 2 * tau * S ** 2 + (7 * gamma + 2 * d * eps) * (R ** 2 + 1)}


def in_decimals(model, x):
    """E (n,), sigma psi (n, d) and sigma^2 J (n, d, d) to 60 digits, from the definitions."""
    with to_60_digits():
        (N, d), sigma = model.centers.shape, Decimal(model.sigma)
        t = (decimals(model.centers) - decimals(x)[:, None, :]) / sigma
        exponent = -(t * t).sum(axis=2) / 2
        top = exponent.max(axis=1)
        p = decimals_of(Decimal.exp, exponent - top[:, None])
        Z = p.sum(axis=1)
        r = (p / Z[:, None])[:, :, None]
        constant = Decimal(N).ln() + d * sigma.ln() + Decimal(d) / 2 * (2 * PI).ln()
        mean = (r * t).sum(axis=1)
        apart = t - mean[:, None, :]
        V = (r[..., None] * apart[:, :, :, None] * apart[:, :, None, :]).sum(axis=1)
        return {"energy": constant - top - decimals_of(Decimal.ln, Z), "score": mean,
                "jacobian": V - decimals(np.eye(d))}


def rounding_errors(model, x, v):
    """The largest error of each point's E, sigma psi, sigma^2 J, tr J and v'Jv / |v|^2."""
    got, sigma = local(model, x, v), Decimal(model.sigma)
    with to_60_digits():
        true = in_decimals(model, x)
        J, vJv = true["jacobian"], decimals(v) @ true["jacobian"] @ decimals(v).transpose(0, 2, 1)
        vJv, vv = vJv.diagonal(axis1=1, axis2=2), (decimals(v) ** 2).sum(axis=2)
        got = {name: decimals(value) for name, value in got.items()}
        psi = got["score"] * sigma - true["score"]
        return {
            "energy": abs(got["energy"] - true["energy"]).astype(float),
            "score": np.sqrt((psi ** 2).sum(axis=1).astype(float)),
            "jacobian": largest(got["jacobian"] * sigma ** 2 - J),
            "divergence": largest(got["divergence"] * sigma ** 2 - J.trace(axis1=1, axis2=2)),
            "diagonal": largest(got["diagonal"] * sigma ** 2 - J.diagonal(axis1=1, axis2=2)),
            "curvature": largest((got["curvature"] * sigma ** 2 - vJv) / vv)}


@pytest.mark.parametrize("sigma", [SIGMA, 0.1, 0.03, 0.01, 1e-3, 1e-5, 1e-8, 1e7])
def test_rounding_errors_are_within_the_bounds_of_the_head(sigma):
    """With 60 digits as the truth; near points, points between centres, and points far away."""
    model, x, v = case(sigma)
    bounds = rounding_bounds(model, x)
    for name, error in rounding_errors(model, x, v).items():
        bound = bounds[name if name in bounds else "jacobian"]
        assert (error <= bound).all(), (name, error / bound)


def test_rounding_errors_are_within_the_bounds_for_several_blocks_of_centres(monkeypatch):
    monkeypatch.setattr(parzen, "CENTERS", 5)
    for sigma in (SIGMA, 1e-3):
        model, x, v = case(sigma)
        bounds = rounding_bounds(model, x)
        for name, error in rounding_errors(model, x, v).items():
            bound = bounds[name if name in bounds else "jacobian"]
            assert (error <= bound).all(), (name, error / bound)


def test_the_bounds_on_rounding_errors_are_not_idle():
    """Clusters far from the one origin, and points in them."""
    rng = np.random.default_rng(5)
    clusters = np.repeat(3 * np.eye(D), 7, axis=0)
    model = Parzen(clusters + rng.standard_normal((21, D)) / 30, 0.03)
    x, v = clusters + rng.standard_normal((21, D)) / 30, rng.standard_normal((21, M, D))
    assert model.at(x).one_origin
    bounds, errors = rounding_bounds(model, x), rounding_errors(model, x, v)
    assert (errors["energy"] / bounds["energy"]).max() > 1 / 200
    assert (errors["score"] / bounds["score"]).max() > 1 / 200
    assert (errors["jacobian"] / bounds["jacobian"]).max() > 1 / 200


def test_one_origin_errs_by_little_more_than_the_limit_of_rounding():
    """Up to |u| = R, tau is at most ROUNDING (d + 8); from origins of their own 1e-12 is plenty."""
    near = case(0.03)[1][:7]
    assert parzen.ROUNDING / 2 < EPS * case(0.03)[0].squared_radius < parzen.ROUNDING
    one = rounding_bounds(case(0.03)[0], near)["tau"].max()
    own = rounding_bounds(case(0.01)[0], case(0.01)[1][:4])["tau"].max()
    assert 1e-12 < one < parzen.ROUNDING * (D + 8)
    assert own < 1e-12


@pytest.mark.parametrize("sigma", [SIGMA, 1e-5])
def test_score_and_jacobian_are_complex_steps(sigma):
    model, x, _ = case(sigma)
    assert per_point_gap(model.score(x), -complex_jacobian(model.energy, x)) < 1e-13
    assert per_point_gap(model.score_jacobian(x), complex_jacobian(model.score, x)) < 1e-12


def test_a_cluster_far_below_the_spread_is_resolved():
    """Fifty centres within a bandwidth of each other beside one a million bandwidths away."""
    rng = np.random.default_rng(4)
    sigma = 1e-6
    offset = sigma * rng.standard_normal((50, D))
    origin = np.array([0.25, -0.5, 0.75])
    cluster = origin + offset
    model = Parzen(np.concatenate([cluster, [[2.0, 1.0, 3.0]]]), sigma)
    near = origin + sigma * rng.standard_normal((6, D))
    v = rng.standard_normal((6, M, D))
    alone = Parzen((cluster - origin) / sigma, 1.0)        # enlarged: differences here are exact
    enlarged = local(alone, (near - origin) / sigma, v)
    power = {"score": 1, "jacobian": 2, "divergence": 2, "diagonal": 2, "curvature": 2}
    for name, value in local(model, near, v).items():
        if name != "energy":
            assert per_point_gap(value * sigma ** power[name], enlarged[name]) < 1e-13, name
    energy = enlarged["energy"] + np.log(51 / 50) + D * np.log(sigma)
    assert relative_gap(model.energy(near), energy) < TIGHT


def test_the_nearest_centre_is_found_where_the_products_of_matrices_cannot_tell():
    """Bandwidth 1e-10 of the spread: an exponent is rounded by some 1e4, neighbours differ by 1."""
    rng = np.random.default_rng(6)
    sigma = 1e-10
    base = np.array([0.7, -0.9, 0.6])
    c = np.concatenate([base + sigma * rng.standard_normal((40, D)), [[-3.0, 2.0, 1.0]]])
    model = Parzen(c, sigma)
    x = base + sigma * rng.standard_normal((8, D))
    exponents = -((x[:, None] - c) ** 2).sum(axis=2) / (2 * sigma**2)
    r = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    r /= r.sum(axis=1, keepdims=True)
    expected = np.einsum("nk,nki->ni", r, c - x[:, None]) / sigma**2
    bound = rounding_bounds(model, x)["score"] / sigma      # of either side: both subtract exactly
    assert (np.sqrt(((model.score(x) - expected) ** 2).sum(axis=1)) < 2 * bound).all()


def test_a_point_far_from_all_centres_has_a_finite_score():
    model = Parzen([[1.0, 2.0], [-1.0, 0.5], [0.5, 0.25]], 1e-6)
    x = np.array([[1e5, 0.0], [-3e7, 1e7]])
    for value in local(model, x, np.ones((2, 3, 2))).values():
        assert np.isfinite(value).all()
    nearest = np.array([[1.0, 2.0], [-1.0, 0.5]])
    assert relative_gap(model.score(x) * 1e-12, nearest - x) < TIGHT


def test_one_centre_is_a_gaussian():
    model = Parzen([[2.0, 0.5, 1.0]], 0.25)
    assert np.array_equal(model.score([[3.0, 0.5, 1.0]]), [[-16.0, 0, 0]])
    assert np.array_equal(model.score_jacobian([[3.0, 0.5, 1.0]]), [-16 * np.eye(3)])
    assert abs(model.energy([[2.0, 0.5, 1.0]])[0] - 1.5 * np.log(2 * np.pi / 16)) < TIGHT


@pytest.mark.parametrize("sigma", [SIGMA, 1e-4])
def test_posterior_moments_are_means_over_the_centres(sigma):
    model, x, _ = case(sigma)
    far = ((x[:, None] - model.centers) ** 2).sum(axis=2)
    r = np.exp((far.min(axis=1, keepdims=True) - far) / (2 * sigma**2))
    r /= r.sum(axis=1, keepdims=True)
    mean = r @ model.centers
    apart = model.centers - mean[:, None]
    assert relative_gap(model.posterior_mean(x), mean) < TIGHT
    covariance = np.einsum("nk,nki,nkj->nij", r, apart, apart)
    assert abs(model.posterior_covariance(x) - covariance).max() < 1e-13 * max(1, sigma**2)
    assert relative_gap(model.posterior_mean(x[:7]), x[:7] + sigma**2 * model.score(x[:7])) < TIGHT
    tweedie = sigma**2 * np.eye(D) + sigma**4 * model.score_jacobian(x)
    assert abs(model.posterior_covariance(x) - tweedie).max() < 1e-13 * sigma**2


@pytest.mark.parametrize("sigma", [SIGMA, 1e-5])
def test_the_answer_does_not_depend_on_the_blocks(sigma, monkeypatch):
    model, x, v = case(sigma)
    whole = local(model, x, v)
    for rows, centers in [(2, 5), (5, 1), (100, 7)]:
        monkeypatch.setattr("refsm.rows.FEWEST_ROWS", rows)
        monkeypatch.setattr("refsm.rows.BLOCK", 1)
        monkeypatch.setattr(parzen, "CENTERS", centers)
        for name, value in local(Parzen(model.centers, sigma), x, v).items():
            assert per_point_gap(value, whole[name]) < 1e-13, name


def test_a_point_that_the_first_blocks_of_centres_are_far_from_forgets_them(monkeypatch):
    monkeypatch.setattr(parzen, "CENTERS", 2)
    c = np.array([[50.0], [49.0], [48.0], [2.0], [1.0], [-1.0], [60.0]])
    model, x = Parzen(c, 0.5), np.array([[0.0], [0.25]])
    errors, bounds = rounding_errors(model, x, np.ones((2, 3, 1))), rounding_bounds(model, x)
    for name in ("energy", "score", "jacobian"):
        assert (errors[name] <= bounds[name]).all(), name
        assert bounds[name].max() < 1e-9, name


def test_one_origin_serves_where_the_products_are_precise_enough_and_only_there():
    c = np.array([[-1.0, 0, 0], [1.0, 0, 0]])
    eps = np.finfo(float).eps
    sigma = np.sqrt(eps / parzen.ROUNDING)             # one ulp of |y|^2 is then ROUNDING
    x = np.zeros((3, 3))
    assert abs(Parzen(c, sigma).squared_radius * sigma**2 - 1) < TIGHT
    assert Parzen(c, 1.01 * sigma).at(x).one_origin
    assert not Parzen(c, 0.99 * sigma).at(x).one_origin
    assert Parzen(c, 2.0 ** -7).squared_radius == 2.0 ** 14             # exactly ROUNDING
    assert Parzen(c, 2.0 ** -7).at(x).one_origin


def test_the_bound_on_an_exponent_from_the_mean_of_the_centres_is_16_and_covers_its_error():
    model = Parzen([[-2.0, 0, 0], [2.0, 0, 0]], 2.0 ** -30)
    at = model.at(np.array([[0.0, 3.0, 0.0]]))
    assert at.exponent_error == (3 + 8) * EPS * 2 * (3 + 2) / 2 * 2.0 ** 60
    rng = np.random.default_rng(12)
    cluster = -4 + 1e-10 * rng.standard_normal((K, D))
    far = Parzen(np.concatenate([rng.standard_normal((40, D)), cluster]), 1e-10)
    x = cluster[:M] + 1e-10
    at = far.at(x)
    _, y = next(far.centers_from(far.origin))
    with to_60_digits():
        y_true = (decimals(far.centers) - decimals(far.origin)) / Decimal(far.sigma)
        u_true = (decimals(x) - decimals(far.origin)) / Decimal(far.sigma)
        b = u_true @ y_true.T - (y_true * y_true).sum(axis=1) / 2
        error = abs(decimals(parzen._exponents(at.far_u, y)) - b).astype(float)
    assert (error.max(axis=1) < at.exponent_error).all()
    assert error.max() > 1e3


def test_only_centres_that_matter_are_visited_again():
    rng = np.random.default_rng(3)
    model = Parzen(rng.standard_normal((500, D)), 1e-6)
    x = model.centers[:6] + 1e-6
    assert sum(len(y) for _, y in model.at(x).parts()) == 6
    both = Parzen(1e-6 * np.outer([0, 14.1, 14.2, 1e6], [1, 0, 0]), 1e-6)   # 14.1^2 < 200 < 14.2^2
    assert sum(len(y) for _, y in both.at(np.zeros((1, 3))).parts()) == 2


def test_a_centre_is_left_out_only_beyond_the_errors_of_both_exponents(monkeypatch):
    """Errors of 10 on either side: 100 + 20 below the largest exponent, and no further."""
    monkeypatch.setattr(parzen.ParzenAt, "exponent_error", np.array([10.0]))
    inside, outside = np.sqrt(2 * 117), np.sqrt(2 * 123)
    model = Parzen(1e-6 * np.outer([0, inside, outside, 1e6], [1, 0, 0]), 1e-6)
    (_, y), = model.at(np.zeros((1, 3))).parts()
    assert relative_gap(y[:, 0], [0, inside]) < TIGHT


def test_memory_is_flat_in_points_and_centres(monkeypatch):
    for name, number in (("KEEP", 1), ("FEWEST_ROWS", 64), ("BLOCK", 2**16)):
        monkeypatch.setattr(f"refsm.rows.{name}", number)

    def peak(n, k, sigma):
        rng = np.random.default_rng(7)
        model, x = Parzen(rng.standard_normal((k, D)), sigma), rng.standard_normal((n, D))
        model.score(x[:1])
        tracemalloc.start()
        model.score(x)
        model.score_divergence(x)
        held = 2 * n * D * 8                         # the scores, and their parts
        out = tracemalloc.get_traced_memory()[1] - held
        tracemalloc.stop()
        return out

    for sigma in (SIGMA, 1e-6):
        small, large = peak(128, 2100, sigma), peak(256, 4200, sigma)
        assert large < 1.1 * small + 2**13
        assert large < 2**21


def test_a_block_of_points_holds_its_exponents_for_a_block_of_centres():
    assert Parzen(np.zeros((7, 3)), 0.5).width == 7
    assert Parzen(np.zeros((3, 7)), 0.5).width == 7
    assert Parzen(np.zeros((5000, 3)), 0.5).width == 1024


def test_samples_are_centres_with_noise():
    model = Parzen([[-50.0, 3.0, 0.0], [50.0, 3.0, 0.0], [50.0, 3.0, 0.0]], SIGMA)
    x = model.sample(30000, np.random.default_rng(5))
    assert x.shape == (30000, 3)
    assert abs((x[:, 0] > 0).mean() - 2 / 3) < 0.02
    noise = x - [50.0, 3.0, 0.0] * np.where(x[:, :1] > 0, [[1, 1, 1]], [[-1, 1, 1]])
    assert relative_gap(np.cov(noise.T), SIGMA**2 * np.eye(3)) < 0.05
    assert abs(noise.mean(axis=0)).max() < 5 * SIGMA / np.sqrt(30000)
    eps = np.random.default_rng(5).standard_normal((N, D))
    one = Parzen(np.ones((1, D)), SIGMA).sample(N, np.random.default_rng(5))
    assert relative_gap(one, 1 + SIGMA * eps) < TIGHT


def test_there_is_nothing_to_learn():
    model, x, v = case()
    assert model.theta == NoTheta()
    assert model.ravel().shape == (0,)
    assert model.with_theta(NoTheta()) is model
    assert model.unravel(np.zeros(0)) is model
    curvature = (v, np.ones((N, M)))
    assert model.pullback(x, energy=np.ones(N), score=np.ones((N, D)), curvature=curvature) == ()


def test_wider_numbers_keep_their_precision():
    model, x, _ = case()
    score = Parzen(model.centers.astype(np.longdouble), SIGMA).score(x.astype(np.longdouble))
    assert score.dtype == np.longdouble
    assert relative_gap(model.score(x), score) < TIGHT


def test_exact_rationals_are_taken_as_floating_point_numbers():
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    score = Parzen([[half, quarter]], half).score([[3 * half, quarter]])
    assert score.dtype == float
    assert score.tolist() == [[-4.0, 0.0]]


def test_the_model_is_immutable_and_takes_a_copy():
    c = np.zeros((5, 3))
    model = Parzen(c, SIGMA)
    c[0] = 7
    assert not model.centers.any()
    with pytest.raises(ValueError, match="read-only"):
        model.centers[0] = 1
    with pytest.raises(AttributeError):
        model.sigma = 2.0


def test_the_model_pickles():
    model, x, _ = case()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.score(x), model.score(x))
    assert repr(again) == "Parzen(centers: (21, 3), sigma=0.6)"


@pytest.mark.parametrize("centers, sigma, sentence", [
    (np.zeros(3), 0.5, r"centers must have shape \(n, d\), but its shape is \(3,\)"),
    (np.zeros((0, 3)), 0.5,
     r"centers must have shape \(n, d\), but its shape is \(0, 3\) \(empty\)"),
    ([[np.inf, 0.0]], 0.5, r"centers must be finite, but it has inf at \(0, 0\)"),
    (np.zeros((5, 3)), 0.0, r"sigma must be finite and > 0, but it is 0\.0"),
])
def test_a_wrong_argument_is_refused_in_one_sentence(centers, sigma, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        Parzen(centers, sigma)


def test_points_of_another_dimension_are_refused():
    sentence = r"^x must have shape \(n, 3\), but its shape is \(5, 7\)"
    with pytest.raises(ValueError, match=sentence):
        Parzen(np.zeros((5, 3)), SIGMA).score(np.zeros((5, 7)))
