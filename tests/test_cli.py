"""The command: one table, one sentence for a mistake, and the exit status that says which."""
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from refsm import cli, theorems
from refsm.theorems import denoising
from refsm.theorems.statement import Statement

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def table(tmp_path):
    """A small table of the user's own."""
    path = tmp_path / "mine.csv"
    np.savetxt(path, np.random.default_rng(0).random((11, 3)), delimiter=",")
    return str(path)


@pytest.fixture
def few(monkeypatch):
    """Three statements instead of all, so that a test of the command costs nothing."""
    made = [
        Statement(1, "a = b", "here", 1.0, 1.0, 0.0, 1e-15, "rounding"),
        Statement(1, "a = b", "there", 1.0, 1.5, 0.5, 1.0, "rounding"),
        Statement(2, "c, d", "here", 1.0, 3.0, 2.0, 1e-9, "differs")
    ]
    monkeypatch.setattr(theorems, "batches", lambda *args, **settings: iter([("First", made[:2]),
                                                                             ("Second", made[2:])]))
    return made


def test_the_table_shows_the_worst_of_each_name(few, capsys):
    assert cli.main(["reproduce"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "First"
    assert lines[3].strip() == "worst of 2: there (rounding)"
    assert lines[4].split() == ["1", "a", "=", "b", "1", "=", "1.5", "5.0e-01", "1.0e+00", "yes"]
    assert lines[9].split() == ["2", "c,", "d", "1", "!=", "3", "2.0e+00", "1.0e-09", "yes"]
    assert "2 rows show the worst of 3: 3 of 3 statements hold." in lines
    assert max(map(len, lines)) <= 100


def test_a_group_that_several_rooms_share_is_one_table_in_ascending_order(few, monkeypatch, capsys):
    shared = [Statement(k, f"s{k}", "here", 1.0, 1.0, 0.0, 1e-15, "rounding") for k in (7, 29, 8)]
    parts = [("Slices", shared[:2]), ("Slices", shared[2:]), ("Other", few[:1])]
    monkeypatch.setattr(theorems, "batches", lambda *args, **settings: iter(parts))
    assert cli.main(["reproduce"]) == 0
    out = capsys.readouterr().out
    assert out.count("Slices\n") == 1
    assert out.index(" 7  s7") < out.index(" 8  s8") < out.index("29  s29") < out.index("Other")


def test_a_terminal_sets_the_width(few, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "64")
    assert cli.main(["reproduce"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 64


def test_a_statement_that_fails_is_named_and_the_status_is_1(few, monkeypatch, capsys):
    broken = [Statement(5, "e = f", "here", 1.0, 2.0, 1.0, 0.5, "quadrature")]
    monkeypatch.setattr(theorems, "batches",
                        lambda *args, **settings: iter([("Only", few + broken)]))
    assert cli.main(["reproduce"]) == 1
    out = capsys.readouterr().out
    assert "3 of 4 statements hold, 1 FAIL." in out
    assert "FAILED:  5  e = f  [here]: 1 = 2, gap 1.0e+00, bound 5.0e-01 (quadrature): FAILS" in out
    assert " NO" in out
    assert cli.main(["reproduce", "--json"]) == 1


def test_json_has_every_statement(few, capsys):
    assert cli.main(["reproduce", "--json"]) == 0
    read = json.loads(capsys.readouterr().out)
    assert [entry["group"] for entry in read] == ["First", "First", "Second"]
    assert read[1] == {"group": "First", **few[1].as_dict()}


def test_an_interruption_leaves_what_is_done(few, monkeypatch, capsys):
    def interrupted(*args, **settings):
        yield "First", few[:2]
        raise KeyboardInterrupt
    monkeypatch.setattr(theorems, "batches", interrupted)
    assert cli.main(["reproduce"]) == 130
    out, err = capsys.readouterr()
    assert "Interrupted: the other statements were not evaluated." in out
    assert "2 of 2 statements hold." in " ".join(out.split())
    assert "interrupted; what is above is done" in err
    assert cli.main(["reproduce", "--json"]) == 130
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_the_settings_reach_the_statements(monkeypatch, table, capsys):
    seen = {}
    monkeypatch.setattr(
        theorems, "batches", lambda data, exact, **settings: seen.update(
            settings, shape=data.shape, exact=exact) or iter([]))
    assert cli.main(
        ["reproduce", "--data", table, "--sigma", "0.7", "--hidden", "5", "--seed", "3",
         "--exact"]) == 0
    assert seen == {
        "sigma": 0.7,
        "hidden": 5,
        "seed": 3,
        "shape": (11, 3),
        "exact": True,
        "name": "rows of mine.csv"
    }
    monkeypatch.setattr(sys, "argv", ["refsm", "reproduce", "--data", table])
    assert cli.main() == 0
    assert (seen["sigma"], seen["hidden"], seen["seed"]) == (None, 100, 0)


def test_too_large_an_array_is_one_sentence_and_status_2(monkeypatch, capsys):
    def large(*args, **settings):
        raise MemoryError("Unable to allocate 7 TiB")

    monkeypatch.setattr(theorems, "batches", large)
    assert cli.main(["reproduce"]) == 2
    assert capsys.readouterr() == (
        "", "refsm: this does not fit into memory: Unable to allocate 7 TiB\n")


def run(*arguments, **more):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    return subprocess.run([sys.executable, "-m", "refsm", *arguments],
                          capture_output=True,
                          text=True,
                          env=env,
                          cwd=ROOT,
                          **more)


def bad(folder):
    np.save(folder / "line.npy", np.ones(3))
    np.save(folder / "nan.npy", np.array([[1.0, np.nan]]))
    (folder / "poem.csv").write_text("roses are red\nviolets are blue\n")
    (folder / "empty.csv").write_text("")
    return [(["--data", str(folder / "none.npy")], "none.npy must be a file that can be read"),
            (["--data", str(folder / "line.npy")], "must have shape (n, d), but its shape is (3,)"),
            (["--data", str(folder / "nan.npy")], "must be finite, but it has nan at (0, 1)"),
            (["--data",
              str(folder / "poem.csv")], "must contain rows of as many comma-separated numbers"),
            (["--data", str(folder / "empty.csv")], "must contain at least one row of numbers"),
            (["--data", ""], "the path of a table must not be empty"),
            (["--figures", ""], "--figures must name a folder, but it is empty"),
            (["--sigma", "0"], "sigma must be finite and > 0, but it is 0.0"),
            (["--sigma", "nan"], "sigma must be finite and > 0, but it is nan"),
            (["--hidden", "0"], "hidden must be a whole number >= 1, but it is 0"),
            (["--seed", "-1"], "seed must be a whole number >= 0, but it is -1")]


def test_each_mistake_of_a_user_is_one_sentence_and_status_2(tmp_path, capsys):
    for arguments, sentence in bad(tmp_path):
        assert cli.main(["reproduce", *arguments]) == 2, arguments
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert err.startswith("refsm: ")
        assert sentence in err


@pytest.mark.parametrize(("arguments", "sentence"),
                         [(["reproduce", "--colour"], "unrecognized arguments: --colour"),
                          (["reproduce", "--sigma", "wide"], "invalid float value: 'wide'"),
                          ([], "COMMAND"), (["bake"], "invalid choice: 'bake'")])
def test_argparse_says_what_it_cannot_read(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err


def test_help_fits_one_screen(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    out = capsys.readouterr().out
    assert stopped.value.code == 0
    assert len(out.splitlines()) <= 24
    for command in cli.COMMANDS:
        assert command in out


def test_figures_without_matplotlib_are_refused_before_any_work(monkeypatch, tmp_path, capsys):
    import importlib.util
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None
                        if name == "matplotlib" else real(name, *more))
    assert cli.main(["reproduce", "--figures", str(tmp_path / "pictures")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "pip install 'refsm[plot]'" in err
    assert not (tmp_path / "pictures").exists()


@pytest.mark.slow
def test_figures_are_drawn_where_matplotlib_is(few, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert cli.main(["reproduce", "--figures", str(tmp_path / "pictures")]) == 0
    assert {path.name
            for path in (tmp_path / "pictures").iterdir()
            } == {"chain.png", "losses.png", "gaps.png", "digits.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG")
               for path in (tmp_path / "pictures").iterdir())


@pytest.mark.slow
def test_the_real_command_on_the_digits_holds_in_exact_numbers_too():
    done = run("reproduce", "--exact")
    assert done.stderr == ""
    assert done.returncode == 0
    assert "statements hold." in done.stdout
    assert "(exact)" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.slow
def test_a_reader_that_stops_reading_is_no_error(table):
    command = f"'{sys.executable}' -m refsm reproduce --data '{table}' | head -1"
    done = subprocess.run(["bash", "-c", command],
                          capture_output=True,
                          text=True,
                          env={
                              **os.environ, "PYTHONPATH": str(ROOT)
                          },
                          cwd=ROOT)
    assert done.stderr == ""


@pytest.mark.parametrize("first, loaded", [
    ("import refsm", ["refsm"]),
    ("from refsm.cli import main; main(['study'])", ["refsm", "refsm.cli", "refsm.study"]),
    ("from refsm import cli; cli._parser()", ["refsm", "refsm.cli"]),
    ("from refsm import cli; cli._parser(['reproduce'])", ["refsm", "refsm.cli"])])
def test_nothing_is_loaded_that_a_command_does_not_need(first, loaded):
    code = (f"{first}\nimport sys; print(sorted(m for m in sys.modules if m.count('.') < 2 and "
            "m.split('.')[0] in ('scipy', 'refsm', 'numpy')))")
    done = subprocess.run([sys.executable, "-c", code],
                          capture_output=True,
                          text=True,
                          env={
                              **os.environ, "PYTHONPATH": str(ROOT)
                          },
                          cwd=ROOT)
    assert done.stdout.splitlines()[-1] == str(loaded)


def test_the_statements_on_data_use_the_data(table):
    data = np.loadtxt(table, delimiter=",")
    made = denoising.dsm_is_dae(denoising.Setting(data, "rows of mine.csv", 0.7, 5, 3))
    assert made[0].where == "11 rows of mine.csv, d=3, m=5, sigma=0.7"
    assert all(s.holds for s in made)


def unread():
    """A stream whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


@pytest.mark.parametrize("how, status", [("rounding", 1), ("differs", 0)])
def test_a_reader_that_stops_gets_the_status_of_what_was_evaluated(few, monkeypatch, how, status):
    first = [dataclasses.replace(few[2], how=how)]               # 1 and 3, whatever is stated
    monkeypatch.setattr(theorems, "batches",
                        lambda *args, **settings: iter([("First", first), ("Second", few[:2])]))
    with unread() as out, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        assert cli.main(["reproduce"]) == status


def test_a_reader_that_stops_before_there_is_a_command_is_no_mistake(monkeypatch):
    def nobody(words):
        raise BrokenPipeError

    monkeypatch.setattr(cli, "_parser", nobody)
    with unread() as out, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        assert cli.main(["reproduce", "--help"]) == 0
