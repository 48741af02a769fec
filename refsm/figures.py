"""The statements in pictures, at the size of a slide: `refsm reproduce --figures DIR`.

Needs Matplotlib.  The title of each picture is what it finds.
"""
from __future__ import annotations

import importlib.util
import pathlib
from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

import refsm
from refsm.theorems.chain import SIGMA, noisy_nodes
from refsm.theorems.statement import Statement

__all__ = ["check", "draw"]

SLIDE = (10.0, 5.6)                     # inches, with 13-point text
DPI = 144
SCALES = np.linspace(0.0, 1.5, 61)      # the one parameter of the picture of losses
SMALLEST = 1e-17                        # where a gap of exactly 0 is drawn


def check(folder: str | pathlib.Path) -> None:
    """Make the folder; ValueError if that cannot be done, or if Matplotlib is not installed."""
    if str(folder) == "":
        raise ValueError("--figures must name a folder, but it is empty")
    if importlib.util.find_spec("matplotlib") is None:
        raise ValueError("--figures needs Matplotlib, which is not installed: "
                         "pip install 'refsm[plot]'")
    try:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError("--figures must name a folder that can be made, "
                         f"but {folder}: {error.strerror}") from None


def draw(folder: str | pathlib.Path, statements: Sequence[Statement]) -> list[pathlib.Path]:
    """Draw chain.png, losses.png, gaps.png and digits.png into a folder; returns their paths."""
    check(folder)
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    pictures: dict[str, Callable[[Any], Any]] = {
        "chain": lambda plt: _chain(plt, statements), "losses": _losses,
        "gaps": lambda plt: _gaps(plt, statements), "digits": _digits}
    paths = []
    for name, picture in pictures.items():
        with plt.rc_context({"font.size": 13, "axes.titlesize": 16}):
            figure = picture(plt)
            paths.append(pathlib.Path(folder) / f"{name}.png")
            figure.savefig(paths[-1], dpi=DPI)
            plt.close(figure)
    return paths


class Box(NamedTuple):
    """A loss in the graph: where it stands, its symbol, what it is."""

    x: float
    y: float
    symbol: str
    meaning: str


class Line(NamedTuple):
    """A statement in the graph: from which loss to which, its number, and what it says."""

    start: str
    end: str
    number: int
    text: str
    offset: tuple[float, float] = (0.0, 0.0)


BOXES = {
    "DAE": Box(0.9, 3.9, r"$J_{DAE}$", "reconstruction error"),
    "DSM": Box(3.9, 3.9, r"$J_{DSM}$", "denoising"),
    "ESMs": Box(6.9, 3.9, r"$J_{ESM\,q_\sigma}$", "explicit, noisy density"),
    "ISMs": Box(6.9, 2.1, r"$J_{ISM\,q_\sigma}$", "implicit, noisy density"),
    "ISM": Box(3.9, 2.1, r"$J_{ISM}$", "implicit"),
    "ESM": Box(3.9, 0.4, r"$J_{ESM}$", "explicit, the data's density"),
    "SSM": Box(0.9, 2.1, r"$J_{SSM}$", "sliced"),
    "sSSM": Box(0.9, 0.4, r"sliced Fisher", "explicit, along slices"),
}
LINES = [
    Line("DAE", "DSM", 1, r"$\div\,2\sigma^4$"),
    Line("DSM", "ESMs", 4, r"$+\frac{I}{2}-\frac{d}{2\sigma^2}$"),
    Line("ESMs", "ISMs", 3, r"$-\frac{I}{2}$", (0.62, 0.0)),
    Line("DSM", "ISMs", 5, r"$-\frac{d}{2\sigma^2}$", (0.0, 0.0)),
    Line("ISMs", "ISM", 14, r"as $\sigma\to 0$"),
    Line("ISM", "ESM", 2, r"$+\frac{1}{2}E|s|^2$", (0.85, 0.0)),
    Line("SSM", "ISM", 7, r"mean over $v$"),
    Line("sSSM", "SSM", 8, r"$-\frac{1}{2}E(v.s)^2$", (0.9, 0.0)),
]


