"""One energy of each continuous kind, for tests of objectives."""
import numpy as np

from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.gaussian import Gaussian
from refsm.energies.gaussian_bernoulli_rbm import GaussianBernoulliRBM
from refsm.energies.mixture import GaussianMixture

D, M = 3, 5          # visible dimensions, hidden units


def energies(d=D, seed=1):
    rng = np.random.default_rng(seed)
    W, b, c = rng.standard_normal((M, d)), rng.standard_normal(M), rng.standard_normal(d)
    A = rng.standard_normal((d, d)) / 3
    return [
        AutoencoderEnergy(W, b, c, sigma=0.61),
        GaussianBernoulliRBM(W, b, c, rng.standard_normal(d) / 4),
        Gaussian(rng.standard_normal(d), A @ A.T + np.eye(d) / 2),
        GaussianMixture([0.4, 0.6], rng.standard_normal((2, d)),
                        np.stack([np.eye(d) / 2, np.eye(d) + A @ A.T]))
    ]
