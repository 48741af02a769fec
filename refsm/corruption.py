"""Corruption processes q(x_noisy | x): how clean points become noisy ones, and the score of that law.

Symbols
    x        (n, d)   clean points
    x_noisy  (n, d)   corrupted points
    sigma    number   standard deviation of isotropic noise
    rng               numpy.random.Generator

Equations
    (1)  q(x_noisy | x) = N(x_noisy; x, sigma^2 I)                                    [definition]
    (2)  x_noisy = x + sigma eps,  eps ~ N(0, I)
    (3)  grad log q(x_noisy | x) = (x - x_noisy) / sigma^2, the gradient with respect to x_noisy

Derivation
    (1) -> (3)  log q = -|x_noisy - x|^2 / (2 sigma^2) + constant; differentiate with respect to x_noisy.

Conventions
    sigma is a standard deviation, never a variance.  Given the noise eps, (3) is -eps / sigma.  Losses written on "predicted noise"
    have eps itself as their target: -sigma times ours.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23 (2011).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Union

import numpy as np

from refsm import arrays
from refsm.typing import Array, ArrayLike

__all__ = ["GaussianCorruption", "Corruption", "corruption"]


@dataclass(frozen=True)
class GaussianCorruption:
    """Isotropic Gaussian noise: x_noisy = x + sigma eps, equation (2).

    sigma > 0 is the standard deviation, in the units of x.

    >>> GaussianCorruption(0.5).score([[1.0, 2.0]], [[2.0, 2.0]])      # (x - x_noisy) / sigma^2
    array([[4., 0.]])
    """

    sigma: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", arrays.positive(self.sigma, "sigma"))

    def sample(self, x: ArrayLike, rng: np.random.Generator) -> Array:
        """x_noisy ~ q(. | x), shape (n, d)."""
        x = arrays.points(x)
        return x + self.sigma * rng.standard_normal(x.shape)             # (n, d)  (2)

    def score(self, x_noisy: ArrayLike, x: ArrayLike) -> Array:
        """grad log q(x_noisy | x) with respect to x_noisy, shape (n, d)."""
        x_noisy = arrays.points(x_noisy, "x_noisy")
        x = arrays.array(x, "x", x_noisy.shape)
        return (x - x_noisy) / self.sigma**2                             # (n, d)  (3)


Corruption = Union[GaussianCorruption]


def corruption(value: object, name: str = "corruption") -> Corruption:
    """A corruption process; a number sigma stands for GaussianCorruption(sigma).  TypeError for anything else."""
    if hasattr(value, "score") and hasattr(value, "sample"):
        return value   # type: ignore[return-value]
    return GaussianCorruption(arrays.positive(value, name))
