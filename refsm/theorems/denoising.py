"""Denoising score matching is a denoising autoencoder: statements 1, 6 and 15, on given data.

Symbols
    x, x_noisy    (n, d)   the data, and the data with noise of standard deviation sigma
    theta                  W (m, d), b (m,), c (d,) of the autoencoder
    J_DSM, J_DAE           the two losses, on the same noise
    eta           number   the rate of the descent on J_DAE

Statements
    1   2 sigma^4 J_DSM(theta) = J_DAE(theta): value, every term, and the gradients for W, b and c
    6   descent on J_DSM with rate 2 sigma^4 eta and descent on J_DAE with rate eta take the same
        path
    15  with sigma_i = sigma = 1 the Gaussian-Bernoulli RBM is the autoencoder energy plus |c|^2 / 2

Derivation
    1   psi - (x - x_noisy) / sigma^2 = (r - x) / sigma^2 for psi = (r - x_noisy) / sigma^2, point
        by point.
    6   by 1 the gradients differ by the factor 2 sigma^4, which the rates take out: each step is
        the same.
    15  |x - c|^2 / 2 = |x|^2 / 2 - c.x + |c|^2 / 2, and the activations are the same.

What the two sides of statement 1 share
    Each has its own forward and backward pass: a score, a target and a pullback on the left, an
    encoder, a decoder and backpropagation on the right.  Both call `activation.first_two` for f'
    and f''.  So a wrong sigmoid or slope is on both sides, and statement 1 still holds: it is
    algebra for every pair of functions in their place.  With a wrong f'', which is not the slope of
    f', 2 and 5 fail, because the divergence is not that of psi; with a wrong f', which is not the
    slope of f, 10 fails, because psi is not the score of exp(-E).

Conditions
    Isotropic Gaussian noise of the energy's own sigma.  Any reconstruction would do: see 22.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23
    (2011): 1, its main result.  The bound is the running error analysis of
    `refsm.theorems.rounding`.
"""
from __future__ import annotations

from fractions import Fraction
from typing import Any, Callable, Sequence

import numpy as np

from refsm.activations import RATIONAL
from refsm.fit.descent import gradient_descent
from refsm.energies.autoencoder import AutoencoderEnergy, AutoencoderTheta
from refsm.energies.gaussian_bernoulli_rbm import GaussianBernoulliRBM
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.denoising_autoencoder import DenoisingAutoencoderLoss
from refsm.theorems import rationals
from refsm.theorems.rounding import FUNCTION, RoundingBounds, autoencoder_bounds
from refsm.theorems.setting import Setting, middle
from refsm.theorems.statement import UNIT, Statement, equal
from refsm.typing import Array

__all__ = ["GROUP", "MAKERS", "ON_DATA", "EXACT_ON_DATA", "dsm_is_dae", "dsm_is_dae_exactly",
           "same_path", "rbm_is_autoencoder", "rbm_is_autoencoder_exactly"]

STEPS = 10              # of the two descents
AMPLIFIED = 2.0         # measured, not proved: at most 1.1 by the steps that follow an error
EXACT_POINTS = 3        # rows of the data in rationals, which grow with every operation
GRID = 64               # exact inputs are multiples of 1 / GRID


def dsm_is_dae(setting: Setting) -> list[Statement]:
    """Statement 1 in floating point: both sides times 2 sigma^4, in the units of x squared."""
    x, sigma = setting.data, setting.sigma
    x_noisy, W, b, c = setting.draw()
    model = AutoencoderEnergy(W, b, c, sigma=sigma)
    bounds = autoencoder_bounds(model, x, x_noisy)
    return _sides(setting.where, model, x, x_noisy, sigma, bounds, "rounding")


def dsm_is_dae_exactly(setting: Setting) -> list[Statement]:
    """Statement 1 in exact rationals, on the first rows rounded to multiples of 1/64."""
    rows = rationals.nearest(setting.data[:EXACT_POINTS], GRID)
    x_noisy, W, b, c = (rationals.nearest(a, GRID) for a in setting.draw())
    sigma = rationals.nearest(setting.sigma, GRID).item() or Fraction(1, GRID)
    model = AutoencoderEnergy(W, b, c, sigma=sigma, activation=RATIONAL)
    where = f"{len(rows)} {setting.name}, d={model.d}, m={setting.hidden}, sigma={sigma}"
    nothing = RoundingBounds(0, 0, AutoencoderTheta(0, 0, 0))      # type: ignore[arg-type]
    return _sides(where, model, rows, x_noisy[:EXACT_POINTS], sigma, nothing, "exact")


def _sides(where: str, model: AutoencoderEnergy, x: Array, x_noisy: Array, sigma: Any,
           bounds: RoundingBounds, how: str) -> list[Statement]:
    left, right = DenoisingScoreMatching(x, x_noisy, sigma), DenoisingAutoencoderLoss(x, x_noisy)
    scale = 2 * sigma**4
    value_l, gradient_l = left.value_and_gradient(model)
    value_r, gradient_r = right.value_and_gradient(model)
    name = "2 sigma^4 J_DSM = J_DAE"
    statements = [
        equal(1, f"{name}, value", where, scale * value_l, value_r, bounds.value, how),
        equal(1, f"{name}, terms", where, scale * left.per_sample(model), right.per_sample(model),
              bounds.per_sample, how),
    ]
    for leaf, l, r, bound in zip("Wbc", gradient_l, gradient_r, bounds.gradient):
        statements.append(equal(1, f"{name}, gradient for {leaf}", where, scale * l, r, bound, how))
    return statements


