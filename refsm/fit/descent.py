"""Gradient descent: a plain loop with momentum, on all points or on batches.

Symbols
    J                  the objective;  theta the parameters, leaf by leaf
    g                  its gradient at theta
    k                  the number of steps that are done
    rate      number   at step k, in the units of theta^2 / J
    momentum  number   in [0, 1)
    v                  velocity, shaped as theta
    w     (n,)         the weights of the points
    share number       the weight of all points divided by that of a batch

Equations
    (1)  v     <- momentum v - rate g,  v = 0 before the first step
    (2)  theta <- theta + v
    (3)  J on a batch = share sum_{n in batch} w_n term_n,  share = sum_n w_n / sum_{n in batch} w_n

Derivation
    (1), (2)  Polyak's heavy ball: the displacement of a step is momentum times the last one, minus
              rate g.
    (3)       Each batch keeps the total weight, so a rate means the same for batches of any size;
              over disjoint batches of equal weight that have all points the mean of (3) is J.

Conventions
    Some write v <- momentum v + g, theta <- theta - rate v: the same for a constant rate, another
    path when the rate changes.  Others damp, v <- momentum v - (1 - momentum) rate g, or look
    ahead (Nesterov).

Sources
    Polyak, Some methods of speeding up the convergence of iteration methods, USSR Comput. Math.
    Math. Phys. 4 (1964): (1), (2).
"""
from __future__ import annotations

from typing import Any, Callable, Iterator, Protocol, Sequence, TypeVar

import numpy as np

from refsm import validation
from refsm.blocks import mapped
from refsm.energies.parameters import Parametric
from refsm.fit.run_record import (Callback, Descent, DescentError, DescentInterrupted, Ended,
                                  Progress, RunRecord)
from refsm.typing import Array, ArrayLike, Map

__all__ = ["gradient_descent", "Differentiable", "Descent", "DescentError", "DescentInterrupted"]

Model = TypeVar("Model", bound=Parametric)
Batch = tuple[Any, Any]                  # row numbers (None for all points), share

REFUSALS = (ValueError, ArithmeticError, np.linalg.LinAlgError)    # of refused parameters
NOT_FINITE = "the value or its gradient is not finite"


class Differentiable(Protocol):
    """What a fit needs of an objective."""

    def value_and_gradient(self, model: Any, /) -> tuple[Any, Any]:
        """The value at the model, and its gradient, of the type of `model.theta`."""


def gradient_descent(J: Differentiable | Callable[[int], Differentiable],
                     model: Model | Descent[Model], *, steps: int,
                     rate: float | Callable[[int], float], momentum: float = 0.0,
                     callback: Callback[Model] | None = None,
                     batches: Sequence[ArrayLike] | None = None,
                     batch_size: int | None = None, rng: np.random.Generator | None = None,
                     tol: float | None = None, progress: bool | None = None,
                     map: Map = map) -> Descent[Model]:
    """Some steps (1), (2) down the gradient of J, from `model` on.

    J           an objective, or a function of k that makes one (fresh noise at each step)
    model       an energy, or the `Descent` of an earlier run, which is continued: with its
                velocity and its history, k counting on
    rate        a number > 0, or a function of k = 0, 1, ... (>= 0)
    callback    called as callback(k, model, value, gradient_norm) for each model, the first one
                included; StopIteration ends the run
    batches     a sequence of index arrays, used in turn (3)
    batch_size  with `rng`: batches of this size, drawn without replacement until all points are
                used, then anew
    tol         ends the run, `converged`, where the gradient norm is at most this; without batches
    progress    whether a line is shown on stderr; None: on a terminal
    map         evaluates the blocks of J: `pool.map`, for threads or processes; the same bits

    DescentInterrupted, a KeyboardInterrupt, at Ctrl-C; DescentError at the first value or gradient
    that is not finite and at parameters that the energy refuses.  Both have the last good model in
    `.result`.  ValueError or TypeError for bad arguments.

    The energy -theta x has the score theta, so J = 1/2 (theta - 2)^2: each step of rate 1/2 halves
    the distance from 2.

    >>> from refsm.energies.polynomial import PolynomialEnergy
    >>> from refsm.objectives.score_matching import ExplicitScoreMatching
    >>> J = ExplicitScoreMatching([[3.0]], data_score=[[2.0]])
    >>> result = gradient_descent(J, PolynomialEnergy([0.0], [[1]]), steps=1, rate=0.5)
    >>> float(result.history.value[0]), result.model.theta.coefficients
    (2.0, array([1.]))
    >>> gradient_descent(J, result, steps=1, rate=0.5).model.theta.coefficients
    array([1.5])
    """
    record = RunRecord(model, callback)
    first, at, v = record.first, record.model, record.velocity
    made = J if callable(J) else None
    objective: Any = J if made is None else made(first)
    check_pair(objective, at)
    objective = mapped(objective, map)
    steps = validation.count(steps, "steps")
    momentum = validation.not_negative(momentum, "momentum")
    if momentum >= 1:
        raise ValueError(f"momentum must be in [0, 1), but it is {momentum}")
    schedule = rate if callable(rate) else _constant(rate)
    turns = _turns(objective, batches, batch_size, rng, first)
    if tol is not None:
        tol = validation.not_negative(tol, "tol")
        if batches is not None or batch_size is not None or made is not None:
            raise ValueError("tol must be None with batches or fresh noise, whose gradient does "
                             f"not vanish at the minimum, but it is {tol}")
    if v is None:
        v = [0] * len(at.theta)
    line = Progress(first + steps, progress, first)
    try:
        for k in range(first, first + steps + 1):
            if made is not None and k > first:
                objective = made(k)
                check_pair(objective, at)
                objective = mapped(objective, map)
            batch, share = next(turns)
            part = objective if batch is None else objective.take(batch)
            value, gradient = evaluated(part, at)
            value, g = share * value, [share * leaf for leaf in gradient]           # (3)
            if not finite(value, g):
                raise record.error(NOT_FINITE)
            record.add(at, value, g, v)
            line.show(k, value)
            if tol is not None and record.entries[-1][1] <= tol:
                return record.result(f"the gradient norm is at most {tol:g}", converged=True)
            if k < first + steps:
                r = validation.not_negative(schedule(k), "rate(k)")
                at, v = _moved(at, v, momentum, r, g, record)
    except Ended as end:
        return record.result(str(end))
    except KeyboardInterrupt:
        raise record.interruption() from None
    finally:
        line.close()
    return record.result("all steps are done")


