"""Independent components: statement 47, by quadrature.

    47  x = mixing s, the components s_j independent with the densities of the experts, proportional
        to exp(-alpha_j f(s_j)).  At W = mixing^-1 and these alpha the gradient of E J_ISM is 0, for
        W and for log_alpha.  Elsewhere J_ISM(theta) - J_ISM(true) = 1/2 E |psi_theta - psi_true|^2

Derivation.  p(x) = prod_j p_j(W_j.x) / |det mixing| is the density of x and of the model: psi is
grad log p.  By statement 2 the expected loss is the distance 1/2 E |psi - grad log p|^2 minus a
constant, and 0 is its least value.
The densities: sech(s)^alpha falls like exp(-alpha |s|) and is analytic in |Im s| < pi/2, so the
trapezoid rule on the line converges like exp(-pi^2 / step).  (1 + s^2/2)^-alpha with
s = sqrt(2) tan(phi) becomes cos(phi)^(2 alpha - 2) dphi, and every expectation at the true W a
polynomial in cos and sin of phi for whole alpha: the trapezoid rule on the circle is exact; with
the rows of W scaled it is a rational function of one angle, and the error falls geometrically with
the number of nodes.
"""
from __future__ import annotations

import numpy as np

from refsm.energies.experts import EXPERTS, ProductOfExperts
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.theorems.statement import QUADRATURE, Statement, differs, equal
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "unmixing", "sources"]

GROUP = "Independent components"
LETTERS = "log_alpha: logarithms of the exponents; psi_true: the score at the true parameters"
ALPHA = np.array([2.0, 3.0])
MIXING = np.array([[1.2, 0.5], [-0.4, 0.9]])
SCALES = np.array([1.3, 0.8])   # of the rows of W, in a model that is not the true one
STEP, REACH = 0.2, 20.0         # along a component: exp(-pi^2 / STEP) is 4e-22, exp(-2 REACH) 4e-18
ANGLES = 160                    # nodes on the circle


def sources(expert: str, alpha: float) -> tuple[Array, Array]:
    """Nodes (n,) and weights (n,) for E under the density proportional to exp(-alpha f)."""
    if expert == "logcosh":
        s = STEP * np.arange(-round(REACH / STEP), round(REACH / STEP) + 1)
        weights = np.exp(-alpha * EXPERTS[expert](s).f())
    else:
        phi = np.pi * ((np.arange(ANGLES) + 0.5) / ANGLES - 0.5)
        s = np.sqrt(2) * np.tan(phi)
        weights = np.cos(phi) ** (2 * alpha - 2)
    return s, weights / weights.sum()


def unmixing() -> list[Statement]:
    """Zero gradient at the unmixing matrix; the rise elsewhere; a gradient for another model."""
    out = []
    for expert in EXPERTS:
        (s_1, w_1), (s_2, w_2) = (sources(expert, alpha) for alpha in ALPHA)
        s = np.stack(np.meshgrid(s_1, s_2, indexing="ij"), axis=-1).reshape(-1, 2)
        x, p = s @ MIXING.T, np.outer(w_1, w_2).ravel()
        J = ImplicitScoreMatching(x, weights=p)
        true = ProductOfExperts(np.linalg.inv(MIXING), np.log(ALPHA), expert=expert)
        turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
        turned = ProductOfExperts(turn @ true.W, true.log_alpha, expert=expert)
        other, = set(EXPERTS) - {expert}
        mistaken = ProductOfExperts(true.W, true.log_alpha, expert=other)
        gradient, size = J.gradient(true), _size(true, x, p)
        where = f"{expert} experts of weights 2 and 3, d=2"
        for block, name in zip(gradient, ("W", "log_alpha")):
            out.append(equal(47, f"gradient of E J_ISM for {name} at the unmixing matrix = 0",
                             where, block, np.zeros(block.shape), QUADRATURE * size, "quadrature"))
        scaled = ProductOfExperts(SCALES[:, None] * true.W, true.log_alpha, expert=expert)
        rise = J.value(scaled) - J.value(true)
        distance = p @ ((scaled.score(x) - true.score(x))**2).sum(axis=1) / 2
        out.append(equal(47, "J_ISM - J_ISM(true) = 1/2 E |psi - psi_true|^2",
                         f"{where}; rows scaled", rise, distance, QUADRATURE * size, "quadrature"))
        for model, what in ((turned, "W turned by 0.3"), (mistaken, f"{other} experts")):
            out.append(differs(47, "largest entry of the gradient for W, and 0", f"{where}; {what}",
                               np.abs(J.gradient(model).W).max(), 0.0, QUADRATURE * size))
    return out


def _size(model: ProductOfExperts, x: Array, p: Array) -> float:
    """The size of the terms of J_ISM: E |psi|^2 + E sum |J_ii|."""
    psi, diagonal = model.score(x), model.score_jacobian_diagonal(x)
    return float(p @ ((psi**2).sum(axis=1) + np.abs(diagonal).sum(axis=1)))


MAKERS = [unmixing]
