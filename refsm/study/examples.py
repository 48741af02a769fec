"""A worked example for each room: two points, d = 2, m = 3, numbers that one can follow.

The numbers are short, so that a line can be computed again by hand, and sigma is not 1, so that
sigma, sigma^2 and no factor at all differ.

`EXAMPLES` has, for the name of a room, a function that runs its formulas.
"""
from __future__ import annotations

import itertools
from typing import Any, Callable

import numpy as np

import refsm
from refsm import closed_forms
from refsm.checks.taylor import taylor_orders
from refsm.fit import unbounded
from refsm.study.verify_examples import VERIFY_EXAMPLES

__all__ = ["EXAMPLES"]

X = np.array([[0.5, -1.0], [2.0, 1.5]])
X_NOISY = X + np.array([[0.5, 0.25], [-0.5, 0.75]])
BITS = np.array([[1.0, 0.0], [1.0, 1.0]])
V = np.array([[[1.0, 1.0], [1.0, -1.0]], [[1.0, 0.0], [0.0, 2.0]]])
W = np.array([[1.0, 0.5], [-0.5, 1.0], [0.25, -1.0]])
B = np.array([0.1, -0.2, 0.3])
C = np.array([0.2, -0.4])
P = np.array([[2.0, 0.5], [0.5, 1.0]])
SIGMA = 0.5


def _autoencoder() -> Any:
    return refsm.AutoencoderEnergy(W, B, C, sigma=SIGMA)


def _gaussian() -> Any:
    return refsm.Gaussian(C, P)


def _mixture() -> Any:
    return refsm.GaussianMixture([0.25, 0.75], [[-1.0, 0.0], [1.0, 0.5]], [P, np.eye(2)])


def _rbm() -> Any:
    return refsm.BernoulliRBM(W, B, C)


def quantities(model: Any) -> None:
    """Every local quantity at the two points, and the pullback of a cotangent on each."""
    n = np.array([1.0, 2.0])
    if "gap" in model.quantities:
        model.energy(BITS), model.energy_gap(BITS)
        model.pullback(BITS, energy=n, gap=X_NOISY)
        return
    model.energy(X), model.score(X), model.score_jacobian(X), model.score_divergence(X)
    model.score_jacobian_diagonal(X), model.score_curvature(X, V)
    if model.theta:
        model.pullback(X, energy=n, score=X_NOISY, divergence=n / 2, diagonal=X_NOISY / 2,
                       curvature=(V, np.array([[1.0, 0.5], [0.25, 2.0]])))


def _loss(*objectives: Any, model: Callable[[], Any] = _autoencoder) -> None:
    for J in objectives:
        J.value_and_gradient(model())


def _densities() -> None:
    quantities(_gaussian())
    _gaussian().log_density(X), _gaussian().sample(2, np.random.default_rng(0))
    _gaussian().covariance


def _mixtures() -> None:
    quantities(_mixture())
    _mixture().mean, _mixture().covariance, _mixture().log_density(X)
    _mixture().with_theta(_mixture().theta)


def _parzen() -> None:
    parzen = refsm.Parzen(X_NOISY, SIGMA)
    quantities(parzen)
    parzen.posterior_mean(X), parzen.posterior_covariance(X), parzen.log_density(X)
    refsm.Parzen(X_NOISY, 1e-4).score(X)                # centres far apart: an origin per point


def _experts() -> None:
    for expert in ("logcosh", "student"):
        quantities(refsm.ProductOfExperts(W, B, expert))


def _polynomial() -> Any:
    return refsm.PolynomialEnergy([-0.5, -1.0, 0.25], [[2, 0], [0, 2], [1, 1]])


def _machine() -> None:
    quantities(refsm.BoltzmannMachine([[0.0, 0.5], [0.5, 0.0]], C))


def _rbms() -> None:
    quantities(_rbm())
    quantities(refsm.BernoulliRBM(W / 8, B, C))
    quantities(refsm.BernoulliRBM(16 * W, B, C))        # a weight that saturates its unit


def _corrupted() -> None:
    noises = refsm.ScaledCorruption(0.8, SIGMA), refsm.CovarianceCorruption(P)
    for base, noise in itertools.product((_gaussian(), _mixture()), noises):
        quantities(base.corrupted(noise))


def _corrupted_parzen() -> None:
    for noise in (refsm.ScaledCorruption(0.8, SIGMA), refsm.CovarianceCorruption(P)):
        quantities(refsm.Parzen(X_NOISY, SIGMA).corrupted(noise))


def _noises() -> list[Any]:
    return [refsm.GaussianCorruption(SIGMA), refsm.DiagonalCorruption([0.5, 2.0]),
            refsm.CovarianceCorruption(P), refsm.ScaledCorruption(0.8, SIGMA)]


