"""The name of a target, from what it is of the clean point and the noise at each level.

Symbols
    C groups, l levels of a group.
    alpha, sigma  (C, l)     the levels;  data_sd (C, 1), the deviation of the data
    x, noise, x_noisy        of a point: x_noisy = alpha x + sigma noise
    p, r          (C, l)     the target is p x + r noise
    q, t          (C, l)     the same target in x and x_noisy, or in x_noisy and noise
    P, R          (C, l)     the denoiser of EDM is compared with P x + R noise
    c_skip, c_out (C, l)     the denoiser is c_skip x_noisy + c_out output
    m             (C, l)     the multiple of the right target p0 x + r0 noise that comes nearest

Equations
    (1)  p x + r noise = q x + t x_noisy:       t = r / sigma,  q = p - alpha t
    (2)  p x + r noise = q x_noisy + t noise:   q = p / alpha,  t = r - sigma q
    (3)  m = (p p0 + r r0) / (p0^2 + r0^2)
    (4)  P = c_out p + c_skip,   R = c_out r + c_skip sigma
    (5)  c_out = 1 / (p - r / sigma),   c_skip = -r c_out / sigma

Derivation
    (1), (2)  put x_noisy in and compare the coefficients.
    (4)  c_skip x_noisy + c_out (p x + r noise), with alpha = 1 and the right c_skip and c_out.
    (5)  (4) with P = 1 and R = 0, which is a denoiser that is compared with x, solved for them.

Conventions
    A name is given only where it holds at every level within the error.  A formula is one of powers
    of alpha and sigma.  (5) is a reading: a network that is compared with p x + r noise, and one
    that is compared with x through other constants, have the same loss but for its weight.

Sources
    Karras et al., Elucidating the design space of diffusion-based generative models, NeurIPS 2022:
    c_skip and c_out.  Song et al., Consistency models, ICML 2023: those that vanish at sigma_min.
"""
from __future__ import annotations

from itertools import product
from typing import Any, Callable, Iterator, NamedTuple

import numpy as np

from refsm.typing import Array
from refsm.verify.denoisers import KINDS, TARGETS, target_in_noise
from refsm.verify.diagnosis.scaling import Scaling, scaling_in_words
from refsm.verify.diagnosis.scaling_fit import fit_scaling

__all__ = ["PROCESSES", "Name", "common", "level_in_words", "name_of_target", "other_levels",
           "power_of_levels"]

Levels = tuple[Array, Array, Array]


class Name(NamedTuple):
    """The target in words, "" for the right one; the process for which it is right, "" for none;
    and what the weight is to be multiplied by, to be that of the denoiser, with its error."""

    words: str
    where: str = ""
    times: Array | float = 1.0
    times_error: Array | float = 0.0


# of what alpha and sigma satisfy: what is taken for one of them, and both as they are taken
PROCESSES: tuple[tuple[str, str, Callable[[Array, Array], tuple[Array, Array]]], ...] = (
    ("alpha^2 + sigma^2 = 1", ", with sqrt(1 - alpha^2) for sigma",
     lambda a, s: (a, np.sqrt(1 - a**2))),
    ("alpha + sigma = 1", ", with 1 - sigma for alpha", lambda a, s: (1 - s, s)),
    ("alpha + sigma = 1", ", with 1 - alpha for sigma", lambda a, s: (a, 1 - a)))


def other_levels(alpha: Array, sigma: Array) -> Iterator[tuple[str, Array, Array, str]]:
    """What may be taken for the levels, in words, and the process that has it so; the right ones
    first."""
    yield "", alpha, sigma, ""
    for which, step in (("next", -1), ("previous", 1)) if alpha.shape[1] > 1 else ():
        yield (f", at the {which} level of noise", np.roll(alpha, step, axis=1),
               np.roll(sigma, step, axis=1), "")
    if alpha.shape[1] > 1:
        yield ", at the levels in reverse order", alpha[:, ::-1], sigma[:, ::-1], ""
    if (alpha < 1).all():
        yield ", with alpha and sigma exchanged", sigma, alpha, ""
        for where, words, taken in PROCESSES:
            yield words, *taken(alpha, sigma), where


