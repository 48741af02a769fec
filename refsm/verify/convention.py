"""A declared convention, in the form in which reports print theirs."""
from __future__ import annotations

import re
from functools import lru_cache

from refsm.verify.diagnosis.scaling import ORDER, parse_scaling
from refsm.verify.mistakes import formulas
from refsm.verify.objectives import OBJECTIVES, model_names
from refsm.verify.report.known import TERM_NAMES

__all__ = ["normal"]

# a weight by sigma that is no power, as a report prints it
WEIGHT = re.compile(r"weight (w\([-+.e0-9]+\) = [-+.e0-9]+(, )?)+")
FACTOR = re.compile(rf"[-0-9(]|({'|'.join(ORDER)})\b")


def normal(convention: str) -> str:
    """A convention as a report prints it.  ValueError where a piece of it is none.

    >>> normal("2*sigma**2/d;  constant dropped")
    '2 sigma^2 / d; constant dropped'
    """
    out = []
    for piece in filter(None, map(str.strip, str(convention).split(";"))):
        what, times, factor = piece.partition(" x ")
        if times and what in TERM_NAMES:
            out.append(f"{what} x {parse_scaling(factor)}")
        elif piece.startswith("constant + "):
            out.append(f"constant + {parse_scaling(piece[len('constant + '):])}")
        elif FACTOR.match(piece):
            out.append(str(parse_scaling(piece)))
        elif (WEIGHT.fullmatch(piece) or piece in ("constant dropped", "constant other")
              or piece in _words()):
            out.append(piece)
        else:
            raise ValueError(f"{piece!r} is not a convention: one is a factor such as "
                             "2 sigma^2 / d, a term with its factor such as target x -1, or a "
                             "difference in the words in which a report prints it as convention=")
    return "; ".join(piece for piece in out if piece != "1") or "1"


@lru_cache(maxsize=None)
def _words() -> frozenset[str]:
    """Every structural mistake in words."""
    asked = [(objective, model) for objective in OBJECTIVES
             for model in (None, *model_names(objective))]
    return frozenset(mistake.words for objective, model in asked
                     for formula in formulas(objective, model) for mistake in formula.mistakes)
