"""What every statement compares, and its bound, are the published ones.

Models, data, seeds, nodes and allowances are included.

`published.tsv` holds, for each statement, the summed sizes of the two sides and of the bound.  A
change there is a change of published numbers, to be named in the CHANGELOG; this file, run as a
program, writes the table anew:  PYTHONPATH=. python tests/theorems/test_published.py
"""
import pathlib

import numpy as np
import pytest

from refsm.data import digits
from refsm.theorems import (binary, binary_flow, blindness, chain, components, conditions,
                            contrastive, decoder, denoiser, denoising, diffusion, finite, gaussian,
                            langevin_steps, levels, linear, parametrisation, positive,
                            posterior_moments, prediction_factors, reconstruction, slice_variance,
                            sliced, small_noise, statement, stein, transport)
from refsm.theorems.setting import Setting

TABLE = pathlib.Path(__file__).with_name("published.tsv")
FEW = Setting(digits()[:97], "digits", 0.3, 6, 5)
TINY = Setting(digits()[:7, 20:31], "digits", 0.3, 3, 5)
LARGE = Setting(7 * digits()[:13, 20:31], "digits, seven times as large", 0.3, 3, 5)
ON_DATA = [(denoising, denoising.dsm_is_dae, FEW), (denoising, denoising.same_path, FEW),
           (denoising, denoising.rbm_is_autoencoder, FEW),
           (denoising, denoising.dsm_is_dae_exactly, TINY),
           (denoising, denoising.rbm_is_autoencoder_exactly, TINY)]
ROOMS = (chain, denoiser, sliced, binary, finite, blindness, conditions, decoder, parametrisation,
         reconstruction, slice_variance, small_noise, positive, linear, components, binary_flow,
         prediction_factors, levels, diffusion, transport, contrastive, stein, posterior_moments,
         langevin_steps)
COMPUTATIONS = {
    **{maker.__name__: (room, lambda maker=maker, data=data: maker(data))
       for room, maker, data in ON_DATA},
    "same_path of large data": (denoising, lambda: denoising.same_path(LARGE)),
    "statements": (gaussian, lambda: gaussian.statements(FEW.data, "digits")),
    **{f"{room.__name__.split('.')[-1]}.{maker.__name__}": (room, maker) for room in ROOMS
       for kind in ("MAKERS", "EXACT") for maker in getattr(room, kind, [])}}
# where a side or a bound is itself a difference of nearly equal numbers
SHARP = {"small_noise.small_noise": 0.02, "small_noise.small_noise_of_other_fields": 0.02,
         "small_noise.bias": 0.02, "small_noise.variance": 0.02,
         "transport.log_density": 0.2, "transport.gaussian_points": 0.2}
LONG = {*(name for name in SHARP if name.startswith("small_noise")), "diffusion.entropy",
        "diffusion.divergence", "slice_variance.any_second_moment", "dsm_is_dae_exactly"}


def compared(name):
    """[number, how, name, where, sizes of left, right and bound] of each statement."""
    room, maker = COMPUTATIONS[name]
    rows = []

    def record(number, title, where, left, right, bound, how="differs"):
        left, right, bound = np.broadcast_arrays(*(np.asarray(side)
                                                   for side in (left, right, bound)))
        rows.append([
            str(number), how, title, where,
            *(float(np.sum(abs(side))) for side in (left, right, bound))
        ])
        made = statement.equal(number, title, where, left, right, bound, how)
        assert made.holds or how == "differs", str(made)
        return made

    with pytest.MonkeyPatch.context() as patch:
        for function in ("equal", "differs"):
            if hasattr(room, function):
                patch.setattr(room, function, record)
        maker()
    return rows


def published():
    table = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        name, *row, left, right, bound = line.split("\t")
        table.setdefault(name, []).append([*row, float(left), float(right), float(bound)])
    return table


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in COMPUTATIONS])
def test_a_statement_compares_what_was_published(name):
    rows, there = compared(name), published()[name]
    assert [row[:4] for row in rows] == [row[:4] for row in there]
    for row, (*what, left, right, bound) in zip(rows, there):
        assert row[4] == pytest.approx(left, rel=1e-9, abs=bound), what
        assert row[5] == pytest.approx(right, rel=1e-9, abs=bound), what
        assert row[6] == pytest.approx(bound, rel=SHARP.get(name, 1e-6), abs=0), what


def test_nothing_else_was_published():
    assert set(published()) == set(COMPUTATIONS)


if __name__ == "__main__":
    lines = [
        "\t".join([name, *row[:4], *map(repr, row[4:])]) for name in COMPUTATIONS
        for row in compared(name)
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
