"""A statement: two sides, computed apart, the gap between them, and the bound on that gap.

Symbols
    left, right   arrays, the two sides
    gap           |left - right|, where it is largest in units of the bound
    bound         what rounding, or the quadrature rule, can explain

How exact a statement is, in the column `how`:
    exact         in rational numbers: the gap is the number 0
    rounding      in floating point: the bound counts roundings of the terms of both sides
    quadrature    exact expectations: the bound is 1e-12 of the sum of absolute terms
    enumeration   sums over all 2^d binary points: as for rounding
    limit         a limit, a slope or a flow: the bound is an estimated error
    differs       the two sides are NOT equal: the statement holds if the gap exceeds 100 bounds

Which bounds are computed, and which numbers are chosen
    computed      statements 1, 6, 13, 15 and 31, on given data: the sizes of all terms and how many
                  roundings each has, and for 1 the propagation of every rounding (`rounding`)
    chosen        FUNCTION = 10 roundings for one sigmoid or slope (at most 6 are measured);
                  ROUNDINGS = 64, or 256 for posterior moments: more than the operations on the
                  longest path of a term, and small enough that an error of 1e-11 is seen;
                  QUADRATURE = 1e-12: the rules in use agree with rules of twice the size to 1e-13;
                  FAR = 100: what differs here differs by many more bounds than that
    measured      AMPLIFIED = 2, the growth of an error along the descents of statement 6, which is
                  below 1.1 in the tests
    estimated     the error of a limit: the change that the last step of the extrapolation makes;
                  of a flow: the change that a smaller tolerance makes
"""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from refsm.typing import Array, ArrayLike

__all__ = ["Statement", "differs", "equal", "relative_bound", "rounding_bound", "QUADRATURE",
           "ROUNDINGS", "UNIT"]

UNIT = 2.0 ** -53           # the unit roundoff of float64
ROUNDINGS = 64.0            # chosen: roundings allowed on the sum of absolute terms
QUADRATURE = 1e-12          # chosen: relative accuracy that an exact expectation is held to
FAR = 100.0                 # chosen: two sides differ if the gap is this many bounds


@dataclass(frozen=True)
class Statement:
    """One statement with its evidence.

    >>> equal(1, "1 + 1 = 2", "by hand", 1.0 + 1.0, 2.0, bound=1e-15, how="rounding").holds
    True
    """

    number: int             # as in the README's list of statements
    name: str               # the statement in symbols
    where: str              # model, data, sigma
    left: Any               # float, or an exact rational
    right: Any
    gap: Any
    bound: float
    how: str

    @property
    def holds(self) -> bool:
        """Whether the gap respects the bound (or, if two sides differ, exceeds it by far)."""
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
        return (f"{self.number:2d}  {self.name}  [{self.where}]: "
                f"{float(self.left):.9g} {sign} {float(self.right):.9g}, "
                f"gap {float(self.gap):.1e}, bound {self.bound:.1e} ({self.how}): {verdict}")


def equal(number: int, name: str, where: str, left: Any, right: Any, bound: Any,
          how: str) -> Statement:
    """The statement that two arrays agree entry by entry; it shows the worst entry.

    That is the entry whose gap is largest in units of its bound.  A NaN on either side is a gap
    that no bound covers.
    """
    sides = (np.asarray(side) for side in (left, right, bound))
    left, right, bound = np.broadcast_arrays(*sides)
    gap = np.asarray(abs(left - right))
    if gap.dtype == object:
        worst = int(np.argmax(gap))
    else:
        gap = np.where(np.isnan(gap), np.inf, gap)
        with np.errstate(over="ignore"):                # a gap where the bound is 0
            worst = int(np.argmax(gap / np.maximum(bound, np.finfo(float).tiny)))
    l, r, g, b = (side.ravel()[worst] for side in (left, right, gap, bound))
    return Statement(number, name, where, l, r, g, float(b), how)


def differs(number: int, name: str, where: str, left: float, right: float,
            bound: float) -> Statement:
    """The statement that two numbers differ: their gap is far above what rounding explains."""
    return Statement(number, name, where, left, right, abs(left - right), bound, "differs")


def relative_bound(*terms: ArrayLike) -> float:
    """1e-12 of the sum of the sizes of some terms: the bound of a statement in expectation."""
    return QUADRATURE * float(sum(np.sum(np.abs(term)) for term in terms))


def rounding_bound(*terms: ArrayLike, roundings: float = ROUNDINGS) -> Array:
    """Some roundings of the sum of the sizes of some terms, entry by entry."""
    return roundings * UNIT * sum(np.abs(np.asarray(term, dtype=float)) for term in terms)
