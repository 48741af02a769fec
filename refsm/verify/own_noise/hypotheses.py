"""What an implementation that draws its own noise may compute, and the exact expectations.

Symbols
    n points, i dimensions (d), q nodes of a rule for the noise (Q).
    x        (n, d)      points
    eps      (Q, d)      nodes for standard normal noise;  w (Q,) their weights
    psi      function    the model's score; J its Jacobian
    sigma    number      standard deviation of the noise
    v: a random direction;  S = E v v'

Equations
    (1)  expectation = mean over points of sum_q w_q term(x_n, eps_q)
    (2)  E v'J v = tr(S J) and E (v.psi)^2 = psi' S psi

Derivation
    (1)  The autoencoder's loss is a smooth function of eps: the nodes are those of a tensor
         Gauss-Hermite rule in d = 3.  Denoising losses are in `affine`.
    (2)  v'J v and (v.psi)^2 are linear in v v'.  Signs, Gaussians, and points of a sphere of radius
         sqrt(d) have S = I; unit vectors I / d; numbers with a variance and a mean, independent
         of each other, variance I + mean^2 1 1'.

Conventions
    A hypothesis is a structure ("" for the right one) times a factor; the right one may have a
    weight of its levels.  Where each point has a level, a loss may also draw one for it from those
    of the case, all as likely: its expectation is the mean over all pairs of a point and a level.

Sources
    Ours; (2) with S = I is sliced score matching's unbiasedness (Song et al., UAI 2019).
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Iterator, Mapping

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.quantities import Quantities
from refsm.verify.cases.levels import COMPUTED
from refsm.verify.denoisers import KINDS, target_in_noise
from refsm.verify.diagnosis.scaling import ONE, Scaling, parse_scaling
from refsm.verify.mistakes.level_weights import OWN_WEIGHTS, WEIGHTS
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.own_noise.affine import Affine

__all__ = ["CONSTANT", "DRAWING", "DROPPED", "Hypothesis", "SLIGHT", "affine", "hypotheses",
           "pairs", "reconstruction_errors", "sizes_of", "weights_of"]

# too slight for the usual number of replicates: seen where the right loss is not good
SLIGHT = ("offset noise: 0.1 of one more number per point is added to its noise at all dimensions",
          "an input perturbation: 0.1 of other noise is added at the noisy point alone")
CONSTANT, DROPPED = "the constant is left out", "constant dropped"
Rows = Iterator[tuple[str, float]]               # of (mistake, expectation); "" for none
NODES = 16                                       # per dimension, of the Gauss-Hermite rule
FACTORS = ("1", "2", "1 / 2", "1 / d", "2 / d", "1 / (2 d)", "sigma^2", "2 sigma^2", "sigma^2 / d",
           "2 sigma^2 / d", "sigma^4", "2 sigma^4", "1 / (2 sigma^4)", "sigma", "2 sigma", "n",
           "2 n", "n / 2", "1 / n", "M", "1 / M", "L", "1 / L", "-1")
WORDS = {**{f"weight.{name}": words for name, words, _ in WEIGHTS},
         **{f"own-weight.{name}": words for name, words, _ in OWN_WEIGHTS}}
# the weights whose expectations differ enough, by what is predicted
TOLD_APART = {"": ("variance",), "noise": ("min-snr-noise-5",),
              "clean": ("snr", "truncated-snr", "min-snr-5"),
              "velocity": ("min-snr-velocity-5", "inverse-variance", "alpha-squared"),
              "flow": ("inverse-variance",), "edm": ("c-out",)}


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A structure ("" for the right one) times a factor, and the values expected of it."""

    mistake: str
    factor: Scaling
    expected: Array          # (K,)
    weight: str = ""         # the identity of a weight of the levels
    drawn: bool = False      # whether each point has a level drawn from those of its case

    @property
    def without_constant(self) -> bool:
        """Whether only the constant of the loss differs, but for factor and weight."""
        return self.mistake == CONSTANT

    @property
    def convention(self) -> str:
        """As `convention=` takes it."""
        more = self.weight, DROPPED if self.without_constant else ""
        factor = "" if self.factor == ONE and any(more) else str(self.factor)
        return "; ".join(filter(None, (factor, *more)))

    def __str__(self) -> str:
        factor = "" if self.factor == ONE else f"{self.factor} times "
        loss = ("the canonical loss without its constant" if self.without_constant else
                f"the loss with this mistake: {self.mistake}" if self.mistake else "")
        words = f", each level weighted by {WORDS[self.weight]}" if self.weight else ""
        levels = ", at levels drawn from those of the case" if self.drawn else ""
        return factor + (loss or "the canonical loss") + words + levels


