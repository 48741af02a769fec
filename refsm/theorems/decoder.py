"""What tying the decoder to the encoder does: statement 22.

Symbols
    n points (N), i and k dimensions (D), j hidden units (M).
    W, V          (m, d)    encoder and decoder;  V_j, W_j their rows
    lam           (m,)      lambda_j, where V_j = lambda_j W_j
    b, c, sigma             offsets (m,), (d,), and the standard deviation of the noise
    s, s1         (n, m)    f'(a) and f''(a), a = W x + b
    r             (n, d)    V' s + c, the reconstruction
    psi           (n, d)    (r - x) / sigma^2
    J             (n, d, d) d psi / d x
    wedge_j       (d, d)    V_j W_j' - W_j V_j'

Statements
    22  (a)  |psi - target|^2 / 2 = |r - x|^2 / (2 sigma^4), at each point, for any reconstruction r
        (b)  where V_j = lambda_j W_j, psi = -grad E for
             E = -( c.x - |x|^2 / 2 + sum_j lambda_j f(a_j) ) / sigma^2
        (c)  sigma^2 (J - J') = sum_j s1_j wedge_j
        (d)  on points where the columns of s1 are linearly independent, (c) determines every
             wedge_j: so psi is a gradient only if every wedge_j = 0, that is V_j = lambda_j W_j
             (where W_j != 0)

Derivation
    22  (a)  psi - target = (r - x_noisy)/sigma^2 - (x - x_noisy)/sigma^2 = (r - x)/sigma^2: x_noisy
             cancels.  Nothing of r is used: not its decoder, not its activation, not that psi is a
             gradient.
        (b)  grad f(a_j) = s_j W_j, so -sigma^2 grad E = c - x + sum_j lambda_j s_j W_j.
        (c)  sigma^2 J = sum_j s1_j V_j W_j' - I; subtract the transpose.
        (d)  psi is a gradient if and only if J = J' at every x (R^d has no holes).  If the
             functions s1_j of x are linearly independent, (c) = 0 at every x makes each wedge_j 0;
             and V_j W_j' = W_j V_j', multiplied by W_j, gives V_j = (V_j.W_j / |W_j|^2) W_j.

Conditions
    Two hidden units with a_j = a_k, or a_j = -a_k (the slope of the sigmoid is even), have the same
    s1: then only the sum of their wedges is determined.  lambda_j = 1 for all j is the tied
    autoencoder.  With lambda_j < 0 the energy exists as well.

Sources
    Vincent, Neural Computation 23 (2011): tied weights, and (a).  The converse is derived here.
"""
from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from refsm.activations import RATIONAL, SOFTPLUS, Activation
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.denoising_autoencoder import DenoisingAutoencoderLoss
from refsm.stable import softplus
from refsm.theorems import limits, rationals
from refsm.theorems.statement import UNIT, Statement, differs, equal, rounding_bound
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "EXACT", "any_reconstruction", "multiples_have_an_energy",
           "wedges_are_determined", "exactly"]

N, D, M = 23, 3, 5
SIGMA = 0.4
GRID = 16       # exact inputs are multiples of 1 / GRID


class Parameters:
    """W, V, b, c, and clean and noisy points, all of order 1."""

    def __init__(self) -> None:
        rng = np.random.default_rng(22)
        self.W, self.V = rng.standard_normal((M, D)), rng.standard_normal((M, D))
        self.b, self.c = rng.standard_normal(M), rng.standard_normal(D)
        self.lam = np.array([1.0, 0.5, -0.75, 2.0, 1.5])
        self.x = rng.standard_normal((N, D))
        self.x_noisy = self.x + SIGMA * rng.standard_normal((N, D))


def reconstruction(x: Array, W: Array, V: Array, b: Array, c: Array,
                   activation: Activation = SOFTPLUS) -> Array:
    """r = V' f'(W x + b) + c, shape (n, d)."""
    s, _ = activation.first_two(x @ W.T + b)
    return s @ V + c


def any_reconstruction() -> list[Statement]:
    """Statement 22 (a) for a decoder of its own, every term."""
    t = Parameters()
    r = reconstruction(t.x_noisy, t.W, t.V, t.b, t.c)
    psi = (r - t.x_noisy) / SIGMA**2
    left = DenoisingScoreMatching(t.x, t.x_noisy, SIGMA).evaluate(score=psi)[0]
    right = DenoisingAutoencoderLoss(t.x, t.x_noisy).evaluate(reconstruction=r)[0]
    size = (abs(r) + abs(t.x) + abs(t.x_noisy)).sum(axis=1) ** 2
    return [equal(22, "2 sigma^4 J_DSM = J_DAE, decoder V != W, terms", _where("decoder V"),
                  2 * SIGMA**4 * left, right, rounding_bound(size), "rounding")]


