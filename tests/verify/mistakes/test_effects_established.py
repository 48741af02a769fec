"""Effects are established: an affine score is trained on the wrong loss, in exact expectation.

The points are all sign vectors, scaled: their mean, covariance and third moments are those of a
Gaussian, so the mean of a loss that is quadratic in an affine score is its expectation.
"""
import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov
from scipy.stats import norm

from refsm.verify.cases.case import Case
from refsm.verify.cases.derivatives import term_gradient
from refsm.verify.cases.quantities import Quantities
from refsm.verify.mistakes import formulas
from refsm.verify.mistakes.binary import FUNCTIONS
from refsm.verify.mistakes.mistake import (ANOTHER_MEAN, FREE, MEDIAN, ROBUST, SQUARES,
                                           clipped)
from refsm.verify.objectives import OBJECTIVES, model_names

D, SIGMA = 3, 0.7
SIGNS3 = np.array(list(itertools.product([-1.0, 1.0], repeat=3)))
SIGNS6 = np.array(list(itertools.product([-1.0, 1.0], repeat=6)))
L = np.array([[1.3, 0.0, 0.0], [0.4, 0.8, 0.0], [-0.3, 0.5, 1.1]])
COVARIANCE, MEAN = L @ L.T, np.array([0.3, -0.7, 1.9])
S = np.linalg.inv(COVARIANCE)                                  # the data's score is -S (x - mean)
ONES = np.ones((D, D))


def case(objective):
    """A case whose means over points are expectations."""
    x, noise = MEAN + SIGNS6[:, :3] @ L.T, SIGNS6[:, 3:]
    arrays, hyper = {"x": x}, {"sigma": SIGMA}
    if OBJECTIVES[objective].random == "noise":
        arrays.update(noise=noise, x_noisy=x + SIGMA * noise)
    elif OBJECTIVES[objective].random == "directions":
        arrays["directions"] = np.broadcast_to(SIGNS3, (len(x), 8, 3)).copy()
    if objective == "esm":
        arrays["data_score"] = -(x - MEAN) @ S
    if objective == "regularized":
        hyper["strength"] = 0.4
    theta = {"mean": MEAN, "precision": S}
    return Case("own/0", "own", objective, "gaussian", theta, arrays, hyper)


class Affine(Quantities):
    """The local quantities of the score A x + b."""

    def __init__(self, given, A, b, at=None):
        super().__init__(given, at=at)
        self.A, self.b = A, b

    def psi(self, point=None):
        return self.point(point) @ self.A.T + self.b

    def J(self, point=None):
        return np.broadcast_to(self.A, (len(self.case.x), D, D))

    def read_at(self, point):
        return Affine(self.case, self.A, self.b, point)


def minimiser(formula, given):
    """(A, b) where the quadratic loss is least, "unbounded", or "free" where it is not unique."""
    terms = formula.terms

    def loss(u):
        q = Affine(given, u[:9].reshape(3, 3), u[9:])
        return sum(np.mean(term.per_sample(q)) for term in terms)

    basis = np.eye(12)
    zero, single = loss(0 * basis[0]), np.array([loss(e) for e in basis])
    g = (single - np.array([loss(-e) for e in basis])) / 2
    H = np.array([[loss(basis[i] + basis[k]) - single[i] - single[k] + zero for k in range(12)]
                  for i in range(12)])
    H = np.where(np.abs(H) < 1e-9, 0, H)                       # rounding, beside entries of size 1
    u = -np.linalg.lstsq(H, g, rcond=1e-9)[0]
    assert np.isclose(loss(u), zero + g @ u + u @ H @ u / 2, rtol=1e-8, atol=1e-8), "not quadratic"
    if np.linalg.eigvalsh(H)[0] < -1e-9 or np.abs(H @ u + g).max() > 1e-8:
        return "unbounded"
    if np.linalg.eigvalsh(H)[0] < 1e-9:
        return "free"
    return u[:9].reshape(3, 3), u[9:]


def alone(objective, identity):
    return next(f for f in formulas(objective, "gaussian")
                if [m.id for m in f.mistakes] == [identity])


def effect(objective, identity):
    return alone(objective, identity).mistakes[0].effect


def learns(objective, identity, B, b=None, score=None):
    """Whether the minimiser is B times the data's score, or the given affine function."""
    A, found = minimiser(alone(objective, identity), case(objective))
    expected = -B @ S if score is None else score
    assert np.allclose(A, expected, atol=1e-8)
    assert np.allclose(found, -expected @ MEAN if b is None else b, atol=1e-8)


def row(k):
    return np.eye(D)[[k] * D]


