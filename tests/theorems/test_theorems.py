"""Every statement holds, on the digits and on other data; a planted mistake makes one fail."""
import collections
from fractions import Fraction

import numpy as np
import pytest
from computations import MODULES, compared, statements

import refsm
from refsm import theorems
from refsm.theorems import (binary, chain, denoiser, denoising, finite, gaussian, page, sliced,
                            small_noise)
from refsm.theorems.setting import Setting

NUMBERS = set(range(1, 53))


def setting(sigma=0.3, n=40, d=7, hidden=6, seed=0):
    return Setting(np.random.default_rng(seed).random((n, d)), "random rows", sigma, hidden, seed)


@pytest.fixture(scope="module")
def made():
    """What `theorems.all` gives; a function that needs no data is computed once in all tests."""
    def once(room, maker):
        return lambda: compared(room, maker)[0]

    with pytest.MonkeyPatch.context() as patch:
        for room in MODULES:
            patch.setattr(room, "MAKERS", [once(room, maker) for maker in room.MAKERS])
        return theorems.all()


def on_data(data, **settings):
    """The statements on the data that one gives: the others are the same for all data."""
    at_each = [Setting(data, settings["name"], sigma, settings["hidden"], settings["seed"])
               for sigma in theorems.SIGMAS]
    makers = [make for room in (denoising, gaussian) for make in room.ON_DATA]
    return [s for make in makers for s in make(at_each)]


def test_all_statements_hold_on_the_digits_and_none_is_missing(made):
    assert all(isinstance(s, theorems.Statement) for s in made)
    assert not [str(s) for s in made if not s.holds]
    assert {s.number for s in made} >= NUMBERS
    assert all(s.how in page.KINDS for s in made)
    where = " ".join(s.where for s in made if s.number == 1)
    for sigma in ("0.05", "0.3", "1.7"):
        assert f"1797 digits, d=64, m=100, sigma={sigma}" in where
    count = collections.Counter(s.number for s in made)
    assert min(count[k] for k in (3, 4, 5)) == 6          # three energies, two theta


def test_the_gaps_are_a_few_roundings_and_the_bounds_are_not_idle(made):
    for s in made:
        if s.how in ("rounding", "enumeration") and s.number != 6:
            assert s.bound <= 1e-8 * max(1.0, abs(s.left)), str(s)


def test_in_exact_rationals_the_gap_is_the_number_zero():
    few = [setting(n=5, d=3, hidden=4)]
    exact = [s for room in MODULES for make in getattr(room, "EXACT", [])
             for s in compared(room, make)[0]]
    exact += [s for room in MODULES for make in getattr(room, "EXACT_ON_DATA", [])
              for s in make(few)]
    assert {s.number for s in exact} >= {1, 7, 15, 21, 22, 23, 24, 32}
    assert {s.how for s in exact} == {"exact"}
    assert all(isinstance(s.gap, Fraction) for s in exact)
    assert all(s.gap == 0 for s in exact)
    assert all(s.holds for s in exact)
    names = {s.name for s in exact if s.number == 1}
    assert names >= {f"2 sigma^4 J_DSM = J_DAE, {what}" for what in
                     ("value", "terms", "gradient for W", "gradient for b", "gradient for c")}


def test_exact_adds_the_exact_statements_to_the_others(monkeypatch):
    monkeypatch.setattr(theorems, "ROOMS", ["decoder", "parametrisation"])
    plain, both = theorems.all(), theorems.all(exact=True)
    assert not [s for s in plain if s.how == "exact"]
    assert len([s for s in both if s.how == "exact"]) == len(both) - len(plain) == 4


def test_a_room_names_its_group_and_its_functions():
    for room in MODULES:
        assert isinstance(room.GROUP, str)
        assert isinstance(room.MAKERS, list)
        assert {"GROUP", "MAKERS"} <= set(room.__all__)


def test_statements_of_a_group_stand_in_rooms_that_follow_each_other():
    groups = [room.GROUP for room in MODULES]
    starts = [group for k, group in enumerate(groups) if k == 0 or groups[k - 1] != group]
    assert len(starts) == len(set(starts))


