"""The order of study: chapters, the rooms and demos of each, and what leads from one to the next.

This is the one list: `refsm study`, the first page of the book and its links to the next room read
it; the README's and the package's own shorter lists keep its order.
"""
from __future__ import annotations

import pathlib
from typing import NamedTuple

__all__ = ["CHAPTERS", "Chapter", "title_of"]

ROOT = pathlib.Path(__file__).parents[1]


class Chapter(NamedTuple):
    """A chapter: its title, the paragraph that leads to it, its rooms and its demos in order."""

    title: str
    text: str
    rooms: tuple[str, ...]
    demos: tuple[str, ...] = ()


CHAPTERS = (
    Chapter("An energy and its score", """\
An energy E gives the density exp(-E) / Z, and its score psi = -grad E does not contain Z. That is
the reason for score matching: scores can be compared where Z cannot be computed. The demo draws
both in one dimension; in the Gaussian each line can be computed by hand.""",
            ("energies/gaussian",), ("01_energy",)),
    Chapter("Score matching", """\
Now fit the score to data. The explicit loss compares two scores, but that of the data is unknown.
An integration by parts removes it and leaves the divergence of the model's score: the implicit
loss. They differ by a constant in expectation, and by more on a sample. The
first demo also has the losses of chapters 3, 4 and 6.""",
            ("objectives/score_matching",), ("02_objectives", "10_sample")),
    Chapter("Noise", """\
A sample has no score, but a sample in noise has one: that of its Parzen density. Denoising compares
the model with the score of the noise, which is known at each pair, and needs no second derivative;
its optimum is the score of the noisy density, and Tweedie's formula reads a denoiser from it.""",
            ("energies/parzen", "corruption", "objectives/denoising", "denoiser",
             "objectives/parzen_score_matching"), ("04_penguins", "17_small_noise")),
    Chapter("The denoising autoencoder", """\
A denoiser can also be trained directly, as an autoencoder with the squared error. For tied weights
there is an energy whose score is its reconstruction minus its input, over sigma^2. Then the two
losses are the same, up to the factor 2 sigma^4.""",
            ("objectives/denoising_autoencoder", "energies/autoencoder"),
            ("03_autoencoder", "05_digits")),
    Chapter("Cotangents and pullbacks", """\
Where do the gradients come from? An objective reads local quantities of an energy and returns a
cotangent on each; the energy pulls the cotangents back to its parameters. So each energy and each
objective is derived once. With this, read the pullbacks of the autoencoder energy, and write an
energy of your own. The last room computes functions whose textbook form loses digits.""",
            ("energies/energy", "objectives/objective", "quantities", "zero", "sums",
             "activations", "stable"), ("18_your_own",)),
    Chapter("Directions", """\
The divergence tr J is the mean of the curvature v'J v over random directions v with E[v v'] = I.
For a deep network it costs as much as d curvatures; one direction costs one, and gives an unbiased
estimate, whose variance depends on the choice of the directions.""",
            ("directions", "objectives/sliced"), ("06_slices",)),
    Chapter("Binary data", """\
There is no gradient at a binary point. Energy gaps take the place of the score: the energy with one
bit flipped, minus the energy. Z cancels in them too.""",
            ("energies/boltzmann_machine", "objectives/ratio_matching",
             "objectives/pseudo_likelihood", "objectives/minimum_probability_flow",
             "energies/bernoulli_rbm", "enumeration"), ("07_binary",)),
    Chapter("More energies", """\
The same contract holds for richer energies: Gaussian visible units, products of experts, energies
that are linear in their parameters, mixtures, and what noise makes of a density in closed form. On
positive data a weight that vanishes at the boundary keeps the integration by parts true.""",
            ("energies/gaussian_bernoulli_rbm", "energies/experts", "energies/polynomial",
             "energies/mixture", "energies/corrupted", "energies/corrupted_parzen",
             "objectives/generalized"), ("14_positive", "15_sources")),
    Chapter("Many noise levels", """\
Diffusion models denoise at many levels at once. Their losses are weighted sums of denoising losses,
and what their networks predict (noise, a clean point, a velocity) is linear in the score and the
noisy point.""",
            ("schedules", "objectives/multi_level", "predictions", "objectives/prediction"),
            ("12_diffusion", "13_levels")),
    Chapter("Minimising and sampling", """\
A value with its gradient can be minimised, and a score can be followed. For energies that are
linear in their parameters the minimum has a closed form; for the others it is found by descent.
Langevin steps, the probability flow and Gibbs sweeps go from the score or the gaps to samples.""",
            ("closed_forms", "fit/descent", "fit/scaling", "fit/barrier", "fit/rounds",
             "fit/newton", "fit/unbounded", "sampling", "annealed", "flow", "gibbs_sampling"),
            ("08_langevin", "11_dask")),
    Chapter("Proof", """\
Nothing above has to be taken on trust. Derivatives are measured with an error bound, expectations
are computed by quadrature or enumeration, and each statement is evaluated on both of its sides.""",
            ("checks/differences", "checks/probe", "checks/verdict", "checks/gradient",
             "checks/taylor", "checks/model", "checks/objective", "expectations",
             "theorems/statement", "theorems/denoising", "theorems/chain", "theorems/small_noise",
             "theorems/limits", "theorems/rounding"), ("16_checkers",)),
    Chapter("Another implementation", """\
The reference also shows what is different in somebody else's loss: its answers to many cases are
regressed on the terms of the reference, and the coefficients identify the convention or the
mistake.""",
            ("verify/objectives", "verify/denoisers", "verify/cases/models",
             "verify/cases/quantities", "verify/cases/derivatives", "verify/cases/reference",
             "verify/diagnosis/regression", "verify/diagnosis/scaling",
             "verify/diagnosis/scaling_fit", "verify/diagnosis/explanation",
             "verify/diagnosis/quadratic_form", "verify/diagnosis/gradients",
             "verify/mistakes/mistake", "verify/mistakes/residual", "verify/mistakes/weighted",
             "verify/mistakes/levels", "verify/mistakes/binary",
             "verify/own_noise/hypotheses", "verify/own_noise/replicates",
             "verify/own_noise/moments", "verify/own_gradient"), ("09_verify",)),
)


def title_of(name: str) -> str:
    """The title of a room, which is the first line of its file.

    >>> title_of("energies/gaussian")
    'The Gaussian energy: a quadratic, whose score is affine and whose score Jacobian is constant.'
    """
    with open(ROOT / f"{name}.py", encoding="utf-8") as file:
        return file.readline().strip().strip('"')
