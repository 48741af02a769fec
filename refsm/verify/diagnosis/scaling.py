"""Scalings: prefactor sigma^a d^b n^c M^e, how they are written and read.

Symbols
    sizes      dict     d, n, M, sigma, strength of a group, those that its objective has
    prefactor  number   the factor in front
    powers     tuple    names with exponents: of a size, or of a sum such as n - 1

Equations
    (1)  scaling(group) = prefactor prod_s base_s(group)^powers_s
    (2)  base in { a size, n - 1, d - 1, M - 1, n + 1, d + 1, 1 + sigma^2, 1 + 2 strength,
                   1 + sigma^2 / number }

Derivation
    (1)  is a definition; products and powers of scalings are scalings.

Conventions
    prefactor is shown as a fraction when it is one with small terms, and otherwise with as many
    digits as distinguish it from one.  Equal scalings are equal functions of the sizes.

Sources
    Ours.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Mapping

__all__ = ["ONE", "ORDER", "SATURATING", "SUMS", "Scaling", "Sizes", "ZERO", "parse_scaling",
           "rounded", "saturating", "scaling_in_words"]

Sizes = Mapping[str, float]
ORDER = ("strength", "alpha", "sigma", "data_sd", "d", "n", "M", "L")
SUMS = ("n - 1", "d - 1", "M - 1", "d + 1", "n + 1", "1 + 2 strength", "1 + sigma^2")
SATURATING = "1 + sigma^2 / "                      # and a number


@dataclass(frozen=True)
class Scaling:
    """prefactor times powers of sizes and of sums, equation (1).

    >>> scaling = Scaling(2.0, (("sigma", 2.0), ("d", -1.0)))
    >>> str(scaling), scaling({"sigma": 0.5, "d": 4})
    ('2 sigma^2 / d', 0.125)
    """

    prefactor: float
    powers: tuple[tuple[str, float], ...] = ()

    def __call__(self, sizes: Sizes) -> float:
        out = self.prefactor
        for name, power in self.powers:
            out *= _base(name, sizes)**power                                        # ()  (1)
        return out

    def __mul__(self, other: Scaling) -> Scaling:
        powers = dict(self.powers)
        for name, power in other.powers:
            powers[name] = powers.get(name, 0.0) + power
        kept = sorted((name for name in powers if powers[name]), key=_place)
        return Scaling(rounded(self.prefactor * other.prefactor),
                       tuple((name, powers[name]) for name in kept))

    def inverse(self) -> Scaling:
        """1 / scaling."""
        return self.to_the(-1.0)

    def to_the(self, power: float) -> Scaling:
        """A power of the scaling."""
        powers = tuple((name, p * power) for name, p in self.powers)
        return Scaling(rounded(self.prefactor**power), powers) if power else ONE

    @property
    def sums(self) -> tuple[tuple[str, float], ...]:
        """The powers of sums, such as n - 1."""
        return tuple((name, power) for name, power in self.powers if name not in ORDER)

    @property
    def is_one(self) -> bool:
        """Whether it is 1 in every group."""
        return self == ONE

    @property
    def is_zero(self) -> bool:
        """Whether it is 0 in every group."""
        return self.prefactor == 0

    @property
    def complexity(self) -> float:
        """0 for 1, and it grows with the complexity of the scaling; the simplest fit wins."""
        if self.is_one or self.is_zero:
            return 0.0 if self.is_one else 1.0
        plain = _fraction(self.prefactor)
        usual = {1: 0.0, 2: 0.05, Fraction(1, 2): 0.05, 4: 0.1, Fraction(1, 4): 0.1}
        number = 2.0 if plain is None else usual.get(abs(plain), 0.5)
        powers = sum(min(abs(p), 4) + (0 if p == round(p) else 2)
                     for name, p in self.powers if name in ORDER)
        return 1.0 + number + 0.1 * powers + len(self.sums)

    def __str__(self) -> str:
        if self.is_zero:
            return "0"
        over: list[str] = []
        under: list[str] = []
        for name, power in self.powers:
            base = name if name in ORDER else f"({name})"
            text = {1.0: base, 0.5: f"sqrt({name})"}.get(abs(power), f"{base}^{abs(power):g}")
            (over if power > 0 else under).append(text)
        plain = _fraction(self.prefactor)
        if plain is None or _is_short(plain):
            over.insert(0, _decimal(self.prefactor) if plain is None else f"{self.prefactor:.3g}")
        else:
            if plain.denominator != 1:
                under.insert(0, str(plain.denominator))
            if abs(plain.numerator) != 1 or not over:
                over.insert(0, str(plain.numerator))
            elif plain.numerator == -1:
                over[0] = "-" + over[0]
        bottom = under[0] if len(under) == 1 else f"({' '.join(under)})"
        return " ".join(over) + (f" / {bottom}" if under else "")


ONE = Scaling(1.0)
ZERO = Scaling(0.0)


def _place(name: str) -> tuple[int, str]:
    """Sizes in their order, and then sums."""
    return (ORDER.index(name) if name in ORDER else len(ORDER)), name


def _base(name: str, sizes: Sizes) -> float:
    """A size or a sum of (2) in one group."""
    if name in ORDER:
        return sizes[name]
    if name == "1 + 2 strength":
        a, b = 1.0, 2 * sizes["strength"]
    elif name.startswith("1 + sigma^2"):
        a, b = 1.0, sizes["sigma"]**2 / float(name.partition(" / ")[2] or 1)
    else:
        a, b = sizes[name[0]], float(name[1:].replace(" ", ""))      # n - 1 and its like
    return a + b                                                                    # ()  (2)


TOKENS = re.compile(r"\d+\.?\d*(?:e[+-]?\d+)?|[a-zA-Z_]+|\S")


def parse_scaling(text: str) -> Scaling:
    """The scaling that a text states, in the form in which they are printed.  Or ValueError.

    Multiplication and division go from left to right; what is divided by a product must stand in
    parentheses.

    >>> str(parse_scaling("2 sigma^2 / (3 d)")), str(parse_scaling("2 / d * d"))
    ('2 sigma^2 / (3 d)', '2')
    """
    tokens = TOKENS.findall(text.replace("**", "^"))
    try:
        scaling = _product(tokens)
    except (ValueError, ArithmeticError, IndexError, TypeError):    # complex roots too
        tokens = ["nothing", *tokens]
    if tokens:
        raise ValueError(f"a factor must be a product of numbers and powers of {', '.join(ORDER)}, "
                         f"such as 2 sigma^2 / (3 d), but it is {text!r}")
    return scaling


def _product(tokens: list[str]) -> Scaling:
    """The product at the head of the tokens, which it takes off."""
    scaling, divided = Scaling(-1.0) if tokens[0] == "-" else ONE, False
    if tokens[0] == "-":
        tokens.pop(0)
    scaling = scaling * _factor(tokens)
    while tokens and tokens[0] != ")":
        times = tokens.pop(0) if tokens[0] in "*/" else ""
        if not times and divided:                    # a / b c: which of two is not clear
            raise ValueError
        factor = _factor(tokens)
        scaling, divided = scaling * (factor.inverse() if times == "/" else factor), times == "/"
    return scaling


def _factor(tokens: list[str]) -> Scaling:
    """A number, a size, a root or what is in parentheses, with its power."""
    token = tokens.pop(0)
    if token == "sqrt" and tokens.pop(0) == "(":
        scaling = _inside(tokens).to_the(0.5)
    elif token == "(":
        scaling = _inside(tokens)
    else:
        scaling = Scaling(1.0, ((token, 1.0),)) if token in ORDER else Scaling(float(token))
    if tokens and tokens[0] == "^":
        tokens.pop(0)
        power = tokens.pop(0)
        scaling = scaling.to_the(float(power + tokens.pop(0) if power == "-" else power))
    return scaling


def _inside(tokens: list[str]) -> Scaling:
    """What stands before a closing parenthesis, which is taken off too: a sum or a product."""
    close = tokens.index(")")
    scaling = _sum("".join(tokens[:close]))
    if scaling is None:
        scaling = _product(tokens)
    else:
        del tokens[:close]
    if tokens.pop(0) != ")":
        raise ValueError
    return scaling


def _sum(inside: str) -> Scaling | None:
    """The sum that stands in parentheses, written without spaces; None if it is none."""
    for known in SUMS:
        if inside == known.replace(" ", ""):
            return Scaling(1.0, ((known, 1.0),))
    front, _, number = inside.rpartition("/")
    if front + "/" == SATURATING.replace(" ", ""):
        return Scaling(1.0, ((f"{SATURATING}{float(number):.10g}", 1.0),))
    return None


def scaling_in_words(scaling: Scaling) -> str:
    """A scaling as people write it: a weight that saturates by its constant.

    >>> scaling_in_words(Scaling(2.0, (("sigma", 2.0), ("1 + sigma^2 / 0.25", 1.0))))
    '2 sigma^2 times (sigma^2 + s^2) / s^2 with s = 0.5'
    """
    front, power, square = saturating(scaling)
    if not power:
        return str(scaling)
    saturates = power < 0 and front.powers == (("sigma", -2 * power),)
    if saturates and abs(front.prefactor * square**-power - 1) < 1e-6:
        ratio = f"sigma^2 / (sigma^2 + {square:.4g})"
        return ratio if power == -1 else f"({ratio})^{-power:g}"
    weight = "(sigma^2 + s^2) / s^2" if power > 0 else "s^2 / (sigma^2 + s^2)"
    weight = weight if abs(power) == 1 else f"({weight})^{abs(power):g}"
    return f"{'' if front.is_one else f'{front} times '}{weight} with s = {square**0.5:.4g}"


def saturating(scaling: Scaling) -> tuple[Scaling, float, float]:
    """A scaling as front (1 + sigma^2 / square)^power; the power is 0 where it is not one."""
    for name, power in scaling.sums:
        if name.startswith(SATURATING):
            rest = tuple(p for p in scaling.powers if p[0] != name)
            return Scaling(scaling.prefactor, rest), power, float(name[len(SATURATING):])
    return scaling, 0.0, 1.0


def _decimal(prefactor: float) -> str:
    """Six digits, or as many as tell prefactor from a plain number.

    >>> _decimal(3.14159265), _decimal(2.000002), _decimal(1.0000000001)
    ('3.14159', '2.000002', '1.0000000001')
    """
    digits = next(k for k in range(6, 18) if _fraction(float(f"{prefactor:.{k}g}")) is None)
    return f"{prefactor:.6g}" if digits == 6 else f"{prefactor:.{digits + 1}g}"


def _is_short(plain: Fraction) -> bool:
    """Whether a person would write a decimal: 3.7 and 0.9, but 1 / 2, 3 / 4 and 5 / 3."""
    usual = abs(plain.numerator) == 1 or plain.denominator in (1, 2, 4)
    return not usual and float(f"{float(plain):.3g}") == float(plain)


def rounded(prefactor: float, error: float = 0.0) -> float:
    """The nearby fraction or short decimal if one is within the error, else the number itself."""
    error = max(error, 1e-13 * abs(prefactor))
    for limit in (1, 4, 64):
        plain = float(Fraction(prefactor).limit_denominator(limit))
        if plain and abs(plain - prefactor) <= error:
            return plain
    for digits in range(1, 7):
        short = float(f"{prefactor:.{digits}g}")
        if abs(short - prefactor) <= error:
            return short
    return prefactor


def _fraction(prefactor: float) -> Fraction | None:
    """prefactor as a fraction with small terms, if it is one."""
    plain = Fraction(prefactor).limit_denominator(64)
    return plain if abs(float(plain) - prefactor) <= 1e-12 * abs(prefactor) else None
