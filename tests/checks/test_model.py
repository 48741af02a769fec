"""Energies and objectives under test: right ones pass, and every planted mistake fails in the part
where it was planted.
"""

import numpy as np
import pytest

from refsm.checks.model import check_model, same
from refsm.checks.objective import check_objective
from refsm.energies.autoencoder import AutoencoderEnergy, AutoencoderEnergyAt
from refsm.energies.bernoulli_rbm import BernoulliRBM, BernoulliRBMAt
from refsm.energies.boltzmann_machine import BoltzmannMachine
from refsm.energies.gaussian import Gaussian
from refsm.energies.gaussian_bernoulli_rbm import GaussianBernoulliRBM
from refsm.energies.mixture import GaussianMixture
from refsm.energies.parzen import Parzen
from refsm.objectives.denoising import DenoisingScoreMatching
from refsm.objectives.pseudo_likelihood import PseudoLikelihood
from refsm.objectives.ratio_matching import RatioMatching
from refsm.objectives.score_matching import ImplicitScoreMatching
from refsm.zero import ZERO

RNG = np.random.default_rng(21)
W, B, C = RNG.standard_normal((5, 3)), RNG.standard_normal(5), RNG.standard_normal(3)
X, X_NOISY = RNG.standard_normal((7, 3)), RNG.standard_normal((7, 3))
BITS = (RNG.random((7, 3)) < 0.5).astype(float)
SYMMETRIC = np.array([[2.0, 0.3, -0.1], [0.3, 1.2, 0.4], [-0.1, 0.4, 0.9]])
AUTOENCODER = AutoencoderEnergy(W, B, C, sigma=0.6)

CONTINUOUS = {
    "autoencoder": AUTOENCODER,
    "gaussian": Gaussian(C, SYMMETRIC),
    "machine": GaussianBernoulliRBM(W, B, C, np.array([0.2, -0.4, 0.1])),
    "mixture": GaussianMixture([0.2, 0.5, 0.3], 2 * W[:3], [SYMMETRIC, 0.5 * SYMMETRIC, np.eye(3)]),
    "parzen": Parzen(W, 0.6),
}
BINARY = {
    "machine": BernoulliRBM(W, B, C),
    "boltzmann": BoltzmannMachine(SYMMETRIC - np.diag(np.diag(SYMMETRIC)), C),
}


@pytest.mark.parametrize(
    "name, complex_step",
    [
        *((name, None) for name in CONTINUOUS),
        ("gaussian", False),
        ("parzen", False),
        *(
            pytest.param(name, False, marks=pytest.mark.slow)
            for name in ("autoencoder", "machine", "mixture")
        ),
    ],
)
def test_energies_pass(name, complex_step):
    model = CONTINUOUS[name]
    found = check_model(model, X, complex_step=complex_step)
    assert found.verdict == "PASS"
    assert found.subject == type(model).__name__
    subjects = [f"{part.subject} {part.block}".strip() for part in found.parts]
    assert subjects[:5] == ["score", "Jacobian", "diagonal", "divergence", "curvature"]
    quantities = "curvature", "diagonal", "divergence", "energy", "score"
    pulled = [
        f"pullback of the {q} to {block}"
        for q in quantities
        for block in getattr(model.theta, "_fields", ())
    ]
    assert subjects[5:] == pulled + ["pullback of all together"] * bool(pulled)


@pytest.mark.parametrize("name", BINARY)
def test_binary_energies_pass(name):
    model = BINARY[name]
    found = check_model(model, BITS)
    assert found.verdict == "PASS"
    subjects = [f"{part.subject} {part.block}".strip() for part in found.parts]
    pulled = [
        f"pullback of the {q} to {block}"
        for q in ("energy", "gap")
        for block in model.theta._fields
    ]
    assert subjects == ["gap", *pulled, "pullback of all together"]


@pytest.mark.slow
def test_energies_pass_with_every_seed():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        model = AutoencoderEnergy(
            rng.standard_normal((5, 3)), rng.standard_normal(5), rng.standard_normal(3), sigma=0.6
        )
        for complex_step in (None, False):
            assert (
                check_model(
                    model, rng.standard_normal((7, 3)), rng=rng, complex_step=complex_step
                ).verdict
                == "PASS"
            )


def part(report, subject):
    return next(part for part in report.parts if part.subject == subject)


def test_six_digits_are_asked_for():
    assert (
        check_model(BINARY["machine"], BITS).accuracy
        == check_objective(RatioMatching(BITS), BINARY["machine"]).accuracy
        == 1e-6
    )


