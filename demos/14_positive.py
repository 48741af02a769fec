# %% [markdown]
# # Positive data: what h does at the boundary
#
# **Claim.** Times are positive, and their density need not vanish at 0. Implicit score matching
# integrates by parts along x, and there leaves the boundary term behind: its minimum is another
# density. With a weight h that vanishes at 0 the term is gone:
#
#     E 1/2 h (psi - s)^2 = E( h' psi + h psi' + 1/2 h psi^2 ) + 1/2 E h s^2,      s = grad log q
#
# For `E = theta x` and h = x the minimum is theta = 1 / mean(x), the maximum-likelihood rate; with
# h = 1 it is 0 on any data. Which h one takes decides the variance: `refsm.closed_form` states it,
# and repeated samples show it.
#
# It takes 8 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import INK, Progress, figure_file, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import INK, Progress, figure_file, pyplot, save, stop_if, table

FIGURE = figure_file("14_positive", "Positive data: what h does at the boundary.")

WEIGHTS = {                                      # h and its derivative
    "1": (np.ones_like, np.zeros_like),
    "min(x, 1)": (lambda x: np.minimum(x, 1), lambda x: np.where(x < 1, 1.0, 0.0)),
    "log(1 + x)": (np.log1p, lambda x: 1 / (1 + x)),
    "x": (lambda x: x, np.ones_like),
    "x^2": (lambda x: x**2, lambda x: 2 * x),
}


def loss(x, name, weights=None):
    h, h_slope = WEIGHTS[name]
    return refsm.GeneralizedScoreMatching(x, h(x), h_slope(x), weights=weights)


# %% [markdown]
# ## Waiting times
#
# 2,000 simulated waiting times of rate 3. The model has one term, `E = theta x`, so the estimate is
# a quotient of two means. For h = x it is 1 / mean(x); for h = x^2 it is 2 mean(x) / mean(x^2).
# Their standard errors come from the spread of the data, the last one from the exponential density:
# so the same estimate, 1 / mean(x), has two.

# %%
rng = np.random.default_rng(14)
waiting = rng.exponential(1 / 3, size=(2000, 1))
exponential = refsm.PolynomialEnergy([0.0], [[1]])
rows = []
for name in WEIGHTS:
    found = refsm.closed_form(loss(waiting, name), exponential)
    rate, error = -found.model.theta.coefficients[0] + 0.0, np.sqrt(found.covariance[0, 0])
    rows.append([f"h = {name}", f"{rate:.4f}", f"{error:.4f}"])
rows.append(["maximum likelihood, 1 / mean(x)", f"{1 / waiting.mean():.4f}",
             f"{1 / waiting.mean() / np.sqrt(len(waiting)):.4f}"])
print("2,000 waiting times of rate 3")
table(["rate by", "estimate", "standard error"], rows)

# %% [markdown]
# ## A density with two parameters
#
# Distances from a line: the absolute value of a standard normal variable, so `mu = 0, sigma = 1` in
#
#     p proportional to exp( -(x - mu)^2 / (2 sigma^2) )        on x > 0.
#
# With h = 1 the loss has no term for the end of the data at 0: it finds their mean and variance,
# and so a bell, where the density falls from 0 on.

# %%
distances = np.abs(rng.standard_normal((2000, 1)))
normal = refsm.PolynomialEnergy([0.0, 0.0], [[1], [2]])


def mu_sigma(model):
    theta_1, theta_2 = model.theta.coefficients
    return np.array([-theta_1 / (2 * theta_2), np.sqrt(-1 / (2 * theta_2))])


fits = {name: refsm.closed_form(loss(distances, name), normal).model for name in WEIGHTS}

# %% [markdown]
# ## How far an estimate is off
#
# n Var(mu) as `asymptotic_variance` states it, from the density itself (a quadrature rule in the
# place of points), and as 200 samples of 4,000 points show it; the least that is possible for an
# unbiased estimate comes from the Fisher information. (d mu/d theta = (1, 0) at mu = 0, sigma = 1.)

# %%
SAMPLES, POINTS = 200, 4000
z, volumes = np.polynomial.legendre.leggauss(60)
ends = np.array([0.0, 1.0, 3.0, 7.0, 14.0])               # min(x, 1) has its kink at an end
nodes = (ends[:-1, None] + np.diff(ends)[:, None] * (1 + z) / 2).reshape(-1, 1)
volumes = (np.diff(ends)[:, None] * volumes / 2).ravel()
half_normal = volumes * np.exp(-nodes[:, 0]**2 / 2) * np.sqrt(2 / np.pi)
truth = normal.unravel([0.0, -0.5])
least = np.linalg.inv(refsm.closed_forms.fisher_information(truth, nodes, volumes))[0, 0]

