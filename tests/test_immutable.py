"""Immutable data: read-only copies in one precision, and pickles that keep the last bit."""
import concurrent.futures
import copy
import importlib
import pickle
import pkgutil
import threading
from dataclasses import FrozenInstanceError, dataclass, is_dataclass
from fractions import Fraction

import numpy as np
import pytest

from refsm import energies, immutable, objectives
from refsm.energies.mixture import GaussianMixture
from refsm.typing import Given

X = np.random.default_rng(0).normal(size=(7, 5))


def test_a_readonly_copy_is_in_rows_and_shares_nothing():
    a = np.asfortranarray(X)
    taken = immutable.readonly_copy(a)
    assert (taken == a).all()
    assert taken.flags.c_contiguous
    assert not np.shares_memory(taken, a)
    with pytest.raises(ValueError, match="read-only"):
        taken[0, 0] = 1.0


def test_a_common_dtype_is_wide_enough_for_all():
    copies = immutable.common_dtype(W=X, b=np.longdouble(X[0]), c=X[1] + 0j)
    assert {a.dtype for a in copies.values()} == {np.dtype(np.clongdouble)}
    assert list(copies) == ["W", "b", "c"]
    assert all(not a.flags.writeable for a in copies.values())
    assert immutable.common_dtype(W=X, b=np.array([Fraction(1)]))["W"].dtype == object


# -- objects that round what they are given --------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Shares(immutable.Immutable):
    """Numbers divided by their sum: doing it twice may change the last bit."""

    shares: Given
    name: str = "shares"

    def __post_init__(self):
        shares = np.asarray(self.shares, dtype=float)
        if not (shares > 0).all():
            raise ValueError("shares must be > 0")
        self._set(shares=immutable.readonly_copy(shares / shares.sum()))


def rounded_twice():
    """Shares that would change if they were divided by their sum again."""
    for seed in range(100):
        shares = Shares(np.random.default_rng(seed).random(7))
        if (Shares(shares.shares).shares != shares.shares).any():
            return shares
    raise AssertionError("no such shares among a hundred")


@pytest.mark.parametrize("again", [lambda a: pickle.loads(pickle.dumps(a)), copy.copy,
                                   copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_a_copy_keeps_the_last_bit_and_is_read_only(again):
    shares = rounded_twice()
    other = again(shares)
    assert type(other) is Shares
    assert other.name == "shares"
    assert (other.shares == shares.shares).all()
    assert not other.shares.flags.writeable
    assert not np.shares_memory(other.shares, shares.shares)
    with pytest.raises(FrozenInstanceError):
        other.shares = 3


def test_a_mixture_comes_back_from_a_pickle_to_the_last_bit():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        model = GaussianMixture((p := rng.random(7)) / p.sum(), rng.normal(size=(7, 3)),
                                np.stack([np.eye(3)] * 7))
        other = pickle.loads(pickle.dumps(model))
        assert (other.weights == model.weights).all()
        assert (other.means == model.means).all()


def test_what_is_rebuilt_is_checked():
    with pytest.raises(ValueError, match="^shares must be > 0$"):
        immutable.rebuilt(Shares, {"shares": np.array([-1.0, 3.0]), "name": "shares"})


@pytest.mark.parametrize("given", [[1.0, 3.0], np.array([1, 3])], ids=["list", "narrower"])
def test_a_field_that_the_constructor_converts_stays_converted(given):
    """Lists and narrower numbers are widened by the constructor, and not put back."""
    other = immutable.rebuilt(Shares, {"shares": given, "name": "shares"})
    assert other.shares.tolist() == [0.25, 0.75]


class Squared:
    def __init__(self, wait=lambda: None):
        self.wait, self.computed = wait, 0

    @immutable.cached_property
    def four(self):
        """Two times two."""
        self.wait()
        self.computed += 1
        return 4


def test_a_cached_property_is_computed_once():
    of = Squared()
    assert (of.four, of.four, of.computed) == (4, 4, 1)
    assert Squared.four.__doc__ == "Two times two."


def test_two_threads_compute_a_cached_property_side_by_side():
    """Each computation waits until the other has begun: under a common lock neither would end."""
    both = threading.Barrier(2)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        of = [Squared(lambda: both.wait(timeout=5)) for _ in range(2)]
        assert list(pool.map(lambda one: one.four, of)) == [4, 4]


# -- every energy and every objective --------------------------------------------------------------

ROOMS = [importlib.import_module(f"{floor.__name__}.{room.name}")
         for floor in (energies, objectives) for room in pkgutil.iter_modules(floor.__path__)]
CLASSES = [one for room in ROOMS for one in vars(room).values()
           if is_dataclass(one) and one.__module__ == room.__name__]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_energy_or_objective_cannot_be_changed_and_equals_itself_alone(kind):
    """A comparison of the arrays would be an array, which is neither true nor false."""
    one, other = object.__new__(kind), object.__new__(kind)
    assert one == one
    assert one != other
    assert one in {one}
    with pytest.raises(FrozenInstanceError):
        one.weights = 3
