"""The descent loop and the bridge to scipy: paths by hand in exact rationals, batches, and every early end."""
import doctest
import io
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest

from refsm import descent
from refsm.descent import DescentError, gradient_descent
from refsm.minimization import minimize
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian import Gaussian
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching


class Theta(NamedTuple):
    p: np.ndarray
    q: np.ndarray


class Point:
    """A model that is its parameters; it refuses p[0] beyond a barrier."""

    def __init__(self, p, q, barrier=np.inf):
        self.theta, self.barrier = Theta(p, q), barrier
        if p[0] > barrier:
            raise ValueError(f"p must be below {barrier}")

    def with_theta(self, theta):
        return Point(*theta, barrier=self.barrier)

    def projected(self, theta):
        return theta

    def ravel(self, theta=None):
        return np.concatenate(self.theta if theta is None else theta)

    def unravel(self, vector):
        n = len(self.theta.p)
        return Point(vector[:n], vector[n:], barrier=self.barrier)


class Bowl:
    """J = 1/2 sum curvature (theta - centre)^2, counting its evaluations."""

    def __init__(self, curvature, centre):
        self.curvature, self.centre, self.calls = curvature, centre, 0

    def value_and_gradient(self, model):
        self.calls += 1
        parts = [(a, x - c) for a, x, c in zip(self.curvature, model.theta, self.centre)]
        return sum((a * r * r).sum() for a, r in parts) / 2, Theta(*(a * r for a, r in parts))


def fractions(*numbers):
    return np.array([Fraction(number) for number in numbers], dtype=object)


def exact_bowl():
    J = Bowl([fractions("1/3", "2"), fractions("3/7")], [fractions("1", "-2"), fractions("5")])
    return J, Point(fractions("2", "3"), fractions("-1"))


def float_bowl(barrier=np.inf, centre=(1.0, -2.0)):
    return Bowl([np.array([3.0, 0.5]), np.array([0.7])], [np.array(centre), np.array([5.0])]), Point(np.array([-2.0, 3.0]), np.array([-1.0]), barrier)


def by_hand(J, model, steps, rate_at, momentum):
    """The recursion (1), (2) on the vector of parameters: theta_{k+1} = theta_k - rate g_k + momentum (theta_k - theta_{k-1})."""
    a, c = np.concatenate(J.curvature), np.concatenate(J.centre)
    path = [model.ravel()]
    for k in range(steps):
        before = path[-2] if k else path[-1]
        path.append(path[-1] - rate_at(k) * a * (path[-1] - c) + momentum * (path[-1] - before))
    return path


def test_the_path_with_momentum_is_polyaks_to_the_last_digit():
    J, model = exact_bowl()
    rate, momentum = Fraction(1, 5), Fraction(2, 3)
    seen = []
    result = gradient_descent(J, model, steps=6, rate=rate, momentum=momentum, callback=lambda k, at, value, norm: seen.append((k, at.ravel(), value, norm)))
    path = by_hand(J, model, 6, lambda k: rate, momentum)
    assert [k for k, *_ in seen] == list(range(7))
    assert all((at == theta).all() for (_, at, _, _), theta in zip(seen, path))
    assert (result.model.ravel() == path[-1]).all()


def test_a_rate_may_depend_on_the_step():
    J, model = exact_bowl()
    def rate(k):
        return Fraction(1, 5 + k)
    result = gradient_descent(J, model, steps=5, rate=rate, momentum=Fraction(1, 3))
    assert (result.model.ravel() == by_hand(J, model, 5, rate, Fraction(1, 3))[-1]).all()


def test_a_rate_is_asked_for_once_a_step():
    asked = []
    gradient_descent(*float_bowl(), steps=5, rate=lambda k: asked.append(k) or 0.1)
    assert asked == [0, 1, 2, 3, 4]


