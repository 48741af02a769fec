"""Answers regressed on the terms of formulas, group by group.

Symbols
    F formulas, C groups, T thetas per group, k terms.
    Y      (C, T)          answers
    X      (F, C, T, k+1)  the terms' values, and a column of ones
    c      (F, C, k+1)     coefficients, the intercept last
    error  (F, C, k+1)     how far each coefficient may be off
    size, tol (F, C, T)    the size of an answer's terms, and how far a right answer may be off
    P      (F, C, k+1, T)  the least-squares inverse of X
    scale  (F, C, T, k+1)  the mean of |term| over points

Equations
    (1)  c = R^-1 Q' Y,  X = Q R;  P = R^-1 Q'
    (2)  size = sum_k |c_k| scale_k + |c_intercept|;  tol = tolerance(size)
    (3)  error_k = sum_T |P_kT| (tol_T + 8 u max_T size),   u = 2^-53
    (4)  misfit = |Y - X c| / |tol|, the ratio of two Euclidean norms, the largest over groups

Derivation
    (1)  ordinary least squares, with columns scaled to length 1.  Y - X c is Y - Q Q' Y, whose
         rounding does not grow with the condition of X.
    (3)  c - c_true = P (Y - Y_true), bounded term by term; the rounding of Q R is that of its
         largest row, in all rows.
    (4)  Y - X c is the projection of Y - Y_true, which is no longer than |tol| when the formula is
         right: misfit <= 1 then.

Conventions
    Ratios of totals are not looked at: they do not depend on theta for less than half of the
    mistakes that occur.

Sources
    Ours.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Iterator, NamedTuple, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.quantities import Quantities, Unavailable
from refsm.verify.cases.reference import terms_add_up
from refsm.verify.diagnosis.precision import Tolerance
from refsm.verify.diagnosis.scaling import Scaling, Sizes
from refsm.verify.mistakes import Formula, formulas
from refsm.verify.objectives import OBJECTIVES, Term

__all__ = ["Design", "Fit", "Table", "column", "design", "fit", "fit_all", "fit_known", "table_of"]

# |R_ii| below which columns are taken for dependent: that of 19,000 formulas is < 1e-14 or > 1e-5
CONDITION = 1e-7


class Table:
    """The values of terms over cases, each computed once: rows are groups, columns their thetas."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = list(cases)
        ((self.objective, self.model),) = {(case.objective, case.model) for case in cases}
        self.about = OBJECTIVES[self.objective]
        by_group: dict[str, list[int]] = {}
        for index, case in enumerate(cases):
            by_group.setdefault(f"{case.family}/{case.model}/{case.group}", []).append(index)
        most = max(len(group) for group in by_group.values())
        self.index = np.array([g for g in by_group.values() if len(g) == most])     # (C, T)
        self.groups = [cases[first] for first, *_ in self.index]
        self._quantities = [Quantities(case) for case in cases]
        self._kept: dict[str, tuple[Array, Array] | None] = {}
        own = [self._of_cases(term) for term in self.about.all_terms]
        value, scale = np.sum(own, axis=0).T                                   # (cases,) each
        self.reference = terms_add_up(self.cases, value, scale)[self.index]    # (C, T)
        self.scale = scale[self.index]                                         # (C, T)

    @property
    def sizes(self) -> list[dict[str, float]]:
        """The sizes on which a scaling may depend, group by group."""
        return [case.sizes for case in self.groups]

    def term(self, term: Term) -> tuple[Array, Array] | None:
        """The mean over points of a term and of its absolute value, (C, T) each.

        None where the cases cannot say.
        """
        if term.name not in self._kept:
            try:
                with np.errstate(all="ignore"):
                    both = self._of_cases(term)
                mean, size = both[self.index].transpose(2, 0, 1)
                self._kept[term.name] = (mean, size) if np.isfinite(both).all() else None
            except Unavailable:
                self._kept[term.name] = None
        return self._kept[term.name]

    def combined(self, terms: Sequence[Term], scalings: Sequence[Scaling]) -> Array:
        """The sum of terms times scalings, and that of their sizes, (2, C, T)."""
        total = np.zeros((2, *self.index.shape))
        for term, scaling in zip(terms, scalings):
            given, times = self.term(term), column(scaling, self.sizes)
            assert given is not None                 # a formula that fits has its terms
            total += [times * given[0], np.abs(times) * given[1]]
        return total

    @cached_property
    def designs(self) -> list[Design]:
        """The designs of all formulas that are known for the cases."""
        return list(_designs(self, formulas(self.objective, self.model)))

    def _of_cases(self, term: Term) -> Array:
        """(cases, 2)."""
        rows = [np.ravel(term.per_sample(q)) for q in self._quantities]
        flat, lengths = np.concatenate(rows), np.array([len(row) for row in rows])
        starts = np.cumsum(lengths) - lengths
        return np.stack([np.add.reduceat(a, starts) / lengths for a in (flat, np.abs(flat))], 1)


