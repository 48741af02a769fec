"""Prompts carry everything but answers; a file from elsewhere is refused in one sentence, and
nothing in it is executed."""
import hashlib
import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from refsm.verify.adapters import files
from refsm.verify.cases import SCHEMA_VERSION, SUITE_VERSION, cases
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.adapters.files import export, prompt
from refsm.verify.grading import grade
from refsm.verify.adapters.untrusted import (LARGEST_FILE, FileError, answer_of, parse,
                                             read_answers)
from refsm.verify.cases import checksum, gradient, per_sample, value

VERSIONS = {"schema": SCHEMA_VERSION, "suite": SUITE_VERSION}


def right(objective, with_gradient=False):
    """The reference's answers to the pinned cases, as entries of a file."""
    for case in cases(objective, "prime"):
        entry = {"id": case.id, "value": value(case), "per_sample": per_sample(case).tolist()}
        if with_gradient:
            entry["gradient"] = {name: block.tolist() for name, block in gradient(case).items()}
        yield entry


def written(path, entries, **without):
    path.write_text(json.dumps({**VERSIONS, "answers": list(entries), **without}))
    return path


@pytest.fixture
def prompts(tmp_path):
    export("dsm", tmp_path / "prompts")
    return tmp_path / "prompts"


def refusal(call, *args):
    """The one sentence with which a file is refused."""
    with pytest.raises(FileError) as raised:
        call(*args)
    assert "\n" not in str(raised.value)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500
    return str(raised.value)


# -- prompts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_prompt_gives_back_every_bit_and_proves_it(objective, tmp_path):
    (path,) = export(objective, tmp_path / "a" / "b", family=None)
    document = json.loads(path.read_text())
    assert {key: document[key] for key in VERSIONS} == VERSIONS
    assert document["objective"] == objective
    assert [case["id"] for case in document["cases"]] == [case.id for case in cases(objective)]
    for case, read in zip(cases(objective), document["cases"]):
        assert (read["model"], read["hyper"], read["objective"]) == (case.model, dict(case.hyper),
                                                                     objective)
        for group in ("theta", "arrays"):
            assert set(read[group]) == set(getattr(case, group))
            for name, a in getattr(case, group).items():
                numbers = np.array(read[group][name]["data"], dtype="<f8")
                assert numbers.reshape(read[group][name]["shape"]).tobytes() == a.tobytes()
                assert read[group][name]["sha256"] == hashlib.sha256(numbers.tobytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_npz_of_prompts_holds_the_same(objective, tmp_path):
    (path,) = export([objective], tmp_path, format="npz")
    with np.load(path, allow_pickle=False) as archive:
        header = json.loads(archive["header"].tobytes())
        assert {key: header[key] for key in VERSIONS} == VERSIONS
        for case, read in zip(cases(objective, "prime"), header["cases"]):
            assert read["id"] == case.id
            for group in ("theta", "arrays"):
                for name, a in getattr(case, group).items():
                    assert archive[f"{case.id}/{group}/{name}"].tobytes() == a.tobytes()
                    assert read[group][name] == {
                        "shape": list(a.shape), "sha256": checksum(a)
                    }


def test_prompts_carry_no_answers():
    for case in cases(list(OBJECTIVES), "prime")[::37]:
        text = json.dumps(prompt(case))
        assert repr(value(case)) not in text
        assert set(prompt(case)) == {
            "id", "family", "group", "objective", "model", "hyper", "theta", "arrays"
        }


def test_decimals_have_at_most_17_digits():
    (case,) = [case for case in cases("dsm", "prime") if case.id == "prime/dsm/c1/t2"]
    digits = [
        len(repr(number).strip("-").replace(".", "").lstrip("0").partition("e")[0])
        for number in prompt(case)["arrays"]["x_noisy"]["data"]
    ]
    assert 15 < max(digits) <= 17


def test_several_objectives_are_several_files(tmp_path):
    assert [path.name for path in export(["dsm", "ImplicitScoreMatching"], tmp_path)
            ] == ["dsm.json", "ism.json"]
    assert [path.name for path in export(("dsm",), str(tmp_path), format="npz")] == ["dsm.npz"]


def test_a_call_that_means_nothing_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="format must be one of json, npz, but it is 'xml'"):
        export("dsm", tmp_path / "new", format="xml")
    with pytest.raises(ValueError, match="objective must be one of"):
        export(["dsm", "gan"], tmp_path / "new")
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "in" / "it"):
        with pytest.raises(ValueError, match="the folder must be one that exists or a new one, "
                                             f"but {tmp_path / 'file'} is a file"):
            export("dsm", folder)
    with pytest.raises(ValueError, match="the folder must be named, but its name is empty"):
        export("dsm", "")
    with pytest.raises(ValueError, match="the folder must be one that can be made, but .*/a+: "):
        export("dsm", tmp_path / ("a" * 256))
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path / "new").exists()


