"""Prompts and answers as files, for an implementation in any language or on another machine.

`export` writes one file of prompts an objective: its cases, without answers.  `grade` reads a file
of answers and reports.

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

A file from elsewhere is not trusted.  Nothing in it is executed and no pickle is read; files over
16 MB, or npz archives that unpack to more, are refused before they are parsed; so are arrays whose
header promises more numbers than follow, repeated keys and identifiers, identifiers that are no
case's, and other versions.  Each is one sentence, a FileError.
"""
from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import SCHEMA_VERSION, SUITE_VERSION, Case, checksum
from refsm.verify.cases.families import cases
from refsm.verify.objectives import OBJECTIVES, objective_name
from refsm.verify.report.report import Report

__all__ = ["export", "grade", "prompt", "FileError", "LARGEST_FILE", "FORMATS"]

LARGEST_FILE = 2 ** 24      # bytes, unpacked; the answers to all cases with gradients are 0.6 MB
FORMATS = ("json", "npz")
LIST = ("id", "value", "per_sample", "gradient")


class FileError(ValueError):
    """A file that cannot be used, and why, in one sentence."""


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
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, asked in sets.items():
        header = {"schema": SCHEMA_VERSION, "suite": SUITE_VERSION, "objective": name,
                  "family": family, "seed": seed, "model": model}
        path = folder / f"{name}.{format}"
        if format == "json":
            lines = ",\n".join(json.dumps(prompt(case)) for case in asked)
            path.write_text(json.dumps(header)[:-1] + ', "cases": [\n' + lines + "\n]}\n")
        else:
            text = json.dumps({**header, "cases": [prompt(case, data=False) for case in asked]})
            named: dict[str, Any] = {
                f"{case.id}/{group}/{key}": a for case in asked for group in ("theta", "arrays")
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
    def written(a: Array) -> dict[str, Any]:
        numbers = {"data": a.ravel().tolist()} if data else {}
        return {"shape": list(a.shape), **numbers, "sha256": checksum(a)}

    named = {key: getattr(case, key) for key in ("id", "family", "group", "objective", "model",
                                                 "relation")}
    return {**named, "hyper": dict(case.hyper),
            "theta": {name: written(a) for name, a in case.theta.items()},
            "arrays": {name: written(a) for name, a in case.arrays.items()}}


def grade(folder: str | Path, answers: str | Path, **settings: Any) -> list[Report]:
    """One report an objective that the folder has prompts of, from a file of answers; `settings` go
    to `refsm.verify`.

    FileError, in one sentence, for files that are missing, damaged, too large, of another version,
    or that do not belong together.
    """
    from refsm.verify.api import verify

    asked = _asked(Path(folder))
    given = read_answers(answers)
    known = [case.id for listed in asked.values() for case in listed]
    for identifier in given:
        if identifier not in known:
            raise FileError(f"{answers} answers {_shown(identifier)}, which {folder} does not ask")
    missing = [identifier for identifier in known if identifier not in given]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise FileError(f"{answers} has no answer to {missing[0]}{more}")

    def implementation(case: Case) -> Any:
        return given[case.id]

    return [verify(implementation, name, cases=listed, **settings)
            for name, listed in asked.items()]


def read_answers(path: str | Path) -> dict[str, dict[str, Any]]:
    """The answers in a file by case, with nothing said yet about their shapes.  FileError, in one
    sentence, for a file that is no such thing."""
    path = Path(path)
    return _answers_of_npz(path) if path.suffix == ".npz" else _answers_of_json(path)


def parse(text: str | bytes, what: str) -> Any:
    """JSON from elsewhere: no repeated keys, no NaN, no endless nesting.  FileError, in one
    sentence, otherwise."""
    def refuse(constant: str) -> None:
        raise FileError(f"{what} must have finite numbers only, but it has {constant}")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise FileError(f"{what} has the key {_shown(twice)} twice")
        return made

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=unique, parse_int=float)
    except FileError:
        raise
    except json.JSONDecodeError as error:
        truncated = " (truncated?)" if _at_end(error) else ""
        raise FileError(f"{what} is no JSON: {error.msg} at line {error.lineno}, column "
                        f"{error.colno}{truncated}") from None
    except UnicodeDecodeError:
        raise FileError(f"{what} is no JSON: it is not text in UTF-8") from None
    except RecursionError:
        raise FileError(f"{what} is nested too deeply") from None


def answer_of(entry: Any, what: str) -> tuple[str, dict[str, Any]]:
    """(case identifier, answer) of one entry of a file or one line of a program; FileError where it
    has not that form."""
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise FileError(f'{what} has an answer that is no object with an "id"')
    for key in entry:
        if key not in LIST:
            raise FileError(f"{what} answers {_shown(entry['id'])} with a key {_shown(key)}; "
                            f"the keys are {', '.join(LIST)}")
    gradient = entry.get("gradient")
    if isinstance(gradient, dict):
        gradient = {name: _array(block, f"{what}, gradient of {_shown(entry['id'])}")
                    for name, block in gradient.items()}
    per_sample = _array(entry.get("per_sample"), f"{what}, per_sample of {_shown(entry['id'])}")
    return entry["id"], {"value": entry.get("value"), "per_sample": per_sample,
                         "gradient": gradient}


# -- reading --------------------------------------------------------------------------------------


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
    arrays = _members(path) if path.suffix == ".npz" else {}
    document = _npz_header(path, arrays) if arrays else parse(_bytes(path), str(path))
    if not isinstance(document, dict):
        raise FileError(f"{path} must be a JSON object")
    _check_versions(document, path)
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
                same = same and name in arrays and np.array_equal(_npy(path, name, arrays[name]), a)
        if not same:
            raise FileError(f"{path} does not hold {case.id} as refsm export writes it: "
                            "it was edited or damaged")
    return listed


