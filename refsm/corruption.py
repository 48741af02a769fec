"""Corruption processes q(x_noisy | x): how clean points become noisy ones, and their score.

All are Gaussian with a mean that scales the clean point: q(x_noisy | x) = N(x_noisy; alpha x, C).

Symbols
    n points, i dimensions (d).
    x          (n, d)   clean points
    x_noisy    (n, d)   corrupted points
    eps        (n, d)   standard normal noise
    alpha      number   > 0, what a clean point is scaled by; 1 where a process does not scale
    sigma      number   standard deviation of the noise; (d,) where each dimension has its own
    C          (d, d)   covariance of the noise, symmetric positive definite
    L          (d, d)   its lower Cholesky factor, C = L L'
    P          (d, d)   its inverse
    u          (..., d) vectors as rows

Equations
    isotropic: C = sigma^2 I, alpha = 1
    (1)  x_noisy = x + sigma eps
    (2)  grad log q(x_noisy | x) = (x - x_noisy) / sigma^2
    (3)  C u = sigma^2 u
    one sigma per dimension: C = diag(sigma_i^2), alpha = 1
    (4)  x_noisy_i = x_i + sigma_i eps_i
    (5)  d_i log q(x_noisy | x) = (x_i - x_noisy_i) / sigma_i^2
    (6)  (C u)_i = sigma_i^2 u_i
    any covariance: alpha = 1
    (7)  x_noisy = x + L eps
    (8)  grad log q(x_noisy | x) = P (x - x_noisy)
    (9)  C u, the product itself
    (10) C = L L'
    (11) P = L'^-1 L^-1
    scaled: C = sigma^2 I
    (12) x_noisy = alpha x + sigma eps
    (13) grad log q(x_noisy | x) = (alpha x - x_noisy) / sigma^2
    (14) C u = sigma^2 u

Derivation
    log q = -1/2 (x_noisy - alpha x)' P (x_noisy - alpha x) + constant.  Its gradient with respect
    to x_noisy, P being symmetric, is P (alpha x - x_noisy): (8) with alpha = 1;  (5) with
    P = diag(1 / sigma_i^2);  (13) with P = I / sigma^2;  (2) with both.
    -> (7)  eps ~ N(0, I) makes L eps of covariance L I L' = C; sigma I is the factor of sigma^2 I,
            diag(sigma) that of diag(sigma_i^2): (1), (12), (4).
    -> (11) P = C^-1 = (L L')^-1.

Conventions
    sigma is a standard deviation, never a variance.  The score is a gradient with respect to the
    NOISY point, and it points back to the clean one.  Given the noise, (2) and (13) are
    -eps / sigma, (5) is -eps_i / sigma_i, and (8) is -L'^-1 eps.  Losses written on "predicted
    noise" have eps itself as their target: -sigma times ours.  Diffusion models call (12) with
    alpha^2 + sigma^2 = 1 "variance preserving", (1) "variance exploding".

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23
    (2011): (1), (2), and any q(x_noisy | x) as the corruption of denoising score matching.
"""
from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from refsm import immutable, validation
from refsm.immutable import Immutable, cached_property
from refsm.typing import Array, ArrayLike, Given

__all__ = ["Corruption", "CovarianceCorruption", "DiagonalCorruption", "GaussianCorruption",
           "ScaledCorruption", "corruption"]


