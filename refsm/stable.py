"""Functions of one number whose textbook form loses digits, in a form that keeps them.

Each function states its textbook form, where that form fails, the equality used instead, and its
measured error.  Errors are relative: the largest that a search over |a| <= 1e4 found against
longdouble, rounded up, in units in the last place of the result, however small the result is
(subnormal results included).

All functions take arrays of real or complex numbers; integers and numbers narrower than float64 are
widened.  The complex forms are analytic continuations along the real axis (no `abs` of a complex
number), so that a complex step passes through them.
"""
from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from refsm.typing import Array

__all__ = ["softplus", "sigmoid", "sigmoid_slope", "sigmoid_bend", "sigmoid_and_slope",
           "log_sum_exp", "exp", "log_cosh", "tanh_slope", "log1p_half_square", "student_and_slope"]

LARGE = 700.0      # exp(a) is finite for a <= 709.78 in float64 (and far beyond in longdouble)


def _floating(a: Array) -> Array:
    """The array in float64, or unchanged where it is wider or holds objects."""
    a = np.asarray(a)
    return a if a.dtype == object else a.astype(np.result_type(a.dtype, np.float64), copy=False)


def softplus(a: Array) -> Array:
    """log(1 + exp(a)), elementwise.

    Textbook form: log(1 + exp(a)).  It overflows for a > 709.78, and for a < -37 it returns 0 where
    the value is exp(a).  Here: max(a, 0) + log(1 + exp(-|a|)).  Error: 1.8 units.

    >>> float(softplus(np.array(-40.0)))
    4.248354255291589e-18
    """
    a = _floating(a)
    if np.iscomplexobj(a):
        return np.where(a.real > 0, a, 0) + np.log1p(np.exp(_minus_abs(a)))
    tail = np.log1p(np.exp(-np.abs(a)))
    return np.maximum(a, 0) + tail


