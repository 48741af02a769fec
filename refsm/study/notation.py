"""A line of a head as pieces: text, mathematics as MathML, references, statements and code.

What the grammar of `refsm.study.mathml` does not have is shown as text, and noted.
"""
from __future__ import annotations

import re
from typing import Callable, Collection, NamedTuple

from refsm.study.mathml import PAIRS, Expression, NotationError
from refsm.study.tokens import GREEK, SIGNS, Token, tokens

__all__ = ["Notation", "NotationError", "Piece"]

KEPT = ("=", "<=", ">=", "<", ">", "~", "+", "-")       # signs that are mathematics by themselves
LABEL = re.compile(r"\s*(?:\d+  +|(?:\d+ +)?\([a-z]\) +)(?=\S)")   # 22  (a)  in a margin
CODE = re.compile(r" @ |\.sum\(|>>>|\bimport ")


class Piece(NamedTuple):
    """A part of a line: text, math (MathML without the <math>), ref, statement, code or gap."""

    kind: str
    body: str


class Notation(Expression):
    """The notation of one room, and the lines of it that could not be parsed, in `failed`.

    >>> [piece.kind for piece in Notation(["x"]).line("a half of x^2")]
    ['text', 'text', 'text', 'text', 'text', 'text', 'math']
    """

    def __init__(self, symbols: Collection[str] = (), numbers: Collection[int] = (),
                 link: Callable[[int], str] = lambda k: f"({k})") -> None:
        super().__init__(symbols, numbers, link)
        self.failed: list[str] = []

    def line(self, text: str, equation: bool = False) -> list[Piece]:
        """The pieces of a line; what cannot be parsed is text, and is noted in `failed`.

        In an equation, a bracket that holds words is mathematics; in a sentence it is a sentence.
        """
        if CODE.search(text):
            return [Piece("code", text)]
        label = LABEL.match(text)
        if label:
            return [Piece("text", label.group()), *self.line(text[label.end():], equation)]
        found = tokens(text, self.symbols)
        is_math = _runs(found, equation)
        out: list[Piece] = []
        k = 0
        while k < len(found):
            token = found[k]
            if out and token.before:
                wide = _gap(token) or equation and found[k - 1].text == "," and token.before > 1
                out.append(Piece("gap" if wide else "text", " "))
            if not is_math[k]:
                out.append(self._plain(token))
                k += 1
                continue
            end = k
            while end < len(found) and is_math[end] and (
                    end == k or not _gap(found[end])):
                end += 1
            out.append(self._run(found[k:end]))
            k = end
        return out

    def _plain(self, token: Token) -> Piece:
        if token.kind == "ref" and int(token.text[1:-1]) in self.numbers:
            return Piece("ref", token.text[1:-1])
        if token.kind in ("statement", "code"):
            return Piece(token.kind, token.text.strip("`"))
        return Piece("text", {"-": "–", "->": "→"}.get(token.text, token.text))

    def _run(self, run: list[Token]) -> Piece:
        if len(run) == 1 and (run[0].kind == "number" or run[0].kind == "name"
                              and len(run[0].text) > 2 and run[0].text in self.symbols
                              and run[0].text not in GREEK and "_" not in run[0].text):
            return Piece("symbol" if run[0].kind == "name" else "text", run[0].text)
        try:
            return Piece("math", self.parsed(run))
        except NotationError as error:
            said = "".join(" " * bool(token.before and k) + token.text
                           for k, token in enumerate(run))
            self.failed.append(f"{said}: {error}")
            return Piece("text", said)


def _gap(token: Token) -> bool:
    """Whether the columns before a token set it apart; those before `=` only align it."""
    return token.before > 2 and token.text not in SIGNS and token.kind not in ("close", "slash")


def _runs(found: list[Token], equation: bool) -> list[bool]:
    """Whether each token belongs to mathematics: words outside of brackets, punctuation at the top
    level and references do not."""
    partner = _partners(found)
    out = [False] * len(found)

    k = 0
    while k < len(found):
        end = partner.get(k)
        if end is not None and (equation or _is_mathematics(found, k, end)):
            out[k:end + 1] = [True] * (end + 1 - k)
            k = end
        else:
            out[k] = _belongs(found, k)
        k += 1
    _trim(found, out)
    return out


def _is_mathematics(found: list[Token], k: int, end: int) -> bool:
    """Whether the bracket at k, in a sentence, belongs to the mathematics with all that it holds:
    it has no words, or stands directly behind a name, or has signs and no two words in a row."""
    kinds = [one.kind for one in found[k:end]]
    if not {"word", "possessive", "statement", "code"} & set(kinds):
        return True
    glued = not found[k].before and found[k - 1].kind in ("name", "caret", "under")
    return glued or "sign" in kinds and ("word", "word") not in zip(kinds, kinds[1:])


def _belongs(found: list[Token], k: int) -> bool:
    token = found[k]
    if token.kind in ("name", "number", "sign", "slash", "caret", "under", "given", "factorial",
                      "dots"):
        return True
    if token.kind in ("prime", "raised"):
        return not token.before and found[k - 1].kind in ("name", "close", "number", "prime")
    return token.kind == "dot" and not (token.after and not token.before)


def _trim(found: list[Token], out: list[bool]) -> None:
    """Signs and dots at the end of a run, or alone in one, are text; a prime needs its letter."""
    operand = ("name", "number", "close", "open")
    for k in range(len(found)):
        kind = found[k].kind
        if out[k] and kind in ("slash", "caret", "under", "dot", "given"):
            whole = (k > 0 and k + 1 < len(found) and out[k - 1] and out[k + 1])
            if not whole:
                out[k] = False
        if kind in ("prime", "raised") and not out[k - 1]:
            out[k] = False
    k = 0
    while k < len(found):
        end = k
        while end < len(found) and out[end]:
            end += 1
        if not any(one.kind in operand for one in found[k:end]):
            lone = not any(one.text in KEPT for one in found[k:end])
            out[k:end] = [not lone] * (end - k)
        k = max(end, k + 1)


def _partners(found: list[Token]) -> dict[int, int]:
    """{place of an opening bracket: that of its closing one}."""
    out: dict[int, int] = {}
    waiting: list[int] = []
    for k, token in enumerate(found):
        if token.kind == "open":
            waiting.append(k)
        elif token.kind == "close":
            if waiting and Expression.closes(PAIRS[found[waiting[-1]].text], token.text):
                out[waiting.pop()] = k
            elif waiting and token.text in ")]}":
                waiting.pop()
    return out
