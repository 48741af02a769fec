"""Verify another implementation of score matching: the report says which term, factor or sign.

    import refsm

    def dsm(case):
        r = case.score(case.x_noisy) - (case.x - case.x_noisy) / case.sigma**2
        return (r * r).sum(axis=1).mean()

    print(refsm.verify(dsm, "dsm"))

Reading order: `objectives` (one description each), `cases` (what is asked, and the reference's
answers), `mistakes` (one row each), `diagnosis` (from numbers to an explanation), `report`, `api`;
then the ways in: `adapters`, `own_noise`, `command`.

The package is also the function: refsm.verify(implementation, objective) is refsm.verify.verify.
"""
from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from refsm.verify.api import assert_conforms, verify
from refsm.verify.cases import FAMILIES, SCHEMA_VERSION, SUITE_VERSION, Answer, Case, cases
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.report.report import Report

__all__ = ["verify", "assert_conforms", "cases", "Case", "Answer", "Report", "OBJECTIVES",
           "FAMILIES", "SCHEMA_VERSION", "SUITE_VERSION"]


class _CallablePackage(ModuleType):
    """The package, which can be called as `verify`."""

    def __call__(self, *args: Any, **settings: Any) -> Report:
        return verify(*args, **settings)


_CallablePackage.__call__.__doc__ = verify.__doc__
sys.modules[__name__].__class__ = _CallablePackage
