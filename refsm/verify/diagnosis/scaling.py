"""Scalings: kappa sigma^a d^b n^c M^e, how they are written and read.

Symbols
    sizes         dict     d, n, M, sigma, strength of a group, those that its objective has
    kappa         number   the factor in front
    powers        tuple    the exponent of each size
    extra         (name, power, constant)   one more factor that is no power of a size

Equations
    (1)  scaling(group) = kappa prod_s size_s^powers_s extra(group)
    (2)  extra in { (n - 1)^k, (d - 1)^k, (M - 1)^k, (n + 1)^k, (d + 1)^k, (1 + sigma^2)^k,
                    (1 + 2 strength)^k, (1 + sigma^2 / s^2)^k },  k = 1 or -1

Derivation
    (1)  is a definition; products and inverses of scalings are scalings.

Conventions
    kappa is shown as a fraction when it is one with small terms, and with as many digits as tell it
    from one otherwise.  Equal scalings are equal functions of the sizes.

Sources
    Ours.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Mapping

__all__ = ["EXTRA", "ONE", "ORDER", "Scaling", "Sizes", "ZERO", "extra_factor", "parse_scaling",
           "rounded"]

Sizes = Mapping[str, float]
ORDER = ("strength", "alpha", "sigma", "d", "n", "M", "L")
EXTRA = ("n - 1", "d - 1", "M - 1", "d + 1", "n + 1", "1 + 2 strength", "1 + sigma^2",
         "1 + sigma^2 / s^2")


@dataclass(frozen=True)
class Scaling:
    """kappa times powers of sizes, equation (1).

    >>> scaling = Scaling(2.0, (("sigma", 2.0), ("d", -1.0)))
    >>> str(scaling), scaling({"sigma": 0.5, "d": 4})
    ('2 sigma^2 / d', 0.125)
    """

    kappa: float
    powers: tuple[tuple[str, float], ...] = ()
    extra: tuple[str, float, float] | None = None

    def __call__(self, sizes: Sizes) -> float:
        out = self.kappa
        for name, power in self.powers:
            out *= sizes[name]**power
        return out * extra_factor(self.extra, sizes) if self.extra else out         # number  (1)

    def __mul__(self, other: Scaling) -> Scaling:
        powers = dict(self.powers)
        for name, power in other.powers:
            powers[name] = powers.get(name, 0.0) + power
        kept = tuple((name, powers[name]) for name in ORDER if powers.get(name))
        extra = self.extra or other.extra
        if self.extra and other.extra:
            (name, power, s), (other_name, other_power, other_s) = self.extra, other.extra
            if (name, s) != (other_name, other_s):
                raise ValueError("two extra factors in one scaling")
            extra = (name, power + other_power, s) if power + other_power else None
        return Scaling(rounded(self.kappa * other.kappa), kept, extra)

    def inverse(self) -> Scaling:
        """1 / scaling."""
        extra = (self.extra[0], -self.extra[1], self.extra[2]) if self.extra else None
        powers = tuple((name, -power) for name, power in self.powers)
        return Scaling(rounded(1 / self.kappa), powers, extra)

    @property
    def is_one(self) -> bool:
        """Whether it is 1 in every group."""
        return self == ONE

    @property
    def is_zero(self) -> bool:
        """Whether it is 0 in every group."""
        return self.kappa == 0

    @property
    def complexity(self) -> float:
        """0 for 1, and it grows with the complexity of the scaling; the simplest fit wins."""
        if self.is_one or self.is_zero:
            return 0.0 if self.is_one else 1.0
        plain = _fraction(self.kappa)
        usual = {1: 0.0, 2: 0.05, Fraction(1, 2): 0.05, 4: 0.1, Fraction(1, 4): 0.1}
        number = 2.0 if plain is None else usual.get(abs(plain), 0.5)
        powers = sum(min(abs(p), 4) + (0 if p == round(p) else 2) for _, p in self.powers)
        return 1.0 + number + 0.1 * powers + (1.0 if self.extra else 0.0)

    def __str__(self) -> str:
        if self.is_zero:
            return "0"
        over: list[str] = []
        under: list[str] = []
        for name, power in self.powers:
            text = name if abs(power) == 1 else f"{name}^{abs(power):g}"
            (over if power > 0 else under).append(text)
        if self.extra:
            name, power, s = self.extra
            text = f"({name.replace('s^2', f'{s**2:.4g}')})"
            text = text if abs(power) == 1 else f"{text}^{abs(power):g}"
            (over if power > 0 else under).append(text)
        plain = _fraction(self.kappa)
        if plain is None:
            over.insert(0, _decimal(self.kappa))
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


TOKENS = re.compile(r"[a-zA-Z]+(?:\^-?[\d.]+)?|-?\d+\.?\d*(?:e[+-]?\d+)?"
                    r"|\((?:[a-zA-Z1] [+-] [^()]*)\)(?:\^[\d.]+)?|[()/*]|-(?=[a-z])|\S")


def parse_scaling(text: str) -> Scaling:
    """The scaling that a text states, in the form in which they are printed.  Or ValueError.

    >>> str(parse_scaling("2 sigma^2 / (3 d)"))
    '2 sigma^2 / (3 d)'
    """
    scaling, below = ONE, False
    tokens = TOKENS.findall(re.sub(r"\*\*", "^", text.strip()))
    for token in tokens:
        if token == "/":
            below = True
        elif token not in "()*":
            factor = _factor(token, text)
            scaling = scaling * (factor.inverse() if below else factor)
    if not tokens:
        raise ValueError(f"a factor must be a product such as 2 sigma^2 / d, but it is {text!r}")
    return scaling


def _factor(token: str, text: str) -> Scaling:
    if token == "-":
        return Scaling(-1.0)
    name, _, power = token.partition("^")
    if name in ORDER:
        return Scaling(1.0, ((name, float(power or 1)),))
    if token.startswith("("):
        inside, _, power = token[1:].rpartition(")")
        for known in EXTRA:
            shape = re.fullmatch(re.escape(known).replace(r"s\^2", r"([\d.e-]+)"), inside)
            if shape:
                s = float(shape.group(1))**0.5 if shape.groups() else 1.0
                return Scaling(1.0, (), (known, float(power.lstrip("^") or 1), s))
    try:
        return Scaling(float(token))
    except ValueError:
        raise ValueError(f"a factor must be a product of numbers and powers of {', '.join(ORDER)}, "
                         f"but {text!r} contains {token!r}") from None


def extra_factor(extra: tuple[str, float, float], sizes: Sizes) -> float:
    """The factor of (2) in one group."""
    name, power, s = extra
    size = sizes.get(name[0]) if name[0] in "ndM" else None
    if size is not None:
        return (size - 1 if "-" in name else size + 1)**power                 # number  (2)
    if "strength" in name:
        return (1 + 2 * sizes["strength"])**power
    return (1 + sizes["sigma"]**2 / (s**2 if "s^2" in name else 1.0))**power


def _decimal(kappa: float) -> str:
    """Six digits, or as many as tell kappa from a plain number.

    >>> _decimal(3.14159265), _decimal(2.000002), _decimal(1.0000000001)
    ('3.14159', '2.000002', '1.0000000001')
    """
    odd = (k for k in range(6, 17) if _fraction(float(f"{kappa:.{k}g}")) is None)
    digits = next(odd, 17)
    return f"{kappa:.6g}" if digits == 6 else f"{kappa:.{digits + 1}g}"


def rounded(kappa: float, error: float = 0.0) -> float:
    """The nearby fraction or short decimal if one is within the error, else the number itself."""
    error = max(error, 1e-13 * abs(kappa))
    for limit in (1, 2, 4, 12, 64):
        plain = float(Fraction(kappa).limit_denominator(limit))
        if plain and abs(plain - kappa) <= error:
            return plain
    for digits in range(1, 7):
        short = float(f"{kappa:.{digits}g}")
        if abs(short - kappa) <= error:
            return short
    return kappa


def _fraction(kappa: float) -> Fraction | None:
    """kappa as a fraction with small terms, if it is one."""
    plain = Fraction(kappa).limit_denominator(64)
    return plain if abs(float(plain) - kappa) <= 1e-12 * abs(kappa) else None
