"""Losses of public training scripts, by formula: each passes, or is a convention by its name.

None is rescaled by hand: the case hands the network's output of the kind that the script trains.
"""
import numpy as np
import pytest

from refsm.verify import verify


def column(a):
    return a[:, None]


def snr(c):
    return (c.alpha / c.sigma)**2


def sums(r):
    return (r * r).sum(axis=1)


def means(r):
    return (r * r).mean(axis=1)


def noise(c):
    return c.prediction(c.x_noisy) - c.noise


def clean(c):
    return c.prediction(c.x_noisy) - c.x


def velocity(c):
    return c.prediction(c.x_noisy) - (column(c.alpha) * c.noise - column(c.sigma) * c.x)


def flow(c):
    return c.prediction(c.x_noisy) - (c.noise - c.x)


def score(c):
    return c.score(c.x_noisy) + c.noise / column(c.sigma)


def denoised(c):
    """EDM's denoiser minus the clean point, and its weight."""
    variance = c.sigma**2 + c.data_sd**2
    c_skip, c_out = c.data_sd**2 / variance, c.sigma * c.data_sd / np.sqrt(variance)
    D = column(c_skip) * c.x_noisy + column(c_out) * c.prediction(c.x_noisy)
    return D - c.x, variance / (c.sigma * c.data_sd)**2


def levels(c):
    """|psi_l - target_l|^2 of every level, (L, n)."""
    return np.array([sums(c.score(y, k) - (a * c.x - y) / s**2)
                     for k, (y, a, s) in enumerate(zip(c.x_noisy, c.alpha, c.sigma))])


def edm(weight):
    def loss(c):
        r, karras = denoised(c)
        return (weight(c, karras) * sums(r)).mean()
    return loss


def min_snr(of, gamma, divided_by):
    return lambda c: (np.minimum(snr(c), gamma) / divided_by(snr(c)) * means(of(c))).mean()


def one(snr):
    return 1.0


def beta(c):
    """g(t)^2 of the linear variance-preserving schedule, from alpha: 0.1 at t = 0, 20 at t = 1."""
    t = (-0.1 + np.sqrt(0.01 - 4 * 19.9 * np.log(c.alpha))) / 19.9
    return 0.1 + 19.9 * t


