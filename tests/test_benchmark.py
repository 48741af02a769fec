"""The benchmark runs at tiny sizes, whatever is installed, and its report has the form that it promises; nothing is timed here."""
import json
import re
import sys
import time

import pytest

from demos import benchmark


@pytest.fixture
def without_rivals(monkeypatch):
    """torch and JAX take seconds to import."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "jax", None)


def test_every_energy_and_objective_is_in_the_report(without_rivals, capsys):
    benchmark.main(["--tiny", "--rounds", "1", "--json", "--cpu"])
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["finished"] and report["rivals"] == {} and report["rounds"] == 1 and report["clock"] == "process_time"
    assert {(row["energy"], row["objective"]) for row in report["rows"]} == {case[:2] for case in benchmark.cases(benchmark.LARGE)}
    assert all(row["products_seconds"] > 0 and row["refsm_seconds"] > 0 for row in report["rows"])
    assert [row["grows"] for row in report["growth"]] == ["n", "d", "m"] * 2
    assert err.count("it is not installed") == 2


def test_the_tables_are_narrow_and_the_missing_are_named(without_rivals, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    benchmark.main(["--tiny", "--rounds", "1", "--figure", str(tmp_path / "here" / "picture.png")])
    out, err = capsys.readouterr()
    assert err == ""                                         # progress is for terminals
    assert "No torch: it is not installed (pip install torch brings it).\nNo jax:" in out
    assert max(map(len, out.replace(str(tmp_path), "").splitlines())) <= 100
    assert re.search(r"^binary RBM +ratio +40 +6 +5 ", out, re.MULTILINE) and re.search(r"^autoencoder +implicit +m from 5 ", out, re.MULTILINE)
    assert (tmp_path / "here" / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_leaves_what_is_done(without_rivals, capsys, monkeypatch):
    measure, done = benchmark.measure, []

    def interrupted(*arguments):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(measure(*arguments))
        return done[-1]

    monkeypatch.setattr(benchmark, "measure", interrupted)
    benchmark.main(["--tiny", "--rounds", "1"])
    out, _ = capsys.readouterr()
    assert "interrupted: 3 of " in out and len(re.findall(r"^autoencoder ", out, re.MULTILINE)) == 3


def test_the_sizes_of_a_case_are_those_of_its_data():
    for case in benchmark.cases(benchmark.TINY):
        p = benchmark.problem(case)
        assert p.x.shape == p.x_noisy.shape == p.v.shape == (case.n, case.d) and p.model.d == case.d
        assert benchmark.chunk_of(case) == case.n


def test_a_rival_that_finds_another_value_is_refused():
    case = benchmark.Case("autoencoder", "denoising", 7, 3, 5)
    wrong = type("F", (), {"name": "wrong", "rival": staticmethod(lambda *a: lambda points: (1.0, None))})
    with pytest.raises(ArithmeticError, match="^wrong .autodiff. must find "):
        benchmark.measure(case, [wrong], 1, time.process_time)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")            # of their own
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_a_rival_that_is_installed_finds_the_same_values(name):
    pytest.importorskip(name)
    F = {"torch": benchmark.torch_framework, "jax": benchmark.jax_framework}[name]()
    for case in benchmark.cases(benchmark.TINY):
        if case.energy in ("autoencoder", "Parzen", "binary RBM"):
            row = benchmark.measure(case, [F], 1, time.process_time)           # an ArithmeticError where a value differs
            assert row[name]["seconds"] > 0 and row[name]["form"] in row[name]["all"]
