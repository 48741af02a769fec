# %% [markdown]
# # Langevin: samples from a score, and the bias of the step
#
# **Claim.** The chain `x <- x + step psi(x) + sqrt(2 step) xi`, with fresh standard normal xi,
# samples a density up to a bias of the first order in the step. For a Gaussian of precision p
# along some axis the bias is known,
#
#     variance = 1 / ( p (1 - step p / 2) ),    step < 2 / p,
#
# too large by the factor `1 / (1 - step p / 2)`, however long the chain; from `step = 2 / p` on the
# chain diverges. And it needs only the score of the density: Z never enters.
#
# It takes 4 seconds.

# %%
import textwrap

import numpy as np

import refsm

try:
    from demos._figure import Progress, figure_file, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import Progress, figure_file, pyplot, save, stop_if, table

FIGURE = figure_file("08_langevin", "Langevin: samples from a score, and the bias of the step.")

# %% [markdown]
# ## A Gaussian, whose bias is known
#
# Two dimensions with standard deviations 1.5 and 0.5, rotated by 30 degrees. Many chains in
# parallel, long enough to be stationary; the variance is taken over chains and over every
# fifth step after that.

# %%
rng = np.random.default_rng(8)
turn = np.array([[np.sqrt(3) / 2, -0.5], [0.5, np.sqrt(3) / 2]])
deviations = np.array([1.5, 0.5])
gaussian = refsm.Gaussian([1.0, -1.0], turn @ np.diag(deviations**-2) @ turn.T)
CHAINS = 4000
STEPS = [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45]


def variances(step):
    """Variances along the two axes of the stationary chain, and their standard errors."""
    kept = []
    steps = int(8 * deviations[0]**2 / step)

    def keep(k, x):
        if k > steps / 2 and k % 5 == 0:
            kept.append(((x - gaussian.mean) @ turn) ** 2)

    refsm.langevin(gaussian, gaussian.sample(CHAINS, rng), step, steps, rng, callback=keep)
    squares = np.mean(kept, axis=0)           # (CHAINS, 2): chains are independent, steps are not
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
      [[f"{step}", f"{value[0]:.4f}", f"{stationary(step)[0]:.4f}", f"{value[1]:.4f}",
        f"{stationary(step)[1]:.4f}", f"{max(abs(value - stationary(step)) / error):.1f}"]
       for step, (value, error) in zip(STEPS, measured)])

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
mixture = refsm.GaussianMixture(
    [0.5, 0.3, 0.2], [[-1.5, 0.0], [1.0, 1.2], [1.2, -1.2]],
    [[[0.5, 0.2], [0.2, 0.4]], [[0.4, -0.1], [-0.1, 0.3]], [[0.3, 0.0], [0.0, 0.5]]])
path = []
samples = refsm.langevin(mixture, np.zeros((3000, 2)), 0.02, 600, rng,
                         callback=lambda k, x: path.append(x[0]))
path = np.array(path)
table(["", "mean", "", "covariance", "", ""],
      [[name, *(f"{value:.3f}" for value in [*mean, *covariance[np.triu_indices(2)]])]
       for name, mean, covariance in [("mixture", mixture.mean, mixture.covariance),
                                      ("3000 chains", samples.mean(axis=0), np.cov(samples.T))]])

# %% [markdown]
# ## The picture

# %%
if (plt := pyplot()) and measured:
    figure, axes = plt.subplots(1, 2, figsize=(12.5, 5.4))
    grid = np.stack(np.meshgrid(np.linspace(-4, 4, 161), np.linspace(-4, 4, 161)), axis=-1)
    density = np.exp(mixture.log_density(grid.reshape(-1, 2))).reshape(161, 161)
    axes[0].contour(*np.moveaxis(grid, -1, 0), density, levels=8, colors="0.35", linewidths=0.8)
    axes[0].plot([], [], "-", color="0.35", linewidth=0.8, label="density")
    axes[0].plot(0, 0, "k+", markersize=11, markeredgewidth=2.4, label="start")
    axes[0].plot(*samples.T, ".", color="#8fb8d8", markersize=2, zorder=0,
                 label="ends of 3,000 chains")
    axes[0].plot(*path[:150].T, "-", color="#a03000", linewidth=1.1, label="150 steps of one chain")
    axes[0].plot(*path[149], "o", color="#a03000", markersize=6)
    axes[0].set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xlabel="$x_1$", ylabel="$x_2$",
                title="chains that read only the score sample the density")
    axes[0].legend(loc="upper right", markerscale=1.2)
    fine = np.linspace(0, 0.49, 200)
    kinds = [("o", "-", "wide axis, $1/p = 2.25$"), ("s", "--", "narrow axis, $1/p = 0.25$")]
    for k, (mark, dash, name) in enumerate(kinds):
        relative = [stationary(step)[k] / deviations[k]**2 for step in fine]
        line, = axes[1].plot(fine, relative, linestyle=dash)
        axes[1].plot(STEPS[:len(measured)], [value[k] / deviations[k]**2 for value, _ in measured],
                     mark, color=line.get_color(), markersize=6, label=name)
    axes[1].axvline(0.5, color="0.6", linewidth=1, linestyle=":",
                    label="$2/p$ of the narrow axis: divergence beyond it")
    axes[1].set(ylim=(0.8, 12), yscale="log", yticks=[1, 2, 5, 10], yticklabels=[1, 2, 5, 10],
                xlabel="step  (units of $x^2$)", ylabel="variance of the chains / variance of $p$",
                title=r"the variance is too large by $1/(1 - \mathrm{step}\,p/2)$ (lines)")
    axes[1].minorticks_off()
    axes[1].legend()
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
stop_if(not progress.finished)
for step, (value, error) in zip(STEPS, measured):
    assert (abs(value - stationary(step)) < 5 * error).all(), step
assert (measured[-1][0] - measured[-1][1] * 5 > deviations**2).all()      # the bias is there
assert "left the finite numbers" in exploded
assert np.allclose(samples.mean(axis=0), mixture.mean, atol=0.12)
assert np.allclose(np.cov(samples.T), mixture.covariance, rtol=0.1, atol=0.1)
