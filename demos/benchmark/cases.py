"""The cases: one energy, one objective, one size; their data, and their bare matrix products."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

import refsm

SIGMA = 0.5          # of the energies
NOISE = 0.3          # of the corruption
CENTRES = 20000      # of the Parzen density
COMPONENTS = 5       # of the mixture

LARGE = {"continuous": [(20000, 64, 256), (5000, 784, 1000), (100000, 2, 64)],
         "experts": [(20000, 64, 64)],
         "dense": [(20000, 64, 0), (5000, 784, 0)], "Parzen": [(20000, 64, 0)],
         "binary": [(20000, 64, 128)], "visible": [(20000, 64, 0)]}
QUICK = {"continuous": [(2000, 16, 64), (5000, 3, 32)], "experts": [(2000, 16, 16)],
         "dense": [(2000, 16, 0)],
         "Parzen": [(1000, 5, 0)], "binary": [(500, 16, 32)], "visible": [(500, 16, 0)]}
TINY = {"continuous": [(40, 3, 5)], "experts": [(40, 3, 4)], "dense": [(40, 3, 0)],
        "Parzen": [(30, 3, 0)], "binary": [(40, 6, 5)], "visible": [(40, 6, 0)]}
SIZES = {"large": LARGE, "quick": QUICK, "tiny": TINY}

HIDDEN = ("autoencoder", "G-B RBM")
EXPERTS = {"log cosh": "logcosh", "Student": "student"}          # the experts of a product
WITH_W = (*HIDDEN, *EXPERTS, "binary RBM")                       # (m, d), in every product
ENERGIES = {"continuous": HIDDEN, "experts": tuple(EXPERTS), "dense": ("Gaussian", "mixture"),
            "Parzen": ("Parzen",), "binary": ("binary RBM",), "visible": ("Boltzmann",)}
OBJECTIVES = {"continuous": ["denoising", "autoencoder", "implicit", "regularized", "sliced"],
              "experts": ["denoising", "implicit"], "dense": ["denoising", "implicit"],
              "Parzen": ["score"],
              "binary": ["ratio", "pseudo-lik."], "visible": ["ratio", "pseudo-lik."]}


class Case(NamedTuple):
    """One energy and one objective at one size."""

    energy: str
    objective: str
    n: int
    d: int
    m: int

    def __str__(self) -> str:
        return f"{self.energy}, {self.objective}, n = {self.n}, d = {self.d}, m = {self.m}"


def cases(sizes: dict[str, list[tuple[int, int, int]]]) -> Iterator[Case]:
    """Every energy with its objectives, at each of its sizes."""
    for kind, energies in ENERGIES.items():
        for n, d, m in sizes[kind]:
            for energy in energies:
                for objective in OBJECTIVES[kind]:
                    width = COMPONENTS if energy == "mixture" else m
                    if (energy, objective) != ("G-B RBM", "autoencoder"):
                        yield Case(energy, objective, n, d, width)


def problem(case: Case) -> SimpleNamespace:
    """The data and the model of a case; what depends on the size alone is the same for all."""
    (energy, objective, n, d, m), rng = case, np.random.default_rng(0)
    binary = energy in ("binary RBM", "Boltzmann")
    x = rng.integers(0, 2, size=(n, d)).astype(float) if binary else rng.normal(size=(n, d))
    x_noisy = x + NOISE * rng.normal(size=(n, d))
    v = rng.choice([-1.0, 1.0], size=(n, 1, d))
    W, b, c = rng.normal(size=(m, d)) / np.sqrt(d), rng.normal(size=m), rng.normal(size=d)
    A = rng.normal(size=(d, d)) / np.sqrt(d)
    couplings = A + A.T - np.diag(np.diag(A + A.T))
    model = {
        "autoencoder": lambda: refsm.AutoencoderEnergy(W, b, c, sigma=SIGMA),
        "G-B RBM": lambda: refsm.GaussianBernoulliRBM(W, b, c, 0.1 * rng.normal(size=d)),
        **{name: lambda expert=expert: refsm.ProductOfExperts(W, 0.1 * b, expert)
           for name, expert in EXPERTS.items()},
        "Gaussian": lambda: refsm.Gaussian(c, np.eye(d) + A @ A.T),
        "mixture": lambda: refsm.GaussianMixture(np.full(m, 1 / m), W,
                                                 np.tile(np.eye(d), (m, 1, 1))),
        "Parzen": lambda: refsm.Parzen(rng.normal(size=(min(n, CENTRES), d)), 2.0),
        "binary RBM": lambda: refsm.BernoulliRBM(W, b, c),
        "Boltzmann": lambda: refsm.BoltzmannMachine(couplings, c),
    }[energy]()
    J = {
        "denoising": lambda: refsm.DenoisingScoreMatching(x, x_noisy, NOISE),
        "autoencoder": lambda: refsm.DenoisingAutoencoderLoss(x, x_noisy),
        "implicit": lambda: refsm.ImplicitScoreMatching(x),
        "regularized": lambda: refsm.RegularizedScoreMatching(x, 0.1),
        "sliced": lambda: refsm.SlicedScoreMatching(x, v),
        "score": lambda: None,
        "ratio": lambda: refsm.RatioMatching(x),
        "pseudo-lik.": lambda: refsm.PseudoLikelihood(x),
    }[objective]()
    evaluate = (lambda: model.score(x)) if J is None else (lambda: J.value_and_gradient(model))
    return SimpleNamespace(case=case, x=x, x_noisy=x_noisy, v=v[:, 0], model=model, objective=J,
                           evaluate=evaluate, bare=products(case, x, x_noisy, model))


def products(case: Case, x: np.ndarray, x_noisy: np.ndarray, model: Any,
             array: Callable[[np.ndarray], Any] = np.asarray) -> Callable[[], Any]:
    """The bare products of a case: to the activations, to the score, and the three backward.

    More where the objective needs more.  `array` makes a framework's arrays of those of a model
    with hidden units, so that the same products run in its own BLAS.
    """
    if case.energy in WITH_W:
        x, x_noisy, W, h = map(array, (x, x_noisy, model.W, np.zeros((case.n, case.m))))
        forth, back = (lambda y: y @ W.T), (lambda y: h.T @ y)
        if case.energy == "binary RBM":
            return lambda: (forth(x), back(x), back(x))                   # a; A'x, s'g
        more = {"regularized": lambda: (h @ W, forth(x), back(x)),
                "sliced": lambda: (forth(x), back(x))}.get(case.objective, lambda: None)
        # a; psi; p W', A'x, s'p
        return lambda: (forth(x_noisy), h @ W, forth(x), back(x_noisy), back(x), more())
    if case.energy == "Parzen":
        blocks = [x[k:k + 1000] for k in range(0, case.n, 1000)]
        return lambda: [(block @ model.centers.T) @ model.centers for block in blocks]
    square = np.eye(case.d)
    if case.energy == "mixture":                                          # for each component
        return lambda: [(x @ square, x @ square, x.T @ x) for _ in range(case.m)]    # P r, P p, r'p
    return lambda: (x @ square, x.T @ x_noisy)                            # P r; r'p
