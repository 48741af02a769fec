"""Energies and objectives as they are usually written, for whichever framework F is."""
from __future__ import annotations

import functools
from typing import Any

from demos.benchmark.cases import EXPERTS, NOISE, SIGMA, Case


def energy_of(F: Any, case: Case, theta: Any, x: Any) -> Any:
    """E(x) up to a constant, (n,), or for one point a number."""
    if case.energy == "autoencoder":
        W, b, c = theta
        return -(x @ c - (x * x).sum(-1) / 2 + F.softplus(x @ W.T + b).sum(-1)) / SIGMA**2
    if case.energy == "G-B RBM":
        W, b, c, log_sigma = theta
        tau = F.exp(-2 * log_sigma)
        return (tau * (x - c)**2).sum(-1) / 2 - F.softplus((tau * x) @ W.T + b).sum(-1)
    if case.energy == "binary RBM":
        W, b, c = theta
        return -(x @ c) - F.softplus(x @ W.T + b).sum(-1)
    if case.energy in EXPERTS:
        W, log_alpha = theta
        a = x @ W.T
        f = F.softplus(2 * a) - a if case.energy == "log cosh" else F.log1p(a * a / 2)
        return f @ F.exp(log_alpha)
    if case.energy == "Boltzmann":
        W, b = theta
        return -((x @ W) * x).sum(-1) / 2 - x @ b
    mean, P = theta
    return (((x - mean) @ P) * (x - mean)).sum(-1) / 2


def score_of(F: Any, case: Case, theta: Any, x: Any) -> Any:
    """The same energies' scores, written out."""
    if case.energy == "autoencoder":
        W, b, c = theta
        return (F.sigmoid(x @ W.T + b) @ W + c - x) / SIGMA**2
    if case.energy == "G-B RBM":
        W, b, c, log_sigma = theta
        tau = F.exp(-2 * log_sigma)
        return tau * (F.sigmoid((tau * x) @ W.T + b) @ W + c - x)
    if case.energy in EXPERTS:
        W, log_alpha = theta
        a = x @ W.T
        s = F.tanh(a) if case.energy == "log cosh" else a / (1 + a * a / 2)
        return -(F.exp(log_alpha) * s) @ W
    mean, P = theta
    return (mean - x) @ P


def gaps_of(F: Any, case: Case, theta: Any, x: Any, written_out: bool) -> Any:
    """E(flip_i x) - E(x), (n, d): all neighbours as one array, or by what a flip changes."""
    if not written_out:
        signs = 1 - 2 * F.eye(x.shape[1])
        neighbours = (x[:, None, :] - 0.5) * signs + 0.5                  # (n, d, d)
        return energy_of(F, case, theta, neighbours) - energy_of(F, case, theta, x)[:, None]
    if case.energy == "Boltzmann":
        W, b = theta
        return (2 * x - 1) * (x @ W + b)
    W, b, c = theta
    a, delta = x @ W.T + b, 1 - 2 * x
    rise = F.softplus(a[:, None, :] + delta[:, :, None] * W.T) - F.softplus(a)[:, None, :]
    return -c * delta - rise.sum(-1)


def loss_of(F: Any, case: Case, form: str, theta: Any, x: Any, x_noisy: Any, v: Any) -> Any:
    """The sum of the terms; `form` says how the score and the trace are computed."""
    by_hand = "written out" in form
    if case.objective in ("ratio", "pseudo-lik."):
        gap = gaps_of(F, case, theta, x, by_hand)
        return (F.sigmoid(-gap)**2).sum() if case.objective == "ratio" else F.softplus(-gap).sum()
    if by_hand:
        score = functools.partial(score_of, F, case, theta)
    else:
        score = F.gradient_of(lambda y: -energy_of(F, case, theta, y))
    if case.objective == "denoising":
        return ((score(x_noisy) - (x - x_noisy) / NOISE**2)**2).sum() / 2
    if case.objective == "autoencoder":
        return ((SIGMA**2 * score(x_noisy) + x_noisy - x)**2).sum()
    if case.objective == "sliced":
        psi, Jv = F.jvp(score, x, v)
        return (Jv * v).sum() + ((psi * v).sum(-1)**2).sum() / 2
    psi, diagonal = F.diagonal(score, x, "vmap" in form)
    penalty = 0.1 * (diagonal**2).sum() if case.objective == "regularized" else 0
    return (psi**2).sum() / 2 + diagonal.sum() + penalty
