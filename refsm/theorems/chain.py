"""The chain J_ISMq_sigma ~ J_ESMq_sigma ~ J_DSM, constants apart: statements 2 to 5 and 14, in exact expectation.

    2   E_q J_ESM = E_q J_ISM + 1/2 E_q |grad log q|^2
    3   the same at q_sigma, the density of the corrupted points
    4   E J_DSM = E J_ESMq_sigma + d / (2 sigma^2) - 1/2 E |grad log q_sigma|^2
    5   E J_DSM = E J_ISMq_sigma + d / (2 sigma^2)
    14  as sigma -> 0,  E J_DSM - d / (2 sigma^2) = E_q J_ISM + sigma^2 R + O(sigma^4).  Where psi is the score of q,
        R = 1/2 E_q |d psi/dx|_F^2.  Kingma & LeCun's penalty with strength sigma^2 / 2 has 1/2 E_q sum_i (d psi_i/dx_i)^2 there:
        the same where the Jacobian is diagonal (independent dimensions), and not otherwise.

Each constant is the same for every model, so minimisers and gradients agree: three energies, two points theta each.

Derivation of 14.  By 5 the left side is E of g(x + sigma eps), g = 1/2 |psi|^2 + div psi, over q: E_q g + sigma^2/2 E_q lap g + ....  For a
gradient field lap(1/2 |psi|^2) = |J|_F^2 + psi.grad(div psi), so 2 R = E_q |J|_F^2 + E_q [psi.grad(div psi) + lap(div psi)]; and for psi = grad log q
the bracket times q is div(q grad(div psi)), whose integral vanishes.
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
from refsm.objectives.parzen_score_matching import ParzenExplicitScoreMatching, ParzenImplicitScoreMatching
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching
from refsm.theorems.statement import QUADRATURE, Statement, differs, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "MAKERS", "explicit_is_implicit", "denoising_chain", "small_noise", "density", "models", "nodes_of", "noisy_nodes", "SIGMA"]

SIGMA = 0.61            # of the corruption
ATOMS = 5               # clean points whose corruption is integrated
SIZE = 121              # nodes along each dimension of each Gaussian
LADDER = 6              # noise levels sigma^2 = 2^-4, 2^-5, ... of statement 14


def density() -> GaussianMixture:
    """A density q in the plane with two correlated modes."""
    return GaussianMixture([0.35, 0.65], [[-1.0, 0.5], [0.8, -0.4]], [[[0.6, 0.2], [0.2, 0.5]], [[0.5, -0.3], [-0.3, 0.7]]])


def models() -> dict[str, Any]:
    """Three energies in the plane, at two points theta each, by name."""
    rng = np.random.default_rng(2)
    out: dict[str, Any] = {}
    for k in (1, 2):
        W, b, c = rng.standard_normal((3, 2)), rng.standard_normal(3), rng.standard_normal(2)
        A = rng.standard_normal((2, 2)) / 3
        for model in (AutoencoderEnergy(W, b, c, sigma=0.8), GaussianBernoulliRBM(W, b, c, rng.standard_normal(2) / 4),
                      GaussianMixture([0.5, 0.5], rng.standard_normal((2, 2)), np.stack([np.eye(2), np.eye(2) / 2 + A @ A.T]))):
            out[f"{type(model).__name__}, theta_{k}"] = model
    return out


def nodes_of(q: GaussianMixture) -> expectations.Rule:
    """Nodes and weights of E_q."""
    return expectations.trapezoid(q, SIZE)


def noisy_nodes() -> tuple[Array, expectations.NoisyPairs]:
    """A few clean points, and every one of them with every node of its noise: x, x_noisy, weights."""
    clean = np.random.default_rng(4).standard_normal((ATOMS, 2))
    return clean, expectations.noisy_pairs(clean, SIGMA, SIZE)


def explicit_is_implicit() -> list[Statement]:
    """Statement 2: values apart by the same constant, and equal gradients."""
    q = density()
    x, w = nodes_of(q)
    target = q.score(x)
    explicit, implicit = ExplicitScoreMatching(x, target, weights=w), ImplicitScoreMatching(x, weights=w)
    constant = w @ (target**2).sum(axis=1) / 2
    out = []
    for name, model in models().items():
        (value_l, gradient_l), (value_r, gradient_r) = explicit.value_and_gradient(model), implicit.value_and_gradient(model)
        where = f"{name}, d=2"
        size = w @ (model.score(x) ** 2).sum(axis=1) + constant
        out.append(equal(2, "E J_ESM - E J_ISM = 1/2 E|grad log q|^2", where, value_l - value_r, constant, QUADRATURE * size, "quadrature"))
        left, right = model.ravel(gradient_l), model.ravel(gradient_r)
        out.append(equal(2, "gradient of E J_ESM = gradient of E J_ISM", where, left, right, relative_bound(left, size), "quadrature"))
    return out


def denoising_chain() -> list[Statement]:
    """Statements 3, 4 and 5: q is the law of a few points, q_sigma their Parzen density, and the noise is integrated."""
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
        out += [equal(3, "J_ESMq_sigma - J_ISMq_sigma = 1/2 E|s_sigma|^2", where, J_ESM - J_ISM, information, bound, "quadrature"),
                equal(4, "J_DSM - J_ESMq_sigma = d/(2 s^2) - 1/2 E|s_sigma|^2", where, J_DSM - J_ESM, d / (2 * SIGMA**2) - information, bound, "quadrature"),
                equal(5, "J_DSM - J_ISMq_sigma = d/(2 sigma^2)", where, J_DSM - J_ISM, d / (2 * SIGMA**2), bound, "quadrature")]
    return out


def small_noise() -> list[Statement]:
    """Statement 14 for psi = grad log q: the rate, the coefficient of sigma^2, and when it is Kingma & LeCun's penalty."""
    product = GaussianMixture([0.12, 0.28, 0.18, 0.42], [[-1, -1], [-1, 1.5], [1, -1], [1, 1.5]], np.broadcast_to(np.diag([0.5, 0.8]), (4, 2, 2)))
    out = []
    for q, name in ((product, "q with independent dimensions"), (density(), "q correlated")):
        x, w = nodes_of(q)
        J = q.score_jacobian(x)
        R = w @ (J**2).sum(axis=(1, 2)) / 2
        penalty = w @ (q.score_jacobian_diagonal(x) ** 2).sum(axis=1) / 2
        coefficient, error, rate = _extrapolated(q)
        out += [equal(14, "E J_DSM - d/(2 s^2) -> J_ISM at the rate s^2", name, rate, 2.0, error, "quadrature"),
                equal(14, "coefficient of s^2 = 1/2 E|d psi/dx|_F^2", name, coefficient, R, error, "quadrature")]
        if q is product:
            out.append(equal(14, "... = Kingma & LeCun's penalty", name, R, penalty, relative_bound(R), "quadrature"))
        else:
            out.append(differs(14, "... is not Kingma & LeCun's penalty", name, R, penalty, relative_bound(R)))
    return out


