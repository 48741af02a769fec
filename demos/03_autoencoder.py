# %% [markdown]
# # Denoising score matching is a denoising autoencoder
#
# **Claim (Vincent 2011).** For the energy `E(x) = -(c.x - 1/2 |x|^2 + sum_j softplus(W_j.x + b_j)) / sigma^2`,
#
#     J_DSM = mean 1/2 |psi(x_noisy) - (x - x_noisy)/sigma^2|^2          psi = -grad E: score matching
#     J_DAE = mean |W' sigmoid(W x_noisy + b) + c - x|^2                 an autoencoder with tied weights
#
#     J_DSM = J_DAE / (2 sigma^4)
#
# for every theta, every point and every noise, so that gradient descent on one is gradient descent on the other: with
# the rate r on J_DSM and r / (2 sigma^4) on J_DAE both take the same path, to rounding. Change the autoencoder in one
# of the usual ways, and it is gone.
#
# It takes 5 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import figure_file, pyplot, save, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import figure_file, pyplot, save, table

FIGURE = figure_file("03_autoencoder", "Denoising score matching is a denoising autoencoder, and five ways to break that.")

# %% [markdown]
# ## Why
#
# `psi = (reconstruction - x_noisy) / sigma^2`, and the target is `(x - x_noisy) / sigma^2`. In the difference x_noisy
# cancels: what is left is `(reconstruction - x) / sigma^2`, half of whose square is the autoencoder's error over
# `2 sigma^4`. Below, the two losses share no line of code: `refsm.objectives.denoising` differentiates an energy,
# `refsm.objectives.denoising_autoencoder` backpropagates through an autoencoder.

# %%
rng = np.random.default_rng(3)
x = refsm.data.digits()
n, d = x.shape
m, sigma = 100, 0.3
x_noisy = refsm.GaussianCorruption(sigma).sample(x, rng)
start = refsm.AutoencoderEnergy(W=0.1 * rng.standard_normal((m, d)), b=np.zeros(m), c=x.mean(axis=0), sigma=sigma)

score_matching = refsm.DenoisingScoreMatching(x, x_noisy, sigma)
autoencoder = refsm.DenoisingAutoencoderLoss(x, x_noisy)

# %% [markdown]
# ## Two descents
#
# Forty steps with momentum, from the same start, on all the digits.

# %%
STEPS, RATE = 40, 0.004
paths = {"score matching": [], "autoencoder": []}


def descend(name, J, rate):
    return refsm.gradient_descent(J, start, steps=STEPS, rate=rate, momentum=0.9, callback=lambda k, model, value, norm: paths[name].append((model, value)))


runs = [descend("score matching", score_matching, RATE * 2 * sigma**4), descend("autoencoder", autoencoder, RATE)]


def apart(model, other):
    """The distance of two points theta, relative to the length of theta."""
    here, there = model.ravel(), other.ravel()
    return np.sqrt(((here - there) ** 2).sum() / (there**2).sum())


steps = [(k, value, other_value / (2 * sigma**4), apart(model, other))
         for k, ((model, value), (other, other_value)) in enumerate(zip(*paths.values()))]
print(f"{n} digits, d = {d}, m = {m} hidden units, sigma = {sigma}")
table(["step", "J_DSM", "J_DAE / (2 sigma^4)", "relative gap", "gap of theta"],
      [[f"{k}", f"{left:.12f}", f"{right:.12f}", f"{abs(left - right) / right:.0e}", f"{theta:.0e}"] for k, left, right, theta in steps[::8]])


# %% [markdown]
# ## Five ways to break it
#
# Each is a loss that some code calls a denoising autoencoder, or denoising score matching. Is it J_DSM up to a factor?
# Compare derivatives along thirty random directions of theta, at the end of the descent, with the best factor: what is
# left over, relative to the whole, is 0 for the identity. The derivatives of the broken losses are complex steps:
# `Im L(theta + i h u) / h`.

# %%
def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def decoder_of_its_own(W, b, c):
    return (((sigmoid(noisy @ W.T + b) @ V + c - clean) ** 2).sum(axis=1) / (2 * sigma**4)).mean()


def cross_entropy(W, b, c):
    logit = sigmoid(noisy @ W.T + b) @ W + c
    return (np.log(1 + np.exp(logit)) - clean * logit).sum(axis=1).mean()


