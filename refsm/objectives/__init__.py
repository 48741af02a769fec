"""Objectives: one file, one family; `objective.py` is the contract that they share.

Read `score_matching` first (explicit and implicit, Hyvarinen 2005), then `denoising` and
`denoising_autoencoder` (Vincent 2011), which are equal up to a factor: statement 1 of
`refsm.theorems`.

What each estimates, and when to take it

    explicit      the score of q, where it is known: simulated data, or one model compared
                  with another.
    implicit      the score of q, where the divergence is cheap, as for the energies here.  q must
                  have no edge, the energy no kink, and the model must not be able to peak at the
                  points of the sample.
    regularised   as implicit, with a bias that bounds the loss: a rich model on few points.
    Parzen        the score of the smoothed data, with a target that is known: what denoising
                  score matching is in expectation, apart from a constant.
    denoising     the score of the smoothed data, for any q, with gaps, edges or single points; it
                  reads the score alone.
    sliced        the score of q, from the score and its slope along M directions: a network whose
                  divergence costs too much.  The conditions are those of implicit.
    generalised   the score of q on positive or bounded data, with a weight that is 0 at the edge.
    multi-level, prediction      denoising at many noise levels, and of a network's output.
    ratio, pseudo-likelihood, minimum probability flow     binary data: the probability of a point
                  beside those of its neighbours, which differ from it in one bit.

What each costs

    In matrix products (n, m) by (m, d), for the autoencoder energy with m hidden units; and in
    passes through a network that gives the score, with automatic differentiation.

                               value    value and gradient    through a network, for the value
    explicit                   2        5                     1 forward
    implicit                   2        5                     1 forward, d backward
    regularised                3        8                     1 forward, d backward
    denoising                  2        5                     1 forward
    denoising autoencoder      2        5                     1 forward
    sliced                     2 + M    5 + 2 M               1 forward, M backward

    The gradient of a network takes one more backward pass, through all of these.  Here the
    implicit loss costs no more than the denoising one, because the divergence of one hidden layer
    has a closed form; for a deep network it costs d times as much.  Parzen's explicit target takes
    two products (n, d) by (d, N) more, once, for N clean points.  All gaps of a Bernoulli RBM take
    n d m logarithms, those of a Boltzmann machine one product (n, d) by (d, d).
"""
