"""The contract: what every energy does alike, whatever its formulas.

Each test runs on three continuous energies; the last ones on energies of a user's own.
"""
import copy
import dataclasses
import pickle
import threading
from typing import NamedTuple

import numpy as np
import pytest
from oracles import relative_gap

from refsm.activations import RATIONAL
from refsm.energies.autoencoder import AutoencoderEnergy
from refsm.energies.energy import BinaryEnergy, Energy, EnergyAt, NoTheta
from refsm.energies.gaussian import Gaussian
from refsm.energies.gaussian_bernoulli_rbm import GaussianBernoulliRBM
from refsm.sums import sum_rows, weighted_sum
from refsm.zero import ZERO

n, d, m, M = 7, 5, 6, 3
RNG = np.random.default_rng(0)
W, B, C, LOG_SIGMA, P = (RNG.normal(size=shape) for shape in ((m, d), m, d, d, (d, d)))
MODELS = {"gaussian": Gaussian(C, P + P.T),
          "machine": GaussianBernoulliRBM(W, B, C, 0.3 * LOG_SIGMA),
          "autoencoder": AutoencoderEnergy(W, B, C, sigma=0.7)}
X = np.random.default_rng(1).normal(size=(n, d)) * 1.3
V = np.random.default_rng(2).normal(size=(n, M, d))
QUANTITIES = {"energy": (n,), "score": (n, d), "score_jacobian": (n, d, d),
              "score_divergence": (n,), "score_jacobian_diagonal": (n, d)}
GIVEN = {"energy": X[:, 0], "score": X**2, "divergence": X[:, 1], "diagonal": X**3,
         "curvature": (V, V[:, :, 2])}

every = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def everything(model, x=X, v=V, given=None):
    """All local quantities and the pullback of all cotangents, as one list of arrays."""
    return [*(getattr(model, name)(x) for name in QUANTITIES), model.score_curvature(x, v),
            *model.pullback(x, **(GIVEN if given is None else given))]


def same(left, right):
    return all(a.dtype == b.dtype and (a == b).all() for a, b in zip(left, right))


def close(left, right, bound=1e-13):
    return max(relative_gap(a, b) for a, b in zip(left, right)) < bound


class Field(BinaryEnergy):
    """E(x) = -b.x on {0, 1}^d, the simplest energy with gaps: (2 x_i - 1) b_i."""

    class Theta(NamedTuple):
        b: np.ndarray

    def __init__(self, b):
        self.b = np.asarray(b, dtype=float)
        self.theta = self.Theta(self.b)

    d = 3

    def at(self, x):
        return FieldAt(self.b, x)


class FieldAt(EnergyAt):
    def __init__(self, b, x):
        self.b, self.x = b, x

    def energy(self):
        return -self.x @ self.b

    def gap(self):
        return (2 * self.x - 1) * self.b

    def pullback(self, energy=ZERO, gap=ZERO):
        db = sum_rows(gap * (2 * self.x - 1)) - weighted_sum(energy, self.x)
        return Field.Theta(db)


def blocks_of(rows):
    """Blocks of so many rows, whatever their width."""
    def row_blocks(count, width, arrays_per_point=1):
        return [slice(k, min(k + rows, count)) for k in range(0, count, rows)]
    return row_blocks


# -- values ----------------------------------------------------------------------------------------

@every
def test_local_quantities_have_their_shapes(model):
    for name, shape in QUANTITIES.items():
        assert getattr(model, name)(X).shape == shape
    assert model.score_curvature(X, V).shape == (n, M)
    assert model.score_curvature(X, V[:, 0]).shape == (n,)


@every
def test_one_direction_a_point_is_the_case_of_one_direction(model):
    assert (model.score_curvature(X, V[:, 1]) == model.score_curvature(X, V[:, 1:2])[:, 0]).all()
    one, many = (model.pullback(X, curvature=pair)
                 for pair in ((V[:, 1], X[:, 0]), (V[:, 1:2], X[:, :1])))
    assert same(one, many)


@every
def test_one_point_is_the_row_of_many(model):
    for name in QUANTITIES:
        assert relative_gap(getattr(model, name)(X[3:4]), getattr(model, name)(X)[3:4]) < 1e-13


