"""Weights of levels, by name.

Symbols
    a, s, t   arrays, number   alpha and sigma of levels, and the deviation of the data
    snr       a^2 / s^2

Sources
    Hang et al., Efficient diffusion training via min-SNR weighting strategy, ICCV 2023; Choi et
    al., Perception prioritized training of diffusion models, CVPR 2022 (P2); Karras et al.,
    Elucidating the design space of diffusion-based generative models, NeurIPS 2022; Song et al.,
    Maximum likelihood training of score-based diffusion models, NeurIPS 2021; Crowson et al.,
    Scalable high-resolution pixel-space image synthesis with hourglass diffusion transformers,
    ICML 2024 (soft min-SNR); Kingma & Gao, Understanding diffusion objectives as the ELBO with
    simple data augmentation, NeurIPS 2023 (sigmoid).
"""
from __future__ import annotations

from typing import Callable

import numpy as np

from refsm.typing import Array

__all__ = ["OWN_WEIGHTS", "WEIGHTS", "Weight", "distinct"]

Weight = Callable[[Array, Array, float], Array]

# (name, words, w(alpha, sigma, data_sd)), as factors of the loss with |psi - g|^2 / 2
WEIGHTS: tuple[tuple[str, str, Weight], ...] = (
    ("variance", "sigma^2", lambda a, s, t: s**2),
    ("fourth-power", "sigma^4", lambda a, s, t: s**4),
    ("sigma", "sigma", lambda a, s, t: s),
    ("inverse-variance", "1 / sigma^2", lambda a, s, t: 1 / s**2),
    ("inverse-sigma", "1 / sigma", lambda a, s, t: 1 / s),
    ("clean", "sigma^4 / alpha^2", lambda a, s, t: s**4 / a**2),
    ("snr", "snr = alpha^2 / sigma^2", lambda a, s, t: a**2 / s**2),
    ("inverse-snr", "1 / snr", lambda a, s, t: s**2 / a**2),
    ("truncated-snr", "max(snr, 1)", lambda a, s, t: np.maximum(a**2 / s**2, 1)),
    ("snr-plus-one", "snr + 1", lambda a, s, t: a**2 / s**2 + 1),
    ("alpha", "alpha", lambda a, s, t: a),
    ("alpha-squared", "alpha^2", lambda a, s, t: a**2),
    ("inverse-alpha-squared", "1 / alpha^2", lambda a, s, t: 1 / a**2),
    *((f"min-snr-{k}", f"min(snr, {k}): min-SNR with gamma = {k}",
       lambda a, s, t, k=k: np.minimum(a**2 / s**2, k)) for k in (1, 5, 20)),
    *((f"min-snr-noise-{k}", f"min(snr, {k}) / snr: min-SNR with gamma = {k} on the noise",
       lambda a, s, t, k=k: np.minimum(k * s**2 / a**2, 1)) for k in (1, 5, 20)),
    *((f"min-snr-velocity-{k}",
       f"min(snr, {k}) / (snr + 1): min-SNR with gamma = {k} on the velocity",
       lambda a, s, t, k=k: np.minimum(a**2 / s**2, k) / (a**2 / s**2 + 1)) for k in (1, 5, 20)),
    *((f"soft-min-snr-{k}", f"1 / (1 / snr + 1 / {k}): soft min-SNR with gamma = {k}",
       lambda a, s, t, k=k: 1 / (s**2 / a**2 + 1 / k)) for k in (1, 4, 5)),
    ("p2-1", "1 / (1 + snr): P2 with k = 1, gamma = 1", lambda a, s, t: 1 / (1 + a**2 / s**2)),
    ("p2-half", "1 / sqrt(1 + snr): P2 with k = 1, gamma = 1 / 2",
     lambda a, s, t: 1 / np.sqrt(1 + a**2 / s**2)),
    ("sigmoid-2", "1 / (1 + snr / exp(2)): the sigmoid of 2 - log snr",
     lambda a, s, t: 1 / (1 + a**2 / s**2 / np.exp(2))),
    ("edm", "(sigma^2 + data_sd^2) / (sigma data_sd)^2: EDM's weight",
     lambda a, s, t: (s**2 + t**2) / (s * t)**2),
    ("edm-noise", "(sigma^2 + data_sd^2) / data_sd^2: EDM's weight on the noise",
     lambda a, s, t: (s**2 + t**2) / t**2),
    ("edm-clean", "sigma^2 (sigma^2 + data_sd^2) / data_sd^2: EDM's weight on the score",
     lambda a, s, t: s**2 * (s**2 + t**2) / t**2),
    ("edm-snr", "data_sd^2 / (sigma^2 + data_sd^2)", lambda a, s, t: t**2 / (s**2 + t**2)),
    ("edm-soft-min-snr", "(sigma data_sd)^2 / (sigma^2 + data_sd^2)^2: soft min-SNR of EDM's form",
     lambda a, s, t: (s * t)**2 / (s**2 + t**2)**2),
    ("c-out", "c_out^2 = (sigma data_sd)^2 / (sigma^2 + data_sd^2): EDM's loss without its weight",
     lambda a, s, t: (s * t)**2 / (s**2 + t**2)))
# of several levels, what stands in the place of their weights: (name, words, of weights and sigma)
OWN_WEIGHTS: tuple[tuple[str, str, Callable[[Array, Array], Array]], ...] = (
    ("none", "1: its own weight is left out", lambda w, s: np.ones_like(w)),
    ("root", "the square root of its own weight", lambda w, s: w**0.5),
    ("square", "the square of its own weight", lambda w, s: w**2),
    ("inverse", "1 / its own weight", lambda w, s: 1 / w),
    ("reversed", "the weights in reverse order", lambda w, s: w[::-1]),
    ("next", "the weight of the next level", lambda w, s: np.roll(w, -1)),
    ("before", "the weight of the level before", lambda w, s: np.roll(w, 1)),
    ("first", "the weight of the first level", lambda w, s: np.full_like(w, w[0])),
    ("variance", "sigma^2 in place of its own weight", lambda w, s: s**2),
    ("sigma", "sigma in place of its own weight", lambda w, s: s),
    ("inverse-variance", "1 / sigma^2 in place of its own weight", lambda w, s: 1 / s**2),
    ("inverse-sigma", "1 / sigma in place of its own weight", lambda w, s: 1 / s))


def distinct(kind: str) -> list[tuple[str, str, Weight]]:
    """The weights that differ; with alpha = 1, as "edm" has it, some are one function."""
    seen: set[tuple[float, ...]] = {(1.0, 1.0, 1.0)}
    out = []
    for row in WEIGHTS:
        if kind == "clean" and row[0].startswith("min-snr-noise"):
            continue            # 1 but where sigma is small; the clean loss is negligible there
        alpha, sigma = np.ones(3) if kind == "edm" else np.array([0.9, 0.7, 0.3]), [0.1, 0.6, 1.7]
        values = tuple(float(f"{value:.9g}") for value in row[2](alpha, np.array(sigma), 0.5))
        if values not in seen:
            out.append(row)
        seen.add(values)
    return out
