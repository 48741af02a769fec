"""Contrastive divergence with one Langevin step is implicit score matching: statement 49.

Symbols
    E, psi                  a Gaussian energy of mean m and precision P, and its score -P (x - m)
    x, x'                   a data point, and x + step psi + sqrt(2 step) xi, xi standard normal
    M                       second moment of the data about m:  E (x - m)(x - m)'
    CD                      E dE(x)/dtheta - E dE(x')/dtheta

Statements
    49  for P:     CD / step = dJ_ISM/dP - (step / 2) P M P
        for m:     CD / step = dJ_ISM/dm, exactly

Derivation
    With y = x - m:  y' = (I - step P) y + sqrt(2 step) xi, so
    E y'y'' = M - step (P M + M P) + step^2 P M P + 2 step I, writing y'' for the transpose of y'.
    dE/dP = y y' / 2, hence CD / step = (P M + M P) / 2 - I - (step / 2) P M P.  And
    J_ISM = 1/2 tr(P M P) - tr P has the symmetric gradient (P M + M P) / 2 - I.
    dE/dm = -P y, hence CD = -P E y + P (I - step P) E y = -step P^2 E y; and dJ_ISM/dm = -P^2 E y.
    As step -> 0 the two agree for P too: the direction of contrastive divergence is that of
    implicit score matching.

Conditions
    E over xi of a quadratic is the mean over all sign vectors.  For other energies the two agree up
    to terms of order step.

Sources
    Hyvarinen, Connections between score matching, contrastive divergence, and pseudolikelihood for
    continuous-valued variables, IEEE Transactions on Neural Networks 18 (2007).
"""
from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from refsm.energies.gaussian import Gaussian
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.theorems.statement import UNIT, Statement, equal
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "EXACT", "one_step", "exactly"]

GROUP = "Contrastive divergence, Langevin steps and Stein's identity"
LETTERS = ("CD: gradient of contrastive divergence; P: precision; M: second moment about the "
           "mean; dJ_ISM: gradient of J_ISM; step: of Langevin")

D, N = 3, 7
ROUNDINGS = 64.0        # chosen: more than the operations on the longest path of a term


def setting() -> tuple[Gaussian, Array]:
    """A Gaussian energy and data that are not its own, all multiples of 1/8 (1/64 in P)."""
    rng = np.random.default_rng(49)
    A = rng.integers(-8, 9, size=(D, D)) / 8
    mean, x = rng.integers(-8, 9, size=D) / 8, rng.integers(-16, 17, size=(N, D)) / 8
    return Gaussian(mean, A @ A.T + np.eye(D)), x


def sides(model: Gaussian, x: Array, root: Any) -> tuple[Array, Array, Array]:
    """CD / step and the right side, as vectors, for step = 2 root^2; the size of their terms."""
    step, n = 2 * root**2, len(x)
    xi = np.array(list(product([-1, 1], repeat=D)))                                  # (2^d, d)
    moved = (x + step * model.score(x))[:, None, :] + 2 * root * xi                  # sqrt(2 step)
    moved = moved.reshape(-1, D)
    one = x[:, 0] * 0 + root / root                                                 # ones, as exact
    data = model.pullback(x, energy=one / n)
    chain = model.pullback(moved, energy=np.repeat(one, len(xi)) / len(moved))
    left = (model.ravel(data) - model.ravel(chain)) / step
    y = x - model.mean
    M = y.T @ y / n
    P = model.precision
    dm, dP = ImplicitScoreMatching(x).gradient(model)
    right = np.concatenate([dm, (dP - step / 2 * (P @ M @ P)).ravel()])
    return left, right, (abs(model.ravel(data)) + abs(model.ravel(chain))) / step + abs(right)


def one_step() -> list[Statement]:
    """Statement 49 in floating point."""
    model, x = setting()
    out = []
    for root in (0.05, 0.4):
        left, right, size = sides(model, x, root)
        bound = ROUNDINGS * UNIT * (size.max() + 1 / root**2)
        where = f"Gaussian, d={D}, step={2 * root**2:g}"
        out += [equal(49, "CD / step = dJ_ISM for the mean", where, left[:D], right[:D], bound,
                      "rounding"),
                equal(49, "CD / step = dJ_ISM - step/2 P M P for P", where, left[D:], right[D:],
                      bound, "rounding")]
    return out


def exactly() -> list[Statement]:
    """Statement 49 in rational numbers."""
    model, x = setting()
    exact = np.vectorize(lambda value: Fraction(float(value)), otypes=[object])
    left, right, _ = sides(Gaussian(*map(exact, model.theta)), exact(x), Fraction(2, 5))
    where = f"Gaussian, d={D}, step=8/25"
    return [equal(49, "CD / step = dJ_ISM for the mean", where, left[:D], right[:D], 0, "exact"),
            equal(49, "CD / step = dJ_ISM - step/2 P M P for P", where, left[D:], right[D:], 0,
                  "exact")]


MAKERS = [one_step]
EXACT = [exactly]
