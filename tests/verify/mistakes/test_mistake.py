"""How mistakes are written: formulas in symbols, and what no term reads."""
import numpy as np
import pytest

from refsm.verify.mistakes import formulas
from refsm.verify.mistakes.mistake import SQUARES, absolute, dimensions, names_of_square
from refsm.verify.mistakes.shared import SORTED
from refsm.verify.objectives import OBJECTIVES, model_names


def test_a_square_has_the_names_that_objectives_give_its_terms():
    for objective, (half, out, to) in {"dsm": (0.5, "psi", "g"), "dae": (1.0, "y", "x"),
                                       "noise_prediction": (1.0, "f", "g")}.items():
        own = tuple(term.name for term in OBJECTIVES[objective].all_terms)
        assert names_of_square(half, out, to) == own


def test_a_sum_stands_in_parentheses_in_a_product():
    assert names_of_square(1.0, "y(x + noise)", "x_noisy - x") == (
        "|y(x + noise)|^2", "-2 y(x + noise).(x_noisy - x)", "|x_noisy - x|^2")
    assert names_of_square(0.5, "psi", "-x")[1] == "-psi.(-x)"
    assert names_of_square(0.5, "y, tanh", "g(before)")[1] == "-(y, tanh).g(before)"


def names(objective, identity):
    (formula,) = (f for f in formulas(objective, None) if [m.id for m in f.mistakes] == [identity])
    return [term.name for term in (*formula.terms, formula.constant)]


def test_terms_are_named_by_what_stands_in_them():
    assert names("dsm", "dimensions.first") == ["|psi[:1]|^2 / 2", "-psi[:1].g[:1]",
                                                "|g[:1]|^2 / 2"]
    assert names("dae", "pairs.all") == ["|y|^2", "-2 (mean output).(mean target)", "|x|^2"]
    assert names("noise_prediction", "weight.variance") == [
        "|f|^2 x sigma^2", "-2 f.g x sigma^2", "|g|^2 x sigma^2"]
    assert names("dsm", "output.first-entry")[1] == "-(first entry of psi).g"
    assert names("dsm", "target.first-entry")[1] == "-psi.(first entry of g)"
    assert names("dsm", "target.middle-entry")[1] == "-psi.(mean entry of g)"
    said = {m.id: m.words for f in formulas("dsm", None) for m in f.mistakes}
    assert {name: words for name, words in said.items() if name.endswith("-entry")} == {
        "output.first-entry": "the first entry of the output is compared with every entry of the "
        "target: (n, 1) in place of (n, d)",
        "target.first-entry": "every entry is compared with the first entry of the target: (n, 1) "
        "in place of (n, d)",
        "target.middle-entry": "every entry is compared with the mean of the target's entries: "
        "(n, 1) in place of (n, d)"}
    said = {m.id: m.words for f in formulas("ssm", None) for m in f.mistakes}
    assert said["divergence.score-exact"] == (
        "divergence: the score in place of its derivative, without directions")


def test_sorted_losses_are_kept_by_their_share_of_the_points():
    kept = {name: f for name, _, f in SORTED}
    assert [kept["middle"](n) for n in (7, 8)] == [(3, 4), (3, 5)]
    assert kept["trimmed-10"](200) == (20, 180)
    assert kept["kept-90"](200) == (0, 180)


def test_a_norm_is_written_with_the_score():
    said = {m.id: m.name for f in formulas("ism", None) for m in f.mistakes}
    assert said["norm.norm"] == "|psi|"
    assert said["norm.variance"] == "|psi - mean psi|^2"
    assert said["norm.of-sum"] == "(sum psi_i)^2"
    assert said["norm.root-mean"] == "sqrt(mean |psi|^2)"
    assert said["norm.huber"] == "huber(psi)"