DIVERGENCES = {
    "whole": (ONES, "each entry learns the sum of all entries of the score"),
    "first-row": (np.array([[1, 1, 1], [0, 0, 0], [0, 0, 0]]), "the first entry learns the sum"),
    "last-row": (np.array([[0, 0, 0], [0, 0, 0], [1, 1, 1]]), "the last entry learns the sum"),
    "first-column": (row(0), "each entry learns the first entry of the score"),
    "last-column": (row(2), "each entry learns the last entry of the score"),
    "upper": (np.triu(ONES), "its own and all later entries"),
    "lower": (np.tril(ONES), "its own and all earlier entries"),
    "odd": (np.diag([1, 0, 1]), "the score of the other dimensions is driven to 0"),
    "even": (np.diag([0, 1, 0]), "the score of the other dimensions is driven to 0"),
    "off-diagonal": (ONES - np.eye(D), "learns the sum of the other entries"),
    "beside": (np.roll(np.eye(D), 1, axis=1), "each entry learns the next entry"),
    "other-diagonal": (np.eye(D)[::-1], "in reverse order"),
    "first": (np.diag([1, 0, 0]), "the score of the other dimensions is driven to 0"),
    "first-two": (np.diag([1, 1, 0]), "the score of the other dimensions is driven to 0"),
    "not-last": (np.diag([1, 1, 0]), "the score of the last dimension is driven to 0"),
    "last": (np.diag([0, 0, 1]), "the score of the other dimensions is driven to 0"),
    "not-first": (np.diag([0, 1, 1]), "the score of the first dimension is driven to 0"),
    "squares": (0 * ONES, "the best score is 0 everywhere"),
    "square": (0 * ONES, "the best score is 0 everywhere"),
    "frobenius-squared": (0 * ONES, "the best score is 0 everywhere")}


@pytest.mark.parametrize("name", DIVERGENCES)
def test_a_wrong_divergence_has_the_minimiser_that_is_said(name):
    B, words = DIVERGENCES[name]
    learns("ism", f"divergence.{name}", B)
    assert words in effect("ism", f"divergence.{name}")
    if name not in ("squares", "square", "frobenius-squared"):
        learns("ssm_vr", f"divergence.{name}-exact", B)


@pytest.mark.parametrize("name", [name for name, (B, _) in DIVERGENCES.items() if B.any()])
def test_a_gradient_learns_the_nearest_one_and_not_a_wrong_divergence_itself(name):
    """tr A cov A' / 2 + tr B A', with a symmetric A: A cov + cov A = -(B + B')."""
    B, _ = DIVERGENCES[name]
    A = solve_continuous_lyapunov(COVARIANCE, -1.0 * (B + B.T))
    terms = alone("ism", f"divergence.{name}").terms

    def loss(A):
        return sum(np.mean(term.per_sample(Affine(case("ism"), A, -A @ MEAN))) for term in terms)

    for i, k in itertools.combinations_with_replacement(range(D), 2):
        e = np.zeros((D, D))
        e[i, k] = e[k, i] = 0.1
        assert loss(A + e) == pytest.approx(loss(A - e), rel=1e-9)
        assert loss(A + e) > loss(A)
    assert np.abs(A + B @ S).max() > 0.05
    assert effect("ism", f"divergence.{name}").endswith(", where the score need not be a gradient")


@pytest.mark.parametrize("name, learned", [
    ("fourth", lambda s: s / np.cbrt(4 * (s @ s))), ("fourth-powers", lambda s: np.cbrt(s / 4)),
    ("log-cosh", np.arctanh)])
def test_what_another_norm_learns_point_by_point_is_no_gradient(name, learned):
    x, h = np.array([0.3, -0.2, 0.4]), 1e-5
    J = np.stack([(learned(-S @ (x + e)) - learned(-S @ (x - e))) / (2 * h)
                  for e in h * np.eye(D)], axis=1)
    assert np.abs(J - J.T).max() > 0.01
    for other in (name, "norm", "largest", "huber"):
        assert ", where the score need not be a gradient" in effect("ism", f"norm.{other}")
    assert effect("ism", "norm.absolute") == (
        "an entry is 0 where the data's is short, and grows without end where it is long, where "
        "the score need not be a gradient")


@pytest.mark.parametrize("objective, identity, free, said", [
    *((objective, "dimensions.first", [[0, 0, 0], [0, 0, 1], [0, 1, 0]], "the other dimensions are "
       "not constrained, except through the parameters that dimensions share")
      for objective in ("ism", "dsm")),
    ("dsm", "square.of-sum", [[0, 1, -1], [1, -1, 0], [-1, 0, 1]],
     "only the sum over dimensions is constrained, not each entry by itself")])
def test_dimensions_constrain_others_through_parameters_that_they_share(objective, identity, free,
                                                                         said):
    """Of a symmetric precision: its first row, or the sums of its rows, are learned."""
    formula = alone(objective, identity)

    def loss(A):
        q = Affine(case(objective), A, -A @ MEAN)
        return sum(np.mean(term.per_sample(q)) for term in formula.terms)

    A = smoothed(0 if objective == "ism" else SIGMA)[0]
    shared = np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]])
    assert min(loss(A + shared), loss(A - shared)) > loss(A) + 0.01
    assert loss(A + np.array(free)) == pytest.approx(loss(A), rel=1e-12)
    assert formula.mistakes[0].effect == said


