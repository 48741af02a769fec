"""Hostile inputs: the right result or one clear sentence; no modified input and no warning."""
import re

import numpy as np
import pytest
from oracles import complex_gradient, relative_gap
from test_grid import (BINARY, BINARY_OBJECTIVES, CONTINUOUS, D, GRID, K, M, N, OBJECTIVES,
                       energy, objective)

import refsm

SIGMA = 0.37


def functions():
    """name -> function of points (n, d); continuous data."""
    out = {}
    for which in [*CONTINUOUS, "Parzen"]:
        centers = np.random.default_rng(4).standard_normal((11, D))
        model = refsm.Parzen(centers, 0.61) if which == "Parzen" else energy(which)
        for method in ("energy", "score", "score_jacobian", "score_divergence",
                       "score_jacobian_diagonal"):
            out[f"{which}.{method}"] = getattr(model, method)
        out[f"{which}.score_curvature"] = lambda x, model=model: model.score_curvature(
            x, np.ones((len(x), K, D)))
        if which != "Parzen":
            out[f"{which}.pullback"] = lambda x, model=model: model.ravel(
                model.pullback(x, score=np.ones((len(x), D))))
    model = energy("AutoencoderEnergy")
    for name, make in {
            "ExplicitScoreMatching": lambda x: refsm.ExplicitScoreMatching(x, energy("Gaussian")),
            "ImplicitScoreMatching": refsm.ImplicitScoreMatching,
            "RegularizedScoreMatching": lambda x: refsm.RegularizedScoreMatching(x, 0.1),
            "ParzenImplicitScoreMatching": refsm.ParzenImplicitScoreMatching,
            "ParzenExplicitScoreMatching": lambda x: refsm.ParzenExplicitScoreMatching(
                x, np.zeros((2, D)), SIGMA),
            "DenoisingScoreMatching": lambda x: refsm.DenoisingScoreMatching(
                x, np.asarray(x, dtype=float) + 0.5, SIGMA),
            "DenoisingAutoencoderLoss": lambda x: refsm.DenoisingAutoencoderLoss(
                x, np.asarray(x, dtype=float) + 0.5),
            "SlicedScoreMatching": lambda x: refsm.SlicedScoreMatching(x, np.ones((len(x), K, D))),
            "GeneralizedScoreMatching": lambda x: refsm.GeneralizedScoreMatching(
                x, np.ones((N, D)), np.zeros((N, D))),
    }.items():
        out[name] = lambda x, make=make: make(x).value(model)
    out["Parzen centers"] = lambda x: refsm.Parzen(x, SIGMA).score(np.zeros((2, D)))
    out["GaussianCorruption.sample"] = lambda x: refsm.GaussianCorruption(SIGMA).sample(
        x, np.random.default_rng(0))
    out["DiagonalCorruption.sample"] = lambda x: refsm.DiagonalCorruption([0.37, 0.61, 1.3]).sample(
        x, np.random.default_rng(0))
    out["tweedie"] = lambda x: refsm.tweedie(energy("GaussianMixture"), x, SIGMA)
    out["langevin"] = lambda x: refsm.langevin(energy("Gaussian"), x, 0.01, 3,
                                               np.random.default_rng(0))
    return out


def binary_functions():
    out = {}
    for which in BINARY:
        model = energy(which)
        out[f"{which}.energy"], out[f"{which}.energy_gap"] = model.energy, model.energy_gap
        out[f"{which}.pullback"] = lambda x, model=model: model.ravel(
            model.pullback(x, gap=np.ones((len(x), D))))
    for sample in (refsm.gibbs, refsm.block_gibbs):
        out[sample.__name__] = lambda x, sample=sample: sample(energy("BernoulliRBM"), x, 3,
                                                               np.random.default_rng(0))
    for name in BINARY_OBJECTIVES:
        out[name] = lambda x, name=name: getattr(refsm, name)(x).value(energy("BernoulliRBM"))
    return out


CONTINUOUS_FUNCTIONS, BINARY_FUNCTIONS = functions(), binary_functions()
# exact in every float type
X = np.round(np.random.default_rng(6).standard_normal((N, D)) * 8) / 8
BITS = (X > 0).astype(float)


class Subclass(np.ndarray):
    """An array with a name."""


def forms(x):
    """The same points in other clothes."""
    wide = np.full((2 * N, 2 * D), 99.0)
    wide[::2, ::2] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    out = {
        "Fortran order": np.asfortranarray(x),
        "not contiguous": wide[::2, ::2],
        "read-only": read_only,
        "reversed strides": x[::-1].copy()[::-1],
        "big-endian": x.astype(">f8"),
        "float32": x.astype(np.float32),
        "float16": x.astype(np.float16),
        "a list": x.tolist(),
        "a subclass": x.view(Subclass),
        "a mask that masks nothing": np.ma.masked_array(x, mask=np.zeros(x.shape, bool)),
        "an object array of floats": x.astype(object)
    }
    if set(np.unique(x)) <= {0.0, 1.0}:
        out |= {"int8": x.astype(np.int8), "bool": x.astype(bool), "uint64": x.astype(np.uint64)}
    try:
        import pandas
        out["a data frame"] = pandas.DataFrame(x, columns=list("abc"))
    except ImportError:
        pass
    return out


