"""Ask an implementation for its answer to one case, and say in one line what is wrong with an
answer that cannot be used.

An implementation is a function of a case.  It returns one of

    a number                                  the value of the loss
    an array (n,)                             one loss per point; the value is their mean
    {"value": ..., "per_sample": ..., "gradient": {"W": ...}}
                                              at least one of the first two; blocks may be left out
    an `Answer`

in NumPy, torch, JAX or anything else that turns into a NumPy array (`answer` has the rules).

Hygiene, before any number is looked at: does it raise, hang, return something else, NaN or a
complex number, modify its inputs, answer differently twice?  Each is an `AdapterError`: one line
and an exit status, 2 where the adapter is at fault and 3 where it draws its own randomness, so that
no single answer says anything.

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
import functools
import importlib
import os
import sys
import threading
from typing import Any, Callable, Iterator

import numpy as np

from refsm import validation
from refsm.verify.adapters.answer import described, plain, same
from refsm.verify.adapters.failures import AdapterError, cause, staying
from refsm.verify.cases.case import Answer, Case

__all__ = ["ask", "load", "load_network", "AdapterError", "TIME_LIMIT"]

TIME_LIMIT = 60.0        # seconds per call

Implementation = Callable[[Case], Any]


class _TimeIsUp(BaseException):
    """Raised inside a call that takes too long."""


def ask(implementation: Implementation, case: Case, time_limit: float = TIME_LIMIT,
        repeats: bool = True) -> Answer:
    """The implementation's answer to a case.  AdapterError, in one line, if there is none.

    The implementation gets a copy of the case whose arrays may be written to, and is called twice
    (once where `repeats` is False).  `time_limit` is in seconds per call.  KeyboardInterrupt
    passes.

    >>> from refsm.verify.cases import cases
    >>> ask(lambda case: case.x.sum(axis=1), cases("esm", "paper")[0]).value
    1.0
    """
    first = _one_answer(implementation, case, time_limit)
    return same(first, _one_answer(implementation, case, time_limit)) if repeats else first


def load(name: str, what: str = "the implementation") -> Implementation:
    """The function that "package.module:function" names; modules in the current folder are found
    too.  `what` it is, for a sentence.

    AdapterError, in one line, where there is no such module or function or the module cannot be
    imported.
    """
    module_name, colon, path = name.partition(":")
    if not (colon and path) or not all(map(str.isidentifier, module_name.split("."))):
        raise AdapterError(f"{what} must be given as package.module:function, but it is {name!r}")
    target: Any = module(module_name)
    for part in path.split("."):
        if not hasattr(target, part):
            own = [key for key, value in vars(target).items() if callable(value)
                   and not key.startswith("_")
                   and getattr(value, "__module__", None) == module_name]
            raise AdapterError(f"{module_name} has no {part}; it defines "
                               f"{', '.join(own[:12]) or 'no functions'}")
        target = getattr(target, part)
    if not callable(target):
        raise AdapterError(f"{name} must be a function of a case, but it is {described(target)}")
    return target


def load_network(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The network that "package.module:function" names, and the function `parameters` of its
    module.  What they raise is an AdapterError, in one line."""
    def guarded(name: str) -> Callable[..., Any]:
        function = load(name, "the network")

        @functools.wraps(function)
        def called(*args: Any) -> Any:
            try:
                return function(*args)
            except Exception as error:
                raise AdapterError(f"{name} raised {cause(error)}") from None

        return called

    return guarded(name), guarded(f"{name.partition(':')[0]}:parameters")


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
    before: dict[str, Any] = {**case.all_arrays, **case.hyper}
    now: dict[str, Any] = {**given.all_arrays, **given.hyper}
    for name, a in before.items():
        if not np.array_equal(a, now.get(name, ())):
            raise AdapterError(f"the implementation modified its input {name}")


def within(time_limit: float, call: Callable[[], Any]) -> Any:
    """The result of a call; AdapterError if it raises or takes longer."""
    time_limit = validation.positive(time_limit, "time_limit")
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
        thread.join(min(time_limit, threading.TIMEOUT_MAX))
    if thread.is_alive():
        ident = ctypes.c_ulong(thread.ident)                         # type: ignore[arg-type]
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_TimeIsUp))
        raise AdapterError(f"the implementation did not return within {time_limit:g} s")
    if errors:
        if isinstance(errors[0], AdapterError):
            raise errors[0]
        raise AdapterError(f"the implementation raised {cause(errors[0])}") from errors[0]
    return results[0]
