"""Laws are found, printed and read back, and random coefficients follow none."""
import itertools

import numpy as np
import pytest

from refsm.verify.cases.families import GROUPS
from refsm.verify.diagnosis.scaling import (ONE, ZERO, Scaling, parse_scaling, rounded,
                                            scaling_in_words)
from refsm.verify.diagnosis.scaling_fit import _plain, _saturations, fit_scaling

SIZES = [{"sigma": c.sigma, "d": c.d, "n": c.n, "M": c.M} for c in GROUPS]


@pytest.mark.parametrize("noise", [1e-12, pytest.param(1e-5, marks=pytest.mark.slow)])
def test_all_945_conventions_are_told_apart(noise):
    rng = np.random.default_rng(1)
    for prefactor, a, b, c, e in itertools.product((0.5, 1, 2), (-4, -2, 0, 1, 2), (-1, 0, 1),
                                               (-1, 0, 1), (-1, 0, 1)):
        scaling = Scaling(
            prefactor,
            tuple(
                (name, float(p)) for name, p in (("sigma", a), ("d", b), ("n", c), ("M", e)) if p))
        values = np.array([scaling(group) for group in SIZES])
        assert fit_scaling(values * (1 + noise * rng.uniform(-1, 1, 6)), 2 * noise * values,
                           SIZES) == scaling
        assert parse_scaling(str(scaling)) == scaling


@pytest.mark.parametrize("text", [
    "n / (n - 1)", "2 sigma^2 (1 + sigma^2 / 0.25) / d", "1 / (1 + sigma^2)", "-(d - 1)",
    "(1 + sigma^2 / 2)",
    "(M - 1) / M", "sqrt(sigma)", "3 / 7", "0.123457 d"
])
def test_stranger_laws_are_found_too(text):
    scaling = parse_scaling(text)
    values = np.array([scaling(group) for group in SIZES])
    assert str(fit_scaling(values, 1e-12 * np.abs(values), SIZES)) == text


@pytest.mark.slow
def test_random_coefficients_follow_no_law():
    rng = np.random.default_rng(2)
    assert not any(
        fit_scaling(np.exp(rng.standard_normal(6)), np.full(6, 1e-4), SIZES) for _ in range(80))


def test_zero_sign_changes_and_what_is_not_known_well_enough():
    assert fit_scaling(np.full(6, 1e-9), np.full(6, 1e-8), SIZES) is ZERO
    assert fit_scaling(np.array([1, 1, 1, -1, 1, 1.0]), np.full(6, 1e-9), SIZES) is None
    assert fit_scaling(np.array([1, 1, 1, 1e-9, 1, 1.0]), np.full(6, 1e-9), SIZES) is None
    assert fit_scaling(np.array([1, np.nan, 1, 1, 1, 1.0]), np.full(6, 1e-9), SIZES) is None
    assert fit_scaling(np.ones(6), np.array([np.inf, 1, 1, 1, 1, 1.0]), SIZES) is None
    assert fit_scaling(np.full(6, -1.0), np.full(6, 1e-9), SIZES) == Scaling(-1.0)
    assert fit_scaling(np.ones(1), np.full(1, 1e-9), SIZES[:1]) == ONE    # one cell: a number alone
    assert fit_scaling(np.ones(2), np.full(2, 1e-9),
                       SIZES[:2]) is None    # too few cells for the sizes that vary


def test_a_fraction_is_one_to_the_rounding_of_its_size():
    assert str(Scaling(1e6 / 3)) == "1000000 / 3"
    assert str(Scaling(1e6 / 3 * (1 + 7e-13))) == "1000000 / 3"
    assert str(Scaling(1 / 3 + 1e-9)) != "1 / 3"


@pytest.mark.parametrize("number, error, plain", [
    (1.26, 0.3, 1.0), (0.26, 0.02, 0.25), (0.33334, 1e-4, 1 / 3), (0.5007, 4e-4, 0.501),
    (5 / 63, 1e-9, 5 / 63), (0.123456789, 1e-12, 0.123456789), (0.00134, 4e-4, 0.001),
    (0.12345678, 4e-8, 0.12345678), (1e6 / 3 * (1 + 7e-14), 0.0, 1e6 / 3)])
def test_the_plainest_number_within_the_error_is_taken(number, error, plain):
    assert rounded(number, error) == plain


def test_the_middle_of_what_the_errors_allow_is_rounded_within_half_of_it():
    assert fit_scaling(np.full(6, 0.5007), np.full(6, 4e-4), SIZES).prefactor == 0.501


def test_a_coefficient_that_is_hardly_known_follows_no_scaling():
    c = np.full(len(SIZES), 2.0)
    assert fit_scaling(c, np.full(len(SIZES), 0.19), SIZES) == Scaling(2.0)
    assert fit_scaling(c, np.append(np.full(len(SIZES) - 1, 0.1), 0.3), SIZES) is None
    assert fit_scaling(c, np.full(len(SIZES), 2.1), SIZES) == ZERO


