"""Random wrong arguments over every public name: a result, or one sentence.

Each call is right but for one or two arguments.  It may give a result, or raise ValueError or
TypeError of one line (a descent and a walk also DescentError and FloatingPointError, a file
OSError, as documented); it gives no warning and changes no array that it is given.
"""
import warnings
from fractions import Fraction

import numpy as np
import pytest

import refsm

N, D, M = 7, 3, 5
RNG = np.random.default_rng(0)
X, NOISE = RNG.standard_normal((N, D)), RNG.standard_normal((N, D))
X_NOISY, BITS = X + 0.37 * NOISE, (X > 0).astype(float)
W, B, C = RNG.standard_normal((M, D)), RNG.standard_normal(M), RNG.standard_normal(D)
P = np.array([[2.0, 0.3, -0.1], [0.3, 1.2, 0.4], [-0.1, 0.4, 0.9]])
COUPLINGS = P - np.diag(np.diag(P))
WEIGHTS, V = RNG.random(N), RNG.standard_normal((N, 2, D))

GAUSSIAN = refsm.Gaussian(C, P)
AUTOENCODER = refsm.AutoencoderEnergy(W, B, C, sigma=0.61)
MIXTURE = refsm.GaussianMixture([0.4, 0.6], X[:2], np.stack([P, P]))
MACHINE, BOLTZMANN = refsm.BernoulliRBM(W, B, C), refsm.BoltzmannMachine(COUPLINGS, C)
PARZEN = refsm.Parzen(X, 0.37)
J = refsm.ImplicitScoreMatching(X)
SLICED = refsm.SlicedScoreMatching(X, V)
MODELS = [GAUSSIAN, AUTOENCODER, MIXTURE, PARZEN, MACHINE, BOLTZMANN]


def square(x):
    with np.errstate(over="ignore"):
        return (x * x).sum() / 2


def identity(x):
    return x


