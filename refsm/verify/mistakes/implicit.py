"""Mistakes in a norm, a divergence and a penalty: implicit, regularised and sliced score matching.

A loss takes one row from each table, at most two of them wrong.  By equation (1) of `mistake`, a
divergence sum_ik B_ik J_ik in the place of the trace makes psi = B s the minimiser.
"""
from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any, Callable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.quantities import POINTS
from refsm.verify.mistakes.mistake import (DIMENSIONS, SQUARES, UNBOUNDED, ZERO, Formula, Mistake,
                                           absolute, root)
from refsm.verify.objectives import OBJECTIVES, Term, dot

__all__ = ["implicit"]

SAME = "the same loss in expectation, with another variance"
AVERAGES_OUT = "over directions it averages to 0, so " + ZERO
NOT_NEGATIVE = "it is never negative, so " + ZERO

# (kind, words, effect alone, effect on the norm alone, effect on the divergence alone); "" for the
# same loss in expectation
DIRECTIONS: tuple[tuple[str, str, str, str, str], ...] = (
    ("unit", "directions of unit length",
     "in expectation it is 1/d of the loss, with the same minimiser; on given directions the "
     "values differ",
     "in expectation the squared norm alone weighs 1 / d: d times the score is learned",
     "in expectation the divergence alone weighs 1 / d: 1 / d times the score is learned"),
    ("sphere", "directions of length sqrt(d)", f"E[v v'] = I holds: {SAME}", "", ""),
    ("first point's", "the first point's directions at every point",
     "unbiased, but the variance does not fall with the size of the batch", "", ""),
    ("first", "only the first direction", "unbiased, but with the variance of a single direction",
     "", ""),
    ("last", "only the last direction", "unbiased, but with the variance of a single direction",
     "", ""),
    ("sign", "the signs of the directions in place of the directions",
     f"E[v v'] = I holds: {SAME}", "", ""),
    ("next point's", "the directions of the next point",
     "harmless where all points have independent directions", "", ""),
    ("one", "one direction for the whole batch",
     "unbiased, but the variance does not fall with the size of the batch", "", ""))
UNIT_SEEN = ("ermongroup/sliced_score_matching sliced_score_matching, whose projections are "
             "normalised to length 1")


def along(q: Any, kind: str = "given") -> Array:
    """v.psi, (n, M)."""
    return np.einsum("nri,ni->nr", q.v(kind), q.psi())


def curvature(q: Any, v: Array) -> Array:
    """v' J v, (n, M)."""
    return np.einsum("nri,nik,nrk->nr", v, q.J(), v)


def trace(q: Any) -> Array:
    """tr J, (n,)."""
    return q.diagonal().sum(axis=1)


def _directions(role: str, name: str, make: Callable[[str], Callable]) -> Iterator[Mistake]:
    """A row for each kind of directions, in the norm or in the divergence alone."""
    for kind, words, effect, on_norm, on_divergence in DIRECTIONS:
        own = on_norm if role == "norm" else on_divergence
        yield Mistake(f"{role}.directions-{_dashed(kind)}", f"{role}: {words}",
                      f"{name}, v {kind}", make(kind), own or effect,
                      UNIT_SEEN if kind == "unit" else "", not own)


def _dashed(kind: str) -> str:
    return kind.replace(" ", "-").replace("'s", "")


def _norms(objective: str) -> Iterator[Mistake]:
    """What may stand where half the squared norm of the score should."""
    sliced = objective == "ssm"
    if not sliced:
        yield Mistake("", "", "|psi|^2 / 2", lambda q: dot(q.psi(), q.psi()) / 2)
    for name, words, suffix, chosen, left in DIMENSIONS:
        yield Mistake(f"norm.{name}", f"norm: {words}", f"|psi{suffix}|^2 / 2",
                      lambda q, chosen=chosen: (q.psi()[:, chosen]**2).sum(axis=1) / 2,
                      f"no norm holds the score of {left} back: the loss is unbounded below")
    for name, words, symbols, f, _, effect in SQUARES:
        symbols = (symbols.replace("r", "psi", 1) if symbols.startswith("|r")
                   else f"{symbols} of psi")
        yield Mistake(f"norm.{name}", f"norm: {words}", symbols, lambda q, f=f: f(q.psi()), effect)
    yield Mistake("norm.product", "norm: the score's product with the point", "x.psi",
                  lambda q: dot(q.psi(), q.point()), UNBOUNDED)
    if OBJECTIVES[objective].random == "directions":
        yield from _norms_with_directions(sliced)


