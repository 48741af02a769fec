"""A positive weight for every sigma or every group: its line as a convention.

Symbols
    w      (C,)     the factor that all terms of a group share
    plain  scaling  a power of d, n and M, taken out first

Equations
    (1)  w = plain(group) u(sigma)
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import Mapping, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.diagnosis.scaling import ONE, Scaling

__all__ = ["Weights", "agree", "is_weight", "weights_of"]

NUMBER = r"[0-9]+\.?[0-9]*(?:e[-+]?[0-9]+)?"
KEY = rf"c[0-9]+(?:/{NUMBER})?|{NUMBER}"             # a group, a level of a group, or a level
WEIGHT = re.compile(rf"weight (w\((?:{KEY})\) = {NUMBER}(, |$))+")
PIECES = re.compile(rf"w\(({KEY})\) = ({NUMBER})")
DIGITS = 5e-6              # relative: two weights that are printed with six digits and agree
SAME = 1e-4                # relative: two coefficients of float32 answers that are one
PLAIN = sorted((Scaling(1.0, tuple((name, p) for name, p in zip("dnM", powers) if p))
                for powers in product((0.0, -1.0, 1.0), repeat=3)), key=lambda s: s.complexity)


@dataclass(frozen=True)
class Weights:
    """Positive weights: `plain` times one for each key, a sigma or a group."""

    plain: Scaling
    by: Mapping[str, float]

    @property
    def line(self) -> str:
        """As `convention=` takes it."""
        listed = ", ".join(f"w({key}) = {weight:.6g}" for key, weight in self.by.items())
        return f"{'' if self.plain.is_one else f'{self.plain}; '}weight {listed}"


def weights_of(w: Array, sizes: Sequence[Mapping[str, float]],
               groups: Sequence[str]) -> Weights | None:
    """What positive weights are; None where one is not positive."""
    if not (w > 0).all():
        return None
    sigmas = sorted({group["sigma"] for group in sizes if "sigma" in group})
    for plain in PLAIN if len(sigmas) > 1 else ():
        if not all(name in sizes[0] for name, _ in plain.powers):
            continue
        rest = w / np.array([plain(group) for group in sizes])                # (C,)  (1)
        of = {s: [r for r, group in zip(rest, sizes) if group["sigma"] == s] for s in sigmas}
        if all(max(u) - min(u) <= SAME * max(u) for u in of.values()):
            return Weights(plain, {f"{s:g}": float(np.mean(u)) for s, u in of.items()})
    return Weights(ONE, {group: float(number) for group, number in zip(groups, w)})


def is_weight(piece: str) -> bool:
    """Whether a piece of a convention is a positive weight for each sigma, or for each group."""
    return bool(WEIGHT.fullmatch(piece)) and all(
        0 < float(weight) < float("inf") for _, weight in PIECES.findall(piece))


def agree(declared: str, found: str) -> bool:
    """Whether two conventions are one: the same pieces in any order, weights to five digits.

    >>> agree("2; target x -1", "target x -1; 2"), agree("2", "2.0001")
    (True, False)
    """
    ours, theirs = (sorted(convention.split("; ")) for convention in (declared, found))
    return len(ours) == len(theirs) and all(map(_same_piece, ours, theirs))


def _same_piece(declared: str, found: str) -> bool:
    if not (is_weight(declared) and is_weight(found)):
        return declared == found
    ours, theirs = dict(PIECES.findall(declared)), dict(PIECES.findall(found))
    return ours.keys() == theirs.keys() and all(
        abs(float(ours[key]) - float(theirs[key])) <= DIGITS * float(theirs[key]) for key in ours)
