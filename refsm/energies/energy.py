"""The contract of every energy, and the loop over blocks of points.  No energy's formula
stands here.

An energy E(x; theta) stands for the density p(x; theta) = exp(-E(x; theta)) / Z(theta).  It is
immutable data: its learnable arrays `theta` and its constants.  What objectives read of it are
local quantities, functions of one point: `refsm.quantities` has the table.

`model.at(x, v)` is the energy at a block of points x (n, d), along directions v (n, M, d) where
there are any.  Made once, it holds what the local quantities share (activations and their slopes),
gives the local quantities, and pulls cotangents back to the parameters.

What these two words mean, on the energy E(x) = theta x^2 / 2 at x = 3, for the loss L = 5 E:

    cotangent on E    dL/dE = 5
    pullback          dL/dtheta = dL/dE dE/dtheta = 5 * 9/2

A cotangent on a quantity is the derivative of a number L with respect to that quantity; the
pullback takes the cotangents and gives the derivative of L with respect to theta.  It is the chain
rule, read from the result back to the parameters:

    dL/dtheta = sum over points n and quantities Q of <dL/dQ_n, dQ_n/dtheta>

An energy is one file: a dataclass of its arrays, a NamedTuple for theta, and an `EnergyAt` with the
formulas.  A cotangent that is not given is the symbolic ZERO of `refsm.zero`, so that the equations
of a pullback are written once, for any choice of cotangents.

An energy of your own is a subclass of `Energy` or `BinaryEnergy`.  `quantities` names what it has,
any part of the table; `at(x)` is enough where there is no curvature.
"""
from __future__ import annotations

from typing import Any, Callable, ClassVar, NamedTuple

import numpy as np

from refsm import validation
from refsm.energies.parameters import Parametric
from refsm.quantities import BINARY, CONTINUOUS, QUANTITIES, check_quantity, shape_of
from refsm.rows import row_blocks
from refsm.sums import PairwiseSum
from refsm.typing import Array, ArrayLike
from refsm.zero import ZERO, fill_zeros

__all__ = ["Energy", "BinaryEnergy", "EnergyAt", "NoTheta"]


class EnergyAt:
    """An energy at a block of points.  Subclasses hold the formulas.

    A method gives the local quantity of its name, with the shape of `refsm.quantities`; `pullback`
    takes a cotangent of that shape on each, and returns the leaves of the gradient (ZERO for one
    that no cotangent reaches).
    """

    def energy(self) -> Array:
        raise self._missing("energy")

    def score(self) -> Array:
        raise self._missing("score")

    def jacobian(self) -> Array:
        raise self._missing("jacobian")

    def divergence(self) -> Array:
        raise self._missing("divergence")

    def diagonal(self) -> Array:
        raise self._missing("diagonal")

    def curvature(self) -> Array:
        raise self._missing("curvature")

    def gap(self) -> Array:
        raise self._missing("gap")

    def pullback(self, *_: Any, **cotangents: Any) -> Any:
        raise self._missing("pullback")

    def _missing(self, name: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} must have a method {name}")


