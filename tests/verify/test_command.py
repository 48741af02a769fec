"""The commands: what they print, where, and with which exit status; never a traceback for a user's
mistake."""
import io
import json
import os
import pty
import subprocess
import sys
import textwrap

import pytest

import refsm
from refsm.cli import main
from refsm.verify import command, grading
from refsm.verify.cases import cases
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.adapters.files import export
from refsm.verify.cases import gradient, per_sample, value
from refsm.verify.report.report import Report

ROOT = os.path.dirname(os.path.dirname(refsm.__file__))

ADAPTER = """
    from refsm.verify.cases import gradient, value

    def dsm(case):
        return {"value": value(case)}

    def twice(case):
        return 2 * value(case)

    def noisy(case, rng):
        eps = rng.standard_normal(case.x.shape)
        r = case.score(case.x + case.sigma * eps) + eps / case.sigma
        return (r * r).sum(axis=1).mean() / 2

    def first_wrong(case):
        return value(case) + case.id.endswith("c3/t2")

    def wrong_gradient(case):
        doubled = {name: 2 * block for name, block in gradient(case).items()}
        return {"value": value(case), "gradient": doubled}

    def printing(case):
        print("epoch 1")
        return value(case)

    def raising(case):
        raise RuntimeError("no GPU")

    def random(case):
        import numpy
        return numpy.random.default_rng().standard_normal()

    def hanging(case):
        while True:
            pass

    def right_gradient(case):
        return {"value": value(case), "gradient": gradient(case)}

    def network(x, theta):
        return x @ theta["A"]

    def forgotten(x, theta):
        return x @ theta["W"]

    def parameters(d, rng):
        return {"A": rng.standard_normal((d, d))}

    def reconstruction(case):
        return ((case.reconstruct(case.x_noisy) - case.x)**2).mean()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a module of adapters under a name of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_adapters.py").write_text(textwrap.dedent(ADAPTER))
    yield tmp_path
    sys.modules.pop("own_adapters", None)


@pytest.fixture
def run(folder, capsys):
    """A function of the command's words: (exit status, standard output, standard error)."""
    def call(*words):
        try:
            status = main([str(word) for word in words])
        except SystemExit as error:
            status = error.code
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    return call


def refused(run, *words, status=2):
    """The one line on the standard error."""
    got, out, err = run(*words)
    assert got == status
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("refsm: ")
    return err[len("refsm: "):-1]


# -- verify ----------------------------------------------------------------------------------------


def test_a_network_of_ones_own_takes_the_place_of_the_model(run):
    words = ("verify", "own_adapters:reconstruction", "--objective", "dae", "--network",
             "own_adapters:network")
    status, out, _ = run(*words, "--seed", "5")
    assert status == 1
    assert out.startswith("CONVENTION  dae: a factor 1 / d")
    assert "30 cases of your network" in out
    assert ("refsm verify own_adapters:reconstruction --objective dae --seed 5 --network "
            "own_adapters:network\n") in out
    assert run(*words, "--convention", "1 / d")[0] == 0
    status, out, _ = run(*words[:-1], "own_adapters:forgotten")
    assert status == 2
    out = " ".join(out.split())
    assert "own_adapters:forgotten raised KeyError: 'W', at own_adapters.py:" in out


@pytest.mark.parametrize("words, sentence", [
    *((["own_adapters:network", *more], "network and parameters belong together, and take no "
       "gradient, own_noise, cases or model: they have cases of their own, and the network's")
      for more in (["--gradient"], ["--model", "tanh"], ["--own-noise"])),
    (["own_adapters"], "the network must be given as package.module:function, but it is "
     "'own_adapters'"),
    (["json:loads"], "json has no parameters; it defines"),
    (["own_adapters:unheard"], "own_adapters has no unheard; it defines"),
    (["own_adapters:network", "--predicts", "banana"], "predicts must be one of score, noise,")])
def test_a_network_that_cannot_be_taken_is_refused_in_one_sentence(run, words, sentence):
    assert refused(run, "verify", "own_adapters:dsm", "--network", *words).startswith(sentence)


