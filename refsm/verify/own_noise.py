"""Implementations that draw their own noise: exact expectations against replicates.

Symbols
    n points, i dimensions (d), q nodes of a rule for the noise (Q).
    x        (n, d)      points
    eps      (Q, d)      nodes for standard normal noise, with their weights
    w        (Q,)        weights of the nodes
    psi      function    the model's score; A its Jacobian where the score is affine
    sigma    number      standard deviation of the noise
    mu       (K,)        what a hypothesis expects of K cases
    mean     (K,)        the mean of R replicates of each case;  error its standard error
    z        (K,)        their distance in units that are standard normal if the hypothesis is true

Equations
    (1)  mu = mean over points of sum_q w_q term(x_n, eps_q)
    (2)  t = (mean - mu) / error,  z the normal quantile of Student's t with R - 1 degrees of freedom
    (3)  p = P( chi^2_K > sum_k z_k^2 )
    (4)  E v'J v = tr(S J) and E (v.psi)^2 = psi' S psi, S = E v v'

Derivation
    (1)  The terms of denoising score matching are quadratic in eps where psi is affine: E eps = 0 and E eps eps' = I are all that enters, and
         the 2^d sign vectors with equal weights have these moments, so the sum is the expectation, exactly.  For the autoencoder's
         loss, a smooth function of eps, the nodes are those of a tensor Gauss-Hermite rule in d = 3.
    (4)  v'J v and (v.psi)^2 are linear in v v'.  Signs, Gaussians, and points of a sphere of radius sqrt(d) have S = I; unit vectors I / d;
         uniform numbers in [0, 1) I / 12 + 1 1' / 4.
    (2)  the mean of R replicates is normal up to terms of order 1 / sqrt(R); each replicate is already a mean over points.

Conventions
    The number R of replicates is fixed before the first call.  A hypothesis is GOOD where p >= 1e-4 and BAD where p <= 1e-9.  One is declared only if
    it is good and every other with another expectation is bad.  So a right implementation is refused once in 10^4 runs, and another
    hypothesis of the list is declared in its place once in 10^9, as far as the normal approximation goes.  Good ones beside each other: inconclusive.

Sources
    Ours; (4) with S = I is sliced score matching's unbiasedness (Song et al., UAI 2019).
"""
from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from itertools import product
from typing import Any, Callable, Iterator

import numpy as np
from scipy import special

from refsm.stable import sigmoid
from refsm.typing import Array
from refsm.verify.adapters import TIME_LIMIT, AdapterError, lent, plain, within
from refsm.verify.cases import Case, cases, objective_name
from refsm.verify.laws import ONE, Law, parse_law
from refsm.verify.report import Report

__all__ = ["verify_own_noise", "REPLICATES", "DRAWING"]

REPLICATES = 200
FEWEST = 30
GOOD, BAD = 1e-4, 1e-9
SMALLEST = 1e-300                                # a probability whose normal quantile is finite
SAME = 1e-6                                      # relative: expectations as close as this are one and the same
NODES = 16                                       # a dimension, of the Gauss-Hermite rule
DRAWING = ("dsm", "dae", "ssm", "ssm_vr")        # the objectives that draw noise or directions
LAWS = ("1", "2", "1 / 2", "1 / d", "2 / d", "1 / (2 d)", "sigma^2", "2 sigma^2", "sigma^2 / d", "2 sigma^2 / d", "sigma^4", "2 sigma^4", "1 / (2 sigma^4)",
        "sigma", "2 sigma", "n", "2 n", "n / 2", "1 / n", "M", "1 / M", "-1")
UNSEEN = {
    "": ("laws of the noise with the same mean and covariance; one draw shared by the whole batch; gradients",),
    "ssm": ("the variance-reduced form, which has the same expectation",), "ssm_vr": ("the form that is not variance-reduced, which has the same expectation",)}


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """What an implementation may compute: a structure ("" for the right one) times a law, and the values expected of it."""

    slip: str
    law: Law
    expected: Array          # (K,)

    def __str__(self) -> str:
        factor = "" if self.law == ONE else f"{self.law} times "
        return factor + (f"the loss with this mistake: {self.slip}" if self.slip else "the canonical loss")


