"""The local quantities of an energy: their names, shapes and meanings, in one table.

An energy gives them at each point, an objective reads some of them, a pullback takes a cotangent
on each, and checkers and tests go through this table.  n points, d dimensions, M directions.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refsm.typing import Array

__all__ = ["Quantity", "QUANTITIES", "CONTINUOUS", "BINARY", "shape_of", "check_quantity"]


class Quantity(NamedTuple):
    """A local quantity: the method of `Energy` that gives it, its shape, and what it is."""

    method: str
    shape: tuple[str, ...]
    meaning: str


QUANTITIES = {
    "energy": Quantity("energy", ("n",), "E(x), with p = exp(-E) / Z"),
    "score": Quantity("score", ("n", "d"), "psi = grad_x log p = -grad_x E"),
    "jacobian": Quantity("score_jacobian", ("n", "d", "d"), "J_ik = d psi_i / d x_k"),
    "divergence": Quantity("score_divergence", ("n",), "tr J"),
    "diagonal": Quantity("score_jacobian_diagonal", ("n", "d"), "J_ii"),
    "curvature": Quantity("score_curvature", ("n", "M"), "v'Jv along directions v (n, M, d)"),
    "gap": Quantity("energy_gap", ("n", "d"), "E(x with bit i flipped) - E(x)"),
}

# The quantities on which a pullback takes a cotangent, for points of R^d and for binary points.
CONTINUOUS = frozenset({"energy", "score", "divergence", "diagonal", "curvature"})
BINARY = frozenset({"energy", "gap"})


def shape_of(name: str, n: int, d: int, M: int = 1) -> tuple[int, ...]:
    """The shape of a local quantity at n points of d dimensions, along M directions.

    >>> shape_of("score", n=7, d=3), shape_of("curvature", n=7, d=3, M=5)
    ((7, 3), (7, 5))
    """
    length = {"n": n, "d": d, "M": M}
    return tuple(length[letter] for letter in QUANTITIES[name].shape)


def check_quantity(value: Array, name: str, n: int, d: int, M: int = 1, *, of: str) -> Array:
    """What an energy gives as its local quantity, or one sentence on what its shape should be.

    >>> check_quantity(np.zeros((7, 3)), "divergence", n=7, d=3, of="MyEnergy")
    Traceback (most recent call last):
    ValueError: divergence of MyEnergy must have shape (7,), but its shape is (7, 3)
    """
    shape = shape_of(name, n, d, M)
    if np.shape(value) != shape:
        raise ValueError(f"{name} of {of} must have shape {shape}, "
                         f"but its shape is {np.shape(value)}")
    return value
