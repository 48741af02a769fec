"""Points that are on no list are found, and what is compared there."""
import numpy as np
import pytest

from refsm.verify import cases, verify
from refsm.verify.cases import value
from refsm.verify.denoisers import target_in_noise
from refsm.verify.diagnosis.other_points import other_points
from refsm.verify.diagnosis.precision import FLOAT32, FLOAT64
from refsm.verify.diagnosis.regression import Table

TABLES = {}


def found(objective, family, loss, tolerance=FLOAT64, dtype=float):
    """The form of the answers of a loss of (case, alpha, sigma)."""
    if (objective, family) not in TABLES:
        some = [c for c in cases(objective, family) if int(c.id.rpartition("/t")[2]) < 7]
        TABLES[objective, family] = Table(some)
    table = TABLES[objective, family]
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
