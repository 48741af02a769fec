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

from typing import Callable

import numpy as np

from refsm.energies.gaussian import Gaussian
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.theorems.statement import UNIT, Statement, equal
from refsm.typing import Array

__all__ = ["GROUP", "MAKERS", "ON_DATA", "statements"]

COLUMNS = 3             # as many of the data's columns as a covariance is taken of
INDEPENDENT = 0.1       # a column is left out where less than this part of it (about) is no combination of the others
SIGMA = 0.3             # of the noise, in units of the standard deviation of a column


def statements(data: Array, name: str) -> list[Statement]:
    """Statement 13 on the columns of largest variance, standardised; none where all points are equal.

    The bounds: every sum over N points and d columns may lose 2 N + 20 d units of the sum of the sizes of its terms, and an inverse
    multiplies that by the condition number of the covariance.
    """
    x = 1 + columns(data)                                                            # a mean of 0 would hide mistakes
    n, d = x.shape
    if d == 0:
        return []
    noise = SIGMA * np.sqrt(d) * np.concatenate([np.eye(d), -np.eye(d)])             # (2 d, d)
    x_noisy = (x[:, None, :] + noise).reshape(2 * n * d, d)
    where = f"{n} {name}, {d} columns"
    mean = x.mean(axis=0)
    S = x.T @ (x - mean) / n
    dP = np.diag(np.arange(1.0, d + 1)) + 0.1
    out = []
    for J, C, title in ((ImplicitScoreMatching(x), S, "J_ISM"),
                        (DenoisingScoreMatching(np.repeat(x, 2 * d, axis=0), x_noisy, SIGMA), S + SIGMA**2 * np.eye(d), "E J_DSM")):
        P = np.linalg.inv(C)
        best = Gaussian(mean, P)
        gradient = J.gradient(best)
        r = np.abs(J.points - mean)
        unit = _unit(len(r), C)
        bound = unit * (np.abs(P) @ (r.T @ r) / len(r) @ (np.abs(P) + np.eye(d)) + np.eye(d) + 1 / SIGMA**2)     # |P||r||r|' |P|, |P||r|, ...
        raised = J.value(Gaussian(mean, P + dP)) - J.value(best)
        quadratic = np.trace(dP @ C @ dP) / 2
        size = quadratic + 3 * np.trace(P) + 2 * np.trace(dP) + d / SIGMA**2         # of the terms of both values
        out += [
            equal(13, f"gradient of {title} for P at the closed form = 0", where, gradient.precision, np.zeros((d, d)), bound, "rounding"),
            equal(13, f"gradient of {title} for the mean = 0", where, gradient.mean, np.zeros(d), bound.max(), "rounding"),
            equal(13, f"{title}(P + dP) - {title}(P) = 1/2 tr dP C dP", where, raised, quadratic, unit * size, "rounding"),
        ]
    best = Gaussian(mean, np.linalg.inv(S))
    other = Gaussian(mean, best.precision + dP)
    ratio = other.precision @ S
    l_best, l_other = best.log_density(x), other.log_density(x)
    lost = (l_best - l_other).mean()
    divergence = (np.trace(ratio) - d - np.linalg.slogdet(ratio)[1]) / 2
    bound = _unit(n, S) * (np.abs(l_best) + np.abs(l_other)).mean()
    out.append(equal(13, "loss of log-likelihood = 1/2 (tr R - d - log det R)", where, lost, divergence, bound, "rounding"))
    return out


def columns(data: Array) -> Array:
    """The columns of largest variance, about their means in units of their standard deviations, without those that the others determine."""
    n = len(data)
    spread = data.std(axis=0)
    x = np.empty((n, 0))
    for i in np.argsort(-spread, kind="stable"):
        if x.shape[1] < COLUMNS and spread[i] > n * UNIT * np.abs(data[:, i]).max():      # more than the rounding of a mean
            column = data[:, [i]] / spread[i]
            wider = np.hstack([x, column - column.mean()])
            x = wider if np.linalg.svd(wider, compute_uv=False).min() > INDEPENDENT * np.sqrt(n) else x
    return x


def _unit(count: int, C: Array) -> float:
    return (2 * count + 20 * len(C)) * UNIT * float(np.linalg.cond(C))


GROUP = "The Gaussian in closed form"
MAKERS: list[Callable[[], list[Statement]]] = []
ON_DATA = [lambda settings: statements(settings[0].data, settings[0].name)]
