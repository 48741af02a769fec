"""The command that runs a verification again, with every option that is not the usual one."""
from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Mapping

from refsm.verify.adapters.ask import TIME_LIMIT

__all__ = ["command_of", "named"]

USUAL = {"gradient": False, "own_noise": False, "replicates": None, "convention": None,
         "family": None, "model": None, "seed": 0, "known_failures": None, "time_limit": TIME_LIMIT}


def command_of(name: str, objective: str, settings: Mapping[str, Any]) -> str:
    """The command for an implementation as a shell names it; "" where it has no name.

    >>> command_of("my:dsm", "dsm", {"gradient": True, "convention": "2 / d"})
    "refsm verify my:dsm --objective dsm --gradient --convention '2 / d'"
    """
    texts = [f"refsm verify {name} --objective {objective}"]
    for option, usual in USUAL.items():
        value = settings.get(option, usual)
        dashed = f"--{option.replace('_', '-')}"
        if value is True:
            texts.append(dashed)
        elif value != usual and (option != "known_failures" or isinstance(value, (str, Path))):
            number = f"{value:g}" if isinstance(value, float) else str(value)
            texts.append(f"{dashed} {shlex.quote(number)}")
    return " ".join(texts) if name else ""


def named(implementation: Any) -> str:
    """MODULE:FUNCTION, where the implementation can be imported by it, or ""."""
    if isinstance(implementation, str):
        return shlex.quote(implementation)
    name = (f"{getattr(implementation, '__module__', '')}:"
            f"{getattr(implementation, '__qualname__', '<')}")
    return "" if "<" in name or name.startswith(("__main__", ":")) else name
