"""Tweedie's formula: statements 11, 12 and 16.

Symbols
    n noisy points (N), k clean points (K), i dimensions (D).
    x             (K, D)     clean points, the k-th with probability_k
    x_noisy       (N, D)     corrupted points
    weight        (N, K)     posterior probabilities of the clean points, by Bayes' rule
    target        (N, K, D)  t, the corruption's score grad log q(x_noisy | x)
    mean, second             E[x | x_noisy] (N, D) and Cov[x | x_noisy] (N, D, D)
    s_sigma                  grad log q_sigma, q_sigma the density of x_noisy
    C, alpha                 covariance of the noise, and what a clean point is scaled by
    J                        d s_sigma / d x_noisy

Statements
    11  E[x | x_noisy] = (x_noisy + C s_sigma(x_noisy)) / alpha
        Cov[x | x_noisy] = (C + C J C) / alpha^2
        with C = sigma^2 I and alpha = 1:  x_noisy + sigma^2 s_sigma,  sigma^2 I + sigma^4 J
    12  J_DAE of the reconstruction x_noisy + sigma^2 psi(x_noisy) exceeds that of E[x | x_noisy] by
        sigma^4 E |psi - s_sigma|^2
    16  E[t | x_noisy] = s_sigma(x_noisy), for any corruption with a differentiable density

Derivation
    16  q_sigma(y) = sum_k probability_k q(y | x_k), and grad q(y | x) = t q(y | x).  Divide by
        q_sigma: s_sigma(y) = sum_k [probability_k q(y | x_k) / q_sigma(y)] t_k, and the bracket is
        the weight of Bayes' rule.  This is why regressing on t works: the minimiser of
        E |psi(x_noisy) - t|^2 over all functions psi is the conditional expectation of t, which is
        s_sigma.
    11  for Gaussian noise t = C^-1 (alpha x - x_noisy): solve 16 for E[x | x_noisy].  One more
        derivative gives the covariance: `refsm.denoiser`, (3) -> (4).
    12  with m = E[x | x_noisy], E |r - x|^2 = E |r - m|^2 + E |m - x|^2 for every r(x_noisy),
        because E[m - x | x_noisy] = 0;  and r - m = sigma^2 (psi - s_sigma) by 11.

Conditions
    16 differentiates under the sum (or integral) over x.  The Laplace density has a kink and is
    left out here; the logistic density is smooth and not Gaussian.

Sources
    Robbins (1956) and Efron, Tweedie's formula and selection bias, JASA 106 (2011): 11.  Miyasawa,
    An empirical Bayes estimator of the mean of a normal population (1961): 11.
    Vincent, Neural Computation 23 (2011): 16 is the step that makes denoising score matching work.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from refsm.corruption import CovarianceCorruption, GaussianCorruption, ScaledCorruption
from refsm.denoiser import tweedie, tweedie_covariance
from refsm.energies.mixture import GaussianMixture
from refsm.energies.parzen import Parzen
from refsm.objectives.denoising_autoencoder import DenoisingAutoencoderLoss
from refsm.theorems import limits
from refsm.theorems.chain import SIGMA, models, noisy_nodes
from refsm.theorems.statement import UNIT, Statement, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "MAKERS", "posterior_moments", "best_reconstruction", "posterior_score",
           "posterior_score_of_logistic_noise"]

K, N, D = 11, 7, 3          # clean points, noisy points, dimensions
ROUNDINGS = 256.0           # chosen: roundings allowed on the sizes of posterior moments
WIDTH = 0.6                 # of the logistic noise


class Problem(NamedTuple):
    """Clean points, noisy points, and the posterior weights of one corruption."""

    name: str
    corruption: Any
    x: Array                # (K, D)
    x_noisy: Array          # (N, D)
    weight: Array           # (N, K)
    noisy: GaussianMixture  # the density of x_noisy
    unit: float             # roundings, times the condition number of the noise

    @property
    def where(self) -> str:
        return f"{self.name}, {K} clean points, d={D}"

    @property
    def size(self) -> float:
        return float(np.abs(self.x_noisy).max() + np.abs(self.x).max())


def clean_and_noisy() -> tuple[Array, Array, Array, np.random.Generator]:
    """x (K, D), their probabilities (K,), x_noisy (N, D), and the generator that made them."""
    rng = np.random.default_rng(11)
    x, probability = rng.standard_normal((K, D)), rng.dirichlet(np.ones(K))
    return x, probability, 1.5 * rng.standard_normal((N, D)), rng


def problems() -> list[Problem]:
    """K clean points, where Bayes' rule is a sum, and three Gaussian corruptions."""
    x, probability, x_noisy, rng = clean_and_noisy()
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
        r = x_noisy[:, None, :] - scale * x                              # (N, K, D)
        squares = np.einsum("nki,ij,nkj->nk", r, np.linalg.inv(covariance), r)
        weight = bayes(probability, np.exp(-squares / 2))
        noisy = GaussianMixture(probability, scale * x, np.broadcast_to(covariance, (K, D, D)))
        unit = ROUNDINGS * UNIT * float(np.linalg.cond(covariance))
        out.append(Problem(name, corruption, x, x_noisy, weight, noisy, unit))
    return out


