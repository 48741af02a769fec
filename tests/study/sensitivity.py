"""Which tests see which line: a measurement, kept in sensitivity.tsv for the pages of the book.

The value of every line that is tagged with a number is made 1.01 times what it is, one number at a
time, and the default tests of its room run: those that fail check that line.  A whole number has no
hundredth: it becomes one more; a truth value becomes its opposite; and `FACTORS` has the lines that
are rounded.  Measured again by

    python -m tests.study.sensitivity [ROOM ...]

Without a room: those numbers whose lines are new or changed, or one of whose tests is gone.
"""
import ast
import builtins
import dataclasses
import fractions
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import signal
import sys
import types

import numpy as np
import pytest

FILE = pathlib.Path(__file__).with_name("sensitivity.tsv")
TESTS = pathlib.Path(__file__).parent.parent
FACTOR = fractions.Fraction(101, 100)
FACTORS = {("verify/diagnosis/scaling_fit", 1): 2}      # exponents are rounded to halves
SECONDS = 120                                # a descent may never end with the planted line
ELSEWHERE = {                                # rooms whose tests stand in the module of another
    "checks/objective": "checks/test_model.py",
    "checks/taylor": "checks/test_gradient.py",
    "energies/corrupted_parzen": "energies/test_corrupted.py",
    "verify/cases/derivatives": "verify/diagnosis/test_gradients.py",
    "verify/diagnosis/scaling_fit": "verify/diagnosis/test_scaling.py",
    "verify/mistakes/levels": "verify/mistakes/test_rows.py",
    "verify/mistakes/weighted": "verify/mistakes/test_rows.py",
    "verify/objectives": "verify/cases/test_reference.py",
    "verify/own_noise/hypotheses": "verify/own_noise/test_affine.py",
}


def wrong(value):
    """A value 1.01 times what it is; where there is no fraction in it, one more, or the opposite.
    """
    other = scaled(value)
    return shifted(value) if other is value else other


def shifted(value):
    """Whole numbers one more than they are, truth values their opposites."""
    if not isinstance(value, (int, np.generic, np.ndarray)):
        return _of_parts(value, shifted)
    kind = np.asarray(value).dtype.kind
    return np.logical_not(value) if kind == "b" else value + 1 if kind in "iu" else value


def _of_parts(value, change):
    """A tuple, list or dict with its parts changed; the object itself where none has."""
    if isinstance(value, dict):
        parts = {name: change(part) for name, part in value.items()}
        return parts if any(parts[name] is not value[name] for name in value) else value
    if isinstance(value, (tuple, list)):
        parts = [change(part) for part in value]
        if any(new is not old for new, old in zip(parts, value)):
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