@pytest.mark.parametrize("data", [
    np.random.default_rng(2).standard_normal((7, 1)),
    np.random.default_rng(3).standard_normal((1, 3)), 1e6 * np.random.default_rng(4).random(
        (11, 5)),
    np.ones((6, 3))
])
def test_they_hold_on_any_data(data):
    made = on_data(data, hidden=3, name="points", seed=5)
    assert not [str(s) for s in made if not s.holds]


R = np.random.default_rng(6).random((11, 4))


@pytest.mark.parametrize(("data", "columns"), [
    (np.c_[R[:, :3], 7 * R[:, :1]], 3),
    (np.c_[R[:, :1], 3 * R[:, :1] + 2], 1),
    (np.c_[R[:, :3], R[:, :1] - R[:, 1:2]], 3),
    (np.c_[R[:, :2], R[:, :1] + 1e-3 * R[:, 1:2]], 2),
    (np.c_[R[:, :2], np.full((11, 1), 0.1)], 2),
    (np.full((6, 3), 0.1), 0),
    (np.zeros((5, 3)), 0),
    (np.full((7, 3), 1e16 / 3), 0),
    (1e-100 * R, 3),
    (R[:1], 0),
    (R[:3], 2),
    (1e8 + R, 3),
    (1e-9 * R, 3),
])
def test_the_gaussian_is_that_of_columns_which_do_not_determine_each_other(data, columns):
    x = gaussian.columns(data)
    assert x.shape == (len(data), columns)
    # 11 roundings of 1e8 + R, over its standard deviation of more than 0.2
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=11 * 2.0**-53 * 1e8 / 0.2)
    np.testing.assert_allclose((x * x).mean(axis=0), 1, rtol=2 * 11 * 2.0**-53 * 1e8 / 0.2)
    made = gaussian.statements(data, "rows")
    assert len(made) == 9 * (columns > 0)
    assert all(s.holds for s in made)
    assert all(s.bound < 1e-6 for s in made)


def test_the_columns_of_largest_variance_come_first():
    x = gaussian.columns(R / R.std(axis=0) * [1.0, 5.0, 3.0, 4.0])
    for column, i in zip(x.T, (1, 3, 2)):
        assert np.corrcoef(column, R[:, i])[0, 1] == pytest.approx(1)


@pytest.mark.parametrize(("part", "columns"), [(0.099, 1), (0.101, 2)])
def test_a_column_is_left_out_where_a_tenth_of_it_is_new(part, columns):
    """Two unit columns at an angle have the singular values sqrt(n (1 +- cosine))."""
    cosine = 1 - part**2
    u = np.array([1.0, -1, 1, -1, 1, -1, 1, -1])
    v = np.array([1.0, 1, -1, -1, 1, 1, -1, -1])
    assert gaussian.columns(np.c_[2 * u,
                                  cosine * u + np.sqrt(1 - cosine**2) * v]).shape[1] == columns


def test_nodes_are_as_many_as_they_should_be():
    x, w = chain.nodes_of(chain.density())
    assert x.shape == (2 * 121**2, 2)
    assert w.sum() == pytest.approx(1, rel=1e-13)
    clean, (x, x_noisy, w) = chain.noisy_nodes()
    assert clean.shape == (5, 2)
    assert x.shape == x_noisy.shape == (5 * 121**2, 2)
    assert w.sum() == pytest.approx(1, rel=1e-13)


def test_one_sigma_takes_the_place_of_three():
    groups = theorems.batches(np.random.default_rng(2).standard_normal((7, 3)), sigma=0.8, hidden=3)
    (_, first), (_, second) = next(groups), next(groups)
    assert {s.where for s in first} == {"7 rows, d=3, m=3, sigma=0.8"}
    assert {s.number for s in second} == {6}


