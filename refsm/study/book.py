"""The whole book as static pages: `build(folder)` writes them, all or none.

The pages are written into a new folder beside the target, which takes its place at the end: an
interrupted build leaves what was there before.  What the working tree has and an installed package
has not (README, demos, tests) is left out where it is missing.
"""
from __future__ import annotations

import html
import pathlib
import re
import shutil
import tempfile
from typing import Any, NamedTuple

import numpy as np

import refsm
from refsm.study.chapters import CHAPTERS
from refsm.study.code import highlighted
from refsm.study.drawing import svg
from refsm.study.exercises import EXERCISES, LOSSES, seen
from refsm.study.heads import ROOT, Room, rooms
from refsm.study.markdown import inline, markdown
from refsm.study.notation import Notation
from refsm.study.public import name_pages
from refsm.study.rooms import RoomPage, page_name, rows_of, shell
from refsm.verify.api import verify

__all__ = ["Book", "Built", "build"]

STATEMENT_POINTS = 12          # of the data that the statements of the table are evaluated on


class Built(NamedTuple):
    """What a build has written: pages, bytes, equations typeset, lines that fell back to text."""

    pages: int
    size: int
    equations: int
    failed: list[str]


def build(folder: str | pathlib.Path) -> Built:
    """Write the book into a folder; OSError where that holds something else than a book."""
    target = pathlib.Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())
                            and not (target / "book.css").exists()):
        raise OSError(f"DIR must be new, empty or an earlier book, but {target} is none of these")
    target.parent.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix=".book-", dir=target.parent))
    try:
        book = Book()
        book.write(work)
        sizes = [path.stat().st_size for path in work.rglob("*") if path.is_file()]
        work.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        work.rename(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return Built(len(book.pages), sum(sizes), book.equations, book.failed)


class Book:
    """The pages of the book, made in memory."""

    def __init__(self) -> None:
        self.rooms = {room.name: room for room in rooms()
                      if room.title and not room.name.endswith("__main__")}
        self.tree = ROOT.parent
        self.tests = {path: path.read_text(encoding="utf-8")
                      for path in sorted((self.tree / "tests").rglob("test_*.py"))}
        self.demo_files = sorted((self.tree / "demos").glob("[0-9]*.py"))
        self.demos_text = {path: path.read_text(encoding="utf-8") for path in self.demo_files}
        self.public = {name: module.replace(".", "/") for module, names in refsm._NAMES.items()
                       for name in names}
        self.modules = {room.module: page_name(room.name) for room in self.rooms.values()}
        self.modules |= {f"refsm.{name}": f"name.{name}.html" for name in self.public}
        self.statements = self._statements()
        self.numbers = {statement.number for _, statement in self.statements}
        self.pages: dict[str, str] = {}
        self.equations, self.failed = 0, list[str]()

    def write(self, folder: pathlib.Path) -> None:
        """All pages into a folder."""
        self._room_pages()
        self.pages |= name_pages(self.rooms, self.public, self.demos_text, self.tests, self.tree)
        self._demo_pages(folder)
        self.pages |= {"index.html": self._index(), "rooms.html": self._rooms_page(),
                       "statements.html": self._statement_page(), "map.html": self._map(),
                       "notation.html": self._notation(), "exercises.html": self._exercises()}
        for name, page in self.pages.items():
            (folder / name).write_text(page, encoding="utf-8")
        style = pathlib.Path(__file__).with_name("book.css").read_text(encoding="utf-8")
        (folder / "book.css").write_text(style, encoding="utf-8")

    # -- rooms -----------------------------------------------------------------------------------

    def _room_pages(self) -> None:
        order = [name for chapter in CHAPTERS for name in chapter.rooms if name in self.rooms]
        for name, room in self.rooms.items():
            page = RoomPage(room, self.modules, self.numbers, self._around(name, order),
                            self._tests_of(room))
            self.pages[page_name(name)] = page.html()
            self.equations += page.typeset
            self.failed += [f"{name}: {said}" for said in page.notation.failed]

    def _around(self, name: str, order: list[str]) -> str:
        names = [f'<a href="name.{public}.html">{public}</a>'
                 for public, room in self.public.items() if room == name]
        parts = ["Public names: " + ", ".join(names)] if names else []
        if name in order:
            k = order.index(name)
            if k:
                parts.append(f'before: <a href="{page_name(order[k - 1])}">{order[k - 1]}</a>')
            if k + 1 < len(order):
                parts.append(f'next: <a href="{page_name(order[k + 1])}">{order[k + 1]}</a>')
        return f'<p class="note">{" · ".join(parts)}</p>' if parts else ""

    def _tests_of(self, room: Room) -> list[str]:
        folder, _, stem = room.name.rpartition("/")
        text = self.tests.get(self.tree / "tests" / folder / f"test_{stem}.py", "")
        return [one.replace("_", " ") for one in re.findall(r"^def test_(\w+)", text, re.M)]

    def _rooms_page(self) -> str:
        cells = [(f'<a href="{page_name(name)}">{name}</a>', inline(room.title), len(room.numbers)
                  or "") for name, room in self.rooms.items()]
        return shell("refsm: rooms", "<main><h1>Rooms</h1><p>Every file, its title, and how many "
                     "numbered equations it states.</p><div class='wide'><table>"
                     f"{rows_of(cells)}</table></div></main>")

    # -- statements ------------------------------------------------------------------------------

    def _statements(self) -> list[tuple[str, Any]]:
        data = np.random.default_rng(0).random((STATEMENT_POINTS, 3))
        made = refsm.theorems.batches(data, name="points", hidden=5)
        return [(group, statement) for group, batch in made for statement in batch]

    def _statement_page(self) -> str:
        cited: dict[int, list[str]] = {}
        for name, room in self.rooms.items():
            head = "\n".join(room.source.splitlines()[:room.code_starts])
            for found in re.findall(r"(?:statement|theorem)s? ([\d, ]+)", head):
                for number in re.findall(r"\d+", found):
                    cited.setdefault(int(number), []).append(name)
        modules = self._rooms_of_statements()
        out, group, shown = [], "", set[int]()
        for title, one in self.statements:
            if title != group:
                group = title
                out.append(f'<tr><td colspan="5"><h2>{self._typeset(title)}</h2></td></tr>')
            first = one.number not in shown
            shown.add(one.number)
            links = dict.fromkeys(modules.get(one.number, []) + cited.get(one.number, []))
            where = ", ".join(f'<a href="{page_name(name)}">{name}</a>' for name in links)
            sign = "≠" if one.how == "differs" else "="
            numbers = f"{float(one.left):.9g} {sign} {float(one.right):.9g}"
            gap = f"gap {float(one.gap):.1e}, bound {one.bound:.1e}, {one.how}"
            verdict = "holds" if one.holds else "<b>fails</b>"
            place = f' id="s{one.number}"' if first else ""
            out.append(f"<tr{place}><td>{one.number}</td><td>{self._typeset(one.name)}"
                       f"<br><small>{html.escape(one.where)}</small></td><td>{numbers}<br>"
                       f"<small>{gap}</small></td><td>{verdict}</td>"
                       f"<td>{where if first else ''}</td></tr>")
        return shell("refsm: statements", "<main><h1>Statements</h1><p>Two sides of each, computed "
                     "apart when this book was built, on twelve points. <code>refsm reproduce"
                     "</code> evaluates them on handwritten digits. The links lead to the room "
                     "that evaluates a statement and to the rooms that use it.</p>"
                     f"<div class='wide'><table>{''.join(out)}</table></div></main>")

    def _typeset(self, text: str) -> str:
        """A statement's name with its mathematics."""
        notation = Notation()
        shown = "".join(f"<math>{piece.body}</math>" if piece.kind == "math" else
                        html.escape(piece.body, quote=False) for piece in notation.line(text, True))
        self.failed += [f"statements: {said}" for said in notation.failed]
        return shown

    def _rooms_of_statements(self) -> dict[int, list[str]]:
        out: dict[int, list[str]] = {}
        for name, room in self.rooms.items():
            if name.startswith("theorems/"):
                for line in room.section("Statements") or room.sections[0][1]:
                    found = re.match(r" {4}(\d+) {2,}", line)
                    if found:
                        out.setdefault(int(found[1]), []).append(name)
        return out

    def _map(self) -> str:
        return shell("refsm: map", "<main><h1>Map of the statements</h1><p>A box is a room, a "
                     f"number a statement that joins two of them.</p>{svg(self.numbers)}</main>")

    # -- the rest ----------------------------------------------------------------------------------

    def _index(self) -> str:
        out = ["<h1>refsm: the book</h1><p>The reference implementation of score matching, for "
               "study. Each room is a file: its equations and their derivation stand beside the "
               "code that computes them, and every number is a link. A line of code with a "
               "triangle shows what it computes.</p><p>Start with "
               "<a href=\"room.energies.autoencoder.html\">the autoencoder energy</a>, "
               "or follow the chapters.</p>"]
        for k, chapter in enumerate(CHAPTERS, 1):
            items = "".join(f'<li><a href="{page_name(name)}">{name}</a>: '
                            f"{inline(self.rooms[name].title)}</li>"
                            for name in chapter.rooms if name in self.rooms)
            out.append(f"<h2>{k}. {chapter.title}</h2><p>{chapter.text}</p><ul>{items}</ul>")
        return shell("refsm: the book", f"<main>{''.join(out)}</main>")

    def _notation(self) -> str:
        readme = self.tree / "README.md"
        found = re.search(r"^## What the letters mean\n(.*?)(?=^## )",
                          readme.read_text(encoding="utf-8") if readme.exists() else "",
                          re.M | re.S)
        table = markdown(found[1]) if found else "<p>The table is in the README.</p>"
        return shell("refsm: notation", f"<main><h1>What the letters mean</h1>{table}</main>")

    def _demo_pages(self, folder: pathlib.Path) -> None:
        listed = []
        for path, text in self.demos_text.items():
            picture = path.parent / "pictures" / f"{path.stem}.png"
            figure = ""
            if picture.exists():
                shutil.copyfile(picture, folder / picture.name)
                figure = f'<p><img src="{picture.name}" alt="The picture of this demo"></p>'
            title, body = _cells(text)
            listed.append((f'<a href="demo.{path.stem}.html">{path.stem}</a>', inline(title)))
            run = f"<p class='note'>Run it with <code>python -m demos.{path.stem}</code>.</p>"
            self.pages[f"demo.{path.stem}.html"] = shell(title, f"<main>{run}{figure}{body}</main>")
        self.pages["demos.html"] = shell("refsm: demos", "<main><h1>Demos</h1><div class='wide'>"
                                         f"<table>{rows_of(listed)}</table></div></main>")

    def _exercises(self) -> str:
        out = ["<h1>Break this line: what sees it?</h1><p>Each exercise plants one mistake. Think "
               "first; the answer is what the checkers of <code>refsm.checks</code> found when "
               "this book was built.</p>"]
        for k, one in enumerate(EXERCISES, 1):
            found = seen(one)
            if found is None:
                continue
            parts = "".join(f"<li>{html.escape(what)}: {verdict}</li>" for what, verdict in found
                            if verdict != "PASS")
            right = sum(verdict == "PASS" for _, verdict in found)
            out.append(f'<div class="box"><h2>{k}. <a href="{page_name(one.room)}#e{one.number}">'
                       f"{one.room}, equation ({one.number})</a></h2><p>Instead of <code>"
                       f"{html.escape(one.right)}</code> write <code>{html.escape(one.wrong)}"
                       f"</code>. {html.escape(one.hint)}</p><details><summary>What sees it"
                       f"</summary><ul>{parts or '<li>nothing</li>'}</ul><p>{right} other checks "
                       "pass.</p></details></div>")
        out.append("<h1>Which loss is this?</h1><p>Four denoising losses; the answers are the "
                   "reports of <code>refsm.verify</code>.</p>")
        for text, hint, loss in LOSSES:
            report = verify(loss, "dsm")
            out.append(f'<div class="box"><pre>{html.escape(text)}</pre><p>{html.escape(hint)}</p>'
                       "<details><summary>The report</summary><pre>"
                       f"{html.escape(str(report))}</pre></details></div>")
        return shell("refsm: exercises", f"<main>{''.join(out)}</main>")


def _cells(text: str) -> tuple[str, str]:
    """The title and the HTML of a percent script."""
    title, out = "", []
    for cell in re.split(r"^# %%", text, flags=re.M)[1:]:
        kind, _, body = cell.partition("\n")
        if "[markdown]" in kind:
            said = re.sub(r"^# ?", "", body, flags=re.M)
            title = title or said.strip().splitlines()[0].lstrip("# ")
            out.append(markdown(said))
        elif body.strip():
            out.append("<pre>" + "\n".join(highlighted(body.strip("\n") + "\n")) + "</pre>")
    return title, "\n".join(out)
