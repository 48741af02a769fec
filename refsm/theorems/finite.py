"""What does not hold, and by how much: statement 2 on a finite sample, and four ways to break statement 1.

    finite sample     J_ESM - J_ISM is a constant only in expectation: on n points it depends on theta
    untied weights    the reconstruction field of a decoder V != W is no gradient: its Jacobian is not symmetric, so no energy has it as its score
    sigma inside      psi = (W' sigmoid((W x + b) / sigma^2) + c - x) / sigma^2 is the score of an energy, but not of the autoencoder's
    cross-entropy     the gradient of the cross-entropy reconstruction loss points elsewhere than that of J_DSM
    masking noise     where the noise sets coordinates to 0, the best reconstruction of an untouched point is the point: "score" 0
                      where the data's score is not

For each the table shows two numbers that statement 1 (for the finite sample, statement 2) would make equal; it holds as a statement that they
differ, by more than a hundred bounds.
"""
from __future__ import annotations

import numpy as np

from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.denoising_autoencoder import DenoisingAutoencoderLoss
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching
from refsm.stable import sigmoid, softplus
from refsm.theorems.chain import density, models, nodes_of
from refsm.theorems.statement import QUADRATURE, Statement, differs
from refsm.typing import Array

__all__ = ["GROUP", "MAKERS", "finite_sample", "untied", "sigma_inside", "cross_entropy", "masking"]

N, D, M = 200, 3, 5


def finite_sample() -> list[Statement]:
    """J_ESM - J_ISM on points drawn from q, at two theta: two different numbers, neither the constant of statement 2."""
    q = density()
    x = q.sample(N, np.random.default_rng(20))
    explicit, implicit = ExplicitScoreMatching(x, q), ImplicitScoreMatching(x)
    first, second = (explicit.value(model) - implicit.value(model) for model in (models()[f"AutoencoderEnergy, theta_{k}"] for k in (1, 2)))
    return [differs(2, "J_ESM - J_ISM at theta_1 and at theta_2", f"{N} points of a mixture", first, second, QUADRATURE * abs(first))]


def _problem() -> tuple[AutoencoderEnergy, Array, Array]:
    """A model, clean points in [0, 1] (so that cross-entropy is defined) and noisy ones."""
    rng = np.random.default_rng(21)
    model = AutoencoderEnergy(rng.standard_normal((M, D)), rng.standard_normal(M), rng.standard_normal(D), sigma=0.4)
    x = rng.random((N, D))
    return model, x, x + model.sigma * rng.standard_normal((N, D))


def untied() -> list[Statement]:
    """d psi_1 / d x_2 and d psi_2 / d x_1 of a reconstruction with a decoder of its own."""
    model, x, _ = _problem()
    V = np.random.default_rng(22).standard_normal((M, D))
    s = sigmoid(x[:1] @ model.W.T + model.b)
    J = (V.T * (s * (1 - s))) @ model.W / model.sigma**2
    return [differs(1, "untied: d psi_1/d x_2 and d psi_2/d x_1", f"d={D}, m={M}, one point", J[0, 1], J[1, 0], QUADRATURE * np.abs(J).max())]


def sigma_inside() -> list[Statement]:
    """J_DSM of the energy with sigma^2 inside the sigmoid, against J_DAE / (2 sigma^4)."""
    model, x, x_noisy = _problem()
    W, b, c, sigma = model.W, model.b, model.c, model.sigma
    psi = (sigmoid((x_noisy @ W.T + b) / sigma**2) @ W + c - x_noisy) / sigma**2
    energy = DenoisingScoreMatching(x, x_noisy, sigma)
    left = float(energy.weights @ energy.evaluate(score=psi)[0])
    right = DenoisingAutoencoderLoss(x, x_noisy).value(model) / (2 * sigma**4)
    return [differs(1, "sigma inside: J_DSM and J_DAE / (2 sigma^4)", f"{N} points, d={D}, m={M}, sigma={sigma:g}", left, right, QUADRATURE * right)]


def cross_entropy() -> list[Statement]:
    """The cosine between the gradients for W of the cross-entropy loss and of J_DSM; statement 1 would need 1 (at any rate)."""
    model, x, x_noisy = _problem()
    W, b, c = model.theta
    h = sigmoid(x_noisy @ W.T + b)
    logits = h @ W + c                       # the decoder's output is a probability, sigmoid(logits)
    delta = sigmoid(logits) - x              # derivative of softplus(logits) - x logits; only the direction counts
    own = ((delta @ W.T) * h * (1 - h)).T @ x_noisy + h.T @ delta
    gradient = DenoisingScoreMatching(x, x_noisy, model.sigma).gradient(model).W
    cosine = (own * gradient).sum() / np.sqrt((own**2).sum() * (gradient**2).sum())
    loss = (softplus(logits) - x * logits).sum() / N
    where = f"{N} points, d={D}, m={M}, loss {loss:.3g}"
    return [differs(1, "cross-entropy: cosine between the gradients, and 1", where, float(cosine), 1.0, QUADRATURE)]


def masking() -> list[Statement]:
    """E_q |score|^2 on untouched points: of the best masking autoencoder (0), and of the data.

    A coordinate is set to 0 with probability nu.  If q has a density, a noisy point without zeros was not touched, so its posterior mean
    is itself, and (reconstruction - x_noisy) / sigma^2 = 0 for every sigma.
    """
    q = density()
    x, w = nodes_of(q)
    information = float(w @ (q.score(x) ** 2).sum(axis=1))
    return [differs(1, "masking: E|psi|^2 at the optimum, and E|grad log q|^2", "untouched points, d=2", 0.0, information, QUADRATURE * information)]


GROUP = "What does not hold, and by how much"
MAKERS = [finite_sample, untied, sigma_inside, cross_entropy, masking]
