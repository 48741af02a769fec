"""Corruption processes q(x_noisy | x): how clean points become noisy ones, and the score of that law.

All three are Gaussian with a mean that scales the clean point: q(x_noisy | x) = N(x_noisy; alpha x, C).

Symbols
    x          (n, d)   clean points
    x_noisy    (n, d)   corrupted points
    eps        (n, d)   standard normal noise
    alpha      number   > 0, what a clean point is scaled by; 1 where a process does not scale
    sigma      number   standard deviation of isotropic noise
    C          (d, d)   covariance of the noise, symmetric positive definite
    L          (d, d)   its lower Cholesky factor, C = L L'
    P          (d, d)   its inverse
    u          (..., d) vectors as rows

Equations
    isotropic: C = sigma^2 I, alpha = 1
    (1)  x_noisy = x + sigma eps
    (2)  grad log q(x_noisy | x) = (x - x_noisy) / sigma^2
    (3)  C u = sigma^2 u
    any covariance: alpha = 1
    (4)  x_noisy = x + L eps
    (5)  grad log q(x_noisy | x) = P (x - x_noisy)
    (6)  C u, the product itself
    (7)  C = L L'
    (8)  P = L'^-1 L^-1
    scaled: C = sigma^2 I
    (9)  x_noisy = alpha x + sigma eps
    (10) grad log q(x_noisy | x) = (alpha x - x_noisy) / sigma^2
    (11) C u = sigma^2 u

Derivation
    log q = -1/2 (x_noisy - alpha x)' P (x_noisy - alpha x) + constant.  Its gradient with respect to x_noisy, P being symmetric, is
    P (alpha x - x_noisy): (5) with alpha = 1;  (10) with P = I / sigma^2;  (2) with both.
    -> (4)  eps ~ N(0, I) makes L eps of covariance L I L' = C; sigma I is the factor of sigma^2 I: (1), (9).
    -> (8)  P = C^-1 = (L L')^-1.

Conventions
    sigma is a standard deviation, never a variance.  The score is a gradient with respect to the NOISY point, and it points back to the clean
    one.  Given the noise, (2) and (10) are -eps / sigma and (5) is -L'^-1 eps.  Losses written on "predicted noise" have eps itself as their
    target: -sigma times ours.  Diffusion models call (9) with alpha^2 + sigma^2 = 1 "variance preserving", (1) "variance exploding".

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23 (2011): (1), (2), and any q(x_noisy | x)
    as the corruption of denoising score matching.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from refsm import immutable, validation
from refsm.typing import Array, ArrayLike, Given

__all__ = ["Corruption", "CovarianceCorruption", "GaussianCorruption", "ScaledCorruption", "corruption"]

class Corruption:
    """The contract of every corruption process.  Abstract; a process of one's own gives `noisy` and `target`."""

    alpha: Any                     # E[x_noisy | x] = alpha x
    d: int | None = None           # the number of dimensions, where the process fixes it

    def noisy(self, x: Array, eps: Array) -> Array:
        """x_noisy made from clean points and standard normal noise, (n, d) each, which are taken as they are."""
        raise NotImplementedError

    def target(self, x_noisy: Array, x: Array) -> Array:
        """`score` for arrays that have been checked: what denoising score matching asks for in each block."""
        raise NotImplementedError

    def covariance_times(self, u: Array) -> Array:
        """C u, the covariance of the noise times vectors u (..., d): what Tweedie's formula asks for."""
        raise NotImplementedError

    def check_dimension(self, d: int) -> None:
        """ValueError if the process is one of points with another number of dimensions."""
        if self.d not in (None, d):
            raise ValueError(f"corruption must be of points with d = {d} as the data, but it has d = {self.d}")

    def sample(self, x: ArrayLike, rng: np.random.Generator) -> Array:
        """x_noisy ~ q(. | x), shape (n, d), in the units of x.  TypeError if rng is no numpy.random.Generator."""
        x = validation.points(x, "x", self.d)
        n, d = x.shape
        eps = validation.generator(rng).standard_normal((n, d))
        return validation.widen(self.noisy(x, eps))

    def score(self, x_noisy: ArrayLike, x: ArrayLike) -> Array:
        """grad log q(x_noisy | x) with respect to x_noisy, shape (n, d), in the units of 1 / x."""
        x_noisy = validation.points(x_noisy, "x_noisy", self.d)
        return self.target(x_noisy, validation.array(x, "x", x_noisy.shape))


