"""The heads of the rooms of statements: their headings, and the numbers that their code makes."""
import importlib
import re

import pytest
from computations import statements

from refsm import theorems
from refsm.theorems.setting import Setting

HEADINGS = ["Symbols", "Statements", "Derivation", "Conditions", "Sources"]
OWN = ["decoder", "parametrisation", "chain", "small_noise", "denoiser", "reconstruction",
       "gaussian", "sliced", "slice_variance", "binary", "conditions", "blindness", "finite",
       "denoising"]
ROOMS = {room: importlib.import_module(f"refsm.theorems.{room}") for room in OWN}


def section(doc, heading):
    return re.search(rf"^{heading}\n((?:(?: .*)?\n)*)", doc + "\n", re.M).group(1)


def numbers_of(text):
    """The numbers that entries begin with; "2, 3" begins with two."""
    entries = re.findall(r"^ {4}(\d+(?:, \d+)*)\s", text, re.M)
    return {int(k) for entry in entries for k in entry.split(", ")}


@pytest.mark.parametrize("room", OWN)
def test_a_room_has_its_headings_in_order(room):
    places = [re.search(rf"^{heading}$", ROOMS[room].__doc__, re.M) for heading in HEADINGS]
    assert all(places)
    assert [place.start() for place in places] == sorted(place.start() for place in places)


@pytest.mark.parametrize("room", OWN)
def test_each_statement_of_a_head_is_derived(room):
    doc = ROOMS[room].__doc__
    derived = numbers_of(section(doc, "Derivation"))
    stated = numbers_of(section(doc, "Statements"))
    finite = {2} if room == "finite" else set()          # a statement that something differs
    assert stated - finite <= derived


@pytest.mark.parametrize("room", [room for room in OWN if room not in ("denoising", "gaussian")])
def test_the_code_makes_the_statements_of_the_head(room):
    made = {s.number for s in statements(ROOMS[room])}
    assert made == numbers_of(section(ROOMS[room].__doc__, "Statements"))


@pytest.mark.parametrize("room", ["denoising", "gaussian"])
def test_the_code_makes_the_statements_on_data_of_the_head(room):
    import numpy as np
    data = np.random.default_rng(0).random((40, 7))
    settings = [Setting(data, "rows", 0.3, 6, 0)]
    made = {s.number for make in ROOMS[room].ON_DATA for s in make(settings)}
    assert made == numbers_of(section(ROOMS[room].__doc__, "Statements"))


@pytest.mark.parametrize("room", OWN)
def test_the_first_line_of_a_head_names_its_numbers(room):
    first = ROOMS[room].__doc__.split("\n\n")[0]
    stated = numbers_of(section(ROOMS[room].__doc__, "Statements"))
    named = {int(k) for k in re.findall(r"\d+", first)}
    assert named >= {min(stated), max(stated)}


def test_the_index_of_rooms_has_each_room_in_the_order_of_the_command():
    listed = re.findall(r"^ {4}([a-z_]+) +\d", theorems.__doc__, re.M)
    assert listed == theorems.ROOMS
