"""The door: what is let in, in which precision, and what is refused in which words; blocks of rows and their sums."""
import mmap
import pathlib
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from refsm import arrays

X = np.random.default_rng(0).normal(size=(7, 5))
needs_proc = pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")


class Word:
    """Something that is no number, with a name of a chosen length."""

    def __init__(self, length):
        self.length = length

    def __repr__(self):
        return "z" * self.length


# -- precision --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "uint64", "float16", "float32", "float64", ">f4", ">f8", "<i2", ">i8"])
def test_narrow_numbers_become_native_float64(dtype):
    a = np.array([[0, 1, 1], [1, 0, 0]]).astype(dtype)
    wide = arrays.widen(a)
    assert wide.dtype == np.float64 and wide.dtype.isnative and (wide == a).all()


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble, np.complex128, np.clongdouble])
def test_wide_numbers_pass_without_a_copy(dtype):
    a = X.astype(dtype)
    assert arrays.widen(a) is a or np.shares_memory(arrays.widen(a), a)
    assert arrays.widen(a).dtype == dtype


@pytest.mark.parametrize("dtype", [np.complex64, ">c8", ">c16"])
def test_narrow_or_foreign_complex_numbers_become_complex128(dtype):
    a = (X + 2j * X).astype(dtype)
    wide = arrays.widen(a)
    assert wide.dtype == np.complex128 and wide.dtype.isnative and (wide == a).all()


def test_foreign_longdouble_becomes_native():
    a = np.longdouble(X)
    wide = arrays.widen(a.astype(a.dtype.newbyteorder("S")))
    assert wide.dtype == np.longdouble and wide.dtype.isnative and (wide == a).all()


def test_exact_rationals_pass_as_they_are():
    wide = arrays.widen([[Fraction(1, 3), Fraction(2)]])
    assert wide.dtype == object and wide.tolist() == [[Fraction(1, 3), 2]]


def test_integers_beside_rationals_become_rationals():
    wide = arrays.widen(np.array([[Fraction(1, 3)], [7], [np.int64(2)], [True]], dtype=object))
    assert wide.shape == (4, 1) and all(type(entry) is Fraction and type(entry.numerator) is int for entry in wide.ravel())
    assert wide.ravel().tolist() == [Fraction(1, 3), 7, 2, 1]


def test_other_object_arrays_of_numbers_become_floats():
    assert arrays.widen(np.array([1, 2.5], dtype=object)).dtype == np.float64
    assert arrays.widen(np.array([1, 2], dtype=object)).dtype == np.float64
    assert arrays.widen(np.array([Fraction(1, 2), 0.25], dtype=object)).tolist() == [0.5, 0.25]
    assert arrays.widen(np.array([1, 2.5j], dtype=object)).dtype == np.complex128


def test_what_is_not_numbers_is_refused():
    with pytest.raises(TypeError, match="^x must be numbers, but its dtype is <U3$"):
        arrays.widen(["abc"])
    with pytest.raises(TypeError, match="^W must be numbers, but it contains None$"):
        arrays.widen([None, 1], "W")
    with pytest.raises(TypeError, match="^x must be numbers, but it contains Decimal"):
        arrays.widen([Decimal(1)])
    with pytest.raises(TypeError, match="its dtype is datetime64"):
        arrays.widen(np.array(["2020-01-01"], dtype="datetime64[D]"))
    with pytest.raises(ValueError, match="^x must be an array of numbers, but its rows differ in length$"):
        arrays.widen([[1, 2], [3]])


def test_masked_arrays_are_taken_where_nothing_is_masked():
    assert type(arrays.widen(np.ma.masked_array(X))) is np.ndarray
    with pytest.raises(ValueError, match="^x must have no missing entries, but it is a masked array with masked ones$"):
        arrays.widen(np.ma.masked_greater(X, 0.5))


# -- shapes and domains -----------------------------------------------------------------------------------------------

