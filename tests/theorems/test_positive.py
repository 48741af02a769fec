"""Statements 44 and 45 hold; a wrong loss, h, boundary or figure makes one fail."""
import numpy as np
import pytest
from computations import compared, statements
from scipy import stats

from refsm.theorems import positive


def failed(maker):
    return [s for s in maker() if not s.holds]


def test_the_statements_hold_and_none_is_missing():
    assert not [str(s) for s in statements(positive) if not s.holds]
    assert len(compared(positive, positive.boundary)[0]) == 2 * (5 + 1)
    assert len(compared(positive, positive.variances)[0]) == 8 + 2


def test_the_boundary_term_is_zero_exactly_where_h_is_zero_there():
    _, _, z, p = positive.quarter_plane()
    for model in positive.models().values():
        ends = {name: [positive._at_the_end(model, h, i, z, p) for i in range(2)]
                for name, h in positive.WEIGHTINGS.items()}
        assert all(ends[name] == [0.0, 0.0] for name in ends if name != "1")
        assert min(map(abs, ends["1"])) > 0.01


def test_the_nodes_integrate_polynomials_under_their_density():
    x, q, _, _ = positive.quarter_plane()
    assert q.sum() == pytest.approx(1, rel=1e-14)
    assert q @ x == pytest.approx(1 / positive.RATES, rel=1e-13)
    assert q @ (x[:, 0] * x[:, 1]**2) == pytest.approx(2 / (1.3 * 0.7**2), rel=1e-13)


def test_the_half_line_rule_gives_the_half_normal_moments():
    x, volumes = positive.half_line(0.0, 2.0, 5.0, 14.0)
    p = volumes * 2 * stats.norm.pdf(x[:, 0])
    assert p @ x**3 == pytest.approx([2 * np.sqrt(2 / np.pi)], rel=1e-14)
    assert p @ x**4 == pytest.approx([3], rel=1e-14)


@pytest.mark.parametrize("name", ["value", "h_slope"])
def test_a_planted_mistake_in_the_loss_is_seen(monkeypatch, name):
    real = positive.GeneralizedScoreMatching

    class Wrong(real):
        def local_loss(self, score, diagonal):
            if name == "h_slope":
                self._set(h_slope=(1 + 1e-9) * np.asarray(self.h_slope))
            terms, cotangents = real.local_loss(self, score, diagonal)
            return (1 + 1e-9) * terms, cotangents

    monkeypatch.setattr(positive, "GeneralizedScoreMatching", Wrong)
    assert len(failed(positive.boundary)) >= 8


def test_a_figure_that_is_off_is_seen(monkeypatch):
    mistaken = {**positive.PUBLISHED, "x": (np.pi + 1e-11, 7 * np.pi / 8, 4e-12)}
    monkeypatch.setattr(positive, "PUBLISHED", mistaken)
    assert len(failed(positive.variances)) == 1


def test_the_kinks_are_where_they_are(monkeypatch):
    monkeypatch.setattr(positive, "BENDS", {"min(log(1 + x), 2)": 2.0, "min(x, 1)": 0.9})
    assert len(failed(positive.variances)) == 4
