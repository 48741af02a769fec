"""The book: every link arrives, nothing is half written, the mistakes of the exercises are seen."""
import html.parser
import pathlib
import re
import signal

import pytest

from refsm.cli import main
from refsm.study import book
from refsm.study.drawing import BOXES, LINES
from refsm.study.exercises import EXERCISES, seen
from refsm.study.heads import rooms
from refsm.study.markdown import markdown

SENTENCES = 1          # equation (7) of expectations has no mathematics in it
NAMES = {one.name for one in rooms()}


class Page(html.parser.HTMLParser):
    """The links, the ids and the open elements of a page."""

    VOID = {"meta", "link", "br", "img", "mspace"}

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.open, self.wrong = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        of = dict(attributes)
        self.links += [of[key] for key in ("href", "src") if key in of]
        self.ids += [of["id"]] if "id" in of else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.links += [value for key, value in attributes if key in ("href", "src")]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)



def test_the_map_joins_boxes_that_exist():
    assert {name for _, *ends in LINES for name in ends} == set(BOXES)
    assert {room for *_, room in BOXES.values()} <= NAMES


@pytest.mark.slow
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda one: f"{one.room} ({one.number})")
def test_an_exercise_plants_a_mistake_that_a_checker_sees(exercise):
    found = seen(exercise)
    assert found is not None, "the line is written differently now"
    assert any(verdict != "PASS" for _, verdict in found)


def test_markdown_has_lists_tables_and_code():
    assert markdown("- a\n- `b`") == "<ul><li>a</li><li><code>b</code></li></ul>"
    assert markdown("1. a\n   c\n2. b") == "<ul><li>a c</li><li>b</li></ul>"
    rows = "<tr><td>x</td><td>y</td></tr><tr><td>1</td><td>2</td></tr>"
    assert markdown("| x | y |\n|---|---|\n| 1 | 2 |") == (
        f'<div class="wide"><table>{rows}</table></div>')
    assert markdown("    x = 1\n      y < 2") == "<pre>x = 1\n  y &lt; 2</pre>"
    assert markdown("## A\nb\nc\n\nd") == "<h2>A</h2><p>b c</p>\n<p>d</p>"


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OSError, match="DIR must be new, empty or an earlier book"):
        book.build(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    with pytest.raises(OSError, match="^DIR must be a folder that can be made, but .*mine.txt/b: "):
        book.build(tmp_path / "mine.txt" / "b")


class Short:
    """A book of one page, built at once; `stops` raises at one moment."""

    stops = None

    def __init__(self):
        self.pages, self.equations, self.failed = {"index.html": "new"}, 0, []
        self.reach("made")

    def write(self, folder, run_demos, say):
        (folder / "book.css").write_text("new")
        self.reach("half written")
        (folder / "index.html").write_text("new")
        self.reach("written")

    @classmethod
    def reach(cls, moment):
        if cls.stops and cls.stops[0] == moment:
            raise cls.stops[1]


@pytest.fixture
def earlier(tmp_path, monkeypatch):
    """A folder with an earlier book."""
    target = tmp_path / "book"
    target.mkdir()
    (target / "book.css").write_text("earlier")
    monkeypatch.setattr(book, "Book", Short)
    monkeypatch.setattr(Short, "stops", None)
    return target


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_build_takes_the_place_of_the_earlier_book(earlier):
    book.build(earlier)
    assert [path.name for path in earlier.parent.iterdir()] == ["book"]
    assert contents(earlier) == {"book.css": "new", "index.html": "new"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), ValueError("a page")],
                         ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("moment", ["made", "half written", "written"])
def test_a_build_that_stops_leaves_the_earlier_book(earlier, monkeypatch, moment, error):
    monkeypatch.setattr(Short, "stops", (moment, error))
    with pytest.raises(type(error)):
        book.build(earlier)
    assert [path.name for path in earlier.parent.iterdir()] == ["book"]
    assert contents(earlier) == {"book.css": "earlier"}


