"""How mistakes are written: formulas in symbols, and what no term reads."""
import numpy as np
import pytest

from refsm.verify.mistakes import formulas
from refsm.verify.mistakes.mistake import absolute, names_of_square, not_constrained, root
from refsm.verify.objectives import OBJECTIVES, model_names


def test_a_square_has_the_names_that_objectives_give_its_terms():
    for objective, (half, out, to) in {"dsm": (0.5, "psi", "g"), "dae": (1.0, "y", "x"),
                                       "noise_prediction": (1.0, "f", "g")}.items():
        own = tuple(term.name for term in OBJECTIVES[objective].all_terms)
        assert names_of_square(half, out, to) == own


def test_a_sum_stands_in_parentheses_in_a_product():
    assert names_of_square(1.0, "y(x + noise)", "x_noisy - x") == (
        "|y(x + noise)|^2", "-2 y(x + noise).(x_noisy - x)", "|x_noisy - x|^2")
    assert names_of_square(0.5, "psi", "-x")[1] == "-psi.(-x)"
    assert names_of_square(0.5, "y, tanh", "g(before)")[1] == "-(y, tanh).g(before)"


def test_one_dimension_is_and_several_are():
    assert not_constrained("the last dimension") == "the last dimension is not constrained"
    assert not_constrained("the other dimensions") == "the other dimensions are not constrained"


def test_absolute_values_and_roots():
    a = np.array([-3.0, 0.0, 7.0])
    assert absolute(a).tolist() == [3.0, 0.0, 7.0]
    assert absolute(a + 1e-20j)[0].imag == -1e-20
    assert root(np.array([0.0, 49.0])).tolist() == [0.0, 7.0]


@pytest.mark.parametrize("objective", ["dsm", "ism", "ssm", "dsm_levels", "generalized", "pseudo"])
def test_parentheses_of_formulas_are_balanced_and_identities_are_unique(objective):
    model = model_names(objective)[0]
    seen = set()
    for formula in formulas(objective, model):
        for term in formula.terms:
            assert term.name.count("(") == term.name.count(")")
        identity = tuple((m.id, m.words) for m in formula.mistakes)
        assert identity not in seen
        seen.add(identity)
