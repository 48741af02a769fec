"""Models in files: every energy comes back to the last bit, and nothing else is read."""
import io
import os
import zipfile
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from test_grid import BINARY, CONTINUOUS, energy

import refsm
from refsm.activations import RATIONAL
from refsm.energies.energy import Energy
from refsm.typing import Given

W, B, C = (np.random.default_rng(0).normal(size=shape) for shape in ((6, 5), 6, 5))


def again(model, tmp_path, **kind):
    model.save(tmp_path / "model.npz")
    return refsm.load(tmp_path / "model.npz", **kind)


def same(left, right):
    return all(a.dtype == b.dtype and (a == b).all() for a, b in zip(left, right))


OF_TWO_PARTS = [which for which in CONTINUOUS if which.startswith("Corrupted")]
WHOLE = [which for which in (*CONTINUOUS, *BINARY) if which not in OF_TWO_PARTS]


@pytest.mark.parametrize("which", WHOLE)
def test_every_energy_comes_back_to_the_last_bit_and_read_only(which, tmp_path):
    model = energy(which)
    other = again(model, tmp_path)
    assert type(other) is type(model)
    assert same(other.theta, model.theta)
    assert not any(leaf.flags.writeable for leaf in vars(other).values()
                   if isinstance(leaf, np.ndarray))
    assert repr(other) == repr(model)


def test_a_density_of_centres_comes_back(tmp_path):
    model = refsm.Parzen(W, 0.61)
    other = again(model, tmp_path)
    assert other.sigma == 0.61
    assert (other.score(C[None]) == model.score(C[None])).all()


def test_weights_that_would_round_again_do_not(tmp_path):
    for seed in range(20):
        p = np.random.default_rng(seed).random(7)
        model = refsm.GaussianMixture(p / p.sum(), np.zeros((7, 3)), np.stack([np.eye(3)] * 7))
        assert (again(model, tmp_path).weights == model.weights).all()


def test_constants_and_the_activation_come_back(tmp_path):
    other = again(refsm.AutoencoderEnergy(W, B, C, sigma=0.7, activation=RATIONAL), tmp_path)
    assert other.sigma == 0.7
    assert type(other.sigma) is float
    assert other.activation is RATIONAL


def test_exact_rationals_come_back_exact(tmp_path):
    exact = [np.array([Fraction(int(1000 * z), 10**30 + 7) for z in a.ravel()]).reshape(a.shape)
             for a in (W, B, C)]
    model = refsm.AutoencoderEnergy(*exact, sigma=Fraction(2, 3), activation=RATIONAL)
    other = again(model, tmp_path)
    assert other.sigma == Fraction(2, 3)
    assert isinstance(other.sigma, Fraction)
    assert same(other.theta, model.theta)
    assert all(isinstance(entry, Fraction) for leaf in other.theta for entry in leaf.ravel())


@pytest.mark.parametrize("dtype", [np.longdouble, complex])
def test_other_precisions_come_back(dtype, tmp_path):
    third = np.array([1], dtype=dtype) / 3
    model = refsm.AutoencoderEnergy(W * third, B, C, sigma=0.7)
    assert same(again(model, tmp_path).theta, model.theta)
    assert model.W.dtype == dtype


def test_a_longdouble_constant_keeps_its_digits(tmp_path):
    sigma = np.longdouble(1) / 3
    other = again(refsm.AutoencoderEnergy(W, B, C, sigma=sigma), tmp_path)
    assert other.sigma == sigma
    assert isinstance(other.sigma, np.longdouble)


def test_the_file_is_the_path_that_was_given(tmp_path):
    energy("Gaussian").save(os.fspath(tmp_path / "a file without an ending"))
    assert [path.name for path in tmp_path.iterdir()] == ["a file without an ending"]
    assert refsm.load(os.fspath(tmp_path / "a file without an ending")).d == 3


def test_the_file_is_read_by_numpy_alone_and_holds_no_objects(tmp_path):
    energy("GaussianBernoulliRBM").save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        assert str(file["refsm.class"]) == "GaussianBernoulliRBM"
        assert (file["W"] == energy("GaussianBernoulliRBM").W).all()
        assert all(file[key].dtype.kind in "fU" for key in file.files)


# -- an energy of a user's own ---------------------------------------------------------------------

@dataclass(frozen=True, eq=False, repr=False)
class Mine(Energy):
    """Fields of every kind that can be saved."""

    k: Given
    expert: str = "student"
    steps: int = 3
    even: bool = True
    shift: complex = 1 + 2j


