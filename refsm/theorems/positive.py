"""Generalised score matching on x > 0: statements 44 and 45, by quadrature.

    44  E_q 1/2 sum_i h_i (psi_i - s_i)^2 = E_q J + 1/2 E_q sum_i h_i s_i^2 + boundary,
        boundary = sum_i integral [ h_i psi_i q ] at x_i = 0 over the other coordinates;
        it is 0 where h_i vanishes at x_i = 0, and with h = 1 it is what the implicit loss misses
    45  the asymptotic variances of N(mu, sigma^2) truncated to x > 0, at mu = 0 and sigma = 1, by
        the formulas of Yu, Drton & Shojaie, and the Cramer-Rao bounds; each parameter with the
        other one known

Derivation of 44: in `refsm.objectives.generalized`.  On x > 0 the upper end, infinity, contributes
nothing to (5) there, and the lower end enters with a minus sign: minus (5) is plus the value at
x_i = 0.
Of 45.  E = -theta_1 x - theta_2 x^2, mu = -theta_1 / (2 theta_2), sigma^2 = -1 / (2 theta_2).  With
one parameter unknown the estimating equation has one row, and n Var(theta_k) = B_kk / A_kk^2.  At
mu = 0, sigma = 1 dmu/dtheta_1 = 1 and dsigma^2/dtheta_2 = 2, so that n Var(sigma^2) is 4 times that
of theta_2.  The bound is the same with the inverse of the Fisher information's entry, Var F_k:
1 / (1 - 2 / pi), and 4 / 2.
The figures with seven digits come from the same moments, by numerical integration; the pair for
h = min(log(1 + x), 2) is the one that the authors' package, genscore, prints in its vignette.
For h = x:    A_11 = E x = sqrt(2 / pi), B_11 = E (1 - x^2)^2 = 2:  pi.
              A_22 = 4 E x^3 = 8 sqrt(2 / pi), B_22 = E (4 x - 2 x^3)^2 = 28:
              4 * 28 / A_22^2 = 7 pi / 8.
For h = x^2:  A_11 = E x^2 = 1, B_11 = E (2 x - x^3)^2 = 7:  7.
              A_22 = 4 E x^4 = 12, B_22 = E (6 x^2 - 2 x^4)^2 = 168:  4 * 168 / 144 = 14 / 3.
"""
from __future__ import annotations

from typing import Callable

import numpy as np
from scipy.special import roots_legendre

from refsm.closed_forms import closed_form, fisher_information
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.energy import Energy
from refsm.energies.polynomial import PolynomialEnergy
from refsm.objectives.generalized import GeneralizedScoreMatching
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.theorems.statement import QUADRATURE, Statement, differs, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "boundary", "variances", "half_line"]

GROUP = "Generalised score matching, and linear models"
LETTERS = ("h: weight of a dimension; boundary: the term at x_i = 0; mu, sigma^2: parameters of a "
           "truncated normal density")

ORDER = 24                      # Gauss-Legendre nodes in each interval
RATES = np.array([1.3, 0.7])    # of the exponential densities along x_1 and x_2
REACH = 45.0                    # where exp(-x) is 3e-20
DIGITS = 5e-7                   # half a unit in the last digit of the figures

Weighting = Callable[[Array], "tuple[Array, Array]"]       # x (n, d) -> h and h_slope (n, d)


def half_line(*ends: float) -> tuple[Array, Array]:
    """Gauss-Legendre nodes (n, 1) and weights (n,) on the intervals between the ends."""
    z, weights = roots_legendre(ORDER)
    half = np.diff(ends)[:, None] / 2
    nodes = np.asarray(ends[:-1])[:, None] + half * (1 + z)
    return nodes.reshape(-1, 1), (half * weights).ravel()


def quarter_plane() -> tuple[Array, Array, Array, Array]:
    """Nodes (n, 2) and weights for E under two exponential densities, and those along one axis."""
    z, volumes = half_line(0.0, 2.0, 6.0, 14.0, REACH)
    p = volumes * np.exp(-z[:, 0])
    x = np.stack(np.meshgrid(z[:, 0], z[:, 0], indexing="ij"), axis=-1).reshape(-1, 2) / RATES
    return x, np.outer(p, p).ravel(), z[:, 0], p


def models() -> dict[str, Energy]:
    """A polynomial with a mixed term, and a one-hidden-layer energy."""
    rng = np.random.default_rng(44)
    polynomial = PolynomialEnergy([-0.4, 0.3, -0.2, 0.1], [[1, 0], [1, 1], [0, 2], [2, 1]])
    layer = AutoencoderEnergy(rng.standard_normal((3, 2)), rng.standard_normal(3),
                              rng.standard_normal(2), sigma=0.8)
    return {"PolynomialEnergy": polynomial, "AutoencoderEnergy": layer}


