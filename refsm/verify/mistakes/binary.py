"""Mistakes for binary points: ratio matching, pseudo-likelihood and minimum probability flow.

Each is a sum over bits of a function of the energy gap.  What may be wrong is the gap, the
function, and which bits are read.

Symbols
    gap    (n, d)   E(x with bit i flipped) - E(x);  f a function of it, summed over bits
    q      number   the probability of x beside its neighbour x', q / (1 - q) = exp(true gap)

Equations
    (1)  q f(gap) + (1 - q) f(-gap) is what a bit contributes, least at the learned gap  [result]

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

from dataclasses import replace
from itertools import product
from typing import Any, Callable, Iterator

import numpy as np

from refsm.stable import sigmoid, softplus
from refsm.typing import Array
from refsm.verify.cases import models
from refsm.verify.mistakes.mistake import DIMENSIONS, Formula, Mistake, absolute, rows
from refsm.verify.objectives import Term

__all__ = ["binary"]

SAME = "the same minimiser in expectation, where the model has the data's distribution; on a sample"
RATIO, PSEUDO = f"{SAME} it is ratio matching", f"{SAME} it is the pseudo-likelihood"
FLOW = f"{SAME} it is minimum probability flow"
CERTAIN = "the probability of every bit is driven to 0 or 1"
EVEN = "the loss is the same for a gap and its negative: it cannot tell data from neighbours"
UNIFORM = f"{EVEN}, and is least where all points are equally probable"
HALF = "half of the energy is learned"
LINEAR = "the loss is unbounded below: the energy of the data grows without end"
OTHER_BITS = ("the other bits are not constrained, except through the weights that they share with "
              "it")
FLIPS_ONE = ("scikit-learn's BernoulliRBM.score_samples flips one bit (a random one) and "
             "multiplies by the number of features")

# (name, symbols, function of the gap, in words, effect)
FUNCTIONS: tuple[tuple[str, str, Callable[[Array], Array], str, str], ...] = (
    ("ratio", "sigmoid(-gap)^2", lambda g: sigmoid(-g)**2, "ratio matching's squared sigmoid",
     RATIO),
    ("pseudo", "softplus(-gap)", lambda g: softplus(-g), "the pseudo-likelihood's softplus",
     PSEUDO),
    ("flow", "exp(-gap / 2)", lambda g: np.exp(-g / 2), "exp(-gap / 2) of minimum probability flow",
     FLOW),
    ("unsquared", "sigmoid(-gap)", lambda g: sigmoid(-g), "a probability alone", CERTAIN),
    ("exp", "exp(-gap)", lambda g: np.exp(-g), "exp(-gap)", HALF),
    ("complement", "sigmoid(gap) sigmoid(-gap)", lambda g: sigmoid(g) * sigmoid(-g),
     "a probability times its complement", f"{EVEN}; {CERTAIN}"),
    ("both-classes", "sigmoid(-gap)^2 + sigmoid(gap)^2",
     lambda g: sigmoid(-g)**2 + sigmoid(g)**2, "the squared errors of both classes", UNIFORM),
    ("squared-gap", "gap^2", lambda g: g * g, "the squared gap", UNIFORM),
    ("gap", "gap", lambda g: g, "the gap itself", LINEAR),
    ("cube", "sigmoid(-gap)^3", lambda g: sigmoid(-g)**3, "the cube of a sigmoid", HALF),
    ("squared-logarithm", "softplus(-gap)^2", lambda g: softplus(-g)**2, "the squared softplus",
     ""),
    ("tanh", "tanh(-gap)^2", lambda g: np.tanh(g)**2, "a squared tanh", UNIFORM),
    ("hinge", "max(0, -gap)", lambda g: np.where(g.real < 0, -g, 0), "a hinge",
     "it is 0 where all points are equally probable, and no loss is smaller"))
# the name of an objective's own function, and that function in words
OWN = {"ratio": ("ratio", "the squared sigmoid"), "pseudo": ("pseudo", "the softplus"),
       "mpf": ("flow", "exp(-gap / 2)")}
# what is only left out: the identity and the words
MISSING = {("ratio", "unsquared"): ("link.unsquared", "the square is missing"),
           ("pseudo", "unsquared"): ("link.no-logarithm",
                                     "the logarithm is missing: probabilities are summed")}


def links(objective: str) -> Iterator[tuple[Mistake, Callable[[Array], Array]]]:
    """The objective's function of the gap, and every other, each with its row."""
    own, right = OWN[objective]
    for name, symbols, f, words, effect in FUNCTIONS:
        id, said = MISSING.get((objective, name), (f"link.{name}", f"{words} in place of {right}"))
        if name == own:
            yield Mistake("", "", symbols, f), f
        elif (objective, name) != ("mpf", "exp"):    # that is twice the gap
            same = effect in (RATIO, PSEUDO, FLOW)
            yield Mistake(id, said, symbols, f, effect, same=same), f


