"""How the numbers of the cases are made: the families paper, prime, vp, flow, ve, subvp and array.

    paper    tiny dyadic inputs, which a person can follow with a pencil, and which float32,
             float64 and fractions hold exactly
    prime    the discriminating set: d in {3, 5}, n in {7, 13}, M in {11, 17}, sigma in
             {0.37, 0.61, 1.3}; five thetas or more in each of six groups.  One model throughout:
             the objective's first, or the one that is asked for
    array    no model: local quantities are given as arrays (`case.score` (n, d), `case.divergence`
             (n,), `case.jacobian` (n, d, d), `case.diagonal`, `case.curvature` (n, M),
             `case.reconstruction`, `case.gap` are then arrays), for a loss written as a function of
             network outputs

Every random number comes from one generator per set, in a fixed order, and is rounded to a multiple
of 1/256, so that float32 holds it exactly and the last bit of a platform's logarithm cannot matter;
only sigma, strength and x_noisy = alpha x + sigma noise are not.

Six groups carry the sizes.  Their logarithms make the exponents of sigma^a d^b n^c M^e unique
(M and the penalty's strength vary alike, and no objective has both): the columns 1, log sigma,
log d, log n, log M are linearly independent.
"""
from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, Callable, Iterable, NamedTuple

import numpy as np

from refsm import validation
from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.levels import SCHEDULES, at_levels, levels_of_family, paper_levels
from refsm.verify.cases.network import check_network, new_parameters
from refsm.verify.objectives import OBJECTIVES, model_names, objective_name

__all__ = ["FAMILIES", "GROUPS", "HIDDEN", "cases", "has_cases", "network_cases",
           "thetas_per_group", "whole_seed"]


class Group(NamedTuple):
    """The sizes that the thetas of a group share."""

    d: int
    n: int
    M: int
    sigma: float
    strength: float
    alpha: float
    L: int


GROUPS = (Group(3, 7, 11, 0.37, 0.23, 0.875, 3), Group(5, 7, 11, 0.61, 0.23, 0.5, 3),
          Group(3, 13, 17, 0.61, 0.71, 0.75, 5), Group(5, 13, 11, 1.3, 0.23, 0.25, 3),
          Group(3, 7, 17, 1.3, 0.71, 0.625, 5), Group(5, 13, 17, 0.37, 0.71, 0.375, 5))
HIDDEN = 6
LENGTHS = (1.0, 0.5, 1.5, 0.75, 1.25, 2.0)     # the thetas of a group differ in length too


def thetas_per_group(objective: str) -> int:
    """The unknowns of a group (its terms and the intercept) and two more; 12 where points have
    levels, each of which has unknowns of its own."""
    about = OBJECTIVES[objective]
    return 12 if about.levels == "points" else max(5, len(about.terms) + 3)


@lru_cache(maxsize=256)
def in_groups(family: str, objective: str, seed: int, model: str | None) -> list[Case]:
    """Five thetas or more in each of six groups."""
    name = None if family == "array" else model or model_names(objective)[0]
    return _groups(family, objective, seed, name)


def network_cases(objective: str, network: Any, parameters: Any, seed: int = 0,
                  family: str = "prime") -> list[Case]:
    """The cases of a family in groups with a network of the user's own."""
    check_network(objective, network, parameters)
    check_family(family, objective, ("prime", *SCHEDULES), " with a network of your own")
    return _groups(family, objective, whole_seed(seed), "network", network, parameters)


def _groups(family: str, objective: str, seed: int, name: str | None,
            network: Callable[..., Any] | None = None,
            parameters: Callable[..., Any] | None = None) -> list[Case]:
    """The cases of six groups, with a model by name, with a network, or with neither."""
    other = [] if name in (None, model_names(objective)[0]) else [name]
    stem = "/".join([family, objective, *other, *([f"seed{seed}"] if seed else [])])
    rng = np.random.default_rng([seed, sum(map(ord, objective + (name or family)))])
    made = []
    for k, group in enumerate(GROUPS):
        if family in SCHEDULES:
            alpha, sigma = map(float, SCHEDULES[family][1](group.alpha, group.sigma))
            group = group._replace(alpha=alpha, sigma=sigma)
        arrays, hyper = _data(objective, name, group, rng, levels_of_family(family))
        for t in range(thetas_per_group(objective)):
            theta, outputs = {}, {}
            if name is None:
                outputs = _outputs(objective, arrays, LENGTHS[t % 6], rng)
            elif parameters is not None:
                theta = new_parameters(parameters, group.d, rng)
            else:
                theta = _theta(name, group.d, LENGTHS[t % 6], rng)
            if name == "gaussian" and OBJECTIVES[objective].levels == "several":
                P = theta["precision"]             # only a density can be corrupted
                theta["precision"] = np.round(P @ P * 64) / 256 + np.eye(group.d)
            made.append(Case(f"{stem}/c{k}/t{t}", family, objective, name, theta,
                             {**arrays, **outputs}, hyper, group=f"c{k}", network=network))
    return made