CALLS = {
    "Gaussian": (refsm.Gaussian, dict(mean=C, precision=P)),
    "AutoencoderEnergy": (refsm.AutoencoderEnergy, dict(W=W, b=B, c=C, sigma=0.61)),
    "GaussianBernoulliRBM": (refsm.GaussianBernoulliRBM, dict(W=W, b=B, c=C, log_sigma=C / 9)),
    "GaussianMixture": (refsm.GaussianMixture,
                        dict(weights=[0.4, 0.6], means=X[:2], covariances=np.stack([P, P]))),
    "Parzen": (refsm.Parzen, dict(centers=X, sigma=0.37)),
    "BernoulliRBM": (refsm.BernoulliRBM, dict(W=W, b=B, c=C)),
    "BoltzmannMachine": (refsm.BoltzmannMachine, dict(W=COUPLINGS, b=C)),
    "GaussianCorruption": (refsm.GaussianCorruption, dict(sigma=0.37)),
    "CovarianceCorruption": (refsm.CovarianceCorruption, dict(covariance=P)),
    "ScaledCorruption": (refsm.ScaledCorruption, dict(alpha=0.8, sigma=0.37)),
    "ExplicitScoreMatching": (refsm.ExplicitScoreMatching,
                              dict(x=X, data_score=NOISE, weights=WEIGHTS)),
    "ImplicitScoreMatching": (refsm.ImplicitScoreMatching, dict(x=X, weights=WEIGHTS)),
    "RegularizedScoreMatching": (refsm.RegularizedScoreMatching,
                                 dict(x=X, strength=0.1, weights=WEIGHTS)),
    "ParzenExplicitScoreMatching": (refsm.ParzenExplicitScoreMatching,
                                    dict(x=X, x_noisy=X_NOISY, sigma=0.37, weights=WEIGHTS)),
    "ParzenImplicitScoreMatching": (refsm.ParzenImplicitScoreMatching,
                                    dict(x_noisy=X_NOISY, weights=WEIGHTS)),
    "DenoisingScoreMatching": (refsm.DenoisingScoreMatching,
                               dict(x=X, x_noisy=X_NOISY, corruption=0.37, weights=WEIGHTS)),
    "DenoisingAutoencoderLoss": (refsm.DenoisingAutoencoderLoss,
                                 dict(x=X, x_noisy=X_NOISY, weights=WEIGHTS)),
    "SlicedScoreMatching": (refsm.SlicedScoreMatching,
                            dict(x=X, directions=V, weights=WEIGHTS)),
    "RatioMatching": (refsm.RatioMatching, dict(x=BITS, weights=WEIGHTS)),
    "PseudoLikelihood": (refsm.PseudoLikelihood, dict(x=BITS, weights=WEIGHTS)),
    "StreamedObjective": (refsm.StreamedObjective, dict(parts=[J, J])),
    "tweedie": (refsm.tweedie, dict(density=MIXTURE, x_noisy=X, corruption=0.37)),
    "tweedie_covariance": (refsm.tweedie_covariance,
                           dict(density=MIXTURE, x_noisy=X, corruption=0.37)),
    "langevin": (refsm.langevin, dict(model=GAUSSIAN, x=X, step=0.01, steps=3,
                                      rng=np.random.default_rng(1))),
    "ascend_score": (refsm.ascend_score, dict(model=GAUSSIAN, x=X, step=0.01, steps=3)),
    "gradient_descent": (refsm.gradient_descent,
                         dict(J=J, model=GAUSSIAN, steps=2, rate=0.01, momentum=0.1,
                              batches=[[0, 1], [2]], callback=None, progress=False)),
    "gradient_descent in drawn batches": (
        refsm.gradient_descent, dict(J=J, model=GAUSSIAN, steps=2, rate=0.01, batch_size=3,
                                     rng=np.random.default_rng(2))),
    "minimize": (refsm.minimize, dict(J=J, model=GAUSSIAN, method="L-BFGS-B", callback=None,
                                      bounds=None, tol=0.1, options={"maxiter": 2},
                                      progress=False)),
    "check_gradient": (refsm.check_gradient, dict(f=square, gradient=identity, x=C, accuracy=1e-6,
                                                  rng=None, complex_step=None, scale=None)),
    "check_jacobian": (refsm.check_jacobian, dict(f=identity, jacobian=np.eye(D), x=C)),
    "check_model": (refsm.check_model, dict(model=GAUSSIAN, x=X[:2], accuracy=1e-6)),
    "check_objective": (refsm.check_objective, dict(J=J, model=GAUSSIAN, accuracy=1e-6)),
    "J.value": (J.value, dict(model=GAUSSIAN)),
    "J.per_sample": (J.per_sample, dict(model=GAUSSIAN)),
    "J.value_and_gradient": (J.value_and_gradient, dict(model=GAUSSIAN)),
    "J.take": (J.take, dict(rows=[0, 2])),
    "J.evaluate": (J.evaluate, dict(score=X, divergence=B[:1].repeat(N))),
    "SLICED.evaluate": (SLICED.evaluate, dict(score=X, curvature=V[:, :, 0])),
    "Gaussian.pullback": (GAUSSIAN.pullback, dict(x=X, energy=WEIGHTS, score=X, divergence=WEIGHTS,
                                                  diagonal=X, curvature=(V, V[:, :, 0]))),
    "Gaussian.score_curvature": (GAUSSIAN.score_curvature, dict(x=X, v=V)),
    "Gaussian.sample": (GAUSSIAN.sample, dict(n=3, rng=np.random.default_rng(3))),
    "GaussianMixture.sample": (MIXTURE.sample, dict(n=3, rng=np.random.default_rng(3))),
    "Gaussian.with_theta": (GAUSSIAN.with_theta, dict(theta=GAUSSIAN.theta)),
    "Gaussian.unravel": (GAUSSIAN.unravel, dict(vector=GAUSSIAN.ravel())),
    "BernoulliRBM.pullback": (MACHINE.pullback, dict(x=BITS, energy=WEIGHTS, gap=X)),
    "GaussianCorruption.sample": (refsm.GaussianCorruption(0.37).sample,
                                  dict(x=X, rng=np.random.default_rng(4))),
}
BINARY_J = refsm.PseudoLikelihood(BITS)
POLYNOMIAL = refsm.PolynomialEnergy(-np.ones(3), 2 * np.eye(3, dtype=int))
EXPERTS = refsm.ProductOfExperts(W, B)
LEVEL = refsm.ScaledCorruption(0.8, 0.37)
MODELS += [POLYNOMIAL, EXPERTS]


