"""Implementations that draw their own noise: right ones pass, known mistakes and conventions are
named, others are not explained."""
import dataclasses
import hashlib

import numpy as np
import pytest
from scipy import special, stats

from refsm.verify import verify
from refsm.verify.adapters.ask import AdapterError
from refsm.verify.cases import cases
from refsm.verify.own_noise import (DRAWING, hypotheses, moments, one_point, replicates,
                                    verify_own_noise)

PINNED = "c6681e39a0d95412dbcf20ff231f393763476d87666258cea9f52d818206916d"
R = {"dsm": 60, "dae": 150, "ssm": 40, "ssm_vr": 40,
     "sliced": 40}    # enough to tell all hypotheses apart; the default is 200


def dsm(case, rng, factor=lambda case: 1.0, sign=1.0, noise=None, at_clean=False):
    """Denoising score matching with noise of its own, and with what may be wrong in it."""
    eps = rng.standard_normal(case.x.shape) if noise is None else noise(rng, case.x.shape)
    psi = case.score(case.x if at_clean else case.x + case.sigma * eps)
    return factor(case) * ((psi + sign * eps / case.sigma)**2).sum(axis=1).mean() / 2


def dae(case, rng, scale=lambda sigma: sigma, target="clean"):
    eps = rng.standard_normal(case.x.shape)
    x_noisy = case.x + scale(case.sigma) * eps
    return ((case.reconstruct(x_noisy)
             - {"clean": case.x, "noisy": x_noisy, "noise": eps}[target])**2).sum(axis=1).mean()


def ssm(case, rng, directions=lambda rng, shape: np.sign(rng.standard_normal(shape)), reduced=False,
        factor=1.0):
    v = directions(rng, (case.n, case.n_directions, case.d))
    J, psi = case.score_jacobian(case.x), case.score(case.x)
    square = (psi * psi).sum(axis=1)[:, None] if reduced else np.einsum("nri,ni->nr", v, psi)**2
    return factor * (np.einsum("nri,nik,nrk->nr", v, J, v) + square / 2).mean()


def gaussian(rng, shape):
    return rng.standard_normal(shape)


def sphere(rng, shape):
    v = rng.standard_normal(shape)
    return v * np.sqrt(shape[-1] / (v * v).sum(axis=-1, keepdims=True))


def tolerance(rng, shape):
    return sphere(rng, shape) / np.sqrt(shape[-1])


def uniform(rng, shape):
    return rng.random(shape)


# -- right ones ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("implementation, objective",
                         [(dsm, "dsm"), (dae, "dae"), (ssm, "ssm"),
                          (lambda case, rng: ssm(case, rng, gaussian), "ssm"),
                          (lambda case, rng: ssm(case, rng, sphere), "sliced"),
                          (lambda case, rng: ssm(case, rng, reduced=True), "ssm_vr")])
def test_a_right_one_passes(implementation, objective):
    report = verify_own_noise(implementation, objective, R[objective])
    assert (report.verdict, report.exit_status, report.conforms, report.factor) == ("PASS", 0, True,
                                                                                    "1")
    assert report.name == "its expectation is the canonical loss"


@pytest.mark.slow
def test_the_report_says_how_sure_it_is():
    text = str(verify_own_noise(dsm, "dsm"))
    assert text.startswith(
        "PASS  dsm: its expectation is the canonical loss\n  12 cases of the gaussian model, "
        "answers in 200 replicates each\n")
    assert "\n  next: p = " in text
    assert ("A right loss with draws at every point has a smaller p, of its expectation, its "
            "variance or its values at one point, in at most three of 10^4 runs."
            ) in " ".join(text.split())
    assert "laws of the noise" not in text
    assert "the variance-reduced form, which has the same expectation" in str(
        verify_own_noise(ssm, "ssm", 60))
    assert "the form that is not variance-reduced, which has the same expectation" in str(
        verify_own_noise(ssm, "ssm_vr", 60))


@pytest.mark.slow
@pytest.mark.parametrize("implementation, objective, runs, draws", [(dsm, "dsm", 150, 100),
                                                                         (ssm, "ssm", 40, 60),
                                                                         (dae, "dae", 50, 100)])
def test_right_ones_are_refused_as_rarely_as_stated(implementation, objective, runs, draws,
                                                    monkeypatch):
    """p of the right hypothesis is uniform: at most a few of some hundred runs under 1 %, none
    under 1e-4 (3 % would be a probability of 1e-4)."""
    found, kept = [], replicates._p
    monkeypatch.setattr(replicates, "_p", lambda *given: found.append(kept(*given)) or found[-1])
    for seed in range(runs):
        assert verify_own_noise(implementation, objective, draws,
                                seed=seed).verdict in ("PASS", "INCONCLUSIVE"
                                                       )    # a neighbour may not be clearly bad
    per_run = [p[0] for p in found]
    assert (np.array(per_run) < replicates.GOOD).sum() == 0
    assert (np.array(per_run) < 0.01).sum() <= stats.binom.isf(1e-4, runs, 0.01)
    assert stats.kstest(per_run, "uniform").pvalue > 1e-4


