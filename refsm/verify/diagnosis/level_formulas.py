"""Formulas of a level: which powers of alpha and sigma, and which levels were taken.

Symbols
    C groups, l levels of a group.
    alpha, sigma  (C, l)     the levels
    x, noise, x_noisy        of a point: x_noisy = alpha x + sigma noise
    p, r          (C, l)     a target p x + r noise
    q, t          (C, l)     the same target in x and x_noisy, or in x_noisy and noise

Equations
    (1)  p x + r noise = q x + t x_noisy:       t = r / sigma,  q = p - alpha t
    (2)  p x + r noise = q x_noisy + t noise:   q = p / alpha,  t = r - sigma q

Derivation
    (1), (2)  put x_noisy in and compare the coefficients.

Conventions
    A formula is given only where it holds at every level within the error.  It has powers of alpha
    and sigma, or of what code takes for one of them that computes it from the other.

Sources
    Ours.
"""
from __future__ import annotations

from typing import Any, Iterator, NamedTuple

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.levels import COMPUTED
from refsm.verify.diagnosis.scaling import Scaling, scaling_in_words
from refsm.verify.diagnosis.scaling_fit import fit_scaling

__all__ = ["Levels", "Name", "common", "formula", "other_levels", "power_of_levels",
           "times_name", "within"]

CLEARLY = 10.0             # a power is read from values that are so many times their error

Levels = tuple[Array, Array, Array]                # alpha, sigma, and the deviation of the data


class Name(NamedTuple):
    """The target in words, "" for the right one; what it does to training, "" for what any other
    target does; and what the weight is to be multiplied by, to be that of the denoiser, with its
    error."""

    words: str
    effect: str = ""
    times: Array | float = 1.0
    times_error: Array | float = 0.0


def computed_levels(alpha: Array, sigma: Array) -> Iterator[tuple[str, Array, Array]]:
    """The levels, and those of which one is computed from the other, in words."""
    yield "", alpha, sigma
    if (alpha < 1).all():
        yield from ((f", with {words}", *taken(alpha, sigma)) for words, taken in COMPUTED.items())


def other_levels(alpha: Array, sigma: Array) -> Iterator[tuple[str, Array, Array]]:
    """What may be taken for the levels, in words; the right ones first."""
    yield from computed_levels(alpha, sigma)
    l = np.arange(alpha.shape[1])
    others = {"the next level of noise": np.roll(l, -1),
              "the previous level of noise": np.roll(l, 1), "the levels in reverse order": l[::-1],
              "the next level of noise (the last keeps its own)": np.minimum(l + 1, l[-1]),
              "the previous level of noise (the first keeps its own)": np.maximum(l - 1, 0)}
    for words, of in others.items():
        yield f", at {words}", alpha[:, of], sigma[:, of]
    if (alpha < 1).all():
        for words, of in others.items():
            yield f", with the sigma of {words}", alpha, sigma[:, of]
        yield ", with alpha and sigma exchanged", sigma, alpha
        yield ", with the square roots of alpha and sigma", alpha**0.5, sigma**0.5
        yield ", with the squares of alpha and sigma", alpha**2, sigma**2
        yield ", with alpha^2 and sqrt(1 - alpha^4)", alpha**2, np.sqrt(1 - alpha**4)


def power_of_levels(values: Array, error: Array, alpha: Array, sigma: Array,
                    more: list[dict[str, float]] | None = None) -> Scaling | None:
    """Powers of alpha and sigma, and of further sizes of each value, that the values are; of one
    of the two, with a plain factor, where there are two levels, which do not tell both."""
    sizes = [{"alpha": float(a), "sigma": float(s), **of} for a, s, of in
             zip(alpha.flat, sigma.flat, more or [{}] * values.size)]
    c, off = np.abs(values).ravel(), error.ravel()
    known = c > CLEARLY * off
    c, off = c[known], off[known]
    plain = [{name: abs(size) for name, size in of.items()}
             for of, is_known in zip(sizes, known) if is_known]
    scaling = fit_scaling(c, off, plain)
    if scaling is None and len({(of["alpha"], of["sigma"]) for of in plain}) == 2:
        one = (fit_scaling(c, off, [{name: size for name, size in of.items() if name != left_out}
                                    for of in plain]) for left_out in ("alpha", "sigma"))
        scaling = next((of for of in one if of is not None and of.prefactor in (0.5, 1, 2)), None)
    if scaling is None or scaling.sums:
        return None
    signed = np.array([scaling(of) for of in sizes])          # 1 - sigma may be negative
    return next((Scaling(sign) * scaling for sign in (1.0, -1.0)
                 if (np.abs(values.ravel() - sign * signed) <= error.ravel()).all()), None)


def formula(pr: Array, bound: Array, levels: Levels, point: tuple[Array, Array]) -> Name | None:
    """Two of x, noise, x_noisy and the point u x + v noise, with powers of alpha and sigma: the
    plainest such formula."""
    alpha, sigma, _ = levels
    (p, r), (p_bound, r_bound) = pr, bound
    pairs = [(("x", "noise"), (p, r), (p_bound, r_bound))]
    for name, (u, v) in {"x_noisy": (alpha, sigma), "that point": point}.items():
        if (u * v).all() and (name == "x_noisy" or not np.array_equal((u, v), (alpha, sigma))):
            t, q = r / v, p / u
            pairs += [((("x", name)), (p - u * t, t),                         # (C, l)  (1)
                       (p_bound + u * r_bound / v, r_bound / v)),
                      ((name, "noise"), (q, r - v * q),                       # (C, l)  (2)
                       (p_bound / u, r_bound + v * p_bound / u))]
    for taken, a, s in computed_levels(alpha, sigma):
        found = []
        for names, values, errors in pairs:
            both = [scaling for of in zip(values, errors)
                    if (scaling := power_of_levels(*of, a, s)) is not None]
            if len(both) == 2:
                terms = [of for of in both if not of.is_zero]
                cost = len(terms), "that point" in names, sum(of.complexity for of in terms)
                found.append((cost, names, both))
        if found:
            _, names, both = min(found, key=lambda plain: plain[0])
            words = sorted((times_name(scaling, name) for scaling, name in zip(both, names)
                            if not scaling.is_zero), key=lambda text: text.startswith("-"))
            text = " + ".join(words).replace("+ -", "- ") or "0"
            return Name(f"compared with {text}{taken}")
    return None


def times_name(scaling: Scaling, name: str) -> str:
    """A scaling times a name, as one would write it.

    >>> times_name(Scaling(-1.0, (("sigma", -1.0),)), "x"), times_name(Scaling(0.5), "noise")
    ('-x / sigma', 'noise / 2')
    """
    over, slash, under = scaling_in_words(scaling).partition(" / ")
    front = {"1": "", "-1": "-"}.get(over, f"{over} ")
    return f"{front}{name}{slash}{under}"


def within(pr: Array, bound: Array, p: Any, r: Any) -> bool:
    """Whether a target is p x + r noise, within the bounds."""
    return bool((np.abs(pr[0] - p) <= bound[0]).all() and (np.abs(pr[1] - r) <= bound[1]).all())


def common(values: Array, error: Array) -> float | None:
    """The number that all values are, each within its error; None where there is none."""
    return float(values.mean()) if (values - error).max() <= (values + error).min() else None
