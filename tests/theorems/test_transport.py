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


@pytest.mark.parametrize("part", ["x", "log_density"])
def test_a_flow_that_is_off_is_seen(monkeypatch, part):
    real = room.probability_flow

    def wrong(*given, **more):
        flow = real(*given, **more)
        return flow._replace(**{part: getattr(flow, part) * (1 + 1e-6)})

    monkeypatch.setattr(room, "probability_flow", wrong)
    assert not room.log_density()[0].holds  # a point that is off has another density
    if part == "x":
        assert not room.gaussian_points()[0].holds
