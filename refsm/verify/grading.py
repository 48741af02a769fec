"""Reports on a file of answers to exported cases."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from refsm.validation import brief
from refsm.verify.adapters.files import FORMATS, prompt
from refsm.verify.adapters.untrusted import (FileError, check_versions, members_of, npz_header,
                                             parse, read_answers, read_bytes, read_npy)
from refsm.verify.api import verify
from refsm.verify.cases.case import Case
from refsm.verify.cases.families import cases
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.report.report import Report

__all__ = ["grade"]


def grade(folder: str | Path, answers: str | Path, **settings: Any) -> list[Report]:
    """One report per objective that the folder has prompts of, from a file of answers; `settings`
    go to `refsm.verify`.

    FileError, in one sentence, for files that are missing, damaged, too large, of another version,
    or that do not belong together.
    """
    asked = _asked(Path(folder))
    given = read_answers(answers)
    known = [case.id for listed in asked.values() for case in listed]
    for identifier in given:
        if identifier not in known:
            raise FileError(f"{answers} answers {brief(identifier)}, which {folder} does not ask")
    missing = [identifier for identifier in known if identifier not in given]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise FileError(f"{answers} has no answer to {missing[0]}{more}")

    def implementation(case: Case) -> Any:
        return given[case.id]

    return [verify(implementation, name, cases=listed, **settings)
            for name, listed in asked.items()]


def _asked(folder: Path) -> dict[str, list[Case]]:
    """{objective: its cases} of a folder of prompts, which must be those of this suite,
    unchanged."""
    asked: dict[str, list[Case]] = {}
    for name in OBJECTIVES:
        for path in (folder / f"{name}.{format}" for format in FORMATS):
            if path.exists():
                asked[name] = _asked_in(path, name)
    if not asked:
        raise FileError(f"{folder} has no prompts; write them with refsm export")
    return asked


def _asked_in(path: Path, objective: str) -> list[Case]:
    arrays = members_of(path) if path.suffix == ".npz" else {}
    document = npz_header(path, arrays) if arrays else parse(read_bytes(path), str(path))
    if not isinstance(document, dict):
        raise FileError(f"{path} must be a JSON object")
    check_versions(document, path)
    try:
        seed: Any = document.get("seed")
        listed = cases(objective, document.get("family"), int(seed), document.get("model"))
    except (ValueError, TypeError, OverflowError) as error:
        raise FileError(f"{path} is no file of prompts: {error}") from None
    if len(listed) != len(document.get("cases") or []):
        raise FileError(f"{path} must have {len(listed)} cases as refsm export writes them")
    for case, written in zip(listed, document["cases"]):
        same = written == parse(json.dumps(prompt(case, data=not arrays)), "a prompt")
        for group in ("theta", "arrays") if arrays else ():
            for key, a in getattr(case, group).items():
                name = f"{case.id}/{group}/{key}"
                same = (same and name in arrays
                        and np.array_equal(read_npy(path, name, arrays[name]), a))
        if not same:
            raise FileError(f"{path} does not hold {case.id} as refsm export writes it: "
                            "it was edited or damaged")
    return listed