def test_an_angle_does_not_constrain_the_length_of_the_output():
    (term,), A = alone("esm", "square.cosine").terms, -S
    one, twice, other = (term.per_sample(Affine(case("esm"), B, -B @ MEAN)).mean()
                         for B in (A, 2 * A, A + ONES))
    assert one == pytest.approx(twice, abs=1e-12)
    assert other > one + 0.01
    assert effect("esm", "square.cosine") == (
        "only the direction of the output is constrained, not its length by itself")


@pytest.mark.parametrize("name", ["absolute", "absolutes", "squares", "square", "frobenius",
                                  "frobenius-squared", "of-square"])
def test_a_divergence_that_is_never_negative_is_said_to_be(name):
    _, term = alone("ism", f"divergence.{name}").terms
    for A in (S, -S, np.diag([1.0, -2.0, 0.7])):               # symmetric, of either sign
        assert (term.per_sample(Affine(case("ism"), A, MEAN)) >= 0).all()
    symmetric = "for a symmetric J " if name == "of-square" else ""
    assert effect("ism", f"divergence.{name}") == (
        f"{symmetric}it is never negative, so the best score is 0 everywhere: nothing is learned "
        "from the data")


def test_what_is_learned_without_a_derivative_of_the_score():
    learns("ism", "divergence.score", None, b=-np.ones(D), score=0 * ONES)
    assert "the constant -1" in effect("ism", "divergence.score")
    learns("ism", "divergence.product", None, b=np.zeros(D), score=-np.eye(D))
    assert "minus the point itself" in effect("ism", "divergence.product")


@pytest.mark.parametrize("objective, identity", [
    *(("ism", f"norm.{name}") for name in ("first", "first-two", "not-last", "last", "not-first",
                                           "of-sum", "of-mean", "linear", "product", "odd",
                                           "even", "of-entries")),
    ("ssm", "norm.not-squared-along"), ("esm", "square.linear"), ("dsm", "square.linear"),
    ("regularized", "norm.linear")])
def test_a_loss_that_is_said_to_be_unbounded_below_is(objective, identity):
    assert minimiser(alone(objective, identity), case(objective)) == "unbounded"
    assert "unbounded below" in effect(objective, identity)


@pytest.mark.parametrize("name", ["first", "first-two", "of-sum", "of-mean", "of-entries", "odd"])
def test_beside_a_penalty_what_the_norm_leaves_free_is_bounded(name):
    found = minimiser(alone("regularized", f"norm.{name}"), case("regularized"))
    assert isinstance(found, tuple) or found == "free"
    assert "only the penalty holds the score back" in effect("regularized", f"norm.{name}")


@pytest.mark.parametrize("objective, identity, times", [
    ("ssm", "directions.unit", 1), ("ssm", "norm.directions-unit", D),
    ("ssm", "divergence.directions-unit", 1 / D), ("ssm_vr", "divergence.directions-unit", 1 / D),
    ("ssm", "norm.lengths", 1 / D), ("ssm", "norm.variance-reduced", 1),
    ("ssm_vr", "norm.sliced", 1), ("ssm", "norm.entries-along", 1),
    ("ssm", "divergence.diagonal-along", 1), ("ssm", "divergence.exact", 1),
    ("ssm", "directions.sphere", 1), ("ssm", "directions.sign", 1),
    ("ssm", "directions.reshaped", 1), ("ssm", "directions.next-point", 1)])
def test_directions_have_the_minimiser_that_is_said(objective, identity, times):
    learns(objective, identity, times * np.eye(D))
    said = effect(objective, identity)
    if times == D:
        assert "d times the score" in said
    elif times != 1:
        assert "1 / d times the score" in said
    else:
        assert "same" in said or "harmless where all points have independent directions" == said


def test_directions_that_are_averaged_first_have_the_same_minimiser():
    """The mean over all pairs of sign vectors is 1 / M of the loss, with M = 2."""
    pairs = np.array([[v, w] for v in SIGNS3 for w in SIGNS3])
    x = np.broadcast_to(MEAN + np.array([0.7, -1.1, 0.4]), (64, 3))
    given = Case("own/0", "own", "ssm", "gaussian", {}, {"x": x, "directions": pairs}, {})
    q, A = Affine(given, ONES - 3 * S, MEAN), ONES - 3 * S
    psi = A @ x[0] + MEAN
    value = sum(np.mean(term.per_sample(q)) for term in alone("ssm", "directions.mean").terms)
    assert np.isclose(value, (psi @ psi / 2 + np.trace(A)) / 2, rtol=1e-13)
    assert "1 / M of the loss" in effect("ssm", "directions.mean")


@pytest.mark.parametrize("identity", ["divergence.sum-of-Jv", "divergence.sum-of-vJ",
                                      "divergence.score-along"])
def test_what_averages_out_over_directions_learns_nothing(identity):
    learns("ssm_vr", identity, 0 * ONES)
    assert "averages to 0, so the best score is 0 everywhere" in effect("ssm_vr", identity)


