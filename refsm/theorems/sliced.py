"""Sliced score matching: statements 7 and 8.

Symbols
    n points (N), i and k dimensions (D), r directions.
    v             directions, with E[v v'] = I;  Q an orthonormal frame, its rows Q_r
    psi, J        score and its Jacobian
    q             the density of the points

Statements
    7   SSM over all 2^d sign vectors, or over one orthonormal frame times sqrt(d), is ISM: both
        forms, value and gradient
    8   1/2 E_q E_v (v.psi - v.grad log q)^2 = E_q E_v SSM + 1/2 E_q E_v (v.grad log q)^2

Derivation
    7   the mean of v_i v_k is delta_ik: over all signs because v_i^2 = 1 and v_i v_k changes its
        sign with v_i; over an orthonormal frame, v_r = sqrt(d) Q_r, because sum_r Q_ri Q_rk =
        delta_ik.  So the mean of v'Jv is tr J, and that of (v.psi)^2 is |psi|^2.
    8   multiply out; integration by parts along v gives E_q (v.psi)(v.grad log q) = -E_q v'Jv.

Conditions
    8 needs what statement 2 needs: q psi vanishes at infinity, finite expectations, no jumps.

Sources
    Song, Garg, Shi & Ermon, Sliced score matching, UAI 2019: 8, and 7 in expectation.
"""
from __future__ import annotations

from fractions import Fraction

import numpy as np

from refsm import directions
from refsm.activations import RATIONAL
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian_bernoulli_rbm import GaussianBernoulliRBM
from refsm.energies.mixture import GaussianMixture
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.objectives.sliced import SlicedScoreMatching
from refsm.theorems import rationals
from refsm.theorems.chain import density, models, nodes_of
from refsm.theorems.statement import ROUNDINGS, UNIT, Statement, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "MAKERS", "EXACT", "sliced_is_implicit", "explicit_sliced", "exactly"]

N, D, M = 7, 5, 3
GRID = 8                    # exact inputs are multiples of 1 / GRID


def sliced_is_implicit() -> list[Statement]:
    """Statement 7 in floating point, for three energies and two kinds of exact directions."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((N, D))
    W, b, c = rng.standard_normal((M, D)), rng.standard_normal(M), rng.standard_normal(D)
    energies = [AutoencoderEnergy(W, b, c, sigma=0.6),
                GaussianBernoulliRBM(W, b, c, rng.standard_normal(D) / 3),
                GaussianMixture([0.3, 0.7], rng.standard_normal((2, D)),
                                np.stack([np.eye(D), 0.4 * np.eye(D)]))]
    kinds = {"all 2^d signs": directions.all_signs(N, D),
             "one frame times sqrt(d)": directions.frames(N, D, rng)}
    out = []
    for model in energies:
        right = ImplicitScoreMatching(x)
        size = (model.score(x) ** 2).sum(axis=1) + np.abs(model.score_jacobian(x)).sum(axis=(1, 2))
        for kind, v in kinds.items():
            for variance_reduced in (False, True):
                left = SlicedScoreMatching(x, v, variance_reduced=variance_reduced)
                form = "variance-reduced " if variance_reduced else ""
                bound = ROUNDINGS * UNIT * np.sqrt(v.shape[1]) * size
                out.append(equal(7, f"{form}SSM = ISM, terms", f"{type(model).__name__}, {kind}",
                                 left.per_sample(model), right.per_sample(model), bound,
                                 "rounding"))
    return out


def exactly() -> list[Statement]:
    """Statement 7 in rationals: value and gradients, all 2^3 signs, a rotated frame times 3."""
    rng = np.random.default_rng(70)
    out = []
    for d, kind in ((3, "all 2^d signs"), (9, "a rotated frame times 3")):
        shapes = ((N, d), (M, d), (M,), (d,))
        x, W, b, c = (rationals.nearest(rng.standard_normal(shape), GRID) for shape in shapes)
        model = AutoencoderEnergy(W, b, c, sigma=Fraction(3, 8), activation=RATIONAL)
        v = rationals.whole(directions.all_signs(1, d)) if d == 3 else 3 * _reflection(d)[None]
        right = ImplicitScoreMatching(x)
        for variance_reduced in (False, True):
            along = np.repeat(v, N, axis=0)
            left = SlicedScoreMatching(x, along, variance_reduced=variance_reduced)
            form = "variance-reduced " if variance_reduced else ""
            value_l, gradient_l = left.value_and_gradient(model)
            value_r, gradient_r = right.value_and_gradient(model)
            where = f"AutoencoderEnergy, d={d}, {kind}"
            out.append(equal(7, f"{form}SSM = ISM, value", where, value_l, value_r, 0, "exact"))
            for block, l, r in zip("Wbc", gradient_l, gradient_r):
                out.append(equal(7, f"{form}SSM = ISM, gradient for {block}", where, l, r, 0,
                                 "exact"))
    return out


def explicit_sliced() -> list[Statement]:
    """Statement 8: the same constant for every model, with q and E_v exact."""
    q = density()
    x, w = nodes_of(q)
    v = np.array([[np.sqrt(2), 0], [0, np.sqrt(2)], [1, 1], [1, -1]])    # (M, d)  E[v v'] = I
    target = q.score(x) @ v.T                                            # (n, M)  v.grad log q
    constant = w @ (target**2).mean(axis=1) / 2
    out = []
    for name, model in models().items():
        along = model.score(x) @ v.T
        explicit = w @ ((along - target) ** 2).mean(axis=1) / 2
        along_all = np.broadcast_to(v, (len(x), *v.shape))
        sliced = SlicedScoreMatching(x, along_all, weights=w).value(model)
        bound = relative_bound(explicit, w @ (along**2).mean(axis=1), constant)
        out.append(equal(8, "sliced Fisher divergence - SSM = const", f"{name}, d=2",
                         explicit - sliced, constant, bound, "quadrature"))
    return out


def _reflection(d: int) -> Array:
    """I - 2 v v' / v'v for v = (1, 2, ..., d): an orthonormal frame of rational numbers."""
    v = rationals.whole(np.arange(1, d + 1))
    return rationals.whole(np.eye(d)) - 2 * np.outer(v, v) / (v @ v)


GROUP = "Sliced score matching"
MAKERS = [sliced_is_implicit, explicit_sliced]
EXACT = [exactly]