def _check_versions(header: dict[str, Any], path: Path) -> None:
    for key, ours in (("schema", SCHEMA_VERSION), ("suite", SUITE_VERSION)):
        if header.get(key) != ours:
            raise FileError(f"{path} must have {key} {ours!r}, "
                            f"but its {key} is {_shown(header.get(key))}")


def _answers_of_json(path: Path) -> dict[str, dict[str, Any]]:
    document = parse(_bytes(path), str(path))
    if not isinstance(document, dict) or not isinstance(document.get("answers"), list):
        raise FileError(f'{path} must be an object with "schema", "suite" and a list "answers"')
    _check_versions(document, path)
    given: dict[str, dict[str, Any]] = {}
    for entry in document["answers"]:
        identifier, answer = answer_of(entry, str(path))
        if identifier in given:
            raise FileError(f"{path} answers {_shown(identifier)} twice")
        given[identifier] = answer
    return given


def _answers_of_npz(path: Path) -> dict[str, dict[str, Any]]:
    members = _members(path)
    _check_versions(_npz_header(path, members), path)
    given: dict[str, dict[str, Any]] = {}
    for name in members:
        if name == "header":
            continue
        case, _, key = name.rpartition("/")
        block = key if case.endswith("/gradient") else ""
        if not block and key not in ("value", "per_sample"):
            raise FileError(f"{path} has an array {_shown(name)}; names are <case id>/value, "
                            "<case id>/per_sample, <case id>/gradient/<block>")
        a = _npy(path, name, members[name])
        answer = given.setdefault(case.removesuffix("/gradient"), {})
        if block:
            answer.setdefault("gradient", {})[block] = a
        else:
            answer[key] = a
    return given


def _bytes(path: Path) -> bytes:
    """A regular file of a bearable size."""
    if not path.is_file():
        raise FileError(f"there is no file {path}")
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise FileError(f"{path} must be at most {LARGEST_FILE // 2**20} MB, but it is larger")
    return content


def _members(path: Path) -> dict[str, Callable[[], bytes]]:
    """{array name: its bytes, when asked for} of an npz archive that unpacks to a bearable size."""
    content = _bytes(path)
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except Exception:                                # whatever a damaged directory raises
        raise FileError(f"{path} is no npz archive (truncated?)") from None
    entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > LARGEST_FILE:
        raise FileError(f"{path} must unpack to at most {LARGEST_FILE // 2**20} MB, "
                        "but it promises more")
    if len({entry.filename for entry in entries}) < len(entries):
        raise FileError(f"{path} has an array twice")

    def reader(entry: zipfile.ZipInfo) -> Callable[[], bytes]:
        return lambda: archive.read(entry)

    return {entry.filename.removesuffix(".npy"): reader(entry) for entry in entries}


def _npy(path: Path, name: str, content: Callable[[], bytes]) -> Array:
    """One array of an archive, read by its header and never through pickle."""
    try:
        file = io.BytesIO(content())
        version = np.lib.format.read_magic(file)
        form = np.lib.format
        read_header = (form.read_array_header_1_0 if version == (1, 0)
                       else form.read_array_header_2_0)
        shape, fortran, dtype = read_header(file)
        data = file.read()
    except Exception as error:                       # whatever a damaged header or stream raises
        raise FileError(f"{path} has an array {_shown(name)} that cannot be read "
                        f"({type(error).__name__})") from None
    if dtype.kind not in "iuf":
        raise FileError(f"{path} has an array {_shown(name)} of dtype {_shown(str(dtype))}; "
                        "numbers are read, objects never")
    if not _holds(shape, len(data) / dtype.itemsize):
        raise FileError(f"{path} has an array {_shown(name)} of shape {_shown(shape)}, "
                        f"but {len(data)} bytes follow (truncated?)")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _npz_header(path: Path, members: Mapping[str, Callable[[], bytes]]) -> Any:
    if "header" not in members:
        raise FileError(f"{path} has no header; copy the one of the prompts as it is")
    text = _npy(path, "header", members["header"]).astype(np.uint8).tobytes()
    header = parse(text, f"the header of {path}")
    if not isinstance(header, dict):
        raise FileError(f"the header of {path} must be a JSON object")
    return header


def _array(value: Any, what: str) -> Any:
    """Lists within lists as they are; {"shape", "data"} as an array."""
    if not isinstance(value, dict):
        return value
    shape, data = value.get("shape"), value.get("data")
    lists = isinstance(shape, list) and isinstance(data, list)
    if not lists or not all(isinstance(number, float) for number in shape + data):   # type: ignore
        raise FileError(f'{what} must be a list, or an object with lists of numbers "shape" and '
                        '"data"')
    if not all(length.is_integer() for length in shape):
        raise FileError(f"{what} has the shape {_shown(shape)}")
    shape = [int(length) for length in shape]
    if not _holds(shape, len(data)):
        raise FileError(f"{what} has {len(data)} numbers for the shape {_shown(shape)}")
    return np.array(data).reshape(shape)


def _holds(shape: Sequence[int], size: float) -> bool:
    """Whether that many numbers fill an array of that shape, of at most four axes and none
    empty."""
    return len(shape) <= 4 and all(length >= 1 for length in shape) and math.prod(shape) == size


def _at_end(error: json.JSONDecodeError) -> bool:
    return not error.doc[error.pos:].strip() or error.msg.startswith("Unterminated")


def _shown(value: Any) -> str:
    """Somebody else's text, short and without control characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + " ..."