def test_a_right_implementation_passes(run):
    status, out, err = run("verify", "own_adapters:right_gradient", "--objective", "dsm",
                           "--gradient")
    assert status == 0
    assert out.startswith("PASS  dsm: ")
    assert err == ""


def test_the_objective_is_the_functions_name_unless_another_is_said(run):
    status, out, _ = run("verify", "own_adapters:dsm")
    named = "the objective dsm is taken from the function's name"
    assert (status, out[:9]) == (0, "PASS  dsm")
    assert named in out
    status, out, _ = run("verify", "own_adapters:dsm", "--objective", "DenoisingScoreMatching")
    assert (status, out[:9]) == (0, "PASS  dsm")
    assert named not in out
    assert run("verify", "own_adapters:dsm", "--objective", "ism")[1].startswith("PASS  ism")
    assert refused(run, "verify", "own_adapters:twice").startswith(
        "--objective is needed: the function's name, 'twice', is not one of esm, ism")


def test_the_command_that_reproduces_has_every_option(run):
    out = run("verify", "own_adapters:twice", "--objective", "dsm", "--model", "tanh", "--seed",
              "7", "--family", "prime", "--gradient", "--time-limit", "9")[1]
    again = ("refsm verify own_adapters:twice --objective dsm --gradient --family prime "
             "--model tanh --seed 7 --time-limit 9")
    assert again in out
    assert "refsm show prime/dsm/tanh/seed7/c" in out
    out = run("verify", "own_adapters:twice", "--objective", "dsm", "--convention", "2 sigma^2")[1]
    assert "refsm verify own_adapters:twice --objective dsm --convention '2 sigma^2'" in out
    out = run("verify", "own_adapters:twice", "--objective", "dsm")[1]
    assert "refsm verify own_adapters:twice --objective dsm\n" in out


@pytest.mark.slow
def test_a_pipe_that_is_closed_changes_no_verdict(folder):
    words = ["-m", "refsm", "verify", "own_adapters:twice", "--objective", "dsm"]
    env = {**os.environ, "PYTHONPATH": ROOT}
    with subprocess.Popen([sys.executable, *words], cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=env) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 1
    assert said == b""


def test_a_difference_is_status_1_and_may_be_declared(run):
    status, out, _ = run("verify", "own_adapters:twice", "--objective", "dsm")
    assert status == 1
    assert out.startswith("CONVENTION  dsm")
    assert 'convention="2"' in out
    assert "refsm verify own_adapters:twice --objective dsm" in out
    assert run("verify", "own_adapters:twice", "--objective", "dsm", "--convention", "2")[0] == 0
    assert run("verify", "own_adapters:dsm", "--convention", "sigma**2")[0] == 1
    assert refused(run, "verify", "own_adapters:dsm", "--convention",
                   "2 times").startswith("a factor must be a product")


@pytest.mark.slow
def test_gradients_are_compared_when_asked_for(run):
    assert run("verify", "own_adapters:wrong_gradient", "--objective", "dsm")[0] == 0
    assert run("verify", "own_adapters:wrong_gradient", "--objective", "dsm", "--gradient")[0] == 1


def test_known_failures_come_from_a_file(run, folder):
    assert run("verify", "own_adapters:first_wrong", "--objective", "dsm")[0] == 1
    (folder / "known.txt").write_text("# the third theta\nprime/dsm/c3/t2\n")
    status, out, _ = run("verify", "own_adapters:first_wrong", "--objective", "dsm",
                         "--known-failures", "known.txt")
    assert status == 0, out
    assert "none.txt cannot be read: No such file or directory" in refused(
        run, "verify", "own_adapters:dsm", "--known-failures", "none.txt")


def test_other_cases_are_asked_for(run):
    status, out, _ = run("verify", "own_adapters:dsm", "--model", "tanh", "--seed", "5", "--json")
    assert status == 0
    assert json.loads(out)["model"] == "tanh"
    assert run("verify", "own_adapters:dsm", "--family", "paper")[1].startswith("PASS  dsm: all ")
    assert refused(run, "verify", "own_adapters:dsm", "--family", "new").startswith(
        "family must be one of paper, prime, vp, flow, ve, subvp, array")
    assert refused(run, "verify", "own_adapters:dsm", "--model",
                   "resnet").startswith("model must be one of ")
    assert refused(run, "verify", "own_adapters:dsm", "--seed",
                   "-1") == "seed must be an integer >= 0, but it is -1"


