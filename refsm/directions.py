"""Directions for sliced score matching: vectors v with E[v v'] = I, as arrays (n, M, d).

Symbols
    n points, M directions per point, d dimensions.
    v        (n, M, d)   directions
    g        (n, M, d)   standard normal vectors
    Q, R     (n, d, d)   orthonormal and triangular factors of a matrix of standard normals
    rng                  numpy.random.Generator

Equations
    (1)  Gaussian:   v = g
    (2)  signs:      v_i = +1 or -1, each with probability 1/2
    (3)  sphere:     v = sqrt(d) g / |g|
    (4)  a frame:    v_r = sqrt(d) times row r of Q', M = d
    (5)  all signs:  the 2^d vectors of +1 and -1, M = 2^d
    (6)  the coordinate frame:  v_r = sqrt(d) e_r, M = d
    the variance of 1/M sum_r v_r'A v_r around tr A, for a symmetric matrix A (d, d)
    (7)  Gaussian:   2 |A|^2 / M,  |A|^2 the sum of all squared entries              [statement 29]
    (8)  signs:      2 ( |A|^2 - sum_i A_ii^2 ) / M                                  [statement 29]
    (9)  sphere:     2 d/(d + 2) ( |A|^2 - (tr A)^2 / d ) / M                        [statement 29]
    (10) M vectors of one frame:  (9) times (d - M)/(d - 1), where d > 1                   [result]

Derivation
    (1), (2)    entries are independent, of mean 0 and variance 1: E v_i v_k = delta_ik.
    (3)         g / |g| is uniform on the unit sphere.  Its distribution does not change under
                rotations and reflections, so E v v' is a multiple of I; its trace is E |v|^2 = d,
                so the multiple is 1.
    (4)         Q is Haar distributed (uniform over orthogonal matrices) if the diagonal of R is
                made positive: for a matrix of normals G the distribution of U G is that of G for
                any orthogonal U, and U G = (U Q) R is then the one factorisation of U G.  Without
                the sign the distribution depends on the routine that factors.  Exact, not in
                expectation only:  1/d sum_r v_r v_r' = Q Q' = I.
    (5)         1/2^d sum over signs of v_i v_k = delta_ik: for i != k flip v_i, and the sum changes
                its sign.  Exact.
    (6)         1/d sum_r d e_r e_r' = I.  Exact.
    (7)         E v_i v_k v_l v_j = delta_ik delta_lj + delta_il delta_kj + delta_ij delta_kl, so
                E (v'Av)^2 = (tr A)^2 + 2 |A|^2; subtract (tr A)^2.
    (8)         v_i^2 = 1, so v'Av = tr A + 2 sum_{i<k} A_ik v_i v_k; the products v_i v_k, i < k,
                are uncorrelated with variance 1:  4 sum_{i<k} A_ik^2.
    (9)         g = (|g| / sqrt(d)) v, the factor independent of v, and E |g|^4 = d (d + 2):
                E (v'Av)^2 = d^2 / (d (d + 2)) ( (tr A)^2 + 2 |A|^2 ); subtract (tr A)^2.
    (10)        over a whole frame sum_r v_r'A v_r = d tr A has no variance: with V = (9) at M = 1
                and the covariance K of two of the vectors, d V + d (d - 1) K = 0.  So
                K = -V / (d - 1), and ( V + (M - 1) K ) / M = V / M (d - M) / (d - 1).

Conventions
    Length sqrt(d), not 1: with unit vectors E[v v'] = I/d, and the plain sliced loss comes out as
    1/d of ours; the variance-reduced one is then another loss.  Signs are also called Rademacher
    vectors.
    (8) and (9) are at most (7).  Signs do not vary for a diagonal A, the sphere does not for a
    multiple of I; which of the two varies less depends on A.  The means over (4), (5) and (6) do
    not vary.  A matrix that is not symmetric enters by its symmetric part, (A + A')/2.
    In exact rationals (`rational`) signs are integers, and (6) is rational where d is a perfect
    square; (1), (3) and (4) become rationals that are exact copies of rounded numbers, so that
    E[v v'] = I holds to rounding only.

Sources
    Hutchinson, A stochastic estimator of the trace of the influence matrix for Laplacian smoothing
    splines, Communications in Statistics: Simulation and Computation 19 (1990): signs, and (8).
    Stewart, The efficient generation of random orthogonal matrices, SIAM Journal on Numerical
    Analysis 17 (1980): (4).
"""
from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np

