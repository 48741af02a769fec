"""Which tests see which line: a measurement, kept in sensitivity.tsv for the pages of the book.

The value of every line that is tagged with a number is made 1.01 times what it is, one number at a
time, and the default tests of its room run: those that fail check that line.  Measured again by

    python -m tests.study.sensitivity [ROOM ...]          (without a room, all: half an hour)
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

import numpy as np
import pytest

FILE = pathlib.Path(__file__).with_name("sensitivity.tsv")
TESTS = pathlib.Path(__file__).parent.parent
FACTOR = fractions.Fraction(101, 100)
SECONDS = 120                                # a descent may never end with the planted line
ELSEWHERE = {                                # rooms whose tests stand in the module of another
    "checks/objective": "checks/test_model.py",
    "checks/taylor": "checks/test_gradient.py",
    "energies/corrupted_parzen": "energies/test_corrupted.py",
    "verify/cases/derivatives": "verify/diagnosis/test_gradients.py",
    "verify/diagnosis/scaling_fit": "verify/diagnosis/test_diagnose.py",
    "verify/mistakes/levels": "verify/test_denoisers.py",
    "verify/mistakes/weighted": "verify/mistakes/test_mistakes.py",
    "verify/objectives": "verify/cases/test_reference.py",
    "verify/own_gradient": "verify/test_api.py",
    "verify/own_noise/hypotheses": "verify/own_noise/test_replicates.py",
    "verify/own_noise/moments": "verify/own_noise/test_replicates.py",
    "verify/report/weights": "verify/diagnosis/test_diagnose.py",
}


def scaled(value):
    """A value with all its arrays and numbers 1.01 times what they are; whole numbers stay."""
    if isinstance(value, (float, complex, np.inexact)):
        return value * float(FACTOR)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fcO":
        return value * (FACTOR if value.dtype.kind == "O" else float(FACTOR))
    if isinstance(value, dict):
        return {name: scaled(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        parts = [scaled(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        floats = {one.name: scaled(getattr(value, one.name)) for one in dataclasses.fields(value)
                  if one.init and isinstance(getattr(value, one.name), (float, np.ndarray))}
        return dataclasses.replace(value, **floats) if floats else value
    return value


def planted(path, number):
    """The tree of a room whose lines of that number compute 1.01 times what they should."""
    from refsm.study.heads import Room
    from refsm.study.recorder import SIMPLE

    room = Room(path, path.parent)
    lines = {cited.line for cited in room.cited if number in cited.numbers}
    for node in ast.walk(room.tree):
        if isinstance(node, SIMPLE) and lines & set(range(node.lineno, node.end_lineno + 1)):
            for holder, field in _places(node, lines):
                call = ast.Call(ast.Name("__scaled__", ast.Load()), [getattr(holder, field)], [])
                setattr(holder, field, call)
    return ast.fix_missing_locations(room.tree)


def _places(node, lines):
    """[(object, attribute)] of the expressions whose value a tag is for."""
    call = node.value
    if isinstance(call, ast.Yield):
        return [(call, "value")]
    if isinstance(call, ast.Call) and call.keywords and not isinstance(node, ast.Assign):
        on_line = [one for one in call.keywords if one.value.end_lineno in lines]
        if node.lineno != node.end_lineno and on_line:
            return [(one, "value") for one in on_line]
        if isinstance(node, ast.Expr):
            return [(one, "value") for one in call.keywords]
    return [(node, "value")]


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
        tree, original = planted(path, number), importlib.machinery.SourceFileLoader
        code = compile(tree, str(path), "exec")
        get_code = original.get_code
        original.get_code = lambda self, name: code if self.path == str(path) else get_code(self,
                                                                                            name)
        setattr(builtins, "__scaled__", scaled)          # known in every module
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
    tagged = [line.split("\t") for line in _in_a_child(names)]
    known = read()
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
