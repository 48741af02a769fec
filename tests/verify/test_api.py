"""verify and assert_conforms: one call, one report."""
import functools
import itertools
import json

import numpy as np
import pytest

import refsm
from refsm.verify import Answer, api, assert_conforms, cases, verify
from refsm.verify.cases import gradient, per_sample, value
from refsm.verify.cases.levels import SCHEDULES
from refsm.verify.diagnosis import diagnose
from refsm.verify.diagnosis.precision import FLOAT64
from refsm.verify.report.report import Report, Row


def half(c):
    """Without the 1/2."""
    r = c.score(c.x_noisy) - (c.x - c.x_noisy) / c.sigma**2
    return (r * r).sum(axis=1).mean()


def upside_down(c):
    r = c.score(c.x_noisy) + (c.x - c.x_noisy) / c.sigma**2
    return (r * r).sum(axis=1).mean() / 2


def test_the_package_is_a_function():
    report = refsm.verify(value, "dsm")
    assert report.verdict == "PASS"
    assert report.exit_status == 0
    assert bool(report)
    assert refsm.verify.cases("dsm")
    assert refsm.assert_conforms is assert_conforms


@pytest.mark.parametrize("objective", [
    "dsm", "ssm", "ratio", *(pytest.param(objective, marks=pytest.mark.slow)
                             for objective in ("esm", "ism", "regularized", "parzen_esm",
                                               "parzen_ism", "dae", "ssm_vr", "pseudo"))
])
def test_the_reference_passes_in_every_family_and_precision_and_form(objective):
    for family in ("prime", "array", "paper"):
        assert verify(value, objective, family=family).verdict == "PASS"
    assert verify(per_sample, objective).verdict == "PASS"
    assert verify(lambda c: np.float32(value(c)), objective).precision == "float32"
    assert verify(lambda c: float(f"{value(c):.6g}"), objective).verdict == "PASS"


def test_a_convention_conforms_once_it_is_declared():
    report = verify(half, "dsm")
    assert (report.verdict, report.factor, report.convention, report.exit_status) == ("CONVENTION",
                                                                                      "2", "2", 1)
    declared = verify(half, "dsm", convention="2")
    assert declared.exit_status == 0
    assert declared.conforms
    assert declared.failing == ()
    assert_conforms(half, "dsm", convention="2")
    with pytest.raises(AssertionError, match="CONVENTION  dsm: a factor 2"):
        assert_conforms(half, "dsm")


@pytest.mark.slow
def test_after_a_declaration_the_run_is_strict():
    report = verify(value, "dsm", convention="2")
    assert report.verdict == "MISMATCH"
    assert report.exit_status == 1
    assert "the reference itself, not the declared 2" in report.name
    assert verify(lambda c: 2.0001 * value(c), "dsm", convention="2").exit_status == 1
    assert verify(upside_down, "dsm", convention="2").exit_status == 1
    assert verify(upside_down, "dsm", convention="target x -1").exit_status == 0
    assert verify(value, "dsm", convention="1").exit_status == 0


@pytest.mark.slow
def test_a_weight_by_sigma_can_be_declared():
    weighted = lambda c: np.exp(-c.sigma) * value(c)                    # noqa: E731
    line = "weight w(0.37) = 0.690734, w(0.61) = 0.543351, w(1.3) = 0.272532"
    assert verify(weighted, "dsm").convention == line
    assert verify(weighted, "dsm", convention=line).exit_status == 0
    other = verify(lambda c: np.exp(-2 * c.sigma) * value(c), "dsm", convention=line)
    assert other.exit_status == 1
    assert "w(0.37) = 0.477114" in other.convention


@pytest.mark.slow
def test_a_mistake_is_declared_by_its_identity_or_its_words():
    whole = lambda c: ((c.score(c.x)**2).sum(axis=1) / 2                    # noqa: E731
                       + c.score_jacobian(c.x).sum(axis=(1, 2))).mean()
    report = verify(whole, "ism")
    assert report.convention == "divergence.whole"
    assert verify(whole, "ism", convention="divergence.whole").exit_status == 0
    assert verify(whole, "ism", convention=report.name).exit_status == 0
    assert verify(whole, "ism", convention="divergence.first").exit_status == 1


