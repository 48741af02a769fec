"""What an implementation that draws its own noise may compute, and the exact expectations.

Symbols
    n points, i dimensions (d), q nodes of a rule for the noise (Q).
    x        (n, d)      points
    eps      (Q, d)      nodes for standard normal noise;  w (Q,) their weights
    psi      function    the model's score; J its Jacobian
    sigma    number      standard deviation of the noise
    v: a random direction;  S = E v v'

Equations
    (1)  expectation = mean over points of sum_q w_q term(x_n, eps_q)
    (2)  E v'J v = tr(S J) and E (v.psi)^2 = psi' S psi

Derivation
    (1)  The terms of denoising score matching are quadratic in eps where psi is affine: E eps = 0
         and E eps eps' = I are all that enters, and the 2^d sign vectors with equal weights have
         these moments, so the sum is the expectation, exactly.  For the autoencoder's loss, a
         smooth function of eps, the nodes are those of a tensor Gauss-Hermite rule in d = 3.
    (2)  v'J v and (v.psi)^2 are linear in v v'.  Signs, Gaussians, and points of a sphere of radius
         sqrt(d) have S = I; unit vectors I / d; uniform numbers in [0, 1) I / 12 + 1 1' / 4.

Conventions
    A hypothesis is a structure ("" for the right one) times a factor.

Sources
    Ours; (2) with S = I is sliced score matching's unbiasedness (Song et al., UAI 2019).
"""
from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Callable, Iterator

import numpy as np

from refsm.stable import sigmoid
from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.quantities import Quantities
from refsm.verify.diagnosis.scaling import ONE, Scaling, parse_scaling
from refsm.verify.objectives import OBJECTIVES

__all__ = ["DRAWING", "Hypothesis", "hypotheses", "sizes_of"]

NODES = 16                                       # per dimension, of the Gauss-Hermite rule
FACTORS = ("1", "2", "1 / 2", "1 / d", "2 / d", "1 / (2 d)", "sigma^2", "2 sigma^2", "sigma^2 / d",
           "2 sigma^2 / d", "sigma^4", "2 sigma^4", "1 / (2 sigma^4)", "sigma", "2 sigma", "n",
           "2 n", "n / 2", "1 / n", "M", "1 / M", "-1")


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A structure ("" for the right one) times a factor, and the values expected of it."""

    mistake: str
    factor: Scaling
    expected: Array          # (K,)

    def __str__(self) -> str:
        factor = "" if self.factor == ONE else f"{self.factor} times "
        loss = f"the loss with this mistake: {self.mistake}" if self.mistake else ""
        return factor + (loss or "the canonical loss")


def hypotheses(objective: str, asked: list[Case], meant: Scaling = ONE) -> list[Hypothesis]:
    """Every structure times every factor, what is meant among them, and what is expected."""
    of_case = [dict(STRUCTURES.get(objective, _as_it_is)(case)) for case in asked]
    sizes = [sizes_of(case) for case in asked]
    factors = [factor for factor in dict.fromkeys([*map(parse_scaling, FACTORS), meant])
               if {name for name, _ in factor.powers} <= set(sizes[0])]
    (mistakes,) = {tuple(values) for values in of_case}
    return [Hypothesis(mistake, factor, np.array([factor(size) * values[mistake]
                                                  for size, values in zip(sizes, of_case)]))
            for mistake in mistakes for factor in factors]


def sizes_of(case: Case) -> dict[str, float]:
    """The sizes on which a factor may depend."""
    M = {"M": case.hyper["n_directions"]} if "n_directions" in case.hyper else {}
    return {"d": case.d, "n": case.n, **M,
            **{name: size for name, size in case.hyper.items() if name != "n_directions"}}


def _as_it_is(case: Case) -> Iterator[tuple[str, float]]:
    """(mistake, expectation) for an objective that has no randomness: of a random choice of points,
    bits or directions that is unbiased, its value is the expectation."""
    q = Quantities(case)
    means = {term.name: float(np.mean(term.per_sample(q)))
             for term in OBJECTIVES[case.objective].all_terms}
    value = sum(means.values())
    yield "", value
    for name, mean in means.items() if len(means) > 1 else ():
        yield f"{name} is left out", value - mean
        yield f"{name} has the opposite sign", value - 2 * mean
        yield f"{name} is doubled", value + mean


def _parzen_implicit(case: Case) -> Iterator[tuple[str, float]]:
    """(mistake, expectation) for implicit score matching at noisy points, with an affine score."""
    x, sigma, A = case.x, case.sigma, -case.params["precision"]
    psi, trace = case.score(x), float(np.trace(A))
    clean, wide = float((psi * psi).sum(axis=1).mean()) / 2, float((A * A).sum()) / 2
    norm = clean + sigma**2 * wide                                                # number  (1)
    yield "", norm + trace
    yield "the divergence is left out", norm
    yield "the divergence has the opposite sign", norm - trace
    yield "the norm has lost its 1/2", 2 * norm + trace
    yield "no noise is added", clean + trace
    yield "the noise has standard deviation sigma^2 in place of sigma", (
        clean + sigma**4 * wide + trace)
    yield "the noise has standard deviation 1 in place of sigma", clean + wide + trace


def _denoising(case: Case) -> Iterator[tuple[str, float]]:
    """(mistake, expectation) for denoising score matching with an affine score."""
    x, sigma, psi = case.x, case.sigma, case.score
    eps = np.array(list(product([-1.0, 1.0], repeat=case.d)))
    w = np.full(len(eps), 1 / len(eps))
    constant = case.d / (2 * sigma**2)

    def expected(term: Callable[[Array, Array], Array]) -> float:
        return float(np.mean([w @ term(point, eps) for point in x]))                # number  (1)

    def residual(width: float, target: float, middle: float = 0.0) -> float:
        """E 1/2 |psi(x + width e) - target e|^2 for e = eps + middle."""
        def term(point: Array, eps: Array) -> Array:
            e = eps + middle
            return _half_square(psi(point + width * e) - target * e)
        return expected(term)

    right = residual(sigma, -1 / sigma)
    yield "", right
    yield "the target has the opposite sign", residual(sigma, 1 / sigma)
    yield "the score is read at the clean point", residual(0.0, -1 / sigma)
    yield "the target is divided by sigma in place of sigma^2", residual(sigma, -1.0)
    yield "the target is the noise itself, with its sign", residual(sigma, 1.0)
    yield "the target is not divided by sigma^2", residual(sigma, -sigma)
    yield "the noise has standard deviation sigma^2 in place of sigma", residual(sigma**2, -1.0)
    yield ("the noise has standard deviation sigma^2, the target is noise / sigma",
           residual(sigma**2, -1 / sigma))
    yield ("the noise has standard deviation 1 in place of sigma", residual(1.0, -1 / sigma**2))
    yield ("the noise has standard deviation 1, the target is noise / sigma",
           residual(1.0, -1 / sigma))
    yield ("the noise has standard deviation sqrt(sigma), the variance for sigma",
           residual(sigma**0.5, -sigma**-1.5))
    yield ("the target has noise of its own, drawn a second time",
           expected(lambda point, e: _half_square(psi(point + sigma * e))) + constant)
    yield "the constant |target|^2 / 2 is left out", right - constant
    yield "the target is left out", residual(sigma, 0.0)
    for words, width, middle in (("[-1, 1]", 3**-0.5, 0.0), ("[0, 1]", 12**-0.5, 0.5)):
        yield (f"the noise is uniform in {words} in place of normal",
               residual(sigma * width, -width / sigma, middle / width))


def _autoencoder(case: Case) -> Iterator[tuple[str, float]]:
    """(mistake, expectation) for the denoising autoencoder's loss, by Gauss-Hermite."""
    theta, x, sigma = case.theta, case.x, case.sigma
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    eps = np.array(list(product(nodes, repeat=case.d)))
    w = np.prod(list(product(weights / weights.sum(), repeat=case.d)), axis=1)

    def expected(width: float, against: float = 0.0, clean: float = 1.0) -> float:
        """E |output(x + width e) - (clean x + against e)|^2."""
        total = 0.0
        for point in x:
            hidden = sigmoid((point + width * eps) @ theta["W"].T + theta["b"])
            output = hidden @ theta["W"] + theta["c"]
            total += w @ (2 * _half_square(output - clean * point - against * eps))
        return float(total / len(x))                                                # number  (1)

    yield "", expected(sigma)
    yield "the output is compared with the noisy point", expected(sigma, sigma)
    yield "the output is compared with the noise", expected(sigma, 1.0, 0.0)
    yield "the noise has standard deviation sigma^2 in place of sigma", expected(sigma**2)
    yield "the noise has standard deviation 1 in place of sigma", expected(1.0)
    yield ("the noise has standard deviation sqrt(sigma), the variance for sigma",
           expected(sigma**0.5))
    yield ("the encoder sees the clean point, the output is compared with the noisy one",
           expected(0.0, sigma))


