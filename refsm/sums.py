"""Sums: over coordinates, over points, over directions, and over blocks of points.

Each takes a symbolic zero (`refsm.zero`) where an array may stand, and then returns it.

A sum over points is a product by `dot`.  Threads evaluate blocks side by side, and `@` keeps the
interpreter's lock during a product whose result has at most 500 entries, however many points it is
a sum over.

Symbols
    n points, i dimensions, r directions (M).
    w         (n,) or (n, M)    factors
    u         (n, k)            one row per point;  (n, M, k) one per point and direction
"""
from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from refsm.typing import Array
from refsm.zero import ZERO

__all__ = ["row_dot", "sum_rows", "weighted_sum", "sum_directions", "project",
           "scaled", "outer_sum", "drop_broadcast_axes", "column", "uniform_weights", "PairwiseSum"]


def row_dot(u: Array, v: Array) -> Array:
    """sum_i u_ni v_ni: the sum over the last axis, one number per row."""
    if u is ZERO or v is ZERO:
        return ZERO
    if object in (u.dtype, v.dtype):
        return (u * v).sum(axis=-1)
    return np.einsum("...i,...i->...", u, v)


def sum_rows(u: Array) -> Array:
    """sum_n u_ni of an (n, k) array: a product, faster than `u.sum(axis=0)` for few columns."""
    return ZERO if u is ZERO else np.dot(np.ones(len(u), u.dtype), u)


def weighted_sum(w: Array, u: Array) -> Array:
    """sum_n w_n u_ni.  A broadcast w becomes contiguous first, because BLAS needs it so."""
    return ZERO if w is ZERO or u is ZERO else np.dot(np.ascontiguousarray(w), u)


def sum_directions(w: Array, u: Array) -> Array:
    """sum_r w_nr u_nrk: (n, M), (n, M, k) -> (n, k), one direction after the other.

    For few directions this is faster than a matrix product per point.
    """
    if w is ZERO or u is ZERO:
        return ZERO
    out = column(w[:, 0]) * u[:, 0]
    for r in range(1, u.shape[1]):
        out += column(w[:, r]) * u[:, r]
    return out


def project(v: Array, W: Array) -> Array:
    """sum_i W_ji v_i: points (n, d) or directions (n, M, d) on the rows of W (m, d).

    For d = 1 by `dot`, because `@` does not use BLAS there and takes four times as long; for other
    d `@` is faster, because `dot` fills its result with zeros first.
    """
    if v is ZERO:
        return ZERO
    *points, d = v.shape
    if len(points) > 1:
        return project(v.reshape(-1, d), W).reshape(*points, len(W))
    return np.dot(v, W.T) if d == 1 else v @ W.T


def scaled(u: Array, w: Array) -> Array:
    """u w of the shape of u, in the memory of u where the product has its type.

    For a new array u that is not read again: memory of its own would cost time.
    """
    if u is ZERO or w is ZERO:
        return ZERO
    if np.result_type(u, w) != u.dtype:
        return u * w
    u *= w
    return u


def outer_sum(u: Array, v: Array) -> Array:
    """sum_n u_nj v_ni: (n, m), (n, d) -> (m, d), over points; over directions too for (n, M, .)."""
    if u is ZERO or v is ZERO:
        return ZERO
    u, v = (rows.reshape(-1, rows.shape[-1]) for rows in (u, v))
    return np.dot(u.T, v)


def column(w: Array) -> Array:
    """w (n,) as a column (n, 1), a factor of (n, k) arrays; (1, 1) where w holds one number."""
    return ZERO if w is ZERO else drop_broadcast_axes(w)[:, None]


def drop_broadcast_axes(w: Array) -> Array:
    """w, cut to length 1 along each axis along which it is broadcast: a factor of other arrays.

    >>> w = uniform_weights(5, like=np.zeros(5))
    >>> w, drop_broadcast_axes(w)
    (array([0.2, 0.2, 0.2, 0.2, 0.2]), array([0.2]))
    """
    return w[tuple(slice(None if stride else 1) for stride in w.strides)]


def uniform_weights(n: int, like: Array) -> Array:
    """(n,) weights 1/n, broadcast from one number; exact where `like` holds exact rationals."""
    weight = np.array(Fraction(1, n), dtype=object) if like.dtype == object else np.array(1 / n)
    return np.broadcast_to(weight, (n,))


class PairwiseSum:
    """A sum of tuples of arrays, added in pairs, then pairs of pairs.

    Its rounding error grows with the logarithm of the number of terms.

    >>> total = PairwiseSum()
    >>> for k in range(5): total.add((float(k), np.ones(2)))
    >>> total.total()
    (10.0, array([5., 5.]))
    """

    def __init__(self) -> None:
        self._partial: list[tuple[int, tuple]] = []      # (number of terms, their sum), halving

    def add(self, terms: tuple[Any, ...]) -> None:
        """Add one more term to the sum."""
        count = 1
        while self._partial and self._partial[-1][0] == count:
            _, left = self._partial.pop()
            terms = tuple(a + b for a, b in zip(left, terms))
            count += count
        self._partial.append((count, terms))

    def total(self) -> tuple:
        """The sum of all terms so far."""
        _, terms = self._partial[-1]
        for _, left in reversed(self._partial[:-1]):
            terms = tuple(a + b for a, b in zip(left, terms))
        return terms
