"""Cases are pinned, named once, and hold everything that a loss needs."""
import dataclasses
import functools
import hashlib
import itertools
import pickle

import numpy as np
import pytest

from refsm.verify import cases
from refsm.verify.cases import families
from refsm.verify.cases import FAMILIES, SUITE_VERSION, checksum
from refsm.verify.cases.levels import SCHEDULES
from refsm.verify.cases.quantities import Quantities
from refsm.verify.objectives import OBJECTIVES, model_names, objective_name

FIRST = ("esm", "ism", "regularized", "parzen_esm", "parzen_ism", "dsm", "dae", "ssm", "ssm_vr",
         "ratio", "pseudo")
LATER = tuple(name for name in OBJECTIVES if name not in FIRST)
PINNED = "44cc7b73626dae0d8d9d601ee647e343907c91a59cb0e24212da9d62194a33f4"
SLICED, ADDED_LATER = ("ssm", "ssm_vr"), ("paper/ssm/2", "paper/ssm_vr/2")
PINNED_SLICED = "5fc7bdef70e03a69defde1dafd883f7119e500d6b11e54658bf79c96135dc707"
PINNED_LEVELS = "923bdd85c0bcf8bc528457fb767e9a7fdc4c972928f770033ce124a93696f9cb"
PINNED_SCHEDULES = "29f148eabef650cd3ed3b371eced30ab37746461c6eba380eabd243840a35e4f"
PINNED_VE = "4d0afc62cc9f743ffd1786e082743886650ecf58bb114f7c268a4911b044bfa1"


@functools.cache
def everything(seed=0, objectives=tuple(OBJECTIVES), families=tuple(FAMILIES)):
    return [case for objective, family in itertools.product(objectives, families)
            if family not in SCHEDULES or "alpha" in OBJECTIVES[objective].given
            for model in (model_names(objective) if family == "prime" else (None,))
            for case in cases(objective, family, seed, model)]


def test_no_identifier_is_used_twice():
    other_seed = everything(7, tuple(OBJECTIVES)[::3], ("prime", "vp", "array"))
    named = [case.id for case in (*everything(), *other_seed)]
    assert len(named) == len(set(named)) > 2000


@pytest.mark.parametrize("objectives, families, pinned", [
    (FIRST, ("paper", "prime", "array"), PINNED),
    (SLICED, ("paper",), PINNED_SLICED),
    (LATER, ("paper", "prime", "array"), PINNED_LEVELS), (LATER, ("vp", "flow"), PINNED_SCHEDULES),
    (LATER, ("ve", "subvp"), PINNED_VE)])
def test_the_numbers_of_this_suite_version_never_change(objectives, families, pinned):
    digest = hashlib.sha256()
    for case in everything(objectives=objectives, families=families):
        if case.id in ADDED_LATER and objectives is not SLICED:
            continue
        digest.update(case.id.encode()
                      + "".join(f"{k}{v}" for k, v in sorted(case.checksums.items())).encode()
                      + str(sorted(case.hyper.items())).encode())
    assert (SUITE_VERSION, digest.hexdigest()) == ("1.0", pinned)


def test_a_set_is_the_same_each_time_and_another_for_another_seed():
    first, again, other = cases("dsm", "prime"), cases("dsm",
                                                       "prime"), cases("dsm", "prime", seed=3)
    assert [c.checksums for c in first] == [c.checksums for c in again]
    assert not set(first[0].checksums.values()) & set(other[0].checksums.values())
    assert other[17].id == "prime/dsm/seed3/c3/t2"
    assert first[17].id == "prime/dsm/c3/t2"
    assert cases("dsm", "prime", model="tanh")[17].id == "prime/dsm/tanh/c3/t2"


def test_random_numbers_are_the_same_in_single_precision():
    for case in everything()[::7]:
        for name, a in case.all_arrays.items():
            if name != "x_noisy" and case.family == "prime":
                assert np.array_equal(a, a.astype(np.float32)), (case.id, name)


def test_paper_cases_are_exact_in_single_precision_too():
    for case in (c for o in OBJECTIVES for c in cases(o, "paper")):
        assert all(
            np.array_equal(a, a.astype(np.float32)) for a in {**case.theta, **case.arrays}.values())


def test_a_group_shares_its_data_and_not_its_parameters():
    for group in range(6):
        group = cases("dsm", "prime")[5 * group:5 * group + 5]
        for shared in (lambda c: c.checksums["x"], lambda c: c.checksums["noise"],
                       lambda c: c.group):
            assert len(set(map(shared, group))) == 1
        assert len({c.checksums["W"] for c in group}) == 5
        assert np.array_equal(group[0].x_noisy, group[0].x + group[0].sigma * group[0].noise)


def test_sizes_are_those_that_tell_conventions_apart():
    rows = [[1, np.log(c.sigma), np.log(c.d), np.log(c.n), np.log(c.M)] for c in families.GROUPS]
    assert np.linalg.matrix_rank(rows) == 5
    rows = [[1, np.log(c.sigma), np.log(c.d),
             np.log(c.n), np.log(c.strength)] for c in families.GROUPS]
    assert np.linalg.matrix_rank(rows) == 5
    values = {
        tuple(k * c.sigma**a * c.d**b * c.n**e * c.M**m
              for c in families.GROUPS)
        for k in (0.5, 1, 2)
        for a in (-4, -2, -1, 0, 1, 2, 4)
        for b in (-1, 0, 1)
        for e in (-1, 0, 1)
        for m in (-1, 0, 1)
    }
    assert len({tuple(f"{v:.6g}" for v in row) for row in values}) == 3 * 7 * 27


