"""Code as HTML: highlighted by the tokens of the standard library, a link at every number, and the
array that a tagged line computes folded behind it."""
from __future__ import annotations

import html
import io
import keyword
import re
import tokenize
from typing import Any, Callable, Mapping

from refsm.study.worked import text_of
from refsm.study.heads import Room
from refsm.study.recorder import Tag

__all__ = ["highlighted", "listing"]

NUMBER = re.compile(r"\((\d+)\)")
DEFINES = re.compile(r"@|def |class |[A-Z]\w+ =")


def highlighted(source: str, symbol: Callable[[str], str] = lambda name: "",
                numbers: frozenset[int] = frozenset()) -> list[str]:
    """The lines of a source as HTML.

    >>> highlighted("x = None")
    ['x = <b>None</b>']
    """
    out = [""] * (source.count("\n") + 1)
    row, column = 1, 0
    lines = source.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        (first, start), (last, end) = token.start, token.end
        if token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT,
                          tokenize.ENDMARKER):
            continue
        if first != row:
            out[row - 1] += html.escape(lines[row - 1][column:].rstrip("\n"), quote=False)
            row, column = first, 0
        out[row - 1] += html.escape(lines[row - 1][column:start], quote=False)
        parts = token.string.split("\n")
        for k, part in enumerate(parts):
            out[first - 1 + k] += _token(token.type, part, symbol, numbers)
        row, column = last, end
    return out[:len(lines)]


def _token(kind: int, text: str, symbol: Callable[[str], str], numbers: frozenset[int]) -> str:
    shown = html.escape(text, quote=False)
    if not text:
        return ""
    if kind == tokenize.COMMENT:
        return f"<i>{NUMBER.sub(lambda found: _link(found, numbers), shown)}</i>"
    if kind == tokenize.STRING or kind not in (tokenize.NAME, tokenize.OP, tokenize.NUMBER):
        return f"<q>{shown}</q>"
    if kind == tokenize.NAME and keyword.iskeyword(text):
        return f"<b>{shown}</b>"
    name = symbol(text) if kind == tokenize.NAME else ""
    return f"<u class=y-{name}>{shown}</u>" if name else shown


def _link(found: re.Match[str], numbers: frozenset[int]) -> str:
    number = int(found.group(1))
    return f'<a href="#e{number}">({number})</a>' if number in numbers else found.group()


def listing(room: Room, recorded: Mapping[int, tuple[Tag, Any]],
            symbol: Callable[[str], str]) -> str:
    """The code of a room; a tagged line unfolds to what it has computed.

    Every line begins with an empty <s>, which the style sheet numbers.  A line has an id if a
    number leads to it, or if a definition begins there.
    """
    lines = highlighted(room.source, symbol, frozenset(room.numbers))
    source = room.source.splitlines()
    linked = {line for number in room.numbers for line in room.lines_of(number)}
    ends = {room.starts.get(k, k): k for k in recorded}
    out, plain = list[str](), list[str]()

    def close() -> None:
        if plain:
            out.append("<pre>" + "\n".join(plain) + "</pre>")
            plain.clear()

    k = room.code_starts
    while k <= len(lines):
        last = ends.get(k, k)
        text = "\n".join(f"<s></s>{line}" for line in lines[k - 1:last])
        if last in recorded:
            close()
            out.append(f'<details id="L{k}"><summary><code>{text}</code></summary>'
                       f"<pre>{html.escape(text_of(recorded[last][1]))}</pre></details>")
        elif k in linked or DEFINES.match(source[k - 1]):
            plain.append(f'<span id="L{k}">{text}</span>')
        else:
            plain.append(text)
        k = last + 1
    close()
    return "\n".join(out)
