"""The result of a run, complete or not: the last good model and the history that leads to it.

Nothing is computed here but the length of a gradient.

    Descent              the result, of `gradient_descent` and of `minimize`
    DescentError         ends a run at a value that is not finite or at refused parameters
    DescentInterrupted   ends a run at Ctrl-C: it is a KeyboardInterrupt, so that a loop over fits,
                         a notebook or a command stops too
    RunRecord            what a run writes down as it goes
    Progress             one line on stderr

Both exceptions carry a `Descent` in `.result`: what is done is kept.
"""
from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any, Callable, Generic, NamedTuple, TypeVar

import numpy as np

from refsm.energies.parameters import Parametric
from refsm.typing import Array

__all__ = ["Callback", "History", "Descent", "DescentError", "DescentInterrupted", "Ended",
           "RunRecord", "Progress", "checked_callback"]

Model = TypeVar("Model", bound=Parametric)
Callback = Callable[[int, Model, float, float], Any]      # k, model, value, gradient norm
EVERY = 0.2                                               # seconds between two lines of progress
QUIET = 0.5                                               # seconds before the first


class History(NamedTuple):
    """One entry per model on the way, the first and the last included; on batches, of the batch."""

    value: Array                # (k + 1,)
    gradient_norm: Array        # (k + 1,)


@dataclass(frozen=True, eq=False, repr=False)
class Descent(Generic[Model]):
    """The result of a descent: `model`, and the history that leads to it.

    `converged` says whether the gradient at `model` is as small as was asked for, `message` says
    in words why the run ended, and `interrupted` whether Ctrl-C ended it.  `velocity` is that of
    the last step, so that a descent can be continued.
    """

    model: Model
    history: History
    interrupted: bool = False
    converged: bool = False
    message: str = ""
    velocity: Any = None

    @property
    def steps(self) -> int:
        """The number of steps from the first model to this one."""
        return max(len(self.history.value) - 1, 0)

    @property
    def value(self) -> float:
        """The value at `model`, NaN where there is none yet; on batches, of the batch."""
        return float(self.history.value[-1]) if len(self.history.value) else np.nan

    @property
    def gradient_norm(self) -> float:
        """The length of the gradient at `model`, NaN where there is none yet."""
        return float(self.history.gradient_norm[-1]) if len(self.history.value) else np.nan

    def __repr__(self) -> str:
        verdict = "converged" if self.converged else "not converged"
        return (f"{type(self).__name__}({type(self.model).__name__}, {self.steps} steps, "
                f"value {self.value:.6g}, {verdict}: {self.message})")

    def plot(self, axes: Any = None) -> Any:
        """Value and gradient norm against steps, on Matplotlib axes (new ones for None).

        Returns the axes of the value; ImportError where Matplotlib is not installed.
        """
        if axes is None:
            from matplotlib import pyplot
            _, axes = pyplot.subplots()
        axes.plot(self.history.value, color="C0")
        axes.set(xlabel="step", ylabel="value", title=repr(self).split(":")[0] + ")")
        right = axes.twinx()
        right.semilogy(self.history.gradient_norm, color="C1")
        right.set_ylabel("gradient norm")
        axes.yaxis.label.set_color("C0")
        right.yaxis.label.set_color("C1")
        return axes


class _CarriesResult(BaseException):
    """An exception with a message and the `result` until then, which pickling keeps."""

    def __init__(self, message: str, result: Descent[Any]) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.result)


class DescentError(_CarriesResult, ArithmeticError):
    """A value or gradient is not finite, or the energy refuses the parameters.

    `result` is a `Descent` with the last good model.
    """


class DescentInterrupted(_CarriesResult, KeyboardInterrupt):
    """Ctrl-C during a descent.  `result` is a `Descent` with the last good model.

    >>> try:
    ...     raise DescentInterrupted("after 3 steps", Descent("a model", History([], []), True))
    ... except DescentInterrupted as stop:
    ...     stop.result.model
    'a model'
    """


