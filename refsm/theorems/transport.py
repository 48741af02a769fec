"""The probability flow carries points and log densities: statement 43.

Symbols
    q                       a density of clean points;  q_t after noise of variance t = sigma^2
    x_t                     a point that follows dx/dt = -psi(x; t) / 2, psi the score of q_t
    m, S                    mean and covariance of a Gaussian q

Statements
    43  log q(x_0) = log q_t(x_t) minus the integral of tr J / 2 along the way
        for a Gaussian, x_t = m + (S + t I)^(1/2) S^(-1/2) (x_0 - m)
        for any schedule alpha x + sigma eps, x_t is alpha times the point at t = (sigma / alpha)^2

Derivation
    By statement 41 dq_t/dt = 1/2 lap q_t = -div(q_t f) with f = -psi / 2: points with the velocity
    f have the density q_t at every t if at one.  Along a moving point
    d log q_t / dt = -div f = tr J / 2.
    For a Gaussian f = (S + t I)^-1 (x - m) / 2, and d/dt (S + t I)^(1/2) = (S + t I)^(-1/2) / 2.

Conditions
    Where the clean points have no density (a finite set), the flow starts at a small t.  The bound
    is the change of the result when the solver's tolerance falls from 1e-8 to 1e-11.

Sources
    Song et al., Score-based generative modeling through stochastic differential equations, ICLR
    2021, section on the probability flow.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from refsm.corruption import ScaledCorruption
from refsm.energies.gaussian import Gaussian
from refsm.flow import probability_flow
from refsm.theorems.chain import density
from refsm.theorems.statement import Statement, equal

__all__ = ["GROUP", "LETTERS", "MAKERS", "log_density", "gaussian_points"]

GROUP = "Diffusion: how a density changes with the noise"
LETTERS = "x_t: a point of the flow from x_0; m, S: mean and covariance of a Gaussian q"

POINTS = 5
LOOSE, TIGHT = 1e-8, 1e-11
LEVELS: list[Any] = [0.0, 0.8, ScaledCorruption(0.6, 1.2)]


def log_density() -> list[Statement]:
    """Statement 43 for a mixture: the log density at every level from that at the last."""
    q, x = density(), 1.5 * np.random.default_rng(43).standard_normal((POINTS, 2))
    loose, tight = (probability_flow(q, LEVELS, x, rtol=tol, atol=tol) for tol in (LOOSE, TIGHT))
    exact = np.array([q.log_density(x), *(q.corrupted(level).log_density(points)
                                          for level, points in zip(LEVELS[1:], tight.x[1:]))])
    error = abs(loose.log_density - tight.log_density).max()
    where = f"mixture, d=2, {len(LEVELS)} levels"
    return [equal(43, "log density by the flow = log density", where, tight.log_density, exact,
                  error, "limit")]


def gaussian_points() -> list[Statement]:
    """Statement 43 for a Gaussian: where the points go."""
    S = np.array([[0.7, 0.3, 0.0], [0.3, 0.9, -0.2], [0.0, -0.2, 1.6]])
    m = np.array([0.3, -0.6, 1.1])
    x = np.random.default_rng(44).standard_normal((POINTS, 3))
    q = Gaussian(m, np.linalg.inv(S))
    loose, tight = (probability_flow(q, LEVELS, x, rtol=tol, atol=tol) for tol in (LOOSE, TIGHT))
    value, vector = np.linalg.eigh(S)
    white = (x - m) @ vector / np.sqrt(value)
    expected = [alpha * (m + white * np.sqrt(value + t) @ vector.T)
                for alpha, t in ((1.0, 0.0), (1.0, 0.8**2), (0.6, (1.2 / 0.6) ** 2))]
    error = abs(loose.x - tight.x).max()
    where = f"Gaussian, d=3, {len(LEVELS)} levels"
    return [equal(43, "x_t = m + (S + t I)^(1/2) S^(-1/2) (x_0 - m)", where, tight.x,
                  np.array(expected), error, "limit")]


MAKERS = [log_density, gaussian_points]
