"""Formulas that are a squared residual, and what takes the place of one."""
import numpy as np
import pytest

from refsm.verify import cases
from refsm.verify.mistakes import formulas
from refsm.verify.cases.quantities import Quantities


def words(formula):
    return tuple(mistake.words for mistake in formula.mistakes)


def found(objective, *mistakes):
    """A case, and the terms that the formula with these slips has for it, its constant included."""
    case = cases(objective, "prime")[6]
    formula = next(f for f in formulas(objective, case.model) if words(f) == mistakes)
    q = Quantities(case)
    return case, sum(
        term.per_sample(q)
        for term in (*formula.terms, *([formula.constant] if formula.constant else [])))


def sq(a):
    return (a * a).sum(axis=-1)


@pytest.mark.parametrize(
    "mistake, vector",
    [("target: the clean point is left out of it", lambda c: -c.x_noisy / c.sigma**2),
     ("target: the noisy point is left out of it", lambda c: c.x / c.sigma**2),
     ("target: the sum of the two points", lambda c: (c.x + c.x_noisy) / c.sigma**2),
     ("compared with the target of the next point", lambda c: np.roll(
         (c.x - c.x_noisy) / c.sigma**2, -1, axis=0))])
def test_targets_by_hand(mistake, vector):
    case, terms = found("dsm", mistake)
    assert np.allclose(terms, sq(case.score(case.x_noisy) - vector(case)) / 2)


def test_points_and_dimensions_by_hand():
    case, terms = found("dsm", "the score is read at x", "only the first two dimensions")
    r = case.score(case.x) - (case.x - case.x_noisy) / case.sigma**2
    assert np.allclose(terms, sq(r[:, :2]) / 2)


def test_no_squares_by_hand():
    case, terms = found("dsm", "the norm is not squared", "the target is multiplied by -1")
    assert np.allclose(
        terms, np.sqrt(sq(case.score(case.x_noisy) + (case.x - case.x_noisy) / case.sigma**2)))


def test_autoencoders_by_hand():
    case, terms = found("dae", "hidden units: tanh in place of sigmoid")
    p = case.params
    y = np.tanh(case.x_noisy @ p["W"].T + p["b"]) @ p["W"] + p["c"]
    assert np.allclose(terms, sq(y - case.x))
    case, terms = found("dae", "the output passes through a sigmoid")
    assert np.allclose(terms, sq(1 / (1 + np.exp(-case.reconstruct(case.x_noisy))) - case.x))
    case, terms = found("dae", "cross-entropy in place of the squared error")
    y = 1 / (1 + np.exp(-case.reconstruct(case.x_noisy)))
    assert np.allclose(terms, -(case.x * np.log(y) + (1 - case.x) * np.log(1 - y)).sum(axis=1))
    case, terms = found("dae", "the encoder sees x",
                        "compared with the noisy point, not the clean one")
    assert np.allclose(terms, sq(case.reconstruct(case.x) - case.x_noisy))


def test_a_parameter_left_out_by_hand():
    case, terms = found("esm", "the model's c is left out")
    assert np.allclose(
        terms,
        sq(case.score(case.x) - case.params["c"] / case.sigma**2 - case.data_score) / 2)


def test_every_pair_by_hand():
    case, terms = found("dsm", "every output is compared with every target: (n, n) in place of n")
    psi, g = case.score(case.x_noisy), (case.x - case.x_noisy) / case.sigma**2
    assert np.isclose(terms.mean(), sq(psi[:, None] - g[None]).mean() / 2)
    case, terms = found("dae", "every output is compared with every target: (n, n) in place of n")
    assert np.isclose(terms.mean(),
                      sq(case.reconstruct(case.x_noisy)[:, None] - case.x[None]).mean())


@pytest.mark.parametrize(
    "mistake, goal",
    [("compared with x - x_noisy, the denoising step", lambda c: c.x - c.x_noisy),
     ("compared with the point halfway between x and x_noisy", lambda c: c.x / 2 + c.x_noisy / 2),
     ("compared with the targets in reverse order", lambda c: c.x[::-1]),
     ("compared with the target of the point before", lambda c: np.roll(c.x, 1, axis=0))])
def test_what_a_reconstruction_is_compared_with_by_hand(mistake, goal):
    case, terms = found("dae", mistake)
    assert np.allclose(terms, sq(case.reconstruct(case.x_noisy) - goal(case)))


@pytest.mark.parametrize("words, scale", [("lacks its 1/2", lambda s: s**2),
                                          ("has sigma for sigma^2", lambda s: 2 * s),
                                          ("has sigma^4 for sigma^2", lambda s: 2 * s**4),
                                          ("has 1 for sigma^2", lambda s: 2),
                                          ("has 4 sigma^2 for 2 sigma^2", lambda s: 4 * s**2)])
def test_an_exponent_alone_by_hand(words, scale):
    case, terms = found("parzen_esm", f"target: the exponent alone {words}")
    apart = case.x[None] - case.x_noisy[:, None]
    kernel = np.exp(-sq(apart) / scale(case.sigma))
    share = kernel / kernel.sum(axis=1, keepdims=True)
    assert np.allclose(
        terms,
        sq(case.score(case.x_noisy) - np.einsum("nk,nki->ni", share, apart) / case.sigma**2) / 2)
