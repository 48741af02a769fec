"""Activation functions of one-hidden-layer energies: f, and its first three derivatives by hand.

An energy with one hidden layer is a quadratic minus a multiple of sum_j f(a_j).  Its score needs f', the Jacobian
of the score f'', and the pullback of a divergence f''' = -2 kappa f''.

Symbols
    a         array   activations, of any shape
    f         function; the rest are arrays of the shape of a
    s         array   f'(a)
    s1        array   f''(a)
    kappa     array   f'''(a) = -2 kappa f''(a)
    u         array   1 / (1 + |a|)

Equations
    softplus
    (1)  f(a)  = log(1 + exp(a))                      what summing out a hidden unit h in {0, 1} leaves
    (2)  s     = sigmoid(a)
    (3)  s1    = sigmoid(a) sigmoid(-a)
    (4)  kappa = s - 1/2
    rational stand-in
    (5)  f(a)  = (a + |a| - log(1 + |a|)) / 2
    (6)  s     = (1 + a u) / 2
    (7)  s1    = u^2 / 2
    (8)  kappa = sign(a) u

Derivation
    (1) -> (2)  d/da log(1 + e^a) = e^a / (1 + e^a).
    (2) -> (3)  quotient rule: e^a / (1 + e^a)^2, which is sigmoid(a) times 1 - sigmoid(a) = sigmoid(-a).
    (3) -> (4)  product rule with d sigmoid(-a)/da = -s1:  f''' = s1 (sigmoid(-a) - sigmoid(a)) = s1 (1 - 2 s).
    (5) -> (6)  d|a|/da = sign(a):  (1 + sign(a) - sign(a) u) / 2 = (1 + sign(a) |a| u) / 2, because 1 - u = |a| u.
    (6) -> (7)  d(a u)/da = u - |a| u^2 = u^2 (1 + |a| - |a|).
    (7) -> (8)  du/da = -sign(a) u^2, hence f''' = d(u^2 / 2)/da = u du/da = -sign(a) u^3, and f'' is (7).

Conventions
    The stand-in rises from 0 to 1 like the sigmoid (it is half of "1 + softsign") but takes rational numbers to
    rational numbers, so that an identity which must hold for every smooth activation can be evaluated in
    `fractions.Fraction` without any rounding.  With it an energy is no longer the free energy of a machine with
    binary hidden units; all the algebra of scores and their gradients is the same.  It uses |a|: f'' is continuous, f'''
    jumps at 0, and a complex step does not pass through it.
    (4) costs one operation; tanh(a/2) / 2, the same number, costs ten.  Its error is a few roundings of 1/2, not of itself:
    for |a| << 1 it keeps few digits of a number that is then near 0, but f''' is never wrong by more than a few roundings
    of f''.  `refsm.stable.sigmoid_bend` is f''' with all its digits.

Sources
    (1)-(4) are elementary.  The softsign a / (1 + |a|): Bergstra, Desjardins, Lamblin & Bengio, Quadratic polynomials
    learn better image features (2009).
"""
from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np

from refsm import stable
from refsm.typing import Array

__all__ = ["Activation", "SOFTPLUS", "RATIONAL"]


class Activation(NamedTuple):
    """A function f of one number with its first three derivatives.

    >>> s, s1 = SOFTPLUS.first_two(np.array([0.0]))
    >>> float(s[0]), float(s1[0])
    (0.5, 0.25)
    """

    name: str
    f: Callable[[Array], Array]                              # a -> f(a)
    first_two: Callable[[Array], tuple[Array, Array]]        # a -> (s, s1), which share their work
    kappa: Callable[[Array, Array], Array]                   # a, s -> kappa

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return self.name.upper()


def _rational(a: Array) -> Array:
    return (a + abs(a) - np.log1p(abs(a))) / 2             # (5)


def _rational_first_two(a: Array) -> tuple[Array, Array]:
    u = 1 / (1 + abs(a))
    s = (1 + a * u) / 2                                      # (6)
    s1 = u * u / 2                                           # (7)
    return s, s1


def _rational_kappa(a: Array, s: Array) -> Array:
    u = 1 / (1 + abs(a))
    kappa = np.sign(a) * u                                   # (8)
    return kappa


def _softplus_kappa(a: Array, s: Array) -> Array:
    kappa = s - 0.5                                          # (4)
    return kappa


SOFTPLUS = Activation("softplus", f=stable.softplus,         # (1)
                      first_two=stable.sigmoid_and_slope,    # (2) (3)
                      kappa=_softplus_kappa)
RATIONAL = Activation("rational", f=_rational, first_two=_rational_first_two, kappa=_rational_kappa)
