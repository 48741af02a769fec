"""What is known of differences, in words."""
import pytest

from refsm.verify.diagnosis.explanation import Change
from refsm.verify.diagnosis.scaling import ONE, ZERO, parse_scaling, scaling_in_words
from refsm.verify.mistakes import formulas
from refsm.verify.objectives import model_names
from refsm.verify.report import known


def row(objective, words):
    """The mistake of that name, on any model of an objective."""
    known = (m for model in model_names(objective) for f in formulas(objective, model)
             for m in f.mistakes)
    return next(m for m in known if m.words == words)


@pytest.mark.parametrize("objective, scaling, project",
                         [("dsm", "sigma^2", "ncsn"), ("dsm", "2 sigma^2 / d", "score_sde"),
                          ("dsm", "sigma^4", "deen"), ("dsm", "2 / d", "pylearn2 SMD"),
                          ("ism", "1 / d", "pylearn2 SM"), ("dsm", "2 sigma^2", "score_models"),
                          ("dsm", "2 sigma^2 (1 + sigma^2 / 0.25) / d", "(Karras) divided by d"),
                          ("dsm", "2 sigma^2 (1 + sigma^2 / 0.25)", "EDM (Karras), sigma_data"),
                          ("ratio", "4 / d", "SpinModels"), ("dae", "1 / 2", "PyDeep"),
                          ("ssm", "1 / d", "unit length"), ("pseudo", "1.4427", "base 2")])
def test_conventions_are_known_by_the_projects_that_use_them(objective, scaling, project):
    assert project in "; ".join(known.seen(objective, parse_scaling(scaling), (), ()))


@pytest.mark.parametrize("what, project", [("target", "torchebm"), ("score", "compute_score")])
def test_signs_are_known_by_where_they_were_reported(what, project):
    sign = Change(what, parse_scaling("-1"))
    assert project in "; ".join(known.seen("dsm", ONE, (sign,), ()))


@pytest.mark.parametrize("objective, words, project", [
    ("ssm", "directions of unit length", "sliced_score_matching"),
    ("dae", "cross-entropy in place of the squared error", "DeepLearningTutorials"),
    ("pseudo", "only the first bit", "BernoulliRBM"),
    ("ratio", "the bits are read as -1 and 1", "coniii"),
    ("ratio", "half the gap", "half of the gap"),
    ("noise_prediction", "the weight snr + 1 of every point multiplies the loss of every point: "
     "(n, n) in place of n", "bayesflow")])
def test_mistakes_are_known_by_where_they_were_reported(objective, words, project):
    assert project in "; ".join(known.seen(objective, ONE, (), (row(objective, words),)))


def test_the_reduced_form_is_known_by_the_changes_of_the_sliced_loss_but_not_by_its_factors():
    assert known.seen("ssm_vr", parse_scaling("1 / d"), (), ()) == ()
    for what in ("score", "divergence"):
        sign = (Change(what, parse_scaling("-1")),)
        assert known.seen("ssm_vr", ONE, sign, ()) == known.seen("ssm", ONE, sign, ()) != ()


def test_nothing_is_seen_of_what_is_new():
    assert known.seen("dsm", parse_scaling("sigma^3"), (), ()) == ()
    assert known.seen("dsm", ONE, (), (row("dsm", "the norm is not squared"),)) == ()


@pytest.mark.parametrize("objective, what, scaling, words", [
    ("dsm", "target", "-1", "the sign of the target (equally: of the score)"),
    ("dsm", "target", "sigma", "sigma for sigma^2 in the target"),
    ("dsm", "target", "3", "the target is multiplied by 3"),
    ("esm", "target", "sigma", "the target is multiplied by sigma"),
    ("ism", "norm", "2", "the 1/2 on the squared norm of the score is missing, on this term alone"),
    ("ism", "divergence", "0", "the divergence is missing"),
    ("ism", "divergence", "-1", "the sign of the divergence"),
    ("ism", "divergence", "1 / d",
     "the divergence alone has the mean over dimensions in place of their sum"),
    ("ism", "norm", "-n",
     "half the squared norm of the score alone has the sum over points in place of their mean, and "
     "the wrong sign"),
    ("ism", "loss", "-1", "the sign of the loss: it is to be maximised"),
    ("ssm", "norm", "1 / M", "half the squared norm of the score alone is divided by the number of "
     "directions once more"),
    ("ism", "norm", "M / d", "half the squared norm of the score alone has the mean over "
     "dimensions in place of their sum and has the sum over directions in place of their mean"),
    ("ism", "norm", "d / n", "half the squared norm of the score alone is multiplied by the number "
     "of dimensions and is divided by the number of points once more"),
    ("ism", "norm", "2 / d", "half the squared norm of the score is multiplied by 2 / d"),
    ("noise_prediction", "target", "-1", "the sign of the target (equally: of the output)"),
    ("noise_prediction", "product", "0", "the product of prediction and target is missing"),
    ("clean_prediction", "output", "-1", "the sign of the squared prediction"),
    ("velocity_prediction", "score", "1 / 2", "the output is multiplied by 1 / 2"),
    ("dae", "product", "2", "the product of reconstruction and target is multiplied by 2"),
    ("dsm", "cross", "9 / 10", "the product of score and target is multiplied by 0.9"),
    ("dsm", "score", "sigma^2",
     "the score is multiplied by sigma^2: a reconstruction's error in the place of a score")
])
def test_changes_in_words(objective, what, scaling, words):
    assert known.change_in_words(
        objective, Change(what, ZERO if scaling == "0" else parse_scaling(scaling))) == words


