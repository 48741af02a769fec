"""Where a loss that is not explained is right."""
from types import SimpleNamespace

import numpy as np
import pytest

from refsm.verify import verify
from refsm.verify.cases import value
from refsm.verify.diagnosis.precision import FLOAT64
from refsm.verify.report.where import where_right


def other(case):
    """Something that no formula explains."""
    return value(case)**2


def right_where(known):
    """Twice the reference where the case is known, and nothing that is known elsewhere."""
    return lambda case: 2 * value(case) if known(case) else other(case)


@pytest.mark.parametrize("objective, known, note", [
    ("ism", lambda case: case.d == 3, "where d = 3, and not where d = 5"),
    ("dsm", lambda case: case.sigma < 1, "where sigma = 0.37 or 0.61, and not where sigma = 1.3"),
    ("ism", lambda case: case.group in ("c1", "c5"), "in the groups c1, c5 alone")])
def test_the_sizes_that_right_and_wrong_cases_do_not_share_are_said(objective, known, note):
    report = verify(right_where(known), objective)
    assert report.verdict == "UNEXPLAINED"
    assert f"the answers are the reference's, up to a factor, {note}" in report.notes


def test_rounding_is_relative_to_the_terms_times_the_factor():
    mine = 1e6 * np.arange(1.0, 10).reshape(3, 3)        # 1e-9 is rounding of 3e6, and not of 3
    yours = np.where(mine > 6e6, mine**2, 3 * mine + 1e-9 * np.array([1, -1, 1]))
    table = SimpleNamespace(reference=mine, scale=mine, sizes=[{"n": n} for n in (7.0, 13.0, 19.0)])
    found = SimpleNamespace(answers=yours, table=table, tolerance=FLOAT64, right=yours == mine)
    assert where_right(found).endswith("where n = 7 or 13, and not where n = 19")


def with_divergence(times):
    return lambda case: (case.score(case.x)**2).sum(axis=1).mean() + 2 * times(
        case) * case.score_divergence(case.x).mean()


@pytest.mark.parametrize("wrong", [
    other, lambda case: np.sqrt(case.d) * case.n * value(case),
    with_divergence(lambda case: case.d / 3),                      # an explanation, 1 where d = 3
    with_divergence(lambda case: 7.3 if case.group in ("c1", "c2") else 1.0)])      # coefficients
def test_nothing_is_said_where_no_group_is_right_or_where_it_is_explained(wrong):
    assert not any("up to a factor" in note for note in verify(wrong, "ism").notes)


def test_what_the_name_says_is_not_said_again():
    report = verify(lambda case: value(case) if case.d == 3 else other(case), "ism")
    assert report.name.endswith("they are right where d is 3 and wrong where it is 5")
    assert not any("up to a factor" in note for note in report.notes)
