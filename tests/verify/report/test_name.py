"""The first line of a report, its factors and its effects, for losses written by hand."""
from types import SimpleNamespace

import numpy as np
import pytest

from refsm.verify import cases, verify
from refsm.verify.cases import value
from refsm.verify.convention import normal
from refsm.verify.diagnosis.diagnose import Diagnosis, _shared, diagnose
from refsm.verify.diagnosis.findings import Finding
from refsm.verify.diagnosis.precision import FLOAT64
from refsm.verify.diagnosis.regression import Table, fit
from refsm.verify.diagnosis.scaling import Scaling
from refsm.verify.mistakes import formulas
from refsm.verify.report import name
from refsm.verify.report.compose import report_on


def sq(a):
    return (a * a).sum(axis=-1)


def column(a):
    return a[:, None]


def psi(c):
    return c.score(c.x_noisy)


def target(c):
    return (c.x - c.x_noisy) / c.sigma**2


def noisy(c, k):
    return c.x + k * c.noise


def implicit(c, norm=1.0, trace=1.0, penalty=0.0):
    diagonal = c.score_jacobian_diagonal(c.x)
    return (norm * sq(c.score(c.x)) / 2 + trace * diagonal.sum(axis=1)
            + penalty * sq(diagonal)).mean()


def sliced(c, v):
    along = np.einsum("nri,ni->nr", v, c.score(c.x))
    curvature = np.einsum("nri,nik,nrk->nr", v, c.score_jacobian(c.x), v)
    return (along**2 / 2 + curvature).mean()


def edm(c, weight):
    s, t = c.sigma, c.data_sd
    variance = s**2 + t**2
    D = column(t**2 / variance) * c.x_noisy + column(s * t / np.sqrt(variance)) * c.prediction(
        c.x_noisy)
    return (weight * variance / (s * t)**2 * sq(D - c.x)).mean()


def residual(c):
    """psi minus its target, a level for each point."""
    return psi(c) - (column(c.alpha) * c.x - c.x_noisy) / column(c.sigma)**2


NAMES = {
    # what the loss does: (objective, loss, verdict, name, convention)
    "the last dimension is lost in both terms": (
        "ism", lambda c: (sq(c.score(c.x)[:, :-1]) / 2
                          + c.score_jacobian_diagonal(c.x)[:, :-1].sum(axis=1)).mean(),
        "MISMATCH", "the last dimension left out", "dimensions.not-last"),
    "directions are averaged first": (
        "ssm", lambda c: sliced(c, c.directions.mean(axis=1, keepdims=True)),
        "MISMATCH", "the directions are averaged first", "directions.mean"),
    "half the length of the score": (
        "ism", lambda c: (np.sqrt(sq(c.score(c.x))) / 2 + c.score_divergence(c.x)).mean(),
        "MISMATCH", "norm: the norm is not squared; this norm is multiplied by 1 / 2",
        "norm.norm; norm x 1 / 2"),
    "two of three terms share a factor": (
        "regularized", lambda c: implicit(c, 2, 2, c.strength), "MISMATCH",
        "the penalty is multiplied by 1 / 2; and a common factor 2 (without the 1/2)",
        "2; penalty x 1 / 2"),
    "a mean for each dimension, twice": (
        "ssm_vr", lambda c: (c.d * sq(c.score(c.x)) / 2
                             + c.score_curvature(c.x, c.directions).mean(axis=1)).mean(),
        "MISMATCH", "half the squared norm of the score alone is multiplied by the number of "
        "dimensions", "norm x d"),
    "half of the slope's term": (
        "generalized", lambda c: (c.h * c.score(c.x)**2 / 2 + c.h_slope * c.score(c.x) / 2
                                  + c.h * c.score_jacobian_diagonal(c.x)).sum(axis=1).mean(),
        "MISMATCH", "the term of the slope h' is multiplied by 1 / 2", "slope x 1 / 2"),
    "four times the norm": (
        "generalized", lambda c: (2 * c.h * c.score(c.x)**2 + c.h_slope * c.score(c.x)
                                  + c.h * c.score_jacobian_diagonal(c.x)).sum(axis=1).mean(),
        "MISMATCH", "half the squared norm of the score is multiplied by 4", "norm x 4"),
    "an autoencoder that sees the clean point": (
        "dsm", lambda c: sq(c.reconstruct(c.x) - c.x).mean(),
        "MISMATCH", "the score is read at x; the target is missing; and a common factor 2 sigma^4 "
        "(without the 1/2, weighted by sigma^4)", "2 sigma^4; point.x; target x 0"),
    "weights that sum to 1 in a batch": (
        "dsm_levels", lambda c: (c.sigma**2 / (c.sigma**2).sum() * sq(residual(c)) / 2).sum(),
        "CONVENTION", "each level is weighted by sigma^2; weight w(c0) = 1.2077, w(c1) = 1.2077, "
        "w(c2) = 1.57912, w(c3) = 1.57912, w(c4) = 1.2077, w(c5) = 1.57912",
        "weight.variance; weight w(c0) = 1.2077, w(c1) = 1.2077, w(c2) = 1.57912, "
        "w(c3) = 1.57912, w(c4) = 1.2077, w(c5) = 1.57912"),
    "a root in EDM's weight": (
        "edm_prediction", lambda c: edm(c, c.sigma * c.data_sd), "CONVENTION",
        "each level is weighted by sigma; weight w(c0) = 0.5, w(c1) = 0.5, w(c2) = 0.75, "
        "w(c3) = 0.5, w(c4) = 0.75, w(c5) = 0.75",
        "weight.sigma; weight w(c0) = 0.5, w(c1) = 0.5, w(c2) = 0.75, w(c3) = 0.5, w(c4) = 0.75, "
        "w(c5) = 0.75"),
    "a target of the wrong sign, without the small levels": (
        "dsm_levels", lambda c: ((c.sigma > 0.3) * sq(
            psi(c) + (column(c.alpha) * c.x - c.x_noisy) / column(c.sigma)**2) / 2).mean(),
        "MISMATCH", "the points at alpha = 0.9844, sigma = 0.0625 are left out; the sign of the "
        "target", ""),
    "a denoiser without its skip": (
        "dsm", lambda c: (sq(psi(c) + c.x_noisy / c.sigma**2 - target(c)) / 2).mean(),
        "MISMATCH", "compared with another combination of clean point and noise: -7.305 x - 5.405 "
        "noise at sigma = 0.37, -2.687 x - 3.279 noise at sigma = 0.61, -0.5917 x - 1.538 noise at "
        "sigma = 1.3", "")}


