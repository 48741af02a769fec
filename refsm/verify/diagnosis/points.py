"""Where an output is read: u x + v noise, with formulas of the level for u and v.

Symbols
    n points, i dimensions (d), l levels of a group, T thetas, F formulas.
    alpha, sigma, data_sd    of each point (n, 1), and of the data
    u, v       (n, 1)        formulas of them; the right ones are alpha and sigma
    point      (F, n, d)     u x + v noise of every formula
    psi        (F, n, d)     score there

Equations
    (1)  point = u x + v noise                                                [definition]
    (2)  value = sum_l (mean at level l of a_l |psi|^2 + b_l psi.x + e_l psi.noise) + a constant
                                                                              [definition]

Derivation
    (2)  is (2) of `quadratic_form`, for the score at the point.

Conventions
    The plainest formula comes first: x_noisy, that of minus the noise, a multiple of it, two of
    `FORMULAS`, and x_noisy of other data; of those that are equal at the levels of a case the first
    alone is kept.  All are tried on the first group of cases at once, which leaves one of them or
    none: a regression on all groups decides.

Sources
    Ours.
"""
from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, Callable, Iterator, NamedTuple, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.denoisers import levels_chosen, per_point
from refsm.verify.diagnosis.precision import Tolerance
from refsm.verify.diagnosis.regression import Design, Table, design, fit_all
from refsm.verify.mistakes import Formula

__all__ = ["MINUS_NOISE", "Point", "candidates", "points"]

Of = Callable[[Any, Any, Any], Any]                # of alpha, sigma and data_sd
# {} is x or noise; the plainest first
FORMULAS: dict[str, Of] = {
    "{}": lambda a, s, t: 1.0, "alpha {}": lambda a, s, t: a, "sigma {}": lambda a, s, t: s,
    "alpha^2 {}": lambda a, s, t: a**2, "sigma^2 {}": lambda a, s, t: s**2,
    "sqrt(alpha) {}": lambda a, s, t: a**0.5, "sqrt(sigma) {}": lambda a, s, t: s**0.5,
    "(1 - alpha) {}": lambda a, s, t: 1 - a, "(1 - sigma) {}": lambda a, s, t: 1 - s,
    "sqrt(1 - alpha) {}": lambda a, s, t: (1 - a)**0.5,
    "sqrt(1 - alpha^2) {}": lambda a, s, t: (1 - a**2)**0.5,
    "sqrt(1 - sigma^2) {}": lambda a, s, t: (1 - s**2)**0.5,
    "sqrt(1 - alpha^4) {}": lambda a, s, t: (1 - a**4)**0.5,
    "(1 - alpha^2) {}": lambda a, s, t: 1 - a**2, "(1 + alpha) {}": lambda a, s, t: 1 + a,
    "(1 + sigma) {}": lambda a, s, t: 1 + s, "(alpha + sigma) {}": lambda a, s, t: a + s,
    "sqrt(1 + alpha^2) {}": lambda a, s, t: (1 + a**2)**0.5,
    "alpha sigma {}": lambda a, s, t: a * s, "2 {}": lambda a, s, t: 2.0,
    "2 alpha {}": lambda a, s, t: 2 * a, "2 sigma {}": lambda a, s, t: 2 * s,
    "{} / alpha": lambda a, s, t: 1 / a, "{} / sigma": lambda a, s, t: 1 / s,
    "sigma {} / alpha": lambda a, s, t: s / a, "alpha {} / sigma": lambda a, s, t: a / s}
MULTIPLES: dict[str, Of] = {
    "-x_noisy": lambda a, s, t: -1.0, "2 x_noisy": lambda a, s, t: 2.0,
    "x_noisy / 2": lambda a, s, t: 0.5,
    "alpha x_noisy": lambda a, s, t: a, "sigma x_noisy": lambda a, s, t: s,
    "x_noisy / alpha": lambda a, s, t: 1 / a, "x_noisy / sigma": lambda a, s, t: 1 / s,
    "c_in x_noisy: the network of a case takes x_noisy itself":
        lambda a, s, t: (s**2 + t**2)**-0.5,
    "2 c_in x_noisy": lambda a, s, t: 2 * (s**2 + t**2)**-0.5,
    "c_in^2 x_noisy": lambda a, s, t: 1 / (s**2 + t**2),
    "x_noisy / c_in": lambda a, s, t: (s**2 + t**2)**0.5,
    "x_noisy / c_in^2": lambda a, s, t: s**2 + t**2,
    "x_noisy / (sqrt(sigma^2 + data_sd) c_in)":
        lambda a, s, t: ((s**2 + t**2) / (s**2 + t))**0.5,
    "x_noisy / (sqrt(sigma + data_sd^2) c_in)":
        lambda a, s, t: ((s**2 + t**2) / (s + t**2))**0.5,
    "x_noisy / ((sigma + data_sd) c_in)": lambda a, s, t: (s**2 + t**2)**0.5 / (s + t)}
MINUS_NOISE = "-noise in the place of noise"
REMARKS = {"x + sigma noise": ", without alpha",
           "sigma x + alpha noise": ", with alpha and sigma exchanged"}