def smoothed(width, times=1.0):
    """times the score of the Gaussian smoothed with a width, as (A, b)."""
    A = -times * np.linalg.inv(COVARIANCE + width**2 * np.eye(D))
    return A, -A @ MEAN


POINTS = {"x + sigma^2 noise": SIGMA, "x + noise": 1 / SIGMA, "x - sigma noise": -1,
          "x + sqrt(sigma) noise": SIGMA**-0.5, "x + 2 sigma noise": 2,
          "x + sigma noise / 2": 0.5, "x + noise / sigma": SIGMA**-2}


@pytest.mark.parametrize("point", POINTS)
def test_a_score_read_at_another_noise_learns_the_multiple_that_is_said(point):
    k = POINTS[point]
    A, b = smoothed(k * SIGMA, k)
    learns("dsm", f"point.{point}", None, b, A)
    A, b = smoothed(k * SIGMA, k * k)
    learns("dsm", f"noisy.{point}", None, b, A)
    said = effect("dsm", f"point.{point}")
    learned = f"the score of the data with noise of standard deviation {WIDTHS[point]} is learned"
    assert learned in said
    assert said.startswith(TIMES[point])
    if k == -1:
        assert "the energy is learned upside down" in said
        assert "the same loss in expectation" in effect("dsm", f"noisy.{point}")
    else:
        assert learned in effect("dsm", f"noisy.{point}")


WIDTHS = {"x + sigma^2 noise": "sigma^2", "x + noise": "1", "x - sigma noise": "sigma",
          "x + sqrt(sigma) noise": "sqrt(sigma)", "x + 2 sigma noise": "2 sigma",
          "x + sigma noise / 2": "sigma / 2", "x + noise / sigma": "1 / sigma"}
TIMES = {"x + sigma^2 noise": "sigma times", "x + noise": "1 / sigma times",
         "x - sigma noise": "minus", "x + sqrt(sigma) noise": "1 / sqrt(sigma) times",
         "x + 2 sigma noise": "2 times", "x + sigma noise / 2": "half",
         "x + noise / sigma": "1 / sigma^2 times"}


def test_targets_have_the_conditional_mean_that_is_said():
    learns("dsm", "point.x", None, np.zeros(D), 0 * ONES)
    assert "the target averages to 0" in effect("dsm", "point.x")
    learns("dsm", "target.without-clean", None, np.zeros(D), -np.eye(D) / SIGMA**2)
    assert "minus the point over sigma^2" in effect("dsm", "target.without-clean")
    gain = COVARIANCE @ np.linalg.inv(COVARIANCE + SIGMA**2 * np.eye(D))      # E[x | x_noisy]
    offset = MEAN - gain @ MEAN
    learns("dsm", "target.without-noisy", None, offset / SIGMA**2, gain / SIGMA**2)
    learns("dsm", "target.sum", None, offset / SIGMA**2, (gain + np.eye(D)) / SIGMA**2)
    learns("dsm", "pairs.all", None, np.zeros(D), 0 * ONES)
    learns("esm", "target.normal", None, np.zeros(D), -np.eye(D))
    learns("esm", "pairs.all", None, np.zeros(D), 0 * ONES)


@pytest.mark.parametrize("objective, identity", [
    *(("dsm", f"dimensions.{name}") for name in ("first", "first-two", "not-last", "last",
                                                 "not-first", "odd", "even")),
    ("dsm", "square.of-entries"), ("dsm", "square.of-all"), ("ism", "norm.of-all"),
    ("dsm", "square.of-sum"), ("dsm", "square.of-mean"), ("dsm", "square.variance"),
    ("ism", "norm.variance"), ("esm", "dimensions.first"),
    ("ism", "dimensions.first"), ("ism", "dimensions.not-last"),
    ("regularized", "dimensions.first-two"), ("regularized", "norm.of-all")])
def test_what_is_said_to_be_not_constrained_is_free(objective, identity):
    formula = alone(objective, identity)
    assert minimiser(formula, case(objective)) == "free"
    assert "constrained" in effect(objective, identity)


@pytest.mark.parametrize("identity, B", [
    ("first", ONES * [1, 0, 0]), ("middle", ONES / D)])
def test_one_column_of_the_target_is_learned_in_every_dimension(identity, B):
    A, _ = smoothed(SIGMA)
    learns("dsm", f"target.{identity}-entry", None, -B @ A @ MEAN, B @ A)
    which = "mean" if identity == "middle" else identity
    assert effect("dsm", f"target.{identity}-entry") == (
        f"every entry learns the {which} entry of the score{FREE}")
    assert effect("dae", f"target.{identity}-entry") == (
        f"every entry learns the {which} entry of the reconstruction")


def is_least(loss, u):
    """Whether a quadratic loss is least at u."""
    for e in 0.1 * np.eye(len(u)):
        assert loss(u + e) == pytest.approx(loss(u - e), rel=1e-9)
        assert loss(u + e) > loss(u)


