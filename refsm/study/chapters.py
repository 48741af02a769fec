"""The order of study: chapters, the rooms of each, and what leads from one to the next."""
from __future__ import annotations

from typing import NamedTuple

__all__ = ["CHAPTERS", "Chapter"]


class Chapter(NamedTuple):
    """A chapter: its title, the paragraph that leads to it, and its rooms in order."""

    title: str
    text: str
    rooms: tuple[str, ...]


CHAPTERS = (
    Chapter("Functions and quantities", """\
An energy E gives a density exp(-E) / Z, and its score psi = -grad E does not contain Z. That is the
reason for score matching: the score can be compared with data where Z cannot be computed. First the
ground: functions that keep their accuracy over the whole range, the activations with three
derivatives, and the table of local quantities that all energies and objectives share.""",
            ("stable", "activations", "quantities", "sums", "zero")),
    Chapter("Energies", """\
Each energy has closed forms for its score and its second derivatives, and pulls a cotangent on any
of them back to its parameters. Begin with the Gaussian, where each line can be computed by hand;
the autoencoder energy is the central example. Mixtures and Parzen densities are densities too,
and what noise makes of them is known exactly.""",
            ("energies/energy", "energies/gaussian", "energies/autoencoder",
             "energies/gaussian_bernoulli_rbm", "energies/experts", "energies/polynomial",
             "energies/mixture", "energies/parzen", "energies/corrupted",
             "energies/corrupted_parzen")),
    Chapter("Score matching", """\
An objective reads local quantities and returns a term for each point and the cotangents. The
explicit form compares scores; an integration by parts removes the unknown score of the data and
leaves the divergence. Projections on random directions make the divergence cheap.""",
            ("objectives/objective", "objectives/score_matching", "objectives/sliced",
             "directions", "objectives/generalized", "objectives/parzen_score_matching")),
    Chapter("Noise", """\
Noise makes the score of a sample well defined, and denoising needs no second derivative: the
conditional mean of a known target is the score of the noisy density. For the autoencoder energy it
is the loss of a denoising autoencoder, with one factor between them.""",
            ("corruption", "objectives/denoising", "objectives/denoising_autoencoder", "denoiser",
             "schedules", "objectives/multi_level", "predictions", "objectives/prediction")),
    Chapter("Binary data", """\
There is no gradient at a binary point. The differences of the energy to the neighbours with one bit
flipped take the place of the score, and Z cancels in them too.""",
            ("energies/bernoulli_rbm", "energies/boltzmann_machine", "objectives/ratio_matching",
             "objectives/pseudo_likelihood", "objectives/minimum_probability_flow",
             "enumeration")),
    Chapter("Minimising and sampling", """\
A value with its gradient can be minimised, and a score can be followed. Energies that are linear in
their parameters have their minimum in closed form; the others are descended. Langevin steps, the
probability flow and Gibbs sweeps go from the score or the gaps to samples.""",
            ("closed_forms", "fit/descent", "fit/minimization", "fit/scaling", "fit/barrier",
             "fit/newton", "fit/unbounded", "sampling", "annealed", "flow", "gibbs_sampling")),
    Chapter("Proof", """\
Nothing above has to be taken on trust. Derivatives are measured with an error bound, expectations
are computed by quadrature or enumeration, and each statement is evaluated on both of its sides.""",
            ("expectations", "checks/differences", "checks/probe", "checks/verdict",
             "checks/gradient", "checks/model", "theorems/statement", "theorems/denoising",
             "theorems/chain", "theorems/small_noise", "theorems/limits", "theorems/rounding")),
    Chapter("Another implementation", """\
The same numbers name what is different in somebody else's loss: answers to many cases are regressed
on the terms of the reference, and the coefficients say which convention or which mistake it is.""",
            ("verify/objectives", "verify/cases/models", "verify/cases/reference",
             "verify/diagnosis/regression", "verify/diagnosis/scaling",
             "verify/diagnosis/explanation", "verify/diagnosis/gradients",
             "verify/own_noise/hypotheses", "verify/own_noise/replicates")),
)