@every
@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_results_do_not_depend_on_the_size_of_the_blocks(model, rows, monkeypatch):
    whole = everything(model)
    monkeypatch.setattr("refsm.energies.energy.row_blocks", blocks_of(rows))
    assert close(everything(model), whole)


@every
def test_blocks_are_as_wide_as_the_model_and_as_many_as_the_directions(model, monkeypatch):
    seen = []

    def whole(count, width, arrays_per_point=1):
        seen.append((count, width, arrays_per_point))
        return [slice(0, count)]

    monkeypatch.setattr("refsm.energies.energy.row_blocks", whole)
    model.score(X), model.score_jacobian(X), model.score_curvature(X, V)
    model.pullback(X, score=X), model.pullback(X, curvature=(V, V[:, :, 0]))
    assert seen == [(n, model.width, arrays) for arrays in (1, d, M, 1, M)]


@every
def test_a_pullback_is_linear_in_its_cotangents(model):
    parts = [model.pullback(X, **{name: cotangent}) for name, cotangent in GIVEN.items()]
    assert close([sum(blocks) for blocks in zip(*parts)], model.pullback(X, **GIVEN))


@every
def test_many_threads_get_the_same_numbers(model):
    expected, results = everything(model), {}
    threads = [threading.Thread(target=lambda k=k: results.update({k: everything(model)}))
               for k in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 5
    assert all(same(result, expected) for result in results.values())


# -- inputs ----------------------------------------------------------------------------------------

@every
@pytest.mark.parametrize("change",
                         [lambda a: np.asfortranarray(a), lambda a: a.astype(">f8"),
                          lambda a: np.repeat(a, 2, axis=1)[:, ::2],
                          lambda a: np.ma.masked_array(a), lambda a: a.tolist(),
                          lambda a: a[::-1].copy()[::-1]],
                         ids=["fortran", "big-endian", "strided", "masked", "list", "reversed"])
def test_the_same_numbers_in_another_layout_give_the_same_results(model, change):
    given = {name: tuple(map(change, value)) if name == "curvature"
             else change(value[:, None] if value.ndim == 1 else value) for name,
             value in GIVEN.items()}
    given = {name: np.asarray(value, dtype=float)[:, 0] if name in ("energy", "divergence")
             else value for name, value in given.items()}
    assert close(everything(model, change(X), change(V), given), everything(model), 1e-14)


@every
@pytest.mark.parametrize("change",
                         [np.asfortranarray, lambda a: a.astype(">f8"), np.ma.masked_array,
                          lambda a: a.tolist(), lambda a: a[::-1].copy()[::-1]],
                         ids=["fortran", "big-endian", "masked", "list", "reversed"])
def test_parameters_in_another_layout_make_the_same_model(model, change):
    other = model.with_theta([change(np.array(part)) for part in model.theta])
    assert same(other.theta, model.theta)
    assert same(everything(other), everything(model))
    assert all(part.flags.c_contiguous for part in other.theta)


@every
@pytest.mark.parametrize("dtype", ["int64", "float32", "uint8"])
def test_narrow_parameters_are_widened(model, dtype):
    theta = [np.round(abs(3 * part)).astype(dtype) for part in model.theta]
    assert same(everything(model.with_theta(theta)),
                everything(model.with_theta([part.astype(float) for part in theta])))


@every
@pytest.mark.parametrize("dtype", ["int64", "float32", "bool", "uint8"])
def test_narrow_numbers_are_widened(model, dtype):
    x = (abs(X) * 3).astype(dtype)
    assert same([getattr(model, name)(x) for name in QUANTITIES],
                [getattr(model, name)(x.astype(float)) for name in QUANTITIES])


@every
def test_longdouble_and_complex_points_keep_their_precision(model):
    for dtype in (np.longdouble, np.complex128):
        x = X.astype(dtype)
        assert model.energy(x).dtype == dtype
        assert model.score(x).dtype == dtype
        assert close([model.energy(x), model.score(x)], [model.energy(X), model.score(X)])


@every
def test_inputs_are_never_modified_and_may_be_read_only(model):
    x, v, given = copy.deepcopy((X, V, GIVEN))
    for a in (x, v, *given["curvature"],
              *(value for name, value in given.items() if name != "curvature")):
        a.flags.writeable = False
    everything(model, x, v, given)


@every
def test_wrong_points_are_refused_in_one_sentence(model):
    for quantity in (*(getattr(model, name) for name in QUANTITIES),
                     lambda x: model.score_curvature(x, V), model.pullback):
        with pytest.raises(ValueError,
                           match=r"^x must have shape \(n, 5\), but its shape is \(7, 3\)$"):
            quantity(X[:, :3])
        with pytest.raises(ValueError,
                           match=r"^x must have shape \(n, 5\), but its shape is \(5,\)$"):
            quantity(X[0])
        with pytest.raises(ValueError, match=r"^x must be finite, but it has nan at \(0, 0\)$"):
            quantity(X * np.nan)


@every
def test_wrong_directions_and_cotangents_are_refused_in_one_sentence(model):
    with pytest.raises(ValueError,
                       match=r"^v must have shape \(7, M, 5\), but its shape is \(7, 3, 3\)$"):
        model.score_curvature(X, V[:, :, :3])
    with pytest.raises(ValueError,
                       match=r"^v must have shape \(7, 5\), but its shape is \(3, 5\)$"):
        model.score_curvature(X, X[:3])
    with pytest.raises(ValueError,
                       match=r"^v must have shape \(7, M, 5\), but its shape is \(5,\)$"):
        model.score_curvature(X, X[0])
    for name, shape in {"energy": "7,", "score": "7, 5", "divergence": "7,",
                        "diagonal": "7, 5"}.items():
        with pytest.raises(ValueError, match=rf"^{name} must have shape \({shape}\), but its shape "
                                             rf"is \(7, 3\)$"):
            model.pullback(X, **{name: X[:, :3]})
    with pytest.raises(ValueError, match=r"^curvature\[0\] must have shape \(7, M, 5\), but its "
                                         r"shape is \(7, 3, 3\)$"):
        model.pullback(X, curvature=(V[:, :, :3], X[:, :3]))
    with pytest.raises(ValueError, match=r"^curvature\[1\] must have shape \(7, 3\), but its shape "
                                         r"is \(7, 5\)$"):
        model.pullback(X, curvature=(V, X))
    with pytest.raises(ValueError, match=r"^curvature\[0\] must have shape \(7, 5\), but its shape "
                                         r"is \(7, 3\)$"):
        model.pullback(X, curvature=(X[:, :3], X[:, 0]))
    with pytest.raises(ValueError,
                       match=r"^curvature\[1\] must have shape \(7,\), but its shape is \(7, 5\)$"):
        model.pullback(X, curvature=(X, X))
    for pair in (V, (V,), [V, V]):
        with pytest.raises(TypeError, match=r"^curvature must be a pair \(v, w\) of directions and "
                                            r"cotangents, but it is of type "):
            model.pullback(X, curvature=pair)


# -- the model as data -----------------------------------------------------------------------------

@every
def test_a_model_is_immutable_and_keeps_copies(model):
    for part in model.theta:
        with pytest.raises(ValueError, match="read-only"):
            part[0] = 3.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(model, dataclasses.fields(model)[0].name, 3.0)
    arguments = [np.array(part) for part in model.theta]
    other = model.with_theta(type(model.theta)(*arguments))
    expected = other.score(X)
    for argument in arguments:
        argument += 1.0
    assert (other.score(X) == expected).all()


@every
def test_ravel_and_unravel_are_inverse(model):
    vector = model.ravel()
    assert vector.shape == (sum(part.size for part in model.theta),)
    again = model.unravel(vector)
    assert type(again) is type(model)
    assert same(again.theta, model.theta)
    assert same(everything(again), everything(model))
    assert (model.ravel(model.theta) == vector).all()
    moved = model.unravel(vector.tolist())
    assert same(moved.theta, model.theta)
    with pytest.raises(ValueError, match=rf"^vector must have shape \({vector.size},\), but its "
                                         rf"shape is \({vector.size + 1},\)$"):
        model.unravel(np.zeros(vector.size + 1))
    with pytest.raises(ValueError, match=r"^vector must have shape"):
        model.unravel(vector[None])


def test_ravel_goes_block_after_block_and_row_after_row():
    model = MODELS["machine"]
    assert (model.ravel() == [*W.ravel(), *B, *C, *(0.3 * LOG_SIGMA)]).all()


@every
def test_a_model_comes_back_from_a_pickle_checked_and_read_only(model):
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        assert type(again) is type(model)
        assert same(everything(again), everything(model))
        assert not any(part.flags.writeable for part in again.theta)


def test_a_pickle_keeps_the_constants():
    model = AutoencoderEnergy(W, B, C, sigma=0.7, activation=RATIONAL)
    again = pickle.loads(pickle.dumps(model))
    assert again.sigma == 0.7
    assert again.activation is RATIONAL


def test_a_model_reads_as_its_constructor_with_shapes():
    assert repr(MODELS["gaussian"]) == "Gaussian(mean: (5,), precision: (5, 5))"
    assert repr(MODELS["autoencoder"]) == ("AutoencoderEnergy(W: (6, 5), b: (6,), c: (5,), "
                                           "sigma=0.7, activation=softplus)")


def test_an_energy_without_equalities_projects_a_theta_to_itself():
    theta = MODELS["machine"].theta
    assert MODELS["machine"].projected(theta) is theta


# -- the abstract parts ----------------------------------------------------------------------------

@pytest.mark.parametrize("missing", ["energy", "score", "jacobian", "divergence", "diagonal",
                                     "curvature", "gap", "pullback"])
def test_what_an_energy_at_points_lacks_is_named(missing):
    with pytest.raises(NotImplementedError, match=f"^EnergyAt must have a method {missing}$"):
        getattr(EnergyAt(), missing)()


def test_what_an_energy_lacks_is_named():
    with pytest.raises(NotImplementedError, match="^Energy must have an attribute d$"):
        Energy().d
    with pytest.raises(NotImplementedError, match="^Energy must have a method at$"):
        Energy().at(X)
    with pytest.raises(NotImplementedError, match="^Energy must have a method with_theta$"):
        Energy().with_theta(())


def test_an_energy_without_parameters_ravels_to_nothing():
    model = Energy()
    model.theta = NoTheta()
    assert model.ravel().shape == (0,)


def test_the_quantities_of_an_energy_are_named():
    assert Energy.quantities == {"energy", "score", "divergence", "diagonal", "curvature"}
    assert BinaryEnergy.quantities == {"energy", "gap"}


# -- binary energies -------------------------------------------------------------------------------

BITS = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 1]])


