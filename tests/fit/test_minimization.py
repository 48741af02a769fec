"""Fits: closed forms on data in natural units, verdicts with a reason, and SciPy's arguments."""
import numpy as np
import pytest
from bowls import Bowl, ctrl_c_after_two_steps, float_bowl, state_of
from scipy import optimize
from scipy.linalg import solve_sylvester

import refsm
from refsm import data
from refsm.fit import minimization
from refsm.fit.descent import DescentError, DescentInterrupted
from refsm.fit.minimization import minimize


def clean(n=50):
    return np.random.default_rng(11).standard_normal((n, 3))


# -- closed forms, in natural units -----------------------------------------------------------

# 1e-8 is asked for; Newton steps end at rounding, some 1e-12 here.


def noisy(x, sigma, seed=0):
    return x + sigma * np.random.default_rng(seed).standard_normal(x.shape)


@pytest.mark.parametrize("precision", [1.0, 1e-2, 1e2])
def test_a_gaussian_by_implicit_score_matching_is_maximum_likelihood_on_penguins(precision):
    x = data.penguins()
    start = refsm.Gaussian(np.zeros(2), precision * np.eye(2))
    found = minimize(refsm.ImplicitScoreMatching(x), start)
    expected = np.linalg.inv(np.cov(x.T, bias=True))
    assert found.converged
    np.testing.assert_allclose(found.model.mean, x.mean(axis=0), rtol=1e-8)
    np.testing.assert_allclose(found.model.precision, expected, rtol=1e-8)
    assert found.value == pytest.approx(-np.trace(expected) / 2, rel=1e-13)


def denoising_closed_form(x, x_noisy, sigma):
    """Linear regression of (x - x_noisy) / sigma^2 on -P (x_noisy - mean), P symmetric."""
    y, t = x_noisy - x_noisy.mean(axis=0), (x - x_noisy) / sigma**2
    C, T = y.T @ y / len(y), t.T @ y / len(y)
    P = solve_sylvester(C, C, -(T + T.T))
    return x_noisy.mean(axis=0) + np.linalg.solve(P, t.mean(axis=0)), P


@pytest.mark.parametrize("name, sigma, precision", [
    ("penguins", 0.7, 0.01), pytest.param("digits", 0.3, 1.0, marks=pytest.mark.slow)])
def test_a_gaussian_by_denoising_is_a_linear_regression(name, sigma, precision):
    x = getattr(data, name)()
    d, x_noisy = x.shape[1], noisy(x, sigma)
    J = refsm.DenoisingScoreMatching(x, x_noisy, sigma)
    found = minimize(J, refsm.Gaussian(np.zeros(d), precision * np.eye(d)))
    mean, P = denoising_closed_form(x, x_noisy, sigma)
    assert found.converged
    np.testing.assert_allclose(found.model.mean, mean, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.model.precision, P, rtol=1e-8, atol=1e-8 * abs(P).max())


@pytest.mark.slow
def test_a_gaussian_of_noisy_digits_is_maximum_likelihood():
    x = noisy(data.digits(), 0.3)
    start = refsm.Gaussian(x.mean(axis=0), np.diag(1 / x.var(axis=0)))
    found = minimize(refsm.ImplicitScoreMatching(x), start)
    expected = np.linalg.inv(np.cov(x.T, bias=True))
    assert found.converged
    np.testing.assert_allclose(found.model.mean, x.mean(axis=0), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.model.precision, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("far", [False, True])
def test_a_gaussian_of_digits_is_maximum_likelihood(far):
    """The pixels that never change left out; the precision has a condition number of 4e5."""
    x = data.digits()
    x = x[:, x.std(axis=0) > 0]
    start = (refsm.Gaussian(np.zeros(61), np.eye(61)) if far
             else refsm.Gaussian(x.mean(axis=0), np.diag(1 / x.var(axis=0))))
    found = minimize(refsm.ImplicitScoreMatching(x), start)
    expected = np.linalg.inv(np.cov(x.T, bias=True))
    assert found.converged
    np.testing.assert_allclose(found.model.mean, x.mean(axis=0), rtol=0, atol=1e-8)
    size = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(found.model.precision / np.outer(size, size),
                               expected / np.outer(size, size), rtol=0, atol=1e-8)


def test_one_component_of_a_mixture_is_the_gaussian():
    x = data.penguins()
    start = refsm.GaussianMixture([1.0], x[:1], 9 * np.eye(2)[None])
    found = minimize(refsm.ImplicitScoreMatching(x), start)
    assert found.converged
    np.testing.assert_allclose(found.model.means[0], x.mean(axis=0), rtol=1e-8)
    np.testing.assert_allclose(found.model.covariances[0], np.cov(x.T, bias=True), rtol=1e-8)


def test_independent_bits_by_pseudo_likelihood_have_their_log_odds():
    x = (data.digits()[:, 18:23] > 0.5).astype(float)
    start = refsm.BernoulliRBM(np.zeros((1, 5)), np.zeros(1), np.zeros(5))
    J = refsm.PseudoLikelihood(x)
    bounds = [(0, 0)] * 6 + [(None, None)] * 5             # W and b stay 0
    found = minimize(J, start, bounds=bounds)
    p = x.mean(axis=0)
    assert found.converged
    np.testing.assert_allclose(found.model.c, np.log(p / (1 - p)), rtol=1e-8)
    assert not found.model.W.any()


def test_the_end_of_a_fit_by_the_autoencoder_loss_is_one_of_denoising_score_matching():
    x = data.penguins()
    x_noisy, rng = noisy(x, 1.3), np.random.default_rng(3)
    start = refsm.AutoencoderEnergy(rng.standard_normal((3, 2)), -rng.uniform(20, 60, 3),
                                    x.mean(axis=0), sigma=1.3)
    end = minimize(refsm.DenoisingAutoencoderLoss(x, x_noisy), start)
    again = minimize(refsm.DenoisingScoreMatching(x, x_noisy, 1.3), end.model)
    assert end.converged
    assert again.converged
    assert again.value == pytest.approx(end.value / (2 * 1.3**4), rel=1e-12)
    np.testing.assert_allclose(again.model.ravel(), end.model.ravel(), rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e5])