class Scaled:
    """A function whose value is 1.01 times what it is."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *given):
        return scaled(self.function(*given))


def scaled(value):
    """A value with all its arrays and numbers 1.01 times what they are; whole numbers stay."""
    if isinstance(value, (float, complex, np.inexact)):
        return value * float(FACTOR)
    if isinstance(value, fractions.Fraction):
        return value * FACTOR
    if isinstance(value, (types.FunctionType, np.ufunc)):
        return Scaled(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fcO":
        return value * (FACTOR if value.dtype.kind == "O" else float(FACTOR))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        floats = {one.name: scaled(getattr(value, one.name)) for one in dataclasses.fields(value)
                  if one.init and isinstance(getattr(value, one.name), (float, np.ndarray))}
        return dataclasses.replace(value, **floats) if floats else value
    return _of_parts(value, scaled)


def planted(path, number):
    """The tree of a room whose lines of that number compute 1.01 times what they should."""
    from refsm.study.heads import Room
    from refsm.study.recorder import SIMPLE

    room = Room(path, path.parent)
    lines = {cited.line for cited in room.cited if number in cited.numbers}
    for node in ast.walk(room.tree):
        if isinstance(node, SIMPLE) and lines & set(range(node.lineno, node.end_lineno + 1)):
            for holder, field in _places(node, lines):
                holder[field] = ast.Call(ast.Name("__wrong__", ast.Load()), [holder[field]], [])
    return ast.fix_missing_locations(room.tree)


def _places(node, lines):
    """[(what holds it, where)] of the expressions whose value a tag is for."""
    call = node.value
    if call is None:                             # a field, whose value is computed elsewhere
        return []
    if not node.col_offset:                      # a constant of the room: what a call is given
        given = [one for part in ast.walk(node) if isinstance(part, ast.Call)
                 for one in part.keywords if one.value.end_lineno in lines]
        if given:
            return [(vars(one), "value") for one in given]
    if isinstance(call, ast.Yield):
        return [(vars(call), "value")]
    if isinstance(call, ast.Call) and call.keywords and not isinstance(node, ast.Assign):
        on_line = [one for one in call.keywords if one.value.end_lineno in lines]
        if node.lineno != node.end_lineno and on_line:
            return [(vars(one), "value") for one in on_line]
        if isinstance(node, ast.Expr):
            return [(vars(one), "value") for one in call.keywords]
    if isinstance(call, ast.Call) and isinstance(node, ast.Expr):
        return [(call.args, k) for k in range(len(call.args))]
    return [(vars(node), "value")]


class Failed:
    """The names of the tests that have failed, and how many have run."""

    def __init__(self):
        self.names, self.ran = {}, 0

    def pytest_runtest_logreport(self, report):
        self.ran += report.when == "call"
        if report.failed:
            self.names[report.nodeid.rpartition("::")[2].split("[")[0]] = True


def failing(path, number, module):
    """{"failed": the tests of a module that fail with a line planted, "ran": how many have run}."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        name = path.relative_to(TESTS.parent / "refsm").with_suffix("").as_posix()
        globals()["FACTOR"] = FACTORS.get((name, number), FACTOR)
        tree, original = planted(path, number), importlib.machinery.SourceFileLoader
        code = compile(tree, str(path), "exec")
        get_code = original.get_code
        original.get_code = lambda self, name: code if self.path == str(path) else get_code(self,
                                                                                            name)
        setattr(builtins, "__wrong__", wrong)            # known in every module
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 1), os.dup2(null.fileno(), 2)
        report = Failed()
        pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(module)],
                    plugins=[report])
        os.write(write, json.dumps({"failed": list(report.names), "ran": report.ran}).encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as answers:
        said = answers.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else None


def measure(names):
    """Measure rooms and write what has been found beside what is known of the others."""
    known = read()
    tagged = [line.split("\t") for line in _in_a_child(names)]
    if not names:
        tagged = [(name, k, now) for name, k, now in tagged
                  if known.get((name, int(k)), ("", ""))[1] != now
                  or len(existing(known, name, int(k))) < len(known[name, int(k)][2])]
    for name, number, fingerprint in tagged:
        folder, _, stem = name.rpartition("/")
        module = ELSEWHERE.get(name, f"{folder}/test_{stem}.py".lstrip("/"))
        found = failing(TESTS.parent / "refsm" / f"{name}.py", int(number), TESTS / module)
        known[name, int(number)] = module, fingerprint, found["failed"] if found else []
        print(name, number, "not measured" if found is None else
              f"{len(found['failed'])} of {found['ran']}", flush=True)
        rows = ((room, str(k), of, line, " ".join(tests))
                for (room, k), (of, line, tests) in sorted(known.items()) if tests)
        FILE.write_text("".join("\t".join(row) + "\n" for row in rows))


def existing(known, room, number):
    """The tests of a number that are still in their module."""
    module, _, tests = known.get((room, number), ("", "", []))
    path = TESTS / module
    text = path.read_text() if path.is_file() else ""
    return [test for test in tests if f"def {test}(" in text]


def _in_a_child(names):
    """Room, number and fingerprint of every tagged equation; read in a child, so that no room is
    imported here."""
    read, write = os.pipe()
    if not os.fork():
        from refsm.study.heads import room, rooms
        chosen = [room(name) for name in names] if names else rooms()
        os.write(write, "\n".join(f"{one.name}\t{k}\t{one.fingerprint(k)}" for one in chosen
                                  for k in one.numbers if one.lines_of(k)).encode())
        os._exit(0)
    os.close(write)
    os.wait()
    with open(read, encoding="utf-8") as lines:
        return lines.read().splitlines()


def read():
    """{(room, number): (module, fingerprint, names of tests)}, as measured."""
    if not FILE.exists():
        return {}
    lines = (line.split("\t") for line in FILE.read_text().splitlines())
    return {(room, int(k)): (of, line, tests.split()) for room, k, of, line, tests in lines}


if __name__ == "__main__":
    measure(sys.argv[1:])