def mixed(x: Array) -> tuple[Array, Array]:
    """h_i = x_i (1 + x_1 + x_2), a function of both coordinates."""
    total = 1 + x.sum(axis=1, keepdims=True)
    return x * total, total + x


WEIGHTINGS: dict[str, Weighting] = {
    "x": lambda x: (x, np.ones_like(x)),
    "x^2": lambda x: (x**2, 2 * x),
    "log(1 + x)": lambda x: (np.log1p(x), 1 / (1 + x)),
    "x_i (1 + x_1 + x_2)": mixed,
    "1": lambda x: (np.ones_like(x), np.zeros_like(x)),
}


def boundary() -> list[Statement]:
    """Statement 44 for five h, and that with h = 1 the implicit loss misses the boundary term."""
    x, q, z, p = quarter_plane()
    s = np.broadcast_to(-RATES, x.shape)                                    # grad log q
    out = []
    for which, model in models().items():
        psi = model.score(x)
        for name, weighting in WEIGHTINGS.items():
            h, h_slope = weighting(x)
            distance = q @ (h * (psi - s)**2).sum(axis=1) / 2
            constant = q @ (h * s**2).sum(axis=1) / 2
            J = GeneralizedScoreMatching(x, h, h_slope, weights=q).value(model)
            ends = sum(_at_the_end(model, weighting, i, z, p) for i in range(2))
            where = f"{which}, h = {name}, exponential q, d=2"
            bound = relative_bound(distance, constant, q @ np.abs(psi * h_slope).sum(axis=1), ends)
            out.append(equal(44, "E 1/2 h (psi - s)^2 = E J + 1/2 E h s^2 + boundary", where,
                             distance, J + constant + ends, bound, "quadrature"))
            if name == "1":
                implicit = ImplicitScoreMatching(x, weights=q).value(model)
                out.append(differs(44, "h = 1: E J_ESM and E J_ISM + constant", where,
                                   distance, implicit + constant, bound))
    return out


def _at_the_end(model: Energy, weighting: Weighting, i: int, z: Array, p: Array) -> float:
    """integral of h_i psi_i q over the side x_i = 0."""
    side = np.zeros((len(z), 2))
    side[:, 1 - i] = z / RATES[1 - i]
    h, _ = weighting(side)
    return float(RATES[i] * (p @ (h * model.score(side))[:, i]))


PUBLISHED = {                   # n Var(mu), n Var(sigma^2), and how far the figures may be off
    "min(log(1 + x), 2)": (2.795459, 2.379507, DIGITS),
    "x": (np.pi, 7 * np.pi / 8, QUADRATURE * 4),
    "x^2": (7.0, 14 / 3, QUADRATURE * 7),
    "min(x, 1)": (3.008293, 2.267589, DIGITS),
}
BENDS = {"min(log(1 + x), 2)": np.e**2 - 1, "min(x, 1)": 1.0}    # where h has a kink


def variances() -> list[Statement]:
    """Statement 45: eight variances, two bounds."""
    model = PolynomialEnergy([0.0, -0.5], [[1], [2]])
    scale = np.array([1.0, 4.0])                     # squares of dmu/dtheta_1, dsigma^2/dtheta_2
    out = []
    for name, (mu, sigma_2, bound) in PUBLISHED.items():
        x, volumes = half_line(*sorted({0.0, 2.0, 5.0, 14.0, BENDS.get(name, 2.0)}))
        p = volumes * np.exp(-x[:, 0]**2 / 2) * np.sqrt(2 / np.pi)
        found = closed_form(GeneralizedScoreMatching(x, *_one(name, x), weights=p), model)
        A, B = np.diag(found.hessian), np.diag(found.gradient_moment)
        var_mu, var_sigma_2 = scale * B / A**2
        where = f"half-normal, h = {name}"
        out += [equal(45, "n Var(mu)", where, var_mu, mu, bound, "quadrature"),
                equal(45, "n Var(sigma^2)", where, var_sigma_2, sigma_2, bound, "quadrature")]
    x, volumes = half_line(0.0, 2.0, 5.0, 14.0)
    bounds = scale / np.diag(fisher_information(model, x, volumes))
    for name, left, right in zip(("mu", "sigma^2"), bounds, (1 / (1 - 2 / np.pi), 2.0)):
        out.append(equal(45, f"Cramer-Rao bound for {name}", "half-normal", left, right,
                         QUADRATURE * right, "quadrature"))
    return out


def _one(name: str, x: Array) -> tuple[Array, Array]:
    if name == "min(log(1 + x), 2)":
        return np.minimum(np.log1p(x), 2), np.where(x < BENDS[name], 1 / (1 + x), 0)
    if name == "min(x, 1)":
        return np.minimum(x, 1), np.where(x < 1, 1.0, 0.0)
    return WEIGHTINGS[name](x)


MAKERS = [boundary, variances]