VANISHING = [name for name in WEIGHTS if name != "1"]
stated = {name: refsm.closed_form(loss(nodes, name, half_normal), normal).asymptotic_variance[0, 0]
          for name in VANISHING}
measured = {name: [] for name in VANISHING}
with Progress("samples", of=SAMPLES) as progress:
    for _ in range(SAMPLES):
        x = np.abs(rng.standard_normal((POINTS, 1)))
        for name in VANISHING:
            measured[name].append(mu_sigma(refsm.closed_form(loss(x, name), normal).model)[0])
        progress()
variance = {name: POINTS * np.var(values) for name, values in measured.items()}

print("\n2,000 half-normal distances: mu = 0, sigma = 1")
rows = [["h = 1", *(f"{value:.3f}" for value in mu_sigma(fits["1"])), "", ""]]
rows += [[f"h = {name}", *(f"{value:.3f}" for value in mu_sigma(fits[name])),
          f"{stated[name]:.3f}", f"{variance[name]:.3f}"] for name in VANISHING]
table(["fitted with", "mu", "sigma", "n Var(mu), stated", "of 200 samples"],
      [*rows, ["least possible", "", "", f"{least:.3f}", ""]])

# %% [markdown]
# ## The picture

# %%
if plt := pyplot():
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.2), width_ratios=[1.25, 1])
    grid = np.linspace(0, 3.6, 400)[:, None]
    left.hist(distances[:, 0], bins=45, density=True, color="0.88")
    names = ["1", "x"]
    for name, color, dash in zip(names, INK[2:0:-1], ["--", "-"]):
        p = np.exp(-fits[name].energy(grid))
        Z = volumes @ np.exp(-fits[name].energy(nodes))
        left.plot(grid, p / Z, dash, color=color, linewidth=2.6, label=f"$h = {name}$")
    left.plot(grid, np.sqrt(2 / np.pi) * np.exp(-grid**2 / 2), ":", color=INK[0],
              label="the density")
    left.set(xlabel="x", ylabel="density", xlim=(0, 3.6), title="2,000 distances, two parameters")
    left.legend()
    places = np.arange(len(VANISHING))
    right.bar(places, [stated[name] for name in VANISHING], color="0.85", width=0.6,
              label="stated")
    spread = np.array([variance[name] for name in VANISHING]) * 2 * np.sqrt(2 / SAMPLES)
    right.errorbar(places, [variance[name] for name in VANISHING], yerr=spread, fmt="o",
                   color=INK[1], capsize=4, label=f"{SAMPLES} samples")
    right.axhline(least, color=INK[2], linestyle="--", label="least possible")
    right.set(xticks=places, xticklabels=[f"${name}$".replace("log", r"\log").replace(
        "min", r"\min") for name in VANISHING], xlabel="h", ylabel="n Var(mu)",
        title="what each h costs")
    right.legend(loc="upper left")
    figure.suptitle("With h = 1 score matching fits a bell where the data pile up at 0; "
                    "an h that vanishes there finds the density", fontsize=13)
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked
#
# h = 1 finds rate 0, and the mean and variance of the data; h = x finds the maximum-likelihood
# rate, to rounding. The measured variances are the stated ones within four standard errors of
# their own, 4 sqrt(2 / 200); no stated one is below the least.

# %%
stop_if(not progress.finished)
assert refsm.closed_form(loss(waiting, "1"), exponential).model.theta.coefficients[0] == 0
rate = -refsm.closed_form(loss(waiting, "x"), exponential).model.theta.coefficients[0]
np.testing.assert_allclose(rate, 1 / waiting.mean(), rtol=1e-13)
moments = distances.mean(), distances.std()
np.testing.assert_allclose(mu_sigma(fits["1"]), moments, rtol=1e-10)
for name in VANISHING:
    assert stated[name] > least
    assert abs(variance[name] / stated[name] - 1) < 4 * np.sqrt(2 / SAMPLES), name
    assert abs(mu_sigma(fits[name])[0]) < 4 * np.sqrt(stated[name] / len(distances)), name
