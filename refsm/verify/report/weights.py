"""Conventions that are pieces of text: which of them are weights, and when two are one."""
from __future__ import annotations

import re

__all__ = ["agree", "is_weight"]

NUMBER = r"[0-9]+\.?[0-9]*(?:e[-+]?[0-9]+)?"
KEY = rf"c[0-9]+(?:/{NUMBER})?|{NUMBER}"             # a group, a level of a group, or a level
WEIGHT = re.compile(rf"weight (w\((?:{KEY})\) = {NUMBER}(, |$))+")
PIECES = re.compile(rf"w\(({KEY})\) = ({NUMBER})")
DIGITS = 5e-6              # relative: two weights that are printed with six digits and agree


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
