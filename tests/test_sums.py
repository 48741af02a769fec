"""Sums over coordinates, points and directions, and pairwise sums over blocks."""
import sys
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from refsm import sums
from refsm.zero import ZERO

X = np.random.default_rng(0).normal(size=(7, 5))


def test_uniform_weights_sum_to_one_without_memory():
    weights = sums.uniform_weights(7, X)
    assert weights.shape == (7,)
    assert (weights == 1 / 7).all()
    assert weights.strides == (0,)
    exact = sums.uniform_weights(7, np.array([Fraction(1)]))
    assert exact.shape == (7,)
    assert sum(exact) == 1
    assert exact[0] == Fraction(1, 7)


def test_row_dot_sums_the_last_axis():
    u, v = np.random.default_rng(1).normal(size=(2, 3, 7, 5))
    assert np.allclose(sums.row_dot(u, v),
                       [[sum(p * q) for p, q in zip(a, b)] for a, b in zip(u, v)], rtol=1e-14)
    exact = np.array([[Fraction(1, 3), Fraction(2)], [Fraction(0), Fraction(5, 7)]])
    ones = np.ones((2, 2))
    assert sums.row_dot(exact, exact).tolist() == [Fraction(37, 9), Fraction(25, 49)]
    assert sums.row_dot(exact, ones).tolist() == [7 / 3, 5 / 7]
    assert sums.row_dot(ones, exact).tolist() == [7 / 3, 5 / 7]


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble, complex, object])
def test_sums_over_rows_are_sums_over_rows_in_their_own_numbers(dtype):
    u = np.arange(15).reshape(5, 3).astype(dtype) + (Fraction(1, 3) if dtype is object else 0)
    w = np.arange(-2, 3).astype(dtype) / (Fraction(7) if dtype is object else 1)
    assert sums.sum_rows(u).tolist() == [sum(column) for column in u.T]
    assert sums.sum_rows(u).dtype == dtype
    assert sums.weighted_sum(w, u).tolist() == [sum(w * column) for column in u.T]
    one = sums.uniform_weights(5, u)
    assert (abs(sums.weighted_sum(one, u) - u.sum(axis=0) / 5) <= 1e-15 * abs(u).max()).all()


def test_a_number_held_once_is_taken_once():
    w = np.arange(3.0)
    repeated = np.broadcast_to(w[:, None], (3, 5))
    assert sums.drop_broadcast_axes(repeated).tolist() == [[0], [1], [2]]
    assert sums.drop_broadcast_axes(repeated.T).tolist() == [[0, 1, 2]]
    assert sums.drop_broadcast_axes(w).tolist() == [0, 1, 2]
    assert sums.drop_broadcast_axes(np.broadcast_to(w[1], (7,))).tolist() == [1]


@pytest.mark.parametrize("count", range(1, 18))
def test_a_pairwise_sum_is_the_sum_of_each_part(count):
    terms = [(float(k), np.array([k, -2.0 * k]), Fraction(k, 3)) for k in range(1, count + 1)]
    pairwise = sums.PairwiseSum()
    for term in terms:
        pairwise.add(term)
    number, vector, exact = pairwise.total()
    whole = count * (count + 1) // 2
    assert number == whole
    assert vector.tolist() == [whole, -2 * whole]
    assert exact == Fraction(whole, 3)
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
    assert pairwise.total()[0] == 0.1 * 2**14          # every partial sum is 0.1 times a power of 2
    assert np.cumsum(np.full(2**14, 0.1))[-1] != 0.1 * 2**14         # one after the other


# -- directions ------------------------------------------------------------------------------------

N, M, D, K = 7, 3, 5, 6
RNG = np.random.default_rng(2)
V, W, U, COTANGENT = (RNG.normal(size=shape) for shape in ((N, M, D), (K, D), (N, M, K), (N, M)))


def test_directions_are_projected_on_the_rows_of_a_matrix():
    plain = np.array([[[sum(V[k, r, i] * W[j, i] for i in range(D)) for j in range(K)]
                       for r in range(M)] for k in range(N)])
    assert np.allclose(sums.project(V, W), plain, rtol=1e-13)
    assert np.allclose(sums.project(V[:, 0], W), plain[:, 0], rtol=1e-13)           # points
    assert np.allclose(sums.project(V[:, 0, :1], W[:, :1]), V[:, 0, :1] * W[:, 0], rtol=1e-13)


def test_a_sum_over_directions_is_one_for_each_point():
    plain = [sum(COTANGENT[k, r] * U[k, r] for r in range(M)) for k in range(N)]
    assert np.allclose(sums.sum_directions(COTANGENT, U), plain, rtol=1e-13)


