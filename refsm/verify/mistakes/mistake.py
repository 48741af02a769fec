"""A mistake, a formula, and what several objectives share: residuals, dimensions and squares.

Symbols
    n points, i dimensions (d).
    r       (n, d)   a residual, or the score
    half    number   the factor of a squared residual: 1/2 for a score, 1 for a network's output
    psi, s: the score, and that of the data

Equations
    (1)  E f(psi) + E tr J = E [f(psi) - psi.s]                    [result]
    (2)  a squared residual is least for psi = E[target | point]   [result]

Derivation
    (1)  E_q d psi_i / d x_i = -E_q psi_i d log q / d x_i, by parts.  So the minimiser of a norm f
         that is not |psi|^2 / 2 is found point by point: grad f(psi) = s, or none where f grows no
         faster than psi.s does.
    (2)  the mean is what the mean square is least around; absolute values have the median.

Conventions
    An effect is what the mistake does alone, in expectation over data, noise and directions, for a
    model that can have every score, gradient or not.  Tests compare effects with exact minimisers.

Sources
    Hyvarinen, Estimation of non-normalized statistical models by score matching, JMLR 6 (2005),
    for (1).
"""
from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Callable, Iterable, Iterator

import numpy as np

from refsm.stable import log_cosh
from refsm.typing import Array
from refsm.verify.denoisers import level, total
from refsm.verify.objectives import OBJECTIVES, Term, dot

__all__ = ["Formula", "Mistake", "absolute", "clipped", "cosine", "dimensions", "every_pair",
           "half_of", "names_of_square", "of_cosine", "of_noise", "of_residual",
           "reference", "rows", "squared", "with_terms", "with_variate"]

UNBOUNDED = "the loss is unbounded below: what is learned grows without end"
ZERO = "the best score is 0 everywhere: nothing is learned from the data"
FREE = ", where the score need not be a gradient"
LONG = "the score is 0 where the data's is short, and grows without end where it is long" + FREE
SYMMETRIC = ("it is the mean, which is sought, where the distribution of the target is symmetric "
             "about it")
MEDIAN = f"the minimiser is a median of the target: {SYMMETRIC}"
OFFSET = "an offset that is the same at every point is not constrained"
ANOTHER_MEAN = f"the minimiser is another average of the target: {SYMMETRIC}"
LONG_IN_ALL = ("the best score is 0 everywhere, or it grows without end, as it does where the "
               "data's score is long in root mean square")
AT_CLEAN = "at the clean point the target averages to 0: nothing is learned from the data"
WEIGHTED = "the minimiser is the same at each level; the levels weigh differently"
LEAST_BATCH = "on one batch the minimiser is the same; over many small batches it can be another"


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    `id` is "role.name", the role being what it takes the place of; `words` is what a report says;
    `name` and `formula` are the function in its place, in symbols and in code; `effect` is what it
    does to training ("" for another minimiser of which nothing simple can be said); `seen` is where
    it was seen before.  `same` says that the minimiser is the same in expectation.
    """

    id: str
    words: str
    name: str
    formula: Callable[..., Any]
    effect: str = ""
    seen: str = ""
    same: bool = False

    @property
    def role(self) -> str:
        """What it takes the place of; "" for what is right."""
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class Formula:
    """What a loss computes, up to one coefficient per term; `constant` does not depend on theta."""

    mistakes: tuple[Mistake, ...]
    terms: tuple[Term, ...]
    constant: Term | None = None


def rows(role: str, table: Iterable[tuple], said: str = "") -> Iterator[Mistake]:
    """The mistakes of a table of (name, words, symbols, formula, effect), which take the place of
    one thing; `said` opens their words."""
    for name, words, *more in table:
        yield Mistake(f"{role}.{name}", said + words, *more)


def half_of(objective: str) -> float:
    """The factor of the squared residual: 1/2 for a score, 1 for a network's output."""
    return 0.5 if OBJECTIVES[objective].learned == "score" else 1.0


