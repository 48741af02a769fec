"""A target of clean point and noise is named: at other levels, as a formula, by EDM's constants."""
import numpy as np
import pytest

from refsm.verify.denoisers import target_in_noise
from refsm.verify.diagnosis.target_names import common, name_of_target, power_of_levels

LEVELS = np.array([(252, 16), (204, 156), (80, 332)]) / 256         # alpha and sigma, two groups
ALPHA, SIGMA = (np.array([a, a]) for a in LEVELS.T)
DATA_SD = np.array([[0.5], [0.75]])


def name(own, p, r, alpha=ALPHA, bound=1e-9):
    pr = np.stack(np.broadcast_arrays(p, r, alpha)[:2])
    return name_of_target(own, pr, np.full(pr.shape, bound), (alpha, SIGMA, DATA_SD))


def of_denoiser(c_skip, c_out, compared=(1.0, 0.0)):
    """The target of the network in c_skip x_noisy + c_out output, which is compared with P, R."""
    P, R = compared
    return name("edm", (P - c_skip) / c_out, (R - c_skip * SIGMA) / c_out, np.ones(SIGMA.shape))


SKIP = DATA_SD**2 / (SIGMA**2 + DATA_SD**2)
OUT = SIGMA * DATA_SD / np.sqrt(SIGMA**2 + DATA_SD**2)
NOISY = (ALPHA, SIGMA)                                              # x_noisy, of x and noise
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
    ("clean", 1 - A, -S, "compared with x - x_noisy"),
    ("velocity", -OWN**2, A**2,
     "compared with alpha^2 noise - sigma^2 x, with sqrt(1 - alpha^2) for sigma"),
    ("score", 0, -1 / (S + 1e-3), "sigma + 0.001 in place of sigma in the target"),
    ("score", 0, -S / (S**2 + 1e-5), "sigma^2 + 1e-05 in place of sigma^2 in the target"),
    ("noise", 0, S / (S + 1e-3), "the target is multiplied by sigma / (sigma + 0.001)"),
    ("score", 0, -1 / S[:, ::-1],
     "compared with the target of a predicted score, at the levels in reverse order")])
def test_a_target_is_a_formula_of_the_level(own, p, r, words):
    found = name(own, p, r)
    assert found.words == words
    assert found.where == ""


@pytest.mark.parametrize("own, p, r, words, where", [
    ("velocity", (A * A - 1) / S, A, "compared with alpha x_noisy / sigma - x / sigma",
     "alpha^2 + sigma^2 = 1"),
    ("velocity", -S, (1 - S * S) / A, "compared with noise / alpha - sigma x_noisy / alpha",
     "alpha^2 + sigma^2 = 1"),
    ("velocity", -OWN, A, "compared with the target of a predicted velocity, with sqrt(1 - alpha^2)"
     " for sigma", "alpha^2 + sigma^2 = 1"),
    ("clean", A * A + S * S, 0, "the target is multiplied by alpha^2 + sigma^2",
     "alpha^2 + sigma^2 = 1"),
    ("flow", (A - 1) / S, 1, "compared with x_noisy / sigma - x / sigma", "alpha + sigma = 1"),
    ("clean", A + S, 0, "the target is multiplied by alpha + sigma", "alpha + sigma = 1"),
    ("noise", (A - 1 + S) / S, 1, "compared with x_noisy / sigma - alpha x / sigma, with 1 - sigma "
     "for alpha", "alpha + sigma = 1"),
    ("flow", -A / (1 - S), (1 - S) / (1 - S), "compared with noise / alpha - x_noisy / alpha, with "
     "1 - sigma for alpha", "alpha + sigma = 1")])
def test_a_target_that_is_right_for_a_process_alone_has_its_name(own, p, r, words, where):
    found = name(own, p, r)
    assert (found.words, found.where) == (words, where)


