"""Gradients, block by block: the gradient of a right value can be wrong, and how it is wrong says what was detached.

For each block of parameters the answered gradients of a cell are regressed on the gradients of the parts of the formula that explains
the values, path by path (through the encoder or the decoder, the point or its flipped neighbours).  A coefficient of 1 is right, 0 means that
this term, or this path, is not in the graph, and a law over cells says by what it was multiplied.

Symbols
    C cells, k columns: a part of the formula along one path.
    G      (entries,)      the answered gradients of one block and cell, theta after theta
    X      (entries, k)    the gradients of the columns
    c      (C, k)          coefficients
    R      law             what a coefficient is, relative to the law of its part in the value

Equations
    (1)  c = least squares of G on X, by cell and block
    (2)  slope = encoder,  factors = (encoder + decoder) / 2      the coefficients of the two ways into a Jacobian

Derivation
    (1)  The gradient of sum_k L_k part_k is sum_k L_k grad part_k, along every path; so R = 1 where nothing is wrong.
    (2)  The autoencoder's J_ik = sum_j W_ji s_j (1 - s_j) W_jk / sigma^2 - ... has W in the slope and twice as a factor.  The encoder's path is the slope and
         one factor, the decoder's the other factor, with the same gradient: a (slope + f) + b f = a slope + (a + b) f, and 2 f when both are right.

Conventions
    A gradient for a symmetric matrix is compared after taking its symmetric part, and without a diagonal that is held at 0: a framework that does not
    know of the symmetry returns another array with the same meaning.

Sources
    Ours.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases import Case
from refsm.verify.laws import ONE, Law, fit_law
from refsm.verify.precision import FLOAT32, Unit
from refsm.verify.reading import Reading
from refsm.verify.regression import Table
from refsm.verify.terms import TERMS, Part, part_gradient, paths, symmetric

__all__ = ["Finding", "diagnose_gradients", "not_compared"]

SYMMETRIC = {"gaussian": "precision", "boltzmann": "W"}      # the parameter of a model that is a symmetric matrix
OF_JACOBIAN = ("divergence", "penalty")                      # the parts that read the Jacobian


@dataclass(frozen=True)
class Finding:
    """What is wrong with the gradient of a block, or of several: the kind, in one word, and words with a place for the block's name."""

    block: str
    kind: str
    words: str
    law: Law | None = None

    @property
    def text(self) -> str:
        """The sentence."""
        return self.words.replace("{}", self.block)


def diagnose_gradients(table: Table, cases: Sequence[Case], gradients: Sequence[Mapping[str, Array]], reading: Reading | None, unit: Unit) -> list[Finding]:
    """One finding a block whose gradient is not that of the value, none where all are right."""
    parts: tuple[Part, ...] = reading.fit.formula.parts if reading is not None else TERMS[cases[0].objective]
    laws = reading.laws if reading is not None else (ONE,) * len(parts)
    unit = Unit(unit.name, max(unit.relative, FLOAT32.relative) if "float32" in unit.name else unit.relative, unit.absolute)
    findings = []
    for block in cases[0].theta:
        columns = [(k, path) for k in range(len(parts)) for path in paths(cases[0])[block]]
        X = [[{column: part_gradient(cases[i], parts[column[0]], column[1], [block])[block] for column in columns} for i in cell] for cell in table.index]
        answered = sum(block in gradients[i] for cell in table.index for i in cell)
        if answered < table.index.size:
            some = f" in {table.index.size - answered} of {table.index.size} cases" if answered else ""
            findings.append(Finding(block, "missing", f"no gradient for {{}} was returned{some}"))
            continue
        G = [[symmetric(cases[i], {block: np.asarray(gradients[i][block], dtype=float)})[block] for i in cell] for cell in table.index]
        finding = _of_block(block, columns, X, G, parts, laws, table, unit)
        if finding is not None and str(finding.law) == "1 / 2" and _triangle(cases, gradients, block):
            finding = Finding(block, "triangle", "only one triangle of the gradient for {} is there: the other, where half of it belongs, is 0")
        if finding is not None:
            findings.append(finding)
    return _together(_with_slope(findings), list(cases[0].theta))


