"""The words of a head's notation: names with index letters, operators, brackets, and English.

Heads write mathematics as it reads in a terminal: `psi_i = ( sum_j s_j W_ji + c_i ) / sigma^2`.
`tokens` cuts such a line up and says of each word whether it belongs to the mathematics or to the
sentence around it.  A word is English if it has two letters or more and is no symbol of the room,
no Greek letter, no function, no name with an index (`W_ji`) and no differential (`dx_i`).
"""
from __future__ import annotations

import re
from typing import Container, NamedTuple

__all__ = ["GREEK", "FUNCTIONS", "OPERATORS", "Token", "differential", "tokens"]

GREEK = dict(alpha="α", beta="β", gamma="γ", delta="δ", Delta="Δ", eps="ε", zeta="ζ", eta="η",
             theta="θ", kappa="κ", mu="μ", nu="ν", xi="ξ", pi="π", rho="ρ", sigma="σ",
             Sigma="Σ", tau="τ", phi="φ", chi="χ", psi="ψ", omega="ω", ell="ℓ", lam="λ")
GREEK.update({"lambda": "λ", "inf": "∞"})
FUNCTIONS = {"log", "log2", "log10", "exp", "sqrt", "tr", "det", "diag", "cosh", "sinh", "tanh",
             "sigmoid", "softplus", "softmax", "sign", "Im", "Re", "sym", "Cov", "Var", "KL",
             "grad", "div", "lap", "cov", "sin", "cos", "erf", "var", "logcosh"}
OPERATORS = dict(sum="∑", prod="∏", integral="∫")
RELATIONS = {"<=": "≤", ">=": "≥", "!=": "≠", "<-": "←", "->": "→", "+-": "±", "~": "∼", "=": "=",
             "<": "<", ">": ">", "<->": "↔", "==": "="}
SIGNS = {"+": "+", "-": "−", "*": "·", **RELATIONS}
OPEN, CLOSE = "([{⟨", ")]}⟩"
PIECES = re.compile(r"""
    (?P<code>`[^`]*`) | (?P<quote>"[^"]*")
  | (?P<statement>\[(?:definition|result|(?:statement|theorem)s?\ [\d,\ ]+)\])
  | (?P<ref>(?<![\w)'])\(\d+\)(?!\w))
  | (?P<possessive>'s(?![\w(^.'])|(?<=[a-z]{3})'s(?=\.(?:\s|$)))
  | (?P<compound>[A-Za-z]+(?:-[A-Za-z]{2,})+(?:'s)?)
  | (?P<name>[A-Za-z]\w*_[a-z],[a-z]{1,2}(?![\w(])|[A-Za-z]\w*)
  | (?P<number>\d+(?:[.,]\d+)*(?:e[-+]?\d+)?)
  | (?P<raised>(?<=[A-Za-z])(?:\+-|[-+])(?=[|)\s.,(]|$))
  | (?P<op><->|<-|->|<=|>=|!=|==|\+-|\|\||\.\.\.|[-+*/=<>~:;,.!|'^_%&?])
  | (?P<open>[(\[{]) | (?P<close>[)\]}])
  | (?P<space>\s+) | (?P<other>.)
""", re.X)
ARTICLES = {"a", "A"}
VERBS = {"alone", "and", "are", "enters", "has", "into", "moves", "stands", "with", "for", "from"}
NOT_DIFFERENTIAL = {"do", "dot", "de", "den", "due", "div", "det", "diag", "did", "dr", "data",
                    "direction", "directions", "diagonal", "divergence", "digits", "double"}
INDEXED = re.compile(r"[A-Za-z]+\d*_\w*")
CODE_NAME = re.compile("([a-z]{4,})(?:_[a-z]{4,})+")          # small_noise, a name of code


class Token(NamedTuple):
    """A piece of a line, and the spaces around it."""

    kind: str           # name, word, number, sign, bar, open, close, ref, code, ...
    text: str
    before: int         # columns of space before it
    after: int          # and after it


def differential(name: str, symbols: Container[str] = ()) -> str:
    """What stands behind the d of `dx_i`, `dL` or `dlog_alpha_j`; empty for any other name."""
    base = name.split("_")[0]
    if base in NOT_DIFFERENTIAL or base in GREEK or name in symbols or base in symbols:
        return ""
    found = re.fullmatch(r"d([A-Za-z]\d?|mean|means|logits|log|" + "|".join(GREEK) + ")", base)
    return name[1:] if found else ""


def tokens(line: str, symbols: Container[str] = ()) -> list[Token]:
    """The tokens of a line; `symbols` are the names of the room's glossary.

    >>> [token.kind for token in tokens("the score psi_i = x / 2", {"x"})]
    ['word', 'word', 'name', 'sign', 'name', 'slash', 'number']
    """
    found = [(piece.lastgroup or "", piece.group()) for piece in PIECES.finditer(line)]
    out: list[Token] = []
    of_d = set(re.findall(r"\bd (\w+)(?:\([^()]*\))? / d", line))
    for k, (kind, text) in enumerate(found):
        if kind == "space":
            continue
        before = len(found[k - 1][1]) if k and found[k - 1][0] == "space" else 0
        after = len(found[k + 1][1]) if k + 1 < len(found) and found[k + 1][0] == "space" else 0
        following = next((one for one in found[k + 1:] if one[0] != "space"), ("", ""))
        if text == "A" and out and out[-1].text not in (".", ":"):
            out.append(Token("name", text, before, after))
            continue
        kind = _kind(kind, text, following, after, out[-1] if out and not before else None,
                     symbols, of_d)
        out.append(Token(kind, text, before if k else 9, after if following[0] else 9))
    return _paired([_between_signs(out, k) for k in range(len(out))])


