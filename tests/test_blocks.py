"""Blocks through a map: the same bits for every map, in order, and few blocks in flight."""
import concurrent.futures
import pickle
import subprocess
import sys

import numpy as np
import pytest

import refsm
from refsm import blocks
from refsm.blocks import LIGHT, TASKS, Block

N, D, M, R = 51, 3, 5, 6         # points, dimensions, hidden units, directions
ROWS = 3                         # of a block: 17 blocks, more than two groups of tasks

rng = np.random.default_rng(0)
X, NOISY = rng.standard_normal((2, N, D))
V = rng.standard_normal((N, R, D))
WEIGHTS = rng.uniform(0.5, 1.5, N)
MODEL = refsm.AutoencoderEnergy(rng.standard_normal((M, D)), rng.standard_normal(M),
                                rng.standard_normal(D), sigma=0.61)
CORRUPTIBLE = refsm.Gaussian(np.array([0.3, -0.5, 0.7]), np.diag([0.5, 1.5, 2.5]))
LEVELS = [0.37, 0.83]
BITS = (X > 0).astype(np.uint8)
RBM = refsm.BernoulliRBM(MODEL.W, MODEL.b, MODEL.c)


def streamed(**weights):
    weights = weights.get("weights", np.full(N, 1 / N))
    return refsm.StreamedObjective(lambda: (
        refsm.ImplicitScoreMatching(X[rows], weights=weights[rows])
        for rows in (slice(0, 7), slice(7, 20), slice(20, N))))


MAKE = {
    "explicit": (lambda **w: refsm.ExplicitScoreMatching(X, NOISY, **w), MODEL),
    "implicit": (lambda **w: refsm.ImplicitScoreMatching(X, **w), MODEL),
    "narrow": (lambda **w: refsm.ImplicitScoreMatching(X.astype(np.float32), **w), MODEL),
    "in columns": (lambda **w: refsm.ImplicitScoreMatching(np.asfortranarray(X), **w), MODEL),
    "every second": (lambda **w: refsm.ImplicitScoreMatching(
        np.repeat(X, 2, axis=0), **w).take(slice(None, None, 2)) if not w else
        refsm.ImplicitScoreMatching(X, **w).take(slice(None, None, -2)), MODEL),
    "regularised": (lambda **w: refsm.RegularizedScoreMatching(X, 0.3, **w), MODEL),
    "denoising": (lambda **w: refsm.DenoisingScoreMatching(X, NOISY, 0.37, **w), MODEL),
    "autoencoder": (lambda **w: refsm.DenoisingAutoencoderLoss(X, NOISY, **w), MODEL),
    "Parzen": (lambda **w: refsm.ParzenExplicitScoreMatching(X[:7], NOISY, 0.37, **w), MODEL),
    "sliced": (lambda **w: refsm.SlicedScoreMatching(X, V, True, **w), MODEL),
    "streamed": (streamed, MODEL),
    "streamed levels": (lambda **w: refsm.StreamedObjective([
        refsm.MultiLevelDenoising(X[rows], np.stack([NOISY[rows], X[rows] + 1]), LEVELS,
                                  level_weights=[2.0, 7.0], **{k: v[rows] for k, v in w.items()})
        for rows in (slice(0, 30), slice(30, N))]), CORRUPTIBLE),
    "levels": (lambda **w: refsm.MultiLevelDenoising(X, np.stack([NOISY, X + 1]), LEVELS,
                                                     level_weights=[2.0, 7.0], **w), CORRUPTIBLE),
    "sequence": (lambda **w: refsm.MultiLevelDenoising(X, np.stack([NOISY, X + 1]), LEVELS,
                                                       level_weights=[2.0, 7.0], **w),
                 [MODEL, CORRUPTIBLE]),
    "ratio": (lambda **w: refsm.RatioMatching(BITS, **w), RBM),
    "pseudo-likelihood": (lambda **w: refsm.PseudoLikelihood(BITS, **w), RBM),
}
each_objective = pytest.mark.parametrize("make, model", MAKE.values(), ids=MAKE.keys())
each_weights = pytest.mark.parametrize("weights", [{}, {"weights": WEIGHTS}],
                                       ids=["uniform", "weighted"])