def test_json_is_all_that_stands_on_the_standard_output(run):
    status, out, err = run("verify", "own_adapters:printing", "--objective", "dsm", "--json")
    report = json.loads(out)
    assert (status, report["verdict"], report["exit_status"], report["objective"]) == (0, "PASS", 0,
                                                                                       "dsm")
    assert err.count("epoch 1") == 60
    assert run("verify", "own_adapters:printing", "--objective", "dsm")[1].startswith("epoch 1\n")


@pytest.mark.parametrize("function, status, sentence", [(
    "raising", 2,
    "BROKEN  dsm: prime/dsm/c0/t0: the implementation raised RuntimeError: no GPU, at "
    "own_adapters.py:27: raise RuntimeError"
), ("random", 3, "INCONCLUSIVE  dsm: prime/dsm/c0/t0: two equal calls gave value"
    ), ("hanging", 2,
        "BROKEN  dsm: prime/dsm/c0/t0: the implementation did not return within 0.2 s")])
def test_an_implementation_that_fails_is_reported_in_its_own_line(run, function, status, sentence):
    got, out, err = run("verify", f"own_adapters:{function}", "--objective", "dsm", "--time-limit",
                        "0.2")
    assert got == status
    assert err == ""
    assert " ".join(out.split()).startswith(" ".join(sentence.split()))


def test_a_report_is_printed_whatever_becomes_of_the_streams(run, folder):
    (folder / "own_streams.py").write_text(
        "import io, sys\nfrom refsm.verify.cases import value\n\n"
        "def dsm(case):\n    sys.stdout = sys.stderr = io.StringIO()\n    return value(case)\n\n"
        "def closing(case):\n    print(end='', flush=True)\n    sys.stdout.close()\n"
        "    sys.stderr.close()\n    return value(case)\n")
    more = ("--objective", "dsm", "--family", "paper")
    right = run("verify", "own_adapters:dsm", *more)
    for function in ("dsm", "closing"):
        words = ("verify", f"own_streams:{function}", *more)
        assert run(*words) == right
        assert json.loads(run(*words, "--json")[1])["verdict"] == "PASS"
    sys.modules.pop("own_streams")


def test_an_implementation_that_is_not_found_is_one_line(run, folder):
    assert refused(
        run, "verify", "own_adapters"
    ) == ("--objective is needed: the function's name, 'own_adapters', is not one of "
          + ", ".join(OBJECTIVES))
    nameless = refused(run, "verify", "own_adapters", "--objective", "dsm")
    assert nameless == (
        "the implementation must be given as package.module:function, but it is 'own_adapters'")
    assert refused(
        run, "verify", "nowhere:dsm"
    ) == f"there is no module nowhere, neither in the folder {folder} nor where Python looks"
    assert refused(
        run, "verify",
        "own_adapters:ism").startswith("own_adapters has no ism; it defines dsm, twice, noisy, ")


def test_a_call_that_means_nothing_is_one_line(run):
    for words, given in ((["--objective", "dsm"], "neither is"),
                         (["own_adapters:dsm", "--cmd", "./dsm"], "both are")):
        assert refused(run, "verify", *words) == (
            f"give either MODULE:FUNCTION or --cmd COMMAND, but {given} given")
    assert refused(run, "verify", "--cmd", "./dsm") == "--objective is needed with --cmd"
    assert refused(run, "verify", "own_adapters:dsm", "--replicates",
                   "50") == "replicates are for own_noise"
    for more in (["--gradient"], ["--known-failures", "x"], ["--model", "gaussian"]):
        assert refused(run, "verify", "own_adapters:dsm", "--own-noise", *more) == (
            "own_noise takes no gradient, cases, model or known_failures: it has cases of its own")
    for more in (["--own-noise"], ["--replicates", "50"], ["--network", "own_adapters:network"]):
        assert refused(run, "verify", "--cmd", "./dsm", "--objective", "dsm", *more) == (
            "--own-noise, --replicates and --network take no --cmd: they need a Python function")


