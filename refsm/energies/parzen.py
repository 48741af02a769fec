"""The Parzen density: one isotropic Gaussian at each of many centres, with equal weights.

Symbols
    n points, i and j visible dimensions (d), k and l centres (N), m directions (M).
    r_k is the responsibility of center k for x.
    centers   (N, d)      the centres, usually the data
    sigma     number      bandwidth: the standard deviation of each Gaussian
    x         (n, d)      points
    o         (n, d)      an origin for each point: any will do, a near one loses the fewest digits
    u         (n, d)      points from their origin, in units of sigma
    y         (N, d)      centres from the origin of a point, in units of sigma
    b         (n, N)      exponents
    log_Z     (n,)        log of the sum of exp(b)
    e         (n, N)      responsibilities up to a factor: exp(b - top)
    top       (n,)        the largest exponent
    y_mean    (n, d)      posterior mean of y;  yy_mean (n,) that of |y|^2
    V         (n, d, d)   posterior covariance of y
    psi       (n, d)      score
    v         (n, M, d)   directions
    R         number      the largest |y_k| of the centres that matter to a point, those with
                          b_k > top - NEGLIGIBLE
    tau       (n,)        error of an exponent
    eps       number      machine epsilon: the distance from 1 to the next floating-point number

Equations
    (1)  E      = |u|^2 / 2 - log_Z + log N + d log sigma + (d/2) log(2 pi)
    (2)  log_Z  = log sum_k exp(b_k)
    (3)  b_k    = y_k.u - |y_k|^2 / 2
    (4)  u      = (x - o) / sigma
    (5)  y_k    = (center_k - o) / sigma
    (6)  r_k    = exp(b_k - log_Z) = e_k / sum_l e_l
    (7)  y_mean = sum_k r_k y_k,   yy_mean = sum_k r_k |y_k|^2
    (8)  psi    = (y_mean - u) / sigma
    (9)  V      = sum_k r_k y_k y_k' - y_mean y_mean'
    (10) J      = (V - I) / sigma^2
    (11) tr J   = ( yy_mean - |y_mean|^2 - d ) / sigma^2
    (12) J_ii   = ( sum_k r_k y_ki^2 - y_mean_i^2 - 1 ) / sigma^2
    (13) v'Jv   = ( sum_k r_k (v.y_k)^2 - (v.y_mean)^2 - |v|^2 ) / sigma^2
    (14) E[center | x]   = o + sigma y_mean
    (15) Cov[center | x] = sigma^2 V
    Accuracy: bounds on errors, in absolute value, to first order in eps and whatever the order of
    the products and sums.  S^2 = tr V;  C = min(N, CENTERS);  G = (|u| + R)^2 / 2 + log N
    + d (|log sigma| + 1), the size of the terms of (1).
    (16) tau    = (d + 8) eps R (|u| + R) / 2
    (17) gamma  = (C + 8 + 8 N/C) eps / 2: a sum of N terms, relative to the sum of their absolute
                  values                                                                   [result]
    (18) error of E          <= tau + gamma + (d + 10) eps G / 2                           [result]
    (19) error of sigma psi  <= tau S + 2 gamma R + 3 eps (|u| + R), as a vector           [result]
    (20) error of sigma^2 J  <= 2 tau S^2 + (7 gamma + 2 d eps) (R^2 + 1), each entry, and
                  tr J;  the same times |v|^2 for v'Jv                                     [result]

Derivation
    -> (1)       p(x) = (1/N) sum_k (2 pi sigma^2)^(-d/2) exp(-|x - center_k|^2 / (2 sigma^2)), and
                 (x - center_k) / sigma = u - y_k by (4), (5): |u - y_k|^2 / 2 = |u|^2 / 2 - b_k
                 with (3).  The origin o drops out of every result.
    (1) -> (8)   psi = -grad E = ( -u + sum_k r_k y_k ) / sigma, because grad u = 1 / sigma,
                 d b_k / du = y_k, and the gradient of log sum exp is the mean of the gradients with
                 the weights (6).
    (8) -> (10)  d r_k / du = r_k ( y_k - y_mean ), so
                 d y_mean / du = sum_k r_k y_k (y_k - y_mean)' = V;  du/dx = I / sigma.
    (10) -> (11), (12), (13)  trace, diagonal entry, quadratic form.
    -> (14), (15)  r_k is the posterior probability of center k given x = center + sigma noise, by
                 Bayes, and center_k = o + sigma y_k.  With (8) and (10) these are Tweedie's
                 formulas: mean = x + sigma^2 psi and covariance = sigma^2 I + sigma^4 J.
    -> (16)      (3) is one sum of d + 2 products, of [y, |y|^2, 1] and [u, -1/2, 0].  Such a sum is
                 off by (d + 2) eps/2 of |y||u| + |y|^2 / 2; the entries of u and y by eps each, so
                 y.u by 2 eps and |y|^2 by (2 + d/2) eps; b_k - top is rounded once for each block
                 of centres, together by eps/2 of at most 2 ( |y||u| + |y|^2 / 2 ).  In total
                 eps ( (d/2 + 4) |y||u| + (d/2 + 2) |y|^2 ), at most (16).
    -> (17)      C/2 eps for the sum within a block, some eps for exp and for the product with y, 3
                 more for each block that is added.  The centres that do not matter have weights
                 below exp(-NEGLIGIBLE) = 4e-44.
    (1) -> (18)  all exponents off by at most tau shift log_Z by at most tau, and Z off by gamma of
                 itself shifts it by gamma;  then the roundings of u, of |u|^2 and of the terms.
    (8) -> (19)  b_k off by t_k, |t_k| <= tau, shifts y_mean by the posterior covariance of t and y,
                 which is at most tau S by Cauchy-Schwarz.  gamma twice, for the sum and for Z.
    (9) -> (20)  each r_k is off by 2 tau of itself, and sum_k r_k |y_k - y_mean|^2 = S^2.  gamma
                 twice in the first term of (9) and four times in the second, both at most R^2.
                 What is left of (20) bounds the roundings of the squares, of v.y and of the result,
                 whose constant term, d in (11), is rounded three times.

Computation
    The sums go over blocks of centres: `top` is the largest exponent so far, and all sums over e
    are scaled when it rises.  (3) and (7) are matrix products, with one exponential per pair
    between them.
    One origin serves all points, the mean of the centres, while eps |y_k|^2 <= ROUNDING for all k:
    then tau <= ROUNDING (d + 8) (1 + |u|/R) / 2.  For a smaller bandwidth those products only find
    the centres that can matter to a point, up to twice (16); for these the same formulas are
    computed from an origin of its own, the nearest centre.  There b is 0 for that centre, and so
    R <= |u| + sqrt(|u|^2 + 2 NEGLIGIBLE), whatever the spread of the centres.

Conventions
    The density is normalised: E holds every constant.  sigma is a standard deviation, not a
    variance and not a multiple of one ("bandwidth factor" in scipy.stats.gaussian_kde).  Nothing is
    learned: `theta` is empty.  (16)-(20) take x and the centres as exact numbers; where x is a
    measurement that was rounded, this alone moves an exponent by up to eps |x| R / (2 sigma).

Sources
    Rosenblatt, Remarks on some nonparametric estimates of a density function, Ann. Math. Statist.
    27 (1956); Parzen, On estimation of a probability density function and mode, ibid. 33 (1962);
    in several dimensions Cacoullos, Estimation of a multivariate density, Ann. Inst. Statist. Math.
    18 (1966).  As q_sigma in Vincent, A connection between score matching and denoising
    autoencoders, Neural Computation 23 (2011).  (16)-(20) are derived here, from the usual bound
    on the error of an inner product: Higham, Accuracy and Stability of Numerical Algorithms (2002).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterator

import numpy as np

from refsm import immutable, validation
from refsm.energies.corrupted import Corrupted
from refsm.energies.corrupted_parzen import corrupted_parzen
from refsm.energies.energy import Energy, EnergyAt, NoTheta
from refsm.immutable import cached_property
from refsm.sums import row_dot
from refsm.typing import Array, ArrayLike, Given
from refsm.zero import ZERO

__all__ = ["Parzen"]

CENTERS = 1024          # centres in a block: with 512 points, 4 MB of exponents
ROUNDING = 2.0 ** -38   # one origin serves all points while eps R^2 is at most this
NEGLIGIBLE = 100.0      # exponents this far below the largest do not matter: exp(-100) = 4e-44


@dataclass(frozen=True, eq=False, repr=False)
class Parzen(Energy):
    """E(x) = -log( (1/N) sum_k N(x; center_k, sigma^2 I) ), equation (1): exp(-E) is the density.

    centers (N, d), sigma > 0 in the units of x.  Nothing is learnable.  ValueError where an entry
    is not finite or sigma <= 0.  Source: Rosenblatt (1956), Parzen (1962).

    At the midpoint of two centres the score is 0; one unit from a single centre it is -1 / sigma^2:

    >>> Parzen([[-1.0], [1.0]], sigma=0.5).score([[0.0]])
    array([[0.]])
    >>> Parzen([[1.0]], sigma=0.5).score([[2.0]])
    array([[-4.]])
    """

    centers: Given
    sigma: float

    theta = NoTheta()

    def __post_init__(self) -> None:
        centers = validation.inexact(validation.points(self.centers, "centers"))
        self._set(centers=immutable.readonly_copy(centers),
                  sigma=float(validation.scale(self.sigma, "sigma")))

    def with_theta(self, theta: Any) -> Parzen:
        """The same energy: it has no parameters."""
        return self

    @property
    def d(self) -> int:
        """The number of dimensions of a point."""
        return self.centers.shape[1]

    @property
    def width(self) -> int:
        """The exponents of a point in one block of centres, or the point itself."""
        return max(self.d, min(len(self.centers), CENTERS))

    @cached_property
    def origin(self) -> Array:
        """The mean of the centres, shape (d,)."""
        return self.centers.mean(axis=0)

    @cached_property
    def squared_radius(self) -> float:
        """The largest squared distance of a centre from their mean, in units of sigma^2."""
        return max(abs(row_dot(y, y)).max() for _, y in self.centers_from(self.origin))

    def centers_from(self, o: Array) -> Iterator[tuple[Array, Array]]:
        """The centres block by block, as they are and as y, seen from an origin (d,)."""
        for start in range(0, len(self.centers), CENTERS):
            block = self.centers[start:start + CENTERS]
            yield block, (block - o) / self.sigma                        # (N, d)  (5)

    def log_density(self, x: ArrayLike) -> Array:
        """log p(x), shape (n,): minus the energy, which holds every constant."""
        return -self.energy(x)

    def posterior_mean(self, x: ArrayLike) -> Array:
        """E[center | x], shape (n, d), equation (14), for x = center + sigma noise.

        From either of two centres with probability 1/2:

        >>> Parzen([[0.0], [2.0]], sigma=0.5).posterior_mean([[1.0]])
        array([[1.]])
        """
        return self._over_row_blocks(x, ParzenAt.posterior_mean)         # type: ignore[arg-type]

    def posterior_covariance(self, x: ArrayLike) -> Array:
        """Cov[center | x], shape (n, d, d), in the units of x squared, equation (15).

        Each centre is 1 from their mean:

        >>> Parzen([[0.0], [2.0]], sigma=0.5).posterior_covariance([[1.0]])
        array([[[1.]]])
        """
        return self._over_row_blocks(x, ParzenAt.posterior_covariance,   # type: ignore[arg-type]
                                     arrays_per_point=self.d)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n >= 1 independent points of the density, shape (n, d)."""
        n = validation.count(n, "n")
        noise = validation.generator(rng).standard_normal((n, self.d))
        return self.centers[rng.integers(len(self.centers), size=n)] + self.sigma * noise

    def corrupted(self, corruption: Any) -> Corrupted:
        """The exact density of alpha x + noise, x from this one: `energies.corrupted_parzen`."""
        return corrupted_parzen(self, corruption)

    def at(self, x: Array, v: Array = ZERO) -> ParzenAt:
        """The energy at a block of points x (n, d), along directions v (n, M, d)."""
        return ParzenAt(self, validation.inexact(x), v)


