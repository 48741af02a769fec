"""The self-test passes, and would not if the diagnosis were worse."""
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from refsm.verify import cases
from refsm.verify.diagnosis import selftest as room
from refsm.verify.mistakes import formulas
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.diagnosis.scaling import ONE, parse_scaling
from refsm.verify.diagnosis.regression import Table
from refsm.verify.diagnosis.selftest import judge, kill_table, selftest
from refsm.verify.diagnosis.wrong_losses import (WrongLoss, double_mistake, no_mistake,
                                                 single_mistakes)


@pytest.mark.slow
def test_the_quick_self_test_passes():
    done = selftest(quick=True)
    assert done.passed
    assert str(done).startswith("self-test of the diagnosis: passed\n")
    assert set(done.counts) == {
        "kill table", "named", "in float32", "left out", "doubles", "random", "right", "tampering"
    }


@pytest.mark.slow
def test_the_whole_self_test_passes():
    done = selftest(quick=False)
    assert done.passed, str(done)
    assert sum(done.counts["kill table"].values()) >= 3000
    assert sum(done.counts["doubles"].values()) >= 200
    assert sum(done.counts["right"].values()) >= 1000
    assert sum(done.counts["named"].values()) >= 1000
    single = done.counts["in float32"]
    assert single.get("unexplained", 0) <= single["right"] / 1000    # 1 / 10 of a small term


def outcomes(objective, seed=4):
    """What the quick trials of one objective give: counts, and what is bad."""
    counts, bad = {}, []
    for kind, outcome, said in room._trials(objective, 2, np.random.default_rng(seed)):
        counts[kind, outcome] = counts.get((kind, outcome), 0) + 1
        bad += [said] if said else []
    return counts, bad


@pytest.mark.slow
def test_every_kind_of_trial_is_made_of_an_objective(monkeypatch):
    judged, asked, judges, diagnoses = [], [], room.judge, room.diagnose
    monkeypatch.setattr(room, "judge", lambda *of, **more: judged.append(of) or judges(*of, **more))
    monkeypatch.setattr(room, "diagnose", lambda *of, **more: (
        asked.append((of[1], room.table_of(tuple(of[0])))) or diagnoses(*of, **more)))
    counts, bad = outcomes("generalized")
    left_out, doubles = (sum(n for (of, _), n in counts.items() if of == kind)
                         for kind in ("left out", "doubles"))
    assert bad == []
    assert counts["kill table", "killed by two cases or more"] == len(kill_table("generalized"))
    assert counts["named", "right"] == counts["in float32", "right"] == 8
    assert 1 <= left_out <= 8
    assert doubles == counts["random", "unexplained"] == 2
    assert counts["right", "no alarm"] == 12
    assert counts["tampering", "noticed"] == 1
    _, here, other, *_ = judged[0]
    assert here.cases[0].id != other.cases[0].id
    assert [float32 for *_, float32 in judged[-2:]] == [False, True]          # the doubles
    tampered, table = asked[-1]
    off = (tampered[table.index] - table.reference) / table.scale
    assert np.sort(off.ravel()) == pytest.approx([0] * 35 + [1e-4], abs=1e-9)


def test_a_diagnosis_that_explains_nothing_or_all_as_the_reference_fails(monkeypatch):
    table = Table(cases("generalized", "prime", 3))
    right = room.diagnose(table.cases, table.reference.ravel())
    monkeypatch.setattr(room, "kill_table", lambda objective: {"some mistake": 1, "another": 2})
    for answer, fails in ((right, {"named: wrong", "doubles: wrong", "random: explained",
                                   "right: false alarm", "tampering: missed"}),
                          (replace(right, explanation=None),
                           {"named: unexplained", "right: false alarm"})):
        monkeypatch.setattr(room, "diagnose", lambda *args, answer=answer, **settings: answer)
        counts, bad = outcomes("generalized")
        found = {": ".join(key) for key in counts}
        assert fails | {"kill table: not killed"} <= found
        assert counts["kill table", "killed by two cases or more"] == 1
        assert "generalized: some mistake: 1" in bad
        assert len(bad) > 10


def test_every_mistake_is_killed_by_two_cases_at_least():
    kills = kill_table("pseudo")
    assert min(kills.values()) >= 2
    assert len(kills) > 40


@pytest.mark.slow
@pytest.mark.parametrize(
    "objective",
    ["dsm", *(pytest.param(objective, marks=pytest.mark.slow) for objective in ("ism", "ratio"))])
