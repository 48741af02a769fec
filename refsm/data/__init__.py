"""The real data that ship: handwritten digits and penguins.  SOURCES.md has licences and checksums.

    digits          (1797, 64)  pixels of 8x8 images, row after row, in [0, 1]
    digits_labels   (1797,)     the digit that each image shows, 0..9
    penguins        (342, 2)    bill length and bill depth in mm
    penguins_labels (342,)      species: Adelie, Chinstrap or Gentoo

Both files are read inside the installed package and compared with their SHA-256 each time;
ValueError names a file that has changed.  Each call returns new arrays.
"""
from __future__ import annotations

import hashlib
import io
from importlib import resources

import numpy as np

from refsm.typing import Array

__all__ = ["digits", "digits_labels", "penguins", "penguins_labels"]

SHA256 = {
    "digits.npz": "089d33176bf6819a5c6ebd6746c5293713f4e81c2c8fc52b672e6e15faa78f41",
    "penguins.csv": "abcf39fab791978366a30046b4487d06065908b8082f8ee2ec5051524f7ce978",
}
GREY_LEVELS = 16     # the greatest pixel: each counts the bits of ink in a cell of 4x4


def digits() -> Array:
    """Pixels of 1,797 handwritten digits, shape (1797, 64): 8x8 images, row after row, in [0, 1].

    0 is paper, and 1 is a cell full of ink.  Every value is k/16 with an integer
    k, so it is exact in float64.  Source: UCI Optical Recognition of Handwritten Digits, test set
    (Alpaydin & Kaynak 1998), CC BY 4.0.

    >>> x = digits()
    >>> x.shape, float(x.min()), float(x.max())
    ((1797, 64), 0.0, 1.0)
    """
    with np.load(io.BytesIO(_read("digits.npz")), allow_pickle=False) as file:
        return file["pixels"] / GREY_LEVELS                              # (1797, 64)


def digits_labels() -> Array:
    """The digit that each row of `digits()` shows, shape (1797,), integers 0..9.

    >>> digits_labels()[:10]
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    with np.load(io.BytesIO(_read("digits.npz")), allow_pickle=False) as file:
        return file["labels"].astype(int)                                # (1797,)


def penguins() -> Array:
    """Bill length and bill depth in mm of 342 penguins, shape (342, 2).

    Of the 344 birds in the file, number 4 (an Adelie) and number 272 (a Gentoo) were not measured
    and are left out.  Source: Palmer Station LTER (Gorman, Williams & Fraser 2014) by way of
    palmerpenguins (Horst, Hill & Gorman 2020), CC0.

    >>> penguins()[0]
    array([39.1, 18.7])
    """
    return np.array([[float(length), float(depth)] for _, length, depth in _measured()])


def penguins_labels() -> Array:
    """The species of each row of `penguins()`, shape (342,), strings.

    >>> [str(name) for name in np.unique(penguins_labels())]
    ['Adelie', 'Chinstrap', 'Gentoo']
    """
    return np.array([species for species, _, _ in _measured()])


def _measured() -> list[list[str]]:
    """[species, bill length, bill depth] of every bird that was measured."""
    _, *rows = [line.split(",") for line in _read("penguins.csv").decode("ascii").splitlines()]
    return [row for row in rows if "NA" not in row]


def _read(name: str) -> bytes:
    """The bytes of a file of this package.  ValueError if they are not the published ones."""
    content = resources.files("refsm.data").joinpath(name).read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != SHA256[name]:
        raise ValueError(f"refsm/data/{name} must have the SHA-256 {SHA256[name]}, "
                         f"but it has {found}: the file has changed")
    return content
