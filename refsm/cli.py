"""The `refsm` command: the statements, and the way to the other commands."""
from __future__ import annotations

import argparse
import importlib
import json
import os
import pathlib
import shutil
import sys
from typing import TYPE_CHECKING, Sequence

import refsm

if TYPE_CHECKING:
    from refsm.theorems import Statement

__all__ = ["COMMANDS", "add_options", "main"]

COMMANDS = {                              # name: (the module that has its options, what it does)
    "reproduce": ("refsm.cli", "evaluate every statement of score matching, on digits or your "
                               "data"),
    "verify": ("refsm.verify.command", "verify an implementation, and say what is different"),
    "export": ("refsm.verify.command", "write cases to files, without answers"),
    "grade": ("refsm.verify.command", "report on a file of answers"),
    "template": ("refsm.verify.command", "print a ready adapter to fill in"),
    "show": ("refsm.verify.command", "show one case in full"),
    "selftest": ("refsm.verify.command", "verify the verifier"),
    "study": ("refsm.study.command", "study the rooms: in the terminal, or as a book in the "
                                     "browser"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status.

    A user's mistake is one sentence on stderr and status 2; 130 after Ctrl-C.  Where the reader of
    the output, such as `head`, has seen enough, the status is that of what was evaluated.
    """
    args = argparse.Namespace()
    try:
        try:
            words = sys.argv[1:] if argv is None else argv
            args = _parser(words).parse_args(words)
            return args.func(args)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return getattr(args, "status", lambda: 0)()
    except MemoryError as error:
        print(f"refsm: this does not fit into memory: {error}", file=sys.stderr)
        return 2
    except (ValueError, TypeError, OSError, ArithmeticError) as error:
        print(f"refsm: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrefsm: interrupted; what is above is done", file=sys.stderr)
        return 130


def _parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of a command line, with the options of the commands in it: those of the others,
    and the rooms that these options are about, are not loaded."""
    parser = argparse.ArgumentParser(prog="refsm",
                                     description="The reference implementation of score matching.")
    parser.add_argument("--version", action="version", version=f"refsm {refsm.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary)
        if name in words:
            importlib.import_module(module).add_options(name, command)
    return parser


def add_options(name: str, parser: argparse.ArgumentParser) -> None:
    """Add the options of `reproduce` to its parser."""
    parser.description = ("Evaluate every statement about score matching: both sides, their gap, "
                          "and the bound on it. Exit status 0 if all hold, or all that were "
                          "evaluated before the reader of the output stopped reading.")
    parser.add_argument("--data", metavar="FILE",
                        help="your own points as rows: .npy, .npz or .csv, or - for standard "
                             "input (default: 1,797 handwritten digits)")
    parser.add_argument("--sigma", type=float,
                        help="standard deviation of the noise (default: 0.05, 0.3 and 1.7)")
    parser.add_argument("--hidden", type=int, default=100,
                        help="hidden units of the autoencoder (default: 100)")
    parser.add_argument("--seed", type=int, default=0,
                        help="seed of the noise and of theta (default: 0)")
    parser.add_argument("--exact", action="store_true",
                        help="add the statements in exact rational numbers, where the gap is "
                             "the number 0")
    parser.add_argument("--json", action="store_true", help="print the statements as JSON")
    parser.add_argument("--figures", metavar="DIR",
                        help="draw the statements and the digits into this folder (needs "
                             "Matplotlib)")
    parser.set_defaults(func=_reproduce)


def _reproduce(args: argparse.Namespace) -> int:
    from refsm import theorems
    from refsm.tables import read_table
    from refsm.theorems import page
    if args.figures is not None:
        from refsm.figures import check, draw
        check(args.figures)
    data = None if args.data is None else read_table(args.data)
    settings = {} if args.data is None else {"name": _rows_of(args.data)}
    width = _width()
    made: dict[str, list[Statement]] = {}
    letters = theorems.letters()
    shown: set[str] = set()
    interrupted = False
    args.status = lambda: 0 if all(s.holds for batch in made.values() for s in batch) else 1

    def show(title: str) -> None:
        shown.add(title)
        if not args.json:
            print(page.group_text(title, made[title], width, letters.get(title, [])), flush=True)

    try:
        for title, batch in theorems.batches(data, args.exact, sigma=args.sigma, hidden=args.hidden,
                                             seed=args.seed, **settings):
            for done in [group for group in made if group != title and group not in shown]:
                show(done)
            made.setdefault(title, []).extend(batch)
    except KeyboardInterrupt:
        interrupted = True
    for title in made:
        if title not in shown:
            show(title)
    statements = [statement for group in made.values() for statement in group]
    if args.json:
        print(json.dumps([{"group": group, **statement.as_dict()}
                          for group, batch in made.items() for statement in batch], indent=1))
    else:
        print(page.legend(width))
        print(page.closing(list(made.values()), width, interrupted))
    if interrupted:
        raise KeyboardInterrupt
    if args.figures is not None:
        for path in draw(args.figures, statements):
            print(f"drawn: {path}", file=sys.stderr)
    return args.status()


def _rows_of(path: str) -> str:
    """What the user's data are, for the table."""
    return "rows of standard input" if path == "-" else f"rows of {pathlib.Path(path).name}"


def _width() -> int:
    """Columns of the terminal; a page's widest where the output is no terminal."""
    from refsm.theorems.page import WIDEST
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDEST
