"""What an implementation is asked: cases, their families and models, and the reference's answers.

Reading order: `case`, `models`, `network` (one in a model's place), `levels` and `families` (the
numbers), `quantities` (what terms are made of), `derivatives` (gradients of single terms),
`reference` (the judge), `show`.
"""
from __future__ import annotations

from refsm.verify.cases.case import SCHEMA_VERSION, SUITE_VERSION, Answer, Case, checksum
from refsm.verify.cases.families import FAMILIES, cases
from refsm.verify.cases.reference import gradient, per_sample, value

__all__ = ["SCHEMA_VERSION", "SUITE_VERSION", "FAMILIES", "Answer", "Case", "cases", "checksum",
           "gradient", "per_sample", "value"]
