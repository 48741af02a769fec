"""The fully visible Boltzmann machine: a quadratic energy of binary points.

It is the Ising model with units 0 and 1.

Symbols
    n points, i and k units (d); ' is the transpose.
    W         (d, d)   couplings: symmetric, zero diagonal
    b         (d,)     offsets
    x         (n, d)   binary points, 0 or 1
    a         (n, d)   activations
    sign      (n, d)   -1 for a bit that is 0, and 1 for a bit that is 1
    Pullback
    e, g               cotangents on energy (n,) and gap (n, d)
    A         (n, d)   the cotangent on a through the gaps
    G         (d, d)   derivative with respect to W, its entries taken as independent

Equations
    (1)  E(x)   = -1/2 x'Wx - b.x
    (2)  gap_i  = sign_i a_i
    (3)  sign_i = 2 x_i - 1
    (4)  a_i    = b_i + sum_k W_ik x_k
    Pullback of  L = sum_n ( e E + sum_i g_i gap_i ):
    (5)  A_i    = g_i sign_i
    (6)  G_ik   = sum_n ( A_i x_k - 1/2 e x_i x_k )
    (7)  dL/dW_ik = 1/2 ( G_ik + G_ki ) for i != k, and 0 for i = k
    (8)  dL/db_i  = sum_n ( A_i - e x_i )

Derivation
    (1) -> (2)   a flip adds 1 - 2 x_i = -sign_i to x_i.  E is linear in x_i, because W_ii = 0; its
                 slope is -b_i - 1/2 sum_k (W_ik + W_ki) x_k = -a_i by symmetry and (4).  The
                 product of the two is the gap.
    Pullback
    (2) -> (5)   g_i dgap_i = g_i sign_i da_i.
    -> (6)       da_i/dW_ik = x_k by (4); W_ik stands in (1) with the factor -1/2 x_i x_k.
    (6) -> (7)   W may move only among symmetric matrices with zero diagonal.  Let V be any matrix
                 and W its symmetric part with the diagonal removed; then sum_ik G_ik dW_ik is the
                 sum over i != k of G_ik (dV_ik + dV_ki) / 2, and the factor of dV_ik is (7): the
                 gradient with respect to V, entry by entry.  It is symmetric with zero diagonal.
    -> (8)       da_i/db_i = 1 by (4); b stands in (1) as -b.x.

Conventions
    The factor 1/2 counts each pair of units once, and the diagonal is zero, because x_i^2 = x_i
    would make it a second offset.  Others leave the 1/2 out and sum over i < k (the same energy),
    or take units -1 and 1 (other W and b for the same density).  A gradient that moves each pair as
    ONE number is twice (7); with (7) a step along the gradient stays symmetric, and both entries of
    a pair count.

Sources
    Ackley, Hinton & Sejnowski, A learning algorithm for Boltzmann machines, Cognitive Science 9
    (1985).  (2)-(8) are derived here.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from refsm import immutable, validation
from refsm.energies.energy import BinaryEnergy, EnergyAt
from refsm.immutable import cached_property
from refsm.sums import column, row_dot, sum_rows, weighted_sum
from refsm.typing import Array, Given
from refsm.validation import symmetric_part
from refsm.zero import ZERO

__all__ = ["BoltzmannMachine", "BoltzmannMachineTheta"]


class BoltzmannMachineTheta(NamedTuple):
    """The learnable arrays of `BoltzmannMachine`."""

    W: Array      # (d, d)
    b: Array      # (d,)


@dataclass(frozen=True, eq=False, repr=False)
class BoltzmannMachine(BinaryEnergy):
    """E(x) = -1/2 x'Wx - b.x for x in {0, 1}^d, equation (1).

    W (d, d) and b (d,) are learnable and pure numbers.  W must be symmetric with zero diagonal up
    to rounding (2^-30 of its largest entry) and is held so exactly.  ValueError where shapes
    disagree, an entry is not finite, or W is not symmetric with zero diagonal.  Source: Ackley,
    Hinton & Sejnowski (1985).

    Both bits on: E = -W_12 - b_1 - b_2 = -3 - 1 - 2.

    >>> model = BoltzmannMachine(W=[[0.0, 3.0], [3.0, 0.0]], b=[1.0, 2.0])
    >>> model.energy([[1, 1]])
    array([-6.])
    """

    W: Given
    b: Given

    def __post_init__(self) -> None:
        W = validation.array(self.W, "W", ("d", "d"))
        b = validation.array(self.b, "b", W.shape[:1])
        W = validation.symmetric(W, "W")
        i = int(abs(np.diag(W)).argmax())
        if abs(W[i, i]) > validation.ASYMMETRY * abs(W).max():
            raise ValueError(f"W must have a zero diagonal, but entry ({i}, {i}) is {W[i, i]}")
        self._set(**immutable.common_dtype(W=_coupled(W), b=b))

    @property
    def theta(self) -> BoltzmannMachineTheta:
        """The learnable arrays (W, b)."""
        return BoltzmannMachineTheta(self.W, self.b)

    def with_theta(self, theta: BoltzmannMachineTheta) -> BoltzmannMachine:
        """The same energy with other parameters."""
        return BoltzmannMachine(*self._leaves(theta))

    def projected(self, theta: BoltzmannMachineTheta) -> BoltzmannMachineTheta:
        """W replaced by its symmetric part with the diagonal removed."""
        return BoltzmannMachineTheta(_coupled(theta.W), theta.b)

    @property
    def d(self) -> int:
        """The number of units."""
        return len(self.b)

    def at(self, x: Array, v: Array = ZERO) -> BoltzmannMachineAt:
        """The energy at a block of points (n, d)."""
        return BoltzmannMachineAt(self, x)


class BoltzmannMachineAt(EnergyAt):
    """The energy at a block of points: the activations, the energy, its gaps, their pullbacks."""

    def __init__(self, model: BoltzmannMachine, x: Array) -> None:
        self.W, self.b, self.x = model.W, model.b, x

    def energy(self) -> Array:
        x, W, b = self.x, self.W, self.b
        E = -row_dot(x, x @ W) / 2 - x @ b                               # (n,)    (1)
        return E

    def gap(self) -> Array:
        return self.sign * self.a                                        # (n, d)  (2)

    @cached_property
    def sign(self) -> Array:
        return 2 * self.x - 1                                            # (n, d)  (3)

    @cached_property
    def a(self) -> Array:
        return self.x @ self.W + self.b                                  # (n, d)  (4), W = W'

    # -- pullback -----------------------------------------------------------------------------

    def pullback(self, energy: Array = ZERO, gap: Array = ZERO) -> BoltzmannMachineTheta:
        e, g, x, sign = energy, gap, self.x, self.sign
        A = g * sign                                                     # (n, d)  (5)
        G = A.T @ x - (column(e) * x).T @ x / 2                          # (d, d)  (6)
        dW = _coupled(G)                                                 # (d, d)  (7)
        db = sum_rows(A) - weighted_sum(e, x)                            # (d,)    (8)
        return BoltzmannMachineTheta(dW, db)


def _coupled(G: Array) -> Array:
    """The symmetric part with the diagonal removed."""
    return symmetric_part(G) * (1 - np.eye(len(G), dtype=int))
