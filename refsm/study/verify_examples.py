"""Worked examples for the rooms of `refsm.verify`: small cases, and losses with one mistake."""
from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, Callable

import numpy as np

from refsm.verify.adapters.ask import TIME_LIMIT
from refsm.verify.api import verify
from refsm.verify.cases import Answer, cases, gradient, models, per_sample, value
from refsm.verify.cases.derivatives import term_gradient
from refsm.verify.cases.quantities import Quantities, Unavailable
from refsm.verify.mistakes import formulas
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.own_gradient import against_own_loss
from refsm.verify.own_noise.replicates import verify_own_noise

__all__ = ["VERIFY_EXAMPLES"]


def _wrong_factors() -> None:
    """Without the 1/2; with the other sign; with sigma for sigma^2 in the target."""
    verify(lambda case: 2 * value(case), "dsm")
    verify(lambda case: -value(case), "dsm")
    verify(lambda case: float(((case.score(case.x_noisy) - (case.x - case.x_noisy) / case.sigma)**2
                               ).sum(axis=1).mean() / 2), "dsm")


def _own_weights() -> None:
    """Weights that are no power of sigma, so that the loss is read as a quadratic form."""
    verify(lambda case: (1 + case.sigma) * value(case), "dsm")
    verify(lambda case: float(np.mean((1 + case.sigma) * per_sample(case))), "dsm_levels",
           model="gaussian", cases=cases("dsm_levels", "prime", model="gaussian")[:30])


def _detached() -> None:
    """A gradient without the way through the encoder, as if it were detached."""
    def answer(case: Any) -> Answer:
        terms = OBJECTIVES["ism"].terms
        by_term = [term_gradient(case, term, "decoder", ["W"])["W"] for term in terms]
        return Answer(value(case), gradient={**gradient(case), "W": np.sum(by_term, axis=0)})

    verify(answer, "ism", gradient=True, cases=cases("ism", "prime")[:6])
    gradient(cases("ism", "prime", model="tanh")[0])            # no energy of refsm: by (2)


def _terms() -> None:
    """Each term of each objective, and each model, in its first case."""
    for objective in OBJECTIVES:
        case = cases(objective, "paper")[0]
        q = Quantities(case)
        for term in filter(None, (*OBJECTIVES[objective].terms, OBJECTIVES[objective].constant)):
            term.per_sample(q)
    for model, objective in (("gaussian", "ism"), ("autoencoder", "ism"), ("tanh", "ism"),
                             ("mixture", "ism"), ("boltzmann", "ratio"), ("rbm", "ratio")):
        case = cases(objective, "prime", model=model)[0]
        local = models.local_quantities(model, case.theta, case.hyper.get("sigma", 1.0))
        for name in [name for name in ("energy", "score", "jacobian") if name in local]:
            local[name](case.x)
    for model in ("gaussian", "mixture"):
        models.corrupted(model, cases("ism", "prime", model=model)[0].theta, 0.8, 0.5)


def _mistakes() -> None:
    """The wrong formulas of two objectives."""
    for objective in ("generalized", "dsm_levels", "parzen_esm"):
        case = cases(objective, "prime")[0]
        for formula, q in itertools.product(formulas(objective, case.model), [Quantities(case)]):
            for term in formula.terms:
                try:
                    term.per_sample(q)
                except Unavailable:
                    continue


def _noisy(case: Any, rng: np.random.Generator) -> float:
    noise = rng.standard_normal(case.x.shape)
    residual = case.score(case.x + case.sigma * noise) + noise / case.sigma
    return float((residual**2).sum(axis=1).mean() / 2)


def _slices(case: Any, rng: np.random.Generator) -> float:
    v = rng.standard_normal((case.n, case.n_directions, case.d))
    curvature = np.einsum("nri,nik,nrk->nr", v, case.score_jacobian(case.x), v)
    along = np.einsum("nri,ni->nr", v, case.score(case.x))
    return float((curvature + along**2 / 2).mean())


def _reconstructed(case: Any, rng: np.random.Generator) -> float:
    x_noisy = case.x + case.sigma * rng.standard_normal(case.x.shape)
    residual = x_noisy + case.sigma**2 * case.score(x_noisy) - case.x
    return float((residual**2).sum(axis=1).mean())


def _at_drawn_levels(case: Any, rng: np.random.Generator) -> float:
    drawn = rng.integers(case.n, size=case.n)
    arrays = {name: a if name == "x" else a[drawn] for name, a in case.arrays.items()}
    case, noise = replace(case, arrays=arrays), rng.standard_normal(case.x.shape)
    x_noisy = case.alpha[:, None] * case.x + case.sigma[:, None] * noise
    return float(((case.prediction(x_noisy) - noise)**2).sum(axis=1).mean())


def _own_gradient() -> None:
    """The sine of the canonical loss, which nothing explains, with the gradient of that sine."""
    some = cases("ism", "prime", model="gaussian")[:1]
    right = [Answer(np.sin(value(case)), gradient={block: np.cos(value(case)) * part for block, part
                                                   in gradient(case).items()}) for case in some]
    against_own_loss(lambda case: float(np.sin(value(case))), some, right, True, TIME_LIMIT)


def _replicates() -> None:
    verify_own_noise(_reconstructed, "dae", replicates=120)
    verify_own_noise(_noisy, "dsm", replicates=30)
    verify_own_noise(_slices, "ssm", replicates=30)
    verify_own_noise(_at_drawn_levels, "noise_prediction", replicates=120)


VERIFY_EXAMPLES: dict[str, Callable[[], Any]] = {f"verify/{room}": run for run, rooms in {
    _wrong_factors: ("diagnosis/explanation", "diagnosis/regression", "diagnosis/scaling",
                     "diagnosis/scaling_fit"),
    _own_weights: ("diagnosis/quadratic_form",),
    _detached: ("cases/derivatives", "cases/reference", "diagnosis/gradients"),
    _terms: ("objectives", "denoisers", "cases/models"),
    _mistakes: ("mistakes/levels", "mistakes/weighted", "cases/quantities"),
    _own_gradient: ("own_gradient",),
    _replicates: ("own_noise/affine", "own_noise/hypotheses", "own_noise/moments",
                  "own_noise/replicates"),
}.items() for room in rooms}
