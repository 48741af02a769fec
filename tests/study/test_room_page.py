"""The page of a room, on a room of two equations: every number is a link, and every link arrives.
"""
import html
import re

import pytest

from refsm.study.heads import Room
from refsm.study.notation import Notation
from refsm.study.rooms import RoomPage, page_name, rows_of, typeset

SOURCE = '''"""A room for tests: the square of x.

Symbols
    n points.
    x, y      (n, d)   points, and others
    step      number   a length;  see `refsm.other`

Equations
    the first
    (1) s = x^2 / 2            [statement 5]
    (2) y = x + step s

Derivation
    (1) -> (2)  a step along (1)

Sources
    Statement 7 of nobody.  A. Author, A square, J. Roy. Soc. A 210 (1911), for (1)-(2) and x^2.
"""


def f(x, step):
    s = x**2 / 2                             # (n, d)  (1)
    return x + step * s                      # (n, d)  (2)
'''
TESTS = ["test_the_square", "test_the_step_is_long"]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    path = tmp_path_factory.mktemp("room") / "other" / "square.py"
    path.parent.mkdir()
    path.write_text(SOURCE)
    return Room(path, path.parent.parent)


@pytest.fixture(scope="module")
def page(room):
    return RoomPage(room, {"refsm.other": "room.other.html"}, {5}, "AROUND", TESTS,
                    {1: ["test_the_square", "test_gone"], 2: TESTS}).html()


def text(page):
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def test_a_capital_letter_of_a_source_is_no_mathematics_and_a_formula_is(page):
    source = page.split("Sources</h2>")[1]
    assert "A. Author, A square, J. Roy. Soc. A 210 (1911), for" in source
    assert "(1)–(2) and x2." in text(source)
    assert source.count("<math>") == 1


def between(page, start, end):
    return page.split(start)[1].split(end)[0]


def test_every_link_inside_arrives_and_every_id_is_one(page):
    ids = re.findall(r'id="?([\w-]+)', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#(\w+)"', page)) <= set(ids)


def test_an_equation_leads_to_its_derivation_or_else_to_its_line(page):
    first, second = re.findall(r'class="num" href="#(\w+)">\((\d)\)<', page)
    assert first == (f"L{SOURCE.split('s = x**2')[0].count(chr(10)) + 1}", "1")
    assert second == ("d2", "2")


def test_under_an_equation_stand_its_lines_its_statement_and_the_tests_that_see_it(page):
    first = between(page, 'id="e1"', 'id="e2"')
    assert 'href="statements.html#s5">5</a>' in first
    line = SOURCE.split("s = x**2")[0].count("\n") + 1
    assert f'<a href="#L{line}">line {line}</a>' in first
    assert "1 test<" in first
    assert '<a href="#t0">the square</a>' in first
    assert "gone" not in first
    assert "2 tests<" in between(page, 'id="e2"', "Derivation")


def test_a_test_names_the_equations_that_it_sees(page):
    assert text(between(page, '<li id="t0">', "</li>")) == "the square (1) (2)"
    assert text(between(page, '<li id="t1">', "</li>")) == "the step is long (2)"


def test_without_a_measurement_nothing_is_said_of_one(room):
    page = RoomPage(room, {}, tests=TESTS).html()
    assert "1.01" not in page
    assert "<details><summary>" not in between(page, 'id="e1"', "Derivation")
    assert text(between(page, '<li id="t0">', "</li>")).strip() == "the square"


def test_a_step_links_back_to_its_equation_and_on_to_the_line(page):
    step = between(page, 'class="step"', "</div></div>")
    assert '<a href="#e1">(1)</a> → <a id="d2"' in step
    assert text(step).endswith("a step along (1)")


def test_a_statement_that_is_not_known_is_no_link(page):
    assert "Statement 7 of nobody" in text(page)
    assert "#s7" not in page


def test_code_that_names_a_page_is_a_link_and_names_are_hovered(page):
    assert '<a href="room.other.html"><code>refsm.other</code></a>' in page
    assert 'class="y-step"' in page
    assert "body:has(.y-x:hover) .t-x,body:has(.y-y:hover) .t-x{display:block}" in page


def test_the_lines_of_code_are_numbered_from_where_it_begins(page, room):
    assert f"counter-reset:l {room.code_starts - 1}" in page
    code = page.split('<section class="code"')[1]
    assert code.count("<s></s>") == len(SOURCE.splitlines()) - room.code_starts + 1


def test_the_text_between_equations_is_prose(page):
    assert '<div class="between"><p>the first</p></div>' in page
    assert "AROUND" in page


def test_a_room_counts_the_equations_with_mathematics(room):
    page = RoomPage(room, {})
    page.html()
    assert page.typeset == 2
    assert page.notation.failed == []


def test_a_name_of_a_page_and_rows_of_a_table():
    assert page_name("a/b") == "room.a.b.html"
    assert rows_of([(1, "x")]) == "<tr><td>1</td><td>x</td></tr>"


def test_a_line_is_typeset_without_links():
    shown = typeset("half of x^2 in `x`, see (1) & more", Notation(["x"], [1]))
    assert "<math>" in shown
    assert "<code>x</code>" in shown
    assert "&amp;" in shown
    assert "<a" not in shown
