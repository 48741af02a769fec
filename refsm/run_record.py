"""What a run leaves behind, however it ends: the last good model, the history that leads to it, and a line of progress.

Nothing is computed here but the length of a gradient.
"""
from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple

import numpy as np

from refsm.typing import Array

__all__ = ["Callback", "History", "Descent", "DescentError", "RunRecord", "Progress"]

Callback = Callable[[int, Any, float, float], Any]        # k, model, value, gradient norm
EVERY = 0.2                                               # seconds between two lines of progress


class History(NamedTuple):
    """One entry for each model on the way, the first and the last included; on batches, of the batch whose turn it was."""

    value: Array                # (k + 1,)
    gradient_norm: Array        # (k + 1,)


@dataclass(frozen=True, eq=False)
class Descent:
    """Where a descent got: `model`, and the history that leads to it; `history.value[-1]` is the value at `model`."""

    model: Any
    history: History
    interrupted: bool = False

    @property
    def steps(self) -> int:
        """How many steps lead from the first model to this one."""
        return max(len(self.history.value) - 1, 0)


class DescentError(ArithmeticError):
    """A value or gradient is not finite, or the energy refuses the parameters.  `result` is a `Descent` with the last good model."""

    def __init__(self, message: str, result: Descent) -> None:
        super().__init__(message)
        self.result = result


class RunRecord:
    """The last good model and the history that leads to it: what is left when a run ends early."""

    def __init__(self, model: Any, callback: Callback | None) -> None:
        self.entries: list[tuple[float, float]] = []
        self.model, self.length, self.callback = model, 0, callback

    def add(self, model: Any, value: Any, gradient: Any) -> None:
        """One more good model; then the user's callback."""
        entry = float(value), _length(gradient)
        self.entries.append(entry)
        self.model, self.length = model, len(self.entries)       # at once, so that Ctrl-C finds them together
        if self.callback is not None:
            self.callback(self.length - 1, model, *entry)

    @property
    def history(self) -> History:
        return History(*np.array(self.entries[:self.length], dtype=float).reshape(self.length, 2).T)

    def error(self, what: str) -> DescentError:
        result = Descent(self.model, self.history)
        return DescentError(f"{what}; the last good model, after {result.steps} steps, is in .result", result)


def _length(gradient: Any) -> float:
    """|g| over all blocks, without overflow or underflow."""
    return float(np.hypot.reduce([np.hypot.reduce(np.asarray(block, dtype=float), axis=None) for block in gradient]))


class Progress:
    """One line on stderr that is written again and again, now and then; nothing unless `on`."""

    def __init__(self, steps: int, on: bool) -> None:
        self.steps, self.on = steps, on
        self.start = self.next = time.monotonic()

    def show(self, k: int, value: float) -> None:
        now = time.monotonic()
        if self.on and now >= self.next:
            self.next = now + EVERY
            left = (now - self.start) * (self.steps - k) / (k + 1)
            sys.stderr.write(f"\rstep {k} of {self.steps}, value {float(value):.6g}, {left:.0f} s left \033[K")
            sys.stderr.flush()

    def close(self) -> None:
        if self.on:
            sys.stderr.write("\n")
