"""Ratio matching, and the partition function that no objective needs: statements 9 and 10.

Symbols
    x             (2^d, d)  all binary points;  q, p probabilities of them, (2^d,)
    q_i, p_i      (2^d, d)  the probability of x with bit i flipped
    g(u)                    1 / (1 + u)
    a, b          (2^d, d)  a_i = g(q / q_i), b_i = g(p / p_i)
    E, Z                    energy and partition function: p = exp(-E) / Z
    psi, J                  score and its Jacobian, of points in the plane

Statements
    9   E_q sum_i (a_i - b_i)^2 = J_RM - E_q sum_i a_i (1 - a_i)
        the definition with both ratios, q / q_i and q_i / q, is twice the left side
    10  Z is invisible: gaps and scores are those of the normalised density.  For binary points
        log( p(x) / p(flip_i x) ) = gap_i, with Z enumerated; in the plane, with Z integrated,
        E_p psi = 0, E_p psi psi' = -E_p J, E_p x.psi = -d

Derivation
    9   b_i = p_i / (p + p_i) = sigmoid(-gap_i), so J_RM = E_q sum_i b_i^2, and the left side is
        J_RM + sum_x q sum_i (a_i^2 - 2 a_i b_i).  What is left to show is
        sum_x 2 q a_i b_i = sum_x q a_i.  Pair x with its neighbour: q a_i = q q_i / (q + q_i) is
        the same number s at both, and b_i at one is 1 - b_i at the other:
        2 s b_i + 2 s (1 - b_i) = s + s.  With the ratios upside down a_i and b_i become 1 - a_i and
        1 - b_i: the same squares again, hence twice.
    10  log p = -E - log Z, and log Z does not depend on x: differences between points, and
        derivatives at a point, are without it.  The three expectations are statement 30.

Conditions
    Where q = q_i = 0, a_i is 0 / 0; its weight q is 0, so that any number serves.  The three
    expectations of 10 are integrations by parts, which need p, p psi and p x to vanish at infinity;
    they are necessary for psi to be the score of p, and not sufficient: 30 has counterexamples.

Sources
    Hyvarinen, Some extensions of score matching, Computational Statistics & Data Analysis 51
    (2007): ratio matching, defined with both ratios, and 9 up to its factor.
"""
from __future__ import annotations

import numpy as np

from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.bernoulli_rbm import BernoulliRBM
from refsm.energies.boltzmann_machine import BoltzmannMachine
from refsm.energies.energy import BinaryEnergy
from refsm.enumeration import binary_points, log_partition
from refsm.objectives.ratio_matching import RatioMatching
from refsm.theorems.statement import QUADRATURE, ROUNDINGS, UNIT, Statement, equal
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "ratio_matching", "normalised_gaps", "normalised_score"]

D, M = 5, 3                 # visible and hidden units of the binary models: 2^5 points to enumerate
NODES, REACH = 201, 12.0    # trapezoid rule in two dimensions: nodes along an axis, half its length


def models() -> list[BinaryEnergy]:
    """A restricted and a fully visible Boltzmann machine with parameters of order 1."""
    rng = np.random.default_rng(9)
    W = rng.standard_normal((D, D))
    W = W + W.T
    np.fill_diagonal(W, 0)
    rbm = BernoulliRBM(rng.standard_normal((M, D)), rng.standard_normal(M), rng.standard_normal(D))
    return [rbm, BoltzmannMachine(W, rng.standard_normal(D))]


def normalised(model: BinaryEnergy) -> tuple[Array, Array]:
    """Energy and normalised probability of all 2^d points, in the order of `binary_points`."""
    energy = model.energy(binary_points(D))
    return energy, np.exp(-energy - log_partition(model))


def flipped(p: Array) -> Array:
    """p_i(x) = p(x with bit i flipped), shape (2^d, d), for p in the order of `binary_points`."""
    x = binary_points(D)
    place = 2 ** np.arange(D)
    index = np.argsort(x @ place)                       # row of the point whose bits spell a number
    number = (x @ place).astype(int)
    step = np.where(x == 1, -place, place).astype(int)
    return p[index[number[:, None] + step]]


