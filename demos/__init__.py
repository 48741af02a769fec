"""Demos: each a claim in formulas, a table, a picture, and asserts that check the claim.

    python -m demos.01_energy        a first lesson: an energy, its score, and the implicit loss
    python -m demos.02_objectives    six objectives along one parameter: one minimiser
    python -m demos.03_autoencoder   denoising score matching is a denoising autoencoder
    python -m demos.04_penguins      a trained score field on real data, beside the Parzen field
    python -m demos.05_digits        denoising digits: the trained energy against the best affine
    python -m demos.06_slices        sliced score matching: variance and number of directions
    python -m demos.07_binary        binary digits: ratio matching, pseudo-likelihood, likelihood
    python -m demos.08_langevin      Langevin samples, and the bias of the step
    python -m demos.09_verify        verify your own loss: planted mistakes and their diagnosis
    python -m demos.10_sample        explicit and implicit losses on a sample and in expectation
    python -m demos.11_dask          a descent over Dask blocks, with the numbers of one machine
    python -m demos.12_diffusion     a diffusion model with exact scores: flow and log density
    python -m demos.13_levels        a tied autoencoder at each of eight noise levels, and samples
    python -m demos.14_positive      positive data: what h does at the boundary
    python -m demos.15_sources       separating mixed sources
    python -m demos.16_checkers      what a derivative checker can see, and what not
    python -m demos.17_small_noise   bias of the smoothed score, variance of the loss
    python -m demos.18_your_own      an energy and an objective of your own, checked

Run them from the folder that contains `demos`.  Each is a percent script: editors and Jupytext open
it as a notebook.  With Matplotlib (pip install refsm[plot]) the picture goes to figures/NAME.png,
or to the file that --figure names.

`python -m demos.benchmark` is a measurement: times as multiples of bare matrix products, beside
PyTorch and JAX.
"""
