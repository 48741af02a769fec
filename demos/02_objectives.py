# %% [markdown]
# # Six objectives along one parameter: one minimiser, constants in between
#
# **Claim.** For noisy points `x_noisy = x + sigma eps` with density `q_sigma`, and any energy with
# score psi,
#
#     E J_DSM = E J_DAE / (2 sigma^4)                               Vincent's identity
#             = E J_ESM + d/(2 sigma^2) - 1/2 E |grad log q_sigma|^2   explicit, at q_sigma
#             = E J_ISM + d/(2 sigma^2)                            implicit, at q_sigma
#             = E J_SSM + d/(2 sigma^2)                            sliced, both forms
#
# No constant depends on theta, so all six have the same gradients and the same minimisers.
#
# It takes 4 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import Progress, figure_file, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import Progress, figure_file, pyplot, save, stop_if, table

FIGURE = figure_file("02_objectives",
                     "Six objectives along one parameter: one minimiser, constants in between.")

# %% [markdown]
# ## Expectations without sampling
#
# The clean data are four penguins: bill length and depth, in standard deviations. Each is seen
# through Gaussian noise, so `q_sigma` is a Parzen density with four centres. Expectations over the
# noise are sums over a grid of nodes with weights, exact to rounding; an objective takes the nodes
# as its points. Nothing below is an estimate.

# %%
birds = refsm.data.penguins()
clean = ((birds - birds.mean(axis=0)) / birds.std(axis=0))[::90]
sigma = 0.6
x, x_noisy, weights = refsm.expectations.noisy_pairs(clean, sigma, size=101)
n, d = x.shape
q_sigma = refsm.Parzen(clean, sigma)
frame = np.broadcast_to(refsm.directions.coordinate_frame(1, d), (n, d, d))

OBJECTIVES = {
    "denoising": refsm.DenoisingScoreMatching(x, x_noisy, sigma, weights=weights),
    "autoencoder / 2 sigma^4": refsm.DenoisingAutoencoderLoss(
        x, x_noisy, weights=weights / (2 * sigma**4)),
    "explicit": refsm.ExplicitScoreMatching(x_noisy, q_sigma, weights=weights),
    "implicit": refsm.ImplicitScoreMatching(x_noisy, weights=weights),
    "sliced": refsm.SlicedScoreMatching(x_noisy, frame, weights=weights),
    "sliced, reduced": refsm.SlicedScoreMatching(x_noisy, frame, variance_reduced=True,
                                                 weights=weights),
}
noise_energy = d / (2 * sigma**2)
parzen_energy = weights @ (q_sigma.score(x_noisy) ** 2).sum(axis=1) / 2
BELOW = {"denoising": 0.0, "autoencoder / 2 sigma^4": 0.0,
         "explicit": noise_energy - parzen_energy, "implicit": noise_energy,
         "sliced": noise_energy, "sliced, reduced": noise_energy}

# %% [markdown]
# ## One parameter
#
# Train an autoencoder energy with five hidden units on the denoising objective (on a coarse grid
# first). Then scale its weights: `W(t) = t W`, nothing else changes. At t = 1 every one of the six
# must have its minimum, although only one of them was minimised.

# %%
rng = np.random.default_rng(2)
start = refsm.AutoencoderEnergy(W=rng.standard_normal((5, d)), b=rng.standard_normal(5),
                                c=np.zeros(d), sigma=sigma)
*coarse, coarse_weights = refsm.expectations.noisy_pairs(clean, sigma, size=31)
near = refsm.minimize(refsm.DenoisingScoreMatching(*coarse, sigma, weights=coarse_weights),
                      start).model
fitted = refsm.minimize(OBJECTIVES["denoising"], near).model


def scaled(t):
    return fitted.with_theta(fitted.theta._replace(W=t * fitted.W))


t = np.linspace(0.4, 1.6, 25)
curves = {name: [] for name in OBJECTIVES}
with Progress("values of t", of=len(t)) as progress:
    for at in t:
        model = scaled(at)
        for name, J in OBJECTIVES.items():
            curves[name].append(J.value(model))
        progress()
done = min(map(len, curves.values()))
t, curves = t[:done], {name: np.array(values[:done]) for name, values in curves.items()}

# %% [markdown]
# ## The constants
#
# `slope` is the derivative along t at t = 1: the gradient for W, times W.

# %%
slope = {name: float((J.gradient(fitted).W * fitted.W).sum()) for name, J in OBJECTIVES.items()}
print(f"E over {len(clean)} penguins and their noise, sigma = {sigma}, {n} nodes")
below = {name: curves["denoising"] - curves[name] for name in OBJECTIVES}
table(["objective", "lowest J", "at t", "J_DSM - J", "predicted", "slope at 1"],
      [[name, f"{values.min():.6f}", f"{t[values.argmin()]:.2f}",
        f"{below[name].mean().round(9) + 0.0:.6f}", f"{BELOW[name]:.6f}", f"{slope[name]:.0e}"]
       for name, values in curves.items() if done])

# %% [markdown]
# ## The picture

# %%
if plt := pyplot():
    figure, axes = plt.subplots(1, 2, figsize=(12.5, 5))
    axes[1].plot(t, curves["denoising"], color="0.75", linestyle="-", linewidth=1, zorder=0)
    for k, (name, mark) in enumerate(zip(curves, "osD^vx")):
        axes[0].plot(t, curves[name], linewidth=1, marker=mark, markersize=5, markevery=(k, 6))
        axes[1].plot(t[k::6], (curves[name] + BELOW[name])[k::6], mark, markersize=7,
                     label=name.replace("sigma^4", r"$\sigma^4$"))
    for axis in axes:
        axis.axvline(1, color="0.85", linewidth=0.8, zorder=0)
        axis.set_xlabel("$t$, the scale of the weights: $W(t) = t\\,W$")
    axes[0].set(title="six objectives: the same shape, the same minimiser",
                ylabel="expected loss  (1 / standard deviation$^2$)")
    axes[1].set(title="plus the predicted constants: one curve",
                ylabel="expected loss + constant  (1 / standard deviation$^2$)")
    axes[1].legend(loc="upper center")
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
stop_if(not progress.finished)
for name, values in curves.items():
    size = np.abs(curves["denoising"]).max()
    assert np.abs(below[name] - BELOW[name]).max() < 1e-12 * size, name
    assert t[values.argmin()] == 1.0
    gradients = [OBJECTIVES[which].gradient(scaled(0.7)) for which in (name, "denoising")]
    for ours, theirs in zip(*gradients):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-11 * np.abs(theirs).max())
