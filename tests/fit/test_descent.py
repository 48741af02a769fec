"""The descent loop: paths by hand in exact rationals, batches, restarts, and every early end."""
from fractions import Fraction

import numpy as np
import pytest
from bowls import Bowl, Theta, ctrl_c_after_two_steps, exact_bowl, float_bowl

from refsm.fit import descent, run_record
from refsm.fit.descent import DescentError, DescentInterrupted, gradient_descent
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian import Gaussian
from refsm.energies.parzen import Parzen
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.score_matching import ExplicitScoreMatching, ImplicitScoreMatching


def by_hand(J, model, steps, rate_at, momentum):
    """(1), (2) on vectors: the next is theta_k - rate g_k + momentum (theta_k - theta_(k-1))."""
    a, c = np.concatenate(J.curvature), np.concatenate(J.centre)
    path = [model.ravel()]
    for k in range(steps):
        before = path[-2] if k else path[-1]
        path.append(path[-1] - rate_at(k) * a * (path[-1] - c) + momentum * (path[-1] - before))
    return path


def test_the_path_with_momentum_is_polyaks_to_the_last_digit():
    J, model = exact_bowl()
    rate, momentum, seen = Fraction(1, 5), Fraction(2, 3), []
    result = gradient_descent(J, model, steps=6, rate=rate, momentum=momentum,
                              callback=lambda k, at, value, norm: seen.append((k, at.ravel())))
    path = by_hand(J, model, 6, lambda k: rate, momentum)
    assert [k for k, _ in seen] == list(range(7))
    assert all((at == theta).all() for (_, at), theta in zip(seen, path))
    assert (result.model.ravel() == path[-1]).all()


def test_a_rate_may_depend_on_the_step():
    J, model = exact_bowl()

    def rate(k):
        return Fraction(1, 5 + k)

    result = gradient_descent(J, model, steps=5, rate=rate, momentum=Fraction(1, 3))
    assert (result.model.ravel() == by_hand(J, model, 5, rate, Fraction(1, 3))[-1]).all()


def test_a_rate_is_asked_for_once_per_step():
    asked = []
    gradient_descent(*float_bowl(), steps=5, rate=lambda k: asked.append(k) or 0.1)
    assert asked == [0, 1, 2, 3, 4]


def test_without_momentum_it_is_plain_descent():
    J, model = exact_bowl()
    result = gradient_descent(J, model, steps=3, rate=Fraction(1, 5), momentum=Fraction(0))
    assert (result.model.ravel() == by_hand(J, model, 3, lambda k: Fraction(1, 5), 0)[-1]).all()
    floats = gradient_descent(*float_bowl(), steps=3, rate=0.1)
    expected = by_hand(*float_bowl(), 3, lambda k: 0.1, 0)[-1]
    np.testing.assert_allclose(floats.model.ravel(), expected, rtol=1e-14)      # 45 roundings


def test_the_history_has_value_and_gradient_norm_of_every_model():
    J, model = float_bowl()
    result = gradient_descent(J, model, steps=5, rate=0.1, momentum=0.3)
    a, c = np.concatenate(J.curvature), np.concatenate(J.centre)
    path = by_hand(J, model, 5, lambda k: 0.1, 0.3)
    values = [(a * (x - c)**2).sum() / 2 for x in path]
    norms = [np.sqrt(((a * (x - c))**2).sum()) for x in path]
    np.testing.assert_allclose(result.history.value, values, rtol=1e-14)
    np.testing.assert_allclose(result.history.gradient_norm, norms, rtol=1e-14)
    assert result.value == result.history.value[-1]
    assert result.gradient_norm == result.history.gradient_norm[-1]
    assert result.steps == 5
    assert J.calls == 6
    assert not result.interrupted
    assert result.message == "all steps are done"


def test_parameters_that_are_symmetric_stay_symmetric():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((50, 3)) @ rng.standard_normal((3, 3))
    start = Gaussian(np.zeros(3), np.eye(3))
    result = gradient_descent(ImplicitScoreMatching(x), start, steps=40, rate=0.01, momentum=0.5)
    assert np.array_equal(result.model.precision, result.model.precision.T)
    assert result.history.value[-1] < result.history.value[0]


