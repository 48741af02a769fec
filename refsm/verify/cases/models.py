"""The models of the cases, each in closed form and short enough to write again in any language.

Only energies, scores and score Jacobians are written; everything else follows.  The reference's
value comes from `refsm.energies`; these repeat them so that terms can be computed apart from it, at
other points, with complex parameters, and along one path of the gradient.

Symbols
    n points, i and k dimensions (d), j hidden units (m) or components.
    theta      dict     the parameters by name
    x          (n, d)   points, as rows
    sigma      number   the autoencoder's standard deviation; the other models have none
    psi        (n, d)   score, the gradient of log p
    J          (n, d, d)  its Jacobian, J_ik = d psi_i / d x_k
    energy     (n,)     E
    s          (n, m)   hidden units, sigmoid or tanh of the activation
    r          (n, m)   posterior weights of the components
    u          (n, m, d)  the score of each component
    gap        (n, d)   E(x with bit i flipped) - E(x)

Equations
    gaussian      mean (d,), precision (d, d)
    (1)  E = (x - mean)' precision (x - mean) / 2;  psi = -precision (x - mean);  J = -precision
    autoencoder   W (m, d), b (m,), c (d,), sigma;  s = sigmoid(W x + b)
    (2)  E = -( c.x - |x|^2 / 2 + sum_j softplus(W x + b)_j ) / sigma^2
    (3)  psi = (W' s + c - x) / sigma^2
    (4)  J = (W' diag(s (1 - s)) W - I) / sigma^2
    tanh          A (d, m), B (m, d), b (m,), c (d,);  s = tanh(B x + b)
    (5)  psi = A s + c
    (6)  J = A diag(1 - s^2) B, which is not symmetric: there is no energy
    mixture       weights (m,), means (m, d), scales (m,): isotropic components
    (7)  E = -log sum_j weights_j scales_j^-d exp(-|x - means_j|^2 / (2 scales_j^2))
    (8)  psi = sum_j r_j u_j,  u_j = (means_j - x) / scales_j^2,  r_j the share of j in the sum
    (9)  J = sum_j r_j (u_j u_j' - I / scales_j^2) - psi psi'
    boltzmann     W (d, d) symmetric with zero diagonal, b (d,);  x in {0, 1}^d
    (10) E = -x' W x / 2 - b.x
    rbm           W (m, d), b (m,), c (d,);  x in {0, 1}^d
    (11) E = -c.x - sum_j softplus(W x + b)_j
    corrupted     the parameters of the density of alpha x + sigma noise
    (12) gaussian: mean alpha mean,  precision (alpha^2 precision^-1 + sigma^2 I)^-1
    (13) mixture:  means alpha means,  scales sqrt(alpha^2 scales^2 + sigma^2)

Derivation
    (2) -> (3) -> (4)  psi = -grad E, softplus' = sigmoid, sigmoid' = s (1 - s).
    (5) -> (6)         tanh' = 1 - s^2; the columns of A are no multiples of the rows of B:
                       no energy has this score.
    (7) -> (8)         psi = grad log of a sum = sum_j r_j u_j, where u_j is the score of j.
    (12), (13)         means and covariances of a sum of independent variables.
    (8) -> (9)         d r_j / dx = r_j (u_j - psi);  d u_j / dx = -I / scales_j^2.

Conventions
    A model may be given its decoder's weights apart, as theta["decoder"] with the shape of W
    (autoencoder only): they are W itself unless a path of the gradient is followed alone.  Gaps are
    differences of energies, bit by bit.

Sources
    Vincent, A connection between score matching and denoising autoencoders, Neural Computation 23
    (2011), for (2) and (3).
"""
from __future__ import annotations

from typing import Callable, Mapping

import numpy as np

from refsm.stable import log_sum_exp, sigmoid, softplus
from refsm.typing import Array
from refsm.verify.description import BINARY, CONTINUOUS

__all__ = ["BINARY", "CONTINUOUS", "WITH_ENERGY", "corrupted", "energy", "gap", "jacobian",
           "local_quantities", "score"]

Theta = Mapping[str, Array]

WITH_ENERGY = ("autoencoder", "gaussian", "mixture", *BINARY)


def local_quantities(model: str, theta: Theta,
                     sigma: float = 1.0) -> dict[str, Callable[..., Array]]:
    """The local quantities that a model has, as functions of points, named as in
    `refsm.quantities`.

    >>> list(local_quantities("rbm", {}))
    ['energy', 'gap']
    """
    def E(x: Array) -> Array:
        return energy(model, theta, x, sigma)

    if model in BINARY:
        return {"energy": E, "gap": lambda x: gap(model, theta, x)}

    def J(x: Array) -> Array:
        return jacobian(model, theta, x, sigma)

    return {**({"energy": E} if model in WITH_ENERGY else {}),
            "score": lambda x: score(model, theta, x, sigma), "jacobian": J,
            "divergence": lambda x: np.einsum("nii->n", J(x)),
            "diagonal": lambda x: np.einsum("nii->ni", J(x)),
            "curvature": lambda x, v: np.einsum("n...i,nik,n...k->n...", v, J(x), v)}


