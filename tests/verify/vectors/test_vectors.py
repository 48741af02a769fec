"""The golden vectors: what is committed is what the reference computes, and C++ can read it."""
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from refsm.verify import vectors
from refsm.verify.cases import cases, checksum, gradient, per_sample, value
from refsm.verify.objectives import OBJECTIVES

FOLDER = Path(vectors.__file__).parent


def array(written):
    return np.array(written["data"], dtype=float).reshape(written["shape"])


def numbers(node):
    """Every number in nested lists and dicts, in order; strings and keys are left out."""
    if isinstance(node, dict):
        return [number for key in node for number in numbers(node[key])]
    if isinstance(node, list):
        return [number for item in node for number in numbers(item)]
    return [node] if isinstance(node, float) else []


def without_numbers(text):
    return re.sub(r'("sha256": )"[0-9a-f]+"|-?\d+\.\d+(e-?\d+)?', r"\1#", text)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_committed_file_is_made_again(objective):
    committed = (FOLDER / f"{objective}.json").read_text()
    made = vectors.written(objective)
    # the last bit of exp, log and of a matrix product is the platform's; everything else is not
    assert without_numbers(committed) == without_numbers(made)
    assert not re.search(r"-0\.0\b", made)                            # the bytes of 0 are others
    assert np.allclose(numbers(json.loads(committed)), numbers(json.loads(made)), rtol=1e-14,
                       atol=1e-15)


def test_there_is_one_file_per_objective_and_no_other():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(OBJECTIVES)
    assert set(vectors.WHY) == set(OBJECTIVES)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_file_holds_the_cases_and_the_answers_of_the_reference(objective):
    for written, case in zip(vectors.read(objective)["cases"], cases(objective, "paper"),
                             strict=True):
        assert written["id"] == case.id
        assert written["hyper"] == case.hyper
        for name, a in case.theta.items():
            assert np.array_equal(array(written["theta"][name]), a)
        for name, a in case.arrays.items():
            assert np.array_equal(array(written["arrays"][name]), a)
        assert math.isclose(written["value"], value(case), rel_tol=1e-14)
        assert np.allclose(array(written["per_sample"]), per_sample(case), rtol=1e-14)
        for name, a in gradient(case).items():
            assert np.allclose(array(written["gradient"][name]), a, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_checksum_is_that_of_its_numbers(objective):
    text = json.dumps(vectors.read(objective))
    arrays = re.findall(r'\{"shape"[^}]*\}', text)
    assert len(arrays) > 8
    for one in map(json.loads, arrays):
        assert one["sha256"] == checksum(array(one))


def test_every_case_says_why_it_exists_and_the_page_names_every_objective():
    page = (FOLDER / "README.md").read_text()
    for objective in OBJECTIVES:
        assert f"`{objective}`" in page
        sentences = [case["why"] for case in vectors.read(objective)["cases"]]
        assert len(set(sentences)) == len(sentences)
        assert min(map(len, sentences)) > 10


def test_the_dsm_vector_by_hand():
    # psi = -x_noisy and g = -2 noise, so psi - g = -x - noise / 2 + 2 noise
    first = vectors.read("dsm")["cases"][0]
    x, noise = array(first["arrays"]["x"]), array(first["arrays"]["noise"])
    assert first["value"] == ((1.5 * noise - x)**2).sum() / 8


def test_the_velocity_vector_by_hand():
    # f = -(s / a) (x_noisy + (a^2 + s^2) psi) with psi = -x_noisy;  g = a noise - s x
    first = vectors.read("velocity_prediction")["cases"][0]
    x, noise, x_noisy = (array(first["arrays"][name]) for name in ("x", "noise", "x_noisy"))
    a, s = (array(first["arrays"][name])[:, None] for name in ("alpha", "sigma"))
    residual = -(s / a) * (1 - a**2 - s**2) * x_noisy - (a * noise - s * x)
    assert np.array_equal(array(first["per_sample"]), (residual**2).sum(axis=1))


def test_writing_makes_the_committed_files(tmp_path):
    paths = vectors.write(tmp_path)
    assert [path.name for path in paths] == [f"{name}.json" for name in OBJECTIVES]
    for path in paths:
        committed = (FOLDER / path.name).read_text()
        assert without_numbers(path.read_text()) == without_numbers(committed)


CPP = r"""
// Reads a golden vector without any library: the numbers of an array are those between brackets.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

std::vector<double> numbers(const std::string& text, const std::string& name, std::size_t from) {
    std::size_t at = text.find("\"" + name + "\": {", from);
    at = text.find("[", text.find("\"data\"", at));
    std::vector<double> out;
    const char* p = text.c_str() + at + 1;
    for (char* end; ; p = end + 1) {
        out.push_back(std::strtod(p, &end));
        if (*end == ']') return out;
    }
}

int main(int, char** arguments) {
    std::ifstream file(arguments[1]);
    std::stringstream all;
    all << file.rdbuf();
    const std::string text = all.str();
    std::size_t from = text.find("\"cases\"");
    for (int k = 0; k < 2; ++k) {
        from = text.find("\"id\"", from + 1);
        auto P = numbers(text, "precision", from), mean = numbers(text, "mean", from);
        auto x = numbers(text, "x", from), y = numbers(text, "x_noisy", from);
        auto term = numbers(text, "per_sample", from);
        double sigma = std::strtod(text.c_str() + text.find("\"sigma\": ", from) + 9, nullptr);
        double sum = 0;
        for (std::size_t n = 0; n < term.size(); ++n) {
            double own = 0;
            for (int i = 0; i < 2; ++i) {
                double psi = 0;
                for (int j = 0; j < 2; ++j) psi -= P[2 * i + j] * (y[2 * n + j] - mean[j]);
                double r = psi - (x[2 * n + i] - y[2 * n + i]) / (sigma * sigma);
                own += r * r / 2;
            }
            if (own != term[n]) return 1;
            sum += own;
        }
        double value = std::strtod(text.c_str() + text.find("\"value\": ", from) + 9, nullptr);
        std::printf("%.17g %.17g\n", sum / term.size(), value);
    }
}
"""


@pytest.mark.slow
def test_a_program_in_cpp_reads_the_dsm_vectors_and_finds_every_bit(tmp_path):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    (tmp_path / "read.cpp").write_text(CPP)
    made = subprocess.run([compiler, "-std=c++17", "-O0", "-Wall", "-o", tmp_path / "read",
                           tmp_path / "read.cpp"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    ran = subprocess.run([tmp_path / "read", FOLDER / "dsm.json"], capture_output=True, text=True)
    assert ran.returncode == 0
    assert [line.split() for line in ran.stdout.splitlines()] == [["3.75", "3.75"],
                                                                  ["5.15625", "5.15625"]]


def test_the_vectors_tell_the_two_sliced_losses_and_the_implicit_loss_apart():
    *_, oblique = vectors.read("ssm")["cases"]
    *_, reduced = vectors.read("ssm_vr")["cases"]
    *_, implicit = vectors.read("ism")["cases"]
    assert oblique["arrays"] == reduced["arrays"]
    assert oblique["theta"] == implicit["theta"]
    assert (oblique["value"], reduced["value"], implicit["value"]) == (
        0.646484375, -0.40625, 0.34375)
