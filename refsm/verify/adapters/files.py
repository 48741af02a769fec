"""Prompts and answers as files, for an implementation in any language or on another machine.

`export` writes one file of prompts per objective: its cases, without answers; `grading` reports on
a file of answers.

JSON     {"schema": "2", "suite": "1.0", "objective": "dsm", ..., "cases": [case, ...]}, where a
         case is {"id": ..., "objective": ..., "model": ..., "hyper": {"sigma": 0.37},
         "theta": {"W": array, ...}, "arrays": {"x": array, ...}} and an array is
         {"shape": [6, 3], "data": [...], "sha256": ...}: its numbers row after row as decimals of
         at most 17 digits that give back every bit, and the sha256 of its little-endian float64
         bytes, so that a reader can prove that its parser is exact.
npz      the same without "data": the text as bytes under `header`, each array under
         "<case id>/theta/W" or "<case id>/arrays/x".

Answers are one file for all objectives:

JSON     {"schema": "2", "suite": "1.0", "answers": [{"id": "prime/dsm/c0/t0", "value": 1.5,
         "per_sample": [...], "gradient": {"W": [[...]]}}, ...]}: lists within lists, or
         {"shape": ..., "data": ...}; `per_sample` and `gradient` may be left out.
npz      "<case id>/value", "<case id>/per_sample", "<case id>/gradient/W", and the `header` of any
         of the prompts' files as it is.

A file from elsewhere is not trusted: `untrusted` reads it.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterable

import numpy as np

from refsm.verify.cases.case import SCHEMA_VERSION, SUITE_VERSION, Case, as_json
from refsm.verify.cases.families import cases
from refsm.verify.objectives import objective_name

__all__ = ["FORMATS", "export", "prompt"]

FORMATS = ("json", "npz")


def export(objectives: str | Iterable[str], folder: str | Path, format: str = "json",
           family: str | None = "prime", seed: int = 0, model: str | None = None) -> list[Path]:
    """Write the prompts of some objectives into a folder, one file each, and return the paths.

    ValueError for an unknown objective, format, family or model; what `refsm.verify.cases` takes.
    """
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, but it is {format!r}")
    asked = [objectives] if isinstance(objectives, str) else objectives
    names = [objective_name(name) for name in asked]
    sets = {name: cases(name, family, seed, model) for name in names}
    if not str(folder):
        raise ValueError("the folder must be named, but its name is empty")
    folder = Path(folder)
    try:
        for path in (folder, *folder.parents):
            if path.exists() and not path.is_dir():
                raise ValueError(f"the folder must be one that exists or a new one, but {path} is "
                                 "a file")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"the folder must be one that can be made, but {folder}: "
                         f"{error.strerror}") from None
    paths = []
    for name, listed in sets.items():
        header = {"schema": SCHEMA_VERSION, "suite": SUITE_VERSION, "objective": name,
                  "family": family, "seed": seed, "model": model}
        path = folder / f"{name}.{format}"
        if format == "json":
            lines = ",\n".join(json.dumps(prompt(case)) for case in listed)
            path.write_text(json.dumps(header)[:-1] + ', "cases": [\n' + lines + "\n]}\n")
        else:
            text = json.dumps({**header, "cases": [prompt(case, data=False) for case in listed]})
            named: dict[str, Any] = {
                f"{case.id}/{group}/{key}": a for case in listed for group in ("theta", "arrays")
                for key, a in getattr(case, group).items()}
            np.savez(path, header=np.frombuffer(text.encode(), dtype=np.uint8), **named)
        paths.append(path)
    return paths


def prompt(case: Case, data: bool = True) -> dict[str, Any]:
    """A case as JSON: everything but an answer.

    >>> first = prompt(cases("dsm", "prime")[0])
    >>> first["hyper"], first["arrays"]["x"]["shape"]
    ({'sigma': 0.37}, [7, 3])
    """
    named = {key: getattr(case, key) for key in ("id", "family", "group", "objective", "model")}
    return {**named, "hyper": dict(case.hyper),
            "theta": {name: as_json(a, data) for name, a in case.theta.items()},
            "arrays": {name: as_json(a, data) for name, a in case.arrays.items()}}
