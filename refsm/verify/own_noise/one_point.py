"""The law of the noise at one point alone: where draws cannot be shared, values have its law.

Symbols
    d dimensions, l of L levels (one, where a point has one), N draws, R replicates, K cases
    eps  (N, L, d)   noise of a law with the mean 0 and the covariance I
    q    (N,)        the loss of a case of one point, but for a constant
    C, b             of a residual, as in `affine`
    D    number      the largest difference of two distribution functions

Equations
    (1)  q = sum_l b_l' eps_l + 1/2 eps_l' C_l eps_l
    (2)  p = P( the largest |Brownian bridge| > D sqrt(R N / (R + N)) )
    (3)  p of K cases = P( chi^2_2K > -2 sum_k log p_k )

Derivation
    (1)  without its mean: that of the loss is known (`hypotheses`), and that of q is 1/2 tr C.
    (2)  the law of D between R and N values of one continuous law, to terms of 1 / sqrt(R).
    (3)  -2 log p is chi^2_2 where p is uniform.

Conventions
    A jitter of 1e-3 standard deviations makes the laws continuous.  A law that is GOOD is named
    where normal noise is BAD: another loss that is right in expectation (draws of a point in
    strata, a control variate) is like none of them.

Sources
    (2) Smirnov, 1939; (3) Fisher, 1925.
"""
from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Sequence

import numpy as np
from scipy import special

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.own_noise.hypotheses import affine, expectation
from refsm.verify.own_noise.moments import BAD, GOOD

__all__ = ["alone", "law_of_noise"]

N = 4000


def _sphere(rng: Any, shape: tuple[int, ...]) -> Array:
    v = rng.standard_normal(shape)
    return v * np.sqrt(shape[-1] / (v * v).sum(axis=-1, keepdims=True))


def _student(freedom: int, rng: Any, shape: tuple[int, ...]) -> Array:
    return rng.standard_t(freedom, shape) * np.sqrt(1 - 2 / freedom)


LAWS = {"normal noise": lambda rng, shape: rng.standard_normal(shape),
        "signs": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
        "uniform noise": lambda rng, shape: rng.uniform(-3**0.5, 3**0.5, shape),
        "Laplace's noise": lambda rng, shape: rng.laplace(0, 0.5**0.5, shape),
        "logistic noise": lambda rng, shape: rng.logistic(0, 3**0.5 / np.pi, shape),
        "noise of the length sqrt(d)": _sphere,
        **{f"Student's t with {k} degrees of freedom": partial(_student, k)
           for k in (3, 4, 5, 6, 8, 12)}}


def alone(asked: Sequence[Case]) -> list[Case]:
    """A dozen of the cases, with one point each, another one in turn."""
    several = OBJECTIVES[asked[0].objective].levels == "several"
    return [replace(case, arrays={
        name: a if several and name != "x" else a[k % case.n:][:1]
        for name, a in case.arrays.items()}) for k, case in enumerate(asked[::max(1, len(asked) // 12)])]


def law_of_noise(asked: Sequence[Case], values: Array, weight: str = "") -> tuple[float, list[str]]:
    """How probable replicates (K, R) of the canonical loss of cases of one point, with a weight of
    its levels, are under normal noise; where they are not, the two laws that they are most like."""
    rng = np.random.default_rng(0)
    p = {words: _fisher([_smirnov(of_case, _loss(case, weight, draw, rng), rng)
                         for case, of_case in zip(asked, values)]) for words, draw in LAWS.items()}
    normal = p.pop("normal noise")
    like = [words for words in sorted(p, key=lambda words: -p[words]) if p[words] >= GOOD]
    return normal, like[:2] if normal <= BAD else []


def _loss(case: Case, weight: str, draw: Any, rng: np.random.Generator) -> Array:
    """The loss of a case of one point with noise of a law, (N,)."""
    if case.objective == "dae":
        y = case.x + case.sigma * draw(rng, (N, case.d))
        return ((case.reconstruct(y) - case.x)**2).sum(axis=1)
    C, b = affine(case, weight).quadratic()
    eps = draw(rng, (N, *b.shape))
    q = (eps * (b + np.einsum("lij,qlj->qli", C, eps) / 2)).sum(axis=(1, 2))          # (N,)  (1)
    return q + expectation(case, weight) - np.einsum("lii->", C) / 2


def _smirnov(a: Array, b: Array, rng: np.random.Generator) -> float:
    """How probable two samples are of one law."""
    R, N = len(a), len(b)
    a, b = (np.sort(v + 1e-3 * b.std() * rng.standard_normal(len(v))) for v in (a, b))
    both = np.concatenate([a, b])
    D = np.abs(np.searchsorted(a, both, "right") / R - np.searchsorted(b, both, "right") / N).max()
    return float(special.kolmogorov(D * np.sqrt(R * N / (R + N))))                    # ()  (2)


def _fisher(p: Sequence[float]) -> float:
    """How probable K independent p are together."""
    return float(special.chdtrc(2 * len(p), -2 * np.log(np.maximum(p, 1e-300)).sum()))    # ()  (3)
