"""A user's table of numbers, from a .npy, .npz or .csv file, a pipe, or standard input.

Whatever is wrong with it is said in one sentence that names the file.
"""
from __future__ import annotations

import io
import pathlib
import sys
import warnings
import zipfile
from typing import Union

import numpy as np

from refsm import validation
from refsm.typing import Array

__all__ = ["read_table"]

STANDARD_INPUT = "-"
Source = Union[pathlib.Path, io.BytesIO]


def read_table(path: str | pathlib.Path) -> Array:
    """The (n, d) float64 array in a file.

    .npy; .npz with one array, or one called x; .csv with or without a header line.  "-" is standard
    input; there, and in a pipe, the first bytes say which of the three it is.

    ValueError, in one sentence that names the file, for a missing or unreadable file, another kind,
    pickled objects, text where numbers should be, NaN or infinity, an array that is not
    two-dimensional, or an empty one.
    """
    if str(path) == "":
        raise ValueError("the path of a table must not be empty")
    name = "standard input" if str(path) == STANDARD_INPUT else str(path)
    try:
        suffix, source = _open(pathlib.Path(path))
        if suffix not in READERS:
            raise ValueError(f"{name} must be a .npy, .npz or .csv file, but it ends in '{suffix}'")
        table = validation.points(READERS[suffix](name, source), name)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{name} must be a file that can be read, but: {reason}") from None
    except TypeError as error:
        raise ValueError(str(error)) from None
    if np.iscomplexobj(table):
        raise ValueError(f"{name} must contain real numbers, but they are complex")
    return table.astype(np.float64)


def _open(path: pathlib.Path) -> tuple[str, Source]:
    """The kind of table, as a suffix, and where to read it: the file itself, or its bytes."""
    if str(path) == STANDARD_INPUT:
        content = sys.stdin.buffer.read()
    elif path.exists() and not path.is_file() and not path.is_dir():
        content = path.read_bytes()                  # a pipe or a device, whose name says nothing
    else:
        return path.suffix.lower(), path
    if content.startswith(b"\x93NUMPY"):
        return ".npy", io.BytesIO(content)
    return (".npz" if content.startswith(b"PK") else ".csv"), io.BytesIO(content)


def _read_npy(name: str, source: Source) -> Array:
    try:
        return np.load(source, allow_pickle=False)
    except (ValueError, EOFError):
        raise ValueError(f"{name} must be an array written by numpy.save, without pickled objects, "
                         "but it is not") from None


def _read_npz(name: str, source: Source) -> Array:
    try:
        with np.load(source, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (ValueError, zipfile.BadZipFile, EOFError, TypeError, AttributeError):
        raise ValueError(f"{name} must be an archive written by numpy.savez, without pickled "
                         "objects, but it is not") from None
    if len(arrays) != 1 and "x" not in arrays:
        raise ValueError(f"{name} must contain one array, or one called x, "
                         f"but it contains {', '.join(arrays) or 'none'}")
    return arrays["x"] if "x" in arrays else next(iter(arrays.values()))


def _read_csv(name: str, source: Source) -> Array:
    try:
        content = source.getvalue() if isinstance(source, io.BytesIO) else source.read_bytes()
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{name} must be a text file of comma-separated numbers, "
                         "but it is not text") from None
    header = 1 if lines and not any(map(_is_number, lines[0].split(","))) else 0
    if not any(line.strip() for line in lines[header:]):
        raise ValueError(f"{name} must contain at least one row of numbers, but it has none")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.loadtxt(lines[header:], delimiter=",", ndmin=2, comments=None)
    except (ValueError, UserWarning):
        raise ValueError(f"{name} must contain rows of as many comma-separated numbers each, "
                         f"but {_culprit(lines, header)}") from None


def _culprit(lines: list[str], header: int) -> str:
    """What is wrong with the first line, counted from 1, that is not a row as the others."""
    first = columns = 0
    for number, line in enumerate(lines[header:], header + 1):
        cells = line.split(",") if line.strip() else []
        for cell in cells:
            if not _is_number(cell):
                return f"line {number} has {cell.strip()[:20]!r}"
        if cells and not columns:
            first, columns = number, len(cells)
        if cells and len(cells) != columns:
            return f"line {number} has {len(cells)} of them where line {first} has {columns}"
    return "they cannot be read"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


READERS = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv}