def _chain(plt: Any, statements: Sequence[Statement]) -> Any:
    """Losses as boxes, statements as lines with what one side has more than the other."""
    held = {number: all(s.holds for s in statements if s.number == number) for number in
            {s.number for s in statements}}
    figure, axis = plt.subplots(figsize=SLIDE, layout="constrained")
    for line in LINES:
        a, b = BOXES[line.start], BOXES[line.end]
        known = held.get(line.number)
        axis.annotate("", (b.x, b.y), (a.x, a.y), zorder=1, arrowprops={
            "arrowstyle": "-|>", "shrinkA": 52 if b.y < a.y else 34,
            "shrinkB": 52 if b.y > a.y else 34, "linewidth": 1.8,
            "color": "0.35" if known is not False else "C3",
            "linestyle": "-" if known is not None else ":"})
        axis.text((a.x + b.x) / 2 + line.offset[0], (a.y + b.y) / 2 + line.offset[1],
                  f"({line.number})  {line.text}", ha="center", va="center", fontsize=14, zorder=2,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})
    for box in BOXES.values():
        axis.text(box.x, box.y + 0.1, box.symbol, ha="center", va="center", fontsize=18, zorder=3,
                  bbox={"boxstyle": "round,pad=0.45", "facecolor": "0.94", "edgecolor": "0.2"})
        axis.text(box.x, box.y - 0.42, box.meaning, ha="center", va="center", fontsize=11, zorder=3,
                  color="0.3")
    axis.text(8.05, 0.55, "An arrow: in expectation, the\nloss at its head is the loss at\n"
              "its tail, changed as written;\nno constant has $\\theta$ in it.\n"
              r"$I = E|\nabla\log q_\sigma|^2$,  $s = \nabla\log q$", fontsize=11, va="center",
              ha="center", color="0.3")
    axis.set(xlim=(-0.3, 9.3), ylim=(-0.35, 4.55))
    axis.axis("off")
    numbers = {line.number for line in LINES}
    count = sum(held.get(number, False) for number in numbers)
    axis.set_title("The losses of score matching differ by factors and constants: "
                   f"{count} of {len(numbers)} links hold")
    return figure


def _losses(plt: Any) -> Any:
    """Four objectives along one line through theta: constants apart, one minimiser."""
    clean, (x, x_noisy, w) = noisy_nodes()
    rng = np.random.default_rng(2)
    W, b = rng.standard_normal((3, 2)), rng.standard_normal(3)
    denoising = refsm.DenoisingScoreMatching(x, x_noisy, SIGMA, weights=w)
    autoencoder = refsm.DenoisingAutoencoderLoss(x, x_noisy, weights=w / (2 * SIGMA**4))
    objectives = {
        r"$J_{DSM}$": (denoising, "-", 2.0),
        r"$J_{DAE}\,/\,(2\sigma^4)$, on the line of $J_{DSM}$": (autoencoder, (0, (1, 3)), 5.0),
        r"$J_{ESM}$ at $q_\sigma$":
            (refsm.ParzenExplicitScoreMatching(clean, x_noisy, SIGMA, weights=w), "--", 2.0),
        r"$J_{ISM}$ at $q_\sigma$":
            (refsm.ParzenImplicitScoreMatching(x_noisy, weights=w), "-.", 2.0),
    }
    c = clean.mean(axis=0) - W.sum(axis=0) / 2
    models = [refsm.AutoencoderEnergy(scale * W, b, c, sigma=SIGMA) for scale in SCALES]
    figure, axis = plt.subplots(figsize=SLIDE, layout="constrained")
    for k, (label, (J, style, width)) in enumerate(objectives.items()):
        values = [J.value(model) for model in models]
        axis.plot(SCALES, values, color=f"C{k}", linestyle=style, linewidth=width, label=label)
    best = SCALES[int(np.argmin(values))]
    axis.axvline(best, color="0.6", linewidth=1.0, zorder=0)
    axis.annotate(f"minimum of all four, at {best:g}", (best, 1), xytext=(8, -18), fontsize=12,
                  xycoords=("data", "axes fraction"), textcoords="offset points")
    axis.set_xlabel(r"scale of the weights $W$ (no unit)")
    axis.set_ylabel(r"expected loss (units of $1/x^2$)")
    axis.set_title(f"Four losses, constants apart, have one minimiser: {len(clean)} points in the "
                   rf"plane, $\sigma$ = {SIGMA:g}")
    axis.set_ylim(top=17)
    axis.legend(loc="upper left")
    return figure