def test_regularised_groups_have_one_theta_more_than_their_unknowns_need():
    assert len(cases("regularized", "prime")) == 36
    assert len(cases("esm", "prime")) == 30
    assert families.thetas_per_group("regularized") == 6


def test_a_case_answers_for_its_arrays_numbers_and_functions():
    case = cases("ssm", "prime")[0]
    assert (case.n, case.d, case.M, case.sigma) == (7, 3, 11, 0.37)
    assert case.params is case.theta
    assert case.directions.shape == (7, 11, 3)
    assert case.score(case.x).shape == (7, 3)
    assert cases("esm", "prime")[0].M == 1
    assert np.allclose(
        cases("dae", "prime")[0].reconstruct(case.x) - case.x,
        cases("dae", "prime")[0].sigma**2 * cases("dae", "prime")[0].score(case.x))


def test_a_case_of_several_levels_has_the_score_of_each():
    case = cases("multi_level", "prime")[7]
    for l, (y, psi) in enumerate(zip(case.x_noisy, Quantities(case).psi(), strict=True)):
        assert np.array_equal(case.score(y, l), psi)


def test_a_predicted_velocity_is_that_of_the_score():
    case = cases("velocity_prediction", "prime")[3]
    alpha, sigma, psi = case.alpha[:, None], case.sigma[:, None], case.score(case.x_noisy)
    noise, clean = -sigma * psi, (case.x_noisy + sigma**2 * psi) / alpha
    np.testing.assert_allclose(case.prediction(case.x_noisy), alpha * noise - sigma * clean,
                               rtol=1e-13, atol=1e-12)


def test_a_case_says_what_it_has_when_asked_for_something_else():
    sentence = (r"^case prime/ratio/c0/t0 has no sigma; it has params \(W, b\), x, energy, "
                r"energy_gap$")
    with pytest.raises(AttributeError, match=sentence):
        cases("ratio", "prime")[0].sigma
    with pytest.raises(AttributeError, match="has no score; it has params"):
        cases("ratio", "prime")[0].score
    with pytest.raises(AttributeError, match=r"it has params \(none\), x, gap$"):
        cases("ratio", "array")[0].energy


def test_arrays_are_read_only_and_copies():
    x = np.ones((3, 2))
    case = dataclasses.replace(cases("ism", "prime")[0], arrays={"x": x})
    x[0] = 5
    assert case.x[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        case.x[0] = 2


def test_a_case_survives_pickling():
    case = cases("dsm", "prime")[4]
    again = pickle.loads(pickle.dumps(case))
    assert again.id == case.id
    assert again.checksums == case.checksums
    assert again.hyper == case.hyper
    assert again.group == "c0"


def test_its_representation_shows_shapes_and_numbers():
    assert repr(cases("dsm", "prime")[0]) == (
        "Case(prime/dsm/c0/t0: dsm, autoencoder; W (6, 3), b (6,), c (3,), x (7, 3), noise (7, "
        "3), x_noisy (7, 3), "
        "sigma = 0.37)")
    assert "no model" in repr(cases("dsm", "array")[0])


def test_a_checksum_is_of_little_endian_float64_bytes():
    a = np.array([[1.5, -2.0], [0.25, 3.0]])
    assert checksum(a) == checksum(a.astype(">f8")) == checksum(
        np.asfortranarray(a)) == hashlib.sha256(a.astype("<f8").tobytes()).hexdigest()


def test_array_cases_hold_consistent_quantities():
    case = cases("ssm", "array")[3]
    assert np.allclose(
        case.curvature, np.einsum("nri,nik,nrk->nr", case.directions, case.jacobian,
                                  case.directions))
    assert np.array_equal(case.divergence, case.diagonal.sum(axis=1))
    assert case.model is None
    assert not case.params


@pytest.mark.parametrize("name, short", [("dsm", "dsm"), ("DenoisingScoreMatching", "dsm"),
                                         ("denoising", "dsm"), ("Ratio_Matching", "ratio"),
                                         ("regularised", "regularized")])
def test_objectives_have_long_names_too(name, short):
    assert objective_name(name) == short


@pytest.mark.parametrize(
    "call, text",
    [(lambda: cases("map"), "objective must be one of esm, ism, .*, but it is 'map'"),
     (lambda: cases("dsm", "big"),
      "family must be one of paper, prime, vp, flow, ve, subvp, array, but it is 'big'"),
     (lambda: cases("dsm", seed=-1), "seed must be an integer >= 0, but it is -1"),
     (lambda: cases("dsm", seed=True), "seed must be an integer"),
     (lambda: cases("dsm", seed=0.5), "seed must be an integer"),
     (lambda: cases("dsm", model="rbm"),
      "model must be one of autoencoder, tanh, gaussian, mixture for dsm, but it is 'rbm'"),
     (lambda: cases("ratio", model="tanh"), "model must be one of boltzmann, rbm for ratio"),
     (lambda: cases("dsm", "paper", model="tanh"),
      "^the family paper has no cases of dsm on the tanh model$"),
     (lambda: cases("dsm", "array", model="autoencoder"), "the family array has no cases")])
def test_unknown_names_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_several_objectives_at_once_and_both_families_by_default():
    assert len(cases(["dsm", "ratio"])) == 64
    assert {c.family for c in cases("dsm")} == {"prime", "paper"}
    assert {c.family for c in cases("dsm", model="tanh")} == {"prime"}
    assert len(cases("dsm", "paper", model="gaussian")) == 2
