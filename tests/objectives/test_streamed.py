"""Blocks that come one after the other add up to the whole."""
import numpy as np
import pytest

import refsm

N, D, M = 23, 3, 5


def problem():
    rng = np.random.default_rng(0)
    model = refsm.AutoencoderEnergy(rng.standard_normal((M, D)), rng.standard_normal(M), rng.standard_normal(D), sigma=0.61)
    x = rng.standard_normal((N, D))
    parts = [x[:7], x[7:8], x[8:20], x[20:]]
    return model, x, lambda: (refsm.ImplicitScoreMatching(part, weights=np.full(len(part), 1 / N)) for part in parts)


def test_value_terms_and_gradient_are_those_of_the_whole():
    model, x, blocks = problem()
    whole = refsm.ImplicitScoreMatching(x)
    for J in (refsm.StreamedObjective(blocks), refsm.StreamedObjective(list(blocks())), refsm.StreamedObjective([refsm.StreamedObjective(blocks)])):
        for _ in range(2):
            value, gradient = J.value_and_gradient(model)
            assert value == pytest.approx(whole.value(model), rel=1e-14) == J.value(model)
            assert isinstance(gradient, type(model.theta))
            for left, mid, right in zip(gradient, J.gradient(model), whole.gradient(model)):
                np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-14)
                np.testing.assert_array_equal(left, mid)
            np.testing.assert_allclose(J.per_sample(model), whole.per_sample(model), rtol=1e-14)


def test_a_descent_over_row_blocks_is_the_descent_over_all():
    model, x, blocks = problem()
    left = refsm.gradient_descent(refsm.StreamedObjective(blocks), model, steps=5, rate=0.01).model
    right = refsm.gradient_descent(refsm.ImplicitScoreMatching(x), model, steps=5, rate=0.01).model
    np.testing.assert_allclose(left.ravel(), right.ravel(), rtol=1e-12)


@pytest.mark.parametrize(("blocks", "error", "sentence"), [
    (iter([]), TypeError, "blocks must be a list of objectives or a function"), (3, TypeError, "but it is a int"),
    ([], ValueError, "blocks must contain at least one objective, but there is none"), (lambda: iter([]), ValueError, "there is none"),
    ([np.ones(3)], TypeError, "blocks must contain objectives, but one is a ndarray")])
def test_what_is_no_stream_is_refused(blocks, error, sentence):
    with pytest.raises(error, match=sentence):
        refsm.StreamedObjective(blocks).value(problem()[0])
