"""One order of study: the list of chapters, the README's and the package's."""
import pathlib
import re

import pytest

import refsm
from refsm.study.chapters import CHAPTERS, title_of
from refsm.study.heads import rooms

TREE = pathlib.Path(refsm.__file__).parent.parent
ORDER = [name for chapter in CHAPTERS for name in chapter.rooms]
NUMBERED = {one.name for one in rooms() if one.numbers and not one.name.startswith("verify/")}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda one: one.title)
def test_the_rooms_of_a_chapter_exist(chapter):
    assert set(chapter.rooms) <= {one.name for one in rooms()}


def test_the_title_of_a_room_is_that_of_its_docstring():
    assert [title_of(one.name) for one in rooms()] == [one.title for one in rooms()]


def test_no_room_is_in_two_chapters():
    assert len(ORDER) == len(set(ORDER))


def test_every_room_with_numbered_equations_below_verify_is_in_a_chapter():
    assert NUMBERED <= set(ORDER)


def test_every_demo_is_in_one_chapter():
    files = sorted(path.stem for path in (TREE / "demos").glob("[0-9]*.py"))
    assert sorted(name for chapter in CHAPTERS for name in chapter.demos) == files


def test_the_list_of_the_package_keeps_the_order():
    listed = re.findall(r"^    ([a-z]+(?:\.\w+)*) {2,}\S", refsm.__doc__, re.M)
    assert len(listed) > 9
    places = [ORDER.index(name.replace(".", "/")) for name in listed]
    assert places == sorted(set(places))


def test_the_list_of_the_readme_has_the_chapters_and_some_of_their_rooms_in_order():
    text = (TREE / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^To study it.*?\n\n(.*?)^## ", text, re.M | re.S)
    items = re.findall(r"^\d+\. (.*?)(?=^\d+\. |\Z)", found[1], re.M | re.S)
    assert len(items) == len(CHAPTERS)
    for item, chapter in zip(items, CHAPTERS):
        assert item.startswith(f"**{chapter.title}**")
        linked = re.findall(r"\]\((?:refsm/)?([\w/]+)\.py\)", item)
        assert linked
        assert set(linked) <= {*chapter.rooms, *(f"demos/{name}" for name in chapter.demos)}
        rooms_linked = [ORDER.index(name) for name in linked if name in ORDER]
        assert rooms_linked == sorted(rooms_linked)
