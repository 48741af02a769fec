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
    (5)  the constant = sum_l mean chosen_l |b_l x + e_l noise|^2 / (4 a_l)

Derivation
    (1) -> (2)   The residual is B (psi - P x - R noise) with p = u A + B P and r = v A + B R.
                 Expand its square: a_l = half w_l B_l^2, b_l = -2 a_l P_l, e_l = -2 a_l R_l.
    (2) -> (3), (4)   solve for w, p and r.
    (5)          half w_l |B_l (P x + R noise)|^2 = a_l |P x + R noise|^2.

Conventions
    The columns hold psi and not the prediction, which hardly depends on theta where the noise is
    small; an array case has no psi, and its prediction is a column of its own (A = 0, B = 1).
    The fit has no mistakes in it: whatever is a weighted square of this form is found, and named
    afterwards, weight and target apart.  A weight that is no power or name is listed by level.

Sources
    Ours.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterator, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.quantities import Unavailable
from refsm.verify.denoisers import level, level_maps, levels_chosen, output, per_point
from refsm.verify.diagnosis.level_formulas import Levels
from refsm.verify.diagnosis.points import MINUS_NOISE, Point, candidates, points
from refsm.verify.diagnosis.precision import FLOAT64, Tolerance
from refsm.verify.diagnosis.regression import Fit, Table, fit
from refsm.verify.diagnosis.scaling import ONE, Scaling
from refsm.verify.diagnosis.target_names import SINGLE, level_in_words, name_of_target
from refsm.verify.diagnosis.weight_names import joined, weight_of_levels
from refsm.verify.mistakes import Formula
from refsm.verify.mistakes.mistake import WEIGHTED
from refsm.verify.objectives import Term, dot

__all__ = ["CLEAR", "QuadraticForm", "as_rounded", "levels_of_groups", "of_level",
           "quadratic_form", "weight_and_target"]

ROUNDING = 10.0            # times what a fit misses by: up to 8.2 times were seen in 546 fits;
LEAST = 0.02               # and at least, in units of the tolerance
CLEAR = 2e-2               # a weight that is known to no better than this is not read
NOTHING = 1e-6             # a level that weighs less than this share of another is left out
COLUMNS = 4.0              # the columns are rounded too: 1.2 of the coefficients' errors were seen
ANOTHER_CONSTANT = "up to a constant that does not depend on theta"
LEFT_OUT = "nothing is trained at the levels that are left out"
ELSEWHERE = "what is learned at a point is the mean of the target given that point"
OTHER_DATA = "what is learned is that of other data"
SAME_NOISE = ("noise and -noise have the same distribution: what is learned is the same, only the "
              "values of the loss differ")
ANOTHER = ("what is learned at each level is the mean of the target given the noisy point, and "
           "this is another target")
BY_GROUP = ("all points of a case have one weight, whatever their levels: so have losses (n,) that "
            "are multiplied by weights (n, 1)")
OWN_WEIGHT = "each level of each group of cases has a weight of its own"


@dataclass(frozen=True)
class QuadraticForm:
    """What differs, and the weight of each level: "" where it is the reference's.

    `target` is what the output is compared with, or the mistake that `weighted_mistake` found.
    """

    left_out: str                                  # the levels that are not read
    point: str                                     # where the output is read
    target: str
    effect: str                                    # of the target, if it is not that of any other
    weight: str                                    # in words
    declared: str                                  # the weight, as `convention=` takes it
    factor: Scaling
    listed: str = ""                               # by what the numbers of the weight are listed
    hidden: str = ""                               # levels of which the answers say too little
    constant: str = ""                             # what it is, if it is not that of the squares

    @property
    def right(self) -> bool:
        """Whether only the weight differs."""
        return not (self.left_out or self.point or self.target)

    @property
    def numbers(self) -> int:
        """How many of weight and target have no name."""
        return bool(self.listed) + (" at alpha = " in self.target or " at sigma = " in self.target)

    @property
    def words(self) -> str:
        """The finding in one line."""
        factor = "" if self.factor == ONE else f"a common factor {self.factor}"
        many = self.listed == "group and level" and not self.right
        return joined(self.left_out, self.point, self.target,
                      OWN_WEIGHT if many else self.weight, factor, self.constant)

    @property
    def convention(self) -> str:
        """Factor and weight, as `convention=` takes them; "" where more than these differs."""
        factor = "" if self.factor == ONE else str(self.factor)
        return joined(factor, self.declared) if self.right else ""

    @property
    def effects(self) -> tuple[str, ...]:
        """What it does to training."""
        said = [LEFT_OUT] if self.left_out else []
        if self.point:
            said += [SAME_NOISE if self.point == MINUS_NOISE and not self.target else
                     OTHER_DATA if self.point.endswith("in the place of x") else ELSEWHERE]
        said += [self.effect or ANOTHER] if self.target and not self.point else []
        said += [WEIGHTED] if self.weight and not said else []
        no_level = self.listed == "group" and self.weight == self.declared
        return (*said, BY_GROUP) if no_level else tuple(said)