def test_an_array_must_have_the_shape_in_numbers_and_letters():
    assert arrays.array(X, "x", ("n", 5)).shape == (7, 5)
    assert arrays.array(X[:5], "x", ("d", "d")).shape == (5, 5)
    with pytest.raises(ValueError, match=r"^x must have shape \(n, 3\), but its shape is \(7, 5\)$"):
        arrays.array(X, "x", ("n", 3))
    with pytest.raises(ValueError, match=r"^P must have shape \(d, d\), but its shape is \(7, 5\)$"):
        arrays.array(X, "P", ("d", "d"))
    with pytest.raises(ValueError, match=r"^b must have shape \(m,\), but its shape is \(7, 5\)$"):
        arrays.array(X, "b", ("m",))
    with pytest.raises(ValueError, match=r"^x must have shape \(n, d\), but its shape is \(\)$"):
        arrays.array(3.0, "x", ("n", "d"))
    with pytest.raises(ValueError, match=r"^x must have shape \(n, d\), but its shape is \(0, 5\) \(empty\)$"):
        arrays.array(X[:0], "x", ("n", "d"))
    with pytest.raises(ValueError, match=r"^x must have shape \(0,\), but its shape is \(0,\) \(empty\)$"):
        arrays.array([], "x", (0,))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_must_be_finite(bad):
    x = X.copy()
    x[3, 2] = bad
    with pytest.raises(ValueError, match=rf"^x must be finite, but it has {bad} at \(3, 2\)$"):
        arrays.points(x)
    with pytest.raises(ValueError, match=rf"^b must be finite, but it has {bad} at \(2,\)$"):
        arrays.array(x[3], "b", ("m",))


def test_an_imaginary_part_must_be_finite_too():
    z = X.astype(complex)
    z.imag[4, 1] = np.inf
    with pytest.raises(ValueError, match=r"^x must be finite, but it has .* at \(4, 1\)$"):
        arrays.points(z)


def test_points_are_rows_with_the_dimension_of_the_model():
    assert arrays.points(X, "x", 5).shape == (7, 5)
    with pytest.raises(ValueError, match=r"^y must have shape \(n, 3\), but its shape is \(7, 5\)$"):
        arrays.points(X, "y", 3)
    with pytest.raises(ValueError, match=r"^x must have shape \(n, d\), but its shape is \(5,\)$"):
        arrays.points(X[0])


def test_positive_numbers():
    assert arrays.positive(3, "sigma") == 3.0 and type(arrays.positive(3, "sigma")) is float
    assert type(arrays.positive(np.float32(0.5), "sigma")) is float and type(arrays.positive(np.array(0.5), "sigma")) is float
    assert arrays.positive(Fraction(1, 3), "sigma") == Fraction(1, 3)
    assert isinstance(arrays.positive(np.longdouble(0.3), "sigma"), np.longdouble)
    assert arrays.positive(5e-324, "sigma") > 0
    for bad in (0, -0.0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"^sigma must be finite and > 0, but it is {float(bad)}$"):
            arrays.positive(bad, "sigma")


def test_numbers_that_are_not_negative():
    assert arrays.not_negative(0, "strength") == 0.0 and arrays.not_negative(Fraction(2, 7), "strength") == Fraction(2, 7)
    for bad in (-1e-300, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"^strength must be finite and >= 0, but it is {bad}$"):
            arrays.not_negative(bad, "strength")


@pytest.mark.parametrize("bad, shown", [
    (True, "True"), (np.True_, "(np.)?True_?"), ("1", "'1'"), (None, "None"), (1j, "1j"), ([1.0], r"\[1.0\]"), (np.ones(3), ".*")])
def test_what_is_no_number_is_refused(bad, shown):
    with pytest.raises(TypeError, match=f"^sigma must be a number > 0, but it is {shown}$"):
        arrays.positive(bad, "sigma")
    with pytest.raises(TypeError, match="^strength must be a number >= 0, but it is"):
        arrays.not_negative(bad, "strength")