def test_a_binary_energy_answers_energies_gaps_and_their_pullbacks(monkeypatch):
    model, u = Field([0.3, -1.2, 2.5]), np.random.default_rng(3).normal(size=(5, 3))
    for _ in range(2):
        flipped = [[model.energy(np.abs(BITS - np.eye(3, dtype=int)[i]))[row]
                    - model.energy(BITS)[row] for i in range(3)] for row in range(5)]
        assert relative_gap(model.energy_gap(BITS), flipped) < 1e-14
        assert relative_gap(model.pullback(BITS, energy=u[:, 0]).b, -u[:, 0] @ BITS) < 1e-14
        assert relative_gap(model.pullback(BITS, gap=u, energy=u[:, 0]).b,
                            -u[:, 0] @ BITS + (u * (2 * BITS - 1)).sum(axis=0)) < 1e-14
        assert not model.pullback(BITS).b.any()
        monkeypatch.setattr("refsm.energies.energy.row_blocks", blocks_of(3))


def test_a_binary_energy_refuses_other_points_and_derivatives():
    model = Field([0.3, -1.2, 2.5])
    for read in (model.energy, model.energy_gap, model.pullback):
        with pytest.raises(ValueError, match=r"^x must contain only 0 and 1, "
                                             r"but entry \(0, 1\) is 0.5$"):
            read([[0, 0.5, 1]])
        with pytest.raises(ValueError, match=r"^x must have shape \(n, 3\), "
                                             r"but its shape is \(2, 5\)$"):
            read(np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"^gap must have shape \(5, 3\), but its shape is \(5,\)"):
        model.pullback(BITS, gap=np.ones(5))
    with pytest.raises(ValueError, match=r"^energy must have shape \(5,\), but its shape is \(5,"):
        model.pullback(BITS, energy=BITS)