DATA: dict[str, Callable[[Any], Any]] = {           # what may stand in the place of x
    "2 x - 1": lambda x: 2 * x - 1, "(x + 1) / 2": lambda x: (x + 1) / 2, "-x": lambda x: -x,
    "2 x": lambda x: 2 * x, "x / 2": lambda x: x / 2, "x clipped to [-1, 1]":
        lambda x: np.clip(x, -1, 1), "x clipped to [0, 1]": lambda x: np.clip(x, 0, 1),
    "x - 1": lambda x: x - 1, "x + 1": lambda x: x + 1, "1 - x": lambda x: 1 - x,
    "x / 255": lambda x: x / 255, "x / 127.5 - 1": lambda x: x / 127.5 - 1,
    "x less the mean over points": lambda x: x - x.mean(axis=0),
    "x / |x|": lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)}


class Point(NamedTuple):
    """u x + v noise in words, its coefficients, what stands in the place of x, and the sign of the
    noise."""

    words: str
    u: Of
    v: Of
    data: Callable[[Any], Any] = lambda x: x
    sign: float = 1.0


@lru_cache(maxsize=1)
def candidates() -> list[Point]:
    """Every formula, the plainest first."""
    def times(k: Of, of: Of) -> Of:
        return lambda a, s, t: k(a, s, t) * of(a, s, t)

    alpha, sigma = FORMULAS["alpha {}"], FORMULAS["sigma {}"]
    found = [Point("x_noisy", alpha, sigma), Point(MINUS_NOISE, alpha, sigma, sign=-1.0)]
    found += [Point(words, times(k, alpha), times(k, sigma)) for words, k in MULTIPLES.items()]
    none: tuple[str, Of] = ("", lambda a, s, t: 0.0)
    signed = [[none], *([(words, of), (f"-{words}", times(MULTIPLES["-x_noisy"], of))]
                        for words, of in FORMULAS.items())]
    for j, k in sorted(product(range(len(signed)), repeat=2), key=sum)[1:]:
        for (u, of_x), (v, of_noise) in product(signed[j], signed[k]):
            both = filter(None, (u.format("x"), v.format("noise")))
            words = " + ".join(both).replace("+ -", "- ")
            found.append(Point(words + REMARKS.get(words, ""), of_x, of_noise))
    return found + [Point(f"{words} in the place of x", alpha, sigma, data)
                    for words, data in DATA.items()]


def points(table: Table, Y: Array, tolerance: Tolerance) -> Iterator[Point]:
    """x_noisy, and then the points at which an output explains the answers of the first group."""
    yield candidates()[0]
    first = table.groups[0]
    if first.model is None or first.network is not None:
        return
    others, columns = _others(table)
    fits = (fit for fit in fit_all(columns, Y[:1], tolerance) if fit.fits)
    yield from (others[id(fit.formula)] for fit in fits)


@lru_cache(maxsize=8)
def _others(table: Table) -> tuple[dict[int, Point], Design]:
    """The points that differ, by the identity of their formula, and their columns in the first
    group."""
    cases = [table.cases[k] for k in table.index[0]]
    a, s = np.array(per_point(cases[0])).T[:, :, None]                        # (n, 1) each
    data_sd = cases[0].hyper.get("data_sd", 0.5)
    kept: dict[tuple[float, ...], tuple[Point, Array]] = {}
    with np.errstate(all="ignore"):
        for of in candidates():
            uv = np.array([np.broadcast_to(f(a, s, data_sd), a.shape) for f in (of.u, of.v)])
            if np.isfinite(uv).all() and not ((a == 1).all() and "alpha" in of.words):
                same = np.concatenate([uv.ravel(), of.data(cases[0].x).ravel(), [of.sign]])
                kept.setdefault(tuple(np.round(same, 12).tolist()), (of, uv))
    every, of_levels = zip(*list(kept.values())[1:])
    u, v = np.swapaxes(of_levels, 0, 1)                                       # (F, n, 1) each
    columns = np.array([_columns(case, every, u, v) for case in cases])       # (T, F, 3 l, 2)
    formulas = [Formula((), ()) for _ in every]
    return (dict(zip(map(id, formulas), every)),
            design(formulas, columns.transpose(1, 2, 3, 0)[:, :, :, None]))


def _columns(case: Case, every: Sequence[Point], u: Array, v: Array) -> Array:
    """The columns of (2) at the points of one case, and the mean of their sizes, (F, 3 l, 2)."""
    x = np.array([of.data(case.x) for of in every])                                   # (F, n, d)
    noise = np.array([of.sign for of in every])[:, None, None] * case.noise           # (F, n, d)
    point = u * x + v * noise                                                 # (F, n, d)  (1)
    psi = case.score(point.reshape(-1, case.d)).reshape(point.shape)
    of = np.stack([(psi * other).sum(axis=-1) for other in (psi, x, noise)], 1)       # (F, 3, n)
    both = np.stack([of, np.abs(of)], -1)
    mean = np.einsum("fjnb,ln->fljb", both, levels_chosen(case)) / case.n     # (F, l, 3, 2)
    return mean.reshape(len(psi), -1, 2)