@pytest.mark.slow
@pytest.mark.parametrize("weight, name", [
    (lambda c: 2 * c.sigma**2 / c.d * min(1, 5 * c.sigma**2),
     "weighted by 2 times sigma^2 times min(snr, 5) / snr: min-SNR with gamma = 5 on the noise, "
     "mean over dimensions in place of their sum"),
    (lambda c: (1 + (c.sigma < 0.5)) / c.d, "every term is weighted by a function of sigma")])
def test_weights_of_levels_are_named_and_can_be_declared(weight, name):
    loss = lambda c: weight(c) * value(c)                                   # noqa: E731
    report = verify(loss, "dsm")
    assert (report.verdict, report.exit_status) == ("CONVENTION", 1)
    assert name in report.name
    assert "within a group" in report.consequences[0]
    assert verify(loss, "dsm", convention=report.convention).exit_status == 0
    single = lambda c: np.float32(loss(c))                                  # noqa: E731
    assert verify(single, "dsm", convention=report.convention).exit_status == 0
    nearly = lambda c: loss(c) * (1 + 1e-4 * (c.sigma > 1))                 # noqa: E731
    assert verify(nearly, "dsm", convention=report.convention).exit_status == 1


def test_answers_that_differ_between_equal_calls_are_no_finer_than_that():
    def unsteady(gap, dtype=float):
        calls = iter(range(100))
        return lambda c: dtype(value(c) * (1 + gap * (next(calls) % 2)))

    wide = verify(unsteady(5e-5), "dsm")
    assert (wide.verdict, wide.exit_status, wide.convention) == ("INCONCLUSIVE", 3, "")
    assert wide.name == (
        "the answers are the reference's, but two equal calls differ by 5e-05, more than the "
        "rounding of float64")
    fine = verify(unsteady(3e-15), "dsm")
    assert fine.verdict == "PASS"
    assert fine.notes == ("two equal calls differ by 3e-15: nothing finer can be said",)
    single = verify(unsteady(3e-6, np.float32), "dsm")
    assert single.verdict == "PASS"
    assert single.resolution >= 2.8e-6
    twice = verify(unsteady(5e-5, lambda v: 2 * v), "dsm")
    assert twice.verdict == "CONVENTION"
    assert twice.resolution == pytest.approx(5e-5, rel=1e-9)
    drawn = iter(np.random.default_rng(3).standard_normal(9))
    shaken = verify(
        lambda c: {"value": value(c), "gradient": {"b": next(drawn) + 0 * c.params["b"]}}, "dsm",
        gradient=True)
    assert shaken.exit_status == 3
    assert "two equal calls gave gradient['b'] " in shaken.name


@pytest.fixture
def unsteady_once():
    """The reference, one of whose answers is 5e-5 larger at every second call."""
    larger = itertools.cycle([0.0, 5e-5])
    return lambda c: value(c) * (1 + (next(larger) if c.id == "prime/ism/c2/t3" else 0.0))


def test_a_single_answer_that_differs_between_equal_calls_is_enough(unsteady_once):
    report = verify(unsteady_once, "ism")
    assert report.verdict == "INCONCLUSIVE"
    assert "two equal calls differ by 5e-05" in report.name


def test_of_answers_that_nothing_explains_the_gap_is_noted_too(unsteady_once):
    report = verify(lambda c: 0.0 if c.id == "prime/ism/c0/t0" else -unsteady_once(c), "ism")
    assert (report.verdict, report.resolution) == ("UNEXPLAINED", None)
    assert report.notes[0].startswith("the answers are the reference's, up to a factor, in ")
    assert report.notes[1:] == ("two equal calls differ by 5e-05: nothing finer can be said",)


def test_noise_of_single_precision_in_wide_answers_is_in_the_headline():
    rough = verify(lambda c: value(c) * (1 + 1e-7 * np.sin(1e5 * value(c))), "dsm")
    assert rough.verdict == "PASS"
    assert rough.name == "every answer is the reference's, to single precision"
    assert "or noise" in rough.notes[0]


