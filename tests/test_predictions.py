"""Predictions: each says the same as the score, there and back again, in rationals too."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from oracles import relative_gap

import refsm
from refsm.predictions import KINDS, convert, factor, linear_map, preconditioning, scales

n, d = 7, 3
SCALED, PLAIN = refsm.ScaledCorruption(0.8, 0.37), refsm.GaussianCorruption(0.37)
SD = 0.61


def data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((n, d))


def named(kind, x, eps, alpha, sigma):
    """What each kind names, of a clean point and its noise."""
    x_noisy = alpha * x + sigma * eps
    variance = sigma**2 + SD**2
    return {
        "score": -eps / sigma,
        "noise": eps,
        "clean": x,
        "velocity": alpha * eps - sigma * x,
        "flow": eps - x,
        "edm": (x - SD**2 / variance * x_noisy) * np.sqrt(variance) / (sigma * SD),
    }[kind]


@pytest.mark.parametrize(("source", "target"), list(product(KINDS, KINDS)))
def test_a_prediction_of_one_kind_is_the_prediction_of_the_other_with_the_same_clean_point(
    source, target
):
    process, alpha = (PLAIN, 1.0) if "edm" in (source, target) else (SCALED, 0.8)
    x, eps = data()
    value, expected = (named(kind, x, eps, alpha, 0.37) for kind in (source, target))
    got = convert(value, alpha * x + 0.37 * eps, process, source=source, target=target, data_sd=SD)
    assert relative_gap(got, expected) < 1e-13


@pytest.mark.parametrize("kind", KINDS)
def test_the_factor_is_the_squared_distance_of_two_predictions_over_half_that_of_their_scores(kind):
    process = PLAIN if kind == "edm" else SCALED
    x_noisy, psi = data()
    other = psi + 1.0
    a, b = (
        convert(value, x_noisy, process, source="score", target=kind, data_sd=SD)
        for value in (psi, other)
    )
    assert ((a - b) ** 2).sum() / (((psi - other) ** 2).sum() / 2) == pytest.approx(
        factor(kind, process, SD), rel=1e-13
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("score", 2),
        ("noise", 2 * Fraction(9, 25)),
        ("clean", 2 * Fraction(81, 625) / Fraction(16, 25)),
        ("velocity", 2 * Fraction(9, 25) / Fraction(16, 25)),
        ("flow", 2 * Fraction(9, 25) * Fraction(49, 25) / Fraction(16, 25)),
    ],
)
def test_the_factors_of_the_literature_in_rationals(kind, expected):
    """Variance preserving, alpha = 4/5 and sigma = 3/5."""
    assert factor(kind, refsm.ScaledCorruption(Fraction(4, 5), Fraction(3, 5))) == expected


def test_the_factor_of_the_straight_path_and_of_edm():
    t = Fraction(2, 7)
    assert factor("flow", refsm.ScaledCorruption(1 - t, t)) == 2 * (t / (1 - t)) ** 2
    sigma, s = Fraction(3), Fraction(4)
    assert (
        factor("edm", refsm.GaussianCorruption(sigma), s) == 2 * sigma**2 * (sigma**2 + s**2) / s**2
    )
    c_skip, c_out = preconditioning(refsm.GaussianCorruption(sigma), s)
    assert (c_skip, c_out) == (Fraction(16, 25), Fraction(12, 5))
    assert (sigma**2 + s**2) / (sigma * s) ** 2 * c_out**2 == 1  # Karras' weight times c_out^2
    assert linear_map("edm", refsm.GaussianCorruption(sigma), s).A == (1 - c_skip) / c_out


@pytest.mark.parametrize(("source", "target"), list(product(KINDS, KINDS)))
def test_in_rationals_there_and_back_again_is_the_number_itself(source, target):
    process = (
        refsm.GaussianCorruption(Fraction(3, 5))
        if "edm" in (source, target)
        else refsm.ScaledCorruption(Fraction(2, 7), Fraction(3, 5))
    )
    value, x_noisy = np.array([[Fraction(1, 3), Fraction(-2)]]), np.array(
        [[Fraction(5, 11), Fraction(7)]]
    )
    given = dict(data_sd=Fraction(4, 5))
    there = convert(value, x_noisy, process, source=source, target=target, **given)
    back = convert(there, x_noisy, process, source=target, target=source, **given)
    assert all(isinstance(entry, Fraction) for entry in there.ravel())
    assert (back == value).all()


def test_an_irrational_root_is_a_float():
    _, c_out = preconditioning(refsm.GaussianCorruption(Fraction(1, 2)), Fraction(1, 3))
    assert c_out == pytest.approx(1 / 6 / np.sqrt(13 / 36), rel=1e-15)
    _, c_out = preconditioning(refsm.GaussianCorruption(Fraction(1)), Fraction(1, 2))  # sqrt(5/4)
    assert isinstance(c_out, float)


def test_the_clean_point_of_a_score_is_tweedies_formula():
    x_noisy, psi = data()
    got = convert(psi, x_noisy, SCALED, source="score", target="clean")
    assert relative_gap(got, refsm.tweedie(psi, x_noisy, SCALED)) < 1e-15


def test_edm_keeps_its_digits_where_the_noise_is_small():
    tiny, big = 1e-7, 0.5
    assert linear_map("edm", tiny, big).A == pytest.approx(
        tiny / (big * np.hypot(tiny, big)), rel=1e-14
    )


def test_the_scales_of_a_number_and_of_the_processes():
    assert scales(0.37) == (1, 0.37)
    assert scales(SCALED) == (0.8, 0.37)
    assert isinstance(scales(refsm.GaussianCorruption(Fraction(1, 2)))[0], Fraction)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda x: convert(x, x, 0.3, source="noise", target="epsilon"),
            ValueError,
            "^a prediction must be one of score, noise, .*, edm, but it is 'epsilon'$",
        ),
        (
            lambda x: convert(
                x, x, refsm.CovarianceCorruption(np.eye(d)), source="noise", target="clean"
            ),
            TypeError,
            "^corruption must be isotropic for a prediction .* but it is of type "
            "CovarianceCorruption$",
        ),
        (
            lambda x: convert(x, x, SCALED, source="noise", target="edm", data_sd=SD),
            ValueError,
            "^corruption must not scale the points for edm, but alpha is 0.8$",
        ),
        (
            lambda x: convert(x, x, 0.3, source="edm", target="noise"),
            TypeError,
            "^data_sd must be given for edm",
        ),
        (
            lambda x: convert(x, x, 0.3, source="edm", target="noise", data_sd=-1.0),
            ValueError,
            "^data_sd must be finite and > 0, but it is -1.0$",
        ),
        (
            lambda x: convert(x[:, :2], x, 0.3, source="noise", target="clean"),
            ValueError,
            r"^value must have shape \(7, 3\), but its shape is \(7, 2\)$",
        ),
        (
            lambda x: convert(x, x[0], 0.3, source="noise", target="clean"),
            ValueError,
            r"^x_noisy must have shape \(n, d\)",
        ),
        (
            lambda x: convert(x, x, 0.0, source="noise", target="clean"),
            ValueError,
            "^corruption must be finite and > 0",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call(data()[0])
