"""The Bernoulli restricted Boltzmann machine: binary visible units, binary hidden units summed out.

Symbols
    n points, i visible units (d), j hidden units (m).
    W         (m, d)      weights, one row per hidden unit
    b         (m,)        hidden offsets
    c         (d,)        visible offsets
    x         (n, d)      binary points, 0 or 1
    a         (n, m)      activations
    s, s1     (n, m)      sigmoid(a) and its slope
    delta     (n, d)      what a flip adds to a bit: 1 or -1
    w                     delta_i W_ji, what flipping bit i adds to a_j
    k         (2d, m)     exp(w) - 1, for x_i = 0 in the first d rows and for x_i = 1 in the last
    inverse_k (2d, m)     1 / k, infinite where k = 0
    rise                  what flipping bit i adds to softplus(a_j)
    h                     what flipping bit i adds to sigmoid(a_j)
    e, g                  cotangents on energy (n,) and gap (n, d)
    A         (n, m)      the cotangent on a

Equations
    (1)  E(x)   = -c.x - sum_j softplus(a_j)
    (2)  a_j    = b_j + sum_i W_ji x_i
    (3)  delta_i = 1 - 2 x_i
    (4)  gap_i  = -c_i delta_i - sum_j rise_ji
    (5)  rise_ji = softplus(a_j + w) - softplus(a_j)                                          [definition]
    (6)  rise_ji = log(1 + s_j k_ji)                                       where |W_ji| <= NEAR
    (7)  rise_ji = w + softplus(-a_j - w) - softplus(-a_j)                 elsewhere, where a_j > 0 and a_j + w > 0; else (5)
    Pullback of  L = sum_n ( e E + sum_i g_i gap_i ):
    (8)  h_ji   = sigmoid(a_j + w) - sigmoid(a_j)                                             [definition]
    (9)  h_ji   = s1_j / (s_j + 1 / k_ji)                                  where |W_ji| <= NEAR
    (10) h_ji   = sigmoid(a_j + w) sigmoid(-a_j) - sigmoid(a_j) sigmoid(-a_j - w)             elsewhere
    (11) A_j    = -e s_j - sum_i g_i h_ji
    (12) dL/db_j  = sum_n A_j
    (13) dL/dc_i  = -sum_n ( e x_i + g_i delta_i )
    (14) dL/dW_ji = sum_n ( A_j x_i - g_i delta_i (s_j + h_ji) )

Derivation
    -> (1)       hidden h in {0, 1}^m summed out of -c.x - b.h - h'Wx:  exp(-E) = exp(c.x) prod_j (1 + exp(a_j)).
    (1) -> (4)   a flip adds delta_i to x_i, so delta_i W_ji = w to a_j; what it adds to -E is c_i delta_i + sum_j rise_ji.
    (5) -> (6)   (1 + e^(a + w)) / (1 + e^a) = 1 + (e^a / (1 + e^a)) (e^w - 1) = 1 + s k.  Nothing cancels for small w, where (5)
                 is a difference of near equals; but for w << 0 and s near 1 the sum 1 + s k loses a factor e^|w| in accuracy, and for
                 w > 709 k overflows: hence NEAR.
    (5) -> (7)   softplus(a) = a + softplus(-a), in both terms: a cancels by hand, not in rounding.
    (5) -> (8)   d softplus(a) / da = sigmoid(a).
    (8) -> (9)   differentiate (6) with respect to a: s1 k / (1 + s k), and divide by k.
    (8) -> (10)  add and subtract sigmoid(a + w) sigmoid(a); 1 - sigmoid(a) = sigmoid(-a).  The two products differ by the factor e^w.
    -> (11)      dE/da_j = -s_j;  d gap_i/da_j = -h_ji by (4) and (8).
    -> (12)      da_j/db_j = 1, and b stands nowhere else.
    -> (13)      c stands in (1) as -c.x and in (4) as -c_i delta_i.
    -> (14)      W enters through a: A_j x_i.  It enters (5) explicitly, through w = delta_i W_ji: the slope of rise_ji by w is
                 sigmoid(a_j + w) = s_j + h_ji.

Conventions
    Units are 0 and 1; machines with units -1 and 1 have other W, b, c for the same density.  E is what the literature calls the
    free energy; the gap is E(flipped) - E(x) = log p(x) / p(flipped), positive where x is the more probable of the two.
    All d gaps need one product with W, (2), and then one number per point, visible and hidden unit: a flip changes a by one
    column of W.  Flipping first and evaluating (1) at the n d neighbours would need d products.

Sources
    Smolensky, Information processing in dynamical systems: foundations of harmony theory (1986), for the model.
    Hinton, Training products of experts by minimizing contrastive divergence, Neural Computation 14 (2002).  (3)-(14) are derived here.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Iterator, NamedTuple

import numpy as np

from refsm import immutable, validation
from refsm.sums import column, sum_rows, weighted_sum
from refsm.energies.energy import BinaryEnergy, EnergyAt
from refsm.stable import sigmoid, sigmoid_and_slope, softplus
from refsm.rows import row_blocks
from refsm.typing import Array, Given
from refsm.zero import ZERO

__all__ = ["BernoulliRBM", "BernoulliRBMTheta"]

NEAR = 4.0      # (6) and (9) lose a factor exp(NEAR) = 55 of accuracy at most, on terms that are then of size NEAR


class BernoulliRBMTheta(NamedTuple):
    """The learnable arrays of `BernoulliRBM`."""

    W: Array      # (m, d)
    b: Array      # (m,)
    c: Array      # (d,)


@dataclass(frozen=True, eq=False, repr=False)
class BernoulliRBM(BinaryEnergy):
    """E(x) = -c.x - sum_j softplus(W_j.x + b_j) for x in {0, 1}^d, equation (1).

    W (m, d), b (m,), c (d,) are learnable and pure numbers.  ValueError where shapes disagree or an entry is not finite.
    Source: Smolensky (1986).

    With W = 0 the units are independent: E(x) = -c.x + constant, and flipping bit i adds -c_i delta_i.

    >>> import numpy as np
    >>> model = BernoulliRBM(W=np.zeros((3, 2)), b=np.zeros(3), c=np.array([5.0, 7.0]))
    >>> model.energy_gap([[1, 0]])
    array([[ 5., -7.]])
    """

    W: Given
    b: Given
    c: Given

    def __post_init__(self) -> None:
        W = validation.array(self.W, "W", ("m", "d"))
        m, d = W.shape
        self._set(**immutable.common_dtype(W=W, b=validation.array(self.b, "b", (m,)), c=validation.array(self.c, "c", (d,))))

    @property
    def theta(self) -> BernoulliRBMTheta:
        """The learnable arrays (W, b, c)."""
        return BernoulliRBMTheta(self.W, self.b, self.c)

    def with_theta(self, theta: BernoulliRBMTheta) -> BernoulliRBM:
        """The same energy with other parameters."""
        return BernoulliRBM(*self._leaves(theta))

    @property
    def d(self) -> int:
        """The number of visible units."""
        return self.W.shape[1]

    @property
    def width(self) -> int:
        """The wider of the two layers."""
        return max(self.W.shape)

    def at(self, x: Array, v: Array = ZERO) -> BernoulliRBMAt:
        """The energy at a block of points (n, d)."""
        return BernoulliRBMAt(self, x)


class BernoulliRBMAt(EnergyAt):
    """The energy at a block of points: the activations, the energy and its gaps, and their pullbacks."""

    def __init__(self, model: BernoulliRBM, x: Array) -> None:
        self.W, self.b, self.c = model.theta
        self.one = x == 1
        self.x = self.one.astype(self.W.dtype)
        self.near = abs(self.W) <= NEAR                                          # (m, d)

    @cached_property
    def a(self) -> Array:
        return self.x @ self.W.T + self.b                                        # (n, m)  (2)

    @cached_property
    def s_s1(self) -> tuple[Array, Array]:
        return sigmoid_and_slope(self.a)                                         # (n, m) each

    @cached_property
    def delta(self) -> Array:
        return 1 - 2 * self.x                                                    # (n, d)  (3)

    @cached_property
    def k(self) -> Array:
        w = np.where(self.near, self.W, 0).T
        return np.expm1(np.concatenate([w, -w]))                                 # (2d, m), 0 for the far weights

    def _few_points(self) -> Iterator[tuple[slice, Array]]:
        """Rows so few that d arrays of their activations stay in cache, and (d, rows) which rows of k are theirs."""
        d, m = self.W.shape[::-1]
        for rows in row_blocks(len(self.x), m, arrays_per_point=d):
            yield rows, np.arange(d)[:, None] + d * self.one[rows].T

    def _far_weights(self) -> Iterator[tuple[int, Array, Array]]:
        """Each visible unit i that has far weights, its hidden units j, and w (n, len(j))."""
        for i in np.flatnonzero(~self.near.all(axis=0)).tolist():
            j = np.flatnonzero(~self.near[:, i])
            yield i, j, self.delta[:, [i]] * self.W[j, i]

    def energy(self) -> Array:
        return -(self.x @ self.c) - softplus(self.a).sum(axis=1)                 # (n,)  (1)

    def gap(self) -> Array:
        s, _ = self.s_s1
        gap = -self.c * self.delta                                               # (n, d)  (4)
        for rows, which in self._few_points():
            rise = self.k.take(which, axis=0)
            rise *= s[rows]
            np.log1p(rise, out=rise)                                             # (d, n, m)  (6)
            gap[rows] -= rise.sum(axis=2).T
        for i, j, w in self._far_weights():
            gap[:, i] -= _rise(self.a[:, j], w).sum(axis=1)
        return gap

    def pullback(self, energy: Array = ZERO,                              # type: ignore[override]
                 gap: Array = ZERO) -> BernoulliRBMTheta:
        e, g, x, delta, (s, _) = energy, gap, self.x, self.delta, self.s_s1
        g_h, g_delta_h = self._flip_sums(g, g * delta)
        A = -column(e) * s - g_h                                                 # (n, m)  (11)
        db = sum_rows(A)                                                         # (m,)    (12)
        dc = -weighted_sum(e, x) - sum_rows(g * delta)                           # (d,)    (13)
        dW = A.T @ x - s.T @ (g * delta) - g_delta_h                             # (m, d)  (14)
        return BernoulliRBMTheta(dW, db, dc)

    def _flip_sums(self, g: Array, g_delta: Array) -> tuple[Array, Array]:
        """sum_i g_i h_ji (n, m) and sum_n g_i delta_i h_ji (m, d)."""
        if g is ZERO:
            return ZERO, ZERO
        s, s1 = self.s_s1
        with np.errstate(over="ignore"):
            inverse_k = np.divide(1, self.k, out=np.full_like(self.k, np.inf), where=self.k != 0)
        g_h = np.empty(s.shape, dtype=np.result_type(s, g))
        g_delta_h = np.zeros(self.W.shape, dtype=g_h.dtype)
        for rows, which in self._few_points():
            h = inverse_k.take(which, axis=0)
            h += s[rows]
            np.divide(s1[rows], h, out=h)                                        # (d, n, m)  (9)
            g_h[rows] = np.matmul(g[rows, None, :], h.transpose(1, 0, 2))[:, 0]
            g_delta_h += np.matmul(g_delta.T[:, None, rows], h)[:, 0].T
        for i, j, w in self._far_weights():
            a = self.a[:, j]
            h = sigmoid(a + w) * sigmoid(-a) - sigmoid(a) * sigmoid(-a - w)      # (n, len(j))  (10)
            g_h[:, j] += g[:, [i]] * h
            g_delta_h[j, i] += g_delta[:, i] @ h
        return g_h, g_delta_h


def _rise(a: Array, w: Array) -> Array:
    """softplus(a + w) - softplus(a) for far weights w, (5) or (7) as the signs of a and a + w ask."""
    both = (a.real > 0) & ((a + w).real > 0)
    sign = np.where(both, -1, 1)
    return np.where(both, w, 0) + softplus(sign * (a + w)) - softplus(sign * a)  # (n, len(j))  (7)