def squared(objective: str, wrong: tuple[Mistake, ...], out: Mistake, to: Mistake,
            suffix: str = "", chosen: slice = slice(None)) -> Formula:
    """half |out - to|^2 as its three terms, in the dimensions that are chosen."""
    half, (first, second) = half_of(objective), OBJECTIVES[objective].terms
    norm, product, constant = names_of_square(half, out.name + suffix, to.name + suffix)

    def of(row: Mistake) -> Callable[[Any], Array]:
        return lambda q: q.once(("vector", row.name), lambda: row.formula(q))[..., chosen]

    a, b = of(out), of(to)
    return Formula(wrong, (
        Term(first.role, norm, lambda q: total(q, half * dot(a(q), a(q)))),
        Term(second.role, product, lambda q: total(q, -2 * half * dot(a(q), b(q))))),
        Term("constant", constant, lambda q: total(q, half * dot(b(q), b(q)))))


def of_residual(wrong: tuple[Mistake, ...], square: Mistake, out: Mistake,
                to: Mistake) -> Formula:
    """A function of the residual that is no square."""
    def loss(q: Any) -> Array:
        r = out.formula(q) - to.formula(q)
        return square.formula(r) if r.ndim == 2 else total(q, np.array([*map(square.formula, r)]))

    own = f"({to.name})" if " " in to.name else to.name
    return Formula(wrong, (Term("whole", f"{square.name}, r = {out.name} - {own}", loss),))


def cosine(a: Array, b: Array) -> Array:
    """1 - cos of the angle between a and b, (n,)."""
    return 1 - dot(a, b) / np.sqrt(dot(a, a) * dot(b, b))


def of_cosine(out: Mistake, to: Mistake) -> Formula:
    """The angle between output and target in the place of their distance."""
    row = Mistake("square.cosine", "1 - the cosine of the angle between output and target in place "
                  "of the square", f"1 - cos({out.name}, {to.name})",
                  lambda q: cosine(out.formula(q), to.formula(q)),
                  "only the direction of the output is constrained, not its length by itself")
    return Formula((row,), (Term("whole", row.name, row.formula),))


def every_pair(objective: str, out: Mistake, to: Mistake) -> Formula:
    """Every output with every target: (n, 1) and (n,) are broadcast to (n, n)."""
    half, about = half_of(objective), OBJECTIVES[objective]
    name = names_of_square(half, "mean output", "mean target")[1]

    def product(q: Any) -> Array:
        return -2 * half * dot(out.formula(q), to.formula(q).mean(axis=0))

    rest = ", which averages to 0" if about.learned == "score" else ""
    row = Mistake("pairs.all", "every output is compared with every target: (n, n) in place of n",
                  name, product, f"1 / n of the right {about.learned} is learned; the rest is the "
                  f"mean of all targets{rest}")
    first, second = about.terms
    return Formula((row,), (first, Term(second.role, name, product)), about.constant)


def with_variate(objective: str, out: Mistake, to: Mistake, clean: Callable[[Any], Array],
                 where: str = "") -> Formula:
    """The target's noise taken out by a control variate, the score at the point without noise."""
    first, second = OBJECTIVES[objective].terms
    name = f"-({out.name} - {out.name} at the clean point{where}).{to.name}"
    row = Mistake(f"variate.{'small' if where else 'clean'}", "a control variate: the product of "
                  f"target and score at the clean point is added{where}", name, clean, "the same "
                  "loss in expectation; the right variate makes its gradient vary less at small "
                  "noise",
                  "sbi, whose control variate has this threshold" if where else "", True)
    variate = Term("variate", f"{out.name} at the clean point{where}.{to.name}",
                   lambda q: dot(clean(q), to.formula(q)))
    terms: tuple[Term, ...] = (first, second, variate)
    if OBJECTIVES[objective].levels != "points":             # too few thetas for three coefficients
        terms = first, Term(second.role, name, lambda q: (
            second.per_sample(q) + variate.per_sample(q)))
    return Formula((row,), terms, OBJECTIVES[objective].constant)


def reference(objective: str) -> Formula:
    """The formula of an objective without a mistake."""
    return Formula((), OBJECTIVES[objective].terms, OBJECTIVES[objective].constant)


def with_terms(right: Formula, row: Mistake, f: Callable[[Any, Term], Array]) -> Formula:
    """A formula with each term changed in the same way."""
    def of(term: Term) -> Term:
        return Term(term.role, f"{term.name}{row.name}", lambda q: f(q, term))

    constant = None if right.constant is None else of(right.constant)
    return Formula((*right.mistakes, row), tuple(map(of, right.terms)), constant)


