"""What comes in at the door: numbers, shapes and domains are checked here, and data are cut into blocks of rows here.

A check returns the array in the precision that the mathematics uses or raises one sentence with the argument's name,
what it must be, and what it was.  Nothing is reshaped or squeezed, and no argument is ever modified.

Precision: integers, booleans and narrower floats become float64; longdouble, complex and object arrays of exact
rationals (`fractions.Fraction`) pass through, because the checkers and the exact theorems need them.
"""
from __future__ import annotations

import mmap
from fractions import Fraction
from numbers import Complex, Integral, Rational, Real
from typing import Any, Iterator, Sequence

import numpy as np

from refsm.typing import Array, ArrayLike

__all__ = ["widen", "array", "points", "positive", "scale", "not_negative", "count", "generator", "binary", "all_binary", "together", "frozen", "held",
           "let_go", "uniform_weights", "row_dot", "sum_rows", "weighted_sum", "once", "total", "blocks", "PairwiseSum"]

SMALLEST_SCALE = 1e-75    # its fourth power is 1e-300
BLOCK = 2 ** 18          # numbers in the widest array of a block: 2 MB of float64, a few of which stay in cache
KEEP = 2 ** 22 - 1024    # just under 32 MB, the largest size whose freeing teaches the C library not to hand pages back
FEWEST_ROWS = 512        # below this a matrix product spends its time on the (m, d) matrix, not on the rows


def widen(value: ArrayLike, name: str = "x") -> Array:
    """The array in float64, or unchanged where it is wider or exact.  TypeError for what is not numbers.

    >>> widen([1, 2]).dtype, widen(np.float32([1])).dtype
    (dtype('float64'), dtype('float64'))
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise ValueError(f"{name} must have no missing entries, but it is a masked array with masked ones")
    try:
        a = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be an array of numbers, but its rows differ in length") from None
    kind = a.dtype.kind
    if kind == "O":
        return _widen_objects(a, name)
    if kind in "biufc":
        return a.astype(np.result_type(a.dtype, np.float64), copy=False)       # native byte order too
    raise TypeError(f"{name} must be numbers, but its dtype is {a.dtype}")


def _widen_objects(a: Array, name: str) -> Array:
    """Exact rationals stay exact, integers beside them become rationals; any other object array of numbers becomes float64."""
    flat = a.ravel().tolist()
    for entry in flat:
        if not isinstance(entry, Complex):
            raise TypeError(f"{name} must be numbers, but it contains {entry!r}")
    if any(isinstance(entry, Fraction) for entry in flat) and all(isinstance(entry, Rational) for entry in flat):
        exact = [entry if isinstance(entry, Fraction) else Fraction(int(entry)) for entry in flat]
        return np.array(exact, dtype=object).reshape(a.shape)
    return a.astype(np.float64 if all(isinstance(entry, Real) for entry in flat) else np.complex128)


def array(value: ArrayLike, name: str, shape: Sequence[int | str]) -> Array:
    """A finite array of the given shape; a letter in the shape stands for any length >= 1, the same for the same letter.

    >>> array([[1, 2, 3]], "x", ("n", 3)).shape
    (1, 3)
    """
    a = widen(value, name)
    _check_shape(a, name, shape)
    _check_finite(a, name)
    return a


def points(x: ArrayLike, name: str = "x", d: int | None = None) -> Array:
    """Points as rows: a finite (n, d) array with n >= 1 and d >= 1."""
    return array(x, name, ("n", "d" if d is None else d))


def held(value: ArrayLike, name: str, shape: Sequence[int | str]) -> Array:
    """Data that an objective holds: checked like `array`, read-only, but neither copied nor widened.

    The data may be a memory map larger than memory, so they are read block by block here, and widened block by block
    where they are used.
    """
    if not isinstance(value, np.ndarray) or value.dtype == object or isinstance(value, np.ma.MaskedArray):
        value = widen(value, name)
    a = np.asarray(value).view()
    a.flags.writeable = False
    _check_shape(a, name, shape)
    for rows in blocks(len(a), a[0].size):
        _check_finite(widen(a[rows], name), name, rows.start)
        let_go(a)
    return a


def let_go(a: Array) -> None:
    """Hand back the memory that a memory map fills as it is read; reading brings the numbers back.  For any other array nothing.

    Pages of a file that have been read count as memory of the process.  A copy-on-write map, whose changes live in memory alone, keeps it.
    """
    owner: Any = a
    mode = None
    while isinstance(owner, np.ndarray):
        mode = getattr(owner, "mode", None)
        owner = owner.base
    if isinstance(owner, mmap.mmap) and mode in ("r", "r+", "w+") and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


def positive(value: object, name: str) -> float:
    """A finite number > 0 (a float, or an exact rational as it is)."""
    number = _number(value, name, "> 0")
    if not 0 < number < np.inf:
        raise ValueError(f"{name} must be finite and > 0, but it is {number}")
    return number


def scale(value: object, name: str) -> float:
    """A standard deviation or another length > 0 whose fourth power, which losses divide by, is a normal float64."""
    number = positive(value, name)
    if not SMALLEST_SCALE <= number <= 1 / SMALLEST_SCALE:
        raise ValueError(f"{name} must be between {SMALLEST_SCALE:g} and {1 / SMALLEST_SCALE:g}, because losses divide by its fourth power, "
                         f"but it is {number}")
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
        raise ValueError(f"{name} must be a whole number >= 1, but it is {_brief(value)}")
    return int(value)


def _number(value: object, name: str, domain: str) -> float:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number {domain}, but it is {_brief(value)}")
    return value if isinstance(value, (Fraction, np.longdouble)) else float(value)   # type: ignore[return-value]


def generator(rng: object) -> np.random.Generator:
    """The source of randomness: a numpy.random.Generator, never a seed and never the global state."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, but it is {_brief(rng)}")
    return rng