def test_one_column_of_the_output_learns_the_mean_of_all_entries():
    def loss(first, others=0.0):                               # an entry: three weights, offset
        B = np.vstack([first, np.full((2, 4), others)])
        q = Affine(case("dsm"), B[:, :3], B[:, 3])
        return sum(np.mean(term.per_sample(q)) for term in alone("dsm", "output.first-entry").terms)

    weights = smoothed(SIGMA)[0].mean(axis=0)
    best = np.append(weights, -weights @ MEAN)
    is_least(loss, best)
    assert loss(best, 7.0) == pytest.approx(loss(best), rel=1e-12)
    assert effect("dsm", "output.first-entry") == (
        "the first entry learns the mean of all entries of the right score; the others have no "
        "gradient")


def test_one_term_at_the_clean_point_has_the_minimiser_that_is_said():
    """N(0, 1) and N(0, 1 + sigma^2): the derivative along u of each loss is 0 at its minimiser."""
    t, w = np.polynomial.hermite_e.hermegauss(60)
    w, width = w / w.sum(), np.sqrt(1 + SIGMA**2)
    z, ratio = width * t, width * np.exp(-(width**2 - 1) * t**2 / 2)     # q / q_sigma at z
    x, e = t[:, None], t[None]
    for u, slope in ((np.sin, np.cos), (lambda a: a**3, lambda a: 3 * a**2)):
        tweedie = w @ (u(x + SIGMA * e) * -e / SIGMA) @ w
        noisy = w @ (-z / width**2 * u(z))                   # q psi = q_sigma times its score
        assert noisy == pytest.approx(tweedie) == pytest.approx(-w @ slope(z))
        assert w @ u(t) * (w @ t) == pytest.approx(0)                    # E u(x).g
        assert w @ (ratio * -z * u(z)) == pytest.approx(-w @ slope(t))
        assert w @ (ratio * z * u(z)) == pytest.approx(w @ (t * u(t)))
    *norms, dsm, parzen_esm, divergence, product = (
        effect(objective, f"{role}.at-x") for objective, role in (
            ("dsm", "norm"), ("parzen_esm", "norm"), ("parzen_ism", "norm"), ("dae", "output"),
            ("dsm", "cross"), ("parzen_esm", "cross"), ("parzen_ism", "divergence"),
            ("dae", "product")))
    assert set(norms) == {"what is learned is multiplied by the density of the noisy points over "
                          "that of the clean ones" + FREE}
    assert dsm.endswith("the target averages to 0: nothing is learned from the data")
    assert parzen_esm == ""                                    # its target does not average to 0
    assert divergence == ("the score of the clean points is learned, times their density over that "
                          "of the noisy ones" + FREE)
    assert product == ("the point itself is learned, times the density of the clean points over "
                       "that of the noisy ones" + FREE)


NOISE = 3 * np.random.default_rng(5).normal(size=(7, D))
G, CLEAN = -NOISE / SIGMA, 5 - SIGMA * NOISE                   # of noisy points (5, 5, 5)
GIVEN = "the mean of the {} given the clipped point is learned"
CLIPPED = [
    *(("dsm", f"target.clipped{step}", 5, np.clip(G, -t, t),
       "the mean of the clipped target is learned" + FREE)
      for t, step in ((1, ""), (3, "-3"), (5, "-5"))),
    *(("dsm", f"both.clipped{step}", 5, np.clip(G, -t, t), "the mean of the clipped target is "
       f"learned{FREE}; an entry of the output outside (-{t}, {t}) has no gradient")
      for t, step in ((1, ""), (3, "-3"), (5, "-5"))),
    *(("dsm", f"clipped.{low}-{at}", at, G, GIVEN.format("score"))
      for low, at in ((0, 1), (-1, 1), (-3, 3))),
    *(("dsm", f"noisy.x_noisy clipped to ({low}, {at})", at, (CLEAN - at) / SIGMA**2,
       "the mean step from the clipped point to the clean one, over sigma^2, is learned, which is "
       "no score") for low, at in ((0, 1), (-1, 1), (-3, 3))),
    ("esm", "clipped.-1-1", 1, G, GIVEN.format("score")),
    ("dae", "clipped.-3-3", 3, (CLEAN - 3) / SIGMA**2, GIVEN.format("clean point")),
    ("noise_prediction", "clipped.0-1", 1, G, GIVEN.format("noise"))]


@pytest.mark.parametrize("objective, identity, at, targets, said", CLIPPED)
def test_what_is_clipped_has_the_mean_that_is_said(objective, identity, at, targets, said):
    """All points are one, read at (at, at, at): the score -(x - mean) is u with the mean at + u."""
    def loss(u):
        theta, five = {"mean": at + u, "precision": np.eye(D)}, np.full((7, D), 5.0)
        arrays = {"x": five if objective == "esm" else CLEAN, "x_noisy": five, "noise": NOISE,
                  "data_score": G, "alpha": np.ones(7), "sigma": np.full(7, SIGMA)}
        hyper = {"sigma": SIGMA}
        if objective != "noise_prediction":
            del arrays["sigma"]
        q = Quantities(Case("own/0", "own", objective, "gaussian", theta, arrays, hyper))
        return sum(np.mean(term.per_sample(q)) for term in alone(objective, identity).terms)

    is_least(loss, targets.mean(axis=0))
    assert effect(objective, identity) == said


