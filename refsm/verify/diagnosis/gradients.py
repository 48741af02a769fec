"""Gradients, block by block: how the gradient of a right value is wrong says what was detached.

For each block of parameters the answered gradients of a group are regressed on the gradients of the
terms of the formula that explains the values, path by path (through the encoder or the decoder, the
point or its flipped neighbours).  A coefficient of 1 is right, 0 means that this term, or this
path, is not in the graph, and a scaling over groups says by what it was multiplied.

Symbols
    C groups, k columns: a term of the formula along one path.
    g      (entries,)      the answered gradients of one block and group, theta after theta
    A      (entries, k)    the gradients of the columns
    c      (C, k)          coefficients
    P      (k, entries)    the pseudo-inverse of A

Equations
    (1)  c = P g, by group and block
    (2)  slope = encoder,  factors = (encoder + decoder) / 2    of the two ways into a Jacobian

Derivation
    (1)  The gradient of a sum of terms with coefficients is the sum of their gradients with the
         same coefficients, along every path; so the ratio of c to these is 1 where nothing is
         wrong.
    (2)  The autoencoder's J_ik = sum_j W_ji s_j (1 - s_j) W_jk / sigma^2 - ... has W in the slope
         and twice as a factor.  The encoder's path is the slope and one factor, the decoder's the
         other factor, with the same gradient: a (slope + f) + b f = a slope + (a + b) f, and 2 f
         when both are right.

Conventions
    A gradient for a symmetric matrix is compared after taking its symmetric part, and without a
    diagonal that is held at 0: a framework that differentiates all entries returns another array
    with the same meaning.

Sources
    Ours.
"""
from __future__ import annotations

from itertools import compress
from typing import Mapping, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.derivatives import SYMMETRIC, paths, symmetric, term_gradient
from refsm.verify.diagnosis.explanation import Explanation
from refsm.verify.diagnosis.findings import SLOPE, Column, Finding, named, no_scaling, together
from refsm.verify.diagnosis.precision import FLOAT32, MIXED, Tolerance
from refsm.verify.diagnosis.regression import Fit, Table
from refsm.verify.diagnosis.scaling import Scaling
from refsm.verify.diagnosis.scaling_fit import fit_scaling
from refsm.verify.objectives import Term

__all__ = ["diagnose_gradients", "diagnose_in_both", "not_compared"]

UNNAMED = ("unexplained", "some", "coefficients")            # what single precision may explain
OF_JACOBIAN = ("divergence", "penalty")                      # the terms that read the Jacobian


def diagnose_gradients(table: Table, cases: Sequence[Case],
                       gradients: Sequence[Mapping[str, Array]], explained: Explanation | Fit,
                       tolerance: Tolerance) -> list[Finding]:
    """One finding per block whose gradient is not that of the value, none where all are right.

    `explained` is what explains the values: scalings of the terms of a formula, or coefficients
    group by group.
    """
    if isinstance(explained, Fit):
        terms, c = explained.formula.terms, explained.coefficients[:, :-1]
        relative = float((explained.coefficient_error[:, :-1] / np.abs(c).max()).max())
    else:
        terms, relative = explained.fit.formula.terms, 0.0
        c = np.array([[scaling(group) for scaling in explained.scalings] for group in table.sizes])
    if "float32" in tolerance.name:
        relative = max(relative, FLOAT32.relative)
    tolerance = Tolerance(tolerance.name, max(tolerance.relative, relative), tolerance.absolute)
    findings = []
    for block in cases[0].theta:
        answered = sum(block in gradients[i] for group in table.index for i in group)
        if answered < table.index.size:
            some = f" in {table.index.size - answered} of {table.index.size} cases"
            words = f"no gradient for {{}} was returned{some if answered else ''}"
            findings.append(Finding(block, "missing", words))
            continue
        finding = _Block(block, table, gradients, terms, c, tolerance).finding()
        half = finding is not None and str(finding.scaling) == "1 / 2"
        if half and _triangle(cases, gradients, block):
            finding = Finding(block, "triangle", "only one triangle of the gradient for {} is "
                              "there: the other, where half of it belongs, is 0")
        if finding is not None:
            findings.append(finding)
    return together(_with_slope(findings), list(cases[0].theta))


def diagnose_in_both(table: Table, cases: Sequence[Case],
                     gradients: Sequence[Mapping[str, Array]], explained: Explanation | Fit,
                     tolerance: Tolerance) -> tuple[list[Finding], bool]:
    """The findings, and whether the allowance of single precision was needed: for float32 inside
    gradients of float64 values, and for finite differences."""
    findings = diagnose_gradients(table, cases, gradients, explained, tolerance)
    if not any(finding.kind in UNNAMED for finding in findings):
        return findings, False
    allowed = diagnose_gradients(table, cases, gradients, explained, MIXED)
    better = not any(finding.kind in UNNAMED for finding in allowed)
    return (allowed, True) if better else (findings, False)


