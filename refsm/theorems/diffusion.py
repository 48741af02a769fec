"""How a density changes with the noise: statements 41 and 42.

Symbols
    q_t, p_t                densities q, p after noise of variance t = sigma^2;  psi, J the score of
                            q_t and its Jacobian
    x_noisy                 a(u) x + b(u) eps, a schedule in the time u
    f, g                    f = a'/a,  g^2 = 2 b b' - 2 f b^2
    H, I                    entropy -E log q_t;  I = E |psi|^2
    J_ESM(q_t, p_t)         1/2 E_{q_t} |grad log p_t - grad log q_t|^2

Statements
    41  the heat equation:  d/dt log q_t = 1/2 (tr J + |psi|^2)
        for any schedule (Fokker-Planck):
        d/du log q_u = -f (d + x.psi) + (g^2 / 2) (tr J + |psi|^2)
    42  de Bruijn:  dH(q_t)/dt = 1/2 I(q_t)
        Lyu:        d KL(q_t, p_t)/dt = -J_ESM(q_t, p_t),
        so that     KL(q, p) is the integral of J_ESM(q_t, p_t) over t from 0 to infinity

Derivation
    41  the Gaussian kernel N(x; y, t I) satisfies dN/dt = 1/2 lap N, as its Fourier transform
        exp(-t |k|^2 / 2) shows; q_t is a mean of such kernels.  lap q / q = tr J + |psi|^2, because
        grad q = q psi.  For a schedule x_noisy / a has the variance t = (b / a)^2, and
        q_u(x) = a^-d q_t(x / a):
        d/du log q_u = -f d - f x.psi + (dt/du) a^2 (tr J + |psi|^2) / 2, with psi and J those of
        q_u, and a^2 dt/du = 2 b b' - 2 f b^2 = g^2.
    42  dH/dt = -integral (log q_t + 1) dq_t/dt = -1/2 integral log q_t lap q_t = 1/2 E|psi|^2 by 41
        and parts.  In the same way
        d KL/dt = integral (dq/dt log(q/p) - (q/p) dp/dt)
                = -1/2 integral (grad q.grad log(q/p) - grad p.grad(q/p))
                = -1/2 E_q |psi_q - psi_p|^2,
        because grad(q/p) = (q/p) (psi_q - psi_p).  As t grows both densities become the same wide
        Gaussian, and KL -> 0.

Conditions
    Densities with finite second moments; at t > 0 all boundary terms vanish.

Sources
    Stam, Some inequalities satisfied by the quantities of information of Fisher and Shannon,
    Information and Control 2 (1959): de Bruijn's identity.  Lyu, Interpretation and generalization
    of score matching, UAI 2009: the second part of 42.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from refsm import expectations
from refsm.corruption import GaussianCorruption
from refsm.energies.mixture import GaussianMixture
from refsm.objectives.score_matching import ExplicitScoreMatching
from refsm.theorems.chain import density
from refsm.theorems.statement import UNIT, Statement, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "heat", "fokker_planck", "entropy", "divergence"]

GROUP = "Diffusion: how a density changes with the noise"
LETTERS = ("q_t, p_t: after noise of variance t; q_u: on a schedule, with f and g of the head; "
           "H: entropy")

POINTS = 7
SIZE = 101              # nodes along each of two dimensions, for a log density
TIMES = 20              # Gauss-Legendre nodes in time
H = 1e-30               # of a complex step
ROUNDINGS = 256.0       # chosen, as for posterior moments


def other_density() -> GaussianMixture:
    """A density p in the plane, another than q."""
    return GaussianMixture([0.5, 0.5], [[-0.6, -0.7], [0.9, 0.8]],
                           [[[0.9, -0.2], [-0.2, 0.6]], [[0.4, 0.1], [0.1, 0.8]]])


def scaled(q: GaussianMixture, a: complex, t: complex) -> GaussianMixture:
    """The density of a x + sqrt(t) eps, also for complex a and t."""
    means, covariances = a * q.means, a**2 * q.covariances + t * np.eye(q.d)
    return GaussianMixture(q.weights, means, covariances)


def heat() -> list[Statement]:
    """Statement 41: the change of the log density with the variance, by a complex step."""
    q, x = density(), 1.5 * np.random.default_rng(41).standard_normal((POINTS, 2))
    out = []
    for t in (0.05, 0.7, 4.0):
        rate = scaled(q, 1, t + 1j * H).log_density(x).imag / H
        noisy = q.corrupted(GaussianCorruption(np.sqrt(t)))
        trace, square = noisy.score_divergence(x), (noisy.score(x) ** 2).sum(axis=1)
        bound = ROUNDINGS * UNIT * (abs(trace) + square + q.d / t)
        out.append(equal(41, "d/dt log q_t = 1/2 (tr J + |psi|^2)", f"mixture, d=2, t={t:g}", rate,
                         (trace + square) / 2, bound, "rounding"))
    return out


def fokker_planck() -> list[Statement]:
    """Statement 41 for x_noisy = cos(u) x + sin(u) eps, which preserves a variance of 1."""
    q, x = density(), 1.5 * np.random.default_rng(42).standard_normal((POINTS, 2))
    out = []
    for u in (0.3, 1.2):
        moved = u + 1j * H
        rate = scaled(q, np.cos(moved), np.sin(moved) ** 2).log_density(x).imag / H
        f, g2 = -np.tan(u), 2 * np.tan(u)
        noisy = scaled(q, np.cos(u), np.sin(u) ** 2)
        psi, trace = noisy.score(x), noisy.score_divergence(x)
        drift, square = q.d + (x * psi).sum(axis=1), (psi**2).sum(axis=1)
        bound = ROUNDINGS * UNIT * (1 + g2) * (abs(drift) + abs(trace) + square + q.d)
        out.append(equal(41, "d/du log q_u = -f (d + x.psi) + g^2/2 (tr J + |psi|^2)",
                         f"mixture, d=2, alpha=cos u, sigma=sin u, u={u:g}", rate,
                         -f * drift + g2 / 2 * (trace + square), bound, "rounding"))
    return out


def noisy_pair(t: float) -> tuple[GaussianMixture, GaussianMixture, Array, Array]:
    """q_t, p_t, and nodes and weights of E_{q_t}."""
    q_t, p_t = scaled(density(), 1, t), scaled(other_density(), 1, t)
    return q_t, p_t, *expectations.trapezoid(q_t, SIZE)


def times(start: float, end: float) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights for an integral over time."""
    nodes, weights = np.polynomial.legendre.leggauss(TIMES)
    return start + (end - start) * (nodes + 1) / 2, weights * (end - start) / 2


