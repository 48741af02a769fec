"""Ask an implementation for its answer to one case, and say in one line what is wrong with an
answer that cannot be used.

An implementation is a function of a case.  It returns one of

    a number                                  the value of the loss
    an array (n,)                             one loss per point; the value is their mean
    {"value": ..., "per_sample": ..., "gradient": {"W": ...}}
                                              at least one of the first two; blocks may be left out
    an `Answer`

in NumPy, torch, JAX or anything else that turns into a NumPy array: nothing is imported to find
out.  Tensors are detached, brought to the CPU, and widened (bfloat16 too).  A gradient block that
is None is taken as zero, which is what torch means by it.

Hygiene, before any number is looked at: does it raise, hang, return something else, NaN or a
complex number, modify its inputs, answer differently twice?  Each is a `Broken`: one line and an
exit status, 2 where the adapter is at fault and 3 where it draws its own randomness, so that no
single answer says anything.

The time limit.  The call runs in a daemon thread and is waited for.  This works in any thread, on
any system and inside a notebook or pytest, which an alarm signal does not; but Python cannot end a
thread.  A call that hangs in Python code is stopped by an exception raised inside it; one that
hangs in compiled code is left behind and ends with the process, and if that code holds the
interpreter's lock, nothing in this process can notice.  For such code run a program (`refsm verify
--cmd`).

The end of the process.  `sys.exit` is an exception as any other, and `os._exit` is refused while an
implementation runs.  Compiled code that calls C's `exit` ends this process before there is a
verdict, with a status of its own choice: exit status 0 and nothing printed is no PASS.  For such
code, too, run a program.
"""
from __future__ import annotations

import contextlib
import contextvars
import ctypes
import dataclasses
import importlib
import os
import sys
import threading
from dataclasses import dataclass
from numbers import Number
from typing import Any, Callable, Iterator, Mapping

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Answer, Case
from refsm.verify.adapters.failures import AdapterError, cause, staying

__all__ = ["ask", "load", "Broken", "AdapterError", "TIME_LIMIT"]

TIME_LIMIT = 60.0        # seconds a call
REPEATS_TO = 1e-4        # relative: two equal calls may differ by this; sums on a GPU do, by less

Implementation = Callable[[Case], Any]
KEYS = ("value", "per_sample", "gradient")
NARROW = ("bfloat16", "float16", "float32")      # the least precise first; all else is float64
FORMS = "a number, an array of one number a point, or a dict with value, per_sample and gradient"


class _TimeIsUp(BaseException):
    """Raised inside a call that takes too long."""


@dataclass(frozen=True)
class Broken:
    """An answer that cannot be used: of which case, why, and the exit status that it means."""

    case: str
    reason: str
    status: int

    def __str__(self) -> str:
        return f"{self.case}: {self.reason}"


def ask(implementation: Implementation, case: Case, time_limit: float = TIME_LIMIT,
        repeats: bool = True) -> Answer | Broken:
    """The implementation's answer to a case, or why there is none.

    The implementation gets a copy of the case whose arrays may be written to, and is called twice
    (once where `repeats` is False, for one that draws its own noise).  `time_limit` is in seconds a
    call.  KeyboardInterrupt passes; nothing else does.

    >>> from refsm.verify.cases import cases
    >>> case = cases("esm", "paper")[0]
    >>> ask(lambda case: case.x.sum(axis=1), case).value
    1.0
    >>> print(ask(lambda case: "1.0", case).reason.partition(";")[0])
    the implementation returned a string
    """
    try:
        first = _one_answer(implementation, case, time_limit)
        if repeats:
            first = _same(first, _one_answer(implementation, case, time_limit))
    except AdapterError as error:
        return Broken(case.id, str(error), error.status)
    return first


