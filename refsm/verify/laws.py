"""Laws: coefficients that follow kappa sigma^a d^b n^c M^e over cells, with round exponents.

Symbols
    sizes         dict     d, n, M, sigma, strength of one cell, those that vary over the cells and belong to the objective
    coefficients  (C,)     one number a cell
    slack         (C,)     how far each may be off: rounding of the answers, carried through the regression
    kappa         number   the factor in front
    powers        dict     the exponent of each size
    extra         (name, power, constant)   one more factor that is no power of a size

Equations
    (1)  law(cell) = kappa prod_s size_s^powers_s extra(cell)
    (2)  log |law| = log kappa + sum_s powers_s log size_s                            linear in the unknowns: six cells, at most five of them
    (3)  extra in { (n - 1)^k, (d - 1)^k, (M - 1)^k, (n + 1)^k, (d + 1)^k, (1 + sigma^2)^k, (1 + 2 strength)^k, (1 + sigma^2 / s^2)^k }, k = 1 or -1

Derivation
    (1) -> (2)  logarithms.  The solution of (2) is rounded to halves; it is a law only if (1) then holds within the slack in every cell, so
                rounding can lose a law but never make one.

Conventions
    kappa is shown as a fraction when it is one with small terms, and with as many digits as tell it from one otherwise.  Equal laws are
    equal functions of the sizes.  Two values of a size fit kappa size^b (size - 1)^k far too easily: a law with such a factor is believed only
    where it is plain, and not where it is 1 at one value of the size, as a special case for the other would be.

Sources
    Ours.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Mapping, Sequence

import numpy as np

from refsm.typing import Array

__all__ = ["Law", "ONE", "ZERO", "fit_law", "parse_law"]

Sizes = Mapping[str, float]
ORDER = ("strength", "sigma", "d", "n", "M")


@dataclass(frozen=True)
class Law:
    """kappa times powers of sizes, equation (1).

    >>> law = Law(2.0, (("sigma", 2.0), ("d", -1.0)))
    >>> str(law), law({"sigma": 0.5, "d": 4})
    ('2 sigma^2 / d', 0.125)
    """

    kappa: float
    powers: tuple[tuple[str, float], ...] = ()
    extra: tuple[str, float, float] | None = None

    def __call__(self, sizes: Sizes) -> float:
        out = self.kappa
        for name, power in self.powers:
            out *= sizes[name]**power
        return out * _extra(self.extra, sizes) if self.extra else out

    def __mul__(self, other: Law) -> Law:
        powers = dict(self.powers)
        for name, power in other.powers:
            powers[name] = powers.get(name, 0.0) + power
        kept = tuple((name, powers[name]) for name in ORDER if powers.get(name))
        both = self.extra and other.extra
        if both and (self.extra[0], self.extra[2]) != (other.extra[0], other.extra[2]):      # type: ignore[index]
            raise ValueError("two extra factors in one law")
        extra = self.extra or other.extra
        if both:
            power = self.extra[1] + other.extra[1]                                           # type: ignore[index]
            extra = (self.extra[0], power, self.extra[2]) if power else None                 # type: ignore[index]
        return Law(_rounded(self.kappa * other.kappa), kept, extra)

    def inverse(self) -> Law:
        """1 / law."""
        extra = (self.extra[0], -self.extra[1], self.extra[2]) if self.extra else None
        return Law(_rounded(1 / self.kappa), tuple((name, -power) for name, power in self.powers), extra)

    @property
    def is_one(self) -> bool:
        """Whether the law is 1 in every cell."""
        return self == ONE

    @property
    def is_zero(self) -> bool:
        """Whether the law is 0 in every cell."""
        return self.kappa == 0

    @property
    def complexity(self) -> float:
        """0 for the law 1, and more the stranger the law: among explanations that fit equally well the simplest is told."""
        if self.is_one or self.is_zero:
            return 0.0 if self.is_one else 1.0
        plain = _fraction(self.kappa)
        strange = 2.0 if plain is None else {1: 0.0, 2: 0.05, Fraction(1, 2): 0.05, 4: 0.1, Fraction(1, 4): 0.1}.get(abs(plain), 0.5)
        return 1.0 + strange + 0.1 * sum(min(abs(p), 4) + (0 if p == round(p) else 2) for _, p in self.powers) + (1.0 if self.extra else 0.0)

    def __str__(self) -> str:
        if self.is_zero:
            return "0"
        over: list[str] = []
        under: list[str] = []
        for name, power in self.powers:
            (over if power > 0 else under).append(name if abs(power) == 1 else f"{name}^{abs(power):g}")
        if self.extra:
            name, power, constant = self.extra
            text = name.replace("s^2", f"{constant**2:.4g}")
            (over if power > 0 else under).append(f"({text})" if abs(power) == 1 else f"({text})^{abs(power):g}")
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


ONE = Law(1.0)
ZERO = Law(0.0)


def fit_law(coefficients: Array, slack: Array, sizes: Sequence[Sizes]) -> Law | None:
    """The simplest law within the slack in every cell, or None.

    >>> cells = [{"d": d, "n": n} for d in (3, 5) for n in (7, 13)]
    >>> str(fit_law(np.array([2 * c["n"] / c["d"] for c in cells]), np.full(4, 1e-12), cells))
    '2 n / d'
    """
    c, slack = np.asarray(coefficients, dtype=float), np.asarray(slack, dtype=float)
    if not (np.isfinite(c).all() and np.isfinite(slack).all()):
        return None
    if (np.abs(c) <= slack).all():
        return ZERO
    if (np.abs(c) <= 10 * slack).any() or len(set(np.sign(c))) > 1:
        return None
    plain = _power_law(c, slack, sizes, None)
    if plain is not None:
        return plain
    found = [law for extra in _extras(c, sizes) if (law := _power_law(c, slack, sizes, extra)) is not None and _plain(law, sizes)]
    return min(found, key=lambda law: law.complexity, default=None)


def _plain(law: Law, sizes: Sequence[Sizes]) -> bool:
    """Whether a law with an extra factor is believed: see the conventions above."""
    name, power, _ = law.extra                                                               # type: ignore[misc]
    if "sigma" in name:
        return True
    if abs(law.kappa) not in (0.5, 1.0, 2.0) or any(p != round(p) for _, p in law.powers) or sum(abs(p) for _, p in law.powers) > 4:
        return False
    own = dict(law.powers).get("strength" if "strength" in name else name[0], 0.0)
    values = np.array([abs(law(cell)) for cell in sizes])
    return abs(own) <= 1 and not (np.abs(values - 1) < 1e-9).any()


def parse_law(text: str) -> Law:
    """The law that a text states, in the form in which laws are printed.  ValueError for another.

    >>> str(parse_law("2 sigma^2 / (3 d)"))
    '2 sigma^2 / (3 d)'
    """
    law, below = ONE, False
    body = re.sub(r"\*\*", "^", text.strip())
    tokens = re.findall(r"[a-zA-Z]+(?:\^-?[\d.]+)?|-?\d+\.?\d*(?:e[+-]?\d+)?|\((?:[a-zA-Z1] [+-] [^()]*)\)(?:\^[\d.]+)?|[()/*]|-(?=[a-z])|\S", body)
    for token in tokens:
        if token == "/":
            below = True
        elif token in "()*":
            continue
        else:
            factor = _factor(token, text)
            law = law * (factor.inverse() if below else factor)
    if not tokens:
        raise ValueError(f"a law must be a product such as 2 sigma^2 / d, but it is {text!r}")
    return law


def _factor(token: str, text: str) -> Law:
    if token == "-":
        return Law(-1.0)
    name, _, power = token.partition("^")
    if name in ORDER:
        return Law(1.0, ((name, float(power or 1)),))
    if token.startswith("("):
        inside, _, power = token[1:].rpartition(")")
        for known in _EXTRA:
            shape = re.fullmatch(re.escape(known).replace(r"s\^2", r"([\d.e-]+)"), inside)
            if shape:
                return Law(1.0, (), (known, float(power.lstrip("^") or 1), float(shape.group(1))**0.5 if shape.groups() else 1.0))
    try:
        return Law(float(token))
    except ValueError:
        raise ValueError(f"a law must be a product of numbers and powers of {', '.join(ORDER)}, but {text!r} contains {token!r}") from None


_EXTRA = ("n - 1", "d - 1", "M - 1", "d + 1", "n + 1", "1 + 2 strength", "1 + sigma^2", "1 + sigma^2 / s^2")


def _extra(extra: tuple[str, float, float], sizes: Sizes) -> float:
    """The factor of (3) in one cell."""
    name, power, constant = extra
    size = sizes.get(name[0]) if name[0] in "ndM" else None
    if size is not None:
        return (size - 1 if "-" in name else size + 1)**power
    if "strength" in name:
        return (1 + 2 * sizes["strength"])**power
    return (1 + sizes["sigma"]**2 / (constant**2 if "s^2" in name else 1.0))**power


def _extras(c: Array, sizes: Sequence[Sizes]) -> list[tuple[str, float, float]]:
    """The extra factors that the sizes allow."""
    known = sizes[0]
    out = [(name, power, 1.0) for name in _EXTRA[:-1] if any(size in known for size in (name[0], name.split()[-1].partition("^")[0])) for power in (1.0, -1.0)]
    for power in (1.0, -1.0) if "sigma" in known and "d" in known else ():
        out += [("1 + sigma^2 / s^2", power, s) for s in _saturations(c**power, sizes)]
    return out


def _saturations(c: Array, sizes: Sequence[Sizes]) -> list[float]:
    """s such that c = kappa sigma^a d^b (1 + sigma^2 / s^2): for each a and b, from the cells with two values of sigma."""
    sigma, d = (np.array([float(cell[name]) for cell in sizes]) for name in ("sigma", "d"))
    out = set()
    for a in range(-4, 5):
        for b in (-1, 0, 1):
            slope, level = np.polyfit(sigma**2, c / (sigma**a * d**b), 1)
            if level != 0 and slope / level > 0:
                for s in (float(f"{(level / slope)**0.5:.3g}"), float(f"{level / slope:.3g}")**0.5):
                    if abs(s * s * slope / level - 1) < 1e-4 and s != 1.0:
                        out.add(s)
    return sorted(out)


def _power_law(c: Array, slack: Array, sizes: Sequence[Sizes], extra: tuple[str, float, float] | None) -> Law | None:
    """kappa and round exponents from the linear system (2), if (1) then holds."""
    names = [name for name in ORDER if name in sizes[0] and len({cell[name] for cell in sizes}) > 1]
    divided = c / np.array([_extra(extra, cell) for cell in sizes]) if extra else c
    columns = np.array([[1.0, *(np.log(cell[name]) for name in names)] for cell in sizes])
    if np.linalg.matrix_rank(columns) < columns.shape[1]:
        return None
    solution = np.linalg.lstsq(columns, np.log(np.abs(divided)), rcond=None)[0]
    powers = tuple((name, float(p)) for name, p in zip(names, np.round(2 * solution[1:]) / 2) if p)
    rest = np.array([Law(1.0, powers, extra)(cell) for cell in sizes])
    low, high = float(((c - slack) / rest).max()), float(((c + slack) / rest).min())    # rest > 0: every cell bounds kappa
    return Law(_rounded((low + high) / 2, (high - low) / 2), powers, extra) if low <= high else None


def _decimal(kappa: float) -> str:
    """Six digits, or as many as tell kappa from a plain number.

    >>> _decimal(3.14159265), _decimal(2.000002), _decimal(1.0000000001)
    ('3.14159', '2.000002', '1.0000000001')
    """
    digits = next((k for k in range(6, 17) if _fraction(float(f"{kappa:.{k}g}")) is None), 17)
    return f"{kappa:.6g}" if digits == 6 else f"{kappa:.{digits + 1}g}"


def _rounded(kappa: float, slack: float = 0.0) -> float:
    """The nearby fraction or short decimal if there is one within the slack (or rounding), else the number itself."""
    slack = max(slack, 1e-13 * abs(kappa))
    for limit in (1, 2, 4, 12, 64):
        plain = float(Fraction(kappa).limit_denominator(limit))
        if plain and abs(plain - kappa) <= slack:
            return plain
    for digits in range(1, 7):
        short = float(f"{kappa:.{digits}g}")
        if abs(short - kappa) <= slack:
            return short
    return kappa


def _fraction(kappa: float) -> Fraction | None:
    """kappa as a fraction with small terms, if it is one."""
    plain = Fraction(kappa).limit_denominator(64)
    return plain if abs(float(plain) - kappa) <= 1e-12 * abs(kappa) else None
