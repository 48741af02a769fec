"""Whether a loss that differs is right where alpha gives sigma, as code for diffusions has it."""
from __future__ import annotations

from dataclasses import replace
from typing import Callable

from refsm.verify.cases.levels import SCHEDULES
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.report.report import Report

__all__ = ["on_a_schedule"]

NOTE = ("code that computes sigma from alpha, or both from a time, is for --family {}: there the "
        "verdict is {}, {}")


def on_a_schedule(report: Report, ask: Callable[[str], Report]) -> Report:
    """The report, with a note where the family of a schedule gives a better one."""
    if report.verdict in ("MISMATCH", "UNEXPLAINED") and "alpha" in OBJECTIVES[
            report.objective].given:
        for family in SCHEDULES:
            there = ask(family)
            if there.verdict in ("PASS", "CONVENTION"):
                note = NOTE.format(family, there.verdict, there.name)
                return replace(report, notes=(*report.notes, note))
    return report