def test_a_known_failure_is_no_pass():
    text = str(verify(half, "dsm", known_failures=["prime/dsm/*"]))
    assert text.startswith("KNOWN FAILURE, CONVENTION  dsm: a factor 2")
    assert str(verify(half, "dsm", convention="2")).startswith("CONVENTION  dsm")

@pytest.mark.slow
def test_gradients_are_compared_when_asked_for():
    right = lambda c: {"value": value(c), "gradient": gradient(c)}      # noqa: E731
    assert verify(right, "dsm", gradient=True).verdict == "PASS"
    frozen = lambda c: {
        "value": value(c), "gradient": {k: g * (k != "b")
                                        for k, g in gradient(c).items()}
    }    # noqa: E731
    report = verify(frozen, "dsm", gradient=True)
    assert report.verdict == "MISMATCH"
    assert report.gradient == (
        "the gradient for b is 0: the parameter is not in the graph, or was frozen",)
    assert verify(frozen, "dsm").verdict == "PASS"
    assert any("gradient=True" in text for text in verify(frozen, "dsm").cannot_tell)
    assert verify(value, "dsm", gradient=True).exit_status == 3
    with_slip = verify(lambda c: {"value": upside_down(c), "gradient": frozen(c)["gradient"]},
                       "dsm", gradient=True)
    assert with_slip.verdict == "MISMATCH"
    assert "sign of the target" in with_slip.name
    assert len(with_slip.gradient) >= 1


@pytest.mark.slow
def test_what_a_symmetric_gradient_hides_is_in_the_report():
    def lopsided(c):
        S = np.arange(1.0 * c.d * c.d).reshape(c.d, c.d)
        return {"value": value(c), "gradient": {**gradient(c), "W": gradient(c)["W"] + S - S.T}}

    report = verify(lopsided, "ratio", gradient=True)
    assert report.verdict == "PASS"
    assert report.cannot_tell[-1].endswith(
        "of its gradient G is compared, and yours is not symmetric")


def test_terms_of_single_points_are_compared_too():
    other = verify(lambda c: {"value": value(c),
                              "per_sample": per_sample(c)[[1, 0, *range(2, c.n)]]}, "ism")
    assert other.verdict == "MISMATCH"
    assert other.name == "the terms of the points are right, but in another order"


@pytest.mark.parametrize("value_of, times", [(value, 1), (lambda c: 2 * value(c), 2),
                                             (lambda c: c.n * value(c), 1)])
def test_the_term_of_a_point_that_is_wrong_is_said(value_of, times):
    def terms(case):
        off = case.id == "prime/ism/c2/t1"
        return times * per_sample(case) + off * np.eye(case.n)[4] / 100

    report = verify(lambda c: {"value": value_of(c), "per_sample": terms(c)}, "ism")
    case = next(of for of in cases("ism", "prime") if of.id == "prime/ism/c2/t1")
    yours, mine = terms(case)[4], per_sample(case)[4]
    but = "the mean over points is right, but " if value_of is value else ""
    assert report.name.endswith(
        f"{but}the terms of the points are no multiple of the reference's: {case.id} has "
        f"{yours:.6g} at point 5, the reference {mine:.6g}")


@pytest.mark.parametrize(("total", "each", "said"), [
    (2, 2, ""), (2, 3, "3 times the reference's"), (2, 1, "the reference's"),
    ("n", 1, ""), ("n", "n", ""), ("n", 2, "2 times the reference's"),
    (1, "1 / n", "1 / n times the reference's")])
def test_terms_of_single_points_have_the_factor_of_the_value_or_no_sum_over_points(
        total, each, said):
    def loss(case):
        size = {"n": case.n, "1 / n": 1 / case.n}
        return {"value": size.get(total, total) * value(case),
                "per_sample": size.get(each, each) * per_sample(case)}

    report = verify(loss, "dsm", convention=str(total))
    assert report.conforms == (said == "")
    assert report.name.endswith(f"the term of every point is {said}") == (said != "")
    assert ("if it is meant" in str(verify(loss, "dsm"))) == (said == "" and total != 1)


