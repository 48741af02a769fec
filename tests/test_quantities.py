"""The table of local quantities: what energies answer, objectives read and pullbacks take."""
import inspect

import numpy as np
import pytest
from test_grid import BINARY, CONTINUOUS, D, M, N, energy

from refsm import quantities
from refsm.energies.energy import BinaryEnergy, Energy, EnergyAt
from refsm.quantities import QUANTITIES, check_quantity, shape_of

SHAPES = {"energy": (7,), "score": (7, 3), "jacobian": (7, 3, 3), "divergence": (7,),
          "diagonal": (7, 3), "curvature": (7, 5), "gap": (7, 3)}


def test_every_quantity_has_its_shape():
    assert {name: shape_of(name, n=7, d=3, M=5) for name in QUANTITIES} == SHAPES


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_quantity_is_a_public_method_of_energies_and_one_at_points(name):
    assert callable(getattr(Energy, QUANTITIES[name].method))
    assert callable(getattr(EnergyAt, name))


def test_a_pullback_takes_a_cotangent_on_each_quantity_but_the_jacobian():
    taken = set(inspect.signature(Energy.pullback).parameters) - {"self", "x"}
    assert taken == set(QUANTITIES) - {"jacobian"}
    assert quantities.CONTINUOUS | quantities.BINARY == taken
    assert quantities.CONTINUOUS == Energy.quantities
    assert quantities.BINARY == BinaryEnergy.quantities


def test_only_the_energy_is_common_to_continuous_and_binary_points():
    assert quantities.CONTINUOUS & quantities.BINARY == {"energy"}


@pytest.mark.parametrize("which", [*CONTINUOUS, *BINARY])
def test_every_energy_answers_its_quantities_in_the_shapes_of_the_table(which):
    model = energy(which)
    x = (np.random.default_rng(0).normal(size=(N, D)) > 0) * 1.0
    v = np.ones((N, M, D))
    for name in model.quantities:
        args = (x, v) if name == "curvature" else (x,)
        assert getattr(model, QUANTITIES[name].method)(*args).shape == shape_of(name, N, D, M)


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_value_of_the_right_shape_passes_as_it_is(name):
    value = np.zeros(SHAPES[name])
    assert check_quantity(value, name, 7, 3, 5, of="MyEnergy") is value


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_value_of_another_shape_is_refused_with_its_name_and_the_expected_shape(name):
    with pytest.raises(ValueError) as caught:
        check_quantity(np.zeros((7, 11)), name, 7, 3, 5, of="MyEnergy")
    assert str(caught.value) == (f"{name} of MyEnergy must have shape {SHAPES[name]}, "
                                 "but its shape is (7, 11)")


def test_there_is_one_direction_unless_it_is_said_how_many():
    assert shape_of("curvature", n=7, d=3) == (7, 1)
    value = np.zeros((7, 1))
    assert check_quantity(value, "curvature", 7, 3, of="MyEnergy") is value
