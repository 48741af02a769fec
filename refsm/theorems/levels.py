"""The density at every noise level, and all levels at once: statements 39 and 40.

Symbols
    q                       a density of clean points;  q_l that of x_noisy = alpha x + noise
    t                       the score of the corruption, grad log q(x_noisy | x)
    J_l                     J_DSM at level l;  lambda_l >= 0 the weight of the level

Statements
    39  q.corrupted is the convolution: q_l(x_noisy) = E_q N(x_noisy; alpha x, C), and its score is
        E[t | x_noisy].  That score is the minimiser of J_DSM: for any other psi
        E J_DSM(psi) - E J_DSM(grad log q_l) = 1/2 E |psi - grad log q_l|^2,
        and the gradient for the parameters of q is 0
    40  multi-level denoising is sum_l lambda_l J_l, value and gradient, and where the family
        contains q its expected gradient at q is 0 for every choice of the weights

Derivation
    39  the definition of q_l; its score by statement 16; the excess by statement 4, applied to psi
        and to grad log q_l.  The derivative of a function at its minimum is 0.
    40  the sum is the definition; each J_l has gradient 0 at q, by 39.

Conditions
    As for statement 4: the expectations finite.  In 40 the clean points are integrated together
    with every level's noise: for a Gaussian the loss is quadratic in both, and the sum over all
    sign vectors is exact.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23
    (2011), for the minimiser.
    Song & Ermon, Generative modeling by estimating gradients of the data distribution, NeurIPS
    2019, for several levels.
"""
from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from refsm import expectations
from refsm.corruption import CovarianceCorruption, GaussianCorruption, ScaledCorruption
from refsm.energies.gaussian import Gaussian
from refsm.energies.mixture import GaussianMixture
from refsm.energies.parzen import Parzen
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.multi_level import MultiLevelDenoising
from refsm.theorems.chain import density, models
from refsm.theorems.statement import UNIT, Statement, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "EXACT", "convolution", "minimiser", "sums_over_levels",
           "same_minimiser", "exactly"]

GROUP = "The density at every noise level, and all levels at once"
LETTERS = ("alpha: what x is scaled by; C: covariance of the noise; J_l, lambda_l, s_l: J_DSM, its "
           "weight and the score of the noisy density at level l")

SIZE = 61               # nodes along each dimension
POINTS = 7
ROUNDINGS = 64.0        # chosen: more than the operations on the longest path of a term
COVARIANCE = [[0.5, 0.2], [0.2, 0.3]]
CORRUPTIONS = {"scaled": ScaledCorruption(0.8, 0.61),
               "any covariance": CovarianceCorruption(COVARIANCE)}
WEIGHTS = [[1.0, 1.0, 1.0], [0.2, 3.0, 0.7], [0.0, 0.5, 0.0]]


def densities() -> dict[str, Any]:
    """A density of each kind in the plane."""
    centers = np.random.default_rng(39).standard_normal((5, 2))
    gaussian = Gaussian([0.3, -0.6], [[1.3, 0.5], [0.5, 0.9]])
    return {"Gaussian": gaussian, "GaussianMixture": density(), "Parzen": Parzen(centers, 0.7)}


def convolution() -> list[Statement]:
    """Statement 39: the density and its score against quadrature over the clean points."""
    x_noisy = 1.5 * np.random.default_rng(40).standard_normal((POINTS, 2))
    out = []
    for name, q in densities().items():
        x, w = expectations.trapezoid(q, SIZE)
        for kind, corruption in CORRUPTIONS.items():
            t = corruption.target(x_noisy[:, None, :], x)                            # (n, N, d)
            noise = corruption.alpha * x - x_noisy[:, None, :]                       # (n, N, d)
            C = corruption.covariance_times(np.eye(2))
            joint = w * np.exp(np.einsum("nki,nki->nk", noise, -t) / 2)              # (n, N)
            left = joint.sum(axis=1) / np.sqrt(np.linalg.det(2 * np.pi * C))
            mean = np.einsum("nk,nki->ni", joint, t) / joint.sum(axis=1)[:, None]
            size = np.einsum("nk,nki->ni", joint, abs(t)) / joint.sum(axis=1)[:, None]
            noisy, where = q.corrupted(corruption), f"{name}, {kind} noise, d=2"
            right = np.exp(noisy.log_density(x_noisy))
            out += [equal(39, "q.corrupted = E_q N(x_noisy; alpha x, C)", where, left, right,
                          1e-12 * right, "quadrature"),
                    equal(39, "its score = E[t | x_noisy]", where, mean, noisy.score(x_noisy),
                          1e-12 * size, "quadrature")]
    return out


def minimiser() -> list[Statement]:
    """Statement 39: the excess of J_DSM over its minimum, and the gradient at the minimum."""
    out = []
    for kind, corruption in CORRUPTIONS.items():
        for name in ("Gaussian", "GaussianMixture"):
            q = densities()[name]
            x, x_noisy, w = expectations.noisy_density(q, corruption, 81)
            J = DenoisingScoreMatching(x, x_noisy, corruption, weights=w)
            noisy, where = q.corrupted(corruption), f"{name}, {kind} noise, d=2"
            least, gradient = J.value_and_gradient(noisy)
            psi, t = noisy.score(x_noisy), corruption.score(x_noisy, x)
            slope = noisy.ravel(noisy.pullback(x_noisy, score=w[:, None] * (abs(psi) + abs(t))))
            bound = relative_bound(abs(slope).max(), w @ (psi**2 + t**2))
            out.append(equal(39, "the gradient of E J_DSM is 0 at q.corrupted", where,
                             noisy.ravel(gradient), 0, bound, "quadrature"))
            for title, model in list(models().items())[:2]:
                excess = w @ ((model.score(x_noisy) - psi) ** 2).sum(axis=1) / 2
                value = J.value(model)
                out.append(equal(39, "E J_DSM - its minimum = 1/2 E|psi - s_l|^2",
                                 f"{title.split(',')[0]}, {where}", value - least, excess,
                                 relative_bound(value, least), "quadrature"))
    return out


