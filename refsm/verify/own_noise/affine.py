"""Denoising losses on a Gaussian: residuals that are affine in the noise, and their expectations.

Symbols
    n points, d dimensions, K residuals: one for each point, or for each point and level.
    x             (K, d)     clean points
    eps: noise with E eps = 0, E eps eps' = I
    alpha, sigma  (K,)       of each residual;  weight (K,) of its level
    half          number     1/2 for a score, 1 for a prediction
    A, B          (K,)       the output is A y + B psi(y)
    P, m          (K, d, d), (K, d)   psi(y) = -P (y - m)
    F, f          (K, d, d), (K, d)   the output is F y + f
    scale, width  (K,)       the noisy point is scale x + width eps
    p, r          (K,)       the target is p x + r eps
    s             (K,)       of the control variate
    a, G          (K, d), (K, d, d)   the residual is a + G eps

Equations
    (1)  F = A I - B P,   f = B P m
    (2)  a = (scale F - p I) x + f,   G = width F - r I
    (3)  expectation = half / n sum_K weight ( |a|^2 + |G|_F^2 )
    (4)  half weight ( |a + G eps|^2 + 2 s a.eps - s^2 |eps|^2 + s^2 d )
         = a constant + b' eps + eps' C eps / 2,
         C = 2 half weight (G'G - s^2 I),   b = 2 half weight (G + s I)'a

Derivation
    (3)  E |G eps|^2 = tr G'G, and the cross term has the mean 0: the first two moments of eps are
         all that enters.  Noise e = eps + middle is a + middle G 1 in the place of a.
    (4)  expand the square.  What is added to it, a control variate, has the mean 0; s = 0 adds
         nothing, s = r takes the terms of the target's noise alone, -2 r a.eps and r^2 |eps|^2, as
         their means.

Conventions
    The gaussian of the cases: its score does not depend on the level, but for several levels, where
    it is that of the corrupted density.

Sources
    Ours.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.models import corrupted
from refsm.verify.denoisers import linear_maps, target_in_noise
from refsm.verify.objectives import OBJECTIVES

__all__ = ["Affine"]


class Affine:
    """The residuals of a denoising loss as a + G eps, equation (2)."""

    def __init__(self, case: Case) -> None:
        about, theta, n = OBJECTIVES[case.objective], case.theta, case.n
        given: dict[str, Any] = {**case.hyper, **case.arrays}
        several = about.levels == "several"
        K = n * len(given["sigma"]) if several else n

        def of_residual(a: Any) -> Array:                 # from one for all, per level or per point
            a = np.atleast_1d(a)
            return np.repeat(a, K // len(a), axis=0)

        self.n, self.d, self.x = n, case.d, np.tile(case.x, (K // n, 1))
        self.kind, self.data_sd = about.predicts or "score", given.get("data_sd")
        self.compared = bool(about.constant)              # or the norm of the score alone
        self.half = 1.0 if about.predicts else 0.5
        self.alpha, self.sigma = of_residual(given.get("alpha", 1.0)), of_residual(given["sigma"])
        self.weight = of_residual(given.get("level_weights", 1.0))
        densities = [corrupted("gaussian", theta, *level) for level in
                     zip(given["alpha"], given["sigma"])] if several else [theta]
        P, m = (of_residual([of[name] for of in densities]) for name in ("precision", "mean"))
        A, B = linear_maps(case, about.predicts) if about.predicts else (
            np.zeros((K, 1)), np.ones((K, 1)))
        self.F = A[..., None] * np.eye(self.d) - B[..., None] * P                       # (1)
        self.f = B * np.einsum("kij,kj->ki", P, m)                                      # (1)

    def target(self, kind: str) -> tuple[Array, Array]:
        """p and r of the target of an output of some kind."""
        p, r = target_in_noise(kind, self.alpha, self.sigma, self.data_sd)
        return p, self.compared * r                       # of a score p is 0

    def residual(self, scale: Array | None = None, width: Array | None = None,
                 target: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
        """a (K, d) and G (K, d, d); the right ones where nothing is given."""
        p, r = self.target(self.kind) if target is None else target
        scale = self.alpha if scale is None else scale
        width = self.sigma if width is None else width
        a = scale[:, None] * np.einsum("kij,kj->ki", self.F, self.x) - p[:, None] * self.x + self.f
        return a, width[:, None, None] * self.F - r[:, None, None] * np.eye(self.d)     # (2)

    def expected(self, **wrong: Any) -> float:
        """The expectation of the loss."""
        return float(self.expected_terms(**wrong).sum() / self.n)                     # ()  (3)

    def expected_terms(self, middle: float = 0.0, **wrong: Any) -> Array:
        """The expectation of the loss of each residual, (K,), with noise whose mean is `middle`."""
        a, G = self.residual(**wrong)
        a = a + middle * G.sum(axis=2)
        squares = (a * a).sum(axis=1) + (G * G).sum(axis=(1, 2))
        return self.half * self.weight * squares                                      # (K,)  (3)

    def constant(self, target: tuple[Array, Array]) -> float:
        """The expectation of the loss of an output that is 0."""
        p, r = target
        squares = p**2 * (self.x**2).sum(axis=1) + r**2 * self.d
        return float(self.half * (self.weight * squares).sum() / self.n)

    def quadratic(self, s: Array | float = 0.0) -> tuple[Array, Array]:
        """C (K, d, d) and b (K, d) of the loss, with a control variate."""
        a, G = self.residual()
        s_I = np.multiply.outer(s, np.eye(self.d))
        times = (2 * self.half * self.weight)[:, None]
        return (times[..., None] * (np.einsum("kji,kjl->kil", G, G) - s_I**2),
                times * np.einsum("kji,kj->ki", G + s_I, a))                          # (4)
