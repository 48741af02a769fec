"""What is shown: a line per case, tables, and a picture."""
from __future__ import annotations

import pathlib
from typing import Any

from demos._figure import pyplot, save, table

FAMILIES = [["denoising", "autoencoder"], ["implicit", "regularized"], ["sliced"],
            ["ratio", "pseudo-lik."], ["score"]]


def multiple(row: dict[str, Any], name: str) -> str:
    """The time of a contestant in units of the bare products.

    ~ where its first points stand for all, - where it did not run.
    """
    if name == "refsm":
        return f"{row['refsm_seconds'] / row['products_seconds']:.2f}"
    if name not in row:
        return "-"
    ratio = row[name]["seconds"] / row["products_seconds"]
    mark = "~" if row[name]["estimated"] else ""
    return mark + (f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.3g}")


def show(report: dict[str, Any]) -> None:
    """The tables, and what they say."""
    table(["energy", "objective", "n", "d", "m", "ms", "refsm", "torch", "jax", "MB"],
          [[row["energy"], row["objective"], str(row["n"]), str(row["d"]), str(row["m"] or "-"),
            f"{1000 * row['products_seconds']:.3g}",
            *(multiple(row, name) for name in ("refsm", "torch", "jax")),
            "-" if row["peak_MB"] is None else f"{row['peak_MB']:.0f}"] for row in report["rows"]])
    print()
    for name in report["rivals"]:
        print(f"the products themselves in the BLAS of {name}, denoising:", ", ".join(
            f"{row[name]['products_seconds'] / row['products_seconds']:.2f}"
            f" at {row['n']} x {row['d']} x {row['m']}" for row in report["rows"]
            if row["energy"] == "autoencoder" and row["objective"] == "denoising" and name in row))
        for objectives in FAMILIES:
            times = [row[name]["seconds"] / row["refsm_seconds"] for row in report["rows"]
                     if name in row and row["objective"] in objectives]
            if times:
                print(f"{' and '.join(objectives)}: {name} takes {min(times):.3g} to "
                      f"{max(times):.3g} times as long as refsm")
    table(["energy", "objective", "grows", "ms", "slope"],
          [[row["energy"], row["objective"], f"{row['grows']} from {row['from'][row['grows']]}",
            f"{1000 * row['seconds'][0]:.3g}", f"{row['slope']:.2f}"] for row in report["growth"]])


def draw(report: dict[str, Any], file: pathlib.Path) -> None:
    """A bar per contestant and row, in units of the products, and the growth on log-log axes."""
    plt = pyplot()
    rows = report["rows"]
    if plt is None or not rows:
        return
    figure, (bars, lines) = plt.subplots(1, 2, figsize=(15, 2 + 0.32 * len(rows)))
    for k, (name, ink) in enumerate(zip(["refsm", *report["rivals"]],
                                        ["#0b62a4", "#c4501b", "#7fa23c"])):
        times = [row["refsm_seconds"] if name == "refsm" else row.get(name, {}).get("seconds", 0)
                 for row in rows]
        bars.barh([i + 0.27 * (k - 1) for i in range(len(rows))],
                  [t / row["products_seconds"] for t, row in zip(times, rows)], 0.25, color=ink,
                  label=name)
    bars.axvline(1, color="black", linewidth=1, label="the bare products")
    bars.set(xscale="log", ylim=(len(rows) - 0.4, -0.6), title="value and gradient",
             xlabel="time, in units of the bare matrix products")
    names = [f"{row['energy']}, {row['objective']}  {row['n']} x {row['d']} x {row['m'] or '-'}"
             for row in rows]
    bars.set_yticks(range(len(rows)), names, fontsize=9)
    bars.legend()
    for row, mark in zip(report["growth"], "osDosD^"):
        sizes = [row["from"][row["grows"]] * 2**step for step in range(3)]
        line, = lines.plot(sizes, row["seconds"], marker=mark,
                           linestyle="-" if row["objective"] == "denoising" else "--",
                           label=f"{row['objective']}, {row['grows']}: slope {row['slope']:.2f}")
        lines.plot(sizes, row["products_seconds"], ":", color=line.get_color(), linewidth=1)
    lines.plot([], [], ":", color="0.4", linewidth=1, label="the bare products of each")
    lines.set(xscale="log", yscale="log", xlabel="n, d, m or threads", ylabel="seconds",
              title="growth: a slope of at most 1 in every size, -1 in the threads")
    lines.legend()
    save(figure, file)
