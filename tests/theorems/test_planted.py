"""A mistake in the formula of either side of a statement makes that statement fail.

Each row changes one piece of a room's code, which must stand there exactly once in the function
named, and runs that function.
"""
import ast
import importlib
import pathlib
import types

import numpy as np
import pytest

LEFT, RIGHT = "left", "right"
ROWS = [
    # denoiser
    ("denoiser", "posterior_score", 16, LEFT, "p.weight, target", "p.weight, -target"),
    ("denoiser", "posterior_score", 16, RIGHT, "p.noisy.score(", "1.001 * p.noisy.score("),
    ("denoiser", "posterior_score_of_logistic_noise", 16, LEFT, "np.tanh(u / (2 * WIDTH))",
     "np.tanh(u / WIDTH)"),
    ("denoiser", "posterior_score_of_logistic_noise", 16, RIGHT, "** -2.0", "** -1.0"),
    # reconstruction
    ("reconstruction", "floor", 17, LEFT, "J_DSM.value(q_sigma)", "2 * J_DSM.value(q_sigma)"),
    ("reconstruction", "floor", 17, RIGHT, "d / (2 * SIGMA**2) - I / 2", "d / (2 * SIGMA**2) - I"),
    ("reconstruction", "floor", 17, RIGHT, "variance / (2 * SIGMA**4)",
     "variance / (2 * SIGMA**2)"),
    ("reconstruction", "floor", 17, RIGHT, "d * SIGMA**2 - SIGMA**4 * I",
     "d * SIGMA**2 - SIGMA**2 * I"),
    ("reconstruction", "floor", 17, LEFT, "reconstruction=m", "reconstruction=x_noisy"),
    ("reconstruction", "floor", 17, RIGHT, ".sum(axis=1) / 2\n", ".sum(axis=1)\n"),
    ("reconstruction", "floor_of_a_density", 17, LEFT, "SIGMA, weights=w",
     "SIGMA + 1e-6, weights=w"),
    ("reconstruction", "floor_of_a_density", 17, RIGHT, "(x * x - m * m)", "(x * x + m * m)"),
    ("reconstruction", "floor_of_a_density", 17, RIGHT, "- I / 2", "+ I / 2"),
    ("reconstruction", "stein", 18, LEFT, "x_noisy + SIGMA**2 * psi", "x_noisy + SIGMA * psi"),
    ("reconstruction", "stein", 18, RIGHT, "2 * SIGMA**4 * estimate", "SIGMA**4 * estimate"),
    ("reconstruction", "stein", 18, RIGHT, "divergence=divergence", "divergence=-divergence"),
    ("reconstruction", "cross_entropy", 25, LEFT, "softplus(y) - x * y", "softplus(y) + x * y"),
    ("reconstruction", "cross_entropy", 25, LEFT, "np.log1p(-m)", "np.log1p(m)"),
    ("reconstruction", "cross_entropy", 25, RIGHT, "m * np.log(m / r)", "r * np.log(r / m)"),
    ("reconstruction", "cross_entropy", 25, LEFT, "w @ (2 * (r - x) * r * (1 - r))",
     "w @ (2 * (r - x))"),
    # small_noise
    ("small_noise", "small_noise", 14, LEFT, "coefficient_of(q, q)",
     "coefficient_of(q, density())"),
    ("small_noise", "small_noise", 14, RIGHT, "R = w @ (J**2)", "R = 2 * w @ (J**2)"),
    ("small_noise", "small_noise_of_other_fields", 14, LEFT, "2 * coefficient", "coefficient"),
    ("small_noise", "small_noise_of_other_fields", 14, RIGHT, "model.score(x) - q.score(x)",
     "model.score(x) + q.score(x)"),
    ("small_noise", "small_noise_of_other_fields", 14, RIGHT, "* grad_div", "* 0"),
    ("small_noise", "bias", 19, LEFT, "noisy(q, variance)", "noisy(q, 2 * variance)"),
    ("small_noise", "bias", 19, RIGHT, "q.score_divergence(x) + (q.score(x) ** 2)",
     "q.score_divergence(x) + 0.5 * (q.score(x) ** 2)"),
    ("small_noise", "bias", 19, LEFT, "rest = slopes - smoothness / 2", "rest = slopes"),
    ("small_noise", "variance", 20, LEFT, "plain * h**2", "plain * h"),
    ("small_noise", "variances", 20, LEFT, "/ (2 * sigma**2)", "/ sigma**2"),
    ("small_noise", "variances", 20, LEFT, "+ eps @ psi(x)[0] / sigma", ""),
    ("small_noise", "variance", 20, RIGHT, "((J + J.T) ** 2).sum() / 2", "2 * (J ** 2).sum()"),
    ("small_noise", "variance", 20, LEFT, "curvature=curvature", "curvature=2 * curvature"),
    ("small_noise", "_pair", 21, LEFT, "DenoisingScoreMatching(x, minus, sigma)",
     "DenoisingScoreMatching(x, minus, 2 * sigma)"),
    ("small_noise", "_pair", 21, RIGHT, "(psi_plus - psi_minus)", "(psi_plus + psi_minus)"),
    ("small_noise", "_pair", 21, RIGHT, "/ 4 +", "/ 2 +"),
    ("small_noise", "_pair", 21, LEFT, "gaussian.score(plus)", "gaussian.score(minus)"),
    ("small_noise", "_pair", 21, RIGHT, "score_curvature(x, eps)", "score_curvature(x, 2 * eps)"),
    # decoder
    ("decoder", "any_reconstruction", 22, LEFT, "(r - t.x_noisy)", "(r - t.x)"),
    ("decoder", "any_reconstruction", 22, RIGHT, "DenoisingAutoencoderLoss(t.x,",
     "DenoisingAutoencoderLoss(t.x_noisy,"),
    ("decoder", "multiples_have_an_energy", 22, LEFT, "t.lam[:, None] * t.W, t.b",
     "t.lam[:, None] * t.V, t.b"),
    ("decoder", "multiples_have_an_energy", 22, RIGHT, "softplus(a) @ t.lam",
     "softplus(a).sum(axis=1)"),
    ("decoder", "wedges_are_determined", 22, LEFT, "J - J.transpose(0, 2, 1)",
     "J + J.transpose(0, 2, 1)"),
    ("decoder", "wedges_are_determined", 22, RIGHT, "t.V[:, :, None] * t.W[:, None, :]",
     "t.W[:, :, None] * t.V[:, None, :]"),
    ("decoder", "wedges_are_determined", 22, LEFT, "t.W, t.V, t.b", "t.W, t.W, t.b"),
    ("decoder", "exactly", 22, LEFT, "(r - x_noisy) / sigma**2", "(r - x_noisy) / sigma"),
    ("decoder", "exactly", 22, LEFT, "(s * multiple.T) @ W", "(s * V.T) @ W"),
    # parametrisation
    ("parametrisation", "sigma_inside", 23, LEFT, "+ b) / SIGMA**2) @ W", "+ b)) @ W"),
    ("parametrisation", "sigma_inside", 23, RIGHT, "rbm = GaussianBernoulliRBM(W, b / SIGMA**2,",
     "rbm = GaussianBernoulliRBM(W, b,"),
    ("parametrisation", "sigma_inside", 23, RIGHT, "(W / SIGMA**2).T", "W.T"),
    ("parametrisation", "sigma_of_each_dimension", 23, LEFT, "np.diag(sigma**2)", "np.diag(sigma)"),
    ("parametrisation", "sigma_of_each_dimension", 23, RIGHT, "(2 * sigma**4)", "(2 * sigma**2)"),
    ("parametrisation", "copies_of_units", 23, LEFT, "AutoencoderEnergy(W, b, c, sigma=sigma)",
     "AutoencoderEnergy(W, b, c, sigma=sigma**2)"),
    ("parametrisation", "copies_of_units", 23, RIGHT, "np.tile(W / COPIES,", "np.tile(W,"),
    ("parametrisation", "copies_of_units", 23, LEFT, "COPIES * (c * c).sum() / 2",
     "COPIES * (c * c).sum()"),
    ("parametrisation", "twins", 24, LEFT, "c + W[turned]", "c - W[turned]"),
    ("parametrisation", "twins", 24, LEFT, "(signs * b)[rows]", "b[rows]"),
    ("parametrisation", "same_score", 24, RIGHT, "2**M * math.factorial(M)", "2**M"),
    ("parametrisation", "exactly", 23, LEFT, "+ b) / sigma**2)", "+ b / sigma**2))"),
    # gaussian
    ("gaussian", "minimum", 31, RIGHT, "((P + dP) @ dm) @ ((P + dP) @ dm) / 2",
     "(P @ dm) @ (P @ dm) / 2"),
    ("gaussian", "minimum", 31, LEFT, "Gaussian(mean + dm, P + dP)", "Gaussian(mean + dm, P)"),
    ("gaussian", "minimum", 13, RIGHT, "np.trace(dP @ C @ dP) / 2", "np.trace(dP @ C @ dP)"),
    # slice_variance
    ("slice_variance", "variance_of_a_slice", 29, RIGHT, "np.outer(psi, psi) / 2",
     "np.outer(psi, psi)"),
    ("slice_variance", "variance_of_a_slice", 29, RIGHT, "D / (D + 2)", "1"),
    ("slice_variance", "variance_of_a_slice", 29, RIGHT, "(np.diag(A) ** 2).sum()", "0"),
    ("slice_variance", "slices", 29, LEFT, 'form == "reduced"', 'form == "plain"'),
    ("slice_variance", "directions_of", 29, LEFT, "np.sqrt(D) * v", "v"),
    ("slice_variance", "variance_of_a_slice", 29, LEFT, "directions.frames(N, D, rng)",
     "directions.gaussian(N, D, D, rng)"),
    ("slice_variance", "plain_and_reduced", 29, RIGHT, "d * (d + 2) / 2", "2.0 * d"),
    ("slice_variance", "plain_and_reduced", 29, LEFT, "term - (term @ u)[:, None]", "term"),
    ("slice_variance", "any_second_moment", 29, LEFT, "(np.zeros(2), Sigma)",
     "(np.zeros(2), np.eye(2))"),
    ("slice_variance", "any_second_moment", 29, RIGHT, "psi - s, Sigma, psi - s",
     "psi - s, Sigma, psi"),
    ("slice_variance", "curvature_as_a_derivative", 32, LEFT, "(v * slope)", "(2 * v * slope)"),
    ("slice_variance", "curvature_as_a_derivative", 32, RIGHT, "score_curvature(x, v)",
     "score_curvature(x, -2 * v)"),
    ("slice_variance", "exactly", 32, LEFT, "gaussian.score(x + h * along)",
     "gaussian.score(x + along)"),
    ("slice_variance", "_hutchinson", 32, LEFT, "(psi * psi).sum(axis=1) / 2",
     "(psi * psi).sum(axis=1)"),
    ("slice_variance", "_hutchinson", 32, RIGHT, "variance_reduced=True", "variance_reduced=False"),
    # conditions
    ("conditions", "_jump", 26, LEFT, "(x @ W.T + b > 0)", "(x @ W.T + b < 0)"),
    ("conditions", "_jump", 26, LEFT, "-1 / sigma**2", "1 / sigma**2"),
    ("conditions", "_jump", 26, RIGHT, "-density_there", "density_there"),
    ("conditions", "_jump", 26, RIGHT, "np.abs(W[:, 0]) / sigma**2", "W[:, 0] / sigma**2"),
    ("conditions", "of_its_own_density", 30, LEFT, "w @ psi, np", "w @ (psi + 1e-9), np"),
    ("conditions", "of_its_own_density", 30, LEFT, "n,ni,nk->ik", "n,ni,ni->i"),
    ("conditions", "of_its_own_density", 30, RIGHT, "-np.einsum", "np.einsum"),
    ("conditions", "of_its_own_density", 30, RIGHT, "-2.0,", "-1.0,"),
    ("conditions", "at_a_boundary", 30, LEFT, "np.exp(-x[:, 0])\n", "x[:, 0] * np.exp(-x[:, 0])\n"),
    ("conditions", "other_fields", 30, LEFT, "x**3 / 5, -x**3", "x**3 / 4, -x**3"),
    ("conditions", "other_fields", 30, LEFT, "-x**3 / 3", "-x**3 / 2"),
    ("conditions", "other_fields", 30, LEFT, "-2 * x,", "1 - x,"),
    ("conditions", "other_fields", 30, RIGHT, "3 * x**2 / 5", "x**2 / 5"),
    # blindness
    ("blindness", "weights_of_two_components", 27, LEFT, "psi - psi_other", "psi + psi_other"),
    ("blindness", "weights_of_two_components", 27, RIGHT, "P @ (means[0] - means[1])",
     "means[0] - means[1]"),
    ("blindness", "weights_of_two_components", 27, RIGHT, "means.mean(axis=0)", "means[0]"),
    ("blindness", "far_modes", 27, LEFT, "ExplicitScoreMatching(x, p,",
     "ExplicitScoreMatching(x, -x,"),
    ("blindness", "far_modes", 27, RIGHT, "/ (8 * APART**2)", "/ (4 * APART**2)"),
    ("blindness", "far_modes", 27, RIGHT, "np.log(WEIGHT / OTHER)\n", "np.log(OTHER / WEIGHT)\n"),
    ("blindness", "far_modes", 27, LEFT, "p_other.energy(x) - p.energy(x)",
     "p_other.energy(x) - 2 * p.energy(x)"),
    ("blindness", "parzen_without_bound", 28, LEFT, "h**2 * losses", "h * losses"),
    ("blindness", "parzen_without_bound", 28, RIGHT, "-float(d)", "-float(d) / 2"),
    ("blindness", "parzen_without_bound", 28, LEFT, "np.log2(", "np.log("),
    # finite
    ("finite", "untouched_points", 33, RIGHT, "q.score(x) ** 2", "0 * q.score(x) ** 2"),
    ("finite", "best_linear_reconstruction", 33, LEFT, "(1 - NU) * S + NU", "S + NU"),
    ("finite", "best_linear_reconstruction", 33, LEFT, "S @ mask)   #", "S)   #"),
]


