"""The objectives, one description each: names, what is random, terms, constant, and the reference.

A loss is a sum of terms that depend on theta, and of a constant that does not.  A mistake changes
the coefficient of a term, or puts another function in its place; so answers are regressed on the
terms.  The value comes from `refsm.objectives`; the terms must add up to it, in every case.

Symbols
    n points, i dimensions (d), r directions (M).
    psi    (n, d)     score, at x or at x_noisy
    J      (n, d, d)  its Jacobian
    target (n, d)     what psi is compared with: the score of the data, of the Parzen density, or
                      of the corruption; g in the words of a report
    v      (n, M, d)  directions
    reconstruction (n, d); y in the words of a report
    gap    (n, d)     E(x with bit i flipped) - E(x)
    x      (n, d)     clean points

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

Derivation
    (1) + (2) + (3)  expand |psi - target|^2 / 2;
    (6) + (7) + (8)  expand |reconstruction - x|^2.

Conventions
    A new objective is a new description here, and its mistakes in `refsm.verify.mistakes`.

Sources
    The rooms of `refsm.objectives`.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

import refsm
from refsm.stable import sigmoid, softplus
from refsm.typing import Array

__all__ = ["Description", "OBJECTIVES", "Term", "dot", "model_names", "objective_name", "target"]

CONTINUOUS = ("autoencoder", "tanh", "gaussian", "mixture")
BINARY = ("boltzmann", "rbm")


@dataclass(frozen=True)
class Term:
    """A function of the local quantities: a term of a loss, or what a mistake puts in its place.

    `role` says which term it stands for, `name` which function it is; two terms with the same name
    are the same function.
    """

    role: str
    name: str
    per_sample: Callable[[Any], Array]             # of `refsm.verify.cases.quantities.Quantities`


@dataclass(frozen=True)
class Description:
    """All that the verification needs to be given about one objective."""

    public: str                                    # its name in refsm
    aliases: tuple[str, ...]
    reads: tuple[str, ...]                         # local quantities, by their names in array cases
    terms: tuple[Term, ...]
    reference: Callable[[Any], Any]                # of a case: the objective of refsm that judges
    random: str = ""                               # "noise", "directions", or nothing
    given: tuple[str, ...] = ()                    # what its cases hold beside x and randomness
    constant: Term | None = None                   # the term that does not depend on theta
    target: Callable[[Any], Array] | None = None   # g
    models: tuple[str, ...] = CONTINUOUS           # on which it has cases, its own first
    learned: str = "score"                         # what its minimiser is

    @property
    def at(self) -> str:
        """Where the model is read."""
        return "x_noisy" if self.random == "noise" else "x"

    @property
    def is_binary(self) -> bool:
        """Whether its points are binary."""
        return self.reads == ("gap",)

    @property
    def all_terms(self) -> tuple[Term, ...]:
        """The terms, and the constant where there is one."""
        return self.terms if self.constant is None else (*self.terms, self.constant)


def dot(a: Array, b: Array) -> Array:
    """sum_i a_ni b_ni."""
    return (a * b).sum(axis=-1)


def target(q: Any) -> Array:
    """g, what the score is compared with, (n, d)."""
    return OBJECTIVES[q.case.objective].target(q)      # type: ignore[misc]


def _norm(q: Any) -> Array:
    return dot(q.psi(), q.psi()) / 2                                          # (n,)  (1)


def _sliced_norm(q: Any) -> Array:
    along = np.einsum("nri,ni->nr", q.v(), q.psi())
    return (along**2).mean(axis=1) / 2                                        # (n,)  (1)


def _cross(q: Any) -> Array:
    return -dot(q.psi(), target(q))                                           # (n,)  (2)


def _matched(q: Any) -> Array:
    return dot(target(q), target(q)) / 2                                      # (n,)  (3)


def _divergence(q: Any) -> Array:
    return q.diagonal().sum(axis=1)                                           # (n,)  (4)


def _curvature(q: Any) -> Array:
    return np.einsum("nri,nik,nrk->nr", q.v(), q.J(), q.v()).mean(axis=1)     # (n,)  (4)


def _penalty(q: Any) -> Array:
    return q.case.strength * dot(q.diagonal(), q.diagonal())                  # (n,)  (5)


def _output(q: Any) -> Array:
    return dot(q.reconstruction(), q.reconstruction())                        # (n,)  (6)


def _product(q: Any) -> Array:
    return -2 * dot(q.reconstruction(), q.case.x)                             # (n,)  (7)


def _data(q: Any) -> Array:
    return dot(q.case.x, q.case.x)                                            # (n,)  (8)


def _ratio(q: Any) -> Array:
    return (sigmoid(-q.gap())**2).sum(axis=1)                                 # (n,)  (9)


def _pseudo(q: Any) -> Array:
    return softplus(-q.gap()).sum(axis=1)                                     # (n,)  (10)


NORM = Term("norm", "|psi|^2 / 2", _norm)
SLICED_NORM = Term("norm", "(v.psi)^2 / 2", _sliced_norm)
CROSS = Term("cross", "-psi.g", _cross)
MATCHED = Term("constant", "|g|^2 / 2", _matched)
DIVERGENCE = Term("divergence", "tr J", _divergence)
CURVATURE = Term("divergence", "v' J v", _curvature)
PENALTY = Term("penalty", "strength sum_i J_ii^2", _penalty)
OUTPUT, PRODUCT = Term("output", "|y|^2", _output), Term("product", "-2 y.x", _product)
DATA = Term("constant", "|x|^2", _data)
RATIO = Term("whole", "sum_i sigmoid(-gap_i)^2", _ratio)
PSEUDO = Term("whole", "sum_i softplus(-gap_i)", _pseudo)

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
}
_LONG_NAMES = {long.lower(): short for short, about in OBJECTIVES.items()
               for long in (*about.aliases, about.public)}


def objective_name(name: str) -> str:
    """The short name: "dsm" for "dsm", "denoising" or "DenoisingScoreMatching".  Or ValueError."""
    short = _LONG_NAMES.get(str(name).lower(), str(name).lower())
    if short not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, but it is {name!r}")
    return short


def model_names(objective: str) -> tuple[str, ...]:
    """The models on which an objective has cases, its own first."""
    return OBJECTIVES[objective].models
