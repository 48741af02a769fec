"""A program that answers, and every way in which one does not: one line each, and nothing is left
running."""
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from refsm.verify.adapters import program
from refsm.verify.adapters.ask import AdapterError, ask
from refsm.verify.api import verify
from refsm.verify.cases import cases
from refsm.verify.adapters.program import Program

CASE, NEXT = cases("ism", "prime")[:2]

LOOP = """
    import json, os, sys, time
    for line in sys.stdin:
        case = json.loads(line)
        right = json.dumps({"id": case["id"], "value": case["arrays"]["x"]["data"][0]})
"""


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A program that ends is waited for on any machine; those that never end set another wait."""
    assert program.LAST_WORDS == 1.0
    monkeypatch.setattr(program, "LAST_WORDS", 60.0)


@pytest.fixture
def command(tmp_path):
    """A function that makes a command of the body of the loop over cases."""
    def make(body, loop=LOOP):
        path = tmp_path / "own.py"
        path.write_text(
            textwrap.dedent(loop)
            + textwrap.indent(textwrap.dedent(body), "    " if loop == LOOP else ""))
        return f"{sys.executable} {path}"

    return make


def refused(asked, case):
    """Why there is no answer to a case."""
    with pytest.raises(AdapterError) as raised:
        ask(asked, case)
    return raised.value


def failure(command, time_limit=20.0):
    """The one line about a program, without its name; asked again, it fails at once and alike."""
    with Program(command, time_limit) as asked:
        error = refused(asked, CASE)
        reason = str(error)
        assert error.status == 2
        assert reason.startswith(asked.name)
        assert reason.isprintable()
        assert str(refused(asked, NEXT)) == reason
    return reason.removeprefix(asked.name + " ")


def test_a_program_answers_each_case(command):
    with Program(command("print(right, flush=True)")) as asked:
        for case in (CASE, NEXT, CASE):
            assert ask(asked, case).value == case.x[0, 0]


def test_a_program_reads_what_a_file_of_prompts_holds(command):
    body = """
        ok = (case["schema"], case["objective"], case["model"]) == ("2", "ism", "autoencoder")
        ok = ok and case["hyper"] == {"sigma": 0.37} and case["theta"]["W"]["shape"] == [6, 3]
        block = {"shape": [3], "data": [1, 2, 3]}
        answer = {"id": case["id"], "value": float(ok), "per_sample": [1, 2, 3, 4, 5, 6, 7],
                  "gradient": {"c": block}}
        print(json.dumps(answer), flush=True)
    """
    with Program(command(body)) as asked:
        answer = ask(asked, CASE)
    assert (answer.value, answer.per_sample.sum(), answer.gradient["c"].tolist()) == (1.0, 28.0,
                                                                                      [1, 2, 3])


def test_the_command_is_split_as_a_shell_does_and_run_without_one(tmp_path):
    script = tmp_path / "with space.py"
    script.write_text(
        "import json, sys\nfor line in sys.stdin:\n"
        "    print(json.dumps({'id': json.loads(line)['id'], 'value': len(sys.argv[1])}), "
        "flush=True)\n"
    )
    with Program(f"{sys.executable} {shlex.quote(str(script))} '$HOME; x'") as asked:
        assert ask(asked, CASE).value == 8


def test_a_whole_objective_is_verified_through_a_program(command):
    body = """
        print(json.dumps({"id": case["id"], "value": 1.5}), flush=True)
    """
    with Program(command(body)) as asked:
        assert verify(asked, "ism").verdict == "UNEXPLAINED"


def test_one_that_draws_its_own_noise_is_inconclusive(command):
    with Program(
            command(
                'import random; print(json.dumps({"id": case["id"], "value": random.random()}), '
                'flush=True)'
            )) as asked:
        error = refused(asked, CASE)
    assert error.status == 3
    assert str(error).startswith("two equal calls gave value")


# -- how it ends -----------------------------------------------------------------------------------


def test_one_that_dies_is_reported_with_its_status_and_its_last_words(command):
    dying = command("print('reading', 'no GPU\\033', sep='\\n', file=sys.stderr); sys.exit(3)")
    assert failure(dying) == "ended with status 3, saying 'no GPU\\x1b', without an answer"
    assert failure(command("sys.exit()")) == "ended with status 0 without an answer"
    assert failure(
        command("1 / 0")
    ) == "ended with status 1, saying 'ZeroDivisionError: division by zero', without an answer"


def test_last_words_are_short(command):
    assert failure(command("sys.exit('x' * 121)")
                   ) == f"ended with status 1, saying '{'x' * 120} ...', without an answer"
    assert failure(command(
        "sys.exit('x' * 120)")) == f"ended with status 1, saying '{'x' * 120}', without an answer"
    assert failure(command("sys.exit('x' * 100_000)")
                   ) == f"ended with status 1, saying '{'x' * 120} ...', without an answer"


def test_one_that_crashes_is_reported_with_the_signal(command):
    assert failure(command("os.kill(os.getpid(), 11)")
                   ) == f"was ended by signal 11 ({signal.strsignal(11)}) without an answer"


def test_one_that_ends_in_the_middle_of_an_answer_is_reported_with_what_it_printed(command):
    assert failure(command("sys.stdout.write(right[:9]); sys.exit()")
                   ) == "ended with status 0 in the middle of an answer: '{\"id\": \"p'"


def test_one_that_never_reads_is_reported(command):
    assert failure(command("", loop="pass\n")) == "ended with status 0 without an answer"
    assert failure("/bin/false") == "ended with status 1 without an answer"


@pytest.mark.slow
def test_one_that_closes_its_output_and_lives_on_is_reported(command, monkeypatch):
    monkeypatch.setattr(program, "LAST_WORDS", 0.2)
    assert failure(command("os.close(1); time.sleep(60)")) == "closed its output without an answer"


# -- what it prints --------------------------------------------------------------------------------


def test_one_that_prints_something_else_is_reported_with_it(command):
    chatting = command("print('Loading \\033[31mweights', flush=True)")
    assert failure(
        chatting
    ) == "printed 'Loading \\x1b[31mweights': it is no JSON: Expecting value at line 1, column 1"
    assert failure(
        command("print(flush=True)"
                )) == "printed '': it is no JSON: Expecting value at line 2, column 1 (truncated?)"
    assert failure(command("print('[1]', flush=True)")
                   ) == "printed '[1]': it has an answer that is no object with an \"id\""
    assert failure(command("sys.stdout.buffer.write(b'\\xff\\xfe\\n'); sys.stdout.flush()")
                   ) == "printed '\ufffd\ufffd': it is no JSON: it is not text in UTF-8"


def test_numbers_that_are_none_are_reported(command):
    diverging = command("print(json.dumps({'id': case['id'], 'value': float('nan')}), flush=True)")
    assert failure(diverging).endswith("it must have finite numbers only, but it has NaN")


def test_one_that_answers_another_case_is_reported(command):
    assert failure(command("print(right.replace('ism', 'dsm'), flush=True)")
                   ) == f"answered 'prime/dsm/c0/t0' when it was asked {CASE.id!r}"


def test_one_that_answers_twice_is_reported_at_the_next_case(command):
    with Program(command("print(right); print(right, flush=True)")) as asked:
        assert ask(asked, CASE).value == CASE.x[0, 0]
        assert str(refused(asked, NEXT)) == (
            f"{asked.name} answered {CASE.id!r} when it was asked {NEXT.id!r}")


@pytest.mark.slow
def test_one_that_never_stops_printing_is_stopped(command, monkeypatch):
    assert failure(command(
        "while True: sys.stdout.write('x' * 100_000)")) == "printed more than 16 MB in one line"
    assert failure(command("while True: print('x' * 1000)")).startswith("printed 'xxxxxx")
    monkeypatch.setattr(program, "LARGEST_FILE", 10)
    assert failure(command("print('x' * 10, flush=True)")) == "printed more than 0 MB in one line"
    assert failure(
        command("print('x' * 9, flush=True)")).startswith("printed 'xxxxxxxxx': it is no JSON")


def test_one_that_fills_its_standard_error_does_not_hang(command):
    with Program(command("sys.stderr.write('x' * 10**6); print(right, flush=True)")) as asked:
        assert ask(asked, CASE).value == CASE.x[0, 0]
        asked.close()
        assert len(asked._errors) == program.STDERR_KEPT == 16384


# -- one that hangs --------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_that_hangs_is_stopped(command, monkeypatch):
    monkeypatch.setattr(program, "LAST_WORDS", 0.2)
    assert failure(command("time.sleep(60)"), time_limit=0.3) == "did not answer within 0.3 s"


@pytest.mark.slow
def test_one_that_forgets_to_flush_is_reported_so(command, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", "")
    assert failure(
        command("print(right)"), time_limit=0.5
    ) == "answered only after its input had ended: it must flush its output after every line"


@pytest.mark.slow
def test_one_that_does_not_read_does_not_hang_the_question(command, monkeypatch):
    monkeypatch.setattr(program, "LAST_WORDS", 0.2)
    big = cases("ssm", "prime")[-1]
    with Program(command("", loop="import time\ntime.sleep(60)\n"), 0.3) as asked:
        for _ in range(3):
            assert str(refused(asked, big)) == f"{asked.name} did not answer within 0.3 s"


@pytest.mark.slow
def test_nothing_is_left_running(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "LAST_WORDS", 0.2)
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $$ $! > {shlex.quote(str(pids))}; wait"
    with Program(f"sh -c {shlex.quote(script)}", 0.1) as asked:
        until(lambda: pids.exists() and pids.read_text().endswith("\n"))
        assert str(refused(asked, CASE)) == f"{asked.name} did not answer within 0.1 s"
    for pid in pids.read_text().split():
        until(lambda pid=pid: state_of(pid) in ("", "Z"))
    until(lambda: not any(thread.is_alive() for thread in asked._threads))


def until(condition):
    """Wait for it on a machine of any speed."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it has not come within a minute")


