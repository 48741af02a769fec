"""The search in scaled parameters: what SciPy sees, rounds, leaves in turn, refused parameters."""
import numpy as np
import pytest
from bowls import Bowl, float_bowl, state_of
from scipy import optimize

import refsm
from refsm import data
from refsm.fit import rounds
from refsm.fit.minimization import minimize


def penguins(precision=1e-2):
    return refsm.ImplicitScoreMatching(data.penguins()), refsm.Gaussian(np.zeros(2),
                                                                        precision * np.eye(2))


def test_scipy_sees_the_objective_in_scaled_parameters_to_the_last_bit(monkeypatch):
    """Units are powers of 2: f(phi) = J(s phi) / unit, s = size D and unit = h size^2 below."""
    calls = []
    monkeypatch.setattr(optimize, "minimize", lambda f, phi, **more: calls.append((f, phi, more)) or
                        optimize.OptimizeResult(x=phi, message="done"))
    J, model = penguins()
    fit = state_of(J, model)
    there = fit.scaling
    assert rounds.search(fit, "CG", {}, tol=1e-7) == ""
    (f, phi, arguments), = calls
    s = 2.0 ** np.floor(np.log2(there.size * there.D))
    unit = 2.0 ** np.floor(np.log2(there.h * there.size**2))
    step = np.array([0.0, 0.25, 0.01, 0.002, 0.002, 0.01])
    value, g = J.value_and_gradient(model.unravel(model.ravel() + s * step))
    np.testing.assert_array_equal(phi * s, model.ravel())
    np.testing.assert_array_equal(f(phi + step)[0] * unit, value)
    np.testing.assert_array_equal(f(phi + step)[1] * unit, s * model.ravel(g))
    assert arguments["tol"] == 1e-7
    assert "bounds" not in arguments


def test_bounds_are_those_of_the_scaled_parameters(monkeypatch):
    calls = []
    monkeypatch.setattr(optimize, "minimize", lambda f, phi, **more: calls.append((phi, more)) or
                        optimize.OptimizeResult(x=phi, message="done"))
    J, start = float_bowl()                                                   # s is 2
    box = np.array([-9.0, -np.inf, -3.0]), np.array([9.0, 7.0, np.inf])
    rounds.search(state_of(J, start, box=box), "L-BFGS-B", {}, tol=1e-7)
    phi, arguments = calls[0]
    s = start.ravel() / phi
    np.testing.assert_array_equal(s, [2, 2, 2])
    np.testing.assert_array_equal(arguments["bounds"].lb * s, box[0])
    np.testing.assert_array_equal(arguments["bounds"].ub * s, box[1])


@pytest.mark.parametrize("options, kept", [
    ({}, {"ftol": 0.0, "maxcor": 20, "maxls": 40, "maxiter": 200}),
    ({"maxiter": 70, "maxcor": 5}, {"ftol": 0.0, "maxcor": 5, "maxls": 40, "maxiter": 70}),
    ({"gtol": 1e-3}, {"ftol": 0.0, "maxcor": 20, "maxls": 40, "gtol": 1e-3}),
])
def test_a_round_keeps_the_options_of_the_user(monkeypatch, options, kept):
    calls = []
    monkeypatch.setattr(optimize, "minimize", lambda f, phi, **more: calls.append(more) or
                        optimize.OptimizeResult(x=phi, message="done"))
    rounds.search(state_of(*penguins()), "L-BFGS-B", options, tol=1e-7)
    assert calls[0]["options"] == kept
    assert ("tol" in calls[0]) == ("gtol" not in options)


def test_a_limit_of_iterations_is_one_of_all_rounds(monkeypatch):
    monkeypatch.setattr(rounds, "ROUND", 3)
    J, start = penguins(precision=1e2)
    found = minimize(J, start, maxiter=10)
    assert found.steps == 10
    assert "LIMIT" in found.message
    monkeypatch.setattr(rounds, "MAXITER", 7)
    fit = state_of(J, start)
    assert rounds.search(fit, "L-BFGS-B", {}, tol=1e-10) == ""
    assert fit.record.length == 7


def test_leaves_are_tried_after_a_round_of_little_gain_as_long_as_they_gain_more(monkeypatch):
    """Little is 1e-5 of the value, and a gain of 1e-13 is none."""
    fit = state_of(*float_bowl())
    falls = iter([3.0, 1.1e-5, 0.9e-5, 5e-6, 4e-6, 2e-13, 0.5e-13, 1.0])
    gains, tried = iter([2e-5, 4e-6]), []

    def step(fit, *_):
        value = fit.here.value
        fit.move(fit.here._replace(value=value - next(falls) * abs(value)))
        return "a limit"

    def leaves(fit):
        tried.append(fit.record.length)
        return next(gains) * abs(fit.here.value)

    monkeypatch.setattr(rounds, "_run", step)
    monkeypatch.setattr(rounds, "leaf_by_leaf", leaves)
    monkeypatch.setattr(rounds, "endless", lambda *_, **__: "")
    assert rounds.search(fit, "L-BFGS-B", {}, tol=1e-10) == ""
    assert tried == [3, 4]
    assert fit.record.length == 7


def narrow_and_far(d=5):
    """Points far from 0, of standard deviations from 1 to 0.03."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((60, d)) @ rng.standard_normal((d, d)) + 3
    return x * np.geomspace(1, 0.03, d)


@pytest.mark.slow
def test_leaves_one_after_the_other_get_through_the_valley_of_a_mean_and_a_precision(monkeypatch):
    monkeypatch.setattr(rounds, "ROUND", 50)
    x = narrow_and_far()
    J, start = refsm.ImplicitScoreMatching(x), refsm.Gaussian(np.zeros(5), np.eye(5))
    found = minimize(J, start)
    assert found.converged
    np.testing.assert_allclose(found.model.mean, x.mean(axis=0), rtol=1e-8)
    np.testing.assert_allclose(found.model.covariance, np.cov(x.T, bias=True), rtol=1e-8)
    monkeypatch.setattr(rounds, "LITTLE", -1.0)
    assert not minimize(J, start, maxiter=2 * found.steps).converged


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG"])
def test_a_line_search_turns_back_at_refused_parameters(method):
    J, start = float_bowl(edge=1.5)               # the minimum, at 1, lies before it
    J.curvature[1][:] = 40.0
    found = minimize(J, start, method=method)
    assert found.converged
    np.testing.assert_allclose(found.model.ravel(), [1, -2, 5], rtol=1e-9)


def test_a_value_that_is_not_finite_is_a_wall_too():
    class Hole(Bowl):
        def value_and_gradient(self, model):
            value, g = super().value_and_gradient(model)
            return (np.nan if model.theta.p[0] > 1.5 else value), g

    J, start = float_bowl()
    J.curvature[1][:] = 40.0
    found = minimize(Hole(J.curvature, J.centre), start)
    assert found.converged
    np.testing.assert_allclose(found.model.ravel(), [1, -2, 5], rtol=1e-9)


def test_an_option_that_is_an_array_is_not_changed():
    J, start = float_bowl()
    maxiter = np.array([-0.7])
    minimize(J, start, options={"maxiter": maxiter})
    assert maxiter.tolist() == [-0.7]