def test_a_tolerance_ends_the_run_where_the_gradient_is_small():
    result = gradient_descent(*float_bowl(), steps=500, rate=0.3, tol=1e-3)
    assert result.converged
    assert result.gradient_norm <= 1e-3 < result.history.gradient_norm[-2]
    assert result.message == "the gradient norm is at most 0.001"
    assert not gradient_descent(*float_bowl(), steps=3, rate=0.3, tol=1e-3).converged


# -- restarts ---------------------------------------------------------------------------------


def test_a_run_that_is_continued_is_one_run():
    J, model = exact_bowl()
    arguments = dict(rate=lambda k: Fraction(1, 5 + k), momentum=Fraction(1, 3))
    whole = gradient_descent(J, model, steps=7, **arguments)
    part = gradient_descent(J, model, steps=3, **arguments)
    joined = gradient_descent(J, part, steps=4, **arguments)
    assert (joined.model.ravel() == whole.model.ravel()).all()
    assert np.array_equal(joined.history.value, whole.history.value)
    assert joined.steps == 7


def test_batches_take_turns_across_a_restart():
    x, x_noisy, weights = data()
    J = DenoisingScoreMatching(x, x_noisy, 0.6, weights=weights)
    arguments = dict(rate=0.01, momentum=0.5, batches=[[0, 5], [1, 2, 6], [4, 3]])
    whole = gradient_descent(J, autoencoder(), steps=5, **arguments)
    joined = gradient_descent(J, gradient_descent(J, autoencoder(), steps=2, **arguments), steps=3,
                              **arguments)
    assert np.array_equal(joined.model.ravel(), whole.model.ravel())


def test_an_interrupted_run_is_continued_from_its_result():
    def stop(k, model, value, norm):
        if k == 3:
            raise KeyboardInterrupt

    J, start = float_bowl()
    whole = gradient_descent(J, start, steps=8, rate=0.1, momentum=0.6)
    with pytest.raises(DescentInterrupted) as caught:
        gradient_descent(J, start, steps=8, rate=0.1, momentum=0.6, callback=stop)
    joined = gradient_descent(J, caught.value.result, steps=5, rate=0.1, momentum=0.6)
    assert np.array_equal(joined.model.ravel(), whole.model.ravel())


# -- batches and fresh noise ------------------------------------------------------------------


def data(n=7):
    rng = np.random.default_rng(11)
    x = rng.standard_normal((n, 3))
    return x, x + 0.6 * rng.standard_normal((n, 3)), rng.uniform(0.1, 0.5, n)


def autoencoder():
    rng = np.random.default_rng(12)
    W, b, c = rng.standard_normal((5, 3)), rng.standard_normal(5), rng.standard_normal(3)
    return AutoencoderEnergy(W, b, c, sigma=0.6)


def plain_steps(objectives, model, rate):
    values = []
    for k, J in enumerate(objectives):
        value, g = J.value_and_gradient(model)
        values.append(value)
        if k < len(objectives) - 1:
            theta = [leaf - rate * g_leaf for leaf, g_leaf in zip(model.theta, g)]
            model = model.with_theta(theta)
    return model, values


def test_batches_take_turns_and_each_has_the_whole_weight():
    x, x_noisy, weights = data()
    batches = [[0, 5], np.array([1, 2, 6]), [4, 3]]
    J = DenoisingScoreMatching(x, x_noisy, 0.6, weights=weights)
    result = gradient_descent(J, autoencoder(), steps=5, rate=0.01, batches=batches)
    parts = []
    for k in range(6):
        rows = batches[k % 3]
        w = weights[rows] * weights.sum() / weights[rows].sum()
        parts.append(DenoisingScoreMatching(x[rows], x_noisy[rows], 0.6, weights=w))
    model, values = plain_steps(parts, autoencoder(), 0.01)
    np.testing.assert_allclose(result.history.value, values, rtol=1e-13)
    np.testing.assert_allclose(result.model.ravel(), model.ravel(), rtol=1e-13)