def same_path(setting: Setting) -> list[Statement]:
    """Statement 6: descent on J_DSM with rate 2 sigma^4 eta, and on J_DAE with rate eta.

    The bound: every step may add eta times the rounding of one gradient (statement 1), and the
    rounding of the update itself; the later steps carry it on, doubled at most.  That is measured,
    not proved: with eta of the order of 1 / (m + mean |x|^2), the inverse size of the curvature of
    J_DAE here, the growth of a small change of the start is 0.9 to 1.02.  Data whose root mean
    square exceeds 1 are divided by it, so that the steps stay stable; sigma is not, because the
    statement asks nothing of the noise.
    """
    x_noisy, W, b, c = setting.draw()
    unit = max(1.0, float(np.sqrt(np.mean(x_noisy**2))))
    x, x_noisy, c, sigma = setting.data / unit, x_noisy / unit, c / unit, setting.sigma
    model = AutoencoderEnergy(W, b, c, sigma=sigma)
    dsm, dae = DenoisingScoreMatching(x, x_noisy, sigma), DenoisingAutoencoderLoss(x, x_noisy)
    eta = 0.25 / (setting.hidden + (x_noisy**2).sum(axis=1).mean())
    left = _end(dsm, model, 2 * sigma**4 * eta)
    right = _end(dae, model, eta)
    start = model.ravel()
    size = np.maximum(np.abs(start), np.abs(right)).max()
    gradient = autoencoder_bounds(model, x, x_noisy).gradient
    step = eta * max(float(np.max(leaf)) for leaf in gradient) + 2 * UNIT * size
    bound = STEPS * AMPLIFIED * step * np.sqrt(start.size)
    return [equal(6, f"theta after {STEPS} steps on J_DSM and on J_DAE", setting.where, left,
                  right, bound, "rounding")]


def _end(J: Any, model: AutoencoderEnergy, rate: float) -> Array:
    """theta after the descent; an interruption of it is one of the statement."""
    return gradient_descent(J, model, steps=STEPS, rate=rate, progress=False).model.ravel()


def rbm_is_autoencoder(setting: Setting) -> list[Statement]:
    """Statement 15 in floating point: E_RBM - E_autoencoder = |c|^2 / 2, and equal scores."""
    x_noisy, W, b, c = setting.draw()
    d = len(c)
    rbm = GaussianBernoulliRBM(W, b, c, np.zeros(d))
    autoencoder = AutoencoderEnergy(W, b, c, sigma=1.0)
    where = setting.where.replace(f"sigma={setting.sigma:g}", "sigma=1")
    a_size = np.abs(x_noisy) @ np.abs(W).T + np.abs(b)
    unit = (d + setting.hidden + FUNCTION) * UNIT
    energy_size = unit * ((x_noisy**2).sum(axis=1) + (c**2).sum() + np.abs(x_noisy) @ np.abs(c)
                          + a_size.sum(axis=1))
    score_size = unit * ((1 + a_size) @ np.abs(W) + np.abs(x_noisy) + np.abs(c))
    left, right = rbm.energy(x_noisy), autoencoder.energy(x_noisy) + (c * c).sum() / 2
    return [
        equal(15, "E_RBM = E_autoencoder + |c|^2 / 2", where, left, right, 4 * energy_size,
              "rounding"),
        equal(15, "psi_RBM = psi_autoencoder", where, rbm.score(x_noisy),
              autoencoder.score(x_noisy), 4 * score_size, "rounding"),
    ]


def rbm_is_autoencoder_exactly(setting: Setting) -> list[Statement]:
    """Statement 15 in exact rationals: the scores, and the gradients of J_DSM."""
    rows = rationals.nearest(setting.data[:EXACT_POINTS], GRID)
    x_noisy, W, b, c = (rationals.nearest(a, GRID) for a in setting.draw())
    x_noisy = x_noisy[:EXACT_POINTS]
    zero = rationals.whole(np.zeros(len(c)))
    rbm = GaussianBernoulliRBM(W, b, c, zero, activation=RATIONAL)
    autoencoder = AutoencoderEnergy(W, b, c, sigma=Fraction(1), activation=RATIONAL)
    J = DenoisingScoreMatching(rows, x_noisy, Fraction(1))
    where = f"{len(rows)} {setting.name}, d={len(c)}, m={setting.hidden}, sigma=1"
    statements = [equal(15, "psi_RBM = psi_autoencoder", where, rbm.score(x_noisy),
                        autoencoder.score(x_noisy), 0, "exact")]
    for leaf, l, r in zip("Wbc", J.gradient(rbm), J.gradient(autoencoder)):
        statements.append(equal(15, f"gradient of J_DSM for {leaf}, RBM = autoencoder", where, l, r,
                                0, "exact"))
    return statements


def _dsm_is_dae_at_each_sigma(settings: Sequence[Setting]) -> list[Statement]:
    return [statement for setting in settings for statement in dsm_is_dae(setting)]


GROUP = "Denoising score matching is a denoising autoencoder: 2 sigma^4 J_DSM = J_DAE"
MAKERS: list[Callable[[], list[Statement]]] = []
ON_DATA = [_dsm_is_dae_at_each_sigma, lambda settings: same_path(middle(settings)),
           lambda settings: rbm_is_autoencoder(middle(settings))]
EXACT_ON_DATA = [lambda settings: dsm_is_dae_exactly(middle(settings)),
                 lambda settings: rbm_is_autoencoder_exactly(middle(settings))]