@pytest.mark.parametrize("text, accepted", [
    ("(n - 1)", True), ("2 (n - 1)", True), ("(n - 1) / 2", True), ("3 (n - 1)", False),
    ("1.5 (n - 1)", False), ("n / (n - 1)", True), ("n^2 / (n - 1)", False),
    ("sigma^4 (n - 1)", True), ("sigma^5 (n - 1)", False), ("sigma^2 d^2 (n - 1)", True),
    ("sigma^3 d^2 (n - 1)", False), ("sigma^0.5 (n - 1)", False), ("sigma^1.5 (n - 1)", False),
    ("(d - 1) / 2", False),                                        # 1 where d = 3
    ("3 sigma^7 (1 + sigma^2)", True), ("strength (1 + 2 strength)", True),
    ("strength^2 (1 + 2 strength)", False)])
def test_a_factor_that_is_no_power_is_accepted_where_the_rest_is_plain(text, accepted):
    sizes = [{**size, "strength": strength} for size in SIZES for strength in (0.3, 0.7)]
    assert _plain(parse_scaling(text), sizes) == accepted


def test_laws_multiply_and_invert():
    scaling = parse_scaling("2 sigma^2 / (3 d)")
    assert (scaling * scaling.inverse()) == ONE
    assert scaling.inverse()({"sigma": 2,
                              "d": 4}) == pytest.approx(1 / scaling({"sigma": 2, "d": 4}))
    edm = parse_scaling("2 (1 + sigma^2 / 0.25) / d")
    assert edm * edm.inverse() == ONE
    assert edm({"sigma": 0.5, "d": 2}) == pytest.approx(2.0)
    squared = parse_scaling("(n - 1)") * parse_scaling("(n - 1)")
    assert squared({"n": 7}) == 36
    assert squared * squared.inverse() == ONE
    both = edm * parse_scaling("n / (n - 1)")
    assert both({"sigma": 0.5, "d": 2, "n": 7}) == pytest.approx(2 * 7 / 6)
    assert str(both) == "2 n (1 + sigma^2 / 0.25) / (d (n - 1))"


def test_plain_laws_are_simpler_than_strange_ones():
    order = ["1", "2", "sigma^2", "2 sigma^2 / d", "3 / 7", "1.234567"]
    costs = [parse_scaling(text).complexity for text in order]
    assert costs == sorted(costs)
    expected = {"1": 0, "2": 1.05, "1 / 2": 1.05, "-2": 1.05, "4": 1.1, "1 / 4": 1.1, "3": 1.5,
                "1.234567": 3, "sigma^2": 1.2, "2 sigma^2 / d": 1.35, "sigma^0.5": 1.25,
                "sigma^4": 1.4, "sigma^6": 1.4, "(n - 1)": 2, "n / (n - 1)": 2.1}
    costs = {text: parse_scaling(text).complexity for text in expected}
    assert costs == pytest.approx(expected)
    assert ZERO.complexity == 1


@pytest.mark.parametrize("text", ["", "apples", "2 + 3", "d^", "sigma & d", "n - 1", "2 ** sigma",
                                  "2 / 3 d", "1 / (n - 1) (d - 1)", "(2 d", "d)", "1 / 0", "1e999",
                                  "nan", "-", "2 /", "d^(", "()", "(q + 1)", "sqrt(-4)", "sqrt 4",
                                  "(d", "(1 + sigma^2 / q)"])
def test_what_is_no_law_is_refused(text):
    with pytest.raises(ValueError, match="a factor must be a product"):
        parse_scaling(text)


@pytest.mark.parametrize("text, scaling", [("-sigma^2", "-sigma^2"),
                                           ("2*sigma**2/d", "2 sigma^2 / d"), ("-1", "-1"),
                                           ("0", "0"), ("1 / (2 d)", "1 / (2 d)"),
                                           ("sigma^-2", "1 / sigma^2"), ("2 / d * d", "2"),
                                           ("n/(n-1)", "n / (n - 1)"), ("2/3*d", "2 d / 3"),
                                           ("sigma^2/2/d", "sigma^2 / (2 d)"),
                                           ("1 / (2 d)^2", "1 / (4 d^2)"), ("d^0", "1"),
                                           ("sigma^2/(1+sigma^2/0.25)",
                                            "sigma^2 / (1 + sigma^2 / 0.25)"),
                                           ("37 sigma^2 / 10", "3.7 sigma^2"), ("9/10", "0.9"),
                                           ("2000", "2000"), ("1/64", "1 / 64"),
                                           ("1/65", "0.0153846"), ("3/4", "3 / 4"),
                                           ("3/2", "3 / 2"), ("5 / 3", "5 / 3"), ("1/10", "1 / 10"),
                                           ("0.3 d", "0.3 d"), ("n^0.5", "sqrt(n)"),
                                           ("2/(d^0.5 n)", "2 / (sqrt(d) n)"),
                                           ("1/sqrt(n-1)", "1 / sqrt(n - 1)"),
                                           ("sqrt(4 d)", "2 sqrt(d)"), ("sigma^1.5", "sigma^1.5"),
                                           ("sqrt(1 + sigma^2/0.25)",
                                            "sqrt(1 + sigma^2 / 0.25)")])
