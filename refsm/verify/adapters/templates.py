"""Ready adapters in other languages and frameworks: they conform as they are, and one marked line
is the user's.

A template is a text of which some sections belong to some objectives: a line `#-- dsm dae` (`//--
dsm dae` in C++) opens the section of those two, and a bare `#--` what belongs to all.  `template`
puts together what the asked objectives need.
"""
from __future__ import annotations

import re
from importlib.resources import files
from typing import Iterable

from refsm.verify.objectives import OBJECTIVES, objective_name

__all__ = ["template", "LANGUAGES", "WITH_TEMPLATE"]

LANGUAGES = ("numpy", "torch", "jax", "julia", "cpp")

WITH_TEMPLATE = ("esm", "ism", "regularized", "parzen_esm", "parzen_ism", "dsm", "dae", "ssm",
                 "ssm_vr", "ratio", "pseudo")

COMMANDS = {"julia": 'refsm verify --cmd "julia my_adapter.jl" --objective {name}',
            "cpp": "refsm verify --cmd ./my_adapter --objective {name}"}
PYTHON = "refsm verify my_adapter:{name} --objective {name}"
SECTION = re.compile(r"(?:#|//)--(.*)\n")


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
    names = list(WITH_TEMPLATE) if asked == ["all"] else [objective_name(name) for name in asked]
    without = [name for name in names if name not in WITH_TEMPLATE]
    if without:
        raise ValueError(f"there are templates for {', '.join(WITH_TEMPLATE)}, but none for "
                         f"{without[0]}: start from that of dsm, or of ratio for binary points")
    path = files("refsm.verify").joinpath(f"templates/{language}.template")
    text = path.read_text(encoding="utf-8")
    pieces, wanted = [], True
    for line in text.splitlines(keepends=True):
        section = SECTION.fullmatch(line)
        if section:
            of = section.group(1).split()
            wanted = not of or not set(names).isdisjoint(of)
        elif wanted:
            pieces.append(line)
    command = COMMANDS.get(language, PYTHON).format(name=names[0])
    noise = f"case.{OBJECTIVES[names[0]].random or 'noise'}"
    marks = {"@OBJECTIVES@": ", ".join(names), "@NAMES@": " ".join(names), "@COMMANDS@": command,
             "@NOISE@": noise}
    for mark, meaning in marks.items():
        pieces = [piece.replace(mark, meaning) for piece in pieces]
    return "".join(pieces).rstrip("\n") + "\n"
