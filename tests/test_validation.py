"""Checks of arguments: what passes, in which precision, and what is refused in which words."""
import pathlib
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from refsm import validation

X = np.random.default_rng(0).normal(size=(7, 5))
needs_proc = pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(),
                                reason="the memory of a process is read from /proc")


class Word:
    """Something that is no number, with a name of a chosen length."""

    def __init__(self, length):
        self.length = length

    def __repr__(self):
        return "z" * self.length


# -- precision -------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype",
                         ["bool", "int8", "uint8", "int64", "uint64", "float16", "float32",
                          "float64", ">f4", ">f8", "<i2", ">i8"])
def test_narrow_numbers_become_native_float64(dtype):
    a = np.array([[0, 1, 1], [1, 0, 0]]).astype(dtype)
    wide = validation.widen(a)
    assert wide.dtype == np.float64
    assert wide.dtype.isnative
    assert (wide == a).all()


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble, np.complex128, np.clongdouble])
def test_wide_numbers_pass_without_a_copy(dtype):
    a = X.astype(dtype)
    assert validation.widen(a) is a or np.shares_memory(validation.widen(a), a)
    assert validation.widen(a).dtype == dtype


@pytest.mark.parametrize("dtype", [np.complex64, ">c8", ">c16"])
def test_narrow_or_foreign_complex_numbers_become_complex128(dtype):
    a = (X + 2j * X).astype(dtype)
    wide = validation.widen(a)
    assert wide.dtype == np.complex128
    assert wide.dtype.isnative
    assert (wide == a).all()


def test_foreign_longdouble_becomes_native():
    a = np.longdouble(X)
    wide = validation.widen(a.astype(a.dtype.newbyteorder("S")))
    assert wide.dtype == np.longdouble
    assert wide.dtype.isnative
    assert (wide == a).all()


def test_exact_rationals_pass_as_they_are():
    wide = validation.widen([[Fraction(1, 3), Fraction(2)]])
    assert wide.dtype == object
    assert wide.tolist() == [[Fraction(1, 3), 2]]


def test_formulas_with_an_exp_get_floats_for_rationals_and_every_other_array_as_it_is():
    third = validation.inexact(np.array([Fraction(1, 3)], dtype=object))
    assert third.dtype == np.float64
    assert third[0] == 1 / 3
    for a in (X, np.longdouble(X), X + 2j):
        assert validation.inexact(a) is a


def test_integers_beside_rationals_become_rationals():
    wide = validation.widen(np.array([[Fraction(1, 3)], [7], [np.int64(2)], [True]], dtype=object))
    assert wide.shape == (4, 1)
    assert {type(entry) for entry in wide.ravel()} == {Fraction}
    assert {type(entry.numerator) for entry in wide.ravel()} == {int}
    assert wide.ravel().tolist() == [Fraction(1, 3), 7, 2, 1]


def test_other_object_arrays_of_numbers_become_floats():
    assert validation.widen(np.array([1, 2.5], dtype=object)).dtype == np.float64
    assert validation.widen(np.array([1, 2], dtype=object)).dtype == np.float64
    assert validation.widen(np.array([Fraction(1, 2), 0.25], dtype=object)).tolist() == [0.5, 0.25]
    assert validation.widen(np.array([1, 2.5j], dtype=object)).dtype == np.complex128


def test_what_is_not_numbers_is_refused():
    with pytest.raises(TypeError, match="^x must be numbers, but its dtype is <U3$"):
        validation.widen(["abc"])
    with pytest.raises(TypeError, match="^W must be numbers, but it contains None$"):
        validation.widen([None, 1], "W")
    with pytest.raises(TypeError, match="^x must be numbers, but it contains Decimal"):
        validation.widen([Decimal(1)])
    with pytest.raises(TypeError, match="its dtype is datetime64"):
        validation.widen(np.array(["2020-01-01"], dtype="datetime64[D]"))
    with pytest.raises(ValueError,
                       match="^x must be an array of numbers, but its rows differ in length$"):
        validation.widen([[1, 2], [3]])


def test_masked_arrays_are_taken_where_nothing_is_masked():
    assert type(validation.widen(np.ma.masked_array(X))) is np.ndarray
    with pytest.raises(ValueError, match="^x must have no missing entries, but it is a masked "
                                         "array with masked ones$"):
        validation.widen(np.ma.masked_greater(X, 0.5))


# -- shapes and domains ----------------------------------------------------------------------------

