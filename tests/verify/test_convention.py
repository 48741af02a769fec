"""A declared convention is read as a report prints it, or as a person writes it."""
import re

import pytest

from refsm.verify.cases.network import READ
from refsm.verify.convention import _identities, _is_weight, agree, normal
from refsm.verify.mistakes import formulas
from refsm.verify.objectives import OBJECTIVES


@pytest.mark.parametrize("written, meant", [
    ("2*sigma**2/d", "2 sigma^2 / d"), ("d", "d"), ("1 / (2 d)", "1 / (2 d)"), ("1", "1"),
    ("2; mask.the-last-point", "2; mask.the-last-point"),
    ("sigma.next", "sigma.next"), ("sigma^2; own-weight.none", "sigma^2; own-weight.none"),
    ("the noise is divided by the sigma of the next level", "sigma.next"),
    ("1 in place of h in the term of J_ii", "divergence.1"),
    ("constant dropped;  target x -1", "constant dropped; target x -1"),
    ("constant + d/2", "constant + d / 2"),
    ("constant + -d / (2 sigma^2)", "constant + -d / (2 sigma^2)"), ("2 / d * d", "2"),
    ("norm x 4/2", "norm x 2"), ("loss x -1", "loss x -1"),
    ("d; only the first bit", "d; bits.first"),
    ("2*sigma**2/d;  constant dropped", "2 sigma^2 / d; constant dropped"),
    ("directions of unit length", "directions.unit"), ("network.variance", "network.variance"),
    *((mask, mask) for mask in (
        "mask.the-points-with-x-below-2", "mask.the-points-with-max-x_noisy_i-below-1e-05-of-n",
        "mask.the-points-1-4-of-c0-2-13-of-c1", "mask.every-second-point-the-1st-3rd")),
    ("weight w(0.37) = 0.69, w(1.3) = 2e-05", "weight w(0.37) = 0.69, w(1.3) = 2e-05")])
def test_each_piece_has_one_form(written, meant):
    assert normal(written) == meant


@pytest.mark.parametrize("written, words", [
    *((text, f"a factor that is meant must be positive, but it is {text}; a loss that is to be")
      for text in ("-2", "-sigma", "0")),
    *((text, f"'{re.escape(text)}' is not a convention")
      for text in ("sigmas", "weight w(0.37) = 0", "weight w(c1) = -2",
                   "weight w(0.37) = 0.5 w(0.61) = 1", "mask.", "mask.of-n", "mask.the-third-point",
                   "mask.the-points-with-y-below-2", "mask.the-points-of-c0", "mask.the-points-1",
                   "all-but-the-last-point", "mask.all-but-the-last-point-but-one")),
    *((text, "a factor must be a product")
      for text in ("2 / d n", "2 / 3 d", "n - 1", "n/(n-1) apples"))])
def test_what_is_none_is_refused(written, words):
    with pytest.raises(ValueError, match=words):
        normal(written)


@pytest.mark.slow
def test_the_first_and_the_last_model_of_an_objective_have_every_mistake():
    rows = {row for objective, about in OBJECTIVES.items()
            for model in (None, *about.models, *["network"][:about.reads in READ])
            for formula in formulas(objective, model) for row in formula.mistakes}
    assert set(_identities()) == {row.id for row in rows} | {row.words for row in rows}


@pytest.mark.parametrize("piece, holds", [
    ("weight w(c0) = 1.1, w(c1) = 0.3", True), ("weight w(0.37) = 1e-05", True),
    ("weight w(c0) = 0", False), ("weight w(c0) = -1", False), ("weight", False),
    ("w(c0) = 1.1", False), ("weight w(c0) = 1.1 w(c1) = 2", False),
    ("weight w(c0) = 1e999", False), ("weight w(x) = 3", False)])
def test_a_weight_is_a_positive_number_for_every_key(piece, holds):
    assert _is_weight(piece) == holds


def test_conventions_agree_in_any_order_and_weights_to_five_digits():
    declared = "2; weight w(c0) = 1.23456, w(c1) = 0.3"
    assert agree(declared, "weight w(c0) = 1.234561, w(c1) = 0.3; 2")
    assert not agree(declared, "weight w(c0) = 1.2346, w(c1) = 0.3; 2")
    assert not agree("weight w(c0) = 400", "weight w(c0) = 400.003")
    assert agree("weight w(c0) = 400", "weight w(c0) = 400.0015")
    assert not agree(declared, "weight w(c0) = 1.23456; 2")
    assert not agree(declared, "2")
    assert not agree("target x -1", "target x 1")