def slow(names, *of):
    """The names, some of them for the slow tests."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in of else name for name in names]


@pytest.mark.parametrize("what", slow(NAMES, "a root in EDM's weight", "directions are averaged "
                                      "first", "four times the norm"))
def test_the_difference_has_its_name(what):
    objective, loss, verdict, words, convention = NAMES[what]
    report = verify(loss, objective)
    assert report.verdict == verdict
    assert report.name == words
    assert report.convention == convention
    assert not convention or normal(convention) == convention       # it can be declared


def test_a_small_number_under_a_logarithm_is_no_convention():
    def loss(c):
        return -np.log(1 / (1 + np.exp(-c.energy_gap(c.x))) + 1e-6).sum(axis=1).mean()

    report = verify(loss, "pseudo")
    assert report.verdict == "UNEXPLAINED"
    assert report.name.startswith("the answers are off by up to 1e-05 of their terms")
    assert report.convention == ""


def test_a_term_that_is_free_is_no_nearest_formula():
    def loss(c):
        v = c.directions
        moved = np.stack([((c.score(c.x + 0.1 * u) - c.score(c.x)) / 0.1 * u).sum(axis=1)
                          for u in v.transpose(1, 0, 2)], axis=1)
        return (np.einsum("nri,ni->nr", v, c.score(c.x))**2 / 2 + moved).mean()

    report = verify(loss, "ssm")
    assert report.verdict == "UNEXPLAINED"
    assert "a term too many" not in report.name


def test_the_sign_of_what_is_no_square_is_that_of_the_whole():
    def scaled(c):
        return psi(c) - (c.alpha * c.x - c.x_noisy) / c.sigma**2

    assert verify(lambda c: -np.sqrt(sq(scaled(c))).mean(), "dsm_scaled").name == (
        "the norm is not squared; the sign of the whole")
    dropped = verify(lambda c: (sq(scaled(c)) - sq(c.noise) / c.sigma**2).mean() / 2, "dsm_scaled")
    assert dropped.name == "the constant that does not depend on theta is dropped"


def test_answers_that_nothing_explains_are_described_all_the_same():
    def name_of(loss):
        report = verify(loss, "generalized")
        assert report.verdict == "UNEXPLAINED"
        return report.name

    assert name_of(lambda c: value(c) * (1 + 0.1 * np.sin(c.params["b"][0]))) == (
        "the answers are no combination of terms that is known")
    assert name_of(lambda c: 3e3 + 3e-11 * float(c.id.endswith("1"))) == (
        "the answers do not depend on the parameters")
    assert name_of(lambda c: 0.0).endswith("do not depend on the parameters: every one is 0")
    right = sum(c.params["b"][0] > 0 for c in cases("generalized", "prime"))
    assert name_of(lambda c: value(c) + 40 * (c.params["b"][0] <= 0)).endswith(
        f"; {right} of 36 are right")
    nearly = name_of(lambda c: (value(c) + (c.h * (c.h - 1) * c.score(c.x)**2).sum() / (2 * c.n))
                     * (1 + 1e-4 * np.sin(9 * c.params["b"][0])))
    assert ("; the nearest formula (h^2 in place of h in the term of psi_i^2 / 2) misses by "
            in nearly)


def test_a_term_too_many_has_its_weight():
    for weight, words in ((lambda c: 0.01, "0.01 "), (lambda c: 1 / c.d, "(1 / d) "),
                          (lambda c: 1.0, "")):
        report = verify(lambda c: value(c) + weight(c) * sq(c.params["W"]).sum(), "generalized")
        assert report.name == f"a term too many: {words}|W|^2"


def of_terms(objective, *times):
    """The name of a loss whose terms are multiplied, found from the right terms alone."""
    table = Table(cases(objective, "prime"))
    own = formulas(objective, table.model)[0]
    Y = sum(np.array([[f(c)] for c in table.groups]) * table.term(term)[0]
            for f, term in zip(times, (*own.terms, *([own.constant] if own.constant else []))))
    (base,) = fit(table, [own], Y, FLOAT64)
    return name.verdict_of(objective, Diagnosis(
        FLOAT64, table, Y, None, weights=_shared(base), coefficients=base))


def test_coefficients_of_no_scaling_are_said_term_by_term_and_shared_ones_once():
    def odd(c):
        return np.sin(9 * c.sigma * c.n)

    def clipped(c):
        return min(1, 5 * c.sigma**2) * 2 * c.sigma**2 / c.d

    verdict, words, line, _ = of_terms("ism", lambda c: 0.0, odd)
    assert (verdict, line) == ("MISMATCH", "")
    assert ": |psi|^2 / 2 is missing; tr J (-0.9" in words
    verdict, words, line, _ = of_terms("dsm", clipped, clipped, clipped)
    assert verdict == "CONVENTION"
    assert words == ("weighted by 2 sigma^2 min(1, 5 sigma^2), which is min-SNR with gamma = 5, "
                     "mean over dimensions in place of their sum")
    assert line.startswith("1 / d; weight w(0.37) = 0.187416, ")


def rows(report):
    return {row.term: (row.yours, row.factor) for row in report.rows}


CONSTANT = "constant: |g|^2 / 2"


def test_the_constant_of_another_target_is_not_the_reference_s_times_a_factor():
    report = verify(lambda c: (sq(psi(c) - c.x_noisy) / 2).mean(), "dsm")
    assert rows(report)[CONSTANT][1] == "sigma^4 times |-x_noisy / sigma^2|^2 / 2"
    assert rows(report)["-psi.g"][1] == "-sigma^2 times -psi.(-x_noisy / sigma^2)"
    assert rows(report)["|psi|^2 / 2"][1] == "1"
    assert "|psi|^2 / 2: right in every case" in report.not_the_problem
    assert "the constant" not in report.not_the_problem


def test_a_point_that_is_made_wrong_stands_in_parentheses_in_the_formula():
    def loss(c):
        y = noisy(c, c.sigma**2)
        return (sq(c.score(y) - (c.x - y) / c.sigma**2) / 2).mean()

    own = "(x - (x + sigma^2 noise)) / sigma^2"
    assert rows(verify(loss, "dsm"))[CONSTANT][1] == f"|{own}|^2 / 2"


def test_a_constant_that_changes_its_sign_with_the_loss_is_not_called_right():
    report = verify(lambda c: -(sq(psi(c) - target(c)) / 2).mean(), "dsm")
    assert not any("constant" in text for text in report.not_the_problem)
    beside = verify(lambda c: (sq(c.sigma**2 * psi(c) + c.noise) / 2).mean(), "dsm")
    assert "the constant, but for the common factor" in beside.not_the_problem


def test_a_term_that_is_missing_is_shown_as_0():
    report = verify(lambda c: (sq(psi(c) - (target(c) if c.sigma < 1 else 0)) / 2).mean(), "dsm")
    assert rows(report)["-psi.g"] == (0.0, "0 in this case")
    dropped = verify(lambda c: (sq(c.score(c.x)) / 2).mean(), "ism")
    assert rows(dropped)["tr J"] == (0.0, "0")
    clean = rows(verify(lambda c: sq(c.reconstruct(c.x) - c.x).mean(), "dsm"))["-psi.g"]
    assert f"{clean[0]:g} {clean[1]}" == "0 0"                    # and not -0


def test_a_constant_that_is_taken_off_has_one_sign():
    report = verify(lambda c: (np.exp(-c.energy_gap(c.x) / 2) - 1).sum(axis=1).mean(), "mpf")
    constant, factor = rows(report)["constant"]
    assert [row.reference for row in report.rows if row.term == "constant"] == [0.0]
    assert np.isclose(constant, -3.0, rtol=1e-13)                # rounding of the regression
    assert factor == "- d"


def test_a_small_number_in_the_target_is_shown_as_one_would_write_it():
    report = verify(lambda c: (sq(psi(c) - (c.x - c.x_noisy) / (c.sigma**2 + 1e-3)) / 2).mean(),
                    "dsm")
    assert rows(report)["-psi.g"][1] == "sigma^2 / (sigma^2 + 0.001)"
    assert rows(report)[CONSTANT][1] == "(sigma^2 / (sigma^2 + 0.001))^2"


def test_the_distance_of_the_next_formula_is_a_plain_number():
    report = verify(lambda c: -(psi(c) * target(c)).mean(), "dsm")
    assert report.runner_up.endswith("misses the answers by 10 %")


EFFECTS = {
    "compared with every target": (
        "dsm", lambda c: (sq(psi(c)[:, None] - target(c)[None]) / 2).mean(),
        ("1 / n of the right score is learned; the rest is the mean of all targets, which averages "
         "to 0",)),
    "a target of another point": (
        "clean_prediction", lambda c: sq(c.prediction(c.x_noisy) - np.roll(c.x, 1, axis=0)).mean(),
        ("the target belongs to another point: what is learned is the mean of all targets, "
         "whatever the point",)),
    "the strength on the wrong terms": (
        "regularized", lambda c: implicit(c, c.strength, c.strength, 1.0),
        ("the penalty acts with 1 / strength^2 times the strength that was asked for",
         "apart from that, a common factor strength: a learning rate means something else")),
    "three factors": (
        "regularized", lambda c: implicit(c, 2, 3, 5 * c.strength),
        ("what is learned is 3 / 2 times the right score, but for the penalty",)),
    "levels that are not read": (
        "dsm_levels", lambda c: ((c.sigma > 0.3) * sq(residual(c)) / 2).mean(),
        ("nothing is trained at the levels that are left out",)),
    "the score in the place of a clean point": (
        "clean_prediction", lambda c: sq(
            c.prediction(c.x_noisy) - (column(c.alpha) * c.x - c.x_noisy)
            / column(c.sigma)**2).mean(),
        ("what is learned is the score, and it is read as the clean point",)),
    "linear hidden units": (
        "dae", lambda c: sq((c.x_noisy @ c.params["W"].T + c.params["b"]) @ c.params["W"]
                            + c.params["c"] - c.x).mean(),
        ("another network is trained, of another energy: in the place of the softplus it has the "
         "integral of this activation",)),
    "one dimension of a weighted loss": (
        "generalized", lambda c: (c.h * c.score(c.x)**2 / 2 + c.h_slope * c.score(c.x) + c.h
                                  * c.score_jacobian_diagonal(c.x))[:, :-1].sum(axis=1).mean(),
        ("the last dimension is not constrained",))}


@pytest.mark.parametrize("what", slow(EFFECTS, "linear hidden units", "a target of another point",
                                      "the score in the place of a clean point"))
def test_the_effect_is_that_of_the_whole_difference(what):
    objective, loss, said = EFFECTS[what]
    assert verify(loss, objective).consequences == said


def bfloat16(a):
    """Rounded to the eight bits of bfloat16, in float32."""
    bits = np.atleast_1d(np.asarray(a, dtype=np.float32)).view(np.uint32)
    return ((bits + 0x8000) & np.uint32(0xFFFF0000)).view(np.float32).reshape(np.shape(a))


@pytest.mark.parametrize("factor", [1.0, 3.0])
@pytest.mark.parametrize("dtype", [float, np.float32])
def test_a_factor_does_not_hide_that_answers_are_those_of_bfloat16(factor, dtype):
    some = cases("dsm", "prime")
    values = [dtype(bfloat16(factor * value(c))) for c in some]
    found = diagnose(some, values, [np.dtype(dtype).name] * len(some))
    verdict, said, _, _ = name.verdict_of("dsm", found)
    assert verdict == "INCONCLUSIVE"
    assert said.startswith("but for a positive factor" if factor != 1 else "the answers agree")
    assert "as far as bfloat16 can tell" in said


def test_a_sign_is_seen_in_coarse_answers_too():
    some = cases("dsm", "prime")
    found = diagnose(some, [float(bfloat16(-value(c))) for c in some])
    verdict, said, _, _ = name.verdict_of("dsm", found)
    assert verdict == "MISMATCH"
    assert said.startswith("-1 times the reference to the rounding of bfloat16")


def test_no_gradient_is_judged_beside_a_value_that_decides_nothing():
    def loss(c):
        value = float(bfloat16((sq(psi(c) - target(c)) / 2).mean()))
        return {"value": value, "gradient": {name: 0 * a for name, a in c.params.items()}}

    report = verify(loss, "dsm", gradient=True)
    assert report.verdict == "INCONCLUSIVE"
    assert report.gradient == ()


def off(*identifiers):
    """The reference's value, and something else for a few cases."""
    return lambda c: value(c) * (1.01 if c.id in identifiers else 1.0)