class Corruption(Immutable):
    """The contract of every corruption process.  Abstract.

    A process of your own gives `noisy`, `target` and `covariance_times`, and has an `alpha`.
    """

    alpha: Any                     # E[x_noisy | x] = alpha x
    d: int | None = None           # the number of dimensions, where the process fixes it

    def noisy(self, x: Array, eps: Array) -> Array:
        """x_noisy from clean points and standard normal noise, (n, d) each, without checks."""
        raise NotImplementedError

    def target(self, x_noisy: Array, x: Array) -> Array:
        """`score` for arrays that have been checked: what denoising score matching asks for."""
        raise NotImplementedError

    def covariance_times(self, u: Array) -> Array:
        """C u, the covariance of the noise times vectors u (..., d): for Tweedie's formula."""
        raise NotImplementedError

    def check_dimension(self, d: int) -> None:
        """ValueError if the process is one of points with another number of dimensions."""
        if self.d not in (None, d):
            raise ValueError(f"corruption must be of points with d = {d} as the data, "
                             f"but it has d = {self.d}")

    def sample(self, x: ArrayLike, rng: np.random.Generator) -> Array:
        """x_noisy ~ q(. | x), shape (n, d), in the units of x.

        One noisy point for each row of x.  TypeError if rng is not a numpy.random.Generator.
        """
        x = validation.points(x, "x", self.d)
        n, d = x.shape
        eps = validation.generator(rng).standard_normal((n, d))
        return validation.widen(self.noisy(x, eps))

    def score(self, x_noisy: ArrayLike, x: ArrayLike) -> Array:
        """grad log q(x_noisy | x) with respect to x_noisy, shape (n, d), in units of 1 / x."""
        x_noisy = validation.points(x_noisy, "x_noisy", self.d)
        return self.target(x_noisy, validation.array(x, "x", x_noisy.shape))


@dataclass(frozen=True)
class GaussianCorruption(Corruption):
    """Isotropic Gaussian noise: x_noisy = x + sigma eps, equation (1).

    sigma > 0 is the standard deviation, in the units of x; ValueError for another.
    Source: Vincent (2011).

    >>> GaussianCorruption(0.5).score([[1.0, 2.0]], [[2.0, 2.0]])      # (x - x_noisy) / sigma^2
    array([[4., 0.]])
    """

    sigma: float
    alpha = 1

    def __post_init__(self) -> None:
        self._set(sigma=validation.scale(self.sigma, "sigma"))

    def noisy(self, x: Array, eps: Array) -> Array:
        return x + self.sigma * eps                                        # (n, d)  (1)

    def target(self, x_noisy: Array, x: Array) -> Array:
        return (x - x_noisy) / self.sigma**2                               # (n, d)  (2)

    def covariance_times(self, u: Array) -> Array:
        return self.sigma**2 * u                                           # (..., d)  (3)


@dataclass(frozen=True, eq=False, repr=False)
class DiagonalCorruption(Corruption):
    """Independent Gaussian noise with one standard deviation per dimension, equation (4).

    sigma (d,), each entry > 0, in the units of that dimension; ValueError for others.
    Source: Vincent (2011), whose corruption may be any q(x_noisy | x).

    >>> DiagonalCorruption([0.5, 2.0]).score([[1.0, 2.0]], [[2.0, 10.0]])
    array([[4., 2.]])
    """

    sigma: Given
    alpha = 1

    def __post_init__(self) -> None:
        sigma = validation.array(self.sigma, "sigma", ("d",))
        for i, entry in enumerate(sigma.tolist()):
            validation.scale(entry, f"sigma[{i}]")
        self._set(sigma=immutable.readonly_copy(sigma))

    @property
    def d(self) -> int:   # type: ignore[override]
        """The number of dimensions."""
        return len(self.sigma)

    def noisy(self, x: Array, eps: Array) -> Array:
        return x + self.sigma * eps                                        # (n, d)  (4)

    def target(self, x_noisy: Array, x: Array) -> Array:
        return (x - x_noisy) / self.sigma**2                               # (n, d)  (5)

    def covariance_times(self, u: Array) -> Array:
        return self.sigma**2 * u                                           # (..., d)  (6)

    def __repr__(self) -> str:
        return f"DiagonalCorruption(sigma: {self.sigma.shape})"


