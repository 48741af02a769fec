"""Points that are on no list are found, and what is compared there."""
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import least_squares

from refsm.verify import cases, verify
from refsm.verify.cases import value
from refsm.verify.cases.families import network_cases
from refsm.verify.denoisers import target_in_noise
from refsm.verify.diagnosis import other_points as room
from refsm.verify.diagnosis.other_points import other_points
from refsm.verify.diagnosis.precision import FLOAT32, FLOAT64, Tolerance
from refsm.verify.diagnosis.regression import Table

TABLES = {}


def table_of(objective, family):
    """The table of seven thetas of each group, made once for all tests."""
    if (objective, family) not in TABLES:
        some = [c for c in cases(objective, family) if int(c.id.rpartition("/t")[2]) < 7]
        TABLES[objective, family] = Table(some)
    return TABLES[objective, family]


def found(objective, family, loss, tolerance=FLOAT64, dtype=float):
    """The form of the answers of a loss of (case, alpha, sigma)."""
    table = table_of(objective, family)
    answers = np.array([loss(c, c.alpha[:, None], c.sigma[:, None]) for c in table.cases])
    form, _ = other_points(table, answers.astype(dtype).astype(float)[table.index],
                           [tolerance]) or (None, None)
    return form


def at(u, v, p=None, r=None, w=lambda a, s: 1.0):
    """The loss of an output that is read at u x + v noise and compared with p x + r noise."""
    def loss(c, a, s):
        own = "score" if c.objective == "dsm_levels" else c.objective.removesuffix("_prediction")
        read = c.score if own == "score" else c.prediction
        of_x, of_noise = target_in_noise(own, a, s, 0.5) if p is None else (p(a, s), r(a, s))
        residual = read(u(a, s) * c.x + v(a, s) * c.noise) - of_x * c.x - of_noise * c.noise
        return (w(a, s) * residual**2).mean()
    return loss


def alpha(a, s):
    return a


FOUND = [
    ("noise_prediction", "vp", at(lambda a, s: a**3 / (a + 0.1), lambda a, s: 0.2 + s), FLOAT64,
     "0.9017 x + 0.2883 noise at alpha = 0.9961, sigma = 0.0883, ", ""),
    ("noise_prediction", "vp", at(lambda a, s: a**1.7, lambda a, s: np.sqrt(1 - a**3.4)), FLOAT32,
     "where alpha^2 + sigma^2 = 1 as at the right levels: another time, or schedule", ""),
    ("noise_prediction", "vp", at(alpha, lambda a, s: np.sqrt(1 - a)), FLOAT64,
     "alpha x + sqrt(1 - alpha) noise", ""),
    ("flow_prediction", "flow", at(alpha, lambda a, s: s + 0.01 * a, lambda a, s: -1.0,
                                   lambda a, s: 0.99), FLOAT64,
     "alpha x + (sigma + 0.01 alpha) noise, as if sigma_min were 0.01",
     "compared with 0.99 noise - x"),
    ("dsm_levels", "vp", at(lambda a, s: a**1.7, lambda a, s: np.sqrt(1 - a**3.4), lambda a, s: 0.0,
                            lambda a, s: -1 / np.sqrt(1 - a**3.4)), FLOAT64,
     "where alpha^2 + sigma^2 = 1 as at the right levels: another time, or schedule",
     "the target is that of these levels"),
    ("noise_prediction", "vp", at(lambda a, s: a[::-1], lambda a, s: s[::-1]), FLOAT32,
     "x_noisy at the level of the points in reverse order", "")]


@pytest.mark.parametrize("objective, family, loss, tolerance, point, target", [
    *(pytest.param(*row, marks=pytest.mark.slow) for row in FOUND[1:-1]), FOUND[0], FOUND[-1]])
def test_the_point_is_found_and_the_target_there(objective, family, loss, tolerance, point, target):
    form = found(objective, family, loss, tolerance, {FLOAT32: np.float32}.get(tolerance, float))
    assert point in form.point
    assert form.target == target
    assert str(form.factor) == ("2 / d" if objective == "dsm_levels" else "1 / d")
    assert not form.right


