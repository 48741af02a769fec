"""The commands that verify other implementations: verify, export, grade, template, show, selftest.

Exit status: 0 conforms, 1 mismatch, 2 the implementation or the call is broken, 3 inconclusive.  A
user's mistake is one line on the standard error.  With --json the standard output holds JSON and
nothing else, whatever an implementation prints.
"""
from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import shlex
import sys
import threading
from typing import Any, Callable

from refsm.verify.adapters.ask import TIME_LIMIT, load, load_network
from refsm.verify.cases.families import FAMILIES, has_cases, whole_seed
from refsm.verify.cases.levels import SCHEDULES
from refsm.verify.objectives import OBJECTIVES, objective_name
from refsm.verify.report.report import Report

__all__ = ["add_options"]

STATUS = ("Exit status: 0 conforms, 1 mismatch, 2 the implementation or the call is broken, "
          "3 inconclusive")
ENDING = ("Compiled code that ends the process ends this one too, without a verdict; --cmd runs it "
          "in a process of its own, and reports that it ended")
WORST_FIRST = (2, 1, 3, 0)
SETTINGS = ("gradient", "convention", "family", "seed", "model", "predicts", "known_failures",
            "time_limit")
NAMES = ", ".join(OBJECTIVES)


def add_options(name: str, parser: argparse.ArgumentParser) -> None:
    """Add the options of one of these commands to its parser, which sets `func`, a function of the
    arguments that returns the exit status."""
    work, parser.description, options = COMMANDS[name]
    options(parser)
    parser.set_defaults(func=work)


def _verify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("implementation", nargs="?", metavar="MODULE:FUNCTION",
                        help="a function of a case, e.g. mypackage.adapters:dsm")
    parser.add_argument("--cmd", metavar="COMMAND",
                        help="a program instead: JSON Lines on its standard input and output; "
                             "no shell")
    parser.add_argument("--objective", help=f"one of {NAMES} (default: the function's name)")
    parser.add_argument("--predicts", metavar="KIND",
                        help="what a denoising network returns: score, noise, clean, velocity, "
                             "flow or edm, with a noise level for each point")
    parser.add_argument("--network", metavar="MODULE:FUNCTION",
                        help="a network of your own in the model's place, of x and theta, or of x, "
                             "theta and sigma; its module has a function parameters(d, rng) that "
                             "returns new ones, a dict of arrays")
    _add_judgement(parser)
    parser.add_argument("--own-noise", action="store_true",
                        help="the implementation draws its own noise: compare expectations, "
                             "not values")
    parser.add_argument("--replicates", type=int, metavar="R",
                        help="how many draws of each case, fixed in advance (with --own-noise; "
                             "default: 200)")
    _add_choice_of_cases(parser)
    parser.add_argument("--time-limit", type=_seconds, default=TIME_LIMIT, metavar="S",
                        help=f"seconds per call (default: {TIME_LIMIT:g})")


def _export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("objectives", nargs="+", metavar="OBJECTIVE", help=f"{NAMES}, or all")
    parser.add_argument("--out", required=True, metavar="FOLDER",
                        help="where to write, one file per objective")
    parser.add_argument("--format", default="json", help="json or npz (default: json)")
    _add_choice_of_cases(parser)


def _grade_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="the folder that refsm export wrote")
    parser.add_argument("answers", help="a .json or .npz file of answers")
    _add_judgement(parser)


def _template_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lang", required=True, help="numpy, torch, jax, julia or cpp")
    parser.add_argument("--objective", required=True, nargs="+", help=f"{NAMES}, or all")


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("case", help="an identifier, e.g. paper/dsm/1")
    parser.add_argument("--steps", action="store_true",
                        help="every intermediate quantity, in the order of computation")


def _selftest_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--full", action="store_true",
                        help="all of it, which takes some minutes (default: a sample, "
                             "some seconds)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample (default: 0)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def _add_judgement(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gradient", action="store_true", help="compare gradients too")
    parser.add_argument("--convention", metavar="TEXT",
                        help="a difference that is meant, as a report prints it, e.g. "
                             "'2 sigma^2 / d'")
    parser.add_argument("--known-failures", metavar="FILE",
                        help="identifiers of cases that may fail, one per line, * and ? allowed")
    parser.add_argument("--json", action="store_true",
                        help="print the report as JSON; of several, a list")


def _add_choice_of_cases(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--family",
                        help=f"{', '.join(FAMILIES)} (default: prime); for code that computes "
                             "sigma from alpha, or has no alpha: "
                             + ", ".join(f"{name} has {words}"
                                         for name, (words, _) in SCHEDULES.items()))
    parser.add_argument("--model", help="another model than the family's own, e.g. tanh, gaussian, "
                                        "mixture, rbm")
    parser.add_argument("--seed", type=int, default=0,
                        help="another set of cases of the same sizes (default: 0, the pinned one)")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e6:
        raise ValueError
    return seconds


_seconds.__name__ = "number of seconds > 0"      # argparse: "invalid number of seconds > 0 value"


# -- the commands ---------------------------------------------------------------------------------