def test_without_momentum_it_is_plain_descent():
    J, model = exact_bowl()
    result = gradient_descent(J, model, steps=3, rate=Fraction(1, 5), momentum=Fraction(0))
    assert (result.model.ravel() == by_hand(J, model, 3, lambda k: Fraction(1, 5), 0)[-1]).all()
    floats = gradient_descent(*float_bowl(), steps=3, rate=0.1)
    assert np.allclose(floats.model.ravel(), by_hand(*float_bowl(), 3, lambda k: 0.1, 0)[-1], rtol=1e-14)


def test_the_history_has_value_and_gradient_norm_of_every_model():
    J, model = float_bowl()
    result = gradient_descent(J, model, steps=5, rate=0.1, momentum=0.3)
    a, c = np.concatenate(J.curvature), np.concatenate(J.centre)
    path = by_hand(J, model, 5, lambda k: 0.1, 0.3)
    assert np.allclose(result.history.value, [(a * (x - c)**2).sum() / 2 for x in path], rtol=1e-14)
    assert np.allclose(result.history.gradient_norm, [np.sqrt(((a * (x - c))**2).sum()) for x in path], rtol=1e-14)
    assert result.steps == 5 and J.calls == 6 and not result.interrupted
    assert result.history.value.dtype == float


def test_parameters_that_are_symmetric_stay_symmetric():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((50, 3)) @ rng.standard_normal((3, 3))
    result = gradient_descent(ImplicitScoreMatching(x), Gaussian(np.zeros(3), np.eye(3)), steps=40, rate=0.01, momentum=0.5)
    assert np.array_equal(result.model.precision, result.model.precision.T)
    assert result.history.value[-1] < result.history.value[0]


# -- batches ----------------------------------------------------------------------------------------------------------


def data(n=7):
    rng = np.random.default_rng(11)
    x = rng.standard_normal((n, 3))
    return x, x + 0.6 * rng.standard_normal((n, 3)), rng.uniform(0.1, 0.5, n)


def autoencoder():
    rng = np.random.default_rng(12)
    return AutoencoderEnergy(rng.standard_normal((5, 3)), rng.standard_normal(5), rng.standard_normal(3), sigma=0.6)


def test_batches_take_turns_and_each_has_the_whole_weight():
    x, x_noisy, weights = data()
    batches = [[0, 5], np.array([1, 2, 6]), [4, 3]]
    result = gradient_descent(DenoisingScoreMatching(x, x_noisy, 0.6, weights=weights), autoencoder(), steps=5, rate=0.01, batches=batches)
    model, values = autoencoder(), []
    for k in range(6):
        rows = batches[k % 3]
        w = weights[rows] * weights.sum() / weights[rows].sum()
        value, g = DenoisingScoreMatching(x[rows], x_noisy[rows], 0.6, weights=w).value_and_gradient(model)
        values.append(value)
        if k < 5:
            model = model.with_theta([block - 0.01 * g_block for block, g_block in zip(model.theta, g)])
    assert np.allclose(result.history.value, values, rtol=1e-13)
    assert np.allclose(result.model.ravel(), model.ravel(), rtol=1e-13)


def test_one_batch_of_all_points_is_no_batch():
    x, x_noisy, weights = data()
    J = DenoisingScoreMatching(x, x_noisy, 0.6, weights=weights)
    whole = gradient_descent(J, autoencoder(), steps=4, rate=0.01)
    batch = gradient_descent(J, autoencoder(), steps=4, rate=0.01, batches=[np.arange(7)])
    assert np.allclose(whole.model.ravel(), batch.model.ravel(), rtol=1e-13)