@pytest.mark.parametrize("fails", ["away", "into place"])
def test_a_build_that_stops_between_the_two_books_leaves_the_earlier_one(earlier, monkeypatch,
                                                                         fails):
    rename, calls = pathlib.Path.rename, []

    def interrupted(path, target):
        calls.append(path)
        if len(calls) == {"away": 1, "into place": 2}[fails]:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(pathlib.Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        book.build(earlier)
    assert [path.name for path in earlier.parent.iterdir()] == ["book"]
    assert contents(earlier) == {"book.css": "earlier"}


def test_sigterm_leaves_the_earlier_book_and_its_own_status(earlier, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(Short, "write", lambda *given: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit) as ended:
        main(["study", "--html", str(earlier)])
    assert ended.value.code == 143
    assert [path.name for path in earlier.parent.iterdir()] == ["book"]
    assert contents(earlier) == {"book.css": "earlier"}
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_build_that_stops_leaves_no_folder_where_none_was(tmp_path, monkeypatch):
    monkeypatch.setattr(book, "Book", Short)
    monkeypatch.setattr(Short, "stops", ("half written", KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        book.build(tmp_path / "book")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "book"
    return folder, book.build(folder)


@pytest.mark.slow
def test_every_equation_is_typeset_and_the_book_is_small(built):
    _, of = built
    assert of.failed == []
    assert of.equations == sum(len(one.numbers) for one in rooms()) - SENTENCES
    assert of.size < 5e6


@pytest.mark.slow
def test_every_link_inside_the_book_arrives_and_every_page_is_well_formed(built):
    folder, _ = built
    pages = {path.name: Page(path.read_text()) for path in folder.glob("*.html")}
    for name, page in pages.items():
        assert not page.wrong, (name, page.wrong[:3])
        assert not page.open, (name, page.open[:3])
        assert len(page.ids) == len(set(page.ids)), name
        for link in page.links:
            if not link.startswith("http"):
                file, _, place = link.partition("#")
                assert not file or (folder / file).exists(), (name, link)
                goal = pages.get(file or name)
                assert not place or (goal and place in goal.ids), (name, link)


def element(page, place):
    """The text from an id on."""
    return re.sub(r"<[^>]*>", "", re.split(f'id="?{place}[ ">]', page, maxsplit=1)[1])


@pytest.mark.slow
def test_from_the_first_page_to_the_pullback_in_three_clicks(built):
    """Links alone are followed: the energy; the number (14), to its derivation; its line of code.
    """
    folder, _ = built
    first = (folder / "index.html").read_text()
    page = re.search(r'href="([^"#]*)">the autoencoder energy<', first)[1]
    text = (folder / page).read_text()
    derivation = re.search(r'href="#(\w+)">\(14\)', text.split('id="e14"')[1])[1]
    assert "enters through" in element(text, derivation)[:200]
    line = re.search(rf'id="{derivation}" href="#(\w+)"', text)[1]
    assert element(text, line).split("\n")[0].strip("<>").endswith(
        "dW = (outer_sum(A, x) + outer_sum(s, p)")


@pytest.mark.slow
def test_a_test_that_sees_a_line_stands_under_its_equation_and_names_it(built):
    folder, _ = built
    page = (folder / "room.energies.autoencoder.html").read_text()
    under = page.split('id="e14"')[1].split('id="e15"')[0]
    places = re.findall(r'href="#(t\d+)"', under)
    assert places
    for place in places:
        assert "(14)" in element(page, place).split("\n")[0][:400]


@pytest.mark.slow
def test_the_page_of_the_statements_has_all_of_them_with_both_sides_and_a_way_back(built):
    folder, _ = built
    page = (folder / "statements.html").read_text()
    sections = re.findall(r'<section class="box" id="s(\d+)">(.*?)</section>', page, re.S)
    assert [int(number) for number, _ in sections] == list(range(1, 53))
    for number, section in sections:
        room = re.search(r'href="(room\.theorems[^"]*)"', section)
        assert room, number
        assert re.search("gap .*bound .*(all hold|it holds)", section), number
