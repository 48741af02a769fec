"""The notation of the heads as MathML: each construct, then every line of every head."""
import re
import xml.etree.ElementTree as tree

import pytest

from refsm.study.heads import paragraphs, rooms
from refsm.study.notation import Notation, NotationError
from refsm.study.tokens import differential, tokens

NUMBERED = [one for one in rooms() if one.numbers]


def linear(text, symbols=("x", "W", "psi")):
    """MathML read back as a line, with the structure in brackets."""
    return read(tree.fromstring(f"<math>{Notation(symbols, [1]).math(text)}</math>"))


def read(node):
    parts = [read(child) for child in node]
    forms = {"mfrac": "{{{}/{}}}", "msub": "{}_[{}]", "msup": "{}^[{}]", "munder": "{}_[{}]",
             "msubsup": "{}_[{}]^[{}]", "msqrt": "root[{}]", "mover": "{}{}"}
    if node.tag in forms:
        return forms[node.tag].format(*parts)
    return (node.text or "").replace("⁡", "") + "".join(parts)


@pytest.mark.parametrize("text, want", [
    ("W_ji x_i", "W_[ji]x_[i]"),
    ("x_noisy_i", "x˜_[i]"),
    ("sigma^2", "σ^[2]"),
    ("s1_j", "s1_[j]"),
    ("A^-1 b", "A^[−1]b"),
    ("L'^-1", "L^[′−1]"),
    ("e y_i / 2", "{ey_[i]/2}"),
    ("1/2 x^2", "{1/2}x^[2]"),
    ("E 1/2 x", "E{1/2}x"),
    ("( a + b ) / sigma^2", "{a+b/σ^[2]}"),
    ("|x|^2 / 2", "{|x|^[2]/2}"),
    ("|a - b| / |b|", "{|a−b|/|b|}"),
    ("|R_k||z_k|", "|R_[k]||z_[k]|"),
    ("sum_j s_j W_ji / 3", "∑_[j]{s_[j]W_[ji]/3}"),
    ("sum_(i < l) v_i", "∑_[i<l]v_[i]"),
    ("e_k / sum_l e_l + 1", "{e_[k]/∑_[l]e_[l]}+1"),
    ("d psi_i / d x_k", "{dψ_[i]/dx_[k]}"),
    ("sum_l lambda_l d J_l / d theta_l", "∑_[l]λ_[l]{dJ_[l]/dθ_[l]}"),
    ("dF/dx_i dx_l", "{dF/dx_[i]dx_[l]}"),
    ("dlog_alpha_j", "dlogα_[j]"),
    ("d/(d + 2)", "{d/d+2}"),
    ("exp(-E(x) / 2)", "exp(−{E(x)/2})"),
    ("sigmoid(a)^2", "sigmoid(a)^[2]"),
    ("sqrt(2 step) x", "root[2step]x"),
    ("q(x_noisy | x)", "q(x˜|x)"),
    ("<C, P_k>", "⟨C,P_[k]⟩"),
    ("v_r'J v_r", "v_[r]^[′]Jv_[r]"),
    ("(C u)_i", "(Cu)_[i]"),
    ("c.x", "c⋅x"),
    ("x <- x + 1", "x←x+1"),
    ("order!", "order!"),
    ("|psi+|^2 + psi-", "|ψ^[+]|^[2]+ψ^[−]"),
    ("E[x|x_noisy]", "E[x|x˜]"),
    ("theta^ = x", "θ^=x"),
    ("Cov(theta^) + x^2", "Cov(θ^)+x^[2]"),
    ("E [psi (1) x]", "E[ψ(1)x]"),
    ("P' (x - mean')", "P^[′](x−mean^[′])"),
    ("F_k,i F_l", "F_[k,i]F_[l]"),
])
def test_a_construct_becomes_its_mathml(text, want):
    assert linear(text, ("x", "W", "psi", "order", "step")) == want


@pytest.mark.parametrize("text", ["(a + b", "/ 2", "a ^*", "a )", "x @ y"])
def test_a_line_that_is_no_mathematics_is_an_error_and_not_half_a_formula(text):
    with pytest.raises(NotationError):
        Notation(["x"]).math(text)


@pytest.mark.parametrize("text, spaces", [("W_ji x_i", 0), ("E tr J", 2), ("tr J x", 1),
                                          ("e dE", 1), ("x step psi", 2)])
