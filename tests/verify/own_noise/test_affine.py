"""The expectations of losses over their noise or directions, against quadrature over these."""
import dataclasses

import numpy as np
import pytest

from refsm.verify.objectives import OBJECTIVES
from refsm.verify.own_noise import DRAWING, hypotheses, moments, replicates, verify_own_noise
from refsm.verify.own_noise.affine import Affine

DENOISERS = [name for name, about in OBJECTIVES.items()
             if about.random == "noise" and name in DRAWING and about.constant
             and name != "dae"]
SCORES = [name for name in DENOISERS if not OBJECTIVES[name].predicts]


def levels(case):
    """alpha and sigma in shapes that multiply the noisy points."""
    arrays = [np.asarray(case.arrays.get(name, case.hyper.get(name, 1.0)))
              for name in ("alpha", "sigma")]
    after = 2 if OBJECTIVES[case.objective].levels == "several" else 1
    return [a.reshape(a.shape + (1,) * after) if a.ndim else a for a in arrays]


def noisy(case, eps):
    alpha, sigma = levels(case)
    return alpha * case.x + sigma * eps


def target(case, kind, eps):
    """What an output of some kind is compared with."""
    alpha, sigma = levels(case)
    if kind == "edm":
        variance = sigma**2 + case.data_sd**2
        c_out = sigma * case.data_sd / np.sqrt(variance)
        return (case.x - case.data_sd**2 / variance * noisy(case, eps)) / c_out
    return {"": -eps / sigma, "score": -eps / sigma, "noise": eps, "clean": case.x + 0 * eps,
            "velocity": alpha * eps - sigma * case.x, "flow": eps - case.x}[kind]


def total(case, residual):
    """The loss of each point (n,) with these residuals (n, d), or (L, n, d) for several levels."""
    about, each = OBJECTIVES[case.objective], (residual * residual).sum(axis=-1)
    if about.levels == "several":
        each = case.level_weights @ each
    return each * (1.0 if about.predicts else 0.5)


def output(case, y):
    about = OBJECTIVES[case.objective]
    if about.levels == "several":
        return np.array([case.score(y_l, l) for l, y_l in enumerate(y)])
    return case.prediction(y) if about.predicts else case.score(y)


def squares(case, eps, sign=1.0):
    """The loss of each point with noise (n, d), or (L, n, d) for several levels, (n,)."""
    kind = OBJECTIVES[case.objective].predicts
    return total(case, output(case, noisy(case, eps)) - sign * target(case, kind, eps))


def noise_shape(case):
    several = OBJECTIVES[case.objective].levels == "several"
    return (len(case.sigma), *case.x.shape) if several else case.x.shape


def draw(case, rng):
    return rng.standard_normal(noise_shape(case))


def loss(case, rng, noise=draw, sign=1.0):
    return squares(case, noise(case, rng), sign).mean()


def nodes(d, count=3):
    """Gauss-Hermite nodes and weights, exact to degree 5 for three of them."""
    eps, w = np.polynomial.hermite_e.hermegauss(count)
    grid = np.array(np.meshgrid(*[eps] * d)).reshape(d, -1).T
    weights = np.prod(np.array(np.meshgrid(*[w / w.sum()] * d)).reshape(d, -1), axis=0)
    return grid, weights


def expected(case, of):
    """The expectation of a quadratic function of the noise, from 2 d nodes with the mean 0 and the
    covariance I: the noise enters each level and each point on its own."""
    axes = np.sqrt(case.d) * np.eye(case.d)
    nodes = [np.broadcast_to(e, noise_shape(case)) for e in (*axes, *-axes)]
    return np.mean([of(case, eps).mean() for eps in nodes])


