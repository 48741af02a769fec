"""Statement 50 holds, and a mistake in either side makes it fail."""

import numpy as np
import pytest
from computations import PLANTED, statements
from oracles import complex_jacobian

from refsm.energies.gaussian import Gaussian
from refsm.energies.mixture import GaussianMixture
from refsm.theorems import stein as room


def test_they_hold_and_none_is_missing():
    made = statements(room)
    assert not [str(s) for s in made if not s.holds]
    assert [s.number for s in made] == [50] * 6
    for s in made:
        assert s.bound < PLANTED / 10


def test_the_kernel_is_its_definition_by_complex_steps():
    rng = np.random.default_rng(0)
    x, psi, h = rng.standard_normal((5, 3)), rng.standard_normal((5, 3)), 0.7

    def k(a, b):
        return np.exp(-((a - b) ** 2).sum(axis=-1) / (2 * h**2))

    for n in range(5):
        for m in range(5):
            grad = complex_jacobian(lambda moved: k(moved, x[m]), x[[n]])[0]  # noqa: B023
            second = complex_jacobian(
                lambda moved: (x[[n]] - moved) / h**2 * k(x[[n]], moved)[:, None], x[[m]]
            )[
                0
            ]  # noqa: B023
            # grad_x' k = (x - x') k / h^2 = -grad_x k, and grad_x grad_x' k = -d/dx' grad_x k
            expected = (
                psi[n] @ psi[m] * k(x[n], x[m]) - psi[n] @ grad + psi[m] @ grad - np.trace(second)
            )
            assert room.stein_kernel(x, psi, h)[n, m] == pytest.approx(
                expected, rel=1e-12, abs=1e-13
            )


def test_a_wrong_score_of_the_density_is_seen(monkeypatch):
    for kind in (Gaussian, GaussianMixture):
        real = kind.score
        monkeypatch.setattr(kind, "score", lambda self, x, real=real: real(self, x) * (1 + 1e-9))
    assert not [str(s) for s in room.identity() if s.holds]
    failed = [s.where for s in room.discrepancy() if not s.holds]
    assert failed == [
        "Gaussian, d=2",
        "AutoencoderEnergy, d=2",
    ]  # the density itself is compared with itself


def test_a_wrong_kernel_is_seen(monkeypatch):
    real = room.stein_kernel
    monkeypatch.setattr(room, "stein_kernel", lambda x, psi, h: real(x, psi, h * (1 + 1e-8)))
    assert not [str(s) for s in room.discrepancy()[:2] if s.holds]


def test_a_wrong_divergence_is_seen(monkeypatch):
    for model in {type(model) for model in room.models().values()}:
        real = model.score_divergence
        monkeypatch.setattr(
            model, "score_divergence", lambda self, x, real=real: real(self, x) * (1 + 1e-9)
        )
    assert not [str(s) for s in room.identity()[1:] if s.holds]
