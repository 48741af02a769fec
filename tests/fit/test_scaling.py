"""Scales against derivatives written out, curvature against Hessians, and both in other units."""
import numpy as np
import pytest
from bowls import float_bowl

import refsm
from refsm.fit import scaling
from refsm.fit.scaling import Scaling, hessian_along, least_curvature, parameter_scales

N, D = 7, 3


def gaussian(unit=1.0):
    rng = np.random.default_rng(2)
    A = rng.standard_normal((D, D))
    x = rng.standard_normal((N, D)) * unit
    return x, refsm.Gaussian(rng.standard_normal(D) * unit, (A @ A.T + np.eye(D)) / unit**2)


def gradient_of(J, model):
    return lambda theta: model.ravel(J.gradient(model.unravel(theta)))


def test_a_scale_is_the_change_that_moves_the_score_by_one(monkeypatch):
    """psi = -P (x - mean): |d psi / d mean_k| = |P_k|; P_ik and P_ki move psi by y_k and y_i."""
    monkeypatch.setattr(scaling, "SCALE_PROBES", 2000)
    x, model = gaussian()
    scales, _, size = parameter_scales(refsm.ImplicitScoreMatching(x), model)
    P, y = model.precision, x - model.mean
    square = (y * y).mean(axis=0)
    mean = 1 / np.sqrt((P * P).sum(axis=0))
    # the gradient for P is (G + G') / 2 with G_ik = -p_i y_k
    precision = 1 / np.sqrt((square[:, None] + square[None, :] + 2 * np.diag(square)) / 4)
    # 2,000 probes: 1 / sqrt(2 * 2000) = 1.6 %, times three
    np.testing.assert_allclose(scales[:D], mean, rtol=0.05)
    np.testing.assert_allclose(scales[D:].reshape(D, D), precision, rtol=0.05)
    assert size == pytest.approx(np.sqrt((model.score(x) ** 2).sum() / N), rel=1e-14)


def test_scales_of_a_leaf_differ_by_at_most_100_and_in_a_wide_scaling_by_1e6():
    x, model = gaussian()
    J = refsm.ImplicitScoreMatching(x * np.array([1e-9, 1.0, 1.0]) + model.mean)
    narrow, wide, _ = parameter_scales(J, model)
    for scales, ratio in ((narrow, 100), (wide, 1e6)):
        assert scales[D:].max() / scales[D:].min() == pytest.approx(ratio, rel=1e-12)


def test_a_binary_energy_is_scaled_by_its_gaps():
    rng = np.random.default_rng(4)
    x = (rng.random((N, D)) < 0.5).astype(float)
    model = refsm.BernoulliRBM(np.zeros((5, D)), np.zeros(5), np.zeros(D))
    scales, _, size = parameter_scales(refsm.PseudoLikelihood(x), model)
    c = scales[-D:]                                     # gap_i = c_i (2 x_i - 1) where W = 0
    assert (abs(np.log(c)) < 1).all()
    assert size == 0
    assert Scaling(refsm.PseudoLikelihood(x), model, lambda theta: theta).size == 1


def test_without_points_all_scales_are_one():
    J, model = float_bowl()
    *scales, size = parameter_scales(J, model)
    assert np.array_equal(scales, np.ones((2, 3)))
    assert size == np.linalg.norm(model.ravel())


def test_the_scaled_gradient_has_no_units():
    values = []
    for unit in (1.0, 1e-5, 1e7):
        x, model = gaussian(unit)
        J = refsm.ImplicitScoreMatching(x)
        there = Scaling(J, model, gradient_of(J, model))
        values.append(there.gradient_size(model.ravel(J.gradient(model))))
    np.testing.assert_allclose(values, values[0], rtol=1e-6)     # differences in h: eps^(2/3)


def test_products_with_a_hessian_of_a_quadratic_are_exact():
    J, model = float_bowl()

    def gradient(theta):
        return np.concatenate(J.curvature) * (theta - np.concatenate(J.centre))

    u = np.array([0.3, -2.0, 0.7])
    np.testing.assert_allclose(hessian_along(gradient, model.ravel(), u, 1e-3),
                               np.concatenate(J.curvature) * u, rtol=1e-10)
    there = Scaling(J, model, gradient)
    assert there.h == pytest.approx((3.0 + 0.5 + 0.7) / 3, rel=1e-8)
    there.D = np.array([2.0, 0.3, 5.0])
    assert there.gradient_size(u) == pytest.approx(
        np.linalg.norm(there.D * u) / (there.h * np.linalg.norm(model.ravel())), rel=1e-14)


def test_where_differences_leave_the_domain_the_curvature_is_one():
    def refused(theta):
        raise ValueError("beyond")

    assert Scaling(*float_bowl(), refused).h == 1.0


def test_parameters_that_move_no_score_have_the_scale_one():
    """At a weight of 0 for every point no parameter does."""
    J = refsm.ImplicitScoreMatching([[3.0, 5.0]], weights=[0.0])
    *D, size = parameter_scales(J, refsm.Gaussian([1.0, 2.0], np.eye(2)))
    np.testing.assert_array_equal(D, np.ones((2, 6)))
    assert size == 0


def test_a_parameter_whose_pullback_overflows_has_the_largest_scale_of_its_leaf():
    class Beyond(refsm.Gaussian):
        def pullback(self, x, **cotangents):
            return super().pullback(x, **cotangents)._replace(mean=np.array([np.inf, 0.25]))

    J = refsm.ImplicitScoreMatching([[3.0, 5.0]])
    narrow, wide, _ = parameter_scales(J, Beyond([1.0, 2.0], np.eye(2)))
    np.testing.assert_allclose(narrow[:2], [400, 4], rtol=1e-14)
    np.testing.assert_allclose(wide[:2], [4e6, 4], rtol=1e-14)


@pytest.mark.parametrize("curvatures", [(3.0, 0.5, -0.7, 4.0, 2.0), (3.0, 0.5, 0.7, 4.0, 2.0),
                                        (-1.0, -2.0, -7.0, -3.0, -0.1)])
def test_the_least_curvature_of_a_quadratic_is_the_least_eigenvalue_of_its_hessian(curvatures):
    rotation, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((5, 5)))
    D = np.array([0.5, 2.0, 1.0, 0.3, 0.7])
    H = rotation @ np.diag(curvatures) @ rotation.T / np.outer(D, D)
    found = least_curvature(lambda theta: H @ theta, np.arange(5.0), D, size=1.7)
    assert found == pytest.approx(min(curvatures), rel=1e-8)     # differences: eps^(2/3)


def test_ten_products_are_enough_for_one_negative_curvature_among_many():
    H = np.linspace(0.1, 5.0, 300)
    H[217] = -0.8
    found = least_curvature(lambda theta: H * theta, np.ones(300), np.ones(300), size=3.0)
    assert -0.8 * (1 + 1e-9) < found < -0.4


def test_parameters_of_scale_zero_are_left_out_of_the_least_curvature():
    H, D = np.array([-5.0, 0.5, 3.0]), np.array([0.0, 1.0, 1.0])
    found = least_curvature(lambda theta: H * theta, np.ones(3), D, size=3.0)
    assert found == pytest.approx(0.5, rel=1e-8)
    assert least_curvature(lambda theta: H * theta, np.ones(3), 0 * D, size=3.0) == 0