def hypotheses(asked: list[Case], meant: Scaling = ONE, weight: str = "") -> list[Hypothesis]:
    """Every structure times every factor, what is meant among them, and what is expected."""
    drawn = (False, True) if OBJECTIVES[asked[0].objective].levels == "points" else (False,)
    of_case = [{(*key, at_drawn): value for at_drawn in drawn for key, value in
                _expected(pairs(case) if at_drawn else case, weight)} for case in asked]
    sizes = [sizes_of(case) for case in asked]
    factors = [factor for factor in dict.fromkeys([*map(parse_scaling, FACTORS), meant])
               if {name for name, _ in factor.powers} <= set(sizes[0])]
    return [Hypothesis(key[0], factor, np.array([factor(size) * values[key] for size, values in
                                                 zip(sizes, of_case)]), *key[1:])
            for key, factor in product(of_case[0], factors)]


def _expected(case: Case, weight: str) -> Iterator[tuple[tuple[str, str], float]]:
    """((mistake, weight), expectation) of every structure; mistakes under the weight that is meant,
    and under sigma^2, the usual weight of a score, too."""
    yield from (((mistake, ""), value) for mistake, value in _structures(case))
    yield from ((("", own), value) for own, value in weighted(case, weight))
    about = OBJECTIVES[case.objective]
    usual = ("weight.variance",) if about.levels == "points" and not about.predicts else ()
    for own in dict.fromkeys(filter(None, (*usual, weight))):
        yield from (((mistake, own), value) for mistake, value in _denoising(case, own) if mistake)


def pairs(case: Case) -> Case:
    """Every point at every level of its case: what a loss that draws levels is a mean over."""
    n, arrays = case.n, case.arrays
    return replace(case, arrays={name: np.tile(a, (n, 1)) if name == "x" else np.repeat(a, n)
                                 for name, a in arrays.items()})


def sizes_of(case: Case) -> dict[str, float]:
    """The sizes on which a factor may depend."""
    M = {"M": case.n_directions} if "n_directions" in case.hyper else {}
    return {**case.sizes, **M}


def _as_it_is(case: Case) -> Rows:
    """For an objective that has no randomness: of a random choice of points, bits or directions
    that is unbiased, its value is the expectation."""
    q = Quantities(case)
    yield from _wrong_terms({term.name: float(np.mean(term.per_sample(q)))
                             for term in OBJECTIVES[case.objective].all_terms}, case.d)
    if case.objective == "ism":                      # with directions of its own
        yield from (row for row in _sliced(case) if row[0].endswith(("as it is", "summed"))
                    and "unit length" not in row[0])             # the same as divided by d


def _wrong_terms(means: Mapping[str, float], d: int) -> Rows:
    """For a sum of terms with these expectations."""
    value = sum(means.values())
    yield "", value
    for name, mean in means.items() if len(means) > 1 else ():
        yield f"{name} is left out", value - mean
        yield f"{name} has the opposite sign", value - 2 * mean
        yield f"{name} is doubled", value + mean
        yield f"{name} is divided by d", value + (1 / d - 1) * mean


def _parzen_implicit(case: Case) -> Rows:
    """For implicit score matching at noisy points, with an affine score."""
    loss, trace = Affine(case), -float(np.trace(case.params["precision"]))
    yield from _wrong_terms({"the norm": loss.expected(), "the divergence": trace}, case.d)
    yield "no noise is added", loss.expected(width=0 * loss.sigma) + trace
    for words, width in (("sigma^2", loss.sigma**2), ("1", loss.sigma**0)):
        yield (f"the noise has standard deviation {words} in place of sigma",
               loss.expected(width=width) + trace)