def check_pair(J: Any, model: Any) -> None:
    """TypeError for an object that is not an objective or not a model, or for the two exchanged."""
    if not hasattr(J, "value_and_gradient"):
        raise TypeError(f"J must be an objective, but it is of type {type(J).__name__}")
    if not hasattr(model, "theta"):
        raise TypeError(f"model must be an energy, but it is of type {type(model).__name__}")
    if hasattr(J, "check_model"):
        J.check_model(model)
    if not len(model.theta):
        raise ValueError(f"model must have parameters, but {type(model).__name__} has none")


def evaluated(J: Any, model: Any) -> tuple[Any, Any]:
    """Value and gradient; what overflows is found by `finite`."""
    with np.errstate(all="ignore"):
        return J.value_and_gradient(model)


def finite(value: Any, gradient: Any) -> bool:
    """Whether the value and all entries of the gradient are finite."""
    return bool(np.isfinite(float(value))) and all(map(validation.all_finite, gradient))


def _moved(model: Any, v: Sequence[Array], momentum: float, rate: float, g: Sequence[Array],
           record: RunRecord) -> tuple[Any, list[Array]]:
    """The model a step further, and the velocity; DescentError for refused parameters."""
    with np.errstate(all="ignore"):
        v = [momentum * v_leaf - rate * g_leaf for v_leaf, g_leaf in zip(v, g)]     # (1)
        theta = [leaf + v_leaf for leaf, v_leaf in zip(model.theta, v)]             # (2)
    try:
        return model.with_theta(model.projected(type(model.theta)(*theta))), v
    except REFUSALS as error:
        name = type(model).__name__
        raise record.error(f"the next step leaves what {name} takes ({error})") from None


def _constant(rate: Any) -> Callable[[int], float]:
    number = validation.positive(rate, "rate")
    return lambda k: number


def _turns(J: Any, batches: Any, batch_size: Any, rng: Any, first: int) -> Iterator[Batch]:
    """Batch after batch, from the one whose turn is at k = `first`."""
    if batches is None and batch_size is None:
        if rng is not None:
            raise ValueError("rng must be None without batch_size, but it is a generator")
        return iter(lambda: (None, 1), None)
    if batches is not None and batch_size is not None:
        raise ValueError("batches and batch_size must not both be given, but they are")
    if batches is not None:
        return _in_turn(J, batches, first)
    n = len(J.points)
    size = validation.count(batch_size, "batch_size")
    if size > n:
        raise ValueError(f"batch_size must be at most the {n} points, but it is {size}")
    return _drawn(J, size, validation.generator(rng))


def _in_turn(J: Any, batches: Any, first: int) -> Iterator[Batch]:
    if not isinstance(batches, (Sequence, np.ndarray)) or isinstance(batches, str):
        raise TypeError("batches must be a sequence of index arrays, "
                        f"but it is of type {type(batches).__name__}")
    shares = [_share(J, batch, f"batches[{i}]") for i, batch in enumerate(batches)]
    if not shares:
        raise ValueError("batches must have at least one batch, but there is none")

    def turns() -> Iterator[Batch]:
        k = first
        while True:
            yield shares[k % len(shares)]
            k += 1

    return turns()


def _drawn(J: Any, size: int, rng: np.random.Generator) -> Iterator[Batch]:
    while True:
        order = rng.permutation(len(J.points))
        for start in range(0, len(order), size):
            yield _share(J, order[start:start + size], "a batch that is drawn")


def _share(J: Any, batch: ArrayLike, name: str) -> Batch:
    """A batch as indices, and its share (3)."""
    n = len(J.points)
    try:
        index = np.asarray(batch)
    except ValueError:
        index = np.array([])
    kind = index.dtype.kind
    if index.ndim != 1 or index.size == 0 or kind not in "iu" or index.min() < 0 \
            or index.max() >= n:
        raise ValueError(f"{name} must be a list of row numbers from 0 to {n - 1}, "
                         f"but it is {validation.brief(batch)}")
    part = J.weights[index].sum()
    if part == 0:
        raise ValueError(f"{name} must have points of some weight, but their weights sum to 0")
    return index, J.weights.sum() / part                                            # ()  (3)
