"""Every mistake has an example by hand: the whole loss, written from its words and not its row."""
import numpy as np
import pytest
from verify.mistakes.test_levels import PLANTED, other

from refsm.verify import cases
from refsm.verify.cases.families import network_cases
from refsm.verify.cases.quantities import Quantities
from refsm.verify.mistakes import formulas
from refsm.verify.cases.derivatives import term_gradient
from refsm.verify.mistakes.level_weights import WEIGHTS as LEVEL_WEIGHTS
from refsm.verify.mistakes.mistake import cosine
from refsm.verify.objectives import OBJECTIVES, model_names


def sq(a):
    return (a * a).sum(axis=-1)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def value(objective, *identities, model=None):
    """A case, and the value of the formula with these mistakes and every coefficient 1."""
    case = cases(objective, "prime", model=model)[6]             # d = 5, n = 7, sigma = 0.61
    return case, value_of(case, *identities)


def value_of(case, *identities):
    formula = next(f for f in formulas(case.objective, case.model)
                   if sorted(m.id for m in f.mistakes) == sorted(identities))
    terms = (*formula.terms, *([formula.constant] if formula.constant else []))
    q = Quantities(case)
    return float(sum(np.mean(term.per_sample(q)) for term in terms))


DIMENSIONS = {"first": [0], "first-two": [0, 1], "not-last": [0, 1, 2, 3], "last": [4],
              "not-first": [1, 2, 3, 4], "odd": [0, 2, 4], "even": [1, 3]}


def psi(c):
    return c.score(c.x)


def J(c):
    return c.score_jacobian(c.x)


def diagonal(c):
    return np.stack([J(c)[:, i, i] for i in range(c.d)], axis=1)


def huber(r):
    return np.where(np.abs(r) < 1, r**2 / 2, np.abs(r) - 0.5).sum(axis=1)


SQUARES = {
    "norm": lambda r: np.sqrt(sq(r)).mean(), "root-mean": lambda r: np.sqrt(sq(r).mean()),
    "absolute": lambda r: np.abs(r).sum() / len(r), "of-sum": lambda r: (r.sum(axis=1)**2).mean(),
    "of-mean": lambda r: sq(r.mean(axis=0)), "largest": lambda r: (r**2).max(axis=1).mean(),
    "linear": lambda r: r.sum() / len(r), "fourth": lambda r: (sq(r)**2).mean(),
    "fourth-powers": lambda r: (r**4).sum() / len(r), "log": lambda r: np.log(sq(r)).mean(),
    "log-mean": lambda r: np.log(sq(r).mean()), "huber": lambda r: huber(r).mean(),
    "log-cosh": lambda r: np.log(np.cosh(r)).sum() / len(r),
    "variance": lambda r: r.var(axis=0).sum(), "of-all": lambda r: r.var() * r.shape[1],
    "of-entries": lambda r: r.var(axis=1).mean() * r.shape[1]}
# of a residual alone
ROBUST = {
    "pseudo-huber-0.03": lambda r: pseudo_huber(np.sqrt(sq(r)), 0.03),
    "pseudo-huber-1": lambda r: pseudo_huber(np.sqrt(sq(r)), 1),
    "pseudo-huber-entries-0.01": lambda r: pseudo_huber(r, 0.01),
    "pseudo-huber-entries-0.1": lambda r: pseudo_huber(r, 0.1),
    "huber-0.1": lambda r: np.where(np.abs(r) < 0.1, r * r / 2, np.abs(r) / 10 - 0.005),
    "pseudo-huber-entries-1": lambda r: pseudo_huber(r, 1),
    **{f"clipped-{t}": lambda r, t=t: sq(np.clip(r, -t, t)) for t in (1, 3, 5)}}

def pseudo_huber(r, c):
    return c * (np.sqrt(1 + (r / c)**2) - 1)


NORMS = {
    **{name: lambda c, k=k: (psi(c)[:, k]**2).sum() / (2 * c.n) for name, k in DIMENSIONS.items()},
    **{name: lambda c, f=f: f(psi(c)) for name, f in SQUARES.items()},
    **{f"clipped-{t}": lambda c, t=t: sq(np.clip(psi(c), -t, t)).mean() / 2 for t in (1, 3, 5)},
    "product": lambda c: (psi(c) * c.x).sum() / c.n}


@pytest.mark.parametrize("name", NORMS)
def test_a_norm(name):
    case, found = value("ism", f"norm.{name}")
    assert np.isclose(found, NORMS[name](case) + diagonal(case).sum() / case.n, rtol=1e-12)


DIVERGENCES = {
    **{name: lambda c, k=k: diagonal(c)[:, k].sum() for name, k in DIMENSIONS.items()},
    "whole": lambda c: J(c).sum(), "first-row": lambda c: J(c)[:, 0, :].sum(),
    "first-column": lambda c: J(c)[:, :, 0].sum(), "last-row": lambda c: J(c)[:, 4, :].sum(),
    "last-column": lambda c: J(c)[:, :, 4].sum(),
    "upper": lambda c: sum(J(c)[:, i, k].sum() for i in range(5) for k in range(i, 5)),
    "lower": lambda c: sum(J(c)[:, i, k].sum() for i in range(5) for k in range(i + 1)),
    "off-diagonal": lambda c: sum(J(c)[:, i, k].sum() for i in range(5) for k in range(5)
                                  if i != k),
    "beside": lambda c: sum(J(c)[:, i, (i + 1) % 5].sum() for i in range(5)),
    "other-diagonal": lambda c: sum(J(c)[:, i, 4 - i].sum() for i in range(5)),
    "absolute": lambda c: np.abs(diagonal(c).sum(axis=1)).sum(),
    "absolutes": lambda c: np.abs(diagonal(c)).sum(), "squares": lambda c: (diagonal(c)**2).sum(),
    "square": lambda c: (diagonal(c).sum(axis=1)**2).sum(),
    "frobenius-squared": lambda c: (J(c)**2).sum(),
    "frobenius": lambda c: np.sqrt((J(c)**2).sum(axis=(1, 2))).sum(),
    "of-square": lambda c: sum(np.trace(A @ A) for A in J(c)),
    "score": lambda c: psi(c).sum(), "product": lambda c: (psi(c) * c.x).sum()}


@pytest.mark.parametrize("name", DIVERGENCES)
def test_a_divergence(name):
    case, found = value("ism", f"divergence.{name}")
    expected = sq(psi(case)).mean() / 2 + DIVERGENCES[name](case) / case.n
    assert np.isclose(found, expected, rtol=1e-12)
    case, found = value("ssm_vr", f"divergence.{name}-exact")
    expected = sq(psi(case)).mean() / 2 + DIVERGENCES[name](case) / case.n
    assert np.isclose(found, expected, rtol=1e-12)