FORMS, BIT_FORMS = forms(X), forms(BITS)


def unlike(f, x, its_forms):
    """The forms of x for which f gives another result, or which f changes."""
    expected = np.asarray(f(x))
    out = []
    for name, form in its_forms.items():
        result = np.asarray(f(form))
        equal = np.allclose(result, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())
        if result.dtype != np.float64 or not equal or not np.array_equal(np.array(form), x):
            out.append(name)
    return out


@pytest.mark.parametrize("name", CONTINUOUS_FUNCTIONS)
def test_the_same_points_in_another_form_give_the_same_result(name):
    assert unlike(CONTINUOUS_FUNCTIONS[name], X, FORMS) == []


@pytest.mark.parametrize("name", BINARY_FUNCTIONS)
def test_the_same_bits_in_another_form_give_the_same_result(name):
    assert unlike(BINARY_FUNCTIONS[name], BITS, BIT_FORMS) == []


def test_another_result_and_a_changed_input_are_seen():
    few = {form: BIT_FORMS[form] for form in ("float32", "Fortran order")}
    assert unlike(lambda x: x[:1] + (np.asarray(x).dtype == np.float32), BITS, few) == ["float32"]
    assert unlike(lambda x: np.asarray(x, dtype=np.float32), BITS, few) == list(few)

    def changes(x):
        if x.flags.f_contiguous:
            x[0, 0] = 7
        return np.zeros(3)
    assert unlike(changes, BITS, {"Fortran order": np.asfortranarray(BITS)}) == ["Fortran order"]


def with_entry(value):
    x = X.copy()
    x[3, 1] = value
    return x


WRONG = {
    "one-dimensional": (X[:, 0], "must have shape"),
    "three-dimensional": (X[None], "must have shape"),
    "a number": (np.float64(1.0), "must have shape"),
    "no points": (X[:0], r"\(empty\)"),
    "no dimensions": (X[:, :0], r"\(empty\)"),
    "NaN": (with_entry(np.nan), r"must be finite, but it has nan at \(3, 1\)"),
    "infinity": (with_entry(-np.inf), r"must be finite, but it has -inf at \(3, 1\)"),
    "masked": (np.ma.masked_array(X, mask=X > 1), "must have no missing entries"),
    "text": (np.full((N, D), "a"), "must be numbers, but its dtype is <U1"),
    "None": (np.full((N, D), None), "must be numbers, but it contains None"),
    "ragged": ([[1.0, 2.0, 3.0], [1.0]], "differ in length"),
    "dates": (np.zeros((N, D), "M8[D]"), "must be numbers"),
}


def another_argument_can_be_made(name, kind):
    """Some functions above make a second argument from the points: noisy ones, or directions."""
    if name in ("DenoisingScoreMatching", "DenoisingAutoencoderLoss"):
        return kind not in ("text", "None", "ragged", "dates")
    needs_rows = name.endswith(("curvature", "pullback")) or name.startswith("Sliced")
    return not (kind == "a number" and needs_rows)


@pytest.mark.parametrize("name", [*CONTINUOUS_FUNCTIONS, *BINARY_FUNCTIONS])
def test_what_cannot_be_points_is_refused_in_one_sentence(name):
    f = {**CONTINUOUS_FUNCTIONS, **BINARY_FUNCTIONS}[name]
    for kind, (x, sentence) in WRONG.items():
        if another_argument_can_be_made(name, kind):
            message = refusal(f, x)
            assert re.search(sentence, message), f"{kind}: {message}"
            assert "\n" not in message, kind
            assert len(message) < 200, kind


def refusal(f, x):
    """The sentence with which f refuses x."""
    try:
        return f"nothing was raised: {f(x)}"
    except (ValueError, TypeError) as error:
        return str(error)


@pytest.mark.parametrize("name", [name for name in [*CONTINUOUS_FUNCTIONS, *BINARY_FUNCTIONS]
                                  if "." in name and "Corruption" not in name])
def test_another_number_of_dimensions_is_refused(name):
    with pytest.raises(ValueError, match=r"x must have shape \(n, 3\), but its shape is \(7, 5\)"):
        {**CONTINUOUS_FUNCTIONS, **BINARY_FUNCTIONS}[name](np.zeros((7, 5)))


