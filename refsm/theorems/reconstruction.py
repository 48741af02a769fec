"""What a denoising loss can reach, and what reaches it: statements 17, 18 and 25.

Symbols
    x, x_noisy    (n, d)   clean points, and each with every node of its noise; w their weights
    q_sigma                the density of x_noisy, s_sigma its score
    m             (n, d)   E[x | x_noisy], the best reconstruction
    I             number   E |s_sigma|^2, the Fisher information of q_sigma
    psi           (n, d)   any field; r = x_noisy + sigma^2 psi(x_noisy) its reconstruction
    kl(m || r)             m log(m / r) + (1 - m) log((1 - m) / (1 - r)), for numbers in (0, 1)

Statements
    17  the least J_DSM over all fields is that of s_sigma:
        d / (2 sigma^2) - I / 2 = E tr Cov[x | x_noisy] / (2 sigma^4)
        the least J_DAE is 2 sigma^4 times that: d sigma^2 - sigma^4 I
    18  for each clean point x, expected over its noise,
        E |r - x|^2 = d sigma^2 + 2 sigma^4 E [ |psi|^2 / 2 + div psi ](x_noisy)
    25  J_CE(r) - J_CE(m) = E sum_i kl(m_i || r_i), J_CE the cross-entropy of x in [0, 1]^d

Derivation
    17  s_sigma = E[t | x_noisy] by 16, so E |psi - t|^2 = E |psi - s_sigma|^2 + E |t - s_sigma|^2,
        and the last term is E |t|^2 - E |s_sigma|^2 = d / sigma^2 - I.  It is also
        E tr Cov[t | x_noisy], and t = (x - x_noisy) / sigma^2.  J_DAE is 2 sigma^4 J_DSM, by 1.
    18  r - x = noise + sigma^2 psi.  E |noise|^2 = d sigma^2, and E noise.psi(x + noise) =
        sigma^2 E div psi by parts against the Gaussian density of the noise (Stein's lemma).  No
        density of the clean points enters: it holds at each of them, and for a psi that is no
        gradient.  Averaged over x it is statement 5 times 2 sigma^4.
    25  - x log r - (1 - x) log(1 - r) is affine in x, so given x_noisy its mean has m in the place
        of x; minus the same at r = m it is kl(m || r) >= 0, with 0 for r = m alone.  Squared error
        has |r - m|^2 in the place of kl (12): another loss, the same minimiser over all functions.
        Over a family that does not contain m the minimisers may differ.

Conditions
    18 and Stein's lemma need psi absolutely continuous along lines and every E |d_i psi_i| finite;
    a jump adds a term (26).

Sources
    Stein, Estimation of the mean of a multivariate normal distribution, Annals of Statistics 9
    (1981): 18, his unbiased estimate of risk.  Banerjee, Guo & Wang, On the optimality of
    conditional expectation as a Bregman predictor, IEEE Transactions on Information Theory 51
    (2005): 25.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from refsm import expectations
from refsm.denoiser import tweedie
from refsm.energies.mixture import GaussianMixture
from refsm.energies.parzen import Parzen
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.denoising_autoencoder import DenoisingAutoencoderLoss
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.stable import sigmoid, sigmoid_slope, softplus
from refsm.theorems.chain import ATOMS, SIGMA, SIZE, density, models, noisy_nodes
from refsm.theorems.statement import QUADRATURE, Statement, differs, equal, relative_bound
from refsm.typing import Array

__all__ = ["GROUP", "LETTERS", "MAKERS", "floor", "floor_of_a_density", "stein", "cross_entropy"]

M = 3           # hidden units of the reconstructions


def floor() -> list[Statement]:
    """Statement 17 for a clean distribution on a few points."""
    clean, (x, x_noisy, w) = noisy_nodes()
    d = clean.shape[1]
    q_sigma = Parzen(clean, SIGMA)
    s_sigma, m = q_sigma.score(x_noisy), q_sigma.posterior_mean(x_noisy)
    I = w @ (s_sigma**2).sum(axis=1)
    variance = w @ np.trace(q_sigma.posterior_covariance(x_noisy), axis1=1, axis2=2)
    J_DSM = DenoisingScoreMatching(x, x_noisy, SIGMA, weights=w)
    least = J_DSM.value(q_sigma)
    J_DAE = w @ DenoisingAutoencoderLoss(x, x_noisy, weights=w).evaluate(reconstruction=m)[0]
    where = f"{len(clean)} points, d={d}, sigma={SIGMA:g}"
    bound = relative_bound(d / SIGMA**2, I)
    out = [
        equal(17, "least J_DSM = d/(2 sigma^2) - I/2", where, least, d / (2 * SIGMA**2) - I / 2,
              bound, "quadrature"),
        equal(17, "least J_DSM = E tr Cov[x|x_noisy] / (2 sigma^4)", where, least,
              variance / (2 * SIGMA**4), bound, "quadrature"),
        equal(17, "least J_DAE = d sigma^2 - sigma^4 I", where, J_DAE, d * SIGMA**2 - SIGMA**4 * I,
              SIGMA**4 * bound, "quadrature")]
    for name, model in models().items():
        value = J_DSM.value(model)
        excess = w @ ((model.score(x_noisy) - s_sigma) ** 2).sum(axis=1) / 2
        out.append(equal(17, "J_DSM - its least value = 1/2 E|psi - s_sigma|^2", f"{name}, {where}",
                         value - least, excess, bound + relative_bound(value), "quadrature"))
    return out


def floor_of_a_density() -> list[Statement]:
    """Statement 17 where the clean points have a density."""
    q = density()
    d = q.d
    q_sigma = GaussianMixture(q.weights, q.means, q.covariances + SIGMA**2 * np.eye(d))
    x, x_noisy, w = expectations.noisy_density(q, SIGMA, SIZE)
    least = DenoisingScoreMatching(x, x_noisy, SIGMA, weights=w).value(q_sigma)
    m = tweedie(q_sigma, x_noisy, SIGMA)
    I = w @ (q_sigma.score(x_noisy) ** 2).sum(axis=1)
    variance = w @ (x * x - m * m).sum(axis=1)                           # E|x|^2 - E|m|^2
    where = f"GaussianMixture, d={d}, sigma={SIGMA:g}"
    bound = relative_bound(d / SIGMA**2, I, w @ (x * x).sum(axis=1) / SIGMA**4)
    return [equal(17, "least J_DSM = d/(2 sigma^2) - I/2", where, least, d / (2 * SIGMA**2) - I / 2,
                  bound, "quadrature"),
            equal(17, "least J_DSM = E tr Cov[x|x_noisy] / (2 sigma^4)", where, least,
                  variance / (2 * SIGMA**4), bound, "quadrature")]


class Untied:
    """psi = (V' sigmoid(W x + b) + c - x) / sigma^2 with a decoder V of its own: no gradient."""

    def __init__(self) -> None:
        rng = np.random.default_rng(18)
        shapes = ((M, 2), (M, 2), M, 2)
        self.W, self.V, self.b, self.c = (rng.standard_normal(shape) for shape in shapes)

    def score(self, x: Array) -> Array:
        return (sigmoid(x @ self.W.T + self.b) @ self.V + self.c - x) / SIGMA**2

    def score_divergence(self, x: Array) -> Array:
        s1 = sigmoid_slope(x @ self.W.T + self.b)
        return (s1 @ (self.V * self.W).sum(axis=1) - 2) / SIGMA**2


def stein() -> list[Statement]:
    """Statement 18 at each clean point, for three energies and for a field that is no gradient."""
    clean, (x, x_noisy, w) = noisy_nodes()
    d = clean.shape[1]
    loss, implicit = DenoisingAutoencoderLoss(x, x_noisy), ImplicitScoreMatching(x_noisy)
    fields: dict[str, Any] = {**models(), "untied reconstruction": Untied()}
    out = []
    for name, field in fields.items():
        psi = field.score(x_noisy)
        divergence = field.score_divergence(x_noisy)
        risk = loss.evaluate(reconstruction=x_noisy + SIGMA**2 * psi)[0]
        term = implicit.evaluate(score=psi, divergence=divergence)[0]
        left, estimate, size = (ATOMS * (w * part).reshape(ATOMS, -1).sum(axis=1)
                                for part in (risk, term, (psi**2).sum(axis=1)))
        where = f"{name}, each of {ATOMS} points, sigma={SIGMA:g}"
        out.append(equal(18, "E J_DAE = d sigma^2 + 2 sigma^4 E J_ISM(x_noisy)", where, left,
                         d * SIGMA**2 + 2 * SIGMA**4 * estimate,
                         QUADRATURE * (d * SIGMA**2 + SIGMA**4 * size), "quadrature"))
    return out


def cross_entropy() -> list[Statement]:
    """Statement 25 for a reconstruction sigmoid(y); its gradient is not that of squared error."""
    clean = np.random.default_rng(25).random((ATOMS, 2))
    x, x_noisy, w = expectations.noisy_pairs(clean, SIGMA, SIZE)
    field = Untied()
    y = sigmoid(x_noisy @ field.W.T + field.b) @ field.V + field.c       # the logits of r
    r, m = sigmoid(y), Parzen(clean, SIGMA).posterior_mean(x_noisy)
    J_r = w @ (softplus(y) - x * y).sum(axis=1)
    J_m = w @ -(x * np.log(m) + (1 - x) * np.log1p(-m)).sum(axis=1)
    kl = w @ (m * np.log(m / r) + (1 - m) * np.log((1 - m) / (1 - r))).sum(axis=1)
    where = f"{ATOMS} points in [0, 1]^2, sigma={SIGMA:g}"
    entropy, squares = w @ (r - x), w @ (2 * (r - x) * r * (1 - r))      # dJ/dc of the two losses
    cosine = entropy @ squares / np.sqrt((entropy @ entropy) * (squares @ squares))
    return [equal(25, "J_CE(r) - J_CE(E[x|x_noisy]) = E sum kl(m_i||r_i)", where, J_r - J_m, kl,
                  relative_bound(J_r, J_m), "quadrature"),
            differs(25, "cosine of its gradient and squared error's, and 1", where, float(cosine),
                    1.0, QUADRATURE)]


GROUP = "Tweedie: a score is a denoiser"
LETTERS = ("J_CE: cross-entropy; m = E[x|x_noisy]; "
           "kl(m||r) = m log(m/r) + (1 - m) log((1 - m)/(1 - r))")
MAKERS = [floor, floor_of_a_density, stein, cross_entropy]
