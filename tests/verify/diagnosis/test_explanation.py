"""Scalings of coefficients are read as a factor, changes and a constant."""
from dataclasses import replace

import numpy as np
import pytest

from refsm.verify import cases
from refsm.verify.mistakes import formulas
from refsm.verify.diagnosis.scaling import ONE, ZERO, parse_scaling
from refsm.verify.diagnosis.precision import FLOAT32, FLOAT64
from refsm.verify.diagnosis.explanation import (Change, multiple, predicted, explanations,
                                                the_reference)
from refsm.verify.diagnosis.regression import fit, table_of
from refsm.verify.objectives import DIVERGENCE, NORM

DSM, ISM, REGULARIZED, RATIO = (
    table_of(tuple(cases(name, "prime"))) for name in ("dsm", "ism", "regularized", "ratio"))


@pytest.mark.parametrize("objective", ["dsm", "flow_prediction"])
def test_a_small_extra_term_in_single_precision_is_named_where_it_is_the_same_in_all_groups(
        objective):
    table = table_of(tuple(cases(objective, "prime")))
    (formula,) = (f for f in formulas(objective, table.model)
                  if [m.id for m in f.mistakes] == ["extra.(1 - cos(output, target))"])
    Y = (table.reference + 0.1 * table.term(formula.terms[2])[0]).astype(np.float32).astype(float)
    (found,) = fit(table, [formula], Y, FLOAT32)
    rough = found.coefficient_error[:, 2] / np.abs(found.coefficients[:, 2])
    e = explanations(table, found, Y, FLOAT32)[0]
    assert rough.max() > 0.1                                       # no law is read from these
    assert (e.factor, e.changes[0].what) == (ONE, "extra")
    assert 0.07 < e.changes[0].scaling.prefactor < 0.13
    for error, enough in ((0.025, True), (0.04, False)):
        rough = np.where(np.arange(4) == 2, error, found.coefficient_error)
        known = replace(found, coefficient_error=rough)
        assert bool(explanations(table, known, Y, FLOAT32)) == enough
    varied = (1 + 9 * np.arange(6))[:, None] * table.term(formula.terms[2])[0]
    (found,) = fit(table, [formula], table.reference + varied * 0.1, FLOAT32)
    assert explanations(table, found, table.reference + varied * 0.1, FLOAT32) == []


def answers(table, scalings, constant=None, added=None):
    """The reference's terms of a table, each times its law."""
    reference = formulas(table.objective, table.model)[0]
    scaled = [
        np.array([parse_scaling(scaling)(s) if scaling != "0" else 0.0
                  for s in table.sizes])[:, None] * table.term(term)[0]
        for scaling, term in zip(scalings, reference.terms)
    ]
    if constant is not None:
        scaled.append(
            np.array([parse_scaling(constant)(s) if constant != "0" else 0.0
                      for s in table.sizes])[:, None] * table.term(reference.constant)[0])
    if added is not None:
        scaled.append(
            np.array([parse_scaling(added)(s) for s in table.sizes])[:, None] * np.ones(5))
    return sum(scaled)


def read(table, *args, **kwargs):
    Y = answers(table, *args, **kwargs)
    (found,) = fit(table, formulas(table.objective, table.model)[:1], Y, FLOAT64)
    made = explanations(table, found, Y, FLOAT64)
    assert all(np.allclose(predicted(table, r)[0], Y, rtol=1e-7) for r in made)
    return made


@pytest.mark.parametrize("scalings, constant, line",
                         [(("1", "1"), "1", "1"), (("2", "2"), "2", "2"),
                          (("sigma^2", "sigma^2"), "sigma^2", "sigma^2"),
                          (("1", "1"), "0", "constant dropped"),
                          (("2", "2"), "0", "2; constant dropped"),
                          (("1", "-1"), "1", "target x -1"),
                          (("1", "sigma"), "sigma^2", "target x sigma"),
                          (("1", "0"), "0", "target x 0"),
                          (("sigma^4", "sigma^2"), "1", "score x sigma^2"),
                          (("2", "2 sigma"), "2 sigma^2", "2; target x sigma"),
                          (("1", "0.9"), "1", "cross x 0.9"), (("2", "1"), "1", "norm x 2"),
                          (("1", "1"), "2", "constant x 2"), (("-1", "-1"), "-1", "loss x -1"),
                          (("1", "2"), "0", "cross x 2; constant dropped"),
                          (("-2", "-2"), "-2", "2; loss x -1")])
def test_a_squared_residual_is_read(scalings, constant, line):
    assert read(DSM, scalings, constant)[0].convention == line