class Energy(Parametric):
    """An energy of points in R^d.  Abstract: use one of the energies of `refsm.energies`.

    Points x are (n, d) in every method.  ValueError, in one sentence, for points or cotangents of
    another shape and for entries that are not finite; TypeError for a quantity that the energy does
    not have.  Units: the energy is a pure number, the score is in those of 1 / x, its derivatives
    in those of 1 / x^2.

    A Gaussian with precisions 2 and 4, one step from its mean along both axes:

    >>> from refsm.energies.gaussian import Gaussian
    >>> model, x = Gaussian(mean=[0.0, 0.0], precision=[[2.0, 0.0], [0.0, 4.0]]), [[1.0, 1.0]]
    >>> model.energy(x), model.score(x), model.score_divergence(x)
    (array([3.]), array([[-2., -4.]]), array([-6.]))
    >>> model.score_curvature(x, [[3.0, 0.0]])
    array([-18.])
    >>> model.pullback(x, energy=[1.0]).mean                         # d E / d mean is the score
    array([-2., -4.])
    """

    quantities: ClassVar[frozenset[str]] = CONTINUOUS
    domain: ClassVar[str] = "points in R^d"

    # -- what a subclass provides, besides `theta` and `with_theta` ---------------------------

    @property
    def d(self) -> int:
        """The number of dimensions of a point."""
        raise NotImplementedError(f"{type(self).__name__} must have an attribute d")

    @property
    def width(self) -> int:
        """The number of columns of the widest array that a point needs: it sets the block size."""
        return self.d

    def at(self, x: Array, v: Array = ZERO) -> EnergyAt:
        """The energy at points x (n, d) along directions v (n, M, d), which have been checked."""
        raise NotImplementedError(f"{type(self).__name__} must have a method at")

    # -- local quantities, one block of points after the other --------------------------------

    def energy(self, x: ArrayLike) -> Array:
        """E(x), shape (n,), for points x of shape (n, d)."""
        return self._quantity("energy", x)

    def score(self, x: ArrayLike) -> Array:
        """psi(x) = grad_x log p(x) = -grad_x E(x), shape (n, d): with respect to the data."""
        return self._quantity("score", x)

    def score_jacobian(self, x: ArrayLike) -> Array:
        """J_ik = d psi_i / d x_k, shape (n, d, d): minus the Hessian of E."""
        return self._quantity("jacobian", x, arrays_per_point=self.d)

    def score_divergence(self, x: ArrayLike) -> Array:
        """tr J = sum_i d psi_i / d x_i, shape (n,)."""
        return self._quantity("divergence", x)

    def score_jacobian_diagonal(self, x: ArrayLike) -> Array:
        """d psi_i / d x_i, shape (n, d)."""
        return self._quantity("diagonal", x)

    def score_curvature(self, x: ArrayLike, v: ArrayLike) -> Array:
        """v'Jv, shape (n,) for one direction per point, v of shape (n, d); (n, M) for (n, M, d)."""
        self._check_has("curvature")
        x = self.points(x)
        v, single = _directions(v, "v", *x.shape)
        out = self._quantity("curvature", x, v, arrays_per_point=v.shape[1])
        return out[:, 0] if single else out

    def energy_gap(self, x: ArrayLike) -> Array:
        """gap_i = E(flip_i x) - E(x) = log(p(x)/p(flip_i x)), shape (n, d); flip_i flips bit i."""
        return self._quantity("gap", x)

    def pullback(self, x: ArrayLike, energy: ArrayLike | None = None,
                 score: ArrayLike | None = None, divergence: ArrayLike | None = None,
                 diagonal: ArrayLike | None = None,
                 curvature: tuple[ArrayLike, ArrayLike] | None = None,
                 gap: ArrayLike | None = None) -> Any:
        """sum over points of <cotangent, d quantity / d theta>, of the type of `theta`.

        Cotangents: energy (n,), score (n, d), divergence (n,), diagonal (n, d), and for the
        curvature a pair (v, w) of directions (n, M, d) and cotangents (n, M) on v'Jv, or (n, d) and
        (n,) for one direction per point.  Binary energies take energy (n,) and gap (n, d).
        """
        given: dict[str, Any]
        given = {"energy": energy, "score": score, "divergence": divergence, "diagonal": diagonal,
                 "curvature": curvature, "gap": gap}
        given = {name: value for name, value in given.items() if value is not None}
        for name in given:
            self._check_has(name)
        x, v = self.points(x), ZERO
        cotangents: dict[str, Array] = {}
        for name, value in given.items():
            if name == "curvature":
                v, cotangents[name] = _curvature_pair(value, *x.shape)
            else:
                cotangents[name] = validation.array(value, name, shape_of(name, *x.shape))
        if not cotangents:
            return fill_zeros([ZERO for _ in self.theta], self.theta)
        total = PairwiseSum()
        for rows in row_blocks(len(x), self.width, 1 if v is ZERO else v.shape[1]):
            block = {name: cotangent[rows] for name, cotangent in cotangents.items()}
            total.add(self._at(x, v, rows).pullback(**block))
        return fill_zeros(total.total(), self.theta)

    # -- their parts --------------------------------------------------------------------------

    def points(self, x: ArrayLike, name: str = "x") -> Array:
        """x as this energy takes it, or one sentence why not."""
        return validation.points(x, name, self.d)

    def _quantity(self, name: str, x: ArrayLike, v: Array = ZERO,
                  arrays_per_point: int = 1) -> Array:
        """The local quantity at all points, or one sentence if its shape is wrong."""
        self._check_has(name)
        value = self._over_row_blocks(x, lambda at: getattr(at, name)(), v, arrays_per_point)
        n, M = len(np.asarray(x)), 1 if v is ZERO else v.shape[1]
        return check_quantity(value, name, n, self.d, M, of=type(self).__name__)

    def _over_row_blocks(self, x: ArrayLike, read: Callable[[EnergyAt], Array],
                         v: Array = ZERO, arrays_per_point: int = 1) -> Array:
        x = self.points(x)
        parts = [np.atleast_1d(read(self._at(x, v, rows)))
                 for rows in row_blocks(len(x), self.width, arrays_per_point)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _at(self, x: Array, v: Array, rows: slice) -> EnergyAt:
        return self.at(x[rows]) if v is ZERO else self.at(x[rows], v[rows])

    def _check_has(self, name: str) -> None:
        """TypeError for a quantity that this energy does not have."""
        if ("score" if name == "jacobian" else name) not in self.quantities:
            has = ", ".join(one for one in QUANTITIES if one in self.quantities)
            raise TypeError(f"{type(self).__name__} has no {name}: it is an energy of "
                            f"{self.domain} with {has}")


class BinaryEnergy(Energy):
    """An energy of points in {0, 1}^d: it has gaps to the one-bit neighbours, and no score."""

    quantities = BINARY
    domain = "binary points"

    def points(self, x: ArrayLike, name: str = "x") -> Array:
        """x as this energy takes it: zeros and ones, or one sentence why not."""
        return validation.binary(x, name, self.d)


class NoTheta(NamedTuple):
    """The parameters of an energy that has none to learn."""


def _directions(v: ArrayLike, name: str, n: int, d: int) -> tuple[Array, bool]:
    """Directions as (n, M, d), and whether they were one per point, (n, d)."""
    v = validation.widen(v, name)
    if v.ndim == 2:
        return validation.array(v, name, (n, d))[:, None, :], True
    return validation.array(v, name, (n, "M", d)), False


def _curvature_pair(curvature: tuple[ArrayLike, ArrayLike], n: int, d: int) -> tuple[Array, Array]:
    """(v, w) as (n, M, d) and (n, M)."""
    if not isinstance(curvature, tuple) or len(curvature) != 2:
        raise TypeError("curvature must be a pair (v, w) of directions and cotangents, "
                        f"but it is of type {type(curvature).__name__}")
    v, single = _directions(curvature[0], "curvature[0]", n, d)
    w = validation.array(curvature[1], "curvature[1]", (n,) if single else v.shape[:2])
    return v, w[:, None] if single else w