def paper(objective: str, seed: int, model: str | None) -> list[Case]:
    """Two cases, three with directions, of dyadic numbers; of one model, the same for any seed."""
    about = OBJECTIVES[objective]
    own = "gaussian" if "gaussian" in about.models else about.models[0]
    if model is not None and model != own:
        return []
    x = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0], [2.0, -1.0]])
    noise = np.array([[1.0, -1.0], [2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    mean, precision = np.array([0.5, -1.0]), np.array([[2.0, 0.5], [0.5, 1.0]])
    thetas: list[dict[str, Array]] = [{"mean": 0 * mean, "precision": np.eye(2)},
                                      {"mean": mean, "precision": precision}]
    if about.is_binary:
        x = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
        W = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, -2.0], [0.0, -2.0, 0.0]])
        thetas = [{"W": 0 * W, "b": np.zeros(3)}, {"W": W, "b": np.array([0.5, 0.0, -1.0])}]
    elif own == "autoencoder":                 # the activations are 0, and sigmoid(0) = 1/2 exactly
        noise = np.array([[1.0, 0.0], [2.0, -4.0], [0.0, -2.0], [-1.0, 2.0]])
        W = np.array([[0.0, 2.0], [0.0, -1.0], [0.0, 0.5]])
        thetas = [{"W": 0 * W, "b": np.zeros(3), "c": np.array([0.5, -1.0])},
                  {"W": W, "b": np.zeros(3), "c": np.array([0.0, 0.25])}]
    elif objective == "parzen_esm":            # both centres are equally far from each noisy point
        x, noise = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[-2.0, 2.0], [2.0, -1.0]])
    arrays, hyper = {"x": x}, {"strength": 0.25} if "strength" in about.given else {}
    if about.random == "noise":
        arrays, hyper = {"x": x, "noise": noise, "x_noisy": x + noise / 2}, {"sigma": 0.5}
    elif about.random == "directions":
        signs = [[[1.0, 1.0], [1.0, -1.0]], [[-1.0, 1.0], [1.0, 1.0]]]
        arrays["directions"] = np.array(signs * 2)
    if about.levels:
        arrays, hyper = paper_levels(about, x, noise)
    if "data_score" in about.given:
        arrays["data_score"] = -x / 2
    if "h" in about.given:
        arrays = {"x": x + 2, "h": (x + 2)**2, "h_slope": 2 * (x + 2)}
    inputs = [(theta, arrays) for theta in thetas]
    if about.random == "directions":           # neither orthogonal nor of equal length
        v = [[[1.0, 0.5], [-0.5, 1.5]], [[0.0, -1.0], [2.0, 0.5]]]
        inputs.append((thetas[1], {**arrays, "directions": np.array(v * 2)}))
    return [Case(f"paper/{objective}/{k}", "paper", objective, own, theta, given, hyper)
            for k, (theta, given) in enumerate(inputs)]


FAMILIES: dict[str, Callable[[str, int, str | None], list[Case]]] = {
    "paper": paper, **{name: partial(in_groups, name) for name in ("prime", *SCHEDULES, "array")}}


def cases(objective: str | Iterable[str], family: str | None = None, seed: int = 0,
          model: str | None = None) -> list[Case]:
    """The cases of an objective, always the same ones: one family, or paper and prime for None.

    `seed` makes other sets of the same sizes (the pinned one is 0); `model` chooses another model
    than the family's own.  ValueError for a name that is not known.

    >>> len(cases("dsm", "prime")), cases("ratio", "paper")[0].model
    (30, 'boltzmann')
    """
    if not isinstance(objective, str):
        if not isinstance(objective, Iterable):
            raise TypeError("objective must be the name of one, or names, but it is "
                            f"{validation.brief(objective)}")
        return [case for name in objective for case in cases(name, family, seed, model)]
    objective = objective_name(objective)
    if family is not None:
        check_family(family, objective)
    seed = whole_seed(seed)
    if model is not None and model not in model_names(objective):
        raise ValueError(f"model must be one of {', '.join(model_names(objective))} for "
                         f"{objective}, but it is {validation.brief(model)}")
    wanted = ("prime", "paper") if family is None else (family,)
    made = [case for name in wanted for case in FAMILIES[name](objective, seed, model)]
    if model is not None and model not in {case.model for case in made}:
        raise ValueError(f"the family {family} has no cases of {objective} on the {model} model")
    return made


