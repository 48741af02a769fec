"""Verify another implementation, and be told what is different."""
from refsm.verify.cases import SCHEMA_VERSION, SUITE_VERSION, Answer, Case, cases

__all__ = ["SCHEMA_VERSION", "SUITE_VERSION", "Answer", "Case", "cases"]
