"""Effects of rows of Parzen targets, levels, penalties and hidden units, by minimisers.

Points, noise and levels are enumerated with equal weights, so that a mean over them is the exact
expectation; the minimiser of a square is then the conditional mean, found by grouping.
"""
import itertools
from dataclasses import replace

import numpy as np
import pytest

from refsm.verify.cases import cases
from refsm.verify.cases.case import Case
from refsm.verify.cases.quantities import Quantities
from refsm.verify.mistakes import formulas
from refsm.verify.mistakes.residual import HIDDEN
from refsm.verify.mistakes.targets import EXPONENTS
from refsm.verify.objectives import OBJECTIVES

SIGMA, D = 0.7, 3
RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(7, D)), RNG.normal(size=(7, D))
THETA = {"mean": np.zeros(D), "precision": np.eye(D)}


def parzen_score(points, data, bandwidth):
    """The score of the Parzen density, written from its definition."""
    apart = data[None] - points[:, None]
    p = np.exp(-(apart**2).sum(axis=2) / (2 * bandwidth**2))
    return (p[:, :, None] * apart).sum(axis=1) / p.sum(axis=1)[:, None] / bandwidth**2


PARZEN = Case("own/0", "own", "parzen_esm", "gaussian", THETA,
              {"x": X, "x_noisy": Y, "noise": (Y - X) / SIGMA}, {"sigma": SIGMA})


class Given(Quantities):
    """The local quantities of a score that is given at every point of the objective."""

    def __init__(self, case, psi):
        super().__init__(case)
        self.given = psi

    def psi(self, point=None):
        return self.given

    def prediction(self):
        return self.given


def least(formula, case):
    """The output at every point where the squared error of a formula is least: its target."""
    shape = case.arrays["x_noisy"].shape
    zero, out = Given(case, np.zeros(shape)), np.zeros(shape)
    norm, product = formula.terms
    half = norm.per_sample(Given(case, np.ones(shape))) / D           # a of a |psi|^2
    for i in range(D):
        e = np.zeros(shape)
        e[..., i] = 1
        slope = product.per_sample(Given(case, e)) - product.per_sample(zero)
        out[..., i] = -slope / (2 * half)
    return out


def alone(objective, identity):
    return next(f for f in formulas(objective, "gaussian")
                if [m.id for m in f.mistakes] == [identity])


def effect(objective, identity):
    return alone(objective, identity).mistakes[0].effect


TIMES = {"no-half": ("half", 0.5, "sigma / sqrt(2)"), "no-two": ("2 times", 2, "sqrt(2) sigma"),
         "sigma": ("1 / sigma times", 1 / SIGMA, "sqrt(sigma)"),
         "sigma-4": ("sigma^2 times", SIGMA**2, "sigma^2"),
         "one": ("1 / sigma^2 times", SIGMA**-2, "1")}
WIDTH = {"sigma / sqrt(2)": SIGMA / 2**0.5, "sqrt(2) sigma": 2**0.5 * SIGMA,
         "sqrt(sigma)": SIGMA**0.5, "sigma^2": SIGMA**2, "1": 1.0}


@pytest.mark.parametrize("name", [row[0] for row in EXPONENTS])
def test_a_wrong_exponent_learns_the_multiple_of_another_bandwidth_that_is_said(name):
    words, times, width = TIMES[name]
    identity = f"target.exponent-{name}"
    expected = times * parzen_score(Y, X, WIDTH[width])
    assert np.allclose(least(alone("parzen_esm", identity), PARZEN), expected, rtol=1e-11)
    assert effect("parzen_esm", identity) == (
        f"{words} the score of the Parzen density of bandwidth {width} is learned")


@pytest.mark.parametrize("name, width", [("bandwidth-variance", SIGMA**2), ("bandwidth-one", 1.0),
                                         ("bandwidth-root", SIGMA**0.5),
                                         ("no-half", SIGMA / 2**0.5)])
def test_another_bandwidth_learns_the_score_of_its_density(name, width):
    found = least(alone("parzen_esm", f"target.{name}"), PARZEN)
    assert np.allclose(found, parzen_score(Y, X, width), rtol=1e-11)
    assert effect("parzen_esm", f"target.{name}") == (
        "the score of the Parzen density of that bandwidth is learned")