@pytest.mark.parametrize(("settings", "sentence"), [
    ({
        "hidden": 0
    }, "hidden must be a whole number >= 1, but it is 0"),
    ({
        "hidden": 2.5
    }, "hidden must be a whole number >= 1, but it is 2.5"),
    ({
        "seed": -1
    }, "seed must be a whole number >= 0, but it is -1"),
    ({
        "seed": True
    }, "seed must be a whole number"),
    ({
        "sigma": 0.0
    }, "sigma must be finite and > 0, but it is 0.0"),
    ({
        "data": np.ones(3)
    }, r"data must have shape \(n, d\)"),
])
def test_settings_that_make_no_sense_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        theorems.all(**settings)


def wrong(objective, change):
    """The objective with its `local_loss` altered."""
    class Wrong(objective):
        def local_loss(self, **local):
            return change(*super().local_loss(**local))
    return Wrong


PLANTED = {
    "the loss without its 1/2":
    lambda term, cot: (2 * term, cot),
    "the cotangent without its 1/2":
    lambda term, cot: (term, {
        k: 2 * v if not isinstance(v, tuple) else v
        for k, v in cot.items()
    }),
    "one term off by 1e-9":
    lambda term, cot: (term * (1 + 1e-9), cot),
    "a gradient off by 1e-9":
    lambda term, cot: (term, {
        k: v * (1 + 1e-9) if not isinstance(v, tuple) else v
        for k, v in cot.items()
    }),
}


