"""The local quantities of one case, computed when first read, at any point that a mistake may use.

Symbols
    n points, i and k dimensions (d), r directions (M).
    x, x_noisy, noise  (n, d)     clean points, corrupted points, standard normal noise
    v                  (n, M, d)  directions
    sigma              number     standard deviation of the noise, or the autoencoder's constant
    psi                (n, d)     score at a point
    J                  (n, d, d)  its Jacobian
    parzen             (n, d)     grad log q_sigma at a point, q_sigma the Parzen density of x

Equations
    (1)  parzen = sum_k share_k (x_k - point) / sigma^2,
         share_k proportional to exp(-|point - x_k|^2 / (2 sigma^2))

Derivation
    (1)  q_sigma is an equal-weight mixture of N(x_k, sigma^2 I); the gradient of the log of a sum
         is the share-weighted mean of gradients.

Conventions
    Everything is analytic along the real axis, so that a complex step through the parameters gives
    exact gradients.  An array case has its quantities at one point only; asking for another raises
    `Unavailable`, and the formula is left out.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23
    (2011), for (1).
"""
from __future__ import annotations

from typing import Any, Callable, Mapping

import numpy as np

from refsm.stable import log_sum_exp
from refsm.typing import Array
from refsm.verify.cases import models
from refsm.verify.cases.case import Case
from refsm.verify.cases.network import output
from refsm.verify.denoisers import linear_maps
from refsm.verify.objectives import OBJECTIVES

__all__ = ["CLIPPED", "POINTS", "Quantities", "Unavailable"]

POINTS: dict[str, Callable[[Case], Array]] = {
    "x": lambda c: c.x,
    "x_noisy": lambda c: c.x_noisy,
    "x + sigma^2 noise": lambda c: c.x + c.sigma**2 * c.noise,
    "x + noise": lambda c: c.x + c.noise,
    "x - sigma noise": lambda c: c.x - c.sigma * c.noise,
    "x + sqrt(sigma) noise": lambda c: c.x + np.sqrt(c.sigma) * c.noise,
    "x + 2 sigma noise": lambda c: c.x + 2 * c.sigma * c.noise,
    "x + sigma noise / 2": lambda c: c.x + c.sigma * c.noise / 2,
    "x + noise / sigma": lambda c: c.x + c.noise / c.sigma,
    "noise": lambda c: c.noise,
}
# (the ends as in an identity, words, formula); hardly a clean point is beyond 3
CLIPPED: dict[str, tuple[tuple[str, str, Callable[[Case], Array]], ...]] = {
    "x": (("0-1", "x clipped to (0, 1)", lambda c: np.clip(c.x, 0, 1)),
          ("-1-1", "x clipped to (-1, 1)", lambda c: np.clip(c.x, -1, 1))),
    "x_noisy": (("0-1", "x_noisy clipped to (0, 1)", lambda c: np.clip(c.x_noisy, 0, 1)),
                ("-1-1", "x_noisy clipped to (-1, 1)", lambda c: np.clip(c.x_noisy, -1, 1)),
                ("-3-3", "x_noisy clipped to (-3, 3)", lambda c: np.clip(c.x_noisy, -3, 3)))}
EVERY_POINT = POINTS | {words: f for rows in CLIPPED.values() for _, words, f in rows}


class Unavailable(Exception):
    """The case does not say: an array case has no model to ask at another point."""