def test_terms_in_another_order_are_seen_under_a_sum_over_points():
    report = verify(lambda c: {"value": c.n * value(c), "per_sample": per_sample(c)[::-1]}, "dsm")
    assert report.verdict == "MISMATCH"
    assert report.name.endswith("the terms of the points are right, but in another order")


def test_known_failures_are_excused_and_only_they(tmp_path):
    listed = tmp_path / "known.txt"
    listed.write_text("prime/dsm/c0/*   # to be mended\nprime/dsm/c[1-5]/*\n")
    assert verify(half, "dsm", known_failures=listed).exit_status == 0
    assert verify(half, "dsm", known_failures=["prime/dsm/c0/*"]).exit_status == 1
    fine = verify(value, "dsm", known_failures=["prime/dsm/c0/t0"])
    assert fine.exit_status == 0
    assert fine.notes == ("known failures that do not fail: prime/dsm/c0/t0",)
    sentence = "known_failures must be identifiers of cases or a file of them, but .* be read"
    with pytest.raises(ValueError, match=sentence):
        verify(value, "dsm", known_failures=str(tmp_path / "none"))
    assert verify(half, "dsm", known_failures=iter(["prime/dsm/*"])).exit_status == 0


def test_an_implementation_that_fails_is_a_report():
    broken = verify(lambda c: 1 / 0, "dsm")
    assert broken.verdict == "BROKEN"
    assert broken.exit_status == 2
    assert "ZeroDivisionError" in broken.name
    rng = np.random.default_rng(0)
    own_noise = verify(lambda c: value(c) + rng.standard_normal(), "dsm")
    assert own_noise.verdict == "INCONCLUSIVE"
    assert own_noise.exit_status == 3
    assert verify("no.such.module:loss", "dsm").exit_status == 2
    lost = verify(lambda c: c.score(c.x_noisy).sum(), "dsm", family="array")
    assert lost.exit_status == 2
    assert lost.name.endswith(
        "(an array case has no model and no functions; its arrays are x, noise, x_noisy, score)")
    assert "array case" not in broken.name


def test_an_implementation_may_be_named():
    report = verify("refsm.verify.cases.reference:value", "dsm")
    assert report.verdict == "PASS"
    assert report.reproduce.startswith(
        "refsm verify refsm.verify.cases.reference:value --objective dsm\n")
    assert verify(value, "ism", gradient=True).reproduce.startswith(
        "refsm verify refsm.verify.cases.reference:value --objective ism --gradient")
    assert verify(half, "dsm").reproduce.splitlines()[-1] == "refsm show prime/dsm/c0/t0 --steps"


def test_cases_can_be_given():
    some = [case for case in cases("dsm", "prime", seed=4)]
    assert verify(half, "dsm", cases=some).convention == "2"
    assert verify(half, "dsm", cases=some).case["id"].startswith("prime/dsm/seed4/")
    few = verify(half, "dsm", cases=some[:2])
    assert few.verdict == "UNEXPLAINED"
    assert "too few" in few.name
    assert (len(few.failing), few.notes) == (2, ())
    assert verify(value, "dsm", cases=some[:2]).verdict == "PASS"
    report = verify("refsm.verify.cases.reference:value", "dsm", cases=iter(some))
    assert report.verdict == "PASS"
    assert report.reproduce == "refsm show prime/dsm/seed4/c0/t0 --steps"    # a command has others


def test_a_loss_that_differs_is_searched_in_the_family_that_was_asked_for_alone(monkeypatch):
    """On the others weights are searched alone; each is asked by the same time limit."""
    judged = []

    def judge(cases, *rest):
        judged.append((cases[0].family, *rest[-2:]))
        return Report("UNEXPLAINED", "dsm_scaled", "", rows=(Row("value", 0.0, 1.0, ""),))

    monkeypatch.setattr(api, "_judge", judge)
    settings = {name: None for name in (
        "cases", "convention", "model", "predicts", "known_failures", "gradient", "family")}
    asked = functools.partial(api.ask_and_judge, lambda c: 0.0, "dsm_scaled", waits=7.0)
    asked(**{**settings, "seed": 0, "time_limit": 1e-9})
    assert judged == [("prime", 7.0, "anywhere"),
                      *((family, 7.0, "weights") for family in SCHEDULES)]
    given = {"cases": cases("dsm_scaled", "prime")}
    for only, family in (({"family": "vp"}, "vp"), (given, "prime")):
        judged.clear()
        verify(lambda c: 0.0, "dsm_scaled", time_limit=7.0, **only)
        assert judged == [(family, 7.0, "anywhere")]


