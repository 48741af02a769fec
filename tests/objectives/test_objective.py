"""The contract of every objective: weights, blocks, parts, types of numbers, memory maps."""
import importlib
import inspect
import pathlib
import pickle
import pkgutil
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from oracles import relative_gap

from refsm import directions, objectives
from refsm.activations import RATIONAL
from refsm.checks import check_objective
from refsm.energies.autoencoder import AutoencoderEnergy, AutoencoderTheta
from refsm.energies.bernoulli_rbm import BernoulliRBM
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.denoising_autoencoder import DenoisingAutoencoderLoss
from refsm.objectives.objective import Objective
from refsm.objectives.score_matching import (ExplicitScoreMatching, ImplicitScoreMatching,
                                             RegularizedScoreMatching)
from refsm.objectives.sliced import ExplicitSlicedScoreMatching, SlicedScoreMatching
from refsm.objectives.streamed import StreamedObjective

N, D, M, R = 7, 3, 5, 6          # points, dimensions, hidden units, directions
SIGMA = 0.37


def data(n=N, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, D)), rng.standard_normal((n, D)), rng.standard_normal((n, R, D))


def energy(seed=1):
    rng = np.random.default_rng(seed)
    W, b, c = rng.standard_normal((M, D)), rng.standard_normal(M), rng.standard_normal(D)
    return AutoencoderEnergy(W, b, c, sigma=0.61)


MAKE = {
    "explicit": lambda x, y, v, **weights: ExplicitScoreMatching(x, y, **weights),
    "implicit": lambda x, y, v, **weights: ImplicitScoreMatching(x, **weights),
    "regularized": lambda x, y, v, **weights: RegularizedScoreMatching(x, 0.3, **weights),
    "denoising": lambda x, y, v, **weights: DenoisingScoreMatching(x, y, SIGMA, **weights),
    "autoencoder": lambda x, y, v, **weights: DenoisingAutoencoderLoss(x, y, **weights),
    "sliced": lambda x, y, v, **weights: SlicedScoreMatching(x, v, **weights),
    "variance-reduced": lambda x, y, v, **weights: SlicedScoreMatching(
        x, v, variance_reduced=True, **weights),
    "explicit sliced": lambda x, y, v, **weights: ExplicitSlicedScoreMatching(x, y, v, **weights),
}
each_objective = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE.keys())


def gaps(left, right):
    """Relative gaps of two (value, gradient) pairs, the gradients block by block."""
    (value, gradient), (value_, gradient_) = left, right
    return [
        abs(value - value_) / abs(value_),
        *(relative_gap(g, g_) for g, g_ in zip(gradient, gradient_))
    ]


# -- weights ----------------------------------------------------------------------------------

ROOMS = [importlib.import_module(f"refsm.objectives.{room.name}")
         for room in pkgutil.iter_modules(objectives.__path__)]


def test_weights_are_given_by_name():
    kinds = {one for room in ROOMS for one in vars(room).values()
             if isinstance(one, type) and issubclass(one, Objective)}
    assert len(kinds) > 15
    for kind in kinds - {Objective, StreamedObjective}:
        weights = inspect.signature(kind).parameters["weights"]
        assert weights.kind is weights.KEYWORD_ONLY


@each_objective
def test_the_value_is_the_weighted_sum_of_the_terms_and_the_default_weights_are_a_mean(make):
    weights = np.random.default_rng(2).standard_normal(N)
    J = make(*data())
    terms = J.per_sample(energy())
    assert terms.shape == (N,)
    assert type(J.value(energy())) is float
    assert abs(J.value(energy()) / terms.mean() - 1) < 1e-14
    value = make(*data(), weights=weights).value(energy())
    assert abs(value - weights @ terms) < 1e-14 * np.abs(weights) @ np.abs(terms)
    assert relative_gap(make(*data(), weights=weights).per_sample(energy()), terms) == 0