# -- conventions and mistakes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "scaling, factor",
    [("1 / 2", lambda c: 0.5), ("2 sigma^2 / d", lambda c: 2 * c.sigma**2 / c.d),
     *(pytest.param(*row, marks=pytest.mark.slow)
       for row in [("sigma^2", lambda c: c.sigma**2), ("1 / d", lambda c: 1 / c.d),
                   ("n", lambda c: c.n), ("sigma^4",
                                          lambda c: c.sigma**4), ("1 / n", lambda c: 1 / c.n)])])
def test_a_convention_is_named_and_may_be_declared(scaling, factor):
    report = verify_own_noise(lambda case, rng: dsm(case, rng, factor), "dsm", R["dsm"])
    assert (report.verdict, report.exit_status, report.factor,
            report.convention) == ("CONVENTION", 1, scaling, scaling)
    assert f'convention="{scaling}"' in str(report)
    declared = verify_own_noise(lambda case, rng: dsm(case, rng, factor), "dsm", R["dsm"],
                                convention=scaling)
    assert (declared.verdict, declared.exit_status, declared.declared,
            declared.conforms) == ("CONVENTION", 0, scaling, True)


def test_what_was_declared_must_be_found():
    report = verify_own_noise(dsm, "dsm", R["dsm"], convention="2")
    assert (report.verdict, report.exit_status) == ("MISMATCH", 1)
    assert report.name == (
        "its expectation is the canonical loss, not 2 times the canonical loss as declared")
    with pytest.raises(ValueError, match="'x . y' is not a convention"):
        verify_own_noise(dsm, "dsm", R["dsm"], convention="x + y")


def of(objective, **settings):
    function = {
        "dsm": dsm, "dae": dae, "ssm": ssm,
        "ssm_vr": lambda case, rng, **more: ssm(case, rng, reduced=True, **more)
    }[objective]
    return lambda case, rng: function(case, rng, **settings)


def two_draws(case, rng):
    return ((case.score(case.x + case.sigma * rng.standard_normal(case.x.shape))
             + rng.standard_normal(case.x.shape) / case.sigma)**2).sum(axis=1).mean() / 2


def residual(noise_scale, target_scale):
    def implementation(case, rng):
        eps = rng.standard_normal(case.x.shape)
        return ((case.score(case.x + noise_scale(case.sigma) * eps)
                 + target_scale(case.sigma) * eps)**2).sum(axis=1).mean() / 2

    return implementation


def without_constant(case, rng):
    eps = rng.standard_normal(case.x.shape)
    psi = case.score(case.x + case.sigma * eps)
    return ((psi * psi).sum(axis=1) / 2 + (psi * eps).sum(axis=1) / case.sigma).mean()


MISTAKES = [
    ("dsm", of("dsm", sign=-1.0), "the target has the opposite sign"),
    ("dsm", of("dsm", at_clean=True), "the score is read at the clean point"),
    ("dsm", residual(lambda s: s,
                     lambda s: 1.0), "the target is divided by sigma in place of sigma^2"),
    ("dsm", residual(lambda s: s, lambda s: -1.0), "the target is the noise itself, with its sign"),
    ("dsm", residual(lambda s: s, lambda s: s), "the target is not divided by sigma^2"),
    ("dsm", residual(lambda s: s**2,
                     lambda s: 1.0), "the noise has standard deviation sigma^2 in place of sigma"),
    ("dsm", residual(lambda s: s**2, lambda s: 1 / s),
     "the noise has standard deviation sigma^2, the target is noise / sigma"),
    ("dsm", residual(lambda s: 1.0,
                     lambda s: 1 / s**2), "the noise has standard deviation 1 in place of sigma"),
    ("dsm", residual(lambda s: 1.0, lambda s: 1 / s),
     "the noise has standard deviation 1, the target is noise / sigma"),
    ("dsm", residual(np.sqrt, lambda s: s**-1.5),
     "the noise has standard deviation sqrt(sigma), the variance for sigma"),
    ("dsm", residual(lambda s: s, lambda s: 0.0), "the target is left out"),
    ("dsm", two_draws, "the target has noise of its own, drawn a second time"),
    ("dsm", of("dsm", noise=uniform), "the noise is uniform in [0, 1] in place of normal"),
    ("dsm", of("dsm", noise=lambda rng, shape: rng.uniform(-1, 1, shape)),
     "the noise is uniform in [-1, 1] in place of normal"),
    ("dae", of("dae",
               scale=lambda s: s**2), "the noise has standard deviation sigma^2 in place of sigma"),
    ("dae", of("dae", scale=lambda s: 1.0), "the noise has standard deviation 1 in place of sigma"),
    ("dae", of("dae", scale=np.sqrt),
     "the noise has standard deviation sqrt(sigma), the variance for sigma"),
    ("dae", of("dae", target="noisy"), "the output is compared with the noisy point"),
    ("dae", of("dae", target="noise"), "the output is compared with the noise"),
    ("ssm", of("ssm", directions=uniform), "directions uniform in [0, 1]"),
    ("ssm_vr", of("ssm_vr",
                  directions=uniform), "directions uniform in [0, 1], and |psi|^2 as it is"),
    ("ssm_vr", of("ssm_vr",
                  directions=tolerance), "directions of unit length, and |psi|^2 as it is"),
    ("ssm_vr", of("ssm_vr", directions=lambda rng, shape: rng.uniform(-1, 1, shape)),
     "directions uniform in [-1, 1], and |psi|^2 as it is"),
    ("ssm", of("ssm", directions=lambda rng, shape: rng.uniform(-1, 1, shape)),
     "directions uniform in [-1, 1]")
]


