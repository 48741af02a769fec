"""Activation functions of one-hidden-layer energies: f, and its first three derivatives by hand.

The autoencoder energy and the Gaussian-Bernoulli RBM are a quadratic minus a multiple of
sum_j f(a_j).  The score needs f', its Jacobian f'', and the pullback of a divergence, diagonal or
curvature f''' = -2 s1 rho.

Symbols
    a         array   activations, of any shape
    f         function; the rest are arrays of the shape of a
    s         array   f'(a)
    s1        array   f''(a)
    rho       array   half the rate at which s1 decays
    u         array   1 / (1 + |a|)

Equations
    softplus
    (1)  f(a) = log(1 + exp(a))                       what summing out a hidden unit leaves
    (2)  s    = sigmoid(a)
    (3)  s1   = sigmoid(a) sigmoid(-a)
    (4)  rho  = -(1/2) d log(s1)/da = s - 1/2
    rational stand-in
    (5)  f(a) = (a + |a| - log(1 + |a|)) / 2
    (6)  s    = (1 + a u) / 2
    (7)  s1   = u^2 / 2
    (8)  rho  = sign(a) u

Derivation
    (1) -> (2)  d/da log(1 + e^a) = e^a / (1 + e^a).
    (2) -> (3)  quotient rule: e^a / (1 + e^a)^2, which is sigmoid(a) times 1 - sigmoid(a) =
                sigmoid(-a).
    (3) -> (4)  d log sigmoid(a)/da = s1 / s = sigmoid(-a) and d log sigmoid(-a)/da = -sigmoid(a),
                so d log(s1)/da = sigmoid(-a) - sigmoid(a), and sigmoid(-a) = 1 - s.
    (5) -> (6)  d|a|/da = sign(a):  (1 + sign(a) - sign(a) u) / 2 = (1 + sign(a) |a| u) / 2, because
                1 - u = |a| u.
    (6) -> (7)  d(a u)/da = u - |a| u^2 = u^2 (1 + |a| - |a|).
    (7) -> (8)  d log(u)/da = -sign(a) / (1 + |a|) = -sign(a) u, and d log(u^2 / 2)/da is twice it.

Conventions
    The slope (6) of the stand-in rises from 0 to 1 like the sigmoid (it is half of "1 + softsign"),
    but (6) to (8) map rational numbers to rational numbers, so that an equality of scores or
    gradients which holds for every activation can be evaluated in `fractions.Fraction` without
    rounding; (5) has a logarithm.  With it an energy is no longer the free energy of a machine with
    binary hidden units.  It is twice continuously differentiable and no more: f''' jumps from 1 to
    -1 at 0, where (8) gives 0, and a complex step does not pass through |a|.
    The error of (4) is a rounding of 1: near a = 0 it keeps few digits of f''' = -2 s1 rho, which
    is then small beside s1.  `refsm.stable.sigmoid_bend`, the same number through tanh, keeps all
    of them and takes longer.
    Both functions have f(a) - f(-a) = a, and so s(-a) = 1 - s(a).

Sources
    (1)-(4) are elementary.  The softsign a / (1 + |a|): Bergstra, Desjardins, Lamblin & Bengio,
    Quadratic polynomials learn better image features (2009).
"""
from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np

from refsm import stable
from refsm.typing import Array

__all__ = ["Activation", "ACTIVATIONS", "SOFTPLUS", "RATIONAL"]


class Activation(NamedTuple):
    """A function f of one number with what its first three derivatives need.

    >>> a = np.array([0.0])
    >>> s, s1 = SOFTPLUS.first_two(a)
    >>> float(s[0]), float(s1[0]), float(SOFTPLUS.half_decay(a, s)[0])
    (0.5, 0.25, 0.0)
    """

    name: str
    f: Callable[[Array], Array]                              # a -> f(a)
    first_two: Callable[[Array], tuple[Array, Array]]        # a -> (s, s1), which share their work
    half_decay: Callable[[Array, Array], Array]              # a, s -> rho, a new array

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return self.name.upper()


def _softplus_half_decay(a: Array, s: Array) -> Array:
    rho = s - 0.5                                            # (4)
    return rho


def _rational(a: Array) -> Array:
    return (a + abs(a) - np.log1p(abs(a))) / 2               # (5)


def _rational_first_two(a: Array) -> tuple[Array, Array]:
    u = 1 / (1 + abs(a))
    s = (1 + a * u) / 2                                      # (6)
    s1 = u**2 / 2                                            # (7)
    return s, s1


def _rational_half_decay(a: Array, s: Array) -> Array:
    u = 1 / (1 + abs(a))
    rho = np.sign(a) * u                                     # (8)
    return rho


SOFTPLUS = Activation("softplus", f=stable.softplus,         # (1)
                      first_two=stable.sigmoid_and_slope,    # (2) (3)
                      half_decay=_softplus_half_decay)
RATIONAL = Activation("rational", f=_rational, first_two=_rational_first_two,
                      half_decay=_rational_half_decay)
ACTIVATIONS = {activation.name: activation for activation in (SOFTPLUS, RATIONAL)}
