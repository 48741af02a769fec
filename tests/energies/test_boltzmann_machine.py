"""The visible Boltzmann machine: sums over pairs, gaps by flipping, the symmetric gradient."""
from fractions import Fraction

import bits
import numpy as np
import pytest
from bits import boltzmann, data
from oracles import complex_gradient, paired, relative_gap

from refsm.energies.boltzmann_machine import BoltzmannMachine, BoltzmannMachineTheta
from refsm.objectives.pseudo_likelihood import PseudoLikelihood

n, d = bits.N, bits.D


def exact(a):
    return np.array([Fraction(float(entry)) for entry in np.ravel(a)],
                    dtype=object).reshape(np.shape(a))


def test_energy_is_minus_the_sum_over_pairs_that_are_both_on():
    W, b = boltzmann().theta
    plain = [-sum(W[i, k] for i in range(d) for k in range(i) if row[i] == row[k] == 1)
             - sum(b[row == 1]) for row in data()]
    assert relative_gap(boltzmann().energy(data()), plain) < 1e-14


def test_a_gap_is_the_energy_difference_of_a_flip_and_in_rationals_exactly():
    model, x = BoltzmannMachine(*map(exact, boltzmann().theta)), exact(data())
    for i in range(d):
        y = x.copy()
        y[:, i] = 1 - y[:, i]
        assert (model.energy(y) - model.energy(x) == model.energy_gap(x)[:, i]).all()


@pytest.mark.parametrize("names", [("energy",), ("gap",), ("energy", "gap")], ids="+".join)
def test_the_ravelled_gradient_is_the_gradient_by_every_entry_of_the_vector(names):
    rng = np.random.default_rng(3)
    model, x = boltzmann(), data()
    cotangents = {name: value for name,
                  value in {"energy": rng.normal(size=n), "gap": rng.normal(size=(n, d))}.items()
                  if name in names}

    pulled = model.pullback(x, **cotangents)
    stepped = complex_gradient(lambda vector: paired(model.unravel(vector), x, cotangents),
                               model.ravel())
    assert relative_gap(pulled.W.ravel(), stepped[:d * d]) < 1e-13
    assert relative_gap(pulled.b, stepped[d * d:]) < 1e-13
    assert np.array_equal(pulled.W, pulled.W.T)
    assert not pulled.W.diagonal().any()


def test_the_gradient_in_rationals_is_exact():
    """E is linear in theta: a step of 1 along one pair adds twice the entry of the gradient."""
    model, x = BoltzmannMachine(*map(exact, boltzmann().theta)), exact(data())
    e = exact(np.random.default_rng(4).normal(size=n))
    step = np.full((d, d), Fraction(0), dtype=object)
    step[1, 3] = step[3, 1] = Fraction(1)
    moved = BoltzmannMachine(model.W + step, model.b)
    added = (e * (moved.energy(x) - model.energy(x))).sum()
    assert added == 2 * model.pullback(x, energy=e).W[1, 3]


def test_a_step_along_the_gradient_stays_symmetric():
    model = boltzmann()
    G = PseudoLikelihood(data()).gradient(model)
    moved = model.with_theta(BoltzmannMachineTheta(model.W - 0.3 * G.W, model.b - 0.3 * G.b))
    assert PseudoLikelihood(data()).value(moved) < PseudoLikelihood(data()).value(model)


def test_no_cotangent_pulls_back_to_zeros():
    assert all(not block.any() for block in boltzmann().pullback(data()))


def test_the_projection_is_the_symmetric_part_without_the_diagonal():
    V = np.arange(9.0).reshape(3, 3)
    W, b = BoltzmannMachine(np.zeros((3, 3)),
                            np.zeros(3)).projected(BoltzmannMachineTheta(V, np.ones(3)))
    assert W.tolist() == [[0, 2, 4], [2, 0, 6], [4, 6, 0]]
    assert b.tolist() == [1, 1, 1]
    assert V[0, 1] == 1


def test_rounding_in_the_couplings_is_removed():
    W = np.array(boltzmann().W)
    W[0, 1] *= 1 + 1e-15
    W[2, 2] = 1e-15
    held = BoltzmannMachine(W, boltzmann().b).W
    assert np.array_equal(held, held.T)
    assert not held.diagonal().any()
    assert W[2, 2] == 1e-15


@pytest.mark.parametrize("i, k, said", [(2, 2, "W must have a zero diagonal, but entry"),
                                        (0, 2, "W must be symmetric, but entry")])
def test_what_is_more_than_rounding_is_a_part_of_the_largest_coupling(i, k, said):
    def off(part):
        W = np.array([[0.0, 8.0, 0.0], [8.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
        W[i, k] = 8 * part
        return BoltzmannMachine(W, np.zeros(3))

    assert off(2**-30).W[i, k] == (0 if i == k else 8 * 2**-31)
    with pytest.raises(ValueError, match=said):
        off(1.01 * 2**-30)
    with pytest.raises(ValueError, match=said):
        off(-1.01 * 2**-30)


def test_large_couplings_are_finite():
    model = BoltzmannMachine(1e8 * boltzmann().W, boltzmann().b)
    assert np.isfinite(model.energy_gap(data())).all()


def test_theta_and_dimension():
    assert isinstance(boltzmann().theta, BoltzmannMachineTheta)
    assert (boltzmann().d, boltzmann().width) == (d, d)
    assert repr(boltzmann()) == "BoltzmannMachine(W: (5, 5), b: (5,))"


def test_wrong_parameters_and_points_are_refused_by_a_sentence():
    W, b = boltzmann().theta
    with pytest.raises(ValueError, match=r"^W must be symmetric, but entry \(0, 2\) is 3.0 "
                                         r"and entry \(2, 0\) is 1.0$"):
        BoltzmannMachine([[0, 5, 3], [5, 0, 0], [1, 0, 0]], b[:3])
    with pytest.raises(ValueError, match=r"^W must have a zero diagonal, but entry \(3, 3\) is -2"):
        BoltzmannMachine(np.diag([1.0, 0.0, 1.0, -2.0, 0.0]), b)
    with pytest.raises(ValueError, match=r"W must have shape \(d, d\), but its shape is \(5, 3\)"):
        BoltzmannMachine(W[:, :3], b)
    with pytest.raises(ValueError, match=r"b must have shape \(5,\), but its shape is \(3,\)"):
        BoltzmannMachine(W, b[:3])
    with pytest.raises(ValueError, match=r"x must contain only 0 and 1, but entry \(0, 0\) is -1"):
        boltzmann().energy(-np.ones((n, d)))
