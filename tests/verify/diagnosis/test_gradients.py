"""Gradients that are not those of their values: what was detached, untied, frozen or scaled is
named."""
from types import SimpleNamespace

import numpy as np
import pytest

from refsm.verify import cases, verify
from refsm.verify.cases import derivatives
from refsm.verify.diagnosis import gradients
from refsm.verify.diagnosis.diagnose import diagnose
from refsm.verify.diagnosis.findings import Finding, named, no_scaling, together
from refsm.verify.diagnosis.gradients import _Block, diagnose_gradients, not_compared
from refsm.verify.diagnosis.precision import FLOAT64
from refsm.verify.diagnosis.regression import table_of as table_of_cases
from refsm.verify.diagnosis.scaling import parse_scaling
from refsm.verify.cases import value
from refsm.verify.objectives import DIVERGENCE, NORM, OBJECTIVES
from refsm.verify.report.compose import FOLLOWS

MADE = {}


def term_gradient(case, term, path="", blocks=None):
    """The gradient of a part, made once for all tests."""
    for block in case.theta if blocks is None else blocks:
        if (case.id, term, path, block) not in MADE:
            MADE[case.id, term, path, block] = derivatives.term_gradient(case, term, path,
                                                                         [block])[block]
    return {
        block: MADE[case.id, term, path, block]
        for block in (case.theta if blocks is None else blocks)
    }


def gradient(case):
    return {
        block: sum(term_gradient(case, term)[block]
                   for term in OBJECTIVES[case.objective].terms)
        for block in case.theta
    }


@pytest.fixture(autouse=True)
def made_once(monkeypatch):
    monkeypatch.setattr(gradients, "term_gradient", term_gradient)


def table_of(objective, model=None):
    """The table of the cases of an objective."""
    return table_of_cases(tuple(cases(objective, "prime", model=model)))


def found(objective, answered, model=None, dtype=float, loss=value):
    """The findings on the gradients that `answered` gives, two thetas a cell being enough to see
    them."""
    table = table_of(objective, model)
    some = table.cases
    values = [float(dtype(loss(case))) for case in some]
    found = diagnose(some, values)
    given = [{block: np.asarray(g, dtype=dtype)
              for block, g in answered(case).items()}
             for case in some]
    return diagnose_gradients(table, given, found.explanation, found.tolerance)


def of_terms(*factors):
    return lambda c: {
        b: sum(f * term_gradient(c, p)[b]
               for f, p in zip(factors, OBJECTIVES[c.objective].terms))
        for b in c.theta
    }


def norm_alone(c):
    return (c.score(c.x)**2).sum(axis=1).mean() / 2


def paths_of_W(way):
    def answered(c):
        return {
            **gradient(c), "W": sum(
                term_gradient(c, p, way, ["W"])["W"] for p in OBJECTIVES[c.objective].terms)
        }
    return answered


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("objective, model", [("dsm", "autoencoder"), ("ism", "tanh"),
                                              ("dae", "autoencoder"), ("pseudo", "boltzmann"),
                                              ("esm", "gaussian")])
def test_right_gradients_have_no_finding(objective, model, dtype):
    assert found(objective, gradient, model, dtype) == []


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_detached_term_is_named_with_the_blocks_that_miss_it(dtype):
    (finding,) = found("ism", of_terms(1, 0), dtype=dtype)
    assert (finding.kind, finding.block,
            finding.text) == ("detached", "W, b",
                              "the term tr J is detached: its gradient for W, b is 0")


@pytest.mark.parametrize("scale", [1e6, 1e-6])
def test_a_gradient_is_compared_in_the_size_of_its_loss(scale):
    def loss(c):
        return scale * value(c)

    assert found("ism", of_terms(scale * (1 + 3e-16), scale), loss=loss) == []
    (finding,) = found("ism", of_terms(scale, 0), loss=loss)
    assert finding.kind == "detached"