# -- grading ---------------------------------------------------------------------------------------


def test_right_answers_pass(prompts, tmp_path):
    (report,) = grade(prompts, written(tmp_path / "answers.json", right("dsm")))
    assert report.verdict == "PASS"
    assert report.cases == 30


def test_answers_to_two_objectives_have_two_reports(tmp_path):
    export(["ism", "dsm"], tmp_path / "prompts")
    doubled = [{**entry, "value": 2 * entry["value"], "per_sample": None} for entry in right("ism")]
    reports = grade(tmp_path / "prompts",
                    written(tmp_path / "answers.json", [*right("dsm"), *doubled]))
    assert {report.objective: (report.verdict, report.factor)
            for report in reports} == {"dsm": ("PASS", "1"), "ism": ("CONVENTION", "2")}


def test_settings_reach_the_verdict(prompts, tmp_path):
    path = written(tmp_path / "answers.json",
                   [{"id": entry["id"], "value": entry["value"] / 2} for entry in right("dsm")])
    assert grade(prompts, path)[0].exit_status == 1
    assert grade(prompts, path, convention="1 / 2")[0].exit_status == 0


def test_gradients_may_come_as_lists_or_with_a_shape(prompts, tmp_path):
    entries = list(right("dsm", with_gradient=True))
    for entry in entries[::2]:
        entry["gradient"]["W"] = {
            "shape": list(np.shape(entry["gradient"]["W"])),
            "data": np.ravel(entry["gradient"]["W"]).tolist()
        }
    (report,) = grade(prompts, written(tmp_path / "answers.json", entries), gradient=True)
    assert report.verdict == "PASS"
    assert not report.gradient


def test_a_wrong_shape_is_the_adapters_one_line(prompts, tmp_path):
    entries = list(right("dsm"))
    entries[3]["per_sample"] = [1.0, 2.0]
    (report,) = grade(prompts, written(tmp_path / "answers.json", entries))
    assert report.exit_status == 2
    assert "prime/dsm/c0/t3: per_sample must have shape (7,), but its shape is (2,)" in report.name


GRADIENTS = {}


