"""Coefficients that follow a scaling over groups of cases, with round exponents.

Symbols
    sizes         dict     d, n, M, sigma, strength of one group
    coefficients  (C,)     one number per group
    error         (C,)     how far each may be off: rounding of the answers, after the regression
    prefactor         number   the factor in front

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
from refsm.verify.diagnosis.scaling import (EXTRA, ORDER, ZERO, Scaling, Sizes, extra_factor,
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
    if (np.abs(c) <= 10 * error).any() or len(set(np.sign(c))) > 1:
        return None
    plain = _power_scaling(c, error, sizes, None)
    if plain is not None:
        return plain
    tried = [_power_scaling(c, error, sizes, extra) for extra in _extras(c, sizes)]
    found = [scaling for scaling in tried if scaling is not None and _plain(scaling, sizes)]
    return min(found, key=lambda scaling: scaling.complexity, default=None)


def _plain(scaling: Scaling, sizes: Sequence[Sizes]) -> bool:
    """Whether a scaling with an extra factor is accepted: see the conventions above."""
    name = scaling.extra[0]                                                    # type: ignore[index]
    if "sigma" in name:
        return True
    powers = [p for _, p in scaling.powers]
    whole = all(p == round(p) for p in powers) and sum(map(abs, powers)) <= 4
    if abs(scaling.prefactor) not in (0.5, 1.0, 2.0) or not whole:
        return False
    own = dict(scaling.powers).get("strength" if "strength" in name else name[0], 0.0)
    values = np.array([abs(scaling(group)) for group in sizes])
    return abs(own) <= 1 and not (np.abs(values - 1) < 1e-9).any()


def _extras(c: Array, sizes: Sequence[Sizes]) -> list[tuple[str, float, float]]:
    """The extra factors that the sizes allow."""
    known = sizes[0]
    names = [name for name in EXTRA[:-1]
             if {name[0], name.split()[-1].partition("^")[0]} & set(known)]
    out = [(name, power, 1.0) for name in names for power in (1.0, -1.0)]
    for power in (1.0, -1.0) if "sigma" in known and "d" in known else ():
        out += [(EXTRA[-1], power, s) for s in _saturations(c**power, sizes)]
    return out


def _saturations(c: Array, sizes: Sequence[Sizes]) -> list[float]:
    """s such that c = prefactor sigma^a d^b (1 + sigma^2 / s^2), for all a, b that allow it."""
    sigma, d = (np.array([float(group[name]) for group in sizes]) for name in ("sigma", "d"))
    out = set()
    for a in range(-4, 5):
        for b in (-1, 0, 1):
            slope, level = np.polyfit(sigma**2, c / (sigma**a * d**b), 1)
            if level != 0 and slope / level > 0:
                for s in (float(f"{(level / slope)**0.5:.3g}"), float(f"{level / slope:.3g}")**0.5):
                    if abs(s * s * slope / level - 1) < 1e-4 and s != 1.0:
                        out.add(s)
    return sorted(out)


def _power_scaling(c: Array, error: Array, sizes: Sequence[Sizes],
                   extra: tuple[str, float, float] | None) -> Scaling | None:
    """prefactor and round exponents from the linear system (1), if it then holds."""
    names = [name for name in ORDER
             if name in sizes[0] and len({group[name] for group in sizes}) > 1]
    divided = c / np.array([extra_factor(extra, group) for group in sizes]) if extra else c
    columns = np.array([[1.0, *(np.log(group[name]) for name in names)] for group in sizes])
    if np.linalg.matrix_rank(columns) < columns.shape[1]:
        return None
    solution = np.linalg.lstsq(columns, np.log(np.abs(divided)), rcond=None)[0]     # (s+1,)  (1)
    halves = np.round(2 * solution[1:]) / 2
    powers = tuple((name, float(p)) for name, p in zip(names, halves) if p)
    rest = np.array([Scaling(1.0, powers, extra)(group) for group in sizes])
    low, high = float(((c - error) / rest).max()), float(((c + error) / rest).min())
    if low > high:
        return None
    return Scaling(rounded((low + high) / 2, (high - low) / 2), powers, extra)