def test_the_mean_of_a_clipped_target_is_no_gradient():
    """E clip(g_i) has the slope P(|g_i| < 1) in the mean of g_i, a normal variable."""
    A, b = smoothed(SIGMA)
    sd = np.sqrt(np.diag(np.eye(D) / SIGMA**2 + A))            # of g, given the noisy point
    m = A @ [0.3, -0.2, 1.4] + b
    J = (norm.cdf((1 - m) / sd) - norm.cdf((-1 - m) / sd))[:, None] * A
    assert np.abs(J - J.T).max() > 1e-3


@pytest.mark.parametrize("t", [1, 3, 5])
def test_an_output_outside_the_bounds_where_it_is_clipped_has_no_gradient(t):
    a = t * np.array([-1.7, -0.3, 0.9, 1.2])
    assert (clipped(a + 0.05 * t, t) != clipped(a, t)).tolist() == [False, True, True, False]
    assert effect("dsm", f"output.clipped{f'-{t}' * (t > 1)}") == (
        f"an entry of the output outside (-{t}, {t}) has no gradient")


@pytest.mark.parametrize("identity", ["norm.clipped-1", "norm.clipped-3", "norm.clipped-5",
                                      "clipped.0-1"])
def test_only_a_penalty_bounds_an_implicit_loss_of_what_is_clipped(identity):
    """psi = k times the score of N(mean, S^-1); psi = -tanh(k x), half of it clipped to 0."""
    tanh = {"A": -np.eye(D), "b": np.zeros(D), "c": np.zeros(D)}
    x = np.random.default_rng(3).uniform(-1, 1, (64, D))       # hardly two are clipped to one

    def loss(objective, k):
        given = case(objective)
        q = Affine(given, -k * S, k * S @ MEAN) if identity.startswith("norm") else Quantities(
            replace(given, model="tanh", theta={**tanh, "B": k * np.eye(D)}, arrays={"x": x}))
        return sum(np.mean(term.per_sample(q)) for term in alone(objective, identity).terms)

    few, more, many = (loss("ism", k) for k in (10.0, 100.0, 1000.0))
    assert many < 5 * more < 25 * few < 0
    few, more, many = (loss("regularized", k) for k in (10.0, 100.0, 1000.0))
    assert many > 5 * more > 25 * few > 0
    on_bounds = "where clipped points lie, the score can be 0 and ever steeper, so "
    assert effect("ism", identity) == (
        (on_bounds if identity == "clipped.0-1" else "")
        + "the loss is unbounded below: what is learned grows without end")
    assert effect("regularized", identity).startswith("only the penalty holds the score back")


def test_a_triangle_of_the_weights_predicts_a_bit_from_those_on_one_side():
    x = np.array([[1.0, 0, 1, 0, 1]])
    for name, others in (("upper", "before"), ("lower", "after")):
        row = next(m for f in formulas("pseudo", "boltzmann") for m in f.mistakes
                   if m.id == f"gap.{name}-triangle")
        moved = x.copy()
        moved[0, 3 if others == "before" else 1] = 1.0          # the bits on the other side of it
        gaps = [row.formula(Quantities(Case("own/0", "own", "pseudo", "boltzmann", {
            "W": np.ones((5, 5)) - np.eye(5), "b": np.ones(5)}, {"x": of}, {})))[0, 2]
            for of in (x, moved)]
        assert gaps[0] == gaps[1] == 2.0
        assert f"those {others} it alone" in row.effect


@pytest.mark.parametrize("objective, f, more", [
    ("pseudo", lambda u: -np.log(1 - u), lambda u: 0.05 * np.log(1 / u - 1)),
    ("ratio", lambda u: u**2, lambda u: -0.1 * u)])
def test_smoothed_labels_draw_probabilities_towards_a_half(objective, f, more):
    p, q, t = np.linspace(1e-5, 1 - 1e-5, 100001), 0.7, 0.05
    loss = q * (f(1 - p) + more(1 - p)) + (1 - q) * (f(p) + more(p))
    assert p[loss.argmin()] == pytest.approx(q + t * (1 - 2 * q), abs=1e-4)
    (said,) = {m.effect for g in formulas(objective, "boltzmann") for m in g.mistakes
               if "gap" in m.id and m.role == "extra"}
    assert said.endswith("drawn towards 1 / 2")


def test_a_number_under_the_logarithm_pushes_probabilities_from_a_half():
    g, q = np.linspace(-30, 30, 600001), 0.7
    p = 1 / (1 + np.exp(-g))
    for t in (1e-4, 1e-3, 0.01):
        least = p[(-q * np.log(p + t) - (1 - q) * np.log(1 - p + t)).argmin()]
        assert least == pytest.approx(q + t * (2 * q - 1), abs=1e-4)
        said = next(m.effect for f in formulas("pseudo", None) for m in f.mistakes
                    if m.id == f"join.log-plus-{t:g}")
        assert said.endswith(f"q + {t:g} (2 q - 1) for q")


