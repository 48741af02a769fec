"""What the statements on data are evaluated with: the data, a noise level, hidden units, a seed."""
from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from refsm.typing import Array

__all__ = ["Setting", "middle"]


class Setting(NamedTuple):
    """Data, noise level, hidden units and seed."""

    data: Array             # (n, d)
    name: str               # what the data are, for the table
    sigma: float
    hidden: int
    seed: int

    @property
    def where(self) -> str:
        """The setting in words."""
        n, d = self.data.shape
        return f"{n} {self.name}, d={d}, m={self.hidden}, sigma={self.sigma:g}"

    def draw(self) -> tuple[Array, Array, Array, Array]:
        """x_noisy (n, d), W (m, d), b (m,), c (d,): the noise and one theta, from the seed."""
        n, d = self.data.shape
        rng = np.random.default_rng(self.seed)
        x_noisy = self.data + self.sigma * rng.standard_normal((n, d))
        W = rng.standard_normal((self.hidden, d)) / np.sqrt(d)
        return x_noisy, W, rng.standard_normal(self.hidden), self.data.mean(axis=0)


def middle(settings: Sequence[Setting]) -> Setting:
    """Of the settings, one for each noise level, that in the middle."""
    return settings[len(settings) // 2]
