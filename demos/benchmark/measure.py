"""The clock and the memory: one row per case, and how the time grows with each size."""
from __future__ import annotations

import ctypes
import functools
import pathlib
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np

from demos.benchmark.cases import Case, problem
from demos.benchmark.rivals import chunk_of, contestants, products_in

PATIENCE = 10.0      # seconds of a rival's evaluation, beyond which its first points stand for all

Clock = Callable[[], float]


def seconds(f: Callable[[], Any], clock: Clock) -> float:
    """The time of one call."""
    start = clock()
    f()
    return clock() - start


def peak_memory(f: Callable[[], Any]) -> float | None:
    """The peak of a call above what the process has, in MB; None where the system does not say."""
    status = pathlib.Path("/proc/self/status")
    try:
        ctypes.CDLL(None).malloc_trim(0)                            # return freed memory first
        pathlib.Path("/proc/self/clear_refs").write_text("5")       # reset the peak
    except (OSError, AttributeError):
        return None

    def field(name: str) -> float:
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

    before = field("VmRSS")
    f()
    return max(field("VmHWM") - before, 0.0)


def measure(case: Case, frameworks: list[Any], rounds: int, clock: Clock) -> dict[str, Any]:
    """One row: medians over rounds in which everything takes its turn."""
    p = problem(case)
    memory = peak_memory(p.evaluate)
    value = None if case.objective == "score" else p.evaluate()[0]
    runs: dict[tuple[str, str], Callable[[], Any]] = {("products", ""): p.bare,
                                                      ("refsm", ""): p.evaluate}
    estimated: dict[tuple[str, str], float] = {}
    for name, form, run in contestants(p, frameworks):
        part = chunk_of(case)
        run(part)                                                   # compiled and warm
        time_of_all = seconds(lambda: run(part), clock) * case.n / part
        if time_of_all > PATIENCE:
            estimated[name, form] = time_of_all
            continue
        found = run(case.n)
        if value is not None and not abs(float(found[0]) - value) <= 1e-8 * (1 + abs(value)):
            raise ArithmeticError(f"{name} ({form}) must find {value} for {case}, "
                                  f"but it found {float(found[0])}")
        runs[name, form] = lambda run=run: run(case.n)
    for F in frameworks:
        if bare := products_in(F, p):
            runs["products", F.name] = bare
    times: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            times[key].append(seconds(run, clock))
    median = {key: statistics.median(t) for key, t in times.items()} | estimated
    row: dict[str, Any] = {**case._asdict(), "products_seconds": median.pop(("products", "")),
                           "refsm_seconds": median.pop(("refsm", "")), "peak_MB": memory}
    for F in frameworks:
        own = {form: t for (name, form), t in median.items() if name == F.name}
        if own:
            best = min(own, key=own.__getitem__)
            row[F.name] = {"seconds": own[best], "form": best, "all": own,
                           "estimated": (F.name, best) in estimated,
                           "products_seconds": median.get(("products", F.name))}
    return row


def growth(sizes: str, rounds: int, clock: Clock) -> Iterator[dict[str, Any]]:
    """The time as one of n, d, m doubles, and doubles again; its slope on log-log axes."""
    start = {"large": (10000, 64, 128), "quick": (1000, 16, 32), "tiny": (20, 3, 5)}[sizes]
    for objective in ("denoising", "implicit"):
        for k, letter in enumerate("ndm"):
            grown = [[size * 2**step if i == k else size for i, size in enumerate(start)]
                     for step in range(3)]
            problems = [problem(Case("autoencoder", objective, *size)) for size in grown]
            times = {"seconds": [], "products_seconds": []}
            for p in problems:
                p.evaluate(), p.bare()                              # warm
            for _ in range(rounds):
                times["seconds"].append([seconds(p.evaluate, clock) for p in problems])
                times["products_seconds"].append([seconds(p.bare, clock) for p in problems])
            yield grown_row(objective, letter, dict(zip("ndm", start)), times)


def growth_in_threads(sizes: str, rounds: int, clock: Clock) -> dict[str, Any]:
    """The time with one thread, two and four, given as `map`; the products divided by as many."""
    size = {"large": (40000, 64, 128), "quick": (8000, 16, 32), "tiny": (20, 3, 5)}[sizes]
    p = problem(Case("autoencoder", "denoising", *size))
    times: dict[str, list[list[float]]] = {"seconds": [], "products_seconds": []}
    with ExitStack() as stack:
        pools = [stack.enter_context(ThreadPoolExecutor(k)) for k in (1, 2, 4)]
        evaluations = [functools.partial(p.objective.value_and_gradient, p.model, map=pool.map)
                       for pool in pools]
        for evaluate in evaluations:
            evaluate()                                              # warm
        for _ in range(rounds):
            times["seconds"].append([seconds(evaluate, clock) for evaluate in evaluations])
            bare = seconds(p.bare, clock)
            times["products_seconds"].append([bare, bare / 2, bare / 4])
    return grown_row("denoising", "threads", {**dict(zip("ndm", size)), "threads": 1}, times)


def grown_row(objective: str, grows: str, start: dict[str, int],
              times: dict[str, list[list[float]]]) -> dict[str, Any]:
    """The medians over the rounds, and the slope."""
    median = {name: [statistics.median(t) for t in zip(*rows)] for name, rows in times.items()}
    slope = float(np.polyfit(np.log2([1, 2, 4]), np.log2(median["seconds"]), 1)[0])
    return {"energy": "autoencoder", "objective": objective, "grows": grows, "from": start,
            **median, "slope": slope}