@pytest.mark.parametrize("objective, width", [("dsm", SIGMA), ("parzen_ism", SIGMA), ("ssm", 0),
                                              ("ism", 0)])
def test_an_extra_term_pulls_the_right_minimiser_away(objective, width):
    theta = {"mean": MEAN, "precision": -smoothed(width)[0]}
    right, compared = replace(case(objective), theta=theta), ("output - target", "output, target")
    extras = [f for f in formulas(objective, "gaussian") if f.mistakes[:1] and
              f.mistakes[0].role == "extra" and not any(of in f.mistakes[0].id for of in compared)]
    for formula in extras:
        assert np.abs(term_gradient(right, formula.terms[-1])["precision"]).max() > 0.1
        assert formula.mistakes[0].effect == "the minimiser is pulled away by the extra term"
    assert len(extras) == {"dsm": 11, "parzen_ism": 10, "ssm": 7, "ism": 6}[objective]


def test_an_extra_term_of_output_and_target_is_least_at_the_average_that_is_said():
    e = np.random.default_rng(5).normal(size=(7, D))
    target = MEAN + np.concatenate([e, -e])
    given = Case("own/0", "own", "esm", "gaussian", {}, {"x": 0 * target, "data_score": target}, {})
    direction = (target / np.sqrt((target * target).sum(axis=1, keepdims=True))).mean(axis=0)
    for name, best, said in (("|output - target|_1", MEAN, ANOTHER_MEAN),
                             ("(1 - cos(output, target))", direction,
                              "the output is pulled towards the target's mean direction")):
        *_, extra = alone("esm", f"extra.{name}").terms
        losses = [extra.per_sample(Affine(given, 0 * ONES, u)).mean()
                  for u in (best, *(best + 0.5 * SIGNS3))]
        assert min(losses[1:]) > losses[0]
        assert effect("esm", f"extra.{name}") == said


@pytest.mark.parametrize("s", [np.array([0.3, -0.2, 0.5]), np.array([1.4, -2.2, 0.9]),
                               np.array([0.9, 0.8, 0.2])])
def test_other_norms_have_the_minimiser_that_is_said_at_every_point(s):
    f = {name: lambda r, f=f: float(np.mean(f(r[None]))) for name, _, _, f, _, _ in SQUARES}
    grid = np.linspace(-6, 6, 61)
    psi = np.stack(np.meshgrid(grid, grid, grid), axis=-1).reshape(-1, 3)
    direction = s / np.sqrt(s @ s)
    long = 1e6 * direction                       # |psi| - psi.s: 0 at most, or without end
    assert (f["norm"](long) - long @ s < -1e5) == (np.sqrt(s @ s) > 1)
    values = np.sqrt((psi * psi).sum(axis=1)) - psi @ s
    assert (values.min() < 0) == (np.sqrt(s @ s) > 1)
    long = 1e6 * np.sign(s) * (np.abs(s) > 1)
    assert (f["absolute"](long) - long @ s < -1e5) == (np.abs(s).max() > 1)
    assert ((np.abs(psi).sum(axis=1) - psi @ s).min() < 0) == (np.abs(s).max() > 1)
    best = direction * np.cbrt(np.sqrt(s @ s) / 4)
    assert all(f["fourth"](best) - best @ s <= f["fourth"](best + e) - (best + e) @ s
               for e in 0.01 * SIGNS3)
    best = np.cbrt(s / 4)
    assert all(f["fourth-powers"](best) - best @ s <= f["fourth-powers"](best + e) - (best + e) @ s
               for e in 0.01 * SIGNS3)
    best = np.sign(s) * np.abs(s).sum() / 2
    assert all(f["largest"](best) - best @ s <= f["largest"](best + e) - (best + e) @ s
               for e in 0.01 * np.vstack([SIGNS3, np.eye(3), -np.eye(3)]))
    if np.abs(s).max() < 1:
        for name, best in (("huber", s), ("log-cosh", np.arctanh(s))):
            assert all(f[name](best) - best @ s <= f[name](best + e) - (best + e) @ s
                       for e in 0.01 * SIGNS3)
    else:
        for name in ("huber", "log-cosh"):
            along = 1e6 * np.sign(s) * (np.abs(s) > 1)
            assert f[name](along) - along @ s < -1e5
    tiny = 1e-80 * direction
    assert f["log"](tiny) < -300


@pytest.mark.parametrize("f", [f for name, _, _, f, effect, *_ in (*SQUARES, *ROBUST)
                               if effect in (ANOTHER_MEAN, MEDIAN)])
def test_another_average_of_a_symmetric_target_is_its_mean(f):
    e = np.random.default_rng(5).normal(size=(7, 3))
    target = MEAN + np.concatenate([e, -e])
    for step in (*0.01 * SIGNS3, *3.0 * SIGNS3):
        assert f(MEAN - target).mean() <= f(MEAN + step - target).mean() + 1e-14


