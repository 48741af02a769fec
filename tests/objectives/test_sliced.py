"""Sliced score matching: terms, cotangents, and implicit score matching over exact directions."""
from fractions import Fraction

import numpy as np
import pytest
from example_energies import energies
from oracles import complex_gradient, relative_gap

from refsm import directions
from refsm.activations import RATIONAL
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian import Gaussian
from refsm.energies.mixture import GaussianMixture
from refsm.expectations import gauss_hermite, trapezoid
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching
from refsm.objectives.sliced import ExplicitSlicedScoreMatching, SlicedScoreMatching

N, D, R, M = 7, 3, 6, 5
each_form = pytest.mark.parametrize("variance_reduced", [False, True],
                                    ids=["plain", "variance-reduced"])


def data(seed=0):
    rng = np.random.default_rng(seed)
    x, v, target = (rng.standard_normal(shape) for shape in ((N, D), (N, R, D), (N, D)))
    return x, v, target, rng.uniform(0.5, 1.5, size=N)


def objectives():
    x, v, target, weights = data()
    return {
        "plain": SlicedScoreMatching(x, v, weights=weights),
        "variance-reduced": SlicedScoreMatching(x, v, True, weights=weights),
        "explicit": ExplicitSlicedScoreMatching(x, target, v, weights=weights)
    }


each_objective = pytest.mark.parametrize("J", objectives().values(), ids=objectives().keys())


def test_the_terms_are_the_definitions_from_the_whole_jacobian():
    x, v, target, _ = data()
    for model in energies():
        psi, J = model.score(x), model.score_jacobian(x)
        bent = np.array([[v[n, r] @ J[n] @ v[n, r] for r in range(R)]
                         for n in range(N)]).mean(axis=1)
        plain = bent + np.array([[(v[n, r] @ psi[n])**2 / 2 for r in range(R)]
                                 for n in range(N)]).mean(axis=1)
        reduced = bent + np.array([psi[n] @ psi[n] / 2 for n in range(N)])
        explicit = np.array([[(v[n, r] @ (psi[n] - target[n]))**2 / 2 for r in range(R)]
                             for n in range(N)]).mean(axis=1)
        assert relative_gap(SlicedScoreMatching(x, v).per_sample(model), plain) < 1e-13
        assert relative_gap(
            SlicedScoreMatching(x, v, variance_reduced=True).per_sample(model), reduced) < 1e-13
        assert relative_gap(ExplicitSlicedScoreMatching(x, target, v).per_sample(model),
                            explicit) < 1e-13


@each_objective
def test_the_cotangents_are_the_derivatives_of_the_value(J):
    rng = np.random.default_rng(1)
    shapes = {"score": (N, D), "curvature": (N, R)}
    local = {name: rng.standard_normal(shapes[name]) for name in J.reads}
    _, cotangents = J.evaluate(**local)
    assert set(cotangents) == set(local)
    for name, at in local.items():
        def value(moved, name=name):
            return J.weights @ J.evaluate(**{**local, name: moved})[0]

        expected = complex_gradient(value, at)
        found = cotangents[name]
        if name == "curvature":
            assert np.array_equal(found[0], J.directions)
            found = found[1]
        assert relative_gap(found, expected) < 1e-14


@each_objective
def test_the_gradient_is_the_complex_step_of_the_value(J):
    for model in energies()[:3]:
        expected = complex_gradient(lambda vector, model=model: J.value(model.unravel(vector)),
                                    model.ravel())
        assert relative_gap(model.ravel(J.gradient(model)), expected) < 1e-12


@each_form
@pytest.mark.parametrize("exact", [
    lambda: directions.all_signs(N, D),
    lambda: directions.frames(N, D, np.random.default_rng(2)),
    lambda: directions.coordinate_frame(N, D),
], ids=["all signs", "frames", "coordinate frame"])
def test_over_exact_directions_it_is_implicit_score_matching(exact, variance_reduced):
    x, _, _, weights = data()
    J = SlicedScoreMatching(x, exact(), variance_reduced, weights=weights)
    implicit = ImplicitScoreMatching(x, weights=weights)
    for model in energies():
        # of what is added
        size = (model.score(x) ** 2).sum(axis=1) + np.abs(model.score_jacobian(x)).sum(axis=(1, 2))
        assert np.all(np.abs(J.per_sample(model) - implicit.per_sample(model)) < 2e-15 * size)
    for model in energies()[:3]:
        assert relative_gap(model.ravel(J.gradient(model)),
                            model.ravel(implicit.gradient(model))) < 1e-13