@pytest.mark.parametrize("objective, implementation, mistake", [
    pytest.param(*row, id=f"{row[0]}: {row[2]}", marks=[pytest.mark.slow] if k % 10 else [])
    for k, row in enumerate(MISTAKES)
])
def test_a_mistake_is_named(objective, implementation, mistake):
    report = verify_own_noise(implementation, objective, R[objective])
    assert (report.verdict, report.exit_status, report.convention) == ("MISMATCH", 1, "")
    named = f"its expectation is the loss with this mistake: {mistake}"
    assert report.name == named or mistake in "".join(report.cannot_tell)


def test_a_mistake_times_a_factor_is_named():
    report = verify_own_noise(of("dsm", sign=-1.0, factor=lambda case: 2 * case.sigma**2), "dsm",
                              R["dsm"])
    assert report.name == (
        "its expectation is 2 sigma^2 times the loss with this mistake: the target has the "
        "opposite sign")
    assert report.factor == "2 sigma^2"


def test_a_loss_upside_down_is_no_convention():
    report = verify_own_noise(of("dsm", factor=lambda case: -1.0), "dsm", R["dsm"])
    assert (report.verdict, report.name) == ("MISMATCH",
                                             "its expectation is -1 times the canonical loss")


def test_unit_directions_are_told_with_the_mean_over_dimensions():
    report = verify_own_noise(of("ssm", directions=tolerance), "ssm", R["ssm"])
    assert (report.verdict, report.factor) == ("CONVENTION", "1 / d")
    assert report.cannot_tell[0] == "the loss with this mistake: directions of unit length"


@pytest.mark.slow
@pytest.mark.parametrize("change", [
    lambda value, case, rng: 1.3 * value, lambda value, case, rng: value + 0.7,
    lambda value, case, rng: np.sqrt(value), lambda value, case, rng: rng.standard_normal()
])
def test_what_nothing_explains_is_not_explained(change):
    report = verify_own_noise(lambda case, rng: change(dsm(case, rng), case, rng), "dsm", R["dsm"])
    assert (report.verdict, report.exit_status) == ("UNEXPLAINED", 1)
    assert (report.runner_up, report.cannot_tell) == ("", ())


def test_replicates_that_are_too_few_are_inconclusive():
    quiet = dataclasses.replace(replicates._cases("dsm")[0])
    values = np.random.default_rng(1).standard_normal((12, 30)) * 1e3
    report = replicates._report(replicates._cases("dsm"), values, replicates.ONE, None)
    assert (report.verdict, report.exit_status) == ("INCONCLUSIVE", 3)
    assert quiet.d == 3
    assert report.name.startswith("it may be ")
    assert report.name.endswith(": repeat with 120 replicates")


def test_small_expectations_are_told_apart():
    asked = replicates._cases("ratio")
    right = hypotheses.hypotheses(asked)[0].expected[:, None]         # all below d
    values = right * (1 + 1e-3 * np.tile([1.0, -1.0], (12, 15)))
    report = replicates._report(asked, values, replicates.ONE, None)
    gradients, within, laws = report.cannot_tell
    assert (report.verdict, gradients, laws) == ("PASS", "gradients", replicates.UNKNOWN)
    assert within == "expectations that are this one times a number within 0.00065 of 1"


def test_the_note_says_what_good_and_bad_are():
    """Twelve cases 1.7 standard errors off, of 30 replicates: the errors are those of samples."""
    asked = replicates._cases("dsm")
    right = hypotheses.hypotheses(asked)[0].expected[:, None]
    noise = np.tile([1.0, -1.0], (12, 15)) * np.sqrt(29 / 30)               # variance 1 of a sample
    report = replicates._report(asked, right * (1 + 1e-3 * (1.7 / np.sqrt(30) + noise)),
                                replicates.ONE, None)
    z = special.ndtri(special.stdtr(29, -1.7))
    assert f"the best has p = {special.chdtrc(12, 12 * z * z):.2g}. One is declared only if its " \
        "p >= 0.0001 and every other's <= 1e-09;" in report.notes[0]
    assert f"({replicates.REPLICATES})" in verify.__doc__


def test_between_good_and_bad_is_inconclusive(monkeypatch):
    monkeypatch.setattr(replicates, "compared", lambda *given: None)    # the means alone are made
    asked = replicates._cases("dsm")
    right = hypotheses.hypotheses(asked)[0].expected
    noise = np.random.default_rng(2).standard_normal((12, 200))
    noise = (noise - noise.mean(axis=1, keepdims=True)) / noise.std(axis=1, ddof=1, keepdims=True)
    error = 0.01 * np.abs(right)
    reports = [replicates._report(asked, (right + error * away)[:, None]
                                  + (error * 200**0.5)[:, None] * noise, replicates.ONE, None)
               for away in (0.0, 1.7, 2.2, 3.2)]        # 12 cases off by so many standard errors
    assert [report.verdict for report in reports] == ["PASS", "PASS", "INCONCLUSIVE", "UNEXPLAINED"]
    assert reports[2].name.endswith("is neither good nor bad: repeat with 800 replicates and "
                                    "another seed")