def test_a_control_variate_keeps_the_expectation_and_its_gradient_varies_less_at_small_noise():
    """psi = theta 4 (tanh(4 x) - x), at theta = 1 the score of 1/2 N(-1, 1/4) + 1/2 N(1, 1/4)."""
    def score(x):
        return 4 * (np.tanh(4 * x) - x)

    eps, w = np.polynomial.hermite_e.hermegauss(60)
    w, sigma = w / w.sum(), 0.005
    for x in (-1.3, 0.1, 0.7):
        psi, g = score(x + sigma * eps), -eps / sigma
        assert ((psi - g)**2 / 2 + score(x) * g) @ w == pytest.approx((psi - g)**2 / 2 @ w)
        plain, variate = psi * (psi - g), psi * (psi - g) + score(x) * g       # d / d theta
        assert variate @ w == pytest.approx(plain @ w)
        assert (variate - variate @ w)**2 @ w < 0.05 * ((plain - plain @ w)**2 @ w)


@pytest.mark.parametrize("t", [1, 3, 5])
def test_an_entry_of_the_residual_that_is_clipped_has_no_gradient(t):
    (f, said), = [(f, effect) for name, _, _, f, effect in ROBUST if name == f"clipped-{t}"]
    r = t * np.array([[1.2, -1.5, 0.7]])
    assert f(r + t * np.array([[0.3, -0.4, 0.0]])) == f(r)
    assert f(r + np.array([[0.0, 0.0, 1e-3]])) != f(r)
    assert said == f"an entry that is off by more than {t} has no gradient"


@pytest.mark.parametrize("name, kept", [
    ("middle", [2]), ("largest", [1]), ("smallest", [5]), ("trimmed-20", [0, 2, 3, 4, 6]),
    ("kept-50", [3, 5, 6])])
def test_a_point_whose_loss_is_not_kept_has_no_gradient(name, kept):
    """Losses of seven points are 5.5, 7.5, 4.5, 2.5, 6.5, 1.5 and 3.5, and psi = (l, 0, 0)."""
    def value(lengths):
        x = np.zeros((7, 3))
        given = Case("own/0", "own", "esm", "gaussian", {}, {"x": x, "data_score": x}, {})
        q = Affine(given, 0 * ONES, np.sqrt(2 * lengths)[:, None] * [1, 0, 0])
        (term,) = alone("esm", f"points.{name}").terms
        return float(np.mean(term.per_sample(q)))

    losses = np.array([5.5, 7.5, 4.5, 2.5, 6.5, 1.5, 3.5])
    moved = [k for k in range(7) if abs(value(losses + 0.1 * (np.arange(7) == k))
                                        - value(losses)) > 1e-9]
    assert moved == kept
    said = "the points whose losses are left out have no gradient"
    assert effect("esm", f"points.{name}") == said


GAPS = {"exp": 0.5, "flow": 1.0, "cube": 0.5, "pseudo": 1.0, "ratio": 1.0}


def test_functions_of_a_gap_learn_the_multiple_of_the_energy_that_is_said():
    g, q = np.linspace(-30, 30, 60001), 0.7
    for name, _, f, _, said in FUNCTIONS:
        loss = q * f(g) + (1 - q) * f(-g)
        least = g[loss.argmin()]
        if name in GAPS:
            assert least == pytest.approx(GAPS[name] * np.log(q / (1 - q)), abs=1e-3), name
            assert ("half of the energy" in said) == (GAPS[name] == 0.5)
        elif "least where all points are equally probable" in said or name == "hinge":
            assert loss.min() == pytest.approx(f(np.zeros(1))[0] * (q + 1 - q)), name
        elif "driven to 0 or 1" in said:
            assert abs(least) > 25, name
        elif "unbounded below" in said:
            assert loss.min() == min(loss[0], loss[-1]), name
        else:
            assert said == "", name


# what a report says of a mistake must be one of these, or be established above
CHECKED_ELSEWHERE = ("variance", "harmless", "gets no gradient", "not trained", "pulled away",
                     "the same minimiser", "the minimiser is the same", "unbiased")


def test_every_mistake_of_implicit_losses_is_established_or_says_nothing_of_a_multiple():
    """No row may claim a minimiser that no test above has: the names are held together."""
    held = {f"divergence.{name}" for name in DIVERGENCES} | {"divergence.score",
                                                             "divergence.product"}
    for formula in formulas("ism", "gaussian"):
        for mistake in formula.mistakes:
            claims = "learn" in mistake.effect or "driven" in mistake.effect
            if claims and mistake.role == "divergence" and "best score is 0" not in mistake.effect:
                assert mistake.id in held
    for objective in ("dsm", "esm", "ism", "ssm"):
        for model in model_names(objective):
            for formula in formulas(objective, model):
                for mistake in formula.mistakes:
                    same = mistake.same
                    assert not same or any(word in mistake.effect for word in (
                        *CHECKED_ELSEWHERE, "same")), mistake.id