def masking_noise(W, b, c):
    return (((sigmoid(masked @ W.T + b) @ W + c - clean) ** 2).sum(axis=1) / (2 * sigma**4)).mean()


def sigma_inside_the_sigmoid(W, b, c):
    return (((sigmoid((noisy @ W.T + b) / sigma**2) @ W + c - clean) ** 2).sum(axis=1) / (2 * sigma**4)).mean()


def sigma_for_its_square(W, b, c):
    psi = (sigmoid(noisy @ W.T + b) @ W + c - noisy) / sigma
    return (((psi - (clean - noisy) / sigma**2) ** 2).sum(axis=1) / 2).mean()


def the_identity(W, b, c):
    return (((sigmoid(noisy @ W.T + b) @ W + c - clean) ** 2).sum(axis=1) / (2 * sigma**4)).mean()


clean, noisy = x[:300], x_noisy[:300]
masked = clean * (rng.random(clean.shape) > 0.25)
V = 0.1 * rng.standard_normal((m, d))
model = runs[0].model
J = refsm.DenoisingScoreMatching(clean, noisy, sigma)
value, gradient = J.value_and_gradient(model)
directions = [[rng.standard_normal(block.shape) for block in model.theta] for _ in range(30)]
true = np.array([sum((g * u).sum() for g, u in zip(gradient, direction)) for direction in directions])


def left_over(loss, h=1e-30):
    """What of the derivatives no factor times those of J_DSM explains, relative to them."""
    slopes = np.array([np.imag(loss(*[block + 1j * h * u for block, u in zip(model.theta, direction)])) / h for direction in directions])
    factor = (slopes @ true) / (true @ true)
    return np.sqrt(((slopes - factor * true) ** 2).sum() / (slopes**2).sum())


LOSSES = {
    "the identity": the_identity, "a decoder of its own": decoder_of_its_own, "cross-entropy": cross_entropy, "masking noise": masking_noise,
    "sigma inside the sigmoid": sigma_inside_the_sigmoid, "sigma for sigma^2": sigma_for_its_square,
}
rest = {name: left_over(loss) for name, loss in LOSSES.items()}
table(["loss", "loss / J_DSM", "of its gradient, left over"],
      [[name, f"{LOSSES[name](*model.theta) / value:.9f}", f"{part:.1e}"] for name, part in rest.items()])

# %% [markdown]
# ## The picture

# %%
if plt := pyplot():
    figure, axes = plt.subplots(1, 3, figsize=(9, 3), gridspec_kw={"width_ratios": [3, 3, 4]})
    k, left, right, theta = np.array(steps).T
    axes[0].plot(k, left, "-", color="0.6", linewidth=4, label="$J_{DSM}$")
    axes[0].plot(k, right, "k--", linewidth=1.2, label=r"$J_{DAE}\,/\,(2\sigma^4)$")
    axes[0].set(xlabel="step", ylabel=r"loss  (1 / pixel$^2$)", title="two descents, one path")
    axes[0].legend()
    axes[1].plot(k, abs(left - right) / right + 1e-18, "s", markersize=3, color="#0b62a4", label="of $J$")
    axes[1].plot(k[1:], theta[1:], "ko-", markersize=3, linewidth=0.8, label=r"of $\theta$")
    axes[1].axhline(2.0**-52, color="0.7", linewidth=0.8)
    axes[1].text(0.98, 2.0**-52 / 1.5, "$2^{-52}$", transform=axes[1].get_yaxis_transform(), ha="right", va="top", color="0.4", fontsize=8)
    axes[1].set(yscale="log", ylim=(1e-17, 1e-12), xlabel="step", ylabel="relative gap", title="rounding is what is left")
    axes[1].legend()
    names = [name.replace("sigma^2", r"$\sigma^2$").replace("sigma ", r"$\sigma$ ") for name in rest]
    axes[2].barh(names, list(rest.values()), color=["k"] + 5 * ["0.6"], height=0.6)
    axes[2].invert_yaxis()
    axes[2].set(xscale="log", xlim=(1e-16, 10), xlabel="part of the gradient left over", title="five ways to break it")
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
if any(run.interrupted for run in runs):
    print("\ninterrupted: the claim is not checked")
else:
    for k, left, right, theta in steps:
        assert abs(left - right) < 1e-13 * right and theta < 1e-12, k
    assert steps[-1][1] < 0.6 * steps[0][1]
    assert rest.pop("the identity") < 1e-12
    assert min(rest.values()) > 1e-2