@pytest.mark.parametrize("length, shown", [(59, "z" * 59), (60, "z" * 60), (61, "z" * 57 + "..."), (500, "z" * 57 + "...")])
def test_long_values_are_shown_in_sixty_characters(length, shown):
    with pytest.raises(TypeError) as caught:
        arrays.positive(Word(length), "sigma")
    assert str(caught.value) == f"sigma must be a number > 0, but it is {shown}"


def test_counts_are_whole_numbers_from_one_on():
    assert arrays.count(1, "steps") == 1 and type(arrays.count(np.int32(7), "steps")) is int
    for bad in (0, -3, 1.5, True, np.True_, "7", None, np.nan):
        with pytest.raises(ValueError, match="^steps must be a whole number >= 1, but it is "):
            arrays.count(bad, "steps")


def test_the_source_of_randomness_is_a_generator():
    rng = np.random.default_rng(3)
    assert arrays.generator(rng) is rng
    for bad in (3, None, np.random.RandomState(3)):
        with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator, but it is "):
            arrays.generator(bad)


def test_binary_points_are_zeros_and_ones():
    x = np.array([[0, 1, 1], [1, 0, 0]])
    assert arrays.binary(x).dtype == np.float64 and (arrays.binary(x) == x).all()
    assert arrays.binary(x > 0).tolist() == x.tolist()
    with pytest.raises(ValueError, match=r"^x must contain only 0 and 1, but entry \(1, 2\) is 0.5$"):
        arrays.binary([[0, 1, 1], [1, 0, 0.5]])
    with pytest.raises(ValueError, match=r"^x must have shape \(n, 5\), but its shape is \(2, 3\)$"):
        arrays.binary(x, "x", 5)


def test_a_number_that_is_not_binary_is_found_in_any_block(monkeypatch):
    monkeypatch.setattr(arrays, "FEWEST_ROWS", 3)
    monkeypatch.setattr(arrays, "BLOCK", 1)
    x = np.zeros((11, 3))
    x[7, 2] = -1
    with pytest.raises(ValueError, match=r"^x must contain only 0 and 1, but entry \(7, 2\) is -1.0$"):
        arrays.binary(x)


# -- holding ----------------------------------------------------------------------------------------------------------

def test_held_data_are_read_only_and_neither_copied_nor_widened():
    x = X.astype(np.float32)
    held = arrays.held(x, "x", ("n", "d"))
    assert np.shares_memory(held, x) and held.dtype == np.float32 and not held.flags.writeable and x.flags.writeable


def test_held_data_are_plain_arrays():
    assert arrays.held([[1, 2, 3]], "x", ("n", "d")).dtype == np.float64
    assert arrays.held([[Fraction(1, 3), 2, 3]], "x", ("n", "d")).dtype == object
    assert arrays.held(np.array([[1, 2.5, 3]], dtype=object), "x", ("n", "d")).dtype == np.float64
    assert type(arrays.held(np.ma.masked_array(X), "x", ("n", "d"))) is np.ndarray
    assert type(arrays.held(X.view(np.recarray), "x", ("n", "d"))) is np.ndarray
    with pytest.raises(ValueError, match="no missing entries"):
        arrays.held(np.ma.masked_greater(X, 0.5), "x", ("n", "d"))


def test_held_data_are_checked_in_every_block(monkeypatch, tmp_path):
    monkeypatch.setattr(arrays, "FEWEST_ROWS", 3)
    monkeypatch.setattr(arrays, "BLOCK", 1)
    x = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(11, 5, 3))
    assert arrays.held(x, "x", ("n", "d", "k")).shape == (11, 5, 3)
    x[7, 4, 2] = np.nan
    with pytest.raises(ValueError, match=r"^x must be finite, but it has nan at \(7, 4, 2\)$"):
        arrays.held(x, "x", ("n", "d", "k"))
    with pytest.raises(ValueError, match=r"^x must have shape \(n, 3\), but its shape is \(11, 5, 3\)$"):
        arrays.held(x, "x", ("n", 3))
    with pytest.raises(TypeError, match="^x must be numbers, but its dtype is <U1$"):
        arrays.held(np.full((7, 5), "a"), "x", ("n", "d"))