def _denoising(case: Case, weight: str = "") -> Rows:
    """For a denoising loss with an affine score, and a weight of its levels."""
    loss, about = affine(case, weight), OBJECTIVES[case.objective]
    alpha, sigma = loss.alpha, loss.sigma
    zero, one = np.zeros_like(sigma), np.ones_like(sigma)
    p, r = right = loss.target(loss.kind)
    dropped = (p, zero)                                         # the target without its noise
    output = "output" if about.predicts else "score"
    yield "", loss.expected()
    yield "the target has the opposite sign", loss.expected(target=(-p, -r))
    yield f"the {output} is read at the clean point", loss.expected(width=zero)
    if r.any():
        yield ("the target has noise of its own, drawn a second time",
               loss.expected(target=dropped) + loss.constant((zero, r)))
    yield SLIGHT[0], (loss.expected(middle=0.1) + loss.expected(middle=-0.1)) / 2
    yield SLIGHT[1], loss.expected() + 0.01 * (loss.expected(target=dropped)
                                               - loss.expected(target=dropped, width=zero))
    yield CONSTANT, loss.expected() - loss.constant(right)
    for words, sd, middle in (("[-1, 1]", 3**-0.5, 0.0), ("[0, 1]", 12**-0.5, 0.5)):
        yield (f"the noise is uniform in {words} in place of normal",
               loss.expected(middle=middle / sd, width=sd * sigma, target=(p, sd * r)))
    for words, width in (("sigma^2 in place of sigma", sigma**2), ("1 in place of sigma", one),
                         ("sqrt(sigma), the variance for sigma", sigma**0.5)):
        noise = f"the noise has standard deviation {words}"
        yield noise, loss.expected(width=width, target=right if about.predicts else
                                   (p, -width / sigma**2))
        if not about.predicts and "sqrt" not in words:
            yield (f"{noise.partition(' in')[0]}, the target is noise / sigma",
                   loss.expected(width=width))
    if about.levels and (alpha != 1).any():
        yield ("alpha is left out of the noisy point: where it is 1, --family ve is for that",
               loss.expected(scale=one))
        if about.predicts:
            yield "the noisy point has alpha^2 in place of alpha", loss.expected(scale=alpha**2)
            yield ("the noisy point has alpha^2 and sigma^2 in place of alpha and sigma",
                   loss.expected(scale=alpha**2, width=sigma**2))
        yield ("alpha and sigma are exchanged in the noisy point",
               loss.expected(scale=sigma, width=alpha))
    if "alpha" in about.given:
        for words, family in (("sqrt(1 - alpha^2) for sigma", "vp"),
                              ("1 - sigma for alpha", "flow")):
            a, s = COMPUTED[words](alpha, sigma)
            if (s > 0).all() and not np.allclose((a, s), (alpha, sigma)):
                yield f"{words}: --family {family} is for that", loss.expected(
                    scale=a, width=s, target=target_in_noise(loss.kind, a, s, loss.data_sd))
    if about.predicts:
        if p.any() and r.any():
            yield "the clean point has the opposite sign in the target", loss.expected(
                target=(-p, r))
        for other, sign in product(("score", "noise", "clean", "velocity", "flow"), (1, -1)):
            p, r = loss.target(other)
            if other != about.predicts:
                yield (f"compared with {'minus ' if sign < 0 else ''}the target of a predicted "
                       f"{KINDS.get(other, other)}", loss.expected(target=(sign * p, sign * r)))
        return
    if about.levels and (alpha != 1).any():
        yield ("the target is (x - x_noisy) / sigma^2, without alpha",
               loss.expected(target=((1 - alpha) / sigma**2, r)))
    for words, r in (("divided by sigma in place of sigma^2", -one),
                     ("the noise itself, with its sign", one),
                     ("not divided by sigma^2", -sigma), ("left out", zero)):
        yield f"the target is {words}", loss.expected(target=(p, r))


def weighted(case: Case, meant: str = "") -> Rows:
    """(identity of a weight, expectation) for the weights of levels that are told apart, and for
    the one that is meant."""
    about = OBJECTIVES[case.objective]
    if about.levels in ("points", "several"):
        told_apart = [f"weight.{name}" for name in TOLD_APART[about.predicts]]
        if about.levels == "several":
            told_apart += [f"own-weight.{name}" for name, *_ in OWN_WEIGHTS]
        for identity in dict.fromkeys(filter(None, (*told_apart, meant))):
            yield identity, affine(case, identity).expected()