def quadratic_form(table: Table, Y: Array, tolerance: Tolerance,
                   elsewhere: bool = True) -> QuadraticForm | None:
    """The weight and the target of the answers Y (C, T), if they are such a loss; `elsewhere` is
    whether the output may be read at another point than x_noisy."""
    if table.objective != "dsm" and table.about.levels not in ("scaled", "points"):
        return None
    first = None
    for point in points(table, Y, tolerance) if elsewhere else candidates()[:1]:
        found = fit(table, [Formula((), tuple(_terms(table.groups[0], point)))], Y, tolerance)
        if found and found[0].fits:
            form = _form(table, as_rounded(found[0], tolerance), point)
            if form is None or not (form.target and form.point):     # plain, or there is none
                return form
            first = first or form
    return first


def as_rounded(found: Fit, tolerance: Tolerance) -> Fit:
    """A fit with the errors that its misfit shows, where answers are coarser than float64."""
    if tolerance.relative <= FLOAT64.relative:
        return found
    error = min(1.0, max(LEAST, ROUNDING * found.misfit)) * found.coefficient_error
    return replace(found, coefficient_error=error + SINGLE * np.abs(found.coefficients))


def _form(table: Table, found: Fit, point: Point) -> QuadraticForm | None:
    """The reading of the coefficients; None where they are those of no positive weight."""
    about, groups = table.about, table.groups
    own = about.predicts or "score"
    maps = [level_maps(case, own if case.model is not None else "score") for case in groups]
    first, *_ = maps
    c, error = (part[:, :-1].reshape(len(maps), -1, 3)
                for part in (found.coefficients, found.coefficient_error))
    a, off = np.abs(c[..., 0]), error[..., 0]                                 # (C, l) each
    zero = ((np.abs(c) <= error).all(axis=(0, 2)) & (off <= NOTHING * a.max()).all(axis=0))
    unclear = (off > CLEAR * a).any(axis=0) & ~zero
    left_out, hidden = (", ".join(level_in_words(*own) for own, is_so in zip(first, of) if is_so)
                        for of in (zero, unclear))
    read = ~zero & ~unclear
    c, error = c[:, read], error[:, read]
    if read.sum() < (2 if hidden else 1) or (c[..., 0] <= 0).any():
        return None
    alpha, sigma, data_sd = levels_of_groups(groups)
    A, B = np.moveaxis(np.array([list(of.values()) for of in maps], float)[:, read], -1, 0)
    form = weight_and_target(table, (alpha[:, read], sigma[:, read], data_sd), (A, B), c, error,
                             point)
    if form is not None:
        words = f"the points at {left_out} are left out" if left_out else ""
        form = replace(form, left_out=words, hidden=hidden,
                       constant="" if hidden or _has_its_constant(table, found, point, read)
                       else ANOTHER_CONSTANT)
    return None if form is not None and form.right and hidden else form


