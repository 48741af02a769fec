"""A statement: two sides, computed apart, the gap between them, and the bound that the gap must respect.

Symbols
    left, right   arrays, the two sides
    gap           |left - right|, where it is largest in units of the bound
    bound         what rounding (or the quadrature rule) can explain; computed from the sizes of the terms, not chosen

How exact a statement is, in the column `how`:
    exact         in rational numbers: the gap is the number 0
    rounding      in floating point: the bound is the sum of the roundings along both computations
    quadrature    exact expectations: the bound is 1e-12 of the sum of absolute terms
    enumeration   sums over all 2^d binary points: as for rounding
    differs       the two sides are NOT equal: the statement holds if the gap is far above the bound
"""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from refsm.typing import ArrayLike

__all__ = ["Statement", "equal", "differs", "UNIT", "QUADRATURE"]

UNIT = 2.0 ** -53           # the unit roundoff of float64
QUADRATURE = 1e-12          # relative accuracy that an exact expectation is held to
FAR = 100.0                 # two sides differ if the gap is this many bounds


@dataclass(frozen=True)
class Statement:
    """One identity (or one failure of an identity) with its evidence.

    >>> equal(1, "1 + 1 = 2", "by hand", 1.0 + 1.0, 2.0, bound=1e-15, how="rounding").holds
    True
    """

    number: int             # as in the README's list of identities
    name: str               # the identity in symbols
    where: str              # model, data, sigma
    left: Any               # float, or an exact rational
    right: Any
    gap: Any
    bound: float
    how: str

    @property
    def holds(self) -> bool:
        """Whether the gap respects the bound (or, for a statement that two sides differ, exceeds it by far)."""
        if self.how == "differs":
            return bool(self.gap > FAR * self.bound)
        return bool(self.gap <= self.bound)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, for JSON."""
        fields = asdict(self)
        for side in ("left", "right", "gap", "bound"):
            fields[side] = float(fields[side])
        return {**fields, "holds": self.holds}

    def __str__(self) -> str:
        sign = "!=" if self.how == "differs" else "="
        verdict = "holds" if self.holds else "FAILS"
        return (f"{self.number:2d}  {self.name}  [{self.where}]: {float(self.left):.9g} {sign} {float(self.right):.9g}, "
                f"gap {float(self.gap):.1e}, bound {self.bound:.1e} ({self.how}): {verdict}")


def equal(number: int, name: str, where: str, left: Any, right: Any, bound: Any, how: str) -> Statement:
    """The statement that two arrays agree entry by entry; it shows the entry whose gap is largest in units of its bound.

    A NaN on either side is a gap that no bound covers.
    """
    left, right, bound = np.broadcast_arrays(*(np.asarray(side) for side in (left, right, bound)))
    gap = np.asarray(abs(left - right))
    if gap.dtype == object:
        worst = int(np.argmax(gap))
    else:
        gap = np.where(np.isnan(gap), np.inf, gap)
        worst = int(np.argmax(gap / np.maximum(bound, np.finfo(float).tiny)))
    l, r, g, b = (side.ravel()[worst] for side in (left, right, gap, bound))
    return Statement(number, name, where, l, r, g, float(b), how)


def differs(number: int, name: str, where: str, left: float, right: float, bound: float) -> Statement:
    """The statement that two numbers are not equal: their gap is far above what rounding explains."""
    return Statement(number, name, where, left, right, abs(left - right), bound, "differs")


def relative_bound(*terms: ArrayLike) -> float:
    """1e-12 of the sum of the sizes of some terms: the bound of a statement in exact expectations."""
    return QUADRATURE * float(sum(np.sum(np.abs(term)) for term in terms))
