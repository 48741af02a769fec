"""`refsm study` in the terminal."""
import pathlib

import pytest

from refsm.cli import main
from refsm.study.chapters import CHAPTERS


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


@pytest.mark.parametrize("arguments, folder, runs", [
    (["--html", "here"], "here", False), (["--html", "here", "--run-demos"], "here", True),
    (["--run-demos"], "refsm-book", True)])
def test_a_book_is_reported_in_one_line_and_what_failed_on_standard_error(
        monkeypatch, capsys, arguments, folder, runs):
    from refsm.study import book
    asked = []

    def build(target, run_demos, say):
        asked.append((str(target), run_demos))
        say("demos/01_energy")
        return book.Built(3, 1_250_000, 7, ["demos/01_energy: no"])

    monkeypatch.setattr(book, "build", build)
    assert main(["study", *arguments]) == 0
    out, err = capsys.readouterr()
    assert asked == [(folder, runs)]
    assert out == f"3 pages, 7 equations, 1.2 MB: {pathlib.Path(folder) / 'index.html'}\n"
    assert err == "demos/01_energy\nrefsm: demos/01_energy: no\n"


def test_open_shows_the_page_of_the_room(monkeypatch, capsys, tmp_path):
    from refsm.study import book
    opened = []
    monkeypatch.setattr(book, "build", lambda *given: book.Built(1, 1, 1, []))
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.chdir(tmp_path)
    assert main(["study", "autoencoder", "--open"]) == 0
    assert opened == [(tmp_path / "refsm-book" / "room.energies.autoencoder.html").as_uri()]


def test_a_folder_without_a_name_is_refused(capsys):
    assert main(["study", "--html", ""]) == 2
    assert capsys.readouterr().err == "refsm: --html must name a folder, but it is empty\n"