def test_one_batch_of_all_points_is_no_batch():
    x, x_noisy, weights = data()
    J = DenoisingScoreMatching(x, x_noisy, 0.6, weights=weights)
    whole = gradient_descent(J, autoencoder(), steps=4, rate=0.01)
    batch = gradient_descent(J, autoencoder(), steps=4, rate=0.01, batches=[np.arange(7)])
    np.testing.assert_allclose(whole.model.ravel(), batch.model.ravel(), rtol=1e-13)


def test_batches_that_are_drawn_use_each_point_once_per_round():
    x, x_noisy, weights = data()
    J = DenoisingScoreMatching(x, x_noisy, 0.6, weights=weights)
    order = np.random.default_rng(5).permutation(7)
    batches = [order[:3], order[3:6], order[6:]]
    drawn = gradient_descent(J, autoencoder(), steps=2, rate=0.01, batch_size=3,
                             rng=np.random.default_rng(5))
    given = gradient_descent(J, autoencoder(), steps=2, rate=0.01, batches=batches)
    assert np.array_equal(drawn.history.value, given.history.value)
    longer = gradient_descent(J, autoencoder(), steps=5, rate=1e-300, batch_size=3,
                              rng=np.random.default_rng(5)).history.value
    rng = np.random.default_rng(5)
    rng.permutation(7)
    again = rng.permutation(7)
    rows = again[:3]
    share = weights.sum() / weights[rows].sum()
    assert longer[3] == pytest.approx(share * J.take(rows).value(autoencoder()), rel=1e-13)


def test_the_line_of_progress_counts_the_steps_of_all_runs(monkeypatch):
    seen = []
    monkeypatch.setattr(descent, "Progress", lambda steps, on, first: seen.append((first, steps)) or
                        run_record.Progress(steps, False))
    first = gradient_descent(*float_bowl(), steps=3, rate=0.1)
    gradient_descent(float_bowl()[0], first, steps=5, rate=0.1)
    assert seen == [(0, 3), (3, 8)]


def test_a_function_that_makes_the_objective_gives_fresh_noise():
    x, _, _ = data()
    asked = []

    def fresh(k):
        asked.append(k)
        noise = np.random.default_rng(k).standard_normal(x.shape)
        return DenoisingScoreMatching(x, x + 0.6 * noise, 0.6)

    result = gradient_descent(fresh, autoencoder(), steps=5, rate=0.01)
    assert asked == [0, 1, 2, 3, 4, 5]
    model, values = plain_steps([fresh(k) for k in range(6)], autoencoder(), 0.01)
    np.testing.assert_allclose(result.history.value, values, rtol=1e-13)
    np.testing.assert_allclose(result.model.ravel(), model.ravel(), rtol=1e-13)


ROWS = "must be a list of row numbers from 0 to 6, but it is"


@pytest.mark.parametrize("batches, message", [
    ([], "batches must have at least one batch, but there is none"),
    ([[0], []], rf"batches\[1\] {ROWS} \[\]"),
    ([[0, 7]], rf"batches\[0\] {ROWS} \[0, 7\]"),
    ([[-1]], rf"batches\[0\] {ROWS} \[-1\]"),
    ([[0.5]], rf"batches\[0\] {ROWS} \[0.5\]"),
    ([[[0]]], rf"batches\[0\] {ROWS} \[\[0\]\]"),
    ([[[0], [1, 2]]], rf"batches\[0\] {ROWS} \[\[0\], \[1, 2\]\]"),
    ([[0, 6], [2]], r"batches\[1\] must have points of some weight, but their weights sum to 0"),
])
def test_bad_batches_are_refused(batches, message):
    x, x_noisy, weights = data()
    weights[2] = 0
    J = DenoisingScoreMatching(x, x_noisy, 0.6, weights=weights)
    with pytest.raises(ValueError, match=f"^{message}$"):
        gradient_descent(J, autoencoder(), steps=3, rate=0.1, batches=batches)


