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
    """The leaves as a gradient of the type of theta, with arrays of zeros in the place of ZERO.

    ValueError where a leaf has not the shape that it has in theta.

    >>> from refsm.energies.gaussian import GaussianTheta
    >>> theta = GaussianTheta(mean=np.ones(1), precision=np.ones((1, 1)))
    >>> fill_zeros([np.array([2.0]), ZERO], theta)
    GaussianTheta(mean=array([2.]), precision=array([[0.]]))
    """
    leaves = tuple(leaves)
    if len(leaves) != len(theta):
        raise ValueError(f"pullback must return the {len(theta)} leaves of theta, "
                         f"but it returned {len(leaves)}")
    for name, leaf, of in zip(type(theta)._fields, leaves, theta):
        if leaf is not ZERO and np.shape(leaf) != np.shape(of):
            raise ValueError(f"pullback must return {name} of shape {np.shape(of)}, "
                             f"but its shape is {np.shape(leaf)}")
    return type(theta)(*(np.zeros(np.shape(of)) if leaf is ZERO else leaf
                         for leaf, of in zip(leaves, theta)))
