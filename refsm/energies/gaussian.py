"""The Gaussian energy: a quadratic, whose score is affine and whose score Jacobian is constant.

Symbols
    n points, i and k dimensions (d), r directions (M); ' is the transpose.
    mean      (d,)        where the score is zero
    P         (d, d)      precision: symmetric; positive definite only where a density is asked for
    x         (n, d)      points
    y         (n, d)      residuals
    psi       (n, d)      score
    J         (n, d, d)   score Jacobian
    v         (n, M, d)   directions
    Pullback
    e, p, t, g, w         cotangents on energy (n,), score (n, d), divergence (n,),
                          diagonal (n, d), curvature (n, M)
    G         (d, d)      derivative with respect to P, its entries taken as independent
    The density
    C         (d, d)      lower triangular Cholesky factor of P
    eps       (n, d)      independent standard normal numbers

Equations
    (1)  E(x)   = 1/2 sum_ik y_i P_ik y_k
    (2)  y_i    = x_i - mean_i
    (3)  psi_i  = -sum_k P_ik y_k
    (4)  J_ik   = -P_ik
    (5)  tr J   = -sum_i P_ii
    (6)  J_ii   = -P_ii
    (7)  v_r'J v_r = -sum_ik v_ri P_ik v_rk
    Pullback of  L = sum_n ( e E + p.psi + t tr J + sum_i g_i J_ii + sum_r w_r v_r'J v_r ):
    (8)  dL/dmean_i = sum_n ( e psi_i + sum_k P_ik p_k )
    (9)  G_ik   = sum_n ( e y_i y_k / 2 - p_i y_k - (t + g_i) delta_ik - sum_r w_r v_ri v_rk )
    (10) dL/dP_ik = ( G_ik + G_ki ) / 2
    The density, where P is positive definite:
    (11) P          = C C'
    (12) log p(x)   = -E(x) + sum_i log C_ii - d/2 log(2 pi)
    (13) x          = mean + C'^-1 eps
    (14) covariance = P^-1

Derivation
    (1) -> (3)   dE/dy_k = sum_i (P_ik + P_ki) y_i / 2 = sum_i P_ki y_i, because P is symmetric;
                 dy_k/dx_i = delta_ik; psi = -grad E.
    (3) -> (4)   dy_k/dx_k = 1; nothing of x is left, so (5), (6) and (7) are constants of the
                 model.
    Pullback
    -> (8)       dy_k/dmean_i = -delta_ik:  the energy gives -e dE/dy_i = e psi_i, the score
                 +sum_k p_k P_ki, the rest nothing.
    -> (9)       P_ik stands once in each sum of (1), (3), (5), (6), (7); G_ik is the factor of
                 dP_ik in dL.
    (9) -> (10)  only symmetric changes dP are possible.  For these sum_ik G_ik dP_ik is the same
                 for G and for its symmetric part, and the symmetric part is the one gradient that
                 is itself symmetric: a step along it stays among the symmetric matrices.  It is
                 also the gradient, entry by entry, with respect to an arbitrary matrix A when
                 P = (A + A') / 2.
    The density
    (11) -> (12) the integral of exp(-E) is (2 pi)^(d/2) det(P)^(-1/2), and
                 det P = (prod_i C_ii)^2.
    (11) -> (13) the covariance of C'^-1 eps is C'^-1 C^-1 = (C C')^-1 = P^-1, which is (14).

Conventions
    The learnable matrix is the precision, not the covariance: (1) is then linear in it, and score
    matching has a closed form.  Others learn a Cholesky factor (whose gradient is triangular) or
    count each off-diagonal pair once (whose gradient has twice our off-diagonal entries).  As an
    energy, P may be indefinite: every local quantity exists without Z.

Sources
    Hyvarinen, Estimation of non-normalized statistical models by score matching, JMLR 6 (2005),
    section "Multivariate Gaussian density", for (1), (3), (4).  (8)-(10) are derived here;
    (11)-(14) are elementary.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

from refsm import immutable, validation
from refsm.energies.corrupted import Corrupted, CorruptedGaussian
from refsm.energies.energy import Energy, EnergyAt
from refsm.immutable import cached_property
from refsm.sums import column, outer_sum, row_dot, sum_rows
from refsm.typing import Array, ArrayLike, Given
from refsm.validation import symmetric_part
from refsm.zero import ZERO

__all__ = ["Gaussian", "GaussianTheta"]


class GaussianTheta(NamedTuple):
    """The learnable arrays of `Gaussian`."""

    mean: Array           # (d,)
    precision: Array      # (d, d)


@dataclass(frozen=True, eq=False, repr=False)
class Gaussian(Energy):
    """E(x) = 1/2 (x - mean)' precision (x - mean), equation (1).

    mean (d,) in the units of x, precision (d, d) in the units of 1 / x^2; both are learnable.  The
    precision must be symmetric up to rounding (2^-30 of its largest entry) and is held as its
    symmetric part; it need not be positive definite.  ValueError where shapes disagree, an entry is
    not finite, or the precision is not symmetric.  Source: Hyvarinen (2005).

    With precision 4 I the score is -4 (x - mean):

    >>> model = Gaussian(mean=[1.0, 0.0], precision=[[4.0, 0.0], [0.0, 4.0]])
    >>> model.score([[2.0, 2.0]])
    array([[-4., -8.]])
    """

    mean: Given
    precision: Given

    def __post_init__(self) -> None:
        P = validation.array(self.precision, "precision", ("d", "d"))
        mean = validation.array(self.mean, "mean", P.shape[:1])
        P = validation.symmetric(P, "precision")
        self._set(**immutable.common_dtype(mean=mean, precision=P))

    @property
    def theta(self) -> GaussianTheta:
        """The learnable arrays (mean, precision)."""
        return GaussianTheta(self.mean, self.precision)

    def with_theta(self, theta: GaussianTheta) -> Gaussian:
        """The same energy with other parameters."""
        return Gaussian(*self._leaves(theta))

    def projected(self, theta: GaussianTheta) -> GaussianTheta:
        """The same mean, and the symmetric part of the precision."""
        mean, precision = theta
        return GaussianTheta(mean, symmetric_part(precision))

    @property
    def d(self) -> int:
        """The number of dimensions."""
        return len(self.mean)

    def at(self, x: Array, v: Array = ZERO) -> GaussianAt:
        """The energy at a block of points x (n, d), along directions v (n, M, d)."""
        return GaussianAt(self, x, v)

    # -- the density, where the precision is positive definite --------------------------------

    @property
    def _cholesky(self) -> Array:
        """C in float64, or one sentence why there is no density."""
        P = self.precision
        if P.dtype.kind == "c":
            raise TypeError(f"precision must be real for a density, but its dtype is {P.dtype}")
        P = P.astype(np.float64)
        try:
            C = np.linalg.cholesky(P)                                    # (d, d)  (11)
            return C
        except np.linalg.LinAlgError:
            least = np.linalg.eigvalsh(P)[0]
            raise ValueError("precision must be positive definite for a density, "
                             f"but its smallest eigenvalue is {least:.6g}") from None

    def log_density(self, x: ArrayLike) -> Array:
        """log p(x) of the normalised density, shape (n,), equation (12).

        ValueError where there is no density.  With P = 2 pi the peak is sqrt(P / (2 pi)) = 1:

        >>> float(Gaussian([0.0], [[2 * np.pi]]).log_density([[0.0]])[0])
        0.0
        """
        C, d = self._cholesky, self.d
        log_peak = np.log(np.diag(C)).sum() - d / 2 * np.log(2 * np.pi)
        return validation.widen(-self.energy(x) + log_peak)              # (n,)    (12)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n >= 1 points drawn from the density, shape (n, d), equation (13).

        ValueError where there is no density.
        """
        C = self._cholesky
        eps = validation.generator(rng).standard_normal((validation.count(n, "n"), self.d))
        x = self.mean + solve_triangular(C, eps.T, trans="T", lower=True).T       # (n, d)  (13)
        return validation.widen(x)

    def corrupted(self, corruption: Any) -> Corrupted:
        """The exact density of alpha x + noise with x from this one: `energies.corrupted`."""
        return CorruptedGaussian(self, corruption)

    @property
    def covariance(self) -> Array:
        """The inverse of the precision, shape (d, d), in the units of x^2, equation (14).

        ValueError where there is no density.

        >>> Gaussian([0.0, 0.0], [[4.0, 0.0], [0.0, 2.0]]).covariance
        array([[0.25, 0.  ],
               [0.  , 0.5 ]])
        """
        C = self._cholesky
        return symmetric_part(cho_solve((C, True), np.eye(self.d)))      # (d, d)  (14)


