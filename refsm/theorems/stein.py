"""Stein's identity and the kernel Stein discrepancy: statement 50.

Symbols
    q, s                    a density and its score;  psi the score of a model
    k                       a kernel k(x, x') = exp(-|x - x'|^2 / (2 h^2)), of width h
    f                       a field, R^d to R^d
    E_q E_q'                over two independent points x, x' of q

Statements
    50  E_q (s.f + div f) = 0
        E_q E_q' ( psi(x)'psi(x') k + psi(x).grad_x' k + psi(x').grad_x k + tr grad_x grad_x' k )
        = E_q E_q' (s - psi)(x)' k (s - psi)(x'):
        the left side needs psi and points of q only, the right side is >= 0, and 0 only where
        psi = s wherever q > 0

Derivation
    q s = grad q, so E_q s.f = integral grad q.f = -E_q div f, by parts.
    For each x' the field f = (psi(x') - s(x')) k(x, x') has E_q (s.f + div f) = 0.  Expand the
    right side, and replace E_q s(x) g(x) by -E_q grad g(x), in x and in x':
    E E' s(x)'s(x') k = E E' tr grad_x grad_x' k,
    -E E' s(x)'psi(x') k = E E' psi(x').grad_x k, and so on.
    k is positive definite, so the right side is a squared norm of q (s - psi).

Conditions
    q f and q psi k vanish at infinity, all expectations finite.

Sources
    Stein, Estimation of the mean of a multivariate normal distribution, Annals of Statistics 9
    (1981).  Liu, Lee & Jordan, A kernelized Stein discrepancy for goodness-of-fit tests, ICML 2016,
    and Chwialkowski, Strathmann & Gretton, A kernel test of goodness of fit, ICML 2016.
"""
from __future__ import annotations

import numpy as np

from refsm import expectations
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian import Gaussian
from refsm.sums import row_dot
from refsm.theorems.chain import density, models
from refsm.theorems.statement import Statement, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "MAKERS", "identity", "discrepancy", "stein_kernel"]

GROUP = "Contrastive divergence, Langevin steps and Stein's identity"

SIZE = 121              # nodes along each of two dimensions
COARSE = 33             # the same for pairs of points
WIDTH = 1.7             # of the kernel


def identity() -> list[Statement]:
    """Statement 50, Stein's identity, for two scores and a field that is no score."""
    q = density()
    x, w = expectations.trapezoid(q, SIZE)
    a = np.array([0.7, -1.1])
    wave = np.sin(x @ a)
    fields = {"f = x sin(a.x)": (x * wave[:, None], 2 * wave + (x @ a) * np.cos(x @ a))}
    for name, model in list(models().items())[:2]:
        fields[f"f = score, {name.split(',')[0]}"] = (model.score(x), model.score_divergence(x))
    out = []
    for name, (f, div) in fields.items():
        along = row_dot(q.score(x), f)
        bound = relative_bound(w @ abs(along), w @ abs(div))
        out.append(equal(50, "E_q s.f = -E_q div f", f"{name}, d=2", w @ along, -(w @ div), bound,
                         "quadrature"))
    return out


def stein_kernel(x: Array, psi: Array, h: float) -> Array:
    """What the left side is the mean of, for all pairs of points: (n, n)."""
    d, square = x.shape[1], row_dot(x, x)
    distance = square[:, None] + square - 2 * x @ x.T                    # |x - x'|^2
    k = np.exp(-distance / (2 * h**2))
    along = row_dot(psi, x)
    psi_x = psi @ x.T                                                    # psi(x).x'
    # grad_x' k = (x - x') k / h^2 and grad_x k = -(x - x') k / h^2
    cross = (along[:, None] - psi_x) + (along - psi_x.T)              # psi.(x - x') + psi'.(x' - x)
    return k * (psi @ psi.T + cross / h**2 + d / h**2 - distance / h**4)


def discrepancy() -> list[Statement]:
    """Statement 50, the discrepancy, for two energies and for the density itself."""
    q = Gaussian([-0.3, 0.4], [[1.3, -0.5], [-0.5, 0.9]])
    x, w = expectations.trapezoid(q, COARSE)
    keep = w > 1e-19 * w.max()                                           # the others cannot matter
    x, w = x[keep], w[keep]
    s = q.score(x)
    square = row_dot(x, x)
    k = np.exp(-(square[:, None] + square - 2 * x @ x.T) / (2 * WIDTH**2))
    out = []
    W = np.array([[0.4, -0.3], [0.2, 0.5], [-0.6, 0.1]])             # small: a coarse rule is exact
    cases = {"Gaussian": Gaussian([0.2, -0.3], [[0.7, 0.4], [0.4, 1.6]]),
             "AutoencoderEnergy": AutoencoderEnergy(W, np.ones(3) / 3, np.ones(2) / 2, sigma=1.2),
             "the density itself": q}
    for name, model in cases.items():
        psi = model.score(x)
        r = w[:, None] * (s - psi)
        left, right = w @ stein_kernel(x, psi, WIDTH) @ w, row_dot(r, k @ r).sum()
        size = w @ (row_dot(psi, psi) + row_dot(s, s)) + 2 / WIDTH**2
        out.append(equal(50, "E E' of Stein's kernel = E E' (s - psi)'k (s - psi)'", f"{name}, d=2",
                         left, right, relative_bound(size), "quadrature"))
    return out


MAKERS = [identity, discrepancy]
