"""Where an unexplained loss is right: the sizes that its right and its wrong cases do not share."""
from __future__ import annotations

import numpy as np

from refsm.verify.diagnosis.diagnose import Diagnosis

__all__ = ["where_right"]


def where_right(found: Diagnosis) -> str:
    """In which groups the answers are the reference's times a number; "" for none or for all."""
    Y, reference = found.answers, found.table.reference                        # (C, T)
    factor = (Y * reference).sum(axis=1, keepdims=True) / (reference**2).sum(axis=1, keepdims=True)
    off = np.abs(Y - factor * reference)
    right = (off <= found.tolerance(np.abs(factor) * found.table.scale)).all(axis=1)    # (C,)
    if right.all() or not right.any():
        return ""
    for name in found.table.sizes[0]:
        here, there = ({size[name] for size, is_right in zip(found.table.sizes, right)
                        if is_right == wanted} for wanted in (True, False))
        if not here & there:
            return ("the answers are the reference's, up to a factor, where "
                    f"{_one_of(name, here)}, and not where {_one_of(name, there)}")
    ids = [case.group for case, is_right in zip(found.table.groups, right) if is_right]
    return f"the answers are the reference's, up to a factor, in the groups {', '.join(ids)} alone"


def _one_of(name: str, values: set[float]) -> str:
    return f"{name} = {' or '.join(f'{value:g}' for value in sorted(values))}"
