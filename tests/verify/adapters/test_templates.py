"""Every template conforms as it is; the one marked line is what the verdict depends on."""
import re
import shutil
import subprocess
import types

import numpy as np
import pytest

from refsm.verify.adapters.ask import AdapterError, ask
from refsm.verify.api import verify
from refsm.verify.cases import cases
from refsm.verify.objectives import OBJECTIVES, model_names
from refsm.verify.adapters.files import export
from refsm.verify.grading import grade
from refsm.verify.adapters.program import Program
from refsm.verify.adapters.templates import LANGUAGES, template
from refsm.verify.cases import gradient, value

PYTHON = {"numpy": "numpy", "torch": "torch", "jax": "jax"}
DRAWING = [name for name, about in OBJECTIVES.items() if about.random]


def adapter(language, objectives="all", change=None):
    """A Python template as a module; `change` is a function of its source."""
    if language != "numpy":
        pytest.importorskip(PYTHON[language], reason=f"{language} is not installed")
    source = template(language, objectives)
    made = types.ModuleType("my_adapter")
    exec(compile(change(source) if change else source, "my_adapter.py", "exec"), made.__dict__)
    return made


# -- the text --------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_template_has_what_its_objective_needs_and_one_line_to_replace(language, objective):
    text = template(language, objective)
    assert text.count("YOURS") == 2    # once in the head, once behind the line
    name = dict(zip(LANGUAGES, ("NumPy", "torch", "JAX", "Julia", "C++17")))[language]
    assert f"A {name} implementation of {objective}, for" in text
    assert f"--objective {objective}\n" in text
    assert not re.search(r"@[A-Z]+@|^(#|//)--", text, re.M)
    assert max(map(len, text.splitlines())) <= 100
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    made = re.findall(r"(?:def|double|function) (\w+)\(", text)
    assert [name for name in made if name in OBJECTIVES] == [objective]
    assert ("handing" in text) == (objective in DRAWING and language in PYTHON)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_template_of_all_objectives_has_all(language):
    text = template(language, "all")
    assert text == template(language, list(OBJECTIVES)) == template(language, ["all"])
    assert text.count("YOURS") == 1 + len(OBJECTIVES)
    assert text.count("class handing") == (language in PYTHON)


@pytest.mark.parametrize("language", PYTHON)
def test_the_shim_is_shown_with_the_noise_of_its_objective(language):
    for objective in DRAWING:
        noise = "case.directions" if objective.startswith("ssm") else "case.noise"
        assert f"with handing({noise}):" in template(language, objective)


def test_long_names_of_objectives_are_known():
    assert template("numpy", "DenoisingScoreMatching") == template("numpy", "dsm") == template(
        "numpy", ("denoising",))


def test_what_is_not_known_is_said():
    with pytest.raises(
            ValueError,
            match="language must be one of numpy, torch, jax, julia, cpp, but it is 'rust'"):
        template("rust", "dsm")
    with pytest.raises(ValueError, match="objective must be one of .*, but it is 'gan'"):
        template("numpy", ["dsm", "gan"])


