"""What the tagged lines of a room compute in its worked example, the first time that they run."""
from __future__ import annotations

import textwrap
from functools import lru_cache
from typing import Any, Callable

import numpy as np

from refsm.study.examples import EXAMPLES
from refsm.study.heads import ROOT, Room
from refsm.study.recorder import Recorder, Tag, arrays_of, holds
from refsm.zero import ZERO

__all__ = ["record", "text_of"]


def record(room: Room) -> tuple[dict[int, tuple[Tag, Any]], str]:
    """{line: (its tag, the first value that it computed)}, and what went wrong, if anything."""
    if room.name not in EXAMPLES:
        return {}, "no worked example"
    found, wrong = _recorded(EXAMPLES[room.name])
    return found.get(str(ROOT / f"{room.name}.py"), {}), wrong


@lru_cache(maxsize=None)
def _recorded(run: Callable[[], Any]) -> tuple[dict[str, dict[int, tuple[Tag, Any]]], str]:
    """What an example has computed, in all rooms that it is the example of."""
    paths = [ROOT / f"{name}.py" for name, of in EXAMPLES.items() if of is run]
    found: dict[str, dict[int, tuple[Tag, Any]]] = {str(path): {} for path in paths}

    def keep(path: str, tag: Tag, value: Any) -> None:
        if tag.line not in found[path] and value is not None and not holds(value, ZERO):
            found[path][tag.line] = tag, _copied(value)

    try:
        with np.errstate(all="ignore"), Recorder(paths, keep, every=True):
            run()
    except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError) as error:
        return found, f"{type(error).__name__}: {error}"
    return found, ""


def _copied(value: Any) -> list[Any]:
    """The arrays of a value, as they are now: some are changed in place later.

    A value without arrays is an object: its repr, abridged.
    """
    arrays = arrays_of(value)
    return [np.array(one) for one in arrays] if arrays else [textwrap.shorten(repr(value), 300)]


def text_of(value: list[Any]) -> str:
    """Arrays as text: each with its shape, four digits, large ones abridged."""
    shown = []
    for one in value:
        if isinstance(one, str):
            shown.append(textwrap.fill(one, 76))
            continue
        with np.printoptions(precision=4, suppress=True, threshold=60, edgeitems=2, linewidth=76):
            shown.append(f"{one.shape}\n{one}" if one.ndim else
                         f"number  {float(np.real(one)):.6g}")
    return "\n".join(shown)
