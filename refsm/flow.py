"""The probability flow: an ordinary differential equation between data and noise.

Symbols
    n points, i dimensions (d), l levels (L).
    x         (n, d)   points of a level
    alpha     number   > 0, what a clean point is scaled by at a level
    sigma     number   standard deviation of its noise
    y         (n, d)   x / alpha
    s         number   sigma / alpha
    q_s                the density of y at the noise s, a corruption of the model with that sigma
    psi       (n, d)   its score, whose Jacobian is J
    change    (n,)     log of q_s at the moving point, minus its value at the start

Equations
    (1)  y = x / alpha,  s = sigma / alpha,  y = clean point + s eps
    (2)  dy/ds = -s psi(y; s)
    (3)  d change / ds = s tr J(y; s)
    (4)  log density of x = log q_s(y) - d log alpha

Derivation
    -> (1)       x = alpha clean + sigma eps, divided by alpha: every isotropic corruption is one
                 without scaling, of another sigma.  So the way from one level to another depends
                 on their s alone, not on the schedule between them.
    -> (2)       With t = s^2 the density obeys the heat equation dq/dt = 1/2 lap q = div(q psi) / 2
                 (statement 41), which is the continuity equation dq/dt + div(q f) = 0 of the
                 velocity f = -psi / 2: points that move by dy/dt = f have the density q at every t
                 if they have it at one.
                 dt = 2 s ds.
    (2) -> (3)   along a moving point d log q / dt = -div f = tr J / 2 by the continuity equation.
    -> (4)       change of variables x = alpha y.

Conventions
    The flow has the densities of the diffusion at every level, and not its paths.  In time t = s^2
    it is dy/dt = -psi / 2; Song et al. (2021) write it for any schedule, dx/dt = f - g^2 psi / 2.
    The log density is anchored at the level of most noise, where it is read from the model, and
    carried along by (3).  With a learned score the same integral gives the likelihood of the flow.

Sources
    Song et al., Score-based generative modeling through stochastic differential equations, ICLR
    2021, section on the probability flow.  Chen, Rubanova, Bettencourt & Duvenaud, Neural ordinary
    differential equations, NeurIPS 2018: (3).
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

from refsm import predictions, validation
from refsm.corruption import Corruption, GaussianCorruption
from refsm.corruption import corruption as process
from refsm.typing import Array, ArrayLike

__all__ = ["Flow", "probability_flow"]


class Flow(NamedTuple):
    """Where points are at each level, and the log density there."""

    x: Array                 # (L, n, d)
    log_density: Array       # (L, n)


def probability_flow(model: Any, levels: Sequence[Corruption | float], x: ArrayLike, *,
                     rtol: float = 1e-9, atol: float = 1e-12) -> Flow:
    """The points x (n, d) of levels[0], carried to every other level without noise, equation (2).

    `model` is the density of the clean points (Gaussian, GaussianMixture or Parzen); a level is a
    number sigma, 0 for the clean points themselves, a GaussianCorruption or a ScaledCorruption.
    The tolerances are those of scipy.integrate.solve_ivp, for all points together.  ValueError or
    TypeError for bad arguments, RuntimeError where the solver gives up.  Source: Song et al.
    (2021).

    N(0, 9) in noise of standard deviation 4 is N(0, 25): the point 3 goes to 5.

    >>> from refsm.energies.gaussian import Gaussian
    >>> flow = probability_flow(Gaussian([0.0], [[1 / 9]]), [0.0, 4.0], [[3.0]])
    >>> flow.x.ravel().round(6), (flow.log_density[0] - flow.log_density[1]).round(6)
    (array([3., 5.]), array([0.510826]))
    """
    if not hasattr(model, "corrupted"):
        raise TypeError("model must be a density that can be corrupted, "
                        f"but it is of type {type(model).__name__}")
    if isinstance(levels, str) or not isinstance(levels, (Sequence, np.ndarray)) or len(levels) < 2:
        raise TypeError(f"levels must be a sequence of at least two levels, but it is {levels!r}")
    scales = [_scales(level) for level in levels]
    x = validation.points(x, "x", model.d)
    alpha, s = np.array([a for a, _ in scales]), np.array([sd / a for a, sd in scales])       # (1)
    rtol, atol = _tolerance(rtol, "rtol", 1e-13, 1), _tolerance(atol, "atol", 1e-100, 1e100)
    y, change = _carried(model, s, x / alpha[0], rtol, atol)             # (L, n, d), (L, n)
    noisiest = int(s.argmax())
    log_q = _density(model, s[noisiest]).log_density(y[noisiest])        # (n,)
    log_density = log_q + change - change[noisiest] - model.d * np.log(alpha)[:, None]        # (4)
    return Flow(alpha[:, None, None] * y, log_density)


def _carried(model: Any, s: Array, y: Array, rtol: float, atol: float) -> tuple[Array, Array]:
    """The points at each level, (L, n, d), and the change of their log density, (L, n)."""
    n, d = y.shape

    def velocity(s: float, state: Array) -> Array:
        y = state[:n * d].reshape(n, d)
        q_s = _density(model, s)
        psi = q_s.score(y)
        dy = -s * psi                                                    # (n, d)  (2)
        dchange = s * q_s.score_divergence(y)                            # (n,)  (3)
        return np.concatenate([dy.ravel(), dchange])

    states = [np.concatenate([y.ravel(), np.zeros(n)])]
    for start, end in zip(s[:-1], s[1:]):
        if start == end:
            states.append(states[-1])
            continue
        found = solve_ivp(velocity, (start, end), states[-1], method="DOP853", t_eval=[end],
                          rtol=rtol, atol=atol)
        if not found.success:
            raise RuntimeError(f"the flow from noise {start} to {end} must be integrated, "
                               f"but the solver gave up: {found.message}")
        states.append(found.y[:, -1])
    every = np.array(states)
    return every[:, :n * d].reshape(-1, n, d), every[:, n * d:]


def _tolerance(value: object, name: str, least: float, most: float) -> float:
    """A tolerance that the solver takes as it is."""
    number = validation.positive(value, name)
    if not least <= number <= most:
        raise ValueError(f"{name} must be between {least:g} and {most:g}, but it is {number}")
    return number


def _density(model: Any, s: float) -> Any:
    """q_s, the model in noise of standard deviation s: the model itself where s is 0."""
    return model if s < validation.SMALLEST_SCALE else model.corrupted(GaussianCorruption(float(s)))


def _scales(level: Corruption | float) -> tuple[float, float]:
    """alpha and sigma of a level."""
    if isinstance(level, (int, float, np.generic)) and level == 0:
        return 1.0, 0.0
    alpha, sigma = predictions.scales(process(level))
    return float(alpha), float(sigma)
