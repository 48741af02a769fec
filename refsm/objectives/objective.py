"""The contract of every objective, and the loop over blocks of points.  No loss stands here.

An objective holds its data and is a weighted sum of one term per point,

    value = sum_n weights_n term_n,        weights 1/n unless given; they need not sum to 1.

Quadrature weights do sum to 1 and make the value an exact expectation; partial sums over blocks,
files or machines (weights 1/N for all N points) add up to the whole.

Each term is a function of a few local quantities of the energy at one point; `refsm.quantities` has
their table.  `local_loss` gives the terms, and the derivative of the VALUE with respect to each
local quantity: its cotangent, weights included.  The energy pulls the cotangents back to its
parameters (`refsm.energies.energy` says what a pullback is), so that the whole chain rule is

    gradient = model.pullback(points, **cotangents).

For half the squared score of one point, term = 1/2 |psi|^2, the cotangent on the score is
weights psi.

A new objective is one dataclass: its arrays, what it `reads`, and `local_loss`.  Explicit score
matching towards the score -x of N(0, I), for example:

    @dataclass(frozen=True, eq=False, repr=False)
    class TowardsNormal(Objective):
        x: Any
        weights: Any = None

        reads = ("score",)

        def local_loss(self, score):
            r = score + self.x
            return (r * r).sum(axis=1) / 2, {"score": self.weights[:, None] * r}

The arrays that an objective is given are read where they are and never copied, because they may be
memory maps larger than memory.  An objective cannot change them; if you modify such an array
later, the objective changes.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from refsm import immutable, sums, validation
from refsm.blocks import Block, results_in_order
from refsm.energies.energy import Energy, EnergyAt
from refsm.immutable import Immutable
from refsm.quantities import QUANTITIES, shape_of
from refsm.rows import row_blocks
from refsm.typing import Array, ArrayLike, HasTheta, Map, Theta
from refsm.zero import fill_zeros

__all__ = ["LocalLoss", "Objective"]

LocalLoss = tuple[Array, dict[str, Any]]      # terms (n,), and the cotangent on each local quantity


class Objective(Immutable):
    """A weighted sum of terms, each a function of local quantities at one point.  Abstract.

    Points are evaluated in blocks of rows, one after the other; `map=pool.map` evaluates them side
    by side in a pool of threads or of processes, with the same bits (`refsm.blocks`).

    Its methods raise TypeError for a model that lacks a quantity which the objective reads, and
    ValueError for one of another number of dimensions.

    Implicit score matching of N(0, 1) at 1 and 3: the terms are x^2 / 2 - 1.

    >>> from refsm import Gaussian, ImplicitScoreMatching
    >>> J, model = ImplicitScoreMatching([[1.0], [3.0]]), Gaussian([0.0], [[1.0]])
    >>> J.per_sample(model), J.value(model)
    (array([-0.5,  3.5]), 1.5)
    >>> J.gradient(model)                 # of mean( P^2 (x - mean)^2 / 2 - P ) for mean and P
    GaussianTheta(mean=array([-2.]), precision=array([[4.]]))
    """

    # -- what a subclass provides -------------------------------------------------------------

    reads: ClassVar[tuple[str, ...]]     # local quantities by name, or another (n, d) array
    per_point: ClassVar[tuple[str, ...]] = ("x", "weights")     # the fields with one row per point
    x: Array
    weights: Array
    directions: Array                    # (n, M, d), where `per_point` names them

    def local_loss(self, **local: Array) -> LocalLoss:
        """Terms (n,) and cotangents from the local quantities that the objective `reads`."""
        raise NotImplementedError

    @property
    def points(self) -> Array:
        """Where the energy is evaluated, (n, d): x, unless a subclass says otherwise."""
        return self.x

    # -- construction -------------------------------------------------------------------------

    def __post_init__(self) -> None:
        self._set_data(**{name: getattr(self, name) for name in self.per_point
                          if name not in ("weights", "directions")})

    def _set_data(self, **data: ArrayLike) -> None:
        """Check arrays of one shape (n, d), the directions and the weights, and set them.

        The data and the directions are views, without a copy; the weights are a copy.
        """
        shape: Any = ("n", "d")
        for name, value in data.items():
            view = validation.readonly_view(value, name, shape)
            shape = view.shape
            self._set(**{name: view})
        n, d = shape
        if "directions" in self.per_point:
            v = validation.readonly_view(self.directions, "directions", (n, "M", d))
            self._set(directions=v)
        if self.weights is None:
            self._set(weights=sums.uniform_weights(n, getattr(self, next(iter(data)))))
        else:
            weights = validation.array(self.weights, "weights", (n,))
            self._set(weights=immutable.readonly_copy(weights))

    def take(self, rows: slice | ArrayLike) -> Any:
        """The same objective on some of its points, each with the weight that it has here.

        rows: a slice, or an array of indices, at least one; ValueError for anything else.
        """
        rows = _rows(rows, len(self.points))
        part = object.__new__(type(self))
        part._set(**vars(self))
        part._set(**{name: _in_rows(validation.widen(getattr(self, name)[rows], name))
                     for name in self.per_point})
        return part

    # -- from arrays, without a model ---------------------------------------------------------

    def evaluate(self, **local: Any) -> LocalLoss:
        """Terms (n,) and cotangents from local quantities given as arrays, without a model.

        `score` is (n, d), and so on as in `refsm.quantities`.  A cotangent is the derivative of the
        value (weights included) with respect to that quantity, of its shape: hand it to the
        backward pass of any framework.  For the curvature of sliced score matching it is the pair
        (directions, w) that `Energy.pullback` takes, with w (n, M) the cotangent itself.
        """
        if set(local) != set(self.reads):
            raise TypeError(f"{type(self).__name__}.evaluate takes {_names(self.reads)}, "
                            f"but it was given {_names(sorted(local))}")
        whole = self.take(slice(None))
        terms, cotangents = whole.local_loss(
            **{name: validation.array(value, name, self._shape_of(name))
               for name, value in local.items()})
        if "curvature" in cotangents:
            cotangents["curvature"] = (whole.directions, cotangents["curvature"])
        return terms, cotangents

    def _shape_of(self, name: str) -> tuple[int, ...]:
        """The shape of what the objective reads, at all points."""
        n, d = self.points.shape
        return shape_of(name, n, d, self.arrays_per_point) if name in QUANTITIES else (n, d)

    @property
    def arrays_per_point(self) -> int:
        """How many arrays of the energy's width a point needs: the number M of its directions."""
        return self.directions.shape[1] if "directions" in self.per_point else 1

    # -- on a model ---------------------------------------------------------------------------

    def check_model(self, model: Any) -> None:
        """TypeError or ValueError, in one sentence, for a model that this objective cannot take."""
        if not isinstance(model, Energy):
            raise TypeError(f"model must be an energy, but it is of type {type(model).__name__}")
        self._check_quantities(model)
        d = self.points.shape[1]
        if model.d != d:
            raise ValueError(f"model must have d = {d} as the data of {type(self).__name__}, "
                             f"but it has d = {model.d}")

    def _check_quantities(self, model: Energy) -> None:
        """TypeError for an energy that does not have what this objective reads."""
        for name in self.reads:
            if name not in model.quantities:
                raise TypeError(f"{type(self).__name__} reads the {name} of the energy, "
                                f"which {type(model).__name__} does not have")

    def at(self, model: Any) -> EnergyAt:
        """The energy at this objective's points, and along its directions where it has some."""
        if "directions" in self.per_point:
            return model.at(self.points, self.directions)
        return model.at(self.points)

    def read(self, at: EnergyAt) -> dict[str, Array]:
        """The local quantities that the objective reads."""
        return {name: getattr(at, name)() for name in self.reads}

    def forward(self, model: Any) -> tuple[Array, Callable[[], Any]]:
        """The terms at all points as one block, and the function that pulls their sum back."""
        at = self.at(model)
        term, cotangents = self.local_loss(**self.read(at))
        return term, lambda: at.pullback(**cotangents)

    # -- over all points, one block of rows after the other, or as `map` takes them -------------

    def blocks(self, model: Any) -> Iterator[Block]:
        """The rows of each block: the objective is the sum over blocks."""
        self.check_model(model)
        gradient = sum(np.size(leaf) for leaf in model.theta)
        for rows in row_blocks(len(self.points), model.width, self.arrays_per_point, gradient):
            yield Block(self, rows)

    def per_sample(self, model: Any, *, map: Map = map) -> Array:
        """term_n, shape (n,)."""
        return np.concatenate(list(results_in_order(_terms, model, self.blocks(model), map)))

    def value(self, model: Any, *, map: Map = map) -> float:
        """sum_n weights_n term_n."""
        total = sums.PairwiseSum()
        for result in results_in_order(_value, model, self.blocks(model), map):
            total.add(result)
        return _number(total.total()[0])

    def gradient(self, model: HasTheta[Theta], *, map: Map = map) -> Theta:
        """d value / d theta, of the type of `model.theta`."""
        return self.value_and_gradient(model, map=map)[1]

    def value_and_gradient(self, model: HasTheta[Theta], *,
                           map: Map = map) -> tuple[float, Theta]:
        """The value and its gradient, from one pass over the points."""
        total = sums.PairwiseSum()
        for result in results_in_order(_value_and_gradient, model, self.blocks(model), map):
            total.add(result)
        value, *gradient = total.total()
        return _number(value), fill_zeros(gradient, model.theta)

    def __repr__(self) -> str:
        n, d = self.points.shape
        return f"{type(self).__name__}(n={n}, d={d})"


