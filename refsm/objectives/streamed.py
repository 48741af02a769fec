"""An objective over data that come in parts: files, pages of a database.  No formula stands here.

An objective is a weighted sum over points, so the sum of the objectives of the parts is the whole,
provided that every part weighs its points as the whole does: 1/N for all N points, not 1/n for the
n points of the part.
"""
from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from refsm.blocks import Block
from refsm.objectives.objective import LocalLoss, Objective, _rows
from refsm.typing import Array, ArrayLike

__all__ = ["StreamedObjective"]

Parts = Union[Iterable[Objective], Callable[[], Iterable[Objective]]]


@dataclass(frozen=True, eq=False, repr=False)
class StreamedObjective(Objective):
    """The sum of objectives: `parts` is a list of them, or a function that makes an iterator.

    A value and a gradient hold one part at a time; with a `map`, the parts of the blocks in
    flight.  `points`, `weights` and `directions` are those of all parts, one after the other, made
    when they are asked for.  TypeError for an iterator, which a second evaluation would find empty;
    ValueError where there is no part.

    >>> from refsm import Gaussian, ImplicitScoreMatching
    >>> x = np.array([[3.0], [1.0], [2.0]])
    >>> J = StreamedObjective(lambda: (ImplicitScoreMatching(part, weights=np.full(len(part), 1/3))
    ...                                for part in (x[:2], x[2:])))
    >>> model = Gaussian([0.0], [[1.0]])
    >>> round(J.value(model), 12) == round(ImplicitScoreMatching(x).value(model), 12)
    True
    """

    parts: Parts

    def __post_init__(self) -> None:
        parts = self.parts
        again = callable(parts) or (hasattr(parts, "__iter__") and iter(parts) is not parts)
        if not again:
            raise TypeError("parts must be a list of objectives or a function that makes an "
                            "iterator of them, because each evaluation reads them anew, "
                            f"but it is of type {type(parts).__name__}")

    def each(self) -> Iterator[Objective]:
        """The parts, one after the other."""
        part = None
        for part in self.parts() if callable(self.parts) else self.parts:
            if not isinstance(part, Objective):
                raise TypeError("parts must contain objectives, "
                                f"but one is of type {type(part).__name__}")
            yield part
        if part is None:
            raise ValueError("parts must contain at least one objective, but there is none")

    def blocks(self, model: Any) -> Iterator[Block]:
        """The blocks of each part."""
        for part in self.each():
            yield from part.blocks(model)

    def check_model(self, model: Any) -> None:
        """TypeError or ValueError, in one sentence, for a model that a part cannot take."""
        for part in self.each():
            part.check_model(model)

    # -- the parts as one objective, in memory -------------------------------------------------

    @property
    def reads(self) -> tuple[str, ...]:    # type: ignore[override]
        """What the first part reads."""
        return next(self.each()).reads

    @property
    def per_point(self) -> tuple[str, ...]:    # type: ignore[override]
        """The fields of all parts that have one row per point."""
        with_directions = "directions" in next(self.each()).per_point
        return ("points", "directions", "weights") if with_directions else ("points", "weights")

    def _concatenated(self, name: str) -> Array:
        whole = np.concatenate([getattr(part, name) for part in self.each()])
        whole.flags.writeable = False
        return whole

    @property
    def points(self) -> Array:
        """The points of all parts, (n, d)."""
        return self._concatenated("points")

    @property
    def weights(self) -> Array:            # type: ignore[override]
        """The weights of all parts, (n,)."""
        return self._concatenated("weights")

    @property
    def directions(self) -> Array:         # type: ignore[override]
        """The directions of all parts, (n, M, d)."""
        return self._concatenated("directions")

    def take(self, rows: slice | ArrayLike) -> StreamedObjective:
        """The same objective on some of its points, in the order of `rows`.

        Each run of rows that lie in one part becomes a part of the result.
        """
        sizes = [len(part.points) for part in self.each()]
        index = np.arange(sum(sizes))[_rows(rows, sum(sizes))]
        ends = np.cumsum(sizes)
        home = np.searchsorted(ends, index, side="right")       # the part of each row
        starts = np.flatnonzero(np.diff(home, prepend=-1)).tolist()    # where a run of rows begins
        runs: list[list[tuple[int, Array]]] = [[] for _ in sizes]
        for start, run in zip(starts, np.split(index, starts[1:])):
            runs[home[start]].append((start, run))
        taken: dict[int, Objective] = {}
        for k, part in enumerate(self.each()):
            first = ends[k] - sizes[k]
            taken |= {start: part.take(run - first) for start, run in runs[k]}
        return StreamedObjective([taken[start] for start in starts])

    def local_loss(self, **local: Array) -> LocalLoss:
        """Terms and cotangents of each part from its own rows."""
        terms, cotangents, start = [], [], 0
        for part in self.each():
            rows = slice(start, start + len(part.points))
            start = rows.stop
            term, cotangent = part.take(slice(None)).local_loss(
                **{name: value[rows] for name, value in local.items()})
            terms.append(term)
            cotangents.append(cotangent)
        return np.concatenate(terms), {name: np.concatenate([one[name] for one in cotangents])
                                       for name in self.reads}

    def forward(self, model: Any) -> Any:
        """The terms of all parts, and the function that adds their pullbacks."""
        terms, backwards = zip(*(part.forward(model) for part in self.each()))

        def backward() -> tuple:
            gradients = zip(*(pull() for pull in backwards))
            return tuple(functools.reduce(operator.add, leaves) for leaves in gradients)

        return np.concatenate(terms), backward

    def __repr__(self) -> str:
        sizes = [part.points.shape for part in self.each()]
        return (f"StreamedObjective(parts={len(sizes)}, n={sum(n for n, _ in sizes)}, "
                f"d={sizes[0][1]})")
