"""What a report says of a diagnosis."""
import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from refsm.verify import cases, verify
from refsm.verify.cases import value
from refsm.verify.diagnosis.diagnose import Diagnosis, diagnose
from refsm.verify.diagnosis.findings import Finding
from refsm.verify.diagnosis.precision import FLOAT64
from refsm.verify.diagnosis.quadratic_form import QuadraticForm
from refsm.verify.diagnosis.regression import table_of
from refsm.verify.diagnosis.scaling import ONE, Scaling
from refsm.verify.report import compose
from refsm.verify.report.compose import report_on


def sq(a):
    return (a * a).sum(axis=-1)


def psi(c):
    return c.score(c.x_noisy)


def target(c):
    return (c.x - c.x_noisy) / c.sigma**2


def test_the_table_has_the_reference_and_the_implementation_side_by_side():
    report = verify(lambda c: (sq(c.score(c.x)) + c.score_divergence(c.x)).mean(), "ism")
    case = cases("ism", "prime")[0]
    norm, trace, total = report.rows
    assert (norm.term, norm.factor) == ("|psi|^2 / 2", "2")
    assert np.isclose(norm.yours, 2 * norm.reference)
    assert np.isclose(norm.reference, sq(case.score(case.x)).mean() / 2)
    assert (trace.term, trace.factor) == ("tr J", "1")
    assert np.isclose(total.yours, norm.yours + trace.yours)
    assert (total.term, total.reference) == ("value", value(case))
    assert (report.cases, report.model, report.notes) == (30, "autoencoder", ())


@pytest.mark.slow
def test_a_mistake_is_shown_by_its_own_function():
    report = verify(
        lambda c: (sq(c.score(c.x)) / 2 + c.score_jacobian(c.x).sum(axis=(1, 2))).mean(), "ism")
    assert report.rows[1].factor == "sum_ik J_ik"
    assert "|psi|^2 / 2: right in every case" in report.not_the_problem
    whole = verify(
        lambda c: np.sqrt(sq(c.score(c.x_noisy) - (c.x - c.x_noisy) / c.sigma**2)).mean(), "dsm")
    assert [row.yours is None for row in whole.rows] == [True, True, False, False]
    assert whole.rows[2].term.startswith("yours: |r|")


def test_the_smallest_failing_case_is_shown():
    report = verify(lambda c: value(c) if c.d == 3 else 2 * value(c), "ism")
    assert report.case["id"] == "prime/ism/c1/t0"
    assert report.case["sizes"] == {"d": 5, "n": 7, "sigma": 0.61}
    assert len(report.failing) == 15
    assert report.reproduce.endswith("refsm show prime/ism/c1/t0 --steps")


@pytest.mark.parametrize("wrong, smallest", [("c1 c2", "c1"), ("c1 c4", "c4")])
def test_the_smallest_has_the_fewest_points_and_of_these_the_fewest_dimensions(wrong, smallest):
    """Of (d, n) = (5, 7), (3, 13) and (3, 7)."""
    report = verify(lambda c: (1 + (c.group in wrong.split())) * value(c), "ism")
    assert report.case["id"] == f"prime/ism/{smallest}/t0"


def test_failing_cases_are_listed_in_the_order_of_the_cases():
    by_theta = sorted(cases("ism", "prime"), key=lambda c: c.id[-2:])
    assert verify(lambda c: 2 * value(c), "ism", cases=by_theta).failing == tuple(
        c.id for c in by_theta)


def test_sums_that_are_right_are_not_the_problem_and_others_are():
    right = verify(lambda c: (sq(c.score(c.x)) / 2 - c.score_divergence(c.x)).mean(), "ism")
    assert "sums and means over dimensions and points" in right.not_the_problem
    assert "|psi|^2 / 2: right in every case" in right.not_the_problem
    mean = verify(lambda c: (sq(c.score(c.x)) / 2 + c.score_divergence(c.x) / c.d).mean(), "ism")
    assert "sums and means over points" in mean.not_the_problem
    neither = verify(lambda c: (sq(c.score(c.x)) / 2 / (c.n * c.d)
                                + c.score_divergence(c.x)).mean(), "ism")
    assert neither.not_the_problem == ("tr J: right in every case",)