def levels() -> list[Any]:
    """Three corruptions of the plane."""
    return [GaussianCorruption(0.37), *CORRUPTIONS.values()]


def sums_over_levels() -> list[Statement]:
    """Statement 40: value and gradient are the weighted sums of their levels."""
    rng = np.random.default_rng(41)
    x, eps = rng.standard_normal((POINTS, 2)), rng.standard_normal((3, POINTS, 2))
    x_noisy = np.stack([c.noisy(x, e) for c, e in zip(levels(), eps)])
    lam = WEIGHTS[1]
    J = MultiLevelDenoising(x, x_noisy, levels(), lam)
    out = []
    for name in ("Gaussian", "GaussianMixture"):
        q = densities()[name]
        value, gradient, size = 0.0, 0.0, 0.0
        for weight, corruption, y, e in zip(lam, levels(), x_noisy, eps):
            C = corruption.covariance_times(np.eye(2))
            t = -np.linalg.solve(np.linalg.cholesky(C).T, e.T).T                      # (n, d)
            noisy = q.corrupted(corruption)
            r = noisy.score(y) - t
            value += weight * (r**2).sum() / 2 / POINTS
            gradient += weight * noisy.ravel(noisy.pullback(y, score=r / POINTS))
            parts = [noisy.ravel(noisy.pullback(y[[n]], score=abs(r[[n]]))) for n in range(POINTS)]
            size += weight * (abs(np.array(parts)).max() + (r**2).sum() + (t**2).sum())
        bound = 4 * ROUNDINGS * UNIT * size
        where = f"{name}, {len(lam)} levels, d=2"
        got, slope = J.value_and_gradient(q)
        out += [equal(40, "multi-level value = sum of lambda_l J_l", where, got, value, bound,
                      "rounding"),
                equal(40, "... and its gradient", where, q.ravel(slope), gradient, bound,
                      "rounding")]
    return out


def same_minimiser() -> list[Statement]:
    """Statement 40: at q the expected gradient is 0 for every choice of the weights."""
    mixture = GaussianMixture([0.35, 0.65], [[-1.0], [0.8]], [[[0.6]], [[0.5]]])
    x, w = expectations.trapezoid(mixture, 81)
    eps, w_eps = expectations.trapezoid(([0.0], [[1.0]]), 81)
    corruptions = [GaussianCorruption(0.37), ScaledCorruption(0.8, 0.61), GaussianCorruption(1.3)]
    every, nodes = np.repeat(x, len(eps), axis=0), np.tile(eps, (len(x), 1))
    both = np.outer(w, w_eps).ravel()
    cases: list[Any] = [("GaussianMixture, d=1", mixture, corruptions, every, nodes, both)]
    q = densities()["Gaussian"]
    x, eps = signs(2)
    x = q.mean + x @ np.linalg.cholesky(q.covariance).T
    cases.append(("Gaussian, d=2", q, levels(), x, eps, np.full(len(x), 1 / len(x))))
    out = []
    for name, model, corruptions, x, eps, w in cases:
        x_noisy = np.stack([c.noisy(x, eps) for c in corruptions])
        for lam in WEIGHTS:
            J = MultiLevelDenoising(x, x_noisy, corruptions, lam, weights=w)
            value, gradient = J.value_and_gradient(model)
            bound = 8 * relative_bound(value)
            out.append(equal(40, "the expected gradient is 0 at q", f"{name}, weights {lam}",
                             model.ravel(gradient), 0, bound, "quadrature"))
    return out


def signs(d: int) -> tuple[Array, Array]:
    """All pairs of sign vectors in d dimensions, (4^d, d) each: E of a quadratic of two normals."""
    all_signs = np.array(list(product([-1, 1], repeat=2 * d)))
    return all_signs[:, :d], all_signs[:, d:]


def exactly() -> list[Statement]:
    """Statement 40 in rational numbers: a Gaussian whose covariance has a rational root."""
    L = np.array([[Fraction(3, 2), Fraction(0), Fraction(0)],
                  [Fraction(1, 4), Fraction(2, 3), Fraction(0)],
                  [Fraction(-1, 2), Fraction(1), Fraction(5, 4)]])
    root = np.array([[Fraction(2, 3), Fraction(0), Fraction(0)],
                     [Fraction(-1, 4), Fraction(3, 2), Fraction(0)],
                     [Fraction(7, 15), Fraction(-6, 5), Fraction(4, 5)]])            # L^-1
    mean = np.array([Fraction(1, 3), Fraction(-2), Fraction(5, 7)])
    q = Gaussian(mean, root.T @ root)
    z, eps = signs(3)
    x = mean + z @ L.T
    sigma: Any = Fraction(2, 5)
    alpha: Any = Fraction(3, 4)
    corruptions = [GaussianCorruption(sigma), ScaledCorruption(alpha, 2 * sigma)]
    x_noisy = np.stack([c.noisy(x, eps * Fraction(1)) for c in corruptions])
    out = []
    for lam in ([Fraction(1), Fraction(1)], [Fraction(1, 7), Fraction(9)]):
        J = MultiLevelDenoising(x, x_noisy, corruptions, lam)
        where = f"Gaussian, d=3, weights {', '.join(map(str, lam))}"
        out.append(equal(40, "the expected gradient is 0 at q", where, q.ravel(J.gradient(q)),
                         Fraction(0), 0, "exact"))
    return out


MAKERS = [convolution, minimiser, sums_over_levels, same_minimiser]
EXACT = [exactly]
