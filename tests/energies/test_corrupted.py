"""Densities of noisy points: quadrature, complex steps, exact rationals, the way back to theta."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
from oracles import complex_jacobian, pullback_gap, relative_gap
from scipy.stats import multivariate_normal

import refsm
from refsm.energies import corrupted, corrupted_parzen
from refsm.expectations import trapezoid

n, d, M, N, K = 7, 3, 5, 11, 2
C = np.array([[0.5, 0.2, -0.1], [0.2, 0.7, 0.3], [-0.1, 0.3, 0.9]])


class ScaledCovariance(refsm.CovarianceCorruption):
    """Scaled points in noise of any covariance: a process of one's own."""

    alpha = 0.7

    def noisy(self, x, eps):
        return 0.7 * x + eps @ self.L.T

    def target(self, x_noisy, x):
        return (0.7 * x - x_noisy) @ self.P


NOISE = {
    "isotropic": refsm.GaussianCorruption(0.37),
    "scaled": refsm.ScaledCorruption(0.8, 0.61),
    "any covariance": refsm.CovarianceCorruption(C),
    "scaled, any covariance": ScaledCovariance(C),
}


def symmetric(rng, size=d):
    A = rng.standard_normal((size, size)) / 2
    return A @ A.T + 0.5 * np.eye(size)


def base(name, size=d):
    rng = np.random.default_rng(3)
    mean = rng.standard_normal((N, size))
    if name == "Gaussian":
        return refsm.Gaussian(mean[0], symmetric(rng, size))
    if name == "Parzen":
        return refsm.Parzen(mean, 0.43)
    covariances = np.stack([symmetric(rng, size) for _ in range(K)])
    return refsm.GaussianMixture([0.3, 0.7], mean[:K], covariances)


BASES = ["Gaussian", "GaussianMixture", "Parzen"]
each_pair = [pytest.mark.parametrize("which", BASES), pytest.mark.parametrize("noise", NOISE)]


def pairs(test):
    for mark in each_pair:
        test = mark(test)
    return test


def data(seed=1, size=d):
    return np.random.default_rng(seed).standard_normal((n, size))


def as_mixture(model):
    """Means, covariances and weights of a base, as a list of Gaussians."""
    if isinstance(model, refsm.Gaussian):
        return [1.0], model.mean[None], model.covariance[None]
    if isinstance(model, refsm.Parzen):
        return (
            np.full(N, 1 / N),
            model.centers,
            np.repeat(model.sigma**2 * np.eye(d)[None], N, axis=0),
        )
    return model.weights, model.means, model.covariances


@pairs
def test_the_density_is_that_of_scaled_components_with_the_noise_added(which, noise):
    model, process = base(which), NOISE[noise]
    covariance = process.covariance_times(np.eye(d))
    expected = sum(
        w * multivariate_normal(process.alpha * mu, process.alpha**2 * S + covariance).pdf(data())
        for w, mu, S in zip(*as_mixture(model))
    )
    assert relative_gap(np.exp(model.corrupted(process).log_density(data())), expected) < 1e-12


@pytest.mark.parametrize("which", BASES)
@pytest.mark.parametrize(
    "process",
    [refsm.ScaledCorruption(0.8, 0.61), refsm.CovarianceCorruption(C[:2, :2])],
    ids=["scaled", "any covariance"],
)
def test_the_density_is_the_convolution_by_quadrature(which, process):
    model, x = base(which, 2), data(size=2)
    nodes, weights = trapezoid(
        model, 61
    )  # 61 nodes along 18 standard deviations: exact to rounding
    kernel = multivariate_normal(np.zeros(2), process.covariance_times(np.eye(2)))
    q = np.array([weights @ kernel.pdf(point - process.alpha * nodes) for point in x])
    target = np.array(
        [
            weights
            * kernel.pdf(point - process.alpha * nodes)
            @ process.score(np.tile(point, (len(nodes), 1)), nodes)
            for point in x
        ]
    )
    noisy = model.corrupted(process)
    assert relative_gap(np.exp(noisy.log_density(x)), q) < 1e-12
    assert relative_gap(noisy.score(x), target / q[:, None]) < 1e-12


@pairs
def test_every_local_quantity_is_a_complex_step_of_the_one_before(which, noise):
    model, x = base(which).corrupted(NOISE[noise]), data()
    v = np.random.default_rng(4).standard_normal((n, M, d))
    J = complex_jacobian(model.score, x)
    assert relative_gap(model.score(x), -complex_jacobian(model.energy, x)) < 1e-13
    assert relative_gap(model.score_jacobian(x), J) < 1e-13
    assert relative_gap(model.score_divergence(x), np.trace(J, axis1=1, axis2=2)) < 1e-13
    assert relative_gap(model.score_jacobian_diagonal(x), np.diagonal(J, axis1=1, axis2=2)) < 1e-13
    assert relative_gap(model.score_curvature(x, v), np.einsum("nri,nik,nrk->nr", v, J, v)) < 1e-13


