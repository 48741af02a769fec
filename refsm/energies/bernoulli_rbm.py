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
    k         (2d, m)     exp(w) - 1, for x_i = 0 in the first d rows, for x_i = 1 in the last d
    inverse_k (2d, m)     1 / k, infinite where k = 0
    rise_f    (d, n, m)   what flipping bit i adds to softplus(a_j)
    rise_s    (d, n, m)   what flipping bit i adds to sigmoid(a_j)
    Pullback
    e, g                  cotangents on energy (n,) and gap (n, d)
    A         (n, m)      the cotangent on a

Equations
    (1)  E(x)   = -c.x - sum_j softplus(a_j)
    (2)  a_j    = b_j + sum_i W_ji x_i
    (3)  s_j    = sigmoid(a_j),  s1_j = ds_j/da_j
    (4)  delta_i = 1 - 2 x_i
    (5)  gap_i  = -c_i delta_i - sum_j rise_f_ji
    (6)  rise_f_ji = softplus(a_j + w) - softplus(a_j)                            [definition]
    (7)  rise_f_ji = log(1 + s_j k_ji)                                  where |W_ji| <= NEAR
    (8)  rise_f_ji = w + softplus(-a_j - w) - softplus(-a_j)
                                          elsewhere, where a_j > 0 and a_j + w > 0; else (6)
    Pullback of  L = sum_n ( e E + sum_i g_i gap_i ):
    (9)  rise_s_ji = sigmoid(a_j + w) - sigmoid(a_j)                              [definition]
    (10) rise_s_ji = s1_j / (s_j + 1 / k_ji)                            where |W_ji| <= NEAR
    (11) rise_s_ji = sigmoid(a_j + w) sigmoid(-a_j) - sigmoid(a_j) sigmoid(-a_j - w)  elsewhere
    (12) A_j    = -e s_j - sum_i g_i rise_s_ji
    (13) dL/dW_ji = sum_n ( A_j x_i - g_i delta_i (s_j + rise_s_ji) )
    (14) dL/db_j  = sum_n A_j
    (15) dL/dc_i  = -sum_n ( e x_i + g_i delta_i )

Derivation
    -> (1)       hidden states h in {0, 1}^m are summed out of -c.x - sum_j h_j a_j:
                 exp(-E) = exp(c.x) prod_j (1 + exp(a_j)).
    (1) -> (5)   a flip adds delta_i to x_i and delta_i W_ji = w to a_j; what it adds to -E is
                 c_i delta_i + sum_j rise_f_ji.
    (6) -> (7)   (1 + e^(a + w)) / (1 + e^a) = 1 + (e^a / (1 + e^a)) (e^w - 1) = 1 + s k.  Nothing
                 cancels for small w, where (6) is a difference of near equals; but for w << 0 and
                 s near 1 the sum 1 + s k loses a factor e^|w| in accuracy, and for w > 709 k
                 overflows: hence NEAR.
    (6) -> (8)   softplus(a) = a + softplus(-a), in both terms: a cancels by hand, not in rounding.
    Pullback
    (6) -> (9)   d softplus(a)/da = sigmoid(a), so rise_s is the slope of rise_f by a.
    (9) -> (10)  differentiate (7) with respect to a: s1 k / (1 + s k), and divide by k.
    (9) -> (11)  subtract and add sigmoid(a + w) sigmoid(a); 1 - sigmoid(a) = sigmoid(-a).  The two
                 products differ by the factor e^w.
    -> (12)      dE/da_j = -s_j by (1); dgap_i/da_j = -rise_s_ji by (5), (6) and (9).
    -> (13)      W enters through a: A_j x_i.  It enters (6) explicitly, through w = delta_i W_ji:
                 the slope of rise_f_ji by w is sigmoid(a_j + w) = s_j + rise_s_ji.
    -> (14)      da_j/db_j = 1, and b stands nowhere else.
    -> (15)      c stands in (1) as -c.x and in (5) as -c_i delta_i.

