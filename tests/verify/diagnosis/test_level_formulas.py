"""Formulas of a level: powers of alpha and sigma, and numbers that agree."""
import numpy as np
import pytest

from refsm.verify.cases.levels import COMPUTED
from refsm.verify.diagnosis import level_formulas
from refsm.verify.diagnosis.level_formulas import (Name, common, formula, other_levels,
                                                   power_of_levels, within)


@pytest.mark.parametrize("words, taken", COMPUTED.items())
def test_what_is_computed_is_right_at_levels_that_satisfy_it(words, taken):
    s = np.array([0.2, 0.7])
    alpha = np.sqrt(1 - s**2) if "sqrt" in words else 1 - s
    assert np.allclose(taken(alpha, s), (alpha, s), rtol=1e-13)


def test_with_alpha_one_no_process_is_taken_and_nothing_is_exchanged():
    s = np.array([[0.2, 0.7, 0.9]])
    assert [words for words, *_ in other_levels(np.ones(s.shape), s)] == [
        "", ", at the next level of noise", ", at the previous level of noise",
        ", at the levels in reverse order", ", at the next level of noise (the last keeps its own)",
        ", at the previous level of noise (the first keeps its own)"]


def test_the_other_levels_are_those_that_are_said():
    a, s = np.array([[0.9, 0.5, 0.2]]), np.array([[0.3, 0.6, 1.4]])
    found = {words: (alpha.ravel().tolist(), sigma.ravel().tolist())
             for words, alpha, sigma in other_levels(a, s)}
    assert found[", at the next level of noise"] == ([0.5, 0.2, 0.9], [0.6, 1.4, 0.3])
    assert found[", at the previous level of noise"] == ([0.2, 0.9, 0.5], [1.4, 0.3, 0.6])
    assert found[", at the next level of noise (the last keeps its own)"] == (
        [0.5, 0.2, 0.2], [0.6, 1.4, 1.4])
    assert found[", at the previous level of noise (the first keeps its own)"] == (
        [0.9, 0.9, 0.5], [0.3, 0.3, 0.6])
    assert found[", with the sigma of the next level of noise"] == (a[0].tolist(), [0.6, 1.4, 0.3])
    assert found[", at the levels in reverse order"] == ([0.2, 0.5, 0.9], [1.4, 0.6, 0.3])
    assert found[", with alpha and sigma exchanged"] == ([0.3, 0.6, 1.4], [0.9, 0.5, 0.2])
    assert np.allclose(found[", with sqrt(1 - alpha^2) for sigma"][1],
                       [0.19**0.5, 0.75**0.5, 0.96**0.5], rtol=1e-13)
    assert np.allclose(found[", with 1 - sigma for alpha"][0], [0.7, 0.4, -0.4], rtol=1e-13)
    assert np.allclose(found[", with 1 - alpha for sigma"][1], [0.1, 0.5, 0.8], rtol=1e-13)
    for words, alpha, sigma in ((", with the square roots of alpha and sigma", A**0.5, S**0.5),
                                (", with the squares of alpha and sigma", A * A, S * S),
                                (", with alpha^2 and sqrt(1 - alpha^4)", A * A, (1 - A**4)**0.5)):
        assert np.allclose(found[words], [alpha[0], sigma[0]], rtol=1e-13), words


A, S = np.array([[0.9, 0.5, 0.2]]), np.array([[0.3, 0.6, 1.4]])


@pytest.mark.parametrize("p, r, words", [
    (3 * A, -S**2, "3 alpha x - sigma^2 noise"),
    (2 - A / S, -S / S, "2 x - x_noisy / sigma"),                     # t = -1 / sigma, q = 2
    (A, -S, "x_noisy - 2 sigma noise"),
    (A * S, S**2 - 1, "sigma x_noisy - noise"), (0 * A, 0 * S, "0")])
def test_a_target_is_two_powers_of_the_level(p, r, words):
    found = formula(np.array([p, r]), np.full((2, 1, 3), 1e-9), (A, S, np.array([[0.5]])), (A, S))
    assert found.words == f"compared with {words}"


@pytest.mark.parametrize("point, tried", [((0 * A + 1, S), 6), ((0 * A + 1, 2 * S), 10)])
def test_the_point_of_reading_is_tried_where_it_is_another_than_x_noisy(monkeypatch, point, tried):
    asked = []
    monkeypatch.setattr(level_formulas, "power_of_levels", lambda *of: asked.append(of))
    levels = (0 * A + 1, S, S)                             # alpha = 1: nothing is computed from it
    assert formula(np.array([A, S]), np.full((2, 1, 3), 1e-9), levels, point) is None
    assert len(asked) == tried


