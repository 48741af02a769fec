"""Formulas with at most two mistakes, each another function than the reference."""
import numpy as np
import pytest

from refsm.verify import cases
from refsm.verify.mistakes import formulas
from refsm.verify.mistakes.mistake import DIMENSIONS, SQUARES
from refsm.verify.cases.quantities import Quantities
from refsm.verify.diagnosis.regression import Table
from refsm.verify.objectives import OBJECTIVES, model_names


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_formula_but_the_first_has_one_or_two_mistakes(objective):
    about = OBJECTIVES[objective]
    for model in (*model_names(objective), None):
        first, *others = formulas(objective, model)
        assert (first.mistakes, first.terms, first.constant) == ((), about.terms, about.constant)
        assert {len(f.mistakes) for f in others} <= {1, 2}
        assert len({words(f) for f in others}) == len(others)
        assert len(others) > (25 if about.levels or objective == "generalized" else 100)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_mistake_has_one_identity_and_one_name_in_words(objective):
    for model in (*model_names(objective), None):
        rows = {(m.id, m.words) for f in formulas(objective, model) for m in f.mistakes}
        identities, said = {identity for identity, _ in rows}, {words for _, words in rows}
        assert len(identities) == len(rows)
        assert len(said) == len(rows)
        assert not any(";" in text for text in identities | said)
        assert all("." in identity for identity in identities)
        assert all(said)


@pytest.mark.parametrize("objective, identities", [
    ("dsm", ""), ("ism", ""), ("dae", "square.cross-entropy"),
    ("ssm", "directions.unit divergence.directions-unit norm.directions-unit "
     "norm.variance-reduced"),
    ("ratio", "bits.first gap.half gap.minus-spins gap.spins")])
def test_these_were_seen_before_and_no_others(objective, identities):
    model = model_names(objective)[0]
    seen = {m.id for f in formulas(objective, model) for m in f.mistakes if m.seen}
    assert sorted(seen) == identities.split()


@pytest.mark.parametrize("objective, identities", [
    ("dae", ["point.x - sigma noise"]), ("ratio", ["link.flow", "link.pseudo"]),
    ("dsm", ["noisy.x - sigma noise", "target.parzen", "variate.clean"]), ("esm", [])])
def test_beside_fewer_points_these_keep_the_minimiser_and_no_others(objective, identities):
    model = model_names(objective)[0]
    same = {m.id for f in formulas(objective, model) for m in f.mistakes
            if m.same and m.role != "points"}
    assert sorted(same) == identities


@pytest.mark.parametrize("objective", [
    pytest.param(name, marks=() if name in ("dsm", "ism", "ratio", "dsm_levels", "multi_level")
                 else pytest.mark.slow) for name in OBJECTIVES])
def test_parts_with_one_name_are_one_function(objective):
    case = cases(objective, "prime", model=model_names(objective)[-1])[3]
    q, seen = Quantities(case), {}
    for formula in formulas(objective, case.model):
        for term in formula.terms:
            value = np.mean(term.per_sample(q))
            assert np.isclose(seen.setdefault(term.name, value), value, rtol=1e-9), term.name
    values = np.array(list(seen.values()))
    assert len(np.unique(np.round(values, 9))) > 0.8 * len(values)


def words(formula):
    return tuple(mistake.words for mistake in formula.mistakes)


def test_what_is_not_a_square_by_hand():
    r = np.array([[3.0, -4.0], [0.0, 0.5]])
    by_hand = {
        "|r|": [5, 0.5], "sqrt(mean |r|^2)": [np.sqrt(12.625)], "sum |r_i|": [7, 0.5],
        "(sum r_i)^2": [1, 0.25], "|mean r|^2": [2.25 + 3.0625], "max r_i^2": [16, 0.25],
        "sum r_i": [-1, 0.5], "|r|^4": [625, 0.0625], "sum r_i^4": [337, 0.0625],
        "log |r|^2": np.log([25, 0.25]), "log mean |r|^2": [np.log(12.625)], "huber(r)": [6, 0.125],
        "sum log cosh r_i": [np.log(np.cosh(3) * np.cosh(4)), np.log(np.cosh(0.5))],
        "|r - mean r|^2": [2.25 + 5.0625] * 2}
    assert {name for _, _, name, *_ in SQUARES} == set(by_hand)
    for _, _, name, f, *_ in SQUARES:
        assert np.allclose(f(r), by_hand[name]), name


def test_coordinates_are_slices_of_three_or_more():
    chosen = {words: list(range(5))[rows] for _, words, _, rows, _ in DIMENSIONS}
    assert chosen == {"only the first dimension": [0], "only the first two dimensions": [0, 1],
                      "the last dimension left out": [0, 1, 2, 3], "only the last dimension": [4],
                      "the first dimension left out": [1, 2, 3, 4]}


def test_array_cases_leave_out_what_they_cannot_say():
    table = Table(cases("dsm", "array"))
    names = {mistake for f in formulas("dsm", None) for mistake in words(f)}
    assert not any(
        "the score is read at" in name or "a term too many" in name or "left out is" in name
        for name in names)
    assert all(table.term(term) is not None for f in formulas("dsm", None) for term in f.terms)


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_formula_can_be_evaluated_or_left_out_on_every_model(objective):
    for model in model_names(objective):
        table = Table(cases(objective, "prime", model=model))
        terms = {term for f in formulas(objective, model) for term in f.terms}
        shapes = {values[0].shape for term in terms if (values := table.term(term)) is not None}
        assert shapes == {table.index.shape}


def found(objective, mistake, index=24):
    """A case, and the terms of the formula with this mistake alone."""
    case = cases(objective, "prime")[index]
    q = Quantities(case)
    formula = next(f for f in formulas(objective, case.model) if words(f) == (mistake,))
    return case, sum(
        term.per_sample(q)
        for term in (*formula.terms, *([formula.constant] if formula.constant else [])))


def test_absolute_values_of_a_loss_by_hand():
    some = [(case.score(case.x)**2).sum(axis=1) / 2 + case.score_divergence(case.x)
            for case in cases("ism", "prime")]
    k = next(k for k, each in enumerate(some) if each.mean() < 0)
    assert np.isclose(found("ism", "the absolute value of the loss", k)[1].mean(), -some[k].mean())
    k = next(k for k, each in enumerate(some) if each.min() < 0 < each.max())
    assert np.isclose(
        found("ism", "the absolute value of the loss of every point", k)[1].mean(),
        np.abs(some[k]).mean())
    assert np.ptp(np.sign(some[k])) == 2
    assert not any("absolute value of the loss" in mistake
                   for name in ("dsm", "ratio")
                   for f in formulas(name,
                                     cases(name, "prime")[0].model)
                   for mistake in words(f))