PENALTIES = {
    **{name: lambda c, k=k: (diagonal(c)[:, k]**2).sum() for name, k in DIMENSIONS.items()},
    "frobenius-squared": DIVERGENCES["frobenius-squared"], "of-square": DIVERGENCES["of-square"],
    "off-diagonal": lambda c: (J(c)**2).sum() - (diagonal(c)**2).sum(),
    "square": DIVERGENCES["square"], "absolutes": DIVERGENCES["absolutes"],
    "frobenius": DIVERGENCES["frobenius"],
    "length": lambda c: np.sqrt(sq(diagonal(c))).sum(),
    "square-of-mean": lambda c: c.n * diagonal(c).sum(axis=1).mean()**2}


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty(name):
    case, found = value("regularized", f"penalty.{name}")
    expected = sq(psi(case)).mean() / 2 + (
        diagonal(case).sum() + case.strength * PENALTIES[name](case)) / case.n
    assert np.isclose(found, expected, rtol=1e-12)


def lengths(c):
    return np.sqrt(sq(c.directions))[..., None]


DIRECTIONS = {
    "unit": lambda c: c.directions / lengths(c),
    "sphere": lambda c: np.sqrt(5) * c.directions / lengths(c),
    "first-point": lambda c: np.array([c.directions[0]] * c.n),
    "first": lambda c: c.directions[:, :1], "last": lambda c: c.directions[:, -1:],
    "sign": lambda c: np.sign(c.directions),
    "next-point": lambda c: c.directions[[1, 2, 3, 4, 5, 6, 0]],
    "reshaped": lambda c: np.stack([c.directions.reshape(-1, 5)[k::7] for k in range(7)]),
    "one": lambda c: np.array([c.directions[0, :1]] * c.n)}


def along(c, v):
    return np.array([[v[k, r] @ psi(c)[k] for r in range(v.shape[1])] for k in range(c.n)])


def curved(c, v):
    return np.array([[v[k, r] @ J(c)[k] @ v[k, r] for r in range(v.shape[1])]
                     for k in range(c.n)])


@pytest.mark.parametrize("name", DIRECTIONS)
def test_directions(name):
    case, both = value("ssm", f"directions.{name}")
    v, own = DIRECTIONS[name](case), case.directions
    norm, divergence = (along(case, v)**2).mean() / 2, curved(case, v).mean()
    assert np.isclose(both, norm + divergence, rtol=1e-12)
    assert np.isclose(value("ssm", f"norm.directions-{name}")[1], norm + curved(case, own).mean(),
                      rtol=1e-12)
    case, alone = value("ssm_vr", f"divergence.directions-{name}")
    v = DIRECTIONS[name](case)
    assert np.isclose(alone, sq(psi(case)).mean() / 2 + curved(case, v).mean(), rtol=1e-12)


def of_each(c, f):
    """The mean over points and directions of f(v, J, psi)."""
    return np.mean([f(v, J(c)[k], psi(c)[k]) for k in range(c.n) for v in c.directions[k]])


ALONG = {
    "divergence.sum-of-Jv": lambda v, A, p: (A @ v).sum(),
    "divergence.sum-of-vJ": lambda v, A, p: (v @ A).sum(),
    "divergence.length-of-Jv": lambda v, A, p: (A @ v) @ (A @ v),
    "divergence.length-of-vJ": lambda v, A, p: (v @ A) @ (v @ A),
    "divergence.absolute-along": lambda v, A, p: abs(v @ A @ v),
    "divergence.score-along": lambda v, A, p: v @ p,
    "divergence.psi-J-v": lambda v, A, p: p @ A @ v,
    "divergence.v-J-psi": lambda v, A, p: v @ A @ p,
    "divergence.square-along": lambda v, A, p: (v @ A @ v)**2,
    "divergence.diagonal-along": lambda v, A, p: v**2 @ np.diag(A),
    "divergence.exact": lambda v, A, p: np.trace(A),
    "norm.not-squared-along": lambda v, A, p: v @ p,
    "norm.absolute-along": lambda v, A, p: abs(v @ p),
    "norm.entries-along": lambda v, A, p: v**2 @ p**2 / 2,
    "norm.curvature": lambda v, A, p: (v @ A @ v)**2 / 2,
    "norm.lengths": lambda v, A, p: (v @ v) * (p @ p) / 2,
    "norm.variance-reduced": lambda v, A, p: p @ p / 2}


@pytest.mark.parametrize("identity", ALONG)
def test_what_takes_the_place_of_a_term_along_directions(identity):
    case, found = value("ssm", identity)
    right = (of_each(case, lambda v, A, p: v @ A @ v) if identity.startswith("norm")
             else of_each(case, lambda v, A, p: (v @ p)**2) / 2)
    assert np.isclose(found, right + of_each(case, ALONG[identity]), rtol=1e-12)


def test_a_norm_along_directions_in_the_reduced_form():
    case, found = value("ssm_vr", "norm.sliced")
    expected = of_each(case, lambda v, A, p: (v @ p)**2 / 2 + v @ A @ v)
    assert np.isclose(found, expected, rtol=1e-12)


def test_directions_that_are_averaged():
    case, norm = value("ssm", "norm.mean-along")
    v = case.directions.mean(axis=1, keepdims=True)
    own = case.directions
    assert np.isclose(norm, (along(case, v)**2).mean() / 2 + curved(case, own).mean(), rtol=1e-12)
    divergence = value("ssm", "divergence.mean-along")[1]
    assert np.isclose(divergence, (along(case, own)**2).mean() / 2 + curved(case, v).mean(),
                      rtol=1e-12)
    both = value("ssm", "directions.mean")[1]
    assert np.isclose(both, (along(case, v)**2).mean() / 2 + curved(case, v).mean(), rtol=1e-12)


# -- residuals ------------------------------------------------------------------------------------


def right_target(objective, c):
    return c.data_score if objective == "esm" else (c.x - c.x_noisy) / c.sigma**2


@pytest.mark.parametrize("name", SQUARES)
@pytest.mark.parametrize("objective", ["esm", "dsm"])
def test_a_square(objective, name):
    case, found = value(objective, f"square.{name}")
    own = case.score(case.x if objective == "esm" else case.x_noisy)
    r = own - right_target(objective, case)
    assert np.isclose(found, SQUARES[name](r), rtol=1e-12)
    assert np.isclose(value("dae", f"square.{name}")[1], SQUARES[name](error(cases("dae")[6])),
                      rtol=1e-12)


def error(c):
    return c.reconstruct(c.x_noisy) - c.x


ANGLES = ("|output - target|_1", "(1 - cos(output, target))")


@pytest.mark.parametrize("objective", ["esm", "dsm", "dae", "velocity_prediction"])
def test_absolute_values_and_the_angle_beside_the_square_and_the_angle_alone(objective):
    case, angle = value(objective, "square.cosine")
    a, b = {"esm": lambda: (psi(case), case.data_score),
            "dsm": lambda: (case.score(case.x_noisy), right_target("dsm", case)),
            "dae": lambda: (case.reconstruct(case.x_noisy), case.x)}.get(objective, lambda: (
                case.prediction(case.x_noisy),
                case.alpha[:, None] * case.noise - case.sigma[:, None] * case.x))()
    length = [np.sqrt(sq(of)) for of in (a, b)]
    assert np.isclose(angle, 1 - ((a * b).sum(axis=1) / np.prod(length, axis=0)).mean(), rtol=1e-12)
    assert np.allclose(cosine(3 * a, b), cosine(a, b), rtol=1e-12)      # its length is free
    square = sq(a - b).mean() / (2 if objective in ("esm", "dsm") else 1)
    sums = [value(objective, f"extra.{name}")[1] for name in ANGLES]
    assert np.allclose(sums, [square + np.abs(a - b).sum() / case.n, square + angle], rtol=1e-12)


