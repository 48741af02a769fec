"""The noise levels of the cases: alpha and sigma apart, or on a schedule."""
import numpy as np
import pytest

from refsm.verify import verify
from refsm.verify.cases import cases, value
from refsm.verify.cases.levels import OF_POINTS, SCHEDULES, levels_of_family
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.on_a_schedule import on_a_schedule
from refsm.verify.report.report import Report, Row

HAVE_ALPHA = [name for name, about in OBJECTIVES.items() if "alpha" in about.given]
SUM = {"vp": lambda alpha, sigma: alpha**2 + sigma**2, "flow": lambda alpha, sigma: alpha + sigma,
       "ve": lambda alpha, sigma: alpha, "subvp": lambda alpha, sigma: alpha**2 + sigma}


@pytest.mark.parametrize("family", SCHEDULES)
def test_on_a_schedule_alpha_gives_sigma_and_nowhere_else(family):
    for objective in HAVE_ALPHA:
        for case in (c for c in cases(objective, family) if c.id.endswith("/t0")):
            np.testing.assert_allclose(SUM[family](case.alpha, case.sigma), 1, rtol=1e-15)
            alpha, sigma = (np.reshape(a, (-1,) + (1,) * (case.x_noisy.ndim - 1))
                            for a in (case.alpha, case.sigma))
            clean = alpha * case.x
            np.testing.assert_allclose(case.x_noisy - clean, sigma * case.noise, atol=1e-14)
    for alpha, sigma in levels_of_family("prime"):
        assert abs(SUM[family](alpha, sigma) - 1) > 0.003
    assert len(np.unique(levels_of_family(family), axis=0)) == 5


def test_every_case_has_three_levels_at_least():
    assert set(OF_POINTS[:7]) == {0, 1, 2}


def preserving(case):
    """The velocity of code that knows alpha^2 alone, as a mean over dimensions."""
    alpha, sigma = case.alpha[:, None], np.sqrt(1 - case.alpha**2)[:, None]
    output = case.prediction(alpha * case.x + sigma * case.noise)
    return ((output - (alpha * case.noise - sigma * case.x))**2).mean(axis=1)


def straight(case):
    """The velocity from noise (t = 0) to data (t = 1), of code that knows t = 1 - sigma alone."""
    t = 1 - case.sigma[:, None]
    output = -case.prediction(t * case.x + (1 - t) * case.noise)
    return ((output - (case.x - case.noise))**2).sum(axis=1)


def exploding(case):
    """The clean point from x + sigma noise, of code that has no alpha, weighted by 1 / sigma^2."""
    sigma = case.sigma[:, None]
    output = case.prediction(case.x + sigma * case.noise)
    return ((output - case.x)**2 / sigma**2).mean(axis=1)


def below_preserving(case):
    """The score of sub-VP code that knows alpha alone."""
    alpha, sigma = case.alpha[:, None], 1 - case.alpha[:, None]**2
    score = case.score(alpha * case.x + sigma * case.noise)
    return ((score + case.noise / sigma)**2).sum(axis=1)


ON_ITS_SCHEDULE = pytest.mark.parametrize("loss, objective, family, verdict, name", [
    pytest.param(preserving, "velocity_prediction", "vp", "CONVENTION", "a factor 1 / d (mean over",
                 marks=pytest.mark.slow),
    pytest.param(exploding, "clean_prediction", "ve", "CONVENTION", "each level is weighted by "
                 "1 / sigma^2", marks=pytest.mark.slow),
    (below_preserving, "dsm_levels", "subvp", "CONVENTION", "a factor 2 (without the 1/2)"),
    (straight, "flow_prediction", "flow", "PASS", "every answer is the reference's")])


@ON_ITS_SCHEDULE
def test_code_that_computes_sigma_from_alpha_is_right_on_its_schedule(loss, objective, family,
                                                                     verdict, name):
    report = verify(loss, objective, family=family)
    assert (report.verdict, report.name[:len(name)]) == (verdict, name)


@pytest.mark.slow
@ON_ITS_SCHEDULE
def test_on_independent_levels_its_family_is_said(loss, objective, family, verdict, name):
    report = verify(loss, objective)
    assert report.verdict == "MISMATCH"
    assert report.notes[-1].startswith(f"code whose levels have {SCHEDULES[family][0]} is for "
                                       f"--family {family}: there the verdict is {verdict}, {name}")


