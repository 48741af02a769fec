"""The models of the cases against the energies of the project and against complex steps."""
import numpy as np
import pytest
from oracles import complex_gradient, complex_jacobian, relative_gap

from refsm.corruption import ScaledCorruption
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.bernoulli_rbm import BernoulliRBM
from refsm.energies.boltzmann_machine import BoltzmannMachine
from refsm.energies.gaussian import Gaussian
from refsm.energies.mixture import GaussianMixture
from refsm.quantities import BINARY, CONTINUOUS, QUANTITIES, shape_of
from refsm.verify import cases
from refsm.verify.cases import models


def energy_of(case):
    """The project's own energy with the parameters of a case."""
    p = case.params
    if case.model == "autoencoder":
        return AutoencoderEnergy(p["W"], p["b"], p["c"], sigma=case.sigma)
    if case.model == "gaussian":
        return Gaussian(p["mean"], p["precision"])
    if case.model == "mixture":
        return GaussianMixture(p["weights"], p["means"],
                               p["scales"][:, None, None]**2 * np.eye(case.d))
    return BoltzmannMachine(p["W"], p["b"]) if case.model == "boltzmann" else BernoulliRBM(
        p["W"], p["b"], p["c"])


@pytest.mark.parametrize("model", ["autoencoder", "gaussian", "mixture"])
def test_scores_jacobians_and_energy_differences_are_those_of_the_energies(model):
    for case in cases("ism", "prime", model=model)[::7]:
        own = energy_of(case)
        for name in ("score", "jacobian", "divergence", "diagonal"):
            method = QUANTITIES[name].method
            assert relative_gap(getattr(case, method)(case.x), getattr(own, method)(case.x)) < 1e-12
        v = np.cos(np.arange(case.n * 3 * case.d)).reshape(case.n, 3, case.d)
        assert relative_gap(case.score_curvature(case.x, v), own.score_curvature(case.x, v)) < 1e-12
        assert relative_gap(np.diff(case.energy(case.x)), np.diff(own.energy(case.x))) < 1e-11


@pytest.mark.parametrize("model", ["gaussian", "mixture"])
def test_the_density_of_scaled_points_in_noise_is_that_of_the_energies(model):
    case = cases("ism", "prime", model=model)[7]
    own = energy_of(case).corrupted(ScaledCorruption(0.8, 0.37))
    noisy = models.corrupted(model, case.theta, 0.8, 0.37)
    assert relative_gap(models.score(model, noisy, case.x), own.score(case.x)) < 1e-12


@pytest.mark.parametrize("model", [*models.CONTINUOUS, *models.BINARY])
def test_a_model_has_the_local_quantities_of_its_kind(model):
    case = cases("ratio" if model in models.BINARY else "ism", "prime", model=model)[0]
    own = BINARY if model in models.BINARY else {*CONTINUOUS, "jacobian"}
    local = models.local_quantities(model, case.theta, case.hyper.get("sigma", 1.0))
    assert local.keys() == own - ({"energy"} if model == "tanh" else set())
    for name, f in local.items():
        given = (case.x, np.ones((case.n, 5, case.d))) if name == "curvature" else (case.x,)
        assert f(*given).shape == shape_of(name, case.n, case.d, M=5)
        assert callable(getattr(case, QUANTITIES[name].method))


@pytest.mark.parametrize("model", models.BINARY)
def test_gaps_are_those_of_the_energies(model):
    for case in cases("ratio", "prime", model=model)[::7]:
        assert relative_gap(case.energy_gap(case.x), energy_of(case).energy_gap(case.x)) < 1e-12
        assert relative_gap(case.energy(case.x), energy_of(case).energy(case.x)) < 1e-12


@pytest.mark.parametrize("model", models.CONTINUOUS)
def test_the_jacobian_is_the_derivative_of_the_score(model):
    case = cases("ism", "prime", model=model)[7]
    assert relative_gap(case.score_jacobian(case.x), complex_jacobian(case.score, case.x)) < 1e-12


@pytest.mark.parametrize("model", [m for m in models.CONTINUOUS if m in models.WITH_ENERGY])
def test_the_score_is_minus_the_gradient_of_the_energy(model):
    case = cases("ism", "prime", model=model)[8]
    assert relative_gap(case.score(case.x),
                        -complex_gradient(lambda x: case.energy(x).sum(), case.x)) < 1e-12


def test_the_tanh_model_has_no_energy_because_its_jacobian_is_not_symmetric():
    case = cases("ism", "prime", model="tanh")[0]
    J = case.score_jacobian(case.x)
    assert relative_gap(J, J.transpose(0, 2, 1)) > 0.1


def test_the_score_of_the_tanh_model_is_c_where_the_hidden_units_are_0():
    theta = cases("ism", "prime", model="tanh")[0].theta
    at_0 = models.score("tanh", {**theta, "b": 0 * theta["b"]}, np.zeros((3, 3)))
    assert np.array_equal(at_0, np.broadcast_to(theta["c"], (3, 3)))


def test_a_decoder_given_apart_replaces_the_tied_weights_in_score_and_jacobian():
    case = cases("ism", "prime")[3]
    free = {**case.theta, "decoder": 2 * case.theta["W"]}
    moved = models.score("autoencoder", free, case.x, case.sigma) - models.score(
        "autoencoder", case.theta, case.x, case.sigma)
    assert np.allclose(moved, case.score(case.x) + (case.x - case.params["c"]) / case.sigma**2)
    J = complex_jacobian(lambda x: models.score("autoencoder", free, x, case.sigma), case.x)
    assert relative_gap(models.jacobian("autoencoder", free, case.x, case.sigma), J) < 1e-12


def test_the_two_energies_of_a_gap_can_have_their_own_parameters():
    case = cases("ratio", "prime")[3]
    shifted = {**case.theta, "b": case.theta["b"] + 1}
    gap = models.gap("boltzmann", case.theta, case.x, shifted)
    assert np.allclose(gap - case.energy_gap(case.x), case.x.sum(axis=1)[:, None])
