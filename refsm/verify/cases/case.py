"""A case: everything that one evaluation of a loss needs, as arrays.  Nothing random is left open.

A case is an objective, a closed-form model with its parameters, data, ALL randomness (noise,
directions) and the hyper-parameters.  An implementation is a function of a case that returns a
number (or an `Answer`, or a dict with the same keys).  In it, `case.x`, `case.x_noisy`,
`case.noise`, `case.sigma`, `case.directions`, `case.strength` are arrays and numbers,
`case.params["W"]` the parameters.  For implementations in NumPy, the local quantities that the
model has are functions of points (n, d); `refsm.quantities` has their names, shapes and meanings:

    case.energy(x)    case.score(x)    case.score_jacobian(x)    case.score_divergence(x)
    case.score_jacobian_diagonal(x)    case.score_curvature(x, v)    case.energy_gap(x)

and case.score(x, l) (n, d) at level l where there are several, case.reconstruct(x) (n, d) for the
autoencoder alone, case.prediction(x_noisy) (n, d) where the network predicts noise, clean points, a
velocity, a flow or what EDM's network does.  With a network of the user's own, case.score(x, sigma)
or its like is that network, given a level.

To write a model again in another language, these lines are all of it (`refsm.verify.cases.models`
says where they come from):

    autoencoder   s = sigmoid(x @ W.T + b);   reconstruction = s @ W + c
                  score = (reconstruction - x) / sigma**2
                  energy = -(x @ c - (x * x).sum(1) / 2 + softplus(x @ W.T + b).sum(1)) / sigma**2
    tanh          score = tanh(x @ B.T + b) @ A.T + c    (no energy: J is not symmetric)
    gaussian      score = -(x - mean) @ precision
                  energy = ((x - mean) @ precision * (x - mean)).sum(1) / 2
    mixture       log p = logsumexp_j( log weights_j - d log scales_j
                                       - |x - means_j|^2 / (2 scales_j^2) ),  energy = -log p
    boltzmann     energy = -(x @ W * x).sum(1) / 2 - x @ b             x in {0, 1}^d
    rbm           energy = -x @ c - softplus(x @ W.T + b).sum(1)       x in {0, 1}^d

A group is all the thetas that share sizes, sigma, data and noise.  Identifiers are never used
twice: "prime/dsm/c3/t2" is group 3, theta 2 of the pinned set; "prime/dsm/tanh/c3/t2" the same for
another model; "prime/dsm/seed7/c3/t2" belongs to the set of seed 7.  A change of any number
changes SUITE_VERSION.
"""
from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Callable, Mapping

import numpy as np

from refsm.quantities import QUANTITIES
from refsm.typing import Array
from refsm.verify.cases import models
from refsm.verify.cases.network import output
from refsm.verify.denoisers import maps_at
from refsm.verify.objectives import OBJECTIVES

__all__ = ["SUITE_VERSION", "SCHEMA_VERSION", "Case", "Answer", "as_json", "checksum"]

SUITE_VERSION = "1.0"      # the numbers in the cases
SCHEMA_VERSION = "2"       # the names and shapes of what a case holds and of what an answer is


