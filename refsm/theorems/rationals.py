"""Arrays of exact rational numbers, for the statements whose gap is the number 0."""
from __future__ import annotations

from fractions import Fraction

import numpy as np

from refsm.typing import Array, ArrayLike

__all__ = ["nearest", "whole"]


def nearest(a: ArrayLike, grid: int) -> Array:
    """The nearest multiples of 1 / grid, as exact rationals.

    >>> nearest([0.3], 8)
    array([Fraction(1, 4)], dtype=object)
    """
    numerators = np.vectorize(lambda value: round(float(value) * grid), otypes=[object])(a)
    return np.vectorize(lambda k: Fraction(k, grid), otypes=[object])(numerators)


def whole(a: ArrayLike) -> Array:
    """Whole numbers as exact rationals.

    >>> whole([3.0])
    array([Fraction(3, 1)], dtype=object)
    """
    return np.vectorize(lambda value: Fraction(int(value)), otypes=[object])(a)