def load(name: str) -> Implementation:
    """The function that "package.module:function" names; modules in the current folder are found
    too.

    AdapterError, in one line, where there is no such module or function or the module cannot be
    imported.
    """
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise AdapterError("the implementation must be given as package.module:function, "
                           f"but it is {name!r}")
    target: Any = module(module_name)
    for part in path.split("."):
        if not hasattr(target, part):
            own = [key for key, value in vars(target).items() if callable(value)
                   and getattr(value, "__module__", None) == module_name]
            raise AdapterError(f"{module_name} has no {part}; it defines "
                               f"{', '.join(own[:12]) or 'no functions'}")
        target = getattr(target, part)
    if not callable(target):
        raise AdapterError(f"{name} must be a function of a case, but it is {_a(target)}")
    return target


def module(name: str) -> Any:
    """The module of that name, looked for in the current folder first.  AdapterError, in one line,
    where it cannot be imported."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        with staying():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise AdapterError(f"there is no module {name}, neither in the folder {os.getcwd()} "
                               "nor where Python looks") from None
        raise AdapterError(f"importing {name} raised {cause(error)}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise AdapterError(f"importing {name} raised {cause(error)}") from None


# -- one call -------------------------------------------------------------------------------------


def _one_answer(implementation: Implementation, case: Case, time_limit: float) -> Answer:
    with lent(case) as given:
        return plain(within(time_limit, lambda: implementation(given)), case)


@contextlib.contextmanager
def lent(case: Case) -> Iterator[Case]:
    """A copy of the case whose arrays may be written to.  AdapterError if they were."""
    given = dataclasses.replace(case)
    for a in given.all_arrays.values():
        a.flags.writeable = True
    yield given
    for name, a in case.all_arrays.items():
        if not np.array_equal(a, given.all_arrays.get(name)):   # type: ignore[arg-type]
            raise AdapterError(f"the implementation modified its input {name}")


def within(time_limit: float, call: Callable[[], Any]) -> Any:
    """The result of a call; AdapterError if it raises or takes longer."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    with staying():
        thread.start()
        thread.join(time_limit)
    if thread.is_alive():
        ident = ctypes.c_ulong(thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_TimeIsUp))
        raise AdapterError(f"the implementation did not return within {time_limit:g} s")
    if errors:
        if isinstance(errors[0], AdapterError):
            raise errors[0]
        raise AdapterError(f"the implementation raised {cause(errors[0])}") from errors[0]
    return results[0]


# -- one answer -----------------------------------------------------------------------------------


def plain(returned: Any, case: Case) -> Answer:
    """What an implementation returned, as an `Answer` of float64 arrays.  AdapterError, in one
    line, if it is none.

    >>> from refsm.verify.cases import cases
    >>> plain({"value": np.float32(0.5)}, cases("esm", "paper")[0]).dtype
    'float32'
    """
    if isinstance(returned, Answer):
        returned = {key: getattr(returned, key) for key in KEYS}
    if not isinstance(returned, Mapping):
        shape = _numbers(returned, "", FORMS)[0].shape
        if shape not in ((), (case.n,)):
            raise AdapterError(f"the implementation returned an array of shape {shape}; it must "
                               f"return {FORMS} (here the points are {case.n})")
        returned = {"value": returned} if shape == () else {"per_sample": returned}
    unknown = [key for key in returned if key not in KEYS]
    if unknown:
        raise AdapterError(f"the implementation returned a dict with {unknown[0]!r}; "
                           f"its keys must be {', '.join(KEYS)}")
    value, per_sample, gradient = (returned.get(key) for key in KEYS)
    if value is None and per_sample is None:
        raise AdapterError("the implementation returned a dict without value and without "
                           "per_sample; it must have one of them")
    kinds = ["float64"]
    if per_sample is not None:
        per_sample = _checked(per_sample, "per_sample", (case.n,), kinds)
    value = per_sample.mean() if value is None else _checked(value, "value", (), kinds)
    notes: list[str] = []
    if gradient is not None:
        gradient = _gradient(gradient, case, kinds, notes)
    narrowest = min(kinds, key=[*NARROW, "float64"].index)
    return Answer(float(value), per_sample, gradient, narrowest, tuple(notes))


