"""Tweedie's formula: the score of the noisy density is a denoiser.

Symbols
    n points, i and k dimensions (d).
    x_noisy      (n, d)      noisy points
    alpha        number      what a clean point is scaled by
    C            (d, d)      covariance of the noise
    psi          (n, d)      score of the NOISY density at x_noisy
    J            (n, d, d)   its Jacobian

Equations
    (1)  x_noisy = alpha x + noise,  noise ~ N(0, C),  x ~ q                          [definition]
    (2)  q_noisy(x_noisy) = integral q(x) N(x_noisy; alpha x, C) dx                   [definition]
    (3)  E[x | x_noisy] = ( x_noisy + C psi ) / alpha,  psi = grad log q_noisy
    (4)  Cov[x | x_noisy] = ( C + C J C ) / alpha^2
    isotropic noise, C = sigma^2 I and alpha = 1
    (5)  E[x | x_noisy] = x_noisy + sigma^2 psi;
         Cov[x | x_noisy] = sigma^2 I + sigma^4 J                                   [statement 11]

Derivation
    (2) -> (3)  grad N(x_noisy; alpha x, C) = C^-1 (alpha x - x_noisy) N.  Under the integral, and
                divided by q_noisy:
                psi = integral C^-1 (alpha x - x_noisy) q(x) N(x_noisy; alpha x, C) dx / q_noisy
                    = C^-1 ( alpha E[x | x_noisy] - x_noisy ),
                because q(x) N / q_noisy = q(x | x_noisy) is Bayes' rule.  Solve for the mean.  No
                property of q is used: it may be discrete, and nothing of it but q_noisy need be
                known.
    -> (4)      Differentiate the mean once more.
                grad log q(x | x_noisy) = C^-1 (alpha x - x_noisy) - psi, with respect to x_noisy,
                                        = alpha C^-1 (x - E[x | x_noisy]) by (3).  Hence
                d E[x | x_noisy] / d x_noisy
                  = integral x q(x | x_noisy) [grad log q(x | x_noisy)]' dx
                  = alpha E[ x (x - E[x | x_noisy])' | x_noisy ] C^-1
                  = alpha Cov[x | x_noisy] C^-1.
                By (3) the left side is (I + C J) / alpha.  Multiply by C / alpha from the right.

Conventions
    psi is the score of the smoothed density q_noisy, not of q: a model trained by denoising score
    matching at the same noise estimates it, and the reconstruction of a denoising autoencoder that
    fits perfectly is (3).  Applied to a score of q itself the formula is no posterior mean.  With
    x_noisy / alpha as the observation, others write (3) with the noise sigma / alpha.

Sources
    Robbins, An empirical Bayes approach to statistics, Third Berkeley Symposium (1956), where the
    formula is credited to Tweedie.
    Miyasawa, An empirical Bayes estimator of the mean of a normal population, Bulletin of the
    International Statistical Institute 38 (1961): the mean.
    Efron, Tweedie's formula and selection bias, JASA 106 (2011): (5), mean and variance.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from refsm import validation
from refsm.corruption import Corruption
from refsm.corruption import corruption as process
from refsm.typing import Array, ArrayLike

__all__ = ["tweedie", "tweedie_covariance"]


def tweedie(density: Any, x_noisy: ArrayLike, corruption: Corruption | float) -> Array:
    """E[x | x_noisy] = ( x_noisy + C psi ) / alpha, shape (n, d), in the units of x, equation (3).

    density: the density of the NOISY points, or a model of it; its score is read at x_noisy (n, d).
    An (n, d) array is taken as that score, a network's output for example.  corruption: a process
    of `refsm.corruption`, or a number sigma > 0.  ValueError for shapes that disagree.
    Source: Robbins (1956), Miyasawa (1961).

    x ~ N(0, 1) in noise of variance 1 gives x_noisy ~ N(0, 2), and E[x | x_noisy] = x_noisy / 2:

    >>> from refsm.energies.gaussian import Gaussian
    >>> tweedie(Gaussian([0.0], [[0.5]]), [[3.0]], 1.0)
    array([[1.5]])
    """
    noise = process(corruption)
    x_noisy = validation.points(x_noisy, "x_noisy", noise.d)
    if hasattr(density, "score"):
        psi = density.score(x_noisy)
    else:
        psi = validation.array(density, "density", x_noisy.shape)
    return (x_noisy + noise.covariance_times(psi)) / noise.alpha           # (n, d)  (3)


def tweedie_covariance(density: Any, x_noisy: ArrayLike,
                       corruption: Corruption | float) -> Array:
    """Cov[x | x_noisy] = ( C + C J C ) / alpha^2, shape (n, d, d), in units of x squared, (4).

    As `tweedie`, with the score's Jacobian; an (n, d, d) array is taken as that Jacobian.  It is a
    covariance (no negative eigenvalue) where the density is one of noisy points; for a model it
    need not be one.  Source: Efron (2011).

    >>> from refsm.energies.gaussian import Gaussian
    >>> tweedie_covariance(Gaussian([0.0], [[0.5]]), [[3.0]], 1.0)
    array([[[0.5]]])
    """
    noise = process(corruption)
    x_noisy = validation.points(x_noisy, "x_noisy", noise.d)
    n, d = x_noisy.shape
    if hasattr(density, "score_jacobian"):
        J = density.score_jacobian(x_noisy)
    else:
        J = validation.array(density, "density", (n, d, d))
    C = noise.covariance_times(np.eye(d, dtype=J.dtype))
    return (C + C @ J @ C) / noise.alpha**2                                # (n, d, d)  (4)
