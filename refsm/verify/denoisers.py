"""Descriptions of denoising at many levels: scaled noise, a level per point, several, predictions.

Symbols
    n points, l levels (L), i dimensions (d).
    x          (n, d)     clean points;  noise (n, d), x_noisy (n, d); (L, n, d) for several levels
    alpha, sigma          of the case (numbers), of each point (n,), or of each level (L,)
    level_weights (L,)    lambda, for several levels
    psi                   score at x_noisy, of the shape of x_noisy
    A, B                  a prediction is A x_noisy + B psi; one pair per point
    output                psi, or the prediction; f in the words of a report
    target                what the output is compared with; g in the words of a report
    c_skip, c_out         of the preconditioning "edm"

Equations
    (1)  x_noisy = alpha x + sigma noise                                         [definition]
    (2)  target of psi = (alpha x - x_noisy) / sigma^2
    (3)  prediction = A x_noisy + B psi
    (4)  target of the prediction: noise;  clean x;  velocity alpha noise - sigma x;
         flow noise - x;  edm (x - c_skip x_noisy) / c_out
    (5)  norm = |psi|^2 / 2,   cross = -psi.target,   constant = |target|^2 / 2
    (6)  output = |prediction|^2,   product = -2 prediction.target,   constant = |target|^2
    (7)  several levels: each term is the sum over l of lambda_l times that of level l

Derivation
    (5)  expands |psi - target|^2 / 2;
    (6)  expands |prediction - target|^2, without 1/2, as refsm.PredictionLoss has it.

Conventions
    A and B come from `refsm.predictions`.  The judge has one objective of refsm per level, on the
    points of that level, with the weights 1/n.

Sources
    The rooms `refsm.predictions`, `refsm.objectives.prediction` and `refsm.objectives.multi_level`.
"""
from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable

import numpy as np

import refsm
from refsm import predictions
from refsm.typing import Array
from refsm.validation import brief
from refsm.verify.description import Description, Term, dot

__all__ = ["ByLevel", "DENOISERS", "KINDS", "TARGETS", "level", "level_maps", "levels_chosen",
           "linear_maps", "maps_at", "output", "own_target", "per_point", "target_in_noise",
           "target_of", "total"]

OWN = ("tanh", "gaussian", "mixture")              # the autoencoder's energy has one sigma


def level(case: Any, name: str) -> Array:
    """alpha or sigma of a case, in a shape that multiplies its noisy points; alpha is 1 if none."""
    value = np.asarray(case.arrays.get(name, case.hyper.get(name, 1.0)), dtype=float)
    noisy = case.arrays.get("x_noisy", case.arrays["x"])
    return value.reshape(value.shape + (1,) * (noisy.ndim - value.ndim) if value.ndim else ())


def per_point(case: Any) -> list[tuple[float, float]]:
    """alpha and sigma of each point."""
    return list(zip(*(np.broadcast_to(level(case, name), (case.n, 1)).ravel().tolist()
                      for name in ("alpha", "sigma"))))


def levels_chosen(case: Any) -> Array:
    """1 for the points of each level, in ascending order, 0 for the others, (L, n)."""
    levels = per_point(case)
    return np.array([[own == one for own in levels] for one in sorted(set(levels))], float)


@lru_cache(maxsize=256)
def level_maps(case: Any, kind: str) -> dict[tuple[float, float], tuple[float, float]]:
    """A and B of each level of a case: a prediction of that kind is A x_noisy + B psi."""
    data_sd = case.hyper.get("data_sd")
    return {own: predictions.linear_map(kind, refsm.ScaledCorruption(*own), data_sd)
            for own in sorted(set(per_point(case)))}


@lru_cache(maxsize=256)
def linear_maps(case: Any, kind: str) -> tuple[Array, Array]:
    """A and B of each point, (n, 1) each."""
    of_level = level_maps(case, kind)
    return _columns([of_level[own] for own in per_point(case)])


