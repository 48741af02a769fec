"""A target of clean point and noise is named: at other levels, or as a formula."""
import numpy as np
import pytest

from refsm.verify.diagnosis.target_names import name_of_target

LEVELS = np.array([(252, 16), (204, 156), (80, 332)]) / 256         # alpha and sigma, two groups
ALPHA, SIGMA = (np.array([a, a]) for a in LEVELS.T)
DATA_SD = np.array([[0.5], [0.75]])


def name(own, p, r, alpha=ALPHA, bound=1e-9):
    pr = np.stack(np.broadcast_arrays(p, r, alpha)[:2])
    return name_of_target(own, pr, np.full(pr.shape, bound), (alpha, SIGMA, DATA_SD),
                          (alpha, SIGMA))


A, S = ALPHA, SIGMA
OWN = np.sqrt(1 - A**2)                                             # sigma if A^2 + sigma^2 = 1


@pytest.mark.parametrize("own, p, r, words", [
    ("noise", A, S, "compared with x_noisy"),
    ("noise", 0, 2 * S / A, "the target is multiplied by 2 sigma / alpha"),
    ("velocity", S, A, "compared with sigma x + alpha noise"),
    ("velocity", -S * A, A - S**2, "compared with alpha noise - sigma x_noisy"),
    ("score", (1 - A * A) / S**2, -A / S, "compared with x / sigma^2 - alpha x_noisy / sigma^2"),
    ("flow", -2, 1, "compared with noise - 2 x"),
    ("clean", 0, S, "compared with sigma noise"),
    ("clean", 1 - 3e-4 * S, 1e-5, "compared with the right target, but for less than 0.001 of it: "
     "a small number in a denominator, or a small penalty on the output?"),
    ("flow", (A - 1) / (S + 1e-6), S / (S + 1e-6),
     "compared with x_noisy / sigma - x / sigma, but for less than 0.001 of it: a small number in "
     "a denominator, or a small penalty on the output?"),
    ("clean", 1 - A, -S, "compared with x - x_noisy"),
    ("velocity", -OWN**2, A**2,
     "compared with alpha^2 noise - sigma^2 x, with sqrt(1 - alpha^2) for sigma"),
    ("score", 0, -1 / (S + 1e-3), "sigma + 0.001 in place of sigma in the target"),
    ("score", 0, -S / (S**2 + 1e-5), "sigma^2 + 1e-05 in place of sigma^2 in the target"),
    ("score", 0, -(S**2 + 1e-5)**-0.5, "sqrt(sigma^2 + 1e-05) in place of sigma in the target"),
    ("noise", 0, S * (S**2 + 0.1)**-0.5,
     "the target is multiplied by sigma / sqrt(sigma^2 + 0.1)"),
    ("velocity", (A * A - 1) / S, A, "compared with alpha x_noisy / sigma - x / sigma"),
    ("velocity", -S, (1 - S * S) / A, "compared with noise / alpha - sigma x_noisy / alpha"),
    ("velocity", -OWN, A, "compared with the target of a predicted velocity, with sqrt(1 - alpha^2)"
     " for sigma"),
    ("clean", A * A + S * S, 0, "the target is multiplied by alpha^2 + sigma^2"),
    ("clean", A + S, 0, "the target is multiplied by alpha + sigma"),
    ("flow", (A - 1) / S, 1, "compared with x_noisy / sigma - x / sigma"),
    ("noise", (A - 1 + S) / S, 1, "compared with x_noisy / sigma - alpha x / sigma, with 1 - sigma "
     "for alpha"),
    ("flow", -A / (1 - S), 1 + 0 * S, "compared with noise / alpha - x_noisy / alpha, with 1 - "
     "sigma for alpha"),
    ("noise", 0, S / (S + 1e-3), "the target is multiplied by sigma / (sigma + 0.001)"),
    ("score", 0, -1 / S[:, ::-1],
     "compared with the target of a predicted score, at the levels in reverse order")])
def test_a_target_is_a_formula_of_the_level(own, p, r, words):
    found = name(own, p, r)
    assert found.words == words


@pytest.mark.parametrize("own, p, r, words", [
    ("score", (A - 1) / S**2, -1 / S, "and compared with the target of that point"),
    ("score", 0, -1 / S, ""), ("score", 1 / S, 1 + 0 * S, "compared with that point / sigma"),
    ("noise", (1 - A) / S, 1 + 0 * S, "compared with that point / sigma - alpha x / sigma"),
    ("clean", 1 + 0 * S, S - 1, "compared with that point - noise")])
def test_a_target_of_the_point_where_the_output_is_read(own, p, r, words):
    pr = np.stack(np.broadcast_arrays(p, r, A)[:2])             # it is read at x + sigma noise
    found = name_of_target(own, pr, np.full(pr.shape, 1e-9), (A, S, DATA_SD), (1 + 0 * A, S))
    assert found.words == words


def test_a_target_that_is_zero_at_one_level_has_no_small_number_in_it():
    found = name("score", 0, -1 / S * np.array([0, 1, 1]))
    assert found.words.startswith("compared with another combination of clean point and noise: 0 ")


@pytest.mark.parametrize("times, right", [(1.9, True), (2.1, False)])
def test_a_small_number_is_as_exact_as_the_target(times, right):
    """Numbers that agree differ by two errors at most: here of s^2 (1 / m - 1), by m's."""
    m = S**2 / (S**2 + 0.02)
    m[0, 0] += times * 1e-7
    assert (name("noise", 0, m, bound=1e-7).words
            == "the target is multiplied by sigma^2 / (sigma^2 + 0.02)") == right


@pytest.mark.parametrize("times, differ", [(1.9, False), (2.1, True)])
def test_groups_differ_where_their_targets_do_by_more_than_both_errors(times, differ):
    p, r = np.sin(7 * A), np.cos(5 * S)
    r[1, 0] += times * 1e-6
    assert name("noise", p, r, bound=1e-6).words.endswith(
        "and others in the other groups of cases") == differ
