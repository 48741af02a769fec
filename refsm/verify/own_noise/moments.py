"""The variance over replicates: draws that are shared, and noise with another fourth moment.

Two laws of the noise with one mean and one covariance give a quadratic loss the same expectation;
its variance has the fourth moment of the noise in it, and the number of independent draws.

Symbols
    n points, d dimensions, M directions, R replicates.
    q      a loss of one point, q = 1/2 |a + B eps|^2 or v' K v;  C = B'B, b = B'a
    eps, v: noise, directions
    l of L: levels;  q_l a loss at level l;  k3 its third cumulant
    V      number   the variance of a value;  k4 its fourth cumulant
    s2     number   the variance of R replicates

Equations
    (1)  V of q = 1/2 tr C^2 + |b|^2,  k4 = 3 tr C^4 + 12 b' C^2 b      for normal eps
    (2)  V of v' K v = 2 tr K^2,  k4 = 48 tr K^4                        for normal v
    (3)  V of v' K v = 2 (tr K^2 - sum_i K_ii^2)                        for signs v
    (4)  V of v' K v = d / (d + 2) (2 tr K^2 + (tr K)^2) - (tr K)^2     on the sphere |v|^2 = d
    (5)  V of a mean over independent points = sum_n V_n / n^2,  k4 = sum_n k4_n / n^4
    (6)  nu = 2 / ( k4 / (R V^2) + 2 / (R - 1) )
    (7)  z = ( (s2 / V)^(1/3) - 1 + 2 / (9 nu) ) / sqrt(2 / (9 nu))
    (8)  k3 of q = tr C^3 + 3 b' C b
    (9)  E (L q_l)^s over a random l = L^s mean_l E q_l^s
    (10) V of mean_n q_nl, one eps for all points = V of mean_n mean_l q_nl
         + 1/n^2 sum_n ( mean_l E q_nl^2 - E (mean_l q_nl)^2 )

Derivation
    (1), (8)  the s-th cumulant of 1/2 eps' C eps + b' eps is (s-1)!/2 (tr C^s + s b' C^(s-2) b).
         The mean of the values at eps and -eps, an antithetic pair, is that with b = 0.
    (4)  E (v' K v)^2 = d / (d + 2) (2 tr K^2 + (tr K)^2) for a uniform v of length sqrt(d).
    (6)  Var s2 = k4 / R + 2 V^2 / (R - 1), that of V chi^2_nu / nu; (7) makes chi^2_nu normal.
    (9)  the noise given the level; moments from cumulants and back.
    (10) the variance of the mean given eps, and the mean of the variance given eps, over levels l
         that each point draws.

Conventions
    One draw for the whole batch is the mean of C, b and K over points in place of (5).  For signs
    and the sphere k4, which enters nu alone, is that of normal draws; of (10), k4 / V^2 is that of
    its first term.

Sources
    Wilson & Hilferty, The distribution of chi-square, PNAS 17 (1931), for (7).
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterator, Sequence

import numpy as np
from scipy import special

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.own_noise.affine import Affine
from refsm.verify.own_noise.hypotheses import affine, pairs, reconstruction_errors

__all__ = ["BAD", "GOOD", "Law", "Variance", "compared", "laws", "resolution"]

GOOD, BAD = 1e-4, 1e-9           # of a probability
DRAWS, DIRECTIONS = "draws at every point", "directions at every point"    # independent ones
ONE_DRAW = "one draw of noise for the whole batch"


@dataclass(frozen=True)
class Law:
    """How the randomness is drawn, and the variance and fourth cumulant of a value under it."""

    words: str
    variance: float
    fourth: float
    right: bool = False                          # whether it has the expectation in every model

    def mean_of(self, count: float) -> Law:
        """The law of the mean of so many independent values."""
        return replace(self, variance=self.variance / count, fourth=self.fourth / count**3)    # (5)


@dataclass(frozen=True)
class Variance:
    """How probable the variances of replicates are under independent draws, and where they are
    not: which other right law ("" if none) or which wrong ones they are like."""

    p: float
    ratio: float
    right: str
    wrong: tuple[str, ...]


def laws(case: Case, weight: str = "", drawn: bool = False) -> list[Law]:
    """The laws of a value of the canonical loss, with a weight of its levels, independent draws
    first; none where its variance is not known.  `drawn`: each point draws a level of the case."""
    if drawn:
        return _at_drawn_levels(case, weight)
    if case.objective == "dae":
        return _autoencoder(case)
    random = OBJECTIVES[case.objective].random
    if random == "directions":
        return _sliced(case)
    return _denoising(case, weight) if random else []


def _denoising(case: Case, weight: str) -> list[Law]:
    loss, n = affine(case, weight), case.n
    each, (C, b), (_, r) = np.arange(len(loss.x)), loss.quadratic(), loss.target(loss.kind)

    def normal(words: str, draw: Array, C: Array = C, b: Array = b, right: bool = False) -> Law:
        """With the same noise where `draw` (K,) is the same."""
        same = (draw == np.unique(draw)[:, None]) / n                         # (draws, K)
        V, _, k4 = _cumulants(np.tensordot(same, C, 1), same @ b)             # (draws,)
        return Law(words, V.sum(), k4.sum(), right)                           # (5)

    out = [normal(DRAWS, each, right=True),
           normal("antithetic pairs at every point", each, b=0 * b, right=True),
           normal(ONE_DRAW, 0 * each)]
    if r.any():
        out.append(normal("draws at every point with a control variate", each,
                          *loss.quadratic(r), right=True))
    if OBJECTIVES[case.objective].levels == "several":
        k = np.stack([loss.expected_terms(), *_cumulants(C, b)]).reshape(4, -1, n)
        out += [normal(f"{ONE_DRAW}, at every level", each // n),
                normal("the same noise at every level", each % n), *_drawn_levels(k)]
    return out


def _at_drawn_levels(case: Case, weight: str) -> list[Law]:
    loss, n = affine(pairs(case), weight), case.n
    loss.weight = loss.weight / n                                     # n levels: (9) has their sum
    k = np.stack([loss.expected_terms(), *_cumulants(*loss.quadratic())])     # (4, n^2)
    every_point, batch = _drawn_levels(k.reshape(4, n, n))
    return [replace(every_point, words=DRAWS), batch, _one_draw(loss, n)]


def _one_draw(loss: Affine, n: int) -> Law:
    """One draw of noise for n points, each of which draws a level; `loss` has all pairs."""
    def of_levels(a: Array) -> Array:
        return a.reshape(n, n, *a.shape[1:]).mean(axis=0)                     # (n, ...)

    m, (C, b) = n * loss.expected_terms(), (n * of for of in loss.quadratic())
    C_n, b_n = of_levels(C), of_levels(b)
    varied = of_levels(_cumulants(C, b)[0] + m**2) - _cumulants(C_n, b_n)[0] - of_levels(m)**2
    (V,), _, (k4,) = _cumulants(C_n.mean(axis=0)[None], b_n.mean(axis=0)[None])
    all_V = V + varied.sum() / n**2                                           # ()  (10)
    return Law(ONE_DRAW, all_V, k4 * (all_V / V)**2)


def _cumulants(C: Array, b: Array) -> tuple[Array, Array, Array]:
    """The second to the fourth cumulant of 1/2 eps' C eps + b' eps, (K,) each."""
    C2, Cb = C @ C, np.einsum("kij,kj->ki", C, b)
    return (np.einsum("kii->k", C2) / 2 + (b * b).sum(axis=1),                # (K,)  (1)
            np.einsum("kij,kji->k", C2, C) + 3 * (b * Cb).sum(axis=1),        # (K,)  (8)
            3 * (C2 * C2).sum(axis=(1, 2)) + 12 * (Cb * Cb).sum(axis=1))      # (K,)  (1)


def _drawn_levels(k: Array) -> Iterator[Law]:
    """L times the loss of a level drawn at random, from the cumulants (4, L, n) of the losses."""
    L, n = k.shape[1:]
    power = np.arange(1, 5)[:, None, None]
    of_batch = (k / n**power).sum(axis=2, keepdims=True)                      # (4, L, 1)
    for words, (k1, k2, k3, k4) in (("levels drawn at every point", k / n**power),
                                    ("levels drawn for the whole batch", of_batch)):
        raw = (k1, k2 + k1**2, k3 + 3 * k2 * k1 + k1**3,
               k4 + 4 * k3 * k1 + 3 * k2**2 + 6 * k2 * k1**2 + k1**4)         # (L, points) each
        m1, m2, m3, m4 = [L**s * m.mean(axis=0) for s, m in enumerate(raw, 1)]     # (9)
        yield Law(words, (m2 - m1**2).sum(), (m4 - 4 * m3 * m1 - 3 * m2**2
                                              + 12 * m2 * m1**2 - 6 * m1**4).sum(), right=True)


def _autoencoder(case: Case) -> list[Law]:
    q, w = reconstruction_errors(case, case.sigma)                            # (n, Q)

    def mean(words: str, q: Array, right: bool = False) -> Law:
        off, n = q - (q @ w)[:, None], len(q)
        V = off**2 @ w
        k4 = off**4 @ w - 3 * V**2
        return Law(words, V.sum() / n**2, k4.sum() / n**4, right)              # (5)

    pairs = (q + q[:, ::-1]) / 2                             # the nodes lie symmetrically about 0
    return [mean(DRAWS, q, right=True),
            mean("antithetic pairs at every point", pairs, right=True),
            mean(ONE_DRAW, q.mean(axis=0, keepdims=True))]


def _sliced(case: Case) -> list[Law]:
    M, d, out = case.n_directions, case.d, []
    K, psi = case.score_jacobian(case.x), case.score(case.x)     # J is symmetric
    if case.objective == "ssm":
        K = K + np.einsum("ni,nk->nik", psi, psi) / 2
    for words, K, right in (
            (DIRECTIONS, K, True),
            ("the same directions at every point", K.mean(axis=0, keepdims=True), False)):
        n, square, trace = len(K), (K * K).sum(axis=(1, 2)), np.einsum("nii->n", K)
        diagonal = (np.einsum("nii->ni", K)**2).sum(axis=1)
        k4 = 48 * ((K @ K)**2).sum(axis=(1, 2))                                # (n,)  (2)
        normal = 2 * square                                                    # (n,)  (2)
        signs = 2 * (square - diagonal)                                        # (n,)  (3)
        sphere = d / (d + 2) * (2 * square + trace**2) - trace**2              # (n,)  (4)
        out += [Law(words, V.sum() / n**2, k4.sum() / n**4, right).mean_of(M)
                for V in (normal, signs, sphere)]                              # (5)
    return out


def compared(asked: Sequence[Case], factor: Array, values: Array, weight: str = "",
             drawn: bool = False) -> Variance | None:
    """The variances of replicates (K, R) of the canonical loss, with a weight of its levels, times
    a factor (K,)."""
    of_case = [laws(case, weight, drawn) for case in asked]
    if not any(of_case):
        return None
    R, s2 = values.shape[1], values.var(axis=1, ddof=1) / factor**2
    M = np.array([case.hyper.get("n_directions", 1.0) for case in asked])
    p, best, right, wrong = 0.0, s2, "", []
    for same in zip(*of_case):                                               # (K,) of one law
        law, *_ = same
        V, probable = np.array([of.variance for of in same]), _p(s2, same, R)
        if law.words in (DRAWS, DIRECTIONS) and probable >= p:
            p, best = probable, V
        if not law.right and probable > GOOD:
            wrong.append(law.words)
        count = round(float(np.exp(np.mean(np.log(V * M / s2)))))        # of draws at a point
        if law.right and not right and count and _p(
                s2, [of.mean_of(count / m) for of, m in zip(same, M)], R) > GOOD:
            counted = law.words if count > 1 else law.words.replace("s ", " ")
            right = f"the mean of about {count} {counted}"
    ratio = float(np.exp(np.mean(np.log(s2 / best))))
    return Variance(p, ratio, right, tuple(dict.fromkeys(wrong)))


def resolution(size: Array) -> float:
    """The relative change of K numbers, `size` (K,) times their standard errors, that is as good as
    certain to be seen: it moves the root of the sum of z^2 to 4 beyond its bound."""
    return float((np.sqrt(special.chdtri(len(size), BAD)) + 4) / np.linalg.norm(size))


def _p(s2: Array, law: Sequence[Law], R: int) -> float:
    """How probable variances like these are under a law of each case."""
    V, k4 = np.array([(of.variance, of.fourth) for of in law]).T               # (K,)
    nu = 2 / (np.maximum(k4, 0) / (R * V**2) + 2 / (R - 1))                    # (K,)  (6)
    z = (np.cbrt(s2 / V) - 1 + 2 / (9 * nu)) / np.sqrt(2 / (9 * nu))           # (K,)  (7)
    return float(special.chdtrc(len(s2), (z * z).sum()))
