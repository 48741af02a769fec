"""Coefficients that follow a scaling over groups of cases, with round exponents.

Symbols
    sizes         dict     d, n, M, sigma, strength of one group
    coefficients  (C,)     one number per group
    error         (C,)     how far each may be off: rounding of the answers, after the regression
    prefactor     number   the factor in front
    P             (s+1, C) the inverse of the linear system

Equations
    (1)  log |coefficient| = log prefactor + sum_s powers_s log size_s

Derivation
    (1)  is the logarithm of a scaling: linear in the unknowns, six groups for at most five of them.
         The solution is rounded to halves; it is a scaling only if the coefficients then agree
         within the error in every group, so rounding can lose a scaling but never make one.

Conventions
    Two values of a size fit prefactor size^b (size - 1)^k far too easily: a scaling with such a
    factor is accepted only where it is plain, and not where it is 1 at one value of the size,
    as a special case would be.

Sources
    Ours.
"""
from __future__ import annotations

from typing import Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.diagnosis.scaling import (ONE, ORDER, SATURATING, SUMS, ZERO, Scaling, Sizes,
                                            rounded)

__all__ = ["fit_scaling"]


def fit_scaling(coefficients: Array, error: Array, sizes: Sequence[Sizes]) -> Scaling | None:
    """The simplest scaling within the error in every group, or None.

    >>> groups = [{"d": d, "n": n} for d in (3, 5) for n in (7, 13)]
    >>> str(fit_scaling(np.array([2 * g["n"] / g["d"] for g in groups]), np.full(4, 1e-12), groups))
    '2 n / d'
    """
    c, error = np.asarray(coefficients, dtype=float), np.asarray(error, dtype=float)
    if not (np.isfinite(c).all() and np.isfinite(error).all()):
        return None
    if (np.abs(c) <= error).all():
        return ZERO
    if (np.abs(c) <= 10 * error).any():
        return None
    names = [name for name in ORDER
             if name in sizes[0] and len({group[name] for group in sizes}) > 1]
    columns = np.array([[1.0, *(np.log(group[name]) for name in names)] for group in sizes])
    P = np.linalg.pinv(columns)
    if not np.allclose(P @ columns, np.eye(len(P))):      # the sizes do not tell all powers
        return None
    plain = _power_scaling(c, error, sizes, names, P, ONE)
    if plain is not None:
        return plain
    tried = [_power_scaling(c, error, sizes, names, P, power) for power in _of_sums(c, sizes)]
    found = [scaling for scaling in tried if scaling is not None and _plain(scaling, sizes)]
    return min(found, key=lambda scaling: scaling.complexity, default=None)


def _plain(scaling: Scaling, sizes: Sequence[Sizes]) -> bool:
    """Whether a scaling with a power of a sum is accepted: see the conventions above."""
    ((name, _),) = scaling.sums
    if "sigma" in name:
        return True
    powers = dict(scaling.powers)
    del powers[name]
    whole = all(p == round(p) for p in powers.values()) and sum(map(abs, powers.values())) <= 4
    if abs(scaling.prefactor) not in (0.5, 1.0, 2.0) or not whole:
        return False
    own = powers.get("strength" if "strength" in name else name[0], 0.0)
    values = np.array([abs(scaling(group)) for group in sizes])
    return abs(own) <= 1 and not (np.abs(values - 1) < 1e-9).any()


def _of_sums(c: Array, sizes: Sequence[Sizes]) -> list[Scaling]:
    """The powers of sums that the sizes allow."""
    known = set(sizes[0])
    names = [name for name in SUMS
             if {name[0], name.split()[-1].partition("^")[0]} & known]
    out = [Scaling(1.0, ((name, power),)) for name in names for power in (1.0, -1.0)]
    for power in (1.0, -1.0) if "sigma" in known else ():
        out += [Scaling(1.0, ((f"{SATURATING}{number:.10g}", power),))
                for number in _saturations(c**power, sizes)]
    return out


def _saturations(c: Array, sizes: Sequence[Sizes]) -> list[float]:
    """Numbers v such that c = sigma^a (1 + sigma^2 / v), for all a that allow it, up to a factor
    whose mean is the same at every sigma: v or its root has three digits."""
    sigma, out = np.array([[float(group["sigma"])] for group in sizes]), set()
    for slope, level in np.polyfit(sigma[:, 0]**2, c[:, None] / sigma**np.arange(-4, 5), 1).T:
        if slope * level > 0:
            for v in (float(f"{(level / slope)**0.5:.3g}")**2, float(f"{level / slope:.3g}")):
                if abs(v * slope / level - 1) < 1e-4 and v != 1.0:
                    out.add(v)
    return sorted(out)


def _power_scaling(c: Array, error: Array, sizes: Sequence[Sizes], names: list[str], P: Array,
                   of_sum: Scaling) -> Scaling | None:
    """The scaling that has a power of a sum, its prefactor and round exponents from the linear
    system (1), of which P is the inverse, if it then holds."""
    divided = c / np.array([of_sum(group) for group in sizes])
    solution = P @ np.log(np.abs(divided))                                          # (s+1,)  (1)
    halves = np.round(2 * solution[1:]) / 2
    powers = Scaling(1.0, tuple((name, float(p)) for name, p in zip(names, halves) if p)) * of_sum
    rest = np.array([powers(group) for group in sizes])
    low, high = float(((c - error) / rest).max()), float(((c + error) / rest).min())
    if low > high:
        return None
    return Scaling(rounded((low + high) / 2, (high - low) / 2), powers.powers)
