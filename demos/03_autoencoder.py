# %% [markdown]
# # Denoising score matching is a denoising autoencoder
#
# **Claim (Vincent 2011).** For the energy `E(x) = -(c.x - 1/2 |x|^2 + sum_j softplus(W_j.x + b_j))
# / sigma^2`,
#
#     J_DSM = mean 1/2 |psi(x_noisy) - (x - x_noisy)/sigma^2|^2      psi = -grad E: score matching
#     J_DAE = mean |W' sigmoid(W x_noisy + b) + c - x|^2             autoencoder with tied weights
#
#     J_DSM = J_DAE / (2 sigma^4)
#
# for every theta, every point and every noise, so gradient descent on one is gradient descent on
# the other: with the rate r on J_DSM and r / (2 sigma^4) on J_DAE both take the same path, to
# rounding. The identity is algebra and holds for any reconstruction; what the tied weights add is
# that psi is the gradient of an energy. Five losses that could pass for one of the two turn out to
# be five different things.
#
# It takes 10 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import figure_file, kept, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import figure_file, kept, pyplot, save, stop_if, table

FIGURE = figure_file("03_autoencoder",
                     "Denoising score matching is a denoising autoencoder; five losses beside it.")

# %% [markdown]
# ## Why
#
# `psi = (reconstruction - x_noisy) / sigma^2`, and the target is `(x - x_noisy) / sigma^2`. In the
# difference x_noisy cancels: `(reconstruction - x) / sigma^2` is left, half of whose square is the
# autoencoder's error over `2 sigma^4`. Below, `refsm.objectives.denoising` differentiates an energy
# and `refsm.objectives.denoising_autoencoder` backpropagates through an autoencoder. Of the
# formulas they share the sigmoid and its slope, and nothing else.

# %%
rng = np.random.default_rng(3)
x = refsm.data.digits()
n, d = x.shape
m, sigma = 100, 0.3
x_noisy = refsm.GaussianCorruption(sigma).sample(x, rng)
W = 0.1 * rng.standard_normal((m, d))
start = refsm.AutoencoderEnergy(W=W, b=np.zeros(m), c=x.mean(axis=0), sigma=sigma)

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
    def keep(k, model, value, norm):
        paths[name].append((model, value))

    return kept(lambda: refsm.gradient_descent(J, start, steps=STEPS, rate=rate, momentum=0.9,
                                               callback=keep))


runs = [descend("score matching", score_matching, RATE * 2 * sigma**4),
        descend("autoencoder", autoencoder, RATE)]


def apart(model, other):
    """The distance of two points theta, relative to the length of theta."""
    here, there = model.ravel(), other.ravel()
    return np.sqrt(((here - there) ** 2).sum() / (there**2).sum())


steps = [(k, value, other_value / (2 * sigma**4), apart(model, other))
         for k, ((model, value), (other, other_value)) in enumerate(zip(*paths.values()))]
print(f"{n} digits, d = {d}, m = {m} hidden units, sigma = {sigma}")
table(["step", "J_DSM", "J_DAE / (2 sigma^4)", "relative gap", "gap of theta"],
      [[f"{k}", f"{left:.12f}", f"{right:.12f}", f"{abs(left - right) / right:.0e}",
        f"{theta:.0e}"] for k, left, right, theta in steps[::8]])


# %% [markdown]
# ## Five losses beside it
#
# Each is a loss that could pass for a denoising autoencoder, or denoising score matching. Is it
# the J_DSM of the energy above, up to a factor? Compare derivatives along thirty random directions
# of theta, at the end of the descent, with the best factor: the part left over, relative to the
# whole, is 0 for the identity. The derivatives are complex steps: `Im L(theta + i h u) / h`.

# %%
def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def squared_error(reconstruction):
    return (((reconstruction - clean) ** 2).sum(axis=1) / (2 * sigma**4)).mean()


def the_identity(W, b, c):
    return squared_error(sigmoid(noisy @ W.T + b) @ W + c)


def decoder_of_its_own(W, b, c):
    return squared_error(sigmoid(noisy @ W.T + b) @ V + c)


def sigma_inside_the_sigmoid(W, b, c):
    return squared_error(sigmoid((noisy @ W.T + b) / sigma**2) @ W + c)


def cross_entropy(W, b, c):
    logit = sigmoid(noisy @ W.T + b) @ W + c
    return (np.log(1 + np.exp(logit)) - clean * logit).sum(axis=1).mean()


def masking_noise(W, b, c):
    return squared_error(sigmoid(masked @ W.T + b) @ W + c)


def sigma_for_its_square(W, b, c):
    psi = (sigmoid(noisy @ W.T + b) @ W + c - noisy) / sigma
    return (((psi - (clean - noisy) / sigma**2) ** 2).sum(axis=1) / 2).mean()


clean, noisy = x[:300], x_noisy[:300]
masked = clean * (rng.random(clean.shape) > 0.25)
V = 0.1 * rng.standard_normal((m, d))
model = runs[0].model
J = refsm.DenoisingScoreMatching(clean, noisy, sigma)
value, gradient = J.value_and_gradient(model)
directions = [[rng.standard_normal(leaf.shape) for leaf in model.theta] for _ in range(30)]
true = np.array([sum((g * u).sum() for g, u in zip(gradient, along)) for along in directions])


