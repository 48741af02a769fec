"""The reference's answers to a case: `refsm.objectives` on `refsm.energies` is the judge.

Symbols
    n points, d dimensions, M directions.
    case     a case;  J the objective of refsm that it asks for
    local    dict     the local quantities that J reads, by name
    cotangents  dict  the derivative of the value with respect to each

Equations
    (1)  value = mean over points of per_sample
    (2)  d value / d theta = sum over quantities of <cotangent, d quantity / d theta>

Derivation
    (2)  The chain rule.  Energies of refsm pull the cotangents back themselves.  The tanh model has
         no energy, and the mixture of the cases has other parameters (one scale per component, not
         a covariance); for these d quantity / d theta is a complex step, exact to rounding.

Conventions
    `terms_add_up` compares the value with the sum of the terms that explanations are made of, which
    are computed apart, from `refsm.verify.cases.models`.  No diagnosis starts where they differ.

Sources
    The rooms of `refsm.objectives` and `refsm.energies`.
"""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np

import refsm
from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.derivatives import STEP, moved, symmetric
from refsm.verify.cases.quantities import Quantities
from refsm.verify.objectives import OBJECTIVES

__all__ = ["energy_of", "gradient", "per_sample", "terms_add_up", "value"]

AGREES = 1e-9            # of the sum of absolute terms: two float64 computations of one number


def energy_of(case: Case) -> Any:
    """The energy of refsm with the parameters of a case; None for given arrays and for tanh."""
    p = case.params
    if case.model == "autoencoder":
        return refsm.AutoencoderEnergy(p["W"], p["b"], p["c"], sigma=case.sigma)
    if case.model == "gaussian":
        return refsm.Gaussian(p["mean"], p["precision"])
    if case.model == "mixture":
        covariances = p["scales"][:, None, None]**2 * np.eye(case.d)
        return refsm.GaussianMixture(p["weights"], p["means"], covariances)
    if case.model == "boltzmann":
        return refsm.BoltzmannMachine(p["W"], p["b"])
    return refsm.BernoulliRBM(p["W"], p["b"], p["c"]) if case.model == "rbm" else None


def per_sample(case: Case) -> Array:
    """The loss at each point, (n,).

    >>> from refsm.verify.cases import cases
    >>> per_sample(cases("ratio", "paper")[0])         # all weights are 0: three times 1/4
    array([0.75, 0.75])
    """
    J, model = OBJECTIVES[case.objective].reference(case), energy_of(case)
    return J.evaluate(**_local(Quantities(case)))[0] if model is None else J.per_sample(model)


def value(case: Case) -> float:
    """The loss: the mean over points."""
    return float(per_sample(case).mean())                                     # ()  (1)


def gradient(case: Case) -> dict[str, Array]:
    """The gradient of the value with respect to the parameters, block by block."""
    J, model = OBJECTIVES[case.objective].reference(case), energy_of(case)
    if model is not None and case.model != "mixture":
        own = J.gradient(model)
        return {block: np.asarray(getattr(own, block)) for block in case.theta}
    _, cotangents = J.evaluate(**_local(Quantities(case)))
    if "curvature" in cotangents:
        cotangents["curvature"] = cotangents["curvature"][1]
    out = {}
    for block, a in case.theta.items():
        out[block] = np.zeros(a.shape)
        for index in np.ndindex(a.shape):
            local = _local(moved(case, block, index))
            out[block][index] = sum((c * np.imag(local[name])).sum() / STEP   # ()  (2)
                                    for name, c in cotangents.items())
    return symmetric(case, out)


def terms_add_up(cases: Sequence[Case], terms: Array, scale: Array) -> Array:
    """The reference's values; ArithmeticError where the sums of the terms are not these."""
    values = np.array([value(case) for case in cases])
    off = np.abs(terms - values) > AGREES * scale
    if off.any():
        first = cases[int(off.argmax())]
        wrong = ("one of the two is wrong" if first.network is None else
                 "does the network draw random numbers, as dropout does?")
        raise ArithmeticError(f"the terms of {first.id} do not add up to the reference's value: "
                              f"{wrong}")
    return values


def _local(q: Quantities) -> dict[str, Array]:
    """The local quantities that the objective of a case reads, by name."""
    read = {"score": q.psi, "divergence": lambda: q.diagonal().sum(axis=1), "gap": q.gap,
            "diagonal": q.diagonal, "reconstruction": q.reconstruction,
            "prediction": q.prediction, "curvature": q.curvature}
    return {name: read[name]() for name in OBJECTIVES[q.case.objective].reads}
