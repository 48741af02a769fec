"""One score, several parametrisations: statements 23 and 24.

Symbols
    n points (N), i dimensions (D), j hidden units (M).
    W, b, c       (m, d), (m,), (d,)  weights and offsets
    sigma         number, or (d,) where a sigma_i is of one dimension
    tau           1 / sigma^2
    s(a)          the sigmoid; r (n, d) a reconstruction
    copies        number  1 / sigma^2, where that is a whole number k
    sign          (m,)    +1 or -1 for each hidden unit
    order         a permutation of the hidden units

Statements
    23  (a)  psi = (W' s((W x + b) / sigma^2) + c - x) / sigma^2, "sigma inside the sigmoid", is the
             score of the Gaussian-Bernoulli RBM with hidden offsets b / sigma^2, and
             2 sigma^4 J_DSM = |r - x|^2 with the encoder W / sigma^2 and the decoder W'
        (b)  with one sigma_i for each dimension, and noise of these standard deviations,
             J_DSM = sum_i (r_i - x_i)^2 / (2 sigma_i^4),  r = W' s(W (tau x) + b) + c
        (c)  Vincent's energy with 1 / sigma^2 = k is the RBM with k copies of each hidden unit, of
             weights W / k, up to the constant k |c|^2 / 2
    24  (W_j, b_j, c) -> (-W_j, -b_j, c + W_j) for any j, and any order of the hidden units, leave
        psi unchanged: 2^m m! parameters for one score

Derivation
    23  (a)  the RBM has a = offsets + W x / sigma^2 = (b + W x) / sigma^2 and
             psi = tau (W' s - (x - c)).  Then 22 (a) with this reconstruction.
        (b)  psi_i = tau_i (r_i - x_noisy_i), target_i = tau_i (x_i - x_noisy_i); then subtract.
        (c)  the copies have a = b + (W / k) x k = b + W x, and k of them give k f(a_j): the sum
             over hidden units of Vincent's energy times 1 / sigma^2.  The quadratic terms differ by
             the constant only.
    24  s(-a) = 1 - s(a): -W_j (1 - s_j) + W_j = s_j W_j.  A sum does not depend on its order.

Conditions
    24: the 2^m m! parameters are different where no two hidden units are equal or opposite and no
    W_j is 0.  A minimum of J with some W_j not 0 is therefore never the only one.  24 holds for
    every activation with f'(-a) = 1 - f'(a), the rational stand-in included.

Sources
    Vincent, Neural Computation 23 (2011): the energy with sigma^2 as a temperature.
    Swersky et al., On autoencoders and score matching for energy based models, ICML 2011: the
    Gaussian-Bernoulli RBM's score as an autoencoder.  (b), (c) and the count of 24 are derived
    here.
"""
from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np

from refsm.activations import RATIONAL
from refsm.corruption import CovarianceCorruption
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian_bernoulli_rbm import GaussianBernoulliRBM
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.denoising_autoencoder import DenoisingAutoencoderLoss
from refsm.stable import sigmoid
from refsm.theorems import rationals
from refsm.theorems.statement import Statement, equal, rounding_bound
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "EXACT", "sigma_inside", "sigma_of_each_dimension",
           "copies_of_units", "same_score", "exactly"]

N, D, M = 11, 5, 3
SIGMA = 0.6
COPIES = 3      # 1 / sigma^2 of statement 23 (c)
GRID = 8        # exact inputs are multiples of 1 / GRID


def parameters() -> tuple[Array, Array, Array, Array, Array]:
    """W (m, d), b (m,), c (d,), x (n, d) and noise (n, d), of order 1."""
    rng = np.random.default_rng(23)
    shapes = ((M, D), (M,), (D,), (N, D), (N, D))
    W, b, c, x, eps = (rng.standard_normal(shape) for shape in shapes)
    return W, b, c, x, eps


def sigma_inside() -> list[Statement]:
    """Statement 23 (a): the score, and every term of the loss."""
    W, b, c, x, eps = parameters()
    x_noisy = x + SIGMA * eps
    rbm = GaussianBernoulliRBM(W, b / SIGMA**2, c, np.full(D, np.log(SIGMA)))
    inside = (sigmoid((x_noisy @ W.T + b) / SIGMA**2) @ W + c - x_noisy) / SIGMA**2
    r = sigmoid(x_noisy @ (W / SIGMA**2).T + b / SIGMA**2) @ W + c
    J_DSM = DenoisingScoreMatching(x, x_noisy, SIGMA).per_sample(rbm)
    J_DAE = DenoisingAutoencoderLoss(x, x_noisy).evaluate(reconstruction=r)[0]
    size = (1 + abs(x_noisy) @ abs(W).T + abs(b)) @ abs(W) + abs(x_noisy) + abs(c) + abs(x)
    where = f"{N} points, d={D}, m={M}, sigma={SIGMA:g}"
    return [equal(23, "psi with sigma inside = psi of the RBM", where, inside, rbm.score(x_noisy),
                  rounding_bound(size / SIGMA**4), "rounding"),
            equal(23, "2 sigma^4 J_DSM = J_DAE, encoder W/sigma^2, terms", where,
                  2 * SIGMA**4 * J_DSM, J_DAE, rounding_bound((size**2).sum(axis=1) / SIGMA**2),
                  "rounding")]


