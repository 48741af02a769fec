"""refsm: the reference implementation of score matching, every gradient and Hessian by hand.

Score matching fits a density p(x; theta) = exp(-E(x; theta)) / Z(theta) without its constant Z:
it fits the model's score psi = grad_x log p = -grad_x E to the score of the data.

In the order of study (`refsm study` has all chapters, `python -m pydoc refsm.ROOM` shows a head):

    energies.gaussian                  an energy, its score, and the Jacobian of the score
    objectives.score_matching          explicit and implicit; why a finite sample differs
    energies.parzen                    the density of the data plus noise
    objectives.denoising               denoising score matching: the optimum is its score
    denoiser                           Tweedie's formula: a score is a denoiser
    objectives.denoising_autoencoder   the squared error of an autoencoder, backpropagated
    energies.autoencoder               the energy for which the two losses differ by a factor
    energies.energy                    cotangents and pullbacks: (11) to (16) of the autoencoder
    objectives.sliced                  directions in the place of a trace
    energies.boltzmann_machine         binary points: energy gaps in the place of a score
    objectives.ratio_matching          and the objectives that read them

Around them: corruption (noise), directions, expectations and enumeration (exact sums), checks
(derivatives), fit (descent, minimum), sampling, theorems (every statement, executable), and verify
(another implementation against this one).

`refsm.verify` is a package and can be called: refsm.verify(implementation, objective).
Names are loaded when first used.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:        # for type checkers; the table below loads the same names when used
    from refsm import activations as activations
    from refsm import data as data
    from refsm import directions as directions
    from refsm import energies as energies
    from refsm import enumeration as enumeration
    from refsm import expectations as expectations
    from refsm import objectives as objectives
    from refsm import predictions as predictions
    from refsm import quantities as quantities
    from refsm import schedules as schedules
    from refsm import stable as stable
    from refsm import theorems as theorems
    from refsm import validation as validation
    from refsm.verify import verify as verify                        # the package can be called
    from refsm.annealed import annealed_langevin as annealed_langevin
    from refsm.checks import check_gradient as check_gradient
    from refsm.checks import check_jacobian as check_jacobian
    from refsm.checks import check_model as check_model
    from refsm.checks import check_objective as check_objective
    from refsm.closed_forms import closed_form as closed_form
    from refsm.corruption import CovarianceCorruption as CovarianceCorruption
    from refsm.corruption import DiagonalCorruption as DiagonalCorruption
    from refsm.corruption import GaussianCorruption as GaussianCorruption
    from refsm.corruption import ScaledCorruption as ScaledCorruption
    from refsm.denoiser import tweedie as tweedie
    from refsm.denoiser import tweedie_covariance as tweedie_covariance
    from refsm.energies.autoencoder import AutoencoderEnergy as AutoencoderEnergy
    from refsm.energies.bernoulli_rbm import BernoulliRBM as BernoulliRBM
    from refsm.energies.boltzmann_machine import BoltzmannMachine as BoltzmannMachine
    from refsm.energies.energy import BinaryEnergy as BinaryEnergy
    from refsm.energies.energy import Energy as Energy
    from refsm.energies.energy import EnergyAt as EnergyAt
    from refsm.energies.experts import ProductOfExperts as ProductOfExperts
    from refsm.energies.gaussian import Gaussian as Gaussian
    from refsm.energies.gaussian_bernoulli_rbm import GaussianBernoulliRBM as GaussianBernoulliRBM
    from refsm.energies.mixture import GaussianMixture as GaussianMixture
    from refsm.energies.parzen import Parzen as Parzen
    from refsm.energies.polynomial import PolynomialEnergy as PolynomialEnergy
    from refsm.fit.descent import gradient_descent as gradient_descent
    from refsm.fit.minimization import minimize as minimize
    from refsm.fit.run_record import Descent as Descent
    from refsm.fit.run_record import DescentError as DescentError
    from refsm.fit.run_record import DescentInterrupted as DescentInterrupted
    from refsm.flow import probability_flow as probability_flow
    from refsm.gibbs_sampling import block_gibbs as block_gibbs
    from refsm.gibbs_sampling import gibbs as gibbs
    from refsm.objectives.denoising import DenoisingScoreMatching as DenoisingScoreMatching
    from refsm.objectives.denoising_autoencoder import (
        DenoisingAutoencoderLoss as DenoisingAutoencoderLoss)
    from refsm.objectives.generalized import GeneralizedScoreMatching as GeneralizedScoreMatching
    from refsm.objectives.minimum_probability_flow import (
        MinimumProbabilityFlow as MinimumProbabilityFlow)
    from refsm.objectives.multi_level import MultiLevelDenoising as MultiLevelDenoising
    from refsm.objectives.objective import Objective as Objective
    from refsm.objectives.parzen_score_matching import (
        ParzenExplicitScoreMatching as ParzenExplicitScoreMatching)
    from refsm.objectives.parzen_score_matching import (
        ParzenImplicitScoreMatching as ParzenImplicitScoreMatching)
    from refsm.objectives.prediction import PredictionLoss as PredictionLoss
    from refsm.objectives.pseudo_likelihood import PseudoLikelihood as PseudoLikelihood
    from refsm.objectives.ratio_matching import RatioMatching as RatioMatching
    from refsm.objectives.score_matching import ExplicitScoreMatching as ExplicitScoreMatching
    from refsm.objectives.score_matching import ImplicitScoreMatching as ImplicitScoreMatching
    from refsm.objectives.score_matching import RegularizedScoreMatching as RegularizedScoreMatching
    from refsm.objectives.sliced import SlicedScoreMatching as SlicedScoreMatching
    from refsm.objectives.streamed import StreamedObjective as StreamedObjective
    from refsm.sampling import ascend_score as ascend_score
    from refsm.sampling import langevin as langevin
    from refsm.saving import load as load
    from refsm.verify import assert_conforms as assert_conforms

_NAMES = {
    "annealed": ["annealed_langevin"],
    "checks": ["check_gradient", "check_jacobian", "check_model", "check_objective"],
    "closed_forms": ["closed_form"],
    "corruption": ["CovarianceCorruption", "DiagonalCorruption", "GaussianCorruption",
                   "ScaledCorruption"],
    "denoiser": ["tweedie", "tweedie_covariance"],
    "energies.autoencoder": ["AutoencoderEnergy"],
    "energies.bernoulli_rbm": ["BernoulliRBM"],
    "energies.boltzmann_machine": ["BoltzmannMachine"],
    "energies.energy": ["BinaryEnergy", "Energy", "EnergyAt"],
    "energies.experts": ["ProductOfExperts"],
    "energies.gaussian": ["Gaussian"],
    "energies.gaussian_bernoulli_rbm": ["GaussianBernoulliRBM"],
    "energies.mixture": ["GaussianMixture"],
    "energies.parzen": ["Parzen"],
    "energies.polynomial": ["PolynomialEnergy"],
    "fit.descent": ["gradient_descent"],
    "fit.minimization": ["minimize"],
    "fit.run_record": ["Descent", "DescentError", "DescentInterrupted"],
    "flow": ["probability_flow"],
    "gibbs_sampling": ["block_gibbs", "gibbs"],
    "objectives.denoising": ["DenoisingScoreMatching"],
    "objectives.denoising_autoencoder": ["DenoisingAutoencoderLoss"],
    "objectives.generalized": ["GeneralizedScoreMatching"],
    "objectives.minimum_probability_flow": ["MinimumProbabilityFlow"],
    "objectives.multi_level": ["MultiLevelDenoising"],
    "objectives.objective": ["Objective"],
    "objectives.parzen_score_matching": ["ParzenExplicitScoreMatching",
                                         "ParzenImplicitScoreMatching"],
    "objectives.prediction": ["PredictionLoss"],
    "objectives.pseudo_likelihood": ["PseudoLikelihood"],
    "objectives.ratio_matching": ["RatioMatching"],
    "objectives.score_matching": ["ExplicitScoreMatching", "ImplicitScoreMatching",
                                  "RegularizedScoreMatching"],
    "objectives.sliced": ["SlicedScoreMatching"],
    "objectives.streamed": ["StreamedObjective"],
    "sampling": ["ascend_score", "langevin"],
    "saving": ["load"],
    "verify": ["assert_conforms"],
}
_ROOM_OF = {name: room for room, names in _NAMES.items() for name in names}
_ROOMS = ["activations", "data", "directions", "energies", "enumeration", "expectations",
          "objectives", "predictions", "quantities", "schedules", "stable", "theorems",
          "validation", "verify"]

__all__ = [*_ROOM_OF, *_ROOMS]


if not TYPE_CHECKING:    # otherwise every misspelt name would pass

    def __getattr__(name: str) -> Any:
        if name in _ROOM_OF:
            value = getattr(importlib.import_module(f"refsm.{_ROOM_OF[name]}"), name)
            globals()[name] = value
            return value
        if name in _ROOMS:
            return importlib.import_module(f"refsm.{name}")
        raise AttributeError(f"module 'refsm' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
