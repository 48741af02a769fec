"""Statement 48 holds; a wrong loss or gradient makes it fail."""
import numpy as np
import pytest
from computations import statements

from refsm.theorems import binary_flow


def failed():
    return [s for s in binary_flow.probability_flow() if not s.holds]


def test_the_statements_hold_and_none_is_missing():
    assert not [str(s) for s in statements(binary_flow) if not s.holds]
    assert len(statements(binary_flow)) == 2 * 2


@pytest.mark.parametrize(("part", "count"), [("value", 2), ("gradient", 2), ("exponent", 4)])
def test_a_planted_mistake_is_seen(monkeypatch, part, count):
    real = binary_flow.MinimumProbabilityFlow

    class Wrong(real):
        def local_loss(self, gap):
            gap = gap * (1 + 1e-9) if part == "exponent" else gap
            terms, cotangents = real.local_loss(self, gap)
            if part == "value":
                return (1 + 1e-9) * terms, cotangents
            if part == "gradient":
                return terms, {"gap": cotangents["gap"] + 1e-9 * np.asarray(self.x)}
            return terms, cotangents

    monkeypatch.setattr(binary_flow, "MinimumProbabilityFlow", Wrong)
    assert len(failed()) == count
