"""Formulas with at most two mistakes, each another function than the reference."""
import numpy as np
import pytest

from refsm.verify import cases
from refsm.verify.mistakes import formulas
from refsm.verify.mistakes.mistake import DIMENSIONS
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
    ("ssm", "directions.unit norm.variance-reduced"), ("ssm_vr", ""),
    ("ratio", "bits.first gap.half gap.minus-spins gap.spins")])
def test_these_were_seen_before_and_no_others(objective, identities):
    model = model_names(objective)[0]
    seen = {m.id for f in formulas(objective, model) for m in f.mistakes if m.seen}
    assert sorted(seen) == identities.split()


@pytest.mark.parametrize("objective, identities", [
    ("dae", ["point.x - sigma noise"]), ("ratio", ["gap.kept", "link.flow", "link.pseudo"]),
    ("dsm", ["noisy.x - sigma noise", "target.parzen", "variate.clean"]), ("esm", []),
    ("ssm", ["divergence.diagonal-along", "divergence.exact", "norm.entries-along",
             "norm.variance-reduced"])])
def test_beside_points_and_directions_these_keep_the_minimiser_and_no_others(objective, identities):
    model = model_names(objective)[0]
    same = {m.id for f in formulas(objective, model) for m in f.mistakes
            if m.same and m.role != "points" and "directions" not in m.id}
    assert sorted(same) == identities


@pytest.mark.parametrize("objective", [
    pytest.param(name, marks=() if name in ("dsm", "ratio", "dsm_levels", "multi_level")
                 else pytest.mark.slow) for name in OBJECTIVES])
def test_parts_with_one_name_are_one_function(objective):
    case = cases(objective, "prime", model=model_names(objective)[-1])[3]
    seen = {}
    for formula in formulas(objective, case.model):
        for term in formula.terms:
            value = np.mean(term.per_sample(Quantities(case)))
            assert np.isclose(seen.setdefault(term.name, value), value, rtol=1e-9), term.name
    values = np.array(list(seen.values()))
    assert len(np.unique(np.round(values, 9))) > 0.8 * len(values)


def words(formula):
    return tuple(mistake.words for mistake in formula.mistakes)


def test_coordinates_are_slices_of_three_or_more():
    chosen = {words: list(range(5))[rows] for _, words, _, rows, _ in DIMENSIONS}
    assert chosen == {"only the first dimension": [0], "only the first two dimensions": [0, 1],
                      "the last dimension left out": [0, 1, 2, 3], "only the last dimension": [4],
                      "the first dimension left out": [1, 2, 3, 4],
                      "only every second dimension, from the first": [0, 2, 4],
                      "only every second dimension, from the second": [1, 3]}


def test_array_cases_leave_out_what_they_cannot_say():
    table = Table(cases("dsm", "array"))
    names = {mistake for f in formulas("dsm", None) for mistake in words(f)}
    assert not any(
        "the score is read at" in name or "an extra term" in name or "left out is" in name
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


@pytest.mark.parametrize("objective, model, has_sigma", [
    ("esm", "mixture", False), ("esm", "autoencoder", True), ("dsm", "mixture", True)])
def test_a_target_is_multiplied_by_sigma_where_there_is_one(objective, model, has_sigma):
    made = {m.id for f in formulas(objective, model) for m in f.mistakes}
    assert "target.double" in made
    assert ("target.sigma" in made) == has_sigma


def test_a_loss_that_cannot_be_negative_has_no_absolute_value():
    for name in ("dsm", "ratio"):
        roles = {m.role for f in formulas(name, model_names(name)[0]) for m in f.mistakes}
        assert "points" in roles
        assert "loss" not in roles