def ratio_matching() -> list[Statement]:
    """Statement 9 for a random q on all points, and for each model."""
    x = binary_points(D)
    q = np.random.default_rng(90).dirichlet(np.ones(len(x)))
    a = flipped(q) / (flipped(q) + q[:, None])                           # g(q/q_i)
    out = []
    for model in models():
        energy, p = normalised(model)
        b = flipped(p) / (flipped(p) + p[:, None])                       # g(p/p_i)
        left = q @ ((a - b) ** 2).sum(axis=1)
        other = q @ (((1 - a) - (1 - b)) ** 2).sum(axis=1)               # of g(q_i/q), g(p_i/p)
        J = RatioMatching(x, weights=q).value(model)
        offset = q @ (a * (1 - a)).sum(axis=1)
        bound = ROUNDINGS * UNIT * (J + offset) * (1 + np.abs(energy).max())
        where = f"{type(model).__name__}, all {len(x)} points, random q"
        out += [equal(9, "E_q sum (g(q/q_i) - g(p/p_i))^2 = J_RM - const", where, left, J - offset,
                      bound, "enumeration"),
                equal(9, "two-term definition = twice the left side", where, left + other, 2 * left,
                      bound, "enumeration")]
    return out


def normalised_gaps() -> list[Statement]:
    """Statement 10 on binary points: log( p(x) / p(flip_i x) ) of the normalised p is the gap."""
    x = binary_points(D)
    out = []
    for model in models():
        energy, p = normalised(model)
        where = f"{type(model).__name__}, all {len(x)} points, Z enumerated"
        bound = ROUNDINGS * UNIT * (1 + np.abs(energy).max())
        out += [equal(10, "sum_x p(x) = 1", where, p.sum(), 1.0, bound, "enumeration"),
                equal(10, "log(p(x)/p(flip_i x)) = gap_i", where, np.log(p[:, None] / flipped(p)),
                      model.energy_gap(x), 2 * bound, "enumeration")]
    return out


def normalised_score() -> list[Statement]:
    """Statement 10 in the plane: three expectations under p = exp(-E)/Z, with Z integrated."""
    rng = np.random.default_rng(10)
    W, b, c = (rng.standard_normal(shape) for shape in ((M, 2), M, 2))
    model = AutoencoderEnergy(W, b, c, sigma=0.8)
    axis = np.linspace(-REACH, REACH, NODES)
    x = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(NODES**2, 2)
    energy = model.energy(x)
    p = np.exp(energy.min() - energy)
    p /= p.sum()                                # the trapezoid rule: its ends are below rounding
    psi, J = model.score(x), model.score_jacobian(x)
    where = f"AutoencoderEnergy, d=2, Z by {NODES}^2 nodes on [-{REACH:g}, {REACH:g}]^2"
    size = p @ (psi * psi).sum(axis=1)
    second = np.einsum("n,ni,nk->ik", p, psi, psi)
    return [
        equal(10, "E_p psi = 0", where, p @ psi, np.zeros(2), QUADRATURE * np.sqrt(size),
              "quadrature"),
        equal(10, "E_p psi psi' = -E_p d psi/dx", where, second, -np.einsum("n,nik->ik", p, J),
              QUADRATURE * size, "quadrature"),
        equal(10, "E_p x.psi = -d", where, p @ (x * psi).sum(axis=1), -2.0,
              QUADRATURE * (p @ np.abs(x * psi).sum(axis=1)), "quadrature"),
    ]


GROUP = "Binary data, and the partition function"
LETTERS = ("q_i, p_i: probability of x with bit i flipped; g(u) = 1/(1 + u); "
           "gap_i = E(flip_i x) - E(x)")
MAKERS = [ratio_matching, normalised_gaps, normalised_score]
