"""What needs no formula of the project: complex steps, central differences, 60-digit decimals."""
from decimal import Context, Decimal, localcontext

import numpy as np

from refsm.quantities import QUANTITIES

H = 1e-30      # the complex step has no subtraction, so it may be as small as one likes
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640629")


def to_60_digits():
    """The context in which arithmetic of decimals has 60 digits."""
    return localcontext(Context(prec=60))


def decimals_of(f, a):
    """f of each entry of an array, as an array of decimals."""
    return np.vectorize(f, otypes=[object])(a)


def decimals(a):
    """The exact values of an array of floating-point numbers as decimals."""
    return decimals_of(Decimal, a)


def complex_step(f, x, u):
    """The slope of an analytic function at x along u: Im f(x + i h u) / h."""
    return np.imag(f(x + 1j * H * u)) / H


def complex_gradient(f, x):
    """Gradient of an analytic scalar function of an array, entry by entry: Im f(x + i h) / h."""
    x = np.asarray(x, dtype=float)
    out = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[index] += 1j * H
        out[index] = np.imag(f(moved)) / H
    return out


def complex_jacobian(f, x):
    """out[..., k] = d f(x)[...] / d x_k, (n, ..., d), for a function of points, row by row."""
    x = np.asarray(x, dtype=float)
    columns = []
    for k in range(x.shape[1]):
        moved = x.astype(complex)
        moved[:, k] += 1j * H
        columns.append(np.imag(f(moved)) / H)
    return np.stack(columns, axis=-1)


def central_gradient(f, x, step=1e-5):
    """Gradient by central differences with one Richardson level: the error is of order step^4."""
    x = np.asarray(x, dtype=float)
    out = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        def along(h):
            up, down = x.copy(), x.copy()
            up[index] += h
            down[index] -= h
            return (f(up) - f(down)) / (2 * h)
        out[index] = (4 * along(step / 2) - along(step)) / 3
    return out


def relative_gap(a, b):
    """max |a - b| / max |b|, over all entries."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape, (a.shape, b.shape)
    return float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), np.finfo(float).tiny))


def paired(model, x, cotangents):
    """sum over points of <cotangent, local quantity>, from the public names of an energy."""
    out = 0
    for name, cotangent in cotangents.items():
        if name == "curvature":
            v, w = cotangent
            out = out + np.sum(model.score_curvature(x, v) * w)
        else:
            out = out + np.sum(getattr(model, QUANTITIES[name].method)(x) * cotangent)
    return out


def pullback_gap(model, x, cotangents):
    """The largest relative gap, over the leaves of theta, between a pullback and complex steps.

    A leaf of zeros must be all zeros.
    """
    pulled = model.pullback(x, **cotangents)
    stepped = complex_gradient(lambda vector: paired(model.unravel(vector), x, cotangents),
                               model.ravel())
    stepped = [part.reshape(block.shape) for part,
               block in zip(np.split(stepped, np.cumsum([block.size for block in model.theta])),
                            model.theta)]
    return max(relative_gap(left, right) for left, right in zip(pulled, stepped))


def cotangents(n, d, M, seed=2):
    """One on each local quantity at n points of d dimensions, along M directions."""
    rng = np.random.default_rng(seed)
    return {"energy": rng.normal(size=n), "score": rng.normal(size=(n, d)),
            "divergence": rng.normal(size=n), "diagonal": rng.normal(size=(n, d)),
            "curvature": (rng.normal(size=(n, M, d)), rng.normal(size=(n, M)))}


def derivative_gaps(model, x, v):
    """The relative gap of each local quantity from complex steps of the energy and the score."""
    J = complex_jacobian(model.score, x)
    found = model.score_jacobian(x)
    return {"score": relative_gap(model.score(x), -complex_jacobian(model.energy, x)),
            "jacobian": relative_gap(found, J),
            "asymmetry": relative_gap(found, found.swapaxes(1, 2)),
            "divergence": relative_gap(model.score_divergence(x), np.trace(J, axis1=1, axis2=2)),
            "diagonal": relative_gap(model.score_jacobian_diagonal(x),
                                     np.diagonal(J, axis1=1, axis2=2)),
            "curvature": relative_gap(model.score_curvature(x, v),
                                      np.einsum("nri,nik,nrk->nr", v, J, v))}
