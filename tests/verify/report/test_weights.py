"""Which pieces of a convention are weights, and when two conventions agree."""
import pytest

from refsm.verify.report.weights import agree, is_weight


@pytest.mark.parametrize("piece, holds", [
    ("weight w(c0) = 1.1, w(c1) = 0.3", True), ("weight w(0.37) = 1e-05", True),
    ("weight w(c0) = 0", False), ("weight w(c0) = -1", False), ("weight", False),
    ("w(c0) = 1.1", False), ("weight w(c0) = 1.1 w(c1) = 2", False),
    ("weight w(c0) = 1e999", False), ("weight w(x) = 3", False)])
def test_a_weight_is_a_positive_number_for_every_key(piece, holds):
    assert is_weight(piece) == holds


def test_conventions_agree_in_any_order_and_weights_to_five_digits():
    declared = "2; weight w(c0) = 1.23456, w(c1) = 0.3"
    assert agree(declared, "weight w(c0) = 1.234561, w(c1) = 0.3; 2")
    assert not agree(declared, "weight w(c0) = 1.2346, w(c1) = 0.3; 2")
    assert not agree("weight w(c0) = 400", "weight w(c0) = 400.003")
    assert agree("weight w(c0) = 400", "weight w(c0) = 400.0015")
    assert not agree(declared, "weight w(c0) = 1.23456; 2")
    assert not agree(declared, "2")
    assert not agree("target x -1", "target x 1")
