"""What the demos share: the place and style of pictures, narrow tables, progress with Ctrl-C."""
from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType, TracebackType
from typing import Any

__all__ = ["INK", "SHADES", "Progress", "figure_file", "kept", "pyplot", "save", "stop_if",
           "table"]

COLUMNS = 80
IN_NOTEBOOK = "ipykernel" in sys.modules

INK = ["#000000", "#0b62a4", "#c4501b", "#7fa23c", "#8d6cab", "#9a9a9a"]     # distinct in grey too
DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1))]
SHADES = "Greys"                                                # colour map of images and densities

STYLE = {                        # read from the last row of a lecture room
    "font.size": 12, "axes.titlesize": 13, "axes.labelsize": 12, "legend.fontsize": 10.5,
    "xtick.labelsize": 11, "ytick.labelsize": 11, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": False, "legend.frameon": False,
    "lines.linewidth": 1.8, "figure.dpi": 100, "savefig.dpi": 110, "image.cmap": SHADES,
    "axes.formatter.limits": (-3, 4), "figure.constrained_layout.use": True,
}


def figure_file(name: str, claim: str) -> pathlib.Path:
    """Where the picture goes: the file that --figure names, or figures/NAME.png."""
    if not IN_NOTEBOOK:
        sys.excepthook = _ended
    parser = argparse.ArgumentParser(prog=f"python -m demos.{name}", description=claim)
    default = pathlib.Path("figures", f"{name}.png")
    parser.add_argument("--figure", metavar="FILE", type=pathlib.Path, default=default,
                        help="where the picture goes (default: %(default)s)")
    return parser.parse_args([] if IN_NOTEBOOK else None).figure


def pyplot() -> ModuleType | None:
    """matplotlib.pyplot in the style of the demos, or None and a sentence on how to install it."""
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
    """Write the picture and say where; a notebook shows it instead.

    A PNG has the 256 colours that cover its own best: a third of the bytes, and in the pictures of
    the README no colour is off by more than 7 parts in 256.
    """
    if IN_NOTEBOOK:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
    if file.suffix.lower() == ".png":
        from PIL import Image                    # Matplotlib requires it
        with Image.open(file) as drawn:
            few = drawn.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=0)
        few.save(file, optimize=True)
    sys.modules["matplotlib.pyplot"].close(figure)
    print(f"\npicture: {file}")


def kept(fit: Callable[[], Any]) -> Any:
    """What a fit returns; after Ctrl-C the result of what is done, `interrupted`."""
    from refsm import DescentInterrupted

    try:
        return fit()
    except DescentInterrupted as stop:
        return stop.result


def stop_if(interrupted: bool) -> None:
    """After Ctrl-C: say that the claim is not checked, and end with status 130."""
    if interrupted:
        print("\ninterrupted: the claim is not checked")
        raise SystemExit(130)


def _ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What an uncaught exception prints: for Ctrl-C one line; the status is 130."""
    if issubclass(kind, KeyboardInterrupt):
        print("\ninterrupted: what is above is done, and the claim is not checked", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under their heads: text to the left, numbers to the right, at most 80 columns."""
    if not rows:
        return
    body = [[entry if isinstance(entry, str) else f"{entry:.4g}" for entry in row] for row in rows]
    columns = list(zip(head, *body))
    widths = [max(map(len, column)) for column in columns]
    left = [k == 0 or not any(entry[:1].strip("+-.<").isdigit() for entry in column[1:])
            for k, column in enumerate(columns)]
    lines = ["  ".join(entry.ljust(width) if to_left else entry.rjust(width)
                       for entry, width, to_left in zip(line, widths, left)).rstrip()
             for line in [head, *body]]
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

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> bool:
        self._show("")
        self.finished = kind is None
        if kind is not KeyboardInterrupt:
            return False
        print(f"\ninterrupted, {self.name}: {self.done} of {self.of}; what is done follows")
        return True

    def _show(self, text: str) -> None:
        if sys.stderr.isatty():
            self._wide, wide = len(text), self._wide
            end = "" if text else "\r"
            print("\r" + text.ljust(wide), end=end, file=sys.stderr, flush=True)