@pytest.mark.parametrize("objective", DENOISERS)
def test_every_expectation_is_that_of_the_loss_in_its_words(objective):
    case = replicates._cases(objective)[1]
    kind, x, (alpha, sigma) = OBJECTIVES[objective].predicts, case.x, levels(case)
    reads, zero = "output" if kind else "score", np.zeros(noise_shape(case))

    def right(eps):
        return noisy(case, eps)

    def own(eps):
        return target(case, kind, eps)

    def mean(point=right, against=own):
        return expected(case, lambda c, eps: total(c, output(c, point(eps)) - against(eps)))

    middle, slope = own(zero), own(zero + 1) - own(zero)              # the target is affine in eps
    of_middle, of_slope = total(case, middle).mean(), total(case, slope).mean()
    rows = {"": mean(), "the target has the opposite sign": mean(against=lambda e: -own(e)),
            f"the {reads} is read at the clean point": mean(lambda e: alpha * x + 0 * e),
            "the constant is left out": mean() - of_middle - of_slope}
    if "alpha" in OBJECTIVES[objective].given:
        for words, a, s in (
                ("sqrt(1 - alpha^2) for sigma: --family vp is for that", case.alpha,
                 (1 - case.alpha**2)**0.5),
                ("1 - sigma for alpha: --family flow is for that", 1 - case.sigma, case.sigma)):
            held = "hyper" if "alpha" in case.hyper else "arrays"
            other = dataclasses.replace(case, **{held: {**getattr(case, held), "alpha": a,
                                                        "sigma": s}})
            rows[words] = mean(lambda e, c=other: noisy(c, e),
                               lambda e, c=other: target(c, kind, e))
    offset, perturbation = hypotheses.SLIGHT
    rows[offset] = expected(case, lambda c, e: (squares(c, e + 0.1) + squares(c, e - 0.1)) / 2)
    axes = np.sqrt(case.d) * np.eye(case.d)
    rows[perturbation] = np.mean([mean(lambda e, other=other: noisy(case, e + 0.1 * other))
                                  for other in (*axes, *-axes)])
    if slope.any():
        rows["the target has noise of its own, drawn a second time"] = of_slope + mean(
            against=lambda e: middle)
    for words, low in (("[0, 1]", 0), ("[-1, 1]", -1)):       # mean (low + 1) / 2, sd by its length
        rows[f"the noise is uniform in {words} in place of normal"] = expected(
            case, lambda c, e, low=low: squares(c, (low + 1) / 2 + e * (1 - low) / np.sqrt(12)))
    noise = "the noise has standard deviation"
    for words, s in (("sigma^2 in place of sigma", sigma**2), ("1 in place of sigma", 1.0),
                     ("sqrt(sigma), the variance for sigma", np.sqrt(sigma))):
        rows[f"{noise} {words}"] = mean(lambda e, s=s: alpha * x + s * e,
                                        own if kind else lambda e, s=s: -s * e / sigma**2)
    if (alpha != 1).any():
        rows["alpha is left out of the noisy point: where it is 1, --family ve is for that"] = (
            mean(lambda e: x + sigma * e))
        if kind:
            rows["the noisy point has alpha^2 in place of alpha"] = mean(
                lambda e: alpha**2 * x + sigma * e)
            rows["the noisy point has alpha^2 and sigma^2 in place of alpha and sigma"] = mean(
                lambda e: alpha**2 * x + sigma**2 * e)
        rows["alpha and sigma are exchanged in the noisy point"] = mean(
            lambda e: sigma * x + alpha * e)
    if kind in ("velocity", "flow", "edm"):
        rows["the clean point has the opposite sign in the target"] = mean(
            against=lambda e: own(e) - 2 * middle)
    if kind:
        for other in {"score", "noise", "clean", "velocity", "flow"} - {kind}:
            words = f"the target of a predicted {'clean point' if other == 'clean' else other}"
            for sign, minus in ((1, ""), (-1, "minus ")):
                rows[f"compared with {minus}{words}"] = mean(
                    against=lambda e, other=other, sign=sign: sign * target(case, other, e))
    else:
        for words, s in (("sigma^2", sigma**2), ("1", 1.0)):
            rows[f"{noise} {words}, the target is noise / sigma"] = mean(
                lambda e, s=s: alpha * x + s * e)
        for words, wrong in {"divided by sigma in place of sigma^2": lambda e: -e,
                             "the noise itself, with its sign": lambda e: e,
                             "not divided by sigma^2": lambda e: -sigma * e,
                             "left out": lambda e: 0 * e}.items():
            rows[f"the target is {words}"] = mean(against=wrong)
        if objective != "dsm":
            rows["the target is (x - x_noisy) / sigma^2, without alpha"] = mean(
                against=lambda e: (x - right(e)) / sigma**2)
    assert dict(hypotheses._denoising(case)) == pytest.approx(rows, rel=1e-11)


