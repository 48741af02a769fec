"""The reference's own terms, objective by objective: what an answer is a sum of.

An objective's per-sample loss is a sum of terms that depend on theta, and of a term that does not (its constant).  A mistake
changes the coefficient of one term, or puts another function in its place; that is why answers are regressed on terms.  These terms
are computed from `refsm.verify.models`, not from `refsm.objectives`, whose values they are tested to equal.

Symbols
    n points, i dimensions (d), r directions (M).
    psi    (n, d)     score, at x or at x_noisy
    J      (n, d, d)  its Jacobian
    g      (n, d)     what the score is compared with: the data's score, the Parzen density's, or the corruption's
    v      (n, M, d)  directions
    y      (n, d)     reconstruction
    gap    (n, d)     E(x with bit i flipped) - E(x)
    x      (n, d)     clean points

Equations
    (1)  norm        = |psi|^2 / 2;              for sliced score matching the mean over r of (v_r.psi)^2 / 2
    (2)  cross       = -psi.g
    (3)  constant    = |g|^2 / 2
    (4)  divergence  = sum_i J_ii;               for sliced score matching the mean over r of v_r' J v_r
    (5)  penalty     = strength sum_i J_ii^2
    (6)  output      = |y|^2
    (7)  product     = -2 y.x
    (8)  data        = |x|^2
    (9)  ratio       = sum_i sigmoid(-gap_i)^2
    (10) pseudo      = sum_i softplus(-gap_i)

Derivation
    (1) + (2) + (3)  expand |psi - g|^2 / 2;  (6) + (7) + (8)  expand |y - x|^2.

Conventions
    A gradient is a complex step through the parameters: exact to rounding and independent of the pullbacks of `refsm.energies`.
    Where a parameter is a symmetric matrix the gradient is symmetric too, and 0 on a diagonal that is held at 0.

Sources
    The objectives' own rooms.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterable, Mapping

import numpy as np

from refsm.stable import sigmoid, softplus
from refsm.typing import Array
from refsm.verify.cases import Case
from refsm.verify.models import BINARY
from refsm.verify.quantities import Quantities

__all__ = ["Part", "TERMS", "CONSTANT", "target", "value", "per_sample", "gradient", "part_gradient", "paths", "symmetric"]

STEP = 1e-30


@dataclass(frozen=True)
class Part:
    """One function of the local quantities: a term of a loss, or what a slip puts in its place.

    `role` says which term it stands for, `name` which function it is; two parts with the same name are the same function.
    """

    role: str
    name: str
    per_sample: Callable[[Quantities], Array]


def dot(a: Array, b: Array) -> Array:
    """sum_i a_ni b_ni."""
    return (a * b).sum(axis=-1)


def target(q: Quantities) -> Array:
    """g, what the score is compared with, (n, d)."""
    case = q.case
    if case.objective == "esm":
        return case.data_score
    return q.parzen() if case.objective == "parzen_esm" else (case.x - case.x_noisy) / case.sigma**2


def _sliced(values: Array) -> Array:
    return values.mean(axis=1)


NORM = Part("norm", "|psi|^2 / 2", lambda q: dot(q.psi(), q.psi()) / 2)                                                         # (1)
SLICED_NORM = Part("norm", "(v.psi)^2 / 2", lambda q: _sliced(np.einsum("nri,ni->nr", q.v(), q.psi())**2) / 2)                  # (1)
CROSS = Part("cross", "-psi.g", lambda q: -dot(q.psi(), target(q)))                                                             # (2)
MATCHED = Part("constant", "|g|^2 / 2", lambda q: dot(target(q), target(q)) / 2)                                                # (3)
DIVERGENCE = Part("divergence", "tr J", lambda q: q.diagonal().sum(axis=1))                                                     # (4)
CURVATURE = Part("divergence", "v' J v", lambda q: _sliced(np.einsum("nri,nik,nrk->nr", q.v(), q.J(), q.v())))                  # (4)
PENALTY = Part("penalty", "strength sum_i J_ii^2", lambda q: q.case.strength * dot(q.diagonal(), q.diagonal()))                 # (5)
OUTPUT = Part("output", "|y|^2", lambda q: dot(q.reconstruction(), q.reconstruction()))                                         # (6)
PRODUCT = Part("product", "-2 y.x", lambda q: -2 * dot(q.reconstruction(), q.case.x))                                           # (7)
DATA = Part("constant", "|x|^2", lambda q: dot(q.case.x, q.case.x))                                                             # (8)
RATIO = Part("whole", "sum_i sigmoid(-gap_i)^2", lambda q: (sigmoid(-q.gap())**2).sum(axis=1))                                  # (9)
PSEUDO = Part("whole", "sum_i softplus(-gap_i)", lambda q: softplus(-q.gap()).sum(axis=1))                                      # (10)

TERMS: dict[str, tuple[Part, ...]] = {
    "esm": (NORM, CROSS), "ism": (NORM, DIVERGENCE), "regularized": (NORM, DIVERGENCE, PENALTY), "parzen_esm": (NORM, CROSS),
    "parzen_ism": (NORM, DIVERGENCE), "dsm": (NORM, CROSS), "dae": (OUTPUT, PRODUCT), "ssm": (SLICED_NORM, CURVATURE),
    "ssm_vr": (NORM, CURVATURE), "ratio": (RATIO,), "pseudo": (PSEUDO,)}
CONSTANT: dict[str, Part] = {"esm": MATCHED, "parzen_esm": MATCHED, "dsm": MATCHED, "dae": DATA}


def per_sample(case: Case) -> Array:
    """The reference's terms of a case, point by point, (n,).

    >>> from refsm.verify.cases import cases
    >>> per_sample(cases("ratio", "paper")[0])         # no interaction, no offset: sigmoid(0)^2 three times
    array([0.75, 0.75])
    """
    q = Quantities(case)
    return sum(part.per_sample(q) for part in _all(case.objective))    # type: ignore[return-value]


def value(case: Case) -> float:
    """The reference's value of a case: the mean of its terms."""
    return float(per_sample(case).mean())


