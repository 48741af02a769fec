"""The squared error of a prediction, as diffusion models are trained: noise, clean point, velocity.

Symbols
    n points, i dimensions (d).
    x              (n, d)   clean points
    x_noisy        (n, d)   alpha x + sigma eps
    eps            (n, d)   the noise that is in x_noisy
    alpha, sigma   numbers  of the corruption
    c_skip, c_out  numbers  of the preconditioning "edm"
    psi            (n, d)   the model's score at x_noisy
    eps_hat        (n, d)   the model's estimate of eps
    x_hat          (n, d)   its estimate of x
    prediction     (n, d)   what is compared
    target         (n, d)   what it is compared with
    weights        (n,)     w_n, 1/n unless given
    delta          (n, d)   d value / d prediction

Equations
    forward
    (1)  eps     = (x_noisy - alpha x) / sigma
    (2)  eps_hat = -sigma psi
    (3)  x_hat   = (x_noisy - sigma eps_hat) / alpha
    (4)  the combination of noise and clean point that the kind of prediction names:
             score -eps / sigma,  noise eps,  clean x,  velocity alpha eps - sigma x,
             flow eps - x,  edm (x - c_skip x_noisy) / c_out
    (5)  target = (4) of eps and x,  prediction = (4) of eps_hat and x_hat
    (6)  term = |prediction - target|^2
    backward
    (7)  delta = 2 w (prediction - target)
    (8)  d value / d eps_hat: the derivative of (4) for both of its arguments, with
         d x_hat / d eps_hat = -sigma / alpha,
             score -delta / sigma,  noise delta,  clean -(sigma / alpha) delta,
             velocity (alpha + sigma^2 / alpha) delta,  flow (1 + sigma / alpha) delta,
             edm -(sigma / c_out) delta
    (9)  d value / d psi = -sigma d value / d eps_hat
    the statement
    (10) term = factor 1/2 |psi - (alpha x - x_noisy) / sigma^2|^2   [statements 34, 35, 36, 37, 38]

Derivation
    (6) -> (7)   elementwise derivative of the term, times w.
    (7) -> (8)   (4) is linear; along eps_hat it has its own slope and, times -sigma / alpha, that
                 along x_hat.
    (2) -> (9)   slope -sigma.
    -> (10)      `refsm.predictions` has the factors: 2 B^2 for a prediction A x_noisy + B psi.

Conventions
    No 1/2: the sum over dimensions and the mean over points of a plain square.  Many training
    scripts take the mean over dimensions too (1/d of ours).  Weights of levels are left to the
    caller.

Sources
    As in `refsm.predictions`.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from refsm import predictions
from refsm.corruption import corruption
from refsm.energies.energy import Energy
from refsm.objectives.objective import LocalLoss, Objective
from refsm.sums import column, row_dot
from refsm.typing import Array, Given

__all__ = ["PredictionLoss"]


@dataclass(frozen=True, eq=False, repr=False)
class PredictionLoss(Objective):
    """sum_n weights_n |prediction - target|^2, equation (6): no 1/2.

    x and x_noisy (n, d); corruption: a number sigma, a GaussianCorruption or a ScaledCorruption;
    `predict` one of `refsm.predictions.KINDS`; data_sd > 0 for "edm".  The model is any energy: its
    score is turned into the prediction.  `evaluate(prediction=...)` takes a network's output.
    ValueError or TypeError, in one sentence, for bad arguments.  Source: Ho et al. (2020).

    x = 1 seen at 2 with sigma = 1/2: the noise is 2; a prediction of 1.5 misses it by 1/2.

    >>> J = PredictionLoss([[1.0]], [[2.0]], 0.5, predict="noise")
    >>> J.evaluate(prediction=[[1.5]])[0]
    array([0.25])
    """

    x: Given
    x_noisy: Given
    corruption: Any
    predict: str
    data_sd: float | None = None
    weights: Given = field(default=None, kw_only=True)

    reads = ("prediction",)
    per_point = ("x", "x_noisy", "weights")

    def __post_init__(self) -> None:
        self._set(corruption=corruption(self.corruption))
        predictions.linear_map(self.predict, self.corruption, self.data_sd)      # checks all three
        super().__post_init__()

    @property
    def points(self) -> Array:
        """The noisy points, where the model's score is read."""
        return self.x_noisy

    def _check_quantities(self, model: Energy) -> None:
        if "score" not in model.quantities:
            raise TypeError("PredictionLoss reads the score of the energy, "
                            f"which {type(model).__name__} does not have")

    def combination(self, eps: Array, x: Array) -> Array:
        """What the kind of prediction names, of noise and clean points (n, d), equation (4)."""
        alpha, sigma = predictions.scales(self.corruption)
        if self.predict == "score":
            return -eps / sigma                                               # (n, d)  (4)
        if self.predict == "noise":
            return eps
        if self.predict == "clean":
            return x
        if self.predict == "velocity":
            return alpha * eps - sigma * x
        if self.predict == "flow":
            return eps - x
        c_skip, c_out = predictions.preconditioning(self.corruption, self.data_sd)
        return (x - c_skip * self.x_noisy) / c_out

    def to_noise(self, delta: Array) -> Array:
        """The cotangent on eps_hat from that on the prediction, equation (8)."""
        alpha, sigma = predictions.scales(self.corruption)
        if self.predict == "score":
            return -delta / sigma                                             # (n, d)  (8)
        if self.predict == "noise":
            return delta
        if self.predict == "clean":
            return -(sigma / alpha) * delta
        if self.predict == "velocity":
            return (alpha + sigma**2 / alpha) * delta
        if self.predict == "flow":
            return (1 + sigma / alpha) * delta
        _, c_out = predictions.preconditioning(self.corruption, self.data_sd)
        return -(sigma / c_out) * delta

    def local_loss(self, prediction: Array) -> LocalLoss:                   # type: ignore[override]
        """Terms and cotangents from the prediction (n, d)."""
        alpha, sigma = predictions.scales(self.corruption)
        eps = (self.x_noisy - alpha * self.x) / sigma                         # (n, d)  (1)
        target = self.combination(eps, self.x)                                # (n, d)  (5)
        error = prediction - target
        delta = 2 * column(self.weights) * error                              # (n, d)  (7)
        return row_dot(error, error), {"prediction": delta}                   # (n,)  (6)

    def forward(self, model: Any) -> tuple[Array, Callable[[], Any]]:
        """The terms of all points as one block, and the function that pulls their sum back."""
        alpha, sigma = predictions.scales(self.corruption)
        at = model.at(self.x_noisy)
        psi = at.score()
        eps_hat = -sigma * psi                                                # (n, d)  (2)
        x_hat = (self.x_noisy - sigma * eps_hat) / alpha                      # (n, d)  (3)
        term, cotangents = self.local_loss(self.combination(eps_hat, x_hat))  # (n,)  (5)

        def backward() -> Any:
            delta_eps = self.to_noise(cotangents["prediction"])
            return at.pullback(score=-sigma * delta_eps)                      # (9)

        return term, backward
