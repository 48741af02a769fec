"""Losses as public projects write them, and as people get them wrong: each is named, none
wrongly."""
from types import SimpleNamespace

import numpy as np
import pytest

from refsm.stable import sigmoid, softplus
from refsm.verify import cases
from refsm.verify.mistakes import formulas
from refsm.verify.convention import normal
from refsm.verify.diagnosis import diagnose as room
from refsm.verify.diagnosis.diagnose import diagnose
from refsm.verify.diagnosis.precision import FLOAT64, MIXED, Tolerance
from refsm.verify.diagnosis.regression import Fit, Table, fit, table_of
from refsm.verify.diagnosis.wrong_losses import single_mistakes
from refsm.verify.cases import per_sample, value


def sq(a):
    return (a * a).sum(axis=-1)


def target(c):
    return (c.x - c.x_noisy) / c.sigma**2


def dsm(c):
    return sq(c.score(c.x_noisy) - target(c)).mean() / 2


def tolerance(c):
    return c.directions / np.sqrt(sq(c.directions))[..., None]


def ssm(c, v):
    return (np.einsum("nri,ni->nr", v, c.score(c.x))**2 / 2 + c.score_curvature(c.x, v)).mean()


def dsm_noised(c, k):
    """Denoising score matching by somebody whose noisy point is x + k noise."""
    y = c.x + k * c.noise
    return sq(c.score(y) - (c.x - y) / c.sigma**2).mean() / 2


