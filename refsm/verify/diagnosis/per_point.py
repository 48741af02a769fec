"""The terms of single points, where an implementation returns them beside its value."""
from __future__ import annotations

from typing import Sequence

import numpy as np

from refsm.verify.cases import Answer, Case, per_sample
from refsm.verify.diagnosis.diagnose import Diagnosis
from refsm.verify.diagnosis.explanation import multiple
from refsm.verify.diagnosis.scaling import parse_scaling

__all__ = ["of_points"]


def of_points(cases: Sequence[Case], answers: Sequence[Answer],
              found: Diagnosis) -> tuple[str, ...]:
    """What the terms of single points say beyond their mean, which is right up to a factor."""
    given = [(case, per_sample(case), np.asarray(answer.per_sample))
             for case, answer in zip(cases, answers) if answer.per_sample is not None]
    e = found.explanation
    if not given or e is None or e.mistakes or e.changes or e.constant not in ("kept", "none"):
        return ()
    # a sum over points in the value is none in the terms
    right = [e.factor] if e.factor.is_one else [e.factor, e.factor * parse_scaling("1 / n")]
    wrong = []
    for factor in right:
        gaps = [(yours, mine * (here := factor(case.sizes)),
                 found.tolerance(abs(here) * np.abs(mine).max() * case.n))
                for case, mine, yours in given]
        wrong.append([k for k, (y, m, allowed) in enumerate(gaps)
                      if (np.abs(np.sort(y) - np.sort(m)) > allowed).any()])
        if not wrong[-1]:
            same = all((np.abs(y - m) <= allowed).all() for y, m, allowed in gaps)
            return () if same else ("the terms of the points are right, but in another order",)
    but = "the mean over points is right, but " if e.factor.is_one else ""
    times = multiple([yours for *_, yours in given], [mine for _, mine, _ in given],
                     [case.sizes for case, *_ in given], found.tolerance)
    if times is not None and times not in right:
        many = "" if times.is_one else f"{times} times "
        return (f"{but}the term of every point is {many}the reference's",)
    cases_off, factor = min(zip(wrong, right), key=lambda of: len(of[0]))
    case, mine, yours = given[cases_off[0]]
    k = np.abs(yours - factor(case.sizes) * mine).argmax()
    return (f"{but}the terms of the points are no multiple of the reference's: {case.id} has "
            f"{yours[k]:.6g} at point {k + 1}, the reference {mine[k]:.6g}",)