@pytest.fixture
def small(monkeypatch):
    """Blocks of few rows, none of which is light."""
    def row_blocks(n, *_):
        return (slice(start, min(start + ROWS, n)) for start in range(0, n, ROWS))

    for room in ("objective", "multi_level"):
        monkeypatch.setattr(f"refsm.objectives.{room}.row_blocks", row_blocks)
    monkeypatch.setattr(blocks, "LIGHT", ROWS * D)


def last_first(function, group):
    """The meaning of map, evaluated from the end."""
    return [function(one) for one in reversed(group)][::-1]


def through_pickles(function, group):
    """What a pool of processes does: the function and each task are copied, and each result."""
    sent = [pickle.dumps((function, one)) for one in group]
    answers = [pickle.dumps(f(one)) for f, one in map(pickle.loads, sent)]
    return map(pickle.loads, answers)


def leaves(gradient):
    return [leaf for one in gradient for leaf in one] if isinstance(gradient, list) else gradient


def same_bits(J, model, some_map):
    value, gradient = J.value_and_gradient(model)
    mapped, mapped_gradient = J.value_and_gradient(model, map=some_map)
    assert mapped == value
    assert J.value(model, map=some_map) == J.value(model)
    assert np.array_equal(J.per_sample(model, map=some_map), J.per_sample(model))
    for g, h, k in zip(leaves(gradient), leaves(mapped_gradient),
                       leaves(J.gradient(model, map=some_map))):
        assert np.array_equal(g, h)
        assert np.array_equal(g, k)


@pytest.mark.slow
@each_weights
@each_objective
@pytest.mark.parametrize("some_map", [last_first, through_pickles])
def test_every_map_gives_the_same_bits(make, model, some_map, weights, small):
    same_bits(make(**weights), model, some_map)


@each_objective
def test_threads_give_the_same_bits(make, model, small):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        same_bits(make(), model, pool.map)


@pytest.mark.slow
@each_objective
def test_processes_give_the_same_bits(make, model, small, processes):
    same_bits(make(), model, processes.map)


@pytest.fixture(scope="module")
def processes():
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        yield pool


def test_a_memory_map_is_sent_as_the_rows_of_its_block(tmp_path, small):
    X.tofile(tmp_path / "x")
    J = refsm.ImplicitScoreMatching(np.memmap(tmp_path / "x", float, "r", shape=X.shape))
    same_bits(J, MODEL, through_pickles)
    block = next(J.blocks(MODEL))
    assert len(pickle.dumps(block)) < 1500
    received = pickle.loads(pickle.dumps(block)).part()
    assert np.array_equal(received.x, X[:ROWS])
    assert received.weights.tolist() == [1 / N] * ROWS


def test_what_is_not_per_point_is_sent_with_a_block(small):
    make, model = MAKE["denoising"]
    same_bits(make(), model, through_pickles)


def test_uniform_weights_are_sent_as_one_number():
    J = refsm.ImplicitScoreMatching(np.ones((5000, 3)))
    received = pickle.loads(pickle.dumps(Block(J, slice(100, 4000)))).part()
    assert received.weights.strides == (0,)
    assert received.weights.shape == (3900,)


@pytest.mark.parametrize("x", [X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2],
                               X.astype(np.float32), np.broadcast_to(X[3], X.shape)])
def test_a_block_lies_in_memory_in_another_process_as_it_does_here(x):
    """The last bits of a product or of a sum depend on the order in memory."""
    for weights in (None, WEIGHTS):
        block = Block(refsm.ImplicitScoreMatching(x, weights=weights), slice(3, 50))
        part, received = block.part(), pickle.loads(pickle.dumps(block)).part()
        assert received.x.strides == part.x.strides
        assert received.weights.strides == part.weights.strides


# -- how many blocks are in flight -----------------------------------------------------------------


class Greedy:
    """A map that reads all it is given at once, and counts what it was given and has given back."""

    def __init__(self):
        self.given, self.back, self.most = 0, 0, 0

    def __call__(self, function, group):
        group = list(group)
        self.given += len(group)
        self.most = max(self.most, self.given - self.back)
        return self.results(function, group)

    def results(self, function, group):
        for one in group:
            yield function(one)
            self.back += 1