def test_other_points_are_looked_for(monkeypatch):
    tried = []
    monkeypatch.setattr(diagnose, "other_points", lambda table, *_: tried.append(table.objective))
    verify(lambda c: np.sin(value(c)), "ism")
    assert tried == ["ism"]


@pytest.mark.parametrize(
    "call, error, text",
    [(lambda: verify(value, "none"), ValueError, "objective must be one of"),
     (lambda: verify(value, "dsm", cases=[]), ValueError, "cases must not be empty"),
     *((lambda none=none: verify(none, "dsm"), TypeError,
        "implementation must be a function of a case, or package.module:function, but it is ")
       for none in (3, None)),
     (lambda: verify(value, "dsm", cases=[3]), TypeError, "cases must be a list of cases, but one "
      "of them is 3"),
     (lambda: verify(value, "dsm", cases=3), TypeError, "cases must be a list of cases, but it is"),
     (lambda: verify(value, "dsm", model=["tanh"]), ValueError, "model must be one of auto"),
     (lambda: verify(value, "dsm", family=["prime"]), ValueError, "family must be one of paper"),
     (lambda: verify(value, "dsm", seed=[3]), ValueError, "seed must be an integer >= 0, but"),
     (lambda: verify(value, "dsm", known_failures=3), TypeError,
      "known_failures must be identifiers of cases, but one of them is 3"),
     (lambda: verify(value, "dsm", known_failures=["c0", 3]), TypeError,
      "known_failures must be identifiers of cases, but one of them is 3"),
     (lambda: verify(value, "dsm", known_failures="a\0b"), ValueError, "cannot be read: no text"),
     (lambda: cases(3), TypeError, "objective must be the name of one, or names, but it is 3"),
     (lambda: verify(value, "dsm", cases=cases("ism")), ValueError,
      "cases must be of the objective dsm, but prime/ism/c0/t0 is of ism"),
     *((lambda options=options: verify(value, "dsm", **options), ValueError, text)
       for options, text in [
           ({"replicates": 50}, "replicates are for own_noise"),
           ({"own_noise": True, "gradient": True}, "own_noise takes no gradient, cases"),
           ({"own_noise": True, "model": "rbm"}, "own_noise takes no gradient, cases"),
           ({"own_noise": True, "cases": cases("dsm")}, "own_noise takes no gradient, cases"),
           ({"own_noise": True, "known_failures": ["c"]}, "own_noise takes no gradient, cases"),
           ({"network": value, "parameters": value, "cases": cases("dsm")}, "and take no gradient"),
           ({"own_noise": True, "seed": -1}, "seed must be an integer >= 0, but it is -1"),
           ({"own_noise": True, "replicates": 0}, "replicates must be a whole number >= 1, but it"),
           ({"own_noise": True, "replicates": 29}, "replicates must be >= 30, but it is 29"),
           *(({"family": "paper", **more}, "gradient, convention and known_failures are for more")
             for more in ({"gradient": True}, {"convention": "2"}, {"known_failures": ["*"]})),
           ({"family": "array", "gradient": True}, "gradient is for a model with parameters"),
           ({"time_limit": 0}, "time_limit must be finite and > 0, but it is 0")]),
     (lambda: verify(value, "dsm", convention='__import__("os")'), ValueError,
      "is not a convention: one is a factor such as 2 sigma"),
     (lambda: verify(value, "dsm", convention="apples x 2"), ValueError,
      "'apples x 2' is not a convention"),
     (lambda: verify(value, "dsm", convention="weight w(sigma)"), ValueError,
      "'weight w.sigma.' is not a convention"),
     (lambda: verify(value, "dsm", convention="2 apples"), ValueError,
      "such as 2 sigma.2 / .3 d., but it is '2 apples'")])