@pytest.mark.parametrize("batches, message", [
    ([], "batches must have at least one batch, but there is none"),
    ([[0], []], r"batches\[1\] must be a list of row numbers from 0 to 6, but it is \[\]"),
    ([[0, 7]], r"batches\[0\] must be a list of row numbers from 0 to 6, but it is \[0, 7\]"),
    ([[-1]], r"batches\[0\] must be a list of row numbers from 0 to 6, but it is \[-1\]"),
    ([[0.5]], r"batches\[0\] must be a list of row numbers from 0 to 6, but it is \[0.5\]"),
    ([[[0]]], r"batches\[0\] must be a list of row numbers from 0 to 6, but it is \[\[0\]\]"),
    ([[0, 6], [2]], r"batches\[1\] must have points of some weight, but their weights sum to 0"),
])
def test_bad_batches_are_refused(batches, message):
    x, x_noisy, weights = data()
    weights[2] = 0
    with pytest.raises(ValueError, match=f"^{message}$"):
        gradient_descent(DenoisingScoreMatching(x, x_noisy, 0.6, weights=weights), autoencoder(), steps=3, rate=0.1, batches=batches)


# -- early ends -------------------------------------------------------------------------------------------------------


def test_a_rate_too_large_ends_in_an_error_with_the_last_good_model():
    x, _, _ = data()
    J, start, seen = ImplicitScoreMatching(x), Gaussian(np.ones(3), np.eye(3)), []
    with pytest.raises(DescentError, match=r"^the value or its gradient is not finite; the last good model, after \d+ steps, is in .result$") as caught:
        gradient_descent(J, start, steps=3000, rate=5.0, callback=lambda k, model, value, norm: seen.append((model, value)))
    result = caught.value.result
    assert result.model is seen[-1][0] and result.steps == len(seen) - 1 > 0
    assert np.isfinite(result.history.value).all() and result.history.value[-1] == seen[-1][1]
    assert np.isfinite(J.value(result.model)) and not result.interrupted


class Cliff(Bowl):
    """Answers something not finite from the fourth call on."""

    def __init__(self, value, gradient):
        bowl, _ = float_bowl()
        super().__init__(bowl.curvature, bowl.centre)
        self.bad = value, gradient

    def value_and_gradient(self, model):
        value, g = super().value_and_gradient(model)
        if self.calls < 4:
            return value, g
        return value * self.bad[0], Theta(g.p, g.q * self.bad[1])


@pytest.mark.parametrize("value, gradient", [(np.nan, 1), (np.inf, 1), (1, np.nan), (1, -np.inf)])
def test_whatever_is_not_finite_ends_the_run(value, gradient):
    path = by_hand(*float_bowl(), 2, lambda k: 0.1, 0)
    with pytest.raises(DescentError) as caught:
        gradient_descent(Cliff(value, gradient), float_bowl()[1], steps=9, rate=0.1)
    assert caught.value.result.steps == 2
    assert np.allclose(caught.value.result.model.ravel(), path[-1], rtol=1e-14)


def test_a_first_model_that_is_not_good_has_no_history():
    start = float_bowl()[1]
    J = Cliff(np.nan, 1)
    J.calls = 5
    for run in (lambda: gradient_descent(J, start, steps=3, rate=0.1), lambda: minimize(J, start)):
        with pytest.raises(DescentError, match="after 0 steps") as caught:
            run()
        assert caught.value.result.model is start
        assert caught.value.result.steps == 0 and caught.value.result.history.value.shape == (0,)


def test_parameters_that_the_energy_refuses_end_the_run():
    J, start = float_bowl(barrier=-0.5)
    message = r"^the next step leaves what Point takes \(p must be below -0.5\); the last good model, after 1 step, is in .result$"
    with pytest.raises(DescentError, match=message) as caught:
        gradient_descent(J, start, steps=9, rate=0.1)
    assert np.allclose(caught.value.result.model.ravel(), by_hand(J, start, 1, lambda k: 0.1, 0)[-1], rtol=1e-14)


def test_a_step_that_overflows_is_refused_without_a_warning():
    x, _, _ = data()
    with pytest.raises(DescentError, match="the next step leaves what Gaussian takes .precision must be finite"):
        gradient_descent(ExplicitScoreMatching(x, 1e3 * x), Gaussian(np.ones(3), np.eye(3)), steps=3, rate=1e308)
    with pytest.raises(DescentError, match="after 0 steps"):
        gradient_descent(*float_bowl(), steps=3, rate=1e308, momentum=0.5)


