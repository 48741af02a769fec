"""The page of statements: within its width, ascending, the worst of each name, its symbols."""
import re

import pytest
from computations import MODULES, statements

from refsm import theorems
from refsm.theorems import page
from refsm.theorems.statement import Statement


def some():
    return [
        Statement(7, "a = b", "here", 1.0, 1.0, 0.0, 1e-15, "rounding"),
        Statement(7, "a = b", "there", 1.0, 1.5, 0.5, 1.0, "rounding"),
        Statement(
            3, "c, and d", "in a place that takes a very long line to describe, "
            "with d=64, m=100, sigma=0.05 and 1797 rows of data", 1.0, 3.0, 2.0, 1e-9, "differs"),
        Statement(5, "a long name = another name that is so long that it goes on below it", "here",
                  -0.000123456, 2.0, 0.0, 0.0, "exact")
    ]


def test_rows_are_ascending_and_show_the_worst_of_each_name():
    rows = [(s.number, s.where, count) for s, count in page.worst(some())]
    assert [(number, count) for number, _, count in rows] == [(3, 1), (5, 1), (7, 2)]
    assert rows[2][1] == "there"


@pytest.mark.parametrize(("how", "gaps", "worst"), [("rounding", (1e-16, 9e-16), 1),
                                                    ("differs", (5.0, 3.0), 1)])
def test_the_worst_is_the_nearest_to_failing(how, gaps, worst):
    made = [Statement(1, "n", str(k), 0.0, 0.0, gap, 1e-15, how) for k, gap in enumerate(gaps)]
    assert page.worst(made)[0][0].where == str(worst)
    failing = Statement(1, "n", "fails", 0.0, 0.0, 2e-15 if how == "rounding" else 1e-15, 1e-15,
                        how)
    assert page.worst([failing, *made])[0][0].where == "fails"


def test_the_worst_in_rationals_is_the_one_with_a_gap():
    made = [
        Statement(1, "n", where, 0, 0, gap, 0.0, "exact")
        for where, gap in (("a", 0), ("b", 1), ("c", 0))
    ]
    assert page.worst(made)[0][0].where == "b"


def test_a_wide_page_has_one_line_for_the_numbers_of_a_row():
    lines = page.group_text("Title", some()).splitlines()
    assert lines[1] == "Title"
    assert lines[2].split() == ["#", "statement", "left", "right", "gap", "bound", "ok"]
    row = next(line for line in lines if line.startswith(" 7"))
    assert row.split() == ["7", "a", "=", "b", "1", "=", "1.5", "5.0e-01", "1.0e+00", "yes"]
    assert lines[lines.index(row) - 1].strip() == "worst of 2: there (rounding)"
    exact = next(line for line in lines if line.startswith(" 5"))
    assert exact.split()[-3:] == ["0", "0", "yes"]
    assert "!=" in next(line for line in lines if line.startswith(" 3"))


def test_the_columns_stand_under_their_headings():
    lines = page.group_text("Title", some()).splitlines()
    row = next(line for line in lines if line.startswith(" 7"))
    for heading, value in (("left", " 1"), ("right", "1.5"), ("gap", "5.0e-01"),
                           ("bound", "1.0e+00")):
        end = lines[2].index(f" {heading}") + 1 + len(heading)
        assert row[:end].endswith(value)
    assert row.endswith("yes")
    assert len(row) <= 100


@pytest.mark.parametrize("width", [100, 99, 80, 72, 60, 40, 7, 300])
def test_no_line_is_wider_than_the_page(width):
    text = "\n".join([page.group_text("A title " * 12, some(), width), page.legend(width),
                      page.closing([some()], width)])
    widest = max(40, min(width, 100))
    assert max(map(len, text.splitlines())) <= widest
    assert text.isascii()


def test_no_line_of_the_real_statements_is_too_wide_for_a_terminal_of_eighty():
    from refsm.theorems import conditions, decoder
    for room in (conditions, decoder):
        made = statements(room)
        for width in (100, 80):
            assert max(map(len, page.group_text(room.GROUP, made, width).splitlines())) <= width


def test_data_that_determine_nothing_are_said_to():
    assert "left out: these data do not determine it" in page.group_text("The Gaussian", [])


def test_the_legend_has_each_column_each_kind_and_each_symbol_on_a_line():
    text = page.legend()
    for key in (*page.COLUMNS, *page.KINDS, *page.SYMBOLS):
        assert key in text
    assert all(len(line) <= 100 for line in text.splitlines())
    assert {"exact", "rounding", "quadrature", "enumeration", "limit", "differs"} == set(page.KINDS)


def test_the_closing_counts_rows_and_statements_and_says_what_is_not_shown():
    text = page.closing([some()[:2], some()[2:]])
    assert "3 rows show the worst of 4: 4 of 4 statements hold." in text
    assert "What it does not show" in text


def test_an_interruption_is_said_and_nothing_is_claimed():
    text = " ".join(page.closing([some()], interrupted=True).split())
    assert text.startswith("Interrupted: the other statements were not evaluated. 3 rows show")
    assert "What this shows" not in text


def test_a_failure_is_named_and_nothing_is_claimed():
    failing = Statement(5, "e = f", "here", 1.0, 2.0, 1.0, 0.5, "quadrature")
    text = page.closing([[*some(), failing]])
    assert "4 of 5 statements hold, 1 FAIL." in text
    failure = "5  e = f  [here]: 1 = 2, gap 1.0e+00, bound 5.0e-01 (quadrature): FAILS"
    assert f"FAILED:  {failure}" in text
    assert "What this shows" not in text
    assert page.group_text("Title", [failing]).splitlines()[-1].endswith(" NO")


def test_the_symbols_of_a_group_stand_under_its_heading():
    lines = page.group_text("Title", some(), 60,
                            ["mu: a mean", "nu: " + "a long explanation " * 5]).splitlines()
    assert lines[1:4] == [
        "Title", "  mu: a mean", "  nu: a long explanation a long explanation a long"
    ]
    assert max(map(len, lines)) <= 60


SYMBOL = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)+|\b[A-Z]\b|\b(?:kl|mu|nu|lambda|dP|dm)\b")


def undefined(room):
    """Symbols in the names of a room's statements that neither the legend nor its group defines."""
    there = " ".join([*page.SYMBOLS, *page.SYMBOLS.values(), *theorems.letters()[room.GROUP]])
    defined = set(SYMBOL.findall(there))
    names = {s.name for s in statements(room)}
    return {symbol for name in names for symbol in SYMBOL.findall(name)} - defined


@pytest.mark.parametrize("room", MODULES, ids=lambda room: room.GROUP)
def test_every_symbol_of_a_statement_is_in_the_legend_or_under_its_group(room):
    assert not undefined(room)
