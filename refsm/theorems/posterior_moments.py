"""Tweedie's formula, further: statement 51.

Symbols
    x, x_noisy              a clean point, and x + sigma eps
    q_sigma                 density of x_noisy;  psi its score, J the Jacobian of psi
    t                       the target (x - x_noisy) / sigma^2
    m                       E[x | x_noisy]

Statements
    51  the third cumulant of x given x_noisy, E[(x - m)_i (x - m)_j (x - m)_k | x_noisy], is
        sigma^6 times the third derivative of log q_sigma
        E[t t' - I / sigma^2 | x_noisy] = J + psi psi'

Derivation
    q(x | x_noisy) is proportional to q(x) exp(x.x_noisy / sigma^2 - |x|^2 / (2 sigma^2)): an
    exponential family in x_noisy / sigma^2, whose log normaliser is
    log q_sigma(x_noisy) + |x_noisy|^2 / (2 sigma^2) + constant.  Its derivatives with respect to
    x_noisy / sigma^2 are the cumulants of x: the first two are statement 11; in the third the
    square is gone, and each derivative brings a factor sigma^2.
    Differentiate q_sigma = E N(x_noisy; x, sigma^2 I) twice:
    grad grad q_sigma = E (t t' - I / sigma^2) N, and grad grad q / q = J + psi psi'.

Conditions
    None on the density of x: here it is a finite set of points, and Bayes' rule a sum.

Sources
    Efron, Tweedie's formula and selection bias, JASA 106 (2011): posterior cumulants.
    Meng, Song, Li & Ermon, Estimating high order gradients of the data distribution by denoising,
    NeurIPS 2021.
"""
from __future__ import annotations

import numpy as np

from refsm.energies.mixture import GaussianMixture
from refsm.theorems.statement import UNIT, Statement, equal
from refsm.typing import Array

__all__ = ["GROUP", "MAKERS", "third_cumulant", "second_moment_of_the_target"]

GROUP = "Tweedie: a score is a denoiser"

K, N, D = 11, 7, 3      # clean points, noisy points, dimensions
SIGMA = 0.7
H = 1e-30               # of a complex step
ROUNDINGS = 256.0       # chosen, as for the other posterior moments


def setting() -> tuple[Array, Array, Array, GaussianMixture]:
    """Clean points, noisy points, posterior weights (N, K) by Bayes' rule, and q_sigma."""
    rng = np.random.default_rng(51)
    x, probability = rng.standard_normal((K, D)), rng.dirichlet(np.ones(K))
    x_noisy = 1.5 * rng.standard_normal((N, D))
    distance = ((x_noisy[:, None, :] - x) ** 2).sum(axis=2)
    weight = probability * np.exp(-distance / (2 * SIGMA**2))
    covariances = np.broadcast_to(SIGMA**2 * np.eye(D), (K, D, D))
    return x, x_noisy, weight / weight.sum(axis=1, keepdims=True), \
        GaussianMixture(probability, x, covariances)


def third_cumulant() -> list[Statement]:
    """Statement 51: posterior third moments against the derivative of the score's Jacobian."""
    x, x_noisy, weight, q_sigma = setting()
    m = weight @ x
    r = x - m[:, None, :]                                                # (N, K, D)
    left = np.einsum("nk,nki,nkj,nkl->nijl", weight, r, r, r)
    columns = [q_sigma.score_jacobian(x_noisy + 1j * H * e).imag / H for e in np.eye(D)]
    right = SIGMA**6 * np.stack(columns, axis=-1)                        # (N, D, D, D)
    bound = ROUNDINGS * UNIT * (abs(x_noisy).max() + abs(x).max()) ** 3
    return [equal(51, "third cumulant = sigma^6 third derivative of log q_sigma",
                  f"{K} clean points, d={D}, sigma={SIGMA:g}", left, right, bound, "rounding")]


def second_moment_of_the_target() -> list[Statement]:
    """Statement 51: what denoising at second order regresses on."""
    x, x_noisy, weight, q_sigma = setting()
    t = (x - x_noisy[:, None, :]) / SIGMA**2                             # (N, K, D)
    left = np.einsum("nk,nki,nkj->nij", weight, t, t) - np.eye(D) / SIGMA**2
    psi = q_sigma.score(x_noisy)
    right = q_sigma.score_jacobian(x_noisy) + psi[:, :, None] * psi[:, None, :]
    bound = ROUNDINGS * UNIT * (abs(t).max() ** 2 + 1 / SIGMA**2)
    return [equal(51, "E[tt' - I/sigma^2 | x_noisy] = J + psi psi'",
                  f"{K} clean points, d={D}, sigma={SIGMA:g}", left, right, bound, "rounding")]


MAKERS = [third_cumulant, second_moment_of_the_target]