def test_a_fit_is_the_same_in_other_units_of_length(unit):
    x = data.penguins() * unit
    start = refsm.Gaussian(np.zeros(2), np.eye(2) / unit**2)
    found = minimize(refsm.ImplicitScoreMatching(x), start)
    assert found.converged
    np.testing.assert_allclose(found.model.mean, x.mean(axis=0), rtol=1e-8)
    np.testing.assert_allclose(found.model.covariance, np.cov(x.T, bias=True), rtol=1e-8)


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_a_fit_is_the_same_for_a_multiple_of_the_objective(factor):
    x = data.penguins()
    J = refsm.ImplicitScoreMatching(x, weights=np.full(len(x), factor / len(x)))
    found = minimize(J, refsm.Gaussian(np.zeros(2), np.eye(2)))
    assert found.converged
    np.testing.assert_allclose(found.model.mean, x.mean(axis=0), rtol=1e-8)


# -- no minimum -------------------------------------------------------------------------------


def test_a_mixture_that_collapses_is_said_to_be_unbounded():
    x = data.penguins()
    wide = np.cov(x.T)
    start = refsm.GaussianMixture([0.9, 0.1], [x.mean(axis=0), x[7]],
                                  np.stack([wide, wide / 1000]))
    found = minimize(refsm.ImplicitScoreMatching(x), start)
    assert found.value < -1e3
    assert not found.converged
    assert found.message.startswith("unbounded below, as far as can be seen: the energy collapses")


@pytest.mark.slow
def test_a_pixel_that_never_changes_leaves_its_precision_unbounded():
    x = clean()
    x[:, 1] = 0.0
    found = minimize(refsm.ImplicitScoreMatching(x), refsm.Gaussian(np.zeros(3), np.eye(3)))
    assert not found.converged
    assert found.message.startswith("unbounded below: along a line the value falls from")


@pytest.mark.slow
def test_a_valley_that_leads_to_infinity_is_not_taken_for_a_minimum():
    """From far away the mean runs to infinity as the precision becomes singular."""
    x, sigma = data.penguins(), 0.7
    J = refsm.DenoisingScoreMatching(x, noisy(x, sigma), sigma)
    found = minimize(J, refsm.Gaussian(np.zeros(2), np.eye(2)))
    assert not found.converged
    assert "the minimum is far, perhaps at infinity" in found.message


def test_a_start_without_weights_ends_at_a_saddle():
    """With W = 0 and b = 0 the gradient of W and b vanishes, and J falls along some W."""
    x = clean()
    J = refsm.DenoisingScoreMatching(x, noisy(x, 0.6), 0.6)
    found = minimize(J, refsm.GaussianBernoulliRBM(np.zeros((5, 3)), np.zeros(5), np.zeros(3),
                                                   np.zeros(3)))
    assert found.scaled_gradient < 1e-10
    assert not found.converged
    assert found.message.startswith("a saddle: along some direction the curvature is negative; the")