@pytest.mark.parametrize("name", ROBUST)
def test_a_function_of_the_residual_that_is_robust(name):
    case, found = value("dsm", f"square.{name}")
    r = case.score(case.x_noisy) - right_target("dsm", case)
    assert np.isclose(found, ROBUST[name](r).sum() / case.n, rtol=1e-9)
    found = value("dsm", f"square.{name}", "residual.noise")[1]
    assert np.isclose(found, ROBUST[name](case.sigma * r).sum() / case.n, rtol=1e-9)
    case, found = value("dsm_levels", f"square.{name}", "residual.noise")
    r = case.sigma[:, None] * case.score(case.x_noisy) + case.noise
    assert np.isclose(found, ROBUST[name](r).sum() / case.n, rtol=1e-9)


@pytest.mark.parametrize("objective, model", [("dsm", None), ("dsm_scaled", None),
                                              ("dsm_levels", "mixture")])
def test_a_control_variate(objective, model):
    case, found = value(objective, "variate.clean", model=model)
    alpha, sigma = (np.broadcast_to(getattr(case, name, 1.0), case.n)[:, None]
                    for name in ("alpha", "sigma"))
    right = sq(case.score(case.x_noisy) + case.noise / sigma) / 2
    added = (case.score(alpha * case.x) * case.noise / sigma).sum(axis=1)
    assert found == pytest.approx((right - added).mean(), rel=1e-12)
    if np.size(case.sigma) > 1:
        _, found = value(objective, "variate.small", model=model)
        small = added * (case.sigma < 0.3)
        assert found == pytest.approx((right - small).mean(), rel=1e-12)


def test_the_gradient_of_a_control_variate_is_that_of_the_score_at_the_clean_point():
    case = cases("dsm_levels", "vp", model="gaussian")[6]
    (formula,) = (f for f in formulas("dsm_levels", "gaussian")
                  if [m.id for m in f.mistakes] == ["variate.clean"])
    found = term_gradient(case, formula.terms[2])                  # the mean of -(y - mean) P.g
    g = -case.noise / case.sigma[:, None]
    assert formula.terms[2].role == "variate"
    assert np.allclose(found["mean"], (g @ case.theta["precision"]).mean(axis=0), rtol=1e-12)


def clip(t):
    return lambda a: np.minimum(np.maximum(a, -t), t)


def as_it_is(a):
    return a


COMPARED = {                                                       # of the output, of the target
    **{f"{what}.clipped{f'-{t}' * (t > 1)}": (clip(t) if what != "target" else as_it_is,
                                               clip(t) if what != "output" else as_it_is)
       for what in ("output", "target", "both") for t in (1, 3, 5)},
    "output.first-entry": (lambda a: a[:, [0]], as_it_is),
    "target.first-entry": (as_it_is, lambda a: a[:, [0]]),
    "target.middle-entry": (as_it_is, lambda a: a.sum(axis=1, keepdims=True) / a.shape[1])}


@pytest.mark.parametrize("identity", COMPARED)
@pytest.mark.parametrize("objective", ["dsm", "dae", "noise_prediction"])
def test_an_output_or_a_target_that_is_clipped_or_has_one_column(objective, identity):
    if objective != "dsm" and identity[-1] in "35" and not identity.startswith("output"):
        made = {m.id for f in formulas(objective, None) for m in f.mistakes}
        assert identity not in made                                 # nearly the target itself
        return
    (f, g), (case, found) = COMPARED[identity], value(objective, identity)
    out, to, half = {
        "dsm": lambda: (case.score(case.x_noisy), right_target("dsm", case), 0.5),
        "dae": lambda: (case.reconstruct(case.x_noisy), case.x, 1),
        "noise_prediction": lambda: (case.prediction(case.x_noisy), case.noise, 1)}[objective]()
    assert np.isclose(found, half * sq(f(out) - g(to)).mean(), rtol=1e-12)


@pytest.mark.parametrize("low, high", [(0, 1), (-1, 1), (-3, 3)])
def test_a_noisy_point_that_is_clipped(low, high):
    identity = f"x_noisy clipped to ({low}, {high})"
    case = cases("dsm", "prime")[16]                                # from -3.7 to 4.7
    y = np.minimum(np.maximum(case.x_noisy, low), high)
    assert np.isclose(value_of(case, f"noisy.{identity}"),
                      sq(case.score(y) - (case.x - y) / case.sigma**2).mean() / 2, rtol=1e-12)
    r = case.score(y) - right_target("dsm", case)
    assert np.isclose(value_of(case, f"clipped.{low}-{high}"), sq(r).mean() / 2, rtol=1e-12)
    case, found = value("dae", f"clipped.{low}-{high}")
    y = np.minimum(np.maximum(case.x_noisy, low), high)
    assert np.isclose(found, sq(case.reconstruct(y) - case.x).mean(), rtol=1e-12)
    words = {m.id: m.words for f in formulas("dae", "autoencoder") for m in f.mistakes}
    assert words[f"clipped.{low}-{high}"] == f"the input of the encoder is {identity}"


@pytest.mark.parametrize("low", [0, -1])
def test_a_clean_point_that_is_clipped(low):
    case, found = value("ism", f"clipped.{low}-1")
    y = np.minimum(np.maximum(case.x, low), 1)
    score, divergence = case.score(y), case.score_divergence(y)
    assert np.isclose(found, (sq(score) / 2 + divergence).mean(), rtol=1e-12)
    _, found = value("esm", f"clipped.{low}-1", model="autoencoder")
    assert not np.isclose(found, 0)
    case, found = value("parzen_ism", f"clipped.{low}-1")
    y = np.minimum(np.maximum(case.x_noisy, low), 1)
    assert np.isclose(found, (sq(case.score(y)) / 2 + case.score_divergence(y)).mean(), rtol=1e-12)


@pytest.mark.parametrize("low", [0, -1])
def test_a_noisy_point_of_levels_that_is_clipped(low):
    case, found = value("velocity_prediction", f"clipped.{low}-1")
    r = case.prediction(np.minimum(np.maximum(case.x_noisy, low), 1)) - (
        case.alpha[:, None] * case.noise - case.sigma[:, None] * case.x)
    assert np.isclose(found, sq(r).mean(), rtol=1e-12)


def test_one_term_at_the_clean_point():
    case, norm = value("dsm", "norm.at-x")
    g, (at_x, at_y) = right_target("dsm", case), map(case.score, (case.x, case.x_noisy))
    parts = [sq(a) / 2 - (b * g).sum(axis=1) + sq(g) / 2 for a, b in ((at_x, at_y), (at_y, at_x))]
    found = [norm, value("dsm", "cross.at-x")[1]]
    assert np.allclose(found, np.mean(parts, axis=1), rtol=1e-12)
    case, norm = value("parzen_ism", "norm.at-x")
    at_x, at_y = ((sq(case.score(y)) / 2, case.score_divergence(y))
                  for y in (case.x, case.x_noisy))
    found = [norm, value("parzen_ism", "divergence.at-x")[1]]
    assert np.allclose(found, [(at_x[0] + at_y[1]).mean(), (at_y[0] + at_x[1]).mean()], rtol=1e-12)
    case, output = value("dae", "output.at-x")
    at_x, at_y = map(case.reconstruct, (case.x, case.x_noisy))
    parts = [sq(a) - 2 * (b * case.x).sum(axis=1) + sq(case.x)
             for a, b in ((at_x, at_y), (at_y, at_x))]
    found = [output, value("dae", "product.at-x")[1]]
    assert np.allclose(found, np.mean(parts, axis=1), rtol=1e-12)