PUBLIC = [
    ("dsm", "1", dsm),
    ("dsm", "sigma^4", lambda c: (c.sigma**4 * sq(c.score(c.x_noisy) - target(c)) / 2).mean()),
    ("dsm", "sigma^2", lambda c: sq(c.sigma * c.score(c.x_noisy) + c.noise).mean() / 2),
    ("dsm", "2 sigma^2 / d", lambda c: ((c.sigma * c.score(c.x_noisy) + c.noise)**2).mean()),
    ("dsm", "2 sigma^2", lambda c: sq(c.sigma * c.score(c.x_noisy) + c.noise).mean()),
    (
        "dsm",
        "2 sigma^2 (1 + sigma^2 / 0.25) / d",    # Karras' weight on the denoiser
        lambda c: (c.sigma**2 + 0.25) / (c.sigma * 0.5)**2 *
        ((c.x_noisy + c.sigma**2 * c.score(c.x_noisy) - c.x)**2).mean()),
    ("dsm", "2 / d", lambda c: ((c.score(c.x_noisy) - target(c))**2).mean()),
    ("dsm", "target x -1", lambda c: sq(c.score(c.x_noisy) + target(c)).mean() / 2),
    ("dsm", "target x -1", lambda c: sq(-c.score(c.x_noisy) - target(c)).mean() / 2),
    ("dsm", "target x -sigma", lambda c: sq(c.score(c.x_noisy) - c.noise).mean() / 2),
    ("ism", "1 / d", lambda c: (c.score(c.x)**2 / 2 + c.score_jacobian_diagonal(c.x)).mean()),
    ("ssm", "1", lambda c: ssm(c, c.directions)),
    ("ssm_vr", "1", lambda c:
     (sq(c.score(c.x)) / 2 + c.score_curvature(c.x, c.directions).mean(axis=1)).mean()),
    ("ssm", "directions of unit length", lambda c: ssm(c, tolerance(c))),
    ("ratio", "4 / d", lambda c: 4 * (sigmoid(-c.energy_gap(c.x))**2).mean()),
    ("dae", "1 / 2", lambda c: sq(c.reconstruct(c.x_noisy) - c.x).mean() / 2),
    ("dae", "cross-entropy in place of the squared error", lambda c:
     (softplus(c.reconstruct(c.x_noisy)) - c.x * c.reconstruct(c.x_noisy)).sum(axis=1).mean()),
    ("dae", "1 / (2 sigma^4)", dsm)
]
MISTAKES = [
    ("dsm", "target x sigma", lambda c: sq(c.score(c.x_noisy) - target(c) * c.sigma).mean() / 2),
    ("dsm", "target x 1 / sigma",
     lambda c: sq(c.score(c.x_noisy) + c.noise / c.sigma**2).mean() / 2),
    ("dsm", "target x 2", lambda c: sq(c.score(c.x_noisy) - 2 * target(c)).mean() / 2),
    ("dsm", "target x 0", lambda c: sq(c.score(c.x_noisy)).mean() / 2),
    ("dsm", "score x sigma^2",
     lambda c: sq(c.sigma**2 * c.score(c.x_noisy) - target(c)).mean() / 2),
    ("dsm", "the score is read at x", lambda c: sq(c.score(c.x) - target(c)).mean() / 2),
    ("dsm", "the noisy point is made as x + sigma^2 noise", lambda c: dsm_noised(c, c.sigma**2)),
    ("dsm", "the noisy point is made as x + noise", lambda c: dsm_noised(c, 1)),
    ("dsm", "the score is read at x + sigma^2 noise",
     lambda c: sq(c.score(c.x + c.sigma**2 * c.noise) + c.noise / c.sigma).mean() / 2),
    ("dsm", "the norm is not squared",
     lambda c: np.sqrt(sq(c.score(c.x_noisy) - target(c))).mean()),
    ("dsm", "n; the mean over points is taken before the square", lambda c: sq(
        (c.score(c.x_noisy) - target(c)).mean(axis=0)) * c.n),
    ("dsm", "1 / 2; only the first dimension", lambda c: sq(
        (c.score(c.x_noisy) - target(c))[:, :1]).mean() / 4),
    ("dsm", "compared with the target of the next point",
     lambda c: sq(c.score(c.x_noisy) - np.roll(target(c), -1, axis=0)).mean() / 2),
    ("dsm", "constant dropped", lambda c: dsm(c) - sq(target(c)).mean() / 2),
    ("dsm", "constant + -d / (2 sigma^2)", lambda c: dsm(c) - c.d / (2 * c.sigma**2)),
    ("dsm", "an extra term: |W|^2; extra x 0.01", lambda c: dsm(c) + 0.01 *
     (c.params["W"]**2).sum()),
    ("dsm", "the model's c is left out",
     lambda c: sq(c.score(c.x_noisy) - c.params["c"] / c.sigma**2 - target(c)).mean() / 2),
    ("ism", "norm x 2", lambda c: (sq(c.score(c.x)) + c.score_divergence(c.x)).mean()),
    ("ism", "1 / d; norm x 2", lambda c: (sq(c.score(c.x)) + c.score_divergence(c.x)).mean() / c.d),
    ("ism", "divergence x -1", lambda c: (sq(c.score(c.x)) / 2 - c.score_divergence(c.x)).mean()),
    ("ism", "divergence x 0", lambda c: sq(c.score(c.x)).mean() / 2),
    ("ism", "norm x 0", lambda c: c.score_divergence(c.x).mean()),
    ("ism", "divergence x 1 / d", lambda c:
     (sq(c.score(c.x)) / 2 + c.score_jacobian_diagonal(c.x).mean(axis=1)).mean()),
    ("ism", "divergence x n",
     lambda c: sq(c.score(c.x)).mean() / 2 + c.score_divergence(c.x).sum()),
    ("ism", "loss x -1", lambda c: -value(c)),
    ("ism", "divergence: the sum over the whole Jacobian in place of its trace", lambda c:
     (sq(c.score(c.x)) / 2 + c.score_jacobian(c.x).sum(axis=(1, 2))).mean()),
    ("ism", "divergence: only the first two dimensions", lambda c:
     (sq(c.score(c.x)) / 2 + c.score_jacobian_diagonal(c.x)[:, :2].sum(axis=1)).mean()),
    ("ism", "norm: the norm is not squared; divergence: absolute values of the diagonal", lambda c:
     (np.sqrt(sq(c.score(c.x))) + np.abs(c.score_jacobian_diagonal(c.x)).sum(axis=1)).mean()),
    ("regularized", "penalty x 1 / 2", lambda c: (sq(c.score(c.x)) / 2 + c.score_divergence(
        c.x) + c.strength / 2 * sq(c.score_jacobian_diagonal(c.x))).mean()),
    ("regularized", "penalty x strength", lambda c: (sq(c.score(c.x)) / 2 + c.score_divergence(
        c.x) + c.strength**2 * sq(c.score_jacobian_diagonal(c.x))).mean()),
    ("regularized", "penalty: the square of the trace", lambda c: (sq(c.score(
        c.x)) / 2 + c.score_divergence(c.x) + c.strength * c.score_divergence(c.x)**2).mean()),
    ("ssm", "M", lambda c: c.M * ssm(c, c.directions)),
    ("ssm", "the first point's directions at every point",
     lambda c: ssm(c, np.broadcast_to(c.directions[:1], c.directions.shape))),
    ("ssm", "norm: |psi|^2 in place of (v.psi)^2, which is the variance-reduced form", lambda c:
     (sq(c.score(c.x)) / 2 + c.score_curvature(c.x, c.directions).mean(axis=1)).mean()),
    ("dae", "compared with the noisy point, not the clean one",
     lambda c: sq(c.reconstruct(c.x_noisy) - c.x_noisy).mean()),
    ("dae", "the input of the encoder is x", lambda c: sq(c.reconstruct(c.x) - c.x).mean()),
    ("ratio", "the sign of the gap", lambda c: (sigmoid(c.energy_gap(c.x))**2).sum(axis=1).mean()),
    ("ratio", "the square is missing", lambda c: sigmoid(-c.energy_gap(c.x)).sum(axis=1).mean()),
    ("pseudo", "d; only the first bit", lambda c: c.d * softplus(-c.energy_gap(c.x))[:, 0].mean()),
    ("pseudo", "loss x -1", lambda c: -value(c)),
    ("parzen_esm", "target: the score of the corruption, not of the Parzen density", dsm),
    ("esm", "compared with the target of the next point",
     lambda c: sq(c.score(c.x) - np.roll(c.data_score, -1, axis=0)).mean() / 2)
]