def test_an_energy_of_ones_own_is_loaded_with_its_class(tmp_path):
    model = Mine(np.arange(5.0), expert="logcosh", steps=7, even=False)
    other = again(model, tmp_path, kind=Mine)
    assert type(other) is Mine
    assert (other.k == model.k).all()
    assert [other.expert, other.steps, other.even, other.shift] == ["logcosh", 7, False, 1 + 2j]
    with pytest.raises(ValueError, match="^kind must be given, because refsm has no energy Mine$"):
        refsm.load(tmp_path / "model.npz")


def test_the_class_must_be_the_one_that_was_saved(tmp_path):
    with pytest.raises(ValueError, match="^kind must be the class Gaussian, but it is Mine$"):
        again(energy("Gaussian"), tmp_path, kind=Mine)


def test_what_is_no_number_array_or_string_cannot_be_saved(tmp_path):
    with pytest.raises(TypeError, match="^Mine cannot be saved, because expert is of type dict, "
                                        "which is no array, number or string$"):
        Mine(np.arange(5.0), expert={}).save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("which", OF_TWO_PARTS)
def test_an_energy_of_other_objects_says_which_and_is_not_saved(which, tmp_path):
    """A corrupted density is saved as its base, and corrupted again when it is loaded."""
    model = energy(which)
    with pytest.raises(TypeError, match=f"^{which} cannot be saved, because base is of type .*, "
                                        "which is no array, number or string; save model.base "
                                        "instead$"):
        model.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())
    loaded = again(model.base, tmp_path).corrupted(model.corruption)
    assert type(loaded) is type(model)
    assert np.array_equal(loaded.ravel(), model.ravel())


def test_an_energy_that_is_no_dataclass_cannot_be_saved(tmp_path):
    class Plain(Energy):
        pass

    with pytest.raises(TypeError, match="^Plain cannot be saved, because it is no dataclass$"):
        Plain().save(tmp_path / "model.npz")


# -- files that are no models ----------------------------------------------------------------------

def one_line(error):
    return "\n" not in str(error.value)


def one_array():
    """The bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, W)
    return buffer.getvalue()


def test_a_file_that_is_missing_is_the_usual_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        refsm.load(tmp_path / "nothing.npz")


@pytest.mark.parametrize("write", [
    lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"not a model"),
    lambda path: path.write_bytes(b"PK\x03\x04 broken"), lambda path: np.savez(path, W=W),
    lambda path: path.write_bytes(one_array()),
    lambda path: np.savez(path, **{"refsm.class": np.array({}, dtype=object)})],
    ids=["empty", "text", "broken", "other arrays", "one array", "objects"])
def test_a_file_of_something_else_is_refused_in_one_sentence(write, tmp_path):
    path = tmp_path / "model.npz"
    write(path)
    with pytest.raises(ValueError, match="^path must be a file that model.save has written, "
                                         "but .*model.npz is not ") as error:
        refsm.load(path)
    assert one_line(error)


def without(path, name, **more):
    """The same file with an entry left out, and others added."""
    with np.load(path) as file:
        entries = {key: file[key] for key in file.files if key != name}
    np.savez(path, **entries, **more)


def test_missing_and_additional_fields_are_refused_in_one_sentence(tmp_path):
    path = tmp_path / "model.npz"
    energy("Gaussian").save(path)
    without(path, "mean")
    with pytest.raises(ValueError, match="^path must hold the fields of Gaussian, but .*mean"):
        refsm.load(path)
    energy("Gaussian").save(path)
    without(path, "none", other=W)
    with pytest.raises(ValueError, match="^path must hold the fields of Gaussian, but .*other"):
        refsm.load(path)


def test_parameters_are_checked_like_those_of_the_constructor(tmp_path):
    path = tmp_path / "model.npz"
    energy("Gaussian").save(path)
    without(path, "mean", mean=np.full(3, np.nan))
    with pytest.raises(ValueError, match=r"^mean must be finite, but it has nan at \(0,\)$"):
        refsm.load(path)


@pytest.mark.parametrize("name", ["check_model", "theorems", "__version__", "nothing"])
def test_a_name_that_is_no_class_of_data_is_refused(name, tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, **{"refsm.class": np.array(name)})
    with pytest.raises(ValueError, match=f"^kind must be given, .* refsm has no energy {name}$"):
        refsm.load(path)


def test_an_unknown_activation_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "model.npz"
    energy("AutoencoderEnergy").save(path)
    without(path, "activation.activation", **{"activation.activation": np.array("relu")})
    with pytest.raises(ValueError, match="^activation must be one of softplus, rational, "
                                         "but it is relu$"):
        refsm.load(path)


def test_a_saved_model_is_a_zip_archive_of_its_fields(tmp_path):
    energy("AutoencoderEnergy").save(tmp_path / "model.npz")
    assert sorted(zipfile.ZipFile(tmp_path / "model.npz").namelist()) == [
        "W.npy", "activation.activation.npy", "b.npy", "c.npy", "refsm.class.npy", "sigma.npy"]