SAME = "1 / d"
LOSSES = [
    # (the script, what its network predicts, its loss, the convention that is named)
    ("DDPM, simple loss", "noise", lambda c: (noise(c)**2).mean(), SAME),
    ("DDPM, summed over dimensions", "noise", lambda c: sums(noise(c)).mean(), "1"),
    ("DDPM, half of the sum", "noise", lambda c: sums(noise(c)).mean() / 2, "1 / 2"),
    ("DDPM, sum over the batch", "noise", lambda c: sums(noise(c)).sum(), "n"),
    ("min-SNR-5 on the noise", "noise", min_snr(noise, 5, lambda s: s), "gamma = 5"),
    ("min-SNR-1 on the noise", "noise", min_snr(noise, 1, lambda s: s), "gamma = 1"),
    ("min-SNR-20 on the noise", "noise", min_snr(noise, 20, lambda s: s), "gamma = 20"),
    ("P2, gamma 1", "noise", lambda c: (means(noise(c)) / (1 + snr(c))).mean(), "P2"),
    ("P2, gamma 1/2", "noise", lambda c: (means(noise(c)) / np.sqrt(1 + snr(c))).mean(), "P2"),
    ("noise, weighted by 1 / sigma^2", "noise", lambda c: (means(noise(c)) / c.sigma**2).mean(),
     "1 / sigma^2"),
    ("noise, weighted by 1 / snr", "noise", lambda c: (means(noise(c)) / snr(c)).mean(), "1 / snr"),
    ("noise, weighted by the snr", "noise", lambda c: (snr(c) * means(noise(c))).mean(), "snr ="),
    ("clean point, mean", "clean", lambda c: (clean(c)**2).mean(), SAME),
    ("clean point, weighted by the snr", "clean", lambda c: (snr(c) * means(clean(c))).mean(),
     "snr ="),
    ("progressive distillation, truncated snr", "clean",
     lambda c: (np.maximum(snr(c), 1) * means(clean(c))).mean(), "max(snr, 1)"),
    ("progressive distillation, snr + 1", "clean",
     lambda c: ((snr(c) + 1) * means(clean(c))).mean(), "snr + 1"),
    ("min-SNR-5 on the clean point", "clean", min_snr(clean, 5, one), "gamma = 5"),
    ("min-SNR-1 on the clean point", "clean", min_snr(clean, 1, one), "gamma = 1"),
    ("soft min-SNR on the clean point", "clean",
     lambda c: (means(clean(c)) / (1 / snr(c) + 1 / 4)).mean(), "soft min-SNR"),
    ("clean point, VE weight 1 / sigma^2", "clean",
     lambda c: (sums(clean(c)) / c.sigma**2).mean(), "1 / sigma^2"),
    ("velocity, mean", "velocity", lambda c: (velocity(c)**2).mean(), SAME),
    ("velocity, sum", "velocity", lambda c: sums(velocity(c)).mean(), "1"),
    ("min-SNR-5 on the velocity", "velocity", min_snr(velocity, 5, lambda s: s + 1), "gamma = 5"),
    ("min-SNR-1 on the velocity", "velocity", min_snr(velocity, 1, lambda s: s + 1), "gamma = 1"),
    ("rectified flow", "flow", lambda c: (flow(c)**2).mean(), SAME),
    ("flow matching, summed, half", "flow", lambda c: sums(flow(c)).mean() / 2, "1 / 2"),
    ("flow, weighted by sigma", "flow", lambda c: (c.sigma * means(flow(c))).mean(), "sigma"),
    ("flow, weighted by 1 / sigma^2", "flow", lambda c: (means(flow(c)) / c.sigma**2).mean(),
     "1 / sigma^2"),
    ("EDM, Karras weight, summed", "edm", edm(lambda c, karras: karras), "1"),
    ("EDM, Karras weight, mean", "edm", edm(lambda c, karras: karras / c.d), SAME),
    ("EDM without its weight", "edm", edm(lambda c, karras: 1), "c_out^2"),
    ("k-diffusion, snr", "edm",
     edm(lambda c, karras: karras * c.data_sd**2 / (c.sigma**2 + c.data_sd**2)), "data_sd^2 /"),
    ("k-diffusion, soft min-SNR", "edm",
     edm(lambda c, karras: karras * (c.sigma * c.data_sd)**2 / (c.sigma**2 + c.data_sd**2)**2),
     "soft min-SNR"),
    ("EDM's denoiser, weight 1 / sigma^2", "edm", edm(lambda c, karras: 1 / c.sigma**2),
     "data_sd^2 /"),
    ("score SDE, summed", "score", lambda c: (c.sigma**2 * sums(score(c))).mean() / 2, "sigma^2"),
    ("score SDE, mean", "score", lambda c: (c.sigma**2 * means(score(c))).mean(),
     "2 / d; weight.variance"),
    ("score SDE, on the noise", "score",
     lambda c: sums(c.score(c.x_noisy) * column(c.sigma) + c.noise).mean(), "sigma^2"),
    ("deen, sigma^4", "score", lambda c: (c.sigma**4 * sums(score(c))).mean() / 2, "sigma^4"),
    ("unweighted, half the sum", "score", lambda c: sums(score(c)).mean() / 2, "1"),
    ("score, weighted by sigma", "score", lambda c: (c.sigma * sums(score(c))).mean() / 2,
     "sigma"),
    ("score, as a clean point", "score",
     lambda c: (c.sigma**4 / c.alpha**2 * sums(score(c))).mean(), "sigma^4 / alpha^2"),
    ("score SDE, VP with likelihood weights", "score",
     lambda c: (beta(c) * sums(score(c))).mean() / 2, "weight w("),
    ("score SDE, VP with likelihood weights, on the noise", "noise",
     lambda c: (beta(c) / c.sigma**2 * means(noise(c))).mean(), "weight w("),
    ("NCSN, anneal power 1.5", "score",
     lambda c: (c.sigma**1.5 * sums(score(c))).mean() / 2, "weight w("),
    ("NCSN, anneal power 1", "score",
     lambda c: (c.sigma * sums(score(c))).mean() / 2, "sigma"),
    ("simulation-based inference, 2 w(t)", "score",
     lambda c: (c.sigma**2 * sums(score(c))).mean(), "2; weight.variance"),
    ("min-SNR-5 on the noise, summed", "noise",
     lambda c: (np.minimum(5 / snr(c), 1) * sums(noise(c))).mean(), "gamma = 5"),
    ("min-SNR-5 on the velocity, summed", "velocity",
     lambda c: (np.minimum(snr(c), 5) / (snr(c) + 1) * sums(velocity(c))).mean(), "gamma = 5"),
    ("soft min-SNR on the noise", "noise",
     lambda c: (means(noise(c)) / snr(c) / (1 / snr(c) + 1 / 5)).mean(), "weight"),
    ("velocity, weighted by 1 / alpha^2", "velocity",
     lambda c: (means(velocity(c)) / c.alpha**2).mean(), "1 / alpha^2"),
    ("flow matching with noise at t = 0", "flow",
     lambda c: ((-c.prediction(c.x_noisy) - (c.x - c.noise))**2).mean(), SAME),
    ("debiased estimation", "noise", lambda c: (means(noise(c)) / np.sqrt(snr(c))).mean(),
     "sigma / alpha"),
    ("stable cascade, sech", "noise",
     lambda c: (means(noise(c)) / np.cosh(np.log(snr(c)) / 2)).mean(), "cosh"),
    ("min-SNR-5, multiplied before the square", "noise",
     lambda c: means(column(np.minimum(5 / snr(c), 1)) * noise(c)).mean(), "the square of min(snr"),
    ("SD3, cosmap", "flow",
     lambda c: (2 / np.pi * means(flow(c)) / (1 - 2 * c.sigma + 2 * c.sigma**2)).mean(), "cosmap"),
    ("AlphaFold 3's weight", "clean",
     lambda c: ((c.sigma**2 + 0.25) / (c.sigma + 0.5)**2 * means(clean(c))).mean(), "AlphaFold 3"),
    ("score, EDM's weight", "score",
     lambda c: (c.sigma**2 * (c.sigma**2 + 0.25) / 0.25 * sums(score(c))).mean(), "EDM's weight"),
]
SEVERAL = [
    ("NCSN, annealed sum", lambda c: (column(c.level_weights * c.sigma**2) * levels(c)).sum(axis=0),
     "2; weight.variance"),
    ("NCSN, mean over levels", lambda c: (column(c.level_weights * c.sigma**2)
                                          * levels(c)).mean(axis=0) / 2,
     "1 / L; weight.variance"),
    ("levels, as they are", lambda c: (column(c.level_weights) * levels(c)).sum(axis=0) / 2, "1"),
    ("levels, mean over dimensions", lambda c: (column(c.level_weights)
                                                * levels(c)).sum(axis=0) / c.d, "2 / d")]


def check(report, convention):
    assert report.verdict == ("PASS" if convention == "1" else "CONVENTION"), report
    said = f"{report.name}; {report.convention}"
    assert convention in said, said


@pytest.mark.slow
@pytest.mark.parametrize("script, kind, loss, convention", LOSSES, ids=[row[0] for row in LOSSES])
def test_a_public_loss_is_right_or_a_convention_by_name(script, kind, loss, convention):
    check(verify(loss, "dsm", predicts=kind), convention)


@pytest.mark.slow
@pytest.mark.parametrize("script, loss, convention", SEVERAL, ids=[row[0] for row in SEVERAL])
def test_a_public_loss_of_several_levels_too(script, loss, convention):
    check(verify(loss, "multi_level"), convention)


def test_there_are_forty_of_them_at_least():
    assert len(LOSSES) + len(SEVERAL) >= 40