@pytest.mark.parametrize("name, method", [
    ("score", "score"), ("jacobian", "score_jacobian"), ("divergence", "score_divergence"),
    ("diagonal", "score_jacobian_diagonal")])
def test_a_binary_energy_has_no_derivatives_and_says_so(name, method):
    with pytest.raises(TypeError, match=f"^Field has no {name}: it is an energy of binary points "
                                        "with energy, gap$"):
        getattr(Field([0.3, -1.2, 2.5]), method)(BITS)


def test_a_binary_energy_has_no_curvature_and_no_pullback_of_derivatives():
    model = Field([0.3, -1.2, 2.5])
    with pytest.raises(TypeError, match="^Field has no curvature: it is an energy of binary"):
        model.score_curvature(BITS, BITS)
    with pytest.raises(TypeError, match="^Field has no divergence: it is an energy of binary"):
        model.pullback(BITS, score=None, divergence=np.ones(5))
    with pytest.raises(TypeError, match="unexpected keyword argument 'reconstruction'"):
        model.pullback(BITS, reconstruction=BITS)


def test_theta_of_another_number_of_leaves_is_refused_by_their_names():
    model = AutoencoderEnergy(np.ones((5, 3)), np.ones(5), np.ones(3), sigma=0.5)
    with pytest.raises(ValueError, match="^theta must be a tuple of W, b, c, but it is 2 of them$"):
        model.with_theta(model.theta[:2])
    with pytest.raises(ValueError, match="^theta must be a tuple of W, b, c, but it is of "
                                         "type ndarray$"):
        model.with_theta(np.ones(3))


