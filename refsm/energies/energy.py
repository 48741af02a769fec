"""The contract of every energy, and the loop over blocks of points.  No formula stands here.

An energy E(x; theta) stands for the density p(x; theta) = exp(-E(x; theta)) / Z(theta).  It is immutable data: its
learnable arrays `theta` and its constants.  All that one may ask of it is local: quantities at one point.

    energy       E(x)                       (n,)
    score        psi = -grad_x E            (n, d)
    jacobian     J_ik = d psi_i / d x_k     (n, d, d)
    divergence   tr J                       (n,)
    diagonal     J_ii                       (n, d)
    curvature    v' J v                     (n, M)  for directions v of shape (n, M, d)
    gap          E(flip_i x) - E(x)         (n, d)  binary energies only

`model.at(x)` is the energy at a block of points: made once, it holds what the local quantities share (activations
and their slopes), answers the ones above, and pulls cotangents back to the parameters.  A cotangent on a quantity
is the derivative of some scalar L with respect to that quantity; the pullback is the derivative of L with respect
to theta, the sum over points of <cotangent, d quantity / d theta>.

A new energy is one file: a dataclass of its arrays, a NamedTuple for theta, and an `EnergyAt` with the formulas.
"""
from __future__ import annotations

import dataclasses
from typing import Any, Callable, ClassVar, NamedTuple

import numpy as np

from refsm import arrays
from refsm.frozen import Frozen
from refsm.typing import Array, ArrayLike

__all__ = ["Energy", "BinaryEnergy", "EnergyAt"]


class EnergyAt:
    """An energy at a block of points.  Subclasses hold the formulas; every method is documented in the module's head."""

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

    def curvature(self, v: Array) -> Array:
        raise NotImplementedError

    def gap(self) -> Array:
        raise NotImplementedError

    def pullback(self, *args: Any, **cotangents: Any) -> Any:
        raise NotImplementedError