@pytest.mark.parametrize("change", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize(("room", "objective", "maker"), [
    (denoising, "DenoisingScoreMatching", lambda: denoising.dsm_is_dae(setting())),
    (denoising, "DenoisingScoreMatching", lambda: denoising.dsm_is_dae_exactly(setting())),
    (chain, "ExplicitScoreMatching", chain.explicit_is_implicit),
    (chain, "ImplicitScoreMatching", chain.explicit_is_implicit),
])
def test_a_planted_mistake_in_an_objective_makes_a_statement_fail(monkeypatch, room, objective,
                                                                  maker, change):
    monkeypatch.setattr(room, objective, wrong(getattr(room, objective), change))
    assert not all(s.holds for s in maker())


@pytest.mark.slow
@pytest.mark.parametrize(("room", "objective", "maker"), [
    (chain, "DenoisingScoreMatching", chain.denoising_chain),
    (chain, "ParzenExplicitScoreMatching", chain.denoising_chain),
    (chain, "ParzenImplicitScoreMatching", chain.denoising_chain),
    (small_noise, "ImplicitScoreMatching", small_noise.small_noise),
    (sliced, "SlicedScoreMatching", sliced.sliced_is_implicit),
    (sliced, "SlicedScoreMatching", sliced.explicit_sliced),
    (sliced, "ImplicitScoreMatching", sliced.exactly),
    (binary, "RatioMatching", binary.ratio_matching),
    (denoiser, "DenoisingAutoencoderLoss", denoiser.best_reconstruction),
    (gaussian, "ImplicitScoreMatching", lambda: gaussian.statements(setting().data, "rows")),
    (gaussian, "DenoisingScoreMatching", lambda: gaussian.statements(setting().data, "rows")),
])
def test_a_planted_factor_in_a_value_makes_a_statement_fail(monkeypatch, room, objective, maker):
    monkeypatch.setattr(room, objective,
                        wrong(getattr(room, objective), PLANTED["the loss without its 1/2"]))
    assert not all(s.holds for s in maker())


def test_a_descent_with_another_rate_takes_another_path(monkeypatch):
    real = denoising.gradient_descent
    monkeypatch.setattr(
        denoising, "gradient_descent",
        lambda J, model, steps, rate, progress: real(J,
                                                     model,
                                                     steps=steps,
                                                     rate=rate * (1 + 1e-7 * isinstance(
                                                         J, refsm.DenoisingScoreMatching))))
    assert not all(s.holds for s in denoising.same_path(setting()))


@pytest.mark.parametrize("where", [
    setting(0.05),
    setting(1.7),
    setting(0.3, n=11, d=3, hidden=30, seed=4),
    setting(0.3, n=7, d=1, hidden=3)
])
def test_a_descent_at_this_rate_hardly_amplifies_a_change_of_its_start(monkeypatch, where):
    """The growth that the bound of statement 6 takes to be 2 at most, in a real descent."""
    real, growth = denoising.gradient_descent, []

    def followed(J, model, *, steps, rate, progress):
        assert progress is False
        end = real(J, model, steps=steps, rate=rate)
        for nudge in 2.0**-20 * np.random.default_rng(3).standard_normal((3, model.ravel().size)):
            moved = real(J, model.unravel(model.ravel() + nudge), steps=steps,
                         rate=rate).model.ravel()
            growth.append(np.linalg.norm(moved - end.model.ravel()) / np.linalg.norm(nudge))
        assert end.history.value[-1] < 0.95 * end.history.value[0]
        return end

    monkeypatch.setattr(denoising, "gradient_descent", followed)
    denoising.same_path(where)
    assert min(growth) > 0.3
    assert max(growth) < 1.1


def test_a_descent_that_is_interrupted_compares_nothing(monkeypatch):
    """Ctrl-C while a gradient is computed, in the third step of the first descent."""
    calls = []

    class Stopped(refsm.DenoisingScoreMatching):
        def value_and_gradient(self, model):
            calls.append(model)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return super().value_and_gradient(model)

    monkeypatch.setattr(denoising, "DenoisingScoreMatching", Stopped)
    with pytest.raises(KeyboardInterrupt):
        denoising.same_path(setting())
    assert len(calls) == 3


def test_statements_on_the_data_hold_at_the_ends():
    assert all(s.holds for s in denoising.same_path(Setting(1e80 * R, "rows", 0.3, 3, 0)))
    exact = denoising.dsm_is_dae_exactly(Setting(R, "rows", 0.001, 3, 0))
    assert all(s.holds for s in exact)
    assert {s.where for s in exact} == {"3 rows, d=4, m=3, sigma=1/64"}


def test_another_sigma_makes_the_rbm_another_model(monkeypatch):
    real = denoising.GaussianBernoulliRBM
    monkeypatch.setattr(denoising, "GaussianBernoulliRBM",
                        lambda W, b, c, log_sigma, **more: real(W, b, c, log_sigma + 1e-9, **more))
    assert not any(s.holds for s in denoising.rbm_is_autoencoder(setting()))


def test_a_wrong_denoiser_is_seen(monkeypatch):
    real = denoiser.tweedie
    monkeypatch.setattr(denoiser, "tweedie", lambda q, x, c: x + (1 + 1e-9) * (real(q, x, c) - x))
    assert not any(s.holds for s in denoiser.posterior_moments() if "Cov" not in s.name)
    real_covariance = denoiser.tweedie_covariance
    monkeypatch.setattr(denoiser, "tweedie_covariance", lambda q, x, c:
                        (1 + 1e-9) * real_covariance(q, x, c))
    assert not any(s.holds for s in denoiser.posterior_moments())


def test_what_differs_differs():
    made = statements(finite)
    assert [s.how for s in made] == ["differs", "differs", "enumeration", "differs"]
    assert all(s.holds for s in made)
    assert abs(made[0].left - made[0].right) > 0.1
    assert made[1].left == 0.0


def test_the_rational_frame_is_orthonormal_and_rotated():
    Q = sliced._reflection(9)
    assert (Q @ Q.T == np.eye(9, dtype=int)).all()
    assert all(isinstance(q, Fraction) for q in Q.ravel())
    assert (Q != 0).all()
    assert Q[1, 1] == 1 - 2 * Fraction(4, 285)
    assert Q[8, 0] == -2 * Fraction(9, 285)


def test_flipped_probabilities_are_those_of_the_flipped_points():
    x = refsm.enumeration.binary_points(binary.D)
    rows = [tuple(point) for point in x]
    p = np.random.default_rng(0).random(len(x))
    for n, i in ((0, 0), (3, 4), (17, 2), (31, 1)):
        flipped = x[n].copy()
        flipped[i] = 1 - flipped[i]
        assert binary.flipped(p)[n, i] == p[rows.index(tuple(flipped))]