@pytest.mark.parametrize("run", [
    lambda J, start, stop: gradient_descent(J, start, steps=9, rate=0.1, callback=stop),
    lambda J, start, stop: minimize(J, start, callback=stop),
])
def test_ctrl_c_returns_what_is_done(run):
    models = []

    def stop(k, model, value, norm):
        models.append(model)
        if k == 2:
            raise KeyboardInterrupt

    J, start = float_bowl()
    result = run(J, start, stop)
    assert result.interrupted and result.steps == 2 and result.model is models[-1]
    assert len(result.history.value) == len(result.history.gradient_norm) == 3


def test_ctrl_c_within_a_step_returns_the_model_before_it():
    class Slow(Bowl):
        def value_and_gradient(self, model):
            if self.calls == 3:
                raise KeyboardInterrupt
            return super().value_and_gradient(model)

    bowl, start = float_bowl()
    result = gradient_descent(Slow(bowl.curvature, bowl.centre), start, steps=9, rate=0.1)
    assert result.interrupted and result.steps == 2
    assert np.allclose(result.model.ravel(), by_hand(bowl, start, 2, lambda k: 0.1, 0)[-1], rtol=1e-14)


@pytest.mark.parametrize("arguments, message", [
    (dict(steps=0, rate=0.1), "steps must be a whole number >= 1, but it is 0"),
    (dict(steps=3, rate=0), "rate must be finite and > 0, but it is 0.0"),
    (dict(steps=3, rate=lambda k: -0.1), r"rate\(k\) must be finite and >= 0, but it is -0.1"),
    (dict(steps=3, rate=0.1, momentum=1), r"momentum must be in \[0, 1\), but it is 1.0"),
    (dict(steps=3, rate=0.1, momentum=-0.1), "momentum must be finite and >= 0, but it is -0.1"),
])
def test_bad_arguments_are_refused_in_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        gradient_descent(*float_bowl(), **arguments)


@pytest.mark.parametrize("terminal, progress, shown", [(True, None, True), (False, None, False), (False, True, True), (True, False, False)])
def test_progress_is_shown_on_a_terminal_only(monkeypatch, terminal, progress, shown):
    screen = io.StringIO()
    screen.isatty = lambda: terminal
    monkeypatch.setattr("sys.stderr", screen)
    gradient_descent(*float_bowl(), steps=7, rate=0.1, progress=progress)
    value = gradient_descent(*float_bowl(), steps=7, rate=0.1, progress=False).history.value[0]
    assert screen.getvalue().startswith(f"\rstep 0 of 7, value {value:.6g}, 0 s left") == screen.getvalue().endswith("\n") == shown
    assert shown or screen.getvalue() == ""


# -- scipy ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG", "Newton-CG", "trust-constr"])
def test_minimize_finds_the_gaussian_of_the_data(method):
    x, _, _ = data(50)
    found = minimize(ImplicitScoreMatching(x), Gaussian(np.zeros(3), 2 * np.eye(3)), method=method)
    assert found.converged and isinstance(found.message, str) and found.message
    assert np.allclose(found.model.mean, x.mean(axis=0), atol=1e-4)
    assert np.allclose(found.model.precision, np.linalg.inv(np.cov(x.T, bias=True)), rtol=1e-3, atol=1e-3)


def test_minimize_reports_the_way():
    J, start = float_bowl()
    seen = []
    found = minimize(J, start, callback=lambda k, model, value, norm: seen.append((k, model, value, norm)))
    assert [k for k, *_ in seen] == list(range(found.steps + 1))
    assert seen[0][1] is start and seen[-1][1] is found.model
    assert np.array_equal(found.history.value, [value for *_, value, _ in seen])
    assert np.array_equal(found.history.gradient_norm, [norm for *_, norm in seen])
    assert found.value == found.history.value[-1] and found.gradient_norm == found.history.gradient_norm[-1]
    assert (np.diff(found.history.value) < 0).all()
    value, g = J.value_and_gradient(found.model)
    assert found.value == value and np.isclose(found.gradient_norm, np.sqrt((g.p**2).sum() + (g.q**2).sum()))


