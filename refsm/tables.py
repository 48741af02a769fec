"""A user's table of numbers, read from a .npy, .npz or .csv file with one clear sentence for whatever is wrong with it."""
from __future__ import annotations

import pathlib
import warnings
import zipfile

import numpy as np

from refsm import arrays
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
        return np.array(arrays.points(readers[path.suffix.lower()](path), str(path)), dtype=np.float64)
    except OSError as error:
        raise ValueError(f"{path} must be a file that can be read, but: {error.strerror or error}") from None
    except TypeError as error:
        raise ValueError(str(error)) from None


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
    header = 1 if lines and not _is_numbers(lines[0]) else 0
    if not any(line.strip() for line in lines[header:]):
        raise ValueError(f"{path} must contain at least one row of numbers, but it has none")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.loadtxt(lines[header:], delimiter=",", ndmin=2)
    except (ValueError, UserWarning) as error:
        raise ValueError(f"{path} must contain rows of as many comma-separated numbers each, but: {str(error).splitlines()[0]}") from None


def _is_numbers(line: str) -> bool:
    try:
        [float(part) for part in line.split(",")]
    except ValueError:
        return False
    return True
