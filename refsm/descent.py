"""Follow a gradient down: a plain loop with momentum, and the bridge to scipy.optimize.

Symbols
    J                  the objective;  theta the parameters, block by block
    g                  its gradient at theta
    k                  how many steps are done
    rate               the rate at step k, in the units of theta^2 / J
    momentum  number   in [0, 1)
    v                  velocity, shaped as theta
    w     (n,)         the weights of the points
    share number       the weight of all points divided by that of a batch
    f                  the value that scipy sees

Equations
    (1)  v     <- momentum v - rate g,  v = 0 before the first step
    (2)  theta <- theta + v
    (3)  J on a batch = share sum_{n in batch} w_n term_n,  share = sum_n w_n / sum_{n in batch} w_n
    (4)  beyond the parameters that the energy takes:  f = highest + |rise|,  rise = g.(theta - theta_last),  gradient sign(rise) g

Derivation
    (1), (2)  Polyak's heavy ball.  With constant rate the displacement of a step is momentum times the last one, minus rate g.
    (3)       each batch keeps the total weight, so a rate means the same for batches of any size; with equal shares of the weight in disjoint
              batches the mean over batches is J.
    (4)       theta_last is the last point with a finite value, g its gradient, `highest` the largest value so far: a convex barrier, higher than all
              that was accepted, that turns a line search back.  Infinity would turn it back too, but line searches interpolate.

Conventions
    Some write v <- momentum v + g, theta <- theta - rate v: the same for a constant rate, another path when the rate changes.
    Others damp, v <- momentum v - (1 - momentum) rate g, or look ahead (Nesterov).

Sources
    Polyak, Some methods of speeding up the convergence of iteration methods, USSR Comput. Math. Math. Phys. 4 (1964): (1), (2).
"""
from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import Any, Callable, Sequence

import numpy as np

from refsm import validation
from refsm.run_record import Callback, Descent, DescentError, Progress, RunRecord
from refsm.typing import Array, ArrayLike

__all__ = ["gradient_descent", "minimize", "Descent", "Minimum", "DescentError"]

REFUSALS = (ValueError, ArithmeticError, np.linalg.LinAlgError)    # what an energy raises for parameters that it does not take
NOT_FINITE = "the value or its gradient is not finite"


@dataclass(frozen=True, eq=False)
class Minimum(Descent):
    """Where scipy.optimize got, and what it says."""

    converged: bool = False
    message: str = ""

    @property
    def value(self) -> float:
        """The value at `model`."""
        return float(self.history.value[-1])

    @property
    def gradient_norm(self) -> float:
        """The length of the gradient at `model`."""
        return float(self.history.gradient_norm[-1])


def gradient_descent(J: Any, model: Any, *, steps: int, rate: float | Callable[[int], float], momentum: float = 0.0, callback: Callback | None = None,
                     batches: Sequence[ArrayLike] | None = None, progress: bool | None = None) -> Descent:
    """Some steps (1), (2) down the gradient of J, from `model` on.

    `rate` is a number > 0 or a function of k = 0, 1, ... (>= 0); `batches` a sequence of index arrays, used in turn (3);
    `callback(k, model, value, gradient_norm)` is called for k = 0, ..., steps.  `progress` shows a line on stderr; None: where that is a terminal.
    Ctrl-C ends the run and returns what is done, `interrupted`.

    DescentError, with the last good model in its `.result`, at the first value or gradient that is not finite and at parameters that the energy
    refuses.  ValueError or TypeError for bad arguments.

    J = 1/2 (x - mean)^2 for a Gaussian of precision 1 at x = 3, from mean 1: each step of rate 1/2 halves the distance.

    >>> from refsm.energies.gaussian import Gaussian
    >>> from refsm.objectives.score_matching import ExplicitScoreMatching
    >>> J = ExplicitScoreMatching([[3.0]], data_score=[[0.0]])
    >>> result = gradient_descent(J, Gaussian([1.0], [[1.0]]), steps=1, rate=0.5)
    >>> float(result.history.value[0]), result.model.mean
    (2.0, array([2.]))
    """
    _belong(J, model)
    steps = validation.count(steps, "steps")
    momentum = validation.not_negative(momentum, "momentum")
    if momentum >= 1:
        raise ValueError(f"momentum must be in [0, 1), but it is {momentum}")
    schedule = rate if callable(rate) else _constant(rate)
    shares = [(None, 1)] if batches is None else [_share(J, batch, f"batches[{i}]") for i, batch in enumerate(batches)]
    if not shares:
        raise ValueError("batches must have at least one batch, but there is none")
    record, line = RunRecord(model, callback), Progress(steps, sys.stderr.isatty() if progress is None else progress)
    v: list[Any] = [0] * len(model.theta)
    try:
        for k in range(steps + 1):
            batch, share = shares[k % len(shares)]
            value, gradient = _evaluated(J if batch is None else J.take(batch), model)
            value, g = share * value, [share * block for block in gradient]                         # (3)
            if not _finite(value, g):
                raise record.error(NOT_FINITE)
            record.add(model, value, g)
            line.show(k, value)
            if k < steps:
                r = validation.not_negative(schedule(k), "rate(k)")
                model, v = _moved(model, v, momentum, r, g, record)
    except KeyboardInterrupt:
        return Descent(record.model, record.history, interrupted=True)
    finally:
        line.close()
    return Descent(record.model, record.history)