# -- variances -------------------------------------------------------------------------------------


def shared(rng, shape):
    return np.broadcast_to(rng.standard_normal(shape[1:]), shape)


def student(rng, shape):
    return rng.standard_t(5, shape) / np.sqrt(5 / 3)                # variance 1, fourth moment 9


@pytest.mark.slow
@pytest.mark.parametrize("noise, like", [
    (shared, "one draw of noise for the whole batch"),
    (student, "Student's t with 5 degrees of freedom"), (sphere, "noise of the length sqrt(d)"),
    (lambda rng, shape: np.sign(rng.standard_normal(shape)), "signs in place of normal noise")])
def test_noise_of_the_same_mean_and_covariance_is_told_apart_by_its_variance(noise, like):
    report = verify_own_noise(lambda case, rng: dsm(case, rng, noise=noise), "dsm", 150)
    assert (report.verdict, report.exit_status) == ("MISMATCH", 1)
    assert report.name.startswith("its expectation is the canonical loss, but ")
    assert like in report.name
    doubled = verify_own_noise(lambda case, rng: 2 * dsm(case, rng, noise=noise), "dsm", 150,
                               convention="2")
    assert doubled.verdict == "MISMATCH"


def in_strata(rng, shape):
    """The p-quantile of a normal number, p in another of n equal strata at each point."""
    return special.ndtri((np.argsort(rng.random(shape), axis=0) + rng.random(shape)) / shape[0])


def antithetic(rng, shape):
    half = rng.standard_normal(shape)[:shape[0] // 2 + 1]
    return np.concatenate([half, -half])[:shape[0]]


def centred(rng, shape):
    eps, n = rng.standard_normal(shape), shape[0]
    return (eps - eps.mean(axis=0)) * np.sqrt(n / np.array(n - 1))


SHARED = "draws that points share, or points chosen at random; at one point alone it is normal"


def in_twos(rng, shape):
    return np.repeat(rng.standard_normal(shape), 2, axis=0)[:shape[0]]


@pytest.mark.parametrize("noise, said, R", [
    pytest.param(in_strata, SHARED, 60, marks=pytest.mark.slow),
    (centred, ", draws of a point in strata, draws that points share", 60),
    pytest.param(antithetic, SHARED, 150, marks=pytest.mark.slow),
    pytest.param(in_twos, SHARED, 150, marks=pytest.mark.slow)])
def test_a_right_loss_whose_points_share_draws_is_no_mistake(noise, said, R):
    report = verify_own_noise(of("dsm", noise=noise), "dsm", R)
    assert (report.verdict, report.exit_status) == ("INCONCLUSIVE", 3)
    assert said in report.name
    assert report.name.endswith("; with independent draws it can be verified")
    assert ("asked for one point alone: the implementation" in report.notes[-1]) == (said != SHARED)


@pytest.mark.slow
@pytest.mark.parametrize("objective, spread, R, words, verdict, said", [
    ("dsm", 0.3, 60, "signs", "MISMATCH", "its noise is like signs in place of normal noise"),
    ("dsm", 0.3, 60, "normal noise", "INCONCLUSIVE", SHARED),
    ("dsm", 1.0, 200, "uniform noise", "MISMATCH", "its noise is like uniform noise in place of"),
    ("dsm", 1.0, 200, "normal noise", "CONVENTION", "1 / d times the canonical loss"),
    ("dsm", 1.0, 60, "uniform noise", "CONVENTION", "1 / d times the canonical loss"),
    ("dsm", 1.0, 200, "skewed noise", "INCONCLUSIVE", "but at one point alone its values are those "
     "of normal noise with p = "),
    ("ssm", 0.3, 200, "signs", "INCONCLUSIVE", "another law of the directions")])
def test_the_noise_at_one_point_decides(objective, spread, R, words, verdict, said):
    """Replicates of 1 / d times the loss, every other case with another standard deviation."""
    asked, rng = replicates._cases(objective), np.random.default_rng(6)
    right = next(h for h in hypotheses.hypotheses(asked)
                 if (h.mistake, str(h.factor)) == ("", "1 / d"))
    V = np.array([moments.laws(case)[0].variance / case.d**2 for case in asked])
    noise = stats.norm.ppf((np.arange(R) + 0.5) / R)
    laws = {**one_point.LAWS, "skewed noise": lambda rng, shape: rng.exponential(1, shape) - 1}
    values = right.expected[:, None] + np.outer(np.resize([1, spread], 12) * np.sqrt(V), noise)

    def at_one_point(single, replicates):
        assert ([case.n for case in single], replicates) == ([1] * 12, 1600)
        return np.array([one_point._loss(case, "", laws[words], replicates, rng) / case.d
                         for case in single])

    report = replicates._report(asked, values, replicates.ONE, None, replicate=at_one_point)
    assert report.verdict == verdict
    assert said in report.name


@pytest.mark.parametrize("times, convention, verdict, status, said", [
    (1, "constant dropped", "CONVENTION", 0, "the canonical loss without its constant"),
    (1, None, "CONVENTION", 1, "the canonical loss without its constant"),
    (2, "constant dropped; 2", "CONVENTION", 0, "2 times the canonical loss without its constant"),
    (2, "2", "MISMATCH", 1, "2 times the canonical loss without its constant"),
    (-1, None, "MISMATCH", 1, "-1 times the canonical loss without its constant")])
def test_a_constant_may_be_dropped(times, convention, verdict, status, said):
    def loss(case, rng):
        eps = rng.standard_normal(case.x.shape)
        psi = case.score(case.x + case.sigma * eps)
        return times * ((psi * psi).sum(axis=1) / 2 + (psi * eps).sum(axis=1) / case.sigma).mean()

    report = verify_own_noise(loss, "dsm", 60, convention=convention)
    assert (report.verdict, report.exit_status) == (verdict, status)
    assert report.name == f"its expectation is {said}"
    assert report.convention == {1: "constant dropped", 2: "2; constant dropped", -1: ""}[times]
    assert (replicates.UNKNOWN in report.cannot_tell) == (times > 0)


def test_a_constant_that_is_declared_as_dropped_and_is_there_is_a_mismatch():
    report = verify_own_noise(dsm, "dsm", 60, convention="constant dropped")
    assert report.verdict == "MISMATCH"
    assert report.name == ("its expectation is the canonical loss, not the canonical loss without "
                           "its constant as declared")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["noise", "velocity"])
