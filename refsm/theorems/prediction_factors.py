"""Losses of predictions are multiples of denoising score matching: statements 34 to 38.

Symbols
    x_noisy = alpha x + sigma eps, the corruption;  psi a score, t = -eps / sigma its target
    J                       1/2 |psi - t|^2, the term of J_DSM
    s_d                     standard deviation of the clean points, for edm

Statements, point by point, and for the gradient of every model
    34  |eps_hat - eps|^2 = 2 sigma^2 J                                    noise
    35  |x_hat - x|^2 = (2 sigma^4 / alpha^2) J                            clean point
    36  |v_hat - v|^2 = (2 sigma^2 (alpha^2 + sigma^2)^2 / alpha^2) J      v = alpha eps - sigma x
    37  |u_hat - u|^2 = (2 sigma^2 (alpha + sigma)^2 / alpha^2) J          u = eps - x
    38  |F_hat - F|^2 = (2 sigma^2 (sigma^2 + s_d^2) / s_d^2) J            edm, alpha = 1
        and the maps between any two of them are inverse to each other

Derivation
    eps_hat - eps = -sigma (psi - t), because both are -sigma times a score or its target.
    34  its square.
    35  x_hat - x = -(sigma / alpha) (eps_hat - eps), because x_noisy is the same in both.
    36  v_hat - v = alpha (eps_hat - eps) - sigma (x_hat - x)
                  = (alpha + sigma^2 / alpha) (eps_hat - eps).
    37  u_hat - u = (1 + sigma / alpha) (eps_hat - eps).
    38  F_hat - F = (x_hat - x) / c_out with c_out^2 = sigma^2 s_d^2 / (sigma^2 + s_d^2).

What both sides share
    The model's score.  The loss of a prediction has its own forward and backward pass, through
    noise and clean point; its factor is written out here.

Sources
    As in `refsm.predictions`.
"""
from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from refsm.corruption import Corruption, GaussianCorruption, ScaledCorruption
from refsm.energies.gaussian import Gaussian
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.prediction import PredictionLoss
from refsm.predictions import KINDS, convert
from refsm.theorems.chain import models
from refsm.theorems.statement import UNIT, Statement, equal
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "EXACT", "factors", "inverses", "exactly"]

GROUP = "Predictions in the place of a score"
LETTERS = ("J: the term of J_DSM; a, s: alpha, sigma; s_d: standard deviation of x; "
           "eps_hat, x_hat, v_hat, u_hat, F_hat: predictions of eps, x, v = alpha eps - sigma x, "
           "u = eps - x, and F of edm")

NUMBERS = {"noise": 34, "clean": 35, "velocity": 36, "flow": 37, "edm": 38}
NAMES = {"noise": "|eps_hat - eps|^2 = 2 sigma^2 J", "clean": "|x_hat - x|^2 = 2 s^4/a^2 J",
         "velocity": "|v_hat - v|^2 = 2 s^2 (a^2 + s^2)^2/a^2 J",
         "flow": "|u_hat - u|^2 = 2 s^2 (a + s)^2/a^2 J",
         "edm": "|F_hat - F|^2 = 2 s^2 (s^2 + s_d^2)/s_d^2 J"}
ALPHA, SIGMA, DATA_SD = 0.8, 0.61, 1.3
POINTS = 11
ROUNDINGS = 64.0        # chosen: more than the operations on the longest path of a term


def written_factor(kind: str, alpha: Any, sigma: Any, s_d: Any) -> Any:
    """The factor of statements 34 to 38."""
    return {"noise": 2 * sigma**2, "clean": 2 * sigma**4 / alpha**2,
            "velocity": 2 * sigma**2 * (alpha**2 + sigma**2) ** 2 / alpha**2,
            "flow": 2 * sigma**2 * (alpha + sigma) ** 2 / alpha**2,
            "edm": 2 * sigma**2 * (sigma**2 + s_d**2) / s_d**2}[kind]


def corruption_of(kind: str) -> Corruption:
    """Scaled noise, except for edm."""
    return GaussianCorruption(SIGMA) if kind == "edm" else ScaledCorruption(ALPHA, SIGMA)


