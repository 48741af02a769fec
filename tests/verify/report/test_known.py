"""What is known of differences, in words."""
import numpy as np
import pytest

from refsm.verify.report import effects, known
from refsm.verify.diagnosis.scaling import ONE, ZERO, parse_scaling
from refsm.verify.diagnosis.explanation import Change


@pytest.mark.parametrize("objective, law, project", [
    ("dsm", "sigma^2", "ncsn"), ("dsm", "2 sigma^2 / d", "score_sde"), ("dsm", "sigma^4", "deen"), ("dsm", "2 / d", "pylearn2 SMD"), ("ism", "1 / d",
        "pylearn2 SM"),
    ("dsm", "2 sigma^2", "score_models"), ("dsm", "2 sigma^2 (1 + sigma^2 / 0.25) / d", "k-diffusion"), ("ratio", "4 / d", "SpinModels"), ("dae", "1 / 2",
        "PyDeep"),
    ("ssm_vr", "1 / d", "unit length"), ("pseudo", "1.4427", "base 2")])
def test_conventions_are_known_by_the_projects_that_use_them(objective, scaling, project):
    assert project in "; ".join(knowledge.seen(objective, parse_scaling(scaling), (), ()))


@pytest.mark.parametrize("change, slip, project", [
    (Change("target", parse_scaling("-1")), None, "torchebm"), (Change("score", parse_scaling("-1")), None, "compute_score"), (None, "directions of unit length",
        "sliced_score_matching"),
    (None, "cross-entropy in place of the squared error", "DeepLearningTutorials"), (None, "only the first bit", "BernoulliRBM")])
def test_mistakes_are_known_by_where_they_were_reported(change, mistake, project):
    assert project in "; ".join(knowledge.seen("dsm", ONE, (change,) if change else (), (mistake,) if mistake else ()))


def test_nothing_is_seen_of_what_is_new():
    assert knowledge.seen("dsm", parse_scaling("sigma^3"), (), ("something new",)) == ()


@pytest.mark.parametrize("what, law, text", [
    ("target", "sigma", "sigma times the right one"), ("score", "sigma^2", "1 / sigma^2 times the right one"), ("norm", "2", "1 / 2 times the right score"),
    ("divergence", "2", "2 times the right score"), ("divergence", "-1", "its negative"), ("divergence", "-2", "-2 times it"), ("norm", "-1",
        "unbounded below"),
    ("norm", "0", "unbounded below"), ("cross", "0", "0 everywhere"), ("target", "0", "0 everywhere"), ("target", "-1", "upside down"), ("penalty", "0",
        "not smoothed"),
    ("penalty", "2", "2 times the strength"), ("loss", "-1", "maximises"), ("constant", "2", "training is the same"), ("product", "2",
        "2 times the right reconstruction"),
    ("output", "2", "1 / 2 times the right reconstruction"), ("product", "-1", "not the reconstruction but its negative"), ("product", "0",
        "best reconstruction is 0")])
def test_what_a_change_does_to_training(what, scaling, text):
    assert text in knowledge.training("dsm", Change(what, ZERO if scaling == "0" else parse_scaling(scaling)))


@pytest.mark.parametrize("r", [0.5, 3.0])
def test_the_minimiser_of_a_changed_implicit_loss_is_what_is_said(r):
    precision = np.linspace(0.01, 20, 200001)                # N(0, 1) data, psi = -p x: E[r p^2 x^2 / 2 - p] and E[p^2 x^2 / 2 - r p]
    assert np.isclose(precision[np.argmin(r * precision**2 / 2 - precision)], 1 / r, atol=1e-3)
    assert np.isclose(precision[np.argmin(precision**2 / 2 - r * precision)], r, atol=1e-3)


def test_a_factor_leaves_the_minimiser_and_a_constant_leaves_everything():
    (factor,) = knowledge.consequences("dsm", parse_scaling("2 sigma^2"), (), (), "kept")
    assert "the minimiser is the same" in factor and "levels weigh differently" in factor
    assert knowledge.consequences("dsm", ONE, (), (), "dropped") == ("a constant has no gradient: training is the same, the loss curve is shifted",)
    assert knowledge.consequences("dsm", ONE, (), ("something new",), "none") == ("the loss has other minimisers: what is learned is not the score",)


@pytest.mark.parametrize("objective, what, law, words", [
    ("dsm", "target", "-1", "the sign of the target (equally: of the score)"), ("dsm", "target", "sigma", "sigma for sigma^2 in the target"),
    ("dsm", "target", "3", "the target is multiplied by 3"), ("esm", "target", "sigma", "the target is multiplied by sigma"),
    ("ism", "norm", "2", "the 1/2 on the squared norm of the score is missing, on this term alone"), ("ism", "divergence", "0", "the divergence is missing"),
    ("ism", "divergence", "-1", "the sign of the divergence"), ("ism", "divergence", "1 / d",
        "the divergence alone has mean over dimensions in place of their sum"),
    ("ism", "norm", "-n", "half the squared norm of the score alone has sum over points in place of their mean, and the wrong sign"),
    ("ism", "loss", "-1", "the sign of the loss: it is to be maximised"), ("dsm", "cross", "9 / 10", "the product of score and target is multiplied by 9 / 10"),
    ("dsm", "score", "sigma^2", "the score is multiplied by sigma^2: a reconstruction's error in the place of a score")])