@pytest.mark.parametrize("scalings, line", [(("1", "1"), "1"), (("1 / 2", "1 / 2"), "1 / 2"),
                                            (("1 / d", "1 / d"), "1 / d"),
                                            (("2", "1"), "norm x 2"),
                                            (("2 / d", "1 / d"), "1 / d; norm x 2"),
                                            (("1", "-1"), "divergence x -1"),
                                            (("1", "0"), "divergence x 0"),
                                            (("0", "1"), "norm x 0"),
                                            (("2", "1 / d"), "norm x 2; divergence x 1 / d"),
                                            (("-1", "-1"), "loss x -1"),
                                            (("n", "n / d"), "n; divergence x 1 / d")])
def test_a_norm_and_a_divergence_are_read(scalings, line):
    assert read(ISM, scalings)[0].convention == line


def test_a_factor_that_most_terms_share_is_common():
    assert read(REGULARIZED, ("2", "2", "1"))[0].convention == "2; penalty x 1 / 2"
    assert read(REGULARIZED, ("1", "2", "1"))[0].convention == "divergence x 2"


def test_a_negative_factor_of_a_single_term_is_the_sign_of_the_loss():
    assert read(RATIO, ("-2",))[0].convention == "2; loss x -1"


def test_a_coefficient_is_read_where_it_is_known_to_a_twentieth():
    Y = answers(ISM, ("1", "2"))
    (found,) = fit(ISM, formulas("ism", "autoencoder")[:1], Y, FLOAT64)
    for error, lines in ((0.08, ["divergence x 2"]), (0.12, [])):
        rough = replace(found, coefficient_error=found.coefficient_error + [0, error, 0])
        assert [e.convention for e in explanations(ISM, rough, Y, FLOAT64)][:1] == lines


def test_a_constant_of_no_scaling_costs_more_than_one_mistake_and_less_than_two():
    costs = {name: replace(read(DSM, ("1", "1"), "1")[0], constant=name).complexity
             for name in ("none", "kept", "dropped", "added", "other")}
    assert costs["none"] == costs["kept"] == 0 < costs["dropped"]
    assert costs["dropped"] < Change("norm", ONE).complexity < costs["added"]
    known, base = formulas("dsm", "autoencoder"), read(DSM, ("1", "1"), "1")[0]
    one, two = (replace(base, fit=replace(base.fit, formula=next(
        f for f in known if len(f.mistakes) == k))).complexity for k in (1, 2))
    assert costs["added"] < one < costs["other"] < two


def test_a_multiple_of_the_constant_is_read_within_the_error_of_the_ratio():
    Y = answers(DSM, ("1", "1"), "2")
    (found,) = fit(DSM, formulas("dsm", "autoencoder")[:1], Y, FLOAT64)
    K = found.coefficients[:, -1:] / 2
    rough = replace(found, coefficient_error=np.hstack([found.coefficient_error[:, :-1], 0.15 * K]))
    assert explanations(DSM, rough, Y, FLOAT64)[0].convention == "constant x 2"


def test_constants_that_are_added_are_read():
    assert read(DSM, ("1", "1"), "1",
                "-d / (2 sigma^2)")[0].convention == "constant + -d / (2 sigma^2)"
    assert read(ISM, ("1", "1"), added="d / sigma^2")[0].convention == "constant + d / sigma^2"
    Y = answers(ISM, ("1", "1")) + np.array([3.1, -2.2, 0.7, 5.3, 1.9, -4.0])[:, None]
    (found,) = fit(ISM, formulas("ism", "autoencoder")[:1], Y, FLOAT64)
    best = explanations(ISM, found, Y, FLOAT64)[0]
    assert best.convention == "constant other"
    assert best.is_convention
    assert not best.is_reference


def test_what_is_a_convention_and_what_is_not():
    for scalings, constant, convention, reference in ((("1", "1"), "1", True,
                                                       True), (("2", "2"), "2", True, False),
                                                      (("1", "1"), "0", True,
                                                       False), (("1", "-1"), "1", False, False),
                                                      (("-1", "-1"), "-1", False, False)):
        best = read(DSM, scalings, constant)[0]
        assert (best.is_convention, best.is_reference) == (convention, reference)
    reference = read(DSM, ("1", "1"), "1")[0]
    for formula in formulas("dsm_levels", "gaussian"):
        if len(formula.mistakes) == 1:
            weighted = formula.mistakes[0].role == "weight"
            one = replace(reference, fit=replace(reference.fit, formula=formula))
            assert one.is_convention == weighted
            assert not one.is_reference


def test_coefficients_without_a_law_are_not_read():
    Y = answers(ISM, ("1", "0")) + np.sin(9 * np.arange(6))[:, None] * ISM.term(
        formulas("ism", "autoencoder")[0].terms[1])[0]
    (found,) = fit(ISM, formulas("ism", "autoencoder")[:1], Y, FLOAT64)
    assert found.fits
    assert explanations(ISM, found, Y, FLOAT64) == []


