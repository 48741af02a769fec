"""The page of the statements: what each says, its two sides as numbers, and where it is used."""
from __future__ import annotations

import html
import re
from collections import defaultdict
from typing import Any

import numpy as np

import refsm
from refsm.study.heads import Room
from refsm.study.notation import Notation
from refsm.study.rooms import RoomPage, page_name, rows_of, shell

__all__ = ["Statements"]

POINTS = 12                    # of the data that the statements are evaluated on
NUMBERED = re.compile(r" {4}(\d+) {2,}(?=\S)")
CITED = re.compile(r"(?:statement|theorem)s? (\d+(?:(?:, | and | to )\d+)*)")


class Statements:
    """The statements, evaluated, and the rooms that state and use them."""

    def __init__(self, rooms: dict[str, Room], modules: dict[str, str]) -> None:
        self.rooms, self.modules = rooms, modules
        data = np.random.default_rng(0).random((POINTS, 3))
        self.rows: dict[int, list[Any]] = defaultdict(list)
        for _, batch in refsm.theorems.batches(data, name="points", hidden=5):
            for statement in batch:
                self.rows[statement.number].append(statement)
        self.numbers = set(self.rows)
        self.failed: list[str] = []                  # what could not be typeset

    def page(self) -> str:
        """The page: a row of numbers, and a section for each statement."""
        said, cited = self._said(), self._cited()
        index = " ".join(f'<a href="#s{k}">{k}</a>' for k in sorted(self.rows))
        parts = [self._section(k, said.get(k, []), cited[k]) for k in sorted(self.rows)]
        return shell("refsm: statements", "<main><h1>Statements</h1><p>Two sides of each, computed "
                     "apart when this book was built, on twelve points; the gap between them, and "
                     "the bound that it must keep. <code>refsm reproduce</code> evaluates them on "
                     f"handwritten digits.</p><p class='index'>{index}</p>{''.join(parts)}</main>")

    def _section(self, number: int, said: list[tuple[str, list[str]]], cited: list[str]) -> str:
        out = [f'<section class="box" id="s{number}">'
               f'<h2><a href="#s{number}">Statement {number}</a></h2>']
        for name, lines in said:
            page = RoomPage(self.rooms[name], self.modules, self.numbers - {number})
            out.append(page.prose(lines))
            self.failed += [f"{name}: not typeset: {one}" for one in page.notation.failed]
        stated = [f'<a href="{page_name(name)}">{name}</a>' for name, _ in said]
        ways = [f"derived and evaluated in {', '.join(stated)}"] if stated else []
        ways += [f"used in {', '.join(cited)}"] if cited else []
        out.append(f"<p class='note'>{' · '.join(ways)}</p>")
        rows = self.rows[number]
        held = sum(bool(one.holds) for one in rows)
        said_of = "it holds" if len(rows) == held == 1 else (
            "all hold" if held == len(rows) else f"<b>{len(rows) - held} fail</b>")
        many = f"{len(rows)} evaluation{'s' if len(rows) > 1 else ''}, {said_of}"
        table = rows_of(self._row(one) for one in rows)
        head = rows_of([("", "two sides", "gap", "bound", "")])
        one = f"{_sides(rows[0])}, gap {float(rows[0].gap):.1e}, bound {rows[0].bound:.1e}"
        out.append(f"<details><summary>{one} <small>· {many}</small></summary>"
                   f"<div class='wide'><table class='sides'>{head}{table}</table></div></details>")
        return "".join([*out, "</section>\n"])

    def _row(self, one: Any) -> tuple[str, ...]:
        return (f"{self._typeset(one.name)}<br><small>{html.escape(one.where)}</small>",
                _sides(one), f"{float(one.gap):.1e}", f"{one.bound:.1e}",
                f"{one.how}{'' if one.holds else ', <b>fails</b>'}")

    def _typeset(self, text: str) -> str:
        """A statement's name with its mathematics."""
        notation = Notation()
        shown = "".join(f"<math>{piece.body}</math>" if piece.kind == "math" else
                        html.escape(piece.body, quote=False) for piece in notation.line(text, True))
        self.failed += [f"statements: not typeset: {said}" for said in notation.failed]
        return shown

    def _said(self) -> dict[int, list[tuple[str, list[str]]]]:
        """{number: [(room, the lines of its head that state it)]}."""
        out: dict[int, list[tuple[str, list[str]]]] = defaultdict(list)
        for name, room in self.rooms.items():
            lines = room.section("Statements") or room.sections[0][1]
            number = 0
            for line in lines if name.startswith("theorems/") else []:
                found = NUMBERED.match(line)
                if found:
                    number = int(found[1])
                    out[number].append((name, [" " * found.end() + line[found.end():]]))
                elif line.startswith(" ") and number:
                    out[number][-1][1].append(line)
                elif line.strip():
                    number = 0
        return out

    def _cited(self) -> dict[int, list[str]]:
        """{number: links to the equations that are marked with it, or else to rooms that name it}.
        """
        out: dict[int, list[str]] = defaultdict(list)
        for name, room in self.rooms.items():
            if name.startswith("theorems/") or name.endswith("__init__"):
                continue
            marked: dict[int, list[int]] = defaultdict(list)
            for equation in room.equations:
                for number in _numbers(equation.mark):
                    marked[number].append(equation.number)
            head = "\n".join(room.source.splitlines()[:room.code_starts])
            named = {number for found in CITED.findall(head) for number in _numbers(found)}
            for number in sorted(named | set(marked)):
                links = [f'<a href="{page_name(name)}#e{k}">({k})</a>' for k in marked[number]]
                out[number].append(" ".join([f'<a href="{page_name(name)}">{name}</a>', *links]))
        return out


def _numbers(text: str) -> list[int]:
    """The numbers of `statements 3, 5 to 7`.

    >>> _numbers("statements 3, 5 to 7")
    [3, 5, 6, 7]
    """
    out: list[int] = []
    for first, last in re.findall(r"(\d+)(?: to (\d+))?", text):
        out += range(int(first), int(last or first) + 1)
    return out


def _sides(one: Any) -> str:
    sign = "≠" if one.how == "differs" else "="
    return f"{float(one.left):.9g} {sign} {float(one.right):.9g}"