def _norms_with_directions(sliced: bool) -> Iterator[Mistake]:
    def make(kind: str) -> Callable:
        return lambda q: (along(q, kind)**2).mean(axis=1) / 2

    rows = list(_directions("norm", "(v.psi)^2 / 2", make))
    if sliced:
        yield Mistake("norm.variance-reduced", "norm: |psi|^2 in place of (v.psi)^2, which is the "
                      "variance-reduced form", "|psi|^2 / 2", lambda q: dot(q.psi(), q.psi()) / 2,
                      "the same loss in expectation, with less variance",
                      "ermongroup/sliced_score_matching sliced_VR_score_matching", True)
        yield Mistake("", "", "(v.psi)^2 / 2", make("given"))
        yield from rows
    else:
        words = "norm: (v.psi)^2 in place of |psi|^2"
        yield Mistake("norm.sliced", words, "(v.psi)^2 / 2", make("given"),
                      "the same loss in expectation, with more variance", "", True)
        for row in rows:
            effect = "the same loss in expectation, with more variance" if row.same else row.effect
            yield replace(row, words=row.words.replace("norm: ", words + ", "), effect=effect)
    yield Mistake("norm.not-squared-along", "norm: v.psi is not squared", "v.psi",
                  lambda q: along(q).mean(axis=1),
                  "over directions it averages to 0, so " + UNBOUNDED)
    yield Mistake("norm.absolute-along", "norm: |v.psi| is not squared", "|v.psi|",
                  lambda q: absolute(along(q)).mean(axis=1), SQUARES[0][5])
    yield Mistake("norm.entries-along", "norm: the squares of v_i psi_i are summed",
                  "sum (v_i psi_i)^2 / 2",
                  lambda q: np.einsum("nri,ni->nr", q.v()**2, q.psi()**2).mean(axis=1) / 2,
                  SAME, "", True)
    yield Mistake("norm.mean-along", "norm: the directions are averaged before the square",
                  "(mean v.psi)^2 / 2", lambda q: along(q).mean(axis=1)**2 / 2,
                  "in expectation the squared norm weighs 1 / M: M times the score is learned")
    yield Mistake("norm.curvature", "norm: v' J v in place of v.psi", "(v' J v)^2 / 2",
                  lambda q: (curvature(q, q.v())**2).mean(axis=1) / 2)
    yield Mistake("norm.lengths", "norm: |v|^2 |psi|^2 in place of (v.psi)^2",
                  "|v|^2 |psi|^2 / 2",
                  lambda q: dot(q.v(), q.v()).mean(axis=1) * dot(q.psi(), q.psi()) / 2,
                  "in expectation the squared norm weighs d: 1 / d times the score is learned")


# (name, words, symbols, function, effect)
TRACES: tuple[tuple[str, str, str, Callable[[Any], Array], str], ...] = (
    ("whole", "the sum over the whole Jacobian in place of its trace", "sum_ik J_ik",
     lambda q: q.J().sum(axis=(1, 2)), "each entry learns the sum of all entries of the score: "
     "off-diagonal entries are no part of the divergence"),
    ("first-row", "the first row of the Jacobian", "sum_k J_1k", lambda q: q.J()[:, 0].sum(axis=1),
     "the first entry learns the sum of all entries of the score, and the others learn 0"),
    ("first-column", "the first column of the Jacobian", "sum_i J_i1",
     lambda q: q.J()[:, :, 0].sum(axis=1), "each entry learns the first entry of the score"),
    ("last-row", "the last row of the Jacobian", "sum_k J_dk", lambda q: q.J()[:, -1].sum(axis=1),
     "the last entry learns the sum of all entries of the score, and the others learn 0"),
    ("last-column", "the last column of the Jacobian", "sum_i J_id",
     lambda q: q.J()[:, :, -1].sum(axis=1), "each entry learns the last entry of the score"),
    ("off-diagonal", "the off-diagonal entries of the Jacobian", "sum_i!=k J_ik",
     lambda q: q.J().sum(axis=(1, 2)) - trace(q),
     "each entry learns the sum of the other entries of the score"),
    ("beside", "the entries beside the diagonal", "sum_i J_i,i+1",
     lambda q: np.einsum("nii->n", np.roll(q.J(), -1, axis=2)),
     "each entry learns the next entry of the score"),
    ("other-diagonal", "the other diagonal of the Jacobian", "sum_i J_i,d-i",
     lambda q: np.einsum("nii->n", q.J()[:, :, ::-1]),
     "the entries of the score are learned in reverse order"),
    ("absolute", "its absolute value", "|tr J|", lambda q: absolute(trace(q)), NOT_NEGATIVE),
    ("absolutes", "absolute values of the diagonal", "sum |J_ii|",
     lambda q: absolute(q.diagonal()).sum(axis=1), NOT_NEGATIVE),
    ("squares", "squares of the diagonal", "sum J_ii^2",
     lambda q: dot(q.diagonal(), q.diagonal()), NOT_NEGATIVE),
    ("square", "the square of the trace", "(tr J)^2", lambda q: trace(q)**2, NOT_NEGATIVE),
    ("frobenius-squared", "the squared Frobenius norm of the Jacobian", "|J|_F^2",
     lambda q: (q.J()**2).sum(axis=(1, 2)), NOT_NEGATIVE),
    ("frobenius", "the Frobenius norm of the Jacobian", "|J|_F",
     lambda q: root((q.J()**2).sum(axis=(1, 2))), NOT_NEGATIVE),
    ("of-square", "the trace of the squared Jacobian", "tr J^2",
     lambda q: np.einsum("nik,nki->n", q.J(), q.J()), "for a symmetric J " + NOT_NEGATIVE),
    ("score", "the score in place of its derivative", "sum_i psi_i", lambda q: q.psi().sum(axis=1),
     "every entry of the score learns the constant -1: nothing is learned from the data"),
    ("product", "the score's product with the point", "x.psi",
     lambda q: dot(q.psi(), q.point()), "minus the point itself is learned, whatever the data"))

