"""The density of noisy points, x_noisy = alpha x + noise, where x has a density in closed form.

Symbols
    n points, i dimensions (d), k components (K).
    base                    the density of clean points: a Gaussian or a mixture of Gaussians
    corruption              the process q(x_noisy | x) = N(x_noisy; alpha x, C)
    alpha     number        what a clean point is scaled by
    C         (d, d)        covariance of the noise
    mean, P   (d,), (d, d)  mean and precision of a Gaussian base
    B         (d, d)        takes the precision P to that of the noisy points
    mu, S     (K, d), (K, d, d)   means and covariances of a mixture

Equations
    (1)  x_noisy = alpha x + noise,  x ~ base,  noise ~ N(0, C)                        [definition]
    (2)  q_noisy(x_noisy) = integral base(x) N(x_noisy; alpha x, C) dx                 [definition]
    a Gaussian, N(mean, P^-1), becomes the Gaussian of
    (3)  mean_noisy = alpha mean,  P_noisy = B P
    (4)  B          = (alpha^2 I + P C)^-1
    a mixture of N(mu_k, S_k) becomes that of the same weights and
    (5)  mu_noisy   = alpha mu,  S_noisy = alpha^2 S + C
    Pullback: with gradients for the parameters of the noisy density, those for the base are
    (6)  dL/dmean = alpha dL/dmean_noisy
    (7)  dL/dP    = alpha^2 B' (dL/dP_noisy) B
    (8)  dL/dmu   = alpha dL/dmu_noisy,  dL/dS = alpha^2 dL/dS_noisy,  dL/dlogits as it is

Derivation
    (1) -> (5)   alpha x + noise is a sum of two independent Gaussians, if x is one of covariance S:
                 means and covariances add.  A mixture is corrupted component by component, because
                 (2) is linear in the base.
    (5) -> (3)   P_noisy = (alpha^2 P^-1 + C)^-1 = (P^-1 (alpha^2 I + P C))^-1 = B P.  Without an
                 inverse of P: where C is small, B is near I / alpha^2 and nothing cancels.
    (3) -> (7)   dB = -B dP C B, so dP_noisy = dB P + B dP = B dP (I - C P_noisy); and
                 I - C P_noisy = I - C P (alpha^2 I + C P)^-1 = alpha^2 (alpha^2 I + C P)^-1
                 = alpha^2 B'.  Hence dP_noisy = alpha^2 B dP B', and
                 <G, B dP B'> = <B' G B, dP>.
    (5) -> (8)   slopes alpha and alpha^2.

Conventions
    The learnable parameters are the base's own: one theta serves all noise levels.  The energy of a
    noisy Gaussian is again 1/2 (x_noisy - mean_noisy)' P_noisy (x_noisy - mean_noisy), without a
    constant; that of a noisy mixture is normalised.

Sources
    Elementary.  As the family of densities along a diffusion: Song et al., Score-based generative
    modeling through stochastic differential equations, ICLR 2021.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refsm import validation
from refsm.corruption import corruption as process
from refsm.energies.energy import Energy, EnergyAt
from refsm.immutable import cached_property
from refsm.typing import Array, ArrayLike
from refsm.validation import symmetric_part
from refsm.zero import ZERO

__all__ = ["Corrupted", "CorruptedGaussian", "CorruptedMixture"]


@dataclass(frozen=True, eq=False, repr=False)
class Corrupted(Energy):
    """The density of alpha x + noise with x ~ base.  Abstract: `base.corrupted(corruption)`."""

    base: Any
    corruption: Any

    def __post_init__(self) -> None:
        self._set(corruption=process(self.corruption))
        self.corruption.check_dimension(self.base.d)

    @property
    def theta(self) -> Any:
        """The learnable arrays of the base."""
        return self.base.theta

    def with_theta(self, theta: Any) -> Any:
        """The same corruption of a base with other parameters."""
        return type(self)(self.base.with_theta(theta), self.corruption)

    def projected(self, theta: Any) -> Any:
        """The nearest parameters that satisfy the equalities of the base."""
        return self.base.projected(theta)

    @property
    def d(self) -> int:
        """The number of dimensions of a point."""
        return self.base.d

    @property
    def width(self) -> int:
        """The number of columns of the widest array that a point needs."""
        return self.density.width

    @cached_property
    def alpha(self) -> Any:
        """What a clean point is scaled by: exact where the base is."""
        return self.corruption.alpha if self._exact else float(self.corruption.alpha)

    @cached_property
    def C(self) -> Array:
        """The covariance of the noise, shape (d, d): exact where the base is."""
        C = self.corruption.covariance_times(np.eye(self.d, dtype=int))
        return C if self._exact else C.astype(np.float64)

    @property
    def _exact(self) -> bool:
        return any(leaf.dtype == object for leaf in self.theta)

    @cached_property
    def density(self) -> Any:
        """The noisy density as an energy of the base's own kind, with parameters of its own."""
        raise NotImplementedError

    def base_gradient(self, gradient: Any) -> Any:
        """The gradient for theta from that for the parameters of `density`."""
        raise NotImplementedError

    def at(self, x: Array, v: Array = ZERO) -> EnergyAt:
        """The energy at noisy points x (n, d), along directions v (n, M, d)."""
        return CorruptedAt(self, self.density.at(x, v))

    def log_density(self, x: ArrayLike) -> Array:
        """log q_noisy(x), shape (n,), for noisy points x (n, d)."""
        return self.density.log_density(x)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n independent noisy points, shape (n, d)."""
        return self.corruption.sample(self.base.sample(n, rng), rng)


class CorruptedAt(EnergyAt):
    """The noisy density at a block of points; its pullback goes on to the base's parameters."""

    def __init__(self, model: Corrupted, at: EnergyAt) -> None:
        self.model, self.density_at = model, at

    def energy(self) -> Array:
        return self.density_at.energy()

    def score(self) -> Array:
        return self.density_at.score()

    def jacobian(self) -> Array:
        return self.density_at.jacobian()

    def divergence(self) -> Array:
        return self.density_at.divergence()

    def diagonal(self) -> Array:
        return self.density_at.diagonal()

    def curvature(self) -> Array:
        return self.density_at.curvature()

    def pullback(self, **cotangents: Array) -> Any:
        return self.model.base_gradient(self.density_at.pullback(**cotangents))