def test_sums_over_directions_and_levels_are_right_too():
    some = cases("ism", "prime")
    e = diagnose(some, [(sq(c.score(c.x)) / 2 - c.score_divergence(c.x)).mean() for c in some]
                 ).explanation
    case = SimpleNamespace(objective="ism", sizes={"d": 3, "n": 7, "M": 2, "L": 4, "sigma": 0.5})
    assert compose._not_the_problem(e, case, False)[-1] == (
        "sums and means over dimensions, points, directions and levels")


def test_a_term_whose_sign_is_beside_that_of_the_loss_is_not_called_right():
    report = verify(lambda c: (-sq(c.score(c.x)) - 2 * c.score_divergence(c.x) + 2 * c.strength
                               * sq(c.score_jacobian_diagonal(c.x))).mean(), "regularized")
    assert report.convention == "2; penalty x -1; loss x -1"
    assert report.not_the_problem == ("sums and means over dimensions and points",)


def test_a_positive_factor_of_its_own_for_every_group_is_a_convention_to_be_declared():
    report = verify(
        lambda c: value(c) * {"c0": 1.1, "c1": 1.7, "c2": 0.3, "c3": 2.9, "c4": 0.8, "c5": 1.9}[
            c.group], "ism")
    assert report.verdict == "CONVENTION"
    assert "every term of a group has the same positive factor" in report.name
    assert "0.3" in report.name
    assert report.convention.startswith("weight w(c0) = 1.1, w(c1) = 1.7")
    assert "within a group" in report.consequences[0]
    negative = verify(lambda c: value(c) * (-1 if c.group == "c2" else 1), "ism")
    assert negative.verdict == "MISMATCH"
    assert "not positive in all" in negative.name
    assert (report.notes, negative.consequences) == ((), ())


def test_coefficients_of_no_scaling_are_listed():
    report = verify(
        lambda c:
        (sq(c.score(c.x)) / 2 + np.sin(9 * c.sigma * c.n) * c.score_divergence(c.x)).mean(), "ism")
    assert report.verdict == "MISMATCH"
    assert "coefficients that are no product of powers" in report.name
    assert "tr J (" in report.name
    assert "|psi|^2" not in report.name
    norm, trace, _ = report.rows
    assert norm.factor == "1"
    assert trace.factor == f"{np.sin(9 * 0.37 * 7):.6g} in this case"
    assert np.isclose(trace.yours, np.sin(9 * 0.37 * 7) * trace.reference)


def test_equals_are_listed_as_what_cannot_be_told_apart():
    report = verify(
        lambda c: (sq(c.score(c.x)) / 2 + c.score_divergence(c.x) + c.strength *
                   (c.score_jacobian(c.x)**2).sum(axis=(1, 2))).mean(), "regularized")
    assert any(
        text.startswith("equally simple and equally good: penalty: the trace")
        for text in report.cannot_tell)


def test_an_approximation_is_not_taken_for_another_formula():
    one_sided = lambda c: (sq(c.score(c.x)) / 2 + sum(
        (c.score(c.x + 1e-3 * e) - c.score(c.x))[:, i] / 1e-3
        for i, e in enumerate(np.eye(c.d)))).mean()    # noqa: E731
    report = verify(one_sided, "ism")
    assert report.verdict == "UNEXPLAINED"
    assert "a numerical derivative" in report.name
    assert [row.term for row in report.rows] == ["|psi|^2 / 2", "tr J", "value"]
    assert report.runner_up == ""


def test_points_that_are_left_out_are_noticed():
    report = verify(lambda c: (sq(c.score(c.x)) / 2 + c.score_divergence(c.x))[:-1].mean(), "ism")
    assert report.verdict == "MISMATCH"
    assert report.convention == "points.not-last"


