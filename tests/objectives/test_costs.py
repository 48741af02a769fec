"""The table of costs in the head of `refsm.objectives`: matrix products, counted."""
import re

import numpy as np
import pytest

import refsm
from refsm import objectives

N, D, M, R = 701, 31, 17, 6          # points, dimensions, hidden units, directions


class Counting(np.ndarray):
    """An array that counts the multiplications of the matrix products in which it takes part."""

    multiplications = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **others):
        inputs = [plain(one) for one in inputs]
        if out is not None:
            others["out"] = tuple(plain(one) for one in out)
        if ufunc is np.matmul:
            a, b = inputs
            Counting.multiplications += a.size * (b.shape[-1] if b.ndim > 1 else 1)
        return counted(getattr(ufunc, method)(*inputs, **others))

    def __array_function__(self, function, types, inputs, others):
        inputs = plain(inputs)
        if function is np.tensordot:
            a, b = inputs
            summed = np.prod([a.shape[i] for i in np.atleast_1d(others["axes"][0])])
            Counting.multiplications += a.size * b.size // summed
        if function is np.dot:
            a, b = inputs
            Counting.multiplications += a.size * b.size // len(b)
        return counted(function(*inputs, **others))


def plain(a):
    if isinstance(a, (list, tuple)):
        return type(a)(map(plain, a))
    return np.asarray(a) if isinstance(a, Counting) else a


def counted(a):
    return a.view(Counting) if isinstance(a, np.ndarray) else a


def rows():
    table = re.findall(r"^    (\S.*?)  +(\d(?: \+ M)?)  +(\d(?: \+ 2 M)?)  +1 forward",
                       objectives.__doc__, re.M)
    return {name: [eval(entry.replace("2 M", "2 * M"), {"M": R}) for entry in entries]
            for name, *entries in table}


def make(name):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, N, D))
    v = rng.standard_normal((N, R, D))
    return {"explicit": lambda: refsm.ExplicitScoreMatching(x, y),
            "implicit": lambda: refsm.ImplicitScoreMatching(x),
            "regularised": lambda: refsm.RegularizedScoreMatching(x, 0.3),
            "denoising": lambda: refsm.DenoisingScoreMatching(x, y, 0.37),
            "denoising autoencoder": lambda: refsm.DenoisingAutoencoderLoss(x, y),
            "sliced": lambda: refsm.SlicedScoreMatching(x, v)}[name]()


def test_the_table_has_six_rows():
    assert len(rows()) == 6


@pytest.mark.parametrize("name", rows())
def test_the_products_are_as_many_as_the_table_says(name):
    rng = np.random.default_rng(1)
    model = refsm.AutoencoderEnergy(rng.standard_normal((M, D)),
                                    np.zeros(M),
                                    np.zeros(D),
                                    sigma=0.6)
    model._set(W=np.array(model.W).view(Counting))
    J = make(name)
    for ask, products in zip((J.value, J.value_and_gradient), rows()[name]):
        Counting.multiplications = 0
        ask(model)
        # sums over rows and products with vectors are smaller by a factor of d or m at least
        assert products <= Counting.multiplications / (N * D * M) < products + 0.5
