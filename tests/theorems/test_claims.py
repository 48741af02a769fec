"""Claims that are easily made and false: each is held against a number, and stands in no head.

What is said of statement 1 (what its two sides share, what an untied decoder, sigma inside the
sigmoid and cross-entropy do to it), of the expectations of a score, of bounds.
"""
import importlib
import pathlib

import numpy as np
import pytest
from computations import compared

import refsm
from refsm.activations import SOFTPLUS
from refsm.theorems import (binary, chain, conditions, decoder, denoising, gaussian,
                            parametrisation, reconstruction, small_noise)
from refsm.theorems.setting import Setting

ROOT = pathlib.Path(refsm.__file__).parent


def squared(a):
    """s^2 in the place of the sigmoid, with its own slope 2 s s1."""
    s, s1 = SOFTPLUS.first_two(a)
    return s**2, 2 * s * s1


def steeper(a):
    """The sigmoid with a slope that is not its own."""
    s, s1 = SOFTPLUS.first_two(a)
    return s, 1.1 * s1 + 0.3


def with_activation(monkeypatch, room, first_two):
    """The room's autoencoder energies with another pair (f', f'')."""
    wrong = SOFTPLUS._replace(first_two=first_two)
    real = refsm.AutoencoderEnergy
    monkeypatch.setattr(room, "AutoencoderEnergy",
                        lambda W, b, c, *, sigma: real(W, b, c, sigma=sigma, activation=wrong))


SMALL = Setting(np.random.default_rng(0).random((40, 7)), "rows", 0.3, 6, 0)


@pytest.mark.parametrize("first_two", [squared, steeper])
def test_a_wrong_sigmoid_or_slope_is_shared_by_both_sides_of_statement_1(monkeypatch, first_two):
    right = denoising.dsm_is_dae(SMALL)
    monkeypatch.setattr("refsm.theorems.denoising.autoencoder_bounds",
                        lambda *_, known=denoising.autoencoder_bounds(*_problem()): known)
    with_activation(monkeypatch, denoising, first_two)
    made = denoising.dsm_is_dae(SMALL)
    assert all(s.holds for s in made)
    changed = [
        s.name for s, was in zip(made, right) if abs(s.left - was.left) > 1e-3 * abs(was.left)
    ]
    assert "2 sigma^4 J_DSM = J_DAE, gradient for W" in changed


def _problem():
    x_noisy, W, b, c = SMALL.draw()
    return refsm.AutoencoderEnergy(W, b, c, sigma=SMALL.sigma), SMALL.data, x_noisy


@pytest.mark.parametrize("maker", [chain.explicit_is_implicit, chain.denoising_chain])
def test_a_wrong_slope_is_seen_by_statements_2_and_5(monkeypatch, maker):
    with_activation(monkeypatch, chain, steeper)
    failed = {s.number for s in maker() if not s.holds}
    assert failed & {2, 5}


def test_a_wrong_sigmoid_is_seen_by_statement_10(monkeypatch):
    with_activation(monkeypatch, binary, squared)
    assert not all(s.holds for s in binary.normalised_score())


def test_an_untied_decoder_keeps_statement_1_and_loses_the_energy():
    terms, = decoder.any_reconstruction()
    assert terms.holds
    asymmetric = decoder.wedges_are_determined()[-1]
    assert asymmetric.how == "differs"
    assert asymmetric.holds


def test_a_decoder_of_multiples_has_a_symmetric_jacobian():
    t = decoder.Parameters()
    V = t.lam[:, None] * t.W
    J = [(V.T * s1) @ t.W for s1 in SOFTPLUS.first_two(t.x @ t.W.T + t.b)[1]]
    np.testing.assert_allclose(J, np.transpose(J, (0, 2, 1)), rtol=0,
                               atol=1e-14)  # sizes of order 10


def test_two_units_of_one_slope_need_no_decoder_of_multiples():
    """The condition on s1: with a_1 = a_2 or a_1 = -a_2 only the sum of two wedges counts."""
    rng = np.random.default_rng(1)
    w, u, x = rng.standard_normal(3), rng.standard_normal(3), rng.standard_normal((5, 3))
    for sign in (1, -1):
        W, V = np.stack([w, sign * w]), np.stack([w + u, sign * (w - u)])
        J = [(V.T * s1) @ W for s1 in SOFTPLUS.first_two(x @ W.T + [0.3, sign * 0.3])[1]]
        np.testing.assert_allclose(J, np.transpose(J, (0, 2, 1)), rtol=0, atol=1e-14)