@lru_cache(maxsize=8)        # a table takes up to 10 MB
def table_of(cases: tuple[Case, ...]) -> Table:
    """The table of cases, kept for the next implementation."""
    return Table(cases)


def column(scaling: Scaling, sizes: Sequence[Sizes]) -> Array:
    """A scaling in every group, (C, 1)."""
    return np.array([[scaling(group)] for group in sizes])


class Design(NamedTuple):
    """Formulas with the same number of terms, and what their terms say without any answers."""

    formulas: list[Formula]
    scale: Array                                                               # (F, C, T, k+1)
    Q: Array                                                                   # (F, C, T, k+1)
    P: Array                                                                   # (F, C, k+1, T)


@dataclass(frozen=True, eq=False)
class Fit:
    """One formula fitted to the answers: coefficients (C, k+1), and how badly it misses."""

    formula: Formula
    coefficients: Array
    coefficient_error: Array
    misfit: float
    distance: float          # the misfit in units of the answers' own size

    @property
    def fits(self) -> bool:
        """Whether every group is met to rounding."""
        return self.misfit <= 1


def fit(table: Table, formulas: Sequence[Formula], Y: Array, tolerance: Tolerance) -> list[Fit]:
    """Every formula whose terms the cases can evaluate and tell apart, fitted to Y (C, T)."""
    return [found for of in _designs(table, formulas) for found in fit_all(of, Y, tolerance)]


def fit_known(table: Table, Y: Array, tolerance: Tolerance) -> list[Fit]:
    """The same of all formulas that are known, of which everything but Y is computed once."""
    return [found for of in table.designs for found in fit_all(of, Y, tolerance)]


def _designs(table: Table, formulas: Sequence[Formula]) -> Iterator[Design]:
    """The designs of the formulas whose terms the cases can evaluate, by their number of terms."""
    for k in {len(formula.terms) for formula in formulas}:
        able, columns = [], []
        for formula in formulas:
            if len(formula.terms) == k:
                values = [table.term(term) for term in formula.terms]
                if all(v is not None for v in values):
                    able.append(formula)
                    columns.append(values)
        if able and table.index.shape[1] > k + 1:
            yield design(able, np.array(columns))


def design(formulas: Sequence[Formula], columns: Array) -> Design:
    """The formulas that can be told apart, of those with columns (F, k, 2, C, T)."""
    X, scale = np.moveaxis(columns, (1, 2), (-1, 0))                           # (F, C, T, k) each
    ones = np.ones((*X.shape[:-1], 1))
    X, scale = np.concatenate([X, ones], axis=-1), np.concatenate([scale, ones], axis=-1)
    length = np.linalg.norm(X, axis=2, keepdims=True)                          # (F, C, 1, k+1)
    length = np.maximum(length, np.finfo(float).tiny)
    Q, R = np.linalg.qr(X / length)
    sound = (np.abs(np.einsum("fcii->fci", R)) > CONDITION).all(axis=(1, 2))
    scale, Q, R, length = (a[sound] for a in (scale, Q, R, length))
    Q_t, length = (np.swapaxes(a, -1, -2) for a in (Q, length))
    P = np.linalg.solve(R, Q_t) / length                                  # (F, C, k+1, T)  (1)
    return Design([formula for formula, is_sound in zip(formulas, sound) if is_sound], scale, Q, P)


def fit_all(of: Design, Y: Array, tolerance: Tolerance) -> list[Fit]:
    """The formulas of a design fitted to Y (C, T)."""
    formulas, scale, Q, P = of
    c = np.einsum("fckt,ct->fck", P, Y)                                        # (F, C, k+1)  (1)
    along = np.einsum("fctk,ct->fck", Q, Y)
    rest = Y - np.einsum("fctk,fck->fct", Q, along)
    size = np.einsum("fctk,fck->fct", scale, np.abs(c))                        # (F, C, T)  (2)
    tol, of_qr = tolerance(size), 8 * 2.0**-53 * size.max(axis=-1, keepdims=True)
    error = np.einsum("fckt,fct->fck", np.abs(P), tol + of_qr)                 # (F, C, k+1)  (3)
    missed, tiny = np.linalg.norm(rest, axis=2), np.finfo(float).tiny          # (F, C)
    misfit = (missed / np.maximum(np.linalg.norm(tol, axis=2), tiny)).max(axis=1)    # (F,)  (4)
    distance = (missed / np.maximum(np.linalg.norm(Y, axis=1), tiny)).max(axis=1)    # (F,)
    return list(map(Fit, formulas, c, error, misfit.tolist(), distance.tolist()))
