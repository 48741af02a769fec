"""Corruption processes: samples, scores against gradients of log q, exact rationals, errors."""
import pickle
from fractions import Fraction

import numpy as np
import pytest
from oracles import complex_gradient, relative_gap
from scipy.stats import multivariate_normal

from refsm.corruption import (CovarianceCorruption, DiagonalCorruption, GaussianCorruption,
                              ScaledCorruption, corruption)

N, D = 7, 3
C = np.array([[0.5, 0.2, -0.1], [0.2, 0.7, 0.3], [-0.1, 0.3, 0.9]])
SIGMAS = [0.37, 0.61, 1.3]
CASES = {"isotropic": (GaussianCorruption(0.37), 1, 0.37**2 * np.eye(D)),
         "diagonal": (DiagonalCorruption(SIGMAS), 1, np.diag(np.square(SIGMAS))),
         "covariance": (CovarianceCorruption(C), 1, C),
         "scaled": (ScaledCorruption(0.8, 0.37), 0.8, 0.37**2 * np.eye(D))}
all_cases = pytest.mark.parametrize("process, alpha, covariance", CASES.values(), ids=CASES.keys())


def data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, D)), rng.standard_normal((N, D))


@all_cases
def test_the_score_is_the_gradient_of_log_q(process, alpha, covariance):
    x, x_noisy = data()
    precision = np.linalg.inv(covariance)

    def log_q(y):
        r = y - alpha * x
        return -np.einsum("ni,ik,nk->", r, precision, r) / 2

    assert relative_gap(process.score(x_noisy, x), complex_gradient(log_q, x_noisy)) < 1e-13


@all_cases
def test_samples_have_the_mean_and_the_covariance_of_q(process, alpha, covariance):
    x = np.tile(data()[0][:1], (40_000, 1))
    x_noisy = process.sample(x, np.random.default_rng(3))
    assert x_noisy.shape == x.shape
    # 40 000 samples: the error of a mean is 1/200 of a standard deviation; 5 of these never happen
    assert np.all(
        np.abs(x_noisy.mean(axis=0) - alpha * x[0]) < 5 / 200 * np.sqrt(np.diag(covariance)))
    assert np.all(
        np.abs(np.cov(x_noisy.T) - covariance) < 5 / 200 * np.sqrt(2) *
        np.sqrt(np.outer(np.diag(covariance), np.diag(covariance))))


@all_cases
def test_a_sample_is_made_from_the_generators_standard_normals(process, alpha, covariance):
    x, _ = data()
    eps = np.random.default_rng(5).standard_normal((N, D))
    assert np.array_equal(process.sample(x, np.random.default_rng(5)), process.noisy(x, eps))
    moved = process.noisy(np.zeros((D, D)), np.eye(D))              # rows are the columns of L
    assert relative_gap(moved.T @ moved, covariance) < 1e-14


@all_cases
def test_the_score_of_a_sample_is_the_noise_whitened(process, alpha, covariance):
    x, eps = data()
    L = np.linalg.cholesky(covariance)
    score = process.score(process.noisy(x, eps), x)
    assert relative_gap(score, -np.linalg.solve(L.T, eps.T).T) < 1e-13


@all_cases
def test_covariance_times_is_the_covariance_times_vectors(process, alpha, covariance):
    u = np.random.default_rng(1).standard_normal((5, N, D))
    assert relative_gap(process.covariance_times(u), np.einsum("ik,abk->abi", covariance,
                                                               u)) < 1e-14
    assert process.alpha == alpha
    log_q = multivariate_normal(np.zeros(D), process.covariance_times(np.eye(D)))
    assert np.isfinite(log_q.logpdf(u[0])).all()                    # a valid covariance


@all_cases
def test_the_unchecked_target_is_the_score(process, alpha, covariance):
    x, x_noisy = data()
    assert np.array_equal(process.target(x_noisy, x), process.score(x_noisy, x))


@all_cases
def test_complex_steps_and_longdouble_pass_through_the_score(process, alpha, covariance):
    x, x_noisy = data()
    moved = process.score(x_noisy + 1e-30j, x)
    slope = -np.linalg.inv(covariance).sum(axis=1) * np.ones((N, 1))
    assert relative_gap(moved.imag / 1e-30, slope) < 1e-13
    wide = process.score(x_noisy.astype(np.longdouble), x.astype(np.longdouble))
    assert wide.dtype == np.longdouble
    assert relative_gap(wide, process.score(x_noisy, x)) < 1e-14


