"""Whether an objective falls without end: along a straight path, or onto a few points.

Symbols
    J       the objective, as a function of theta (N,), NaN where it refuses theta
    p (N,)  a direction
    t       numbers, how far along p
    c (n,)  the contributions w_n term_n of the points to the value

Equations
    (1)  t_k = 2^k,                  k = 0, 1, ..., 59
    (2)  t_k = T (1 - 2^-k),         k = 1, 2, ..., 40;  J is defined for t < T and refused at T
    (3)  share = ( sum of the m least c_n ) / sum_n c_n,  m = n / 20

Method
    p is downhill in one parameter, the one in which J is steepest.
    Along (1) and (2) J falls without end, as far as can be seen, if it falls at the first steps,
    more than half of all, and no fall is smaller than the one before (by 5 % or more): so falls a
    power of t or a logarithm, and so does a function with a pole at the edge T of what the energy
    takes, but no function that levels off like t^-a with a > 0.08: its falls shrink by 2^-a.
    (3) is for densities that collapse onto points or lines of the data.  There implicit score
    matching tends to minus infinity on a curved path, on which means and covariances move together;
    rounding ends it at some large negative value, nearly all of it the contributions of few points.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from refsm.fit.state import FitState
from refsm.typing import Array

__all__ = ["endless", "fall", "collapse"]

DOUBLINGS = 60
HALVINGS = 40
SHRINKS = 0.95           # a fall that is smaller than this times the last one levels off
FEW = 20                 # one point in 20
SHARE = 0.99
GROWTH = 1e4             # times the contributions at the start


def endless(fit: FitState, edges: bool) -> str:
    """A sentence on how the value falls without end, else empty; at `edges` of the domain too."""
    theta, _, _, g = fit.here
    far = np.maximum(fit.scaling.D, abs(theta))
    k, p = np.argmax(abs(g) * far), np.zeros_like(g)
    p[k] = -np.copysign(far[k], g[k])
    now, at_start = (_contributions(fit.J, point.model) for point in (fit.here, fit.start))
    return collapse(now, at_start) or fall(fit.value_at, theta, p, edges)


def fall(J: Callable[[Array], float], theta: Array, p: Array, edges: bool = True) -> str:
    """A sentence on how J falls from theta along p without end, empty where it does not.

    >>> fall(lambda theta: -theta[0], np.array([1.0]), np.array([1.0]))
    'unbounded below: along a line the value falls from -1 to -5.8e+17'
    >>> fall(lambda theta: theta[0] ** 2, np.array([1.0]), np.array([-1.0]))
    ''
    """
    here = J(theta)
    paths = [2.0 ** np.arange(DOUBLINGS)]                                               # (60,)  (1)
    for t in paths + [_to_the_edge(J, theta, p)] if edges else paths:
        last = _last_of_endless(J, theta, p, t, here)
        if last < here:
            return f"unbounded below: along a line the value falls from {here:.3g} to {last:.2g}"
    return ""


def collapse(contributions: Array, at_start: Array) -> str:
    """A sentence where few points have nearly all of a large negative value, else empty."""
    n, value = len(contributions), contributions.sum()
    m = max(n // FEW, 1)
    if not value < -GROWTH * abs(at_start).sum():
        return ""
    share = np.sort(contributions)[:m].sum() / value                                    # ()  (3)
    if not share >= SHARE:
        return ""
    return (f"unbounded below, as far as can be seen: the energy collapses onto {m} or fewer "
            f"of the {n} points, which have {min(share, 1):.0%} of the value {value:.3g}")


def _contributions(J: Any, model: Any) -> Array:
    """c (n,); none where the objective has no points."""
    if getattr(J, "weights", None) is None or not hasattr(J, "per_sample"):
        return np.zeros(0)
    return np.asarray(J.weights * J.per_sample(model), dtype=float)


def _to_the_edge(J: Callable[[Array], float], theta: Array, p: Array) -> Array:
    """The t of (2), or none where J is defined along the whole ray."""
    inside, beyond = 0.0, 1.0
    while np.isfinite(J(theta + beyond * p)):
        inside, beyond = beyond, 2 * beyond
        if beyond > 2.0 ** DOUBLINGS:
            return np.zeros(0)
    for _ in range(DOUBLINGS):
        middle = (inside + beyond) / 2
        if np.isfinite(J(theta + middle * p)):
            inside = middle
        else:
            beyond = middle
    return inside * (1 - 2.0 ** -np.arange(1, HALVINGS + 1))                            # (40,)  (2)


def _last_of_endless(J: Callable[[Array], float], theta: Array, p: Array, t: Array,
                     here: float) -> Any:
    """The last value of a fall over more than half of the path, else the first value."""
    values = [here]
    for step in t:
        value = J(theta + step * p)
        falls = values[-1] - value
        if not falls > 0 or (len(values) > 2 and falls < SHRINKS * (values[-2] - values[-1])):
            break
        values.append(value)
    return values[-1] if len(values) > 1 + len(t) / 2 else here