class Energy(Frozen):
    """An energy of points in R^d.  Abstract: use one of the energies of `refsm.energies`.

    Points x are (n, d) in every method.  ValueError, in one sentence, for points or cotangents of another shape and for entries
    that are not finite.  Units: the energy is a pure number, the score is in those of 1 / x, its derivatives in those of 1 / x^2.

    A Gaussian with precisions 2 and 4, one step from its mean along both axes:

    >>> from refsm.energies.gaussian import Gaussian
    >>> model, x = Gaussian(mean=[0.0, 0.0], precision=[[2.0, 0.0], [0.0, 4.0]]), [[1.0, 1.0]]
    >>> model.energy(x), model.score(x), model.score_divergence(x), model.score_curvature(x, [[3.0, 0.0]])
    (array([3.]), array([[-2., -4.]]), array([-6.]), array([-18.]))
    >>> model.pullback(x, energy=[1.0]).mean                         # d E / d mean is the score
    array([-2., -4.])
    """

    quantities: ClassVar[frozenset[str]] = frozenset({"energy", "score", "divergence", "diagonal", "curvature"})

    # -- what a subclass provides ---------------------------------------------------------------------------------

    theta: Any                                    # NamedTuple of the learnable arrays

    @property
    def d(self) -> int:
        """The number of dimensions of a point."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """The number of columns of the widest array that a point needs: it sets the size of a block."""
        return self.d

    def at(self, x: Array) -> EnergyAt:
        """The energy at a block of points (n, d), which are taken as they are: `points` has checked them."""
        raise NotImplementedError

    def with_theta(self, theta: Any) -> Any:
        """The same energy with other parameters (a tuple of arrays with the shapes of `theta`)."""
        raise NotImplementedError

    def projected(self, theta: Any) -> Any:
        """The nearest parameters that satisfy the energy's equalities (a symmetric matrix, say).  Default: the same."""
        return theta

    def __repr__(self) -> str:
        """The constructor's call, with shapes in the place of arrays."""
        fields = [(f.name, getattr(self, f.name)) for f in dataclasses.fields(self)]   # type: ignore[arg-type]
        shown = [f"{name}: {value.shape}" if isinstance(value, np.ndarray) else f"{name}={value}" for name, value in fields]
        return f"{type(self).__name__}({', '.join(shown)})"

    # -- parameters as one vector ---------------------------------------------------------------------------------

    def ravel(self, theta: Any = None) -> Array:
        """The parameters (or something of their shape, such as a gradient) as one vector, block after block.

        `unravel` projects onto the energy's equalities, and a gradient is its own projection; so the ravelled gradient
        of J is the gradient of v -> J(unravel(v)), entry by entry.
        """
        blocks = [np.asarray(block).ravel() for block in (self.theta if theta is None else theta)]
        return np.concatenate(blocks) if blocks else np.zeros(0)

    def unravel(self, vector: ArrayLike) -> Any:
        """The same energy with the parameters read from one vector.  ValueError for a wrong length."""
        v = arrays.widen(vector, "vector")
        size = sum(np.size(block) for block in self.theta)
        if v.shape != (size,):
            raise ValueError(f"vector must have shape ({size},), but its shape is {v.shape}")
        parts, start = [], 0
        for block in self.theta:
            parts.append(v[start:start + block.size].reshape(block.shape))
            start += block.size
        return self.with_theta(self.projected(type(self.theta)(*parts)))

    def _blocks(self, theta: Any) -> tuple:
        """The blocks of parameters, as many as `theta` has, or one sentence that names them."""
        fields = type(self.theta)._fields
        if not isinstance(theta, (tuple, list)) or len(theta) != len(fields):
            was = f"{len(theta)} blocks" if isinstance(theta, (tuple, list)) else f"a {type(theta).__name__}"
            raise ValueError(f"theta must be a tuple of the blocks {', '.join(fields)}, but it is {was}")
        return tuple(theta)

    # -- local quantities: one block after the other --------------------------------------------------------------

    def points(self, x: ArrayLike, name: str = "x") -> Array:
        """x as this energy takes it, or one sentence why not."""
        return arrays.points(x, name, self.d)

    def _over_blocks(self, x: ArrayLike, read: Callable[[EnergyAt, slice], Array], copies: int = 1) -> Array:
        x = self.points(x)
        parts = [read(self.at(x[rows]), rows) for rows in arrays.blocks(len(x), self.width, copies)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def energy(self, x: ArrayLike) -> Array:
        """E(x), shape (n,), for points x of shape (n, d)."""
        return self._over_blocks(x, lambda at, rows: at.energy())

    def score(self, x: ArrayLike) -> Array:
        """psi(x) = grad_x log p(x) = -grad_x E(x), shape (n, d): the score with respect to the data."""
        return self._over_blocks(x, lambda at, rows: at.score())

    def score_jacobian(self, x: ArrayLike) -> Array:
        """J_ik = d psi_i / d x_k, shape (n, d, d): minus the Hessian of E."""
        return self._over_blocks(x, lambda at, rows: at.jacobian(), copies=self.d)

    def score_divergence(self, x: ArrayLike) -> Array:
        """tr J = sum_i d psi_i / d x_i, shape (n,)."""
        return self._over_blocks(x, lambda at, rows: at.divergence())

    def score_jacobian_diagonal(self, x: ArrayLike) -> Array:
        """d psi_i / d x_i, shape (n, d)."""
        return self._over_blocks(x, lambda at, rows: at.diagonal())

    def energy_gap(self, x: ArrayLike) -> Array:
        """Refused: a point of R^d has no one-bit neighbours."""
        raise TypeError(f"{type(self).__name__} is an energy of points in R^d, which has a score and no gap")

    def score_curvature(self, x: ArrayLike, v: ArrayLike) -> Array:
        """v' J v, shape (n,) for one direction a point, v of shape (n, d); (n, M) for v of shape (n, M, d)."""
        x = self.points(x)
        v = arrays.widen(v, "v")
        single = v.ndim == 2
        v = arrays.array(v, "v", (len(x), self.d) if single else (len(x), "M", self.d))
        v = v[:, None, :] if single else v
        out = self._over_blocks(x, lambda at, rows: at.curvature(v[rows]), copies=v.shape[1])
        return out[:, 0] if single else out

    def pullback(self, x: ArrayLike, energy: ArrayLike | None = None, score: ArrayLike | None = None, divergence: ArrayLike | None = None,
                 diagonal: ArrayLike | None = None, curvature: tuple[ArrayLike, ArrayLike] | None = None, gap: ArrayLike | None = None) -> Any:
        """sum over points of <cotangent, d quantity / d theta>, of the type of `theta`.

        Cotangents: energy (n,), score (n, d), divergence (n,), diagonal (n, d), curvature a pair (v, w) of directions
        (n, M, d) and cotangents (n, M) on v' J v, or (n, d) and (n,) for one direction a point.  `gap` is for binary energies.
        """
        if gap is not None:
            self.energy_gap(x)
        x = self.points(x)
        n, d = x.shape
        given = {"energy": (energy, (n,)), "score": (score, (n, d)), "divergence": (divergence, (n,)), "diagonal": (diagonal, (n, d))}
        cotangents: dict[str, Any] = {name: arrays.array(value, name, shape) for name, (value, shape) in given.items() if value is not None}
        if curvature is not None:
            cotangents["curvature"] = _curvature_pair(curvature, n, d)
        return self._pull_blocks(x, cotangents)

    def _pull_blocks(self, x: Array, cotangents: dict[str, Any]) -> Any:
        """The pullback, one block of points after the other."""
        total = arrays.PairwiseSum()
        copies = cotangents["curvature"][0].shape[1] if "curvature" in cotangents else 1
        for rows in arrays.blocks(len(x), self.width, copies):
            part = {name: tuple(u[rows] for u in value) if isinstance(value, tuple) else value[rows] for name, value in cotangents.items()}
            total.add(self.at(x[rows]).pullback(**part))
        return type(self.theta)(*total.total())


class BinaryEnergy(Energy):
    """An energy of points in {0, 1}^d: its local quantities are the energy and the gaps to the one-bit neighbours."""

    quantities = frozenset({"energy", "gap"})

    def points(self, x: ArrayLike, name: str = "x") -> Array:
        """x as this energy takes it: zeros and ones, or one sentence why not."""
        return arrays.binary(x, name, self.d)

    def energy_gap(self, x: ArrayLike) -> Array:
        """gap_i = E(x with bit i flipped) - E(x) = log p(x) / p(x with bit i flipped), shape (n, d)."""
        return self._over_blocks(x, lambda at, rows: at.gap())

    def pullback(self, x: ArrayLike, energy: ArrayLike | None = None, gap: ArrayLike | None = None, **others: Any) -> Any:   # type: ignore[override]
        """sum over points of <cotangent, d quantity / d theta>, for cotangents energy (n,) and gap (n, d)."""
        _refuse_derivatives(type(self).__name__, [name for name, value in others.items() if value is not None])
        x = self.points(x)
        n, d = x.shape
        given = {"energy": (energy, (n,)), "gap": (gap, (n, d))}
        return self._pull_blocks(x, {name: arrays.array(value, name, shape) for name, (value, shape) in given.items() if value is not None})

    def score(self, x: ArrayLike, *others: ArrayLike) -> Array:
        """Refused: a function on {0, 1}^d has no derivative with respect to x."""
        raise _no_derivative(type(self).__name__, "score")

    score_jacobian = score_divergence = score_jacobian_diagonal = score_curvature = score   # type: ignore[assignment]


def _no_derivative(energy: str, quantity: str) -> TypeError:
    return TypeError(f"{energy} is an energy of binary points, which has energy gaps and no {quantity}")


def _refuse_derivatives(energy: str, names: list[str]) -> None:
    if names:
        raise _no_derivative(energy, names[0])


def _curvature_pair(curvature: tuple[ArrayLike, ArrayLike], n: int, d: int) -> tuple[Array, Array]:
    """(v, w) as (n, M, d) and (n, M)."""
    if not isinstance(curvature, tuple) or len(curvature) != 2:
        raise TypeError("curvature must be a pair (v, w) of directions and cotangents, but it is a " + type(curvature).__name__)
    v = arrays.widen(curvature[0], "curvature[0]")
    if v.ndim == 2:
        v = arrays.array(v, "curvature[0]", (n, d))
        w = arrays.array(curvature[1], "curvature[1]", (n,))
        return v[:, None, :], w[:, None]
    v = arrays.array(v, "curvature[0]", (n, "M", d))
    return v, arrays.array(curvature[1], "curvature[1]", v.shape[:2])


class NoTheta(NamedTuple):
    """The parameters of an energy that has none to learn."""