def test_a_prediction_is_read_at_levels_that_are_drawn(kind):
    def loss(case, rng):
        k, eps = rng.integers(case.n, size=case.n), rng.standard_normal(case.x.shape)
        alpha, sigma = case.alpha[k][:, None], case.sigma[k][:, None]
        target = {"noise": eps, "velocity": alpha * eps - sigma * case.x}[kind]
        output = case.prediction(alpha * case.x + sigma * eps, case.sigma[k])
        return ((output - target)**2).sum(axis=1).mean()

    report = verify_own_noise(loss, "dsm", 400, predicts=kind)
    assert report.name == ("its expectation is the canonical loss, at levels drawn from those of "
                           "the case")


@pytest.mark.slow
@pytest.mark.parametrize("noise, verdict, said", [
    (lambda rng, shape: rng.uniform(-3**0.5, 3**0.5, shape), "MISMATCH", "like uniform noise in"),
    (lambda rng, shape: rng.standard_t(5, shape) * 0.6**0.5, "MISMATCH", "5 degrees of freedom"),
    (lambda rng, shape: (rng.chisquare(8, shape) - 8) / 4, "INCONCLUSIVE", "near to it or skewed"),
    (gaussian, "PASS", "")])
def test_an_autoencoder_shows_the_law_of_its_noise(noise, verdict, said):
    def loss(case, rng):
        x_noisy = case.x + case.sigma * noise(rng, case.x.shape)
        return ((case.reconstruct(x_noisy) - case.x)**2).sum(axis=1).mean()

    report = verify_own_noise(loss, "dae")
    assert (report.verdict, said in report.name) == (verdict, True)


def test_more_replicates_are_asked_of_one_point_too():
    asked, of_one_point = replicates._cases("dsm"), []
    right = hypotheses.hypotheses(asked)[0].expected
    V = np.array([moments.laws(case)[0].variance for case in asked])
    noise = stats.norm.ppf((np.arange(1700) + 0.5) / 1700)
    values = right[:, None] + np.outer(np.sqrt(V), noise)

    def at_one_point(single, replicates):
        of_one_point.append(replicates)
        return values

    replicates._report(asked, values, replicates.ONE, None, replicate=at_one_point)
    assert of_one_point == [1700]


def test_one_draw_for_the_whole_batch_is_a_mistake():
    asked = replicates._cases("dsm")
    right = hypotheses.hypotheses(asked)[0].expected
    noise = stats.norm.ppf((np.arange(60) + 0.5) / 60)
    V = [next(law.variance for law in moments.laws(case) if law.words == moments.ONE_DRAW)
         for case in asked]
    report = replicates._report(asked, right[:, None] + np.outer(np.sqrt(V), noise),
                                replicates.ONE, None)
    assert report.verdict == "MISMATCH"
    assert report.name.endswith("times that of independent draws: " + moments.ONE_DRAW)


@pytest.mark.slow
def test_a_law_of_the_noise_is_named_by_its_values_at_one_point():
    report = verify_own_noise(of("dsm", noise=student, factor=lambda case: 1 / case.n), "dsm", 150)
    assert report.verdict == "MISMATCH"
    assert report.name.startswith("its expectation is 1 / n times the canonical loss, but at one ")
    assert "Student's t with 5 degrees of freedom" in report.name


@pytest.mark.slow
def test_signs_are_named_and_have_the_factor_of_a_batch_of_one_point():
    report = verify_own_noise(of("dsm", noise=lambda rng, shape: rng.choice([-1.0, 1.0], shape),
                                 factor=lambda case: 1 / case.n), "dsm", 60)
    assert report.verdict == "MISMATCH"
    assert report.name.endswith("its noise is like signs in place of normal noise")


def offset(rng, shape):
    return rng.standard_normal(shape) + 0.1 * rng.standard_normal((shape[0], 1))


