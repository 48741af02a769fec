"""The statements of score matching, executable: two sides computed apart, their gap, its bound.

    denoising         1, 6, 15        denoising score matching is a denoising autoencoder
    decoder           22              what tying the decoder does
    parametrisation   23, 24          one score, several parametrisations
    chain             2 to 5          explicit, implicit and denoising score matching
    small_noise       14, 19, 20, 21  bias and variance as the noise goes to zero
    denoiser          11, 12, 16      Tweedie's formula
    reconstruction    17, 18, 25      what a denoising loss can reach
    posterior_moments 51              third-order Tweedie
    gaussian          13, 31          the Gaussian, where everything has a closed form
    sliced            7, 8            random projections
    slice_variance    29, 32          how much they vary
    binary            9, 10           ratio matching, and the partition function
    binary_flow       48              minimum probability flow
    conditions        26, 30          where a step by parts is allowed
    blindness         27, 28          what score matching does not see
    finite            2, 33           a finite sample, and masking noise
    prediction_factors 34 to 38       predictions in the place of a score
    levels            39, 40          the density at every noise level, and all levels at once
    diffusion         41, 42          how a density changes with the noise
    transport         43              the probability flow
    positive          44, 45          generalised score matching, its boundary term, variances
    linear            46              energies that are linear in their parameters
    components        47              independent components
    contrastive       49              contrastive divergence with one Langevin step
    stein             50              Stein's identity, and the kernel Stein discrepancy
    langevin_steps    52              the stationary density of Langevin steps

[statement 4] in the head of another file is statement 4 here.  `statement` says what a statement is
and how exact each kind is, and which bounds are computed and which chosen; `rounding` computes
those of statement 1; `limits` has extrapolation and the complex step; `setting` is what the
statements on data are evaluated with, `rationals` the exact numbers.

A room is a module of this package with
    GROUP           the heading under which its statements stand (rooms may share one)
    MAKERS          functions without arguments, each of which returns a list of statements
and, where it has them,
    LETTERS         symbols of its statements that the legend of `page` does not have
    EXACT           the same in exact rational numbers, for `exact=True`
    ON_DATA         functions of the settings, one for each noise level: statements on given data
    EXACT_ON_DATA   the same in exact rational numbers
Its name in ROOMS adds it to the command, to `all` and to their tests.  Rooms of one group follow
each other there.
"""
from __future__ import annotations

import importlib
from typing import Any, Iterator

import numpy as np

from refsm import validation
from refsm.theorems.setting import Setting
from refsm.theorems.statement import Statement
from refsm.typing import ArrayLike

__all__ = ["ROOMS", "all", "batches", "letters", "Statement"]

ROOMS = ["denoising", "decoder", "parametrisation", "chain", "small_noise", "denoiser",
         "reconstruction", "posterior_moments", "gaussian", "sliced", "slice_variance", "binary",
         "binary_flow", "conditions", "blindness", "finite", "prediction_factors", "levels",
         "diffusion", "transport", "positive", "linear", "components", "contrastive", "stein",
         "langevin_steps"]

SIGMAS = (0.05, 0.3, 1.7)
HIDDEN = 100
LARGEST = 1e100         # of the data


def batches(data: ArrayLike | None = None, exact: bool = False, *, name: str = "rows",
            sigma: float | None = None, hidden: int = HIDDEN,
            seed: int = 0) -> Iterator[tuple[str, list[Statement]]]:
    """Pairs (group, the statements that one computation gives), each pair when it is computed.

    data (n, d): what the statements on data are evaluated on; the digits if it is None.  sigma: one
    standard deviation of the noise in place of 0.05, 0.3 and 1.7.  exact: add the statements in
    rational numbers, whose gap is the number 0.
    """
    if data is None:
        from refsm.data import digits
        data, name = digits(), "digits"
    x = validation.points(data, "data")
    if np.abs(x).max() > LARGEST:
        raise ValueError(f"data must be at most {LARGEST:g} in size, because losses square them, "
                         f"but the largest entry is {np.abs(x).max():g}")
    sigmas = SIGMAS if sigma is None else (validation.scale(sigma, "sigma"),)
    hidden, seed = _count(hidden, "hidden", 1), _count(seed, "seed", 0)
    settings = [Setting(x, name, s, hidden, seed) for s in sigmas]
    for room in _rooms():
        for make in getattr(room, "ON_DATA", []):
            yield room.GROUP, make(settings)
        for make in room.MAKERS:
            yield room.GROUP, make()
        if exact:
            for make in getattr(room, "EXACT_ON_DATA", []):
                yield room.GROUP, make(settings)
            for make in getattr(room, "EXACT", []):
                yield room.GROUP, make()


def all(data: ArrayLike | None = None, exact: bool = False, **settings: object) -> list[Statement]:
    """Every statement as data: name, left, right, gap, bound, holds.

    The settings are those of `batches`.
    """
    made = batches(data, exact, **settings)   # type: ignore[arg-type]
    return [statement for _, batch in made for statement in batch]


def letters() -> dict[str, list[str]]:
    """For each group, what the symbols of its statements mean: a sentence from each room."""
    out: dict[str, list[str]] = {}
    for room in _rooms():
        out.setdefault(room.GROUP, []).extend([room.LETTERS] if hasattr(room, "LETTERS") else [])
    return out


def _rooms() -> Iterator[Any]:
    return (importlib.import_module(f"refsm.theorems.{room}") for room in ROOMS)


def _count(value: object, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, but it is {value!r}")
    return value
