"""The self-test passes, and would not if the diagnosis were worse."""
import numpy as np
import pytest

from refsm.verify import cases
from refsm.verify.diagnosis import selftest as room
from refsm.verify.mistakes import formulas
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.diagnosis.scaling import ONE, parse_scaling
from refsm.verify.diagnosis.regression import Table
from refsm.verify.diagnosis.selftest import false_alarms, judge, kill_table, selftest
from refsm.verify.diagnosis.wrong_losses import WrongLoss, double_mistake, single_mistakes


@pytest.mark.slow
def test_the_quick_self_test_passes():
    done = selftest(quick=True)
    assert done.passed
    assert str(done).startswith("self-test of the diagnosis: passed\n")
    assert set(done.counts) == {
        "kill table", "named", "left out", "doubles", "random", "right", "tampering"
    }


@pytest.mark.slow
def test_the_whole_self_test_passes():
    done = selftest(quick=False)
    assert done.passed, str(done)
    assert sum(done.counts["doubles"].values()) >= 200
    assert sum(done.counts["right"].values()) >= 1000
    assert sum(done.counts["named"].values()) >= 1000


@pytest.mark.parametrize("objective", ["esm", "regularized", "ssm", "pseudo"])
def test_every_mistake_is_killed_by_two_cases_at_least(objective):
    kills = kill_table(objective)
    assert min(kills.values()) >= 2
    assert len(kills) > 40


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_right_answers_raise_no_alarm(objective):
    assert set(false_alarms(objective, [3, 1000])) == {None}


@pytest.mark.slow
@pytest.mark.parametrize(
    "objective",
    ["dsm", *(pytest.param(objective, marks=pytest.mark.slow) for objective in ("ism", "ratio"))])
def test_double_mistakes_are_right_or_unexplained(objective):
    rng = np.random.default_rng(8)
    here, other = Table(cases(objective, "prime", 21)), Table(cases(objective, "prime", 22))
    found = [
        judge(double_mistake(objective, rng), here, other, rng, float32=bool(k % 2)).outcome
        for k in range(16)
    ]
    assert "wrong" not in found
    assert found.count("right") >= 12


def test_a_diagnosis_that_names_the_wrong_mistake_is_caught(monkeypatch):
    here, other = Table(cases("ism", "prime", 21)), Table(cases("ism", "prime", 22))
    mistake = WrongLoss(formulas("ism", "autoencoder")[0], (parse_scaling("2"), ONE))
    right = room.diagnose
    monkeypatch.setattr(
        room, "diagnose",
        lambda some, values, **settings: right(some, [2 * v for v in values], **settings))
    assert judge(mistake, here, other, np.random.default_rng(0)).outcome == "wrong"


def test_a_mistake_says_what_it_is():
    names = [str(mistake) for mistake in single_mistakes("dsm")]
    assert "the norm is not squared" in names
    assert "|psi|^2 / 2 x 2" in names
    assert "constant x 0" in names
    assert len(names) == len(set(names))


def test_a_failing_self_test_lists_its_failures():
    done = room.SelfTest({"named": {"wrong": 1}}, ("named: dsm: something",))
    assert not done.passed
    assert "1 failures" in str(done)
    assert "FAILED named: dsm: something" in str(done)
