"""What the demos share: where the picture goes, how it looks, a table of at most 80 columns, progress that Ctrl-C may end."""
from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Sequence
from types import ModuleType, TracebackType
from typing import Any

__all__ = ["INK", "SHADES", "Progress", "figure_file", "pyplot", "save", "table"]

COLUMNS = 80
IN_NOTEBOOK = "ipykernel" in sys.modules

INK = ["#000000", "#0b62a4", "#c4501b", "#7fa23c", "#8d6cab", "#9a9a9a"]      # each has a grey of its own in print
DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1))]        # and a stroke of its own
SHADES = "Greys"                                                            # the colour map of images and densities

STYLE = {                        # read from the last row of a lecture room
    "font.size": 12, "axes.titlesize": 13, "axes.labelsize": 12, "legend.fontsize": 10.5,
    "xtick.labelsize": 11, "ytick.labelsize": 11, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": False, "legend.frameon": False,
    "lines.linewidth": 1.8, "figure.dpi": 100, "savefig.dpi": 110, "image.cmap": SHADES,
    "axes.formatter.limits": (-3, 4), "figure.constrained_layout.use": True,
}


def figure_file(name: str, claim: str) -> pathlib.Path:
    """Where the picture of the demo goes: what --figure says on the command line, or figures/NAME.png."""
    parser = argparse.ArgumentParser(prog=f"python -m demos.{name}", description=claim)
    parser.add_argument("--figure", metavar="FILE", type=pathlib.Path, default=pathlib.Path("figures", f"{name}.png"),
                        help="where the picture goes (default: %(default)s)")
    return parser.parse_args([] if IN_NOTEBOOK else None).figure


def pyplot() -> ModuleType | None:
    """matplotlib.pyplot in the style of the demos; without Matplotlib None, and one sentence that says how to get it."""
    try:
        import matplotlib
        if not IN_NOTEBOOK:
            matplotlib.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError:
        print("\nNo picture: Matplotlib is not installed (pip install refsm[plot] brings it).")
        return None
    plt.rcParams.update(STYLE)
    plt.rcParams["axes.prop_cycle"] = plt.cycler(color=INK, linestyle=DASHES)
    return plt


def save(figure: Any, file: pathlib.Path) -> None:
    """Write the picture and say where; a notebook shows it instead."""
    if IN_NOTEBOOK:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
    sys.modules["matplotlib.pyplot"].close(figure)
    print(f"\npicture: {file}")


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under their heads: the first column and text to the left, numbers to the right, at most 80 columns wide; no rows, no table."""
    if not rows:
        return
    body = [[entry if isinstance(entry, str) else f"{entry:.4g}" for entry in row] for row in rows]
    left = [k == 0 or all(isinstance(row[k], str) and not row[k][:1].strip("+-.<").isdigit() for row in rows) for k in range(len(head))]
    width = [max(len(line[k]) for line in [list(head), *body]) for k in range(len(head))]
    lines = ["  ".join(entry.ljust(w) if l else entry.rjust(w) for entry, w, l in zip(line, width, left)).rstrip() for line in [head, *body]]
    widest = max(map(len, lines))
    if widest > COLUMNS:
        raise ValueError(f"a table must be at most {COLUMNS} columns wide, but it is {widest}")
    print("\n".join(["", lines[0], "-" * widest, *lines[1:]]))


class Progress:
    """How far a loop is, on a terminal only.  Ctrl-C ends the loop and keeps what is done.

        with Progress("descent", of=200) as progress:
            for step in range(200):
                ...
                progress(f"J = {J:.3f}")
        progress.finished                       # False after Ctrl-C
    """

    def __init__(self, name: str, of: int) -> None:
        self.name, self.of, self.done, self.finished = name, of, 0, False
        self._wide = 0

    def __enter__(self) -> Progress:
        return self

    def __call__(self, note: str = "") -> None:
        """One more step is done."""
        self.done += 1
        self._show(f"{self.name} {self.done}/{self.of}  {note}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        self._show("")
        self.finished = kind is None
        if kind is not KeyboardInterrupt:
            return False
        print(f"\ninterrupted, {self.name}: {self.done} of {self.of}; what is done follows")
        return True

    def _show(self, text: str) -> None:
        if sys.stderr.isatty():
            self._wide, wide = len(text), self._wide
            print("\r" + text.ljust(wide), end="\r" if not text else "", file=sys.stderr, flush=True)