def verify_own_noise(implementation: Callable[..., Any], objective: str, replicates: int = REPLICATES, seed: int = 0, convention: str | None = None,
                     time_limit: float = TIME_LIMIT) -> Report:
    """Which expectation the values of an implementation have, from replicates.

    The implementation is called as implementation(case, rng) with a `numpy.random.Generator`; or (case, seed) with an integer that
    differs each time, where that argument is called seed or key; or (case), where it takes one.  The argument is the first one after the case that
    has no default, or that is called rng, generator, seed or key.  The case has no
    noise, noisy points or directions; `case.n_directions` says how many directions a point gets.  `convention` is the factor that is meant, such
    as "sigma^2".  `time_limit` is in seconds for all replicates of one case.  An implementation that fails is a report, not an exception;
    ValueError for an objective that draws nothing, or fewer than 30 replicates.
    """
    name = objective_name(objective)
    if name not in DRAWING:
        raise ValueError(f"objective must be one of {', '.join(DRAWING)} to draw noise, but it is {name}")
    if replicates < FEWEST:
        raise ValueError(f"replicates must be >= {FEWEST}, but it is {replicates}")
    meant = ONE if convention is None else parse_law(convention)
    asked = _cases(name)
    rng = np.random.default_rng(seed)
    try:
        values = np.array([_replicates(implementation, case, replicates, rng, time_limit) for case in asked])
    except AdapterError as error:
        return Report("BROKEN", name, str(error), status=error.status)
    return _report(name, asked, values, meant, convention)


def _report(objective: str, asked: list[Case], values: Array, meant: Law, declared: str | None) -> Report:
    """The verdict on replicates (K, R)."""
    R = values.shape[1]
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(R)
    hypotheses = _hypotheses(objective, asked)
    probable = _p(mean, error, np.array([h.expected for h in hypotheses]), R)
    ranked = sorted(zip(probable.tolist(), hypotheses), key=lambda pair: -pair[0])
    p, first = ranked[0]
    same = [h for _, h in ranked if (np.abs(h.expected - first.expected) <= SAME * np.abs(first.expected)).all()]
    best, *equals = sorted(same, key=lambda h: (bool(h.slip), h.law.complexity))
    others = [(q, h) for q, h in ranked if h not in same]
    about: dict[str, Any] = {
        "cases": len(asked), "model": asked[0].model, "precision": f"{R} replicates each", "declared": declared,
        "runner_up": f"next: p = {others[0][0]:.2g} for {others[0][1]}", "cannot_tell": (*(f"{h}" for h in equals), *UNSEEN.get(objective, ()), *UNSEEN[""]),
        "notes": (f"{len(ranked)} hypotheses; the best has p = {p:.2g}. One is declared only if its p >= {GOOD:g} and every other's <= {BAD:g}; the number "
                  "of replicates was fixed in advance. A right loss is refused once in 10^4 runs.",)}
    if p < GOOD:
        if p > BAD:
            unclear = f"the best hypothesis, {best}, is neither good nor bad: repeat with {4 * R} replicates and another seed"
            return Report("INCONCLUSIVE", objective, unclear, **about)
        return Report("UNEXPLAINED", objective, "no hypothesis of the list has the expectations of its values", **about)
    if others[0][0] > BAD:
        return Report("INCONCLUSIVE", objective, f"it may be {best}, or {others[0][1]}: repeat with {4 * R} replicates", **about)
    found = f"its expectation is {best}"
    if not best.slip and best.law == meant:
        return Report("PASS" if meant == ONE else "CONVENTION", objective, found, law=str(meant), conforms=True, **about)
    if best.slip or best.law.kappa < 0 or declared is not None:
        found += f", not {meant} times the canonical loss as declared" if declared else ""
        return Report("MISMATCH", objective, found, law=str(best.law), **about)
    return Report("CONVENTION", objective, found, law=str(best.law), convention=str(best.law), **about)


def _p(mean: Array, error: Array, mu: Array, R: int) -> Array:
    """How probable distances like these are if each hypothesis is true, equations (2) and (3), for expectations (H, K): (H,)."""
    t = np.abs(mean - mu) / error                                                    # (H, K)
    z = -special.ndtri(np.maximum(special.stdtr(R - 1, -t), SMALLEST))                # (H, K)  (2)
    return special.chdtrc(len(mean), (z * z).sum(axis=1))                            # (H,)    (3)