@dataclass(frozen=True, eq=False, repr=False)
class Case:
    """One evaluation of one objective: data, parameters and all randomness as read-only arrays.

    >>> from refsm.verify.cases import cases
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
    group: str = "c0"
    network: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        for name in ("theta", "arrays"):
            copies = {}
            for key, value in getattr(self, name).items():
                copies[key] = np.array(value, dtype=float)
                copies[key].flags.writeable = False
            object.__setattr__(self, name, copies)
        object.__setattr__(self, "hyper", dict(self.hyper))

    @property
    def params(self) -> Mapping[str, Array]:
        """The parameters by name."""
        return self.theta

    @property
    def n(self) -> int:
        """The number of points."""
        return len(self.arrays["x"])

    @property
    def d(self) -> int:
        """The number of dimensions of a point."""
        return self.arrays["x"].shape[1]

    @property
    def M(self) -> int:
        """The number of directions at each point; 1 where there are none."""
        return self.arrays["directions"].shape[1] if "directions" in self.arrays else 1

    @property
    def sizes(self) -> dict[str, float]:
        """The sizes on which a factor may depend."""
        M = {"M": self.M} if "directions" in self.arrays else {}
        return {"d": self.d, "n": self.n, **M, **self.hyper}

    @property
    def all_arrays(self) -> dict[str, Array]:
        """Parameters and data by name."""
        return {**self.theta, **self.arrays}

    @property
    def checksums(self) -> dict[str, str]:
        """The sha256 of every array, by name: a reader can prove that its parser is exact."""
        return {name: checksum(a) for name, a in self.all_arrays.items()}

    def __getattr__(self, name: str) -> Any:
        for known in (self.arrays, self.hyper):                # before the functions are made
            if name in known:
                return known[name]
        functions = _functions(self)
        if name in functions:
            return functions[name]
        has = ", ".join([*self.arrays, *self.hyper, *functions])
        raise AttributeError(f"case {self.id} has no {name}; it has params "
                             f"({', '.join(self.theta) or 'none'}), {has}")

    def __repr__(self) -> str:
        shapes = [f"{name} {a.shape}" for name, a in self.all_arrays.items()]
        numbers = [f"{name} = {value}" for name, value in self.hyper.items()]
        return (f"Case({self.id}: {self.objective}, {self.model or 'no model'}; "
                f"{', '.join(shapes + numbers)})")

    def __reduce__(self) -> tuple:
        return Case, tuple(getattr(self, name) for name in Case.__dataclass_fields__)


@dataclass(frozen=True, eq=False)
class Answer:
    """What an implementation says of one case: `value`, and where it can, per_sample and gradient.

    `value` is a number, `per_sample` None or (n,), `gradient` None or a dict of arrays named and
    shaped as `case.params`.  `dtype` is the name of the narrowest floating type that the answer
    came in, `repeat_gap` by how much the values of two equal calls differed.
    """

    value: float
    per_sample: Array | None = None
    gradient: Mapping[str, Array] | None = None
    dtype: str = "float64"
    notes: tuple[str, ...] = ()
    repeat_gap: float = 0.0


def checksum(a: Array) -> str:
    """The sha256 of an array as little-endian float64 bytes, row after row, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(a, dtype="<f8").tobytes()).hexdigest()


def as_json(a: Array, data: bool = True) -> dict[str, Any]:
    """An array as JSON: its shape, its numbers row after row, and their checksum."""
    numbers = {"data": a.ravel().tolist()} if data else {}
    return {"shape": list(a.shape), **numbers, "sha256": checksum(a)}


def _functions(case: Case) -> dict[str, Callable]:
    """The model of a case as functions of points, named as the methods of an energy are."""
    model, theta, sigma = case.model, case.theta, case.hyper.get("sigma", 1.0)
    about = OBJECTIVES[case.objective]
    if model is None:
        return {}
    if case.network is not None:
        (read,) = about.reads
        return {"reconstruct" if read == "reconstruction" else read:
                lambda x, sigma=None: output(case, theta, x, sigma)}
    if about.levels == "several":
        def at_level(x: Array, l: int) -> Array:
            level = case.arrays["alpha"][l], case.arrays["sigma"][l]
            return models.score(model, models.corrupted(model, theta, *level), x)
        return {"score": at_level}
    local = models.local_quantities(model, theta, sigma)
    functions = {QUANTITIES[name].method: f for name, f in local.items()}
    if about.predicts:
        def prediction(x_noisy: Array, sigma: Any = None) -> Array:
            A, B = maps_at(case, about.predicts, sigma)
            return A * x_noisy + B * local["score"](x_noisy)
        functions["prediction"] = prediction
    if model == "autoencoder":
        functions["reconstruct"] = lambda x: x + sigma**2 * local["score"](x)
    return functions
