"""The expectations of denoising losses over their noise, against quadrature over the noise."""
import numpy as np
import pytest

from refsm.verify.objectives import OBJECTIVES
from refsm.verify.own_noise import DRAWING, hypotheses, moments, replicates, verify_own_noise

DENOISERS = [name for name, about in OBJECTIVES.items()
             if about.random == "noise" and name in DRAWING and about.constant
             and name != "dae"]
SCORES = [name for name in DENOISERS if not OBJECTIVES[name].predicts]


def column(a):
    return np.asarray(a)[..., None]


def target(case, kind, eps):
    """What an output of some kind is compared with, and the noisy points."""
    alpha = column(getattr(case, "alpha", 1.0)) if kind != "edm" else 1.0
    sigma = column(case.sigma)
    y = alpha * case.x + sigma * eps
    if kind == "edm":
        variance = sigma**2 + case.data_sd**2
        c_out = sigma * case.data_sd / np.sqrt(variance)
        return (case.x - case.data_sd**2 / variance * y) / c_out, y
    return {"": -eps / sigma, "noise": eps, "clean": case.x, "velocity": alpha * eps
            - sigma * case.x, "flow": eps - case.x}[kind], y


def squares(case, eps, sign=1.0):
    """The loss of each point with noise (n, d), or (L, n, d) for several levels, (n,)."""
    about = OBJECTIVES[case.objective]
    if about.levels == "several":
        return sum(w * ((case.score(a * case.x + s * e, k) + sign * e / s)**2).sum(axis=1) / 2
                   for k, (a, s, w, e) in enumerate(zip(case.alpha, case.sigma, case.level_weights,
                                                        eps)))
    t, y = target(case, about.predicts, eps)
    output = case.prediction(y) if about.predicts else case.score(y)
    return ((output - sign * t)**2).sum(axis=1) * (1.0 if about.predicts else 0.5)


def draw(case, rng):
    several = OBJECTIVES[case.objective].levels == "several"
    return rng.standard_normal((len(case.sigma), *case.x.shape) if several else case.x.shape)


def loss(case, rng, noise=draw, sign=1.0):
    return squares(case, noise(case, rng), sign).mean()


def nodes(d, count=3):
    """Gauss-Hermite nodes and weights, exact to degree 5 for three of them."""
    eps, w = np.polynomial.hermite_e.hermegauss(count)
    grid = np.array(np.meshgrid(*[eps] * d)).reshape(d, -1).T
    weights = np.prod(np.array(np.meshgrid(*[w / w.sum()] * d)).reshape(d, -1), axis=0)
    return grid, weights


def expected(case, of=squares):
    """The mean over the noise, which enters each level and each point on its own."""
    grid, w = nodes(case.d)
    several = OBJECTIVES[case.objective].levels == "several"
    shape = (len(case.sigma), case.n, case.d) if several else (case.n, case.d)
    return sum(weight * of(case, np.broadcast_to(e, shape)).mean() for e, weight in zip(grid, w))


@pytest.mark.parametrize("objective", DENOISERS)
def test_the_expectation_is_that_of_quadrature_over_the_noise(objective):
    case = replicates._cases(objective)[0]
    found = dict(hypotheses._denoising(case))
    assert found[""] == pytest.approx(expected(case), rel=1e-11)
    wrong = expected(case, lambda c, eps: squares(c, eps, -1.0))
    assert found["the target has the opposite sign"] == pytest.approx(wrong, rel=1e-11)


@pytest.mark.parametrize("objective", ["dsm_scaled", "dsm_levels", "noise_prediction", "velocity"])
def test_the_expectations_of_mistakes_are_those_of_quadrature(objective):
    case = replicates._cases(hypotheses_name(objective))[1]
    kind = OBJECTIVES[case.objective].predicts
    found, alpha, sigma = dict(hypotheses._denoising(case)), column(case.alpha), column(case.sigma)
    half = 1.0 if kind else 0.5

    def of(make):
        def term(c, eps):
            point, against = make(c, eps)
            output = c.prediction(point) if kind else c.score(point)
            return half * ((output - against)**2).sum(axis=1)
        return pytest.approx(expected(case, term), rel=1e-11)

    right = lambda c, eps: target(c, kind, eps)[0]                    # noqa: E731
    reads = "output" if kind else "score"
    assert found[f"the {reads} is read at the clean point"] == of(
        lambda c, eps: (alpha * c.x, right(c, eps)))
    assert found["alpha is left out of the noisy point"] == of(
        lambda c, eps: (c.x + sigma * eps, right(c, eps)))
    assert found["the noise has standard deviation sigma^2 in place of sigma"] == of(
        lambda c, eps: (alpha * c.x + sigma**2 * eps, right(c, eps) if kind else -eps))
    if not kind:
        for words, width in (("sigma^2", sigma**2), ("1", 1.0)):
            assert found[f"the noise has standard deviation {words}, the target is noise / sigma"
                         ] == of(lambda c, eps, w=width: (alpha * c.x + w * eps, -eps / sigma))
        assert found["the noise has standard deviation 1 in place of sigma"] == of(
            lambda c, eps: (alpha * c.x + eps, -eps / sigma**2))
        assert found["the target is (x - x_noisy) / sigma^2, without alpha"] == of(
            lambda c, eps: (alpha * c.x + sigma * eps,
                            (c.x - alpha * c.x - sigma * eps) / sigma**2))
    constant = half * (right(case, 0 * case.x)**2).sum(axis=1).mean()
    slope = right(case, np.ones(case.x.shape)) - right(case, 0 * case.x)
    constant += half * (slope**2).sum(axis=1).mean()
    assert found["the constant |target|^2 / 2 is left out"] == pytest.approx(found[""] - constant)


