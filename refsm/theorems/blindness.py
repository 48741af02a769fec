"""What score matching does not see, and where it has no minimum: statements 27 and 28.

Symbols
    mu_1, mu_2, P        means and common precision of two Gaussian components N_1, N_2
    weight, other        w and w', two weights of the first component;  p_w = w N_1 + (1 - w) N_2
    psi_w, r_w           the score of p_w, and the posterior probability of its first component
    a                    half the distance of the means, where they are -a and a and P = 1
    x, h                 points (n, d), and the bandwidth of a Parzen density on them

Statements
    27  (a) |psi_w(x) - psi_w'(x)| = |P (mu_1 - mu_2)| |r_w(x) - r_w'(x)|,
            r_w = sigmoid( log(w / (1 - w)) + (x - (mu_1 + mu_2) / 2)' P (mu_1 - mu_2) )
        (b) in one dimension, with means a and -a and variance 1,
            E_{p_w} 1/2 (psi_w - psi_w')^2 = a exp(-a^2 / 2) / sqrt(2 pi) K(a),
            K(a) = integral exp(-y^2 / (8 a^2)) (w e^{y/2} + (1 - w) e^{-y/2}) (r_w - r_w')^2 dy,
            r_w(y) = sigmoid(y + log(w / (1 - w))), and K(a) <= K(infinity), which is finite
        (c) while, as a grows, KL(p_w, p_w') -> w log(w / w') + (1 - w) log((1 - w) / (1 - w')):
            far modes can have any weights, at almost no cost in J_ESM
    28  for a Parzen density of distinct points, its implicit loss on these points, J_ISM(h), has
        h^2 J_ISM(h) -> -d as h -> 0: it falls without bound, as -d / h^2

Derivation
    27  (a) psi_w = -P (x - sum_k r_k mu_k) = -P (x - mu_2) + r_w P (mu_1 - mu_2).
            log(w N_1 / ((1 - w) N_2)) is the argument of the sigmoid: the quadratic terms cancel.
        (b) with (a), |P (mu_1 - mu_2)| = 2 a, and y = 2 a x:
            p_w = exp(-a^2 / 2 - x^2 / 2) (w e^{a x} + (1 - w) e^{-a x}) / sqrt(2 pi); write
            it in y.
        (c) where the components do not overlap, p_w / p_w' is w / w' on one and
            (1 - w) / (1 - w') on the other.
    28  at its centre x_n, psi = (m - x_n) / h^2 and tr J = -d / h^2 + tr V / h^4, with m and V the
        posterior mean and covariance of the centre.  The other centres, at distances >= r, have
        posterior probability at most rho = n exp(-r^2 / (2 h^2)); with |x_k - x_n| <= D,
        |m - x_n|^2 <= rho D^2 and tr V <= rho D^2.  Hence
        0 <= J_ISM + d / h^2 <= 3 rho D^2 / (2 h^4).

Conditions
    27 is why J_ESM near 0 does not show that two densities agree; noise of the size of a makes
    the components overlap, which is one reason for several noise levels.
    28: on a finite sample implicit score matching needs a model that cannot peak at every point, a
    penalty, or noise (the denoising loss is never negative).

Sources
    Wenliang & Kanagawa, Blindness of score-based methods to isolated components and mixing
    proportions (2020): 27 as a phenomenon.  The formulas, and 28, are derived here.
"""
from __future__ import annotations

import numpy as np

from refsm import expectations
from refsm.energies.mixture import GaussianMixture
from refsm.energies.parzen import Parzen
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching
from refsm.stable import sigmoid
from refsm.theorems.statement import (QUADRATURE, Statement, differs, equal, relative_bound,
                                      rounding_bound)

__all__ = ["GROUP", "LETTERS", "MAKERS", "weights_of_two_components", "far_modes",
           "parzen_without_bound"]

N, D = 13, 3                    # points and dimensions of 27 (a)
WEIGHT, OTHER = 0.5, 0.9        # w and w'
APART = 8.0                     # a of 27 (b) and (c)
CENTERS = 20                    # of 28, in the plane
FRACTIONS = np.array([10.0, 20.0, 40.0, 80.0])   # least distance of two centres over h


def logit(weight: float) -> float:
    """log(w / (1 - w))."""
    return float(np.log(weight / (1 - weight)))