def test_single_precision_inside_is_noted():
    report = verify(lambda c: value(c) * (1 + 1e-8 * np.sin(1e4 * c.params["W"][0, 0])), "ism")
    assert report.verdict == "PASS"
    assert "single precision only" in report.notes[0]
    assert report.precision == "float32 somewhere inside"


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong, name",
    [(lambda c: value(c) *
      (2 if c.d == 5 else 1),
      "same positive factor, which is no product of powers of the sizes: 1 where d = 3, 2 where "
      "d = 5"),
     (lambda c: sq(c.score(c.x)).mean() / 2 + c.score_divergence(c.x).mean() *
      (-1 if c.sigma > 1 else 1),
      "powers of the sizes: tr J (right where sigma = 0.37 or 0.61, -1 where sigma = 1.3)"
      ),
     (lambda c: int(value(c)), "every answer is a whole number")])
def test_what_follows_no_scaling_is_listed_by_what_decides_it(wrong, name):
    report = verify(wrong, "ism")
    assert name in report.name
    assert report.exit_status == 1
    assert "float16" not in report.precision


@pytest.mark.slow
def test_a_number_has_all_its_digits():
    nearly = verify(lambda c: value(c) * (1 + 1e-6), "ism")
    assert (nearly.verdict, nearly.convention) == ("CONVENTION", "1.000001")
    assert not verify(lambda c: value(c) * 2.000002, "ism", convention="2").conforms
    added = verify(
        lambda c: sq(c.score(c.x_noisy) - (c.x - c.x_noisy) / (c.sigma**2 + 1e-3)).mean() / 2,
        "dsm")
    assert added.name == "sigma^2 + 0.001 in place of sigma^2 in the target"
    assert added.consequences == (
        "what is learned is sigma^2 / (sigma^2 + 0.001) times the right score",)


def test_the_distance_of_the_next_explanation_comes_last():
    report = verify(lambda c: (sq(c.score(c.x)) + c.score_divergence(c.x)).mean(), "ism")
    assert str(report).splitlines()[-1].startswith("  of the known formulas that do not fit, the ")
    assert report.runner_up.endswith(" %")


@pytest.mark.parametrize("scale, scaling", [(lambda c: 2, "2"), (lambda c: 1 / c.n, "1 / n")])
def test_the_terms_of_points_that_are_a_multiple_are_said_as_one(scale, scaling):
    report = verify(
        lambda c: {
            "value": value(c), "per_sample": scale(c) *
            (sq(c.score(c.x)) / 2 + c.score_divergence(c.x))
        }, "ism")
    assert report.verdict == "MISMATCH"
    assert report.name == (
        f"the mean over points is right, but the term of every point is {scaling} times the "
        "reference's")
    assert "if it is meant" not in str(report)                 # a declared 1 is the same mismatch


def squared_residual(c):
    """|psi|^2 / 2, -psi.g and |g|^2 / 2, their means over points."""
    psi, g = c.score(c.x_noisy), (c.alpha * c.x - c.x_noisy) / c.sigma**2
    return np.array([sq(psi).mean() / 2, -(psi * g).sum() / c.n, sq(g).mean() / 2])


@pytest.mark.parametrize("times, factors", [
    pytest.param([-1, -1, -1], ["-1", "-1", "-1"], marks=pytest.mark.slow),
    pytest.param([1, 1, 2], ["1", "1", "2"], marks=pytest.mark.slow), ([2, 1, 1], ["2", "1", "1"]),
    ([1, 2, 4], ["1", "2", "4"]), ([1, 1, 0], ["1", "1", "0"]), ([1, 0, 1], ["1", "0", "1"])])
def test_each_term_has_its_own_factor_the_constant_too(times, factors):
    report = verify(lambda c: times @ squared_residual(c), "dsm_scaled", family="prime")
    own = squared_residual(cases("dsm_scaled", "prime")[0])
    *rows, total = report.rows
    assert [row.factor for row in rows] == factors
    assert np.allclose([row.reference for row in rows], own, rtol=1e-12)
    assert np.allclose([row.yours for row in rows], times * own, rtol=1e-9, atol=1e-12)
    assert [row.yours == 0 for row in rows] == [factor == "0" for factor in factors]
    assert "-0" not in [f"{row.yours:.7g}" for row in rows]
    assert np.isclose(total.yours, times @ own, rtol=1e-12)