def test_extra_terms_that_are_read_at_the_clean_point():
    case, right = value("dsm", "extra.|psi(x)|^2")
    own = sq(case.score(case.x_noisy) - right_target("dsm", case)) / 2
    norm, jacobian = sq(case.score(case.x)), case.score_jacobian(case.x)
    divergence = np.trace(jacobian, axis1=1, axis2=2)
    extras = {"|psi(x)|^2": norm, "(|psi(x)|^2 / 2 + tr J(x))": norm / 2 + divergence,
              "|J(x)|_F^2": (jacobian**2).sum(axis=(1, 2)), "energy at x": case.energy(case.x)}
    for name, extra in extras.items():
        assert np.isclose(value("dsm", f"extra.{name}")[1], (own + extra).mean(), rtol=1e-12), name
    case, found = value("dae", "extra.|y(x) - x|^2")
    own = sq(error(case)) + sq(case.reconstruct(case.x) - case.x)
    assert np.isclose(found, own.mean(), rtol=1e-12)
    case, found = value("ssm", "extra.|psi|^2")
    own = of_each(case, lambda v, A, p: (v @ p)**2 / 2 + v @ A @ v + p @ p)
    assert np.isclose(found, own, rtol=1e-12)


@pytest.mark.parametrize("name, slope", [("value", lambda s: s), ("tanh", lambda s: 1 - s * s)])
def test_what_is_no_slope_of_the_sigmoid(name, slope):
    def wrong(c, k):
        W, b = c.params["W"], c.params["b"]
        s = slope(sigmoid(W @ c.x[k] + b))
        return (W.T @ np.diag(s) @ W - np.eye(c.d)) / c.sigma**2

    case, found = value("ism", f"divergence.slope-{name}")
    expected = sum(sq(psi(case)[k]) / 2 + np.trace(wrong(case, k)) for k in range(case.n))
    assert np.isclose(found, expected / case.n, rtol=1e-12)
    for objective, norm in (("ssm", lambda v, p: (v @ p)**2), ("ssm_vr", lambda v, p: p @ p)):
        case, found = value(objective, f"divergence.slope-{name}")
        expected = np.mean([norm(v, psi(case)[k]) / 2 + v @ wrong(case, k) @ v
                            for k in range(case.n) for v in case.directions[k]])
        assert np.isclose(found, expected, rtol=1e-12)


def middle(own):
    return sorted(own)[3:4]


SORTED = {
    "middle": middle, "largest": lambda own: [max(own)], "smallest": lambda own: [min(own)],
    "trimmed-10": lambda own: own, "trimmed-20": lambda own: sorted(own)[1:6],
    "trimmed-25": lambda own: sorted(own)[1:6], "kept-50": lambda own: sorted(own)[:3],
    "kept-75": lambda own: sorted(own)[:5], "kept-80": lambda own: sorted(own)[:5],
    "kept-90": lambda own: sorted(own)[:6]}                         # of seven points


@pytest.mark.parametrize("name", SORTED)
def test_a_mean_over_some_of_the_sorted_losses(name):
    case, found = value("ism", f"points.{name}")
    own = sq(psi(case)) / 2 + diagonal(case).sum(axis=1)
    assert np.isclose(found, np.mean(SORTED[name](own)), rtol=1e-12)
    case, found = value("dsm", f"points.{name}")
    own = sq(case.score(case.x_noisy) - right_target("dsm", case)) / 2
    assert np.isclose(found, np.mean(SORTED[name](own)), rtol=1e-12)


SCALES = {"minus": lambda c: -1, "zero": lambda c: 0, "sigma": lambda c: c.sigma,
          "over-sigma": lambda c: 1 / c.sigma, "variance": lambda c: c.sigma**2,
          "double": lambda c: 2, "half": lambda c: 0.5}


@pytest.mark.parametrize("name", SCALES)
def test_a_multiple_of_the_target_where_the_square_is_missing(name):
    case, found = value("dsm", "square.absolute", f"target.{name}")
    r = case.score(case.x_noisy) - SCALES[name](case) * right_target("dsm", case)
    assert np.isclose(found, np.abs(r).sum() / case.n, rtol=1e-12)


POINTS = {
    "x": lambda c: c.x, "x + sigma^2 noise": lambda c: c.x + c.sigma * c.sigma * c.noise,
    "x + noise": lambda c: c.x + c.noise, "x - sigma noise": lambda c: c.x - c.sigma * c.noise,
    "x + sqrt(sigma) noise": lambda c: c.x + c.sigma**0.5 * c.noise,
    "x + 2 sigma noise": lambda c: c.x + (c.sigma + c.sigma) * c.noise,
    "x + sigma noise / 2": lambda c: c.x + 0.5 * c.sigma * c.noise,
    "x + noise / sigma": lambda c: c.x + c.noise / c.sigma, "noise": lambda c: c.noise}


@pytest.mark.parametrize("name", POINTS)
def test_a_point(name):
    case, found = value("dsm", f"point.{name}")
    y = POINTS[name](case)
    r = case.score(y) - right_target("dsm", case)
    assert np.isclose(found, sq(r).mean() / 2, rtol=1e-12)
    if name not in ("x", "noise"):
        r = case.score(y) - (case.x - y) / case.sigma**2
        assert np.isclose(value("dsm", f"noisy.{name}")[1], sq(r).mean() / 2, rtol=1e-12)
    case, found = value("parzen_ism", f"point.{name}")
    y = POINTS[name](case)
    assert np.isclose(found, (sq(case.score(y)) / 2 + case.score_divergence(y)).mean(), rtol=1e-12)
    case, found = value("dae", f"point.{name}")
    assert np.isclose(found, sq(case.reconstruct(POINTS[name](case)) - case.x).mean(), rtol=1e-12)


CLEAN = {
    "noisy": lambda c: c.x_noisy, "noise": lambda c: c.noise,
    "next": lambda c: c.x[[1, 2, 3, 4, 5, 6, 0]], "before": lambda c: c.x[[6, 0, 1, 2, 3, 4, 5]],
    "minus-step": lambda c: c.x_noisy - c.x, "step": lambda c: c.x - c.x_noisy,
    "halfway": lambda c: c.x + (c.x_noisy - c.x) / 2, "reversed": lambda c: c.x[::-1],
    "mean": lambda c: sum(c.x) / c.n}


@pytest.mark.parametrize("name", CLEAN)
def test_a_target_of_a_reconstruction(name):
    case, found = value("dae", f"target.{name}")
    assert np.isclose(found, sq(case.reconstruct(case.x_noisy) - CLEAN[name](case)).mean(),
                      rtol=1e-12)