class GaussianAt(EnergyAt):
    """The energy at a block of points: the residuals, the local quantities, their pullbacks."""

    def __init__(self, model: Gaussian, x: Array, v: Array) -> None:
        self.mean, self.P, self.x, self.v = model.mean, model.precision, x, v

    def energy(self) -> Array:
        y, P = self.y, self.P
        E = row_dot(y, y @ P) / 2                                        # (n,)    (1)
        return E

    @cached_property
    def y(self) -> Array:
        return self.x - self.mean                                        # (n, d)  (2)

    @cached_property
    def psi(self) -> Array:
        return -(self.y @ self.P)                                        # (n, d)  (3), P = P'

    def score(self) -> Array:
        return self.psi

    def jacobian(self) -> Array:
        J = np.repeat(-self.P[None], len(self.x), axis=0)                # (n, d, d)  (4)
        return J

    def divergence(self) -> Array:
        return np.repeat(-np.trace(self.P), len(self.x))                 # (n,)    (5)

    def diagonal(self) -> Array:
        return np.repeat(-np.diag(self.P)[None], len(self.x), axis=0)    # (n, d)  (6)

    def curvature(self) -> Array:
        return -row_dot(self.v @ self.P, self.v)                         # (n, M)  (7)

    # -- pullback -----------------------------------------------------------------------------

    def pullback(self, energy: Array = ZERO, score: Array = ZERO, divergence: Array = ZERO,
                 diagonal: Array = ZERO, curvature: Array = ZERO) -> GaussianTheta:
        e, p, t, g, w = energy, score, divergence, diagonal, curvature
        P, y, psi, v, I = self.P, self.y, self.psi, self.v, np.eye(len(self.P), dtype=int)
        dmean = e @ psi + P @ sum_rows(p)                                # (d,)    (8)
        G = ((column(e) * y).T @ y / 2 - p.T @ y - (t.sum() + sum_rows(g)) * I
             - outer_sum(w[:, :, None] * v, v))                          # (d, d)  (9)
        dP = symmetric_part(G)                                           # (d, d)  (10)
        return GaussianTheta(dmean, dP)
