"""Mistakes for binary points: ratio matching and pseudo-likelihood.

Both are a sum over bits of a function of the energy gap.  What may be wrong is the gap, the
function, and which bits are read.

Symbols
    gap    (n, d)   E(x with bit i flipped) - E(x);  f a function of it, summed over bits
    q      number   the probability of x beside its neighbour x', q / (1 - q) = exp(true gap)

Equations
    (1)  q f(gap) + (1 - q) f(-gap) is what a bit contributes, least at the gap that
         is learned  [result]

Derivation
    (1)  x and x' are each other's neighbours, with gaps of opposite sign.  With f = sigmoid(-g)^2,
         softplus(-g) or exp(-g / 2) the least is at exp(gap) = q / (1 - q): the true gap.  With
         exp(-g) and sigmoid(-g)^3 it is at half of it; with an even f that grows with |g| at 0.

Conventions
    Effects are those for a model that can have every gap.

Sources
    Hyvarinen, Some extensions of score matching, CSDA 51 (2007): ratio matching.
    Sohl-Dickstein, Battaglino & DeWeese, Minimum probability flow learning, ICML 2011: exp(-g / 2).
"""
# mypy: disable-error-code="misc"
from __future__ import annotations

from itertools import product
from typing import Any, Callable, Iterator

import numpy as np

from refsm.stable import sigmoid, softplus
from refsm.typing import Array
from refsm.verify.cases import models
from refsm.verify.mistakes.mistake import DIMENSIONS, Formula, Mistake
from refsm.verify.objectives import Term

__all__ = ["binary"]

SAME = "the same minimiser in expectation, where the model has the data's distribution; on a sample"
RATIO, PSEUDO = f"{SAME} it is ratio matching", f"{SAME} it is the pseudo-likelihood"
FLOW = f"{SAME} it is minimum probability flow"
CERTAIN = "the probability of every bit is driven to 0 or 1"
EVEN = "the loss is the same for a gap and its negative: it cannot tell the data from their " \
       "neighbours"
UNIFORM = f"{EVEN}, and is least where all points are equally probable"
HALF = "half of the energy is learned"
LINEAR = "the loss is unbounded below: the energy of the data grows without end"
OTHER_BITS = "the other bits are not constrained, but through the weights that they share with it"
FLIPS_ONE = ("scikit-learn's BernoulliRBM.score_samples flips one bit (a random one) and "
             "multiplies by the number of features")

Row = tuple[str, str, str, Callable[[Array], Array], str]
SQUARED: Row = ("", "", "sigmoid(-gap)^2", lambda g: sigmoid(-g)**2, "")
FLOWS: Row = ("", "", "exp(-gap / 2)", lambda g: np.exp(-g / 2), "")
LOGARITHM: Row = ("", "", "softplus(-gap)", lambda g: softplus(-g), "")
BOTH: tuple[Row, ...] = (
    ("squared-gap", "the squared gap", "gap^2", lambda g: g * g, UNIFORM),
    ("gap", "the gap itself", "gap", lambda g: g, LINEAR),
    ("squared-logarithm", "the squared softplus", "softplus(-gap)^2", lambda g: softplus(-g)**2,
     ""))
