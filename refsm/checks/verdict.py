"""A verdict on a claimed derivative, given what was measured: never a bare number.

Symbols
    claimed   (K,)    what the code under test returns, along K directions
    value     (K,)    the same as measured
    error     (K,)    what each measured value can be off by
    slope     number  how steeply f changes: what a derivative of 0 is compared with
    accuracy  number  the relative error that is asked for
    relative  number  the claim's relative error
    visible   number  the smallest relative error that would have been seen
    planted   number  the relative error of a planted mistake
    scalar    number  the best multiple: claimed is nearest to scalar times value
    rest      number  what is then left of it

Equations
    (1)  relative = |claimed - value| / |value|
    (2)  visible  = |error| / |value|
    (3)  planted  = the smaller of the relative errors of (1 + accuracy) claimed and of
                    (1 - accuracy) claimed
    (4)  scalar   = claimed.value / |value|^2
    (5)  rest     = |claimed - scalar value| / |claimed|

Derivation
    FAIL: relative exceeds both accuracy and visible.  PASS: it does not, visible is below accuracy,
    and the planted mistake (3) is seen, planted > visible.  Otherwise INCONCLUSIVE.  No absolute
    tolerance: the claim is compared with the norm of the measured values.
    Where claimed and value are both within |error| of 0 there is nothing to be relative to.  Then
    visible is |error| / slope, that is, compared with how f changes when x moves by its own size
    (or with |f|, where f does not change at all; only a claim of exactly 0 passes there).
    (4)  the least squares a of |claimed - a value|^2.

Conventions
    `scipy.optimize.check_grad` returns the norm of the difference, an absolute error, which has the
    scale of f: a right gradient can have a larger one than a halved gradient of a smaller f.
    Checkers with an absolute tolerance pass any small gradient, 0 included.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Sequence

import numpy as np

from refsm.checks.differences import norm
from refsm.typing import Array

__all__ = ["Report", "judge", "combined"]

VERDICTS = ["PASS", "INCONCLUSIVE", "FAIL"]          # from good to bad


@dataclass(frozen=True)
class Report:
    """What a check found; `str(report)` has it in words.

    `verdict` is PASS, FAIL or INCONCLUSIVE; `holds` is whether it is PASS.  Errors are relative.
    Where there are parts, the other fields are those of the worst one.
    """

    subject: str                        # what was checked
    verdict: str
    error: float                        # relative error of the claim
    visible: float                      # the smallest relative error that would have been seen
    accuracy: float                     # the relative error that was asked for
    scalar: float                       # the claim is nearest to this multiple of the derivative
    rest: float                         # what that multiple leaves, relative to the claim
    zero: bool                          # claim and derivative are 0 to the noise, and `visible`
    #                                     is relative to the changes of f
    method: str                         # complex step, differences, or exact
    step: float                         # largest step taken, in units of x; 0 for a complex step
    block: str = ""                     # the worst block of parameters
    entry: tuple[int, ...] | None = None    # its worst entry, where it was looked for
    note: str = ""                      # why the complex step was not used
    parts: tuple["Report", ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the verdict is PASS."""
        return self.verdict == "PASS"

    def __bool__(self) -> bool:
        raise TypeError("a report has no truth value; ask for report.holds or report.verdict")

    def __str__(self) -> str:
        first = f"{self.verdict}: {self.subject}, to {self.accuracy:.0e}"
        return "\n".join([first] + [part._line() for part in self.parts or (self,)])

    def _line(self) -> str:
        where = f"{self.subject} {self.block}".strip()
        how = self.method if self.step == 0 else f"{self.method}, steps up to {self.step:.0e}"
        note = f"; {self.note}" if self.note else ""
        return f"  {self.verdict:<12} {where}: {self._finding()} ({how}{note})"

    def _finding(self) -> str:
        if self.zero:
            return (f"zero, as is the derivative; {self.visible:.0e} of the changes of f "
                    "would have been seen")
        seen = f"relative error {self.error:.1e}, and {self.visible:.0e} would have been seen"
        if self.verdict != "FAIL":
            return seen
        at = ""
        if self.entry is not None:
            at = f", worst at {self.block}[{', '.join(map(str, self.entry))}]"
        return f"relative error {self.error:.1e}{at}; {self._multiple()}"

    def _multiple(self) -> str:
        if math.isnan(self.scalar):
            return "the derivative is 0"
        if self.rest <= max(10 * self.visible, self.accuracy):
            return f"you return {_times(self.scalar)} times the derivative"
        left = f"{self.rest:.0%}" if self.rest >= 0.01 else f"{self.rest:.1e}"
        return ("no multiple of the derivative: the nearest, "
                f"{_times(self.scalar)} times, leaves {left}")


def _times(scalar: float) -> str:
    """A factor with the digits in which it differs from 1."""
    if 0 < abs(scalar - 1) < 1e-3:
        return f"(1 {'+' if scalar > 1 else '-'} {abs(scalar - 1):.1e})"
    return f"{scalar:#.5g}"


def judge(subject: str, claimed: Array, value: Array, error: Array, slope: float, size: float,
          accuracy: float, **facts: Any) -> Report:
    """The verdict on a claim, equations (1) to (5).  `facts` are fields of the report.

    >>> claimed, value, error = np.array([0.5, 1.0]), np.array([1.0, 2.0]), np.array([1e-9, 1e-9])
    >>> half = judge("gradient", claimed, value, error, 1.0, 1.0, 1e-6, method="exact", step=0.0)
    >>> half.verdict, half.error, half.scalar
    ('FAIL', 0.5, 0.5)
    """
    claimed, value = np.ravel(claimed), np.ravel(value)
    floor, length, claim = norm(error), norm(value), norm(claimed)
    if max(length, claim) <= floor:
        reference = slope if slope > 0 else size
        visible = floor / reference if floor > 0 else 0.0
        passes = visible < accuracy and (slope > 0 or claim == 0)
        return Report(subject, "PASS" if passes else "INCONCLUSIVE", 0.0, visible, accuracy,
                      math.nan, math.nan, True, **facts)

    if length == 0:
        return Report(subject, "FAIL", math.inf, math.inf, accuracy, math.nan, math.nan, False,
                      **facts)

    def relative(c: Array) -> float:
        return norm(c - value) / length                                      # ()  (1)

    wrong, visible = relative(claimed), floor / length                       # ()  (2)
    more, less = relative((1 + accuracy) * claimed), relative((1 - accuracy) * claimed)
    planted = min(more, less)                                                # ()  (3)
    unit = value / length
    along = claimed @ unit
    scalar = float(along) / length                                           # ()  (4)
    rest = norm(claimed - along * unit) / claim if claim > 0 else 0.0        # ()  (5)
    if wrong > max(accuracy, visible):
        verdict = "FAIL"
    else:
        verdict = "PASS" if visible < accuracy and planted > visible else "INCONCLUSIVE"
    return Report(subject, verdict, wrong, visible, accuracy, scalar, rest, False, **facts)


def combined(subject: str, parts: Sequence[Report]) -> Report:
    """One report of several; its fields are those of the worst verdict with the largest error."""
    worst = max(parts, key=lambda part: (VERDICTS.index(part.verdict), part.error, part.visible))
    return replace(worst, subject=subject, parts=tuple(parts))