@pytest.mark.parametrize("name", BINARY_FUNCTIONS)
def test_what_is_not_binary_is_refused_by_its_entry(name):
    x = BITS.copy()
    x[2, 1] = 0.5
    with pytest.raises(ValueError, match=r"x must contain only 0 and 1, but entry \(2, 1\) is 0.5"):
        BINARY_FUNCTIONS[name](x)


@pytest.mark.parametrize("which", [*CONTINUOUS, *BINARY])
def test_parameters_that_are_no_parameters_are_refused_and_the_model_stays(which):
    model = energy(which)
    before = model.ravel().copy()
    for k, block in enumerate(model.theta):
        for bad in (np.full(block.shape, np.nan), block[:0], block[..., None],
                    np.full(block.shape, "a")):
            theta = list(model.theta)
            theta[k] = bad
            with pytest.raises((ValueError, TypeError)):
                model.with_theta(type(model.theta)(*theta))
        with pytest.raises(ValueError, match="read-only"):
            block[...] = 0
    with pytest.raises(ValueError, match="vector must have shape"):
        model.unravel(before[:-1])
    with pytest.raises(Exception, match="cannot assign"):
        model.theta_ = 1
    np.testing.assert_array_equal(model.ravel(), before)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, "0.3", None, True, 1j,
                                 np.array([0.3, 0.4])])
def test_a_sigma_that_is_no_standard_deviation_is_refused_by_name(bad):
    makers = [
        lambda: refsm.AutoencoderEnergy(np.ones((M, D)), np.ones(M), np.ones(D), sigma=bad),
        lambda: refsm.Parzen(X, bad), lambda: refsm.GaussianCorruption(bad),
        lambda: refsm.ScaledCorruption(0.5, bad),
        lambda: refsm.ParzenExplicitScoreMatching(X, X, bad)
    ]
    for make in makers:
        with pytest.raises((ValueError, TypeError), match="^sigma must be"):
            make()
    with pytest.raises((ValueError, TypeError)):
        refsm.DenoisingScoreMatching(X, X, bad)


@pytest.mark.parametrize("of", [*OBJECTIVES, *BINARY_OBJECTIVES, "DenoisingAutoencoderLoss"])
def test_weights_that_are_no_weights_are_refused_and_data_are_not_modified(of):
    J = objective(of)
    fields = {name: getattr(J, name) for name in J.per_point}
    for bad in (np.ones(N + 1), np.ones((N, 1)), np.full(N, np.nan), "abc"):
        with pytest.raises((ValueError, TypeError)):
            type(J)(**{**{f: getattr(J, f) for f in J.__dataclass_fields__}, "weights": bad})
    for array in fields.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


WIDE = {
    "AutoencoderEnergy": refsm.AutoencoderEnergy(np.ones((M, 6)), np.ones(M), np.ones(6),
                                                 sigma=0.5),
    "Gaussian": refsm.Gaussian(np.ones(6), np.eye(6)),
    "GaussianBernoulliRBM": refsm.GaussianBernoulliRBM(np.ones((M, 6)), np.ones(M), np.ones(6),
                                                       np.zeros(6)),
    "GaussianMixture": refsm.GaussianMixture([1.0], np.ones((1, 6)), np.eye(6)[None]),
    "CorruptedGaussian": refsm.Gaussian(np.ones(6), np.eye(6)).corrupted(0.5),
    "CorruptedMixture": refsm.GaussianMixture([1.0], np.ones((1, 6)),
                                              np.eye(6)[None]).corrupted(0.5),
    "PolynomialEnergy": refsm.PolynomialEnergy([1.0], [[1] * 6]),
    "ProductOfExperts": refsm.ProductOfExperts(np.ones((M, 6)), np.ones(M)),
    "BernoulliRBM": refsm.BernoulliRBM(np.ones((M, 6)), np.ones(M), np.ones(6)),
    "BoltzmannMachine": refsm.BoltzmannMachine(np.zeros((6, 6)), np.ones(6)),
}


@pytest.mark.parametrize("of", dict.fromkeys(of for _, of in GRID))
def test_a_model_of_another_dimension_is_refused(of):
    J = objective(of)
    for which, pair in GRID:
        if pair == of:
            with pytest.raises(ValueError, match="model must have d = 3 as the data"):
                J.value(WIDE[which.removesuffix(", student")])


@pytest.mark.parametrize("of", ["ImplicitScoreMatching", "RatioMatching"])
@pytest.mark.parametrize("model", [None, 3, "model", np.ones((3, 3))])
def test_what_is_no_model_is_refused(of, model):
    with pytest.raises(TypeError, match="model must be an energy, but it is of type"):
        objective(of).value(model)


