"""The first line of a report, its factors and its effects, for losses written by hand."""
from types import SimpleNamespace

import numpy as np
import pytest

from refsm.verify import cases, verify
from refsm.verify.cases import value
from refsm.verify.convention import normal
from refsm.verify.diagnosis.diagnose import Diagnosis, _shared, diagnose
from refsm.verify.diagnosis.precision import FLOAT64, MIXED
from refsm.verify.diagnosis.regression import fit, table_of
from refsm.verify.diagnosis.scaling import ONE, Scaling
from refsm.verify.mistakes import formulas
from refsm.verify.report import name


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
        "each level is weighted by sigma; and a common factor data_sd", "data_sd; weight.sigma"),
    "a target of the wrong sign, without the small levels": (
        "dsm_levels", lambda c: ((c.sigma > 0.3) * sq(
            psi(c) + (column(c.alpha) * c.x - c.x_noisy) / column(c.sigma)**2) / 2).mean(),
        "MISMATCH", "the points at alpha = 0.9844, sigma = 0.0625 are left out; the sign of the "
        "target", ""),
    "a denoiser without its skip": (
        "dsm", lambda c: (sq(psi(c) + c.x_noisy / c.sigma**2 - target(c)) / 2).mean(),
        "MISMATCH", "compared with -x_noisy / sigma^2 - noise / sigma", "")}


