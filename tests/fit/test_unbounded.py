"""Functions that fall without end, and functions that look so for a while."""
import numpy as np
import pytest
from bowls import float_bowl, state_of

import refsm
from refsm.fit import unbounded
from refsm.fit.unbounded import collapse, fall

START, ALONG = np.array([1.0]), np.array([1.0])


@pytest.mark.parametrize("J", [
    lambda x: -x[0], lambda x: -1e-3 * x[0] ** 2, lambda x: -np.log(1 + x[0]),
    lambda x: 3 - x[0] ** 0.4,
])
def test_powers_and_logarithms_fall_without_end(J):
    assert fall(J, START, ALONG).startswith("unbounded below: along a line the value falls from")


@pytest.mark.parametrize("J", [
    lambda x: 1 / x[0], lambda x: np.exp(-x[0]), lambda x: (x[0] - 1e6) ** 2, lambda x: x[0],
    lambda x: 3.0, lambda x: -np.sin(x[0]), lambda x: -x[0] / (1 + 1e-3 * x[0]),
])
def test_what_levels_off_or_rises_does_not(J):
    assert fall(J, START, ALONG) == ""


def test_a_fall_towards_the_edge_of_the_domain_is_found():
    def J(x):
        return -1 / (3 - x[0]) if x[0] < 3 else np.nan

    assert "the value falls from -0.5 to" in fall(J, START, ALONG)
    assert fall(J, START, ALONG, edges=False) == ""
    assert fall(lambda x: np.log(3 - x[0]) if x[0] < 3 else np.nan, START, ALONG)
    assert not fall(lambda x: np.sqrt(3 - x[0]) if x[0] < 3 else np.nan, START, ALONG)


@pytest.mark.parametrize("p", [4.0, 2.0, 0.25, 1e-3])
def test_the_edge_is_found_at_any_distance(p):
    """At x = 3 by p from x = 1: at t = 2 / p.  The last step goes to T (1 - 2^-40)."""
    def J(x):
        return -1 / (3 - x[0]) if x[0] < 3 else np.nan

    along = np.array([p])
    t = unbounded._to_the_edge(J, START, along)
    np.testing.assert_allclose(t, 2 / p * (1 - 0.5 ** np.arange(1, 41)), rtol=1e-12)
    assert fall(J, START, along).endswith("from -0.5 to -5.5e+11")


@pytest.mark.parametrize("falls, found", [
    ([1.0, 0.5, *2.0 ** np.arange(58)], True), ([1.0, 0.5, 0.4, *2.0 ** np.arange(57)], False),
    (np.append(np.ones(31), np.zeros(29)), True), (np.append(np.ones(30), np.zeros(30)), False),
    (np.append(0.0, np.ones(59)), False),
])
def test_a_fall_does_not_shrink_from_the_third_step_on_for_more_than_half_of_the_path(falls, found):
    values = iter(-np.cumsum([0.0, *falls]))
    assert bool(fall(lambda x: next(values), START, ALONG, edges=False)) == found


def test_overflow_is_an_end_of_the_path():
    assert fall(lambda x: -x[0] ** 9 if x[0] < 1e30 else -np.inf, START, ALONG)


def test_a_path_doubles_its_steps():
    seen = []
    fall(lambda x: seen.append(x[0]) or -x[0], START, np.array([3.0]), edges=False)
    assert seen == [1.0, *(1.0 + 3 * 2.0**k for k in range(60))]


def test_a_direction_that_leads_nowhere_is_no_fall():
    for nowhere in (0.0, np.nan):
        assert fall(lambda x: -x[0], START, np.array([nowhere])) == ""


def test_the_direction_is_that_of_the_steepest_parameter(monkeypatch):
    """Downhill by its scale, 1 here, or by its size: g is (-9, 2.5, -4.2), theta (-2, 3, -1)."""
    seen = []
    monkeypatch.setattr(unbounded, "fall", lambda J, theta, p, edges: seen.append(p) or "")
    fit = state_of(*float_bowl())
    assert unbounded.endless(fit, edges=True) == ""
    fit.scaling.D = np.array([0.1, 9.0, 1.0])
    unbounded.endless(fit, edges=True)
    np.testing.assert_array_equal(seen, [[2, 0, 0], [0, -9, 0]])


def test_each_point_contributes_its_weight_times_its_term(monkeypatch):
    seen = []
    monkeypatch.setattr(unbounded, "collapse", lambda *given: seen.extend(given) or "found")
    weights = np.array([0.5, 0.2, 0.7])
    J = refsm.ImplicitScoreMatching([[1.0], [3.0], [-2.0]], weights=weights)
    model = refsm.Gaussian([0.5], [[2.0]])
    fit = state_of(J, model)
    assert unbounded.endless(fit, edges=True) == "found"
    for contributions in seen:
        np.testing.assert_array_equal(contributions, weights * J.per_sample(model))


@pytest.mark.parametrize("value, found", [(-2.9e4, False), (-3.1e4, True)])
def test_a_collapse_has_a_value_of_1e4_times_that_at_the_start(value, found):
    assert bool(collapse(np.array([value, 0.0, 0.0]), np.array([-1.0, -1.0, -1.0]))) == found


def test_one_of_less_than_forty_points_is_few():
    assert collapse(np.array([-1e9, 0.0, 1.0]), np.ones(3))
    assert not collapse(np.array([-1e9, -1e9, 1.0]), np.ones(3))


def test_few_points_with_the_whole_of_a_large_negative_value():
    at_start = np.full(60, -0.1)
    contributions = np.full(60, -0.1)
    contributions[[7, 50]] = -1e6
    found = collapse(contributions, at_start)
    assert found == ("unbounded below, as far as can be seen: the energy collapses onto 3 or fewer "
                     "of the 60 points, which have 100% of the value -2e+06")
    assert collapse(np.full(60, -1e6), at_start) == ""             # all points alike
    assert collapse(-contributions, at_start) == ""                # a large positive value
    assert collapse(contributions / 1e3, at_start) == ""           # not large


@pytest.mark.parametrize("share, found", [(0.985, False), (0.995, True)])
def test_few_points_are_those_with_99_percent_of_the_value(share, found):
    contributions = np.full(40, -1e6 * (1 - share) / 38)
    contributions[[7, 30]] = -1e6 * share / 2
    assert bool(collapse(contributions, np.full(40, -0.1))) == found
