"""The point where an output is read is named, whatever formula of the level it has."""
import numpy as np
import pytest

from refsm.verify import cases
from refsm.verify.diagnosis.points import DATA, candidates, points
from refsm.verify.diagnosis.precision import FLOAT32, FLOAT64
from refsm.verify.diagnosis.quadratic_form import quadratic_form
from refsm.verify.diagnosis.regression import Table

TABLES = {}


def column(a):
    return np.asarray(a)[..., None]


def table_of(objective):
    """The table of the cases of an objective, made once for all tests."""
    if objective not in TABLES:
        TABLES[objective] = Table(cases(objective, "prime"))
    return TABLES[objective]


POINTS = {"x": lambda c, a, s: c.x, "alpha x": lambda c, a, s: a * c.x,
          "x_noisy / alpha": lambda c, a, s: c.x_noisy / a,
          "x + sigma noise, without alpha": lambda c, a, s: c.x + s * c.noise,
          "sigma x + alpha noise, with alpha and sigma exchanged":
              lambda c, a, s: s * c.x + a * c.noise,
          "alpha x - sigma noise": lambda c, a, s: a * c.x - s * c.noise,
          "alpha^2 x + sigma^2 noise": lambda c, a, s: a**2 * c.x + s**2 * c.noise,
          "alpha x + sqrt(1 - alpha^2) noise":
              lambda c, a, s: a * c.x + np.sqrt(1 - a * a) * c.noise,
          "(1 - sigma) x + sigma noise": lambda c, a, s: (1 - s) * c.x + s * c.noise,
          "-x_noisy": lambda c, a, s: -c.x_noisy, "2 sigma noise": lambda c, a, s: 2 * s * c.noise,
          "x / alpha - sigma^2 noise": lambda c, a, s: c.x / a - s**2 * c.noise,
          "c_in x_noisy: the network of a case takes x_noisy itself":
              lambda c, a, s: c.x_noisy / np.sqrt(s * s + 0.25)}


@pytest.mark.parametrize("where", POINTS)
@pytest.mark.parametrize("objective", ["dsm_scaled", "velocity"])
def test_the_point_where_the_output_is_read_is_named(objective, where):
    table, made = table_of(objective), []
    for c in table.cases:
        a, s = column(c.alpha * np.ones(c.n)), column(c.sigma * np.ones(c.n))
        point = POINTS[where](c, a, s)
        residual = (c.prediction(point) - a * c.noise + s * c.x if objective == "velocity"
                    else c.score(point) + c.noise / s)
        made.append(((residual**2).sum(axis=1)).mean() / 2)
    form = quadratic_form(table, np.array(made)[table.index], FLOAT64)
    reads = "output" if objective == "velocity" else "score"
    assert (form.point, form.target, form.weight) == (f"the {reads} is read at {where}", "", "")
    assert not form.right
    assert form.effects == ("what is learned at a point is the mean of the target given that "
                            "point",)


@pytest.mark.parametrize("words", ["2 x - 1", "x clipped to [-1, 1]"])
def test_other_data_in_the_place_of_x_are_named(words):
    table, made = table_of("velocity"), []
    for c in table.cases:
        a, s, x = column(c.alpha), column(c.sigma), DATA[words](c.x)
        residual = c.prediction(a * x + s * c.noise) - a * c.noise + s * x
        made.append((s * residual**2).sum() / c.n)
    form = quadratic_form(table, np.array(made)[table.index], FLOAT64)
    assert form.words == f"{words} in the place of x; each level is weighted by sigma"
    assert form.effects == ("what is learned is that of other data",)


def test_minus_the_noise_in_all_places_is_another_draw_of_it():
    table, made = table_of("clean"), []
    for c in table.cases:
        point = column(c.alpha) * c.x - column(c.sigma) * c.noise
        made.append(((c.prediction(point) - c.x)**2).sum() / c.n)
    form = quadratic_form(table, np.array(made)[table.index], FLOAT64)
    assert form.words == "-noise in the place of noise"
    assert form.effects[0].startswith("noise and -noise have the same distribution")
    assert not form.right


def test_no_two_candidates_have_the_same_words():
    words = [of.words for of in candidates()]
    assert len(set(words)) == len(words)
    assert words[0] == "x_noisy"


@pytest.mark.parametrize("tolerance", [FLOAT64, FLOAT32])
@pytest.mark.parametrize("objective", ["dsm", "velocity", "edm"])
def test_at_no_other_point_are_random_answers_explained(objective, tolerance):
    table = table_of(objective)
    random = np.random.default_rng(3).standard_normal(table.index.shape)
    assert [of.words for of in points(table, random, tolerance)] == ["x_noisy"]


def test_where_alpha_is_one_no_formula_has_alpha_in_it():
    table, made = table_of("edm"), []
    for c in table.cases:
        made.append(((c.prediction(2 * c.x) - c.noise)**2).sum() / c.n)
    found = [of.words for of in points(table, np.array(made)[table.index], FLOAT64)]
    assert found == ["x_noisy", "2 x"]
