"""Ctrl-C, as a real signal, at random moments: status 130 or a KeyboardInterrupt; nothing false."""
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import refsm

ROOT = pathlib.Path(refsm.__file__).parents[1]
# 130 for the shell either way: CPython ends by the signal itself where an exec was cut short
STOPPED = (130, -signal.SIGINT)
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

FITS = """
    import signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import numpy as np, refsm
    from refsm import data
    x = data.penguins()
    x_noisy = x + np.random.default_rng(0).standard_normal(x.shape)
    J = refsm.DenoisingScoreMatching(x, x_noisy, 1.0)
    W = np.random.default_rng(1).standard_normal((24, 2))
    start = refsm.AutoencoderEnergy(W, np.zeros(24), x.mean(axis=0), sigma=1.0)
    refsm.gradient_descent, refsm.minimize                 # loaded
    try:
        for fit in range(4):
            print("fit", fit, flush=True)
            result = {call}
            print("done", fit, flush=True)
    except refsm.DescentInterrupted as stop:
        assert isinstance(stop, KeyboardInterrupt)
        result = stop.result
        assert result.interrupted
        assert not result.converged
        if result.steps:
            value, gradient = J.value_and_gradient(result.model)
            assert value == result.value, (value, result.value)
        print("kept", result.steps, flush=True)
        sys.exit(130)
"""
CALLS = {
    "descent": "refsm.gradient_descent(J, start, steps=10**6, rate=1e-4, momentum=0.9)",
    "minimize": "refsm.minimize(J, start, maxiter=10**6, options={'gtol': 0.0, 'ftol': 0.0})",
}


def heeds_sigint():
    """In a child: a job in the background of a shell ignores SIGINT, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(program, delay, ready="ready"):
    """Run a program, send SIGINT some seconds after it prints this; status, stdout, stderr."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=env, cwd=ROOT, start_new_session=True, preexec_fn=heeds_sigint)
    head = ""
    while ready not in head:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        head += line
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    return process.returncode, head + out, err


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("which", CALLS)
def test_a_loop_of_fits_stops_at_ctrl_c_and_keeps_what_is_done(which):
    status, out, err = interrupted(FITS.format(call=CALLS[which]), 0.3, "fit 0")
    assert status in STOPPED, err
    assert "kept" in out
    assert "fit 1" not in out


MOMENTS = np.random.default_rng(0).uniform(0.02, 1.0, 50)


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("k", range(0, 50, 5))
@pytest.mark.parametrize("which", CALLS)
def test_a_descent_at_random_moments(which, k):
    status, out, err = interrupted(FITS.format(call=CALLS[which]), MOMENTS[k], "fit 0")
    assert status in STOPPED, err
    assert "kept" in out
    assert "fit 1" not in out


REPRODUCE = """
    import sys
    from refsm.cli import main
    print("ready", flush=True)
    sys.exit(main(["reproduce", "--hidden", "20"]))
"""


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("k", range(1, 50, 5))
def test_reproduce_at_random_moments(k):
    """What is printed up to then holds; nothing is said to have failed."""
    status, out, err = interrupted(REPRODUCE, 3 * MOMENTS[k])
    assert "FAIL" not in out
    assert " NO" not in out
    assert "Traceback" not in err
    if "What this shows" in out:    # the signal came after the last statement, or at the exit
        assert status in (0, *STOPPED), err
    else:
        assert status in STOPPED, err
        assert "interrupted; what is above is done" in err


VERIFY = """
    import sys
    sys.path.insert(0, {folder!r})
    from refsm.cli import main
    import refsm.verify.command
    print("ready", flush=True)
    sys.exit(main(["verify", "mine:dsm", "--objective", "dsm"]))
"""


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("k", range(2, 50, 5))
def test_verify_at_random_moments(k, tmp_path):
    (tmp_path / "mine.py").write_text(textwrap.dedent("""
        import time

        def dsm(case):
            time.sleep(2.0)
            target = (case.x - case.x_noisy) / case.sigma**2
            return ((case.score(case.x_noisy) - target) ** 2).sum(axis=1).mean() / 2
    """))
    status, out, err = interrupted(VERIFY.format(folder=str(tmp_path)), 3 * MOMENTS[k])
    assert status in STOPPED, err
    assert "FAIL" not in out
    assert "PASS" not in out
    assert "Traceback" not in err


DEMO = """
    import runpy, sys
    import matplotlib.pyplot, scipy.integrate, scipy.optimize    # Ctrl-C in an import: ImportError
    print("ready", flush=True)
    sys.argv = ["04_penguins", "--figure", {figure!r}]
    runpy.run_module("demos.04_penguins", run_name="__main__")
"""


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("k", range(3, 50, 5))
def test_a_demo_at_random_moments(k, tmp_path):
    """Cut short, it checks no claim."""
    status, out, err = interrupted(DEMO.format(figure=str(tmp_path / "a.png")), 2 * MOMENTS[k])
    assert "AssertionError" not in err
    if status == 0:
        assert "interrupted" not in out
    else:
        assert status in STOPPED, err


@POSIX
@pytest.mark.slow
def test_a_reader_who_has_enough_ends_the_command_without_a_word():
    """As `refsm study | head` does: nothing was evaluated, and nothing is wrong."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "refsm", "study"], stdout=write,
                          stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 0