ALONG: tuple[tuple[str, str, str, Callable[[Any], Array], str], ...] = (
    ("sum-of-Jv", "the sum of J v, not its product with v", "sum_i (J v)_i",
     lambda q: np.einsum("nik,nrk->nr", q.J(), q.v()), AVERAGES_OUT),
    ("sum-of-vJ", "the sum of J' v, not its product with v", "sum_k (J' v)_k",
     lambda q: np.einsum("nik,nri->nr", q.J(), q.v()), AVERAGES_OUT),
    ("length-of-Jv", "the squared length of J v", "|J v|^2",
     lambda q: (np.einsum("nik,nrk->nri", q.J(), q.v())**2).sum(axis=2), NOT_NEGATIVE),
    ("length-of-vJ", "the squared length of J' v", "|J' v|^2",
     lambda q: (np.einsum("nik,nri->nrk", q.J(), q.v())**2).sum(axis=2), NOT_NEGATIVE),
    ("absolute-along", "its absolute value", "|v' J v|",
     lambda q: absolute(curvature(q, q.v())), NOT_NEGATIVE),
    ("score-along", "v.psi in place of its derivative", "v.psi", along, AVERAGES_OUT),
    ("psi-J-v", "psi' J v in place of v' J v", "psi' J v",
     lambda q: np.einsum("ni,nik,nrk->nr", q.psi(), q.J(), q.v()), AVERAGES_OUT),
    ("v-J-psi", "v' J psi in place of v' J v", "v' J psi",
     lambda q: np.einsum("nri,nik,nk->nr", q.v(), q.J(), q.psi()), AVERAGES_OUT),
    ("square-along", "v' J v is squared", "(v' J v)^2",
     lambda q: curvature(q, q.v())**2, NOT_NEGATIVE),
    ("diagonal-along", "only the diagonal in v' J v", "sum v_i^2 J_ii",
     lambda q: np.einsum("nri,ni->nr", q.v()**2, q.diagonal()), SAME),
    ("mean-along", "the directions are averaged first", "mean(v)' J mean(v)",
     lambda q: curvature(q, q.v().mean(axis=1, keepdims=True)),
     "in expectation the divergence weighs 1 / M: 1 / M times the score is learned"))


def _divergences(objective: str) -> Iterator[Mistake]:
    """What may stand where the divergence of the score should."""
    exact = OBJECTIVES[objective].random != "directions"
    rows = [Mistake("", "", "tr J", trace)]
    for name, words, suffix, chosen, left in DIMENSIONS:
        rows.append(Mistake(
            f"divergence.{name}", f"divergence: {words}", f"tr J{suffix}",
            lambda q, chosen=chosen: q.diagonal()[:, chosen].sum(axis=1),
            f"the score of {left} is driven to 0"))
    rows += [Mistake(f"divergence.{name}", f"divergence: {words}", symbols, f, effect)
             for name, words, symbols, f, effect in TRACES]
    if exact:
        yield from rows
        return
    yield Mistake("divergence.exact", "divergence: the exact trace in place of v' J v", "tr J",
                  trace, "the same loss in expectation, without the directions' variance", "", True)
    for row in rows[1:]:
        yield replace(row, id=row.id + "-exact", words=row.words + ", without directions")

    def make(kind: str) -> Callable:
        return lambda q: curvature(q, q.v(kind)).mean(axis=1)

    yield Mistake("", "", "v' J v", make("given"))
    yield from _directions("divergence", "v' J v", make)
    for name, words, symbols, f, effect in ALONG:
        yield Mistake(f"divergence.{name}", f"divergence: {words}", symbols,
                      lambda q, f=f: f(q).mean(axis=1), effect, "", effect == SAME)


