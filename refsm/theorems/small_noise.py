"""What happens as the noise of denoising score matching goes to zero: statements 14, 19, 20, 21.

Symbols
    q, s                    a density and its score;  q_sigma, s_sigma after noise of sigma
    psi, J                  a score or another field, its Jacobian;  sym J = (J + J') / 2
    eps                     standard normal noise;  x_noisy = x + sigma eps
    term                    1/2 |psi(x_noisy) + eps / sigma|^2, the term of J_DSM
    lap, grad, div          Laplacian, gradient, divergence
    R                       the coefficient of sigma^2 in statement 14

Statements
    14  E J_DSM - d / (2 sigma^2) = E_q J_ISM + sigma^2 R + O(sigma^4), with
        2 R = E_q |J|^2 + E_q (psi - s).grad div psi, where psi is a gradient.
        For psi = s, R = 1/2 E_q |J|^2.  Kingma & LeCun's penalty with strength sigma^2 / 2 has
        1/2 E_q sum_i J_ii^2 there: the same where J is diagonal (independent dimensions), and
        not otherwise
    19  s_sigma = s + (sigma^2 / 2) grad(div s + |s|^2) + O(sigma^4)
    20  over eps, at fixed x:  sigma^4 Var term = d / 2 + O(sigma^2);  and the variance of
        term - |eps|^2 / (2 sigma^2) - psi(x).eps / sigma tends to 2 |sym J|^2, the variance of
        variance-reduced sliced score matching with v = eps
    21  the mean of term over the pair eps, -eps, with psi+- = psi(x +- sigma eps), is
        (|psi+|^2 + |psi-|^2) / 4 + (psi+ - psi-).eps / (2 sigma) + |eps|^2 / (2 sigma^2)
        for affine psi, (psi(x + sigma eps) - psi(x)).eps / sigma = eps'J eps

Derivation
    14  by 5 the left side is E g(x + sigma eps), g = 1/2 |psi|^2 + div psi: E_q g + sigma^2/2 E_q
        lap g + ....  For a gradient field lap psi = grad div psi, so lap(1/2 |psi|^2) = |J|^2 +
        psi.grad div psi; and E_q lap div psi = -E_q s.grad div psi by parts.
    19  q_sigma = q + (sigma^2 / 2) lap q + O(sigma^4), and lap q / q = div s + |s|^2, because
        grad q = q s.  So log q_sigma = log q + (sigma^2 / 2)(div s + |s|^2) + O(sigma^4).
    20  term = 1/2 |psi(x_noisy)|^2 + psi(x_noisy).eps / sigma + |eps|^2 / (2 sigma^2).  The
        variance of the last is 2 d / (4 sigma^4).  Without it, and without psi(x).eps / sigma (both
        of known mean), 1/2 |psi(x)|^2 + eps'J eps + O(sigma) is left, whose variance is
        2 |sym J|^2.  The variances are even in sigma, since -eps is as probable as eps.
    21  add the two squares; the cross terms with psi(x) cancel.  Affine: psi(x_noisy) - psi(x) =
        sigma J eps.

Conditions
    q, psi smooth enough for the expansions, and the expectations finite.  As sigma -> 0 the bias of
    s_sigma falls as sigma^2 (19) while the variance of the term grows as sigma^-4 (20).

Sources
    Kingma & LeCun, Regularized estimation of image statistics by score matching, NIPS 2010: the
    penalty.  Hyvarinen, Optimal approximation of signal priors, Neural Computation 20 (2008): small
    noise.  The other statements are derived here.
"""
from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from refsm import expectations
from refsm.activations import RATIONAL
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian import Gaussian
from refsm.energies.mixture import GaussianMixture
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.objectives.sliced import SlicedScoreMatching
from refsm.theorems import limits, rationals
from refsm.theorems.chain import density, models, nodes_of
from refsm.theorems.statement import (QUADRATURE, Statement, differs, equal, relative_bound,
                                      rounding_bound)
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "EXACT", "small_noise", "small_noise_of_other_fields",
           "bias", "variance", "antithetic", "exactly"]

LEVELS = 6              # noise levels of a limit: sigma^2 = LARGEST, LARGEST / 2, ...
LARGEST = 2.0 ** -4     # of 14; of 19 and 20 a quarter of it
POINTS = 7              # at which 19 and 21 are evaluated
NODES = 61              # for eps, along each of two dimensions
GRID = 8                # exact inputs are multiples of 1 / GRID


