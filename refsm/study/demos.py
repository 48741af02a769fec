"""The pages of the demos: their text and code, and, where they were run, what each cell prints.

A demo is a percent script.  `run` runs one in a process of its own, cell by cell, and draws its
picture into a file; without a run the page has the picture that ships with the demo, if any.
"""
from __future__ import annotations

import contextlib
import html
import io
import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any, NamedTuple

from refsm.study.code import highlighted
from refsm.study.heads import ROOT
from refsm.study.markdown import markdown

__all__ = ["Cell", "Demo", "cells", "demo_page", "run", "title_of"]

PICTURE = re.compile(r"^\s*picture: .*\n?", re.M)


class Cell(NamedTuple):
    """A cell of a percent script: text in Markdown, or code."""

    is_text: bool
    body: str
    line: int                    # of the file, where the body begins


class Demo(NamedTuple):
    """A demo that was run: what each cell of code printed."""

    printed: list[str]
    error: str                   # the last lines of a traceback; '' where it ran to its end


def cells(source: str) -> list[Cell]:
    """The cells of a percent script.

    >>> cells("# %% [markdown]\\n# Title\\n# %%\\nx = 1\\n")
    [Cell(is_text=True, body='Title\\n', line=2), Cell(is_text=False, body='x = 1\\n', line=4)]
    """
    out = []
    for found in re.finditer(r"^# %%(.*)\n((?:(?!# %%).*\n?)*)", source, re.M):
        is_text, body = "[markdown]" in found[1], found[2]
        line = source.count("\n", 0, found.start(2)) + 1
        if is_text or body.strip():
            out.append(Cell(is_text, re.sub(r"^# ?", "", body, flags=re.M) if is_text else body,
                            line))
    return out


def run(path: pathlib.Path, picture: pathlib.Path) -> Demo:
    """What a demo prints, cell by cell, when it is run from the tree that it is in."""
    command = [sys.executable, "-m", "refsm.study.demos", str(path), str(picture)]
    places = [str(path.parent.parent), str(ROOT.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment,
                          cwd=picture.parent)
    error = "\n".join(done.stderr.splitlines()[-3:]) if done.returncode else ""
    return Demo(json.loads(done.stdout or "[]"), error)


def title_of(source: str) -> str:
    """The title of a demo: the first line of its first text."""
    return next(cell.body for cell in cells(source) if cell.is_text).splitlines()[0].lstrip("# ")


def demo_page(source: str, demo: Demo | None, picture: str) -> str:
    """A demo: each cell with what it printed, and the picture.

    The picture stands behind the cell that drew it, or, without a run, behind the first text.
    """
    out, code = list[str](), 0
    shown = f'<p><img src="{picture}" alt="The picture of this demo"></p>' if picture else ""
    for cell in cells(source):
        if cell.is_text:
            out.append(markdown(cell.body))
            out += [shown] if len(out) == 1 and demo is None else []
            continue
        out.append("<pre>" + "\n".join(highlighted(cell.body.strip("\n") + "\n")) + "</pre>")
        said = demo.printed[code] if demo and code < len(demo.printed) else ""
        code += 1
        text = PICTURE.sub("", said).strip("\n")
        if text.strip():
            out.append(f'<pre class="said">{html.escape(text, quote=False)}</pre>')
        out += [shown] if PICTURE.search(said) else []
    if demo and demo.error:
        out.append(f'<pre class="said">{html.escape(demo.error, quote=False)}</pre>')
    return "\n".join(out)


def _main(path: str, picture: str) -> None:
    """Run a demo and print what its cells print, as JSON; its errors go to standard error."""
    sys.argv = [path, "--figure", picture]
    names: dict[str, Any] = {"__name__": "__main__", "__file__": path}
    printed = []
    try:
        for cell in cells(pathlib.Path(path).read_text(encoding="utf-8")):
            if not cell.is_text:
                with contextlib.redirect_stdout(io.StringIO()) as said:
                    try:
                        exec(compile("\n" * (cell.line - 1) + cell.body, path, "exec"), names)
                    finally:
                        printed.append(said.getvalue())
    finally:
        print(json.dumps(printed))


if __name__ == "__main__":
    _main(*sys.argv[1:])