@each_objective
def test_partial_sums_add_up_to_the_whole(make):
    x, y, v = data()
    whole = make(x, y, v).value_and_gradient(energy())
    parts = [make(x[rows], y[rows], v[rows], weights=np.full(len(x[rows]), 1 / N))
             for rows in (slice(0, 3), slice(3, N))]
    value = sum(part.value(energy()) for part in parts)
    gradient = [sum(leaves) for leaves in zip(*(part.gradient(energy()) for part in parts))]
    assert max(gaps((value, gradient), whole)) < 1e-14


@each_objective
def test_a_part_keeps_its_weights(make):
    weights = np.random.default_rng(3).uniform(size=N)
    J = make(*data(), weights=weights)
    rows = np.array([5, 0, 3])
    part = J.take(rows)
    assert type(part) is type(J)
    assert np.array_equal(part.weights, weights[rows])
    assert relative_gap(part.per_sample(energy()), J.per_sample(energy())[rows]) < 1e-14
    x, y, v = data()
    made = make(x[rows], y[rows], v[rows], weights=weights[rows])
    assert max(gaps(part.value_and_gradient(energy()), made.value_and_gradient(energy()))) < 1e-14
    pieces = [J.take(slice(0, 2)), J.take(slice(2, N))]
    assert abs(sum(piece.value(energy()) for piece in pieces) / J.value(energy()) - 1) < 1e-14


@each_objective
def test_the_value_and_the_gradient_are_those_of_the_fused_pass(make):
    J = make(*data())
    value, gradient = J.value_and_gradient(energy())
    assert J.value(energy()) == value
    assert isinstance(gradient, AutoencoderTheta)
    assert all(np.array_equal(g, g_) for g, g_ in zip(J.gradient(energy()), gradient))


# -- blocks -----------------------------------------------------------------------------------


@each_objective
def test_nothing_depends_on_the_size_of_the_blocks(make, monkeypatch):
    n = 23
    J = make(*data(n))
    terms, whole = J.per_sample(energy()), J.value_and_gradient(energy())
    monkeypatch.setattr("refsm.rows.FEWEST_ROWS", 1)
    for rows in (1, 3, 22, 23):
        monkeypatch.setattr("refsm.rows.BLOCK", rows * M * J.arrays_per_point)
        assert relative_gap(J.per_sample(energy()), terms) < 1e-14
        assert max(gaps(J.value_and_gradient(energy()), whole)) < 1e-13
        assert abs(J.value(energy()) / whole[0] - 1) < 1e-14


def test_a_block_is_as_wide_as_the_energy_and_counts_directions_and_gradients(monkeypatch):
    seen = []
    monkeypatch.setattr("refsm.objectives.objective.row_blocks",
                        lambda *sizes: seen.append(sizes) or iter([slice(0, N)]))
    x, _, v = data()
    for J in (ImplicitScoreMatching.__new__(ImplicitScoreMatching),
              SlicedScoreMatching.__new__(SlicedScoreMatching)):
        J._set(x=x, directions=v, variance_reduced=False, weights=np.full(N, 1 / N))
        if isinstance(J, ImplicitScoreMatching):
            del J.__dict__["directions"]
        J.value(energy())
    parameters = M * D + M + D
    assert seen == [(N, M, 1, parameters), (N, M, R, parameters)]


# -- types of numbers -------------------------------------------------------------------------


@each_objective
def test_narrow_floats_are_widened_and_nothing_is_computed_in_them(make):
    x, y, v = (a.astype(np.float32) for a in data())
    wide = make(x.astype(float), y.astype(float), v.astype(float)).value_and_gradient(energy())
    J = make(x, y, v)
    assert J.points.dtype == np.float32                                # held as it came
    assert J.value_and_gradient(energy())[0] == wide[0]
    assert J.per_sample(energy()).dtype == np.float64
    assert max(gaps(J.value_and_gradient(energy()), wide)) == 0