@pytest.mark.parametrize("least, size, found", [
    (-1.1e-3, 0, True), (-0.9e-3, 0, False), (-0.011, 1e-5, True), (-0.009, 1e-5, False),
])
def test_a_saddle_has_a_curvature_beyond_the_errors_of_differences_and_of_the_place(
        monkeypatch, least, size, found):
    """Relative to the mean curvature: below -1e-3, and below -1e3 times the scaled gradient."""
    fit = state_of(*float_bowl())
    fit.scaling.h = 7.0
    monkeypatch.setattr(minimization, "least_curvature", lambda *_: 7.0 * least)
    monkeypatch.setattr(fit, "size", lambda: size)
    assert minimization._saddle(fit) == found * minimization.SADDLE


@pytest.mark.parametrize("size, reach, converged, why", [
    (1e-5, 1e-3, True, "the scaled gradient is 1.0e-05, at most 1e-05"),
    (1e-5, 1.1e-3, False, "a Newton step is still long"),
    (1.1e-5, 0.0, False, "no step makes the value smaller; the scaled gradient is 1.1e-05, above"),
])
def test_a_fit_has_converged_where_the_gradient_and_the_last_step_are_small(
        monkeypatch, size, reach, converged, why):
    fit = state_of(*float_bowl())
    fit.move(fit.here)
    fit.reach = reach
    monkeypatch.setattr(fit, "size", lambda: size)
    found = minimization._judged(fit, 1e-5, "")
    assert found.converged == converged
    assert found.message.startswith(why)


def test_newton_steps_end_at_the_tolerance_and_without_one_at_rounding(monkeypatch):
    goals = []
    monkeypatch.setattr(minimization, "finish", lambda fit, goal: goals.append(goal))
    for tol in (None, 1e-2):
        minimize(*float_bowl(), tol=tol)
    assert goals == [1e-13, 1e-2]


def test_an_iteration_limit_is_the_reason_that_is_given():
    found = minimize(*float_bowl(), maxiter=2)
    assert found.steps == 2
    assert not found.converged
    assert "LIMIT" in found.message
    assert "the scaled gradient is" in found.message
    assert "above 1e-10" in found.message


def test_the_verdict_is_the_scaled_gradient():
    J = refsm.ImplicitScoreMatching(data.penguins())
    start = refsm.Gaussian(np.zeros(2), np.eye(2))
    rough, fine = minimize(J, start, tol=1e-2), minimize(J, start)
    assert rough.converged
    assert fine.converged
    assert fine.scaled_gradient < 1e-10 < rough.scaled_gradient <= 1e-2
    assert rough.message.endswith("at most 1e-02")
    assert rough.steps < fine.steps


# -- the way ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG", "Newton-CG", "trust-constr", "TNC",
                                    "SLSQP"])
def test_every_method_finds_the_gaussian_of_the_data(method):
    x = clean()[:, :2]
    found = minimize(refsm.ImplicitScoreMatching(x), refsm.Gaussian(np.zeros(2), 2 * np.eye(2)),
                     method)
    assert found.converged
    np.testing.assert_allclose(found.model.mean, x.mean(axis=0), rtol=1e-8)
    np.testing.assert_allclose(found.model.precision, np.linalg.inv(np.cov(x.T, bias=True)),
                               rtol=1e-8)


def test_a_method_that_reads_no_gradient_finds_the_bottom_of_a_bowl():
    found = minimize(*float_bowl(), "Nelder-Mead")
    assert found.converged
    np.testing.assert_allclose(found.model.ravel(), [1, -2, 5], rtol=1e-9)


def test_minimize_reports_the_way():
    J, start = float_bowl()
    seen = []
    found = minimize(J, start, callback=lambda *entry: seen.append(entry))
    assert [k for k, *_ in seen] == list(range(found.steps + 1))
    assert seen[0][1] is start
    assert seen[-1][1] is found.model
    assert np.array_equal(found.history.value, [value for *_, value, _ in seen])
    assert np.array_equal(found.history.gradient_norm, [norm for *_, norm in seen])
    value, g = J.value_and_gradient(found.model)
    assert found.value == value
    assert np.isclose(found.gradient_norm, np.sqrt((g.p**2).sum() + (g.q**2).sum()))


def test_a_fit_that_is_continued_keeps_its_history():
    J = refsm.ImplicitScoreMatching(data.penguins())
    first = minimize(J, refsm.Gaussian(np.zeros(2), np.eye(2)), maxiter=9)
    second = minimize(J, first)
    assert second.converged
    assert np.array_equal(second.history.value[:10], first.history.value)
    assert second.steps > 9


def test_a_gradient_descent_can_be_finished_by_minimize():
    J, start = float_bowl()
    rough = refsm.gradient_descent(J, start, steps=3, rate=0.1)
    found = minimize(J, rough)
    assert found.converged
    assert np.array_equal(found.history.value[:4], rough.history.value)


# -- early ends -------------------------------------------------------------------------------


