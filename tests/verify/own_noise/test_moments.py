"""The laws of the randomness: variances and fourth cumulants, and which of them replicates are
like."""
import dataclasses

import numpy as np
import pytest
from scipy import special, stats

from refsm.verify.mistakes.level_weights import OWN_WEIGHTS
from refsm.verify.own_noise import hypotheses, moments, replicates, verify_own_noise


def nodes(d):
    """Gauss-Hermite nodes and weights, exact to degree 9."""
    eps, w = np.polynomial.hermite_e.hermegauss(5)
    grid = np.array(np.meshgrid(*[eps] * d)).reshape(d, -1).T
    return grid, np.prod(np.array(np.meshgrid(*[w / w.sum()] * d)).reshape(d, -1), axis=0)


def signs(d):
    return np.array(np.meshgrid(*[[-1.0, 1.0]] * d)).reshape(d, -1).T


def cumulants(q, w):
    """The second and the fourth cumulant of q (n, nodes) with weights."""
    off = q - (q @ w)[:, None]
    return off**2 @ w, off**4 @ w - 3 * (off**2 @ w)**2


def at_levels(case, eps):
    """L times the loss of each point at each level, with the same noise, (L, n, nodes)."""
    L = len(case.sigma)
    return L * np.array([[w * ((case.score(a * x + s * eps, l) + eps / s)**2).sum(axis=1) / 2
                          for x in case.x]
                         for l, (a, s, w) in enumerate(zip(case.alpha, case.sigma,
                                                           case.level_weights))])


def drawn(case, rng, weights, of_batch=False):
    """A loss that draws a level for each point, or one for all."""
    l = rng.integers(len(case.sigma), size=None if of_batch else case.n)
    l, eps = np.broadcast_to(l, case.n), rng.standard_normal(case.x.shape)
    y = case.alpha[l, None] * case.x + case.sigma[l, None] * eps
    psi = np.array([case.score(row[None], k)[0] for row, k in zip(y, l)])
    return (weights[l] * ((psi + eps / case.sigma[l, None])**2).sum(axis=1)).mean() / 2


def test_a_drawn_level_has_the_moments_of_enumeration_and_quadrature():
    case = replicates._cases("multi_level")[0]
    case = dataclasses.replace(case, arrays={**case.arrays, "x": case.x[:2]})
    found = {law.words: law for law in moments.laws(case)}
    eps, w = nodes(case.d)
    q = at_levels(case, eps)                                                   # (L, 2, Q)
    V, k4 = cumulants(q.swapaxes(0, 1).reshape(2, -1), np.tile(w, len(q)) / len(q))
    each = found["levels drawn at every point"]
    assert each.variance == pytest.approx(V.sum() / 2**2, rel=1e-10)
    assert each.fourth == pytest.approx(k4.sum() / 2**4, rel=1e-9)
    pairs, p = q[:, 0, :, None] + q[:, 1, None, :], w[:, None] * w / len(q)
    V, k4 = cumulants(pairs.reshape(1, -1) / 2, np.tile(p.ravel(), len(q)))
    batch = found["levels drawn for the whole batch"]
    assert batch.variance == pytest.approx(V[0], rel=1e-10)
    assert batch.fourth == pytest.approx(k4[0], rel=1e-9)


def test_one_draw_at_levels_that_every_point_draws_has_the_variance_of_enumeration():
    case = replicates._cases("noise_prediction")[0]
    case = dataclasses.replace(case, arrays={name: a[:2] for name, a in case.arrays.items()})
    law = moments.laws(case, "", True)[-1]
    (eps, w), n = nodes(case.d), case.n
    q = np.array([[((of.prediction(a * x + s * eps) - eps)**2).sum(axis=1) for x in case.x]
                  for a, s in zip(case.alpha, case.sigma) for of in [dataclasses.replace(
                      case, arrays={"x": eps, "alpha": np.full(len(eps), a),
                                    "sigma": np.full(len(eps), s)})]])         # (levels, n, Q)
    of_all = np.array([(q[k, 0] + q[l, 1]) / 2 for k in range(n) for l in range(n)])
    V, _ = cumulants(of_all.reshape(1, -1), np.tile(w, n * n) / n**2)
    assert (law.words, law.right) == (moments.ONE_DRAW, False)
    assert law.variance == pytest.approx(V[0], rel=1e-10)
    (V_mean,), (k4,) = cumulants(q.mean(axis=(0, 1))[None], w)
    assert law.fourth == pytest.approx(k4 * (V[0] / V_mean)**2, rel=1e-9)


