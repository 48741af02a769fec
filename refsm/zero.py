"""The symbolic zero: a cotangent that is not given, at no cost and of no shape.

A pullback is linear in its cotangents.  With ZERO in the place of those that are not given, its
equations stand in the code as they are on paper, and a term with the factor ZERO is never computed:

    0 + u = u        0 * u = 0        0 @ u = 0        0[index] = 0        0.T = 0
"""
from __future__ import annotations

from typing import Any, Iterable

import numpy as np

__all__ = ["Zero", "ZERO", "fill_zeros"]


class Zero:
    """The zero of any shape.  Its one instance is ZERO; arrays leave their operators to it.

    >>> u = np.array([2.0, 3.0])
    >>> u + ZERO is u, u * ZERO is ZERO, ZERO - u
    (True, True, array([-2., -3.]))
    """

    __array_ufunc__ = None               # u + ZERO asks ZERO, not NumPy

    def _other(self, other: Any) -> Any:
        return other

    def _minus(self, other: Any) -> Any:
        return -other

    def _zero(self, *_: Any, **__: Any) -> Zero:
        return self

    __add__ = __radd__ = __rsub__ = _other
    __sub__ = _minus
    __neg__ = __pow__ = __getitem__ = sum = _zero
    __mul__ = __rmul__ = __matmul__ = __rmatmul__ = __truediv__ = _zero
    T = property(_zero)

    def __repr__(self) -> str:
        return "ZERO"

    def __reduce__(self) -> str:
        return "ZERO"


ZERO: Any = Zero()


def fill_zeros(leaves: Iterable[Any], theta: Any) -> Any:
    """The leaves as a gradient of the type of theta, with arrays of zeros in the place of ZERO."""
    return type(theta)(*(np.zeros(np.shape(of)) if leaf is ZERO else leaf
                         for leaf, of in zip(leaves, theta)))