def test_what_is_declared_conforms_and_the_reference_is_no_convention():
    declared = verify(lambda c: [1, 1, 2] @ squared_residual(c), "dsm_scaled",
                      convention="constant x 2")
    assert (declared.verdict, declared.conforms) == ("CONVENTION", True)
    right = verify(value, "ism", convention="1")
    assert (right.verdict, right.exit_status) == ("PASS", 0)
    other = verify(value, "ism", convention="2")
    assert other.name == "it is the reference itself, not the declared 2"


def test_what_values_cannot_tell_is_said():
    right = verify(value, "ism")
    assert right.cannot_tell == (compose.VALUES_ONLY,)
    assert right.runner_up == ""
    assert verify(value, "ssm").cannot_tell == (compose.SLICED, compose.VALUES_ONLY)
    twice = verify(lambda c: 2 * value(c), "ssm")
    assert twice.cannot_tell == (compose.SLICED,)
    assert (twice.runner_up, twice.not_the_problem) == ("", ())
    assert verify(value, "ism", family="array").cannot_tell == ()
    assert report_with(1, None).cannot_tell == ()                       # with a gradient


@pytest.mark.parametrize("hidden, said", [
    ("", ()), ("sigma = 0.0625", (
        "weight and target at sigma = 0.0625: rounding of the answers hides them",))])
def test_levels_that_the_answers_do_not_show_are_named(hidden, said):
    form = QuadraticForm("", "", "c_skip is 0", "", "", "", ONE, hidden=hidden)
    some = cases("ism", "prime")
    table = table_of(tuple(some))
    answers = table.reference**np.array([[1], [2], [3], [4], [5], [6]])      # one group is right
    report = report_on(some, Diagnosis(FLOAT64, table, 2 * answers, None, form=form), (), (), None,
                       (), (), "", True)
    assert (report.cannot_tell, report.notes) == (said, ())


def test_whole_numbers_are_no_precision():
    assert verify(lambda c: int(value(c)), "ism").precision == "whole numbers"
    assert verify(lambda c: np.float16(value(c)), "ism").precision == "float16"
    assert verify(lambda c: 0.0, "ism").precision == "float64"


def test_a_size_that_a_factor_holds_is_not_said_to_be_right():
    def sums(times):
        return verify(lambda c: [1, times(c), times(c)**2] @ squared_residual(c),
                      "dsm_scaled", family="prime").not_the_problem[-1]

    assert sums(lambda c: c.n / (c.n - 1)) == "sums and means over dimensions"
    assert sums(lambda c: 1 / c.d) == "sums and means over points"


def test_five_known_failures_that_do_not_fail_are_named_and_more_are_counted():
    five = verify(value, "ism", known_failures=["prime/ism/c0/*"]).notes
    assert five == ("known failures that do not fail: "
                    + ", ".join(f"prime/ism/c0/t{t}" for t in range(5)),)
    six = verify(value, "ism", known_failures=["prime/ism/c0/*", "prime/ism/c3/t4"]).notes
    assert six == (f"{five[0]} and 1 more",)


def rows(report):
    return {row.term: (row.yours, row.factor) for row in report.rows}


CONSTANT = "constant: |g|^2 / 2"


@pytest.mark.slow
def test_the_constant_of_another_target_is_not_the_reference_s_times_a_factor():
    report = verify(lambda c: (sq(psi(c) - c.x_noisy) / 2).mean(), "dsm")
    assert rows(report)[CONSTANT][1] == "sigma^4 times |-x_noisy / sigma^2|^2 / 2"
    assert rows(report)["-psi.g"][1] == "-sigma^2 times -psi.(-x_noisy / sigma^2)"
    assert rows(report)["|psi|^2 / 2"][1] == "1"
    assert "|psi|^2 / 2: right in every case" in report.not_the_problem
    assert "the constant" not in report.not_the_problem


