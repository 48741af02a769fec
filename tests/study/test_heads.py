"""Heads as data: what the parser reads is what the file says."""
import re
import zlib

import pytest

from refsm.study.heads import Cited, Equation, Room, Row, Step, paragraphs, room, rooms

NUMBERED = [one for one in rooms() if one.numbers]
SOURCE = '''"""A title.
Directly below it.

Symbols
    x, y  (n, d)   points,
                   as rows
    sigma  number  a width
    more   dict    the rest
    all are finite

Equations
    In words:
    (1)  y = ( x
               + 1 ) / sigma                         [definition]
         z = 2 y
    (2)  w = y
         + z                                         [statement 3]

Derivation
    (1) -> (2)  by (1)
                = a displayed line
    A sentence, which is
    no step.
"""
LIMIT = 3                  # in (2)


def f(x, sigma):
    y = ((x + 1)
         / sigma)          # (n, d)  (1)
    return y + 2 * y       # (n, d)  (2)
'''


@pytest.fixture
def written(tmp_path):
    """A room with a head of each kind of line."""
    path = tmp_path / "here.py"
    path.write_text(SOURCE)
    return Room(path, tmp_path)


def test_a_head_is_its_title_what_is_below_it_and_its_sections(written):
    assert written.title == "A title."
    assert written.sections[0] == ("", ["Directly below it.", ""])
    assert [name for name, _ in written.sections[1:]] == ["Symbols", "Equations", "Derivation"]


def test_a_row_goes_on_where_it_is_further_in_and_may_have_no_name(written):
    assert written.rows == [Row(["x", "y"], "(n, d)", "points, as rows"),
                            Row(["sigma"], "number", "a width"),
                            Row(["more"], "dict", "the rest"), Row([], "", "all are finite")]
    assert written.names == {"x", "y", "sigma", "more", "LIMIT"}


def test_an_open_bracket_or_a_sign_goes_on_with_an_equation_and_another_line_is_its_second(written):
    assert written.equations == [Equation(0, ["    In words:"], ""),
                                 Equation(1, ["y = ( x + 1 ) / sigma", "z = 2 y"], "definition"),
                                 Equation(2, ["w = y + z"], "statement 3")]


def test_a_step_keeps_the_columns_of_its_lines_and_a_sentence_is_a_step_without_numbers(written):
    displayed = [" " * 16 + "by (1)", " " * 16 + "= a displayed line"]
    assert written.steps == [Step([1], [2], displayed),
                             Step([], [], ["    A sentence, which is", "    no step."])]


def test_a_number_is_cited_behind_code_and_leads_to_the_first_line_of_its_statement(written):
    lines = SOURCE.splitlines()
    constant, behind = (k for k, line in enumerate(lines, 1)
                        if line.endswith(("# in (2)", "# (n, d)  (1)")))
    assert written.cited == [Cited(constant, [2]), Cited(behind, [1]), Cited(behind + 1, [2])]
    assert written.lines_of(1) == [behind - 1]
    assert written.lines_of(2) == [constant, behind + 1]


def test_a_fingerprint_is_the_checksum_of_the_lines_that_cite_a_number(written):
    assert written.fingerprint(1) == f"{zlib.crc32(b'/ sigma)          # (n, d)  (1)'):08x}"


def test_the_autoencoder_has_its_sixteen_equations_and_five_headings():
    of = room("energies/autoencoder")
    assert of.numbers == list(range(1, 17))
    assert [name for name, _ in of.sections if name] == ["Symbols", "Equations", "Derivation",
                                                         "Conventions", "Sources"]


def test_a_room_can_be_named_by_its_file_its_module_or_its_last_part():
    names = {room(name).name for name in ("autoencoder", "energies/autoencoder",
                                          "refsm.energies.autoencoder", "energies/autoencoder.py")}
    assert names == {"energies/autoencoder"}
    assert room("directions").name == "directions"            # and not verify/mistakes/directions


def test_a_room_has_the_name_of_its_module_and_a_package_its_own():
    assert room("autoencoder").module == "refsm.energies.autoencoder"
    assert room("energies/__init__").module == "refsm.energies"


@pytest.mark.parametrize("name, said", [
    ("nothing", "names none: `refsm study` lists those of the chapters"),
    ("denoising", "names 2: it may be objectives/denoising, theorems/denoising")])
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
    long = ("    " + "word " * 18).rstrip()
    assert paragraphs([long, "    next"]) == [[long + " next"]]
    assert len(paragraphs(["    short:", "    a = b"])[0]) == 2
    assert len(paragraphs([long, "    (b) another"])[0]) == 2
    assert len(paragraphs([long, "    37  another"])[0]) == 2
    assert len(paragraphs([long, "    small_noise   14, 19"])[0]) == 2


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
