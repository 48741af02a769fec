"""The fully visible Boltzmann machine: a quadratic energy of binary points (the Ising model with units 0 and 1).

Symbols
    n points, i and k units (d).
    W         (d, d)   couplings: symmetric, zero diagonal
    b         (d,)     offsets
    x         (n, d)   binary points, 0 or 1
    a         (n, d)   activations
    sign      (n, d)   2 x - 1: what a bit is, as -1 or 1
    e, g               cotangents on energy (n,) and gap (n, d)
    p         (n, d)   the cotangent on a through the gaps
    G         (d, d)   the gradient for W as if its entries were free

Equations
    (1)  E(x)   = -1/2 x'Wx - b.x
    (2)  a_i    = b_i + sum_k W_ik x_k
    (3)  gap_i  = sign_i a_i
    (4)  sign_i = 2 x_i - 1
    Pullback of  L = sum_n ( e E + sum_i g_i gap_i ):
    (5)  p_i    = g_i sign_i
    (6)  dL/db_i  = sum_n ( p_i - e x_i )
    (7)  G_ik   = sum_n ( p_i x_k - 1/2 e x_i x_k )
    (8)  dL/dW_ik = 1/2 ( G_ik + G_ki ) for i != k, and 0 for i = k

Derivation
    (1) -> (3)   a flip adds delta_i = 1 - 2 x_i = -sign_i to x_i.  E is linear in x_i, because W_ii = 0; its slope is
                 -b_i - 1/2 sum_k (W_ik + W_ki) x_k = -a_i by symmetry.  The product of the two is the gap.
    (3) -> (5)   g_i d gap_i = g_i sign_i da_i.
    -> (6)       da_i/db_i = 1 in (2); b stands in (1) as -b.x.
    -> (7)       da_i/dW_ik = x_k in (2); dE/dW_ik = -1/2 x_i x_k in (1).
    (7) -> (8)   W may move only among symmetric matrices with zero diagonal.  Let V be any matrix and W = P(V), its symmetric part
                 with the diagonal removed; then sum G_ik dW_ik = sum over i != k of G_ik (dV_ik + dV_ki) / 2, and the factor of dV_ik
                 is (8): the gradient of V -> L(P(V)), entry by entry.  It is symmetric with zero diagonal: P of itself.

Conventions
    The factor 1/2 counts each pair of units once, and the diagonal is zero, because x_i^2 = x_i would make it a second offset.  Others
    leave the 1/2 out and sum over i < k (the same energy), or take units -1 and 1 (other W and b for the same density).  A gradient
    that moves each pair as ONE number is twice (8); with (8) a step along the gradient stays symmetric and both entries of a pair count.

Sources
    Ackley, Hinton & Sejnowski, A learning algorithm for Boltzmann machines, Cognitive Science 9 (1985).
    Hyvarinen, Some extensions of score matching, CSDA 51 (2007), takes it as the example of ratio matching.  (2)-(8) are derived here.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from refsm import immutable, validation
from refsm.sums import row_dot, sum_rows
from refsm.energies.energy import BinaryEnergy, EnergyAt
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

    W (d, d) and b (d,) are learnable and pure numbers.  W is symmetric with zero diagonal up to rounding (1e-12 of its largest entry) and
    is held so exactly.  ValueError where shapes disagree, an entry is not finite, or W is not symmetric with zero diagonal.
    Source: Ackley, Hinton & Sejnowski (1985).

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
        W, size = validation.symmetric(W, "W"), abs(W).max()
        i = int(abs(np.diag(W)).argmax())
        if abs(W[i, i]) > validation.ASYMMETRY * size:
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
    """The energy at a block of points: the activations, the energy and its gaps, their pullbacks."""

    def __init__(self, model: BoltzmannMachine, x: Array) -> None:
        self.W, self.b, self.x = model.W, model.b, x

    @cached_property
    def a(self) -> Array:
        return self.x @ self.W + self.b                                  # (n, d)  (2), W = W'

    @cached_property
    def sign(self) -> Array:
        return 2 * self.x - 1                                            # (n, d)  (4)

    def energy(self) -> Array:
        x, W, b = self.x, self.W, self.b
        return -row_dot(x, x @ W) / 2 - x @ b                            # (n,)  (1)

    def gap(self) -> Array:
        return self.sign * self.a                                        # (n, d)  (3)

    def pullback(self, energy: Array = ZERO,                          # type: ignore[override]
                 gap: Array = ZERO) -> BoltzmannMachineTheta:
        e, g, x = energy, gap, self.x
        p = g * self.sign                                                # (n, d)  (5)
        db = sum_rows(p) - e @ x                                         # (d,)    (6)
        G = p.T @ x - (e[:, None] * x).T @ x / 2                         # (d, d)  (7)
        dW = _coupled(G)                                                 # (d, d)  (8)
        return BoltzmannMachineTheta(dW, db)


def _coupled(G: Array) -> Array:
    """The symmetric part with the diagonal removed."""
    return symmetric_part(G) * (1 - np.eye(len(G), dtype=int))