@pytest.mark.parametrize("words, count, right", [
    ("levels drawn at every point", 3, "the mean of about 3 levels drawn at every point"),
    ("antithetic pairs at every point", 5, "the mean of about 5 antithetic pairs at every point"),
    ("draws at every point with a control variate", 1,
     "the mean of about 1 draw at every point with a control variate"),
    ("levels drawn for the whole batch", 3,
     "the mean of about 3 levels drawn for the whole batch"),
    ("draws at every point", 2, "the mean of about 2 draws at every point"),
    ("directions at every point", 1, "the mean of about 1 direction at every point"),
    ("the same noise at every level", 1, "")])
def test_variances_like_those_of_a_law_are_named(words, count, right):
    asked = replicates._cases("ssm" if words.startswith("directions") else "multi_level")
    laws = [next(law for law in moments.laws(case) if law.words == words) for case in asked]
    V = np.array([law.variance * case.hyper.get("n_directions", 1) / count
                  for law, case in zip(laws, asked)])
    rng, factor = np.random.default_rng(5), np.arange(3.0, 3.0 + len(asked))
    noise = rng.standard_normal((len(asked), 200))
    noise = (noise - noise.mean(axis=1, keepdims=True)) / noise.std(axis=1, ddof=1, keepdims=True)
    like = moments.compared(asked, factor, noise * (factor * np.sqrt(V))[:, None])
    assert like.p < moments.GOOD
    assert like.right == right
    assert like.wrong == (() if right else (words,))