class Ended(Exception):
    """Ends a run from within; its message is the reason in words."""


def checked_callback(callback: Any) -> Any:
    """A callback, or TypeError for an object that is not a function."""
    if callback is not None and not callable(callback):
        raise TypeError("callback must be a function of k, model, value and gradient norm, "
                        f"but it is of type {type(callback).__name__}")
    return callback


class RunRecord:
    """The last good model and the history that leads to it.

    `start` is a model, or the `Descent` that a run continues: its last model is then evaluated and
    entered anew.
    """

    def __init__(self, start: Any, callback: Callback[Any] | None) -> None:
        before = start.history if isinstance(start, Descent) else ((), ())
        self.entries = [(float(value), float(norm)) for value, norm in zip(*before)][:-1]
        self.model = start.model if isinstance(start, Descent) else start
        self.velocity = start.velocity if isinstance(start, Descent) else None
        self.first = self.length = len(self.entries)
        self.callback = checked_callback(callback)

    def add(self, model: Any, value: Any, gradient: Any, velocity: Any = None) -> None:
        """One more good model; then the user's callback, whose StopIteration ends the run."""
        entry = float(value), _length(gradient)
        del self.entries[self.length:]                           # of an entry cut short by Ctrl-C
        self.entries.append(entry)
        self.model, self.velocity, self.length = model, velocity, len(self.entries)
        if self.callback is not None:
            try:
                self.callback(self.length - 1, model, *entry)
            except StopIteration:
                raise Ended("the callback ended the run") from None

    @property
    def history(self) -> History:
        """The entries so far."""
        table = np.array(self.entries[:self.length], dtype=float).reshape(self.length, 2)
        return History(*table.T)

    def result(self, message: str, kind: Any = Descent, **facts: Any) -> Any:
        """The result at the last good model."""
        return kind(self.model, self.history, message=message, velocity=self.velocity, **facts)

    def error(self, what: str) -> DescentError:
        """The error that carries the result."""
        result = self.result(what)
        return DescentError(f"{what}; the last good model, after {_steps(result)}, is in .result",
                            result)

    def interruption(self, kind: Any = Descent) -> DescentInterrupted:
        """The interruption that carries the result."""
        result = self.result("interrupted", kind, interrupted=True)
        return DescentInterrupted(f"interrupted after {_steps(result)}; "
                                  "the last good model is in .result", result)


def _steps(result: Descent[Any]) -> str:
    return f"{result.steps} step{'s' * (result.steps != 1)}"


def _length(gradient: Any) -> float:
    """|g| over all blocks, without overflow or underflow."""
    lengths = [np.hypot.reduce(np.asarray(block, dtype=float), axis=None) for block in gradient]
    return float(np.hypot.reduce(lengths, initial=0.0))


class Progress:
    """One line on stderr that is written again and again; nothing for a short run or unless `on`.

    `steps` is how many there will be, None where that is not known; `first` of them were done by an
    earlier run.  `on` None: on a terminal.
    """

    def __init__(self, steps: int | None, on: bool | None = None, first: int = 0) -> None:
        self.steps, self.first = steps, first
        self.on = sys.stderr.isatty() if on is None else bool(on)
        self.start, self.shown = time.monotonic(), False
        self.next = self.start + QUIET

    def show(self, k: int, value: float, note: str = "") -> None:
        """`k` steps are done, and this is the value."""
        now = time.monotonic()
        if self.on and now >= self.next:
            self.next, self.shown = now + EVERY, True
            of = "" if self.steps is None else f" of {self.steps}"
            if self.steps is not None:
                each = (now - self.start) / (k - self.first + 1)
                note = f"{each * (self.steps - k):.0f} s left"
            sys.stderr.write(f"\rstep {k}{of}, value {float(value):.6g}, {note} \033[K")
            sys.stderr.flush()

    def close(self) -> None:
        """Clear the line."""
        if self.shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