def entropy() -> list[Statement]:
    """Statement 42, de Bruijn's, integrated over t."""
    start, end = 0.2, 1.7
    H_t: list[Any] = []
    for t in (start, end):
        q_t, _, x, w = noisy_pair(t)
        H_t.append(-(w @ q_t.log_density(x)))
    information = []
    for t in times(start, end)[0]:
        q_t, _, x, w = noisy_pair(t)
        information.append(w @ (q_t.score(x) ** 2).sum(axis=1))
    right = times(start, end)[1] @ information / 2
    return [equal(42, "H(q_t1) - H(q_t0) = 1/2 integral of I(q_t) dt",
                  f"mixture, d=2, t from {start:g} to {end:g}", H_t[1] - H_t[0], right,
                  relative_bound(H_t, right), "quadrature")]


def divergence() -> list[Statement]:
    """Statement 42, Lyu's: between two times, and from 0 to infinity with t = r / (1 - r)."""
    KL: dict[float, Any] = {}
    for t in (0.0, 0.2, 1.7):
        q_t, p_t, x, w = noisy_pair(t)
        KL[t] = w @ (q_t.log_density(x) - p_t.log_density(x))
    nodes, weights = times(0.2, 1.7)
    between = weights @ np.array([explicit(float(one)) for one in nodes])
    r, weights = times(0.0, 1.0)
    whole = weights @ np.array([explicit(float(one / (1 - one))) / (1 - one) ** 2 for one in r])
    where = "two mixtures, d=2"
    bound = relative_bound(abs(KL[0.0]) + 1, between)
    return [equal(42, "KL(q_t0, p_t0) - KL(q_t1, p_t1) = integral of J_ESM dt",
                  f"{where}, t from 0.2 to 1.7", KL[0.2] - KL[1.7], between, bound, "quadrature"),
            equal(42, "KL(q, p) = integral of J_ESM(q_t, p_t) dt", f"{where}, t from 0 to infinity",
                  KL[0.0], whole, bound, "quadrature")]


def explicit(t: float) -> float:
    """J_ESM(q_t, p_t)."""
    q_t, p_t, x, w = noisy_pair(t)
    return ExplicitScoreMatching(x, q_t, weights=w).value(p_t)


MAKERS = [heat, fokker_planck, entropy, divergence]
