"""Statement 47 holds; its densities are those of the experts; a wrong loss makes it fail."""
import numpy as np
import pytest
from computations import statements
from scipy import integrate, stats

from refsm.theorems import components


def failed():
    return [s for s in components.unmixing() if not s.holds]


def test_the_statements_hold_and_none_is_missing():
    assert not [str(s) for s in statements(components) if not s.holds]
    assert len(statements(components)) == 2 * 5


@pytest.mark.parametrize("alpha", components.ALPHA)
def test_moments_of_the_student_density_are_those_of_t(alpha):
    """t = s sqrt(nu / 2) is Student's with nu = 2 alpha - 1 degrees of freedom."""
    s, weights = components.sources("student", alpha)
    nu = 2 * alpha - 1
    assert weights.sum() == pytest.approx(1, rel=1e-15)
    assert weights @ s**2 == pytest.approx(stats.t.var(nu) * 2 / nu, rel=1e-13)


@pytest.mark.parametrize("alpha", components.ALPHA)
def test_moments_of_the_logcosh_density(alpha):
    s, weights = components.sources("logcosh", alpha)
    area, _ = integrate.quad(lambda y: np.cosh(y) ** -alpha, 0, 40)
    square, _ = integrate.quad(lambda y: y**2 * np.cosh(y) ** -alpha, 0, 40)
    assert weights @ s**2 == pytest.approx(square / area, rel=1e-9)
    assert weights @ s == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("part", ["value", "gradient"])
def test_a_planted_mistake_is_seen(monkeypatch, part):
    real = components.ImplicitScoreMatching

    class Wrong(real):
        def local_loss(self, score, divergence):
            terms, cotangents = real.local_loss(self, score, divergence)
            if part == "value":
                return (1 + 1e-9) * terms, cotangents
            return terms, {**cotangents, "score": (1 + 1e-9) * cotangents["score"]}

    monkeypatch.setattr(components, "ImplicitScoreMatching", Wrong)
    assert len(failed()) == (2 if part == "value" else 4)


def test_other_weights_of_the_experts_are_seen(monkeypatch):
    real = components.sources
    monkeypatch.setattr(components, "sources", lambda expert, alpha: real(expert, alpha + 1e-8))
    assert len(failed()) >= 4
