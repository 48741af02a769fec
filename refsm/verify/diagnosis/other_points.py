"""Where an output is read, and what it is compared with there, if that is nowhere on a list.

Symbols
    n points, l levels (L), C groups of K cases, d dimensions.
    x, noise  (n, d)   clean points and noise
    chosen    (L, n)   1 for the points of a level, 0 for others
    u, v      (L,)     or one of each point, (n,)
    output    (n, d)   the score, or the prediction, at the point
    a, b, e   (L,)     coefficients of the regression
    F         (C,)     what a group has in common;  j, k its powers of d and n, jk in the code
    half      number   1/2 for a score, 1 for a prediction
    w, p, r   (L,)     weight; the target is p x + r noise

Equations
    (1)  point = u x + v noise                                                   [definition]
    (2)  value = F sum_l ( a_l mean chosen_l |output|^2 + b_l mean chosen_l output.x
                           + e_l mean chosen_l output.noise ) + a constant of each group
    (3)  F = d^j n^k
    (4)  w = a / half,   p = -b / (2 a),   r = -e / (2 a)

Derivation
    (2), (4)  expand half w |output - p x - r noise|^2 at each level.

Conventions
    a, b, e and the constants are linear, and eliminated from the sum of squares of the errors; u,
    v, j and k are found by Levenberg and Marquardt from the levels of the cases, once.  They are
    believed only where every answer is met to rounding: 72 cases have 23 unknowns, and the 36 from
    which u, v, j and k are found.

Sources
    Golub & Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems
    whose variables separate, SIAM Journal on Numerical Analysis 10 (1973).  Lipman et al., Flow
    matching, ICLR 2023: sigma_min.
"""
from __future__ import annotations

from itertools import chain
from typing import Any, Callable, Iterator, Sequence

import numpy as np
from scipy.optimize import least_squares

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.denoisers import level, levels_chosen, per_point
from refsm.verify.diagnosis.level_formulas import Levels, common, power_of_levels
from refsm.verify.diagnosis.precision import Tolerance
from refsm.verify.diagnosis.quadratic_form import QuadraticForm, levels_of
from refsm.verify.diagnosis.regression import Table, column
from refsm.verify.diagnosis.scaling import Scaling, scaling_in_words
from refsm.verify.diagnosis.target_names import combinations, name_of_target
from refsm.verify.diagnosis.weight_names import weight_of_levels
from refsm.verify.mistakes.levels import LEVELS

__all__ = ["other_points"]

STEPS = 60                 # of Levenberg and Marquardt; what was found took 7 to 15
FEW = 6                    # thetas of each group, from which u, v, j and k are found
SLACK = 4.0                # the coefficients move with u and v
CLEAR = 0.05               # a weight that is known to no better than this is not read
HALVES = 1e-3              # j and k are taken for halves of whole numbers where they are as close
# what u or v may be, where it is no product of powers of alpha and sigma
ROOTS: tuple[tuple[str, Callable[[Array, Array], Array]], ...] = (
    ("sqrt(1 - alpha)", lambda a, s: np.sqrt(1 - a)), ("(1 - alpha)", lambda a, s: 1 - a),
    ("sqrt(1 - sigma)", lambda a, s: np.sqrt(1 - s)), ("(1 - alpha^2)", lambda a, s: 1 - a**2))