def test_exact_rationals_pass_through_the_score():
    x = np.array([[Fraction(1, 3), Fraction(2)]])
    x_noisy = np.array([[Fraction(1, 2), Fraction(1)]])
    sigma, alpha = Fraction(2, 5), Fraction(3, 4)
    assert GaussianCorruption(sigma).score(x_noisy,
                                           x).tolist() == [[Fraction(-25, 24),
                                                            Fraction(25, 4)]]
    assert DiagonalCorruption([sigma, 1]).score(x_noisy, x).tolist() == [[Fraction(-25, 24), 1]]
    assert ScaledCorruption(alpha,
                            sigma).score(x_noisy,
                                         x).tolist() == [[Fraction(-25, 16),
                                                          Fraction(25, 8)]]


def test_a_rational_sigma_makes_samples_in_floats():
    x_noisy = GaussianCorruption(Fraction(1, 4)).sample(np.ones((N, D)), np.random.default_rng(0))
    assert x_noisy.dtype == np.float64
    assert np.array_equal(
        x_noisy,
        GaussianCorruption(0.25).sample(np.ones((N, D)), np.random.default_rng(0)))


def test_a_diagonal_covariance_is_the_isotropic_case():
    x, x_noisy = data()
    isotropic = GaussianCorruption(0.7).score(x_noisy, x)
    assert relative_gap(CovarianceCorruption(0.49 * np.eye(D)).score(x_noisy, x), isotropic) < 1e-14
    assert np.array_equal(DiagonalCorruption(np.full(D, 0.7)).score(x_noisy, x), isotropic)
    assert relative_gap(ScaledCorruption(1.0, 0.7).score(x_noisy, x), isotropic) < 1e-14


@pytest.mark.parametrize("make, error, sentence", [
    (lambda: GaussianCorruption(0.0), ValueError, "sigma must be finite and > 0, but it is 0.0"),
    (lambda: GaussianCorruption("a"), TypeError, "sigma must be a number > 0, but it is 'a'"),
    (lambda: DiagonalCorruption(0.5), ValueError,
     "sigma must have shape (d,), but its shape is ()"),
    (lambda: DiagonalCorruption([0.5, 0.0]), ValueError,
     "sigma[1] must be finite and > 0, but it is 0.0"),
    (lambda: DiagonalCorruption([-0.5, 0.5]), ValueError,
     "sigma[0] must be finite and > 0, but it is -0.5"),
    (lambda: DiagonalCorruption([0.5, np.nan]), ValueError,
     "sigma must be finite, but it has nan at (1,)"),
    (lambda: DiagonalCorruption([0.5, 1e-80]), ValueError,
     "sigma[1] must be between 1e-75 and 1e+75, because losses divide by its fourth power, "
     "but it is 1e-80"),
    (lambda: DiagonalCorruption([0.5, 1j]), TypeError,
     "sigma[0] must be a number > 0, but it is (0.5+0j)"),
    (lambda: DiagonalCorruption(SIGMAS).score(np.ones((3, 5)), np.ones((3, 5))), ValueError,
     "x_noisy must have shape (n, 3), but its shape is (3, 5)"),
    (lambda: ScaledCorruption(-1.0, 0.5), ValueError,
     "alpha must be finite and > 0, but it is -1.0"),
    (lambda: ScaledCorruption(0.5, np.inf), ValueError,
     "sigma must be finite and > 0, but it is inf"),
    (lambda: CovarianceCorruption(np.ones((3, 5))), ValueError,
     "covariance must have shape (d, d), but its shape is (3, 5)"),
    (lambda: CovarianceCorruption([[1.0, 0.5], [0.25, 1.0]]), ValueError,
     "covariance must be symmetric, but entry (0, 1) is 0.5 and entry (1, 0) is 0.25"),
    (lambda: CovarianceCorruption([[1.0, 2.0], [2.0, 1.0]]), ValueError,
     "covariance must be positive definite, but its smallest eigenvalue is -1"),
    (lambda: CovarianceCorruption(np.zeros((3, 3))), ValueError,
     "covariance must be positive definite, but its smallest eigenvalue is 0"),
    (lambda: CovarianceCorruption([[1.0, 0], [0, 1j]]), TypeError,
     "covariance must be real, but it is complex"),
    (lambda: CovarianceCorruption([[np.nan]]), ValueError,
     "covariance must be finite, but it has nan at (0, 0)"),
    (lambda: corruption("a"), TypeError,
     "corruption must be a number sigma > 0 or a process such as "
     "GaussianCorruption, but it is of type str"),
    (lambda: corruption(np.eye(3)), TypeError,
     "corruption must be a number sigma > 0 or a process such as "
     "GaussianCorruption, but it is of type ndarray"),
    (lambda: corruption(True), TypeError,
     "corruption must be a number sigma > 0 or a process such as "
     "GaussianCorruption, but it is of type bool"),
    (lambda: corruption(-0.5), ValueError, "corruption must be finite and > 0, but it is -0.5"),
    (lambda: CovarianceCorruption(C).score(np.ones((3, 5)), np.ones((3, 5))), ValueError,
     "x_noisy must have shape (n, 3), but its shape is (3, 5)"),
    (lambda: CovarianceCorruption(C).sample(np.ones((3, 5)), np.random.default_rng(0)), ValueError,
     "x must have shape (n, 3), but its shape is (3, 5)"),
    (lambda: GaussianCorruption(0.5).score(np.ones((3, 5)), np.ones((5, 3))), ValueError,
     "x must have shape (3, 5), but its shape is (5, 3)"),
    (lambda: GaussianCorruption(0.5).sample(np.ones((3, 5)), 0), TypeError,
     "rng must be a numpy.random.Generator, but it is 0"),
])
def test_bad_input_is_one_sentence(make, error, sentence):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == sentence