def gradient(case: Case) -> dict[str, Array]:
    """The gradient of the reference's value with respect to the parameters, block by block."""
    each = [part_gradient(case, part) for part in TERMS[case.objective]]
    return {block: sum(g[block] for g in each) for block in case.theta}      # type: ignore[misc]


def paths(case: Case) -> dict[str, tuple[str, ...]]:
    """The ways by which each parameter reaches a loss, where there are two: through the encoder and the decoder, or through
    the energy at the point and at its neighbours."""
    if case.model == "autoencoder":
        return {block: ("encoder", "decoder") if block == "W" else ("",) for block in case.theta}
    return {block: ("here", "flipped") if case.model in BINARY else ("",) for block in case.theta}


def part_gradient(case: Case, part: Part, path: str = "", blocks: Iterable[str] | None = None) -> dict[str, Array]:
    """The gradient of a part's mean by block (along one path only, where one is named), by a complex step."""
    out = {}
    for block in case.theta if blocks is None else blocks:
        out[block] = np.zeros(case.theta[block].shape)
        for index in np.ndindex(out[block].shape):
            out[block][index] = np.imag(part.per_sample(_moved(case, block, index, path))).mean() / STEP
    return symmetric(case, out)


def symmetric(case: Case, gradient: Mapping[str, Array]) -> dict[str, Array]:
    """The gradient within the symmetric matrices, for the parameters that are such."""
    out = dict(gradient)
    for block, held_at_zero in {"gaussian": {"precision": False}, "boltzmann": {"W": True}}.get(case.model or "", {}).items():
        if block not in out:
            continue
        G = (out[block] + out[block].T) / 2
        out[block] = G - np.diag(np.diag(G)) if held_at_zero else G
    return out


def _all(objective: str) -> tuple[Part, ...]:
    return TERMS[objective] + ((CONSTANT[objective],) if objective in CONSTANT else ())


def _moved(case: Case, block: str, index: tuple[int, ...], path: str) -> Quantities:
    """The local quantities with one entry of one parameter moved by an imaginary step."""
    still, moved = dict(case.theta), dict(case.theta)
    moved[block] = case.theta[block].astype(complex)
    moved[block][index] += 1j * STEP
    if path == "encoder":
        return Quantities(case, {**moved, "decoder": still["W"]})
    if path == "decoder":
        return Quantities(case, {**still, "decoder": moved["W"]})
    return Quantities(case, still if path == "here" else moved, still if path == "flipped" else moved)