@each_objective
def test_memory_maps_are_read_where_they_lie(make, tmp_path):
    maps = []
    for k, a in enumerate(data()):
        np.save(tmp_path / f"{k}.npy", a)
        maps.append(np.load(tmp_path / f"{k}.npy", mmap_mode="r"))
    J = make(*maps)
    noisy = isinstance(J, (DenoisingScoreMatching, DenoisingAutoencoderLoss))
    assert np.shares_memory(J.points, maps[1 if noisy else 0])
    assert max(gaps(J.value_and_gradient(energy()),
                    make(*data()).value_and_gradient(energy()))) == 0


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(),
                    reason="the memory of a process is read from /proc")
def test_a_pass_over_memory_maps_keeps_none_of_them_in_memory(tmp_path):
    np.ones((2**16, 31)).tofile(tmp_path / "x")
    x = np.memmap(tmp_path / "x", float, "r", shape=(2**16, 31))
    model = AutoencoderEnergy(np.ones((5, 31)), np.ones(5), np.ones(31), sigma=SIGMA)
    J = DenoisingScoreMatching(x, np.memmap(tmp_path / "x", float, "r", shape=x.shape), SIGMA)

    def resident():
        status = pathlib.Path("/proc/self/status").read_text()
        return 1024 * int(re.search(r"RssFile:\s+(\d+)", status)[1])

    before = resident()
    J.value_and_gradient(model)
    assert resident() < before + 6e6 < before + 2 * x.nbytes / 5


@each_objective
def test_longdouble_passes_through(make):
    wide = [a.astype(np.longdouble) for a in data()]
    model = energy().with_theta([block.astype(np.longdouble) for block in energy().theta])
    value, gradient = make(*wide).value_and_gradient(model)
    assert type(value) is np.longdouble
    assert all(block.dtype == np.longdouble for block in gradient)
    assert max(gaps((value, gradient), make(*data()).value_and_gradient(energy()))) < 1e-14


@each_objective
def test_a_complex_step_passes_through_the_points(make):
    x, y, v = data()
    moved_x, moved_y = x.astype(complex), y.astype(complex)
    moved_x[2, 1] += 1e-30j
    moved_y[3, 0] += 1e-30j
    value = make(moved_x, moved_y, v).value(energy())
    assert type(value) is complex
    assert abs(value.real / make(x, y, v).value(energy()) - 1) < 1e-14
    h = 1e-6
    x_up, x_down, y_up, y_down = x.copy(), x.copy(), y.copy(), y.copy()
    x_up[2, 1] += h
    x_down[2, 1] -= h
    y_up[3, 0] += h
    y_down[3, 0] -= h
    difference = (make(x_up, y_up, v).value(energy()) -
                  make(x_down, y_down, v).value(energy())) / (2 * h)
    # what central differences are good for
    assert abs(value.imag / 1e-30 / difference - 1) < 1e-6


EXACT = {
    "explicit": lambda x, y, v: ExplicitScoreMatching(x, y),
    "implicit": lambda x, y, v: ImplicitScoreMatching(x),
    "regularized": lambda x, y, v: RegularizedScoreMatching(x, Fraction(1, 3)),
    "denoising": lambda x, y, v: DenoisingScoreMatching(x, y, Fraction(3, 8)),
    "autoencoder": lambda x, y, v: DenoisingAutoencoderLoss(x, y),
    "sliced": lambda x, y, v: SlicedScoreMatching(x, v),
    "variance-reduced": lambda x, y, v: SlicedScoreMatching(x, v, True),
    "explicit sliced": lambda x, y, v: ExplicitSlicedScoreMatching(x, y, v),
}


def rational(a):
    return directions.rational(np.round(np.asarray(a) * 8) / 8)


@pytest.mark.parametrize("make", EXACT.values(), ids=EXACT.keys())
def test_exact_rationals_stay_exact_and_are_the_floats(make):
    x, y, v = (rational(a) for a in data())
    theta = [rational(block) for block in energy().theta]
    value, gradient = make(x, y, v).value_and_gradient(
        AutoencoderEnergy(*theta, sigma=Fraction(5, 8), activation=RATIONAL))
    assert type(value) is Fraction
    assert all(type(entry) is Fraction for block in gradient for entry in block.ravel())
    floats = [block.astype(float) for block in theta]
    floats = AutoencoderEnergy(*floats, sigma=0.625, activation=RATIONAL)
    x, y, v = (a.astype(float) for a in (x, y, v))
    expected = make(x, y, v).value_and_gradient(floats)
    assert max(gaps((float(value), [block.astype(float) for block in gradient]), expected)) < 1e-13


