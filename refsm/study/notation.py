"""From the notation of the heads to MathML: a recursive-descent parser of one line.

Symbols
    row       factors, signs and words up to a closing bracket
    product   the factors of a row since the last sign, word or sum
    factor    a number, a name with its index letters, a bracket, a function applied; with powers

Conventions
    A slash divides the whole product before it by the one factor behind it, as in the heads:
    `e y_i y_k / 2` is a half of all three.  Before a differential, as in `alpha_j d J / d theta`,
    the numerator begins at the d.  A sum ends the product: `2 sum_j s_j / 3` divides s_j.
    ' is kept as it is written.  A tilde stands over x_noisy, a hat over a letter with _hat.
"""
from __future__ import annotations

import html
import re
from typing import Any, Callable, Collection, NamedTuple

from refsm.study.tokens import FUNCTIONS, GREEK, OPERATORS, SIGNS, Token, differential, tokens

__all__ = ["Notation", "NotationError", "Piece"]

CODE = re.compile(r" @ |\.sum\(|>>>|\bimport ")
INDEX = re.compile(r"[ijklmnrqst]{1,3}|\d+|[A-Z]|T")
PAIRS = {"(": ")", "[": "]", "{": "}", "|": "|", "||": "||", "<": ">"}
SHOWN = {"<": "⟨", ">": "⟩", "||": "‖"}


class NotationError(ValueError):
    """A line that the grammar does not have."""


class Factor(NamedTuple):
    """A factor: its MathML, what a bracket holds, and whether it is a differential."""

    ml: str
    inner: str = ""
    is_d: bool = False


class Piece(NamedTuple):
    """A part of a line: text, math (MathML without the <math>), ref, statement, code or gap."""

    kind: str
    body: str


def _mo(text: str) -> str:
    return f"<mo>{html.escape(text)}</mo>"


def _fence(text: str) -> str:
    return f'<mo stretchy="false">{html.escape(SHOWN.get(text, text))}</mo>'


