"""Check a gradient or a Jacobian, as code or as an array, against the function that it belongs to.

Symbols
    f            the function;  x where it is differentiated: an array, or leaves
    u            a direction within one leaf: one entry, or a Gaussian one

Method
    Every entry where there are few parameters.  Otherwise, in EACH leaf, some Gaussian directions:
    an error e shows as u.e ~ N(0, |e|^2), compared with the size of that leaf's own derivatives, so
    a wrong leaf beside one 10^4 times larger is seen.  Where a leaf with many entries fails, its
    worst entry is looked for by halving.  What a verdict is: `refsm.checks.verdict`.
"""
from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Callable

import numpy as np

from refsm.checks.differences import norm
from refsm.checks.probe import Probe
from refsm.checks.vectors import (ParameterVector, accuracy_of, in_floats, numbers, on_vectors,
                                  source)
from refsm.checks.verdict import Report, combined, judge
from refsm.typing import Array, ArrayLike

__all__ = ["check_gradient", "check_jacobian"]

FEW = 24              # parameters that are all tried, one by one
DIRECTIONS = 5        # directions tried in each leaf otherwise


def check_gradient(f: Callable[[Any], Any], gradient: Any, x: Any, *, accuracy: float = 1e-6,
                   rng: np.random.Generator | None = None, complex_step: bool | None = None,
                   scale: float | None = None) -> Report:
    """Whether `gradient` is the derivative of the number f(x) with respect to x.

    x             an array, or a tuple, NamedTuple, list or dict of arrays, its leaves, which are
                  judged one by one; a list of numbers is an array.  f takes the same, in floating
                  point: whole numbers become float64, and a float32 x stays so, with f examined in
                  single precision
    gradient      a function of x, or the claimed derivative at x itself, with the leaves of x
    accuracy      the relative error that is asked for.  Errors are relative to the norm of a leaf's
                  derivative: entries far below it are seen only in a leaf of their own
    complex_step  None takes it where it agrees with differences, True insists, False avoids it
    scale         the largest step; None: the size of x, leaf by leaf

    ValueError where f or the gradient is not finite at x, or the gradient is not shaped as x.

    >>> x = np.array([1.0, 2.0, 3.0])
    >>> check_gradient(lambda x: (x * x).sum() / 2, lambda x: x, x).verdict
    'PASS'
    >>> report = check_gradient(lambda x: (x * x).sum() / 2, lambda x: x / 2, x)
    >>> report.verdict, report.error, report.scalar, report.entry
    ('FAIL', 0.5, 0.5, (2,))
    """
    check_functions(f=f)
    at = ParameterVector(x)
    accuracy = accuracy_of(accuracy)
    flat = on_vectors(f, at, "a number")
    claimed = at.ravel(gradient(at.x) if callable(gradient) else gradient, "gradient")
    groups = list(zip(at.slices, at.scales(scale)))
    probe = Probe(flat, at.vector, groups, complex_step, source(rng))
    every = len(at.vector) <= FEW
    parts = [_leaf(probe, claimed, k, every, accuracy, at.names[k], at.shapes[k])
             for k in range(len(groups))]
    return combined("gradient", parts)


def check_jacobian(f: Callable[[Array], Any], jacobian: Any, x: ArrayLike, *,
                   accuracy: float = 1e-6, rng: np.random.Generator | None = None,
                   complex_step: bool | None = None, scale: float | None = None) -> Report:
    """Whether `jacobian` is the derivative of the array f(x) with respect to the array x.

    Its shape is that of f(x), then that of x.  Arguments and errors as in `check_gradient`.  The
    error is relative to the norm of all entries.

    >>> check_jacobian(lambda x: x**2, lambda x: np.diag(2 * x), np.array([1.0, 2.0, 3.0])).holds
    True
    """
    check_functions(f=f)
    at = ParameterVector(numbers(x, "x"))
    accuracy = accuracy_of(accuracy)
    flat = on_vectors(f, at, "an array")
    outputs, inputs = np.shape(f(at.x)), at.shapes[0]
    claimed = jacobian(at.x) if callable(jacobian) else jacobian
    claimed = in_floats(claimed, "jacobian", outputs + inputs)
    claimed = claimed.reshape(math.prod(outputs), len(at.vector))
    group = at.slices[0], at.scales(scale)[0]
    probe = Probe(flat, at.vector, [group], complex_step, source(rng))
    every = len(at.vector) <= FEW
    report, gap = _judged("jacobian", probe, claimed, 0, every, accuracy, "")
    if report.verdict == "FAIL" and every:
        column, row = np.unravel_index(gap.argmax(), gap.shape)
        report = replace(report, entry=_index(row, outputs) + _index(column, inputs))
    return combined("jacobian", [report])


def check_functions(**named: Any) -> None:
    """TypeError for an argument that must be a function and is not."""
    for name, value in named.items():
        if not callable(value):
            raise TypeError(f"{name} must be a function, but it is of type {type(value).__name__}")


def _leaf(probe: Probe, claimed: Array, k: int, every: bool, accuracy: float, name: str,
          shape: tuple[int, ...]) -> Report:
    """The report on one leaf of a gradient."""
    report, gap = _judged("gradient", probe, claimed[None, :], k, every, accuracy, name)
    if report.verdict != "FAIL":
        return report
    worst = gap.argmax() if every else _worst_entry(probe, claimed, k)
    return replace(report, entry=_index(worst, shape))


def _judged(subject: str, probe: Probe, claimed: Array, k: int, every: bool, accuracy: float,
            name: str) -> tuple[Report, Array]:
    """The report on the rows of `claimed` (M, N) within one leaf; the gaps, a row per direction."""
    rows, scale = probe.groups[k]
    if every:
        directions = list(scale * np.eye(len(probe.x))[rows])
    else:
        directions = [probe.random(rows, scale) for _ in range(DIRECTIONS)]
    found = [probe.along(u, k) for u in directions]
    value, error, slope, size, step = (np.stack(column) for column in zip(*found))
    claims = np.stack([claimed @ u for u in directions])                    # (directions, M)
    report = judge(subject, claims, value, error, norm(slope), norm(size), accuracy,
                   method=probe.method, step=float(step.max()), block=name, note=probe.why_not)
    return report, abs(claims - value)


def _worst_entry(probe: Probe, claimed: Array, k: int) -> int:
    """The entry of a leaf with the largest error, found by halving."""
    rows, scale = probe.groups[k]
    while rows.stop - rows.start > 1:
        middle = (rows.start + rows.stop) // 2
        halves = slice(rows.start, middle), slice(middle, rows.stop)
        gaps = []
        for half in halves:
            u = probe.random(half, scale)
            gaps.append(abs(claimed @ u - probe.along(u, k).value[0]))
        rows = halves[int(gaps[1] > gaps[0])]
    return rows.start - probe.groups[k][0].start


def _index(flat: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(flat), shape))
