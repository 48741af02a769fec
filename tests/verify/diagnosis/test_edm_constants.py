"""EDM's denoiser is compared with something else, or has other constants, which are named."""
import numpy as np
import pytest

from refsm.verify.diagnosis.edm_constants import denoiser

S = np.array([[16, 156, 332]] * 2) / 256                  # sigma, two groups
DATA_SD = np.array([[0.5], [0.75]])
SKIP = DATA_SD**2 / (S**2 + DATA_SD**2)
OUT = S * DATA_SD / np.sqrt(S**2 + DATA_SD**2)


def of_denoiser(c_skip, c_out, compared=(1.0, 0.0)):
    """The name where c_skip x_noisy + c_out output is compared with P x + R noise."""
    P, R = compared
    pr = np.stack(np.broadcast_arrays((P - c_skip) / c_out, (R - c_skip * S) / c_out, S)[:2])
    with np.errstate(all="ignore"):
        return denoiser(pr, np.full(pr.shape, 1e-9), (np.ones(S.shape), S, DATA_SD))


@pytest.mark.parametrize("c_skip, c_out, words", [
    (OUT, SKIP, "c_skip and c_out are exchanged"),
    (DATA_SD / (S + DATA_SD), OUT, "c_skip is data_sd / (sigma + data_sd), without the squares"),
    (SKIP / DATA_SD, OUT, "c_skip is data_sd / (sigma^2 + data_sd^2), without a square"),
    (-SKIP, OUT, "c_skip is minus the right one"),
    (SKIP, S, "c_out is sigma"), (SKIP, 1.0, "c_out is 1"), (0.0, OUT, "c_skip is 0"),
    (1.0, OUT, "c_skip is 1"), (SKIP, 1 / OUT, "c_out is 1 / c_out"),
    (SKIP, OUT**2, "c_out is c_out^2"),
    (S**2 / (S**2 + DATA_SD**2), OUT, "c_skip is sigma^2 / (sigma^2 + data_sd^2)"),
    (SKIP, OUT / DATA_SD, "c_out is sigma / sqrt(sigma^2 + data_sd^2), without data_sd"),
    (SKIP, OUT / np.sqrt(S**2 + DATA_SD**2),
     "c_out is sigma data_sd / (sigma^2 + data_sd^2), without the square root"),
    (SKIP, OUT / S / DATA_SD, "c_out is 1 / sqrt(sigma^2 + data_sd^2), which is c_in"),
    (0.36 / (S**2 + 0.36), S * 0.6 / np.sqrt(S**2 + 0.36),
     "c_skip is that of data_sd = 0.6, c_out is that of data_sd = 0.6"),
    (DATA_SD**2 / ((S - 0.002)**2 + DATA_SD**2), OUT * (1 - 0.002 / S),
     "c_skip is that of a consistency model with sigma_min = 0.002, c_out is that of a consistency "
     "model with sigma_min = 0.002"),
    (SKIP, np.exp(-S), "c_out is 0.9394 at sigma = 0.0625, 0.5437 at sigma = 0.6094, 0.2734 at "
                       "sigma = 1.297 with data_sd = 0.5"),
    (1 / SKIP, OUT, "c_skip is 1 / the right one")])
def test_the_constants_of_a_denoiser_are_named(c_skip, c_out, words):
    found = of_denoiser(c_skip, c_out)
    assert found.words == words
    assert found.effect.startswith("the denoiser with these constants learns the mean of the clean")
    weight = (c_out * np.ones(S.shape))**2                  # of the network, in |denoiser - x|^2
    assert np.allclose(weight * found.times, OUT**2, rtol=1e-9)


@pytest.mark.parametrize("compared, words", [
    ((0.0, 1.0), "the denoiser is compared with noise"),
    ((0.0, S), "the denoiser is compared with sigma noise"),
    ((1.0, S), "the denoiser is compared with x_noisy"),
    ((1.0, SKIP * S), "c_skip multiplies x, not x_noisy")])
def test_what_a_denoiser_is_compared_with_is_named(compared, words):
    assert of_denoiser(SKIP, OUT, compared).words == words
    assert of_denoiser(SKIP, OUT, compared).effect == ""


def test_a_denoiser_with_the_constants_of_its_target_is_the_clean_point():
    """So its mean given the noisy point is that of the clean point."""
    rng = np.random.default_rng(3)
    c_skip, c_out, x, noise = rng.uniform(0.2, 2, size=(4, 2, 3))
    p, r = (1 - c_skip) / c_out, -c_skip * S / c_out
    denoised = c_skip * (x + S * noise) + c_out * (p * x + r * noise)
    assert np.allclose(denoised, x, rtol=1e-12)


def test_other_constants_that_both_have_no_name_are_left_to_others():
    assert of_denoiser(np.exp(-S), 2 + np.sin(S)) is None
    assert of_denoiser(0.0, 1.0, (S * np.exp(S), S**2 * np.exp(S))) is None    # c_out is infinite


def moved(c_skip, c_out, which, by, bound=1e-7):
    """The name where p or r is known to `bound`, and off by so many bounds at the lowest level."""
    pr = np.stack([(1 - c_skip) / c_out, -c_skip * S / c_out])
    off = np.full(pr.shape, 1e-13)
    k = "pr".index(which)
    off[k] = bound
    pr[k, 0, 0] += by * bound
    with np.errstate(all="ignore"):
        return denoiser(pr, off, (np.ones(S.shape), S, DATA_SD))


@pytest.mark.parametrize("by, right", [(0.98, True), (1.02, False)])
@pytest.mark.parametrize("which", ["p", "r"])
@pytest.mark.parametrize("c_skip, c_out, words", [
    (SKIP, S, "c_out is sigma"), (-SKIP, OUT, "c_skip is minus the right one")])
def test_constants_are_as_exact_as_the_target(c_skip, c_out, words, which, by, right):
    found = moved(c_skip, c_out, which, by)
    assert (found is not None and found.words == words) == right


@pytest.mark.parametrize("which", ["p", "r"])
def test_the_weight_of_a_denoiser_is_as_exact_as_its_constant(which):
    here, there = moved(SKIP, S, which, 0.0), moved(SKIP, S, which, 1.0)
    change = np.abs(there.times - here.times)
    assert change[0, 0] == pytest.approx(here.times_error[0, 0], rel=1e-3)
