"""From the notation of the heads to MathML: a recursive-descent parser of one expression.

Symbols
    row       factors, signs and words up to a closing bracket
    product   the factors of a row since the last sign, word or sum
    factor    a number, a name with its index letters, a bracket, a function applied; with powers

Conventions
    A slash divides the whole product before it by the one factor behind it, as in the heads:
    `e y_i y_k / 2` is a half of all three.  Before a differential, as in `alpha_j d J / d theta`,
    the numerator begins at the d.  A sum ends the product, `2 sum_j s_j / 3` divides s_j; below a
    slash it holds the product behind it, as in `e_k / sum_l e_l`.
    ' is kept as it is written.
"""
from __future__ import annotations

import html
import re
from typing import Callable, Collection

from refsm.study.letters import SHOWN, Factor, Letters, fence, joined, operator, row
from refsm.study.tokens import FUNCTIONS, OPERATORS, SIGNS, Token, differential, tokens

__all__ = ["Expression", "NotationError", "PAIRS"]

PAIRS = {"(": ")", "[": "]", "{": "}", "|": "|", "||": "||", "<": ">"}
D = '<mi mathvariant="normal">d</mi>'
UPRIGHT = re.compile(r'<mi(?: class="y-d")?>d</mi>')
NO_BREAK = "\u00a0"            # a space that stays at the ends of an element

class NotationError(ValueError):
    """A line that the grammar does not have."""