def names_of_square(half: float, out: str, to: str) -> tuple[str, str, str]:
    """The three terms of half |out - to|^2 in symbols, as the descriptions of objectives have them.

    >>> names_of_square(0.5, "psi", "x - y")
    ('|psi|^2 / 2', '-psi.(x - y)', '|x - y|^2 / 2')
    """
    over, twice = (" / 2", "-") if half == 0.5 else ("", "-2 ")
    a, b = (f"({s})" if set(" -") & set(re.sub(r"\(.*\)", "", s)) else s for s in (out, to))
    return f"|{out}|^2{over}", f"{twice}{a}.{b}", f"|{to}|^2{over}"


def absolute(a: Array) -> Array:
    """|a| elementwise, analytic along the real axis."""
    return np.where(np.real(a) < 0, -a, a)


def huber(r: Array, t: float = 1.0) -> Array:
    """Huber's loss with the threshold t, (n,)."""
    return np.where(absolute(r).real < t, r * r / 2, t * (absolute(r) - t / 2)).sum(axis=-1)


# (name, words, suffix, slice, which dimensions are left)
DIMENSIONS: tuple[tuple[str, str, str, slice, str], ...] = (
    ("first", "only the first dimension", "[:1]", slice(0, 1), "the other dimensions"),
    ("first-two", "only the first two dimensions", "[:2]", slice(0, 2), "the other dimensions"),
    ("not-last", "the last dimension left out", "[:-1]", slice(0, -1), "the last dimension"),
    ("last", "only the last dimension", "[-1:]", slice(-1, None), "the other dimensions"),
    ("not-first", "the first dimension left out", "[1:]", slice(1, None), "the first dimension"),
    ("odd", "only every second dimension, from the first", "[::2]", slice(0, None, 2),
     "the other dimensions"),
    ("even", "only every second dimension, from the second", "[1::2]", slice(1, None, 2),
     "the other dimensions"))


def dimensions() -> Iterator[tuple[Mistake, str, slice]]:
    """Dimensions that no term reads: a mistake, and in symbols and as a slice those that are
    read."""
    for name, words, suffix, chosen, left in DIMENSIONS:
        effect = (f"{left} {'are' if left.endswith('s') else 'is'} not constrained, except through "
                  "the parameters that dimensions share")
        yield Mistake(f"dimensions.{name}", words, suffix, lambda a: a, effect), suffix, chosen


# What may stand in the place of a sum of squares of r: (name, words, symbols, function of r, effect
# on a residual, effect on the norm of the score beside a divergence).
SQUARES: tuple[tuple[str, str, str, Callable[[Array], Array], str, str], ...] = (
    ("norm", "the norm is not squared", "|r|", lambda r: np.sqrt(dot(r, r)), MEDIAN, LONG),
    ("root-mean", "the square root of the mean square", "sqrt(mean |r|^2)",
     lambda r: np.sqrt(dot(r, r).mean(keepdims=True)), LEAST_BATCH, LONG_IN_ALL),
    ("absolute", "absolute values in place of squares", "sum |r_i|",
     lambda r: absolute(r).sum(axis=-1), MEDIAN, LONG.replace("the score", "an entry", 1)),
    ("of-sum", "the sum over dimensions is squared, not its entries", "(sum r_i)^2",
     lambda r: r.sum(axis=-1)**2,
     "only the sum over dimensions is constrained, not each entry by itself", UNBOUNDED),
    ("of-mean", "the mean over points is taken before the square", "|mean r|^2",
     lambda r: dot(r.mean(axis=0), r.mean(axis=0))[None],
     "on one batch only the mean is constrained, not its points; over many batches of n "
     "independent points the minimiser is the same, with a weight in proportion to 1 / n",
     "on one batch alone the loss is unbounded below; over many batches of n independent points a "
     "multiple of the score is learned, in proportion to n"),
    ("largest", "the largest dimension in place of their sum", "max r_i^2",
     lambda r: (r * r).max(axis=-1), ANOTHER_MEAN,
     f"every entry is learned with the same length{FREE}: only their signs are right"),
    ("linear", "the entries are summed without a square", "sum r_i",
     lambda r: r.sum(axis=-1), UNBOUNDED, UNBOUNDED),
    ("fourth", "the square is squared again", "|r|^4", lambda r: dot(r, r)**2, ANOTHER_MEAN,
     f"the score's direction is learned, with the cube root of a fourth of its length{FREE}"),
    ("fourth-powers", "fourth powers in place of squares", "sum r_i^4",
     lambda r: (r**4).sum(axis=-1), ANOTHER_MEAN,
     f"the cube root of a fourth of every entry of the score is learned{FREE}"),
    ("log", "the logarithm of the squared norm", "log |r|^2", lambda r: np.log(dot(r, r)),
     "unbounded below on any sample: one point that is fitted exactly outweighs all others",
     UNBOUNDED),
    ("log-mean", "the logarithm of the mean square", "log mean |r|^2",
     lambda r: np.log(dot(r, r).mean(keepdims=True)), LEAST_BATCH, UNBOUNDED),
    ("huber", "Huber's loss in place of the square", "huber(r)", huber, ANOTHER_MEAN,
     f"right where an entry of the score is between -1 and 1; else it grows without end{FREE}"),
    ("log-cosh", "log cosh in place of the square", "sum log cosh r_i",
     lambda r: log_cosh(r).sum(axis=-1), ANOTHER_MEAN,
     "the inverse hyperbolic tangent of an entry of the score is learned where the entry is "
     f"between -1 and 1; where it is not, what is learned grows without end{FREE}"),
    ("variance", "the mean over points is subtracted before the square", "|r - mean r|^2",
     lambda r: dot(r - r.mean(axis=0), r - r.mean(axis=0)), OFFSET, OFFSET),
    ("of-entries", "the mean over dimensions is subtracted before the square", "|r - mean_i r|^2",
     lambda r: ((r - r.mean(axis=-1)[..., None])**2).sum(axis=-1),
     "an offset that is the same in all dimensions is not constrained", UNBOUNDED),
    ("of-all", "the mean over points and dimensions is subtracted before the square",
     "|r - mean_ni r|^2", lambda r: dot(r - r.mean(), r - r.mean()),
     f"{OFFSET}, where all dimensions share it", f"{OFFSET}, where all dimensions share it"))


