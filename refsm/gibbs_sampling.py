"""Gibbs sampling of binary energies: each bit is drawn anew, given all the others.

Symbols
    n chains, i visible units (d), j hidden units (m); x_rest is x without bit i.
    x          (n, d)   the chains, one per row, zeros and ones
    gap        (n, d)   gap_i = E(flip_i x) - E(x) = log( p(x) / p(flip_i x) )
    p1         (n,)     probability of x_i = 1, given x_rest; of a layer, one per unit
    u          (n,)     uniform between 0 and 1, drawn anew for each bit
    W, b, c    (m, d), (m,), (d,)    of a Bernoulli RBM
    h          (n, m)   its hidden units, zeros and ones
    sweeps     number   how many times all units are drawn
    rng                 numpy.random.Generator

Equations
    one bit at a time, i = 1, ..., d in turn
    (1)  p1 = p(x_i = 1 | x_rest) = sigmoid( (2 x_i - 1) gap_i )
    (2)  x_i <- 1 if u < p1, else 0
    a Bernoulli RBM, layer by layer
    (3)  p(h_j = 1 | x) = sigmoid( b_j + sum_i W_ji x_i )
    (4)  p(x_i = 1 | h) = sigmoid( c_i + sum_j h_j W_ji )
    (5)  if x has the distribution p before a sweep, it has it afterwards                 [result]

Derivation
    (1)          given x_rest only two points are possible, and gap_i is the logarithm of the odds
                 of x against flip_i x.  For x_i = 1 these are the odds of 1, for x_i = 0 those of
                 0, which has the opposite sign: (2 x_i - 1) gap_i is the same number at both
                 points.  Z cancels.
    (3), (4)     the joint distribution is proportional to exp( c.x + b.h + sum_ij h_j W_ji x_i ),
                 whose sum over h is exp(-E(x)).  Given x the exponent is a sum over j of
                 h_j (b_j + sum_i W_ji x_i): the hidden units are independent.  Given h likewise.
    (2) -> (5)   p(x_rest) p(x_i | x_rest) = p(x): drawing one bit from its conditional keeps p, and
                 a sweep is d such draws.  (3) and (4) keep the joint distribution, and so its
                 marginal p.  Every conditional lies strictly between 0 and 1, so that a sweep leads
                 from any point to any other with positive probability: the chains converge to p
                 from any start.

Conventions
    The units are visited in order, and the points between two draws are not returned.  One bit at a
    time takes d evaluations of all gaps per sweep; layer by layer, two matrix products.  How many
    sweeps are enough depends on the model: at low temperature a chain may stay in one mode for
    longer than any run.

Sources
    Geman & Geman, Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of
    images, IEEE PAMI 6 (1984): (2).
    Hinton, Training products of experts by minimizing contrastive divergence, Neural Computation 14
    (2002): (3) and (4).
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refsm import validation
from refsm.energies.bernoulli_rbm import BernoulliRBM
from refsm.energies.energy import BinaryEnergy
from refsm.stable import sigmoid
from refsm.typing import Array, ArrayLike

__all__ = ["block_gibbs", "gibbs"]

Callback = Callable[[int, Array], Any]      # how many sweeps are done, and where the chains are


def gibbs(model: BinaryEnergy, x: ArrayLike, sweeps: int, rng: np.random.Generator, *,
          callback: Callback | None = None) -> Array:
    """Where Gibbs chains that start at x (n, d) are after some sweeps, equations (1) and (2).

    `model` is any binary energy.  `callback(k, x)` is called after sweep k = 1, ..., sweeps with an
    array that nothing changes later.  ValueError or TypeError for bad arguments.
    Source: Geman & Geman (1984).

    With the energy -5 per bit that is 1, nearly all bits end as 1:

    >>> from refsm.energies.boltzmann_machine import BoltzmannMachine
    >>> model = BoltzmannMachine(W=[[0, 0], [0, 0]], b=[5, 5])
    >>> gibbs(model, np.zeros((3, 2)), sweeps=1, rng=np.random.default_rng(0))
    array([[1., 1.],
           [1., 1.],
           [1., 1.]])
    """
    _check(model, BinaryEnergy, "an energy of binary points")
    return _sweeps(model, x, sweeps, rng, callback, _one_bit_at_a_time)


def block_gibbs(model: BernoulliRBM, x: ArrayLike, sweeps: int, rng: np.random.Generator, *,
                callback: Callback | None = None) -> Array:
    """Where Gibbs chains of a Bernoulli RBM that start at x (n, d) are, equations (3) and (4).

    Each sweep draws all hidden units given the visible ones, then all visible ones given these.
    Arguments and errors as in `gibbs`.  Source: Hinton (2002).

    >>> model = BernoulliRBM(W=[[0, 0, 0]], b=[0], c=[9, -9, 9])
    >>> block_gibbs(model, [[0, 1, 0]], sweeps=1, rng=np.random.default_rng(0))
    array([[1., 0., 1.]])
    """
    _check(model, BernoulliRBM, "a BernoulliRBM")
    return _sweeps(model, x, sweeps, rng, callback, _layer_by_layer)


def _check(model: Any, kind: type, words: str) -> None:
    if not isinstance(model, kind):
        raise TypeError(f"model must be {words}, but it is of type {type(model).__name__}")


def _sweeps(model: Any, start: ArrayLike, sweeps: int, rng: np.random.Generator,
            callback: Callback | None, sweep: Callable[[Any, Array, Any], Array]) -> Array:
    x = validation.inexact(model.points(start))
    sweeps, rng = validation.count(sweeps, "sweeps"), validation.generator(rng)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function, but it is of type {type(callback).__name__}")
    for k in range(1, sweeps + 1):
        x = sweep(model, x, rng)
        if callback is not None:
            callback(k, x)
    return x


def _one_bit_at_a_time(model: BinaryEnergy, x: Array, rng: np.random.Generator) -> Array:
    x = x.copy()
    for i in range(model.d):
        gap = model.energy_gap(x)
        p1 = sigmoid((2 * x[:, i] - 1) * gap[:, i])                        # (n,)  (1)
        u = rng.random(len(x))
        x[:, i] = u < p1                                                   # (n,)  (2)
    return x


def _layer_by_layer(model: BernoulliRBM, x: Array, rng: np.random.Generator) -> Array:
    W, b, c = model.W, model.b, model.c
    p1 = sigmoid(b + x @ W.T)                                              # (n, m)  (3)
    h = (rng.random(p1.shape) < p1).astype(float)
    p1 = sigmoid(c + h @ W)                                                # (n, d)  (4)
    return (rng.random(p1.shape) < p1).astype(float)