def not_compared(cases: Sequence[Case], gradients: Sequence[Mapping[str, Array]]) -> tuple[str, ...]:
    """What the gradient of a symmetric matrix cannot show, for the report."""
    block = SYMMETRIC.get(cases[0].model or "")
    if block is None:
        return ()
    held = " with a diagonal of 0: only (G + G') / 2 off the diagonal" if block == "W" else ": only (G + G') / 2"
    given = [np.asarray(g[block]) for g in gradients if block in g]
    uneven = any(np.abs(g - g.T).max() > 1e-3 * np.abs(g).max() for g in given) and not _triangle(cases, gradients, block)
    return (f"{block} is symmetric{held} of its gradient G is compared" + (", and yours is not symmetric" if uneven else ""),)


def _triangle(cases: Sequence[Case], gradients: Sequence[Mapping[str, Array]], block: str) -> bool:
    """Whether all answers for a symmetric matrix are upper triangles, or all are lower ones."""
    if SYMMETRIC.get(cases[0].model or "") != block:
        return False
    given = [np.asarray(g[block]) for g in gradients if block in g]
    return not any(np.tril(g, -1).any() for g in given) or not any(np.triu(g, 1).any() for g in given)


def _with_slope(findings: list[Finding]) -> list[Finding]:
    """A bias reaches a Jacobian through the slope alone: its detached term is the slope that the weights' finding names."""
    named = {finding.words for finding in findings}
    out = []
    for finding in findings:
        slope = finding.words.replace("the term ", _SLOPE).replace(" is detached: its gradient", " is detached: its share of the gradient")
        out.append(Finding(finding.block, "path", slope) if finding.kind == "detached" and slope in named else finding)
    return out


def _of_block(block: str, columns: list[tuple[int, str]], X: list[list[dict]], G: list[list[Array]], parts: Sequence[Part], laws: Sequence[Law],
              table: Table, unit: Unit) -> Finding | None:
    sizes = table.sizes
    right = [[sum(laws[k](cell_sizes) * x[(k, path)] for k, path in columns) for x in cell] for cell, cell_sizes in zip(X, sizes)]
    scale = max(float(np.abs(r).max()) for cell in right for r in cell)
    if all(_close(g, r, x, unit) for g_cell, r_cell, x_cell in zip(G, right, X) for g, r, x in zip(g_cell, r_cell, x_cell)):
        return None
    if all(np.abs(g).max() <= unit(scale) for cell in G for g in cell):
        return Finding(block, "zero", "the gradient for {} is 0: the parameter is not in the graph, or was frozen")
    used = [c for c in columns if any(np.abs(x[c]).max() > 0 for cell in X for x in cell)]
    found = _coefficients(used, X, G, unit)
    if found is not None:
        c, slack = found
        ratios = [fit_law(c[:, j] / np.array([laws[k](s) or 1.0 for s in sizes]), slack[:, j] / np.abs([laws[k](s) or 1.0 for s in sizes]), sizes)
                  for j, (k, _) in enumerate(used)]
        inside = {k for k, path in used if path == "decoder" and parts[k].role in OF_JACOBIAN}
        if all(r is not None for r in ratios) and (not inside or _by_part_or_path(used, ratios)):
            return _named(block, used, ratios, parts)          # type: ignore[arg-type]
        if inside:
            used, c, slack = _into_the_jacobian(used, inside, c, slack)
            ratios = [fit_law(c[:, j] / np.array([laws[k](s) or 1.0 for s in sizes]), slack[:, j] / np.abs([laws[k](s) or 1.0 for s in sizes]), sizes)
                      for j, (k, _) in enumerate(used)]
            if all(r is not None for r in ratios):
                return _named(block, used, ratios, parts)      # type: ignore[arg-type]
        listed = [f"{parts[k].name}{' through ' + _PATHS[path][0] if path else ''}: {', '.join(f'{v:.4g}' for v in c[:, j])}"
                  for j, (k, path) in enumerate(used)]
        return Finding(block, "coefficients", f"the gradient for {{}} has the right terms with coefficients that follow no law ({'; '.join(listed)})")
    for words, change in (("transposed", lambda a: a.T), ("of the opposite order", lambda a: a[::-1])):
        if all(g.shape == change(r).shape and _close(g, change(r), x, unit) for g_cell, r_cell, x_cell in zip(G, right, X)
               for g, r, x in zip(g_cell, r_cell, x_cell)):
            return Finding(block, "transposed", f"the gradient for {{}} is the right one, {words}")
    good = np.array([[_close(g, r, x, unit) for g, r, x in zip(*cell)] for cell in zip(G, right, X)])
    if good.any():
        wrong = [table.cases[i].id for i in table.index[~good]]
        where = f"{', '.join(wrong[:3])}{' ...' if len(wrong) > 3 else ''}"
        return Finding(block, "some", f"the gradient for {{}} is wrong in {len(wrong)} of {good.size} cases alone ({where}), by no mistake that is known")
    off = max(float(np.abs(g - r).max()) for g_cell, r_cell in zip(G, right) for g, r in zip(g_cell, r_cell)) / scale
    return Finding(block, "unexplained", f"the gradient for {{}} is off by {off:.2g} of its largest entry, and no mistake that is known explains it")


