"""Energies that are linear in their parameters: statement 46, in closed form and by quadrature.

    46  theta^ = -A^-1 c, A = E grad F grad F', c = E Laplacian F, minimises J_ISM; n Cov(theta^)
        tends to the sandwich V = A^-1 B A^-1.  Its efficiency against the Fisher information I:
        V I = 1 for the Gaussian with all its parameters (score matching is maximum likelihood),
        and 1 / (V I) = A^2 / 24 = 0.685 for exp(-theta x^4)

Derivation.  The minimiser and the sandwich: `refsm.closed_forms`.  The Gaussian: the minimiser is
the mean and the inverse covariance of the data, which is the maximum-likelihood estimate, and that
is efficient.
For p proportional to exp(-theta x^4) at theta = 1, y = x^4 has the Gamma density of shape 1/4, so
E x^(4 r) = Gamma(1/4 + r) / Gamma(1/4) and I = Var y = 1/4.  With E = -(-theta) x^4 the gradient of
the term for -theta is 12 x^2 - 16 x^6, and A = 16 E x^6 = 16 Gamma(7/4) / Gamma(1/4);
B = 144 E x^4 - 384 E x^8 + 256 E x^12 = 144/4 - 384 * 5/16 + 256 * 45/64 = 96.
V = B / A^2 = 96 / A^2, and the efficiency (1 / I) / V = 4 A^2 / 96 = A^2 / 24.
"""
from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.special import gamma

from refsm.closed_forms import closed_form, fisher_information
from refsm.energies.gaussian import Gaussian
from refsm.energies.polynomial import PolynomialEnergy
from refsm.expectations import box, gauss_hermite
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.theorems.statement import QUADRATURE, Statement, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "EXACT", "minimiser", "gaussian", "quartic", "exactly"]

GROUP = "Generalised score matching, and linear models"
LETTERS = ("F: the terms of the energy -theta.F; theta^: the estimate; A, c, V: of the head; "
           "I: in this group the Fisher information")
N, D = 60, 3
NODES = 301             # trapezoid rule on [-REACH, REACH]: exp(-x^4) is 7e-36 there
REACH = 3.0
TERMS = [[1, 0, 0], [0, 2, 0], [2, 0, 1], [0, 1, 1], [4, 0, 0], [0, 0, 4]]


def minimiser() -> list[Statement]:
    """-A^-1 c from sums over points and terms, and the closed form, on points of a Gaussian."""
    x = np.random.default_rng(46).standard_normal((N, D))
    K = len(TERMS)
    A, c, size = np.zeros((K, K)), np.zeros(K), np.zeros(K)
    for point in x:
        slopes = np.array([[_power(point, term, i) for i in range(D)] for term in TERMS])
        laplacian = np.array([sum(_power(point, term, i, i) for i in range(D)) for term in TERMS])
        A += slopes @ slopes.T / N
        c += laplacian / N
        size += np.abs(laplacian) / N
    found = closed_form(ImplicitScoreMatching(x), PolynomialEnergy(np.zeros(K), TERMS))
    theta = found.model.ravel()
    where = f"PolynomialEnergy, {K} terms, {N} points, d={D}"
    bound = QUADRATURE * (np.abs(A) @ np.abs(theta) + size)
    return [equal(46, "A theta^ + c = 0", where, A @ theta + c, np.zeros(K), bound, "quadrature"),
            equal(46, "A = E grad F grad F'", where, found.hessian, A, QUADRATURE * np.abs(A).max(),
                  "quadrature")]


def _power(point: Array, term: list[int], *along: int) -> float:
    """The derivative of prod_i x_i^term_i along some dimensions, at one point."""
    powers, factor = list(term), 1.0
    for i in along:
        factor *= powers[i]
        powers[i] -= 1
    return factor * np.prod([y**e for y, e in zip(point, powers)]) if factor else 0.0


def gaussian() -> list[Statement]:
    """V I = 1 for a Gaussian in the plane with all of its five parameters."""
    terms = [[1, 0], [0, 1], [2, 0], [0, 2], [1, 1]]
    mean, P = np.array([0.7, -0.4]), np.array([[1.5, 0.6], [0.6, 0.8]])
    theta = [*(P @ mean), -P[0, 0] / 2, -P[1, 1] / 2, -P[0, 1]]
    x, q = gauss_hermite(Gaussian(mean, P), 8)                        # exact to degree 15; B has 4
    found = closed_form(ImplicitScoreMatching(x, weights=q), PolynomialEnergy(np.zeros(5), terms))
    F = np.stack([np.prod(x**term, axis=1) for term in terms], axis=1)
    F = F - q @ F
    information = (q[:, None] * F).T @ F
    V = found.asymptotic_variance
    bound = QUADRATURE * (np.abs(V) @ np.abs(information)).max() * np.linalg.cond(V)
    where = "Gaussian, d=2, 5 parameters"
    return [equal(46, "theta^ = theta", where, found.model.ravel(), theta,
                  relative_bound(theta) * np.linalg.cond(found.hessian), "quadrature"),
            equal(46, "V I = 1", where, V @ information, np.eye(5), bound, "quadrature")]


def quartic() -> list[Statement]:
    """The efficiency of score matching for exp(-theta x^4), against Gamma functions."""
    model = PolynomialEnergy([-1.0], [[4]])
    x, volumes = box([-REACH], [REACH], NODES)
    p = volumes * np.exp(-x[:, 0]**4) * 2 / gamma(1 / 4)
    found = closed_form(ImplicitScoreMatching(x, weights=p), model)
    A = 16 * gamma(7 / 4) / gamma(1 / 4)
    V, information = found.asymptotic_variance[0, 0], fisher_information(model, x, volumes)[0, 0]
    where = "exp(-theta x^4)"
    return [equal(46, name, where, left, right, QUADRATURE * abs(right), "quadrature")
            for name, left, right in (("theta^ = theta", found.model.ravel()[0], -1.0),
                                      ("A = 16 Gamma(7/4) / Gamma(1/4)", found.hessian[0, 0], A),
                                      ("I = 1/4", information, 0.25),
                                      ("efficiency 1 / (V I) = A^2 / 24",
                                       1 / (V * information), A**2 / 24))]


def exactly() -> list[Statement]:
    """The gradient of J_ISM at the closed form, in rational numbers."""
    numerators = np.random.default_rng(460).integers(-9, 10, size=(7, 2))
    x = np.array([[Fraction(int(k), 5) for k in row] for row in numerators], dtype=object)
    J = ImplicitScoreMatching(x)
    found = closed_form(J, PolynomialEnergy([Fraction(0)] * 3, [[1, 0], [0, 2], [2, 1]]))
    gradient = J.gradient(found.model).coefficients
    zero = np.array([Fraction(0)] * 3, dtype=object)
    return [equal(46, "the gradient of J_ISM is 0 at -A^-1 c", "7 points, 3 terms", gradient, zero,
                  0, "exact")]


MAKERS = [minimiser, gaussian, quartic]
EXACT = [exactly]
