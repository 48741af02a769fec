"""Score matching at the noisy points, against the Parzen density of the data (Vincent 2011): J_ESMq_sigma and J_ISMq_sigma.

Symbols
    n points, i visible dimensions (d), k clean points (N); psi is the model's score at x_noisy.
    x             (N, d)   clean points, the centres
    x_noisy       (n, d)   noisy points, drawn from q_sigma
    sigma         number   standard deviation of the noise
    data_score    (n, d)   grad log q_sigma at x_noisy
    weights       (n,)     one a noisy point, 1/n unless given

Equations
    (1)  q_sigma(x_noisy) = (1/N) sum_k N(x_noisy; x_k, sigma^2 I)                    [definition]
    (2)  data_score = grad log q_sigma(x_noisy)
    explicit, J_ESMq_sigma
    (3)  term = 1/2 |psi - data_score|^2
    implicit, J_ISMq_sigma
    (4)  term = 1/2 |psi|^2 + tr d psi / d x_noisy
    in expectation over q_sigma
    (5)  E (3) = E (4) + 1/2 E |data_score|^2                                         [theorem 3]

Derivation
    (3), (4)     explicit and implicit score matching with q_sigma in the place of q: `refsm.objectives.score_matching` has their
                 terms and cotangents, and these two classes use its code.
    (3) -> (5)   its integration by parts, for q = q_sigma.  The boundary term vanishes for any score of polynomial growth:
                 q_sigma falls off like a Gaussian, and it is smooth even where the data are a finite set of points.
    With N data points for the unknown density this is no approximation: q_sigma is a density, the model is matched to it, and (5) and
    the link to the denoising loss (theorem 4: J_DSM = J_ESMq_sigma + a constant) hold for the finite sample x, in expectation over the noise.

Conventions
    The factor 1/2, the sum over dimensions, the mean over noisy points.  There may be any number of these for each clean point, and
    none is paired with one: (2) weighs all centres, where denoising score matching has the one that x_noisy came from.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23 (2011), section "Matching the
    score of a non-parametric estimator": both objectives, and (5) as what joins them.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from refsm import immutable, validation
from refsm.energies.parzen import Parzen
from refsm.objectives.objective import Objective
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching
from refsm.typing import Array, Given

__all__ = ["ParzenExplicitScoreMatching", "ParzenImplicitScoreMatching"]


@dataclass(frozen=True, eq=False, repr=False)
class ParzenExplicitScoreMatching(Objective):
    """sum_n weights_n 1/2 |psi(x_noisy_n) - grad log q_sigma(x_noisy_n)|^2, equation (3): Vincent's J_ESMq_sigma.

    x (N, d) are the centres of the Parzen density q_sigma, x_noisy (n, d) the points, sigma > 0 its bandwidth in the units of x.  The
    score of q_sigma is computed once, here.  ValueError for shapes that disagree or sigma <= 0.  Source: Vincent (2011).

    One clean point: q_sigma = N(1, 1/4), whose score at 2 is (1 - 2) / 0.25 = -4; psi = -1 misses it by 3.

    >>> ParzenExplicitScoreMatching([[1.0]], [[2.0]], 0.5).evaluate(score=[[-1.0]])[0]
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
        self._set(data_score=immutable.readonly_copy(q_sigma.score(self.x_noisy)))               # (n, d)  (2)

    @property
    def points(self) -> Array:
        """The noisy points, where the model's score is read."""
        return self.x_noisy

    local_loss = ExplicitScoreMatching.local_loss           # type: ignore[assignment]  # (n,), (n, d)  (3)


@dataclass(frozen=True, eq=False, repr=False)
class ParzenImplicitScoreMatching(Objective):
    """sum_n weights_n ( 1/2 |psi(x_noisy_n)|^2 + div psi(x_noisy_n) ), equation (4): Vincent's J_ISMq_sigma.

    x_noisy (n, d) are points drawn from q_sigma (clean points plus noise).  The value is in the units of 1 / x^2.  ValueError for x_noisy that
    is not (n, d) or not finite.  Source: Vincent (2011).

    For N(0, 1), psi = -x and div psi = -1: at x_noisy = 3 the term is 9/2 - 1.

    >>> ParzenImplicitScoreMatching([[3.0]]).evaluate(score=[[-3.0]], divergence=[-1.0])[0]
    array([3.5])
    """

    x_noisy: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("score", "divergence")
    per_point = ("x_noisy", "weights")

    def __post_init__(self) -> None:
        self._set_data(x_noisy=self.x_noisy)

    @property
    def points(self) -> Array:
        """The noisy points, where the model's score and its divergence are read."""
        return self.x_noisy

    local_loss = ImplicitScoreMatching.local_loss           # type: ignore[assignment]  # (n,), (n, d)  (4)
