"""Every identity of score matching as an executable statement: two sides computed apart, their gap, and its bound.

    denoising      1, 6, 15   denoising score matching is a denoising autoencoder, on the data that one gives
    chain          2 to 5, 14 explicit, implicit and denoising score matching differ by constants, in exact expectation
    finite         what holds only in expectation, and what breaks statement 1
    sliced         7, 8       random projections
    binary         9, 10      ratio matching, and the partition function that nobody sees
    denoiser       11, 12     Tweedie's formula
    gaussian       13         the Gaussian, where everything has a closed form
    positive       44, 45     generalised score matching, its boundary term, published variances
    linear         46         energies that are linear in their parameters
    components     47         independent components
    binary_flow    48         minimum probability flow

[theorem 4] in the head of another file is statement 4 here.  `statement` says what a statement is and how exact each
kind is; `rounding` computes the bounds of statement 1.
"""
from __future__ import annotations

from typing import Callable, Iterator

import numpy as np

from refsm import validation
from refsm.theorems import (binary, binary_flow, chain, components, denoiser, denoising, finite, gaussian,
                            linear, positive, sliced)
from refsm.theorems.denoising import Setting
from refsm.theorems.statement import Statement
from refsm.typing import ArrayLike

__all__ = ["all", "batches", "Statement"]

SIGMAS = (0.05, 0.3, 1.7)
HIDDEN = 100
LARGEST = 1e100         # of the data

Maker = Callable[[], "list[Statement]"]


def batches(data: ArrayLike | None = None, exact: bool = False, *, name: str = "rows", sigma: float | None = None,
            hidden: int = HIDDEN, seed: int = 0) -> Iterator[tuple[str, list[Statement]]]:
    """All statements as pairs (group, the statements that one computation gives), each pair when it is computed.

    data (n, d): what statements 1, 6, 13 and 15 are evaluated on; the digits if it is None.  sigma: one standard deviation of the noise
    in place of 0.05, 0.3 and 1.7.  exact: add the statements in rational numbers, whose gap is the number 0.
    """
    if data is None:
        from refsm.data import digits
        data, name = digits(), "digits"
    x = validation.points(data, "data")
    if np.abs(x).max() > LARGEST:
        raise ValueError(f"data must be at most {LARGEST:g} in size, because losses square them, but the largest entry is {np.abs(x).max():g}")
    sigmas = SIGMAS if sigma is None else (validation.scale(sigma, "sigma"),)
    settings = [Setting(x, name, s, _count(hidden, "hidden", 1), _count(seed, "seed", 0)) for s in sigmas]
    middle = settings[len(settings) // 2]
    groups: list[tuple[str, list[Maker]]] = [
        ("Denoising score matching is a denoising autoencoder: 2 sigma^4 J_DSM = J_DAE",
         [lambda s=s: denoising.dsm_is_dae(s) for s in settings] + [lambda: denoising.same_path(middle), lambda: denoising.rbm_is_autoencoder(middle)]),
        ("The chain: J_ISMq_sigma ~ J_ESMq_sigma ~ J_DSM, constants apart", chain.MAKERS),
        ("Tweedie: a score is a denoiser", denoiser.MAKERS),
        ("The Gaussian in closed form", [lambda: gaussian.statements(x, name)]),
        ("Sliced score matching", sliced.MAKERS),
        ("Binary data, and the partition function", binary.MAKERS + binary_flow.MAKERS),
        ("Generalised score matching, and linear models", positive.MAKERS + linear.MAKERS),
        ("Independent components", components.MAKERS),
        ("What does not hold, and by how much", finite.MAKERS),
    ]
    if exact:
        rational = [lambda: denoising.dsm_is_dae_exactly(middle), lambda: denoising.rbm_is_autoencoder_exactly(middle), sliced.exactly, *linear.EXACT]
        groups.insert(1, ("The same in exact rational numbers: the gap is the number 0", rational))
    for group, makers in groups:
        for make in makers:
            yield group, make()


def all(data: ArrayLike | None = None, exact: bool = False, **settings: object) -> list[Statement]:
    """Every statement as data: name, left, right, gap, bound, holds.  The settings are those of `batches`."""
    return [statement for _, batch in batches(data, exact, **settings) for statement in batch]   # type: ignore[arg-type]


def _count(value: object, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, but it is {value!r}")
    return value
