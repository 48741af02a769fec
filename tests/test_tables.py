"""A user's table: every kind that is read, and one sentence for every kind that is not."""
import io
import os
import threading

import numpy as np
import pytest

from refsm.tables import read_table

X = np.array([[1.0, 2.5], [3.0, -4.0], [0.5, 6.0]])


@pytest.mark.parametrize("text", [
    "1,2.5\n3,-4\n0.5,6\n", "length,depth\n1,2.5\n3,-4\n0.5,6\n",
    "\ufefflength,depth\n1, 2.5\n3,-4\n0.5,6"
])
def test_csv_with_and_without_a_header(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(read_table(path), X)


def test_one_column_and_one_row_are_tables_too(tmp_path):
    path = tmp_path / "x.CSV"
    path.write_text("1\n2\n3\n")
    assert read_table(path).shape == (3, 1)
    path.write_text("1,2,3\n")
    assert read_table(str(path)).shape == (1, 3)


def test_npy_and_npz_in_any_number_type(tmp_path):
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    np.savez(tmp_path / "one.npz", points=X)
    np.savez(tmp_path / "two.npz", x=X, labels=np.arange(3))
    for name in ("x.npy", "one.npz", "two.npz"):
        read = read_table(tmp_path / name)
        assert read.dtype == np.float64
        np.testing.assert_array_equal(read, X)


def write(folder, name, content):
    path = folder / name
    if callable(content):
        content(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content)
    return path


@pytest.mark.parametrize(("name", "content", "sentence"), [
    ("x.npy", None, "must be a file that can be read, but: No such file"),
    ("x.txt", "1,2\n", r"must be a .npy, .npz or .csv file, but it ends in '.txt'"),
    ("x", "1,2\n", r"must be a .npy, .npz or .csv file, but it ends in ''"),
    ("x.npy", "hello",
     "must be an array written by numpy.save, without pickled objects, but it is not"),
    ("x.npy", b"", "must be an array written by numpy.save"),
    ("x.npy", lambda p: np.save(p, X[:, 0]), r"must have shape \(n, d\), but its shape is \(3,\)"),
    ("x.npy", lambda p: np.save(p, np.empty((0, 2))),
     r"must have shape \(n, d\), but its shape is \(0, 2\) \(empty\)"),
    ("x.npy", lambda p: np.save(p, np.array([[1.0, np.nan]])),
     r"must be finite, but it has nan at \(0, 1\)"),
    ("x.npy", lambda p: np.save(p, np.array([[1.0], [np.inf]])),
     r"must be finite, but it has inf at \(1, 0\)"),
    ("x.npy", lambda p: np.save(p, np.array([["a", "b"]])),
     "must be numbers, but its dtype is <U1"),
    ("x.npy", lambda p: np.save(p, np.array([[{}]]), allow_pickle=True), "without pickled objects"),
    ("x.npz", "hello",
     "must be an archive written by numpy.savez, without pickled objects, but it is not"),
    ("x.npz", lambda p: np.savez(p, a=X, b=X),
     "must contain one array, or one called x, but it contains a, b"),
    ("x.npz", lambda p: np.savez(p),
     "must contain one array, or one called x, but it contains none"),
    ("x.npz", lambda p: np.savez(p, x=np.array([{}])), "must be an archive written by numpy.savez"),
    ("x.csv", "", "must contain at least one row of numbers, but it has none"),
    ("x.csv", "length,depth\n\n", "must contain at least one row of numbers, but it has none"),
    ("x.csv", "a poem\nof two lines\n",
     "must contain rows of as many comma-separated numbers each, but line 2 has 'of two lines'"),
    ("x.csv", "1,2\n3\n",
     "must contain rows of as many comma-separated numbers each, "
     "but line 2 has 1 of them where line 1 has 2"),
    ("x.csv", "a,b\n\n1,2\n3,4,5\n", "but line 4 has 3 of them where line 3 has 2"),
    ("x.csv", "1,foo\n2,3\n", "but line 1 has 'foo'"),
    ("x.csv", "1,2\n3,\n", "but line 2 has ''"),
    ("x.csv", "1,2\n3,4#5\n", "but line 2 has '4#5'"),
    ("x.npy", lambda p: np.save(p, X + 1j), "must contain real numbers, but they are complex"),
    ("x.csv", "1,2\n3,nan\n", r"must be finite, but it has nan at \(1, 1\)"),
    ("x.csv", b"\xff\xfe\x00\x01",
     "must be a text file of comma-separated numbers, but it is not text"),
])
def test_what_is_wrong_is_said_in_one_sentence_that_names_the_file(tmp_path, name, content,
                                                                   sentence):
    path = write(tmp_path, name, content)
    with pytest.raises(ValueError, match=sentence) as caught:
        read_table(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_table(tmp_path):
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(ValueError, match="must be a file that can be read"):
        read_table(tmp_path / "x.csv")


def as_bytes(save):
    file = io.BytesIO()
    save(file)
    return file.getvalue()


STREAMS = {
    "csv": b"length,depth\n1,2.5\n3,-4\n0.5,6\n",
    "npy": as_bytes(lambda file: np.save(file, X)),
    "npz": as_bytes(lambda file: np.savez(file, x=X, y=X + 1))
}


@pytest.mark.parametrize("content", STREAMS.values(), ids=STREAMS)
def test_standard_input_is_read_by_its_content(monkeypatch, content):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    np.testing.assert_array_equal(read_table("-"), X)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
@pytest.mark.parametrize("content", STREAMS.values(), ids=STREAMS)
def test_a_pipe_is_read_by_its_content(tmp_path, content):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    np.testing.assert_array_equal(read_table(path), X)
    writer.join()


def test_what_is_wrong_with_standard_input_names_it(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"1,2\n3\n")))
    with pytest.raises(ValueError, match="^standard input must contain rows of as many"):
        read_table("-")


def test_an_empty_path_is_refused():
    with pytest.raises(ValueError, match="^the path of a table must not be empty$"):
        read_table("")
