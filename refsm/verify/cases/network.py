"""A network of the user's own in the place of a model: parameters, and what it returns at points.

A network is a function of points (n, d) and parameters, or of points, parameters and sigma, which
is a number or one for each point (n,).  It returns what its objective reads: a score, a prediction
or a reconstruction, (n, d).
"""
from __future__ import annotations

import inspect
from typing import Any, Callable, Mapping

import numpy as np

from refsm.typing import Array
from refsm.validation import brief
from refsm.verify.objectives import OBJECTIVES

__all__ = ["READ", "check_network", "new_parameters", "output"]

READ = (("score",), ("prediction",), ("reconstruction",))


def check_network(objective: str, network: Any, parameters: Any) -> None:
    """ValueError or TypeError where a network cannot take the place of a model."""
    for name, function in (("network", network), ("parameters", parameters)):
        if not callable(function):
            raise TypeError(f"{name} must be a function, but it is {brief(function)}")
    able = [name for name, about in OBJECTIVES.items() if about.reads in READ]
    if objective not in able:
        raise ValueError(f"network is for {', '.join(able)}, which read no derivative of it, but "
                         f"the objective is {objective}")


def new_parameters(parameters: Callable[..., Any], d: int,
                   rng: np.random.Generator) -> dict[str, Array]:
    """What `parameters` gives for d dimensions."""
    theta = parameters(d, rng)
    if not isinstance(theta, Mapping):
        raise TypeError("parameters must return a dict of arrays, but it returned "
                        f"an object of type {type(theta).__name__}")
    try:
        return {str(name): np.asarray(a, dtype=float) for name, a in theta.items()}
    except (TypeError, ValueError) as error:
        raise TypeError("parameters must return a dict of arrays of numbers, but: "
                        f"{error}") from None


def output(case: Any, theta: Mapping[str, Array], x: Array, sigma: Any = None) -> Array:
    """What the network of a case returns at points x, at its own level where none is given."""
    level = case.arrays.get("sigma", case.hyper.get("sigma")) if sigma is None else sigma
    takes_level = len(inspect.signature(case.network).parameters) > 2
    out = case.network(x, theta, level) if takes_level else case.network(x, theta)
    a = np.asarray(out)
    if a.dtype.kind == "c":
        raise TypeError(f"network must return real numbers, but they are complex ({a.dtype})")
    try:
        a = a.astype(float, copy=False)
    except (TypeError, ValueError):
        raise TypeError("network must return an array of numbers, but it returned "
                        f"{brief(out)}") from None
    if a.shape != x.shape:
        raise ValueError(f"network must return an array of shape {x.shape}, one row per point, but "
                         f"its shape is {a.shape}")
    return a
