"""How the numbers of the cases are made: the families paper, prime and array.

Every random number comes from one generator per set, in a fixed order, and is rounded to a multiple of 1/256, so that float32 holds it
exactly and the last bit of a platform's logarithm cannot matter.

Six cells carry the sizes.  Their logarithms make the exponents of kappa sigma^a d^b n^c M^e unique (M and the penalty's strength vary alike, and
no objective has both): the columns 1, log sigma, log d, log n, log M are linearly independent.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refsm.typing import Array
from refsm.verify.cases import Case, model_names

__all__ = ["CELLS", "HIDDEN", "MAKERS", "thetas_per_cell"]


class Cell(NamedTuple):
    """The sizes that the thetas of a cell share."""

    d: int
    n: int
    M: int
    sigma: float
    strength: float


CELLS = (Cell(3, 7, 11, 0.37, 0.23), Cell(5, 7, 11, 0.61, 0.23), Cell(3, 13, 17, 0.61, 0.71),
         Cell(5, 13, 11, 1.3, 0.23), Cell(3, 7, 17, 1.3, 0.71), Cell(5, 13, 17, 0.37, 0.71))
HIDDEN = 6
SPREAD = (1.0, 0.5, 1.5, 0.75, 1.25, 2.0)      # the thetas of a cell differ in size, not only in direction


def thetas_per_cell(objective: str) -> int:
    """More than the unknowns of a cell: its terms, the intercept, and two equations to spare."""
    return 6 if objective == "regularized" else 5


def prime(objective: str, seed: int, model: str | None) -> list[Case]:
    """Five thetas in each of six cells."""
    name = model_names(objective)[0] if model is None else model
    stem = "/".join(["prime", objective, *([] if name == model_names(objective)[0] else [name]), *([f"seed{seed}"] if seed else [])])
    rng = np.random.default_rng([seed, sum(map(ord, objective + name))])
    made = []
    for k, cell in enumerate(CELLS):
        arrays, hyper = _data(objective, name, cell, rng)
        for t in range(thetas_per_cell(objective)):
            theta = _theta(name, cell.d, SPREAD[t], rng)
            made.append(Case(f"{stem}/c{k}/t{t}", "prime", objective, name, theta, arrays, hyper, "exact", f"c{k}"))
    return made


def array(objective: str, seed: int, model: str | None) -> list[Case]:
    """The prime sizes with local quantities given as arrays: a theta is another set of network outputs on the same data."""
    stem = "/".join(["array", objective, *([f"seed{seed}"] if seed else [])])
    rng = np.random.default_rng([seed, sum(map(ord, objective + "array"))])
    made = []
    for k, cell in enumerate(CELLS):
        arrays, hyper = _data(objective, None, cell, rng)
        for t in range(thetas_per_cell(objective)):
            outputs = _outputs(objective, arrays, SPREAD[t], rng)
            made.append(Case(f"{stem}/c{k}/t{t}", "array", objective, None, {}, {**arrays, **outputs}, hyper, "exact", f"c{k}"))
    return made


def paper(objective: str, seed: int, model: str | None) -> list[Case]:
    """Two cases with dyadic numbers; they do not depend on the seed, and have one model each."""
    if model is not None and model != _paper_model(objective):
        return []
    half = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0], [2.0, -1.0]])
    noise = np.array([[1.0, -1.0], [2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    if objective in ("ratio", "pseudo"):
        x = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
        W = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, -2.0], [0.0, -2.0, 0.0]])
        thetas: list[dict[str, Array]] = [{"W": 0 * W, "b": np.zeros(3)}, {"W": W, "b": np.array([0.5, 0.0, -1.0])}]
        arrays, hyper = {"x": x}, {}
    elif objective == "dae":                                # the activations are 0, and sigmoid(0) = 1/2 exactly
        x, noise = half, np.array([[1.0, 0.0], [2.0, -4.0], [0.0, -2.0], [-1.0, 2.0]])
        W = np.array([[0.0, 2.0], [0.0, -1.0], [0.0, 0.5]])
        thetas = [{"W": 0 * W, "b": np.zeros(3), "c": np.array([0.5, -1.0])}, {"W": W, "b": np.zeros(3), "c": np.array([0.0, 0.25])}]
        arrays, hyper = {"x": x, "noise": noise, "x_noisy": x + noise / 2}, {"sigma": 0.5}
    else:
        mean, precision = np.array([0.5, -1.0]), np.array([[2.0, 0.5], [0.5, 1.0]])
        thetas = [{"mean": 0 * mean, "precision": np.eye(2)}, {"mean": mean, "precision": precision}]
        arrays, hyper = {"x": half}, {}
        if objective == "parzen_esm":                       # both centres are equally far from every noisy point
            x = np.array([[1.0, 0.0], [-1.0, 0.0]])
            arrays, hyper = {"x": x, "noise": np.array([[-2.0, 2.0], [2.0, -1.0]]), "x_noisy": np.array([[0.0, 1.0], [0.0, -0.5]])}, {"sigma": 0.5}
        elif objective in ("dsm", "parzen_ism"):
            arrays, hyper = {"x": half, "noise": noise, "x_noisy": half + noise / 2}, {"sigma": 0.5}
        elif objective == "esm":
            arrays = {"x": half, "data_score": -half / 2}
        elif objective == "regularized":
            hyper = {"strength": 0.25}
        elif objective in ("ssm", "ssm_vr"):
            arrays = {"x": half, "directions": np.array([[[1.0, 1.0], [1.0, -1.0]], [[-1.0, 1.0], [1.0, 1.0]]] * 2)}
    return [Case(f"paper/{objective}/{k}", "paper", objective, _paper_model(objective), theta, arrays, hyper, "exact", "c0") for k, theta in enumerate(thetas)]


MAKERS = {"paper": paper, "prime": prime, "array": array}


def _paper_model(objective: str) -> str:
    return {"ratio": "boltzmann", "pseudo": "boltzmann", "dae": "autoencoder"}.get(objective, "gaussian")


def _grid(a: Array) -> Array:
    return np.round(a * 256) / 256


def _data(objective: str, model: str | None, cell: Cell, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, float]]:
    """The arrays and hyper-parameters that the thetas of a cell share."""
    d, n, M, sigma, strength = cell
    hyper: dict[str, float] = {}
    if objective in ("ratio", "pseudo"):
        return {"x": (rng.random((n, d)) < 0.5).astype(float)}, hyper
    arrays = {"x": _grid(rng.standard_normal((n, d)))}
    if objective in ("parzen_esm", "parzen_ism", "dsm", "dae"):
        noise = _grid(rng.standard_normal((n, d)))
        arrays |= {"noise": noise, "x_noisy": arrays["x"] + sigma * noise}
        hyper["sigma"] = sigma
    if model == "autoencoder":
        hyper["sigma"] = sigma
    if objective == "esm":
        arrays["data_score"] = _grid(rng.standard_normal((n, d)))
    if objective in ("ssm", "ssm_vr"):
        arrays["directions"] = _grid(rng.standard_normal((n, M, d)))
    if objective == "regularized":
        hyper["strength"] = strength
    return arrays, hyper


def _theta(model: str, d: int, spread: float, rng: np.random.Generator) -> dict[str, Array]:
    """Random parameters of a model, `spread` times the usual size."""
    m = HIDDEN

    def normal(*shape: int) -> Array:
        return _grid(spread * rng.standard_normal(shape))

    if model == "autoencoder":
        return {"W": normal(m, d), "b": normal(m), "c": normal(d)}
    if model == "tanh":
        return {"A": normal(d, m), "B": normal(m, d), "b": normal(m), "c": normal(d)}
    if model == "gaussian":
        R = normal(d, d)
        return {"mean": normal(d), "precision": (R + R.T) / 2 + np.diag(spread * (1 + np.arange(d)))}
    if model == "mixture":
        weights = (1 + np.floor(rng.random(m - 1) * 40)) / 256
        return {"weights": np.append(weights, 1 - weights.sum()), "means": normal(m, d), "scales": (128 + np.floor(rng.random(m) * 192)) / 256}
    if model == "boltzmann":
        W = np.triu(normal(d, d), 1)
        return {"W": W + W.T, "b": normal(d)}
    return {"W": normal(m, d), "b": normal(m), "c": normal(d)}


def _outputs(objective: str, arrays: dict[str, Array], spread: float, rng: np.random.Generator) -> dict[str, Array]:
    """What a network could have returned, for an objective that is a function of outputs."""
    n, d = arrays["x"].shape

    def normal(*shape: int) -> Array:
        return _grid(spread * rng.standard_normal(shape))

    if objective in ("ratio", "pseudo"):
        return {"gap": normal(n, d)}
    if objective == "dae":
        return {"reconstruction": normal(n, d)}
    if objective in ("esm", "parzen_esm", "dsm"):
        return {"score": normal(n, d)}
    J = normal(n, d, d)
    outputs = {"score": normal(n, d), "jacobian": J, "divergence": np.einsum("nii->n", J), "diagonal": np.einsum("nii->ni", J)}
    if objective in ("ssm", "ssm_vr"):
        outputs["curvature"] = np.einsum("nri,nik,nrk->nr", arrays["directions"], J, arrays["directions"])
    return outputs
