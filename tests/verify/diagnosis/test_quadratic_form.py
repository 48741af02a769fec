"""The general fit finds the weight and the target of any weighted square, level by level."""
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from refsm.verify import cases, verify
from refsm.verify.cases.quantities import Quantities
from refsm.verify.convention import normal
from refsm.verify.denoisers import TARGETS, level_maps, output, target_in_noise
from refsm.verify.diagnosis import weight_names
from refsm.verify.diagnosis.diagnose import diagnose
from refsm.verify.diagnosis.points import candidates
from refsm.verify.diagnosis.precision import FLOAT32, FLOAT64, MIXED
from refsm.verify.diagnosis.quadratic_form import (_form, _has_its_constant, as_rounded,
                                                    levels_of_groups, quadratic_form)
from refsm.verify.diagnosis.regression import Fit, Table
from refsm.verify.diagnosis.regression import table_of as table_of_cases
from refsm.verify.diagnosis.scaling import ONE



CONSTANT = "up to a constant that does not depend on theta"


def column(a):
    return np.asarray(a)[..., None]


def table_of(objective, family="prime"):
    """The table of the cases of an objective."""
    return table_of_cases(tuple(cases(objective, family)))


def answers(objective, p, r, w=lambda a, s: 1.0, f=1.0):
    """The values of w |f output - p x - r noise|^2, and the table of their cases."""
    table, made = table_of(objective), []
    for c in table.cases:
        a = c.arrays.get("alpha", c.hyper.get("alpha", 1.0)) * np.ones(c.n)
        s = c.sigma * np.ones(c.n)
        residual = f * output(Quantities(c)) - column(p(a, s)) * c.x - column(r(a, s)) * c.noise
        made.append((w(a, s) * (residual**2).sum(axis=1)).mean())
    return table, np.array(made)[table.index]


def found(*asked, **settings):
    table, Y = answers(*asked, **settings)
    return quadratic_form(table, Y, FLOAT64)


def zero(a, s):
    return 0 * a


@pytest.mark.parametrize("objective", ["dsm_levels", "dsm_scaled", "noise", "velocity", "flow"])
def test_the_right_loss_has_the_right_target_and_no_weight(objective):
    own = objective if objective in TARGETS else "score"

    def part(k):
        return lambda a, s: target_in_noise(own, a, s, 0.5)[k] + 0 * a

    form = found(objective, part(0), part(1))
    assert form.right
    assert str(form.factor) == ("1" if own == objective else "2")
    assert form.weight == ""


def test_the_target_of_the_edm_network_is_found():
    table = table_of("edm")
    form = quadratic_form(table, 7 * table.reference, FLOAT64)
    assert form.right
    assert form.words == "a common factor 7"


@pytest.mark.parametrize("p, r, words", [
    (lambda a, s: -s, lambda a, s: a, "compared with the target of a predicted velocity"),
    (lambda a, s: s, lambda a, s: -a, "compared with minus the target of a predicted velocity"),
    (lambda a, s: 1 + 0 * a, zero, "compared with the target of a predicted clean point"),
    (zero, lambda a, s: -1 + 0 * a, "the sign of the target"),
    (lambda a, s: -a, lambda a, s: s,
     "compared with the target of a predicted velocity, with alpha and sigma exchanged"),
    (zero, lambda a, s: s, "the target is multiplied by sigma"),
    (zero, lambda a, s: s**2 / (s**2 + 1e-3),
     "the target is multiplied by sigma^2 / (sigma^2 + 0.001)")])
def test_a_wrong_target_of_the_noise_is_named_whatever_the_weight(p, r, words):
    form = found("noise", p, r, w=lambda a, s: np.exp(-s))
    assert not form.right
    assert form.target == words
    assert form.weight.startswith("weight w(0.0625) = 0.939413, w(0.609375) = ")
    assert form.convention == ""


@pytest.mark.parametrize("objective, w, more, said", [
    ("noise", 1.0, lambda c: 0.0, ""), ("dsm_levels", 0.5, lambda c: 0.0, ""),
    ("noise", 1.0, lambda c: 1e-3 * (c.x**2).sum(), CONSTANT),
    ("noise", 3.0, lambda c: 1.0, CONSTANT),
    ("dsm_levels", 0.5, lambda c: -(c.noise**2).sum(axis=1).mean() / 2, CONSTANT)])