# -- what is held -----------------------------------------------------------------------------


@each_objective
def test_what_an_objective_holds_is_read_only_and_the_callers_arrays_are_not(make):
    given = data()
    J = make(*given)
    with pytest.raises(ValueError, match="read-only"):
        J.points[0, 0] = 7
    assert all(a.flags.writeable for a in given)
    before = [a.copy() for a in given]
    J.value_and_gradient(energy())
    J.per_sample(energy())
    assert all(np.array_equal(a, b) for a, b in zip(given, before))
    weights = np.full(N, 0.5)
    J = make(*data(), weights=weights)
    weights[0] = 7                                   # the objective has a copy
    assert J.weights[0] == 0.5
    with pytest.raises(AttributeError):
        J.weights = weights


@each_objective
def test_an_objective_pickles(make):
    weights = np.random.default_rng(4).uniform(size=N)
    J = make(*data(), weights=weights)
    again = pickle.loads(pickle.dumps(J))
    assert type(again) is type(J)
    assert max(gaps(again.value_and_gradient(energy()), J.value_and_gradient(energy()))) == 0
    with pytest.raises(ValueError, match="read-only"):
        again.points[0, 0] = 7


@each_objective
def test_an_objective_is_shown_with_its_size(make):
    J = make(*data())
    assert repr(J) == f"{type(J).__name__}(n=7, d=3)"


# -- evaluation from arrays -------------------------------------------------------------------


@each_objective
def test_evaluate_takes_what_the_model_would_answer(make):
    J = make(*data())
    model = energy()
    if J.reads == ("reconstruction",):
        local = {"reconstruction": model.score(J.points) * 0.61**2 + J.points}
    else:
        local = J.read(J.at(model))
    terms, cotangents = J.evaluate(**local)
    assert relative_gap(terms, J.per_sample(model)) < 1e-14
    assert set(cotangents) == set(J.reads)
    if J.reads != ("reconstruction",):
        pulled = model.pullback(J.points, **cotangents)
        assert max(relative_gap(g, g_) for g, g_ in zip(pulled, J.gradient(model))) < 1e-14


def test_evaluate_widens_what_it_holds_and_what_it_is_given():
    x, y, _ = data()
    narrow = DenoisingScoreMatching(x.astype(np.float32), y.astype(np.float32), SIGMA)
    terms, cotangents = narrow.evaluate(score=y.astype(np.float32))
    assert terms.dtype == cotangents["score"].dtype == np.float64
    x, y = x.astype(np.float32).astype(float), y.astype(np.float32).astype(float)
    wide = DenoisingScoreMatching(x, y, SIGMA)
    assert np.array_equal(terms, wide.evaluate(score=y)[0])


