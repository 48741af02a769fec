"""Exact expectations: nodes and weights that any objective takes.

A statement in expectation can then be checked to rounding:

    x, weights = trapezoid(density)
    ImplicitScoreMatching(x, weights=weights).value(model)     # E_q of the loss, to about 1e-14

Symbols
    n nodes, i dimensions (d), k components of a mixture (K).
    nodes        (n, d)      points where a function is read
    weights      (n,)        what its values are multiplied by
    mean         (d,)        of a Gaussian, beside its covariance (d, d)
    probability  number      of a component of a mixture
    z            (n, d)      nodes for N(0, I)
    size         int         nodes along each dimension
    h            (d,)        the distance between two of them
    order        int         nodes along each dimension of a Gauss-Hermite rule
    noise                    the corruption q(x_noisy | x) = N(x_noisy; alpha x, C)
    T            (d, d)      covariance of x_noisy
    gain         (d, d)      regression of x on x_noisy
    S_given      (d, d)      covariance of x given x_noisy

Equations
    (1)  E f = sum_n weights_n f(nodes_n)
    (2)  integral over a box of f = h_1 ... h_d sum_n c_n f(nodes_n),
         c_n = 2^-(how many coordinates of the node are ends)
    (3)  trapezoid rule for N(0, I):
         weights = those of (2) on [-REACH, REACH]^d, times exp(-|z|^2 / 2) / (2 pi)^(d/2)
    (4)  Gauss-Hermite rule for N(0, 1):
         z the roots of He_order, weights = order! / (order He_(order-1)(z))^2
    (5)  in d dimensions: all d-tuples of nodes, with the product of their weights
    (6)  N(mean, covariance):  nodes = mean + L z,  L L' = covariance
    (7)  a mixture: the rules of its components, each with its weights times the probability
    pairs (x, x_noisy)
    (8)  x from a finite set, x_noisy = alpha x + noise:
         each x with each node of its noise, the product of their weights
    x ~ N(mean, covariance):
    (9)  x_noisy ~ N(alpha mean, T),  T = alpha^2 covariance + C
    (10) x given x_noisy ~ N(mean + gain (x_noisy - alpha mean), S_given),
         gain = alpha covariance T^-1
    (11) S_given = gain C / alpha

Derivation
    (3)         Poisson's summation formula: for f on the whole line,
                h sum_k f(k h) = sum_m F(2 pi m / h),  F the Fourier transform of f.
                The term m = 0 is the integral; the others are the error, 2 exp(-2 pi^2 / h^2) for
                the Gaussian alone.  For the Gaussian times a function whose nearest singularity
                lies at a distance a from the real axis (a = pi / |w| for sigmoid(w z)) it is of the
                order of exp(-2 pi a / h).  So halving h squares the error, or does better: where
                two levels agree to 1e-13, the finer one is right to rounding.  What lies beyond
                REACH = 9 standard deviations weighs 2.3e-19.
    (4)         exact for polynomials of degree <= 2 order - 1 (Gauss), but slow for functions with
                poles near the real axis.
    -> (9)      x_noisy = alpha x + noise is a sum of independent Gaussians;
                cov(x, x_noisy) = alpha covariance.
    (9) -> (10) conditioning of a joint Gaussian: gain = cov(x, x_noisy) T^-1, and
                S_given = covariance - gain cov(x_noisy, x).
    -> (11)     covariance - alpha gain covariance
                  = covariance T^-1 (T - alpha^2 covariance) = covariance T^-1 C:
                the form that does not cancel where the noise is small.
    Denoising losses are quadratic in x given x_noisy, so that two Gauss-Hermite nodes per dimension
    are exact for x, and only x_noisy needs a fine rule: d dimensions of it, not the 2 d of the
    pair.

Conventions
    Weights are probabilities, except those of `box`, which are volumes; they are never normalised:
    that they add up to 1 to rounding is a check on the rule.  He_n are the probabilists' Hermite
    polynomials, orthogonal for exp(-z^2 / 2).  Tensor rules are practical for d <= 3.

Sources
    Trefethen & Weideman, The exponentially convergent trapezoidal rule, SIAM Review 56 (2014): the
    error of (3).  Golub & Welsch, Calculation of Gauss quadrature rules, Mathematics of Computation
    23 (1969): how the nodes of (4) are found.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import roots_hermitenorm

from refsm import sums, validation
from refsm.corruption import Corruption, CovarianceCorruption
from refsm.corruption import corruption as process
from refsm.typing import Array, ArrayLike

__all__ = ["Expectation", "NoisyPairs", "Rule", "box", "expectation", "gauss_hermite",
           "noisy_density", "noisy_pairs", "trapezoid"]

REACH = 9.0            # standard deviations
MOST = 2 ** 22         # nodes: 161 along each of three dimensions


class Rule(NamedTuple):
    """Nodes and weights: E f = sum_n weights_n f(nodes_n), equation (1)."""

    nodes: Array         # (n, d)
    weights: Array       # (n,)


class NoisyPairs(NamedTuple):
    """Clean and noisy nodes of a joint distribution, and their weights."""

    x: Array             # (n, d)
    x_noisy: Array       # (n, d)
    weights: Array       # (n,)


class Expectation(NamedTuple):
    """An expectation, how far the rule of half the size is from it, and the size of the rule."""

    value: Any
    error: float
    size: int


def box(lower: ArrayLike, upper: ArrayLike, size: int) -> Rule:
    """Trapezoid rule for integrals over the box from `lower` to `upper`, (d,) each, equation (2).

    The weights are volumes.  It is a rule for any density or energy: Z = weights @ exp(-E(nodes)).
    ValueError unless lower < upper and size >= 2.

    >>> box([0.0], [2.0], 3).weights                           # h = 1, half of it at the ends
    array([0.5, 1. , 0.5])
    """
    lower = validation.array(lower, "lower", ("d",))
    upper = validation.array(upper, "upper", lower.shape)
    if not (lower < upper).all():
        raise ValueError("upper must exceed lower in every dimension, "
                         f"but they are {upper.tolist()} and {lower.tolist()}")
    if validation.count(size, "size") < 2:
        raise ValueError(f"size must be at least 2, but it is {size}")
    d = len(lower)
    _check_size(size, d, 1)
    h = (upper - lower) / (size - 1)
    ends = np.ones(size)
    ends[[0, -1]] = 1 / 2
    nodes, c = _tensor([np.linspace(*along, size) for along in zip(lower, upper)], [ends] * d)
    weights = h.prod() * c                                                 # (n,)  (2)
    return Rule(nodes, weights)


def trapezoid(density: Any, size: int = 81) -> Rule:
    """Trapezoid rule for E f under a density, on +-9 standard deviations, (3), (6), (7).

    The rule for scores.  density: a pair (mean, covariance), a Gaussian, a mixture of Gaussians or
    a Parzen density; `size` nodes along each dimension of each component.  Accurate to rounding for
    sigmoid scores whose weights times the standard deviation are below about 2 at the default size;
    `expectation` finds the size by itself.  TypeError for another density, ValueError for more than
    2^22 nodes.

    >>> x, weights = trapezoid(([3.0], [[4.0]]))
    >>> round(float(weights @ x[:, 0]**2), 12)                             # mean^2 + variance
    13.0
    """
    return _of_components(density, size, _trapezoid)


def gauss_hermite(density: Any, order: int) -> Rule:
    """Gauss-Hermite rule for E f under a density, equations (4), (6), (7).

    Exact for polynomials of degree up to 2 order - 1.  density: as in `trapezoid`; `order` nodes
    along each dimension of each component.

    >>> x, weights = gauss_hermite(([0.0], [[1.0]]), order=2)
    >>> (weights @ x**2).round(12)
    array([1.])
    """
    return _of_components(density, order, _gauss_hermite)


def expectation(f: Callable[[Array], Array], density: Any,
                rule: Callable[[Any, int], Rule] = trapezoid, size: int = 21,
                tolerance: float = 1e-13) -> Expectation:
    """E f under a density, from levels of doubled size until two agree to `tolerance` of E |f|.

    f takes nodes (n, d) and returns (n, ...), per-sample losses for example.  The error is the
    change that the last doubling made; for an analytic f that of the value itself is far below it.
    RuntimeError if two levels never agree.

    >>> value, error, size = expectation(lambda x: x[:, 0]**2, ([0.0], [[4.0]]))
    >>> round(float(value), 12), error < 1e-12, size
    (4.0, True, 81)
    """
    K, d = _components(density)[1].shape
    value: Any = np.inf
    error = np.inf
    while K * size**d <= MOST:
        nodes, weights = rule(density, size)
        terms = np.asarray(f(nodes))
        coarse = value
        value = np.tensordot(weights, terms, axes=1)                       # (...)  (1)
        gap = np.abs(value - coarse)
        error = float(gap.max())
        if (gap <= tolerance * np.tensordot(weights, np.abs(terms), axes=1)).all():
            return Expectation(value, error, size)
        size = 2 * size - 1
    raise RuntimeError(f"two levels must agree to {tolerance:g} of E|f| with at most {MOST} nodes, "
                       f"but they still differ by {error:.1e}")


def noisy_pairs(x: ArrayLike | Rule, corruption: Corruption | float, size: int = 81) -> NoisyPairs:
    """All pairs (x, x_noisy) of a finite set of clean points, equation (8).

    E over the noise by the trapezoid rule.  x: points (N, d), which get the weights 1/N, or a pair
    (points, weights).  corruption: a process, or a number sigma.  The pairs of one clean point are
    adjacent rows, `size**d` of them.

    >>> x, x_noisy, weights = noisy_pairs([[3.0]], 0.5)
    >>> round(float(weights @ (x_noisy - x)[:, 0]**2), 12)
    0.25
    """
    x, clean_weights = x if isinstance(x, tuple) and len(x) == 2 else (x, None)
    noise = process(corruption)
    x = validation.points(x, "x", noise.d)
    N, d = x.shape
    if clean_weights is None:
        clean_weights = np.full(N, 1 / N)
    clean_weights = validation.array(clean_weights, "weights", (N,))
    eps, eps_weights = _trapezoid(d, size, N)
    x = np.repeat(x, len(eps), axis=0)
    x_noisy = noise.noisy(x, np.tile(eps, (N, 1)))                         # (n, d)  (8)
    weights = np.outer(clean_weights, eps_weights).ravel()                 # (n,)  (8)
    return NoisyPairs(x, x_noisy, weights)


def noisy_density(density: Any, corruption: Corruption | float, size: int = 81,
                  order: int = 2) -> NoisyPairs:
    """Pairs (x, x_noisy) for x from a density, equations (9), (10), (11), (7).

    Trapezoid nodes for x_noisy, and for each of them Gauss-Hermite nodes for x given it: exact to
    rounding for losses that are polynomials in x of degree up to 2 order - 1, such as denoising
    losses with order 2.  density: as in `trapezoid`; corruption: a process, or a number sigma.

    >>> x, x_noisy, weights = noisy_density(([3.0], [[4.0]]), 0.5)
    >>> round(float(weights @ x[:, 0]**2), 12), round(float(weights @ x_noisy[:, 0]**2), 12)
    (13.0, 13.25)
    """
    noise = process(corruption)
    alpha = noise.alpha
    parts = []
    components = _components(density)
    K, d = components[1].shape
    noise.check_dimension(d)
    C = noise.covariance_times(np.eye(d))
    z, weights = _trapezoid(d, size, K * order**d)
    z_given, weights_given = _gauss_hermite(d, order, K)
    pair_weights = np.outer(weights, weights_given).ravel()
    for probability, mean, covariance in zip(*components):
        T = alpha**2 * covariance + C                                      # (d, d)  (9)
        gain = alpha * np.linalg.solve(T, covariance).T                    # (d, d)  (10)
        S_given = validation.symmetric_part(gain @ C / alpha)              # (d, d)  (11)
        x_noisy = _moved(alpha * mean, T, z)                               # (size^d, d)
        x_mean = mean + (x_noisy - alpha * mean) @ gain.T                  # (size^d, d)  (10)
        x = _moved(x_mean[:, None, :], S_given, z_given)                   # (size^d, order^d, d)
        parts.append((np.concatenate(x), np.repeat(x_noisy, len(z_given), axis=0),
                      probability * pair_weights))
    return NoisyPairs(*map(np.concatenate, zip(*parts)))


def _of_components(density: Any, size: int,
                   standard: Callable[[int, int, int], tuple[Array, Array]]) -> Rule:
    """The rule of a mixture from a rule for N(0, I)."""
    probabilities, means, covariances = _components(density)
    K, d = means.shape
    z, weights = standard(d, size, K)
    nodes = [_moved(mean, covariance, z) for mean, covariance in zip(means, covariances)]
    weights = np.outer(probabilities, weights).ravel()                     # (n,)  (7)
    return Rule(np.concatenate(nodes), weights)


def _moved(mean: Array, covariance: Array, z: Array) -> Array:
    return CovarianceCorruption(covariance).noisy(mean, z)                 # (..., n, d)  (6)


def _trapezoid(d: int, size: int, copies: int) -> tuple[Array, Array]:
    _check_size(size, d, copies)
    z, volumes = box([-REACH] * d, [REACH] * d, size)
    weights = volumes * np.exp(-sums.row_dot(z, z) / 2) / (2 * np.pi) ** (d / 2)     # (n,)  (3)
    return z, weights


def _gauss_hermite(d: int, order: int, copies: int) -> tuple[Array, Array]:
    _check_size(order, d, copies)
    z, weights = roots_hermitenorm(order)                                  # (order,) each  (4)
    return _tensor([z] * d, [weights / np.sqrt(2 * np.pi)] * d)


def _tensor(axes: list[Array], weights: list[Array]) -> tuple[Array, Array]:
    nodes = np.stack([along.ravel() for along in np.meshgrid(*axes, indexing="ij")], axis=1)
    product = np.prod(np.meshgrid(*weights, indexing="ij"), axis=0).ravel()          # (n,)  (5)
    return nodes, product


def _check_size(size: int, d: int, copies: int) -> None:
    if copies * validation.count(size, "size") ** d > MOST:
        raise ValueError(f"size must give at most {MOST} nodes, but {size} along each of {d} "
                         f"dimensions, {copies} times, are {copies * size**d}")


def _components(density: Any) -> tuple[Array, Array, Array]:
    """Probabilities (K,), means (K, d) and covariances (K, d, d) of a mixture of Gaussians."""
    if isinstance(density, tuple) and len(density) == 2:
        mean = validation.array(density[0], "mean", ("d",))
        covariance = validation.array(density[1], "covariance", 2 * mean.shape)
        return np.ones(1), mean[None], covariance[None]
    if hasattr(density, "covariances"):
        return density.weights, density.means, density.covariances
    if hasattr(density, "centers"):
        K, d = density.centers.shape
        covariances = np.broadcast_to(density.sigma**2 * np.eye(d), (K, d, d))
        return np.full(K, 1 / K), density.centers, covariances
    if hasattr(density, "covariance") and not isinstance(density, type):
        return np.ones(1), density.mean[None], density.covariance[None]
    raise TypeError("density must be a pair (mean, covariance), a Gaussian, a mixture of Gaussians "
                    f"or a Parzen density, but it is of type {type(density).__name__}")
