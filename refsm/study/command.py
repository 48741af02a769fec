"""`refsm study`: the chapters, a room in the terminal, and the book as pages."""
from __future__ import annotations

import argparse
import contextlib
import pathlib
import re
import signal
import sys
import textwrap
import webbrowser
from typing import TYPE_CHECKING, Any, Iterator

from refsm.study.chapters import CHAPTERS, title_of

if TYPE_CHECKING:
    from refsm.study.heads import Room

__all__ = ["add_options", "chapters_text", "room_text"]


def add_options(name: str, parser: argparse.ArgumentParser) -> None:
    """Add the options of `study` to its parser."""
    parser.description = ("Without arguments, the chapters in the order of study. With a room, its "
                          "head and code, with the arrays of a worked example behind the tagged "
                          "lines; refsm/study/examples.py has its numbers.")
    parser.add_argument("room", nargs="?", metavar="ROOM",
                        help="a room, such as autoencoder or objectives/denoising")
    parser.add_argument("--html", metavar="DIR", help="write the book as static pages into DIR")
    parser.add_argument("--run-demos", action="store_true",
                        help="write the book with what every demo prints (some minutes)")
    parser.add_argument("--open", action="store_true", help="open the book in the browser (without "
                                                            "--html: in ./refsm-book)")
    parser.set_defaults(func=_study)


def _study(args: argparse.Namespace) -> int:
    if args.html == "":
        raise ValueError("--html must name a folder, but it is empty")
    if args.html or args.open or args.run_demos:
        from refsm.study.book import build
        folder = pathlib.Path(args.html or "refsm-book")
        start = "index.html"
        if args.room:
            from refsm.study.heads import room
            from refsm.study.rooms import page_name
            start = page_name(room(args.room).name)
        with _ended_by_sigterm():
            built = build(folder, args.run_demos, lambda line: print(line, file=sys.stderr))
        print(f"{built.pages} pages, {built.equations} equations, {built.size / 1e6:.1f} MB: "
              f"{folder / 'index.html'}")
        for line in built.failed:
            print(f"refsm: {line}", file=sys.stderr)
        if args.open:
            webbrowser.open((folder / start).resolve().as_uri())
    elif args.room:
        from refsm.study.heads import room
        print(room_text(room(args.room)))
    else:
        print(chapters_text())
    return 0


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the process as an exception does: what is half written is removed."""
    def end(*signalled: Any) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def chapters_text() -> str:
    """The order of study: each chapter with its rooms and their titles."""
    out = []
    for k, chapter in enumerate(CHAPTERS, 1):
        out += [f"{k}. {chapter.title}", "",
                textwrap.fill(chapter.text, 97, initial_indent="   ", subsequent_indent="   "), ""]
        for name in chapter.rooms:
            out.append(f"   {name:35} {_cut(title_of(name), 60)}")
        out.append("")
    out.append("refsm study ROOM shows a room; refsm study --open writes the book and opens it.")
    return "\n".join(out)


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[:columns - 4].rsplit(" ", 1)[0] + " ..."


def room_text(of: Room) -> str:
    """A room for the terminal: its source, and behind each tagged line what it computes."""
    from refsm.study.worked import record, text_of

    recorded, wrong = record(of)
    out = []
    for k, line in enumerate(of.source.splitlines(), 1):
        out.append(line)
        if k in recorded:
            margin = " " * (len(line) - len(line.lstrip()) + 4)
            shown = text_of(recorded[k][1]).splitlines()
            out += [re.sub(r"\s+$", "", f"{margin}| {one}") for one in shown]
    if wrong and of.numbers:
        out += ["", f"({wrong})"]
    return "\n".join(out)
