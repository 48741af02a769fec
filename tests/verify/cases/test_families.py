"""How cases are made: exact where they are small, varied where they must tell mistakes apart."""
from fractions import Fraction

import numpy as np
import pytest

from refsm.verify.cases import cases, value
from refsm.verify.cases.families import FAMILIES, GROUPS, HIDDEN
from refsm.verify.objectives import OBJECTIVES, model_names


@pytest.mark.parametrize("objective", ["esm", "ism", "regularized", "dsm", "dae"])
def test_paper_values_are_dyadic(objective):
    for case in cases(objective, "paper"):
        exact = Fraction(value(case))
        assert exact.denominator <= 2**12
        assert exact.denominator & (exact.denominator - 1) == 0


def test_a_paper_value_by_hand():
    case = cases("dsm", "paper")[0]
    # psi = -x_noisy and target = -4 (noise / 2): half the mean of |x + noise / 2 - 2 noise|^2
    r = case.x - 1.5 * case.noise
    assert value(case) == (r * r).sum() / 8 == 3.75


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_thetas_of_a_group_differ_enough_to_regress_on(objective):
    for model in model_names(objective):
        made = cases(objective, "prime", model=model)
        from refsm.verify.diagnosis.regression import Table
        table = Table(made)
        columns = np.stack([
            *(table.term(term)[0] for term in OBJECTIVES[objective].terms),
            np.ones(table.index.shape)
        ], axis=-1)
        scaled = columns / np.sqrt((columns**2).sum(axis=1, keepdims=True))
        assert np.linalg.svd(scaled, compute_uv=False)[:, -1].min() > 1e-4, model


def test_sizes_are_different_and_small():
    assert {c.d for c in GROUPS} == {3, 5}
    assert {c.n for c in GROUPS} == {7, 13}
    assert {c.M for c in GROUPS} == {11, 17}
    assert {c.sigma for c in GROUPS} == {0.37, 0.61, 1.3}
    assert HIDDEN == 6
    assert set(FAMILIES) == {"paper", "prime", "vp", "flow", "ve", "subvp", "array"}


def test_parameters_satisfy_what_their_models_ask():
    for case in cases("ism", "prime", model="mixture"):
        assert np.isclose(case.params["weights"].sum(), 1)
        assert (case.params["weights"] > 0).all()
        assert (case.params["scales"] >= 0.5).all()
    for case in cases("ism", "prime", model="gaussian"):
        assert np.array_equal(case.params["precision"], case.params["precision"].T)
    for case in cases("ratio", "prime"):
        assert np.array_equal(case.params["W"], case.params["W"].T)
        assert not np.diag(case.params["W"]).any()
        assert set(np.unique(case.x)) == {0.0, 1.0}