def test_a_scaled_term_is_named():
    (finding,) = found("ism", of_terms(0.5, 1))
    assert finding.block == "W, b, c"
    assert finding.text.startswith(
        "the gradient of the term |psi|^2 / 2 for W, b, c is multiplied by 1 / 2")


@pytest.mark.parametrize("objective", [pytest.param("dsm", marks=pytest.mark.slow), "dae"])
@pytest.mark.parametrize("kept, missing", [("decoder", "encoder"), ("encoder", "decoder")])
def test_untied_weights_miss_one_path(objective, kept, missing):
    (finding,) = found(objective, paths_of_W(kept))
    assert finding.kind == "path"
    assert finding.text == (
        f"the share of the {missing} in the gradient for W is missing: untied weights, or a "
        "forgotten path")


@pytest.mark.slow
def test_neighbours_that_are_detached_are_named():
    (finding,) = found("ratio", lambda c: term_gradient(c, OBJECTIVES["ratio"].terms[0], "here"))
    assert finding.text == (
        "the share of the energies of its neighbours in the gradient for W, b is missing: they "
        "are detached")
    (finding,) = found("ratio", lambda c: term_gradient(c, OBJECTIVES["ratio"].terms[0], "flipped"))
    assert finding.text == (
        "the share of the energy at the point in the gradient for W, b is missing: it is detached")


def inside_the_trace(slope, first, second):
    """Gradients for implicit score matching whose tr J = sum_j s_j (1 - s_j) W_j.W_j / sigma^2 -
    ... is followed where a number is 1, by hand."""
    def answered(c):
        W, norm = c.params["W"], term_gradient(c, OBJECTIVES["ism"].terms[0])
        s = 1 / (1 + np.exp(-c.x @ W.T - c.params["b"]))
        g, bend = s * (1 - s), s * (1 - s) * (1 - 2 * s)
        square = (W * W).sum(axis=1) * slope
        dW = (square[:, None] * (bend.T @ c.x) +
              (first + second) * g.sum(axis=0)[:, None] * W) / (c.n * c.sigma**2)
        return {
            "W": norm["W"] + dW, "b": norm["b"] + square * bend.mean(axis=0) / c.sigma**2,
            "c": norm["c"]
        }
    return answered


@pytest.mark.parametrize("followed, blocks, text", [
    ((0, 1, 1), "W, b",
     "the slope s (1 - s) in tr J is detached: its share of the gradient for W, b is 0"),
    ((1, 0, 0), "W",
     "W beside the slope in tr J (W in |W_j|^2) is detached: its share of the gradient for W is 0"),
    ((1, 0, 1), "W",
     "one of the two W beside the slope in tr J (W in |W_j|^2) is detached: half of its share of "
     "the gradient for W is missing"
     ),
    ((1, 3, 3), "W",
     "the share of W beside the slope in tr J (W in |W_j|^2) in the gradient for W is multiplied "
     "by 3"
     ), ((0, 0, 0), "W, b", "the term tr J is detached: its gradient for W, b is 0")
])
def test_what_is_detached_inside_a_jacobian_is_named(followed, blocks, text):
    (finding,) = found("ism", inside_the_trace(*followed))
    assert (finding.block, finding.text) == (blocks, text)
    assert found("ism", inside_the_trace(1, 1, 1)) == []


def test_untied_weights_miss_one_path_of_a_jacobian_too():
    (finding,) = found("ism", paths_of_W("decoder"))
    assert finding.text == (
        "the share of the encoder in the gradient for W is missing: untied weights, or a "
        "forgotten path")


def test_paths_that_miss_in_the_score_and_in_the_jacobian_are_listed():
    (finding,) = found(
        "ism", lambda c: {
            **gradient(c), "W": term_gradient(c, OBJECTIVES["ism"].terms[0], "decoder")["W"] +
            term_gradient(c, OBJECTIVES["ism"].terms[1])["W"] * 2
        })
    assert finding.text == (
        "the share of the encoder in the gradient for W is missing: untied weights, or a "
        "forgotten path; the share of the slope s (1 - s) "
        "in the gradient for W is multiplied by 2; the share of W beside the slope in the "
        "gradient for W is multiplied by 2"
    )


