"""Derivatives of one function at one point: by complex step where that is right, or differences.

Symbols
    f            a function of a vector, with M outputs
    x   (N,)     where it is differentiated
    u   (N,)     a direction within one group of entries (one block of parameters)
    H   number   the complex step, 2^-100
    value (M,)   the derivative along u

Equations
    (1)  value = Im f(x + i H u) / H

Derivation
    Taylor: f(x + i H u) = f(x) + i H f'(x) u - H^2 (...) / 2.  No numbers of equal size are
    subtracted, so H may be as small as one likes and the error is one of rounding alone.  But f
    must be analytic IN ITS CODE: abs, norm and vdot are not, and give a wrong derivative (often 0)
    without a word.  Hence (1) is first compared with differences, along one direction in each
    group.

Sources
    Squire & Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review
    40 (1998).
"""
from __future__ import annotations

import warnings
from typing import Sequence

import numpy as np

from refsm.checks.differences import Function, Measured, differences
from refsm.typing import Array

__all__ = ["Probe", "Group"]

H = 2.0 ** -100
ROUNDING = 16                           # machine epsilons allowed for a complex step
Group = tuple[slice, float]             # some entries of x, and the size of a step in them


class Probe:
    """Measures derivatives of f at x along directions within the groups.

    `complex_step` None: where it agrees with differences; True: insist (ValueError where it does
    not); False: never.  `why_not` says in words why differences are used.
    """

    def __init__(self, f: Function, x: Array, groups: Sequence[Group], complex_step: bool | None,
                 rng: np.random.Generator) -> None:
        self.f, self.x, self.groups, self.rng = f, x, groups, rng
        self._by_differences: list[Measured] = []
        self.why_not = "as asked" if complex_step is False else self._compared()
        if complex_step and self.why_not:
            raise ValueError("complex_step must be None or False for this f, but it is True: "
                             f"{self.why_not}")

    @property
    def method(self) -> str:
        """How derivatives are measured, in words."""
        return "differences" if self.why_not else "complex step"

    def random(self, entries: slice, scale: float) -> Array:
        """A Gaussian direction (N,) within some entries."""
        u = np.zeros_like(self.x)
        u[entries] = scale * self.rng.standard_normal(u[entries].shape)
        return u

    def along(self, u: Array, group: int) -> Measured:
        """The derivative along a direction u (N,) within one group."""
        if self.why_not:
            return differences(self.f, self.x, u)
        value = self._complex(u)
        there = self._by_differences[group]
        rounding = ROUNDING * np.finfo(value.dtype).eps
        error = rounding * np.maximum(abs(value), there.slope)
        return there._replace(value=value, error=error, step=np.zeros(len(value)))

    def _complex(self, u: Array) -> Array:
        return self.f(self.x + 1j * (H * u)).imag / H                        # (M,)  (1)

    def _compared(self) -> str:
        """Empty where the complex step agrees with differences in every group, else why not."""
        if self.x.dtype.itemsize < 8:
            return "x is in single precision"
        first, again = self.f(self.x), self.f(self.x)
        if not np.array_equal(first, again):                # a complex step would hide the noise
            return (f"f differs by {abs(first - again).max():.1e} between two calls at x: "
                    "draw what is random outside of it")
        for group in range(len(self.groups)):
            u = self.random(*self.groups[group])
            there = differences(self.f, self.x, u)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    value = self._complex(u)
            except Exception as error:      # whatever f raises for complex numbers, it is no help
                return f"f does not take complex numbers ({type(error).__name__})"
            if not (abs(value - there.value) <= there.error).all():
                return ("the complex step disagrees with differences, "
                        "so f uses abs, norm, vdot or the like")
            self._by_differences.append(there)
        return ""
