"""Answers regressed on the parts of formulas, cell by cell.

Symbols
    F formulas, C cells, T thetas a cell, k parts.
    Y      (C, T)          answers
    X      (F, C, T, k+1)  the parts' values, and a column of ones
    c      (F, C, k+1)     coefficients, the intercept last
    slack  (F, C, k+1)     how far each may be off
    tol    (F, C, T)       how far a right answer may be off
    P      (F, C, k+1, T)  the least-squares inverse of X

Equations
    (1)  c = P Y,  P = R^-1 Q',  X = Q R
    (2)  tol = unit( sum_k |c_k| scale_k + |c_intercept| ),  scale_k the mean of |part_k| over points
    (3)  slack_k = sum_T |P_kT| tol_T
    (4)  misfit = |Y - X c| / |tol|, the ratio of two Euclidean norms, the largest over cells

Derivation
    (1)  ordinary least squares, with columns scaled to length 1.
    (3)  c - c_true = P (Y - Y_true), bounded term by term.
    (4)  Y - X c is the projection of Y - Y_true, which is no longer than |tol| when the formula is right: misfit <= 1 then.

Conventions
    Ratios of totals are not looked at: they do not depend on theta for less than half of the mistakes that occur.

Sources
    Ours.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.bank import Formula
from refsm.verify.cases import Case
from refsm.verify.precision import Unit
from refsm.verify.quantities import Quantities, Unavailable
from refsm.verify.terms import CONSTANT, TERMS, Part

__all__ = ["Table", "Fit", "fit"]

CONDITION = 1e-7          # columns closer to dependent than this are not told apart


class Table:
    """The values of parts over cases, each computed once: rows are cells, columns the thetas of a cell."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = list(cases)
        groups: dict[str, list[int]] = {}
        for index, case in enumerate(cases):
            groups.setdefault(f"{case.family}/{case.model}/{case.cell}", []).append(index)
        most = max(len(group) for group in groups.values())
        self.index = np.array([group for group in groups.values() if len(group) == most])     # (C, T)
        self.cells = [cases[group[0]] for group in self.index]
        self._quantities = [Quantities(case) for case in cases]
        self._kept: dict[str, tuple[Array, Array] | None] = {}

    @property
    def sizes(self) -> list[dict[str, float]]:
        """The sizes on which a law may depend, cell by cell."""
        return [{"d": c.d, "n": c.n, **({"M": c.M} if "directions" in c.arrays else {}), **c.hyper} for c in self.cells]

    def scale(self) -> Array:
        """The sum of absolute terms of the reference, (C, T): what its rounding is measured in."""
        objective = self.cases[0].objective
        parts = TERMS[objective] + ((CONSTANT[objective],) if objective in CONSTANT else ())
        return sum((values[1] for part in parts if (values := self.part(part)) is not None), np.zeros(self.index.shape))

    def part(self, part: Part) -> tuple[Array, Array] | None:
        """The mean over points of a part and of its absolute value, (C, T) each; None where the cases cannot say."""
        if part.name not in self._kept:
            try:
                with np.errstate(all="ignore"):
                    rows = [np.asarray(part.per_sample(q)) for q in self._quantities]
                    both = np.array([[row.mean(), np.abs(row).mean()] for row in rows])
                self._kept[part.name] = (both[:, 0][self.index], both[:, 1][self.index]) if np.isfinite(both).all() else None
            except Unavailable:
                self._kept[part.name] = None
        return self._kept[part.name]


@dataclass(frozen=True, eq=False)
class Fit:
    """One formula fitted to the answers: coefficients (C, k+1), their slack, and how badly it misses."""

    formula: Formula
    coefficients: Array
    slack: Array
    misfit: float
    distance: float          # the misfit in units of the answers' own size

    @property
    def fits(self) -> bool:
        """Whether every cell is met to rounding."""
        return self.misfit <= 1


def fit(table: Table, formulas: Sequence[Formula], Y: Array, unit: Unit) -> list[Fit]:
    """Every formula whose parts the cases can evaluate and tell apart, fitted to the answers Y (C, T)."""
    out: list[Fit] = []
    for k in {len(formula.parts) for formula in formulas}:
        group, columns = [], []
        for formula in formulas:
            if len(formula.parts) == k:
                values = [table.part(part) for part in formula.parts]
                if all(v is not None for v in values):
                    group.append(formula)
                    columns.append(values)
        if group and Y.shape[1] > k + 1:
            out += _fit_group(group, np.array(columns), Y, unit)
    return out


def _fit_group(formulas: list[Formula], columns: Array, Y: Array, unit: Unit) -> list[Fit]:
    X = np.moveaxis(columns[:, :, 0], 1, -1)                                            # (F, C, T, k)
    scale = np.moveaxis(columns[:, :, 1], 1, -1)
    ones = np.ones((*X.shape[:-1], 1))
    X, scale = np.concatenate([X, ones], axis=-1), np.concatenate([scale, ones], axis=-1)
    length = np.sqrt((X * X).sum(axis=2, keepdims=True))                                # (F, C, 1, k+1)
    length = np.where(length > 0, length, 1)
    Q, R = np.linalg.qr(X / length)
    sound = (np.abs(np.einsum("fcii->fci", R)) > CONDITION).all(axis=(1, 2))
    R = np.where(sound[:, None, None, None], R, np.eye(R.shape[-1]))
    P = np.linalg.solve(R, np.swapaxes(Q, -1, -2)) / np.swapaxes(length, -1, -2)        # (F, C, k+1, T)
    c = np.einsum("fckt,ct->fck", P, Y)                                                 # (F, C, k+1)  (1)
    rest = Y - np.einsum("fctk,fck->fct", X, c)
    tol = unit(np.einsum("fctk,fck->fct", scale, np.abs(c)))                            # (F, C, T)  (2)
    slack = np.einsum("fckt,fct->fck", np.abs(P), tol)                                  # (F, C, k+1)  (3)
    long = np.sqrt((rest * rest).sum(axis=2))
    misfit = (long / np.maximum(np.sqrt((tol * tol).sum(axis=2)), np.finfo(float).tiny)).max(axis=1)                # (F,)  (4)
    distance = (long / np.sqrt((Y * Y).sum(axis=1) + np.finfo(float).tiny)).max(axis=1)
    return [Fit(formula, c[f], slack[f], float(misfit[f]), float(distance[f])) for f, formula in enumerate(formulas) if sound[f]]
