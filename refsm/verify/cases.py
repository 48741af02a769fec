"""Cases: everything that one evaluation of a loss needs, as arrays.  Nothing random is left to the implementation.

A case is an objective, a closed-form model with its parameters, data, ALL randomness (noise, directions) and the
hyper-parameters.  An implementation is a function of a case that returns a number (or an `Answer`, or a dict with the
same keys).  In it, `case.x`, `case.x_noisy`, `case.noise`, `case.sigma`, `case.directions`, `case.strength` are arrays and
numbers, `case.params["W"]` the parameters, and, for implementations in NumPy, these are functions of points (n, d):

    case.score(x) (n, d)             case.score_jacobian(x) (n, d, d)      case.score_divergence(x) (n,)
    case.score_diagonal(x) (n, d)    case.score_curvature(x, v) (n, M)     case.energy(x) (n,)
    case.energy_gap(x) (n, d)        case.reconstruct(x) (n, d)            the last for the autoencoder alone

To write a model again in another language, these lines are all of it (`refsm.verify.models` says where they come from):

    autoencoder   s = sigmoid(x @ W.T + b);   score = (s @ W + c - x) / sigma**2;   reconstruction = s @ W + c
                  energy = -(x @ c - (x * x).sum(1) / 2 + softplus(x @ W.T + b).sum(1)) / sigma**2
    tanh          score = tanh(x @ B.T + b) @ A.T + c                (no energy: the Jacobian is not symmetric)
    gaussian      score = -(x - mean) @ precision;   energy = ((x - mean) @ precision * (x - mean)).sum(1) / 2
    mixture       log p = logsumexp_j( log weights_j - d log scales_j - |x - means_j|^2 / (2 scales_j^2) ), energy = -log p
    boltzmann     energy = -(x @ W * x).sum(1) / 2 - x @ b                                  x in {0, 1}^d
    rbm           energy = -x @ c - softplus(x @ W.T + b).sum(1)                            x in {0, 1}^d

Families
    paper    tiny dyadic inputs: a person can follow them with a pencil, and float32, float64 and fractions agree exactly
    prime    the discriminating set: d in {3, 5}, n in {7, 13}, M in {11, 17}, sigma in {0.37, 0.61, 1.3}; five thetas in each of
             six cells (six for the regularised objective).  One model throughout: the autoencoder, or the Boltzmann machine
             for binary points, unless another is asked for
    array    no model: local quantities are given as arrays (`case.score` (n, d), `case.divergence` (n,), `case.jacobian`
             (n, d, d), `case.diagonal`, `case.curvature` (n, M), `case.reconstruction`, `case.gap` are then arrays), for a loss
             written as a function of network outputs

A cell is all the thetas that share sizes, sigma, data and noise.  Every random number is rounded to a multiple of 1/256,
so that it is the same in float32; only sigma, strength and x_noisy = x + sigma * noise are not.

Identifiers are never used twice: "prime/dsm/c3/t2" is cell 3, theta 2 of the pinned set; "prime/dsm/tanh/c3/t2" the same for
another model; "prime/dsm/seed7/c3/t2" belongs to the set of seed 7.  A change of any number changes SUITE_VERSION.
"""
from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping

import numpy as np

from refsm.typing import Array
from refsm.verify import models

__all__ = ["SUITE_VERSION", "SCHEMA_VERSION", "OBJECTIVES", "FAMILIES", "Case", "Answer", "cases", "objective_name", "model_names", "checksum"]

SUITE_VERSION = "1.0"      # the numbers in the cases
SCHEMA_VERSION = "1"       # the names and shapes of what a case holds and of what an answer is

FAMILIES = ("paper", "prime", "array")
OBJECTIVES = {
    "esm": "ExplicitScoreMatching", "ism": "ImplicitScoreMatching", "regularized": "RegularizedScoreMatching",
    "parzen_esm": "ParzenExplicitScoreMatching", "parzen_ism": "ParzenImplicitScoreMatching", "dsm": "DenoisingScoreMatching",
    "dae": "DenoisingAutoencoderLoss", "ssm": "SlicedScoreMatching", "ssm_vr": "SlicedScoreMatching(variance_reduced=True)",
    "ratio": "RatioMatching", "pseudo": "PseudoLikelihood"}
_LONG_NAMES = {
    "explicit": "esm", "implicit": "ism", "regularised": "regularized", "parzen_explicit": "parzen_esm", "parzen_implicit": "parzen_ism",
    "denoising": "dsm", "denoising_autoencoder": "dae", "sliced": "ssm", "sliced_vr": "ssm_vr", "ratio_matching": "ratio", "pseudo_likelihood": "pseudo",
    **{long.lower(): short for short, long in OBJECTIVES.items()}}