def binary(x: ArrayLike, name: str = "x", d: int | None = None) -> Array:
    """Binary points as rows: an (n, d) array of zeros and ones."""
    a = points(x, name, d)
    all_binary(a, name)
    return a


def all_binary(a: Array, name: str) -> None:
    """ValueError for the first entry of an (n, d) array that is neither 0 nor 1; read block by block, as `held` does."""
    for rows in blocks(*a.shape):
        bad = (a[rows] != 0) & (a[rows] != 1)
        if bad.any():
            row, column = np.argwhere(bad)[0] + (rows.start, 0)
            raise ValueError(f"{name} must contain only 0 and 1, but entry ({row}, {column}) is {a[row, column]}")
        let_go(a)


def all_finite(a: Array) -> bool:
    """Whether no entry is NaN or infinite.  The extremes tell: both propagate NaN, and no temporary is made."""
    if a.dtype == object:
        return True
    if a.dtype.kind == "c":
        return all_finite(a.real) and all_finite(a.imag)
    return bool(np.isfinite(a.min()) and np.isfinite(a.max()))


def inexact(a: Array) -> Array:
    """The array in floating point, for formulas with an exp or a log in them: exact rationals become float64."""
    return a.astype(np.float64) if a.dtype == object else a


def frozen(a: Array) -> Array:
    """A read-only copy."""
    a = np.array(a, order="C")
    a.flags.writeable = False
    return a


def together(**named: Array) -> dict[str, Array]:
    """Read-only copies in one common precision, so that a sum of any two of them fits in either.

    >>> {name: a.dtype.name for name, a in together(W=np.zeros((3, 2)), b=np.zeros(3, dtype=complex)).items()}
    {'W': 'complex128', 'b': 'complex128'}
    """
    dtype = np.result_type(*named.values())
    return {name: frozen(a.astype(dtype, copy=False)) for name, a in named.items()}


def uniform_weights(n: int, like: Array) -> Array:
    """(n,) weights 1/n without memory of their own; exact where `like` holds exact rationals."""
    weight = np.array(Fraction(1, n), dtype=object) if like.dtype == object else np.array(1 / n)
    return np.broadcast_to(weight, (n,))


def row_dot(u: Array, v: Array) -> Array:
    """sum_i u_ni v_ni, one number a row (the last axis is summed)."""
    if object in (u.dtype, v.dtype):
        return (u * v).sum(axis=-1)
    return np.einsum("...i,...i->...", u, v)


def sum_rows(u: Array) -> Array:
    """sum_n u_ni of an (n, k) array: a matrix product, three times as fast as `u.sum(axis=0)`."""
    return np.ones(len(u), u.dtype) @ u


def weighted_sum(w: Array, u: Array) -> Array:
    """sum_n w_n u_ni; weights that are one number held once become an array first, because BLAS takes no such thing."""
    return np.ascontiguousarray(w) @ u


def once(w: Array) -> Array:
    """w, cut to length 1 along each axis along which it holds one number once (`uniform_weights`, say): a factor of other arrays.

    >>> once(uniform_weights(5, np.zeros(5))), once(np.array([2.0, 3.0]))
    (array([0.2]), array([2., 3.]))
    """
    return w[tuple(slice(None if stride else 1) for stride in w.strides)]


def total(terms: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """The sum of some arrays of one shape, from left to right; zeros where there is none."""
    if not terms:
        return np.zeros(shape)
    out = terms[0]
    for term in terms[1:]:
        out = out + term
    return out


def blocks(n: int, width: int, copies: int = 1) -> Iterator[slice]:
    """Slices of rows that cover 0..n-1.

    `width` is the number of columns of the widest array that a row needs, `copies` how many such arrays it needs (one a
    direction, say).

    >>> [(s.start, s.stop) for s in blocks(600, 1000)]
    [(0, 512), (512, 600)]
    """
    rows = max(FEWEST_ROWS // copies, BLOCK // (width * copies), 1)
    if rows < n:
        np.empty(KEEP)       # freed at once: the C library now keeps freed memory of up to this size for the next block
    for start in range(0, n, rows):
        yield slice(start, min(start + rows, n))


class PairwiseSum:
    """A sum of tuples of arrays added in pairs, then pairs of pairs: its rounding grows with the log of their number.

    >>> total = PairwiseSum()
    >>> for k in range(5): total.add((float(k), np.ones(2)))
    >>> total.total()
    (10.0, array([5., 5.]))
    """

    def __init__(self) -> None:
        self._partial: list[tuple[int, tuple]] = []          # (how many terms, their sum), the counts falling

    def add(self, terms: tuple) -> None:
        """Take one more term of the sum."""
        count = 1
        while self._partial and self._partial[-1][0] == count:
            _, left = self._partial.pop()
            terms = tuple(a + b for a, b in zip(left, terms))
            count += count
        self._partial.append((count, terms))

    def total(self) -> tuple:
        """The sum of all terms so far."""
        _, terms = self._partial[-1]
        for _, left in reversed(self._partial[:-1]):
            terms = tuple(a + b for a, b in zip(left, terms))
        return terms


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


def _check_finite(a: Array, name: str, start: int = 0) -> None:
    """`start` is the number of rows before the block `a`."""
    if not all_finite(a):
        index = np.argwhere(~np.isfinite(a))[0].tolist()
        place = (index[0] + start, *index[1:])
        raise ValueError(f"{name} must be finite, but it has {a[tuple(index)]} at {place}")


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