@pytest.mark.parametrize("objective, convention, loss", [
    pytest.param(*row, marks=[pytest.mark.slow] if k % 5 else [])
    for k, row in enumerate(PUBLIC + MISTAKES)
])
@pytest.mark.parametrize("dtype", [np.float64, pytest.param(np.float32, marks=pytest.mark.slow)])
def test_losses_are_named(objective, convention, loss, dtype):
    some = cases(objective, "prime")
    found = diagnose(some, [float(dtype(loss(case))) for case in some])
    assert found.explanation is not None
    assert normal(convention) in [found.explanation.convention,
                                  *(other.convention for other in found.equals)]
    assert found.tolerance.name == np.dtype(dtype).name


@pytest.mark.slow
def test_what_fits_equally_well_is_told_beside_it():
    some = cases("regularized", "prime")
    frobenius = [(sq(c.score(c.x)) / 2 + c.score_divergence(c.x) + c.strength *
                  (c.score_jacobian(c.x)**2).sum(axis=(1, 2))).mean() for c in some]
    found = diagnose(some, frobenius)
    assert {found.explanation.convention, *(r.convention for r in found.equals)} == {
        "penalty.frobenius-squared", "penalty.of-square"
    }
    tanh = cases("regularized", "prime",
                 model="tanh")    # its Jacobian is not symmetric, which tells the two apart
    frobenius = [(sq(c.score(c.x)) / 2 + c.score_divergence(c.x) + c.strength *
                  (c.score_jacobian(c.x)**2).sum(axis=(1, 2))).mean() for c in tanh]
    assert diagnose(
        tanh, frobenius
    ).explanation.convention == "penalty.frobenius-squared"
    assert not diagnose(tanh, frobenius).equals


def test_the_runner_up_is_far_away():
    some = cases("dsm", "prime")
    found = diagnose(some, [dsm_noised(c, c.sigma**2) for c in some])
    assert found.nearest.distance > 1e-3
    assert not found.nearest.fits


def test_a_weight_that_is_no_power_is_shared_by_all_terms():
    some = cases("dsm", "prime")
    found = diagnose(some, [np.exp(-c.sigma) * dsm(c) for c in some])
    assert found.explanation is None
    assert np.allclose(found.weights, [np.exp(-c.sigma) for c in found.table.groups])


def test_coefficients_without_a_law_are_told_as_numbers():
    some = cases("ism", "prime")
    found = diagnose(
        some, [(sq(c.score(c.x)) / 2 + np.sin(9 * c.sigma * c.n) * c.score_divergence(c.x)).mean()
               for c in some])
    assert found.explanation is None
    assert found.weights is None
    assert np.allclose(found.coefficients.coefficients[:, 1],
                       [np.sin(9 * c.sigma * c.n) for c in found.table.groups])


