"""The point where an output is read is named, whatever formula of the level it has."""
import re

import numpy as np
import pytest

from refsm.verify import cases
from refsm.verify.denoisers import levels_chosen
from refsm.verify.diagnosis.points import DATA, MINUS_NOISE, _others, candidates, points
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


@pytest.mark.slow
@pytest.mark.parametrize("objective, where", [
    *(("dsm_scaled", where) for where in POINTS), ("velocity", "x"), ("velocity", "-x_noisy")])
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


@pytest.mark.slow
def test_minus_the_noise_in_all_places_is_another_draw_of_it():
    table, made = table_of("clean"), []
    for c in table.cases:
        point = column(c.alpha) * c.x - column(c.sigma) * c.noise
        made.append(((c.prediction(point) - c.x)**2).sum() / c.n)
    form = quadratic_form(table, np.array(made)[table.index], FLOAT64)
    assert form.words == "-noise in the place of noise"
    assert form.effects[0].startswith("noise and -noise have the same distribution")
    assert not form.right


def by_words(words, **of):
    """What words say, read as arithmetic: "sigma x / alpha" is sigma * x / alpha."""
    text = re.sub(r"(?<=[\w)]) (?=[\w(])", " * ", words.replace("^", "**"))
    return eval(text, {"sqrt": np.sqrt, **of})


def test_candidates_are_what_their_words_say():
    x, noise, a, s, t = 1.3, -0.4, 0.7, 0.55, 0.9
    of_levels = [of for of in candidates() if "place" not in of.words]
    for of in of_levels[:20] + of_levels[20::53]:                # every formula is in some of them
        said = by_words(re.split("[,:]", of.words)[0], x=x, noise=noise, alpha=a, sigma=s,
                        data_sd=t, x_noisy=a * x + s * noise, c_in=(s * s + t * t)**-0.5)
        point = of.u(a, s, t) * x + of.v(a, s, t) * noise
        assert point == pytest.approx(said, rel=1e-12), of.words


def test_other_data_are_what_their_words_say():
    x = np.array([[-1.7, 0.3, 5.0], [0.25, -0.6, 0.9]])
    by_hand = {"x clipped to [-1, 1]": [[-1, 0.3, 1], [0.25, -0.6, 0.9]],
               "x clipped to [0, 1]": [[0, 0.3, 1], [0.25, 0, 0.9]],
               "x less the mean over points": [[-0.975, 0.45, 2.05], [0.975, -0.45, -2.05]],
               "x / |x|": x / np.sqrt([[27.98], [1.2325]])}
    for words, data in DATA.items():
        said = by_hand[words] if words in by_hand else by_words(words, x=x)
        assert data(x) == pytest.approx(np.array(said), rel=1e-12), words


def test_the_plainest_candidate_comes_first():
    words = [of.words for of in candidates()]
    assert len(set(words)) == len(words)
    assert words[:4] == ["x_noisy", MINUS_NOISE, "-x_noisy", "2 x_noisy"]
    assert words[words.index("noise"):][:12] == [
        "noise", "-noise", "x", "-x", "alpha noise", "-alpha noise", "x + noise", "x - noise",
        "-x + noise", "-x - noise", "alpha x", "-alpha x"]


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


def test_the_columns_are_the_means_at_each_level():
    table, X = table_of("velocity"), []
    others, of = _others(table)
    f = [others[id(formula)].words for formula in of.formulas].index("x - alpha noise")
    for case in (table.cases[k] for k in table.index[0]):
        psi = case.score(case.x - column(case.alpha) * case.noise)
        products = np.transpose([(psi * a).sum(axis=1) for a in (psi, case.x, case.noise)])
        means = [levels_chosen(case) @ a / case.n for a in (products, np.abs(products))]
        X.append([[*mean.ravel(), 1] for mean in means])
    X, scale = np.swapaxes(X, 0, 1)                                         # (T, 3 l + 1) each
    assert of.scale[f, 0] == pytest.approx(scale, rel=1e-12)
    assert of.P[f, 0] @ X == pytest.approx(np.eye(X.shape[1]), abs=1e-7)