def test_wrong_arguments_are_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.slow
def test_a_report_is_text_of_a_hundred_columns_and_json():
    for loss in (upside_down, lambda c: np.exp(-c.sigma) * value(c),
                 lambda c: float(c.params["W"][0, 0])):
        report = verify(loss, "dsm")
        assert all(len(line) <= 100 for line in str(report).splitlines())
        assert json.loads(report.to_json())["verdict"] == report.verdict
        assert json.loads(report.to_json())["exit_status"] == report.exit_status


def test_the_report_of_the_sign_of_the_target():
    text = str(verify(upside_down, "dsm"))
    for line in ("MISMATCH  dsm: the sign of the target (equally: of the score)",
                 "the energy is learned upside down", "torchebm before its pull request 333",
                 "|psi|^2 / 2: right in every case", 'convention="target x -1"',
                 "refsm show prime/dsm/c0/t0 --steps"):
        assert line in text


def test_an_unexplained_mismatch_says_where_it_is_right():
    report = verify(lambda c: value(c)
                    if c.d == 3 else value(c) + float(c.params["W"][0, 0]), "ism")
    assert report.verdict == "UNEXPLAINED"
    assert "they are right where d is 3 and wrong where it is 5" in report.name
    assert len(report.failing) == 15
    assert verify(lambda c: 1.5, "ism").name == "the answers do not depend on the parameters"
    assert verify(lambda c: 0.0,
                  "ism").name == "the answers do not depend on the parameters: every one is 0"


def test_terms_of_points_agree_to_rounding_of_their_sum():
    def shifted(case, more):
        mine = per_sample(case)
        off = more * FLOAT64(np.abs(mine).max() * case.n)
        return mine + off * np.eye(case.n)[0] - off * np.eye(case.n)[1]

    right = str(verify(lambda c: shifted(c, 0.9), "ism"))
    assert "mean over points is right, but" not in right
    assert "in another order" not in right
    wrong = verify(lambda c: shifted(c, 1.1 * (c.id == "prime/ism/c2/t1")), "ism")
    assert "terms of the points are no multiple of the reference's: prime/ism/c2/t1 " in wrong.name


@pytest.mark.parametrize("total", [1, 0])
def test_the_point_whose_term_is_off_is_shown_and_not_one_that_is_right(total):
    def swapped(case):
        off = np.arange(case.n) * (case.id == "prime/ism/c2/t1")
        return {"value": value(case) * case.n**total, "per_sample": per_sample(case) + off}

    mine = per_sample(cases("ism", "prime")[11])
    assert verify(swapped, "ism").name.endswith(
        f"prime/ism/c2/t1 has {mine[-1] + 12:.6g} at point 13, the reference {mine[-1]:.6g}")


def test_few_cases_pass_to_rounding_of_one_and_their_value():
    some = [cases("ratio", "paper")[0], cases("esm", "prime")[3]]              # 0.75 and 110
    for case in some:
        tolerance = FLOAT64(1 + abs(value(case)))
        assert verify(lambda c: value(c) + 0.9 * tolerance, case.objective,
                      cases=[case]).verdict == "PASS"
        off = verify(lambda c: value(c) + 1.1 * tolerance, case.objective, cases=[case])
        assert (off.verdict, off.case["id"]) == ("UNEXPLAINED", case.id)
    four = [case for case in cases("dsm", "prime") if not case.id.endswith("t4")]
    for some in (four, cases("dsm")):
        assert "these cases are few or mixed" in verify(value, "dsm", cases=some).notes[0]


def test_too_few_digits_are_inconclusive():
    report = verify(lambda c: float(f"{value(c):.3g}"), "ism")
    assert report.verdict == "INCONCLUSIVE"
    assert report.exit_status == 3
    assert "3 printed digits" in report.name


def test_answers_may_be_answers():
    assert verify(lambda c: Answer(value(c)), "ism").verdict == "PASS"


def own(f, slope):
    """The loss f(L) of the reference's L, with the gradient slope(L) grad L."""
    return lambda c: {"value": f(value(c)),
                      "gradient": {b: slope(value(c)) * g for b, g in gradient(c).items()}}


