"""The worked examples: they run, and reach the lines that they are there for."""
import numpy as np
import pytest

import refsm
from refsm.study.examples import EXAMPLES, SIGMA, B, C, W, X
from refsm.study.heads import room, rooms
from refsm.study.recorder import tagged_statements
from refsm.study.worked import record, text_of

ROOMS = [one for one in rooms() if one.numbers and one.path.parent.name in ("energies",
                                                                         "objectives")]


@pytest.mark.parametrize("of", ROOMS, ids=lambda one: one.name)
def test_the_example_of_a_formula_room_runs_and_reaches_its_lines(of):
    found, wrong = record(of)
    assert not wrong
    tagged = {tag.line for _, its_tags in tagged_statements(of.source, every=True).values()
              for tag in its_tags if tag.numbers}
    assert len(tagged & set(found)) > 0.5 * len(tagged)


def test_the_score_behind_its_line_is_the_score():
    of = room("energies/autoencoder")
    found, _ = record(of)
    model = refsm.AutoencoderEnergy(W, B, C, sigma=SIGMA)
    np.testing.assert_array_equal(found[of.lines_of(4)[0]][1][0], model.score(X))


@pytest.mark.slow
def test_every_example_is_of_a_room_that_exists():
    assert set(EXAMPLES) <= {one.name for one in rooms()}


def test_arrays_are_shown_with_their_shape():
    assert text_of([np.array([[0.5, -1.0]])]) == "(1, 2)\n[[ 0.5 -1. ]]"
    assert text_of([np.array(0.25)]) == "number  0.25"
