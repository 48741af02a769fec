"""The pages of the demos: each cell with what it printed."""
import json
import re
import sys

import pytest

from refsm.study import demos
from refsm.study.demos import Demo, cells, demo_page, run, title_of

SOURCE = '''# %% [markdown]
# # A title
# Some text.

# %%
x = 3
print(x + 4)

# %%
y = x + 5

# %% [markdown]
# ## More
# %%
print("<", y)
print("\\npicture: here.png")
'''


@pytest.fixture
def demo(tmp_path):
    folder = tmp_path / "tree" / "demos"
    folder.mkdir(parents=True)
    path = folder / "demo.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def printed(monkeypatch, capsys):
    """What the cells of a demo print, run in this process."""
    monkeypatch.setattr(sys, "argv", ["demo"])

    def printed(path):
        demos._main(str(path), "here.png")
        assert sys.argv == [str(path), "--figure", "here.png"]
        return json.loads(capsys.readouterr().out)

    return printed


def test_the_cells_are_text_and_code_with_their_lines():
    found = cells(SOURCE)
    assert [cell.is_text for cell in found] == [True, False, False, True, False]
    lines = SOURCE.splitlines()
    for cell in found:
        first = cell.body.splitlines()[0]
        assert lines[cell.line - 1] == ("# " + first if cell.is_text else first)


def test_the_title_is_the_first_line():
    assert title_of(SOURCE) == "A title"


def test_each_cell_prints_below_itself_and_the_picture_stands_where_it_was_drawn(demo, printed):
    page = demo_page(SOURCE, Demo(printed(demo), ""), "demo.png")
    assert re.findall(r'<pre class="said">(.*?)</pre>', page, re.S) == ["7", "&lt; 8"]
    places = [page.index(one) for one in ("x = 3", ">7<", "y = x", "lt; 8<", "<img src")]
    assert places == sorted(places)
    assert "picture: here.png" not in page.split('class="said"')[2]


def test_without_a_run_the_picture_follows_the_first_text():
    page = demo_page(SOURCE, None, "demo.png")
    assert page.index("Some text") < page.index("<img") < page.index("print")
    assert 'class="said"' not in page


def test_without_a_picture_there_is_none():
    assert "<img" not in demo_page(SOURCE, None, "")


def test_what_was_printed_before_an_error_is_kept(demo, printed, capsys):
    demo.write_text(SOURCE.replace("y = x + 5", "print(9)\nraise ValueError('a reason')"))
    with pytest.raises(ValueError, match="a reason"):
        printed(demo)
    assert json.loads(capsys.readouterr().out) == ["7\n", "9\n"]


def test_an_error_stands_at_the_end_of_the_page():
    page = demo_page(SOURCE, Demo(["7\n"], "ValueError: a < b"), "")
    assert page.index(">7<") < page.index("## More".lstrip("# ")) < page.index("a &lt; b")


@pytest.mark.slow
def test_a_demo_runs_in_a_process_of_its_own(demo, tmp_path):
    assert run(demo, tmp_path / "demo.png") == Demo(["7\n", "", "< 8\n\npicture: here.png\n"], "")
    demo.write_text(SOURCE + "\n# %%\nprint(9)\nraise ValueError('a reason')\n")
    found = run(demo, tmp_path / "demo.png")
    assert found.printed[-1] == "9\n"
    assert found.error.endswith("ValueError: a reason")
    assert f"line {SOURCE.count(chr(10)) + 4}" in found.error
    demo.write_text(SOURCE.replace("y = x + 5", "raise SystemExit"))
    assert run(demo, tmp_path / "demo.png") == Demo(["7\n", ""], "")
