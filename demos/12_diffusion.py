# %% [markdown]
# # A diffusion model whose scores are exact
#
# **Claim.** A density q of clean points gives the density `q_t` of the points in noise of variance
# t, and its score, at every t at once. So one theta is trained on all noise levels,
#
#     J(theta) = sum_l lambda_l E 1/2 |psi_l(x + sigma_l eps; theta) + eps / sigma_l|^2
#
# and points that follow `dx/dt = -psi(x; t) / 2` have the density `q_t` at every t if they have it
# at one: backwards in t they turn noise into birds, forwards they carry the exact log density of a
# bird,
#
#     log q(x_0) = log q_t(x_t) - 1/2 integral of tr(d psi/dx) dt
#
# It takes 10 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import figure_file, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import figure_file, pyplot, save, stop_if, table

FIGURE = figure_file("12_diffusion", "A diffusion model with exact scores: noise, flow, samples.")

# %% [markdown]
# ## The birds and the levels
#
# Bill length and depth of 342 penguins, in standard deviations. Eight noise levels of constant
# ratio, from a tenth of a standard deviation to ten.

# %%
mm, species = refsm.data.penguins(), refsm.data.penguins_labels()
centre, unit = mm.mean(axis=0), mm.std(axis=0)
x = (mm - centre) / unit
n, d = x.shape
rng = np.random.default_rng(12)
levels = refsm.schedules.variance_exploding(0.1, 10.0, levels=8)
sigma = np.array([level.sigma for level in levels])
copies = 10


def in_noise():
    clean = np.tile(x, (copies, 1))
    return clean, np.stack([level.sample(clean, rng) for level in levels])


# %% [markdown]
# ## One theta for all levels
#
# A mixture of three Gaussians, without labels; each of the eight losses has the weight `sigma_l^2`.
# In noise the mixture is again one, so its score at every level is exact, and the gradient goes
# through to its weights, means and covariances. Each of the three components turns out to be nearly
# one of the three species.

# %%
start = refsm.GaussianMixture([1 / 3, 1 / 3, 1 / 3], x[rng.choice(n, 3, replace=False)],
                              np.repeat(np.eye(d)[None] / 2, 3, axis=0))
J = refsm.MultiLevelDenoising(*in_noise(), levels, level_weights=sigma**2)
try:
    run = refsm.minimize(J, start, maxiter=300)
except refsm.DescentInterrupted as stop:
    run = stop.result
    print("interrupted: what is learned so far follows, without a check")
q = run.model
gaussian = refsm.Gaussian(x.mean(axis=0), np.linalg.inv(np.cov(x.T, bias=True)))
fresh = refsm.MultiLevelDenoising(*in_noise(), levels, level_weights=sigma**2)
print(f"{n} penguins, 8 levels, {run.steps} steps of L-BFGS; on noise that was not seen:")
models = {"one Gaussian": gaussian, "mixture, at the start": start, "mixture, trained": q}
table(["model", "J", "log-likelihood per bird"],
      [[name, f"{fresh.value(model):.4f}", f"{model.log_density(x).mean():.4f}"]
       for name, model in models.items()])
parts = [np.log(w) + refsm.Gaussian(mu, P).log_density(x)
         for w, mu, P in zip(q.weights, q.means, np.linalg.inv(q.covariances))]
nearest = np.argmax(parts, axis=0)                               # the component of each bird
kinds = np.unique(species)
table(["component", "weight", *kinds],
      [[f"{k + 1}", f"{q.weights[k]:.3f}",
        *(f"{((nearest == k) & (species == kind)).sum()}" for kind in kinds)] for k in range(3)])

# %% [markdown]
# ## The flow, forwards: an exact log density
#
# Every bird goes to the noisiest level. There the log density is read, and the integral of the
# divergence carries it back.

# %%
forwards = refsm.probability_flow(q, [0.0, *sigma], x)
gap = abs(forwards.log_density[0] - q.log_density(x)).max()
rows = [[f"{s:.3g}", f"{points.std():.3f}", f"{log_density.mean():.4f}",
         f"{abs(log_density - exact).max():.1e}"]
        for s, points, log_density, exact in zip(
            [0.0, *sigma], *forwards, [q.log_density(forwards.x[0]),
                                       *(q.corrupted(level).log_density(points)
                                         for level, points in zip(levels, forwards.x[1:]))])]
print("\nthe birds at each level: spread, and log density by the flow against closed form")
table(["sigma", "spread", "mean log density", "largest gap"], rows)