def test_a_time_limit_may_be_long_or_short(run):
    assert run("verify", "own_adapters:dsm", "--family", "paper", "--time-limit", "999999")[0] == 0
    assert run("verify", "own_adapters:dsm", "--family", "paper", "--time-limit", "0.9")[0] == 0


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "1e6"])
def test_a_time_limit_must_be_a_number_of_seconds(run, seconds):
    status, out, err = run("verify", "own_adapters:dsm", "--time-limit", seconds)
    assert status == 2
    assert out == ""
    assert f"argument --time-limit: invalid number of seconds > 0 value: '{seconds}'" in err


# -- own noise -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_implementation_that_draws_its_own_noise_is_verified_by_expectations(run):
    status, out, _ = run("verify", "own_adapters:noisy", "--objective", "dsm", "--own-noise",
                         "--replicates", "60", "--seed", "3")
    assert status == 0
    assert out.startswith("PASS  dsm: its expectation is the canonical loss")
    assert "60 replicates each" in out
    status, out, _ = run("verify", "own_adapters:noisy", "--objective", "dsm", "--own-noise",
                         "--replicates", "60", "--convention", "2", "--json")
    assert status == 1
    assert json.loads(out)["verdict"] == "MISMATCH"
    assert "200 replicates each" in run("verify", "own_adapters:noisy", "--objective", "dsm",
                                        "--own-noise")[1]
    words = ("verify", "own_adapters:noisy", "--objective", "parzen_esm", "--own-noise")
    assert "own noise is not for parzen_esm: the score of the Parzen " in refused(run, *words)
    status, out, _ = run("verify", "own_adapters:hanging", "--objective", "dsm", "--own-noise",
                         "--time-limit", "0.2")
    assert status == 2
    assert "did not return within 0.2 s" in out


# -- a program -------------------------------------------------------------------------------------




@pytest.fixture
def program(folder):
    """A program that looks the values up."""
    values = {case.id: value(case) for case in cases("ism", "prime")}
    (folder / "values.json").write_text(json.dumps(values))
    (folder / "own.py").write_text(
        "import json, sys, time\nvalues = json.load(open('values.json'))\n"
        "for line in sys.stdin:\n    case = json.loads(line)['id']\n"
        "    time.sleep(float(sys.argv[1]))\n    print(json.dumps({'id': case, 'value': "
        "values[case]}), flush=True)\n"
    )
    return f"{sys.executable} own.py"


def test_a_program_is_verified(run, program):
    status, out, err = run("verify", "--cmd", f"{program} 0", "--objective", "ism")
    assert status == 0
    assert out.startswith("PASS  ism")
    assert err == ""


@pytest.mark.slow
def test_a_program_that_fails_is_reported(run, program, monkeypatch):
    monkeypatch.setattr("refsm.verify.adapters.program.LAST_WORDS", 0.2)
    status, out, _ = run("verify", "--cmd", f"{program} 60", "--objective", "ism", "--time-limit",
                         "0.5")
    assert status == 2
    assert "own.py 60 did not answer within 0.5 s" in " ".join(out.split())
    status, out, _ = run("verify", "--cmd", f"{program} 0", "--objective", "dsm")
    assert status == 2
    assert "KeyError" in out
    assert refused(run, "verify", "--cmd", "./not-there", "--objective",
                   "ism") == "./not-there cannot be started: No such file or directory"


# -- files -----------------------------------------------------------------------------------------


def answers(path, *objectives, factor=1.0):
    entries = [{
        "id": case.id, "value": factor * value(case),
        "per_sample": (factor * per_sample(case)).tolist(),
        "gradient": {name: (factor * block).tolist()
                     for name, block in gradient(case).items()}
    }
               for case in cases(objectives, "prime")]
    path.write_text(
        json.dumps({"schema": "2", "suite": refsm.verify.SUITE_VERSION, "answers": entries}))
    return path


