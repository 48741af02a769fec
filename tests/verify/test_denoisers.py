"""Losses at many levels and of predictions: the right ones pass, and what is planted is seen."""
import numpy as np
import pytest

import refsm
from refsm import predictions
from refsm.verify import cases, verify
from refsm.verify.cases import gradient, per_sample, value
from refsm.verify.cases.quantities import Quantities
from refsm.verify.denoisers import target_in_noise, target_of
from refsm.verify.objectives import OBJECTIVES, predicting

KINDS = [kind for kind in predictions.KINDS if kind != "score"]


def column(a):
    return a[:, None]


def residual(c):
    """Prediction minus target, as a training script writes it."""
    f = c.prediction(c.x_noisy)
    kind = OBJECTIVES[c.objective].predicts
    if kind == "edm":
        variance = c.sigma**2 + c.data_sd**2
        c_skip, c_out = c.data_sd**2 / variance, c.sigma * c.data_sd / np.sqrt(variance)
        return f - (c.x - column(c_skip) * c.x_noisy) / column(c_out)
    return f - {"noise": lambda: c.noise, "clean": lambda: c.x, "flow": lambda: c.noise - c.x,
                "velocity": lambda: column(c.alpha) * c.noise - column(c.sigma) * c.x,
                }[kind]()


def score_residual(c):
    return c.score(c.x_noisy) + c.noise / column(c.sigma)


