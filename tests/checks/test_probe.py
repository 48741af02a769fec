"""The probe takes the complex step where it is right, and says why where it is not."""

import numpy as np
import pytest

from refsm.checks.probe import Probe

X = np.array([0.3, 1.1, -0.7, 2.0, -1.3])
WHOLE = [(slice(0, 5), 1.7)]
U = np.array([0.9, -1.3, 0.4, 0.2, 0.5])


def probe(f, x=X, groups=WHOLE, complex_step=None):
    return Probe(f, x, groups, complex_step, np.random.default_rng(0))


def test_the_complex_step_is_exact_to_rounding():
    found = probe(np.exp)
    there = found.along(U, 0)
    assert found.method == "complex step"
    assert found.why_not == ""
    assert np.allclose(there.value, np.exp(X) * U, rtol=1e-15)
    assert (there.step == 0).all()
    assert (abs(there.value - np.exp(X) * U) <= there.error).all()


def test_the_step_is_tiny_and_a_power_of_two():
    seen = []
    probe(lambda x: seen.append(x.imag) or np.exp(x)).along(U, 0)
    assert (seen[-1] == 2.0**-100 * U).all()


def test_its_error_is_sixteen_roundings_of_the_value_or_of_the_slope():
    found = probe(lambda x: np.array([x @ x]))
    slope = found._by_differences[0].slope[0]
    still = found.along(np.array([1.1, -0.3, 0, 0, 0]), 0)
    assert abs(still.value[0]) < 1e-15
    assert still.error[0] / (np.finfo(float).eps * slope) == pytest.approx(16)
    steep = found.along(1e6 * U, 0)
    assert steep.error[0] / (np.finfo(float).eps * abs(steep.value[0])) == pytest.approx(16)


def test_what_is_zero_everywhere_is_analytic():
    assert probe(lambda x: 0 * x[:1]).method == "complex step"


@pytest.mark.parametrize(
    "f",
    [
        lambda x: abs(x),
        lambda x: np.array([np.linalg.norm(x)]),
        lambda x: np.array([np.vdot(x, x).real]),
        lambda x: np.array([x @ x + np.real(x[3])]),
    ],
)
def test_what_is_not_analytic_in_its_code_is_measured_by_differences(f):
    found = probe(f)
    assert found.method == "differences"
    assert (
        found.why_not
        == "the complex step disagrees with differences, so f uses abs, norm, vdot or the like"
    )
    assert np.isclose(
        found.along(U, 0).value[0], probe(f, complex_step=False).along(U, 0).value[0], rtol=1e-8
    )
    with pytest.raises(
        ValueError,
        match="^complex_step must be None or False for this f, but it is True: "
        "the complex step disagrees",
    ):
        probe(f, complex_step=True)


def stubborn(x):
    if np.iscomplexobj(x):
        raise KeyError("no complex numbers")
    return x * x


def warning(x):
    return x.astype(float) ** 2


@pytest.mark.parametrize("f", [lambda x: np.array([float(x[0])]), warning, stubborn])
def test_what_takes_no_complex_numbers_is_measured_by_differences(f):
    found = probe(f)
    assert found.method == "differences"
    assert found.why_not.startswith("f does not take complex numbers (")


def test_one_block_that_is_not_analytic_is_noticed():
    def f(x):
        return np.array([x[:3] @ x[:3] + abs(x[3:]) @ abs(x[3:])])

    assert probe(f, groups=[(slice(0, 3), 1.0), (slice(3, 5), 1.0)]).method == "differences"
    assert probe(f, groups=[(slice(0, 3), 1.0)]).method == "complex step"


def test_each_group_has_a_slope_of_its_own():
    def f(x):
        return np.array([x[0] ** 3 + 1e-6 * x[3] ** 3])

    found = probe(f, groups=[(slice(0, 3), 1.0), (slice(3, 5), 1.0)])
    large, small = (found.along(u, k).error[0] for k, u in enumerate(np.eye(5)[[1, 4]]))
    assert 0 < small < 1e-3 * large


def test_single_precision_has_no_complex_step():
    found = probe(lambda x: x * x, x=X.astype(np.float32))
    assert found.why_not == "x is in single precision"
    assert probe(lambda x: x * x, complex_step=False).why_not == "as asked"
    assert probe(lambda x: x * x, complex_step=True).method == "complex step"


def test_extended_precision_has_one_of_its_own():
    x = X.astype(np.longdouble)
    there = probe(lambda x: x**3, x=x).along(U.astype(np.longdouble), 0)
    assert there.value.dtype == np.longdouble
    assert np.isclose(
        there.error[0] / max(abs(there.value[0]), there.slope[0]), 16 * np.finfo(np.longdouble).eps
    )


def test_random_directions_are_gaussian_within_their_entries():
    found = probe(np.exp)
    u = np.array([found.random(slice(1, 4), 3.0) for _ in range(4000)])
    assert (u[:, [0, 4]] == 0).all()
    assert np.allclose(np.cov(u[:, 1:4].T), 9 * np.eye(3), atol=5 * 9 * np.sqrt(2 / 4000))