def test_the_curvature_is_tried_along_three_directions():
    seen = set()
    check_model(wrong_autoencoder(curvature=lambda q, at: seen.add(at.v.shape) or q), X)
    assert seen == {(7, 3, 3)}


def test_a_gap_is_known_to_a_trillionth_of_the_two_energies():
    model = BINARY["machine"]
    sizes, gaps = [], []
    for x in BITS:
        for i in range(3):
            other = x.copy()
            other[i] = 1 - other[i]
            here, there = (model.energy([point]).item() for point in (x, other))
            sizes.append(abs(here) + abs(there))
            gaps.append(there - here)
    assert part(check_model(model, BITS), "gap").visible == pytest.approx(
        1e-12 * np.linalg.norm(sizes) / np.linalg.norm(gaps), rel=1e-6, abs=0
    )


def test_a_value_is_known_to_a_trillionth_of_its_terms():
    J, model = ImplicitScoreMatching(X, weights=np.arange(1.0, 8)), Gaussian(C, SYMMETRIC)
    terms = np.arange(1.0, 8) * J.per_sample(model)
    assert (terms < 0).any()
    found = check_objective(J, model)
    assert part(found, "value").visible == pytest.approx(
        1e-12 * abs(terms).sum() / abs(terms.sum()), rel=1e-6, abs=0
    )
    assert part(found, "value_and_gradient").visible == pytest.approx(1e-12, rel=1e-6, abs=0)


def test_a_sum_of_zero_is_compared_with_its_terms():
    found = same("value", [3e-16], [0.0], [7e-12], 1e-6)  # terms of size 7
    assert found.zero
    assert str(found).endswith("PASS         value: zero, as is the derivative; 1e-12 of the "
                               "changes of f would have been seen (exact)")


def test_the_pullback_of_all_is_known_to_a_trillionth_of_the_separate_ones():
    seen = []
    wrong = wrong_machine(pullback=lambda theta, at, **w: seen.append(wrong.ravel(theta)) or theta)
    found = check_model(wrong, BITS)
    *separate, whole = seen
    assert part(found, "pullback of all together").visible == pytest.approx(
        1e-12 * np.linalg.norm(np.abs(separate).sum(axis=0)) / np.linalg.norm(whole),
        rel=1e-6, abs=0
    )


def test_a_score_of_zero_is_compared_with_how_the_energy_changes():
    """At the mean the complex step is off by 16 roundings of the slope; where the energy is
    constant, by (eps / 2)^(4/5) of its size.
    """
    eps = np.finfo(float).eps
    found = check_model(Gaussian(C, SYMMETRIC), np.tile(C, (7, 1)), scale=8.0)
    there = part(found, "score")
    assert there.verdict == "PASS"
    assert there.zero
    assert there.visible == pytest.approx(16 * eps, rel=1e-6, abs=0)
    P_ii = np.diag(SYMMETRIC)  # the sum of their errors is at least the root of the squares
    errors = part(found, "diagonal").visible * np.linalg.norm(P_ii)
    assert errors <= part(found, "divergence").visible * P_ii.sum() < 3 * errors
    flat = wrong_autoencoder(energy=lambda E, at: 0 * E + 3, score=lambda psi, at: 0 * psi)
    type(flat).theta = ()
    there = part(check_model(flat, X, complex_step=False, scale=8.0), "score")
    assert there.verdict == "PASS"
    assert there.zero
    assert there.visible == pytest.approx((eps / 2) ** 0.8, rel=1e-6, abs=0)


# -- planted mistakes ------------------------------------------------------------------------------


def planted(model, at, **methods):
    """The model with some methods of its `at` changed: each takes the right answer, the `at`, and
    the arguments.
    """

    def wrapped(name, change):
        def method(self, *args, **kwargs):
            return change(getattr(at, name)(self, *args, **kwargs), self, *args, **kwargs)

        return method

    wrong_at = type(
        "WrongAt", (at,), {name: wrapped(name, change) for name, change in methods.items()}
    )
    binary = at is BernoulliRBMAt

    def made(self, x, v=ZERO):
        return wrong_at(self, x) if binary else wrong_at(self, x, v)

    return type("Wrong", (type(model),), {"at": made})


def wrong_autoencoder(m=5, **methods):
    kind = planted(AUTOENCODER, AutoencoderEnergyAt, **methods)
    kind.with_theta = lambda self, theta: kind(*theta, sigma=self.sigma)
    return kind(W[:m], B[:m], C, sigma=0.6)


