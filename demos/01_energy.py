# %% [markdown]
# # A first lesson: an energy, its score, and a loss that needs no constant
#
# **Claim.** An energy E gives the density `p(x) = exp(-E(x)) / Z`. Its score `psi = d log p / dx =
# -dE/dx` does not contain Z, points to where p is larger, and is 0 at the modes. For points x of a
# density q, the implicit loss
#
#     J_ISM = mean( 1/2 psi(x)^2 + psi'(x) )
#
# needs psi alone. In expectation it is half the squared distance of psi from q's score, minus a
# constant, so it is smallest for the model whose score is nearest to that of q; for Gaussian
# models that is the one with the mean and the variance of the points.
#
# It takes 2 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import figure_file, pyplot, save, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import figure_file, pyplot, save, table

FIGURE = figure_file("01_energy", "An energy, its score, and the implicit loss in one dimension.")

# %% [markdown]
# ## An energy and its score
#
# q is a density with two modes. An energy is known up to a constant: add 5 to it, and Z takes the
# factor exp(-5), while the score stays the same. Where the score is positive, p rises to the
# right.

# %%
q = refsm.GaussianMixture([0.4, 0.6], [[-1.5], [1.0]], [[[0.36]], [[0.49]]])
x = np.linspace(-4, 4, 401)[:, None]
E, psi, slope = q.energy(x), q.score(x)[:, 0], q.score_divergence(x)

step = x[1, 0] - x[0, 0]
print("the energy of q, its score and the slope of the score:")
table(["x", "E", "psi = -dE/dx", "difference quotient", "psi'"],
      [[f"{x[k, 0]:.1f}", f"{E[k]:.4f}", f"{psi[k]:.4f}",
        f"{-(E[k + 1] - E[k - 1]) / (2 * step):.4f}", f"{slope[k]:.4f}"]
       for k in range(50, 400, 60)])

# %% [markdown]
# ## Two terms that pull against each other
#
# Fit a Gaussian model with the mean of q and standard deviation s: `psi = -(x - mean)/s^2`, `psi'
# = -1/s^2`. A narrow model has a large score at the points, so that `1/2 psi^2` is large; a wide
# one has little curvature, so that `psi'` is hardly below 0. Their sum is smallest in between.
# Expectations are sums over nodes with weights, exact to rounding.

# %%
nodes, weights = refsm.expectations.trapezoid(q, size=201)
mean, sd = q.mean, float(np.sqrt(q.covariance[0, 0]))
explicit = refsm.ExplicitScoreMatching(nodes, q, weights=weights)
implicit = refsm.ImplicitScoreMatching(nodes, weights=weights)
constant = weights @ q.score(nodes)[:, 0] ** 2 / 2


def gaussian(s, at=mean):
    return refsm.Gaussian(at, [[1 / s**2]])


widths = np.linspace(0.9, 3.0, 85)
square = np.array([weights @ gaussian(s).score(nodes)[:, 0] ** 2 / 2 for s in widths])
curvature = -1 / widths**2
J_ISM = np.array([implicit.value(gaussian(s)) for s in widths])
J_ESM = np.array([explicit.value(gaussian(s)) for s in widths])
lowest = widths[J_ISM.argmin()]
print(f"\nin expectation over q, whose standard deviation is {sd:.4f}:")
table(["s", "mean psi^2 / 2", "mean psi'", "J_ISM", "J_ESM - constant"],
      [[f"{widths[k]:.2f}", f"{square[k]:.5f}", f"{curvature[k]:.5f}", f"{J_ISM[k]:.5f}",
        f"{J_ESM[k] - constant:.5f}"] for k in range(4, len(widths), 16)])

# %% [markdown]
# ## From points alone
#
# Two hundred points of q: the loss needs neither q nor its score. Setting the derivative with
# respect to the mean and to 1/s^2 to zero gives the mean and the variance (with 1/n) of the
# points.