def test_an_array_must_have_the_shape_in_numbers_and_letters():
    assert validation.array(X, "x", ("n", 5)).shape == (7, 5)
    assert validation.array(X[:5], "x", ("d", "d")).shape == (5, 5)
    with pytest.raises(ValueError,
                       match=r"^x must have shape \(n, 3\), but its shape is \(7, 5\)$"):
        validation.array(X, "x", ("n", 3))
    with pytest.raises(ValueError,
                       match=r"^P must have shape \(d, d\), but its shape is \(7, 5\)$"):
        validation.array(X, "P", ("d", "d"))
    with pytest.raises(ValueError, match=r"^b must have shape \(m,\), but its shape is \(7, 5\)$"):
        validation.array(X, "b", ("m",))
    with pytest.raises(ValueError, match=r"^x must have shape \(n, d\), but its shape is \(\)$"):
        validation.array(3.0, "x", ("n", "d"))
    with pytest.raises(ValueError,
                       match=r"^x must have shape \(n, d\), but its shape is \(0, 5\) \(empty\)$"):
        validation.array(X[:0], "x", ("n", "d"))
    with pytest.raises(ValueError,
                       match=r"^x must have shape \(0,\), but its shape is \(0,\) \(empty\)$"):
        validation.array([], "x", (0,))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_must_be_finite(bad):
    x = X.copy()
    x[3, 2] = bad
    with pytest.raises(ValueError, match=rf"^x must be finite, but it has {bad} at \(3, 2\)$"):
        validation.points(x)
    with pytest.raises(ValueError, match=rf"^b must be finite, but it has {bad} at \(2,\)$"):
        validation.array(x[3], "b", ("m",))


def test_an_imaginary_part_must_be_finite_too():
    z = X.astype(complex)
    z.imag[4, 1] = np.inf
    with pytest.raises(ValueError, match=r"^x must be finite, but it has .* at \(4, 1\)$"):
        validation.points(z)


def test_points_are_rows_with_the_dimension_of_the_model():
    assert validation.points(X, "x", 5).shape == (7, 5)
    with pytest.raises(ValueError,
                       match=r"^y must have shape \(n, 3\), but its shape is \(7, 5\)$"):
        validation.points(X, "y", 3)
    with pytest.raises(ValueError, match=r"^x must have shape \(n, d\), but its shape is \(5,\)$"):
        validation.points(X[0])


def test_positive_numbers():
    assert validation.positive(3, "sigma") == 3.0
    assert type(validation.positive(3, "sigma")) is float
    assert type(validation.positive(np.float32(0.5), "sigma")) is float
    assert type(validation.positive(np.array(0.5), "sigma")) is float
    assert validation.positive(Fraction(1, 3), "sigma") == Fraction(1, 3)
    assert isinstance(validation.positive(np.longdouble(0.3), "sigma"), np.longdouble)
    assert validation.positive(5e-324, "sigma") > 0
    for bad in (0, -0.0, -1, np.nan, np.inf):
        with pytest.raises(ValueError,
                           match=f"^sigma must be finite and > 0, but it is {float(bad)}$"):
            validation.positive(bad, "sigma")


def test_numbers_that_are_not_negative():
    assert validation.not_negative(0, "strength") == 0.0
    assert validation.not_negative(Fraction(2, 7), "strength") == Fraction(2, 7)
    for bad in (-1e-300, np.nan, np.inf):
        with pytest.raises(ValueError,
                           match=f"^strength must be finite and >= 0, but it is {bad}$"):
            validation.not_negative(bad, "strength")


@pytest.mark.parametrize("bad, shown",
                         [(True, "True"), (np.True_, "(np.)?True_?"), ("1", "'1'"), (None, "None"),
                          (1j, "1j"), ([1.0], r"\[1.0\]"), (np.ones(3), ".*")])
def test_what_is_no_number_is_refused(bad, shown):
    with pytest.raises(TypeError, match=f"^sigma must be a number > 0, but it is {shown}$"):
        validation.positive(bad, "sigma")
    with pytest.raises(TypeError, match="^strength must be a number >= 0, but it is"):
        validation.not_negative(bad, "strength")


@pytest.mark.parametrize("length, shown",
                         [(59, "z" * 59), (60, "z" * 60), (61, "z" * 57 + "..."),
                          (500, "z" * 57 + "...")])
def test_long_values_are_shown_in_sixty_characters(length, shown):
    with pytest.raises(TypeError) as caught:
        validation.positive(Word(length), "sigma")
    assert str(caught.value) == f"sigma must be a number > 0, but it is {shown}"


def test_counts_are_whole_numbers_from_one_on():
    assert validation.count(1, "steps") == 1
    assert type(validation.count(np.int32(7), "steps")) is int
    for bad in (0, -3, 1.5, True, np.True_, "7", None, np.nan):
        with pytest.raises(ValueError, match="^steps must be a whole number >= 1, but it is "):
            validation.count(bad, "steps")