def test_in_less_than_float64_coefficients_that_are_nearly_1_say_nothing():
    some = cases("ism", "prime")

    def answers(eps, dtype=np.float32, of=float):
        return [float(dtype(sq(c.score(c.x)).mean() / 2 + c.score_divergence(c.x).mean()
                            * (1 + eps * of(np.sin(9 * c.sigma * c.n))))) for c in some]

    most = max(abs(np.sin(9 * c.sigma * c.n)) for c in some)
    assert diagnose(some, answers(1.1e-3 / most)).coefficients is not None
    assert diagnose(some, answers(-1.1e-3 / most, of=abs)).coefficients is not None    # all below 1
    nearly = diagnose(some, answers(0.9e-3 / most))
    assert nearly.coefficients is None
    assert not nearly.right.all()
    assert diagnose(some, answers(0.9e-3 / most, float)).coefficients is not None


@pytest.mark.parametrize("distance, mistakes", [(0.95, 0), (1.05, 1)])
def test_a_mistake_is_nearer_where_it_is_ten_times_nearer_and_is_no_term_more(
        monkeypatch, distance, mistakes):
    right, *others = formulas("ism", "autoencoder")
    (more,) = [of for of in others if [mistake.id for mistake in of.mistakes] == ["extra.|W|^2"]]
    fits = [Fit(of, None, None, 2.0, off)
            for of, off in ((right, distance), (others[0], 0.1), (more, 1e-9))]
    monkeypatch.setattr(room, "fit_known", lambda *_: fits)
    some = cases("ism", "prime")
    found = diagnose(some, np.random.default_rng(5).standard_normal(len(some)))
    assert len(found.nearest.formula.mistakes) == mistakes


def test_a_weight_is_named_beside_one_that_is_broadcast(monkeypatch):
    """sigma^2 of each point, and the losses (n,) times alpha, (n, 1)."""
    some = [c for c in cases("noise_prediction", "prime") if int(c.id.rpartition("/t")[2]) < 5]
    answers = [((c.sigma**2 * sq(c.prediction(c.x_noisy) - c.noise))[:, None] * c.alpha).mean()
               for c in some]
    (weight,) = [formula for formula in formulas("noise_prediction", "tanh")
                 if [mistake.id for mistake in formula.mistakes] == ["weight.variance"]]
    monkeypatch.setattr(room, "fit_known", lambda table, *of: fit(table, [weight], *of))
    found = diagnose(some, answers).explanation
    assert found.convention == "weight.variance; pairs.alpha"


def test_weights_that_are_broadcast_are_tried_beside_a_weight_that_fits_and_is_shared(monkeypatch):
    known = formulas("noise_prediction", "tanh")
    of = {"".join(mistake.id for mistake in formula.mistakes): formula for formula in known}
    shared, error = np.array([[2.0, 2.0, 0.7], [3.0, 3.0, 0.1]]), np.full((2, 3), 1e-9)
    fits = [Fit(of[name], shared + off, error, misfit, 0.0) for name, off, misfit in (
        ("weight.variance", 0.0, 0.9), ("weight.sigma", 0.0, 1.1),
        ("weight.snr", [0.0, 3e-9, 0.0], 0.9), ("target.next", 0.0, 0.9), ("", 0.0, 0.9))]
    monkeypatch.setattr(room, "fit", lambda table, made, *_: made)
    tried = room._weighted_twice(None, known, fits, None, None)
    pairs = {name for name in of if name.startswith("pairs.")}
    assert {formula.mistakes[0].id for formula in tried} == {"weight.variance"}
    assert {formula.mistakes[1].id for formula in tried} == pairs - {"pairs.all"}


@pytest.mark.parametrize("coefficients, errors, shared", [
    ([[1, 3, 9], [2, 2, 9]], [[2, 2, 0], [1, 1, 0]], [2, 2]),
    ([[1, 3, 9], [2, 2, 9]], [[0.5, 2, 0], [1, 1, 0]], None)])
def test_coefficients_are_shared_where_all_of_all_groups_are_their_mean_up_to_their_errors(
        coefficients, errors, shared):
    of = room._shared(Fit(None, np.array(coefficients), np.array(errors), 0.5, 0.0))
    assert (of is None and shared is None) or of.tolist() == shared


