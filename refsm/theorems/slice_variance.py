"""How much a slice varies, and what a curvature is: statements 29 and 32.

Symbols
    psi           (d,)      score at one point;  J (d, d) its Jacobian, symmetric
    v             (d,)      a direction;  Sigma (d, d) = E[v v']
    A             (d, d)    J for the reduced form, J + psi psi' / 2 for the plain one
    |A|^2                   the sum of the squared entries
    x             (n, d)    points

Statements
    29  (a) the term of one slice is v'Av + constant, and over v with E[v v'] = I its variance is:
            Gaussian v    2 |A|^2
            signs         2 (|A|^2 - sum_i A_ii^2)
            sphere        2 d / (d + 2) (|A|^2 - (tr A)^2 / d)     vectors of length sqrt(d)
            a frame       0 for the mean over d orthogonal directions of length sqrt(d)
        (b) for N(0, I) at its optimum and Gaussian v, averaged over x: d (d + 2) / 2 for the plain
            form, 2 d for the reduced one: plain is less at d = 1, equal at d = 2, more beyond
        (c) in general E_v (1) = tr(Sigma J) + 1/2 psi' Sigma psi, and
            E_q E_v (1) + 1/2 E_q s' Sigma s = 1/2 E_q (psi - s)' Sigma (psi - s), s = grad log q:
            for every Sigma > 0 its least value is at psi = s
    32  (a) v'Jv = v.grad(v.psi) with v held fixed, the derivative of v.psi along v
        (b) (v.psi(x + h v) - v.psi(x)) / h = v'Jv exactly, if psi is affine
        (c) the mean over directions of v'Jv, an estimate of tr J (Hutchinson), plus 1/2 |psi|^2 is
            the term of variance-reduced sliced score matching

Derivation
    29  (a) v'Av + 1/2 |psi|^2 or 0.  For Gaussian v, E v_i v_j v_k v_l = d_ij d_kl + d_ik d_jl +
            d_il d_jk gives E (v'Av)^2 = (tr A)^2 + 2 |A|^2.  For signs v_i^2 = 1, so v'Av = tr A +
            2 sum_{i<k} A_ik v_i v_k, of variance 4 sum_{i<k} A_ik^2.  On the sphere
            v = sqrt(d) g / |g|, where |g| and g / |g| are independent and E |g|^4 = d (d + 2), so
            E (v'Av)^2 is d / (d + 2) times the Gaussian's.  A frame: statement 7.
        (b) psi = -x, J = -I.  E_x 2 |-I + xx'/2|^2 = 2 (d - E|x|^2 + E|x|^4 / 4) = d (d + 2) / 2;
            and 2 |J|^2 = 2 d.  So "variance-reduced" is a name: the plain form varies less where
            psi'J psi < -|psi|^4 / 4.
        (c) E v'Jv = tr(J E v v'); the second line is (7) -> (11) of `refsm.objectives.sliced`.
    32  (a) v.grad(v.psi) = sum_ik v_k d(v_i psi_i)/dx_k, v a constant.  If v depends on x, the
            derivative of v has to be left out by hand.
        (b) psi(x + h v) - psi(x) = h J v.

Conditions
    (a) is the variance over v at one point, for one direction; M independent directions divide it
        by M.

Sources
    Hutchinson, Communications in Statistics: Simulation and Computation 19 (1990): the estimate,
    and its variance for signs.  Song, Garg, Shi & Ermon, Sliced score matching, UAI 2019: both
    forms.
"""
from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np

from refsm import directions, expectations
from refsm.activations import RATIONAL
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian import Gaussian
from refsm.objectives.sliced import SlicedScoreMatching
from refsm.theorems import limits, rationals
from refsm.theorems.chain import density, models, nodes_of
from refsm.theorems.statement import (QUADRATURE, Statement, equal, relative_bound, rounding_bound)
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "EXACT", "variance_of_a_slice", "plain_and_reduced",
           "any_second_moment", "curvature_as_a_derivative", "exactly"]

D = 3               # dimensions of 29 (a)
N, M = 7, 5         # points and hidden units of 32
GRID = 8            # exact inputs are multiples of 1 / GRID