def test_a_target_is_named_up_to_a_constant_where_that_is_another(objective, w, more, said):
    table, Y = answers(objective, zero, lambda a, s: 0.25 + s, lambda a, s: w + 0 * a)
    form = quadratic_form(table, Y + np.array([more(c) for c in table.cases])[table.index], FLOAT64)
    assert form.constant == said
    assert form.target != ""
    assert form.words.endswith(said)


@pytest.mark.parametrize("which", range(4))                          # a, b, e, the constant
@pytest.mark.parametrize("times, kept", [(0.999, True), (1.001, False)])
def test_a_constant_is_known_as_well_as_the_coefficients(which, times, kept):
    """Each entry of the squares may be off by four errors of the coefficient, to first order."""
    case, c = table_of("noise").groups[-1], np.array([2.0, 0.7, -1.1] * 3 + [0.0])
    chosen = (case.sigma == np.unique(case.sigma)[:, None])[..., None]

    def entries(c):
        a, b, e = (c[k:9:3][:, None, None] for k in range(3))
        return chosen * (b * case.x + e * case.noise)**2 / (4 * a) / case.n

    c[9], off = entries(c).sum(), np.zeros(10)
    off[which:9:3] = 1e-6
    bound = 4 * np.abs(entries(c + off) - entries(c - off)).sum() / 2
    if which == 3:
        off, bound = 0 * c, 1e-6
        off[9] = 1e-6
    one = SimpleNamespace(groups=[case])
    fit = SimpleNamespace(coefficients=[c + times * bound * (np.arange(10) == 9)],
                          coefficient_error=[off])
    assert _has_its_constant(one, fit, candidates()[0], np.ones(3, bool)) == kept
    fit.coefficients[0][9] -= 2 * times * bound
    assert _has_its_constant(one, fit, candidates()[0], np.ones(3, bool)) == kept


def test_no_constant_is_read_where_a_level_is_left_out_or_hidden():
    table, Y = answers("noise", zero, lambda a, s: 0.25 + s, lambda a, s: 1.0 * (s > 0.1))
    form = quadratic_form(table, Y, FLOAT64)
    assert (bool(form.left_out), form.constant) == (True, "")
    assert quadratic_form(table, Y + 1, FLOAT64).constant == CONSTANT


def test_a_combination_without_a_name_is_listed_by_level():
    form = found("noise", lambda a, s: 0.5 + 0 * a, lambda a, s: 2 + s)
    assert "others in the other groups" not in form.target
    form = found("noise", lambda a, s: 0.5 + 0 * a, lambda a, s: 0.7 + s)
    assert form.target.startswith("compared with another combination of clean point and noise: "
                                  "0.5 x + 0.7625 noise at alpha = 0.9844, sigma = 0.0625, ")
    assert (form.numbers, replace(form, listed="level").numbers) == (1, 2)
    assert "others in the other groups" not in form.target


@pytest.mark.parametrize("target", [lambda c, a, s: (s * c.x - c.x_noisy) / a**2,
                                    lambda c, a, s: -c.noise / a])
@pytest.mark.parametrize("sign, minus", [(1, ""), (-1, "minus ")])
def test_alpha_and_sigma_are_exchanged_in_a_target_with_noisy_points_as_they_are(target, sign,
                                                                                 minus):
    table, made = table_of("dsm_levels"), []
    for c in table.cases:
        against = target(c, column(c.alpha), column(c.sigma))
        made.append(((c.score(c.x_noisy) - sign * against)**2).sum(axis=1).mean() / 2)
    form = quadratic_form(table, np.array(made)[table.index], FLOAT64)
    assert form.words == (f"compared with {minus}the target of a predicted score, with alpha and "
                          "sigma exchanged")


def test_a_combination_that_differs_between_groups_is_that_of_the_first():
    table = table_of("dsm_levels")
    made = [((c.score(c.x_noisy) - 3 * c.d * c.x)**2).sum(axis=1).mean() for c in table.cases]
    form = quadratic_form(table, np.array(made)[table.index], FLOAT64)
    assert form.target.startswith("compared with another combination of clean point and noise: 9 x "
                                  "at alpha = 0.9844, sigma = 0.0625, 9 x at alpha = 0.7969, ")
    assert form.target.endswith(", and others in the other groups of cases")


