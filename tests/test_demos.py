"""Every demo runs to its last assert, prints narrow tables, draws its picture, and gives way to
Ctrl-C.
"""
import importlib.util
import pathlib
import re
import runpy
import signal
import subprocess
import sys

import pytest

import demos
from demos import _figure
from refsm.objectives.objective import Objective

FOLDER = pathlib.Path(demos.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))
QUICK = {"01_energy"}
WITH_PROGRESS = ["02_objectives", "06_slices", "07_binary", "08_langevin", "09_verify", "10_sample",
                 "13_levels", "14_positive", "15_sources"]
WITH_DESCENT = ["03_autoencoder", "04_penguins", "05_digits", "12_diffusion", "13_levels",
                "15_sources"]
PNG = b"\x89PNG\r\n\x1a\n"


def marked(names, quick=QUICK):
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


def has_matplotlib():
    return importlib.util.find_spec("matplotlib") is not None


@pytest.fixture(autouse=True)
def ctrl_c():
    """SIGINT is Ctrl-C here, also in a run in the background, where shells have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a demo as `python -m` does, in an empty folder; returns what it printed."""
    monkeypatch.chdir(tmp_path)

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def run(name, *arguments, status=0):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        ended = 0
        try:
            runpy.run_module(f"demos.{name}", run_name="__main__")
        except SystemExit as stop:
            if not stop.code:                     # a demo of what is not installed
                pytest.skip(capsys.readouterr().out)
            ended = stop.code
        assert ended == status
        out, err = capsys.readouterr()
        assert err == ""                                     # progress is for terminals
        assert max(map(len, out.splitlines())) <= 80, max(out.splitlines(), key=len)
        assert re.search(r"^-{20,80}$", out, re.M)           # a table
        return out

    return run


@pytest.mark.parametrize("name", marked(NAMES))
def test_the_claim_holds_and_the_picture_is_drawn(run, tmp_path, name):
    out = run(name, "--figure", "here/picture.png")
    if has_matplotlib():
        assert out.endswith("\npicture: here/picture.png\n")
        assert (tmp_path / "here" / "picture.png").read_bytes().startswith(PNG)
    else:
        assert "pip install refsm[plot]" in out


@pytest.mark.parametrize("name", marked(NAMES))
def test_without_matplotlib_a_sentence_says_how_to_get_it(run, monkeypatch, tmp_path, name):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = "No picture: Matplotlib is not installed (pip install refsm[plot] brings it)."
    assert run(name).count(said) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(not has_matplotlib(), reason="needs Matplotlib")
def test_a_picture_without_a_name_goes_to_the_folder_of_figures(run, tmp_path):
    assert "\npicture: figures/10_sample.png\n" in run("10_sample").replace("\\", "/")
    assert (tmp_path / "figures" / "10_sample.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("name", marked(WITH_PROGRESS))
def test_ctrl_c_in_a_loop_leaves_what_is_done(run, monkeypatch, name):
    calls, step = [], _figure.Progress.__call__

    def interrupted(self, note=""):
        step(self, note)
        calls.append(note)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(_figure.Progress, "__call__", interrupted)
    out = run(name, status=130)
    assert "; what is done follows" in out
    assert out.endswith("\ninterrupted: the claim is not checked\n")


@pytest.mark.parametrize("name", marked(WITH_DESCENT))
def test_ctrl_c_in_a_descent_leaves_what_is_done(run, monkeypatch, name):
    calls, evaluate = [], Objective.value_and_gradient

    def interrupted(self, model, **given):
        calls.append(model)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return evaluate(self, model, **given)

    monkeypatch.setattr(Objective, "value_and_gradient", interrupted)
    assert run(name, status=130).endswith("\ninterrupted: the claim is not checked\n")


def test_ctrl_c_elsewhere_is_one_line(capsys):
    _figure._ended(KeyboardInterrupt, KeyboardInterrupt(), None)
    said = "\ninterrupted: what is above is done, and the claim is not checked\n"
    assert capsys.readouterr().err == said
    _figure._ended(ValueError, ValueError("wrong"), None)
    assert "ValueError: wrong" in capsys.readouterr().err


def test_progress_shows_on_a_terminal_only(monkeypatch, capsys):
    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal, raising=False)
        with _figure.Progress("walk", of=3) as progress:
            progress("J = 5")
        assert progress.finished
        assert ("walk 1/3  J = 5" in capsys.readouterr().err) == terminal


def test_progress_hides_no_other_error():
    with pytest.raises(ZeroDivisionError), _figure.Progress("walk", of=3) as progress:
        progress(str(1 / 0))
    assert not progress.finished


def test_a_table_wider_than_a_terminal_is_refused(capsys):
    _figure.table(["name", "value"], [["a", 0.5], ["b", "x"]])
    assert capsys.readouterr().out == "\nname  value\n-----------\na       0.5\nb         x\n"
    with pytest.raises(ValueError, match="at most 80 columns wide, but it is 81"):
        _figure.table(["a" * 81], [["b"]])


@pytest.mark.parametrize("name", NAMES)
def test_a_demo_is_a_percent_script_with_a_claim_first_and_its_check_last(name):
    cells = re.split(r"^# %%", (FOLDER / f"{name}.py").read_text(encoding="utf-8"), flags=re.M)
    assert cells[0] == ""
    assert cells[1].startswith(" [markdown]\n# # ")
    assert "# **Claim" in cells[1]
    assert re.search(r"It takes \d+ seconds?\.$", cells[1], re.M)
    assert cells[-2].startswith(" [markdown]\n# ## The claim, checked")
    assert "assert " in cells[-1]
    for cell in cells[1:]:
        head, *lines = cell.splitlines()
        assert head in ("", " [markdown]")
        assert head == "" or all(line.startswith("#") or line == "" for line in lines)
    assert "def main" not in "".join(cells)


def test_the_list_of_demos_is_the_folder():
    assert re.findall(r"^    python -m demos\.(\w+) ", demos.__doc__, re.M) == NAMES


def test_a_demo_beside_its_helper_opens_without_the_package_demos(monkeypatch, capsys):
    for name in ("demos", "demos._figure"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(sys, "argv", ["10_sample.py", "--help"])
    monkeypatch.syspath_prepend(str(FOLDER))
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(FOLDER / "10_sample.py"), run_name="__main__")
    assert stop.value.code == 0
    assert "--figure FILE" in capsys.readouterr().out


def test_python_m_runs_a_demo_whose_name_is_no_identifier():
    command = [sys.executable, "-m", "demos.10_sample", "--figures"]
    found = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "demos.10_sample: error: unrecognized" not in found.stdout
    assert "--figures" in found.stderr