@pytest.mark.slow
@pytest.mark.parametrize("format", ["json", "npz"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_answers_in_an_npz_pass(tmp_path, format, order):
    export(["dsm"], tmp_path, format="npz")
    header = np.load(tmp_path / "dsm.npz")["header"]
    if format == "json":
        (tmp_path / "dsm.npz").unlink()
        export(["dsm"], tmp_path, format="json")
    arrays = {"header": header}
    for case in cases("dsm", "prime"):
        arrays[f"{case.id}/value"] = np.float64(value(case))
        arrays[f"{case.id}/per_sample"] = per_sample(case)
        GRADIENTS[case.id] = GRADIENTS.get(case.id) or gradient(case)
        for name, block in GRADIENTS[case.id].items():
            arrays[f"{case.id}/gradient/{name}"] = np.array(block, order=order)
    np.savez_compressed(tmp_path / "answers.npz", **arrays)
    (report,) = grade(tmp_path, tmp_path / "answers.npz", gradient=True)
    assert report.verdict == "PASS"
    assert not report.gradient


# -- files that do not belong together -------------------------------------------------------------


def test_answers_that_nobody_asked_for_or_that_are_missing_are_said(prompts, tmp_path):
    path = tmp_path / "answers.json"
    entries = list(right("dsm"))
    assert refusal(grade, prompts,
                   written(path, entries[1:])) == f"{path} has no answer to prime/dsm/c0/t0"
    assert refusal(grade, prompts,
                   written(path,
                           entries[2:])) == f"{path} has no answer to prime/dsm/c0/t0 and 1 more"
    unasked = written(path, [*entries, {"id": "prime/dsm/c9/t9", "value": 1.0}])
    assert refusal(grade, prompts,
                   unasked) == f"{path} answers 'prime/dsm/c9/t9', which {prompts} does not ask"
    assert refusal(grade, prompts,
                   written(path,
                           [*entries, entries[4]])) == f"{path} answers 'prime/dsm/c0/t4' twice"


def test_another_version_is_said(prompts, tmp_path):
    path = tmp_path / "answers.json"
    assert refusal(grade, prompts, written(
        path, right("dsm"),
        suite="0.9")) == f"{path} must have suite '{SUITE_VERSION}', but its suite is '0.9'"
    assert refusal(grade, prompts, written(
        path, right("dsm"),
        schema=None)) == f"{path} must have schema '{SCHEMA_VERSION}', but its schema is None"


@pytest.mark.parametrize("format", ["json", "npz"])
def test_prompts_of_another_version_are_said(tmp_path, monkeypatch, format):
    monkeypatch.setattr(files, "SUITE_VERSION", "0.9")
    (path,) = export("dsm", tmp_path, format)
    monkeypatch.undo()
    assert refusal(
        grade, tmp_path, tmp_path
        / "answers.json") == f"{path} must have suite '{SUITE_VERSION}', but its suite is '0.9'"


@pytest.mark.parametrize(
    "old, new, sentence",
    [('"sigma": 0.37', '"sigma": 0.38',
      "does not hold prime/dsm/c0/t0 as refsm export writes it: it was edited or damaged"),
     ('"id": "prime/dsm/c0/t1"', '"id": "prime/dsm/c0/t9"',
      "does not hold prime/dsm/c0/t1 as refsm export writes it: it was edited or damaged"),
     ('"cases": [', '"cases": [3, ', "must have 30 cases as refsm export writes them"),
     ('"family": "prime", "seed"', '"family": "new", "seed"',
      "is no file of prompts: family must be one of paper, prime, vp, flow, ve, subvp, array, "
      "but it is 'new'"),
     ('"seed": 0', '"seeds": 0', "is no file of prompts: "),
     ('"seed": 0', '"seed": "x"', "is no file of prompts: "),
     ('"seed": 0', '"seed": 1e999', "is no file of prompts: "),
     ('"seed": 0', '"seed": [1]', "is no file of prompts: "),
     ('"cases": [', '"suites": [', "must have 30 cases as refsm export writes them")])
def test_prompts_that_were_edited_are_said(prompts, old, new, sentence):
    path = prompts / "dsm.json"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    assert refusal(grade, prompts, "answers.json").startswith(f"{path} {sentence}")


def test_an_npz_of_prompts_that_was_edited_is_said(tmp_path):
    (path,) = export("dsm", tmp_path, format="npz")
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["prime/dsm/c2/t1/theta/W"] = arrays["prime/dsm/c2/t1/theta/W"] + 1e-9
    np.savez(path, **arrays)
    assert refusal(
        grade, tmp_path, "answers.json"
    ) == f"{path} does not hold prime/dsm/c2/t1 as refsm export writes it: it was edited or damaged"
    del arrays["prime/dsm/c2/t1/theta/W"]
    np.savez(path, **arrays)
    assert refusal(
        grade, tmp_path, "answers.json"
    ) == f"{path} does not hold prime/dsm/c2/t1 as refsm export writes it: it was edited or damaged"


def test_a_folder_without_prompts_is_said(tmp_path):
    assert refusal(grade, tmp_path,
                   "answers.json") == f"{tmp_path} has no prompts; write them with refsm export"
    assert refusal(
        grade, tmp_path / "nowhere",
        "answers.json") == f"{tmp_path / 'nowhere'} has no prompts; write them with refsm export"
    (tmp_path / "dsm.json").write_text("[]")
    assert refusal(grade, tmp_path,
                   "answers.json") == f"{tmp_path / 'dsm.json'} must be a JSON object"


# -- hostile JSON ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, sentence",
    [("", "is no JSON: Expecting value at line 1, column 1 (truncated?)"),
     ('{"schema": "2", "ans',
      "is no JSON: Unterminated string starting at at line 1, column 17 (truncated?)"),
     ('{"schema": "2"', "is no JSON: Expecting ',' delimiter at line 1, column 15 (truncated?)"),
     ("value,1\n2", "is no JSON: Expecting value at line 1, column 1"),
     ("[1, 2]\n3", "is no JSON: Extra data at line 2, column 1"),
     ("[" * 100_000, "is nested too deeply"), ('{"a": ' * 100_000, "is nested too deeply"),
     ("[NaN]", "must have finite numbers only, but it has NaN"),
     ("[-Infinity]", "must have finite numbers only, but it has -Infinity"),
     ('{"schema": "2", "schema": "2"}', "has the key 'schema' twice"),
     ('{"a": {"b": 1, "c": 2, "c": 3}}', "has the key 'c' twice"),
     ("[]", 'must be an object with "schema", "suite" and a list "answers"'),
     ('{"answers": {}}', 'must be an object with "schema", "suite" and a list "answers"'),
     ("{}", 'must be an object with "schema", "suite" and a list "answers"')])
def test_json_that_is_none_is_said(tmp_path, text, sentence):
    path = tmp_path / "answers.json"
    path.write_text(text)
    assert refusal(read_answers, path) == f"{path} {sentence}"


def test_bytes_that_are_no_text_are_said(tmp_path):
    path = tmp_path / "answers.json"
    path.write_bytes(b'{"\xff\xfe": 1}')
    assert refusal(read_answers, path) == f"{path} is no JSON: it is not text in UTF-8"


NO_ARRAY = (", per_sample of 'a' must be a list, or an object with lists of numbers \"shape\" and "
            "\"data\"")


@pytest.mark.parametrize(
    "entry, sentence",
    [(3, 'has an answer that is no object with an "id"'),
     ({"value": 1.0}, 'has an answer that is no object with an "id"'),
     ({"id": 3, "value": 1.0}, 'has an answer that is no object with an "id"'),
     ({"id": "a", "loss": 1.0
       }, "answers 'a' with a key 'loss'; the keys are id, value, per_sample, gradient"),
     ({"id": "a", "\x1b[31m" + "k" * 200: 1.0}, "answers 'a' with a key '\\x1b[31m" + "k" * 48
      + "...; the keys are id, value, per_sample, gradient"),
     ({"id": "a", "per_sample": {"data": [1.0]}}, NO_ARRAY),
     ({"id": "a", "per_sample": {"shape": [1.0], "data": 3.0}}, NO_ARRAY),
     ({"id": "a", "per_sample": {"shape": [2.0], "data": [1.0, [2.0]]}}, NO_ARRAY),
     ({"id": "a", "per_sample": {"shape": [2.5], "data": [1.0]}
       }, ", per_sample of 'a' has the shape [2.5]"),
     ({"id": "a", "per_sample": {"shape": [float("inf")], "data": [1.0]}
       }, ", per_sample of 'a' has the shape [inf]"),
     ({"id": "a", "per_sample": {"shape": [2.0], "data": [1.0]}
       }, ", per_sample of 'a' has 1 numbers for the shape [2]"),
     ({"id": "a", "per_sample": {"shape": [0.0, 1e300], "data": []}
       }, ", per_sample of 'a' has 0 numbers for the shape [0, 1000000000"),
     ({"id": "a", "per_sample": {"shape": [-1.0, -1.0], "data": [1.0]}
       }, ", per_sample of 'a' has 1 numbers for the shape [-1, -1]"),
     ({"id": "a", "per_sample": {"shape": [1.0] * 5, "data": [1.0]}
       }, ", per_sample of 'a' has 1 numbers for the shape [1, 1, 1, 1, 1]"),
     ({"id": "a", "gradient": {"W": {"shape": [2.0, 3.0], "data": [1.0]}}
       }, ", gradient of 'a' has 1 numbers for the shape [2, 3]")])
def test_an_entry_of_another_form_is_said(entry, sentence):
    with pytest.raises(FileError) as raised:
        answer_of(entry, "it")
    assert str(
        raised.value).startswith("it"
                                 + (sentence if sentence.startswith(",") else " " + sentence)[:150])


def test_an_array_with_a_shape_is_read_row_after_row():
    _, answer = answer_of(
        {
            "id": "a", "value": 2.0, "gradient": {
                "W": {"shape": [1.0, 2.0, 1.0, 3.0], "data": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
            }
        }, "it")
    assert answer["gradient"]["W"].tolist() == [[[[1, 2, 3]], [[4, 5, 6]]]]
    assert (answer["value"], answer["per_sample"]) == (2.0, None)


def test_integers_of_any_length_are_numbers():
    assert parse("[" + "9" * 5000 + ", 3]", "it") == [float("inf"), 3.0]


def test_an_identifier_cannot_paint_the_terminal(prompts, tmp_path):
    path = written(tmp_path / "answers.json", [{"id": "\x1b[2J" + "x" * 1000, "value": 1.0}])
    assert "\\x1b[2J" in refusal(grade, prompts, path)


# -- files that are too large, or no files ---------------------------------------------------------


def test_an_enormous_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "answers.json"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    assert refusal(read_answers, path) == f"{path} must be at most 16 MB, but it is larger"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE)
    assert refusal(read_answers, path).startswith(f"{path} is no JSON")


def test_what_is_no_file_is_said(tmp_path):
    assert refusal(read_answers,
                   tmp_path / "none.json") == f"there is no file {tmp_path / 'none.json'}"
    assert refusal(read_answers, tmp_path) == f"there is no file {tmp_path}"
    assert refusal(read_answers, "/dev/zero") == "there is no file /dev/zero"
    os.mkfifo(tmp_path / "pipe.npz")
    assert refusal(read_answers,
                   tmp_path / "pipe.npz") == f"there is no file {tmp_path / 'pipe.npz'}"


# -- hostile npz -----------------------------------------------------------------------------------


def npy(a):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(a), allow_pickle=True)
    return file.getvalue()


