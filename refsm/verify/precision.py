"""In which precision the answers came: the rounding that a difference is measured in.

An answer is off by rounding when it is within `SAFETY` rounding units of the sum of absolute terms.  The unit is that of float64, or of
what the answers show themselves to be: numbers that float32 or float16 holds exactly, or numbers printed with few digits.
Answers can also be float64 numbers computed from float32 ones; that is tried last, and said.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from refsm.typing import Array

__all__ = ["Unit", "FLOAT64", "FLOAT32", "units"]

SAFETY = 100.0           # rounding units of the sum of absolute terms; right float32 losses of ours stay below 30 over a thousand case sets


@dataclass(frozen=True)
class Unit:
    """How far a right answer may be off: relative to the sum of absolute terms, and absolutely."""

    name: str
    relative: float
    absolute: float = 0.0

    def __call__(self, scale: Array) -> Array:
        return self.relative * scale + self.absolute


FLOAT64 = Unit("float64", SAFETY * 2.0**-53)
FLOAT32 = Unit("float32", SAFETY * 2.0**-24)
FLOAT16 = Unit("float16", SAFETY * 2.0**-11)
BFLOAT16 = Unit("bfloat16", SAFETY * 2.0**-8)
MIXED = Unit("float32 somewhere inside", SAFETY * 2.0**-24)


def units(values: Array, dtypes: Sequence[str] = ()) -> list[Unit]:
    """The units to try, the finest first.

    >>> [unit.name for unit in units(np.array([0.1, 0.2, 0.7]))]
    ['float64', 'float32 somewhere inside']
    >>> units(np.array([123.457, 0.333333]))[0].name
    '6 printed digits'
    """
    v = np.asarray(values, dtype=float)
    v = v[v != 0]
    if v.size < 2 or not np.isfinite(v).all():
        return [FLOAT64, MIXED]
    printed = _printed(v)
    if printed is not None:
        return [printed, Unit(f"{printed.name} of float32", FLOAT32.relative + printed.relative, printed.absolute)]
    for unit, kind in ((FLOAT16, np.float16), (FLOAT32, np.float32)):
        with np.errstate(over="ignore"):
            if (v.astype(kind).astype(float) == v).all():
                bits = v.astype(np.float32).view(np.uint32)
                return [BFLOAT16 if unit is FLOAT32 and not (bits & 0xFFFF).any() else unit]
    declared = set(dtypes) - {"float64", "longdouble", "float128"}
    return [FLOAT64, MIXED] if not declared - {"float32"} else [FLOAT64, MIXED, BFLOAT16 if "bfloat16" in declared else FLOAT16]


def _printed(v: Array) -> Unit | None:
    """The unit of numbers that were printed with few digits (as C's %g or %f does), if these were."""
    for digits in range(1, 11):
        if all(float(f"{number:.{digits}g}") == number for number in v):
            return Unit(f"{digits} printed digits", FLOAT64.relative + 0.51 * 10.0**(1 - digits)) if v.size > 3 else None
    for decimals in range(1, 11):
        if all(float(f"{number:.{decimals}f}") == number for number in v):
            return Unit(f"{decimals} printed decimals", FLOAT64.relative, 0.51 * 10.0**-decimals) if v.size > 3 else None
    return None