def _corruption() -> None:
    for noise in _noises():
        noise.noisy(X, V[:, 0]), noise.target(X_NOISY, X), noise.covariance_times(V[:, 0])
    refsm.CovarianceCorruption(P).L, refsm.CovarianceCorruption(P).P


def _levels() -> None:
    x_noisy = np.stack([X_NOISY, X + 1])
    J = refsm.MultiLevelDenoising(X, x_noisy, [0.5, 2.0], level_weights=[0.25, 4.0])
    _loss(J, model=_gaussian)
    J.per_sample(_gaussian()), J.value(_gaussian()), J.evaluate(score=-x_noisy)
    J.forward(_gaussian())
    J.value_and_gradient([_gaussian(), _gaussian()])


def _predictions() -> None:
    for predict in ("score", "noise", "clean", "velocity", "flow", "edm"):
        noise = refsm.ScaledCorruption(1.0 if predict == "edm" else 0.8, 0.5)
        more = {"data_sd": 0.7} if predict == "edm" else {}
        _loss(refsm.PredictionLoss(X, X_NOISY, noise, predict=predict, **more), model=_gaussian)


def _prediction_kinds() -> None:
    noise = refsm.ScaledCorruption(1.0, 0.5)
    for kind in ("score", "noise", "clean", "velocity", "flow", "edm"):
        more = {"data_sd": 0.7} if kind == "edm" else {}
        refsm.predictions.factor(kind, noise, **more)
        refsm.predictions.convert(X, X_NOISY, noise, source=kind, target="score", **more)


def _sliced() -> None:
    from refsm.objectives.sliced import ExplicitSlicedScoreMatching
    _loss(refsm.SlicedScoreMatching(X, V), ExplicitSlicedScoreMatching(X, C - X, V),
          refsm.SlicedScoreMatching(X, V, variance_reduced=True))


def _score_matching() -> None:
    _loss(refsm.ExplicitScoreMatching(X, C - X), refsm.ImplicitScoreMatching(X),
          refsm.RegularizedScoreMatching(X, 0.25))


def _parzen_matching() -> None:
    _loss(refsm.ParzenExplicitScoreMatching(X, X_NOISY, SIGMA),
          refsm.ParzenImplicitScoreMatching(X_NOISY))


def _expectations() -> None:
    from refsm import expectations as of
    noise = refsm.ScaledCorruption(0.8, 0.5)
    of.trapezoid(_gaussian(), 3), of.gauss_hermite(_gaussian(), 2), of.trapezoid(_mixture(), 3)
    of.box(C, C + 1, 2), of.expectation(lambda x: x**2, _gaussian())
    of.noisy_pairs(X, noise, 3), of.noisy_density(_gaussian(), noise, 3)


def _checked() -> None:
    refsm.check_model(_autoencoder(), X)
    refsm.check_objective(refsm.ImplicitScoreMatching(X), _autoencoder())
    refsm.check_model(_rbm(), BITS)
    taylor_orders(lambda x: np.exp(x).sum(), np.exp, C, lambda x: np.diag(np.exp(x)))


def _denoiser() -> None:
    refsm.tweedie(_gaussian(), X_NOISY, refsm.GaussianCorruption(SIGMA))
    refsm.tweedie_covariance(_gaussian(), X_NOISY, refsm.GaussianCorruption(SIGMA))


def _descent() -> None:
    refsm.gradient_descent(refsm.ImplicitScoreMatching(X), _gaussian(), steps=2, rate=0.05,
                           momentum=0.5, progress=False)
    refsm.gradient_descent(refsm.ImplicitScoreMatching(X), _gaussian(), steps=1, rate=0.05,
                           batch_size=1, rng=np.random.default_rng(0), progress=False)


def _minimized() -> None:
    refsm.minimize(refsm.RegularizedScoreMatching(X, 0.25), _gaussian(), progress=False)


def _unbounded() -> None:
    unbounded.fall(lambda theta: -theta[0], C, C)
    unbounded.fall(lambda theta: np.log(1 - theta[0]), C, C)    # defined up to theta = 1
    unbounded.collapse(np.array([-1e9, -1.0, 2.0]), np.ones(3))


def _barrier() -> None:
    refsm.minimize(refsm.ImplicitScoreMatching(X_NOISY), _mixture(), options={"maxiter": 3},
                   progress=False)


def _closed_forms() -> None:
    refsm.closed_form(refsm.ImplicitScoreMatching(X), _polynomial())
    nodes = refsm.expectations.box(C - 3, C + 3, 3)
    closed_forms.fisher_information(_polynomial(), *nodes)


def _flow() -> None:
    refsm.probability_flow(_gaussian(), [0.5, 1.0], X)