def test_the_source_of_randomness_is_a_generator():
    rng = np.random.default_rng(3)
    assert validation.generator(rng) is rng
    for bad in (3, None, np.random.RandomState(3)):
        with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator, but it is "):
            validation.generator(bad)


def test_binary_points_are_zeros_and_ones():
    x = np.array([[0, 1, 1], [1, 0, 0]])
    assert validation.binary(x).dtype == np.float64
    assert (validation.binary(x) == x).all()
    assert validation.binary(x > 0).tolist() == x.tolist()
    with pytest.raises(ValueError,
                       match=r"^x must contain only 0 and 1, but entry \(1, 2\) is 0.5$"):
        validation.binary([[0, 1, 1], [1, 0, 0.5]])
    with pytest.raises(ValueError,
                       match=r"^x must have shape \(n, 5\), but its shape is \(2, 3\)$"):
        validation.binary(x, "x", 5)


def test_a_number_that_is_not_binary_is_found_in_any_block(monkeypatch):
    monkeypatch.setattr("refsm.rows.FEWEST_ROWS", 3)
    monkeypatch.setattr("refsm.rows.BLOCK", 1)
    x = np.zeros((11, 3))
    x[7, 2] = -1
    with pytest.raises(ValueError,
                       match=r"^x must contain only 0 and 1, but entry \(7, 2\) is -1.0$"):
        validation.binary(x)


# -- holding ---------------------------------------------------------------------------------------

def test_held_data_are_read_only_and_neither_copied_nor_widened():
    x = X.astype(np.float32)
    held = validation.readonly_view(x, "x", ("n", "d"))
    assert np.shares_memory(held, x)
    assert held.dtype == np.float32
    assert not held.flags.writeable
    assert x.flags.writeable


def test_held_data_are_plain_arrays():
    assert validation.readonly_view([[1, 2, 3]], "x", ("n", "d")).dtype == np.float64
    assert validation.readonly_view([[Fraction(1, 3), 2, 3]], "x", ("n", "d")).dtype == object
    assert validation.readonly_view(np.array([[1, 2.5, 3]], dtype=object), "x",
                                    ("n", "d")).dtype == np.float64
    assert type(validation.readonly_view(np.ma.masked_array(X), "x", ("n", "d"))) is np.ndarray
    assert type(validation.readonly_view(X.view(np.recarray), "x", ("n", "d"))) is np.ndarray
    with pytest.raises(ValueError, match="no missing entries"):
        validation.readonly_view(np.ma.masked_greater(X, 0.5), "x", ("n", "d"))


def test_held_data_are_checked_in_every_block(monkeypatch, tmp_path):
    monkeypatch.setattr("refsm.rows.FEWEST_ROWS", 3)
    monkeypatch.setattr("refsm.rows.BLOCK", 1)
    x = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(11, 5, 3))
    assert validation.readonly_view(x, "x", ("n", "d", "k")).shape == (11, 5, 3)
    x[7, 4, 2] = np.nan
    with pytest.raises(ValueError, match=r"^x must be finite, but it has nan at \(7, 4, 2\)$"):
        validation.readonly_view(x, "x", ("n", "d", "k"))
    with pytest.raises(ValueError,
                       match=r"^x must have shape \(n, 3\), but its shape is \(11, 5, 3\)$"):
        validation.readonly_view(x, "x", ("n", 3))
    with pytest.raises(TypeError, match="^x must be numbers, but its dtype is <U1$"):
        validation.readonly_view(np.full((7, 5), "a"), "x", ("n", "d"))


def test_held_data_are_read_in_blocks_by_their_width(monkeypatch):
    seen = []
    monkeypatch.setattr("refsm.validation.row_blocks", lambda n,
                        width: seen.append((n, width)) or [slice(0, n)])
    validation.readonly_view(np.zeros((7, 5, 3)), "x", ("n", "d", "k"))
    assert seen == [(7, 15)]


@pytest.mark.parametrize("number", [1e-75, 1e75, 0.3, 3, Fraction(2, 7), np.longdouble(0.3)])
def test_a_scale_is_a_number_whose_fourth_power_is_a_float(number):
    scale = validation.scale(number, "sigma")
    assert scale == number
    assert 0 < float(scale) ** 4 < np.inf
    assert 0 < float(scale) ** -4 < np.inf


