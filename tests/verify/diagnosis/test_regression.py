"""Answers regressed on parts: coefficients, their slack, and how badly a formula misses."""
import dataclasses

import numpy as np
import pytest

from refsm.verify import cases
from refsm.verify.mistakes import Formula, formulas
from refsm.verify.diagnosis.precision import FLOAT32, FLOAT64
from refsm.verify.diagnosis.regression import Table, design, fit, fit_all, fit_known
from refsm.verify.cases import value
from refsm.verify.objectives import DIVERGENCE, NORM, Term

SOME = cases("ism", "prime")
TABLE = Table(SOME)
REFERENCE = formulas("ism", "autoencoder")[:1]


def test_rows_are_cells_and_columns_thetas():
    assert TABLE.index.shape == (6, 5)
    assert [SOME[i].group for i in TABLE.index[3]] == ["c3"] * 5
    mean, absolute = TABLE.term(DIVERGENCE)
    assert np.isclose(mean[2, 4], SOME[14].score_divergence(SOME[14].x).mean())
    assert (absolute >= np.abs(mean)).all()
    assert TABLE.term(DIVERGENCE) is TABLE.term(DIVERGENCE)
    assert np.allclose(TABLE.scale, TABLE.term(NORM)[1] + absolute)


def test_incomplete_cells_are_left_out():
    table = Table(SOME[:7])
    assert table.index.tolist() == [[0, 1, 2, 3, 4]]
    assert len(table.groups) == 1


def test_sizes_are_those_that_a_law_may_have():
    assert set(TABLE.sizes[0]) == {"d", "n", "sigma"}
    assert set(Table(cases("ssm", "prime")).sizes[0]) == {"d", "n", "M", "sigma"}
    assert set(Table(cases("regularized", "array")).sizes[0]) == {"d", "n", "strength"}


def test_coefficients_come_back_within_their_slack():
    Y = np.array([value(case) for case in SOME])[TABLE.index]
    (found,) = fit(TABLE, REFERENCE, 3 * Y + 7, FLOAT64)
    assert found.fits
    assert (np.abs(found.coefficients - [3, 3, 7]) <= found.coefficient_error).all()
    assert found.coefficient_error[:, :2].max() < 1e-8
    assert found.misfit < 0.5
    noise = np.random.default_rng(0).uniform(-1, 1, Y.shape)
    (rough,) = fit(TABLE, REFERENCE, Y * (1 + 2.0**-23 * noise), FLOAT32)
    assert rough.fits
    assert (np.abs(rough.coefficients - [1, 1, 0]) <= rough.coefficient_error).all()
    assert not fit(TABLE, REFERENCE, Y * (1 + 2.0**-23 * noise), FLOAT64)[0].fits


def test_a_term_that_is_0_cannot_be_fitted():
    nothing = Term("nothing", "0", lambda q: np.zeros(q.case.n))
    Y = np.array([value(case) for case in SOME])[TABLE.index]
    assert fit(TABLE, [Formula((), (NORM, nothing))], Y, FLOAT64) == []


def test_a_straight_line_through_three_values_by_hand():
    """Y = 2 x + 3 at x = -1, 0, 1, but for one more at 0: the line is 2 x + 10/3, the residuals are
    -1/3, 2/3, -1/3.  With |x| <= 1 a right answer may be off by h (2 + 10/3); P is (-1, 0, 1) / 2
    for the slope and 1/3 each for the intercept.  So it is in other units of x.
    """
    x = np.array([[[-1.0, 0.0, 1.0]], [[1.0, 1.0, 1.0]]])[None, None]       # (F, k, 2, C, T)
    h, Y = 0.25, np.array([[1.0, 4.0, 5.0]])
    tol = h * (2 + 10 / 3)
    for unit in (1, 2.0**-30):
        found, = fit_all(design(REFERENCE, unit * x), Y, lambda size: h * size)
        assert np.allclose(found.coefficients, [[2 / unit, 10 / 3]], rtol=1e-14)
        assert np.allclose(found.coefficient_error, [[tol / unit, tol]], rtol=1e-14)
        assert np.isclose(found.misfit, np.sqrt(2 / 3) / (tol * np.sqrt(3)), rtol=1e-14)
        assert np.isclose(found.distance, np.sqrt(2 / 3) / np.sqrt(42), rtol=1e-14)


def test_a_wrong_formula_misses_by_far():
    Y = np.array([value(case) for case in SOME])[TABLE.index]
    others = [
        f for f in fit(TABLE, formulas("ism", "autoencoder"), Y, FLOAT64)
        if f.formula.mistakes and not f.fits
    ]
    assert min(f.misfit for f in others) > 1e6
    assert min(f.distance for f in others) > 1e-4
    assert len(others) > 300


