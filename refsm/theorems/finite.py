"""What does not hold: statement 2 on a finite sample, and statement 33, masking noise.

Symbols
    q                        a density;  x points, w weights of an expectation over it
    S, D          (d, d)     covariance of a Gaussian, and its diagonal as a matrix
    nu            number     the probability that a coordinate is set to 0
    x_noisy                  x with some coordinates set to 0
    R             (d, d)     a linear reconstruction of x from x_noisy
    psi                      (R x_noisy - x_noisy) / sigma^2, or with the best reconstruction in
                             place of R

Statements
    2   J_ESM - J_ISM is the constant of statement 2 in expectation only: on n points it depends on
        theta
    33  (a) if q has a density, the best reconstruction of a point without zeros is that point,
            so that psi = 0 there, whatever q and sigma: over such points, whose density is q,
            E |psi|^2 = 0, but E_q |grad log q|^2 > 0
        (b) for Gaussian data of mean 0 the best linear reconstruction is
            R = S ((1 - nu) S + nu D)^-1: the gradient of its loss, summed over all masks, vanishes
        (c) the Jacobian of its psi, (R - I) / sigma^2, is not symmetric unless S D = D S: psi is
            not a gradient, so it is the score of no density

Derivation
    33  (a) each coordinate is 0 with probability 0 under q, so a point without zeros was not
            touched.
        (b) the loss E |R x_noisy - x|^2 is least where R E x_noisy x_noisy' = E x x_noisy'.  With
            independent masks E x x_noisy' = (1 - nu) S, and E x_noisy x_noisy' = (1 - nu)^2 S off
            the diagonal, (1 - nu) D on it: (1 - nu) ((1 - nu) S + nu D).
        (c) R = R' if and only if S commutes with (1 - nu) S + nu D, that is with D.

Conditions
    Statement 1 needs additive noise whose score is (x - x_noisy) / sigma^2; masking has no density
    with respect to x_noisy, so it has no such score.  What else is said to break statement 1: an
    untied decoder (22), sigma inside the sigmoid (23), cross-entropy (25).

Sources
    Vincent, Larochelle, Bengio & Manzagol, Extracting and composing robust features with denoising
    autoencoders, ICML 2008: masking noise.  33 is derived here.
"""
from __future__ import annotations

import itertools

import numpy as np

from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching
from refsm.theorems.chain import density, models, nodes_of
from refsm.theorems.statement import QUADRATURE, UNIT, Statement, differs, equal, rounding_bound
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "finite_sample", "untouched_points",
           "best_linear_reconstruction"]

N = 200             # points of the finite sample
NU = 0.3            # probability of a mask at each coordinate
SIGMA = 0.5


def finite_sample() -> list[Statement]:
    """J_ESM - J_ISM on points drawn from q, at two theta: two different numbers."""
    q = density()
    x = q.sample(N, np.random.default_rng(20))
    explicit, implicit = ExplicitScoreMatching(x, q), ImplicitScoreMatching(x)
    at_two = [models()[f"AutoencoderEnergy, theta_{k}"] for k in (1, 2)]
    first, second = (explicit.value(model) - implicit.value(model) for model in at_two)
    return [differs(2, "J_ESM - J_ISM at theta_1, and at theta_2", f"{N} points of a mixture",
                    first, second, QUADRATURE * abs(first))]


def untouched_points() -> list[Statement]:
    """Statement 33 (a)."""
    q = density()
    x, w = nodes_of(q)
    x_noisy = best = x                          # no coordinate was set to 0
    psi = (best - x_noisy) / SIGMA**2
    information = float(w @ (q.score(x) ** 2).sum(axis=1))
    return [differs(33, "masking: E|psi|^2 at the optimum, and E|s|^2",
                    "untouched points, d=2", float(w @ (psi**2).sum(axis=1)), information,
                    QUADRATURE * information)]


def best_linear_reconstruction() -> list[Statement]:
    """Statement 33 (b) over all 2^d masks, and (c)."""
    S = np.array([[1.0, 0.4, -0.3], [0.4, 2.0, 0.5], [-0.3, 0.5, 0.7]])
    d = len(S)
    R = S @ np.linalg.inv((1 - NU) * S + NU * np.diag(np.diag(S)))
    gradient, size = np.zeros((d, d)), np.zeros((d, d))
    for seen in itertools.product((0.0, 1.0), repeat=d):
        probability = np.prod([1 - NU if k else NU for k in seen])
        mask: Array = np.diag(seen)
        gradient += probability * 2 * (R @ mask @ S @ mask - S @ mask)   # of E |R x_noisy - x|^2
        size += probability * 2 * (abs(R) @ mask @ abs(S) @ mask + abs(S) @ mask)
    J = (R - np.eye(d)) / SIGMA**2
    where = f"Gaussian data, d={d}, nu={NU:g}"
    return [equal(33, "masking: the gradient of the loss is 0 at R", f"{where}, all {2**d} masks",
                  gradient, np.zeros((d, d)), rounding_bound(size), "enumeration"),
            differs(33, "masking: d psi_1/d x_2, and d psi_2/d x_1", where, J[0, 1], J[1, 0],
                    UNIT * np.abs(J).max())]


GROUP = "What does not hold, and by how much"
LETTERS = ("theta_1, theta_2: two parameters; R: best linear reconstruction; "
           "nu: probability of a mask")
MAKERS = [finite_sample, untouched_points, best_linear_reconstruction]