@dataclass(frozen=True)
class GaussianCorruption(Corruption):
    """Isotropic Gaussian noise: x_noisy = x + sigma eps, equation (1).

    sigma > 0 is the standard deviation, in the units of x; ValueError for another.  Source: Vincent (2011).

    >>> GaussianCorruption(0.5).score([[1.0, 2.0]], [[2.0, 2.0]])      # (x - x_noisy) / sigma^2
    array([[4., 0.]])
    """

    sigma: float
    alpha = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", validation.scale(self.sigma, "sigma"))

    def noisy(self, x: Array, eps: Array) -> Array:
        return x + self.sigma * eps                                      # (n, d)  (1)

    def target(self, x_noisy: Array, x: Array) -> Array:
        return (x - x_noisy) / self.sigma**2                             # (n, d)  (2)

    def covariance_times(self, u: Array) -> Array:
        return self.sigma**2 * u                                         # (..., d)  (3)


@dataclass(frozen=True, eq=False, repr=False)
class CovarianceCorruption(Corruption):
    """Gaussian noise of any covariance C: x_noisy = x + L eps with C = L L', equation (4).

    covariance (d, d), in the units of x squared.  ValueError if it is not symmetric (up to rounding) or not positive definite.
    Source: Vincent (2011), whose corruption may be any q(x_noisy | x).

    >>> CovarianceCorruption([[4.0, 0.0], [0.0, 0.25]]).score([[0.0, 0.0]], [[1.0, 1.0]])      # P (x - x_noisy)
    array([[0.25, 4.  ]])
    """

    covariance: Given
    L: Array = field(init=False)
    alpha = 1

    def __post_init__(self) -> None:
        C = validation.array(self.covariance, "covariance", ("d", "d"))
        if C.dtype.kind == "c":
            raise TypeError("covariance must be real, but it is complex")
        C = C.astype(np.float64)
        C = immutable.readonly_copy(validation.symmetric(C, "covariance"))
        try:
            L = np.linalg.cholesky(C)                                    # (d, d)  (7)
        except np.linalg.LinAlgError:
            raise ValueError(f"covariance must be positive definite, but its smallest eigenvalue is {np.linalg.eigvalsh(C)[0]:.3g}") from None
        object.__setattr__(self, "covariance", C)
        object.__setattr__(self, "L", L)

    @property
    def d(self) -> int:   # type: ignore[override]
        """The number of dimensions."""
        return len(self.covariance)

    @cached_property
    def P(self) -> Array:
        """The inverse of the covariance, shape (d, d), equation (8)."""
        L_inverse = solve_triangular(self.L, np.eye(self.d), lower=True)
        return L_inverse.T @ L_inverse                                   # (d, d)  (8)

    def noisy(self, x: Array, eps: Array) -> Array:
        return x + eps @ self.L.T                                        # (n, d)  (4)

    def target(self, x_noisy: Array, x: Array) -> Array:
        return (x - x_noisy) @ self.P                                    # (n, d)  (5)

    def covariance_times(self, u: Array) -> Array:
        return u @ self.covariance                                       # (..., d)  (6)

    def __repr__(self) -> str:
        return f"CovarianceCorruption(covariance: {self.covariance.shape})"

    def __reduce__(self) -> tuple:
        return CovarianceCorruption, (self.covariance,)


@dataclass(frozen=True)
class ScaledCorruption(Corruption):
    """Scaled points in isotropic Gaussian noise: x_noisy = alpha x + sigma eps, equation (9).

    alpha > 0 is a number without units, sigma > 0 the standard deviation of the noise, in the units of x; ValueError for others.
    Source: Vincent (2011), whose corruption may be any q(x_noisy | x).

    >>> ScaledCorruption(0.5, 0.5).score([[1.0, 2.0]], [[4.0, 4.0]])      # (alpha x - x_noisy) / sigma^2
    array([[4., 0.]])
    """

    alpha: float
    sigma: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", validation.positive(self.alpha, "alpha"))
        object.__setattr__(self, "sigma", validation.scale(self.sigma, "sigma"))

    def noisy(self, x: Array, eps: Array) -> Array:
        return self.alpha * x + self.sigma * eps                         # (n, d)  (9)

    def target(self, x_noisy: Array, x: Array) -> Array:
        return (self.alpha * x - x_noisy) / self.sigma**2                # (n, d)  (10)

    def covariance_times(self, u: Array) -> Array:
        return self.sigma**2 * u                                         # (..., d)  (11)


def corruption(value: object) -> Corruption:
    """A corruption process as it is; a number sigma stands for GaussianCorruption(sigma).  TypeError for anything else.

    >>> corruption(0.5)
    GaussianCorruption(sigma=0.5)
    """
    if isinstance(value, Corruption):
        return value
    if not isinstance(value, (Real, np.generic)) or isinstance(value, bool):
        raise TypeError("corruption must be a number sigma > 0 or a process such as GaussianCorruption, CovarianceCorruption or ScaledCorruption, "
                        f"but it is a {type(value).__name__}")
    return GaussianCorruption(validation.scale(value, "corruption"))
