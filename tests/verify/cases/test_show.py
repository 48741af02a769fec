"""A case in full: what is shown is what the reference computes, step by step."""
import re

import numpy as np
import pytest

from refsm.verify.cases import cases, per_sample, value
from refsm.verify.objectives import OBJECTIVES, model_names
from refsm.verify.cases.show import find, show, steps

DSM = """\
paper/dsm/1: dsm on the gaussian model, n = 4, d = 2, sigma = 0.5

Given
  mean    (2,)
      0.5  -1
  precision    (2, 2)
        2  0.5
      0.5    1
  x    (4, 2)
       1   0
       0   2
      -1   1
       2  -1
  noise    (4, 2)
       1  -1
       2   0
       0   1
      -1   0
  x_noisy    (4, 2)
       1.5  -0.5
         1     2
        -1   1.5
       1.5    -1

Steps (one row per point)
  u = x_noisy - mean    (4, 2)
         1   0.5
       0.5     3
      -1.5   2.5
         1     0
  psi = -precision u    (4, 2)
      -2.25     -1
       -2.5  -3.25
       1.75  -1.75
         -2   -0.5
  g = (x - x_noisy) / sigma^2    (4, 2)
      -2   2
      -4   0
       0  -2
       2   0
  psi - g    (4, 2)
      -0.25     -3
        1.5  -3.25
       1.75   0.25
         -4   -0.5
  |psi|^2 / 2    (4,)
      3.03125  8.40625  3.0625  2.125
  -psi.g    (4,)
      -2.5  -10  -3.5  4
  |g|^2 / 2    (4,)
      4  8  2  2
  term = the sum of the 3    (4,)
      4.53125  6.40625  1.5625  8.125
  value = the mean of term
      5.15625"""


def test_a_paper_case_reads_as_one_would_write_it():
    assert show(find("paper/dsm/1"), with_steps=True) == DSM


def test_without_steps_the_value_follows_what_is_given():
    text = show(find("paper/dsm/1"))
    assert text == DSM[:DSM.index("\n\nSteps")] + "\n\nvalue = 5.15625"


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_case_of_every_model_can_be_laid_open(objective):
    for family, model in [("paper", None), ("array", None),
                          *(("prime", model) for model in model_names(objective))]:
        case = cases(objective, family, model=model)[-1]
        made = {step.symbol: step.values for step in steps(case)}
        assert made["value"] == pytest.approx(value(case), rel=1e-15)
        assert np.array_equal(made["term"], per_sample(case))
        text = show(case, with_steps=True)
        on = "arrays" if family == "array" else f"the {case.model} model"
        assert text.startswith(f"{case.id}: {objective} on {on}, n = {case.n}, d = {case.d}")
        for name in {**case.theta, **case.arrays}:
            assert re.search(rf"^  {name}    \(", text, re.M)
        for name, number in case.hyper.items():
            assert f", {name} = {number}" in text.splitlines()[0]


def test_the_steps_of_each_objective_are_those_of_its_formula():
    def symbols(objective, model):
        return [step.symbol for step in steps(cases(objective, "prime", model=model)[0])]

    matched = ["g", "psi - g", "|psi|^2 / 2", "-psi.g", "|g|^2 / 2", "term", "value"]
    assert symbols("esm", "gaussian") == ["u", "psi", *matched]
    assert symbols("dsm", "autoencoder") == ["a", "s", "y", "psi", *matched]
    assert symbols("parzen_esm", "tanh") == ["a", "s", "psi", *matched]
    assert symbols("ism", "mixture") == ["psi", "J", "|psi|^2 / 2", "tr J", "term", "value"]
    assert symbols("parzen_ism",
                   "gaussian") == ["u", "psi", "J", "|psi|^2 / 2", "tr J", "term", "value"]
    assert symbols("regularized", "gaussian") == [
        "u", "psi", "J", "|psi|^2 / 2", "tr J", "strength sum_i J_ii^2", "term", "value"
    ]
    assert symbols("dae",
                   "autoencoder") == ["a", "s", "y", "|y|^2", "-2 y.x", "|x|^2", "term", "value"]
    assert symbols("ssm", "gaussian") == [
        "u", "psi", "J", "v' J v", "v.psi", "(v.psi)^2 / 2", "v' J v", "term", "value"
    ]
    assert symbols("ssm_vr", "gaussian") == [
        "u", "psi", "J", "v' J v", "|psi|^2 / 2", "v' J v", "term", "value"
    ]
    assert symbols("ratio", "boltzmann") == ["gap", "sum_i sigmoid(-gap_i)^2", "term", "value"]
    assert symbols("pseudo", "rbm") == ["gap", "sum_i softplus(-gap_i)", "term", "value"]


def test_given_arrays_are_not_said_to_be_computed():
    assert [step.symbol for step in steps(cases("ssm", "array")[0])
            ] == ["v.psi", "(v.psi)^2 / 2", "v' J v", "term", "value"]
    assert [step.symbol for step in steps(cases("ism", "array")[0])
            ] == ["|psi|^2 / 2", "tr J", "term", "value"]


