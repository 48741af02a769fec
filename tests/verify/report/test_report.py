"""Reports are data with a readable text."""
import json

import pytest

from refsm.verify.report.report import VERDICTS, Report, Row


@pytest.mark.parametrize("verdict, status", [*zip(VERDICTS, [0, 1, 1, 1, 3, 2])])
def test_exit_statuses(verdict, status):
    report = Report(verdict, "dsm", "name")
    assert report.exit_status == status
    assert bool(report) == (status == 0)
    assert str(report).startswith(f"{verdict}  dsm: name")


def test_what_is_meant_conforms():
    assert Report("MISMATCH", "dsm", "", conforms=True).exit_status == 0
    assert str(Report("BROKEN", "dsm", "no answers")) == "BROKEN  dsm: no answers"


def test_a_report_is_frozen():
    with pytest.raises(AttributeError):
        Report("PASS", "dsm", "").verdict = "FAIL"


FULL = Report(
    "MISMATCH", "ism", "the sign of the divergence", factor="1", convention="divergence x -1",
    declared="2", rows=(Row("|psi|^2 / 2", 1.5, 1.5, "1"), Row("tr J", -2.25, 2.25, "-1"),
                        Row("a term with a very long name that must be cut somewhere near here",
                            None, 1e-9, "factor " * 40)), consequences=("word " * 60,),
    seen=("somewhere",), not_the_problem=("the norm",), cannot_tell=("this from that",),
    notes=("take note",), failing=("a", "b"),
    case={"id": "prime/ism/c0/t0", "sizes": {"d": 3, "n": 7}, "reference": -0.75,
          "yours": 3.75}, cases=30, model="tanh", precision="float32", resolution=1e-9,
    runner_up="no other known mistake comes nearer than 10 %",
    reproduce="refsm verify a:b\nrefsm show c --steps")


TEXT = """\
MISMATCH  ism: the sign of the divergence
  30 cases of the tanh model, answers in float32
  declared: 2; found: divergence x -1

  term                                              reference          yours  factor
  |psi|^2 / 2                                             1.5            1.5  1
  tr J                                                  -2.25           2.25  -1
  a term with a very long name that must be...                         1e-09  factor factor facto...

  what it does to training
    word word word word word word word word word word word word word word word word word word word
    word word word word word word word word word word word word word word word word word word word
    word word word word word word word word word word word word word word word word word word word
    word word word

  seen before
    somewhere

  not the problem
    the norm

  cannot be told apart
    this from that

  note
    take note

  smallest failing case
    prime/ism/c0/t0 (d = 3, n = 7): reference -0.75, yours 3.75

  reproduce
    refsm verify a:b
    refsm show c --steps

  if it is meant
    convention="divergence x -1"

  no other known mistake comes nearer than 10 %"""


def test_the_text_has_every_section_within_a_hundred_columns():
    assert str(FULL) == TEXT
    assert max(map(len, TEXT.splitlines())) == 100


def test_a_long_name_goes_on_with_an_indent_and_a_term_of_44_letters_is_whole():
    term = "a term that has a name of exactly 44 letters"
    text = str(Report("MISMATCH", "ism", "words " * 20, rows=(Row(term, None, None, "x" * 22),),
                      model="network", cases=3))
    assert text.splitlines()[1] == "    words words words words words words"
    assert "  3 cases of your network, answers in float64" in text
    assert text.splitlines()[-1] == f"  {term}{' ' * 32}{'x' * 22}"


def test_what_passes_says_what_would_have_been_seen_and_no_more():
    text = str(
        Report("PASS", "ism", "fine", cases=30, resolution=2e-12, reproduce="refsm verify a:b",
               convention="1"))
    assert text.splitlines() == [
        "PASS  ism: fine", "  30 cases of given arrays, answers in float64", "",
        "  an error of 2e-12 in the coefficient of any term would have been seen"
    ]


def test_json_has_every_field():
    assert FULL.to_json().splitlines()[1] == ' "verdict": "MISMATCH",'
    read = json.loads(FULL.to_json())
    assert read["exit_status"] == 1
    assert read["rows"][1] == {"term": "tr J", "reference": -2.25, "yours": 2.25, "factor": "-1"}
    assert read["failing"] == ["a", "b"]
