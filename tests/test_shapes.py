"""The shape comment on every tagged line, held against the value that the line computes."""
import collections
import pathlib
import sys

import numpy as np
import pytest
from test_grid import BINARY, CONTINUOUS, D, GRID, K, M, N, S, energy, objective
from test_rooms import FORMULA_ROOMS, name

import refsm
from refsm.study.recorder import (Recorder, Tag, agrees, arrays_of, holds, tagged_statements,
                                  tags)
from refsm.zero import ZERO

LEVELS = 9
LETTERS = {"n": N, "d": D, "m": M, "M": K, "K": S, "L": LEVELS}


def all_quantities(model):
    """Every local quantity at N points and the pullback of a cotangent on each, none uniform."""
    rng = np.random.default_rng(0)
    x, v = rng.standard_normal((N, D)), rng.standard_normal((N, K, D))
    if "gap" in model.quantities:
        x = (x > 0) * 1.0
        model.energy(x), model.energy_gap(x)
        return model.pullback(x, energy=rng.random(N), gap=rng.random((N, D)))
    model.energy(x), model.score(x), model.score_jacobian(x), model.score_divergence(x)
    model.score_jacobian_diagonal(x), model.score_curvature(x, v)
    return model.pullback(x, energy=rng.random(N), score=rng.random((N, D)),
                          divergence=rng.random(N), diagonal=rng.random((N, D)),
                          curvature=(v, rng.random((N, K))))


def densities():
    """What densities have besides."""
    rng, x = np.random.default_rng(1), np.random.default_rng(2).standard_normal((N, D))
    for which in ("Gaussian", "GaussianMixture"):
        model = energy(which)
        model.log_density(x), model.sample(N, rng), model.covariance
        model.with_theta(model.theta), getattr(model, "mean")
    parzen = refsm.Parzen(rng.standard_normal((11, D)), 0.61)
    all_quantities(parzen), parzen.log_density(x)
    parzen.posterior_mean(x), parzen.posterior_covariance(x)
    all_quantities(refsm.BernoulliRBM(9 * rng.standard_normal((M, D)), rng.random(M),
                                      rng.random(D)))


def far_centres():
    """Only near centres matter to a point, and they are taken point by point."""
    parzen = refsm.Parzen(1e9 * np.random.default_rng(4).standard_normal((11, D)), 0.61)
    all_quantities(parzen)


def other_energies():
    """Energies and densities that are not in the grid."""
    rng = np.random.default_rng(5)
    for expert in ("logcosh", "student"):
        all_quantities(refsm.ProductOfExperts(rng.standard_normal((M, D)), rng.random(M), expert))
    exponents = [[1, 0, 0], [0, 3, 1], [2, 2, 0], [1, 1, 1], [0, 0, 3], [5, 0, 2]]
    all_quantities(refsm.PolynomialEnergy(rng.standard_normal(S), exponents))
    A = rng.standard_normal((D, D))
    noises = refsm.ScaledCorruption(0.8, 0.37), refsm.CovarianceCorruption(A @ A.T + np.eye(D))
    parzen = refsm.Parzen(rng.standard_normal((11, D)), 0.61)
    for noise in noises:
        for base in (energy("Gaussian"), energy("GaussianMixture"), parzen):
            model = base.corrupted(noise)
            all_quantities(model), model.log_density(rng.standard_normal((N, D)))


