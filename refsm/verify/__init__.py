"""Verify another implementation of score matching, and be told what is different: which term, which factor, which sign.

    import refsm

    def dsm(case):
        r = case.score(case.x_noisy) - (case.x - case.x_noisy) / case.sigma**2
        return (r * r).sum(axis=1).mean()

    print(refsm.verify(dsm, "dsm"))

Reading order: `cases` (what is asked, and `models`, `families`), `terms` (what an answer is a sum of), `laws`, `bank` (mistakes), `regression`
and `reading` (from numbers to an explanation), `diagnosis`, `gradients`, `knowledge`, `report`, `api`; then the ways in: `adapters`, `files`,
`program`, `templates`.

The package is also the function: refsm.verify(implementation, objective) is refsm.verify.verify.
"""
from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from refsm.verify.api import assert_conforms, verify
from refsm.verify.cases import FAMILIES, OBJECTIVES, SCHEMA_VERSION, SUITE_VERSION, Answer, Case, cases
from refsm.verify.report import Report

__all__ = ["verify", "assert_conforms", "cases", "Case", "Answer", "Report", "OBJECTIVES", "FAMILIES", "SCHEMA_VERSION", "SUITE_VERSION"]


class _CallablePackage(ModuleType):
    """The package, which can be called as `verify`."""

    def __call__(self, *args: Any, **settings: Any) -> Report:
        return verify(*args, **settings)


_CallablePackage.__call__.__doc__ = verify.__doc__
sys.modules[__name__].__class__ = _CallablePackage