def weights_of(objective: str) -> list[str]:
    """The identities of the weights whose expectation is known."""
    levels = OBJECTIVES[objective].levels
    return [id for id in WORDS if levels == "several" or
            (levels == "points" and not id.startswith("own-weight."))]


def affine(case: Case, weight: str = "") -> Affine:
    """The residuals of a loss, with a weight of its levels."""
    loss = Affine(case)
    for name, _, w in WEIGHTS:
        if weight == f"weight.{name}":
            loss.weight = loss.weight * w(loss.alpha, loss.sigma, loss.data_sd or 0.5)
    first = slice(None, None, loss.n)                                # one residual of each level
    for name, _, own in OWN_WEIGHTS:
        if weight == f"own-weight.{name}":
            loss.weight = np.repeat(own(loss.weight[first], loss.sigma[first]), loss.n)
    return loss


def reconstruction_errors(case: Case, width: float, against: float = 0.0,
                          clean: float = 1.0) -> tuple[Array, Array]:
    """|output(x + width eps) - (clean x + against eps)|^2, (n, Q), at the nodes of a Gauss-Hermite
    rule, and their weights."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    eps = np.array(list(product(nodes, repeat=case.d)))
    w = np.prod(list(product(weights / weights.sum(), repeat=case.d)), axis=1)
    return np.array([((case.reconstruct(x + width * eps) - clean * x - against * eps)**2
                      ).sum(axis=1) for x in case.x]), w


def _autoencoder(case: Case) -> Rows:
    """For the denoising autoencoder's loss, by Gauss-Hermite."""
    sigma = case.sigma

    def expected(*wrong: float) -> float:
        q, w = reconstruction_errors(case, *wrong)
        return float((q @ w).mean())                                                # ()  (1)

    yield "", expected(sigma)
    yield "the output is compared with the noisy point", expected(sigma, sigma)
    yield "the output is compared with the noise", expected(sigma, 1.0, 0.0)
    yield "the noise has standard deviation sigma^2 in place of sigma", expected(sigma**2)
    yield "the noise has standard deviation 1 in place of sigma", expected(1.0)
    yield ("the noise has standard deviation sqrt(sigma), the variance for sigma",
           expected(sigma**0.5))
    yield ("the input of the encoder is the clean point, the output is compared with the noisy one",
           expected(0.0, sigma))


def _sliced(case: Case) -> Rows:
    """For sliced score matching, on any model, equation (2)."""
    x, d = case.x, case.d
    psi, J = case.score(x), case.score_jacobian(x)
    trace = float(np.einsum("nii->n", J).mean())                         # ()  (2) with S = I
    whole = float(J.sum(axis=(1, 2)).mean())                             # ()  (2) with S = 1 1'
    square, total = float((psi * psi).sum(axis=1).mean()), float((psi.sum(axis=1)**2).mean())
    yield from _wrong_terms({"v' J v": trace, "the norm": square / 2}, d)
    yield ("v' J v is halved, or the norm is doubled and all is halved", trace / 2 + square / 2)
    yield "directions of unit length", (trace + square / 2) / d
    yield "directions of unit length, and |psi|^2 as it is", trace / d + square / 2
    for words, variance, middle in (("uniform in [0, 1]", 1 / 12, 1 / 2),
                                    ("that are 0 or 1", 1 / 4, 1 / 2),
                                    ("uniform in [-1, 1]", 1 / 3, 0.0),
                                    ("uniform in [-1/2, 1/2]", 1 / 12, 0.0)):
        curvature = variance * trace + middle**2 * whole                 # ()  (2)
        yield f"directions {words}", curvature + (variance * square + middle**2 * total) / 2
        yield f"directions {words}, and |psi|^2 as it is", curvature + square / 2
    yield "the whole Jacobian is summed", whole + square / 2


def _structures(case: Case) -> Rows:
    own = {"dae": _autoencoder, "ssm": _sliced, "ssm_vr": _sliced, "parzen_ism": _parzen_implicit}
    any_other = _denoising if OBJECTIVES[case.objective].random else _as_it_is
    return own.get(case.objective, any_other)(case)


DRAWING = tuple(name for name in OBJECTIVES if name != "parzen_esm")   # whose expectation is known
