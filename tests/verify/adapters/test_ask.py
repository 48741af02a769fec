"""One line for each answer that cannot be used; the numbers of any framework for the others."""
import decimal
import fractions
import sys
import threading
import time
import types

import numpy as np
import pytest

from refsm.verify.adapters.ask import AdapterError, ask, load, module, plain
from refsm.verify.cases import Answer, cases

CASE = cases("dsm", "prime")[0]          # 7 points, parameters W (6, 3), b (6,), c (3,)
FORMS = (
    "it must return a number, an array of one number per point, or a dict with value, per_sample "
    "and gradient")


def broken(implementation, time_limit=20.0):
    """The one line about an implementation, and its status."""
    with pytest.raises(AdapterError) as raised:
        ask(implementation, CASE, time_limit)
    assert "\n" not in str(raised.value)
    return str(raised.value), raised.value.status


def refused(returned):
    return broken(lambda case: returned)


@pytest.mark.parametrize("returned", [
    2.5,
    np.float64(2.5),
    np.array(2.5),
    fractions.Fraction(5, 2),
    decimal.Decimal("2.5"),
    np.longdouble(2.5), {"value": 2.5},
    Answer(2.5)
], ids=lambda returned: type(returned).__name__)
def test_a_number_in_any_form_is_the_value(returned):
    answer = ask(lambda case: returned, CASE)
    assert (answer.value, answer.per_sample, answer.gradient, answer.dtype,
            answer.notes) == (2.5, None, None, "float64", ())
    assert type(answer.value) is float


@pytest.mark.parametrize("returned",
                         [[1, 2, 3, 4, 5, 6, 0],
                          np.array([1, 2, 3, 4, 5, 6, 0]), {"per_sample": (1, 2, 3, 4, 5, 6, 0)},
                          [fractions.Fraction(k) for k in (1, 2, 3, 4, 5, 6, 0)]],
                         ids=["list", "array", "dict", "fractions"])
def test_one_number_a_point_has_their_mean_as_value(returned):
    answer = ask(lambda case: returned, CASE)
    assert answer.value == 3.0
    assert answer.per_sample.tolist() == [1, 2, 3, 4, 5, 6, 0]
    assert answer.per_sample.dtype == np.float64


def test_a_value_stands_beside_the_terms_as_it_was_given():
    answer = plain({"value": 21, "per_sample": np.arange(7)}, CASE)
    assert answer.value == 21.0
    assert answer.per_sample.sum() == 21
    assert answer.repeat_gap == 0.0                                     # of one call


def test_a_gradient_may_be_a_named_tuple_and_may_leave_out_blocks():
    gradient = types.SimpleNamespace(_asdict=lambda: {"c": np.ones(3)})
    answer = plain({"value": 1, "gradient": gradient}, CASE)
    assert list(answer.gradient) == ["c"]
    assert answer.gradient["c"].tolist() == [1, 1, 1]


def test_a_block_that_is_none_is_zero_and_is_noted():
    answer = plain({"value": 1.0, "gradient": {"W": None, "b": np.ones(6)}}, CASE)
    assert answer.gradient["W"].shape == (6, 3)
    assert not answer.gradient["W"].any()
    assert answer.gradient["b"].all()
    assert answer.notes == ("gradient['W'] is None, taken as zero",)


def test_the_narrowest_type_is_reported():
    assert plain(np.float32(1), CASE).dtype == "float32"
    assert plain({"value": 1.0, "per_sample": np.ones(7, np.float16)}, CASE).dtype == "float16"
    assert plain({"value": np.float32(1), "gradient": {"c": np.ones(3, np.float16)}},
                 CASE).dtype == "float16"
    assert plain({"value": np.float32(1), "gradient": {"c": np.ones(3)}}, CASE).dtype == "float32"
    assert plain(np.int32(3), CASE).dtype == "float64"
    assert plain(np.array(1.0, ">f4"), CASE).dtype == "float32"


