"""The worked examples: they run, and reach the lines that they are there for."""
import numpy as np
import pytest

import refsm
from refsm.study.examples import EXAMPLES, SIGMA, B, C, W, X
from refsm.study.heads import room, rooms
from refsm.study.recorder import tagged_statements
from refsm.study.worked import record, text_of

NUMBERED = [one for one in rooms() if one.numbers]
SLOW = "verify/", "checks/", "fit/"
UNREACHED = {                                # {(room, number): why no example shows its line}
    ("verify/diagnosis/gradients", 2): "needs a loss with a Jacobian whose gradient is detached",
}


def tagged_lines(of):
    """{line: its numbers} of the tagged lines."""
    return {tag.line: tag.numbers for _, its_tags in tagged_statements(of.source, True).values()
            for tag in its_tags if tag.numbers}


@pytest.mark.parametrize("of", [pytest.param(one, id=one.name, marks=pytest.mark.slow if
                                             one.name.startswith(SLOW) else ())
                                for one in NUMBERED if one.name in EXAMPLES])
def test_the_example_of_a_room_runs_and_reaches_nine_of_ten_tagged_lines(of):
    found, wrong = record(of)
    lines = {line for line, numbers in tagged_lines(of).items()
             if (of.name, numbers[0]) not in UNREACHED}
    assert not wrong
    assert len(lines & set(found)) >= 0.9 * len(lines)


def test_the_score_behind_its_line_is_the_score():
    of = room("energies/autoencoder")
    found, _ = record(of)
    model = refsm.AutoencoderEnergy(W, B, C, sigma=SIGMA)
    np.testing.assert_array_equal(found[of.lines_of(4)[0]][1][0], model.score(X))


def test_every_example_is_of_a_room_that_exists():
    assert set(EXAMPLES) <= {one.name for one in rooms()}


def test_arrays_are_shown_with_their_shape():
    assert text_of([np.array([[0.5, -1.0]])]) == "(1, 2)\n[[ 0.5 -1. ]]"
    assert text_of([np.array(0.25)]) == "number  0.25"


def test_a_large_array_is_abridged():
    assert "..." in text_of([np.zeros((9, 9))])


def test_an_object_without_arrays_is_shown_as_it_prints():
    assert text_of(["Gaussian(d=2)"]) == "Gaussian(d=2)"