@pytest.mark.parametrize("make, local, error, sentence", [
    ("implicit", {"score": np.ones((N, D))}, TypeError,
     "ImplicitScoreMatching.evaluate takes score, divergence, but it was given score"),
    ("implicit", {}, TypeError,
     "ImplicitScoreMatching.evaluate takes score, divergence, but it was given nothing"),
    ("explicit", {"score": np.ones((N, D)), "gap": 1}, TypeError,
     "ExplicitScoreMatching.evaluate takes score, but it was given gap, score"),
    ("explicit", {"score": np.ones((D, N))}, ValueError,
     "score must have shape (7, 3), but its shape is (3, 7)"),
    ("implicit", {"score": np.ones((N, D)), "divergence": np.ones((N, D))}, ValueError,
     "divergence must have shape (7,), but its shape is (7, 3)"),
    ("regularized", {"score": np.ones((N, D)), "diagonal": np.ones(N)}, ValueError,
     "diagonal must have shape (7, 3), but its shape is (7,)"),
    ("sliced", {"score": np.ones((N, D)), "curvature": np.ones(N)}, ValueError,
     "curvature must have shape (7, 6), but its shape is (7,)"),
    ("sliced", {"score": np.ones(N), "curvature": np.ones((N, R))}, ValueError,
     "score must have shape (7, 3), but its shape is (7,)"),
    ("explicit", {"score": np.full((N, D), np.nan)}, ValueError,
     "score must be finite, but it has nan at (0, 0)"),
    ("autoencoder", {"reconstruction": np.ones(D)}, ValueError,
     "reconstruction must have shape (7, 3), but its shape is (3,)"),
])
def test_evaluate_refuses_wrong_names_and_shapes_in_one_sentence(make, local, error, sentence):
    with pytest.raises(error) as caught:
        MAKE[make](*data()).evaluate(**local)
    assert str(caught.value) == sentence


def test_the_energy_of_a_point_is_one_number():
    class Energies(ImplicitScoreMatching):
        reads = ("energy",)

        def local_loss(self, energy):
            return energy, {"energy": self.weights}

    assert Energies(data()[0]).evaluate(energy=np.arange(7.0))[0].tolist() == list(range(7))
    assert abs(Energies(data()[0]).value(energy()) / energy().energy(data()[0]).mean() - 1) < 1e-14


# -- models that an objective refuses ---------------------------------------------------------


@pytest.mark.parametrize("make", [make for name, make in MAKE.items() if name != "autoencoder"],
                         ids=[name for name in MAKE if name != "autoencoder"])
def test_wrong_models_are_refused_in_one_sentence(make):
    J = make(*data())
    name = type(J).__name__
    binary = BernoulliRBM(np.ones((M, D)), np.ones(M), np.ones(D))
    wide = AutoencoderEnergy(np.ones((M, 9)), np.ones(M), np.ones(9), sigma=0.5)
    for model, error, sentence in [
        (binary, TypeError,
         f"{name} reads the score of the energy, which BernoulliRBM does not have"),
        (wide, ValueError, f"model must have d = 3 as the data of {name}, but it has d = 9"),
        ("a model", TypeError, "model must be an energy, but it is of type str"),
    ]:
        for ask in (J.value, J.per_sample, J.gradient, J.value_and_gradient):
            with pytest.raises(error) as caught:
                ask(model)
            assert str(caught.value) == sentence


def test_a_missing_quantity_is_named():
    class ScoreOnly(AutoencoderEnergy):
        quantities = frozenset({"score"})

    model = ScoreOnly(np.ones((M, D)), np.ones(M), np.ones(D), sigma=0.5)
    with pytest.raises(TypeError, match="^RegularizedScoreMatching reads the diagonal of the "
                       "energy, which ScoreOnly does not have$"):
        RegularizedScoreMatching(data()[0], 0.1).value(model)


# -- bad data ---------------------------------------------------------------------------------


@each_objective
def test_bad_data_are_refused_in_one_sentence(make):
    x, y, v = data()
    broken = x.copy()
    broken[3, 1] = np.nan
    for bad, sentence in [
        ((x[0], y, v), "x must have shape (n, d), but its shape is (3,)"),
        ((broken, y, v), "x must be finite, but it has nan at (3, 1)"),
        ((x[:0], y[:0], v[:0]), "x must have shape (n, d), but its shape is (0, 3) (empty)"),
    ]:
        with pytest.raises(ValueError) as caught:
            make(*bad)
        assert str(caught.value) == sentence
    for weights, sentence in [(np.ones(5), "weights must have shape (7,), but its shape is (5,)"),
                              (np.full(N, np.inf),
                               "weights must be finite, but it has inf at (0,)")]:
        with pytest.raises(ValueError) as caught:
            make(x, y, v, weights=weights)
        assert str(caught.value) == sentence


def test_the_contract_itself_is_abstract():
    with pytest.raises(NotImplementedError):
        Objective().local_loss()


