"""Where an output is read, and what it is compared with there, if that is nowhere on a list.

Symbols
    n points, l levels (L), C groups of T cases each, K cases in all, d dimensions.
    x, noise  (n, d)   clean points and noise
    chosen    (L, n)   1 for the points of a level, 0 for others
    u, v      (n,)     of each point, or (L,), of each level
    output    (n, d)   the score, or the prediction, at the point
    c         (3 L + C,)   coefficients: a, b and e of every level, and the constants
    F         (C,)     what a group has in common;  j, k its powers of d and n, jk in the code

Equations
    (1)  point = u x + v noise                                                   [definition]
    (2)  value = F sum_l ( a_l mean chosen_l |output|^2 + b_l mean chosen_l output.x
                           + e_l mean chosen_l output.noise ) + a constant of each group
    (3)  F = d^j n^k

Derivation
    (2)  is (2) of `quadratic_form` with the output itself in the place of psi, A = 0 and B = 1, and
         with coefficients that are F times those of the levels: weight and target are given there.

Conventions
    a, b, e and the constants are linear, and eliminated from the sum of squares of the errors; u,
    v, j and k are found by Levenberg and Marquardt from the levels of the cases, once.  They count
    only where every answer is met to rounding: 72 cases have 23 unknowns, and the 36 from which u,
    v, j and k are found.

Sources
    Golub & Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems
    whose variables separate, SIAM Journal on Numerical Analysis 10 (1973).  Lipman et al., Flow
    matching, ICLR 2023: sigma_min.
"""
from __future__ import annotations

from typing import Callable, Iterator, Sequence

import numpy as np
from scipy.optimize import least_squares

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.denoisers import levels_chosen, per_point
from refsm.verify.diagnosis.level_formulas import Levels, common, power_of_levels, times_name
from refsm.verify.diagnosis.points import FORMULAS, Point
from refsm.verify.diagnosis.precision import Tolerance
from refsm.verify.diagnosis.quadratic_form import (QuadraticForm, levels_of_groups,
                                                    weight_and_target)
from refsm.verify.diagnosis.regression import Table
from refsm.verify.diagnosis.target_names import combinations
from refsm.verify.mistakes.levels import LEVELS

__all__ = ["other_points"]