@pytest.mark.parametrize("model", ["autoencoder", "tanh", "gaussian"])
def test_the_steps_of_a_model_lead_to_its_score(model):
    case = cases("dsm", "prime", model=model)[3]
    step = {step.symbol: step.values for step in steps(case)}
    theta, x = case.params, case.x_noisy
    if model == "autoencoder":
        assert np.allclose(step["a"], x @ theta["W"].T + theta["b"], rtol=1e-14)
        assert np.allclose(step["s"], 1 / (1 + np.exp(-step["a"])), rtol=1e-13)
        assert np.allclose(step["y"], step["s"] @ theta["W"] + theta["c"], rtol=1e-13)
        assert np.allclose(step["psi"], (step["y"] - x) / case.sigma**2, rtol=1e-12, atol=1e-12)
    elif model == "tanh":
        assert np.allclose(step["a"], x @ theta["B"].T + theta["b"], rtol=1e-14)
        assert np.allclose(step["s"], np.tanh(step["a"]), rtol=1e-13)
        assert np.allclose(step["psi"], step["s"] @ theta["A"].T + theta["c"], rtol=1e-12)
    else:
        assert np.allclose(step["u"], x - theta["mean"], rtol=1e-14)
        assert np.allclose(step["psi"], -step["u"] @ theta["precision"], rtol=1e-12)
    assert np.allclose(step["g"], (case.x - x) / case.sigma**2, rtol=1e-14)
    assert np.allclose(step["psi - g"], step["psi"] - step["g"], rtol=1e-12)


def test_the_projections_of_sliced_score_matching_are_shown_direction_by_direction():
    case = cases("ssm", "paper")[1]
    step = {step.symbol: step.values for step in steps(case)[:6]}
    v, psi, J = case.directions, case.score(case.x), case.score_jacobian(case.x)
    for n in range(case.n):
        for r in range(case.M):
            assert step["v.psi"][n, r] == v[n, r] @ psi[n]
            assert step["v' J v"][n, r] == v[n, r] @ J[n] @ v[n, r]


def test_the_formulas_name_the_point_at_which_the_model_is_read():
    def formula(objective, symbol, model=None):
        return next(step.formula
                    for step in steps(cases(objective, "prime", model=model)[0])
                    if step.symbol == symbol)

    assert formula("ism", "a") == "W x + b"
    assert formula("dsm", "a") == "W x_noisy + b"
    assert formula("ism", "psi") == "(y - x) / sigma^2"
    assert formula("parzen_ism", "J") == "d psi_i / d x_noisy_k"
    assert formula("dsm", "a", "tanh") == "B x_noisy + b"
    assert formula("dsm", "s", "tanh") == "tanh(a)"
    assert formula("dsm", "psi", "tanh") == "A s + c"
    assert formula("ism", "psi",
                   "mixture") == "grad log sum_j weights_j N(x; means_j, scales_j^2 I)"
    assert formula("esm", "g") == "data_score"
    assert formula("parzen_esm", "g").startswith("sum_k share_k (x_k - x_noisy) / sigma^2")
    assert formula("ratio", "gap").endswith("E = -x' W x / 2 - b.x")
    assert formula("ratio", "gap", "rbm").endswith("E = -c.x - sum_j softplus(W x + b)_j")
    assert formula("ratio", "term") == "the same"
    assert formula("dsm", "term") == "the sum of the 3"
    assert formula("ism", "term") == "the sum of the 2"


@pytest.mark.parametrize("identifier", [
    "paper/dsm/0", "prime/dsm/c0/t0", "prime/dsm/c5/t4", "prime/ism/tanh/c3/t2",
    "prime/ism/seed7/c3/t2", "prime/ism/tanh/seed12/c3/t2", "prime/parzen_esm/c0/t0",
    "array/ssm/c1/t1", "array/ssm/seed3/c1/t1", "prime/ratio/rbm/c0/t0"
])
def test_a_case_is_found_by_its_identifier(identifier):
    assert find(identifier).id == identifier


@pytest.mark.parametrize("identifier, sentence", [
    ("dsm", "there is no case 'dsm'; one is prime/dsm/c0/t0"),
    ("", "there is no case ''; one is prime/dsm/c0/t0"),
    ("paper/dsm/9",
     "there is no case 'paper/dsm/9'; the cases of its kind are paper/dsm/0 to paper/dsm/1"),
    ("prime/dsm/c9/t0",
     "there is no case 'prime/dsm/c9/t0'; the cases of its kind are prime/dsm/c0/t0 to "
     "prime/dsm/c5/t4"), ("prime/dsm/seedx/c0/t0", "model must be one of "),
    ("new/dsm/c0/t0", "family must be one of "), ("prime/gan/c0/t0", "objective must be one of "),
    ("prime/dsm/resnet/c0/t0", "model must be one of "),
    ("paper/dsm/tanh/0", "the family paper has no cases of dsm on the tanh model")
])
def test_a_case_that_does_not_exist_is_said(identifier, sentence):
    with pytest.raises(ValueError) as raised:
        find(identifier)
    assert str(raised.value).startswith(sentence)


def test_numbers_have_at_most_ten_digits():
    text = show(cases("dsm", "prime")[7], with_steps=True)
    digits = [
        re.sub(r"[-.]|^0\.0*", "",
               number.partition("e")[0]).lstrip("0")
        for number in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", text)
    ]
    assert 9 <= max(map(len, digits)) <= 10
