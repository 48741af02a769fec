"""The command `python -m demos.benchmark`."""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
import time
from typing import Any

import numpy as np

from demos.benchmark import measure as measurement
from demos.benchmark.cases import SIZES, cases
from demos.benchmark.rivals import jax_framework, threads, torch_framework
from demos.benchmark.show import draw, multiple, show


def pin() -> None:
    """Start this command again on one core with one thread, unless it runs so already."""
    one = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if not hasattr(os, "sched_setaffinity"):
        raise SystemExit("--pinned needs a system on which a process can be pinned to a core")
    if len(os.sched_getaffinity(0)) > 1 or os.environ.get("OMP_NUM_THREADS") != "1":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        os.environ.update(one)
        os.execv(sys.executable, [sys.executable, "-m", "demos.benchmark", *sys.argv[1:]])


def run(sizes: str, rounds: int, clock: measurement.Clock, out: Any) -> dict[str, Any]:
    """The whole benchmark; Ctrl-C ends it and leaves what is done."""
    frameworks = []
    for name, framework in (("torch", torch_framework), ("jax", jax_framework)):
        if (F := framework()) is None:
            print(f"No {name}: it is not installed (pip install {name} brings it).", file=out)
        else:
            frameworks.append(F)
    report: dict[str, Any] = {
        "threads": threads(), "numpy": np.__version__, "rounds": rounds, "clock": clock.__name__,
        "rivals": {F.name: F.version for F in frameworks}, "finished": False, "rows": [],
        "growth": []}
    every = list(cases(SIZES[sizes]))
    print(f"{len(every)} cases with {threads()} threads, in units of their products", file=out)
    try:
        for k, case in enumerate(every, 1):
            row = measurement.measure(case, frameworks, rounds, clock)
            report["rows"].append(row)
            times = ", ".join(f"{name} {multiple(row, name)}" for name in ("refsm", "torch", "jax"))
            print(f"{k}/{len(every)}  {case}: {times}", file=out, flush=True)
        report["growth"] += measurement.growth(sizes, rounds, clock)
        report["growth"].append(measurement.growth_in_threads(sizes, rounds, clock))
        report["finished"] = True
    except KeyboardInterrupt:
        print(f"interrupted: {len(report['rows'])} of {len(every)} rows; what is done follows",
              file=out)
    return report


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m demos.benchmark",
        description="Value + gradient in units of their bare matrix products.")
    parser.add_argument("--quick", action="store_const", dest="sizes", const="quick",
                        default="large", help="small sizes: a minute")
    parser.add_argument("--tiny", action="store_const", dest="sizes", const="tiny",
                        help="sizes that measure nothing: does it run?")
    parser.add_argument("--pinned", action="store_true", help="on one core, with one thread")
    parser.add_argument("--rounds", type=int, default=5, metavar="N",
                        help="medians of N rounds (default: %(default)s)")
    parser.add_argument("--cpu", action="store_const", dest="clock", const=time.process_time,
                        default=time.perf_counter, help="processor time of all threads together")
    parser.add_argument("--json", action="store_true",
                        help="one JSON object on standard output, notes on standard error")
    parser.add_argument("--figure", type=pathlib.Path, metavar="FILE", help="draw it, too")
    given = parser.parse_args(arguments)
    if given.rounds < 1:
        parser.error(f"argument --rounds: N must be a whole number >= 1, but it is {given.rounds}")
    if given.pinned:
        pin()
    out = sys.stderr if given.json else sys.stdout
    report = run(given.sizes, given.rounds, given.clock, out)
    if given.json:
        print(json.dumps(report))
    else:
        show(report)
    if given.figure:
        draw(report, given.figure)


if __name__ == "__main__":
    main()
