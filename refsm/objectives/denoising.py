"""Denoising score matching (Vincent 2011): match the score of the corruption, not of the data.

Symbols
    n points, i visible dimensions (d).
    x             (n, d)   clean points, drawn from a density q
    x_noisy       (n, d)   corrupted points, x_noisy_n drawn from q(x_noisy | x_n)
    corruption    a process q(x_noisy | x) of `refsm.corruption`
    target        (n, d)   its score, grad log q(x_noisy | x) with respect to x_noisy; for
                           isotropic Gaussian noise of standard deviation sigma it is
                           (x - x_noisy) / sigma^2
    psi           (n, d)   the model's score at x_noisy; `score` where it is an argument
    weights       (n,)     1/n unless given
    r             (n, d)   target - psi
    term          (n,)     the loss at one pair (x, x_noisy)

Equations
    (1)  term = 1/2 |psi(x_noisy) - target|^2
    (2)  target = grad log q(x_noisy | x)
    (3)  d value / d psi = weights (psi - target)
    (4)  q_sigma(x_noisy) = integral q(x_noisy | x) q(x) dx                           [definition]
    (5)  s_sigma(x_noisy) = grad log q_sigma(x_noisy)                                 [definition]
    (6)  E[target | x_noisy] = s_sigma(x_noisy)                                     [statement 16]
    (7)  E (1) = E 1/2 |psi - s_sigma|^2 + 1/2 E tr Cov[target | x_noisy]            [statement 4]
    (8)  1/2 E tr Cov[target | x_noisy] = 1/2 E |target|^2 - 1/2 E |s_sigma|^2           [result]
    (9)  1/2 E |target|^2 = 1/2 tr C^-1 for Gaussian noise of covariance C,
         d / (2 sigma^2) where C = sigma^2 I                                             [result]

Derivation
    (1) -> (3)  elementwise derivative of the term, times weights_n.
    (4) -> (6)  All gradients are with respect to x_noisy.  Under the integral (4),
                grad q_sigma = integral q(x) grad q(x_noisy | x) dx
                             = integral q(x) q(x_noisy | x) target dx,
                since grad q = q grad log q.  Divide by q_sigma:  q(x) q(x_noisy | x) / q_sigma is
                Bayes' rule for q(x | x_noisy), and grad q_sigma / q_sigma is (5).
    (6) -> (7)  (1) is a regression of the target on x_noisy.  Write
                psi - target = (psi - s_sigma) - (target - s_sigma).
                Given x_noisy the first bracket is fixed and the second has mean 0 by (6), so that
                the cross term vanishes:
                E |psi - target|^2 = E |psi - s_sigma|^2 + E |target - s_sigma|^2.
                The last expectation is that of tr Cov[target | x_noisy].
    -> (8)      a variance is the mean square minus the square of the mean, by (6).
    -> (9)      target = -C^-1 noise with E noise noise' = C:
                E |target|^2 = tr C^-1 C C^-1 = tr C^-1.

    Why it works.  The target is noisy, and depends on a clean point that psi is not a function of;
    but its conditional mean is the score (6), and the minimiser of a squared error is a
    conditional mean.  No integration by parts and no boundary term: unlike the implicit form, (7)
    holds for any q, with gaps or bounded support, as long as the corruption is smooth and the
    expectations are finite.  With statement 3 (explicit = implicit at q_sigma, apart from a
    constant) and isotropic noise, E (1) = E[J_ISM at q_sigma] + d / (2 sigma^2), statement 5.

    What value it can reach.  Not 0: the floor is (8), reached where psi = s_sigma; for isotropic
    noise d / (2 sigma^2) - 1/2 E |s_sigma|^2 = E tr Cov[x | x_noisy] / (2 sigma^4)  [statement 17].
    Losses at two noise levels cannot be compared without it.

    What sigma does.  The minimiser is the score of the smoothed density, not of q.  Its bias is
    s_sigma - s = (sigma^2 / 2) grad( div s + |s|^2 ) + O(sigma^4), s = grad log q   [statement 19].
    The term's variance grows as sigma falls.  With x_noisy = x + sigma eps,
        1/2 |psi + eps / sigma|^2 = 1/2 |psi|^2 + psi.eps / sigma + |eps|^2 / (2 sigma^2),
    and the last part alone has the variance d / (2 sigma^4)                         [statement 20].
    It does not depend on the model, and psi(x).eps / sigma has mean 0: the loss minus both keeps
    its expectation, apart from d / (2 sigma^2), and has a bounded variance if psi is smooth.

Conventions
    The factor 1/2, the sum over dimensions, the mean over pairs; no weighting by sigma^2.  Code for
    diffusion models multiplies (1) by sigma^2, so that the part of the target, |eps|^2 / 2, has the
    mean d / 2 at every level.  The floors still differ: d / 2 - (sigma^2 / 2) E |s_sigma|^2 tends
    to d / 2 at small noise, if the data have a density, and to 0 at large noise.
    Other code drops the 1/2 or takes the mean over dimensions.  The target points from the noisy
    point BACK to the clean one; its opposite, (x_noisy - x) / sigma^2, learns the energy upside
    down.  Any corruption has its own s_sigma; the name keeps Vincent's sigma.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23
    (2011): (1), section "Denoising score matching", and (7) up to its constant, which the appendix
    proves.  Small noise: Hyvarinen, Optimal approximation of signal priors, Neural Computation 20
    (2008).
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from refsm.corruption import corruption
from refsm.objectives.objective import LocalLoss, Objective
from refsm.sums import column, row_dot, scaled
from refsm.typing import Array, Given

__all__ = ["DenoisingScoreMatching"]


@dataclass(frozen=True, eq=False, repr=False)
class DenoisingScoreMatching(Objective):
    """sum_n weights_n 1/2 |psi(x_noisy_n) - grad log q(x_noisy_n | x_n)|^2, equation (1).

    x and x_noisy (n, d); `corruption` a process of `refsm.corruption`, or a number sigma > 0 for
    isotropic Gaussian noise of that standard deviation.  The noise comes in as an array: the same
    call gives the same number.  The value is in the units of 1 / x^2.  ValueError for shapes that
    disagree or sigma <= 0.  Source: Vincent (2011).

    x = 1, x_noisy = 2, sigma = 1/2: the target is (1 - 2) / 0.25 = -4, and psi = -1 misses it by 3.

    >>> DenoisingScoreMatching([[1.0]], [[2.0]], 0.5).evaluate(score=[[-1.0]])[0]
    array([4.5])
    """

    x: Given
    x_noisy: Given
    corruption: Any
    weights: Given = field(default=None, kw_only=True)

    reads = ("score",)
    per_point = ("x", "x_noisy", "weights")

    def __post_init__(self) -> None:
        self._set(corruption=corruption(self.corruption))
        super().__post_init__()
        self.corruption.check_dimension(self.x.shape[1])

    @property
    def points(self) -> Array:
        """The corrupted points, where the model's score is read."""
        return self.x_noisy

    def local_loss(self, score: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d) at x_noisy."""
        psi, weights = score, column(self.weights)
        r = self.corruption.target(self.x_noisy, self.x) - psi             # (n, d)  (2)
        term = row_dot(r, r) / 2                                           # (n,)  (1)
        to_psi = scaled(r, -weights)                                       # (n, d)  (3)
        return term, {"score": to_psi}