STEPS = 60                 # of Levenberg and Marquardt; what was found took fewer than 20
END = np.finfo(float).eps  # a step, or what it gains, that ends them
DIFFERENCE = np.sqrt(END)  # of u, v, j or k, for the slopes: the same with every version of SciPy
FEW = 6                    # thetas of each group, from which u, v, j and k are found
SLACK = 4.0                # the coefficients move with u and v
CLEAR = 0.05               # a weight that is known to no better than this is not read
HALVES = 1e-3              # j and k are taken for halves of whole numbers where they are as close
POWERS = ((-1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (-1.0, 1.0))            # j and k: means and sums


class _Separable:
    """The errors of the answers Y (C, T), or of the first T thetas, as a function of (u, v, j, k),
    the rest eliminated."""

    def __init__(self, table: Table, Y: Array, T: int | None = None) -> None:
        index, Y = table.index[:, :T], Y[:, :T]
        self.cases: list[Case] = [table.cases[i] for i in index.ravel()]
        self.levels = np.array(levels_of_groups(table.groups)[:2])[:, 0]          # (2, L)
        self.y, self.scale = Y.ravel(), table.scale[:, :T].ravel()                # (K,) each
        self.group = np.repeat(np.eye(len(Y)), Y.shape[1], axis=0)                # (K, C)
        self.read = [_output(case, bool(table.about.predicts)) for case in self.cases]
        self.chosen = [levels_chosen(case) for case in self.cases]                # (L, n) each

    def means(self, points: Sequence[Array]) -> Array:
        """The means of (2), (S, K, 3 L), for S times u and v of the points of each case,
        (S, 2, n)."""
        out = []
        for case, read, chosen, uv in zip(self.cases, self.read, self.chosen, points):
            u, v = uv[:, 0, :, None], uv[:, 1, :, None]                           # (S, n, 1)
            output = read(u * case.x + v * case.noise)                         # (S, n, d)  (1)
            products = [(output * other).sum(axis=2) for other in (output, case.x, case.noise)]
            out.append((chosen @ np.stack(products, axis=2) / case.n).reshape(len(uv), -1))
        return np.stack(out, axis=1)

    def at_levels(self, uv: Array) -> list[Array]:
        """u and v of the points of each case, (S, 2, n), from those of the levels, (S, 2, L)."""
        return [uv @ chosen for chosen in self.chosen]

    def columns(self, means: Array, jk: Array) -> Array:
        """The columns of (2), (K, 3 L + C), relative to the sum of absolute terms."""
        F = _in_common(self.cases, jk)[:, None]                                   # (K, 1)
        return np.hstack([F * means, self.group]) / self.scale[:, None]      # (K, 3 L + C)  (2)

    def solved(self, X: Array) -> tuple[Array, Array, Array]:
        """What these columns leave of the answers, relative to the sum of absolute terms, (K,); a,
        b, e and the constants; and the matrix that gives these, (3 L + C, K)."""
        y = self.y / self.scale
        length = np.maximum(np.linalg.norm(X, axis=0), np.finfo(float).tiny)
        Q, R = np.linalg.qr(X / length)
        P = np.linalg.pinv(R) @ Q.T / length[:, None]
        return y - Q @ (Q.T @ y), P @ y, P

    def allowed(self, tolerance: Tolerance, X: Array, c: Array) -> Array:
        """What may be left of right answers, relative to the sum of absolute terms, (K,)."""
        return tolerance(np.abs(X) @ np.abs(c) * self.scale) / self.scale


def _output(case: Case, predicts: bool) -> Callable[[Array], Array]:
    """The score or the prediction at points (S, n, d); a network is given n at a time."""
    read = case.prediction if predicts else case.score
    return read if case.network is None else lambda points: np.array([*map(read, points)])


def _in_common(cases: Sequence[Case], jk: Array) -> Array:
    """F of the group of each case."""
    (j, k), (d, n) = jk, np.transpose([(case.d, case.n) for case in cases])
    return d**j * n**k                                                            # (K,)  (3)


def other_points(table: Table, Y: Array,
                 tried: Sequence[Tolerance]) -> tuple[QuadraticForm, Tolerance] | None:
    """The points, the target and the weight of the answers Y (C, T), if they are such a loss, and
    the tolerance to which they are."""
    about = table.about
    if table.model is None or about.levels != "points" or about.predicts == "edm":
        return None
    of = _Separable(table, Y)
    for (words, point, jk, X, slopes), tolerance in (
            (found, tolerance) for found in _points(of, _Separable(table, Y, FEW))
            for tolerance in tried):
        rest, c, P = of.solved(X)
        allowed = of.allowed(tolerance, X, c)                                     # (K,)
        if np.linalg.norm(rest) <= np.linalg.norm(allowed):
            if slopes is not None:
                off = SLACK * np.abs(slopes) @ allowed.reshape(Y.shape)[:, :FEW].ravel()
                words = _in_words(point, off.reshape(point.shape), levels_of_groups(table.groups))
            form = _form(table, words, point, jk, c, SLACK * np.abs(P) @ allowed)
            if form is not None and not form.right:
                return form, tolerance
    return None


def _points(of: _Separable,
            few: _Separable) -> Iterator[tuple[str, Array, Array, Array, Array | None]]:
    """Points in words, u and v (2, L), j and k, and the columns there; for points that were found,
    which have no words yet, also what u and v are of the errors, (2 L, K).  Of the points of other
    levels, u and v are the right ones."""
    for _, words, f in LEVELS:
        (means,) = of.means([f(np.array(per_point(case))).T[None] for case in of.cases])
        for jk in map(np.array, POWERS):
            yield (f"x_noisy at the level of {words.format('point')}", of.levels, jk,
                   of.columns(means, jk), None)

    def errors(q: Array) -> Array:                               # (S, 2 L + 2) gives (S, K)
        means = few.means(few.at_levels(q[:, :-2].reshape(-1, *of.levels.shape)))
        return np.array([few.solved(few.columns(*at))[0] for at in zip(means, q[:, -2:])])

    def slopes(q: Array) -> Array:
        rest, *moved = errors(np.vstack([q, q + DIFFERENCE * np.eye(len(q))]))
        return (moved - rest).T / DIFFERENCE

    with np.errstate(all="ignore"):
        try:
            free = least_squares(lambda q: errors(q[None])[0], [*of.levels.ravel(), *POWERS[0]],
                                 slopes, method="lm", xtol=END, ftol=END, gtol=END, max_nfev=STEPS)
        except (ValueError, np.linalg.LinAlgError):                  # it left the numbers
            return
    point, jk = free.x[:-2].reshape(of.levels.shape), np.round(2 * free.x[-2:]) / 2
    if np.allclose(jk, free.x[-2:], rtol=0, atol=HALVES):
        (means,) = of.means(of.at_levels(point[None]))
        yield "", point, jk, of.columns(means, jk), np.linalg.pinv(free.jac)[:-2]


def _in_words(uv: Array, off: Array, levels: Levels) -> str:
    """The points u x + v noise in words, or in numbers at each level."""
    alpha, sigma = levels[0][0], levels[1][0]                                     # (L,) each
    (u, v), (u_off, v_off) = uv, off
    names = [_factor(*of, alpha, sigma) for of in zip(uv, off)]
    if all(names):
        right = names == ["alpha {}", "sigma {}"]
        return "x_noisy" if right else f"{names[0].format('x')} + {names[1].format('noise')}"
    small = common((v - sigma) / alpha, v_off / alpha)
    if names[0] == "alpha {}" and small is not None and small > 0:
        return f"alpha x + (sigma + {small:.3g} alpha) noise, as if sigma_min were {small:.3g}"
    of_a_schedule = [f", where {words} = 1 as at the right levels: another time, or schedule"
                     for words, total, right, bound in (
                         ("alpha^2 + sigma^2", u**2 + v**2, alpha**2 + sigma**2,
                          2 * (np.abs(u) * u_off + np.abs(v) * v_off)),
                         ("alpha + sigma", u + v, alpha + sigma, u_off + v_off))
                     if (np.abs(total - 1) <= bound).all() and np.allclose(right, 1)]
    shown = combinations(uv[:, None], off[:, None], levels)
    return f"{shown}{''.join(of_a_schedule)}"


def _factor(value: Array, off: Array, alpha: Array, sigma: Array) -> str:
    """What multiplies x or noise, {}, at the levels, (L,) each; "" where it has no name."""
    power = power_of_levels(value[None], off[None], alpha[None], sigma[None])
    if power is not None and power.prefactor == 1:
        return times_name(power, "{}")
    with np.errstate(invalid="ignore"):
        return next((words for words, f in FORMULAS.items()
                     if (np.abs(value - f(alpha, sigma, None)) <= off).all()), "")


def _form(table: Table, words: str, point: Array, jk: Array, c: Array,
          error: Array) -> QuadraticForm | None:
    """The form of coefficients with these errors; None if the weight is not positive or clear."""
    L = point.shape[1]
    F = _in_common(table.groups, jk)[:, None, None]                                # (C, 1, 1)
    c, error = (F * of[:3 * L].reshape(L, 3) for of in (c, error))                 # (C, L, 3)
    if (error[..., 0] >= CLEAR * c[..., 0]).any():
        return None
    u, v = point
    at = Point(words, lambda *levels: u, lambda *levels: v)
    return weight_and_target(table, levels_of_groups(table.groups), (0.0, 1.0), c, error, at,
                             slack=1.0)
