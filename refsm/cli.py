"""The `refsm` command: statements about the mathematics, and the verification of other implementations."""
from __future__ import annotations

import argparse
import json
import sys
from typing import Sequence

import refsm
from refsm.typing import Array

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status.  A user's mistake is one sentence on stderr and status 2."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        return args.func(args)
    except (ValueError, TypeError, OSError) as error:
        print(f"refsm: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrefsm: interrupted; what is above is done", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0


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
    data: Array | None = read_table(args.data) if args.data else None
    settings = {"sigma": args.sigma, "hidden": args.hidden, "seed": args.seed}
    made, group = [], ""
    for title, statement in theorems.statements(data, args.exact, **settings):
        made.append((title, statement))
        if not args.json:
            if title != group:
                print(_heading(title), flush=True)
            print(_row(statement), flush=True)
        group = title
    failed = [statement for _, statement in made if not statement.holds]
    if args.json:
        print(json.dumps([{"group": title, **statement.as_dict()} for title, statement in made], indent=1))
    else:
        print(f"\n{len(made) - len(failed)} of {len(made)} statements hold." + (" FAILED: " + "; ".join(s.name for s in failed) if failed else ""))
    if args.figures:
        from refsm.figures import draw
        for path in draw(args.figures, data):
            print(f"drawn: {path}", file=sys.stderr)
    return 1 if failed else 0


def _heading(title: str) -> str:
    return f"\n{title}\n {'#':>2} {'statement':46} {'left':>13} {'right':>13} {'gap':>8} {'bound':>8}  holds"


def _row(statement: object) -> str:
    s = statement
    relation = "!=" if s.how == "differs" else "  "                                         # type: ignore[attr-defined]
    return (f" {s.number:2d} {s.name:46} {float(s.left):13.6g} {relation}{float(s.right):11.6g} {float(s.gap):8.1e} {s.bound:8.1e}  "   # type: ignore[attr-defined]
            f"{'yes' if s.holds else 'NO'}\n      {s.where} ({s.how})")                     # type: ignore[attr-defined]