def test_a_small_number_that_single_precision_hardly_shows_is_no_point():
    off = at(alpha, lambda a, s: s + 2e-4 * a)
    assert found("flow_prediction", "flow", off, FLOAT32, np.float32) is None


LEVELS = ["the next point", "the point before", "the points in reverse order",
          "the first point, for all", "the last point, for all"]


def flow(T=1):
    """The errors of right answers to a few cases."""
    table = table_of("flow_prediction", "flow")
    return room._Separable(table, table.reference, T)


@pytest.mark.parametrize("objective, family, model", [
    ("dsm_levels", "vp", "mixture"), ("noise_prediction", "prime", "mixture"),
    ("flow_prediction", "flow", "tanh"), ("velocity_prediction", "vp", "gaussian")])
def test_an_output_is_read_at_several_points_at_once(objective, family, model):
    case = cases(objective, family, model=model)[0]
    points = np.random.default_rng(7).standard_normal((3, *case.x.shape))
    read = case.score if objective == "dsm_levels" else case.prediction
    assert room._output(case, objective != "dsm_levels")(points) == pytest.approx(
        np.array([read(x) for x in points]), rel=1e-13)


def test_a_network_is_read_at_one_set_of_points_after_the_other():
    def network(x, theta, sigma):
        assert x.shape[1:] == theta["B"].shape[1:]
        return np.tanh(x @ theta["B"] + np.log(sigma)[:, None])

    case = network_cases("noise_prediction", network, lambda d, rng: {"B": rng.random((d, d))})[0]
    points = np.random.default_rng(7).standard_normal((3, *case.x.shape))
    assert (room._output(case, True)(points) == [case.prediction(x) for x in points]).all()


def fitted(residual):
    """The errors as any function of q = (u, v, j, k)."""
    return SimpleNamespace(at_levels=lambda uv: uv, means=lambda uv: uv.reshape(len(uv), -1),
                           solved=lambda q: (residual(q),),
                           columns=lambda means, jk: np.concatenate([means, jk]))


def test_points_of_other_levels_are_tried_with_every_mean_or_sum():
    of = flow()
    tried = list(room._points(of, fitted(lambda q: q + np.nan)))     # nothing is found
    assert [words for words, *_ in tried] == [
        f"x_noisy at the level of {whose}" for whose in LEVELS for _ in range(4)]
    assert [tuple(jk) for _, _, jk, *_ in tried] == 5 * [(-1, 0), (0, 0), (0, 1), (-1, 1)]
    d, n = np.transpose([(c.d, c.n) for c in of.cases])
    X = [of.columns for _, _, _, of.columns, _ in tried]
    assert X[1][:, :9] == pytest.approx(X[0][:, :9] * d[:, None], rel=1e-12)
    assert X[2][:, :9] == pytest.approx(X[0][:, :9] * (d * n)[:, None], rel=1e-12)


@pytest.mark.parametrize("off, fits", [(0.0009, True), (0.0011, False)])
def test_points_are_found_with_the_slopes_of_u_and_v(off, fits):
    of, M = flow(), np.random.default_rng(5).standard_normal((11, 8))
    right = np.array([0.83, 0.61, 0.17, 0.3, 0.46, 0.92, -0.5 + off, 1.0])
    every = list(room._points(of, fitted(lambda q: M @ (q - right + 0.1 * (q - right)**2))))
    assert len(every) == 20 + fits
    if fits:
        words, point, jk, X, slopes = every[-1]
        assert words == ""
        assert point == pytest.approx(right[:6].reshape(2, 3), rel=1e-9)
        assert jk.tolist() == [-0.5, 1.0]
        assert X == pytest.approx(of.columns(of.means(of.at_levels(point[None]))[0], jk), rel=1e-12)
        assert slopes == pytest.approx(np.linalg.pinv(M)[:6], rel=1e-6, abs=1e-7)


def test_the_search_begins_at_the_right_points_and_means_and_has_sixty_steps(monkeypatch):
    of, tried, ends = flow(), [], []

    def falling(q):
        tried.append(q)
        return np.exp(-q)

    def search(*args, **settings):
        ends.append(least_squares(*args, **settings))
        return ends[0]

    monkeypatch.setattr(room, "least_squares", search)
    list(room._points(of, fitted(falling)))
    assert tried[0].tolist() == [*of.levels.ravel(), -1, 0]
    assert ends[0].nfev == 60


