"""The whole book as static pages: `build(folder)` writes them, all or none.

The pages are written into a new folder beside the target, which takes its place at the end: an
interrupted build leaves what was there before.  What the working tree has and an installed package
has not (README, demos, tests) is left out where it is missing.
"""
from __future__ import annotations

import pathlib
import re
import shutil
import tempfile
from collections import defaultdict
from typing import Callable, NamedTuple

import refsm
from refsm.study.chapters import CHAPTERS
from refsm.study.demos import Demo, demo_page, run, title_of
from refsm.study.drawing import svg
from refsm.study.exercises import exercises_page
from refsm.study.heads import ROOT, rooms
from refsm.study.markdown import inline, markdown
from refsm.study.notation import Notation
from refsm.study.public import name_pages
from refsm.study.rooms import RoomPage, page_name, rows_of, shell, typeset
from refsm.study.statements import Statements

__all__ = ["Book", "Built", "build"]


class Built(NamedTuple):
    """What a build has written: pages, bytes, equations typeset, and what could not be shown: lines
    that fell back to text, demos that failed."""

    pages: int
    size: int
    equations: int
    failed: list[str]


def build(folder: str | pathlib.Path, run_demos: bool = False,
          say: Callable[[str], None] = lambda line: None) -> Built:
    """Write the book into a folder; OSError where that holds something else than a book.

    With `run_demos` every demo is run, which takes some minutes, and its page has what it printed;
    `say` is called with a line before each.
    """
    target = pathlib.Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())
                            and not (target / "book.css").exists()):
        raise OSError(f"DIR must be new, empty or an earlier book, but {target} is none of these")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = pathlib.Path(tempfile.mkdtemp(prefix=".book-", dir=target.parent))
    except OSError as error:
        raise OSError(f"DIR must be a folder that can be made, but {target}: {error.strerror}"
                      ) from None
    new, old = work / "new", work / "old"
    try:
        new.mkdir()
        book = Book()
        book.write(new, run_demos, say)
        sizes = [path.stat().st_size for path in new.rglob("*") if path.is_file()]
        if target.exists():
            target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
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
        self.statements = Statements(self.rooms, self.modules)
        self.pages: dict[str, str] = {}
        self.equations, self.failed = 0, list[str]()

    def write(self, folder: pathlib.Path, run_demos: bool, say: Callable[[str], None]) -> None:
        """All pages into a folder."""
        self._room_pages()
        self.pages |= name_pages(self.rooms, self.public, self.demos_text, self.tests, self.tree)
        self._demo_pages(folder, run_demos, say)
        self.pages |= {"index.html": self._index(), "rooms.html": self._rooms_page(),
                       "statements.html": self.statements.page(), "map.html": self._map(),
                       "notation.html": self._notation(), "exercises.html": exercises_page()}
        self.failed += self.statements.failed
        for name, page in self.pages.items():
            (folder / name).write_text(page, encoding="utf-8")
        style = pathlib.Path(__file__).with_name("book.css").read_text(encoding="utf-8")
        (folder / "book.css").write_text(style, encoding="utf-8")

    # -- rooms -----------------------------------------------------------------------------------

    def _room_pages(self) -> None:
        order = [name for chapter in CHAPTERS for name in chapter.rooms if name in self.rooms]
        measured = self._measured()
        for name, room in self.rooms.items():
            page = RoomPage(room, self.modules, self.statements.numbers, self._around(name, order),
                            self._tests_of(name, measured[name][0]), measured[name][1])
            self.pages[page_name(name)] = page.html()
            self.equations += page.typeset
            self.failed += [f"{name}: not typeset: {said}" for said in page.notation.failed]

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

    def _tests_of(self, name: str, of: str = "") -> list[str]:
        """The names of the tests of a room, from its own module of tests or another."""
        folder, _, stem = name.rpartition("/")
        path = self.tree / "tests" / (of or pathlib.PurePath(folder, f"test_{stem}.py"))
        return re.findall(r"^def (test_\w+)", self.tests.get(path, ""), re.M)

    def _measured(self) -> dict[str, tuple[str, dict[int, list[str]]]]:
        """{room: (module, {number: its tests that fail when the line of the number is wrong})}.

        A line that is not the one that was measured is left out.
        """
        out: dict[str, tuple[str, dict[int, list[str]]]] = defaultdict(lambda: ("", {}))
        file = self.tree / "tests" / "study" / "sensitivity.tsv"
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
            name, number, module, fingerprint, tests = line.split("\t")
            if name in self.rooms and self.rooms[name].fingerprint(int(number)) == fingerprint:
                out[name] = module, {**out[name][1], int(number): tests.split()}
        return out

    def _rooms_page(self) -> str:
        cells = [(f'<a href="{page_name(name)}">{name}</a>', self._title(name), len(room.numbers)
                  or "") for name, room in self.rooms.items()]
        return shell("refsm: rooms", "<main><h1>Rooms</h1><p>Every file, its title, and how many "
                     "numbered equations it states.</p><div class='wide'><table>"
                     f"{rows_of(cells)}</table></div></main>")

    # -- the rest ----------------------------------------------------------------------------------

    def _map(self) -> str:
        return shell("refsm: map", "<main><h1>Map of the statements</h1><p>A box is a room, a "
                     "number a statement that joins two of them.</p><div class='wide'>"
                     f"{svg(self.statements.numbers)}</div></main>")

    def _index(self) -> str:
        out = ["<h1>refsm: the book</h1><p>The reference implementation of score matching, for "
               "study. Each room is a file: its equations and their derivation stand beside the "
               "code that computes them, and every number is a link. A line of code with a "
               "triangle shows what it computes.</p><p>Begin with the first chapter, or with "
               "<a href=\"room.energies.autoencoder.html\">the autoencoder energy</a>, the "
               "central example.</p>"]
        for k, chapter in enumerate(CHAPTERS, 1):
            items = [f'<li><a href="{page_name(name)}">{name}</a>: {self._title(name)}</li>'
                     for name in chapter.rooms if name in self.rooms]
            items += [f'<li><a href="demo.{path.stem}.html">demos/{path.stem}</a>: '
                      f"{inline(title_of(text))}</li>"
                      for path, text in self.demos_text.items() if path.stem in chapter.demos]
            text = typeset(chapter.text.replace("\n", " "), Notation())
            out.append(f"<h2>{k}. {chapter.title}</h2><p>{text}</p><ul>{''.join(items)}</ul>")
        return shell("refsm: the book", f"<main>{''.join(out)}</main>")

    def _title(self, name: str) -> str:
        return typeset(self.rooms[name].title, Notation(self.rooms[name].names))

    def _notation(self) -> str:
        readme = self.tree / "README.md"
        found = re.search(r"^## What the letters mean\n(.*?)(?=^## )",
                          readme.read_text(encoding="utf-8") if readme.exists() else "",
                          re.M | re.S)
        table = markdown(found[1]) if found else "<p>The table is in the README.</p>"
        return shell("refsm: notation", f"<main><h1>What the letters mean</h1>{table}</main>")

    def _demo_pages(self, folder: pathlib.Path, run_demos: bool,
                    say: Callable[[str], None]) -> None:
        listed = []
        for path, text in self.demos_text.items():
            shipped = path.parent / "pictures" / f"{path.stem}.png"
            picture = folder / shipped.name
            demo: Demo | None = None
            if run_demos:
                say(f"demos/{path.stem}")
                demo = run(path, picture)
                self.failed += [f"demos/{path.stem}: {demo.error}"] if demo.error else []
            if shipped.exists() and not picture.exists():
                shutil.copyfile(shipped, picture)
            title = title_of(text)
            body = demo_page(text, demo, picture.name if picture.exists() else "")
            listed.append((f'<a href="demo.{path.stem}.html">{path.stem}</a>', inline(title)))
            note = (f"<p class='note'>Run it with <code>python -m demos.{path.stem}</code>"
                    + ("; below is what it printed when this book was built." if demo else
                       "; <code>refsm study --html DIR --run-demos</code> writes this book with "
                       "what each cell prints.") + "</p>")
            self.pages[f"demo.{path.stem}.html"] = shell(title, f"<main>{note}{body}</main>")
        self.pages["demos.html"] = shell("refsm: demos", "<main><h1>Demos</h1><div class='wide'>"
                                         f"<table>{rows_of(listed)}</table></div></main>")
