"""Models in files: NumPy's .npz format, without pickle, to the last bit.

A file holds the name of the model's class and one entry per field of its constructor: an array, a
number or a string as it is, exact rationals as text, the activation by its name.  Nothing in it is
executed when it is read.
"""
from __future__ import annotations

import dataclasses
import importlib
import io
import os
import pathlib
import zipfile
from fractions import Fraction
from typing import Any

import numpy as np

from refsm.activations import ACTIVATIONS, Activation
from refsm.immutable import Immutable, fields_of, rebuilt

__all__ = ["save", "load"]

CLASS = "refsm.class"                       # the entry that holds the name of the class
EXACT, BY_NAME = ".exact", ".activation"    # endings of entries: rationals as text, a name


def save(model: Immutable, path: str | os.PathLike[str]) -> None:
    """Write a model to a file, under exactly this path.

    TypeError for an object that is no dataclass, or a field that is neither an array, a number, a
    string nor an activation.
    """
    kind = type(model).__name__
    if not dataclasses.is_dataclass(model):
        raise TypeError(f"{kind} cannot be saved, because it is no dataclass")
    entries: dict[str, Any] = {CLASS: np.array(kind)}
    for name, value in fields_of(model).items():
        if isinstance(value, tuple) and len(value) == 1:
            value, = value                                  # theta as a field, its only leaf
        if isinstance(value, Activation):
            entries[name + BY_NAME] = np.array(value.name)
        elif isinstance(value, Fraction) or getattr(value, "dtype", None) == object:
            entries[name + EXACT] = np.array(np.vectorize(str, otypes=["U"])(value))
        elif np.asarray(value).dtype.kind in "biufcU":
            entries[name] = np.asarray(value)
        else:
            instead = f"; save model.{name} instead" if hasattr(value, "save") else ""
            raise TypeError(f"{kind} cannot be saved, because {name} is of type "
                            f"{type(value).__name__}, which is no array, number or string{instead}")
    buffer = io.BytesIO()
    np.savez(buffer, **entries)
    pathlib.Path(path).write_bytes(buffer.getvalue())


def load(path: str | os.PathLike[str], kind: type | None = None) -> Any:
    """The model that `model.save(path)` has written.

    `kind` is its class; it need not be given for the energies of this package.  ValueError for a
    file that is not such a model, and for parameters that the class refuses.

    >>> import refsm, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     refsm.Gaussian([3.0, 5.0], [[2.0, 0.0], [0.0, 4.0]]).save(f"{folder}/model.npz")
    ...     refsm.load(f"{folder}/model.npz").mean
    array([3., 5.])
    """
    if kind is not None and not isinstance(kind, type):
        raise TypeError(f"kind must be a class, but it is of type {type(kind).__name__}")
    content = pathlib.Path(path).read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            entries = {key: file[key] for key in file.files}
        name = str(entries.pop(CLASS))
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"path must be a file that model.save has written, but {os.fspath(path)} "
                         f"is not ({type(error).__name__})") from None
    kind = _class_of(name) if kind is None else kind
    if kind.__name__ != name:
        raise ValueError(f"kind must be the class {name}, but it is {kind.__name__}")
    fields = dict(_read(key, value) for key, value in entries.items())
    try:
        return rebuilt(kind, fields)
    except TypeError as error:
        raise ValueError(f"path must hold the fields of {name}, but {error}") from None


def _class_of(name: str) -> type:
    """The public class of that name, if it is one of immutable data."""
    kind = getattr(importlib.import_module("refsm"), name, None)
    if not (isinstance(kind, type) and issubclass(kind, Immutable)):
        raise ValueError(f"kind must be given, because refsm has no energy {name}")
    return kind


def _read(key: str, value: np.ndarray) -> tuple[str, Any]:
    """The name and value of a field."""
    if key.endswith(BY_NAME):
        if str(value) not in ACTIVATIONS:
            raise ValueError(f"{key.removesuffix(BY_NAME)} must be one of "
                             f"{', '.join(ACTIVATIONS)}, but it is {value}")
        return key.removesuffix(BY_NAME), ACTIVATIONS[str(value)]
    if key.endswith(EXACT):
        exact = np.vectorize(Fraction, otypes=[object])(value)
        return key.removesuffix(EXACT), exact if value.ndim else exact.item()
    return key, value if value.ndim else value.item()