def test_a_name_of_several_letters_and_a_differential_stand_apart(text, spaces):
    assert Notation(["x", "step", "psi"]).math(text).count("<mspace") == spaces


def test_what_cannot_be_parsed_is_text_and_is_noted():
    notation = Notation(["x"])
    shown = notation.line("x = (a ^*) + 2", equation=True)
    assert [piece.kind for piece in shown if piece.body.strip()] == ["text"]
    assert len(notation.failed) == 1


def test_a_sentence_keeps_its_words_and_its_numbers_are_references():
    kinds = [(piece.kind, piece.body) for piece in
             Notation(["x"], [3]).line("a half of x^2 by (3), not (4).")]
    assert kinds[0] == ("text", "a")
    assert ("ref", "3") in kinds
    assert ("text", "(4)") in kinds


def test_the_article_a_is_a_word_and_the_symbol_a_is_not():
    assert [one.kind for one in tokens("a mixture of a", {"a"})] == ["word", "word", "word", "name"]


@pytest.mark.parametrize("line, kinds", [
    ("sum (x)", "name open name close"), ("sum over x", "word word name"),
    ("sum_i x", "name name"), ("sum x_i", "name name"), ("sum psi", "name name"),
    ("sum xy", "word word"),
    ("sum q", "name name"), ("sum of", "word word"), ("the sum x", "word name name"),
    ("in {0, 1}", "word open number mark number close"), ("max(x)", "name open name close"),
    ("max x", "word name"), ("the score, x", "word word mark name"),
    ("x A", "name name"), ("1.5e-3", "number"), ("half-open", "word"), ("x's y", "name possessive "
     "name"), ("[statement 3]", "statement"), ("(3) x", "ref name"), ("f(3)", "name open number "
     "close"), ("= noise - x", "sign name sign name"), ("= noise x", "sign word name"),
])
def test_each_word_of_a_line_is_of_one_kind(line, kinds):
    assert " ".join(one.kind for one in tokens(line, {"x"})) == kinds


def test_a_token_has_the_columns_of_space_around_it():
    found = [(one.before, one.after) for one in tokens("x   + y", {"x", "y"})]
    assert found == [(9, 3), (3, 1), (1, 9)]              # 9 at the ends of the line


@pytest.mark.parametrize("name, behind", [("dx_i", "x_i"), ("dL", "L"), ("dlog_alpha_j",
                                          "log_alpha_j"), ("delta", ""), ("do", ""), ("data", "")])
def test_a_differential_is_a_d_before_a_letter(name, behind):
    assert differential(name) == behind


def test_a_symbol_carries_the_name_of_its_row():
    assert 'class="y-x_noisy"' in Notation(["x", "x_noisy"]).math("x_noisy_i")


def lines_of(of):
    yield from ((line, True) for one in of.equations for line in one.lines)
    for lines in [step.lines for step in of.steps] + [of.section("Conventions")]:
        yield from ((line.strip(), False) for part in paragraphs(lines) for line in part)
    yield from ((row.meaning, False) for row in of.rows)


@pytest.mark.parametrize("of", NUMBERED, ids=lambda one: one.name)
def test_every_line_of_a_head_is_typeset_and_well_formed(of):
    notation = Notation(of.names, of.numbers)
    for line, equation in lines_of(of):
        for piece in notation.line(line, equation):
            if piece.kind == "math":
                tree.fromstring(f"<math>{piece.body}</math>")
    assert not notation.failed


@pytest.mark.parametrize("of", NUMBERED, ids=lambda one: one.name)
def test_every_equation_has_mathematics_and_loses_no_letter(of):
    """The single letters of a line are those of its mathematics and its words."""
    notation = Notation(of.names, of.numbers)
    for one in of.equations:
        if one.number:
            pieces = [piece for line in one.lines for piece in notation.line(line, True)]
            shown = "".join(re.sub(r"<[^>]*>", "", piece.body) for piece in pieces)
            assert any(piece.kind in ("math", "symbol", "ref") for piece in pieces) or shown
            digits = re.findall(r"\d", "".join(one.lines))
            assert sorted(digits) == sorted(re.findall(r"\d", re.sub(r"&#x2061;", "", shown)))