@pytest.mark.parametrize("u, v", [(1.0, 0.0), (0.3, 0.0), (1.0, 0.7), (0.7, 0.3)])
def test_the_minimiser_elsewhere_is_the_mean_of_the_target_given_that_point(u, v):
    """Points N(5, 3^2), alpha = 0.3, sigma = 0.7: least squares over affine scores, by quadrature;
    the mean of a Gaussian given another is its regression, by their covariance."""
    nodes, w = np.polynomial.hermite_e.hermegauss(5)
    x, eps = (a.ravel() for a in np.meshgrid(5 + 3 * nodes, nodes))
    root = np.sqrt(np.outer(w, w).ravel())
    point, target = u * x + v * eps, -eps / 0.7
    basis = np.array([np.ones(point.size), point]).T
    learned = np.linalg.lstsq(root[:, None] * basis, root * target, rcond=None)[0]
    slope = -v / 0.7 / (9 * u**2 + v**2)
    assert learned == pytest.approx([-slope * 5 * u, slope], abs=1e-12)


def test_no_other_point_is_asked_of_given_arrays():
    table = table_of("noise", "array")
    assert quadratic_form(table, np.sqrt(table.reference), FLOAT64) is None


def test_the_level_next_to_the_own_one_is_named():
    table = table_of("dsm_levels")
    made = []
    for c in table.cases:
        levels = sorted(set(c.sigma))
        after = {s: levels[(levels.index(s) + 1) % 3] for s in levels}
        # levels are listed by alpha, which falls as sigma grows: the next alpha is the smaller s
        before = {after[s]: s for s in levels}
        r = -1 / np.array([before[s] for s in c.sigma])
        made.append(((c.score(c.x_noisy) - column(r) * c.noise)**2).sum(axis=1).mean())
    form = quadratic_form(table, np.array(made)[table.index], FLOAT64)
    assert form.target == ("compared with the target of a predicted score, at the next level of "
                           "noise")


@pytest.mark.parametrize("w, weight, factor", [
    (lambda a, s: 3 * s**2, "each level is weighted by sigma^2", "3"),
    (lambda a, s: np.minimum(a**2 / s**2, 5), "each level is weighted by min(snr, 5): min-SNR with "
                                              "gamma = 5", "1"),
    (lambda a, s: 4 * s**2 + 1, "each level is weighted by (sigma^2 + data_sd^2) / data_sd^2: "
                                "EDM's weight on the noise", "1"),
    (lambda a, s: 1 + 0 * a, "", "1")])
def test_a_weight_is_named_with_its_common_factor(w, weight, factor):
    form = found("noise", zero, lambda a, s: 1 + 0 * a, w=w)
    assert form.right
    assert (form.weight, str(form.factor)) == (weight, factor)


def weighted(objective, w):
    """The quadratic form of the reference, each case times w."""
    table = table_of(objective)
    of_group = np.array([[w(case)] for case in table.groups])
    return quadratic_form(table, of_group * table.reference, FLOAT64), table.groups


@pytest.mark.parametrize("times, factor", [(lambda c: 1 / c.d, "1 / d"), (lambda c: c.n, "n")])
def test_a_mean_or_a_sum_is_taken_out_of_a_weight_without_a_name(times, factor):
    table, made = table_of("noise"), []
    for c in table.cases:
        squares = ((c.prediction(c.x_noisy) - c.noise)**2).sum(axis=1)
        made.append(times(c) * (np.exp(-c.sigma) * squares).mean())
    form = quadratic_form(table, np.array(made)[table.index], FLOAT64)
    assert form.weight == "weight w(0.0625) = 0.939413, w(0.609375) = 0.543691, w(1.29688) = " \
                          "0.273385"
    assert str(form.factor) == factor


@pytest.mark.slow
def test_a_weight_of_each_group_is_listed_where_groups_have_levels():
    def w(case):
        return 3 + np.sin(7 * case.d * case.n + int(case.group[1]))

    form, groups = weighted("velocity", w)
    assert form.weight == "weight " + ", ".join(f"w({g.group}) = {w(g):.6g}" for g in groups)
    assert form.factor == ONE
    assert weighted("dsm_scaled", w)[0] is None


