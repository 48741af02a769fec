"""Directions, and what may be wrong with them in a norm, in a divergence, or in both."""
# mypy: disable-error-code="misc"
from __future__ import annotations

from typing import Any, Callable, Iterator

from refsm.typing import Array
from refsm.verify.mistakes.mistake import Mistake

__all__ = ["DIRECTIONS", "SAME", "UNIT_SEEN", "dashed", "of_directions", "with_given"]

SAME = "the same loss in expectation, with another variance"

# (kind, words, effect alone, effect on the norm alone, effect on the divergence alone); "" for the
# same loss in expectation
DIRECTIONS: tuple[tuple[str, str, str, str, str], ...] = (
    ("unit", "directions of unit length",
     "in expectation it is 1 / d of the loss, with the same minimiser; on given directions the "
     "values differ",
     "in expectation the squared norm alone weighs 1 / d: d times the score is learned",
     "in expectation the divergence alone weighs 1 / d: 1 / d times the score is learned"),
    ("sphere", "directions of length sqrt(d)", f"E[v v'] = I holds: {SAME}", "", ""),
    ("first point's", "the first point's directions at every point",
     "unbiased, but the variance does not fall to 0 in a large batch", "", ""),
    *((one, f"only the {one} direction", "unbiased, but with the variance of a single direction",
       "", "") for one in ("first", "last")),
    ("sign", "the signs of the directions in place of the directions",
     f"E[v v'] = I holds: {SAME}", "", ""),
    ("next point's", "the directions of the next point",
     "harmless where all points have independent directions", "", ""),
    ("reshaped", "the directions are read as (M, n, d), not as (n, M, d)",
     "harmless where all points have independent directions", "", ""),
    ("one", "one direction for the whole batch",
     "unbiased, but the variance does not fall to 0 in a large batch", "", ""))
UNIT_SEEN = ("ermongroup/sliced_score_matching sliced_score_matching, whose projections are "
             "normalised to length 1")


# what stands in a norm and in a divergence: symbols, and the term with directions of a kind
TERMS: dict[str, tuple[str, Callable[[Any, str], Array]]] = {
    "norm": ("(v.psi)^2 / 2", lambda q, kind: (q.along(kind)**2).mean(axis=1) / 2),
    "divergence": ("v' J v", lambda q, kind: q.curvature(q.v(kind)).mean(axis=1))}


def of_directions(role: str) -> Iterator[Mistake]:
    """A row for each kind of directions, in the norm or in the divergence alone."""
    symbols, f = TERMS[role]
    for kind, words, effect, on_norm, on_divergence in DIRECTIONS:
        own = on_norm if role == "norm" else on_divergence
        yield Mistake(f"{role}.directions-{dashed(kind)}", f"{role}: {words}",
                      f"{symbols}, v {kind}", lambda q, kind=kind: f(q, kind), own or effect,
                      same=not own)


def with_given(role: str, id: str = "", words: str = "") -> Mistake:
    """The term with the directions as they are given."""
    symbols, f = TERMS[role]
    return Mistake(id, words, symbols, lambda q: f(q, "given"), SAME if id else "", "", bool(id))


def dashed(kind: str) -> str:
    """A kind of directions as a part of an identity."""
    return kind.replace(" ", "-").replace("'s", "")
