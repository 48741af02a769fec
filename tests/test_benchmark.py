"""The benchmark runs at tiny sizes, whatever is installed; nothing is timed here."""
import json
import re
import sys
import time

import numpy as np
import pytest

from demos.benchmark import __main__ as command
from demos.benchmark import cases, measure, rivals


@pytest.fixture
def without_rivals(monkeypatch):
    """torch and JAX take seconds to import."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "jax", None)


def test_every_energy_and_objective_is_in_the_report(without_rivals, capsys):
    command.main(["--tiny", "--rounds", "1", "--json", "--cpu"])
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["finished"]
    assert (report["rivals"], report["rounds"], report["clock"]) == ({}, 1, "process_time")
    found = {(row["energy"], row["objective"]) for row in report["rows"]}
    assert found == {case[:2] for case in cases.cases(cases.LARGE)}
    assert all(row["products_seconds"] > 0 for row in report["rows"])
    assert all(row["refsm_seconds"] > 0 for row in report["rows"])
    assert [row["grows"] for row in report["growth"]] == ["n", "d", "m"] * 2 + ["threads"]
    assert err.count("it is not installed") == 2
    assert len(re.findall(r"^\d+/\d+ ", err, re.M)) == len(report["rows"])


@pytest.mark.slow
def test_the_tables_are_narrow_and_the_missing_are_named(without_rivals, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "here" / "picture.png"
    command.main(["--tiny", "--rounds", "1", "--figure", str(picture)])
    out, err = capsys.readouterr()
    assert err == ""
    assert "No torch: it is not installed (pip install torch brings it).\nNo jax:" in out
    assert max(map(len, out.replace(str(tmp_path), "").splitlines())) <= 100
    assert re.search(r"^binary RBM +ratio +40 +6 +5 ", out, re.M)
    assert re.search(r"^autoencoder +implicit +m from 5 ", out, re.M)
    assert re.search(r"^autoencoder +denoising +threads from 1 ", out, re.M)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_leaves_what_is_done(without_rivals, capsys, monkeypatch):
    measured, done = measure.measure, []

    def interrupted(*arguments):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(measured(*arguments))
        return done[-1]

    monkeypatch.setattr(measure, "measure", interrupted)
    command.main(["--tiny", "--rounds", "1"])
    out, _ = capsys.readouterr()
    assert "interrupted: 3 of " in out
    assert len(re.findall(r"^autoencoder ", out, re.M)) == 3


def test_the_sizes_of_a_case_are_those_of_its_data():
    for case in cases.cases(cases.TINY):
        p = cases.problem(case)
        assert p.x.shape == p.x_noisy.shape == p.v.shape == (case.n, case.d)
        assert p.model.d == case.d
        assert rivals.chunk_of(case) == case.n


def test_a_rival_that_finds_another_value_is_refused():
    case = cases.Case("autoencoder", "denoising", 7, 3, 5)
    found = staticmethod(lambda *a: lambda points: (1.0, None))
    wrong = type("F", (), {"name": "wrong", "rival": found})
    with pytest.raises(ArithmeticError, match="^wrong .autodiff. must find "):
        measure.measure(case, [wrong], 1, time.process_time)


def test_a_number_of_rounds_below_one_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["--rounds", "0"])
    assert "--rounds: N must be a whole number >= 1, but it is 0" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")            # of their own
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_a_rival_that_is_installed_finds_the_same_values(name):
    pytest.importorskip(name)
    F = {"torch": rivals.torch_framework, "jax": rivals.jax_framework}[name]()
    for case in cases.cases(cases.TINY):
        if case.energy in ("autoencoder", *cases.EXPERTS, "Parzen", "binary RBM"):
            row = measure.measure(case, [F], 1, time.process_time)    # an error for another value
            assert row[name]["seconds"] > 0
            assert row[name]["form"] in row[name]["all"]
            hidden = case.energy != "Parzen"
            assert (row[name]["products_seconds"] is not None) == hidden


def test_the_products_of_a_rival_are_those_of_the_case():
    F = type("F", (), {"array": staticmethod(np.float32), "finish": staticmethod(list)})
    p = cases.problem(cases.Case("autoencoder", "sliced", 7, 3, 5))
    for theirs, ours in zip(rivals.products_in(F, p)()[:5], p.bare()):
        assert theirs.dtype == np.float32
        assert np.allclose(theirs, ours, rtol=1e-5)            # a few roundings in float32
    assert rivals.products_in(F, cases.problem(cases.Case("Parzen", "score", 7, 3, 0))) is None