@pytest.mark.parametrize("arguments, message", [
    (dict(batch_size=3), "rng must be a numpy.random.Generator, but it is None"),
    (dict(batch_size=0, rng=np.random.default_rng(0)), "batch_size must be a whole number >= 1"),
    (dict(batch_size=8, rng=np.random.default_rng(0)), "batch_size must be at most the 7 points"),
    (dict(batch_size=3, batches=[[0]]), "batches and batch_size must not both be given"),
    (dict(rng=np.random.default_rng(0)), "rng must be None without batch_size"),
    (dict(batches=3), "batches must be a sequence of index arrays, but it is of type int"),
    (dict(batches=[[0]], tol=0.1), "tol must be None with batches or fresh noise"),
])
def test_arguments_of_batches_that_do_not_go_together_are_refused(arguments, message):
    x, x_noisy, _ = data()
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        gradient_descent(DenoisingScoreMatching(x, x_noisy, 0.6), autoencoder(), steps=3, rate=0.1,
                         **arguments)


# -- early ends -------------------------------------------------------------------------------


def test_a_rate_too_large_ends_in_an_error_with_the_last_good_model():
    x, _, _ = data()
    J, start, seen = ImplicitScoreMatching(x), Gaussian(np.ones(3), np.eye(3)), []
    message = (r"^the value or its gradient is not finite; "
               r"the last good model, after \d+ steps, is in .result$")
    with pytest.raises(DescentError, match=message) as caught:
        gradient_descent(J, start, steps=3000, rate=5.0,
                         callback=lambda k, model, value, norm: seen.append((model, value)))
    result = caught.value.result
    assert result.model is seen[-1][0]
    assert result.steps == len(seen) - 1 > 0
    assert np.isfinite(result.history.value).all()
    assert result.value == seen[-1][1]
    assert np.isfinite(J.value(result.model))


class Cliff(Bowl):
    """Values that are not finite from the fourth call on."""

    def __init__(self, value, gradient):
        bowl, _ = float_bowl()
        super().__init__(bowl.curvature, bowl.centre)
        self.bad, self.first = (value, gradient), 4

    def value_and_gradient(self, model):
        value, g = super().value_and_gradient(model)
        if self.calls < self.first:
            return value, g
        return value * self.bad[0], Theta(g.p, g.q * self.bad[1])


@pytest.mark.parametrize("value, gradient", [(np.nan, 1), (np.inf, 1), (1, np.nan), (1, -np.inf)])
def test_whatever_is_not_finite_ends_the_run(value, gradient):
    path = by_hand(*float_bowl(), 2, lambda k: 0.1, 0)
    with pytest.raises(DescentError) as caught:
        gradient_descent(Cliff(value, gradient), float_bowl()[1], steps=9, rate=0.1)
    assert caught.value.result.steps == 2
    np.testing.assert_allclose(caught.value.result.model.ravel(), path[-1], rtol=1e-14)


def test_a_first_model_that_is_not_good_has_no_history():
    start = float_bowl()[1]
    J = Cliff(np.nan, 1)
    J.first = 1
    with pytest.raises(DescentError, match="after 0 steps") as caught:
        gradient_descent(J, start, steps=3, rate=0.1)
    result = caught.value.result
    assert result.model is start
    assert result.steps == 0
    assert result.history.value.shape == (0,)
    assert np.isnan(result.value)
    assert np.isnan(result.gradient_norm)


def test_parameters_that_the_energy_refuses_end_the_run():
    J, start = float_bowl(edge=-0.5)
    message = (r"^the next step leaves what Point takes \(p must be below -0.5\); "
               "the last good model, after 1 step, is in .result$")
    with pytest.raises(DescentError, match=message) as caught:
        gradient_descent(J, start, steps=9, rate=0.1)
    expected = by_hand(J, start, 1, lambda k: 0.1, 0)[-1]
    np.testing.assert_allclose(caught.value.result.model.ravel(), expected, rtol=1e-14)