@pytest.mark.parametrize("ask", [lambda model, x: model.energy_gap(x),
                                 lambda model, x: model.pullback(x, gap=x)])
def test_a_continuous_energy_has_no_gap_and_says_so(ask):
    with pytest.raises(TypeError, match=r"^Gaussian has no gap: it is an energy of points in R\^d "
                                        "with energy, score, divergence, diagonal, curvature$"):
        ask(Gaussian(np.zeros(3), np.eye(3)), np.ones((7, 3)))


# -- an energy of a user's own ---------------------------------------------------------------------

class Slope(NamedTuple):
    k: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Linear(Energy):
    """E(x) = -k.x: an energy without curvature, whose `at` takes no directions."""

    k: np.ndarray
    quantities = frozenset({"energy", "score"})

    @property
    def theta(self):
        return Slope(self.k)

    @property
    def d(self):
        return len(self.k)

    def with_theta(self, theta):
        return type(self)(*theta)

    def at(self, x):
        return LinearAt(self.k, x)


class LinearAt(EnergyAt):
    def __init__(self, k, x):
        self.k, self.x = k, x

    def energy(self):
        return -self.x @ self.k

    def score(self):
        return np.broadcast_to(self.k, self.x.shape)

    def pullback(self, energy=ZERO, score=ZERO):
        return Slope(sum_rows(score) - weighted_sum(energy, self.x))


SLOPE = np.array([0.3, -1.7, 2.0, 0.5, 1.1])


@pytest.mark.parametrize("rows", [3, 7])
def test_an_energy_of_ones_own_needs_no_more_than_its_quantities(rows, monkeypatch):
    monkeypatch.setattr("refsm.energies.energy.row_blocks", blocks_of(rows))
    model = Linear(SLOPE)
    assert relative_gap(model.energy(X), -X @ SLOPE) < 1e-14        # another order of sums
    assert (model.score(X) == SLOPE).all()
    pulled = model.pullback(X, energy=X[:, 0], score=X**2)
    assert relative_gap(pulled.k, (X**2).sum(axis=0) - X[:, 0] @ X) < 1e-14
    assert not model.pullback(X).k.any()
    assert (model.unravel(2 * model.ravel()).k == 2 * SLOPE).all()


