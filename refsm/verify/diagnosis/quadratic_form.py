"""A denoising loss as a quadratic form: what weight, and what target, at each level of noise.

Symbols
    n points, i dimensions (d), C groups, l levels of a group.
    output  (n, d)     the score psi, or the prediction A x_noisy + B psi;  x, noise (n, d)
    chosen  (n,)       1 for the points of level l, 0 for the others
    half    number     1/2 for a score, 1 for a prediction
    w       (C, l)     weight
    pr      (C, l, 2)  p and r: the target is p x + r noise
    a, b, e (C, l)     coefficients of the regression

Equations
    (1)  loss of a point = sum_l chosen_l half w_l |output - p_l x - r_l noise|^2     [definition]
    (2)  value = sum_l ( a_l mean chosen_l |psi|^2 + b_l mean chosen_l psi.x
                         + e_l mean chosen_l psi.noise ) + a constant
    (3)  w_l = a_l / (half B_l^2)
    (4)  p_l = alpha_l A_l - B_l b_l / (2 a_l),   r_l = sigma_l A_l - B_l e_l / (2 a_l)

Derivation
    (1) -> (2)   x_noisy = alpha x + sigma noise at a level, so that the residual is
                 B (psi - P x - R noise) with p = alpha A + B P and r = sigma A + B R.  Expand its
                 square: a_l = half w_l B_l^2, b_l = -2 a_l P_l, e_l = -2 a_l R_l.
    (2) -> (3), (4)   solve for w, p and r.

Conventions
    The columns hold psi and not the prediction, which hardly depends on theta where the noise is
    small; an array case has no psi, and its prediction is a column of its own (A = 0, B = 1).
    The fit has no mistakes in it: whatever is a weighted square of this form is found, and named
    afterwards, weight and target apart.  A weight that is no power or name is listed by level.

Sources
    Ours.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterator, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.denoisers import linear_maps, output, per_point
from refsm.verify.diagnosis.precision import Tolerance
from refsm.verify.diagnosis.regression import Table, fit
from refsm.verify.diagnosis.scaling import ONE, Scaling
from refsm.verify.diagnosis.scaling_fit import fit_scaling
from refsm.verify.mistakes import Formula
from refsm.verify.mistakes.level_weights import WEIGHTS
from refsm.verify.objectives import OBJECTIVES, Term, dot

__all__ = ["QuadraticForm", "quadratic_form"]

Level = tuple[float, float, float]                 # alpha, sigma, data_sd
Pair = Callable[[Any, Any, Any], tuple[Any, Any]]

# p and r of the target of each kind
KINDS: dict[str, Pair] = {
    "score": lambda a, s, t: (0.0, -1 / s), "noise": lambda a, s, t: (0.0, 1.0),
    "clean": lambda a, s, t: (1.0, 0.0), "velocity": lambda a, s, t: (-s, a),
    "flow": lambda a, s, t: (-1.0, 1.0), "edm": lambda a, s, t: _edm(s, t)}


@dataclass(frozen=True)
class QuadraticForm:
    """What weight and what target the answers have; `right` where only the weight differs."""

    right: bool
    target: str
    weight: str
    factor: Scaling | None
    left_out: str = ""                             # the levels that are not read

    @property
    def words(self) -> str:
        """The finding in one line."""
        factor = "" if self.factor in (None, ONE) else f"a common factor {self.factor}"
        out = f"the points at {self.left_out} are left out" if self.left_out else ""
        return "; ".join(filter(None, (out, self.target, self.weight, factor)))

    @property
    def convention(self) -> str:
        """The weight, as `convention=` takes it; "" where the target is another."""
        factor = "" if self.factor == ONE else str(self.factor)
        return "; ".join(filter(None, (factor, self.weight))) if self.right else ""

    @property
    def effects(self) -> tuple[str, ...]:
        """What it does to training."""
        out = ("nothing is trained at the levels that are left out",) if self.left_out else ()
        if self.target:
            return (*out, "what is learned at each level is the mean of the target given the noisy "
                    "point, and this is another target")
        if self.weight:
            return (*out, "the minimiser is the same at each level; the levels weigh differently")
        return out


def quadratic_form(table: Table, Y: Array, tolerance: Tolerance) -> QuadraticForm | None:
    """The weight and the target of the answers Y (C, T), if they are such a loss."""
    about, first = OBJECTIVES[table.groups[0].objective], table.groups[0]
    if first.objective != "dsm" and about.levels not in ("scaled", "points"):
        return None
    L = len(set(per_point(first)))
    fits = fit(table, [Formula((), tuple(_terms(L)))], Y, tolerance)
    if not fits or not fits[0].fits:
        return None
    c, error = (part[:, :-1].reshape(-1, L, 3)
                for part in (fits[0].coefficients, fits[0].coefficient_error))
    read = np.atleast_1d((np.abs(c) > error).any(axis=(0, 2)))
    left_out = [level for level, own in zip(sorted(set(per_point(first))), read) if not own]
    c, error, L = c[:, read], error[:, read], int(read.sum())
    a, b, e = np.moveaxis(c, -1, 0)                                           # (C, l) each
    if not L or (a <= 0).any() or (error[..., 0] > 1e-3 * np.abs(a)).any():
        return None
    A, B, of_noisy = (part[:, read] for part in _maps(table, len(read)))
    half = 1.0 if about.predicts else 0.5
    w = (a / (half * B**2)).ravel()                                           # (C l,)  (3)
    PR = -np.stack([b, e], axis=-1) / (2 * a[..., None])
    pr = A[..., None] * of_noisy + B[..., None] * PR                          # (C, l, 2)  (4)
    bound = np.abs(B)[..., None] * (error[..., 1:] / (2 * a[..., None])
                                    + np.abs(PR) * error[..., :1] / a[..., None]) + 1e-12
    levels = [[(float(alpha), float(sigma), case.hyper.get("data_sd", 0.5))
               for alpha, sigma in own] for case, own in zip(table.groups, of_noisy)]
    flat = [level for group in levels for level in group]
    sizes = [{"d": float(case.d), "n": float(case.n)} for case in table.groups for _ in range(L)]
    own = about.predicts or "score"
    target = _target(own, pr, bound, levels)
    weight, factor = _weight(w, error[..., 0].ravel() / a.ravel() * w + 1e-12 * w, flat, sizes,
                             [case.group for case in table.groups])
    return QuadraticForm(not target and not left_out, target, weight, factor,
                         ", ".join(_level(*level) for level in left_out))


def _level(alpha: float, sigma: float) -> str:
    """A level in words."""
    return f"{'' if alpha == 1 else f'alpha = {alpha:.4g}, '}sigma = {sigma:.4g}"


def _terms(L: int) -> Iterator[Term]:
    """The columns of (2), three for each level."""
    for l in range(L):
        def chosen(q: Any, l: int = l) -> Array:
            def make() -> Array:
                levels = per_point(q.case)
                return np.array([own == sorted(set(levels))[l] for own in levels], dtype=float)
            return q.once(("points of level", l), make)

        for name, f in (("psi", _psi), ("x", lambda q: q.case.x),
                        ("noise", lambda q: q.case.noise)):
            def column(q: Any, f: Any = f, chosen: Any = chosen) -> Array:
                return chosen(q) * dot(_psi(q), f(q))                         # (n,)  (2)
            yield Term("form", f"level {l}: psi.{name}", column)


def _psi(q: Any) -> Array:
    """The score; the output itself in an array case."""
    return q.psi() if q.case.model is not None else output(q)


def _maps(table: Table, L: int) -> tuple[Array, Array, Array]:
    """A and B (C, l) of every level, and its alpha and sigma (C, l, 2)."""
    about = OBJECTIVES[table.groups[0].objective]
    of_noisy = np.array([sorted(set(per_point(case))) for case in table.groups])
    A, B = np.zeros(of_noisy.shape[:2]), np.ones(of_noisy.shape[:2])
    if about.predicts and table.groups[0].model is not None:
        for k, case in enumerate(table.groups):
            of_point = dict(zip(per_point(case), zip(*linear_maps(case, about.predicts))))
            for l, level in enumerate(of_noisy[k]):
                A[k, l], B[k, l] = (float(part[0]) for part in of_point[tuple(level.tolist())])
    return A, B, of_noisy


def _edm(s: float, t: float) -> tuple[float, float]:
    """p and r of (x - c_skip x_noisy) / c_out with alpha = 1."""
    root = (s**2 + t**2)**0.5
    return s / (t * root), -t / root


def _target(own: str, pr: Array, bound: Array, levels: Sequence[Sequence[Level]]) -> str:
    """The name of the target; "" if it is the right one."""
    def is_of(pair: Callable[[Sequence[Level], int], tuple[float, float]]) -> bool:
        expected = np.array([[pair(group, k) for k in range(len(group))] for group in levels])
        return bool((np.abs(pr - expected) <= bound + 1e-9 * np.abs(expected)).all())

    for kind in (own, *(k for k in KINDS if k != own)):
        f = KINDS[kind]
        for sign, words in ((1, ""), (-1, "minus ")):
            if is_of(lambda g, k, f=f, s=sign: _times(s, f(*g[k]))):     # type: ignore[misc]
                return ("" if kind == own and sign == 1 else "the sign of the target" if kind == own
                        else f"compared with {words}the target of a predicted {kind}")
        if is_of(lambda g, k, f=f: f(g[k][1], g[k][0], g[k][2])):        # type: ignore[misc]
            return f"target of a predicted {kind}, with alpha and sigma exchanged"
        for step, words in ((1, "next"), (-1, "previous")):
            if is_of(lambda g, k, f=f, s=step: f(*g[(k + s) % len(g)])):  # type: ignore[misc]
                return f"target of a predicted {kind}, at the {words} level of noise"
    multiple = _multiple(own, pr, bound, levels)
    if multiple:
        return multiple
    shown = {(level[0], level[1]): pair for group, pairs in zip(levels, pr)
             for level, pair in zip(group, pairs)}
    listed = ", ".join(f"{_combined(p, r)} at {_level(*level)}"
                       for level, (p, r) in sorted(shown.items(), key=lambda item: item[0][1]))
    return f"compared with another combination of clean point and noise: {listed}"


def _combined(p: float, r: float) -> str:
    """p x + r noise, as one would write it."""
    small = 1e-9 * (abs(p) + abs(r))
    parts = [f"{value:.4g} {name}" for value, name in ((p, "x"), (r, "noise"))
             if abs(value) > small]
    return " + ".join(parts).replace("+ -", "- ") or "0"


def _times(sign: float, pair: tuple[float, float]) -> tuple[float, float]:
    return sign * pair[0], sign * pair[1]


def _multiple(own: str, pr: Array, bound: Array, levels: Sequence[Sequence[Level]]) -> str:
    """The right target times a product of powers of alpha and sigma, if it is one."""
    right = np.array([[KINDS[own](*level) for level in group] for group in levels]).reshape(-1, 2)
    found, error = pr.reshape(-1, 2), bound.reshape(-1, 2)
    square = (right * right).sum(axis=1)
    t = (found * right).sum(axis=1) / square
    if (np.abs(found - t[:, None] * right) > error + 1e-9 * np.abs(found)).any():
        return ""
    sizes = [{"alpha": a, "sigma": s} for group in levels for a, s, _ in group]
    scaling = fit_scaling(t, error.max(axis=1) / np.sqrt(square) + 1e-10 * np.abs(t), sizes)
    return "" if scaling is None else f"the target is multiplied by {scaling}"


def _weight(w: Array, error: Array, levels: Sequence[Level],
            sizes: Sequence[dict[str, float]],
            groups: Sequence[str]) -> tuple[str, Scaling | None]:
    """The name of the weight and its common factor; "" and 1 where there is none."""
    alpha, sigma, data_sd = np.array(levels).T
    weights = [("", np.ones(len(w))), *((f"each level is weighted by {words}", np.array(
        [f(np.float64(a), np.float64(s), t) for a, s, t in zip(alpha, sigma, data_sd)]))
        for _, words, f in WEIGHTS)]
    for words, known in weights:
        factor = fit_scaling(w / known, error / known, sizes)
        if factor is not None:
            return words, factor
    for powers in ((), (("d", -1.0),), (("n", 1.0),)):
        common = Scaling(1.0, powers)
        rest = w / np.array([common(size) for size in sizes])
        shown: dict[tuple[float, float], list[float]] = {}
        for a, s, value in zip(alpha, sigma, rest):
            shown.setdefault((float(a), float(s)), []).append(float(value))
        if len(shown) < len(w) and all(np.ptp(v) <= 1e-6 * max(v) for v in shown.values()):
            listed = ", ".join(f"w({s:g}) = {np.mean(v):.6g}"
                               for (_, s), v in sorted(shown.items(), key=lambda i: i[0][1]))
            return f"weight {listed}", common
    for words, known in weights:
        of_group = (w / known).reshape(len(groups), -1)
        if of_group.shape[1] > 1 and (np.ptp(of_group, axis=1) <= 1e-6 * of_group[:, 0]).all():
            listed = ", ".join(f"w({group}) = {own.mean():.6g}"
                               for group, own in zip(groups, of_group))
            return "; ".join(filter(None, (words, f"weight {listed}"))), ONE
    return "the groups have weights that follow no level", None