@pytest.mark.parametrize("times, fits", [(1.0, True), (1 - 1e-9, False)])
def test_answers_are_met_as_far_as_their_errors_go(monkeypatch, times, fits):
    table = table_of("flow_prediction", "flow")
    of = room._Separable(table, table.reference + 1e-3 * table.scale * np.sin(np.arange(7.0)))
    X = of.columns(of.means(of.at_levels(of.levels[None]))[0], np.zeros(2))
    monkeypatch.setattr(room, "_points", lambda *_: [("", of.levels, np.zeros(2), X, None)])
    monkeypatch.setattr(room, "_Separable", lambda *_: of)
    monkeypatch.setattr(of, "allowed", lambda *_: times * of.solved(X)[0])
    monkeypatch.setattr(room, "_form", lambda *args: SimpleNamespace(right=False))
    assert (other_points(table, table.reference, [FLOAT64]) is not None) == fits


def test_errors_are_four_times_those_of_the_answers(monkeypatch):
    table, seen = table_of("flow_prediction", "flow"), []
    of = room._Separable(table, table.reference)
    jk, slopes = np.zeros(2), np.arange(216.0).reshape(6, 36) - 77
    X = of.columns(of.means(of.at_levels(of.levels[None]))[0], jk)
    monkeypatch.setattr(room, "_points", lambda *_: [("", of.levels, jk, X, slopes)])
    monkeypatch.setattr(room, "_in_words", lambda *args: seen.append(args[1]))
    monkeypatch.setattr(room, "_form", lambda *args: seen.append(args[-1]))
    tolerance = Tolerance("9 printed decimals", 1e-13, 1e-9)
    assert other_points(table, table.reference, [tolerance]) is None
    (_, c, P), off = of.solved(X), np.zeros((6, 7))
    off[...] = 1e-9 / table.scale + 1e-13 * (np.abs(X) @ np.abs(c)).reshape(6, 7)
    assert seen[0].ravel() == pytest.approx(4 * np.abs(slopes) @ off[:, :6].ravel(), rel=1e-9)
    assert seen[1] == pytest.approx(4 * np.abs(P) @ off.ravel(), rel=1e-9)


A, S = np.array([0.5, 0.25, 0.125]), np.array([0.5, 0.75, 0.875])        # alpha + sigma = 1
C, D = np.array([0.8, 0.6, 0.28]), np.array([0.6, 0.8, 0.96])            # alpha^2 + sigma^2 = 1
SCHEDULE = ", where {} = 1 as at the right levels: another time, or schedule"
U = np.array([0.3125, 0.46875, 0.59375])                             # and 1 - U without rounding
V = np.sqrt(1 - U**2)
IN_WORDS = [
    (A, S, A, S, 0, 0, "x_noisy"), (A, S, 1 / A, S / A, 0, 0, "x / alpha + sigma noise / alpha"),
    (A, S, A, 1 + S, 0, 0, "alpha x + (1 + sigma) noise"),
    (A, S, A**2.5, 2 * S, 1e-15, 0, "alpha^2.5 x + 2 sigma noise"),
    (A, S, A, S + 0.03 * A, 0, 1e-9,
     "alpha x + (sigma + 0.03 alpha) noise, as if sigma_min were 0.03"),
    (A, S, A, S + np.array([0.03, 0.031, 0.03]) * A, 0, np.array([1e-9, 3e-4, 1e-9]),
     "alpha x + (sigma + 0.0303 alpha) noise, as if sigma_min were 0.0303"),
    (A, S, A, S - 0.03 * A, 0, 1e-9, "0.5 x + 0.485 noise at alpha = 0.5, sigma = 0.5, "),
    (A, S, A, S + A * np.array([2.0, -1.0, -1.0]) / 1024, 0, A * np.array([1.5, 1.6, 1.6]) / 1024,
     "0.5 x + 0.501 noise at alpha = 0.5, sigma = 0.5"),                # nothing, in the mean
    (A, S, 1 + A, S + 0.03 * A, 0, 1e-9, "1.5 x + 0.515 noise at alpha = 0.5, sigma = 0.5, "),
    (A, S, U, 1 - U, 0, 0, SCHEDULE.format("alpha + sigma")),
    (A, S, U, 1 - U + 1e-6, 6e-7, 5e-7, SCHEDULE.format("alpha + sigma")),
    (A, S, U, 1 - U + 1e-6, 6e-7, 3e-7, "x + 0.4063 noise at alpha = 0.125, sigma = 0.875"),
    (C, D, U, 1 - U, 1e-15, 0, "x + 0.4062 noise at alpha = 0.28, sigma = 0.96"),
    (C, D, U, V, 1e-15, 1e-15, SCHEDULE.format("alpha^2 + sigma^2")),
    (C, D, U + 1e-6, V, 1.01e-6, 0, SCHEDULE.format("alpha^2 + sigma^2")),
    (C, D, U, V + 1e-6, 0, 1.01e-6, SCHEDULE.format("alpha^2 + sigma^2")),
    (C, D, U, V + 1e-6, 0, 0.99e-6, "x + 0.8047 noise at alpha = 0.28, sigma = 0.96")]


