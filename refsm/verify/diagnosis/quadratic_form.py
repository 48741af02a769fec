"""A denoising loss as a quadratic form: what weight, and what target, at each level of noise.

Symbols
    n points, i dimensions (d), C groups, l levels of a group.
    output  (n, d)     the score psi, or the prediction A point + B psi;  x, noise (n, d)
    point   (n, d)     where it is read: u x + v noise, x_noisy if it is right
    chosen  (n,)       1 for the points of level l, 0 for the others
    half    number     1/2 for a score, 1 for a prediction
    w       (C, l)     weight
    p, r    (C, l)     the target is p x + r noise
    a, b, e (C, l)     coefficients of the regression

Equations
    (1)  loss of a point = sum_l chosen_l half w_l |output - p_l x - r_l noise|^2     [definition]
    (2)  value = sum_l ( a_l mean chosen_l |psi|^2 + b_l mean chosen_l psi.x
                         + e_l mean chosen_l psi.noise ) + a constant
    (3)  w_l = a_l / (half B_l^2)
    (4)  p_l = u_l A_l - B_l b_l / (2 a_l),   r_l = v_l A_l - B_l e_l / (2 a_l)

Derivation
    (1) -> (2)   The residual is B (psi - P x - R noise) with p = u A + B P and r = v A + B R.
                 Expand its square: a_l = half w_l B_l^2, b_l = -2 a_l P_l, e_l = -2 a_l R_l.
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
from itertools import product
from typing import Any, Callable, Iterable, Iterator, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.quantities import Unavailable
from refsm.verify.denoisers import (KINDS, TARGETS, level, level_maps, output, per_point,
                                    target_in_noise)
from refsm.verify.diagnosis.precision import Tolerance
from refsm.verify.diagnosis.regression import Fit, Table, column, fit
from refsm.verify.diagnosis.scaling import ONE, Scaling, scaling_in_words
from refsm.verify.diagnosis.scaling_fit import fit_scaling
from refsm.verify.mistakes import Formula
from refsm.verify.mistakes.level_weights import WEIGHTS
from refsm.verify.objectives import Term, dot

__all__ = ["CLEAR", "QuadraticForm", "joined", "levels_of", "of_level", "quadratic_form",
           "weight_of_levels"]

# where the output may be read, and u and v of that point
POINTS: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "x_noisy": lambda a, s: (a, s), "x": lambda a, s: (1.0, 0.0),
    "alpha x": lambda a, s: (a, 0.0), "x_noisy / alpha": lambda a, s: (1.0, s / a),
    "x + sigma noise, without alpha": lambda a, s: (1.0, s),
    "sigma x + alpha noise, with alpha and sigma exchanged": lambda a, s: (s, a)}
CLEAR = 1e-3               # a weight that is known to no better than this is not read
COLUMNS = 4.0              # the columns are rounded too: 1.2 of the coefficients' errors were seen
LEFT_OUT = "nothing is trained at the levels that are left out"
ELSEWHERE = "what is learned at a point is the mean of the target given that point"
ANOTHER = ("what is learned at each level is the mean of the target given the noisy point, and "
           "this is another target")
BY_GROUP = ("all points of a case have one weight, whatever their levels: so have losses (n,) that "
            "are multiplied by weights (n, 1)")
WEIGHTED = "the minimiser is the same at each level; the levels weigh differently"


@dataclass(frozen=True)
class QuadraticForm:
    """What the answers are a weighted square of: each is "" where it is the reference's."""

    left_out: str                                  # the levels that are not read
    point: str                                     # where the output is read
    target: str
    weight: str                                    # in words
    declared: str                                  # the weight, as `convention=` takes it
    factor: Scaling

    @property
    def right(self) -> bool:
        """Whether only the weight differs."""
        return not (self.left_out or self.point or self.target)

    @property
    def words(self) -> str:
        """The finding in one line."""
        factor = "" if self.factor == ONE else f"a common factor {self.factor}"
        return joined(self.left_out, self.point, self.target, self.weight, factor)

    @property
    def convention(self) -> str:
        """Factor and weight, as `convention=` takes them; "" where more than these differs."""
        factor = "" if self.factor == ONE else str(self.factor)
        return joined(factor, self.declared) if self.right else ""

    @property
    def effects(self) -> tuple[str, ...]:
        """What it does to training."""
        said = [LEFT_OUT] if self.left_out else []
        said += [ELSEWHERE] if self.point else []
        said += [ANOTHER] if self.target and not self.point else []
        said += [WEIGHTED] if self.weight and not said else []
        return (*said, BY_GROUP) if self.weight.startswith("weight w(c0) = ") else tuple(said)


def joined(*pieces: str) -> str:
    """The pieces that are there, as one line."""
    return "; ".join(filter(None, pieces))