def _terms(part: Objective, model: Any) -> Array:
    return part.forward(model)[0]


def _value(part: Objective, model: Any) -> tuple[Any]:
    term, _ = part.forward(model)
    return (_weighted(part, term),)


def _value_and_gradient(part: Objective, model: Any) -> tuple[Any, ...]:
    term, backward = part.forward(model)
    return _weighted(part, term), *backward()


def _weighted(part: Objective, term: Array) -> Any:
    return sums.row_dot(part.weights, term)


def _rows(rows: Any, n: int) -> Any:
    """A slice or an index array that selects at least one of n points, or one sentence."""
    if isinstance(rows, slice):
        if len(range(n)[rows]):
            return rows
        raise ValueError(f"rows must select at least one of {n} points, but {rows} selects none")
    try:
        index = np.asarray(rows)
    except ValueError:                                   # a ragged list
        index = np.empty(0)
    if index.dtype == bool and index.shape == (n,):
        index = np.flatnonzero(index)
    if index.ndim != 1 or index.size == 0 or index.dtype.kind not in "iu":
        raise ValueError("rows must be a slice or a one-dimensional array of at least one index, "
                         f"but it has shape {index.shape} and dtype {index.dtype}")
    if index.min() < -n or index.max() >= n:
        wrong = index[(index < -n) | (index >= n)][0]
        raise ValueError(f"rows must be indices of {n} points, but one of them is {wrong}")
    return index


def _in_rows(a: Array) -> Array:
    """Each row contiguous, because a product's last bits depend on the order in memory."""
    return a if 0 in a.strides else np.ascontiguousarray(a)


def _number(value: Any) -> Any:
    """A Python float where that is exact; complex, longdouble and rational values as they are."""
    exact = isinstance(value, (np.ndarray, np.float64, np.complex128))
    return value.item() if exact else value


def _names(names: Any) -> str:
    return ", ".join(names) if names else "nothing"
