"""Checks of what a fit is given: the bounds of the parameters, the method and its options."""
from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import optimize

from refsm.typing import Array

__all__ = ["box_of", "checked_options"]

SILENT = {"disp": False, "verbose": 0, "iprint": -1}


def box_of(bounds: Any, N: int) -> tuple[Array, Array]:
    """The least and the greatest parameters, (N,) each."""
    if bounds is None:
        return np.full(N, -np.inf), np.full(N, np.inf)
    wanted = f"bounds must have a pair (least, greatest) for each of the {N} parameters"
    try:
        if hasattr(bounds, "lb"):
            edges = bounds.lb, bounds.ub
            pairs = np.column_stack([np.broadcast_to(edge, (N,)) for edge in edges])
        else:
            pairs = np.array([(-np.inf if least is None else least,
                               np.inf if greatest is None else greatest)
                              for least, greatest in bounds], dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{wanted}, but they are of type {type(bounds).__name__}") from None
    if pairs.shape != (N, 2):
        raise ValueError(f"{wanted}, but they have {len(pairs)}")
    for k, (least, greatest) in enumerate(pairs):
        if not least <= greatest:
            raise ValueError(f"bounds must be least <= greatest, but bounds[{k}] is "
                             f"({least}, {greatest})")
    return pairs[:, 0], pairs[:, 1]


def checked_options(method: Any, options: Any, more: dict[str, Any],
                    bounded: bool) -> dict[str, Any]:
    """The method's options, tried on the function v^2, because SciPy judges them in a fit only."""
    if not isinstance(method, str):
        raise TypeError("method must be the name of a method of scipy.optimize.minimize, "
                        f"but it is of type {type(method).__name__}")
    if options is not None and not isinstance(options, dict):
        raise TypeError(f"options must be a dict, but it is of type {type(options).__name__}")
    chosen = {**(options or {}), **more}
    trial = {**chosen, **{name: value for name, value in SILENT.items() if name in chosen}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", optimize.OptimizeWarning)
            warnings.filterwarnings("error", "Method .* cannot handle")
            optimize.minimize(lambda v: (v[0] ** 2, 2 * v), np.ones(1), jac=True, method=method,
                              options=trial, bounds=[(None, None)] if bounded else None)
    except KeyboardInterrupt:
        raise
    except Exception as error:      # whatever SciPy raises for a method or an option
        said = " ".join(str(error).split())
        raise ValueError(f"method and options must be those of scipy.optimize.minimize, "
                         f"but for {method!r} it says: {said}") from None
    return chosen