def test_the_autoencoder_has_the_expectations_and_moments_of_another_rule():
    case = replicates._cases("dae")[1]
    eps, w = nodes(case.d, 11)

    def losses(width, against, clean=1.0):
        return np.array([((case.reconstruct(x + width * eps) - clean * x - against * eps)**2
                          ).sum(axis=1) for x in case.x])                      # (n, Q)

    s, found = case.sigma, dict(hypotheses._autoencoder(case))
    noise = "the noise has standard deviation"
    for mistake, wrong in {
            "": (s, 0), "the output is compared with the noisy point": (s, s),
            "the output is compared with the noise": (s, 1, 0),
            f"{noise} sigma^2 in place of sigma": (s**2, 0),
            f"{noise} 1 in place of sigma": (1, 0),
            f"{noise} sqrt(sigma), the variance for sigma": (s**0.5, 0),
            "the input of the encoder is the clean point, the output is compared with the noisy "
            "one": (0, s),
            }.items():
        assert found.pop(mistake) == pytest.approx((losses(*wrong) @ w).mean(), rel=1e-4)
    assert not found
    q, pairs = losses(s, 0), (losses(s, 0) + losses(-s, 0)) / 2
    for law, q in zip(moments.laws(case), (q, pairs, q.mean(axis=0, keepdims=True))):
        off, n = q - (q @ w)[:, None], len(q)
        V = off**2 @ w
        assert law.variance == pytest.approx(V.sum() / n**2, rel=1e-3)
        assert law.fourth == pytest.approx((off**4 @ w - 3 * V**2).sum() / n**4, rel=1e-2)


def test_the_expectations_over_directions_are_means_over_directions_with_their_moments():
    case = replicates._cases("ssm")[4]
    psi, J, d = case.score(case.x), case.score_jacobian(case.x), case.d
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * d)).reshape(d, -1).T

    def over(v):
        return np.einsum("qi,nik,qk->qn", v, J,
                         v).mean(), (np.einsum("qi,ni->qn", v, psi)**2).mean() / 2

    curvature, norm = over(signs)
    whole = J.sum(axis=(1, 2)).mean()
    unit_c, unit_n = over(signs / np.sqrt(d))
    low_c, low_n = over(0.5 + signs / np.sqrt(12))
    wide_c, wide_n = over(signs / np.sqrt(3))
    bits_c, bits_n = over((1 + signs) / 2)
    right = {
        "": curvature + norm, "v' J v has the opposite sign": -curvature + norm,
        "v' J v is left out": norm,
        "v' J v is halved, or the norm is doubled and all is halved": curvature / 2 + norm,
        "v' J v is doubled": 2 * curvature + norm,
        "the norm is doubled": curvature + 2 * norm, "the norm is left out": curvature,
        "the norm is divided by d": curvature + norm / d,
        "v' J v is divided by d": curvature / d + norm,
        "the norm has the opposite sign": curvature - norm, "directions of unit length": unit_c
        + unit_n, "directions of unit length, and |psi|^2 as it is": unit_c + norm,
        "directions uniform in [0, 1]": low_c + low_n,
        "directions uniform in [0, 1], and |psi|^2 as it is": low_c + norm,
        "directions uniform in [-1, 1], and |psi|^2 as it is": wide_c + norm,
        "directions uniform in [-1, 1]": wide_c + wide_n,
        "directions uniform in [-1/2, 1/2]": (wide_c + wide_n) / 4,
        "directions uniform in [-1/2, 1/2], and |psi|^2 as it is": wide_c / 4 + norm,
        "directions that are 0 or 1": bits_c + bits_n,
        "directions that are 0 or 1, and |psi|^2 as it is": bits_c + norm,
        "the whole Jacobian is summed": whole + norm
    }
    assert dict(hypotheses._sliced(case)) == pytest.approx(right, rel=1e-12)