def test_ctrl_c_carries_what_is_done():
    models = []
    with pytest.raises(DescentInterrupted, match="^interrupted after 2 steps") as caught:
        minimize(*float_bowl(), callback=ctrl_c_after_two_steps(models))
    result = caught.value.result
    assert result.interrupted
    assert not result.converged
    assert result.model is models[-1]
    assert len(result.history.value) == 3


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "TNC", "COBYLA", "Nelder-Mead"])
def test_stop_iteration_from_the_callback_ends_the_fit(method):
    def stop(k, model, value, norm):
        if k == 2:
            raise StopIteration

    found = minimize(*float_bowl(), method, callback=stop)
    assert found.steps <= 2
    assert found.steps == 2 or method == "COBYLA"
    if found.steps == 2:
        assert found.message.startswith("the callback ended the run")


def test_an_error_of_the_callback_is_the_users():
    def wrong(k, model, value, norm):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        minimize(*float_bowl(), callback=wrong)


def test_a_first_model_that_is_not_good_is_an_error():
    class Nowhere(Bowl):
        def value_and_gradient(self, model):
            value, g = super().value_and_gradient(model)
            return np.nan, g

    J, start = float_bowl()
    with pytest.raises(DescentError, match="after 0 steps") as caught:
        minimize(Nowhere(J.curvature, J.centre), start)
    assert caught.value.result.model is start


# -- SciPy's arguments ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [
    lambda: [(None, 0.5), (-1.0, None), (None, None)],
    lambda: optimize.Bounds([-np.inf, -1.0, -np.inf], [0.5, np.inf, np.inf]),
])
def test_bounds_hold_and_the_rest_is_at_its_minimum(make):
    found = minimize(*float_bowl(), bounds=make())
    assert found.converged
    np.testing.assert_allclose(found.model.ravel(), [0.5, -1.0, 5.0], rtol=1e-9)
    assert found.model.theta.p[0] <= 0.5


@pytest.mark.parametrize("edge, pair", [(1.1, (1.1, None)), (0.9, (None, 0.9))])
def test_a_small_gradient_against_a_bound_counts_for_nothing(edge, pair):
    found = minimize(*float_bowl(), bounds=[pair, (None, None), (None, None)])
    assert found.converged
    np.testing.assert_allclose(found.model.ravel(), [edge, -2.0, 5.0], rtol=1e-9)


def test_a_start_beyond_the_bounds_is_moved_to_them():
    found = minimize(*float_bowl(), bounds=[(0.0, None)] * 3)
    assert found.converged
    np.testing.assert_allclose(found.model.ravel(), [1.0, 0.0, 5.0], rtol=1e-9)


def test_options_may_be_a_dict_or_keywords():
    for given in ({"options": {"maxiter": 2}}, {"maxiter": 2}):
        assert minimize(*float_bowl(), **given).steps == 2


@pytest.mark.parametrize("arguments, message", [
    (dict(gtoll=1e-3), "it says: Unknown solver options: gtoll"),
    (dict(options={"maxitr": 3}), "it says: Unknown solver options: maxitr"),
    (dict(method="L-BFGS"), "it says: Unknown solver L-BFGS"),
    (dict(method="CG", bounds=[(0, 1)] * 3), "it says: Method CG cannot handle"),
    (dict(method="dogleg"), "it says: Hessian is required for dogleg"),
    (dict(method=3), "method must be the name of a method of scipy.optimize.minimize, "
                     "but it is of type int"),
    (dict(options=[3]), "options must be a dict, but it is of type list"),
    (dict(tol=0), "tol must be finite and > 0, but it is 0.0"),
    (dict(callback="print"), "callback must be a function"),
    (dict(bounds=[(0, 1)]), "bounds must have a pair .* for each of the 3 parameters, but they"),
    (dict(bounds=[(1, 0)] * 3), r"bounds must be least <= greatest, but bounds\[0\] is \(1.0, 0.0"),
    (dict(bounds=3), "bounds must have a pair .* but they are of type int"),
])
def test_wrong_arguments_are_refused_before_the_fit_starts(arguments, message):
    J, start = float_bowl()
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        minimize(J, start, **arguments)
    assert "\n" not in str(caught.value)
    assert J.calls == 0


def test_objective_and_model_in_the_wrong_order_are_told_apart():
    J, model = refsm.ImplicitScoreMatching([[1.0], [2.0]]), refsm.Gaussian([0.0], [[1.0]])
    with pytest.raises(TypeError, match="^J must be an objective, but it is of type Gaussian$"):
        minimize(model, J)
    with pytest.raises(TypeError, match="^model must be an energy, but it is of type NoneType$"):
        minimize(J, None)