def small_noise() -> list[Statement]:
    """Statement 14 for psi = s: the rate, R, and when it is Kingma & LeCun's penalty."""
    means = [[-1, -1], [-1, 1.5], [1, -1], [1, 1.5]]
    product = GaussianMixture([0.12, 0.28, 0.18, 0.42], means,
                              np.broadcast_to(np.diag([0.5, 0.8]), (4, 2, 2)))
    out = []
    for q, name in ((product, "q with independent dimensions"), (density(), "q correlated")):
        x, w = nodes_of(q)
        J = q.score_jacobian(x)
        R = w @ (J**2).sum(axis=(1, 2)) / 2
        penalty = w @ (q.score_jacobian_diagonal(x) ** 2).sum(axis=1) / 2
        coefficient, error, rate, rate_error = coefficient_of(q, q)
        out += [equal(14, "rate of E J_DSM - d/(2 sigma^2) - J_ISM in sigma", name, rate, 2.0,
                      rate_error, "limit"),
                equal(14, "its coefficient of sigma^2 = 1/2 E|J|^2, psi = s", name, coefficient, R,
                      error, "limit")]
        if q is product:
            out.append(equal(14, "... = Kingma & LeCun's penalty", name, R, penalty,
                             relative_bound(R), "quadrature"))
        else:
            out.append(differs(14, "... is not Kingma & LeCun's penalty", name, R, penalty,
                               relative_bound(R)))
    return out


def small_noise_of_other_fields() -> list[Statement]:
    """Statement 14 for energies that are not -log q."""
    q = density()
    x, w = nodes_of(q)
    out = []
    for name, model in models().items():
        J = model.score_jacobian(x)
        grad_div = limits.gradient(model.score_divergence, x)
        twice = (J**2).sum(axis=(1, 2)) + ((model.score(x) - q.score(x)) * grad_div).sum(axis=1)
        coefficient, error, *_ = coefficient_of(q, model)
        out.append(equal(14, "2 x coefficient = E|J|^2 + E(psi - s).grad div psi", name,
                         2 * coefficient, w @ twice, 2 * error, "limit"))
    return out


def coefficient_of(q: GaussianMixture, model: Any) -> tuple[float, float, float, float]:
    """The limit of (f(sigma) - f(0)) / sigma^2, the exponent of f - f(0) in sigma, their errors.

    In this order: the limit, its error, the exponent, its error.

    f = E J_ISM at q_sigma, which is E J_DSM - d / (2 sigma^2) by statement 5.
    """
    x, w = nodes_of(q)
    f0 = ImplicitScoreMatching(x, weights=w).value(model)
    h = LARGEST / 2.0 ** np.arange(LEVELS)
    slopes = []
    for variance in h:
        x, w = nodes_of(noisy(q, variance))
        slopes.append((ImplicitScoreMatching(x, weights=w).value(model) - f0) / variance)
    size = abs(f0) + w @ (model.score(x) ** 2).sum(axis=1)
    value, error = limits.limit(np.array(slopes), noise=QUADRATURE * size / h[-1])
    rate, rate_error = limits.exponent(np.array(slopes) * h)             # in sigma^2
    return float(value), float(error), 2 * float(rate), 2 * float(rate_error)


def noisy(q: GaussianMixture, variance: float) -> GaussianMixture:
    """The density of x + noise of some variance."""
    return GaussianMixture(q.weights, q.means, q.covariances + variance * np.eye(q.d))


def bias() -> list[Statement]:
    """Statement 19 at a few points: the coefficient of sigma^2, and the rate of what is left."""
    q = density()
    x = q.sample(POINTS, np.random.default_rng(19))
    h = LARGEST / 4 / 2.0 ** np.arange(LEVELS)
    s = q.score(x)
    slopes = np.array([(noisy(q, variance).score(x) - s) / variance for variance in h])
    noise = float(rounding_bound(abs(s).max() / h[-1]))
    coefficient, error = limits.limit(slopes, noise)
    smoothness = limits.gradient(
        lambda x: q.score_divergence(x) + (q.score(x) ** 2).sum(axis=1), x)
    rest = slopes - smoothness / 2
    where = f"GaussianMixture, {POINTS} points, d=2"
    rate, rate_error = limits.exponent(np.sqrt((rest**2).sum(axis=(1, 2))))
    return [equal(19, "(s_sigma - s)/sigma^2 -> 1/2 grad(div s + |s|^2)", where, coefficient,
                  smoothness / 2, error.max(), "limit"),
            equal(19, "rate of s_sigma - s - sigma^2/2 grad(...) in sigma", where,
                  2 + 2 * rate, 4.0, 2 * rate_error, "limit")]