from refsm import validation
from refsm.typing import Array, ArrayLike

__all__ = ["all_signs", "coordinate_frame", "frames", "gaussian", "rational", "signs", "sphere"]

WIDEST = 16          # dimensions; all 2^16 vectors of signs fit into memory


def gaussian(n: int, M: int, d: int, rng: np.random.Generator) -> Array:
    """Standard normal directions, shape (n, M, d), equation (1).

    >>> gaussian(5, 2, 3, np.random.default_rng(0)).shape
    (5, 2, 3)
    """
    return validation.generator(rng).standard_normal(_shape(n=n, M=M, d=d))     # (n, M, d)  (1)


def signs(n: int, M: int, d: int, rng: np.random.Generator) -> Array:
    """Directions of fair signs, shape (n, M, d), equation (2).

    >>> abs(signs(1, 1, 3, np.random.default_rng(0)))
    array([[[1., 1., 1.]]])
    """
    shape = _shape(n=n, M=M, d=d)
    return validation.generator(rng).choice([-1.0, 1.0], size=shape)            # (n, M, d)  (2)


def sphere(n: int, M: int, d: int, rng: np.random.Generator) -> Array:
    """Directions on the unit sphere times sqrt(d), shape (n, M, d), equation (3).

    >>> v = sphere(1, 1, 3, np.random.default_rng(0))
    >>> round(float((v * v).sum()), 12)
    3.0
    """
    g = gaussian(n, M, d, rng)
    return np.sqrt(d) * g / np.linalg.norm(g, axis=-1, keepdims=True)           # (n, M, d)  (3)


def frames(n: int, d: int, rng: np.random.Generator) -> Array:
    """One orthonormal frame per point, uniformly distributed, times sqrt(d), equation (4).

    Shape (n, d, d), one direction per row.

    >>> v = frames(1, 3, np.random.default_rng(0))[0]
    >>> (v.T @ v / 3).round(12) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    _shape(n=n, d=d)
    Q, R = np.linalg.qr(gaussian(n, d, d, rng))
    Q = Q * np.sign(np.diagonal(R, axis1=1, axis2=2))[:, None, :]
    return np.sqrt(d) * Q.transpose(0, 2, 1)                                    # (n, d, d)  (4)


def all_signs(n: int, d: int) -> Array:
    """All 2^d vectors of signs for each point, shape (n, 2^d, d), equation (5).

    The points share their memory.  ValueError for d > 16.

    >>> all_signs(1, 2)
    array([[[-1., -1.],
            [-1.,  1.],
            [ 1., -1.],
            [ 1.,  1.]]])
    """
    _shape(n=n, d=d)
    if d > WIDEST:
        raise ValueError(f"d must be at most {WIDEST}, which has {2**WIDEST} vectors of signs, "
                         f"but it is {d}")
    v = np.array(list(itertools.product((-1.0, 1.0), repeat=d)))
    return np.broadcast_to(v, (n, *v.shape))                                    # (n, 2^d, d)  (5)


def coordinate_frame(n: int, d: int) -> Array:
    """The coordinate directions times sqrt(d), shape (n, d, d), equation (6).

    Whole numbers where d is a perfect square.

    >>> coordinate_frame(1, 4)[0, 0]
    array([2., 0., 0., 0.])
    """
    _shape(n=n, d=d)
    return np.broadcast_to(np.sqrt(d) * np.eye(d), (n, d, d))                   # (n, d, d)  (6)


def rational(v: ArrayLike) -> Array:
    """The same numbers as exact rationals: for signs E[v v'] = I stays exact.

    >>> rational([[2.0, 0.5]])
    array([[Fraction(2, 1), Fraction(1, 2)]], dtype=object)
    """
    v = validation.widen(v, "v")
    validation.check_finite(v, "v")
    out = np.empty(v.size, dtype=object)
    out[:] = [Fraction(entry) for entry in v.ravel().tolist()]
    return out.reshape(v.shape)


def _shape(**sizes: int) -> tuple[int, ...]:
    """The sizes as a shape, each a whole number >= 1."""
    return tuple(validation.count(size, name) for name, size in sizes.items())