class Quantities:
    """What the terms of a loss are made of, for one case and one set of parameters.

    `here` are the parameters of the energy at the point itself, in a gap.
    """

    def __init__(self, case: Case, theta: Mapping[str, Array] | None = None,
                 here: Mapping[str, Array] | None = None, at: str | None = None) -> None:
        self.case = case
        self.theta = case.theta if theta is None else theta
        self.here = self.theta if here is None else here
        self.about = OBJECTIVES[case.objective]
        self.at = at or self.about.at
        self.sigma: float = case.hyper.get("sigma", 1.0)
        self._kept: dict[Any, Any] = {}

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` makes, made once."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def without(self, block: str) -> Quantities:
        """The same case, with a parameter of the model left out."""
        if self.case.model is None:
            raise Unavailable
        theta = {**self.theta, block: 0 * self.theta[block]}
        return self.once(("without", block), lambda: Quantities(self.case, theta, at=self.at))

    def read_at(self, point: str) -> Quantities:
        """The same case, with the model read at another point."""
        return self.once(("at", point), lambda: Quantities(self.case, self.theta, self.here, point))

    def point(self, name: str | None = None) -> Array:
        """A point by its formula, (n, d); the objective's own for None."""
        return EVERY_POINT[name or self.at](self.case)

    def psi(self, point: str | None = None) -> Array:
        """The score at a point, (n, d); (L, n, d) at the noisy points of several levels."""
        if self.about.levels == "several" and self.case.model is not None:
            return self.once("psi", self.psi_of_levels)
        if self.case.network is not None:
            return self.once(("psi", point or self.at), lambda: self.of_network(point))
        return self._at("score", point)

    def psi_of_levels(self, moved: Callable[[Array], Array] = lambda a: a,
                      points: Array | None = None) -> Array:
        """The score at several levels, (L, n, d), each at its noisy points or at others; of its own
        level or of one that is `moved`."""
        case, model = self.case, self.case.model
        points = case.x_noisy if points is None else points
        if case.network is not None:
            return np.array([output(case, self.theta, y, sigma)
                             for sigma, y in zip(moved(case.sigma), points)])
        if model is None:
            raise Unavailable
        return np.array([models.score(model, models.corrupted(model, self.theta, alpha, sigma), y)
                         for alpha, sigma, y in zip(moved(case.alpha), moved(case.sigma), points)])

    def of_network(self, point: str | None = None,
                   moved: Callable[[Array], Array] | None = None) -> Array:
        """The score of a network of the user's own, given its level, or one that is `moved`."""
        case, about, x = self.case, self.about, self.point(point)
        f = output(case, self.theta, x, None if moved is None else moved(case.sigma))
        if about.predicts:
            A, B = linear_maps(case, about.predicts)
            return (f - A * x) / B
        return (f - x) / self.sigma**2 if about.learned == "reconstruction" else f

    def prediction(self) -> Array:
        """What a network predicts in the place of a score, (n, d)."""
        if self.case.model is None:
            return self._given("prediction", self.at)
        A, B = linear_maps(self.case, self.about.predicts)
        return self.once("prediction", lambda: A * self.case.x_noisy + B * self.psi())

    def J(self, point: str | None = None) -> Array:
        """The Jacobian of the score, (n, d, d)."""
        return self._at("jacobian", point)

    def energy(self, point: str | None = None) -> Array:
        """The energy, (n,)."""
        return self._at("energy", point)

    def _at(self, name: str, point: str | None) -> Array:
        """A local quantity by its name in `refsm.quantities`: as given, or of the model."""
        point = point or self.at
        if self.case.model is None:
            return self._given(name, point)
        local = models.local_quantities(self.case.model, self.theta, self.sigma)
        if self.about.levels == "several" or self.case.network is not None or name not in local:
            raise Unavailable
        return self.once((name, point), lambda: local[name](self.point(point)))

    def diagonal(self) -> Array:
        """d psi_i / d x_i, (n, d)."""
        return np.einsum("nii->ni", self.J())

    def gap(self) -> Array:
        """E(x with bit i flipped) - E(x), (n, d)."""
        case, model = self.case, self.case.model
        if model is None:
            return case.arrays["gap"]
        return self.once("gap", lambda: models.gap(model, self.theta, case.x, self.here))

    def reconstruction(self, point: str | None = None) -> Array:
        """The autoencoder's output, (n, d)."""
        if self.case.model is None:
            return self._given("reconstruction", point or self.at)
        return self.psi(point) * self.sigma**2 + self.point(point)

    def parzen(self, point: str | None = None, bandwidth: float | None = None,
               without_own: bool = False, shares: str = "soft") -> Array:
        """grad log q_sigma at a point, (n, d), equation (1)."""
        key = ("parzen", point, bandwidth, without_own, shares)
        return self.once(key, lambda: self._parzen(point, bandwidth, without_own, shares))

    def _parzen(self, point: str | None, bandwidth: float | None, without_own: bool,
                shares: str) -> Array:
        x, y, s = self.case.x, self.point(point), bandwidth or self.sigma
        apart = x[None, :, :] - y[:, None, :]
        logs = -(apart * apart).sum(axis=2) / (2 * s**2)
        if without_own:
            np.fill_diagonal(logs, -np.inf)
        if shares == "nearest":
            share = (logs == logs.max(axis=1, keepdims=True)).astype(float)
        elif shares == "over the noisy points":
            share = np.exp(logs - log_sum_exp(logs, axis=0))
        elif shares == "equal":
            share = np.full(logs.shape, 1 / len(x))
        else:
            share = np.exp(logs - log_sum_exp(logs)[:, None])
        return np.einsum("nk,nki->ni", share, apart) / s**2                   # (n, d)  (1)

    def v(self, kind: str = "given") -> Array:
        """The directions, (n, M, d), as given or as a mistake changes them."""
        v = self.case.directions
        lengths = np.sqrt((v * v).sum(axis=2, keepdims=True))
        return {
            "given": lambda: v,
            "unit": lambda: v / lengths,
            "sphere": lambda: v / lengths * np.sqrt(v.shape[2]),
            "first point's": lambda: np.broadcast_to(v[:1], v.shape),
            "first": lambda: v[:, :1],
            "last": lambda: v[:, -1:],
            "sign": lambda: np.sign(v),
            "next point's": lambda: np.roll(v, -1, axis=0),
            "reshaped": lambda: v.reshape(-1, *v.shape[::2]).swapaxes(0, 1),
            "one": lambda: np.broadcast_to(v[:1, :1], v.shape),
        }[kind]()

    def along(self, kind: str = "given") -> Array:
        """v.psi, (n, M)."""
        return np.einsum("nri,ni->nr", self.v(kind), self.psi())

    def curvature(self, v: Array | None = None) -> Array:
        """v' J v, (n, M), along the directions as given or along others."""
        v = self.v() if v is None else v
        return np.einsum("nri,nik,nrk->nr", v, self.J(), v)

    def _given(self, name: str, point: str) -> Array:
        if point != self.at or name not in self.case.arrays:
            raise Unavailable
        return self.case.arrays[name]