# -- an objective of the user's own -----------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class TowardsNormal(Objective):
    """Explicit score matching towards the score -x of N(0, I), as in the head of the room."""

    x: Any
    weights: Any = None

    reads = ("score",)

    def local_loss(self, score):
        r = score + self.x
        return (r * r).sum(axis=1) / 2, {"score": self.weights[:, None] * r}


def test_an_objective_is_its_arrays_what_it_reads_and_its_local_loss():
    x, _, _ = data()
    J, same = TowardsNormal(x), ExplicitScoreMatching(x, -x)
    assert max(gaps(J.value_and_gradient(energy()), same.value_and_gradient(energy()))) < 1e-14
    assert relative_gap(J.per_sample(energy()), same.per_sample(energy())) < 1e-14
    assert np.array_equal(J.evaluate(score=x)[1]["score"], same.evaluate(score=x)[1]["score"])
    assert np.array_equal(J.take([5, 0]).x, x[[5, 0]])
    assert repr(J) == "TowardsNormal(n=7, d=3)"
    assert check_objective(J, energy()).verdict == "PASS"
    assert not J.x.flags.writeable
    with pytest.raises(ValueError, match=r"^x must have shape \(n, d\), but its shape is \(7,\)$"):
        TowardsNormal(x[:, 0])
    with pytest.raises(ValueError, match=r"^weights must have shape \(7,\)"):
        TowardsNormal(x, np.ones(5))


def test_directions_are_not_optional():
    with pytest.raises(TypeError, match="directions"):
        SlicedScoreMatching(data()[0])


# -- parts ------------------------------------------------------------------------------------


@each_objective
def test_rows_are_a_slice_indices_or_a_mask(make):
    J = make(*data())
    terms = J.per_sample(energy())
    mask = np.array([True, False, False, True, True, False, True])
    for rows in (slice(5, 0, -2), [-1, 3, 3], [-7, 6], np.array([6, 2], dtype=np.uint8), mask):
        found = J.take(rows).per_sample(energy())
        assert relative_gap(found, terms[rows]) < 1e-14      # another block size, another rounding


@pytest.mark.parametrize("rows, sentence", [
    (slice(5, 5),
     r"rows must select at least one of 7 points, but slice\(5, 5, None\) selects none"),
    ([], r"rows must be a slice or a one-dimensional array of at least one index, "
     r"but it has shape \(0,\) and dtype float64"),
    (3, r"rows must be .* at least one index, but it has shape \(\) and dtype int64"),
    ([[1, 2, 3], [4, 5, 6]], r"rows must be .*, but it has shape \(2, 3\) and dtype int64"),
    ([0.5], r"rows must be .*, but it has shape \(1,\) and dtype float64"),
    ([[1], [2, 3]], r"rows must be .* at least one index, but it has shape \(0,\)"),
    ("abc", "rows must be a slice or a one-dimensional array"),
    (None, r"rows must be .*, but it has shape \(\) and dtype object"),
    ([True, False, True], r"rows must be .*, but it has shape \(3,\) and dtype bool"),
    (np.zeros(7, bool), r"rows must be .* at least one index"),
    ([3, 7], "rows must be indices of 7 points, but one of them is 7$"),
    ([-7, 7], "rows must be indices of 7 points, but one of them is 7$"),
    ([-8, 3], "rows must be indices of 7 points, but one of them is -8$"),
])
def test_rows_that_select_nothing_are_refused_in_one_sentence(rows, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        ImplicitScoreMatching(data()[0]).take(rows)
    with pytest.raises(ValueError, match=f"^{sentence}"):
        StreamedObjective([ImplicitScoreMatching(data()[0])]).take(rows)


def test_a_slice_of_equal_weights_is_still_one_number_in_memory():
    """A block of a million points then needs no weights of its own."""
    part = ImplicitScoreMatching(data()[0]).take(slice(2, 5))
    assert part.weights.tolist() == [1 / N] * 3
    assert part.weights.strides == (0,)