def implicit(case, eps, sd=None):
    y = case.x + (case.sigma if sd is None else sd) * eps
    return (case.score(y)**2).sum(axis=1) / 2 + case.score_divergence(y)


def test_implicit_score_matching_at_noisy_points_has_the_moments_of_quadrature():
    case = replicates._cases("parzen_ism")[1]
    trace, noise = case.score_divergence(case.x)[0], "the noise has standard deviation"
    right, small, one, none = (expected(case, lambda c, eps, sd=sd: implicit(c, eps, sd))
                               for sd in (case.sigma, case.sigma**2, 1.0, 0.0))
    assert dict(hypotheses._parzen_implicit(case)) == pytest.approx({
        "": right, "no noise is added": none, f"{noise} sigma^2 in place of sigma": small,
        f"{noise} 1 in place of sigma": one, "the divergence is left out": right - trace,
        "the divergence has the opposite sign": right - 2 * trace,
        "the divergence is doubled": right + trace, "the norm is left out": trace,
        "the norm has the opposite sign": 2 * trace - right,
        "the norm is doubled": 2 * right - trace,
        "the norm is divided by d": (right - trace) / case.d + trace,
        "the divergence is divided by d": right - trace + trace / case.d}, rel=1e-11)
    grid, w = nodes(case.d)
    q = np.array([implicit(case, np.broadcast_to(e, case.x.shape)) for e in grid]).T
    law, *_ = moments.laws(case)
    assert law.variance == pytest.approx((((q - (q @ w)[:, None])**2) @ w).sum() / case.n**2)


@pytest.mark.parametrize("objective", ["dsm_levels", "multi_level", "flow_prediction"])
def test_the_variance_is_that_of_quadrature_over_the_noise(objective):
    case = replicates._cases(objective)[0]
    L = len(case.sigma) if objective == "multi_level" else 1
    right, _, one, *_ = moments.laws(case)
    total, (grid, w) = 0.0, nodes(case.d)
    for k in range(L):                              # the noise of one level alone, (points, nodes)
        values = []
        for node in grid:
            eps = np.zeros((L, case.n, case.d))
            eps[k] = node
            values.append(squares(case, eps if L > 1 else eps[0]))
        q = np.array(values).T
        total += (((q - (q @ w)[:, None])**2) @ w).sum() / case.n**2
    assert right.variance == pytest.approx(total, rel=1e-9)
    shared = np.array([squares(case, np.broadcast_to(e, (L, case.n, case.d))
                               if L > 1 else np.broadcast_to(e, case.x.shape)).mean()
                       for e in grid])
    assert one.variance == pytest.approx((shared - shared @ w)**2 @ w, rel=1e-9)


def test_the_quadratic_form_of_a_weighted_loss_is_weighted():
    case = replicates._cases("velocity_prediction")[0]
    w = case.sigma**2
    (C, b), (C_1, b_1) = (hypotheses.affine(case, of).quadratic() for of in ("weight.variance", ""))
    np.testing.assert_allclose(C, w[:, None, None] * C_1, rtol=1e-14)
    np.testing.assert_allclose(b, w[:, None] * b_1, rtol=1e-14)


def test_a_right_one_at_many_levels_passes_and_its_sign_is_seen():
    assert verify_own_noise(loss, "dsm_scaled", 40).verdict == "PASS"
    report = verify_own_noise(lambda case, rng: loss(case, rng, sign=-1.0), "dsm_scaled", 40)
    assert report.name == "its expectation is the loss with this mistake: the target has the " \
        "opposite sign"


def test_the_expectation_of_a_weighted_loss_is_that_of_quadrature():
    case = replicates._cases("dsm_levels")[0]
    weights = {"weight.variance": case.sigma**2, "weight.edm": 1 / case.sigma**2 + 1 / 0.5**2}
    assert dict(hypotheses.weighted(case, "weight.edm")) == pytest.approx(
        {name: expected(case, lambda c, eps, w=w: w * squares(c, eps))
         for name, w in weights.items()}, rel=1e-11)
    assert replicates._meant("2/d; weight.variance") == (replicates.parse_scaling("2 / d"),
                                                         "weight.variance")
    assert replicates._meant(None) == (replicates.ONE, "")


