"""Parts that come one after the other add up to the whole, which is an objective like any other."""
import numpy as np
import pytest
from oracles import relative_gap

import refsm
from refsm.objectives.objective import Objective

N, D, M, R = 23, 3, 5, 6          # points, dimensions, hidden units, directions
CUTS = [0, 7, 8, 20, 23]

rng = np.random.default_rng(0)
X, NOISY = rng.standard_normal((2, N, D))
V = rng.standard_normal((N, R, D))
WEIGHTS = rng.uniform(0.5, 1.5, size=N)
MODEL = refsm.AutoencoderEnergy(rng.standard_normal((M, D)), rng.standard_normal(M),
                                rng.standard_normal(D), sigma=0.61)

MAKE = {
    "implicit": lambda rows: refsm.ImplicitScoreMatching(X[rows], weights=WEIGHTS[rows]),
    "denoising": lambda rows: refsm.DenoisingScoreMatching(X[rows], NOISY[rows], 0.37,
                                                           weights=WEIGHTS[rows]),
    "autoencoder": lambda rows: refsm.DenoisingAutoencoderLoss(X[rows], NOISY[rows],
                                                               weights=WEIGHTS[rows]),
    "sliced": lambda rows: refsm.SlicedScoreMatching(X[rows], V[rows], weights=WEIGHTS[rows]),
}
each_kind = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE.keys())


def parts(make):
    return [make(slice(start, stop)) for start, stop in zip(CUTS, CUTS[1:])]


def streams(make):
    """The same objective from a list, from a function, and from streams of streams."""
    inner = refsm.StreamedObjective(parts(make)[1:])
    return [
        refsm.StreamedObjective(parts(make)),
        refsm.StreamedObjective(lambda: iter(parts(make))),
        refsm.StreamedObjective([parts(make)[0], inner])
    ]


def gradient_gap(left, right):
    return max(relative_gap(a, b) for a, b in zip(left, right))


@each_kind
def test_value_terms_and_gradient_are_those_of_the_whole(make):
    whole = make(slice(None))
    for J in streams(make):
        for _ in range(2):
            value, gradient = J.value_and_gradient(MODEL)
            assert abs(value / whole.value(MODEL) - 1) < 1e-14
            assert J.value(MODEL) == value
            assert isinstance(gradient, type(MODEL.theta))
            assert gradient_gap(gradient, whole.gradient(MODEL)) < 1e-13
            assert gradient_gap(gradient, J.gradient(MODEL)) == 0
            assert relative_gap(J.per_sample(MODEL), whole.per_sample(MODEL)) < 1e-14


@each_kind
def test_it_has_the_points_and_the_weights_of_the_whole(make):
    whole = make(slice(None))
    for J in streams(make):
        assert isinstance(J, Objective)
        assert np.array_equal(J.points, whole.points)
        assert np.array_equal(J.weights, WEIGHTS)
        assert J.reads == whole.reads
        assert J.arrays_per_point == whole.arrays_per_point
        assert not J.points.flags.writeable


@each_kind
@pytest.mark.parametrize("rows", [slice(3, 21, 2), slice(20, 2, -3), [22, 0, 7, 8, 6, 0], [-1],
                                  np.arange(N) % 3 == 1], ids=str)
def test_some_of_its_points_come_in_the_order_that_was_asked_for(make, rows):
    whole = make(slice(None)).take(rows)
    for J in streams(make):
        part = J.take(rows)
        assert isinstance(part, refsm.StreamedObjective)
        assert np.array_equal(part.points, whole.points)
        assert np.array_equal(part.weights, whole.weights)
        assert relative_gap(part.per_sample(MODEL), whole.per_sample(MODEL)) < 1e-13
        assert gradient_gap(part.gradient(MODEL), whole.gradient(MODEL)) < 1e-12


@each_kind
def test_evaluate_takes_the_arrays_of_all_points(make):
    whole = make(slice(None))
    local = np.random.default_rng(1)
    given = {
        name: local.standard_normal({
            "divergence": (N, ),
            "curvature": (N, R)
        }.get(name, (N, D)))
        for name in whole.reads
    }
    for J in streams(make):
        terms, cotangents = J.evaluate(**given)
        expected, expected_cotangents = whole.evaluate(**given)
        assert np.array_equal(terms, expected)
        assert set(cotangents) == set(expected_cotangents)
        for name, cotangent in cotangents.items():
            if name == "curvature":
                assert np.array_equal(cotangent[0], V)
                cotangent, expected_cotangents[name] = cotangent[1], expected_cotangents[name][1]
            assert np.array_equal(cotangent, expected_cotangents[name])


@each_kind
def test_all_points_as_one_block_too(make):
    for J in streams(make):
        term, backward = J.forward(MODEL)
        assert relative_gap(term, J.per_sample(MODEL)) < 1e-14
        assert gradient_gap(backward(), J.gradient(MODEL)) < 1e-13


@each_kind
def test_it_can_be_checked(make):
    report = refsm.check_objective(streams(make)[1], MODEL)
    assert report.verdict == "PASS"
    assert "StreamedObjective(parts=4, n=23, d=3)" in str(report)


def test_it_shows_its_size():
    assert [repr(J) for J in streams(MAKE["implicit"])] == [
        "StreamedObjective(parts=4, n=23, d=3)"] * 2 + ["StreamedObjective(parts=2, n=23, d=3)"]


def test_parts_of_different_kinds_add_up():
    J = refsm.StreamedObjective([MAKE["implicit"](slice(0, 9)), MAKE["denoising"](slice(9, N))])
    expected = (MAKE["implicit"](slice(0, 9)).value(MODEL)
                + MAKE["denoising"](slice(9, N)).value(MODEL))
    assert abs(J.value(MODEL) / expected - 1) < 1e-14


def test_a_descent_over_parts_is_the_descent_over_all():
    for batches in ({}, {"batches": [[5, 21, 7], [0, 9, 22]]}):
        left, right = (refsm.gradient_descent(J, MODEL, steps=5, rate=0.01, **batches).model
                       for J in (streams(MAKE["implicit"])[1], MAKE["implicit"](slice(None))))
        assert relative_gap(left.ravel(), right.ravel()) < 1e-12


def test_a_model_that_a_part_cannot_take_is_refused():
    wide = refsm.Gaussian(np.zeros(5), np.eye(5))
    for J in streams(MAKE["denoising"]):
        with pytest.raises(ValueError, match="^model must have d = 3 as the data of Denoising"):
            J.value(wide)
        with pytest.raises(TypeError, match="^model must be an energy, but it is of type int$"):
            J.check_model(3)


@pytest.mark.parametrize("wrong, error, sentence", [
    (iter([]), TypeError, "parts must be a list of objectives or a function that makes an iterator "
     "of them, because each evaluation reads them anew, but it is of type list_iterator"),
    (3, TypeError, "parts must be .*, but it is of type int"),
    ([], ValueError, "parts must contain at least one objective, but there is none"),
    (lambda: iter([]), ValueError, "parts must contain at least one objective, but there is none"),
    ([np.ones(3)], TypeError, "parts must contain objectives, but one is of type ndarray"),
])
def test_what_is_no_stream_is_refused(wrong, error, sentence):
    with pytest.raises(error, match=f"^{sentence}$"):
        refsm.StreamedObjective(wrong).value(MODEL)
