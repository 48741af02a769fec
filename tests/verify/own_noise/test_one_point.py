"""The law of the noise at one point alone: values under each law, and which of them others are
like."""
import numpy as np
import pytest
from scipy import stats

from refsm.verify.own_noise import moments, one_point, replicates
from refsm.verify.own_noise.hypotheses import affine, hypotheses


def one_of(objective, k=1):
    return one_point.alone(replicates._cases(objective))[k]


def values(asked, draw, R=1600):
    rng = np.random.default_rng(3)
    return np.array([one_point._loss(case, "", draw, R, rng) for case in asked])


def test_the_cases_have_one_point_each_in_turn_with_its_level():
    asked = replicates._cases("noise_prediction")
    assert [len(one_point.alone(of)) for of in (asked, asked[:12], asked[:6])] == [12, 12, 6]
    asked = asked[::3]
    for k, case in enumerate(one_point.alone(asked)):
        row = k % asked[k].n
        for name in ("x", "alpha", "sigma"):
            np.testing.assert_array_equal(case.arrays[name], asked[k].arrays[name][row:row + 1])
    several = one_of("multi_level")
    assert (several.n, len(several.sigma)) == (1, len(several.level_weights))


def test_an_autoencoder_of_one_point_reconstructs_it_half_a_standard_deviation_away():
    asked = replicates._cases("dae")
    for case, of_several in zip(one_point.alone(asked), asked):
        np.testing.assert_allclose(case.reconstruct(case.x + case.sigma / 2), case.x, atol=1e-14)
        assert [name for name, a in case.theta.items() if (a != of_several.theta[name]).any()] == [
            "c"]


@pytest.mark.parametrize("objective", ["dsm", "multi_level", "parzen_ism", "dae"])
def test_the_loss_of_one_point_is_that_of_the_case(objective):
    case, rng = one_of(objective), np.random.default_rng(0)
    L = len(case.sigma) if objective == "multi_level" else 1
    eps = rng.standard_normal((5, L, case.d))
    found = one_point._loss(case, "", lambda rng, shape: eps.reshape(shape), 5, rng)
    for e, value in zip(eps, found):
        y = (case.alpha[:, None] if L > 1 else 1) * case.x + np.reshape(case.sigma, (-1, 1)) * e
        target = -e / np.reshape(case.sigma, (-1, 1))
        if objective == "dae":
            right = ((case.reconstruct(y) - case.x)**2).sum()
        elif objective == "parzen_ism":
            right = (case.score(y)**2).sum() / 2 + case.score_divergence(y).sum()
        elif objective == "dsm":
            right = ((case.score(y) - target)**2).sum() / 2
        else:
            right = sum(w * ((case.score(y[l:l + 1], l)[0] - target[l])**2).sum() / 2
                        for l, w in enumerate(case.level_weights))
        assert value == pytest.approx(right, rel=1e-10)


def test_the_loss_of_one_point_is_weighted():
    case, rng = one_of("dsm_levels"), np.random.default_rng(0)
    eps = rng.standard_normal((5, 1, case.d))
    plain, weighted = (one_point._loss(case, weight, lambda rng, shape: eps, 5, rng)
                       for weight in ("", "weight.variance"))
    np.testing.assert_allclose(weighted, case.sigma**2 * plain, rtol=1e-10)


@pytest.mark.parametrize("words", one_point.LAWS)
def test_a_law_has_the_mean_0_and_the_covariance_I(words):
    eps = one_point.LAWS[words](np.random.default_rng(1), (100000, 3))
    np.testing.assert_allclose(eps.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(eps.T), np.eye(3), atol=0.2 if " 3 " in words else 0.05)


@pytest.mark.parametrize("words, kurtosis", [
    ("signs", 1), ("uniform noise", 9 / 5), ("normal noise", 3), ("Laplace's noise", 6),
    ("noise of the length sqrt(d)", 9 / 5),
    ("Student's t with 12 degrees of freedom", 3 + 6 / 8)])
def test_a_law_has_its_fourth_moment(words, kurtosis):
    eps = one_point.LAWS[words](np.random.default_rng(1), (100000, 3))
    assert (eps**4).mean() == pytest.approx(kurtosis, rel=0.06)