@pytest.fixture
def found(monkeypatch):
    """The diagnosis of random answers, or of others, as a function of what the searches find."""
    def call(answers=None, objective="dsm_levels", search={"search": "anywhere"}, **searches):
        some = cases(objective, "prime")
        for name in ("quadratic_form", "weighted_mistake", "other_points"):
            monkeypatch.setattr(room, name, searches.get(name, lambda *_: None))
        monkeypatch.setattr(room, "fit_known", lambda *_: [])
        random = np.random.default_rng(5).standard_normal(len(some))
        return diagnose(some, random if answers is None else answers, **search)

    return call


def form(numbers, words="so it is"):
    return SimpleNamespace(words=words, numbers=numbers)


@pytest.mark.parametrize("in_double, in_single, tolerance", [
    (2, 1, MIXED), (1, 1, FLOAT64), (1, 2, FLOAT64), (2, None, FLOAT64), (1, 0, MIXED)])
def test_of_forms_in_numbers_the_one_with_most_names_is_taken(found, in_double, in_single,
                                                              tolerance):
    forms = {FLOAT64: form(in_double), MIXED: in_single if in_single is None else form(in_single)}
    of = found(quadratic_form=lambda table, Y, tolerance, _: forms[tolerance])
    assert of.tolerance is tolerance
    assert of.form is forms[tolerance]
    named = {FLOAT64: form(0)}                             # in single precision nothing is asked
    assert found(quadratic_form=lambda table, Y, tolerance, _: named[tolerance]).form is (
        named[FLOAT64])


def test_a_mistake_under_a_weight_and_other_points_follow_where_there_is_no_form(found):
    mistake, elsewhere = form(0), form(0)
    points = {"other_points": lambda *_: (elsewhere, MIXED)}
    of = found(quadratic_form=lambda *_: form(0, ""), weighted_mistake=lambda *_: mistake, **points)
    assert of.form is elsewhere
    assert of.tolerance is MIXED
    assert found(weighted_mistake=lambda *_: mistake, **points).form is mistake
    assert found(search={"search": "known"}, **points).form is None
    assert found(search={}, **points).form is None          # it takes long


