"""A declared convention, in the form in which reports print theirs, and whether two are one.

Its pieces stand between semicolons: a positive factor (2 sigma^2 / d), a term with its factor
(target x -1), a constant (constant dropped), the identity of a mistake (divergence.whole; its words
in a report are taken too), or a positive weight for each sigma or each group of cases
(weight w(0.37) = 0.5, w(0.61) = 0.7, w(1.3) = 0.9).
"""
from __future__ import annotations

import re
from functools import lru_cache
from typing import Mapping

from refsm.verify.cases.network import READ
from refsm.verify.diagnosis.point_masks import is_mask
from refsm.verify.diagnosis.scaling import ORDER, parse_scaling
from refsm.verify.mistakes import formulas
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.report.known import TERM_NAMES

__all__ = ["agree", "normal"]

FACTOR = re.compile(rf"(?!.* in place of )([-0-9(]|(sqrt|{'|'.join(ORDER)})\b(?!\.))")
NUMBER = r"[0-9]+\.?[0-9]*(?:e[-+]?[0-9]+)?"
KEY = rf"c[0-9]+(?:/{NUMBER})?|{NUMBER}"             # a group, a level of a group, or a level
WEIGHT = re.compile(rf"weight (w\((?:{KEY})\) = {NUMBER}(, |$))+")
PIECES = re.compile(rf"w\(({KEY})\) = ({NUMBER})")
DIGITS = 5e-6              # relative: two weights that are printed with six digits and agree


def normal(convention: str) -> str:
    """A convention as a report prints it.  ValueError where a piece is not one.

    >>> normal("2*sigma**2/d;  constant dropped")
    '2 sigma^2 / d; constant dropped'
    >>> normal("only the first direction")
    'directions.first'
    """
    out = []
    for piece in filter(None, map(str.strip, str(convention).split(";"))):
        what, times, factor = piece.partition(" x ")
        if not FACTOR.match(piece) and piece in _identities():
            out.append(_identities()[piece])
        elif times and what in TERM_NAMES:
            out.append(f"{what} x {parse_scaling(factor)}")
        elif piece.startswith("constant + "):
            out.append(f"constant + {parse_scaling(piece[len('constant + '):])}")
        elif FACTOR.match(piece):
            scaling = parse_scaling(piece)
            if scaling.prefactor <= 0:
                raise ValueError(f"a factor that is meant must be positive, but it is {piece}; a "
                                 "loss that is to be maximised is declared as loss x -1")
            out.append(str(scaling))
        elif piece in ("constant dropped", "constant other") or _is_weight(piece) or is_mask(piece):
            out.append(piece)
        else:
            raise ValueError(f"{piece!r} is not a convention: one is a factor such as "
                             "2 sigma^2 / d, a term with its factor such as target x -1, or the "
                             "identity of a mistake that a report prints as convention=")
    return "; ".join(piece for piece in out if piece != "1") or "1"


@lru_cache(maxsize=None)
def _identities() -> Mapping[str, str]:
    """The identity of every mistake, by itself and by its words."""
    rows = {mistake for objective, about in OBJECTIVES.items()
            for model in (about.models[0], about.models[-1],         # the others have no other rows
                          *["network"][:about.reads in READ])
            for formula in formulas(objective, model) for mistake in formula.mistakes}
    return {**{row.words: row.id for row in rows}, **{row.id: row.id for row in rows}}


def agree(declared: str, found: str) -> bool:
    """Whether two conventions are one: the same pieces in any order, weights to five digits.

    >>> agree("2; target x -1", "target x -1; 2"), agree("2", "2.0001")
    (True, False)
    """
    ours, theirs = (sorted(convention.split("; ")) for convention in (declared, found))
    return len(ours) == len(theirs) and all(map(_same_piece, ours, theirs))


def _same_piece(declared: str, found: str) -> bool:
    if not (_is_weight(declared) and _is_weight(found)):
        return declared == found
    ours, theirs = dict(PIECES.findall(declared)), dict(PIECES.findall(found))
    return ours.keys() == theirs.keys() and all(
        abs(float(ours[key]) - float(theirs[key])) <= DIGITS * float(theirs[key]) for key in ours)


def _is_weight(piece: str) -> bool:
    """Whether a piece of a convention is a positive weight for each sigma, or for each group."""
    return bool(WEIGHT.fullmatch(piece)) and all(
        0 < float(weight) < float("inf") for _, weight in PIECES.findall(piece))