@pytest.mark.parametrize("factor, weight, convention, words", [
    ("2 / d", "weight.variance", "2 / d; weight.variance",
     "2 / d times the canonical loss, each level weighted by sigma^2"),
    ("1", "weight.variance", "weight.variance",
     "the canonical loss, each level weighted by sigma^2"),
    ("3", "", "3", "3 times the canonical loss"), ("1", "", "1", "the canonical loss")])
def test_a_hypothesis_is_written_as_it_is_declared(factor, weight, convention, words):
    scaling = hypotheses.parse_scaling(factor)
    found = hypotheses.Hypothesis("", scaling, np.zeros(12), weight)
    assert (found.convention, str(found)) == (convention, words)
    assert replicates._meant(found.convention) == (scaling, weight)


def test_a_factor_may_have_every_size():
    meant = hypotheses.parse_scaling("n sigma / d")
    tried = hypotheses.hypotheses(replicates._cases("dsm")[:2], meant)
    right = {str(h.factor): h.expected for h in tried if not h.mistake}
    assert right[str(meant)] == pytest.approx(right["1"] * [7 * 0.37 / 3, 7 * 0.37 / 3])
    assert "M" not in right


@pytest.mark.slow
def test_a_weight_of_the_levels_is_a_convention_that_can_be_declared():
    def weighted(case, rng):
        return 2 / case.d * (case.sigma**2 * squares(case, draw(case, rng))).mean()

    report = verify_own_noise(weighted, "dsm_levels", 60)
    assert (report.verdict, report.convention) == ("CONVENTION", "2 / d; weight.variance")
    assert report.name == ("its expectation is 2 / d times the canonical loss, each level weighted "
                           "by sigma^2")
    declared = verify_own_noise(weighted, "dsm_levels", 60, convention="weight.variance; 2/d")
    assert (declared.verdict, declared.exit_status) == ("CONVENTION", 0)
    other = verify_own_noise(weighted, "dsm_levels", 60, convention="weight.variance")
    assert other.name.endswith("not the canonical loss, each level weighted by sigma^2 as declared")
    rare = verify_own_noise(lambda case, rng: (squares(case, draw(case, rng)) / case.sigma).mean(),
                            "flow_prediction", convention="weight.inverse-sigma")
    assert (rare.verdict, rare.exit_status) == ("CONVENTION", 0)


def test_a_convention_that_no_expectation_is_known_of_is_refused():
    for convention in ("2; 3", "weight.variance; weight.edm"):
        with pytest.raises(ValueError, match="one factor and one weight of the levels at most"):
            verify_own_noise(loss, "dsm_levels", 60, convention=convention)
    for objective, convention in (("dsm", "weight.variance"), ("dsm_levels", "own-weight.none"),
                                  ("multi_level", "weight.normalised")):
        with pytest.raises(ValueError, match="or a weight of levels by alpha and sigma, but it is"):
            verify_own_noise(loss, objective, 60, convention=convention)


def test_the_parzen_density_is_refused_with_its_reason():
    with pytest.raises(ValueError, match="own noise is not for parzen_esm: the score of the Parzen "
                                         "density is no polynomial of the noise"):
        verify_own_noise(loss, "parzen_esm")


@pytest.mark.slow
@pytest.mark.parametrize("objective", [name for name in DENOISERS if name != "dsm"])
def test_every_denoising_loss_can_draw_its_own_noise(objective):
    assert verify_own_noise(loss, objective).verdict == "PASS"
    half = verify_own_noise(lambda case, rng: loss(case, rng) / 2, objective)
    assert (half.verdict, half.convention) == ("CONVENTION", "1 / 2")
    minus = verify_own_noise(lambda case, rng: loss(case, rng, sign=-1.0), objective)
    assert "the target has the opposite sign" in minus.name
    signs = verify_own_noise(lambda case, rng: loss(case, rng, lambda c, r: np.sign(draw(c, r))),
                             objective)
    assert "signs in place of normal noise" in signs.name