def test_what_is_too_slight_is_said_with_the_replicates_that_it_takes():
    report = verify_own_noise(of("dsm", noise=offset), "dsm", 100)
    assert report.verdict == "PASS"
    words = {words: float(count.partition(" ")[0]) for words, _, count in (
        line.partition(", which is seen with about ") for line in report.cannot_tell) if count}
    assert set(words) == {f"the loss with this mistake: {slight}" for slight in hypotheses.SLIGHT}
    assert all(1e4 < count < 1e5 for count in words.values())


@pytest.mark.parametrize("away, apart, verdict", [
    (0, 60, "PASS"), (0.11, 60, "INCONCLUSIVE"), (1, 60, "MISMATCH"), (0, 5, "PASS")])
def test_what_is_slight_is_named_where_the_right_loss_is_bad(away, apart, verdict, monkeypatch):
    """The means between those of the right loss and of offset noise, so many errors apart."""
    monkeypatch.setattr(replicates, "compared", lambda *given: None)
    asked, slight = replicates._cases("dsm"), hypotheses.SLIGHT[0]
    right, offset = (next(h.expected for h in hypotheses.hypotheses(asked) if h.mistake == mistake)
                     for mistake in ("", slight))
    error = np.linalg.norm(offset / right - 1) / apart * right * np.sqrt(199)
    values = (right + away * (offset - right))[:, None] + error[:, None] * np.tile([1., -1.], 100)
    report = replicates._report(asked, values, replicates.ONE, None)
    assert report.verdict == verdict
    assert (slight in report.name) == (away == 1)
    count = 200 * ((np.sqrt(stats.chi2.isf(1e-9, 12)) + 4) / apart)**2
    assert (f"the loss with this mistake: {slight}, which is seen with about {count:.1g} replicates"
            in report.cannot_tell) == (apart == 5)


@pytest.mark.parametrize("objective, drawn, verdict, said", [
    ("dsm", False, "INCONCLUSIVE", "another law of the noise, draws of a point in strata, draws"),
    ("noise_prediction", True, "INCONCLUSIVE", "(as levels in antithetic pairs or strata), or"),
    ("ssm", False, "INCONCLUSIVE", "another law of the directions, draws of a point in strata, ")])
def test_a_variance_of_no_known_law_is_no_mistake_where_draws_that_are_shared_can_be_right(
        objective, drawn, verdict, said):
    asked = replicates._cases(objective)[:6]
    right = next(h for h in hypotheses.hypotheses(asked) if h.drawn == drawn)
    error = 1e-5 * np.abs(right.expected)[:, None] * np.tile([1.0, -1.0], (len(asked), 100))
    report = replicates._report(asked, right.expected[:, None] + error, replicates.ONE, None)
    assert report.verdict == verdict
    assert said in report.name
    assert report.name.endswith("; with independent draws it can be verified")


@pytest.mark.slow
def test_directions_and_noise_that_the_batch_shares_are_named():
    both = [("ssm", lambda case, rng: ssm(case, rng, lambda rng, shape: np.broadcast_to(
                np.sign(rng.standard_normal((1, *shape[1:]))), shape)), 60,
             "the same directions at every point"),
            ("dae", lambda case, rng: ((case.reconstruct(
                case.x + case.sigma * (eps := rng.standard_normal(case.d))) - case.x)**2)
             .sum(axis=1).mean() + 0 * eps[0], 400, "one draw of noise for the whole batch")]
    for objective, implementation, runs, words in both:
        assert words in verify_own_noise(implementation, objective, runs).name


@pytest.mark.slow
def test_more_draws_at_every_point_are_right():
    report = verify_own_noise(lambda case, rng: np.mean([dsm(case, rng) for _ in range(4)]), "dsm",
                              60)
    assert report.verdict == "PASS"
    assert "the variance is that of the mean of about 5 draws at every point" in report.notes
    single = verify_own_noise(lambda case, rng: ssm(
        case, rng, lambda rng, shape: gaussian(rng, (shape[0], 1, shape[2]))), "ssm", 60)
    assert single.verdict == "PASS"
    assert ("the variance is that of the mean of about 1 direction at every point"
            in single.notes)


def test_antithetic_pairs_are_right():
    def pair(case, rng):
        eps = rng.standard_normal(case.x.shape)
        return np.mean([dsm(case, rng, noise=lambda *_: sign * eps) for sign in (1, -1)])

    report = verify_own_noise(pair, "dsm", 60)
    assert report.verdict == "PASS"
    assert ("the variance is that of the mean of about 1 antithetic pair at every point"
            in report.notes)


@pytest.mark.parametrize("t", [0.3, 1.7, 5.0, 1e10])
def test_the_probability_of_a_distance_is_that_of_students_t(t):
    """Of one case with three replicates: P(|t_2| > t) = 1 - t / s, s = sqrt(2 + t^2)."""
    p = replicates._p(np.array([0.5 * t]), np.array([0.5]), np.zeros((1, 1)), 3)
    s = np.sqrt(2 + t * t)
    assert p == pytest.approx([2 / (s * (s + t))], rel=1e-12, abs=0)


def test_a_distance_beyond_all_numbers_has_no_probability():
    assert replicates._p(np.ones(3), np.full(3, 1e-200), np.zeros((1, 3)), 150) == [0.0]


