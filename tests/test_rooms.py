"""The form of a room: what its head states, its code computes, and the letters are the same."""
import ast
import functools
import importlib
import pathlib
import pkgutil
import re
import sys
import textwrap

import pytest

import refsm

ROOT = pathlib.Path(refsm.__file__).parent
NO_FORMULA = ("__init__.py", "energy.py", "parameters.py", "objective.py", "streamed.py")
FORMULA_ROOMS = sorted(path for folder in ("energies", "objectives")
                       for path in (ROOT / folder).glob("*.py") if path.name not in NO_FORMULA)
ALL_ROOMS = sorted(ROOT.rglob("*.py"))


@functools.cache
def source_of(path):
    return path.read_text(encoding="utf-8")


@functools.cache
def tree_of(path):
    return ast.parse(source_of(path))


def head(path):
    return ast.get_docstring(tree_of(path), clean=False) or ""


WITH_EQUATIONS = [path for path in ALL_ROOMS
                  if re.search(r"^ {4}\(1\) ", source_of(path).partition("\nfrom ")[0], re.M)]
CALLERS = ("checks/", "fit/descent", "fit/scaling", "fit/unbounded", "sampling")
GLOSSARIES = [path for path in WITH_EQUATIONS           # those others speak of their caller's names
              if not path.relative_to(ROOT).as_posix().startswith(CALLERS)]
HEADINGS = ["Symbols", "Equations", "Derivation", "Conventions", "Sources"]
NOT_COMPUTED = re.compile(r"\[(definition|result|(statement|theorem)s? [\d, ]+)\]")
ENTRY = re.compile(r" {4}((?:[A-Za-z]\w*)(?:, [A-Za-z]\w*)*) +"
                   r"(?=\(|number|int|function|array|a |the )")


def name(path):
    return str(path.relative_to(ROOT))


def section(doc, heading):
    found = re.search(rf"^{heading}\b.*\n((?:(?: .*)?\n)*)", doc + "\n", re.M)
    return found.group(1) if found else ""


def stated(doc):
    """{number: whether some code must compute it}; an equation may go on over indented lines."""
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


def body(path):
    """The source after the module docstring."""
    tree = tree_of(path)
    first = tree.body[0].end_lineno if ast.get_docstring(tree) else 0
    return "".join(source_of(path).splitlines(keepends=True)[first:])


