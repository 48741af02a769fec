"""The pictures of `refsm reproduce`: what they show follows from the statements they are given."""
import pytest

from refsm import figures
from refsm.theorems import chain
from refsm.theorems.statement import Statement


def made(number, gap=0.0):
    return Statement(number, "a = b", "here", 1.0, 1.0, gap, 1e-15, "rounding")


def test_every_line_of_the_graph_joins_two_boxes_and_has_its_own_number():
    numbers = [line.number for line in figures.LINES]
    assert len(set(numbers)) == len(numbers)
    for line in figures.LINES:
        assert {line.start, line.end} <= set(figures.BOXES)
    joined = {end for line in figures.LINES for end in (line.start, line.end)}
    assert joined == set(figures.BOXES)


def test_the_constants_of_a_closed_path_in_the_graph_add_up_to_nothing():
    """(4), then (3), is (5): + I/2 - d/(2 sigma^2), then - I/2."""
    text = {line.number: line.text for line in figures.LINES}
    assert "+\\frac{I}{2}" in text[4]
    assert "-\\frac{I}{2}" in text[3]
    assert text[4].replace("+\\frac{I}{2}", "") == text[5]


@pytest.fixture
def plt():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot
    yield matplotlib.pyplot
    matplotlib.pyplot.close("all")


def titles(figure):
    return " ".join(axis.get_title() for axis in figure.axes)


def test_the_graph_counts_the_links_that_hold(plt):
    statements = [made(line.number) for line in figures.LINES]
    assert "8 of 8 links hold" in titles(figures._chain(plt, statements))
    statements[2] = made(statements[2].number, gap=1.0)
    assert "7 of 8 links hold" in titles(figures._chain(plt, statements))
    assert "0 of 8 links hold" in titles(figures._chain(plt, []))


def test_the_picture_of_gaps_claims_that_all_hold_only_if_they_do(plt):
    good = titles(figures._gaps(plt, [made(1), made(2), made(2, gap=1e-16)]))
    assert good == "Every gap is within its bound: 3 of 3 statements hold"
    bad = titles(figures._gaps(plt, [made(1), made(2, gap=1.0)]))
    assert bad == "1 of 2 statements hold"


@pytest.mark.slow
def test_the_minimisers_of_the_four_losses_are_one(plt):
    figure = figures._losses(plt)
    lines = [line.get_ydata() for line in figure.axes[0].lines[:4]]
    assert len({int(values.argmin()) for values in lines}) == 1
    assert chain.SIGMA == 0.61
