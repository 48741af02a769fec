"""Checks of arguments: numbers, shapes and domains.

A check returns the value in the precision that the mathematics uses, or raises one sentence with
the argument's name, what it must be, and what it was.  Nothing is reshaped or squeezed, and no
argument is ever modified.

Precision: integers, booleans and narrower floats become float64; longdouble, complex and object
arrays of exact rationals (`fractions.Fraction`) pass through, because the checkers and the exact
statements need them.
"""
from __future__ import annotations

from fractions import Fraction
from numbers import Complex, Integral, Rational, Real
from typing import Sequence

import numpy as np

from refsm.rows import release_pages, row_blocks
from refsm.typing import Array, ArrayLike

__all__ = ["brief", "widen", "array", "points", "readonly_view", "positive", "scale",
           "not_negative", "count", "generator", "binary", "all_binary", "all_finite",
           "check_finite", "inexact", "symmetric", "symmetric_part"]

SMALLEST_SCALE = 1e-75       # its fourth power is 1e-300
ASYMMETRY = 2.0 ** -30       # of the largest entry, see `symmetric`


def widen(value: ArrayLike, name: str = "x") -> Array:
    """The array in float64, or unchanged where it is wider or exact.

    TypeError for what is not numbers.

    >>> widen([1, 2]).dtype, widen(np.float32([1])).dtype
    (dtype('float64'), dtype('float64'))
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise ValueError(f"{name} must have no missing entries, "
                         "but it is a masked array with masked ones")
    if getattr(value, "requires_grad", False) is True:
        raise TypeError(f"{name} must be numbers without a gradient, but it is a "
                        f"{type(value).__name__} that requires one: give {name}.detach()")
    try:
        a = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be an array of numbers, "
                         "but its rows differ in length") from None
    kind = a.dtype.kind
    if kind == "O":
        return _widen_objects(a, name)
    if kind in "biufc":
        return a.astype(np.result_type(a.dtype, np.float64), copy=False)   # native byte order too
    raise TypeError(f"{name} must be numbers, but its dtype is {a.dtype}")


def _widen_objects(a: Array, name: str) -> Array:
    """Exact rationals stay exact, and integers beside them become rationals.

    Any other object array of numbers becomes float64, or complex128.
    """
    flat = a.ravel().tolist()
    for entry in flat:
        if not isinstance(entry, Complex):
            raise TypeError(f"{name} must be numbers, but it contains {brief(entry)}")
    if (any(isinstance(entry, Fraction) for entry in flat)
            and all(isinstance(entry, Rational) for entry in flat)):
        exact = [entry if isinstance(entry, Fraction) else Fraction(int(entry)) for entry in flat]
        return np.array(exact, dtype=object).reshape(a.shape)
    real = all(isinstance(entry, Real) for entry in flat)
    try:
        return a.astype(np.float64 if real else np.complex128)
    except OverflowError:
        raise ValueError(f"{name} must be finite, but an entry is beyond the range of "
                         "float64") from None


def array(value: ArrayLike, name: str, shape: Sequence[int | str]) -> Array:
    """A finite array of the given shape.

    A letter in the shape stands for any length >= 1, the same for the same letter.

    >>> array([[1, 2, 3]], "x", ("n", 3)).shape
    (1, 3)
    """
    a = widen(value, name)
    _check_shape(a, name, shape)
    check_finite(a, name)
    return a


def points(x: ArrayLike, name: str = "x", d: int | None = None) -> Array:
    """Points as rows: a finite (n, d) array with n >= 1 and d >= 1."""
    return array(x, name, ("n", "d" if d is None else d))


def binary(x: ArrayLike, name: str = "x", d: int | None = None) -> Array:
    """Binary points as rows: an (n, d) array of zeros and ones."""
    a = points(x, name, d)
    all_binary(a, name)
    return a


def readonly_view(value: ArrayLike, name: str, shape: Sequence[int | str]) -> Array:
    """Data that an objective holds: checked like `array`, read-only, neither copied nor widened.

    The data may be a memory map larger than memory, so they are read block by block here, and
    widened block by block where they are used.
    """
    if (not isinstance(value, np.ndarray) or value.dtype == object
            or isinstance(value, np.ma.MaskedArray)):
        value = widen(value, name)
    a = np.asarray(value).view()
    a.flags.writeable = False
    _check_shape(a, name, shape)
    for rows in row_blocks(len(a), a[0].size):
        check_finite(widen(a[rows], name), name, rows.start)
        release_pages(a)
    return a


def positive(value: object, name: str) -> float:
    """A finite number > 0 (a float, or an exact rational as it is)."""
    number = _number(value, name, "> 0")
    if not 0 < number < np.inf:
        raise ValueError(f"{name} must be finite and > 0, but it is {number}")
    return number


def scale(value: object, name: str) -> float:
    """A standard deviation or another length > 0 whose fourth power is a normal float64."""
    number = positive(value, name)
    if not SMALLEST_SCALE <= number <= 1 / SMALLEST_SCALE:
        raise ValueError(f"{name} must be between {SMALLEST_SCALE:g} and {1 / SMALLEST_SCALE:g}, "
                         f"because losses divide by its fourth power, but it is {number}")
    return number


def not_negative(value: object, name: str) -> float:
    """A finite number >= 0 (a float, or an exact rational as it is)."""
    number = _number(value, name, ">= 0")
    if not 0 <= number < np.inf:
        raise ValueError(f"{name} must be finite and >= 0, but it is {number}")
    return number


def count(value: object, name: str) -> int:
    """A whole number >= 1."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a whole number >= 1, but it is {brief(value)}")
    return int(value)


