"""Names for types: an array, what can be made into one, and a map."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Array", "ArrayLike", "Given", "Map"]

Array = np.ndarray[Any, Any]
Given = Any     # a field: the constructor takes what can be made into an array, and holds an Array
Map = Callable[..., Iterable[Any]]                 # with the meaning of the built-in map
