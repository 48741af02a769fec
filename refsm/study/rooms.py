"""The page of a room: head and derivation typeset on the left, code on the right.

Every number is a link.  In an equation it leads to its derivation; there, to the line that computes
it; in the code, back to the equation.  Under each equation stand the other ways: all lines, the
statements that it names, the tests that fail when its line is wrong.
"""
from __future__ import annotations

import html
import re
from typing import Any, Callable, Collection, Iterable, Mapping

from refsm.study.code import listing
from refsm.study.worked import record
from refsm.study.heads import Equation, Room, Row, Step, paragraphs
from refsm.study.markdown import inline
from refsm.study.notation import Notation, Piece

__all__ = ["RoomPage", "page_name", "rows_of", "shell", "typeset"]

TITLES = re.compile(r"([A-Z−])(\d*)")          # in a source: an article, an initial, a series
STATEMENTS = re.compile(r"(?:statements?|theorems?) [\d, ]+\d|(?:statements?|theorems?) \d")


def page_name(name: str) -> str:
    """The file of a room's page.

    >>> page_name("energies/autoencoder")
    'room.energies.autoencoder.html'
    """
    return f"room.{name.replace('/', '.')}.html"


def shell(title: str, body: str, style: str = "", kind: str = "") -> str:
    """A whole page."""
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{html.escape(title)}</title><link rel="stylesheet" href="book.css">'
            f"{f'<style>{style}</style>' if style else ''}</head>\n"
            f'<body class="{kind}"><nav><a href="index.html">refsm</a> '
            '<a href="rooms.html">Rooms</a> <a href="names.html">Names</a> '
            '<a href="statements.html">Statements</a> <a href="map.html">Map</a> '
            '<a href="notation.html">Notation</a> <a href="demos.html">Demos</a> '
            f'<a href="exercises.html">Exercises</a></nav>\n{body}</body></html>\n')