def test_the_probability_of_distances_is_that_of_their_sum_of_squares():
    """Of two cases with a p of 2 phi(-1) each: P(chi^2_2 > 2) = 1 / e."""
    t = np.array([special.stdtrit(6, special.ndtr(1.0))] * 2)
    p = replicates._p(t, np.ones(2), np.zeros((1, 2)), 7)
    assert p == pytest.approx([np.exp(-1)], rel=1e-12)


# -- every objective whose expectation is known ----------------------------------------------------


def one_bit(case, rng):
    """The pseudo-likelihood of one random bit times d, as scikit-learn computes it."""
    gap = case.energy_gap(case.x)[np.arange(case.n), rng.integers(case.d, size=case.n)]
    return case.d * np.log1p(np.exp(-gap)).mean()


def traced(case, rng):
    v = rng.standard_normal(case.x.shape)
    return ((case.score(case.x)**2).sum(axis=1) / 2
            + np.einsum("ni,nik,nk->n", v, case.score_jacobian(case.x), v)).mean()


def noisy(case, rng):
    y = case.x + case.sigma * rng.standard_normal(case.x.shape)
    return ((case.score(y)**2).sum(axis=1) / 2 + case.score_divergence(y)).mean()


@pytest.mark.slow
@pytest.mark.parametrize("objective, implementation", [("pseudo", one_bit), ("ism", traced),
                                                       ("parzen_ism", noisy)])
def test_what_has_a_known_expectation_can_be_verified_by_it(objective, implementation):
    assert verify_own_noise(implementation, objective).verdict == "PASS"
    half = verify_own_noise(lambda case, rng: implementation(case, rng) / 2, objective)
    assert (half.verdict, half.convention) == ("CONVENTION", "1 / 2")


def test_a_declared_factor_with_the_same_expectation_conforms():
    unit = of("ssm", directions=tolerance, factor=1.0)
    twice = lambda case, rng: unit(case, rng) / case.d                  # noqa: E731
    report = verify_own_noise(twice, "ssm", R["ssm"], convention="1 / d^2")
    assert (report.verdict, report.exit_status) == ("CONVENTION", 0)
    odd = verify_own_noise(lambda case, rng: 3.7 * dsm(case, rng), "dsm", R["dsm"],
                           convention="3.7")
    assert (odd.verdict, odd.exit_status) == ("CONVENTION", 0)


def test_the_command_that_reproduces_draws_again():
    report = verify(dsm, "dsm", own_noise=True, replicates=60, seed=3, convention="2")
    assert report.verdict == "MISMATCH"
    assert report.reproduce.endswith(
        ":dsm --objective dsm --own-noise --replicates 60 --convention 2 --seed 3")
    with pytest.raises(ValueError, match="own_noise takes no gradient"):
        verify(dsm, "dsm", own_noise=True, gradient=True)
    with pytest.raises(ValueError, match="replicates are for own_noise"):
        verify(dsm, "dsm", replicates=60)


@pytest.mark.slow
def test_the_expectations_of_the_autoencoder_do_not_depend_on_the_rule(monkeypatch):
    asked = replicates._cases("dae")[::3]
    coarse = [dict(hypotheses._autoencoder(case)) for case in asked]
    monkeypatch.setattr(hypotheses, "NODES", 24)
    for case, values in zip(asked, coarse):
        for mistake, value in hypotheses._autoencoder(case):
            assert values[mistake] == pytest.approx(value, rel=1e-4), mistake


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["dsm", "dae", "ssm", "ssm_vr"])
def test_no_two_hypotheses_lie_close_but_for_those_that_are_the_same(objective):
    """At the default number of replicates: 200 in chi squared, where p is 1e-9 at 70."""
    asked, rng = replicates._cases(objective), np.random.default_rng(7)
    expected = np.array([h.expected for h in hypotheses.hypotheses(asked)
                         if h.mistake not in hypotheses.SLIGHT])
    repeat_gap = np.array([np.std([of(objective)(case, rng) for _ in range(60)]) for case in asked
                           ]) / np.abs(expected[0]) / np.sqrt(replicates.REPLICATES)
    for k, mine in enumerate(expected):
        gaps = (((expected[:k] - mine) /
                 (repeat_gap * np.maximum(np.abs(mine), np.abs(expected[:k]))))**2).sum(axis=1)
        assert ((gaps > 200) | (gaps < 1e-9)).all()


# -- how it is called ------------------------------------------------------------------------------


def test_the_numbers_of_its_cases_never_change():
    digest = hashlib.sha256()
    for case in (case for name in DRAWING for case in replicates._cases(name)):
        numbers = sorted({**case.checksums, **case.hyper}.items())
        digest.update(f"{case.id} {numbers}".encode())
    assert digest.hexdigest() == PINNED


def test_on_a_schedule_alpha_is_that_of_prime_and_sigma_follows():
    prime, flow = (replicates._cases("dsm_levels", family)[0] for family in ("prime", "flow"))
    np.testing.assert_array_equal(flow.alpha, prime.alpha)
    np.testing.assert_array_equal(flow.sigma, 1 - prime.alpha)


def test_the_randomness_of_a_seed_is_another_integer_at_each_call():
    case = replicates._cases("dsm")[0]
    seeds = replicates._replicates(lambda case, seed: seed, case, 30, np.random.default_rng(0), 20)
    assert len(set(seeds)) == 30
    assert max(seeds) < 2**31
    assert max(seeds) > 2**30


