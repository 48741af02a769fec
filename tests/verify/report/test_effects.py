"""What differences do to training, in words."""
import numpy as np
import pytest

from refsm.verify.diagnosis.explanation import Change
from refsm.verify.diagnosis.scaling import ONE, ZERO, parse_scaling
from refsm.verify.mistakes import Mistake, formulas
from refsm.verify.objectives import model_names
from refsm.verify.report import effects

NEW = Mistake("new.one", "something new", "new", None)


def row(objective, words):
    """The mistake of that name, on any model of an objective."""
    if words == "something new":
        return NEW
    known = (m for model in model_names(objective) for f in formulas(objective, model)
             for m in f.mistakes)
    return next(m for m in known if m.words == words)


@pytest.mark.parametrize("what, scaling, text",
                         [("target", "sigma", "sigma times the right score"),
                          ("score", "sigma^2", "1 / sigma^2 times the right score"),
                          ("norm", "2", "1 / 2 times the right score"),
                          ("divergence", "2", "2 times the right score"),
                          ("divergence", "-1", "upside down"),
                          ("divergence", "-2", "-2 times the right score"),
                          ("norm", "1 / 2", "2 times the right score"),
                          ("cross", "1 / 2", "1 / 2 times the right score"),
                          ("penalty", "1 / 2", "1 / 2 times the strength"),
                          ("penalty", "-1", "rewards what it should punish"),
                          ("norm", "-1", "unbounded below"), ("norm", "0", "unbounded below"),
                          ("cross", "0", "0 everywhere"), ("target", "0", "0 everywhere"),
                          ("target", "-1", "upside down"), ("penalty", "0", "not smoothed"),
                          ("penalty", "2", "2 times the strength"), ("loss", "-1", "maximises"),
                          ("constant", "2", "training is the same"),
                          ("product", "2", "2 times the right reconstruction"),
                          ("output", "2", "1 / 2 times the right reconstruction"),
                          ("product", "-1", "minus the right reconstruction"),
                          ("product", "0", "best reconstruction is 0")])
def test_what_a_change_does_to_training(what, scaling, text):
    objective = "dae" if what in ("output", "product") else "dsm"
    assert text in effects.training(
        objective, Change(what, ZERO if scaling == "0" else parse_scaling(scaling)))


@pytest.mark.parametrize("r", [0.5, 3.0])
def test_the_minimiser_of_a_changed_implicit_loss_is_what_is_said(r):
    precision = np.linspace(
        0.01, 20,
        200001)    # N(0, 1) data, psi = -p x: E[r p^2 x^2 / 2 - p] and E[p^2 x^2 / 2 - r p]
    assert np.isclose(precision[np.argmin(r * precision**2 / 2 - precision)], 1 / r, atol=1e-3)
    assert np.isclose(precision[np.argmin(precision**2 / 2 - r * precision)], r, atol=1e-3)


def test_a_factor_leaves_the_minimiser_and_a_constant_leaves_everything():
    (factor,) = effects.consequences("dsm", parse_scaling("2 sigma^2"), (), (), "kept")
    assert "the minimiser is the same" in factor
    assert "levels weigh differently" in factor
    assert effects.consequences("dsm", ONE, (), (), "dropped") == (
        "a constant has no gradient: training is the same, the loss curve is shifted",)
    assert effects.consequences(
        "dsm", ONE, (), (NEW,),
        "none") == ("the loss has other minimisers: what is learned is not the score",)