def other_objectives():
    """Objectives that are not in the grid."""
    rng = np.random.default_rng(6)
    x, x_noisy = rng.random((N, D)) + 0.1, rng.standard_normal((LEVELS, N, D))
    w = {"weights": rng.random(N)}
    levels = refsm.MultiLevelDenoising(x, x_noisy, np.linspace(0.3, 3, LEVELS),
                                       level_weights=rng.random(LEVELS), **w)
    levels.value_and_gradient(energy("Gaussian")), levels.per_sample(energy("Gaussian"))
    levels.value(energy("Gaussian")), levels.evaluate(score=x_noisy)
    levels.forward(energy("Gaussian"))           # as a part of a streamed objective
    refsm.GeneralizedScoreMatching(x, x, x**2, **w).value_and_gradient(energy("Gaussian"))
    bits = (x > 0.6) * 1.0
    refsm.MinimumProbabilityFlow(bits, **w).value_and_gradient(energy("BernoulliRBM"))
    for predict in ("score", "noise", "clean", "velocity", "flow", "edm"):
        noise = refsm.ScaledCorruption(1.0 if predict == "edm" else 0.8, 0.37)
        J = refsm.PredictionLoss(x, x_noisy[0], noise, predict=predict,
                                 **({"data_sd": 0.7} if predict == "edm" else {}), **w)
        J.value_and_gradient(energy("Gaussian"))


def run_every_formula():
    other_energies(), other_objectives()
    for which in [*CONTINUOUS, *BINARY]:
        all_quantities(energy(which))
    densities()
    for which, of in GRID:
        model, J = energy(which), objective(of)
        J.value_and_gradient(model), J.per_sample(model)
    rng = np.random.default_rng(3)
    x, v = rng.standard_normal((N, D)), rng.standard_normal((N, K, D))
    sliced = refsm.objectives.sliced.ExplicitSlicedScoreMatching(x, x**2, v)
    sliced.value_and_gradient(energy("Gaussian"))


@pytest.fixture(scope="module")
def recorded():
    """{path: {line: [(agrees, shapes of the value)]}}."""
    seen = collections.defaultdict(lambda: collections.defaultdict(list))

    def recorder(letters):
        def record(path, tag, value):
            if arrays_of(value) and not holds(value, ZERO):      # ZERO has no shape
                shapes = [np.shape(array) for array in arrays_of(value)]
                seen[path][tag.line].append((agrees(tag, value, letters), shapes))
        return Recorder(FORMULA_ROOMS, record)

    with recorder(LETTERS):
        run_every_formula()
    with recorder({letter: size for letter, size in LETTERS.items() if letter != "n"}):
        far_centres()                            # some of the n points at a time
    return seen


@pytest.mark.parametrize("path", FORMULA_ROOMS, ids=name)
def test_every_tagged_line_is_reached(path, recorded):
    expected = {tag.line for _, its_tags in tagged_statements(path.read_text()).values()
                for tag in its_tags if tag.numbers}
    assert expected, "no tagged line"
    missed = sorted(expected - set(recorded[str(path)]))
    assert not missed, f"lines {missed} were not run"


@pytest.mark.parametrize("path", FORMULA_ROOMS, ids=name)
def test_every_shape_comment_is_the_shape_of_the_value(path, recorded):
    lines = path.read_text().splitlines()
    wrong = [f"line {line}: {shapes}, not as in `{lines[line - 1].strip()}`"
             for line, values in sorted(recorded[str(path)].items())
             for right, shapes in values if not right]
    assert not wrong, "\n".join(dict.fromkeys(wrong))


@pytest.mark.parametrize("path", FORMULA_ROOMS, ids=name)
def test_every_line_with_a_shape_and_a_number_is_a_statement_that_is_recorded(path):
    """No tag stands where the recorder cannot see its value."""
    source = path.read_text()
    seen = {tag.line for _, its_tags in tagged_statements(source).values() for tag in its_tags}
    assert not {tag.line for tag in tags(source).values() if tag.numbers} - seen


def test_the_sizes_are_all_different_and_so_are_twice_and_two_to_the_d():
    sizes = [*LETTERS.values(), 2 * D]
    assert 2 * D == S                            # of which (2d, m) and (K, d) share no room
    assert len(set(LETTERS.values())) == len(LETTERS)
    assert not {1, 2, 4} & set(sizes)


# -- the recorder itself ---------------------------------------------------------------------------