def test_minimize_evaluates_no_point_twice():
    J, start = float_bowl()
    from scipy import optimize

    plain = optimize.minimize(lambda v: (lambda value, g: (value, np.concatenate(g)))(*float_bowl()[0].value_and_gradient(start.unravel(v))),
                              start.ravel(), jac=True, method="L-BFGS-B")
    minimize(J, start)
    assert J.calls == plain.nfev


def test_options_reach_the_method():
    found = minimize(*float_bowl(), maxiter=2)
    assert found.steps == 2 and not found.converged


def test_a_method_without_gradients_has_its_last_point_in_the_history():
    found = minimize(*float_bowl(), method="Nelder-Mead", maxiter=7)
    assert found.value == found.history.value[-1] == min(found.history.value)
    powell = minimize(*float_bowl(), method="COBYLA")
    assert powell.value == powell.history.value[-1] and powell.steps >= 1


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG"])
def test_a_line_search_turns_back_at_refused_parameters(method):
    J, start = float_bowl(barrier=1.5)                    # the minimum, at 1, lies before the barrier, and the first steps overshoot it
    J.curvature[1][:] = 40.0
    found = minimize(J, start, method=method)
    assert found.converged
    assert np.allclose(found.model.ravel(), [1, -2, 5], atol=1e-4)


def test_the_wall_is_a_convex_function_with_its_gradient():
    J, start = float_bowl(barrier=1.5)
    value, gradient = J.value_and_gradient(start)
    g, theta = start.ravel(gradient), start.ravel()
    barrier = descent._Barrier(J, theta, start, value, gradient)
    for step in (np.array([5.0, 0.3, -0.2]), np.array([5.0, 100.0, 0.0])):        # g.step < 0, then > 0
        f, slope = barrier(theta + step)
        assert np.isclose(f, value + abs(g @ step), rtol=1e-14)
        assert np.allclose(slope, np.sign(g @ step) * g, rtol=1e-14)
    lower, lower_gradient = J.value_and_gradient(start.unravel(theta + [1, 0, 0]))
    assert barrier(theta + [1, 0, 0])[0] == lower < value
    f, _ = barrier(theta + [5.0, 0, 0])
    assert np.isclose(f, value + abs(lower_gradient.p[0] * 4), rtol=1e-14)                # measured from the last good point, above the highest
    higher = barrier(theta - [1, 0, 0])[0]
    f, _ = barrier(theta + [5.0, 0, 0])
    assert f > higher > value


def test_a_value_that_is_not_finite_is_a_wall_too():
    class Hole(Bowl):
        def value_and_gradient(self, model):
            value, g = super().value_and_gradient(model)
            return (np.nan if model.theta.p[0] > 1.5 else value), g

    J, start = float_bowl()
    J.curvature[1][:] = 40.0
    found = minimize(Hole(J.curvature, J.centre), start)
    assert found.converged and np.allclose(found.model.ravel(), [1, -2, 5], atol=1e-4)


def test_the_examples_of_the_room():
    assert doctest.testmod(descent).failed == 0


@pytest.mark.parametrize("run", [lambda J, model: gradient_descent(J, model, steps=2, rate=0.1), minimize])
def test_objective_and_model_in_the_wrong_order_are_told_apart(run):
    J, model = ImplicitScoreMatching([[1.0], [2.0]]), Gaussian([0.0], [[1.0]])
    with pytest.raises(TypeError, match="^J must be an objective, but it is a Gaussian$"):
        run(model, J)
    with pytest.raises(TypeError, match="^model must be an energy, but it is a NoneType$"):
        run(J, None)