class Tensor:
    """What torch's tensors do, as far as it is asked for."""

    def __init__(self, numbers, dtype, on="device", attached=True):
        self.numbers, self.dtype, self.on, self.attached = numbers, dtype, on, attached

    def detach(self):
        return Tensor(self.numbers, self.dtype, self.on, False)

    def cpu(self):
        return Tensor(self.numbers, self.dtype, "cpu", self.attached)

    def float(self):
        return Tensor(self.numbers, "torch.float32", self.on, self.attached)

    def numpy(self):
        if self.attached or self.on != "cpu" or self.dtype == "torch.bfloat16":
            raise TypeError("detach, cpu and float first")
        return np.array(self.numbers, dtype=self.dtype.rpartition(".")[2])


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float32", "float64"])
def test_a_tensor_is_detached_brought_to_the_cpu_and_widened(name):
    answer = ask(lambda case: Tensor(np.arange(7.0), f"torch.{name}"), CASE)
    assert answer.value == 3.0
    assert answer.dtype == name


@pytest.mark.parametrize("returned, what", [(None, "None"), ("2.5", "a string"),
                                            (b"2.5", "an object of type bytes"),
                                            (True, "the bool True")])
def test_what_is_no_number_is_said(returned, what):
    assert refused(returned) == (f"the implementation returned {what}; {FORMS}", 2)


@pytest.mark.parametrize("returned, kind", [(object(), "object"), ({1, 2}, "set"),
                                            (len, "builtin_function_or_method"),
                                            ([[1], [1, 2]], "list")])
def test_what_cannot_become_an_array_is_said(returned, kind):
    reason, status = refused(returned)
    assert reason.startswith(
        f"the implementation returned an object of type {kind} that is no array of numbers (")
    assert reason.endswith(FORMS)
    assert status == 2


@pytest.mark.parametrize(
    "returned", [np.array([True] * 7),
                 np.array(["a"] * 7),
                 np.zeros(7, "M8[s]"),
                 np.bool_(True)])
def test_an_array_of_something_else_is_said_with_its_dtype(returned):
    reason, status = refused(returned)
    assert f"of dtype {returned.dtype}; {FORMS}" in reason
    assert status == 2


@pytest.mark.parametrize("shape", [(1,), (3,), (0,), (7, 1), (1, 7), (7, 7)])
def test_a_wrong_shape_is_said(shape):
    assert refused(np.ones(shape)) == (
        f"the implementation returned an array of shape {shape}; {FORMS} (here n = 7)",
        2)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_said(number):
    assert refused(number) == (f"value must be finite, but it is {number}", 2)


def test_the_first_term_that_is_not_finite_is_said():
    terms = np.ones(7)
    terms[[3, 5]] = np.nan, np.inf
    assert refused(terms) == ("per_sample must be finite, but it has nan at (3,)", 2)
    W = np.ones((6, 3))
    W[4, 1] = np.inf
    assert refused({"value": 1.0, "gradient": {"W": W}
                    }) == ("gradient['W'] must be finite, but it has inf at (4, 1)", 2)


def test_a_complex_answer_is_said():
    assert refused(1 + 0j) == ("value must be real, but it is complex (complex128)", 2)
    assert refused(np.ones(
        7, np.complex64)) == ("per_sample must be real, but it is complex (complex64)", 2)


@pytest.mark.parametrize("returned, reason", [
    ({"loss": 1.0},
     "the implementation returned a dict with 'loss'; its keys must be value, per_sample, gradient"
     ),
    ({},
     "the implementation returned a dict without value and without per_sample; it must have one "
     "of them"
     ),
    ({"gradient": {}},
     "the implementation returned a dict without value and without per_sample; it must have one "
     "of them"
     ), ({"value": [1.0]}, "value must have shape (), but its shape is (1,)"),
    ({"value": "1"}, "value is a string; it must be a number"),
    ({"value": {}}, "value is an object of type dict; it must be a number"),
    ({"value": 1.0, "per_sample": np.ones(6)
      }, "per_sample must have shape (7,), but its shape is (6,)"),
    ({"value": 1.0, "per_sample": "x"
      }, "per_sample is a string; it must be an array of shape (7,)"),
    ({"value": 1.0, "gradient": [1]
      }, "gradient must be a dict of arrays by block, but it is an object of type list"),
    ({"value": 1.0, "gradient": 3
      }, "gradient must be a dict of arrays by block, but it is the int 3"),
    ({"value": 1.0, "gradient": {"V": 1}
      }, "gradient has a block 'V'; the parameters of this case are W, b, c"),
    ({"value": 1.0, "gradient": {"W": np.ones(
        (3, 6))}}, "gradient['W'] must have shape (6, 3), but its shape is (3, 6)")
])
def test_a_dict_of_another_form_is_said(returned, reason):
    assert refused(returned) == (reason, 2)


