"""The head of a room as data: its symbols, numbered equations, steps of derivation, and the rest.

A head is a module docstring with headings at the margin (Symbols, Equations, Derivation,
Conventions, Sources) and their text four columns in.  `room` reads a file, `rooms` all of a folder.
"""
from __future__ import annotations

import ast
import pathlib
import re
import zlib
from functools import cache, cached_property
from typing import NamedTuple

import refsm
from refsm.study.recorder import tagged_statements

__all__ = ["Cited", "Equation", "Room", "Row", "Step", "ROOT", "paragraphs", "room", "rooms"]

ROOT = pathlib.Path(refsm.__file__).parent
WIDTH = 100                     # columns of a line of prose
LISTED = re.compile(r"\s*(?:\([a-z]\) |\d+ {2,}\S|\w+(?: \d+)? {3,}\S)")   # (a), 22, a row
ROW = re.compile(r"((?:[A-Za-z]\w*)(?:, ?[A-Za-z]\w*)*) {2,}(\S.*)")
ROW_OF_ONE = re.compile(r"((?:[A-Za-z]\w*)(?:, ?[A-Za-z]\w*)*) (\((?:\w+, ?)+\w*\) {2,}\S.*)")
SHAPE = re.compile(r"((?:\([^()]*\)(?:, )?)+|numbers?|int|functions?|arrays?|bool|str|dict|tuple|"
                   r"scaling)(?: +|$)(.*)", re.S)
OPENING = re.compile(r"\((\d+)\)\s*(.*)")
MARKED = re.compile(r"\s*\[(definition|result|(?:statement|theorem)s? [\d, ]+)\]\s*$")
NUMBERS = r"\(\d+\)(?:(?:, ?|-| and )\(\d+\))*"
STEP = re.compile(rf"(?:(?P<from>{NUMBERS})\s*)?->\s*(?P<to>{NUMBERS})\s*(?P<arrow>.*)"
                  rf"|(?P<of>{NUMBERS})(?:\s+(?P<text>\S.*)|$)")


class Row(NamedTuple):
    """A row of the glossary: names, shape and meaning; or, without names, a line of text."""

    names: list[str]
    shape: str
    meaning: str


class Equation(NamedTuple):
    """A numbered equation, as lines; number 0 is the text between equations."""

    number: int
    lines: list[str]
    mark: str           # definition, result, statement 16, ...


class Step(NamedTuple):
    """A step (3) -> (6) of the derivation; without numbers, a paragraph."""

    sources: list[int]
    targets: list[int]
    lines: list[str]


class Cited(NamedTuple):
    """A line of code whose comment cites numbers."""

    line: int
    numbers: list[int]


def _numbers(text: str | None) -> list[int]:
    """The numbers of `(3), (5)-(7)`."""
    out: list[int] = []
    for first, last in re.findall(r"\((\d+)\)(?:-\((\d+)\))?", text or ""):
        out += range(int(first), int(last or first) + 1)
    return out


