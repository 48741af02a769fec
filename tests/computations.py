"""The statements of a room as it is, computed once for all the tests that read them."""
import functools
import importlib

import numpy as np
import pytest

from refsm.theorems import ROOMS, statement

PLANTED = 1e-9      # the relative size of the mistakes that the tests of the rooms plant
MODULES = [importlib.import_module(f"refsm.theorems.{room}") for room in ROOMS]


@functools.cache
def compared(room, maker, *given):
    """The statements that a function of a room makes, and the sizes of what each compares.

    The sizes are rows [number, how, name, where, sizes of left, right and bound].
    """
    rows = []

    def record(number, title, where, left, right, bound, how="differs"):
        left, right, bound = np.broadcast_arrays(*(np.asarray(side)
                                                   for side in (left, right, bound)))
        rows.append([
            str(number), how, title, where,
            *(float(np.sum(abs(side))) for side in (left, right, bound))
        ])
        return statement.equal(number, title, where, left, right, bound, how)

    with pytest.MonkeyPatch.context() as patch:
        for function in ("equal", "differs"):
            if hasattr(room, function):
                patch.setattr(room, function, record)
        return maker(*given), rows


def statements(room):
    """The statements of a room that need no data."""
    return [s for maker in room.MAKERS for s in compared(room, maker)[0]]