def _close(g: Array, r: Array, x: Mapping, unit: Unit) -> bool:
    size = sum(float(np.abs(v).max()) for v in x.values())
    return bool(np.abs(g - r).max() <= unit(size + float(np.abs(r).max())))


def _coefficients(used: list[tuple[int, str]], X: list[list[dict]], G: list[list[Array]], unit: Unit) -> tuple[Array, Array] | None:
    """c and slack, (C, k) each, or None where some cell is not met to rounding, equation (1)."""
    cs, slacks = [], []
    for x_cell, g_cell in zip(X, G):
        A = np.array([np.concatenate([x[column].ravel() for x in x_cell]) for column in used]).T
        g = np.concatenate([a.ravel() for a in g_cell])
        length = np.sqrt((A * A).sum(axis=0))
        if (length == 0).any() or A.shape[0] <= A.shape[1]:
            return None
        P = np.linalg.pinv(A / length, rcond=1e-9) / length[:, None]
        c = P @ g                                                                        # (k,)  (1)
        tol = unit(np.concatenate([np.full(a.size, sum(abs(cj) * np.abs(x[column]).max() for cj, column in zip(c, used))) for x, a in zip(x_cell, g_cell)]))
        rest = g - A @ c
        if np.sqrt(rest @ rest) > np.sqrt(tol @ tol):
            return None
        cs.append(c)
        slacks.append(np.abs(P) @ tol)
    return np.array(cs), np.array(slacks)


def _into_the_jacobian(used: list[tuple[int, str]], inside: set[int], c: Array, slack: Array) -> tuple[list[tuple[int, str]], Array, Array]:
    """The columns, c and slack with the slope and the factors in place of the encoder and the decoder, in the parts that read the Jacobian."""
    used, c, slack = list(used), c.copy(), slack.copy()
    for k in inside:
        encoder, decoder = used.index((k, "encoder")), used.index((k, "decoder"))
        c[:, decoder] = (c[:, encoder] + c[:, decoder]) / 2                              # (C,)  (2)
        slack[:, decoder] = (slack[:, encoder] + slack[:, decoder]) / 2
        used[encoder], used[decoder] = (k, "slope"), (k, "factors")
    return used, c, slack


