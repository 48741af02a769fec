"""A network of the user's own in the place of a model: taken as it is, and given its level."""
import re

import numpy as np
import pytest

from refsm.verify import verify
from refsm.verify.cases import value
from refsm.verify.cases.families import network_cases
from refsm.verify.cases.network import output
from refsm.verify.objectives import predicting
from refsm.verify.report import compose


def conditional(x, theta, sigma):
    level = np.log(np.broadcast_to(sigma, len(x)))[:, None] * theta["t"]
    return np.tanh(x @ theta["B"] + level) @ theta["A"] + theta["c"]


def parameters(d, rng):
    return {name: rng.standard_normal(shape)
            for name, shape in {"A": (6, d), "B": (d, 6), "t": (6,), "c": (d,)}.items()}


def untied(x, theta):
    """An autoencoder whose decoder is no transpose of its encoder."""
    return np.tanh(x @ theta["B"]) @ theta["A"] + theta["c"]


def asked(loss, objective, network=conditional, **settings):
    return verify(loss, objective, network=network, parameters=parameters, **settings)


def squares(r):
    return (r * r).sum(axis=-1)


def several(c, given=lambda s: s):
    return sum(w * squares(c.score(y, s_given) - (a * c.x - y) / s**2) / 2 for w, y, a, s, s_given
               in zip(c.level_weights, c.x_noisy, c.alpha, c.sigma, given(c.sigma)))


def noise(c, given=lambda s: s):
    return squares(c.prediction(c.x_noisy, given(c.sigma)) - c.noise)


def of_score(c, given=lambda s: s):
    return squares(c.score(c.x_noisy, given(c.sigma)) + c.noise / c.sigma[:, None]) / 2


RIGHT = {
    "dsm": lambda c: squares(c.score(c.x_noisy) - (c.x - c.x_noisy) / c.sigma**2) / 2,
    "dsm_scaled": lambda c: squares(c.score(c.x_noisy) + c.noise / c.sigma) / 2,
    "dsm_levels": of_score, "multi_level": several, "noise_prediction": noise,
    "clean_prediction": lambda c: squares(c.prediction(c.x_noisy) - c.x),
    "velocity_prediction": lambda c: squares(
        c.prediction(c.x_noisy) - c.alpha[:, None] * c.noise + c.sigma[:, None] * c.x),
    "dae": lambda c: squares(c.reconstruct(c.x_noisy, c.sigma) - c.x)}


@pytest.mark.parametrize("objective", RIGHT)
def test_the_reference_judges_the_network_as_it_is(objective):
    case = network_cases(objective, conditional, parameters)[7]
    assert value(case) == pytest.approx(RIGHT[objective](case).mean(), rel=1e-12)


def test_a_network_is_given_the_level_of_each_point_unless_another_is_named():
    case = network_cases("noise_prediction", conditional, parameters)[0]
    assert case.id == "prime/noise_prediction/network/c0/t0"
    own = conditional(case.x_noisy, case.params, case.sigma)
    np.testing.assert_array_equal(case.prediction(case.x_noisy), own)
    np.testing.assert_array_equal(output(case, case.theta, case.x_noisy, 0.3),
                                  conditional(case.x_noisy, case.params, 0.3))


@pytest.mark.slow
def test_an_untied_decoder_passes():
    report = asked(RIGHT["dae"], "dae", untied)
    assert (report.verdict, report.reproduce) == ("PASS", "")  # its cases are in no command
    assert report.cannot_tell == (compose.OF_NETWORK,)         # it takes no gradient


@pytest.mark.slow
def test_the_mistake_of_an_untied_decoder_is_named():
    assert asked(lambda c: squares(c.reconstruct(c.x_noisy) - c.x_noisy), "dae", untied).name == (
        "compared with the noisy point, not the clean one")


@pytest.mark.slow
@pytest.mark.parametrize("objective", RIGHT)
def test_a_right_loss_passes_with_a_network_of_ones_own(objective):
    report = asked(RIGHT[objective], objective)
    assert (report.verdict, report.model, report.reproduce) == ("PASS", "network", "")
    half = asked(lambda c: RIGHT[objective](c) / 2, objective, seed=5)
    assert (half.verdict, half.factor) == ("CONVENTION", "1 / 2")