def cotangents():
    rng = np.random.default_rng(5)
    return {
        "energy": rng.normal(size=n),
        "score": rng.normal(size=(n, d)),
        "divergence": rng.normal(size=n),
        "diagonal": rng.normal(size=(n, d)),
        "curvature": (rng.normal(size=(n, M, d)), rng.normal(size=(n, M))),
    }


@pytest.mark.parametrize(
    "names", [[name] for name in cotangents()] + [list(cotangents())], ids="+".join
)
@pytest.mark.parametrize("which", BASES[:2])
@pytest.mark.parametrize("noise", NOISE)
def test_the_pullback_to_the_parameters_of_the_base_is_a_complex_step(which, noise, names):
    model = base(which).corrupted(NOISE[noise])
    assert pullback_gap(model, data(), {name: cotangents()[name] for name in names}) < 1e-12


def test_the_gradient_for_a_symmetric_matrix_is_exactly_symmetric():
    pulled = base("Gaussian").corrupted(NOISE["any covariance"]).pullback(data(), **cotangents())
    np.testing.assert_array_equal(pulled.precision, pulled.precision.T)


@pairs
def test_theta_is_that_of_the_base_and_so_is_the_vector(which, noise):
    model = base(which)
    noisy = model.corrupted(NOISE[noise])
    assert noisy.theta == model.theta if which == "Parzen" else noisy.theta is not None
    assert noisy.d == d
    np.testing.assert_array_equal(noisy.ravel(), model.ravel())
    moved = noisy.with_theta(noisy.theta)
    assert type(moved) is type(noisy)
    np.testing.assert_allclose(moved.energy(data()), noisy.energy(data()), rtol=1e-14)
    np.testing.assert_allclose(
        noisy.unravel(noisy.ravel()).score(data()), noisy.score(data()), rtol=1e-13
    )
    assert isinstance(noisy.pullback(data()), type(model.theta))


def test_the_parzen_density_has_nothing_to_learn():
    for noise in NOISE.values():
        assert base("Parzen").corrupted(noise).pullback(data(), score=data()) == ()


def test_isotropic_noise_leaves_a_parzen_density_and_other_noise_is_computed_in_other_coordinates():
    model = base("Parzen")
    assert isinstance(model.corrupted(0.37).density, refsm.Parzen)
    assert model.corrupted(0.37).density.sigma == pytest.approx(np.hypot(0.43, 0.37), rel=1e-15)
    isotropic = model.corrupted(refsm.CovarianceCorruption(0.37**2 * np.eye(d)))
    assert isinstance(isotropic, corrupted_parzen.CorruptedParzen)
    assert isinstance(model.corrupted(NOISE["any covariance"]), corrupted_parzen.WhitenedParzen)
    nearly = refsm.CovarianceCorruption(0.37**2 * np.diag([1, 1, 1 + 1e-9]))
    assert relative_gap(model.corrupted(nearly).score(data()), isotropic.score(data())) < 1e-8


@pytest.mark.parametrize("which", BASES)
def test_little_noise_is_the_base_itself(which):
    model, x = base(which), data()
    noisy = model.corrupted(1e-12)
    assert relative_gap(noisy.score(x), model.score(x)) < 1e-14
    assert relative_gap(noisy.energy(x), model.energy(x)) < 1e-14


@pytest.mark.parametrize("which", BASES)
def test_noise_after_noise_is_the_sum_of_the_variances(which):
    once = base(which).corrupted(np.hypot(0.3, 0.4))
    twice = base(which).corrupted(0.3).density.corrupted(0.4)
    assert relative_gap(twice.score(data()), once.score(data())) < 1e-13


def test_in_exact_rationals_the_noisy_precision_is_the_inverse_of_the_sum():
    P = np.array(
        [
            [Fraction(2, 3), Fraction(1, 7), Fraction(0)],
            [Fraction(1, 7), Fraction(5, 3), Fraction(1, 4)],
            [Fraction(0), Fraction(1, 4), Fraction(1, 9)],
        ]
    )
    mean = np.array([Fraction(1, 3), Fraction(2), Fraction(-1, 5)])
    alpha, sigma = Fraction(3, 4), Fraction(2, 5)
    noisy = refsm.Gaussian(mean, P).corrupted(refsm.ScaledCorruption(alpha, sigma))
    mean_noisy, P_noisy = noisy.density.theta
    S = corrupted._inverse(P)
    assert (P @ S == np.eye(3, dtype=int)).all()
    assert (
        (alpha**2 * S + sigma**2 * np.eye(3, dtype=int)) @ P_noisy == np.eye(3, dtype=int)
    ).all()
    assert (mean_noisy == alpha * mean).all()
    x = np.array([[Fraction(3), Fraction(1, 2), Fraction(7, 11)]])
    assert (noisy.score(x) == -(x - mean_noisy) @ P_noisy).all()
    pulled = noisy.pullback(x, score=x)
    assert all(isinstance(entry, Fraction) for leaf in pulled for entry in leaf.ravel())
    dP = np.array([[1, 2, 0], [2, 0, 5], [0, 5, 3]]) * Fraction(1, 10**9)
    moved = refsm.Gaussian(mean, P + dP).corrupted(refsm.ScaledCorruption(alpha, sigma))
    change = ((moved.score(x) - noisy.score(x)) * x).sum()
    assert abs(change - (pulled.precision * dP).sum()) < Fraction(1, 10**15)