@pytest.mark.slow
def test_noise_that_levels_or_points_share_is_named():
    def at_every_level(case, rng):
        return np.broadcast_to(rng.standard_normal(case.x.shape), draw(case, rng).shape)

    def of_every_point(case, rng):
        return np.broadcast_to(rng.standard_normal((len(case.sigma), 1, case.d)),
                               draw(case, rng).shape)

    for noise, words in ((at_every_level, "the same noise at every level"),
                         (of_every_point, "one draw of noise for the whole batch, at every level")):
        report = verify_own_noise(lambda case, rng: loss(case, rng, noise), "multi_level")
        assert words in report.name


@pytest.mark.slow
@pytest.mark.parametrize("objective", DENOISERS)
def test_the_expectations_of_two_hypotheses_are_far_apart_or_equal(objective):
    """At the default number of replicates the right loss is told from every other: 60 in chi
    squared at least, where p is 1e-9 at 70 of 12 cases; those of one expectation are equal."""
    asked, rng = replicates._cases(objective), np.random.default_rng(11)
    tried = hypotheses.hypotheses(asked)
    right = next(h for h in tried if not h.mistake and not h.weight and str(h.factor) == "1")
    error = np.array([np.std([loss(case, rng) for _ in range(80)]) for case in asked]) / 200**0.5
    for other in tried:
        if other is not right and other.mistake not in hypotheses.SLIGHT:
            distance = (((other.expected - right.expected) / error)**2).sum()
            assert distance > 100 or distance < 1e-9, (str(other), distance)


def test_without_randomness_each_term_may_be_left_out_or_have_another_sign():
    case = replicates._cases("ism")[0]
    norm = (case.score(case.x)**2).sum(axis=1).mean() / 2
    trace = case.score_divergence(case.x).mean()
    found = dict(hypotheses._as_it_is(case))
    assert found == pytest.approx({
        "": norm + trace, "|psi|^2 / 2 is left out": trace, "tr J is left out": norm,
        "|psi|^2 / 2 has the opposite sign": trace - norm,
        "tr J has the opposite sign": norm - trace,
        "|psi|^2 / 2 is doubled": 2 * norm + trace, "tr J is doubled": norm + 2 * trace,
        "|psi|^2 / 2 is divided by d": norm / case.d + trace,
        "tr J is divided by d": norm + trace / case.d, **{
            words: value for words, value in hypotheses._sliced(case) if words in (
                *(f"directions {law}, and |psi|^2 as it is" for law in (
                    "uniform in [0, 1]", "that are 0 or 1", "uniform in [-1, 1]",
                    "uniform in [-1/2, 1/2]")), "the whole Jacobian is summed")}})
    assert len(found) == 14
    assert list(dict(hypotheses._as_it_is(replicates._cases("mpf")[0]))) == [""]


@pytest.mark.parametrize("objective", ["dsm", "velocity_prediction", "multi_level"])
def test_a_control_variate_is_the_quadratic_function_that_is_said(objective):
    case, rng = replicates._cases(objective)[0], np.random.default_rng(5)
    right = Affine(case)
    right.weight = 1.7 * right.weight
    a, _ = right.residual()
    s = rng.standard_normal(len(a))
    C, b = right.quadratic(s)
    eps = rng.standard_normal(a.shape)

    def loss(eps):
        control = s[:, None] * eps
        added = right.half * right.weight * ((2 * a - control) * control).sum(axis=1)
        return (1.7 * squares(case, eps.reshape(noise_shape(case)))
                + added.reshape(-1, case.n).sum(axis=0))

    quadratic = (b * eps).sum(axis=1) + np.einsum("ki,kij,kj->k", eps, C, eps) / 2
    np.testing.assert_allclose(loss(eps) - loss(0 * eps),
                               quadratic.reshape(-1, case.n).sum(axis=0), rtol=1e-9)


def at_level(case, l):
    """The case with its l-th level at every point."""
    return dataclasses.replace(case, arrays={name: a if name == "x" else np.full(len(a), a[l])
                                             for name, a in case.arrays.items()})


