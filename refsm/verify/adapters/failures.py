"""What goes wrong in somebody else's code, in one line that a terminal can show: the exception and
the place it comes from; the process goes on."""
from __future__ import annotations

import contextlib
import importlib
import linecache
import os
from types import TracebackType
from typing import Iterator, NoReturn

__all__ = ["AdapterError", "cause", "short", "staying"]

LONGEST = 300            # characters of somebody else's message


class AdapterError(ValueError):
    """What is wrong with an implementation, in one line; `status` is 2 (it is broken) or 3 (nothing
    can be said)."""

    def __init__(self, reason: str, status: int = 2) -> None:
        super().__init__(_printable(reason))
        self.status = status


@contextlib.contextmanager
def staying() -> Iterator[None]:
    """Meanwhile `os._exit` raises in this process; in one that was forked from it, it ends that
    one, as it should."""
    leave, ours = os._exit, os.getpid()

    def refuse(status: int) -> NoReturn:
        if os.getpid() != ours:
            leave(status)
        raise AdapterError(f"the implementation called os._exit({status}), which would end the "
                           "process without a verdict")

    os._exit = refuse
    try:
        yield
    finally:
        os._exit = leave


def cause(error: BaseException) -> str:
    """The exception and the line of the implementation's own file that it comes from, in one
    line."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "an exception whose text cannot be made"
    said = short(type(error).__name__) + (f": {short(text)}" if text else "")
    trace = error.__traceback__
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    if trace is None:
        return said
    own, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
    while (trace := trace.tb_next) is not None:
        if trace.tb_frame.f_code.co_filename == own:
            line = trace.tb_lineno
    source = linecache.getline(own, line).strip()
    return f"{said}, at {os.path.basename(own)}:{line}" + (f": {source}" if source else "")


def short(text: str, longest: int = LONGEST) -> str:
    """The beginning of somebody else's text."""
    return text if len(text) <= longest else text[:longest] + " ..."


def _printable(text: str) -> str:
    """The text with its control characters written out: somebody else's words must not drive a
    terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _is_ours(trace: TracebackType) -> bool:
    file = trace.tb_frame.f_code.co_filename
    ours = file.startswith(os.path.dirname(os.path.dirname(__file__)))
    return ours or file == importlib.__file__ or "importlib._bootstrap" in file
