"""What every statement compares, and its bound, are the published ones.

Models, data, seeds, nodes and allowances are included.

`published.tsv` holds, for each statement, the summed sizes of the two sides and of the bound.  A
change there is a change of published numbers, to be named in the CHANGELOG; this file, run as a
program, writes the table anew:  PYTHONPATH=.:tests python tests/theorems/test_published.py
"""
import functools
import pathlib

import pytest
from computations import MODULES, compared

from refsm.data import digits
from refsm.theorems import denoising, gaussian
from refsm.theorems.setting import Setting

TABLE = pathlib.Path(__file__).with_name("published.tsv")
FEW = Setting(digits()[:97], "digits", 0.3, 6, 5)
TINY = Setting(digits()[:7, 20:31], "digits", 0.3, 3, 5)
LARGE = Setting(7 * digits()[:13, 20:31], "digits, seven times as large", 0.3, 3, 5)
ON_DATA = [(denoising.dsm_is_dae, FEW), (denoising.same_path, FEW),
           (denoising.rbm_is_autoencoder, FEW), (denoising.dsm_is_dae_exactly, TINY),
           (denoising.rbm_is_autoencoder_exactly, TINY)]
COMPUTATIONS = {
    **{maker.__name__: (denoising, functools.partial(maker, data)) for maker, data in ON_DATA},
    "same_path of large data": (denoising, functools.partial(denoising.same_path, LARGE)),
    "statements": (gaussian, functools.partial(gaussian.statements, FEW.data, "digits")),
    **{f"{room.__name__.split('.')[-1]}.{maker.__name__}": (room, maker) for room in MODULES
       for kind in ("MAKERS", "EXACT") for maker in getattr(room, kind, [])}}
# where a side or a bound is itself a difference of nearly equal numbers
SHARP = {"small_noise.small_noise": 0.02, "small_noise.small_noise_of_other_fields": 0.02,
         "small_noise.bias": 0.02, "small_noise.variance": 0.02,
         "transport.log_density": 0.2, "transport.gaussian_points": 0.2}


@functools.cache
def published():
    table = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        name, *row, left, right, bound = line.split("\t")
        table.setdefault(name, []).append([*row, float(left), float(right), float(bound)])
    return table


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_a_statement_compares_what_was_published(name):
    made, rows = compared(*COMPUTATIONS[name])
    there = published()[name]
    assert [str(s) for s in made if not s.holds] == []
    assert [row[:4] for row in rows] == [row[:4] for row in there]
    for row, (*what, left, right, bound) in zip(rows, there):
        assert row[4] == pytest.approx(left, rel=1e-9, abs=bound), what
        assert row[5] == pytest.approx(right, rel=1e-9, abs=bound), what
        assert row[6] == pytest.approx(bound, rel=SHARP.get(name, 1e-6), abs=0), what


def test_nothing_else_was_published():
    assert set(published()) == set(COMPUTATIONS)


if __name__ == "__main__":
    lines = ["\t".join([name, *row[:4], *map(repr, row[4:])])
             for name, computation in COMPUTATIONS.items() for row in compared(*computation)[1]]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
