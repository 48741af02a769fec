"""A recorder of tagged lines: what each line of code with a shape in its comment computes.

A tagged line ends in a comment that starts with shapes, `# (n, d)  (3)`: a shape has a comma or is
empty, the number of an equation has neither.  While a `Recorder` is active, the value of every such
line that is run is handed to a function: what an assignment has assigned, what a `return` returns,
what a `yield` yields, or the keyword argument that stands on that line.

It uses `sys.settrace`, on the frames of the given files alone.  With `every`, lines whose comment
has numbers and no shape, `# (3)`, are tagged lines too.
"""
from __future__ import annotations

import ast
import functools
import io
import re
import sys
import tokenize
from types import FrameType
from typing import Any, Callable, Iterable, Iterator, NamedTuple

import numpy as np

__all__ = ["Recorder", "Tag", "agrees", "arrays_of", "fits", "holds", "statements",
           "tagged_statements", "tags"]

SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr)


class Tag(NamedTuple):
    """A line with shapes in its comment."""

    line: int
    shapes: list[tuple[str, ...]]
    numbers: list[int]
    each: bool                   # one shape for several arrays


def tags(source: str, every: bool = False) -> dict[int, Tag]:
    """{line: Tag} of the comments behind code that start with a shape (or, `every`, a number)."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.line[:token.start[1]].strip():
            comment = token.string.rpartition("#")[2].strip()     # behind a `# type: ignore`
            groups = re.match(r"(?:\([^()]*\)[, ]*(?:each)? *)+", comment)
            if groups:
                parts = re.findall(r"\(([^()]*)\)", groups[0])
                shapes = [tuple(re.split(r",\s*", part.strip().rstrip(","))) if part.strip() else ()
                          for part in parts if "," in part or not part.strip()]
                numbers = [int(part) for part in parts if part.isdecimal()]
                if shapes or (every and numbers):
                    found[token.start[0]] = Tag(token.start[0], shapes, numbers,
                                                " each" in groups[0])
    return found


def statements(source: str) -> Iterator[ast.stmt]:
    """The simple statements inside functions, innermost functions included."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in ast.walk(function):
                if isinstance(node, SIMPLE):
                    yield node


@functools.cache
def tagged_statements(source: str, every: bool = False) -> dict[tuple[int, int], Entry]:
    """{(first line, last line): (statement, its tags)}."""
    of_line = tags(source, every)
    out = {}
    for node in statements(source):
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if any(line in of_line for line in lines):
            out[lines.start, lines.stop - 1] = node, [of_line[k] for k in lines if k in of_line]
    return out


Entry = tuple[ast.stmt, list[Tag]]


class Recorder:
    """with Recorder(paths, record): calls record(path, tag, value) for tagged lines that run."""

    def __init__(self, paths: Iterable[Any], record: Callable[[str, Tag, Any], None],
                 every: bool = False) -> None:
        self.record = record
        self.statement: dict[str, dict[int, Entry]] = {}       # path -> line -> (statement, tags)
        for path in map(str, paths):
            with open(path, encoding="utf-8") as file:
                found = tagged_statements(file.read(), every)
            self.statement[path] = {line: entry for (first, last), entry in found.items()
                                    for line in range(first, last + 1)}

    def __enter__(self) -> Recorder:
        self.before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(self.before)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        path = frame.f_code.co_filename
        if path not in self.statement or frame.f_code.co_name.startswith("<"):
            return None                          # <genexpr> and its like are parts of a statement
        of_line: dict[int, Entry] = self.statement[path]
        current: Entry | None = None

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            """At a new line, the statement before it has been run; what it returns comes last."""
            nonlocal current
            if event == "exception":
                current = None
            elif event == "return" or (event == "line" and not returns(current)):
                entry = of_line.get(frame.f_lineno) if event == "line" else None
                if current and entry is not current:
                    self._finished(path, *current, frame, argument)
                current = entry
            return trace

        return trace

    def _finished(self, path: str, node: ast.stmt, its_tags: list[Tag], frame: FrameType,
                  result: Any) -> None:
        value = result if returns((node, its_tags)) else assigned(node, frame)
        for tag in its_tags:
            self.record(path, tag, keyword(node, tag.line, value))


