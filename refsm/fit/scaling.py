"""The scale of each parameter: the change that moves the model's score as much as any other does.

A mean in millimetres and a precision in 1 / mm^2 differ by orders of magnitude, in size and in the
curvature of J.  In units of their scales they are alike, whatever the units of the data.

Symbols
    J                the objective;  theta (N,) the parameters, as one vector
    x      (n, d)    its points, of weights w (n,)
    q      (n, d)    the model's score at x; its energy gap, where the points are binary
    leaf             one of the arrays that theta consists of
    z                random signs, of the shape of q in (1) and of theta in (3)
    D      (N,)      scales
    size   number    the length of q
    g      (N,)      gradient of J,  H (N, N) its Hessian
    h      number    mean curvature of J along the scaled parameters
    Q      (m, N)    directions in scaled parameters, q (N,) one of them;  T (m, m) curvatures
    t      number    a step of differences;  length (number) is |u / D| / size

Equations
    (1)  D_k        = ( sum_ni |w_n| (d q_ni / d theta_k)^2 )^(-1/2)
                    = ( mean over z of pullback(q = sqrt|w| z)_k^2 )^(-1/2)
    (2)  size       = ( sum_ni |w_n| q_ni^2 )^(1/2)
    (3)  h          = | mean over z of (D z)'H (D z) / N |,  1 where that is 0 or not finite
    (4)  H u        = ( g(theta + t u) - g(theta - t u) ) / (2 t),  t = eps^(1/3) / length
    (5)  |g|_scaled = |D g| / (h size)
    (6)  Q_next     = Q and one more row, D H D q - Q'Q (D H D) q scaled to length 1, q the last one
    (7)  T          = Q (D H D) Q'

Derivation
    (1)  pullback(c)_k = sum_ni c_ni d q_ni / d theta_k.  Signs have E[z_ni z_mj] = 1 where the two
         are the same and 0 elsewhere, so the mean of the square keeps the squares alone.  1 / D_k^2
         is the diagonal of the Gauss-Newton matrix of sum_n w_n |q - target|^2 / 2.
    (3)  E[z'A z] = tr A: h is the mean eigenvalue of the Hessian in scaled parameters, in size.
    (5)  D g / h is the step, in scaled parameters, to the minimum of a quadratic with the curvature
         h in every direction: (5) is about the change of q by it, relative to q.  It does not
         change with the units of x, of theta or of J.
    (7)  The rows of Q are orthonormal, so y'T y is a curvature of J for every y of length 1: the
         least eigenvalue is one, and by (6) soon near the least of all (Lanczos).

Conventions
    Within a leaf no scale is more than WIDEST times the least: the parameters of a hidden unit that
    is off move no score now, and would take steps that leave it off for good.  In D_wide the ratio
    is WIDE.  Where the objective has no points or the model no pullback, q is theta and D is 1.
    SCALE_PROBES random signs give (1) to some 20 %, which is enough: a scale changes the path of a
    fit, not its minima; of several it may find another.

Sources
    Hutchinson, A stochastic estimator of the trace of the influence matrix, Commun. Stat. Simul.
    19 (1990): (3).  Bekas, Kokiopoulou & Saad, Appl. Numer. Math. 57 (2007): diagonals.
    Lanczos, J. Res. NBS 45 (1950): (6), (7).
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from refsm.quantities import QUANTITIES
from refsm.typing import Array
from refsm.validation import symmetric_part

__all__ = ["Scaling", "parameter_scales", "leaves", "hessian_along", "least_curvature",
           "power_of_2"]

SCALE_PROBES = 12
CURVATURE_PROBES = 3
LANCZOS_STEPS = 10
WIDEST, WIDE = 100, 1e6  # ratios of two scales of one leaf
EPS = float(np.finfo(float).eps)


def leaves(model: Any) -> list[slice]:
    """Which part of theta (N,) each leaf is."""
    ends = np.cumsum([0, *map(np.size, model.theta)])
    return [slice(*pair) for pair in zip(ends[:-1], ends[1:])]


def parameter_scales(J: Any, model: Any) -> tuple[Array, Array, float]:
    """D (N,) and D_wide (N,), equation (1), and size, equation (2).

    The scale of a Gaussian's mean is 1 / P: a change by it moves the score P (mean - x) by 1.

    >>> from refsm import Gaussian, ImplicitScoreMatching
    >>> J = ImplicitScoreMatching([[3.0]])
    >>> parameter_scales(J, Gaussian([1.0], [[4.0]]))[::2]     # and that of P is 1 / |mean - x|
    (array([0.25, 0.5 ]), 8.0)
    """
    theta = model.ravel()
    name = next((name for name in ("score", "gap") if name in getattr(model, "quantities", ())), "")
    if not name or getattr(J, "points", None) is None or getattr(J, "weights", None) is None:
        return np.ones(theta.shape), np.ones(theta.shape), float(np.linalg.norm(theta))
    rng, x = np.random.default_rng(0), J.points
    root_w = np.sqrt(abs(np.asarray(J.weights, dtype=float)))[:, None]
    squares = np.zeros(theta.shape)
    for _ in range(SCALE_PROBES):
        z = rng.choice([-1.0, 1.0], size=x.shape)
        squares += model.ravel(model.pullback(x, **{name: root_w * z})) ** 2 / SCALE_PROBES
    norm = np.sqrt(np.where(np.isfinite(squares), squares, 0.0))
    D = np.empty((2, theta.size))
    for part in leaves(model):
        least = [norm[part].max() / widest or norm.max() or 1.0 for widest in (WIDEST, WIDE)]
        D[:, part] = 1 / np.maximum(norm[part], np.c_[least])                       # (2, k)  (1)
    q = getattr(model, QUANTITIES[name].method)(x)
    return D[0], D[1], float(np.linalg.norm(root_w * q))                              # ()  (2)


def hessian_along(g: Callable[[Array], Array], theta: Array, u: Array, length: float) -> Array:
    """H u (N,), equation (4), for a direction with |u / D| = length size."""
    t = EPS ** (1 / 3) / length                                                       # ()  (4)
    return (g(theta + t * u) - g(theta - t * u)) / (2 * t)                            # (N,)  (4)


def least_curvature(g: Callable[[Array], Array], theta: Array, D: Array, size: float) -> float:
    """The least eigenvalue of T, equation (7): negative at a saddle."""
    p = q = np.random.default_rng(0).standard_normal(theta.shape) * (D > 0)
    Q, products = np.zeros((0, len(D))), np.zeros((0, len(D)))
    while len(Q) < LANCZOS_STEPS and np.linalg.norm(q) > 1e-6 * np.linalg.norm(p):
        Q = np.vstack([Q, q / np.linalg.norm(q)])                                     # (m, N)  (6)
        p = D * hessian_along(g, theta, D * Q[-1], 1 / size)
        products = np.vstack([products, p])
        q = p - Q.T @ (Q @ p)                                                         # (N,)  (6)
    T = Q @ products.T                                                                # (m, m)  (7)
    return float(min(np.linalg.eigvalsh(symmetric_part(T)), default=0.0))


class Scaling:
    """Scales, size and curvature at one model."""

    def __init__(self, J: Any, model: Any, gradient: Callable[[Array], Array]) -> None:
        self.D, self.D_wide, size = parameter_scales(J, model)
        self.size = size or 1.0
        self.h = self._curvature(gradient, model.ravel())

    def _curvature(self, gradient: Callable[[Array], Array], theta: Array) -> float:
        rng, D = np.random.default_rng(0), self.D
        h = 0.0
        for _ in range(CURVATURE_PROBES):
            z = rng.choice([-1.0, 1.0], size=theta.shape)
            try:
                Hz = hessian_along(gradient, theta, D * z, np.sqrt(len(z)) / self.size)
            except (ValueError, ArithmeticError, np.linalg.LinAlgError):              # refused
                continue
            h += (D * z) @ Hz / len(z) / CURVATURE_PROBES                             # ()  (3)
        return abs(h) if np.isfinite(h) and h != 0 else 1.0

    def gradient_size(self, g: Array) -> float:
        """The scaled gradient, equation (5)."""
        return float(np.linalg.norm(self.D * g)) / (self.h * self.size)               # ()  (5)


def power_of_2(number: Any) -> Any:
    """The next power of 2 below."""
    return 2.0 ** np.floor(np.log2(number))
