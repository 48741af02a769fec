"""Gradients of single terms with respect to the parameters, along one path at a time.

Symbols
    case   a case;  term one of the functions that a loss is a sum of
    block  str    the name of a parameter;  index the place of one entry in it
    STEP   number the length of an imaginary step

Equations
    (1)  d mean(term) / d theta_index = Im mean(term(theta + i STEP e_index)) / STEP

Derivation
    (1)  f(a + i h) = f(a) + i h f'(a) - ...: no difference is taken, so h = 1e-30 leaves rounding
         alone.  The local quantities are analytic along the real axis.

Conventions
    A parameter can reach a loss along two paths: the autoencoder's W through the encoder and
    through the decoder, the parameters of a binary energy through the point and through its flipped
    neighbours.  One path alone is followed by moving one copy of the parameter.  Where a parameter
    is a symmetric matrix the gradient is symmetric too, and 0 on a diagonal that is held at 0.

Sources
    Squire & Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review
    40 (1998), for (1).
"""
from __future__ import annotations

from typing import Iterable, Mapping

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.models import BINARY
from refsm.verify.cases.quantities import Quantities
from refsm.verify.objectives import Term

__all__ = ["STEP", "moved", "paths", "symmetric", "term_gradient"]

STEP = 1e-30
SYMMETRIC = {"gaussian": {"precision": False}, "boltzmann": {"W": True}}    # True: zero diagonal


def paths(case: Case) -> dict[str, tuple[str, ...]]:
    """The ways by which each parameter reaches a loss, "" where there is one."""
    if case.model == "autoencoder":
        return {block: ("encoder", "decoder") if block == "W" else ("",) for block in case.theta}
    both = ("here", "flipped") if case.model in BINARY else ("",)
    return {block: both for block in case.theta}


def term_gradient(case: Case, term: Term, path: str = "",
                  blocks: Iterable[str] | None = None) -> dict[str, Array]:
    """The gradient of a term's mean by block, along one path only where one is named."""
    out = {}
    for block in case.theta if blocks is None else blocks:
        out[block] = np.zeros(case.theta[block].shape)
        for index in np.ndindex(out[block].shape):
            per_sample = term.per_sample(moved(case, block, index, path))
            out[block][index] = np.imag(per_sample).mean() / STEP             # ()  (1)
    return symmetric(case, out)


def symmetric(case: Case, gradient: Mapping[str, Array]) -> dict[str, Array]:
    """The gradient within the symmetric matrices, for the parameters that are such."""
    out = dict(gradient)
    for block, zero_diagonal in SYMMETRIC.get(case.model or "", {}).items():
        if block in out:
            G = (out[block] + out[block].T) / 2
            out[block] = G - np.diag(np.diag(G)) if zero_diagonal else G
    return out


def moved(case: Case, block: str, index: tuple[int, ...], path: str = "") -> Quantities:
    """The local quantities with one entry of one parameter moved by an imaginary step."""
    still, step = dict(case.theta), dict(case.theta)
    step[block] = case.theta[block].astype(complex)
    step[block][index] += 1j * STEP
    if path == "encoder":
        return Quantities(case, {**step, "decoder": still["W"]})
    if path == "decoder":
        return Quantities(case, {**still, "decoder": step["W"]})
    here, flipped = still if path == "flipped" else step, still if path == "here" else step
    return Quantities(case, flipped, here)
