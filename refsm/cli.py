"""The `refsm` command: statements about the mathematics, and the verification of other implementations."""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
from typing import TYPE_CHECKING, Sequence

import refsm

if TYPE_CHECKING:
    from refsm.theorems import Statement

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status.  A user's mistake is one sentence on stderr and status 2."""
    args = _parser().parse_args(argv)
    try:
        return args.func(args)
    except BrokenPipeError:                                  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError as error:
        print(f"refsm: this does not fit into memory: {error}", file=sys.stderr)
        return 2
    except (ValueError, TypeError, OSError, ArithmeticError) as error:
        print(f"refsm: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrefsm: interrupted; what is above is done", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="refsm", description="The reference implementation of score matching.")
    parser.add_argument("--version", action="version", version=f"refsm {refsm.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    reproduce = commands.add_parser("reproduce", help="evaluate every identity of score matching, on digits or on your data",
                                    description="Evaluate every identity of score matching: both sides, their gap, and the bound that rounding allows. "
                                                "Exit status 0 if all hold.")
    reproduce.add_argument("--data", metavar="FILE", help="your own points as rows: .npy, .npz or .csv (default: 1,797 handwritten digits)")
    reproduce.add_argument("--sigma", type=float, help="standard deviation of the noise (default: 0.05, 0.3 and 1.7)")
    reproduce.add_argument("--hidden", type=int, default=100, help="hidden units of the autoencoder (default: 100)")
    reproduce.add_argument("--seed", type=int, default=0, help="seed of the noise and of theta (default: 0)")
    reproduce.add_argument("--exact", action="store_true", help="add the run in exact rational numbers, where the gap is the number 0")
    reproduce.add_argument("--json", action="store_true", help="print the statements as JSON")
    reproduce.add_argument("--figures", metavar="DIR", help="draw the chain of identities and the digits into this folder (needs Matplotlib)")
    reproduce.set_defaults(func=_reproduce)
    from refsm.verify.command import add_commands
    add_commands(commands)
    return parser


def _reproduce(args: argparse.Namespace) -> int:
    from refsm import theorems
    from refsm.tables import read_table
    if args.figures:
        from refsm.figures import check, draw
        check(args.figures)
    data = read_table(args.data) if args.data else None
    settings = {"name": f"rows of {pathlib.Path(args.data).name}"} if args.data else {}
    made: list[tuple[str, Statement]] = []
    title = where = ""
    interrupted = False
    try:
        for group, batch in theorems.batches(data, args.exact, sigma=args.sigma, hidden=args.hidden, seed=args.seed, **settings):
            made += [(group, statement) for statement in batch]
            if args.json:
                continue
            if group != title:
                title, where = group, ""
                print(f"\n{title}\n {'#':>2}  {'statement':52} {'left':>11}    {'right':>11} {'gap':>8} {'bound':>8}  holds")
            if not batch:
                print("     left out: these data do not determine it")
            for statement, of in worst(batch):
                here = f"{of}{statement.where} ({statement.how})"
                if here != where:
                    where = here
                    print(f"     {where}")
                print(_row(statement), flush=True)
    except KeyboardInterrupt:
        interrupted = True
    failed = [statement for _, statement in made if not statement.holds]
    if args.json:
        print(json.dumps([{"group": group, **statement.as_dict()} for group, statement in made], indent=1))
    else:
        print(f"\n{len(made) - len(failed)} of {len(made)} statements hold" + ("; FAILED: " + "; ".join(map(str, failed)) if failed else "."))
    if interrupted:
        raise KeyboardInterrupt
    if args.figures:
        for path in draw(args.figures, [statement for _, statement in made]):
            print(f"drawn: {path}", file=sys.stderr)
    return 1 if failed else 0


def worst(batch: Sequence[Statement]) -> list[tuple[Statement, str]]:
    """Of the statements of one name, the one that is nearest to failing, and of how many it is the worst."""
    names = dict.fromkeys((s.number, s.name, s.how) for s in batch)
    out = []
    for key in names:
        same = [s for s in batch if (s.number, s.name, s.how) == key]
        chosen = min(same, key=lambda s: (s.holds, -float(s.gap) / (s.bound or 1.0)))
        out.append((chosen, f"worst of {len(same)}: " if len(same) > 1 else ""))
    return out


def _row(s: Statement) -> str:
    sign = "!=" if s.how == "differs" else " ="
    verdict = "yes" if s.holds else "NO"
    return f" {s.number:2d}  {s.name:52} {float(s.left):11.5g} {sign} {float(s.right):11.5g} {float(s.gap):8.1e} {s.bound:8.1e}  {verdict}"
