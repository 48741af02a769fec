"""What may stand where the divergence of the score should.

By equation (1) of `mistake`, a divergence sum_ik B_ik J_ik makes psi = B s the minimiser.
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Iterator

import numpy as np

from refsm.stable import sigmoid
from refsm.typing import Array
from refsm.verify.mistakes.directions import SAME, of_directions, with_given
from refsm.verify.mistakes.mistake import DIMENSIONS, FREE, ZERO, Mistake, absolute, rows
from refsm.verify.objectives import OBJECTIVES, dot

__all__ = ["TRACES", "divergences", "of_slopes"]

AVERAGES_OUT = "over directions it averages to 0, so " + ZERO
NOT_NEGATIVE = "it is never negative, so " + ZERO


def trace(q: Any) -> Array:
    """tr J, (n,)."""
    return q.diagonal().sum(axis=1)


# (name, words, symbols, function, effect)
TRACES: tuple[tuple[str, str, str, Callable[[Any], Array], str], ...] = (
    ("whole", "the sum over the whole Jacobian in place of its trace", "sum_ik J_ik",
     lambda q: q.J().sum(axis=(1, 2)),
     "each entry learns the sum of all entries of the score" + FREE),
    ("first-row", "the first row of the Jacobian", "sum_k J_1k", lambda q: q.J()[:, 0].sum(axis=1),
     "the first entry learns the sum of all entries of the score, and the others learn 0" + FREE),
    ("first-column", "the first column of the Jacobian", "sum_i J_i1",
     lambda q: q.J()[:, :, 0].sum(axis=1), "each entry learns the first entry of the score" + FREE),
    ("last-row", "the last row of the Jacobian", "sum_k J_dk", lambda q: q.J()[:, -1].sum(axis=1),
     "the last entry learns the sum of all entries of the score, and the others learn 0" + FREE),
    ("last-column", "the last column of the Jacobian", "sum_i J_id",
     lambda q: q.J()[:, :, -1].sum(axis=1), "each entry learns the last entry of the score" + FREE),
    ("upper", "the upper triangle of the Jacobian", "sum_i<=k J_ik",
     lambda q: np.triu(q.J()).sum(axis=(1, 2)),
     "each entry learns the sum of its own and all later entries of the score" + FREE),
    ("lower", "the lower triangle of the Jacobian", "sum_i>=k J_ik",
     lambda q: np.tril(q.J()).sum(axis=(1, 2)),
     "each entry learns the sum of its own and all earlier entries of the score" + FREE),
    ("off-diagonal", "the off-diagonal entries of the Jacobian", "sum_i!=k J_ik",
     lambda q: q.J().sum(axis=(1, 2)) - trace(q),
     "each entry learns the sum of the other entries of the score" + FREE),
    ("beside", "the entries beside the diagonal", "sum_i J_i,i+1",
     lambda q: np.einsum("nii->n", np.roll(q.J(), -1, axis=2)),
     "each entry learns the next entry of the score" + FREE),
    ("other-diagonal", "the other diagonal of the Jacobian", "sum_i J_i,d+1-i",
     lambda q: np.einsum("nii->n", q.J()[:, :, ::-1]),
     "the entries of the score are learned in reverse order" + FREE),
    ("absolute", "its absolute value", "|tr J|", lambda q: absolute(trace(q)), NOT_NEGATIVE),
    ("absolutes", "absolute values of the diagonal", "sum |J_ii|",
     lambda q: absolute(q.diagonal()).sum(axis=1), NOT_NEGATIVE),
    ("squares", "squares of the diagonal", "sum J_ii^2",
     lambda q: dot(q.diagonal(), q.diagonal()), NOT_NEGATIVE),
    ("square", "the square of the trace", "(tr J)^2", lambda q: trace(q)**2, NOT_NEGATIVE),
    ("frobenius-squared", "the squared Frobenius norm of the Jacobian", "|J|_F^2",
     lambda q: (q.J()**2).sum(axis=(1, 2)), NOT_NEGATIVE),
    ("frobenius", "the Frobenius norm of the Jacobian", "|J|_F",
     lambda q: np.sqrt((q.J()**2).sum(axis=(1, 2))), NOT_NEGATIVE),
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
    ("absolute-along", "the absolute value of v' J v", "|v' J v|",
     lambda q: absolute(q.curvature()), NOT_NEGATIVE),
    ("score-along", "v.psi in place of its derivative", "v.psi",
     lambda q: q.along(), AVERAGES_OUT),
    ("psi-J-v", "psi' J v in place of v' J v", "psi' J v",
     lambda q: np.einsum("ni,nik,nrk->nr", q.psi(), q.J(), q.v()), AVERAGES_OUT),
    ("v-J-psi", "v' J psi in place of v' J v", "v' J psi",
     lambda q: np.einsum("nri,nik,nk->nr", q.v(), q.J(), q.psi()), AVERAGES_OUT),
    ("square-along", "v' J v is squared", "(v' J v)^2",
     lambda q: q.curvature()**2, NOT_NEGATIVE),
    ("diagonal-along", "only the diagonal in v' J v", "sum v_i^2 J_ii",
     lambda q: np.einsum("nri,ni->nr", q.v()**2, q.diagonal()), SAME),
    ("mean-along", "the directions are averaged first", "mean(v)' J mean(v)",
     lambda q: q.curvature(q.v().mean(axis=1, keepdims=True)),
     "in expectation the divergence weighs 1 / M: 1 / M times the score is learned"))


def divergences(objective: str) -> Iterator[Mistake]:
    """What may stand where the divergence of the score should."""
    exact = OBJECTIVES[objective].random != "directions"
    yield Mistake("", "", "tr J", trace) if exact else with_given("divergence")
    wrong = [Mistake(f"divergence.{name}", f"divergence: {words}", f"tr J{suffix}",
                     lambda q, chosen=chosen: q.diagonal()[:, chosen].sum(axis=1),
                     f"the score of {left} is driven to 0{FREE}")
             for name, words, suffix, chosen, left in DIMENSIONS]
    wrong += rows("divergence", TRACES, "divergence: ")
    if exact:
        yield from wrong
        return
    yield Mistake("divergence.exact", "divergence: the exact trace in place of v' J v", "tr J",
                  trace, SAME, "", True)
    for row in wrong:
        yield replace(row, id=row.id + "-exact", words=row.words + ", without directions")
    yield from of_directions("divergence")
    for row in rows("divergence", ALONG, "divergence: "):
        yield replace(row, formula=lambda q, f=row.formula: f(q).mean(axis=1),
                      same=row.effect == SAME)


def of_slopes(objective: str) -> Iterator[Mistake]:
    """The autoencoder's divergence, with what is no slope of the sigmoid."""
    for name, words, slope in (("value", "the sigmoid itself", lambda s: s),
                               ("tanh", "tanh's 1 - s^2", lambda s: 1 - s * s)):
        def divergence(q: Any, slope: Callable[[Array], Array] = slope) -> Array:
            W, d = q.theta["W"], q.case.d
            s1 = slope(sigmoid(q.point() @ W.T + q.theta["b"]))               # (n, m)
            if objective not in ("ssm", "ssm_vr"):
                return (s1 @ (W**2).sum(axis=1) - d) / q.sigma**2
            v = q.v()
            return (((v @ W.T)**2 @ s1[..., None])[..., 0] - dot(v, v)).mean(axis=1) / q.sigma**2

        yield Mistake(f"divergence.slope-{name}", f"divergence: {words} in place of the sigmoid's "
                      "slope", f"tr J, {words}", divergence)