HEADER = npy(np.frombuffer(json.dumps(VERSIONS).encode(), dtype=np.uint8))


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


class Bomb:
    """Pickled, it makes a file when it is loaded."""

    def __reduce__(self):
        return open, ("executed", "w")


def test_no_pickle_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hostile = np.empty(1, dtype=object)
    hostile[0] = Bomb()
    path = archive(tmp_path / "answers.npz", [("header.npy", HEADER),
                                              ("a/value.npy", npy(hostile))])
    assert refusal(
        read_answers,
        path) == f"{path} has an array 'a/value' of dtype 'object'; numbers are read, objects never"
    path = archive(tmp_path / "answers.npz", [("header.npy", HEADER),
                                              ("a/value.npy", pickle.dumps(Bomb()))])
    assert refusal(read_answers,
                   path) == f"{path} has an array 'a/value' that cannot be read (ValueError)"
    (tmp_path / "answers.json").write_bytes(pickle.dumps(Bomb()))
    refusal(read_answers, tmp_path / "answers.json")
    assert not (tmp_path / "executed").exists()


def test_an_array_must_have_the_numbers_that_its_header_promises(tmp_path):
    good = npy(np.arange(3.0))
    for content in (good[:-8], good + b"12345678", good.replace(b"(3,)", b"(9,)"),
                    good.replace(b"(3,), ", b"(10**9,"[:6])):
        path = archive(tmp_path / "answers.npz", [("header.npy", HEADER), ("a/value.npy", content)])
        assert refusal(read_answers, path).startswith(f"{path} has an array 'a/value' ")
    path = archive(tmp_path / "answers.npz", [("header.npy", HEADER), ("a/value.npy", good[:-8])])
    assert refusal(
        read_answers,
        path) == f"{path} has an array 'a/value' of shape (3,), but 16 bytes follow (truncated?)"