def test_held_data_are_read_in_blocks_by_their_width(monkeypatch):
    seen = []
    monkeypatch.setattr(arrays, "blocks", lambda n, width: seen.append((n, width)) or [slice(0, n)])
    arrays.held(np.zeros((7, 5, 3)), "x", ("n", "d", "k"))
    assert seen == [(7, 15)]


def test_frozen_is_a_read_only_copy_in_rows():
    a = np.asfortranarray(X)
    copy = arrays.frozen(a)
    assert (copy == a).all() and copy.flags.c_contiguous and not np.shares_memory(copy, a)
    with pytest.raises(ValueError, match="read-only"):
        copy[0, 0] = 1.0


def test_together_is_one_precision_wide_enough_for_all():
    held = arrays.together(W=X, b=np.longdouble(X[0]), c=X[1] + 0j)
    assert {a.dtype for a in held.values()} == {np.dtype(np.clongdouble)} and list(held) == ["W", "b", "c"]
    assert all(not a.flags.writeable for a in held.values())
    assert arrays.together(W=X, b=np.array([Fraction(1)]))["W"].dtype == object


def test_uniform_weights_sum_to_one_without_memory():
    weights = arrays.uniform_weights(7, X)
    assert weights.shape == (7,) and (weights == 1 / 7).all() and weights.strides == (0,)
    exact = arrays.uniform_weights(7, np.array([Fraction(1)]))
    assert exact.shape == (7,) and sum(exact) == 1 and exact[0] == Fraction(1, 7)


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
    arrays.let_go(a)
    assert resident() < before + 10**6 and a.sum() == a.size


@needs_proc
def test_checking_a_memory_map_keeps_none_of_it_in_memory(large):
    a = np.memmap(large, float, "r", shape=(2**15, 64))
    before = resident()
    held = arrays.held(a, "x", ("n", "d"))
    assert resident() < before + 4 * 10**6
    arrays.all_binary(held, "x")
    assert resident() < before + 4 * 10**6


@needs_proc
def test_a_new_memory_map_gives_back_the_memory_that_writing_it_took(large):
    a = np.memmap(large, float, "w+", shape=(2**15, 64))
    before = resident()
    a[...] = 3.0
    arrays.let_go(a)
    assert resident() < before + 10**6 and (a == 3).all()


class WithMode(np.ndarray):
    """An array with a mode of its own, which is no memory map."""

    mode = "r"


def test_what_lives_in_memory_alone_is_kept(large):
    changed = np.memmap(large, float, "c", shape=(2**15, 64))
    changed[5, 3] = 7.0
    arrays.let_go(changed[5:])
    assert changed[5, 3] == 7.0
    with large.open("r+b") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as bare:
        a = np.frombuffer(bare)
        a[3] = 7.0
        arrays.let_go(a)
        assert a[3] == 7.0
        del a
    for plain in (X, X[1:], changed + 1, WithMode(3, buffer=np.ones(3)), np.ones(3).view(WithMode).copy()):
        kept = plain.copy()
        arrays.let_go(plain)
        assert (plain == kept).all()


# -- sums and blocks --------------------------------------------------------------------------------------------------

