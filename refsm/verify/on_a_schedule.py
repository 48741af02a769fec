"""Whether a loss that differs is right on a schedule, as code for diffusions has one."""
from __future__ import annotations

from dataclasses import replace
from typing import Callable

import numpy as np

from refsm.verify.cases.levels import SCHEDULES
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.report.report import Report

__all__ = ["on_a_schedule"]

NOTE = "code whose levels have {} is for --family {}: there the verdict is {}, {}"


def on_a_schedule(report: Report, ask: Callable[[str, str], Report]) -> Report:
    """The report, with a note where the family of a schedule gives a better one; `ask` has the one
    of a family and a search of `diagnose`, of which the first is quick."""
    differs = (report.verdict in ("MISMATCH", "UNEXPLAINED") and report.rows        # in its values
               or report.verdict == "BROKEN" and "must be finite" in report.name)
    if differs and "alpha" in OBJECTIVES[report.objective].given:
        for family, (words, _) in SCHEDULES.items():
            with np.errstate(all="ignore"):            # sigma may be 0 for the code
                better = all((there := ask(family, search)).verdict in ("PASS", "CONVENTION")
                             for search in ("weights", "known"))
            if better:
                note = NOTE.format(words, family, there.verdict, there.name)
                return replace(report, notes=(*report.notes, note))
    return report