@pytest.mark.slow
def test_prompts_are_written_and_answers_graded(run, folder):
    status, out, _ = run("export", "dsm", "ism", "--out", "prompts")
    assert status == 0
    assert out.splitlines() == ["prompts/dsm.json", "prompts/ism.json"]
    status, out, _ = run("grade", "prompts", answers(folder / "right.json", "dsm", "ism"),
                         "--gradient")
    assert status == 0
    assert out.count("PASS  ") == 2
    assert "\n\nPASS  dsm" in out
    status, out, _ = run("grade", "prompts", answers(folder / "half.json", "dsm", "ism",
                                                     factor=0.5), "--json")
    assert status == 1
    assert [report["factor"] for report in json.loads(out)] == ["1 / 2", "1 / 2"]
    assert run("grade", "prompts", "half.json", "--convention", "1 / 2")[0] == 0


def test_all_objectives_and_other_formats_and_sets_are_written(run, folder):
    status, out, _ = run("export", "ism", "all", "--out", "all", "--format", "npz",
                         "--family", "paper")
    assert (status, out.count("\n")) == (0, len(OBJECTIVES))
    status, out, _ = run("export", "all", "--out", "scaled", "--family", "vp")
    assert (status, out.count("\n")) == (0, sum("alpha" in o.given for o in OBJECTIVES.values()))
    run("export", "dsm", "--out", "other", "--family", "paper")
    assert [
        case["id"] for case in json.loads((folder / "other" / "dsm.json").read_text())["cases"]
    ] == ["paper/dsm/0", "paper/dsm/1"]
    run("export", "dsm", "--out", "other")
    assert [case["id"] for case in json.loads((folder / "other" / "dsm.json").read_text())[
        "cases"]] == [case.id for case in cases("dsm", "prime")]
    run("export", "dsm", "--out", "other", "--model", "tanh", "--seed", "4")
    assert json.loads((folder / "other"
                       / "dsm.json").read_text())["cases"][0]["id"] == "prime/dsm/tanh/seed4/c0/t0"
    assert refused(run, "export", "dsm", "--out", "x", "--format",
                   "xml") == "format must be one of json, npz, but it is 'xml'"
    assert refused(run, "export", "gan", "--out", "x").startswith("objective must be one of ")
    (folder / "taken").write_text("")
    assert "taken" in refused(run, "export", "dsm", "--out", "taken")


@pytest.mark.parametrize("statuses, worst", [((0, 0), 0), ((0, 3), 3), ((3, 1), 1), ((1, 2), 2)])
def test_the_worst_report_is_the_exit_status(run, monkeypatch, statuses, worst):
    verdicts = {0: "PASS", 1: "MISMATCH", 2: "BROKEN", 3: "INCONCLUSIVE"}
    reports = [Report(verdicts[status], "dsm", "so it is") for status in statuses]
    monkeypatch.setattr(grading, "grade", lambda *given, **settings: reports)
    status, out, err = run("grade", "prompts", "answers.json")
    assert (status, err) == (worst, "")
    assert out.count("dsm: so it is") == 2
    status, out, _ = run("grade", "prompts", "answers.json", "--json")
    assert status == worst
    assert [report["exit_status"] for report in json.loads(out)] == [*statuses]


def test_files_that_do_not_belong_together_are_one_line(run, folder):
    assert refused(run, "grade", "nowhere",
                   "answers.json") == "nowhere has no prompts; write them with refsm export"
    export("dsm", folder / "prompts")
    assert refused(run, "grade", "prompts", "answers.json") == "there is no file answers.json"
    (folder / "known").mkdir()
    assert "known cannot be read" in refused(run, "grade", "prompts",
                                             answers(folder / "a.json", "dsm"), "--known-failures",
                                             "known")


# -- the others ------------------------------------------------------------------------------------