def test_an_array_that_promises_terabytes_takes_no_memory(tmp_path):
    content = npy(np.zeros(3)).replace(b"(3,), }" + b" " * 12, b"(" + b"9" * 13 + b",), }")
    path = archive(tmp_path / "answers.npz", [("header.npy", HEADER), ("a/value.npy", content)])
    assert refusal(
        read_answers, path
    ) == (
        f"{path} has an array 'a/value' of shape (9999999999999,), but 24 bytes follow "
        "(truncated?)")


@pytest.mark.parametrize("shape", ["(0, 3)", "(1, 1, 1, 1, 1)", "(-1, -1)"])
def test_an_array_of_a_strange_shape_is_refused(tmp_path, shape):
    content = npy(np.zeros(1)).replace(b"(1,), }" + b" " * (len(shape) - 4),
                                       shape.encode() + b", }")
    assert shape.encode() in content
    path = archive(tmp_path / "answers.npz",
                   [("header.npy", HEADER),
                    ("a/value.npy", content if shape[1] != "0" else content[:-8])])
    assert refusal(read_answers, path).startswith(f"{path} has an array 'a/value' of shape {shape}")


def test_text_in_an_array_is_refused(tmp_path):
    path = archive(tmp_path / "answers.npz", [("header.npy", HEADER),
                                              ("a/value.npy", npy(np.array(["1.0"])))])
    assert refusal(
        read_answers,
        path) == f"{path} has an array 'a/value' of dtype '<U3'; numbers are read, objects never"


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    path = archive(tmp_path / "answers.npz", [("header.npy", HEADER),
                                              ("a/value.npy", bytes(LARGEST_FILE))],
                   zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < LARGEST_FILE / 100
    assert refusal(read_answers,
                   path) == f"{path} must unpack to at most 16 MB, but it promises more"
    small = archive(tmp_path / "answers.npz", [("header.npy", HEADER),
                                               ("a/value.npy", bytes(LARGEST_FILE - len(HEADER)))],
                    zipfile.ZIP_DEFLATED)
    assert "cannot be read" in refusal(read_answers, small)


def test_an_archive_that_lies_about_its_sizes_is_refused(tmp_path):
    path = archive(tmp_path / "answers.npz", [("header.npy", HEADER),
                                              ("a/value.npy", npy(np.zeros(10**5)))],
                   zipfile.ZIP_DEFLATED)
    size = (8 * 10**5 + 128).to_bytes(4, "little")
    assert path.read_bytes().count(size) == 2
    path.write_bytes(path.read_bytes().replace(size, (200).to_bytes(4, "little")))
    assert refusal(read_answers,
                   path) == f"{path} has an array 'a/value' that cannot be read (BadZipFile)"


def test_a_damaged_archive_is_refused(tmp_path):
    path = tmp_path / "answers.npz"
    path.write_bytes(b"PK nothing")
    assert refusal(read_answers, path) == f"{path} is no npz archive (truncated?)"
    whole = archive(path, [("header.npy", HEADER)]).read_bytes()
    path.write_bytes(whole[:-5])
    assert refusal(read_answers, path) == f"{path} is no npz archive (truncated?)"
    path.write_bytes(whole.replace(b"schema", b"schemb", 1))
    assert refusal(read_answers,
                   path) == f"{path} has an array 'header' that cannot be read (BadZipFile)"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_two_arrays_of_one_name_is_refused(tmp_path):
    path = archive(tmp_path / "answers.npz", [("header.npy", HEADER), ("a/value.npy", npy(1.0)),
                                              ("a/value.npy", npy(2.0))])
    assert refusal(read_answers, path) == f"{path} has an array twice"


@pytest.mark.parametrize("name", ["value", "a/loss", "a/theta/W", "a/gradient", "gradient/W/x"])
def test_an_array_of_another_name_is_refused(tmp_path, name):
    path = archive(tmp_path / "answers.npz", [("header.npy", HEADER), (f"{name}.npy", npy(1.0))])
    if name == "value":
        assert list(read_answers(path)) == [""]              # a case that nobody asks
    else:
        assert refusal(
            read_answers, path
        ) == (
            f"{path} has an array {name!r}; names are <case id>/value, <case id>/per_sample, "
            "<case id>/gradient/<block>")


def test_the_header_of_an_archive_is_needed_and_is_an_object(tmp_path):
    path = archive(tmp_path / "answers.npz", [("a/value.npy", npy(1.0))])
    assert refusal(read_answers,
                   path) == f"{path} has no header; copy the one of the prompts as it is"
    path = archive(tmp_path / "answers.npz",
                   [("header.npy", npy(np.frombuffer(b"[1]", dtype=np.uint8)))])
    assert refusal(read_answers, path) == f"the header of {path} must be a JSON object"
    path = archive(tmp_path / "answers.npz",
                   [("header.npy", npy(np.frombuffer(b"{'a'}", dtype=np.uint8)))])
    assert refusal(read_answers, path).startswith(f"the header of {path} is no JSON")
