"""The command that a report prints gives the same report again, whatever the options were."""
import json
import shlex

import pytest

from refsm.cli import main
from refsm.verify import verify
from refsm.verify.api import ask_and_judge
from refsm.verify.cases import value
from refsm.verify.reproduce import command_of, named

ADAPTERS = """
import numpy as np
from refsm.verify.cases import gradient, value

def half(case):
    blocks = {} if case.model is None else {"gradient": gradient(case)}
    return {"value": value(case) / 2, **blocks}

def few(case):
    return value(case) * (1.5 if case.id.endswith("c1/t2") else 1.0)

def drawn(case, rng):
    eps = rng.standard_normal(case.x.shape)
    alpha = np.asarray(getattr(case, "alpha", 1.0))[..., None]
    sigma = np.asarray(case.sigma)[..., None]
    if "noise" in case.objective:
        return ((case.prediction(alpha * case.x + sigma * eps) - eps)**2).sum(axis=1).mean() / 3
    return ((case.score(case.x + sigma * eps) + eps / sigma)**2).sum(axis=1).mean()
"""


@pytest.fixture
def again(tmp_path, monkeypatch, capsys):
    """The report, as the command line prints it, and the report of the command in it."""
    (tmp_path / "adapters_of_mine.py").write_text(ADAPTERS)
    (tmp_path / "known failures.txt").write_text("prime/dsm/c1/t2   # a bug\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def asked(function, objective, **options):
        report = verify(f"adapters_of_mine:{function}", objective, **options)
        command = shlex.split(report.reproduce.splitlines()[0])
        assert command[:2] == ["refsm", "verify"]
        capsys.readouterr()
        status = main([*command[1:], "--json"])
        assert status == report.exit_status
        assert json.loads(capsys.readouterr().out) == json.loads(report.to_json())
        return " ".join(command[4:])

    return asked


OPTIONS = [
    ("half", "dsm", {}, "dsm"),
    ("half", "denoising", {"seed": 7, "time_limit": 2.5}, "dsm --seed 7 --time-limit 2.5"),
    ("few", "dsm", {"known_failures": "known failures.txt"},
     "dsm --known-failures known failures.txt"),
    *(pytest.param(*row, marks=pytest.mark.slow) for row in (
        ("half", "dsm", {"model": "gaussian", "convention": "2 / d"},
         "dsm --convention 2 / d --model gaussian"),
        ("half", "ism", {"family": "array", "time_limit": 40.0},
         "ism --family array --time-limit 40"),
        ("half", "multi_level", {"convention": "1/2"}, "multi_level --convention 1/2"),
        ("half", "dsm", {"gradient": True, "family": "prime"}, "dsm --gradient --family prime"),
        ("half", "dsm", {"predicts": "noise"}, "dsm --predicts noise"),
        ("half", "noise_prediction", {}, "noise_prediction"),
        ("half", "dsm", {"predicts": "score", "seed": 3}, "dsm --predicts score --seed 3"),
        ("half", "dsm_levels", {"predicts": "edm", "model": "mixture", "gradient": True},
         "dsm_levels --predicts edm --gradient --model mixture"),
        ("drawn", "dsm", {"own_noise": True}, "dsm --own-noise"),
        ("drawn", "dsm", {"own_noise": True, "replicates": 40, "seed": 5, "convention": "2"},
         "dsm --own-noise --replicates 40 --convention 2 --seed 5"),
        ("drawn", "dsm", {"own_noise": True, "replicates": 40, "predicts": "noise",
                          "time_limit": 33.3},
         "dsm --predicts noise --own-noise --replicates 40 --time-limit 33.3")))]


@pytest.mark.parametrize("function, objective, options, printed", OPTIONS)
def test_the_printed_command_gives_the_same_report(again, function, objective, options, printed):
    assert again(function, objective, **options) == printed


def test_there_is_no_command_where_it_would_not_be_the_same():
    assert command_of("a:b", "dsm", {"known_failures": ["prime/dsm/c1/t2"]}) == ""
    assert command_of("", "dsm", {}) == ""
    assert command_of("a:b", "dsm", {"time_limit": 1 / 3}).endswith(f"--time-limit {1 / 3!r}")
    assert named(lambda case: 0) == ""
    assert named(verify) == "refsm.verify.api:verify"


def test_a_command_that_is_given_is_the_one_that_is_printed():
    settings = {name: None for name in ("cases", "convention", "model", "predicts",
                                        "known_failures")}
    report = ask_and_judge(lambda case: 2 * value(case), "dsm", "--cmd './my dsm'", gradient=False,
                           family="paper", seed=0, time_limit=60.0, **settings)
    assert report.reproduce == ("refsm verify --cmd './my dsm' --objective dsm --family paper\n"
                                "refsm show paper/dsm/0 --steps")
