"""Gibbs sampling: every draw against conditionals by enumeration, and p stationary, exactly."""
from functools import partial

import bits
import numpy as np
import pytest
from oracles import relative_gap

from refsm.energies.bernoulli_rbm import BernoulliRBM
from refsm.energies.gaussian import Gaussian
from refsm.enumeration import binary_points, probabilities
from refsm.gibbs_sampling import block_gibbs, gibbs

n, d, m = 7, 3, 5
ALL = binary_points(d)


rbm, boltzmann = partial(bits.rbm, d=d, m=m), partial(bits.boltzmann, d=d)
each_model = pytest.mark.parametrize("model", [rbm(), boltzmann()], ids=["rbm", "boltzmann"])


class Dictated(np.random.Generator):
    """A generator that returns given uniform numbers."""

    def __init__(self, uniforms):
        super().__init__(np.random.PCG64(0))
        self.uniforms = iter(uniforms)

    def random(self, shape):
        u = next(self.uniforms)
        assert np.shape(u) == (shape if isinstance(shape, tuple) else (shape,))
        return u


def conditional(p, i):
    """p(x_i = 1 | x_rest) at all points, (2^d,), by summing the joint distribution."""
    joint = p.reshape((2,) * d)
    one = np.take(joint, [1], axis=i) / joint.sum(axis=i, keepdims=True)
    return np.broadcast_to(one, joint.shape).ravel()


def index(x):
    return (x @ 2 ** np.arange(d)[::-1]).astype(int)


@each_model
def test_a_sweep_draws_each_bit_in_turn_from_its_conditional(model):
    p = probabilities(model)
    u = np.random.default_rng(1).random((d, 2**d))
    by_hand = ALL.copy()
    for i in range(d):
        by_hand[:, i] = u[i] < conditional(p, i)[index(by_hand)]
    found = gibbs(model, ALL, 1, Dictated(u))
    assert np.array_equal(found, by_hand)
    assert found.dtype == float


@each_model
def test_the_threshold_is_the_conditional_itself(model):
    """With u a little below it every bit becomes 1, with u a little above it 0."""
    p = probabilities(model)
    for sign, bit in ((-1, 1.0), (1, 0.0)):
        x = ALL.copy()
        u = []
        for i in range(d):
            u.append(conditional(p, i)[index(x)] * (1 + sign * 1e-13))
            x[:, i] = bit
        assert np.array_equal(gibbs(model, ALL, 1, Dictated(u)), np.full_like(ALL, bit))


@each_model
def test_the_distribution_of_the_model_is_stationary(model):
    p = probabilities(model)
    after = p
    for i in range(d):
        one = conditional(p, i)
        kernel = np.zeros((2**d, 2**d))
        for k, x in enumerate(ALL):
            for bit, probability in ((1, one[k]), (0, 1 - one[k])):
                y = x.copy()
                y[i] = bit
                kernel[k, index(y)] += probability
        after = after @ kernel
    assert relative_gap(after, p) < 1e-14


@each_model
def test_many_chains_have_the_distribution_of_the_model(model):
    many = 20_000
    chains = [gibbs(model, np.zeros((many, d)), 9, np.random.default_rng(2))]
    if isinstance(model, BernoulliRBM):
        chains.append(block_gibbs(model, np.zeros((many, d)), 9, np.random.default_rng(3)))
    p = probabilities(model)
    for x in chains:
        share = np.bincount(index(x), minlength=2**d) / many
        # five standard deviations of a share, which never happen by chance
        assert np.all(np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / many))


def test_a_block_sweep_draws_the_hidden_layer_and_then_the_visible_one():
    model = rbm()
    rng = np.random.default_rng(4)
    u_h, u_x = rng.random((2**d, m)), rng.random((2**d, d))
    logit = np.log(u_h / (1 - u_h))
    h = (logit < ALL @ model.W.T + model.b) * 1.0
    x = (np.log(u_x / (1 - u_x)) < h @ model.W + model.c) * 1.0
    assert np.array_equal(block_gibbs(model, ALL, 1, Dictated([u_h, u_x])), x)


