"""The objectives, one description each: names, what is random, terms, constant, and the reference.

A loss is a sum of terms that depend on theta, and of a constant that does not.  A mistake changes
the coefficient of a term, or puts another function in its place; so answers are regressed on the
terms.  The value comes from `refsm.objectives`; the terms must add up to it, in every case.

Symbols
    n points, i dimensions (d), r directions (M).
    psi    (n, d)     score, at x or at x_noisy; J (n, d, d) is its Jacobian
    target (n, d)     what psi is compared with: the score of the data, of the Parzen density, or
                      of the corruption; g in the words of a report
    directions (n, M, d); v in the words of a report
    reconstruction (n, d); y in the words of a report
    gap    (n, d)     E(x with bit i flipped) - E(x)
    x      (n, d)     clean points
    h, h_slope (n, d) weights that vanish at the boundary, and their derivatives

Equations
    (1)  norm        = |psi|^2 / 2;     sliced: the mean over r of (v_r.psi)^2 / 2
    (2)  cross       = -psi.target
    (3)  constant    = |target|^2 / 2
    (4)  divergence  = sum_i J_ii;      sliced: the mean over r of v_r' J v_r
    (5)  penalty     = strength sum_i J_ii^2
    (6)  output      = |reconstruction|^2
    (7)  product     = -2 reconstruction.x
    (8)  data        = |x|^2
    (9)  ratio       = sum_i sigmoid(-gap_i)^2
    (10) pseudo      = sum_i softplus(-gap_i)
    (11) flow        = sum_i exp(-gap_i / 2)
    (12) norm        = sum_i h_i psi_i^2 / 2                     generalised score matching
    (13) slope       = sum_i h_slope_i psi_i
    (14) divergence  = sum_i h_i J_ii

Derivation
    (1) + (2) + (3)  expand |psi - target|^2 / 2;
    (6) + (7) + (8)  expand |reconstruction - x|^2.

Conventions
    A new objective is a new description here, and its mistakes in `refsm.verify.mistakes`.  The
    descriptions of scaled noise, levels and predictions are in `refsm.verify.denoisers`.

Sources
    The rooms of `refsm.objectives`.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import refsm
from refsm import validation
from refsm.stable import sigmoid, softplus
from refsm.typing import Array
from refsm.verify.denoisers import DENOISERS
from refsm.verify.description import BINARY, CONTINUOUS, Description, Term, dot

__all__ = ["BINARY", "CONTINUOUS", "Description", "OBJECTIVES", "Term", "dot", "model_names",
           "objective_name", "predicting", "target"]


def target(q: Any) -> Array:
    """g, what the score is compared with, (n, d)."""
    return OBJECTIVES[q.case.objective].target(q)      # type: ignore[misc]


# each term: its role, its name, and the term at each point, (n,)
NORM = Term("norm", "|psi|^2 / 2", per_sample=lambda q: dot(q.psi(), q.psi()) / 2)       # (1)
SLICED_NORM = Term("norm", "(v.psi)^2 / 2", per_sample=lambda q: (
    q.along()**2).mean(axis=1) / 2)                                                      # (1)
CROSS = Term("cross", "-psi.g", per_sample=lambda q: -dot(q.psi(), target(q)))           # (2)
MATCHED = Term("constant", "|g|^2 / 2",
               per_sample=lambda q: dot(target(q), target(q)) / 2)                       # (3)
DIVERGENCE = Term("divergence", "tr J", per_sample=lambda q: q.diagonal().sum(axis=1))   # (4)
CURVATURE = Term("divergence", "v' J v",
                 per_sample=lambda q: q.curvature().mean(axis=1))                        # (4)
PENALTY = Term("penalty", "strength sum_i J_ii^2",
               per_sample=lambda q: q.case.strength * dot(q.diagonal(), q.diagonal()))   # (5)
OUTPUT = Term("output", "|y|^2",
              per_sample=lambda q: dot(q.reconstruction(), q.reconstruction()))          # (6)
PRODUCT = Term("product", "-2 y.x",
               per_sample=lambda q: -2 * dot(q.reconstruction(), q.case.x))              # (7)
DATA = Term("constant", "|x|^2", per_sample=lambda q: dot(q.case.x, q.case.x))           # (8)
RATIO = Term("whole", "sum_i sigmoid(-gap_i)^2",
             per_sample=lambda q: (sigmoid(-q.gap())**2).sum(axis=1))                    # (9)
PSEUDO = Term("whole", "sum_i softplus(-gap_i)",
              per_sample=lambda q: softplus(-q.gap()).sum(axis=1))                       # (10)
FLOW = Term("whole", "sum_i exp(-gap_i / 2)",
            per_sample=lambda q: np.exp(-q.gap() / 2).sum(axis=1))                       # (11)
H_NORM = Term("norm", "sum_i h_i psi_i^2 / 2",
              per_sample=lambda q: dot(q.case.h, q.psi()**2) / 2)                        # (12)
H_SLOPE = Term("slope", "sum_i h_slope_i psi_i",
               per_sample=lambda q: dot(q.case.h_slope, q.psi()))                        # (13)
H_DIVERGENCE = Term("divergence", "sum_i h_i J_ii",
                    per_sample=lambda q: dot(q.case.h, q.diagonal()))                    # (14)

OBJECTIVES: dict[str, Description] = {
    "esm": Description(
        "ExplicitScoreMatching", ("explicit",), ("score",), (NORM, CROSS),
        lambda case: refsm.ExplicitScoreMatching(case.x, case.data_score), given=("data_score",),
        constant=MATCHED, target=lambda q: q.case.data_score),
    "ism": Description(
        "ImplicitScoreMatching", ("implicit",), ("score", "divergence"), (NORM, DIVERGENCE),
        lambda case: refsm.ImplicitScoreMatching(case.x)),
    "regularized": Description(
        "RegularizedScoreMatching", ("regularised",), ("score", "diagonal"),
        (NORM, DIVERGENCE, PENALTY),
        lambda case: refsm.RegularizedScoreMatching(case.x, case.strength), given=("strength",)),
    "parzen_esm": Description(
        "ParzenExplicitScoreMatching", ("parzen_explicit",), ("score",), (NORM, CROSS),
        lambda case: refsm.ParzenExplicitScoreMatching(case.x, case.x_noisy, case.sigma),
        "noise", constant=MATCHED, target=lambda q: q.parzen()),
    "parzen_ism": Description(
        "ParzenImplicitScoreMatching", ("parzen_implicit",), ("score", "divergence"),
        (NORM, DIVERGENCE), lambda case: refsm.ParzenImplicitScoreMatching(case.x_noisy), "noise"),
    "dsm": Description(
        "DenoisingScoreMatching", ("denoising",), ("score",), (NORM, CROSS),
        lambda case: refsm.DenoisingScoreMatching(case.x, case.x_noisy, case.sigma), "noise",
        constant=MATCHED, target=lambda q: (q.case.x - q.case.x_noisy) / q.case.sigma**2),
    "dae": Description(
        "DenoisingAutoencoderLoss", ("denoising_autoencoder",), ("reconstruction",),
        (OUTPUT, PRODUCT), lambda case: refsm.DenoisingAutoencoderLoss(case.x, case.x_noisy),
        "noise", constant=DATA, models=("autoencoder",), learned="reconstruction"),
    "ssm": Description(
        "SlicedScoreMatching", ("sliced",), ("score", "curvature"), (SLICED_NORM, CURVATURE),
        lambda case: refsm.SlicedScoreMatching(case.x, case.directions), "directions"),
    "ssm_vr": Description(
        "SlicedScoreMatching(variance_reduced=True)", ("sliced_vr",), ("score", "curvature"),
        (NORM, CURVATURE),
        lambda case: refsm.SlicedScoreMatching(
            case.x, case.directions, variance_reduced=True),
        "directions"),
    "ratio": Description(
        "RatioMatching", ("ratio_matching",), ("gap",), (RATIO,),
        lambda case: refsm.RatioMatching(case.x), models=BINARY, learned="model"),
    "pseudo": Description(
        "PseudoLikelihood", ("pseudo_likelihood",), ("gap",), (PSEUDO,),
        lambda case: refsm.PseudoLikelihood(case.x), models=BINARY, learned="model"),
    "mpf": Description(
        "MinimumProbabilityFlow", ("minimum_probability_flow",), ("gap",), (FLOW,),
        lambda case: refsm.MinimumProbabilityFlow(case.x), models=BINARY, learned="model"),
    "generalized": Description(
        "GeneralizedScoreMatching", ("generalised",), ("score", "diagonal"),
        (H_NORM, H_SLOPE, H_DIVERGENCE),
        lambda case: refsm.GeneralizedScoreMatching(case.x, case.h, case.h_slope),
        given=("h", "h_slope")),
    **DENOISERS,
}
_LONG_NAMES = {long.lower(): short for short, about in OBJECTIVES.items()
               for long in (*about.aliases, about.public)}


def objective_name(name: str) -> str:
    """The short name: "dsm" for "dsm", "denoising" or "DenoisingScoreMatching".  Or ValueError."""
    short = _LONG_NAMES.get(str(name).lower(), str(name).lower())
    if short not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, but it is "
                         f"{validation.brief(name)}")
    return short


def model_names(objective: str) -> tuple[str, ...]:
    """The models on which an objective has cases, its own first."""
    return OBJECTIVES[objective].models


def predicting(objective: str, kind: str | None) -> str:
    """The objective whose network predicts `kind`, in the place of a score; the same for None.  Or
    ValueError.

    >>> predicting("dsm", "noise")
    'noise_prediction'
    """
    if kind is None:
        return objective
    kinds = {"score": "dsm_levels", **{about.predicts: name for name, about in OBJECTIVES.items()
                                       if about.predicts}}
    if kind not in list(kinds):
        raise ValueError(f"predicts must be one of {', '.join(kinds)}, but it is "
                         f"{validation.brief(kind)}")
    if objective not in ("dsm", *kinds.values()):
        raise ValueError(f"predicts is for denoising (dsm), but the objective is {objective}")
    return kinds[kind]