def left_over(loss, h=1e-30):
    """The part of the derivatives that no factor times those of J_DSM explains."""
    moved = [[leaf + 1j * h * u for leaf, u in zip(model.theta, along)] for along in directions]
    slopes = np.array([np.imag(loss(*theta)) / h for theta in moved])
    factor = (slopes @ true) / (true @ true)
    return np.sqrt(((slopes - factor * true) ** 2).sum() / (slopes**2).sum())


LOSSES = {
    "the identity": the_identity, "a decoder of its own": decoder_of_its_own,
    "sigma inside the sigmoid": sigma_inside_the_sigmoid, "cross-entropy": cross_entropy,
    "masking noise": masking_noise, "sigma for sigma^2": sigma_for_its_square,
}
rest = {name: left_over(loss) for name, loss in LOSSES.items()}
table(["loss", "loss / J_DSM", "of its gradient, left over"],
      [[name, f"{LOSSES[name](*model.theta) / value:.9f}", f"{part:.1e}"]
       for name, part in rest.items()])

# %% [markdown]
# ## What they are
#
# - **A decoder V of its own** is J_DSM too, of the field `(V' s + c - x)/sigma^2`. But the Jacobian
#   of this field is not symmetric: it is the score of no energy. (It is where each row of V is a
#   multiple of the row of W; tying is the multiple 1.)
# - **sigma inside the sigmoid** is J_DSM of another energy, the Gaussian-Bernoulli RBM with hidden
#   offsets `b / sigma^2`.
# - **Cross-entropy** is another loss with the same optimum, the posterior mean (statement 25).
# - **Masking noise** has a best reconstruction that is not x_noisy plus a multiple of a score
#   (statement 33).
# - **sigma for sigma^2** in psi, and not in the target, is a mistake.

# %%
def denoising(score):
    """J_DSM of any field, from its values at the noisy points."""
    return J.evaluate(score=score)[0].mean()


s = sigmoid(noisy @ model.W.T + model.b)
own = denoising((s @ V + model.c - noisy) / sigma**2)
jacobian = np.einsum("nj,ji,jk->nik", s * (1 - s), V, model.W)
asymmetry = np.abs(jacobian - jacobian.swapaxes(1, 2)).max() / np.abs(jacobian).max()
log_sigma = np.full(d, np.log(sigma))
machine = refsm.GaussianBernoulliRBM(model.W, model.b / sigma**2, model.c, log_sigma)
GAPS = {
    "a decoder of its own": abs(decoder_of_its_own(*model.theta) / own - 1),
    "sigma inside the sigmoid": abs(sigma_inside_the_sigmoid(*model.theta) / J.value(machine) - 1),
}
table(["loss", "is J_DSM of", "relative gap"],
      [["a decoder of its own", f"a field, |J - J'| = {asymmetry:.2f} |J|",
        f"{GAPS['a decoder of its own']:.0e}"],
       ["sigma inside the sigmoid", "a Gaussian-Bernoulli RBM",
        f"{GAPS['sigma inside the sigmoid']:.0e}"]])

# %% [markdown]
# ## The picture

# %%
if plt := pyplot():
    figure, axes = plt.subplots(1, 3, figsize=(13.5, 4.6), gridspec_kw={"width_ratios": [3, 3, 4]})
    k, left, right, theta = np.array(steps).T
    axes[0].plot(k, left, "-", color="0.6", linewidth=5, label="$J_{DSM}$")
    axes[0].plot(k, right, "k--", label=r"$J_{DAE}\,/\,(2\sigma^4)$")
    axes[0].set(xlabel="step", ylabel=r"loss  (1 / pixel$^2$)", title="two descents, one path")
    axes[0].legend()
    axes[1].plot(k, abs(left - right) / right + 1e-18, "s", markersize=4, color="#0b62a4",
                 label="of the loss")
    axes[1].plot(k[1:], theta[1:], "ko-", markersize=4, linewidth=1, label=r"of $\theta$")
    axes[1].axhline(2.0**-52, color="0.7", linewidth=1, label=r"$2^{-52}$, machine epsilon")
    axes[1].set(yscale="log", ylim=(1e-17, 1e-12), xlabel="step", ylabel="relative gap",
                title="only rounding separates them")
    axes[1].legend()
    names = [name.replace("sigma^2", r"$\sigma^2$").replace("sigma ", r"$\sigma$ ")
             for name in rest]
    axes[2].barh(names, list(rest.values()), color=["k"] + 5 * ["0.6"], height=0.6)
    axes[2].invert_yaxis()
    axes[2].set(xscale="log", xlim=(1e-16, 10), xlabel="part of the gradient left over",
                title="five other losses, five other gradients")
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
stop_if(any(run.interrupted for run in runs))
for k, left, right, theta in steps:
    assert abs(left - right) < 1e-13 * right, k
    assert theta < 1e-12, k
assert steps[-1][1] < 0.6 * steps[0][1]
assert rest.pop("the identity") < 1e-12
assert min(rest.values()) > 1e-2
assert max(GAPS.values()) < 1e-13
assert asymmetry > 0.1
