"""Statements 34 to 38 hold, and a mistake in either side makes them fail."""

from fractions import Fraction

import numpy as np
import pytest
from computations import PLANTED, statements

from refsm.theorems import prediction_factors as room


def test_they_hold_and_none_is_missing():
    made = statements(room)
    assert not [str(s) for s in made if not s.holds]
    assert {s.number for s in made} == {34, 35, 36, 37, 38}
    for s in made:
        assert s.bound < PLANTED / 10


def test_in_exact_rationals_the_gap_is_the_number_zero():
    made = room.exactly()
    assert [s.number for s in made] == [34, 35, 36, 37, 38, 38]
    for s in made:
        assert isinstance(s.gap, Fraction)
        assert s.gap == 0


@pytest.mark.parametrize("kind", room.NUMBERS)
def test_a_wrong_factor_is_seen_in_the_terms_and_in_the_gradient(monkeypatch, kind):
    real = room.written_factor
    monkeypatch.setattr(
        room,
        "written_factor",
        lambda which, *scales: real(which, *scales) * (1 + 1e-9 * (which == kind)),
    )
    made = [s for s in room.factors() if s.number == room.NUMBERS[kind]]
    assert not [str(s) for s in made if s.holds]


@pytest.mark.parametrize("part", ["combination", "to_noise"])
def test_a_wrong_forward_or_backward_pass_is_seen(monkeypatch, part):
    class Wrong(room.PredictionLoss):
        pass

    real = getattr(room.PredictionLoss, part)
    setattr(Wrong, part, lambda self, *given: real(self, *given) * (1 + 1e-9))
    monkeypatch.setattr(room, "PredictionLoss", Wrong)
    name = "... and its gradient" if part == "to_noise" else None
    made = [s for s in room.factors() if name in (None, s.name)]
    assert not [str(s) for s in made if s.holds]
    assert [s for s in room.exactly() if not s.holds]


def test_a_wrong_denoising_loss_is_seen(monkeypatch):
    class Wrong(room.DenoisingScoreMatching):
        def local_loss(self, **local):
            term, cotangents = super().local_loss(**local)
            return term * (1 + 1e-9), {name: c * (1 + 1e-9) for name, c in cotangents.items()}

    monkeypatch.setattr(room, "DenoisingScoreMatching", Wrong)
    assert not [str(s) for s in room.factors() if s.holds]


def test_a_map_that_is_no_inverse_is_seen(monkeypatch):
    real = room.convert
    monkeypatch.setattr(
        room,
        "convert",
        lambda value, *given, source, target, **more: real(
            value, *given, source=source, target=target, **more
        )
        * (1 + 1e-9 * (target == "flow")),
    )
    assert not room.inverses()[0].holds


def test_the_size_of_a_gradient_is_not_below_the_gradient():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((room.POINTS, 2))
    model = next(iter(room.models().values()))
    score = rng.standard_normal((room.POINTS, 2))
    gradient = abs(model.ravel(model.pullback(x, score=score / room.POINTS))).max()
    assert room.gradient_size(model, x, score**2) >= gradient