def returns(entry: Entry | None) -> bool:
    """Whether a statement returns or yields its value: it is known when the frame is left."""
    node = entry[0] if entry else None
    return isinstance(node, ast.Return) or isinstance(getattr(node, "value", None), ast.Yield)


def assigned(node: Any, frame: FrameType) -> Any:
    """The value of an assignment's target, of the fields that `self._set(name=...)` has set, or of
    what `.append(...)` has appended."""
    if isinstance(node, ast.Expr):
        call = node.value
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "self._set":
            return tuple(getattr(frame.f_locals["self"], str(one.arg)) for one in call.keywords)
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(".append"):
            last = ast.unparse(call.func).removesuffix(".append") + "[-1]"
            return eval(last, frame.f_globals, frame.f_locals)
        return None
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return eval(ast.unparse(target), frame.f_globals, frame.f_locals)


def keyword(node: ast.stmt, line: int, value: Any) -> Any:
    """The field of a returned NamedTuple that is set on that line, if there are several lines."""
    call = node.value if isinstance(node, ast.Return) else None
    if isinstance(call, ast.Call) and call.keywords and node.lineno != node.end_lineno:
        for one in call.keywords:
            if one.value.end_lineno == line and hasattr(value, str(one.arg)):
                return getattr(value, str(one.arg))
    return value


def arrays_of(value: Any) -> list[Any]:
    """The arrays and numbers in a value, in order: itself, or those in its tuples and dicts."""
    if isinstance(value, dict):
        return [part for one in value.values() for part in arrays_of(one)]
    if isinstance(value, (tuple, list)):
        return [part for one in value for part in arrays_of(one)]
    return [value] if isinstance(value, (np.ndarray, np.generic, float, complex)) else []


def holds(value: Any, part: Any) -> bool:
    """Whether a value is, or is a tuple, list or dict that holds, a certain object."""
    if isinstance(value, dict):
        value = list(value.values())
    return value is part or isinstance(value, (tuple, list)) and any(holds(one, part)
                                                                     for one in value)


def length(word: str, letters: dict[str, int]) -> int | None:
    """The length that a letter, 2d or 2^d stands for; None for a letter without a meaning."""
    if word in letters:
        return letters[word]
    if word.isdecimal():
        return int(word)
    product = re.fullmatch(r"(\d+)(\^?)(\w+)", word)
    if product and product[3] in letters:
        factor, of = int(product[1]), letters[product[3]]
        return factor ** of if product[2] else factor * of
    return None


def fits(shape: tuple[int, ...], words: tuple[str, ...], letters: dict[str, int]) -> bool:
    """Whether a shape is the one in the comment; a letter without a meaning stands for any length,
    the same for the same letter."""
    if words and words[0] == "...":
        shape, words = shape[len(shape) - len(words) + 1:], words[1:]
    if len(shape) != len(words):
        return False
    meaning: dict[str, int] = {}
    for size, word in zip(shape, words):
        want = length(word, letters)
        if size != (meaning.setdefault(word, size) if want is None else want):
            return False
    return True


def agrees(tag: Tag, value: Any, letters: dict[str, int]) -> bool:
    """Whether a value has the shapes of its tag: those of some of its arrays, in their order.

    With `each`, the last two arrays have the one shape.
    """
    shapes = [np.shape(array) for array in arrays_of(value)]
    if tag.each:
        return len(shapes) > 1 and all(fits(shape, tag.shapes[0], letters) for shape in shapes[-2:])
    rest = iter(shapes)
    return all(any(fits(shape, words, letters) for shape in rest) for words in tag.shapes)