@pytest.mark.parametrize("own", ["score", "noise", "clean", "velocity", "flow"])
@pytest.mark.parametrize("where, alpha", [("alpha^2 + sigma^2 = 1", np.sqrt(1 - (S / 2)**2)),
                                          ("alpha + sigma = 1", 1 - S / 2)])
def test_at_the_levels_of_that_process_it_is_the_right_target(own, where, alpha):
    """The formulas above, where alpha and sigma are those of the process."""
    s, right = S / 2, target_in_noise(own, alpha, S / 2, 0.5)
    other = {"alpha^2 + sigma^2 = 1": {"velocity": ((alpha**2 - 1) / s, alpha)},
             "alpha + sigma = 1": {"flow": ((alpha - 1) / s, 1), "noise": (0, 1)}}[where]
    for p, r in [other[own]] if own in other else []:
        assert np.allclose(p, right[0], rtol=1e-12, atol=1e-12)
        assert np.allclose(r, right[1], rtol=1e-12)


@pytest.mark.parametrize("c_skip, c_out, words", [
    (OUT, SKIP, "c_skip and c_out are exchanged"),
    (DATA_SD / (S + DATA_SD), OUT, "c_skip is data_sd / (sigma + data_sd)"),
    (SKIP, S, "c_out is sigma"), (SKIP, 1.0, "c_out is 1"),
    (SKIP, OUT / np.sqrt(S**2 + DATA_SD**2),
     "c_out is sigma data_sd / (sigma^2 + data_sd^2), without the square root"),
    (SKIP, OUT / S / DATA_SD, "c_out is 1 / sqrt(sigma^2 + data_sd^2), which is c_in"),
    (0.36 / (S**2 + 0.36), S * 0.6 / np.sqrt(S**2 + 0.36),
     "c_skip is that of data_sd = 0.6, c_out is that of data_sd = 0.6"),
    (DATA_SD**2 / ((S - 0.002)**2 + DATA_SD**2), OUT * (1 - 0.002 / S),
     "c_skip is that of a consistency model with sigma_min = 0.002, c_out is that of a consistency "
     "model with sigma_min = 0.002"),
    (SKIP, np.exp(-S), "c_out is 0.9394 at sigma = 0.0625, 0.5437 at sigma = 0.6094, 0.2734 at "
                       "sigma = 1.297")])
def test_the_constants_of_a_denoiser_are_named(c_skip, c_out, words):
    found = of_denoiser(c_skip, c_out)
    assert found.words == words
    weight = (c_out * np.ones(S.shape))**2                  # of the network, in |denoiser - x|^2
    assert np.allclose(weight * found.times, OUT**2, rtol=1e-9)


@pytest.mark.parametrize("compared, words", [
    ((0.0, 1.0), "the denoiser is compared with noise"),
    ((0.0, S), "the denoiser is compared with sigma noise"),
    ((1.0, S), "the denoiser is compared with x_noisy"),
    ((1.0, SKIP * S), "c_skip multiplies x, not x_noisy")])
def test_what_a_denoiser_is_compared_with_is_named(compared, words):
    assert of_denoiser(SKIP, OUT, compared).words == words


def test_a_power_of_one_minus_sigma_may_be_negative():
    one = np.array([[0.4, -0.2, -1.5]])
    for sign in (1, -1):
        found = power_of_levels(sign * 3 * one, 1e-9 + 0 * one, one, one + 3)
        assert str(found) == f"{'' if sign == 1 else '-'}3 alpha"
    assert power_of_levels(np.abs(one), 1e-9 + 0 * one, one, one + 3) is None


def test_numbers_are_one_where_their_errors_overlap():
    assert common(np.array([1.0, 1.1]), np.array([0.06, 0.06])) == pytest.approx(1.05)
    assert common(np.array([1.0, 1.1]), np.array([0.06, 0.03])) is None
    assert common(np.array([1.0, 1.1]), np.array([0.03, 0.06])) is None