def squares(r):
    return (r * r).sum(axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_prediction_is_converted_from_the_score(kind):
    case = cases(kind, "prime")[13]
    made = case.prediction(case.x_noisy)
    alpha = case.alpha if "alpha" in case.arrays else np.ones(case.n)
    for k in range(case.n):
        process = refsm.ScaledCorruption(alpha[k], case.sigma[k])
        converted = predictions.convert(
            case.score(case.x_noisy)[k:k + 1], case.x_noisy[k:k + 1], process, source="score",
            target=kind, data_sd=case.data_sd if kind == "edm" else None)
        assert np.allclose(made[k:k + 1], converted, rtol=1e-14, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_a_training_script_passes_and_its_mean_over_dimensions_is_named(kind):
    report = verify(lambda c: squares(residual(c)), "dsm", predicts=kind)
    assert report.verdict == "PASS"
    report = verify(lambda c: (residual(c)**2).mean(), "dsm", predicts=kind)
    assert (report.verdict, report.convention) == ("CONVENTION", "1 / d")


@pytest.mark.parametrize("objective", ["dsm_scaled", "dsm_levels", "multi_level", *KINDS])
def test_the_terms_add_up_to_the_squared_residual(objective):
    """|output - target|^2 written out, of each level with its weight."""
    case = cases(objective, "prime")[13]
    q, about = Quantities(case), OBJECTIVES[case.objective]
    terms = sum(term.per_sample(q) for term in (*about.terms, about.constant))
    if about.predicts:
        expected = squares(residual(case))
    elif objective == "multi_level":
        expected = sum(weight / 2 * squares(case.score(y, k) + case.noise[k] / sigma) for
                       k, (y, sigma, weight) in enumerate(zip(case.x_noisy, case.sigma,
                                                              case.level_weights)))
    else:
        expected = squares(case.score(case.x_noisy) + case.noise / np.reshape(case.sigma, (-1, 1))
                           ) / 2
    assert np.allclose(terms, expected, rtol=1e-11)


@pytest.mark.parametrize("kind", [*KINDS, "score"])
def test_the_target_is_what_a_training_script_compares_with(kind):
    c = cases("dsm_levels" if kind == "score" else kind, "prime")[13]
    expected = (c.score(c.x_noisy) - score_residual(c) if kind == "score" else
                c.prediction(c.x_noisy) - residual(c))
    assert np.allclose(target_of(kind, Quantities(c)), expected, rtol=1e-11, atol=1e-11)
    alpha = column(c.alpha) if kind != "edm" else 1.0
    p, r = target_in_noise(kind, alpha, column(c.sigma), c.hyper.get("data_sd"))
    assert np.allclose(p * c.x + r * c.noise, expected, rtol=1e-11, atol=1e-11)


def test_a_score_is_predicted_too():
    report = verify(lambda c: squares(score_residual(c)) / 2, "dsm", predicts="score")
    assert report.verdict == "PASS"


@pytest.mark.parametrize("objective", ["dsm_levels", "velocity", "edm"])
def test_the_judge_is_the_sum_of_the_objectives_of_single_points(objective):
    case = cases(objective, "prime", model="gaussian")[4]
    model = refsm.Gaussian(case.params["mean"], case.params["precision"])
    alpha = case.alpha if "alpha" in case.arrays else np.ones(case.n)
    whole, terms = 0.0, []
    for k in range(case.n):
        one = (case.x[k:k + 1], case.x_noisy[k:k + 1],
               refsm.ScaledCorruption(alpha[k], case.sigma[k]))
        J = (refsm.DenoisingScoreMatching(*one) if objective == "dsm_levels" else
             refsm.PredictionLoss(*one, objective, case.hyper.get("data_sd")))
        terms.append(J.value(model))
        whole = whole + J.gradient(model).precision / case.n
    assert np.allclose(per_sample(case), terms, rtol=1e-13)
    assert np.allclose(gradient(case)["precision"], whole, rtol=1e-12, atol=1e-12)


def test_several_levels_are_judged_by_the_multi_level_objective():
    case = cases("multi_level", "prime")[17]
    model = refsm.Gaussian(case.params["mean"], case.params["precision"])
    by_hand = sum(
        weight * refsm.DenoisingScoreMatching(
            case.x, x_noisy, refsm.ScaledCorruption(alpha, sigma)).value(
                model.corrupted(refsm.ScaledCorruption(alpha, sigma)))
        for weight, x_noisy, alpha, sigma in zip(case.level_weights, case.x_noisy, case.alpha,
                                                 case.sigma))
    assert value(case) == pytest.approx(by_hand, rel=1e-12)


# Mistakes that a single level or a single point would hide: none of them may pass.
PLANTED = {
    "dsm_levels": {
        "squeeze forgotten": lambda c: (column(c.sigma)**2 * squares(score_residual(c))).mean(),
        "(n, n) residuals": lambda c: squares(
            (c.score(c.x_noisy)[:, None] + (c.noise / column(c.sigma))[None]).reshape(-1, c.d)
        ).mean(),
        "small sigma left out": lambda c: np.where(c.sigma < 0.1, 0, 1) * squares(
            score_residual(c)),
        "sigma clipped below": lambda c: squares(
            c.score(c.x_noisy) + c.noise / np.maximum(column(c.sigma), 0.1)),
        "the next point's level": lambda c: squares(
            c.score(c.x_noisy) + c.noise / np.roll(column(c.sigma), -1, axis=0)),
        "the first level for all": lambda c: squares(c.score(c.x_noisy) + c.noise / c.sigma[0]),
        "the mean level for all": lambda c: squares(
            c.score(c.x_noisy) + c.noise / c.sigma.mean()),
        "alpha forgotten": lambda c: squares(
            c.score(c.x_noisy) - (c.x - c.x_noisy) / column(c.sigma)**2)},
    "noise": {
        "squeeze forgotten": lambda c: (column(c.sigma)**2 * squares(residual(c))).mean(),
        "weight of another point": lambda c: np.roll(c.sigma, 1) * squares(residual(c)),
        "small sigma left out": lambda c: (c.sigma > 0.1) * squares(residual(c)),
        "the sign": lambda c: squares(c.prediction(c.x_noisy) + c.noise),
        "noise for velocity": lambda c: squares(
            c.prediction(c.x_noisy) - column(c.alpha) * c.noise + column(c.sigma) * c.x)},
    "velocity": {
        "the wrong sign inside": lambda c: squares(
            c.prediction(c.x_noisy) - column(c.alpha) * c.noise - column(c.sigma) * c.x),
        "alpha and sigma exchanged": lambda c: squares(
            c.prediction(c.x_noisy) - column(c.sigma) * c.noise + column(c.alpha) * c.x),
        "another point's level": lambda c: squares(
            c.prediction(c.x_noisy) - np.roll(column(c.alpha), 1, axis=0) * c.noise
            + np.roll(column(c.sigma), 1, axis=0) * c.x)},
    "flow": {"the other direction of time": lambda c: squares(
        c.prediction(c.x_noisy) - c.x + c.noise)},
    "edm": {
        "the clean point as target": lambda c: squares(c.prediction(c.x_noisy) - c.x),
        "c_skip forgotten": lambda c: squares(
            c.prediction(c.x_noisy) - c.x * column(np.sqrt(c.sigma**2 + c.data_sd**2)
                                                   / (c.sigma * c.data_sd)))},
    "multi_level": {
        "weights forgotten": lambda c: sum(squares(
            c.score(y, k) - (a * c.x - y) / s**2)
            for k, (y, a, s) in enumerate(zip(c.x_noisy, c.alpha, c.sigma))) / 2,
        "one level left out": lambda c: sum(w * squares(
            c.score(y, k) - (a * c.x - y) / s**2) for k, (y, a, s, w) in enumerate(
                zip(c.x_noisy[:-1], c.alpha, c.sigma, c.level_weights))) / 2,
        "the model of the next level": lambda c: sum(w * squares(
            c.score(y, (k + 1) % len(c.alpha)) - (a * c.x - y) / s**2)
            for k, (y, a, s, w) in enumerate(
                zip(c.x_noisy, c.alpha, c.sigma, c.level_weights))) / 2},
    "dsm_scaled": {
        "alpha forgotten": lambda c: squares(
            c.score(c.x_noisy) - (c.x - c.x_noisy) / c.sigma**2) / 2,
        "the variance for sigma": lambda c: squares(
            c.score(c.x_noisy) + c.noise / c.sigma**2) / 2},
    "generalized": {
        "the slope forgotten": lambda c: (c.h * c.score_jacobian_diagonal(c.x)
                                          + c.h * c.score(c.x)**2 / 2).sum(axis=1),
        "h squared": lambda c: (c.h_slope * c.score(c.x) + c.h * c.score_jacobian_diagonal(c.x)
                                + (c.h * c.score(c.x))**2 / 2).sum(axis=1)},
    "mpf": {
        "the 1/2 forgotten": lambda c: np.exp(-c.energy_gap(c.x)).sum(axis=1),
        "the sign of the gap": lambda c: np.exp(c.energy_gap(c.x) / 2).sum(axis=1)}}
ALL = [(objective, words) for objective, losses in PLANTED.items() for words in losses]


@pytest.mark.slow
@pytest.mark.parametrize("objective, words", ALL)
def test_what_is_planted_does_not_pass(objective, words):
    report = verify(PLANTED[objective][words], objective)
    assert report.verdict in ("MISMATCH", "UNEXPLAINED"), report
    assert report.exit_status != 0


@pytest.mark.slow
@pytest.mark.parametrize("objective, words, name", [
    ("dsm_levels", "squeeze forgotten", "the weight sigma^2 of every point multiplies the loss"),
    ("noise", "noise for velocity", "compared with the target of a predicted velocity"),
    ("noise", "the sign", "the sign of the target"),
    ("flow", "the other direction of time", "the sign of the target"),
    ("dsm_levels", "the next point's level", "the noise is divided by the sigma of the next point"),
    ("dsm_levels", "(n, n) residuals", "every output is compared with every target"),
    ("dsm_levels", "small sigma left out", "the points at alpha = 0.9844, sigma = 0.0625 are left"),
    ("dsm_levels", "sigma clipped below", "compared with another combination of clean point and "
     "noise: -10 noise at alpha = 0.9844, sigma = 0.0625, -1.641 noise at"),
    ("noise", "weight of another point", "each level is weighted by sigma of the point before"),
    ("velocity", "alpha and sigma exchanged",
     "compared with the target of a predicted velocity, with alpha and sigma exchanged"),
    ("dsm_scaled", "the variance for sigma", "the target is multiplied by 1 / sigma"),
    ("dsm_levels", "alpha forgotten", "target: (x - x_noisy) / sigma^2, without alpha"),
    ("generalized", "the slope forgotten", "the term of the slope h' is missing"),
    ("generalized", "h squared", "h^2 in place of h"),
    ("mpf", "the 1/2 forgotten", "twice the gap"), ("mpf", "the sign of the gap", "the sign")])
def test_what_is_planted_is_named(objective, words, name):
    report = verify(PLANTED[objective][words], objective)
    assert report.name.startswith(name)


@pytest.mark.slow
def test_a_weight_of_each_level_is_a_convention_by_its_name():
    report = verify(lambda c: c.sigma**2 * squares(score_residual(c)), "dsm_levels")
    assert report.verdict == "CONVENTION"
    assert report.convention == "2; weight.variance"
    again = verify(lambda c: c.sigma**2 * squares(score_residual(c)), "dsm_levels",
                   convention=report.convention)
    assert again.exit_status == 0


@pytest.mark.parametrize("objective, kind, sentence", [
    ("dsm", "image", "predicts must be one of score, noise, clean, velocity, flow, edm, but it is "
                     "'image'"),
    ("ism", "noise", "predicts is for denoising (dsm), but the objective is ism")])
def test_what_no_network_predicts_is_refused(objective, kind, sentence):
    with pytest.raises(ValueError) as raised:
        verify(value, objective, predicts=kind)
    assert str(raised.value) == sentence


def test_the_kind_of_a_prediction_names_its_objective():
    assert predicting("dsm", "score") == "dsm_levels"
    assert [predicting("dsm", kind) for kind in KINDS] == [f"{kind}_prediction" for kind in KINDS]
    assert {about.predicts for about in OBJECTIVES.values()} == {"", *KINDS}


def test_a_prediction_is_read_at_other_levels_of_its_case():
    case = cases("velocity_prediction")[0]
    k = np.roll(np.arange(case.n), 1)
    a, s, psi = case.alpha[k][:, None], case.sigma[k][:, None], case.score(case.x_noisy)
    noise = -s * psi                                         # predicted, and the clean point
    assert case.prediction(case.x_noisy, case.sigma[k]) == pytest.approx(
        a * noise - s * (case.x_noisy - s * noise) / a, rel=1e-12)
    one = case.prediction(case.x_noisy, case.sigma[0])
    assert (one[0] == case.prediction(case.x_noisy)[0]).all()
    with pytest.raises(ValueError, match="sigma must be levels of the case, .*, but it is 0.123"):
        case.prediction(case.x_noisy, 0.123)
