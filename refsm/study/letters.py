"""The small parts of MathML: letters with indices and accents, brackets, and factors in a row.

A tilde stands over x_noisy, a hat over a letter with _hat; `dx_i` is a d and the x behind it.
"""
from __future__ import annotations

import html
import re
from typing import Collection, NamedTuple

from refsm.study.tokens import FUNCTIONS, GREEK, differential

__all__ = ["SHOWN", "Factor", "Letters", "fence", "joined", "operator", "row"]

FIRST = re.compile(r"(?:<m(?:row|sub|sup|subsup|i)[^>]*>)*(?:</?m\w+[^>]*>)*[A-Za-z]\w+<")
LAST = re.compile(r"<mi[^>]*>[A-Za-z]\w+</mi>(?:</m\w+>|<m[in][^>]*>\w</m[in]>)*$")
TALL = re.compile(r"<m(?:sub|sup|frac|over|under|sqrt)|<mo>[∑∏∫]")
SHOWN = {"<": "⟨", ">": "⟩", "||": "‖"}
PRODUCT = re.compile("[A-Z][a-z]")          # of v'Jv
INDEX = re.compile(r"[ijklmnrqst]{1,3}[A-Z]?|\d+|[A-Za-z]")


def operator(text: str) -> str:
    """An operator, escaped."""
    return f"<mo>{html.escape(text)}</mo>"


def row(parts: list[str]) -> str:
    """One part as it is, several in a row."""
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"


class Factor(NamedTuple):
    """A factor: its MathML, what a bracket holds, and whether it is a differential."""

    ml: str
    inner: str = ""
    is_d: bool = False


def fence(text: str, inside: str) -> str:
    """A bracket of the height of a letter, whatever stands inside."""
    stretches = ' stretchy="false"' if TALL.search(inside) else ""
    return f"<mo{stretches}>{html.escape(SHOWN.get(text, text))}</mo>"


def joined(product: list[Factor]) -> list[str]:
    """The factors, with a thin space beside a name of several letters and before a differential."""
    out: list[str] = []
    for k, factor in enumerate(product):
        if k and (factor.is_d or LAST.search(product[k - 1].ml) or FIRST.match(factor.ml)):
            out.append('<mspace width=".17em"/>')
        out.append(factor.ml)
    return out


class Letters:
    """The letters of one room.

    >>> Letters(["x"]).name("x_i")[1]
    '<mi>i</mi>'
    """

    def __init__(self, symbols: Collection[str] = ()) -> None:
        self.symbols = set(symbols)

    def name(self, text: str) -> tuple[str, str, bool]:
        """MathML of the letter, of its indices, and whether it is a differential."""
        behind = differential(text, self.symbols)
        if behind:
            base, sub, _ = self.name(behind)
            return row(['<mi mathvariant="normal">d</mi>', base]), sub, True
        if PRODUCT.fullmatch(text) and text not in self.symbols | FUNCTIONS:
            return row([self.name(letter)[0] for letter in text]), "", False
        head, *rest = [part for part in text.split("_") if part]
        mark = ""
        if rest and text.startswith("x_noisy"):
            rest, mark = rest[1:], "˜"
        elif rest and rest[0] == "hat":
            rest, mark = rest[1:], "^"
        if head == "log" and rest:
            base, sub, _ = self.name("_".join(rest))
            return row(["<mi>log</mi>", '<mspace width=".17em"/>', base]), sub, False
        letter = GREEK.get(head, "∇" if head == "grad" else head)
        letter = "∂" if text in ("d_i", "d_j", "d_k") and text not in self.symbols else letter
        base = f'<mi{self._class(text)}>{letter}</mi>'
        if mark:
            base = f'<mover accent="true">{base}<mo stretchy="false">{mark}</mo></mover>'
        return base, self.index(*rest) if rest else "", text == "d"

    def index(self, *parts: str) -> str:
        """Indices below a letter: those of one letter in italics, words upright; a comma between
        them, but not in ESMq_sigma."""
        shown: list[str] = []
        for k, part in enumerate(parts):
            if k and not (part in GREEK and len(parts[k - 1]) > 1):
                shown.append(operator(","))
            if "," in part:
                shown += [operator(",") if one == "," else f"<mi>{one}</mi>" for one in part]
            elif INDEX.fullmatch(part):
                shown += [f"<mn>{one}</mn>" if one.isdigit() else f"<mi>{one}</mi>"
                          for one in re.findall(r"\d+|.", part)]
            else:
                shown.append(f'<mi mathvariant="normal">{GREEK.get(part, part)}</mi>')
        return row(shown)

    def symbol(self, text: str) -> str:
        """The name in the glossary that a name with indices stands for, or ''."""
        text = differential(text, self.symbols) or text
        parts = text.split("_")
        names = ("_".join(parts[:k]) for k in range(len(parts), 0, -1))
        return next((name for name in names if name in self.symbols), "")

    def _class(self, text: str) -> str:
        symbol = self.symbol(text)
        return f' class="y-{symbol}"' if symbol else ""
