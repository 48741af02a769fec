"""A positive weight for every sigma or every group: its line as a convention, and its name.

Symbols
    w      (C,)     the factor that all terms of a group share
    plain  scaling  a power of d, n and M, taken out first
    sigma  number   standard deviation of the noise;  SNR = 1 / sigma^2
    gamma  number   where a weight is clipped

Equations
    (1)  w = plain(group) u(sigma)
    (2)  u = prefactor sigma^p min(1, gamma sigma^2)
    (3)  u = prefactor sigma^p max(1, gamma sigma^2)

Derivation
    (2)  with p = 2 it is min-SNR.  The loss of the predicted noise -sigma psi is sigma^2 times that
         of the score, and its weight is min(SNR, gamma) / SNR = min(1, gamma sigma^2).
    (3)  with p = 2, gamma = 1 it is the truncated SNR: the loss of the predicted clean point
         x_noisy + sigma^2 psi is sigma^4 times that of the score, and sigma^4 max(SNR, 1) is
         sigma^2 max(1, sigma^2).

Conventions
    At least two levels must agree with one prefactor, and at least one not; gamma is a short
    number.

Sources
    Hang et al., Efficient diffusion training via min-SNR weighting strategy, ICCV 2023, for (2).
    Salimans & Ho, Progressive distillation, ICLR 2022, section 4, for (3).
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import Mapping, Sequence

import numpy as np

from refsm.typing import Array
from refsm.verify.diagnosis.scaling import ONE, Scaling

__all__ = ["Weights", "agree", "is_weight", "weights_of"]

NUMBER = r"[0-9]+\.?[0-9]*(?:e[-+]?[0-9]+)?"
KEY = rf"c[0-9]+(?:/{NUMBER})?|{NUMBER}"             # a group, a level of a group, or a level
WEIGHT = re.compile(rf"weight (w\((?:{KEY})\) = {NUMBER}(, |$))+")
PIECES = re.compile(rf"w\(({KEY})\) = ({NUMBER})")
DIGITS = 5e-6              # relative: two weights that are printed with six digits and agree
SAME = 1e-4                # relative: two coefficients of float32 answers that are one
PLAIN = sorted((Scaling(1.0, tuple((name, p) for name, p in zip("dnM", powers) if p))
                for powers in product((0.0, -1.0, 1.0), repeat=3)), key=lambda s: s.complexity)


@dataclass(frozen=True)
class Weights:
    """Positive weights: `plain` times one for each key, a sigma or a group; `words` names them."""

    plain: Scaling
    by: Mapping[str, float]
    words: str

    @property
    def line(self) -> str:
        """As `convention=` takes it."""
        listed = ", ".join(f"w({key}) = {weight:.6g}" for key, weight in self.by.items())
        return f"{'' if self.plain.is_one else f'{self.plain}; '}weight {listed}"


def weights_of(objective: str, w: Array, sizes: Sequence[Mapping[str, float]],
               groups: Sequence[str]) -> Weights | None:
    """What positive weights are; None where one is not positive."""
    if not (w > 0).all():
        return None
    sigmas = sorted({group["sigma"] for group in sizes if "sigma" in group})
    for plain in PLAIN if len(sigmas) > 1 else ():
        if not all(name in sizes[0] for name, _ in plain.powers):
            continue
        rest = w / np.array([plain(group) for group in sizes])                # (C,)  (1)
        of = {s: [r for r, group in zip(rest, sizes) if group["sigma"] == s] for s in sigmas}
        if all(max(u) - min(u) <= SAME * max(u) for u in of.values()):
            u = np.array([np.mean(of[s]) for s in sigmas])
            by = {f"{s:g}": float(number) for s, number in zip(sigmas, u)}
            named = objective == "dsm"               # the SNR is that of its noise
            return Weights(plain, by, _clipped(np.array(sigmas), u) if named else "")
    return Weights(ONE, {group: float(number) for group, number in zip(groups, w)}, "")


def _clipped(sigma: Array, u: Array) -> str:
    """The name of a clipped power of sigma, or ""."""
    for clip, power in product((np.minimum, np.maximum), (2, 0)):
        r = u / sigma**power
        prefactor = r.max() if clip is np.minimum else r.min()
        beyond = np.abs(r - prefactor) > SAME * prefactor
        if not 0 < beyond.sum() < len(r) - 1:
            continue
        gamma = float(f"{(r / sigma**2)[beyond].mean() / prefactor:.2g}")
        clipped = prefactor * clip(1, gamma * sigma**2)                       # (2), (3)
        if np.allclose(r, clipped, SAME, 0):
            return _in_words(prefactor, power, gamma, clip is np.minimum)
    return ""


def _in_words(prefactor: float, power: int, gamma: float, least: bool) -> str:
    """A clipped weight, and the name that it has."""
    short = float(f"{prefactor:.2g}")
    front = f"{short if abs(short / prefactor - 1) <= SAME else prefactor:g}"
    clip = f"{'min' if least else 'max'}(1, {'' if gamma == 1 else f'{gamma:g} '}sigma^2)"
    pieces = ["" if front == "1" else front, "sigma^2" if power == 2 else "", clip]
    name = {(2, True): f", which is min-SNR with gamma = {gamma:g}",
            (0, True): f", the clipping of min-SNR with gamma = {gamma:g}",
            (2, False): ", which is the truncated SNR" if gamma == 1 else ""}.get((power, least))
    return " ".join(filter(None, pieces)) + (name or "")


def is_weight(piece: str) -> bool:
    """Whether a piece of a convention is a positive weight for each sigma, or for each group."""
    return bool(WEIGHT.fullmatch(piece)) and all(
        0 < float(weight) < float("inf") for _, weight in PIECES.findall(piece))


def agree(declared: str, found: str) -> bool:
    """Whether two conventions are one: the same pieces in any order, weights to five digits.

    >>> agree("2; target x -1", "target x -1; 2"), agree("2", "2.0001")
    (True, False)
    """
    ours, theirs = (sorted(convention.split("; ")) for convention in (declared, found))
    return len(ours) == len(theirs) and all(map(_same_piece, ours, theirs))


def _same_piece(declared: str, found: str) -> bool:
    if not (is_weight(declared) and is_weight(found)):
        return declared == found
    ours, theirs = dict(PIECES.findall(declared)), dict(PIECES.findall(found))
    return ours.keys() == theirs.keys() and all(
        abs(float(ours[key]) - float(theirs[key])) <= DIGITS * float(theirs[key]) for key in ours)
