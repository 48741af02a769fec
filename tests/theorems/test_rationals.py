"""Arrays of exact rationals."""
from fractions import Fraction

import numpy as np

from refsm.theorems import rationals


def test_the_nearest_multiples():
    made = rationals.nearest([[0.3, -0.3], [1.0, 0.07]], 8)
    assert made.tolist() == [[Fraction(1, 4), Fraction(-1, 4)], [1, Fraction(1, 8)]]
    assert all(isinstance(entry, Fraction) for entry in made.ravel())


def test_whole_numbers():
    made = rationals.whole(np.eye(3))
    assert made.tolist() == np.eye(3).tolist()
    assert all(isinstance(entry, Fraction) for entry in made.ravel())