def slow(names, *of):
    """The names, some of them for the slow tests."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in of else name for name in names]


@pytest.mark.parametrize("what", slow(NAMES, "a root in EDM's weight", "directions are averaged "
                                      "first", "four times the norm", "a target of the wrong sign, "
                                      "without the small levels",
                              "weights that sum to 1 in a batch"))
def test_the_difference_has_its_name(what):
    objective, loss, verdict, words, convention = NAMES[what]
    report = verify(loss, objective, family="prime")
    assert report.verdict == verdict
    assert report.name == words
    assert report.convention == convention
    assert not convention or normal(convention) == convention       # it can be declared


@pytest.mark.slow
def test_a_small_number_under_a_logarithm_is_no_convention():
    def loss(c):
        return -np.log(1 / (1 + np.exp(-c.energy_gap(c.x))) + 1e-6).sum(axis=1).mean()

    report = verify(loss, "pseudo")
    assert report.verdict == "UNEXPLAINED"
    assert report.name.startswith("the answers are off by up to 2e-05 of their terms")
    assert report.convention == ""


@pytest.mark.slow
def test_a_term_that_is_free_is_no_nearest_formula():
    def loss(c):
        v = c.directions
        moved = np.stack([((c.score(c.x + 0.1 * u) - c.score(c.x)) / 0.1 * u).sum(axis=1)
                          for u in v.transpose(1, 0, 2)], axis=1)
        return (np.einsum("nri,ni->nr", v, c.score(c.x))**2 / 2 + moved).mean()

    report = verify(loss, "ssm")
    assert report.verdict == "UNEXPLAINED"
    assert "an extra term" not in report.name


def test_the_sign_of_what_is_no_square_is_that_of_the_whole():
    def scaled(c):
        return psi(c) - (c.alpha * c.x - c.x_noisy) / c.sigma**2

    report = verify(lambda c: -np.sqrt(sq(scaled(c))).mean(), "dsm_scaled", family="prime")
    assert report.name == "the norm is not squared; the sign of the whole"


def test_the_nearest_formula_of_what_nothing_explains_is_named():
    report = verify(lambda c: (value(c) + (c.h * (c.h - 1) * c.score(c.x)**2).sum() / (2 * c.n))
                    * (1 + 1e-4 * np.sin(9 * c.params["b"][0])), "generalized")
    assert report.verdict == "UNEXPLAINED"
    assert ("; the nearest formula (h^2 in place of h in the term of psi_i^2 / 2) misses by "
            in report.name)


def test_a_term_too_many_has_its_weight():
    for weight, words in ((lambda c: 0.01, "0.01 "), (lambda c: 1 / c.d, "(1 / d) "),
                          (lambda c: 1.0, "")):
        report = verify(lambda c: value(c) + weight(c) * sq(c.params["W"]).sum(), "generalized")
        assert report.name == f"an extra term: {words}|W|^2"


@pytest.mark.parametrize("mistakes, constant, said", [
    ((), "dropped", "the constant that does not depend on theta is dropped"),
    ((), "other", "a constant that does not depend on theta is added"),
    (("its words",), "dropped", "its words"),          # which may be what the constant is without
    (("its words",), "added", "its words; a constant 3 is added")])
def test_a_constant_is_named_after_the_mistakes(mistakes, constant, said):
    e = SimpleNamespace(mistakes=[SimpleNamespace(words=words, role="") for words in mistakes],
                        changes=(), factor=ONE, constant=constant, added=Scaling(3.0))
    assert name.explained("dsm", e) == said


@pytest.mark.parametrize("tolerance, precision", [(FLOAT64, "rounding"),
                                                  (MIXED, "single precision")])
def test_what_passes_is_right_to_the_precision_of_the_answers(tolerance, precision):
    found = SimpleNamespace(explanation=SimpleNamespace(is_reference=True), tolerance=tolerance)
    assert name.verdict_of("ism", found) == (
        "PASS", f"every answer is the reference's, to {precision}", "1", "1")


def of_terms(objective, *times):
    """The name of a loss whose terms are multiplied, found from the right terms alone."""
    table = table_of(tuple(cases(objective, "prime")))
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

    def step(c):
        return (1 + (c.sigma < 0.5)) / c.d

    verdict, words, line, _ = of_terms("regularized", lambda c: 0.0, odd, lambda c: 1.0)
    assert (verdict, line) == ("MISMATCH", "")
    assert ": |psi|^2 / 2 is missing; tr J (-0.9" in words
    assert "strength" not in words                     # that term is right
    verdict, words, line, _ = of_terms("dsm", clipped, clipped, clipped)
    assert verdict == "CONVENTION"
    assert words == ("every term is weighted by 2 times sigma^2 times min(snr, 5) / snr: min-SNR "
                     "with gamma = 5 on the noise, mean over dimensions in place of their sum")
    assert line.startswith("1 / d; weight w(0.37) = 0.187416, ")
    verdict, words, line, _ = of_terms("dsm", step, step, step)
    assert verdict == "CONVENTION"
    assert words == ("every term is weighted by a function of sigma that is no power: w(0.37) = "
                     "2, w(0.61) = 1, w(1.3) = 1, mean over dimensions in place of their sum")
    assert line == "1 / d; weight w(0.37) = 2, w(0.61) = 1, w(1.3) = 1"


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
        ("the last dimension is not constrained, except through the parameters that dimensions "
         "share",))}


@pytest.mark.parametrize("what", slow(EFFECTS, "linear hidden units", "a target of another point",
                                      "the score in the place of a clean point",
                                      "levels that are not read"))
def test_the_effect_is_that_of_the_whole_difference(what):
    objective, loss, said = EFFECTS[what]
    assert verify(loss, objective, family="prime").consequences == said


def bfloat16(a):
    """Rounded to the eight bits of bfloat16, in float32."""
    bits = np.atleast_1d(np.asarray(a, dtype=np.float32)).view(np.uint32)
    return ((bits + 0x8000) & np.uint32(0xFFFF0000)).view(np.float32).reshape(np.shape(a))


@pytest.mark.parametrize("factor", [1.0, 0.3])
@pytest.mark.parametrize("dtype", [float, np.float32])
def test_a_factor_does_not_hide_that_answers_are_those_of_bfloat16(factor, dtype):
    some = cases("dsm", "prime")
    values = [dtype(bfloat16(factor * value(c))) for c in some]
    found = diagnose(some, values, [np.dtype(dtype).name] * len(some))
    verdict, said, _, _ = name.verdict_of("dsm", found)
    assert verdict == "INCONCLUSIVE"
    assert said.startswith("but for a positive factor" if factor != 1 else "the answers agree")
    assert "as far as bfloat16 can tell" in said


def test_answers_of_which_some_are_right_are_not_those_of_bfloat16():
    some = cases("dsm", "prime")
    values = [value(c) if c.group in ("c0", "c4") else float(bfloat16(value(c))) for c in some]
    verdict, said, *_ = name.verdict_of("dsm", diagnose(some, values))
    assert verdict == "UNEXPLAINED"
    assert "; 10 of 30 are right" in said


def test_float32_answers_with_the_rounding_of_bfloat16_inside_are_not_called_wrong():
    def autocast(c):                                     # the score is rounded to eight bits
        psi = c.score(c.x_noisy).astype(np.float32)
        psi = ((psi.view(np.uint32) + 0x8000) & 0xFFFF0000).astype(np.uint32).view(np.float32)
        return np.float32(sq(psi - (c.x - c.x_noisy) / c.sigma**2).mean() / 2)

    report = verify(autocast, "dsm")
    assert (report.verdict, report.exit_status) == ("INCONCLUSIVE", 3)
    assert "right to the rounding of bfloat16" in report.name
    wrong = verify(lambda c: np.float32(1.05) * autocast(c), "dsm")
    assert wrong.verdict == "INCONCLUSIVE"
    assert wrong.name.startswith("1.05 times the reference to the rounding of bfloat16")
    assert verify(lambda c: -autocast(c), "dsm").verdict == "MISMATCH"


def test_a_sign_is_seen_in_coarse_answers_too():
    some = cases("dsm", "prime")
    found = diagnose(some, [float(bfloat16(-value(c))) for c in some])
    verdict, said, _, _ = name.verdict_of("dsm", found)
    assert verdict == "MISMATCH"
    assert said.startswith("-1 times the reference to the rounding of bfloat16")


@pytest.mark.parametrize("answer", [lambda mine: 0.0, lambda mine: mine + 0.5 * (mine < 1)])
def test_coarse_answers_that_are_no_positive_multiple_are_not_said_to_agree(answer):
    some = cases("ratio", "prime")
    found = diagnose(some, [answer(value(c)) for c in some], ["float16"] * len(some))
    assert name.verdict_of("ratio", found)[0] == "UNEXPLAINED"


def test_no_gradient_is_judged_beside_a_value_that_decides_nothing():
    def loss(c):
        value = float(bfloat16((sq(psi(c) - target(c)) / 2).mean()))
        return {"value": value, "gradient": {name: 0 * a for name, a in c.params.items()}}

    report = verify(loss, "dsm", gradient=True)
    assert report.verdict == "INCONCLUSIVE"
    assert report.gradient == ()


def nothing_known(answers, reference, near=None):
    """The name of answers that nothing explains, three thetas for each of four groups."""
    Y, mine = (np.array(a, dtype=float).reshape(4, 3) for a in (answers, reference))
    table = SimpleNamespace(
        reference=mine, scale=np.abs(mine) + 0.5, sizes=TABLE.sizes,
        cases=[SimpleNamespace(id=f"case {k}") for k in range(12)],
        index=np.arange(12).reshape(4, 3))
    return name._unexplained(Diagnosis(FLOAT64, table, Y, None, nearest=near))


MINE = np.arange(12) + 0.5
OTHER = MINE + np.sin(MINE)


def test_a_single_wrong_answer_is_named_with_its_case_and_several_are_counted():
    wrong = np.arange(12) == 7
    assert nothing_known(np.where(wrong, OTHER, MINE), MINE) == (
        "only case 7 differs: 1.12507 times the reference")
    assert nothing_known(np.where(wrong, 0.25, MINE), np.where(wrong, 0, MINE)) == (
        "only case 7 differs: 0.25 for 0")
    three = [f"prime/ism/{k}" for k in ("c2/t3", "c4/t0", "c5/t1")]
    report = verify(lambda c: value(c) * (1.01 if c.id in three else 1.0), "ism")
    assert report.name == ("only 3 of 30 answers differ: " + ", ".join(
        f"{case}: 1.01 times the reference" for case in three))


def test_right_answers_are_counted_or_said_by_the_size_that_decides_where_they_are():
    text = "the answers are no combination of terms that is known; "
    third, seventh = np.arange(12) % 3 == 2, np.arange(12) == 7
    of_n = np.arange(12) % 6 < 3                       # the groups with n = 7
    assert nothing_known(np.where(third, MINE, OTHER), MINE) == f"{text}4 of 12 are right"
    assert nothing_known(np.where(seventh, MINE, OTHER), MINE) == f"{text}1 of 12 is right"
    assert nothing_known(np.where(of_n, MINE, OTHER), MINE) == (
        f"{text}they are right where n is 7 and wrong where it is 13")
    assert nothing_known(np.where(np.arange(12) < 9, MINE, OTHER), MINE) == (
        f"{text}9 of 12 are right")
    assert nothing_known(OTHER, MINE) == text[:-2]
    assert nothing_known(3e3 + 3e-11 * MINE, MINE) == "the answers do not depend on the parameters"
    assert nothing_known(0 * MINE, MINE).endswith("do not depend on the parameters: every one is 0")
    near = SimpleNamespace(distance=4e-4, formula=SimpleNamespace(mistakes=()))
    assert nothing_known(OTHER, MINE, near) == (
        f"{text}the nearest formula (the reference with other coefficients) misses by 0.0004 of "
        "the answers")
    assert nothing_known(MINE * (1 + 8e-4 * np.sin(MINE)), MINE).startswith(
        "the answers are off by up to 0.0007 of their terms")


@pytest.mark.parametrize("number, text", [
    (1.0, "1"), (0.5476, "0.5476"), (1.00005, "1.00005"), (0.99999994, "0.99999994"),
    (-1.0000002, "-1.0000002"), (1 + 2e-4 / 3, "1.000067"), (2 / 3, "0.666667"),
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