def test_a_covariance_may_be_asymmetric_by_rounding_and_is_held_symmetric():
    skewed = C.copy()
    # the largest entry is 0.9, the bound 2^-30 of it
    skewed[0, 1] += 0.89 * 2**-30
    held = CovarianceCorruption(skewed).covariance
    assert np.array_equal(held, held.T)
    assert abs(held[0, 1] - (0.2 + 0.445 * 2**-30)) < 1e-16
    skewed[0, 1] = 0.2 + 0.91 * 2**-30
    with pytest.raises(ValueError, match="symmetric"):
        CovarianceCorruption(skewed)


def test_a_process_is_taken_as_it_is_and_a_number_is_a_standard_deviation():
    process = ScaledCorruption(0.5, 0.25)
    assert corruption(process) is process
    assert corruption(np.float32(0.5)) == GaussianCorruption(0.5)


def test_processes_pickle_and_their_arrays_are_read_only_copies():
    given = C.copy()
    process = CovarianceCorruption(given)
    given[0, 0] = 7
    again = pickle.loads(pickle.dumps(process))
    for p in (process, again):
        assert np.array_equal(p.covariance, C)
        assert not p.covariance.flags.writeable
    x, x_noisy = data()
    assert np.array_equal(again.score(x_noisy, x), process.score(x_noisy, x))
    sigma = np.array(SIGMAS)
    diagonal = DiagonalCorruption(sigma)
    sigma[0] = 7
    for p in (diagonal, pickle.loads(pickle.dumps(diagonal))):
        assert p.sigma.tolist() == SIGMAS
        assert not p.sigma.flags.writeable
        assert repr(p) == "DiagonalCorruption(sigma: (3,))"
    assert repr(process) == "CovarianceCorruption(covariance: (3, 3))"
    assert pickle.loads(pickle.dumps(ScaledCorruption(0.5, 0.25))) == ScaledCorruption(0.5, 0.25)


def test_an_integer_covariance_works():
    assert CovarianceCorruption([[4, 0], [0, 9]]).score([[0, 0]], [[4, 9]]).tolist() == [[1.0, 1.0]]


def test_ill_conditioned_noise_keeps_its_accuracy():
    wide = CovarianceCorruption(np.diag([1e-12, 1.0, 1e12]))
    score = wide.score(np.zeros((1, D)), np.array([[1e-12, 1.0, 1e12]]))
    assert relative_gap(score, np.ones((1, D))) < 1e-14
