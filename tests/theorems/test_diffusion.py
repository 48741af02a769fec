"""Statements 41 and 42 hold, and a mistake in either side makes them fail."""

import numpy as np
import pytest
from computations import PLANTED, statements

from refsm.energies.mixture import GaussianMixture
from refsm.theorems import diffusion as room


def test_they_hold_and_none_is_missing():
    made = statements(room)
    assert not [str(s) for s in made if not s.holds]
    assert [s.number for s in made] == [41, 41, 41, 41, 41, 42, 42, 42]
    for s in made:
        assert s.bound < PLANTED / 10


@pytest.mark.parametrize("maker", [room.heat, room.fokker_planck], ids=["heat", "Fokker-Planck"])
@pytest.mark.parametrize("quantity", ["score", "score_divergence"])
def test_a_wrong_score_or_divergence_is_seen(monkeypatch, maker, quantity):
    from refsm.energies.corrupted import Corrupted

    for kind in (GaussianMixture, Corrupted):
        real = getattr(kind, quantity)
        monkeypatch.setattr(kind, quantity, lambda self, x, real=real: real(self, x) * (1 + 1e-9))
    assert not [str(s) for s in maker() if s.holds]


def test_a_rate_that_is_off_is_seen(monkeypatch):
    real = room.scaled
    monkeypatch.setattr(
        room,
        "scaled",
        lambda q, a, t: real(q, a, t.real + 1j * (1 + 1e-9) * t.imag if np.iscomplexobj(t) else t),
    )
    assert not [str(s) for s in room.heat() if s.holds]
    assert not [str(s) for s in room.fokker_planck() if s.holds]


def test_a_score_that_is_off_is_seen_in_the_entropy(monkeypatch):
    real = GaussianMixture.score
    monkeypatch.setattr(GaussianMixture, "score", lambda self, x: real(self, x) * (1 + 1e-9))
    assert not room.entropy()[0].holds


@pytest.mark.slow
def test_a_log_density_that_is_off_is_seen_in_both_integrals(monkeypatch):
    real = GaussianMixture.log_density
    monkeypatch.setattr(GaussianMixture, "log_density", lambda self, x: real(self, x) * (1 + 1e-9))
    for s in [*room.entropy(), *room.divergence()]:
        assert not s.holds


@pytest.mark.slow
def test_an_explicit_loss_without_its_half_is_seen(monkeypatch):
    real = room.explicit
    monkeypatch.setattr(room, "explicit", lambda t: real(t) * (1 + 1e-9))
    assert not [str(s) for s in room.divergence() if s.holds]


def test_the_nodes_in_time_integrate_a_polynomial():
    t, w = room.times(0.2, 1.7)
    assert len(t) == 20
    assert w @ t**5 == pytest.approx((1.7**6 - 0.2**6) / 6, rel=1e-13)
