"""The probability flow: closed form, exact log densities, there and back, schedules, refusals."""

import numpy as np
import pytest
from oracles import relative_gap

import refsm
from refsm import flow, schedules

n, d = 7, 3
A = np.array([[0.5, 0.2, -0.1], [0.2, 0.7, 0.3], [-0.1, 0.3, 0.9]])


def gaussian():
    return refsm.Gaussian([0.4, -0.7, 1.1], np.linalg.inv(A))


def mixture():
    return refsm.GaussianMixture(
        [0.3, 0.7], [[-1.0, 0.5, 0.0], [0.8, -0.4, 0.3]], np.stack([A, 0.3 * np.eye(d)])
    )


def parzen():
    return refsm.Parzen(np.random.default_rng(3).standard_normal((11, d)), 0.3)


MODELS = {"Gaussian": gaussian, "GaussianMixture": mixture, "Parzen": parzen}


def start(seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def test_the_flow_of_a_gaussian_keeps_the_whitened_point():
    """x_l = alpha_l mean + (alpha_l^2 S + sigma_l^2 I)^(1/2) S^(-1/2) (x_0 - mean)."""
    value, vector = np.linalg.eigh(A)
    levels = [0.0, 0.61, refsm.ScaledCorruption(0.7, 1.3), refsm.ScaledCorruption(0.2, 0.98)]
    got = refsm.probability_flow(gaussian(), levels, start(), rtol=1e-11)
    white = (start() - gaussian().mean) @ vector / np.sqrt(value)
    assert got.x.shape == (4, n, d)
    for x, (alpha, sigma) in zip(got.x, [(1, 0), (1, 0.61), (0.7, 1.3), (0.2, 0.98)]):
        expected = (
            alpha * gaussian().mean + (white * np.sqrt(alpha**2 * value + sigma**2)) @ vector.T
        )
        assert relative_gap(x, expected) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_integrated_divergence_is_the_exact_log_density_at_every_level(name):
    model = MODELS[name]()
    levels = [0.0, 0.3, *schedules.variance_preserving(3)[1:]]
    got = refsm.probability_flow(model, levels, start())
    assert got.log_density.shape == (4, n)
    for level, x, log_density in zip(levels, *got):
        q = model if level == 0.0 else model.corrupted(level)
        np.testing.assert_allclose(
            log_density, q.log_density(x), rtol=0, atol=1e-7
        )  # the solver's tolerance, times the way


@pytest.mark.slow
def test_there_and_back_again_is_the_point_itself():
    model = mixture()
    level = refsm.ScaledCorruption(0.7, 0.9)
    there = refsm.probability_flow(model, [0, level], start(), rtol=1e-10)
    back = refsm.probability_flow(model, [level, 0], there.x[-1], rtol=1e-10)
    assert relative_gap(back.x[-1], start()) < 1e-9
    np.testing.assert_allclose(back.log_density[-1], model.log_density(start()), rtol=0, atol=1e-9)


def test_levels_of_the_same_noise_in_other_units_are_one_place():
    got = refsm.probability_flow(mixture(), [refsm.ScaledCorruption(0.5, 0.4), 0.8], start())
    np.testing.assert_allclose(got.x[1], 2 * start(), rtol=1e-14)
    np.testing.assert_allclose(
        got.log_density[0] - got.log_density[1], -d * np.log(0.5), rtol=1e-12
    )


def test_a_tighter_tolerance_is_a_better_flow():
    model, value = gaussian(), np.linalg.eigvalsh(A)
    exact = model.log_density(start())
    error = [
        abs(
            refsm.probability_flow(model, [0.0, 2.0], start(), rtol=rtol, atol=rtol).log_density[0]
            - exact
        ).max()
        for rtol in (1e-3, 1e-8)
    ]
    assert error[1] < error[0] / 100
    assert value.min() > 0


def test_the_first_level_is_where_the_points_are():
    got = refsm.probability_flow(mixture(), [0.5, 0.8], start())
    np.testing.assert_array_equal(got.x[0], start())


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: refsm.probability_flow(
                refsm.BernoulliRBM(np.ones((5, d)), np.ones(5), np.ones(d)), [0, 1], start()
            ),
            TypeError,
            "^model must be a density that can be corrupted, but it is of type BernoulliRBM$",
        ),
        (
            lambda: refsm.probability_flow(gaussian(), 0.5, start()),
            TypeError,
            "^levels must be a sequence of at least two levels, but it is 0.5$",
        ),
        (
            lambda: refsm.probability_flow(gaussian(), [0.5], start()),
            TypeError,
            "^levels must be a sequence of at least two levels",
        ),
        (
            lambda: refsm.probability_flow(gaussian(), "01", start()),
            TypeError,
            "^levels must be a sequence of at least two levels",
        ),
        (
            lambda: refsm.probability_flow(gaussian(), [0.0, -0.5], start()),
            ValueError,
            "^corruption must be finite and > 0, but it is -0.5$",
        ),
        (
            lambda: refsm.probability_flow(
                gaussian(), [0.0, refsm.CovarianceCorruption(A)], start()
            ),
            TypeError,
            "^corruption must be isotropic",
        ),
        (
            lambda: refsm.probability_flow(gaussian(), [0.0, 0.5], start()[:, :2]),
            ValueError,
            r"^x must have shape \(n, 3\)",
        ),
        (
            lambda: refsm.probability_flow(gaussian(), [0.0, 0.5], start()[0]),
            ValueError,
            r"^x must have shape \(n, 3\), but its shape is \(3,\)",
        ),
        (
            lambda: refsm.probability_flow(gaussian(), [np.zeros(3), 0.5], start()),
            TypeError,
            "^corruption must be a number sigma > 0 or a process .* of type ndarray$",
        ),
        (
            lambda: refsm.probability_flow(gaussian(), [0.0, 0.5], start(), rtol=0.0),
            ValueError,
            "^rtol must be finite and > 0",
        ),
        (
            lambda: refsm.probability_flow(gaussian(), [0.0, 0.5], start(), rtol=1.5),
            ValueError,
            "^rtol must be between 1e-13 and 1, but it is 1.5",
        ),
        (
            lambda: refsm.probability_flow(gaussian(), [0.0, 0.5], start(), atol=1e-101),
            ValueError,
            r"^atol must be between 1e-100 and 1e\+100, but it is 1e-101",
        ),
        (
            lambda: refsm.probability_flow(gaussian(), [0.0, 0.5], start(), atol=-1.0),
            ValueError,
            "^atol must be finite and > 0",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


def test_a_solver_that_gives_up_is_reported(monkeypatch):
    class Failed:
        success, message = False, "step size becomes too small"

    monkeypatch.setattr(flow, "solve_ivp", lambda *_, **__: Failed())
    with pytest.raises(
        RuntimeError,
        match="^the flow from noise 0.0 to 0.5 must be .* gave up: step size becomes too small$",
    ):
        refsm.probability_flow(gaussian(), [0.0, 0.5], start())


def test_no_noise_is_the_model_itself():
    model = mixture()
    assert flow._density(model, 0.0) is model