def cited(path):
    """Numbers in the comments behind lines of code, after the shape."""
    return {int(k) for comment in re.findall(r"\S.*#(.*)", body(path))
            for k in re.findall(r"\((\d+)\)", comment)}


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
    identifiers = set()
    for node in ast.walk(tree_of(path)):
        for field in ("id", "attr", "arg", "name"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                identifiers.add(value)
    glossary = section(head(path), "Symbols")
    symbols = set()
    for line in glossary.splitlines():
        entry = ENTRY.match(line)
        if entry:
            symbols |= set(entry.group(1).split(", "))
    assert symbols, "the glossary names no symbol"
    assert symbols <= identifiers, f"not in the code: {sorted(symbols - identifiers)}"


IN_ORDER = [ROOT / "energies" / f"{room}.py"         # in others a helper stands among the formulas
            for room in ("autoencoder", "bernoulli_rbm", "boltzmann_machine", "gaussian",
                         "gaussian_bernoulli_rbm", "mixture")]


@pytest.mark.parametrize("path", IN_ORDER, ids=name)
def test_the_formulas_at_a_block_of_points_stand_in_the_order_of_their_equations(path):
    """Reading the class from top to bottom is reading the equations."""
    at = next(node for node in tree_of(path).body
              if isinstance(node, ast.ClassDef) and node.name.endswith("At"))
    lines = source_of(path).splitlines()[at.lineno - 1:at.end_lineno]
    tags = [int(k) for line in lines for comment in re.findall(r"\S.*?#(.*)", line)
            for k in re.findall(r"\((\d+)\)", comment)]
    assert tags == sorted(tags)


def nameless(path):
    """The public names of a room that have no docstring."""
    named = [node for node in tree_of(path).body
             if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")]
    without = [node.name for node in named if not ast.get_docstring(node)]
    return without if ast.get_docstring(tree_of(path)) else ["the module", *without]


def test_every_public_name_has_a_docstring():
    assert {name(path): nameless(path) for path in ALL_ROOMS if nameless(path)} == {}


def test_a_room_has_at_most_250_lines_of_code():
    """Its head and blank lines are not counted: derivations take the room that they need."""
    lines = {name(path): len(re.findall(r"^.*\S", body(path), re.M)) for path in ALL_ROOMS}
    assert {room: count for room, count in lines.items() if count > 250} == {}


def test_no_line_is_longer_than_100_columns():
    long = {name(path): re.findall(r"^.{101,}$", source_of(path), re.M) for path in ALL_ROOMS}
    assert {room: found for room, found in long.items() if found} == {}


ASSERT = re.compile(r"^( *)assert .*(?:\n\1[ )\]}].*)*", re.M)


def joined(source):
    """The asserts of two claims, whose failure would not say which is false."""
    candidates = [found.group() for found in ASSERT.finditer(source) if " and " in found.group()]
    return [text.strip() for text in candidates
            if is_and(ast.parse(textwrap.dedent(text)).body[0].test)]


def is_and(test):
    """Whether a test is `a and b`, or all() of such."""
    if isinstance(test, ast.Call) and test.args:
        inner = getattr(test.args[0], "elt", None)
        return getattr(test.func, "id", "") == "all" and inner is not None and is_and(inner)
    return isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And)


def test_an_assert_is_one_claim():
    tree = pathlib.Path(__file__).parents[1]
    found = {path.name: joined(path.read_text(encoding="utf-8"))
             for folder in ("tests", "demos") for path in sorted((tree / folder).rglob("*.py"))}
    assert {file: claims for file, claims in found.items() if claims} == {}


def test_an_assert_of_two_claims_would_be_found():
    two = ["assert (x\n            and y), 'said'", "assert all(a and b for a in c)",
           "assert (\n        a and b\n    )"]
    one = ["assert not [a for a in c if x and y]", "assert any(a and b for a in c)", "assert f(x)"]
    assert joined("def f():\n" + "".join(f"    {text}\n" for text in two + one)) == two


def modules_of(node):
    """The names of the modules that an import statement imports, or [] for another node."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    if node.module in MODULES:                         # from refsm import sums: a module, or a name
        return [inner if (inner := f"{node.module}.{alias.name}") in MODULES else node.module
                for alias in node.names]
    return [node.module or ""]


@functools.cache
def imports(path):
    """The import statements of a file, wherever they stand."""
    return [node for node in ast.walk(tree_of(path))
            if isinstance(node, (ast.Import, ast.ImportFrom))]


def module(path):
    """The dotted name of a file."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): path for path in ALL_ROOMS}


def test_refsm_imports_nothing_but_numpy_and_scipy():
    allowed = set(sys.stdlib_module_names) | {"numpy", "scipy", "refsm"}
    for path in ALL_ROOMS:
        more = {"matplotlib"} if path.name in ("figures.py", "run_record.py") else set()
        if path.name.startswith(("test_", "conftest")):
            more = {"pytest"}
        for node in imports(path):
            for imported in modules_of(node):
                assert imported.split(".")[0] in allowed | more, (path, imported)


def imports_when_loaded(path):
    """The modules of refsm that a file imports as it is loaded, not inside a function or for types.

    `refsm/__init__.py` is left out: it loads its names when they are first used.
    """
    def statements(nodes):
        for node in nodes:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            yield node
            yield from statements(ast.iter_child_nodes(node))

    found = {imported for node in statements(tree_of(path).body)
             for imported in modules_of(node)}
    return {one for one in found if one in MODULES and one != "refsm"} - {module(path)}


def cycles(graph):
    """The sets of two or more nodes that can all be reached from one another."""
    def reached(start):
        seen, todo = set(), list(graph[start])
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += graph[node]
        return seen

    reach = {node: reached(node) for node in graph}
    return {frozenset(other for other in graph if other in reach[node] and node in reach[other])
            for node in graph if node in reach[node]}


def test_no_two_files_import_each_other_on_any_way():
    graph = {name: imports_when_loaded(path) for name, path in MODULES.items() if name != "refsm"}
    assert not {tuple(sorted(cycle)) for cycle in cycles(graph)}


def test_a_cycle_would_be_found():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "b"}}) == {frozenset("bc")}


FLOORS = [["typing", "zero", "rows", "immutable", "stable", "sums", "validation", "quantities",
           "activations", "saving", "data", "tables",
           "blocks"],
          ["energies", "corruption", "predictions", "schedules"],
          ["objectives", "directions", "denoiser"],
          ["expectations", "closed_forms", "enumeration", "checks", "fit", "sampling",
           "gibbs_sampling", "annealed", "flow"],
          ["theorems"], ["verify"], ["study"], ["figures", "cli", "__main__"]]


def test_a_room_imports_only_from_its_own_floor_and_those_below():
    floor = {room: k for k, rooms in enumerate(FLOORS) for room in rooms}
    for path in ALL_ROOMS:
        own = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        for node in imports(path):
            for imported in modules_of(node):
                parts = imported.split(".")
                if parts[0] == "refsm" and len(parts) > 1:
                    assert parts[1] in floor, (path, imported)
                    assert floor[parts[1]] <= floor[own], f"{name(path)} imports {imported}"


def test_every_public_name_of_the_map_exists():
    for public in refsm.__all__:
        assert getattr(refsm, public) is not None
        assert public in dir(refsm)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        refsm.nothing


def test_every_room_can_be_imported():
    for module in pkgutil.walk_packages(refsm.__path__, "refsm."):
        if not module.name.endswith(("__main__", "test_conformance")):     # which needs an argument
            importlib.import_module(module.name)
