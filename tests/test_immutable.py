"""Read-only copies in one precision."""
from fractions import Fraction

import numpy as np
import pytest

from refsm import immutable

X = np.random.default_rng(0).normal(size=(7, 5))


def test_frozen_is_a_read_only_copy_in_rows():
    a = np.asfortranarray(X)
    copy = immutable.readonly_copy(a)
    assert (copy == a).all() and copy.flags.c_contiguous and not np.shares_memory(copy, a)
    with pytest.raises(ValueError, match="read-only"):
        copy[0, 0] = 1.0


def test_together_is_one_precision_wide_enough_for_all():
    held = immutable.common_dtype(W=X, b=np.longdouble(X[0]), c=X[1] + 0j)
    assert {a.dtype for a in held.values()} == {np.dtype(np.clongdouble)} and list(held) == ["W", "b", "c"]
    assert all(not a.flags.writeable for a in held.values())
    assert immutable.common_dtype(W=X, b=np.array([Fraction(1)]))["W"].dtype == object