@pytest.mark.slow
def test_a_frozen_block_is_zero():
    (finding,) = found("dsm", lambda c: {**gradient(c), "b": np.zeros(6)})
    assert (finding.kind, finding.block) == ("zero", "b")
    assert "not in the graph" in finding.text


def test_a_multiple_of_the_whole_gradient_or_of_one_block():
    (finding,) = found("dsm", lambda c: {b: c.n * g for b, g in gradient(c).items()})
    assert finding.text == "the whole gradient is n times that of the value"
    assert str(finding.scaling) == "n"
    (finding,) = found("dsm", lambda c: {**gradient(c), "c": -gradient(c)["c"]})
    assert finding.text == "the gradient for c is -1 times that of the value"


def test_gradients_are_compared_with_the_convention_that_the_values_follow():
    twice = lambda c: 2 * value(c)                                                   # noqa: E731
    assert found("dsm", lambda c: {b: 2 * g for b, g in gradient(c).items()}, loss=twice) == []
    (finding,) = found("dsm", gradient, loss=twice)
    assert finding.text == "the whole gradient is 1 / 2 times that of the value"


def test_a_transposed_gradient_is_recognised():
    (finding,) = found("ism", lambda c: {**gradient(c), "W": gradient(c)["W"][::-1]})
    assert finding.text == "the gradient for W is the right one, of the opposite order"


@pytest.mark.parametrize("triangle", [np.triu, np.tril])
def test_one_triangle_of_a_symmetric_gradient_is_recognised(triangle):
    (finding,) = found("ratio", lambda c: {**gradient(c), "W": triangle(gradient(c)["W"])})
    assert finding.text == (
        "only one triangle of the gradient for W is there: the other, where half of it belongs, "
        "is 0")
    (finding,) = found("ratio", lambda c: {**gradient(c), "W": gradient(c)["W"] / 2})
    assert finding.text == "the gradient for W is 1 / 2 times that of the value"
    (finding,) = found("dsm", lambda c: {**gradient(c), "c": gradient(c)["c"] / 2})
    assert finding.text == "the gradient for c is 1 / 2 times that of the value"


def test_what_a_symmetric_matrix_hides_is_said():
    table, S = table_of("ratio"), np.arange(81.0).reshape(9, 9)
    some, right = table.cases, [gradient(case) for case in table.cases]
    hidden = (
        "W is symmetric with a diagonal of 0: only (G + G') / 2 off the diagonal of its gradient "
        "G is compared")
    assert not_compared(table, right) == not_compared(
        table, [{"W": np.triu(g["W"])} for g in right]) == not_compared(table, [{}]) == (hidden,)
    odd = [{**g, "W": g["W"] + S[:c.d, :c.d] - S[:c.d, :c.d].T} for c, g in zip(some, right)]
    assert not_compared(table, odd) == (hidden + ", and yours is not symmetric",)
    for share, words in ((0.3, ", and yours is not symmetric"), (6e-4, "")):
        near = [{"W": 9 * np.ones((c.d, c.d)) + 9 * share * np.tri(c.d, k=-1)} for c in some]
        assert not_compared(table, [{"W": np.zeros((3, 3))}, *near]) == (hidden + words,)
    assert not_compared(table_of("esm", "gaussian"), [{}]) == (
        "precision is symmetric: only (G + G') / 2 of its gradient G is compared",)
    assert not_compared(table_of("ism"), [{}]) == ()


def test_a_framework_that_does_not_know_of_the_symmetry_is_right_too():
    def not_symmetric(c):
        W = gradient(c)["W"]
        return {**gradient(c), "W": 2 * np.triu(W) + 3 * np.eye(c.d)}
    assert found("ratio", not_symmetric) == []


