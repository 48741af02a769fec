"""A weight of levels is named: a row, powers, a further name, or another level's; one of groups
is listed."""
from types import SimpleNamespace

import numpy as np
import pytest

from refsm.verify.convention import normal
from refsm.verify.diagnosis.scaling import ONE, Scaling
from refsm.verify.diagnosis.weight_names import Weight, weight_of_groups, weight_of_levels

A, S = (np.array([a] * 4) for a in (np.array([(252, 16), (204, 156), (80, 332)]) / 256).T)
SIZES = [{"d": d, "n": n} for d in (3, 5) for n in (7, 13)]
GROUPS = [SimpleNamespace(group=f"c{k}", sizes=of, **of) for k, of in enumerate(SIZES)]
OVER_D, OF_N = np.array([[[1 / of["d"]] for of in SIZES], [[of["n"]] for of in SIZES]])
SNR, OWN = (A / S)**2, 1 - A**2


def weight(w, data_sd=0.5):
    return weight_of_levels(w, 1e-10 * w, (A, S, np.full((4, 1), data_sd)), GROUPS)


@pytest.mark.parametrize("w, words", [
    (S / A, "sigma / alpha"), (S**1.5, "sigma^1.5"), (S**3 * A**-2.0, "sigma^3 / alpha^2"),
    (np.minimum(5 / SNR, 1)**2,
     "the square of min(snr, 5) / snr"),
    (np.minimum(5 / SNR, 1)**0.5, "the square root of min(snr, 5) / snr"),
    ((SNR + 1) / np.minimum(SNR, 5), "the reciprocal of min(snr, 5) / (snr + 1)"),
    (1 / np.cosh(np.log(SNR) / 2), "1 / cosh(log(snr) / 2)"),
    (1 / (1 - 2 * S + 2 * S * S), "1 / (1 - 2 sigma + 2 sigma^2): SD3's cosmap"),
    ((S**2 + 0.25) / (S + 0.5)**2,
     "(sigma^2 + data_sd^2) / (sigma + data_sd)^2: EDM's weight as AlphaFold 3 prints it"),
    ((S**2 + 0.25) / (S * 0.5),
     "(sigma^2 + data_sd^2) / (sigma data_sd): EDM's weight, not squared below"),
    ((S + 0.5) / (S * 0.5)**2, "(sigma + data_sd) / (sigma data_sd)^2: EDM's weight, not squared "
     "above"),
    (np.minimum(5 * SNR, 1), "min(snr, 5) / snr: min-SNR with gamma = 5 on the noise, with alpha "
     "and sigma exchanged"),
    (np.minimum(5 / SNR**0.5, 1), "min(snr, 5) / snr: min-SNR with gamma = 5 on the noise, with "
     "the square roots of alpha and sigma"),
    (OWN, "sigma^2, with sqrt(1 - alpha^2) for sigma"),
    (OWN / A**2, "1 / snr, with sqrt(1 - alpha^2) for sigma"),
    (S[:, ::-1]**2, "sigma^2, at the levels in reverse order"),
    (S[:, [1, 2, 0]]**2, "sigma^2, at the next level of noise"),
    (S[:, [2, 0, 1]]**2, "sigma^2, at the previous level of noise")])
def test_a_weight_that_is_no_row_has_a_name_and_is_declared_by_its_numbers(w, words):
    said, declared, factor, _ = weight(2 * w * OVER_D)
    assert said == f"each level is weighted by {words}"
    assert declared == normal(declared)
    common = float(declared.partition(" = ")[2].partition(",")[0]) / w[0, 0]
    assert str(factor) == "2 / d"
    assert common == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("k", [1, 5, 20])
def test_min_snr_has_a_name_in_every_form_with_every_gamma(k):
    sigma = np.array([[0.03, 0.8, 1.4]] * 4)                    # snr and 1 / sigma are above 20
    snr = (A / sigma)**2
    least, most = np.minimum(snr, k), np.maximum(snr, k)
    forms = {f"min(snr, {k}) / snr + 1": least / snr + 1,
             f"min(snr, {k}) / (min(snr, {k}) + 1)": least / (least + 1),
             f"min(1 / sigma, {k})": np.minimum(1 / sigma, k)}
    if k > 1:
        forms |= {f"min(snr + 1, {k}) / (snr + 1)": np.minimum(snr + 1, k) / (snr + 1)}
    if k < 20:
        forms |= {f"max(snr, {k}) / snr": most / snr,
                  f"max(snr, {k}) / (snr + 1)": most / (snr + 1)}
    if k == 5:
        forms |= {"max(snr, 5)": most}
    for words, w in forms.items():
        found = weight_of_levels(w, 1e-10 * w, (A, sigma, np.ones((4, 1))), GROUPS)
        assert found.words.startswith((f"each level is weighted by {words}:",
                                       f"each level is weighted by {words}, clipped"))
        assert found.factor == ONE