def test_factors_in_words():
    assert known.factor_in_words("dae", parse_scaling("1 / 2")) == "with a 1/2"
    assert known.factor_in_words("ratio", parse_scaling("2")) == "multiplied by 2"
    assert known.factor_in_words("ratio", parse_scaling("1 / 2")) == "multiplied by 1 / 2"
    assert known.factor_in_words("noise_prediction", parse_scaling("1 / 2")) == "with a 1/2"
    assert known.factor_in_words("noise_prediction", parse_scaling("2 / L")) == (
        "multiplied by 2, mean over levels in place of their sum")
    assert known.factor_in_words("ssm", parse_scaling("3 / M^2")) == "multiplied by 3 / M^2"
    assert known.factor_in_words("dsm_scaled", parse_scaling("2 alpha^2 / sigma^2")) == (
        "without the 1/2, weighted by alpha^2 / sigma^2")
    assert known.factor_in_words("ism", parse_scaling("n^0.5 / d")) == (
        "multiplied by sqrt(n), mean over dimensions in place of their sum")
    assert known.factor_in_words("ssm", parse_scaling("M d")) == (
        "multiplied by the number of dimensions, sum over directions in place of their mean")


def test_words_are_listed_as_people_list_them():
    assert known.listed(["one"]) == "one"
    assert known.listed(["one", "two"]) == "one and two"
    assert known.listed(["one", "two", "three"]) == "one, two and three"
    assert known.listed([]) == ""
    assert known.factor_in_words(
        "ism", parse_scaling("n / d")
    ) == "mean over dimensions in place of their sum, sum over points in place of their mean"
    assert known.factor_in_words("dsm",
                                 parse_scaling("(1 + sigma^2)")) == "weighted by (1 + sigma^2)"


def test_a_difference_is_seen_before_as_a_whole_or_not_at_all():
    sign = Change("target", parse_scaling("-1"))
    assert known.seen(
        "dsm", parse_scaling("2 / d"), (Change("target", parse_scaling("-sigma")),), ()
    ) == (
        "losses that predict the noise: score_sde's DDPM loss calls the predicted noise a score",)
    assert known.seen("dae", ONE, (sign,),
                      ()) == known.seen("dsm", ONE, (sign,),
                                        (row("dsm", "the score is read at x"),)) == ()
    assert "BernoulliRBM" in known.seen("pseudo", parse_scaling("d"),
                                        (Change("loss", parse_scaling("-1")),),
                                        (row("pseudo", "only the first bit"),))[0]


def test_scalings_that_people_write_in_another_way():
    assert known.factor_in_words("dsm",
                                 parse_scaling("n / (n - 1)")) == "divided by n - 1 in place of n"
    assert known.factor_in_words("ssm",
                                 parse_scaling("(M - 1) / M")) == "divided by M in place of M - 1"
    assert scaling_in_words(parse_scaling(
        "2 sigma^2 (1 + sigma^2 / 0.25)")) == "2 sigma^2 times (sigma^2 + s^2) / s^2 with s = 0.5"
    assert known.change_in_words(
        "dsm", Change("target", parse_scaling("1000 sigma^2 / (1 + sigma^2 / 0.001)"))) == (
            "sigma^2 + 0.001 in place of sigma^2 in the target")
    assert known.change_in_words("dae", Change(
        "target", parse_scaling("-1"))) == "the sign of the target (equally: of the output)"