# %%
sample = q.sample(200, np.random.default_rng(1))
J = refsm.ImplicitScoreMatching(sample)
fitted = gaussian(sample.std(), sample.mean(axis=0))
gradient = J.gradient(fitted)
print(f"\n200 points: J_ISM = {J.value(fitted):.5f} at their mean {sample.mean():.4f}\n"
      f"and standard deviation {sample.std():.4f}; "
      f"there the gradient is {abs(gradient.mean[0]):.0e} and {abs(gradient.precision[0, 0]):.0e}")

# %% [markdown]
# ## The picture

# %%
if plt := pyplot():
    figure, axes = plt.subplots(1, 3, figsize=(13.5, 4.6))
    p = np.exp(-E)
    axes[0].plot(x, E, "-", color="#0b62a4", label="energy $E(x) = -\\log p(x)$")
    axes[0].plot(x, 6 * p, "-", color="k", label="density $p(x)$, times 6")
    modes = np.flatnonzero((psi[:-1] > 0) & (psi[1:] <= 0))
    axes[0].plot(x[modes], E[modes], "v", color="#0b62a4", markersize=8,
                 label="lowest energy: the modes")
    axes[0].set(xlabel="$x$", ylim=(0, 9), title="low energy, high density")
    axes[0].legend(loc="upper center")
    axes[1].axhline(0, color="0.8", linewidth=0.8)
    axes[1].plot(x, psi, "-", color="#c4501b", label="score $\\psi(x) = -dE/dx$")
    at = x[20:400:24]
    axes[1].quiver(at, np.full(len(at), -7.2), q.score(at), np.zeros(len(at)), angles="xy",
                   scale_units="xy", scale=9, width=0.007, headwidth=4, color="0.35")
    axes[1].plot([], [], linestyle="", marker=r"$\rightarrow$", markersize=18, color="0.35",
                 label="the same, as arrows along $x$")
    axes[1].plot(x[modes], 0 * x[modes], "v", color="#0b62a4", markersize=8,
                 label="zero at the modes")
    axes[1].set(xlabel="$x$", ylim=(-8, 9), ylabel="$\\psi$  (1 / units of $x$)",
                title="the score points uphill")
    axes[1].legend(loc="upper right")
    axes[2].plot(widths, square, "--", color="#0b62a4",
                 label="mean of $\\psi^2/2$: large if too narrow")
    axes[2].plot(widths, curvature, "-.", color="#c4501b", label="mean of $\\psi'$: low if narrow")
    axes[2].plot(widths, J_ISM, "-", color="k", linewidth=2.4, label="their sum $J_{ISM}$")
    axes[2].plot(widths[::7], (J_ESM - constant)[::7], "o", color="#7fa23c", fillstyle="none",
                 label="$J_{ESM}$ minus a constant")
    axes[2].axvline(sd, color="0.7", linewidth=0.8, label="standard deviation of $q$")
    axes[2].set(xlabel="$s$, the width of a Gaussian model", ylim=(-1.3, 1.6),
                ylabel="loss  (1 / units of $x^2$)", title="the sum is least at the right width")
    axes[2].legend(loc="upper right")
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
shifted = refsm.Gaussian(mean, [[2.0]])        # exp(-E) is not normalised, and psi needs no Z
np.testing.assert_allclose(shifted.score(x), -2 * (x - mean), rtol=1e-15)
np.testing.assert_allclose(np.gradient(-E, step)[1:-1], psi[1:-1], atol=3e-3)
np.testing.assert_allclose(J_ISM, square + curvature, rtol=0, atol=1e-14)
np.testing.assert_allclose(J_ISM, J_ESM - constant, rtol=0, atol=1e-12)
assert abs(lowest - sd) <= (widths[1] - widths[0]) / 2
assert max(abs(gradient.mean[0]), abs(gradient.precision[0, 0])) < 1e-14