def test_elimination_exchanges_rows_where_a_pivot_is_zero():
    M = np.array(
        [
            [Fraction(0), Fraction(2), Fraction(1)],
            [Fraction(1, 2), Fraction(0), Fraction(0)],
            [Fraction(5), Fraction(4), Fraction(3)],
        ]
    )
    assert (M @ corrupted._inverse(M) == np.eye(3, dtype=int)).all()
    W = M.astype(float).astype(np.longdouble)
    inverse = corrupted._inverse(W)
    assert inverse.dtype == np.longdouble
    sizes = abs(W) @ abs(inverse)                      # of the terms; nine roundings of each
    assert (abs(W @ inverse - np.eye(3)) <= 9 * np.finfo(np.longdouble).eps * sizes).all()


def test_exact_noise_on_a_base_in_floating_point_is_floating_point():
    process = refsm.ScaledCorruption(Fraction(4, 5), Fraction(1, 2))
    for which in BASES:
        noisy = base(which).corrupted(process)
        other = base(which).corrupted(refsm.ScaledCorruption(0.8, 0.5))
        assert relative_gap(noisy.score(data()), other.score(data())) < 1e-14
        for leaf in noisy.pullback(data(), score=data()):
            assert leaf.dtype == np.float64


@pairs
def test_samples_have_the_mean_of_the_density_and_are_those_of_the_generator(which, noise):
    model, count = base(which).corrupted(NOISE[noise]), 20_000
    x = model.sample(count, np.random.default_rng(6))
    assert x.shape == (count, d)
    assert abs(model.score(x).mean(axis=0)).max() < 5 * abs(model.score(x)).max() / np.sqrt(
        count
    )  # E psi = 0
    np.testing.assert_array_equal(x, model.sample(count, np.random.default_rng(6)))


def test_a_copy_by_pickle_is_the_same_and_the_name_says_what_it_is():
    noisy = base("Gaussian").corrupted(0.37)
    copy = pickle.loads(pickle.dumps(noisy))
    np.testing.assert_array_equal(copy.score(data()), noisy.score(data()))
    assert repr(noisy) == (
        "CorruptedGaussian(base=Gaussian(mean: (3,), precision: (3, 3)), "
        "corruption=GaussianCorruption(sigma=0.37))"
    )


def test_what_cannot_be_corrupted_is_refused_in_one_sentence():
    with pytest.raises(
        ValueError,
        match=r"^precision must be positive definite .* but its smallest eigenvalue is -0\.5$",
    ):
        refsm.Gaussian(np.zeros(2), [[0.5, 1.0], [1.0, 0.5]]).corrupted(0.3)
    with pytest.raises(ValueError, match="but its smallest eigenvalue is 0$"):
        refsm.Gaussian(np.zeros(3), np.diag([1.0, 2.0, 0.0])).corrupted(0.3)
    for which in BASES:
        with pytest.raises(
            ValueError, match=r"^corruption must be finite and > 0, but it is 0\.0$"
        ):
            base(which).corrupted(0)
        with pytest.raises(TypeError, match="^corruption must be a number sigma > 0 or a process"):
            base(which).corrupted("0.3")
        with pytest.raises(
            ValueError,
            match="^corruption must be of points with d = 3 as the data, but it has d = 2$",
        ):
            base(which).corrupted(refsm.CovarianceCorruption(C[:2, :2]))
        with pytest.raises(
            ValueError, match=r"x must have shape \(n, 3\), but its shape is \(7, 5\)"
        ):
            base(which).corrupted(0.3).score(np.zeros((7, 5)))


def test_the_blocks_of_points_are_small_where_a_point_needs_a_whole_jacobian():
    model = base("Parzen").corrupted(NOISE["any covariance"])
    assert model.width == d * base("Parzen").width
    assert base("Parzen").corrupted(0.3).width == base("Parzen").width


@pairs
def test_it_cannot_be_changed(which, noise):
    noisy = base(which).corrupted(NOISE[noise])
    with pytest.raises(AttributeError, match="cannot assign"):
        noisy.other = 3
    with pytest.raises(AttributeError, match="cannot assign"):
        noisy.base = 3
