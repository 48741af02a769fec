"""Blocks of rows: points are processed a block at a time, so that memory is flat in their number.

Two details of the machine matter here.  The C library returns large freed arrays to the system and
asks for them again at the next block, which costs a page fault per 4 KB; and the pages of a memory
map that have been read count as memory of the process until they are released.

The rule for the rows of a block: its widest array has at most 1.5 MB, so that a few stay in cache,
and no product of it more than a million multiplications if that leaves 1024 rows, because OpenBLAS
multiplies matrices that small without copying them first, on processors with AVX-512.  But 512 rows
are allowed, and 1024 where the gradient is itself larger than 1 MB, because each block adds one.
The blocks are even in number and equal to within a row, so that two threads which share them end
together: for 5000 rows in five blocks they take a fifth longer than for six.  Measured for
denoising score matching, with n points, d dimensions and m hidden units, as milliseconds of one
core for the value and the gradient:

    n, d, m         at most  512    768   1024   1712   3072   4096 rows
    20000,  64,  256          94     93*    94     95    101    105
     5000, 784, 1000         805    793    787*   786    863    813
    60000,   8,   64          28     26     25     23*    26     26
   100000,   2,   64          39     34     31     29     28*    27       * by the rule
"""
from __future__ import annotations

import mmap
from typing import Any, Iterator

import numpy as np

from refsm.typing import Array

__all__ = ["row_blocks", "release_pages"]

BLOCK = 3 * 2 ** 16     # numbers in the widest array of a block: 1.5 MB
PRODUCT = 10 ** 6       # multiplications in a product that OpenBLAS computes without copying
LARGE = 2 ** 17         # numbers in a gradient of 1 MB
FEWEST_ROWS = 512       # with fewer, a matrix product spends its time on the (m, d) matrix
KEEP = 2 ** 22 - 1024   # numbers, just under 32 MB: the largest array that glibc keeps for reuse


def row_blocks(n: int, width: int, arrays_per_point: int = 1,
               gradient: int = 0) -> Iterator[slice]:
    """Slices of rows that cover 0..n-1.

    `width` is the number of columns of the widest array that a point needs, `arrays_per_point` how
    many such arrays it needs (one per direction, say), `gradient` how many numbers each block adds
    to a gradient: about as many as the multiplications that a product needs for a row.

    >>> [(rows.start, rows.stop) for rows in row_blocks(600, 1000)]
    [(0, 300), (300, 600)]
    """
    fewest = FEWEST_ROWS if gradient <= LARGE else 2 * FEWEST_ROWS
    most, small = BLOCK // width, PRODUCT // max(gradient, 1)
    if small >= 2 * FEWEST_ROWS:
        most = min(most, small)
    size = max(max(fewest, most) // arrays_per_point, 1)
    count = 1 if size >= n else min(2 * -(-n // (2 * size)), n)
    if count > 1:
        _keep_freed_memory()
    for k in range(count):
        yield slice(n * k // count, n * (k + 1) // count)


def _keep_freed_memory() -> None:
    """After this array has been freed, glibc keeps freed arrays of up to its size for reuse."""
    np.empty(KEEP)


def release_pages(a: Array) -> None:
    """Release the pages of a memory map that have been read; reading them again reloads them.

    Nothing happens to any other array, or to a copy-on-write map, whose changes exist in memory
    only.
    """
    owner: Any = a
    while isinstance(owner, np.ndarray):
        mode = getattr(owner, "mode", None)
        owner = owner.base
    if isinstance(owner, mmap.mmap) and mode in ("r", "r+", "w+"):
        if hasattr(mmap, "MADV_DONTNEED"):
            owner.madvise(mmap.MADV_DONTNEED)