LINKS: dict[str, tuple[Row, ...]] = {
    "ratio": (
        SQUARED,
        ("unsquared", "the square is missing", "sigmoid(-gap)", lambda g: sigmoid(-g), CERTAIN),
        ("pseudo", "the logarithm of a probability in place of its square", *LOGARITHM[2:4],
         PSEUDO),
        ("exp", "exp(-gap) in place of the squared sigmoid", "exp(-gap)", lambda g: np.exp(-g),
         HALF),
        ("flow", "exp(-gap / 2) in place of the squared sigmoid, which is minimum probability flow",
         "exp(-gap / 2)", lambda g: np.exp(-g / 2), FLOW),
        ("complement", "a probability times its complement in place of its square",
         "sigmoid(gap) sigmoid(-gap)", lambda g: sigmoid(g) * sigmoid(-g), f"{EVEN}; {CERTAIN}"),
        ("both-classes", "squared errors of both classes are summed: 1 - 2 p (1 - p) per bit",
         "sigmoid(-gap)^2 + sigmoid(gap)^2", lambda g: sigmoid(-g)**2 + sigmoid(g)**2, UNIFORM),
        *BOTH[:2],
        ("cube", "the cube of the sigmoid", "sigmoid(-gap)^3", lambda g: sigmoid(-g)**3, HALF),
        BOTH[2],
        ("tanh", "tanh in place of the sigmoid", "tanh(-gap)^2", lambda g: np.tanh(g)**2, UNIFORM)),
    "mpf": (
        FLOWS,
        ("ratio", "ratio matching's squared sigmoid in place of the exponential", *SQUARED[2:4],
         RATIO),
        ("pseudo", "the pseudo-likelihood's softplus in place of the exponential",
         *LOGARITHM[2:4], PSEUDO),
        ("unsquared", "a probability in place of the exponential", "sigmoid(-gap)",
         lambda g: sigmoid(-g), CERTAIN),
        *BOTH),
    "pseudo": (
        LOGARITHM,
        ("no-logarithm", "the logarithm is missing: probabilities are summed", "sigmoid(-gap)",
         lambda g: sigmoid(-g), CERTAIN),
        ("ratio", "ratio matching's squared sigmoid in place of the logarithm", *SQUARED[2:4],
         RATIO),
        ("exp", "exp(-gap) in place of the logarithm", "exp(-gap)", lambda g: np.exp(-g), HALF),
        BOTH[1],
        ("squared-logarithm", "the squared logarithm", "softplus(-gap)^2",
         lambda g: softplus(-g)**2, ""),
        BOTH[0],
        ("flow", "exp(-gap / 2), which is minimum probability flow", "exp(-gap / 2)",
         lambda g: np.exp(-g / 2), FLOW),
        ("hinge", "a hinge in place of the softplus", "max(0, -gap)",
         lambda g: np.where(g.real < 0, -g, 0),
         "it is 0 where all points are equally probable, and no loss is smaller"))}

# A function that is the same for a gap and its negative cannot show these.
EVEN_LINKS = {"complement", "squared-gap", "tanh", "both-classes"}
SIGNS = {"minus", "minus-half", "minus-double", "no-sign", "no-opposite-sign", "absolute",
         "minus-spins"}


def binary(objective: str, model: str | None) -> Iterator[Formula]:
    """Every formula with at most two mistakes."""
    bits = [("", "", "", slice(None)), *(row[:4] for row in DIMENSIONS)]
    for gap, link, (name, words, suffix, chosen) in product(_gaps(model), LINKS[objective], bits):
        f = link[3]
        wrong = [gap] if gap.id else []
        if link[0]:
            wrong.append(Mistake(f"link.{link[0]}", link[1], link[2], f, link[4],
                                 "a forgotten logarithm" if link[0] == "no-logarithm" else "",
                                 link[4] in (RATIO, PSEUDO, FLOW)))
        if name:
            one = name in ("first", "last")
            wrong.append(Mistake(f"bits.{name}", words.replace("dimension", "bit"), suffix, f,
                                 OTHER_BITS if one else "the bits that are left out are not "
                                 "constrained, but through the weights that they share",
                                 FLIPS_ONE if name == "first" else ""))
        if len(wrong) <= 2 and not (link[0] in EVEN_LINKS and gap.id.partition(".")[2] in SIGNS):
            yield Formula(tuple(wrong), (Term(
                "whole", f"sum {link[2]}{suffix}" + (f", gap {gap.name}" if gap.id else ""),
                lambda q, gap=gap, f=f, chosen=chosen: f(gap.formula(q)[:, chosen]).sum(axis=1)),))
    f = LINKS[objective][0][3]
    for name, words, symbols, joined in (
            ("product", "the product over bits in place of the sum", "prod",
             lambda q: np.prod(f(q.gap()), axis=1)),
            ("largest", "the largest bit in place of the sum", "max",
             lambda q: f(q.gap()).max(axis=1)),
            ("gaps-summed", "the gaps are summed before the function", "f(sum gap)",
             lambda q: f(q.gap().sum(axis=1))),
            ("gaps-averaged", "the gaps are averaged over the points before the function",
             "f(mean gap)", lambda q: f(q.gap().mean(axis=0)))):
        yield Formula((Mistake(f"join.{name}", words, symbols, joined),),
                      (Term("whole", symbols, joined),))