@dataclass(frozen=True, eq=False, repr=False)
class Case:
    """One evaluation of one objective: data, parameters and all randomness as read-only arrays.

    >>> case = cases("dsm")[0]
    >>> case.id, case.d, case.n, case.sigma, case.x_noisy.shape
    ('prime/dsm/c0/t0', 3, 7, 0.37, (7, 3))
    """

    id: str
    family: str
    objective: str
    model: str | None
    theta: Mapping[str, Array]
    arrays: Mapping[str, Array]
    hyper: Mapping[str, float]
    relation: str = "exact"
    cell: str = "c0"

    def __post_init__(self) -> None:
        for name in ("theta", "arrays"):
            held = {}
            for key, value in getattr(self, name).items():
                held[key] = np.array(value, dtype=float)
                held[key].flags.writeable = False
            object.__setattr__(self, name, held)
        object.__setattr__(self, "hyper", dict(self.hyper))

    @property
    def params(self) -> Mapping[str, Array]:
        """The parameters by name."""
        return self.theta

    @property
    def n(self) -> int:
        """The number of points."""
        return len(self._points)

    @property
    def d(self) -> int:
        """The number of dimensions of a point."""
        return self._points.shape[1]

    @property
    def M(self) -> int:
        """The number of directions at each point; 1 where there are none."""
        return self.arrays["directions"].shape[1] if "directions" in self.arrays else 1

    @property
    def _points(self) -> Array:
        return self.arrays["x"]

    @property
    def checksums(self) -> dict[str, str]:
        """The sha256 of every array, by name: a reader can prove that its parser is exact."""
        return {name: checksum(a) for name, a in {**self.theta, **self.arrays}.items()}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "arrays" not in self.__dict__ or "hyper" not in self.__dict__:
            raise AttributeError(name)
        if name in self.arrays:
            return self.arrays[name]
        if name in self.hyper:
            return self.hyper[name]
        function = _functions(self).get(name)
        if function is None:
            has = [*self.arrays, *self.hyper, *_functions(self)]
            raise AttributeError(f"case {self.id} has no {name}; it has params ({', '.join(self.theta) or 'none'}), {', '.join(has)}")
        return function

    def __repr__(self) -> str:
        shapes = [f"{name} {a.shape}" for name, a in {**self.theta, **self.arrays}.items()]
        numbers = [f"{name} = {value}" for name, value in self.hyper.items()]
        return f"Case({self.id}: {self.objective}, {self.model or 'no model'}; {', '.join(shapes + numbers)})"

    def __reduce__(self) -> tuple:
        fields = ("id", "family", "objective", "model", "theta", "arrays", "hyper", "relation", "cell")
        return Case, tuple(getattr(self, name) for name in fields)


@dataclass(frozen=True, eq=False)
class Answer:
    """What an implementation says of one case: `value`, and where it can, terms (n,) and the gradient by block.

    `value` is a number, `per_sample` None or (n,), `gradient` None or a dict of arrays named and shaped as `case.params`.
    `dtype` is the name of the narrowest floating type that the answer came in, `spread` by how much the values of two equal calls differed.
    """

    value: float
    per_sample: Array | None = None
    gradient: Mapping[str, Array] | None = None
    dtype: str = "float64"
    notes: tuple[str, ...] = field(default=())
    spread: float = 0.0


def cases(objective: str | Iterable[str], family: str | None = None, seed: int = 0, model: str | None = None) -> list[Case]:
    """The cases of an objective, always the same ones: those of one family, or of paper and prime together for None.

    `seed` makes other sets of the same sizes (the pinned one is 0); `model` chooses another model than the family's own.
    ValueError for a name that is not known.

    >>> len(cases("dsm", "prime")), cases("ratio", "paper")[0].model
    (30, 'boltzmann')
    """
    from refsm.verify import families

    if not isinstance(objective, str):
        return [case for name in objective for case in cases(name, family, seed, model)]
    objective = objective_name(objective)
    if family is not None and family not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)} or None, but it is {family!r}")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be an integer >= 0, but it is {seed!r}")
    if model is not None and model not in model_names(objective):
        raise ValueError(f"model must be one of {', '.join(model_names(objective))} for {objective}, but it is {model!r}")
    wanted = ("prime", "paper") if family is None else (family,)
    return [case for name in wanted for case in families.MAKERS[name](objective, int(seed), model)]


def objective_name(name: str) -> str:
    """The short name of an objective: "dsm" for "dsm", "denoising" or "DenoisingScoreMatching".  ValueError for others."""
    short = _LONG_NAMES.get(str(name).lower(), str(name).lower())
    if short not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, but it is {name!r}")
    return short


def model_names(objective: str) -> tuple[str, ...]:
    """The models on which an objective has cases, its own first."""
    if objective == "dae":
        return ("autoencoder",)
    return models.BINARY if objective in ("ratio", "pseudo") else models.CONTINUOUS


def checksum(a: Array) -> str:
    """The sha256 of an array's little-endian float64 bytes, row after row, as hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(a, dtype="<f8").tobytes()).hexdigest()


def _functions(case: Case) -> dict[str, Callable]:
    """The model of a case as functions of points."""
    model, theta, sigma = case.model, case.theta, case.hyper.get("sigma", 1.0)
    if model is None:
        return {}
    if model in models.BINARY:
        return {"energy": lambda x: models.energy(model, theta, x), "energy_gap": lambda x: models.gap(model, theta, x)}

    def score(x: Array) -> Array:
        return models.score(model, theta, x, sigma)

    def jacobian(x: Array) -> Array:
        return models.jacobian(model, theta, x, sigma)

    functions: dict[str, Callable] = {
        "score": score, "score_jacobian": jacobian,
        "score_divergence": lambda x: np.einsum("nii->n", jacobian(x)), "score_diagonal": lambda x: np.einsum("nii->ni", jacobian(x)),
        "score_curvature": lambda x, v: np.einsum("n...i,nik,n...k->n...", v, jacobian(x), v)}
    if model in models.WITH_ENERGY:
        functions["energy"] = lambda x: models.energy(model, theta, x, sigma)
    if model == "autoencoder":
        functions["reconstruct"] = lambda x: x + sigma**2 * score(x)
    return functions