def name_of_target(own: str, pr: Array, bound: Array, levels: Levels) -> Name:
    """The name of the target pr = (p, r) (2, C, l), each known within its bound, in the place of
    the own kind of target."""
    with np.errstate(all="ignore"):
        found = (_known(own, pr, bound, levels) or _multiple(own, pr, bound, levels)
                 or (_denoiser(pr, bound, levels) if own == "edm" else None)
                 or _formula(own, pr, bound, levels))
    return found or _listed(pr, bound, levels)


def _known(own: str, pr: Array, bound: Array, levels: Levels) -> Name | None:
    """A target that has a name."""
    alpha, sigma, data_sd = levels
    for (taken, a, s, where), kind in product(other_levels(alpha, sigma), TARGETS):
        of_x, of_noisy, of_noise = TARGETS[kind](a, s, data_sd)
        for u, v in ((alpha, sigma), (a, s)):      # x_noisy as it is, or as that level has it
            p, r = np.broadcast_arrays(of_x + u * of_noisy, of_noise + v * of_noisy, alpha)[:2]
            target = f"the target of a predicted {KINDS.get(kind, kind)}{taken}"
            right = kind == own and not taken
            if _is(pr, bound, p, r):
                return Name("" if right else f"compared with {target}",
                            where if kind == own else "")
            if _is(pr, bound, -p, -r):
                return Name("the sign of the target" if right else f"compared with minus {target}")
    return None


def _is(pr: Array, bound: Array, p: Any, r: Any) -> bool:
    return bool((np.abs(pr[0] - p) <= bound[0]).all() and (np.abs(pr[1] - r) <= bound[1]).all())


def _multiple(own: str, pr: Array, bound: Array, levels: Levels) -> Name | None:
    """A multiple of the right target."""
    alpha, sigma, data_sd = levels
    right = np.stack(np.broadcast_arrays(*target_in_noise(own, *levels), alpha)[:2])
    square = (right * right).sum(axis=0)
    m = (pr * right).sum(axis=0) / square                                     # (C, l)  (3)
    if not _is(pr, bound, *(m * right)):
        return None
    error = bound.max(axis=0) / np.sqrt(square)
    sizes = [{"alpha": a, "sigma": s} for a, s in zip(alpha.flat, sigma.flat)]
    scaling = fit_scaling(m.ravel(), error.ravel(), sizes)
    if scaling is not None and not scaling.sums:
        return Name(f"the target is multiplied by {scaling_in_words(scaling)}")
    for where, total in (("alpha^2 + sigma^2 = 1", alpha**2 + sigma**2),
                         ("alpha + sigma = 1", alpha + sigma)):
        if (np.abs(m - total) <= error).all():
            return Name(f"the target is multiplied by {where.partition(' = ')[0]}", where)
    for words, power in (("sigma", 1), ("sigma^2", 2)):
        small = common(sigma**power * (1 / m - 1), sigma**power * error / m**2)
        if small is not None and small > 0:
            return Name(f"{words} + {small:.2g} in place of {words} in the target"
                        if own == "score" else
                        f"the target is multiplied by {words} / ({words} + {small:.2g})")
    if scaling is None:
        return None
    return Name(f"the target is multiplied by {scaling_in_words(scaling)}")


