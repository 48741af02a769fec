"""Statements 39 and 40 hold, and a mistake in either side makes them fail."""

from fractions import Fraction

import numpy as np
import pytest
from computations import PLANTED, statements

from refsm.energies.corrupted import CorruptedGaussian, CorruptedMixture
from refsm.theorems import levels as room


def test_they_hold_and_none_is_missing():
    made = statements(room)
    assert not [str(s) for s in made if not s.holds]
    assert {s.number for s in made} == {39, 40}
    for s in made:
        assert s.bound < PLANTED / 10
    where = " ".join(s.where for s in made)
    for name in (
        "Gaussian,",
        "GaussianMixture,",
        "Parzen,",
        "scaled noise",
        "any covariance noise",
    ):
        assert name in where


def test_in_exact_rationals_the_gap_is_the_number_zero():
    for s in room.exactly():
        assert isinstance(s.gap, Fraction)
        assert s.gap == 0


def test_a_wrong_density_is_seen_in_the_convolution(monkeypatch):
    monkeypatch.setattr(
        CorruptedMixture, "log_density", lambda self, x: self.density.log_density(x) + 1e-9
    )
    assert [s for s in room.convolution() if not s.holds]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [CorruptedGaussian, CorruptedMixture])
def test_another_scale_of_the_points_is_seen_by_all(monkeypatch, kind):
    monkeypatch.setattr(
        kind, "alpha", property(lambda self: float(self.corruption.alpha) * (1 + 1e-7))
    )
    for maker in (room.convolution, room.minimiser, room.sums_over_levels, room.same_minimiser):
        failed = [s for s in maker() if not s.holds]
        if maker is not room.sums_over_levels:  # its two sides share the noisy density
            assert failed, maker.__name__


@pytest.mark.parametrize("part", ["value", "gradient"])
def test_a_wrong_sum_over_levels_is_seen(monkeypatch, part):
    class Wrong(room.MultiLevelDenoising):
        def value_and_gradient(self, model):
            value, gradient = super().value_and_gradient(model)
            if part == "value":
                return value * (1 + 1e-9), gradient
            return value, type(gradient)(*(leaf * (1 + 1e-9) for leaf in gradient))

    monkeypatch.setattr(room, "MultiLevelDenoising", Wrong)
    failed = [s for s in room.sums_over_levels() if not s.holds]
    assert len(failed) == 2
    assert all((s.name == "... and its gradient") == (part == "gradient") for s in failed)


def test_a_model_that_is_not_q_has_a_gradient(monkeypatch):
    real = room.MultiLevelDenoising.value_and_gradient
    monkeypatch.setattr(
        room.MultiLevelDenoising,
        "value_and_gradient",
        lambda self, model: real(self, model.unravel(model.ravel() * (1 + 1e-6))),
    )
    assert not [str(s) for s in room.same_minimiser() if s.holds]


def test_a_wrong_excess_is_seen(monkeypatch):
    class Wrong(room.DenoisingScoreMatching):
        def value(self, model):
            return super().value(model) * (1 + 1e-9)

    monkeypatch.setattr(room, "DenoisingScoreMatching", Wrong)
    assert not [str(s) for s in room.minimiser() if s.name.startswith("E J_DSM") and s.holds]


def test_sign_vectors_have_the_moments_of_two_normals():
    z, eps = room.signs(3)
    assert z.shape == eps.shape == (64, 3)
    both = np.hstack([z, eps])
    np.testing.assert_array_equal(both.T @ both, 64 * np.eye(6))