def multiples_have_an_energy() -> list[Statement]:
    """Statement 22 (b): psi of a decoder V_j = lambda_j W_j, and the derivative of its energy."""
    t = Parameters()

    def energy(x: Array) -> Array:
        a = x @ t.W.T + t.b
        return -(x @ t.c - (x * x).sum(axis=1) / 2 + softplus(a) @ t.lam) / SIGMA**2

    r = reconstruction(t.x, t.W, t.lam[:, None] * t.W, t.b, t.c)
    psi = (r - t.x) / SIGMA**2
    size = (abs(t.lam[:, None] * t.W).sum(axis=0) + abs(t.c) + abs(t.x)) / SIGMA**2
    return [equal(22, "psi = -grad E where V_j = lambda_j W_j", _where("V_j = lambda_j W_j"), psi,
                  -limits.gradient(energy, t.x), rounding_bound(size), "rounding")]


def wedges_are_determined() -> list[Statement]:
    """Statement 22 (c) and (d): the wedges from J - J' alone, J by complex step."""
    t = Parameters()
    J = limits.gradient(lambda x: (reconstruction(x, t.W, t.V, t.b, t.c) - x) / SIGMA**2, t.x)
    left = SIGMA**2 * (J - J.transpose(0, 2, 1))
    _, s1 = SOFTPLUS.first_two(t.x @ t.W.T + t.b)
    outer = t.V[:, :, None] * t.W[:, None, :]
    wedge = outer - outer.transpose(0, 2, 1)                             # (m, d, d)
    solved = np.linalg.lstsq(s1, left.reshape(N, D * D), rcond=None)[0].reshape(M, D, D)
    size = np.einsum("nj,jik->nik", s1, abs(outer)) + 1
    bound = rounding_bound(size)
    inverse = np.linalg.cond(s1) / np.linalg.norm(s1, ord=2)
    return [equal(22, "sigma^2 (J - J') = sum_j s1_j wedge_j", _where("decoder V"), left,
                  np.einsum("nj,jik->nik", s1, wedge), bound, "rounding"),
            equal(22, "wedge_j = V_j W_j' - W_j V_j', solved from J - J'", _where("decoder V"),
                  solved, wedge, inverse * np.sqrt(N) * bound.max(), "rounding"),
            differs(22, "decoder V != W: d psi_1/d x_2 and d psi_2/d x_1", _where("decoder V"),
                    J[0, 0, 1], J[0, 1, 0], UNIT * np.abs(J[0]).max())]


def exactly() -> list[Statement]:
    """Statement 22 in rationals: (a) term by term, and J = J' where V_j = lambda_j W_j."""
    t = Parameters()
    W, V, b, c, lam, x, x_noisy = (rationals.nearest(a, GRID) for a in (
        t.W, t.V, t.b, t.c, t.lam, t.x[:3], t.x_noisy[:3]))
    sigma: Any = Fraction(3, 8)
    r = reconstruction(x_noisy, W, V, b, c, RATIONAL)
    left = DenoisingScoreMatching(x, x_noisy, sigma).evaluate(score=(r - x_noisy) / sigma**2)[0]
    right = DenoisingAutoencoderLoss(x, x_noisy).evaluate(reconstruction=r)[0]
    _, s1 = RATIONAL.first_two(x @ W.T + b)
    multiple = lam[:, None] * W
    J = np.stack([((s * multiple.T) @ W - np.eye(D, dtype=int)) / sigma**2 for s in s1])
    where = f"3 points, d={D}, m={M}, sigma={sigma}"
    return [equal(22, "2 sigma^4 J_DSM = J_DAE, decoder V != W, terms", where,
                  2 * sigma**4 * left, right, 0, "exact"),
            equal(22, "J = J' where V_j = lambda_j W_j", where, J, J.transpose(0, 2, 1), 0,
                  "exact")]


def _where(decoder: str) -> str:
    return f"{N} points, d={D}, m={M}, sigma={SIGMA:g}, {decoder}"


GROUP = "The autoencoder energy: which decoders, which parameters"
LETTERS = ("V_j, W_j: rows of decoder V and encoder W; lambda_j: a number for each j; "
           "s1_j: slope of hidden unit j; "
           "wedge_j = V_j W_j' - W_j V_j'")
MAKERS = [any_reconstruction, multiples_have_an_energy, wedges_are_determined]
EXACT = [exactly]
