"""Names for types: an array, and what can be made into one."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Array", "ArrayLike", "Given"]

Array = np.ndarray[Any, Any]
Given = Any     # a field: the constructor takes what can be made into an array, and holds an Array
