"""The data that ship: what they are, that they are exact, and that a changed file is refused."""
import hashlib
import re
from importlib import resources

import numpy as np
import pytest

from refsm import data


def test_digits_are_float64_sixteenths_between_paper_and_ink():
    x = data.digits()
    assert x.shape == (1797, 64)
    assert x.dtype == np.float64
    assert x.min() == 0
    assert x.max() == 1
    assert (16 * x == np.round(16 * x)).all()


def test_the_first_digit_is_the_zero_of_the_source():
    top = [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0]]
    assert (16 * data.digits()[0].reshape(8, 8)[:2] == top).all()
    assert 16 * data.digits().sum() == 561718


def test_each_digit_has_as_many_images_as_the_source_says():
    labels = data.digits_labels()
    assert labels.dtype == int
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_labels_are_those_of_the_images():
    """For nearly all digits the mean image of their label is the nearest: rows are in step."""
    x, labels = data.digits(), data.digits_labels()
    means = np.stack([x[labels == k].mean(axis=0) for k in range(10)])
    distance = ((x[:, None] - means) ** 2).sum(axis=-1)
    assert (distance.argmin(axis=1) == labels).mean() > 0.9


def test_penguins_are_the_birds_that_were_measured():
    x, species = data.penguins(), data.penguins_labels()
    assert x.shape == (342, 2)
    assert x.dtype == np.float64
    assert species.shape == (342,)
    assert {
        name: int((species == name).sum())
        for name in ("Adelie", "Chinstrap", "Gentoo")
    } == {
        "Adelie": 151,
        "Chinstrap": 68,
        "Gentoo": 123
    }
    assert x[2].tolist() == [40.3, 18.0]
    assert x[3].tolist() == [36.7, 19.3]      # bird number 4 is left out


def test_penguin_bills_have_the_published_means():
    """Mean bill length and depth of the species in mm, to the digit that the source prints."""
    x, species = data.penguins(), data.penguins_labels()
    for name, mean in {
            "Adelie": [38.8, 18.3],
            "Chinstrap": [48.8, 18.4],
            "Gentoo": [47.5, 15.0]
    }.items():
        assert x[species == name].mean(axis=0).round(1).tolist() == mean


def test_each_call_returns_an_array_of_its_own():
    data.digits()[:] = 7
    data.penguins()[:] = 7
    assert data.digits().max() == 1
    assert data.penguins()[0].tolist() == [39.1, 18.7]


def test_the_checksums_are_those_of_the_files_and_of_the_sources():
    folder = resources.files("refsm.data")
    for name, checksum in data.SHA256.items():
        assert hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() == checksum
    stated = dict(
        re.findall(r"^## (\S+)$.*?^- SHA-256: `(\w+)`$",
                   folder.joinpath("SOURCES.md").read_text(encoding="utf-8"),
                   re.DOTALL | re.MULTILINE))
    assert stated == data.SHA256


@pytest.mark.parametrize("name, load", [("digits.npz", data.digits),
                                        ("digits.npz", data.digits_labels),
                                        ("penguins.csv", data.penguins),
                                        ("penguins.csv", data.penguins_labels)])
def test_a_changed_file_is_refused(monkeypatch, name, load):
    monkeypatch.setitem(data.SHA256, name, "0" * 64)
    with pytest.raises(
            ValueError,
            match=f"^refsm/data/{name} must have the SHA-256 0000.* the file has changed$"):
        load()


def test_every_file_names_its_licence():
    text = resources.files("refsm.data").joinpath("SOURCES.md").read_text(encoding="utf-8")
    assert text.count("- Licence: ") == len(data.SHA256)
    assert "CC BY 4.0" in text
    assert "CC0" in text
