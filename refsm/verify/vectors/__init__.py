"""Golden vectors: the cases that a person can follow by hand, with their answers, as JSON files.

One file per objective, `refsm/verify/vectors/<objective>.json`; README.md beside them says how to
read one without installing refsm.  `written` makes the text of a file; a test holds every committed
file to it.
"""
from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from refsm.typing import Array
from refsm.verify.cases import cases, gradient, per_sample, value
from refsm.verify.cases.case import SCHEMA_VERSION, SUITE_VERSION, Case, as_json
from refsm.verify.objectives import OBJECTIVES, objective_name

__all__ = ["WHY", "read", "vectors", "write", "written"]

# one sentence for each case: what it shows
PLAIN = "mean 0 and precision I: the score is minus the point, and the value can be found by hand"
FULL = "a mean and a precision that is not diagonal: what is left out of them shows"
FRAME = "the directions of a point are signs and orthogonal, so that the value is that of ism"
OBLIQUE = ("directions that are neither orthogonal nor of equal length: the values of ssm and "
           "ssm_vr differ, and neither is that of ism")
WHY: dict[str, tuple[str, ...]] = {
    "esm": (f"{PLAIN}; the score of the data is minus half of it", FULL),
    "ism": (f"{PLAIN}; the divergence is -d, and a lost trace or factor 1/2 shows", FULL),
    "regularized": (f"{PLAIN}; the penalty is strength d", f"{FULL}, and the penalty reads the "
                    "diagonal alone"),
    "parzen_esm": (f"{PLAIN}; each noisy point is equally far from both centres, so that the "
                   "shares are 1/2", FULL),
    "parzen_ism": (f"{PLAIN}, at the noisy points", FULL),
    "dsm": (f"{PLAIN}; sigma = 1/2 tells sigma from sigma^2", FULL),
    "dae": ("weights of 0: the reconstruction is c, whatever the input",
            "activations of 0, where the sigmoid is 1/2 exactly and its slope 1/4"),
    "ssm": (f"{PLAIN}; {FRAME}", FULL, OBLIQUE),
    "ssm_vr": (f"{PLAIN}; {FRAME}", FULL, OBLIQUE),
    "ratio": ("no weights: each bit costs 1/4", "couplings of both signs: the sign of the gap and "
              "of each bit shows"),
    "pseudo": ("no weights: each bit costs log 2", "couplings of both signs: the sign of the gap "
               "and of each bit shows"),
    "mpf": ("no weights: each bit costs 1", "couplings of both signs: the 1/2 in the exponent "
            "shows"),
    "generalized": (f"{PLAIN}; h = x^2 on positive points", FULL),
    "dsm_scaled": (f"{PLAIN}; alpha = 1/2 and sigma = 1/4 tell each from its square", FULL),
    "dsm_levels": (f"{PLAIN}; a level for each point: the level of another point shows", FULL),
    "multi_level": (f"{PLAIN} before the noise; two levels with weights 1/4 and 2",
                    f"{FULL}, before the noise is added"),
    "noise_prediction": (f"{PLAIN}; the network predicts the noise, -sigma psi", FULL),
    "clean_prediction": (f"{PLAIN}; the network predicts the clean point", FULL),
    "velocity_prediction": (f"{PLAIN}; the network predicts alpha noise - sigma x", FULL),
    "flow_prediction": (f"{PLAIN}; the network predicts noise - x", FULL),
    "edm_prediction": (f"{PLAIN}; sqrt(sigma^2 + data_sd^2) is 1.25 and 0.9375", FULL)}


def vectors(objective: str) -> dict[str, Any]:
    """The golden vectors of an objective, as what is written to JSON.

    >>> first = vectors("mpf")["cases"][0]
    >>> first["why"], first["value"]
    ('no weights: each bit costs 1', 3.0)
    """
    name = objective_name(objective)
    about = OBJECTIVES[name]
    asked = cases(name, "paper")
    terms = [term.name for term in about.all_terms]
    loss = " + ".join(terms).replace("+ -", "- ")
    return {"schema": SCHEMA_VERSION, "suite": SUITE_VERSION, "objective": name,
            "refsm": about.public, "loss": loss, "reads": list(about.reads),
            "cases": [{**_inputs(case, why), **_answers(case)}
                      for case, why in zip(asked, WHY[name], strict=True)]}


def _inputs(case: Case, why: str) -> dict[str, Any]:
    return {"id": case.id, "why": why, "model": case.model, "hyper": dict(case.hyper),
            "theta": {name: _array(a) for name, a in case.theta.items()},
            "arrays": {name: _array(a) for name, a in case.arrays.items()}}


def _answers(case: Case) -> dict[str, Any]:
    return {"value": value(case), "per_sample": _array(per_sample(case)),
            "gradient": {name: _array(a) for name, a in gradient(case).items()}}


def _array(a: Array) -> dict[str, Any]:
    return as_json(np.asarray(a, dtype=float) + 0.0)           # no -0: its bytes are others


def written(objective: str) -> str:
    """The text of the file of an objective: every list of numbers or words on one line."""
    text = json.dumps(vectors(objective), indent=1)
    return re.sub(r"\[[^][{}]+\]", lambda m: f"[{' '.join(m[0][1:-1].split())}]", text) + "\n"


def write(folder: str | Path) -> list[Path]:
    """Write the files of all objectives into a folder, and return their paths."""
    paths = [Path(folder) / f"{name}.json" for name in OBJECTIVES]
    for path in paths:
        path.write_text(written(path.stem), encoding="utf-8")
    return paths


def read(objective: str) -> dict[str, Any]:
    """The golden vectors of an objective as they are committed.

    >>> read("dsm")["cases"][0]["value"]
    3.75
    """
    path = files("refsm.verify.vectors").joinpath(f"{objective_name(objective)}.json")
    return json.loads(path.read_text(encoding="utf-8"))
