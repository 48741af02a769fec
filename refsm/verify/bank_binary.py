"""The bank's formulas for binary points: ratio matching and pseudo-likelihood.

Both are a sum over bits of a function of the energy gap.  What may slip is the gap, the function, and which bits are read.
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

from itertools import product
from typing import Callable, Iterator

import numpy as np

from refsm.stable import sigmoid, softplus
from refsm.typing import Array
from refsm.verify import models
from refsm.verify.bank import COORDINATES, Formula
from refsm.verify.quantities import Quantities
from refsm.verify.terms import Part

__all__ = ["binary"]

LINKS: dict[str, tuple[tuple[str, str, Callable[[Array], Array]], ...]] = {
    "ratio": (
        ("", "sigmoid(-gap)^2", lambda g: sigmoid(-g)**2),
        ("the square is missing", "sigmoid(-gap)", lambda g: sigmoid(-g)),
        ("the logarithm of a probability in place of its square", "softplus(-gap)", lambda g: softplus(-g)),
        ("exp(-gap) in place of the squared sigmoid", "exp(-gap)", lambda g: np.exp(-g)),
        ("exp(-gap / 2) in place of the squared sigmoid, which is minimum probability flow", "exp(-gap / 2)", lambda g: np.exp(-g / 2)),
        ("a probability times its complement in place of its square", "sigmoid(gap) sigmoid(-gap)", lambda g: sigmoid(g) * sigmoid(-g)),
        ("squared errors of both classes are summed: 1 - 2 p (1 - p) per bit", "sigmoid(-gap)^2 + sigmoid(gap)^2", lambda g: sigmoid(-g)**2 + sigmoid(g)**2),
        ("the squared gap", "gap^2", lambda g: g * g), ("the gap itself", "gap", lambda g: g),
        ("the cube of the sigmoid", "sigmoid(-gap)^3", lambda g: sigmoid(-g)**3), ("the squared softplus", "softplus(-gap)^2", lambda g: softplus(-g)**2),
        ("tanh in place of the sigmoid", "tanh(-gap)^2", lambda g: np.tanh(g)**2)),
    "pseudo": (
        ("", "softplus(-gap)", lambda g: softplus(-g)),
        ("the logarithm is missing: probabilities are summed", "sigmoid(-gap)", lambda g: sigmoid(-g)),
        ("ratio matching's squared sigmoid in place of the logarithm", "sigmoid(-gap)^2", lambda g: sigmoid(-g)**2),
        ("exp(-gap) in place of the logarithm", "exp(-gap)", lambda g: np.exp(-g)), ("the gap itself", "gap", lambda g: g),
        ("the squared logarithm", "softplus(-gap)^2", lambda g: softplus(-g)**2), ("the squared gap", "gap^2", lambda g: g * g),
        ("exp(-gap / 2), which is minimum probability flow", "exp(-gap / 2)", lambda g: np.exp(-g / 2)),
        ("a hinge in place of the softplus", "max(0, -gap)", lambda g: np.where(g.real < 0, -g, 0)))}


EVEN = ("sigmoid(gap) sigmoid(-gap)", "gap^2", "tanh(-gap)^2", "sigmoid(-gap)^2 + sigmoid(gap)^2")      # the same for a gap and for its negative
SIGNS = ("negated", "negated and halved", "negated and doubled", "without (2 x - 1)", "without (1 - 2 x)", "|gap|", "spins, negated")


def binary(objective: str, model: str | None) -> Iterator[Formula]:
    """Every formula with at most two slips."""
    for (gap_slip, gap_name, gap), (link_slip, link_name, link), (bit_slip, suffix, chosen) in product(_gaps(model), LINKS[objective], COORDINATES):
        slips = tuple(s for s in (gap_slip, link_slip, bit_slip.replace("dimension", "bit")) if s)
        if len(slips) <= 2 and not (link_name in EVEN and gap_name in SIGNS):
            yield Formula(slips, (Part("whole", f"sum {link_name}, gap {gap_name}{suffix}",
                                       lambda q, gap=gap, link=link, chosen=chosen: link(gap(q)[:, chosen]).sum(axis=1)),))
    last = LINKS[objective][0][2]
    yield Formula(("the product over bits in place of the sum",), (Part("whole", "prod", lambda q: np.prod(last(q.gap()), axis=1)),))
    yield Formula(("the largest bit in place of the sum",), (Part("whole", "max", lambda q: last(q.gap()).max(axis=1)),))
    yield Formula(("the gaps are summed before the function",), (Part("whole", "f(sum gap)", lambda q: last(q.gap().sum(axis=1))),))
    yield Formula(("the gaps are averaged over the points before the function",), (Part("whole", "f(mean gap)", lambda q: last(q.gap().mean(axis=0))),))


def _gaps(model: str | None) -> Iterator[tuple[str, str, Callable[[Quantities], Array]]]:
    yield "", "as it is", lambda q: q.gap()
    yield "the sign of the gap", "negated", lambda q: -q.gap()
    yield "half the gap", "halved", lambda q: q.gap() / 2
    yield "twice the gap", "doubled", lambda q: 2 * q.gap()
    yield "the sign of the gap, and half of it", "negated and halved", lambda q: -q.gap() / 2
    yield "the sign of the gap, and twice of it", "negated and doubled", lambda q: -2 * q.gap()
    yield "the bit's sign (2 x - 1) is left out of the gap", "without (2 x - 1)", lambda q: (2 * q.case.x - 1) * q.gap()
    yield "the bit's sign (2 x - 1) is left out of the gap, and the sign of the rest", "without (1 - 2 x)", lambda q: (1 - 2 * q.case.x) * q.gap()
    yield "the gap of the bits that are 1 alone", "x gap", lambda q: q.case.x * q.gap()
    yield "the gap of the bits that are 0 alone", "(1 - x) gap", lambda q: (1 - q.case.x) * q.gap()
    yield "the absolute value of the gap", "|gap|", lambda q: np.where(q.gap().real < 0, -q.gap(), q.gap())
    if model is None:
        return
    for block, words in (("b", "the offsets b"), ("c", "the offsets c"), ("W", "the weights W")):
        if block in {"boltzmann": "bW", "rbm": "bcW"}[model]:
            yield f"{words} are left out", f"without {block}", lambda q, block=block: q.changed(block).gap()
    if model == "boltzmann":
        yield "the weights are halved: the 1/2 in front of x' W x counts twice", "W / 2", lambda q: (q.gap() + q.changed("W").gap()) / 2
        yield "the weights are doubled: the 1/2 in front of x' W x is missing", "2 W", lambda q: 2 * q.gap() - q.changed("W").gap()
    yield "the bits are read as -1 and 1", "spins", _spin_gap
    yield "the bits are read as -1 and 1, and the sign of the gap", "spins, negated", lambda q: -_spin_gap(q)
    yield "all bits are flipped at once", "all flipped", lambda q: (q_energy(q, 1 - q.case.x) - q_energy(q, q.case.x))[:, None] + 0 * q.gap()
    yield "the energy of the flipped point alone", "E(flip)", lambda q: q.gap() + q_energy(q, q.case.x)[:, None]
    yield "the energy itself in place of the gap", "E(x)", lambda q: q_energy(q, q.case.x)[:, None] + 0 * q.gap()


def q_energy(q: Quantities, x: Array) -> Array:
    """The energy at given points, (n,)."""
    return models.energy(q.case.model or "", q.theta, x)


def _spin_gap(q: Quantities) -> Array:
    spins = 2 * q.case.x - 1
    columns = []
    for i in range(spins.shape[1]):
        flipped = spins.copy()
        flipped[:, i] *= -1
        columns.append(q_energy(q, flipped) - q_energy(q, spins))
    return np.stack(columns, axis=1)