@pytest.mark.parametrize("objective, model, identity, words, symbols", [
    ("ism", None, "norm.of-entries", "norm: the mean over dimensions is subtracted before the "
     "square", "|psi - mean_i psi|^2"),
    ("ism", None, "norm.of-all", "norm: the mean over points and dimensions is subtracted before "
     "the square", "|psi - mean_ni psi|^2"),
    ("ism", None, "divergence.upper", "divergence: the upper triangle of the Jacobian",
     "sum_i<=k J_ik"),
    ("ism", None, "divergence.lower", "divergence: the lower triangle of the Jacobian",
     "sum_i>=k J_ik"),
    ("ism", "autoencoder", "divergence.slope-value", "divergence: the sigmoid itself in place of "
     "the sigmoid's slope", "tr J, the sigmoid itself"),
    ("ism", "autoencoder", "divergence.slope-tanh", "divergence: tanh's 1 - s^2 in place of the "
     "sigmoid's slope", "tr J, tanh's 1 - s^2"),
    ("esm", "tanh", "clipped.0-1", "the score is read at x clipped to (0, 1)",
     "|psi(x clipped to (0, 1))|^2 / 2"),
    ("noise_prediction", "tanh", "clipped.0-1", "the output is read at x_noisy clipped to (0, 1)",
     "-2 f(x_noisy clipped to (0, 1)).g"),
    ("pseudo", None, "join.gaps-averaged", "the gaps are averaged over the points before the "
     "function", "f(mean gap)"),
    ("pseudo", "boltzmann", "gap.upper-triangle", "only the upper triangle of W is read",
     "sum softplus(-gap), gap upper triangle of W")])
def test_a_mistake_is_said_in_words_and_in_symbols(objective, model, identity, words, symbols):
    (found,) = (f for f in formulas(objective, model) if [m.id for m in f.mistakes] == [identity])
    assert found.mistakes[0].words == words
    assert symbols in [term.name for term in found.terms]


def test_a_mean_is_learned_by_another_average_where_the_target_is_symmetric():
    said = {name: effect for name, _, _, _, effect, _ in SQUARES}
    for name in ("norm", "absolute", "largest", "fourth", "fourth-powers", "huber"):
        assert said[name].endswith("where the distribution of the target is symmetric about it")


def test_a_penalty_bounds_some_norms_and_not_others():
    said = {m.id: m.effect for f in formulas("regularized", None) for m in f.mistakes}
    assert said["norm.linear"] == "the loss is unbounded below: what is learned grows without end"
    assert said["norm.first"] == said["norm.of-sum"] == (
        "only the penalty holds the score back: the minimiser is not the score")
    assert said["norm.norm"] == said["norm.product"] == ""       # nothing simple is proved
    assert said["norm.huber"].endswith(", but for the penalty")
    assert said["divergence.whole"].endswith(", but for the penalty")
    assert said["divergence.absolute"].endswith("nothing is learned from the data")


def test_a_mean_is_subtracted_at_every_point():
    r, f = np.array([[1.0, 2.0], [3.0, 8.0]]), {name: f for name, _, _, f, *_ in SQUARES}
    assert f["variance"](r).tolist() == [10, 10]               # of the means 2 and 5
    assert f["of-all"](r).tolist() == [8.5, 20.5]              # of the mean 3.5
    assert f["of-entries"](r).tolist() == [0.5, 12.5]          # of the means 1.5 and 5.5


def test_one_dimension_is_and_several_are():
    said = {row.id: row.effect for row, _, _ in dimensions()}
    shared = ", except through the parameters that dimensions share"
    assert said["dimensions.not-last"] == f"the last dimension is not constrained{shared}"
    assert said["dimensions.first"] == f"the other dimensions are not constrained{shared}"


def test_absolute_values_are_analytic():
    a = np.array([-3.0, 0.0, 7.0])
    assert absolute(a).tolist() == [3.0, 0.0, 7.0]
    assert absolute(a + 1e-20j)[0].imag == -1e-20


@pytest.mark.parametrize("objective", ["dsm", "ism", "ssm", "dsm_levels", "generalized", "pseudo"])
def test_parentheses_of_formulas_are_balanced_and_identities_are_unique(objective):
    model = model_names(objective)[0]
    seen = set()
    for formula in formulas(objective, model):
        for term in formula.terms:
            assert term.name.count("(") == term.name.count(")")
        identity = tuple((m.id, m.words) for m in formula.mistakes)
        assert identity not in seen
        seen.add(identity)
