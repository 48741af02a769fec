"""Where an unexplained loss is right: the sizes that its right and its wrong cases do not share."""
from __future__ import annotations

from typing import Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.diagnosis.diagnose import Diagnosis
from refsm.verify.diagnosis.scaling import Sizes

__all__ = ["deciding", "multiples", "where_right"]


def multiples(found: Diagnosis) -> Array:
    """By which number the reference comes nearest to the answers of each group, (C, 1)."""
    mine, yours = found.table.reference, found.answers                         # (C, T)
    return (mine * yours).sum(axis=1, keepdims=True) / (mine * mine).sum(axis=1, keepdims=True)


def where_right(found: Diagnosis) -> str:
    """In which groups the answers are the reference's times a number; "" for none or for all, and
    where the name says in which they are right."""
    factor = multiples(found)
    off = np.abs(found.answers - factor * found.table.reference)
    right = (off <= found.tolerance(np.abs(factor) * found.table.scale)).all(axis=1)    # (C,)
    named = deciding(found.table.sizes, np.all(found.right, axis=1))
    if right.all() or not right.any() or named is not None:
        return ""
    size = deciding(found.table.sizes, right)
    if size is not None:
        name, here, there = size
        return (f"the answers are the reference's, up to a factor, where {name} = {here}, and not "
                f"where {name} = {there}")
    ids = [case.group for case, is_right in zip(found.table.groups, right) if is_right]
    return f"the answers are the reference's, up to a factor, in the groups {', '.join(ids)} alone"


def deciding(sizes: Sequence[Sizes], right: Array) -> tuple[str, str, str] | None:
    """A size that right (C,) and wrong groups do not share, and what it is in each of the two."""
    for name in sizes[0]:
        here, there = ({group[name] for group, is_right in zip(sizes, right) if is_right == wanted}
                       for wanted in (True, False))
        if here and not here & there:
            return name, _either(here), _either(there)
    return None


def _either(numbers: set[float]) -> str:
    return " or ".join(f"{v:g}" for v in sorted(numbers))
