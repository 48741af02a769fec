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
    with the same meaning.  A gradient that is 0 to the rounding of its loss is 0.

Sources
    Ours.
"""
from __future__ import annotations

from dataclasses import replace
from itertools import compress
from typing import Mapping, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.derivatives import SYMMETRIC, paths, symmetric, term_gradient
from refsm.verify.diagnosis.explanation import Explanation
from refsm.verify.diagnosis.findings import (SLOPE, Column, Finding, named, no_scaling,
                                              together, unweighted)
from refsm.verify.diagnosis.precision import MIXED, Tolerance
from refsm.verify.diagnosis.regression import Fit, Table
from refsm.verify.diagnosis.scaling import Scaling
from refsm.verify.diagnosis.scaling_fit import fit_scaling
from refsm.verify.objectives import Term

__all__ = ["diagnose_gradients", "diagnose_in_both", "not_compared"]

UNNAMED = ("unexplained", "some", "coefficients")            # what single precision may explain
TINY = np.finfo(float).tiny
OF_JACOBIAN = ("divergence", "penalty")                      # the terms that read the Jacobian


def diagnose_gradients(table: Table, gradients: Sequence[Mapping[str, Array]],
                       explained: Explanation | Fit, tolerance: Tolerance) -> list[Finding]:
    """One finding per block whose gradient is not that of the value, none where all are right.

    `gradients` are those of the table's cases.  `explained` is what explains the values: scalings
    of the terms of a formula, or coefficients group by group.
    """
    if isinstance(explained, Fit):
        terms = explained.formula.terms
        c, error = (a[:, :-1] for a in (explained.coefficients, explained.coefficient_error))
        tolerance = replace(tolerance, relative=max(tolerance.relative,
                                                    float(error.max() / np.abs(c).max())))
    else:
        terms = explained.fit.formula.terms
        c = np.array([[scaling(group) for scaling in explained.scalings] for group in table.sizes])
    findings, ways = [], paths(table.groups[0])
    for block in ways:
        answered = sum(block in gradients[i] for i in table.index.flat)
        if answered < table.index.size:
            some = f" in {table.index.size - answered} of {table.index.size} cases"
            words = f"no gradient for {{}} was returned{some if answered else ''}"
            findings.append(Finding(block, "missing", words))
            continue
        finding = _Block(block, ways[block], table, gradients, terms, c, tolerance).finding()
        half = finding is not None and str(finding.scaling) == "1 / 2"
        if half and block in _symmetric(table) and _triangle(gradients, block):
            finding = Finding(block, "triangle", "only one triangle of the gradient for {} is "
                              "there: the other, where half of it belongs, is 0")
        if finding is not None:
            findings.append(finding)
    return together(_with_slope(findings), list(ways))


def diagnose_in_both(table: Table, gradients: Sequence[Mapping[str, Array]],
                     explained: Explanation | Fit,
                     tolerance: Tolerance) -> tuple[list[Finding], bool]:
    """The findings, and whether the allowance of single precision was needed: for float32 inside
    gradients of float64 values, and for finite differences."""
    findings = diagnose_gradients(table, gradients, explained, tolerance)
    if not any(finding.kind in UNNAMED for finding in findings):
        return findings, False
    allowed = diagnose_gradients(table, gradients, explained, MIXED)
    better = not any(finding.kind in UNNAMED for finding in allowed)
    return (allowed, True) if better else (findings, False)


def not_compared(table: Table, gradients: Sequence[Mapping[str, Array]]) -> tuple[str, ...]:
    """What the gradient of a symmetric matrix cannot show, for the report."""
    out = []
    for block, zero_diagonal in _symmetric(table).items():
        given = [g[block] for g in gradients if block in g]
        uneven = any(np.abs(g - g.T).max() > 1e-3 * np.abs(g).max() for g in given)
        uneven = uneven and not _triangle(gradients, block)
        out.append(f"{block} is symmetric{' with a diagonal of 0' if zero_diagonal else ''}: only "
                   f"(G + G') / 2{' off the diagonal' if zero_diagonal else ''} of its gradient G "
                   f"is compared{', and yours is not symmetric' if uneven else ''}")
    return tuple(out)


def _symmetric(table: Table) -> dict[str, bool]:
    """The blocks that are symmetric matrices, and whether their diagonals are 0."""
    return SYMMETRIC.get(table.model or "", {})


def _triangle(gradients: Sequence[Mapping[str, Array]], block: str) -> bool:
    """Whether all answers for a symmetric matrix are upper triangles, or all are lower ones."""
    given = [g[block] for g in gradients if block in g]
    return any(all((part(g) == g).all() for g in given) for part in (np.triu, np.tril))


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

    def __init__(self, block: str, ways: Sequence[str], table: Table,
                 gradients: Sequence[Mapping[str, Array]], terms: Sequence[Term],
                 coefficients: Array, tolerance: Tolerance) -> None:
        self.block, self.table, self.terms, self.tolerance = block, table, terms, tolerance
        self.count = int(coefficients.any(axis=0).sum())          # of the terms in the value
        self.columns = [(k, path) for k in range(len(terms)) for path in ways]
        self.coefficients, cases = coefficients[:, [k for k, _ in self.columns]], table.cases
        self.X = [np.array([[term_gradient(cases[i], terms[k], path, [block])[block].ravel()
                             for i in group] for k, path in self.columns])
                  for group in table.index]                                # (k, T, entries) each
        self.G = [np.array([symmetric(cases[i], {block: gradients[i][block]})[block].ravel()
                            for i in group]) for group in table.index]     # (T, entries)
        self.right = [np.tensordot(own, X, 1) for own, X in zip(self.coefficients, self.X)]
        self.size = [np.abs(own) @ _largest(X) for own, X in zip(self.coefficients, self.X)]
        sizes = np.array([table.term(term) for term in terms])[:, 1]       # (terms, C, T)
        self.loss = np.einsum("ck,kct->ct", np.abs(coefficients), sizes)

    def finding(self) -> Finding | None:
        """What is wrong, if anything."""
        good, without = self._close(self.right), self._is_zero(self.right)
        if good.all() or without and self._is_zero(self.G):
            return None
        if self._is_zero(self.G):
            return Finding(self.block, "zero", "the gradient for {} is 0: the parameter is not in "
                           "the graph, or was frozen")
        used = [k for k in range(len(self.columns)) if not self._is_zero([X[k] for X in self.X])]
        found = self._coefficients(used)
        if found is not None:
            return self._of_coefficients(used, *found)
        if self._close([r.reshape(-1, *case.theta[self.block].shape)[:, ::-1].reshape(r.shape)
                        for r, case in zip(self.right, self.table.groups)]).all():
            return Finding(self.block, "order", "the gradient for {} is the right one, of the "
                           "opposite order")
        decay = self._decay()
        if decay:
            return Finding(self.block, "decay", f"the gradient for {{}} has {decay:.6g} times the "
                           "parameter too much: a weight decay that the value does not have")
        if without:
            return Finding(self.block, "unexplained", "the gradient for {} is not 0, but the value "
                           "does not depend on {}")
        if good.any():
            wrong = [self.table.cases[i].id for i in self.table.index[~good]]
            where = f"{', '.join(wrong[:3])}{' ...' if len(wrong) > 3 else ''}"
            return Finding(self.block, "some", f"the gradient for {{}} is wrong in {len(wrong)} of "
                           f"{good.size} cases ({where}), by no mistake that is known")
        off = np.array([np.abs(g - r).max(axis=1) / np.maximum(np.abs(r).max(axis=1), TINY)
                        for g, r in zip(self.G, self.right)])                     # (C, T)
        worst = self.table.cases[self.table.index[off == off.max()][0]].id
        return Finding(self.block, "unexplained", f"the gradient for {{}} is off by {off.max():.2g}"
                       f" of its largest entry ({worst}), and no mistake that is known explains it")

    def _decay(self) -> float:
        """t, where the gradient is the right one plus t theta; 0 where it is not."""
        theta = [np.array([self.table.cases[i].theta[self.block].ravel() for i in group])
                 for group in self.table.index]
        pairs = [((g - r) / loss[:, None], a / loss[:, None])         # in units of their rounding
                 for g, r, a, loss in zip(self.G, self.right, theta, self.loss)]
        t = sum((d * a).sum() for d, a in pairs) / sum((a * a).sum() for _, a in pairs)
        near = self._close([r + t * a for r, a in zip(self.right, theta)])
        return float(t) if near.all() else 0.0

    def _close(self, expected: Sequence[Array]) -> Array:
        """Which gradients are as expected, (C, T)."""
        return np.array([_largest(g - r) <= self.tolerance(size + _largest(r))
                         for g, r, size in zip(self.G, expected, self.size)])

    def _is_zero(self, gradients: Sequence[Array]) -> bool:
        """Whether they are 0 in all groups, to the rounding of a loss of this size."""
        return all((_largest(g) <= self.tolerance(loss)).all()
                   for g, loss in zip(gradients, self.loss))

    def _of_coefficients(self, used: list[int], c: Array, error: Array) -> Finding | None:
        """The finding of coefficients, relative to those of the terms in the value."""
        columns, own = [self.columns[k] for k in used], self.coefficients[:, used]
        in_value = np.abs(own).max(axis=0) > 0
        added = ~in_value & (np.abs(c) > error).any(axis=0)
        if added.any():
            names = dict.fromkeys(self.terms[k].name for k, _ in compress(columns, added))
            return Finding(self.block, "added", f"the gradient for {{}} has {' and '.join(names)} "
                           "in it, which the value does not have")
        columns, own = list(compress(columns, in_value)), own[:, in_value]
        ratio, error = c[:, in_value] / own, error[:, in_value] / np.abs(own)
        found = self._scalings(ratio, error)
        inside = {k for k, path in columns
                  if path == "decoder" and self.terms[k].role in OF_JACOBIAN}
        ways = [path for _, path in columns]
        if inside and len(set(zip(ways, found))) != len(set(ways)):    # not one for each path
            columns, ratio, error = _into_the_jacobian(columns, inside, ratio, error)
            found = self._scalings(ratio, error)
        if found:
            return named(self.block, columns, found, self.terms, self.count)
        plain = set(self._scalings(ratio * own, error * np.abs(own)))
        if len(plain) == 1 and len({k for k, _ in columns}) == self.count:
            return unweighted(self.block, *plain)
        return no_scaling(self.block, columns, ratio * own, self.terms)

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
            if not length.all():
                return None
            P = np.linalg.pinv(A / length, rcond=1e-9) / length[:, None]
            c = P @ g                                                         # (k,)  (1)
            tol = np.repeat(self.tolerance(np.abs(c) @ _largest(X[used])), X.shape[-1])
            if np.linalg.norm(g - A @ c) > np.linalg.norm(tol):
                return None
            cs.append(c)
            errors.append(np.abs(P) @ tol)
        return np.array(cs), np.array(errors)


def _largest(gradients: Array) -> Array:
    """The largest absolute entry of each gradient: (..., T, entries) gives (..., T)."""
    return np.abs(gradients).max(axis=-1)


def _into_the_jacobian(used: list[Column], inside: set[int], ratio: Array,
                       error: Array) -> tuple[list[Column], Array, Array]:
    """The same with the slope and the factors in place of the encoder and the decoder, in the terms
    that read the Jacobian."""
    used, ratio, error = list(used), ratio.copy(), error.copy()
    for k in inside:
        encoder, decoder = used.index((k, "encoder")), used.index((k, "decoder"))
        for a in (ratio, error):
            a[:, decoder] = (a[:, encoder] + a[:, decoder]) / 2               # (C,)  (2)
        used[encoder], used[decoder] = (k, "slope"), (k, "factors")
    return used, ratio, error