def not_compared(cases: Sequence[Case],
                 gradients: Sequence[Mapping[str, Array]]) -> tuple[str, ...]:
    """What the gradient of a symmetric matrix cannot show, for the report."""
    out = []
    for block, zero_diagonal in SYMMETRIC.get(cases[0].model or "", {}).items():
        given = [np.asarray(g[block]) for g in gradients if block in g]
        uneven = any(np.abs(g - g.T).max() > 1e-3 * np.abs(g).max() for g in given)
        uneven = uneven and not _triangle(cases, gradients, block)
        out.append(f"{block} is symmetric{' with a diagonal of 0' if zero_diagonal else ''}: only "
                   f"(G + G') / 2{' off the diagonal' if zero_diagonal else ''} of its gradient G "
                   f"is compared{', and yours is not symmetric' if uneven else ''}")
    return tuple(out)


def _triangle(cases: Sequence[Case], gradients: Sequence[Mapping[str, Array]], block: str) -> bool:
    """Whether all answers for a symmetric matrix are upper triangles, or all are lower ones."""
    if block not in SYMMETRIC.get(cases[0].model or "", {}):
        return False
    given = [np.asarray(g[block]) for g in gradients if block in g]
    return (not any(np.tril(g, -1).any() for g in given)
            or not any(np.triu(g, 1).any() for g in given))


def _with_slope(findings: list[Finding]) -> list[Finding]:
    """A bias reaches a Jacobian through the slope alone: its detached term is named as the slope
    where the weights' finding is."""
    known = {finding.words for finding in findings}
    out = []
    for finding in findings:
        slope = finding.words.replace("the term ", SLOPE).replace(
            " is detached: its gradient", " is detached: its share of the gradient")
        detached = finding.kind == "detached" and slope in known
        out.append(Finding(finding.block, "path", slope) if detached else finding)
    return out