def maps_at(case: Any, kind: str, sigma: Any) -> tuple[Array, Array]:
    """A and B of each point, (n, 1) each, at its own level, or at the levels with this sigma of the
    case.  ValueError if there is none."""
    if sigma is None:
        return linear_maps(case, kind)
    of_sigma = {own: maps for (_, own), maps in level_maps(case, kind).items()}
    given = np.broadcast_to(np.ravel(sigma), case.n).tolist()
    if not of_sigma.keys() >= set(given):
        raise ValueError(f"sigma must be levels of the case, {', '.join(map(str, of_sigma))}, but "
                         f"it is {brief(sigma)}")
    return _columns([of_sigma[own] for own in given])


def _columns(maps: list[tuple[float, float]]) -> tuple[Array, Array]:
    A, B = np.array(maps, dtype=float).T
    return A[:, None], B[:, None]                                             # (n, 1) each  (3)


def output(q: Any) -> Array:
    """psi, or the prediction; of the shape of x_noisy."""
    return q.prediction() if q.about.predicts else q.psi()


# a kind of output in words, where they are others
KINDS = {"clean": "clean point", "edm": "output of EDM's network"}

# of alpha, sigma and data_sd: what x, x_noisy and noise are multiplied by in the target  (2) (4)
TARGETS: dict[str, Callable[[Any, Any, Any], tuple[Any, Any, Any]]] = {
    "score": lambda a, s, t: (a / s**2, -1 / s**2, 0.0),
    "noise": lambda a, s, t: (0.0, 0.0, 1.0), "clean": lambda a, s, t: (1.0, 0.0, 0.0),
    "velocity": lambda a, s, t: (-s, 0.0, a), "flow": lambda a, s, t: (-1.0, 0.0, 1.0),
    "edm": lambda a, s, t: (np.sqrt(s**2 + t**2) / (s * t), -t / (s * np.sqrt(s**2 + t**2)), 0.0)}


def target_of(kind: str, q: Any) -> Array:
    """What an output of some kind is compared with, of the shape of x_noisy; "" for a score."""
    case = q.case
    of_x, of_noisy, of_noise = TARGETS[kind or "score"](
        level(case, "alpha"), level(case, "sigma"), case.hyper.get("data_sd"))
    return of_x * case.x + of_noisy * case.x_noisy + of_noise * case.noise    # (n, d)  (2) (4)


def target_in_noise(kind: str, alpha: Any, sigma: Any, data_sd: Any,
                    point: tuple[Any, Any] | None = None) -> tuple[Any, Any]:
    """p and r of a target p x + r noise, where x_noisy = alpha x + sigma noise, or u x + v noise
    with `point` (u, v)."""
    of_x, of_noisy, of_noise = TARGETS[kind](alpha, sigma, data_sd)
    u, v = (alpha, sigma) if point is None else point
    return of_x + u * of_noisy, of_noise + v * of_noisy


def total(q: Any, terms: Array) -> Array:
    """(n,): the terms of each point, summed over the levels with their weights where several."""
    if terms.ndim == 1:
        return terms
    return (q.case.level_weights[:, None] * terms).sum(axis=0)                # (n,)  (7)


def own_target(q: Any) -> Array:
    """g of the objective of a case."""
    return target_of(q.about.predicts, q)


def _terms(half: float, *names: tuple[str, str]) -> list[Term]:
    """half |output - target|^2 as three terms, each with its role and its name."""
    def norm(q: Any) -> Array:
        return total(q, half * dot(output(q), output(q)))                     # (n,)  (5) (6)

    def cross(q: Any) -> Array:
        return total(q, -2 * half * dot(output(q), own_target(q)))            # (n,)  (5) (6)

    def constant(q: Any) -> Array:
        return total(q, half * dot(own_target(q), own_target(q)))             # (n,)  (5) (6)

    return [Term(*name, of) for name, of in zip(names, (norm, cross, constant))]