def test_row_dot_sums_the_last_axis():
    u, v = np.random.default_rng(1).normal(size=(2, 3, 7, 5))
    assert np.allclose(arrays.row_dot(u, v), [[sum(p * q) for p, q in zip(a, b)] for a, b in zip(u, v)], rtol=1e-14)
    exact = np.array([[Fraction(1, 3), Fraction(2)], [Fraction(0), Fraction(5, 7)]])
    ones = np.ones((2, 2))
    assert arrays.row_dot(exact, exact).tolist() == [Fraction(37, 9), Fraction(25, 49)]
    assert arrays.row_dot(exact, ones).tolist() == arrays.row_dot(ones, exact).tolist() == [7 / 3, 5 / 7]


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble, complex, object])
def test_sums_over_rows_are_sums_over_rows_in_their_own_numbers(dtype):
    u = np.arange(15).reshape(5, 3).astype(dtype) + (Fraction(1, 3) if dtype is object else 0)
    w = np.array([Fraction(k, 7) for k in range(-2, 3)]) if dtype is object else np.arange(-2, 3).astype(dtype)
    assert arrays.sum_rows(u).tolist() == [sum(column) for column in u.T] and arrays.sum_rows(u).dtype == dtype
    assert arrays.weighted_sum(w, u).tolist() == [sum(w * column) for column in u.T]
    one = arrays.uniform_weights(5, u)
    assert (abs(arrays.weighted_sum(one, u) - u.sum(axis=0) / 5) <= 1e-15 * abs(u).max()).all()


def test_a_number_held_once_is_taken_once():
    w = np.arange(3.0)
    repeated = np.broadcast_to(w[:, None], (3, 5))
    assert arrays.once(repeated).tolist() == [[0], [1], [2]] and arrays.once(repeated.T).tolist() == [[0, 1, 2]]
    assert arrays.once(w).tolist() == [0, 1, 2] and arrays.once(np.broadcast_to(w[1], (7,))).tolist() == [1]


def test_total_is_the_sum_or_zeros():
    assert arrays.total([X, 2 * X, -X], X.shape) == pytest.approx(2 * X)
    zeros = arrays.total([], (3, 5))
    assert zeros.shape == (3, 5) and not zeros.any()
    kept = X.copy()
    arrays.total([kept, kept], X.shape)
    assert (kept == X).all()


@pytest.mark.parametrize("n, width, copies, rows", [
    (5000, 64, 1, 4096), (5000, 100, 1, 2621), (5000, 784, 1, 512), (5000, 10**6, 1, 512),     # never fewer than 512 rows of one array
    (5000, 64, 7, 585), (5000, 784, 7, 73), (5000, 10**6, 600, 1), (100, 64, 1, 4096)])          # or of all arrays that a row needs
def test_blocks_cover_the_rows_once_in_order(n, width, copies, rows):
    slices = list(arrays.blocks(n, width, copies))
    assert slices[0].start == 0 and slices[-1].stop == n
    assert all(left.stop == right.start for left, right in zip(slices, slices[1:]))
    assert slices[0].stop == min(rows, n)
    assert all(part.stop - part.start == rows for part in slices[:-1])
    if copies == 1:
        assert slices == list(arrays.blocks(n, width))


@pytest.mark.parametrize("count", range(1, 18))
def test_a_pairwise_sum_is_the_sum_of_each_part(count):
    terms = [(float(k), np.array([k, -2.0 * k]), Fraction(k, 3)) for k in range(1, count + 1)]
    pairwise = arrays.PairwiseSum()
    for term in terms:
        pairwise.add(term)
    number, vector, exact = pairwise.total()
    whole = count * (count + 1) // 2
    assert number == whole and vector.tolist() == [whole, -2 * whole] and exact == Fraction(whole, 3)
    assert pairwise.total()[0] == number          # asking does not change it


def test_a_pairwise_sum_adds_in_pairs_from_left_to_right():
    pairwise = arrays.PairwiseSum()
    for letter in "abcdefg":
        pairwise.add((Tree(letter),))
    assert pairwise.total()[0].name == "(((ab)(cd))((ef)g))"


class Tree:
    def __init__(self, name):
        self.name = name

    def __add__(self, other):
        return Tree(f"({self.name}{other.name})")


def test_rounding_of_a_pairwise_sum_does_not_grow_with_the_number_of_terms():
    pairwise = arrays.PairwiseSum()
    for _ in range(2**14):
        pairwise.add((0.1,))
    assert pairwise.total()[0] == 0.1 * 2**14         # every partial sum is a power of two times 0.1
    assert np.cumsum(np.full(2**14, 0.1))[-1] != 0.1 * 2**14           # one after the other (Python's own sum compensates from 3.12 on)