def dsm(case):
    return ((case.score(case.x_noisy) - (case.x - case.x_noisy) / case.sigma**2) ** 2).sum() / 2


def generator():
    return np.random.default_rng(6)


CALLS.update({
    "PolynomialEnergy": (refsm.PolynomialEnergy,
                         dict(theta=-np.ones(3), exponents=2 * np.eye(3, dtype=int))),
    "ProductOfExperts": (refsm.ProductOfExperts, dict(W=W, log_alpha=B, expert="logcosh")),
    "DiagonalCorruption": (refsm.DiagonalCorruption, dict(sigma=[0.3, 0.5, 0.7])),
    "GeneralizedScoreMatching": (refsm.GeneralizedScoreMatching,
                                 dict(x=abs(X), h=X**2, h_slope=2 * abs(X), weights=WEIGHTS)),
    "MinimumProbabilityFlow": (refsm.MinimumProbabilityFlow, dict(x=BITS, weights=WEIGHTS)),
    "MultiLevelDenoising": (refsm.MultiLevelDenoising,
                            dict(x=X, x_noisy=np.stack([X_NOISY, X_NOISY]), corruptions=[0.37, 0.5],
                                 level_weights=[0.2, 0.8], weights=WEIGHTS)),
    "PredictionLoss": (refsm.PredictionLoss,
                       dict(x=X, x_noisy=X_NOISY, corruption=LEVEL, predict="velocity",
                            data_sd=None, weights=WEIGHTS)),
    "annealed_langevin": (refsm.annealed_langevin,
                          dict(models=[GAUSSIAN, GAUSSIAN], x=X, step=[0.01, 0.02], steps=3,
                               rng=generator(), callback=None)),
    "gibbs": (refsm.gibbs, dict(model=MACHINE, x=BITS, sweeps=2, rng=generator(), callback=None)),
    "block_gibbs": (refsm.block_gibbs,
                    dict(model=MACHINE, x=BITS, sweeps=2, rng=generator(), callback=None)),
    "probability_flow": (refsm.probability_flow, dict(model=GAUSSIAN, levels=[0.0, 0.3, 0.5], x=X,
                                                      rtol=1e-6, atol=1e-6)),
    "closed_form": (refsm.closed_form, dict(J=J, model=POLYNOMIAL)),
    "load": (refsm.load, dict(path="model.npz", kind=None)),
    "Gaussian.save": (GAUSSIAN.save, dict(path="model.npz")),
    "verify": (refsm.verify, dict(implementation=dsm, objective="dsm", gradient=False,
                                  convention=None, family="prime", seed=0, model="autoencoder",
                                  predicts=None, known_failures=None, time_limit=5.0,
                                  own_noise=False, replicates=None)),
    "gradient_descent with its options": (
        refsm.gradient_descent, dict(J=J, model=GAUSSIAN, steps=2, rate=lambda k: 0.01,
                                     callback=None, tol=1e-3, progress=False, map=map)),
    "minimize with its options": (
        refsm.minimize, dict(J=BINARY_J, model=BOLTZMANN, method="L-BFGS-B", tol=0.1,
                             bounds=[(-1, 1)] * 12, options=None, maxiter=2, gtol=1e-3,
                             map=map)),
    "Gaussian.corrupted": (GAUSSIAN.corrupted, dict(corruption=LEVEL)),
    "GaussianMixture.corrupted": (MIXTURE.corrupted, dict(corruption=0.37)),
    "Parzen.corrupted": (PARZEN.corrupted, dict(corruption=LEVEL)),
    "predictions.convert": (refsm.predictions.convert,
                            dict(value=X, x_noisy=X_NOISY, corruption=0.37, source="noise",
                                 target="edm", data_sd=0.5)),
    "predictions.factor": (refsm.predictions.factor,
                           dict(kind="velocity", corruption=LEVEL, data_sd=None)),
    "predictions.linear_map": (refsm.predictions.linear_map,
                               dict(kind="edm", corruption=0.37, data_sd=0.5)),
    "predictions.preconditioning": (refsm.predictions.preconditioning,
                                    dict(corruption=0.37, data_sd=0.5)),
    "predictions.scales": (refsm.predictions.scales, dict(corruption=LEVEL)),
    "schedules.edm": (refsm.schedules.edm,
                      dict(sigma_min=0.002, sigma_max=80.0, levels=5, rho=7.0)),
    "schedules.linear_flow": (refsm.schedules.linear_flow, dict(t=[0.2, 0.5])),
    "schedules.variance_exploding": (refsm.schedules.variance_exploding,
                                     dict(sigma_min=0.1, sigma_max=3.0, levels=5)),
    "schedules.variance_preserving": (refsm.schedules.variance_preserving,
                                      dict(levels=5, beta_min=0.1, beta_max=20.0)),
    "directions.all_signs": (refsm.directions.all_signs, dict(n=3, d=5)),
    "directions.coordinate_frame": (refsm.directions.coordinate_frame, dict(n=3, d=5)),
    "directions.frames": (refsm.directions.frames, dict(n=3, d=5, rng=generator())),
    "directions.rational": (refsm.directions.rational, dict(v=V)),
    **{f"directions.{_name}": (getattr(refsm.directions, _name),
                               dict(n=3, M=7, d=5, rng=generator()))
       for _name in ("gaussian", "signs", "sphere")},
    "expectations.box": (refsm.expectations.box, dict(lower=[0.0], upper=[3.0], size=5)),
    "expectations.trapezoid": (refsm.expectations.trapezoid,
                               dict(density=refsm.Gaussian([0.0], [[2.0]]), size=5)),
    "expectations.gauss_hermite": (refsm.expectations.gauss_hermite,
                                   dict(density=refsm.Gaussian([0.0], [[2.0]]), order=5)),
    "expectations.noisy_pairs": (refsm.expectations.noisy_pairs,
                                 dict(x=X[:, :1], corruption=0.37, size=5)),
    "enumeration.probabilities": (refsm.enumeration.probabilities, dict(model=MACHINE)),
    "enumeration.log_partition": (refsm.enumeration.log_partition, dict(model=BOLTZMANN)),
    "enumeration.log_likelihood": (refsm.enumeration.log_likelihood, dict(model=MACHINE, x=BITS)),
    "enumeration.binary_points": (refsm.enumeration.binary_points, dict(d=5)),
})

