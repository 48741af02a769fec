"""Small machines and points of bits, for what is tested by enumeration."""
import numpy as np
import pytest

from refsm.energies.bernoulli_rbm import BernoulliRBM
from refsm.energies.boltzmann_machine import BoltzmannMachine

N, D, M = 7, 5, 6           # points, visible and hidden units
ROUNDED = 2**D * 2.0**-52   # a rounding of 1 for each of the 2^D points of a sum


def rbm(seed=0, d=D, m=M):
    rng = np.random.default_rng(seed)
    return BernoulliRBM(rng.normal(size=(m, d)), rng.normal(size=m), rng.normal(size=d))


def boltzmann(seed=0, d=D):
    rng = np.random.default_rng(seed)
    W = np.triu(rng.normal(size=(d, d)), k=1)
    return BoltzmannMachine(W + W.T, rng.normal(size=d))


each_machine = pytest.mark.parametrize("model", [rbm(), boltzmann()], ids=["rbm", "boltzmann"])


def data(seed=1, n=N, d=D):
    return np.random.default_rng(seed).integers(0, 2, size=(n, d)).astype(float)


def flipped(p, i):
    """The probabilities of all points with bit i flipped, the points in their order."""
    return p[np.arange(len(p)) ^ (len(p) >> (i + 1))]