# -- Python ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [
    pytest.param(name, marks=[] if name in ("dsm", "ism", "ratio") else [pytest.mark.slow])
    for name in OBJECTIVES
])
def test_the_numpy_template_conforms_as_it_is(objective):
    function = getattr(adapter("numpy", objective), objective)
    assert verify(function, objective).verdict == "PASS"
    for model in (None, *model_names(objective)):
        for case in cases(objective, model=model)[::9]:
            assert ask(function, case).value == pytest.approx(value(case), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("language", ["torch", "jax"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_template_of_a_framework_conforms_with_its_gradients(language, objective):
    function = getattr(adapter(language, objective), objective)
    for model in (None, *model_names(objective)):
        for case in cases(objective, model=model)[:11:10]:
            answer = ask(function, case)
            assert answer.value == pytest.approx(value(case), rel=1e-12, abs=1e-12)
            for block, right in gradient(case).items():
                mine = answer.gradient[block]
                if block == "precision" or (block, case.model) == (
                        "W", "boltzmann"):    # free entries here, a symmetric matrix there
                    mine = (mine + mine.T) / 2
                    mine = mine if block == "precision" else mine - np.diag(np.diag(mine))
                assert np.abs(mine - right).max() <= 1e-11 * max(1.0, np.abs(right).max())


@pytest.mark.slow
@pytest.mark.parametrize("language", ["torch", "jax"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_template_of_a_framework_passes_the_whole_verification(language, objective):
    report = verify(getattr(adapter(language, objective), objective), objective, gradient=True)
    assert report.verdict == "PASS", report


# (language of Python, the right text, the planted mistake): what the report then says
PLANTED = {
    "dsm_scaled": (r"(case\.)?alpha \* (case\.)?x", r"\2x", "without alpha"),
    "dsm_levels": (r"\) / sigma\*\*2", ") / sigma", "for sigma^2"),
    "noise_prediction": (r"output - (\(*)((case\.)?noise)", r"output + \1\2", "sign"),
    "clean_prediction": (r"\*\*2(?=.*YOURS)", "", "without a square"),
    "velocity_prediction": (r"output - ", "output + ", "sign"),
    "flow_prediction": (r"(case\.)?noise - (case\.)?x\b", r"\1noise + \2x", "x + noise"),
    "edm_prediction": (r" / c_out\*\*2", "", "c_out^2"),
    "generalized": (r"(case\.)?h_slope \* psi", r"\1h * psi", "h in place of h'"),
    "mpf": (r"-gap / 2", "-gap", "gap"),
    "dsm": (r" / 2( +# <-- YOURS)", r"\1", "a factor 2"),
    "multi_level": (r"(case\.level_weights\[l\]|weight) \*", "", "its own weight is left out")}


@pytest.mark.parametrize("language", PYTHON)
@pytest.mark.parametrize("objective", [
    pytest.param(name, marks=[] if name in ("dsm_scaled", "mpf") else [pytest.mark.slow])
    for name in PLANTED])
def test_a_planted_mistake_is_named(language, objective):
    right, wrong, words = PLANTED[objective]

    def plant(source):
        planted, count = re.subn(right, wrong, source)
        assert count == 1, count
        return planted

    report = verify(getattr(adapter(language, objective, plant), objective), objective,
                    family="prime")
    assert words in report.name, report
    assert report.exit_status == 1


@pytest.mark.parametrize("language", ["numpy", "torch"])
def test_the_marked_line_is_what_is_verified(language):
    without = adapter(language, "dsm", lambda source: re.sub(r" / 2( +# <-- YOURS)", r"\1", source))
    report = verify(without.dsm, "dsm")
    assert (report.verdict, report.factor) == ("CONVENTION", "2")


# -- the shim --------------------------------------------------------------------------------------


def test_numpys_draws_are_handed_over():
    module = adapter("numpy", "dsm")
    case = cases("dsm")[0]
    rng = np.random.default_rng(3)
    draws = [
        lambda: np.random.randn(7, 3), lambda: np.random.standard_normal(
            (7, 3)), lambda: np.random.standard_normal(size=(7, 3)),
        lambda: np.random.normal(size=(7, 3)), lambda: (np.random.normal(2.0, 3.0, (7, 3)) - 2) / 3,
        lambda: np.random.default_rng(1).standard_normal(
            (7, 3)), lambda: np.random.default_rng().normal(size=(7, 3))
    ]
    for draw in draws:
        with module.handing(case.noise):
            drawn = draw()
        assert np.allclose(drawn, case.noise, rtol=1e-15)
        assert drawn.flags.writeable
    assert not np.array_equal(np.random.randn(7, 3), case.noise)
    assert np.random.default_rng(3).bit_generator.state == rng.bit_generator.state


def test_several_arrays_are_handed_over_in_their_order():
    module = adapter("numpy", "dsm")
    with module.handing(np.ones(2), np.zeros((2, 3))):
        assert np.random.randn(2).all()
        assert not np.random.standard_normal((2, 3)).any()


@pytest.mark.parametrize("language", PYTHON)
def test_a_loss_that_draws_another_shape_or_number_is_reported(language):
    module = adapter(language, "dsm")
    code = {
        "numpy": "np.random.randn(*shape)", "torch": "torch.randn(*shape)",
        "jax": "jax.random.normal(jax.random.key(0), shape)"
    }[language]

    def draw(*shape):
        return eval(code, module.__dict__, {"shape": shape})

    with pytest.raises(RuntimeError,
                       match=r"the loss draws noise of shape \(3, 7\), but it was handed \(7, 3\)"
                       ), module.handing(np.ones((7, 3))):
        draw(3, 7)
    with pytest.raises(RuntimeError,
                       match="the loss draws more often than it was handed arrays"), module.handing(
                           np.ones(3)):
        draw(3), draw(3)
    with pytest.raises(
            RuntimeError,
            match="the loss did not draw 2 of the arrays that it was handed"), module.handing(
                np.ones(3), np.ones(3)):
        pass
    with pytest.raises(ZeroDivisionError), module.handing(np.ones(3)):
        1 / 0
    assert np.shape(draw(2, 3)) == (2, 3)


def test_torchs_draws_are_handed_over():
    module = adapter("torch", "dsm")
    import torch
    case = cases("dsm")[0]
    like = torch.zeros(7, 3, dtype=torch.float64)
    for draw in (lambda: torch.randn(7, 3), lambda: torch.randn(
        (7, 3)), lambda: torch.randn(size=(7, 3)), lambda: torch.randn(7, 3, device="cpu"),
                 lambda: torch.rand(7, 3), lambda: torch.rand_like(like),
                 lambda: torch.randn_like(like), lambda: torch.empty_like(like).normal_(), lambda:
                 (torch.empty_like(like).normal_(2, 3) - 2) / 3):
        with module.handing(case.noise):
            drawn = draw()
        assert np.allclose(drawn.numpy(), case.noise, rtol=1e-15)
    with module.handing(case.noise):
        assert torch.randn_like(like.float()).dtype == torch.float32
    assert not np.allclose(torch.randn(7, 3).numpy(), case.noise)
    assert not np.allclose(torch.zeros(7, 3).normal_().numpy(), case.noise)


def test_a_loss_of_jax_that_makes_its_noisy_points_at_times_of_its_own_is_handed_both():
    module = adapter("jax", "flow_prediction")
    import jax

    def loss(case):
        x = case.x
        with module.handing(case.alpha, case.noise):
            t = jax.random.uniform(None, (case.n,), minval=1e-3)[:, None]
            noise = jax.random.normal(None, x.shape)
        output = -module.network(case, case.params, "flow", t * x + (1 - t) * noise)
        return ((output - (x - noise))**2).sum(axis=1)

    assert jax.random.uniform(jax.random.key(0), (3,)).shape == (3,)
    case = cases("flow_prediction", "flow")[0]
    assert ask(loss, case).value == pytest.approx(value(case), rel=1e-12)


@pytest.mark.parametrize("language", ["numpy", "torch", "jax"])
def test_a_loss_that_draws_its_own_noise_passes_with_the_shim(language):
    noise = {"numpy": "np.random.standard_normal(x.shape)", "torch": "torch.randn_like(x)",
             "jax": "jax.jit(lambda key: jax.random.normal(key, x.shape))(None)"}[language]

    def own(source):
        without = source.replace("tensor(case.x_noisy)", "None").replace("case.x_noisy", "None")
        return re.sub(r"\n(.*<-- YOURS)", rf"\n    x_noisy = x + sigma * {noise}\n\1", without)

    module = adapter(language, "dsm", own)

    def shimmed(case):
        with module.handing(case.noise):
            return module.dsm(case)

    for case in cases("dsm")[:11:5]:
        assert ask(shimmed, case).value == pytest.approx(value(case), rel=1e-12)


# -- C++ and Julia ---------------------------------------------------------------------------------


CPP = ("dsm", "ratio")           # one continuous and one binary objective


def cpp_compiler():
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler (c++, g++, clang++) is installed")
    return compiler


@pytest.fixture(scope="module",
                params=[CPP, tuple(OBJECTIVES)], ids=["two", "all"])
def cpp(request, tmp_path_factory):
    """The C++ template of some objectives, compiled, and their names."""
    folder, compiler = tmp_path_factory.mktemp("cpp"), cpp_compiler()
    (folder / "my_adapter.cpp").write_text(template("cpp", request.param))
    made = subprocess.run(
        [compiler, "-std=c++17", "-Wall", "-Wextra", "my_adapter.cpp", "-o", "my_adapter"],
        cwd=folder, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert not made.stderr
    return folder / "my_adapter", request.param


@pytest.mark.slow
def test_the_cpp_template_conforms_through_its_standard_input(cpp):
    with Program(str(cpp[0])) as program:
        for objective in cpp[1]:
            assert verify(program, objective).verdict == "PASS"
            for case in cases(objective, "paper"):
                assert ask(program, case).value == pytest.approx(value(case), rel=1e-12, abs=1e-12)


@pytest.mark.slow
def test_the_cpp_template_conforms_through_files(cpp, tmp_path):
    paths = export(list(cpp[1]), tmp_path / "prompts")
    answers = subprocess.run([cpp[0], *paths], capture_output=True, check=True)
    (tmp_path / "answers.json").write_bytes(answers.stdout)
    reports = grade(tmp_path / "prompts", tmp_path / "answers.json")
    assert [report.verdict for report in reports] == ["PASS"] * len(cpp[1])


@pytest.mark.slow
def test_the_cpp_template_proves_its_parser(cpp, tmp_path):
    (path,) = export("dsm", tmp_path)
    path.write_text(path.read_text().replace('"data": [', '"data": [1', 1))
    refused = subprocess.run([cpp[0], path], capture_output=True, text=True)
    assert refused.returncode == 2
    assert "the checksum of W is wrong: its numbers were not read exactly" in refused.stderr


@pytest.mark.slow
def test_the_cpp_template_says_which_model_it_lacks(cpp):
    said = "my_adapter: prime/dsm/mixture/c0/t0: write the mixture model here"
    with Program(str(cpp[0])) as program:
        with pytest.raises(AdapterError, match=f"ended with status 2, saying '{said}'"):
            ask(program, cases("dsm", model="mixture")[0])


@pytest.mark.slow
def test_every_single_cpp_template_compiles():
    compiler = cpp_compiler()
    for objective in OBJECTIVES:
        command = [compiler, "-fsyntax-only", "-std=c++17", "-Wall", "-Wextra", "-x", "c++", "-"]
        made = subprocess.run(command, input=template("cpp", objective), capture_output=True,
                              text=True)
        assert made.returncode == 0, made.stderr
        assert not made.stderr


def test_the_julia_template_conforms_through_its_standard_input(tmp_path):
    julia = shutil.which("julia")
    if julia is None:
        pytest.skip("julia is not installed: its template is not run here")
    if subprocess.run([julia, "-e", "import JSON"], capture_output=True).returncode:
        pytest.skip("Julia's package JSON is not installed: its template is not run here")
    (tmp_path / "my_adapter.jl").write_text(template("julia", "all"))
    with Program(f"{julia} {tmp_path / 'my_adapter.jl'}", 120) as program:
        for objective in OBJECTIVES:
            assert verify(program, objective, time_limit=125).verdict == "PASS"


def test_templates_travel_with_the_package():
    sizes = {language: len(template(language, "all")) for language in LANGUAGES}
    assert len(sizes) == 5
    assert min(sizes.values()) > 3000