def factors() -> list[Statement]:
    """Statements 34 to 38 in floating point: terms and gradients of three energies."""
    rng = np.random.default_rng(34)
    x, x_noisy = rng.standard_normal((POINTS, 2)), rng.standard_normal((POINTS, 2))
    out = []
    for kind, number in NUMBERS.items():
        corruption = corruption_of(kind)
        alpha: Any = corruption.alpha
        factor = written_factor(kind, alpha, SIGMA, DATA_SD)
        loss = PredictionLoss(x, x_noisy, corruption, predict=kind, data_sd=DATA_SD)
        denoising = DenoisingScoreMatching(x, x_noisy, corruption)
        for name, model in list(models().items())[:3]:
            psi, target = model.score(x_noisy), corruption.score(x_noisy, x)
            size = factor * (abs(psi) + abs(target) + abs(x_noisy) / SIGMA**2) ** 2
            bound = ROUNDINGS * UNIT * size.sum(axis=1)                              # (n,)
            where = f"{name.split(',')[0]}, alpha={alpha:g}, sigma={SIGMA:g}"
            left, right = loss.gradient(model), denoising.gradient(model)
            slope = ROUNDINGS * UNIT * gradient_size(model, x_noisy, size)
            out += [equal(number, NAMES[kind], where, loss.per_sample(model),
                          factor * denoising.per_sample(model), bound, "rounding"),
                    equal(number, "... and its gradient", where, model.ravel(left),
                          factor * model.ravel(right), slope, "rounding")]
    return out


def gradient_size(model: Any, x: Array, size: Array) -> float:
    """A scale of the gradient: the largest slope of a score, times the root of the terms' size."""
    slopes = [abs(model.ravel(model.pullback(x[n:n + 1], score=np.eye(model.d)[[i]]))).max()
              for n in range(len(x)) for i in range(model.d)]
    return 2 * max(slopes) * float(np.sqrt(size).sum()) / len(x) * model.ravel().size


def inverses() -> list[Statement]:
    """Statement 38: from each kind of prediction to each other and back again."""
    rng = np.random.default_rng(38)
    value, x_noisy = rng.standard_normal((POINTS, 3)), rng.standard_normal((POINTS, 3))
    corruption = GaussianCorruption(SIGMA)
    back = [there_and_back(value, x_noisy, corruption, a, b, DATA_SD)
            for a, b in product(KINDS, KINDS)]
    bound = ROUNDINGS * UNIT * (abs(value) + abs(x_noisy)) * (1 + 1 / SIGMA) ** 2
    where = f"{len(KINDS)} kinds, each to each, sigma={SIGMA:g}"
    return [equal(38, "there and back again is the same prediction", where, np.array(back), value,
                  bound, "rounding")]


def there_and_back(value: Array, x_noisy: Array, corruption: Any, a: str, b: str,
                   s_d: Any) -> Array:
    """A prediction of kind a, as kind b, as kind a."""
    there = convert(value, x_noisy, corruption, source=a, target=b, data_sd=s_d)
    return convert(there, x_noisy, corruption, source=b, target=a, data_sd=s_d)


def exactly() -> list[Statement]:
    """Statements 34 to 38 in rational numbers."""
    alpha: Any = Fraction(5, 7)
    sigma: Any = Fraction(3, 5)
    s_d: Any = Fraction(4, 5)
    grid = np.random.default_rng(35).integers(-8, 9, size=(2, 5, 3))
    x, x_noisy = np.vectorize(lambda k: Fraction(int(k), 8), otypes=[object])(grid)
    precision = np.array([[Fraction(2), Fraction(1, 3), Fraction(0)],
                          [Fraction(1, 3), Fraction(5), Fraction(1, 2)],
                          [Fraction(0), Fraction(1, 2), Fraction(3)]])
    model = Gaussian(np.array([Fraction(1, 9), Fraction(0), Fraction(2)]), precision)
    out = []
    for kind, number in NUMBERS.items():
        plain = kind == "edm"
        corruption = GaussianCorruption(sigma) if plain else ScaledCorruption(alpha, sigma)
        factor = written_factor(kind, corruption.alpha, sigma, s_d)
        loss = PredictionLoss(x, x_noisy, corruption, predict=kind, data_sd=s_d)
        denoising = DenoisingScoreMatching(x, x_noisy, corruption)
        where = f"Gaussian, d=3, alpha={corruption.alpha}, sigma={sigma}"
        left, right = (np.concatenate([J.per_sample(model), model.ravel(J.gradient(model))])
                       for J in (loss, denoising))
        out.append(equal(number, NAMES[kind], where, left, factor * right, 0, "exact"))
    back = [there_and_back(x, x_noisy, GaussianCorruption(sigma), a, b, s_d)
            for a, b in product(KINDS, KINDS)]
    out.append(equal(38, "there and back again is the same prediction",
                     f"{len(KINDS)} kinds, each to each, sigma={sigma}", np.array(back), x, 0,
                     "exact"))
    return out


MAKERS = [factors, inverses]
EXACT = [exactly]