def _row(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"


class Notation:
    """The notation of one room: its symbols, the numbers of its equations, and what failed.

    >>> Notation(["x"]).math("x^2 / 2")
    '<mfrac><msup><mi class="y-x">x</mi><mn>2</mn></msup><mn>2</mn></mfrac>'
    """

    def __init__(self, symbols: Collection[str] = (), numbers: Collection[int] = (),
                 link: Callable[[int], str] = lambda k: f"({k})") -> None:
        self.symbols, self.numbers, self.link = set(symbols), set(numbers), link
        self.failed: list[str] = []

    # -- one expression -------------------------------------------------------------------------

    def math(self, text: str) -> str:
        """MathML of one expression; NotationError where it cannot be parsed."""
        return self._all(tokens(text, self.symbols))

    def _all(self, found: list[Token]) -> str:
        self.left, self.at = found, 0
        parts = self._parts("")
        if self.at < len(found):
            raise NotationError(f"unexpected {found[self.at].text!r}")
        return "".join(parts)

    def _peek(self) -> Token | None:
        return self.left[self.at] if self.at < len(self.left) else None

    def _next(self) -> Token:
        token = self._peek()
        if token is None:
            raise NotationError("the line ends too early")
        self.at += 1
        return token

    def _parts(self, closing: str) -> list[str]:
        """The MathML of a row up to its closing bracket, which is left to the caller."""
        out: list[str] = []
        product: list[Factor] = []

        def flush(*more: str) -> None:
            out.extend(factor.ml for factor in product)
            product.clear()
            out.extend(more)

        while (token := self._peek()) is not None and token.kind != "close":
            if token.kind == "sign":
                flush(_mo(SIGNS[self._next().text]))
            elif token.kind == "given":
                flush(_mo(SHOWN.get(self._next().text, "|")))
            elif token.kind == "mark" or token.kind == "dots":
                mark = self._next().text
                flush(_mo({"...": "…"}.get(mark, mark)))
            elif token.kind == "dot":
                self._next()
                product.append(Factor(_mo("⋅")))
            elif token.kind == "slash":
                self._divide(product, tight=not self._next().before)
            elif token.kind == "name" and token.text.split("_")[0] in OPERATORS:
                flush(self._operator())
            elif token.kind in ("word", "quote", "code", "possessive"):
                flush(self._words())
            else:
                product.append(self._factor())
        if closing and (token is None or not self._closes(closing, token.text)):
            raise NotationError(f"{closing!r} is missing")
        flush()
        return out

    @staticmethod
    def _closes(closing: str, text: str) -> bool:
        return text == closing or (closing in ")]" and text in ")]")       # half-open intervals

    def _divide(self, product: list[Factor], tight: bool) -> None:
        if not product:
            raise NotationError("nothing stands before the slash")
        below = self._factor()
        if below.is_d:
            parts = [below.ml]
            while (token := self._peek()) is not None and token.kind == "name" \
                    and differential(token.text, self.symbols):
                parts.append(self._factor().ml)
            below = Factor(_row(parts), is_d=True)
        starts = [k for k, factor in enumerate(product) if factor.is_d]
        first = starts[-1] if below.is_d and starts else len(product) - 1 if tight else 0
        above = product[first:]
        numerator = above[0].inner if len(above) == 1 and above[0].inner else ""
        numerator = numerator or _row([factor.ml for factor in above])
        product[first:] = [Factor(f"<mfrac>{numerator}{below.inner or below.ml}</mfrac>")]

    def _operator(self) -> str:
        name, _, index = self._next().text.partition("_")
        sign = _mo(OPERATORS[name])
        token = self._peek()
        if not index and token is not None and token.kind in ("under", "open") and not token.before \
                and self.left[self.at - 1].text.endswith("_"):
            below = self._factor().inner
        elif index:
            below = self._index(index)
        else:
            return sign
        return f"<munder>{sign}{below}</munder>"

    def _words(self) -> str:
        said = []
        while (token := self._peek()) is not None and token.kind in ("word", "quote", "code",
                                                                     "possessive"):
            text = self._next().text
            said.append((" " if token.before else "") + ("∈" if text == "in" else text))
            if token.after and (following := self._peek()) is not None \
                    and following.kind not in ("word", "quote", "code"):
                said.append(" ")
        return f"<mtext>{html.escape(''.join(said)).replace(' ', ' ')}</mtext>"

    # -- one factor -----------------------------------------------------------------------------

    def _factor(self) -> Factor:
        token = self._next()
        sub, inner, is_d = "", "", False
        if token.kind == "name":
            base, sub, is_d = self._name(token.text)
            after = self._peek()
            if is_d and token.text == "d" and after is not None and after.kind == "name" \
                    and self._divides_next():
                return Factor(_row([base, self._factor().ml]), is_d=True)
            if token.text in FUNCTIONS and after is not None and after.before \
                    and after.kind in ("name", "number", "open") and self._divides_next():
                return Factor(_row([base, self._factor().ml]))
        elif token.kind == "number":
            base = f"<mn>{token.text}</mn>"
        elif token.kind == "ref":
            number = token.text[1:-1]
            base = self.link(int(number)) if int(number) in self.numbers else f"({number})"
            base = f"<mtext>{base}</mtext>"
        elif token.kind == "open":
            base, inner = self._group(token.text)
            inner = inner if token.text in "({" else ""
        elif token.kind == "sign" and token.text in "+-":
            return Factor(_row([_mo(SIGNS[token.text]), self._factor().ml]))
        elif token.kind in ("word", "quote", "code"):
            self.at -= 1
            return Factor(self._words())
        else:
            raise NotationError(f"unexpected {token.text!r}")
        factor = self._scripts(base, sub, inner, is_d, token.text)
        after = self._peek()
        if token.text in FUNCTIONS and after is not None and after.before and after.kind in (
                "name", "number", "open") and token.text != "grad":
            return factor._replace(ml=factor.ml + '<mspace width="0.17em"/>')
        return factor

    def _divides_next(self) -> bool:
        """Whether the factor in hand stands behind a slash, where `d x` and `log 4` are one."""
        return self.at >= 2 and self.left[self.at - 2].kind == "slash"

    def _scripts(self, base: str, sub: str, inner: str, is_d: bool, name: str) -> Factor:
        """Powers, primes, indices in brackets, and arguments, which follow without a space."""
        powers: list[str] = []
        applied = ""
        while (token := self._peek()) is not None and not token.before:
            if token.kind == "prime":
                powers.append(_mo("′"))
            elif token.kind == "factorial":
                base = _row([base, _mo("!")])
            elif token.kind == "caret":
                self._next()
                powers.append(self._power())
                inner = ""
                continue
            elif token.kind == "under":
                self._next()
                below = self._factor()
                sub = below.inner or below.ml
                continue
            elif token.kind == "name" and token.text.startswith("_"):
                break
            elif token.kind == "open" and token.text != "|" and name.endswith("_") and not sub:
                sub = self._group(self._next().text)[1]
                continue
            elif token.kind == "open" and name[:1].isalpha() and (
                    token.text in "([" or name in FUNCTIONS) and not applied:
                applied = self._argument(name, self._next().text)
                root = name == "sqrt" and not sub and not powers
                base = applied if root else _row([self._scripted(base, sub, powers), applied])
                sub, powers = "", []
                continue
            else:
                break
            self._next()
            inner = ""
        return Factor(self._scripted(base, sub, powers), inner, is_d)

    def _argument(self, name: str, opening: str) -> str:
        group, inner = self._group(opening)
        if name == "sqrt":
            return f"<msqrt>{inner if opening == '(' else group}</msqrt>"
        return f"<mo>&#x2061;</mo>{group}"

    @staticmethod
    def _scripted(base: str, sub: str, powers: list[str]) -> str:
        if sub and powers:
            return f"<msubsup>{base}{sub}{_row(powers)}</msubsup>"
        if sub:
            return f"<msub>{base}{sub}</msub>"
        return f"<msup>{base}{_row(powers)}</msup>" if powers else base

    def _power(self) -> str:
        token = self._next()
        if token.kind == "sign" and token.text == "-":
            return _row([_mo("−"), self._power()])
        if token.kind == "number":
            return f"<mn>{token.text}</mn>"
        if token.kind == "name":
            base, sub, _ = self._name(token.text)
            return self._scripted(base, sub, [])
        if token.kind == "open":
            group, inner = self._group(token.text)
            return inner if token.text in "({" else group
        raise NotationError(f"{token.text!r} is no power")

    def _group(self, opening: str) -> tuple[str, str]:
        """A bracket with its content, and the content alone."""
        parts = self._parts(PAIRS[opening])
        closing = self._next().text
        inner = _row(parts) if parts else "<mrow></mrow>"
        return _row([_fence(opening), *parts, _fence(closing)]), inner

    # -- names ----------------------------------------------------------------------------------

    def _name(self, text: str) -> tuple[str, str, bool]:
        """MathML of the letter, of its indices, and whether it is a differential."""
        behind = differential(text, self.symbols)
        if behind:
            base, sub, _ = self._name(behind)
            return _row(['<mi mathvariant="normal">d</mi>', base]), sub, True
        head, *rest = [part for part in text.split("_") if part]
        mark = ""
        if rest and text.startswith("x_noisy"):
            rest, mark = rest[1:], "˜"
        elif rest and rest[0] == "hat":
            rest, mark = rest[1:], "^"
        if head == "log" and rest:
            base, sub, _ = self._name("_".join(rest))
            return _row(["<mi>log</mi>", base]), sub, False
        letter = GREEK.get(head, "∇" if head == "grad" else head)
        letter = "∂" if text in ("d_i", "d_j", "d_k") and text not in self.symbols else letter
        base = f'<mi{self._class(text)}>{letter}</mi>'
        if mark:
            base = f'<mover accent="true">{base}<mo stretchy="false">{mark}</mo></mover>'
        return base, self._index(*rest) if rest else "", text == "d"

    def _index(self, *parts: str) -> str:
        shown: list[str] = []
        for k, part in enumerate(parts):
            if k:
                shown.append(_mo(","))
            if "," in part:
                shown += [_mo(",") if one == "," else f"<mi>{one}</mi>" for one in part]
            elif INDEX.fullmatch(part):
                shown += [f"<mn>{one}</mn>" if one.isdigit() else f"<mi>{one}</mi>"
                          for one in re.findall(r"\d+|.", part)]
            else:
                shown.append(f'<mi mathvariant="normal">{GREEK.get(part, part)}</mi>')
        return _row(shown)

    def symbol(self, text: str) -> str:
        """The name in the glossary that a name with indices stands for, or ''."""
        text = differential(text, self.symbols) or text
        parts = text.split("_")
        names = ("_".join(parts[:k]) for k in range(len(parts), 0, -1))
        return next((name for name in names if name in self.symbols), "")

    def _class(self, text: str) -> str:
        symbol = self.symbol(text)
        return f' class="y-{symbol}"' if symbol else ""

    # -- a line of text and mathematics -----------------------------------------------------------

    def line(self, text: str, equation: bool = False) -> list[Piece]:
        """The pieces of a line; what cannot be parsed is text, and is noted in `failed`.

        In an equation, a bracket that holds words is mathematics; in a sentence it is a sentence.
        """
        if CODE.search(text):
            return [Piece("code", text)]
        found = tokens(text, self.symbols)
        is_math = _runs(found, equation)
        out: list[Piece] = []
        k = 0
        while k < len(found):
            token = found[k]
            if out and token.before and (k > 0):
                wide = _gap(token) or found[k - 1].text == "," and token.before > 1
                out.append(Piece("gap" if equation and wide else "text", " "))
            if not is_math[k]:
                out.append(self._plain(token))
                k += 1
                continue
            end = k
            while end < len(found) and is_math[end] and (
                    end == k or not (equation and _gap(found[end]))):
                end += 1
            out.append(self._run(found[k:end]))
            k = end
        return out

    def _plain(self, token: Token) -> Piece:
        if token.kind == "ref" and int(token.text[1:-1]) in self.numbers:
            return Piece("ref", token.text[1:-1])
        if token.kind in ("statement", "code"):
            return Piece(token.kind, token.text.strip("`"))
        return Piece("text", "–" if token.text == "-" else token.text)

    def _run(self, run: list[Token]) -> Piece:
        if len(run) == 1 and (run[0].kind == "number" or run[0].kind == "name"
                              and len(run[0].text) > 2 and run[0].text in self.symbols
                              and run[0].text not in GREEK and "_" not in run[0].text):
            return Piece("symbol" if run[0].kind == "name" else "text", run[0].text)
        try:
            return Piece("math", self._all(run))
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

    def mark(first: int, last: int) -> None:
        k = first
        while k < last:
            token = found[k]
            end = partner.get(k)
            if token.kind == "open" and end is not None and end < last:
                inside = found[k + 1:end]
                words = sum(one.kind in ("word", "possessive", "statement", "code") for one in inside)
                glued = (not token.before and k > 0 and found[k - 1].kind in ("name", "caret", "under"))
                alone = words and any(one.kind == "sign" for one in inside) and not any(
                    inside[i].kind == inside[i + 1].kind == "word" for i in range(len(inside) - 1))
                if equation or glued or alone or not words:
                    out[k:end + 1] = [True] * (end + 1 - k)
                else:
                    mark(k + 1, end)
                k = end + 1
                continue
            out[k] = _belongs(found, k)
            k += 1

    mark(0, len(found))
    _trim(found, out)
    return out


def _belongs(found: list[Token], k: int) -> bool:
    token = found[k]
    if token.kind in ("name", "number", "sign", "slash", "caret", "under", "given", "factorial",
                      "dots"):
        return True
    if token.kind == "prime":
        return not token.before and k > 0 and found[k - 1].kind in ("name", "close", "number", "prime")
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
        if out[k] and kind == "prime" and not (k > 0 and out[k - 1]):
            out[k] = False
    k = 0
    while k < len(found):
        end = k
        while end < len(found) and out[end]:
            end += 1
        if end > k and not any(one.kind in operand for one in found[k:end]):
            lone = all(one.text not in ("=", "<=", ">=", "<", ">", "~", "+", "-") for one in found[k:end])
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
            if waiting and Notation._closes(PAIRS[found[waiting[-1]].text], token.text):
                out[waiting.pop()] = k
            elif waiting and token.text in ")]}":
                waiting.pop()
    return out


def plain(value: Any) -> str:
    """Text for HTML."""
    return html.escape(str(value))