def quadratic_form(table: Table, Y: Array, tolerance: Tolerance) -> QuadraticForm | None:
    """The weight and the target of the answers Y (C, T), if they are such a loss."""
    if table.objective != "dsm" and table.about.levels not in ("scaled", "points"):
        return None
    for point in POINTS:
        found = fit(table, [Formula((), tuple(_terms(table.groups[0], point)))], Y, tolerance)
        if found and found[0].fits:
            return _form(table, found[0], point)
    return None


def _form(table: Table, found: Fit, point: str) -> QuadraticForm | None:
    """The reading of the coefficients; None where they are those of no positive weight."""
    about, groups = table.about, table.groups
    own = about.predicts or "score"
    maps = [level_maps(case, own if case.model is not None else "score") for case in groups]
    C, L = len(maps), len(maps[0])
    c, error = (part[:, :-1].reshape(C, L, 3)
                for part in (found.coefficients, found.coefficient_error))
    read = np.atleast_1d((np.abs(c) > error).any(axis=(0, 2)))
    left_out = [_level(*own) for own, is_read in zip(maps[0], read) if not is_read]
    c, error = c[:, read], error[:, read]
    a, b, e = np.moveaxis(c, -1, 0)                                           # (C, l) each
    if not read.any() or (a <= 0).any() or (error[..., 0] > CLEAR * np.abs(a)).any():
        return None
    alpha, sigma, data_sd = levels_of(groups)
    alpha, sigma = alpha[:, read], sigma[:, read]
    A, B = np.moveaxis(np.array([list(of.values()) for of in maps], float)[:, read], -1, 0)
    half = 1.0 if about.predicts else 0.5
    w = a / (half * B**2)                                                     # (C, l)  (3)
    u, v = POINTS[point](alpha, sigma)
    pr = np.array([u * A - B * b / (2 * a), v * A - B * e / (2 * a)])         # (2, C, l)  (4)
    bound = COLUMNS * np.abs(B) * (error[..., 1:].transpose(2, 0, 1)
                                   + np.abs([b, e]) * error[..., 0] / a) / (2 * a)
    weight = weight_of_levels(w, error[..., 0] / a * w, (alpha, sigma, data_sd), groups)
    reads = "" if point == "x_noisy" else (
        f"the {'output' if about.predicts else 'score'} is read at {point}")
    return None if weight is None else QuadraticForm(
        f"the points at {', '.join(left_out)} are left out" if left_out else "", reads,
        _target(own, pr, bound, (alpha, sigma, data_sd)), *weight)


def _terms(first: Case, point: str) -> Iterator[Term]:
    """The columns of (2), three for each level."""
    def psi(q: Any) -> Array:
        if point == "x_noisy":                     # in an array case, the output itself
            return q.psi() if q.case.model is not None else output(q)
        if q.case.model is None or q.case.network is not None:
            raise Unavailable
        u, v = POINTS[point](level(q.case, "alpha"), level(q.case, "sigma"))
        return q.once(("psi", point), lambda: q.case.score(u * q.case.x + v * q.case.noise))

    for l in range(len(set(per_point(first)))):
        for name, f in (("psi", psi), ("x", lambda q: q.case.x), ("noise", lambda q: q.case.noise)):
            def at_level(q: Any, l: int = l, f: Any = f) -> Array:
                return of_level(q, l) * dot(psi(q), f(q))                     # (n,)  (2)
            yield Term("form", f"level {l}: psi({point}).{name}", at_level)


def of_level(q: Any, l: int) -> Array:
    """1 for the points of level l of a case, 0 for the others, (n,)."""
    def chosen() -> Array:
        levels = per_point(q.case)
        return np.array([[own == one for own in levels] for one in sorted(set(levels))], float)

    return q.once("chosen", chosen)[l]


def levels_of(groups: Sequence[Case]) -> tuple[Array, Array, Array]:
    """alpha and sigma of the levels of every group, (C, l), and the data's deviation, (C, 1)."""
    levels = np.array([sorted(set(per_point(case))) for case in groups])
    return (levels[..., 0], levels[..., 1],
            np.array([[case.hyper.get("data_sd", 0.5)] for case in groups]))


def _level(alpha: float, sigma: float) -> str:
    """A level in words."""
    return f"{'' if alpha == 1 else f'alpha = {alpha:.4g}, '}sigma = {sigma:.4g}"


