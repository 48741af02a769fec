"""Effects of wrong gaps, in exact expectation: three bits of a Boltzmann machine, all eight."""
import itertools

import numpy as np
import pytest

from refsm.verify.cases import models
from refsm.verify.cases.case import Case
from refsm.verify.cases.quantities import Quantities
from refsm.verify.mistakes import formulas

BITS = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
RIGHT = np.array([0.6, -0.4, 0.3, 0.9, -1.3, 0.7])             # b, and W_12, W_13, W_23


def theta(u):
    W = np.zeros((3, 3))
    W[np.triu_indices(3, 1)] = u[3:]
    return {"b": u[:3], "W": W + W.T}


def expected(objective, identity, right):
    """A loss of theta over bits of the distribution with the right theta, and the effect."""
    formula = next(f for f in formulas(objective, "boltzmann")
                   if [m.id for m in f.mistakes] == [identity])
    q = np.exp(-models.energy("boltzmann", theta(right), BITS))

    def loss(u):
        given = Case("own/0", "own", objective, "boltzmann", theta(u), {"x": BITS}, {})
        return formula.terms[0].per_sample(Quantities(given)) @ q / q.sum()

    return loss, formula.mistakes[0]


def slopes(loss, u):
    return np.array([loss(u + e) - loss(u - e) for e in 1e-4 * np.eye(6)]) / 2e-4


@pytest.mark.parametrize("objective, identity", [
    *((objective, "gap.kept") for objective in ("ratio", "pseudo", "mpf")),
    ("mpf", "neighbours.all-flipped")])
def test_other_neighbours_have_the_same_minimiser(objective, identity):
    loss, row = expected(objective, identity, RIGHT)
    assert np.abs(slopes(loss, RIGHT)).max() < 1e-7
    rng = np.random.default_rng(7)
    assert min(loss(RIGHT + step) for step in rng.normal(size=(30, 6))) > loss(RIGHT) + 1e-3
    assert row.same
    assert row.effect.startswith("the same minimiser in expectation, where the model has the "
                                 "data's distribution; on a sample it is ")
    assert row.effect.endswith(" more" if objective == "mpf" and identity[0] == "n"
                               else "a loss with other neighbours")


@pytest.mark.parametrize("objective", ["ratio", "pseudo", "mpf"])
def test_gaps_from_one_flip_to_the_next_are_right_for_independent_bits_alone(objective):
    loss, row = expected(objective, "gap.successive", RIGHT)
    assert np.abs(slopes(loss, RIGHT)).max() > 0.01
    independent = RIGHT * (np.arange(6) < 3)
    loss, _ = expected(objective, "gap.successive", independent)
    assert np.abs(slopes(loss, independent)).max() < 1e-7
    assert not row.same
    assert row.effect == ("a bit is fitted given the bits before it flipped: right for "
                          "independent bits")


@pytest.mark.parametrize("objective", ["ratio", "pseudo", "mpf"])
def test_every_bit_learns_to_be_one_or_zero(objective):
    for name, sign in (("no-sign", 1), ("ones", 1), ("no-opposite-sign", -1), ("zeros", -1)):
        loss, row = expected(objective, f"gap.{name}", RIGHT)
        values = [loss(sign * k * (np.arange(6) < 3)) for k in (-1.0, 0.0, 1.0, 10.0)]
        assert values == sorted(values, reverse=True)
        assert row.effect == f"every bit learns to be {int(sign > 0)}"
