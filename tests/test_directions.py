"""Directions: E[v v'] = I exactly where that is promised, within sampling error elsewhere."""
from fractions import Fraction

import numpy as np
import pytest
from oracles import relative_gap

from refsm import directions
from refsm.expectations import gauss_hermite

N, M, D = 5, 7, 3


def second_moment(v):
    """The mean of v v' over the directions of each point, (n, d, d)."""
    return np.einsum("nri,nrk->nik", v, v) / v.shape[1]


@pytest.mark.parametrize("make", [directions.gaussian, directions.signs, directions.sphere])
def test_random_directions_have_the_identity_as_their_second_moment(make):
    v = make(N, M, D, np.random.default_rng(0))
    assert v.shape == (N, M, D)
    assert v.dtype == np.float64
    many = make(1, 40_000, D, np.random.default_rng(1))
    # entries of v v' have a variance of at most 2: 40 000 directions leave 0.007; 5 of these never
    # happen by chance
    assert np.abs(second_moment(many)[0] - np.eye(D)).max() < 5 * 0.0071
    assert np.abs(many.mean(axis=1)).max() < 5 * 0.005


class Nodes(np.random.Generator):
    """A generator whose normal numbers are the 2^d nodes of a rule: their v v' has the mean I."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def standard_normal(self, size):
        return directions.all_signs(size[0], D)


def test_normal_draws_whose_second_moment_is_the_identity_are_the_directions():
    v = directions.gaussian(N, 2**D, D, Nodes())
    assert v.shape == (N, 2**D, D)
    assert np.array_equal(second_moment(v), np.broadcast_to(np.eye(D), (N, D, D)))


def test_each_kind_is_what_its_name_says():
    rng = np.random.default_rng(2)
    assert set(directions.signs(N, M, D, rng).ravel()) == {-1.0, 1.0}
    v = directions.sphere(N, M, D, rng)
    assert relative_gap((v * v).sum(axis=-1), np.full((N, M), 3.0)) < 1e-14
    g = directions.gaussian(1, 40_000, D, rng)
    # the fourth moment of a standard normal
    assert abs((g**4).mean() - 3) < 5 * np.sqrt(96 / 120_000)


@pytest.mark.parametrize("make", [
    lambda: directions.frames(N, D, np.random.default_rng(3)), lambda: directions.all_signs(N, D),
    lambda: directions.coordinate_frame(N, D)
],
                         ids=["frames", "all_signs", "coordinate_frame"])
def test_exact_directions_have_the_identity_as_their_second_moment_at_every_point(make):
    v = make()
    assert np.abs(second_moment(v) - np.eye(D)).max() < D**2 * 2.0**-52     # of orthogonal frames
    assert len(v) == N


def test_frames_are_orthogonal_and_differ_from_point_to_point():
    v = directions.frames(N, D, np.random.default_rng(4))
    assert v.shape == (N, D, D)
    error = np.abs(v @ v.transpose(0, 2, 1) - 3 * np.eye(D))
    assert error.max() < 3 * D**2 * 2.0**-52            # the error of a QR decomposition of size D
    assert np.abs(v[0] - v[1]).min() > 1e-3


def test_frames_are_uniformly_distributed():
    v = directions.frames(20_000, D, np.random.default_rng(5)) / np.sqrt(D)
    n = len(v)
    # entries of a Haar matrix: mean 0, variance 1/3; its trace has mean 0 and variance 1 (Diaconis
    # & Shahshahani 1994)
    assert np.abs(v.mean(axis=0)).max() < 5 * np.sqrt(1 / 3 / n)
    trace = np.trace(v, axis1=1, axis2=2)
    assert abs(trace.mean()) < 5 / np.sqrt(n)
    assert abs((trace**2).mean() - 1) < 5 * np.sqrt(2 / n)
    # rotations and reflections alike
    assert abs(np.linalg.det(v).mean()) < 5 / np.sqrt(n)


def test_a_frame_is_the_factor_of_the_generators_normals_with_a_positive_diagonal():
    v = directions.frames(N, D, np.random.default_rng(6))
    G = np.random.default_rng(6).standard_normal((N, D, D))
    # Q' G is triangular, with a positive diagonal
    R = v @ G / np.sqrt(D)
    assert np.abs(np.tril(R, -1)).max() < 1e-14
    assert (np.diagonal(R, axis1=1, axis2=2) > 0).all()


def test_all_signs_are_all_and_each_once():
    v = directions.all_signs(N, D)
    assert v.shape == (N, 2**D, D)
    assert len({tuple(row) for row in v[3]}) == 2**D
    assert (np.abs(v) == 1).all()
    # the points share their memory
    assert v.strides[0] == 0
    assert directions.all_signs(1, 16).shape == (1, 65536, 16)


def test_the_coordinate_frame_is_diagonal_and_whole_for_a_perfect_square():
    v = directions.coordinate_frame(N, 9)
    assert np.array_equal(v, np.broadcast_to(3 * np.eye(9), (N, 9, 9)))
    assert np.array_equal(directions.coordinate_frame(N, D)[2], np.sqrt(3) * np.eye(3))


def second_moment_exact(v):
    return (v[:, :, None] * v[:, None, :]).sum(axis=0) / len(v)


def test_rational_directions_are_the_same_numbers_exactly():
    v = directions.rational(directions.all_signs(2, D))
    assert v.shape == (2, 2**D, D)
    moment = second_moment_exact(v[1])
    assert (moment == np.eye(D, dtype=int)).all()
    assert directions.rational([0.1])[0] == Fraction(3602879701896397, 36028797018963968)
    assert type(directions.rational(np.array([3]))[0].numerator) is int


# -- the variance of v'Av -----------------------------------------------------------------------

A = np.array([[1.3, 0.4, -0.2], [0.4, -0.7, 0.9], [-0.2, 0.9, 0.5]])
SQUARE, TRACE, DIAGONAL = (A * A).sum(), np.trace(A), (np.diag(A) ** 2).sum()
GAUSSIAN = 2 * SQUARE
SIGNS = 2 * (SQUARE - DIAGONAL)
SPHERE = 2 * D / (D + 2) * (SQUARE - TRACE**2 / D)


def forms(v):
    return np.einsum("...i,ik,...k->...", v, A, v)


def test_the_variance_over_gaussian_vectors_is_exact_by_quadrature():
    v, weights = gauss_hermite((np.zeros(D), np.eye(D)), 3)            # degree 4 is exact
    assert abs(weights @ forms(v) - TRACE) < 1e-13
    assert abs(weights @ (forms(v) - TRACE) ** 2 / GAUSSIAN - 1) < 1e-13


def test_the_variance_over_signs_is_exact_by_enumeration():
    values = forms(directions.all_signs(1, D)[0])
    assert abs(values.mean() - TRACE) < 1e-14
    assert abs(values.var() / SIGNS - 1) < 1e-14


def test_the_variance_over_the_sphere_is_exact_by_quadrature():
    """Gauss-Legendre nodes along the axis, equal angles around it: exact for degree 4."""
    z, w = np.polynomial.legendre.leggauss(5)
    angle = 2 * np.pi * np.arange(7) / 7
    r = np.sqrt(1 - z**2)[:, None]
    along = np.tile(z[:, None], 7)
    v = np.sqrt(D) * np.stack([r * np.cos(angle), r * np.sin(angle), along], axis=-1)
    weights = np.repeat(w / 2 / 7, 7)
    values = forms(v).ravel()
    assert abs(weights @ values - TRACE) < 1e-14
    assert abs(weights @ (values - TRACE) ** 2 / SPHERE - 1) < 1e-13


@pytest.mark.parametrize("M", [1, 2, 3])
@pytest.mark.parametrize("kind, one", [("gaussian", GAUSSIAN), ("signs", SIGNS),
                                       ("sphere", SPHERE)])
def test_more_directions_divide_the_variance(kind, one, M):
    values = forms(getattr(directions, kind)(40_000, M, D, np.random.default_rng(7))).mean(axis=1)
    # 40 000 squares of a skewed variable: 5 %, more than five of their standard deviations
    assert abs(values.var() / (one / M) - 1) < 0.05


def test_vectors_of_one_frame_share_what_a_whole_frame_does_not_vary():
    values = forms(directions.frames(40_000, D, np.random.default_rng(8)))
    assert np.abs(values.mean(axis=1) - TRACE).max() < 1e-13
    for M in (1, 2):
        expected = SPHERE / M * (D - M) / (D - 1)
        assert abs(values[:, :M].mean(axis=1).var() / expected - 1) < 0.05


def test_only_the_symmetric_part_of_a_matrix_enters():
    v = directions.gaussian(N, M, D, np.random.default_rng(9))
    skew = np.array([[0.0, 0.8, -0.3], [-0.8, 0.0, 0.6], [0.3, -0.6, 0.0]])
    assert np.abs(np.einsum("nri,ik,nrk->nr", v, skew, v)).max() < 1e-14


@pytest.mark.parametrize("make, error, sentence", [
    (lambda: directions.gaussian(0, M, D, np.random.default_rng(0)), ValueError,
     "n must be a whole number >= 1, but it is 0"),
    (lambda: directions.signs(N, 2.5, D, np.random.default_rng(0)), ValueError,
     "M must be a whole number >= 1, but it is 2.5"),
    (lambda: directions.sphere(N, M, -3, np.random.default_rng(0)), ValueError,
     "d must be a whole number >= 1, but it is -3"),
    (lambda: directions.frames(N, 0, np.random.default_rng(0)), ValueError,
     "d must be a whole number >= 1, but it is 0"),
    (lambda: directions.all_signs(0, D), ValueError, "n must be a whole number >= 1, but it is 0"),
    (lambda: directions.coordinate_frame(N, "3"), ValueError,
     "d must be a whole number >= 1, but it is '3'"),
    (lambda: directions.all_signs(1, 17), ValueError,
     "d must be at most 16, which has 65536 vectors of signs, but it is 17"),
    (lambda: directions.gaussian(N, M, D, 7), TypeError,
     "rng must be a numpy.random.Generator, but it is 7"),
    (lambda: directions.signs(N, M, D, np.random), TypeError, None),
    (lambda: directions.rational(["a"]), TypeError, "v must be numbers, but its dtype is <U1"),
])
def test_bad_input_is_one_sentence(make, error, sentence):
    with pytest.raises(error) as caught:
        make()
    assert sentence is None or str(caught.value) == sentence
