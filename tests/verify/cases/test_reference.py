"""The judge is `refsm.objectives` on `refsm.energies`; the terms are computed apart from it."""
import numpy as np
import pytest

from refsm.verify.cases import cases, derivatives, gradient, per_sample, reference, value
from refsm.verify.cases.quantities import Quantities
from refsm.verify.objectives import NORM, OBJECTIVES, Term, model_names

PAIRS = [(o, m) for o in OBJECTIVES for m in model_names(o)]


def apart(case):
    """The loss at each point as the sum of its terms, from `refsm.verify.cases.models`."""
    q = Quantities(case)
    return sum(term.per_sample(q) for term in OBJECTIVES[case.objective].all_terms)


@pytest.mark.parametrize("objective, model", PAIRS)
def test_the_terms_add_up_to_the_objective(objective, model):
    for case in [*cases(objective, "prime", model=model)[::11], *cases(objective, "paper")]:
        mine = apart(case)
        assert np.allclose(per_sample(case), mine, rtol=1e-11, atol=1e-11 * np.abs(mine).max())
        assert np.isclose(value(case), mine.mean(), rtol=1e-11)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_array_cases_have_the_value_of_the_objective_on_given_quantities(objective):
    for case in cases(objective, "array")[::8]:
        assert np.allclose(per_sample(case), apart(case), rtol=1e-12)


@pytest.mark.parametrize("objective, model", PAIRS)
def test_gradients_are_complex_steps_of_the_terms(objective, model):
    case = cases(objective, "prime", seed=5, model=model)[7]
    terms = OBJECTIVES[objective].terms
    apart = [derivatives.term_gradient(case, term) for term in terms]
    for block, mine in gradient(case).items():
        steps = sum(g[block] for g in apart)
        assert mine.shape == case.params[block].shape
        assert np.allclose(mine, steps, rtol=1e-9, atol=1e-10 * np.abs(steps).max()), block


@pytest.mark.parametrize("objective, classes", [
    ("dsm", "DenoisingScoreMatching AutoencoderEnergy"), ("ism", "ImplicitScoreMatching Gaussian"),
    ("ratio", "RatioMatching BoltzmannMachine"), ("pseudo", "PseudoLikelihood BernoulliRBM"),
    ("esm", "ExplicitScoreMatching GaussianMixture")])
def test_the_judge_is_the_public_objective_on_the_public_energy(objective, classes):
    model = {"Gaussian": "gaussian", "GaussianMixture": "mixture", "BernoulliRBM": "rbm"}
    case = cases(objective, "prime", model=model.get(classes.split()[1]))[0]
    J = OBJECTIVES[objective].reference(case)
    assert [type(J).__name__, type(reference.energy_of(case)).__name__] == classes.split()
    assert value(case) == pytest.approx(J.value(reference.energy_of(case)), rel=1e-14)


def test_there_is_no_energy_for_given_arrays_and_for_the_tanh_model():
    assert reference.energy_of(cases("dsm", "array")[0]) is None
    assert reference.energy_of(cases("dsm", "prime", model="tanh")[0]) is None


def test_terms_that_do_not_add_up_are_refused():
    some = cases("ism", "prime")[:3]
    mine = np.array([apart(case).mean() for case in some])
    scale = np.array([1e3, 30.0, 1e-3])                  # the sums of absolute terms: 1e-9 of them
    assert np.array_equal(reference.terms_add_up(some, mine + 0.9e-9 * scale, scale),
                          [value(case) for case in some])
    with pytest.raises(ArithmeticError, match="^the terms of prime/ism/c0/t1 do not add up to"):
        reference.terms_add_up(some, mine + [0, 1.1e-9 * 30, 0], scale)


@pytest.mark.parametrize("objective, model", [(o, m) for o in ("dsm", "ism", "ratio", "pseudo")
                                              for m in model_names(o)])
def test_the_paths_of_a_parameter_add_up_to_its_gradient(objective, model):
    case = cases(objective, "prime", model=model)[2]
    for term in OBJECTIVES[objective].terms:
        whole = derivatives.term_gradient(case, term)
        for block, ways in derivatives.paths(case).items():
            summed = sum(derivatives.term_gradient(case, term, way, [block])[block] for way in ways)
            atol = 1e-12 * (1 + np.abs(whole[block]).max())
            assert np.allclose(summed, whole[block], rtol=1e-10, atol=atol)


def test_a_path_alone_is_not_the_whole_gradient():
    case = cases("dsm", "prime")[2]
    assert derivatives.paths(case) == {"W": ("encoder", "decoder"), "b": ("",), "c": ("",)}
    whole = derivatives.term_gradient(case, NORM)["W"]
    for way in ("encoder", "decoder"):
        share = derivatives.term_gradient(case, NORM, way, ["W"])["W"]
        assert np.abs(share).max() > 0.05 * np.abs(whole).max()
        assert not np.allclose(share, whole, rtol=0.01)


def test_a_term_gradient_is_the_slope_of_the_mean():
    case = cases("ism", "prime")[3]
    only_c = Term("extra", "c.c", lambda q: (q.theta["c"]**2).sum() * np.ones(3))
    steps = derivatives.term_gradient(case, only_c)
    assert np.allclose(steps["c"], 2 * case.params["c"], rtol=1e-15)
    assert not steps["W"].any()


def test_a_symmetric_parameter_has_a_symmetric_gradient():
    W = gradient(cases("pseudo", "prime")[0])["W"]
    assert np.array_equal(W, W.T)
    assert not np.diag(W).any()
    assert W.any()
    P = gradient(cases("ism", "prime", model="gaussian")[0])["precision"]
    assert np.array_equal(P, P.T)
    assert np.diag(P).all()
