"""Which points a loss is taken over, where these are not all.

Symbols
    n points, T thetas of a group, K sets of points
    loss   (T, n)   the reference's, at every point
    S      (K, n)   1 for the points of a set, 0 for others
    y      (T,)     the answers;  a, b numbers of a set

Equations
    (1)  y = a S loss + b                                                        [definition]

Derivation
    (1)  is the loss of the points of a set, up to a factor and a constant: every set is tried.

Conventions
    A set is named by its indices, or by the points within a radius, where either holds in every
    group.  Equal points, as binary ones are, leave several sets, of which one must have a name.

Sources
    Ours.
"""
from __future__ import annotations

import re
from itertools import product
from typing import Callable, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.reference import per_sample
from refsm.verify.diagnosis.precision import Tolerance
from refsm.verify.diagnosis.regression import Table
from refsm.verify.mistakes.mistake import UNBOUNDED, Formula, Mistake, reference, with_terms

__all__ = ["is_mask", "point_masks"]

INDICES: dict[str, Callable[[int], slice]] = {
    "the first half of the points": lambda n: slice(n // 2),
    "the first half of the points and the one in the middle": lambda n: slice((n + 1) // 2),
    "the second half of the points": lambda n: slice((n + 1) // 2, n),
    "the second half of the points and the one in the middle": lambda n: slice(n // 2, n),
    "every second point (the 1st, 3rd, ...)": lambda n: slice(0, n, 2),
    "every second point (the 2nd, 4th, ...)": lambda n: slice(1, n, 2),
    "the last point": lambda n: slice(n - 1, n),
    "all but the last point": lambda n: slice(n - 1),
    "all but the last two points": lambda n: slice(n - 2),
    "all but the first point": lambda n: slice(1, n),
    "the first point": lambda n: slice(1), "the first two points": lambda n: slice(2),
    "the points in whole batches of four": lambda n: slice(n // 4 * 4),
    "the points in whole batches of five": lambda n: slice(n // 5 * 5)}
SIZES: dict[str, Callable[[Array], Array]] = {
    "|{}|": lambda a: np.sqrt((a * a).sum(axis=1)), "max |{}_i|": lambda a: np.abs(a).max(axis=1)}
RADIUS = r"the-points-with-(max-)?x(_noisy)?(_i)?-below-[0-9.]+(e-?[0-9]+)?"
LISTED = r"the-points(-[0-9]+)+-of-c[0-9]+((-[0-9]+)+-of-c[0-9]+)*"
NO_GRADIENT = "the points whose losses are left out have no gradient"
WITHIN = "what is learned is right at these points; at others nothing is learned"
EDGE = f"where the points that are kept end, {UNBOUNDED}"
OTHER_DATA = "the density of the points that are kept is learned"


def point_masks(table: Table, Y: Array, tolerance: Tolerance) -> list[Formula]:
    """The formulas of some of the points that may explain answers Y (C, T)."""
    sets: list[Array] = []
    for rows, y in zip(table.index, Y):
        found = _sets([table.cases[k] for k in rows], y, tolerance)
        if not len(found):
            return []
        sets.append(found)
    if all(found.all(axis=1).any() for found in sets):
        return []                                    # a factor of each group
    named = _named(table, sets)
    if named is None:
        return []
    words, effect, of_case = named
    id = _identity(words)
    said = ((f"the loss is taken over {words} alone", f", {words}",
             lambda q, term: term.per_sample(q)[of_case(q.case)]),
            (f"the loss is summed over {words} alone, and divided by n", f", {words}, over n",
             lambda q, term: term.per_sample(q) * of_case(q.case)))
    return [with_terms(reference(table.objective), Mistake(
        f"{id}{'-of-n' * k}", sentence, name, of_case, effect), f)
        for k, (sentence, name, f) in enumerate(said)]


def is_mask(identity: str) -> bool:
    """Whether an identity is of a set of points that can be named."""
    named = "|".join(re.escape(_identity(words)[len("mask."):]) for words in INDICES)
    return bool(re.fullmatch(rf"mask\.({named}|{RADIUS}|{LISTED})(-of-n)?", identity))


def _identity(words: str) -> str:
    return "mask." + re.sub(r"[^\w.]+", "-", words.replace("<", "below")).strip("-.")


def _sets(cases: Sequence[Case], y: Array, tolerance: Tolerance) -> Array:
    """The sets of points whose losses are the answers of a group, (sets, n)."""
    loss = np.array([per_sample(case) for case in cases])                      # (T, n)
    n = loss.shape[1]                                                          # 7 or 13
    S = np.arange(1, 2**n)[:, None] >> np.arange(n) & 1                        # (K, n)
    Z = S @ loss.T                                                             # (K, T)
    z, centred = Z - Z.mean(axis=1, keepdims=True), y - y.mean()
    a = z @ centred / np.maximum((z * z).sum(axis=1), np.finfo(float).tiny)    # (K,)  (1)
    missed = np.linalg.norm(centred - a[:, None] * z, axis=1)                  # (K,)
    return S[missed <= np.linalg.norm(tolerance(np.abs(y)))].astype(bool)


def _named(table: Table, sets: list[Array]) -> tuple[str, str, Callable[[Case], Array]] | None:
    """Sets of points in words, what they do to training, and the points of a case, (n,); None where
    several are possible, and none of them has a name."""
    def by_index(chosen: Callable[[int], slice]) -> Callable[[Case], Array]:
        return lambda case: np.isin(range(case.n), range(case.n)[chosen(case.n)])

    for words, chosen in INDICES.items():
        of_case = by_index(chosen)
        if all((of_case(case) == one).all(axis=1).any() for case, one in zip(table.groups, sets)):
            return words, NO_GRADIENT, of_case
    if any(len(one) > 1 for one in sets):
        return None
    first, about, kept = table.groups[0], table.about, [one[0] for one in sets]
    for (form, size), name in product(SIZES.items(), ("x", "x_noisy")):
        if np.ndim(first.arrays.get(name)) == 2:
            of = [size(case.arrays[name]) for case in table.groups]
            low = max(a[one].max() for a, one in zip(of, kept))
            high = min(a[~one].min(initial=np.inf) for a, one in zip(of, kept))
            if low < high:
                short = (float(f"{(low + high) / 2:.{digits}g}") for digits in range(1, 7))
                t = next((t for t in short if low < t <= high), high)
                effect = ((EDGE if about.constant is None else WITHIN) if name == about.at
                          else NO_GRADIENT if table.objective == "parzen_esm" else OTHER_DATA)
                return (f"the points with {form.format(name)} < {t:g}", effect,
                        lambda case: size(case.arrays[name]) < t)
    of_group = {case.group: one for case, one in zip(table.groups, kept)}
    listed = ", ".join(f"{' '.join(map(str, 1 + np.flatnonzero(one)))} of {group}"
                       for group, one in of_group.items())
    return f"the points {listed}", NO_GRADIENT, lambda case: of_group[case.group]