def test_the_misfit_is_measured_by_what_rounding_allows_and_the_distance_by_the_answers():
    Y = np.random.default_rng(3).standard_normal((6, 5)) * 10.0**np.arange(6)[:, None]
    (found,) = fit(TABLE, REFERENCE, Y, FLOAT32)
    terms = [TABLE.term(NORM), TABLE.term(DIVERGENCE)]
    misfits, distances = [], []
    for k, y in enumerate(Y):
        X = np.array([*(mean[k] for mean, _ in terms), np.ones(5)]).T
        c = np.linalg.lstsq(X, y, rcond=None)[0]
        tol = FLOAT32.relative * (np.array([size[k] for _, size in terms]).T @ np.abs(c[:2])
                                  + abs(c[2]))
        misfits.append(np.linalg.norm(y - X @ c) / np.linalg.norm(tol))
        distances.append(np.linalg.norm(y - X @ c) / np.linalg.norm(y))
    assert np.isclose(found.misfit, max(misfits), rtol=1e-9)
    assert np.isclose(found.distance, max(distances), rtol=1e-9)


def test_a_formula_fits_as_far_as_rounding_goes():
    (found,) = fit(TABLE, REFERENCE, TABLE.reference, FLOAT64)
    assert dataclasses.replace(found, misfit=1.0).fits
    assert not dataclasses.replace(found, misfit=1.5).fits


def test_parts_that_depend_on_each_other_are_not_fitted():
    twice = Formula(("twice",), (NORM, NORM))
    assert fit(TABLE, [twice], np.ones((6, 5)), FLOAT64) == []
    assert len(fit(TABLE, [Formula((), (NORM,))], np.ones((6, 5)), FLOAT64)) == 1


def test_a_term_that_is_nearly_a_constant_is_fitted_from_a_ten_millionth_on():
    for share, kept in ((1.1e-7, 1), (0.9e-7, 0)):
        x = 1 + share * np.array([1.0, -1, 1, -1, 1, -1])
        assert len(design(REFERENCE, np.array([[[[x], [x]]]])).formulas) == kept


@pytest.mark.slow
def test_formulas_that_are_known_are_fitted_as_any_others():
    Y = 3 * TABLE.reference + 7
    known, any_others = fit_known(TABLE, Y, FLOAT64), fit(TABLE, formulas("ism", "autoencoder"), Y,
                                                          FLOAT64)
    assert [(f.formula, f.misfit) for f in known] == [(f.formula, f.misfit) for f in any_others]
    assert TABLE.designs is TABLE.designs


def test_too_few_thetas_fit_nothing():
    table = Table([SOME[i] for i in (0, 1, 2)])
    assert fit(table, REFERENCE, np.ones((1, 3)), FLOAT64) == []
    assert len(fit(Table(SOME[:4]), REFERENCE, np.ones((1, 4)), FLOAT64)) == 1


def test_terms_that_nearly_depend_on_each_other_are_met_as_well_as_others():
    """The residual is a projection: it does not grow with the condition of the terms."""
    table = Table(cases("multi_level", "prime"))
    formula = next(f for f in formulas("multi_level", "gaussian")
                   if [m.id for m in f.mistakes] == ["weight.variance"])
    values = [table.term(term)[0] for term in (*formula.terms, formula.constant)]
    found, = fit(table, [formula], sum(values), FLOAT64)
    assert found.misfit < 0.1


def test_a_coefficient_may_be_off_by_the_rounding_of_the_largest_answer():
    """Answers between 1e-3 and 1e3: what the decomposition rounds is as large in all rows."""
    rng = np.random.default_rng(2)
    columns = 10.0**np.linspace(-3, 3, 6)[:, None] * rng.standard_normal((6, 2))
    X = np.array([[a, np.abs(a)] for a in columns.T])[None, :, :, None]          # (F, k, 2, C, T)
    Y = (columns @ [0.3, 0.7])[None]
    (found,) = fit_all(design(REFERENCE, X), Y, FLOAT64)
    size = np.abs(columns) @ [0.3, 0.7]
    P = np.abs(np.linalg.pinv(np.column_stack([columns, np.ones(6)])))
    expected = P @ (FLOAT64(size) + 8 * 2.0**-53 * size.max())
    np.testing.assert_allclose(found.coefficient_error[0], expected, rtol=1e-6)