@pytest.mark.parametrize("name, ask", [
    ("divergence", lambda model: model.score_divergence(X)),
    ("diagonal", lambda model: model.score_jacobian_diagonal(X)),
    ("curvature", lambda model: model.score_curvature(X, V)),
    ("gap", lambda model: model.energy_gap(X)),
    ("divergence", lambda model: model.pullback(X, divergence=X[:, 0])),
    ("curvature", lambda model: model.pullback(X, curvature=(X, X[:, 0])))])
def test_a_quantity_that_it_does_not_have_is_refused_in_one_sentence(name, ask):
    with pytest.raises(TypeError, match=rf"^Linear has no {name}: it is an energy of points in "
                                        r"R\^d with energy, score$"):
        ask(Linear(SLOPE))


def test_a_jacobian_goes_with_the_score_and_is_asked_for_by_name():
    with pytest.raises(NotImplementedError, match="^LinearAt must have a method jacobian$"):
        Linear(SLOPE).score_jacobian(X)


WRONG = {"energy": lambda at: at.x, "score": lambda at: at.x[:, 0], "jacobian": lambda at: at.x,
         "divergence": lambda at: 3.0, "diagonal": lambda at: at.x[:, :3],
         "curvature": lambda at: at.x[:, 0]}
EXPECTED = {"energy": "(7,)", "score": "(7, 5)", "jacobian": "(7, 5, 5)", "divergence": "(7,)",
            "diagonal": "(7, 5)", "curvature": "(7, 3)"}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("rows", [7, 3])
def test_a_result_of_another_shape_is_refused_with_the_shape_that_it_must_have(name, rows,
                                                                               monkeypatch):
    monkeypatch.setattr("refsm.energies.energy.row_blocks", blocks_of(rows))

    class WrongAt(LinearAt):
        pass

    class Wrong(Linear):
        quantities = Energy.quantities

        def at(self, x, v=ZERO):
            return WrongAt(self.k, x)

    setattr(WrongAt, name, WRONG[name])
    method = {"energy": "energy", "score": "score", "curvature": "score_curvature",
              "jacobian": "score_jacobian", "divergence": "score_divergence",
              "diagonal": "score_jacobian_diagonal"}[name]
    with pytest.raises(ValueError) as caught:
        getattr(Wrong(SLOPE), method)(X, *([V] if name == "curvature" else []))
    start = f"{name} of Wrong must have shape {EXPECTED[name]}, but its shape is "
    assert str(caught.value).startswith(start)
    assert "\n" not in str(caught.value)


def test_a_pullback_of_another_shape_or_number_of_leaves_is_refused():
    class OffAt(LinearAt):
        leaves = (np.ones(3),)

        def pullback(self, energy=ZERO, score=ZERO):
            return self.leaves

    class Off(Linear):
        def at(self, x):
            return OffAt(self.k, x)

    with pytest.raises(ValueError, match=r"^pullback must return k of shape \(5,\), "
                                         r"but its shape is \(3,\)$"):
        Off(SLOPE).pullback(X, energy=X[:, 0])
    OffAt.leaves = (np.ones(5), np.ones(5))
    with pytest.raises(ValueError, match="^pullback must return the 1 leaves of theta, "
                                         "but it returned 2$"):
        Off(SLOPE).pullback(X, energy=X[:, 0])


def test_an_energy_that_is_no_dataclass_reads_as_its_name_and_pickles():
    again = pickle.loads(pickle.dumps(Field([0.3, -1.2, 2.5])))
    assert repr(again) == "Field()"
    assert again.b.tolist() == [0.3, -1.2, 2.5]


# -- what a cotangent and a pullback are -----------------------------------------------------------

def test_the_example_of_the_head():
    """E = theta x^2 / 2 at x = 3, L = 5 E: dL/dtheta = 5 * 9/2."""
    model = Gaussian([0.0], [[1.7]])
    assert model.pullback([[3.0]], energy=[5.0]).precision == 5 * 9 / 2