def _gradient(gradient: Any, case: Case, kinds: list[str], notes: list[str]) -> dict[str, Array]:
    """The blocks of a gradient, which are named and shaped as the parameters."""
    gradient = gradient._asdict() if hasattr(gradient, "_asdict") else gradient
    if not isinstance(gradient, Mapping):
        raise AdapterError(f"gradient must be a dict of arrays by block, but it is {_a(gradient)}")
    blocks: dict[str, Array] = {}
    for name, block in gradient.items():
        if name not in case.theta:
            raise AdapterError(f"gradient has a block {name!r}; the parameters of this case are "
                               f"{', '.join(case.theta) or 'none'}")
        if block is None:
            notes.append(f"gradient[{name!r}] is None, taken as zero")
            blocks[name] = np.zeros(case.theta[name].shape)
        else:
            blocks[name] = _checked(block, f"gradient[{name!r}]", case.theta[name].shape, kinds)
    return blocks


def _checked(value: Any, name: str, shape: tuple[int, ...], kinds: list[str]) -> Array:
    """A finite float64 array of that shape; its own type is added to `kinds`."""
    a, kind = _numbers(value, name, "a number" if shape == () else f"an array of shape {shape}")
    if a.shape != shape:
        raise AdapterError(f"{name} must have shape {shape}, but its shape is {a.shape}")
    if a.dtype.kind == "c":
        raise AdapterError(f"{name} must be real, but it is complex ({a.dtype})")
    kinds.append(kind if kind in NARROW else "float64")
    wide = a.astype(np.float64)
    if not np.isfinite(wide).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(wide))[0])
        at = f" at {where}" if where else ""
        raise AdapterError(f"{name} must be finite, but it has {wide[where]}{at}")
    return wide


def _numbers(value: Any, name: str, wanted: str) -> tuple[Array, str]:
    """Any framework's numbers as a NumPy array, and the name of their type, which NumPy may not
    have."""
    what = f"{name} is" if name else "the implementation returned"
    must = f"{'it must be' if name else 'it must return'} {wanted}"
    if value is None or isinstance(value, (str, bytes, bool, Mapping)):
        raise AdapterError(f"{what} {_a(value)}; {must}")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise AdapterError(f"{what} masked: a masked entry is no number; {must}")
    try:
        if hasattr(value, "detach"):                    # torch: off the graph and off the device
            kind = str(value.dtype).rpartition(".")[2]       # "torch.bfloat16"
            value = value.detach().cpu()
            a = np.asarray((value.float() if kind == "bfloat16" else value).numpy())
        else:
            a = np.asarray(value)
            kind = a.dtype.name
            if a.dtype == object:                            # fractions, decimals
                a = np.array([float(entry) for entry in a.ravel()]).reshape(a.shape)
    except Exception as error:
        raise AdapterError(f"{what} {_a(value)} that is no array of numbers "
                           f"({type(error).__name__}); {must}") from None
    if a.dtype.kind not in "iufc" and kind != "bfloat16":    # JAX's bfloat16 has a kind of its own
        raise AdapterError(f"{what} {_a(value)} of dtype {a.dtype}; {must}")
    return a, kind


def _same(first: Answer, second: Answer) -> Answer:
    """The first of two answers to the same question, with their gap; AdapterError where it is
    more than that of parallel hardware."""
    pairs = [("value", np.asarray(first.value), np.asarray(second.value))]
    if first.per_sample is not None and second.per_sample is not None:
        pairs.append(("per_sample", first.per_sample, second.per_sample))
    if first.gradient is not None and second.gradient is not None:
        pairs += [(f"gradient[{name!r}]", a, second.gradient[name])
                  for name, a in first.gradient.items() if name in second.gradient]
    for name, a, b in pairs:
        gap = np.abs(a - b).max()
        if gap > REPEATS_TO * np.abs(a).max():
            raise AdapterError(f"two equal calls gave {name} {a.flat[0]:.6g} and {b.flat[0]:.6g}: "
                               "does it draw its own noise? Use the noise in the case, hand it "
                               "over with the template's shim, or verify it with --own-noise", 3)
    return dataclasses.replace(first, repeat_gap=abs(first.value - second.value))


def _a(value: Any) -> str:
    """What a value is, for a sentence."""
    if value is None:
        return "None"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, (bool, Number)):
        return f"the {type(value).__name__} {value}"
    return f"an object of type {type(value).__name__}"
