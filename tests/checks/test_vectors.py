"""What a function under test takes: arrays, whole numbers, lists, tuples and dicts, as one vector.
"""

from typing import NamedTuple

import numpy as np
import pytest

from refsm.checks.gradient import check_gradient, check_jacobian
from refsm.checks.vectors import ParameterVector


def square(x):
    return (x * x).sum() / 2


@pytest.mark.parametrize(
    "x",
    [
        np.array([1, 2, 3]),
        [1, 2, 3],
        [1.0, 2, 3],
        np.array([True, False, True]),
        np.array([[1, 2], [3, 4]], dtype=np.uint8),
        [[1, 2, 3], [4, 5, 6]],
    ],
    ids=repr,
)
def test_whole_numbers_and_lists_are_arrays_of_floats_for_f_and_its_gradient(x):
    seen = []

    def gradient(x):
        seen.append(x.dtype)
        return x

    assert check_gradient(square, gradient, x).verdict == "PASS"
    assert check_gradient(square, lambda x: x / 2, x).verdict == "FAIL"
    assert seen == [np.float64]


def test_a_gradient_of_integer_division_is_no_false_alarm():
    """With raw integers x // 2 and x / 2 would differ from what f is differentiated at."""
    x = np.array([3, 5, 7])
    assert check_gradient(lambda x: (x**-2).sum(), lambda x: -2 * x**-3, x).verdict == "PASS"


def test_a_jacobian_of_whole_numbers():
    assert check_jacobian(lambda x: x**2, lambda x: np.diag(2 * x), [1, 2, 3]).verdict == "PASS"


class Pair(NamedTuple):
    W: np.ndarray
    b: np.ndarray


W, B = np.arange(6.0).reshape(3, 2) + 1, np.array([2.0, -1.0, 0.5])


@pytest.mark.parametrize(
    "make", [Pair, lambda W, b: (W, b), lambda W, b: [W, b], lambda W, b: {"W": W, "b": b}]
)
def test_leaves_come_back_in_the_form_in_which_they_were_given(make):
    x = make(W, B)
    at = ParameterVector(x)
    assert type(at.x) is type(x)
    leaves = list(at.x.values()) if isinstance(x, dict) else at.x
    assert np.array_equal(leaves[0], W)
    assert np.array_equal(leaves[1], B)

    def parts(x):
        return (x["W"], x["b"]) if isinstance(x, dict) else x

    found = check_gradient(
        lambda x: square(parts(x)[0]) + (parts(x)[1] ** 3).sum(),
        lambda x: make(parts(x)[0], 3 * parts(x)[1] ** 2),
        x,
    )
    assert found.verdict == "PASS"
    assert len(found.parts) == 2


def test_the_leaves_of_a_dict_are_found_by_name():
    def f(x):
        return square(x["p"]) + (x["q"] ** 3).sum()

    x = {"p": B, "q": 2 * B}
    right = check_gradient(f, lambda x: {"q": 3 * x["q"] ** 2, "p": x["p"]}, x)
    assert right.verdict == "PASS"
    with pytest.raises(ValueError, match="^gradient must have the leaves p, q, but it has p, r$"):
        check_gradient(f, {"p": B, "r": B}, x)
    with pytest.raises(TypeError, match="^gradient must have the leaves p, q, but it is of "
                                        "type float$"):
        check_gradient(f, 3.0, x)


@pytest.mark.parametrize("scale", [1e-308, 5e-324, 1e-200, 1e200, 1e308])
def test_a_scale_whose_squares_are_not_numbers_is_refused(scale):
    message = "^scale, the size of a step, must be between 1e-150 and 1e\\+150, but it is"
    for complex_step in (None, False):
        with pytest.raises(ValueError, match=message):
            check_gradient(square, lambda x: x, B, scale=scale, complex_step=complex_step)
    with pytest.raises(ValueError, match=message):
        check_gradient(lambda x: x.sum(), np.ones_like, B / abs(B).max() * scale)


@pytest.mark.parametrize("scale", [1e-149, 1e149])
def test_the_extreme_scales_give_no_wrong_verdict(scale):
    x = B * scale
    for complex_step in (None, False):
        right = check_gradient(lambda x: x.sum(), np.ones_like, x, complex_step=complex_step)
        wrong = check_gradient(
            lambda x: x.sum(), lambda x: 2 * np.ones_like(x), x, complex_step=complex_step
        )
        assert right.verdict == "PASS"
        assert wrong.verdict == "FAIL"


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: check_gradient(3, lambda x: x, B), "f must be a function, but it is of type int"),
        (
            lambda: check_jacobian(None, lambda x: x, B),
            "f must be a function, but it is of type NoneType",
        ),
        (
            lambda: check_gradient(square, lambda x: x, np.array([1.0, np.nan])),
            r"x must be finite, but it has nan at \(1,\)",
        ),
        (
            lambda: check_gradient(square, lambda x: x, np.array([1.0, np.inf], dtype=np.float32)),
            r"x must be finite, but it has inf at \(1,\)",
        ),
        (lambda: check_gradient(square, lambda x: x, B, scale=10**400), "scale must be finite"),
        (
            lambda: check_gradient(square, lambda x: x, B, rng=np.int64(3)),
            "rng must be a numpy.random.Generator",
        ),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(call, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}") as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_step_in_a_leaf_is_its_root_mean_square():
    at = ParameterVector({"p": np.array([2.0, -6.0, 9.0, 0.0, 0.0]), "q": np.zeros(3)})
    assert at.scales(None) == [pytest.approx(np.sqrt(121 / 5), rel=1e-15), 1.0]
    assert at.scales(0.3) == [0.3, 0.3]