POWERS = ((-1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (-1.0, 1.0))            # j and k: means and sums
Points = list[tuple[Array, Array]]


class _Separable:
    """The errors of the answers Y (C, T), or of the first T thetas, as a function of (u, v, j, k),
    the rest eliminated."""

    def __init__(self, table: Table, Y: Array, T: int | None = None) -> None:
        index, Y = table.index[:, :T], Y[:, :T]
        self.cases: list[Case] = [table.cases[i] for i in index.ravel()]
        self.levels = sorted(set(per_point(self.cases[0])))
        self.y, self.scale = Y.ravel(), table.scale[:, :T].ravel()                # (K,) each
        self.group = np.repeat(np.eye(len(Y)), Y.shape[1], axis=0)                # (K, C)
        self.log_sizes = np.log([(case.d, case.n) for case in self.cases])        # (K, 2)
        predicts = bool(table.about.predicts)
        self.read = [case.prediction if predicts else case.score for case in self.cases]
        self.chosen = [levels_chosen(case) for case in self.cases]                # (L, n) each

    def means(self, uv: Points) -> Array:
        """The means of (2), (K, 3 L), for points u x + v noise of each case."""
        out = []
        for case, read, chosen, (u, v) in zip(self.cases, self.read, self.chosen, uv):
            output = read(u[:, None] * case.x + v[:, None] * case.noise)          # (n, d)  (1)
            products = [(output * other).sum(axis=1) for other in (output, case.x, case.noise)]
            out.append((chosen @ np.transpose(products) / case.n).ravel())
        return np.array(out)

    def columns(self, means: Array, jk: Array) -> Array:
        """The columns of (2), (K, 3 L + C), relative to the sum of absolute terms."""
        F = np.exp(self.log_sizes @ jk)[:, None]                                  # (K, 1)  (3)
        return np.hstack([F * means, self.group]) / self.scale[:, None]      # (K, 3 L + C)  (2)

    def at_levels(self, uv: Array) -> Points:
        """u and v (2, L) of the points of each case."""
        return [(uv[0] @ chosen, uv[1] @ chosen) for chosen in self.chosen]

    def solved(self, means: Array, jk: Array) -> tuple[Array, Array, Array]:
        """What is left of the answers, relative to the sum of absolute terms, (K,); a, b, e and the
        constants; and the matrix that gives these, (3 L + C, K)."""
        X = self.columns(means, jk)
        length = np.linalg.norm(X, axis=0)
        length = np.where(length > 0, length, 1)
        Q, R = np.linalg.qr(X / length)
        y = self.y / self.scale
        P = np.linalg.pinv(R) @ Q.T / length[:, None]
        return y - Q @ (Q.T @ y), P @ y, P


def other_points(table: Table, Y: Array,
                 tried: Sequence[Tolerance]) -> tuple[QuadraticForm, Tolerance] | None:
    """The points, the target and the weight of the answers Y (C, T), if they are such a loss, and
    the tolerance to which they are."""
    about = table.about
    if table.model is None or about.levels != "points" or about.predicts == "edm":
        return None
    of = _Separable(table, Y)
    of_points = (((*of_point, tolerance) for tolerance in tried)
                 for of_point in _points(of, _Separable(table, Y, FEW)))
    for words, point, means, jk, free, tolerance in chain.from_iterable(of_points):
        rest, c, P = of.solved(means, jk)
        allowed = tolerance(np.abs(of.columns(means, jk)) @ np.abs(c))            # (K,)
        if np.linalg.norm(rest) <= np.linalg.norm(allowed):
            if free is not None:
                of_few = allowed.reshape(Y.shape)[:, :FEW].ravel()
                off = SLACK * np.abs(np.linalg.pinv(free.jac)[:-2]) @ of_few
                words = _in_words(point, off.reshape(2, -1), levels_of(table.groups))
            form = _form(table, words, point[:, None], c, SLACK * np.abs(P) @ allowed, jk)
            if form is not None and not form.right:
                return form, tolerance
    return None


def _points(of: _Separable, few: _Separable) -> Iterator[tuple[str, Array, Array, Array, Any]]:
    """Points in words, u and v (2, L), the means there, j and k, and what was found where they are
    free; where u and v are those of other points, the right ones."""
    right = np.transpose(of.levels)                                               # (2, L)
    for _, words, f in LEVELS:
        means = of.means([(f(level(case, "alpha")).ravel(), f(level(case, "sigma")).ravel())
                          for case in of.cases])
        yield from ((f"x_noisy at the level of {words.format('point')}", right, means,
                     np.array(jk), None) for jk in POWERS)

    def errors(q: Array) -> Array:
        return few.solved(few.means(few.at_levels(q[:-2].reshape(2, -1))), q[-2:])[0]

    def slopes(q: Array) -> Array:                      # the same for every version of SciPy
        rest, h = errors(q), 2.0**-26 * np.maximum(1, np.abs(q))
        return np.transpose([(errors(q + step) - rest) / step.sum() for step in np.diag(h)])

    with np.errstate(all="ignore"):
        try:
            free = least_squares(errors, [*right.ravel(), *POWERS[0]], slopes, method="lm",
                                 xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=STEPS)
        except (ValueError, np.linalg.LinAlgError):                  # it left the numbers
            return
    point, jk = free.x[:-2].reshape(2, -1), np.round(2 * free.x[-2:]) / 2
    if (np.abs(jk - free.x[-2:]) < HALVES).all():
        yield "", point, of.means(of.at_levels(point)), jk, free


def _in_words(uv: Array, off: Array, levels: Levels) -> str:
    """The points u x + v noise in words, or in numbers at each level."""
    alpha, sigma = (of[:1] for of in levels[:2])                                  # (1, L) each
    (u, v), (u_off, v_off) = uv, off
    names = [_factor(*of, alpha, sigma) for of in zip(uv, off)]
    if all(names):
        return "x_noisy" if names == ["alpha", "sigma"] else "{} x + {} noise".format(*names)
    small = common((v - sigma[0]) / alpha[0], v_off / alpha[0])
    if names[0] == "alpha" and small is not None and small > 0:
        return f"alpha x + (sigma + {small:.3g} alpha) noise, as if sigma_min were {small:.3g}"
    of_a_schedule = [f", where {words} = 1 as at the right levels: another time, or schedule"
                     for words, total, right, bound in (
                         ("alpha^2 + sigma^2", u**2 + v**2, alpha**2 + sigma**2,
                          2 * (np.abs(u) * u_off + np.abs(v) * v_off)),
                         ("alpha + sigma", u + v, alpha + sigma, u_off + v_off))
                     if (np.abs(total - 1) <= bound).all() and np.allclose(right, 1)]
    shown = combinations(uv[:, None], off[:, None], (alpha, sigma, levels[2][:1]))
    return f"{shown}{''.join(of_a_schedule)}"


def _factor(value: Array, off: Array, alpha: Array, sigma: Array) -> str:
    """What multiplies x or noise in words, of alpha and sigma (1, L); "" where it has no name."""
    power = power_of_levels(value[None], off[None], alpha, sigma)
    if power is not None and power.prefactor == 1:
        return scaling_in_words(power)
    with np.errstate(invalid="ignore"):
        return next((words for words, f in ROOTS
                     if (np.abs(value - f(alpha[0], sigma[0])) <= off).all()), "")


def _form(table: Table, words: str, point: Any, c: Array, error: Array,
          jk: Array) -> QuadraticForm | None:
    """The reading of the coefficients; None where they are those of no positive weight."""
    groups, about = table.groups, table.about
    levels = levels_of(groups)
    C, L = levels[0].shape
    (a, b, e), (a_off, b_off, e_off) = (of[:3 * L].reshape(L, 3).T for of in (c, error))
    if (a <= 0).any() or (a_off > CLEAR * a).any():
        return None
    half = 1.0 if about.predicts else 0.5
    factor = Scaling(1.0, tuple(zip("dn", map(float, jk))))
    w = column(factor, table.sizes) * a / half                                    # (C, L)  (4)
    p, r = -b / (2 * a), -e / (2 * a)                                             # (L,) each  (4)
    bound = np.array([(b_off + np.abs(b / a) * a_off) / (2 * a),
                      (e_off + np.abs(e / a) * a_off) / (2 * a)])
    pr, bound = (np.broadcast_to(of[:, None], (2, C, L)) for of in (np.array([p, r]), bound))
    uv = np.broadcast_to(point, (2, C, L))
    target = name_of_target(about.predicts or "score", pr, bound, levels, (uv[0], uv[1]))
    off = w * a_off / a * target.times + w * target.times_error
    weight = weight_of_levels(w * target.times, off, levels, groups)
    reads = "" if words == "x_noisy" else (
        f"the {'output' if about.predicts else 'score'} is read at {words}")
    return None if weight is None else QuadraticForm("", reads, target.words, target.effect,
                                                     *weight)