def test_targets_of_the_parzen_density_are_what_is_said():
    def learned(name):
        return least(alone("parzen_esm", f"target.{name}"), PARZEN)

    assert np.allclose(learned("at-clean"), parzen_score(X, X, SIGMA), rtol=1e-11)
    assert "the score at the clean points" in effect("parzen_esm", "target.at-clean")
    others = [parzen_score(Y[[k]], np.delete(X, k, axis=0), SIGMA)[0] for k in range(7)]
    assert np.allclose(learned("without-own"), others, rtol=1e-11)
    assert "of the other points" in effect("parzen_esm", "target.without-own")
    way = (X.mean(axis=0) - Y) / SIGMA**2
    assert np.allclose(learned("equal"), way, rtol=1e-11)
    assert "the step to the mean of the data" in effect("parzen_esm", "target.equal")
    nearest = X[((Y[:, None] - X[None])**2).sum(axis=2).argmin(axis=1)]
    assert np.allclose(learned("nearest"), (nearest - Y) / SIGMA**2, rtol=1e-11)
    assert "the step to the nearest point" in effect("parzen_esm", "target.nearest")


def test_a_score_read_at_the_clean_point_learns_the_mean_over_its_noisy_points():
    """psi(x_k) is compared with the Parzen score at every noisy point of x_k."""
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=D)))
    targets = np.array([parzen_score(x + SIGMA * signs, X, SIGMA) for x in X])      # (7, 8, d)
    arrays = {"x": np.repeat(X, 8, axis=0), "noise": np.tile(signs, (7, 1))}
    arrays["x_noisy"] = arrays["x"] + SIGMA * arrays["noise"]
    many = Case("own/1", "own", "parzen_esm", "gaussian", THETA, arrays, {"sigma": SIGMA})
    norm, product = alone("parzen_esm", "point.x").terms

    def loss(psi):
        q = Given(many, np.repeat(psi, 8, axis=0))
        return norm.per_sample(q).mean() + product.per_sample(q).mean()

    best = targets.mean(axis=1)
    assert all(loss(best) < loss(best + step) for step in 0.1 * RNG.normal(size=(7, 7, D)))
    assert effect("parzen_esm", "point.x") == ("what is learned at a point is the mean of the "
                                               "Parzen score over the noisy points that belong to "
                                               "it")


# -- levels ---------------------------------------------------------------------------------------

LEVEL_OBJECTIVES = ["dsm_levels", "noise_prediction", "clean_prediction", "velocity_prediction",
                    "flow_prediction"]
A, S = np.array([0.9, 0.4]), np.array([0.5, 1.1])


def by_formula(kind, x, noise, a, s):
    """What an output of each kind should be, from x, noise and the level."""
    return {"score": -noise / s, "noise": noise, "clean": x, "velocity": a * noise - s * x,
            "flow": noise - x}[kind]


def level_case(objective, n=7):
    rng = np.random.default_rng(3)
    x, noise = rng.normal(size=(2, n, D))
    at = np.arange(n) % 2
    a, s = A[at], S[at]
    arrays = {"x": x, "noise": noise, "alpha": a, "sigma": s,
              "x_noisy": a[:, None] * x + s[:, None] * noise}
    return Case("own/2", "own", objective, "gaussian", THETA, arrays, {})


@pytest.mark.parametrize("objective", LEVEL_OBJECTIVES)
@pytest.mark.parametrize("other", ["score", "noise", "clean", "velocity", "flow"])
def test_a_target_of_another_kind_is_what_is_learned(objective, other):
    own = OBJECTIVES[objective].predicts or "score"
    if other == own:
        return
    case = level_case(objective)
    c = case.arrays
    expected = by_formula(other, c["x"], c["noise"], c["alpha"][:, None], c["sigma"][:, None])
    for sign, minus in ((1, ""), (-1, "minus")):
        identity = f"kind.{minus}{other}"
        assert np.allclose(least(alone(objective, identity), case), sign * expected, rtol=1e-11)
        assert effect(objective, identity).startswith(
            f"what is learned is {minus}{' ' if minus else ''}the {other}")


WHOSE = {"next": [1, 2, 3, 4, 5, 6, 0], "before": [6, 0, 1, 2, 3, 4, 5],
         "reversed": [6, 5, 4, 3, 2, 1, 0], "first": [0] * 7, "last": [6] * 7}