@pytest.mark.parametrize("number", [0.99e-75, 1.01e75, 5e-324, 1e300])
def test_other_scales_are_refused_with_the_reason(number):
    with pytest.raises(ValueError) as caught:
        validation.scale(number, "sigma")
    assert str(caught.value) == ("sigma must be between 1e-75 and 1e+75, because losses divide by "
                                 f"its fourth power, but it is {number}")


# -- symmetry --------------------------------------------------------------------------------------

def off(i, k, part, size=8.0):
    """A symmetric matrix of largest entry `size`, one entry of which is off by a part of that."""
    a = np.array([[1.0, 2.0, -size], [2.0, 0.5, 3.0], [-size, 3.0, 0.0]])
    a[i, k] += part * size
    return a


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("i, k", [(0, 1), (1, 0), (2, 1)])
def test_an_asymmetry_of_rounding_is_removed(i, k, sign):
    a = off(i, k, sign * 2**-30)
    S = validation.symmetric(a, "P")
    assert (S == S.T).all()
    assert (S == (a + a.T) / 2).all()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("size", [8.0, 8e-200, 8e200])
def test_a_larger_asymmetry_is_refused_with_its_entries(sign, size):
    a = off(1, 2, sign * 1.001 * 2**-30) * (size / 8)
    with pytest.raises(ValueError) as caught:
        validation.symmetric(a, "P")
    one, other = {str(a[1, 2]), str(a[2, 1])}, str(caught.value)
    assert other.startswith("P must be symmetric, but entry (1, 2) is ")
    assert all(number in other for number in one)


def test_the_worst_pair_is_the_one_that_is_shown():
    a = off(0, 1, 0.1) + off(2, 1, 0.3)
    with pytest.raises(ValueError, match=r"^P must be symmetric, but entry \(1, 2\) is "):
        validation.symmetric(a, "P")


def test_each_of_several_matrices_has_its_own_largest_entry():
    rounding, larger = off(0, 1, 2**-30), off(0, 1, 2**-30)
    larger[2, 0] = larger[0, 2] = 0.0                       # now the same asymmetry is too much
    assert validation.symmetric(np.stack([rounding] * 3), "S").shape == (3, 3, 3)
    with pytest.raises(ValueError, match=r"^S must be symmetric, but in matrix 1 entry \(0, 1\)"):
        validation.symmetric(np.stack([rounding, larger, rounding]), "S")


def test_symmetric_matrices_of_rationals_stay_exact():
    third = Fraction(1, 3)
    a = np.array([[third, third], [third, Fraction(2)]])
    assert validation.symmetric(a, "P").tolist() == a.tolist()
    a[0, 1] += Fraction(1, 10**8)
    with pytest.raises(ValueError, match=r"^P must be symmetric, but entry \(0, 1\) is 1"):
        validation.symmetric(a, "P")


def test_the_symmetric_part_of_the_largest_numbers_is_finite():
    a = np.array([[1.7e308, 1.5e308], [1.1e308, -1.7e308]])
    assert validation.symmetric_part(a).tolist() == [[1.7e308, 1.3e308], [1.3e308, -1.7e308]]


def test_a_matrix_of_zeros_is_symmetric():
    assert not validation.symmetric(np.zeros((3, 3)), "P").any()


# -- numbers without a float -----------------------------------------------------------------------

def test_a_whole_number_beyond_the_floats_is_refused_in_one_sentence():
    for check in (validation.positive, validation.not_negative, validation.scale):
        with pytest.raises(ValueError, match="^sigma must be finite, but it is 10+...$"):
            check(10**400, "sigma")


def test_a_value_is_shown_on_one_line():
    with pytest.raises(TypeError) as caught:
        validation.positive(np.eye(3), "sigma")
    assert "\n" not in str(caught.value)
    with pytest.raises(TypeError) as caught:
        validation.widen(np.array([[1, "a\nb" * 50]], dtype=object))
    assert len(str(caught.value)) < 100


class Tensor:
    """What a framework's tensor looks like from outside: tracked, it does not become an array."""

    def __init__(self, requires_grad):
        self.requires_grad = requires_grad

    def __array__(self, *_, **__):
        if self.requires_grad:
            raise RuntimeError("use tensor.detach().numpy() instead")
        return np.ones((3, 5))


def test_a_tensor_that_requires_a_gradient_is_refused_in_one_sentence():
    sentence = ("score must be numbers without a gradient, but it is a Tensor that requires one: "
                "give score.detach()")
    for check in (validation.widen, lambda value, name: validation.array(value, name, ("n", "d"))):
        with pytest.raises(TypeError) as caught:
            check(Tensor(True), "score")
        assert str(caught.value) == sentence
    assert validation.widen(Tensor(False)).shape == (3, 5)
