# %% [markdown]
# # A score field on penguins
#
# **Claim.** Denoising score matching does not use `q_sigma`, the density of the noisy data, and yet
# it learns its score:
#
#     J_DSM = E 1/2 |psi(x_noisy) - (x - x_noisy)/sigma^2|^2
#           = E 1/2 |psi(x_noisy) - grad log q_sigma(x_noisy)|^2 + C
#
# For n penguins and their noise, `q_sigma` is known: it is the Parzen density with a Gaussian of
# standard deviation sigma on each bird. So the score of a trained energy and the Parzen field can
# be laid side by side, and J_DSM - C is half their mean squared distance.
#
# It takes 3 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import figure_file, kept, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import figure_file, kept, pyplot, save, stop_if, table

FIGURE = figure_file("04_penguins",
                     "A score field on real data in the plane, beside the Parzen field.")

# %% [markdown]
# ## The birds
#
# Bill length and bill depth of 342 penguins of three species, in units of their standard
# deviations (5.5 mm and 2.0 mm), so that the noise is the same in both. The species is not used:
# the energy is fitted to points without labels.

# %%
mm, species = refsm.data.penguins(), refsm.data.penguins_labels()
centre, unit = mm.mean(axis=0), mm.std(axis=0)
x = (mm - centre) / unit
n, d = x.shape
sigma, m = 0.4, 24
q_sigma = refsm.Parzen(x, sigma)

# %% [markdown]
# ## Training
#
# An energy with 24 hidden units; twenty noisy copies of each bird to train on, twenty others to
# measure with.

# %%
rng = np.random.default_rng(4)


def noisy_copies(k):
    clean = np.tile(x, (k, 1))
    return clean, refsm.GaussianCorruption(sigma).sample(clean, rng)


clean, x_noisy = noisy_copies(20)
W = 2 * rng.standard_normal((m, d))
b = -(W * x[rng.choice(n, m)]).sum(axis=1)
start = refsm.AutoencoderEnergy(W=W, b=b, c=np.zeros(d), sigma=sigma)
path = []
run = kept(lambda: refsm.minimize(
    refsm.DenoisingScoreMatching(clean, x_noisy, sigma), start, maxiter=200,
    callback=lambda k, model, value, norm: path.append(model)))
model, path = run.model, path or [start]

# %% [markdown]
# ## What was learned, on noise that was not seen
#
# `J_DSM` and the distance of the fields, `J_ESM = 1/2 E |psi - grad log q_sigma|^2`, differ by one
# constant C, except for the noise of the sample; R^2 is the part of the Parzen field that the
# energy's field explains.

# %%
clean, x_noisy = noisy_copies(20)
denoising = refsm.DenoisingScoreMatching(clean, x_noisy, sigma)
explicit = refsm.ExplicitScoreMatching(x_noisy, q_sigma)
field = q_sigma.score(x_noisy)
half_square = (field**2).sum(axis=1).mean() / 2
C = denoising.value(q_sigma)                                    # the energy of q_sigma itself
rows = []
shown = [step for step in (0, 5, 10, 20, 50, 100) if step < len(path)]
for k in sorted({*shown, len(path) - 1}):
    J, distance = denoising.value(path[k]), explicit.value(path[k])
    rows.append([f"{k}", f"{J:.4f}", f"{J - C:.4f}", f"{distance:.4f}",
                 f"{1 - distance / half_square:.2f}"])
print(f"{n} penguins, sigma = {sigma} standard deviations, m = {m}; C = {C:.4f}")
table(["steps", "J_DSM", "J_DSM - C", "1/2 E|psi - Parzen|^2", "R^2"], rows)

# %% [markdown]
# ## The picture
#
# Left, why this works: a noisy point may come from many birds. Each gives a target, an arrow from
# the noisy point back to that bird; their average, weighted by how probable each bird is, is
# `sigma^2` times the Parzen score there. A regression on single arrows finds the average. Middle
# and right, arrows are the scores, scaled to the units of the axes; the shade is the density of the
# field (the energy's without its Z). Where there is no bird the data do not determine the score,
# and the two fields differ.

