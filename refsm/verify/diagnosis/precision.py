"""In which precision the answers came: the rounding that a difference is measured in.

An answer is off by rounding when it is within `SAFETY` rounding units of the sum of absolute terms.
The unit is that of float64, or of what the answers show themselves to be: numbers that float32 or
float16 holds exactly, or numbers printed with few digits.  Answers can also be float64 numbers
computed from float32 ones; that is tried last, and said.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.diagnosis.scaling import Scaling, Sizes
from refsm.verify.diagnosis.scaling_fit import fit_scaling

__all__ = ["COARSE", "FLOAT32", "FLOAT64", "MIXED", "Tolerance", "half_inside", "tolerances"]

SAFETY = 50.0            # right float32 losses stayed below 9 rounding units in 1200 sets
ENOUGH = 4               # different answers before their digits say anything about their precision
FINEST = 2.0**-14        # half of the roundings of half precision are coarser than this
COARSEST = 2.0**-8       # and none is coarser than this
COARSE = 1e-4            # nothing is decided with a tolerance coarser than this


@dataclass(frozen=True)
class Tolerance:
    """How far a right answer may be off: relative to the sum of absolute terms, and absolutely."""

    name: str
    relative: float
    absolute: float = 0.0

    def __call__(self, scale: Any) -> Any:
        return self.relative * scale + self.absolute


FLOAT64 = Tolerance("float64", SAFETY * 2.0**-53)
FLOAT32 = Tolerance("float32", SAFETY * 2.0**-24)
FLOAT16 = Tolerance("float16", SAFETY * 2.0**-11)
BFLOAT16 = Tolerance("bfloat16", SAFETY * COARSEST)
MIXED = Tolerance("float32 somewhere inside", SAFETY * 2.0**-24)


def tolerances(values: Array, dtypes: Sequence[str] = ()) -> list[Tolerance]:
    """The tolerances to try, the finest first.

    >>> [tolerance.name for tolerance in tolerances(np.array([0.1, 0.2, 0.7, 1 / 3]))]
    ['float64', 'float32 somewhere inside']
    >>> tolerances(np.array([123.457, 0.333333, 2.71828, 1.41421]))[0].name
    '6 printed digits'
    """
    v = np.asarray(values, dtype=float)
    declared = set(dtypes)
    for narrow in (BFLOAT16, FLOAT16):
        if narrow.name in declared:
            return [narrow]
    various = np.unique(v[v != 0])
    with np.errstate(over="ignore"):
        half, single = various.astype(np.float16), various.astype(np.float32)
    in_single, enough = (single.astype(float) == various).all(), various.size >= ENOUGH
    if enough and in_single and not (single.view(np.uint32) & 0xFFFF).any():
        return [BFLOAT16]
    if enough and (half.astype(float) == various).all():
        return [FLOAT16]
    if declared == {"float32"} or enough and in_single:            # no narrower type was widened
        return [FLOAT32]
    printed = _printed(various) if enough else None
    if printed is not None:
        relative = FLOAT32.relative + printed.relative
        return [printed, Tolerance(f"{printed.name}, of float32", relative, printed.absolute)]
    return [FLOAT64, MIXED]


def half_inside(Y: Array, reference: Array, scale: Array,
                sizes: Sequence[Sizes], widened: bool) -> tuple[Scaling, float] | None:
    """The factor by which all answers Y (C, T) are the reference's to roundings of bfloat16 or
    float16, and the largest error relative to the terms; None where there is none.  Answers that
    were `widened`, to float64, are allowed one rounding, and others four."""
    u, v = reference / scale, Y / scale
    c = (u * v).sum(axis=1) / (u * u).sum(axis=1)                              # (C,)
    if not c.all():
        return None
    off = np.abs(v - c[:, None] * u) / np.abs(c)[:, None]
    largest = float(off.max())
    if not FINEST <= np.median(off) <= largest <= (1 if widened else 4) * COARSEST:
        return None
    error = np.abs(c) * max(largest, COARSEST) * np.abs(u).sum(axis=1) / (u * u).sum(axis=1)
    factor = fit_scaling(c, error, sizes)
    if factor is None or factor.sums or not factor.prefactor:
        return None
    signs = np.sign(Y - np.array([[factor(group)] for group in sizes]) * reference)
    one_sided = np.abs(signs.sum()) == signs.size    # a small term too many, and no rounding
    return None if one_sided else (factor, largest)


def _printed(v: Array) -> Tolerance | None:
    """The tolerance of numbers that were printed with few digits, as %g or %f, if these were; of
    both where nearly as many numbers need all digits as all decimals."""
    digits = _fewest(v, "g")
    decimals = _fewest(v, "f", 0 if digits is None else 1)
    if digits is None and decimals is None:
        return None
    few, more = 2.5 / len(v), 0.0                    # than need all decimals
    if digits is not None:
        more += _needed(v, "g", digits)
    if decimals:
        more -= _needed(v, "f", decimals)
    by_digits = digits is not None and more >= 0
    name = f"{digits} printed digits" if by_digits else f"{decimals} printed decimals"
    relative, absolute = FLOAT64.relative, 0.0
    if digits is not None and more > -few:
        relative += 0.51 * 10.0**(1 - digits)
    if decimals is not None and more < few:
        absolute = 0.51 * 10.0**-decimals
    return Tolerance(name, relative, absolute)


def _needed(v: Array, form: str, count: int) -> float:
    """How many of the numbers need all their digits, or decimals: most, if they were so printed."""
    return float(np.mean([float(f"{number:.{count - 1}{form}}") != number for number in v]))


def _fewest(v: Array, form: str, least: int = 1) -> int | None:
    """The fewest digits, at most 10, with which every number can be printed and read back."""
    return next((count for count in range(least, 11)
                 if all(float(f"{number:.{count}{form}}") == number for number in v)), None)