def test_a_template_is_printed_and_runs(run, folder):
    status, out, _ = run("template", "--lang", "numpy", "--objective", "dsm", "ism")
    assert status == 0
    (folder / "own_template.py").write_text(out)
    assert run("verify", "own_template:dsm")[0] == run("verify", "own_template:ism")[0] == 0
    sys.modules.pop("own_template")
    assert refused(
        run, "template", "--lang", "rust", "--objective",
        "dsm") == "language must be one of numpy, torch, jax, julia, cpp, but it is 'rust'"


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_mistake(folder):
    words = (
        f"{sys.executable} -m refsm template --lang cpp --objective all | true; exit "
        f"${{PIPESTATUS[0]}}")
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": ROOT})
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_case_is_shown(run):
    status, out, _ = run("show", "paper/dsm/1")
    assert status == 0
    assert "Given" in out
    assert "Steps" not in out
    assert "Steps" in run("show", "paper/dsm/1", "--steps")[1]
    assert refused(run, "show", "paper/dsm/9").startswith("there is no case 'paper/dsm/9'")


def test_the_self_test_is_run(run, monkeypatch):
    from refsm.verify.diagnosis import selftest as room

    calls = []

    def selftest(quick, seed):
        calls.append((quick, seed))
        return room.SelfTest({"named": {"right": 3}}, () if seed == 0 else
                             ("ism: taken for another",))

    monkeypatch.setattr(room, "selftest", selftest)
    status, out, _ = run("selftest")
    assert status == 0
    assert out.startswith("self-test of the diagnosis: passed\n")
    assert refused(run, "selftest", "--seed", "-1") == "seed must be an integer >= 0, but it is -1"
    status, out, _ = run("selftest", "--full", "--seed", "3", "--json")
    assert status == 1
    assert json.loads(out) == {
        "passed": False, "counts": {"named": {"right": 3}}, "failures": ["ism: taken for another"]
    }
    assert calls == [(True, 0), (False, 3)]


def test_a_missing_word_is_argparses_sentence(run):
    for words in (["export", "dsm"], ["export", "--out", "x"], ["grade", "prompts"],
                  ["template", "--lang", "numpy"], ["template", "--objective", "dsm"], ["show"],
                  ["verify", "--nonsense"]):
        status, out, err = run(*words)
        assert status == 2
        assert out == ""
        assert err.startswith("usage: refsm ")


def test_each_command_has_help_with_its_exit_statuses(run):
    for name in ("verify", "grade"):
        assert "Exit status: 0 conforms, 1 mismatch, 2" in " ".join(run(name, "--help")[1].split())
    text = " ".join(run("verify", "--help")[1].split())
    assert "seconds per call (default: 60)" in text
    assert "fixed in advance (with --own-noise; default: 200)" in text
    assert "for code that computes sigma from alpha, or has no alpha: vp has alpha^2" in text
    for name in ("export", "template", "show", "selftest"):
        assert run(name, "--help")[0] == 0


# -- progress, and somebody's own pytest -----------------------------------------------------------


class Terminal(io.StringIO):
    """What a terminal shows: a line that does not end only when it is flushed."""

    shown = ""

    def isatty(self):
        return True

    def flush(self):
        self.shown = self.getvalue()

    def write(self, text):
        assert not text or self.shown == self.getvalue()
        return super().write(text)


def test_a_terminal_shows_which_case_is_asked(run, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    status, out, _ = run("verify", "own_adapters:dsm", "--family", "paper")
    assert out.startswith("PASS  dsm")
    first, *shown, last = sys.stderr.shown.split("\r\033[K")
    assert (status, first, last) == (0, "", "")
    assert shown == [c.id for c in cases("dsm", "paper") for _ in range(2)]    # two equal calls


def outside(words, folder, **environment):
    # another shell: nothing of this test run's settings
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True,
                          env={**kept, "PYTHONPATH": ROOT, **environment})


@pytest.mark.slow
def test_progress_is_shown_on_a_terminal_alone(folder):
    words = ["-m", "refsm", "verify",
             "own_adapters:dsm"]    # nothing is shown elsewhere: `run` has no terminal
    ours, theirs = pty.openpty()
    process = subprocess.run([sys.executable, *words], cwd=folder, stdout=subprocess.PIPE,
                             stderr=theirs, text=True, env={**os.environ, "PYTHONPATH": ROOT})
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert process.returncode == 0
    assert process.stdout.startswith("PASS  dsm")
    assert "\r\033[Kprime/dsm/c0/t0" in shown
    assert "prime/dsm/c5/t4" in shown
    assert shown.endswith("\r\033[K")


