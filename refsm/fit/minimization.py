"""The minimum of an objective by a method of scipy.optimize, and a verdict on it.

The order of a fit:

    checks    of the bounds, the method and its options              refsm.fit.options
    search    the method, in scaled parameters and in rounds         refsm.fit.rounds
    end       Newton steps, where values agree to rounding           refsm.fit.newton
    verdict   here: a fit has converged where the scaled gradient is at most `tol`, the last Newton
              step was short (a long one says that the minimum is far, perhaps at infinity), no path
              is found on which J falls without end (`refsm.fit.unbounded`), and no direction of
              negative curvature (`refsm.fit.scaling`)
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from refsm import validation
from refsm.blocks import mapped
from refsm.energies.parameters import Parametric
from refsm.fit.descent import REFUSALS, Differentiable, check_pair
from refsm.fit.newton import finish
from refsm.fit.options import box_of, checked_options
from refsm.fit.rounds import search
from refsm.fit.run_record import Callback, Descent, Ended, Progress, RunRecord
from refsm.fit.scaling import least_curvature
from refsm.fit.state import FitState
from refsm.fit.unbounded import endless
from refsm.typing import Map

__all__ = ["minimize", "Minimum"]

Model = TypeVar("Model", bound=Parametric)

TOL = 1e-10
GOAL = 1e-13             # where Newton steps end, unless a tolerance is given
FAR = 1e-3               # a Newton step that is longer, relative to the size, is no last step
TOO_FAR = "a Newton step is still long: the minimum is far, perhaps at infinity"
NO_STEP = "no step makes the value smaller"
SADDLE = "a saddle: along some direction the curvature is negative"
NEGATIVE = 1e-3          # a curvature below minus this, relative to h, is no error of differences


@dataclass(frozen=True, eq=False, repr=False)
class Minimum(Descent[Model]):
    """A `Descent` by `minimize`, with the scaled gradient at its end."""

    scaled_gradient: float = np.nan


def minimize(J: Differentiable, model: Model | Descent[Model], method: str = "L-BFGS-B",
             callback: Callback[Model] | None = None, *, bounds: Any = None,
             tol: float | None = None, options: dict[str, Any] | None = None,
             progress: bool | None = None, map: Map = map, **more_options: Any) -> Minimum[Model]:
    """The minimum of J that a method of scipy.optimize.minimize finds from `model` on.

    model     an energy, or the result of an earlier run, whose history is continued
    method    the name of a method of scipy.optimize.minimize
    callback  called as in `gradient_descent`, once per iteration
    bounds    as SciPy's: a pair (least, greatest) per entry of model.ravel(), None for no bound
    tol       the scaled gradient at which the fit has converged (1e-10)
    options   the method's own (maxiter, gtol, ...), also as keywords; its tolerances are in scaled
              parameters.  ValueError, before the fit starts, for an option that it does not have
    progress  whether a line is shown on stderr; None: on a terminal
    map       evaluates the blocks of J: `pool.map`, for threads or processes; the same bits

    The result has `.converged` and, in words, `.message`: the scaled gradient that was reached, or
    why there is no minimum; an energy that starts with W = 0, say, may end at a saddle.
    DescentInterrupted, a KeyboardInterrupt, at Ctrl-C, and DescentError where the value or gradient
    at `model` is not finite; both with the last good model in `.result`.

    >>> from refsm.energies.gaussian import Gaussian
    >>> from refsm.objectives.score_matching import ImplicitScoreMatching
    >>> result = minimize(ImplicitScoreMatching([[1.0], [3.0]]), Gaussian([0.0], [[3.0]]))
    >>> result.converged, result.model.mean.round(9), result.model.precision.round(9)
    (True, array([2.]), array([[1.]]))
    """
    record = RunRecord(model, callback)
    check_pair(J, record.model)
    at_most, goal = (TOL, GOAL) if tol is None else [validation.positive(tol, "tol")] * 2
    box = box_of(bounds, record.model.ravel().size)
    line = Progress(None, progress)
    try:
        options = checked_options(method, options, more_options, bounds is not None)
        fit = FitState(mapped(J, map), record, box, line)
        fit.move(fit.here)
        reason = search(fit, method, options, at_most)
        if not reason:
            finish(fit, goal)
        return _judged(fit, at_most, reason)
    except Ended as end:
        return _judged(fit, at_most, str(end), search=False)
    except KeyboardInterrupt:
        raise record.interruption(Minimum) from None
    finally:
        line.close()


def _judged(fit: FitState, tol: float, reason: str, search: bool = True) -> Minimum[Any]:
    """The result, with the verdict and its reason in words."""
    size = fit.size()
    small, far = size <= tol, fit.reach > FAR
    found = endless(fit, edges=not small) if search else ""
    if search and small and not far:
        found = found or _saddle(fit)
    why = found or reason or (TOO_FAR if far else "" if small else NO_STEP)
    reached = f"the scaled gradient is {size:.1e}, {'at most' if small else 'above'} {tol:.0e}"
    return fit.record.result(f"{why}; {reached}" if why else reached, Minimum,
                             converged=small and not found and not far, scaled_gradient=size)


def _saddle(fit: FitState) -> str:
    """A sentence where a curvature is negative, and the place where the gradient is 0 near."""
    D = fit.scaling.D * fit.free(fit.here)
    try:
        least = least_curvature(fit.barrier.gradient, fit.here.theta, D, fit.scaling.size)
    except REFUSALS:
        return ""
    return SADDLE if least < -fit.scaling.h * max(NEGATIVE, fit.size() / FAR) else ""
