"""Activation functions of one-hidden-layer energies: f, and its first three derivatives by hand.

The autoencoder energy and the Gaussian-Bernoulli RBM are a quadratic minus a multiple of
sum_j f(a_j).  The score needs f', its Jacobian f'', and the pullback of a divergence, diagonal or
curvature f'''.

Symbols
    a         array   activations, of any shape
    f         function; the rest are arrays of the shape of a
    s         array   f'(a)
    s1        array   f''(a)
    s2        array   f'''(a)
    u         array   1 / (1 + |a|)

Equations
    softplus
    (1)  f(a) = log(1 + exp(a))                       what summing out a hidden unit leaves
    (2)  s    = sigmoid(a)
    (3)  s1   = sigmoid(a) sigmoid(-a)
    (4)  s2   = s1 (1 - 2 s)
    rational stand-in
    (5)  f(a) = (a + |a| - log(1 + |a|)) / 2
    (6)  s    = (1 + a u) / 2
    (7)  s1   = u^2 / 2
    (8)  s2   = -sign(a) u^3

Derivation
    (1) -> (2)  d/da log(1 + e^a) = e^a / (1 + e^a).
    (2) -> (3)  quotient rule: e^a / (1 + e^a)^2, which is sigmoid(a) times 1 - sigmoid(a) =
                sigmoid(-a).
    (3) -> (4)  product rule: d sigmoid(a)/da = s1 and d sigmoid(-a)/da = -s1, so
                s2 = s1 (sigmoid(-a) - sigmoid(a)), and sigmoid(-a) = 1 - s.
    (5) -> (6)  d|a|/da = sign(a):  (1 + sign(a) - sign(a) u) / 2 = (1 + sign(a) |a| u) / 2, because
                1 - u = |a| u.
    (6) -> (7)  d(a u)/da = u - |a| u^2 = u^2 (1 + |a| - |a|).
    (7) -> (8)  du/da = -sign(a) u^2, hence d(u^2 / 2)/da = u du/da.

Conventions
    The slope (6) of the stand-in rises from 0 to 1 like the sigmoid (it is half of "1 + softsign"),
    but (6) to (8) map rational numbers to rational numbers, so that an equality of scores or
    gradients which holds for every activation can be evaluated in `fractions.Fraction` without
    rounding; (5) has a logarithm.  With it an energy is no longer the free energy of a machine with
    binary hidden units.  It is twice continuously differentiable and no more: s2 jumps from 1 to -1
    at 0, where (8) gives 0, and a complex step does not pass through |a|.
    The error of (4) is a few roundings of s1, not of s2: near a = 0 it keeps few digits of a number
    that is then small beside s1.  `refsm.stable.sigmoid_bend`, the same number through tanh, keeps
    all of them and takes longer.
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
    """A function f of one number with its first three derivatives.

    >>> a = np.array([0.0])
    >>> s, s1 = SOFTPLUS.first_two(a)
    >>> float(s[0]), float(s1[0]), float(SOFTPLUS.third(a, s, s1)[0])
    (0.5, 0.25, 0.0)
    """

    name: str
    f: Callable[[Array], Array]                              # a -> f(a)
    first_two: Callable[[Array], tuple[Array, Array]]        # a -> (s, s1), which share their work
    third: Callable[[Array, Array, Array], Array]            # a, s, s1 -> s2

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return self.name.upper()


def _softplus_third(a: Array, s: Array, s1: Array) -> Array:
    s2 = -2 * s
    s2 += 1
    s2 *= s1                                                 # (4), in place
    return s2


def _rational(a: Array) -> Array:
    return (a + abs(a) - np.log1p(abs(a))) / 2               # (5)


def _rational_first_two(a: Array) -> tuple[Array, Array]:
    u = 1 / (1 + abs(a))
    s = (1 + a * u) / 2                                      # (6)
    s1 = u**2 / 2                                            # (7)
    return s, s1


def _rational_third(a: Array, s: Array, s1: Array) -> Array:
    u = 1 / (1 + abs(a))
    s2 = -np.sign(a) * u**3                                  # (8)
    return s2


SOFTPLUS = Activation("softplus", f=stable.softplus,         # (1)
                      first_two=stable.sigmoid_and_slope,    # (2) (3)
                      third=_softplus_third)
RATIONAL = Activation("rational", f=_rational, first_two=_rational_first_two,
                      third=_rational_third)
ACTIVATIONS = {activation.name: activation for activation in (SOFTPLUS, RATIONAL)}