for _model in MODELS:
    _x = BITS if isinstance(_model, refsm.BinaryEnergy) else X
    for _name in ("energy", "score", "score_jacobian", "score_divergence",
                  "score_jacobian_diagonal", "energy_gap", "pullback"):
        CALLS[f"{type(_model).__name__}.{_name} of points"] = getattr(_model, _name), dict(x=_x)
for _name in refsm.stable.__all__:
    CALLS[f"stable.{_name}"] = getattr(refsm.stable, _name), dict(a=C)

COUNTS = {"steps", "n", "batch_size", "sweeps", "options", "method", "maxiter", "levels", "size",
          "order", "M", "d", "replicates", "t"}    # a large one takes for ever


class Opaque:
    """An object that is nothing in particular."""

    def __repr__(self):
        return "Opaque()"


def wrong(rng, name):
    """One value that an argument of this name should hardly ever have."""
    huge = [] if name in COUNTS else [10**400, 1e308, Fraction(10**400), np.longdouble(1e300), 1e9]
    shape = tuple(rng.integers(0, 5, size=rng.integers(0, 4)))
    pool = [
        None, True, False, "", "a", "0.3", b"x", 0, -1, 2.5, -0.0, 0.0, np.nan, np.inf, -np.inf, 1j,
        Fraction(1, 3), np.int64(3), np.float32(0.37), np.array(0.37), np.array([0.3]), {},
        {"a": 1},
        [], [[]], (), [None], ["a"], [[1.0, 2.0], [3.0]], set(), object, Opaque(), len, lambda: 3,
        lambda *_: None, iter([1]), range(3), slice(0, 2), np.zeros(shape), np.ones(shape, int),
        np.full(shape, np.nan), np.full(shape, "a"), np.full(shape, None), np.zeros(shape, "M8[D]"),
        np.ones((N, D), complex), np.ones((N, D), np.float16), np.full((N, D), 1e100),
        np.full((N, D), 10**400, dtype=object), -np.eye(D), np.ones((D, D)), X.T, X[:, :2], X[:2],
        BITS, BITS > 0, BITS.astype(np.uint8), np.ma.masked_array(X, X > 1), X.astype(object),
        WEIGHTS, -WEIGHTS, 0 * WEIGHTS, GAUSSIAN, AUTOENCODER, MACHINE, PARZEN, J, type(GAUSSIAN),
        np.random.default_rng(5), np.random, 5, *huge,
    ]
    return pool[rng.integers(len(pool))]