def test_nonsense_is_unexplained():
    rng, right = np.random.default_rng(0), {c.id: gradient(c) for c in cases("dsm", "prime")}
    wrong = {k: g["W"] * rng.standard_normal(g["W"].shape) for k, g in right.items()}
    (finding,) = found("dsm", lambda c: {**right[c.id], "W": wrong[c.id]})
    assert finding.kind == "unexplained"
    off, worst = max((np.abs(wrong[k] - g["W"]).max() / np.abs(g["W"]).max(), k)
                     for k, g in right.items())
    assert finding.text == (f"the gradient for W is off by {off:.2g} of its largest entry ({worst})"
                            ", and no mistake that is known explains it")


@pytest.mark.parametrize("norm, divergence, text", [
    (1, 0, None), (1, 1, "the gradient for W, b has tr J in it, which the value does not have"),
    (1, 3, "the gradient for W, b has tr J in it, which the value does not have"),
    (2, 0, "the whole gradient is 2 times that of the value")])
def test_a_term_that_the_value_does_not_have_is_no_part_of_its_gradient(norm, divergence, text):
    findings = found("ism", of_terms(norm, divergence), loss=norm_alone)
    assert [f.text for f in findings] == ([] if text is None else [text])


def test_gradients_are_compared_with_the_loss_as_it_is_scaled():
    detached = found("ism", of_terms(3, 0), loss=lambda c: 3 * value(c))
    assert [f.text for f in detached] == ["the term tr J is detached: its gradient for W, b is 0"]
    assert found("ism", of_terms(3, 3), loss=lambda c: 3 * value(c)) == []


def test_blocks_with_one_factor_are_one_finding():
    two, three = parse_scaling("2"), parse_scaling("3")
    W, b = Finding("W", "multiple", "all 2", two), Finding("b", "multiple", "all 2", two)
    c = Finding("c", "term", "a term 2", two)               # the only term that reads c
    assert [(f.block, f.kind) for f in together([W, b, c], ["W", "b", "c"])] == [
        ("W, b, c", "whole")]
    assert [(f.block, f.kind) for f in together([W, b], ["W", "b"])] == [("W, b", "whole")]
    assert together([W], ["W"]) == [W]
    assert [f.block for f in together([W, b], ["W", "b", "c"])] == ["W, b"]
    for other in (Finding("c", "path", "a term 2", two), Finding("c", "term", "a term 3", three)):
        assert together([W, other], ["W", "c"]) == [W, other]


def test_a_factor_of_all_terms_of_a_block_is_kept_with_its_finding():
    two, three = parse_scaling("2"), parse_scaling("3")
    terms = OBJECTIVES["ism"].terms
    assert named("c", [(0, "")], [two], terms, 2).scaling == two
    assert named("c", [(0, "")], [two], terms, 1).kind == "multiple"
    assert named("W", [(0, ""), (1, "")], [two, three], terms, 2).scaling is None


@pytest.mark.parametrize("known", [0, 1])
def test_columns_that_agree_have_the_scaling_of_the_one_that_is_known_best(known):
    table = SimpleNamespace(sizes=[{"d": 3}, {"d": 5}])
    ratio, error = np.array([[2.0, 2.3], [2.0, 1.8]]), np.array([[0.1, 0.25], [0.1, 0.25]])
    if known:
        ratio, error = ratio[:, ::-1], error[:, ::-1]
    assert list(map(str, _Block._scalings(SimpleNamespace(table=table), ratio, error))) == ["2"] * 2
    assert _Block._scalings(SimpleNamespace(table=table), 2 * ratio - 2, error) == []


def test_the_allowance_for_coefficients_of_no_scaling_does_not_grow_with_them():
    table = table_of("ism")
    some = table.cases
    w = {c.id: 1e6 * (2 + np.sin(9 * c.sigma * c.n)) for c in some}
    fit = diagnose(some, [w[c.id] * value(c) for c in some]).coefficients
    for error, count in ((0, 0), (1e-7, 1)):
        given = [{b: w[c.id] * g * (1 + error * (b == "c")) for b, g in gradient(c).items()}
                 for c in some]
        assert len(diagnose_gradients(table, given, fit, FLOAT64)) == count