PENALTY = "it is another penalty: the estimate is smoothed in another way"
PENALTIES: tuple[tuple[str, str, str, Callable[[Any], Array]], ...] = (
    ("frobenius-squared", "every entry of the Jacobian, not its diagonal", "|J|_F^2",
     lambda q: (q.J()**2).sum(axis=(1, 2))),
    ("off-diagonal", "off-diagonal entries in place of the diagonal", "sum_i!=k J_ik^2",
     lambda q: (q.J()**2).sum(axis=(1, 2)) - dot(q.diagonal(), q.diagonal())),
    ("of-square", "the trace of the squared Jacobian", "tr J^2",
     lambda q: np.einsum("nik,nki->n", q.J(), q.J())),
    ("square", "the square of the trace", "(tr J)^2", lambda q: trace(q)**2),
    ("absolutes", "absolute values of the diagonal", "sum |J_ii|",
     lambda q: absolute(q.diagonal()).sum(axis=1)),
    ("frobenius", "the Frobenius norm of the Jacobian", "|J|_F",
     lambda q: root((q.J()**2).sum(axis=(1, 2)))),
    ("length", "the length of the diagonal, not squared", "sqrt(sum J_ii^2)",
     lambda q: root(dot(q.diagonal(), q.diagonal()))),
    ("square-of-mean", "the square of the mean divergence", "(mean tr J)^2",
     lambda q: trace(q).mean(keepdims=True)**2))


def _penalties() -> Iterator[Mistake]:
    """What may stand where the penalty of the regularised form should."""
    yield Mistake("", "", "strength sum_i J_ii^2",
                  lambda q: q.case.strength * dot(q.diagonal(), q.diagonal()))
    for name, words, suffix, chosen, _ in DIMENSIONS:
        yield Mistake(
            f"penalty.{name}", f"penalty: {words}", f"strength sum J_ii{suffix}^2",
            lambda q, chosen=chosen: q.case.strength * (q.diagonal()[:, chosen]**2).sum(axis=1),
            PENALTY)
    for name, words, symbols, f in PENALTIES:
        yield Mistake(f"penalty.{name}", f"penalty: {words}", f"strength {symbols}",
                      lambda q, f=f: q.case.strength * f(q), PENALTY)


def implicit(objective: str, model: str | None) -> Iterator[Formula]:
    """Norm, divergence and penalty: at most two mistakes, and one where all terms share it."""
    slots = [list(_norms(objective)), list(_divergences(objective))]
    roles = [term.role for term in OBJECTIVES[objective].terms]
    if "penalty" in roles:                           # no case tells its square from the penalty
        slots[1] = [row for row in slots[1] if row.id != "divergence.squares"]
        slots.append(list(_penalties()))
    points = POINTS if OBJECTIVES[objective].at == "x_noisy" and model is not None else ()
    for point in ("x_noisy", *(p for p in points if p != "x_noisy")):
        moved = () if point == "x_noisy" else (Mistake(
            f"point.{point}", f"the score is read at {point}", point, POINTS[point],
            "the score of the density of those points is learned"),)
        for rows in product(*slots):
            wrong = (*moved, *(row for row in rows if row.id))
            if len(wrong) <= 2:
                yield Formula(wrong, tuple(_term(role, row, point if moved else "")
                                           for role, row in zip(roles, rows)))
    if objective == "ssm":
        both = zip(_directions("norm", "(v.psi)^2 / 2", _norm_along), DIRECTIONS)
        for norm, (kind, words, effect, on_norm, _) in both:
            shared = Mistake(f"directions.{_dashed(kind)}", words, kind, norm.formula, effect,
                             UNIT_SEEN if kind == "unit" else "", True)
            divergence = Term("divergence", f"v' J v, v {kind}",
                              lambda q, kind=kind: curvature(q, q.v(kind)).mean(axis=1))
            yield Formula((shared,), (_term("norm", norm), divergence))


def _norm_along(kind: str) -> Callable:
    return lambda q: (along(q, kind)**2).mean(axis=1) / 2


def _term(role: str, row: Mistake, point: str = "") -> Term:
    """The term of a row, read at another point where one is given."""
    if not point:
        return Term(role, row.name, row.formula)
    return Term(role, f"{row.name} at {point}", lambda q: row.formula(q.read_at(point)))