def test_sigma_inside_the_sigmoid_is_an_rbm_with_its_own_statement():
    made = parametrisation.sigma_inside()
    assert all(s.holds for s in made)
    assert {s.how for s in made} == {"rounding"}


def test_cross_entropy_has_another_gradient_and_the_same_best_reconstruction():
    same, other = reconstruction.cross_entropy()
    assert same.holds
    assert other.holds
    assert other.left < 0.9


def test_expectations_of_a_score_do_not_identify_it():
    """-2 x has mean 0 under N(0, 1), and is the score of N(0, 1/2)."""
    by_where = {(s.name, s.where): s for s in conditions.other_fields()}
    assert by_where["E psi = 0", "N(0, 1), psi = -2 x"].holds
    assert by_where["E psi psi', and -E J", "N(0, 1), psi = -2 x"].holds


def test_the_step_in_the_mean_is_a_part_of_the_gaussians_minimum():
    with_step = [s for s in gaussian.statements(SMALL.data, "rows") if s.number in (13, 31)]
    in_P = next(s for s in with_step if s.name.startswith("J_ISM(P + dP)"))
    in_both = next(s for s in with_step if s.name.startswith("J_ISM, both"))
    assert in_both.right - in_P.right > 0.1


@pytest.mark.slow
def test_the_coefficient_of_small_noise_is_not_half_of_the_jacobian_for_every_model():
    q = chain.density()
    x, w = chain.nodes_of(q)
    made = compared(small_noise, small_noise.small_noise_of_other_fields)[0]
    for s, model in zip(made, chain.models().values()):
        assert s.holds
        assert abs(s.right - w @ (model.score_jacobian(x) ** 2).sum(axis=(1, 2))) > 0.01


def test_a_kink_of_the_score_is_no_jump():
    """A ReLU hidden layer: psi is continuous, and implicit score matching keeps its constant."""
    ends = np.array([-12.0, -0.4, 12.0])
    x, lengths = conditions.pieces(ends)
    w = lengths * np.exp(-x[:, 0] ** 2 / 2) / np.sqrt(2 * np.pi)
    psi = np.maximum(x + 0.4, 0) - x
    divergence = (x[:, 0] > -0.4) - 1.0
    explicit = w @ ((psi + x)[:, 0] ** 2) / 2
    implicit = w @ (psi[:, 0] ** 2 / 2 + divergence) + 1 / 2
    assert explicit == pytest.approx(implicit, rel=1e-12)


GONE = [
    "share nothing",
    "no line of code",
    "vanishes at infinity, integration by parts gives",
    "would fail if psi",
    "would fail for the score",
    "computed from the sizes of the terms, not chosen",
    "ways to break statement 1",
    "that nobody sees",
    "a descent and not a leap",
    "the score of no energy",
    "is the commonest mistake",
]


@pytest.fixture(scope="module")
def texts():
    """{file: its head without line breaks}."""
    names = [path.stem for path in sorted((ROOT / "theorems").glob("*.py"))]
    docs = {name: importlib.import_module(f"refsm.theorems.{name}").__doc__ for name in names}
    return {name: " ".join(doc.split()) for name, doc in docs.items()}


@pytest.mark.parametrize("phrase", GONE)
def test_a_false_sentence_stands_in_no_head(phrase, texts):
    assert [name for name, text in texts.items() if phrase in text] == []


@pytest.mark.parametrize(("room", "name"), [
    ("rounding", "FUNCTION"), ("statement", "ROUNDINGS"), ("statement", "QUADRATURE"),
    ("statement", "FAR"), ("denoising", "AMPLIFIED"), ("denoiser", "ROUNDINGS")])
def test_a_number_that_is_chosen_is_said_to_be_with_its_value(room, name):
    value = getattr(importlib.import_module(f"refsm.theorems.{room}"), name)
    head = " ".join(importlib.import_module("refsm.theorems.statement").__doc__.split())
    said = f"or {value:g} for posterior moments" if room == "denoiser" else f"{name} = {value:g}"
    assert said in head.split("Which bounds are computed", 1)[1]
