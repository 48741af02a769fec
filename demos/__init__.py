"""Demos: each a claim in formulas, its story, a table, a picture, and asserts that check the claim.

    python -m demos.01_slopes        slopes and curvature of an energy; what a derivative checker can see, and what not
    python -m demos.02_objectives    six objectives along one parameter: one minimiser, constants in between
    python -m demos.03_autoencoder   denoising score matching is a denoising autoencoder, and five ways to break that
    python -m demos.04_penguins      a score field on real data of two dimensions, beside the Parzen field
    python -m demos.05_digits        denoising digits: one Tweedie step, a walk along the score, the Parzen optimum
    python -m demos.06_slices        sliced score matching: variance against number and kind of directions
    python -m demos.07_binary        binary digits: ratio matching, pseudo-likelihood and exact likelihood
    python -m demos.08_langevin      Langevin samples, and the bias of the step
    python -m demos.09_verify        verify your own loss: planted mistakes and their diagnosis
    python -m demos.10_sample        why explicit and implicit losses differ on a sample and agree in expectation
    python -m demos.11_dask          many machines: a descent over Dask blocks, with the numbers of one machine
    python -m demos.benchmark        not a claim but a measurement: times as multiples of bare matrix products, beside torch and JAX

Run them from the folder that contains `demos`.  Each is a percent script: editors and Jupytext open it as a notebook.  With
Matplotlib (pip install refsm[plot]) the picture goes to figures/NAME.png, or to the file that --figure names.
"""
