"""Code as HTML: the text stays the text, numbers are links, names carry their symbol."""
import html
import re

import pytest

from refsm.study.code import highlighted
from refsm.study.heads import room, rooms


def text(lines):
    return [html.unescape(re.sub(r"<[^>]*>", "", line)) for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("of", rooms(), ids=lambda one: one.name)
def test_without_its_tags_the_page_is_the_file(of):
    assert text(highlighted(of.source)) == of.source.splitlines()


def test_a_number_behind_a_line_is_a_link_to_its_equation():
    line = highlighted("x = 1   # (n, d)  (7)", numbers=frozenset([7]))[0]
    assert '<a href="#e7">(7)</a>' in line


def test_a_name_of_the_glossary_carries_it():
    of = room("energies/autoencoder")
    assert '<u class=y-psi>psi</u>' in highlighted(
        "psi = 0", lambda name: name if name in of.symbols else "")[0]