def _by_part_or_path(used: list[tuple[int, str]], ratios: Sequence[Law | None]) -> bool:
    """Whether one factor for each term, or one for each path, says it all."""
    return any(len({(column[which], law) for column, law in zip(used, ratios)}) == len({column[which] for column in used}) for which in (0, 1))


def _named(block: str, used: list[tuple[int, str]], ratios: list[Law], parts: Sequence[Part]) -> Finding | None:
    """The finding in words: one factor for all, one for each term, or one for each path."""
    if len(set(ratios)) == 1 and (len({k for k, _ in used}) == len(parts) or ratios[0].is_one):
        law = ratios[0]
        return None if law.is_one else Finding(block, "multiple", f"the gradient for {{}} is {law} times that of the value", law)
    by_part: dict[int, set[Law]] = {}
    by_path: dict[str, set[Law]] = {}
    for (k, path), law in zip(used, ratios):
        by_part.setdefault(k, set()).add(law)
        by_path.setdefault(path, set()).add(law)
    if all(len(laws) == 1 for laws in by_part.values()):
        wrong = [(parts[k], next(iter(laws))) for k, laws in by_part.items() if not next(iter(laws)).is_one]
        texts = [f"the term {part.name} is detached: its gradient for {{}} is 0" if law.is_zero
                 else f"the gradient of the term {part.name} for {{}} is multiplied by {law}" for part, law in wrong]
        return Finding(block, "detached" if all(law.is_zero for _, law in wrong) else "term", "; ".join(texts))
    if all(path in ("slope", "factors") for (_, path), law in zip(used, ratios) if not law.is_one):
        return Finding(block, "path", "; ".join(_inside(parts[k].name, path, law) for (k, path), law in zip(used, ratios) if not law.is_one))
    if all(len(laws) == 1 for laws in by_path.values()):
        texts = []
        for path, laws in by_path.items():
            law = next(iter(laws))
            if law.is_zero:
                texts.append(f"the share of {_PATHS[path][0]} in the gradient for {{}} is missing: {_PATHS[path][1]}")
            elif not law.is_one:
                texts.append(f"the share of {_PATHS[path][0]} in the gradient for {{}} is multiplied by {law}")
        return Finding(block, "path", "; ".join(texts))
    texts = [f"{parts[k].name}{' through ' + _PATHS[path][0] if path else ''}: {law}" for (k, path), law in zip(used, ratios) if not law.is_one]
    return Finding(block, "paths", f"the gradient for {{}} has terms multiplied ({'; '.join(texts)})")


_SLOPE = "the slope s (1 - s) in "


def _inside(name: str, path: str, law: Law) -> str:
    """What is wrong with one way into a Jacobian."""
    what = _SLOPE + name if path == "slope" else f"W beside the slope in {name}{' (W in |W_j|^2)' if name == 'tr J' else ''}"
    if law.is_zero:
        return f"{what} is detached: its share of the gradient for {{}} is 0"
    if path == "factors" and str(law) == "1 / 2":
        return f"one of the two {what} is detached: half of its share of the gradient for {{}} is missing"
    return f"the share of {what} in the gradient for {{}} is multiplied by {law}"


_PATHS = {"slope": ("the slope s (1 - s)", "it is detached"), "factors": ("W beside the slope", "it is detached"),
          "encoder": ("the encoder", "untied weights, or a forgotten path"), "decoder": ("the decoder", "untied weights, or a forgotten path"),
          "here": ("the energy at the point", "it is detached"), "flipped": ("the energies of its neighbours", "they are detached")}


def _together(findings: list[Finding], blocks: list[str]) -> list[Finding]:
    """One finding where several blocks have the same."""
    groups: dict[tuple, list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.kind, finding.words, finding.law), []).append(finding)
    out = []
    for (kind, words, law), group in groups.items():
        every = len(group) == len(blocks) > 1 and kind == "multiple"
        out.append(Finding(", ".join(f.block for f in group), kind, f"the whole gradient is {law} times that of the value" if every else words, law))
    return out