def test_a_sum_over_directions_leaves_its_arguments_alone():
    w, u = COTANGENT.copy(), U.copy()
    sums.sum_directions(w, u)
    assert (w == COTANGENT).all()
    assert (u == U).all()


def test_weights_of_directions_may_be_broadcast():
    weights = np.broadcast_to(np.array(0.3), (N, M))
    assert np.allclose(sums.sum_directions(weights, U), 0.3 * U.sum(axis=1), rtol=1e-13)


def test_an_outer_sum_is_over_points():
    u, v = np.array([[2.0, 3.0], [5.0, 7.0], [0.0, 1.0]]), np.array([[1.0], [10.0], [100.0]])
    assert sums.outer_sum(u, v).tolist() == [[52.0], [173.0]]


def test_an_outer_sum_is_over_points_and_directions():
    plain = sum(np.outer(U[k, r], V[k, r]) for k in range(N) for r in range(M))
    assert np.allclose(sums.outer_sum(U, V), plain, rtol=1e-13)


def test_sums_over_directions_are_exact_in_rationals():
    u = np.array([[[Fraction(1, 3), Fraction(2)], [Fraction(5, 7), Fraction(0)],
                   [Fraction(-1), Fraction(1, 2)]]])
    w = np.array([[Fraction(1, 5), Fraction(7), Fraction(2, 3)]])
    assert sums.sum_directions(w, u).tolist() == [[Fraction(1, 15) + 5 - Fraction(2, 3),
                                                   Fraction(2, 5) + Fraction(1, 3)]]
    assert sums.outer_sum(u, u)[0, 1] == Fraction(2, 3) - Fraction(1, 2)
    assert sums.project(u, u[0])[0, 1].tolist() == [Fraction(5, 21), Fraction(25, 49),
                                                    Fraction(-5, 7)]


def test_an_array_is_scaled_in_its_own_memory():
    u = np.array([[3.0, 5.0]])
    assert sums.scaled(u, np.array([[7.0, 2.0]])) is u
    assert u.tolist() == [[21, 10]]


@pytest.mark.parametrize("factor", [np.longdouble(1) / 3, 1j / 3])
def test_a_scaled_array_has_the_type_of_the_product(factor):
    u, w = np.array([3.0, 5.0]), np.array([factor])
    product = sums.scaled(u, w)
    assert product.dtype == w.dtype
    assert (product == [3 * factor, 5 * factor]).all()
    assert u.tolist() == [3, 5]


def test_a_column_stands_beside_every_entry_of_a_row():
    w = np.arange(3.0)
    assert sums.column(w).tolist() == [[0], [1], [2]]
    assert sums.column(np.broadcast_to(w[2], (7,))).tolist() == [[2]]


# -- the symbolic zero -----------------------------------------------------------------------------

@pytest.mark.parametrize("sum_of_zero", [
    lambda: sums.row_dot(ZERO, X), lambda: sums.row_dot(X, ZERO), lambda: sums.sum_rows(ZERO),
    lambda: sums.weighted_sum(ZERO, X), lambda: sums.weighted_sum(X[:, 0], ZERO),
    lambda: sums.sum_directions(ZERO, U), lambda: sums.sum_directions(COTANGENT, ZERO),
    lambda: sums.outer_sum(ZERO, V), lambda: sums.outer_sum(U, ZERO),
    lambda: sums.project(ZERO, W), lambda: sums.column(ZERO), lambda: sums.scaled(ZERO, W),
    lambda: sums.scaled(W, ZERO)])
def test_every_sum_of_the_symbolic_zero_is_the_symbolic_zero(sum_of_zero):
    assert sum_of_zero() is ZERO


def test_a_pairwise_sum_of_symbolic_zeros_is_the_symbolic_zero():
    pairwise = sums.PairwiseSum()
    for _ in range(3):
        pairwise.add((ZERO, 1.0))
    total, ones = pairwise.total()
    assert total is ZERO
    assert ones == 3


# -- threads ---------------------------------------------------------------------------------------

WIDE, NARROW = np.ones((10**5, 63)), np.ones((10**5, 3))


def test_other_threads_run_during_a_sum_over_points():
    """The interpreter's lock is free in the middle half of at least one of the calls."""
    times, done = [], threading.Event()

    def tick():
        while not done.is_set():
            times.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    thread.start()
    try:
        for _ in range(50):
            start = time.perf_counter()
            sums.outer_sum(WIDE, NARROW)
            quarter = (time.perf_counter() - start) / 4
            if any(start + quarter < t < start + 3 * quarter for t in list(times)):
                return
            times.clear()
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)
    pytest.fail("the lock was held during 50 calls")