@pytest.mark.parametrize("name", WHOSE)
@pytest.mark.parametrize("objective", ["dsm_levels", "velocity_prediction"])
def test_a_target_of_another_level_is_right_where_the_levels_agree_alone(objective, name):
    case = level_case(objective)
    c, kind = case.arrays, OBJECTIVES[objective].predicts or "score"
    for what in ("level", "sigma", "alpha") if kind == "score" else ("level",):
        a, s = (c[part][WHOSE[name] if what in ("level", part) else slice(None)][:, None]
                for part in ("alpha", "sigma"))
        expected = ((a * c["x"] - c["x_noisy"]) / s**2 if kind == "score"
                    else by_formula(kind, c["x"], c["noise"], a, s))
        identity = f"level.{name}" if what == "level" else f"level.{what}-{name}"
        found = least(alone(objective, identity), case)
        assert np.allclose(found, expected, rtol=1e-11)
        right = np.isclose(found, least(OBJECTIVES[objective], case)).all(axis=1)
        agree = (a == c["alpha"][:, None]) & (s == c["sigma"][:, None])
        assert (right == agree[:, 0]).all()
        assert effect(objective, identity) == (
            "wherever the other level differs from the right one, another output is learned")


@pytest.mark.parametrize("name, times", [("over-sigma", S), ("difference", S**2), ("minus", -1.0)])
def test_a_target_that_is_off_by_a_function_of_the_level_is_learned_so(name, times):
    case = level_case("dsm_levels")
    own = -case.arrays["noise"] / case.arrays["sigma"][:, None]
    of_point = np.broadcast_to(times, (2,))[np.arange(7) % 2][:, None]
    found = least(alone("dsm_levels", f"target.{name}"), case)
    assert np.allclose(found, of_point * own, rtol=1e-11)
    said = effect("dsm_levels", f"target.{name}")
    assert ("a factor that depends on the level" in said) == (name != "minus")
    assert ("upside down" in said) == (name == "minus")


@pytest.mark.parametrize("objective", LEVEL_OBJECTIVES)
def test_all_pairs_learn_an_nth_of_the_target_and_the_mean_of_all(objective):
    case = level_case(objective)
    c, kind = case.arrays, OBJECTIVES[objective].predicts or "score"
    target = by_formula(kind, c["x"], c["noise"], c["alpha"][:, None], c["sigma"][:, None])
    found = least(alone(objective, "pairs.all"), case)
    others = (target.sum(axis=0) - target) / 7
    assert np.allclose(found, target / 7 + others, rtol=1e-11)
    learned = OBJECTIVES[objective].learned
    rest = ", which averages to 0" if learned == "score" else ""
    assert effect(objective, "pairs.all") == (
        f"1 / n of the right {learned} is learned; the rest is the mean of all targets{rest}")


@pytest.mark.parametrize("identity", ["target.next", "target.before"])
@pytest.mark.parametrize("objective", LEVEL_OBJECTIVES)
def test_a_target_of_another_point_is_independent_of_the_output(objective, identity):
    case = level_case(objective)
    c, kind = case.arrays, OBJECTIVES[objective].predicts or "score"
    target = by_formula(kind, c["x"], c["noise"], c["alpha"][:, None], c["sigma"][:, None])
    step = -1 if identity.endswith("next") else 1
    assert np.allclose(least(alone(objective, identity), case), np.roll(target, step, axis=0),
                       rtol=1e-11)
    assert "the mean of all targets" in effect(objective, identity)


def test_several_scores_at_the_clean_point_have_targets_that_average_to_0():
    one = cases("multi_level", "prime", model="gaussian")[5]
    product = alone("multi_level", "point.x").terms[1]
    both = [product.per_sample(Quantities(replace(one, arrays={
        **one.arrays, "noise": sign * one.noise, "x_noisy": one.alpha[:, None, None] * one.x
        + sign * one.sigma[:, None, None] * one.noise}))) for sign in (1, -1)]
    assert np.abs(both[0]).min() > 1e-3
    assert np.allclose(both[0], -both[1], rtol=1e-9)       # and only |psi|^2 is left
    assert effect("multi_level", "point.x") == effect("dsm", "point.x")


