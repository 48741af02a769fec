"""The local quantities of a case, against direct formulas."""
import numpy as np
import pytest

from refsm.verify import cases
from refsm.verify.cases.quantities import POINTS, Quantities, Unavailable


def test_the_objectives_own_point_is_the_noisy_one_where_there_is_noise():
    case = cases("dsm", "prime")[3]
    q = Quantities(case)
    assert np.array_equal(q.psi(), case.score(case.x_noisy))
    assert np.array_equal(q.psi("x"), case.score(case.x))
    assert q.at == "x_noisy"
    assert np.array_equal(q.J(), case.score_jacobian(case.x_noisy))
    assert np.array_equal(q.energy(), case.energy(case.x_noisy))
    assert np.array_equal(
        Quantities(cases("ism", "prime")[3]).psi(),
        cases("ism", "prime")[3].score(cases("ism", "prime")[3].x))


@pytest.mark.parametrize("name, k", [("x + sigma^2 noise", 0.37**2), ("x + noise", 1),
                                     ("x - sigma noise", -0.37),
                                     ("x + sqrt(sigma) noise", 0.37**0.5),
                                     ("x + 2 sigma noise", 0.74), ("x + sigma noise / 2", 0.185),
                                     ("x + noise / sigma", 1 / 0.37), ("x", 0), ("x_noisy", 0.37)])
def test_points_are_what_their_names_say(name, k):
    case = cases("dsm", "prime")[0]
    assert np.allclose(POINTS[name](case), case.x + k * case.noise)
    assert np.allclose(POINTS["noise"](case), case.noise)
    assert len(POINTS) == 10


def test_the_parzen_score_is_the_gradient_of_the_log_of_a_mean():
    case = cases("parzen_esm", "prime")[0]
    q = Quantities(case)

    def log_density(y, s):
        return np.log(np.exp(-((y[:, None, :] - case.x)**2).sum(axis=2) / (2 * s * s)).mean(axis=1))

    for s in (case.sigma, 0.9):
        h = 1e-6
        slopes = [(log_density(case.x_noisy + h * e, s) - log_density(case.x_noisy - h * e, s)) /
                  (2 * h) for e in np.eye(case.d)]
        assert np.allclose(q.parzen(bandwidth=s),
                           np.array(slopes).T, atol=1e-6 * np.abs(slopes).max())


def test_parzen_scores_with_other_shares():
    case = cases("parzen_esm", "prime")[0]
    q = Quantities(case)
    apart = case.x[None] - case.x_noisy[:, None]
    weights = np.exp(-(apart**2).sum(axis=2) / (2 * case.sigma**2))
    assert np.allclose(q.parzen(shares="equal"),
                       (case.x.mean(axis=0) - case.x_noisy) / case.sigma**2)
    assert np.allclose(q.parzen(shares="nearest"),
                       apart[np.arange(7), weights.argmax(axis=1)] / case.sigma**2)
    over = weights / weights.sum(axis=0)
    assert np.allclose(q.parzen(shares="over the noisy points"),
                       np.einsum("nk,nki->ni", over, apart) / case.sigma**2)
    own = weights * (1 - np.eye(7))
    assert np.allclose(
        q.parzen(without_own=True),
        np.einsum("nk,nki->ni", own / own.sum(axis=1, keepdims=True), apart) / case.sigma**2)


def test_directions_are_what_their_names_say():
    case = cases("ssm", "prime")[0]
    q, v = Quantities(case), case.directions
    assert np.allclose((q.v("unit")**2).sum(axis=2), 1)
    assert np.allclose((q.v("sphere")**2).sum(axis=2), 3)
    assert np.allclose(q.v("sphere") * (v**2).sum() > 0, v > 0)
    assert np.array_equal(q.v("first point's")[4], v[0])
    assert np.array_equal(q.v("first"), v[:, [0]])
    assert np.array_equal(q.v("last"), v[:, [10]])
    assert np.array_equal(q.v("sign"), np.sign(v))
    assert np.array_equal(q.v("next point's")[0], v[1])
    assert np.array_equal(q.v("one")[5, 9], v[0, 0])
    assert q.v() is v


def test_an_array_case_has_its_own_point_only():
    q = Quantities(cases("dsm", "array")[0])
    assert q.psi() is q.case.score
    assert q.psi("x_noisy") is q.case.score
    for ask in (lambda: q.psi("x"), q.J, q.energy, q.reconstruction, lambda: q.without("b")):
        with pytest.raises(Unavailable):
            ask()


def test_a_parameter_can_be_left_out():
    case = cases("ism", "prime")[2]
    assert np.allclose(
        Quantities(case).without("c").psi(),
        case.score(case.x) - case.params["c"] / case.sigma**2)
    binary = cases("ratio", "prime")[2]
    assert np.allclose(
        Quantities(binary).without("W").gap(), (2 * binary.x - 1) * binary.params["b"])


@pytest.mark.parametrize("model", ["gaussian", "mixture"])
def test_the_density_before_the_noise_has_nothing_to_say_at_several_levels(model):
    q = Quantities(cases("multi_level", "prime", model=model)[0])
    for ask in (q.energy, q.J, q.diagonal):
        with pytest.raises(Unavailable):
            ask()


def test_the_tanh_model_has_no_energy_to_give():
    with pytest.raises(Unavailable):
        Quantities(cases("ism", "prime", model="tanh")[0]).energy()
