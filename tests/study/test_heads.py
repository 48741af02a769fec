"""Heads as data: what the parser reads is what the file says."""
import re

import pytest

from refsm.study.heads import Room, paragraphs, room, rooms

NUMBERED = [one for one in rooms() if one.numbers]


def test_the_autoencoder_has_its_sixteen_equations_and_five_headings():
    of = room("energies/autoencoder")
    assert of.numbers == list(range(1, 17))
    assert [name for name, _ in of.sections if name] == ["Symbols", "Equations", "Derivation",
                                                         "Conventions", "Sources"]


def test_a_room_can_be_named_by_its_file_its_module_or_its_last_part():
    names = {room(name).name for name in ("autoencoder", "energies/autoencoder",
                                          "refsm.energies.autoencoder", "energies/autoencoder.py")}
    assert names == {"energies/autoencoder"}


@pytest.mark.parametrize("name, said", [("nothing", "names 0"), ("denoising", "names 2")])
def test_a_name_of_no_room_or_of_two_is_refused_in_a_sentence(name, said):
    with pytest.raises(ValueError, match=f"ROOM must name one room, but '{name}' {said}"):
        room(name)


def test_a_row_of_the_glossary_has_names_shape_and_meaning():
    rows = room("energies/autoencoder").symbols
    assert rows["W"].shape == "(m, d)"
    assert rows["W"].meaning.startswith("weights, one row per hidden unit")
    assert rows["s1"] is rows["s"]


def test_an_equation_over_two_lines_is_one_and_its_mark_is_apart():
    found = {one.number: one for one in room("energies/mixture").equations}
    assert len(found[24].lines) == 1
    assert found[24].mark == "result"


def test_the_steps_of_the_derivation_name_their_sources_and_targets():
    steps = [(step.sources, step.targets) for step in room("closed_forms").steps]
    assert ([9], [10]) in steps
    assert ([], [11, 12, 13, 14, 15, 16]) in steps


def test_a_wrapped_line_is_joined_and_a_displayed_one_is_not():
    long = "    " + "word " * 18
    assert len(paragraphs([long, "    next"])[0]) == 1
    assert len(paragraphs(["    short:", "    a = b"])[0]) == 2


@pytest.mark.parametrize("of", NUMBERED, ids=lambda one: one.name)
def test_no_equation_of_a_head_is_lost(of: Room):
    lines = [line for line in of.section("Equations") if re.match(r" {4}\(\d+\)", line)]
    assert len(of.numbers) == len(lines)
    assert of.numbers == list(range(1, len(lines) + 1))


@pytest.mark.parametrize("of", NUMBERED, ids=lambda one: one.name)
def test_the_words_of_the_derivation_are_all_in_its_steps(of: Room):
    said = " ".join(" ".join(step.lines) for step in of.steps)
    for word in re.findall(r"[a-z]{5,}", " ".join(of.section("Derivation"))):
        assert word in said


@pytest.mark.parametrize("room_left, parts", [(0, 2), (-1, 1)])
def test_a_line_was_wrapped_if_the_next_word_had_no_room_within_95_columns(room_left, parts):
    line = "    " + "a" * (95 - 1 - len("next") - 4 - room_left)
    assert len(paragraphs([line, "    next word"])[0]) == parts


def test_a_list_is_not_joined_and_an_empty_line_ends_a_paragraph():
    long = "    " + "word " * 17 + "list:"
    assert len(paragraphs([long, "    first"])[0]) == 2
    assert len(paragraphs(["    one", "", "    two"])) == 2


def test_the_code_of_a_file_begins_behind_its_docstring(tmp_path):
    path = tmp_path / "here.py"
    path.write_text('"""Title.\n\nMore.\n"""\nx = 1\n')
    assert Room(path, tmp_path).code_starts == 5
    path.write_text("x = 1\n")
    assert Room(path, tmp_path).code_starts == 1


def test_the_text_between_equations_is_one_entry_of_its_lines():
    between = [one for one in room("energies/mixture").equations if not one.number]
    accuracy = next(one for one in between if "Accuracy" in one.lines[0])
    assert len([line for line in accuracy.lines if line.strip()]) == 3
    assert all(one.number == 0 and one.mark == "" for one in between)