class _Block:
    """The answered gradients of one block beside those of the terms, group by group."""

    def __init__(self, block: str, table: Table, gradients: Sequence[Mapping[str, Array]],
                 terms: Sequence[Term], coefficients: Array, tolerance: Tolerance) -> None:
        self.block, self.table, self.tolerance, cases = block, table, tolerance, table.cases
        self.columns = [(k, path) for k in range(len(terms)) for path in paths(cases[0])[block]]
        self.terms, self.coefficients = terms, coefficients[:, [k for k, _ in self.columns]]
        self.X = [np.array([[term_gradient(cases[i], terms[k], path, [block])[block]
                             for i in group] for k, path in self.columns])
                  for group in table.index]                                 # (k, T, ...) each
        self.G = [np.array([symmetric(cases[i], {block: np.asarray(gradients[i][block], float)}
                                      )[block] for i in group]) for group in table.index]
        self.right = [np.tensordot(own, X, 1) for own, X in zip(self.coefficients, self.X)]

    def _largest(self, a: Array) -> Array:
        """The largest absolute entry of each gradient: (..., T, block) gives (..., T)."""
        return np.abs(a).max(axis=tuple(range(-self.table.cases[0].theta[self.block].ndim, 0)))

    def finding(self) -> Finding | None:
        """What is wrong, if anything."""
        good = self._close(self.right)
        if good.all():
            return None
        scale = max(float(np.abs(r).max()) for r in self.right)
        if all(np.abs(g).max() <= self.tolerance(scale) for g in self.G):
            return Finding(self.block, "zero", "the gradient for {} is 0: the parameter is not in "
                           "the graph, or was frozen")
        used = [k for k in range(len(self.columns)) if any(X[k].any() for X in self.X)]
        found = self._coefficients(used)
        if found is not None:
            return self._of_coefficients(used, *found)
        for words, change in (("transposed", lambda r: np.swapaxes(r, 1, -1)),
                              ("of the opposite order", lambda r: r[:, ::-1])):
            if self._close([change(r) for r in self.right]).all():
                return Finding(self.block, "transposed",
                               f"the gradient for {{}} is the right one, {words}")
        decay = self._decay()
        if decay:
            return Finding(self.block, "decay", f"the gradient for {{}} has {decay:.6g} times the "
                           "parameter too much: a weight decay that the value does not have")
        if good.any():
            wrong = [self.table.cases[i].id for i in self.table.index[~good]]
            where = f"{', '.join(wrong[:3])}{' ...' if len(wrong) > 3 else ''}"
            return Finding(self.block, "some", f"the gradient for {{}} is wrong in {len(wrong)} of "
                           f"{good.size} cases ({where}), by no mistake that is known")
        off = max(float(np.abs(g - r).max()) for g, r in zip(self.G, self.right)) / scale
        return Finding(self.block, "unexplained", f"the gradient for {{}} is off by {off:.2g} of "
                       "its largest entry, and no mistake that is known explains it")

    def _decay(self) -> float:
        """t, where the gradient is the right one plus t theta; 0 where it is not."""
        theta = [np.array([self.table.cases[i].theta[self.block] for i in group])
                 for group in self.table.index]
        t = (sum(((g - r) * a).sum() for g, r, a in zip(self.G, self.right, theta))
             / sum((a * a).sum() for a in theta))
        near = self._close([r + t * a for r, a in zip(self.right, theta)])
        return float(t) if near.all() else 0.0

    def _close(self, expected: Sequence[Array]) -> Array:
        """Which gradients are as expected, (C, T)."""
        def close(g: Array, r: Array, X: Array) -> Array:
            if g.shape != r.shape:
                return np.zeros(len(g), dtype=bool)
            size = self._largest(X).sum(axis=0) + self._largest(r)
            return self._largest(g - r) <= self.tolerance(size)

        return np.array([close(*group) for group in zip(self.G, expected, self.X)])

    def _of_coefficients(self, used: list[int], c: Array, error: Array) -> Finding | None:
        """The finding of coefficients, relative to those of the terms in the value."""
        in_value = np.abs(self.coefficients[:, used]).max(axis=0) > 0
        added = ~in_value & ((np.abs(c) - error).max(axis=0) > 0)
        if added.any():
            names = dict.fromkeys(self.terms[self.columns[k][0]].name
                                  for k in compress(used, added))
            return Finding(self.block, "added", f"the gradient for {{}} has {' and '.join(names)} "
                           "in it, which the value does not have")
        c, error, own = c[:, in_value], error[:, in_value], self.coefficients[:, used][:, in_value]
        columns = [self.columns[k] for k in compress(used, in_value)]
        inside = {k for k, path in columns
                  if path == "decoder" and self.terms[k].role in OF_JACOBIAN}
        found = self._scalings(c / own, error / np.abs(own))
        if inside and not (found and _by_term_or_path(columns, found)):
            columns, c, error = _into_the_jacobian(columns, inside, c, error)
            found = self._scalings(c / own, error / np.abs(own))
        if found:
            there = np.abs(self.coefficients).max(axis=0) > 0
            in_all = {k for k, _ in compress(self.columns, there)}
            return named(self.block, columns, found, self.terms, len(in_all))
        return no_scaling(self.block, columns, c, self.terms)

    def _scalings(self, ratio: Array, error: Array) -> list[Scaling]:
        """The scaling of each column of ratios; none where one of them has none."""
        sizes = self.table.sizes
        best = error.max(axis=0).argmin()            # the column that is known best
        if (np.abs(ratio - ratio[:, [best]]) <= error + error[:, [best]]).all():
            found = [fit_scaling(ratio[:, best], error[:, best], sizes)] * ratio.shape[1]
        else:
            found = [fit_scaling(r, e, sizes) for r, e in zip(ratio.T, error.T)]
        return [] if None in found else found                              # type: ignore

    def _coefficients(self, used: list[int]) -> tuple[Array, Array] | None:
        """c and its error, (C, k) each, or None where some group is not met to rounding."""
        cs, errors = [], []
        for X, G in zip(self.X, self.G):
            A, g = X[used].reshape(len(used), -1).T, G.ravel()
            length = np.linalg.norm(A, axis=0)
            if (length == 0).any() or A.shape[0] <= A.shape[1]:
                return None
            P = np.linalg.pinv(A / length, rcond=1e-9) / length[:, None]
            c = P @ g                                                         # (k,)  (1)
            tol = np.repeat(self.tolerance(np.abs(c) @ self._largest(X[used])), G[0].size)
            if np.linalg.norm(g - A @ c) > np.linalg.norm(tol):
                return None
            cs.append(c)
            errors.append(np.abs(P) @ tol)
        return np.array(cs), np.array(errors)


def _into_the_jacobian(used: list[Column], inside: set[int], c: Array,
                       error: Array) -> tuple[list[Column], Array, Array]:
    """The same with the slope and the factors in place of the encoder and the decoder, in the terms
    that read the Jacobian."""
    used, c, error = list(used), c.copy(), error.copy()
    for k in inside:
        encoder, decoder = used.index((k, "encoder")), used.index((k, "decoder"))
        for a in (c, error):
            a[:, decoder] = (a[:, encoder] + a[:, decoder]) / 2               # (C,)  (2)
        used[encoder], used[decoder] = (k, "slope"), (k, "factors")
    return used, c, error


def _by_term_or_path(used: list[Column], ratios: Sequence[Scaling | None]) -> bool:
    """Whether one factor for each term, or one for each path, is all."""
    return any(len({(column[which], ratio) for column, ratio in zip(used, ratios)})
               == len({column[which] for column in used}) for which in (0, 1))
