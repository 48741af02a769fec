"""Statement 52 holds, and a mistake in either side makes it fail."""

from computations import PLANTED, statements

from refsm.energies.gaussian import Gaussian
from refsm.energies.mixture import GaussianMixture
from refsm.theorems import langevin_steps as room


def test_they_hold_and_none_is_missing():
    made = statements(room)
    assert not [str(s) for s in made if not s.holds]
    assert [s.how for s in made] == ["quadrature", "differs", *["rounding"] * 4]
    assert {s.number for s in made} == {52}
    for s in made:
        assert s.bound < PLANTED / 10


def test_a_wrong_score_is_seen(monkeypatch):
    from refsm.energies.corrupted import Corrupted

    for kind in (Gaussian, GaussianMixture, Corrupted):
        real = kind.score
        monkeypatch.setattr(kind, "score", lambda self, x, real=real: real(self, x) * (1 + 1e-9))
    assert not room.generator()[0].holds
    assert not [str(s) for s in room.finite_step() if s.name.startswith("covariance") and s.holds]


def test_a_wrong_step_is_seen(monkeypatch):
    real = room.ascend_score
    monkeypatch.setattr(
        room, "ascend_score", lambda model, x, step, steps: real(model, x, step * (1 + 1e-9), steps)
    )
    assert not [str(s) for s in room.finite_step() if s.name.startswith("covariance") and s.holds]


def test_a_wrong_covariance_is_seen(monkeypatch):
    real = Gaussian.covariance
    monkeypatch.setattr(Gaussian, "covariance", property(lambda self: real.fget(self) * (1 + 1e-9)))
    assert not [str(s) for s in room.finite_step() if s.name.startswith("V -") and s.holds]