def rational(a):
    return directions.rational(np.round(a * 8) / 8)


@each_form
@pytest.mark.parametrize("d, exact", [(3, directions.all_signs), (9, directions.coordinate_frame)],
                         ids=["all signs", "coordinate frame"])
def test_in_exact_rationals_the_gap_is_the_number_zero(d, exact, variance_reduced):
    rng = np.random.default_rng(3)
    x, W, b, c = (rational(rng.standard_normal(shape)) for shape in ((3, d), (M, d), (M,), (d,)))
    model = AutoencoderEnergy(W, b, c, sigma=Fraction(3, 8), activation=RATIONAL)
    J = SlicedScoreMatching(x, directions.rational(exact(3, d)), variance_reduced)
    implicit = ImplicitScoreMatching(x)
    value, gradient = J.value_and_gradient(model)
    value_, gradient_ = implicit.value_and_gradient(model)
    assert type(value) is Fraction
    assert value == value_
    for left, right in zip(gradient, gradient_):
        assert (left == right).all()


def test_unit_directions_give_one_dth_of_it():
    x, _, _, _ = data()
    frame = directions.frames(N, D, np.random.default_rng(4))
    model = energies()[0]
    right, wrong = SlicedScoreMatching(x, frame), SlicedScoreMatching(x, frame / np.sqrt(D))
    assert relative_gap(wrong.per_sample(model) * D, right.per_sample(model)) < 1e-13


@pytest.mark.parametrize("kind", [directions.gaussian, directions.signs, directions.sphere])
@each_form
def test_random_directions_give_it_in_expectation(kind, variance_reduced):
    x, _, _, _ = data()
    model = energies()[0]
    many = 20_000
    terms = SlicedScoreMatching(np.repeat(x[:1], many, axis=0),
                                kind(many, 1, D, np.random.default_rng(5)),
                                variance_reduced).per_sample(model)
    implicit = ImplicitScoreMatching(x[:1]).value(model)
    assert abs(terms.mean() - implicit) < 5 * terms.std() / np.sqrt(many)


def test_the_variance_along_signs_and_gaussian_vectors_is_as_stated():
    model = energies()[0]
    x = np.zeros((40_000, D))
    J = model.score_jacobian(x[:1])[0]
    frobenius, diagonal = (J * J).sum(), (np.diag(J) ** 2).sum()
    for kind, variance in ((directions.gaussian, 2 * frobenius),
                           (directions.signs, 2 * (frobenius - diagonal))):
        found = model.score_curvature(x, kind(len(x), 1, D, np.random.default_rng(6)))[:, 0].var()
        assert abs(found / variance - 1) < 0.05


def test_the_explicit_form_is_the_sliced_one_plus_one_constant_in_expectation():
    """Statement 8, with any directions that do not depend on x, for models at two thetas."""
    q = GaussianMixture([0.3, 0.7], [[-0.8, 0.5], [0.6, -0.3]],
                        [[[0.6, 0.2], [0.2, 0.5]], [[0.5, -0.1], [-0.1, 0.7]]])
    x, weights = trapezoid(q, 121)
    v = np.random.default_rng(7).standard_normal((3, 2))
    everywhere = np.broadcast_to(v, (len(x), 3, 2))
    score = q.score(x)
    constant = weights @ ((score @ v.T) ** 2).mean(axis=1) / 2
    explicit = ExplicitSlicedScoreMatching(x, score, everywhere, weights=weights)
    sliced = SlicedScoreMatching(x, everywhere, weights=weights)
    for model in energies(2, 8)[:2] + energies(2, 9)[:2]:
        left, left_gradient = explicit.value_and_gradient(model)
        right, right_gradient = sliced.value_and_gradient(model)
        size = weights @ (model.score(x) ** 2).sum(axis=1) * (v * v).sum() + constant
        assert abs(left - right - constant) < 1e-12 * size
        left, right = model.ravel(left_gradient), model.ravel(right_gradient)
        assert np.abs(left - right).max() < 1e-11 * max(size, np.abs(left).max())


