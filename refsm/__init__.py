"""refsm: the reference implementation of score matching, every gradient and Hessian derived by hand.

Score matching trains a density p(x; theta) = exp(-E(x; theta)) / Z(theta) without its Z: it makes the model's score
psi = grad_x log p = -grad_x E equal to the score of the data.

Reading order, each floor resting on those above it:

    refsm.stable, refsm.activations, refsm.validation  numbers: stable functions, checks of arguments
    refsm.energies.autoencoder                         an energy: its local quantities, and their pullbacks to theta
    refsm.objectives.score_matching                    an objective: terms and cotangents from local quantities
    refsm.objectives.denoising                         Vincent's denoising score matching ...
    refsm.objectives.denoising_autoencoder             ... and the autoencoder loss that it equals
    refsm.energies, refsm.objectives                   the other energies and objectives, one file each
    refsm.corruption, refsm.denoiser                   noise, and the denoiser that a score is
    refsm.directions, refsm.expectations, refsm.enumeration      what makes an identity exact
    refsm.checks, refsm.descent, refsm.sampling        check a derivative, follow it down, walk along the score
    refsm.theorems                                     every identity as an executable statement
    refsm.verify                                       verify another implementation, and be told what is different

`refsm.verify` is a package and can be called: refsm.verify(implementation, objective).

Names below are loaded when first used, so `import refsm` costs what it uses.
"""
from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "energies.autoencoder": ["AutoencoderEnergy"],
    "energies.gaussian": ["Gaussian"],
    "energies.gaussian_bernoulli_rbm": ["GaussianBernoulliRBM"],
    "energies.mixture": ["GaussianMixture"],
    "energies.parzen": ["Parzen"],
    "energies.bernoulli_rbm": ["BernoulliRBM"],
    "energies.boltzmann_machine": ["BoltzmannMachine"],
    "objectives.score_matching": ["ExplicitScoreMatching", "ImplicitScoreMatching", "RegularizedScoreMatching"],
    "objectives.parzen_score_matching": ["ParzenExplicitScoreMatching", "ParzenImplicitScoreMatching"],
    "objectives.denoising": ["DenoisingScoreMatching"],
    "objectives.denoising_autoencoder": ["DenoisingAutoencoderLoss"],
    "objectives.sliced": ["SlicedScoreMatching"],
    "objectives.ratio_matching": ["RatioMatching"],
    "objectives.pseudo_likelihood": ["PseudoLikelihood"],
    "objectives.streamed": ["StreamedObjective"],
    "corruption": ["GaussianCorruption", "CovarianceCorruption", "ScaledCorruption"],
    "denoiser": ["tweedie", "tweedie_covariance"],
    "descent": ["gradient_descent", "minimize"],
    "sampling": ["ascend_score", "langevin"],
    "saving": ["load"],
    "checks": ["check_gradient", "check_jacobian", "check_model", "check_objective"],
    "verify": ["assert_conforms"],
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}
_ROOMS = ["verify", "data", "directions", "enumeration", "expectations", "theorems", "energies", "objectives", "stable", "activations", "validation", "quantities"]

__all__ = [*_MODULE, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _MODULE:
        value = getattr(importlib.import_module(f"refsm.{_MODULE[name]}"), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return importlib.import_module(f"refsm.{name}")
    raise AttributeError(f"module 'refsm' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