def arrays_in(value):
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, (list, tuple)):
        return [array for entry in value for array in arrays_in(entry)]
    return []


WALKS = ("gradient_descent", "minimize", "langevin", "ascend", "annealed", "probability_flow")
FILES = ("load", "Gaussian.save", "verify")


def complaint(label, arguments):
    """What is wrong about the outcome of a call, or nothing."""
    call, _ = CALLS[label]
    given = arrays_in(list(arguments.values()))
    before = [np.asarray(array).tobytes() for array in given]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            call(**arguments)
    except (ValueError, TypeError) as error:
        if "\n" in str(error) or not str(error) or isinstance(error, UnicodeError):
            return f"{type(error).__name__}: {error}"
    except (refsm.DescentError, FloatingPointError) as error:
        if not label.startswith(WALKS):
            return f"{type(error).__name__}: {error}"
    except OSError as error:
        if not label.startswith(FILES):
            return f"{type(error).__name__}: {error}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    if [np.asarray(array).tobytes() for array in given] != before:
        return "an argument was changed"
    return ""


NOT_CALLED = {"Energy", "BinaryEnergy", "EnergyAt", "Objective",        # to be derived from
              "Descent", "DescentError", "DescentInterrupted",         # made by a fit
              "assert_conforms"}                                       # takes what `verify` takes


@pytest.fixture(autouse=True)
def in_a_folder_with_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    GAUSSIAN.save("model.npz")


def test_every_public_callable_is_in_the_table():
    called = {call for call, _ in CALLS.values()}
    missing = {name for name in refsm.__all__ if callable(getattr(refsm, name))
               and getattr(refsm, name) not in called} - NOT_CALLED
    assert not missing


def test_every_call_of_the_table_is_right():
    for label, (call, arguments) in CALLS.items():
        try:
            call(**arguments)
        except TypeError as error:
            assert "has no" in str(error), label           # a gap of R^d, a score of bits


@pytest.mark.parametrize("call, arguments, message", [
    (refsm.load, dict(path="model.npz", kind=3), "kind must be a class, but it is of type int"),
    (refsm.directions.rational, dict(v=[np.inf]), "v must be finite, but it has inf at .0,."),
    (refsm.predictions.preconditioning, dict(corruption=0.37, data_sd=1e308),
     "data_sd must be between 1e-75 and 1e\\+75"),
    (refsm.ProductOfExperts, dict(W=W, log_alpha=B, expert=WEIGHTS),
     "expert must be one of logcosh, student, but it is array"),
    (refsm.verify, dict(implementation=dsm, objective="dsm", known_failures=[3.0]),
     "known_failures must be identifiers of cases, but one of them is 3"),
    (refsm.verify, dict(implementation=dsm, objective="dsm", known_failures="model.npz"),
     "known_failures must be identifiers of cases or a file of them, but model.npz cannot be read"),
    (refsm.verify, dict(implementation=dsm, objective=X), "objective must be one of .* is array"),
    (refsm.expectations.trapezoid, dict(density=refsm.Gaussian, size=5), "density must be a pair"),
])
def test_what_random_arguments_have_found_is_one_sentence(call, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        call(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_wrong_calls_give_a_result_or_one_sentence(seed):
    rng, found = np.random.default_rng(seed), []
    labels = list(CALLS)
    for _ in range(1000):
        label = labels[rng.integers(len(labels))]
        arguments = dict(CALLS[label][1])
        names = list(arguments)
        for name in rng.choice(names, size=min(len(names), rng.integers(1, 3)), replace=False):
            arguments[str(name)] = wrong(rng, str(name))
        text = complaint(label, arguments)
        if text:
            changed = {name: value for name, value in arguments.items()
                       if value is not CALLS[label][1].get(name)}
            found.append(f"{label}({changed}): {text}")
    assert not found, f"{len(found)} calls\n" + "\n".join(found[:20])
