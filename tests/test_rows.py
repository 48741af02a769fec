"""Blocks of rows, and memory maps that release their pages."""
import mmap
import pathlib
import platform
import re
import subprocess
import sys

import numpy as np
import pytest

from refsm import rows, validation

X = np.random.default_rng(0).normal(size=(7, 5))
needs_proc = pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(),
                                reason="the memory of a process is read from /proc")


# -- memory maps -----------------------------------------------------------------------------------

def resident():
    """Pages of files that count as memory of this process, in bytes."""
    return 1024 * int(re.search(r"RssFile:\s+(\d+)",
                                pathlib.Path("/proc/self/status").read_text())[1])


@pytest.fixture
def large(tmp_path):
    """A file of 16 MB: 2^15 rows of 64 ones."""
    np.ones((2**15, 64)).tofile(tmp_path / "large")
    return tmp_path / "large"


@needs_proc
@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize("view", [lambda a: a, lambda a: a[7:], lambda a: np.asarray(a)[::2].T],
                         ids=["whole", "part", "turned"])
def test_a_memory_map_gives_back_the_memory_that_reading_it_took(large, mode, view):
    a = view(np.memmap(large, float, mode, shape=(2**15, 64)))
    before = resident()
    assert a.sum() == a.size
    assert resident() > before + a.size * 8 - 10**6
    rows.release_pages(a)
    assert resident() < before + 10**6
    assert a.sum() == a.size


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
    assert resident() < before + 10**6
    assert (a == 3).all()


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
    for plain in (X, X[1:], changed + 1, WithMode(3, buffer=np.ones(3)),
                  np.ones(3).view(WithMode).copy()):
        kept = plain.copy()
        rows.release_pages(plain)
        assert (plain == kept).all()


# -- blocks of rows --------------------------------------------------------------------------------

@pytest.mark.parametrize("n, width, arrays, size", [
    (5000, 64, 1, 3072), (5000, 100, 1, 1966), (100, 64, 1, 3072),
    (5000, 784, 1, 512), (5000, 10**6, 1, 512),           # at least 512 rows of one array
    (5000, 64, 7, 438), (5000, 784, 7, 73),               # or of all arrays that a row needs
    (5000, 10**6, 600, 1)])                               # and at least one row
def test_blocks_cover_the_rows_once_in_order(n, width, arrays, size):
    slices = list(rows.row_blocks(n, width, arrays))
    assert slices[0].start == 0
    assert slices[-1].stop == n
    assert all(left.stop == right.start for left, right in zip(slices, slices[1:]))
    lengths = [part.stop - part.start for part in slices]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1
    fewest = -(-n // size)
    assert len(slices) == (fewest + fewest % 2 if 1 < fewest < n else fewest)


@pytest.mark.parametrize("gradient, arrays, size", [
    (2**17, 1, 512), (2**17 + 1, 1, 1024), (2**17 + 1, 7, 146)])
def test_a_gradient_of_more_than_a_megabyte_is_added_half_as_often(gradient, arrays, size):
    assert next(rows.row_blocks(4 * size, 784, arrays, gradient)) == slice(0, size)
    assert len(list(rows.row_blocks(4 * size + 1, 784, arrays, gradient))) == 6


@pytest.mark.parametrize("gradient, arrays, size", [
    (325, 1, 3072), (326, 1, 3067), (976, 1, 1024), (977, 1, 3072), (10**6, 1, 3072),
    (500, 7, 285)])
def test_products_of_a_million_multiplications_are_enough_where_they_leave_1024_rows(
        gradient, arrays, size):
    assert next(rows.row_blocks(4 * size, 64, arrays, gradient)) == slice(0, size)
    assert len(list(rows.row_blocks(4 * size + 1, 64, arrays, gradient))) == 6


def test_a_row_needs_one_array_unless_it_is_said_how_many():
    assert list(rows.row_blocks(5000, 784)) == list(rows.row_blocks(5000, 784, 1))


@pytest.mark.parametrize("n, asked", [(512, 0), (513, 1)])
def test_the_c_library_is_asked_to_keep_freed_memory_only_where_there_are_two_blocks(n, asked,
                                                                                     monkeypatch):
    calls = []
    monkeypatch.setattr(rows, "_keep_freed_memory", lambda: calls.append(1))
    list(rows.row_blocks(n, 10**6))
    assert len(calls) == asked


FAULTS = """
import resource
import numpy as np
from refsm import rows

rows._keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    [np.ones(2**17) for _ in range(8)]
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults * resource.getpagesize())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="freed memory is kept by glibc")
def test_freed_memory_is_kept_for_reuse():
    """Ten times eight arrays of 1 MB: only the pages of the first eight are asked for."""
    ran = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 16e6


@needs_proc
def test_what_is_kept_is_below_the_largest_threshold_of_the_c_library():
    """glibc adapts its threshold to freed arrays of at most 32 MB, with a few bytes of its own."""
    assert 2**25 - 2**14 < rows.KEEP * 8 < 2**25
