"""Statement 49 holds, in rationals too, and a mistake in either side makes it fail."""

from fractions import Fraction

import numpy as np
from computations import PLANTED, statements

from refsm.energies.gaussian import Gaussian
from refsm.theorems import contrastive as room


def test_it_holds():
    made = statements(room)
    assert [s.number for s in made] == [49, 49, 49, 49]
    for s in made:
        assert s.holds, str(s)
        assert s.bound < PLANTED / 10


def test_in_exact_rationals_the_gap_is_the_number_zero():
    for s in room.exactly():
        assert isinstance(s.gap, Fraction)
        assert s.gap == 0


def test_a_wrong_score_is_seen(monkeypatch):
    real = Gaussian.score
    monkeypatch.setattr(Gaussian, "score", lambda self, x: real(self, x) * (1 + 1e-8))
    assert not [str(s) for s in room.one_step() if s.holds]


def test_a_wrong_implicit_gradient_is_seen(monkeypatch):
    class Wrong(room.ImplicitScoreMatching):
        def gradient(self, model):
            return type(model.theta)(*(leaf * (1 + 1e-8) for leaf in super().gradient(model)))

    monkeypatch.setattr(room, "ImplicitScoreMatching", Wrong)
    assert not [str(s) for s in room.one_step() if s.holds]


def test_a_wrong_gradient_of_the_energy_is_seen(monkeypatch):
    real = Gaussian.pullback
    monkeypatch.setattr(
        Gaussian,
        "pullback",
        lambda self, x, **cotangents: type(self.theta)(
            *(leaf * (1 + 1e-8) for leaf in real(self, x, **cotangents))
        ),
    )
    assert not [str(s) for s in room.one_step() if s.holds]


def test_without_the_last_term_it_does_not_hold_for_the_precision():
    model, x = room.setting()
    left, right, _ = room.sides(model, x, 0.4)
    y = x - model.mean
    P, M = model.precision, y.T @ y / len(x)
    assert np.abs(left[3:] - (right[3:] + 0.16 * (P @ M @ P).ravel())).max() > 0.1