def sigmoid_and_slope(a: Array) -> tuple[Array, Array]:
    """sigmoid(a) and its derivative, from one exponential.

    With e = exp(a) and t = 1 / (1 + e) = sigmoid(-a), the sigmoid is e t and its slope is e t t:
    products of positive numbers, so nothing cancels at either end.  exp(a) overflows for
    a > 709.78; there e = exp(-|a|) instead, and for a > 0 the sigmoid is t, the slope e t t.
    Complex numbers always take this second form, in which a small imaginary part keeps its digits
    too.  Errors: 3 and 5.2 units.

    >>> s, slope = sigmoid_and_slope(np.array([0.0, 40.0]))
    >>> float(s[0]), float(slope[0]), bool(0 < slope[1] < 1e-17)
    (0.5, 0.25, True)
    """
    a = _floating(a)
    if np.iscomplexobj(a) or a.size and a.max() > LARGE:
        e = np.exp(_minus_abs(a))
        t = 1 / (1 + e)
        s = np.where(a.real > 0, t, e * t)
        return s, e * t * t
    s = np.asarray(np.exp(a))            # e, then e t; in place, because new arrays cost time
    slope = np.asarray(s + 1)            # 1 + e, then t, then e t t
    np.divide(1, slope, out=slope)
    s *= slope
    slope *= s
    return s, slope


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)), elementwise.

    Textbook form: as above; it overflows for a < -709.78.  The popular (1 + tanh(a/2)) / 2 is
    exactly 0 at a = -40, where the value is 4.248e-18.  Here: exp(a) / (1 + exp(a)).  Error: 3
    units.

    >>> float(sigmoid(np.array(-40.0)))
    4.248354255291589e-18
    """
    return sigmoid_and_slope(a)[0]


def sigmoid_slope(a: Array) -> Array:
    """d sigmoid / d a = sigmoid(a) sigmoid(-a), elementwise.

    Textbook form: s (1 - s).  It is exactly 0 for a > 37, where the value is exp(-a).  Here:
    e / (1 + e)^2 with e = exp(a) or exp(-a), whichever does not overflow.  Error: 5.2 units.

    >>> float(sigmoid_slope(np.array(0.0))), bool(0 < sigmoid_slope(np.array(40.0)) < 1e-17)
    (0.25, True)
    """
    return sigmoid_and_slope(a)[1]


def sigmoid_bend(a: Array, slope: Array | None = None) -> Array:
    """d^2 sigmoid / d a^2, elementwise; `slope` is sigmoid_slope(a), if it has been computed.

    Textbook form: s (1 - s) (1 - 2 s).  Besides the fault of s (1 - s), the factor 1 - 2 s has no
    correct digit for |a| < 1e-16.  Here: 1 - 2 sigmoid(a) = -tanh(a/2).  Error: 6.2 units.

    >>> float(sigmoid_bend(np.array(2.0**-60))) == -2.0**-63             # near 0 it is -a / 8
    True
    """
    a = _floating(a)
    if slope is None:
        slope = sigmoid_slope(a)
    bend = np.asarray(a / -2)
    np.tanh(bend, out=bend)
    bend *= slope
    return bend


def log_sum_exp(a: Array, axis: int = -1) -> Array:
    """log(sum_k exp(a_k)) along an axis.

    Textbook form: as above; it overflows for a > 709.78 and is -inf where all a < -746.  Here:
    A + log(sum_k exp(a_k - A)) with the largest entry A.  All entries -inf (a sum of zeros) give
    -inf.  Error along the last axis: 3 units of the largest of |A|, 1 and the size of the
    result, for |a| <= 1e8.

    >>> round(float(log_sum_exp(np.array([-1000.0, -1000.0])) + 1000), 9)   # log 2
    0.693147181
    """
    a = _floating(a)
    top = a.real.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    total = np.exp(a - top).sum(axis=axis)
    with np.errstate(divide="ignore"):
        return np.log(total) + np.squeeze(top, axis=axis)


def exp(a: Array) -> Array:
    """exp(a), elementwise; for exact rationals only exp(0) = 1, which is the one rational value.

    >>> float(exp(np.array(0.0)))
    1.0
    """
    a = _floating(a)
    if a.dtype != object:
        with np.errstate(over="ignore"):                 # infinity is the right value there
            return np.exp(a)
    if (a != 0).any():
        raise ValueError("a must be 0 wherever it is an exact rational, "
                         "because exp of any other rational is irrational")
    return np.full(a.shape, Fraction(1))


def log_cosh(a: Array) -> Array:
    """log(cosh(a)), elementwise.

    Textbook form: as above; it overflows for |a| > 710, and for |a| < 1e-8 it returns 0 where the
    value is a^2 / 2.  Here: log1p(2 sinh(a/2)^2), and where that would overflow |a| - log 2.
    Error: 3.5 units.

    >>> float(log_cosh(np.array(2.0**-40))) == 2.0**-81, float(log_cosh(np.array(1e3)))
    (True, 999.3068528194401)
    """
    a = _floating(a)
    beyond = _beyond(a, np.log)
    if beyond.any():
        log_2 = np.log(a.real.dtype.type(2))
        return np.where(beyond, -_minus_abs(a) - log_2, log_cosh(np.where(beyond, 0, a)))
    half = np.sinh(a / 2)
    return np.log1p(2 * half * half)


def tanh_slope(a: Array) -> Array:
    """d tanh / d a = 1 / cosh(a)^2, elementwise.

    Textbook forms: 1 - tanh(a)^2 is exactly 0 for |a| > 19, where the value is 4 exp(-2 |a|); in
    1 / cosh(a)^2 the square overflows for |a| > 355.6.  Here: (1 / cosh(a))^2, which is rounded to
    0 from |a| = 373.3 on, and so where cosh overflows.  Error: 4.6 units.

    >>> float(tanh_slope(np.array(0.0))), bool(0 < tanh_slope(np.array(40.0)) < 1e-34)
    (1.0, True)
    """
    a = _floating(a)
    if np.iscomplexobj(a) and (beyond := _beyond(a, np.log)).any():   # 1 / cosh is nan there
        return np.where(beyond, 0, tanh_slope(np.where(beyond, 0, a)))
    with np.errstate(over="ignore"):                     # 1 / cosh is 0 there
        slope = np.asarray(np.cosh(a))                   # in place: 1 / cosh, then its square
    np.divide(1, slope, out=slope)
    slope *= slope
    return slope


def log1p_half_square(a: Array) -> Array:
    """log(1 + a^2 / 2), elementwise.

    Textbook form: as above; it returns 0 for |a| < 1e-8, where the value is a^2 / 2, and overflows
    for |a| > 1.3e154.  Here: log1p(a^2 / 2), and where that would overflow 2 log|a| - log 2.
    Error: 1.7 units.

    >>> float(log1p_half_square(np.array(2.0**-40))) == 2.0**-81
    True
    """
    a = _floating(a)
    beyond = _beyond(a, np.sqrt)
    if beyond.any():
        far = 2 * np.log(-_minus_abs(np.where(beyond, a, 1))) - np.log(a.real.dtype.type(2))
        return np.where(beyond, far, log1p_half_square(np.where(beyond, 0, a)))
    return np.log1p(a * a / 2)


def student_and_slope(a: Array) -> tuple[Array, Array]:
    """a / (1 + a^2 / 2), the derivative of log(1 + a^2 / 2), and its own derivative, elementwise.

    With h = 2 / (2 + a^2) they are s = a h and h - s^2.  Textbook form: as above; for |a| > 1.3e154
    a^2 overflows, and s would be 0, where it is 2 / a.  Here: 2 / a and -2 / a^2 there.  Errors:
    2.6 units, and for the slope 9.6 units of h, because it vanishes at a^2 = 2.

    >>> s, slope = student_and_slope(np.array([1.0, 1e200]))
    >>> s.tolist(), round(float(slope[0]), 9)
    ([0.6666666666666666, 2e-200], 0.222222222)
    """
    a = _floating(a)
    if a.dtype != object and (beyond := _beyond(a, np.sqrt)).any():
        s, slope = student_and_slope(np.where(beyond, 0, a))
        far = 2 / np.where(beyond, a, 1)
        return np.where(beyond, far, s), np.where(beyond, -far * far / 2, slope)
    h = np.asarray(a * a)                # a^2, then 2 + a^2, then h; in place
    h += 2
    two: Any = Fraction(2) if a.dtype == object else 2
    np.divide(two, h, out=h)
    s = np.asarray(a * h)
    slope = np.asarray(s * s)
    np.subtract(h, slope, out=slope)
    return s, slope


def _beyond(a: Array, inverse: Callable) -> Array:
    """Where f(|a|) overflows, given the inverse of f; one False where no entry is so large."""
    if a.size == 0:
        return np.zeros((), dtype=bool)
    largest = inverse(np.finfo(a.dtype).max)
    if max(a.real.max(), -a.real.min()) <= largest:
        return np.zeros((), dtype=bool)
    return np.abs(a.real) > largest


def _minus_abs(a: Array) -> Array:
    """-|a|; for complex numbers near the real axis -a or a, whichever has a negative real part."""
    return np.where(a.real > 0, -a, a) if np.iscomplexobj(a) else -np.abs(a)