@pytest.mark.parametrize("objective", ["dsm", "velocity_prediction"])
def test_noise_with_a_mean_has_the_expectation_of_its_two_moments(objective):
    case = replicates._cases(objective)[2]
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * case.d)).reshape(case.d, -1).T
    found = dict(hypotheses._denoising(case))
    for words, middle, sd in (("[0, 1]", 0.5, 12**-0.5), ("[-1, 1]", 0.0, 3**-0.5)):
        right = np.mean([loss(case, None, lambda c, rng, e=e: np.broadcast_to(
            middle + sd * e, c.x.shape)) for e in corners])
        assert found[f"the noise is uniform in {words} in place of normal"] == pytest.approx(right)


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
            "the encoder sees the clean point, the output is compared with the noisy one": (0, s),
            }.items():
        assert found.pop(mistake) == pytest.approx((losses(*wrong) @ w).mean(), rel=1e-4)
    assert not found
    q, pairs = losses(s, 0), (losses(s, 0) + losses(-s, 0)) / 2
    for law, q in zip(moments.laws("dae", case), (q, pairs, q.mean(axis=0, keepdims=True))):
        off, n = q - (q @ w)[:, None], len(q)
        V = off**2 @ w
        assert law.variance == pytest.approx(V.sum() / n**2, rel=1e-3)
        assert law.fourth == pytest.approx((off**4 @ w - 3 * V**2).sum() / n**4, rel=1e-2)


def hypotheses_name(objective):
    return objective if objective in OBJECTIVES else f"{objective}_prediction"


def implicit(case, eps):
    y = case.x + case.sigma * eps
    return (case.score(y)**2).sum(axis=1) / 2 + case.score_divergence(y)


def test_implicit_score_matching_at_noisy_points_has_the_moments_of_quadrature():
    case = replicates._cases("parzen_ism")[1]
    assert dict(hypotheses._parzen_implicit(case))[""] == pytest.approx(
        expected(case, implicit), rel=1e-11)
    grid, w = nodes(case.d)
    q = np.array([implicit(case, np.broadcast_to(e, case.x.shape)) for e in grid]).T
    right, *_ = moments.laws("parzen_ism", case)
    assert right.variance == pytest.approx((((q - (q @ w)[:, None])**2) @ w).sum() / case.n**2)


@pytest.mark.parametrize("objective", ["dsm_levels", "multi_level", "flow_prediction"])
def test_the_variance_is_that_of_quadrature_over_the_noise(objective):
    case = replicates._cases(objective)[0]
    L = len(case.sigma) if objective == "multi_level" else 1
    right, _, one, signs, *_ = moments.laws(objective, case)
    total = {"right": 0.0, "signs": 0.0, "one": 0.0}
    grid, w = nodes(case.d)
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T
    for name, e, p in (("right", grid, w), ("signs", corners, np.full(8, 1 / 8))):
        for k in range(L):                          # the noise of one level alone, (points, nodes)
            values = []
            for node in e:
                eps = np.zeros((L, case.n, case.d))
                eps[k] = node
                values.append(squares(case, eps if L > 1 else eps[0]))
            q = np.array(values).T
            total[name] += (((q - (q @ p)[:, None])**2) @ p).sum() / case.n**2
    assert right.variance == pytest.approx(total["right"], rel=1e-9)
    assert signs.variance == pytest.approx(total["signs"], rel=1e-9)
    shared = np.array([squares(case, np.broadcast_to(e, (L, case.n, case.d))
                               if L > 1 else np.broadcast_to(e, case.x.shape)).mean()
                       for e in grid])
    assert one.variance == pytest.approx((shared - shared @ w)**2 @ w, rel=1e-9)


def test_a_right_one_at_many_levels_passes_and_its_sign_is_seen():
    assert verify_own_noise(loss, "dsm_scaled", 40).verdict == "PASS"
    report = verify_own_noise(lambda case, rng: loss(case, rng, sign=-1.0), "dsm_scaled", 40)
    assert report.name == "its expectation is the loss with this mistake: the target has the " \
        "opposite sign"


def test_the_expectation_of_a_weighted_loss_is_that_of_quadrature():
    case = replicates._cases("dsm_levels")[0]
    (found,) = [expectation for name, expectation in hypotheses.weighted(case)
                if name == "weight.variance"]
    assert found == pytest.approx(
        expected(case, lambda c, eps: c.sigma**2 * squares(c, eps)), rel=1e-11)
    assert replicates._meant("2/d; weight.variance") == (replicates.parse_scaling("2 / d"),
                                                         "weight.variance")
    assert replicates._meant(None) == (replicates.ONE, "")


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
    with pytest.raises(ValueError, match="one factor and one weight of the levels at most"):
        verify_own_noise(loss, "dsm_levels", 60, convention="2; 3")
    for objective, convention in (("dsm", "weight.variance"), ("multi_level", "weight.none")):
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
    tried = hypotheses.hypotheses(objective, asked)
    right = next(h for h in tried if not h.mistake and not h.weight and str(h.factor) == "1")
    error = np.array([np.std([loss(case, rng) for _ in range(80)]) for case in asked]) / 200**0.5
    for other in tried:
        if other is not right:
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
        "|psi|^2 / 2 is doubled": 2 * norm + trace, "tr J is doubled": norm + 2 * trace})