def _target(own: str, pr: Array, bound: Array, levels: tuple[Array, Array, Array]) -> str:
    """The name of the target; "" if it is the right one."""
    for words, p, r in _targets(own, *levels):
        expected = np.stack(np.broadcast_arrays(p, r, levels[0])[:2])
        if (np.abs(pr - expected) <= bound).all():
            return words
    alpha, sigma, data_sd = levels
    right = np.stack(np.broadcast_arrays(*target_in_noise(own, *levels), alpha)[:2])
    square = (right * right).sum(axis=0)
    t = (pr * right).sum(axis=0) / square                                     # (C, l)
    if (np.abs(pr - t * right) <= bound).all():
        sizes = [{"alpha": a, "sigma": s} for a, s in zip(alpha.ravel(), sigma.ravel())]
        error = bound.max(axis=0) / np.sqrt(square)
        scaling = fit_scaling(t.ravel(), error.ravel(), sizes)
        if scaling is not None:
            return f"the target is multiplied by {scaling_in_words(scaling)}"
    shown = [{(s_l, a_l): f"{_combined(*pair)} at {_level(a_l, s_l)}" for s_l, a_l, *pair in
              sorted(zip(*of_group))} for of_group in zip(sigma, alpha, *pr, *bound)]
    every = {key: text for group in shown for key, text in group.items()}
    differ = any(every[key] != text for group in shown for key, text in group.items())
    listed = ", ".join(text for _, text in sorted((shown[0] if differ else every).items()))
    return ("compared with another combination of clean point and noise: "
            f"{listed}{', and others in the other groups of cases' if differ else ''}")


def _targets(own: str, alpha: Array, sigma: Array,
             data_sd: Array) -> Iterator[tuple[str, Array, Array]]:
    """Every target that has a name, with p and r."""
    taken = {"": (alpha, sigma), ", with alpha and sigma exchanged": (sigma, alpha)}
    for step, which in ((-1, "next"), (1, "previous")):
        taken[f", at the {which} level of noise"] = (np.roll(alpha, step, axis=1),
                                                     np.roll(sigma, step, axis=1))
    for kind, (words, (a, s)) in product(TARGETS, taken.items()):
        of_x, of_noisy, of_noise = TARGETS[kind](a, s, data_sd)
        for u, v in ((alpha, sigma), (a, s)):      # x_noisy as it is, or as that level has it
            p, r = of_x + u * of_noisy, of_noise + v * of_noisy
            target = f"the target of a predicted {KINDS.get(kind, kind)}{words}"
            right = kind == own and not words
            yield "" if right else f"compared with {target}", p, r
            yield "the sign of the target" if right else f"compared with minus {target}", -p, -r


def _combined(p: float, r: float, p_bound: float, r_bound: float) -> str:
    """p x + r noise, as one would write it."""
    parts = [f"{value:.4g} {name}"
             for value, small, name in ((p, p_bound, "x"), (r, r_bound, "noise"))
             if abs(value) > small]
    return " + ".join(parts).replace("+ -", "- ") or "0"


def weight_of_levels(w: Array, error: Array, levels: tuple[Array, Array, Array],
                     groups: Sequence[Case]) -> tuple[str, str, Scaling] | None:
    """The weight in words and as a convention, "" for none, and its common factor; None where it
    has no name."""
    L, sizes = w.shape[1], [{"d": float(case.d), "n": float(case.n)} for case in groups]
    alpha, sigma, data_sd = levels
    known = [("", "", np.ones(w.shape)),
             *((f"each level is weighted by {words}", f"weight.{name}",
                f(alpha, sigma, data_sd)) for name, words, f in WEIGHTS)]    # type: ignore
    for words, id, of in known:
        each = [size for size in sizes for _ in range(L)]
        factor = fit_scaling((w / of).ravel(), (error / of).ravel(), each)
        if factor is not None:
            return words, id, factor
    for common in (ONE, Scaling(1.0, (("d", -1.0),)), Scaling(1.0, (("n", 1.0),))):
        times = column(common, sizes)
        places = {(s, a): (sigma == s) & (alpha == a) for s, a in zip(sigma.flat, alpha.flat)}
        u = [_common((w / times)[here], (error / times)[here]) for here in places.values()]
        if len(u) < w.size and None not in u:
            by_level = _listed(sorted((s, a, number) for (s, a), number in zip(places, u)))
            return by_level, by_level, common
    if L == 1:
        return None
    for words, id, of in known:
        u = [_common(*own) for own in zip(w / of, error / of)]
        if None not in u:
            by_group = _listed(zip((case.group for case in groups), u))
            return joined(words, by_group), joined(id, by_group), ONE
    listed = _listed((f"{case.group}/{s:g}", number) for case, *of in zip(groups, sigma, w)
                     for s, number in zip(*of))
    return listed, listed, ONE


def _common(w: Array, error: Array) -> float | None:
    """The number that all of w are, each within its error; None where there is none."""
    return float(w.mean()) if (w - error).max() <= (w + error).min() else None


def _listed(weights: Iterable[tuple]) -> str:
    """A weight for each level (sigma, alpha, w) or group (name, w), as `convention=` takes it."""
    return "weight " + ", ".join(f"w({of if isinstance(of, str) else f'{of:g}'}) = {w:.6g}"
                                 for of, *_, w in weights)