@pytest.mark.slow
@pytest.mark.parametrize("loss, objective", [(noise, "noise_prediction"), (of_score, "dsm_levels")])
@pytest.mark.parametrize("given, words", [
    (lambda s: np.roll(s, -1), "the sigma of the next point"),
    (lambda s: np.append(s[-1], s[:-1]), "the sigma of the point before"),
    (lambda s: s[::-1], "the sigma of the points in reverse order"),
    (lambda s: np.full(len(s), s[0]), "the sigma of the first point, for all"),
    (lambda s: np.full(len(s), s[-1]), "the sigma of the last point, for all"),
    (lambda s: s * s, "sigma^2 in place of sigma"),
    (lambda s: s + 1, "")])
def test_the_level_that_a_network_is_given_is_seen(loss, objective, given, words):
    report = asked(lambda c: loss(c, given), objective)
    if words:
        assert report.name == f"the network is given {words}"
        assert report.verdict == "MISMATCH"
        assert report.rows[0].factor == f"f({words})"
        assert report.rows[2].factor == "1"                    # the constant has no network
    else:
        assert report.verdict == "UNEXPLAINED"


@pytest.mark.slow
def test_the_network_of_another_level_is_seen_among_several():
    report = asked(lambda c: several(c, lambda s: np.roll(s, -1)), "multi_level")
    assert report.name == "the score is that of the next level"


def test_own_noise_is_not_offered_beside_a_network_which_it_does_not_take():
    def random(c):
        return squares(c.score(c.x_noisy)) * np.random.default_rng().random()

    assert "or verify it with --own-noise" in verify(random, "dsm").name
    assert "own-noise" not in asked(random, "dsm", untied).name


def test_what_cannot_be_a_network_is_refused_in_one_sentence():
    assert predicting("dsm", "score") == "dsm_levels"
    for wrong, missing in (({"network": conditional}, "parameters"),
                           ({"parameters": parameters}, "network")):
        with pytest.raises(TypeError, match=f"{missing} must be a function, but it is None"):
            verify(noise, "dsm", **wrong)
    with pytest.raises(ValueError, match="network is for esm, .*read no derivative of it, but the "
                                         "objective is ism"):
        asked(noise, "ism")
    with pytest.raises(ValueError, match="network and parameters belong together, and take no"):
        asked(noise, "dsm", gradient=True)
    with pytest.raises(TypeError, match="parameters must return a dict of arrays, but it returned "
                                        "an object of type list"):
        network_cases("dsm", conditional, lambda d, rng: [])
    with pytest.raises(TypeError, match="parameters must return a dict of arrays of numbers, but: "
                                        "could not convert string to float: 'six'"):
        network_cases("dsm", conditional, lambda d, rng: {"A": "six"})
    for network, error, sentence in (
            (lambda x, theta: x[:, :2], ValueError, "an array of shape (7, 3), one row per point, "
                                                    "but its shape is (7, 2)"),
            (lambda x, theta: "a", TypeError, "an array of numbers, but it returned 'a'"),
            (lambda x, theta: 1j * x, TypeError, "real numbers, but they are complex "
                                                 "(complex128)")):
        case = network_cases("dsm", network, parameters)[0]
        with pytest.raises(error, match="^" + re.escape(f"network must return {sentence}")):
            case.score(case.x_noisy)


def test_a_network_that_draws_random_numbers_is_refused():
    rng = np.random.default_rng(3)
    with pytest.raises(ArithmeticError, match="does the network draw random numbers, as dropout"):
        asked(lambda c: 3.0, "dae", lambda x, theta: x + rng.standard_normal(x.shape))


def test_a_term_that_hardly_counts_makes_no_right_loss_wrong():
    """The score is about 1e-8: of the coefficient of its norm nothing can be said."""
    report = verify(value, "dsm", network=lambda x, theta: 1e-8 * x @ theta["A"],
                    parameters=lambda d, rng: {"A": rng.standard_normal((d, d))})
    assert report.verdict == "PASS"
    assert report.resolution > 1
