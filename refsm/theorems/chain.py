"""The chain J_ISMq_sigma ~ J_ESMq_sigma ~ J_DSM, constants apart: statements 2 to 5.

Symbols
    q                 a density, s = grad log q;  q_sigma that of the corrupted points, s_sigma its
                      score
    x, x_noisy, w     nodes of an expectation over q, or over points and their noise, and their
                      weights
    psi               the score of a model
    d                 dimensions;  sigma (SIGMA) the standard deviation of the noise

Statements
    2   E_q J_ESM = E_q J_ISM + 1/2 E_q |s|^2
    3   the same at q_sigma:  J_ESMq_sigma = J_ISMq_sigma + 1/2 E |s_sigma|^2
    4   E J_DSM = J_ESMq_sigma + d / (2 sigma^2) - 1/2 E |s_sigma|^2
    5   E J_DSM = J_ISMq_sigma + d / (2 sigma^2)

Derivation
    2, 3  `refsm.objectives.score_matching`, (7): E psi.s = -E div psi, by parts.
    4     `refsm.objectives.denoising`, (6): E psi.target = E psi.s_sigma, because s_sigma is the
          mean of the targets at x_noisy (16).
    5     3 and 4: the two terms 1/2 E |s_sigma|^2 cancel.
    Each constant is the same for every model, so minimisers and gradients agree: three energies,
    two theta each.

Conditions
    2 and 3: q psi vanishes at infinity, the expectations are finite, psi is absolutely continuous
    along lines (26 and 30 show what happens otherwise).  4 holds for any distribution of the clean
    points, one on a few points included, if the expectations are finite; 5 where 3 does too.

Sources
    Hyvarinen, Estimation of non-normalized statistical models by score matching, JMLR 6 (2005): 2.
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23
    (2011): 3, 4 and 5.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from refsm import expectations
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian_bernoulli_rbm import GaussianBernoulliRBM
from refsm.energies.mixture import GaussianMixture
from refsm.energies.parzen import Parzen
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.parzen_score_matching import (ParzenExplicitScoreMatching,
                                                    ParzenImplicitScoreMatching)
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching
from refsm.theorems.statement import QUADRATURE, Statement, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "MAKERS", "explicit_is_implicit", "denoising_chain", "density", "models",
           "nodes_of", "noisy_nodes", "ATOMS", "SIGMA", "SIZE"]

SIGMA = 0.61            # of the corruption
ATOMS = 5               # clean points whose corruption is integrated
SIZE = 121              # nodes along each dimension of each Gaussian


def density() -> GaussianMixture:
    """A density q in the plane with two correlated modes."""
    covariances = [[[0.6, 0.2], [0.2, 0.5]], [[0.5, -0.3], [-0.3, 0.7]]]
    return GaussianMixture([0.35, 0.65], [[-1.0, 0.5], [0.8, -0.4]], covariances)


def models() -> dict[str, Any]:
    """Three energies in the plane, at two points theta each, by name."""
    rng = np.random.default_rng(2)
    out: dict[str, Any] = {}
    for k in (1, 2):
        W, b, c = rng.standard_normal((3, 2)), rng.standard_normal(3), rng.standard_normal(2)
        A = rng.standard_normal((2, 2)) / 3
        rbm = GaussianBernoulliRBM(W, b, c, rng.standard_normal(2) / 4)
        mixture = GaussianMixture([0.5, 0.5], rng.standard_normal((2, 2)),
                                  np.stack([np.eye(2), np.eye(2) / 2 + A @ A.T]))
        for model in (AutoencoderEnergy(W, b, c, sigma=0.8), rbm, mixture):
            out[f"{type(model).__name__}, theta_{k}"] = model
    return out


def nodes_of(q: GaussianMixture) -> expectations.Rule:
    """Nodes and weights of E_q."""
    return expectations.trapezoid(q, SIZE)


def noisy_nodes() -> tuple[Array, expectations.NoisyPairs]:
    """A few clean points, and each with every node of its noise: x, x_noisy, weights."""
    clean = np.random.default_rng(4).standard_normal((ATOMS, 2))
    return clean, expectations.noisy_pairs(clean, SIGMA, SIZE)


def explicit_is_implicit() -> list[Statement]:
    """Statement 2: values apart by the same constant, and equal gradients."""
    q = density()
    x, w = nodes_of(q)
    target = q.score(x)
    explicit = ExplicitScoreMatching(x, target, weights=w)
    implicit = ImplicitScoreMatching(x, weights=w)
    constant = w @ (target**2).sum(axis=1) / 2
    out = []
    for name, model in models().items():
        value_l, gradient_l = explicit.value_and_gradient(model)
        value_r, gradient_r = implicit.value_and_gradient(model)
        where = f"{name}, d=2"
        size = w @ (model.score(x) ** 2).sum(axis=1) + constant
        out.append(equal(2, "E J_ESM - E J_ISM = 1/2 E|grad log q|^2", where, value_l - value_r,
                         constant, QUADRATURE * size, "quadrature"))
        left, right = model.ravel(gradient_l), model.ravel(gradient_r)
        out.append(equal(2, "gradient of E J_ESM = gradient of E J_ISM", where, left, right,
                         relative_bound(left, size), "quadrature"))
    return out


def denoising_chain() -> list[Statement]:
    """Statements 3, 4 and 5: q is a few points, q_sigma their Parzen density."""
    clean, (x, x_noisy, w) = noisy_nodes()
    d = clean.shape[1]
    denoising = DenoisingScoreMatching(x, x_noisy, SIGMA, weights=w)
    explicit = ParzenExplicitScoreMatching(clean, x_noisy, SIGMA, weights=w)
    implicit = ParzenImplicitScoreMatching(x_noisy, weights=w)
    information = w @ (Parzen(clean, SIGMA).score(x_noisy) ** 2).sum(axis=1) / 2
    out = []
    for name, model in models().items():
        J_DSM, J_ESM, J_ISM = (J.value(model) for J in (denoising, explicit, implicit))
        bound = relative_bound(J_DSM, J_ESM, J_ISM, d / SIGMA**2)
        where = f"{name}, d={d}, {len(clean)} points, sigma={SIGMA:g}"
        out += [equal(3, "J_ESMq_sigma - J_ISMq_sigma = I/2", where, J_ESM - J_ISM, information,
                      bound, "quadrature"),
                equal(4, "J_DSM - J_ESMq_sigma = d/(2 sigma^2) - I/2", where, J_DSM - J_ESM,
                      d / (2 * SIGMA**2) - information, bound, "quadrature"),
                equal(5, "J_DSM - J_ISMq_sigma = d/(2 sigma^2)", where, J_DSM - J_ISM,
                      d / (2 * SIGMA**2), bound, "quadrature")]
    return out


GROUP = "The chain: J_ISMq_sigma ~ J_ESMq_sigma ~ J_DSM, constants apart"
MAKERS = [explicit_is_implicit, denoising_chain]