@dataclass(frozen=True, eq=False, repr=False)
class CovarianceCorruption(Corruption):
    """Gaussian noise of any covariance C: x_noisy = x + L eps with C = L L', equation (7).

    covariance (d, d), in the units of x squared.  ValueError if it is not symmetric (up to
    rounding) or not positive definite.
    Source: Vincent (2011), whose corruption may be any q(x_noisy | x).

    >>> noise = CovarianceCorruption([[4.0, 0.0], [0.0, 0.25]])
    >>> noise.score([[0.0, 0.0]], [[1.0, 1.0]])                            # P (x - x_noisy)
    array([[0.25, 4.  ]])
    """

    covariance: Given
    alpha = 1

    def __post_init__(self) -> None:
        C = validation.array(self.covariance, "covariance", ("d", "d"))
        if C.dtype.kind == "c":
            raise TypeError("covariance must be real, but it is complex")
        C = validation.symmetric(C.astype(np.float64), "covariance")
        self._set(covariance=immutable.readonly_copy(C))
        try:
            self.L
        except np.linalg.LinAlgError:
            raise ValueError("covariance must be positive definite, but its smallest eigenvalue "
                             f"is {np.linalg.eigvalsh(C)[0]:.3g}") from None

    @property
    def d(self) -> int:   # type: ignore[override]
        """The number of dimensions."""
        return len(self.covariance)

    @cached_property
    def L(self) -> Array:
        """The lower Cholesky factor of the covariance, shape (d, d), equation (10)."""
        return np.linalg.cholesky(self.covariance)                         # (d, d)  (10)

    @cached_property
    def P(self) -> Array:
        """The inverse of the covariance, shape (d, d), equation (11)."""
        L_inverse = solve_triangular(self.L, np.eye(self.d), lower=True)
        return L_inverse.T @ L_inverse                                     # (d, d)  (11)

    def noisy(self, x: Array, eps: Array) -> Array:
        return x + eps @ self.L.T                                          # (n, d)  (7)

    def target(self, x_noisy: Array, x: Array) -> Array:
        return (x - x_noisy) @ self.P                                      # (n, d)  (8)

    def covariance_times(self, u: Array) -> Array:
        return u @ self.covariance                                         # (..., d)  (9)

    def __repr__(self) -> str:
        return f"CovarianceCorruption(covariance: {self.covariance.shape})"


@dataclass(frozen=True)
class ScaledCorruption(Corruption):
    """Scaled points in isotropic Gaussian noise: x_noisy = alpha x + sigma eps, equation (12).

    alpha > 0 is a number without units, sigma > 0 the standard deviation of the noise, in the units
    of x; ValueError for others.
    Source: Vincent (2011), whose corruption may be any q(x_noisy | x).

    >>> noise = ScaledCorruption(0.5, 0.5)
    >>> noise.score([[1.0, 2.0]], [[4.0, 4.0]])                # (alpha x - x_noisy) / sigma^2
    array([[4., 0.]])
    """

    alpha: float
    sigma: float

    def __post_init__(self) -> None:
        self._set(alpha=validation.positive(self.alpha, "alpha"),
                  sigma=validation.scale(self.sigma, "sigma"))

    def noisy(self, x: Array, eps: Array) -> Array:
        return self.alpha * x + self.sigma * eps                           # (n, d)  (12)

    def target(self, x_noisy: Array, x: Array) -> Array:
        return (self.alpha * x - x_noisy) / self.sigma**2                  # (n, d)  (13)

    def covariance_times(self, u: Array) -> Array:
        return self.sigma**2 * u                                           # (..., d)  (14)


def corruption(value: object) -> Corruption:
    """A corruption process as it is; a number sigma stands for GaussianCorruption(sigma).

    TypeError for anything else, ValueError for a number that is not finite or not > 0.

    >>> corruption(0.5)
    GaussianCorruption(sigma=0.5)
    """
    if isinstance(value, Corruption):
        return value
    if not isinstance(value, (Real, np.generic)) or isinstance(value, bool):
        raise TypeError("corruption must be a number sigma > 0 or a process such as "
                        f"GaussianCorruption, but it is of type {type(value).__name__}")
    return GaussianCorruption(validation.scale(value, "corruption"))