Conventions
    Units are 0 and 1; machines with units -1 and 1 have other W, b, c for the same density.  E is
    what the literature calls the free energy; the gap is E(flipped) - E(x) = log(p(x)/p(flipped)),
    positive where x is the more probable of the two.
    All d gaps need one product with W, (2), and then one number per point, visible and hidden unit:
    a flip changes a by one column of W.  Flipping first and evaluating (1) at the n d neighbours
    would need d products.
    Parameters with the same density: hidden units may change places; and because
    softplus(a) - softplus(-a) = a, (W_j, b_j, c) may become (-W_j, -b_j, c + W_j), which adds b_j
    to E.  These moves give 2^m m! parameters with the same gaps, all different if no two hidden
    units are equal or opposite and no W_j is 0.

Sources
    Smolensky, Information processing in dynamical systems: foundations of harmony theory (1986),
    for the model.  Hinton, Training products of experts by minimizing contrastive divergence,
    Neural Computation 14 (2002).  (2)-(15) are derived here.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, NamedTuple

import numpy as np

from refsm import immutable, validation
from refsm.energies.energy import BinaryEnergy, EnergyAt
from refsm.immutable import cached_property
from refsm.rows import row_blocks
from refsm.stable import sigmoid, sigmoid_and_slope, softplus
from refsm.sums import column, sum_rows, weighted_sum
from refsm.typing import Array, Given
from refsm.zero import ZERO

__all__ = ["BernoulliRBM", "BernoulliRBMTheta"]

NEAR = 4.0     # (7) and (10) lose at most a factor exp(NEAR) = 55 of accuracy


class BernoulliRBMTheta(NamedTuple):
    """The learnable arrays of `BernoulliRBM`."""

    W: Array      # (m, d)
    b: Array      # (m,)
    c: Array      # (d,)


