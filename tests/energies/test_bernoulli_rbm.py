"""The Bernoulli machine: hidden states enumerated, gaps by flipping, both forms of a gap."""
import pickle
from itertools import product

import numpy as np
import pytest
from oracles import pullback_gap, relative_gap

from refsm import rows
from refsm.energies import bernoulli_rbm
from refsm.energies.bernoulli_rbm import BernoulliRBM, BernoulliRBMTheta
from refsm.stable import sigmoid

n, d, m = 7, 5, 6
STATES = np.array(list(product([0.0, 1.0], repeat=m)))       # (2^m, m), every hidden state h
UNIT = 2.0**-53


def machine(seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return BernoulliRBM(scale * rng.normal(size=(m, d)), rng.normal(size=m), rng.normal(size=d))


def mixed():
    """Near weights, far ones of both signs, and one that is zero; unit 3 has only near ones."""
    W = np.array(machine().W)
    W[1, 0], W[4, 0], W[2, 2], W[0, 4], W[5, 1] = 7.0, -6.0, 5.0, -90.0, 0.0
    return machine().with_theta(machine().theta._replace(W=W))


def data(seed=1, rows=n):
    return np.random.default_rng(seed).integers(0, 2, size=(rows, d)).astype(float)


def flipped(model, x):
    """E(flip_i x) - E(x) from the energy at the n d neighbours."""
    out = np.empty(x.shape)
    for i in range(model.d):
        y = x.copy()
        y[:, i] = 1 - y[:, i]
        out[:, i] = model.energy(y) - model.energy(x)
    return out


def wide_gap(W, b, c, x):
    """The gaps in longdouble, each softplus difference without cancellation."""
    W, b, c = (np.asarray(block, dtype=np.longdouble) for block in (W, b, c))
    delta = 1 - 2 * x
    a = (x @ W.T + b)[:, :, None]
    w = delta[:, None, :] * W
    up = (a > 0) & (a + w > 0)
    sign = np.where(up, -1, 1)
    tail = np.logaddexp(0, sign * (a + w)) - np.logaddexp(0, sign * a) + np.where(up, w, 0)
    s = 1 / (1 + np.exp(-np.clip(a, -11000, None)))
    small = np.log1p(s * np.expm1(np.clip(w, -1, 1)))
    return -c * delta - np.where(abs(w) < 1, small, tail).sum(axis=1)


@pytest.mark.parametrize("model", [machine(), mixed()], ids=["near", "mixed"])
def test_energy_is_the_free_energy_of_all_hidden_states(model):
    x = data()
    W, b, c = model.theta
    joint = -(x @ c)[:, None] - STATES @ b - (x @ W.T) @ STATES.T
    assert relative_gap(model.energy(x), -np.log(np.exp(-joint).sum(axis=1))) < 1e-14


@pytest.mark.parametrize("model", [machine(), mixed()], ids=["near", "mixed"])
def test_a_gap_is_the_energy_difference_of_a_flip(model):
    assert relative_gap(model.energy_gap(data()), flipped(model, data())) < 1e-14


@pytest.mark.parametrize("near", [0.0, 1.0, 4.0])
def test_the_form_for_near_weights_and_the_one_for_far_weights_agree(near, monkeypatch):
    g = np.random.default_rng(2).normal(size=(n, d))
    model = machine(scale=1.3)
    assert 1 < abs(model.W).max() < 4
    gap, pulled = model.energy_gap(data()), model.pullback(data(), gap=g)
    monkeypatch.setattr(bernoulli_rbm, "NEAR", near)
    assert relative_gap(model.energy_gap(data()), gap) < 1e-14
    assert all(relative_gap(*pair) < 1e-14 for pair in zip(model.pullback(data(), gap=g), pulled))


def test_a_weight_is_near_up_to_and_including_the_bound():
    model = BernoulliRBM([[4.0, -4.0, 4.001]], [0.0], [0.0, 0.0, 0.0])
    assert model.at(data()[:, :3]).near.tolist() == [[True, True, False]]


@pytest.mark.parametrize("model", [machine(), mixed(), machine(scale=0.0)],
                         ids=["near", "mixed", "zero"])
@pytest.mark.parametrize("names", [("energy",), ("gap",), ("energy", "gap")], ids="+".join)
def test_each_pullback_is_the_complex_step(model, names):
    rng = np.random.default_rng(3)
    x = data()
    cotangents = {name: value for name,
                  value in {"energy": rng.normal(size=n), "gap": rng.normal(size=(n, d))}.items()
                  if name in names}

    assert pullback_gap(model, x, cotangents) < 1e-13


def test_a_complex_cotangent_passes():
    g = np.random.default_rng(4).normal(size=(n, d))
    for left, right in zip(mixed().pullback(data(), gap=(1 + 2j) * g),
                           mixed().pullback(data(), gap=g)):
        assert relative_gap(left, (1 + 2j) * right) < 1e-14


def test_no_cotangent_pulls_back_to_zeros():
    assert all(not block.any() for block in machine().pullback(data()))


@pytest.mark.parametrize("size", [1e-12, 1e-3, 1.0, 3.9, 4.1, 30.0, 1e3, 1e6])
@pytest.mark.parametrize("offset", [0.0, 3.3, 40.1, 1e4])
def test_gaps_keep_their_relative_accuracy(size, offset):
    """Against longdouble, one flip of one hidden unit: 100 units of rounding, and what the
    roundings of a (none at x = 0) and of a + w move: the first by what the flip adds to sigmoid(a),
    the second by the smaller of sigmoid(a + w) and sigmoid(-a - w).
    """
    if np.finfo(np.longdouble).eps > 1e-18:
        pytest.skip("longdouble is float64 here")
    x = np.array([[0.0], [1.0]])
    for sign, positive, part in product([-1, 1], [-1, 1], [1.0, 0.7, 1 / 3, 1 / 7]):
        model = BernoulliRBM([[sign * size * part]], [positive * offset], [0.0])
        exact = wide_gap(*model.theta, x)
        a = x @ model.W.T + model.b
        moved = a + (1 - 2 * x) * model.W
        rounding_of_a = x * (abs(model.W) + offset) * abs(sigmoid(moved) - sigmoid(a))
        rounding_of_moved = abs(moved) * sigmoid(-abs(moved))
        bound = UNIT * (100 * abs(exact) + rounding_of_a + rounding_of_moved) + 1e-300
        assert (abs(model.energy_gap(x) - exact) <= bound).all()


def test_pullbacks_keep_their_relative_accuracy():
    """One far and one near hidden unit at a = 40: what a flip adds to sigmoid is 1e-18, not 0."""
    model = BernoulliRBM([[-2.0], [5.0]], [40.0, 40.0], [0.0])
    db = model.pullback([[0.0]], gap=[[1.0]]).b
    # sigmoid(a) = 1 - exp(-a) up to exp(-2a)
    exact = [np.exp(-38.0) - np.exp(-40.0), -(np.exp(-40.0) - np.exp(-45.0))]
    assert relative_gap(db[0], exact[0]) < 1e-14
    assert relative_gap(db[1], exact[1]) < 1e-14


@pytest.mark.parametrize("size", [1e-320, 1e3, 1e6])
def test_extreme_weights_are_finite_and_right(size):
    rng = np.random.default_rng(5)
    model = BernoulliRBM(size * rng.choice([-1.0, 1.0], size=(m, d)), 1e4 * rng.normal(size=m),
                         rng.normal(size=d))
    gap = model.energy_gap(data())
    pulled = model.pullback(data(), energy=np.ones(n), gap=np.ones((n, d)))
    assert np.isfinite(gap).all()
    assert all(np.isfinite(block).all() for block in pulled)
    assert (abs(gap - flipped(model, data())) <= 1e-15 * (1e4 + size) * m * d).all()


def test_results_do_not_depend_on_the_blocks():
    """More points than one block, and than one piece in cache, hold: the numbers of one by one."""
    model, x = mixed(), data(rows=50000)
    g = np.random.default_rng(6).normal(size=x.shape)
    whole = model.energy_gap(x)
    assert relative_gap(whole[::5000],
                        np.concatenate([model.energy_gap(row[None]) for row in x[::5000]])) < 1e-13
    parts = [model.pullback(x[rows], gap=g[rows])
             for rows in (slice(0, 11), slice(11, 30001), slice(30001, None))]
    for left, *right in zip(model.pullback(x, gap=g), *parts):
        assert relative_gap(left, sum(right)) < 1e-12
    at = model.at(x)  # all points as one block, still few at a time in cache
    for left, right in zip(at.pullback(gap=g), model.pullback(x, gap=g)):
        assert relative_gap(left, right) < 1e-12


def test_few_points_at_a_time_are_flipped():
    wide = BernoulliRBM(np.zeros((100, 70)), np.zeros(100), np.zeros(70))
    pieces = [part.stop - part.start for part, _ in wide.at(np.zeros((60, 70)))._few_points()]
    assert sum(pieces) == 60
    assert 1 < max(pieces) * 100 * 70 / rows.BLOCK * 2 <= 2


def test_other_precisions_pass():
    x = data()
    for kind in (np.int64, bool, np.float32, np.longdouble, complex):
        assert relative_gap(mixed().energy_gap(x.astype(kind)), mixed().energy_gap(x)) == 0
        assert mixed().energy_gap(x.astype(kind)).dtype == float
    wide = BernoulliRBM(*(np.asarray(block, dtype=np.longdouble) for block in mixed().theta))
    assert wide.energy_gap(x).dtype == np.longdouble
    assert wide.pullback(x, gap=x).W.dtype == np.longdouble


def test_theta_and_its_vector():
    model = machine()
    assert isinstance(model.theta, BernoulliRBMTheta)
    assert (model.d, model.width) == (d, m)
    assert BernoulliRBM(np.zeros((3, 8)), np.zeros(3), np.zeros(8)).width == 8
    again = pickle.loads(pickle.dumps(model.unravel(model.ravel())))
    assert all(np.array_equal(left, right) for left, right in zip(again.theta, model.theta))
    assert repr(model) == "BernoulliRBM(W: (6, 5), b: (6,), c: (5,))"
    with pytest.raises(ValueError, match="read-only"):
        model.W[0, 0] = 1


def test_wrong_parameters_and_points_are_refused_by_a_sentence():
    W, b, c = machine().theta
    with pytest.raises(ValueError, match=r"b must have shape \(6,\), but its shape is \(5,\)"):
        BernoulliRBM(W, c, c)
    with pytest.raises(ValueError, match=r"c must have shape \(5,\), but its shape is \(6,\)"):
        BernoulliRBM(W, b, b)
    with pytest.raises(ValueError, match=r"W must have shape \(m, d\), but its shape is \(6,\)"):
        BernoulliRBM(b, b, c)
    with pytest.raises(ValueError, match=r"W must be finite, but it has nan at \(0, 0\)"):
        BernoulliRBM(np.full((m, d), np.nan), b, c)
    with pytest.raises(ValueError, match=r"x must contain only 0 and 1, but entry \(1, 2\) is 0.5"):
        machine().energy_gap(np.where(np.arange(n * d).reshape(n, d) == 7, 0.5, data()))
    with pytest.raises(TypeError, match="^BernoulliRBM has no score: it is an energy of binary "
                                        "points with energy, gap$"):
        machine().score(data())


def test_a_hidden_unit_may_change_its_sign_or_its_place():
    W, b, c = mixed().theta
    order, signs = [3, 0, 5, 1, 2, 4], np.array([1, -1, 1, 1, -1, 1])
    turned = BernoulliRBM((signs[:, None] * W)[order], (signs * b)[order], c + W[1] + W[4])
    assert relative_gap(turned.energy(data()), mixed().energy(data()) + b[1] + b[4]) < 1e-13
    assert relative_gap(turned.energy_gap(data()), mixed().energy_gap(data())) < 1e-13