def _verify(args: argparse.Namespace) -> int:
    if (args.implementation is None) == (args.cmd is None):
        given = "neither is" if args.cmd is None else "both are"
        raise ValueError(f"give either MODULE:FUNCTION or --cmd COMMAND, but {given} given")
    if args.cmd is not None and (args.own_noise or (args.network, args.replicates) != (None, None)):
        raise ValueError("--own-noise, --replicates and --network take no --cmd: they need a "
                         "Python function")
    if args.objective is None and args.cmd is not None:
        raise ValueError("--objective is needed with --cmd")
    objective, note = _objective(args)
    out: Any = _Lent(sys.stderr if args.json else sys.stdout)
    err: Any = _Lent(sys.stderr)
    with (contextlib.redirect_stdout(out), contextlib.redirect_stderr(err),
          contextlib.ExitStack() as stack):
        report = _report(args, objective, stack)
    args.status = lambda: report.exit_status       # where a reader, such as head, closes the pipe
    report = dataclasses.replace(report, notes=(*report.notes, *note))
    print(report.to_json() if args.json else report)
    return args.status()


def _objective(args: argparse.Namespace) -> tuple[str, tuple[str, ...]]:
    """The objective, and a note where it is taken from the function's name."""
    if args.objective is not None:
        return objective_name(args.objective), ()
    name = args.implementation.rpartition(":")[2].rpartition(".")[2]
    try:
        objective = objective_name(name)
    except ValueError:
        raise ValueError(f"--objective is needed: the function's name, {name!r}, is not one of "
                         f"{NAMES}") from None
    return objective, (f"the objective {objective} is taken from the function's name",)


def _report(args: argparse.Namespace, objective: str, stack: contextlib.ExitStack) -> Report:
    from refsm.verify.adapters.program import Program
    from refsm.verify.api import ask_and_judge, verify
    from refsm.verify.reproduce import command_of

    settings: dict[str, Any] = {name: getattr(args, name) for name in SETTINGS}
    if args.cmd is not None:
        function = _progress(stack.enter_context(Program(args.cmd, args.time_limit)), stack)
        return ask_and_judge(function, objective, f"--cmd {shlex.quote(args.cmd)}",
                             threading.TIMEOUT_MAX, cases=None, **settings)   # it has its own limit
    own: dict[str, Any] = {}
    if args.network is not None:
        own["network"], own["parameters"] = load_network(args.network)
    if args.own_noise or args.replicates is not None:
        return verify(args.implementation, objective, own_noise=args.own_noise,
                      replicates=args.replicates, **own, **settings)
    function, name = _progress(load(args.implementation), stack), shlex.quote(args.implementation)
    if not own:
        return ask_and_judge(function, objective, name, cases=None, **settings)
    report = verify(function, objective, **own, **settings)
    again = f"{command_of(name, objective, settings)} --network {shlex.quote(args.network)}"
    return dataclasses.replace(report, reproduce=again)


def _export(args: argparse.Namespace) -> int:
    from refsm.verify.adapters.files import export

    names, family = args.objectives, args.family or "prime"
    if "all" in names:
        names = [name for name in OBJECTIVES if has_cases(family, name)]
    for path in export(names, args.out, args.format, family, args.seed, args.model):
        print(path)
    return 0


def _grade(args: argparse.Namespace) -> int:
    from refsm.verify.grading import grade

    reports = grade(args.folder, args.answers, gradient=args.gradient, convention=args.convention,
                    known_failures=args.known_failures)
    args.status = lambda: min((report.exit_status for report in reports), key=WORST_FIRST.index)
    texts = ",\n".join(report.to_json() for report in reports)
    print(f"[{texts}]" if args.json else "\n\n".join(map(str, reports)))
    return args.status()


def _template(args: argparse.Namespace) -> int:
    from refsm.verify.adapters.templates import template

    print(template(args.lang, args.objective), end="")
    return 0


def _show(args: argparse.Namespace) -> int:
    from refsm.verify.cases.show import find, show

    print(show(find(args.case), args.steps))
    return 0


def _selftest(args: argparse.Namespace) -> int:
    from refsm.verify.diagnosis.selftest import selftest

    result = selftest(quick=not args.full, seed=whole_seed(args.seed))
    counts = {"passed": result.passed, "counts": result.counts, "failures": result.failures}
    print(json.dumps(counts) if args.json else result)
    return 0 if result.passed else 1


# name: (its work, its description, its options)
COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str,
                          Callable[[argparse.ArgumentParser], None]]] = {
    "verify": (_verify, f"Verify an implementation. {STATUS}. {ENDING}.", _verify_options),
    "export": (_export, "Write the cases of some objectives to files, without answers.",
               _export_options),
    "grade": (_grade, f"Report on answers to exported cases. {STATUS}.", _grade_options),
    "template": (_template, "Print an adapter that conforms as it is; one marked line is yours.",
                 _template_options),
    "show": (_show, "What is given in a case, and with --steps everything that follows from it.",
             _show_options),
    "selftest": (_selftest, "Plant known mistakes and see that each is named, and that nothing "
                 "else is.", _selftest_options),
}


# -- while an implementation runs -----------------------------------------------------------------


class _Lent:
    """A stream for what an implementation prints, which stays open if that closes it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        """Leave it open."""


def _progress(implementation: Callable[..., Any],
              stack: contextlib.ExitStack) -> Callable[..., Any]:
    """The implementation, showing on a terminal which case it is at, and nothing elsewhere."""
    terminal = sys.stderr
    if not terminal.isatty():
        return implementation

    def show(text: str) -> None:
        print(f"\r\033[K{text}", end="", file=terminal, flush=True)

    def counted(case: Any) -> Any:
        show(case.id)
        return implementation(case)

    stack.callback(show, "")
    return counted