def changed(room, function, old, new):
    """The room with a piece of one function's code changed."""
    module = importlib.import_module(f"refsm.theorems.{room}")
    source = pathlib.Path(module.__file__).read_text(encoding="utf-8")
    node = next(n for n in ast.parse(source).body
                if isinstance(n, ast.FunctionDef) and n.name == function)
    lines = source.splitlines(keepends=True)
    body = "".join(lines[node.lineno - 1:node.end_lineno])
    assert body.count(old) == 1, f"{old!r} stands {body.count(old)} times in {room}.{function}"
    code = "".join(lines[:node.lineno - 1]) + body.replace(old, new) + "".join(
        lines[node.end_lineno:])
    copy = types.ModuleType(module.__name__)
    exec(compile(code, module.__file__, "exec"), copy.__dict__)
    return copy


HELPERS = {"variances": ["variance"], "_pair": ["antithetic", "exactly"], "_jump": ["jumps"],
           "twins": ["same_score", "exactly"], "slices": ["variance_of_a_slice"],
           "directions_of": ["variance_of_a_slice"],
           "_hutchinson": ["curvature_as_a_derivative", "exactly"]}


def cases():
    """Every row; all but the first for each side of each number are slow."""
    seen = set()
    for row in ROWS:
        marks = [pytest.mark.slow] if row[2:4] in seen else []
        seen.add(row[2:4])
        yield pytest.param(*row, marks=marks, id=f"{row[2]}-{row[3]}-{row[4]}")


@pytest.mark.parametrize(("room", "function", "number", "side", "old", "new"), list(cases()))
def test_a_planted_mistake_makes_its_statement_fail(room, function, number, side, old, new):
    module = changed(room, function, old, new)
    if room == "gaussian":
        made = module.statements(np.random.default_rng(0).random((40, 7)), "rows")
    else:
        makers = HELPERS.get(function, [function])
        made = [s for maker in makers for s in getattr(module, maker)()]
    assert not all(s.holds for s in made if s.number == number)


def test_both_sides_of_each_new_statement_have_a_planted_mistake():
    planted = {(row[2], row[3]) for row in ROWS}
    assert planted >= {(number, side) for number in range(16, 34) for side in (LEFT, RIGHT)}