def test_double_mistakes_are_right_or_unexplained(objective):
    rng = np.random.default_rng(8)
    here, other = Table(cases(objective, "prime", 21)), Table(cases(objective, "prime", 22))
    found = [
        judge(double_mistake(objective, rng), here, other, rng, float32=bool(k % 2))[0]
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
    assert judge(mistake, here, other, np.random.default_rng(0))[0] == "wrong"


def test_an_explanation_is_right_up_to_the_constant_that_it_leaves_open():
    table = Table(cases("generalized", "prime", 3))
    e = room.diagnose(table.cases, table.reference.ravel()).explanation
    other = replace(e, constant="other")
    shifted = table.reference + np.arange(6)[:, None]
    assert room._agrees(e, table, 1.0007 * table.reference)
    assert not room._agrees(e, table, 1.0014 * table.reference)
    assert not room._agrees(e, table, shifted)
    assert room._agrees(other, table, shifted)
    assert not room._agrees(other, table, shifted * 1.01)


def test_double_mistakes_are_two_rows_a_row_and_a_scaling_or_scalings():
    rng, seen = np.random.default_rng(5), set()
    for _ in range(60):
        loss = double_mistake("ism", rng)
        scaled = sum(not scaling.is_one for scaling in loss.scalings)
        seen.add((len(loss.formula.mistakes), scaled))
        assert "extra" not in [m.role for m in loss.formula.mistakes]
    assert {(2, 0), (1, 1), (0, 2)} <= seen <= {(2, 0), (1, 0), (1, 1), (0, 0), (0, 1), (0, 2)}
    none_with_two = [double_mistake("edm_prediction", rng) for _ in range(12)]
    assert {len(loss.formula.mistakes) for loss in none_with_two} == {0, 1}
    for loss in none_with_two:
        scaled = sum(not scaling.is_one for scaling in loss.scalings)
        assert scaled == (1 if loss.formula.mistakes else len(loss.formula.terms))


def test_a_mistake_says_what_it_is():
    names = [str(mistake) for mistake in single_mistakes("dsm")]
    assert {"the norm is not squared", "|psi|^2 / 2 x 2", "constant x 0",
            "-psi.g x 2; constant x 4",
            "|psi|^2 / 2 x 2; -psi.g x 2; constant x 2"} <= set(names)
    assert len(names) == len(set(names))
    assert all(len(loss.scalings) == len(loss.formula.terms) for loss in single_mistakes("dsm"))
    assert len({str(mistake) for mistake in single_mistakes("ratio")}) == len(
        list(single_mistakes("ratio")))
    for loss in single_mistakes("regularized"):
        assert "constant" not in str(loss)                     # the objective has none
        assert len(loss.scalings) == len(loss.formula.terms)
        assert sum(not scaling.is_one for scaling in loss.scalings) in (0, 1, 3)
    assert str(no_mistake("dsm")) == "the reference"


def test_a_case_kills_what_changes_its_answer_by_a_ten_thousandth_of_its_terms(monkeypatch):
    def off(share):
        return SimpleNamespace(share=share, values=lambda of: of.reference + share * of.scale)

    monkeypatch.setattr(room, "single_mistakes", lambda objective: [off(0.7e-4), off(-1.4e-4)])
    assert list(kill_table("generalized").values()) == [0, 36]


def test_a_mistake_that_changes_no_answer_of_the_cases_is_not_asked_for(monkeypatch):
    right, double = no_mistake("generalized"), list(single_mistakes("generalized"))[-1]
    monkeypatch.setattr(room, "single_mistakes", lambda objective: [right, double])
    counts, _ = outcomes("generalized")
    assert counts["named", "right"] == 1


def test_float32_answers_are_off_by_roundings_of_float32(monkeypatch):
    table, seen = Table(cases("generalized", "prime", 3)), []
    monkeypatch.setattr(room, "diagnose", lambda some, values, **settings: (
        seen.append(values) or SimpleNamespace(explanation=None)))
    judge(no_mistake("generalized"), table, table, np.random.default_rng(3), float32=True)
    assert (seen[0].astype(np.float32) == seen[0]).all()
    off = seen[0] / no_mistake("generalized").answers(table) - 1
    assert 0.7 * 2.0**-23 < off.max() < 1.5 * 2.0**-23
    assert -0.7 * 2.0**-23 > off.min() > -1.5 * 2.0**-23


@pytest.mark.parametrize("quick, count, objectives", [(True, 2, ["dsm", "ism", "ratio"]),
                                                      (False, 50, list(OBJECTIVES))])
def test_outcomes_are_counted_by_kind_over_all_objectives(monkeypatch, quick, count, objectives):
    asked = []
    monkeypatch.setattr(room, "_trials", lambda *of: asked.append(of[:2]) or [
        ("named", "right", ""), ("random", "explained", of[0]), ("named", "right", "")])
    done = selftest(quick)
    assert asked == [(objective, count) for objective in objectives]
    assert done.counts == {"named": {"right": 2 * len(asked)}, "random": {"explained": len(asked)}}
    assert done.failures == tuple(f"random: {objective}" for objective in objectives)


def test_a_failing_self_test_lists_its_failures():
    done = room.SelfTest({"named": {"wrong": 1}}, ("named: dsm: something",))
    assert not done.passed
    assert "1 failures" in str(done)
    assert "FAILED named: dsm: something" in str(done)