def variance() -> list[Statement]:
    """Statement 20 for two energies and a field that is no gradient, at one point each."""
    eps, w = expectations.trapezoid((np.zeros(2), np.eye(2)), NODES)
    x = np.array([[0.4, -0.7]])
    h = LARGEST / 4 / 2.0 ** np.arange(LEVELS)
    A = np.array([[-1.0, 0.8], [-0.5, -1.5]])
    fields = {"AutoencoderEnergy": models()["AutoencoderEnergy, theta_1"].score,
              "GaussianMixture": models()["GaussianMixture, theta_1"].score,
              "tanh(A x), A != A'": lambda x: np.tanh(x @ A.T)}
    out = []
    for name, psi in fields.items():
        plain, controlled = (np.array(part) for part in zip(*(
            variances(psi, x, eps, w, np.sqrt(level)) for level in h)))
        J = limits.gradient(psi, x)[0]
        field = np.broadcast_to(psi(x), eps.shape)
        sliced = SlicedScoreMatching(np.repeat(x, len(eps), axis=0), eps[:, None, :],
                                     variance_reduced=True)
        curvature = np.einsum("ni,ik,nk->n", eps, J, eps)[:, None]
        slices = variance_of(sliced.evaluate(score=field, curvature=curvature)[0], w)
        symmetric = ((J + J.T) ** 2).sum() / 2                           # 2 |sym J|^2
        unit = QUADRATURE * (1 + slices)
        first, first_error = limits.limit(plain * h**2, unit)
        second, second_error = limits.limit(controlled, unit / h[-1])
        where = f"{name}, one point, d=2"
        out += [equal(20, "sigma^4 Var(term of J_DSM) -> d/2", where, first, 1.0, first_error,
                      "limit"),
                equal(20, "Var with both controls -> 2 |sym J|^2", where, second, symmetric,
                      second_error, "limit"),
                equal(20, "Var of reduced slicing, v = eps, = 2 |sym J|^2", where, slices,
                      symmetric, unit, "quadrature")]
    return out


def variances(psi: Any, x: Array, eps: Array, w: Array, sigma: float) -> tuple[float, float]:
    """Over eps: of the term of J_DSM, and of the term without its two controls."""
    x_noisy = x + sigma * eps
    clean = np.repeat(x, len(eps), axis=0)
    term = DenoisingScoreMatching(clean, x_noisy, sigma).evaluate(score=psi(x_noisy))[0]
    controls = (eps**2).sum(axis=1) / (2 * sigma**2) + eps @ psi(x)[0] / sigma
    return variance_of(term, w), variance_of(term - controls, w)


def variance_of(values: Array, w: Array) -> float:
    """The variance of values with probabilities w."""
    return float(w @ (values - w @ values) ** 2)


def antithetic() -> list[Statement]:
    """Statement 21: an energy's terms, and the affine case."""
    rng = np.random.default_rng(21)
    x, eps = rng.standard_normal((POINTS, 3)), rng.standard_normal((POINTS, 3))
    W, b, c = rng.standard_normal((5, 3)), rng.standard_normal(5), rng.standard_normal(3)
    A = rng.standard_normal((3, 3))
    gaussian = Gaussian(rng.standard_normal(3), A @ A.T + np.eye(3))
    return _pair(AutoencoderEnergy(W, b, c, sigma=0.8), gaussian, x, eps, 0.3, "rounding")


def exactly() -> list[Statement]:
    """Statement 21 in rationals."""
    rng = np.random.default_rng(21)
    draw = [rng.standard_normal(shape) for shape in ((3, 3), (3, 3), (5, 3), 5, 3, (3, 3))]
    x, eps, W, b, c, A = (rationals.nearest(a, GRID) for a in draw)
    energy = AutoencoderEnergy(W, b, c, sigma=Fraction(3, 4), activation=RATIONAL)
    return _pair(energy, Gaussian(c, A @ A.T), x, eps, Fraction(3, 8), "exact")


def _pair(energy: Any, gaussian: Gaussian, x: Array, eps: Array, sigma: Any,
          how: str) -> list[Statement]:
    plus, minus = x + sigma * eps, x - sigma * eps
    psi_plus, psi_minus = energy.score(plus), energy.score(minus)
    mean = (DenoisingScoreMatching(x, plus, sigma).per_sample(energy)
            + DenoisingScoreMatching(x, minus, sigma).per_sample(energy)) / 2
    pair = ((psi_plus**2 + psi_minus**2) / 4 + (psi_plus - psi_minus) * eps / (2 * sigma)
            + eps**2 / (2 * sigma**2)).sum(axis=1)
    difference = ((gaussian.score(plus) - gaussian.score(x)) * eps).sum(axis=1) / sigma
    curvature = gaussian.score_curvature(x, eps)
    bounds: tuple[Any, Any] = (0, 0)
    if how == "rounding":
        P, y = abs(gaussian.precision), abs(x) + abs(eps) + abs(gaussian.mean)
        size = (abs(psi_plus) + abs(psi_minus) + (abs(eps) + abs(x)) / sigma) ** 2
        bounds = (rounding_bound(size.sum(axis=1) / sigma),
                  rounding_bound((y @ P * abs(eps)).sum(axis=1) / sigma))
    where = f"{len(x)} points, d={x.shape[1]}, sigma={sigma}"
    return [equal(21, "mean term of J_DSM over eps, -eps = its formula",
                  f"AutoencoderEnergy, {where}", mean, pair, bounds[0], how),
            equal(21, "(psi(x_noisy) - psi(x)).eps/sigma = eps'J eps", f"Gaussian, {where}",
                  difference, curvature, bounds[1], how)]


GROUP = "Small noise: bias, variance, and two ways to reduce it"
LETTERS = ("sym J = (J + J')/2; Var: variance over eps; controls: |eps|^2/(2 sigma^2) and "
           "psi(x).eps/sigma")
MAKERS = [small_noise, small_noise_of_other_fields, bias, variance, antithetic]
EXACT = [exactly]