@pytest.mark.parametrize("d", [1, 2, 3])
def test_variance_reduced_is_the_larger_one_for_d_1_and_the_smaller_from_d_3_on(d):
    """(12), exactly: for N(0, I) both are polynomials of degree 4 in v and in x."""
    nodes, weights = gauss_hermite((np.zeros(2 * d), np.eye(2 * d)), 5)
    x, v = nodes[:, :d], nodes[:, None, d:]
    model = Gaussian(np.zeros(d), np.eye(d))
    implicit = ImplicitScoreMatching(x).per_sample(model)              # the mean over v, given x
    for reduced, expected in ((False, d * (d + 2) / 2), (True, 2 * d)):
        terms = SlicedScoreMatching(x, v, reduced).per_sample(model)
        assert abs(weights @ (terms - implicit) ** 2 / expected - 1) < 1e-12


def test_another_second_moment_weighs_the_dimensions_and_keeps_the_minimiser():
    """E_v (1) = tr(S J) + 1/2 psi'S psi for E[v v'] = S; its gradient at the density is 0."""
    A = np.array([[1.3, 0.2, 0.0], [-0.4, 0.7, 0.1], [0.3, 0.0, 0.5]])
    S = A.T @ A
    x, _, _, weights = data()
    exact = directions.coordinate_frame(N, D) @ A                      # 1/M sum_r v_r v_r' = S
    for model in energies():
        psi, J = model.score(x), model.score_jacobian(x)
        expected = np.einsum("ik,nik->n", S, J) + np.einsum("ni,ik,nk->n", psi, S, psi) / 2
        assert relative_gap(SlicedScoreMatching(x, exact).per_sample(model), expected) < 1e-13
    q = Gaussian(np.array([0.3, -0.2, 0.5]), S + np.eye(D))
    nodes, weights = gauss_hermite(q, 3)
    J = SlicedScoreMatching(nodes, np.broadcast_to(exact[0], (len(nodes), D, D)), weights=weights)
    assert np.abs(q.ravel(J.gradient(q))).max() < 1e-13
    assert np.abs(q.ravel(J.gradient(Gaussian(np.zeros(D), np.eye(D))))).max() > 0.1


def test_over_a_frame_the_explicit_form_is_explicit_score_matching_and_takes_a_density():
    x, _, _, _ = data()
    model, _, _, q = energies()
    frame = directions.frames(N, D, np.random.default_rng(10))
    assert relative_gap(
        ExplicitSlicedScoreMatching(x, q, frame).per_sample(model),
        ExplicitScoreMatching(x, q).per_sample(model)) < 1e-14


def test_the_directions_are_held_without_a_copy_and_go_with_their_points():
    x, v, target, _ = data()
    for J in (SlicedScoreMatching(x, v), ExplicitSlicedScoreMatching(x, target, v)):
        assert np.shares_memory(J.directions, v)
        assert J.arrays_per_point == R
        assert not J.directions.flags.writeable
        assert np.array_equal(J.take([5, 2]).directions, v[[5, 2]])
    shared = directions.all_signs(N, D)
    assert SlicedScoreMatching(x, shared).directions.strides[0] == 0


@pytest.mark.parametrize("make, error, sentence", [
    (lambda x, v: SlicedScoreMatching(x, v[:, 0]), ValueError,
     "directions must have shape (7, M, 3), but its shape is (7, 3)"),
    (lambda x, v: SlicedScoreMatching(x, v[:5]), ValueError,
     "directions must have shape (7, M, 3), but its shape is (5, 6, 3)"),
    (lambda x, v: SlicedScoreMatching(x, v[:, :0]), ValueError,
     "directions must have shape (7, M, 3), but its shape is (7, 0, 3) (empty)"),
    (lambda x, v: ExplicitSlicedScoreMatching(x, x, v[:, :, :1]), ValueError,
     "directions must have shape (7, M, 3), but its shape is (7, 6, 1)"),
    (lambda x, v: ExplicitSlicedScoreMatching(x, x[:5], v), ValueError,
     "data_score must have shape (7, 3), but its shape is (5, 3)"),
    (lambda x, v: SlicedScoreMatching(x, np.full_like(v, np.inf)), ValueError,
     "directions must be finite, but it has inf at (0, 0, 0)"),
    (lambda x, v: SlicedScoreMatching(x, v, np.ones(N)), TypeError,
     "variance_reduced must be True or False, but it is of type ndarray"),
])
def test_bad_input_is_one_sentence(make, error, sentence):
    x, v, _, _ = data()
    with pytest.raises(error) as caught:
        make(x, v)
    assert str(caught.value) == sentence
