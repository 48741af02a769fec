"""The level of another point: in the noisy point, in the clean point, and in a weight."""
import numpy as np
import pytest
from verify.mistakes.test_levels import other
from verify.mistakes.test_rows import sq, value, value_of

from refsm.verify import cases
from refsm.verify.mistakes import formulas
from refsm.verify.mistakes.level_weights import WEIGHTS as LEVEL_WEIGHTS

ALL_LEVELS = ("next", "before", "reversed", "first", "last")


def clean(objective, case, name=None):
    """The clean point from the right noisy point, at the levels of other points, (n, d)."""
    levels = (case.arrays.get("alpha", np.ones(case.n)), case.sigma)
    a, s = ((own if name is None else other(own, name))[:, None] for own in levels)
    if objective == "dsm_levels":
        return (case.x_noisy + s**2 * case.score(case.x_noisy)) / a
    f = case.prediction(case.x_noisy)
    if objective == "edm_prediction":
        t = case.data_sd
        return (t**2 * case.x_noisy + s * t * np.sqrt(s**2 + t**2) * f) / (s**2 + t**2)
    return {"noise_prediction": lambda: (case.x_noisy - s * f) / a,
            "velocity_prediction": lambda: (a * case.x_noisy - s * f) / (a**2 + s**2),
            "flow_prediction": lambda: (case.x_noisy - s * f) / (a + s)}[objective]()


@pytest.mark.parametrize("objective", ["dsm_levels", "noise_prediction", "velocity_prediction",
                                       "flow_prediction", "edm_prediction"])
def test_the_clean_point_is_what_is_compared(objective):
    case = cases(objective, "prime")[6]
    for name in ALL_LEVELS:
        found = value_of(case, f"clean.{name}") * (2 if objective == "dsm_levels" else 1)
        assert np.isclose(found, sq(clean(objective, case, name) - case.x).mean(), rtol=1e-9), name
    error = sq(clean(objective, case) - case.x)
    made = {m.id for f in formulas(objective, "tanh") for m in f.mistakes}
    for name, _, f in LEVEL_WEIGHTS:
        if f"shifted.clean-{name}-1" in made:
            w = f(case.arrays.get("alpha", 1.0), case.sigma, case.hyper.get("data_sd", 0.5))
            for step, whose in ((-1, "next"), (1, "before")):
                found = value_of(case, f"shifted.clean-{name}-{step}")
                assert np.isclose(found, (other(w, whose) * error).mean(), rtol=1e-9), name


@pytest.mark.parametrize("objective, taken", [("edm_prediction", ("level",)),
                                              ("noise_prediction", ("level", "sigma")),
                                              ("dsm_levels", ("level", "sigma"))])
def test_noisy_points_are_of_the_next_level_or_the_one_before(objective, taken):
    every = {row.id: row.words for f in formulas(objective, "tanh") for row in f.mistakes}
    assert sorted(id for id in every if id.startswith("noisy.")) == [
        f"noisy.{what}-{whose}" for what in taken for whose in ("before", "next")]
    assert {id for id in every if id.startswith("clipped.")} == {"clipped.0-1", "clipped.-1-1"}
    what = "score" if objective == "dsm_levels" else "output"
    assert every["clipped.-1-1"] == f"the {what} is read at x_noisy clipped to (-1, 1)"


@pytest.mark.parametrize("name", ["next", "before"])
def test_the_noisy_point_of_another_level(name):
    case, found = value("dsm_levels", f"noisy.level-{name}")
    a, s = (other(own, name)[:, None] for own in (case.alpha, case.sigma))
    y, (alpha, sigma) = a * case.x + s * case.noise, (case.alpha[:, None], case.sigma[:, None])
    r = case.score(y) - (alpha * case.x - y) / sigma**2
    assert np.isclose(found, sq(r).mean() / 2, rtol=1e-9)
    case, found = value("noise_prediction", f"noisy.sigma-{name}")
    y = case.alpha[:, None] * case.x + other(case.sigma, name)[:, None] * case.noise
    f = -case.sigma[:, None] * case.score(y)
    assert np.isclose(found, sq(f - case.noise).mean(), rtol=1e-9)
    case, found = value("edm_prediction", f"noisy.level-{name}")
    s, t = case.sigma[:, None], case.data_sd
    y = case.x + other(case.sigma, name)[:, None] * case.noise
    c_skip, c_out = t**2 / (s**2 + t**2), s * t / np.sqrt(s**2 + t**2)
    f = (y + s**2 * case.score(y) - c_skip * y) / c_out
    assert np.isclose(found, sq(f - (case.x - c_skip * y) / c_out).mean(), rtol=1e-9)
