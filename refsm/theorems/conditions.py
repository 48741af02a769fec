"""Where the step by parts is allowed, and where it is not: statements 26 and 30.

Symbols
    q, p          densities;  s = grad log q
    psi           a field: in 30 grad log p, in 26 any one;  jump_j its jump at x_j
    J             d psi / d x
    x, w          nodes of a quadrature rule and their weights

Statements
    26  for psi absolutely continuous but for jumps at x_j, in one dimension,
        E_q [1/2 psi^2 + psi'] + 1/2 E_q s^2 = E_q 1/2 (psi - s)^2 - sum_j q(x_j) jump_j
        with psi' the derivative where there is one
    30  (a) E_p psi = 0        where p vanishes at the boundary
        (b) E_p psi psi' = -E_p J   where p psi vanishes there
        (c) E_p x.psi = -d     where p x vanishes there
        and in each case the integrals are finite.  Each of (a), (b), (c) fails for some density
        whose boundary term does not vanish, and holds for some field that is not the score of p

Derivation
    26  between two jumps, integral psi s q = integral psi q' = [psi q] - integral psi' q.  Summed
        over the pieces, the brackets leave -sum_j q(x_j) jump_j:
        E psi s = -E psi' - sum_j q(x_j) jump_j.  Expand 1/2 (psi - s)^2.  So an implicit
        loss that omits the jumps falls as upward jumps grow.
    30  p psi = grad p.  (a) integral d_i p = 0;  (b) integral psi_k d_i p = -integral p d_i psi_k;
        (c) integral x_i d_i p = -integral p.  Each is one integration by parts.
        Boundary: p = exp(-x) on x > 0 has psi = -1, so E psi = -1 and E psi^2 = 1, while E J = 0;
        but p x vanishes at 0, and (c) holds.  On [0, 1] with p = 1 and psi = 0, E x psi = 0.
        Other fields, under N(0, 1):  -2x satisfies (a), since the mean is 0;  -x + x^3/5 satisfies
        (b), since E psi^2 = 1 - 6/5 + 15/25 = 2/5 = 1 - 3/5;  -x^3/3 satisfies (c), since
        E x^4 = 3.

Conditions
    So (a), (b) and (c) are necessary for psi to be the score of p, and not sufficient.  A ReLU in
    place of the sigmoid of an autoencoder's hidden layer makes a kink of r, and no jump of psi; a
    step in place of it makes the jump |W_j| / sigma^2 at the zero of a_j, which is what an energy
    with a ReLU in place of the softplus has.

Sources
    Hyvarinen, Estimation of non-normalized statistical models by score matching, JMLR 6 (2005): the
    boundary condition.  The term of a jump, and the examples, are derived here.
"""
from __future__ import annotations

import numpy as np

from refsm import expectations
from refsm.energies.mixture import GaussianMixture
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching
from refsm.theorems.chain import density, nodes_of
from refsm.theorems.statement import QUADRATURE, Statement, differs, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "jumps", "of_its_own_density", "at_a_boundary",
           "other_fields"]

ORDER = 101         # Gauss-Legendre nodes of one piece
REACH = 12.0        # where the pieces of the line end
SIGMA = 0.7         # of the autoencoder of statement 26


def pieces(ends: Array) -> tuple[Array, Array]:
    """Nodes (n, 1) and weights (n,) for an integral over intervals with these ends, ascending."""
    z, weights = np.polynomial.legendre.leggauss(ORDER)
    half = np.diff(ends)[:, None] / 2
    x = (ends[:-1, None] + ends[1:, None]) / 2 + half * z
    return x.reshape(-1, 1), (half * weights).ravel()


def jumps() -> list[Statement]:
    """Statement 26 for a unit jump under N(0, 1), and for an autoencoder with step units."""
    normal = GaussianMixture([1.0], [[0.0]], [[[1.0]]])
    q = GaussianMixture([0.4, 0.6], [[-1.0], [1.2]], [[[0.5]], [[0.8]]])
    W, b = np.array([[1.5], [-0.8], [0.6]]), np.array([0.3, 0.5, -0.9])
    where = "d=1, psi = -x + 1 for x > 0, N(0, 1)"
    return (_jump(where, normal, np.ones((1, 1)), np.zeros(1), 1.0)
            + _jump("d=1, autoencoder with 3 step units, mixture", q, W, b, SIGMA))


