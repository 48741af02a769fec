"""Tweedie's formula: statements 11 and 12.

    11  E[x | x_noisy] computed from posterior weights = x_noisy + sigma^2 grad log q_sigma(x_noisy), and likewise for noise with any
        covariance and for scaled noise;  Cov[x | x_noisy] = sigma^2 I + sigma^4 grad grad log q_sigma(x_noisy)
    12  the reconstruction that minimises J_DAE over all functions is that mean: the excess loss of any other reconstruction
        x_noisy + sigma^2 psi(x_noisy) is sigma^4 E |psi - grad log q_sigma|^2

Derivation of 11.  q_sigma(x_noisy) is the mean of N(x_noisy; x, sigma^2 I) over x; its gradient is the mean of (x - x_noisy) / sigma^2 times the same,
so grad log q_sigma = E[x - x_noisy | x_noisy] / sigma^2.  Once more: grad grad log q_sigma = Cov[x | x_noisy] / sigma^4 - I / sigma^2.
Of 12.  With m = E[x | x_noisy], E |r - x|^2 = E |r - m|^2 + E |m - x|^2 for every r(x_noisy); and r - m = sigma^2 (psi - grad log q_sigma) by 11.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from refsm.corruption import CovarianceCorruption, GaussianCorruption, ScaledCorruption
from refsm.denoiser import tweedie, tweedie_covariance
from refsm.energies.mixture import GaussianMixture
from refsm.energies.parzen import Parzen
from refsm.objectives.denoising_autoencoder import DenoisingAutoencoderLoss
from refsm.theorems.chain import SIGMA, models, noisy_nodes
from refsm.theorems.statement import UNIT, Statement, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "MAKERS", "posterior_moments", "best_reconstruction"]

K, N, D = 11, 7, 3          # clean points, noisy points, dimensions
ROUNDINGS = 256.0           # units of rounding allowed on the sizes of posterior moments


def posterior_moments() -> list[Statement]:
    """Statement 11 for a clean law on K points, where Bayes' rule is a sum, and three corruptions."""
    rng = np.random.default_rng(11)
    x, probability = rng.standard_normal((K, D)), rng.dirichlet(np.ones(K))
    x_noisy = 1.5 * rng.standard_normal((N, D))
    A = rng.standard_normal((D, D))
    C = A @ A.T / 4 + np.eye(D) / 5
    alpha, sigma = 0.8, 0.7
    cases: list[tuple[str, Any, float, Array]] = [
        ("isotropic noise", GaussianCorruption(sigma), 1.0, sigma**2 * np.eye(D)),
        ("noise of any covariance", CovarianceCorruption(C), 1.0, C),
        ("scaled noise", ScaledCorruption(alpha, sigma), alpha, sigma**2 * np.eye(D)),
    ]
    out = []
    for name, corruption, scale, covariance in cases:
        r = x_noisy[:, None, :] - scale * x                                                    # (N, K, D)
        likelihood = np.exp(-np.einsum("nki,ij,nkj->nk", r, np.linalg.inv(covariance), r) / 2)
        weight = probability * likelihood
        weight /= weight.sum(axis=1, keepdims=True)                                            # Bayes' rule
        mean = weight @ x
        spread = x - mean[:, None, :]
        second = np.einsum("nk,nki,nkj->nij", weight, spread, spread)
        noisy = GaussianMixture(probability, scale * x, np.broadcast_to(covariance, (K, D, D)))   # the density of x_noisy
        where = f"{name}, {K} clean points, d={D}"
        unit = ROUNDINGS * UNIT * np.linalg.cond(covariance)
        bound = unit * (np.abs(x_noisy).max() + np.abs(x).max())
        out += [
            equal(11, "E[x|x_noisy] = Tweedie's formula", where, mean, tweedie(noisy, x_noisy, corruption), bound, "rounding"),
            equal(11, "Cov[x|x_noisy] = its second-order form", where, second, tweedie_covariance(noisy, x_noisy, corruption),
                  unit * (np.abs(x_noisy).max() + np.abs(x).max()) ** 2, "rounding"),
        ]
    return out


def best_reconstruction() -> list[Statement]:
    """Statement 12: J_DAE of a model minus J_DAE of Tweedie's mean, in exact expectation."""
    clean, (x, x_noisy, w) = noisy_nodes()
    smoothed = Parzen(clean, SIGMA)
    J = DenoisingAutoencoderLoss(x, x_noisy, weights=w)
    best = w @ J.evaluate(reconstruction=tweedie(smoothed, x_noisy, SIGMA))[0]
    out = []
    for name, model in models().items():
        psi = model.score(x_noisy)
        loss = w @ J.evaluate(reconstruction=x_noisy + SIGMA**2 * psi)[0]
        excess = SIGMA**4 * (w @ ((psi - smoothed.score(x_noisy)) ** 2).sum(axis=1))
        out.append(equal(12, "J_DAE - its minimum = sigma^4 E|psi - s_sigma|^2", f"{name}, d=2, {len(clean)} points, sigma={SIGMA:g}", loss - best, excess,
                         relative_bound(loss, best), "quadrature"))
    return out


GROUP = "Tweedie: a score is a denoiser"
MAKERS = [posterior_moments, best_reconstruction]