def test_changes_in_words(objective, what, scaling, words):
    assert knowledge.change_in_words(objective, Change(what, ZERO if scaling == "0" else parse_scaling(scaling))) == words


def test_factors_in_words():
    assert knowledge.factor_in_words("dae", parse_scaling("1 / 2")) == "with a 1/2" and knowledge.factor_in_words("ratio", parse_scaling("2")) == "multiplied by 2"
    assert knowledge.factor_in_words("ism", parse_scaling("n / d")) == "mean over dimensions in place of their sum, sum over points in place of their mean"
    assert knowledge.factor_in_words("dsm", parse_scaling("(1 + sigma^2)")) == "weighted by (1 + sigma^2)"


@pytest.mark.parametrize("objective, factor, changes, slips, texts", [
    ("dsm", "2 sigma^2 / d", {"target": "-1"}, (), ("upside down", "apart from that, a common factor 2 sigma^2 / d")),
    ("dsm", "1", {"extra": "0.01"}, ("a term too many: |W|^2",), ("pulled away",)),
    ("ism", "1", {"divergence": "0", "extra": "1 / sigma^2"}, ("a term too many: |W|^2",), ("stands in for the one that is missing",)),
    ("dsm", "1", {"cross": "0"}, ("a term too many: tr J",), ("implicit score matching",)),
    ("dsm", "1", {"cross": "0", "extra": "2"}, ("a term too many: tr J",), ("stands in for the one that is missing",)),
    ("ism", "1", {"norm": "2", "divergence": "1 / d"}, (), ("1 / (2 d) times the right score",)),
    ("ism", "1", {"norm": "2", "divergence": "-2"}, (), ("not the score but its negative",)),
    ("ism", "1", {"norm": "-1", "divergence": "2"}, (), ("unbounded below",)), ("ism", "1", {"norm": "2", "divergence": "0"}, (), ("nothing is learned",)),
    ("dsm", "1", {"target": "-1"}, ("the score is read at x",), ("wrong function is fitted",)),
    ("ssm", "1", {"norm": "2"}, ("directions of unit length",), ("same minimiser", "1 / 2 times the right score")),
    ("ssm", "1", {}, ("norm: directions of unit length",), ("d times the score",)), ("ssm", "1", {}, ("divergence: directions of unit length",), ("1 / d times",)),
    ("regularized", "1", {}, ("penalty: only the first dimension",), ("another penalty",)),
    ("pseudo", "d", {"loss": "-1"}, ("only the first bit",), ("other bits", "maximises", "apart from that, a common factor d")),
    ("ratio", "2", {"loss": "-1"}, ("the square is missing",), ("not the model", "apart from that, a common factor 2")),
    ("ratio", "1", {}, ("something new",), ("what is learned is not the model",)), ("dae", "1", {}, ("something new",), ("not the reconstruction",)),
    ("dsm", "1", {}, ("target: the clean point is left out of it",), ("another function than the data's score",))])
def test_several_differences_are_told_together(objective, factor, changes, mistakes, texts):
    changes = tuple(Change(what, ZERO if scaling == "0" else parse_scaling(scaling)) for what, scaling in changes.items())
    found = knowledge.consequences(objective, parse_scaling(factor), changes, mistakes, "kept")
    assert len(found) == len(texts) and all(text in line for text, line in zip(texts, found))


def test_a_difference_is_seen_before_as_a_whole_or_not_at_all():
    sign = Change("target", parse_scaling("-1"))
    assert knowledge.seen("dsm", parse_scaling("2 / d"), (Change("target", parse_scaling("-sigma")),), ()) == (
        "losses that predict the noise: score_sde's DDPM loss calls the predicted noise a score",)
    assert knowledge.seen("dae", ONE, (sign,), ()) == knowledge.seen("dsm", ONE, (sign,), ("the score is read at x",)) == ()
    assert "BernoulliRBM" in knowledge.seen("pseudo", parse_scaling("d"), (Change("loss", parse_scaling("-1")),), ("only the first bit",))[0]


def test_laws_that_people_write_in_another_way():
    assert knowledge.factor_in_words("dsm", parse_scaling("n / (n - 1)")) == "divided by n - 1 in place of n"
    assert knowledge.factor_in_words("ssm", parse_scaling("(M - 1) / M")) == "divided by M in place of M - 1"
    assert knowledge.scaling_in_words(parse_scaling("2 sigma^2 (1 + sigma^2 / 0.25)")) == "2 sigma^2 times (sigma^2 + s^2) / s^2 with s = 0.5"
    assert knowledge.change_in_words("dsm", Change("target", parse_scaling("1000 sigma^2 / (1 + sigma^2 / 0.001)"))) == (
        "sigma^2 + 0.001 in place of sigma^2 in the target")
    assert knowledge.change_in_words("dae", Change("target", parse_scaling("-1"))) == "the sign of the target (equally: of the output)"
