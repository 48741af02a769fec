"""A mixture of Gaussians: a normalised density with several modes, and a learnable energy.

Symbols
    n points, i and j visible dimensions (d), k and l components (K), m directions (M).
    w         (K,)           weights, >= 0, of sum 1
    mu        (K, d)         means
    S         (K, d, d)      covariances, symmetric and positive definite
    logits    (K,)           any real numbers; w = softmax(logits)
    x         (n, d)         points
    R         (K, d, d)      whitening matrices, lower triangular with a positive diagonal
    P         (K, d, d)      precisions, the inverses of S
    z         (n, K, d)      whitened displacements from a point to the means
    ell       (n, K)         log of weight times component density
    log_p     (n,)           log density of the mixture
    r         (n, K)         responsibilities: the probability that x comes from component k
    s         (n, K, d)      component scores
    psi       (n, d)         score
    delta     (n, K, d)      component score minus score
    v         (n, M, d)      directions
    e, p, t, g, c            cotangents on energy (n,), score (n, d), divergence (n,),
                             diagonal (n, d), curvature (n, M)
    C         (n, d, d)      cotangent on the Jacobian that amounts to t, g and c; symmetric
    q         (n, K)         the part of component k in <C, J> = sum_ij C_ij J_ij
    A         (n, K)         cotangent on ell
    B         (n, K, d)      cotangent on s

Equations
    (1)  E       = -log_p,   log_p = log sum_k exp(ell_k)
    (2)  ell_k   = log w_k - |z_k|^2 / 2 + sum_i log R_kii - (d/2) log(2 pi)
    (3)  z_k     = R_k (mu_k - x)
    (4)  R_k S_k R_k' = I
    (5)  P_k     = R_k' R_k
    (6)  r_k     = exp(ell_k - log_p) / sum_l exp(ell_l - log_p)
    (7)  s_k     = R_k' z_k = P_k (mu_k - x)
    (8)  psi     = sum_k r_k s_k
    (9)  delta_k = s_k - psi
    (10) J       = sum_k r_k ( delta_k delta_k' - P_k )
    (11) tr J    = sum_k r_k ( |delta_k|^2 - tr P_k )
    (12) J_ii    = sum_k r_k ( delta_ki^2 - P_kii )
    (13) v'Jv    = sum_k r_k ( (v.delta_k)^2 - v'P_k v )
    (14) mean    = sum_k w_k mu_k
    (15) covariance = sum_k w_k ( S_k + (mu_k - mean)(mu_k - mean)' )
    (16) w_k     = exp(logits_k) / sum_l exp(logits_l)
    Pullback of  L = sum_n ( e E + p.psi + t tr J + sum_i g_i J_ii + sum_m c_m v_m'J v_m ):
    (17) C       = t I + diag(g) + sum_m c_m v_m v_m'
    (18) q_k     = delta_k'C delta_k - <C, P_k>
    (19) A_k     = r_k ( -e + p.delta_k + q_k - sum_l r_l q_l )
    (20) B_k     = r_k ( p + 2 C delta_k )
    (21) dL/dlogits_k = sum_n ( A_k + w_k e )
    (22) dL/dmu_k     = sum_n ( P_k B_k - A_k s_k )
    (23) dL/dS_k      = sym( sum_n (A_k s_k / 2 - P_k B_k) s_k' - (sum_n A_k) P_k / 2
                             + P_k ( sum_n r_k C ) P_k ),   sym(X) = (X + X') / 2
    Accuracy: bounds on errors, to first order in eps, the machine epsilon, and whatever the order
    of products and sums.  kappa_k is the condition number of S_k, |R_k| the largest singular value
    of R_k, and tau the largest tau_k of the components that matter to x, those with r_k > 1e-44.
    (24) tau_k   = 2 (d + 1)^2 eps kappa_k ( |z_k|^2 + d )
                   + (d + 4) eps ( |log w_k| + sum_i |log R_kii| + d ), the error of ell_k  [result]
    (25) error of E   <= tau + (K + 8) eps                                                  [result]
    (26) error of psi <= sum_k r_k ( tau |delta_k|
                           + eps (4 (d + 1)^2 kappa_k + K + 8) |R_k| |z_k| )                [result]

Derivation
    (3) -> (2)   (mu_k - x)'P_k (mu_k - x) = |z_k|^2 by (5), and by (4)
                 log det S_k = -2 log det R_k = -2 sum_i log R_kii.
    (4)          Gaussian elimination of [S_k, I] without exchange of rows: with S = L D L', L unit
                 lower triangular and D the pivots, it leaves [D L', L^-1], and R = D^(-1/2) L^-1.
                 S is positive definite exactly if all pivots are > 0.
    (1) -> (6)   the sum is 1 by (1).  Rounding moves log_p, and with it all r_k, by eps |log_p| / 2
                 of themselves; far from all means this is much, and the division removes it.
    (1) -> (8)   grad ell_k = s_k by (2), and the gradient of log sum exp is the mean of the
                 gradients with the weights (6).
    (8) -> (10)  grad r_k = r_k ( s_k - sum_l r_l s_l ) = r_k delta_k and ds_k/dx = -P_k:
                 J = sum_k r_k ( s_k delta_k' - P_k ), and psi sum_k r_k delta_k' = 0 may be
                 subtracted; a sum of squares does not cancel.  (11), (12) and (13) are its trace,
                 its diagonal entries and a quadratic form.
    -> (17)      t tr J + sum_i g_i J_ii + sum_m c_m v_m'J v_m = <C, J>, and
                 <C, J> = sum_k r_k q_k by (10) and (18).
    -> (19), (20)  what L gains when ell, s and P move, each alone.
                 dr_k = r_k ( dell_k - sum_l r_l dell_l ) by (6), and so
                 dE = -sum_k r_k dell_k
                 dpsi = sum_k dr_k s_k + r_k ds_k = sum_k r_k ( dell_k delta_k + ds_k )
                 d<C, J> = sum_k dr_k q_k + r_k ( 2 delta_k'C (ds_k - dpsi) - <C, dP_k> )
                 where dpsi drops out because sum_k r_k delta_k = 0.  A, B and -r_k C are the
                 factors of dell_k, ds_k and dP_k.
    -> (21)      d ell_k / d logits_l = [k = l] - w_l by (16), so
                 dL/dlogits_k = sum_n ( A_k - w_k sum_l A_l );  sum_l A_l = -e.
    -> (22)      d ell_k = -s_k.dmu_k by (2), ds_k = P_k dmu_k by (7), and P does not depend on mu.
    -> (23)      dP_k = -P_k dS_k P_k;  d ell_k = ( s_k'dS_k s_k - <P_k, dS_k> ) / 2, because
                 d log det S = <P, dS>;  B_k.ds_k = -<P_k B_k s_k', dS_k>;
                 -r_k <C, dP_k> = r_k <P_k C P_k, dS_k>.  dS_k is symmetric: only sym() counts.
    -> (24)      elimination is exact for S + dS with |dS| <= d (d + 1) eps/2 |S|; the columns of R
                 solve systems whose entries are off by (d + 3) eps/2 of themselves; R (mu - x) and
                 |z|^2 are sums of d products.  Together they move |z|^2 / 2 by at most
                 (5 d^2 + 10 d) eps/4 kappa |z|^2, and log det S by d^2 (d + 1) eps/2 kappa.
    -> (25), (26)  all ell_k off by at most tau shift log_p by at most tau, and psi by
                 sum_k r_k dell_k delta_k, at most tau sum_k r_k |delta_k|.  s_k = R_k'z_k is off by
                 at most 3 (d + 1)^2 eps kappa_k |R_k||z_k|, for the reasons of (24); then K are
                 summed.

Conventions
    The density is normalised: E holds every constant, and log_density = -E.  The gradient for S is
    the symmetric one: L gains sum_ij G_ij dS_ij for a symmetric dS; code that counts each pair
    i < j once has twice the entries off the diagonal.
    A weight of 0 is allowed: its logit is -inf, and all gradients for that component are 0.  Logits
    are determined up to a constant; `theta` gives log w.  Complex steps pass through the
    elimination (4), but not through numpy's slogdet (a modulus) and cholesky (conjugates).

Sources
    Mixtures of normal densities: Pearson, Contributions to the mathematical theory of evolution,
    Phil. Trans. R. Soc. A 185 (1894).  Responsibilities as in the EM algorithm: Dempster, Laird and
    Rubin, Maximum likelihood from incomplete data, J. R. Stat. Soc. B 39 (1977).  The errors of
    elimination in (24): Higham, Accuracy and Stability of Numerical Algorithms (2002), chapters 8
    and 10.  (10)-(13) and (17)-(26) are derived here.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from refsm import immutable, validation
from refsm.energies.corrupted import Corrupted, CorruptedMixture
from refsm.energies.energy import Energy, EnergyAt
from refsm.immutable import cached_property
from refsm.stable import log_sum_exp
from refsm.sums import row_dot
from refsm.typing import Array, ArrayLike, Given
from refsm.validation import symmetric_part
from refsm.zero import ZERO

__all__ = ["GaussianMixture", "MixtureTheta"]

WEIGHT_GAP = 2.0 ** -30      # how far the sum of the weights may be from 1


class MixtureTheta(NamedTuple):
    """The learnable arrays of `GaussianMixture`."""

    logits: Array         # (K,)
    means: Array          # (K, d)
    covariances: Array    # (K, d, d)


@dataclass(frozen=True, eq=False, repr=False)
class GaussianMixture(Energy):
    """E(x) = -log sum_k w_k N(x; mu_k, S_k), equation (1): exp(-E) is the density.

    weights (K,) >= 0 of sum 1 (to 2^-30; they are divided by their sum), means (K, d) in the units
    of x, covariances (K, d, d) symmetric and positive definite.  All are learnable, the weights
    through `logits`.  ValueError where one is not as said.  Source: Pearson (1894).

    One component is a Gaussian; with variance 1/4 its score at mean + 1 is -1 / 0.25:

    >>> model = GaussianMixture(weights=[1.0], means=[[2.0]], covariances=[[[0.25]]])
    >>> model.score([[3.0]])
    array([[-4.]])
    """

    weights: Given
    means: Given
    covariances: Given

    def __post_init__(self) -> None:
        means = validation.inexact(validation.array(self.means, "means", ("K", "d")))
        K, d = means.shape
        weights = validation.inexact(validation.array(self.weights, "weights", (K,)))
        S = validation.inexact(validation.array(self.covariances, "covariances", (K, d, d)))
        if weights.real.min() < 0:
            raise ValueError(f"weights must be >= 0, but the smallest is {weights.real.min()}")
        if abs(weights.sum() - 1) > WEIGHT_GAP:
            raise ValueError(f"weights must have the sum 1, but it is {weights.sum()}")
        self._set(**immutable.common_dtype(weights=weights / weights.sum(), means=means,
                                           covariances=validation.symmetric(S, "covariances")))
        if not validation.all_finite(self.P):
            raise ValueError("covariances must have finite inverses, "
                             "but an entry of one of these is not")

    @cached_property
    def R(self) -> Array:
        """The whitening matrices (K, d, d) of equation (4): lower triangular, R S R' = I."""
        I = np.broadcast_to(np.eye(self.d), self.covariances.shape)
        rows = np.concatenate([self.covariances, I], axis=2)             # (K, d, 2d)
        for i in range(self.d):
            pivot = rows[:, i, i]
            if not (pivot.real > 0).all():
                raise ValueError("covariances must be positive definite, "
                                 f"but the one at {int(pivot.real.argmin())} is not")
            factor = rows[:, i + 1:, i] / pivot[:, None]
            rows[:, i + 1:] -= factor[:, :, None] * rows[:, None, i]
            rows[:, i] /= np.sqrt(pivot)[:, None]
        return immutable.readonly_copy(rows[:, :, self.d:])              # (K, d, d)  (4)

    @cached_property
    def P(self) -> Array:
        """The precisions (K, d, d) of equation (5): the inverses of the covariances."""
        with np.errstate(over="ignore"):
            P = self.R.transpose(0, 2, 1) @ self.R                       # (K, d, d)  (5)
        return immutable.readonly_copy(P)

    @property
    def theta(self) -> MixtureTheta:
        """The learnable arrays (logits, means, covariances), with logits = log w."""
        with np.errstate(divide="ignore"):
            logits = immutable.readonly_copy(np.log(self.weights))
        return MixtureTheta(logits, self.means, self.covariances)

    def with_theta(self, theta: MixtureTheta) -> GaussianMixture:
        """The mixture with weights softmax(logits), other means and covariances.

        -inf is the logit of the weight 0.
        """
        logits, means, covariances = self._leaves(theta)
        logits = validation.widen(logits, "logits")
        if not (logits.real < np.inf).all() or not (logits.real > -np.inf).any():
            raise ValueError("logits must be finite or -inf, and not all -inf, "
                             f"but they are {logits}")
        w = np.exp(logits - log_sum_exp(logits))                         # (K,)  (16)
        return GaussianMixture(w, means, covariances)

    def projected(self, theta: MixtureTheta) -> MixtureTheta:
        """The parameters with each covariance replaced by its symmetric part."""
        return theta._replace(covariances=symmetric_part(theta.covariances))

    @property
    def d(self) -> int:
        """The number of dimensions of a point."""
        return self.means.shape[1]

    @property
    def width(self) -> int:
        """The numbers that a point needs at once: K vectors, or one matrix."""
        return self.d * max(self.means.shape)

    @property
    def mean(self) -> Array:
        """The mean of the whole density, shape (d,), equation (14)."""
        return self.weights @ self.means                                 # (d,)  (14)

    @property
    def covariance(self) -> Array:
        """The covariance of the whole density, (d, d), in the units of x squared, equation (15)."""
        w, S, apart = self.weights, self.covariances, self.means - self.mean
        return np.tensordot(w, S, 1) + w * apart.T @ apart               # (d, d)  (15)

    def log_density(self, x: ArrayLike) -> Array:
        """log p(x), shape (n,): minus the energy, which holds every constant."""
        return -self.energy(x)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n >= 1 independent points of the density, shape (n, d)."""
        n = validation.count(n, "n")
        x = validation.generator(rng).standard_normal((n, self.d))
        component = rng.choice(len(self.weights), size=n, p=self.weights)
        for k in range(len(self.weights)):
            rows = component == k
            x[rows] = self.means[k] + x[rows] @ np.linalg.cholesky(self.covariances[k]).T
        return x

    def corrupted(self, corruption: Any) -> Corrupted:
        """The exact density of alpha x + noise with x from this one: `energies.corrupted`."""
        return CorruptedMixture(self, corruption)

    def at(self, x: Array, v: Array = ZERO) -> GaussianMixtureAt:
        """The energy at a block of points x (n, d), along directions v (n, M, d)."""
        return GaussianMixtureAt(self, validation.inexact(x), v)


class GaussianMixtureAt(EnergyAt):
    """The energy at a block of points: responsibilities, local quantities, and their pullbacks."""

    def __init__(self, model: GaussianMixture, x: Array, v: Array) -> None:
        self.model, self.x, self.v = model, x, v
        self.w, self.mu, self.R, self.P = model.weights, model.means, model.R, model.P

    def energy(self) -> Array:
        return -self.log_p                                               # (n,)  (1)

    @cached_property
    def log_p(self) -> Array:
        return log_sum_exp(self.ell)                                     # (n,)  (1)

    @cached_property
    def ell(self) -> Array:
        z, d, log_w = self.z, self.model.d, self.model.theta.logits
        log_R = np.log(np.diagonal(self.R, axis1=1, axis2=2)).sum(axis=1)
        return log_w - row_dot(z, z) / 2 + log_R - d / 2 * np.log(2 * np.pi)     # (n, K)  (2)

    @cached_property
    def z(self) -> Array:
        R_T = self.R.transpose(0, 2, 1)
        return _times(self.mu - self.x[:, None, :], R_T)                 # (n, K, d)  (3)

    @cached_property
    def r(self) -> Array:
        far = ~(self.log_p.real > -np.inf)                               # (n,)
        if far.any():
            raise ValueError("x must be within 1e154 standard deviations of a mean, "
                             f"but row {int(far.argmax())} of a block is not")
        r = np.exp(self.ell - self.log_p[:, None])
        return r / r.sum(axis=1, keepdims=True)                          # (n, K)  (6)

    @cached_property
    def s(self) -> Array:
        return _times(self.z, self.R)                                    # (n, K, d)  (7)

    @cached_property
    def psi(self) -> Array:
        return np.einsum("nk,nki->ni", self.r, self.s)                   # (n, d)  (8)

    @cached_property
    def delta(self) -> Array:
        return self.s - self.psi[:, None, :]                             # (n, K, d)  (9)

    def score(self) -> Array:
        return self.psi

    def jacobian(self) -> Array:
        r, delta, P = self.r, self.delta, self.P
        second = _outer_sum(r[:, :, None] * delta, delta, 1)
        return second - np.tensordot(r, P, 1)                            # (n, d, d)  (10)

    def divergence(self) -> Array:
        r, delta, P_trace = self.r, self.delta, np.trace(self.P, axis1=1, axis2=2)
        return row_dot(r, row_dot(delta, delta) - P_trace)               # (n,)  (11)

    def diagonal(self) -> Array:
        r, delta, P_ii = self.r, self.delta, np.diagonal(self.P, axis1=1, axis2=2)
        return np.einsum("nk,nki->ni", r, delta**2 - P_ii)               # (n, d)  (12)

    def curvature(self) -> Array:
        v, r, delta, R = self.v, self.r[:, None, :], self.delta, self.R
        v_delta = v @ delta.transpose(0, 2, 1)                           # (n, M, K)
        R_v = np.tensordot(v, R, axes=(2, 2))                            # (n, M, K, d)
        return row_dot(r, v_delta**2 - row_dot(R_v, R_v))                # (n, M)  (13), P = R'R

    def pullback(self, energy: Array = ZERO, score: Array = ZERO, divergence: Array = ZERO,
                 diagonal: Array = ZERO, curvature: Array = ZERO) -> MixtureTheta:
        e, p, t, g, c = energy, score, divergence, diagonal, curvature
        w, P, r, s, delta, v = self.w, self.P, self.r, self.s, self.delta, self.v
        I = np.eye(self.model.d)
        cvv = _outer_sum(c[:, :, None] * v, v, 1)
        C = t[:, None, None] * I + g[:, None, :] * I + cvv               # (n, d, d)  (17)
        q = row_dot(delta, delta @ C) - _contract(C, P.T, 2)             # (n, K)     (18)
        p_delta, r_q = row_dot(p[:, None, :], delta), row_dot(r, q)
        A = r * (p_delta + q - r_q[:, None] - e[:, None])                # (n, K)     (19)
        B = r[:, :, None] * (p[:, None, :] + 2 * delta @ C)              # (n, K, d)  (20)
        As, PB = A[:, :, None] * s, _times(B, P)                         # (n, K, d)
        A_sum = A.sum(axis=0)                                            # (K,)
        rC = _contract(r.T, C, 1)
        dlogits = A_sum + w * e.sum()                                    # (K,)       (21)
        dmu = (PB - As).sum(axis=0)                                      # (K, d)     (22)
        dS = symmetric_part(_outer_sum(As / 2 - PB, s, 0)
                            - A_sum[:, None, None] * P / 2 + P @ rC @ P)     # (K, d, d)  (23)
        return MixtureTheta(dlogits, dmu, dS)


def _times(u: Array, M: Array) -> Array:
    """u_nk M_k, a row times a matrix for each component: (n, K, d), (K, d, d) -> (n, K, d)."""
    return ZERO if u is ZERO else (u.transpose(1, 0, 2) @ M).transpose(1, 0, 2)


def _outer_sum(u: Array, v: Array, axis: int) -> Array:
    """The sum of the outer products u v' over an axis: 0, the points, or 1."""
    return ZERO if u is ZERO else np.moveaxis(u, axis, -1) @ np.moveaxis(v, axis, -2)


def _contract(a: Array, b: Array, axes: int) -> Array:
    """The sum over the last axes of a and the first of b, so many of each."""
    return ZERO if a is ZERO or b is ZERO else np.tensordot(a, b, axes)
