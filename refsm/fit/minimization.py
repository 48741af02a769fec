"""The minimum of an objective: a method of scipy.optimize in scaled parameters, Newton steps.

Symbols
    J                the objective;  theta (N,) the parameters, as one vector
    g      (N,)      its gradient
    D      (N,)      scales of the parameters;  size, h numbers: `refsm.fit.scaling`
    s      (N,)      units of the parameters;  unit (number) that of the value
    f                the value that SciPy sees, at phi (N,), and its gradient

Equations
    (1)  theta = s phi,   s = size D
    (2)  f = J / unit,    unit = h size^2,   with the gradient s g / unit

Derivation
    (1), (2)  A change of phi by 1 moves the model's score by as much as there is of it, and f has
              a mean curvature of 1: a tolerance of SciPy's means the same for every energy and in
              all units, and the gradient of f has the length of the scaled gradient.  s and unit
              are powers of 2, so that (1) and (2) are exact.

Method
    Beyond the parameters that the energy takes a method meets a barrier (`refsm.fit.barrier`).
    L-BFGS-B runs in rounds of ROUND iterations; the scales are measured anew after each, because
    they change with theta (that of a mean is 1 / precision).  After a round that gains little the
    leaves take a Newton step each, one after the other, which goes on as long as it pays: in the
    bent valley of a mean and a precision J is quadratic in either.  Where values agree to rounding,
    Newton steps go on (`refsm.fit.newton`) as long as each halves the scaled gradient.  A fit has
    converged where the scaled gradient is at most `tol`, the last Newton step was short (a long one
    says that the minimum is far, perhaps at infinity), and `refsm.fit.unbounded` finds no path on
    which J falls without end.
"""
from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from refsm import validation
from refsm.blocks import mapped
from refsm.energies.parameters import Parametric
from refsm.fit.barrier import Barrier, Point
from refsm.fit.descent import (NOT_FINITE, REFUSALS, Differentiable, check_pair, evaluated,
                               finite)
from refsm.fit.newton import newton_step
from refsm.fit.options import box_of, checked_options
from refsm.fit.run_record import Callback, Descent, Ended, Progress, RunRecord
from refsm.fit.scaling import Scaling, power_of_2
from refsm.fit.unbounded import collapse, downhill, fall
from refsm.typing import Array, Map

__all__ = ["minimize", "Minimum"]

Model = TypeVar("Model", bound=Parametric)

ROUND = 200              # iterations of L-BFGS-B between two measurements of the scales
MAXITER = 15000          # of L-BFGS-B, in all rounds
NEWTON_STEPS = 6
LITTLE = 1e-5            # the fall in a round, relative to the value, after which leaves are tried
PAYS = 10                # rounds whose fall a step of each leaf should make
FAST = 100               # a Newton step that makes the scaled gradient less smaller is no good one
WIDEST = 1e6             # ratio of two scales of one leaf, where those of `Scaling` do not serve
TOL = 1e-10
GOAL = 1e-13             # where Newton steps end, unless a tolerance is given
LEVEL = 1e-13            # values that differ by less, relatively, agree to rounding
FAR = 1e-3               # a Newton step that is longer, relative to the size, is no last step
LIMITS = {"maxiter", "maxfun", "maxfev"}
LIMIT = re.compile(r"limit|maximum|max\. number|exceed", re.IGNORECASE)
TOO_FAR = "a Newton step is still long: the minimum is far, perhaps at infinity"
NO_STEP = "no step makes the value smaller"
L_BFGS_B = {"ftol": 0.0, "maxcor": 20, "maxls": 40}