def check_family(family: Any, objective: str, allowed: Iterable[str] = tuple(FAMILIES),
                 what: str = "") -> None:
    """ValueError for a family that is not known, or that has no cases of the objective."""
    if family not in allowed:
        raise ValueError(f"family must be one of {', '.join(allowed)}{what}, "
                         f"but it is {validation.brief(family)}")
    if not has_cases(family, objective):
        raise ValueError(f"the family {family} has no cases of {objective}, which has no alpha")


def has_cases(family: str, objective: str) -> bool:
    """Whether a family that is known has cases of the objective."""
    return family not in SCHEDULES or "alpha" in OBJECTIVES[objective].given


def whole_seed(seed: Any) -> int:
    """The seed as an integer >= 0.  Or ValueError."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be an integer >= 0, but it is {validation.brief(seed)}")
    return int(seed)


def _normals(rng: np.random.Generator, length: float = 1.0) -> Callable[..., Array]:
    """Normal numbers of some shape and standard deviation `length`, multiples of 1/256."""
    return lambda *shape: np.round(length * rng.standard_normal(shape) * 256) / 256


def _data(objective: str, model: str | None, group: Group, rng: np.random.Generator,
          levels: Array) -> tuple[dict[str, Array], dict[str, float]]:
    """The arrays and hyper-parameters that the thetas of a group share."""
    about, (d, n, M, sigma, strength, *_) = OBJECTIVES[objective], group
    if about.is_binary:
        return {"x": (rng.random((n, d)) < 0.5).astype(float)}, {}
    normal = _normals(rng)
    arrays, hyper = {"x": normal(n, d)}, {}
    if about.levels:
        L = (group.L,) if about.levels == "several" else ()
        return at_levels(about, arrays["x"], normal(*L, n, d), group, levels, rng)
    if "h" in about.given:                         # h = x^2 on x > 0
        x = np.abs(arrays["x"]) + 1 / 256
        arrays |= {"x": x, "h": x**2, "h_slope": 2 * x}
    if about.random == "noise":
        noise = normal(n, d)
        arrays |= {"noise": noise, "x_noisy": arrays["x"] + sigma * noise}
    if about.random == "noise" or model == "autoencoder":
        hyper["sigma"] = sigma
    if "data_score" in about.given:
        arrays["data_score"] = normal(n, d)
    if about.random == "directions":
        arrays["directions"] = normal(n, M, d)
    if "strength" in about.given:
        hyper["strength"] = strength
    return arrays, hyper


def _theta(model: str, d: int, length: float, rng: np.random.Generator) -> dict[str, Array]:
    """Random parameters of a model, `length` times the usual ones."""
    m, normal = HIDDEN, _normals(rng, length)
    if model in ("autoencoder", "rbm"):
        return {"W": normal(m, d), "b": normal(m), "c": normal(d)}
    if model == "tanh":
        return {"A": normal(d, m), "B": normal(m, d), "b": normal(m), "c": normal(d)}
    if model == "gaussian":
        R = normal(d, d)
        diagonal = np.diag(length * (1 + np.arange(d)))
        return {"mean": normal(d), "precision": (R + R.T) / 2 + diagonal}
    if model == "mixture":
        weights = (1 + np.floor(rng.random(m - 1) * 40)) / 256
        return {"weights": np.append(weights, 1 - weights.sum()), "means": normal(m, d),
                "scales": (128 + np.floor(rng.random(m) * 192)) / 256}
    W = np.triu(normal(d, d), 1)
    return {"W": W + W.T, "b": normal(d)}


def _outputs(objective: str, arrays: dict[str, Array], length: float,
             rng: np.random.Generator) -> dict[str, Array]:
    """What a network could have returned, for an objective that is a function of outputs."""
    (n, d), normal = arrays["x"].shape, _normals(rng, length)
    reads = OBJECTIVES[objective].reads
    if len(reads) == 1:
        return {reads[0]: normal(*arrays.get("x_noisy", arrays["x"]).shape)}
    J = normal(n, d, d)
    outputs = {"score": normal(n, d), "jacobian": J, "divergence": np.einsum("nii->n", J),
               "diagonal": np.einsum("nii->ni", J)}
    if "curvature" in reads:
        v = arrays["directions"]
        outputs["curvature"] = np.einsum("nri,nik,nrk->nr", v, J, v)
    return outputs
