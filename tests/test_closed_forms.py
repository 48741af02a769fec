"""Closed forms: the minimiser against sums by hand and rationals, its covariance by samples."""
from dataclasses import FrozenInstanceError, dataclass, field
from fractions import Fraction

import numpy as np
import pytest
from oracles import relative_gap

import refsm
from refsm import closed_forms
from refsm.closed_forms import closed_form, fisher_information
from refsm.energies.polynomial import PolynomialEnergy
from refsm.expectations import box
from refsm.objectives.objective import Objective

n, d, M = 53, 3, 5
EXPONENTS = np.array([[1, 0, 0], [0, 2, 0], [2, 0, 1], [0, 1, 1], [4, 0, 0], [0, 0, 3], [0, 4, 2]])
K = len(EXPONENTS)
MODEL = PolynomialEnergy(np.zeros(K), EXPONENTS)
SIGMA = 0.37


def data(seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def features(x):
    """The terms' first derivatives (n, K, d), and second ones along one axis (n, K, d)."""
    first, second = np.zeros((len(x), K, d)), np.zeros((len(x), K, d))
    for k, powers in enumerate(EXPONENTS):
        for i in range(d):
            rest = np.prod([x[:, j] ** powers[j] for j in range(d) if j != i], axis=0)
            e = int(powers[i])
            first[:, k, i] = rest * (e * x[:, i] ** (e - 1) if e > 0 else 0)
            second[:, k, i] = rest * (e * (e - 1) * x[:, i] ** (e - 2) if e > 1 else 0)
    return first, second


def objectives():
    rng = np.random.default_rng(1)
    x, other, w = data(), rng.normal(size=(n, d)), rng.random(n)
    return {"implicit": refsm.ImplicitScoreMatching(x, weights=w),
            "explicit": refsm.ExplicitScoreMatching(x, other, weights=w),
            "regularised": refsm.RegularizedScoreMatching(x, 0.23, weights=w),
            "denoising": refsm.DenoisingScoreMatching(other, x, SIGMA, weights=w),
            "generalised": refsm.GeneralizedScoreMatching(x, x**2, 2 * x, weights=w),
            "sliced": refsm.SlicedScoreMatching(x, rng.normal(size=(n, M, d)), weights=w),
            "sliced, variance reduced": refsm.SlicedScoreMatching(
                x, rng.normal(size=(n, M, d)), variance_reduced=True, weights=w),
            "parzen explicit": refsm.ParzenExplicitScoreMatching(other[:5], x, SIGMA, weights=w),
            "parzen implicit": refsm.ParzenImplicitScoreMatching(x, weights=w)}


def by_hand(name, J):
    """A (K, K), and the gradient of each term as g0 + G theta, (n, K) and (n, K, K)."""
    x = J.points
    first, second = features(x)
    G = np.einsum("nki,nli->nkl", first, first)
    if name in ("implicit", "parzen implicit"):
        g0 = second.sum(axis=2)
    elif name == "explicit":
        g0 = -np.einsum("nki,ni->nk", first, J.data_score)
    elif name == "parzen explicit":
        g0 = -np.einsum("nki,ni->nk", first, refsm.Parzen(J.x, SIGMA).score(x))
    elif name == "denoising":
        g0 = -np.einsum("nki,ni->nk", first, (J.x - x) / SIGMA**2)
    elif name == "regularised":
        G, g0 = G + 0.46 * np.einsum("nki,nli->nkl", second, second), second.sum(axis=2)
    else:
        G = np.einsum("ni,nki,nli->nkl", x**2, first, first)
        g0 = np.einsum("ni,nki->nk", 2 * x, first) + np.einsum("ni,nki->nk", x**2, second)
    return np.einsum("n,nkl->kl", J.weights, G), g0, G


BY_HAND = [name for name in objectives() if not name.startswith("sliced")]


@pytest.mark.parametrize("name", BY_HAND)
def test_hessian_and_minimiser_are_those_of_sums_by_hand(name):
    J = objectives()[name]
    A, g0, _ = by_hand(name, J)
    found = closed_form(J, MODEL)
    assert relative_gap(found.hessian, A) < 1e-13
    residual = A @ found.model.ravel() + J.weights @ g0
    assert np.max(np.abs(residual) / (np.abs(A) @ np.abs(found.model.ravel()))) < 1e-13


@pytest.mark.parametrize("name", BY_HAND)
def test_covariance_and_variance_are_the_sandwiches_written_out(name):
    J = objectives()[name]
    A, g0, G = by_hand(name, J)
    found = closed_form(J, MODEL)
    g = g0 + G @ found.model.ravel()
    bread, w = np.linalg.inv(A), J.weights
    meat = np.einsum("n,nk,nl->kl", w**2, g, g)
    B = np.einsum("n,nk,nl->kl", w, g, g) / w.sum()
    assert relative_gap(found.gradient_moment, B) < 1e-11
    assert relative_gap(found.covariance, bread @ meat @ bread) < 1e-9
    assert relative_gap(found.asymptotic_variance, w.sum()**2 * bread @ B @ bread) < 1e-9


@pytest.mark.parametrize("name", objectives())
def test_the_value_is_the_quadratic_of_its_hessian_about_the_minimiser(name):
    J = objectives()[name]
    found = closed_form(J, MODEL)
    step = np.random.default_rng(2).normal(size=K) / 3
    raised = J.value(MODEL.unravel(found.model.ravel() + step)) - J.value(found.model)
    assert raised == pytest.approx(step @ found.hessian @ step / 2, rel=1e-10)
    assert np.linalg.eigvalsh(found.hessian).min() > 0


@pytest.mark.parametrize("name", objectives())
def test_uniform_weights_make_the_covariance_the_variance_over_n(name):
    J = objectives()[name]
    fields = {f: getattr(J, f) for f in J.__dataclass_fields__ if f != "weights"}
    found = closed_form(type(J)(**fields), MODEL)
    assert relative_gap(found.covariance, found.asymptotic_variance / n) < 1e-12


def test_a_descent_ends_there():
    J = objectives()["regularised"]
    run = refsm.minimize(J, MODEL, method="BFGS", gtol=1e-9)
    assert relative_gap(run.model.ravel(), closed_form(J, MODEL).model.ravel()) < 1e-6


def test_points_come_in_blocks_and_weights_of_zero_leave_points_out():
    x = np.random.default_rng(3).normal(size=(5003, d))
    w = np.r_[np.full(2003, 1 / 2003), np.zeros(len(x) - 2003)]
    J, part = refsm.ImplicitScoreMatching(x, weights=w), refsm.ImplicitScoreMatching(x[:2003])
    left, right = closed_form(J, MODEL), closed_form(part, MODEL)
    assert relative_gap(left.model.ravel(), right.model.ravel()) < 1e-11
    assert relative_gap(left.covariance, right.covariance) < 1e-10
    assert relative_gap(left.asymptotic_variance, right.asymptotic_variance) < 1e-10


@pytest.mark.parametrize("terms, arrays", [(7, M), (16, M), (17, 2 * M), (33, 3 * M)])
def test_a_block_has_room_for_the_terms_in_sixteens_and_for_the_directions(terms, arrays,
                                                                           monkeypatch):
    asked = []
    monkeypatch.setattr(closed_forms, "row_blocks", lambda *given: asked.append(given) or [])
    model = PolynomialEnergy(np.zeros(terms), np.zeros((terms, d)))
    assert list(closed_forms._blocks(objectives()["sliced"], model)) == []
    assert asked == [(n, d, arrays)]


def test_the_hessian_of_whole_numbers_is_exact():
    """The mean of 16 points, without a rounding: all factors are powers of two."""
    x = np.random.default_rng(9).integers(-5, 6, size=(16, d)).astype(float)
    first, _ = features(x)
    A = closed_forms._normal_equations(refsm.ImplicitScoreMatching(x), MODEL)[0]
    assert (A == np.einsum("nki,nli->kl", first, first) / 16).all()


@pytest.mark.parametrize("unit", [1e-4, 1e4])
def test_units_of_x_do_not_matter(unit):
    """x in other units: theta_k by unit^-(degree of the term)."""
    x, degree = data(), EXPONENTS.sum(axis=1)
    plain = closed_form(refsm.ImplicitScoreMatching(x), MODEL).model.ravel()
    scaled = closed_form(refsm.ImplicitScoreMatching(unit * x), MODEL).model.ravel()
    assert relative_gap(scaled * unit**degree, plain) < 1e-9


@pytest.mark.parametrize(("unit", "sigma"), [(1e-5, 1e-6), (1e5, 1e4), (1e-10, 1e-11)])
def test_the_units_of_noise_do_not_matter_either(unit, sigma):
    """Targets are of the size 1 / sigma, the slopes of x^2 of the size of x: up to 1e21 between."""
    x, noise = data(), np.random.default_rng(7).normal(size=(n, d))
    model = PolynomialEnergy(np.zeros(2 * d), [*np.eye(d, dtype=int), *(2 * np.eye(d, dtype=int))])
    ratio, degree = sigma / unit, np.repeat([1, 2], d)
    plain = refsm.DenoisingScoreMatching(x, x + ratio * noise, ratio)
    scaled = refsm.DenoisingScoreMatching(unit * x, unit * x + sigma * noise, sigma)
    left, right = (closed_form(J, model) for J in (scaled, plain))
    assert relative_gap(left.model.ravel() * unit**degree, right.model.ravel()) < 1e-9
    units = unit ** (degree[:, None] + degree - 2)
    assert relative_gap(left.hessian / units, right.hessian) < 1e-13


def fractions(a):
    return np.array([Fraction(int(k), 7) for k in np.ravel(a)], dtype=object).reshape(np.shape(a))


def test_in_rationals_the_gradient_at_the_minimiser_is_the_number_zero():
    rng = np.random.default_rng(4)
    x = fractions(rng.integers(-9, 10, size=(11, 2)))
    model = PolynomialEnergy(fractions([0, 0, 0]), [[1, 0], [0, 2], [2, 1]])
    for J in (refsm.ImplicitScoreMatching(x), refsm.RegularizedScoreMatching(x, Fraction(2, 9)),
              refsm.GeneralizedScoreMatching(x, x**2, 2 * x)):
        found = closed_form(J, model)
        assert J.gradient(found.model).coefficients.tolist() == [0, 0, 0]
        A, V = found.hessian, found.covariance
        outer = found.gradient_moment / len(x)
        assert (A @ V @ A == outer).all()
        assert all(isinstance(entry, Fraction) for entry in V.ravel())


def test_a_gaussian_is_found_with_its_mean_and_inverse_covariance():
    x = data() @ np.random.default_rng(5).normal(size=(d, d)) + [1.0, -2.0, 0.5]
    unit, (i, l) = np.eye(d, dtype=int), np.triu_indices(d, k=1)
    model = PolynomialEnergy(np.zeros(3 * d), [*unit, *(2 * unit), *(unit[i] + unit[l])])
    theta = closed_form(refsm.ImplicitScoreMatching(x), model).model.ravel()
    P = np.diag(-2 * theta[d:2 * d])
    P[i, l] = P[l, i] = -theta[2 * d:]
    assert relative_gap(P, np.linalg.inv(np.cov(x.T, bias=True))) < 1e-11
    assert relative_gap(np.linalg.solve(P, theta[:d]), x.mean(axis=0)) < 1e-11


def test_a_gaussian_of_known_mean_is_as_efficient_as_maximum_likelihood():
    """N(0, 1), E = -theta x^2: the variance of theta is 1 / 2, the information 2."""
    model = PolynomialEnergy([-0.5], [[2]])
    x, w = box([-12.0], [12.0], 201)
    p = w * np.exp(-x[:, 0]**2 / 2) / np.sqrt(2 * np.pi)
    found = closed_form(refsm.ImplicitScoreMatching(x, weights=p), model)
    assert found.model.ravel() == pytest.approx([-0.5], rel=1e-13)
    assert found.asymptotic_variance == pytest.approx(np.array([[0.5]]), rel=1e-12)
    assert fisher_information(model, x, w) == pytest.approx(np.array([[2.0]]), rel=1e-12)


def test_the_information_is_the_covariance_of_the_terms():
    model = PolynomialEnergy([0.4, -0.6, -0.1], [[1], [2], [4]])
    x, volumes = box([-6.0], [6.0], 301)
    p = volumes * np.exp(0.4 * x[:, 0] - 0.6 * x[:, 0]**2 - 0.1 * x[:, 0]**4)
    F = x ** [1, 2, 4]
    covariance = np.cov(F.T, aweights=p, bias=True)
    assert relative_gap(fisher_information(model, x, volumes), covariance) < 1e-13


def test_the_covariance_is_that_of_estimates_from_many_samples():
    """100 samples of 500 points of N(0, 1): within 4 standard errors, 4 sqrt(2 / 100)."""
    model, rng = PolynomialEnergy([0.0, 0.0], [[2], [4]]), np.random.default_rng(6)
    found = [closed_form(refsm.ImplicitScoreMatching(rng.normal(size=(500, 1))), model)
             for _ in range(100)]
    empirical = np.var([one.model.ravel() for one in found], axis=0)
    stated = np.mean([np.diag(one.covariance) for one in found], axis=0)
    assert empirical == pytest.approx(stated, rel=0.57)


@dataclass(frozen=True, eq=False, repr=False)
class Robust(Objective):
    """A loss that is not quadratic: sum_i log cosh psi_i + div."""

    x: np.ndarray
    weights: np.ndarray | None = field(default=None, kw_only=True)
    reads = ("score", "divergence")

    def __post_init__(self):
        self._set_data(x=self.x)

    @property
    def points(self):
        return self.x

    def local_loss(self, score, divergence):
        term = np.log(np.cosh(score)).sum(axis=1) + divergence
        return term, {"score": self.weights[:, None] * np.tanh(score), "divergence": self.weights}


def test_a_loss_that_is_not_quadratic_is_refused():
    with pytest.raises(TypeError, match="J must be quadratic in theta, but Robust is not"):
        closed_form(Robust(data()), PolynomialEnergy([0.0, 0.0, 0.0], 2 * np.eye(3)))


@pytest.mark.parametrize("exponents", [[[1, 0, 0], [0, 0, 0]], [[1, 2, 0], [1, 2, 0], [0, 1, 0]]])
def test_terms_that_no_score_tells_apart_are_refused(exponents):
    for one in (1.0, Fraction(1)):
        x = np.full((5, d), one) * np.arange(1, 6)[:, None]
        x[0] = [one, 2 * one, -one]
        model = PolynomialEnergy([0 * one] * len(exponents), exponents)
        with pytest.raises(ValueError, match="its Hessian is not positive definite"):
            closed_form(refsm.ImplicitScoreMatching(x), model)


@pytest.mark.parametrize(("eigenvalue", "refused"), [(0.75, True), (1.5, False)])
def test_an_eigenvalue_of_16_roundings_per_parameter_is_zero(eigenvalue, refused):
    """Of two parameters among seven; the bound is 112 roundings, those of eigvalsh are a few."""
    A, far = np.eye(7), 16 * 7 * np.finfo(float).eps * eigenvalue
    A[2, 5] = A[5, 2] = 1 - far
    if refused:
        with pytest.raises(ValueError, match="its Hessian is not positive definite"):
            closed_forms._solve(A, np.ones(7))
    else:
        closed_forms._solve(A, np.ones(7))


def test_fewer_points_than_terms_are_refused():
    with pytest.raises(ValueError, match="J must have a single minimiser"):
        closed_form(refsm.ImplicitScoreMatching(data()[:2]), MODEL)


def test_what_was_found_cannot_be_changed_and_equals_itself_alone():
    one, other = (closed_form(refsm.ImplicitScoreMatching(data()), MODEL) for _ in range(2))
    assert one == one
    assert one != other
    assert one in {one}
    with pytest.raises(FrozenInstanceError):
        one.hessian = 3


def test_a_minimiser_at_zero_is_found():
    """The implicit loss of E = -theta x is theta^2 / 2, whatever the data are."""
    found = closed_form(refsm.ImplicitScoreMatching(data()[:, :1]), PolynomialEnergy([0.7], [[1]]))
    assert found.model.theta.coefficients.tolist() == [0.0]


def test_what_has_no_closed_form_is_refused_by_a_sentence():
    J = refsm.ImplicitScoreMatching(data())
    with pytest.raises(TypeError, match="J must be an objective, but it is of type ndarray"):
        closed_form(data(), MODEL)
    with pytest.raises(TypeError, match="as a PolynomialEnergy is, but it is of type Gaussian"):
        closed_form(J, refsm.Gaussian(np.zeros(d), np.eye(d)))
    with pytest.raises(ValueError, match="model must have d = 3 as the data of Implicit"):
        closed_form(J, PolynomialEnergy([1.0], [[1, 2]]))
    with pytest.raises(TypeError, match="RatioMatching reads the gap of the energy"):
        closed_form(refsm.RatioMatching((data() > 0) * 1), MODEL)
    with pytest.raises(ValueError, match="weights of J must be >= 0, but the smallest is -0.5"):
        closed_form(refsm.ImplicitScoreMatching(data(), weights=np.r_[-0.5, np.ones(n - 1)]), MODEL)
    with pytest.raises(TypeError, match="local quantities, but PredictionLoss reads the"):
        closed_form(refsm.PredictionLoss(data(), data(), SIGMA, predict="noise"), MODEL)
    with pytest.raises(TypeError, match="model must be an AutoencoderEnergy"):
        closed_form(refsm.DenoisingAutoencoderLoss(data(), data()), MODEL)
    with pytest.raises(ValueError, match=r"volumes must have shape \(53,\), but"):
        fisher_information(MODEL, data(), np.ones(3))
    with pytest.raises(TypeError, match="linear in its parameters, .* but it is of type Gaussian"):
        fisher_information(refsm.Gaussian(np.zeros(d), np.eye(d)), data(), np.ones(n))