def test_a_case_without_parameters_has_no_blocks():
    with pytest.raises(AdapterError,
                       match=r"gradient has a block 'W'; the parameters of this case are none"):
        plain({"value": 1.0, "gradient": {"W": 1}}, cases("dsm", "array")[0])


def test_leaving_the_program_is_an_exception_as_any_other():
    assert broken(lambda case: sys.exit(3))[0].startswith(
        "the implementation raised SystemExit: 3, at test_ask.py")


def test_a_masked_number_is_none():
    assert refused(np.ma.masked) == (
        f"the implementation returned masked: a masked entry is no number; {FORMS}", 2)
    half = np.ma.array(np.ones(7), mask=np.arange(7) == 3)
    assert refused({
        "per_sample": half
    })[0] == "per_sample is masked: a masked entry is no number; it must be an array of shape (7,)"
    assert ask(lambda case: np.ma.array(np.ones(7)), CASE).value == 1.0


def test_what_an_implementation_says_about_itself_is_passed_on():
    def implementation(case):
        raise AdapterError("it has no such thing", 3)

    assert broken(implementation) == ("it has no such thing", 3)


def test_inputs_may_be_written_to_but_not_modified():
    def scratch(case):
        case.x[0] += 1.0
        case.x[0] -= 1.0
        return float(case.x.flags.writeable and case.params["W"].flags.writeable)

    def noisy(case):
        case.noise[2, 1] = 0.25
        return 1.0

    def trained(case):
        case.params["b"][:] -= 0.5
        return 1.0

    def set_(case):
        case.hyper["sigma"] = 0.5
        return 1.0

    before = {name: a.copy() for name, a in {**CASE.theta, **CASE.arrays}.items()}
    assert ask(scratch, CASE).value == 1.0
    assert broken(noisy) == ("the implementation modified its input noise", 2)
    assert broken(trained) == ("the implementation modified its input b", 2)
    assert broken(set_) == ("the implementation modified its input sigma", 2)
    assert all(np.array_equal(a, before[name]) for name, a in {**CASE.theta, **CASE.arrays}.items())


def test_two_equal_calls_must_agree():
    rng = np.random.default_rng(0)
    reason, status = broken(lambda case: rng.standard_normal())
    assert reason.startswith(
        "two equal calls gave value 0.12573 and -0.132105: does it draw its own noise? Use the "
        "noise in the case")
    assert status == 3
    terms = iter([np.arange(7.0), np.arange(7.0)[::-1]])
    reason, status = broken(lambda case: next(terms))
    assert reason.startswith("two equal calls gave per_sample 0 and 6: does it draw")
    assert status == 3


def test_two_equal_calls_may_differ_by_the_rounding_of_parallel_sums():
    answers = iter([1000.0, 1000.09, -1000.0, -1000.11, 0.0, 0.0])
    first = ask(lambda case: next(answers), CASE)
    assert (first.value, round(first.repeat_gap, 9)) == (1000.0, 0.09)
    assert broken(lambda case: next(answers))[1] == 3
    assert ask(lambda case: next(answers), CASE).value == 0.0


def test_an_implementation_is_asked_twice_or_once():
    calls = []
    assert ask(lambda case: calls.append(case) or float(len(calls)), CASE,
               repeats=False).value == 1.0
    assert len(calls) == 1
    ask(lambda case: calls.append(case) or 0.0, CASE)
    assert len(calls) == 3


def test_a_call_that_hangs_is_stopped(monkeypatch):
    alive, running, join = [], threading.Event(), threading.Thread.join

    def hanging(case):
        alive.append(threading.current_thread())
        running.set()
        while True:
            time.sleep(0.001)

    def joined(thread, timeout=None):
        running.wait(60)
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", joined)
    assert broken(hanging, time_limit=0.2) == ("the implementation did not return within 0.2 s", 2)
    join(alive[0], 60)
    assert not alive[0].is_alive()    # and it burns no core while the rest goes on
    assert alive[0].daemon    # one that could not be stopped would not keep the process alive


