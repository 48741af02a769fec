"""The pages of the public names: signature, docstring, source, where it is used, and its tests."""
from __future__ import annotations

import html
import inspect
import pathlib
import re
from typing import Any

import refsm
from refsm.study.heads import ROOT, Room
from refsm.study.markdown import inline
from refsm.study.rooms import page_name, rows_of, shell

__all__ = ["name_pages"]


def name_pages(rooms: dict[str, Room], public: dict[str, str], demos: dict[pathlib.Path, str],
               tests: dict[pathlib.Path, str], tree: pathlib.Path) -> dict[str, str]:
    """{file: page} of the public names, {name: room}, and of their list."""
    return _Names(rooms, public, demos, tests, tree).all()


class _Names:

    def __init__(self, rooms: dict[str, Room], public: dict[str, str],
                 demos: dict[pathlib.Path, str], tests: dict[pathlib.Path, str],
                 tree: pathlib.Path) -> None:
        self.rooms, self.public, self.demos, self.tree = rooms, public, demos, tree
        self.words: dict[Any, set[str]] = {
            key: set(re.findall(r"\w+", text)) for key, text in [
                *((name, room.source) for name, room in rooms.items()), *demos.items()]}
        self.test_words = [(path, found[1], set(re.findall(r"\w+", one)))
                           for path, text in tests.items()
                           for one in re.split(r"^(?=(?:@|def ))", text, flags=re.M)
                           if (found := re.search(r"^def test_(\w+)", one, re.M))]

    def all(self) -> dict[str, str]:
        """{file: page}, with the list of all names."""
        pages, listed = {}, []
        for name, room in sorted(self.public.items(), key=lambda pair: pair[0].lower()):
            value = getattr(refsm, name)
            first = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
            listed.append((f'<a href="name.{name}.html"><code>{name}</code></a>', inline(first)))
            pages[f"name.{name}.html"] = self._name_page(name, room, value)
        pages["names.html"] = shell(
            "refsm: names", "<main><h1>Public names</h1><div class='wide'><table>"
            f"{rows_of(listed)}</table></div></main>")
        return pages

    def _name_page(self, name: str, room: str, value: Any) -> str:
        room = room if room in self.rooms else f"{room}/__init__"
        try:
            signature = f"refsm.{name}{inspect.signature(value)}"
        except (TypeError, ValueError):
            signature = f"refsm.{name}"
        file = pathlib.Path(inspect.getsourcefile(value) or "")
        lines, line = inspect.getsourcelines(value)
        inside = file.is_relative_to(ROOT)
        of = file.relative_to(ROOT).with_suffix("").as_posix() if inside else room
        source = (f'<a href="{page_name(of)}#L{line}">refsm/{of}.py, line {line}</a>, '
                  f"{len(lines)} lines")
        used = [f'<a href="{page_name(other)}">{other}</a>' for other in self.rooms
                if other != of and name in self.words[other]]
        shown = [f'<a href="demo.{path.stem}.html">{path.stem}</a>'
                 for path in self.demos if name in self.words[path]]
        parts = [f"<h1>{name}</h1>", f"<pre>{html.escape(_folded(signature))}</pre>",
                 f'<div class="doc"><code>{html.escape(inspect.getdoc(value) or "")}</code></div>',
                 f"<h2>Source</h2><p>{source}</p>"]
        for title, links in (("Used in", used), ("Demos", shown), ("Tests", self._naming(name))):
            parts.append(f"<h2>{title}</h2><ul>" + "".join(f"<li>{link}</li>" for link in links)
                         + "</ul>" if links else "")
        return shell(f"refsm.{name}", f"<main>{''.join(parts)}</main>")

    def _naming(self, name: str) -> list[str]:
        """The tests that use a name, at most four of a file."""
        out: dict[pathlib.Path, list[str]] = {}
        for path, test, words in self.test_words:
            if name in words:
                out.setdefault(path, []).append(f"{test.replace('_', ' ')} "
                                                f"<code>{path.relative_to(self.tree)}</code>")
        return [one for of_file in out.values() for one in of_file[:4]][:40]


def _folded(signature: str) -> str:
    """One argument per line where a signature is long."""
    if len(signature) < 80:
        return signature
    return re.sub(r", (?=[\w*]+(?::|=|,|\)))", ",\n    ", signature).replace("(", "(\n    ", 1)