def _gaps(plt: Any, statements: Sequence[Statement]) -> Any:
    """Every statement: its gap, and the bound."""
    shown = sorted((s for s in statements if s.how not in ("differs", "exact")),
                   key=lambda s: s.number)
    gaps = np.maximum([float(s.gap) for s in shown], SMALLEST)
    bounds = np.maximum([s.bound for s in shown], SMALLEST)
    k = np.arange(len(shown))
    figure, axis = plt.subplots(figsize=SLIDE, layout="constrained")
    axis.semilogy(k, bounds, linestyle="none", marker="_", markersize=7, markeredgewidth=1.6,
                  color="C0", label="bound: what rounding, quadrature or extrapolation explain")
    axis.semilogy(k, gaps, linestyle="none", marker="o", markersize=4, color="0.35",
                  label=f"gap between the two sides (0 is drawn at {SMALLEST:g})")
    starts = [i for i in k if i == 0 or shown[i].number != shown[i - 1].number]
    for n, start in enumerate(starts):
        stop = starts[n + 1] if n + 1 < len(starts) else len(shown)
        if n % 2:
            axis.axvspan(start - 0.5, stop - 0.5, color="0.94", zorder=0)
        axis.text((start + stop - 1) / 2, SMALLEST / (8, 40, 200)[n % 3], str(shown[start].number),
                  ha="center", va="center", fontsize=9)
    axis.set_xticks([])
    axis.set_xlabel("number of the statement (without those that differ or are exact)")
    axis.set_ylabel("absolute size (units of the quantity)")
    good = sum(s.holds for s in shown)
    axis.set_title("Every gap is within its bound: " * (good == len(shown))
                   + f"{good} of {len(shown)} statements hold")
    axis.set_ylim(SMALLEST / 800, max(bounds, default=1) * 1e5)
    axis.set_xlim(-1, len(shown))
    axis.legend(loc="upper left", fontsize=12)
    return figure


def _digits(plt: Any) -> Any:
    """Clean digits, noisy ones, and the posterior mean under the Parzen density of the others."""
    sigma, count = 0.3, 10
    x = refsm.data.digits()
    shown, others = x[:count], x[count:]
    x_noisy = shown + sigma * np.random.default_rng(0).standard_normal(shown.shape)
    denoised = refsm.tweedie(refsm.Parzen(others, sigma), x_noisy, sigma)
    rows = {"clean\n$x$": shown, "noisy\n" + r"$\tilde x = x + \sigma\epsilon$": x_noisy,
            "denoised\n" + r"$E[x\,|\,\tilde x]$": denoised}
    figure, axes = plt.subplots(len(rows), count, figsize=(SLIDE[0], 4.2), layout="constrained")
    for row, (label, images) in zip(axes, rows.items()):
        for axis, image in zip(row, images):
            axis.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(label, fontsize=12)
    before, after = (float(((images - shown) ** 2).mean()) for images in (x_noisy, denoised))
    figure.suptitle(f"A score is a denoiser: Tweedie's formula takes away "
                    f"{100 * (1 - after / before):.0f} % of the squared error")
    figure.supxlabel(rf"$\tilde x + \sigma^2\,\nabla\log q_\sigma(\tilde x)$, $\sigma$ = {sigma:g} "
                     rf"of the ink; $q_\sigma$: Parzen density of {len(others)} other digits; mean "
                     rf"squared error {before:.3f} $\to$ {after:.3f}", fontsize=11)
    return figure