@pytest.mark.slow
@pytest.mark.parametrize("loss, objective, family", [
    (preserving, "velocity_prediction", "flow"), (preserving, "velocity_prediction", "prime"),
    (straight, "flow_prediction", "vp"), (straight, "flow_prediction", "prime")])
def test_a_family_that_is_asked_for_is_the_only_one(loss, objective, family):
    report = verify(loss, objective, family=family)
    assert report.verdict in ("MISMATCH", "UNEXPLAINED")
    assert not any("--family" in note for note in report.notes)


def asked_after(verdict, objective="velocity_prediction", there="UNEXPLAINED", name="as it was",
                known=None, differs=True):
    """The families that are asked after a verdict, and the report."""
    asked = []

    def ask(family, search):
        asked.append(family)
        return Report(known or there if search == "known" else there, objective, "a factor 2")

    report = Report(verdict, objective, name, rows=(Row("value", 1.0, 2.0, ""),) * differs)
    return asked, on_a_schedule(report, ask)


def test_a_schedule_is_asked_where_a_loss_differs_and_has_an_alpha():
    for verdict, objective in (("PASS", "dsm_levels"), ("BROKEN", "dsm_levels"),
                               ("CONVENTION", "dsm_levels"), ("UNEXPLAINED", "edm_prediction")):
        assert asked_after(verdict, objective)[0] == []
    nan = "per_sample must be finite, but it has nan at (2,)"          # its sigma is above 1
    assert asked_after("BROKEN", name=nan)[0] == [*SCHEDULES]
    assert asked_after("MISMATCH", differs=False)[0] == []             # gradients or points alone
    for verdict in ("MISMATCH", "UNEXPLAINED"):
        asked, report = asked_after(verdict)
        assert (asked, report.notes) == ([*SCHEDULES], ())
        asked, report = asked_after(verdict, there="CONVENTION")
        assert (asked, report.verdict, report.name) == (["vp", "vp"], verdict, "as it was")
        assert report.notes[-1].endswith("--family vp: there the verdict is CONVENTION, a factor 2")
        asked, report = asked_after(verdict, there="CONVENTION", known="MISMATCH")
        assert (asked, report.notes) == ([f for f in SCHEDULES for _ in range(2)], ())


@pytest.mark.slow
def test_cases_that_are_given_are_the_only_ones():
    given = cases("dsm_scaled", "prime")
    families = set()

    def wrong(case):
        families.add(case.family)
        return value(case)**2

    verify(wrong, "dsm_scaled", cases=given)
    assert families == {"prime"}
    verify(wrong, "dsm_scaled")
    assert families == {"prime", *SCHEDULES}


@pytest.mark.parametrize("settings, sentence", [
    ({"objective": "dsm"}, "the family vp has no cases of dsm, which has no alpha"),
    ({"objective": "dsm", "own_noise": True}, "the family vp has no cases of dsm, which has no "),
    ({"objective": "dsm", "own_noise": True, "family": "paper"},
     "family must be one of prime, vp, flow, ve, subvp with own_noise, but it is 'paper'")])
def test_a_family_without_cases_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        verify(value, **{"family": "vp", **settings})


def of_own(family):
    """The report on the velocity with a network of one's own."""
    def network(x, theta):
        return np.tanh(x @ theta["B"]) @ theta["A"]

    def parameters(d, rng):
        return {"A": rng.standard_normal((6, d)), "B": rng.standard_normal((d, 6))}

    return verify(preserving, "velocity_prediction", family=family, network=network,
                  parameters=parameters)


@pytest.mark.slow
def test_a_network_of_ones_own_has_cases_on_a_schedule_too():
    assert of_own("vp").factor == "1 / d"
    assert of_own(None).verdict in ("MISMATCH", "UNEXPLAINED")


def test_a_network_of_ones_own_has_no_cases_of_another_family():
    with pytest.raises(ValueError, match="family must be one of prime, vp, flow, ve, subvp with a "
                                         "network of your own, but it is 'array'"):
        of_own("array")