def parzen(c, at=None, kernel=None, over=1, without=None):
    """The score of the Parzen density; `kernel` is twice the variance in its exponent."""
    y = c.x_noisy if at is None else at
    apart = c.x[None] - y[:, None]
    share = np.exp(-sq(apart) / (2 * c.sigma**2 if kernel is None else kernel))
    share = share * (1 if without is None else 1 - np.eye(c.n))
    return np.einsum("nk,nki->ni", share / share.sum(axis=over, keepdims=True), apart)


NOISY = {
    "without-clean": lambda c: -c.x_noisy, "without-noisy": lambda c: c.x,
    "sum": lambda c: c.x + c.x_noisy, "corruption": lambda c: c.x - c.x_noisy,
    "at-clean": lambda c: parzen(c, c.x), "without-own": lambda c: parzen(c, without="own"),
    "other-axis": lambda c: parzen(c, over=0), "equal": lambda c: c.x.mean(axis=0) - c.x_noisy,
    "nearest": lambda c: c.x[sq(c.x[None] - c.x_noisy[:, None]).argmin(axis=1)] - c.x_noisy,
    "bandwidth-variance": lambda c: parzen(c, kernel=2 * c.sigma**4) / c.sigma**2,
    "bandwidth-root": lambda c: parzen(c, kernel=2 * c.sigma) * c.sigma,
    "bandwidth-one": lambda c: parzen(c, kernel=2) * c.sigma**2,
    "no-half": lambda c: 2 * parzen(c, kernel=c.sigma**2),
    "exponent-no-half": lambda c: parzen(c, kernel=c.sigma**2),
    "exponent-sigma": lambda c: parzen(c, kernel=2 * c.sigma),
    "exponent-sigma-4": lambda c: parzen(c, kernel=2 * c.sigma**4),
    "exponent-one": lambda c: parzen(c, kernel=2),
    "exponent-no-two": lambda c: parzen(c, kernel=4 * c.sigma**2)}


@pytest.mark.parametrize("name", NOISY)
def test_a_target_of_the_parzen_form(name):
    case, found = value("parzen_esm", f"target.{name}")
    r = case.score(case.x_noisy) - NOISY[name](case) / case.sigma**2
    assert np.isclose(found, sq(r).mean() / 2, rtol=1e-12)


def test_targets_of_other_objectives():
    case, found = value("dsm", "target.parzen")
    r = case.score(case.x_noisy) - parzen(case) / case.sigma**2
    assert np.isclose(found, sq(r).mean() / 2, rtol=1e-12)
    case, found = value("esm", "target.normal")
    assert np.isclose(found, sq(case.score(case.x) + case.x).mean() / 2, rtol=1e-12)


@pytest.mark.parametrize("objective", ["dsm", "dae"])
def test_every_output_with_every_target(objective):
    case, found = value(objective, "pairs.all")
    r = (case.score(case.x_noisy)[:, None] - right_target("dsm", case)[None] if objective == "dsm"
         else case.reconstruct(case.x_noisy)[:, None] - case.x[None])
    assert np.isclose(found, sq(r).mean() * (0.5 if objective == "dsm" else 1), rtol=1e-12)


def test_cross_entropy():
    for identities, at in (([], "x_noisy"), (["point.x"], "x")):
        case, found = value("dae", "square.cross-entropy", *identities)
        p = sigmoid(case.reconstruct(getattr(case, at)))
        entropy = -(case.x * np.log(p) + (1 - case.x) * np.log(1 - p)).sum(axis=1)
        assert np.isclose(found, entropy.mean(), rtol=1e-12)


OUTPUTS = {
    "output.step": lambda c, f: f(sigmoid) - c.x_noisy,
    "output.sigmoid": lambda c, f: sigmoid(f(sigmoid)), "hidden.tanh": lambda c, f: f(np.tanh),
    "hidden.relu": lambda c, f: f(lambda a: np.maximum(a, 0)),
    "hidden.linear": lambda c, f: f(lambda a: a),
    "hidden.softplus": lambda c, f: f(lambda a: np.log(1 + np.exp(a)))}


@pytest.mark.parametrize("identity", OUTPUTS)
def test_an_output_of_an_autoencoder(identity):
    case, found = value("dae", identity)

    def network(f):
        W, b, c = (case.params[name] for name in "Wbc")
        return f(case.x_noisy @ W.T + b) @ W + c

    assert np.isclose(found, sq(OUTPUTS[identity](case, network) - case.x).mean(), rtol=1e-12)


def test_shared_mistakes():
    case, found = value("ism", "points.not-last-of-n")
    own = sq(psi(case)) / 2 + diagonal(case).sum(axis=1)
    assert np.isclose(found, own[:6].sum() / 7, rtol=1e-12)
    assert np.isclose(value("ism", "points.not-last")[1], own[:6].mean(), rtol=1e-12)
    assert np.isclose(value("ism", "points.not-first")[1], own[1:].mean(), rtol=1e-12)
    assert np.isclose(value("ism", "points.first")[1], own[0], rtol=1e-12)
    assert own.min() < 0 < own.mean()
    assert np.isclose(value("ism", "loss.absolutes")[1], np.abs(own).mean(), rtol=1e-12)
    below = cases("ism", "prime")[16]
    mean = (sq(psi(below)) / 2 + diagonal(below).sum(axis=1)).mean()
    assert mean < 0
    assert np.isclose(value_of(below, "loss.absolute"), -mean, rtol=1e-12)
    W, b, c = (case.params[name] for name in "Wbc")
    extras = {"|theta|^2": (W**2).sum() + b @ b + c @ c, "|W|^2": (W**2).sum(),
              "|theta|_1": sum(np.abs(a).sum() for a in (W, b, c)), "|W|_1": np.abs(W).sum(),
              "energy": case.energy(case.x).mean(), "energy^2": (case.energy(case.x)**2).mean(),
              "|J|_F^2": (J(case)**2).sum() / 7, "sum_i J_ii^2": (diagonal(case)**2).sum() / 7}
    for name, extra in extras.items():
        assert np.isclose(value("ism", f"extra.{name}")[1], own.mean() + extra, rtol=1e-12), name
    case, found = value("dsm", "extra.tr J", model="tanh")
    r = case.score(case.x_noisy) - right_target("dsm", case)
    divergence = case.score_divergence(case.x_noisy)
    assert np.isclose(found, (sq(r) / 2 + divergence).mean(), rtol=1e-12)
    for name in "AB":
        found = value("dsm", f"extra.|{name}|^2", model="tanh")[1]
        assert np.isclose(found, sq(r).mean() / 2 + (case.params[name]**2).sum(), rtol=1e-12)
        found = value("dsm", f"extra.|{name}|_1", model="tanh")[1]
        assert np.isclose(found, sq(r).mean() / 2 + np.abs(case.params[name]).sum(), rtol=1e-12)


