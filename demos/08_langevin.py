# %% [markdown]
# # Langevin: samples from a score, and the bias of the step
#
# **Claim.** The walk `x <- x + step psi(x) + sqrt(2 step) xi`, with fresh standard normal xi,
# samples p up to a bias of the first order in the step. For a Gaussian of precision p along some
# axis the bias is known,
#
#     variance = 1 / ( p (1 - step p / 2) ),    step < 2 / p,
#
# too wide by the factor `1 / (1 - step p / 2)`, however long the walk; from `step = 2 / p` on the
# walk explodes. And it needs nothing of p but the score: Z never enters.
#
# It takes 4 seconds.

# %%
import textwrap

import numpy as np

import refsm

try:
    from demos._figure import Progress, figure_file, pyplot, save, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import Progress, figure_file, pyplot, save, table

FIGURE = figure_file("08_langevin", "Langevin: samples from a score, and the bias of the step.")

# %% [markdown]
# ## A Gaussian, whose bias is known
#
# Two dimensions with standard deviations 1.5 and 0.5, rotated by 30 degrees. Many chains in
# parallel, long enough to forget their start; the variance is taken over chains and over every
# fifth step after that.

# %%
rng = np.random.default_rng(8)
turn = np.array([[np.sqrt(3) / 2, -0.5], [0.5, np.sqrt(3) / 2]])
deviations = np.array([1.5, 0.5])
gaussian = refsm.Gaussian([1.0, -1.0], turn @ np.diag(deviations**-2) @ turn.T)
CHAINS = 4000
STEPS = [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45]


def variances(step):
    """Variances along the two axes after the walk has forgotten its start, and how far they may be off."""
    kept = []
    steps = int(8 * deviations[0]**2 / step)

    def keep(k, x):
        if k > steps / 2 and k % 5 == 0:
            kept.append(((x - gaussian.mean) @ turn) ** 2)

    refsm.langevin(gaussian, gaussian.sample(CHAINS, rng), step, steps, rng, callback=keep)
    squares = np.mean(kept, axis=0)                                     # (CHAINS, 2): chains are independent, their steps are not
    return squares.mean(axis=0), squares.std(axis=0) / np.sqrt(CHAINS)


def stationary(step):
    return deviations**2 / (1 - step / deviations**2 / 2)


measured = []
with Progress("steps of different size", of=len(STEPS)) as progress:
    for step in STEPS:
        measured.append(variances(step))
        progress(f"step = {step}")

print(f"variance of {CHAINS} Langevin chains along the axes of a Gaussian")
table(["step", "wide (2.25)", "formula", "narrow (0.25)", "formula", "off by, in sd"],
      [[f"{step}", f"{value[0]:.4f}", f"{stationary(step)[0]:.4f}", f"{value[1]:.4f}", f"{stationary(step)[1]:.4f}",
        f"{max(abs(value - stationary(step)) / error):.1f}"] for step, (value, error) in zip(STEPS, measured)])

exploded = ""
try:
    refsm.langevin(gaussian, gaussian.sample(10, rng), 0.6, 4000, rng)      # beyond 2 / p = 0.5
except FloatingPointError as error:
    exploded = str(error)
print(f"\nstep 0.6, beyond 2 / p = 0.5:\n{textwrap.fill(exploded, 80)}")

# %% [markdown]
# ## Three modes
#
# A mixture of three Gaussians; every chain starts at the origin. A small step reaches all modes
# here because they overlap. Compare the chains with the mixture's own mean and covariance.

# %%
mixture = refsm.GaussianMixture([0.5, 0.3, 0.2], [[-1.5, 0.0], [1.0, 1.2], [1.2, -1.2]],
                                [[[0.5, 0.2], [0.2, 0.4]], [[0.4, -0.1], [-0.1, 0.3]], [[0.3, 0.0], [0.0, 0.5]]])
path = []
samples = refsm.langevin(mixture, np.zeros((3000, 2)), 0.02, 600, rng, callback=lambda k, x: path.append(x[0]))
path = np.array(path)
table(["", "mean", "", "covariance", "", ""],
      [["mixture", *(f"{value:.3f}" for value in [*mixture.mean, *mixture.covariance[np.triu_indices(2)]])],
       ["3000 chains", *(f"{value:.3f}" for value in [*samples.mean(axis=0), *np.cov(samples.T)[np.triu_indices(2)]])]])

# %% [markdown]
# ## The picture

# %%
if (plt := pyplot()) and measured:
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6))
    grid = np.stack(np.meshgrid(np.linspace(-4, 4, 161), np.linspace(-4, 4, 161)), axis=-1)
    density = np.exp(mixture.log_density(grid.reshape(-1, 2))).reshape(161, 161)
    axes[0].contour(*np.moveaxis(grid, -1, 0), density, levels=8, colors="0.35", linewidths=0.8)
    axes[0].plot(*samples.T, ".", color="#8fb8d8", markersize=1.8, zorder=0)
    axes[0].plot(*path[:150].T, "-", color="#a03000", linewidth=1.1)
    axes[0].plot(*path[149], "o", color="#a03000", markersize=6)
    axes[0].plot(0, 0, "k+", markersize=10, markeredgewidth=2)
    axes[0].set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xlabel="$x_1$", ylabel="$x_2$", title="3,000 chains from +; 150 steps of one of them")
    fine = np.linspace(0, 0.49, 200)
    for k, (mark, dash, name) in enumerate([("o", "-", "wide axis, $1/p = 2.25$"), ("s", "--", "narrow axis, $1/p = 0.25$")]):
        line, = axes[1].plot(fine, [stationary(step)[k] / deviations[k]**2 for step in fine], linestyle=dash, linewidth=1)
        axes[1].plot(STEPS[:len(measured)], [value[k] / deviations[k]**2 for value, _ in measured], mark, color=line.get_color(), markersize=5, label=name)
    axes[1].axvline(0.5, color="0.8", linewidth=0.8)
    axes[1].text(0.495, 3, "$2/p$", color="0.4", ha="right")
    axes[1].set(ylim=(0.8, 12), yscale="log", yticks=[1, 2, 5, 10], yticklabels=[1, 2, 5, 10],
                xlabel="step  (units of $x^2$)", ylabel="variance of the chains / variance of $p$",
                title="the bias of the step: lines are the formula")
    axes[1].minorticks_off()
    axes[1].legend()
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
if progress.finished:
    for step, (value, error) in zip(STEPS, measured):
        assert (abs(value - stationary(step)) < 5 * error).all(), step
    assert (measured[-1][0] - measured[-1][1] * 5 > deviations**2).all()            # the bias is there
    assert exploded.startswith("the walk left the finite numbers")
    assert np.allclose(samples.mean(axis=0), mixture.mean, atol=0.12) and np.allclose(np.cov(samples.T), mixture.covariance, rtol=0.1, atol=0.1)