def test_a_single_wrong_answer_is_named_with_its_case_and_two_are_counted():
    one = verify(off("prime/ism/c2/t3"), "ism")
    assert one.name == "only prime/ism/c2/t3 differs: 1.01 times the reference"
    two = verify(off("prime/ism/c2/t3", "prime/ism/c4/t0"), "ism")
    assert two.name == ("only 2 of 30 answers differ: prime/ism/c2/t3: 1.01 times the reference, "
                        "prime/ism/c4/t0: 1.01 times the reference")


@pytest.mark.parametrize("number, text", [
    (1.0, "1"), (0.5476, "0.5476"), (1.00005, "1.00005"), (0.99999994, "0.99999994"),
    (-1.0000002, "-1.0000002"), (1.00009, "1.00009"), (2 / 3, "0.666667"),
    (1 + 2.3e-16, "1")])
def test_a_coefficient_near_1_has_the_digits_that_say_so(number, text):
    assert name._coefficient(number) == text


TABLE = SimpleNamespace(
    sizes=[{"d": d, "n": n} for d in (3.0, 5.0) for n in (7.0, 13.0)],
    groups=[SimpleNamespace(group=f"c{k}") for k in range(4)])


def by_group(*values, error=1e-9):
    return name._by_group(np.array(values), np.full(4, error), TABLE, "1")