# %% [markdown]
# ## The flow, backwards: birds from noise
#
# 342 points of pure noise, N(0, 10^2 I), nearly the density of the last level, follow the flow down
# to no noise at all.

# %%
noise = sigma[-1] * rng.standard_normal((n, d))
backwards = refsm.probability_flow(q, [*sigma[::-1], 0.0], noise)
samples = backwards.x[-1]
print("\nthe birds, and as many points that the flow has carried from noise")
table(["", "mean", "", "covariance", "", ""],
      [[name, *(f"{value:.3f}" for value in [*points.mean(axis=0),
                                             *np.cov(points.T)[np.triu_indices(2)]])]
       for name, points in {"birds": x, "from noise": samples}.items()])

# %% [markdown]
# ## The picture
#
# Left, the birds in more and more noise: first the species merge, then all shape goes. Middle, the
# flow undoes this without chance: each line is one point of noise on its way; only the last part is
# in the picture. Right, where 342 such points end, beside the birds.

# %%
if plt := pyplot():
    figure, axes = plt.subplots(1, 3, figsize=(15, 5.2))
    low, high = x.min(axis=0) - 0.7, x.max(axis=0) + 0.7
    frame = {"xlim": centre[0] + unit[0] * np.array([low[0], high[0]]),
             "ylim": centre[1] + unit[1] * np.array([low[1], high[1]]),
             "xlabel": "bill length  (mm)"}
    eps = rng.standard_normal((n, d))
    for s, shade, size in ((3.0, "0.75", 3), (0.6, "#5b9bd0", 3.5), (0.0, "#000000", 2.5)):
        axes[0].plot(*(centre + unit * (x + s * eps)).T, "o", color=shade, markersize=size,
                     label=rf"$\sigma$ = {s:g}" if s else "birds", linestyle="")
    wide = {"xlim": centre[0] + unit[0] * np.array([-6.0, 6.0]),
            "ylim": centre[1] + unit[1] * np.array([-6.0, 6.0])}
    axes[0].set(**{**frame, **wide}, ylabel="bill depth  (mm)",
                title="noise: the species merge, then all shape goes")
    axes[0].legend(loc="lower left", frameon=True, framealpha=1, edgecolor="none")
    fine = np.stack(np.meshgrid(*np.linspace(low, high, 121).T, indexing="xy"), axis=-1)
    density = np.exp(q.log_density(fine.reshape(-1, 2))).reshape(121, 121)
    axes[1].contourf(*np.moveaxis(centre + unit * fine, -1, 0), density, levels=8, cmap="Greys",
                     alpha=0.6)
    way = np.r_[np.geomspace(10, 0.02, 60), 0.0]
    lines = centre + unit * refsm.probability_flow(q, list(way), noise[:60], rtol=1e-6, atol=1e-8).x
    axes[1].plot(*np.moveaxis(lines, -1, 0), "-", color="#0b62a4", linewidth=0.9, alpha=0.8)
    axes[1].plot(*lines[-1].T, "o", color="#c4501b", markersize=5)
    axes[1].set(**frame, title=f"the flow: noise to birds, log density to {gap:.0e}")
    axes[2].plot(*mm.T, "o", color="white", markeredgecolor="0.35", markersize=5, label="birds")
    axes[2].plot(*(centre + unit * samples).T, "o", color="#c4501b", markersize=3.5, alpha=0.8,
                 label="from noise")
    axes[2].set(**frame, title=f"{n} points from noise, beside the {n} birds")
    axes[2].legend(loc="lower left", frameon=True, framealpha=1, edgecolor="none")
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
assert gap < 1e-6                                                # the flow's log density is exact
there_and_back = refsm.probability_flow(q, [sigma[-1], 0.0], forwards.x[-1]).x[-1]
assert abs(there_and_back - x).max() < 1e-5                      # nothing is lost on the way
stop_if(run.interrupted)
assert fresh.value(q) < fresh.value(gaussian) < fresh.value(start)
assert q.log_density(x).mean() > gaussian.log_density(x).mean() + 0.2
kind_of = [kinds[np.argmax([(species[nearest == k] == kind).sum() for kind in kinds])]
           for k in range(3)]
assert set(kind_of) == set(kinds)
assert (np.array(kind_of)[nearest] == species).mean() > 0.9   # a species for each component
assert abs(samples.mean(axis=0) - q.mean).max() < 0.25       # some 4.6 / sqrt(342)
assert np.allclose(np.cov(samples.T), q.covariance, atol=0.3)
