"""Somebody's own implementation under somebody's own test run.

    REFSM_IMPLEMENTATION=mypackage.adapters pytest --pyargs refsm.verify

The module has functions of a case named as the objectives (dsm, ism, ssm, ...); each one that it has is verified.  It may also have

    CONVENTIONS = {"dsm": "sigma^2"}        differences that are meant, as a report prints them
    GRADIENTS = {"dsm", "ism"}              objectives whose gradients are compared too
    KNOWN_FAILURES = ["prime/ssm/c3/*"]     cases that may fail
"""
from __future__ import annotations

import os
from typing import Any

import pytest

from refsm.verify import OBJECTIVES, adapters, verify

VARIABLE = "REFSM_IMPLEMENTATION"


@pytest.fixture(scope="module")
def implementation() -> Any:
    """The module under test; skips where none is named, fails in one line where it cannot be used."""
    name = os.environ.get(VARIABLE)
    if not name:
        pytest.skip(f"{VARIABLE} is not set; set it to a module that has functions of a case named {', '.join(OBJECTIVES)}")
    try:
        module = adapters.module(name)
    except adapters.AdapterError as error:
        pytest.fail(str(error), pytrace=False)
    if not any(callable(getattr(module, objective, None)) for objective in OBJECTIVES):
        pytest.fail(f"{name} has no function named {', '.join(OBJECTIVES)}", pytrace=False)
    return module


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_implementation_conforms(implementation: Any, objective: str) -> None:
    """One objective: its function conforms to the reference, up to its declared convention."""
    function = getattr(implementation, objective, None)
    if not callable(function):
        pytest.skip(f"{implementation.__name__} has no function {objective}")
    report = verify(function, objective, convention=getattr(implementation, "CONVENTIONS", {}).get(objective),
                    gradient=objective in getattr(implementation, "GRADIENTS", ()), known_failures=getattr(implementation, "KNOWN_FAILURES", None))
    if report.verdict == "INCONCLUSIVE":
        pytest.fail(f"inconclusive\n{report}", pytrace=False)
    if report.exit_status:
        pytest.fail(f"\n{report}", pytrace=False)