# A function that is the same for a gap and its negative cannot show these.
EVEN_LINKS = {f"link.{name}" for name in ("complement", "squared-gap", "tanh", "both-classes")}
SIGNS = {f"gap.{name}" for name in ("minus", "minus-half", "minus-double", "no-sign",
                                    "no-opposite-sign", "absolute", "minus-spins")}


def binary(objective: str, model: str | None) -> Iterator[Formula]:
    """Every formula with at most two mistakes."""
    bits = [("", "", "", slice(None)), *(row[:4] for row in DIMENSIONS)]
    for gap, (link, f), (name, words, suffix, chosen) in product(
            list(_gaps(model)), list(links(objective)), bits):
        wrong = [row for row in (gap, link) if row.id]
        if name:
            one = name in ("first", "last")
            wrong.append(Mistake(f"bits.{name}", words.replace("dimension", "bit"), suffix, f,
                                 OTHER_BITS if one else "the bits that are left out are not "
                                 "constrained, except through the weights that they share",
                                 FLIPS_ONE if name == "first" else ""))
        even = link.id in EVEN_LINKS and gap.id in SIGNS
        if len(wrong) <= 2 and not even:
            yield Formula(tuple(wrong), (Term(
                "whole", f"sum {link.name}{suffix}" + (f", gap {gap.name}" if gap.id else ""),
                lambda q, gap=gap, f=f, chosen=chosen: f(gap.formula(q)[:, chosen]).sum(axis=1)),))
    own = next(f for row, f in links(objective) if not row.id)
    for row in rows("join", (
            ("product", "the product over bits in place of the sum", "prod",
             lambda q: np.prod(own(q.gap()), axis=1)),
            ("largest", "the largest bit in place of the sum", "max",
             lambda q: own(q.gap()).max(axis=1)),
            ("gaps-summed", "the gaps are summed before the function", "f(sum gap)",
             lambda q: own(q.gap().sum(axis=1))),
            ("gaps-averaged", "the gaps are averaged over the points before the function",
             "f(mean gap)", lambda q: own(q.gap().mean(axis=0))),
            *((f"log-plus-{t:g}", f"{t:g} is added to a probability under its logarithm",
               f"-log(sigmoid(gap) + {t:g})",
               lambda q, t=t: -np.log(sigmoid(q.gap()) + t).sum(axis=1), PUSHED.format(t))
              for t in (1e-4, 1e-3, 0.01) if objective == "pseudo"))):
        yield Formula((row,), (Term("whole", row.name, row.formula),))
    if objective == "mpf" and model is not None:
        row = Mistake("neighbours.all-flipped", "the point with all bits flipped is a neighbour "
                      "too", "sum exp(-gap / 2) + exp(-(gap of all bits) / 2)",
                      lambda q: own(q.gap()).sum(axis=1) + own(_energy(q, 1 - q.case.x)
                                                               - _energy(q)),
                      f"{SAME} it is minimum probability flow with one neighbour more",
                      "Sohl-Dickstein's K_dK_ising_allbitflipextension", True)
        yield Formula((row,), (Term("whole", row.name, row.formula),))


