"""Differences know how far they can be off: the error covers the truth, and is small where it can
be.
"""

import numpy as np
import pytest

from refsm.checks import differences as room
from refsm.checks.differences import differences, noise_level

U = np.array([0.9, -1.3, 0.4])
X = np.array([0.3, 1.1, -0.7])

SMOOTH = {  # f (M outputs), and its derivative along u
    "cubic": (
        lambda x: np.array([x @ x * x[0], x[1] ** 3]),
        lambda x, u: np.array([2 * x @ u * x[0] + x @ x * u[0], 3 * x[1] ** 2 * u[1]]),
    ),
    "exp": (lambda x: np.exp(x), lambda x, u: np.exp(x) * u),
    "oscillating": (lambda x: np.sin(50 * x), lambda x, u: 50 * np.cos(50 * x) * u),
    "logistic": (
        lambda x: 1 / (1 + np.exp(-9 * x)),
        lambda x, u: 9 * u / (2 + np.exp(9 * x) + np.exp(-9 * x)),
    ),
    "linear": (lambda x: 3 * x + 7, lambda x, u: 3 * u),
    "offset": (lambda x: np.exp(x) + 1e6, lambda x, u: np.exp(x) * u),
    "narrow": (
        lambda x: np.exp(-((x - X - 1e-6) ** 2) / 2e-12),
        lambda x, u: 1e6 * np.exp(-0.5) * u,
    ),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_the_error_covers_the_truth_and_eight_digits_are_reached_where_they_can_be(name):
    f, exact = SMOOTH[name]
    digits = {"offset": 1e-5, "oscillating": 1e-6, "narrow": 1e-6, "logistic": 1e-6}.get(name, 1e-8)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, u = (X, U) if name == "narrow" else (rng.standard_normal(3), rng.standard_normal(3))
        found, truth = differences(f, x, u), exact(x, u)
        assert (abs(found.value - truth) <= found.error).all()
        assert np.sqrt((found.error**2).sum()) <= digits * np.sqrt((truth**2).sum())


def test_a_quadratic_is_not_believed_beyond_what_an_order_four_allows():
    """Truncation vanishes; the error is then sigma^(4/5) of the slope, sigma at least half a unit
    in the last place.
    """
    found = differences(lambda x: np.array([x @ x]), X, U)
    assert (
        found.slope[0] * (np.finfo(float).eps / 2) ** 0.8
        < found.error[0]
        < 20 * found.slope[0] * (np.finfo(float).eps / 2) ** 0.8
    )


def test_the_slope_and_the_size_are_those_at_the_step():
    found = differences(lambda x: np.array([x @ x]), X, U)
    t = found.step[0]
    values = [(X + t * U) @ (X + t * U), (X - t * U) @ (X - t * U)]
    assert np.isclose(found.size[0], max(values), rtol=1e-14)
    assert np.isclose(found.slope[0], max(abs(v - X @ X) for v in values) / t, rtol=1e-12)


def test_the_error_of_moving_x_by_hand():
    """f = x - 10^6 + 10^3 at 10^6, along steps that are rounded alike: half a unit of x in f, times
    30 / (1/4) at the first rung.
    """
    found = differences(lambda x: x - 1e6 + 1e3, np.array([1e6]), np.array([4.0]))
    by_hand = 30 * 4 * np.finfo(float).eps / 2 * 1e6
    assert found.step[0] == 1
    assert by_hand <= found.error[0] * (1 + 1e-6)
    assert found.error[0] <= 1.1 * by_hand


def test_the_noise_of_a_constant_with_jagged_rounding_is_thirty_times_its_level_over_the_step():
    """A constant whose values in the difference table are 1, 1 - 2h, 1, ...: h (-1)^i about their
    mean, so that Delta^6 = 64 h and sigma = 64 h 6! / sqrt(12!).  Central differences are 0, and
    the error at the first step is the noise at the next one, t = 1/4.
    """
    h = 1e-3
    table = [1 - 2 * h, 1.0] * 4
    answers = iter([1.0] * 33 + table)
    found = differences(lambda x: np.array([next(answers)]), X, U)
    assert found.value[0] == 0
    assert np.isclose(found.error[0], 30 * 4 * 64 * h * 720 / np.sqrt(479001600), rtol=1e-12)


def test_errors_scale_with_f():
    def cube(x):
        return np.array([(x.astype(np.float32) ** 3).sum().astype(float)])

    there, small = differences(cube, X, U), differences(lambda x: cube(x) * 2.0**-40, X, U)
    assert small.error[0] == there.error[0] * 2.0**-40
    assert small.value[0] == there.value[0] * 2.0**-40


@pytest.mark.parametrize("row", [4, 5, 6])
def test_the_noise_is_the_largest_of_three_rows(row):
    """Of random values for some seed."""
    for seed in range(200):
        values = np.random.default_rng(seed).standard_normal((9, 1))
        levels = np.array([room._row_level(values, j) for j in (4, 5, 6)])
        if levels.argmax() == row - 4:
            break
    assert levels.argmax() == row - 4
    answers = iter(values[1:])
    assert np.allclose(
        noise_level(lambda x: next(answers), X, U, values[0]), levels.max(axis=0), rtol=1e-14
    )


def test_a_flat_function_is_tried_with_five_steps():
    seen = []
    noise_level(
        lambda x: seen.append(x[0] - X[0]) or np.ones(3), X, np.array([1.0, 0, 0]), np.ones(3)
    )
    assert np.allclose(seen[::8], [4.0**-20, 4.0**-16, 4.0**-12, 4.0**-8, 4.0**-4], rtol=1e-3)


def test_the_ladder_of_steps_and_the_allowances():
    assert (room.STEPS == [4.0**-k for k in range(16)]).all()
    assert room.SAFETY == 30
    assert (room.TABLE_STEPS == [4.0**-k for k in (20, 16, 12, 8, 4)]).all()
    assert room.TABLE_POINTS == 9


@pytest.mark.parametrize(("equal", "tables"), [(4, 1), (5, 2)])
def test_a_table_with_more_equal_neighbours_than_others_is_made_again(equal, tables):
    """Eight pairs of neighbours: four that are equal do, five do not."""
    seen = []
    first = np.cumsum([0] * equal + [1, -2, 3, -5][equal - 4 :])
    answers = [*first, *np.cumsum([1, -2, 3, -5, 7, -11, 13, -17])]
    noise_level(
        lambda x: seen.append(x) or np.array([float(answers[len(seen) - 1])]), X, U, np.zeros(1)
    )
    assert len(seen) == 8 * tables


def test_the_length_of_an_array():
    assert room.norm(np.array([[2.0, 3.0], [6.0, 0.0]])) == 7
    assert room.norm(np.zeros(3)) == 0


def test_moving_x_has_a_rounding_error_of_its_own():
    """f = 1e-3 x^2 at x = 1e6 + 1/3: x is rounded by 1e-10, which moves f by the slope times that,
    far more than f's own rounding.
    """
    x = np.array([1e6 + 1 / 3])
    found = differences(lambda x: np.sin(x), x, np.array([1.0]))
    assert abs(found.value[0] - np.cos(x[0])) <= found.error[0]
    assert found.error[0] > 30 * 1e6 * np.finfo(float).eps / 2


def test_outputs_are_measured_each_by_itself():
    """Each with the step that suits it, a kernel of width 1e-4 beside a parabola."""

    def f(x):
        return np.array([x @ x, np.exp(-1e8 * (x[0] - X[0] - 1e-4) ** 2 / 2)])

    found = differences(f, X, U)
    assert found.step[0] > 1e-3
    assert found.step[1] < 1e-4
    assert np.allclose(found.value, [2 * X @ U, 1e4 * np.exp(-0.5) * U[0]], rtol=1e-7)


def test_the_false_plateau_outside_a_narrow_kernel_is_not_believed():
    """At steps far beyond the kernel all differences agree on 0."""

    def f(x):
        return np.array([np.exp(-1e12 * (x[0] - X[0] - 1e-6) ** 2 / 2)])

    found = differences(f, X, U)
    assert found.value[0] > 1e5
    assert found.step[0] < 1e-6


def test_steps_outside_the_domain_are_left_out():
    with np.errstate(invalid="ignore"):
        found = differences(np.log, np.array([0.2, 0.3, 0.5]), U)
    assert np.allclose(found.value, U / [0.2, 0.3, 0.5], rtol=1e-9)
    assert (found.step < 1).all()


def test_a_point_without_a_finite_neighbourhood_is_refused():
    with pytest.raises(
        ValueError,
        match="^f must be finite in a neighbourhood of x, "
        "but it is not at any step that was tried$",
    ):
        differences(lambda x: np.where(x == X, 1.0, np.nan), X, U)


@pytest.mark.parametrize("sigma", [1e-13, 1e-9, 1e-4])
def test_the_noise_of_a_function_is_estimated(sigma):
    rng = np.random.default_rng(4)

    def f(x):
        return np.exp(x) + sigma * rng.standard_normal(3)

    level = noise_level(f, X, U, f(X))
    assert (level > sigma / 4).all()
    assert (level < 4 * sigma).all()


def test_a_difference_table_of_given_noise_by_hand():
    """Values 0, 0, 0, 0, 1, 0, 0, 0, 0 have fourth differences 1, -4, 6, -4, 1, whose mean square
    is 70 / 5; over binom(8, 4) = 70 that is 1/5.
    """
    values = np.zeros((9, 1))
    values[4] = 1
    assert np.isclose(room._row_level(values, 4)[0] ** 2, 1 / 5)
    assert np.isclose(room._row_level(values, 6)[0] ** 2, (400 + 2 * 225) / 3 / 924)


def test_a_table_whose_step_is_too_small_to_move_f_is_made_with_a_larger_one():
    """f in single precision does not notice steps of 1e-12."""

    def f(x):
        return np.exp(x.astype(np.float32)).astype(float)

    level = noise_level(f, X, U, f(X))
    assert (level > 1e-9).all()
    assert (level < 1e-6).all()


def test_the_smallest_step_that_moves_f_is_used():
    """A larger one would take the shape of a narrow kernel for noise."""
    seen = []

    def f(x):
        return seen.append(x[0]) or np.sin(x)

    noise_level(f, X, U, np.sin(X))
    assert np.allclose(np.array(seen) - X[0], np.arange(1, 9) * 4.0**-20 * U[0], rtol=1e-3)


def test_a_constant_has_no_noise_of_its_own():
    level = noise_level(lambda x: np.array([3.0, 0.5]), X, U, np.array([3.0, 0.5]))
    assert (level == 0).all()


def test_single_precision_shows_even_in_float64():
    def f(x):
        return np.array([float(np.float32(np.exp(x[0])))])

    found = differences(f, X, U)
    assert found.error[0] > 1e-6 * abs(found.value[0])
    assert abs(found.value[0] - np.exp(X[0]) * U[0]) <= found.error[0]


def test_a_small_derivative_lost_in_single_precision_is_not_taken_for_zero():
    """Small steps do not move f at all; only steps near 1 show that it is in single precision."""
    x = np.array([-5e-3, 1.1, -0.7])
    found = differences(
        lambda x: np.array([float((x.astype(np.float32) ** 2 / 2).mean())]),
        x,
        np.array([1.0, 0, 0]),
    )
    assert abs(found.value[0] - x[0] / 3) <= found.error[0]


def test_a_rounded_function_is_not_flat():
    """f rounded to four digits after the point is constant for steps below 1e-4."""
    found = differences(lambda x: np.round(np.exp(x) + np.pi, 4), X, U)
    assert (abs(found.value - np.exp(X) * U) <= found.error).all()


def test_a_function_that_is_flat_nearby_has_derivative_zero():
    found = differences(lambda x: np.maximum(x - 2.0, 0) + np.pi, X, U)
    assert (found.value == 0).all()
    assert (found.error < 1e-9).all()


def test_a_constant_has_derivative_zero_to_rounding():
    found = differences(lambda x: np.array([3.0]), X, U)
    assert found.value[0] == 0
    assert found.slope[0] == 0
    assert found.size[0] == 3
    assert found.error[0] == pytest.approx(
        (np.finfo(float).eps / 2) ** 0.8 * 3, rel=1e-9, abs=0
    )  # (6)
    nothing = differences(lambda x: np.array([0.0]), X, U)
    assert nothing.error[0] == nothing.value[0] == 0


def test_the_error_of_a_rung_by_hand():
    """error_k = |R_k - R_{k+1}| + noise_{k+1} + max over j > k of (|R_k - R_j| - noise_j)+."""
    R, noise = np.array([[5.0], [2.0], [2.5], [9.0]]), np.array([[0.1], [0.2], [1.0], [4.0]])
    assert np.allclose(
        room._errors(R, noise)[:, 0], [3 + 0.2 + 2.8, 0.5 + 1.0 + 3.0, 6.5 + 4.0 + 2.5]
    )