def weights_of_two_components() -> list[Statement]:
    """Statement 27 (a) at points near both components, where r is neither 0 nor 1."""
    rng = np.random.default_rng(27)
    means, A = rng.standard_normal((2, D)), rng.standard_normal((D, D))
    P = A @ A.T + np.eye(D)
    covariances = np.broadcast_to(np.linalg.inv(P), (2, D, D))
    x = rng.standard_normal((N, D))
    psi, psi_other = (GaussianMixture([w, 1 - w], means, covariances).score(x)
                      for w in (WEIGHT, OTHER))
    step = P @ (means[0] - means[1])
    argument = (x - means.mean(axis=0)) @ step
    r, r_other = sigmoid(argument + logit(WEIGHT)), sigmoid(argument + logit(OTHER))
    left = np.sqrt(((psi - psi_other) ** 2).sum(axis=1))
    right = np.sqrt(step @ step) * abs(r - r_other)
    size = (abs(x) + abs(means).max()) @ abs(P).max(axis=0) * (1 + abs(argument))
    return [equal(27, "|psi_w - psi_w'| = |P(mu_1 - mu_2)| |r_w - r_w'|", f"{N} points, d={D}",
                  left, right, rounding_bound(size * np.linalg.cond(P)), "rounding")]


def two_modes(weight: float) -> GaussianMixture:
    """w N(a, 1) + (1 - w) N(-a, 1)."""
    return GaussianMixture([weight, 1 - weight], [[APART], [-APART]], np.ones((2, 1, 1)))


def far_modes() -> list[Statement]:
    """Statement 27 (b) and (c) at a = 8, w = 0.5, w' = 0.9."""
    p, p_other = two_modes(WEIGHT), two_modes(OTHER)
    x, lengths = expectations.box([-3 * APART], [3 * APART], 8001)
    w = lengths * np.exp(-p.energy(x))
    J_ESM = ExplicitScoreMatching(x, p, weights=w).value(p_other)
    y, steps = (part.ravel() for part in expectations.box([-80.0], [80.0], 4001))
    square = (sigmoid(y + logit(WEIGHT)) - sigmoid(y + logit(OTHER))) ** 2
    mixed = WEIGHT * np.exp(y / 2) + (1 - WEIGHT) * np.exp(-y / 2)
    K = steps @ (np.exp(-(y**2) / (8 * APART**2)) * mixed * square)
    formula = APART * np.exp(-(APART**2) / 2) / np.sqrt(2 * np.pi) * K
    KL = w @ (p_other.energy(x) - p.energy(x))
    far = (WEIGHT * np.log(WEIGHT / OTHER)
           + (1 - WEIGHT) * np.log((1 - WEIGHT) / (1 - OTHER)))
    where = f"w={WEIGHT:g}, w'={OTHER:g}, means +-{APART:g}, d=1"
    overlap = np.exp(-(APART**2) / 2)
    return [equal(27, "J_ESM(p_w, p_w') = a exp(-a^2/2) K / sqrt(2 pi)", where, J_ESM, formula,
                  QUADRATURE * APART**2 * formula, "quadrature"),
            equal(27, "KL(p_w, p_w') = sum w log(w/w') + (overlap)", where, KL, far,
                  relative_bound(WEIGHT * np.abs(np.log(WEIGHT / OTHER)), far) + 10 * overlap,
                  "quadrature"),
            differs(27, "J_ESM(p_w, p_w') and KL(p_w, p_w')", where, float(J_ESM), float(KL),
                    QUADRATURE)]


def parzen_without_bound() -> list[Statement]:
    """Statement 28: h^2 J_ISM for falling bandwidths, and the exponent of J_ISM."""
    x = np.random.default_rng(28).standard_normal((CENTERS, 2))
    d = x.shape[1]
    distance = np.sqrt(((x[:, None, :] - x) ** 2).sum(axis=2))
    nearest, farthest = distance[distance > 0].min(), distance.max()
    h = nearest / FRACTIONS
    losses = np.array([ImplicitScoreMatching(x).value(Parzen(x, bandwidth)) for bandwidth in h])
    rho = CENTERS * np.exp(-(nearest**2) / (2 * h**2))
    bound = 3 * rho * farthest**2 / (2 * h**2) + rounding_bound(d)
    rates = np.log2(losses[1:] / losses[:-1])
    where = f"{CENTERS} points, d={d}, h = 1/10 to 1/80 of the least distance"
    return [equal(28, "h^2 J_ISM of a Parzen density on its points = -d", where, h**2 * losses,
                  -float(d), bound, "rounding"),
            equal(28, "J_ISM(h/2) / J_ISM(h) = 2^2: the exponent", where, rates, 2.0,
                  2 * bound[:-1] / np.log(2), "rounding")]


GROUP = "Conditions, and what score matching does not see"
LETTERS = ("w, w': weights of the first of two components in p_w, p_w'; psi_w: the score; r_w: "
           "posterior probability of that component; K: an integral in the head; mu, P: "
           "means and precision; a: half the distance of the means; h: a bandwidth")
MAKERS = [weights_of_two_components, far_modes, parzen_without_bound]