# %%
if plt := pyplot():
    figure, axes = plt.subplots(1, 3, figsize=(15, 5.2))
    low, high = x.min(axis=0) - 0.6, x.max(axis=0) + 0.6
    spots = np.array([[-2.0, -0.9], [0.25, 2.1], [-0.4, -1.7]])
    for k, spot in enumerate(spots):
        weight = np.exp(-((x - spot) ** 2).sum(axis=1) / (2 * sigma**2))
        weight /= weight.sum()
        for bird in np.flatnonzero(weight > 4e-3):
            axes[0].annotate("", centre + unit * x[bird], centre + unit * spot, zorder=1,
                             arrowprops={"arrowstyle": "->", "color": "0.45", "linewidth": 0.8,
                                         "alpha": min(1, 0.15 + 12 * weight[bird])})
        mean = centre + unit * (weight @ x)
        axes[0].annotate("", mean, centre + unit * spot, zorder=3,
                         arrowprops={"arrowstyle": "-|>", "color": "#c4501b", "linewidth": 2.6})
        axes[0].plot(*(centre + unit * spot), "o", color="#0b62a4", markersize=8, zorder=4)
    axes[0].plot(*mm.T, "o", color="white", markeredgecolor="0.35", markeredgewidth=0.6,
                 markersize=4, zorder=2, label="birds")
    axes[0].plot([], [], "o", color="#0b62a4", markersize=8, label="noisy points")
    axes[0].plot([], [], linestyle="", marker=r"$\rightarrow$", markersize=16, color="0.45",
                 label="arrows to birds, darker if more probable")
    axes[0].plot([], [], linestyle="", marker=r"$\rightarrow$", markersize=16, color="#c4501b",
                 label=r"their average: $\sigma^2$ times the Parzen score")
    axes[0].set(xlim=centre[0] + unit[0] * np.array([-2.7, 1.9]), ylabel="bill depth  (mm)",
                ylim=centre[1] + unit[1] * np.array([-4.0, 2.7]),
                title=r"the average of the arrows back is $\sigma^2$ times the score")
    axes[0].legend(loc="lower left", handletextpad=0.3, fontsize=9.5)
    fine = np.stack(np.meshgrid(*np.linspace(low, high, 121).T, indexing="xy"), axis=-1)
    coarse = np.stack(np.meshgrid(*np.linspace(low, high, 16).T, indexing="xy"), axis=-1)
    arrows = coarse.reshape(-1, 2)[q_sigma.log_density(coarse.reshape(-1, 2)) > -9]
    R2 = 1 - explicit.value(model) / half_square
    fields = [(model, f"trained on single arrows, $R^2$ = {R2:.2f}"), (q_sigma, "the Parzen score")]
    for axis, (field_of, title) in zip(axes[1:], fields):
        E = field_of.energy(fine.reshape(-1, 2)).reshape(fine.shape[:2])
        p = np.exp(E.min() - E)
        axis.contourf(*np.moveaxis(centre + unit * fine, -1, 0), p, levels=np.linspace(0, 1, 9),
                      cmap="Greys", alpha=0.55)
        for name, mark in zip(np.unique(species), "o^s"):
            axis.plot(*mm[species == name].T, mark, color="white", markeredgecolor="0.35",
                      markeredgewidth=0.6, markersize=4, label=name)
        axis.quiver(*(centre + unit * arrows).T, *(unit * field_of.score(arrows)).T, angles="xy",
                    scale_units="xy", scale=15, width=0.0035, color="#0b62a4")
        axis.plot([], [], linestyle="", marker=r"$\rightarrow$", markersize=16, color="#0b62a4",
                  label="score")
        axis.set(title=title)
    axes[1].legend(loc="lower left", handletextpad=0.3, frameon=True, framealpha=1,
                   edgecolor="none")
    for axis in axes:
        axis.set_xlabel("bill length  (mm)")
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked
#
# All along the way `J_DSM - C` and the distance of the fields agree within four standard errors of
# the sample's noise, and at the end the energy's field explains more than four fifths of the
# Parzen field. That field is the score of a sum of 342 bumps, one on each bird, which an energy
# with 24 hidden units does not have in full.

# %%
stop_if(run.interrupted)
at_parzen = denoising.per_sample(q_sigma)
for k in (0, 5, 20, 100, len(path) - 1):
    # (psi - Parzen).(Parzen - target), whose mean is 0
    noise = denoising.per_sample(path[k]) - at_parzen - explicit.per_sample(path[k])
    assert abs(noise.mean()) < 4 * noise.std() / np.sqrt(len(noise)), k
assert explicit.value(model) < 0.2 * half_square