@pytest.mark.parametrize(("n", "d", "m"), [(1, 1, 1), (1, 3, 1), (5, 1, 3)])
def test_the_smallest_sizes_are_sizes(n, d, m):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, d))
    for model in (refsm.AutoencoderEnergy(rng.standard_normal((m, d)),
                                          np.zeros(m),
                                          np.zeros(d),
                                          sigma=0.7),
                  refsm.GaussianBernoulliRBM(rng.standard_normal((m, d)), np.zeros(m), np.zeros(d),
                                             np.zeros(d)), refsm.Gaussian(np.zeros(d), np.eye(d))):
        for J in (refsm.ImplicitScoreMatching(x), refsm.DenoisingScoreMatching(x, x + 1, 0.5),
                  refsm.SlicedScoreMatching(x, np.ones((n, 1, d)))):
            by_steps = complex_gradient(lambda theta: J.value(model.unravel(theta)), model.ravel())
            assert relative_gap(model.ravel(J.gradient(model)), by_steps) < 1e-12


def test_no_hidden_units_are_refused():
    with pytest.raises(ValueError,
                       match=r"W must have shape \(m, d\), but its shape is \(0, 3\) \(empty\)"):
        refsm.AutoencoderEnergy(np.ones((0, 3)), np.ones(0), np.ones(3), sigma=1.5)
    with pytest.raises(ValueError, match=r"W must have shape \(m, d\)"):
        refsm.GaussianBernoulliRBM(np.ones((0, 3)), np.ones(0), np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match=r"W must have shape \(m, d\)"):
        refsm.BernoulliRBM(np.ones((0, 3)), np.ones(0), np.ones(3))


@pytest.mark.parametrize("sigma", [1e-8, 1e-6, 1e6, 1e8])
def test_extreme_scales_are_finite_and_scale_as_they_must(sigma):
    """With every length times sigma, a score is divided by it, J_DAE multiplied by its square."""
    rng = np.random.default_rng(1)
    W, b, c = rng.standard_normal((M, D)), rng.standard_normal(M), rng.standard_normal(D)
    noise = rng.standard_normal((N, D))
    model = refsm.AutoencoderEnergy(W, b, c, sigma=sigma)
    x_noisy = X + sigma * noise
    dsm = refsm.DenoisingScoreMatching(X, x_noisy, sigma).value(model)
    dae = refsm.DenoisingAutoencoderLoss(X, x_noisy).value(model)
    assert np.isfinite(dsm)
    assert 2 * sigma**4 * dsm == pytest.approx(dae, rel=1e-6 if sigma > 1 else 1e-12)
    centers = sigma * X
    assert refsm.Parzen(centers, sigma).score(sigma * noise) * sigma == pytest.approx(refsm.Parzen(
        X, 1.0).score(noise),
                                                                                      rel=1e-9)


@pytest.mark.parametrize("scale", [1e2, 1e4])
def test_large_activations_are_finite(scale):
    rng = np.random.default_rng(2)
    W = scale * rng.standard_normal((M, D))
    b = scale * rng.standard_normal(M)
    c = rng.standard_normal(D)
    for model in (refsm.AutoencoderEnergy(W, b, c, sigma=0.6),
                  refsm.GaussianBernoulliRBM(W, b, c, np.zeros(D))):
        for J in (refsm.ImplicitScoreMatching(X), refsm.DenoisingScoreMatching(X, X + 0.1, 0.1),
                  refsm.RegularizedScoreMatching(X, 0.1)):
            value, gradient = J.value_and_gradient(model)
            assert np.isfinite(value)
            assert np.isfinite(model.ravel(gradient)).all()
        assert np.isfinite(model.energy(X)).all()
    value, gradient = refsm.RatioMatching(BITS).value_and_gradient(refsm.BernoulliRBM(W, b, c))
    assert np.isfinite(value)
    assert all(np.isfinite(block).all() for block in gradient)


def test_one_model_from_several_threads_gives_the_same_results():
    from concurrent.futures import ThreadPoolExecutor
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3000, D))
    model, J = energy("AutoencoderEnergy"), refsm.ImplicitScoreMatching(x)
    expected = J.value_and_gradient(model)
    with ThreadPoolExecutor(4) as pool:
        for value, gradient in pool.map(lambda _: J.value_and_gradient(model), range(16)):
            assert value == expected[0]
            np.testing.assert_array_equal(model.ravel(gradient), model.ravel(expected[1]))


@pytest.mark.parametrize("which", ["Gaussian", "GaussianMixture", "Parzen"])
@pytest.mark.parametrize("n", [-1, 0, 2.5, True, "3", None, np.float64(3)])
def test_a_number_of_samples_that_is_no_count_is_refused(which, n):
    model = refsm.Parzen(X, 0.61) if which == "Parzen" else energy(which)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"^n must be a whole number >= 1, but it is [^\n]+$"):
        model.sample(n, rng)
    assert model.sample(np.int64(3), rng).shape == (3, D)