def test_a_level_that_is_left_out_is_named():
    form = found("noise", zero, lambda a, s: 1 + 0 * a, w=lambda a, s: 1.0 * (s < 1))
    assert form.words == "the points at alpha = 0.3125, sigma = 1.297 are left out"
    assert form.effects == ("nothing is trained at the levels that are left out",)
    assert not form.right


@pytest.mark.slow
def test_a_negative_weight_and_what_is_no_square_are_left_to_others():
    assert found("noise", zero, lambda a, s: 1 + 0 * a, w=lambda a, s: 1 - s) is None
    table, Y = answers("noise", zero, lambda a, s: 1 + 0 * a)
    assert quadratic_form(table, np.sqrt(Y), FLOAT64) is None
    ism = table_of("ism")
    assert quadratic_form(ism, ism.reference, FLOAT64) is None


@pytest.mark.slow
def test_a_weight_of_its_own_can_be_declared():
    def loss(c):
        r = c.prediction(c.x_noisy) - c.noise
        return (np.exp(-c.sigma) * (r * r).sum(axis=1)).mean()

    report = verify(loss, "dsm", predicts="noise")
    assert report.verdict == "CONVENTION"
    assert report.convention == "weight w(0.0625) = 0.939413, w(0.609375) = 0.543691, " \
                                "w(1.29688) = 0.273385"
    declared = verify(loss, "dsm", predicts="noise", convention=report.convention)
    assert declared.exit_status == 0


def test_a_formula_of_the_level_is_named_beside_a_weight():
    form = found("flow", lambda a, s: (a - 1) / s, lambda a, s: 1 + 0 * a, w=lambda a, s: s**2 / 2)
    assert form.words == ("compared with x_noisy / sigma - x / sigma; each level is weighted by "
                          "sigma^2; a common factor 1 / 2")
    assert form.convention == ""
    assert not form.right
    assert form.effects == ("what is learned at each level is the mean of the target given the "
                            "noisy point, and this is another target",)


def test_no_weights_are_listed_beside_a_wrong_target_where_groups_have_their_own():
    table = Table(cases("edm", "prime"))
    made = []
    for c in table.cases:
        c_out = column(c.sigma * c.data_sd / np.sqrt(c.sigma**2 + c.data_sd**2))
        D = c_out * c.prediction(c.x_noisy) - c.x
        made.append((np.exp(-c.data_sd * c.sigma) * (D * D).sum(axis=1)).mean())
    form = quadratic_form(table, np.array(made)[table.index], FLOAT64)
    assert form.words == "c_skip is 0; each level of each group of cases has a weight of its own"


@pytest.mark.slow
def test_constants_of_single_precision_are_no_other_target_and_no_other_weight():
    table = table_of("velocity", "vp")
    made = [(np.float32(c.alpha) / np.float32(3) * (
        (c.prediction(c.x_noisy) - column(np.float32(c.sigma)) * c.x
         - column(c.alpha) * c.noise)**2).sum(axis=1)).mean() for c in table.cases]
    found = diagnose(table.cases, made)
    assert found.form.words == (
        "compared with sigma x + alpha noise; each level is weighted by alpha; a common factor "
        "1 / 3")
    assert found.tolerance is MIXED


def in_single(Y):
    return Y.astype(np.float32).astype(float)


def test_answers_in_single_precision_are_named_as_those_in_double():
    table, Y = answers("noise", lambda a, s: -s, zero, w=lambda a, s: s)
    assert quadratic_form(table, in_single(Y), FLOAT32).words == (
        quadratic_form(table, Y, FLOAT64).words)


def test_a_level_whose_terms_rounding_hides_is_not_read():
    table, made = table_of("edm"), []
    for c in table.cases:
        s, total = column(c.sigma), column(c.sigma)**2 + c.data_sd**2
        D = c.x_noisy / 4 + s * c.data_sd / np.sqrt(total) * c.prediction(c.x_noisy)
        made.append(((D - c.x)**2 * total / c.data_sd**2).sum() / c.n)
    Y = np.array(made)[table.index]
    assert quadratic_form(table, Y, FLOAT64).target == (
        "c_skip is 0.25 at sigma = 0.0625, 0.25 at sigma = 0.6094, 0.25 at sigma = 1.297 with "
        "data_sd = 0.5")
    form = quadratic_form(table, in_single(Y), FLOAT32)
    assert form.words == ("c_skip is 0.25 at sigma = 0.6094, 0.25 at sigma = 1.297 with data_sd = "
                          "0.5; each level is weighted by sigma^2")
    assert form.hidden == "sigma = 0.0625"