def wrong_machine(**methods):
    kind = planted(BINARY["machine"], BernoulliRBMAt, **methods)
    kind.with_theta = lambda self, theta: kind(*theta)
    return kind(W, B, C)


def failures(report):
    return {
        f"{part.subject} {part.block}".strip() for part in report.parts if part.verdict == "FAIL"
    }


MISTAKES = {
    "sign of the score": (dict(score=lambda psi, at: -psi), "score"),
    "half a score": (dict(score=lambda psi, at: psi / 2), "score"),
    "sigma for sigma^2": (dict(score=lambda psi, at: psi * at.sigma), "score"),
    "score without its offset": (dict(score=lambda psi, at: psi - at.c / at.sigma**2), "score"),
    "Hessian of the energy": (dict(jacobian=lambda J, at: -J), "Jacobian"),
    "divergence without d": (dict(divergence=lambda t, at: t + 3 / at.sigma**2), "divergence"),
    "mean for sum in the divergence": (dict(divergence=lambda t, at: t / 3), "divergence"),
    "diagonal without 1": (dict(diagonal=lambda g, at: g + 1 / at.sigma**2), "diagonal"),
    "curvature without |v|^2": (
        dict(curvature=lambda q, at: q + (at.v * at.v).sum(-1) / at.sigma**2),
        "curvature",
    ),
}


@pytest.mark.parametrize(
    "name, complex_step", [*((name, None) for name in MISTAKES), ("half a score", False)]
)
def test_a_mistake_in_a_quantity_is_found_there(name, complex_step):
    methods, where = MISTAKES[name]
    wrong = wrong_autoencoder(**methods)
    type(wrong).theta = ()  # no pullbacks here
    found = check_model(wrong, X, complex_step=complex_step)
    assert found.verdict == "FAIL"
    assert where in failures(found)
    assert "FAIL" in str(found).splitlines()[0]


QUANTITIES = ["energy", "score", "divergence", "diagonal", "curvature"]


@pytest.mark.parametrize("first", range(5))
def test_a_mistake_in_one_pullback_to_one_parameter_is_found_there(first):
    """One in each block, in three different pullbacks; turned five times, each quantity meets each
    block.
    """
    places = {QUANTITIES[(first + k) % 5]: block for k, block in enumerate("Wbc")}

    def change(theta, at, **cotangents):
        given = [name for name, value in cotangents.items() if value is not None]
        block = places.get(given[0]) if len(given) == 1 else None
        if block is None:
            return theta
        right = getattr(theta, block)
        return theta._replace(
            **{
                block: (
                    1e-3 * np.ones_like(getattr(AUTOENCODER, block))
                    if right is ZERO
                    else right * (1 + 2e-5)
                )
            }
        )

    found = check_model(wrong_autoencoder(pullback=change), X)
    assert failures(found) == {
        f"pullback of the {quantity} to {block}" for quantity, block in places.items()
    } | {"pullback of all together"}


def test_a_transposed_square_block_is_found():
    found = check_model(
        wrong_autoencoder(
            m=3, pullback=lambda theta, at, **cotangents: theta._replace(W=theta.W.T)
        ),
        X,
    )
    assert failures(found) == {f"pullback of the {q} to W" for q in QUANTITIES}


def test_a_term_that_is_lost_when_cotangents_come_together_is_found():
    def change(theta, at, **cotangents):
        return (
            theta._replace(b=0 * theta.b)
            if len([1 for value in cotangents.values() if value is not None]) > 1
            else theta
        )

    assert failures(check_model(wrong_autoencoder(pullback=change), X)) == {
        "pullback of all together"
    }


@pytest.mark.parametrize(
    "methods, where",
    [
        (dict(gap=lambda gap, at: -gap), "gap"),
        (dict(gap=lambda gap, at: gap / 2), "gap"),
        (dict(gap=lambda gap, at: gap + 1e-4), "gap"),
        (
            dict(
                pullback=lambda theta, at, energy=None, gap=None: (
                    theta._replace(W=-theta.W) if energy is None else theta
                )
            ),
            "pullback of the gap to W",
        ),
        (
            dict(
                pullback=lambda theta, at, energy=None, gap=None: (
                    theta._replace(c=theta.c / 2) if gap is None else theta
                )
            ),
            "pullback of the energy to c",
        ),
    ],
)
def test_a_mistake_in_a_binary_energy_is_found_there(methods, where):
    assert where in failures(check_model(wrong_machine(**methods), BITS))


