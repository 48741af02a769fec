"""Check an energy or an objective: every local quantity against derivatives of the one before, every pullback against its quantity.

Symbols
    x     (n, d)   points
    psi   (n, d)   score;  J (n, d, d) its Jacobian;  v (n, M, d) directions
    q              any local quantity, with a random cotangent w of its shape
    theta          the parameters, block by block

Equations
    (1)  psi = -grad E
    (2)  J_ik = d psi_i / d x_k, measured;  diagonal J_ii, divergence sum_i J_ii, curvature v'Jv follow from it
    (3)  pullback(x, q=w) = d/d theta sum( w q(x; theta) )
    (4)  gap_i = E(x with bit i flipped) - E(x)
    (5)  value = sum_n weights_n term_n
    (6)  gradient = d value / d theta

Derivation
    A derivative with respect to points moves all points at once: each row of a quantity depends on its own point alone.
    (3) with one random w is a scalar function of theta; a wrong pullback agrees with it with probability 0.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from refsm import validation
from refsm.checks.differences import norm
from refsm.checks.gradient import Blocks, check_gradient, function, source
from refsm.checks.probe import Probe
from refsm.checks.verdict import Report, combined, judge
from refsm.energies.energy import BinaryEnergy, Energy
from refsm.objectives.objective import Objective
from refsm.typing import Array, ArrayLike

__all__ = ["check_model", "check_objective"]

DIRECTIONS = 3           # directions v for the curvature
EXACT = 1e-12            # relative to the sum of sizes: two sums of the same terms
READ = {"energy": "energy", "score": "score", "divergence": "score_divergence", "diagonal": "score_jacobian_diagonal",
        "curvature": "score_curvature", "gap": "energy_gap"}


def check_model(model: Energy, x: ArrayLike, *, accuracy: float = 1e-6, rng: np.random.Generator | None = None, complex_step: bool | None = None,
                scale: float | None = None) -> Report:
    """Whether all that an energy answers at the points x (n, d) belongs together, and each pullback to each parameter, equations (1) to (4).

    Arguments as in `refsm.checks.check_gradient`.  The report has one part for each quantity, and one for each pullback to each block.

    >>> from refsm.energies.gaussian import Gaussian
    >>> check_model(Gaussian([1.0, 2.0, 3.0], np.eye(3)), [[0.5, 0.0, 1.5]]).verdict
    'PASS'
    """
    if not isinstance(model, Energy):
        raise TypeError(f"model must be an energy, but it is a {type(model).__name__}")
    _refuse_infinite(model)
    x, rng = model.points(x), source(rng)
    options: dict[str, Any] = {"accuracy": accuracy, "rng": rng, "complex_step": complex_step}
    parts = _gaps(model, x, accuracy) if isinstance(model, BinaryEnergy) else _derivatives(model, x, scale=scale, **options)
    return combined(type(model).__name__, parts + _pullbacks(model, x, **options))


def _derivatives(model: Energy, x: Array, accuracy: float, rng: np.random.Generator, complex_step: bool | None, scale: float | None) -> list[Report]:
    """Score, Jacobian, diagonal, divergence and curvature against derivatives along the columns of x, (1) and (2)."""
    n, d = x.shape
    v = rng.standard_normal((n, DIRECTIONS, d))
    slope_E, error_E, facts_E = _by_columns(model.energy, x, rng, complex_step, scale)                         # (n, d)
    J, error, facts = _by_columns(model.score, x, rng, complex_step, scale)                                    # (n, d, d)
    i = range(d)
    claims = [("score", model.score(x), -slope_E, error_E, facts_E),                                           # (1)
              ("Jacobian", model.score_jacobian(x), J, error, facts),                                          # (2)
              ("diagonal", model.score_jacobian_diagonal(x), J[:, i, i], error[:, i, i], facts),
              ("divergence", model.score_divergence(x), J[:, i, i].sum(axis=1), error[:, i, i].sum(axis=1), facts),
              ("curvature", model.score_curvature(x, v), np.einsum("nri,nik,nrk->nr", v, J, v),
               np.einsum("nri,nik,nrk->nr", abs(v), error, abs(v)), facts)]
    return [judge(name, claimed, value, off, accuracy=accuracy, **about) for name, claimed, value, off, about in claims]   # type: ignore[arg-type]


def _by_columns(f: Any, x: Array, rng: np.random.Generator, complex_step: bool | None, scale: float | None) -> tuple[Array, Array, dict[str, Any]]:
    """The derivative of each row of f(x) with respect to its own point, a last axis of length d; what it can be off by; facts for the report."""
    blocks = Blocks(x)
    step = blocks.scales(scale)[0]
    probe = Probe(function(f, blocks, "an array"), blocks.vector, [(blocks.slices[0], step)], complex_step, rng)
    columns = []
    for k in range(x.shape[1]):
        u = np.zeros_like(x)
        u[:, k] = step
        columns.append(probe.along(u.ravel(), 0))
    value, error, slope, size, steps = (np.stack(part, axis=-1) for part in zip(*columns))
    shape = np.shape(f(x)) + (x.shape[1],)
    facts = {"slope": norm(slope) / step, "size": norm(size) / step, "method": probe.method, "step": float(steps.max()), "note": probe.why_not}
    return value.reshape(shape) / step, error.reshape(shape) / step, facts


def _gaps(model: BinaryEnergy, x: Array, accuracy: float) -> list[Report]:
    """The gaps against differences of energies, (4)."""
    E = model.energy(x)[:, None]
    E_flipped = np.empty(x.shape)
    for i in range(x.shape[1]):
        flipped = x.copy()
        flipped[:, i] = 1 - flipped[:, i]
        E_flipped[:, i] = model.energy(flipped)
    size = abs(E) + abs(E_flipped)
    return [_same("gap", model.energy_gap(x), E_flipped - E, EXACT * size, accuracy)]                          # (n, d)  (4)


def _pullbacks(model: Energy, x: Array, accuracy: float, rng: np.random.Generator, complex_step: bool | None) -> list[Report]:
    """Each pullback, by itself, to each block of parameters, (3); and all of them together against their sum."""
    parts: list[Report] = []
    if not model.theta:
        return parts
    together: dict[str, Any] = {}
    separate = []
    for name in sorted(model.quantities):
        v = (rng.standard_normal((len(x), DIRECTIONS, model.d)),) if name == "curvature" else ()
        w = rng.standard_normal(np.shape(getattr(model, READ[name])(x, *v)))

        def L(theta: Any, name: str = name, v: tuple = v, w: Array = w) -> Any:
            return (w * getattr(_at(model, theta), READ[name])(x, *v)).sum()                                   # ()  (3)

        together[name] = (*v, w) if v else w
        claimed = model.pullback(x, **{name: together[name]})
        separate.append(model.ravel(claimed))
        report = check_gradient(L, claimed, model.theta, accuracy=accuracy, rng=rng, complex_step=complex_step)
        parts += [replace(part, subject=f"pullback of the {name} to") for part in report.parts]
    whole = model.ravel(model.pullback(x, **together))
    return parts + [_same("pullback of all together", whole, np.sum(separate, axis=0), EXACT * np.abs(separate).sum(axis=0), accuracy)]


def check_objective(J: Objective, model: Energy, *, accuracy: float = 1e-6, rng: np.random.Generator | None = None,
                    complex_step: bool | None = None) -> Report:
    """Whether the gradient of an objective is the derivative of its value, block by block, and its value the weighted sum of its terms, (5) and (6).

    Arguments as in `refsm.checks.check_gradient`; TypeError or ValueError where J does not take the model.

    >>> from refsm.energies.gaussian import Gaussian
    >>> from refsm.objectives.score_matching import ImplicitScoreMatching
    >>> check_objective(ImplicitScoreMatching([[0.5, 0.0, 1.5]]), Gaussian([1.0, 2.0, 3.0], np.eye(3))).verdict
    'PASS'
    """
    if not isinstance(J, Objective):
        raise TypeError(f"J must be an objective, but it is a {type(J).__name__}")
    J.check_model(model)
    _refuse_infinite(model)
    value, gradient = J.value_and_gradient(model)
    terms = J.weights * J.per_sample(model)                                                                    # (n,)
    off = EXACT * np.full(2, abs(terms).sum())
    parts = [_same("value", np.array([J.value(model), value]), np.full(2, terms.sum()), off, accuracy)]        # (2,)  (5)
    if model.theta:
        alone = model.ravel(J.gradient(model))
        parts += [_same("value_and_gradient", model.ravel(gradient), alone, EXACT * abs(alone), accuracy)]
        report = check_gradient(lambda theta: J.value(_at(model, theta)), gradient, model.theta, accuracy=accuracy, rng=rng,
                                complex_step=complex_step)                                                     # (6)
        parts += [replace(part, subject="gradient with respect to") for part in report.parts]
    return combined(repr(J), parts)


def _refuse_infinite(model: Energy) -> None:
    """ValueError where no derivative can be measured: a mixture with a weight of 0, whose logit is -inf."""
    for name, block in zip(getattr(model.theta, "_fields", ()), model.theta):
        if not validation.all_finite(block):
            raise ValueError(f"model must have finite parameters to be checked, but its {name} have an infinite one "
                             "(a mixture's component of weight 0 can be left out)")


def _at(model: Energy, theta: Any) -> Any:
    return model.with_theta(model.projected(theta))


def _same(subject: str, claimed: Array, value: Array, error: Array, accuracy: float) -> Report:
    """The verdict on two computations of the same numbers."""
    return judge(subject, claimed, value, error, norm(value), norm(error) / EXACT, accuracy, method="exact", step=0.0)
