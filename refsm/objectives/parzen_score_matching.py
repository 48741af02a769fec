"""Score matching at the noisy points, against the Parzen density of the data (Vincent 2011).

Symbols
    n noisy points, i visible dimensions (d), k clean points (N).
    x             (N, d)   clean points, the centres
    x_noisy       (n, d)   noisy points, drawn from q_sigma
    sigma         number   standard deviation of the noise
    data_score    (n, d)   grad log q_sigma at x_noisy
    psi           (n, d)   the model's score at x_noisy; `score` where it is an argument
    divergence    (n,)     tr d psi / d x_noisy
    weights       (n,)     one per noisy point, 1/n unless given
    r             (n, d)   psi - data_score
    term          (n,)     the loss at one noisy point

Equations
    (1)  q_sigma(x_noisy) = (1/N) sum_k N(x_noisy; x_k, sigma^2 I)                    [definition]
    (2)  data_score = grad log q_sigma(x_noisy)
    explicit: Vincent's J_ESMq_sigma
    (3)  term = 1/2 |psi - data_score|^2
    (4)  d value / d psi = weights (psi - data_score)
    implicit: Vincent's J_ISMq_sigma
    (5)  term = 1/2 |psi|^2 + divergence
    (6)  d value / d psi = weights psi;       d value / d divergence = weights
    in expectation over q_sigma
    (7)  E (3) = E (5) + 1/2 E |data_score|^2                                        [statement 3]

Derivation
    -> (4), (6)  elementwise derivatives of the terms, times weights_n.
    (3) -> (7)   the integration by parts of `refsm.objectives.score_matching`, for q = q_sigma.
                 Its conditions hold for any continuously differentiable score which, with its
                 Jacobian, grows no faster than a polynomial: q_sigma is smooth even where the data
                 are a finite set of points, and it falls off like a Gaussian.
    N data points stand for the unknown density, but nothing here is an approximation: q_sigma is a
    density, the model is matched to it, and (7) and the link to the denoising loss (statement 4:
    J_DSM = J_ESMq_sigma + a constant) hold for the finite sample x, in expectation over the noise.
    Therefore the minimum of (3) over all densities is 0, at q_sigma itself: a model rich enough to
    be q_sigma learns the sample, smoothed by sigma.

Conventions
    The factor 1/2, the sum over dimensions, the mean over noisy points.  There may be any number of
    these for each clean point, and none is paired with one: (2) weighs all centres, where denoising
    score matching has the one that x_noisy came from.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23
    (2011), section "Matching the score of a non-parametric estimator": both objectives, and (7) as
    what joins them.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from refsm import immutable, validation
from refsm.energies.parzen import Parzen
from refsm.immutable import cached_property
from refsm.objectives.objective import LocalLoss, Objective
from refsm.sums import column, row_dot
from refsm.typing import Array, Given

__all__ = ["ParzenExplicitScoreMatching", "ParzenImplicitScoreMatching"]


@dataclass(frozen=True, eq=False, repr=False)
class ParzenExplicitScoreMatching(Objective):
    """sum_n weights_n 1/2 |psi(x_noisy_n) - grad log q_sigma(x_noisy_n)|^2, equation (3).

    x (N, d) are the centres of the Parzen density q_sigma, x_noisy (n, d) the points, sigma > 0 its
    bandwidth in the units of x.  The score of q_sigma is computed once, for the first value.
    ValueError for shapes that disagree or sigma <= 0.  Source: Vincent (2011).

    One clean point: q_sigma = N(1, 1/4), whose score at 2 is (1 - 2) / 0.25 = -4; psi = -1 misses
    it by 3.

    >>> J = ParzenExplicitScoreMatching([[1.0]], [[2.0]], 0.5)
    >>> J.evaluate(score=[[-1.0]])[0]
    array([4.5])
    """

    x: Given
    x_noisy: Given
    sigma: float
    weights: Given = field(default=None, kw_only=True)

    reads = ("score",)
    per_point = ("x_noisy", "data_score", "weights")

    def __post_init__(self) -> None:
        q_sigma = Parzen(validation.points(self.x), self.sigma)
        self._set(x=q_sigma.centers, sigma=q_sigma.sigma)
        self._set_data(x_noisy=validation.readonly_view(self.x_noisy, "x_noisy", ("n", q_sigma.d)))

    @cached_property
    def data_score(self) -> Array:
        """The score of q_sigma at x_noisy, shape (n, d), equation (2)."""
        q_sigma = Parzen(self.x, self.sigma)
        return immutable.readonly_copy(q_sigma.score(self.x_noisy))        # (n, d)  (2)

    @property
    def points(self) -> Array:
        """The noisy points, where the model's score is read."""
        return self.x_noisy

    def local_loss(self, score: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d) at x_noisy."""
        psi, weights = score, column(self.weights)
        r = psi - self.data_score
        term = row_dot(r, r) / 2                                           # (n,)  (3)
        to_psi = weights * r                                               # (n, d)  (4)
        return term, {"score": to_psi}


@dataclass(frozen=True, eq=False, repr=False)
class ParzenImplicitScoreMatching(Objective):
    """sum_n weights_n ( 1/2 |psi(x_noisy_n)|^2 + div psi(x_noisy_n) ), equation (5).

    x_noisy (n, d) are points drawn from q_sigma (clean points plus noise).  The value is in the
    units of 1 / x^2.  ValueError for x_noisy that is not (n, d) or not finite.
    Source: Vincent (2011).

    For N(0, 1), psi = -x and div psi = -1: at x_noisy = 3 the term is 9/2 - 1.

    >>> J = ParzenImplicitScoreMatching([[3.0]])
    >>> J.evaluate(score=[[-3.0]], divergence=[-1.0])[0]
    array([3.5])
    """

    x_noisy: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("score", "divergence")
    per_point = ("x_noisy", "weights")

    @property
    def points(self) -> Array:
        """The noisy points, where the model's score and its divergence are read."""
        return self.x_noisy

    def local_loss(self, score: Array, divergence: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d) and its divergence (n,)."""
        psi, weights = score, self.weights
        term = row_dot(psi, psi) / 2 + divergence                          # (n,)  (5)
        to_psi = column(weights) * psi                                     # (n, d)  (6)
        return term, {"score": to_psi, "divergence": weights}