@pytest.mark.parametrize(
    "objective, factor, changes, mistakes, texts",
    [("dsm", "2 sigma^2 / d", {"target": "-1"}, (),
      ("upside down", "apart from that, a common factor 2 sigma^2 / d")),
     ("dsm", "1", {"extra": "0.01"}, ("an extra term: |W|^2",), ("pulled away",)),
     ("ism", "1", {"divergence": "0", "extra": "1 / sigma^2"}, ("an extra term: |W|^2",),
      ("stands in for the one that is missing",)),
     ("ism", "1", {"norm": "0", "divergence": "0", "extra": "1"}, ("an extra term: energy",),
      ("stands in for those that are missing",)),
     ("regularized", "1", {"norm": "2", "penalty": "0"}, (),
      ("what is learned is 1 / 2 times the right score", "not smoothed")),
     ("regularized", "1", {"norm": "0", "penalty": "0"}, (), ("unbounded below", "not smoothed")),
     ("regularized", "1", {"norm": "0", "penalty": "2"}, (), ("only the penalty holds",)),
     ("regularized", "1", {"norm": "2"}, (), ("the right score, but for the penalty",)),
     ("noise_prediction", "1", {"target": "-1"}, (),
      ("what is learned is minus the right prediction",)),
     ("noise_prediction", "1", {"product": "0"}, (), ("the best prediction is 0 everywhere",)),
     ("dsm_scaled", "alpha", {}, (), ("where alpha varies its levels weigh differently",)),
     ("dsm_scaled", "alpha sigma", {}, (), ("where sigma and alpha vary its levels",)),
     ("dsm", "1", {"cross": "0"}, ("an extra term: tr J",), ("implicit score matching",)),
     ("dsm", "1", {"cross": "0", "extra": "2"}, ("an extra term: tr J",),
      ("stands in for the one that is missing",)),
     ("ism", "1", {"norm": "2", "divergence": "1 / d"}, (), ("1 / (2 d) times the right score",)),
     ("ism", "1", {"norm": "2", "divergence": "-2"}, (), ("upside down",)),
     ("ism", "1", {"norm": "-1", "divergence": "2"}, (), ("unbounded below",)),
     ("ism", "1", {"norm": "0", "divergence": "2"}, (), ("unbounded below",)),
     ("ism", "1", {"norm": "1 / 2", "divergence": "2"}, (), ("4 times the right score",)),
     ("ism", "1", {"norm": "1 / 2", "divergence": "-2"}, (), ("-4 times the right score",)),
     ("dsm", "1", {"constant": "2"}, (), ("a constant has no gradient",)),
     ("regularized", "1", {"norm": "2", "divergence": "2"}, (), ()),
     ("dsm", "1", {}, ("the score is read at x", "only the first dimension"),
      ("the score is read at x, taken alone:", "only the first dimension, taken alone:")),
     ("dsm", "1", {}, ("the score is read at x",), ("at the clean point",)),
     ("ism", "1", {"norm": "1 / 2", "divergence": "0"}, (), ("nothing is learned",)),
     ("generalized", "1", {"slope": "2"}, (), ("the loss has other minimisers",)),
     ("dsm", "1", {"target": "-1"}, ("the score is read at x",),
      ("taken alone: at the clean point",)),
     ("ssm", "1", {"norm": "2"}, ("directions of unit length",),
      ("same minimiser", "1 / 2 times the right score")),
     ("ssm", "1", {}, ("norm: directions of unit length",), ("d times the score",)),
     ("ssm", "1", {}, ("divergence: directions of unit length",), ("1 / d times",)),
     ("regularized", "1", {}, ("penalty: only the first dimension",), ("another penalty",)),
     ("pseudo", "d", {"loss": "-1"}, ("only the first bit",),
      ("maximises what should be", "apart from that, a common factor d")),
     ("ratio", "2", {"loss": "-1"}, ("the square is missing",),
      ("maximises the loss that has this mistake", "apart from that, a common factor 2")),
     ("ratio", "1", {}, ("something new",), ("what is learned is not the model",)),
     ("dae", "1", {}, ("something new",), ("not the reconstruction",)),
     ("dsm_levels", "1", {"target": "-1"}, ("each level is weighted by sigma^2",),
      ("the levels weigh differently", "the energy is learned upside down")),
     ("mpf", "1", {"loss": "-1"}, ("the sign of the gap",), ("the loss that has this mistake",)),
     ("dsm", "1", {}, ("target: the clean point is left out of it",),
      ("minus the point over sigma^2",))])
def test_several_differences_are_said_together(objective, factor, changes, mistakes, texts):
    changes = tuple(
        Change(what, ZERO if scaling == "0" else parse_scaling(scaling))
        for what, scaling in changes.items())
    rows = [row(objective, words) for words in mistakes]
    found = effects.consequences(objective, parse_scaling(factor), changes, rows, "kept")
    assert len(found) == len(texts)
    assert all(text in line for text, line in zip(texts, found))
    assert all(("taken alone" in line) <= ("taken alone" in text)
               for text, line in zip(texts, found))
    if not any("but for the penalty" in text for text in texts):
        assert not any("but for the penalty" in line for line in found)
