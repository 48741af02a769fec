"""Limits and slopes of a sequence, and derivatives without differences, for the statements.

Symbols
    h, h/2, ...           the steps of a sequence
    values       (L, ...) a function of the step, the largest step first
    noise        number   how far rounding may move the last value
    table        (l, ...) the columns of Neville's scheme, one after the other
    f            function analytic, of points (n, d)
    x            (n, d)   points

Equations
    (1)  f(h) = f(0) + c_1 h + c_2 h^2 + ...                                       [definition]
    (2)  table_l(h) = ( 2^l table_(l-1)(h/2) - table_(l-1)(h) ) / (2^l - 1)
    (3)  exponent of a rise f(h) - f(0) = C h^k (1 + O(h)):  log2 of the ratio of rises at h and h/2
    (4)  df/dx_i = Im f(x + i STEP e_i) / STEP

Derivation
    (1) -> (2)  table_0 is f.  If table_(l-1) = f(0) + C h^l + ..., then the h^l of the two terms
                cancel in (2), and their weights add up to 1: table_l = f(0) + O(h^(l+1)).
    -> (3)      the ratio is 2^k (1 + O(h)); its limit is found by (2) as well.
    -> (4)      f(x + i STEP e) = f + i STEP df - STEP^2 d2f / 2 - ...: for STEP = 1e-30 the terms
                beyond the second are below rounding, and nothing is subtracted.

Conventions
    The error of a limit is the change that the last column makes, plus noise times 2^L, which
    bounds the sum of the weights of (2) that the last values enter with.  It is an estimate, and
    only for whole powers as in (1): with sqrt(h) in the series it is far too small.  (3) shows the
    leading power of a series.

Sources
    Press, Teukolsky, Vetterling & Flannery, Numerical Recipes (2007): Neville's algorithm.
    Squire & Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review
    40 (1998): (4).
"""
from __future__ import annotations

from typing import Callable

import numpy as np

from refsm.typing import Array

__all__ = ["exponent", "gradient", "limit"]

STEP = 1e-30


def limit(values: Array, noise: float = 0.0) -> tuple[Array, Array]:
    """The limit as h -> 0 of values at h, h/2, ..., and an estimate of its error, equation (2).

    >>> h = 2.0 ** -np.arange(5)
    >>> value, error = limit(3 + h + h**2)
    >>> float(value), bool(error < 1e-12)
    (3.0, True)
    """
    table = np.asarray(values)
    levels = len(table)
    for level in range(1, levels):
        previous = table
        table = (2**level * previous[1:] - previous[:-1]) / (2**level - 1)       # (l, ...)  (2)
    return table[0], abs(table[0] - previous[-1]) + 2**levels * noise


def exponent(rises: Array) -> tuple[Array, Array]:
    """The exponent k of rises C h^k (1 + O(h)) at h, h/2, ..., and its error, equation (3).

    >>> h = 2.0 ** -np.arange(5)
    >>> value, error = exponent(h**3)
    >>> float(value), float(error)
    (3.0, 0.0)
    """
    rises = np.asarray(rises)
    return limit(np.log2(rises[:-1] / rises[1:]))                                # ()  (3)


def gradient(f: Callable[[Array], Array], x: Array) -> Array:
    """df/dx_i along the last axis, for f of points (n, d), equation (4): any shape (n, ...) of f.

    >>> gradient(lambda x: x[:, 0]**2 * x[:, 1], np.array([[3.0, 5.0]]))
    array([[30.,  9.]])
    """
    d = x.shape[1]
    slopes = [np.imag(f(x + 1j * STEP * e)) / STEP for e in np.eye(d)]           # (n, ...)  (4)
    return np.stack(slopes, axis=-1)