SOURCE = '''
from typing import NamedTuple


class Pair(NamedTuple):
    W: object
    b: object


def f(x, y, choose):
    a = x @ y                # (n, m)  (1)
    b = (a
         + 1)                # (n, m)  (2)
    b *= 2                   # (m, n)  (3) wrong on purpose
    c, e = x, y              # (n, d), (d, m)  (4)
    if choose:
        e = x                # (n, d)  (5)
    def g():
        return a.sum(axis=0)              # (m,)  (6)
    g()
    return Pair(W=a.T,                    # (m, n)  (7)
                b=a[0])                   # (m,)    (8)


def h(x):
    for row in x:
        yield row, 3         # (d,)  (9)
    k = sum(one.sum()
            for one in x)    # ()  (10)
    z = x, x                 # (n, d) each  (11)
    with open(__file__):
        return k             # ()  (12)
'''


def ran(tmp_path, choose):
    path = tmp_path / "formulas.py"
    path.write_text(SOURCE)
    space = {"__name__": "formulas", "__file__": str(path)}
    exec(compile(SOURCE, str(path), "exec"), space)
    out = {}
    with Recorder([path], lambda _, tag, value: out.setdefault(tag.numbers[0], []).append(
            agrees(tag, value, {"n": 7, "d": 3, "m": 5}))):
        space["f"](np.ones((7, 3)), np.ones((3, 5)), choose)
        list(space["h"](np.ones((7, 3))))
    return out


def test_the_recorder_sees_assignments_returns_yields_and_keywords(tmp_path):
    assert ran(tmp_path, True) == {1: [True], 2: [True], 3: [False], 4: [True], 5: [True],
                                   6: [True], 7: [True], 8: [True], 9: [True] * 7, 10: [True],
                                   11: [True], 12: [True]}


def test_a_line_that_is_not_run_is_not_recorded(tmp_path):
    assert 5 not in ran(tmp_path, False)


def test_the_recorder_leaves_the_tracing_as_it_was(tmp_path):
    before = sys.gettrace()
    ran(tmp_path, True)
    assert sys.gettrace() is before


@pytest.mark.parametrize("comment, shapes, numbers", [
    ("# (n, d)  (3)", [("n", "d")], [3]), ("# (n,), (n, d)  (1) (2)", [("n",), ("n", "d")], [1, 2]),
    ("# ()  (4)", [()], [4]), ("# (2d, m)", [("2d", "m")], []),
    ("# (n, m) each", [("n", "m")], []), ("# (n, 2^d, d)  (5)", [("n", "2^d", "d")], [5])])
def test_a_comment_is_read_as_shapes_and_numbers(comment, shapes, numbers):
    (tag,) = tags(f"x = 1  {comment}\n").values()
    assert tag.shapes == shapes
    assert tag.numbers == numbers


@pytest.mark.parametrize("comment", ["# (3)", "# in place", "# see (n, d)", "# type: ignore"])
def test_other_comments_are_no_tags(comment):
    assert not tags(f"x = 1  {comment}\n")


@pytest.mark.parametrize("shape, words, right", [
    ((7, 3), ("n", "d"), True), ((3, 7), ("n", "d"), False), ((7,), ("n", "d"), False),
    ((6, 3), ("2d", "d"), True), ((8, 3), ("2^d", "d"), True), ((6, 3), ("2^d", "d"), False),
    ((9, 9), ("far", "far"), True), ((9, 8), ("far", "far"), False), ((), (), True),
    ((5, 7, 3), ("...", "d"), True), ((7, 5), ("...", "d"), False), ((7, 9), ("n", "9"), True)])
def test_a_shape_fits_its_letters(shape, words, right):
    tag = Tag(1, [words], [1], False)
    assert agrees(tag, np.zeros(shape), {"n": 7, "d": 3}) is right


def test_the_rooms_that_are_recorded_are_those_with_formulas():
    assert pathlib.Path(refsm.energies.autoencoder.__file__) in FORMULA_ROOMS
    assert len(FORMULA_ROOMS) >= 14