def test_a_block_that_is_not_returned_is_missing():
    (finding,) = found("dsm", lambda c: {b: g for b, g in gradient(c).items() if b != "c"})
    assert (finding.kind, finding.text) == ("missing", "no gradient for c was returned")


def test_cases_that_alone_are_wrong_are_told():
    (finding,) = found(
        "ism", lambda c: {b: g * (1 + c.id.endswith("c3/t2"))
                          for b, g in gradient(c).items()})
    assert finding.text == (
        "the gradient for W, b, c is wrong in 1 of 30 cases (prime/ism/c3/t2), by no "
        "mistake that is known")
    (finding,) = found(
        "ism", lambda c: {b: g
                          for b, g in gradient(c).items()
                          if "c0/" not in c.id or b != "c"})
    assert finding.text == "no gradient for c was returned in 5 of 30 cases"


def test_coefficients_without_a_law_are_listed():
    listed = found("ism", lambda c: of_terms(3, np.sin(9 * c.sigma * c.n))(c),
                   loss=lambda c: 3 * value(c))
    assert [f.kind for f in listed] == ["coefficients", "coefficients"]
    for finding, way in zip(listed, (" through the encoder", "")):
        assert f"no product of powers of the sizes (|psi|^2 / 2{way}: 3, 3, 3, " in finding.text


@pytest.mark.slow
@pytest.mark.parametrize("w, said", [
    (lambda c: 1, "the reference's"), (lambda c: 1 + 1e-9, "1.000000001 times the reference's"),
    (lambda c: 2 * c.sigma**2, "2 sigma^2 times the reference's")])
def test_a_weight_of_the_value_that_the_gradient_lacks_is_named(w, said):
    def answered(c):
        return {"value": 1e-6 * np.exp(-c.sigma) * value(c),
                "gradient": {b: w(c) * g for b, g in gradient(c).items()}}

    report = verify(answered, "dsm", gradient=True)
    assert report.gradient == (
        f"the gradient for W, b, c lacks the weight that the value has: it is {said}",)
    assert report.consequences == (FOLLOWS,)
    one_term = verify(lambda c: {**answered(c), "gradient": of_terms(1, 0)(c)}, "ism",
                      gradient=True)
    assert "lacks" not in one_term.gradient[0]


@pytest.mark.parametrize("t, text", [(0.01, "0.01"), (1e9, "1e+09")])
def test_weight_decay_in_the_gradient_alone_is_named(t, text):
    def answered(c):                                             # and a few roundings
        return {b: (g + t * c.theta[b]) * (1 + 1e-15 * np.sin(9 * g))
                for b, g in gradient(c).items()}

    (finding,) = found("ism", answered)
    assert finding.text == (f"the gradient for W, b, c has {text} times the parameter too much: a "
                            "weight decay that the value does not have")


def test_a_gradient_that_is_0_in_one_group_alone_has_no_term_too_many():
    findings = found("ism", lambda c: of_terms(c.group != "c0", 0)(c), loss=norm_alone)
    assert {f.kind for f in findings} == {"coefficients"}


@pytest.mark.parametrize("size, text", [
    (0, None), (1e-17, None),
    (1, "the gradient for c is not 0, but the value does not depend on c")])
def test_of_a_value_without_a_parameter_the_gradient_is_0_to_rounding(size, text):
    findings = found("ism", lambda c: {**of_terms(0, 1)(c), "c": size * np.sin(np.arange(c.d))},
                     loss=lambda c: c.score_divergence(c.x).mean())
    assert [f.text for f in findings] == ([] if text is None else [text])


def test_coefficients_of_no_scaling_are_listed_term_by_term():
    found = no_scaling("W", [(0, ""), (1, "encoder")], np.array([[1.5, 2.0], [3, 4], [5, 6.25]]),
                       (NORM, DIVERGENCE))
    assert found.words.endswith("(|psi|^2 / 2: 1.5, 3, 5; tr J through the encoder: 2, 4, 6.25)")
