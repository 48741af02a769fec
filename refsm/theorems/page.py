"""The statements as a page for a person: rows, legend, and what has and has not been shown.

Nothing is computed here.  A page is at most 100 columns wide, and readable from 40 on: where the
columns of a row do not fit beside each other, the numbers stand below the statement.
"""
from __future__ import annotations

import textwrap
from typing import Sequence

from refsm.theorems.statement import FAR, Statement

__all__ = ["WIDEST", "closing", "group_text", "legend", "worst"]

WIDEST, NARROWEST = 100, 40
NAME = 51               # columns of a statement's name, before it goes on below
INDENT = 4              # of all that belongs to a statement, after its number

COLUMNS = {
    "#": "number of the statement, as in the heads of `refsm.theorems`",
    "left": "one side of the statement, at the entry that is nearest to its bound",
    "right": "the other side there, computed in another way; != where the two are stated to differ",
    "gap": "|left - right|",
    "bound": "what rounding, quadrature, extrapolation or a solver can explain of the gap",
    "ok": f"yes if gap <= bound; for != if gap > {FAR:g} bounds",
}

KINDS = {
    "exact": "rational numbers: the bound is 0",
    "rounding": "floating point",
    "quadrature": "expectations by quadrature, accurate to rounding",
    "enumeration": "sums over all binary points",
    "limit": "a sequence extrapolated to its limit, or a flow at two tolerances",
    "differs": "the two sides are not equal",
}

SYMBOLS = {
    "x, x_noisy": "clean and corrupted points of R^d; x_noisy = x + sigma eps, eps ~ N(0, I)",
    "t": "(x - x_noisy) / sigma^2, or the score of another corruption, grad log q(x_noisy|x)",
    "q, q_sigma": "densities of x and of x_noisy; s and s_sigma their scores; I = E|s_sigma|^2",
    "p, E, Z": "a model's density exp(-E) / Z, its energy, its partition function",
    "psi, J": "the model's score grad log p, or a field; its Jacobian d psi / d x; div psi = tr J",
    "theta": "the parameters of a model: W, b, c of an autoencoder with m hidden units",
    "r": "a reconstruction of x; E[x|x_noisy] is the best one; r_i, x_i, m_i are entries",
    "v": "a direction, with E[v v'] = I unless Sigma is given",
    "J_ESM, J_ISM": "explicit and implicit score matching; J_ESMq_sigma, J_ISMq_sigma at x_noisy",
    "J_DSM, J_DAE": "denoising score matching; the squared error of a denoising autoencoder",
    "SSM, J_RM": "sliced score matching; ratio matching of binary points",
    "|A|, '": "the root of the sum of squared entries; transposed, or another one (w')",
    "E[ ], Cov[ ]": "expectation and covariance; E x is short for E[x]; E_q, E_p under q or p",
    "sum_i": "over dimensions; sum_j over hidden units or jumps, sum_x over points",
}


def worst(statements: Sequence[Statement]) -> list[tuple[Statement, int]]:
    """For each name the statement that is nearest to failing, and of how many, ascending."""
    groups: dict[tuple[int, str, str], list[Statement]] = {}
    for s in sorted(statements, key=lambda s: s.number):     # stable: in order of making
        groups.setdefault((s.number, s.name, s.how), []).append(s)
    return [(min(same, key=_margin), len(same)) for same in groups.values()]


def _margin(s: Statement) -> tuple[bool, float]:
    """Small for a statement that fails, or that is near to failing."""
    ratio = float(s.gap) / (s.bound or 1.0)
    return s.holds, ratio if s.how == "differs" else -ratio


def group_text(title: str, statements: Sequence[Statement], width: int = WIDEST,
               letters: Sequence[str] = ()) -> str:
    """A heading, its symbols, one row for each name; what rows are computed with is above them."""
    width = max(min(width, WIDEST), NARROWEST)
    lines = ["", *textwrap.wrap(title, width)]
    for sentence in letters:
        lines += textwrap.wrap(sentence, width, initial_indent="  ", subsequent_indent="  ")
    lines += _header(width)
    if not statements:
        lines.append(f"{'':{INDENT}}left out: these data do not determine it")
    above = ""
    for s, count in worst(statements):
        of = f"worst of {count}: " if count > 1 else ""
        where = f"{of}{s.where} ({s.how})"
        if where != above:
            above = where
            lines += textwrap.wrap(where, width, initial_indent=" " * INDENT,
                                   subsequent_indent=" " * INDENT)
        lines += _row(s, width)
    return "\n".join(lines)