def energy(model: str, theta: Theta, x: Array, sigma: float = 1.0) -> Array:
    """E(x) up to a constant, (n,), of a model that has one.

    >>> theta = {"W": np.zeros((3, 3)), "b": np.array([1., 2., 4.])}
    >>> energy("boltzmann", theta, np.array([[1., 0., 1.]]))
    array([-5.])
    """
    if model == "gaussian":
        u = x - theta["mean"]
        return (u @ theta["precision"] * u).sum(axis=1) / 2                   # (n,)  (1)
    if model == "autoencoder":
        hidden = softplus(x @ theta["W"].T + theta["b"]).sum(axis=1)
        return -(x @ theta["c"] - (x * x).sum(axis=1) / 2 + hidden) / sigma**2     # (n,)  (2)
    if model == "mixture":
        return -log_sum_exp(_log_components(theta, x))                        # (n,)  (7)
    if model == "boltzmann":
        return -(x @ theta["W"] * x).sum(axis=1) / 2 - x @ theta["b"]         # (n,)  (10)
    hidden = softplus(x @ theta["W"].T + theta["b"]).sum(axis=1)
    return -x @ theta["c"] - hidden                                           # (n,)  (11)


def score(model: str, theta: Theta, x: Array, sigma: float = 1.0) -> Array:
    """psi(x), (n, d), of a continuous model; x may have more axes in front.

    >>> theta = {"mean": np.zeros(2), "precision": 2 * np.eye(2)}
    >>> score("gaussian", theta, np.array([[1., 3.]]))
    array([[-2., -6.]])
    """
    if model == "gaussian":
        return -(x - theta["mean"]) @ theta["precision"]                      # (n, d)  (1)
    if model == "autoencoder":
        s = sigmoid(x @ theta["W"].T + theta["b"])
        decoder = theta.get("decoder", theta["W"])
        return (s @ decoder + theta["c"] - x) / sigma**2                      # (n, d)  (3)
    if model == "tanh":
        s = np.tanh(x @ theta["B"].T + theta["b"])
        return s @ theta["A"].T + theta["c"]                                  # (n, d)  (5)
    r, u = _shares_and_scores(theta, x)
    return np.einsum("...j,...ji->...i", r, u)                                # (n, d)  (8)


def jacobian(model: str, theta: Theta, x: Array, sigma: float = 1.0) -> Array:
    """J_ik = d psi_i / d x_k, (n, d, d), of a continuous model."""
    n, d = x.shape
    if model == "gaussian":
        return np.broadcast_to(-theta["precision"], (n, d, d))                # (n, d, d)  (1)
    if model == "autoencoder":
        W, decoder = theta["W"], theta.get("decoder", theta["W"])
        s = sigmoid(x @ W.T + theta["b"])
        J = np.einsum("ji,nj,jk->nik", decoder, s * (1 - s), W)
        return (J - np.eye(d)) / sigma**2                                     # (n, d, d)  (4)
    if model == "tanh":
        s = np.tanh(x @ theta["B"].T + theta["b"])
        return np.einsum("ij,nj,jk->nik", theta["A"], 1 - s * s, theta["B"])       # (n, d, d)  (6)
    r, u = _shares_and_scores(theta, x)
    psi = np.einsum("nj,nji->ni", r, u)
    narrow = (r / theta["scales"]**2).sum(axis=1)[:, None, None] * np.eye(d)
    outer = psi[:, :, None] * psi[:, None, :]
    return np.einsum("nj,nji,njk->nik", r, u, u) - narrow - outer             # (n, d, d)  (9)


def corrupted(model: str, theta: Theta, alpha: float, sigma: float) -> Theta:
    """The parameters of the density of alpha x + sigma noise, for the gaussian and the mixture."""
    if model == "gaussian":
        covariance = np.linalg.inv(theta["precision"])
        noisy = alpha**2 * covariance + sigma**2 * np.eye(len(covariance))
        return {"mean": alpha * theta["mean"], "precision": np.linalg.inv(noisy)}     # (12)
    scales = np.sqrt(alpha**2 * theta["scales"]**2 + sigma**2)                # (m,)  (13)
    return {**theta, "means": alpha * theta["means"], "scales": scales}


def gap(model: str, theta: Theta, x: Array, here: Theta | None = None) -> Array:
    """gap_i = E(x with bit i flipped) - E(x), (n, d), one flipped copy of the points per bit.

    `here` are the parameters of the second energy, where the two are followed apart.
    """
    columns = []
    for i in range(x.shape[1]):
        flipped = x.copy()
        flipped[:, i] = 1 - flipped[:, i]
        at_x = energy(model, theta if here is None else here, x)
        columns.append(energy(model, theta, flipped) - at_x)
    return np.stack(columns, axis=1)


def _log_components(theta: Theta, x: Array) -> Array:
    """(n, m), the logarithm of each summand of (7)."""
    apart = x[..., None, :] - theta["means"]
    exponents = (apart * apart).sum(axis=-1) / (2 * theta["scales"]**2)
    return np.log(theta["weights"]) - x.shape[-1] * np.log(theta["scales"]) - exponents


def _shares_and_scores(theta: Theta, x: Array) -> tuple[Array, Array]:
    """r (n, m) and u (n, m, d)."""
    logs = _log_components(theta, x)
    r = np.exp(logs - log_sum_exp(logs)[..., None])
    return r, (theta["means"] - x[..., None, :]) / theta["scales"][:, None]**2
