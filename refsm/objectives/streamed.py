"""An objective over data that come block by block: files, database pages, a queue of chunks.  No formula stands here.

An objective is a weighted sum over points, so the sum over blocks of the blocks' objectives is the whole, provided that every block weighs
its points as the whole does: 1/N for all N points, not 1/n for the n points of the block.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Iterator, Union

import numpy as np

from refsm import sums
from refsm.objectives.objective import Objective
from refsm.typing import Array

__all__ = ["StreamedObjective"]

Blocks = Union[Iterable[Objective], Callable[[], Iterable[Objective]]]


@dataclass(frozen=True, eq=False, repr=False)
class StreamedObjective:
    """sum over blocks of their value: `blocks` is a list of objectives, or a function that makes a new iterator of them.

    Only one block is held at a time; sums across blocks are pairwise.  It goes where an objective goes: `gradient_descent`, `minimize`.
    TypeError for an iterator, which a second evaluation would find empty; ValueError where there is no block.

    >>> from refsm import Gaussian, ImplicitScoreMatching
    >>> x = np.array([[3.0], [1.0], [2.0]])
    >>> halves = lambda: (ImplicitScoreMatching(part, weights=np.full(len(part), 1 / 3)) for part in (x[:2], x[2:]))
    >>> model = Gaussian([0.0], [[1.0]])
    >>> round(StreamedObjective(halves).value(model), 12) == round(ImplicitScoreMatching(x).value(model), 12)
    True
    """

    blocks: Blocks

    def __post_init__(self) -> None:
        if not callable(self.blocks) and (not hasattr(self.blocks, "__iter__") or iter(self.blocks) is self.blocks):
            raise TypeError("blocks must be a list of objectives or a function that makes an iterator of them, because each evaluation reads them anew, "
                            f"but it is a {type(self.blocks).__name__}")

    def _each(self) -> Iterator[Objective]:
        empty = True
        for block in self.blocks() if callable(self.blocks) else self.blocks:
            if not isinstance(block, (Objective, StreamedObjective)):
                raise TypeError(f"blocks must contain objectives, but one is a {type(block).__name__}")
            empty = False
            yield block
        if empty:
            raise ValueError("blocks must contain at least one objective, but there is none")

    def per_sample(self, model: Any) -> Array:
        """The terms of all blocks, one after the other."""
        return np.concatenate([block.per_sample(model) for block in self._each()])

    def value(self, model: Any) -> float:
        """The sum of the blocks' values."""
        total = sums.PairwiseSum()
        for block in self._each():
            total.add((block.value(model),))
        return total.total()[0]

    def gradient(self, model: Any) -> Any:
        """The sum of the blocks' gradients, of the type of `model.theta`."""
        return self.value_and_gradient(model)[1]

    def value_and_gradient(self, model: Any) -> tuple[float, Any]:
        """Both, from one pass over the blocks."""
        total = sums.PairwiseSum()
        for block in self._each():
            value, gradient = block.value_and_gradient(model)
            total.add((value, *gradient))
        value, *gradient = total.total()
        return value, type(model.theta)(*gradient)
