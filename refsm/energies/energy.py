"""The contract of every energy, and the loop over blocks of points.  No formula stands here.

An energy E(x; theta) stands for the density p(x; theta) = exp(-E(x; theta)) / Z(theta).  It is
immutable data: its learnable arrays `theta` and its constants.  Everything that can be asked of it
is a local quantity, a function of one point: `refsm.quantities` has the table.

`model.at(x, v)` is the energy at a block of points x (n, d), along directions v (n, M, d) where
there are any.  Made once, it holds what the local quantities share (activations and their slopes),
answers them, and pulls cotangents back to the parameters.

A cotangent on a quantity is the derivative of some scalar L with respect to it; the pullback is the
derivative of L with respect to theta.  For L = sum_n e_n E(x_n) the cotangent on the energy is e,
and the pullback is

    dL/dtheta = sum_n e_n dE(x_n)/dtheta.

It is the chain rule, read from the result back to the parameters; with several quantities it is the
sum of their terms.

An energy is one file: a dataclass of its arrays, a NamedTuple for theta, and an `EnergyAt` with the
formulas.  A cotangent that is not given is the symbolic ZERO of `refsm.zero`, so that a pullback's
equations are written once, whichever cotangents are there.
"""
from __future__ import annotations

import dataclasses
from typing import Any, Callable, ClassVar, NamedTuple

import numpy as np

from refsm import validation
from refsm.immutable import Immutable
from refsm.quantities import BINARY, CONTINUOUS, QUANTITIES, shape_of
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
        raise NotImplementedError

    def score(self) -> Array:
        raise NotImplementedError

    def jacobian(self) -> Array:
        raise NotImplementedError

    def divergence(self) -> Array:
        raise NotImplementedError

    def diagonal(self) -> Array:
        raise NotImplementedError

    def curvature(self) -> Array:
        raise NotImplementedError

    def gap(self) -> Array:
        raise NotImplementedError

    def pullback(self, **cotangents: Array) -> Any:
        raise NotImplementedError