def directions_of(kind: str) -> tuple[Array, Array]:
    """Directions (K, D) and probabilities (K,), exact for polynomials of degree 4 in v."""
    if kind == "Gaussian":
        return expectations.gauss_hermite((np.zeros(D), np.eye(D)), 3)
    if kind == "signs":
        v = directions.all_signs(1, D)[0]
        return v, np.full(len(v), 1 / len(v))
    z, c = np.polynomial.legendre.leggauss(3)                            # the height on the sphere
    angle = 2 * np.pi * np.arange(5) / 5
    radius = np.sqrt(1 - z**2)
    v = np.array([[r * np.cos(t), r * np.sin(t), height]
                  for (height, r), t in itertools.product(zip(z, radius), angle)])
    return np.sqrt(D) * v, np.repeat(c / 2, 5) / 5


def variance_of_a_slice() -> list[Statement]:
    """Statement 29 (a): both forms, each kind of directions, one point of a model."""
    rng = np.random.default_rng(29)
    model = AutoencoderEnergy(rng.standard_normal((M, D)), rng.standard_normal(M),
                              rng.standard_normal(D), sigma=0.8)
    x = rng.standard_normal((1, D))
    psi, J = model.score(x)[0], model.score_jacobian(x)[0]
    out = []
    for form, A in (("plain", J + np.outer(psi, psi) / 2), ("reduced", J)):
        square, trace = (A**2).sum(), np.trace(A)
        formulas = {"Gaussian": 2 * square, "signs": 2 * (square - (np.diag(A) ** 2).sum()),
                    "sphere": 2 * D / (D + 2) * (square - trace**2 / D)}
        for kind, formula in formulas.items():
            v, w = directions_of(kind)
            term = slices(model, x, v, form)
            variance = w @ (term - w @ term) ** 2
            out.append(equal(29, f"variance of a {form} slice, {kind} directions",
                             f"AutoencoderEnergy, d={D}", variance, formula,
                             relative_bound(w @ term**2, square), "quadrature"))
        frames = directions.frames(N, D, rng).reshape(N * D, D)
        means = slices(model, x, frames, form).reshape(N, D).mean(axis=1)
        out.append(equal(29, f"variance of a mean over a frame, {form} slices",
                         f"AutoencoderEnergy, d={D}, {N} frames", means.var(), 0.0,
                         relative_bound(abs(means).max()) ** 2, "rounding"))
    return out


def slices(model: Any, x: Array, v: Array, form: str) -> Array:
    """The terms (K,) of single slices at one point x (1, D) along directions v (K, D)."""
    points = np.repeat(x, len(v), axis=0)
    return SlicedScoreMatching(points, v[:, None, :],
                               variance_reduced=form == "reduced").per_sample(model)


def plain_and_reduced() -> list[Statement]:
    """Statement 29 (b) in one, two and three dimensions, by polynomials of degree 4."""
    out = []
    for d in (1, 2, 3):
        model = Gaussian(np.zeros(d), np.eye(d))
        rule = expectations.gauss_hermite((np.zeros(d), np.eye(d)), 3)
        (x, w), (v, u) = rule, rule
        points, along = np.repeat(x, len(v), axis=0), np.tile(v, (len(x), 1))[:, None, :]
        for form, formula in (("plain", d * (d + 2) / 2), ("reduced", 2.0 * d)):
            J = SlicedScoreMatching(points, along, variance_reduced=form == "reduced")
            term = J.per_sample(model).reshape(len(x), len(v))
            variance = w @ ((term - (term @ u)[:, None]) ** 2 @ u)
            right = "d (d + 2) / 2" if form == "plain" else "2 d"
            out.append(equal(29, f"mean variance of a {form} slice = {right}",
                             f"N(0, I) at its optimum, d={d}, Gaussian v", variance, formula,
                             relative_bound(w @ (term**2 @ u)), "quadrature"))
    return out


