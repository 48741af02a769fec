"""What the texts show is run: every docstring example, and every Python example of the README."""
import doctest
import importlib
import importlib.util
import pathlib
import pkgutil
import re
import runpy
import sys
import types

import pytest

import refsm

README = pathlib.Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = [block for block in re.findall(r"```python\n(.*?)```", TEXT, re.S)
          if "import refsm" in block]
MODULES = ["refsm", *sorted(m.name for m in pkgutil.walk_packages(refsm.__path__, "refsm.")
                            if not re.search(r"__main__|\.test_|\.conftest", m.name))]
ABSTRACT = {"BinaryEnergy", "EnergyAt", "Descent", "DescentError", "assert_conforms"}


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.failed == 0


@pytest.mark.parametrize("name", sorted(set(refsm._ROOM_OF) - ABSTRACT))
def test_every_public_name_shows_an_example(name):
    assert ">>>" in getattr(refsm, name).__doc__


def framework(block):
    """The framework that an example of the README needs, or None."""
    return next((name for name in ("torch", "jax") if f"import {name}\n" in block), None)


def needs(name):
    missing = name is not None and importlib.util.find_spec(name) is None
    return pytest.mark.skipif(missing, reason=f"{name} is not installed")


@pytest.mark.parametrize("block", [pytest.param(block, marks=needs(framework(block)))
                                   for block in BLOCKS])
def test_the_readme_examples_run(block):
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})


def test_the_readme_has_examples_without_a_framework():
    assert sorted(framework(block) or "" for block in BLOCKS) == ["", "", "jax", "torch"]


def test_the_report_in_the_readme_is_the_one_that_is_printed(tmp_path, monkeypatch, capsys):
    """Where torch is not installed, the same formula in NumPy stands in for the README's loss."""
    found = re.search(r"```python\n(# my_adapters.py\n.*?)```.*?```text\n(.*?)```", TEXT, re.S)
    code, shown = found.groups()
    if importlib.util.find_spec("torch") is None:
        for torch, numpy in [("import torch", "import numpy as torch"),
                             ("torch.tensor", "torch.array"), ("dim=1", "axis=1")]:
            code = code.replace(torch, numpy)
    (tmp_path / "my_adapters.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    from refsm.cli import main
    assert main(["verify", "my_adapters:dsm", "--objective", "dsm"]) == 1
    assert capsys.readouterr().out.strip() == shown.strip()


def test_the_excerpt_at_the_top_is_the_beginning_of_that_report():
    excerpt, report = re.findall(r"```text\n(.*?)```", TEXT, re.S)[:2]
    assert report.startswith(excerpt.rstrip().removesuffix("..."))


def test_the_readme_has_two_commands():
    assert len(re.findall(r"<!-- command -->\n```sh\n", TEXT)) == 2


def test_every_refsm_command_in_the_readme_exists():
    from refsm.cli import COMMANDS
    assert set(re.findall(r"(?:^|`|bin/)refsm ([a-z]+)", TEXT, re.M)) <= set(COMMANDS)


def test_every_file_that_the_readme_links_to_exists():
    links = re.findall(r"\]\((?!http|#)([^)]+)\)", TEXT)
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


def test_every_source_of_the_map_is_in_the_list_of_sources():
    listed = TEXT[TEXT.index("\n## Sources\n"):]
    cited = re.findall(r"\| ([^|]* (?:19|20)\d\d) \|$", TEXT, re.M)
    works = {work for works in cited for work in works.split(", ")}
    assert len(works) > 20
    for work in works:
        author, year = re.fullmatch(r"(\w+).* (\d{4})", work).groups()
        assert re.search(rf"{author}[^*\d]*\*[^*]*\*[^*]*{year}", listed), work


def test_the_description_of_the_package_has_no_link_that_only_a_clone_can_follow(monkeypatch):
    given = {}
    monkeypatch.setitem(sys.modules, "setuptools", types.SimpleNamespace(setup=given.update))
    runpy.run_path(str(README.with_name("setup.py")))
    text = given["long_description"]
    assert re.findall(r"\]\((?!http|#)", text) == []
    assert all(block in text for block in BLOCKS)
    assert "| [" not in text
    assert "refsm study --open" in text


def test_the_prose_of_the_readme_has_at_most_100_columns():
    wide = [line for line in TEXT.splitlines()
            if len(line) > 100 and not line.startswith(("|", "!", "test -d"))]
    assert wide == []
