"""Exact sums over all 2^d binary points: the partition function, the likelihood and its gradient.

What the other estimators avoid is computed here by enumeration, for d up to some 20: their oracle.
Sums run over blocks of points, so memory is flat in 2^d; only `binary_points` and `probabilities`
return an array of that length.

Symbols
    n points, i units (d).
    model            any energy of binary points;  E its energy
    x       (n, d)   data
    y       (2^d, d) all binary points, one block after the other
    log_Z   number   the logarithm of the partition function
    p                probabilities of the points of a block
    weights (n,)     1/n unless given

Equations
    (1)  log_Z = log sum_y exp(-E(y))
    (2)  p(y)  = exp(-E(y) - log_Z)
    (3)  log p(x) = -E(x) - log_Z
    (4)  d log_Z / d theta = -sum_y p(y) dE(y)/d theta                                    [result]
    (5)  sum_n weights_n d log p(x_n) / d theta
           = -sum_n weights_n dE(x_n)/d theta + (sum_n weights_n) sum_y p(y) dE(y)/d theta

Derivation
    (1) -> (2)   p = exp(-E) / Z sums to 1.
    (2) -> (3)   its logarithm.
    (1) -> (4)   d log Z = dZ / Z, and dZ = -sum_y exp(-E(y)) dE(y).
    (3) -> (5)   (4), once per point.  A step along the first sum lowers the energy at the data, one
                 along the second raises it where the model's probability is.

Conventions
    Row r of the points is r in binary digits, the first column the highest digit.  (5) is the
    gradient of the log likelihood, to be maximised; the objectives of `refsm.objectives` are
    minimised.

Sources
    Ackley, Hinton & Sejnowski, A learning algorithm for Boltzmann machines, Cognitive Science 9
    (1985): (5).
"""
from __future__ import annotations

from typing import Any, Iterator

import numpy as np

from refsm import sums, validation
from refsm.energies.energy import BinaryEnergy
from refsm.rows import row_blocks
from refsm.stable import log_sum_exp
from refsm.typing import Array, ArrayLike

__all__ = ["binary_points", "probabilities", "log_partition", "log_likelihood",
           "log_likelihood_gradient"]

MOST = 24          # dimensions: 16 million points


def binary_points(d: int) -> Array:
    """All 2^d binary points as rows, (2^d, d): row r is r in binary digits.

    ValueError unless 1 <= d <= 24.

    >>> binary_points(2)
    array([[0., 0.],
           [0., 1.],
           [1., 0.],
           [1., 1.]])
    """
    _check_dimension(d)
    return _digits(np.arange(2**d), d)


def probabilities(model: BinaryEnergy) -> Array:
    """p(y) for all points y in the order of `binary_points`, shape (2^d,), equation (2).

    >>> from refsm.energies.boltzmann_machine import BoltzmannMachine
    >>> probabilities(BoltzmannMachine(W=[[0, 0], [0, 0]], b=[0, 0]))
    array([0.25, 0.25, 0.25, 0.25])
    """
    log_Z = log_partition(model)
    parts = [np.exp(-model.energy(y) - log_Z) for y in _all_points(model)]
    p = np.concatenate(parts)                                              # (2^d,)  (2)
    return p


def log_partition(model: BinaryEnergy) -> float:
    """log Z = log sum_y exp(-E(y)) over all 2^d points, equation (1).

    Four points of energy 0: log 4.

    >>> from refsm.energies.boltzmann_machine import BoltzmannMachine
    >>> log_Z = log_partition(BoltzmannMachine(W=[[0, 0], [0, 0]], b=[0, 0]))
    >>> round(log_Z, 6)
    1.386294
    """
    parts = [log_sum_exp(-model.energy(y)) for y in _all_points(model)]
    log_Z = log_sum_exp(np.array(parts))                                   # ()  (1)
    return log_Z.item()


def log_likelihood(model: BinaryEnergy, x: ArrayLike) -> Array:
    """log p(x) = -E(x) - log Z, shape (n,), equation (3).

    ValueError for points that are not binary.  One of four equally probable points: -log 4.

    >>> from refsm.energies.boltzmann_machine import BoltzmannMachine
    >>> model = BoltzmannMachine(W=[[0, 0], [0, 0]], b=[0, 0])
    >>> log_likelihood(model, [[0, 1]]).round(6)
    array([-1.386294])
    """
    log_Z = log_partition(model)
    return -model.energy(x) - log_Z                                        # (n,)  (3)


def log_likelihood_gradient(model: BinaryEnergy, x: ArrayLike,
                            weights: ArrayLike | None = None) -> Any:
    """sum_n weights_n d log p(x_n) / d theta, of the type of `model.theta`, equation (5).

    x (n, d) binary, weights (n,), 1/n unless given.  ValueError for points that are not binary or
    weights of another shape.

    Where all points are equally probable, the slope by an offset is the bit minus its mean 1/2:

    >>> from refsm.energies.boltzmann_machine import BoltzmannMachine
    >>> log_likelihood_gradient(BoltzmannMachine(W=[[0, 0], [0, 0]], b=[0, 0]), [[0, 1]]).b
    array([-0.5,  0.5])
    """
    log_Z = log_partition(model)
    x = model.points(x)
    if weights is None:
        weights = sums.uniform_weights(len(x), x)
    weights = validation.array(weights, "weights", (len(x),))
    of_model = sums.PairwiseSum()
    for y in _all_points(model):
        p = np.exp(-model.energy(y) - log_Z)                               # (block,)  (2)
        of_model.add(model.pullback(y, energy=p))
    of_data = model.pullback(x, energy=weights)
    leaves = [-data + weights.sum() * mean                                 # theta  (5)
              for data, mean in zip(of_data, of_model.total())]
    return type(model.theta)(*leaves)


def _all_points(model: BinaryEnergy) -> Iterator[Array]:
    """All binary points of a model, one block after the other."""
    if not isinstance(model, BinaryEnergy):
        raise TypeError("model must be an energy of binary points, "
                        f"but it is of type {type(model).__name__}")
    _check_dimension(model.d)
    for rows in row_blocks(2**model.d, model.width):
        yield _digits(np.arange(rows.start, rows.stop), model.d)


def _digits(numbers: Array, d: int) -> Array:
    """The d binary digits of some numbers, the highest first, as float64 rows."""
    return (numbers[:, None] >> np.arange(d)[::-1] & 1).astype(float)


def _check_dimension(d: int) -> None:
    if validation.count(d, "d") > MOST:
        raise ValueError(f"d must be at most {MOST}, to go through all 2^d points, but it is {d}")
