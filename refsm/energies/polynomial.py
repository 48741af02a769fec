"""A polynomial energy: linear in its parameters, so that score matching has a closed form.

Symbols
    n points, i and l dimensions (d), k terms (K), r directions (M).
    theta     (K,)        coefficients, one per term
    exponents (K, d)      whole numbers >= 0: the powers of each term
    x         (n, d)      points
    F         (n, K)      the terms without their coefficients: monomials
    psi       (n, d)      score
    J         (n, d, d)   score Jacobian
    c         (K,)        the factors that differentiating the terms puts before them
    v         (n, M, d)   directions
    first, second, mixed  dF_k/dx_i for each i, d^2 F_k/dx_i^2, and d^2 F_k/dx_i dx_l for i < l
    Pullback
    e, p, t, g, w         cotangents on energy (n,), score (n, d), divergence (n,),
                          diagonal (n, d), curvature (n, M)

Equations
    (1)  E(x)   = -sum_k theta_k F_k
    (2)  F_k    = prod_i x_i^exponents_ki
    (3)  psi_i  = sum_k theta_k dF_k/dx_i
    (4)  dF_k/dx_i = exponents_ki x_i^(exponents_ki - 1) prod_(l != i) x_l^exponents_kl
    (5)  J_il   = sum_k theta_k d^2 F_k/dx_i dx_l
    (6)  d^2 F_k/dx_i dx_l = (4) applied to the monomial dF_k/dx_i, along x_l
    (7)  tr J   = sum_i J_ii
    (8)  J_ii   = (5) for l = i
    (9)  v_r'J v_r = sum_i v_ri^2 J_ii + 2 sum_(i < l) v_ri v_rl J_il
    Pullback of  L = sum_n ( e E + p.psi + t tr J + sum_i g_i J_ii + sum_r w_r v_r'J v_r ):
    (10) dL/dtheta_k = sum_n ( -e F_k + sum_i p_i dF_k/dx_i
                               + sum_i (t + g_i + sum_r w_r v_ri^2) d^2 F_k/dx_i^2
                               + 2 sum_(i < l) sum_r w_r v_ri v_rl d^2 F_k/dx_i dx_l )

Derivation
    (1) -> (3)   psi = -grad E, term by term.
    (2) -> (4)   only the factor x_i^exponents_ki varies along x_i.  The derivative of a monomial is
                 a number times a monomial, with the exponent of x_i less by 1; where that exponent
                 was 0 the number is 0.
    (3) -> (5)   psi is linear in the dF_k/dx_i.
    (4) -> (6)   the same once more.  The order of i and l does not matter.
    (5) -> (9)   the sum over i = l, and twice the sum over i < l, because J is symmetric.
    -> (10)      each quantity is linear in theta: the pullback is what multiplies theta_k in e E,
                 p.psi, J_ii with the cotangents t and g_i, and (9).

Conventions
    E is MINUS the polynomial: p is proportional to exp(sum_k theta_k F_k), as exponential families
    are written.  A Gaussian of precision P and mean m has the terms x_i with theta_i = (P m)_i,
    x_i^2 with -P_ii / 2, and x_i x_l with -P_il for each pair i < l.  A term without x (all
    exponents 0) changes E by a constant, which no score shows.  Whether exp(-E) can be normalised
    is the caller's question: every local quantity exists without Z.

Sources
    Hyvarinen, Some extensions of score matching, CSDA 51 (2007), the section on exponential
    families.  (1)-(10) are elementary.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from refsm import immutable, validation
from refsm.energies.energy import Energy, EnergyAt
from refsm.immutable import cached_property
from refsm.sums import column, sum_directions, weighted_sum
from refsm.typing import Array, Given
from refsm.zero import ZERO

__all__ = ["PolynomialEnergy", "PolynomialTheta"]

GREATEST = 10 ** 6       # of the exponents: a product of three of them is exact


class PolynomialTheta(NamedTuple):
    """The learnable array of `PolynomialEnergy`."""

    coefficients: Array      # (K,)


@dataclass(frozen=True, eq=False, repr=False)
class PolynomialEnergy(Energy):
    """E(x) = -sum_k theta_k prod_i x_i^exponents_ki, equation (1).

    theta (K,) is learnable: an array, or the tuple that the attribute `theta` is; exponents (K, d)
    are whole numbers from 0 to 10^6.  Everything is exact where theta and x are
    `fractions.Fraction`.  ValueError where shapes disagree, an entry of theta is not finite, or an
    exponent is another number.  Source: Hyvarinen (2007).

    E = -(3 x_1 - x_1 x_2^2) at x = (2, 1):

    >>> model = PolynomialEnergy(theta=[3.0, -1.0], exponents=[[1, 0], [1, 2]])
    >>> model.energy([[2.0, 1.0]]), model.score([[2.0, 1.0]])
    (array([-4.]), array([[ 2., -4.]]))
    """

    theta: Given
    exponents: Given

    linear: ClassVar[bool] = True           # in its parameters, which `refsm.closed_form` requires

    def __post_init__(self) -> None:
        theta, exponents = self.theta, validation.widen(self.exponents, "exponents")
        if isinstance(theta, PolynomialTheta):
            theta = theta.coefficients
        coefficients = validation.array(theta, "theta", ("K",))
        _check_exponents(validation.array(exponents, "exponents", (len(coefficients), "d")))
        self._set(theta=PolynomialTheta(immutable.readonly_copy(coefficients)),
                  exponents=immutable.readonly_copy(exponents.astype(int)))

    def with_theta(self, theta: PolynomialTheta) -> PolynomialEnergy:
        """The same energy with other parameters."""
        coefficients, = self._leaves(theta)
        return PolynomialEnergy(coefficients, self.exponents)

    @property
    def d(self) -> int:
        """The number of dimensions."""
        return self.exponents.shape[1]

    @property
    def width(self) -> int:
        """The number of terms or of dimensions, whichever is larger."""
        return max(self.exponents.shape)

    def at(self, x: Array, v: Array = ZERO) -> PolynomialEnergyAt:
        """The energy at a block of points x (n, d), along directions v (n, M, d)."""
        return PolynomialEnergyAt(self, x, v)

    def __repr__(self) -> str:
        K, d = self.exponents.shape
        return f"PolynomialEnergy(theta: ({K},), exponents: ({K}, {d}))"


class PolynomialEnergyAt(EnergyAt):
    """The energy at a block of points: monomials, the local quantities, their pullback.

    A derivative of F is held as a pair: which terms have one, and its values for these.
    """

    def __init__(self, model: PolynomialEnergy, x: Array, v: Array) -> None:
        self.x, self.v, self.d = x, v, model.d
        self.theta, self.exponents = model.theta.coefficients, model.exponents
        present = (self.exponents > 0).astype(int)
        self.pairs = np.argwhere(np.triu(present.T @ present, k=1))      # i < l in a common term

    def energy(self) -> Array:
        return -(self.F @ self.theta)                                    # (n,)    (1)

    @cached_property
    def F(self) -> Array:
        return _monomials(self.x, self.exponents)                        # (n, K)  (2)

    def score(self) -> Array:
        psi = [F_i @ self.theta[terms] for terms, F_i in self.first]     # (n,) each  (3)
        return np.stack(psi, axis=1)

    def derivative(self, *along: int) -> tuple[Array, Array]:
        """The derivative of F along some dimensions, for the terms in which they all stand."""
        c, exponents = np.ones(len(self.theta), dtype=int), self.exponents.copy()
        for i in along:
            c *= exponents[:, i]                                         # (K,)    (4)
            exponents[:, i] -= 1                                         # (K,)    (4)
        terms = np.flatnonzero(c)
        return terms, c[terms] * _monomials(self.x, exponents[terms])    # (n, terms)  (4)

    @cached_property
    def first(self) -> list[tuple[Array, Array]]:
        return [self.derivative(i) for i in range(self.d)]               # (terms,), (n, terms)  (4)

    def jacobian(self) -> Array:
        J = self.diagonal()[:, :, None] * np.eye(self.d, dtype=int)
        for (i, l), (terms, F_il) in zip(self.pairs, self.mixed):
            J[:, i, l] = J[:, l, i] = F_il @ self.theta[terms]           # (n,)    (5)
        return J

    @cached_property
    def second(self) -> list[tuple[Array, Array]]:
        return [self.derivative(i, i) for i in range(self.d)]            # (terms,), (n, terms)  (6)

    @cached_property
    def mixed(self) -> list[tuple[Array, Array]]:
        return [self.derivative(i, l) for i, l in self.pairs]            # (terms,), (n, terms)  (6)

    def divergence(self) -> Array:
        return self.diagonal().sum(axis=1)                               # (n,)    (7)

    def diagonal(self) -> Array:
        J_ii = [F_ii @ self.theta[terms] for terms, F_ii in self.second]  # (n,) each  (8)
        return np.stack(J_ii, axis=1)

    def curvature(self) -> Array:
        v = self.v
        out = (v**2 @ self.diagonal()[:, :, None])[:, :, 0]              # (n, M)  (9)
        for (i, l), (terms, F_il) in zip(self.pairs, self.mixed):
            J_il = F_il @ self.theta[terms]
            out = out + 2 * v[:, :, i] * v[:, :, l] * J_il[:, None]      # (n, M)  (9)
        return out

    # -- pullback -----------------------------------------------------------------------------

    def pullback(self, energy: Array = ZERO, score: Array = ZERO, divergence: Array = ZERO,
                 diagonal: Array = ZERO, curvature: Array = ZERO) -> PolynomialTheta:
        e, p, t, g, w, v = energy, score, divergence, diagonal, curvature, self.v
        i, l = self.pairs.T
        on_second = column(t) + g + sum_directions(w, v**2)              # a column per i, or one
        on_mixed = 2 * sum_directions(w, v[:, :, i] * v[:, :, l])        # a column per pair
        dtheta = (-weighted_sum(e, self.F) + self.gather(p, "first")
                  + self.gather(on_second, "second")
                  + self.gather(on_mixed, "mixed"))                      # (K,)    (10)
        return PolynomialTheta(dtheta)

    def gather(self, cotangents: Array, name: str) -> Array:
        """sum_n of the derivatives `name`, each times its column of the cotangents: (K,)."""
        if cotangents is ZERO:
            return ZERO
        derivatives = getattr(self, name)
        columns = np.broadcast_to(cotangents, (len(self.x), len(derivatives))).T
        out = np.zeros(len(self.theta), dtype=np.result_type(cotangents, self.x))
        for w, (terms, values) in zip(columns, derivatives):
            out[terms] += weighted_sum(w, values)
        return out

    # -- what theta multiplies ----------------------------------------------------------------

    def basis(self, name: str) -> Array:
        """The local quantity `name` of each term alone, theta_k = 1: (K, ...)."""
        if name == "energy":
            return -self.F.T
        if name == "score":
            return self.scatter(self.first)
        diagonal = self.scatter(self.second)
        if name == "diagonal":
            return diagonal
        if name == "divergence":
            return diagonal.sum(axis=2)
        out = np.stack([(diagonal_k[:, None, :] * self.v**2).sum(axis=2)
                        for diagonal_k in diagonal])
        for (i, l), (terms, F_il) in zip(self.pairs, self.mixed):
            out[terms] += F_il.T[:, :, None] * (2 * self.v[:, :, i] * self.v[:, :, l])
        return out

    def scatter(self, derivatives: list[tuple[Array, Array]]) -> Array:
        """d derivatives as one array, 0 where a term has none: (K, n, d)."""
        out = np.zeros((len(self.theta), *self.x.shape), dtype=self.x.dtype)
        for i, (terms, values) in enumerate(derivatives):
            out[terms, :, i] = values.T
        return out


def _monomials(x: Array, exponents: Array) -> Array:
    """prod_i x_i^exponents_ki, one column per row of the exponents."""
    out = np.ones((len(x), len(exponents)), dtype=x.dtype)
    for i, powers in enumerate(exponents.T):
        terms = np.flatnonzero(powers)
        out[:, terms] *= x[:, [i]] ** powers[terms]
    return out


def _check_exponents(exponents: Array) -> None:
    wrong = ((exponents.real % 1 != 0) | (exponents.real < 0) | (exponents.real > GREATEST)
             | (exponents.imag != 0))
    if wrong.any():
        k, i = np.argwhere(wrong)[0]
        raise ValueError(f"exponents must be whole numbers from 0 to {GREATEST}, "
                         f"but entry ({k}, {i}) is {exponents[k, i]}")