def _jump(where: str, q: GaussianMixture, W: Array, b: Array, sigma: float) -> list[Statement]:
    at = np.sort(-b / W[:, 0])                                           # where psi jumps
    x, lengths = pieces(np.concatenate([[-REACH], at, [REACH]]))
    w = lengths * np.exp(-q.energy(x))
    psi = ((x @ W.T + b > 0) @ W - x) / sigma**2
    divergence = np.full(len(x), -1 / sigma**2)
    explicit = ExplicitScoreMatching(x, q, weights=w).evaluate(score=psi)[0]
    implicit = ImplicitScoreMatching(x, weights=w).evaluate(score=psi, divergence=divergence)[0]
    constant = w @ q.score(x)[:, 0] ** 2 / 2
    density_there = np.exp(-q.energy((-b / W[:, 0])[:, None]))
    jump = np.abs(W[:, 0]) / sigma**2
    left = w @ implicit + constant - w @ explicit
    size = relative_bound(w @ explicit, w @ psi[:, 0] ** 2, constant, 1 / sigma**2)
    return [equal(26, "J_ISM + 1/2 E s^2 - J_ESM = -sum_j q(x_j) jump_j", where, left,
                  -density_there @ jump, size, "quadrature")]


def of_its_own_density() -> list[Statement]:
    """Statement 30 where its conditions hold: a mixture in the plane, every entry."""
    q = density()
    x, w = nodes_of(q)
    psi, J = q.score(x), q.score_jacobian(x)
    size = w @ (psi**2).sum(axis=1)
    second = np.einsum("n,ni,nk->ik", w, psi, psi)
    where = "GaussianMixture, d=2"
    return [equal(30, "E psi = 0", where, w @ psi, np.zeros(2), QUADRATURE * np.sqrt(size),
                  "quadrature"),
            equal(30, "E psi psi' = -E J", where, second, -np.einsum("n,nik->ik", w, J),
                  QUADRATURE * size, "quadrature"),
            equal(30, "E x.psi = -d", where, w @ (x * psi).sum(axis=1), -2.0,
                  QUADRATURE * (w @ abs(x * psi).sum(axis=1)), "quadrature")]


def at_a_boundary() -> list[Statement]:
    """Statement 30 where a boundary term is left: the exponential and the uniform density."""
    x, lengths = pieces(np.array([0.0, 5.0, 15.0, 45.0]))
    x, w = x[:, 0], lengths * np.exp(-x[:, 0])
    psi, J = -np.ones_like(x), np.zeros_like(x)
    uniform, lengths = pieces(np.array([0.0, 1.0]))
    nothing = np.zeros(len(uniform))
    where = "exp(-x) on x > 0, d=1"
    return [differs(30, "E psi, and 0", where, float(w @ psi), 0.0, QUADRATURE),
            differs(30, "E psi psi', and -E J", where, float(w @ psi**2), float(-w @ J),
                    QUADRATURE),
            equal(30, "E x.psi = -d", where, w @ (x * psi), -1.0, QUADRATURE, "quadrature"),
            differs(30, "E x.psi, and -d", "1 on [0, 1], psi = 0",
                    float(lengths @ (uniform[:, 0] * nothing)), -1.0, QUADRATURE)]


def other_fields() -> list[Statement]:
    """Statement 30 for fields that are not the score of N(0, 1); each fails another one."""
    x, w = expectations.gauss_hermite((np.zeros(1), np.eye(1)), 5)       # exact to degree 9
    x = x[:, 0]
    double, cubic, third = -2 * x, -x + x**3 / 5, -x**3 / 3
    where = "N(0, 1)"
    return [equal(30, "E psi = 0", f"{where}, psi = -2 x", w @ double, 0.0, QUADRATURE,
                  "quadrature"),
            differs(30, "E psi psi', and -E J", f"{where}, psi = -2 x", float(w @ double**2),
                    float(2 * w.sum()), QUADRATURE),
            equal(30, "E psi psi' = -E J", f"{where}, psi = -x + x^3/5", w @ cubic**2,
                  w @ (1 - 3 * x**2 / 5), QUADRATURE, "quadrature"),
            differs(30, "E x.psi, and -d", f"{where}, psi = -x + x^3/5", float(w @ (x * cubic)),
                    -1.0, QUADRATURE),
            equal(30, "E x.psi = -d", f"{where}, psi = -x^3/3", w @ (x * third), -1.0, QUADRATURE,
                  "quadrature"),
            differs(30, "E psi psi', and -E J", f"{where}, psi = -x^3/3", float(w @ third**2),
                    float(w @ x**2), QUADRATURE)]


GROUP = "Conditions, and what score matching does not see"
LETTERS = ("jump_j: jump of psi at x_j")
MAKERS = [jumps, of_its_own_density, at_a_boundary, other_fields]
