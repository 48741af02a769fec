"""The report: what a person in a hurry reads first, and what a machine can parse.

    verdict        what it means                                              exit status
    PASS           every answer is the reference's, to rounding               0
    CONVENTION     a positive factor or a constant, with the same minimisers  0 if declared, else 1
                   at every level; or another function that is declared       0
    MISMATCH       another function; `name` says which                        1
    UNEXPLAINED    another function, and nothing that is known explains it    1
    BROKEN         the implementation gave no answers                         2
    INCONCLUSIVE   the answers cannot decide                                  3

The exit status is 0, too, where every failing case is a known failure.
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
    """One term of the smallest case: the reference's value, yours, and the factor between them."""

    term: str
    reference: float | None
    yours: float | None
    factor: str


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
    factor: str = "1"                        # what every term was multiplied by
    convention: str = ""                     # for convention=, where the difference is meant
    declared: str | None = None              # the convention that was declared
    conforms: bool = False                   # the reference, what was declared, or a known failure
    rows: tuple[Row, ...] = ()
    consequences: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    not_the_problem: tuple[str, ...] = ()
    cannot_tell: tuple[str, ...] = ()
    per_sample: tuple[str, ...] = ()         # what is wrong with the terms of single points
    gradient: tuple[str, ...] = ()           # what is wrong with the gradient, one sentence each
    failing: tuple[str, ...] = ()            # the cases that do not match, in their order
    case: dict[str, Any] = field(default_factory=dict)   # the smallest: id, sizes, reference, yours
    cases: int = 0
    model: str | None = None
    precision: str = ""
    resolution: float | None = None          # the smallest relative error of one coefficient seen
    runner_up: str = ""
    notes: tuple[str, ...] = ()
    reproduce: str = ""

    @property
    def exit_status(self) -> int:
        """0 conforms, 1 mismatch, 2 the adapter is broken, 3 inconclusive."""
        if self.conforms or self.verdict == "PASS":
            return 0
        return {"BROKEN": 2, "INCONCLUSIVE": 3}.get(self.verdict, 1)

    def to_json(self) -> str:
        """Every field and the exit status, as one JSON object."""
        return json.dumps({**asdict(self), "exit_status": self.exit_status}, indent=1)

    def __bool__(self) -> bool:
        return self.exit_status == 0

    def __str__(self) -> str:
        known = "KNOWN FAILURE, " if self.conforms and self.failing else ""
        lines = _wrapped(f"{known}{self.verdict}  {self.objective}: {self.name}", "", "    ")
        lines += self._opening()
        if self.rows:
            lines += ["", *self._table()]
        for title, texts in (("gradient", self.gradient),
                             ("what it does to training", self.consequences),
                             ("seen before", self.seen), ("not the problem", self.not_the_problem),
                             ("cannot be told apart", self.cannot_tell), ("note", self.notes)):
            if texts:
                lines += ["", f"  {title}"]
                lines += [line for text in texts for line in _wrapped(text, "    ")]
        return "\n".join([*lines, *self._closing()])

    def _opening(self) -> list[str]:
        lines = []
        if self.cases:
            own = {None: "given arrays", "network": "your network"}
            what = own.get(self.model, f"the {self.model} model")
            precision = self.precision or "float64"
            lines += _wrapped(f"{self.cases} cases of {what}, answers in {precision}", "  ")
        if self.declared is not None:
            as_found = self.conforms or self.declared == self.convention
            found = "" if as_found else f"; found: {self.convention or 'something else'}"
            lines += _wrapped(f"declared: {self.declared}{found}", "  ")
        return lines

    def _table(self) -> list[str]:
        wide = min(max(len(row.term) for row in self.rows), 44)
        lines = [f"  {'term':{wide}}  {'reference':>13}  {'yours':>13}  factor"]
        for row in self.rows:
            term, factor = _cut(row.term, wide), _cut(row.factor, WIDTH - wide - 34)
            numbers = f"{_number(row.reference):>13}  {_number(row.yours):>13}"
            lines.append(f"  {term:{wide}}  {numbers}  {factor}".rstrip())
        return lines

    def _closing(self) -> list[str]:
        lines = []
        if self.case:
            sizes = ", ".join(f"{name} = {value}" for name, value in self.case["sizes"].items())
            numbers = (f"reference {_number(self.case['reference'])}, "
                       f"yours {_number(self.case['yours'])}")
            lines += ["", "  smallest failing case",
                      *_wrapped(f"{self.case['id']} ({sizes}): {numbers}", "    ")]
        if self.resolution is not None and self.verdict == "PASS":
            seen = (f"an error of {self.resolution:.1g} in the coefficient of any term would have "
                    "been seen")
            lines += ["", *_wrapped(seen, "  ")]
        if self.reproduce and self.verdict != "PASS":
            lines += ["", "  reproduce", *(f"    {line}" for line in self.reproduce.splitlines())]
        if (self.convention not in ("", "1") and not self.conforms and not self.per_sample
                and not self.gradient and self.verdict in ("CONVENTION", "MISMATCH")):
            lines += ["", "  if it is meant",
                      *_wrapped(f'convention="{self.convention}"', "    ")]
        if self.runner_up:
            lines += ["", *_wrapped(self.runner_up, "  ")]
        return lines


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[:width - 3] + "..."


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.7g}"


def _wrapped(text: str, indent: str, more: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + more,
                         break_long_words=True, break_on_hyphens=False)
