"""The reference's own terms against the objectives of the project: two computations, one number."""
import numpy as np
import pytest
from test_models import energy_of

from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.denoising_autoencoder import DenoisingAutoencoderLoss
from refsm.objectives.parzen_score_matching import (ParzenExplicitScoreMatching,
                                                    ParzenImplicitScoreMatching)
from refsm.objectives.pseudo_likelihood import PseudoLikelihood
from refsm.objectives.ratio_matching import RatioMatching
from refsm.objectives.score_matching import (ExplicitScoreMatching, ImplicitScoreMatching,
                                             RegularizedScoreMatching)
from refsm.objectives.sliced import SlicedScoreMatching
from refsm.verify.cases import cases, derivatives, gradient, per_sample, value
from refsm.verify.objectives import NORM, OBJECTIVES, model_names

OWN = {
    "esm": lambda c: ExplicitScoreMatching(c.x, c.data_score),
    "ism": lambda c: ImplicitScoreMatching(c.x),
    "regularized": lambda c: RegularizedScoreMatching(c.x, c.strength),
    "parzen_esm": lambda c: ParzenExplicitScoreMatching(c.x, c.x_noisy, c.sigma),
    "parzen_ism": lambda c: ParzenImplicitScoreMatching(c.x_noisy),
    "dsm": lambda c: DenoisingScoreMatching(c.x, c.x_noisy, c.sigma),
    "dae": lambda c: DenoisingAutoencoderLoss(c.x, c.x_noisy),
    "ssm": lambda c: SlicedScoreMatching(c.x, c.directions),
    "ssm_vr": lambda c: SlicedScoreMatching(c.x, c.directions, variance_reduced=True),
    "ratio": lambda c: RatioMatching(c.x), "pseudo": lambda c: PseudoLikelihood(c.x)
}
LOCAL = {
    "esm": ("score",), "ism": ("score", "divergence"), "regularized": ("score", "diagonal"),
    "parzen_esm": ("score",), "parzen_ism": ("score", "divergence"), "dsm": ("score",),
    "dae": ("reconstruction",), "ssm": ("score", "curvature"), "ssm_vr": ("score", "curvature"),
    "ratio": ("gap",), "pseudo": ("gap",)
}
PAIRS = [(o, m) for o in OBJECTIVES for m in model_names(o) if m != "tanh"]


@pytest.mark.parametrize("objective, model", PAIRS)
def test_terms_and_value_are_those_of_the_objective(objective, model):
    for case in [*cases(objective, "prime", model=model)[::6], *cases(objective, "paper")]:
        per_sample = OWN[objective](case).per_sample(energy_of(case))
        assert np.allclose(per_sample(case), per_sample, rtol=1e-11,
                           atol=1e-11 * np.abs(per_sample).max())
        assert np.isclose(value(case), OWN[objective](case).value(energy_of(case)), rtol=1e-11)


@pytest.mark.parametrize("objective, model", [(o, m) for o, m in PAIRS if m != "mixture"])
def test_gradients_are_those_of_the_objective(objective, model):
    case = cases(objective, "prime", seed=5, model=model)[7]
    own = OWN[objective](case).gradient(energy_of(case))
    for block, mine in gradient(case).items():
        assert np.allclose(mine, getattr(own, block), rtol=1e-9,
                           atol=1e-10 * np.abs(mine).max()), block


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_array_cases_have_the_value_of_the_objective_on_given_quantities(objective):
    for case in cases(objective, "array")[::8]:
        per_sample, _ = OWN[objective](case).evaluate(
            **{name: case.arrays[name]
               for name in LOCAL[objective]})
        assert np.allclose(per_sample(case), per_sample, rtol=1e-12)


@pytest.mark.parametrize("objective, model", [(o, m)
                                              for o in ("dsm", "ism", "ratio", "pseudo")
                                              for m in model_names(o)])
def test_the_paths_of_a_parameter_add_up_to_its_gradient(objective, model):
    case = cases(objective, "prime", model=model)[2]
    for term in OBJECTIVES[objective].terms:
        whole = derivatives.term_gradient(case, term)
        for block, ways in derivatives.paths(case).items():
            summed = sum(derivatives.term_gradient(case, term, way, [block])[block] for way in ways)
            assert np.allclose(summed, whole[block], rtol=1e-10, atol=1e-12 *
                               (1 + np.abs(whole[block]).max()))


def test_a_path_alone_is_not_the_whole_gradient():
    case = cases("dsm", "prime")[2]
    for way in ("encoder", "decoder"):
        share = derivatives.term_gradient(case, NORM, way, ["W"])["W"]
        assert 0.05 < np.abs(share).max() / np.abs(derivatives.term_gradient(case, NORM)["W"]).max()
        assert not np.allclose(share, derivatives.term_gradient(case, NORM)["W"], rtol=0.01)


def test_a_symmetric_parameter_has_a_symmetric_gradient():
    W = gradient(cases("pseudo", "prime")[0])["W"]
    assert np.array_equal(W, W.T)
    assert not np.diag(W).any()
    assert W.any()
    P = gradient(cases("ism", "prime", model="gaussian")[0])["precision"]
    assert np.array_equal(P, P.T)
    assert np.diag(P).all()