def any_second_moment() -> list[Statement]:
    """Statement 29 (c): E[v v'] = Sigma, not I, expected over q."""
    q = density()
    x, w = nodes_of(q)
    s = q.score(x)
    Sigma = np.array([[1.7, 0.6], [0.6, 0.5]])
    v, u = expectations.gauss_hermite((np.zeros(2), Sigma), 2)           # (4, 2), (4,)
    out = []
    for name, model in models().items():
        psi = model.score(x)
        terms = sum(u_r * SlicedScoreMatching(x, np.broadcast_to(v_r, (len(x), 1, 2)))
                    .per_sample(model) for v_r, u_r in zip(v, u))
        left = w @ terms + w @ np.einsum("ni,ik,nk->n", s, Sigma, s) / 2
        right = w @ np.einsum("ni,ik,nk->n", psi - s, Sigma, psi - s) / 2
        size = np.trace(Sigma) * (w @ (psi**2 + s**2).sum(axis=1))
        out.append(equal(29, "E SSM + E s'Sigma s/2 = E(psi-s)'Sigma(psi-s)/2",
                         f"{name}, E[v v'] = Sigma", left, right, QUADRATURE * size, "quadrature"))
    return out


def curvature_as_a_derivative() -> list[Statement]:
    """Statement 32 (a) by complex step, and (c), for an autoencoder."""
    rng = np.random.default_rng(32)
    W, b, c = rng.standard_normal((M, D)), rng.standard_normal(M), rng.standard_normal(D)
    x, v = rng.standard_normal((N, D)), rng.standard_normal((N, D))
    model = AutoencoderEnergy(W, b, c, sigma=0.7)
    slope = limits.gradient(lambda x: (v * model.score(x)).sum(axis=1), x)    # grad(v.psi)
    size = ((v @ abs(W).T) ** 2).sum(axis=1) + (abs(v) @ abs(W).T).sum(axis=1) + (v**2).sum(axis=1)
    where = f"AutoencoderEnergy, {N} points, d={D}"
    return [equal(32, "v.grad(v.psi) = v'Jv", where, (v * slope).sum(axis=1),
                  model.score_curvature(x, v), rounding_bound(size / 0.7**2), "rounding"),
            *_hutchinson(model, x, rng.standard_normal((N, 4, D)), "rounding")]


def exactly() -> list[Statement]:
    """Statement 32 (b) and (c) in rationals."""
    rng = np.random.default_rng(32)
    shapes = ((M, D), (M,), (D,), (N, D), (N, 4, D), (D, D))
    W, b, c, x, v, A = (rationals.nearest(rng.standard_normal(shape), GRID) for shape in shapes)
    model = AutoencoderEnergy(W, b, c, sigma=Fraction(5, 8), activation=RATIONAL)
    gaussian = Gaussian(c, A @ A.T)
    h, along = Fraction(1, 3), v[:, 0]
    rise = (along * (gaussian.score(x + h * along) - gaussian.score(x))).sum(axis=1) / h
    return [equal(32, "(v.psi(x + h v) - v.psi(x))/h = v'Jv", f"Gaussian, {N} points, d={D}, h=1/3",
                  rise, gaussian.score_curvature(x, along), 0, "exact"),
            *_hutchinson(model, x, v, "exact")]


def _hutchinson(model: Any, x: Array, v: Array, how: str) -> list[Statement]:
    psi, J = model.score(x), model.score_jacobian(x)
    count = v.shape[1]
    products = (v[:, :, :, None] * v[:, :, None, :] * J[:, None]).sum(axis=(2, 3))    # (n, M)
    left = products.sum(axis=1) / count + (psi * psi).sum(axis=1) / 2
    right = SlicedScoreMatching(x, v, variance_reduced=True).per_sample(model)
    bound: Any = 0
    if how == "rounding":
        bound = rounding_bound((abs(v).max() * D) ** 2 * (1 + abs(J).max(axis=(1, 2))),
                               (psi**2).sum(axis=1))
    return [equal(32, "Hutchinson's tr J + 1/2 |psi|^2 = reduced SSM",
                  f"AutoencoderEnergy, {len(x)} points, d={D}, {count} directions", left, right,
                  bound, how)]


GROUP = "Sliced score matching"
LETTERS = ("Sigma = E[v v']; h: a step; a frame: d orthogonal directions")
MAKERS = [variance_of_a_slice, plain_and_reduced, any_second_moment, curvature_as_a_derivative]
EXACT = [exactly]