@pytest.mark.parametrize("R, N, shift", [(40, 300, 0.0), (40, 300, 0.5), (200, 50, 0.2)])
def test_the_probability_of_two_samples_is_that_of_their_largest_difference(R, N, shift):
    rng = np.random.default_rng(2)
    a, b = 100 * rng.standard_normal(R) + 100 * shift, 100 * rng.standard_normal(N)
    D = stats.ks_2samp(a, b).statistic
    p = one_point._smirnov(a, b, np.random.default_rng(0))
    assert stats.kstwobign.isf(p) == pytest.approx(D * (1 / R + 1 / N)**-0.5, abs=0.05)


def test_the_probability_is_that_of_a_brownian_bridge():
    """2 sum_k (-1)^(k-1) exp(-2 k^2 t^2), t = D / sqrt(1 / R + 1 / N); 7 of 10 are below all."""
    a, b = np.concatenate([-1.0 - np.arange(7), 100 + np.arange(3)]), np.arange(40.0)
    t, k = 0.7 / np.sqrt(1 / 10 + 1 / 40), np.arange(1, 50)
    assert one_point._smirnov(a, b, np.random.default_rng(0)) == pytest.approx(
        -2 * ((-1.0)**k * np.exp(-2 * k**2 * t**2)).sum(), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_values_that_are_equal_to_rounding_are_of_one_law(scale):
    a = np.tile([1.0, 2.0, 5.0], 100) * scale
    assert one_point._smirnov(a * (1 + 1e-12), a, np.random.default_rng(0)) > 0.2
    assert one_point._smirnov(a + 0.1 * scale, a, np.random.default_rng(0)) < 1e-6


def test_the_probability_of_several_is_that_of_their_product(monkeypatch):
    """P(chi^2_4 > x) = (1 + x / 2) exp(-x / 2)."""
    each = iter([np.exp(-0.5), np.exp(-1.5), *[0.0] * 2 * len(one_point.LAWS)])
    monkeypatch.setattr(one_point, "_smirnov", lambda *given: next(each))
    asked = one_point.alone(replicates._cases("dsm"))[:2]
    assert one_point.law_of_noise(asked, np.zeros((2, 5))) == (pytest.approx(3 * np.exp(-2)), [])


@pytest.mark.parametrize("p, asked", [
    ([0.06], [1600]), ([0.04, 0.3], [1600, 6400]), ([1e-8, 1e-5], [1600, 6400]),
    ([1e-10], [1600])])
def test_more_replicates_decide_where_those_at_one_point_are_unclear(p, asked, monkeypatch):
    single, counts, left = replicates._cases("dsm"), [], [*p]
    monkeypatch.setattr(one_point, "law_of_noise", lambda *given: (left.pop(0), ["signs"]))

    def replicate(of, R):
        counts.append(R)
        return np.ones((len(of), R))

    loss = hypotheses(single)[0]
    assert one_point.at_one_point(single, loss, replicate, 200) == (p[-1], ["signs"], "")
    assert (counts, left) == (asked, [])


@pytest.mark.slow
@pytest.mark.parametrize("words", ["signs", "noise of the length sqrt(d)", "uniform noise",
                                   "Student's t with 5 degrees of freedom"])
def test_a_law_is_named(words):
    asked = one_point.alone(replicates._cases("dsm"))
    normal, like = one_point.law_of_noise(asked, values(asked, one_point.LAWS[words]))
    assert normal <= moments.BAD
    assert any(law.startswith(words.partition(" with")[0]) for law in like)
    assert len(like) <= 2


def test_normal_noise_is_like_no_other_law():
    asked = one_point.alone(replicates._cases("dsm"))
    normal, like = one_point.law_of_noise(asked, values(asked, one_point.LAWS["normal noise"]))
    assert (normal > moments.GOOD, like) == (True, [])


@pytest.mark.slow
def test_a_control_variate_is_like_no_law():
    asked = one_point.alone(replicates._cases("dsm"))
    rng, of_case = np.random.default_rng(4), []
    for case in asked:
        eps = rng.standard_normal((800, case.d))
        a, G = affine(case).residual()
        q = ((a + eps @ G[0].T)**2).sum(axis=1) / 2
        of_case.append(q - ((eps**2).sum(axis=1) - case.d))
    normal, like = one_point.law_of_noise(asked, np.array(of_case))
    assert (normal < moments.GOOD, like) == (True, [])