def _header(width: int) -> list[str]:
    numbers = f"{'left':>10}   {'right':>10} {'gap':>8} {'bound':>8}  ok"
    if width < WIDEST:
        return textwrap.wrap("#   statement", width) + [f"{'':{INDENT}}{numbers}"[:width]]
    return [f" #  {'statement':{NAME}}{numbers}"]


def _row(s: Statement, width: int) -> list[str]:
    sign = "!=" if s.how == "differs" else " ="
    numbers = (f"{float(s.left):10.4g} {sign}{float(s.right):10.4g} {_size(s.gap)} "
               f"{_size(s.bound)} {'yes' if s.holds else ' NO'}")
    if width < WIDEST:
        name = textwrap.wrap(s.name, width - INDENT)
        tail = textwrap.wrap(numbers, width - INDENT, drop_whitespace=True)
        below = [f"{'':{INDENT}}{part}" for part in [*name[1:], *tail]]
        return [f"{s.number:2d}  {name[0]}", *below]
    name = textwrap.wrap(s.name, NAME - 1)
    return [f"{s.number:2d}  {name[0]:{NAME}}{numbers}",
            *(f"{'':{INDENT + 2}}{part}" for part in name[1:])]


def _size(value: object) -> str:
    """Two digits of a number >= 0 in eight columns; 0 is written as 0."""
    number = float(value)  # type: ignore[arg-type]
    return f"{number:8.1e}" if number else f"{0:8d}"


def legend(width: int = WIDEST) -> str:
    """One line for each column, each kind of evidence, and each symbol."""
    width = max(min(width, WIDEST), NARROWEST)
    lines = ["", *textwrap.wrap("Columns, and in parentheses how a row was computed", width)]
    for table in (COLUMNS, KINDS):
        lines += _entries({f"({key})" if table is KINDS else key: value
                           for key, value in table.items()}, width)
    return "\n".join([*lines, "", "Symbols", *_entries(SYMBOLS, width)])


def _entries(table: dict[str, str], width: int) -> list[str]:
    lines: list[str] = []
    for key, value in table.items():
        first = f"{key:13} " if width >= 60 else f"{key}: "
        lines += textwrap.wrap(value, width, initial_indent=f"  {first}",
                               subsequent_indent=" " * (16 if width >= 60 else 4))
    return lines


def closing(groups: Sequence[Sequence[Statement]], width: int = WIDEST,
            interrupted: bool = False) -> str:
    """How many statements hold, how many rows show them, and what that does and does not show."""
    width = max(min(width, WIDEST), NARROWEST)
    made = [s for group in groups for s in group]
    rows = sum(len(worst(group)) for group in groups)
    failed = [s for s in made if not s.holds]
    count = (f"{rows} rows show the worst of {len(made)}: {len(made) - len(failed)} of {len(made)} "
             "statements hold" + (f", {len(failed)} FAIL." if failed else "."))
    shown = ("What this shows: for these models, data and parameters the two sides of a statement, "
             "computed in two ways by this code, differ by no more than its rounding and its "
             "quadrature allow, and by nothing where the numbers are rational; where a row has !=, "
             "by far more. What it does not show: that a statement holds for every model and all "
             "data. That is what the derivations in the heads of `refsm.theorems` are for.")
    if interrupted:
        count = f"Interrupted: the other statements were not evaluated. {count}"
    lines = ["", *textwrap.wrap(count, width)]
    for s in failed:
        lines += textwrap.wrap(f"FAILED: {s}", width, subsequent_indent=" " * INDENT)
    silent = failed or interrupted
    return "\n".join([*lines, *([] if silent else ["", *textwrap.wrap(shown, width)])])