@pytest.mark.slow
def test_the_gradient_of_a_loss_that_nothing_explains_is_compared_with_that_loss():
    strange, slope = (lambda v: np.sin(v) + np.log1p(v * v),           # noqa: E731
                      lambda v: np.cos(v) + 2 * v / (1 + v * v))
    right = verify(own(strange, slope), "ism", gradient=True)
    assert (right.verdict, right.gradient) == ("UNEXPLAINED", ())
    assert "the gradient is the derivative of your own loss" in right.notes[0]
    wrong = verify(own(strange, lambda v: 1.0), "ism", gradient=True)
    assert wrong.verdict == "UNEXPLAINED"
    assert [text.split()[3] for text in wrong.gradient] == ["W", "b", "c"]
    assert "is not the derivative of your own loss: along a random direction" in wrong.gradient[0]
    answers = {c.id: own(strange, slope)(c) for c in cases("ism", "prime")}
    from_a_file = verify(lambda c: answers[c.id], "ism", gradient=True)
    assert from_a_file.gradient == ()
    assert "the gradient is not compared with the reference's" in from_a_file.notes[0]


@pytest.mark.parametrize("kind, allowed", [
    (lambda v, c: v, "1e-04"), (lambda v, c: np.float32(v), "3e-02"),
    (lambda v, c: float(np.float32(v)), "3e-02"),
    (lambda v, c: np.float32(v) if c.id.endswith("t0") else v, "3e-02")])
def test_the_gradient_of_such_a_loss_is_right_to_what_its_precision_allows(kind, allowed):
    some = cases("ism", "prime", model="gaussian")[:10]

    def sine(c):
        answer = own(np.sin, np.cos)(c)
        return {**answer, "value": kind(answer["value"], c)}

    report = verify(sine, "ism", gradient=True, cases=some)
    assert (report.verdict, report.gradient) == ("UNEXPLAINED", ())
    assert f"along random directions to {allowed}: it is the value" in report.notes[0]


@pytest.mark.slow
def test_what_is_noted_of_gradients_is_noted_beside_other_notes():
    def sine(c, slope=np.cos):
        trace = np.trace(c.params["precision"])
        return {"value": np.sin(trace),
                "gradient": {"mean": None, "precision": slope(trace) * np.eye(c.d)}}

    def rough(c):
        g = gradient(c)["precision"]
        return {"value": value(c), "gradient": {"mean": None, "precision": g * (1 + 1e-8 * g)}}

    none, asked = "gradient['mean'] is None, taken as zero", {"model": "gaussian", "gradient": True}
    right = verify(sine, "ism", **asked)
    assert right.notes[0] == none
    assert right.notes[1].startswith("the gradient is the derivative of your own loss")
    wrong = verify(lambda c: sine(c, np.sin), "ism", **asked)
    assert (wrong.verdict, wrong.notes) == ("UNEXPLAINED", (none,))
    assert verify(rough, "ism", **asked).notes == (none, api.SINGLE)
    assert verify(own(lambda v: v, lambda v: 1.0), "ism", **asked).notes == ()


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["dsm", "pseudo"])
@pytest.mark.parametrize("noise", [1e-9, 1e-7])
def test_gradients_of_differences_or_of_float32_are_right_to_single_precision(objective, noise):
    report = verify(lambda c: {"value": value(c), "gradient": {
        b: g + noise * np.abs(g).max() * np.sin(1e5 * g) for b, g in gradient(c).items()}},
        objective, gradient=True)
    assert report.verdict == "PASS"
    assert "the gradients agree to single precision only" in report.notes[0]
    exact = verify(own(lambda v: v, lambda v: 1.0), objective, gradient=True)
    assert not any("single precision" in note for note in exact.notes)
    nearly = verify(own(lambda v: v, lambda v: 1 + 1e-7), objective, gradient=True)
    assert nearly.verdict == "MISMATCH"
    assert "1.0000001 times that of the value" in nearly.name


@pytest.mark.parametrize("objective, model, weight", [
    ("ism", "gaussian", lambda c: np.exp(-c.n / 9)),
    pytest.param("dsm", None, lambda c: np.exp(-c.sigma), marks=pytest.mark.slow)])
