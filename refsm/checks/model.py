"""Check an energy: its local quantities against each other, each pullback against its quantity.

Symbols
    x     (n, d)   points
    psi   (n, d)   score;  J (n, d, d) its Jacobian;  v (n, M, d) directions
    Q              any local quantity (`refsm.quantities`), with a random cotangent w of its shape
    theta          the parameters, leaf by leaf

Equations
    (1)  psi = -grad E
    (2)  J_ik = d psi_i / d x_k, measured;  J_ii, sum_i J_ii and v'Jv follow from it
    (3)  pullback(x, Q=w) = d/d theta sum( w Q(x; theta) )
    (4)  gap_i = E(x with bit i flipped) - E(x)

Derivation
    A derivative with respect to points moves all points at once: each row of a quantity depends on
    its own point alone.  (3) with one random w is a number as a function of theta; a wrong pullback
    agrees with it with probability 0.

An energy is checked on the quantities that it names in `quantities`; its Jacobian, on which no
objective has a cotangent, where it has one.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from refsm import validation
from refsm.checks.differences import norm
from refsm.checks.gradient import check_gradient
from refsm.checks.probe import Probe
from refsm.checks.vectors import ParameterVector, accuracy_of, on_vectors, source
from refsm.checks.verdict import Report, combined, judge
from refsm.energies.energy import Energy
from refsm.quantities import QUANTITIES
from refsm.typing import Array, ArrayLike

__all__ = ["check_model", "EXACT", "at_theta", "check_finite_theta", "same"]

DIRECTIONS = 3           # directions v for the curvature
EXACT = 1e-12            # relative to the sum of sizes: two sums of the same terms


def check_model(model: Energy, x: ArrayLike, *, accuracy: float = 1e-6,
                rng: np.random.Generator | None = None, complex_step: bool | None = None,
                scale: float | None = None) -> Report:
    """Whether all that an energy gives at the points x (n, d) is consistent, (1) to (4).

    Arguments as in `refsm.check_gradient`.  The report has one part for each quantity that follows
    from another, and one for each pullback to each leaf of theta.  ValueError, with the quantity
    and its shape, for one of another shape; TypeError for a model that is not an energy.

    >>> from refsm.energies.gaussian import Gaussian
    >>> check_model(Gaussian([1.0, 2.0, 3.0], np.eye(3)), [[0.5, 0.0, 1.5]]).verdict
    'PASS'
    """
    if not isinstance(model, Energy):
        raise TypeError(f"model must be an energy, but it is of type {type(model).__name__}")
    _check_names(model)
    check_finite_theta(model)
    x, rng, accuracy = model.points(x), source(rng), accuracy_of(accuracy)
    options: dict[str, Any] = {"accuracy": accuracy, "rng": rng, "complex_step": complex_step}
    has, parts = model.quantities, []
    if "score" in has:
        parts += _derivatives(model, x, scale=scale, **options)
    if {"gap", "energy"} <= has:
        parts += _gaps(model, x, accuracy)
    if len(model.theta):
        parts += _pullbacks(model, x, **options)
    if not parts:
        raise ValueError(f"model must have quantities that can be compared, but "
                         f"{type(model).__name__} has {', '.join(sorted(has)) or 'none'}")
    return combined(type(model).__name__, parts)


def _check_names(model: Energy) -> None:
    """ValueError for a name in `quantities` that is no local quantity."""
    known = sorted(set(QUANTITIES) - {"jacobian"})
    for name in model.quantities:
        if name not in known:
            raise ValueError(f"quantities of {type(model).__name__} must be among "
                             f"{', '.join(known)}, but one is {name!r}")


def _value(model: Energy, name: str, x: Array, *v: Array) -> Array:
    """A local quantity of the model by its name."""
    return getattr(model, QUANTITIES[name].method)(x, *v)


def _derivatives(model: Energy, x: Array, accuracy: float, rng: np.random.Generator,
                 complex_step: bool | None, scale: float | None) -> list[Report]:
    """The score and its derivatives against derivatives along the columns of x, (1) and (2)."""
    n, d = x.shape
    v, i, has, parts = rng.standard_normal((n, DIRECTIONS, d)), range(d), model.quantities, []
    if "energy" in has:
        slope, error, facts = _by_columns(model.energy, x, rng, complex_step, scale)
        parts += [("score", _value(model, "score", x), -slope, error, facts)]       # (n, d)  (1)
    J, error, facts = _by_columns(model.score, x, rng, complex_step, scale)
    try:
        jacobian = _value(model, "jacobian", x)
        parts += [("Jacobian", jacobian, J, error, facts)]                          # (n, d, d)  (2)
    except NotImplementedError:
        pass
    if "diagonal" in has:
        parts += [("diagonal", _value(model, "diagonal", x), J[:, i, i], error[:, i, i], facts)]
    if "divergence" in has:
        parts += [("divergence", _value(model, "divergence", x), J[:, i, i].sum(axis=1),
                   error[:, i, i].sum(axis=1), facts)]
    if "curvature" in has:
        parts += [("curvature", _value(model, "curvature", x, v),
                   np.einsum("nri,nik,nrk->nr", v, J, v),
                   np.einsum("nri,nik,nrk->nr", abs(v), error, abs(v)), facts)]
    return [judge(name, claimed, value, off, accuracy=accuracy, **about)
            for name, claimed, value, off, about in parts]


def _by_columns(f: Any, x: Array, rng: np.random.Generator, complex_step: bool | None,
                scale: float | None) -> tuple[Array, Array, dict[str, Any]]:
    """The derivative of each row of f(x) with respect to its own point, along a last axis (d).

    Also what it can be off by, and facts for the report.
    """
    at = ParameterVector(x)
    step = at.scales(scale)[0]
    group = at.slices[0], step
    probe = Probe(on_vectors(f, at, "an array"), at.vector, [group], complex_step, rng)
    columns = []
    for k in range(x.shape[1]):
        u = np.zeros_like(x)
        u[:, k] = step
        columns.append(probe.along(u.ravel(), 0))
    value, error, slope, size, steps = (np.stack(part, axis=-1) for part in zip(*columns))
    shape = np.shape(f(x)) + (x.shape[1],)
    facts = {"slope": norm(slope) / step, "size": norm(size) / step, "method": probe.method,
             "step": float(steps.max()), "note": probe.why_not}
    return value.reshape(shape) / step, error.reshape(shape) / step, facts


def _gaps(model: Energy, x: Array, accuracy: float) -> list[Report]:
    """The gaps against differences of energies, (4)."""
    E = model.energy(x)[:, None]
    E_flipped = np.empty(x.shape)
    for i in range(x.shape[1]):
        flipped = x.copy()
        flipped[:, i] = 1 - flipped[:, i]
        E_flipped[:, i] = model.energy(flipped)
    size = abs(E) + abs(E_flipped)
    gap = model.energy_gap(x)
    return [same("gap", gap, E_flipped - E, EXACT * size, accuracy)]               # (n, d)  (4)


def _pullbacks(model: Energy, x: Array, accuracy: float, rng: np.random.Generator,
               complex_step: bool | None) -> list[Report]:
    """Each pullback to each leaf, (3); and the pullback of all of them against their sum."""
    parts: list[Report] = []
    cotangents: dict[str, Any] = {}
    separate = []
    for name in sorted(model.quantities):
        v = (rng.standard_normal((len(x), DIRECTIONS, model.d)),) if name == "curvature" else ()
        w = rng.standard_normal(np.shape(_value(model, name, x, *v)))

        def L(theta: Any, name: str = name, v: tuple[Array, ...] = v, w: Array = w) -> Any:
            return (w * _value(at_theta(model, theta), name, x, *v)).sum()              # ()  (3)

        cotangents[name] = (*v, w) if v else w
        claimed = _pulled(model, x, {name: cotangents[name]}, f"cotangent on the {name}")
        separate.append(model.ravel(claimed))
        report = check_gradient(L, claimed, model.theta, accuracy=accuracy, rng=rng,
                                complex_step=complex_step)
        parts += [replace(part, subject=f"pullback of the {name} to") for part in report.parts]
    whole = model.ravel(_pulled(model, x, cotangents, "all cotangents"))
    size = np.abs(separate).sum(axis=0)
    return parts + [same("pullback of all together", whole, np.sum(separate, axis=0), EXACT * size,
                         accuracy)]


def _pulled(model: Energy, x: Array, cotangents: dict[str, Any], name: str) -> Any:
    """The pullback; ValueError, with the quantity, where it is not shaped as theta."""
    try:
        return model.pullback(x, **cotangents)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def check_finite_theta(model: Energy) -> None:
    """ValueError where no derivative can be measured: a mixture with a weight of 0."""
    for name, leaf in zip(getattr(model.theta, "_fields", ()), model.theta):
        if not validation.all_finite(np.asarray(leaf)):
            raise ValueError("model must have finite parameters to be checked, but its "
                             f"{name} have an infinite one (a mixture's component of weight 0 can "
                             "be left out)")


def at_theta(model: Any, theta: Any) -> Any:
    """The model at other parameters, projected onto its equalities."""
    return model.with_theta(model.projected(theta))


def same(subject: str, claimed: Array, value: Array, error: Array, accuracy: float) -> Report:
    """The verdict on two computations of the same sums; one of 0 is compared with its terms."""
    size = norm(error) / EXACT
    return judge(subject, claimed, value, error, size, size, accuracy, method="exact", step=0.0)