def test_one_number_for_each_group_is_said_by_the_size_that_decides_it():
    assert by_group(1, 1, 0.25, 0.25) == "1 where d = 3, 0.25 where d = 5"
    assert by_group(1, 0.25, 1, 0.25) == "1 where n = 7, 0.25 where n = 13"
    assert by_group(1, 0.25, 1, 0.75) == "0.25 in c1, 0.75 in c3, 1 in c0 and c2"
    assert name._by_group(np.array([3, 1, 1, 1]), np.zeros(4), TABLE) == (
        "3 in c0, right in c1, c2 and c3")
    assert by_group(0.25, 0.25, 0.25, 0.25) == "0.25 where d = 3 or 5"
    assert by_group(1 + 1e-10, 1, 2 + 1e-10, 2 - 1e-10) == "1 where d = 3, 2 where d = 5"
    assert by_group(-1e-10, 1e-10, 2, 2) == "0 where d = 3, 2 where d = 5"
    assert by_group(-1 + 1e-10, -1, 2, 2) == "-1 where d = 3, 2 where d = 5"
    assert by_group(1.3, 1.3, 2.3, 2.3, error=0.4) == "1 where d = 3, 2.3 where d = 5"


def report_with(factor, declared, *findings):
    some = cases("ism", "prime")
    values = [factor * value(c) for c in some]
    return report_on(some, values, diagnose(some, values), findings, (), declared, (), (), "", True)


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
    assert report_with(2, "2", half).exit_status == 1


@pytest.mark.parametrize("factor, times, said", [
    (2, 0.5, "the gradient is the reference's: training is the same"),
    (1, -1.0, "gradients are minus the reference's: descent increases the loss"),
    (3, 2.0, "gradients are 6 times the reference's")])
def test_a_whole_gradient_is_compared_with_that_of_the_reference(factor, times, said):
    whole = Finding("W, b, c", "whole", "the whole gradient is another", Scaling(times))
    assert report_with(factor, None, whole).consequences == (said,)


def test_a_declared_factor_is_not_that_of_the_reference():
    assert report_with(2, "2").exit_status == 0
    assert report_with(1, "2").name == "it is the reference itself, not the declared 2"
