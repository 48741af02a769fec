"""One printable line for whatever an implementation raises, and a process that goes on."""
import os
import types
import warnings

import numpy as np
import pytest

from refsm.verify.adapters.ask import AdapterError, ask
from refsm.verify.cases import cases

CASE = cases("dsm", "prime")[0]


def broken(implementation):
    """The one line about an implementation, and its status."""
    with pytest.raises(AdapterError) as raised:
        ask(implementation, CASE)
    assert "\n" not in str(raised.value)
    return str(raised.value), raised.value.status


def test_an_exception_is_reported_with_the_line_of_the_implementations_own_file():
    def helper(x):
        return np.linalg.inv(x)

    def implementation(case):
        return helper(np.zeros((3, 3)))

    line = helper.__code__.co_firstlineno + 1
    assert broken(implementation) == (
        f"the implementation raised LinAlgError: Singular matrix, at test_failures.py:{line}: "
        f"return np.linalg.inv(x)",
        2)


def test_an_exception_without_a_text_or_with_a_long_one_is_one_line():
    def empty(case):
        raise RuntimeError

    def long(case):
        raise ValueError("two\nlines " + "and more " * 100)

    def of_length(length):
        def implementation(case):
            raise ValueError("x" * length)

        return implementation

    assert "x" * 300 + ", at" in broken(of_length(300))[0]
    assert ": " + "x" * 300 + " ..., at" in broken(of_length(301))[0]
    assert broken(empty)[0].startswith(
        "the implementation raised RuntimeError, at test_failures.py:")
    reason = broken(long)[0]
    assert "raised ValueError: two lines and more" in reason
    assert "..., at test_failures.py:" in reason
    assert len(reason) < 450
    assert broken(types.SimpleNamespace)[0].startswith(
        "the implementation raised TypeError")    # no frame of its own


def test_ending_the_process_is_refused_here_and_not_in_a_process_of_ones_own():
    leave = os._exit
    reason = "the implementation called os._exit(9), which would end the process without a verdict"
    assert broken(lambda case: os._exit(9)) == (reason, 2)
    assert os._exit is leave

    def forking(case):
        child = os.fork()
        if child == 0:
            os._exit(7)
        return float(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)      # of a fork beside threads
        assert ask(forking, CASE).value == 7.0


def test_an_exception_that_has_no_text_of_its_own_is_one_line():
    class Hostile(Exception):
        def __str__(self):
            raise RuntimeError

    def implementation(case):
        raise Hostile

    assert broken(implementation)[0].startswith(
        "the implementation raised Hostile: an exception whose text cannot be made, at "
        "test_failures.py:"
    )
    Hostile.__name__ = "H" * 301
    assert broken(implementation)[0].startswith(
        f"the implementation raised {'H' * 300} ...: an exception whose")


def test_control_characters_are_written_out():
    def implementation(case):
        raise ValueError("\x1b[31mred\x00 caf\xe9 \u202e")

    assert broken(implementation)[0].startswith(
        "the implementation raised ValueError: \\x1b[31mred\\x00 caf\xe9 \\u202e, at "
        "test_failures.py:"
    )
