"""Names for types: an array, what can be made into one, a map, and a model with parameters."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Array", "ArrayLike", "Given", "HasTheta", "Map", "Theta"]

Array = np.ndarray[Any, Any]
Given = Any     # a field: the constructor takes what can be made into an array, and holds an Array
Map = Callable[..., Iterable[Any]]                 # with the meaning of the built-in map
Theta = TypeVar("Theta", covariant=True)


class HasTheta(Protocol[Theta]):
    """A model whose parameters, and so its gradients, are of one type."""

    @property
    def theta(self) -> Theta:
        """The learnable arrays."""
