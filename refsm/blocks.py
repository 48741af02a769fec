"""The blocks of an objective, evaluated through a `map` that the caller may give.  No formula here.

Any function with the meaning of the built-in `map` can be given: the `map` of a pool of threads or
of processes, or a few lines around joblib or Dask.  It may evaluate the blocks in any order and
read ahead.  The results are read in the order of the blocks and added in this order, so that the
numbers are the same bits for every map.

A block is an objective and a slice of its rows.  A thread selects the rows where they are; another
process receives the rows alone.  The map is given a list of blocks at a time, a task: handing one
over wakes two threads, which takes longer than a light block is worth.  Not more than 2 TASKS tasks
are in flight, so that memory is flat in the number of points whatever the map.
"""
from __future__ import annotations

import builtins
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from refsm.rows import release_pages
from refsm.sums import drop_broadcast_axes
from refsm.typing import Array, Map

__all__ = ["Block", "mapped", "results_in_order", "LIGHT", "TASKS"]

TASKS = 8                # that a map is given at once: several for each core of a machine
LIGHT = 2 ** 16          # numbers in the points of a task of more than one block: 512 KB


class Block:
    """An objective on a slice of its rows, which are not read yet."""

    def __init__(self, J: Any, rows: slice) -> None:
        self.J, self.rows = J, rows

    @property
    def size(self) -> int:
        """How many numbers its points have."""
        return len(range(*self.rows.indices(self.J.points.shape[0]))) * self.J.points.shape[1]

    def part(self) -> Any:
        """The objective on these rows."""
        return self.J.take(self.rows)

    def release(self) -> None:
        """Release the pages of the memory maps that the objective reads."""
        for name in self.J.per_point:
            release_pages(getattr(self.J, name))

    def __reduce__(self) -> tuple:
        """Pickle as the rows of the block; an array is not sent along axes of equal numbers."""
        part = self.part()
        arrays = {name: getattr(part, name) for name in part.per_point}
        others = {name: value for name, value in vars(part).items() if name not in arrays}
        sent = {name: (drop_broadcast_axes(a), a.shape) for name, a in arrays.items()}
        return _received, (type(part), others, sent)


def _received(kind: type, others: dict[str, Any], sent: dict[str, tuple[Array, Any]]) -> Block:
    """The block in another process: its arrays were checked before they were sent."""
    part: Any = object.__new__(kind)
    for name, value in others.items():
        object.__setattr__(part, name, value)
    for name, (a, shape) in sent.items():
        object.__setattr__(part, name, np.broadcast_to(a, shape))
    return Block(part, slice(None))


class _Task:
    """ask(part, model) of each of some blocks, with the caller's treatment of floating-point
    errors."""

    def __init__(self, ask: Callable[[Any, Any], Any], model: Any) -> None:
        self.ask, self.model, self.errors = ask, model, np.geterr()

    def __call__(self, blocks: list[Block]) -> list[Any]:
        with np.errstate(**self.errors):                     # each thread has settings of its own
            return [self.ask(block.part(), self.model) for block in blocks]


def results_in_order(ask: Callable[[Any, Any], Any], model: Any, blocks: Iterable[Block],
                     map: Map) -> Iterator[Any]:
    """ask(part, model) for each block, in the order of the blocks, computed by `map`.

    One group of tasks is given to the map before the results of the last one are read, so that
    executors always have work.
    """
    if not callable(map):
        raise TypeError("map must be a function with the meaning of the built-in map, "
                        f"but it is of type {type(map).__name__}")
    if map is builtins.map:                                  # one block at a time
        for block in blocks:
            yield ask(block.part(), model)
            block.release()
        return
    task = _Task(ask, model)
    last: Iterator[Any] = iter(())
    for tasks in _tasks(iter(blocks)):
        results = map(task, tasks)
        yield from last
        last = _of_each_block(tasks, results)
    yield from last


def _tasks(blocks: Iterator[Block]) -> Iterator[list[list[Block]]]:
    """Groups of up to TASKS tasks, whose numbers of blocks are equal to within one."""
    for first in blocks:
        most = max(LIGHT // first.size, 1)
        group = [first, *itertools.islice(blocks, TASKS * most - 1)]
        count = min(TASKS, len(group))
        yield [group[len(group) * k // count:len(group) * (k + 1) // count] for k in range(count)]


def _of_each_block(tasks: list[list[Block]], results: Iterable[list[Any]]) -> Iterator[Any]:
    """The result of each block, whose pages are released then; ValueError where the map has not
    given one for each task."""
    missing: Any = object()
    for task, of_task in itertools.zip_longest(tasks, results, fillvalue=missing):
        if task is missing or of_task is missing:
            raise ValueError(f"map must give one result for each of {len(tasks)} tasks, "
                             f"but it gave {'more' if task is missing else 'fewer'}")
        for block, result in zip(task, of_task):
            yield result
            block.release()


def mapped(J: Any, map: Map) -> Any:
    """J, always given this map; J itself for the built-in one, which it has anyway."""
    return J if map is builtins.map else _Mapped(J, map)


class _Mapped:
    """An objective, or what can be used wherever one can, that is always given this map."""

    def __init__(self, J: Any, map: Map) -> None:
        self._J, self._map = J, map

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._J, name)
        if name in ("value", "per_sample", "gradient", "value_and_gradient"):
            return functools.partial(value, map=self._map)
        if name == "take":
            return lambda rows: mapped(value(rows), self._map)
        return value