def test_parameters_that_are_left_out():
    case, found = value("dsm", "model.without-b")
    W, b, c = (case.params[name] for name in "Wbc")
    y, g = case.x_noisy, right_target("dsm", case)
    psi = (sigmoid(y @ W.T) @ W + c - y) / case.sigma**2
    assert np.isclose(found, sq(psi - g).mean() / 2, rtol=1e-12)
    psi = case.score(y) - c / case.sigma**2
    assert np.isclose(value("dsm", "model.without-c")[1], sq(psi - g).mean() / 2, rtol=1e-12)
    case, found = value("ism", "model.without-mean", model="gaussian")
    P = case.params["precision"]
    assert np.isclose(found, sq(case.x @ P).mean() / 2 - np.trace(P), rtol=1e-12)


# -- binary points --------------------------------------------------------------------------------


def gap(c):
    return (2 * c.x - 1) * (c.x @ c.params["W"] + c.params["b"])


LINKS = {
    "ratio": lambda g: sigmoid(-g)**2, "unsquared": lambda g: sigmoid(-g),
    "no-logarithm": lambda g: sigmoid(-g), "pseudo": lambda g: np.log(1 + np.exp(-g)),
    "exp": lambda g: np.exp(-g), "flow": lambda g: np.exp(-g / 2),
    "complement": lambda g: sigmoid(-g) * (1 - sigmoid(-g)),
    "both-classes": lambda g: sigmoid(-g)**2 + (1 - sigmoid(-g))**2, "squared-gap": lambda g: g**2,
    "gap": lambda g: g, "cube": lambda g: sigmoid(-g)**3, "hinge": lambda g: np.maximum(-g, 0),
    "squared-logarithm": lambda g: np.log(1 + np.exp(-g))**2, "tanh": lambda g: np.tanh(g)**2}
OTHER_LINKS = {"ratio": LINKS.keys() - {"ratio", "no-logarithm"},
               "pseudo": LINKS.keys() - {"pseudo", "unsquared"},
               "mpf": LINKS.keys() - {"flow", "no-logarithm", "exp"}}


@pytest.mark.parametrize("objective", OTHER_LINKS)
def test_a_function_of_the_gap(objective):
    made = {m.id for f in formulas(objective, None) for m in f.mistakes if m.role == "link"}
    assert made == {f"link.{name}" for name in OTHER_LINKS[objective]}
    for name in OTHER_LINKS[objective]:
        case, found = value(objective, f"link.{name}")
        assert np.isclose(found, LINKS[name](gap(case)).sum() / case.n, rtol=1e-12), name


def flipped(c, i):
    x = c.x.copy()
    x[:, i] = 1 - x[:, i]
    return x


def spin_gap(c):
    """E at spins 2 x - 1 with one spin turned, minus E."""
    y, W, b = 2 * c.x - 1, c.params["W"], c.params["b"]
    return 2 * y * (y @ W + b)


GAPS = {
    "minus": lambda c: -gap(c), "half": lambda c: gap(c) / 2, "double": lambda c: 2 * gap(c),
    "minus-half": lambda c: -gap(c) / 2, "minus-double": lambda c: -2 * gap(c),
    "no-sign": lambda c: c.x @ c.params["W"] + c.params["b"],
    "no-opposite-sign": lambda c: -(c.x @ c.params["W"] + c.params["b"]),
    "ones": lambda c: np.where(c.x == 1, gap(c), 0),
    "zeros": lambda c: np.where(c.x == 0, gap(c), 0), "absolute": lambda c: np.abs(gap(c)),
    "without-b": lambda c: (2 * c.x - 1) * (c.x @ c.params["W"]),
    "without-W": lambda c: (2 * c.x - 1) * c.params["b"],
    "half-weights": lambda c: (2 * c.x - 1) * (c.x @ c.params["W"] / 2 + c.params["b"]),
    "double-weights": lambda c: (2 * c.x - 1) * (2 * c.x @ c.params["W"] + c.params["b"]),
    "upper-triangle": lambda c: (2 * c.x - 1) * (c.params["b"] + np.stack(
        [c.x[:, :i] @ c.params["W"][:i, i] for i in range(5)], axis=1)),
    "lower-triangle": lambda c: (2 * c.x - 1) * (c.params["b"] + np.stack(
        [c.x[:, i + 1:] @ c.params["W"][i + 1:, i] for i in range(5)], axis=1)),
    "spins": spin_gap, "minus-spins": lambda c: -spin_gap(c),
    "all-flipped": lambda c: np.repeat((c.energy(1 - c.x) - c.energy(c.x))[:, None], 5, axis=1),
    "flipped-energy": lambda c: np.stack([c.energy(flipped(c, i)) for i in range(5)], axis=1),
    "energy": lambda c: np.repeat(c.energy(c.x)[:, None], 5, axis=1),
    "kept": lambda c: walk(c) - c.energy(c.x)[:, None],
    "successive": lambda c: walk(c) - np.column_stack([c.energy(c.x), walk(c)[:, :-1]])}


def walk(c):
    """The energies while bit after bit is flipped, and none is flipped back."""
    x, out = c.x.copy(), []
    for i in range(5):
        x[:, i] = 1 - x[:, i]
        out.append(c.energy(x))
    return np.stack(out, axis=1)


@pytest.mark.parametrize("name", GAPS)
def test_a_gap(name):
    case, found = value("pseudo", f"gap.{name}")
    assert np.isclose(found, np.log(1 + np.exp(-GAPS[name](case))).sum() / case.n, rtol=1e-12)


def test_the_gap_of_a_machine_without_its_visible_offsets():
    case, found = value("pseudo", "gap.without-c", model="rbm")
    c = case.params["c"]
    g = np.stack([case.energy(flipped(case, i)) - case.energy(case.x)
                  + c[i] * (1 - 2 * case.x[:, i]) for i in range(5)], axis=1)
    assert np.isclose(found, np.log(1 + np.exp(-g)).sum() / case.n, rtol=1e-12)


def test_bits_that_are_joined_or_left_out():
    case, product = value("ratio", "join.product")
    f = sigmoid(-gap(case))**2
    assert np.isclose(product, f.prod(axis=1).mean(), rtol=1e-12)
    assert np.isclose(value("ratio", "join.largest")[1], f.max(axis=1).mean(), rtol=1e-12)
    summed = (sigmoid(-gap(case).sum(axis=1))**2).mean()
    assert np.isclose(value("ratio", "join.gaps-summed")[1], summed, rtol=1e-12)
    case, more = value("mpf", "neighbours.all-flipped")
    opposite = case.energy(1 - case.x) - case.energy(case.x)
    flow = np.exp(-gap(case) / 2).sum(axis=1) + np.exp(-opposite / 2)
    assert np.isclose(more, flow.mean(), rtol=1e-12)
    case = value("ratio", "join.product")[0]
    averaged = (sigmoid(-gap(case).mean(axis=0))**2).mean()
    assert np.isclose(value("ratio", "join.gaps-averaged")[1], averaged, rtol=1e-12)
    for name, k in DIMENSIONS.items():
        assert np.isclose(value("ratio", f"bits.{name}")[1], f[:, k].sum() / 7, rtol=1e-12), name