@dataclass(frozen=True, eq=False, repr=False)
class Minimum(Descent[Model]):
    """A `Descent` by `minimize`; `converged` where `scaled_gradient` is at most the tolerance."""

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
    why there is no minimum.  At a saddle the gradient vanishes too: a fit that starts on the way to
    one ends there as converged.  DescentInterrupted, a KeyboardInterrupt, at Ctrl-C, and
    DescentError where the value or gradient at `model` is not finite; both with the last good model
    in `.result`.

    >>> from refsm.energies.gaussian import Gaussian
    >>> from refsm.objectives.score_matching import ImplicitScoreMatching
    >>> result = minimize(ImplicitScoreMatching([[1.0], [3.0]]), Gaussian([0.0], [[3.0]]))
    >>> result.converged, result.model.mean.round(9), result.model.precision.round(9)
    (True, array([2.]), array([[1.]]))
    """
    record = RunRecord(model, callback)
    check_pair(J, record.model)
    goal = GOAL if tol is None else validation.positive(tol, "tol")
    box = box_of(bounds, record.model.ravel().size)
    line = Progress(None, progress)
    fit = _Fit(mapped(J, map), record, TOL if tol is None else goal, box, line)
    try:
        options = checked_options(method, options, more_options, bounds is not None)
        fit.start()
        reason = fit.search(method, options)
        if not reason:
            fit.finish(goal, at_once=tol is not None)
        return fit.judged(reason)
    except Ended as end:
        return fit.judged(str(end), search=False)
    except KeyboardInterrupt:
        raise record.interruption(Minimum) from None
    finally:
        line.close()


class _Reached(Exception):
    """The scaled gradient is at most the tolerance."""


class _Fit:
    """One run of `minimize`: the point where it is, and the scales there."""

    def __init__(self, J: Any, record: RunRecord, tol: float, box: tuple[Array, Array],
                 line: Progress) -> None:
        self.J, self.record, self.tol, self.box, self.line = J, record, tol, box, line
        self.reach = 0.0

    def start(self) -> None:
        """The first evaluation, within the bounds."""
        model = self.record.model
        theta = np.clip(model.ravel(), *self.box)
        model = model if np.array_equal(theta, model.ravel()) else model.unravel(theta)
        value, gradient = evaluated(self.J, model)
        if not finite(value, gradient):
            raise self.record.error(NOT_FINITE)
        self.barrier = Barrier(self.J, model, value, gradient)
        self.here, self.before = self.barrier.last, theta
        self.scaling = Scaling(self.J, model, self.barrier.gradient)
        self.contributions = self.contributed(model)
        self.record.add(model, value, gradient)

    def move(self, point: Point) -> None:
        """One iteration is done."""
        self.here = point
        self.record.add(point.model, point.value, point.gradient)
        self.line.show(self.record.length - 1, point.value, f"scaled gradient {self.size():.1e}")

    def rescale(self) -> None:
        """The scales at this point."""
        self.scaling = Scaling(self.J, self.here.model, self.barrier.gradient)

    def free(self, theta: Array, g: Array) -> Array:
        """Whether each parameter may move downhill (N,): it may not where it meets a bound."""
        least, greatest = self.box
        return ~(((theta <= least) & (g > 0)) | ((theta >= greatest) & (g < 0)))

    def size(self, point: Point | None = None) -> float:
        """The scaled gradient of the free parameters."""
        point = self.here if point is None else point
        g = point.model.ravel(point.gradient)
        return self.scaling.gradient_size(g * self.free(point.theta, g))

    # -- the method, in rounds --------------------------------------------------------------------

    def search(self, method: str, options: dict[str, Any]) -> str:
        """Run the method; the limit that ended it, in words, or nothing."""
        rounds = method == "L-BFGS-B" and not {"ftol", "gtol", "maxfun"} & set(options)
        options = {**L_BFGS_B, **options} if method == "L-BFGS-B" else options
        left, pays = options.get("maxiter", MAXITER), rounds
        while True:
            k, value, self.before = self.record.length, self.here.value, self.here.theta
            said = self.run(method, {**options, "maxiter": min(left, ROUND)} if rounds else options)
            self.rescale()
            left -= self.record.length - k
            endless = self.endless(edges=False)
            if endless or self.size() <= self.tol:
                return endless
            if not rounds or left <= 0:
                return said if LIMIT.search(said) and LIMITS & set(options) else ""
            fall = value - self.here.value
            if fall <= LEVEL * abs(value):
                return ""
            if pays and fall <= LITTLE * abs(value):
                pays = self.leaf_by_leaf() >= PAYS * fall
                if self.size() <= self.tol:
                    return ""

    def run(self, method: str, options: dict[str, Any]) -> str:
        """One run of SciPy's; what it says."""
        from scipy import optimize     # here, because it takes longer to import than all else

        s = power_of_2(self.scaling.size * self.scaling.D)                              # (N,)  (1)
        unit = power_of_2(self.scaling.h * self.scaling.size ** 2)                      # ()  (2)

        def f(phi: Array) -> tuple[float, Array]:
            value, g = self.barrier(s * phi)                                            # (N,)  (1)
            return value / unit, s * g / unit                                           # ()  (2)

        def iterate(phi: Array, *_: Any) -> None:
            self.move(self.barrier.at(s * phi))
            if self.size() <= self.tol:
                raise _Reached

        arguments: dict[str, Any] = {"options": options, "callback": iterate}
        if "gtol" not in options:
            arguments["tol"] = self.tol
        if any(np.isfinite(edge).any() for edge in self.box):
            arguments["bounds"] = optimize.Bounds(*(edge / s for edge in self.box))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = optimize.minimize(f, self.here.theta / s, jac=True, method=method,
                                          **arguments)
            if not np.array_equal(s * found.x, self.here.theta):
                iterate(found.x)
        except _Reached:
            return ""
        return str(found.message)

    def leaf_by_leaf(self) -> float:
        """A Newton step for each leaf; by how much the value falls."""
        value, sizes = self.here.value, [np.size(leaf) for leaf in self.here.model.theta]
        leaf_of = np.repeat(np.arange(len(sizes)), sizes)
        for k in range(len(sizes)):
            point = self.newton(self.wide(), leaf_of == k)
            if point is not None and point.value < self.here.value:
                self.move(point)
        self.rescale()
        self.reach = 0.0
        return value - self.here.value

    # -- the end ----------------------------------------------------------------------------------

    def finish(self, goal: float, at_once: bool) -> None:
        """Newton steps, as long as each halves the scaled gradient; none `at_once` at the goal."""
        for turn in range(NEWTON_STEPS):
            size, theta = self.size(), self.here.theta
            if size == 0 or (size <= goal and (turn or at_once)):
                return
            point = self.newton(self.wide())
            if self.fall(point) < FAST:
                point = max(point, self.newton(self.scaling), key=self.fall)
            if point is None or self.fall(point) < 2:
                return
            self.before = theta
            self.move(point)
            self.rescale()

    def wide(self) -> Scaling:
        """Scales at this point that may differ by more."""
        return Scaling(self.J, self.here.model, self.barrier.gradient, WIDEST)

    def fall(self, point: Point | None) -> float:
        """The scaled gradient here relative to that at a point; 0 where the value is larger."""
        unit = self.scaling.h * self.scaling.size ** 2
        if point is None or point.value - self.here.value > LEVEL * (abs(self.here.value) + unit):
            return 0.0
        size = self.size(point)
        return self.size() / size if size else np.inf

    def newton(self, scaling: Scaling, part: Any = True) -> Point | None:
        """The point after a Newton step of a part of theta; None where J is not finite there."""
        theta, g = self.here.theta, self.here.model.ravel(self.here.gradient)
        try:
            step = newton_step(self.barrier.gradient, theta, g, scaling,
                               self.free(theta, g) & part)
            self.reach = float(np.linalg.norm(step / self.scaling.D)) / self.scaling.size
            point = self.barrier.at(np.clip(theta + step, *self.box))
        except REFUSALS:
            return None
        return point if finite(point.value, point.gradient) else None

    def judged(self, reason: str, search: bool = True) -> Minimum[Any]:
        """The result, with the verdict and its reason in words."""
        size = self.size()
        small = size <= self.tol
        endless = self.endless(edges=not small) if search else ""
        far = self.reach > FAR
        why = endless or reason or (TOO_FAR if far else "" if small else NO_STEP)
        side = "at most" if small else "above"
        reached = f"the scaled gradient is {size:.1e}, {side} {self.tol:.0e}"
        return self.record.result(f"{why}; {reached}" if why else reached, Minimum,
                                  converged=small and not endless and not far, scaled_gradient=size)

    def endless(self, edges: bool) -> str:
        """How the value falls without end, in words, or nothing."""
        now, first = self.contributed(self.here.model), self.contributions
        found = "" if now is None or first is None else collapse(now, first)
        theta, g = self.here.theta, self.here.model.ravel(self.here.gradient)
        directions = downhill(theta, theta - self.before, g, self.scaling.D)
        return found or fall(self.value_at, theta, directions, edges)

    def contributed(self, model: Any) -> Array | None:
        """The contribution of each point to the value, where the objective has points."""
        if getattr(self.J, "weights", None) is None or not hasattr(self.J, "per_sample"):
            return None
        return np.asarray(self.J.weights * self.J.per_sample(model), dtype=float)

    def value_at(self, theta: Array) -> float:
        """The value, NaN beyond the bounds and where the energy refuses the parameters."""
        if not np.array_equal(np.clip(theta, *self.box), theta):
            return np.nan
        try:
            return float(self.barrier.at(theta).value)
        except REFUSALS:
            return np.nan