@pytest.mark.parametrize("alpha, sigma, u, v, u_off, v_off, words", IN_WORDS)
def test_points_are_said_in_words(alpha, sigma, u, v, u_off, v_off, words):
    levels = tuple(np.array([own, 0.9 * own]) for own in (alpha, sigma, np.full(1, 0.5)))
    said = room._in_words(np.array([u, v]), np.array([u_off + 0 * u, v_off + 0 * v]), levels)
    assert words in said
    assert ("schedule" in said) == ("schedule" in words)


def form(a=3.0, a_off=0.0, p=-1.0, b_off=0.0):
    """The form of a |output - p x - noise|^2 at points that are on no list."""
    table = table_of("flow_prediction", "flow")
    c = np.array([[a, -2 * a * p, -2 * a]] * 3)
    error = np.array([[a_off, b_off, 0]] * 3) + 1e-12 * (a > 0)
    c, error = (np.r_[of.ravel(), np.zeros(6)] for of in (c, error))
    return room._form(table, "a point", np.array([U, 1 - U]), np.array([-1.0, 1.0]), c, error)


def test_the_weight_and_the_target_are_those_of_the_coefficients():
    assert form().words == "the output is read at a point; a common factor 3 n / d"
    assert form(p=-1.5).target == "compared with noise - 3 x / 2"


@pytest.mark.parametrize("times, right", [(0.9, True), (1.1, False)])
def test_the_target_may_be_off_by_the_error_of_its_coefficient(times, right):
    assert (form(p=-1 + times * 1e-6, b_off=2 * 3.0 * 1e-6).target == "") == right


@pytest.mark.parametrize("a, off, read", [(3.0, 0.149, True), (3.0, 0.151, False),
                                          (0.0, 0.0, False), (-3.0, 0.0, False)])
def test_a_weight_that_is_not_positive_or_not_clear_is_not_read(a, off, read):
    assert (form(a, off) is not None) == read


@pytest.mark.parametrize("objective", ["edm_prediction", "dsm"])
def test_it_is_for_points_with_a_level_and_alpha(objective):
    table = Table(cases(objective, "prime")[:12])
    assert other_points(table, table.reference + 1.0, [FLOAT64]) is None


@pytest.mark.slow
def test_no_other_loss_is_taken_for_one():
    assert found("flow_prediction", "flow", lambda c, a, s: value(c)**2) is None


@pytest.mark.slow
def test_a_weight_that_is_broadcast_beside_the_weight_of_another_output_is_named():
    """bayesflow 2.0.12, which compares the noise of a predicted point: losses (n,) times (n, 1)."""
    def loss(case):
        alpha, sigma = case.alpha[:, None], case.sigma[:, None]
        noise = (case.x_noisy - alpha * case.prediction(case.x_noisy)) / sigma
        return (((noise - case.noise)**2).mean(axis=1) / (1 + case.alpha[:, None]**2
                                                          / sigma**2 / np.exp(2))).mean()

    report = verify(loss, "clean_prediction", family="prime")
    assert report.verdict == "MISMATCH"
    assert report.convention == "1 / d; weight.snr; pairs.sigmoid-2"