class Room:
    """A file of the package: head, code, and where each number is cited."""

    def __init__(self, path: pathlib.Path, root: pathlib.Path = ROOT) -> None:
        self.path, self.name = path, str(path.relative_to(root).with_suffix("")).replace("\\", "/")
        self.source = path.read_text(encoding="utf-8")
        tree = ast.parse(self.source)
        self.tree = tree
        doc = ast.get_docstring(tree, clean=False) or ""
        self.code_starts = (tree.body[0].end_lineno or 0) + 1 if doc else 1
        lines = doc.splitlines() or [""]
        self.title = lines[0].strip()
        self.sections = _sections(lines[1:])

    @property
    def module(self) -> str:
        """The dotted name."""
        parts = ["refsm", *self.name.split("/")]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def section(self, heading: str) -> list[str]:
        """The lines of the section whose heading begins like this."""
        return next((lines for name, lines in self.sections if name.startswith(heading)), [])

    @cached_property
    def rows(self) -> list[Row]:
        """The glossary."""
        return [_row(entry) for entry in _entries(self.section("Symbols"))]

    @cached_property
    def symbols(self) -> dict[str, Row]:
        """{name: its row}."""
        return {name: row for row in self.rows for name in row.names}

    @property
    def names(self) -> set[str]:
        """The names that are mathematics in this head: the glossary and the module's constants."""
        constants = {target.id for node in self.tree.body if isinstance(node, ast.Assign)
                     for target in node.targets if isinstance(target, ast.Name)}
        return set(self.symbols) | {name for name in constants if name.isupper()}

    @cached_property
    def equations(self) -> list[Equation]:
        """The equations in order, with the lines between them."""
        return _equations(self.section("Equations"))

    @property
    def numbers(self) -> list[int]:
        """The numbers of the equations."""
        return [equation.number for equation in self.equations if equation.number]

    @cached_property
    def steps(self) -> list[Step]:
        """The derivation."""
        return [_step(entry) for entry in _entries(self.section("Derivation"), opens=STEP)]

    @cached_property
    def cited(self) -> list[Cited]:
        """The lines of code that cite equations behind them."""
        out = []
        for k, line in enumerate(self.source.splitlines(), 1):
            comment = re.search(r"\S.*#(.*)", line)
            found = _numbers(comment.group(1)) if k >= self.code_starts and comment else []
            numbers = [number for number in found if number in self.numbers]
            if numbers:
                out.append(Cited(k, numbers))
        return out

    def lines_of(self, number: int) -> list[int]:
        """The first lines of the statements that compute an equation."""
        return list(dict.fromkeys(self.starts.get(cited.line, cited.line)
                                  for cited in self.cited if number in cited.numbers))

    def fingerprint(self, number: int) -> str:
        """Of the lines that cite an equation: as long as it is the same, so are they."""
        lines = self.source.splitlines()
        cited = [lines[one.line - 1].strip() for one in self.cited if number in one.numbers]
        return f"{zlib.crc32(chr(10).join(cited).encode()):08x}"

    @cached_property
    def starts(self) -> dict[int, int]:
        """{line that cites a number: the first line of its statement}, where it is the only one."""
        lines = [cited.line for cited in self.cited]
        return {line: first for (first, last), _ in tagged_statements(self.source, True).items()
                if len(inside := [line for line in lines if first <= line <= last]) == 1
                for line in inside}


def room(name: str) -> Room:
    """The room of that name: `energies/autoencoder`, `autoencoder` or `refsm.energies.autoencoder`.

    >>> room("autoencoder").numbers[-1]
    16
    """
    wanted = name.removeprefix("refsm.").removesuffix(".py").replace(".", "/")
    paths = [path for path in _paths() if _called(path).endswith("/" + wanted)]
    exact = [path for path in paths if _called(path) == "/" + wanted]
    if len(exact or paths) != 1:
        which = ", ".join(_called(path)[1:] for path in paths)
        said = (f"{len(paths)}: it may be {which}" if paths else
                "none: `refsm study` lists those of the chapters")
        raise ValueError(f"ROOM must name one room, but {name!r} names {said}")
    return Room((exact or paths)[0])


@cache
def rooms() -> tuple[Room, ...]:
    """Every file of the package that has a docstring, in the order of their names; read once."""
    return tuple(Room(path) for path in _paths())


def _paths() -> list[pathlib.Path]:
    return sorted(path for path in ROOT.rglob("*.py")
                  if not {"templates", "__pycache__"} & set(path.parts)
                  and not path.name.startswith(("test_", "conftest")))


def _called(path: pathlib.Path) -> str:
    return "/" + path.relative_to(ROOT).with_suffix("").as_posix()


