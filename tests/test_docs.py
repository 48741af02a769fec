"""What the texts show is run: every docstring example, and every Python example of the README."""
import doctest
import importlib
import importlib.util
import pathlib
import pkgutil
import re

import pytest

import refsm

README = pathlib.Path(__file__).parents[1] / "README.md"
MODULES = ["refsm", *sorted(m.name for m in pkgutil.walk_packages(refsm.__path__, "refsm.")
                            if not m.name.endswith("__main__") and ".test_" not in m.name and ".conftest" not in m.name)]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_every_energy_and_objective_shows_an_example():
    for name in ("Gaussian", "GaussianBernoulliRBM", "AutoencoderEnergy", "GaussianMixture", "Parzen", "BernoulliRBM", "BoltzmannMachine",
                 "ExplicitScoreMatching", "ImplicitScoreMatching", "RegularizedScoreMatching", "ParzenExplicitScoreMatching",
                 "ParzenImplicitScoreMatching", "DenoisingScoreMatching", "DenoisingAutoencoderLoss", "SlicedScoreMatching", "RatioMatching",
                 "PseudoLikelihood", "GaussianCorruption", "tweedie", "gradient_descent", "minimize", "langevin", "check_gradient"):
        assert ">>>" in getattr(refsm, name).__doc__, name


def test_the_readme_examples_run():
    blocks = [block for block in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S) if "import refsm" in block]
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})


def test_the_report_in_the_readme_is_the_one_that_is_printed(tmp_path, monkeypatch, capsys):
    """Where torch is not installed, a loss of the same formula in NumPy stands in for the README's."""
    code, shown = re.search(r"```python\n(# my_adapters.py\n.*?)```.*?```text\n(.*?)```", README.read_text(encoding="utf-8"), re.S).groups()
    if importlib.util.find_spec("torch") is None:
        code = code.replace("import torch", "import numpy as torch").replace("torch.tensor", "torch.array").replace("dim=1", "axis=1")
    (tmp_path / "my_adapters.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    from refsm.cli import main
    assert main(["verify", "my_adapters:dsm", "--objective", "dsm"]) == 1
    assert capsys.readouterr().out.strip() == shown.strip()


def test_the_readme_has_two_commands_and_every_refsm_command_in_it_exists():
    text = README.read_text(encoding="utf-8")
    assert len(re.findall(r"<!-- command -->\n```sh\n", text)) == 2
    from refsm.cli import _parser
    choices = next(action.choices for action in _parser()._actions if action.dest == "command")
    for command in set(re.findall(r"`?refsm ([a-z]+)", text)):
        if command not in ("does", "is", "returns", "verify", "and"):
            assert command in choices or command in ("itself",), command


def test_every_file_that_the_readme_names_exists():
    text = README.read_text(encoding="utf-8")
    for path in re.findall(r"\((?!http)([\w./-]+\.(?:py|md|png))\)", text) + re.findall(r"`((?:refsm|tests|demos)/[\w./-]+\.py)`", text):
        assert (README.parent / path).exists(), path
