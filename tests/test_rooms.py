"""The form of a room: what its head states, its code computes, and the letters are the same."""
import ast
import importlib
import pathlib
import pkgutil
import re
import sys

import pytest

import refsm

ROOT = pathlib.Path(refsm.__file__).parent
FORMULA_ROOMS = sorted(path for folder in ("energies", "objectives") for path in (ROOT / folder).glob("*.py")
                       if path.name not in ("__init__.py", "energy.py", "objective.py", "streamed.py"))
ALL_ROOMS = sorted(ROOT.rglob("*.py"))
WITH_EQUATIONS = [path for path in ALL_ROOMS if path.parent.name != "verify" and re.search(r"^ {4}\(1\) ", ast.get_docstring(ast.parse(path.read_text()), clean=False) or "", re.M)]
GLOSSARIES = [path for path in WITH_EQUATIONS if path.relative_to(ROOT).parts[0] not in ("checks", "descent.py", "scaling.py", "newton.py", "unbounded.py", "barrier.py", "minimization.py", "sampling.py")]     # those speak of a caller's names
HEADINGS = ["Symbols", "Equations", "Derivation", "Conventions", "Sources"]
NOT_COMPUTED = re.compile(r"\[(definition|result|theorems? [\d, ]+)\]")


def name(path):
    return str(path.relative_to(ROOT))


def head(path):
    return ast.get_docstring(ast.parse(path.read_text()), clean=False) or ""


def section(doc, heading):
    found = re.search(rf"^{heading}\b.*\n((?:(?: .*)?\n)*)", doc + "\n", re.M)
    return found.group(1) if found else ""


def stated(doc):
    """{number: True if some code must compute it} from the Equations; an equation may go on over indented lines."""
    out, current = {}, None
    for line in section(doc, "Equations").splitlines():
        opening = re.match(r" {4}\((\d+)\)", line)
        if opening:
            current = int(opening.group(1))
            assert current not in out, f"({current}) is stated twice"
            out[current] = True
        elif not line.startswith(" " * 6):
            current = None
        if current is not None and NOT_COMPUTED.search(line):
            out[current] = False
    return out


def cited(path):
    """Numbers in the comments behind lines of code, after the shape."""
    source = path.read_text()
    body = source[source.index('"""', source.index('"""') + 3):]
    return {int(k) for comment in re.findall(r"\S.*#(.*)", body) for k in re.findall(r"\((\d+)\)", comment)}


@pytest.mark.parametrize("path", FORMULA_ROOMS, ids=name)
def test_a_room_has_the_five_headings_in_order(path):
    places = [re.search(rf"^{heading}\b", head(path), re.M) for heading in HEADINGS]
    assert all(places), [heading for heading, place in zip(HEADINGS, places) if not place]
    assert [place.start() for place in places] == sorted(place.start() for place in places)


@pytest.mark.parametrize("path", WITH_EQUATIONS, ids=name)
def test_every_cited_number_is_stated_and_every_stated_one_is_computed_or_marked_as_not(path):
    equations, numbers = stated(head(path)), cited(path)
    assert equations, "the head states no equation"
    assert numbers <= set(equations), f"cited but not stated: {sorted(numbers - set(equations))}"
    missing = {k for k, computed in equations.items() if computed} - numbers
    assert not missing, f"stated but not computed: {sorted(missing)}"
    assert sorted(equations) == list(range(1, len(equations) + 1))


@pytest.mark.parametrize("path", GLOSSARIES, ids=name)
def test_the_symbols_of_the_glossary_are_identifiers_of_the_code(path):
    tree = ast.parse(path.read_text())
    identifiers = set()
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                identifiers.add(value)
    glossary = section(head(path), "Symbols")
    symbols = set()
    for line in glossary.splitlines():
        entry = re.match(r" {4}((?:[A-Za-z]\w*)(?:, [A-Za-z]\w*)*) +(?=\(|number|int|function|array|a |the )", line)
        if entry:
            symbols |= set(entry.group(1).split(", "))
    assert symbols, "the glossary names no symbol"
    assert symbols <= identifiers, f"not in the code: {sorted(symbols - identifiers)}"


@pytest.mark.parametrize("path", ALL_ROOMS, ids=name)
def test_every_public_name_has_a_docstring_and_no_room_is_a_hall(path):
    source = path.read_text()
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "no module docstring"
    nameless = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
                and not node.name.startswith("_") and not ast.get_docstring(node)]
    assert not nameless
    assert source.count("\n") <= 320


def test_refsm_imports_nothing_but_numpy_and_scipy():
    allowed = set(sys.stdlib_module_names) | {"numpy", "scipy", "refsm"}
    for path in ALL_ROOMS:
        extra = {"matplotlib"} if path.name == "figures.py" else {"pytest"} if path.name.startswith(("test_", "conftest")) else set()
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
            for module in names:
                assert module.split(".")[0] in allowed | extra, (path, module)


FLOORS = [["typing", "zero", "rows", "immutable", "stable", "sums", "validation", "quantities", "activations", "data", "tables"], ["energies", "corruption"],
          ["objectives", "directions", "denoiser"],
          ["expectations", "enumeration", "checks", "run_record", "descent", "scaling", "newton",
           "unbounded", "barrier", "fit_options", "minimization", "sampling"],
          ["theorems"], ["verify"],
          ["figures", "cli", "__main__"]]


def test_a_room_imports_only_from_its_own_floor_and_those_below():
    floor = {room: k for k, rooms in enumerate(FLOORS) for room in rooms}
    for path in ALL_ROOMS:
        own = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom) and node.module == "refsm":
                modules = [f"refsm.{alias.name}" for alias in node.names]
            for module in modules:
                parts = module.split(".")
                if parts[0] == "refsm" and len(parts) > 1:
                    assert parts[1] in floor, (path, module)
                    assert floor[parts[1]] <= floor[own], f"{name(path)} imports {module}, which stands above it"


def test_every_public_name_of_the_map_exists():
    for public in refsm.__all__:
        assert getattr(refsm, public) is not None
        assert public in dir(refsm)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        refsm.nothing


def test_every_room_can_be_imported():
    for module in pkgutil.walk_packages(refsm.__path__, "refsm."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