def test_a_weight_alone_is_not_read_where_a_level_is_hidden():
    table, made = table_of("edm"), []
    for c in table.cases:
        made.append((c.sigma**4 * (1 + np.exp(-c.sigma)) * residual_of_edm(c)).mean())
    Y = np.array(made)[table.index]
    assert quadratic_form(table, Y, FLOAT64).right
    assert quadratic_form(table, in_single(Y), FLOAT32) is None


def residual_of_edm(c):
    s, t = column(c.sigma), c.data_sd
    target = (c.x - t**2 / (s**2 + t**2) * c.x_noisy) * np.sqrt(s**2 + t**2) / (s * t)
    return ((c.prediction(c.x_noisy) - target)**2).sum(axis=1)


@pytest.mark.slow
def test_random_answers_are_no_quadratic_form():
    table, Y = answers("velocity", zero, zero)
    for seed in range(2):
        random = np.random.default_rng(seed).standard_normal(Y.shape)
        assert quadratic_form(table, random, FLOAT64) is None


@pytest.mark.parametrize("objective", ["noise", "clean", "velocity", "flow", "edm", "dsm_levels"])
@pytest.mark.parametrize("family", ["prime", "array"])
def test_the_reference_is_found_for_every_kind_and_family(objective, family):
    table = table_of(objective, family)
    form = quadratic_form(table, 3 * table.reference, FLOAT64)
    assert form.right
    assert form.words == "a common factor 3"


def test_a_multiple_of_a_target_of_two_parts_is_named():
    form = found("velocity", lambda a, s: -3 * s * s, lambda a, s: 3 * s * a)
    assert form.target == "the target is multiplied by 3 sigma"


@pytest.mark.parametrize("step, which", [(1, "next"), (-1, "previous")])
def test_the_target_of_another_level_is_named(step, which):
    levels = np.array([(80, 332), (204, 156), (252, 16)]) / 256         # alpha and sigma, in order
    alpha, sigma = np.roll(levels, -step, axis=0).T
    form = found("velocity", lambda a, s: -sigma[np.searchsorted(levels[:, 0], a)],
                 lambda a, s: alpha[np.searchsorted(levels[:, 0], a)])
    assert form.target == ("compared with the target of a predicted velocity, "
                           f"at the {which} level of noise")


def test_a_weight_that_is_the_same_at_all_levels_of_a_group_is_said_to_be():
    table = table_of("dsm_levels")
    of_group = np.arange(3.0, 3.0 + len(table.groups))
    form = quadratic_form(table, table.reference * of_group[:, None]**1.3, FLOAT64)
    assert form.words.startswith("weight w(c0) = 4.17117, w(c1) = 6.06287, ")
    assert form.convention == form.words
    assert form.effects[-1].endswith("losses (n,) that are multiplied by weights (n, 1)")


def test_a_weight_of_no_name_is_listed_for_each_level_of_each_group():
    table, values = table_of("dsm_levels"), []
    w = [2 + np.sin(7 * case.sigma + k) for k, case in enumerate(table.groups)]
    for case in table.cases:
        (k,) = [k for k, first in enumerate(table.groups) if first.group == case.group]
        residual = case.score(case.x_noisy) + case.noise / column(case.sigma)
        values.append((w[k] * (residual**2).sum(axis=1)).mean() / 2)
    form = quadratic_form(table, np.array(values)[table.index], FLOAT64)
    assert f"w(c4/{table.groups[4].sigma[0]:g}) = {w[4][0]:.6g}" in form.weight
    assert form.convention == form.weight == normal(form.weight)


EPS = 1e-5                                         # the error of a coefficient, relative to it


@pytest.fixture
def one_weight(monkeypatch):
    """Of the weights that have a name, only sigma^2 is tried."""
    few = [known for known in weight_names.WEIGHTS if known[1] == "sigma^2"]
    monkeypatch.setattr(weight_names, "WEIGHTS", few)
    monkeypatch.setattr(weight_names, "NAMED", ())