@pytest.mark.parametrize("row", OWN_WEIGHTS, ids=lambda row: row[0])
def test_a_weight_in_place_of_the_levels_own_has_the_expectation_of_the_exchanged_case(row):
    case = replicates._cases("multi_level")[1]
    name, _, w = row
    found = dict(hypotheses.weighted(case))[f"own-weight.{name}"]
    exchanged = dataclasses.replace(case, arrays={
        **case.arrays, "level_weights": w(case.level_weights, case.sigma)})
    assert found == pytest.approx(dict(hypotheses._denoising(exchanged))[""], rel=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("of_batch, R, words", [(False, 200, "at every point"),
                                                (True, 800, "for the whole batch")])
def test_a_loss_that_draws_its_level_is_right(of_batch, R, words):
    report = verify_own_noise(lambda case, rng: len(case.sigma) * drawn(
        case, rng, case.level_weights, of_batch), "multi_level", R)
    assert (report.verdict, report.factor) == ("PASS", "1")
    assert report.notes[-1] == ("the variance is that of the mean of about 1 level drawn "
                                f"{words}")


def test_a_weight_in_place_of_the_levels_own_is_named_and_can_be_declared():
    """Replicates with the mean and the variance of 1 / L times the sum of sigma_l^2 J_l."""
    asked, weight = replicates._cases("multi_level")[::4], "own-weight.variance"
    mean, V = np.array([[dict(hypotheses.weighted(case))[weight] / len(case.sigma),
                         moments.laws(case, weight)[0].variance / len(case.sigma)**2]
                        for case in asked]).T
    values = mean[:, None] + np.sqrt(V * 999 / 1000)[:, None] * np.tile([1.0, -1.0], (3, 500))

    def report(convention):
        meant, own = replicates._meant(convention)
        return replicates._report(asked, values, meant, convention, weight=own)

    found = report(None)
    assert (found.verdict, found.convention) == ("MISMATCH", f"1 / L; {weight}")
    assert found.name == ("its expectation is 1 / L times the canonical loss, each level weighted "
                          "by sigma^2 in place of its own weight")
    declared = report(found.convention)
    assert (declared.verdict, declared.exit_status) == ("CONVENTION", 0)
    other = report("1 / L")
    assert other.verdict == "MISMATCH"
    assert other.name.endswith("not 1 / L times the canonical loss as declared")


@pytest.mark.parametrize("k4, nu", [(0.0, 6.0), (7 / 3, 3.0), (7 / 6, 4.0)])
def test_the_probability_of_a_variance_is_that_of_chi_square_with_its_degrees_of_freedom(k4, nu):
    """Of seven replicates of variance 3: the cube root is normal by hand, and off by 5e-3 at most
    from the law of chi^2_nu."""
    for s2 in (0.5, 1.9):
        p = moments._p(np.array([3 * s2]), [moments.Law("", 3.0, 9 * k4)], 7)
        h = 2 / (9 * nu)
        z = (s2 ** (1 / 3) - 1 + h) / np.sqrt(h)
        assert p == pytest.approx(2 * special.ndtr(-abs(z)), rel=1e-12)
        tail = special.chdtrc(nu, nu * s2) if s2 > 1 else special.chdtr(nu, nu * s2)
        assert p / 2 == pytest.approx(tail, abs=5e-3)


def test_the_ratio_is_that_of_the_variances():
    asked = replicates._cases("dsm")
    V = np.array([moments.laws(case)[0].variance for case in asked])
    values = np.tile([1.0, -1.0], (12, 15)) * np.sqrt(29 / 30 * 4 * V)[:, None]
    for factor, ratio in ((1.0, 4.0), (2.0, 1.0)):
        found = moments.compared(asked, np.full(12, factor), values)
        assert found.ratio == pytest.approx(ratio, rel=1e-12)


def test_the_resolution_moves_the_root_of_the_sum_of_squares_to_four_beyond_its_bound():
    size = np.arange(3.0, 15.0)
    z = size * moments.resolution(size)                  # a change of this part of all 12 numbers
    assert np.sqrt((z * z).sum()) - 4 == pytest.approx(np.sqrt(stats.chi2.isf(1e-9, 12)), rel=1e-9)


def test_the_variances_by_quadrature():
    case = replicates._cases("dsm")[0]                                  # d = 3
    eps, w = nodes(3)

    def losses(eps):
        return np.stack([((case.score(x + case.sigma * eps) + eps / case.sigma)**2).sum(axis=1) / 2
                         for x in case.x])                              # (n, nodes)

    normal, pairs, shared_, variate = moments.laws(case)
    V, k4 = cumulants(losses(eps), w)
    assert normal.variance == pytest.approx(V.sum() / case.n**2, rel=1e-10)
    assert normal.fourth == pytest.approx(k4.sum() / case.n**4, rel=1e-9)
    with_variate = (losses(eps) - case.score(case.x) @ eps.T / case.sigma
                    - (eps**2).sum(axis=1) / (2 * case.sigma**2))
    V, k4 = cumulants(with_variate, w)
    assert variate.variance == pytest.approx(V.sum() / case.n**2, rel=1e-10)
    assert variate.fourth == pytest.approx(k4.sum() / case.n**4, rel=1e-9)
    V, k4 = cumulants((losses(eps) + losses(-eps)) / 2, w)
    assert pairs.variance == pytest.approx(V.sum() / case.n**2, rel=1e-10)
    assert pairs.fourth == pytest.approx(k4.sum() / case.n**4, rel=1e-9)
    V, k4 = cumulants(losses(eps).mean(axis=0, keepdims=True), w)
    assert shared_.variance == pytest.approx(V[0], rel=1e-10)
    assert shared_.fourth == pytest.approx(k4[0], rel=1e-9)


@pytest.mark.parametrize("objective", ["ssm", "ssm_vr"])
def test_the_variances_of_directions_by_quadrature_and_enumeration(objective):
    case = replicates._cases(objective)[0]
    J, psi, M = case.score_jacobian(case.x), case.score(case.x), int(case.n_directions)
    eps, w = nodes(3)

    def q(v):
        norm = np.einsum("qi,ni->nq", v, psi)**2 / 2 if objective == "ssm" else 0
        return np.einsum("qi,nik,qk->nq", v, J, v) + norm

    normal, by_signs, sphere, alone, *_ = moments.laws(case)
    V, k4 = cumulants(q(eps), w)
    assert normal.variance == pytest.approx(V.sum() / (case.n**2 * M), rel=1e-10)
    assert normal.fourth == pytest.approx(k4.sum() / (case.n**4 * M**3), rel=1e-9)
    V, k4 = cumulants(q(eps).mean(axis=0, keepdims=True), w)
    assert alone.variance == pytest.approx(V[0] / M, rel=1e-10)
    assert alone.fourth == pytest.approx(k4[0] / M**3, rel=1e-9)
    V, _ = cumulants(q(signs(3)), np.full(8, 1 / 8))
    assert by_signs.variance == pytest.approx(V.sum() / (case.n**2 * M), rel=1e-10)
    # |v|^4 has the mean d (d + 2), and v / |v| is independent of |v|: E over the sphere from nodes
    second, mean = (q(eps)**2 @ w) * 3 / 5, q(eps) @ w
    assert sphere.variance == pytest.approx((second - mean**2).sum() / (case.n**2 * M))