@pytest.mark.parametrize("own, factor, said", [
    ("|g|^2 / 2", "3", "3"), ("|psi|^2", "0", "0"), ("|psi|^2", "1", "|psi|^2"),
    ("|psi|^2", "3", "3 times |psi|^2"), ("|g|^2 / 2 x sigma^2", "1", "sigma^2"),
    ("|g|^2 / 2, points [1:]", "1", "points [1:]"),
    ("|g|^2 / 2 x sigma^2", "3", "3 x sigma^2"), ("|g|^2 / 2_noisy", "1", "|g|^2 / 2_noisy"),
    ("|g|^2 / 2 at x", "3", "3 times |g|^2 / 2 at x"),
    ("|g|^2 / 2[:1]", "d", "d times |g|^2 / 2[:1]")])
def test_a_factor_of_another_term_names_that_or_what_it_has_more(own, factor, said):
    assert compose._of_another(own, "|g|^2 / 2", factor) == said


def test_a_point_that_is_made_wrong_stands_in_parentheses_in_the_formula():
    def loss(c):
        y = c.x + c.sigma**2 * c.noise
        return (sq(c.score(y) - (c.x - y) / c.sigma**2) / 2).mean()

    report, own = verify(loss, "dsm"), "(x - (x + sigma^2 noise)) / sigma^2"
    assert rows(report)[CONSTANT][1] == f"|{own}|^2 / 2"
    assert "the constant" not in report.not_the_problem


def test_a_constant_that_changes_with_the_loss_or_the_target_or_alone_is_not_called_right():
    for wrong in (lambda c: -sq(psi(c) - target(c)) / 2, lambda c: sq(psi(c) + target(c)) / 2,
                  lambda c: sq(psi(c) - target(c)) / 2 + sq(target(c))):
        report = verify(wrong, "dsm")
        assert not any("constant" in text for text in report.not_the_problem)
    beside = verify(lambda c: (sq(c.sigma**2 * psi(c) + c.noise) / 2).mean(), "dsm")
    assert "the constant, but for the common factor" in beside.not_the_problem


def test_a_term_that_is_missing_is_shown_as_0():
    report = verify(lambda c: (sq(psi(c) - (target(c) if c.sigma < 1 else 0)) / 2).mean(), "dsm")
    assert rows(report)["-psi.g"] == (0.0, "0 in this case")
    dropped = verify(lambda c: (sq(c.score(c.x)) / 2).mean(), "ism")
    assert rows(dropped)["tr J"] == (0.0, "0")
    assert dropped.not_the_problem == ("|psi|^2 / 2: right in every case",)      # and no sums
    clean = rows(verify(lambda c: sq(c.reconstruct(c.x) - c.x).mean(), "dsm"))["-psi.g"]
    assert f"{clean[0]:g} {clean[1]}" == "0 0"                    # and not -0


def test_a_constant_that_is_taken_off_has_one_sign():
    report = verify(lambda c: (np.exp(-c.energy_gap(c.x) / 2) - 1).sum(axis=1).mean(), "mpf")
    constant, factor = rows(report)["constant"]
    assert [row.reference for row in report.rows if row.term == "constant"] == [0.0]
    assert np.isclose(constant, -3.0, rtol=1e-13)                # rounding of the regression
    assert factor == "- d"
    strange = rows(verify(lambda c: value(c) + np.sin(9 * c.n + c.d), "ism"))
    assert strange["constant"] == (pytest.approx(np.sin(9 * 7 + 3), rel=1e-8), "another constant")


def test_a_small_number_in_the_target_is_shown_as_one_would_write_it():
    report = verify(lambda c: (sq(psi(c) - (c.x - c.x_noisy) / (c.sigma**2 + 1e-3)) / 2).mean(),
                    "dsm")
    assert rows(report)["-psi.g"][1] == "sigma^2 / (sigma^2 + 0.001)"
    assert rows(report)[CONSTANT][1] == "(sigma^2 / (sigma^2 + 0.001))^2"


