"""The command that runs a verification again, with every option that is not the usual one."""
from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Mapping

from refsm.verify.adapters.ask import TIME_LIMIT

__all__ = ["command_of", "named"]

USUAL = {"predicts": None, "gradient": False, "own_noise": False, "replicates": None,
         "convention": None, "family": None, "model": None, "seed": 0, "known_failures": None,
         "time_limit": TIME_LIMIT}


def command_of(name: str, objective: str, settings: Mapping[str, Any]) -> str:
    """The command for an implementation as a shell names it; "" where it has no name, or where its
    known failures are in no file.

    >>> command_of("my:dsm", "dsm", {"gradient": True, "convention": "2 / d"})
    "refsm verify my:dsm --objective dsm --gradient --convention '2 / d'"
    """
    known = settings.get("known_failures")
    if not name or not (known is None or isinstance(known, (str, Path))):
        return ""
    texts = [f"refsm verify {name} --objective {objective}"]
    for option, usual in USUAL.items():
        value = settings.get(option, usual)
        dashed = f"--{option.replace('_', '-')}"
        if value is True:
            texts.append(dashed)
        elif value != usual:
            number = repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
            texts.append(f"{dashed} {shlex.quote(number)}")
    return " ".join(texts)


def named(implementation: Any) -> str:
    """MODULE:FUNCTION, where the implementation can be imported by it, or ""."""
    if isinstance(implementation, str):
        return shlex.quote(implementation)
    name = (f"{getattr(implementation, '__module__', '')}:"
            f"{getattr(implementation, '__qualname__', '<')}")
    return "" if "<" in name or name.startswith(("__main__", ":")) else name