def by_hand(objective, r, change, point=candidates()[0]):
    """The reading of the coefficients of 7 |output - r noise|^2, with their errors, by group and
    level (C, l) each, after a change of them."""
    table, own = table_of(objective), objective
    half, own = (1.0, own) if own in TARGETS else (0.5, "score")
    B = np.array([[B for _, B in level_maps(case, own).values()] for case in table.groups])
    a = half * 7 * B**2                                                       # (C, l)  (3)
    e = -2 * a * r(levels_of_groups(table.groups)[1]) / B                            # (C, l)  (4)
    c, error = np.stack([a, 0 * a, e], axis=-1), np.zeros((*a.shape, 3))
    change(c, error)
    c, error = (np.hstack([part.reshape(len(part), -1), np.zeros((len(part), 1))])
                for part in (c, error))
    return _form(table, Fit(None, c, error, 0.0, 0.0), point)


@pytest.mark.parametrize("which, of, moved, by", [
    ("e", 2, 2, 2), ("b", 0, 1, 1), ("a", 2, 0, 2)])
@pytest.mark.parametrize("times, right", [(3.5, True), (4.5, False)])
def test_a_target_may_be_off_by_four_errors_of_its_coefficients(which, of, moved, by, times, right,
                                                                one_weight):
    """Of b, e or a: an error of b moves the target as one of e does, and an error of a moves it by
    the share of a that it is."""
    def change(c, error):
        unit = EPS * np.abs(c[..., of])
        error[..., moved] = EPS * c[..., 0] if which == "a" else unit
        c[0, 0, by] += times * unit[0, 0]

    assert (by_hand("noise", np.ones_like, change).target == "") == right


@pytest.mark.parametrize("times, right", [(7, True), (9, False)])
def test_the_factor_of_a_target_is_known_as_well_as_the_target(times, right, one_weight):
    def change(c, error):
        error[..., 1], error[..., 2] = 1e-12, EPS * np.abs(c[..., 2])
        c[0, 0, 2] *= 1 + times * EPS

    form = by_hand("dsm_levels", lambda sigma: -2 / sigma, change)
    assert form.target.startswith("the target is multiplied by 2") == right
    assert ("but for less than 0.001 of it" in form.target) != right


@pytest.mark.parametrize("times, right", [(1.9, True), (2.1, False)])
def test_a_weight_is_known_as_well_as_the_coefficient_of_the_norm(times, right, one_weight):
    def change(c, error):
        error[..., 0] = EPS * c[..., 0]
        c[0] *= 1 + times * EPS

    form = by_hand("noise", np.ones_like, change)
    assert form.target == ""
    assert (form.weight == "") == right


@pytest.mark.parametrize("error, right", [(0.02, True), (0.021, False)])
def test_a_weight_is_read_where_it_is_known_to_two_hundredths(error, right, one_weight):
    def change(c, of):
        of[..., 0] = error * c[..., 0]

    assert (by_hand("noise", np.ones_like, change) is not None) == right


def test_the_target_of_the_point_where_a_score_is_read_is_named():
    (point,) = [of for of in candidates() if of.words == "x + sigma noise, without alpha"]
    alpha, sigma, _ = levels_of_groups(table_of("dsm_levels").groups)

    def change(c, error):                          # alpha x - point is (alpha - 1) x - sigma noise
        c[..., 1] = -2 * c[..., 0] * (alpha - 1) / sigma**2
        error[...] = 1e-12 * np.abs(c)

    form = by_hand("dsm_levels", lambda sigma: -1 / sigma, change, point)
    assert form.point == "the score is read at x + sigma noise, without alpha"
    assert form.target == "and compared with the target of that point"


@pytest.mark.parametrize("hidden, right", [(1, True), (2, False)])
def test_a_target_at_one_level_alone_is_not_read(hidden, right, one_weight):
    def change(c, error):
        error[:, :hidden, 0] = 0.3 * c[:, :hidden, 0]

    assert (by_hand("noise", lambda sigma: 2 + 0 * sigma, change) is not None) == right


