"""Positive weights for every sigma or group: their lines, and when two agree."""
import numpy as np
import pytest

from refsm.verify.diagnosis.scaling import Scaling
from refsm.verify.report.weights import Weights, agree, is_weight, weights_of

SIGMAS = (0.37, 0.61, 1.3)
SIZES = [{"d": d, "n": n, "sigma": s} for d, n in ((3.0, 7.0), (5.0, 13.0)) for s in SIGMAS]
GROUPS = [f"c{k}" for k in range(6)]
SIGMA = np.array([group["sigma"] for group in SIZES])
D, N = (np.array([group[name] for group in SIZES]) for name in "dn")


def found(w):
    return weights_of(w, SIZES, GROUPS)


def test_one_sigma_is_no_function_of_sigma():
    one = [{**group, "sigma": 0.61} for group in SIZES]
    assert weights_of(D, one, GROUPS) == Weights(Scaling(1.0), dict(zip(GROUPS, D)))
    two = [{**group, "sigma": sigma} for group, sigma in zip(SIZES, [0.37, 0.61] * 3)]
    assert list(weights_of(np.array([0.2, 0.9] * 3), two, GROUPS).by) == ["0.37", "0.61"]
    bare = [{"d": group["d"], "n": group["n"]} for group in SIZES]
    assert weights_of(D, bare, GROUPS).plain == Scaling(1.0)


def test_two_groups_of_one_sigma_agree_to_float32():
    w = np.log(1 + SIGMA**-2)
    w[0] *= 1 + 8e-5
    assert list(found(w).by) == ["0.37", "0.61", "1.3"]
    w[0] *= 1 + 8e-5
    assert list(found(w).by) == GROUPS


def test_a_weight_of_sigma_is_listed_by_sigma_and_what_is_plain_is_taken_out():
    weights = found(2 * np.log(1 + SIGMA**-2) * N / D)
    assert weights.plain == Scaling(1.0, (("d", -1.0), ("n", 1.0)))
    assert list(weights.by) == ["0.37", "0.61", "1.3"]
    assert np.allclose(list(weights.by.values()), 2 * np.log(1 + np.array(SIGMAS)**-2), rtol=1e-12)
    assert weights.line == ("n / d; weight w(0.37) = 4.23362, w(0.61) = 2.60987, "
                            "w(1.3) = 0.929625")


def test_what_is_no_function_of_sigma_is_listed_by_group_and_must_be_positive():
    w = np.array([1.1, 0.3, 2.9, 0.8, 1.9, 0.7])
    assert found(w) == Weights(Scaling(1.0), dict(zip(GROUPS, w)))
    assert found(w).line.startswith("weight w(c0) = 1.1, w(c1) = 0.3, ")
    assert found(np.array([1.1, 0.3, -2.9, 0.8, 1.9, 0.7])) is None
    assert found(np.array([1.1, 0.3, 0.0, 0.8, 1.9, 0.7])) is None


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
