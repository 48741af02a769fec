"""The chain of identities, the gaps, and the digits in pictures: `refsm reproduce --figures DIR`.  Needs Matplotlib."""
from __future__ import annotations

import importlib.util
import pathlib
from typing import Any, Sequence

import numpy as np

import refsm
from refsm.theorems.chain import SIGMA, noisy_nodes
from refsm.theorems.statement import Statement

__all__ = ["check", "draw"]

SCALES = np.linspace(0.0, 1.5, 61)      # the one parameter of the first figure
SMALLEST = 1e-17                        # where a gap of exactly 0 is drawn


def check(folder: str | pathlib.Path) -> None:
    """Make the folder; ValueError if that cannot be done, or if Matplotlib is not installed."""
    if str(folder) == "":
        raise ValueError("--figures must name a folder, but it is empty")
    if importlib.util.find_spec("matplotlib") is None:
        raise ValueError("--figures needs Matplotlib, which is not installed: pip install 'refsm[plot]'")
    try:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--figures must name a folder that can be made, but {folder}: {error.strerror}") from None


def draw(folder: str | pathlib.Path, statements: Sequence[Statement]) -> list[pathlib.Path]:
    """Draw chain.png, gaps.png and digits.png into a folder, which is made if there is none; returns their paths."""
    check(folder)
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    folder = pathlib.Path(folder)
    paths = []
    for name, picture in (("chain", _chain), ("gaps", lambda plt: _gaps(plt, statements)), ("digits", _digits)):
        figure = picture(plt)
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=120)
        plt.close(figure)
    return paths


def _chain(plt: Any) -> Any:
    """Four objectives along one line through theta: constants apart, one minimiser."""
    clean, (x, x_noisy, w) = noisy_nodes()
    rng = np.random.default_rng(2)
    W, b = rng.standard_normal((3, 2)), rng.standard_normal(3)
    objectives = {
        r"$E\,J_{DAE}\,/\,(2\sigma^4)$": (refsm.DenoisingAutoencoderLoss(x, x_noisy, weights=w / (2 * SIGMA**4)), (0, (1, 3)), 3.2),
        r"$E\,J_{DSM}$": (refsm.DenoisingScoreMatching(x, x_noisy, SIGMA, weights=w), "-", 1.2),
        r"$E\,J_{ESMq_\sigma}$": (refsm.ParzenExplicitScoreMatching(clean, x_noisy, SIGMA, weights=w), "--", 1.6),
        r"$E\,J_{ISMq_\sigma}$": (refsm.ParzenImplicitScoreMatching(x_noisy, weights=w), "-.", 1.6),
    }
    models = [refsm.AutoencoderEnergy(scale * W, b, clean.mean(axis=0) - W.sum(axis=0) / 2, sigma=SIGMA) for scale in SCALES]
    figure, axis = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    for k, (label, (J, line, width)) in enumerate(objectives.items()):
        values = [J.value(model) for model in models]
        axis.plot(SCALES, values, color=str(0.15 * k), linestyle=line, linewidth=width, label=label)
    best = SCALES[int(np.argmin(values))]
    axis.axvline(best, color="0.7", linewidth=0.8, zorder=0)
    axis.annotate("the same minimiser", (best, 1), xycoords=("data", "axes fraction"), xytext=(4, -12), textcoords="offset points", fontsize=8)
    axis.set_xlabel(r"scale of $W$ (no unit)")
    axis.set_ylabel(r"value (units of $1/x^2$)")
    axis.set_title(rf"Equal up to constants: {len(clean)} points in the plane, $\sigma$ = {SIGMA:g}", fontsize=10)
    axis.legend(fontsize=9)
    return figure


def _gaps(plt: Any, statements: Sequence[Statement]) -> Any:
    """Every statement: its gap, and the bound."""
    shown = sorted((s for s in statements if s.how not in ("differs", "exact")), key=lambda s: s.number)
    gaps = np.maximum([float(s.gap) for s in shown], SMALLEST)
    bounds = [s.bound for s in shown]
    k = np.arange(len(shown))
    figure, axis = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    axis.semilogy(k, bounds, linestyle="none", marker="_", markersize=5, color="0.0", label="bound: what rounding can explain")
    axis.semilogy(k, gaps, linestyle="none", marker="o", markersize=3, color="0.45", label=f"gap |left - right| (0 drawn at {SMALLEST:g})")
    starts = [i for i in k if i == 0 or shown[i].number != shown[i - 1].number]
    axis.set_xticks(starts, [str(shown[i].number) for i in starts])
    for start in starts:
        axis.axvline(start - 0.5, color="0.9", linewidth=0.6, zorder=0)
    axis.set_xlabel("number of the statement")
    axis.set_ylabel("absolute size (units of the quantity)")
    axis.set_title(f"{len(shown)} statements: the gap, and the bound that it must respect", fontsize=10)
    axis.legend(fontsize=8, loc="upper right")
    axis.set_ylim(SMALLEST / 3, max(bounds) * 1e4)
    return figure


def _digits(plt: Any) -> Any:
    """Clean digits, noisy ones, and the posterior mean of Tweedie's formula under the Parzen density of the other digits."""
    sigma, count = 0.3, 10
    x = refsm.data.digits()
    shown, others = x[:count], x[count:]
    x_noisy = shown + sigma * np.random.default_rng(0).standard_normal(shown.shape)
    denoised = refsm.tweedie(refsm.Parzen(others, sigma), x_noisy, sigma)
    rows = {"clean $x$": shown, r"$\tilde x = x + \sigma\epsilon$": x_noisy, r"$E[x\,|\,\tilde x]$": denoised}
    figure, axes = plt.subplots(len(rows), count, figsize=(7.2, 2.6), layout="constrained")
    for row, (label, images) in zip(axes, rows.items()):
        for axis, image in zip(row, images):
            axis.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(label, fontsize=8)
    before, after = ((images - shown) ** 2 for images in (x_noisy, denoised))
    figure.suptitle(rf"Tweedie: $\tilde x + \sigma^2 \nabla \log q_\sigma(\tilde x)$, $\sigma$ = {sigma:g} of the ink; "
                    rf"mean squared error {before.mean():.3f} $\to$ {after.mean():.3f}", fontsize=9)
    return figure