def test_the_error_of_the_denoiser_is_weighted_where_edm_has_a_data_sd():
    t = np.array([[0.5], [0.75], [0.75], [0.5]])
    groups = [SimpleNamespace(group=case.group, sizes={**case.sizes, "data_sd": float(own)})
              for case, own in zip(GROUPS, t.ravel())]
    c_out = (S * t)**2 / (S**2 + t**2)

    def named(w):
        return weight_of_levels(w, 1e-10 * w, (np.ones_like(S), S, t), groups)[:3:2]

    assert named(c_out / S**4 * OVER_D)[0] == (
        "the squared error of the denoiser is weighted by 1 / sigma^4")
    words, factor = named(S * t * OVER_D)
    assert (words, str(factor)) == ("each level is weighted by sigma", "data_sd / d")


@pytest.mark.parametrize("times, of", [(OVER_D, "1 / d"), (OF_N, "n")])
def test_a_weight_of_no_name_has_numbers(times, of):
    w = 2 + np.sin(7 * S)
    said, declared, factor, _ = weight(w * times)
    assert said == declared == "weight " + ", ".join(
        f"w({s:g}) = {u:.6g}" for s, u in zip(S[0], w[0]))
    assert str(factor) == of


@pytest.mark.parametrize("times, right", [(0.98, True), (1.02, False)])
def test_a_common_factor_is_as_exact_as_the_weight(times, right):
    """3 sigma^2 with an error of 1e-7: the factor is least exact where sigma is smallest."""
    w = 3 * S**2
    w[0, 0] += times * 1e-7
    found = weight_of_levels(w, np.full(w.shape, 1e-7), (A, S, np.full((4, 1), 0.5)), GROUPS)
    assert (found.declared == "weight.variance") == right


@pytest.mark.parametrize("times, plain", [(0.95, True), (1.05, False)])
def test_a_common_factor_is_known_as_well_as_where_the_weight_is_known_best(times, plain):
    w, off = 3 * S**2, 1e-7 / S.max()**2
    w[0] *= 1 + times * off / 3
    found = weight_of_levels(w, np.full(w.shape, 1e-7), (A, S, np.full((4, 1), 0.5)), GROUPS)
    assert found.declared == "weight.variance"
    assert (str(found.factor) == "3") == plain


def test_a_weight_without_any_error_has_its_name():
    found = weight_of_levels(np.full(S.shape, 3.0), 0 * S, (A, S, np.full((4, 1), 0.5)), GROUPS)
    assert found == Weight("", "", Scaling(3.0))


@pytest.mark.parametrize("times, named", [(1.9, True), (2.1, False)])
def test_a_weight_of_the_denoiser_is_known_as_well_as_the_answers(times, named):
    """Two values may each be off by the error of one, in units of the weight."""
    t = np.full((4, 1), 0.5)
    groups = [SimpleNamespace(group=case.group, sizes={**case.sizes, "data_sd": 0.5})
              for case in GROUPS]
    w = (S * t)**2 / (S**2 + t**2) * np.minimum(5 * S**2, 1)**2
    error = 1e-5 * w
    w[0, 1] *= 1 + times * 1e-5
    said = weight_of_levels(w, error, (np.ones_like(S), S, t), groups).words
    assert named == said.startswith(
        "the squared error of the denoiser is weighted by the square of min(snr, 5)")


def test_numbers_that_differ_between_groups_are_listed_without_the_common_factor():
    t = np.array([[0.5], [0.75], [0.5], [0.6]])
    w = (S**2 + t**2) / (S * t)
    said, declared, factor, _ = weight_of_levels(2 * w * OVER_D, 1e-10 * w, (A, S, t), GROUPS)
    assert said.endswith("EDM's weight, not squared below")
    assert str(factor) == "2 / d"
    assert declared == "weight " + ", ".join(
        f"w(c{k}/{s:g}) = {u:.6g}" for k in range(4) for s, u in zip(S[0], w[k]))