class ParzenAt(EnergyAt):
    """The energy at a block of points: sums over the centres, block by block."""

    def __init__(self, model: Parzen, x: Array, v: Array) -> None:
        self.model, self.x, self.v, self.sigma = model, x, v, model.sigma
        self.eps = np.finfo(model.centers.dtype).eps
        self.one_origin = self.eps * model.squared_radius <= ROUNDING
        self.o = np.broadcast_to(model.origin, x.shape)
        self.u = (x - self.o) / self.sigma                               # (n, d)  (4)
        if not self.one_origin:
            self.far_u = self.u
            self.best, self.o = self._nearest()
            self.u = (x - self.o) / self.sigma                           # (n, d)  (4)

    def _nearest(self) -> tuple[Array, Array]:
        """The largest exponent from the mean of the centres, (n,), and its center, (n, d)."""
        best = np.full(len(self.x), -np.inf)
        nearest = np.empty(self.x.shape, self.model.centers.dtype)
        for block, y in self.model.centers_from(self.model.origin):
            b = _exponents(self.far_u, y).real
            k = b.argmax(axis=1)
            b_k = b[np.arange(len(b)), k]
            closer = b_k > best
            best[closer], nearest[closer] = b_k[closer], block[k[closer]]
        return best, nearest

    @property
    def exponent_error(self) -> Array:
        """A bound on the error of every exponent from the mean of the centres, (n,)."""
        R, u = np.sqrt(self.model.squared_radius), np.sqrt(row_dot(self.far_u, self.far_u).real)
        tau = (self.model.d + 8) * self.eps * R * (u + R) / 2            # (n,)  (16)
        return tau

    def parts(self) -> Iterator[tuple[slice, Array]]:
        """(rows, y): points, and centres from the origin of these points.

        Together they are all pairs that matter.
        """
        if self.one_origin:
            for _, y in self.model.centers_from(self.model.origin):
                yield slice(None), y
            return
        least = self.best - NEGLIGIBLE - 2 * self.exponent_error         # (n,)
        for block, y in self.model.centers_from(self.model.origin):
            near = _exponents(self.far_u, y).real > least[:, None]       # (n, N)
            for i in np.flatnonzero(near.any(axis=1)):
                yield slice(i, i + 1), (block[near[i]] - self.o[i]) / self.sigma          # (5)

    def means(self, f: Callable[[slice, Array, Array], Array] | None = None,
              shape: tuple[int, ...] = ()) -> tuple[Array, Array, Array, Array]:
        """log_Z (n,), y_mean (n, d), yy_mean (n,), and one more posterior mean (n, *shape).

        f(rows, e, y) is the sum of that quantity over the centres with the weights e.
        """
        u, (n, d) = self.u, self.u.shape
        left = np.column_stack([u, np.full(n, -0.5), np.zeros(n)])       # [u, -1/2, 0]
        top, sums = np.full(n, -np.inf), np.zeros_like(left)
        more = np.zeros((n, *shape), left.dtype)
        for rows, y in self.parts():
            right = np.column_stack([y, row_dot(y, y), np.ones(len(y))])     # [y, |y|^2, 1]
            b = left[rows] @ right.T                                     # (n, N)  (3)
            new = np.maximum(top[rows], b.real.max(axis=1))
            fall = np.exp(top[rows] - new)
            b -= new[:, None]
            np.maximum(b, -NEGLIGIBLE, out=b)                            # exp(-700) is slow
            e = np.exp(b, out=b)                                         # (n, N)  (6)
            sums[rows] = sums[rows] * fall[:, None] + e @ right
            if f is not None:
                more[rows] = _times(more[rows], fall) + f(rows, e, y)
            top[rows] = new
        Z = sums[:, -1]
        log_Z = np.log(Z) + top                                          # (n,)    (2)
        y_mean, yy_mean = sums[:, :d] / Z[:, None], sums[:, d] / Z       # (n, d)  (7)
        return log_Z, y_mean, yy_mean, _times(more, 1 / Z)

    @cached_property
    def sums(self) -> tuple[Array, Array, Array]:
        """log_Z (n,), y_mean (n, d) and yy_mean (n,)."""
        return self.means()[:3]

    def energy(self) -> Array:
        (N, d), sigma, u = self.model.centers.shape, self.sigma, self.u
        log_Z, _, _ = self.sums
        constant = np.log(N) + d * np.log(sigma) + d / 2 * np.log(2 * np.pi)
        return row_dot(u, u) / 2 - log_Z + constant                      # (n,)  (1)

    def score(self) -> Array:
        _, y_mean, _ = self.sums
        psi = (y_mean - self.u) / self.sigma                             # (n, d)  (8)
        return psi

    def V(self) -> Array:
        """The posterior covariance of y, shape (n, d, d)."""
        _, y_mean, _, yy = self.means(lambda rows, e, y: (e[:, None, :] * y.T) @ y,
                                      2 * self.u.shape[1:])
        return yy - y_mean[:, :, None] * y_mean[:, None, :]              # (n, d, d)  (9)

    def jacobian(self) -> Array:
        return (self.V() - np.eye(self.model.d)) / self.sigma**2         # (n, d, d)  (10)

    def divergence(self) -> Array:
        _, y_mean, yy_mean = self.sums
        V_trace = yy_mean - row_dot(y_mean, y_mean)
        return (V_trace - self.model.d) / self.sigma**2                  # (n,)  (11)

    def diagonal(self) -> Array:
        _, y_mean, _, yy = self.means(lambda rows, e, y: e @ y**2, self.u.shape[1:])
        return (yy - y_mean**2 - 1) / self.sigma**2                      # (n, d)  (12)

    def curvature(self) -> Array:
        v = self.v

        def squares(rows: slice, e: Array, y: Array) -> Array:
            vy = v[rows] @ y.T                                           # (n, M, N)
            return row_dot(e[:, None, :] * vy, vy)

        _, y_mean, _, vyy = self.means(squares, v.shape[1:2])
        vy_mean = row_dot(v, y_mean[:, None, :])                         # (n, M)
        return (vyy - vy_mean**2 - row_dot(v, v)) / self.sigma**2        # (n, M)  (13)

    def posterior_mean(self) -> Array:
        """E[center | x], shape (n, d)."""
        _, y_mean, _ = self.sums
        return self.o + self.sigma * y_mean                              # (n, d)  (14)

    def posterior_covariance(self) -> Array:
        """Cov[center | x], shape (n, d, d)."""
        return self.sigma**2 * self.V()                                  # (n, d, d)  (15)

    def pullback(self, **cotangents: Any) -> NoTheta:
        return NoTheta()


def _times(a: Array, w: Array) -> Array:
    """Each a_n times the number w_n."""
    return (a.T * w).T


def _exponents(u: Array, y: Array) -> Array:
    """b (n, N): the plain form of equation (3)."""
    return u @ y.T - row_dot(y, y) / 2                                   # (n, N)  (3)