PUSHED = "the probabilities that are learned are those of the data, q + {0:g} (2 q - 1) for q"
UPSIDE_DOWN = "the energy is learned upside down"
TO_ONE, TO_ZERO = "every bit learns to be 1", "every bit learns to be 0"
GAPS: tuple[tuple[str, str, str, Callable[[Any], Array], str], ...] = (
    ("minus", "the sign of the gap", "negated", lambda q: -q.gap(), UPSIDE_DOWN),
    ("half", "half the gap", "halved", lambda q: q.gap() / 2, "twice the energy is learned"),
    ("double", "twice the gap", "doubled", lambda q: 2 * q.gap(), HALF),
    ("minus-half", "the sign of the gap, and half of it", "negated and halved",
     lambda q: -q.gap() / 2, f"{UPSIDE_DOWN}, and twice"),
    ("minus-double", "the sign of the gap, and twice of it", "negated and doubled",
     lambda q: -2 * q.gap(), f"{UPSIDE_DOWN}, and half of it"),
    ("no-sign", "the bit's sign (2 x - 1) is left out of the gap", "without (2 x - 1)",
     lambda q: (2 * q.case.x - 1) * q.gap(), TO_ONE),
    ("no-opposite-sign", "the bit's sign (2 x - 1) is left out of the gap, and the sign of the "
     "rest", "without (1 - 2 x)", lambda q: (1 - 2 * q.case.x) * q.gap(), TO_ZERO),
    ("ones", "the gap of the bits that are 1 alone", "x gap", lambda q: q.case.x * q.gap(), TO_ONE),
    ("zeros", "the gap of the bits that are 0 alone", "(1 - x) gap",
     lambda q: (1 - q.case.x) * q.gap(), TO_ZERO),
    ("absolute", "the absolute value of the gap", "|gap|",
     lambda q: absolute(q.gap()), EVEN))
SPINS = "coniii issue 3: data of 0 and 1 in a solver for spins -1 and 1"
HALF_SEEN = "for spins -1 and 1 a spin times its field is half of the gap"


def _gaps(model: str | None) -> Iterator[Mistake]:
    yield Mistake("", "", "as it is", lambda q: q.gap())
    for row in rows("gap", GAPS):
        yield replace(row, seen=HALF_SEEN) if row.id == "gap.half" else row
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
        for name, part, others in (("upper", np.triu, "before"), ("lower", np.tril, "after")):
            yield Mistake(f"gap.{name}-triangle", f"only the {name} triangle of W is read",
                          f"{name} triangle of W", lambda q, part=part: (2 * q.case.x - 1) * (
                              q.case.x @ part(q.theta["W"]) + q.theta["b"]),
                          f"every bit is predicted from those {others} it alone: another model is "
                          "learned")
    another = "W and b then mean something else: the model of bits is not the one that was fitted"
    yield Mistake("gap.spins", "the bits are read as -1 and 1", "spins", _spin_gap, another, SPINS)
    yield Mistake("gap.minus-spins", "the bits are read as -1 and 1, and the sign of the gap",
                  "spins, negated", lambda q: -_spin_gap(q), UPSIDE_DOWN, SPINS)
    yield Mistake("gap.all-flipped", "all bits are flipped at once", "all flipped",
                  lambda q: _for_every_bit(q, _energy(q, 1 - q.case.x) - _energy(q)),
                  "a point is compared with its opposite alone, which does not fix the model")
    yield Mistake("gap.kept", "a bit that was flipped is not flipped back", "kept flipped",
                  lambda q: _kept_flipped(q) - _energy(q)[:, None],
                  f"{SAME} it is a loss with other neighbours", same=True)
    yield Mistake("gap.successive", "a bit that was flipped is not flipped back, and the next gap "
                  "starts from there", "successive",
                  lambda q: np.diff(_kept_flipped(q), prepend=_energy(q)[:, None]),
                  "a bit is fitted given the bits before it flipped: right for independent bits")
    yield Mistake("gap.flipped-energy", "the energy of the flipped point alone", "E(flip)",
                  lambda q: q.gap() + _energy(q)[:, None])
    yield Mistake("gap.energy", "the energy itself in place of the gap", "E(x)",
                  lambda q: _for_every_bit(q, _energy(q)),
                  "the energy of the data grows without end")


def _energy(q: Any, x: Array | None = None) -> Array:
    """The energy at given points, or at those of the case, (n,)."""
    return models.energy(q.case.model, q.theta, q.case.x if x is None else x)


def _kept_flipped(q: Any) -> Array:
    """The energies with the first bit flipped, the first two, and so on, (n, d)."""
    x, kept = q.case.x[:, None], np.tri(q.case.d)                              # (n, 1, d), (d, d)
    return np.stack([_energy(q, of) for of in np.abs(x - kept)])


def _for_every_bit(q: Any, a: Array) -> Array:
    """A number for each point (n,) in the place of its gaps, (n, d)."""
    return np.broadcast_to(a[:, None], q.case.x.shape)


def _spin_gap(q: Any) -> Array:
    spins = 2 * q.case.x - 1
    flipped = spins[:, None] * (1 - 2 * np.eye(q.case.d))                      # (n, d, d)
    return np.stack([_energy(q, of) for of in flipped]) - _energy(q, spins)[:, None]