# -- replicates ---------------------------------------------------------------------------------------------------


def _cases(objective: str) -> list[Case]:
    """Two thetas of every cell whose expectations are known, without their noise."""
    known = cases(objective, "prime", model="gaussian" if objective == "dsm" else "autoencoder")
    chosen = [case for case in known if case.id.endswith(("t0", "t1")) and (objective != "dae" or case.d == 3)]
    hyper = [{"n_directions": case.M} if objective in ("ssm", "ssm_vr") else {} for case in chosen]
    return [dataclasses.replace(case, arrays={"x": case.x}, hyper={**case.hyper, **more}) for case, more in zip(chosen, hyper)]


def _replicates(implementation: Callable[..., Any], case: Case, R: int, rng: np.random.Generator, time_limit: float) -> Array:
    """R values of one case, (R,)."""
    name, by_name = _argument(implementation)

    def once(given: Case) -> Any:
        if not name:
            return implementation(given)
        randomness = int(rng.integers(2**31)) if name in ("seed", "key") else rng
        return implementation(given, **{name: randomness}) if by_name else implementation(given, randomness)

    with lent(case) as given:
        values = within(time_limit, lambda: np.array([plain(once(given), case).value for _ in range(R)]))
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        raise AdapterError(f"the implementation gave {values[0]:.6g} for {case.id} in all {R} replicates: it does not draw its noise from what it is handed")
    return values


def _argument(implementation: Callable[..., Any]) -> tuple[str, bool]:
    """The name of the argument that brings the randomness, "" if there is none, and whether it can be given by that name."""
    try:
        _, *others = inspect.signature(implementation).parameters.values()
    except (TypeError, ValueError):                          # a signature that cannot be had, or one without arguments
        return "rng", False
    for p in others:
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and (p.default is p.empty or p.name in ("rng", "generator", "seed", "key")):
            return p.name, p.kind is not p.POSITIONAL_ONLY
    return "", False


# -- hypotheses ---------------------------------------------------------------------------------------------------


def _hypotheses(objective: str, asked: list[Case]) -> list[Hypothesis]:
    """Every structure times every law, with what is expected of them."""
    structures = {"dsm": _denoising, "dae": _autoencoder, "ssm": _sliced, "ssm_vr": _sliced}[objective]
    of_case = [dict(structures(case)) for case in asked]
    sizes = [{"d": case.d, "n": case.n, "M": case.hyper.get("n_directions", 1.0), "sigma": case.sigma} for case in asked]
    laws = [law for law in map(parse_law, LAWS) if "M" not in dict(law.powers) or objective.startswith("ssm")]
    (slips,) = {tuple(values) for values in of_case}
    return [Hypothesis(slip, law, np.array([law(size) * values[slip] for size, values in zip(sizes, of_case)])) for slip in slips for law in laws]


def _denoising(case: Case) -> Iterator[tuple[str, float]]:
    """(slip, expectation) for denoising score matching with an affine score."""
    x, sigma, psi = case.x, case.sigma, case.score
    eps = np.array(list(product([-1.0, 1.0], repeat=case.d)))
    w = np.full(len(eps), 1 / len(eps))

    def expected(term: Callable[[Array, Array], Array]) -> float:
        return float(np.mean([w @ term(point, eps) for point in x]))                  # number  (1)

    def residual(scale: float, target: float, shift: float = 0.0) -> Callable[[Array, Array], Array]:
        """1/2 |psi(x + scale e) - target e|^2 for e = eps + shift."""
        return lambda point, e: _half_square(psi(point + scale * (e + shift)) - target * (e + shift))

    yield "", expected(residual(sigma, -1 / sigma))
    yield "the target has the opposite sign", expected(residual(sigma, 1 / sigma))
    yield "the score is read at the clean point", expected(residual(0.0, -1 / sigma))
    yield "the target is divided by sigma in place of sigma^2", expected(residual(sigma, -1.0))
    yield "the target is the noise itself, with its sign", expected(residual(sigma, 1.0))
    yield "the target is not divided by sigma^2", expected(residual(sigma, -sigma))
    yield "the noise has standard deviation sigma^2 in place of sigma", expected(residual(sigma**2, -1.0))
    yield "the noise has standard deviation sigma^2, the target is noise / sigma", expected(residual(sigma**2, -1 / sigma))
    yield "the noise has standard deviation 1 in place of sigma", expected(residual(1.0, -1 / sigma**2))
    yield "the noise has standard deviation 1, the target is noise / sigma", expected(residual(1.0, -1 / sigma))
    yield "the noise has standard deviation sqrt(sigma), the variance for sigma", expected(residual(sigma**0.5, -sigma**-1.5))
    yield "the target has noise of its own, drawn a second time", expected(lambda point, e: _half_square(psi(point + sigma * e)) + case.d / (2 * sigma**2))
    yield "the constant |target|^2 / 2 is left out", expected(residual(sigma, -1 / sigma)) - case.d / (2 * sigma**2)
    yield "the target is left out", expected(residual(sigma, 0.0))
    yield "the noise is uniform in [-1, 1] in place of normal", expected(_scaled(residual, sigma, 3**-0.5))
    yield "the noise is uniform in [0, 1] in place of normal", expected(_scaled(residual, sigma, 12**-0.5, 0.5))