class Energy(Immutable):
    """An energy of points in R^d.  Abstract: use one of the energies of `refsm.energies`.

    Points x are (n, d) in every method.  ValueError, in one sentence, for points or cotangents of
    another shape and for entries that are not finite.  Units: the energy is a pure number, the
    score is in those of 1 / x, its derivatives in those of 1 / x^2.

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

    # -- what a subclass provides -------------------------------------------------------------

    theta: Any                                    # NamedTuple of the learnable arrays, its leaves

    @property
    def d(self) -> int:
        """The number of dimensions of a point."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """The number of columns of the widest array that a point needs: it sets the block size."""
        return self.d

    def at(self, x: Array, v: Array = ZERO) -> EnergyAt:
        """The energy at points x (n, d) along directions v (n, M, d), which have been checked."""
        raise NotImplementedError

    def with_theta(self, theta: Any) -> Any:
        """The same energy with other parameters (a tuple of arrays with the shapes of `theta`)."""
        raise NotImplementedError

    def projected(self, theta: Any) -> Any:
        """The nearest parameters that satisfy the energy's equalities (symmetry, say)."""
        return theta

    def __repr__(self) -> str:
        """The constructor's call, with shapes in the place of arrays."""
        names = [f.name for f in dataclasses.fields(self)]   # type: ignore[arg-type]
        fields = [(name, getattr(self, name)) for name in names]
        shown = [f"{name}: {value.shape}" if isinstance(value, np.ndarray) else f"{name}={value}"
                 for name, value in fields]
        return f"{type(self).__name__}({', '.join(shown)})"

    # -- parameters as one vector -------------------------------------------------------------

    def ravel(self, theta: Any = None) -> Array:
        """The parameters (or a gradient of their shape) as one vector, leaf after leaf.

        `unravel` projects onto the energy's equalities, and a gradient is its own projection; so
        the ravelled gradient of J is the gradient of v -> J(unravel(v)), entry by entry.
        """
        leaves = [np.asarray(leaf).ravel() for leaf in (self.theta if theta is None else theta)]
        return np.concatenate(leaves) if leaves else np.zeros(0)

    def unravel(self, vector: ArrayLike) -> Any:
        """The same energy with parameters read from a vector.  ValueError for a wrong length."""
        v = validation.widen(vector, "vector")
        size = sum(np.size(leaf) for leaf in self.theta)
        if v.shape != (size,):
            raise ValueError(f"vector must have shape ({size},), but its shape is {v.shape}")
        leaves, start = [], 0
        for leaf in self.theta:
            leaves.append(v[start:start + leaf.size].reshape(leaf.shape))
            start += leaf.size
        return self.with_theta(self.projected(type(self.theta)(*leaves)))

    def _leaves(self, theta: Any) -> tuple:
        """The leaves of theta, as many as the energy has, or one sentence that names them."""
        fields = type(self.theta)._fields
        if not isinstance(theta, (tuple, list)) or len(theta) != len(fields):
            was = (f"{len(theta)} of them" if isinstance(theta, (tuple, list))
                   else f"a {type(theta).__name__}")
            raise ValueError(f"theta must be a tuple of {', '.join(fields)}, but it is {was}")
        return tuple(theta)

    # -- local quantities, one block of points after the other --------------------------------

    def points(self, x: ArrayLike, name: str = "x") -> Array:
        """x as this energy takes it, or one sentence why not."""
        return validation.points(x, name, self.d)

    def _over_row_blocks(self, x: ArrayLike, read: Callable[[EnergyAt], Array],
                         v: Array = ZERO, arrays_per_point: int = 1) -> Array:
        x = self.points(x)
        parts = [read(self._at(x, v, rows))
                 for rows in row_blocks(len(x), self.width, arrays_per_point)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _at(self, x: Array, v: Array, rows: slice) -> EnergyAt:
        return self.at(x[rows]) if v is ZERO else self.at(x[rows], v[rows])

    def energy(self, x: ArrayLike) -> Array:
        """E(x), shape (n,), for points x of shape (n, d)."""
        return self._over_row_blocks(x, lambda at: at.energy())

    def score(self, x: ArrayLike) -> Array:
        """psi(x) = grad_x log p(x) = -grad_x E(x), shape (n, d): with respect to the data."""
        return self._over_row_blocks(x, lambda at: at.score())

    def score_jacobian(self, x: ArrayLike) -> Array:
        """J_ik = d psi_i / d x_k, shape (n, d, d): minus the Hessian of E."""
        return self._over_row_blocks(x, lambda at: at.jacobian(), arrays_per_point=self.d)

    def score_divergence(self, x: ArrayLike) -> Array:
        """tr J = sum_i d psi_i / d x_i, shape (n,)."""
        return self._over_row_blocks(x, lambda at: at.divergence())

    def score_jacobian_diagonal(self, x: ArrayLike) -> Array:
        """d psi_i / d x_i, shape (n, d)."""
        return self._over_row_blocks(x, lambda at: at.diagonal())

    def energy_gap(self, x: ArrayLike) -> Array:
        """Refused: a point of R^d has no one-bit neighbours."""
        raise TypeError(f"{type(self).__name__} is an energy of points in R^d, "
                        "which has a score and no gap")

    def score_curvature(self, x: ArrayLike, v: ArrayLike) -> Array:
        """v'Jv, shape (n,) for one direction per point, v of shape (n, d); (n, M) for (n, M, d)."""
        x = self.points(x)
        v, single = _directions(v, "v", *x.shape)
        out = self._over_row_blocks(x, lambda at: at.curvature(), v, arrays_per_point=v.shape[1])
        return out[:, 0] if single else out

    def pullback(self, x: ArrayLike, energy: ArrayLike | None = None,
                 score: ArrayLike | None = None, divergence: ArrayLike | None = None,
                 diagonal: ArrayLike | None = None,
                 curvature: tuple[ArrayLike, ArrayLike] | None = None,
                 gap: ArrayLike | None = None) -> Any:
        """sum over points of <cotangent, d quantity / d theta>, of the type of `theta`.

        Cotangents: energy (n,), score (n, d), divergence (n,), diagonal (n, d), and for the
        curvature a pair (v, w) of directions (n, M, d) and cotangents (n, M) on v'Jv, or (n, d) and
        (n,) for one direction per point.  `gap` is for binary energies.
        """
        if gap is not None:
            self.energy_gap(x)
        x = self.points(x)
        cotangents = self._cotangents(x, energy=energy, score=score, divergence=divergence,
                                      diagonal=diagonal)
        v = ZERO
        if curvature is not None:
            v, cotangents["curvature"] = _curvature_pair(curvature, *x.shape)
        return self._pull_row_blocks(x, v, cotangents)

    def _cotangents(self, x: Array, **given: ArrayLike | None) -> dict[str, Array]:
        """The cotangents that are given, checked."""
        return {name: validation.array(value, name, shape_of(name, *x.shape))
                for name, value in given.items() if value is not None}

    def _pull_row_blocks(self, x: Array, v: Array, cotangents: dict[str, Array]) -> Any:
        """The pullback, one block of points after the other."""
        if not cotangents:
            return fill_zeros([ZERO for _ in self.theta], self.theta)
        total = PairwiseSum()
        for rows in row_blocks(len(x), self.width, 1 if v is ZERO else v.shape[1]):
            block = {name: cotangent[rows] for name, cotangent in cotangents.items()}
            total.add(self._at(x, v, rows).pullback(**block))
        return fill_zeros(total.total(), self.theta)


class BinaryEnergy(Energy):
    """An energy of points in {0, 1}^d: it has gaps to the one-bit neighbours in place of a score."""

    quantities = BINARY

    def points(self, x: ArrayLike, name: str = "x") -> Array:
        """x as this energy takes it: zeros and ones, or one sentence why not."""
        return validation.binary(x, name, self.d)

    def energy_gap(self, x: ArrayLike) -> Array:
        """gap_i = E(flip_i x) - E(x) = log p(x) / p(flip_i x), shape (n, d); flip_i flips bit i."""
        return self._over_row_blocks(x, lambda at: at.gap())

    def pullback(self, x: ArrayLike, energy: ArrayLike | None = None,     # type: ignore[override]
                 gap: ArrayLike | None = None, **others: Any) -> Any:
        """sum over points of <cotangent, d quantity / d theta>, of the type of `theta`.

        Cotangents: energy (n,) and gap (n, d).
        """
        for name, value in others.items():
            if value is not None:
                self._refuse(name)
        x = self.points(x)
        return self._pull_row_blocks(x, ZERO, self._cotangents(x, energy=energy, gap=gap))

    def score(self, x: ArrayLike, *others: ArrayLike) -> Array:
        """Refused: a function on {0, 1}^d has no derivative with respect to x."""
        return self._refuse("score")

    score_jacobian = score_divergence = score     # type: ignore[assignment]
    score_jacobian_diagonal = score_curvature = score     # type: ignore[assignment]

    def _refuse(self, quantity: str) -> Any:
        if quantity not in QUANTITIES:
            raise TypeError(f"pullback takes cotangents on energy and gap, and no {quantity}")
        raise TypeError(f"{type(self).__name__} is an energy of binary points, "
                        f"which has energy gaps and no {quantity}")


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
                        f"but it is a {type(curvature).__name__}")
    v, single = _directions(curvature[0], "curvature[0]", n, d)
    w = validation.array(curvature[1], "curvature[1]", (n,) if single else v.shape[:2])
    return v, w[:, None] if single else w


class NoTheta(NamedTuple):
    """The parameters of an energy that has none to learn."""