@dataclass(frozen=True, eq=False, repr=False)
class CorruptedGaussian(Corrupted):
    """A Gaussian in noise, equation (3).  ValueError if the precision is not positive definite.

    N(1, 1/2) in noise of variance 1/2 is N(1, 1), whose score at 3 is -2:

    >>> from refsm.energies.gaussian import Gaussian
    >>> CorruptedGaussian(Gaussian([1.0], [[2.0]]), np.sqrt(0.5)).score([[3.0]]).round(12)
    array([[-2.]])
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        smallest = np.linalg.eigvalsh(self.base.precision.real.astype(np.float64))[0]
        if smallest <= 0:
            raise ValueError("precision must be positive definite for a density, "
                             f"but its smallest eigenvalue is {smallest:.6g}")

    @cached_property
    def B(self) -> Array:
        """What takes the precision to the noisy one, shape (d, d)."""
        alpha, C, P, I = self.alpha, self.C, self.base.precision, np.eye(self.d, dtype=int)
        return _inverse(validation.widen(alpha**2 * I + P @ C))                      # (d, d)  (4)

    @cached_property
    def density(self) -> Any:
        """The Gaussian of the noisy points."""
        alpha, B, (mean, P) = self.alpha, self.B, self.base.theta
        return self.base.with_theta((alpha * mean, symmetric_part(B @ P)))           # (3)

    def base_gradient(self, gradient: Any) -> Any:
        """The gradient for mean and precision of the base."""
        alpha, B = self.alpha, self.B
        dmean_noisy, G = gradient
        dmean = alpha * dmean_noisy                                                  # (d,)  (6)
        dP = _symmetric_part(alpha**2 * (B.T @ G @ B))                               # (d, d)  (7)
        return type(self.theta)(dmean, dP)


@dataclass(frozen=True, eq=False, repr=False)
class CorruptedMixture(Corrupted):
    """A mixture of Gaussians in noise, equation (5): the same weights.

    Components at -3 and 3 of variance 1/4, scaled by 2 in noise of variance 3, are at -6 and 6,
    of variance 4:

    >>> from refsm import GaussianMixture, ScaledCorruption
    >>> base = GaussianMixture([0.5, 0.5], [[-3.0], [3.0]], [[[0.25]], [[0.25]]])
    >>> CorruptedMixture(base, ScaledCorruption(2.0, 3**0.5)).density.covariances.round(12).ravel()
    array([4., 4.])
    """

    @cached_property
    def density(self) -> Any:
        """The mixture of the noisy points."""
        alpha, C = self.alpha, self.C
        logits, mu, S = self.base.theta
        return self.base.with_theta((logits, alpha * mu, alpha**2 * S + C))          # (5)

    def base_gradient(self, gradient: Any) -> Any:
        """The gradient for logits, means and covariances of the base."""
        alpha = self.alpha
        dlogits, dmu_noisy, dS_noisy = gradient
        return type(self.theta)(dlogits, alpha * dmu_noisy, alpha**2 * dS_noisy)     # (8)


def _symmetric_part(G: Array) -> Array:
    """The symmetric part, or ZERO as it is."""
    return ZERO if G is ZERO else symmetric_part(G)


def _inverse(M: Array) -> Array:
    """M^-1: by LAPACK in double precision, by elimination in exact rationals and longdouble."""
    if M.dtype in (np.float64, np.complex128):
        return np.linalg.inv(M)
    d = len(M)
    rows = np.concatenate([M, np.eye(d, dtype=int)], axis=1)
    for i in range(d):
        largest = i + int(abs(rows[i:, i]).argmax())
        rows[[i, largest]] = rows[[largest, i]]
        rows[i] = rows[i] / rows[i, i]
        others = np.arange(d) != i
        rows[others] = rows[others] - rows[others, i:i + 1] * rows[i]
    return rows[:, d:]