class ByLevel:
    """One objective of refsm per level, on the points of that level: a level for each point."""

    def __init__(self, case: Any, make: Callable[..., Any]) -> None:
        self.n, levels = case.n, per_point(case)
        self.parts = []
        for alpha, sigma in sorted(set(levels)):
            rows = np.array([k for k, own in enumerate(levels) if own == (alpha, sigma)])
            J = make(case.x[rows], case.x_noisy[rows], refsm.ScaledCorruption(alpha, sigma),
                     weights=np.full(len(rows), 1 / case.n))
            self.parts.append((rows, J))

    def per_sample(self, model: Any) -> Array:
        """The loss at each point, (n,)."""
        out = np.zeros(self.n)
        for rows, J in self.parts:
            out[rows] = J.per_sample(model)
        return out

    def gradient(self, model: Any) -> Any:
        """The gradient of the value: the sum over the levels."""
        parts = [J.gradient(model) for _, J in self.parts]
        return type(parts[0])(*(sum(leaves) for leaves in zip(*parts)))

    def evaluate(self, **local: Array) -> tuple[Array, dict[str, Array]]:
        """The loss at each point, and the cotangents on the local quantities."""
        term = np.zeros(self.n)
        cotangents = {name: np.zeros(a.shape) for name, a in local.items()}
        for rows, J in self.parts:
            term[rows], own = J.evaluate(**{name: a[rows] for name, a in local.items()})
            for name, cotangent in own.items():
                cotangents[name][rows] = cotangent
        return term, cotangents


def _prediction(kind: str) -> Description:
    """The description of the loss of one kind of prediction, a level for each point."""
    *terms, constant = _terms(1.0, ("output", "|f|^2"), ("product", "-2 f.g"),
                              ("constant", "|g|^2"))

    def reference(case: Any) -> ByLevel:
        def make(x: Array, x_noisy: Array, process: Any, weights: Array) -> Any:
            return refsm.PredictionLoss(x, x_noisy, process, kind, case.hyper.get("data_sd"),
                                        weights=weights)
        return ByLevel(case, make)

    given = ("sigma", "data_sd") if kind == "edm" else ("alpha", "sigma")
    return Description(f'PredictionLoss(predict="{kind}")', (kind,),
                       ("prediction",), tuple(terms), reference, "noise", given, constant,
                       own_target, OWN, "prediction", kind, "points")


NORM, CROSS, CONSTANT = _terms(0.5, ("norm", "|psi|^2 / 2"), ("cross", "-psi.g"),
                               ("constant", "|g|^2 / 2"))
DENOISERS: dict[str, Description] = {
    "dsm_scaled": Description(
        "DenoisingScoreMatching of scaled points", ("scaled",), ("score",), (NORM, CROSS),
        lambda case: refsm.DenoisingScoreMatching(
            case.x, case.x_noisy, refsm.ScaledCorruption(case.alpha, case.sigma)),
        "noise", ("alpha", "sigma"), CONSTANT, own_target,
        ("autoencoder", *OWN), levels="scaled"),
    "dsm_levels": Description(
        "DenoisingScoreMatching at one level per point", ("levels",), ("score",), (NORM, CROSS),
        lambda case: ByLevel(case, refsm.DenoisingScoreMatching), "noise", ("alpha", "sigma"),
        CONSTANT, own_target, OWN, levels="points"),
    "multi_level": Description(
        "MultiLevelDenoising", ("several_levels",), ("score",), (NORM, CROSS),
        lambda case: refsm.MultiLevelDenoising(
            case.x, case.x_noisy, [*map(refsm.ScaledCorruption, case.alpha, case.sigma)],
            case.level_weights),
        "noise", ("alpha", "sigma", "level_weights"), CONSTANT, own_target,
        ("gaussian", "mixture"), levels="several"),
    **{f"{kind}_prediction": _prediction(kind)
       for kind in predictions.KINDS if kind != "score"},
}