def power_of_levels(values: Array, error: Array, alpha: Array, sigma: Array,
                    more: list[dict[str, float]] | None = None) -> Scaling | None:
    """Powers of alpha and sigma, and of further sizes of each value, that the values are."""
    sizes = [{"alpha": float(a), "sigma": float(s), **of} for a, s, of in
             zip(alpha.flat, sigma.flat, more or [{}] * values.size)]
    scaling = fit_scaling(np.abs(values).ravel(), error.ravel(), [
        {name: abs(size) for name, size in of.items()} for of in sizes])
    if scaling is None or scaling.sums:
        return None
    signed = np.array([scaling(of) for of in sizes])          # 1 - sigma may be negative
    return next((Scaling(sign) * scaling for sign in (1.0, -1.0)
                 if (np.abs(values.ravel() - sign * signed) <= error.ravel()).all()), None)


def _formula(own: str, pr: Array, bound: Array, levels: Levels) -> Name | None:
    """Two of x, noise and x_noisy with powers of alpha and sigma: the plainest such formula."""
    alpha, sigma, _ = levels
    (p, r), (p_bound, r_bound) = pr, bound
    t, q = r / sigma, p / alpha
    pairs = ((("x", "noise"), (p, r), (p_bound, r_bound)),
             (("x", "x_noisy"), (p - alpha * t, t),                           # (C, l)  (1)
              (p_bound + alpha * r_bound / sigma, r_bound / sigma)),
             (("x_noisy", "noise"), (q, r - sigma * q),                       # (C, l)  (2)
              (p_bound / alpha, r_bound + sigma * p_bound / alpha)))
    for taken, a, s, where in other_levels(alpha, sigma):
        if taken and not where:
            continue
        found = []
        for names, values, errors in pairs:
            both = [scaling for of in zip(values, errors)
                    if (scaling := power_of_levels(*of, a, s)) is not None]
            if len(both) == 2:
                cost = sum(2 + of.complexity for of in both if not of.is_zero)
                found.append((cost, names, both))
        if found:
            _, names, both = min(found, key=lambda plain: plain[0])
            words = sorted((_product(scaling, name) for scaling, name in zip(both, names)
                            if not scaling.is_zero), key=lambda text: text.startswith("-"))
            text = " + ".join(words).replace("+ -", "- ") or "0"
            return Name(f"compared with {text}{taken}", _right_where(own, names, both, where))
    return None


def _product(scaling: Scaling, name: str) -> str:
    """A scaling times a name, as one would write it.

    >>> _product(Scaling(-1.0, (("sigma", -1.0),)), "x"), _product(Scaling(0.5), "noise")
    ('-x / sigma', 'noise / 2')
    """
    over, slash, under = scaling_in_words(scaling).partition(" / ")
    front = {"1": "", "-1": "-"}.get(over, f"{over} ")
    return f"{front}{name}{slash}{under}"


def _right_where(own: str, names: tuple[str, str], both: list[Any], taken: str) -> str:
    """The process, if any, for which a formula is the right target: that which is taken, if any."""
    if own == "edm":
        return ""
    s = np.array([0.3, 0.6, 0.8])
    for where, alpha in (("alpha^2 + sigma^2 = 1", np.sqrt(1 - s**2)),
                         ("alpha + sigma = 1", 1 - s)):
        if taken not in ("", where):
            continue
        first, second = (np.array([of({"alpha": a, "sigma": b}) for a, b in zip(alpha, s)])
                         for of in both)
        p, r = {("x", "noise"): (first, second),
                ("x", "x_noisy"): (first + alpha * second, s * second),
                ("x_noisy", "noise"): (alpha * first, second + s * first)}[names]
        if np.allclose(np.broadcast_arrays(*target_in_noise(own, alpha, s, 0.5), s)[:2], (p, r),
                       1e-9, 1e-9):
            return where
    return ""


# -- EDM's constants ------------------------------------------------------------------------------

# what may stand in their place, of sigma and data_sd
SKIPS: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("0", lambda s, t: 0 * s), ("1", lambda s, t: 1 + 0 * s),
    ("c_out", lambda s, t: s * t / np.sqrt(s**2 + t**2)),
    ("sigma^2 / (sigma^2 + data_sd^2)", lambda s, t: s**2 / (s**2 + t**2)),
    ("data_sd / (sigma + data_sd)", lambda s, t: t / (s + t)))