def test_gradients_of_a_loss_with_weights_are_compared_with_those_weights(objective, model, weight):
    weighted = lambda c: {"value": weight(c) * value(c), "gradient": {          # noqa: E731
        b: weight(c) * g for b, g in gradient(c).items()}}
    asked = {"objective": objective, "model": model, "gradient": True}
    report = verify(weighted, **asked)
    assert (report.verdict, report.gradient, report.notes) == ("CONVENTION", (), ())
    assert verify(weighted, convention=report.convention, **asked).exit_status == 0
    other = verify(lambda c: {**weighted(c), "gradient": gradient(c)}, **asked)
    assert other.verdict == "MISMATCH"


@pytest.mark.slow
def test_a_gradient_that_is_half_of_a_doubled_loss_is_the_references():
    half_of_two = verify(own(lambda v: 2 * v, lambda v: 1.0), "ism", gradient=True)
    assert half_of_two.gradient == ("the whole gradient is 1 / 2 times that of the value",)
    assert half_of_two.consequences == ("the gradient is the reference's: training is the same",)
    assert half_of_two.not_the_problem == (
        "the value of |psi|^2 / 2 and tr J, but for the common factor",)
    halved = verify(own(lambda v: v, lambda v: 0.5), "ism", gradient=True)
    assert halved.consequences == ("gradients are 1 / 2 times the reference's",)
    assert halved.not_the_problem == ("the value of |psi|^2 / 2 and tr J",)


def test_of_a_wrong_function_no_sum_is_said_to_be_right():
    def first_alone(c):
        v = c.directions[:, :1]
        along = np.einsum("nri,ni->nr", v, c.score(c.x))
        return (along**2 / 2 + c.score_curvature(c.x, v)).mean()

    assert verify(first_alone, "ssm").not_the_problem == ()
    two = verify(lambda c: ((c.score(c.x)**2).sum(axis=1) / 2
                            + c.score_jacobian_diagonal(c.x)[:, :2].sum(axis=1)).mean(), "ism")
    assert two.not_the_problem == ("|psi|^2 / 2: right in every case",)


def test_a_gradient_that_one_answer_lacks_is_missed():
    report = verify(lambda c: {"value": value(c), "gradient": gradient(c) if c.id[-5:] != "c0/t0"
                               else None}, "dsm", gradient=True)
    assert report.name == "no gradient for W, b, c was returned in 1 of 30 cases"


def test_what_breaks_before_an_answer_is_shown_by_the_first_case():
    first = "refsm show prime/dsm/c0/t0 --steps"
    missing = verify("json:nothing", "dsm")
    assert missing.name.startswith("json has no nothing; it defines ")
    assert missing.reproduce == f"refsm verify json:nothing --objective dsm\n{first}"
    values = verify(lambda c: value(c), "dsm", gradient=True)
    assert (values.verdict, values.reproduce) == ("INCONCLUSIVE", first)
    draws = iter(range(9))
    assert "--own-noise" not in verify(lambda c: next(draws), "parzen_esm").name
    drawing = verify(lambda c: next(draws), "dsm")
    assert drawing.verdict == "INCONCLUSIVE"
    assert drawing.name.endswith("hand it over with the template's `handing`; or verify it with "
                                 "--own-noise")


def test_a_case_that_breaks_is_the_one_that_is_shown():
    def breaks(c):
        if c.d == 5:
            raise RuntimeError("five")
        return value(c)

    report = verify(breaks, "dsm")
    assert report.name.startswith("prime/dsm/c1/t0: ")
    assert report.reproduce.endswith("refsm show prime/dsm/c1/t0 --steps")


@pytest.mark.slow
def test_on_a_schedule_every_case_is_asked_once():
    seen = []
    verify(lambda case: seen.append(case.id) or np.sin(value(case)), "dsm", predicts="noise")
    families = ("prime", "vp", "flow")
    asked = {family: sum(id.startswith(f"{family}/") for id in seen) for family in families}
    one = {family: len(cases("noise_prediction", family)) for family in asked}
    assert asked == {"prime": 2 * one["prime"], "vp": one["vp"], "flow": one["flow"]}
