"""EDM's denoiser: what it is compared with, or which constants it has.

Symbols
    C groups, l levels of a group.
    sigma         (C, l)     the levels, with alpha = 1;  data_sd (C, 1), the deviation of the data
    p, r          (C, l)     the network is compared with p x + r noise
    P, R          (C, l)     the denoiser is compared with P x + R noise
    c_skip, c_out (C, l)     the denoiser is c_skip x_noisy + c_out output

Equations
    (1)  P = c_out p + c_skip,   R = c_out r + c_skip sigma
    (2)  c_out = 1 / (p - r / sigma),   c_skip = -r c_out / sigma

Derivation
    (1)  c_skip x_noisy + c_out (p x + r noise), with x_noisy = x + sigma noise and the right c_skip
         and c_out.
    (2)  (1) with P = 1 and R = 0, which is a denoiser that is compared with x, solved for them.

Conventions
    (1) and (2) are readings: a network that is compared with p x + r noise, a denoiser that is
    compared with P x + R noise, and one that is compared with x through other constants, have the
    same loss, the last one but for its weight.  The one that has a name is given.

Sources
    Karras et al., Elucidating the design space of diffusion-based generative models, NeurIPS 2022:
    c_skip and c_out.  Song et al., Consistency models, ICML 2023: c_out is 0 at sigma_min.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from refsm.typing import Array
from refsm.verify.diagnosis.level_formulas import Levels, Name, common, formula, within

__all__ = ["denoiser"]

OTHER_CONSTANTS = ("the denoiser with these constants learns the mean of the clean point, as it "
                   "should; with the right ones the same network is no denoiser")
# what may stand in their place, of sigma and data_sd
SKIPS: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("0", lambda s, t: 0.0), ("1", lambda s, t: 1.0),
    ("c_out", lambda s, t: s * t / np.sqrt(s**2 + t**2)),
    ("sigma^2 / (sigma^2 + data_sd^2)", lambda s, t: s**2 / (s**2 + t**2)),
    ("1 / the right one", lambda s, t: (s**2 + t**2) / t**2),
    ("minus the right one", lambda s, t: -t**2 / (s**2 + t**2)),
    ("data_sd / (sigma^2 + data_sd^2), without a square", lambda s, t: t / (s**2 + t**2)),
    ("data_sd / (sigma + data_sd), without the squares", lambda s, t: t / (s + t)))
OUTS: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("1", lambda s, t: 1.0), ("sigma", lambda s, t: s),
    ("1 / c_out", lambda s, t: np.sqrt(s**2 + t**2) / (s * t)),
    ("c_skip", lambda s, t: t**2 / (s**2 + t**2)),
    ("c_out^2", lambda s, t: (s * t)**2 / (s**2 + t**2)),
    ("sigma data_sd / (sigma^2 + data_sd^2), without the square root",
     lambda s, t: s * t / (s**2 + t**2)),
    ("1 / sqrt(sigma^2 + data_sd^2), which is c_in", lambda s, t: 1 / np.sqrt(s**2 + t**2)),
    ("sigma / sqrt(sigma^2 + data_sd^2), without data_sd", lambda s, t: s / np.sqrt(s**2 + t**2)))
# a constant that they have with another data_sd, or with a sigma_min: it is solved for
SKIP_SOLVED: tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...] = (
    ("data_sd = ", lambda c, s, t: s * np.sqrt(c / (1 - c))),
    ("a consistency model with sigma_min = ", lambda c, s, t: s - t * np.sqrt(1 / c - 1)))
OUT_SOLVED: tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...] = (
    ("data_sd = ", lambda c, s, t: 1 / np.sqrt(1 / c**2 - 1 / s**2)),
    ("a consistency model with sigma_min = ", lambda c, s, t: s - c * np.sqrt(s**2 + t**2) / t))


def denoiser(pr: Array, bound: Array, levels: Levels) -> Name | None:
    """What EDM's denoiser is compared with, or its constants."""
    (p, r), (_, sigma, data_sd) = pr, levels
    skip = data_sd**2 / (sigma**2 + data_sd**2)
    out = sigma * data_sd / np.sqrt(sigma**2 + data_sd**2)
    P, R = out * p + skip, out * r + skip * sigma                             # (C, l)  (1)
    if within(np.array([P, R]), out * bound, 1, skip * sigma):
        return Name("c_skip multiplies x, not x_noisy")
    compared = formula(np.array([P, R]), out * bound, levels, levels[:2])
    if compared is not None:
        return Name(compared.words.replace("compared", "the denoiser is compared", 1))
    c_out = 1 / (p - r / sigma)                                               # (C, l)  (2)
    c_skip = -r * c_out / sigma                                               # (C, l)  (2)
    out_error = c_out**2 * (bound[0] + bound[1] / sigma)
    skip_error = (np.abs(c_out) * bound[1] + np.abs(r) * out_error) / sigma
    said = [_constant("c_skip", c_skip, skip_error, skip, SKIPS, SKIP_SOLVED, levels),
            _constant("c_out", c_out, out_error, out, OUTS, OUT_SOLVED, levels)]
    if not np.isfinite(c_skip).all() or said.count(None) == 2:
        return None
    for k, (name, c) in enumerate((("c_skip", c_skip), ("c_out", c_out))):
        if said[k] is None:
            group = "" if np.ptp(data_sd) == 0 else f" with data_sd = {data_sd[0, 0]:g}"
            said[k] = f"{name} is " + ", ".join(
                f"{value:.4g} at sigma = {s:.4g}" for s, value in sorted(zip(sigma[0], c[0]))
            ) + group
    words = ", ".join(filter(None, said))
    if words == "c_skip is c_out, c_out is c_skip":
        words = "c_skip and c_out are exchanged"
    times = (out / c_out)**2
    return Name(words, OTHER_CONSTANTS, times, 2 * times * out_error / np.abs(c_out))


def _constant(name: str, c: Array, error: Array, right: Array, known: tuple, solved: tuple,
              levels: Levels) -> str | None:
    """What a constant is, "" for right; None where it has no name."""
    _, sigma, data_sd = levels
    if (np.abs(c - right) <= error).all():
        return ""
    for words, f in known:
        if (np.abs(c - f(sigma, data_sd)) <= error).all():
            return f"{name} is {words}"
    for words, f in solved:
        ends = np.array([f(c + k * error, sigma, data_sd) for k in (-1, 0, 1)])
        number = common(ends[1], np.abs(ends - ends[1]).max(axis=0))
        if number is not None and np.isfinite(number):
            return f"{name} is that of {words}{number:.3g}"
    return None