def test_a_uniform_number_equal_to_the_probability_gives_0():
    """u is a multiple of 2^-53 in [0, 1): u < 1/2 has the probability 1/2, u <= 1/2 has more."""
    flat = BernoulliRBM(np.zeros((m, d)), np.zeros(m), np.zeros(d))
    half = np.full(2**d, 0.5)
    assert not gibbs(flat, ALL, 1, Dictated([half] * d)).any()
    x = block_gibbs(flat, ALL, 1, Dictated([np.full((2**d, m), 0.5), np.full((2**d, d), 0.5)]))
    assert not x.any()
    # W = 6 makes every bit of x 1 if a hidden unit is 1, and 0 if none is
    strong = BernoulliRBM(np.full((m, d), 6.0), np.full(m, -6.0 * d), np.full(d, -3.0))
    ones = np.ones((1, d))                              # p(h = 1 | x) = 1/2 at x = (1, ..., 1)
    u = [np.full((1, m), 0.5), np.full((1, d), 0.5)]
    assert not block_gibbs(strong, ones, 1, Dictated(u)).any()


def test_the_joint_distribution_of_the_layers_is_stationary():
    """p(x) -> p(h | x) -> p(x | h), with the joint distribution written out over all (x, h)."""
    model = rbm()
    H = binary_points(m)
    joint = np.exp(ALL @ model.c + (H @ model.b)[:, None] + H @ model.W @ ALL.T)    # (2^m, 2^d)
    joint /= joint.sum()
    p = joint.sum(axis=0)
    assert relative_gap(p, probabilities(model)) < 1e-13
    sigmoid = 1 / (1 + np.exp(-(ALL @ model.W.T + model.b)))
    h_given_x = np.prod(np.where(H[:, None] == 1, sigmoid, 1 - sigmoid), axis=2)    # (2^m, 2^d)
    assert relative_gap(h_given_x, joint / p) < 1e-13


def test_sweeps_follow_one_another_and_the_callback_sees_each():
    x = np.random.default_rng(5).integers(0, 2, size=(n, d))
    before = x.copy()
    for sample, model in ((gibbs, boltzmann()), (block_gibbs, rbm())):
        path = []
        end = sample(model, x, 6, np.random.default_rng(6),
                     callback=lambda k, at, path=path: path.append((k, at)))
        assert [k for k, _ in path] == [1, 2, 3, 4, 5, 6]
        assert path[-1][1] is end
        rng = np.random.default_rng(6)
        step = x
        for _, at in path:
            step = sample(model, step, 1, rng)
            assert np.array_equal(at, step)
        assert np.array_equal(x, before)


@pytest.mark.parametrize("sample, call, error, sentence", [
    (gibbs, (Gaussian([0.0], [[1.0]]), [[0.0]], 3, np.random.default_rng(0)), TypeError,
     "model must be an energy of binary points, but it is of type Gaussian"),
    (block_gibbs, (boltzmann(), ALL, 3, np.random.default_rng(0)), TypeError,
     "model must be a BernoulliRBM, but it is of type BoltzmannMachine"),
    (gibbs, (rbm(), ALL / 2, 3, np.random.default_rng(0)), ValueError,
     "x must contain only 0 and 1, but entry (1, 2) is 0.5"),
    (gibbs, (rbm(), ALL, 2.5, np.random.default_rng(0)), ValueError,
     "sweeps must be a whole number >= 1, but it is 2.5"),
    (block_gibbs, (rbm(), ALL, 0, np.random.default_rng(0)), ValueError,
     "sweeps must be a whole number >= 1, but it is 0"),
    (block_gibbs,
     (rbm(), ALL, 3, 7), TypeError, "rng must be a numpy.random.Generator, but it is 7"),
])
def test_bad_input_is_one_sentence(sample, call, error, sentence):
    with pytest.raises(error) as caught:
        sample(*call)
    assert str(caught.value) == sentence


def test_a_callback_that_cannot_be_called_is_refused_before_the_first_sweep():
    with pytest.raises(TypeError, match="^callback must be a function, but it is of type int$"):
        gibbs(rbm(), ALL, 3, np.random.default_rng(0), callback=3)