def test_not_more_than_two_groups_are_in_flight_and_always_one(small):
    J, greedy = refsm.ImplicitScoreMatching(X), Greedy()
    assert J.value(MODEL, map=greedy) == J.value(MODEL)
    assert greedy.given == greedy.back == -(-N // ROWS)
    assert TASKS < greedy.most <= 2 * TASKS


@pytest.mark.parametrize("light, sizes", [
    (1, [[1] * 8, [1] * 8, [1]]),                        # heavy blocks: one to a task
    (2 * ROWS * D - 1, [[1] * 8, [1] * 8, [1]]),
    (2 * ROWS * D, [[2] * 8, [1]]),                      # two of them are light
    (2 * ROWS * D + 1, [[2] * 8, [1]]),
    (LIGHT, [[2, 2, 2, 2, 2, 2, 2, 3]]),                 # all are
])
def test_light_blocks_are_given_to_a_map_several_at_a_time(light, sizes, monkeypatch, small):
    monkeypatch.setattr(blocks, "LIGHT", light)
    given = []

    def some_map(function, tasks):
        given.append([len(task) for task in tasks])
        return map(function, tasks)

    same_bits(refsm.ImplicitScoreMatching(X), MODEL, some_map)
    assert given == sizes * 4                            # the four questions of same_bits


@pytest.mark.parametrize("rows, size", [(slice(0, 7), 21), (slice(49, 60), 6),
                                        (slice(None), 3 * N)])
def test_the_size_of_a_block_is_that_of_its_points(rows, size):
    assert Block(refsm.ImplicitScoreMatching(X), rows).size == size


def test_without_a_map_there_is_one_block_at_a_time_and_its_pages_are_released(monkeypatch, small):
    order = []
    monkeypatch.setattr(blocks, "release_pages", lambda a: order.append("release"))
    take = refsm.ImplicitScoreMatching.take
    monkeypatch.setattr(refsm.ImplicitScoreMatching, "take",
                        lambda J, rows: order.append(rows.start) or take(J, rows))
    refsm.ImplicitScoreMatching(X[:7]).value(MODEL)
    assert order == [0, "release", "release", 3, "release", "release", 6, "release", "release"]


def test_without_a_map_a_part_of_a_stream_is_made_after_the_last_one_is_evaluated(monkeypatch):
    order = []

    def parts():
        for k in range(3):
            order.append(f"make {k}")
            yield refsm.ImplicitScoreMatching(X[k:k + 5])

    monkeypatch.setattr(blocks.Block, "release", lambda block: order.append("done"))
    refsm.StreamedObjective(parts).value(MODEL)
    assert order == ["make 0", "done", "make 1", "done", "make 2", "done"]


def test_with_a_map_the_pages_of_a_block_are_released_after_its_result(monkeypatch, small):
    order = []
    monkeypatch.setattr(blocks, "release_pages", lambda a: order.append("release"))
    refsm.ImplicitScoreMatching(X[:5]).value(
        MODEL, map=lambda f, group: (order.append("ask") or f(one) for one in group))
    assert order == ["ask", "release", "release"] * 2


@pytest.mark.parametrize("some_map", [map, last_first])
def test_blocks_in_a_list_give_one_result_each(some_map):
    J = refsm.ImplicitScoreMatching(X)
    each = [Block(J, slice(0, 7)), Block(J, slice(7, N))]
    counts = blocks.results_in_order(lambda part, model: len(part.x), MODEL, each, some_map)
    assert list(counts) == [7, N - 7]


# -- what a map must be ----------------------------------------------------------------------------


@pytest.mark.parametrize("some_map, error, sentence", [
    (3, TypeError, "map must be a function with the meaning of the built-in map, but it is of "
                   "type int"),
    (lambda f, group: [f(one) for one in group][:-1], ValueError,
     "map must give one result for each of 2 tasks, but it gave fewer"),
    (lambda f, group: [f(one) for one in group] * 2, ValueError,
     "map must give one result for each of 2 tasks, but it gave more"),
])
def test_a_map_of_another_meaning_is_refused_in_one_sentence(some_map, error, sentence, small):
    J = refsm.ImplicitScoreMatching(X[:5])
    for ask in (J.value, J.per_sample, J.gradient, J.value_and_gradient):
        with pytest.raises(error) as caught:
            ask(MODEL, map=some_map)
        assert str(caught.value) == sentence


def test_an_error_in_a_block_is_the_callers():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        with pytest.raises(TypeError, match="which BernoulliRBM does not have$"):
            refsm.ImplicitScoreMatching(X).value(RBM, map=pool.map)


class Squared(refsm.ExplicitScoreMatching):
    """An objective whose terms overflow in a ufunc, which is where NumPy reports it."""

    def local_loss(self, score):
        return (score * score).sum(axis=1), {"score": score}


def test_floating_point_errors_are_treated_as_the_caller_treats_them(small):
    J = Squared(np.full((7, D), 1e300), NOISY[:7])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        with np.errstate(all="ignore"):
            assert J.value(CORRUPTIBLE, map=pool.map) == np.inf
        with np.errstate(all="raise"), pytest.raises(FloatingPointError):
            J.value(CORRUPTIBLE, map=pool.map)


# -- fits ------------------------------------------------------------------------------------------


class Counted:
    """The built-in map, counted."""

    def __init__(self):
        self.calls = 0

    def __call__(self, function, group):
        self.calls += 1
        return [function(one) for one in group]


def same_fit(fit, **more):
    plain, some_map = fit(**more), Counted()
    run = fit(map=some_map, **more)
    assert some_map.calls > 0
    assert np.array_equal(run.history.value, plain.history.value)
    assert np.array_equal(run.model.ravel(), plain.model.ravel())
    return some_map.calls


@pytest.mark.parametrize("more", [{}, {"batches": [[0, 5, 7, 11], [2, 3, 9]]}, {"tol": 1e-3}],
                         ids=str)
def test_a_descent_evaluates_each_step_through_the_map(more, small):
    J = refsm.ImplicitScoreMatching(X[:13])
    calls = same_fit(lambda **given: refsm.gradient_descent(J, CORRUPTIBLE, steps=3, rate=0.05,
                                                            **given), **more)
    assert calls == 4                                # one group for each of four evaluations


def test_a_descent_with_fresh_noise_evaluates_each_step_through_the_map(small):
    def fresh(k):
        noise = np.random.default_rng(k).standard_normal((13, D))
        return refsm.DenoisingScoreMatching(X[:13], X[:13] + 0.37 * noise, 0.37)

    calls = same_fit(lambda **given: refsm.gradient_descent(fresh, CORRUPTIBLE, steps=3, rate=0.05,
                                                            **given))
    assert calls == 4


@pytest.mark.slow
def test_a_minimum_is_found_through_the_map(small):
    J = refsm.ImplicitScoreMatching(X[:13])
    same_fit(lambda **given: refsm.minimize(J, CORRUPTIBLE, **given))


def test_what_is_no_objective_is_refused_with_a_map_too():
    with pytest.raises(TypeError, match="^J must be an objective, but it is of type int$"):
        refsm.minimize(3, CORRUPTIBLE, map=Counted())


@each_objective
def test_every_sum_over_points_is_evaluated_through_the_map(make, model, small):
    J = make()
    for ask in (J.value, J.per_sample, J.gradient, J.value_and_gradient):
        some_map = Counted()
        ask(model, map=some_map)
        assert some_map.calls > 0


def test_a_mapped_objective_has_what_the_objective_has():
    J = blocks.mapped(refsm.ImplicitScoreMatching(X), Counted())
    assert np.array_equal(J.points, X)
    assert not hasattr(blocks.mapped(MODEL, Counted()), "per_sample")
    two = J.take([3, 5]).per_sample(MODEL)           # fewer rows: products may add in another order
    assert np.allclose(two, J.per_sample(MODEL)[[3, 5]], rtol=1e-13, atol=0)


# -- memory ----------------------------------------------------------------------------------------

PASS = r"""
import re, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import refsm

x = np.memmap(sys.argv[1], float, "r", shape=(int(sys.argv[2]), 64))
model = refsm.AutoencoderEnergy(np.eye(64)[:63], np.zeros(63), np.zeros(64), sigma=0.37)
with ThreadPoolExecutor(2) as pool:
    refsm.ImplicitScoreMatching(x).value_and_gradient(model, map=pool.map)
# of this process alone: ru_maxrss of a child begins at what its parent, the run of all tests, had
print(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_memory_is_flat_in_the_number_of_points_with_two_threads(tmp_path):
    """A file of 512 MB: 10^6 points in 64 dimensions.  The file is sparse: all are 0."""
    n = 10**6
    with open(tmp_path / "x", "wb") as file:
        file.truncate(n * 64 * 8)
    ran = subprocess.run([sys.executable, "-c", PASS, str(tmp_path / "x"), str(n)],
                         capture_output=True, text=True, check=True)
    assert 1024 * int(ran.stdout) < 200e6