def _between_signs(found: list[Token], k: int) -> Token:
    """A word with a sign on both sides, `= reconstruction - x`, is a name."""
    token = found[k]
    before, after = (found[i].kind if 0 <= i < len(found) else "" for i in (k - 1, k + 1))
    between = before == after == "sign" and token.before and token.after
    divided = before == "slash" and after in ("sign", "mark", "") or before == "sign" and \
        after == "slash"
    primed = after == "prime" and not token.after and k + 2 < len(found) and \
        found[k + 2].kind in ("close", "sign", "slash", "caret", "open")
    name = token.kind == "word" and (between or divided or primed)
    return token._replace(kind="name") if name else token


def _kind(kind: str, text: str, following: tuple[str, str], after: int, glued: Token | None,
          symbols: Container[str], of_d: Container[str]) -> str:
    if kind == "name":
        return "name" if _is_symbol(text, following, after, glued, symbols, of_d) else "word"
    if kind == "compound":
        return "word"
    if kind == "op":
        if text in SIGNS:
            return "sign"
        return {"/": "slash", "^": "caret", "_": "under", "'": "prime", "!": "factorial",
                "|": "bar", "||": "bar", ".": "dot", "...": "dots"}.get(text, "mark")
    return kind


def _is_symbol(text: str, following: tuple[str, str], after: int, glued: Token | None,
               symbols: Container[str], of_d: Container[str]) -> bool:
    bare = following[0] in ("name", "") or following[1] in (".", ",", ":", ";")
    if text in OPERATORS:
        single = following[0] == "name" and len(following[1]) == 1
        return following[0] == "open" or "_" in text or single or "_" in following[1] \
            or following[1] in GREEK or following[1] in symbols or following[1] in FUNCTIONS
    if glued is not None and glued.kind == "under" or following[1] == "^" and not after:
        return True
    if text in ARTICLES and after and following[0] in ("name", "compound"):
        long = (len(following[1]) > 2 and "_" not in following[1]
                and not (text in symbols and following[1] in VERBS))
        return not long or following[1] in GREEK or following[1] in FUNCTIONS
    if text == "in" and (following[1] in ("{", "[", "(") or glued):
        return False
    if text in ("max", "min", "mean") and not after and following[1] == "(":
        return True
    if glued is not None and glued.kind in ("prime", "dot") and len(text) < 3:
        return True
    known = text in symbols or text in GREEK or text in FUNCTIONS or text in of_d
    if known and not (text in ("sign", "score", "noise", "clean", "in") and bare and after):
        return True
    code = CODE_NAME.fullmatch(text)
    indexed = INDEXED.match(text) and not (code and code[1] not in symbols and code[1] not in GREEK)
    return len(text) == 1 or bool(indexed) or bool(differential(text, symbols)) \
        or bool(re.fullmatch(r"[A-Za-z]\d+", text)) \
        or (following[1] == "(" and not after)


def _more_bars(found: list[Token], k: int) -> bool:
    """Whether another bar follows before a bracket closes."""
    return next((one.kind for one in found[k + 1:] if one.kind in ("bar", "close")), "") == "bar"


def _paired(found: list[Token]) -> list[Token]:
    """Bars and angles, which open and close with the same or a doubtful sign, made brackets."""
    out: list[Token] = []
    bars: list[list[int]] = [[]]             # places of the open bars, for each open bracket
    for k, token in enumerate(found):
        kind = token.kind
        if kind == "open":
            bars.append([])
        elif kind == "close" and len(bars) > 1:
            bars.pop()
        elif token.text == "||" and not token.before and bars[-1] \
                and found[bars[-1][-1]].text == "|":
            out.append(token._replace(kind="close", text="|"))
            kind, token = "open", token._replace(text="|")
            bars[-1][-1] = k
        elif kind == "bar":
            if token.before and token.after:
                kind = "given"
            elif bars[-1] and not token.before and (
                    not out or out[-1].kind not in ("sign", "slash")):
                bars[-1].pop()
                kind = "close"
            elif not token.before and out[-1].kind in ("name", "word") and not _more_bars(found, k):
                kind = "given"                   # E[x|y]
            elif not token.after:
                bars[-1].append(k)
                kind = "open"
        elif token.text == "<" and not token.after and (
                token.before or not out or out[-1].kind in ("sign", "open") or out[-1].text == "d"):
            kind = "open"
        elif token.text == ">" and not token.before and any(one.text == "<" and one.kind == "open"
                                                            for one in out):
            kind = "close"
        out.append(token._replace(kind=kind))
    return out