def test_a_step_that_overflows_is_refused_without_a_warning():
    x, _, _ = data()
    J, start = ExplicitScoreMatching(x, 1e3 * x), Gaussian(np.ones(3), np.eye(3))
    with pytest.raises(DescentError, match="leaves what Gaussian takes .precision must be finite"):
        gradient_descent(J, start, steps=3, rate=1e308)
    with pytest.raises(DescentError, match="after 0 steps"):
        gradient_descent(*float_bowl(), steps=3, rate=1e308, momentum=0.5)


def test_ctrl_c_carries_what_is_done():
    models = []
    message = "^interrupted after 2 steps; the last good model is in .result$"
    with pytest.raises(DescentInterrupted, match=message) as caught:
        gradient_descent(*float_bowl(), steps=9, rate=0.1,
                         callback=ctrl_c_after_two_steps(models))
    result = caught.value.result
    assert isinstance(caught.value, KeyboardInterrupt)
    assert result.interrupted
    assert result.model is models[-1]
    assert len(result.history.value) == 3


def test_ctrl_c_within_a_step_carries_the_model_before_it():
    class Slow(Bowl):
        def value_and_gradient(self, model):
            if self.calls == 3:
                raise KeyboardInterrupt
            return super().value_and_gradient(model)

    bowl, start = float_bowl()
    with pytest.raises(DescentInterrupted) as caught:
        gradient_descent(Slow(bowl.curvature, bowl.centre), start, steps=9, rate=0.1)
    assert caught.value.result.steps == 2
    expected = by_hand(bowl, start, 2, lambda k: 0.1, 0)[-1]
    np.testing.assert_allclose(caught.value.result.model.ravel(), expected, rtol=1e-14)


def test_stop_iteration_from_the_callback_ends_the_run():
    def stop(k, model, value, norm):
        if k == 3:
            raise StopIteration

    result = gradient_descent(*float_bowl(), steps=9, rate=0.1, callback=stop)
    assert result.steps == 3
    assert result.message == "the callback ended the run"
    assert not result.interrupted


@pytest.mark.parametrize("arguments, message", [
    (dict(steps=0, rate=0.1), "steps must be a whole number >= 1, but it is 0"),
    (dict(steps=3, rate=0), "rate must be finite and > 0, but it is 0.0"),
    (dict(steps=3, rate="fast"), "rate must be a number > 0, but it is 'fast'"),
    (dict(steps=3, rate=lambda k: -0.1), r"rate\(k\) must be finite and >= 0, but it is -0.1"),
    (dict(steps=3, rate=0.1, momentum=1), r"momentum must be in \[0, 1\), but it is 1.0"),
    (dict(steps=3, rate=0.1, momentum=-0.1), "momentum must be finite and >= 0, but it is -0.1"),
    (dict(steps=3, rate=0.1, callback=3), "callback must be a function of k, model, value and "
                                          "gradient norm, but it is of type int"),
    (dict(steps=3, rate=0.1, tol=-1.0), "tol must be finite and >= 0, but it is -1.0"),
])
def test_bad_arguments_are_refused_in_one_sentence(arguments, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}$"):
        gradient_descent(*float_bowl(), **arguments)


def test_objective_and_model_in_the_wrong_order_are_told_apart():
    J, model = ImplicitScoreMatching([[1.0], [2.0]]), Gaussian([0.0], [[1.0]])
    with pytest.raises(TypeError, match="^J must be an objective, but it is of type Gaussian$"):
        gradient_descent(model, J, steps=2, rate=0.1)
    with pytest.raises(TypeError, match="^model must be an energy, but it is of type NoneType$"):
        gradient_descent(J, None, steps=2, rate=0.1)
    with pytest.raises(ValueError, match="^model must have parameters, but Parzen has none$"):
        gradient_descent(J, Parzen([[0.0]], 0.7), steps=2, rate=0.1)
