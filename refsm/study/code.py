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
    """The code of a room, one element per line; a tagged line unfolds to what it has computed."""
    numbers = frozenset(room.numbers)
    lines = highlighted(room.source, symbol, numbers)
    cited = {one.line for one in room.cited}
    starts = {room.starts[k]: k for k in recorded if k in room.starts}
    skipped: set[int] = set()
    out, plain = list[str](), list[str]()

    def close() -> None:
        if plain:
            out.append("<pre>" + "\n".join(plain) + "</pre>")
            plain.clear()

    for k in range(room.code_starts, len(lines) + 1):
        text = f"<s>{k}</s>{lines[k - 1]}"
        tagged = starts.get(k, k)
        if k in skipped:
            continue
        if tagged in recorded:
            close()
            _, value = recorded[tagged]
            skipped |= set(range(k, tagged + 1))
            text += "".join(f"\n<s id=L{j}>{j}</s>{lines[j - 1]}" for j in range(k + 1, tagged + 1))
            out.append(f'<details id="L{k}"><summary><code>{text}</code></summary>'
                       f"<pre>{html.escape(text_of(value))}</pre></details>")
        elif k in cited:
            plain.append(f'<span id="L{k}">{text}</span>')
        else:
            plain.append(f"<s id=L{k}>" + text[3:])
    close()
    return "\n".join(out)
