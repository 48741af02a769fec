"""Ask a program: one case per line on its standard input, one answer per line on its output.

The lines are JSON.  A line of input is a case as `files.prompt` writes it, with "schema" and
"suite"; a line of output is an answer as in a file of answers, {"id": ..., "value": ...,
"per_sample": [...], "gradient": {...}}.  The program is started once, without a shell, and ends
when its input ends.  It must flush its output after every line.

    with Program("./my_dsm --quiet") as program:
        print(refsm.verify(program, "dsm"))

A program that cannot be started, dies, hangs, prints something else or too much is an AdapterError:
one line, with the last line that it wrote on its standard error.  It is killed, with the processes
that it started, when the time limit for one answer is over, after 16 MB in one line, and one second
after its input has ended.
"""
from __future__ import annotations

import json
import os
import queue
import shlex
import signal
import subprocess
import threading
from typing import Any, Callable

from refsm.verify.adapters.ask import TIME_LIMIT
from refsm.verify.adapters.failures import AdapterError, short
from refsm.verify.cases.case import SCHEMA_VERSION, SUITE_VERSION, Case
from refsm.verify.adapters.files import prompt
from refsm.verify.adapters.untrusted import LARGEST_FILE, FileError, answer_of, parse

__all__ = ["Program"]

LAST_WORDS = 1.0         # seconds that a program gets to end, and to show what is in its buffer
STDERR_KEPT = 2 ** 14    # bytes of its standard error that are remembered


class Program:
    """A program as an implementation: a function of a case, which returns what the program printed
    for it.

    `command` is split like a shell does and run without one; `time_limit` is in seconds per answer.
    Use it in a `with`, or `close` it.
    """

    def __init__(self, command: str, time_limit: float = TIME_LIMIT) -> None:
        self.time_limit = time_limit
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise AdapterError(f"the command {command!r} cannot be split into words: "
                               f"{error}") from None
        if not words:
            raise AdapterError("the command must name a program, but it is empty")
        self.name = short(command, 60)
        try:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe,
                                             start_new_session=True)
        except OSError as error:
            raise AdapterError(f"{self.name} cannot be started: {error.strerror}") from None
        self._failure: AdapterError | None = None
        self._closing = False
        self._lines: queue.Queue[bytes] = queue.Queue(maxsize=1)
        self._errors = bytearray()
        self._threads: list[threading.Thread] = []
        self._start(self._read_answers)
        self._error_reader = self._start(self._read_errors)

    def __call__(self, case: Case) -> dict[str, Any]:
        """The program's answer to a case.  AdapterError, in one line, if there is none; then every
        later question has the same end."""
        question = {"schema": SCHEMA_VERSION, "suite": SUITE_VERSION, **prompt(case)}
        try:
            if self._failure is None:
                line = self._exchange(json.dumps(question).encode() + b"\n")
                return self._answer(line, case)
        except AdapterError as error:
            self._failure = error
            self._kill()
        raise AdapterError(str(self._failure))

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the input, wait a moment for the program to end, then kill it and what it started."""
        self._start(self._close_input)
        try:
            self._process.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            pass
        self._kill()
        self._closing = True
        if self._lines.full():
            self._lines.get()              # not asked for: the reader may be waiting to put a line
        for thread in self._threads:
            thread.join(LAST_WORDS)
        for pipe in (self._process.stdout, self._process.stderr):
            pipe.close()                                     # type: ignore[union-attr]

    # -- one question -----------------------------------------------------------------------------

    def _exchange(self, question: bytes) -> bytes:
        """Write a line and wait for one.  The writing has its own thread: a program that does not
        read must not hang us."""
        self._start(self._write, question)
        try:
            line = self._lines.get(timeout=self.time_limit)
        except queue.Empty:
            raise self._hanging() from None
        if len(line) > LARGEST_FILE:
            raise AdapterError(f"{self.name} printed more than {LARGEST_FILE // 2**20} MB in one "
                               "line")
        if not line.endswith(b"\n"):
            cut = f" in the middle of an answer: {_shown(line)}" if line else " without an answer"
            raise AdapterError(f"{self.name} {self._ending()}{cut}")
        return line

    def _answer(self, line: bytes, case: Case) -> dict[str, Any]:
        try:
            identifier, answer = answer_of(parse(line, "it"), "it")
        except FileError as error:
            raise AdapterError(f"{self.name} printed {_shown(line)}: {error}") from None
        if identifier != case.id:
            raise AdapterError(f"{self.name} answered {identifier!r:.80} when it was asked "
                               f"{case.id!r}")
        return answer

    def _hanging(self) -> AdapterError:
        """Why there is no answer: with its input at an end, a program that only forgot to flush
        shows what it holds."""
        self._start(self._close_input)
        try:
            kept = self._lines.get(timeout=LAST_WORDS)
        except queue.Empty:
            kept = b""
        if kept:
            return AdapterError(f"{self.name} answered only after its input had ended: it must "
                                "flush its output after every line")
        return AdapterError(f"{self.name} did not answer within {self.time_limit:g} s")

    def _ending(self) -> str:
        """How the program ended, and its last words."""
        try:
            status = self._process.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            return "closed its output"
        self._error_reader.join(LAST_WORDS)
        words = bytes(self._errors).decode(errors="replace").strip().splitlines()
        how = f"ended with status {status}"
        if status < 0:
            how = f"was ended by signal {-status} ({signal.strsignal(-status)})"
        return how + (f", saying {_shown(words[-1].encode())}," if words else "")

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (OSError, AttributeError):            # nothing is left of it, or no such call here
            self._process.kill()
        self._process.wait()

    # -- threads ----------------------------------------------------------------------------------

    def _start(self, work: Callable[..., None], *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _write(self, question: bytes) -> None:
        try:
            self._process.stdin.write(question)              # type: ignore[union-attr]
            self._process.stdin.flush()                      # type: ignore[union-attr]
        except (OSError, ValueError):      # it has ended, or its input has: the wait reports it
            pass

    def _close_input(self) -> None:
        try:
            self._process.stdin.close()                      # type: ignore[union-attr]
        except OSError:
            pass

    def _read_answers(self) -> None:
        line = b"\n"
        while line.endswith(b"\n") and not self._closing:
            line = self._process.stdout.readline(LARGEST_FILE + 1)      # type: ignore[union-attr]
            self._lines.put(line)

    def _read_errors(self) -> None:
        while words := self._process.stderr.read1(STDERR_KEPT):         # type: ignore[union-attr]
            self._errors += words
            del self._errors[:-STDERR_KEPT]


def _shown(line: bytes) -> str:
    """The beginning of what a program printed, without control characters."""
    return repr(short(line.decode(errors="replace").strip(), 120))