def paragraphs(lines: list[str]) -> list[list[str]]:
    """Lines of prose as paragraphs of displayed lines: a line that was only wrapped is joined.

    A line was wrapped if the first word of the next one had no room on it.  A label, `(a)` or a
    number in a margin, and the first word of a table's row begin a line.
    """
    out: list[list[str]] = [[]]
    last = 0
    for line in lines:
        if not line.strip():
            out.append([])
            continue
        word = len(line.split()[0])
        before = out[-1][-1] if out[-1] else ""
        listed = LISTED.match(line) or re.search(r":  |:$", before) or ":  " in line
        if before and not listed and last + 1 + word > WIDTH - 5:
            out[-1][-1] += " " + line.strip()
        else:
            out[-1].append(line.rstrip())
        last = len(line.rstrip())
    return [paragraph for paragraph in out if paragraph]


def _sections(lines: list[str]) -> list[tuple[str, list[str]]]:
    """[(heading, its lines)]; what stands before the first heading is the section ''."""
    out: list[tuple[str, list[str]]] = [("", [])]
    for k, line in enumerate(lines):
        indented = k + 1 < len(lines) and lines[k + 1].startswith("    ")
        if line and not line.startswith(" ") and len(line) < 80 and indented \
                and not line.rstrip().endswith((":", ".")):
            out.append((line.strip(), []))
        else:
            out[-1][1].append(line)
    return out


def _entries(lines: list[str], opens: re.Pattern[str] | None = None) -> list[list[str]]:
    """Lines grouped into entries: those further in belong to the line at four columns above."""
    out: list[list[str]] = []
    for line in lines:
        if not line.strip():
            if out and out[-1]:
                out.append([])
        elif line.startswith("     ") and out and out[-1]:
            out[-1].append(line)
        elif out and out[-1] and opens and not opens.match(line.strip()) \
                and not opens.match(out[-1][0].strip()) and not re.match(r" {5}", out[-1][-1]):
            out[-1].append(line)
        else:
            out.append([line])
    return [entry for entry in out if entry]


def _row(entry: list[str]) -> Row:
    found = ROW.fullmatch(entry[0].strip()) or ROW_OF_ONE.fullmatch(entry[0].strip())
    rest = " ".join(line.strip() for line in entry[1:])
    if not found:
        return Row([], "", " ".join(line.strip() for line in entry))
    names = re.split(r", ?", found.group(1))
    shape = SHAPE.fullmatch(found.group(2).strip())
    if shape:
        return Row(names, shape.group(1).strip().rstrip(","), f"{shape.group(2)} {rest}".strip())
    return Row(names, "", f"{found.group(2).strip()} {rest}".strip())


def _equations(lines: list[str]) -> list[Equation]:
    out: list[Equation] = []
    for line in lines:
        opening = OPENING.match(line.strip())
        if line.startswith("    (") and opening:
            out.append(Equation(int(opening.group(1)), [opening.group(2)], ""))
        elif out and not out[-1].number or line.startswith("      ") and out:
            out[-1].lines.append(line)
        elif line.strip():
            out.append(Equation(0, [line], ""))
    return [_marked(equation) if equation.number else equation for equation in out]


def _marked(equation: Equation) -> Equation:
    """The mark at the end of a line, [result], out of the line."""
    mark, lines = "", list[str]()
    for line in equation.lines:
        found = MARKED.search(line)
        mark = found.group(1) if found else mark
        line = MARKED.sub("", line) if found else line
        if line.strip():
            open_before = bool(lines) and _depth(lines[-1]) > 0
            if open_before or lines and line.lstrip().startswith(("+ ", "- ", "= ")):
                lines[-1] += " " + line.strip()
            else:
                lines.append(line.strip())
    return equation._replace(lines=lines, mark=mark)


def _depth(text: str) -> int:
    return sum(text.count(one) for one in "([{") - sum(text.count(one) for one in ")]}")


def _step(entry: list[str]) -> Step:
    found = STEP.fullmatch(entry[0].strip())
    if not found:
        return Step([], [], entry)
    text = found["arrow"] if found["to"] else found["text"]
    start = " " * (len(entry[0].rstrip()) - len(text or ""))
    lines = [start + text] if text else []
    sources, targets = _numbers(found["from"]), _numbers(found["to"] or found["of"])
    return Step(sources, targets, lines + entry[1:])
