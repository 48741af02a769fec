"""The symbolic zero: it does to arrays what a zero does, computes nothing, and has no shape."""
import copy
import pickle
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest

from refsm.zero import ZERO, fill_zeros

U = np.random.default_rng(0).normal(size=(7, 5))
OTHERS = [U, U[0], np.float64(3.5), 3.5, 3, Fraction(1, 3), U + 2j, np.longdouble(U),
          np.array([Fraction(1, 3)], dtype=object)]

everything = pytest.mark.parametrize("u", OTHERS, ids=lambda u: f"{type(u).__name__}-{np.shape(u)}")


@everything
def test_adding_zero_changes_nothing_and_makes_no_copy(u):
    assert u + ZERO is u
    assert ZERO + u is u
    assert u - ZERO is u


@everything
def test_zero_minus_something_is_its_negative(u):
    assert np.array_equal(ZERO - u, -u)


@everything
def test_a_product_with_zero_is_zero(u):
    assert u * ZERO is ZERO
    assert ZERO * u is ZERO
    assert ZERO / u is ZERO


def test_a_matrix_product_with_zero_is_zero():
    assert U @ ZERO is ZERO
    assert ZERO @ U is ZERO


def test_zero_with_zero_is_zero():
    for result in (ZERO + ZERO, ZERO - ZERO, ZERO * ZERO, ZERO @ ZERO, -ZERO, ZERO**2):
        assert result is ZERO


def test_parts_sums_and_the_transpose_of_zero_are_zero():
    for result in (ZERO[3], ZERO[:, None], ZERO[2:5], ZERO.T, ZERO.sum(), ZERO.sum(axis=(0, 1))):
        assert result is ZERO


def test_an_array_does_not_take_zero_in_place():
    """NumPy's own += has no way to leave an array alone: one sentence, not a wrong number."""
    u = U.copy()
    with pytest.raises(TypeError, match="operand 'Zero' does not support ufuncs"):
        u += ZERO
    assert (u == U).all()


def test_dividing_by_zero_is_an_error():
    with pytest.raises(TypeError):
        U / ZERO


def test_a_function_of_numpy_refuses_zero():
    """Better an error than an array of objects."""
    with pytest.raises(TypeError):
        np.exp(ZERO)
    with pytest.raises(TypeError):
        np.add(U, ZERO)


def test_zero_is_the_only_one_and_reads_as_its_name():
    assert repr(ZERO) == "ZERO"
    assert pickle.loads(pickle.dumps(ZERO)) is ZERO
    assert copy.deepcopy(ZERO) is ZERO


# -- leaves ----------------------------------------------------------------------------------------

class Theta(NamedTuple):
    W: np.ndarray
    b: np.ndarray


THETA = Theta(np.ones((3, 5)), np.ones(3))


def test_zeros_of_the_shape_of_theta_take_the_place_of_the_symbolic_zero():
    filled = fill_zeros([ZERO, np.array([1.0, 2.0, 3.0])], THETA)
    assert type(filled) is Theta
    assert filled.W.shape == (3, 5)
    assert not filled.W.any()
    assert filled.b.tolist() == [1, 2, 3]


def test_leaves_may_come_from_a_generator():
    assert fill_zeros((leaf for leaf in THETA), THETA).b is THETA.b


@pytest.mark.parametrize("leaves, said", [
    ([np.ones((3, 5))], "^pullback must return the 2 leaves of theta, but it returned 1$"),
    ([ZERO, ZERO, ZERO], "^pullback must return the 2 leaves of theta, but it returned 3$"),
    ([np.ones((5, 3)), ZERO],
     r"^pullback must return W of shape \(3, 5\), but its shape is \(5, 3\)$"),
    ([ZERO, 3.0], r"^pullback must return b of shape \(3,\), but its shape is \(\)$")])
def test_leaves_of_another_number_or_shape_are_refused(leaves, said):
    with pytest.raises(ValueError, match=said):
        fill_zeros(leaves, THETA)
