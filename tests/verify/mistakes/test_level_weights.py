"""The words of a named weight are its formula: they are read and evaluated."""
import math

import numpy as np
import pytest

from refsm.verify.mistakes.level_weights import OWN_WEIGHTS, WEIGHTS, distinct

LEVELS = [(0.9, 0.05, 0.5), (0.8, 0.37, 0.6), (0.7, 0.61, 0.5), (0.3, 1.7, 1.3)]


def in_words(words, alpha, sigma, data_sd):
    """The number that the formula of the words is at one level."""
    text = words.partition(":")[0].rpartition(" = ")[2].replace("^", "**")
    text = text.replace("sigma data_sd", "sigma * data_sd").replace("sigma**2 (", "sigma**2 * (")
    names = {"alpha": alpha, "sigma": sigma, "data_sd": data_sd, "snr": (alpha / sigma)**2,
             "min": min, "max": max, "sqrt": math.sqrt, "exp": math.exp}
    return eval(text, {"__builtins__": {}}, names)


@pytest.mark.parametrize("name, words, weight", WEIGHTS, ids=[row[0] for row in WEIGHTS])
def test_a_weight_is_what_its_words_say(name, words, weight):
    for alpha, sigma, data_sd in LEVELS:
        found = weight(np.float64(alpha), np.float64(sigma), data_sd)
        assert found == pytest.approx(in_words(words, alpha, sigma, data_sd), rel=1e-13)
        assert found > 0


def test_what_stands_in_the_place_of_weights_is_what_its_words_say():
    w, s = np.array([2.25, 4.0, 6.25]), np.array([0.5, 0.25, 1.25])
    assert {name: f(w, s).tolist() for name, _, f in OWN_WEIGHTS} == {
        "none": [1, 1, 1], "root": [1.5, 2, 2.5], "square": [5.0625, 16, 39.0625],
        "inverse": [1 / 2.25, 0.25, 0.16], "reversed": [6.25, 4, 2.25], "next": [4, 6.25, 2.25],
        "before": [6.25, 2.25, 4], "first": [2.25, 2.25, 2.25], "variance": [0.25, 0.0625, 1.5625],
        "sigma": [0.5, 0.25, 1.25], "inverse-variance": [4, 16, 0.64],
        "inverse-sigma": [2, 4, 0.8]}


def test_weights_that_are_one_function_are_one():
    for kind in ("", "noise", "clean", "velocity", "flow", "edm"):
        names = [row[0] for row in distinct(kind)]
        assert len(set(names)) == len(names)
        assert "variance" in names
        assert ("alpha" in names) == (kind != "edm")             # EDM has alpha = 1
        assert ("min-snr-noise-5" in names) == (kind != "clean")
    alpha, sigma, data_sd = np.array(LEVELS).T
    values = np.array([row[2](alpha, sigma, data_sd) for row in distinct("")])
    assert len(np.unique(np.round(values, 9), axis=0)) == len(values)


def test_the_numbers_in_the_names_are_those_of_the_papers():
    numbers = {}
    for name, *_ in WEIGHTS:
        kind, _, number = name.rpartition("-")
        if number.isdigit():
            numbers.setdefault(kind, []).append(int(number))
    assert numbers == {"min-snr": [1, 5, 20], "min-snr-noise": [1, 5, 20],
                       "min-snr-velocity": [1, 5, 20], "soft-min-snr": [1, 4, 5], "p2": [1],
                       "sigmoid": [2]}