def test_a_small_number_under_the_logarithm_and_smoothed_labels():
    for t in ("0.0001", "0.001", "0.01"):
        case, found = value("pseudo", f"join.log-plus-{t}")
        p = 1 / (1 + np.exp(-gap(case)))
        assert np.isclose(found, -np.log(p + float(t)).sum() / case.n, rtol=1e-12), t
    labels = -(np.log(p) - gap(case)).sum() / case.n               # 1 log p + 1 (log p - log(1-p))
    assert np.isclose(value("pseudo", "extra.sum gap")[1], labels, rtol=1e-12)
    case, found = value("ratio", "extra.sum sigmoid(-gap)")
    p = 1 / (1 + np.exp(-gap(case)))
    assert np.isclose(found, ((1.5 - p)**2 - 0.25).sum() / case.n, rtol=1e-12)


# -- generalised score matching -------------------------------------------------------------------

WEIGHTS = {
    "h": lambda c: c.x**2, "h'": lambda c: 2 * c.x, "1": lambda c: np.ones_like(c.x),
    "h^2": lambda c: c.x**4, "sqrt(h)": lambda c: c.x, "x": lambda c: c.x,
    "h'^2": lambda c: 4 * c.x**2, "h h'": lambda c: 2 * c.x**3,
    "h of the next point": lambda c: np.vstack([c.x[1:], c.x[:1]])**2,
    "h of the point before": lambda c: np.vstack([c.x[-1:], c.x[:-1]])**2}


def weighted(c, norm="h", slope="h'", divergence="h"):
    a, b, e = (WEIGHTS[name](c) for name in (norm, slope, divergence))
    return (a * psi(c)**2 / 2 + b * psi(c) + e * diagonal(c)).sum() / c.n


WEIGHED = [
    *(("norm", name) for name in ("h'", "1", "h^2", "sqrt(h)", "x", "h h'")),
    *(("slope", name) for name in ("h", "1", "h^2", "h'^2", "h h'")),
    *(("divergence", name) for name in ("h'", "1", "h^2", "sqrt(h)", "x", "h h'")),
    *((role, f"h of the {name}") for role in ("norm", "slope", "divergence")
      for name in ("next point", "point before"))]


@pytest.mark.parametrize("role, name", WEIGHED)
def test_a_weight_of_the_generalised_form(role, name):
    case, found = value("generalized", f"{role}.{name}")
    assert np.isclose(found, weighted(case, **{role: name}), rtol=1e-12)


def test_two_mistakes_at_once():
    case, found = value("dsm", "point.x", "dimensions.first-two")
    r = case.score(case.x) - right_target("dsm", case)
    assert np.isclose(found, sq(r[:, :2]).mean() / 2, rtol=1e-12)
    found = value("dsm", "point.x", "square.norm")[1]
    assert np.isclose(found, np.sqrt(sq(r)).mean(), rtol=1e-12)
    case, found = value("pseudo", "gap.minus", "bits.first")
    assert np.isclose(found, np.log(1 + np.exp(gap(case)[:, 0])).mean(), rtol=1e-12)
    case, found = value("ratio", "gap.double", "link.flow")
    assert np.isclose(found, np.exp(-gap(case)).sum() / case.n, rtol=1e-12)
    case, found = value("parzen_ism", "point.x", "divergence.first")
    own = sq(psi(case)).mean() / 2 + J(case)[:, 0, 0].mean()
    assert np.isclose(found, own, rtol=1e-12)


def test_other_weights_of_the_generalised_form():
    for name in ("h^2", "h of the next point", "h of the point before"):
        case, both = value("generalized", f"norm.{name}", f"divergence.{name}")
        assert np.isclose(both, weighted(case, norm=name, divergence=name), rtol=1e-12)
    none = value("generalized", "weights.none")[1]
    assert np.isclose(none, (sq(psi(case)) / 2 + diagonal(case).sum(axis=1)).mean(), rtol=1e-12)
    own = case.h * psi(case)**2 / 2 + case.h_slope * psi(case) + case.h * diagonal(case)
    for name, k in DIMENSIONS.items():
        found = value("generalized", f"dimensions.{name}")[1]
        assert np.isclose(found, own[:, k].sum() / case.n, rtol=1e-12), name


# -- a level for each point -----------------------------------------------------------------------


def at_levels(c, alpha=None, sigma=None):
    """The target of the score at other levels, (n, d)."""
    alpha, sigma = (own if a is None else a for a, own in ((alpha, c.alpha), (sigma, c.sigma)))
    return (alpha[:, None] * c.x - c.x_noisy) / sigma[:, None]**2


PER_POINT = {
    **{f"level.{n}": lambda c, n=n: at_levels(c, other(c.alpha, n), other(c.sigma, n))
       for n in ("next", "before", "reversed", "first", "last")},
    **{f"level.sigma-{n}": lambda c, n=n: at_levels(c, sigma=other(c.sigma, n))
       for n in ("next", "before", "reversed", "first", "last")},
    **{f"level.alpha-{n}": lambda c, n=n: at_levels(c, other(c.alpha, n))
       for n in ("next", "before", "reversed", "first", "last")},
    **{f"sigma.{n}": lambda c, n=n: -c.noise / other(c.sigma, n)[:, None]
       for n in ("next", "before", "reversed", "first", "last")},
    "kind.noise": lambda c: c.noise, "kind.clean": lambda c: c.x,
    "kind.velocity": lambda c: c.alpha[:, None] * c.noise - c.sigma[:, None] * c.x,
    "kind.flow": lambda c: c.noise - c.x, "kind.minusnoise": lambda c: -c.noise,
    "kind.minusclean": lambda c: -c.x, "kind.minusflow": lambda c: c.x - c.noise,
    "kind.minusvelocity": lambda c: c.sigma[:, None] * c.x - c.alpha[:, None] * c.noise,
    "target.unscaled": lambda c: (c.x - c.x_noisy) / c.sigma[:, None]**2,
    "target.over-sigma": lambda c: at_levels(c) * c.sigma[:, None],
    "target.over-cube": lambda c: -c.noise / c.sigma[:, None]**2,
    "target.difference": lambda c: c.alpha[:, None] * c.x - c.x_noisy,
    "target.minus": lambda c: -at_levels(c),
    "target.next": lambda c: at_levels(c)[[1, 2, 3, 4, 5, 6, 0]],
    "target.before": lambda c: at_levels(c)[[6, 0, 1, 2, 3, 4, 5]],
    "target.reversed": lambda c: at_levels(c)[[6, 5, 4, 3, 2, 1, 0]]}


@pytest.mark.parametrize("identity", PER_POINT)
def test_a_target_of_levels(identity):
    case, found = value("dsm_levels", identity)
    r = case.score(case.x_noisy) - PER_POINT[identity](case)
    assert np.isclose(found, sq(r).mean() / 2, rtol=1e-11)     # terms that cancel: sigma is 1/16


def test_the_target_of_a_score_for_a_network():
    case, plus = value("noise_prediction", "kind.score")
    f, score = case.prediction(case.x_noisy), -case.noise / case.sigma[:, None]
    assert np.isclose(plus, sq(f - score).mean(), rtol=1e-11)
    minus = value("noise_prediction", "kind.minusscore")[1]
    assert np.isclose(minus, sq(f + score).mean(), rtol=1e-11)


