"""Denoising score matching (Vincent 2011): match the score of the corruption, not of the data.

Symbols
    n points, i visible dimensions (d).
    x             (n, d)   clean points, drawn from a density q
    x_noisy       (n, d)   corrupted points, x_noisy_n drawn from q(x_noisy | x_n)
    corruption             the process q(x_noisy | x)
    target        (n, d)   its score, grad log q(x_noisy | x) with respect to x_noisy; for isotropic Gaussian
                           noise of standard deviation sigma (x - x_noisy) / sigma^2
    psi           (n, d)   the model's score at x_noisy; `score` where it is an argument
    weights       (n,)     w_n, 1/n unless given
    term          (n,)     the loss at one pair (x, x_noisy)

Equations
    (1)  term = 1/2 |psi(x_noisy) - target|^2
    (2)  target = grad log q(x_noisy | x)
    (3)  d value / d psi = weights (psi - target)
    (4)  q_sigma(x_noisy) = integral q(x_noisy | x) q(x) dx                            [definition]
    (5)  E (1) = E_{q_sigma} 1/2 |psi - grad log q_sigma|^2 + constant,
         constant = 1/2 E |target|^2 - 1/2 E_{q_sigma} |grad log q_sigma|^2            [theorem 4]
    (6)  1/2 E |target|^2 = 1/2 tr C^-1 for Gaussian noise of covariance C,
         d / (2 sigma^2) where C = sigma^2 I                                           [result]

Derivation
    (1) -> (3)  elementwise derivative of the term, times weights_n.
    (1) -> (5)  Expand both squares.  1/2 E|psi|^2 stands in both, because x_noisy ~ q_sigma.
                The cross terms agree (all gradients are with respect to x_noisy):
                E_{q_sigma} psi.grad log q_sigma
                  = integral psi.grad q_sigma dx_noisy            since q_sigma grad log q_sigma = grad q_sigma
                  = integral psi.[ integral q(x) grad q(x_noisy | x) dx ] dx_noisy
                                                                  by (4), the gradient under the integral
                  = integral integral q(x) q(x_noisy | x) psi.grad log q(x_noisy | x) dx dx_noisy
                                                                  since grad q = q grad log q once more
                  = E psi.target.
                What is left does not depend on theta; it is the constant.  No integration by parts and no
                boundary term: unlike the implicit form this one holds for any q, with gaps or bounded
                support, as long as the corruption is smooth and the expectations are finite.
    -> (6)      target = -C^-1 noise with E noise noise' = C:  E |target|^2 = tr C^-1 C C^-1 = tr C^-1.
    Together with theorem 3 (explicit = implicit at q_sigma, apart from a constant), for isotropic noise:
    E (1) = E[J_ISM at q_sigma] + d / (2 sigma^2), which is theorem 5.

Conventions
    The factor 1/2, the sum over dimensions, the mean over pairs; no weighting by sigma^2.  Code for diffusion
    models multiplies (1) by sigma^2 (so that every noise level weighs the same), drops the 1/2, or takes the
    mean over dimensions.  The target points from the noisy point BACK to the clean one; its opposite,
    (x_noisy - x) / sigma^2, learns the energy upside down.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23 (2011):
    (1), section "Denoising score matching", and (5), which the appendix proves.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from refsm.sums import row_dot
from refsm.corruption import corruption
from refsm.objectives.objective import LocalLoss, Objective
from refsm.typing import Array, Given

__all__ = ["DenoisingScoreMatching"]


@dataclass(frozen=True, eq=False, repr=False)
class DenoisingScoreMatching(Objective):
    """sum_n weights_n 1/2 |psi(x_noisy_n) - grad log q(x_noisy_n | x_n)|^2, equation (1).

    x and x_noisy (n, d); `corruption` a process of `refsm.corruption`, or a number sigma > 0 for isotropic Gaussian noise of that
    standard deviation.  The noise comes in as an array: the same call gives the same number.  The value is in the units of
    1 / x^2.  ValueError for shapes that disagree or sigma <= 0.  Source: Vincent (2011).

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
        self._set_data(x=self.x, x_noisy=self.x_noisy)
        self.corruption.check_dimension(self.x.shape[1])

    @property
    def points(self) -> Array:
        """The corrupted points, where the model's score is read."""
        return self.x_noisy

    def local_loss(self, score: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d) at x_noisy."""
        target = self.corruption.target(self.x_noisy, self.x)                           # (n, d)  (2)
        psi, weights = score, self.weights
        r = psi - target
        term = row_dot(r, r) / 2                                                        # (n,)  (1)
        return term, {"score": weights[:, None] * r}                                    # (n, d)  (3)
