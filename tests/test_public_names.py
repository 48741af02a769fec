"""The public names: one list for the interpreter, one for type checkers, and a user's program."""
import ast
import importlib.util
import pathlib
import subprocess
import sys

import pytest

import refsm

PROGRAM = """
import numpy as np

import refsm

x = np.ones((7, 3))
model: refsm.Gaussian = refsm.Gaussian(np.zeros(3), np.eye(3))
J = refsm.ImplicitScoreMatching(x)
value: float = J.value(model)
slope = J.gradient(model).precision
corruption = refsm.GaussianCorruption(0.5)
noisy = corruption.sample(x, np.random.default_rng(3))
run = refsm.gradient_descent(refsm.DenoisingScoreMatching(x, noisy, corruption), model,
                             steps=3, rate=0.1)
fitted: refsm.Gaussian = run.model


def seen(k: int, model: refsm.Gaussian, value: float, norm: float) -> None:
    print(k, model.mean, value, norm)


try:
    best = refsm.minimize(J, run, callback=seen, bounds=None, options={"maxiter": 3})
    fitted = refsm.gradient_descent(lambda k: J, best, steps=3, rate=lambda k: 0.1).model
except refsm.DescentInterrupted as stop:
    print(stop.result.value, stop.result.converged)
report = refsm.check_objective(J, fitted)
verdict: str = report.verdict
compared: str = refsm.verify(lambda case: 0.0, "dsm").verdict
"""


def names_for_type_checkers():
    tree = ast.parse(pathlib.Path(refsm.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body
                 if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")
    return {(node.module, alias.name) for node in block.body for alias in node.names}


def test_type_checkers_see_the_names_that_the_interpreter_finds():
    loaded = {(f"refsm.{room}", name) for name, room in refsm._ROOM_OF.items()}
    rooms = {("refsm", room) for room in refsm._ROOMS if room != "verify"}
    assert names_for_type_checkers() == loaded | rooms | {("refsm.verify", "verify")}


@pytest.mark.parametrize("name", ["Energy", "BinaryEnergy", "Objective", "Descent", "DescentError"])
def test_what_a_user_extends_or_catches_is_public(name):
    assert isinstance(getattr(refsm, name), type)


WRONG = {
    "run.modle": 'has no attribute "modle"',
    "refsm.ImplicitScoreMaching(x)": 'has no attribute "ImplicitScoreMaching"',
    "wrong: refsm.Parzen = run.model": "Incompatible types in assignment",
    "J.gradient(model).W": 'has no attribute "W"',
}


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_a_users_program_is_type_checked_strictly(tmp_path):
    """The program passes, and each line added to it that is wrong is refused, for its reason."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM + "\n".join(WRONG) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(program)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path,
                           env={"MYPYPATH": str(pathlib.Path(refsm.__file__).parents[1])})
    first = PROGRAM.count("\n") + 1
    complaints = {}
    for line in found.stdout.splitlines():
        if line.startswith("program.py:") and ": error: " in line:
            number, text = line.removeprefix("program.py:").split(": error: ")
            complaints[int(number)] = text
    assert sorted(complaints) == list(range(first, first + len(WRONG))), found.stdout
    for number, expected in enumerate(WRONG.values(), first):
        assert expected in complaints[number]