UPSIDE_DOWN = "the energy is learned upside down"
GAPS: tuple[tuple[str, str, str, Callable[[Any], Array], str], ...] = (
    ("", "", "as it is", lambda q: q.gap(), ""),
    ("minus", "the sign of the gap", "negated", lambda q: -q.gap(), UPSIDE_DOWN),
    ("half", "half the gap", "halved", lambda q: q.gap() / 2, "twice the energy is learned"),
    ("double", "twice the gap", "doubled", lambda q: 2 * q.gap(), HALF),
    ("minus-half", "the sign of the gap, and half of it", "negated and halved",
     lambda q: -q.gap() / 2, f"{UPSIDE_DOWN}, and twice"),
    ("minus-double", "the sign of the gap, and twice of it", "negated and doubled",
     lambda q: -2 * q.gap(), f"{UPSIDE_DOWN}, and half of it"),
    ("no-sign", "the bit's sign (2 x - 1) is left out of the gap", "without (2 x - 1)",
     lambda q: (2 * q.case.x - 1) * q.gap(),
     "the gap is wrong wherever the bit's sign is negative: another model is learned"),
    ("no-opposite-sign", "the bit's sign (2 x - 1) is left out of the gap, and the sign of the "
     "rest", "without (1 - 2 x)", lambda q: (1 - 2 * q.case.x) * q.gap(),
     "the gap is wrong wherever the bit's sign is positive: another model is learned"),
    ("ones", "the gap of the bits that are 1 alone", "x gap", lambda q: q.case.x * q.gap(),
     "every bit learns to be 1"),
    ("zeros", "the gap of the bits that are 0 alone", "(1 - x) gap",
     lambda q: (1 - q.case.x) * q.gap(), "every bit learns to be 0"),
    ("absolute", "the absolute value of the gap", "|gap|",
     lambda q: np.where(q.gap().real < 0, -q.gap(), q.gap()), EVEN))
SPINS = "SpinModels.jl and other code for spins"
HALF_SEEN = "spins in {-1, 1} with the couplings of bits, or the other way round"


def _gaps(model: str | None) -> Iterator[Mistake]:
    for name, words, symbols, f, effect in GAPS:
        yield Mistake(name and f"gap.{name}", words, symbols, f, effect,
                      HALF_SEEN if name == "half" else "")
    if model is None:
        return
    for block, words in (("b", "the offsets b"), ("c", "the offsets c"), ("W", "the weights W")):
        if block in {"boltzmann": "bW", "rbm": "bcW"}[model]:
            yield Mistake(f"gap.without-{block}", f"{words} are left out", f"without {block}",
                          lambda q, block=block: q.without(block).gap(),
                          f"{block} gets no gradient: it is not trained")
    if model == "boltzmann":
        yield Mistake("gap.half-weights", "the weights are halved: the 1/2 in front of x' W x "
                      "counts twice", "W / 2", lambda q: (q.gap() + q.without("W").gap()) / 2,
                      "the weights that are learned are twice the right ones")
        yield Mistake("gap.double-weights", "the weights are doubled: the 1/2 in front of x' W x "
                      "is missing", "2 W", lambda q: 2 * q.gap() - q.without("W").gap(),
                      "the weights that are learned are half the right ones")
    another = "W and b then mean something else: the model of bits that they give is not the one " \
              "that was fitted"
    yield Mistake("gap.spins", "the bits are read as -1 and 1", "spins", _spin_gap, another, SPINS)
    yield Mistake("gap.minus-spins", "the bits are read as -1 and 1, and the sign of the gap",
                  "spins, negated", lambda q: -_spin_gap(q), UPSIDE_DOWN, SPINS)
    yield Mistake("gap.all-flipped", "all bits are flipped at once", "all flipped",
                  lambda q: (_energy(q, 1 - q.case.x) - _energy(q))[:, None] + 0 * q.gap(),
                  "a point is compared with its opposite alone, which does not fix the model")
    yield Mistake("gap.flipped-energy", "the energy of the flipped point alone", "E(flip)",
                  lambda q: q.gap() + _energy(q)[:, None])
    yield Mistake("gap.energy", "the energy itself in place of the gap", "E(x)",
                  lambda q: _energy(q)[:, None] + 0 * q.gap(),
                  "the energy of the data grows without end")


def _energy(q: Any, x: Array | None = None) -> Array:
    """The energy at given points, or at those of the case, (n,)."""
    return models.energy(q.case.model, q.theta, q.case.x if x is None else x)


def _spin_gap(q: Any) -> Array:
    spins = 2 * q.case.x - 1
    columns = []
    for i in range(spins.shape[1]):
        flipped = spins.copy()
        flipped[:, i] *= -1
        columns.append(_energy(q, flipped) - _energy(q, spins))
    return np.stack(columns, axis=1)
