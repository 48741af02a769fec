"""Gradients and Jacobians under test: right ones pass, each planted mistake fails, and what cannot
be known is called so.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest

from refsm.checks import taylor
from refsm.checks.differences import noise_level
from refsm.checks.gradient import check_gradient, check_jacobian
from refsm.checks.taylor import taylor_orders

MANY = 10**4


def loss(x):
    """The mean of x^2 / 2, in the precision of x."""
    return (x * x / 2).mean()


def points(dtype=np.float64, n=MANY, seed=0):
    return np.random.default_rng(seed).standard_normal(n).astype(dtype)


# -- where popular checkers fail: loss = mean(x^2 / 2), n = 10^4 -----------------------------------


@pytest.mark.parametrize("complex_step", [None, False])
@pytest.mark.parametrize("factor", [0.5, 2.0, 0.0, -1.0])
def test_a_multiple_of_a_gradient_of_ten_thousand_entries_fails(factor, complex_step):
    found = check_gradient(loss, lambda x: factor * x / x.size, points(), complex_step=complex_step)
    assert found.verdict == "FAIL"
    assert np.isclose(found.scalar, factor, atol=1e-9)
    assert np.isclose(found.error, abs(factor - 1), rtol=1e-9)
    assert found.entry is not None


@pytest.mark.parametrize("complex_step", [None, False])
@pytest.mark.parametrize("factor", [1 + 2e-6, 1 - 2e-6])
def test_so_does_one_that_is_off_by_twice_the_accuracy(factor, complex_step):
    assert (
        check_gradient(
            loss, lambda x: factor * x / x.size, points(), complex_step=complex_step
        ).verdict
        == "FAIL"
    )


@pytest.mark.parametrize("factor", [0.5, 2.0, 0.0, -1.0])
def test_a_multiple_fails_in_single_precision_too(factor):
    found = check_gradient(loss, lambda x: factor * x / x.size, points(np.float32, 1000))
    assert found.verdict == "FAIL"
    assert np.isclose(found.scalar, factor, atol=1e-3)
    assert np.isclose(found.error, abs(factor - 1), rtol=1e-3)


@pytest.mark.parametrize("n", [3, 30, 1000])
@pytest.mark.parametrize(
    "f, dtype",
    [
        (loss, np.float32),
        (lambda x: float(loss(x.astype(np.float32, casting="same_kind"))), np.float64),
        (lambda x: np.float32(loss(x)), np.float64),
        (loss, np.float16),
    ],
)
def test_a_function_in_single_precision_is_never_passed_to_six_digits(f, dtype, n):
    for seed in range(3):
        found = check_gradient(
            f,
            lambda x: x / np.float64(x.size),
            points(dtype, n, seed),
            rng=np.random.default_rng(seed),
        )
        assert found.verdict == "INCONCLUSIVE"
        assert found.visible > 1e-6


def test_to_two_digits_single_precision_is_passed():
    found = check_gradient(loss, lambda x: x / x.size, points(np.float32), accuracy=1e-2)
    assert found.verdict == "PASS"
    assert found.visible < 1e-2


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_a_right_gradient_passes_and_a_halved_one_fails_at_any_scale(scale):
    x = points(n=7) * scale
    for f, g in (
        (lambda x: (x**4).sum(), lambda x: 4 * x**3),
        (lambda x: 1e-9 * np.exp(x / scale).sum(), lambda x: 1e-9 * np.exp(x / scale) / scale),
    ):
        for complex_step in (None, False):
            assert check_gradient(f, g, x, complex_step=complex_step).verdict == "PASS"
            assert (
                check_gradient(f, lambda x: g(x) / 2, x, complex_step=complex_step).verdict
                == "FAIL"
            )


# -- no false alarm --------------------------------------------------------------------------------


FUNCTIONS = {
    "quartic": (
        lambda x: (x**4).sum() + x[0] * x[-1],
        lambda x: 4 * x**3 + np.eye(len(x))[0] * x[-1] + np.eye(len(x))[-1] * x[0],
    ),
    "logsumexp": (lambda x: np.log(np.exp(x).sum()), lambda x: np.exp(x) / np.exp(x).sum()),
    "waves": (lambda x: np.sin(7 * x).sum(), lambda x: 7 * np.cos(7 * x)),
    "norm": (lambda x: np.linalg.norm(x), lambda x: x / np.linalg.norm(x)),
    "offset": (lambda x: np.exp(x).sum() + 1e3, np.exp),
    "rational": (lambda x: (1 / (1 + x * x)).sum(), lambda x: -2 * x / (1 + x * x) ** 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("n, complex_step", [(3, False), (60, False), (90, None)])
def test_right_gradients_pass_with_every_seed(name, n, complex_step):
    f, g = FUNCTIONS[name]
    for seed in range(3):
        found = check_gradient(
            f, g, points(n=n, seed=seed), rng=np.random.default_rng(seed), complex_step=complex_step
        )
        assert found.verdict == "PASS"
        assert found.error <= found.visible < 1e-7


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_off_by_two_in_a_million_fail_with_every_seed(name):
    f, g = FUNCTIONS[name]
    for seed in range(2):
        for n, complex_step in ((3, False), (60, None)):
            assert (
                check_gradient(
                    f,
                    lambda x: (1 + 2e-6) * g(x),
                    points(n=n, seed=seed),
                    rng=np.random.default_rng(seed),
                    complex_step=complex_step,
                ).verdict
                == "FAIL"
            )


# -- which entry, which block ----------------------------------------------------------------------


@pytest.mark.parametrize("complex_step", [None, False])
@pytest.mark.parametrize("where", [0, 6543, MANY - 1])
def test_one_wrong_entry_among_ten_thousand_is_found(where, complex_step):
    def wrong(x):
        g = x / x.size
        g[where] = -g[where] + 1e-5
        return g

    found = check_gradient(loss, wrong, points(), complex_step=complex_step)
    assert found.verdict == "FAIL"
    assert found.entry == (where,)
    assert found.rest > 0.1 * found.error


def test_one_wrong_entry_among_few_is_named_by_its_index():
    def wrong(x):
        g = 4 * x**3
        g[1, 2] *= -1
        return g

    found = check_gradient(lambda x: (x**4).sum(), wrong, points(n=15).reshape(5, 3))
    assert found.entry == (1, 2)
    assert "worst at [1, 2]" in str(found)


class Parameters(NamedTuple):
    W: np.ndarray
    b: np.ndarray


def two_blocks(n):
    """A block with derivatives of 1e4 beside one with derivatives of 1."""

    def f(p):
        return 1e4 * (p.W**3).sum() + (p.b**2).sum()

    def g(p):
        return Parameters(3e4 * p.W**2, 2 * p.b)

    return f, g, Parameters(points(n=7 * n, seed=1).reshape(7, n), points(n=n, seed=2))


@pytest.mark.parametrize("n", [3, 50])
@pytest.mark.parametrize("complex_step", [None, False])
def test_a_wrong_small_block_beside_a_huge_one_is_seen(n, complex_step):
    f, g, p = two_blocks(n)
    assert check_gradient(f, g, p, complex_step=complex_step).verdict == "PASS"
    found = check_gradient(f, lambda p: g(p)._replace(b=2.0002 * p.b), p, complex_step=complex_step)
    assert found.verdict == "FAIL"
    assert found.block == "b"
    assert np.isclose(found.scalar, 1.0001)
    assert [part.verdict for part in found.parts] == ["PASS", "FAIL"]
    assert [part.block for part in found.parts] == ["W", "b"]


@pytest.mark.parametrize("n", [3, 50])
def test_a_transposed_block_fails(n):
    x = points(n=n * n).reshape(n, n)
    a = np.arange(1.0, n + 1)
    found = check_gradient(
        lambda x: (x @ x @ a).sum(),
        lambda x: (np.outer(np.ones(n), x @ a) + np.outer(x.T @ np.ones(n), a)).T,
        x,
    )
    assert found.verdict == "FAIL"
    assert found.rest > 0.01
    assert (
        check_gradient(
            lambda x: (x @ x @ a).sum(),
            lambda x: np.outer(np.ones(n), x @ a) + np.outer(x.T @ np.ones(n), a),
            x,
        ).verdict
        == "PASS"
    )


@pytest.mark.parametrize("make", [lambda W, b: (W, b), lambda W, b: {"0": W, "1": b}])
def test_blocks_come_as_tuples_or_dicts(make):
    f, g, p = two_blocks(3)
    x = make(*p)
    values = (
        (lambda x: Parameters(*x.values())) if isinstance(x, dict) else lambda x: Parameters(*x)
    )
    found = check_gradient(lambda x: f(values(x)), lambda x: make(*g(values(x))), x)
    assert found.verdict == "PASS"
    assert [part.block for part in found.parts] == ["0", "1"]


def test_the_worst_of_a_block_is_found_from_its_own_start():
    f, g, p = two_blocks(50)
    wrong = 2 * p.b
    wrong[31] += 1
    found = check_gradient(f, g(p)._replace(b=wrong), p)
    assert (found.block, found.entry) == ("b", (31,))
    assert "worst at b[31]" in str(found)


# -- zero ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("complex_step", [None, False])
@pytest.mark.parametrize("n", [3, 60])
def test_zero_gradients(n, complex_step):
    bowl, x = (lambda x: 1 + (x * x).sum()), np.zeros(n)
    right = check_gradient(bowl, lambda x: 2 * x, x, complex_step=complex_step)
    assert right.verdict == "PASS"
    assert right.zero
    assert "zero, as is the derivative" in str(right)
    assert (
        check_gradient(bowl, lambda x: 2 * x + 1e-9, x, complex_step=complex_step).verdict == "FAIL"
    )
    constant = check_gradient(
        lambda x: 3.0, lambda x: 0 * x, points(n=n), complex_step=complex_step
    )
    assert constant.verdict == "PASS"
    assert constant.zero
    assert (
        check_gradient(
            lambda x: 3.0, lambda x: 0 * x + 1e-9, points(n=n), complex_step=complex_step
        ).verdict
        == "FAIL"
    )


def test_an_unused_block_passes_with_zero_and_fails_with_anything_else():
    p = Parameters(points(n=6), points(n=3))
    for complex_step in (None, False):
        right = check_gradient(
            lambda p: (p.W**3).sum(),
            lambda p: Parameters(3 * p.W**2, 0 * p.b),
            p,
            complex_step=complex_step,
        )
        wrong = check_gradient(
            lambda p: (p.W**3).sum(),
            lambda p: Parameters(3 * p.W**2, 0 * p.b + 1e-3),
            p,
            complex_step=complex_step,
        )
        assert right.verdict == "PASS"
        assert wrong.verdict == "FAIL"
        assert wrong.block == "b"


def test_a_gradient_lost_in_rounding_is_not_passed():
    """f = 1e16 + sum x cannot tell its gradient from half of it."""
    for factor in (1.0, 0.5, 0.0):
        found = check_gradient(
            lambda x: float(1e16 + x.sum()),
            lambda x: factor * np.ones(3),
            np.ones(3),
            complex_step=False,
        )
        assert found.verdict == "INCONCLUSIVE"


# -- narrow kernels, domains, noise ----------------------------------------------------------------


@pytest.mark.parametrize("sigma", [1e-2, 1e-4, 1e-6])
def test_narrow_kernels(sigma):
    x = np.array([1.0, -2.0, 3.0])

    def f(x):
        return np.exp(-((x - centre) ** 2).sum() / (2 * sigma**2))

    centre = x + sigma * np.array([0.3, -0.9, 0.5])

    def g(x):
        return -(x - centre) / sigma**2 * f(x)

    assert check_gradient(f, g, x, complex_step=False).verdict == "PASS"
    assert check_gradient(f, lambda x: g(x) / 2, x, complex_step=False).verdict == "FAIL"
    assert check_gradient(f, lambda x: 0 * x, x, complex_step=False).verdict == "FAIL"
    assert check_gradient(f, g, x, complex_step=False, scale=sigma).step <= 1


def test_the_scale_is_the_largest_step():
    reach = []

    def f(x):
        return reach.append(abs(x - x0).max()) or (x**3).sum()

    x0 = np.array([10.0, 20.0, -30.0])
    check_gradient(f, lambda x: 3 * x**2, x0, complex_step=False, scale=0.125)
    assert max(reach) == 0.125
    reach.clear()
    check_gradient(f, lambda x: 3 * x**2, x0, complex_step=False)
    assert np.isclose(max(reach), np.sqrt(1400 / 3))
    reach.clear()
    x0 = np.zeros(3)
    check_gradient(f, lambda x: 3 * x**2, x0, complex_step=False)
    assert max(reach) == 1


def test_outside_the_domain_f_may_refuse():
    def f(x):
        if x.min() <= 0:
            raise ValueError("x must be positive")
        return np.log(x).sum()

    x = np.array([0.2, 3.0, 50.0])
    found = check_gradient(f, lambda x: 1 / x, x, complex_step=False)
    assert found.verdict == "PASS"
    assert found.step < 1


def test_a_noisy_function_is_inconclusive():
    rng = np.random.default_rng(0)
    found = check_gradient(
        lambda x: (x**2).sum() * (1 + 1e-7 * rng.standard_normal()),
        lambda x: 2 * x,
        points(n=3),
        complex_step=False,
    )
    assert found.verdict == "INCONCLUSIVE"
    assert found.visible > 1e-6


# -- complex steps ---------------------------------------------------------------------------------


def test_the_method_is_said():
    x = points(n=7)
    assert check_gradient(lambda x: np.exp(x).sum(), np.exp, x).method == "complex step"
    for f, g in (
        (lambda x: abs(x).sum(), np.sign),
        (lambda x: float(np.vdot(x, x).real), lambda x: 2 * x),
    ):
        found = check_gradient(f, g, x)
        assert (found.verdict, found.method) == ("PASS", "differences")
        assert "complex step disagrees" in found.note
        assert check_gradient(f, lambda x: 0 * x, x).verdict == "FAIL"
        with pytest.raises(ValueError, match="complex_step must be None or False"):
            check_gradient(f, g, x, complex_step=True)
    assert (
        check_gradient(lambda x: np.exp(x).sum(), np.exp, x, complex_step=False).note == "as asked"
    )


def test_the_complex_step_sees_fourteen_digits():
    x = points(n=7)
    found = check_gradient(lambda x: np.exp(x).sum(), np.exp, x, accuracy=1e-12)
    assert found.verdict == "PASS"
    assert found.visible < 1e-13
    assert (
        check_gradient(
            lambda x: np.exp(x).sum(), lambda x: (1 + 2e-12) * np.exp(x), x, accuracy=1e-12
        ).verdict
        == "FAIL"
    )


# -- Jacobians -------------------------------------------------------------------------------------


A = np.random.default_rng(9).standard_normal((5, 3))


@pytest.mark.parametrize("complex_step", [None, False])
def test_jacobians(complex_step):
    f, J = (lambda x: np.tanh(A @ x)), lambda x: (1 - np.tanh(A @ x) ** 2)[:, None] * A
    x = points(n=3)
    assert check_jacobian(f, J, x, complex_step=complex_step).verdict == "PASS"
    assert check_jacobian(f, J(x), x, complex_step=complex_step).verdict == "PASS"
    half = check_jacobian(f, J(x) / 2, x, complex_step=complex_step)
    assert half.verdict == "FAIL"
    assert np.isclose(half.scalar, 0.5)
    assert "jacobian" in str(half)
    wrong = J(x)
    wrong[3, 1] += 0.01
    assert check_jacobian(f, wrong, x, complex_step=complex_step).entry == (3, 1)


def test_a_jacobian_has_the_shape_of_the_values_and_then_of_the_point():
    x = points(n=6).reshape(2, 3)

    def f(x):
        return x[:, None, :] * x[None, :, :]  # (2, 2, 3)

    exact = np.einsum("ap,ci,bi->abipc", np.eye(2), np.eye(3), x) + np.einsum(
        "bp,ci,ai->abipc", np.eye(2), np.eye(3), x
    )
    exact = np.moveaxis(exact, 2, 2)
    assert check_jacobian(f, exact, x).verdict == "PASS"
    exact[1, 0, 2, 0, 1] += 1
    assert check_jacobian(f, exact, x).entry == (1, 0, 2, 0, 1)


def test_a_square_jacobian_transposed_fails():
    B = A[:3]
    assert (
        check_jacobian(
            lambda x: np.exp(B @ x), lambda x: np.exp(B @ x)[:, None] * B, points(n=3)
        ).verdict
        == "PASS"
    )
    assert (
        check_jacobian(
            lambda x: np.exp(B @ x), lambda x: (np.exp(B @ x)[:, None] * B).T, points(n=3)
        ).verdict
        == "FAIL"
    )


def test_a_large_jacobian_is_checked_along_random_directions():
    x = points(n=60)
    assert check_jacobian(np.sin, lambda x: np.diag(np.cos(x)), x).verdict == "PASS"
    wrong = np.diag(np.cos(x))
    wrong[7, 31] = 1e-3
    found = check_jacobian(np.sin, wrong, x)
    assert found.verdict == "FAIL"
    assert found.entry is None


@pytest.mark.parametrize("n, calls", [(24, 24), (25, 5)])
def test_few_is_twenty_four_and_some_are_five(n, calls):
    """Up to there each entry is tried: then the worst one is known exactly, and f is called once
    for each (with the complex step).
    """
    seen = []

    def f(x):
        return seen.append(np.iscomplexobj(x)) or np.sin(x)

    check_jacobian(f, lambda x: np.diag(np.cos(x)), points(n=n))
    assert sum(seen) == calls + 1
    seen.clear()
    check_gradient(lambda x: f(x).sum(), np.cos, points(n=n))
    assert sum(seen) == calls + 1


def test_six_digits_are_asked_for():
    x = points(n=3)
    assert (
        check_gradient(lambda x: np.sin(x).sum(), np.cos, x).accuracy
        == check_jacobian(np.sin, lambda x: np.diag(np.cos(x)), x).accuracy
        == 1e-6
    )


def test_one_scale_is_for_all_blocks():
    f, g, p = two_blocks(3)
    assert [part.verdict for part in check_gradient(f, g, p, scale=0.5).parts] == ["PASS", "PASS"]
    assert [
        part.verdict for part in check_gradient(f, g(p)._replace(b=p.b), p, scale=0.5).parts
    ] == ["PASS", "FAIL"]


# -- Taylor ----------------------------------------------------------------------------------------


def test_the_orders_of_taylor_remainders():
    f, g, H = (lambda x: np.exp(x).sum()), np.exp, lambda x: np.diag(np.exp(x))
    for seed in range(10):
        x, rng = points(n=5, seed=seed), np.random.default_rng(seed)
        right = taylor_orders(f, g, x, H, rng=rng)
        assert abs(right.gradient - 2) < 0.05
        assert abs(right.hessian - 3) < 0.05
        assert abs(taylor_orders(f, lambda x: 1.01 * g(x), x, rng=rng).gradient - 1) < 0.05
        wrong = taylor_orders(f, g(x), x, 1.1 * H(x), rng=rng)
        assert abs(wrong.gradient - 2) < 0.05
        assert abs(wrong.hessian - 2) < 0.05
        assert taylor_orders(f, g, x).hessian is None


def test_a_remainder_that_vanishes_has_infinite_order():
    x = points(n=5)
    assert taylor_orders(lambda x: x.sum(), np.ones(5), x).gradient == math.inf
    assert taylor_orders(lambda x: 0 * x.sum(), np.zeros(5), x).gradient == math.inf
    assert taylor_orders(lambda x: (x * x).sum(), 2 * x, x, 2 * np.eye(5)).hessian == math.inf
    assert abs(taylor_orders(lambda x: x.sum(), 0.999 * np.ones(5), x).gradient - 1) < 1e-6


def test_a_remainder_counts_at_a_hundred_times_the_noise(monkeypatch):
    seen = []
    monkeypatch.setattr(taylor, "_order", lambda r, noise: seen.append((r, noise)) or 2.0)
    f, x, rng = (lambda x: np.exp(x).sum()), points(n=5), np.random.default_rng(3)
    u = np.sqrt((x * x).mean()) * rng.standard_normal(5)
    taylor_orders(f, np.exp, x, rng=np.random.default_rng(3))
    values = np.array([f(x + 4.0**-k * u) for k in range(16)])
    sigma = noise_level(lambda x: np.array([f(x)]), x, u, np.array([f(x)]))[0]
    expected = 100 * np.maximum(sigma, np.finfo(float).eps * np.maximum(values, f(x)))
    assert np.allclose(seen[0][1], expected, rtol=1e-6, atol=0)
    assert np.allclose(
        seen[0][0], values - f(x) - 4.0 ** -np.arange(16) * (np.exp(x) @ u), rtol=0, atol=1e-14
    )


def test_the_second_remainder_of_a_cubic_is_its_third_order_term(monkeypatch):
    seen = []
    monkeypatch.setattr(taylor, "_order", lambda r, noise: seen.append(r) or 3.0)
    x, t = points(n=5), 4.0 ** -np.arange(16)
    u = np.sqrt((x * x).mean()) * np.random.default_rng(3).standard_normal(5)
    taylor_orders(lambda x: (x**3).sum(), 3 * x**2, x, np.diag(6 * x), rng=np.random.default_rng(3))
    # rounding of a sum of five cubes of size 30
    assert np.allclose(seen[1], (u**3).sum() * t**3, rtol=0, atol=1e-13)


def test_the_order_by_hand():
    r = 3.0 * 4.0 ** (-2.5 * np.arange(16))
    assert np.isclose(taylor._order(r, np.full(16, 1e-9)), 2.5)
    r[:3] *= 7  # only the smallest steps above the noise count
    assert np.isclose(taylor._order(r, np.full(16, 1e-9)), 2.5)
    r[5] = np.nan
    assert np.isclose(taylor._order(r, np.full(16, 1e-9)), 2.5)
    assert taylor._order(r, np.full(16, 1e9)) == math.inf


# -- bad arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f, g, x, options, error, message",
    [
        (
            lambda x: x,
            np.ones(3),
            np.ones(3),
            {},
            ValueError,
            r"f must return a number that is real, but it returned float64 of shape \(3,\)",
        ),
        (
            lambda x: "7",
            np.ones(3),
            np.ones(3),
            {},
            ValueError,
            r"f must return a number that is real, but it returned <U1 of shape \(\)",
        ),
        (
            lambda x: x.sum() * 1j,
            np.ones(3),
            np.ones(3),
            {},
            ValueError,
            r"f must return a number that is real, but it returned complex128 of shape \(\)",
        ),
        (
            lambda x: np.nan,
            np.ones(3),
            np.ones(3),
            {},
            ValueError,
            "f must be finite at x, but it is nan",
        ),
        (
            lambda x: x.sum(),
            np.ones(5),
            np.ones(3),
            {},
            ValueError,
            r"gradient must have shape \(3,\), but its shape is \(5,\)",
        ),
        (
            lambda x: x.sum(),
            lambda x: x * np.nan,
            np.ones(3),
            {},
            ValueError,
            r"gradient must be finite, but it has nan at \(0,\)",
        ),
        (
            lambda x: x[0].sum(),
            (np.ones(3),),
            (np.ones(3), np.ones(5)),
            {},
            ValueError,
            "gradient must have 2 leaves as x has, but it has 1",
        ),
        (
            lambda x: x[0].sum(),
            (np.ones(3), np.ones(3)),
            (np.ones(3), np.ones(5)),
            {},
            ValueError,
            r"gradient 1 must have shape \(5,\), but its shape is \(3,\)",
        ),
        (
            lambda x: x.sum(),
            np.ones(3),
            [1.0, np.nan, 2.0],
            {},
            ValueError,
            r"x must be finite, but it has nan at \(1,\)",
        ),
        (
            lambda x: x.sum(),
            np.ones(3),
            ["a"],
            {},
            TypeError,
            "x must be numbers, but its dtype is <U1",
        ),
        (
            lambda x: x.sum(),
            np.ones(0),
            [],
            {},
            ValueError,
            r"x must have at least one real number, but it has dtype float64 and shape \(0,\)",
        ),
        (
            lambda x: x.sum(),
            np.ones(3),
            np.ones(3) * 1j,
            {},
            ValueError,
            r"x must have at least one real number, but it has dtype complex128 and shape \(3,\)",
        ),
        (lambda x: 1.0, (), (), {}, ValueError, "x must have at least one leaf, but it has none"),
        (
            lambda x: x.sum(),
            np.ones(3),
            np.ones(3),
            {"accuracy": 0},
            ValueError,
            "accuracy must be finite and > 0, but it is 0.0",
        ),
        (
            lambda x: x.sum(),
            np.ones(3),
            np.ones(3),
            {"accuracy": 1},
            ValueError,
            "accuracy must be a relative error < 1, but it is 1",
        ),
        (
            lambda x: x.sum(),
            np.ones(3),
            np.ones(3),
            {"scale": -1},
            ValueError,
            "scale must be finite and > 0, but it is -1.0",
        ),
        (
            lambda x: x.sum(),
            np.ones(3),
            np.ones(3),
            {"rng": 7},
            TypeError,
            "rng must be a numpy.random.Generator, but it is 7",
        ),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(f, g, x, options, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        check_gradient(f, g, x, **options)


def test_a_jacobian_of_another_shape_is_refused():
    with pytest.raises(
        ValueError, match=r"^jacobian must have shape \(5, 3\), but its shape is \(3, 5\)$"
    ):
        check_jacobian(lambda x: A @ x, A.T, np.ones(3))
    with pytest.raises(ValueError, match="^f must be finite at x, but it is not$"):
        check_jacobian(lambda x: x * np.nan, A, np.ones(3))
    with pytest.raises(
        ValueError,
        match=r"^f must always return the same shape, but it returned "
        r"\(3,\) at x and \(2,\) nearby$",
    ):
        check_jacobian(lambda x: x if x[0] == 1 else x[:2], np.eye(3), np.ones(3))
    with pytest.raises(ValueError, match=r"^hessian must have shape \(3, 3\)"):
        taylor_orders(lambda x: x.sum(), np.ones(3), np.ones(3), np.ones(3))


def test_whole_numbers_are_numbers_and_nothing_is_modified():
    x = np.arange(1, 4)
    assert check_gradient(lambda x: (x**3).sum(), lambda x: 3 * x**2, x).verdict == "PASS"
    assert check_gradient(lambda x: (x**3).sum(), lambda x: 3 * x**2, 2.0).verdict == "PASS"
    assert (x == [1, 2, 3]).all()


def test_a_function_that_draws_its_own_noise_is_found_out_and_never_passes():
    rng = np.random.default_rng(0)
    x = np.array([1.0, 2.0, 3.0])
    for check, f, claim in (
        (check_gradient, lambda x: (x * x).sum() / 2 + rng.standard_normal(), x),
        (check_jacobian, lambda x: x + 1e-3 * rng.standard_normal(3), np.eye(3)),
    ):
        found = check(f, claim, x)
        assert (found.verdict, found.method) == ("INCONCLUSIVE", "differences")
        assert "between two calls at x: draw what is random outside" in found.note
