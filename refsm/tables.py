"""A user's table of numbers, read from a .npy, .npz or .csv file with one clear sentence for whatever is wrong with it."""
from __future__ import annotations

import pathlib
import warnings
import zipfile

import numpy as np

from refsm import validation
from refsm.typing import Array

__all__ = ["read_table"]


def read_table(path: str | pathlib.Path) -> Array:
    """The (n, d) float64 array in a file: .npy; .npz with one array, or one called x; .csv with or without a header line.

    ValueError, in one sentence that names the file, for a missing or unreadable file, another kind, pickled objects, text
    where numbers should be, NaN or infinity, an array that is not two-dimensional, or an empty one.
    """
    path = pathlib.Path(path)
    readers = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path} must be a .npy, .npz or .csv file, but it ends in '{path.suffix}'")
    try:
        table = validation.points(readers[path.suffix.lower()](path), str(path))
    except OSError as error:
        raise ValueError(f"{path} must be a file that can be read, but: {error.strerror or error}") from None
    except TypeError as error:
        raise ValueError(str(error)) from None
    if np.iscomplexobj(table):
        raise ValueError(f"{path} must contain real numbers, but they are complex")
    return table.astype(np.float64)


def _read_npy(path: pathlib.Path) -> Array:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        raise ValueError(f"{path} must be an array written by numpy.save, without pickled objects, but it is not") from None


def _read_npz(path: pathlib.Path) -> Array:
    try:
        with np.load(path, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
    except (ValueError, zipfile.BadZipFile, EOFError, TypeError, AttributeError):
        raise ValueError(f"{path} must be an archive written by numpy.savez, without pickled objects, but it is not") from None
    if len(content) != 1 and "x" not in content:
        raise ValueError(f"{path} must contain one array, or one called x, but it contains {', '.join(content) or 'none'}")
    return content["x"] if "x" in content else next(iter(content.values()))


def _read_csv(path: pathlib.Path) -> Array:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path} must be a text file of comma-separated numbers, but it is not text") from None
    header = 1 if lines and not any(map(_is_number, lines[0].split(","))) else 0
    if not any(line.strip() for line in lines[header:]):
        raise ValueError(f"{path} must contain at least one row of numbers, but it has none")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.loadtxt(lines[header:], delimiter=",", ndmin=2, comments=None)
    except (ValueError, UserWarning):
        raise ValueError(f"{path} must contain rows of as many comma-separated numbers each, but {_culprit(lines, header)}") from None


def _culprit(lines: list[str], header: int) -> str:
    """What is wrong with the first line, counted from 1, that is not a row of numbers as the others."""
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