def state_of(pid):
    return subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True,
                          text=True).stdout.strip()[:1]


def test_a_program_may_end_by_itself_when_its_input_ends(command, tmp_path):
    with Program(
            command(f"print(right, flush=True)\nopen({str(tmp_path / 'ended')!r}, 'w').close()")
    ) as asked:
        ask(asked, CASE)
    assert (tmp_path / "ended").exists()
    assert asked._process.returncode == 0


@pytest.mark.slow
def test_one_that_goes_on_printing_is_closed_without_waiting(command, monkeypatch):
    monkeypatch.setattr(program, "LAST_WORDS", 0.3)
    with Program(command("for _ in range(5_000): print(right)")) as asked:
        assert ask(asked, CASE).value == CASE.x[0, 0]
        reader = asked._threads[0]
    until(lambda: not reader.is_alive())


def test_a_program_has_time_to_end(command, tmp_path):
    with Program(
            command(
                f"print(right, flush=True)\ntime.sleep(0.1)\nopen({str(tmp_path / 'ended')!r}, "
                f"'w').close()"
            )) as asked:
        asked(CASE)
    assert (tmp_path / "ended").exists()


def test_closing_twice_and_closing_a_dead_program_are_fine(command):
    asked = Program(command("sys.exit(3)"))
    refused(asked, CASE)
    asked.close()
    asked.close()


# -- one that cannot be started --------------------------------------------------------------------


@pytest.mark.parametrize(
    "command, sentence",
    [("", "the command must name a program, but it is empty"),
     ("  ", "the command must name a program, but it is empty"),
     ("'a b", 'the command "\'a b" cannot be split into words: No closing quotation'),
     ("./not-there --fast", "./not-there --fast cannot be started: No such file or directory"),
     ("x" * 70, "x" * 60 + " ... cannot be started: No such file or directory"),
     ("x" * 61, "x" * 60 + " ... cannot be started: No such file or directory"),
     ("x" * 60, "x" * 60 + " cannot be started: No such file or directory"),
     (os.devnull, f"{os.devnull} cannot be started: Permission denied")])
def test_a_command_that_cannot_be_started_is_said(command, sentence):
    with pytest.raises(AdapterError) as raised:
        Program(command)
    assert (str(raised.value), raised.value.status) == (sentence, 2)