def test_a_search_for_weights_finds_them_and_no_mistake():
    some = cases("noise_prediction", "prime")

    def loss(case, point):
        weight = 1 + case.alpha**2 * np.exp(case.sigma)                     # of no name
        return (weight * ((case.prediction(point(case)) - case.noise)**2).sum(axis=1)).mean()

    for point, found in ((lambda c: c.x_noisy, True), (lambda c: c.x, False),
                         (lambda c: 2 * c.alpha[:, None] * c.x - c.x_noisy, False)):
        of = diagnose(some, [loss(case, point) for case in some], search="weights")
        assert (of.form is not None and of.form.right, of.form is not None) == (found, found)
    halves = [value(case) / 2 for case in some]
    assert str(diagnose(some, halves, search="weights").explanation.factor) == "1 / 2"
    residuals = [case.prediction(case.x_noisy) - case.noise for case in some]
    centred = [((r - r.mean(axis=0))**2).sum(axis=1).mean() for r in residuals]
    assert diagnose(some, centred, search="weights").explanation is None
    assert diagnose(some, centred).explanation.mistakes
    some = cases("dsm", "prime")
    first = [per_sample(case)[:case.n // 2].mean() for case in some]
    assert diagnose(some, first, search="weights").explanation is None
    assert diagnose(some, first).explanation.mistakes


def test_a_number_of_each_group_is_a_form_where_points_have_levels(found):
    reference = table_of(tuple(cases("dsm_levels", "prime"))).reference
    numbers = 2 + np.sin(np.arange(len(reference)))[:, None]
    of = found(answers=(numbers * reference).ravel(), quadratic_form=lambda *_: form(1))
    assert of.form.words == "so it is"
    assert of.coefficients is None
    of = found(answers=(numbers * reference).ravel())
    assert of.weights == pytest.approx(numbers.ravel(), rel=1e-9)


def test_at_a_single_level_numbers_of_each_group_are_weights_and_else_a_form_is_asked_for(found):
    reference = table_of(tuple(cases("dsm", "prime"))).reference
    numbers = 2 + np.sin(np.arange(len(reference)))[:, None]
    single = {"objective": "dsm", "quadratic_form": lambda *_: form(0)}
    of = found(answers=(numbers * reference).ravel(), **single)
    assert (of.form, of.weights.tolist()) == (None, pytest.approx(numbers.ravel(), rel=1e-9))
    assert found(**single).form.words == "so it is"


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["dsm", "ism", "ssm", "dae", "ratio"])
def test_random_numbers_are_explained_by_nothing(objective):
    some, rng = cases(objective, "prime"), np.random.default_rng(5)
    for k in range(6):
        found = diagnose(some, 10.0**(k - 3) * rng.standard_normal(len(some)))
        assert found.explanation is None
        assert found.coefficients is None
        assert found.nearest is not None


@pytest.mark.parametrize("constant", [0.0, 3.7])
def test_answers_without_theta_are_explained_by_nothing(constant):
    some = cases("ism", "prime")
    found = diagnose(some, [constant] * len(some))
    assert found.explanation is None
    assert found.coefficients is None
    assert found.tolerance.name == "float64"
    assert not found.matches


@pytest.mark.parametrize("answers, same", [
    ([[100, 102.03], [5, 5]], True), ([[100, 102.1], [5, 5]], False),
    ([[-100, -102.03], [5, 5]], True), ([[100, 100], [5, 6]], False)])
def test_answers_are_the_same_up_to_twice_the_tolerance_of_the_larger(answers, same):
    assert room._without_theta(np.array(answers), Tolerance("two digits", 0.01)) == same


def test_an_answer_of_0_is_right_where_all_terms_are_0():
    table = SimpleNamespace(reference=np.array([[0.0, 0.0, 2.0]]), scale=np.array([[0.0, 0.0, 4]]))
    found = room.Diagnosis(FLOAT64, table, np.array([[0.0, 1e-300, 2.0]]), None)
    assert found.right.tolist() == [[True, False, True]]


@pytest.mark.slow
def test_a_single_answer_that_is_off_is_noticed():
    some = cases("dsm", "prime")
    values = [dsm(c) for c in some]
    assert diagnose(some, values).matches
    assert diagnose(some, values).right.all()
    for k in (0, 13, 29):
        assert not diagnose(
            some, [v * (1 + 1e-9 * (i == k))
                   for i, v in enumerate(values)]).explanation or not diagnose(
                       some, [v * (1 + 1e-4 * (i == k)) for i, v in enumerate(values)]).matches


def test_the_resolution_is_the_smallest_error_of_a_coefficient_that_is_seen():
    some = cases("ism", "prime")
    found = diagnose(some, [value(c) for c in some])
    smallest, errors = found.resolution, found.explanation.fit.coefficient_error
    assert smallest == max(errors[:, 0].max(), errors[:, 1].max())
    assert 1e-14 < smallest < 1e-8
    seen = diagnose(some,
                    [value(c) + 1e4 * smallest * c.score_divergence(c.x).mean() for c in some])
    assert not seen.matches or seen.tolerance.name != "float64"


def test_a_formula_that_is_left_out_is_not_replaced_by_another():
    some = cases("dsm", "prime")
    values = [np.sqrt(sq(c.score(c.x_noisy) - target(c))).mean() for c in some]
    assert [m.id for m in diagnose(some, values).explanation.mistakes] == ["square.norm"]
    without = diagnose(some, values, left_out=["square.norm"])
    assert without.explanation is None
    roles = [mistake.role for mistake in without.nearest.formula.mistakes]
    assert roles
    assert "extra" not in roles


@pytest.mark.slow
def test_models_without_an_energy_and_given_arrays_are_diagnosed_too():
    for family, model in (("prime", "tanh"), ("prime", "gaussian"), ("prime", "mixture"), ("array",
                                                                                           None)):
        for objective in ("dsm", "ism", "ssm", "esm"):
            some = cases(objective, family, model=model)
            assert diagnose(some, [value(c) for c in some]).matches
            assert diagnose(some, [value(c) / c.d for c in some]).explanation.convention == "1 / d"


def test_the_reference_comes_first_in_every_bank():
    assert all(
        formulas(objective, model)[0].mistakes == ()
        for objective, model in (("dsm", "autoencoder"), ("ssm", None), ("ratio", "rbm")))


@pytest.mark.slow
def test_what_comes_next_is_never_the_explanation_with_a_term_more():
    table = Table(cases("ism", "prime", 5))
    for loss in single_mistakes("ism"):
        found = diagnose(table.cases, loss.answers(table))
        assert found.explanation is not None
        assert not found.nearest or found.nearest.distance > 1e-5, str(loss)