def _number(value: object, name: str, domain: str) -> float:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number {domain}, but it is {brief(value)}")
    try:
        number = float(value)
        exact = isinstance(value, (Fraction, np.longdouble))
        return value if exact else number                        # type: ignore[return-value]
    except OverflowError:
        raise ValueError(f"{name} must be finite, but it is {brief(value)}") from None


def generator(rng: object) -> np.random.Generator:
    """The source of randomness: a numpy.random.Generator, never a seed and never global state."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, but it is {brief(rng)}")
    return rng


def all_binary(a: Array, name: str) -> None:
    """ValueError for the first entry of an (n, d) array that is neither 0 nor 1.

    Like `readonly_view`, it reads the array block by block.
    """
    for rows in row_blocks(*a.shape):
        bad = (a[rows] != 0) & (a[rows] != 1)
        if bad.any():
            row, column = np.argwhere(bad)[0] + (rows.start, 0)
            raise ValueError(f"{name} must contain only 0 and 1, "
                             f"but entry ({row}, {column}) is {a[row, column]}")
        release_pages(a)


def all_finite(a: Array) -> bool:
    """Whether no entry is NaN or infinite: the extremes show both, and no temporary is made."""
    if a.dtype == object:
        return True
    if a.dtype.kind == "c":
        return all_finite(a.real) and all_finite(a.imag)
    return bool(np.isfinite(a.min()) and np.isfinite(a.max()))


def check_finite(a: Array, name: str, start: int = 0) -> None:
    """ValueError for the first entry that is NaN or infinite.

    `start` is the number of rows before the block `a`.
    """
    if not all_finite(a):
        if a.ndim == 0:
            raise ValueError(f"{name} must be finite, but it is {a}")
        index = np.argwhere(~np.isfinite(a))[0].tolist()
        place = (index[0] + start, *index[1:])
        raise ValueError(f"{name} must be finite, but it has {a[tuple(index)]} at {place}")


def inexact(a: Array) -> Array:
    """The array in floating point, for formulas with an exp or a log: rationals become float64."""
    return a.astype(np.float64) if a.dtype == object else a


def symmetric(a: Array, name: str) -> Array:
    """The symmetric part of a matrix (d, d), or of each of several (K, d, d).

    ValueError, with the entries, for a matrix that is not symmetric up to rounding: where a_ij and
    a_ji differ by more than 2^-30 of its largest entry.

    Why 2^-30: a computed inverse has a relative error of about its condition number times 2^-52,
    and need not be symmetric to more than that; 2^-30 leaves room for condition numbers up to 2^22,
    four million.  A matrix that was computed in single precision (2^-24) may be refused: whether
    its asymmetry is rounding is for its owner to say, with (A + A') / 2.  Replacing a matrix by its
    symmetric part moves no entry by more than 2^-31 of the largest.

    >>> P = symmetric(np.array([[4.0, 1.0], [1.0 + 2**-30, 3.0]]), "precision")
    >>> bool(P[0, 1] == P[1, 0] == 1 + 2**-31)
    True
    """
    asymmetry = abs(a - np.swapaxes(a, -1, -2))
    allowed = ASYMMETRY * abs(a).max(axis=(-1, -2), keepdims=True)
    if (asymmetry > allowed).any():
        *k, i, j = map(int, np.unravel_index((asymmetry - allowed).argmax(), a.shape))
        which, one = (f" in matrix {k[0]}", a[k[0]]) if k else ("", a)
        raise ValueError(f"{name} must be symmetric, but{which} entry ({i}, {j}) is "
                         f"{one[i, j]} and entry ({j}, {i}) is {one[j, i]}")
    return symmetric_part(a)


def symmetric_part(a: Array) -> Array:
    """a / 2 + a' / 2, for one matrix or several: a sum of large entries could overflow.

    >>> symmetric_part(np.array([[2.0, 1.0], [3.0, 5.0]])).tolist()
    [[2.0, 2.0], [2.0, 5.0]]
    """
    return a / 2 + np.swapaxes(a, -1, -2) / 2


def _check_shape(a: Array, name: str, shape: Sequence[int | str]) -> None:
    meaning: dict[str, int] = {}
    fits = a.ndim == len(shape)
    for want, length in zip(shape, a.shape):
        want = meaning.setdefault(want, length) if isinstance(want, str) else want
        fits = fits and want == length and length >= 1
    if not fits:
        wanted = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        empty = " (empty)" if a.size == 0 else ""
        raise ValueError(f"{name} must have shape ({wanted}), but its shape is {a.shape}{empty}")


def brief(value: object) -> str:
    """The repr on one line of at most 60 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