def test_a_law_is_printed_in_one_way(text, scaling):
    assert str(parse_scaling(text)) == scaling


@pytest.mark.parametrize("text, value", [("n / (n - 1)", 7 / 6), ("(d - 1)", 2), ("(d + 1)", 4),
                                         ("1 / (n + 1)", 1 / 8), ("(M - 1)", 10),
                                         ("(1 + sigma^2)", 1.25), ("(1 + sigma^2 / 0.04)", 7.25),
                                         ("3 strength sigma^-2", 2.4), ("-2", -2)])
def test_a_law_is_a_number_for_given_sizes(text, value):
    assert parse_scaling(text)({"n": 7, "d": 3, "M": 11, "sigma": 0.5,
                                "strength": 0.2}) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("scaling", [{3: 1, 5: 2}, {3: 25, 5: 2.7}, {3: 2, 5: 1}, {3: 0.7, 5: 1.9}])
def test_two_values_of_a_size_make_no_law(scaling):
    for size, names in (("d", (3, 5)), ("n", (7, 13))):
        by_size = dict(zip(names, scaling.values()))
        assert fit_scaling(np.array([by_size[group[size]] for group in SIZES], dtype=float),
                           np.full(6, 1e-11), SIZES) is None


@pytest.mark.parametrize("text, shown", [("1.000001", "1.000001"), ("1.0000000001", "1.0000000001"),
                                         ("2.000002", "2.000002"), ("3.14159265", "3.14159")])
def test_a_number_is_never_printed_as_a_plainer_one(text, shown):
    scaling = fit_scaling(np.full(6, float(text)), np.full(6, 1e-13), SIZES)
    assert str(scaling) == str(parse_scaling(str(scaling))) == shown
    assert scaling != ONE
    assert str(scaling.inverse()) != "1"


@pytest.mark.parametrize("added", [1e-3, 1e-5, 1e-6, 0.25, 0.49, 0.015129])
def test_a_variance_with_a_small_number_added_is_a_law(added):
    values = np.array([group["sigma"]**2 / (group["sigma"]**2 + added) for group in SIZES])
    scaling = fit_scaling(values, 1e-13 * values, SIZES)
    assert scaling.powers == (("sigma", 2.0), (f"1 + sigma^2 / {added:g}", -1.0))
    assert np.isclose(scaling.prefactor * added, 1)


def test_the_strength_that_joins_the_norm_is_a_law():
    sizes = [{"d": c.d, "n": c.n, "strength": c.strength} for c in GROUPS]
    scaling = fit_scaling(np.array([1 + 2 * group["strength"] for group in sizes]),
                          np.full(6, 1e-12), sizes)
    assert str(scaling) == str(parse_scaling("(1 + 2 strength)")) == "(1 + 2 strength)"


def test_a_number_that_saturates_is_found_beside_powers_of_sigma_up_to_the_fourth():
    sigma = np.array([group["sigma"] for group in SIZES])
    for a in range(-6, 7):
        found = _saturations(3 * sigma**float(a) * (1 + sigma**2 / 0.494), SIZES)
        assert (0.494 in found) == (abs(a) <= 4)


def test_a_number_that_saturates_has_three_digits():
    sigma = np.array([group["sigma"] for group in SIZES])
    for v, expected in ((0.49403, [0.494]), (0.49407, []), (0.494209, [0.703**2])):
        found = [w for w in _saturations(1 + sigma**2 / v, SIZES) if abs(w / v - 1) < 0.01]
        assert found == expected


@pytest.mark.parametrize("prefactor, sigma, power, words", [
    (1.0, 0.0, 2.0, "((sigma^2 + s^2) / s^2)^2 with s = 0.5"),
    (1.0, 0.0, -2.0, "(s^2 / (sigma^2 + s^2))^2 with s = 0.5"),
    (3.0, 0.0, -1.0, "3 times s^2 / (sigma^2 + s^2) with s = 0.5"),
    (4.0, 2.0, -1.0, "sigma^2 / (sigma^2 + 0.25)"),
    (16.0, 4.0, -2.0, "(sigma^2 / (sigma^2 + 0.25))^2"),
    (16.0, 3.0, -2.0, "16 sigma^3 times (s^2 / (sigma^2 + s^2))^2 with s = 0.5"),
    (16.00001, 4.0, -2.0, "(sigma^2 / (sigma^2 + 0.25))^2"),
    (0.5, -1.0, 0.5, "1 / (2 sigma) times ((sigma^2 + s^2) / s^2)^0.5 with s = 0.5"),
    (16.0001, 4.0, -2.0, "16.0001 sigma^4 times (s^2 / (sigma^2 + s^2))^2 with s = 0.5")])
def test_a_weight_that_saturates_is_said_with_its_power(prefactor, sigma, power, words):
    scaling = Scaling(prefactor, (*((("sigma", sigma),) if sigma else ()),
                                  ("1 + sigma^2 / 0.25", power)))
    assert scaling_in_words(scaling) == words
    assert scaling_in_words(parse_scaling("2 / d")) == "2 / d"
