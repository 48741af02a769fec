"""Statement 46 holds; a wrong closed form, covariance or information makes it fail."""
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from computations import compared

from refsm.theorems import linear


def failed(maker):
    return [s for s in maker() if not s.holds]


def test_the_statements_hold_and_none_is_missing():
    made = {maker.__name__: compared(linear, maker)[0] for maker in linear.MAKERS + linear.EXACT}
    assert not [str(s) for some in made.values() for s in some if not s.holds]
    assert {name: len(some) for name, some in made.items()} == {
        "minimiser": 2, "gaussian": 2, "quartic": 4, "exactly": 1}


def test_the_efficiency_of_the_quartic_is_the_one_that_is_published():
    *_, efficiency = linear.quartic()
    assert efficiency.left == pytest.approx(0.685, abs=5e-4)


def test_derivatives_of_a_term_by_hand():
    point = np.array([2.0, 3.0, 5.0])
    assert linear._power(point, [2, 0, 1], 0) == 2 * 2 * 5
    assert linear._power(point, [2, 0, 1], 0, 0) == 2 * 5
    assert linear._power(point, [2, 0, 1], 2, 2) == 0
    assert linear._power(point, [2, 0, 1], 1) == 0
    assert linear._power(np.zeros(3), [0, 1, 0], 1) == 1


@pytest.mark.parametrize(("field", "makers"), [
    ("hessian", ["minimiser", "quartic"]), ("asymptotic_variance", ["gaussian", "quartic"])])
def test_a_wrong_matrix_is_seen(monkeypatch, field, makers):
    real = linear.closed_form

    def wrong(J, model):
        found = real(J, model)
        return replace(found, **{field: (1 + 1e-8) * getattr(found, field)})

    monkeypatch.setattr(linear, "closed_form", wrong)
    assert [m.__name__ for m in linear.MAKERS if failed(m)] == makers


def test_a_wrong_minimiser_is_seen(monkeypatch):
    real = linear.closed_form

    def wrong(J, model):
        found = real(J, model)
        factor = Fraction(10**9 + 1, 10**9) if found.model.ravel().dtype == object else 1 + 1e-9
        return replace(found, model=model.unravel(factor * found.model.ravel()))

    monkeypatch.setattr(linear, "closed_form", wrong)
    assert all(failed(maker) for maker in linear.MAKERS + linear.EXACT)


def test_wrong_information_is_seen(monkeypatch):
    real = linear.fisher_information
    monkeypatch.setattr(linear, "fisher_information", lambda *args: (1 + 1e-11) * real(*args))
    assert len(failed(linear.quartic)) == 2
