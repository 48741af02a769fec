"""The rounding bounds: their equations entry by entry, and real rounding errors below them."""
from math import fsum

import numpy as np
import pytest

import refsm
from refsm.theorems.rounding import autoencoder_bounds

U = 2.0**-53
FUNCTION = 10        # roundings of one activation or slope
N, D, M = 7, 3, 5


def problem(seed=0, sigma=0.61):
    rng = np.random.default_rng(seed)
    model = refsm.AutoencoderEnergy(rng.standard_normal((M, D)),
                                    rng.standard_normal(M),
                                    rng.standard_normal(D),
                                    sigma=sigma)
    x = rng.standard_normal((N, D))
    return model, x, x + sigma * rng.standard_normal((N, D))


def by_hand(model, x, x_noisy):
    """Equations (1) to (9), one number at a time, from math.exp and Python sums."""
    W, b, c = model.W, model.b, model.c
    w = 1 / N
    d_value, d_term = 0.0, []
    d_W, d_b, d_c = np.zeros((M, D)), np.zeros(M), np.zeros(D)
    for n in range(N):
        a = [fsum(W[j, i] * x_noisy[n, i] for i in range(D)) + b[j] for j in range(M)]
        s = [1 / (1 + np.exp(-v)) for v in a]
        s1 = [v * (1 - v) for v in s]
        s2 = [v * (1 - v) * (1 - 2 * v) for v in s]
        y = [fsum(s[j] * W[j, i] for j in range(M)) + c[i] for i in range(D)]
        r = [y[i] - x[n, i] for i in range(D)]
        d_a = [(D + 2) * U * (sum(abs(W[j, i] * x_noisy[n, i]) for i in range(D)) + abs(b[j]))
               for j in range(M)]
        d_s = [s1[j] * d_a[j] + FUNCTION * U * s[j] for j in range(M)]
        d_s1 = [abs(s2[j]) * d_a[j] + FUNCTION * U * s1[j] for j in range(M)]
        d_r = [
            sum(d_s[j] * abs(W[j, i])
                for j in range(M)) + (M + 2) * U * (sum(s[j] * abs(W[j, i])
                                                        for j in range(M)) + abs(c[i])) + 4 * U *
            (abs(y[i]) + abs(x_noisy[n, i]) + abs(x[n, i])) for i in range(D)
        ]
        term = sum(v * v for v in r)
        own = sum(2 * abs(r[i]) * d_r[i] for i in range(D)) + (D + 4) * U * term
        d_term.append(own)
        d_value += w * (own + (N + 1) * U * term)
        p = [w * v for v in r]
        d_p = [w * (d_r[i] + 2 * U * abs(r[i])) for i in range(D)]
        for j in range(M):
            pW = sum(p[i] * W[j, i] for i in range(D))
            size = sum(abs(p[i] * W[j, i]) for i in range(D))
            A = abs(s1[j] * pW)
            d_A = s1[j] * (sum(d_p[i] * abs(W[j, i])
                               for i in range(D)) + (D + 2) * U * size) + abs(pW) * d_s1[j]
            d_b[j] += d_A + (N + 3) * U * A
            for i in range(D):
                d_W[j, i] += (d_A * abs(x_noisy[n, i]) + d_s[j] * abs(p[i]) + s[j] * d_p[i]
                              + (N + 4) * U * (A * abs(x_noisy[n, i]) + s[j] * abs(p[i])))
        for i in range(D):
            d_c[i] += d_p[i] + (N + 3) * U * abs(p[i])
    return 2 * d_value, 2 * np.array(d_term), (4 * d_W, 4 * d_b, 4 * d_c)


def test_the_bounds_are_the_equations_entry_by_entry():
    model, x, x_noisy = problem()
    bounds = autoencoder_bounds(model, x, x_noisy)
    value, term, gradient = by_hand(model, x, x_noisy)
    assert bounds.value == pytest.approx(value, rel=1e-12, abs=0)
    np.testing.assert_allclose(bounds.per_sample, term, rtol=1e-12)
    for computed, expected in zip(bounds.gradient, gradient):
        np.testing.assert_allclose(computed, expected, rtol=1e-12)


@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.7])
def test_real_rounding_errors_respect_the_bounds_and_the_bounds_are_not_idle(sigma):
    model, x, x_noisy = problem(3, sigma)
    bounds = autoencoder_bounds(model, x, x_noisy)
    wide = refsm.AutoencoderEnergy(*(block.astype(np.longdouble) for block in model.theta),
                                   sigma=np.longdouble(sigma))
    exact = refsm.DenoisingAutoencoderLoss(x.astype(np.longdouble),
                                           x_noisy.astype(np.longdouble)).value_and_gradient(wide)
    for J, scale in ((refsm.DenoisingAutoencoderLoss(x, x_noisy), 1.0),
                     (refsm.DenoisingScoreMatching(x, x_noisy, sigma), 2 * sigma**4)):
        value, gradient = J.value_and_gradient(model)
        assert abs(scale * value - exact[0]) <= bounds.value / 2
        for block, right, bound in zip(gradient, exact[1], bounds.gradient):
            assert (np.abs(scale * block - right) <= bound / 2).all()
    assert bounds.value < 1e-13 * float(exact[0])