def test_the_distance_of_the_next_formula_is_a_plain_number():
    report = verify(lambda c: -(psi(c) * target(c)).mean(), "dsm")
    assert report.runner_up.endswith("misses the answers by 0.4 %")


def report_with(factor, declared, *findings, known=()):
    some = cases("ism", "prime")
    values = [factor * value(c) for c in some]
    return report_on(some, diagnose(some, values), findings, (), declared, known, (), "", True)


def test_a_wrong_gradient_is_the_name_of_a_right_value_and_beside_that_of_another():
    half = Finding("W", "multiple", "the gradient for {} is 1 / 2 times that of the value")
    alone, beside = report_with(1, None, half), report_with(2, None, half)
    assert alone.verdict == beside.verdict == "MISMATCH"
    assert alone.name == "the gradient for W is 1 / 2 times that of the value"
    assert beside.name == f"a factor 2 (without the 1/2); and {alone.name}"
    assert alone.not_the_problem == ("the value of |psi|^2 / 2 and tr J",)
    assert beside.not_the_problem == ("the value of |psi|^2 / 2 and tr J, but for the common "
                                      "factor",)
    assert alone.consequences == ("training follows the gradient, which is not that of the value",)
    assert alone.failing == ("prime/ism/c0/t0",)
    assert (alone.gradient, alone.rows) == ((alone.name,), ())
    assert report_with(2, "2", half).exit_status == 1
    assert report_with(-1, None, half).not_the_problem == ()


@pytest.mark.parametrize("factor, times, said", [
    (2, 0.5, "the gradient is the reference's: training is the same"),
    (1, -1.0, "gradients are minus the reference's: descent increases the loss"),
    (3, 2.0, "gradients are 6 times the reference's")])
def test_a_whole_gradient_is_compared_with_that_of_the_reference(factor, times, said):
    whole = Finding("W, b, c", "whole", "the whole gradient is another", Scaling(times))
    assert report_with(factor, None, whole).consequences == (said,)


def test_of_a_value_that_is_no_convention_the_effects_are_said_beside_a_whole_gradient():
    whole = Finding("W, b, c", "whole", "the whole gradient is another", Scaling(2.0))
    assert report_with(-1, None, whole).consequences == (
        "where the gradient is that of the value: descent maximises what should be minimised",
        compose.FOLLOWS)


def test_a_declared_factor_is_not_that_of_the_reference():
    assert report_with(2, "2").exit_status == 0
    right = report_with(1, "2")
    assert (right.verdict, right.name) == (
        "MISMATCH", "it is the reference itself, not the declared 2")
    assert report_with(3, "2").name == "a factor 3"


def test_every_failing_case_must_be_known():
    some, every = (report_with(2, None, known=[f"prime/ism/{known}"]) for known in ("c0/*", "*"))
    assert (some.exit_status, some.notes) == (1, ())
    assert (every.exit_status, every.notes) == (0, ("every failing case is a known failure",))


def test_no_case_of_the_reference_fails_whose_answer_is_right_to_the_rounding_of_all():
    """An answer may be off by three times its tolerance where the others are not."""
    some = cases("ism", "prime")
    table = table_of(tuple(some))
    off = 2 * FLOAT64(table.scale[2, 2]) * (np.arange(len(some)) == table.index[2, 2])
    found = diagnose(some, [value(c) for c in some] + off)
    assert not found.right.all()
    report = report_on(some, found, (), (), None, (), (), "", True)
    assert (report.verdict, report.failing) == ("PASS", ())


def test_a_report_is_plain_data_that_does_not_change():
    plain = {str, float, int, bool, tuple, dict, type(None)}
    half = Finding("W", "multiple", "the gradient for {} is 1 / 2 times that of the value")
    negative = verify(lambda c: -value(c) + (c.group == "c0"), "dsm")
    for report in (report_with(1, None), report_with(-1, None, half), negative):
        values = [getattr(of, field.name) for of in (report, *report.rows)
                  for field in dataclasses.fields(of)]
        assert {type(value) for value in (*values, *report.case.values())} <= plain