@dataclass(frozen=True, eq=False, repr=False)
class BernoulliRBM(BinaryEnergy):
    """E(x) = -c.x - sum_j softplus(W_j.x + b_j) for x in {0, 1}^d, equation (1).

    W (m, d), b (m,), c (d,) are learnable and pure numbers.  ValueError where shapes disagree or an
    entry is not finite.  Source: Smolensky (1986).

    With W = 0 the units are independent, E(x) = -c.x + constant, and a flip adds -c_i delta_i:

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
        b = validation.array(self.b, "b", (m,))
        c = validation.array(self.c, "c", (d,))
        self._set(**immutable.common_dtype(W=W, b=b, c=c))

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
    """The energy at a block of points: the activations, the energy, its gaps, their pullbacks."""

    def __init__(self, model: BernoulliRBM, x: Array) -> None:
        self.W, self.b, self.c = model.theta
        self.on = x == 1
        self.x = self.on.astype(self.W.dtype)
        self.near = abs(self.W) <= NEAR

    def energy(self) -> Array:
        E = -(self.x @ self.c) - softplus(self.a).sum(axis=1)            # (n,)    (1)
        return E

    @cached_property
    def a(self) -> Array:
        return self.x @ self.W.T + self.b                                # (n, m)  (2)

    @cached_property
    def s_and_s1(self) -> tuple[Array, Array]:
        return sigmoid_and_slope(self.a)                                 # (n, m), (n, m)  (3)

    @cached_property
    def delta(self) -> Array:
        return 1 - 2 * self.x                                            # (n, d)  (4)

    def gap(self) -> Array:
        sum_rise_f = np.empty(self.x.shape, dtype=self.a.dtype)
        for rows, which in self._few_points():
            sum_rise_f[rows] = self._rise_f(rows, which).sum(axis=2).T
        return -self.c * self.delta - sum_rise_f                         # (n, d)  (5)

    def _rise_f(self, rows: slice, which: Array) -> Array:
        (s, _), k, a = self.s_and_s1, self.k, self.a
        sk = k.take(which, axis=0)
        sk *= s[rows]
        rise_f = np.log1p(sk, out=sk)                                    # (d, n, m)  (7)
        for i, j, w in self._far_weights(rows):
            rise_f[i][:, j] = _far_rise_f(a[rows][:, j], w)
        return rise_f

    @cached_property
    def k(self) -> Array:
        w = np.where(self.near, self.W, 0).T                             # (d, m), 0 where far
        return np.expm1(np.concatenate([w, -w]))                         # (2d, m)

    def _few_points(self) -> Iterator[tuple[slice, Array]]:
        """Rows so few that d arrays of their activations stay in cache, and their rows of k."""
        d, m = self.W.shape[::-1]
        for rows in row_blocks(len(self.x), m, arrays_per_point=d):
            yield rows, np.arange(d)[:, None] + d * self.on[rows].T      # (d, n)

    def _far_weights(self, rows: slice) -> Iterator[tuple[int, Array, Array]]:
        """Each visible unit i that has far weights, its hidden units j, and w (n, far)."""
        for i in np.flatnonzero(~self.near.all(axis=0)).tolist():
            j = np.flatnonzero(~self.near[:, i])
            yield i, j, self.delta[rows, i, None] * self.W[j, i]         # (n, far)

    # -- pullback -----------------------------------------------------------------------------

    def _rise_s(self, rows: slice, inverse_k: Array) -> Array:
        (s, s1), a = self.s_and_s1, self.a
        inverse_k += s[rows]
        rise_s = np.divide(s1[rows], inverse_k, out=inverse_k)           # (d, n, m)  (10)
        for i, j, w in self._far_weights(rows):
            rise_s[i][:, j] = _far_rise_s(a[rows][:, j], w)
        return rise_s

    def _rise_s_sums(self, g: Array) -> tuple[Array, Array]:
        """sum_i g_i rise_s_ji (n, m) and sum_n g_i delta_i rise_s_ji (m, d)."""
        if g is ZERO:
            return ZERO, ZERO
        with np.errstate(over="ignore"):
            inverse_k = np.divide(1, self.k, out=np.full_like(self.k, np.inf), where=self.k != 0)
        g_delta = g * self.delta
        over_i = np.empty(self.a.shape, dtype=np.result_type(self.a, g))
        over_n = np.zeros(self.W.shape, dtype=over_i.dtype)
        for rows, which in self._few_points():
            rise_s = self._rise_s(rows, inverse_k.take(which, axis=0))
            over_i[rows] = np.matmul(g[rows, None, :], rise_s.transpose(1, 0, 2))[:, 0]
            over_n += np.matmul(g_delta.T[:, None, rows], rise_s)[:, 0].T
        return over_i, over_n                                            # (n, m), (m, d)

    def pullback(self, energy: Array = ZERO, gap: Array = ZERO) -> BernoulliRBMTheta:
        e, g, x, delta, (s, _) = energy, gap, self.x, self.delta, self.s_and_s1
        g_rise_s, g_delta_rise_s = self._rise_s_sums(g)
        A = -column(e) * s - g_rise_s                                    # (n, m)  (12)
        dW = A.T @ x - s.T @ (g * delta) - g_delta_rise_s                # (m, d)  (13)
        db = sum_rows(A)                                                 # (m,)    (14)
        dc = -weighted_sum(e, x) - sum_rows(g * delta)                   # (d,)    (15)
        return BernoulliRBMTheta(dW, db, dc)


def _far_rise_f(a: Array, w: Array) -> Array:
    """softplus(a + w) - softplus(a) for far weights: (8) where both arguments are > 0, else (6)."""
    both = (a.real > 0) & ((a + w).real > 0)
    sign = np.where(both, -1, 1)
    return np.where(both, w, 0) + softplus(sign * (a + w)) - softplus(sign * a)  # (n, far)  (8)


def _far_rise_s(a: Array, w: Array) -> Array:
    """sigmoid(a + w) - sigmoid(a) for far weights."""
    return sigmoid(a + w) * sigmoid(-a) - sigmoid(a) * sigmoid(-a - w)   # (n, far)  (11)