def minimize(J: Any, model: Any, method: str = "L-BFGS-B", callback: Callback | None = None, **options: Any) -> Minimum:
    """The minimum of J that a method of scipy.optimize.minimize finds from `model` on, over the ravelled parameters.

    `options` are the method's own (maxiter=..., gtol=...); `callback` as in `gradient_descent`, once an iteration.  Where a line search
    leaves the parameters that the energy takes it meets a barrier (4).  Ctrl-C ends the run and returns the last iterate, `interrupted`.

    DescentError where the value or gradient at `model` is not finite.

    >>> from refsm.energies.gaussian import Gaussian
    >>> from refsm.objectives.score_matching import ImplicitScoreMatching
    >>> result = minimize(ImplicitScoreMatching([[1.0], [3.0]]), Gaussian([0.0], [[3.0]]))
    >>> result.converged, result.model.mean.round(3), result.model.precision.round(3)       # mean 2, variance 1
    (True, array([2.]), array([[1.]]))
    """
    _belong(J, model)
    from scipy import optimize     # here, because it takes longer to import than all else

    record, theta = RunRecord(model, callback), model.ravel()
    value, gradient = _evaluated(J, model)
    if not _finite(value, gradient):
        raise record.error(NOT_FINITE)
    record.add(model, value, gradient)
    barrier, reached = _Barrier(J, theta, model, value, gradient), [theta]

    def iterate(theta: Array, *_: Any) -> None:
        reached[0] = theta.copy()
        record.add(*barrier.at(theta))

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Method .* does not use gradient information")
            found = optimize.minimize(barrier, theta, jac=True, method=method, callback=iterate, options=options)
        if not np.array_equal(found.x, reached[0]):
            iterate(found.x)
    except KeyboardInterrupt:
        return Minimum(record.model, record.history, interrupted=True, message="interrupted")
    return Minimum(record.model, record.history, converged=bool(found.success), message=str(found.message))


class _Barrier:
    """J as scipy sees it: its value and gradient where these are finite, else the barrier (4)."""

    def __init__(self, J: Any, theta: Array, model: Any, value: float, gradient: Any) -> None:
        self.J, self.last, self.highest = J, (theta, model, value, gradient), value

    def __call__(self, theta: Array) -> tuple[float, Array]:
        try:
            model, value, gradient = self.at(theta)
        except REFUSALS:
            return self.beyond(theta)
        if not _finite(value, gradient):
            return self.beyond(theta)
        self.last, self.highest = (theta.copy(), model, value, gradient), max(self.highest, value)
        return value, model.ravel(gradient)

    def at(self, theta: Array) -> tuple[Any, float, Any]:
        """Model, value and gradient; the last ones are at hand."""
        theta_last, model, *known = self.last
        if np.array_equal(theta, theta_last):
            return model, known[0], known[1]
        model = model.unravel(theta)
        return model, *_evaluated(self.J, model)

    def beyond(self, theta: Array) -> tuple[float, Array]:
        """The barrier (4)."""
        theta_last, model, _, gradient = self.last
        g = model.ravel(gradient)
        rise = g @ (theta - theta_last)
        return self.highest + abs(rise), np.copysign(1, rise) * g                                   # ()  (4)


def _belong(J: Any, model: Any) -> None:
    """TypeError, in one sentence, for an objective or a model that is none (or for the two in the wrong order)."""
    if not hasattr(J, "value_and_gradient"):
        raise TypeError(f"J must be an objective, but it is a {type(J).__name__}")
    if not hasattr(model, "theta"):
        raise TypeError(f"model must be an energy, but it is a {type(model).__name__}")


def _evaluated(J: Any, model: Any) -> tuple[Any, Any]:
    """Value and gradient; what overflows is found by `_finite`."""
    with np.errstate(all="ignore"):
        return J.value_and_gradient(model)


def _finite(value: Any, gradient: Any) -> bool:
    return bool(np.isfinite(float(value))) and all(validation.all_finite(block) for block in gradient)


def _moved(model: Any, v: Sequence[Array], momentum: float, rate: float, g: Sequence[Array], record: RunRecord) -> tuple[Any, list[Array]]:
    """The model a step further, and the velocity; DescentError where the energy refuses the parameters."""
    with np.errstate(all="ignore"):
        v = [momentum * v_block - rate * g_block for v_block, g_block in zip(v, g)]                 # (1)
        theta = [block + v_block for block, v_block in zip(model.theta, v)]                         # (2)
    try:
        return model.with_theta(model.projected(type(model.theta)(*theta))), v
    except REFUSALS as error:
        raise record.error(f"the next step leaves what {type(model).__name__} takes ({error})") from None


def _constant(rate: float) -> Callable[[int], float]:
    number = validation.positive(rate, "rate")
    return lambda k: number


def _share(J: Any, batch: ArrayLike, name: str) -> tuple[Array, Any]:
    """A batch as indices, and its share (3)."""
    n = len(J.points)
    index = np.asarray(batch)
    if index.ndim != 1 or index.size == 0 or index.dtype.kind not in "iu" or index.min() < 0 or index.max() >= n:
        raise ValueError(f"{name} must be a list of row numbers from 0 to {n - 1}, but it is {batch!r}")
    part = J.weights[index].sum()
    if part == 0:
        raise ValueError(f"{name} must have points of some weight, but their weights sum to 0")
    return index, J.weights.sum() / part                                                            # ()  (3)
