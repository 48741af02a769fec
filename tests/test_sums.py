"""Sums over coordinates, points and directions, and pairwise sums over blocks."""
from fractions import Fraction

import numpy as np
import pytest

from refsm import sums
from refsm.zero import ZERO

X = np.random.default_rng(0).normal(size=(7, 5))


def test_uniform_weights_sum_to_one_without_memory():
    weights = sums.uniform_weights(7, X)
    assert weights.shape == (7,) and (weights == 1 / 7).all() and weights.strides == (0,)
    exact = sums.uniform_weights(7, np.array([Fraction(1)]))
    assert exact.shape == (7,) and sum(exact) == 1 and exact[0] == Fraction(1, 7)


def test_row_dot_sums_the_last_axis():
    u, v = np.random.default_rng(1).normal(size=(2, 3, 7, 5))
    assert np.allclose(sums.row_dot(u, v), [[sum(p * q) for p, q in zip(a, b)] for a, b in zip(u, v)], rtol=1e-14)
    exact = np.array([[Fraction(1, 3), Fraction(2)], [Fraction(0), Fraction(5, 7)]])
    ones = np.ones((2, 2))
    assert sums.row_dot(exact, exact).tolist() == [Fraction(37, 9), Fraction(25, 49)]
    assert sums.row_dot(exact, ones).tolist() == sums.row_dot(ones, exact).tolist() == [7 / 3, 5 / 7]


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble, complex, object])
def test_sums_over_rows_are_sums_over_rows_in_their_own_numbers(dtype):
    u = np.arange(15).reshape(5, 3).astype(dtype) + (Fraction(1, 3) if dtype is object else 0)
    w = np.array([Fraction(k, 7) for k in range(-2, 3)]) if dtype is object else np.arange(-2, 3).astype(dtype)
    assert sums.sum_rows(u).tolist() == [sum(column) for column in u.T] and sums.sum_rows(u).dtype == dtype
    assert sums.weighted_sum(w, u).tolist() == [sum(w * column) for column in u.T]
    one = sums.uniform_weights(5, u)
    assert (abs(sums.weighted_sum(one, u) - u.sum(axis=0) / 5) <= 1e-15 * abs(u).max()).all()


def test_a_number_held_once_is_taken_once():
    w = np.arange(3.0)
    repeated = np.broadcast_to(w[:, None], (3, 5))
    assert sums.drop_broadcast_axes(repeated).tolist() == [[0], [1], [2]] and sums.drop_broadcast_axes(repeated.T).tolist() == [[0, 1, 2]]
    assert sums.drop_broadcast_axes(w).tolist() == [0, 1, 2] and sums.drop_broadcast_axes(np.broadcast_to(w[1], (7,))).tolist() == [1]


@pytest.mark.parametrize("count", range(1, 18))
def test_a_pairwise_sum_is_the_sum_of_each_part(count):
    terms = [(float(k), np.array([k, -2.0 * k]), Fraction(k, 3)) for k in range(1, count + 1)]
    pairwise = sums.PairwiseSum()
    for term in terms:
        pairwise.add(term)
    number, vector, exact = pairwise.total()
    whole = count * (count + 1) // 2
    assert number == whole and vector.tolist() == [whole, -2 * whole] and exact == Fraction(whole, 3)
    assert pairwise.total()[0] == number          # asking does not change it


def test_a_pairwise_sum_adds_in_pairs_from_left_to_right():
    pairwise = sums.PairwiseSum()
    for letter in "abcdefg":
        pairwise.add((Tree(letter),))
    assert pairwise.total()[0].name == "(((ab)(cd))((ef)g))"


class Tree:
    def __init__(self, name):
        self.name = name

    def __add__(self, other):
        return Tree(f"({self.name}{other.name})")


def test_rounding_of_a_pairwise_sum_does_not_grow_with_the_number_of_terms():
    pairwise = sums.PairwiseSum()
    for _ in range(2**14):
        pairwise.add((0.1,))
    assert pairwise.total()[0] == 0.1 * 2**14         # every partial sum is a power of two times 0.1
    assert np.cumsum(np.full(2**14, 0.1))[-1] != 0.1 * 2**14           # one after the other (Python's own sum compensates from 3.12 on)