def _enumerated() -> None:
    refsm.enumeration.log_partition(_rbm()), refsm.enumeration.probabilities(_rbm())
    refsm.enumeration.log_likelihood(_rbm(), BITS)
    refsm.enumeration.log_likelihood_gradient(_rbm(), BITS)


def _directions() -> None:
    rng = np.random.default_rng(0)
    for of in (refsm.directions.gaussian, refsm.directions.signs, refsm.directions.sphere):
        of(2, 3, 2, rng)
    refsm.directions.frames(2, 2, rng), refsm.directions.all_signs(2, 2)
    refsm.directions.coordinate_frame(2, 2)


def _activations() -> None:
    from refsm.activations import RATIONAL, SOFTPLUS
    a = np.array([[-1.0, 0.5], [2.0, 0.25]])
    for f in (SOFTPLUS, RATIONAL):
        s, _ = f.first_two(a)
        f.f(a), f.half_decay(a, s)


def _gibbs() -> None:
    refsm.gibbs(_rbm(), BITS, 1, np.random.default_rng(0))
    refsm.block_gibbs(_rbm(), BITS, 1, np.random.default_rng(0))


def _annealed() -> None:
    from refsm.annealed import annealed_steps
    steps = annealed_steps([2.0, 0.5], 0.05)
    refsm.annealed_langevin([_gaussian(), _gaussian()], X, steps, 2, np.random.default_rng(0))


def _schedules() -> None:
    refsm.schedules.variance_exploding(0.5, 2.0, 3), refsm.schedules.variance_preserving(3)
    refsm.schedules.linear_flow([0.25, 0.75]), refsm.schedules.edm(0.5, 2.0, 3)


def _rounding() -> None:
    from refsm.theorems.rounding import autoencoder_bounds
    autoencoder_bounds(_autoencoder(), X, X_NOISY)


def _limits() -> None:
    from refsm.theorems import limits
    h = 0.5 ** np.arange(6)
    limits.limit(np.sin(h) / h), limits.exponent(1 - np.sin(h) / h)
    limits.gradient(_gaussian().energy, X)


EXAMPLES: dict[str, Callable[[], Any]] = {
    "activations": _activations,
    "corruption": _corruption,
    "denoiser": _denoiser,
    "fit/descent": _descent,
    "directions": _directions,
    "energies/autoencoder": lambda: quantities(_autoencoder()),
    "energies/bernoulli_rbm": _rbms,
    "energies/boltzmann_machine": _machine,
    "energies/corrupted": _corrupted,
    "energies/corrupted_parzen": _corrupted_parzen,
    "energies/experts": _experts,
    "energies/gaussian": _densities,
    "energies/gaussian_bernoulli_rbm":
        lambda: quantities(refsm.GaussianBernoulliRBM(W, B, C, np.array([-0.5, 0.25]))),
    "energies/mixture": _mixtures,
    "energies/parzen": _parzen,
    "energies/polynomial": lambda: quantities(_polynomial()),
    "enumeration": _enumerated,
    "expectations": _expectations,
    "objectives/denoising": lambda: _loss(refsm.DenoisingScoreMatching(X, X_NOISY, SIGMA)),
    "objectives/denoising_autoencoder": lambda: _loss(refsm.DenoisingAutoencoderLoss(X, X_NOISY)),
    "objectives/generalized":
        lambda: _loss(refsm.GeneralizedScoreMatching(abs(X), X**2, 2 * abs(X))),
    "objectives/minimum_probability_flow":
        lambda: _loss(refsm.MinimumProbabilityFlow(BITS), model=_rbm),
    "objectives/multi_level": _levels,
    "objectives/parzen_score_matching": _parzen_matching,
    "objectives/prediction": _predictions,
    "objectives/pseudo_likelihood": lambda: _loss(refsm.PseudoLikelihood(BITS), model=_rbm),
    "objectives/ratio_matching": lambda: _loss(refsm.RatioMatching(BITS), model=_rbm),
    "objectives/score_matching": _score_matching,
    "objectives/sliced": _sliced,
    "closed_forms": _closed_forms,
    "predictions": _prediction_kinds,
    "sampling": lambda: refsm.langevin(_gaussian(), X, 0.1, 2, np.random.default_rng(0)),
    "annealed": _annealed,
    "gibbs_sampling": _gibbs,
    "flow": _flow,
    "fit/rounds": _minimized,
    "fit/barrier": _barrier,
    "fit/scaling": _minimized,
    "fit/newton": _minimized,
    "fit/unbounded": _unbounded,
    "schedules": _schedules,
    "checks/differences": _checked,
    "checks/gradient": _checked,
    "checks/model": _checked,
    "checks/objective": _checked,
    "checks/probe": _checked,
    "checks/taylor": _checked,
    "checks/verdict": _checked,
    "theorems/rounding": _rounding,
    "theorems/limits": _limits,
    **VERIFY_EXAMPLES,
}
