"""Ready adapters in other languages and frameworks: they conform as they are, and one marked line
is the user's.

A template is a text in sections.  A line `#-- dsm` (`//-- dsm` in C++) opens the section of the
objective dsm, `#-- score_of` that of a function, and a bare `#--` what belongs to all.  A section
is included where an included one mentions it.
"""
from __future__ import annotations

import re
from importlib.resources import files
from typing import Iterable

from refsm.verify.objectives import OBJECTIVES, objective_name

__all__ = ["template", "LANGUAGES"]

LANGUAGES = ("numpy", "torch", "jax", "julia", "cpp")
COMMANDS = {"julia": 'refsm verify --cmd "julia my_adapter.jl" --objective {name}',
            "cpp": "refsm verify --cmd ./my_adapter --objective {name}"}
PYTHON = "refsm verify my_adapter:{name} --objective {name}"
SECTION = re.compile(r"^(?:#|//)--(.*)\n", re.M)


def template(language: str, objectives: str | Iterable[str]) -> str:
    """The source of an adapter for some objectives ("all" for every one), ready to be saved and
    run.

    ValueError for an unknown language or objective.

    >>> "def dsm(case):" in template("numpy", "dsm"), "def ism(case):" in template("numpy", "dsm")
    (True, False)
    """
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, but it is {language!r}")
    asked = [objectives] if isinstance(objectives, str) else list(objectives)
    names = list(OBJECTIVES) if "all" in asked else [objective_name(name) for name in asked]
    path = files("refsm.verify").joinpath(f"templates/{language}.template")
    head, *rest = SECTION.split(path.read_text(encoding="utf-8"))
    sections = [("", head), *((name.strip(), text) for name, text in zip(rest[::2], rest[1::2]))]
    random = next((OBJECTIVES[name].random for name in names if OBJECTIVES[name].random), "")
    wanted = {"", *names, *(["handing"] if random else [])}
    while True:
        text = "".join(own for name, own in sections if name in wanted)
        mentioned = {name for name, _ in sections} & set(re.findall(r"\w+", text)) - wanted
        if not mentioned:
            break
        wanted |= mentioned
    every = len(names) == len(OBJECTIVES)
    marks = {"@OBJECTIVES@": "every objective" if every else ", ".join(names),
             "@NAMES@": "all" if every else " ".join(names), "@NOISE@": f"case.{random}",
             "@COMMANDS@": COMMANDS.get(language, PYTHON).format(name=names[0])}
    for mark, meaning in marks.items():
        text = text.replace(mark, meaning)
    return text.rstrip("\n") + "\n"
