"""What a function under test takes, as one vector and back; and the function on such vectors.

x is an array, or leaves: a tuple, a NamedTuple, a list or a dict of arrays.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from refsm import validation
from refsm.checks.differences import Function
from refsm.typing import Array

__all__ = ["ParameterVector", "accuracy_of", "in_floats", "numbers", "on_vectors",
           "source"]

SMALLEST, LARGEST = 1e-150, 1e150     # steps: 2^-100 of the least, and squares, are normal numbers
REFUSALS = (ValueError, ArithmeticError, np.linalg.LinAlgError)    # f beyond its domain


class ParameterVector:
    """x as one vector: a single array is one leaf without a name."""

    def __init__(self, x: Any) -> None:
        self.like = _array_of(x) if _is_array(x) else x
        named = _named(self.like)
        parts = [numbers(value, f"x {name}".strip()) for name, value in named.items()]
        if not parts:
            raise ValueError("x must have at least one leaf, but it has none")
        self.names, self.shapes = list(named), [part.shape for part in parts]
        self.vector = np.concatenate([part.ravel() for part in parts])
        ends = np.cumsum([part.size for part in parts]).tolist()
        self.slices = [slice(end - part.size, end) for end, part in zip(ends, parts)]

    @property
    def x(self) -> Any:
        """x in floating point, as the function under test and its gradient take it."""
        return self.unravel(self.vector)

    def unravel(self, vector: Array) -> Any:
        """A vector in the form of x."""
        parts = [vector[rows].reshape(shape) for rows, shape in zip(self.slices, self.shapes)]
        if isinstance(self.like, dict):
            return dict(zip(self.names, parts))
        if isinstance(self.like, (tuple, list)):
            named = hasattr(self.like, "_fields")
            return type(self.like)(*parts) if named else type(self.like)(parts)
        return parts[0]

    def ravel(self, claimed: Any, name: str) -> Array:
        """A claimed gradient as a vector; ValueError if its leaves are not shaped as those of x."""
        if isinstance(claimed, dict) and isinstance(self.like, dict):
            if set(claimed) != set(self.names):
                raise ValueError(f"{name} must have the leaves {_list(self.names)}, "
                                 f"but it has {_list(claimed)}")
            claimed = [claimed[key] for key in self.names]
        several = isinstance(self.like, (tuple, list, dict))
        if several and not isinstance(claimed, (tuple, list, dict)):
            raise TypeError(f"{name} must have the leaves {_list(self.names)}, "
                            f"but it is of type {type(claimed).__name__}")
        parts = list(claimed.values()) if isinstance(claimed, dict) else claimed
        parts = parts if several else [claimed]
        if len(parts) != len(self.names):
            raise ValueError(f"{name} must have {len(self.names)} leaves as x has, "
                             f"but it has {len(parts)}")
        leaves = [in_floats(part, f"{name} {leaf}".strip(), shape)
                  for part, leaf, shape in zip(parts, self.names, self.shapes)]
        return np.concatenate([leaf.ravel() for leaf in leaves])

    def scales(self, scale: float | None) -> list[float]:
        """The size of a step in each leaf: the root mean square of its entries, 1 where all are 0.

        ValueError where a step would leave the range in which squares are normal numbers.
        """
        if scale is not None:
            sizes = [validation.positive(scale, "scale")] * len(self.names)
        else:
            sizes = [_root_mean_square(self.vector[rows]) for rows in self.slices]
        for size in sizes:
            if not SMALLEST <= size <= LARGEST:
                raise ValueError(f"scale, the size of a step, must be between {SMALLEST:g} and "
                                 f"{LARGEST:g}, but it is {size:g}")
        return sizes


def on_vectors(f: Callable[[Any], Any], at: ParameterVector, kind: str) -> Function:
    """f from vectors to vectors, NaN where it refuses.

    ValueError unless it gives finite real numbers at x.
    """
    here = np.asarray(f(at.x))
    if here.dtype.kind not in "fiub" or (kind == "a number" and here.ndim > 0) or here.size == 0:
        raise ValueError(f"f must return {kind} that is real, "
                         f"but it returned {here.dtype} of shape {here.shape}")
    if not np.isfinite(here).all():
        raise ValueError(f"f must be finite at x, but it is {here if here.ndim == 0 else 'not'}")

    def flat(vector: Array) -> Array:
        if vector.dtype.kind != "c":
            vector = vector.astype(at.vector.dtype, copy=False)
        try:
            with np.errstate(all="ignore"):
                value = np.asarray(f(at.unravel(vector)))
        except REFUSALS:
            return np.full(here.size, np.nan)
        if value.shape != here.shape:
            raise ValueError("f must always return the same shape, "
                             f"but it returned {here.shape} at x and {value.shape} nearby")
        return value.ravel() if value.dtype.kind in "fc" else value.ravel().astype(np.float64)

    return flat


def numbers(value: Any, name: str) -> Array:
    """A finite array of floats in its own precision; whole numbers become float64."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        a = np.asarray(value)
    else:
        a = validation.widen(value, name)
    if a.size == 0 or a.dtype.kind != "f":
        raise ValueError(f"{name} must have at least one real number, "
                         f"but it has dtype {a.dtype} and shape {a.shape}")
    validation.check_finite(np.atleast_1d(a), name)
    return a


def accuracy_of(accuracy: Any) -> float:
    """The relative error that is asked for: a number between 0 and 1."""
    number = float(validation.positive(accuracy, "accuracy"))
    if number >= 1:
        raise ValueError(f"accuracy must be a relative error < 1, but it is {number:g}")
    return number


def in_floats(value: Any, name: str, shape: Any) -> Array:
    """A finite array of a shape, exact rationals in floating point."""
    a = validation.array(value, name, shape)
    try:
        return validation.inexact(a)
    except OverflowError:
        raise ValueError(f"{name} must be finite, but an entry is beyond float64") from None


def source(rng: np.random.Generator | None) -> np.random.Generator:
    """The generator that is given, or one that is the same for every check."""
    return np.random.default_rng(0) if rng is None else validation.generator(rng)


def _is_array(x: Any) -> bool:
    """Whether x is one array: a list of numbers or of such lists is, a list of arrays is not."""
    if isinstance(x, list):
        return all(_is_array(entry) and not isinstance(entry, np.ndarray) for entry in x)
    return not isinstance(x, (tuple, dict))


def _array_of(x: Any) -> Any:
    return numbers(x, "x") if isinstance(x, list) else x


def _named(x: Any) -> dict[str, Any]:
    if isinstance(x, dict):
        return x
    if isinstance(x, (tuple, list)):
        return dict(zip(getattr(x, "_fields", map(str, range(len(x)))), x))
    return {"": x}


def _list(names: Any) -> str:
    return ", ".join(map(str, names))


def _root_mean_square(entries: Array) -> float:
    """1 where all entries are 0."""
    size = float(abs(entries).max())
    return size * float(np.sqrt(np.mean((entries / size) ** 2))) if size > 0 else 1.0
