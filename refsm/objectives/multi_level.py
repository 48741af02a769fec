"""Denoising score matching at several noise levels at once, as diffusion models are trained.

Symbols
    n points, l levels (L), i dimensions (d).
    x              (n, d)      clean points
    x_noisy        (L, n, d)   x_noisy_l is x corrupted at level l
    corruptions                the processes q_l(x_noisy | x), one per level
    level_weights  (L,)        lambda_l
    weights        (n,)        w_n, 1/n unless given
    score          (L, n, d)   psi_l, the score of the model of level l at x_noisy_l
    term           (n,)        the loss at one clean point and its L noisy ones

Equations
    (1)  term  = sum_l lambda_l 1/2 |psi_l(x_noisy_l) - target_l|^2,
         target_l = grad log q_l(x_noisy_l | x) with respect to x_noisy_l
    (2)  value = sum_n w_n term_n = sum_l lambda_l J_l,  J_l the denoising loss at level l
    (3)  d value / d psi_l = lambda_l w (psi_l - target_l)
    one theta for all levels, psi_l the score of the model's corrupted density:
    (4)  d value / d theta = sum_l lambda_l d J_l / d theta
    one energy for each level, with parameters theta_l:
    (5)  d value / d theta_l = lambda_l d J_l / d theta_l
    (6)  in (4), if the family contains q, the expected value is least where the model is q, for any
         lambda_l >= 0, and only there if some lambda_l > 0                              [result]

Derivation
    -> (2)        exchange of two finite sums.
    (1) -> (3)    elementwise derivative of the term, times w.
    (2) -> (4), (5)  the derivative of a sum; in (5) only J_l depends on theta_l.
    -> (6)        E J_l = 1/2 E |psi_l - grad log q_l|^2 + a constant (statement 4), which is least
                  where psi_l is the score of q_l, the density of the noisy points.  With the model
                  at q this holds at all levels at once, so it is least for every choice of the
                  weights, and its gradient is 0 (statement 40).  Equal scores at one level are
                  equal densities there, and a density is determined by its convolution with
                  Gaussian noise: the Fourier transform of the noise has no zero.  Where the family
                  does not contain q, the weights matter: a level of little weight may be fitted
                  badly.

Conventions
    The factor 1/2, the sum over dimensions and levels, the mean over points.  Training code draws
    one random level for each point; (1) has all of them, and is the expectation of that if
    lambda_l is the weight of the level times its probability.  Weights in use: sigma_l^2 (Song &
    Ermon 2019; with the noise as prediction this is 1/2 |eps_hat - eps|^2, Ho et al. 2020), and
    the step of sigma^2 from one level to the next, with which the sum, apart from a constant, tends
    to the integral that is a divergence of densities (statement 42).

Sources
    Song & Ermon, Generative modeling by estimating gradients of the data distribution, NeurIPS
    2019, for (1) with weights sigma_l^2.  Each J_l: Vincent 2011.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from refsm import validation
from refsm.blocks import Block
from refsm.corruption import corruption
from refsm.immutable import cached_property, readonly_copy
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.objective import LocalLoss, Objective
from refsm.rows import row_blocks
from refsm.typing import Array, ArrayLike, Given, Map

__all__ = ["MultiLevelDenoising"]


@dataclass(frozen=True, eq=False, repr=False)
class MultiLevelDenoising(Objective):
    """sum_l lambda_l J_DSM at level l, equation (2).

    x (n, d); x_noisy (L, n, d); `corruptions` L processes of `refsm.corruption`, or numbers
    sigma > 0; `level_weights` (L,), >= 0.  The model is a density that can be corrupted (Gaussian,
    GaussianMixture, Parzen), whose gradient is of the type of its theta; or a sequence of L
    energies, whose gradient is a list of L gradients.  ValueError for shapes that disagree.
    Source: Song & Ermon (2019).

    x = 1 seen at 2 with sigma = 1/2 and at 3 with sigma = 2: the targets are -4 and -1/2, which the
    scores -1 and -1/2 miss by 3 and by 0.

    >>> J = MultiLevelDenoising([[1.0]], [[[2.0]], [[3.0]]], [0.5, 2.0], level_weights=[2.0, 7.0])
    >>> J.evaluate(score=[[[-1.0]], [[-0.5]]])[0]
    array([9.])
    """

    x: Given
    x_noisy: Given
    corruptions: Any
    level_weights: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("score",)

    def __post_init__(self) -> None:
        given = self.corruptions
        sequence = isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, str)
        if not sequence or len(given) == 0:
            raise TypeError("corruptions must be a sequence of processes, one per level, "
                            f"but it is {given!r}")
        self._set(corruptions=tuple(corruption(one) for one in given))
        L = len(self.corruptions)
        level_weights = validation.array(self.level_weights, "level_weights", (L,))
        if (level_weights < 0).any():
            raise ValueError("level_weights must be >= 0, but the smallest is "
                             f"{level_weights.min()}")
        x_noisy = validation.readonly_view(self.x_noisy, "x_noisy", (L, "n", "d"))
        self._set_data(x=self.x)
        self._set(x_noisy=x_noisy, level_weights=readonly_copy(level_weights))
        self.levels                                     # checks the shapes and dimensions

    @cached_property
    def levels(self) -> tuple[DenoisingScoreMatching, ...]:
        """The denoising objective of each level, without its weight lambda_l."""
        levels = tuple(DenoisingScoreMatching(self.x, x_noisy, process)
                       for x_noisy, process in zip(self.x_noisy, self.corruptions))
        for level in levels:
            level._set(weights=self.weights)            # the same array, uniform or checked
        return levels

    def take(self, rows: slice | ArrayLike) -> MultiLevelDenoising:
        """The same objective on some of its points, each with the weight that it has here."""
        part = super().take(rows)                       # checks the rows
        chosen = rows if isinstance(rows, slice) else np.asarray(rows)
        return MultiLevelDenoising(part.x, self.x_noisy[:, chosen], self.corruptions,
                                   self.level_weights, weights=part.weights)

    def check_model(self, model: Any) -> None:
        """TypeError or ValueError, in one sentence, for a model that these levels cannot take."""
        for level, energy in zip(self.levels, self.models(model)):
            level.check_model(energy)

    def models(self, model: Any) -> list[Any]:
        """The energy of each level."""
        L = len(self.corruptions)
        if isinstance(model, (list, tuple)):
            if len(model) != L:
                raise ValueError(f"model must have one energy for each of the {L} levels, "
                                 f"but it has {len(model)}")
            return list(model)
        if not hasattr(model, "corrupted"):
            raise TypeError("model must be a density that can be corrupted or a sequence of "
                            f"{L} energies, but it is of type {type(model).__name__}")
        self.levels[0].check_model(model)
        return [model.corrupted(process) for process in self.corruptions]

    def evaluate(self, **local: Any) -> LocalLoss:
        """Terms (n,) and the cotangent on the scores (L, n, d): no model, no framework."""
        if set(local) != {"score"}:
            raise TypeError("MultiLevelDenoising.evaluate takes score, "
                            f"but it was given {', '.join(sorted(local)) or 'nothing'}")
        return self.local_loss(validation.array(local["score"], "score", self.x_noisy.shape))

    def local_loss(self, score: Array) -> LocalLoss:        # type: ignore[override]
        """Terms and cotangents from the scores (L, n, d) at x_noisy."""
        parts = [level.evaluate(score=psi) for level, psi in zip(self.levels, score)]
        term = sum(lam * part[0] for lam, part in zip(self.level_weights, parts))       # (n,)  (1)
        cotangent = np.stack([lam * part[1]["score"]                                # (L, n, d)  (3)
                              for lam, part in zip(self.level_weights, parts)])
        return term, {"score": cotangent}

    def blocks(self, model: Any) -> Iterator[Block]:
        """The rows of each block, as a part of a stream."""
        self.check_model(model)
        energies = self.models(model)
        width = max(energy.width for energy in energies)
        gradient = max(sum(np.size(leaf) for leaf in energy.theta) for energy in energies)
        for rows in row_blocks(len(self.x), width, 1, gradient):
            yield Block(self, rows)

    def forward(self, model: Any) -> tuple[Array, Callable[[], Any]]:
        """The terms at all points as one block, and the function that pulls their sum back."""
        parts = [level.forward(energy) for level, energy in zip(self.levels, self.models(model))]
        term = sum(lam * part[0] for lam, part in zip(self.level_weights, parts))       # (n,)  (1)

        def backward() -> Any:
            leaves = [[lam * leaf for leaf in pull_back()]
                      for lam, (_, pull_back) in zip(self.level_weights, parts)]
            return [reduce(add, each) for each in zip(*leaves)]

        return term, backward

    def per_sample(self, model: Any, *, map: Map = map) -> Array:
        """term_n, shape (n,)."""
        return sum(lam * level.per_sample(energy, map=map) for lam, level, energy   # (n,)  (1)
                   in zip(self.level_weights, self.levels, self.models(model)))

    def value(self, model: Any, *, map: Map = map) -> float:
        """sum_l lambda_l J_l."""
        return sum(lam * level.value(energy, map=map) for lam, level, energy             # ()  (2)
                   in zip(self.level_weights.tolist(), self.levels, self.models(model)))

    def value_and_gradient(self, model: Any, *, map: Map = map) -> tuple[float, Any]:
        """The value and its gradient: of the type of theta, or a list of one for each energy."""
        value, gradients = 0, []
        for lam, level, energy in zip(self.level_weights.tolist(), self.levels, self.models(model)):
            J, gradient = level.value_and_gradient(energy, map=map)
            value = value + lam * J                                             # ()  (2)
            gradients.append(type(gradient)(*(lam * leaf for leaf in gradient)))      # (5)
        if isinstance(model, (list, tuple)):
            return value, gradients
        return value, type(model.theta)(*(sum(leaves) for leaves in zip(*gradients)))       # (4)

    def __repr__(self) -> str:
        (L, n, d) = self.x_noisy.shape
        return f"MultiLevelDenoising(levels={L}, n={n}, d={d})"
