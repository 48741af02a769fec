"""How far rounding can move the denoising losses and their gradients: a running error analysis.

Every computed quantity is carried with a bound on its error, in the order of the computation.  The
bounds hold for any order of summation, so they cover both sides of statement 1, and twice the
bound covers the gap between them.

Symbols
    u              unit roundoff, 2^-53; a sum of k products is off by at most k u times the sum of
                   their sizes
    W, b, c        (m, d), (m,), (d,)  the tied autoencoder
    x, x_noisy     (n, d)  clean and corrupted points;  w (n,) their weights
    s, s1, s2      (n, m)  f'(a), f''(a), f'''(a) of the activations a, f the softplus:  s > 0 and
                           s1 > 0
    y, r           (n, d)  reconstruction, reconstruction - x
    p              (n, d)  w r
    A              (n, m)  s1 (p W')
    d_a, d_s, ...          bounds on the errors of a, s, ...

Equations, to first order in u
    (1)  d_a  = (d + 2) u ( |x_noisy| |W|' + |b| )
    (2)  d_s  = s1 d_a + FUNCTION u s,          d_s1 = |s2| d_a + FUNCTION u s1
    (3)  d_r  = d_s |W| + (m + 2) u ( s |W| + |c| ) + 4 u ( |y| + |x_noisy| + |x| )
    (4)  d_term  = sum_i ( 2 |r_i| d_r_i + (d + 4) u r_i^2 ),   term = |r|^2
    (5)  d_value = sum_n ( w d_term + (n + 1) u w term )
    (6)  d_p  = w ( d_r + 2 u |r| )
    (7)  d_A  = s1 ( d_p |W|' + (d + 2) u |p| |W|' ) + |p W'| d_s1
    (8)  d_W  = d_A' |x_noisy| + d_s' |p| + s' d_p + (n + 4) u ( |A|' |x_noisy| + s' |p| )
    (9)  d_b  = sum_n ( d_A + (n + 3) u |A| ),  d_c = sum_n ( d_p + (n + 3) u |p| )

Derivation
    (1), (7), (8)  a computed sum of k products, in any order, is off by at most k u times the sum
                   of the products' sizes, plus the errors of the factors times the sizes of the
                   other factors.
    (2)            first derivatives of f' and f'', and a few units for evaluating them.
    (3)            the score forms ( y - x_noisy ) / sigma^2 - ( x - x_noisy ) / sigma^2, where
                   x_noisy cancels only up to rounding: two differences, two divisions, each off by
                   u times the sizes of its parts.
    (4)-(6), (9)   as above.

Sources
    Higham, Accuracy and Stability of Numerical Algorithms (2002), sections on inner products and
    running error analysis.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refsm.energies.autoencoder import AutoencoderEnergy, AutoencoderTheta
from refsm.theorems.statement import UNIT
from refsm.typing import Array

__all__ = ["RoundingBounds", "autoencoder_bounds"]

FUNCTION = 10.0         # chosen: roundings of one f' or f'' of the softplus; at most 6 are measured


class RoundingBounds(NamedTuple):
    """Bounds on the gaps between two computations of the autoencoder's loss."""

    value: float
    per_sample: Array                # (n,)
    gradient: AutoencoderTheta


def autoencoder_bounds(model: AutoencoderEnergy, x: Array, x_noisy: Array) -> RoundingBounds:
    """Bounds for sum_n |reconstruction - x|^2 / N, its terms and its gradient.

    Each is computed twice: twice (4), (5), (8), (9).
    """
    u = UNIT
    W, b, c = (np.abs(leaf) for leaf in model.theta)
    m, d = W.shape
    n = len(x)
    w = 1 / n
    at = model.at(x_noisy)
    s, s1 = at.s_and_s1
    s2 = -2 * s1 * model.activation.half_decay(at.a, s)
    x_size = np.abs(x_noisy)
    d_a = (d + 2) * u * (x_size @ W.T + b)                               # (n, m)  (1)
    d_s = s1 * d_a + FUNCTION * u * s                                    # (n, m)  (2)
    d_s1 = np.abs(s2) * d_a + FUNCTION * u * s1                          # (n, m)  (2)
    y = s @ model.W + model.c
    r = y - x
    differences = np.abs(y) + x_size + np.abs(x)
    d_r = d_s @ W + (m + 2) * u * (s @ W + c) + 4 * u * differences      # (n, d)  (3)
    term = (r * r).sum(axis=1)
    d_term = (2 * np.abs(r) * d_r).sum(axis=1) + (d + 4) * u * term      # (n,)    (4)
    d_value = w * (d_term + (n + 1) * u * term).sum()                    # ()      (5)
    p = w * np.abs(r)
    d_p = w * d_r + 2 * u * p                                            # (n, d)  (6)
    pW = np.abs((w * r) @ model.W.T)
    A = s1 * pW
    d_A = s1 * (d_p @ W.T + (d + 2) * u * (p @ W.T)) + pW * d_s1         # (n, m)  (7)
    products = A.T @ x_size + s.T @ p
    d_W = d_A.T @ x_size + d_s.T @ p + s.T @ d_p + (n + 4) * u * products    # (m, d)  (8)
    d_b = (d_A + (n + 3) * u * A).sum(axis=0)                            # (m,)    (9)
    d_c = (d_p + (n + 3) * u * p).sum(axis=0)                            # (d,)    (9)
    # (6) to (9) leave out the factor 2 of the gradient; and each computation may be off by a bound
    gradient = AutoencoderTheta(4 * d_W, 4 * d_b, 4 * d_c)
    return RoundingBounds(2 * d_value, 2 * d_term, gradient)
