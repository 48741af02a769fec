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
    ("v'Jv", "v^[′]Jv"),
    ("log( p / q )", "log({p/q})"),
    ("integral exp(x)", "∫exp(x)"),
    ("1/d sum_r v_r", "{1/d}∑_[r]v_[r]"),
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
    ("theta_hat_k", "θ^_[k]"),
    ("P_kT tol_T", "P_[kT]tol_[T]"),
    ("J_ESMq_sigma + W_i_sigma", "J_[ESMqσ]+W_[i,σ]"),
    ("C = L L'", "C=LL^[′]"),
    ("|W_k - W_{k+1}| + ( |W_k - W_j| - x_j )", "|W_[k]−W_[k+1]|+(|W_[k]−W_[j]|−x_[j])"),
    ("e^a + x^(4/5)", "e^[a]+x^[{4/5}]"),
    ("sigma_(L-1)^2", "σ_[L−1]^[2]"),
    ("x + ..., W", "x+…,W"),
    ("x / half-width + 1", "{x/half-width}+1"),
    ("max(x, where x in A)", "max(x,\u00a0where\u00a0x\u00a0∈\u00a0A)"),
    ("d<x, x> + x'x", "d⟨x,x⟩+x^[′]x"),
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


def test_a_comma_before_a_bracket_has_no_space_and_a_name_is_applied_to_its_argument():
    math = Notation(["x"]).math
    assert 'rspace="0"' in math("(x,)")
    assert 'rspace="0"' not in math("(x, 2)")
    assert "&#x2061;" in math("r_1(x)")
    assert "&#x2061;" not in math("2 (x)")


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


def pieces(text, equation=False):
    """A line with its mathematics in square brackets, symbols in angles, and # for a reference."""
    forms = {"math": lambda ml: f"[{read(tree.fromstring(f'<math>{ml}</math>'))}]", "text": str,
             "symbol": "<{}>".format, "ref": "#{}".format, "code": "`{}`".format,
             "gap": lambda space: " | "}
    line = Notation(["x", "psi", "step", "gap", "s2", "f"], [1, 2]).line(text, equation)
    return "".join(forms[piece.kind](piece.body) for piece in line).replace("\u00a0", " ")


@pytest.mark.parametrize("text, want", [
    ("the score psi of x, by (1), not (4)", "the score [ψ] of [x], by #1, not (4)"),
    ("with step = 2 step_l a step", "with [step=2step_[l]] a <step>"),
    ("a gap of 3, and s2 is a letter", "a <gap> of 3, and [s2] is a letter"),
    ("(noise), (x), (no x), (x + no)", "(noise), [(x)], (no [x]), [(x+ no)]"),
    ("E[x | x_noisy] (statement 25).", "[E[x|x˜]] (statement 25)."),
    ("P, and (P mean, P)", "[P], and ([P] mean, [P])"),
    ("f' and f'' are slopes; the score's f", "[f^[′]] and [f^[′′]] are slopes; the score's [f]"),
    ("p_n = exp(-E(x_n)) / sum of these", "[p_[n]=exp(−E(x_[n]))] / sum of these"),
    ("with psi+- = psi(x +- sigma eps), is it", "with [ψ^[±]=ψ(x±σε)], is it"),
    ("a half-open interval [0, 1)", "a half-open interval [[0,1)]"),
    ("x / y. And so on", "[{x/y}]. And so on"),
    ("|x| < 3, as in (2)", "[|x|<3], as in #2"),
    ("for l = 0, ..., L - 1:", "for [l=0], ..., [L−1]:"),
    ("c @ s", "`c @ s`"),
    ("`code` of x", "`code` of [x]"),
    ("2 / 3 of it", "[{2/3}] of it"),
    ("x .", "[x] ."),
    ("mean (over x) = 2", "mean (over [x]) [=2]"),
    ("' x", "' [x]"), ("/ sigma^2, or", "/ [σ^[2]], or"), ("so + ... here", "so [+…] here"),
    ("objectives.score_matching", "objectives.score_matching"),
    ("verify(implementation, objective)", "[verify(implementation, objective)]"),
    ("of |prediction - target|^2", "of [|prediction − target|^[2]]"),
    ("of |the prediction - target|^2", "of |the prediction [−] target|^2"),
    ("(b) (x + 1) / 2 = s2", "(b) [{x+1/2}=s2]"),
    ("22  |x| / 2", "22  [{|x|/2}]"),
    ("as (7) -> (8)", "as (7) → (8)"),
    ("the Gaussian's.  More", "the Gaussian's. More"),
    ("small_noise, step_last", "small_noise, [step_[last]]"),
    ("(a ^*) + 2 (", "(a ^*) + 2 (")])
def test_a_sentence_is_cut_into_words_and_mathematics(text, want):
    assert pieces(text) == want


@pytest.mark.parametrize("text, want", [
    ("f'(x) = 1   x = 2", "[f^[′](x)=1] | [x=2]"), ("x = y,  z = 2", "[x=y], | [z=2]"),
    ("(x if it is) + 2", "[(x if it is)+2]"), ("x   = 2", "[x=2]"), ("x    / 2", "[{x/2}]"),
    ("(x    ) = 2", "[(x)=2]")])
def test_in_an_equation_wide_columns_set_apart_and_words_in_brackets_belong(text, want):
    assert pieces(text, True) == want


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
    ("from 0 to -1", "word number word sign number"), ("the weights / x", "word word slash name"),
    ("energies.gaussian", "word dot word"), ("a of x", "name word name"), ("a few", "word word"),
    ("(x - mean)", "open name sign word close"), ("v'Jv", "name prime name"),
    ("a file.npz", "word word dot word"), ("i<k x", "name sign name name"),
    ("d<x, x>", "name open name mark name close"), (") |x|", "close open name close"),
    ("E(x|W) |x|", "name open name given name close open name close"),
])
def test_each_word_of_a_line_is_of_one_kind(line, kinds):
    assert " ".join(one.kind for one in tokens(line, {"x"})) == kinds


def test_a_symbol_that_is_an_english_word_is_one_before_another_word():
    kinds = [one.kind for one in tokens("noise when the noise", {"noise"})]
    assert kinds == ["word", "word", "word", "name"]


def test_two_equations_in_a_line_stand_apart_and_a_list_does_not():
    def gaps(text):
        return [piece.kind for piece in Notation(["x"]).line(text, True)].count("gap")

    assert [gaps("x = 1,  y = 2"), gaps("x = 1   y = 2"), gaps("x = 1, y = 2")] == [1, 1, 0]
    assert gaps("x = 1  y = 2") == 0


def test_a_token_has_the_columns_of_space_around_it():
    found = [(one.before, one.after) for one in tokens("x   + y", {"x", "y"})]
    assert found == [(9, 3), (3, 1), (1, 9)]              # 9 at the ends of the line


@pytest.mark.parametrize("name, behind", [("dx_i", "x_i"), ("dL", "L"), ("dlog_alpha_j",
                                          "log_alpha_j"), ("delta", ""), ("do", ""), ("data", ""),
                                          ("dtheta", "theta"), ("d_i", "")])
def test_a_differential_is_a_d_before_a_letter(name, behind):
    assert differential(name) == behind


def test_a_symbol_carries_the_name_of_its_row():
    assert 'class="y-x_noisy"' in Notation(["x", "x_noisy"]).math("x_noisy_i")
    assert 'class="y-x"' in Notation(["x", "x_noisy"]).math("x_i")


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
