"""Options are tried without a word; what is refused is in the tests of `minimize`."""
import pytest

from refsm.fit.options import checked_options


@pytest.mark.parametrize("method, given", [
    ("trust-constr", {"verbose": 3, "disp": True}), ("BFGS", {"disp": True}),
])
def test_options_are_tried_without_a_word_and_stay_as_they_are(capfd, method, given):
    assert checked_options(method, given, {"maxiter": 7}, False) == {**given, "maxiter": 7}
    assert capfd.readouterr() == ("", "")