def _has_its_constant(table: Table, found: Fit, point: Point, read: Array) -> bool:
    """Whether the constants that were found are those of the squares at the levels that are read,
    equation (5)."""
    for case, c, c_off in zip(table.groups, found.coefficients, found.coefficient_error):
        (a, b, e), (a_off, b_off, e_off) = (part[:-1].reshape(-1, 3)[read].T[..., None, None]
                                            for part in (c, c_off))               # (l, 1, 1) each
        x, noise, chosen = point.data(case.x), point.sign * case.noise, levels_chosen(case)[read]
        g, chosen = b * x + e * noise, chosen[..., None]                          # (l, n, d)
        off = 2 * (b_off * np.abs(x) + e_off * np.abs(noise)) + np.abs(g) * a_off / a
        times = chosen * np.abs(g) / (4 * a * case.n)
        squares = (times * np.abs(g)).sum()                                       # ()  (5)
        if abs(c[-1] - squares) > c_off[-1] + COLUMNS * (times * off).sum():
            return False
    return True


def weight_and_target(table: Table, levels: Levels, maps: tuple[Any, Any], c: Array,
                      error: Array, point: Point, slack: float = COLUMNS) -> QuadraticForm | None:
    """The weight and the target of coefficients c (C, l, 3) with these errors, at levels (C, l)
    each, where the output is A point + B psi; None where the weight has no name."""
    A, B = maps
    a, b, e = np.moveaxis(c, -1, 0)                                           # (C, l) each
    predicts = table.about.predicts
    half = 1.0 if predicts else 0.5
    w = a / (half * B**2)                                                     # (C, l)  (3)
    u, v = (np.broadcast_to(of(*levels), a.shape) for of in (point.u, point.v))
    p, r = u * A - B * b / (2 * a), v * A - B * e / (2 * a)                   # (C, l) each  (4)
    bound = slack * np.abs(B) * (error[..., 1:].transpose(2, 0, 1)
                                 + np.abs([b, e]) * error[..., 0] / a) / (2 * a)
    target = name_of_target(predicts or "score", np.array([p, r]), bound, levels, (u, v))
    off = w * (error[..., 0] / a * target.times + target.times_error)
    weight = weight_of_levels(w * target.times, off, levels, table.groups)
    reads = "" if point.words == "x_noisy" else point.words if "in the place" in point.words else (
        f"the {'output' if predicts else 'score'} is read at {point.words}")
    return None if weight is None else QuadraticForm("", reads, target.words, target.effect,
                                                     *weight)


def _terms(first: Case, point: Point) -> Iterator[Term]:
    """The columns of (2), three for each level."""
    words = point.words

    def noise(q: Any) -> Array:
        return point.sign * q.case.noise

    def psi(q: Any) -> Array:
        if words == "x_noisy":                     # in an array case, the output itself
            return q.psi() if q.case.model is not None else output(q)
        if q.case.model is None or q.case.network is not None:
            raise Unavailable
        u, v = (of(level(q.case, "alpha"), level(q.case, "sigma"), q.case.hyper.get("data_sd", 0.5))
                for of in (point.u, point.v))
        return q.once(("psi", words),
                      lambda: q.case.score(u * point.data(q.case.x) + v * noise(q)))

    for l in range(len(set(per_point(first)))):
        for name, f in (("psi", psi), ("x", lambda q: point.data(q.case.x)),
                        ("noise", noise)):
            def at_level(q: Any, l: int = l, f: Any = f) -> Array:
                return of_level(q, l) * dot(psi(q), f(q))                     # (n,)  (2)
            yield Term("form", f"level {l}: psi({words}).{name}", at_level)


def of_level(q: Any, l: int) -> Array:
    """1 for the points of level l of a case, 0 for the others, (n,)."""
    chosen = q.once("chosen", lambda: levels_chosen(q.case))
    return chosen[l]


def levels_of_groups(groups: Sequence[Case]) -> Levels:
    """alpha and sigma of the levels of every group, (C, l), and the data's deviation, (C, 1)."""
    levels = np.array([sorted(set(per_point(case))) for case in groups])
    return (levels[..., 0], levels[..., 1],
            np.array([[case.hyper.get("data_sd", 0.5)] for case in groups]))