@pytest.mark.parametrize("objective", ["dsm_levels", "noise_prediction", "edm_prediction"])
def test_weights_of_levels(objective):
    case = cases(objective, "prime")[6]
    loss = (sq(case.score(case.x_noisy) - at_levels(case)) / 2 if objective == "dsm_levels"
            else sq(case.prediction(case.x_noisy) - case.noise))
    if objective == "edm_prediction":
        s, sigma = case.data_sd, case.sigma[:, None]
        c_out = s * sigma / np.sqrt(s**2 + sigma**2)
        target = (case.x - s**2 / (s**2 + sigma**2) * case.x_noisy) / c_out
        loss = sq(case.prediction(case.x_noisy) - target)
    made = {m.id: m.words for f in formulas(objective, "tanh") for m in f.mistakes}
    alpha = case.arrays.get("alpha", np.ones(7))
    for name, _, f in LEVEL_WEIGHTS:
        if f"weight.{name}" not in made:
            continue
        w = f(alpha, case.sigma, case.hyper.get("data_sd", 0.5))
        expected = {f"weight.{name}": (w * loss).mean(), f"pairs.{name}": w.mean() * loss.mean(),
                    f"shifted.{name}--1": (other(w, "next") * loss).mean(),
                    f"shifted.{name}-1": (other(w, "before") * loss).mean()}
        for identity, number in expected.items():
            assert np.isclose(value_of(case, identity), number, rtol=1e-10), identity
    shifted = "each level is weighted by 1 / sigma^2 of the {}"
    if objective == "noise_prediction":
        assert made["shifted.inverse-variance--1"] == shifted.format("next point")
        assert made["shifted.clean-inverse-variance-1"] == shifted.format(
            "point before, on the squared error of the clean point")


GIVEN = {**{n: lambda s, n=n: other(s, n) for n in ("next", "before", "reversed", "first", "last")},
         "variance": lambda s: s * s, "log": np.log, "inverse": lambda s: 1 / s}


GIVEN_IN_WORDS = {
    "next": "the sigma of the next point", "before": "the sigma of the point before",
    "reversed": "the sigma of the points in reverse order",
    "first": "the sigma of the first point, for all",
    "last": "the sigma of the last point, for all", "variance": "sigma^2 in place of sigma",
    "log": "log sigma in place of sigma", "inverse": "1 / sigma in place of sigma"}


@pytest.mark.parametrize("name", GIVEN)
def test_a_network_that_is_given_another_level(name):
    case = network_cases("clean_prediction", lambda x, theta, s: x @ theta["A"] + s[:, None],
                         lambda d, rng: {"A": rng.standard_normal((d, d))})[6]
    f = case.x_noisy @ case.params["A"] + GIVEN[name](case.sigma)[:, None]
    found = value_of(case, f"network.{name}")
    (row,) = next(f for f in formulas("clean_prediction", "network")
                  if [m.id for m in f.mistakes] == [f"network.{name}"]).mistakes
    assert row.words == f"the network is given {GIVEN_IN_WORDS[name]}"
    assert np.isclose(found, sq(f - case.x).mean(), rtol=1e-10)


def test_a_network_of_ones_own_that_is_read_at_the_clean_point():
    case = network_cases("dsm", lambda x, theta: np.sin(x @ theta["A"]),
                         lambda d, rng: {"A": rng.standard_normal((d, d))})[6]
    at_x, at_y = (np.sin(y @ case.params["A"]) for y in (case.x, case.x_noisy))
    g = right_target("dsm", case)
    found = [value_of(case, identity) for identity in ("norm.at-x", "cross.at-x",
                                                       "extra.|psi(x)|^2")]
    parts = [(sq(at_x) + sq(g)) / 2 - (at_y * g).sum(axis=1),
             (sq(at_y) + sq(g)) / 2 - (at_x * g).sum(axis=1), sq(at_y - g) / 2 + sq(at_x)]
    assert np.allclose(found, np.mean(parts, axis=1), rtol=1e-10)


@pytest.mark.slow
def test_every_mistake_has_an_example():
    dimensions = set(DIMENSIONS)
    by_role = {
        "norm": {*NORMS, "mean-along", "sliced", *(f"directions-{name}" for name in DIRECTIONS)},
        "divergence": {*DIVERGENCES, *(f"{name}-exact" for name in DIVERGENCES), "mean-along",
                       *(f"directions-{name}" for name in DIRECTIONS)},
        "penalty": set(PENALTIES), "directions": {*DIRECTIONS, "mean"}, "dimensions": dimensions,
        "bits": dimensions, "square": {*SQUARES, *ROBUST, "cosine", "cross-entropy"},
        "noisy": set(POINTS),
        "point": set(POINTS), "target": {*SCALES, *CLEAN, *NOISY, "parzen", "normal"},
        "link": set(LINKS), "gap": {*GAPS, "without-c"}, "network": set(GIVEN),
        "join": {"product", "largest", "gaps-summed", "gaps-averaged", *(
            f"log-plus-{t:g}" for t in (1e-4, 1e-3, 0.01))}, "weights": {"none"},
        "points": {"not-last-of-n", "not-last", "not-first", "first", *SORTED},
        "pairs": {"all"}, "residual": {"noise"}, "clipped": {"0-1", "-1-1", "-3-3"},
        "clean": {"next", "before", "reversed", "first", "last"}, "variate": {"clean", "small"},
        "neighbours": {"all-flipped"},
        "model": {"without-b", "without-c", "without-mean"}, "loss": {"absolute", "absolutes"},
        "extra": {"energy", "energy^2", "|J|_F^2", "tr J", "sum_i J_ii^2", *ANGLES,
                  "|psi|^2", "|psi(x)|^2", "(|psi(x)|^2 / 2 + tr J(x))", "|J(x)|_F^2",
                  "energy at x", "|y(x) - x|^2", "sum gap", "sum sigmoid(-gap)", *(
                      f"|{name}|{norm}" for name in ("theta", "W", "A", "B")
                      for norm in ("^2", "_1"))}, "kind": {"score", "minusscore"}}
    held = {f"{role}.{name}" for role, names in by_role.items() for name in names}
    held |= {f"{role}.at-x" for role in ("norm", "cross", "divergence", "output", "product")}
    held |= {f"noisy.x_noisy clipped to {ends}" for ends in ((0, 1), (-1, 1), (-3, 3))}
    held |= {*COMPARED, "divergence.slope-value", "divergence.slope-tanh"}
    held |= {*ALONG, *OUTPUTS, *PLANTED, *PER_POINT, *(f"{role}.{name}" for role, name in WEIGHED)}
    held |= {f"noisy.{what}-{name}" for what in ("level", "sigma") for name in ("next", "before")}
    held |= {f"{role}.{front}{name}{step}" for name, *_ in LEVEL_WEIGHTS
             for front in ("", "clean-")
             for role, step in (("weight", ""), ("pairs", ""), ("shifted", "-1"),
                                ("shifted", "--1"))}
    made = set()
    for objective, about in OBJECTIVES.items():
        network = [] if about.is_binary else ["network"]
        for model in (None, *model_names(objective), *network):
            made |= {m.id for f in formulas(objective, model) for m in f.mistakes}
    assert made - held == set()