def test_the_noise_of_another_level_averages_to_0_at_every_noisy_point():
    """The noise of the next level is as likely as its negative, whatever this level's point is."""
    one = cases("multi_level", "prime", model="gaussian")[5]
    product = alone("multi_level", "noise.next").terms[1]
    both = [product.per_sample(Quantities(replace(one, arrays={
        **one.arrays, "noise": sign * one.noise}))) for sign in (1, -1)]
    assert np.abs(both[0]).min() > 1e-3
    assert np.allclose(both[0], -both[1], rtol=1e-12)
    assert effect("multi_level", "noise.next").endswith("the best score is 0: nothing is learned "
                                                        "there")


def test_a_weight_changes_no_minimiser_at_a_level():
    case = level_case("dsm_levels")
    right = least(formulas("dsm_levels", "gaussian")[0], case)
    weights = [f for f in formulas("dsm_levels", "gaussian")
               if f.mistakes and f.mistakes[0].role == "weight"]
    assert len(weights) > 20
    for formula in weights:
        assert np.allclose(least(formula, case), right, rtol=1e-9), formula.mistakes[0].id


# -- penalties and hidden units -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["not-last", "first", "frobenius-squared", "square", "of-square",
                                  "off-diagonal"])
def test_another_penalty_has_another_minimiser(name):
    """One Gaussian with precision p: strength tr(...) pulls p elsewhere than the right penalty."""
    case = Case("own/3", "own", "regularized", "gaussian", THETA,
                {"x": np.array(list(itertools.product([-1.0, 1.0], repeat=D)))}, {"strength": 0.3})
    own, other = (formulas("regularized", "gaussian")[0], alone("regularized", f"penalty.{name}"))

    class Affine(Quantities):
        def __init__(self, A):
            super().__init__(case)
            self.A = A

        def psi(self, point=None):
            return case.x @ self.A.T

        def J(self, point=None):
            return np.broadcast_to(self.A, (len(case.x), D, D))

    def gradient(formula, A):
        def loss(A):
            return sum(np.mean(t.per_sample(Affine(A))) for t in formula.terms)
        return np.array([(loss(A + 1e-4 * e) - loss(A - 1e-4 * e)) / 2e-4
                         for e in np.eye(D * D).reshape(-1, D, D)])

    best = -np.eye(D) / (1 + 2 * 0.3)                # |A|^2 / 2 + tr A + 0.3 sum A_ii^2
    assert np.abs(gradient(own, best)).max() < 1e-9
    still = np.abs(gradient(other, best)).max() < 1e-9
    assert still == (name in ("frobenius-squared", "of-square"))     # where no entry is off it
    assert "another penalty" in effect("regularized", f"penalty.{name}")
    if still:
        tilted = best + 0.1 * (1 - np.eye(D))
        assert np.abs(gradient(own, tilted) - gradient(other, tilted)).max() > 1e-3


@pytest.mark.parametrize("name", [row[0] for row in HIDDEN])
def test_hidden_units_of_another_activation_have_the_energy_of_its_integral(name):
    """(y - x) / sigma^2 is minus the gradient of E with F in the place of softplus, F' = f."""
    f = next(row[2] for row in HIDDEN if row[0] == name)
    case = next(c for c in cases("dae", "prime") if c.d == D)
    W, b, c = (case.params[k] for k in "Wbc")
    grid, weights = np.polynomial.legendre.leggauss(60)

    def energy(x):                                   # F(a) = the integral of f from 0 to a
        a = x @ W.T + b
        F = ((weights * f(a[..., None] * (grid + 1) / 2)).sum(axis=-1) * a / 2).sum(axis=-1)
        return -(x @ c - (x * x).sum(axis=1) / 2 + F) / case.sigma**2

    formula = next(g for g in formulas("dae", "autoencoder")
                   if [m.id for m in g.mistakes] == [f"hidden.{name}"])
    y = formula.mistakes[0].formula(Quantities(case))
    x, h = case.x_noisy, 1e-4
    slope = np.stack([(energy(x + h * e) - energy(x - h * e)) / (2 * h) for e in np.eye(D)], axis=1)
    allowed = 2e-3 if name == "relu" else 1e-6        # a kink; and differences of second order
    assert np.abs((y - x) / case.sigma**2 + slope).max() < allowed * np.abs(slope).max()
    assert "the integral of this activation" in formula.mistakes[0].effect
