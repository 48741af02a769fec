"""The Gaussian, where everything has a closed form: statements 13 and 31, on given data.

Symbols
    x                 (n, d)   the data, d of its columns;  mean, S (d, d) their mean and covariance
                               (divided by n, not n - 1)
    noise, x_noisy             2 d noise vectors for each point, and the points with them
    C                 (d, d)   S for J_ISM,  S + sigma^2 I for the expected J_DSM
    P                 (d, d)   C^-1
    dP, dm            (d, d), (d,)  steps from (mean, P), dP symmetric
    R                 (d, d)   (P + dP) S, with P = S^-1

Statements
    13  the gradient of J vanishes at (mean, C^-1), for J = J_ISM and J = E J_DSM, and
        J(mean, P + dP) - J(mean, P) = 1/2 tr(dP C dP)
        for J_ISM this is the maximum-likelihood estimate: another precision loses
        1/2 (tr R - d - log det R) >= 0 of mean log-likelihood
    31  J(mean + dm, P + dP) - J(mean, P) = 1/2 tr(dP C dP) + 1/2 |(P + dP) dm|^2, for both losses
        so (mean, C^-1) is the only minimum among invertible precisions: where C > 0 the first term
        is > 0 for every symmetric dP != 0, and the second for every dm != 0

Derivation
    31  psi(x) = -P' (x - mean'), P' = P + dP, mean' = mean + dm.  The mean over the data of
        1/2 |psi|^2 is 1/2 tr(P' S P') + 1/2 |P' dm|^2, because x - mean' has the second moment
        S + dm dm'; the divergence is -tr P'.  At P' = C^-1 + dP, C = S, the terms linear in dP are
        tr(dP C C^-1) - tr dP = 0.
        For J_DSM at x + sigma eps, the mean of 1/2 |psi|^2 has S + sigma^2 I in the place of S, the
        cross term with eps / sigma is -tr P', and d / (2 sigma^2) is added.
    13  31 with dm = 0.  The expectation over eps of a quadratic is exact on the 2 d vectors
        +- sqrt(d) e_i.  The log-likelihood is 1/2 log det P' - 1/2 tr(P' S) + constant.

Conditions
    C > 0: S > 0 for J_ISM, always for J_DSM.  The bounds: a sum over N points and d columns may
    lose 2 N + 20 d roundings of the sum of the sizes of its terms, and an inverse multiplies that
    by the condition number of C.

Sources
    Hyvarinen, Estimation of non-normalized statistical models by score matching, JMLR 6 (2005): the
    Gaussian's estimates are those of maximum likelihood.  31 and the noise are derived here.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from refsm.energies.gaussian import Gaussian
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.theorems.statement import UNIT, Statement, equal
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "ON_DATA", "statements"]

COLUMNS = 3             # as many of the data's columns as a covariance is taken of
INDEPENDENT = 0.1       # the part of a column (about) that must be no combination of the others
SIGMA = 0.3             # of the noise, in units of the standard deviation of a column


def statements(data: Array, name: str) -> list[Statement]:
    """Statements 13 and 31 on the columns of largest variance, standardised.

    None where all points are equal.
    """
    x = 1 + columns(data)                       # a mean of 0 would hide mistakes
    n, d = x.shape
    if d == 0:
        return []
    noise = SIGMA * np.sqrt(d) * np.concatenate([np.eye(d), -np.eye(d)])             # (2 d, d)
    x_noisy = (x[:, None, :] + noise).reshape(2 * n * d, d)
    where = f"{n} {name}, {d} columns"
    mean = x.mean(axis=0)
    S = x.T @ (x - mean) / n
    J_DSM = DenoisingScoreMatching(np.repeat(x, 2 * d, axis=0), x_noisy, SIGMA)
    return (minimum(ImplicitScoreMatching(x), mean, S, "J_ISM", where)
            + minimum(J_DSM, mean, S + SIGMA**2 * np.eye(d), "E J_DSM", where)
            + likelihood(x, mean, S, where))


def steps(d: int) -> tuple[Array, Array]:
    """dP (d, d), symmetric and positive definite, and dm (d,)."""
    return np.diag(np.arange(1.0, d + 1)) + 0.1, 0.3 - np.arange(d) / 2


def minimum(J: Any, mean: Array, C: Array, title: str, where: str) -> list[Statement]:
    """Statements 13 and 31 for one objective."""
    d = len(mean)
    dP, dm = steps(d)
    P = np.linalg.inv(C)
    best = Gaussian(mean, P)
    least, gradient = J.value_and_gradient(best)
    r = np.abs(J.points - mean)
    moment = r.T @ r / len(r)
    unit = _unit(len(r), C)
    bound = unit * (np.abs(P) @ moment @ (np.abs(P) + np.eye(d)) + np.eye(d) + 1 / SIGMA**2)
    quadratic = np.trace(dP @ C @ dP) / 2
    in_P = J.value(Gaussian(mean, P + dP)) - least
    in_both = J.value(Gaussian(mean + dm, P + dP)) - least
    shift = ((P + dP) @ dm) @ ((P + dP) @ dm) / 2
    size = quadratic + 3 * np.trace(P) + 2 * np.trace(dP) + d / SIGMA**2     # of both values' terms
    return [
        equal(13, f"gradient of {title} for P at the closed form = 0", where, gradient.precision,
              np.zeros((d, d)), bound, "rounding"),
        equal(13, f"gradient of {title} for the mean = 0", where, gradient.mean, np.zeros(d),
              bound.max(), "rounding"),
        equal(13, f"{title}(P + dP) - {title}(P) = 1/2 tr dP C dP", where, in_P, quadratic,
              unit * size, "rounding"),
        equal(31, f"{title}, both: 1/2 tr dP C dP + 1/2 |P'dm|^2", where, in_both,
              quadratic + shift, unit * (size + shift), "rounding")]


def likelihood(x: Array, mean: Array, S: Array, where: str) -> list[Statement]:
    """Statement 13: what another precision loses of mean log-likelihood."""
    n, d = x.shape
    best = Gaussian(mean, np.linalg.inv(S))
    other = Gaussian(mean, best.precision + steps(d)[0])
    R = other.precision @ S
    l_best, l_other = best.log_density(x), other.log_density(x)
    divergence = (np.trace(R) - d - np.linalg.slogdet(R)[1]) / 2
    bound = _unit(n, S) * (np.abs(l_best) + np.abs(l_other)).mean()
    return [equal(13, "lost log-likelihood = 1/2 (tr R - d - log det R)", where,
                  (l_best - l_other).mean(), divergence, bound, "rounding")]


def columns(data: Array) -> Array:
    """The columns of largest variance, standardised, without those that the others determine."""
    n = len(data)
    deviation = data.std(axis=0)
    x = np.empty((n, 0))
    for i in np.argsort(-deviation, kind="stable"):
        varies = deviation[i] > n * UNIT * np.abs(data[:, i]).max()     # more than a rounding
        if x.shape[1] < COLUMNS and varies:
            column = data[:, [i]] / deviation[i]
            wider = np.hstack([x, column - column.mean()])
            least = np.linalg.svd(wider, compute_uv=False).min()
            x = wider if least > INDEPENDENT * np.sqrt(n) else x
    return x


def _unit(count: int, C: Array) -> float:
    return (2 * count + 20 * len(C)) * UNIT * float(np.linalg.cond(C))


GROUP = "The Gaussian in closed form"
LETTERS = ("P = C^-1, C: covariance of the data, plus sigma^2 I for J_DSM; dP, dm: steps in P and "
           "in the mean; P' = P + dP; R = P'C")
MAKERS: list[Callable[[], list[Statement]]] = []
ON_DATA = [lambda settings: statements(settings[0].data, settings[0].name)]
