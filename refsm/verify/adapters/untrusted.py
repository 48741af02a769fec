"""Files from elsewhere, which are not trusted.

Nothing in them is executed and no pickle is read; files over 16 MB, or npz archives that unpack to
more, are refused before they are parsed; so are arrays whose header promises more numbers than
follow, repeated keys and identifiers, and other versions.  Each is one sentence, a FileError.
"""
from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from refsm.typing import Array
from refsm.validation import brief
from refsm.verify.cases.case import SCHEMA_VERSION, SUITE_VERSION

__all__ = ["FileError", "LARGEST_FILE", "answer_of", "check_versions", "members_of", "npz_header",
           "parse", "read_answers", "read_bytes", "read_npy"]

LARGEST_FILE = 2 ** 24      # bytes, unpacked; the answers to all cases with gradients are 0.6 MB
LIST = ("id", "value", "per_sample", "gradient")


class FileError(ValueError):
    """A file that cannot be used, and why, in one sentence."""


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
            raise FileError(f"{what} has the key {brief(twice)} twice")
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
            raise FileError(f"{what} answers {brief(entry['id'])} with a key {brief(key)}; "
                            f"the keys are {', '.join(LIST)}")
    gradient = entry.get("gradient")
    if isinstance(gradient, dict):
        gradient = {name: _array(block, f"{what}, gradient of {brief(entry['id'])}")
                    for name, block in gradient.items()}
    per_sample = _array(entry.get("per_sample"), f"{what}, per_sample of {brief(entry['id'])}")
    return entry["id"], {"value": entry.get("value"), "per_sample": per_sample,
                         "gradient": gradient}


def _answers_of_json(path: Path) -> dict[str, dict[str, Any]]:
    document = parse(read_bytes(path), str(path))
    if not isinstance(document, dict) or not isinstance(document.get("answers"), list):
        raise FileError(f'{path} must be an object with "schema", "suite" and a list "answers"')
    check_versions(document, path)
    given: dict[str, dict[str, Any]] = {}
    for entry in document["answers"]:
        identifier, answer = answer_of(entry, str(path))
        if identifier in given:
            raise FileError(f"{path} answers {brief(identifier)} twice")
        given[identifier] = answer
    return given


def _answers_of_npz(path: Path) -> dict[str, dict[str, Any]]:
    members = members_of(path)
    check_versions(npz_header(path, members), path)
    given: dict[str, dict[str, Any]] = {}
    for name in members:
        if name == "header":
            continue
        case, _, key = name.rpartition("/")
        block = key if case.endswith("/gradient") else ""
        if not block and key not in ("value", "per_sample"):
            raise FileError(f"{path} has an array {brief(name)}; names are <case id>/value, "
                            "<case id>/per_sample, <case id>/gradient/<block>")
        a = read_npy(path, name, members[name])
        answer = given.setdefault(case.removesuffix("/gradient"), {})
        if block:
            answer.setdefault("gradient", {})[block] = a
        else:
            answer[key] = a
    return given


def check_versions(header: dict[str, Any], path: Path) -> None:
    """FileError where the schema or the suite is another."""
    for key, ours in (("schema", SCHEMA_VERSION), ("suite", SUITE_VERSION)):
        if header.get(key) != ours:
            raise FileError(f"{path} must have {key} {ours!r}, "
                            f"but its {key} is {brief(header.get(key))}")


def read_bytes(path: Path) -> bytes:
    """A regular file of a bearable size."""
    if not path.is_file():
        raise FileError(f"there is no file {path}")
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise FileError(f"{path} must be at most {LARGEST_FILE // 2**20} MB, but it is larger")
    return content


def members_of(path: Path) -> dict[str, Callable[[], bytes]]:
    """{array name: its bytes, when asked for} of an npz archive that unpacks to a bearable size."""
    content = read_bytes(path)
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


def read_npy(path: Path, name: str, content: Callable[[], bytes]) -> Array:
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
        raise FileError(f"{path} has an array {brief(name)} that cannot be read "
                        f"({type(error).__name__})") from None
    if dtype.kind not in "iuf":
        raise FileError(f"{path} has an array {brief(name)} of dtype {brief(str(dtype))}; "
                        "numbers are read, objects never")
    if not _holds(shape, len(data) / dtype.itemsize):
        raise FileError(f"{path} has an array {brief(name)} of shape {brief(shape)}, "
                        f"but {len(data)} bytes follow (truncated?)")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def npz_header(path: Path, members: Mapping[str, Callable[[], bytes]]) -> Any:
    """The JSON object under `header`."""
    if "header" not in members:
        raise FileError(f"{path} has no header; copy the one of the prompts as it is")
    text = read_npy(path, "header", members["header"]).astype(np.uint8).tobytes()
    header = parse(text, f"the header of {path}")
    if not isinstance(header, dict):
        raise FileError(f"the header of {path} must be a JSON object")
    return header


def _array(value: Any, what: str) -> Any:
    """Lists within lists as they are; {"shape", "data"} as an array."""
    if not isinstance(value, dict):
        return value
    shape: Any = value.get("shape")
    data: Any = value.get("data")
    lists = isinstance(shape, list) and isinstance(data, list)
    if not lists or not all(isinstance(number, float) for number in shape + data):
        raise FileError(f'{what} must be a list, or an object with lists of numbers "shape" and '
                        '"data"')
    if not all(length.is_integer() for length in shape):
        raise FileError(f"{what} has the shape {brief(shape)}")
    shape = [int(length) for length in shape]
    if not _holds(shape, len(data)):
        raise FileError(f"{what} has {len(data)} numbers for the shape {brief(shape)}")
    return np.array(data).reshape(shape)


def _holds(shape: Sequence[int], size: float) -> bool:
    """Whether that many numbers fill an array of that shape, of at most four axes and none
    empty."""
    return len(shape) <= 4 and all(length >= 1 for length in shape) and math.prod(shape) == size


def _at_end(error: json.JSONDecodeError) -> bool:
    return not error.doc[error.pos:].strip() or error.msg.startswith("Unterminated")