def test_values_that_are_small_differ_beside_their_own_size():
    case, rng = replicates._cases("dsm")[0], np.random.default_rng(0)
    small = replicates._replicates(lambda case, rng: 1e-20 * rng.random(), case, 30, rng, 20)
    assert len(set(small)) == 30
    with pytest.raises(AdapterError, match="in all 30 replicates"):
        replicates._replicates(lambda case, rng: 1e9 + 1e-6 * rng.random(), case, 30, rng, 20)


@pytest.mark.slow
def test_the_case_has_no_noise_in_it():
    seen = []
    verify_own_noise(lambda case, rng: seen.append(case) or rng.standard_normal(), "dsm", 30)
    assert set(seen[0].arrays) == {"x"}
    assert len({case.id for case in seen}) == 12
    seen.clear()
    verify_own_noise(lambda case, rng: seen.append(case) or rng.standard_normal(), "ssm", 30)
    assert set(seen[0].arrays) == {"x"}
    assert {case.n_directions for case in seen} == {11, 17}
    assert {case.id.rpartition("/")[2] for case in seen} == {"t0", "t1"}
    seen.clear()
    verify_own_noise(lambda case, rng: seen.append(case) or rng.standard_normal(), "dae", 30)
    assert {case.d for case in seen} == {3}
    assert len({case.id for case in seen}) == 6


@pytest.mark.slow
def test_the_randomness_comes_as_a_generator_a_seed_or_not_at_all():
    seeds, keys, kinds = [], [], set()
    own = np.random.default_rng(5)
    for implementation in (
            lambda case, seed: seeds.append(seed) or dsm(case, np.random.default_rng(seed)),
            lambda case, key: keys.append(key) or dsm(case, np.random.default_rng(key)),
            lambda case, generator: kinds.add(type(generator)) or dsm(case, generator),
            lambda case: dsm(case, own), lambda case, *, more=1: dsm(case, own)):
        assert verify_own_noise(implementation, "dsm", R["dsm"]).verdict == "PASS"
    assert len(set(seeds)) == len(seeds) == 12 * R["dsm"]
    assert all(type(seed) is int for seed in seeds + keys)
    assert kinds == {np.random.Generator}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_report():
    first, again, other = (str(verify_own_noise(dsm, "dsm", 50, seed=seed)) for seed in (3, 3, 4))
    assert first == again != other


def test_one_whose_signature_is_hidden_is_handed_the_generator():
    assert replicates._argument(iter) == ("rng", False)


@pytest.mark.parametrize("implementation, name, by_name",
                         [(lambda case: 0, "", False), (lambda case, rng: 0, "rng", True),
                          (lambda case, g: 0, "g", True), (lambda case, g, /: 0, "g", False),
                          (lambda case, scale=1.0: 0, "", False),
                          (lambda case, scale=1.0, rng=None: 0, "rng", True),
                          (lambda case, generator=None: 0, "generator", True),
                          (lambda case, seed=0: 0, "seed", True),
                          (lambda case, *, key=None: 0, "key", True),
                          (lambda case, *more, **others: 0, "", False)])
def test_the_randomness_goes_to_an_argument_that_waits_for_it(implementation, name, by_name):
    assert replicates._argument(implementation) == (name, by_name)
    case = replicates._cases("dsm")[0]
    with pytest.raises(AdapterError, match="gave 0 for .* in all 30 replicates"):
        replicates._replicates(implementation, case, 30, np.random.default_rng(0), 20.0)

@pytest.mark.parametrize("implementation, sentence", [
    (lambda case, rng: 2.5,
     "the implementation gave 2.5 for prime/dsm/gaussian/c0/t0 in all 30 replicates: it draws "
     "nothing, or the same each time; an argument called rng or seed is handed new randomness at "
     "every call"),
    (lambda case, rng: dsm(case, np.random.default_rng(1)),
     "in all 30 replicates: it draws nothing, or the same each time"),
    (lambda case, rng: case.x_noisy,
     "the implementation raised AttributeError: case prime/dsm/gaussian/c0/t0 has no x_noisy;"),
    (lambda case, rng: None, "the implementation returned None; it must return a number"),
    (lambda case, rng: case.x.fill(0) or rng.standard_normal(),
     "the implementation modified its input x")
])
def test_one_that_fails_is_a_report(implementation, sentence):
    report = verify_own_noise(implementation, "dsm", 30)
    assert (report.verdict, report.exit_status) == ("BROKEN", 2)
    assert sentence in report.name


def test_the_line_of_the_implementation_is_told():
    def implementation(case, rng):
        return 1 / 0

    assert verify_own_noise(implementation, "dsm", 30).name.endswith(
        f"at test_replicates.py:{implementation.__code__.co_firstlineno + 1}: return 1 / 0")


def test_one_that_hangs_is_stopped():
    def hanging(case, rng):
        while True:
            pass

    assert verify_own_noise(hanging, "dsm", 30,
                            time_limit=0.1).name == "the implementation did not return within 0.1 s"


def test_a_call_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="replicates must be >= 30, but it is 29"):
        verify_own_noise(dsm, "dsm", 29)
    with pytest.raises(ValueError, match="objective must be one of"):
        verify_own_noise(dsm, "gan")
    assert len(cases("dsm", "prime", model="gaussian")) == 30
