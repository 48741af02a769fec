# %% [markdown]
# # Your own energy and your own objective
#
# **Claim.** An energy is a class that gives a few local quantities and pulls cotangents on them
# back to its parameters; an objective is a class that reads some of these quantities and gives its
# terms and their derivatives. Each works with everything else: a new energy has all objectives, a
# new objective has all energies. `refsm.check_model` and `refsm.check_objective` compare every
# formula with derivatives, and find the mistakes.
#
# It takes 3 seconds.

# %%
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

import refsm
from refsm.sums import row_dot
from refsm.zero import ZERO

try:
    from demos._figure import figure_file, pyplot, save, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import figure_file, pyplot, save, table

FIGURE = figure_file("18_your_own", "An energy and an objective of one's own, and their checks.")

# %% [markdown]
# ## An energy in some thirty lines
#
# A double well along every axis: `E(x) = sum_i ( q_i x_i^4 / 4 - k_i x_i^2 / 2 )`, with
#
#     psi_i = k_i x_i - q_i x_i^3,    J_ii = k_i - 3 q_i x_i^2,    J_ik = 0 for i != k.
#
# Cotangents e, p, t, g on energy, score, divergence and diagonal come in; those that are not given
# are ZERO, which vanishes in sums and products. What goes out is the derivative of
# `sum_n ( e E + p.psi + t tr J + sum_i g_i J_ii )` with respect to k and q.

# %%
class WellTheta(NamedTuple):
    k: np.ndarray         # (d,)
    q: np.ndarray         # (d,)


@dataclass(frozen=True, eq=False, repr=False)
class DoubleWell(refsm.Energy):
    k: np.ndarray
    q: np.ndarray

    quantities = frozenset({"energy", "score", "divergence", "diagonal"})
    theta = property(lambda self: WellTheta(np.asarray(self.k), np.asarray(self.q)))
    d = property(lambda self: len(self.theta.k))

    def with_theta(self, theta):
        return DoubleWell(*theta)

    def at(self, x):
        return WellAt(*self.theta, x)


@dataclass
class WellAt(refsm.EnergyAt):
    k: np.ndarray
    q: np.ndarray
    x: np.ndarray

    def energy(self):
        return self.x**4 @ self.q / 4 - self.x**2 @ self.k / 2             # (n,)

    def score(self):
        return self.k * self.x - self.q * self.x**3                        # (n, d)

    def jacobian(self):
        return self.diagonal()[:, :, None] * np.eye(len(self.k))           # (n, d, d)

    def divergence(self):
        return self.diagonal().sum(axis=1)                                 # (n,)

    def diagonal(self):
        return self.k - 3 * self.q * self.x**2                             # (n, d)

    def pullback(self, energy=ZERO, score=ZERO, divergence=ZERO, diagonal=ZERO):
        e, p, t, g, x = energy[:, None], score, divergence[:, None], diagonal, self.x
        k = t + g + p * x - e * x**2 / 2                                   # (n, d)
        q = e * x**4 / 4 - p * x**3 - 3 * (t + g) * x**2                   # (n, d)
        return WellTheta((k * np.ones_like(x)).sum(axis=0), q.sum(axis=0))


# %% [markdown]
# ## An objective in less than twenty lines
#
# Denoising with Huber's loss: as the square where a component of the residual is below `limit`, and
# linear beyond it, so that a few outliers do not decide the fit.

# %%
@dataclass(frozen=True, eq=False, repr=False)
class HuberDenoising(refsm.Objective):
    x: np.ndarray
    x_noisy: np.ndarray
    sigma: float
    limit: float
    weights: np.ndarray = field(default=None, kw_only=True)

    reads = ("score",)
    per_point = ("x", "x_noisy", "weights")
    points = property(lambda self: self.x_noisy)

    def __post_init__(self):
        self._set_data(x=self.x, x_noisy=self.x_noisy)

    def local_loss(self, score):
        r = score - (self.x - self.x_noisy) / self.sigma**2
        slope = np.where(abs(r) < self.limit, r, self.limit * np.sign(r))  # (n, d)
        return row_dot(slope, r - slope / 2), {"score": self.weights[:, None] * slope}


# %% [markdown]
# ## Checked
#
# The right formulas, and each of two mistakes: the 3 of `3 q x^2` forgotten, and the derivative of
# the square taken beyond `limit` too.

# %%
class ForgottenThree(DoubleWell):
    def at(self, x):
        wrong = WellAt(*self.theta, x)
        wrong.diagonal = lambda: self.theta.k - self.theta.q * x**2
        return wrong


class WrongSlope(HuberDenoising):
    def local_loss(self, score):
        term, cotangents = super().local_loss(score)
        residual = score - (self.x - self.x_noisy) / self.sigma**2
        return term, {"score": self.weights[:, None] * residual}


rng = np.random.default_rng(18)
x = rng.standard_normal((60, 3))
x_noisy = x + 0.5 * rng.standard_normal(x.shape)
well = DoubleWell(np.array([0.9, 1.4, 2.0]), np.array([0.7, 1.1, 1.6]))
J = HuberDenoising(x, x_noisy, 0.5, limit=1.5)
reports = {
    "DoubleWell": refsm.check_model(well, x),
    "the 3 forgotten": refsm.check_model(ForgottenThree(*well.theta), x),
    "HuberDenoising": refsm.check_objective(J, well),
    "on a Gaussian": refsm.check_objective(J, refsm.Gaussian(np.ones(3), 2 * np.eye(3))),
    "the slope wrong": refsm.check_objective(WrongSlope(x, x_noisy, 0.5, limit=1.5), well),
}
table(["checked", "verdict", "parts", "that fail"],
      [[name, report.verdict, f"{len(report.parts)}",
        f"{sum(part.verdict == 'FAIL' for part in report.parts)}"]
       for name, report in reports.items()])

# %% [markdown]
# ## At work
#
# Points of a double well, sampled by Langevin steps from one with known parameters, and fitted by
# implicit score matching, an objective that was written without this energy.

# %%
truth = DoubleWell(np.array([2.0]), np.array([2.0]))
points = refsm.langevin(truth, rng.standard_normal((4000, 1)), 0.01, 600, rng)
run = refsm.minimize(refsm.ImplicitScoreMatching(points), DoubleWell(np.ones(1), np.ones(1)))
fitted = run.model
k, q = (float(leaf[0]) for leaf in fitted.theta)
table(["", "k", "q"],
      [["true", "2", "2"], ["fitted to 4000 points", f"{k:.3f}", f"{q:.3f}"]])

# %% [markdown]
# ## The picture

# %%
if plt := pyplot():
    figure, axis = plt.subplots(figsize=(8, 4.8))
    grid = np.linspace(-2, 2, 401)[:, None]
    for model, style, name in [(truth, "-", "true"), (fitted, "--", "fitted")]:
        p = np.exp(-model.energy(grid))
        axis.plot(grid, p / (p.sum() * (grid[1] - grid[0])), "k" + style, label=f"{name} density")
    axis.hist(points[:, 0], bins=60, density=True, color="#8fb8d8", label="4,000 points")
    axis.set(xlabel="$x$", ylabel="density", title="a new energy, fitted by an old objective")
    axis.legend()
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
verdicts = {name: report.verdict for name, report in reports.items()}
assert [name for name, verdict in verdicts.items() if verdict == "FAIL"] == ["the 3 forgotten",
                                                                             "the slope wrong"]
assert verdicts["DoubleWell"] == verdicts["HuberDenoising"] == verdicts["on a Gaussian"] == "PASS"
assert np.abs(np.concatenate(fitted.theta) - 2).max() < 0.3