def pytest_run(folder, implementation=None):
    more = {"REFSM_IMPLEMENTATION": implementation
            } if implementation else {"REFSM_IMPLEMENTATION": ""}
    done = outside(
        ["-m", "pytest", "--pyargs", "refsm.verify", "-q", "-rs", "-p", "no:cacheprovider"], folder,
        **more)
    return done.returncode, done.stdout


@pytest.mark.slow
def test_the_pytest_way_verifies_each_function_of_a_module(folder):
    status, out = pytest_run(folder, "own_adapters")
    assert status == 0
    assert f"1 passed, {len(OBJECTIVES) - 1} skipped" in out
    assert "own_adapters has no function ism" in out


@pytest.mark.slow
def test_the_pytest_way_knows_conventions_gradients_and_known_failures(folder):
    source = textwrap.dedent(ADAPTER) + """
dsm, esm, ism, ssm = twice, first_wrong, wrong_gradient, random
"""
    (folder / "own_wrong.py").write_text(source + 'GRADIENTS = {"ism"}\n')
    status, out = pytest_run(folder, "own_wrong")
    assert status == 1
    assert f"4 failed, {len(OBJECTIVES) - 4} skipped" in out
    assert "Traceback" not in out
    assert "def test_" not in out
    assert 'convention="2"' in out
    assert "gradient" in out
    assert "\nINCONCLUSIVE  ssm: " in out
    assert "two equal calls gave value" in " ".join(out.split())
    declared = ('CONVENTIONS = {"dsm": "2"}\nKNOWN_FAILURES = ["prime/esm/c3/*"]\n'
                'GRADIENTS = {"dsm"}\n')
    doubled = (
        "lambda case: {'value': twice(case), 'gradient': {name: 2 * block for name, block in "
        "gradient(case).items()}}")
    both = f"dsm, esm, ism = ({doubled}), first_wrong, wrong_gradient\n"
    (folder / "own_declared.py").write_text(textwrap.dedent(ADAPTER) + both + declared)
    status, out = pytest_run(folder, "own_declared")
    assert status == 0, out
    assert f"3 passed, {len(OBJECTIVES) - 3} skipped" in out


@pytest.mark.slow
def test_the_pytest_way_says_what_is_missing(folder):
    status, out = pytest_run(folder)
    assert status == 2
    assert "1 error" in out
    assert "skipped" not in out
    unset = "REFSM_IMPLEMENTATION is not set; set it to a module that has functions of a case"
    assert f"{unset} named esm, ism" in out
    status, out = pytest_run(folder, "own_adapters:dsm")
    assert status == 2
    assert "1 error" in out
    assert "REFSM_IMPLEMENTATION must be a module that has functions of a case" in out
    assert "such as own_adapters, but it is own_adapters:dsm" in out
    status, out = pytest_run(folder, "nowhere")
    assert status == 2
    assert out.count("there is no module nowhere") <= 2                # and in the summary
    assert "During handling" not in out
    assert "there is no module nowhere, neither in the folder" in out
    assert "Traceback" not in out
    (folder / "own_empty.py").write_text("x = 3\n")
    status, out = pytest_run(folder, "own_empty")
    assert status == 2
    assert "own_empty has no functions of a case named esm, ism" in out


@pytest.mark.parametrize("words", ["verify a:b", "export dsm --out x", "grade a b", "show x",
                                   "template --lang cpp --objective dsm", "selftest"])
def test_a_command_has_its_options_and_its_function(words):
    from refsm.cli import _parser

    name, *arguments = words.split()
    assert _parser([name]).parse_args([name, *arguments]).func.__name__ == f"_{name}"


def test_every_command_of_the_list_is_one_of_these_or_stands_elsewhere():
    from refsm.cli import COMMANDS

    here = {name for name, (module, _) in COMMANDS.items() if module == command.__name__}
    assert here == set(command.COMMANDS)
