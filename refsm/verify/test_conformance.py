"""Somebody's own implementation under somebody's own test run.

    REFSM_IMPLEMENTATION=mypackage.adapters pytest --pyargs refsm.verify

The module has functions of a case named as the objectives (dsm, ism, ssm, ...); each one that it
has is verified.  It may also have

    CONVENTIONS = {"dsm": "sigma^2"}        differences that are meant, as a report prints them
    GRADIENTS = {"dsm", "ism"}              objectives whose gradients are compared too
    KNOWN_FAILURES = ["prime/ssm/c3/*"]     cases that may fail
"""
from __future__ import annotations

import os
from typing import Any

import pytest

from refsm.verify import OBJECTIVES, verify
from refsm.verify.adapters.ask import module as module_of
from refsm.verify.adapters.failures import AdapterError

VARIABLE = "REFSM_IMPLEMENTATION"


def _implementation() -> Any:
    """The module under test; collecting ends with one sentence where there is none."""
    name = os.environ.get(VARIABLE, "")
    functions = f"functions of a case named {', '.join(OBJECTIVES)}"
    if not name:
        pytest.fail(f"{VARIABLE} is not set; set it to a module that has {functions}",
                    pytrace=False)
    if ":" in name:
        pytest.fail(f"{VARIABLE} must be a module that has {functions}, such as "
                    f"{name.partition(':')[0]}, but it is {name}", pytrace=False)
    try:
        module, missing = module_of(name), ""
    except AdapterError as error:
        missing = str(error)
    if missing:                                      # outside: the report has this sentence alone
        pytest.fail(missing, pytrace=False)
    if not any(callable(getattr(module, objective, None)) for objective in OBJECTIVES):
        pytest.fail(f"{name} has no {functions}", pytrace=False)
    return module


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The module is looked for once, before the first test."""
    module = _implementation()
    metafunc.parametrize("implementation", [module], ids=[module.__name__])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_implementation_conforms(implementation: Any, objective: str) -> None:
    """One objective: its function conforms to the reference, up to its declared convention."""
    function = getattr(implementation, objective, None)
    if not callable(function):
        pytest.skip(f"{implementation.__name__} has no function {objective}")
    settings: dict[str, Any] = {"GRADIENTS": (), "CONVENTIONS": {}, "KNOWN_FAILURES": None}
    settings = {name: getattr(implementation, name, usual) for name, usual in settings.items()}
    report = verify(function, objective, gradient=objective in settings["GRADIENTS"],
                    convention=settings["CONVENTIONS"].get(objective),
                    known_failures=settings["KNOWN_FAILURES"])
    if report.exit_status:
        pytest.fail(str(report), pytrace=False)
