"""The law of the noise at one point alone, where no draws are shared.

Symbols
    d dimensions, l of L levels (one, where a point has one), R replicates, N = 5 R / 2 draws,
    K cases
    eps  (N, L, d)   noise of a law with the mean 0 and the covariance I
    D    number      the largest difference of two distribution functions

Equations
    (1)  p = P( the largest |Brownian bridge| > D sqrt(R N / (R + N)) )
    (2)  p of K cases = P( chi^2_2K > -2 sum_k log p_k )

Derivation
    (1)  the law of D between R and N values of one continuous law, to terms of 1 / sqrt(R).
    (2)  -2 log p is chi^2_2 where p is uniform.

Conventions
    A jitter of 1e-3 standard deviations makes the laws continuous.  A law that is GOOD is named
    where normal noise is BAD: another loss that is right in expectation (draws of a point in
    strata, a control variate) is like none of them.

Sources
    (1) Smirnov, 1939; (2) Fisher, 1925.
"""
from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Callable, Sequence

import numpy as np
from scipy import special

from refsm.typing import Array
from refsm.verify.adapters.ask import AdapterError
from refsm.verify.cases.case import Case
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.own_noise.hypotheses import Hypothesis, affine, sizes_of
from refsm.verify.own_noise.moments import BAD, GOOD

__all__ = ["alone", "at_one_point", "law_of_noise"]

LEAST = 1600               # replicates of a case of one point
UNCLEAR = 0.05             # a probability of normal noise: asked again of more replicates


def _sphere(rng: Any, shape: tuple[int, ...]) -> Array:
    v = rng.standard_normal(shape)
    return v * np.sqrt(shape[-1] / (v * v).sum(axis=-1, keepdims=True))


def _student(freedom: int, rng: Any, shape: tuple[int, ...]) -> Array:
    return rng.standard_t(freedom, shape) * np.sqrt(1 - 2 / freedom)


LAWS = {"normal noise": lambda rng, shape: rng.standard_normal(shape),
        "signs": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
        "uniform noise": lambda rng, shape: rng.uniform(-3**0.5, 3**0.5, shape),
        "Laplace's noise": lambda rng, shape: rng.laplace(0, 0.5**0.5, shape),
        "noise of the length sqrt(d)": _sphere,
        **{f"Student's t with {k} degrees of freedom": partial(_student, k)
           for k in (3, 4, 5, 6, 8, 12)}}


def alone(asked: Sequence[Case]) -> list[Case]:
    """A dozen of the cases, with one point each, another one in turn; an autoencoder's c is such
    that x + sigma / 2 is reconstructed as x."""
    several = OBJECTIVES[asked[0].objective].levels == "several"
    single = [replace(case, arrays={name: a if several and name != "x" else a[k % case.n:][:1]
                                    for name, a in case.arrays.items()})
              for k, case in enumerate(asked[::max(1, len(asked) // 12)])]
    if asked[0].objective != "dae":
        return single
    return [replace(case, theta={**case.theta, "c": case.theta["c"] + off[0]}) for case in single
            for off in [case.x - case.reconstruct(case.x + case.sigma / 2)]]


def at_one_point(asked: list[Case], loss: Hypothesis, replicate: Callable[..., Array] | None,
                 R: int) -> tuple[float, list[str], str]:
    """How probable normal noise is at one point alone (nan where it is not asked), what other noise
    it is like, and why it could not be asked."""
    if replicate is None or OBJECTIVES[asked[0].objective].random != "noise":
        return np.nan, [], ""                                  # any law of directions is right
    single = alone(asked)
    scale = np.array([[loss.factor(sizes_of(case))] for case in single])                # (K, 1)
    for times in (1, 4):                           # again, with others, where the first are unclear
        try:
            values = replicate(single, times * max(R, LEAST))
        except AdapterError as error:
            return np.nan, [], str(error)
        p, noise = law_of_noise(single, values / scale, loss.weight)
        if not BAD < p < UNCLEAR:
            break
    return p, noise, ""


def law_of_noise(asked: Sequence[Case], values: Array, weight: str = "") -> tuple[float, list[str]]:
    """How probable replicates (K, R) of the canonical loss of cases of one point, with a weight of
    its levels, are under normal noise; where they are not, the two laws that they are most like."""
    rng, N, p = np.random.default_rng(0), 5 * values.shape[1] // 2, {}
    for words, draw in LAWS.items():
        each = [_smirnov(of_case, _loss(case, weight, draw, N, rng), rng)
                for case, of_case in zip(asked, values)]
        log_p = np.log(np.maximum(each, 1e-300)).sum()
        p[words] = float(special.chdtrc(2 * len(each), -2 * log_p))                   # ()  (2)
    normal, *others = sorted(p, key=lambda words: (words != "normal noise", -p[words]))
    return p[normal], [words for words in others[:2] if p[words] >= GOOD and p[normal] <= BAD]


def _loss(case: Case, weight: str, draw: Any, N: int, rng: np.random.Generator) -> Array:
    """The loss of a case of one point with noise of a law, (N,)."""
    if case.objective == "dae":
        y = case.x + case.sigma * draw(rng, (N, case.d))
        return ((case.reconstruct(y) - case.x)**2).sum(axis=1)
    loss = affine(case, weight)
    a, G = loss.residual()
    eps = draw(rng, (N, *a.shape))                                                    # (N, L, d)
    r = a + np.einsum("lij,qlj->qli", G, eps)
    divergence = case.score_divergence(case.x)[0] if case.objective == "parzen_ism" else 0.0
    return loss.half * (r * r).sum(axis=2) @ loss.weight + divergence


def _smirnov(a: Array, b: Array, rng: np.random.Generator) -> float:
    """How probable two samples are of one law."""
    a, b = (np.sort(v + 1e-3 * b.std() * rng.standard_normal(len(v))) for v in (a, b))
    F, G = (np.searchsorted(v, np.concatenate([a, b]), "right") / len(v) for v in (a, b))
    D = np.abs(F - G).max()
    return float(special.kolmogorov(D / np.sqrt(1 / len(a) + 1 / len(b))))            # ()  (1)