def _scaled(residual: Callable[..., Callable[[Array, Array], Array]], sigma: float, spread: float, middle: float = 0.0) -> Callable[[Array, Array], Array]:
    """The residual for noise `middle` + `spread` e."""
    return residual(sigma * spread, -spread / sigma, middle / spread)


def _autoencoder(case: Case) -> Iterator[tuple[str, float]]:
    """(slip, expectation) for the denoising autoencoder's loss, by Gauss-Hermite."""
    theta, x, sigma = case.theta, case.x, case.sigma
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    eps = np.array(list(product(nodes, repeat=case.d)))
    w = np.prod(list(product(weights / weights.sum(), repeat=case.d)), axis=1)

    def output(points: Array) -> Array:
        return sigmoid(points @ theta["W"].T + theta["b"]) @ theta["W"] + theta["c"]

    def expected(scale: float, against: float = 0.0) -> float:
        """E |output(x + scale e) - (x + against e)|^2."""
        return float(np.mean([w @ (2 * _half_square(output(point + scale * eps) - point - against * eps)) for point in x]))      # number  (1)

    yield "", expected(sigma)
    yield "the output is compared with the noisy point", expected(sigma, sigma)
    yield "the output is compared with the noise", float(np.mean([w @ (2 * _half_square(output(point + sigma * eps) - eps)) for point in x]))
    yield "the noise has standard deviation sigma^2 in place of sigma", expected(sigma**2)
    yield "the noise has standard deviation 1 in place of sigma", expected(1.0)
    yield "the noise has standard deviation sqrt(sigma), the variance for sigma", expected(sigma**0.5)
    yield "the encoder sees the clean point, the output is compared with the noisy one", expected(0.0, sigma)


def _sliced(case: Case) -> Iterator[tuple[str, float]]:
    """(slip, expectation) for sliced score matching, on any model, equation (4)."""
    x, d = case.x, case.d
    psi, J = case.score(x), case.score_jacobian(x)
    trace, whole = float(np.einsum("nii->n", J).mean()), float(J.sum(axis=(1, 2)).mean())       # number  (4) with S = I and S = 1 1'
    square, total = float((psi * psi).sum(axis=1).mean()), float((psi.sum(axis=1)**2).mean())
    yield "", trace + square / 2
    yield "v' J v has the opposite sign", -trace + square / 2
    yield "v' J v is left out", square / 2
    yield "v' J v is halved, or the norm has lost its 1/2 and all is halved", trace / 2 + square / 2
    yield "the norm has lost its 1/2", trace + square
    yield "the norm is left out", trace
    yield "the norm has the opposite sign", trace - square / 2
    yield "directions of unit length", (trace + square / 2) / d
    yield "directions of unit length, and |psi|^2 as it is", trace / d + square / 2
    yield "directions uniform in [0, 1]", trace / 12 + whole / 4 + (square / 12 + total / 4) / 2
    yield "directions uniform in [0, 1], and |psi|^2 as it is", trace / 12 + whole / 4 + square / 2
    yield "directions uniform in [-1, 1], and |psi|^2 as it is", trace / 3 + square / 2
    yield "directions uniform in [-1, 1]", (trace + square / 2) / 3
    yield "the whole Jacobian is summed", whole + square / 2


def _half_square(r: Array) -> Array:
    return (r * r).sum(axis=-1) / 2