def test_a_slip_whose_part_is_not_used_is_no_reading():
    Y = answers(ISM, ("1", "0"))
    fits = fit(ISM, formulas("ism", "autoencoder"), Y, FLOAT64)
    read_as = [r for f in fits if f.fits for r in explanations(ISM, f, Y, FLOAT64)]
    assert {r.convention for r in read_as} >= {"divergence x 0"}
    assert not any(r.mistakes for r in read_as)


def test_of_two_mistakes_both_have_a_part_in_the_answers():
    norm, whole = (next(f.terms[k] for f in formulas("ism", "autoencoder")
                        if [m.id for m in f.mistakes] == [identity])
                   for k, identity in ((0, "norm.norm"), (1, "divergence.whole")))
    for times, pairs in ((0.0, False), (1.0, True)):
        Y = ISM.term(norm)[0] + times * ISM.term(whole)[0]
        read_as = [e for f in fit(ISM, formulas("ism", "autoencoder"), Y, FLOAT64) if f.fits
                   for e in explanations(ISM, f, Y, FLOAT64)]
        assert read_as
        assert any(len(e.mistakes) == 2 for e in read_as) == pairs


def test_of_one_mistake_a_term_may_be_multiplied_by_0():
    at_x = next(f for f in formulas("dsm", "autoencoder")
                if [m.words for m in f.mistakes] == ["the score is read at x"])
    Y = DSM.term(at_x.terms[0])[0]
    (found,) = fit(DSM, [at_x], Y, FLOAT64)
    assert explanations(DSM, found, Y, FLOAT64)[0].convention == "point.x; target x 0"


def test_beside_a_mistake_a_coefficient_that_may_be_1_is_taken_for_1():
    norm = next(f for f in formulas("ism", "autoencoder")
                if [m.id for m in f.mistakes] == ["norm.norm"])
    Y = sum(ISM.term(term)[0] for term in norm.terms)
    (found,) = fit(ISM, [norm], Y, FLOAT64)
    rough = replace(found, coefficient_error=found.coefficient_error + [0, 0.12, 0])
    assert [e.convention for e in explanations(ISM, rough, Y, FLOAT64)] == ["norm.norm"]


def test_the_reference_is_recognised_directly():
    Y = answers(DSM, ("1", "1"), "1")
    (found,) = fit(DSM, formulas("dsm", "autoencoder")[:1], Y, FLOAT64)
    same = the_reference(DSM, found, Y, FLOAT64)
    assert same.is_reference
    np.testing.assert_allclose(predicted(DSM, same)[0], Y, rtol=1e-12)
    assert the_reference(DSM, found, Y * (1 + 1e-11), FLOAT64) is None


def test_the_simpler_change_costs_less():
    assert Change("target", ONE).complexity < Change("norm", ONE).complexity < Change(
        "norm", parse_scaling("2")).complexity < Change("norm", parse_scaling("3 / 7")).complexity
    assert Change("norm", ZERO).complexity == 2


def test_arrays_that_are_multiples_follow_a_law():
    rng = np.random.default_rng(3)
    mine = [rng.standard_normal(int(s["n"])) for s in ISM.sizes]
    assert str(
        multiple([m * s["n"] / s["d"] for m, s in zip(mine, ISM.sizes)], mine, ISM.sizes,
                 FLOAT64)) == "n / d"
    assert multiple([m[::-1] for m in mine], mine, ISM.sizes, FLOAT64) is None
    assert multiple(mine, mine, ISM.sizes, FLOAT64) == ONE


def test_an_answer_is_measured_by_its_terms_where_these_cancel():
    (norm, norm_size), (trace, trace_size) = (ISM.term(term) for term in (NORM, DIVERGENCE))
    b = -norm[0, 0] / trace[0, 0]
    Y = norm + b * trace
    Y[0, 0] += 40 * 2.0**-53 * (norm_size[0, 0] + abs(b) * trace_size[0, 0])
    (found,) = fit(ISM, formulas("ism", "autoencoder")[:1], Y, FLOAT64)
    assert explanations(ISM, found, Y, FLOAT64)[0].convention.startswith("divergence x ")
    Y[0, 0] += 1e-11 * norm_size[0, 0]
    assert explanations(ISM, found, Y, FLOAT64) == []


def test_a_multiple_may_be_off_by_the_rounding_of_its_largest_entry():
    rng, sizes = np.random.default_rng(5), [{"d": 3}, {"d": 5}, {"d": 7}]
    mine = [1e6 * rng.standard_normal(7), *1e-6 * rng.standard_normal((2, 11))]
    for times in (3, 3000):
        for off, text in ((1e-14, f"{times} / d"), (1e-11, "None")):
            yours = [times * (m + off * np.abs(m).max()) / size["d"]
                     for m, size in zip(mine, sizes)]
            assert str(multiple(yours, mine, sizes, FLOAT64)) == text
