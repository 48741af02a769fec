# %% [markdown]
# # How much noise: bias of the smoothed score, variance of the loss
#
# **Claim.** Denoising score matching with noise sigma learns the score of `q_sigma`, the density of
# the noisy points, not that of q. As sigma falls the bias falls with its square and the variance of
# the loss rises with its inverse fourth power:
#
#     s_sigma = s + (sigma^2 / 2) grad( div s + |s|^2 ) + O(sigma^4)
#     Var[ 1/2 |psi(x + sigma eps) + eps/sigma|^2 ] = d / (2 sigma^4) + lower orders
#
# Subtract `|eps|^2 / (2 sigma^2) + psi(x).eps/sigma`, whose expectation is `d / (2 sigma^2)` for
# every psi, and the variance stays bounded: the loss tends to variance-reduced sliced score
# matching with v = eps.
#
# It takes 5 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import figure_file, pyplot, save, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import figure_file, pyplot, save, table

FIGURE = figure_file("17_small_noise", "Bias of the smoothed score and variance of the loss.")

# %% [markdown]
# ## A density whose smoothed versions are known
#
# A mixture of two Gaussians in the plane: with noise of variance sigma^2, each covariance grows by
# `sigma^2 I`, so s_sigma is exact. The model is q itself, so psi = s.

# %%
weights = [0.4, 0.6]
means = np.array([[-1.0, 0.4], [0.9, -0.3]])
covariances = np.array([[[0.6, 0.2], [0.2, 0.5]], [[0.5, -0.2], [-0.2, 0.7]]])
q = refsm.GaussianMixture(weights, means, covariances)
d = q.d
nodes, node_weights = refsm.expectations.trapezoid(q, size=121)


def smoothed(sigma):
    return refsm.GaussianMixture(weights, means, covariances + sigma**2 * np.eye(d))


def slope_of_the_bias(x, h=1e-4):
    """grad( div s + |s|^2 ) / 2 by central differences."""
    def f(x):
        return (q.score_divergence(x) + (q.score(x) ** 2).sum(axis=1)) / 2

    return np.stack([(f(x + step) - f(x - step)) / (2 * h) for step in h * np.eye(d)], axis=1)


def size(field):
    """The root mean square of a field under q."""
    return float(np.sqrt(node_weights @ (field**2).sum(axis=1)))


# %% [markdown]
# ## Bias
#
# The root mean square over q of the difference of the two scores, and of what is left after its
# first term.

# %%
SIGMAS = np.geomspace(0.03, 1.0, 13)
first = slope_of_the_bias(nodes)
bias = np.array([size(smoothed(sigma).score(nodes) - q.score(nodes)) for sigma in SIGMAS])
rest = np.array([size(smoothed(sigma).score(nodes) - q.score(nodes) - sigma**2 * first)
                 for sigma in SIGMAS])

# %% [markdown]
# ## Variance
#
# Of the term of one pair (x, eps), from 400,000 pairs, and of what is left after the control
# variate is subtracted. Its limit is the variance of `eps'J eps + 1/2 |psi|^2` over both.

# %%
rng = np.random.default_rng(17)
n = 400_000
x, eps = q.sample(n, rng), rng.standard_normal((n, d))
psi = q.score(x)
sliced = refsm.SlicedScoreMatching(x, eps[:, None, :], variance_reduced=True).per_sample(q)
plain, controlled = [], []
for sigma in SIGMAS:
    loss = refsm.DenoisingScoreMatching(x, x + sigma * eps, sigma).per_sample(q)
    control = (eps**2).sum(axis=1) / (2 * sigma**2) + (psi * eps).sum(axis=1) / sigma
    plain.append(loss.var())
    controlled.append((loss - control).var())

print(f"q itself as the model, {n} pairs; variance of the sliced loss {sliced.var():.3f}")
table(["sigma", "bias", "bias - first term", "variance", "d / (2 sigma^4)", "with control"],
      [[f"{SIGMAS[k]:.3f}", f"{bias[k]:.5f}", f"{rest[k]:.5f}", f"{plain[k]:.4g}",
        f"{d / (2 * SIGMAS[k]**4):.4g}", f"{controlled[k]:.3f}"] for k in range(0, 13, 2)])

# %% [markdown]
# ## The picture

# %%
if plt := pyplot():
    figure, axes = plt.subplots(1, 2, figsize=(12.5, 5))
    axes[0].plot(SIGMAS, bias, "o", color="#0b62a4", label=r"size of $s_\sigma - s$")
    axes[0].plot(SIGMAS, SIGMAS**2 * size(first), "-", color="#0b62a4",
                 label=r"$\sigma^2$ times its first term")
    axes[0].plot(SIGMAS, rest, "s", color="#c4501b", label="what is left after it")
    axes[0].plot(SIGMAS[:8], rest[4] * (SIGMAS[:8] / SIGMAS[4]) ** 4, "--", color="#c4501b",
                 label=r"slope 4: $\sigma^4$")
    axes[0].set(xscale="log", yscale="log", xlabel=r"$\sigma$", ylabel="root mean square under $q$",
                title=r"bias of the smoothed score falls as $\sigma^2$")
    axes[0].legend()
    axes[1].plot(SIGMAS, plain, "o", color="k", label="of the denoising loss")
    axes[1].plot(SIGMAS, d / (2 * SIGMAS**4), "-", color="k", label=r"$d / (2\sigma^4)$")
    axes[1].plot(SIGMAS, controlled, "s", color="#c4501b", label="with the control variate")
    axes[1].axhline(sliced.var(), linestyle="--", color="#c4501b", label="of the sliced loss")
    axes[1].set(xscale="log", yscale="log", xlabel=r"$\sigma$", ylabel="variance of one term",
                title=r"variance of the loss rises as $\sigma^{-4}$")
    axes[1].legend()
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
small = SIGMAS < 0.1
orders = np.diff(np.log(bias)) / np.diff(np.log(SIGMAS))
assert abs(orders[0] - 2) < 0.01
assert abs(np.diff(np.log(rest))[3] / np.diff(np.log(SIGMAS))[3] - 4) < 0.1
np.testing.assert_allclose(np.array(plain)[small], d / (2 * SIGMAS[small] ** 4), rtol=0.05)
assert abs(controlled[0] / sliced.var() - 1) < 0.05
assert controlled[0] < 1e-4 * plain[0]