def test_a_name_changes_no_weight():
    assert Name("compared with x") == ("compared with x", "", 1.0, 0.0)


def test_a_power_is_read_from_the_values_that_are_ten_times_their_error():
    alpha, sigma = np.array([[0.9, 0.5, 0.2, 1.25]]), np.array([[0.3, 0.6, 1.4, 0.7]])
    error = np.array([[1e-9, 1e-9, 1e-9, 0.125]])
    assert str(power_of_levels(alpha, error, alpha, sigma)) == "alpha"
    error[0, 2:] = 0.2 / 10.5, 2.0                        # three values tell two powers, not two
    assert str(power_of_levels(3 * alpha, 3 * error, alpha, sigma)) == "3 alpha"
    assert power_of_levels(0 * alpha, error, alpha, sigma).is_zero
    assert power_of_levels(error[:, ::-1], error, alpha, sigma) is None


def test_values_that_are_a_power_exactly_need_no_error():
    exact = np.array([[0.5, 0.25, 0.125]])
    assert str(power_of_levels(exact, 0 * exact, exact, S)) == "alpha"


@pytest.mark.parametrize("values, power", [
    (2 * S, "2 sigma"), (A**2, "alpha^2"), (S / 2, "sigma / 2"), (3 * A, None), (A * S, None)])
def test_two_levels_tell_powers_of_one_with_a_plain_factor(values, power):
    found = power_of_levels(values[:, :2], np.full((1, 2), 1e-12), A[:, :2], S[:, :2])
    assert (None if found is None else str(found)) == power


def test_a_point_that_is_x_alone_or_noise_alone_has_no_formula_of_its_own():
    pr = np.array([3 * A, -S**2])
    for point in ((A, 0 * S), (0 * A, S)):
        found = formula(pr, np.full(pr.shape, 1e-9), (A, S, np.array([[0.5]])), point)
        assert found.words == "compared with 3 alpha x - sigma^2 noise"


def test_a_target_of_no_powers_has_no_formula():
    pr = np.array([np.exp(A), np.sin(S)])
    assert formula(pr, np.full(pr.shape, 1e-9), (A, S, np.array([[0.5]])), (A, S)) is None


def test_a_power_of_one_minus_sigma_may_be_negative():
    one = np.array([[0.4, -0.2, -1.5]])
    for sign in (1, -1):
        found = power_of_levels(sign * 3 * one, 1e-9 + 0 * one, one, one + 3)
        assert str(found) == f"{'' if sign == 1 else '-'}3 alpha"
    assert power_of_levels(np.abs(one), 1e-9 + 0 * one, one, one + 3) is None


@pytest.mark.parametrize("p, r, right", [(0, 0, True), (0.25, 0.5, True), (-0.25, -0.5, True),
                                         (0.26, 0, False), (-0.26, 0, False), (0, 0.51, False)])
def test_a_target_is_another_within_both_bounds(p, r, right):
    bound = np.array([[[0.25] * 3], [[0.5] * 3]])
    pr = np.array([[[3.0 + p, 5.0, 7.0]], [[3.0, 5.0 + r, 7.0]]])
    assert within(pr, bound, np.array([[3, 5, 7]]), np.array([[3, 5, 7]])) == right


def test_numbers_are_one_where_their_errors_overlap():
    assert common(np.array([1.0, 1.1]), np.array([0.06, 0.06])) == pytest.approx(1.05)
    assert common(np.array([1.5, 1.5]), np.zeros(2)) == 1.5
    assert common(np.array([1.0, 1.1]), np.array([0.06, 0.03])) is None
    assert common(np.array([1.0, 1.1]), np.array([0.03, 0.06])) is None


@pytest.mark.parametrize("times, right", [(0.98, True), (1.02, False)])
@pytest.mark.parametrize("which", ["p", "r"])
@pytest.mark.parametrize("p, r, words", [
    (A - 1, S, "x_noisy - x"),                             # in x and x_noisy, equation (1)
    (A, S - 1, "x_noisy - noise")])                        # in x_noisy and noise, equation (2)
def test_a_formula_is_as_exact_as_its_target(p, r, words, which, times, right):
    """A change of p or r at one level moves the coefficients by as much as their bounds allow."""
    pr, bound = np.array([p, r]), np.full((2, 1, 3), 1e-13)
    k = "pr".index(which)
    bound[k] = 1e-7
    pr[k, 0, 0] += times * 1e-7
    found = formula(pr, bound, (A, S, np.array([[0.5]])), (A, S))
    assert (found is not None and found.words == f"compared with {words}") == right