@pytest.mark.parametrize("share, left_out", [(0.0, True), (1.0, True), (1.1, False)])
def test_a_level_is_left_out_that_weighs_a_millionth_of_another_at_most(share, left_out,
                                                                        one_weight):
    def change(c, error):
        c[:, 1] = 0
        error[:, 1, 0] = share * 1e-6 * c[..., 0].max()

    form = by_hand("noise", np.ones_like, change)
    assert (form is not None) == left_out
    assert not left_out or form.left_out == (
        "the points at alpha = 0.7969, sigma = 0.6094 are left out")


def test_a_weight_that_is_0_in_one_group_is_not_positive():
    def change(c, error):
        c[0, 0] = 0

    assert by_hand("noise", np.ones_like, change) is None


def test_the_errors_of_single_precision_are_those_that_the_misfit_shows():
    found = Fit(None, np.array([[3.0, -5.0]]), np.array([[7e-7, 3e-7]]), 0.7, 0.0)
    assert as_rounded(found, FLOAT64) is found
    for misfit, times in ((1e-3, 0.02), (0.03, 0.3), (0.7, 1.0)):
        error = as_rounded(replace(found, misfit=misfit), FLOAT32).coefficient_error
        assert error == pytest.approx(times * found.coefficient_error
                                      + 2.0**-22 * np.array([[3, 5]]), rel=1e-9)


@pytest.mark.parametrize("times, right", [(0.99, True), (1.01, False)])
def test_a_weight_of_the_denoiser_is_known_as_well_as_its_constants(times, right):
    """c_out is 1: 7 |output - target|^2 has the weight 7 c_out^2, which is off as the coefficient
    of the norm is, and by twice c_out, 1 / (p - r / sigma), where p and r are four times as far
    off as their parts without A: p - A and r - sigma A."""
    table = table_of("edm")
    maps = [level_maps(case, "edm").values() for case in table.groups]
    A, B = np.moveaxis(np.array([list(of) for of in maps]), -1, 0)
    _, sigma, t = levels_of_groups(table.groups)
    skip = t**2 / (sigma**2 + t**2)
    p, r = 1 - skip, -skip * sigma
    off = EPS * (1 + 8 * (np.abs(A - p) + np.abs(A - r / sigma)))

    def change(c, error):
        c[0, 0, 0] *= 1 + times * (off[0, 0] + off[0, 1:].min())
        c[..., 1], c[..., 2] = 2 * c[..., 0] / B * (A - p, sigma * A - r)
        error[..., 0] = EPS * c[..., 0]

    form = by_hand("edm", np.ones_like, change)
    assert form.target == "c_out is 1"
    assert form.weight.startswith("each level is weighted by c_out^2") == right


@pytest.mark.parametrize("times, right", [(1.9, True), (2.1, False)])
def test_what_levels_or_groups_have_in_common_is_equal_within_the_errors(times, right, one_weight):
    table = table_of("noise")
    levels, n = levels_of_groups(table.groups), column([case.n for case in table.groups])
    w = n * np.exp(-levels[1])
    w[0, 0] *= 1 + times * EPS
    words, _, factor, _ = weight_names.weight_of_levels(w, EPS * w, levels, table.groups)
    assert (str(factor) == "n") == right
    assert words.startswith("weight w(0.0625) = ") == right
    w = column(3 + np.sin(np.arange(len(n)))) * levels[1]**2
    w[0, 0] *= 1 + times * EPS
    words, declared, factor, _ = weight_names.weight_of_levels(w, EPS * w, levels, table.groups)
    assert words.startswith("each level is weighted by sigma^2; weight w(c0) = ") == right
    assert factor == ONE


@pytest.mark.slow
@pytest.mark.parametrize("step, wraps, said", [
    (1, False, "at the next level of noise (the last keeps its own)"),
    (-1, False, "at the previous level of noise (the first keeps its own)"),
    (1, True, "with the sigma of the next level of noise")])
def test_an_index_of_levels_that_is_off_by_one_is_named(step, wraps, said):
    def loss(c):
        own = np.unique(c.sigma)[::-1]                             # alpha is ascending
        k = np.searchsorted(-own, -c.sigma) + step
        other = column(own[k % 3 if wraps else np.clip(k, 0, 2)])
        g = (column(c.alpha) * c.x - c.x_noisy) / other**2 if wraps else -c.noise / other
        return ((c.score(c.x_noisy) - g)**2).sum(axis=1).mean() / 2

    assert verify(loss, "dsm_levels").name == (
        f"compared with the target of a predicted score, {said}")
