"""Cases that are too few for a regression: their answers are compared with the reference's."""
from __future__ import annotations

from collections import Counter
from typing import Sequence

from refsm.verify.cases import value
from refsm.verify.cases.case import Case
from refsm.verify.diagnosis.precision import FLOAT32, FLOAT64
from refsm.verify.report.report import Report

__all__ = ["enough", "few_cases"]


def enough(cases: Sequence[Case]) -> bool:
    """Whether all are of one model and family, and one group has more thetas than a loss has
    terms."""
    groups = Counter(case.group for case in cases)
    return max(groups.values()) >= 5 and len({(case.model, case.family) for case in cases}) == 1


def few_cases(cases: Sequence[Case], values: Sequence[float], dtypes: Sequence[str],
              notes: tuple[str, ...], reproduce: str) -> Report:
    """A comparison of numbers, where the cases are too few for more."""
    tolerance = FLOAT64 if "float64" in dtypes else FLOAT32
    compared = [(case, value(case), yours) for case, yours in zip(cases, values)]
    off = [(case, mine, yours) for case, mine, yours in compared
           if abs(mine - yours) > tolerance(1 + abs(mine))]
    first, count = cases[0], len(cases)
    if not off:
        few = ("these cases are few or mixed: what they cannot tell apart passes; the family prime "
               "tells it apart")
        return Report("PASS", first.objective, f"all {count} answers are the reference's",
                      cases=count, model=first.model, precision=tolerance.name, notes=(few, *notes))
    case, mine, yours = off[0]
    return Report(
        "UNEXPLAINED", first.objective, f"{len(off)} of {count} answers differ; these cases are "
        "too few or mixed to say how (the family prime does)",
        failing=tuple(case.id for case, *_ in off),
        cases=count, model=case.model, precision=tolerance.name, reproduce=reproduce, notes=notes,
        case={"id": case.id, "sizes": case.sizes, "reference": mine, "yours": yours})