class Expression:
    """The mathematics of one room: its symbols, and the numbers of its equations.

    >>> Expression(["x"]).math("x^2 / 2")
    '<mfrac><msup><mi class="y-x">x</mi><mn>2</mn></msup><mn>2</mn></mfrac>'
    """

    def __init__(self, symbols: Collection[str] = (), numbers: Collection[int] = (),
                 link: Callable[[int], str] = lambda k: f"({k})") -> None:
        self.symbols, self.numbers, self.link = set(symbols), set(numbers), link
        self.letters = Letters(symbols)

    # -- one expression -------------------------------------------------------------------------

    def math(self, text: str) -> str:
        """MathML of one expression; NotationError where it cannot be parsed."""
        return self.parsed(tokens(text, self.symbols))

    def parsed(self, found: list[Token]) -> str:
        """MathML of the tokens of one expression."""
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
            out.extend(joined(product))
            product.clear()
            out.extend(more)

        while (token := self._peek()) is not None and token.kind != "close":
            if token.kind == "sign":
                flush(operator(SIGNS[self._next().text]))
            elif token.kind == "given":
                flush(operator(SHOWN.get(self._next().text, "|")))
            elif token.kind == "mark" or token.kind == "dots":
                mark = self._next().text
                flush(operator({"...": "…"}.get(mark, mark)) if mark != "," or self._goes_on()
                      else '<mo rspace="0">,</mo>')
            elif token.kind == "dot":
                self._next()
                product.append(Factor(operator("⋅")))
            elif token.kind == "slash":
                self._divide(product, tight=not self._next().before)
            elif token.kind == "name" and token.text.split("_")[0] in OPERATORS:
                flush(self._operator())
            elif token.kind in ("word", "quote", "code", "possessive"):
                flush(self._words())
            else:
                product.append(self._factor())
        if closing and (token is None or not self.closes(closing, token.text)):
            raise NotationError(f"{closing!r} is missing")
        flush()
        return out

    def _goes_on(self) -> bool:
        """Whether something follows before the bracket closes: `(d,)` has no space in it."""
        token = self._peek()
        return token is not None and token.kind != "close"

    @staticmethod
    def closes(closing: str, text: str) -> bool:
        """Whether a bracket ends what waits for another: so do those of half-open intervals."""
        return text == closing or (closing in ")]" and text in ")]")       # half-open intervals

    def _divide(self, product: list[Factor], tight: bool) -> None:
        if not product:
            raise NotationError("nothing stands before the slash")
        after = self._peek()
        sums = after is not None and after.kind == "name" and after.text.split("_")[0] in OPERATORS
        below = Factor(self._sum()) if sums else self._factor()
        if UPRIGHT.fullmatch(below.ml):                  # 1 / d: the number of dimensions
            below = below._replace(is_d=False)
        if below.is_d:
            parts = [below.ml]
            while (token := self._peek()) is not None and token.kind == "name" \
                    and differential(token.text, self.symbols):
                parts.append(self._factor().ml)
            below = Factor(row(parts), is_d=True)
        starts = [k for k, factor in enumerate(product) if factor.is_d]
        first = starts[-1] if below.is_d and starts else len(product) - 1 if tight else 0
        above = product[first:]
        numerator = above[0].inner if len(above) == 1 and above[0].inner else ""
        numerator = numerator or row(joined(above))
        if below.is_d:
            numerator = UPRIGHT.sub(D, numerator, count=1)
            below = Factor(UPRIGHT.sub(D, below.ml, count=1))
        product[first:] = [Factor(f"<mfrac>{numerator}{below.inner or below.ml}</mfrac>")]

    def _sum(self) -> str:
        """A sum below a slash, with the product that it sums."""
        sign, summed = self._operator(), list[Factor]()
        while (token := self._peek()) is not None and token.kind in ("name", "number", "open"):
            summed.append(self._factor())
        return row([sign, *joined(summed)])

    def _operator(self) -> str:
        name, _, index = self._next().text.partition("_")
        sign = operator(OPERATORS[name])
        token = self._peek()
        if not index and token is not None and token.kind == "open" and not token.before \
                and self.left[self.at - 1].text.endswith("_"):
            below = self._factor().inner
        elif index:
            below = self.letters.index(index)
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
        return f"<mtext>{html.escape(''.join(said)).replace(' ', NO_BREAK)}</mtext>"

    # -- one factor -----------------------------------------------------------------------------

    def _factor(self) -> Factor:
        token = self._next()
        sub, inner, is_d = "", "", False
        if token.kind == "name":
            base, sub, is_d = self.letters.name(token.text)
            after = self._peek()
            if is_d and token.text == "d" and after is not None and after.kind == "name" \
                    and after.text.split("_")[0] not in OPERATORS and self._divides_next():
                return Factor(row([base, self._factor().ml]), is_d=True)
            if token.text in FUNCTIONS and after is not None and after.before \
                    and after.kind in ("name", "number", "open") and self._divides_next():
                return Factor(row([base, self._factor().ml]))
        elif token.kind == "number":
            base = f"<mn>{token.text}</mn>"
        elif token.kind == "ref":
            number = token.text[1:-1]
            base = self.link(int(number)) if int(number) in self.numbers else f"({number})"
            base = f"<mtext>{base}</mtext>"
        elif token.kind == "open":
            base, inner = self._group(token.text)
            inner = inner if token.text in "({" else ""
        elif token.text in ("+", "-"):
            return Factor(row([operator(SIGNS[token.text]), self._factor().ml]))
        elif token.kind in ("word", "quote", "code"):
            self.at -= 1
            return Factor(self._words())
        else:
            raise NotationError(f"unexpected {token.text!r}")
        return self._scripts(base, sub, inner, is_d, token.text)

    def _divides_next(self) -> bool:
        """Whether the factor in hand stands behind a slash, where `d x` and `log 4` are one."""
        return self.left[self.at - 2].kind == "slash"

    def _scripts(self, base: str, sub: str, inner: str, is_d: bool, name: str) -> Factor:
        """Powers, primes, indices in brackets, and arguments, which follow without a space."""
        powers: list[str] = []
        applied = ""
        while (token := self._peek()) is not None and not token.before:
            if token.kind == "prime":
                powers.append(operator("′"))
            elif token.kind == "raised":
                powers.append(operator(SIGNS[token.text]))
            elif token.kind == "factorial":
                base = row([base, operator("!")])
            elif token.kind == "caret" and self._is_hat(token):
                base = f'<mover accent="true">{base}{operator("^")}</mover>'
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
            elif token.kind == "open" and name.endswith("_") and not sub:
                sub = self._group(self._next().text)[1]
                continue
            elif token.kind == "open" and name[:1].isalpha() and (
                    token.text in "([" or name in FUNCTIONS) and not applied:
                applied = self._argument(name, self._next().text)
                root = name == "sqrt" and not sub and not powers
                base = applied if root else row([self._scripted(base, sub, powers), applied])
                sub, powers = "", []
                continue
            else:
                break
            self._next()
            inner = ""
        return Factor(self._scripted(base, sub, powers), inner, is_d)

    def _is_hat(self, caret: Token) -> bool:
        """Whether a caret is the hat of `theta^ = ...`: no power follows it."""
        rest = self.left[self.at + 1:]
        return bool(caret.after) or not rest or rest[0].kind == "close"

    def _argument(self, name: str, opening: str) -> str:
        group, inner = self._group(opening)
        if name == "sqrt":
            return f"<msqrt>{inner if opening == '(' else group}</msqrt>"
        return f"<mo>&#x2061;</mo>{group}"

    @staticmethod
    def _scripted(base: str, sub: str, powers: list[str]) -> str:
        if sub and powers:
            return f"<msubsup>{base}{sub}{row(powers)}</msubsup>"
        if sub:
            return f"<msub>{base}{sub}</msub>"
        return f"<msup>{base}{row(powers)}</msup>" if powers else base

    def _power(self) -> str:
        token = self._next()
        if token.kind == "sign" and token.text in "+-":
            alone = (after := self._peek()) is None or bool(after.before) or after.kind == "close"
            return row([operator(SIGNS[token.text]), *([] if alone else [self._power()])])
        if token.kind == "number":
            return f"<mn>{token.text}</mn>"
        if token.kind == "name":
            base, sub, _ = self.letters.name(token.text)
            return self._scripted(base, sub, [])
        if token.kind == "open":
            group, inner = self._group(token.text)
            return inner if token.text in "({" else group
        raise NotationError(f"{token.text!r} is no power")

    def _group(self, opening: str) -> tuple[str, str]:
        """A bracket with its content, and the content alone."""
        parts = self._parts(PAIRS[opening])
        closing = self._next().text
        inner = row(parts) if parts else "<mrow></mrow>"
        return row([fence(opening, inner), *parts, fence(closing, inner)]), inner
