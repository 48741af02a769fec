"""Statement 51 holds, and a mistake in either side makes it fail."""

import numpy as np
import pytest
from computations import PLANTED, statements

from refsm.energies.mixture import GaussianMixture
from refsm.theorems import posterior_moments as room


def test_they_hold():
    for s in statements(room):
        assert s.number == 51
        assert s.holds, str(s)
        assert s.bound < PLANTED / 10


@pytest.mark.parametrize("maker", room.MAKERS, ids=lambda maker: maker.__name__)
def test_a_wrong_jacobian_is_seen(monkeypatch, maker):
    real = GaussianMixture.score_jacobian
    monkeypatch.setattr(
        GaussianMixture, "score_jacobian", lambda self, x: real(self, x) * (1 + 1e-9)
    )
    assert not maker()[0].holds


@pytest.mark.parametrize("maker", room.MAKERS, ids=lambda maker: maker.__name__)
def test_wrong_posterior_weights_are_seen(monkeypatch, maker):
    x, x_noisy, weight, q_sigma = room.setting()
    moved = weight * (1 + 1e-8 * np.arange(room.K))
    monkeypatch.setattr(
        room, "setting", lambda: (x, x_noisy, moved / moved.sum(axis=1, keepdims=True), q_sigma)
    )
    assert not maker()[0].holds


def test_a_wrong_score_is_seen(monkeypatch):
    real = GaussianMixture.score
    monkeypatch.setattr(GaussianMixture, "score", lambda self, x: real(self, x) * (1 + 1e-9))
    assert not room.second_moment_of_the_target()[0].holds
