"""An energy as data: its parameters as a NamedTuple or as one vector, its repr, its file.

`theta` is a NamedTuple of the learnable arrays, its leaves; a gradient with respect to theta has
the same type.  Optimisers want one vector instead: `ravel` and `unravel` go there and back.
"""
from __future__ import annotations

import os
from typing import Any

import numpy as np

from refsm import saving, validation
from refsm.immutable import Immutable, fields_of
from refsm.typing import Array, ArrayLike

__all__ = ["Parametric"]


class Parametric(Immutable):
    """Immutable data with learnable arrays `theta` and constants.

    A Gaussian has a mean and a precision:

    >>> from refsm.energies.gaussian import Gaussian
    >>> model = Gaussian(mean=[3.0, 5.0], precision=[[2.0, 0.0], [0.0, 4.0]])
    >>> model, model.theta.mean
    (Gaussian(mean: (2,), precision: (2, 2)), array([3., 5.]))
    >>> model.ravel()
    array([3., 5., 2., 0., 0., 4.])
    >>> model.unravel([0, 0, 1, 0, 0, 1]).theta.mean
    array([0., 0.])
    """

    # -- what a subclass provides -------------------------------------------------------------

    theta: Any                                    # NamedTuple of the learnable arrays, its leaves

    def with_theta(self, theta: Any) -> Any:
        """The same energy with other parameters (a tuple of arrays with the shapes of `theta`)."""
        raise NotImplementedError(f"{type(self).__name__} must have a method with_theta")

    def projected(self, theta: Any) -> Any:
        """The nearest parameters that satisfy the energy's equalities (symmetry, say)."""
        return theta

    # -- parameters as one vector -------------------------------------------------------------

    def ravel(self, theta: Any = None) -> Array:
        """The parameters (or a gradient of their shape) as one vector, leaf after leaf.

        `unravel` projects onto the energy's equalities, and a gradient is its own projection; so
        the ravelled gradient of L is the gradient of v -> L(unravel(v)), entry by entry.
        """
        leaves = [np.asarray(leaf).ravel() for leaf in (self.theta if theta is None else theta)]
        return np.concatenate(leaves) if leaves else np.zeros(0)

    def unravel(self, vector: ArrayLike) -> Any:
        """The same energy with parameters read from a vector.  ValueError for a wrong length."""
        v = validation.widen(vector, "vector")
        size = sum(np.size(leaf) for leaf in self.theta)
        if v.shape != (size,):
            raise ValueError(f"vector must have shape ({size},), but its shape is {v.shape}")
        leaves, start = [], 0
        for leaf in self.theta:
            leaves.append(v[start:start + leaf.size].reshape(leaf.shape))
            start += leaf.size
        return self.with_theta(self.projected(type(self.theta)(*leaves)))

    def _leaves(self, theta: Any) -> tuple:
        """The leaves of theta, as many as the energy has, or one sentence that names them."""
        fields = type(self.theta)._fields
        if not isinstance(theta, (tuple, list)) or len(theta) != len(fields):
            was = (f"{len(theta)} of them" if isinstance(theta, (tuple, list))
                   else f"of type {type(theta).__name__}")
            raise ValueError(f"theta must be a tuple of {', '.join(fields)}, but it is {was}")
        return tuple(theta)

    # -- as text and as a file ----------------------------------------------------------------

    def __repr__(self) -> str:
        """The constructor's call, with shapes in the place of arrays."""
        shown = [f"{name}: {value.shape}" if isinstance(value, np.ndarray) else f"{name}={value}"
                 for name, value in fields_of(self).items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters and constants to a file, which `refsm.load` reads."""
        saving.save(self, path)
