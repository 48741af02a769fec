"""A Parzen density in noise: the density of x_noisy = alpha x + noise with x from a Parzen density.

Symbols
    n points, i dimensions (d), k centres (N), r directions (M).
    base                    the Parzen density of clean points
    alpha     number        what a clean point is scaled by
    C         (d, d)        covariance of the noise
    centers   (N, d)        the centres
    sigma     number        the bandwidth
    T         (d, d)        covariance of a noisy point about its scaled centre
    A         (d, d)        coordinates in which T is I: lower triangular with a positive diagonal
    u         (n, d)        noisy points in these coordinates
    v         (n, M, d)     directions

Equations
    where C = C_11 I, it is again a Parzen density, with
    (1)  centers_noisy = alpha centers,  sigma_noisy = sqrt(alpha^2 sigma^2 + C_11)
    where C is another covariance, it is a Parzen density of bandwidth 1 in other coordinates:
    (2)  T    = alpha^2 sigma^2 I + C
    (3)  A T A' = I
    (4)  u    = A x_noisy,  with the centres alpha A centers
    (5)  E    = E_u - log det A
    (6)  psi  = A' psi_u
    (7)  J    = A' J_u A
    (8)  v'Jv = (A v)' J_u (A v)

Derivation
    -> (1), (2)  a Parzen density is the mixture of N(center_k, sigma^2 I) of equal weights; alpha x
                 is N(alpha center_k, alpha^2 sigma^2 I) in component k, and the covariances of
                 independent terms add.
    (2) -> (3)   T = L L' (Cholesky) and A = L^-1.
    (3) -> (4)   the covariance of A x_noisy about A alpha center_k is A T A' = I.
    (4) -> (5)   the density of x_noisy is that of u times |du / dx_noisy| = det A.
    (5) -> (6), (7), (8)  chain rule for u = A x_noisy; tr J and J_ii are read from J.

Conventions
    The density is normalised: E holds every constant.  It is the mixture of N(alpha center_k, T),
    which `GaussianMixture` computes too; here the sums over the centres stay streamed.

Sources
    Elementary.  As q_sigma in Vincent, A connection between score matching and denoising
    autoencoders, Neural Computation 23 (2011), for bandwidth 0 and isotropic noise.
"""
from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from refsm.energies.corrupted import Corrupted
from refsm.energies.energy import EnergyAt
from refsm.immutable import cached_property
from refsm.typing import Array, ArrayLike
from refsm.zero import ZERO

__all__ = ["CorruptedParzen", "WhitenedParzen", "corrupted_parzen"]


@dataclass(frozen=True, eq=False, repr=False)
class CorruptedParzen(Corrupted):
    """A Parzen density in isotropic noise, equation (1): a Parzen density again."""

    @cached_property
    def density(self) -> Any:
        """The Parzen density of the noisy points."""
        alpha, centers, sigma = self.alpha, self.base.centers, self.base.sigma
        sigma_noisy = float(np.sqrt(alpha**2 * sigma**2 + self.C[0, 0]))
        return dataclasses.replace(self.base, centers=alpha * centers, sigma=sigma_noisy)    # (1)

    def base_gradient(self, gradient: Any) -> Any:
        """Nothing: a Parzen density has no parameters to learn."""
        return self.theta


@dataclass(frozen=True, eq=False, repr=False)
class WhitenedParzen(Corrupted):
    """A Parzen density in noise of any covariance, equations (2) to (8).

    It is the mixture of N(alpha center_k, T), T = alpha^2 sigma^2 I + C, computed in coordinates
    where the bandwidth is 1.
    """

    @cached_property
    def A(self) -> Array:
        """The coordinates in which the covariance T is I, shape (d, d)."""
        alpha, sigma, I = self.alpha, self.base.sigma, np.eye(self.d)
        T = alpha**2 * sigma**2 * I + self.C                                         # (d, d)  (2)
        return solve_triangular(np.linalg.cholesky(T), I, lower=True)                # (d, d)  (3)

    @cached_property
    def density(self) -> Any:
        """The Parzen density of bandwidth 1 in the other coordinates."""
        alpha, centers = self.alpha, self.base.centers
        return dataclasses.replace(self.base, centers=alpha * centers @ self.A.T, sigma=1.0)   # (4)

    @property
    def width(self) -> int:
        """The density's width for each dimension, because a divergence takes a whole Jacobian."""
        return self.d * self.density.width

    def at(self, x: Array, v: Array = ZERO) -> EnergyAt:
        """The energy at noisy points x (n, d), along directions v (n, M, d)."""
        u = x @ self.A.T                                                             # (n, d)  (4)
        return WhitenedParzenAt(self, self.density.at(u, v @ self.A.T))

    def log_density(self, x: ArrayLike) -> Array:
        """log q_noisy(x), shape (n,): minus the energy, which holds every constant."""
        return -self.energy(x)


class WhitenedParzenAt(EnergyAt):
    """The local quantities in x_noisy from those in u, of a block of points."""

    def __init__(self, model: WhitenedParzen, at_u: EnergyAt) -> None:
        self.model, self.A, self.at_u = model, model.A, at_u

    def energy(self) -> Array:
        return self.at_u.energy() - np.log(np.diag(self.A)).sum()                    # (n,)  (5)

    def score(self) -> Array:
        return self.at_u.score() @ self.A                                            # (n, d)  (6)

    def jacobian(self) -> Array:
        return self.A.T @ self.at_u.jacobian() @ self.A                             # (n, d, d)  (7)

    def divergence(self) -> Array:
        return np.trace(self.jacobian(), axis1=1, axis2=2)                           # (n,)

    def diagonal(self) -> Array:
        return np.diagonal(self.jacobian(), axis1=1, axis2=2).copy()                 # (n, d)

    def curvature(self) -> Array:
        return self.at_u.curvature()                                                 # (n, M)  (8)

    def pullback(self, **cotangents: Array) -> Any:
        return self.model.theta


def corrupted_parzen(base: Any, corruption: Any) -> Corrupted:
    """A Parzen density in noise: a Parzen density where the noise is isotropic."""
    made = CorruptedParzen(base, corruption)
    isotropic = np.array_equal(made.C, made.C[0, 0] * np.eye(base.d))
    return made if isotropic else WhitenedParzen(base, corruption)
