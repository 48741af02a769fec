"""Denoising at several levels: the sum of its levels, one theta or many, rationals, refusals."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
from oracles import complex_gradient, relative_gap

import refsm
from refsm.objectives.objective import Objective

L, n, d, m = 3, 7, 5, 6
A = np.random.default_rng(9).standard_normal((d, d))
CORRUPTIONS = [
    0.37,
    refsm.ScaledCorruption(0.8, 0.61),
    refsm.CovarianceCorruption(A @ A.T / 5 + np.eye(d) / 3),
]
LAM = np.array([0.3, 1.7, 0.6])


def data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((L, n, d)), rng.uniform(0.5, 1.5, n)


def objective():
    x, x_noisy, weights = data()
    return refsm.MultiLevelDenoising(x, x_noisy, CORRUPTIONS, LAM, weights=weights)


def density(name):
    rng = np.random.default_rng(2)
    P = A @ A.T / 4 + np.eye(d)
    if name == "Gaussian":
        return refsm.Gaussian(rng.standard_normal(d), P)
    if name == "Parzen":
        return refsm.Parzen(rng.standard_normal((11, d)), 0.4)
    return refsm.GaussianMixture(
        [0.2, 0.5, 0.3], rng.standard_normal((3, d)), np.stack([P, np.eye(d) / 2, 2 * np.eye(d)])
    )


def energies():
    rng = np.random.default_rng(3)
    return [
        refsm.AutoencoderEnergy(
            rng.standard_normal((m, d)), rng.standard_normal(m), rng.standard_normal(d), sigma=0.37
        ),
        density("Gaussian"),
        density("GaussianMixture"),
    ]


def plain_terms(model):
    """The definition, level by level, with the score of the corruption written out."""
    x, x_noisy, _ = data()
    models = model if isinstance(model, list) else [model.corrupted(c) for c in CORRUPTIONS]
    C = [0.37**2 * np.eye(d), 0.61**2 * np.eye(d), CORRUPTIONS[2].covariance]
    alpha = [1, 0.8, 1]
    total = 0
    for level in range(L):
        target = (alpha[level] * x - x_noisy[level]) @ np.linalg.inv(C[level])
        total = (
            total
            + LAM[level] * ((models[level].score(x_noisy[level]) - target) ** 2).sum(axis=1) / 2
        )
    return total


@pytest.mark.parametrize(
    "name", ["Gaussian", "GaussianMixture", "Parzen", "one energy for each level"]
)
def test_terms_and_value_are_the_weighted_sums_over_the_levels(name):
    model = energies() if name.startswith("one") else density(name)
    J, (_, _, weights) = objective(), data()
    assert relative_gap(J.per_sample(model), plain_terms(model)) < 1e-13
    assert J.value(model) == pytest.approx(weights @ plain_terms(model), rel=1e-13)
    value, _ = J.value_and_gradient(model)
    assert isinstance(value, float)
    assert value == pytest.approx(J.value(model), rel=1e-14)


@pytest.mark.parametrize("name", ["Gaussian", "GaussianMixture"])
def test_the_gradient_for_one_theta_is_a_complex_step(name):
    J, model = objective(), density(name)
    expected = complex_gradient(lambda v: J.value(model.unravel(v)), model.ravel())
    gradient = J.gradient(model)
    assert isinstance(gradient, type(model.theta))
    assert relative_gap(model.ravel(gradient), expected) < 1e-12


def test_the_gradient_for_a_sequence_of_energies_is_a_sequence_of_gradients():
    J, models = objective(), energies()
    gradients = J.gradient(models)
    assert len(gradients) == L
    for k, (model, gradient) in enumerate(zip(models, gradients)):
        assert isinstance(gradient, type(model.theta))

        def value(v, k=k, model=model):
            return J.value([*models[:k], model.unravel(v), *models[k + 1 :]])

        assert relative_gap(model.ravel(gradient), complex_gradient(value, model.ravel())) < 1e-12


def test_a_parzen_density_has_a_value_and_an_empty_gradient():
    assert objective().gradient(density("Parzen")) == ()


def test_the_cotangent_is_the_derivative_of_the_value_with_respect_to_the_scores():
    J, (_, _, weights) = objective(), data()
    score = np.random.default_rng(4).standard_normal((L, n, d))
    terms, cotangents = J.evaluate(score=score)
    assert terms.shape == (n,)
    assert (
        relative_gap(
            cotangents["score"],
            complex_gradient(lambda moved: weights @ J.evaluate(score=moved)[0], score),
        )
        < 1e-13
    )
    psi = np.stack([model.score(x) for model, x in zip(energies(), data()[1])])
    assert relative_gap(J.evaluate(score=psi)[0], J.per_sample(energies())) < 1e-14


def test_a_part_keeps_the_weights_of_its_points():
    J, model = objective(), density("GaussianMixture")
    rows = np.array([5, 0, 3])
    assert relative_gap(J.take(rows).per_sample(model), J.per_sample(model)[rows]) < 1e-14
    rest = np.array([1, 2, 4, 6])
    assert J.take(rows).value(model) + J.take(rest).value(model) == pytest.approx(
        J.value(model), rel=1e-13
    )
    assert J.take(slice(2, 5)).x_noisy.shape == (L, 3, d)


def test_it_is_an_objective_with_all_that_descends_it():
    J, model = objective(), density("Gaussian")
    assert isinstance(J, Objective)
    assert repr(J) == "MultiLevelDenoising(levels=3, n=7, d=5)"
    assert refsm.check_objective(J, model).verdict == "PASS"
    run = refsm.gradient_descent(J, model, steps=5, rate=1e-2, batches=[[0, 2, 4], [1, 3, 5, 6]])
    assert len(run.history.value) == 6
    found = refsm.minimize(J, model, maxiter=20)
    assert found.value < J.value(model)
    copy = pickle.loads(pickle.dumps(J))
    assert copy.value(model) == J.value(model)


def test_numbers_stand_for_noise_and_a_list_that_changes_later_changes_nothing():
    given = [0.37, 0.61, 0.83]
    J = refsm.MultiLevelDenoising(*data()[:2], given, LAM)
    given[0] = 7.0
    assert J.corruptions == tuple(map(refsm.GaussianCorruption, [0.37, 0.61, 0.83]))


def test_weights_of_points_are_one_over_n_unless_given():
    x, x_noisy, _ = data()
    J = refsm.MultiLevelDenoising(x, x_noisy, CORRUPTIONS, LAM)
    assert J.value(density("Gaussian")) == pytest.approx(
        plain_terms(density("Gaussian")).mean(), rel=1e-13
    )


def test_every_level_has_the_weights_of_the_whole():
    """One number where they are uniform: a product with it is twice as fast as with a column."""
    J = refsm.MultiLevelDenoising(*data()[:2], CORRUPTIONS, LAM)
    assert all(level.weights is J.weights for level in J.levels)
    assert J.weights.strides == (0,)


def test_exact_rationals_stay_exact():
    x, x_noisy = np.array([[Fraction(1, 3)]]), np.array([[[Fraction(1, 2)]], [[Fraction(2)]]])
    corruptions = [
        refsm.ScaledCorruption(Fraction(1, 2), Fraction(1, 3)),
        refsm.GaussianCorruption(Fraction(1, 2)),
    ]
    J = refsm.MultiLevelDenoising(x, x_noisy, corruptions, np.array([Fraction(2), Fraction(3, 5)]))
    terms, cotangents = J.evaluate(score=np.array([[[Fraction(1)]], [[Fraction(0)]]]))
    assert (
        terms[0] == 2 * Fraction(8) + Fraction(3, 5) * Fraction(20, 3) ** 2 / 2
    )  # the targets are -3 and -20/3
    assert cotangents["score"].ravel().tolist() == [
        2 * Fraction(4),
        Fraction(3, 5) * Fraction(20, 3),
    ]
    model = refsm.Gaussian(np.array([Fraction(1, 7)]), np.array([[Fraction(2)]]))
    assert isinstance(J.value(model), Fraction)
    assert all(isinstance(entry, Fraction) for leaf in J.gradient(model) for entry in leaf.ravel())


def test_the_data_are_neither_copied_nor_changed():
    x, x_noisy, _ = data()
    J = refsm.MultiLevelDenoising(x, x_noisy, CORRUPTIONS, LAM)
    before = x.copy(), x_noisy.copy()
    J.value_and_gradient(density("Gaussian"))
    assert np.shares_memory(J.x_noisy, x_noisy)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(x_noisy, before[1])
    with pytest.raises(ValueError, match="read-only"):
        J.x_noisy[0, 0, 0] = 1.0


BAD = {
    "corruptions must be a sequence of processes, one per level, but it is 0.37": dict(
        corruptions=0.37
    ),
    r"corruptions must be a sequence of processes, one per level, but it is \[\]": dict(
        corruptions=[]
    ),
    "corruptions must be a sequence of processes, one per level, but it is 'abc'": dict(
        corruptions="abc"
    ),
    "corruption must be a number sigma > 0 or a process": dict(corruptions=[0.3, 0.4, None]),
    r"level_weights must have shape \(3,\), but its shape is \(5,\)": dict(
        level_weights=np.ones(5)
    ),
    r"level_weights must be >= 0, but the smallest is -0\.5": dict(level_weights=[1.0, -0.5, 2.0]),
    r"x_noisy must have shape \(3, n, d\), but its shape is \(5, 7, 5\)": dict(
        x_noisy=np.zeros((5, n, d))
    ),
    r"x_noisy must have shape \(7, 5\), but its shape is \(6, 5\)": dict(
        x_noisy=np.zeros((L, 6, d))
    ),
    r"x_noisy must be finite, but it has nan at \(2, 6, 4\)": dict(
        x_noisy=np.where(np.arange(L * n * d) == L * n * d - 1, np.nan, 0).reshape(L, n, d)
    ),
    "corruption must be of points with d = 5 as the data, but it has d = 3": dict(
        corruptions=[0.3, 0.4, refsm.CovarianceCorruption(np.eye(3))]
    ),
    r"weights must have shape \(7,\)": dict(weights=np.ones(6)),
}


@pytest.mark.parametrize("sentence", BAD)
def test_a_wrong_argument_is_refused_in_one_sentence(sentence):
    x, x_noisy, _ = data()
    good = dict(x=x, x_noisy=x_noisy, corruptions=CORRUPTIONS, level_weights=LAM)
    with pytest.raises((ValueError, TypeError), match=f"^{sentence}"):
        refsm.MultiLevelDenoising(**{**good, **BAD[sentence]})


def test_a_model_that_is_none_for_these_levels_is_refused_in_one_sentence():
    J = objective()
    for read in (J.value, J.per_sample, J.gradient, J.check_model):
        with pytest.raises(
            TypeError,
            match="^model must be .* or a sequence of 3 energies, but it is of type "
                  "AutoencoderEnergy$",
        ):
            read(energies()[0])
        with pytest.raises(
            ValueError, match="^model must have one energy for each of the 3 levels, but it has 2$"
        ):
            read(energies()[:2])
    with pytest.raises(
        ValueError,
        match="^model must have d = 5 as the data of DenoisingScoreMatching, but it has d = 3$",
    ):
        J.check_model(refsm.Gaussian(np.zeros(3), np.eye(3)))
    with pytest.raises(
        TypeError, match="^MultiLevelDenoising.evaluate takes score, but it was given nothing$"
    ):
        J.evaluate()
    with pytest.raises(
        ValueError, match=r"^score must have shape \(3, 7, 5\), but its shape is \(7, 5\)$"
    ):
        J.evaluate(score=np.zeros((n, d)))


@pytest.mark.parametrize("name", ["Gaussian", "GaussianMixture", "Parzen"])
def test_a_stream_of_its_parts_is_the_whole(name):
    J, model = objective(), density(name)
    stream = refsm.StreamedObjective([J.take(slice(0, 3)), J.take(slice(3, n))])
    value, gradient = stream.value_and_gradient(model)
    assert value == pytest.approx(J.value(model), rel=1e-13)
    assert stream.value(model) == pytest.approx(value, rel=1e-14)
    assert relative_gap(stream.per_sample(model), J.per_sample(model)) < 1e-14
    if name != "Parzen":
        assert relative_gap(model.ravel(gradient), model.ravel(J.gradient(model))) < 1e-13


def test_its_blocks_are_as_small_as_its_widest_energy_asks():
    x = np.zeros((3000, d))
    J = refsm.MultiLevelDenoising(x, np.stack([x, x]), [0.3, 0.4], [1.0, 3.0])
    narrow, wide = density("Gaussian"), refsm.Parzen(np.random.default_rng(0).random((700, d)), 0.4)
    assert [len(block.part().x) for block in J.blocks([narrow, narrow])] == [3000]
    assert sum(len(block.part().x) for block in J.blocks([narrow, wide])) == 3000
    assert len(list(J.blocks([narrow, wide]))) > 5


def test_its_blocks_are_as_small_as_the_products_of_a_level_ask():
    x = np.zeros((1200, d))
    J = refsm.MultiLevelDenoising(x, np.stack([x, x]), [0.3, 0.4], [1.0, 3.0])
    model = refsm.AutoencoderEnergy(np.ones((150, d)), np.zeros(150), np.zeros(d), sigma=0.3)
    own = [len(block.part().x) for block in J.levels[0].blocks(model)]
    assert [len(block.part().x) for block in J.blocks([density("Gaussian"), model])] == own
    assert own == [600, 600]


def test_a_level_may_have_the_weight_zero():
    x, x_noisy, _ = data()
    J = refsm.MultiLevelDenoising(x, x_noisy, CORRUPTIONS, [0.0, 1.0, 0.0])
    alone = refsm.DenoisingScoreMatching(x, x_noisy[1], CORRUPTIONS[1])
    model = density("Gaussian")
    assert J.value(model) == pytest.approx(alone.value(model.corrupted(CORRUPTIONS[1])), rel=1e-14)


def test_one_level_is_denoising_score_matching():
    x, x_noisy, weights = data()
    J = refsm.MultiLevelDenoising(x, x_noisy[:1], CORRUPTIONS[:1], [3.0], weights=weights)
    alone = refsm.DenoisingScoreMatching(x, x_noisy[0], CORRUPTIONS[0], weights=weights)
    model = density("GaussianMixture")
    assert J.value(model) == pytest.approx(3 * alone.value(model.corrupted(0.37)), rel=1e-14)