def bayes(probability: Array, likelihood: Array) -> Array:
    """Posterior probabilities (N, K) from prior ones (K,) and likelihoods (N, K)."""
    weight = probability * likelihood
    return weight / weight.sum(axis=1, keepdims=True)


def posterior_moments() -> list[Statement]:
    """Statement 11: mean and covariance from posterior weights, and from the score."""
    out = []
    for p in problems():
        mean = p.weight @ p.x
        residual = p.x - mean[:, None, :]
        second = np.einsum("nk,nki,nkj->nij", p.weight, residual, residual)
        formula = tweedie(p.noisy, p.x_noisy, p.corruption)
        formula_second = tweedie_covariance(p.noisy, p.x_noisy, p.corruption)
        out += [equal(11, "E[x|x_noisy] = Tweedie's formula", p.where, mean, formula,
                      p.unit * p.size, "rounding"),
                equal(11, "Cov[x|x_noisy] = its second-order form", p.where, second,
                      formula_second, p.unit * p.size**2, "rounding")]
    return out


def best_reconstruction() -> list[Statement]:
    """Statement 12: J_DAE of a model minus J_DAE of Tweedie's mean, in exact expectation."""
    clean, (x, x_noisy, w) = noisy_nodes()
    q_sigma = Parzen(clean, SIGMA)
    J = DenoisingAutoencoderLoss(x, x_noisy, weights=w)
    best = w @ J.evaluate(reconstruction=tweedie(q_sigma, x_noisy, SIGMA))[0]
    out = []
    for name, model in models().items():
        psi = model.score(x_noisy)
        loss = w @ J.evaluate(reconstruction=x_noisy + SIGMA**2 * psi)[0]
        excess = SIGMA**4 * (w @ ((psi - q_sigma.score(x_noisy)) ** 2).sum(axis=1))
        where = f"{name}, d=2, {len(clean)} points, sigma={SIGMA:g}"
        out.append(equal(12, "J_DAE - its minimum = sigma^4 E|psi - s_sigma|^2", where,
                         loss - best, excess, relative_bound(loss, best), "quadrature"))
    return out


def posterior_score() -> list[Statement]:
    """Statement 16 for three Gaussian corruptions."""
    out = []
    for p in problems():
        pairs = np.repeat(p.x_noisy, K, axis=0), np.tile(p.x, (N, 1))
        target = p.corruption.score(*pairs).reshape(N, K, D)
        left = np.einsum("nk,nki->ni", p.weight, target)
        out.append(equal(16, "E[t|x_noisy] = s_sigma, t = grad log q(x_noisy|x)", p.where, left,
                         p.noisy.score(p.x_noisy), p.unit * np.abs(target).max(), "rounding"))
    return out


def posterior_score_of_logistic_noise() -> list[Statement]:
    """Statement 16 for noise with the density prod_i sech(u_i / (2 WIDTH))^2 / (4 WIDTH)."""
    x, probability, x_noisy, _ = clean_and_noisy()

    def likelihood(y: Array) -> Array:
        u = y[:, None, :] - x                                            # (N, K, D)
        return (np.cosh(u / (2 * WIDTH)) ** -2.0 / (4 * WIDTH)).prod(axis=2)

    u = x_noisy[:, None, :] - x
    target = -np.tanh(u / (2 * WIDTH)) / WIDTH                           # (N, K, D)
    left = np.einsum("nk,nki->ni", bayes(probability, likelihood(x_noisy)), target)
    right = limits.gradient(lambda y: np.log(likelihood(y) @ probability), x_noisy)
    bound = ROUNDINGS * UNIT * np.abs(target).max()
    return [equal(16, "E[t|x_noisy] = s_sigma, t = grad log q(x_noisy|x)",
                  f"logistic noise, {K} clean points, d={D}", left, right, bound, "rounding")]


GROUP = "Tweedie: a score is a denoiser"
MAKERS = [posterior_moments, best_reconstruction, posterior_score,
          posterior_score_of_logistic_noise]