def test_a_scale_reaches_the_differences():
    """With the narrowest of kernels the first steps may be told."""
    narrow = Parzen(W, 1e-5)
    near = W[:3] + 1e-5 * X[:3]
    assert (
        check_model(narrow, near, complex_step=False, scale=1e-5, accuracy=1e-4).verdict == "PASS"
    )
    parts = check_model(narrow, near, complex_step=False, scale=1e-5, accuracy=1e-4).parts
    assert all(0 < part.step <= 1 for part in parts)


# -- objectives ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "J, model",
    [
        (ImplicitScoreMatching(X), AUTOENCODER),
        (ImplicitScoreMatching(X, weights=np.arange(1.0, 8)), Gaussian(C, SYMMETRIC)),
        (DenoisingScoreMatching(X, X_NOISY, 0.6), CONTINUOUS["machine"]),
        (RatioMatching(BITS), BINARY["machine"]),
        (PseudoLikelihood(BITS), BINARY["boltzmann"]),
    ],
)
def test_objectives_pass(J, model):
    for complex_step in (None, False) if model.ravel().size < 15 else (None,):
        found = check_objective(J, model, complex_step=complex_step)
        assert found.verdict == "PASS"
        assert found.subject == repr(J)
        assert [f"{part.subject} {part.block}".strip() for part in found.parts] == [
            "value",
            "value_and_gradient",
            *(f"gradient with respect to {block}" for block in model.theta._fields),
        ]


def test_an_objective_of_an_energy_without_parameters_has_a_value_only():
    assert [
        part.subject for part in check_objective(ImplicitScoreMatching(X), Parzen(W, 0.6)).parts
    ] == ["value"]


class HalfCotangent(ImplicitScoreMatching):
    def local_loss(self, score, divergence):
        term, cotangents = super().local_loss(score, divergence)
        return term, {**cotangents, "score": cotangents["score"] / 2}


class NoDivergence(ImplicitScoreMatching):
    def local_loss(self, score, divergence):
        term, cotangents = super().local_loss(score, divergence)
        return term, {"score": cotangents["score"]}


class OtherTerms(ImplicitScoreMatching):
    def per_sample(self, model):
        return super().per_sample(model) * 2


class OtherValue(ImplicitScoreMatching):
    def value(self, model):
        return super().value(model) * (1 + 1e-5)


class OtherGradient(ImplicitScoreMatching):
    def gradient(self, model):
        g = super().gradient(model)
        return g._replace(c=g.c * (1 + 1e-4))


@pytest.mark.parametrize(
    "kind, where",
    [
        (
            HalfCotangent,
            {
                "gradient with respect to W",
                "gradient with respect to b",
                "gradient with respect to c",
            },
        ),
        (NoDivergence, {"gradient with respect to W", "gradient with respect to b"}),
        (OtherTerms, {"value"}),
        (OtherGradient, {"value_and_gradient"}),
    ],
)
def test_a_mistake_in_an_objective_is_found_there(kind, where):
    assert failures(check_objective(kind(X), AUTOENCODER)) == where


def test_a_value_that_is_not_that_of_value_and_gradient_is_found():
    assert "value" in failures(check_objective(OtherValue(X), AUTOENCODER))


# -- bad arguments ---------------------------------------------------------------------------------


def test_bad_arguments_are_refused_in_one_sentence():
    with pytest.raises(TypeError, match="^model must be an energy, but it is of type dict$"):
        check_model({}, X)
    with pytest.raises(TypeError, match="^J must be an objective, but it is of type dict$"):
        check_objective({}, AUTOENCODER)
    with pytest.raises(
        ValueError, match=r"^x must have shape \(n, 3\), but its shape is \(7, 2\)$"
    ):
        check_model(AUTOENCODER, X[:, :2])
    with pytest.raises(TypeError, match="reads the score"):
        check_objective(ImplicitScoreMatching(X), BINARY["machine"])
    with pytest.raises(ValueError, match="^accuracy must be"):
        check_model(AUTOENCODER, X, accuracy=-1)


def test_a_component_of_weight_zero_cannot_be_checked_and_is_named():
    model = GaussianMixture([1.0, 0.0], np.zeros((2, 3)), np.stack([np.eye(3), np.eye(3)]))
    x = np.ones((5, 3))
    for check in (
        lambda: check_model(model, x),
        lambda: check_objective(ImplicitScoreMatching(x), model),
    ):
        with pytest.raises(
            ValueError,
            match="^model must have finite parameters to be checked, "
            "but its logits have an infinite one",
        ):
            check()
