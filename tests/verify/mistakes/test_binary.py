"""Formulas for binary points: gaps, links and bits."""
import numpy as np

from refsm.verify import cases
from refsm.verify.mistakes import formulas
from refsm.verify.cases.quantities import Quantities


def words(formula):
    return tuple(mistake.words for mistake in formula.mistakes)


def found(objective, *mistakes):
    case = cases(objective, "prime")[6]
    formula = next(f for f in formulas(objective, case.model) if words(f) == mistakes)
    return case, formula.terms[0].per_sample(Quantities(case))


def test_gaps_by_hand():
    case, terms = found("pseudo", "the sign of the gap", "only the first bit")
    g, x, p = case.energy_gap(case.x), case.x, case.params
    assert np.allclose(terms, np.log1p(np.exp(g[:, 0])))
    assert np.allclose(
        found("pseudo", "the bit's sign (2 x - 1) is left out of the gap")[1],
        np.log1p(np.exp(-(x @ p["W"] + p["b"]))).sum(axis=1))
    assert np.allclose(
        found("pseudo", "the offsets b are left out")[1],
        np.log1p(np.exp(-(2 * x - 1) * (x @ p["W"]))).sum(axis=1))
    assert np.allclose(
        found("pseudo", "the weights are doubled: the 1/2 in front of x' W x is missing")[1],
        np.log1p(np.exp(-(2 * x - 1) * (2 * x @ p["W"] + p["b"]))).sum(axis=1))
    assert np.allclose(
        found("pseudo", "all bits are flipped at once")[1],
        case.d * np.log1p(np.exp(-(case.energy(1 - x) - case.energy(x)))))
    assert np.allclose(
        found("pseudo", "the energy of the flipped point alone")[1],
        np.log1p(np.exp(-(g + case.energy(x)[:, None]))).sum(axis=1))


def test_ways_to_join_the_bits_by_hand():
    case, terms = found("ratio", "the product over bits in place of the sum")
    f = 1 / (1 + np.exp(case.energy_gap(case.x)))**2
    assert np.allclose(terms, f.prod(axis=1))
    assert np.allclose(found("ratio", "the largest bit in place of the sum")[1], f.max(axis=1))