def _extrapolated(q: GaussianMixture) -> tuple[float, float, float]:
    """The limit of (f(sigma) - f(0)) / sigma^2 for f = E J_ISM at q_sigma, an error estimate, and the exponent of f - f(0).

    By statement 5, f is E J_DSM - d / (2 sigma^2).  Neville's scheme in sigma^2; the error is the change that the last level makes,
    and the rounding of f divided by the smallest sigma^2.
    """
    x, w = nodes_of(q)
    f0 = ImplicitScoreMatching(x, weights=w).value(q)
    h = 2.0 ** -np.arange(4, 4 + LADDER)
    slopes = []
    for variance in h:
        smoothed = GaussianMixture(q.weights, q.means, q.covariances + variance * np.eye(q.d))
        x, w = nodes_of(smoothed)
        slopes.append((ImplicitScoreMatching(x, weights=w).value(q) - f0) / variance)
    table = np.array(slopes)
    for level in range(1, LADDER):
        previous = table
        table = (2**level * previous[1:] - previous[:-1]) / (2**level - 1)
    error = abs(table[0] - previous[-1]) + 2**LADDER * QUADRATURE * abs(f0) / h[-1]
    rises = np.array(slopes) * h
    exponents = np.log2((rises[:-1] / rises[1:]) ** 2)                              # in sigma, not in sigma^2
    for level in range(1, LADDER - 1):
        exponents = (2**level * exponents[1:] - exponents[:-1]) / (2**level - 1)
    return float(table[0]), float(error), float(exponents[0])


GROUP = "The chain: J_ISMq_sigma ~ J_ESMq_sigma ~ J_DSM, constants apart"
MAKERS = [explicit_is_implicit, denoising_chain, small_noise]