def sigma_of_each_dimension() -> list[Statement]:
    """Statement 23 (b), every term."""
    W, b, c, x, eps = parameters()
    sigma = np.linspace(0.5, 1.6, D)
    x_noisy = x + sigma * eps
    rbm = GaussianBernoulliRBM(W, b, c, np.log(sigma))
    noise = CovarianceCorruption(np.diag(sigma**2))
    left = DenoisingScoreMatching(x, x_noisy, noise).per_sample(rbm)
    r = sigmoid(x_noisy @ (W / sigma**2).T + b) @ W + c
    right = ((r - x) ** 2 / (2 * sigma**4)).sum(axis=1)
    a_size = abs(x_noisy) @ abs(W / sigma**2).T + abs(b)
    size = ((1 + a_size) @ abs(W) + abs(x_noisy) + abs(c) + abs(x)) / sigma**2
    return [equal(23, "J_DSM = sum_i (r_i - x_i)^2/(2 sigma_i^4), terms",
                  f"GaussianBernoulliRBM, {N} points, d={D}, sigma_i from 0.5 to 1.6", left, right,
                  rounding_bound((size**2).sum(axis=1)), "rounding")]


def copies_of_units() -> list[Statement]:
    """Statement 23 (c): scores, and energies apart by a constant."""
    W, b, c, x, _ = parameters()
    sigma = 1 / np.sqrt(COPIES)
    vincent = AutoencoderEnergy(W, b, c, sigma=sigma)
    rbm = GaussianBernoulliRBM(np.tile(W / COPIES, (COPIES, 1)), np.tile(b, COPIES), c,
                               np.full(D, np.log(sigma)))
    a_size = abs(x) @ abs(W).T + abs(b)
    score_size = COPIES * ((1 + a_size) @ abs(W) + abs(x) + abs(c))
    energy_size = COPIES * (((abs(x) + abs(c)) ** 2).sum(axis=1) + (1 + a_size).sum(axis=1))
    where = f"{COPIES} copies of m={M} units, d={D}, sigma^2=1/{COPIES}"
    constant = COPIES * (c * c).sum() / 2
    return [equal(23, "psi_Vincent = psi of an RBM with k copies", where,
                  vincent.score(x), rbm.score(x), rounding_bound(score_size), "rounding"),
            equal(23, "E_Vincent + k |c|^2/2 = E of that RBM", where,
                  vincent.energy(x) + constant, rbm.energy(x), rounding_bound(energy_size),
                  "rounding")]


def twins(W: Array, b: Array, c: Array) -> list[tuple[Array, Array, Array]]:
    """The 2^m m! parameters of statement 24."""
    out = []
    for sign in itertools.product((1, -1), repeat=len(b)):
        turned = np.array([k == -1 for k in sign])
        signs = np.array(sign)
        for order in itertools.permutations(range(len(b))):
            rows = list(order)
            out.append(((signs[:, None] * W)[rows], (signs * b)[rows], c + W[turned].sum(axis=0)))
    return out


def same_score() -> list[Statement]:
    """Statement 24: all twins, their scores, and how many of them there are."""
    W, b, c, x, _ = parameters()
    psi = AutoencoderEnergy(W, b, c, sigma=SIGMA).score(x)
    thetas = twins(W, b, c)
    scores = np.array([AutoencoderEnergy(*theta, sigma=SIGMA).score(x) for theta in thetas])
    different = {tuple(np.concatenate([leaf.ravel() for leaf in theta])) for theta in thetas}
    size = (2 + abs(x) @ abs(W).T + abs(b)) @ abs(W) + abs(x) + abs(c)
    where = f"AutoencoderEnergy, {N} points, d={D}, m={M}"
    return [equal(24, "psi at all 2^m m! twins of theta = psi at theta", where, scores, psi,
                  rounding_bound(size / SIGMA**2), "rounding"),
            equal(24, "number of different twins = 2^m m!", where, float(len(different)),
                  float(2**M * math.factorial(M)), 0.0, "enumeration")]


def exactly() -> list[Statement]:
    """Statements 23 (a) and 24 in rationals."""
    W, b, c, x, eps = (rationals.nearest(a, GRID) for a in parameters())
    sigma = Fraction(5, 8)
    x, x_noisy = x[:3], x[:3] + sigma * eps[:3]
    s, _ = RATIONAL.first_two((x_noisy @ W.T + b) / sigma**2)
    inside = (s @ W + c - x_noisy) / sigma**2
    code, _ = RATIONAL.first_two(x_noisy @ (W / sigma**2).T + b / sigma**2)
    J_DSM = DenoisingScoreMatching(x, x_noisy, sigma).evaluate(score=inside)[0]
    J_DAE = DenoisingAutoencoderLoss(x, x_noisy).evaluate(reconstruction=code @ W + c)[0]
    psi = AutoencoderEnergy(W, b, c, sigma=sigma, activation=RATIONAL).score(x)
    scores = np.array([AutoencoderEnergy(*theta, sigma=sigma, activation=RATIONAL).score(x)
                       for theta in twins(W, b, c)])
    where = f"3 points, d={D}, m={M}, sigma={sigma}"
    return [equal(23, "2 sigma^4 J_DSM = J_DAE, encoder W/sigma^2, terms", where,
                  2 * sigma**4 * J_DSM, J_DAE, 0, "exact"),
            equal(24, "psi at all 2^m m! twins of theta = psi at theta", where, scores,
                  np.broadcast_to(psi, scores.shape), 0, "exact")]


GROUP = "The autoencoder energy: which decoders, which parameters"
LETTERS = ("E_Vincent, psi_Vincent: energy and score of the autoencoder; sigma_i: of dimension i; "
           "k = 1/sigma^2 copies of each hidden unit; "
           "twins: theta with the signs of some units flipped, and the units in another order")
MAKERS = [sigma_inside, sigma_of_each_dimension, copies_of_units, same_score]
EXACT = [exactly]
