"""A mistake under a weight of its level is named beside the weight."""
import numpy as np
import pytest

from refsm.verify import cases, verify
from refsm.verify.diagnosis import diagnose
from refsm.verify.diagnosis.precision import FLOAT32, FLOAT64
from refsm.verify.diagnosis.regression import table_of
from refsm.verify.diagnosis.weighted_mistake import weighted_mistake
from refsm.verify.mistakes import formulas


def column(a):
    return a[:, None]


def residual(case):
    return case.score(case.x_noisy) + case.noise / column(case.sigma)


def off(case):
    return case.prediction(case.x_noisy) - case.noise


def min_snr(case):
    return np.minimum(5 * case.sigma**2 / case.alpha**2, 1)


def rows(objective):
    """The reference and some of its mistakes."""
    reference, *wrong = formulas(objective, "tanh")
    return [reference, *(formula for formula in wrong
                         if formula.mistakes[0].role in ("dimensions", "square", "points"))]


def found(loss, objective="dsm_levels", tolerance=FLOAT64):
    table = table_of(tuple(cases(objective, "prime")))
    Y = np.array([loss(case).mean() for case in table.cases])[table.index]
    return weighted_mistake(table, rows(objective), Y, tolerance)


@pytest.mark.parametrize("objective, loss, words", [
    ("dsm_levels", lambda c: 7 * c.sigma**2 * (residual(c)[:, 1:]**2).sum(axis=1) / 2,
     "the first dimension left out; each level is weighted by sigma^2; a common factor 7"),
    ("dsm_levels", lambda c: c.alpha * np.log((residual(c)**2).sum(axis=1)),
     "the logarithm of the squared norm; each level is weighted by alpha"),
    ("noise_prediction", lambda c: min_snr(c) * off(c)[:, 0]**2,
     "only the first dimension; each level is weighted by min(snr, 5) / snr: min-SNR with "
     "gamma = 5 on the noise"),
    ("velocity_prediction", lambda c: c.sigma * np.abs(
        c.prediction(c.x_noisy) - column(c.alpha) * c.noise + column(c.sigma) * c.x).sum(axis=1),
     "absolute values in place of squares; each level is weighted by sigma")])
def test_a_mistake_and_a_weight_are_named_together(objective, loss, words):
    both = found(loss, objective)
    assert both.words == words
    (own,) = {row.effect for formula in rows(objective) for row in formula.mistakes
              if row.words == both.target}
    assert both.effects == (own,)


@pytest.mark.parametrize("loss", [
    lambda c: (c.sigma - 0.6) * (residual(c)[:, 1:]**2).sum(axis=1),          # of both signs
    lambda c: c.sigma**2 * (residual(c)[:-1, 1:]**2).sum(axis=1)[:1],         # not all points
    lambda c: c.sigma * np.sin((residual(c)**2).sum(axis=1)),                 # no row
    lambda c: c.sigma * np.abs((residual(c) * np.arange(c.d)).sum(axis=1))])
def test_nothing_is_named_that_the_answers_do_not_prove(loss):
    assert found(loss) is None


def test_answers_in_single_precision_are_named_as_those_in_double():
    def loss(c):
        return c.sigma**2 * (residual(c)[:, 1:]**2).sum(axis=1)

    def single(c):
        return np.float32(loss(c))

    assert found(single, tolerance=FLOAT32).words == found(loss).words


def test_a_norm_and_a_product_with_other_weights_are_not_one_weight():
    def loss(c):
        psi, g = c.score(c.x_noisy)[:, 1:], -(c.noise / column(c.sigma))[:, 1:]
        return c.sigma**2 * (psi**2).sum(axis=1) / 2 - c.sigma * (psi * g).sum(axis=1)

    assert found(loss) is None


def test_an_objective_without_a_level_for_each_point_has_no_such_weight():
    table = table_of(tuple(cases("dsm", "prime")))
    assert weighted_mistake(table, formulas("dsm", "autoencoder"), table.reference, FLOAT64) is None


@pytest.mark.slow
def test_the_report_says_both(monkeypatch):
    monkeypatch.setattr(diagnose, "formulas", lambda objective, model: rows(objective))
    report = verify(lambda c: c.sigma**2 * (residual(c)[:, 1:]**2).sum(axis=1) / 2, "dsm_levels",
                    family="prime")
    assert (report.verdict, report.factor) == ("MISMATCH", "1")
    assert report.name == "the first dimension left out; each level is weighted by sigma^2"
    assert report.consequences[0] == ("the first dimension is not constrained, except through the "
                                      "parameters that dimensions share")