def _sliced(case: Case) -> Iterator[tuple[str, float]]:
    """(mistake, expectation) for sliced score matching, on any model, equation (2)."""
    x, d = case.x, case.d
    psi, J = case.score(x), case.score_jacobian(x)
    trace = float(np.einsum("nii->n", J).mean())                         # number  (2) with S = I
    whole = float(J.sum(axis=(1, 2)).mean())                             # number  (2) with S = 1 1'
    square, total = float((psi * psi).sum(axis=1).mean()), float((psi.sum(axis=1)**2).mean())
    uniform, uniform_norm = trace / 12 + whole / 4, square / 12 + total / 4
    yield "", trace + square / 2
    yield "v' J v has the opposite sign", -trace + square / 2
    yield "v' J v is left out", square / 2
    yield ("v' J v is halved, or the norm has lost its 1/2 and all is halved",
           trace / 2 + square / 2)
    yield "the norm has lost its 1/2", trace + square
    yield "the norm is left out", trace
    yield "the norm has the opposite sign", trace - square / 2
    yield "directions of unit length", (trace + square / 2) / d
    yield "directions of unit length, and |psi|^2 as it is", trace / d + square / 2
    yield "directions uniform in [0, 1]", uniform + uniform_norm / 2
    yield "directions uniform in [0, 1], and |psi|^2 as it is", uniform + square / 2
    yield "directions uniform in [-1, 1], and |psi|^2 as it is", trace / 3 + square / 2
    yield "directions uniform in [-1, 1]", (trace + square / 2) / 3
    yield "the whole Jacobian is summed", whole + square / 2


STRUCTURES: dict[str, Callable[[Case], Iterator[tuple[str, float]]]] = {
    "dsm": _denoising, "dae": _autoencoder, "ssm": _sliced, "ssm_vr": _sliced,
    "parzen_ism": _parzen_implicit}
DRAWING = tuple(name for name, about in OBJECTIVES.items()       # whose expectations are known
                if name in STRUCTURES or not about.random)


def _half_square(r: Array) -> Array:
    return (r * r).sum(axis=-1) / 2
