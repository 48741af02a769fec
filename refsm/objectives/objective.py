"""The contract of every objective, and the loop over blocks of points.  No formula stands here.

An objective holds its data and is a weighted sum of one term a point,

    value = sum_n weights_n * term_n,        weights 1/n unless given; they need not sum to 1.

Quadrature weights do sum to 1 and make the value an exact expectation; partial sums over blocks, files or machines
(weights 1/N for all N points) add up to the whole.  Each term is a function of a few local quantities of the energy at
one point; `local_loss` gives the terms and the derivative of the VALUE with respect to each local quantity, the
cotangents, weights included.  The energy pulls them back to its parameters.  The whole chain rule is therefore

    gradient = model.pullback(points, **cotangents).

The arrays that an objective is given are read where they stand and never copied, because they may be memory maps larger than memory: it cannot
change them, but who changes them afterwards changes its data.

A new objective is one dataclass: its arrays, what it `reads`, and `local_loss`.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from refsm import immutable, sums, validation
from refsm.energies.energy import Energy, EnergyAt
from refsm.immutable import Immutable
from refsm.quantities import shape_of
from refsm.rows import release_pages, row_blocks
from refsm.typing import Array, ArrayLike
from refsm.zero import fill_zeros

__all__ = ["LocalLoss", "Objective"]

LocalLoss = tuple[Array, dict[str, Any]]      # terms (n,), and the cotangent on each local quantity


class Objective(Immutable):
    """A weighted sum of terms, each a function of local quantities at one point.  Abstract.

    TypeError for a model that lacks a quantity which the objective reads, ValueError for one of other dimensions.

    Implicit score matching of N(0, 1) at 1 and 3: the terms are x^2 / 2 - 1.

    >>> from refsm import Gaussian, ImplicitScoreMatching
    >>> J, model = ImplicitScoreMatching([[1.0], [3.0]]), Gaussian([0.0], [[1.0]])
    >>> J.per_sample(model), J.value(model)
    (array([-0.5,  3.5]), 1.5)
    >>> J.gradient(model)                                # of mean( P^2 (x - mean)^2 / 2 - P ) for mean and P
    GaussianTheta(mean=array([-2.]), precision=array([[4.]]))
    """

    reads: ClassVar[tuple[str, ...]]                     # the local quantities, by the names of `refsm.energies.energy`
    per_point: ClassVar[tuple[str, ...]] = ("x", "weights")   # the fields with one row a point
    weights: Array

    # -- what a subclass provides ---------------------------------------------------------------------------------

    @property
    def points(self) -> Array:
        """Where the energy is evaluated, (n, d)."""
        raise NotImplementedError

    def local_loss(self, **local: Array) -> LocalLoss:
        """Terms (n,) and cotangents from the local quantities that the objective `reads`."""
        raise NotImplementedError

    directions: Array | None = None                      # (n, M, d), where a curvature is read

    # -- construction ---------------------------------------------------------------------------------------------

    def _set_data(self, **data: ArrayLike) -> None:
        """Check arrays of points of one shape, and the weights; hold them without a copy."""
        shape: Any = ("n", "d")
        for name, value in data.items():
            held = validation.readonly_view(value, name, shape)
            shape = held.shape
            self._set(**{name: held})
        n = shape[0]
        given = self.weights
        like = next(iter(getattr(self, name) for name in data))
        self._set(weights=sums.uniform_weights(n, like) if given is None else immutable.readonly_copy(validation.array(given, "weights", (n,))))

    def take(self, rows: slice | Array) -> Any:
        """The same objective on some of its points (a slice or an index array), each with the weight that it has here."""
        part = object.__new__(type(self))
        part._set(**vars(self))
        part._set(**{name: validation.widen(getattr(self, name)[rows], name) for name in self.per_point})
        return part

    # -- evaluation -----------------------------------------------------------------------------------------------

    def evaluate(self, **local: Any) -> LocalLoss:
        """Terms (n,) and cotangents from local quantities given as arrays: no model, no framework.

        `score` is (n, d), and so on as in `refsm.energies.energy`.  A cotangent is the derivative of the value (weights
        included) with respect to that quantity, of its shape: hand it to the backward pass of any framework.  For the curvature of
        sliced score matching it is the pair (directions, w) that `Energy.pullback` takes, with w (n, M) the cotangent itself.
        """
        if set(local) != set(self.reads):
            raise TypeError(f"{type(self).__name__}.evaluate takes {_names(self.reads)}, but it was given {_names(sorted(local))}")
        whole = self.take(slice(None))
        terms, cotangents = whole.local_loss(**{name: validation.array(value, name, self._shape_of(name)) for name, value in local.items()})
        if "curvature" in cotangents:
            cotangents["curvature"] = (whole.directions, cotangents["curvature"])
        return terms, cotangents

    def _shape_of(self, name: str) -> tuple[int, ...]:
        """The shape of a local quantity at all points."""
        return shape_of(name, *self.points.shape, M=self.arrays_per_point)

    @property
    def arrays_per_point(self) -> int:
        """How many arrays of the energy's width a point needs: the number M of its directions."""
        return 1 if self.directions is None else self.directions.shape[1]

    def forward(self, model: Any) -> tuple[Array, Callable[[], Any]]:
        """The terms at all points as one block, and the function that pulls their sum back."""
        at = self.at(model)
        per_sample, cotangents = self.local_loss(**self.read(at))
        return per_sample, lambda: at.pullback(**cotangents)

    def at(self, model: Any) -> EnergyAt:
        """The energy at this objective's points, and along its directions where it has some."""
        v = self.directions
        return model.at(self.points) if v is None else model.at(self.points, v)

    def read(self, at: EnergyAt) -> dict[str, Array]:
        """The local quantities that the objective reads."""
        return {name: getattr(at, name)() for name in self.reads}

    def check_model(self, model: Any) -> None:
        """TypeError or ValueError, in one sentence, if this objective cannot be evaluated on the model."""
        name = type(self).__name__
        if not isinstance(model, Energy):
            raise TypeError(f"model must be an energy, but it is a {type(model).__name__}")
        missing = [quantity for quantity in self.reads if quantity not in model.quantities]
        if missing:
            raise TypeError(f"{name} reads the {missing[0]} of the energy, which {type(model).__name__} does not have")
        if model.d != self.points.shape[1]:
            raise ValueError(f"model must have d = {self.points.shape[1]} as the data of {name}, but it has d = {model.d}")

    def _row_blocks(self, model: Any) -> Iterator[Any]:
        self.check_model(model)
        for rows in row_blocks(len(self.points), model.width, self.arrays_per_point):
            yield self.take(rows)
            for name in self.per_point:
                release_pages(getattr(self, name))

    def per_sample(self, model: Any) -> Array:
        """term_n, shape (n,)."""
        return np.concatenate([block.forward(model)[0] for block in self._row_blocks(model)])

    def value(self, model: Any) -> float:
        """sum_n weights_n term_n."""
        total = sums.PairwiseSum()
        for block in self._row_blocks(model):
            per_sample, _ = block.forward(model)
            total.add((sums.row_dot(block.weights, per_sample),))
        return _number(total.total()[0])

    def gradient(self, model: Any) -> Any:
        """d value / d theta, of the type of `model.theta`."""
        return self.value_and_gradient(model)[1]

    def value_and_gradient(self, model: Any) -> tuple[float, Any]:
        """The value and its gradient, from one pass over the points."""
        total = sums.PairwiseSum()
        for block in self._row_blocks(model):
            per_sample, backward = block.forward(model)
            total.add((sums.row_dot(block.weights, per_sample), *backward()))
        value, *gradient = total.total()
        return _number(value), fill_zeros(gradient, model.theta)

    def __repr__(self) -> str:
        n, d = self.points.shape
        return f"{type(self).__name__}(n={n}, d={d})"


def _number(value: Any) -> Any:
    """A Python float where that is exact; complex, longdouble and rational values as they are."""
    return value.item() if isinstance(value, (np.ndarray, np.float64, np.complex128)) else value


def _names(names: Any) -> str:
    return ", ".join(names) if names else "nothing"