SIGMAS = (0.37, 0.61, 1.3)
OF_SIGMA = [{"d": d, "n": n, "sigma": s} for d, n in ((3.0, 7.0), (5.0, 13.0)) for s in SIGMAS]
SIGMA, D, N = (np.array([of[name] for of in OF_SIGMA]) for name in ("sigma", "d", "n"))


def keys(w, sizes=OF_SIGMA):
    """What the numbers of the weight of groups of these sizes are listed by."""
    found = weight_of_groups(w, [SimpleNamespace(group=f"c{k}", sizes=of)
                                 for k, of in enumerate(sizes)])
    listed = [piece[2:].partition(")")[0] for piece in found.declared[len("weight "):].split(", ")]
    assert found.words == found.declared == normal(found.declared)
    assert found.listed == ("group" if listed[0] == "c0" else "level")
    return found, listed


def test_one_sigma_is_no_function_of_sigma():
    of_groups = [f"c{k}" for k in range(6)]
    assert keys(D, [{**of, "sigma": 0.61} for of in OF_SIGMA])[1] == of_groups
    two = [{**of, "sigma": sigma} for of, sigma in zip(OF_SIGMA, [0.37, 0.61] * 3)]
    assert keys(np.array([0.2, 0.9] * 3), two)[1] == ["0.37", "0.61"]
    found, listed = keys(D, [{"d": of["d"], "n": of["n"]} for of in OF_SIGMA])
    assert (found.factor, listed) == (ONE, of_groups)


def test_two_groups_of_one_sigma_agree_to_float32():
    w = np.log(1 + SIGMA**-2)
    w[0] *= 1 + 8e-5
    assert keys(w)[1] == ["0.37", "0.61", "1.3"]
    w[0] *= 1 + 8e-5
    assert keys(w)[1] == [f"c{k}" for k in range(6)]


def test_a_weight_of_sigma_is_listed_by_sigma_and_what_is_plain_is_taken_out():
    found, _ = keys(2 * np.log(1 + SIGMA**-2) * N / D)
    assert found.factor == Scaling(1.0, (("d", -1.0), ("n", 1.0)))
    assert found.declared == "weight w(0.37) = 4.23362, w(0.61) = 2.60987, w(1.3) = 0.929625"


@pytest.mark.parametrize("w, words", [
    (np.minimum(1, 5 * SIGMA**2), "min(snr, 5) / snr: min-SNR with gamma = 5 on the noise"),
    (3 * SIGMA**2 * np.minimum(1, 5 * SIGMA**2),
     "3 times sigma^2 times min(snr, 5) / snr: min-SNR with gamma = 5 on the noise"),
    (SIGMA**2 * np.maximum(1, SIGMA**2), "sigma^4 times max(snr, 1)"),
    (1 / 3 * np.minimum(1, 5 * SIGMA**2) * (1 + 7e-5 * (SIGMA == 1.3)),                 # rounding
     "0.333341 times min(snr, 5) / snr: min-SNR with gamma = 5 on the noise"),
    (2 * np.minimum(1, 5 * SIGMA**2) * (1 + 7e-5 * (SIGMA == 1.3)),
     "2 times min(snr, 5) / snr: min-SNR with gamma = 5 on the noise"),
    (np.minimum(1, 5 * SIGMA**2) * (1 + 3e-4 * (SIGMA == 0.61)), ""),
    (np.log(1 + SIGMA**-2), "")])
def test_a_weight_of_sigma_that_is_a_row_has_its_name_and_its_numbers(w, words):
    found = weight_of_groups(w / D, [SimpleNamespace(group=f"c{k}", sizes=of)
                                     for k, of in enumerate(OF_SIGMA)])
    assert found.factor == Scaling(1.0, (("d", -1.0),))
    assert found.declared.startswith(f"weight w(0.37) = {w[SIGMA == 0.37][0]:.6g}, ")
    assert (found.words, found.listed) == ((words, "") if words else (found.declared, "level"))


def test_what_is_no_function_of_sigma_is_listed_by_group_and_must_be_positive():
    w, groups = np.array([1.1, 0.3, 2.9, 0.8, 1.9, 0.7]), [*GROUPS, *GROUPS[:2]]
    listed = "weight w(c0) = 1.1, w(c1) = 0.3, w(c2) = 2.9, w(c3) = 0.8, w(c0) = 1.9, w(c1) = 0.7"
    assert weight_of_groups(w, groups) == Weight(listed, listed, ONE, "group")
    for third in (-2.9, 0.0):
        assert weight_of_groups(np.where(w == 2.9, third, w), groups) is None
