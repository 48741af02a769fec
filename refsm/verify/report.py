"""The report: what a person in a hurry reads first, and what a machine can parse.

    verdict        what it means                                                            exit status
    PASS           every answer is the reference's, to rounding                             0
    CONVENTION     a positive factor, or a constant: the same minimisers                    0 if declared, else 1
    MISMATCH       another function; `name` says which                                      1 (0 if declared)
    UNEXPLAINED    another function, and nothing that is known explains it                  1
    BROKEN         the implementation gave no answers                                       2
    INCONCLUSIVE   the answers cannot decide                                                3
"""
from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Report", "Row", "VERDICTS"]

VERDICTS = ("PASS", "CONVENTION", "MISMATCH", "UNEXPLAINED", "INCONCLUSIVE", "BROKEN")
WIDTH = 100


@dataclass(frozen=True)
class Row:
    """One term of the smallest case: its value in the reference, in the implementation, and the law between them."""

    term: str
    reference: float | None
    yours: float | None
    law: str


@dataclass(frozen=True)
class Report:
    """What `refsm.verify` found.  `str(report)` is for a person, `to_json()` for a machine.

    >>> report = Report("PASS", "dsm", "every answer is the reference's")
    >>> report.exit_status
    0
    """

    verdict: str
    objective: str
    name: str
    law: str = "1"                                 # what every term was multiplied by; "1" where that is nothing
    convention: str = ""                           # the line to paste as convention=, where the difference is meant
    declared: str | None = None                    # the convention that was declared
    conforms: bool = False                         # whether it is the reference, or what was declared, or a known failure
    rows: tuple[Row, ...] = ()
    consequences: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    not_the_problem: tuple[str, ...] = ()
    cannot_tell: tuple[str, ...] = ()
    gradient: tuple[str, ...] = ()                 # what is wrong with the gradient, one sentence each
    failing: tuple[str, ...] = ()                  # the cases that do not match, smallest first
    case: dict[str, Any] = field(default_factory=dict)     # the smallest failing case: id, sizes, reference, yours
    cases: int = 0
    model: str | None = None
    precision: str = ""
    resolution: float | None = None                # the smallest relative error of one coefficient that would have been seen
    runner_up: str = ""
    notes: tuple[str, ...] = ()
    reproduce: str = ""
    status: int | None = None

    @property
    def exit_status(self) -> int:
        """0 conforms, 1 mismatch, 2 the adapter is broken, 3 inconclusive."""
        if self.status is not None:
            return self.status
        if self.conforms or self.verdict == "PASS":
            return 0
        return {"BROKEN": 2, "INCONCLUSIVE": 3}.get(self.verdict, 1)

    def to_json(self) -> str:
        """Every field and the exit status, as one JSON object."""
        return json.dumps({**asdict(self), "exit_status": self.exit_status}, indent=1)

    def __bool__(self) -> bool:
        return self.exit_status == 0

    def __str__(self) -> str:
        lines = _wrapped(f"{'KNOWN FAILURE, ' if self.conforms and self.failing else ''}{self.verdict}  {self.objective}: {self.name}", "", "    ")
        if self.cases:
            what = "given arrays" if self.model is None else f"the {self.model} model"
            lines += _wrapped(f"{self.cases} cases of {what}, answers in {self.precision or 'float64'}", "  ")
        if self.declared is not None:
            lines += _wrapped(f"declared: {self.declared}" + ("" if self.conforms else f"; found: {self.convention or 'something else'}"), "  ")
        if self.rows:
            lines += ["", *self._table()]
        sections = (("gradient", self.gradient), ("what it does to training", self.consequences), ("seen before", self.seen),
                    ("not the problem", self.not_the_problem), ("cannot be told apart", self.cannot_tell), ("note", self.notes))
        for title, texts in sections:
            if texts:
                lines += ["", f"  {title}"]
                lines += [line for text in texts for line in _wrapped(text, "    ")]
        if self.case:
            lines += ["", "  smallest failing case"]
            sizes = ", ".join(f"{name} = {value}" for name, value in self.case["sizes"].items())
            lines += _wrapped(f"{self.case['id']} ({sizes}): reference {_number(self.case['reference'])}, yours {_number(self.case['yours'])}", "    ")
        if self.resolution is not None and self.verdict == "PASS":
            lines += ["", *_wrapped(f"an error of {self.resolution:.1g} in the coefficient of any term would have been seen", "  ")]
        if self.reproduce and self.verdict != "PASS":
            lines += ["", "  reproduce", *(f"    {line}" for line in self.reproduce.splitlines())]
        if self.convention and not self.conforms and self.verdict in ("CONVENTION", "MISMATCH") and not self.gradient:
            lines += ["", "  if it is meant", *_wrapped(f'convention="{self.convention}"', "    ")]
        if self.runner_up:
            lines += ["", *_wrapped(self.runner_up, "  ")]
        return "\n".join(lines)

    def _table(self) -> list[str]:
        wide = min(max(len(row.term) for row in self.rows), 44)
        lines = [f"  {'term':{wide}}  {'reference':>13}  {'yours':>13}  law"]
        for row in self.rows:
            term = row.term if len(row.term) <= wide else row.term[:wide - 3] + "..."
            law = row.law if len(row.law) <= WIDTH - wide - 36 else row.law[:WIDTH - wide - 39] + "..."
            lines.append(f"  {term:{wide}}  {_number(row.reference):>13}  {_number(row.yours):>13}  {law}".rstrip())
        return lines


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.7g}"


def _wrapped(text: str, indent: str, more: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + more, break_long_words=True, break_on_hyphens=False)