def test_the_interrupt_of_the_keyboard_passes(monkeypatch):
    def interrupted(thread, timeout=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask(lambda case: 1.0, CASE)


# -- names -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with modules of its own that are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def load_error(name):
    with pytest.raises(AdapterError) as raised:
        load(name)
    assert raised.value.status == 2
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_function_of_a_module_in_the_current_folder_is_found(folder):
    (folder / "adapters_here.py").write_text(
        "class Losses:\n    def dsm(case):\n        return 3.0\n\ndef ism(case):\n    return 4.0\n")
    assert load("adapters_here:ism")(CASE) == 4.0
    assert load("adapters_here:Losses.dsm")(CASE) == 3.0
    assert sys.path.count(str(folder)) == 1
    assert sys.path[0] == str(folder)
    assert load_error("adapters_here:ssm") == "adapters_here has no ssm; it defines Losses, ism"
    assert load_error("adapters_here:Losses.ssm") == "adapters_here has no ssm; it defines dsm"


@pytest.mark.parametrize("name", ["adapters", "adapters:", ":dsm", "", "./adapters.py:dsm"])
def test_a_name_of_another_form_is_refused(name):
    assert load_error(
        name) == f"the implementation must be given as package.module:function, but it is {name!r}"


def test_a_module_that_does_not_exist_is_told_apart_from_one_that_it_imports(folder):
    (folder / "needs_more.py").write_text("import surely_not_installed\n")
    assert load_error(
        "nowhere:dsm"
    ) == f"there is no module nowhere, neither in the folder {folder} nor where Python looks"
    assert load_error("needs_more.sub:dsm").startswith(
        "importing needs_more.sub raised ModuleNotFoundError: No module named "
        "'surely_not_installed'"
    )
    (folder / "surely_not_installed_either.py").write_text("import surely_not_installed\n")
    assert load_error("surely_not_installed_either:dsm").startswith(
        "importing surely_not_installed_either raised ModuleNotFoundError")
    assert load_error("refsm.nowhere:dsm").startswith("there is no module refsm.nowhere,")


def test_an_import_that_fails_is_reported_with_its_line(folder):
    (folder / "fails.py").write_text("import math\n\nhalf = 1 / 0\n")
    (folder / "wrong.py").write_text("def dsm(case:\n")
    (folder / "leaves.py").write_text("raise SystemExit('no GPU')\n")
    assert load_error(
        "fails:dsm"
    ) == "importing fails raised ZeroDivisionError: division by zero, at fails.py:3: half = 1 / 0"
    assert load_error("wrong:dsm").startswith("importing wrong raised SyntaxError: ")
    assert load_error("leaves:dsm").startswith("importing leaves raised SystemExit: no GPU")


def test_an_import_is_interrupted_by_the_keyboard(folder):
    (folder / "slow_import.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        module("slow_import")


def test_what_is_named_must_be_a_function(folder):
    (folder / "numbers_only.py").write_text("dsm = 3\n")
    assert load_error(
        "numbers_only:dsm") == "numbers_only:dsm must be a function of a case, but it is the int 3"
    assert load_error("numbers_only:ism") == "numbers_only has no ism; it defines no functions"


# -- the frameworks themselves ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float32", "float64"])
def test_torch_tensors_are_taken_as_they_come(name):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    terms = torch.arange(7.0, dtype=getattr(torch, name), requires_grad=True)
    answer = ask(
        lambda case:
        {"value": terms.sum() / 7, "per_sample": terms, "gradient": {"c": terms[:3], "b": None}},
        CASE)
    assert (answer.value, answer.dtype) == (3.0, name)
    assert answer.per_sample.tolist() == list(range(7))
    assert answer.gradient["c"].tolist() == [0, 1, 2]
    assert refused(torch.ones(
        7, dtype=torch.complex64)) == ("per_sample must be real, but it is complex (complex64)", 2)


def test_torch_reads_the_arrays_of_a_case_without_a_warning():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert ask(lambda case: torch.from_numpy(case.x).sum(),
               CASE).value == pytest.approx(CASE.x.sum(), rel=1e-12)


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float32"])
def test_jax_arrays_are_taken_as_they_come(name):
    numpy = pytest.importorskip("jax.numpy", reason="JAX is not installed")
    answer = ask(lambda case: numpy.arange(7, dtype=name), CASE)
    assert (answer.value, answer.dtype) == (3.0, name)


def test_a_tracer_of_jax_is_no_number():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    leaked = []
    jax.jit(lambda x: leaked.append(x) or x)(1.0)
    assert "that is no array of numbers (" in refused(leaked[0])[0]
