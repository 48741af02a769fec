"""Statement 43 holds, and a flow that is off makes it fail."""

import pytest
from computations import statements

from refsm.theorems import transport as room


def test_it_holds_with_a_bound_that_sees_a_mistake():
    made = statements(room)
    assert [s.number for s in made] == [43, 43]
    for s in made:
        assert s.holds, str(s)
        assert s.bound < 1e-6
        assert s.gap < s.bound / 10  # the bound is the error of the looser flow


@pytest.mark.slow
def test_a_flow_that_is_off_is_seen(monkeypatch):
    """In its log density; and in its points, which have another density there."""
    real, flows = room.probability_flow, []
    monkeypatch.setattr(room, "probability_flow",
                        lambda *given, **more: flows.append(real(*given, **more)) or flows[-1])
    assert [s.holds for maker in room.MAKERS for s in maker()] == [True, True]
    for part, makers in (("log_density", room.MAKERS[:1]), ("x", room.MAKERS)):
        wrong = iter([flow._replace(**{part: getattr(flow, part) * (1 + 1e-6)}) for flow in flows])
        monkeypatch.setattr(room, "probability_flow", lambda *given, **more: next(wrong))
        assert not [str(s) for maker in makers for s in maker() if s.holds]
