"""The Gaussian, where everything has a closed form: statement 13, on the data that one gives.

    13  J_ISM of a Gaussian is quadratic in P: with the data's mean m and covariance S (divided by n, not n - 1)
        J_ISM(m, S^-1 + dP) - J_ISM(m, S^-1) = 1/2 tr(dP S dP) > 0  for every symmetric dP,
        so its minimiser is (m, S^-1); and the gradient vanishes there.  It is the maximum-likelihood estimate: any other P loses
        1/2 (tr R - d - log det R) >= 0 of mean log-likelihood, R = P S.
        Expected over the noise, J_DSM has the same form with S + sigma^2 I in the place of S.

Derivation.  With psi = -P (x - m):  mean of 1/2 |psi|^2 is 1/2 tr(P S P), the divergence is -tr P.  At P = S^-1 + dP the terms linear in
dP are tr(dP S S^-1) - tr dP = 0.  For J_DSM at x + sigma eps the mean of 1/2 |psi|^2 is 1/2 tr(P (S + sigma^2 I) P) and the cross term with
eps / sigma is -tr P, plus d / (2 sigma^2).  The expectation over eps of a quadratic is exact on the 2 d points +- sqrt(d) e_i.
"""
from __future__ import annotations

import numpy as np

from refsm.energies.gaussian import Gaussian
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.theorems.statement import UNIT, Statement, equal
from refsm.typing import Array

__all__ = ["statements"]

COLUMNS = 3             # the columns of largest variance: the covariance of all pixels of the digits is singular
SIGMA = 0.3             # of the noise, in units of the standard deviation of a column


def statements(data: Array, name: str) -> list[Statement]:
    """Statement 13 on the standardised columns of largest variance."""
    spread = data.std(axis=0)
    chosen = np.argsort(-spread, kind="stable")[:COLUMNS]
    chosen = chosen[spread[chosen] > 0]
    if len(data) <= len(chosen) or len(chosen) == 0:
        return []
    x = (data[:, chosen] - data[:, chosen].mean(axis=0)) / spread[chosen]
    n, d = x.shape
    noise = SIGMA * np.sqrt(d) * np.concatenate([np.eye(d), -np.eye(d)])             # (2 d, d)
    x_noisy = (x[:, None, :] + noise).reshape(-1, d)
    where = f"{n} {name}, {d} columns"
    implicit = ImplicitScoreMatching(x)
    denoising = DenoisingScoreMatching(np.repeat(x, 2 * d, axis=0), x_noisy, SIGMA)
    mean = x.mean(axis=0)
    S = (x - mean).T @ (x - mean) / n
    out = []
    for J, covariance, title in ((implicit, S, "J_ISM"), (denoising, S + SIGMA**2 * np.eye(d), "E J_DSM")):
        P = np.linalg.inv(covariance)
        P = (P + P.T) / 2
        best = Gaussian(mean, P)
        gradient = J.gradient(best)
        points = J.points
        # |P||r||r|' + |P||r| (residual of the mean): the sizes of the terms of the gradient; 2 n + 20 d roundings on each
        r = np.abs(points - mean) + UNIT
        size = np.abs(P) @ (r.T @ r) / len(points) @ (np.abs(P) + np.eye(d)) + np.eye(d) + 1 / SIGMA**2
        bound = (2 * len(points) + 20 * d) * UNIT * size * np.linalg.cond(covariance)
        dP = np.diag(np.arange(1.0, d + 1)) + 0.1
        raised = J.value(Gaussian(mean, P + dP)) - J.value(best)
        quadratic = np.trace(dP @ covariance @ dP) / 2
        out += [
            equal(13, f"gradient of {title} for P at the closed form = 0", where, gradient.precision, np.zeros((d, d)), bound, "rounding"),
            equal(13, f"gradient of {title} for the mean = 0", where, gradient.mean, np.zeros(d), bound.max(), "rounding"),
            equal(13, f"{title}(P + dP) - {title}(P) = 1/2 tr dP C dP", where, raised, quadratic, bound.max() + 4 * UNIT * len(points) * quadratic, "rounding"),
        ]
    best = Gaussian(mean, np.linalg.inv(S))
    other = Gaussian(mean, best.precision + dP)
    ratio = other.precision @ S
    lost = (best.log_density(x) - other.log_density(x)).mean()
    divergence = (np.trace(ratio) - d - np.linalg.slogdet(ratio)[1]) / 2
    out.append(equal(13, "loss of log-likelihood = 1/2 (tr R - d - log det R)", where, lost, divergence, bound.max(), "rounding"))
    return out