class RoomPage:
    """The page of one room, and what could not be typeset on it."""

    def __init__(self, room: Room, modules: dict[str, str], statements: Collection[int] = (),
                 around: str = "", tests: Iterable[str] = (),
                 seen_by: Mapping[int, list[str]] = {}) -> None:
        self.room, self.modules, self.statements = room, modules, statements
        self.around, self.tests = around, list(tests)
        self.seen_by = {number: [test for test in seen if test in self.tests]
                        for number, seen in seen_by.items()}
        self.notation = Notation(room.names, room.numbers, self._link)
        self.symbols = room.symbols
        self.typeset = 0                          # equations with mathematics in them
        self.derived = {target: k for k, step in reversed(list(enumerate(room.steps)))
                        for target in step.targets}

    # -- prose and mathematics --------------------------------------------------------------------

    def _link(self, number: int) -> str:
        return f'<a href="#e{number}">({number})</a>'

    def pieces(self, text: str, equation: bool = False) -> str:
        """A line of a head as HTML."""
        return "".join(self._piece(piece, equation) for piece in self.notation.line(text, equation))

    def _piece(self, piece: Piece, equation: bool) -> str:
        body = html.escape(piece.body, quote=False)
        if piece.kind == "math":
            display = ' displaystyle="true"' if equation else ""
            return f"<math{display}>{piece.body}</math>"
        if piece.kind == "ref":
            return self._link(int(piece.body))
        if piece.kind == "gap":
            return '<span class="gap"> </span>'
        if piece.kind == "code":
            return self._code(piece.body)
        if piece.kind == "symbol":
            return f'<span class="y-{body}">{body}</span>'
        if piece.kind == "statement":
            return f'<span class="mark">{self._statement(body)}</span>'
        return body

    def _code(self, text: str) -> str:
        name = text.split("(")[0]
        target = self.modules.get(name) or self.modules.get(name.removeprefix("refsm."))
        shown = f"<code>{html.escape(text)}</code>"
        return f'<a href="{target}">{shown}</a>' if target else shown

    def _statement(self, text: str) -> str:
        def one(found: re.Match[str]) -> str:
            number = int(found.group())
            return (f'<a href="statements.html#s{number}">{number}</a>'
                    if number in self.statements else found.group())
        return re.sub(r"\d+", one, text)

    def prose(self, lines: list[str], pieces: Callable[[str], str] | None = None) -> str:
        """Paragraphs of a head: a displayed line stays a line."""
        out = []
        for paragraph in paragraphs(lines):
            shown = "<br>".join((pieces or self.pieces)(line.strip()) for line in paragraph)
            out.append(f"<p>{STATEMENTS.sub(lambda found: self._statement(found[0]), shown)}</p>")
        return "\n".join(out)

    def cited(self, text: str) -> str:
        """A line of the sources, where a single capital letter is no mathematics."""
        out = []
        for piece in self.notation.line(text):
            found = TITLES.fullmatch(re.sub(r"<[^>]*>", "", piece.body))
            if piece.kind == "math" and found:
                piece = Piece("text", " ".join(filter(None, found.groups())).replace("−", "–"))
            out.append(self._piece(piece, False))
        return "".join(out)

    # -- the head ---------------------------------------------------------------------------------

    def _symbols(self) -> str:
        out = [self._row(row) for row in self.room.rows]
        return f'<table class="symbols">{"".join(out)}</table>'

    def _row(self, row: Row) -> str:
        if not row.names:
            return f'<tr><td colspan="3">{self.pieces(row.meaning)}</td></tr>'
        names = " ".join(self._name(name, "," * (name != row.names[-1])) for name in row.names)
        shape = self.pieces(row.shape, True) if row.shape.startswith("(") else row.shape
        return f"<tr><td>{names}</td><td>{shape}</td><td>{self.pieces(row.meaning)}</td></tr>"

    def _name(self, name: str, comma: str) -> str:
        shown = self.notation.line(name, True)[0]
        body = f"<math>{shown.body}</math>" if shown.kind == "math" else name
        code = f" <code>{name}</code>" if name != re.sub(r"<[^>]*>", "", shown.body) else ""
        return f'<span class="y-{name}">{body}{code}{comma}</span>'

    def _equation(self, equation: Equation) -> str:
        number = equation.number
        if not number:
            return f'<div class="between">{self.prose(equation.lines)}</div>'
        lines = [self.pieces(line, True) for line in equation.lines]
        self.typeset += any("<math" in line for line in lines)
        at = self.room.lines_of(number)
        ways = [f'<a href="#d{number}">derivation</a>'] if number in self.derived else []
        ways += [f'<a href="#L{line}">line {line}</a>' for line in at]
        ways += [self._statement(equation.mark)] if equation.mark else []
        goal = f"#d{number}" if number in self.derived else f"#L{at[0]}" if at else f"#e{number}"
        shown = "".join(f"<div>{line}</div>" for line in lines)
        return (f'<div class="eq" id="e{number}"><a class="num" href="{goal}">({number})</a>'
                f'<div class="body">{shown}</div><div class="ways">{" · ".join(ways)}'
                f"{self._seen(number)}</div></div>")

    def _seen(self, number: int) -> str:
        """The tests that see the lines of an equation, folded."""
        seen = self.seen_by.get(number, [])
        if not seen:
            return ""
        items = "".join(f'<li><a href="#t{self.tests.index(test)}">{_sentence(test)}</a></li>'
                        for test in seen)
        many = f"{len(seen)} test{'s' if len(seen) > 1 else ''}"
        return f"<details><summary>{many}</summary><ul>{items}</ul></details>"

    def _tests(self) -> str:
        """Every test of the room, and the equations that it sees."""
        items = []
        for k, test in enumerate(self.tests):
            seen = " ".join(self._link(number) for number in sorted(self.seen_by)
                            if test in self.seen_by[number])
            items.append(f'<li id="t{k}">{_sentence(test)} {seen}</li>')
        said = ("A number behind a test: the test fails when the line of that equation computes "
                "something else, mostly 1.01 times what it should. This is measured."
                if any(self.seen_by.values()) else "")
        return (f'<h2 id="tests">Tests</h2><p>The name of a test is what it shows. {said}</p>'
                f"<ul>{''.join(items)}</ul>")

    def _step(self, k: int, step: Step) -> str:
        def number(one: int) -> str:
            mine = f' id="d{one}"' if self.derived.get(one) == k else ""
            at = self.room.lines_of(one)
            return f'<a{mine} href="#{f"L{at[0]}" if at else f"e{one}"}">({one})</a>'

        if not step.targets:
            return self.prose(step.lines)
        sources = ", ".join(self._link(one) for one in step.sources)
        targets = ", ".join(number(one) for one in step.targets)
        arrow = f"{sources} → " if sources else ""
        return (f'<div class="step"><div class="num">{arrow}{targets}</div>'
                f'<div class="body">{self.prose(step.lines)}</div></div>')

    def head(self) -> str:
        """The whole head."""
        out = [f"<h1>{self.pieces(self.room.title)}</h1>", self.around]
        for heading, lines in self.room.sections:
            if heading:
                out.append(f"<h2>{html.escape(heading)}</h2>")
            if heading == "Symbols":
                out.append(self._symbols())
            elif heading.startswith("Equations") and self.room.numbers:
                out += [self._equation(equation) for equation in self.room.equations]
            elif heading == "Derivation" and self.room.numbers:
                out += [self._step(k, step) for k, step in enumerate(self.room.steps)]
            else:
                out.append(self.prose(lines, self.cited if heading == "Sources" else None))
        out += [self._tests()] if self.tests else []
        return "\n".join(out)

    def html(self) -> str:
        """The page."""
        head = self.head()
        recorded, wrong = record(self.room) if self.room.numbers else ({}, "")
        tips = "".join(f'<p class="tip t-{row.names[0]}"><b>{", ".join(row.names)}</b> '
                       f"{row.shape} {html.escape(row.meaning)}</p>"
                       for row in self.room.rows if row.names)
        rules = "".join(
            ",".join(f"body:has(.y-{name}:hover) .t-{row.names[0]}" for name in row.names)
            + "{display:block}" for row in self.room.rows if row.names)
        verifier = self.room.name.startswith("verify/")
        example = "some cases of the verifier" if verifier else "two points, d = 2"
        numbers = page_name("study/verify_examples" if verifier else "study/examples")
        note = ("<p class='note'>A line with a triangle unfolds to the arrays that it computes in "
                f'the <a href="{numbers}">worked example</a>: {example}.</p>' if recorded else "")
        code = listing(self.room, recorded, self.notation.letters.symbol)
        body = (f'<main><article>{head}</article><section class="code" '
                f'style="counter-reset:l {self.room.code_starts - 1}">'
                f"<h2>refsm/{self.room.name}.py</h2>{note}{code}</section></main>{tips}")
        return shell(f"refsm: {self.room.name}", body, rules, "room")


def _sentence(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def typeset(text: str, notation: Notation) -> str:
    """A line of prose with its mathematics, and without links."""
    return "".join(f"<math>{piece.body}</math>" if piece.kind == "math" else
                   inline(f"`{piece.body}`") if piece.kind == "code" else
                   html.escape(piece.body, quote=False) for piece in notation.line(text))


def rows_of(cells: Iterable[Iterable[Any]]) -> str:
    """Rows of a table."""
    return "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in cells)
