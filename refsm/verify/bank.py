"""The bank of structural mistakes: wrong formulas of our own, which no coefficient on the right terms can imitate.

A formula is what a loss computes, written as parts (functions of local quantities) each with a free coefficient, and the slips that
lead from the reference to it.  The reference has no slip.  Parts come in slots: what the norm is replaced by, what the divergence is
replaced by, where the score is read, what it is compared with; a formula takes one variant from each slot, so two independent slips
are a formula as well.

Coefficients are not in the bank: 1/2 for 1, a sign, sigma for sigma^2 in the target, a dropped term are laws of coefficients (`refsm.verify.laws`).
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Callable, Iterable, Iterator

import numpy as np

from refsm.typing import Array
from refsm.verify.models import CONTINUOUS, WITH_ENERGY
from refsm.verify.quantities import POINTS, Quantities
from refsm.verify.terms import CONSTANT, TERMS, Part, dot

__all__ = ["Formula", "formulas"]

Variant = tuple[str, str, Callable[[Quantities], Array]]      # the slip in words ("" for the reference), the function's name, the function


@dataclass(frozen=True)
class Formula:
    """What a loss computes, up to one coefficient a part; `constant` is the term that does not depend on theta."""

    slips: tuple[str, ...]
    parts: tuple[Part, ...]
    constant: Part | None = None


@lru_cache(maxsize=None)
def formulas(objective: str, model: str | None) -> tuple[Formula, ...]:
    """Every formula of the bank for an objective on a model, the reference first.

    >>> formulas("ism", "tanh")[0].slips
    ()
    """
    from refsm.verify import bank_binary, bank_residual

    if objective in ("ratio", "pseudo"):
        made: Iterable[Formula] = bank_binary.binary(objective, model)
    elif objective in ("esm", "parzen_esm", "dsm", "dae"):
        made = bank_residual.residual(objective, model)
    else:
        made = _implicit(objective, model)
    reference = Formula((), TERMS[objective], CONSTANT.get(objective))
    return (reference, *(f for f in made if f.slips), *_some_points(reference), *(_with_extra(reference, part) for part in _extras(objective, model)))


# -- points that are forgotten ----------------------------------------------------------------------------------------

def _some_points(reference: Formula) -> Iterator[Formula]:
    for slip, suffix, rows in (("the last point is left out", "[:-1]", slice(0, -1)), ("the first point is left out", "[1:]", slice(1, None)),
                               ("only the first point", "[:1]", slice(0, 1))):
        def some(part: Part, suffix: str = suffix, rows: slice = rows) -> Part:
            return Part(part.role, f"{part.name}, points {suffix}", lambda q: part.per_sample(q)[rows])
        yield Formula((slip,), tuple(some(part) for part in reference.parts), some(reference.constant) if reference.constant is not None else None)

    def summed(part: Part) -> Part:
        return Part(part.role, f"{part.name}, sum of points [:-1] / n", lambda q: part.per_sample(q) * (np.arange(q.case.n) < q.case.n - 1))
    yield Formula(("the last point is left out of the sum, which is divided by n",), tuple(summed(part) for part in reference.parts),
                  summed(reference.constant) if reference.constant is not None else None)
    if reference.constant is None and reference.parts[0].role != "whole":                # a loss that can be negative
        def whole(q: Quantities) -> Array:
            return sum((part.per_sample(q) for part in reference.parts), np.zeros(1))
        yield Formula(("the absolute value of the loss",), (Part("whole", "|loss|", lambda q: absolute(whole(q).mean(keepdims=True))),))
        yield Formula(("the absolute value of the loss of every point",), (Part("whole", "mean |loss of a point|", lambda q: absolute(whole(q))),))


# -- a term too many --------------------------------------------------------------------------------------------------

def _with_extra(reference: Formula, part: Part) -> Formula:
    return Formula((f"a term too many: {part.name}",), (*reference.parts, part), reference.constant)


def _extras(objective: str, model: str | None) -> Iterator[Part]:
    """Penalties that code adds to its loss without saying so."""
    if model is None:
        return
    yield Part("extra", "|theta|^2", lambda q: sum((a * a).sum() for a in q.theta.values()) * np.ones(1))
    blocks = {"autoencoder": "W", "tanh": "AB", "boltzmann": "W", "rbm": "W"}.get(model, "")
    for block in blocks:
        yield Part("extra", f"|{block}|^2", lambda q, block=block: (q.theta[block]**2).sum() * np.ones(1))
    if model in WITH_ENERGY:
        yield Part("extra", "energy", lambda q: q.energy())
        yield Part("extra", "energy^2", lambda q: q.energy()**2)
    if model in CONTINUOUS:
        yield Part("extra", "|J|_F^2", lambda q: (q.J()**2).sum(axis=(1, 2)))
        if objective in ("esm", "parzen_esm", "dsm", "dae"):
            yield Part("extra", "tr J", lambda q: q.diagonal().sum(axis=1))
        if objective != "regularized":
            yield Part("extra", "sum_i J_ii^2", lambda q: dot(q.diagonal(), q.diagonal()))


# -- vectors: what a square may be taken of, and how ------------------------------------------------------------------

COORDINATES: tuple[tuple[str, str, slice], ...] = (
    ("", "", slice(None)), ("only the first dimension", "[:1]", slice(0, 1)), ("only the first two dimensions", "[:2]", slice(0, 2)),
    ("the last dimension left out", "[:-1]", slice(0, -1)), ("only the last dimension", "[-1:]", slice(-1, None)),
    ("the first dimension left out", "[1:]", slice(1, None)))


def absolute(a: Array) -> Array:
    """|a| elementwise, analytic along the real axis."""
    return np.where(np.real(a) < 0, -a, a)


def root(a: Array) -> Array:
    """The square root; 0 stays 0."""
    return np.sqrt(a)


NOT_A_SQUARE: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("the norm is not squared", "|r|", lambda r: root(dot(r, r))),
    ("the square root of the mean square", "sqrt(mean |r|^2)", lambda r: root(dot(r, r).mean(keepdims=True))),
    ("absolute values in place of squares", "sum |r_i|", lambda r: absolute(r).sum(axis=-1)),
    ("the sum over dimensions is squared, not its entries", "(sum r_i)^2", lambda r: r.sum(axis=-1)**2),
    ("the mean over points is taken before the square", "|mean r|^2", lambda r: dot(r.mean(axis=0), r.mean(axis=0))[None]),
    ("the largest dimension in place of their sum", "max r_i^2", lambda r: (r * r).max(axis=-1)),
    ("the entries are summed without a square", "sum r_i", lambda r: r.sum(axis=-1)),
    ("the square is squared again", "|r|^4", lambda r: dot(r, r)**2),
    ("fourth powers in place of squares", "sum r_i^4", lambda r: (r**4).sum(axis=-1)),
    ("the logarithm of the squared norm", "log |r|^2", lambda r: np.log(dot(r, r))),
    ("the logarithm of the mean square", "log mean |r|^2", lambda r: np.log(dot(r, r).mean(keepdims=True))),
    ("Huber's loss in place of the square", "huber(r)", lambda r: np.where(absolute(r).real < 1, r * r / 2, absolute(r) - 0.5).sum(axis=-1)))


# -- a norm and a divergence ------------------------------------------------------------------------------------------

def _norms(objective: str, at: str | None) -> Iterator[Variant]:
    """What may stand where half the squared norm of the score should."""
    sliced = objective == "ssm"
    if not sliced:
        yield "", "|psi|^2 / 2", lambda q: dot(q.psi(at), q.psi(at)) / 2
    for slip, suffix, chosen in COORDINATES[1:]:
        yield f"norm: {slip}", f"|psi{suffix}|^2 / 2", lambda q, chosen=chosen: dot(q.psi(at)[:, chosen], q.psi(at)[:, chosen]) / 2
    for slip, name, f in NOT_A_SQUARE:
        yield f"norm: {slip}", name.replace("r", "psi", 1) if name.startswith("|r") else f"{name} of psi", lambda q, f=f: f(q.psi(at))
    yield "norm: the score's product with the point", "x.psi", lambda q: dot(q.psi(at), q.point(at or q.at))
    if objective in ("ssm", "ssm_vr"):
        if sliced:
            yield "norm: |psi|^2 in place of (v.psi)^2, which is the variance-reduced form", "|psi|^2 / 2", lambda q: dot(q.psi(), q.psi()) / 2
        for kind, words in DIRECTIONS:
            label = "" if kind == "given" and sliced else f"norm: {words}" if sliced else f"norm: (v.psi)^2 in place of |psi|^2{words and ', ' + words}"
            yield label, f"(v.psi)^2 / 2, v {kind}", lambda q, kind=kind: (np.einsum("nri,ni->nr", q.v(kind), q.psi())**2).mean(axis=1) / 2
        yield "norm: v.psi is not squared", "v.psi", lambda q: np.einsum("nri,ni->nr", q.v(), q.psi()).mean(axis=1)
        yield "norm: |v.psi| is not squared", "|v.psi|", lambda q: absolute(np.einsum("nri,ni->nr", q.v(), q.psi())).mean(axis=1)
        yield "norm: the squares of v_i psi_i are summed", "sum (v_i psi_i)^2 / 2", lambda q: np.einsum("nri,ni->n", q.v()**2, q.psi()**2) / q.v().shape[1] / 2
        yield ("norm: the directions are averaged before the square", "(mean v.psi)^2 / 2",
               lambda q: np.einsum("nri,ni->nr", q.v(), q.psi()).mean(axis=1)**2 / 2)
        yield "norm: v' J v in place of v.psi", "(v' J v)^2 / 2", lambda q: (_curvature(q, q.v())**2).mean(axis=1) / 2
        yield "norm: |v|^2 |psi|^2 in place of (v.psi)^2", "|v|^2 |psi|^2 / 2", lambda q: dot(q.v(), q.v()).mean(axis=1) * dot(q.psi(), q.psi()) / 2


DIRECTIONS: tuple[tuple[str, str], ...] = (
    ("given", ""), ("unit", "directions of unit length"), ("sphere", "directions of length sqrt(d)"),
    ("first point's", "the first point's directions at every point"), ("first", "only the first direction"), ("last", "only the last direction"),
    ("sign", "the signs of the directions in place of the directions"), ("next point's", "the directions of the next point"),
    ("one", "one direction for the whole batch"))


def _divergences(objective: str, at: str | None) -> Iterator[Variant]:
    """What may stand where the divergence of the score should."""
    exact = objective not in ("ssm", "ssm_vr")
    instead = "" if exact else ", without directions"
    yield ("" if exact else "divergence: the exact trace in place of v' J v"), "tr J", lambda q: q.diagonal(at).sum(axis=1)
    for slip, suffix, chosen in COORDINATES[1:]:
        yield f"divergence: {slip}{instead}", f"tr J{suffix}", lambda q, chosen=chosen: q.diagonal(at)[:, chosen].sum(axis=1)
    yield f"divergence: the sum over the whole Jacobian in place of its trace{instead}", "sum_ik J_ik", lambda q: q.J(at).sum(axis=(1, 2))
    yield f"divergence: the first row of the Jacobian{instead}", "sum_k J_1k", lambda q: q.J(at)[:, 0, :].sum(axis=1)
    yield f"divergence: the first column of the Jacobian{instead}", "sum_i J_i1", lambda q: q.J(at)[:, :, 0].sum(axis=1)
    yield f"divergence: the last row of the Jacobian{instead}", "sum_k J_dk", lambda q: q.J(at)[:, -1, :].sum(axis=1)
    yield f"divergence: the last column of the Jacobian{instead}", "sum_i J_id", lambda q: q.J(at)[:, :, -1].sum(axis=1)
    yield f"divergence: the off-diagonal entries of the Jacobian{instead}", "sum_i!=k J_ik", lambda q: q.J(at).sum(axis=(1, 2)) - q.diagonal(at).sum(axis=1)
    yield f"divergence: the entries beside the diagonal{instead}", "sum_i J_i,i+1", lambda q: np.einsum("nii->n", np.roll(q.J(at), -1, axis=2))
    yield f"divergence: the other diagonal of the Jacobian{instead}", "sum_i J_i,d-i", lambda q: np.einsum("nii->n", q.J(at)[:, :, ::-1])
    yield f"divergence: its absolute value{instead}", "|tr J|", lambda q: absolute(q.diagonal(at).sum(axis=1))
    yield f"divergence: absolute values of the diagonal{instead}", "sum |J_ii|", lambda q: absolute(q.diagonal(at)).sum(axis=1)
    yield f"divergence: squares of the diagonal{instead}", "sum J_ii^2", lambda q: dot(q.diagonal(at), q.diagonal(at))
    yield f"divergence: the square of the trace{instead}", "(tr J)^2", lambda q: q.diagonal(at).sum(axis=1)**2
    yield f"divergence: the squared Frobenius norm of the Jacobian{instead}", "|J|_F^2", lambda q: (q.J(at)**2).sum(axis=(1, 2))
    yield f"divergence: the Frobenius norm of the Jacobian{instead}", "|J|_F", lambda q: root((q.J(at)**2).sum(axis=(1, 2)))
    yield f"divergence: the trace of the squared Jacobian{instead}", "tr J^2", lambda q: np.einsum("nik,nki->n", q.J(at), q.J(at))
    yield f"divergence: the score in place of its derivative{instead}", "sum_i psi_i", lambda q: q.psi(at).sum(axis=1)
    yield f"divergence: the score's product with the point{instead}", "x.psi", lambda q: dot(q.psi(at), q.point(at or q.at))
    if not exact:
        for kind, words in DIRECTIONS:
            yield (words and f"divergence: {words}"), f"v' J v, v {kind}", lambda q, kind=kind: _curvature(q, q.v(kind)).mean(axis=1)
        yield "divergence: the sum of J v, not its product with v", "sum_i (J v)_i", lambda q: np.einsum("nik,nrk->nr", q.J(), q.v()).mean(axis=1)
        yield "divergence: the sum of J' v, not its product with v", "sum_k (J' v)_k", lambda q: np.einsum("nik,nri->nr", q.J(), q.v()).mean(axis=1)
        yield "divergence: the squared length of J v", "|J v|^2", lambda q: (np.einsum("nik,nrk->nri", q.J(), q.v())**2).sum(axis=2).mean(axis=1)
        yield "divergence: the squared length of J' v", "|J' v|^2", lambda q: (np.einsum("nik,nri->nrk", q.J(), q.v())**2).sum(axis=2).mean(axis=1)
        yield "divergence: its absolute value", "|v' J v|", lambda q: absolute(_curvature(q, q.v())).mean(axis=1)
        yield "divergence: v.psi in place of its derivative", "v.psi", lambda q: np.einsum("nri,ni->nr", q.v(), q.psi()).mean(axis=1)
        yield "divergence: psi' J v in place of v' J v", "psi' J v", lambda q: np.einsum("ni,nik,nrk->nr", q.psi(), q.J(), q.v()).mean(axis=1)
        yield "divergence: v' J psi in place of v' J v", "v' J psi", lambda q: np.einsum("nri,nik,nk->nr", q.v(), q.J(), q.psi()).mean(axis=1)
        yield "divergence: v' J v is squared", "(v' J v)^2", lambda q: (_curvature(q, q.v())**2).mean(axis=1)
        yield "divergence: only the diagonal in v' J v", "sum v_i^2 J_ii", lambda q: np.einsum("nri,ni->nr", q.v()**2, q.diagonal()).mean(axis=1)
        yield ("divergence: the directions are averaged first", "mean(v)' J mean(v)", lambda q: _curvature(q, q.v().mean(axis=1, keepdims=True))[:, 0])


def _penalties() -> Iterator[Variant]:
    """What may stand where the penalty of the regularised form should."""
    yield "", "strength sum_i J_ii^2", lambda q: q.case.strength * dot(q.diagonal(), q.diagonal())
    for slip, suffix, chosen in COORDINATES[1:]:
        yield f"penalty: {slip}", f"strength sum J_ii{suffix}^2", lambda q, chosen=chosen: q.case.strength * (q.diagonal()[:, chosen]**2).sum(axis=1)
    yield "penalty: every entry of the Jacobian, not its diagonal", "strength |J|_F^2", lambda q: q.case.strength * (q.J()**2).sum(axis=(1, 2))
    yield ("penalty: off-diagonal entries in place of the diagonal", "strength sum_i!=k J_ik^2",
           lambda q: q.case.strength * ((q.J()**2).sum(axis=(1, 2)) - dot(q.diagonal(), q.diagonal())))
    yield "penalty: the trace of the squared Jacobian", "strength tr J^2", lambda q: q.case.strength * np.einsum("nik,nki->n", q.J(), q.J())
    yield "penalty: the square of the trace", "strength (tr J)^2", lambda q: q.case.strength * q.diagonal().sum(axis=1)**2
    yield "penalty: absolute values of the diagonal", "strength sum |J_ii|", lambda q: q.case.strength * absolute(q.diagonal()).sum(axis=1)
    yield "penalty: the Frobenius norm of the Jacobian", "strength |J|_F", lambda q: q.case.strength * root((q.J()**2).sum(axis=(1, 2)))
    yield "penalty: the length of the diagonal, not squared", "strength sqrt(sum J_ii^2)", lambda q: q.case.strength * root(dot(q.diagonal(), q.diagonal()))
    yield "penalty: the square of the mean divergence", "strength (mean tr J)^2", lambda q: q.case.strength * q.diagonal().sum(axis=1).mean(keepdims=True)**2


def _implicit(objective: str, model: str | None) -> Iterator[Formula]:
    """Norm plus divergence (plus penalty): at most two slips, and one where all parts slip together."""
    shared = (None, *(p for p in POINTS if p != "x_noisy")) if objective == "parzen_ism" and model is not None else (None,)
    for at in shared:
        moved = (f"the score is read at {at}",) if at else ()
        slots = [("norm", list(_norms(objective, at))), ("divergence", list(_divergences(objective, at)))]
        if objective == "regularized":
            slots.append(("penalty", list(_penalties())))
            slots[1] = ("divergence", [v for v in slots[1][1] if v[1] != "sum J_ii^2"])      # no cell tells it from the penalty
        yield from _combined(slots, moved, f" at {at}" if at else "")
    for block in _left_out(model):
        parts = tuple(Part(p.role, f"{p.name} without {block}", lambda q, p=p, block=block: p.per_sample(q.changed(block))) for p in TERMS[objective])
        yield Formula((f"the model's {block} is left out",), parts)
    for kind, words in DIRECTIONS[1:] if objective == "ssm" else ():
        norm = Part("norm", f"(v.psi)^2 / 2, v {kind}", lambda q, kind=kind: (np.einsum("nri,ni->nr", q.v(kind), q.psi())**2).mean(axis=1) / 2)
        yield Formula((words,), (norm, Part("divergence", f"v' J v, v {kind}", lambda q, kind=kind: _curvature(q, q.v(kind)).mean(axis=1))))


def _combined(slots: list[tuple[str, list[Variant]]], moved: tuple[str, ...], suffix: str) -> Iterator[Formula]:
    for chosen in product(*(variants for _, variants in slots)):
        slips = moved + tuple(slip for slip, _, _ in chosen if slip)
        if len(slips) <= 2:
            yield Formula(slips, tuple(Part(role, name + suffix, f) for (role, _), (_, name, f) in zip(slots, chosen)))


def _left_out(model: str | None) -> tuple[str, ...]:
    return {"autoencoder": ("b", "c"), "tanh": ("b", "c"), "gaussian": ("mean",)}.get(model or "", ())


def _curvature(q: Quantities, v: Array) -> Array:
    return np.einsum("nri,nik,nrk->nr", v, q.J(), v)