@pytest.mark.parametrize("objective", ["dsm_levels", "edm_prediction"])
def test_levels_that_are_drawn_have_the_moments_of_enumeration_and_quadrature(objective):
    case = replicates._cases(objective)[0]
    grid, w = nodes(case.d, 5)
    q = np.array([[squares(at_level(case, l), np.broadcast_to(e, case.x.shape)) for e in grid]
                  for l in range(case.n)])                                     # (L, Q, n)
    p = np.repeat(w[None], case.n, axis=0)[..., None] / case.n
    mean = (p * q).sum(axis=(0, 1))                                            # (n,)
    drawn = next(h for h in hypotheses.hypotheses([case]) if h.drawn)
    assert (drawn.mistake, str(drawn.factor)) == ("", "1")
    assert drawn.expected == pytest.approx([mean.mean()], rel=1e-11)
    V = (p * (q - mean)**2).sum(axis=(0, 1))
    k4 = (p * (q - mean)**4).sum(axis=(0, 1)) - 3 * V**2
    each, batch, _ = moments.laws(case, drawn=True)
    assert (each.words, each.right, batch.right) == ("draws at every point", True, True)
    assert each.variance == pytest.approx(V.sum() / case.n**2, rel=1e-10)
    assert each.fourth == pytest.approx(k4.sum() / case.n**4, rel=1e-9)
    weighted, *_ = moments.laws(case, "weight.variance", drawn=True)
    q = q * case.sigma[:, None, None]**2
    V = (p * (q - (p * q).sum(axis=(0, 1)))**2).sum(axis=(0, 1))
    assert weighted.variance == pytest.approx(V.sum() / case.n**2, rel=1e-10)


def at_drawn_levels(case, rng, sign=1.0, weight=lambda case: 1.0):
    """A loss that draws one of the levels of the case for each point."""
    l = rng.integers(case.n, size=case.n)
    case = dataclasses.replace(case, arrays={name: a if name == "x" else a[l]
                                             for name, a in case.arrays.items()})
    return (weight(case) * squares(case, draw(case, rng), sign)).mean()


@pytest.mark.parametrize("drawn, R, open", [
    pytest.param(True, 200, False, marks=pytest.mark.slow), (False, 40, True)])
def test_levels_that_are_drawn_are_said_and_few_replicates_leave_it_open(drawn, R, open):
    asked, noise = replicates._cases("dsm_levels"), np.random.default_rng(5).normal(size=(36, R))
    known = hypotheses.hypotheses(asked)
    h, other = (next(h for h in known if h.drawn == at_drawn and h.weight == "weight.variance")
                for at_drawn in (drawn, not drawn))
    V = np.array([moments.laws(case, h.weight, drawn)[0].variance for case in asked])
    values = h.expected[:, None] + np.sqrt(V)[:, None] * noise
    report = replicates._report(asked, values, replicates.ONE, None)
    assert (report.verdict, report.convention) == ("CONVENTION", "weight.variance")
    assert report.name == f"its expectation is {h}"
    assert str(h).endswith(", at levels drawn from those of the case") == drawn
    assert (str(other) in report.cannot_tell) == open


@pytest.mark.slow
@pytest.mark.parametrize("family", ["prime", "vp", "ve"])
def test_a_mistake_under_the_usual_weight_of_a_score_is_named(family):
    def minus(case, rng):
        return (case.sigma**2 * squares(case, draw(case, rng), -1.0)).mean()

    report = verify_own_noise(minus, "dsm_levels", family=family)
    assert (report.verdict, report.name) == (
        "MISMATCH", "its expectation is the loss with this mistake: the target has the opposite "
        "sign, each level weighted by sigma^2")


@pytest.mark.slow
@pytest.mark.parametrize("objective", [name for name, about in OBJECTIVES.items()
                                       if about.levels == "points"])
def test_a_loss_that_draws_its_levels_passes_and_its_mistake_is_named(objective):
    right = verify_own_noise(at_drawn_levels, objective, 800)
    assert (right.verdict, right.name) == (
        "PASS", "its expectation is the canonical loss, at levels drawn from those of the case")
    wrong = verify_own_noise(lambda case, rng: at_drawn_levels(case, rng, -1.0), objective, 800)
    assert (wrong.verdict, wrong.name) == (
        "MISMATCH", "its expectation is the loss with this mistake: the target has the opposite "
        "sign, at levels drawn from those of the case")
