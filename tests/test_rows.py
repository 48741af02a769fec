"""Blocks of rows, and memory maps that release their pages."""
import mmap
import pathlib
import re

import numpy as np
import pytest

from refsm import rows, validation

needs_proc = pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(),
                                reason="the memory of a process is read from /proc")


# -- memory maps ------------------------------------------------------------------------------------------------------

def resident():
    """Pages of files that count as memory of this process, in bytes."""
    return 1024 * int(re.search(r"RssFile:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1])


@pytest.fixture
def large(tmp_path):
    """A file of 16 MB: 2^15 rows of 64 ones."""
    np.ones((2**15, 64)).tofile(tmp_path / "large")
    return tmp_path / "large"


@needs_proc
@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize("view", [lambda a: a, lambda a: a[7:], lambda a: np.asarray(a)[::2].T], ids=["whole", "part", "turned"])
def test_a_memory_map_gives_back_the_memory_that_reading_it_took(large, mode, view):
    a = view(np.memmap(large, float, mode, shape=(2**15, 64)))
    before = resident()
    assert a.sum() == a.size and resident() > before + a.size * 8 - 10**6
    rows.release_pages(a)
    assert resident() < before + 10**6 and a.sum() == a.size


@needs_proc
def test_checking_a_memory_map_keeps_none_of_it_in_memory(large):
    a = np.memmap(large, float, "r", shape=(2**15, 64))
    before = resident()
    held = validation.readonly_view(a, "x", ("n", "d"))
    assert resident() < before + 4 * 10**6
    validation.all_binary(held, "x")
    assert resident() < before + 4 * 10**6


@needs_proc
def test_a_new_memory_map_gives_back_the_memory_that_writing_it_took(large):
    a = np.memmap(large, float, "w+", shape=(2**15, 64))
    before = resident()
    a[...] = 3.0
    rows.release_pages(a)
    assert resident() < before + 10**6 and (a == 3).all()


class WithMode(np.ndarray):
    """An array with a mode of its own, which is no memory map."""

    mode = "r"


def test_what_lives_in_memory_alone_is_kept(large):
    changed = np.memmap(large, float, "c", shape=(2**15, 64))
    changed[5, 3] = 7.0
    rows.release_pages(changed[5:])
    assert changed[5, 3] == 7.0
    with large.open("r+b") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as bare:
        a = np.frombuffer(bare)
        a[3] = 7.0
        rows.release_pages(a)
        assert a[3] == 7.0
        del a
    for plain in (X, X[1:], changed + 1, WithMode(3, buffer=np.ones(3)), np.ones(3).view(WithMode).copy()):
        kept = plain.copy()
        rows.release_pages(plain)
        assert (plain == kept).all()


@pytest.mark.parametrize("n, width, copies, rows", [
    (5000, 64, 1, 4096), (5000, 100, 1, 2621), (5000, 784, 1, 512), (5000, 10**6, 1, 512),     # never fewer than 512 rows of one array
    (5000, 64, 7, 585), (5000, 784, 7, 73), (5000, 10**6, 600, 1), (100, 64, 1, 4096)])          # or of all arrays that a row needs
def test_blocks_cover_the_rows_once_in_order(n, width, copies, rows):
    slices = list(rows.row_blocks(n, width, copies))
    assert slices[0].start == 0 and slices[-1].stop == n
    assert all(left.stop == right.start for left, right in zip(slices, slices[1:]))
    assert slices[0].stop == min(rows, n)
    assert all(part.stop - part.start == rows for part in slices[:-1])
    if copies == 1:
        assert slices == list(rows.row_blocks(n, width))
