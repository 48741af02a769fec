"""Langevin at a noise level: what it samples, and the bias of a finite step: statement 52.

Symbols
    q_sigma                 density of x + sigma eps;  psi its score
    f                       a smooth function, R^d to R
    m, P                    mean and precision of q_sigma where it is a Gaussian
    step, xi                the step;  standard normal noise
    V                       stationary covariance of the chain x <- x + step psi + sqrt(2 step) xi

Statements
    52  along the score of level sigma the continuous process keeps q_sigma, and not q:
        E_{q_sigma} (psi.grad f + lap f) = 0
        for a Gaussian and any step below 2 / (largest eigenvalue of P)
        V = (P (I - step P / 2))^-1:  one step from N(m, V) has the covariance V again
        wider than q_sigma: V - P^-1 = (step / 2) (I - step P / 2)^-1

Derivation
    The generator of dX = psi dt + sqrt(2) dB is psi.grad f + lap f; it has mean 0 under q_sigma by
    Stein's identity (statement 50) for grad f.
    With A = I - step P the covariance obeys V <- A V A + 2 step I.  All matrices are functions of P
    and commute: V (I - A^2) = 2 step I, and I - A^2 = 2 step P (I - step P / 2).
    V - P^-1 = P^-1 ((I - step P / 2)^-1 - I) = (step / 2) (I - step P / 2)^-1.

Conditions
    Nothing is rejected.  The bias in the variance along an axis of precision p is the factor
    1 / (1 - step p / 2).

Sources
    Roberts & Tweedie, Exponential convergence of Langevin distributions and their discrete
    approximations, Bernoulli 2 (1996).
"""
from __future__ import annotations

from itertools import product

import numpy as np

from refsm import expectations
from refsm.energies.gaussian import Gaussian
from refsm.sampling import ascend_score
from refsm.sums import row_dot
from refsm.theorems.chain import density
from refsm.theorems.statement import UNIT, Statement, differs, equal, relative_bound

__all__ = ["GROUP", "LETTERS", "MAKERS", "generator", "finite_step"]

GROUP = "Contrastive divergence, Langevin steps and Stein's identity"
LETTERS = "P, V: precision of q_sigma, stationary covariance; f: a function, lap f: its Laplacian"

SIGMA = 0.61
SIZE = 121              # nodes along each of two dimensions
ROUNDINGS = 64.0        # chosen: more than the operations on the longest path of a term


def generator() -> list[Statement]:
    """Statement 52: q_sigma is stationary under its own score, and q is not."""
    q = density()
    noisy = q.corrupted(SIGMA)
    a = np.array([0.7, -1.1])
    out = []
    for name, under in (("q_sigma", noisy.density), ("q", q)):
        x, w = expectations.trapezoid(under, SIZE)
        drift = row_dot(noisy.score(x), a * np.cos(x @ a + 0.3)[:, None])       # f = sin(a.x + 0.3)
        lap = -(a @ a) * np.sin(x @ a + 0.3)
        where = f"mixture, d=2, sigma={SIGMA:g}"
        left, right = float(w @ drift), -float(w @ lap)
        bound = relative_bound(w @ abs(drift), w @ abs(lap))
        if name == "q_sigma":
            out.append(equal(52, "E_{q_sigma} psi.grad f = -E lap f", where, left, right, bound,
                             "quadrature"))
        else:
            out.append(differs(52, "E_q psi.grad f != -E lap f", where, left, right, bound))
    return out


def finite_step() -> list[Statement]:
    """Statement 52: the covariance after one step from the stationary one, and its excess."""
    S = np.array([[0.7, 0.3, 0.0], [0.3, 0.9, -0.2], [0.0, -0.2, 1.6]])
    model = Gaussian([0.3, -0.6, 1.1], np.linalg.inv(S)).corrupted(SIGMA).density
    P, I = model.precision, np.eye(3)
    signs = np.array(list(product([-1.0, 1.0], repeat=3)))               # their covariance is I
    out = []
    for step in (0.05, 0.7):
        V = np.linalg.inv(P @ (I - step / 2 * P))
        x = model.mean + signs @ np.linalg.cholesky((V + V.T) / 2).T     # of covariance V
        moved = ascend_score(model, x, step, 1)
        r = moved - model.mean
        after = r.T @ r / len(r) + 2 * step * I
        bound = ROUNDINGS * UNIT * np.linalg.cond(V) * (abs(V).max() + 2 * step)
        where = f"Gaussian, d=3, sigma={SIGMA:g}, step={step:g}"
        excess = step / 2 * np.linalg.inv(I - step / 2 * P)
        out += [equal(52, "covariance after a step from N(m, V) = V", where, after, V, bound,
                      "rounding"),
                equal(52, "V - P^-1 = step/2 (I - step P/2)^-1", where, V - model.covariance,
                      excess, bound, "rounding")]
    return out


MAKERS = [generator, finite_step]