def _pseudo_huber(r: Array, c: float) -> Array:
    """Pseudo-Huber's loss of the length of r, (n,)."""
    return np.sqrt(dot(r, r) + c * c) - c


def clipped(a: Array, t: float) -> Array:
    """The entries between -t and t, and the nearer of the two in the place of others."""
    return np.where(np.abs(a.real) < t, a, t * np.sign(a.real))


# What may stand in the place of the square of a right residual alone, with its usual constants.
ROBUST: tuple[tuple[str, str, str, Callable[[Array], Array], str], ...] = (
    *((f"pseudo-huber-{c:g}", f"pseudo-Huber's loss with c = {c:g} in place of the square",
       f"pseudo-huber(|r|), c = {c:g}", lambda r, c=c: _pseudo_huber(r, c), ANOTHER_MEAN)
      for c in (0.03, 1.0)),
    *((f"pseudo-huber-entries-{c:g}",
       f"pseudo-Huber's loss of every entry with c = {c:g} in place of its square",
       f"sum pseudo-huber(r_i), c = {c:g}",
       lambda r, c=c: _pseudo_huber(r[..., None], c).sum(axis=-1), ANOTHER_MEAN)
      for c in (0.01, 0.1, 1.0)),
    ("huber-0.1", "Huber's loss with the threshold 0.1 in place of the square", "huber(r), 0.1",
     lambda r: huber(r, 0.1), ANOTHER_MEAN),
    *((f"clipped-{t}", f"the entries of the residual are clipped to (-{t}, {t}) before the square",
       f"|r clipped to {t}|^2", lambda r, t=t: dot(clipped(r, t), clipped(r, t)),
       f"an entry that is off by more than {t} has no gradient") for t in (1, 3, 5)))
# What may stand in the place of the square of a residual, wrong or right.
OF_RESIDUAL: tuple[tuple, ...] = (*(row[:5] for row in SQUARES), *ROBUST)


def of_noise(out: Mistake, to: Mistake) -> Iterator[Formula]:
    """Functions that are no square, of sigma times the residual of a score."""
    def times(row: Mistake) -> Mistake:
        return replace(row, name=f"sigma {row.name}",
                       formula=lambda q: level(q.case, "sigma") * row.formula(q))

    noise = Mistake("residual.noise", "the residual is that of the noise, sigma times that of the "
                    "score", "sigma r", times, WEIGHTED)
    for row in rows("square", OF_RESIDUAL):
        yield of_residual((row, noise), row, times(out), times(to))
