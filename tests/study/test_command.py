"""`refsm study` in the terminal."""
import pytest

from refsm.cli import main
from refsm.study.chapters import CHAPTERS


@pytest.mark.slow
def test_without_a_room_it_lists_every_chapter_in_at_most_100_columns(capsys):
    assert main(["study"]) == 0
    said = capsys.readouterr().out
    assert all(chapter.title in said for chapter in CHAPTERS)
    assert max(map(len, said.splitlines())) <= 100


def test_a_room_is_shown_with_the_arrays_behind_its_tagged_lines(capsys):
    assert main(["study", "autoencoder"]) == 0
    lines = capsys.readouterr().out.splitlines()
    line = next(k for k, one in enumerate(lines) if one.strip().endswith("# (n, d)  (4)"))
    assert lines[line + 1].strip() == "| (2, 2)"


@pytest.mark.parametrize("name", ["nothing", "denoising"])
def test_a_name_that_is_not_one_room_is_one_sentence_and_status_2(name, capsys):
    assert main(["study", name]) == 2
    assert capsys.readouterr().err.startswith("refsm: ROOM must name one room")