OUTS: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("1", lambda s, t: 1 + 0 * s), ("sigma", lambda s, t: s + 0 * t),
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


def _denoiser(pr: Array, bound: Array, levels: Levels) -> Name | None:
    """What EDM's denoiser is compared with, or its constants."""
    (p, r), (_, sigma, data_sd) = pr, levels
    skip = data_sd**2 / (sigma**2 + data_sd**2)
    out = sigma * data_sd / np.sqrt(sigma**2 + data_sd**2)
    P, R = out * p + skip, out * r + skip * sigma                             # (C, l)  (4)
    if _is(np.array([P, R]), out * bound, 1, skip * sigma):
        return Name("c_skip multiplies x, not x_noisy")
    compared = _formula("edm", np.array([P, R]), out * bound, levels)
    if compared is not None:
        return Name(compared.words.replace("compared", "the denoiser is compared", 1))
    c_out = 1 / (p - r / sigma)                                               # (C, l)  (5)
    c_skip = -r * c_out / sigma                                               # (C, l)  (5)
    out_error = c_out**2 * (bound[0] + bound[1] / sigma)
    skip_error = (np.abs(c_out) * bound[1] + np.abs(r) * out_error) / sigma
    said = [_constant("c_skip", c_skip, skip_error, skip, SKIPS, SKIP_SOLVED, levels),
            _constant("c_out", c_out, out_error, out, OUTS, OUT_SOLVED, levels)]
    if not np.isfinite(c_skip).all() or said.count(None) == 2:
        return None
    for k, (name, c) in enumerate((("c_skip", c_skip), ("c_out", c_out))):
        if said[k] is None:
            said[k] = f"{name} is " + ", ".join(
                f"{value:.4g} at sigma = {s:.4g}" for s, value in sorted(zip(sigma[0], c[0])))
    words = ", ".join(filter(None, said))
    if words == "c_skip is c_out, c_out is c_skip":
        words = "c_skip and c_out are exchanged"
    times = (out / c_out)**2
    return Name(words, "", times, 2 * times * out_error / np.abs(c_out))


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


# -- no name --------------------------------------------------------------------------------------

def _listed(pr: Array, bound: Array, levels: Levels) -> Name:
    """The combination at each level."""
    alpha, sigma, _ = levels
    every: dict[tuple[float, float], Array] = {}
    differ = False
    for of_group in zip(sigma, alpha, *pr, *bound):
        for s, a, *numbers in zip(*of_group):
            first = every.setdefault((s, a), np.array(numbers))
            differ |= bool((np.abs(first - numbers)[:2] > (first + numbers)[2:]).any())
    shown = {(s, a): every[s, a] for s, a in zip(sigma[0], alpha[0])} if differ else every
    listed = ", ".join(f"{_combined(*shown[s, a])} at {level_in_words(a, s)}"
                       for s, a in sorted(shown))
    return Name("compared with another combination of clean point and noise: "
                f"{listed}{', and others in the other groups of cases' if differ else ''}")


def _combined(p: float, r: float, p_bound: float, r_bound: float) -> str:
    """p x + r noise, as one would write it."""
    parts = [f"{value:.4g} {name}"
             for value, small, name in ((p, p_bound, "x"), (r, r_bound, "noise"))
             if abs(value) > small]
    return " + ".join(parts).replace("+ -", "- ") or "0"


def level_in_words(alpha: float, sigma: float) -> str:
    """A level in words."""
    return f"{'' if alpha == 1 else f'alpha = {alpha:.4g}, '}sigma = {sigma:.4g}"


def common(values: Array, error: Array) -> float | None:
    """The number that all values are, each within its error; None where there is none."""
    return float(values.mean()) if (values - error).max() <= (values + error).min() else None
